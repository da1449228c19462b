//! One source in one run: what it is, what it was, and in the end its root entry.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::id::{ContentId, NodeId, SourceId};
use store::tree::{Built, Child, Entry, Totals};

use super::early::Taken;
use super::inner::Inner;
use super::mounted::Mounts;
use super::path_node::PathNode;
use super::suspicion::{Looked, Tally};
use crate::engine::filter_command::FilterCommand;
use crate::engine::job::SourceJob;
use crate::engine::queue::lock;
use crate::fault::{Code, Fault};
use crate::name::for_terminal;
use crate::source::{MountFacts, Order, Selection, Stat};

/// What the version before says of a source.
#[derive(Clone, Debug)]
pub struct Before {
    /// Its root node.
    pub root: NodeId,
    /// Sequence of the link that introduced that root.
    pub introduced: u64,
    /// Content id of the root entry.
    pub content: ContentId,
    /// The source itself.
    pub entry: Entry,
    /// Sums over it.
    pub totals: Totals,
    /// Mount facts of then.
    pub was_mount_point: bool,
    /// Missing since, when it was kept by the guard.
    pub missing_since: Option<i64>,
    /// This device committed that root: entries may be taken over unread.
    pub trusted: bool,
}

/// When what is gone is recorded as deleted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deletions {
    /// At once: a person said so.
    pub accepted: bool,
    /// What has been missing since this moment, milliseconds since 1970, or since an earlier one; `None`: never by itself.
    pub missing_by_ms: Option<i64>,
}

impl Deletions {
    /// Whether what is missing since then, milliseconds since 1970, goes now.
    pub fn due(&self, since_ms: i64) -> bool {
        self.accepted || self.missing_by_ms.is_some_and(|by| since_ms <= by)
    }
}

/// One source in one run.
pub struct SourceRun {
    /// Its id.
    pub id: SourceId,
    /// What was asked for.
    pub job: SourceJob,
    /// What is left out.
    pub selection: Arc<Selection>,
    /// Decides of what the selection takes.
    pub filter: Option<Arc<FilterCommand>>,
    /// What is sent before the rest.
    pub order: Arc<Order>,
    /// The step that this pass is; `None`: it takes all that is left.
    pub early_step: Option<usize>,
    /// What earlier steps took.
    pub taken: Arc<Taken>,
    /// Where it is mounted.
    pub mount: MountFacts,
    /// The version before.
    pub before: Option<Before>,
    /// The source as a run left it that was cut off after the version before, when this device committed that: what is
    /// still so is taken over unread. It is no part of what this run is compared with.
    pub so_far: Option<Entry>,
    /// What looked encrypted of what such runs read.
    pub looked: Looked,
    /// Keep what is gone, marked as missing since now (second pass of the guard), seconds since 1970.
    pub keep_missing: Option<u64>,
    /// When what was kept as missing before goes.
    pub deletions: Deletions,
    /// Files of the version before that are gone.
    pub removed_files: AtomicU64,
    /// Files that had been kept as missing and are kept further.
    pub kept_files: AtomicU64,
    /// Files that had been kept as missing and go now.
    pub expired_files: AtomicU64,
    /// Files of the version before that are there and have become too old.
    pub aged_files: AtomicU64,
    /// What happened to its files, to be judged.
    pub tally: Tally,
    /// The last component of its path was followed.
    pub follow: bool,
    /// Sources that lie inside of it and are not of this run.
    pub inner: Inner,
    /// Mount points below it.
    pub mounts: Mounts,
    done: Mutex<Progress>,
    root: Mutex<Option<(Built, Entry)>>,
}

enum Progress {
    Open,
    /// The frame of the source, when it is a directory in progress.
    Frame {
        frame: Arc<super::frame::Frame>,
        draft: Box<Entry>,
    },
    Done(Box<Entry>),
}

impl SourceRun {
    /// A source about to be scanned.
    pub fn new(
        id: SourceId,
        job: SourceJob,
        (selection, order): (Selection, Order),
        mount: MountFacts,
        before: Option<Before>,
        follow: bool,
        deletions: Deletions,
    ) -> Self {
        let filter = job.filter.clone().map(|filter| Arc::new(FilterCommand::new(filter, job.path.clone())));
        Self {
            id,
            job,
            selection: Arc::new(selection),
            filter,
            order: Arc::new(order),
            early_step: None,
            taken: Arc::default(),
            mount,
            before,
            so_far: None,
            looked: Looked::default(),
            keep_missing: None,
            deletions,
            removed_files: AtomicU64::new(0),
            kept_files: AtomicU64::new(0),
            expired_files: AtomicU64::new(0),
            aged_files: AtomicU64::new(0),
            tally: Tally::default(),
            follow,
            inner: Inner::default(),
            mounts: Mounts::default(),
            done: Mutex::new(Progress::Open),
            root: Mutex::new(None),
        }
    }

    /// The same with what lies inside of it.
    #[must_use]
    pub fn with_inner(self, inner: Inner) -> Self {
        Self { inner, ..self }
    }

    /// The same with the mount points below it.
    #[must_use]
    pub fn with_mounts(self, mounts: Mounts) -> Self {
        Self { mounts, ..self }
    }

    /// The same, going on from what runs that were cut off have left.
    #[must_use]
    pub fn going_on(self, so_far: Option<Entry>, looked: Looked) -> Self {
        Self { so_far, looked, ..self }
    }

