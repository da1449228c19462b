//! What `--delete` removes, and what it leaves alone.
//!
//! A version that lacks something says nothing of what no backup would take, of other file systems, and of what the filter of
//! the restore leaves out: that stays, with the directories that lead to it. So everything below a name is looked at before
//! any of it goes, and what may go goes as whole as it can.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::tree::Kind;

use super::flow::{Flow, add};
use super::place::{Finish, Place};
use crate::engine::filter_command::FilterCommand;
use crate::engine::job::RuledSource;
use crate::engine::overlay::components;
use crate::engine::own::Own;
use crate::engine::queue::lock;
use crate::engine::why::innermost;
use crate::event::{Action, Event};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::source::{Selection, Stat};
use crate::target::TargetDir;

/// So many of the things that would go are named to people.
pub const NAMED_MAX: usize = 20;

/// Why what stands on a mount stays.
pub const OTHER_FILE_SYSTEM: &str = "it is another file system";

/// What backups of this machine leave out now.
#[derive(Debug, Default)]
pub struct Rules {
    sources: Vec<Ruled>,
    /// A host label stands in front of the paths of the version.
    hosts: bool,
    /// What no backup takes and no restore touches.
    own: Own,
}

/// The rules of one source.
#[derive(Debug)]
struct Ruled {
    path: Vec<u8>,
    selection: Selection,
    filter: Option<FilterCommand>,
    /// The filter has failed: nobody knows any more what it would leave out.
    undecided: AtomicBool,
}

impl Rules {
    /// Compiles them. Errors when a pattern is not understood.
    pub fn new(sources: &[RuledSource], hosts: bool, own: Own) -> Result<Self> {
        let ruled = |source: &RuledSource| {
            let filter = source.filter.clone().map(|job| FilterCommand::new(job, source.path.clone()));
            let selection = Selection::new(&source.rules)?.below(&source.path);
            Ok(Ruled { path: source.path.clone(), selection, filter, undecided: AtomicBool::new(false) })
        };
        Ok(Self { sources: sources.iter().map(ruled).collect::<Result<_>>()?, hosts, own })
    }

    /// What no restore touches.
    pub fn ours(&self) -> &Own {
        &self.own
    }

    /// Why a directory is left as it is. What a link leads to may also lie below one that is.
    pub fn keeps(&self, dir: &TargetDir, led: bool) -> Option<&'static str> {
        if led { self.own.refuses(dir.dir(), false) } else { self.own.holds_of(dir.dir()) }
    }

    /// Why nothing is restored at a path. With `named`, a person has named it as the place for something else.
    pub fn refuses(&self, path: &Path, named: bool) -> Option<&'static str> {
        self.own.refuses_at(path, named)
    }

    /// A path of the version as backups here call it.
    fn own(&self, path: &[u8]) -> Vec<u8> {
        let names: Vec<&[u8]> = components(path).skip(usize::from(self.hosts)).collect();
        [b"/", names.join(&b'/').as_slice()].concat()
    }

    /// The rules for a path: those of the innermost source that it lies in.
    fn of(&self, path: &[u8]) -> Option<&Ruled> {
        innermost(&self.sources, path, |source| &source.path)
    }

    /// Whether all that is in a directory is left out.
    fn leaves_content(&self, path: &[u8], dir: &TargetDir) -> io::Result<bool> {
        let Some(ruled) = self.of(path).filter(|ruled| ruled.selection.has_tags()) else { return Ok(false) };
        Ok(ruled.selection.leaves_dir_content(dir.dir(), &dir.dir().list()?).is_some())
    }
}

impl Ruled {
    fn leaves_out(&self, path: &[u8], stat: &Stat, flow: &Flow<'_>) -> bool {
        self.selection.decide(path, stat.kind == Kind::Dir, stat.size).is_some()
            || self.selection.left_out_by_age(stat).is_some()
            || self.filter.as_ref().is_some_and(|filter| self.filters(filter, path, stat, flow))
    }

    fn filters(&self, filter: &FilterCommand, path: &[u8], stat: &Stat, flow: &Flow<'_>) -> bool {
        let mut asked = path.to_vec();
        asked.extend((stat.kind == Kind::Dir).then_some(b'/'));
        if self.undecided.load(Ordering::Relaxed) {
            return true;
        }
        match filter.leaves_out(&[asked], &|| flow.stop.asked()) {
            Ok(answer) => answer != [false] || flow.stop.asked(),
            Err(fault) => {
                self.undecided.store(true, Ordering::Relaxed);
                flow.warn(Fault { message: format!("{}; nothing of it is removed", fault.message), ..fault });
                true
            }
        }
    }
}

/// A directory of which some names may go.
struct Level {
    place: Arc<Place>,
    name: Box<[u8]>,
    path: Vec<u8>,
    /// Go with all that is in them.
    go: Vec<Box<[u8]>>,
    /// Directories that are not looked into yet.
    dirs: Vec<Box<[u8]>>,
    /// Something in it stays.
    stays: bool,
}

