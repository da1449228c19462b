//! What all stages of a restore share: the arrows between them, the figures, the first thing that went wrong.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use jiff::civil::DateTime;
use store::record::Record;
use store::seal::Sealer;
use store::tree::{Entry, Kind, NodeSource};

use super::Parts;
use super::clear::{NAMED_MAX, Rules};
use super::fetch::Fetcher;
use super::filter::Filter;
use super::item::{First, Item};
use super::place::{Finish, Place, Places};
use super::window::{IN_FLIGHT_MAX, Use, Wants, Window};
use crate::engine::job::{Overwrite, RestoreSummary, Stop};
use crate::engine::queue::{Budget, Permit, Queue, lock, wait};
use crate::event::{Action, Event, Progress, Watcher};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::profile::{Profile, Stage, Wait};
use crate::source::Stat;
use crate::target::{Rights, finish_dir, finish_flags};

/// Boxes and bundles of items that wait to be written …
const WORK_MAX: usize = 16;
/// … and bytes of such boxes, for each writer: what does not shrink is a little more than that, and one waits besides.
const BOX_BYTES_EACH: usize = 2 << 20;

/// What the writing stage does.
pub enum Work {
    /// Open a box, write its chunks.
    Box(Box<Record>, Arc<Window>, Permit),
    /// Write what needs no chunks.
    Items(Vec<Arc<Item>>),
    /// Give these items the file of another name.
    Links(Arc<First>, Vec<Arc<Item>>),
}

/// Figures of a run.
#[derive(Default)]
pub struct Counts {
    /// Names written.
    pub restored: AtomicU64,
    /// Of these, names that took the place of something else.
    pub replaced: AtomicU64,
    /// Names left as they are.
    pub kept: AtomicU64,
    /// Names removed.
    pub deleted: AtomicU64,
    /// Names that were not restored as they should be.
    pub skipped: AtomicU64,
    /// Of these, names whose data is missing or altered in the vault.
    pub damaged: AtomicU64,
    /// Of these, names that were written with holes.
    pub holed: AtomicU64,
    /// Names read back and equal.
    pub verified: AtomicU64,
    /// Directories made or set right.
    pub dirs: AtomicU64,
    /// Bytes of files written.
    pub restored_bytes: AtomicU64,
    /// Bytes of files left as they are.
    pub kept_bytes: AtomicU64,
    /// Names that were written beside what stood there.
    pub beside: AtomicU64,
    /// Names dealt with.
    pub done: AtomicU64,
    /// Their bytes.
    pub done_bytes: AtomicU64,
    /// Things that went wrong.
    pub errors: AtomicU64,
}

/// Adds to a figure.
pub fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// The end was asked for.
pub fn interrupted() -> Fault {
    Fault::new(Code::Interrupted, "the restore was interrupted")
        .hint("run the same command again: what is there already is not written again")
}

/// A file with holes has the size and the time that it had.
const HOLES_STAY: &str =
    "should the vault have them again, restore it with `--overwrite always`: by its size and time it passes for whole";

/// Others may enter a directory that was made on the way, as one that `mkdir` makes.
const OTHERS_ENTER: u16 = 0o755;

/// What a run is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What to do with what is there.
    pub overwrite: Overwrite,
    /// Remove what is not in the version.
    pub delete: bool,
    /// Write nothing.
    pub dry_run: bool,
    /// What is restored goes where it was.
    pub in_place: bool,
    /// Tell each name.
    pub list_items: bool,
    /// Leave holes where the vault has lost something.
    pub with_holes: bool,
    /// Names in all.
    pub files_total: Option<u64>,
    /// Their bytes.
    pub bytes_total: Option<u64>,
}

