//! Names in a version.

use store::tree::What;

use super::glob::expand;
use super::job::{EntryRow, ListJob, ListSummary, Run};
use super::overlay::{Found, Overlay};
use super::view::{Reading, View};
use super::walk::{Step, Walk};
use crate::fault::Result;

/// Hands each name that the job asks for to `row`, in the order of the tree. What a pattern finds is shown itself, what a
/// path names is shown with what is in it.
pub fn list(run: &Run, job: &ListJob, row: &mut dyn FnMut(EntryRow) -> Result<()>) -> Result<ListSummary> {
    let reading = Reading::open(run)?;
    let summary = {
        let view = reading.view(&job.at)?;
        let paths = if job.paths.is_empty() { vec![b"/".to_vec()] } else { job.paths.clone() };
        let paths: Vec<_> = paths.iter().map(|path| view.path(path)).collect();
        view.prepare(&paths)?;
        let overlay = view.overlay();
        let mut lister = Lister { view: Some(&view), overlay: &overlay, job, row, summary: ListSummary::default() };
        paths.iter().try_for_each(|path| lister.path(path))?;
        lister.summary
    };
    reading.close()?;
    Ok(summary)
}

/// One listing.
struct Lister<'l, 'o> {
    /// Gets whole subtrees in one flight.
    view: Option<&'l View<'l>>,
    overlay: &'o Overlay<'o>,
    job: &'l ListJob,
    row: &'l mut dyn FnMut(EntryRow) -> Result<()>,
    summary: ListSummary,
}

impl<'o> Lister<'_, 'o> {
    fn path(&mut self, path: &[u8]) -> Result<()> {
        expand(self.overlay, path, &mut |path, found, by_pattern| {
            let enters = found.is_dir() && !self.job.directory;
            if !enters || by_pattern {
                self.show(path, &found)?;
            }
            match (enters, self.job.recursive, by_pattern) {
                (true, true, _) => self.walk(path, &found),
                (true, false, false) => self.children(path, &found),
                _ => Ok(()),
            }
        })
    }

    fn children(&mut self, path: &[u8], dir: &Found<'o>) -> Result<()> {
        let base = path.strip_suffix(b"/").unwrap_or(path);
        let mut children = self.overlay.children(dir);
        while let Some(found) = children.next()? {
            self.show(&[base, b"/", &found.entry.name].concat(), &found)?;
        }
        Ok(())
    }

    fn walk(&mut self, path: &[u8], dir: &Found<'o>) -> Result<()> {
        if let Some(view) = self.view {
            view.fill(self.overlay, dir)?;
        }
        let mut walk = Walk::new(self.overlay, path, dir);
        while let Some(step) = walk.next()? {
            if let Step::Name(found) = step {
                self.show(walk.path(), &found)?;
                if found.is_dir() {
                    walk.enter(&found);
                }
            }
        }
        Ok(())
    }

    fn show(&mut self, path: &[u8], found: &Found<'_>) -> Result<()> {
        let row = row_of(self.overlay, path, found)?;
        self.summary.entries += 1;
        if !found.is_dir() {
            self.summary.bytes = self.summary.bytes.saturating_add(row.size);
        }
        (self.row)(row)
    }
}

/// A row of a name.
pub fn row_of(overlay: &Overlay<'_>, path: &[u8], found: &Found<'_>) -> Result<EntryRow> {
    let entry = &found.entry;
    let quick = if found.is_dir() { overlay.quick_totals(found)? } else { None };
    // Of what is made up there is nothing else to go by.
    let known = quick.is_some() || !found.made_up;
    let sums = quick.unwrap_or(entry.totals());
    let (target, device) = match &entry.what {
        What::Symlink(target) => (Some(target.to_vec()), None),
        What::Char(major, minor) | What::Block(major, minor) => (None, Some((*major, *minor))),
        _ => (None, None),
    };
    Ok(EntryRow {
        path: path.to_vec(),
        kind: entry.what.kind(),
        mode: entry.mode,
        uid: entry.owner.uid,
        gid: entry.owner.gid,
        user: entry.owner.user.to_vec(),
        group: entry.owner.group.to_vec(),
        size: sums.bytes,
        files: (found.is_dir() && known).then_some(sums.files),
        mtime: entry.mtime,
        target,
        device,
        mark: entry.mark,
        made_up: found.made_up,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::overlay::tests::Forest;

    fn listed(forest: &Forest, job: &ListJob) -> Result<Vec<String>> {
        let overlay = forest.overlay();
        let mut rows = Vec::new();
        let mut row = |row: EntryRow| {
            rows.push(String::from_utf8(row.path).unwrap());
            Ok(())
        };
        let mut lister = Lister { view: None, overlay: &overlay, job, row: &mut row, summary: ListSummary::default() };
        job.paths.iter().try_for_each(|path| lister.path(path))?;
        let entries = lister.summary.entries;
        assert_eq!(entries, rows.len() as u64);
        Ok(rows)
    }

    #[test]
    fn what_is_shown() {
        let forest = Forest::sample();
        let job = |path: &str, recursive, directory| ListJob {
            paths: vec![path.as_bytes().to_vec()],
            recursive,
            directory,
            ..ListJob::default()
        };
        let list = |job: &ListJob| listed(&forest, job).unwrap();
        assert_eq!(list(&job("/", false, false)), ["/home", "/srv"]);
        assert_eq!(list(&job("/home/ana", false, false)), ["/home/ana/docs", "/home/ana/note", "/home/ana/pics"]);
        assert_eq!(list(&job("/home/ana", false, true)), ["/home/ana"]);
        assert_eq!(list(&job("/home/ana/note", false, false)), ["/home/ana/note"]);
        assert_eq!(list(&job("/home/ana/p*", false, false)), ["/home/ana/pics"]);
        assert_eq!(
            list(&job("/home/ana/p*", true, false)),
            ["/home/ana/pics", "/home/ana/pics/a.jpg", "/home/ana/pics/b.jpg"]
        );
        assert_eq!(list(&job("/**/*.jpg", false, false)), ["/home/ana/pics/a.jpg", "/home/ana/pics/b.jpg"]);
        let fault = listed(&forest, &job("/home/bob", false, false)).unwrap_err();
        assert_eq!(fault.hint.as_deref(), Some("look at what is there: tuckbox ls /home"));
    }
}