impl Flow<'_> {
    /// Removes what stands under these names of a directory, but for what stays. True: all of it is gone, or would be.
    pub fn clear(&self, place: &Arc<Place>, path: &[u8], names: Vec<Box<[u8]>>) -> bool {
        let top = Level::new(Arc::clone(place), Box::default(), path.to_vec());
        let looked = self.places.open(place).and_then(|dir| self.look(top, &dir, names));
        let mut at = match looked {
            Ok(top) => top,
            Err(error) => return self.not_removed(path.to_vec(), error),
        };
        let mut above: Vec<Level> = Vec::new();
        loop {
            if self.stop.asked() || self.has_failed() {
                at.stays = true;
                at.dirs.clear();
                at.go.clear();
            }
            if let Some(name) = at.dirs.pop() {
                match self.enter(&at, &name) {
                    Ok(below) => above.push(std::mem::replace(&mut at, below)),
                    Err(error) => {
                        at.stays = true;
                        self.not_removed(at.path_of(&name), error);
                    }
                }
                continue;
            }
            let Some(mut up) = above.pop() else { return self.remove_all(&at) };
            if at.stays {
                self.remove_all(&at);
                up.stays = true;
            } else {
                up.go.push(std::mem::take(&mut at.name));
            }
            if at.place.let_go() {
                self.place_done(&at.place);
            }
            at = up;
        }
    }

    /// Opens a directory below, and looks at what is in it.
    fn enter(&self, above: &Level, name: &[u8]) -> io::Result<Level> {
        let dir = self.places.open(&above.place)?.child(name)?;
        let names = dir.names()?;
        let place = self.places.below(&above.place, name, dir.clone(), Finish::Leave);
        let level = Level::new(Arc::clone(&place), name.into(), above.path_of(name));
        let looked = self.look(level, &dir, names);
        if looked.is_err() && place.let_go() {
            self.place_done(&place);
        }
        looked
    }

    /// Tells what may go from what stays.
    fn look(&self, mut level: Level, dir: &TargetDir, names: Vec<Box<[u8]>>) -> io::Result<Level> {
        let here = dir.stat_self()?;
        if let Some(why) = self.rules.keeps(dir, false) {
            level.stays = true;
            self.stays(&level.path, why);
            return Ok(level);
        }
        if self.rules.leaves_content(&self.rules.own(&level.path), dir)? {
            level.stays = true;
            return Ok(level);
        }
        for name in names {
            let path = level.path_of(&name);
            let stat = match dir.existing(&name) {
                Ok(Some(stat)) => stat,
                Ok(None) => continue,
                Err(error) => {
                    level.stays = true;
                    self.not_removed(path, error);
                    continue;
                }
            };
            let is_dir = stat.kind == Kind::Dir;
            let own = self.rules.own(&path);
            if self.filter.excludes(&path)
                || self.rules.of(&own).is_some_and(|rules| rules.leaves_out(&own, &stat, self))
            {
                level.stays = true;
            } else if is_dir && !stat.is_in_mount_of(&here) {
                level.stays = true;
                self.stays(&path, OTHER_FILE_SYSTEM);
            } else if is_dir {
                level.dirs.push(name);
            } else {
                level.go.push(name);
            }
        }
        Ok(level)
    }

    /// Removes what may go of a directory in which something else stays. True: nothing stays.
    fn remove_all(&self, level: &Level) -> bool {
        let mut all = !level.stays;
        let dir = if self.options.dry_run { Ok(None) } else { self.places.open(&level.place).map(Some) };
        for name in &level.go {
            let path = level.path_of(name);
            let removed = match &dir {
                Ok(dir) => dir.as_ref().map_or(Ok(()), |dir| dir.remove(name)),
                Err(error) => Err(error.kind().into()),
            };
            match removed {
                Ok(()) => self.removed(path),
                Err(error) => all &= self.not_removed(path, error),
            }
        }
        all
    }

    fn removed(&self, path: Vec<u8>) {
        add(&self.counts.deleted, 1);
        let mut named = lock(&self.deleted);
        if named.len() < NAMED_MAX {
            named.push(path.clone());
        }
        drop(named);
        self.told(Action::Deleted, || path, 0);
    }

    /// Tells it; always false.
    fn not_removed(&self, path: Vec<u8>, error: io::Error) -> bool {
        add(&self.counts.skipped, 1);
        let fault = Fault::new(Code::RestoreSkipped, format!("cannot remove {}", for_terminal(&path)));
        self.warn(fault.because(error).path(path));
        false
    }

    /// Whether an open directory is a mount, or another file system than the one above it: then nothing in it is removed. That
    /// costs two questions, which only `--delete` needs.
    pub fn leaves_mount(&self, above: &Arc<Place>, dir: &TargetDir) -> bool {
        let stays = || Ok::<_, io::Error>(dir.stat_self()?.is_in_mount_of(&self.places.open(above)?.stat_self()?));
        self.options.delete && !stays().unwrap_or(false)
    }

    /// Something that the version does not have stays, and why.
    pub fn stays(&self, path: &[u8], why: &str) {
        self.watcher.event(&Event::Note(&format!("what is in {} stays: {why}", for_terminal(path))));
    }
}

impl Level {
    fn new(place: Arc<Place>, name: Box<[u8]>, path: Vec<u8>) -> Self {
        Self { place, name, path, go: Vec::new(), dirs: Vec::new(), stays: false }
    }

    fn path_of(&self, name: &[u8]) -> Vec<u8> {
        [self.path.strip_suffix(b"/").unwrap_or(&self.path), b"/", name].concat()
    }
}
