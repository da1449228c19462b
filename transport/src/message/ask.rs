//! "Which of these do you lack?" Only about the caller's own domain.

use minicbor::{Decode, Encode};

/// One batch of ids.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AskBatch {
    /// Chunk ids.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub chunks: Vec<u8>,
    /// Node ids: "have" only when complete.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub nodes: Vec<u8>,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answered {
    /// A bit for each chunk, set when it is lacking.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub chunks: Vec<u8>,
    /// A bit for each node, set when it is lacking.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub nodes: Vec<u8>,
    /// The generation that it is true of.
    #[n(2)]
    pub generation: u64,
}
