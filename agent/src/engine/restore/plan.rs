//! First stage: walks the version, makes directories, decides about each name, and says which chunks are needed.
//!
//! Runs on one thread, in the order of a scan, so that windows follow the order in which boxes were made.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use store::tree::{Content, Entry, Mark, Piece, PieceReader, Time, What};

use super::clear::OTHER_FILE_SYSTEM;
use super::flow::{Flow, Work, about, add, damaged, failure, interrupted};
use super::item::{Further, Item, Names, size_of};
use super::place::{Finish, Place};
use super::roots::{Root, above};
use super::standing::{Standing, Verdict};
use super::window::{Draft, Use};
use crate::engine::job::Overwrite;
use crate::engine::overlay::{Found, Overlay};
use crate::engine::queue::lock;
use crate::engine::walk::{Step, Walk};
use crate::event::Action;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::profile::did;
use crate::source::Stat;
use crate::target::Target;

/// Items that go to a writer together.
const BUNDLE: usize = 32;

/// A directory that the planner is in.
struct Level {
    /// The directory, by the name that it gets.
    entry: Entry,
    /// What stands there now is left as it is, but for what is restored in it.
    made_up: bool,
    /// All of it is restored, and not only some of what is in it.
    inside: bool,
    place: Made,
    /// Names that stand there; `None`: nothing does.
    existing: Option<Vec<Box<[u8]>>>,
    /// Names that the version has; kept for `--delete`.
    names: Vec<Box<[u8]>>,
    /// Some names of the version cannot be known.
    incomplete: bool,
    /// It was not asked for by itself, and may lie in another file system than the one above.
    below: bool,
    /// Why nothing that stands there is removed.
    stays: Option<&'static str>,
}

/// Whether a directory is there.
enum Made {
    /// Not yet: nothing in it was restored so far.
    Not,
    /// It is.
    Yes(Arc<Place>),
    /// It would be made, if this were not a dry run.
    Dry,
    /// It cannot be made.
    Failed,
}

/// The first names of files that have several: what they are, and the names that were met.
type Linked = HashMap<(Option<usize>, u64, u64), Vec<(What, Time, Time, Arc<Names>)>>;

/// The planner.
pub struct Planner<'f, 'a> {
    flow: &'f Flow<'a>,
    levels: Vec<Level>,
    /// The place of what was asked for among the levels.
    asked: usize,
    linked: Linked,
    /// The target that was last found to be none of tuckbox's own.
    allowed: Option<PathBuf>,
    draft: Draft,
    bundle: Vec<Arc<Item>>,
}

impl<'f, 'a> Planner<'f, 'a> {
    /// A planner of this run.
    pub fn new(flow: &'f Flow<'a>) -> Self {
        let (levels, bundle) = (Vec::new(), Vec::new());
        Self { flow, asked: 0, levels, linked: HashMap::new(), allowed: None, draft: Draft::default(), bundle }
    }

