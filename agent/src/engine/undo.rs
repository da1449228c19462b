//! Versions that take something back: without some paths, or like an earlier one. History stays, and the disk is untouched.

use store::chain::SourceRoot;

use super::errand::{Came, Errand};
use super::job::{AppendPlan, AppendSummary, At, DeleteJob, RollbackJob, Run};
use super::overlay::{Overlay, components, host_name};
use super::rewrite::Rewrite;
use super::versions::short;
use super::view::{Reading, View};
use super::why::holds;
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, quoted};
use crate::units::counted;

/// Appends a version without the job's paths.
pub fn delete(run: &Run, job: &DeleteJob) -> Result<AppendSummary> {
    let errand = Errand::begin(run, "delete");
    let reading = Reading::open(run)?;
    let mut summary = {
        let newest = newest(&reading)?;
        let paths: Vec<Vec<u8>> = job.paths.iter().map(|path| super::glob::clean(&newest.path(path))).collect();
        if paths.iter().any(|path| components(path).count() <= usize::from(newest.hosts)) {
            return Err(Fault::new(
                Code::Usage,
                "that is everything of a host; a version without anything helps nobody",
            )
            .hint("name the paths; or go back in time: tuckbox rollback --to TIME"));
        }
        let near = |source: &&SourceRoot| paths.iter().any(|path| holds(&source_path(&newest, source), path));
        newest.sources.iter().filter(near).try_for_each(|source| newest.nodes.fill(source.root))?;
        let mut rewrite = Rewrite::new(&reading.account, &reading.nodes);
        let mut sources = newest.sources.clone();
        for (n, path) in paths.iter().enumerate() {
            if paths.iter().take(n).any(|earlier| holds(earlier, path)) {
                continue;
            }
            Overlay::new(&rewrite, &sources, newest.hosts).need(path)?;
            without(&mut rewrite, &mut sources, path, &newest)?;
        }
        let what = match paths.as_slice() {
            [one] => format!("a version without {}", for_terminal(one)),
            many => format!("a version without {}", counted(many.len() as u64, "path", "paths")),
        };
        let along = bring_along(&newest, &sources, &paths);
        let done = append(&newest, rewrite, sources, what, job.dry_run, Own::Stays)?;
        AppendSummary { bring_along: along, ..done }
    };
    close(&errand, reading, &mut summary)?;
    Ok(summary)
}

/// Appends a version that is like an earlier one.
pub fn rollback(run: &Run, job: &RollbackJob) -> Result<AppendSummary> {
    let errand = Errand::begin(run, "rollback");
    let reading = Reading::open(run)?;
    let mut summary = {
        let newest = newest(&reading)?;
        let target = reading.view(&job.to)?;
        let rewrite = Rewrite::new(&reading.account, &reading.nodes);
        let what = format!("a version like {}", short(&target.link));
        let sources = target.sources.clone();
        let here: Vec<Vec<u8>> = sources.iter().map(|source| source_path(&newest, source)).collect();
        let along = bring_along(&newest, &sources, &here);
        let done = append(&newest, rewrite, sources, what, job.dry_run, Own::Ends)?;
        AppendSummary { bring_along: along, ..done }
    };
    close(&errand, reading, &mut summary)?;
    Ok(summary)
}

/// The newest version, to be written after.
pub fn newest(reading: &Reading) -> Result<View<'_>> {
    reading.account.may_write()?;
    reading.look(reading.account.pick(&At::default())?)
}

/// Whether sources whose roots this device has read are still believed after a rewrite.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// Everything in the new roots was in the old ones.
    Stays,
    /// Something came from elsewhere: the next backup reads the files again.
    Ends,
}

