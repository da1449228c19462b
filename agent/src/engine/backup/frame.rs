//! Directories in progress: what the scan found, waiting for content, becoming nodes from the leaves up.
//!
//! A frame is one directory between its first listed name and its node. Names become slots in order; a slot is
//! pending while a file is read or a directory below is scanned. Slots that are ready leave at the front, into
//! the node builder; so a directory of a million entries holds only what is in flight. When the last one has
//! left, the directory's entry goes up into its parent's slot, without recursion.
//!
//! While nothing differs from the version before, a frame is *clean*: it only counts its entries, builds nothing, and
//! at the end takes over the old node; when something differs after all, the entries so far are read there once more.
//! Runs of unchanged names behind a pending slot are counted as well.
//! When the vault has lost nodes, none is clean: all are made again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use store::tree::{Child, DirBuilder, DirReader, Entry, Mark, What};

use super::flow::Flow;
use super::source_run::SourceRun;
use crate::engine::queue::lock;
use crate::fault::Result;

/// Levels of directories in progress that a checkpoint follows; what is deeper counts as in the version before.
const SNAPSHOT_DEPTH: usize = 256;

/// Where a finished directory goes.
pub enum Parent {
    /// Into a slot of the directory above.
    Frame(Arc<Frame>, usize),
    /// It is the source itself.
    Source(Arc<SourceRun>),
}

/// One directory in progress.
pub struct Frame {
    parent: Parent,
    /// This directory in the version before, when its nodes may be believed.
    previous: Option<Child>,
    /// The same in a run that was cut off, which began from that version: what a checkpoint has of it that this run has
    /// not come to. It counts for nothing else.
    so_far: Option<Child>,
    inner: Mutex<Inner>,
}

struct Inner {
    slots: VecDeque<Slot>,
    /// Number of the slot at the front.
    base: usize,
    /// All names are listed.
    listed: bool,
    /// The last name that was pushed; empty before the first.
    last: Vec<u8>,
    /// This directory's own entry, its child still open.
    draft: Option<Box<Entry>>,
    /// Whether the draft equals the entry of the version before.
    draft_same: bool,
    build: Build,
}

enum Build {
    /// Nothing differs so far: these are the first so many entries of the version before.
    Clean(Child, usize),
    /// Something does.
    Dirty(DirBuilder),
    /// The entry has gone up.
    Done,
}

enum Slot {
    Ready {
        entry: Box<Entry>,
        same: bool,
    },
    /// Entries of the version before, unchanged: only in a frame that is clean.
    Counted(Run),
    /// The same in one that became dirty since.
    Read(Vec<Entry>),
    Pending {
        previous: Option<Box<Entry>>,
        below: Option<Below>,
    },
    /// The name vanished: nothing will come.
    LeftOut,
}

/// Entries of a directory of the version before, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// The place of the first.
    pub from: usize,
    /// How many.
    pub count: usize,
}

/// A directory of the version before, read once from front to back.
pub struct Old<'n> {
    reader: DirReader<'n>,
    at: usize,
}

impl<'n> Old<'n> {
    /// The directory whose top node is this one.
    pub fn new(flow: &Flow<'n>, previous: &Child) -> Self {
        Self { reader: DirReader::new(flow.nodes, previous.node), at: 0 }
    }

