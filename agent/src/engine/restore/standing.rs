//! What stands in the target under a name that is to be restored, and whether it stays.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};

use store::tree::{Entry, Kind, What};

use super::beside;
use super::flow::Flow;
use super::item::{First, Kept};
use super::lost::Lost;
use super::place::Place;
use super::verify::has_content;
use crate::engine::job::Overwrite;
use crate::event::Event;
use crate::name::for_terminal;
use crate::source::Stat;
use crate::target::{TargetDir, is_link_to, same};

/// What is to be done with a name.
pub enum Verdict {
    /// Write it; `true`: something else stands there and goes.
    Write(bool),
    /// Leave what stands there.
    Keep(Stat),
    /// Leave what stands there, and write it beside under this name.
    Beside(Box<[u8]>),
}

/// A directory that was there.
pub struct Standing {
    /// It, open.
    pub dir: TargetDir,
    /// An earlier run made it, and ended before it was finished: it is as one that this run makes.
    pub unfinished: bool,
    /// A link leads to it.
    pub led: bool,
    /// The permissions that it had, when they are others for the time of the run.
    pub had: Option<u16>,
}

impl Standing {
    /// One that this run has made.
    pub fn made(dir: TargetDir) -> Self {
        Self { dir, unfinished: true, led: false, had: None }
    }
}

