//! Links and bodies.

use minicbor::{Decode, Encode};
use store::id::BodyHash;

/// Asks for links after a number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Links {
    /// Those with a higher number.
    #[n(0)]
    pub after: u64,
    /// At most this many; the server may give fewer.
    #[n(1)]
    pub most: u64,
}

/// Links, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LinksReply {
    /// Received form, 272 bytes each.
    #[n(0)]
    pub links: Vec<minicbor::bytes::ByteVec>,
    /// Whether there are more.
    #[n(1)]
    pub more: bool,
}

/// Asks for bodies.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bodies {
    /// Their hashes, at most [`IDS_MAX`](super::IDS_MAX).
    #[n(0)]
    pub hashes: Vec<BodyHash>,
}

/// One body, in the order asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BodyReply {
    /// Its record; absent when it is not there.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Option<Vec<u8>>,
}