/// What all stages share.
pub struct Flow<'a> {
    /// Opens boxes.
    pub sealer: &'a Sealer,
    /// The nodes of the version.
    pub nodes: &'a (dyn NodeSource + Sync),
    /// Counts what is on the wire.
    pub fetcher: &'a dyn Fetcher,
    /// Hears what happens.
    pub watcher: &'a dyn Watcher,
    /// Says when to end early.
    pub stop: &'a Stop,
    /// Measures the stages.
    pub profile: &'a Profile,
    /// The version's number.
    sequence: u64,
    /// When the version was received, by the clocks here: names beside others have it.
    pub moment: DateTime,
    /// What is wanted.
    pub options: Options,
    /// What is taken.
    pub filter: &'a Filter,
    /// What backups leave out, so that `--delete` does.
    pub rules: &'a Rules,
    /// The first paths that were removed, or would be.
    pub deleted: Mutex<Vec<Vec<u8>>>,
    /// Who restores.
    pub rights: Rights,
    /// Figures.
    pub counts: Counts,
    /// Chunks that are waited for.
    pub wants: Wants,
    /// plan → fetch
    pub windows: Queue<Arc<Window>>,
    /// plan, fetch → write
    pub work: Queue<Work>,
    /// Bytes of boxes in it, and of those that are being opened.
    pub boxes: Arc<Budget>,
    /// Names that could not be linked: the planner writes them by themselves.
    pub late: Mutex<Vec<Arc<Item>>>,
    /// Paths that were not restored, not to be told once more by the verification.
    pub failed_paths: Mutex<HashSet<Vec<u8>>>,
    /// Paths that were restored with holes: the verification knows of them.
    pub holed_paths: Mutex<HashSet<Vec<u8>>>,
    /// Files of several names with flags that forbid a further name.
    flagged: Mutex<Vec<(Arc<Place>, Entry)>>,
    /// Windows on their way.
    windows_under_way: Mutex<usize>,
    /// Items on their way.
    items_under_way: AtomicU64,
    /// A window has ended, or the last item.
    less: Condvar,
    trouble: Mutex<Option<Fault>>,
    failed: AtomicBool,
    /// Directories. The last to go: what is not finished is removed from them before.
    pub places: Places,
}

