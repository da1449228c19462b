//! Reading back: groups under roots, boxes by chunk.

use minicbor::{Decode, Encode};
use store::id::ChunkId;

use super::split_ids_up_to;

/// Most chunks of one batch: 512 KiB, half of a message. Boxes at the borders of a batch are sent for both sides, so a
/// batch of tiny chunks has to span many boxes.
pub const FETCH_IDS_MAX: usize = 16_384;

/// Asks for every group with a node under these roots.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Under {
    /// Node ids.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub roots: Vec<u8>,
    /// Nodes that the client has with all below them: not descended into.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub known: Vec<u8>,
    /// Levels to descend: 0 only the roots themselves, absent all.
    #[n(2)]
    pub depth: Option<u64>,
}

/// Asks for the boxes that hold these chunks, each box once, in the order of the packs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FetchBatch {
    /// Chunk ids.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub chunks: Vec<u8>,
}

impl FetchBatch {
    /// The chunks, unless they are too many or no ids.
    #[must_use]
    pub fn ids(&self) -> Option<Vec<ChunkId>> {
        split_ids_up_to(FETCH_IDS_MAX, &self.chunks, ChunkId::new)
    }
}

/// Ends the answer to a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Fetched {
    /// Ids that have no good place.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub missing: Vec<u8>,
}

impl Fetched {
    /// The ids, unless they are too many or none.
    #[must_use]
    pub fn ids(&self) -> Option<Vec<ChunkId>> {
        split_ids_up_to(FETCH_IDS_MAX, &self.missing, ChunkId::new)
    }
}
