//! What the vault has lost: which chunks and nodes it would take back, where they are, which versions have holes.

use std::collections::{BTreeSet, HashSet};

use store::id::{BodyHash, ChunkId, NodeId};
use store::tree::{Content, Entry, Piece, What};
use transport::Class;
use transport::message::{Request, WantedAsk, WantedTold};

use super::remote::Remote;
use super::trouble::protocol;
use crate::fault::Result;

/// Most ids that are taken from a server: three times 32 MiB and a little; it tells no more than a million of a kind.
const IDS_MAX: usize = 3 << 20;
/// Most versions: more than one a minute for seven years.
const VERSIONS_MAX: usize = 4 << 20;

/// See the module. Nothing is wanted by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names the list; 0 for an empty one.
    pub mark: u64,
    /// Chunks to be sent again.
    pub chunks: HashSet<ChunkId>,
    /// Nodes to be sent again.
    pub nodes: HashSet<NodeId>,
    /// Nodes below which some of it is.
    pub leads: HashSet<NodeId>,
    /// Every node may be such a one.
    pub everywhere: bool,
    /// Bodies of links to be sent again.
    pub bodies: BTreeSet<BodyHash>,
    /// Versions, partial ones included, that cannot be read in full.
    pub versions: BTreeSet<u64>,
}

impl Wanted {
    /// Asks the server. Without `ids` only the mark and the versions come.
    pub fn ask(remote: &Remote, ids: bool) -> Result<Self> {
        remote.persist(|remote| Self::ask_once(remote, ids))
    }

    fn ask_once(remote: &Remote, ids: bool) -> Result<Self> {
        let request = Request::Wanted(WantedAsk { ids });
        let call = remote.call(Class::Interactive, &request).map_err(|error| remote.explain(&error))?;
        remote.end(&call)?;
        let mut wanted = Self::default();
        loop {
            match remote.reply(&call)? {
                WantedTold::Ids(some) => {
                    let Some((chunks, nodes, leads)) = some.split().filter(|_| ids) else {
                        return Err(protocol("a list of what is wanted cannot be read"));
                    };
                    wanted.chunks.extend(chunks);
                    wanted.nodes.extend(nodes);
                    wanted.leads.extend(leads);
                }
                WantedTold::Bodies(some) => wanted.bodies.extend(some),
                WantedTold::Versions(some) => wanted.versions.extend(some),
                WantedTold::Done(done) => {
                    wanted.mark = done.mark;
                    wanted.everywhere = done.everywhere;
                    return Ok(wanted);
                }
            }
            let told = wanted.chunks.len() + wanted.nodes.len() + wanted.leads.len();
            if told > IDS_MAX || wanted.versions.len() + wanted.bodies.len() > VERSIONS_MAX {
                return Err(protocol("more is wanted than there can be"));
            }
        }
    }

    /// Nothing is to be sent again.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.nodes.is_empty()
    }

    /// Whether this node is wanted, or something below it.
    pub fn concerns(&self, node: &NodeId) -> bool {
        !self.is_empty() && (self.everywhere || self.nodes.contains(node) || self.leads.contains(node))
    }

    /// Whether reading this file again gives back something that is wanted.
    pub fn is_in(&self, entry: &Entry) -> bool {
        if self.is_empty() {
            return false;
        }
        match &entry.what {
            What::File { content: Content::Chunk(id), .. } => self.chunks.contains(id),
            What::File { content: Content::Pieces(pieces), .. } => {
                pieces.iter().any(|piece| matches!(piece, Piece::Data { id, .. } if self.chunks.contains(id)))
            }
            What::File { content: Content::List { node, .. }, .. } => self.concerns(node),
            _ => false,
        }
    }
}