impl Flow<'_> {
    /// Opens a directory that is there. `None`: something else was, and is gone now.
    /// What only leads to what was `asked` for is left as it is.
    /// The path of a `source` is the person's own, and a backup of it follows a link there.
    pub fn existing_dir(
        &self,
        above: &Arc<Place>,
        name: &[u8],
        entry: &Entry,
        (asked, source): (bool, bool),
    ) -> io::Result<Option<Standing>> {
        let dir = self.places.open(above)?;
        let Some(stat) = dir.existing(name)? else { return Ok(None) };
        if let Some(led) = self.led(&dir, name, &stat, source) {
            return Ok(Some(Standing { dir: led, unfinished: false, led: true, had: None }));
        }
        if stat.kind == Kind::Dir {
            // An owner without permission in a directory of theirs gets it until the directory is finished.
            let frees = !self.options.dry_run && !self.rights.is_root() && stat.mode & 0o700 != 0o700;
            let child = if frees { dir.child_freed(name)? } else { dir.child(name)? };
            let had = frees.then_some(stat.mode);
            let unfinished = TargetDir::is_unfinished(&stat, entry, &self.rights);
            return Ok(Some(Standing { dir: child, unfinished, led: false, had }));
        }
        let goes = match self.options.overwrite {
            _ if !asked => false,
            Overwrite::Always | Overwrite::IfChanged => true,
            Overwrite::IfNewer => entry.mtime > stat.mtime,
            Overwrite::KeepBoth | Overwrite::Never => false,
        };
        if !goes {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no directory stands there"));
        }
        if !self.options.dry_run {
            dir.remove(name)?;
        }
        Ok(None)
    }

    /// The directory that a link leads to which stands where a source was.
    pub fn led(&self, dir: &TargetDir, name: &[u8], stat: &Stat, source: bool) -> Option<TargetDir> {
        let follows = self.options.in_place && source && stat.kind == Kind::Symlink;
        follows.then(|| dir.led(name).ok())?
    }

    /// What stands under a name decides.
    /// With `clears`, a directory goes for anything else.
    pub fn verdict(&self, place: &Arc<Place>, entry: &Entry, clears: bool) -> io::Result<Verdict> {
        let dir = self.places.open(place)?;
        let Some(stat) = dir.existing(&entry.name)? else { return Ok(Verdict::Write(false)) };
        let keep = match self.options.overwrite {
            Overwrite::Always => false,
            Overwrite::IfChanged => self.is_as_it_was(&dir, &stat, entry),
            Overwrite::IfNewer => entry.mtime <= stat.mtime,
            Overwrite::KeepBoth if !self.is_as_it_was(&dir, &stat, entry) => return self.beside(&dir, entry),
            Overwrite::KeepBoth | Overwrite::Never => true,
        };
        if keep {
            return Ok(Verdict::Keep(stat));
        }
        if stat.kind == Kind::Dir {
            if !clears {
                return Err(io::Error::new(
                    io::ErrorKind::IsADirectory,
                    "a directory stands there; --delete removes it",
                ));
            }
            if !self.clear(place, &place.path(), vec![entry.name.clone()]) {
                return Err(io::Error::new(
                    io::ErrorKind::DirectoryNotEmpty,
                    "a directory stands there, and something in it stays",
                ));
            }
            return Ok(Verdict::Write(false));
        }
        Ok(Verdict::Write(true))
    }

    /// The first name beside it that is free, or that has it already.
    fn beside(&self, dir: &TargetDir, entry: &Entry) -> io::Result<Verdict> {
        for name in beside::names(&entry.name, self.moment) {
            let Some(stat) = dir.existing(&name)? else { return Ok(Verdict::Beside(name)) };
            if self.is_as_it_was(dir, &stat, &Entry { name, ..entry.clone() }) {
                return Ok(Verdict::Keep(stat));
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of this name stand there already"))
    }

    /// The entry by the name that it has in the target: its own, or with `keep-both` perhaps one beside it.
    pub fn as_written(&self, dir: &TargetDir, entry: &Entry) -> io::Result<Entry> {
        let own = entry.clone();
        if self.options.overwrite != Overwrite::KeepBoth {
            return Ok(own);
        }
        for name in [own.name.clone()].into_iter().chain(beside::names(&entry.name, self.moment)) {
            match dir.existing(&name)? {
                Some(stat) if same(&stat, entry) => return Ok(Entry { name, ..own }),
                Some(_) => {}
                None => return Ok(own),
            }
        }
        Ok(own)
    }

    /// Whether further names of a file may join the one that stands there.
    pub fn is_to_join(&self, place: &Arc<Place>, stat: &Stat, entry: &Entry) -> bool {
        self.places.open(place).is_ok_and(|dir| self.is_as_it_was(&dir, stat, entry))
    }

    /// What stands there, as the first name of a file.
    pub fn kept_first(&self, place: &Arc<Place>, stat: &Stat, entry: &Entry) -> First {
        // Nobody has touched the file since the backup saw it, not even one of its names.
        let facts = &entry.facts;
        let untouched = stat.inode == facts.inode && stat.ctime == facts.ctime && !facts.racy;
        let kept = (!untouched).then(|| Kept { entry: entry.clone(), right: OnceLock::new() });
        let (place, name) = (Arc::clone(place), entry.name.clone());
        First { place, name, identity: stat.identity(), lost: Lost::default(), kept }
    }

    /// Whether a first name is what its further names shall be. Of one that was kept, that is read and compared: with the
    /// first further name that is written, and not before.
    pub fn is_right(&self, first: &First) -> bool {
        let Some(Kept { entry, right }) = &first.kept else { return true };
        *right.get_or_init(|| {
            let is = self.has_content(first, entry).unwrap_or(false);
            if !is {
                let path = for_terminal(&first.place.path_of(&first.name));
                self.watcher.event(&Event::Note(&format!(
                    "{path} has another content than in the version, though its size and time are the same: it stays, and \
                     its other names are restored apart from it; `--overwrite always` restores it, too"
                )));
            }
            is
        })
    }

    fn has_content(&self, first: &First, entry: &Entry) -> io::Result<bool> {
        let What::File { size, content, .. } = &entry.what else { return Ok(true) };
        let file = self.places.open(&first.place)?.read(&first.name)?;
        if Stat::of(file.as_fd())?.identity() != first.identity {
            return Ok(false);
        }
        has_content((self.nodes, self.sealer), &file, (*size, content), false, &mut Vec::new())
    }

    /// Whether nothing would change: also permissions, and the owner where it can be set.
    fn is_as_it_was(&self, dir: &TargetDir, stat: &Stat, entry: &Entry) -> bool {
        let rights = &self.rights;
        let link = matches!(entry.what, What::Symlink(_));
        same(stat, entry)
            && (link || stat.mode == entry.mode & 0o7777)
            && (!rights.is_root() || rights.resolve(&entry.owner) == (stat.uid, stat.gid))
            && match &entry.what {
                What::Symlink(target) => is_link_to(dir, &entry.name, target),
                _ => true,
            }
    }
}