/// Asks, and appends; when nothing would change, it does neither.
pub fn append(
    newest: &View<'_>,
    rewrite: Rewrite<'_>,
    sources: Vec<SourceRoot>,
    what: String,
    dry_run: bool,
    own: Own,
) -> Result<AppendSummary> {
    let account = newest.account;
    let (before_files, before_bytes) = totals(&newest.sources);
    let (files, bytes) = totals(&sources);
    let mut summary = AppendSummary {
        before_id: newest.link.link_id().hex(),
        files,
        bytes,
        before_files,
        before_bytes,
        ..AppendSummary::default()
    };
    let roots = |sources: &[SourceRoot]| {
        let mut all: Vec<_> = sources.iter().map(|source| (source.id, source.root)).collect();
        all.sort_unstable();
        all
    };
    if dry_run || roots(&sources) == roots(&newest.sources) {
        return Ok(summary);
    }
    account.run.person.append(&AppendPlan { what, before_files, files, bytes })?;
    let (link, holes) = rewrite.commit(&newest.link, &newest.sources, sources.clone())?;
    if own == Own::Stays {
        account.change_state(|state| {
            for source in &sources {
                let old = newest.sources.iter().find(|old| old.id == source.id);
                if old.is_some_and(|old| state.is_own(old.id, old.root)) {
                    state.set_own(source.id, source.root, link.link().sequence);
                }
            }
        })?;
    }
    summary.holes = holes;
    summary.version_id = Some(link.link_id().hex());
    summary.sequence = Some(link.link().sequence);
    Ok(summary)
}

/// Says what it came to and goodbye, and fills in what went over the line.
pub fn close(errand: &Errand<'_>, reading: Reading, summary: &mut AppendSummary) -> Result<()> {
    let came = Came { sequence: summary.sequence, files: summary.files, bytes: summary.bytes, ..Came::default() };
    let _told = summary.sequence.is_some().then(|| errand.done(&reading.account.remote, came));
    let traffic = reading.close()?;
    summary.sent_bytes = traffic.sent_bytes;
    summary.received_bytes = traffic.received_bytes;
    Ok(())
}

fn totals(sources: &[SourceRoot]) -> (u64, u64) {
    sources.iter().fold((0, 0), |(files, bytes): (u64, u64), source| {
        (files.saturating_add(source.files), bytes.saturating_add(source.bytes))
    })
}

/// Where a source stands in the overlay of a version.
pub fn source_path(view: &View<'_>, source: &SourceRoot) -> Vec<u8> {
    if view.hosts { [b"/", &*host_name(&source.host), source.path.as_slice()].concat() } else { source.path.clone() }
}

/// Takes a path out: sources at and below it go, and in the one that it lies in its entry goes.
fn without(rewrite: &mut Rewrite<'_>, sources: &mut Vec<SourceRoot>, path: &[u8], view: &View<'_>) -> Result<()> {
    sources.retain(|source| !holds(path, &source_path(view, source)));
    let index = {
        let overlay = Overlay::new(&*rewrite, sources, view.hosts);
        // What only leads to sources is gone with them.
        overlay.lookup(path)?.ok().filter(|found| !found.made_up).and_then(|found| found.source)
    };
    if let Some(source) = index.and_then(|index| sources.get_mut(index)) {
        let depth = components(&source_path(view, source)).count();
        let names: Vec<&[u8]> = components(path).skip(depth).collect();
        *source = rewrite.put(source, &names, None)?;
    }
    Ok(())
}

/// The command that makes the disk of this host like the new version, around these paths.
fn bring_along(view: &View<'_>, sources: &[SourceRoot], paths: &[Vec<u8>]) -> Option<String> {
    let skip = usize::from(view.hosts);
    let host = &view.account.run.host;
    let mut places: Vec<Vec<u8>> = Vec::new();
    for source in sources.iter().filter(|source| source.host == *host) {
        let whole = source_path(view, source);
        for path in paths {
            // The directory that a path was in; a source that is named itself is put right itself.
            let above: Vec<&[u8]> = components(path).collect();
            let place = if *path == whole {
                whole.clone()
            } else if holds(&whole, path) {
                let above = above.get(..above.len().saturating_sub(1)).unwrap_or_default();
                [b"/", above.join(&b'/').as_slice()].concat()
            } else {
                continue;
            };
            let names: Vec<&[u8]> = components(&place).skip(skip).collect();
            places.push([b"/", names.join(&b'/').as_slice()].concat());
        }
    }
    places.sort();
    places.dedup();
    let places: Vec<String> = places.iter().map(|place| quoted(place)).collect();
    (!places.is_empty()).then(|| format!("tuckbox restore --delete {}", places.join(" ")))
}
