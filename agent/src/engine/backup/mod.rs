//! From files to a version.
//!
//! ```text
//!            parcels          hashed             waiting            seals            ship
//!  scan ─────────────► read ─────────► ask ─────────────► fill ───────────► seal ──────────► ship ──► uplink
//!   │  directories,     files,   │      which are          boxes of    compress,   records
//!   │  merge-join       cut,     │      lacking?           ~2 MiB      all cores
//!   ▼                   hash     ▼                                        ▲
//!  frames ◄──────── entries ─────┘                                        │
//!   └── nodes from the leaves up ─────────────────────────────── groups ──┘
//! ```
//!
//! Every queue is bounded, and the plain bytes in flight have a budget ([`flow::budget_bytes`]). No stage calls
//! another. [`pass`] wires one pass; [`publish`] makes links of its roots; this file decides how many passes there are.

mod ahead;
pub mod ask;
pub mod counts;
pub mod early;
pub mod epoch;
pub mod flow;
pub mod frame;
pub mod heal;
pub mod inner;
pub mod known;
pub mod mounted;
pub mod noise;
pub mod pass;
pub mod path_node;
pub mod prepare;
pub mod publish;
pub mod read;
pub mod redundant;
pub mod scan;
pub mod seal;
pub mod ship;
pub mod source_run;
pub mod stack;
pub mod suspicion;
pub mod totals;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::chain::SourceRoot;
use store::id::{NodeId, SessionId, SourceId};
use store::tree::What;
use transport::message::Outcome;

use super::account::{Account, lacking};
use super::connect::Connector;
use super::job::{BackupJob, BackupSummary, Run, SourceJob};
use super::tell::Teller;
use super::uplink::{Plan, Uplink};
use crate::engine::crew::start;
use crate::event::{Event, Phase};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::profile::{self, Stage};
use counts::Counts;
use heal::Heal;
use pass::{Ended, Pace, Pass, PassEnd, SetAtEnd};
use prepare::{Base, Prepared};
use source_run::SourceRun;

/// Makes a version. See the module.
pub fn backup(run: &Run, job: BackupJob) -> Result<BackupSummary> {
    if job.dry_run {
        return backup_told(run, job, None);
    }
    let teller = Teller::begin(run);
    let done = backup_told(teller.run(), job, Some(&teller));
    teller.end(&done);
    done
}

fn backup_told(run: &Run, job: BackupJob, teller: Option<&Teller>) -> Result<BackupSummary> {
    crate::engine::hooks::around(run, job, |job| {
        let made = first_vault(run, &job)?;
        let mut summary = over(run, Arc::new(Connector::new(run)?), job, Pace::default(), teller)?;
        summary.made = made;
        Ok(summary)
    })
}

/// The same into a vault that is there, on this connector.
#[cfg(test)]
pub fn backup_over(run: &Run, connector: Arc<Connector>, job: BackupJob, pace: Pace) -> Result<BackupSummary> {
    over(run, connector, job, pace, None)
}

fn over(
    run: &Run,
    connector: Arc<Connector>,
    job: BackupJob,
    pace: Pace,
    teller: Option<&Teller>,
) -> Result<BackupSummary> {
    let started = run.clock.monotonic_ms();
    let account = Account::open_on(run, connector)?;
    run.profile.phase(profile::Phase::Prepare);
    tell_absent(&account);
    let dry_run = job.dry_run;
    let may = || if dry_run { Ok(()) } else { account.may_write() };
    let done = may().and_then(|()| Backup::new(&account, job, pace, teller)?.run());
    if let Err(fault) = &done
        && fault.code == Code::QuotaHard
    {
        // Without it, or with a key that may not say so, what was forgotten waits for another link.
        crate::engine::retention::leave_word(&account).unwrap_or(());
    }
    if let (Err(fault), Some(teller)) = (&done, teller) {
        teller.failed(&account.remote, fault);
    }
    let mut summary = done?;
    summary.elapsed_ms = u64::try_from(run.clock.monotonic_ms() - started).unwrap_or(0);
    Ok(summary)
}

/// What is backed up now is safe without the disks that are away; what lies on them cannot be restored.
fn tell_absent(account: &Account) {
    if let Some(text) = account.absent_volumes.as_deref().and_then(crate::health::absent_volumes) {
        let text = format!("{text}: what lies there cannot be restored until it is back");
        account
            .run
            .watcher
            .event(&Event::Warning(&Fault::new(Code::VolumeAbsent, text).hint(super::doctor::VOLUMES_NEXT)));
    }
}

