//! What differs between two versions. What has the same content id is not looked at, so the cost follows the change.

use std::cmp::Ordering;

use store::id::ContentId;
use store::tree::{Content, Entry, What};

use super::job::{Change, DiffJob, DiffRow, DiffSummary, Run};
use super::overlay::{Children, Found, Overlay};
use super::view::Reading;
use crate::fault::Result;

/// Hands each difference to `row`, in the order of the tree.
pub fn diff(run: &Run, job: &DiffJob, row: &mut dyn FnMut(DiffRow) -> Result<()>) -> Result<DiffSummary> {
    let reading = Reading::open(run)?;
    let summary = {
        let (mut from, mut to) = (reading.view(&job.from)?, reading.view(&job.to)?);
        // A host that came or went would otherwise move all paths.
        let hosts = from.hosts || to.hosts;
        (from.hosts, to.hosts) = (hosts, hosts);
        let paths: Vec<Vec<u8>> = job.path.iter().map(|path| to.path(path)).collect();
        // Sources that did not change are not looked at; of others the newer nodes come as what the older lack.
        for view in [&from, &to] {
            let other = if std::ptr::eq(view, &from) { &to } else { &from };
            for source in &view.sources {
                let same = other.sources.iter().any(|o| o.id == source.id && o.content == source.content);
                if !same && paths.is_empty() {
                    view.nodes.fill(source.root)?;
                }
            }
            view.prepare(&paths)?;
        }
        let top = paths.first().map_or(b"/".as_slice(), Vec::as_slice);
        differences(&from.overlay(), &to.overlay(), top, job.metadata, row)?
    };
    reading.close()?;
    Ok(summary)
}

/// Hands each difference at and below a path to `row`; nothing at that path in both is a fault.
pub fn differences(
    before: &Overlay<'_>,
    after: &Overlay<'_>,
    top: &[u8],
    metadata: bool,
    row: &mut dyn FnMut(DiffRow) -> Result<()>,
) -> Result<DiffSummary> {
    let mut differ = Differ { before, after, metadata, row, summary: DiffSummary::default() };
    differ.run(top)?;
    Ok(differ.summary)
}

/// Two trees, walked side by side.
struct Differ<'d, 'b, 'a> {
    before: &'b Overlay<'b>,
    after: &'a Overlay<'a>,
    metadata: bool,
    row: &'d mut dyn FnMut(DiffRow) -> Result<()>,
    summary: DiffSummary,
}

/// Two directories of one path; one may be missing.
pub(super) struct Pair<'b, 'a> {
    old: Option<Children<'b>>,
    new: Option<Children<'a>>,
    old_ahead: Option<Found<'b>>,
    new_ahead: Option<Found<'a>>,
    /// Length of the path of the directory.
    path: usize,
}

impl<'b, 'a> Pair<'b, 'a> {
    /// What is in two directories whose path is so long.
    pub(super) fn new(old: Option<Children<'b>>, new: Option<Children<'a>>, path: usize) -> Self {
        Self { old, new, old_ahead: None, new_ahead: None, path }
    }

    /// The next name, of one side or both.
    pub(super) fn next(&mut self) -> Result<(Option<Found<'b>>, Option<Found<'a>>)> {
        if let (None, Some(old)) = (&self.old_ahead, &mut self.old) {
            self.old_ahead = old.next()?;
        }
        if let (None, Some(new)) = (&self.new_ahead, &mut self.new) {
            self.new_ahead = new.next()?;
        }
        let order = match (&self.old_ahead, &self.new_ahead) {
            (Some(old), Some(new)) => old.entry.name.cmp(&new.entry.name),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        Ok(match order {
            Ordering::Less => (self.old_ahead.take(), None),
            Ordering::Equal => (self.old_ahead.take(), self.new_ahead.take()),
            Ordering::Greater => (None, self.new_ahead.take()),
        })
    }
}

impl<'b, 'a> Differ<'_, 'b, 'a> {
    fn run(&mut self, top: &[u8]) -> Result<()> {
        let (old, new) = (self.before.lookup(top)?.ok(), self.after.lookup(top)?.ok());
        if old.is_none() && new.is_none() {
            self.after.need(top)?;
        }
        let mut path = if top == b"/" { Vec::new() } else { super::glob::clean(top) };
        let mut levels: Vec<Pair<'b, 'a>> = self.name(&path, old, new)?.into_iter().collect();
        while let Some(pair) = levels.last_mut() {
            path.truncate(pair.path);
            let (old, new) = pair.next()?;
            let name = match (&old, &new) {
                (Some(found), _) => &found.entry.name,
                (_, Some(found)) => &found.entry.name,
                _ => {
                    levels.pop();
                    continue;
                }
            };
            path.push(b'/');
            path.extend_from_slice(name);
            let below = self.name(&path, old, new)?;
            levels.extend(below);
        }
        Ok(())
    }

