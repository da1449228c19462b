//! One pass over all sources: starts the stages, closes the arrows in order, and meanwhile tells progress and makes
//! checkpoints.

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use store::door::Millis;
use store::seal::{DeviceKey, Level};
use store::tree::{CutClass, Entry, Facts, What, build_root};

use super::ask::{self, QUESTIONS_MAX};
use super::counts::Counts;
use super::early::Hushed;
use super::flow::{Flow, FlowParts, Hashed};
use super::prepare::{Base, Start};
use super::publish::{self, Published};
use super::read::Reader;
use super::scan::{Scanner, Stack};
use super::seal::{Style, seal};
use super::ship::ship;
use super::source_run::SourceRun;
use super::suspicion;
use super::totals::Totals;
use crate::engine::account::Account;
use crate::engine::cache::NodeCache;
use crate::engine::crew::start;
use crate::engine::job::StdinJob;
use crate::engine::own::Own;
use crate::engine::queue::{Queue, lock};
use crate::engine::uplink::Uplink;
use crate::engine::wanted::Wanted;
use crate::event::{Event, Progress, Watcher};
use crate::fault::Result;
use crate::profile::{Phase, Stage, Wait, did, waiting};
use crate::source::Owners;

/// When things are done that a run does every now and then.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A checkpoint is made after so long …
    pub checkpoint_ms: Millis,
    /// … or so many bytes read …
    pub checkpoint_bytes: u64,
    /// … or so many files, as it is their number that a commit's time and memory grow with: while one is made, the others
    /// are read on, and the last has little left to do.
    pub checkpoint_files: u64,
    /// Progress is told so often, in milliseconds, and the end that was asked for is seen so soon.
    pub tell_ms: u64,
    /// So long a run that was asked to end goes on sending what it has read.
    pub ending_ms: Millis,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            checkpoint_ms: 60_000,
            checkpoint_bytes: 1 << 30,
            checkpoint_files: 100_000,
            tell_ms: 200,
            ending_ms: 10_000,
        }
    }
}

/// Threads that scan: metadata from a warm cache keeps two busy, and a slow disk is better for a few questions at once.
const SCANNERS: usize = 2;

/// Bytes that are still to be sent when a pass has ended, and on which nobody waits to tell of them.
const UNSENT_FEW: u64 = 64 << 10;
/// Between two looks at more of them, milliseconds.
const UNSENT_LOOK_MS: u64 = 5;

/// How a pass ended.
pub enum PassEnd {
    /// Every source is whole.
    Whole(Box<Counts>),
    /// It was asked to end early.
    Interrupted,
}

/// What passes share.
pub struct Pass<'a> {
    account: &'a Account,
    nodes: &'a NodeCache,
    link: &'a Uplink,
    base: &'a Base,
    list_items: bool,
    device: Option<&'a DeviceKey>,
    pace: Pace,
    owners: Owners,
    own: Own,
    /// What the vault has lost.
    pub wanted: Wanted,
}

impl<'a> Pass<'a> {
    /// Passes of one run. Without a device nothing is stored: a dry run.
    pub fn new(
        account: &'a Account,
        nodes: &'a NodeCache,
        link: &'a Uplink,
        base: &'a Base,
        list_items: bool,
        device: Option<&'a DeviceKey>,
        pace: Pace,
    ) -> Self {
        let (owners, own, wanted) = (Owners::new(), Own::of(account), Wanted::default());
        Self { account, nodes, link, base, list_items, device, pace, owners, own, wanted }
    }

    /// Runs one pass.
    pub fn run(&mut self, sources: &[Arc<SourceRun>], starts: Vec<Start>) -> Result<PassEnd> {
        self.run_with(sources, starts, false, &*self.account.run.watcher)
    }

    /// The same for what goes before the rest, without a word of single files.
    pub fn run_early(&mut self, sources: &[Arc<SourceRun>], starts: Vec<Start>) -> Result<PassEnd> {
        self.run_with(sources, starts, false, &Hushed(Arc::clone(&self.account.run.watcher)))
    }

    /// The same, taking no node for known: the vault lost some.
    pub fn run_knowing_nothing(&mut self, sources: &[Arc<SourceRun>], starts: Vec<Start>) -> Result<PassEnd> {
        self.run_with(sources, starts, true, &*self.account.run.watcher)
    }

