//! First stage: lists directories and merges their names with the version before.
//!
//! ```text
//!  stack of directories ──► list, stat, merge-join ──► unchanged: slot filled at once
//!        ▲                        │                 ──► file to read: joins the parcel ──► parcels
//!        └── directories below ◄──┘
//! ```
//!
//! Depth first: the stack is last in, first out, so what is in memory is one path and its siblings. A directory
//! is listed in slices; between two slices the directories found so far are scanned, so that its frame can let
//! go of what is done. Nothing is opened for content here, and an unchanged file costs one `statx`.

mod choose;
mod gone;
mod old;
mod so_far;

use std::sync::Arc;

use store::tree::{Child, Entry, Kind, LookReader, Mark, What};

use self::choose::Chosen;
use self::gone::holds_files;
pub use self::gone::losses;
use self::old::{Before, Unchanged};
use self::so_far::SoFar;
use super::flow::Flow;
use super::frame::{Frame, Parent};
use super::mounted::{Ahead, Unmounted};
use super::path_node::PathNode;
use super::read::{BATCH_BYTES, FileTask, Parcel};
use super::source_run::SourceRun;
use crate::event::Action;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::profile::did;
use crate::source::{Dir, Names, Stat, Verdict, capture, capture_dir, is_lasting, verdict_on};

/// Names listed before the directories among them are scanned.
pub const SLICE: usize = 4_096;
/// A parcel is handed on at this size: its files make one box, which then needs no copy …
const PARCEL_BYTES_MOST: u64 = BATCH_BYTES as u64;
/// … or at this number of files, so that tiny files spread over all readers.
const PARCEL_FILES_MOST: usize = 512;

/// Something to scan.
pub enum Task<'a> {
    /// A directory that has not been opened.
    Enter(Box<Enter>),
    /// A directory whose listing goes on.
    Go(Box<Listing<'a>>),
}

/// See [`Task`].
pub struct Enter {
    source: Arc<SourceRun>,
    place: Place,
    path: Arc<PathNode>,
    draft: Box<Entry>,
    same: bool,
    previous: Option<Child>,
    /// It in a run that was cut off, where that has other nodes.
    so_far: Option<Child>,
    /// The mark of its entry in the version before.
    mark: Option<Mark>,
    /// Something is mounted there.
    mounted: bool,
    /// What was mounted there or below it in the version before.
    ahead: Option<Ahead>,
    /// It lies where something was mounted, and nothing is.
    unmounted: Option<Arc<Unmounted>>,
    parent: Parent,
}

/// Where a directory is.
enum Place {
    /// It is open.
    Open(Dir),
    /// Below this one, under this name, as it was seen there.
    Below(Arc<Dir>, Box<[u8]>, Box<Stat>),
}

/// See [`Task`].
pub struct Listing<'a> {
    source: Arc<SourceRun>,
    dir: Arc<Dir>,
    /// The directory itself: what lies on another mount is told by it.
    here: Stat,
    path: Arc<PathNode>,
    frame: Arc<Frame>,
    ahead: Option<Ahead>,
    unmounted: Option<Arc<Unmounted>>,
    names: Names,
    at: usize,
    /// The entries of the version before that were not met yet.
    old: Option<LookReader<'a>>,
    unchanged: Unchanged<'a>,
    so_far: Option<SoFar<'a>>,
    /// Names of files that went, and that came.
    turnover: (u64, u64),
}

impl Listing<'_> {
    /// Nothing is left of what was mounted at or below a name in it.
    fn none_mounted(&self, name: &[u8]) {
        if let Some(ahead) = self.ahead.as_ref().and_then(|ahead| ahead.below(name)) {
            ahead.are_none();
        }
    }
}

/// Directories that wait, shared by the scanners.
pub type Stack<'a> = super::stack::Stack<Task<'a>>;

/// One scanner: a thread of the first stage.
pub struct Scanner<'f, 'a> {
    flow: &'f Flow<'a>,
    stack: &'f Stack<'a>,
    parcel: Parcel,
    /// Unchanged files of this slice, and their bytes, not yet among the run's counts: those are shared.
    unchanged: (u64, u64),
}

