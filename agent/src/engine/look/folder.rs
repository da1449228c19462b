//! What is in a directory of a version, beside the version before it; and what is deleted in it.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use store::id::{ContentId, NodeId};
use store::tree::Pages;

use super::{bring_pages, node_of, print, until};
use crate::engine::diff::{same_content, same_metadata};
use crate::engine::glob::clean;
use crate::engine::job::{Change, Folder, FolderJob, FolderRow, Run, VersionMark};
use crate::engine::overlay::{Children, Found, Overlay};
use crate::engine::queue::lock;
use crate::engine::trail;
use crate::engine::versions::mark;
use crate::engine::view::{Reading, View};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;

/// Most deleted names of a directory that are told: more cannot be looked through.
const DELETED_MAX: usize = 200_000;

/// Looks into a directory. That it is not in the version is no fault: one may go on to where it is.
pub fn folder(run: &Run, job: &FolderJob) -> Result<Folder> {
    let reading = Reading::open(run)?;
    let folder = {
        let views = until(&reading, &job.at)?;
        let Some((now, older)) = views.split_last() else { return Ok(Folder::default()) };
        let dir = clean(&now.path(&job.dir));
        // What older versions have is looked at only for what they have lost.
        let looked: &[View<'_>] =
            if job.deleted { &views } else { views.get(older.len().saturating_sub(1)..).unwrap_or(&views) };
        now.prepare(std::slice::from_ref(&dir))?;
        trail::bring(&reading.nodes, looked, &dir)?;
        let mut nodes: Vec<NodeId> = Vec::new();
        for view in looked {
            nodes.extend(view.overlay().lookup(&dir)?.ok().as_ref().and_then(node_of));
        }
        bring_pages(&reading.nodes, &nodes)?;
        let overlays: Vec<(Overlay<'_>, VersionMark)> =
            looked.iter().map(|view| (view.overlay(), mark(&view.link))).collect();
        if run.stop.asked() {
            return Err(stopped());
        }
        let stop = || run.stop.asked();
        Folder { before: older.last().map(|view| mark(&view.link)), ..look(&overlays, &dir, job.deleted, &stop)? }
    };
    reading.close()?;
    Ok(folder)
}

pub(super) fn stopped() -> Fault {
    Fault::new(Code::Interrupted, "it was interrupted")
}

/// The directory in the last of these versions.
fn look(versions: &[(Overlay<'_>, VersionMark)], dir: &[u8], deleted: bool, stop: &dyn Fn() -> bool) -> Result<Folder> {
    let Some(((now, version), older)) = versions.split_last() else { return Ok(Folder::default()) };
    let here = now.lookup(dir)?.ok();
    if here.as_ref().is_some_and(|found| !found.is_dir()) {
        return Err(Fault::new(Code::PathNone, format!("{} is no directory", for_terminal(dir))).path(dir));
    }
    let before = older.last();
    let there = match before {
        Some((overlay, mark)) => overlay.lookup(dir)?.ok().filter(Found::is_dir).map(|found| (overlay, found, mark)),
        None => None,
    };
    let mut folder =
        Folder { version: version.clone(), dir: dir.to_vec(), absent: here.is_none(), ..Folder::default() };
    let mut merge = Merge {
        now: here.as_ref().map(|found| now.children(found)),
        before: there.as_ref().map(|(overlay, found, _)| overlay.children(found)),
        ahead: (None, None),
    };
    // Before there was any version, everything is new, and nothing is said about it.
    let first = before.is_none();
    let gone = there.as_ref().map(|(.., mark)| Arc::new((*mark).clone()));
    while let Some((old, new)) = merge.next()? {
        if folder.rows.len().is_multiple_of(4096) && stop() {
            return Err(stopped());
        }
        let overlay = before.map_or(now, |(overlay, _)| overlay);
        match (old, new) {
            (old, Some(new)) if first || old.is_some() => {
                let change = old.as_ref().and_then(|old| change((overlay, old), (now, &new)));
                folder.rows.push(row(now, &new, change, None)?);
            }
            (_, Some(new)) => folder.rows.push(row(now, &new, (!new.made_up).then_some(Change::Added), None)?),
            (Some(old), None) if !old.made_up => {
                folder.rows.push(row(overlay, &old, Some(Change::Removed), gone.clone())?);
            }
            _ => {}
        }
    }
    if deleted {
        let (rows, more) = lost(versions, &folder.rows, dir, stop)?;
        folder.deleted_more = more;
        folder.rows.extend(rows);
        folder.rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(folder)
}

/// Names of two directories, side by side.
struct Merge<'n, 'b> {
    now: Option<Children<'n>>,
    before: Option<Children<'b>>,
    ahead: (Option<Found<'b>>, Option<Found<'n>>),
}

impl<'n, 'b> Merge<'n, 'b> {
    fn next(&mut self) -> Result<Option<(Option<Found<'b>>, Option<Found<'n>>)>> {
        if let (None, Some(before)) = (&self.ahead.0, &mut self.before) {
            self.ahead.0 = before.next()?;
        }
        if let (None, Some(now)) = (&self.ahead.1, &mut self.now) {
            self.ahead.1 = now.next()?;
        }
        let order = match &self.ahead {
            (None, None) => return Ok(None),
            (Some(old), Some(new)) => old.entry.name.cmp(&new.entry.name),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
        };
        Ok(Some(match order {
            Ordering::Less => (self.ahead.0.take(), None),
            Ordering::Equal => (self.ahead.0.take(), self.ahead.1.take()),
            Ordering::Greater => (None, self.ahead.1.take()),
        }))
    }
}

/// What is other in a name; of a directory also what is other below it.
fn change(old: (&Overlay<'_>, &Found<'_>), new: (&Overlay<'_>, &Found<'_>)) -> Option<Change> {
    let (before, now) = (old.1, new.1);
    if before.entry.what.kind() != now.entry.what.kind() {
        return Some(Change::Kind);
    }
    let same =
        if now.is_dir() { print(old.0, before) == print(new.0, now) } else { same_content(&before.entry, &now.entry) };
    match same {
        false => Some(Change::Content),
        true if before.made_up || now.made_up => None,
        true => (!same_metadata(&before.entry, &now.entry)).then_some(Change::Metadata),
    }
}

fn row(
    overlay: &Overlay<'_>,
    found: &Found<'_>,
    change: Option<Change>,
    gone: Option<Arc<VersionMark>>,
) -> Result<FolderRow> {
    let entry = &found.entry;
    let sums = if found.is_dir() { overlay.quick_totals(found)? } else { Some(entry.totals()) };
    Ok(FolderRow {
        name: entry.name.clone(),
        kind: entry.what.kind(),
        mode: entry.mode,
        size: sums.map_or(0, |sums| sums.bytes),
        files: sums.filter(|_| found.is_dir()).map(|sums| sums.files),
        mtime: entry.mtime,
        change,
        gone,
    })
}

/// Pages that were read, so that each is read once through all versions.
#[derive(Default)]
struct Read(Mutex<HashSet<ContentId>>);

impl Pages for Read {
    fn is_known(&self, _: u64, page: &ContentId) -> bool {
        !lock(&self.0).insert(*page)
    }
}

/// Names that an older version has in the directory and the last has not, each as it was last; and whether there are more.
/// `told` are the names of the last one, in order, with those that went with it.
fn lost(
    versions: &[(Overlay<'_>, VersionMark)],
    told: &[FolderRow],
    dir: &[u8],
    stop: &dyn Fn() -> bool,
) -> Result<(Vec<FolderRow>, bool)> {
    let read = Read::default();
    let mut prints: HashSet<Vec<ContentId>> = HashSet::new();
    let mut found: HashMap<Box<[u8]>, FolderRow> = HashMap::new();
    for (overlay, mark) in versions.iter().rev() {
        if stop() {
            return Err(stopped());
        }
        let Some(at) = overlay.lookup(dir)?.ok().filter(Found::is_dir) else { continue };
        if !prints.insert(print(overlay, &at)) {
            continue;
        }
        let mark = Arc::new(mark.clone());
        let mut children = overlay.children_but(&at, Some((&read, 0)));
        while let Some(child) = children.next()? {
            let name = &child.entry.name;
            let known = child.made_up || told.binary_search_by(|row| row.name.cmp(name)).is_ok();
            if known || found.contains_key(name) {
                continue;
            }
            if found.len() >= DELETED_MAX {
                return Ok((found.into_values().collect(), true));
            }
            found.insert(name.clone(), row(overlay, &child, None, Some(Arc::clone(&mark)))?);
        }
    }
    Ok((found.into_values().collect(), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::overlay::tests::{Forest, file, with_mode};
    use store::tree::Entry;

    fn forest(files: &[(&'static str, &[u8])]) -> Forest {
        let files: Vec<(&str, Entry)> = files.iter().map(|(path, bytes)| (*path, file(bytes))).collect();
        Forest::new(&[("h", "/s", files)])
    }

    fn seen(forests: &[&Forest], dir: &str, deleted: bool) -> Folder {
        let versions: Vec<_> = forests
            .iter()
            .zip(1..)
            .map(|(forest, sequence)| (forest.overlay(), VersionMark { sequence, ..VersionMark::default() }))
            .collect();
        look(&versions, dir.as_bytes(), deleted, &|| false).unwrap()
    }

    fn told(folder: &Folder) -> Vec<(String, Option<Change>, Option<u64>)> {
        let told = |row: &FolderRow| {
            let name = String::from_utf8(row.name.to_vec()).unwrap();
            (name, row.change, row.gone.as_ref().map(|mark| mark.sequence))
        };
        folder.rows.iter().map(told).collect()
    }

    fn plain(name: &str, change: Option<Change>, gone: Option<u64>) -> (String, Option<Change>, Option<u64>) {
        (name.to_owned(), change, gone)
    }

    #[test]
    fn what_changed_since_the_version_before() {
        let old = forest(&[("d/a", b"1"), ("d/b", b"1"), ("d/c", b"1"), ("d/in/x", b"1"), ("d/same/x", b"1")]);
        let new = forest(&[("d/a", b"1"), ("d/b", b"2"), ("d/e", b"1"), ("d/in/x", b"2"), ("d/same/x", b"1")]);
        let folder = seen(&[&old, &new], "/s/d", false);
        assert_eq!(
            told(&folder),
            [
                plain("a", None, None),
                plain("b", Some(Change::Content), None),
                plain("c", Some(Change::Removed), Some(1)),
                plain("e", Some(Change::Added), None),
                plain("in", Some(Change::Content), None),
                plain("same", None, None),
            ]
        );
        assert_eq!(folder.rows[4].files, Some(1));
        let first = seen(&[&old], "/s/d", false);
        assert!(first.rows.iter().all(|row| row.change.is_none()), "of the first version nothing is called new");
    }

    #[test]
    fn metadata_and_kinds() {
        let old = Forest::new(&[("h", "/s", vec![("a", file(b"1")), ("b", file(b"1"))])]);
        let new = Forest::new(&[("h", "/s", vec![("a", with_mode(file(b"1"), 0o600)), ("b/c", file(b"1"))])]);
        let folder = seen(&[&old, &new], "/s", false);
        assert_eq!(told(&folder), [plain("a", Some(Change::Metadata), None), plain("b", Some(Change::Kind), None)]);
    }

    #[test]
    fn what_is_deleted_comes_as_it_was_last() {
        let one = forest(&[("d/a", b"1"), ("d/old", b"1"), ("d/back", b"1")]);
        let two = forest(&[("d/a", b"1"), ("d/old", b"22"), ("d/short", b"1")]);
        let three = forest(&[("d/a", b"1"), ("d/back", b"1")]);
        let four = forest(&[("d/a", b"2"), ("d/back", b"1")]);
        let folder = seen(&[&one, &two, &three, &four], "/s/d", true);
        assert_eq!(
            told(&folder),
            [
                plain("a", Some(Change::Content), None),
                plain("back", None, None),
                plain("old", None, Some(2)),
                plain("short", None, Some(2)),
            ]
        );
        assert_eq!(folder.rows[2].size, 2);
        assert_eq!(told(&seen(&[&one, &two, &three], "/s/d", true)).len(), 4, "what just went is told once");
    }

    #[test]
    fn a_directory_that_is_not_there_yet_or_no_more_keeps_the_place() {
        let (one, two) = (forest(&[("d/a", b"1")]), forest(&[("e", b"1")]));
        let folder = seen(&[&one, &two], "/s/d", true);
        assert!(folder.absent);
        assert_eq!(told(&folder), [plain("a", Some(Change::Removed), Some(1))]);
        let folder = seen(&[&two, &one], "/s/nothing", true);
        assert!(folder.absent && folder.rows.is_empty());
        let versions = [(one.overlay(), VersionMark::default())];
        assert_eq!(look(&versions, b"/s/d/a", false, &|| false).unwrap_err().code, Code::PathNone);
    }

    #[test]
    fn what_leads_to_sources_changes_with_them() {
        let forest = |bytes: &[u8]| Forest::new(&[("h", "/home/ana", vec![("a", file(bytes))]), ("h", "/srv", vec![])]);
        let (old, new) = (forest(b"1"), forest(b"2"));
        let folder = seen(&[&old, &new], "/", false);
        assert_eq!(told(&folder), [plain("home", Some(Change::Content), None), plain("srv", None, None)]);
    }

    #[test]
    fn pages_of_a_large_directory_are_read_once() {
        let wide = |gone: usize| {
            let names =
                (0..20_000).filter(|n| *n != gone).map(|n| (format!("w/{n:05}"), file(b"1"))).collect::<Vec<_>>();
            Forest::new(&[("h", "/s", names)])
        };
        let forests: Vec<Forest> = (0..6).map(|n| wide(3_000 * n)).collect();
        let refs: Vec<&Forest> = forests.iter().collect();
        forests.iter().for_each(|forest| forest.nodes.forget_reads());
        let folder = seen(&refs, "/s/w", true);
        assert_eq!(folder.rows.iter().filter(|row| row.gone.is_some()).count(), 1);
        // The last two side by side, and all of the last once more; of the others only what is other.
        let whole = forests[5].nodes.reads();
        let others: usize = forests[..4].iter().map(|forest| forest.nodes.reads()).sum();
        assert!(others < whole / 2, "{others} nodes of the older, {whole} of the newest");
    }

    #[test]
    fn whoever_goes_on_stops_it() {
        let one = forest(&[("d/a", b"1")]);
        let versions = [(one.overlay(), VersionMark::default())];
        assert_eq!(look(&versions, b"/s/d", false, &|| true).unwrap_err().code, Code::Interrupted);
    }
}
