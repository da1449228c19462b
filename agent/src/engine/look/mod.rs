//! Looking around in versions, for who stays: what a console shows of a directory, of its past, of a file.
//!
//! * [`mod@folder`]: what is in a directory of a version, what of it changed, what is deleted
//! * [`mod@moments`]: the versions in which a directory changed
//! * [`mod@peek`]: the beginning of a file
//! * [`lines`]: what differs between two texts
//!
//! Paths here mean the same in all versions: see [`Folder::dir`](super::job::Folder::dir).

pub mod folder;
pub mod lines;
pub mod moments;
pub mod peek;

use store::id::{ContentId, NodeId};
use store::tree::{Node, NodeSource, What};

use super::cache::NodeCache;
use super::job::At;
use super::overlay::{Found, Overlay};
use super::versions::mark;
use super::view::{Reading, View};
use crate::fault::Result;

pub use folder::folder;
pub use moments::moments;
pub use peek::peek;

/// The kept versions up to one, oldest first, that one last. Paths mean the same in all.
fn until<'r>(reading: &'r Reading, at: &At) -> Result<Vec<View<'r>>> {
    let link = reading.account.pick(at)?;
    let mut views = reading.all(None)?;
    let hosts = views.first().is_some_and(|view| view.hosts);
    views.retain(|view| view.link.link().sequence <= link.link().sequence);
    // One that is in the trash, or a checkpoint, is not among them.
    if views.last().is_none_or(|view| mark(&view.link) != mark(&link)) {
        let view = reading.look(link)?;
        views.push(View { hosts: hosts || view.hosts, ..view });
    }
    Ok(views)
}

/// What a directory is with all below it, also where sources are mounted in it: equal prints, equal content.
fn print(overlay: &Overlay<'_>, found: &Found<'_>) -> Vec<ContentId> {
    let own = match &found.entry.what {
        What::Dir(child) if !found.made_up => Some(child.content),
        _ => None,
    };
    let mut all: Vec<ContentId> = own.into_iter().collect();
    if overlay.has_sources_in(found) {
        let inner = |index: &usize| found.source != Some(*index) || found.is_source_top();
        let sources = overlay.sources_of(found).into_iter().filter(inner);
        all.extend(sources.filter_map(|index| overlay.sources().get(index)).map(|source| source.content));
    }
    all
}

/// Makes sure that all entries of these directories are here: one flight a level of pages, and not one a page.
fn bring_pages(nodes: &NodeCache, dirs: &[NodeId]) -> Result<()> {
    let mut waiting: Vec<NodeId> = dirs.to_vec();
    while !waiting.is_empty() {
        waiting.sort_unstable();
        waiting.dedup();
        nodes.bring(&waiting)?;
        let mut next = Vec::new();
        for id in &waiting {
            // What cannot be had is told by whoever reads it.
            if let Ok(Node::Index(children)) = nodes.node(id) {
                next.extend(children.iter().map(|child| child.node));
            }
        }
        waiting = next;
    }
    Ok(())
}

/// The node of a real directory.
fn node_of(found: &Found<'_>) -> Option<NodeId> {
    match &found.entry.what {
        What::Dir(child) if !found.made_up => Some(child.node),
        _ => None,
    }
}
