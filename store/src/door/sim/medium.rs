//! What a simulated disk holds: what was synced apart from what was not, and what a crash may leave of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::Dice;

/// A file or folder, whatever its names.
pub(super) type Ino = u64;
/// A process that uses the disk.
pub type Process = u32;

/// The folder `/`.
pub(super) const ROOT: Ino = 1;
/// What a disk writes at once.
const PAGE_BYTES: usize = 4096;

#[derive(Clone, Debug)]
pub(super) enum Body {
    File(Content),
    Dir(Names),
}

/// The bytes of a file. All files grow at their end only, so what was synced is a beginning.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Up to here they survive.
    synced: usize,
    /// What a failed sync has thrown away: it can be read until the crash, and no sync brings it back.
    lost: Vec<Range<usize>>,
}

/// The names in a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) now: BTreeMap<OsString, Ino>,
    /// What survives, with the moment of the change. `None`: the name is gone.
    synced: BTreeMap<OsString, (Option<Ino>, u64)>,
}

/// Names that change at once.
#[derive(Clone, Debug)]
struct Change {
    stamp: u64,
    names: Vec<(Ino, OsString, Option<Ino>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Medium {
    bodies: BTreeMap<Ino, Body>,
    next: Ino,
    stamp: u64,
    unsynced: Vec<Change>,
    pub(super) locks: BTreeMap<Ino, (Process, u64)>,
    pub(super) dead: BTreeSet<Process>,
    /// Syncing a file makes its names durable too, as journalling file systems do.
    pub(super) journalling: bool,
    /// Folders at which other disks are, and whether each is there now.
    pub(super) mounts: BTreeMap<PathBuf, bool>,
}

impl Medium {
    pub(super) fn new() -> Self {
        Self {
            bodies: BTreeMap::from([(ROOT, Body::Dir(Names::default()))]),
            next: ROOT + 1,
            stamp: 0,
            unsynced: Vec::new(),
            locks: BTreeMap::new(),
            dead: BTreeSet::new(),
            journalling: false,
            mounts: BTreeMap::new(),
        }
    }

    // ---- looking

    pub(super) fn body(&self, ino: Ino) -> Option<&Body> {
        self.bodies.get(&ino)
    }

    pub(super) fn content(&mut self, ino: Ino) -> Option<&mut Content> {
        match self.bodies.get_mut(&ino) {
            Some(Body::File(content)) => Some(content),
            _ => None,
        }
    }

    fn names(&self, ino: Ino) -> Option<&Names> {
        match self.bodies.get(&ino) {
            Some(Body::Dir(names)) => Some(names),
            _ => None,
        }
    }

    /// The disk on which a path is: where it is mounted, or nothing for the first.
    fn mount(&self, path: &Path) -> Option<(&Path, bool)> {
        self.mounts.iter().find(|(at, _)| path.starts_with(at)).map(|(at, there)| (at.as_path(), *there))
    }

    /// No name leads from one disk to another.
    fn one_disk(&self, from: &Path, to: &Path) -> Result<(), ErrorKind> {
        let at = |path| self.mount(path).map(|(at, _)| at);
        if at(from) == at(to) { Ok(()) } else { Err(ErrorKind::CrossesDevices) }
    }

    pub(super) fn find(&self, path: &Path) -> Result<Ino, ErrorKind> {
        // Where a disk is not, there is an empty folder.
        if self.mount(path).is_some_and(|(at, there)| !there && at != path) {
            return Err(ErrorKind::NotFound);
        }
        let mut at = ROOT;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let names = self.names(at).ok_or(ErrorKind::NotADirectory)?;
            at = *names.now.get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    pub(super) fn find_dir(&self, path: &Path) -> Result<(Ino, &Names), ErrorKind> {
        let ino = self.find(path)?;
        Ok((ino, self.names(ino).ok_or(ErrorKind::NotADirectory)?))
    }

    /// The folder that holds the last name of a path, and that name.
    fn above<'p>(&self, path: &'p Path) -> Result<(Ino, &'p OsStr), ErrorKind> {
        let name = path.file_name().ok_or(ErrorKind::AlreadyExists)?;
        if self.mount(path).is_some_and(|(at, there)| !there && at != path) {
            // As a place that nobody may write to.
            return Err(ErrorKind::NotFound);
        }
        let (dir, _) = self.find_dir(path.parent().unwrap_or(Path::new("/")))?;
        Ok((dir, name))
    }

    // ---- names

    fn change(&mut self, names: Vec<(Ino, OsString, Option<Ino>)>) {
        self.stamp += 1;
        for (dir, name, to) in &names {
            if let Some(Body::Dir(dir)) = self.bodies.get_mut(dir) {
                match to {
                    Some(ino) => dir.now.insert(name.clone(), *ino),
                    None => dir.now.remove(name),
                };
            }
        }
        self.unsynced.push(Change { stamp: self.stamp, names });
    }

    pub(super) fn make(&mut self, path: &Path, body: Body) -> Result<Ino, ErrorKind> {
        let (dir, name) = self.above(path)?;
        if self.names(dir).is_some_and(|names| names.now.contains_key(name)) {
            return Err(ErrorKind::AlreadyExists);
        }
        let ino = self.next;
        self.next += 1;
        self.bodies.insert(ino, body);
        self.change(vec![(dir, name.to_owned(), Some(ino))]);
        Ok(ino)
    }

    /// As `link(2)`: both names stay.
    pub(super) fn link(&mut self, from: &Path, to: &Path) -> Result<(), ErrorKind> {
        self.one_disk(from, to)?;
        let ino = self.find(from)?;
        let (dir, name) = self.above(to)?;
        match self.names(dir).and_then(|names| names.now.get(name)) {
            Some(there) if *there == ino => Ok(()),
            Some(_) => Err(ErrorKind::AlreadyExists),
            None => {
                self.change(vec![(dir, name.to_owned(), Some(ino))]);
                Ok(())
            }
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, replacing: bool) -> Result<(), ErrorKind> {
        self.one_disk(from, to)?;
        let ino = self.find(from)?;
        let ((old_dir, old), (new_dir, new)) = (self.above(from)?, self.above(to)?);
        match self.names(new_dir).and_then(|names| names.now.get(new)) {
            Some(there) if *there == ino => return Ok(()),
            Some(_) if !replacing => return Err(ErrorKind::AlreadyExists),
            Some(there) if matches!(self.bodies.get(there), Some(Body::Dir(_))) => return Err(ErrorKind::IsADirectory),
            _ => {}
        }
        self.change(vec![(old_dir, old.to_owned(), None), (new_dir, new.to_owned(), Some(ino))]);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path, folder: bool) -> Result<(), ErrorKind> {
        let ino = self.find(path)?;
        match (self.bodies.get(&ino), folder) {
            (Some(Body::Dir(names)), true) if !names.now.is_empty() => return Err(ErrorKind::DirectoryNotEmpty),
            (Some(Body::Dir(_)), true) | (Some(Body::File(_)), false) => {}
            (_, true) => return Err(ErrorKind::NotADirectory),
            (_, false) => return Err(ErrorKind::IsADirectory),
        }
        let (dir, name) = self.above(path)?;
        self.change(vec![(dir, name.to_owned(), None)]);
        Ok(())
    }

    // ---- what survives

    /// Makes the changes durable that this says yes to. A rename is one change: both names, or neither.
    fn settle(&mut self, mut survives: impl FnMut(&Change) -> bool) {
        let (kept, rest) = std::mem::take(&mut self.unsynced).into_iter().partition(|change| survives(change));
        self.unsynced = rest;
        let kept: Vec<Change> = kept;
        for change in kept {
            for (dir, name, to) in change.names {
                let Some(Body::Dir(dir)) = self.bodies.get_mut(&dir) else { continue };
                // A change that was made durable before an older one is not undone by it.
                if dir.synced.get(&name).is_none_or(|(_, stamp)| *stamp < change.stamp) {
                    dir.synced.insert(name, (to, change.stamp));
                }
            }
        }
    }

    pub(super) fn sync_dir(&mut self, dir: Ino) {
        self.settle(|change| change.names.iter().any(|(of, ..)| *of == dir));
    }

    pub(super) fn sync_file(&mut self, ino: Ino) {
        if let Some(content) = self.content(ino) {
            content.synced = content.bytes.len();
        }
        if self.journalling {
            self.settle(|change| change.names.iter().any(|(.., to)| *to == Some(ino)));
        }
    }

    /// A sync that fails, after which the system takes its pages for written.
    pub(super) fn forget(&mut self, ino: Ino) {
        if let Some(content) = self.content(ino) {
            content.lost.push(content.synced..content.bytes.len());
            content.synced = content.bytes.len();
        }
    }

    /// The machine loses its power: of everything that was not synced something legal stays. Every process ends.
    pub(super) fn crash(&mut self, dice: &mut Dice) {
        self.locks.clear();
        let last = match self.unsynced.len() {
            0 => 0,
            some => self.unsynced.get(dice.below(some)).map_or(0, |change| change.stamp),
        };
        match dice.below(4) {
            // A journal: everything up to some moment.
            0 => self.settle(|change| change.stamp < last),
            // No order at all.
            1 => {
                let mut each = dice.split();
                self.settle(|_| each.one_in(2));
            }
            2 => self.settle(|_| false),
            _ => self.settle(|_| true),
        }
        self.unsynced.clear();
        self.keep_what_is_named();
        for body in self.bodies.values_mut() {
            if let Body::File(content) = body {
                content.tear(dice);
            }
        }
    }

    /// After a crash there is nothing but what was synced, and what has no name is gone.
    fn keep_what_is_named(&mut self) {
        for body in self.bodies.values_mut() {
            if let Body::Dir(names) = body {
                names.synced.retain(|_, (to, _)| to.is_some());
                names.now = names.synced.iter().filter_map(|(name, (to, _))| Some((name.clone(), (*to)?))).collect();
            }
        }
        let mut named = BTreeSet::new();
        let mut folders = vec![ROOT];
        while let Some(ino) = folders.pop() {
            if named.insert(ino)
                && let Some(names) = self.names(ino)
            {
                folders.extend(names.now.values());
            }
        }
        self.bodies.retain(|ino, _| named.contains(ino));
    }
}

impl Content {
    /// What a crash leaves: all that was synced, and of the rest some beginning in which pages may be missing or be
    /// anything.
    fn tear(&mut self, dice: &mut Dice) {
        for lost in std::mem::take(&mut self.lost) {
            if let Some(bytes) = self.bytes.get_mut(lost) {
                bytes.fill(0);
            }
        }
        let unsynced = self.bytes.len() - self.synced;
        let kept = match dice.below(4) {
            0 => 0,
            1 => unsynced,
            _ => dice.below(unsynced + 1),
        };
        self.bytes.truncate(self.synced + kept);
        if dice.one_in(2) {
            let mut at = self.synced;
            while at < self.bytes.len() {
                let end = self.bytes.len().min((at / PAGE_BYTES + 1) * PAGE_BYTES);
                if let Some(page) = self.bytes.get_mut(at..end) {
                    match dice.below(3) {
                        0 => page.fill(0),
                        1 => page.iter_mut().for_each(|byte| *byte = dice.number().to_le_bytes()[0]),
                        _ => {}
                    }
                }
                at = end;
            }
        }
        self.synced = self.bytes.len();
    }
}