impl<'f, 'a> Scanner<'f, 'a> {
    /// A scanner of this run.
    pub fn new(flow: &'f Flow<'a>, stack: &'f Stack<'a>) -> Self {
        Self { flow, stack, parcel: Parcel::default(), unchanged: (0, 0) }
    }

    /// Scans until nothing is left.
    pub fn run(mut self) -> Result<()> {
        while let Some(task) = self.stack.pop(self.flow) {
            let done = match task {
                Task::Enter(enter) => self.enter(*enter),
                Task::Go(listing) => self.go_on(listing),
            };
            self.stack.finished();
            done?;
        }
        self.hand_on()
    }

    /// Puts a source that is a directory on the stack.
    pub fn begin_dir(&mut self, source: &Arc<SourceRun>, dir: Dir, name: &[u8], stat: &Stat) -> Result<()> {
        let (draft, troubles) = capture_dir(&dir, name, stat, self.flow.owners);
        self.tell(troubles, || source.job.path.clone());
        let before = source.before.as_ref().map(|before| &before.entry);
        let enter = Enter {
            source: Arc::clone(source),
            place: Place::Open(dir),
            path: PathNode::top(&source.job.path),
            same: before.is_some_and(|before| same_metadata(before, &draft)),
            previous: before.and_then(child_of),
            so_far: source.so_far.as_ref().and_then(child_of),
            mark: before.and_then(|before| before.mark),
            mounted: false,
            ahead: source.mounts.ahead(),
            unmounted: None,
            draft: Box::new(draft),
            parent: Parent::Source(Arc::clone(source)),
        };
        self.stack.push(std::iter::once(Task::Enter(Box::new(enter))));
        Ok(())
    }

    /// Deals with a source that is anything else.
    pub fn begin_name(&mut self, source: &Arc<SourceRun>, above: Arc<Dir>, name: &[u8], stat: &Stat) -> Result<()> {
        if self.source_stays(source) {
            return Ok(());
        }
        source.inner.takes_at(&source.job.path, stat.kind);
        let before = source.before.as_ref().map(|before| &before.entry);
        if before.is_some_and(holds_files) {
            source.inner.counts(&source.job.path);
        }
        if stat.kind == Kind::File && stat.size > 0 {
            let trusted = source.before.as_ref().filter(|before| before.trusted);
            if let Some(Verdict::Same) =
                trusted.map(|b| verdict_on(&(&b.entry).into(), stat, source.mount.inodes_stable))
                && let Some(before) = before.filter(|before| before.mark.is_none() && !self.flow.wanted.is_in(before))
            {
                self.flow.counts.file(Some(before), before);
                source.finish(Box::new(before.clone()));
                return Ok(());
            }
            if let Some(so_far) = source.so_far.as_ref().filter(|entry| self.is_still(source, entry, stat)) {
                let action = self.flow.counts.file(before, so_far);
                source.tally.file(action, None);
                self.flow.item(action, || source.job.path.clone(), stat.size, None);
                source.finish(Box::new(so_far.clone()));
                return Ok(());
            }
            let task = FileTask {
                dir: above,
                name: name.into(),
                stat: *stat,
                previous: before.cloned().map(Box::new),
                parent: Parent::Source(Arc::clone(source)),
                source: Arc::clone(source),
                path: source.job.path.clone(),
                granularity_ns: source.mount.granularity_ns,
            };
            self.add(task, stat.size)?;
            return self.hand_on();
        }
        let (entry, troubles) = capture(&above, name, stat, self.flow.owners)?;
        self.tell(troubles, || source.job.path.clone());
        let action = self.flow.counts.file(before, &entry);
        self.flow.item(action, || source.job.path.clone(), 0, None);
        source.finish(Box::new(entry));
        Ok(())
    }

