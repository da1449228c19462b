//! Storing: one call from the first record to the commit, and on to the next checkpoint.

use minicbor::{Decode, Encode};
use store::id::{ChainHash, SessionId, SourceId};

use super::Head;

/// Begins or resumes a session. The reply is [`UpReply::Begun`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Begin {
    /// Sources that the session backs up; held against other sessions.
    #[n(0)]
    pub sources: Vec<SourceId>,
    /// The session to go on with, after a loss.
    #[n(1)]
    pub session: Option<SessionId>,
    /// Only adds records to a session that another call leads.
    #[n(2)]
    pub stripe: bool,
}

/// Messages from the client, between records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Up {
    /// Make this the next link.
    #[n(1)]
    Commit(#[n(0)] Commit),
    /// On a stripe: make everything so far ready for the session's next commit. The reply is [`UpReply::HandedOver`].
    #[n(2)]
    HandOver,
}

/// What to commit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Commit {
    /// The signed link, 240 bytes.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub link: Vec<u8>,
    /// Its body's record.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Option<Vec<u8>>,
    /// What the vault is known to have lost counts as here: the version may have holes.
    #[n(2)]
    pub holes: Option<bool>,
}

/// Messages to the client.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum UpReply {
    /// The session stands.
    #[n(1)]
    Begun(#[n(0)] Begun),
    /// Records are staged.
    #[n(2)]
    Ack(#[n(0)] Ack),
    /// Answer to a commit.
    #[n(3)]
    Outcome(#[n(0)] Outcome),
    /// On a stripe: the session's next commit finds all of these.
    #[n(4)]
    HandedOver(#[n(0)] Ack),
}

/// The session stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Begun {
    /// Its id: also the token to resume it with.
    #[n(0)]
    pub session: SessionId,
    /// The generation that "have" answers are true of from now on.
    #[n(1)]
    pub generation: u64,
}

/// Records are staged: they survive the death of either program, and are durable with the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ack {
    /// How many, since this call began.
    #[n(0)]
    pub records: u64,
    /// Their bytes as stored.
    #[n(1)]
    pub stored_bytes: u64,
}

/// Answer to a commit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// It is durable.
    #[n(1)]
    Committed(#[n(0)] Committed),
    /// Another link came first: sign again after this one.
    #[n(2)]
    Conflict(#[n(0)] Option<Head>),
    /// The version would not be whole; at most [`IDS_MAX`](super::IDS_MAX) of what is lacking.
    #[n(3)]
    Lacking {
        /// Chunk ids.
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        chunks: Vec<u8>,
        /// Node ids.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        nodes: Vec<u8>,
    },
}

/// A commit that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Committed {
    /// The link with its receipt, 272 bytes.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub link: Vec<u8>,
    /// Its chain hash, as the server computes it.
    #[n(1)]
    pub chain: ChainHash,
}
