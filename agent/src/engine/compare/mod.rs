//! What differs between a version and the disk.
//!
//! ```text
//!  names of the version ─┐
//!                        ├─► merge-join ─► metadata ─► batches of files ─► content: hashed here, or fetched ─► rows
//!  names on the disk ────┘
//! ```
//!
//! Both sides are walked in the order of names, by directory descriptors; nothing is followed. Rows come in that order, too:
//! what must be read waits in a batch, which all cores read, with the rows around it.

mod content;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use store::tree::{Entry, Kind, What};

use super::job::{Change, CompareJob, CompareRow, CompareSummary, Depth, RuledSource, Run};
use super::overlay::{Children, Found, Overlay, components, host_name};
use super::view::{Reading, View};
use super::why::{innermost, with_rules};
use crate::event::Event;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::profile::Phase;
use crate::source::{Dir, Names, Owners, Selection, Stat, capture, capture_dir};
use content::Batch;

/// Hands each difference to `row`.
pub fn compare(run: &Run, job: &CompareJob, row: &mut dyn FnMut(CompareRow) -> Result<()>) -> Result<CompareSummary> {
    let compiled = |sources: &[RuledSource]| {
        let rules =
            |source: &RuledSource| Ok((source.path.clone(), Selection::new(&source.rules)?.below(&source.path)));
        sources.iter().map(rules).collect::<Result<Vec<_>>>()
    };
    // Before anything is reached.
    drop(compiled(&job.sources)?);
    let reading = Reading::open(run)?;
    let mut summary = {
        let view = reading.view(&job.at)?;
        run.watcher.event(&Event::Phase(crate::event::Phase::Verify));
        run.profile.phase(Phase::Verify);
        let paths: Vec<Vec<u8>> = if job.paths.is_empty() {
            vec![if view.hosts { [b"/", &*host_name(&run.host)].concat() } else { b"/".to_vec() }]
        } else {
            job.paths.iter().map(|path| super::glob::clean(&view.path(path))).collect()
        };
        view.prepare(&paths)?;
        let overlay = view.overlay();
        let rules = compiled(&with_rules(&job.sources, overlay.sources()))?;
        let mut comparer = Comparer {
            view: &view,
            overlay: &overlay,
            rules,
            in_place: job.with.is_none(),
            depth: job.depth,
            owners: Owners::new(),
            batch: Batch::new(job.depth),
            row,
            summary: CompareSummary::default(),
        };
        for path in &paths {
            let found = overlay.need(path)?;
            view.fill(&overlay, &found)?;
            comparer.top(path, found, job.with.as_deref())?;
        }
        comparer.flush()?;
        CompareSummary { version_id: view.link.link_id().hex(), ..comparer.summary }
    };
    summary.received_bytes = reading.close()?.received_bytes;
    Ok(summary)
}

/// A directory that both walks are in.
struct Level<'o> {
    children: Children<'o>,
    ahead: Option<Found<'o>>,
    /// `None`: only the version has it; it is not opened.
    dir: Option<Arc<Dir>>,
    /// Names on the disk that were not met yet, in order.
    names: std::iter::Peekable<std::vec::IntoIter<Box<[u8]>>>,
    path: usize,
    /// It only leads to sources: what else is in it is nobody's.
    made_up: bool,
    /// The rule by which what is in it is left out.
    left_out: bool,
}

/// One comparison.
struct Comparer<'c, 'o> {
    view: &'c View<'c>,
    overlay: &'o Overlay<'o>,
    rules: Vec<(Vec<u8>, Selection)>,
    /// With what stands where it was.
    in_place: bool,
    depth: Depth,
    owners: Owners,
    batch: Batch,
    row: &'c mut dyn FnMut(CompareRow) -> Result<()>,
    summary: CompareSummary,
}

/// Two things of one name.
struct Pair<'p> {
    above: &'p Arc<Dir>,
    stat: &'p Stat,
    entry: &'p Entry,
    path: &'p [u8],
}