    /// Opens a directory and lists its names.
    fn enter(&mut self, enter: Enter) -> Result<()> {
        let Enter { source, place, path, draft, same, previous, so_far, mark, mounted, ahead, unmounted, parent } =
            enter;
        let is_source = matches!(parent, Parent::Source(_));
        // A mark goes when the directory can be read again.
        let frame = Frame::new(self.flow, parent, draft.clone(), same && mark.is_none(), (previous, so_far));
        if is_source {
            source.begin(Arc::clone(&frame), draft);
        }
        let opened = match place {
            Place::Open(dir) => dir.stat_self().map(|seen| (seen, dir)),
            Place::Below(above, name, seen) => above.child_as(&name, &seen).map(|dir| (*seen, dir)).map_err(Into::into),
        };
        let opened = opened.and_then(|(here, dir)| dir.list().map(|names| (here, Arc::new(dir), names)));
        let (here, dir, mut names) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.unreadable_dir(&path, &frame, (mark, same), &error),
        };
        did(names.len(), 0);
        if mounted && !names.is_empty() && is_lasting(&dir) {
            source.mounts.meet(&path.from_top());
        }
        let mut unmounted = unmounted;
        if let (Some(point), false, None) = (ahead.as_ref().and_then(Ahead::point), mounted, &unmounted) {
            point.is_none();
            unmounted = Unmounted::dir(point, previous.map_or(0, |previous| previous.totals.files), mark);
        }
        if let Some(why) = self.flow.own.holds(here.identity(), &dir, &names) {
            self.flow.item(Action::Excluded, || path.join(b""), 0, Some(why));
            names = Names::default();
        } else if let Some(rule) = source.selection.leaves_dir_content(&dir, &names) {
            self.flow.item(Action::Excluded, || path.join(b""), 0, Some(&rule));
            names.retain(|name| source.selection.is_tag(name));
        }
        let old = previous.map(|previous| LookReader::new(self.flow.nodes, previous.node));
        let unchanged = Unchanged::new(previous);
        let so_far = so_far.map(|so_far| SoFar::new(self.flow, so_far));
        let (at, turnover) = (0, (0, 0));
        self.go_on(Box::new(Listing {
            source,
            dir,
            here,
            path,
            frame,
            ahead,
            unmounted,
            names,
            at,
            old,
            unchanged,
            so_far,
            turnover,
        }))
    }

    /// A directory that cannot be read keeps what the version before knew of it.
    fn unreadable_dir(
        &mut self,
        path: &PathNode,
        frame: &Arc<Frame>,
        (mark, same): (Option<Mark>, bool),
        error: &std::io::Error,
    ) -> Result<()> {
        let full = path.join(b"");
        let shown = for_terminal(full.strip_suffix(b"/").unwrap_or(&full));
        let gone = error.kind() == std::io::ErrorKind::NotFound;
        let code = if gone { Code::SourceVanished } else { Code::SourceUnreadable };
        self.flow.warn(
            &Fault::new(code, format!("cannot read the directory {shown}"))
                .because(error)
                .hint("run as a user who may read it, or exclude it")
                .path(full),
        );
        // It keeps the time since when that is so.
        let since = mark.filter(|mark| matches!(mark, Mark::Unreadable(_)));
        let now = (!gone).then(|| since.unwrap_or_else(|| Mark::Unreadable(self.now_s())));
        frame.keep_previous(self.flow, now, same && now == mark)
    }

    fn now_s(&self) -> u64 {
        u64::try_from(self.flow.clock.now_ms() / 1000).unwrap_or(0)
    }

    /// Lists the next slice of a directory, then the directories in it.
    fn go_on(&mut self, mut listing: Box<Listing<'a>>) -> Result<()> {
        let end = (listing.at + SLICE).min(listing.names.len());
        let mut below = Vec::new();
        let mut chosen = self.choose(&listing, end);
        let mut old = listing.old.take();
        let names = std::mem::take(&mut listing.names);
        while let Some(name) = names.get(listing.at).filter(|_| listing.at < end) {
            listing.at += 1;
            self.pass_over(&mut listing, &mut old, name)?;
            let before = Before::of(old.as_mut(), name);
            self.name(&mut listing, name, before, chosen.pop_front(), &mut below)?;
            if self.flow.has_failed() {
                return Ok(());
            }
        }
        listing.unchanged.hand_on(self.flow, &listing.frame)?;
        let (files, bytes) = std::mem::take(&mut self.unchanged);
        self.flow.counts.unchanged(files, bytes);
        let mut tasks: Vec<Task> = below.into_iter().map(|enter| Task::Enter(Box::new(enter))).collect();
        if end == names.len() {
            self.pass_all(&mut listing, old)?;
            listing.source.tally.directory(listing.turnover.0, listing.turnover.1);
            listing.frame.listed(self.flow)?;
        } else {
            // What is unchanged behind a file that waits to be read is held until then.
            self.hand_on()?;
            (listing.old, listing.names) = (old, names);
            tasks.push(Task::Go(listing));
        }
        self.stack.push(tasks.into_iter());
        Ok(())
    }

    /// The entry of the version before of a name; when it cannot be read, the name counts as new.
    fn entry_before(&self, listing: &Listing<'_>, before: Before<'_, '_>) -> Result<Option<Entry>> {
        before.take().or_else(|error| self.lost_before(listing, &error).map(|()| None))
    }

    /// One name: left out, taken over, to be read, or a directory to be scanned.
    fn name(
        &mut self,
        listing: &mut Listing<'a>,
        name: &[u8],
        before: Before<'_, 'a>,
        chosen: Option<Chosen>,
        below: &mut Vec<Enter>,
    ) -> Result<()> {
        let (stat, filtered) = chosen.unwrap_or_else(|| (listing.dir.stat(name), false));
        let stat = match stat {
            Ok(stat) => stat,
            Err(error) => {
                let old = self.entry_before(listing, before)?;
                return self.unreadable_name(listing, name, old, &error);
            }
        };
        let filter = listing.source.filter.as_ref().filter(|_| filtered).map(|filter| filter.told());
        if let Some(rule) = filter.or_else(|| self.left_out(listing, name, &stat)) {
            self.flow.counts.files_excluded.add(u64::from(stat.kind != Kind::Dir));
            self.flow.item(Action::Excluded, || listing.path.join(name), stat.size, Some(&rule));
            return match self.entry_before(listing, before)? {
                Some(old) => self.leaves(listing, old),
                None => Ok(()),
            };
        }
        if let Some(rule) = listing.source.selection.left_out_by_age(&stat) {
            self.flow.counts.files_excluded.add(1);
            self.flow.item(Action::Excluded, || listing.path.join(name), stat.size, Some(&rule.told()));
            let (old, age) = (self.entry_before(listing, before)?, rule.age);
            return self.aged(listing, old, age);
        }
        let later = stat.kind != Kind::Dir && listing.source.leaves_for_later(|| listing.path.join(name));
        if later && listing.so_far.is_none() {
            return before.count(self.flow, listing, name);
        }
        listing.source.inner.takes(&listing.path, name, stat.kind);
        let trusted = listing.source.before.as_ref().is_some_and(|before| before.trusted);
        let stable = listing.source.mount.inodes_stable;
        let old = before.look().filter(|_| trusted);
        let same = old.is_some_and(|old| verdict_on(old, &stat, stable) == Verdict::Same);
        let takes_over = same && stat.kind != Kind::Dir && old.is_some_and(|old| !old.marked);
        let bytes = stat.size * u64::from(stat.kind == Kind::File);
        if takes_over && self.flow.wanted.is_empty() {
            self.unchanged = (self.unchanged.0 + 1, self.unchanged.1 + bytes);
            return before.count(self.flow, listing, name);
        }
        let so_far = listing.so_far.as_mut().and_then(|so_far| so_far.entry(name));
        let still = so_far.as_ref().is_some_and(|entry| self.is_still(&listing.source, entry, &stat));
        if later && !still {
            return before.count(self.flow, listing, name);
        }
        let old = self.entry_before(listing, before)?;
        listing.unchanged.hand_on(self.flow, &listing.frame)?;
        if stat.kind == Kind::Dir {
            return self.directory(listing, name, &stat, (old, so_far), same, below);
        }
        if let Some(old) = old.as_ref().filter(|old| takes_over && !self.flow.wanted.is_in(old)) {
            self.unchanged = (self.unchanged.0 + 1, self.unchanged.1 + bytes);
            return listing.frame.push_ready(self.flow, Box::new(old.clone()), true);
        }
        if let Some(dir) = old.as_ref().filter(|old| holds_files(old)) {
            let (path, unmounted) = (listing.path.join(name), self.unmounted(listing, dir));
            if self.stays(listing, Some(dir), unmounted.as_deref())? {
                listing.source.inner.lacks(&path);
                return Ok(());
            }
            listing.source.inner.counts(&path);
        }
        let has_content = stat.kind == Kind::File && stat.size > 0;
        listing.turnover.1 += u64::from(has_content && old.is_none());
        if let (Some(entry), true) = (so_far.as_ref(), still) {
            return self.take_over(listing, old.as_ref(), (Box::new(entry.clone()), None), bytes);
        }
        if !has_content {
            let (entry, troubles) = match capture(&listing.dir, name, &stat, self.flow.owners) {
                Ok(captured) => captured,
                Err(fault) => return self.skip(listing, name, old, fault),
            };
            self.tell(troubles, || listing.path.join(name));
            let action = self.flow.counts.file(old.as_ref(), &entry);
            listing.source.tally.file(action, None);
            self.flow.item(action, || listing.path.join(name), 0, None);
            return listing.frame.push_ready(self.flow, Box::new(entry), false);
        }
        let source = &listing.source;
        let taken = source.taken.get(|| listing.path.join(name), &stat, stable, source.early_step.is_none());
        if let Some(taken) = taken {
            return self.take_over(listing, old.as_ref(), taken, bytes);
        }
        let previous = old.map(Box::new);
        let slot = listing.frame.push_pending(name, so_far.map(Box::new).or_else(|| previous.clone()));
        let task = FileTask {
            dir: Arc::clone(&listing.dir),
            path: listing.path.join(name),
            name: name.into(),
            stat,
            previous,
            parent: Parent::Frame(Arc::clone(&listing.frame), slot),
            source: Arc::clone(&listing.source),
            granularity_ns: listing.source.mount.granularity_ns,
        };
        self.add(task, stat.size)
    }

    fn left_out(&self, listing: &Listing<'_>, name: &[u8], stat: &Stat) -> Option<String> {
        let selection = &listing.source.selection;
        if selection.is_empty() {
            return None;
        }
        selection.decide_here(&listing.path.join(name), stat.kind == Kind::Dir, stat.size)
    }

    /// A directory below: it gets a slot, and is scanned after this slice.
    fn directory(
        &mut self,
        listing: &mut Listing<'a>,
        name: &[u8],
        stat: &Stat,
        (old, so_far): (Option<Entry>, Option<Entry>),
        same: bool,
        below: &mut Vec<Enter>,
    ) -> Result<()> {
        let (draft, same) = match &old {
            Some(old) if same && old.mark.is_none() => (old.clone(), true),
            _ => match capture(&listing.dir, name, stat, self.flow.owners) {
                Ok((entry, troubles)) => {
                    self.tell(troubles, || listing.path.join(name));
                    let same = old.as_ref().is_some_and(|old| same_metadata(old, &entry));
                    (entry, same)
                }
                Err(fault) => return self.skip(listing, name, old, fault),
            },
        };
        let previous = old.as_ref().and_then(child_of);
        let mark = old.as_ref().and_then(|old| old.mark);
        if listing.source.leaves_other_file_system(stat) {
            let unmounted = listing.unmounted.clone();
            if self.stays(listing, old.as_ref(), unmounted.as_deref())? {
                return Ok(());
            }
            let mut entry = draft;
            entry.what = What::Dir(empty_dir(self.flow)?);
            return listing.frame.push_ready(self.flow, Box::new(entry), false);
        }
        // What a checkpoint has of it until it is listed.
        let slot = listing.frame.push_pending(name, so_far.as_ref().or(old.as_ref()).cloned().map(Box::new));
        let trusted = listing.source.before.as_ref().is_some_and(|before| before.trusted);
        let is_other = |so_far: &Child| !trusted || previous.is_none_or(|previous| previous.node != so_far.node);
        below.push(Enter {
            source: Arc::clone(&listing.source),
            path: listing.path.below(name),
            place: Place::Below(Arc::clone(&listing.dir), name.into(), Box::new(*stat)),
            draft: Box::new(draft),
            same,
            previous,
            so_far: so_far.as_ref().and_then(child_of).filter(is_other),
            mark,
            mounted: stat.is_mounted_in(&listing.here),
            ahead: listing.ahead.as_ref().and_then(|ahead| ahead.below(name)),
            unmounted: listing.unmounted.clone(),
            parent: Parent::Frame(Arc::clone(&listing.frame), slot),
        });
        Ok(())
    }

    /// A name that cannot be looked at.
    fn unreadable_name(
        &mut self,
        listing: &mut Listing<'a>,
        name: &[u8],
        old: Option<Entry>,
        error: &std::io::Error,
    ) -> Result<()> {
        let gone = error.kind() == std::io::ErrorKind::NotFound;
        let code = if gone { Code::SourceVanished } else { Code::SourceUnreadable };
        let shown = for_terminal(&listing.path.join(name));
        self.skip(listing, name, old, Fault::new(code, format!("cannot look at {shown}")).because(error))
    }

    /// A name that is left out for now: never recorded as deleted, unless it is really gone.
    fn skip(&mut self, listing: &mut Listing<'a>, name: &[u8], old: Option<Entry>, fault: Fault) -> Result<()> {
        let gone = fault.code == Code::SourceVanished;
        listing.unchanged.hand_on(self.flow, &listing.frame)?;
        let path = listing.path.join(name);
        listing.source.inner.lacks(&path);
        self.flow.warn(&fault.path(path));
        match old {
            Some(old) if gone => self.gone(listing, old),
            Some(mut old) => {
                old.mark.get_or_insert(Mark::Unreadable(self.now_s()));
                listing.frame.push_ready(self.flow, Box::new(old), false)
            }
            None => Ok(()),
        }
    }

    fn tell(&self, troubles: Vec<Fault>, path: impl Fn() -> Vec<u8>) {
        for mut trouble in troubles {
            trouble.path.get_or_insert_with(&path);
            self.flow.warn(&trouble);
        }
    }

    /// A file joins the parcel; a large one is a parcel of its own.
    fn add(&mut self, task: FileTask, size: u64) -> Result<()> {
        if size > PARCEL_BYTES_MOST {
            let alone = Parcel { files: vec![task], bytes: size };
            return self.send(alone);
        }
        if self.parcel.bytes + size > PARCEL_BYTES_MOST || self.parcel.files.len() >= PARCEL_FILES_MOST {
            self.hand_on()?;
        }
        self.parcel.bytes += size;
        self.parcel.files.push(task);
        Ok(())
    }

    fn hand_on(&mut self) -> Result<()> {
        let parcel = std::mem::take(&mut self.parcel);
        if parcel.files.is_empty() { Ok(()) } else { self.send(parcel) }
    }

    fn send(&self, parcel: Parcel) -> Result<()> {
        // A closed queue means that the run is ending; its reason is kept elsewhere.
        drop(self.flow.parcels.push(parcel));
        Ok(())
    }
}

/// The node of an empty directory.
fn empty_dir(flow: &Flow<'_>) -> Result<Child> {
    Ok(store::tree::DirBuilder::new(flow.tree_keys()).finish(&mut flow.sink())?)
}

fn child_of(entry: &Entry) -> Option<Child> {
    match &entry.what {
        What::Dir(child) => Some(*child),
        _ => None,
    }
}

/// Whether two entries of a directory differ in nothing but what is below, and in their marks.
fn same_metadata(before: &Entry, now: &Entry) -> bool {
    before.mode == now.mode
        && before.owner == now.owner
        && before.mtime == now.mtime
        && before.xattrs == now.xattrs
        && before.flags == now.flags
        && before.facts == now.facts
}