    /// Compares one name; gives the directories below it that have to be compared, too.
    fn name(&mut self, path: &[u8], old: Option<Found<'b>>, new: Option<Found<'a>>) -> Result<Option<Pair<'b, 'a>>> {
        match self.change(old.as_ref(), new.as_ref()) {
            Some(Change::Metadata) if !self.metadata => self.summary.metadata += 1,
            Some(change) => self.tell(path, change, old.as_ref(), new.as_ref())?,
            None => {}
        }
        let dir = |found: &Option<Found<'_>>| found.as_ref().is_some_and(Found::is_dir);
        let (old_dir, new_dir) = (dir(&old), dir(&new));
        let same = match (&old, &new) {
            (Some(old), Some(new)) => {
                same_tree(self.before, old) == same_tree(self.after, new) && same_tree(self.before, old).is_some()
            }
            _ => false,
        };
        if !(old_dir || new_dir) || same {
            return Ok(None);
        }
        let old = old.as_ref().filter(|_| old_dir).map(|old| self.before.children(old));
        let new = new.as_ref().filter(|_| new_dir).map(|new| self.after.children(new));
        Ok(Some(Pair::new(old, new, path.len())))
    }

    fn change(&self, old: Option<&Found<'_>>, new: Option<&Found<'_>>) -> Option<Change> {
        match (old, new) {
            // What only leads to sources is in no version.
            (None, Some(new)) => (!new.made_up).then_some(Change::Added),
            (Some(old), None) => (!old.made_up).then_some(Change::Removed),
            (Some(old), Some(new)) if old.made_up && new.made_up => None,
            (Some(old), Some(new)) => {
                if old.entry.what.kind() != new.entry.what.kind() {
                    Some(Change::Kind)
                } else if !same_content(&old.entry, &new.entry) {
                    Some(Change::Content)
                } else {
                    (old.made_up != new.made_up || !same_metadata(&old.entry, &new.entry)).then_some(Change::Metadata)
                }
            }
            (None, None) => None,
        }
    }

    fn tell(&mut self, path: &[u8], change: Change, old: Option<&Found<'_>>, new: Option<&Found<'_>>) -> Result<()> {
        let size = |found: Option<&Found<'_>>| match found.map(|found| &found.entry.what) {
            Some(What::File { size, .. }) => Some(*size),
            _ => None,
        };
        let (size_before, size_after) = (size(old), size(new));
        let summary = &mut self.summary;
        match change {
            Change::Added => {
                summary.added += 1;
                summary.added_bytes = summary.added_bytes.saturating_add(size_after.unwrap_or(0));
            }
            Change::Removed => {
                summary.removed += 1;
                summary.removed_bytes = summary.removed_bytes.saturating_add(size_before.unwrap_or(0));
            }
            Change::Content | Change::Kind => summary.changed += 1,
            Change::Metadata => summary.metadata += 1,
        }
        let Some(shown) = new.or(old) else { return Ok(()) };
        let path = if path.is_empty() { b"/".to_vec() } else { path.to_vec() };
        (self.row)(DiffRow { path, change, kind: shown.entry.what.kind(), size_before, size_after })
    }
}

/// What a directory with all below it is; `None` when sources hide parts of it or it is made up.
pub(super) fn same_tree(overlay: &Overlay<'_>, found: &Found<'_>) -> Option<ContentId> {
    match &found.entry.what {
        What::Dir(child) if !found.made_up && !overlay.has_sources_in(found) => Some(child.content),
        _ => None,
    }
}