/// Makes the default vault when it is not there yet.
fn first_vault(run: &Run, job: &BackupJob) -> Result<Option<super::job::Made>> {
    let missing = run.place.vault_is_default && !std::path::Path::new(&run.place.vault).join("vault.json").exists();
    if !missing {
        return Ok(None);
    }
    if job.dry_run {
        return Err(Fault::new(Code::VaultNone, "there is no vault yet to compare with").hint("tuckbox init"));
    }
    // A mistyped path makes nothing.
    let there = |source: &SourceJob| std::fs::symlink_metadata(OsStr::from_bytes(&source.path)).is_ok();
    if job.stdin.is_none() && !job.sources.iter().any(there) {
        return Err(prepare::nothing_there(job));
    }
    super::init::automatic(run).map(Some)
}

/// Times that lacking nodes are sent again from the cache.
const NODE_ROUNDS_MAX: u32 = 16;
/// Passes that look again for what a commit lacks; the last one takes nothing for known.
const AGAIN_MAX: u32 = 2;

/// Why a source, or what is below a directory of it, is gone.
const UNMOUNTED: &str = " (it was a mount point and is none now)";

/// What the first signal does.
const ENDING: &str = "ending: what was read is still sent, for a while; once more to stop now";

/// Once the run is asked to end: says what that means, and gives the line up when what was read takes long to send. What
/// the vault has by then it keeps. True when that was so.
fn see_to_end(run: &Run, pace: Pace, link: &Uplink, over: &Ended) -> bool {
    let mut asked_ms = None;
    while !over.wait(pace.tell_ms) {
        if !run.stop.asked() {
            continue;
        }
        let now_ms = run.clock.monotonic_ms();
        let since_ms = *asked_ms.get_or_insert_with(|| {
            run.watcher.event(&Event::Note(ENDING));
            now_ms
        });
        if now_ms.saturating_sub(since_ms) >= pace.ending_ms {
            link.give_up();
            return true;
        }
    }
    false
}

/// What was read was not all sent in time.
fn given_up_fault() -> Fault {
    Fault::new(Code::Interrupted, "the backup was interrupted")
        .hint("what the vault has got is kept; the same command again goes on from there")
}

/// One backup run.
struct Backup<'a> {
    account: &'a Account,
    job: BackupJob,
    base: Base,
    nodes: super::cache::NodeCache,
    pace: Pace,
    teller: Option<&'a Teller>,
}

impl<'a> Backup<'a> {
    fn new(account: &'a Account, job: BackupJob, pace: Pace, teller: Option<&'a Teller>) -> Result<Self> {
        let base = Base::of(account)?;
        Ok(Self { account, job, base, nodes: account.nodes(), pace, teller })
    }

    fn run(mut self) -> Result<BackupSummary> {
        let taken_at_ms = self.account.run.clock.now_ms();
        let stdin = self.job.stdin.take();
        let prepared = Prepared::new(self.account, &self.base, &self.job, stdin, &self.nodes)?;
        let ids = prepared.sources.iter().map(|source| source.id).collect();
        let session = SessionId::new(self.account.run.chance.bytes());
        let plan = Plan {
            channels: self.account.connector.channels(),
            open: self.account.opener(),
            clock: Arc::clone(&self.account.run.clock),
            profile: self.account.run.profile.clone(),
        };
        let link = Uplink::new(self.account.remote.clone(), ids, session).striped(plan);
        let measured = &self.account.run.profile;
        let (run, pace) = (&self.account.run, self.pace);
        let (over, given_up) = (Ended::default(), AtomicBool::new(false));
        let done = std::thread::scope(|scope| {
            // Also when it panics: who looks out for the end must not wait for ever.
            let _at_end = SetAtEnd(&over);
            // Without it a run that is asked to end does so when what was read is sent.
            drop(start(scope, || given_up.store(see_to_end(run, pace, &link, &over), Ordering::SeqCst)));
            start(scope, || {
                let _worker = measured.worker(Stage::Listen);
                link.listen();
            })?;
            // Without it one channel carries all.
            drop(start(scope, || link.steer()));
            let done = self.passes(&link, prepared);
            measured.phase(profile::Phase::Close);
            match &done {
                Ok(summary) => self.part(&link, summary),
                Err(_) => link.abandon(),
            }
            done
        });
        let stored = link.stored_bytes();
        let mut summary = done.map_err(|fault| if given_up.into_inner() { given_up_fault() } else { fault })?;
        let all = link.traffic();
        summary.taken_at_ms = taken_at_ms;
        summary.sent_bytes = all.sent_bytes;
        summary.received_bytes = all.received_bytes;
        summary.stored_bytes = stored;
        Ok(summary)
    }