    /// The same source for another pass: whether to keep what is gone, and whether to believe what was stored of it.
    pub fn again(&self, keep_missing: Option<u64>, believe: bool) -> Self {
        let mut again = Self {
            id: self.id,
            job: self.job.clone(),
            selection: Arc::clone(&self.selection),
            filter: self.filter.clone(),
            order: Arc::clone(&self.order),
            early_step: None,
            taken: Arc::clone(&self.taken),
            mount: self.mount.clone(),
            before: self.before.clone(),
            so_far: self.so_far.clone().filter(|_| believe),
            looked: self.looked,
            keep_missing,
            deletions: self.deletions,
            removed_files: AtomicU64::new(0),
            kept_files: AtomicU64::new(0),
            expired_files: AtomicU64::new(0),
            aged_files: AtomicU64::new(0),
            tally: Tally::default(),
            follow: self.follow,
            inner: self.inner.again(keep_missing.is_some()),
            mounts: self.mounts.again(),
            done: Mutex::new(Progress::Open),
            root: Mutex::new(None),
        };
        if let Some(before) = &mut again.before {
            before.trusted &= believe;
        }
        again
    }

    /// The same source for a pass that takes only what belongs to this step or an earlier one.
    pub fn early(&self, step: usize) -> Self {
        Self { early_step: Some(step), ..self.again(self.keep_missing, true) }
    }

    /// The path of what is at this one below it.
    pub fn path_of(&self, below: &[u8]) -> Vec<u8> {
        PathNode::top(&self.job.path).join(below)
    }

    /// Whether something that is no directory is left to a later pass.
    pub fn leaves_for_later(&self, path: impl FnOnce() -> Vec<u8>) -> bool {
        self.early_step.is_some_and(|step| self.order.step(&path()) > step)
    }

    /// Its root node.
    pub fn root(&self) -> Option<Built> {
        lock(&self.root).as_ref().map(|(built, _)| built.clone())
    }

    /// The entry that its root node holds.
    pub fn entry_so_far(&self) -> Option<Entry> {
        lock(&self.root).as_ref().map(|(_, entry)| entry.clone())
    }

    /// Its root node is built.
    pub fn set_root(&self, built: Built, entry: Entry) {
        *lock(&self.root) = Some((built, entry));
    }

    /// Whether all that is known of it was committed by this device.
    pub fn is_ours(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.trusted)
    }

    /// It was there when the run began, and could not be read then.
    pub fn vanished(&self) -> Fault {
        Fault::new(Code::SourceUnreadable, format!("{} could not be read", for_terminal(&self.job.path)))
            .hint("see the warnings before this; run as a user who may read it")
            .path(self.job.path.clone())
    }

    /// Remembers the top frame, for checkpoints.
    pub fn begin(&self, frame: Arc<super::frame::Frame>, draft: Box<Entry>) {
        *lock(&self.done) = Progress::Frame { frame, draft };
    }

    /// The root entry is whole.
    pub fn finish(&self, entry: Box<Entry>) {
        *lock(&self.done) = Progress::Done(entry);
    }

    /// The pass is over: what is not whole by now will not be.
    pub fn let_go(&self) {
        let mut done = lock(&self.done);
        if let Progress::Frame { frame, .. } = &*done {
            frame.let_go();
            *done = Progress::Open;
        }
    }

    /// The root entry, when it is whole.
    pub fn entry(&self) -> Option<Entry> {
        match &*lock(&self.done) {
            Progress::Done(entry) => Some((**entry).clone()),
            _ => None,
        }
    }

    /// The root entry as far as it is done.
    pub fn snapshot(&self, flow: &super::flow::Flow<'_>) -> crate::fault::Result<Option<Entry>> {
        let (frame, draft) = match &*lock(&self.done) {
            Progress::Open => return Ok(None),
            Progress::Done(entry) => return Ok(Some((**entry).clone())),
            Progress::Frame { frame, draft } => (Arc::clone(frame), draft.clone()),
        };
        Ok(frame.snapshot(flow, 0)?.map(|child: Child| {
            let mut entry = *draft;
            entry.what = store::tree::What::Dir(child);
            entry
        }))
    }

    /// Whether a directory lies on another file system and is not entered.
    pub fn leaves_other_file_system(&self, dir: &Stat) -> bool {
        self.job.rules.one_file_system.is_some() && dir.device != self.mount.device
    }

    /// Milliseconds since 1970 since when something of it is missing that is kept.
    pub fn missing_since(&self) -> Option<i64> {
        let kept = self.kept_files.load(Ordering::Relaxed) > 0;
        let before = self.before.as_ref().and_then(|before| before.missing_since).filter(|_| kept);
        let now = self.keep_missing.or_else(|| self.mounts.missing_since());
        before.or_else(|| now.map(|s| i64::try_from(s.saturating_mul(1000)).unwrap_or(i64::MAX)))
    }

    /// Counts files that had been kept as missing and are kept further.
    pub fn count_kept(&self, files: u64) {
        self.kept_files.fetch_add(files, Ordering::Relaxed);
    }

    /// Counts files that had been kept as missing and go now.
    pub fn count_expired(&self, files: u64) {
        self.expired_files.fetch_add(files, Ordering::Relaxed);
    }

    /// Counts files that have become too old.
    pub fn count_aged(&self, files: u64) {
        self.aged_files.fetch_add(files, Ordering::Relaxed);
    }

    /// Counts files that are gone.
    pub fn count_removed(&self, files: u64) {
        self.removed_files.fetch_add(files, Ordering::Relaxed);
    }
}
