//! The nodes that lead to a path in many versions at once: one flight a level, and not one a version and level.

use store::id::NodeId;
use store::tree::{Node, NodeSource, What};

use super::cache::NodeCache;
use super::overlay::{components, host_name};
use super::view::View;
use crate::fault::Result;

/// A node on the way, and how many names of the path are behind it.
type Step = (NodeId, usize);

/// Makes sure that looking up `path`, in the words of the overlay, finds its nodes here. What cannot be had is told by
/// whoever looks it up.
pub fn bring(nodes: &NodeCache, views: &[View<'_>], path: &[u8]) -> Result<()> {
    let names: Vec<&[u8]> = components(path).collect();
    let mut steps: Vec<Step> = Vec::new();
    for view in views {
        let skip = usize::from(view.hosts);
        for source in &view.sources {
            let ours = !view.hosts || names.first().is_some_and(|host| **host == *host_name(&source.host));
            let depth = skip + components(&source.path).count();
            let leads =
                names.len() >= depth && components(&source.path).zip(names.iter().skip(skip)).all(|(a, b)| a == *b);
            if ours && leads {
                steps.push((source.root, depth));
            }
        }
    }
    while !steps.is_empty() {
        steps.sort_unstable_by_key(|(id, at)| (*at, *id));
        steps.dedup();
        let ids: Vec<NodeId> = steps.iter().map(|(id, _)| *id).collect();
        nodes.bring(&ids)?;
        steps = steps.iter().filter_map(|(id, at)| next(nodes, id, &names, *at)).collect();
    }
    Ok(())
}

/// The next node on the way, if there is one.
fn next(nodes: &dyn NodeSource, id: &NodeId, names: &[&[u8]], at: usize) -> Option<Step> {
    let name = names.get(at)?;
    match nodes.node(id).ok()? {
        Node::Root(entry) => match entry.what {
            What::Dir(child) => Some((child.node, at)),
            _ => None,
        },
        Node::Index(children) => {
            let place = children.partition_point(|child| *child.first <= **name).checked_sub(1)?;
            Some((children.get(place)?.node, at))
        }
        Node::Page(entries) => {
            let place = entries.binary_search_by(|entry| (*entry.name).cmp(name)).ok()?;
            match entries.get(place)?.what {
                // What is in the last name is not looked at.
                What::Dir(child) if at + 1 < names.len() => Some((child.node, at + 1)),
                _ => None,
            }
        }
        Node::Pieces(_) | Node::ListIndex(_) => None,
    }
}