    /// Gives each entry of a run, which must not begin before where the one before ended. Fails when one is not there: none
    /// that was seen may be lost.
    pub fn each(&mut self, run: Run, mut give: impl FnMut(Entry) -> Result<()>) -> Result<()> {
        while self.at < run.from.saturating_add(run.count) {
            let lost = || Err(store::Error::damaged("directory", "it has fewer names than were seen"));
            let entry = self.reader.next().unwrap_or_else(lost)?;
            if self.at >= run.from {
                give(entry)?;
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// A directory below that is in progress, for checkpoints, also when nobody works on it any more as the run ends early.
struct Below {
    draft: Box<Entry>,
    frame: Arc<Frame>,
}

/// An entry on its way up.
struct Rising {
    entry: Box<Entry>,
    same: bool,
}

impl Frame {
    /// A directory whose listing begins. `draft` is its own entry; `draft_same` says that its metadata are those of
    /// the version before; `previous` is what it was there, and `so_far` in a run that was cut off.
    pub fn new(
        flow: &Flow<'_>,
        parent: Parent,
        draft: Box<Entry>,
        draft_same: bool,
        (previous, so_far): (Option<Child>, Option<Child>),
    ) -> Arc<Self> {
        let build = match previous {
            Some(previous) if !flow.nothing_known && !flow.must_build(&previous.node) => Build::Clean(previous, 0),
            _ => Build::Dirty(DirBuilder::new(flow.tree_keys())),
        };
        let (slots, last) = (VecDeque::new(), Vec::new());
        let inner = Inner { slots, base: 0, listed: false, last, draft: Some(draft), draft_same, build };
        let frame = Arc::new(Self { parent, previous, so_far, inner: Mutex::new(inner) });
        if let Parent::Frame(above, slot) = &frame.parent {
            above.note_below(*slot, &frame);
        }
        frame
    }

    /// Remembers the frame that fills a slot, so that checkpoints can look into it.
    fn note_below(&self, index: usize, frame: &Arc<Self>) {
        let draft = lock(&frame.inner).draft.clone();
        let mut inner = lock(&self.inner);
        if let (Some(draft), Some(Slot::Pending { below, .. })) = (draft, inner.slot(index)) {
            *below = Some(Below { draft, frame: Arc::clone(frame) });
        }
    }

    /// The next name, complete. `same`: it is the entry of the version before, unchanged.
    pub fn push_ready(&self, flow: &Flow<'_>, entry: Box<Entry>, same: bool) -> Result<()> {
        let mut inner = lock(&self.inner);
        inner.note_last(&entry.name);
        inner.slots.push_back(Slot::Ready { entry, same });
        inner.drain(flow)
    }

    /// The next names, up to `last`, whose entries are those of the version before, unchanged: counts them where that is
    /// enough, else says that the entries themselves are needed, now and from now on.
    pub fn count_same(&self, run: Run, last: &[u8]) -> bool {
        let inner = &mut *lock(&self.inner);
        let Build::Clean(_, count) = &mut inner.build else { return false };
        if inner.slots.is_empty() {
            *count += run.count;
        } else {
            inner.slots.push_back(Slot::Counted(run));
        }
        inner.note_last(last);
        true
    }

    /// The next name, to be completed later; gives the number of its slot. `previous` is its entry in the version before.
    pub fn push_pending(&self, name: &[u8], previous: Option<Box<Entry>>) -> usize {
        let mut inner = lock(&self.inner);
        inner.note_last(name);
        inner.slots.push_back(Slot::Pending { previous, below: None });
        inner.base + inner.slots.len() - 1
    }

    /// Something of the version before is gone: the node will be another.
    pub fn set_dirty(&self, flow: &Flow<'_>) -> Result<()> {
        lock(&self.inner).dirty(flow).map(|_| ())
    }

    /// The directory cannot be read: it keeps what the version before knew of it, with a mark.
    /// `same`: it was marked so then.
    pub fn keep_previous(self: &Arc<Self>, flow: &Flow<'_>, mark: Option<Mark>, same: bool) -> Result<()> {
        {
            let mut inner = lock(&self.inner);
            inner.draft_same = same;
            if let Some(previous) = self.previous.or(self.so_far) {
                inner.build = Build::Clean(previous, 0);
            }
            if let Some(draft) = &mut inner.draft {
                draft.mark = mark;
            }
        }
        self.listed(flow)
    }

    /// All names have been pushed.
    pub fn listed(self: &Arc<Self>, flow: &Flow<'_>) -> Result<()> {
        let rising = {
            let mut inner = lock(&self.inner);
            inner.listed = true;
            inner.rise(flow, self.previous)?
        };
        self.climb(flow, rising)
    }

    /// Fills a pending slot. `None` = the name is left out after all (it vanished).
    pub fn complete(
        self: &Arc<Self>,
        flow: &Flow<'_>,
        index: usize,
        entry: Option<Box<Entry>>,
        same: bool,
    ) -> Result<()> {
        let rising = lock(&self.inner).fill(flow, index, entry, same, self.previous)?;
        self.climb(flow, rising)
    }

    /// Takes entries up as long as they finish a directory.
    fn climb(self: &Arc<Self>, flow: &Flow<'_>, mut rising: Option<Rising>) -> Result<()> {
        let mut at = Arc::clone(self);
        while let Some(Rising { entry, same }) = rising {
            match &at.parent {
                Parent::Source(source) => {
                    source.finish(entry);
                    return Ok(());
                }
                Parent::Frame(above, index) => {
                    let above = Arc::clone(above);
                    rising = lock(&above.inner).fill(flow, *index, Some(entry), same, above.previous)?;
                    at = above;
                }
            }
        }
        Ok(())
    }

    /// The directory as far as it is done, merged with its old rest: what a checkpoint commits. `None` when there
    /// is nothing of it yet.
    pub fn snapshot(&self, flow: &Flow<'_>, depth: usize) -> Result<Option<Child>> {
        let inner = lock(&self.inner);
        let known = self.so_far.or(self.previous);
        if depth >= SNAPSHOT_DEPTH {
            return Ok(known);
        }
        let mut builder = match &inner.build {
            Build::Clean(..) if inner.slots.is_empty() && self.so_far.is_none() => return Ok(self.previous),
            Build::Clean(previous, count) => rebuild(flow, &mut Old::new(flow, previous), *count)?,
            Build::Dirty(builder) => builder.clone(),
            Build::Done => return Ok(known),
        };
        let mut old = self.previous.map(|previous| Old::new(flow, &previous));
        for slot in &inner.slots {
            let entry = match slot {
                Slot::Ready { entry, .. } => Some((**entry).clone()),
                Slot::Counted(run) => {
                    if let Some(old) = &mut old {
                        old.each(*run, |entry| Ok(builder.push(entry, &mut flow.sink())?))?;
                    }
                    None
                }
                Slot::Read(entries) => {
                    for entry in entries {
                        builder.push(entry.clone(), &mut flow.sink())?;
                    }
                    None
                }
                Slot::LeftOut => None,
                Slot::Pending { previous, below } => {
                    Self::snapshot_below(flow, below.as_ref(), depth)?.or_else(|| previous.as_deref().cloned())
                }
            };
            if let Some(entry) = entry {
                builder.push(entry, &mut flow.sink())?;
            }
        }
        if let (false, Some(known)) = (inner.listed, known) {
            // What cannot be read of it is told by the scan.
            for entry in DirReader::new(flow.nodes, known.node).map_while(store::Result::ok) {
                if *entry.name > *inner.last {
                    builder.push(entry, &mut flow.sink())?;
                }
            }
        }
        Ok(Some(builder.finish(&mut flow.sink())?))
    }

    /// Nothing will come any more: lets go of the directories below, which hold this one.
    pub fn let_go(&self) {
        let mut waiting: Vec<Slot> = std::mem::take(&mut lock(&self.inner).slots).into();
        while let Some(slot) = waiting.pop() {
            if let Slot::Pending { below: Some(below), .. } = slot {
                waiting.extend(std::mem::take(&mut lock(&below.frame.inner).slots));
            }
        }
    }

    fn snapshot_below(flow: &Flow<'_>, below: Option<&Below>, depth: usize) -> Result<Option<Entry>> {
        let Some(below) = below else { return Ok(None) };
        Ok(below.frame.snapshot(flow, depth + 1)?.map(|child| {
            let mut entry = (*below.draft).clone();
            entry.what = What::Dir(child);
            entry
        }))
    }
}

impl Inner {
    fn note_last(&mut self, name: &[u8]) {
        self.last.clear();
        self.last.extend_from_slice(name);
    }

    fn slot(&mut self, index: usize) -> Option<&mut Slot> {
        index.checked_sub(self.base).and_then(|at| self.slots.get_mut(at))
    }

    fn fill(
        &mut self,
        flow: &Flow<'_>,
        index: usize,
        entry: Option<Box<Entry>>,
        same: bool,
        previous: Option<Child>,
    ) -> Result<Option<Rising>> {
        let filled = match entry {
            Some(entry) => Slot::Ready { entry, same },
            None => {
                self.dirty(flow)?;
                Slot::LeftOut
            }
        };
        if let Some(slot) = self.slot(index) {
            *slot = filled;
        }
        self.drain(flow)?;
        self.rise(flow, previous)
    }

    /// Lets ready slots leave at the front.
    fn drain(&mut self, flow: &Flow<'_>) -> Result<()> {
        while !matches!(self.slots.front(), None | Some(Slot::Pending { .. })) {
            match self.slots.pop_front() {
                Some(Slot::Ready { entry, same }) => self.take(flow, *entry, same)?,
                Some(Slot::Counted(run)) => {
                    // A frame that becomes dirty reads all of them.
                    if let Build::Clean(_, count) = &mut self.build {
                        *count += run.count;
                    }
                }
                Some(Slot::Read(entries)) => {
                    for entry in entries {
                        self.take(flow, entry, true)?;
                    }
                }
                Some(Slot::Pending { .. } | Slot::LeftOut) | None => {}
            }
            self.base += 1;
        }
        Ok(())
    }

    fn take(&mut self, flow: &Flow<'_>, entry: Entry, same: bool) -> Result<()> {
        match &mut self.build {
            Build::Clean(_, count) if same => *count += 1,
            Build::Clean(..) | Build::Dirty(_) => self.dirty(flow)?.push(entry, &mut flow.sink())?,
            Build::Done => {}
        }
        Ok(())
    }

    /// The builder, with everything in it that was only counted.
    fn dirty(&mut self, flow: &Flow<'_>) -> Result<&mut DirBuilder> {
        if let Build::Clean(previous, count) = &self.build {
            let mut old = Old::new(flow, previous);
            let builder = rebuild(flow, &mut old, *count)?;
            for slot in &mut self.slots {
                if let Slot::Counted(run) = slot {
                    let mut entries = Vec::with_capacity(run.count);
                    old.each(*run, |entry| {
                        entries.push(entry);
                        Ok(())
                    })?;
                    *slot = Slot::Read(entries);
                }
            }
            self.build = Build::Dirty(builder);
        }
        match &mut self.build {
            Build::Dirty(builder) => Ok(builder),
            Build::Clean(..) | Build::Done => Err(flow.bug("a directory has no builder")),
        }
    }

    /// The finished entry, when the last slot has left.
    fn rise(&mut self, flow: &Flow<'_>, previous: Option<Child>) -> Result<Option<Rising>> {
        if !self.listed || !self.slots.is_empty() || matches!(self.build, Build::Done) {
            return Ok(None);
        }
        let Some(mut entry) = self.draft.take() else { return Ok(None) };
        let child = match std::mem::replace(&mut self.build, Build::Done) {
            Build::Clean(previous, _) => previous,
            Build::Dirty(builder) => builder.finish(&mut flow.sink())?,
            Build::Done => return Err(flow.bug("a directory was finished twice")),
        };
        let same = self.draft_same && previous.is_some_and(|previous| previous.node == child.node);
        flow.counts.directory(previous.as_ref(), same);
        entry.what = What::Dir(child);
        Ok(Some(Rising { entry, same }))
    }
}

/// A builder that holds the first so many entries of a directory of the version before. They were read a moment ago.
fn rebuild(flow: &Flow<'_>, old: &mut Old<'_>, count: usize) -> Result<DirBuilder> {
    let mut builder = DirBuilder::new(flow.tree_keys());
    old.each(Run { from: 0, count }, |entry| Ok(builder.push(entry, &mut flow.sink())?))?;
    Ok(builder)
}