    fn run_with(
        &self,
        sources: &[Arc<SourceRun>],
        starts: Vec<Start>,
        nothing_known: bool,
        watcher: &dyn Watcher,
    ) -> Result<PassEnd> {
        let run = &self.account.run;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        run.profile.phase(Phase::Send);
        if self.device.is_some() {
            self.link.begin()?;
        }
        let flow = Flow::new(FlowParts {
            keyring: &self.account.keyring,
            sealer: &self.account.sealer,
            tree_keys: self.account.keys.tree(),
            nodes: self.nodes,
            nothing_known,
            wanted: &self.wanted,
            own: &self.own,
            owners: &self.owners,
            clock: &*run.clock,
            watcher,
            stop: &run.stop,
            profile: &run.profile,
            list_items: self.list_items,
            cores,
        });
        let ended = Ended::default();
        let stack = Stack::default();
        let totals = Totals::default();
        let this = self;
        std::thread::scope(|scope| {
            if flow.watcher.wants_totals() {
                // Without totals it goes as well.
                drop(start(scope, || {
                    let _worker = run.profile.worker(Stage::Count);
                    totals.count(&flow, sources);
                }));
            }
            // Also when it panics or does not start: who accompanies it must not wait for ever.
            let at_end = SetAtEnd(&ended);
            let (flow, stack) = (&flow, &stack);
            flow.guarded(|| {
                start(scope, move || {
                    let _ended = at_end;
                    flow.guarded(|| this.stages(flow, stack, sources, starts, cores));
                })
                .map(drop)
            });
            let _worker = run.profile.worker(Stage::Checkpoint);
            this.accompany(flow, stack, &ended, &totals, sources);
        });
        sources.iter().for_each(|source| source.let_go());
        flow.trouble()?;
        if run.stop.asked() && sources.iter().any(|source| source.entry().is_none()) {
            return Ok(PassEnd::Interrupted);
        }
        Ok(PassEnd::Whole(Box::new(flow.counts)))
    }

