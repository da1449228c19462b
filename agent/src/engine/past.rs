//! The states of one path, from the version that brought each to the one that ended it.

use std::mem;

use store::chain::SourceRoot;
use store::id::NodeId;
use store::seal::Sealer;
use store::tree::{Content, Entry, Piece, What};

use super::diff::{same_content, same_metadata};
use super::job::{Change, HistoryJob, HistorySummary, Run, StateRow, VersionMark};
use super::list::row_of;
use super::trail;
use super::versions::mark;
use super::view::{Reading, View, concerns};
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, quoted};

/// Hands each state to `row`, oldest first.
pub fn history(run: &Run, job: &HistoryJob, row: &mut dyn FnMut(StateRow) -> Result<()>) -> Result<HistorySummary> {
    let reading = Reading::open(run)?;
    let summary = {
        let views = reading.all(Some(&job.at))?;
        let Some(newest) = views.last() else { return Err(never(&job.path)) };
        let path = super::glob::clean(&newest.path(&job.path));
        trail::bring(&reading.nodes, &views, &path)?;
        let mut past = Past { path: &path, sealer: &reading.account.sealer, row, open: None, states: 0 };
        let mut before: Option<(Vec<NodeId>, bool)> = None;
        for view in &views {
            let roots = roots_near(view, &path);
            match &before {
                // Where the sources are as they were, so is the path.
                Some((same, there)) if *same == roots => past.goes_on(&view.link, *there),
                _ => {
                    let there = past.look(view)?;
                    before = Some((roots, there));
                }
            }
        }
        let deleted = past.open.is_none();
        past.end(None)?;
        if past.states == 0 {
            return Err(never(&path));
        }
        HistorySummary { states: past.states, versions: views.len() as u64, deleted }
    };
    reading.close()?;
    Ok(summary)
}

/// No version has ever had something at a path.
pub fn never(path: &[u8]) -> Fault {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    Fault::new(Code::PathNone, format!("no version has anything at {}", for_terminal(path)))
        .hint(format!("look for it elsewhere: tuckbox find --all-versions {}", quoted(name)))
        .path(path)
}

/// The roots of the sources that a path lies in or leads to.
fn roots_near(view: &View<'_>, path: &[u8]) -> Vec<NodeId> {
    let near = |source: &&SourceRoot| concerns(path, &source.path, view.hosts);
    view.sources.iter().filter(near).map(|source| source.root).collect()
}

/// A walk through the versions.
struct Past<'p> {
    path: &'p [u8],
    sealer: &'p Sealer,
    row: &'p mut dyn FnMut(StateRow) -> Result<()>,
    /// The state that is not at its end.
    open: Option<(Entry, StateRow)>,
    states: u64,
}

impl Past<'_> {
    /// Looks at the path in the next version; whether there is something.
    fn look(&mut self, view: &View<'_>) -> Result<bool> {
        let overlay = view.overlay();
        let version = mark(&view.link);
        let found = overlay.lookup(self.path)?.ok().filter(|found| !found.made_up);
        let Some(found) = found else {
            self.end(Some(version))?;
            return Ok(false);
        };
        let change = match &self.open {
            None => Some(Change::Added),
            Some((before, _)) => change(before, &found.entry),
        };
        match (change, &mut self.open) {
            (None, Some((_, state))) => {
                state.last = version;
                state.versions += 1;
            }
            (change, _) => {
                self.end(Some(version.clone()))?;
                let state = StateRow {
                    entry: row_of(&overlay, self.path, &found)?,
                    content: content_name(self.sealer, &found.entry),
                    change: change.unwrap_or(Change::Added),
                    came: version.clone(),
                    last: version,
                    went: None,
                    versions: 1,
                };
                self.open = Some((found.entry, state));
            }
        }
        Ok(true)
    }

    /// The next version is as the one before.
    fn goes_on(&mut self, link: &store::chain::ReceivedLink, there: bool) {
        if let (true, Some((_, state))) = (there, &mut self.open) {
            state.last = mark(link);
            state.versions += 1;
        }
    }

    /// The state in hand is over, with the first version that has it no more.
    fn end(&mut self, went: Option<VersionMark>) -> Result<()> {
        let Some((_, state)) = mem::take(&mut self.open) else { return Ok(()) };
        self.states += 1;
        (self.row)(StateRow { went, ..state })
    }
}

/// What is other in `new` than in `old`.
fn change(old: &Entry, new: &Entry) -> Option<Change> {
    if old.what.kind() != new.what.kind() {
        return Some(Change::Kind);
    }
    let same = match (&old.what, &new.what) {
        (What::Dir(a), What::Dir(b)) => a.content == b.content,
        _ => same_content(old, new),
    };
    match (same, same_metadata(old, new)) {
        (false, _) => Some(Change::Content),
        (true, false) => Some(Change::Metadata),
        (true, true) => None,
    }
}

/// Names the content of an entry: the id of its chunk where it is one, and one that is made of its chunks otherwise.
pub fn content_name(sealer: &Sealer, entry: &Entry) -> Option<String> {
    let What::File { content, .. } = &entry.what else {
        return match &entry.what {
            What::Dir(child) => Some(child.content.hex()),
            _ => None,
        };
    };
    Some(match content {
        Content::Empty => sealer.chunk_id(b"").hex(),
        Content::Inline(bytes) => sealer.chunk_id(bytes).hex(),
        Content::Chunk(id) => id.hex(),
        Content::List { content, .. } => content.hex(),
        Content::Pieces(pieces) => {
            let mut hasher = sealer.tree().content_hasher();
            for piece in pieces {
                match piece {
                    Piece::Data { id, .. } => hasher.update(b"d").update(id.bytes()),
                    Piece::Hole(len) => hasher.update(b"h").update(&len.to_le_bytes()),
                    Piece::Zeros(len) => hasher.update(b"z").update(&len.to_le_bytes()),
                };
            }
            hasher.finish().hex()
        }
    })
}