    /// Says goodbye. The version stands, whether or not that still gets through. It follows the end of the upload, and
    /// what is told of the run, at once, and all are listened for together.
    fn part(&self, link: &Uplink, summary: &BackupSummary) {
        let all = link.traffic();
        let summary =
            BackupSummary { sent_bytes: all.sent_bytes, received_bytes: all.received_bytes, ..summary.clone() };
        let told = self.teller.and_then(|teller| Some((teller, teller.send(link.remote(), &summary)?)));
        link.finish();
        match told {
            Some((teller, sent)) if sent.part(link.remote()) => teller.arrived(),
            Some(_) => {}
            None => drop(link.remote().clone().close()),
        }
    }

    /// The pass, and once more where the guard keeps what is gone or the vault lacks something.
    fn passes(&self, link: &Uplink, prepared: Prepared) -> Result<BackupSummary> {
        let run = &self.account.run;
        run.watcher.event(&Event::Phase(Phase::Send));
        let Prepared { mut sources, starts, missing, mut kept, dropped, configured } = prepared;
        let device = if self.job.dry_run { None } else { Some(self.account.device()?) };
        let mut pass =
            Pass::new(self.account, &self.nodes, link, &self.base, self.job.list_items, device.as_ref(), self.pace);
        let mut heal = Heal::default();
        if device.is_some() {
            heal = Heal::begin(self.account, &sources)?;
            heal.bodies(self.account, link)?;
            pass.wanted = heal.to_look_for(self.account, &self.nodes, link)?;
        }
        let early = if device.is_some() { self.early(&mut pass, &sources)? } else { Counts::default() };
        let ended = pass.run(&sources, starts)?;
        let mut counts = match ended {
            PassEnd::Whole(counts) => *counts,
            PassEnd::Interrupted => return Err(self.interrupted(&pass, &sources)),
        };
        let unread = sources.iter().filter(|source| source.entry().is_none()).count();
        if let (Some(source), true) = (sources.first(), unread == sources.len() && kept.is_empty()) {
            return Err(source.vanished());
        }
        // Of the first pass: another one does not see all of it any more.
        let suspicious = suspicion::judge(self.account, &sources, &self.job.suspicions);
        let seen = suspicion::seen(self.account, &sources, &suspicious);
        let guarded = self.guarded(&sources);
        if !guarded.is_empty() {
            (sources, counts) = self.keep_missing(&mut pass, sources, &guarded)?;
        }
        counts.add_read(&early);
        let mut summary = counts.summary();
        summary.files_removed += dropped.iter().map(|root| root.files).sum::<u64>();
        summary.dirs_removed += dropped.iter().map(|root| root.dirs).sum::<u64>();
        summary.sources_missing = missing + unread as u64;
        let keeping = |at: usize, source: &SourceRun| guarded.contains(&at) || Self::kept_of(source) > 0;
        let keeping = sources.iter().enumerate().filter(|(at, source)| keeping(*at, source)).count();
        summary.sources_guarded = keeping as u64 + kept.len() as u64;
        summary.files_removed += sources.iter().map(|source| source.inner.lost_files()).sum::<u64>();
        let now_ms = self.account.run.clock.now_ms();
        for inner in sources.iter().flat_map(|source| source.inner.kept()) {
            kept.push(SourceRoot { missing_since: inner.missing_since.or(Some(now_ms)), ..inner.clone() });
        }
        summary.source_bytes = sources.iter().filter_map(|s| s.entry()).map(|entry| entry.totals().bytes).sum();
        summary.sources_suspicious = suspicious.len() as u64;
        let Some(device) = &device else { return Ok(summary) };
        run.watcher.event(&Event::Phase(Phase::Commit));
        if !suspicious.is_empty() {
            let limits = &self.job.suspicions;
            summary.pinned_sequence = suspicion::pin_before(self.account, link.remote(), device, limits);
        }
        let left_out = self.left_out(dropped, &sources);
        let (mut rounds, mut again, mut holes) = (0, 0, false);
        let committed = loop {
            run.profile.phase(profile::Phase::Commit);
            let others = (&*kept, &*left_out);
            match publish::version(
                self.account,
                link,
                device,
                &self.base,
                &sources,
                others,
                &self.job,
                &summary,
                holes,
            )? {
                publish::Published::Committed(link) => break link,
                publish::Published::Lacking(Outcome::Lacking { chunks, nodes }) => {
                    // What is below a node that is lacking shows when it is there again.
                    if chunks.is_empty() && rounds < NODE_ROUNDS_MAX && self.send_nodes(link, &nodes)? {
                        rounds += 1;
                    } else if holes {
                        return Err(lacking());
                    } else if heal.was_looked_for(self.account, &chunks, &nodes)? || again == AGAIN_MAX {
                        // No source of this run has it any more, or it is of another source.
                        holes = true;
                    } else {
                        pass.wanted = heal.to_look_for(self.account, &self.nodes, link)?;
                        again += 1;
                        let read = self.look_again(&mut pass, &mut sources, again == AGAIN_MAX)?;
                        summary.read_bytes += read.read_bytes;
                        summary.new_bytes += read.new_bytes;
                        summary.boxed_bytes += read.boxed_bytes;
                    }
                }
                publish::Published::Lacking(_) => return Err(lacking()),
            }
        };
        let roots: Vec<NodeId> = sources.iter().filter_map(|source| source.root()).map(|built| built.id).collect();
        let mounts = self.mounts(&sources, &left_out);
        self.account.change_state(|state| {
            for source in &sources {
                if let Some(root) = source.root() {
                    state.set_own(source.id, root.id, committed.link().sequence);
                }
            }
            if let Some(configured) = configured {
                state.configured = configured;
            }
            state.looks.extend(seen);
            for (id, paths) in mounts {
                state.set_mounts(id, &paths);
            }
        })?;
        self.nodes.keep(&roots)?;
        summary.version_id = Some(committed.link_id().hex());
        summary.sequence = Some(committed.link().sequence);
        heal.end(self.account, &sources, &mut summary)?;
        Ok(summary)
    }