/// Whether two entries of one kind hold the same; directories are compared by what is in them.
pub fn same_content(old: &Entry, new: &Entry) -> bool {
    match (&old.what, &new.what) {
        (What::File { size: a, content: x, .. }, What::File { size: b, content: y, .. }) => {
            a == b
                && match (x, y) {
                    (Content::List { content: x, .. }, Content::List { content: y, .. }) => x == y,
                    _ => x == y,
                }
        }
        (What::Dir(_), What::Dir(_)) => true,
        (a, b) => a == b,
    }
}

/// Whether two entries of one kind have the same times, rights and attributes.
pub fn same_metadata(old: &Entry, new: &Entry) -> bool {
    old.mode == new.mode
        && old.owner == new.owner
        && old.mtime == new.mtime
        && old.xattrs == new.xattrs
        && old.flags == new.flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::overlay::tests::{Forest, file, with_mode};

    fn differences(before: &Forest, after: &Forest, top: &[u8]) -> (Vec<(String, Change)>, DiffSummary, usize) {
        let (old, new) = (before.overlay(), after.overlay());
        before.nodes.forget_reads();
        after.nodes.forget_reads();
        let mut rows = Vec::new();
        let mut row = |row: DiffRow| {
            rows.push((String::from_utf8(row.path).unwrap(), row.change));
            Ok(())
        };
        let mut differ =
            Differ { before: &old, after: &new, metadata: true, row: &mut row, summary: DiffSummary::default() };
        differ.run(top).unwrap();
        let summary = differ.summary;
        (rows, summary, before.nodes.reads() + after.nodes.reads())
    }

    fn forest(change: impl FnOnce(&mut Vec<(&'static str, Entry)>)) -> Forest {
        let mut files = vec![
            ("a/one", file(b"1")),
            ("a/two", file(b"2")),
            ("b/deep/er/three", file(b"3")),
            ("c", file(b"c")),
            ("d/x", file(b"x")),
        ];
        change(&mut files);
        Forest::new(&[("host", "/src", files)])
    }

    #[test]
    fn each_kind_of_change() {
        let before = forest(|_| {});
        let after = forest(|files| {
            files.retain(|(path, _)| *path != "a/two");
            files.push(("a/new", file(b"new")));
            files[1] = ("b/deep/er/three", file(b"33"));
            files.retain(|(path, _)| *path != "c" && *path != "d/x");
            files.push(("c/now/a/dir", file(b"c")));
            files.push(("d/x", with_mode(file(b"x"), 0o600)));
        });
        let (rows, summary, _) = differences(&before, &after, b"/");
        let rows: Vec<_> = rows.iter().map(|(path, change)| (path.as_str(), *change)).collect();
        assert_eq!(
            rows,
            [
                ("/src/a/new", Change::Added),
                ("/src/a/two", Change::Removed),
                ("/src/b/deep/er/three", Change::Content),
                ("/src/c", Change::Kind),
                ("/src/c/now", Change::Added),
                ("/src/c/now/a", Change::Added),
                ("/src/c/now/a/dir", Change::Added),
                ("/src/d/x", Change::Metadata),
            ]
        );
        assert_eq!((summary.added, summary.removed, summary.changed, summary.metadata), (4, 1, 2, 1));
        assert_eq!((summary.added_bytes, summary.removed_bytes), (4, 1));
        let (rows, ..) = differences(&before, &after, b"/src/d");
        assert_eq!(rows, [("/src/d/x".to_owned(), Change::Metadata)]);
    }

    #[test]
    fn equal_trees_are_not_read() {
        let (rows, _, reads) = differences(&forest(|_| {}), &forest(|_| {}), b"/");
        assert!(rows.is_empty());
        // The roots of both sources.
        assert!(reads <= 4, "{reads} nodes were read");
        let changed = forest(|files| files[0] = ("a/one", file(b"!")));
        let (rows, _, reads) = differences(&forest(|_| {}), &changed, b"/");
        assert_eq!(rows, [("/src/a/one".to_owned(), Change::Content)]);
        assert!(reads <= 8, "{reads} nodes were read");
    }
}