    /// Starts all stages and closes the arrows, first to last.
    fn stages<'f>(
        &'f self,
        flow: &'f Flow<'f>,
        stack: &'f Stack<'f>,
        sources: &[Arc<SourceRun>],
        starts: Vec<Start>,
        cores: usize,
    ) -> Result<()> {
        let waiting = Queue::new(QUESTIONS_MAX);
        let style = Style { level: Level::Auto, padded: true };
        let link = self.device.map(|_| self.link);
        std::thread::scope(|scope| {
            // A stage that does not start ends the run, and so all others.
            let started = |thread: Result<_>| thread.map_err(|fault| flow.fail(fault)).ok();
            let readers: Vec<_> = (0..cores)
                .filter_map(|_| started(start(scope, || flow.stage(Stage::Read, || Reader::new(flow).run()))))
                .collect();
            let asker = started(start(scope, || {
                flow.stage(Stage::Ask, || ask::ask(flow, self.link, &waiting));
                waiting.close();
            }));
            let filler = started(start(scope, || {
                flow.stage(Stage::Fill, || ask::fill_boxes(flow, self.link, &waiting));
                // When it failed, the asker must not wait for room.
                waiting.abandon();
            }));
            if asker.is_none() || filler.is_none() {
                waiting.abandon();
            }
            let sealers: Vec<_> = (0..cores)
                .filter_map(|_| started(start(scope, || flow.stage(Stage::Seal, || seal(flow, style)))))
                .collect();
            let shipper = started(start(scope, || flow.stage(Stage::Ship, || ship(flow, link))));

            flow.guarded(|| scan(flow, stack, sources, starts));
            flow.parcels.close();
            join(readers);
            flow.guarded(|| roots(flow, sources));
            flow.hashed.close();
            join(asker.into_iter().chain(filler));
            flow.flush_group();
            flow.seals.close();
            join(sealers);
            flow.ship.close();
            join(shipper);
        });
        Ok(())
    }

    /// Tells progress and makes checkpoints until the stages have ended.
    fn accompany(
        &self,
        flow: &Flow<'_>,
        stack: &Stack<'_>,
        ended: &Ended,
        totals: &Totals,
        sources: &[Arc<SourceRun>],
    ) {
        let clock = flow.clock;
        let (mut last_ms, mut last_bytes, mut last_files) = (clock.monotonic_ms(), 0, 0);
        let mut begun: Option<Checkpoint> = None;
        while !ended.wait(self.pace.tell_ms) {
            self.tell(flow, totals);
            if flow.ending() {
                // Scanners that wait for room, or for a directory, end now; what was read is still stored.
                flow.parcels.abandon();
                stack.wake();
                continue;
            }
            if let Some(checkpoint) = begun.take() {
                flow.guarded(|| {
                    begun = self.go_on(flow, checkpoint)?;
                    Ok(())
                });
                continue;
            }
            let (read, files) = (flow.counts.read_bytes.get(), flow.counts.files_opened.get());
            let pace = &self.pace;
            let due = clock.monotonic_ms() - last_ms >= pace.checkpoint_ms
                || read - last_bytes >= pace.checkpoint_bytes
                || files - last_files >= pace.checkpoint_files;
            if due && self.device.is_some() && read > last_bytes {
                (last_ms, last_bytes, last_files) = (clock.monotonic_ms(), read, files);
                flow.guarded(|| {
                    begun = self.checkpoint(flow, sources)?;
                    Ok(())
                });
            }
        }
        // Nothing that comes next goes out before it. A little is not worth a look.
        while self.link.unsent_bytes() > UNSENT_FEW && !flow.has_failed() {
            // Nothing is put any more that would see to what is lost with a stripe now.
            flow.guarded(|| self.link.rescue());
            self.tell(flow, totals);
            ended.pause(self.pace.tell_ms.min(UNSENT_LOOK_MS));
        }
        self.tell(flow, totals);
    }

    fn tell(&self, flow: &Flow<'_>, totals: &Totals) {
        let traffic = self.link.traffic();
        let counts = &flow.counts;
        flow.watcher.event(&Event::Progress(&Progress {
            files_done: counts.files_done.get(),
            files_total: totals.get().map(|(files, _)| files),
            bytes_done: counts.through(self.link.unsent_bytes()),
            bytes_total: totals.get().map(|(_, bytes)| bytes),
            sent_bytes: traffic.sent_bytes,
            received_bytes: traffic.received_bytes,
            errors: counts.errors.get(),
        }));
    }

    /// Notes what is done by now, to be committed as a partial version when all of it is with the server. Reading
    /// goes on meanwhile.
    fn checkpoint(&self, flow: &Flow<'_>, sources: &[Arc<SourceRun>]) -> Result<Option<Checkpoint>> {
        let mut roots = Vec::new();
        for source in sources {
            if let Some(entry) = source.snapshot(flow)? {
                let built = build_root(flow.tree_keys(), &entry)?;
                flow.emit(built.clone());
                roots.push((Arc::clone(source), built, entry));
            }
        }
        if roots.is_empty() {
            return Ok(None);
        }
        self.go_on(flow, Checkpoint { epoch: flow.epochs.turn(), roots, looks: 0 })
    }

    /// Commits a checkpoint when all of it is with the server. Otherwise pushes what is held back, which may be a
    /// batch that came later, and gives the checkpoint back.
    fn go_on(&self, flow: &Flow<'_>, mut checkpoint: Checkpoint) -> Result<Option<Checkpoint>> {
        if !flow.epochs.is_over(checkpoint.epoch) {
            checkpoint.looks += 1;
            // Seldom: each time makes a box and a group that are smaller than they might be.
            if checkpoint.looks.is_power_of_two() {
                flow.flush_group();
                // Without room something is on its way, and this comes again.
                flow.hashed.try_push(Hashed::Flush);
            }
            return Ok(Some(checkpoint));
        }
        if let Some(device) = self.device
            && let Some(sequence) = self.publish_partial(device, &checkpoint.roots)?
        {
            did(1, 0);
            flow.watcher.event(&Event::Detail(&format!("checkpoint: partial version {sequence}")));
        }
        Ok(None)
    }

    /// Gives the number of the link. `None` when the vault lacks something.
    fn publish_partial(
        &self,
        device: &DeviceKey,
        roots: &[(Arc<SourceRun>, store::tree::Built, Entry)],
    ) -> Result<Option<u64>> {
        // What is lost may be of another source; a checkpoint is not kept from being by that.
        let holes = !self.wanted.is_empty();
        match publish::partial(self.account, self.link, device, self.base, roots, holes)? {
            Published::Committed(link) => {
                let sequence = link.link().sequence;
                self.account.change_state(|state| {
                    // What is taken over from a version that is not our own does not become our own by that.
                    for (source, built, _) in roots.iter().filter(|(source, ..)| source.is_ours()) {
                        let whole = source.before.as_ref().map(|before| before.root);
                        state.set_unfinished(source.id, built.id, sequence, whole, suspicion::looked(source));
                    }
                })?;
                // The version before is what the next run is compared with.
                let whole = roots.iter().filter_map(|(source, ..)| Some(source.before.as_ref()?.root));
                let ids: Vec<_> = roots.iter().map(|(_, built, _)| built.id).chain(whole).collect();
                self.nodes.keep(&ids)?;
                Ok(Some(sequence))
            }
            // The final commit finds out what to send again; a checkpoint is only an offer.
            Published::Lacking(_) => Ok(None),
        }
    }

    /// After an interruption: commits the roots as far as they were done. False when there is nothing.
    pub fn commit_partial(&self, sources: &[Arc<SourceRun>]) -> Result<bool> {
        let Some(device) = self.device else { return Ok(false) };
        let mut roots = Vec::new();
        for source in sources {
            if let (Some(built), Some(entry)) = (source.root(), source.entry_so_far()) {
                roots.push((Arc::clone(source), built, entry));
            }
        }
        if roots.is_empty() { Ok(false) } else { Ok(self.publish_partial(device, &roots)?.is_some()) }
    }
}