    /// What is remembered of mount points below the sources when the version stands. Tells where that is not all.
    fn mounts(&self, sources: &[Arc<SourceRun>], left_out: &[SourceRoot]) -> Vec<(SourceId, Vec<Vec<u8>>)> {
        let mut mounts: Vec<_> = left_out.iter().map(|root| (root.id, Vec::new())).collect();
        for source in sources.iter().filter(|source| source.root().is_some()) {
            let (paths, more) = source.mounts.remembered();
            if more {
                let path = for_terminal(&source.job.path);
                self.account.run.watcher.event(&Event::Note(&format!(
                    "there are too many mount points below {path}: only the first {} are guarded when they are not mounted",
                    paths.len()
                )));
            }
            mounts.push((source.id, paths));
        }
        mounts
    }

    /// What the new version leaves out, with the sources that are parts of others now. Tells of those.
    fn left_out(&self, dropped: Vec<SourceRoot>, sources: &[Arc<SourceRun>]) -> Vec<SourceRoot> {
        let mut left_out = dropped;
        for source in sources.iter().filter(|source| source.entry().is_some()) {
            for inner in source.inner.met() {
                let (path, outer) = (for_terminal(&inner.path), for_terminal(&source.job.path));
                self.account
                    .run
                    .watcher
                    .event(&Event::Note(&format!("{path} is now stored as a part of {outer}, by the rules of that")));
                left_out.push(inner.clone());
            }
        }
        left_out
    }

    /// Commits what is done as a partial version, for the next run to go on from.
    fn interrupted(&self, pass: &Pass<'_>, sources: &[Arc<SourceRun>]) -> Fault {
        let fault = Fault::new(Code::Interrupted, "the backup was interrupted");
        match pass.commit_partial(sources) {
            Ok(true) => fault.hint("what was done is kept; run the same command again to go on"),
            Ok(false) => fault.hint("run the same command again"),
            Err(why) => fault.because(why).hint("run the same command again"),
        }
    }