impl<'a> Flow<'a> {
    /// A flow with empty queues, for so many writers.
    pub fn new(parts: &Parts<'a>, options: Options, writers: usize) -> Self {
        let Parts { sealer, nodes, fetcher, watcher, stop, profile, sequence, moment, filter, rules } = *parts;
        Self {
            sealer,
            nodes,
            fetcher,
            watcher,
            stop,
            profile,
            sequence,
            moment,
            options,
            filter,
            rules,
            deleted: Mutex::default(),
            rights: Rights::detect(),
            places: Places::default(),
            counts: Counts::default(),
            wants: Wants::default(),
            windows: Queue::new(IN_FLIGHT_MAX),
            work: Queue::new(WORK_MAX),
            boxes: Budget::new(writers.saturating_add(2).saturating_mul(BOX_BYTES_EACH)),
            late: Mutex::default(),
            failed_paths: Mutex::default(),
            holed_paths: Mutex::default(),
            flagged: Mutex::default(),
            windows_under_way: Mutex::default(),
            items_under_way: AtomicU64::new(0),
            less: Condvar::new(),
            trouble: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    // ---- windows and items under way ----------------------------------------------------------------------------

    /// Sends a window to be asked for, when fewer than may be are in flight.
    pub fn send_window(&self, window: Arc<Window>) {
        let mut under_way = lock(&self.windows_under_way);
        while *under_way >= IN_FLIGHT_MAX && !self.has_failed() {
            under_way = wait(&self.less, under_way, Wait::Room);
        }
        *under_way += 1;
        drop(under_way);
        // A closed queue means that the run has failed already; the reason is kept.
        drop(self.windows.push(window));
    }

    /// The answer for a window has ended, or a box of it is dealt with.
    pub fn window_ended(&self, window: &Window) {
        if !window.let_go() {
            return;
        }
        for missing in self.wants.take_missing(window, window.ids()) {
            self.piece_lost(&missing, damaged("its data is missing in the vault"));
        }
        *lock(&self.windows_under_way) -= 1;
        self.less.notify_all();
    }

    /// An item begins.
    pub fn item_begins(&self) {
        self.items_under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until nothing is under way. False when the run has failed.
    pub fn wait_for_all(&self) -> bool {
        let mut windows = lock(&self.windows_under_way);
        while (*windows > 0 || self.items_under_way.load(Ordering::Acquire) > 0) && !self.has_failed() {
            windows = wait(&self.less, windows, Wait::Room);
        }
        !self.has_failed()
    }

    // ---- the end of items and places ----------------------------------------------------------------------------

    /// A piece of a file is written, or the planner has told all of them.
    pub fn part_done(&self, item: &Arc<Item>) {
        if item.let_go() {
            super::write::finish_file(self, item);
        }
    }

    /// A piece of a file cannot be had: it costs the file, or is a hole in it.
    pub fn piece_lost(&self, piece: &Use, fault: Fault) {
        if self.options.with_holes {
            lock(&piece.item.lost).add(piece.offset, piece.len.into());
        } else {
            piece.item.fail(fault.hint(self.what_is_left()));
        }
        self.part_done(&piece.item);
    }

    /// How what is left of a damaged file is restored.
    pub fn what_is_left(&self) -> String {
        let number = self.sequence;
        format!(
            "an older version of it may be whole: --at previous; what is left of this one: \
             tuckbox restore --at no.{number} --with-holes PATH --to DIR; all that is lost: tuckbox check"
        )
    }

    /// A name is done; what was not permitted is told.
    pub fn item_done(&self, item: &Arc<Item>, outcome: std::io::Result<Vec<Fault>>) {
        match outcome {
            Ok(faults) => self.item_restored(item, faults),
            Err(error) => self.item_failed(item, failure(&item.path(), error)),
        }
        self.item_ended(item);
    }

    /// Nothing more happens to an item.
    pub fn item_ended(&self, item: &Item) {
        if item.place.let_go() {
            self.place_done(&item.place);
        }
        self.item_left();
    }

    fn item_restored(&self, item: &Arc<Item>, faults: Vec<Fault>) {
        if item.entry.facts.link.is_some() && item.entry.flags != 0 {
            lock(&self.flagged).push((Arc::clone(&item.place), item.entry.clone()));
        }
        add(&self.counts.restored, 1);
        add(&self.counts.replaced, u64::from(item.replace));
        let lost = lock(&item.lost).clone();
        add(&self.counts.restored_bytes, item.size().saturating_sub(lost.bytes()));
        self.dealt_with(1, item.size());
        add(&self.counts.skipped, u64::from(!faults.is_empty() || !lost.is_empty()));
        if !lost.is_empty() {
            add(&self.counts.damaged, 1);
            add(&self.counts.holed, 1);
            let path = item.path();
            lock(&self.holed_paths).insert(path.clone());
            let text = format!("{}; zeros stand in their place", lost.told(item.size()));
            self.warn(about(&path, Fault::new(Code::DataDamaged, text).hint(HOLES_STAY)));
        }
        if !faults.is_empty() {
            let path = item.path();
            faults.into_iter().for_each(|fault| self.warn(about(&path, fault)));
        }
        self.told(Action::Restored, || item.path(), item.size());
    }

    /// A name could not be restored.
    pub fn item_failed(&self, item: &Item, fault: Fault) {
        if matches!(fault.code, Code::DiskFull) {
            self.fail(fault);
            return;
        }
        add(&self.counts.skipped, 1);
        self.dealt_with(1, item.size());
        add(&self.counts.damaged, u64::from(fault.code == Code::DataDamaged));
        let path = item.path();
        lock(&self.failed_paths).insert(path.clone());
        self.warn(fault.path(path));
    }

    /// An item could not be linked or waits for a name that failed: the planner writes it by itself.
    pub fn item_late(&self, item: Arc<Item>) {
        lock(&self.late).push(item);
        self.item_left();
    }

    /// Wakes the planner only for the last one: it need not hear of each file.
    fn item_left(&self) {
        if self.items_under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            drop(lock(&self.windows_under_way));
            self.less.notify_all();
        }
    }

    /// Nothing more is under way in a place: it gets its metadata, and then perhaps the one above.
    pub fn place_done(&self, place: &Arc<Place>) {
        let mut place = place;
        loop {
            if !self.has_failed() {
                self.finish_place(place);
            }
            self.places.forget(place);
            match place.above() {
                Some(above) if above.let_go() => place = above,
                _ => return,
            }
        }
    }

    fn finish_place(&self, place: &Arc<Place>) {
        let had = self.places.had(place);
        let faults = match &place.finish {
            Finish::Leave => match had.map(|mode| self.places.open(place).and_then(|dir| dir.permit(mode))) {
                None | Some(Ok(())) => return,
                Some(Err(error)) => {
                    vec![Fault::new(Code::RestoreSkipped, "permissions not restored").because(error)]
                }
            },
            Finish::Open => match self.places.open(place).and_then(|dir| dir.permit(OTHERS_ENTER)) {
                Ok(()) => Vec::new(),
                Err(error) => vec![Fault::new(Code::RestoreSkipped, "permissions not restored").because(error)],
            },
            Finish::Entry(entry) => match self.places.open(place) {
                Ok(dir) => finish_dir(&dir, entry, &self.rights),
                Err(error) => vec![Fault::new(Code::RestoreSkipped, "metadata not restored").because(error)],
            },
        };
        add(&self.counts.dirs, 1);
        if !faults.is_empty() {
            add(&self.counts.skipped, 1);
            let path = place.path();
            faults.into_iter().for_each(|fault| self.warn(about(&path, fault)));
        }
    }

    /// Sets the flags that had to wait for all names of their files.
    pub fn finish_flagged(&self) {
        for (place, entry) in std::mem::take(&mut *lock(&self.flagged)) {
            self.set_flags(&place, &entry);
        }
    }

    fn set_flags(&self, place: &Arc<Place>, entry: &Entry) {
        let faults = match self.places.open(place) {
            Ok(dir) => finish_flags(&dir, &entry.name, entry),
            Err(error) => vec![Fault::new(Code::RestoreSkipped, "inode flags not restored").because(error)],
        };
        let path = place.path_of(&entry.name);
        faults.into_iter().for_each(|fault| self.warn(about(&path, fault)));
    }

    /// A file that stands there as it should may lack its flags: they come last, and an earlier run may have ended before.
    pub fn flags_of_kept(&self, place: &Arc<Place>, stat: &Stat, entry: &Entry) {
        let by_default = self.options.overwrite == Overwrite::IfChanged && !self.options.dry_run;
        if !by_default || entry.what.kind() != Kind::File || entry.flags & !stat.flags == 0 {
            return;
        }
        match entry.facts.link {
            Some(_) => lock(&self.flagged).push((Arc::clone(place), entry.clone())),
            None => self.set_flags(place, entry),
        }
    }

    // ---- telling ------------------------------------------------------------------------------------------------

    /// Something is odd or was left out; the run goes on.
    pub fn warn(&self, fault: Fault) {
        add(&self.counts.errors, 1);
        self.watcher.event(&Event::Warning(&fault));
    }

    /// What became of a name, when somebody wants to hear it.
    pub fn told(&self, action: Action, path: impl FnOnce() -> Vec<u8>, size: u64) {
        if self.options.list_items {
            self.watcher.event(&Event::Item { action, path: &path(), size, reason: None });
        }
    }

    /// Names more that need no further work, and their bytes.
    pub fn dealt_with(&self, files: u64, bytes: u64) {
        add(&self.counts.done, files);
        add(&self.counts.done_bytes, bytes);
    }

    /// How far the run is.
    pub fn progress(&self) {
        let counts = &self.counts;
        let (sent_bytes, received_bytes) = self.fetcher.traffic();
        self.watcher.event(&Event::Progress(&Progress {
            files_done: get(&counts.done),
            files_total: self.options.files_total,
            bytes_done: get(&counts.done_bytes),
            bytes_total: self.options.bytes_total,
            sent_bytes,
            received_bytes,
            errors: get(&counts.errors),
        }));
    }

    /// Adds the figures to a summary.
    pub fn sum_up(&self, summary: &mut RestoreSummary) {
        let counts = &self.counts;
        summary.files_restored += get(&counts.restored);
        summary.files_replaced += get(&counts.replaced);
        summary.files_kept += get(&counts.kept);
        summary.files_beside += get(&counts.beside);
        summary.files_deleted += get(&counts.deleted);
        summary.deleted.extend(lock(&self.deleted).iter().cloned());
        summary.deleted.truncate(NAMED_MAX);
        summary.files_skipped += get(&counts.skipped);
        summary.files_damaged += get(&counts.damaged);
        summary.files_with_holes += get(&counts.holed);
        summary.files_verified += get(&counts.verified);
        summary.dirs_restored += get(&counts.dirs);
        summary.restored_bytes += get(&counts.restored_bytes);
        summary.kept_bytes += get(&counts.kept_bytes);
        summary.errors += get(&counts.errors);
    }

    // ---- failing ------------------------------------------------------------------------------------------------

    /// The run cannot go on: keeps the first reason and wakes everybody.
    pub fn fail(&self, fault: Fault) {
        lock(&self.trouble).get_or_insert(fault);
        self.failed.store(true, Ordering::SeqCst);
        self.windows.abandon();
        self.work.abandon();
        self.boxes.abandon();
        drop(lock(&self.windows_under_way));
        self.less.notify_all();
    }

    /// Whether the run has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// The first thing that went wrong.
    pub fn trouble(&self) -> Result<()> {
        lock(&self.trouble).take().map_or(Ok(()), Err)
    }

    /// Runs a stage on this thread; its failure fails the run.
    pub fn stage(&self, stage: Stage, work: impl FnOnce() -> Result<()>) {
        let _worker = self.profile.worker(stage);
        self.guarded(work);
    }

    /// Runs a part of the run; its failure fails the run.
    pub fn guarded(&self, work: impl FnOnce() -> Result<()>) {
        if let Err(fault) = work() {
            self.fail(fault);
        }
    }
}

/// Damage of the vault, found while restoring.
pub fn damaged(why: &str) -> Fault {
    Fault::new(Code::DataDamaged, why)
        .hint("an older version of it may be whole: --at previous; all that is lost: tuckbox check")
}

/// A fault about a path: the sentence begins with it.
pub fn about(path: &[u8], mut fault: Fault) -> Fault {
    // A full disk is about no path in particular.
    if fault.code == Code::DiskFull {
        return fault;
    }
    fault.message = format!("{}: {}", for_terminal(path), fault.message);
    fault.path(path)
}

/// Why a path could not be written. A full disk stops the run.
pub fn failure(path: &[u8], error: std::io::Error) -> Fault {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::new(Code::DiskFull, "the disk that is restored to is full")
                .because(error)
                .hint("free some space, then run the same command again")
        }
        _ => {
            Fault::new(Code::RestoreSkipped, format!("cannot restore {}", for_terminal(path))).because(error).path(path)
        }
    }
}