    /// Plans everything, and waits until it is written.
    pub fn run(mut self, overlay: &Overlay<'_>, roots: &[Root<'_>]) -> Result<()> {
        for root in roots {
            self.root(overlay, root)?;
        }
        loop {
            self.flush();
            if !self.flow.wait_for_all() {
                return Ok(());
            }
            let late = std::mem::take(&mut *lock(&self.flow.late));
            if late.is_empty() {
                break;
            }
            for item in late {
                self.flow.item_begins();
                self.content(item)?;
            }
        }
        self.flow.finish_flagged();
        self.flow.progress();
        Ok(())
    }

    fn dry(&self) -> bool {
        self.flow.options.dry_run
    }

    // ---- roots and the walk -------------------------------------------------------------------------------------

    /// Whether a root may be restored: what tuckbox keeps here itself is no place for anything else. What is restored in place
    /// was there once, so the rest goes on.
    fn may_write(&mut self, root: &Root<'_>) -> Result<bool> {
        if self.allowed.as_ref() == Some(&root.target) {
            return Ok(true);
        }
        let in_place = self.flow.options.in_place;
        let Some(why) = self.flow.rules.refuses(&root.target, !in_place) else {
            self.allowed = Some(root.target.clone());
            return Ok(true);
        };
        if in_place {
            self.flow.stays(&root.path, why);
            return Ok(false);
        }
        let target = for_terminal(root.target.as_os_str().as_encoded_bytes());
        Err(Fault::new(Code::Usage, format!("cannot restore to {target}: {why}"))
            .hint("name another directory: --to DIR"))
    }

    fn root<'o>(&mut self, overlay: &'o Overlay<'o>, root: &Root<'o>) -> Result<()> {
        if !self.may_write(root)? {
            return Ok(());
        }
        let opened = match Target::open(&root.target, !self.dry()) {
            Ok(target) => Some(target.top().clone()),
            Err(error) if self.dry() && error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let target = for_terminal(root.target.as_os_str().as_encoded_bytes());
                return Err(Fault::new(Code::of(&error), format!("cannot write in {target}"))
                    .because(error)
                    .hint("name a directory, or a place for a new one: --to DIR"));
            }
        };
        self.levels.clear();
        let inside = root.is_target && self.flow.filter.includes(&root.path);
        let finish =
            if inside && !root.found.made_up { self.finish_of(&root.found.entry, false) } else { Finish::Leave };
        let mut top = Level::new(&root.found, inside);
        // What was not asked for is never removed.
        top.made_up |= !root.is_target;
        let shown = if root.is_target { root.path.clone() } else { above(&root.path, root.leading.len() + 1) };
        match opened {
            Some(dir) => {
                top.existing = Some(dir.names().map_err(|error| failure(&root.path, error))?);
                top.place = Made::Yes(self.flow.places.top(dir, &shown, finish));
            }
            None => top.place = Made::Dry,
        }
        self.levels.push(top);
        for leading in &root.leading {
            self.levels.push(Level::new(leading, false));
        }
        self.asked = self.levels.len().saturating_sub(usize::from(root.is_target));
        if root.is_target || self.name(&root.found, &root.path)? {
            self.walk(overlay, root)?;
        }
        while !self.levels.is_empty() {
            self.leave(&[]);
        }
        Ok(())
    }

    fn walk<'o>(&mut self, overlay: &'o Overlay<'o>, root: &Root<'o>) -> Result<()> {
        let mut walk = Walk::as_scanned(overlay, &root.path, &root.found);
        loop {
            if self.flow.stop.asked() {
                return Err(interrupted());
            }
            if self.flow.has_failed() {
                return Ok(());
            }
            match walk.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Step::Leave)) => self.leave(walk.path()),
                Ok(Some(Step::Name(found))) => {
                    if self.name(&found, walk.path())? {
                        walk.enter(&found);
                    }
                }
                Err(fault) => self.unreadable(walk.path(), fault),
            }
        }
    }

    /// The rest of a directory of the version cannot be read.
    fn unreadable(&mut self, path: &[u8], fault: Fault) {
        if let Some(level) = self.levels.last_mut() {
            level.incomplete = true;
        }
        add(&self.flow.counts.skipped, 1);
        add(&self.flow.counts.damaged, 1);
        let fault = damaged("what is in it cannot all be read").because(fault);
        self.flow.warn(about(path, fault));
    }

    /// One name. True: it is a directory that is to be entered.
    fn name(&mut self, found: &Found<'_>, path: &[u8]) -> Result<bool> {
        did(1, 0);
        let deletes = self.flow.options.delete;
        let Some(level) = self.levels.last_mut() else { return Ok(false) };
        if deletes && level.inside && level.existing.is_some() {
            level.names.push(found.entry.name.clone());
        }
        let inside = level.inside || self.flow.filter.includes(path);
        if self.flow.filter.excludes(path) {
            return Ok(false);
        }
        if !found.is_dir() {
            if inside {
                self.item(found, path)?;
            }
            return Ok(false);
        }
        let mut below = Level::new(found, inside);
        // A source stands for itself.
        below.stays = below.stays.or(level.stays.filter(|_| below.below));
        self.levels.push(below);
        if inside && !found.made_up {
            self.make();
            if let Some(Level { place: Made::Failed, .. }) = self.levels.last() {
                self.levels.pop();
                self.flow.dealt_with(found.entry.totals().files, found.entry.totals().bytes);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The directory is at its end: what stood there before and is not in the version is removed.
    fn leave(&mut self, path: &[u8]) {
        let Some(mut level) = self.levels.pop() else { return };
        let Made::Yes(place) = level.place else { return };
        if self.flow.options.delete && level.inside && !level.made_up && !level.incomplete {
            let mut gone = level.existing.unwrap_or_default();
            level.names.sort_unstable();
            gone.retain(|name| level.names.binary_search(name).is_err());
            match level.stays {
                _ if gone.is_empty() => {}
                Some(why) => self.flow.stays(path, why),
                None => _ = self.flow.clear(&place, path, gone),
            }
        }
        if place.let_go() {
            if self.dry() { self.flow.places.forget(&place) } else { self.flow.place_done(&place) }
        }
    }

    // ---- directories --------------------------------------------------------------------------------------------

    fn finish_of(&self, entry: &Entry, made: bool) -> Finish {
        match self.flow.options.overwrite {
            Overwrite::Never | Overwrite::KeepBoth if !made => Finish::Leave,
            _ => Finish::Entry(Box::new(entry.clone())),
        }
    }

    /// Makes the innermost directory, and those above it that are not there yet.
    fn make(&mut self) {
        let mut above: Option<Arc<Place>> = None;
        let mut from = 0;
        for (at, level) in self.levels.iter().enumerate().rev() {
            match &level.place {
                Made::Not => continue,
                Made::Yes(place) => above = Some(Arc::clone(place)),
                Made::Failed => return self.all_from(at, &Made::Failed),
                Made::Dry => return self.all_from(at, &Made::Dry),
            }
            from = at + 1;
            break;
        }
        for at in from..self.levels.len() {
            let Some(place) = above else { return };
            above = self.make_level(&place, at);
        }
    }

    fn all_from(&mut self, at: usize, as_what: &Made) {
        for level in self.levels.iter_mut().skip(at) {
            level.place = if matches!(as_what, Made::Dry) { Made::Dry } else { Made::Failed };
        }
    }

    /// Makes one directory in the one above. `None`: there is none, and all below are as it.
    fn make_level(&mut self, above: &Arc<Place>, at: usize) -> Option<Arc<Place>> {
        let there = at.checked_sub(1).and_then(|up| self.levels.get(up)).and_then(|up| up.existing.as_ref());
        let level = self.levels.get(at)?;
        let name = level.entry.name.clone();
        let stood = there.is_some_and(|names| names.binary_search(&name).is_ok());
        let opened = if stood {
            self.flow.existing_dir(above, &name, &level.entry, (level.inside, !level.below))
        } else {
            Ok(None)
        };
        if let Ok(Some(standing)) = &opened
            && let Some(why) = self.flow.rules.keeps(&standing.dir, standing.led)
        {
            self.flow.stays(&above.path_of(&name), why);
            self.all_from(at, &Made::Failed);
            return None;
        }
        let made = opened.and_then(|standing| match standing {
            Some(standing) => standing.dir.names().map(|names| Some((standing, Some(names)))),
            None if self.dry() => Ok(None),
            None => self.flow.places.open(above)?.make(&name).map(|dir| Some((Standing::made(dir), None))),
        });
        match made {
            Ok(Some((Standing { dir, unfinished: fresh, led, had }, existing))) => {
                let finish = match (self.dry(), level.made_up, level.inside || fresh) {
                    (true, ..) => Finish::Leave,
                    (_, true, _) => {
                        if fresh {
                            Finish::Open
                        } else {
                            Finish::Leave
                        }
                    }
                    (_, false, true) => self.finish_of(&level.entry, fresh),
                    (_, false, false) => Finish::Leave,
                };
                let apart =
                    level.below && at != self.asked && existing.is_some() && self.flow.leaves_mount(above, &dir);
                let places = &self.flow.places;
                let place = match led {
                    true => places.led(above, &name, dir, finish),
                    false => places.below(above, &name, dir, finish),
                };
                had.into_iter().for_each(|mode| places.freed(&place, mode));
                let level = self.levels.get_mut(at)?;
                level.existing = existing;
                level.stays = level.stays.or(apart.then_some(OTHER_FILE_SYSTEM));
                level.place = Made::Yes(Arc::clone(&place));
                Some(place)
            }
            Ok(None) => {
                self.all_from(at, &Made::Dry);
                None
            }
            Err(error) => {
                add(&self.flow.counts.skipped, level.entry.totals().files.max(1));
                let path = above.path_of(&name);
                let fault = failure(&path, error);
                match fault.code {
                    Code::DiskFull => self.flow.fail(fault),
                    _ => {
                        lock(&self.flow.failed_paths).insert(path);
                        self.flow.warn(fault);
                    }
                }
                self.all_from(at, &Made::Failed);
                None
            }
        }
    }

    // ---- everything else ----------------------------------------------------------------------------------------

    fn item(&mut self, found: &Found<'_>, path: &[u8]) -> Result<()> {
        self.make();
        let Some(level) = self.levels.last() else { return Ok(()) };
        let size = size_of(&found.entry);
        let place = match &level.place {
            Made::Yes(place) => Arc::clone(place),
            Made::Dry => {
                self.would_write(path, size, false);
                return Ok(());
            }
            Made::Failed | Made::Not => {
                self.flow.dealt_with(1, size);
                return Ok(());
            }
        };
        let name = &found.entry.name;
        let stands = level.existing.as_ref().is_some_and(|names| names.binary_search(name).is_ok());
        let clears = self.flow.options.delete && level.stays.is_none();
        let verdict = if stands { self.flow.verdict(&place, &found.entry, clears) } else { Ok(Verdict::Write(false)) };
        let names = if self.dry() { None } else { self.names_of(found) };
        match verdict {
            Ok(Verdict::Keep(stat)) => self.keep(&place, found, path, &stat, names),
            Ok(Verdict::Write(replace)) if self.dry() => self.would_write(path, size, replace),
            Ok(Verdict::Write(replace)) => return self.write(&place, found.entry.clone(), replace, names),
            Ok(Verdict::Beside(name)) => {
                add(&self.flow.counts.beside, 1);
                if self.dry() {
                    self.would_write(&place.path_of(&name), size, false);
                    return Ok(());
                }
                let entry = Entry { name, ..found.entry.clone() };
                return self.write(&place, entry, false, names);
            }
            Err(error) => {
                if let Some((names, true)) = &names {
                    self.apart(names);
                }
                add(&self.flow.counts.skipped, 1);
                self.flow.dealt_with(1, size);
                lock(&self.flow.failed_paths).insert(path.to_vec());
                self.flow.warn(failure(path, error));
            }
        }
        Ok(())
    }

    fn would_write(&self, path: &[u8], size: u64, replace: bool) {
        add(&self.flow.counts.restored, 1);
        add(&self.flow.counts.replaced, u64::from(replace));
        add(&self.flow.counts.restored_bytes, size);
        self.flow.dealt_with(1, size);
        self.flow.told(Action::Restored, || path.to_vec(), size);
    }

    fn keep(&self, place: &Arc<Place>, found: &Found<'_>, path: &[u8], stat: &Stat, names: Option<(Arc<Names>, bool)>) {
        let size = size_of(&found.entry);
        add(&self.flow.counts.kept, 1);
        add(&self.flow.counts.kept_bytes, size);
        self.flow.dealt_with(1, size);
        self.flow.told(Action::Kept, || path.to_vec(), size);
        self.flow.flags_of_kept(place, stat, &found.entry);
        match names {
            // Other names of the file join this one, if it is what the version has.
            Some((names, _)) if self.flow.is_to_join(place, stat, &found.entry) => {
                let first = Arc::new(self.flow.kept_first(place, stat, &found.entry));
                let waiting = names.there(Arc::clone(&first));
                if !waiting.is_empty() {
                    drop(self.flow.work.push(Work::Links(first, waiting)));
                }
            }
            Some((names, true)) => self.apart(&names),
            _ => {}
        }
    }

    /// The first name of a file is none that others can join.
    fn apart(&self, names: &Names) {
        names.failed().into_iter().for_each(|item| self.flow.item_late(item));
    }

    /// The names of the file that an entry is one of, and whether it is the first of them.
    fn names_of(&mut self, found: &Found<'_>) -> Option<(Arc<Names>, bool)> {
        let entry = &found.entry;
        let (device, count) = entry.facts.link?;
        if count < 2 || entry.facts.inode == 0 {
            return None;
        }
        let known = self.linked.entry((found.source, device, entry.facts.inode)).or_default();
        let (mtime, ctime) = (entry.mtime, entry.facts.ctime);
        let fits =
            |(what, m, c, _): &&(What, Time, Time, Arc<Names>)| *what == entry.what && *m == mtime && *c == ctime;
        if let Some((.., names)) = known.iter().find(fits) {
            return Some((Arc::clone(names), false));
        }
        let names = Arc::<Names>::default();
        known.push((entry.what.clone(), mtime, ctime, Arc::clone(&names)));
        Some((names, true))
    }

    fn write(
        &mut self,
        place: &Arc<Place>,
        entry: Entry,
        replace: bool,
        names: Option<(Arc<Names>, bool)>,
    ) -> Result<()> {
        let new = |names| Item::new(place, entry.clone(), replace, names);
        self.flow.item_begins();
        let item = match names {
            None => new(None),
            Some((names, true)) => new(Some(names)),
            Some((names, false)) => match names.join(|| new(Some(Arc::clone(&names)))) {
                Further::Waits => return Ok(()),
                Further::Link(first) => {
                    let item = new(Some(names));
                    drop(self.flow.work.push(Work::Links(first, vec![item])));
                    return Ok(());
                }
                Further::Write => new(None),
            },
        };
        self.content(item)
    }

    /// Sends an item to the writers, or says which chunks it needs.
    fn content(&mut self, item: Arc<Item>) -> Result<()> {
        let What::File { size, content, .. } = &item.entry.what else {
            self.bundle(Arc::clone(&item));
            return Ok(());
        };
        if matches!(content, Content::Empty | Content::Inline(_)) {
            self.bundle(Arc::clone(&item));
            return Ok(());
        }
        let single = matches!(content, Content::Chunk(_));
        let (mut offset, mut begins) = (0, !single);
        for piece in PieceReader::new(self.flow.nodes, content, *size) {
            match piece {
                Ok(Piece::Data { id, len }) => {
                    if self.draft.is_full() {
                        self.send_window();
                        begins = !single;
                    }
                    item.hold();
                    let wanted = Use { item: Arc::clone(&item), offset, len };
                    self.draft.want(&self.flow.wants, id, wanted, std::mem::take(&mut begins));
                    offset += u64::from(len);
                }
                Ok(Piece::Zeros(len)) => {
                    lock(&item.zeros).push((offset, len));
                    offset += len;
                }
                Ok(Piece::Hole(len)) => offset += len,
                Err(error) => {
                    item.fail(damaged("the list of its chunks cannot be read").because(error));
                    break;
                }
            }
            if self.flow.has_failed() {
                break;
            }
        }
        self.flow.part_done(&item);
        Ok(())
    }

    fn bundle(&mut self, item: Arc<Item>) {
        self.bundle.push(item);
        if self.bundle.len() >= BUNDLE {
            self.send_bundle();
        }
    }

    fn send_bundle(&mut self) {
        let bundle = std::mem::take(&mut self.bundle);
        if !bundle.is_empty() {
            drop(self.flow.work.push(Work::Items(bundle)));
        }
    }

    fn send_window(&mut self) {
        if let Some(window) = self.draft.take() {
            self.flow.send_window(window);
        }
    }

    fn flush(&mut self) {
        self.send_bundle();
        self.send_window();
    }
}

impl Level {
    fn new(found: &Found<'_>, inside: bool) -> Self {
        Self {
            entry: found.entry.clone(),
            made_up: found.made_up,
            inside,
            place: Made::Not,
            existing: None,
            names: Vec::new(),
            incomplete: false,
            below: !found.is_source_top(),
            stays: match found.entry.mark {
                Some(Mark::Unreadable(_)) => Some("the backup could not read it"),
                Some(Mark::Missing(_)) => Some("it was missing when the version was made"),
                _ => None,
            },
        }
    }
}