    /// Sources of which too much is gone. Tells of each, and of those of which something is still kept.
    fn guarded(&self, sources: &[Arc<SourceRun>]) -> Vec<usize> {
        if self.job.accept_deletions {
            return Vec::new();
        }
        let mut guarded = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            let (lost, had) = scan::losses(source);
            let inner = source.inner.lost_files();
            let (lost, had) = (lost + inner, had + inner);
            let kept = source.kept_files.load(Ordering::Relaxed);
            let all_kept = kept + source.mounts.lost_files();
            let only_kept = source.entry().is_some_and(|entry| entry.totals().files == all_kept);
            let kept = kept + Self::kept_inside(source);
            // It is something else now.
            let replaced = source.before.as_ref().is_some_and(|before| matches!(before.entry.what, What::Dir(_)))
                && source.entry().is_some_and(|entry| !matches!(entry.what, What::Dir(_)));
            let emptied = lost > 0 && lost >= had && (only_kept || replaced);
            let unmounted = source.before.as_ref().is_some_and(|b| b.was_mount_point) && !source.mount.is_mount_root;
            let share = lost.saturating_mul(1000) > had.saturating_mul(self.job.guard_share_permille.into());
            let path = for_terminal(&source.job.path);
            let expired = source.expired_files.load(Ordering::Relaxed);
            if expired > 0 {
                self.account.run.watcher.event(&Event::Note(&format!(
                    "{expired} files of {path} were missing for as long as `protect_missing` says; they are recorded as removed"
                )));
            }
            for (below, lost, had) in source.mounts.losses() {
                let path = source.path_of(&below);
                let shown = for_terminal(&path);
                self.tell_kept(path, format!("{lost} of {had} files of {shown} are gone{UNMOUNTED}; they are kept"));
            }
            let told = if emptied || (unmounted && lost > 0) || (share && lost > self.job.guard_min) {
                guarded.push(at);
                let what = if unmounted { UNMOUNTED } else { "" };
                format!("{lost} of {had} files of {path} are gone{what}; they are kept")
            } else if kept > 0 {
                format!("{kept} files of {path} are still missing; they are kept")
            } else {
                continue;
            };
            self.tell_kept(source.job.path.clone(), told);
        }
        guarded
    }

    fn tell_kept(&self, path: Vec<u8>, told: String) {
        self.account.run.watcher.event(&Event::Warning(
            &Fault::new(Code::GuardMassDeletion, told)
                .hint("if that is right: the same command with --accept-deletions")
                .path(path),
        ));
    }

    /// Files of a source, and of those inside of it, that are not there and are kept.
    fn kept_of(source: &SourceRun) -> u64 {
        let kept = source.kept_files.load(Ordering::Relaxed) + source.mounts.lost_files();
        kept + Self::kept_inside(source)
    }

    /// The same of sources inside of it alone.
    fn kept_inside(source: &SourceRun) -> u64 {
        source.inner.kept().map(|root| root.files).sum()
    }

    /// A second pass over guarded sources that keeps what is gone, marked as missing.
    fn keep_missing(
        &self,
        pass: &mut Pass<'_>,
        sources: Vec<Arc<SourceRun>>,
        guarded: &[usize],
    ) -> Result<(Vec<Arc<SourceRun>>, Counts)> {
        let now_s = u64::try_from(self.account.run.clock.now_ms() / 1000).unwrap_or(0);
        let again: Vec<Arc<SourceRun>> = sources
            .iter()
            .enumerate()
            .map(|(at, source)| {
                let keep = guarded.contains(&at).then_some(now_s);
                Arc::new(source.again(keep, true))
            })
            .collect();
        let starts = prepare::starts(&again)?;
        match pass.run(&again, starts)? {
            PassEnd::Whole(counts) => Ok((again, *counts)),
            PassEnd::Interrupted => Err(self.interrupted(pass, &again)),
        }
    }

    /// The vault lacks nodes that this machine took for known: they are sent again from the cache. False when they are
    /// not in it.
    fn send_nodes(&self, link: &Uplink, nodes: &[u8]) -> Result<bool> {
        let (ids, _) = nodes.as_chunks::<32>();
        let Ok(raw) = ids.iter().map(|id| self.nodes.raw(&NodeId::new(*id))).collect::<Result<Vec<_>>>() else {
            return Ok(false);
        };
        let mut scratch = store::seal::Scratch::new();
        for some in raw.chunks(64) {
            link.put(self.account.sealer.seal_group(&mut scratch, some, true)?)?;
        }
        Ok(!raw.is_empty())
    }

    /// The vault lacks what this machine took for known: the files that have it are read again and its nodes made
    /// again; in the end every file and every node.
    fn look_again(
        &self,
        pass: &mut Pass<'_>,
        sources: &mut Vec<Arc<SourceRun>>,
        everything: bool,
    ) -> Result<BackupSummary> {
        let again: Vec<Arc<SourceRun>> =
            sources.iter().map(|source| Arc::new(source.again(source.keep_missing, !everything))).collect();
        let starts = prepare::starts(&again)?;
        let ended = if everything { pass.run_knowing_nothing(&again, starts)? } else { pass.run(&again, starts)? };
        match ended {
            PassEnd::Whole(counts) => {
                for (old, new) in sources.iter().zip(&again) {
                    new.removed_files.store(old.removed_files.load(Ordering::Relaxed), Ordering::Relaxed);
                }
                *sources = again;
                Ok(counts.summary())
            }
            PassEnd::Interrupted => Err(self.interrupted(pass, &again)),
        }
    }
}
