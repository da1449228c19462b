//! Writes files of a version back.
//!
//! ```text
//!            names, directories          windows               boxes
//!  nodes ──► plan ───────────────────► fetch ─► (vault) ─► fetch ─────────► write ──► files
//!             │                                                               ▲
//!             └── what needs no chunks: small contents, links, devices ───────┘
//!
//!  a file's last piece written ──► its metadata ──► its other names ──► its directory, when that was the last thing in it
//! ```
//!
//! * [`plan`]: one thread, in tree order: makes directories, looks at what is there, says which chunks are needed
//! * [`standing`]: what stands there already, and whether it stays
//! * [`window`]: chunks that are asked for together; each is fetched once in a window, whatever uses it
//! * [`fetch`]: asks some windows ahead, hands on boxes as they come, in the order of packs
//! * [`mod@write`]: on all cores: opens boxes, writes at any offset, finishes files
//! * [`lost`]: pieces that the vault has lost, where files are wanted all the same
//! * [`place`]: directories: few are open at once, each is finished by the last thing that is done in it
//! * [`clear`]: what `--delete` removes, and what it leaves alone
//! * [`several`]: what was marked in several versions, as one restore
//! * [`verify`]: reads back and compares, without the vault
//!
//! A file has its time only when all of it is written, so what an interrupted run left half done is written again by the
//! next. A directory is closed and has the sticky bit until it is finished, so the next run knows what it must still finish
//! from what a person made. A chunk that is missing or damaged costs the files that need it and nothing else; with
//! `--with-holes` it costs them only that piece.

pub mod beside;
pub mod clear;
pub mod fetch;
pub mod filter;
pub mod flow;
pub mod item;
pub mod lost;
pub mod place;
pub mod plan;
pub mod roots;
pub mod several;
pub mod standing;
#[cfg(test)]
pub(crate) mod tests;
pub mod verify;
pub mod window;
pub mod write;

use jiff::civil::DateTime;
use store::chain::LinkKind;
use store::seal::Sealer;
use store::tree::{NodeSource, Totals};

use clear::Rules;
pub use fetch::{Arrival, Fetcher, Fetching};
use filter::Filter;
use flow::{Flow, Options};
use plan::Planner;
use roots::Root;

use super::errand::{Came, Errand};
use super::job::{RestoreJob, RestorePlan, RestoreSummary, Run, Stop};
use super::overlay::{Overlay, host_name};
use super::own::Own;
use super::view::{Reading, View};
use super::walk::{Step, Walk};
use super::why::with_rules;
use crate::engine::crew::start;
use crate::event::{Deaf, Event, Phase, Watcher};
use crate::fault::{Code, Fault, Result};
use crate::profile::{self, Profile, Stage};

/// Writers: more than this share the same few directories.
const WRITERS_MAX: usize = 16;

/// Writes files of a version back. Items that could not be restored are told and counted, and are no error of the call.
pub fn restore(run: &Run, job: &RestoreJob) -> Result<RestoreSummary> {
    let began = run.clock.now_ms();
    // Before anything is reached.
    drop(Filter::new(&job.include, &job.exclude)?);
    drop(Rules::new(&job.sources, false, Own::default())?);
    let errand = Errand::begin(run, "restore");
    let reading = Reading::open(run)?;
    let done = reading.view(&job.at).and_then(|view| restore_view(run, &view, job));
    let mut summary = errand.or_failed(&reading.account.remote, done)?;
    let _told = (!job.dry_run).then(|| errand.done(&reading.account.remote, Came::from(&summary)));
    let traffic = reading.close()?;
    summary.sent_bytes = traffic.sent_bytes;
    summary.received_bytes = traffic.received_bytes;
    summary.elapsed_ms = u64::try_from(run.clock.now_ms() - began).unwrap_or(0);
    Ok(summary)
}

/// The same from a version that is open; traffic and time are the caller's to fill in.
pub fn restore_view(run: &Run, view: &View<'_>, job: &RestoreJob) -> Result<RestoreSummary> {
    let filter = Filter::new(&job.include, &job.exclude)?;
    let account = view.account;
    run.watcher.event(&Event::Phase(Phase::Plan));
    run.profile.phase(profile::Phase::Plan);
    let paths = job.paths.iter().map(|path| view.path(path)).collect();
    let job = &RestoreJob { paths: here(view, job).unwrap_or(paths), ..job.clone() };
    view.prepare(&job.paths)?;
    let overlay = view.overlay();
    if job.delete && view.link.link().kind == LinkKind::Partial {
        return Err(Fault::new(
            Code::Usage,
            "a partial version does not say what was not there, so --delete cannot go by it",
        )
        .hint("leave out --delete, or name a whole version: tuckbox versions"));
    }
    let filter = &filter.below(&overlay);
    let rules = &Rules::new(&with_rules(&job.sources, overlay.sources()), overlay.has_hosts(), Own::of(account))?;
    let roots = roots::roots(&overlay, job)?;
    roots.iter().try_for_each(|root| view.fill(&overlay, &root.found))?;
    let parts = Parts {
        sealer: &account.sealer,
        nodes: view.nodes,
        fetcher: &account.remote,
        watcher: &*run.watcher,
        stop: &run.stop,
        profile: &run.profile,
        filter,
        rules,
        sequence: view.link.link().sequence,
        moment: run.zone.to_datetime(jiff::Timestamp::from_millisecond(view.link.received_at()).unwrap_or_default()),
    };
    let mut summary = work(run, &parts, job, &overlay, &roots)?;
    summary.version_id = view.link.link_id().hex();
    summary.sequence = view.link.link().sequence;
    // A vault that is behind a pin from elsewhere is whole as far as it goes, and that was said.
    let doubtful = |fault: &Fault| fault.code != Code::HistoryBehind;
    summary.history_doubtful = account.suspicion.as_ref().is_some_and(doubtful);
    Ok(summary)
}

