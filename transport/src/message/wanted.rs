//! What the vault has lost and would take back.

use minicbor::{Decode, Encode};
use store::id::{BodyHash, ChunkId, NodeId};

use super::split_ids;

/// Asks what is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WantedAsk {
    /// With the ids; otherwise only which versions have holes.
    #[n(0)]
    pub ids: bool,
}

/// What is wanted, in parts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum WantedTold {
    /// Some of the ids: at most [`IDS_MAX`](super::IDS_MAX) of each.
    #[n(1)]
    Ids(#[n(0)] WantedIds),
    /// Numbers of versions and partial ones of the account that reach something wanted, ascending; at most
    /// [`IDS_MAX`](super::IDS_MAX) in a part.
    #[n(2)]
    Versions(#[n(0)] Vec<u64>),
    /// The end of it.
    #[n(3)]
    Done(#[n(0)] WantedDone),
    /// Bodies of the account's links: committing the same link again with its body gives it back. At most
    /// [`IDS_MAX`](super::IDS_MAX) in a part.
    #[n(4)]
    Bodies(#[n(0)] Vec<BodyHash>),
}

/// Some ids of what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WantedIds {
    /// Chunk ids.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub chunks: Vec<u8>,
    /// Node ids.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub nodes: Vec<u8>,
    /// Ids of nodes that can be read and below which something wanted is.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub leads: Vec<u8>,
}

impl WantedIds {
    /// Chunks, nodes and leads, unless they are too many or no ids.
    #[must_use]
    pub fn split(&self) -> Option<(Vec<ChunkId>, Vec<NodeId>, Vec<NodeId>)> {
        Some((
            split_ids(&self.chunks, ChunkId::new)?,
            split_ids(&self.nodes, NodeId::new)?,
            split_ids(&self.leads, NodeId::new)?,
        ))
    }
}

/// The end of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WantedDone {
    /// Names the list: another list has another number; 0 when nothing is wanted.
    #[n(0)]
    pub mark: u64,
    /// The nodes that lead there are too many to be told: every node may.
    #[n(1)]
    pub everywhere: bool,
}