impl<'o> Comparer<'_, 'o> {
    /// A path and everything below it, with its own place or with another.
    fn top(&mut self, path: &[u8], found: Found<'o>, with: Option<&Path>) -> Result<()> {
        let names: Vec<&[u8]> = components(path).skip(usize::from(self.view.hosts)).collect();
        let own = [b"/", names.join(&b'/').as_slice()].concat();
        let place = with.map_or_else(|| own.clone(), |with| with.as_os_str().as_bytes().to_vec());
        let whole = Path::new(OsStr::from_bytes(&place));
        let failed = |error: std::io::Error| unreadable(&place, &error);
        let mut shown = if place == b"/" { Vec::new() } else { place.clone() };
        let mut levels = Vec::new();
        if let (Some(above), Some(name)) = (whole.parent(), whole.file_name()) {
            let above = match Dir::open_following(above) {
                Ok(above) => Some(Arc::new(above)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(failed(error)),
            };
            // The name on the disk may be another one.
            levels.extend(self.name(above.as_ref(), name.as_bytes(), Some(found), &mut shown, false)?);
        } else {
            let dir = Arc::new(Dir::open_following(whole).map_err(failed)?);
            levels.extend(Some(self.level(&found, Some(dir), 0)));
        }
        while let Some(level) = levels.last_mut() {
            shown.truncate(level.path);
            if self.view.account.run.stop.asked() {
                return Err(Fault::new(Code::Interrupted, "the comparison was interrupted"));
            }
            if level.ahead.is_none() {
                level.ahead = level.children.next()?;
            }
            let next = level.names.peek().cloned();
            let (name, here) = match (&level.ahead, next) {
                (Some(found), Some(name)) if name < found.entry.name => (name, None),
                (Some(found), _) => (found.entry.name.clone(), level.ahead.take()),
                (None, Some(name)) => (name, None),
                (None, None) => {
                    levels.pop();
                    continue;
                }
            };
            level.names.next_if(|on_disk| *on_disk == name);
            if here.is_none() && level.made_up {
                continue;
            }
            let (dir, left_out) = (level.dir.clone(), level.left_out);
            shown.push(b'/');
            shown.extend_from_slice(&name);
            let below = self.name(dir.as_ref(), &name, here, &mut shown, left_out)?;
            levels.extend(below);
        }
        Ok(())
    }

    /// Compares one name; gives the directory that is to be entered.
    fn name(
        &mut self,
        above: Option<&Arc<Dir>>,
        name: &[u8],
        found: Option<Found<'o>>,
        path: &mut [u8],
        left_out: bool,
    ) -> Result<Option<Level<'o>>> {
        let stat = match above.map(|above| above.stat(name)) {
            None => None,
            Some(Ok(stat)) => Some(stat),
            Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Some(Err(error)) => {
                self.trouble(unreadable(path, &error));
                return Ok(None);
            }
        };
        match (found, stat) {
            (None, None) => Ok(None),
            (None, Some(stat)) => {
                if !left_out && !self.is_left_out(path, &stat) {
                    self.tell(path, Change::Added, None, Some(&stat), Vec::new())?;
                }
                Ok(None)
            }
            (Some(found), None) => {
                if !found.made_up {
                    self.tell(path, Change::Removed, Some(&found.entry), None, Vec::new())?;
                    return Ok(None);
                }
                // It leads to sources that may be told one by one.
                Ok(Some(self.level(&found, None, path.len())))
            }
            (Some(found), Some(stat)) => {
                let Some(above) = above else { return Ok(None) };
                self.both(above, name, &found, &stat, path)
            }
        }
    }

    fn both(
        &mut self,
        above: &Arc<Dir>,
        name: &[u8],
        found: &Found<'o>,
        stat: &Stat,
        path: &[u8],
    ) -> Result<Option<Level<'o>>> {
        let entry = &found.entry;
        let (led, there) = self.led(above, name, found, stat).unzip();
        let stat = there.as_ref().unwrap_or(stat);
        if stat.kind != entry.what.kind() {
            // A link or a mount may stand where a directory only leads to sources.
            if !found.made_up {
                self.tell(path, Change::Kind, Some(entry), Some(stat), vec!["kind"])?;
            }
            return Ok(None);
        }
        let pair = Pair { above, stat, entry, path };
        if found.is_dir() {
            let dir = match led.map_or_else(|| above.child(name), Ok) {
                Ok(dir) => Arc::new(dir),
                Err(error) => {
                    self.trouble(unreadable(path, &error));
                    return Ok(None);
                }
            };
            if !found.made_up {
                self.directory(&pair, &dir, name)?;
            }
            return Ok(Some(self.level(found, Some(dir), path.len())));
        }
        self.leaf(&pair, name)?;
        Ok(None)
    }

    /// The directory that a source leads to which is a link now: a backup of it by its own path would follow it.
    fn led(&self, above: &Dir, name: &[u8], found: &Found<'o>, stat: &Stat) -> Option<(Dir, Stat)> {
        let follows = self.in_place && stat.kind == Kind::Symlink && found.is_dir() && found.is_source_top();
        let dir = follows.then(|| above.led(name).ok())??;
        dir.stat_self().ok().map(|stat| (dir, stat))
    }

    fn level(&mut self, found: &Found<'o>, dir: Option<Arc<Dir>>, path: usize) -> Level<'o> {
        let names = match dir.as_ref().map(|dir| dir.list()) {
            Some(Ok(names)) => names,
            Some(Err(error)) => {
                self.trouble(unreadable(&found.entry.name, &error));
                Names::default()
            }
            None => Names::default(),
        };
        let left_out = dir
            .as_ref()
            .is_some_and(|dir| self.rules.iter().any(|(_, rules)| rules.leaves_dir_content(dir, &names).is_some()));
        Level {
            children: self.overlay.children(found),
            ahead: None,
            dir,
            names: names.iter().map(Box::from).collect::<Vec<Box<[u8]>>>().into_iter().peekable(),
            path,
            made_up: found.made_up,
            left_out,
        }
    }

    fn is_left_out(&self, path: &[u8], stat: &Stat) -> bool {
        let leaves = |rules: &Selection| {
            rules.decide(path, stat.kind == Kind::Dir, stat.size).is_some() || rules.left_out_by_age(stat).is_some()
        };
        // Those of the source that it is of, as a backup asks them.
        innermost(&self.rules, path, |(source, _)| source).is_some_and(|(_, rules)| leaves(rules))
    }

    /// Times of directories change with every name in them: those names are told.
    fn directory(&mut self, pair: &Pair<'_>, dir: &Arc<Dir>, name: &[u8]) -> Result<()> {
        let mut what = rights(pair.entry, pair.stat);
        if self.depth != Depth::Metadata {
            let (here, _) = capture_dir(dir, name, pair.stat, &self.owners);
            what.extend(attributes(pair.entry, &here));
        }
        self.metadata(pair, what)
    }

    fn leaf(&mut self, pair: &Pair<'_>, name: &[u8]) -> Result<()> {
        let Pair { above, stat, entry, path } = pair;
        let mut what = rights(entry, stat);
        if entry.mtime != stat.mtime {
            what.push("time");
        }
        if let What::File { size, .. } = entry.what {
            if size != stat.size {
                what.insert(0, "size");
                return self.tell(path, Change::Content, Some(entry), Some(stat), what);
            }
            if self.depth == Depth::Metadata {
                return self.metadata(pair, what);
            }
            self.batch.file(above, name, path, entry, stat, what);
            return if self.batch.is_full() { self.flush() } else { Ok(()) };
        }
        match capture(above, name, stat, &self.owners) {
            Ok((here, _)) => {
                let target = here.what != entry.what;
                if self.depth != Depth::Metadata {
                    what.extend(attributes(entry, &here));
                }
                if target {
                    what.insert(0, if stat.kind == Kind::Symlink { "target" } else { "device" });
                    return self.tell(path, Change::Content, Some(entry), Some(stat), what);
                }
                self.metadata(pair, what)
            }
            Err(fault) => {
                self.trouble(fault.path(path.to_vec()));
                Ok(())
            }
        }
    }

    /// Tells what differs besides the content, if anything.
    fn metadata(&mut self, pair: &Pair<'_>, what: Vec<&'static str>) -> Result<()> {
        if what.is_empty() {
            self.batch.same();
            return Ok(());
        }
        self.tell(pair.path, Change::Metadata, Some(pair.entry), Some(pair.stat), what)
    }

    fn tell(
        &mut self,
        path: &[u8],
        change: Change,
        old: Option<&Entry>,
        new: Option<&Stat>,
        what: Vec<&'static str>,
    ) -> Result<()> {
        let before = old.and_then(|entry| match entry.what {
            What::File { size, .. } => Some(size),
            _ => None,
        });
        let after = new.filter(|stat| stat.kind == Kind::File).map(|stat| stat.size);
        let kind = new.map(|stat| stat.kind).or_else(|| old.map(|entry| entry.what.kind())).unwrap_or(Kind::File);
        let path = if path.is_empty() { b"/".to_vec() } else { path.to_vec() };
        self.batch.told(CompareRow { path, change, kind, size_before: before, size_after: after, what });
        if self.batch.is_full() { self.flush() } else { Ok(()) }
    }

    fn trouble(&mut self, fault: Fault) {
        self.summary.errors += 1;
        self.view.account.run.watcher.event(&Event::Warning(&fault));
    }

    /// Reads what waits, and tells it with what stands around it.
    fn flush(&mut self) -> Result<()> {
        let done = self.batch.work(self.overlay, self.view.account, &self.owners)?;
        self.summary.read_bytes += done.read_bytes;
        self.summary.same += done.same;
        self.summary.damaged += done.damaged;
        for fault in done.troubles {
            self.trouble(fault);
        }
        for row in done.rows {
            match row.change {
                Change::Added => self.summary.added += 1,
                Change::Removed => self.summary.removed += 1,
                Change::Content | Change::Kind => self.summary.changed += 1,
                Change::Metadata => self.summary.metadata += 1,
            }
            (self.row)(row)?;
        }
        Ok(())
    }
}

/// What differs of mode and owner.
fn rights(entry: &Entry, stat: &Stat) -> Vec<&'static str> {
    let mut what = Vec::new();
    // A link has no mode of its own.
    if entry.mode != stat.mode && stat.kind != Kind::Symlink {
        what.push("mode");
    }
    if (entry.owner.uid, entry.owner.gid) != (stat.uid, stat.gid) {
        what.push("owner");
    }
    what
}

/// What differs of attributes and flags.
fn attributes(entry: &Entry, here: &Entry) -> Vec<&'static str> {
    let mut what = Vec::new();
    let map = |entry: &Entry| entry.xattrs.iter().cloned().collect::<HashMap<_, _>>();
    if entry.xattrs != here.xattrs && map(entry) != map(here) {
        what.push("attributes");
    }
    if entry.flags != here.flags {
        what.push("flags");
    }
    what
}

fn unreadable(path: &[u8], error: &std::io::Error) -> Fault {
    Fault::new(Code::SourceUnreadable, format!("cannot read {}", for_terminal(path)))
        .because(error)
        .hint("run as a user who may read it")
        .path(path)
}