/// A partial version of which something is still on its way.
struct Checkpoint {
    /// What belongs to it was read in this epoch or before.
    epoch: u64,
    roots: Vec<(Arc<SourceRun>, store::tree::Built, Entry)>,
    /// Times that it was looked at.
    looks: u32,
}

/// Puts every source on the stack and scans until nothing is left.
fn scan<'f>(flow: &'f Flow<'f>, stack: &'f Stack<'f>, sources: &[Arc<SourceRun>], starts: Vec<Start>) -> Result<()> {
    let worker = flow.profile.worker(Stage::Scan);
    let mut first = Scanner::new(flow, stack);
    for (source, start) in sources.iter().zip(starts).rev() {
        match start {
            Start::Dir(dir, stat, name) => first.begin_dir(source, dir, &name, &stat)?,
            Start::Name(dir, stat, name) => first.begin_name(source, Arc::new(dir), &name, &stat)?,
            Start::Stdin(stdin) => read_stdin(flow, source, stdin)?,
        }
    }
    std::thread::scope(|scope| {
        for _ in 1..SCANNERS {
            // One does it all, only slower.
            drop(start(scope, || flow.stage(Stage::Scan, || Scanner::new(flow, stack).run())));
        }
        flow.guarded(|| first.run());
        drop(worker);
    });
    Ok(())
}

fn read_stdin(flow: &Flow<'_>, source: &Arc<SourceRun>, mut stdin: StdinJob) -> Result<()> {
    let _worker = flow.profile.worker(Stage::Read);
    let (content, cut, size) = Reader::new(flow).stream(&mut *stdin.reader)?;
    did(1, size);
    let now = flow.clock.now_ns();
    let (secs, nanos) = (now.div_euclid(1_000_000_000), now.rem_euclid(1_000_000_000));
    let mtime = store::tree::Time { secs: i64::try_from(secs).unwrap_or(0), nanos: u32::try_from(nanos).unwrap_or(0) };
    let name = stdin.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let entry = Entry {
        name: name.into(),
        what: What::File { size, content, cut: if size == 0 { CutClass::Whole } else { cut } },
        mode: 0o600,
        owner: flow.owners.owner(uid, gid),
        mtime,
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts { ctime: mtime, ..Facts::default() },
    };
    let before = source.before.as_ref().map(|before| &before.entry);
    let action = flow.counts.file(before, &entry);
    flow.item(action, || source.job.path.clone(), size, None);
    source.finish(Box::new(entry));
    Ok(())
}

/// Root nodes: of whole sources, or after an interruption as far as they are done.
fn roots(flow: &Flow<'_>, sources: &[Arc<SourceRun>]) -> Result<()> {
    for source in sources {
        let entry = if flow.ending() { source.snapshot(flow)? } else { source.entry() };
        // None of a single file that could not be read and never was: the warning has been told, others go on.
        if let Some(entry) = entry {
            let built = build_root(flow.tree_keys(), &entry)?;
            flow.emit(built.clone());
            source.set_root(built, entry);
        }
    }
    Ok(())
}

/// Waits for threads; a thread that panicked has failed the run.
fn join<'s>(threads: impl IntoIterator<Item = std::thread::ScopedJoinHandle<'s, ()>>) {
    for thread in threads {
        // A panic is carried on by the scope.
        drop(thread.join());
    }
}

/// Says so when it is dropped.
pub(super) struct SetAtEnd<'e>(pub(super) &'e Ended);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Says that something has ended: the stages of a pass, or all passes.
#[derive(Default)]
pub(super) struct Ended {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Ended {
    fn set(&self) {
        *lock(&self.flag) = true;
        self.changed.notify_all();
    }

    /// Waits so many milliseconds.
    fn pause(&self, ms: u64) {
        let waited = waiting(Wait::Room, || self.changed.wait_timeout(lock(&self.flag), Duration::from_millis(ms)));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits up to so many milliseconds; true when it is set.
    pub(super) fn wait(&self, ms: u64) -> bool {
        let guard = lock(&self.flag);
        if *guard {
            return true;
        }
        let waited = waiting(Wait::Input, || self.changed.wait_timeout(guard, Duration::from_millis(ms)));
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