/// In place, everything is everything of this host, where there are several.
fn here(view: &View<'_>, job: &RestoreJob) -> Option<Vec<Vec<u8>>> {
    let host = &view.account.run.host;
    let ours = view.hosts && view.sources.iter().any(|source| source.host == *host);
    let everything = job.to.is_none() && job.paths.is_empty();
    (everything && ours).then(|| vec![[b"/", &*host_name(host)].concat()])
}

/// What a restore works with.
pub struct Parts<'a> {
    /// Opens boxes.
    pub sealer: &'a Sealer,
    /// The version's nodes.
    pub nodes: &'a (dyn NodeSource + Sync),
    /// Gets boxes.
    pub fetcher: &'a dyn Fetcher,
    /// Hears what happens.
    pub watcher: &'a dyn Watcher,
    /// Says when to end early.
    pub stop: &'a Stop,
    /// Measures the stages.
    pub profile: &'a Profile,
    /// The version's number.
    pub sequence: u64,
    /// When it was received, by the clocks here.
    pub moment: DateTime,
    /// What is taken of it.
    pub filter: &'a Filter,
    /// What backups leave out here, which `--delete` leaves alone.
    pub rules: &'a Rules,
}

/// Asks when it has to, restores, verifies when it shall.
fn work(
    run: &Run,
    parts: &Parts<'_>,
    job: &RestoreJob,
    overlay: &Overlay<'_>,
    roots: &[Root<'_>],
) -> Result<RestoreSummary> {
    let (files, bytes) = totals(overlay, roots, parts.filter)?;
    let options = Options {
        overwrite: job.overwrite,
        delete: job.delete,
        dry_run: job.dry_run,
        in_place: job.to.is_none(),
        list_items: job.list_items,
        with_holes: job.with_holes,
        files_total: Some(files),
        bytes_total: Some(bytes),
    };
    if job.to.is_none() && !job.dry_run && !job.confirmed {
        let mut found = RestoreSummary::default();
        if job.delete {
            let dry = Options { dry_run: true, list_items: false, ..options };
            // A filter that fails is told by the run itself, so it has one of its own.
            let rules = &Rules::new(&job.sources, overlay.has_hosts(), parts.rules.ours().clone())?;
            let quiet = Parts { watcher: &Deaf, rules, ..*parts };
            execute(&quiet, dry, overlay, roots, false)?.sum_up(&mut found);
        }
        let (deletes, deleted) = (found.files_deleted, found.deleted);
        let paths = if job.paths.is_empty() { vec![b"/".to_vec()] } else { job.paths.clone() };
        run.person.restore_in_place(&RestorePlan {
            paths,
            files,
            bytes,
            deletes,
            deleted,
            overwrite: job.overwrite,
        })?;
    }
    parts.watcher.event(&Event::Phase(Phase::Restore));
    parts.profile.phase(profile::Phase::Restore);
    let mut summary = RestoreSummary::default();
    execute(parts, options, overlay, roots, job.verify && !job.dry_run)?.sum_up(&mut summary);
    Ok(summary)
}

/// Runs the stages.
fn execute<'a>(
    parts: &Parts<'a>,
    options: Options,
    overlay: &Overlay<'_>,
    roots: &[Root<'_>],
    verify: bool,
) -> Result<Flow<'a>> {
    let fetcher = parts.fetcher;
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, WRITERS_MAX);
    let flow = Flow::new(parts, options, threads);
    flow.progress();
    std::thread::scope(|scope| {
        if !options.dry_run {
            let flow = &flow;
            let crew = (0..threads)
                .try_for_each(|_| start(scope, || flow.stage(Stage::Write, || write::run(flow))).map(drop))
                .and_then(|()| start(scope, || flow.stage(Stage::Fetch, || fetch::run(flow, fetcher))).map(drop));
            crew.unwrap_or_else(|fault| flow.fail(fault));
        }
        flow.stage(Stage::Plan, || Planner::new(&flow).run(overlay, roots));
        flow.windows.close();
        flow.work.close();
    });
    flow.trouble()?;
    if verify {
        verify::run(&flow, overlay, roots, parts.filter, threads)?;
    }
    Ok(flow)
}

/// Files and bytes that will be dealt with: told from the sums in the tree where that is right, else counted.
fn totals(overlay: &Overlay<'_>, roots: &[Root<'_>], filter: &Filter) -> Result<(u64, u64)> {
    let mut sums = Totals::none();
    for root in roots {
        match overlay.quick_totals(&root.found)?.filter(|_| filter.is_empty()) {
            Some(totals) => sums.add(&totals),
            None => sums.add(&counted(overlay, root, filter)),
        }
    }
    Ok((sums.files, sums.bytes))
}

fn counted<'o>(overlay: &'o Overlay<'o>, root: &Root<'o>, filter: &Filter) -> Totals {
    let mut sums = Totals::none();
    if filter.excludes(&root.path) {
        return sums;
    }
    if !root.found.is_dir() {
        return if filter.includes(&root.path) { root.found.entry.totals() } else { sums };
    }
    let mut walk = Walk::new(overlay, &root.path, &root.found);
    loop {
        match walk.next() {
            Ok(None) => return sums,
            Ok(Some(Step::Name(found))) if !filter.excludes(walk.path()) => {
                if found.is_dir() {
                    walk.enter(&found);
                } else if filter.includes(walk.path()) {
                    sums.add(&found.entry.totals());
                }
            }
            // What cannot be read is told when it is restored.
            Ok(Some(_)) | Err(_) => {}
        }
    }
}
