//! Proving what is stored, on the server, without keys.

use minicbor::{Decode, Encode};

/// Starts a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Check {
    /// Read every stored byte against its checksum, not only the structure.
    #[n(0)]
    pub read_data: bool,
}

/// What a check tells.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Told {
    /// How far it is.
    #[n(1)]
    Progress {
        /// Packs looked at.
        #[n(0)]
        packs_done: u64,
        /// Packs in all.
        #[n(1)]
        packs_total: u64,
        /// Stored bytes read and compared.
        #[n(2)]
        read_bytes: u64,
    },
    /// Something is wrong.
    #[n(2)]
    Finding(#[n(0)] Finding),
    /// The end of it.
    #[n(3)]
    Done(#[n(0)] Checked),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Finding {
    /// What, as a short sentence.
    #[n(0)]
    pub what: String,
    /// Where it lies.
    #[n(1)]
    pub place: String,
    /// Whether data is missing or altered (and not only bookkeeping).
    #[n(2)]
    pub damage: bool,
    /// Numbers of versions that it touches, when known.
    #[n(3)]
    pub versions: Vec<u64>,
    /// Dotted code, as in `data.damaged`.
    #[n(4)]
    pub code: String,
}

/// The sums of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Checked {
    /// Packs.
    #[n(0)]
    pub packs: u64,
    /// Records in them.
    #[n(1)]
    pub records: u64,
    /// Stored bytes read and compared.
    #[n(2)]
    pub read_bytes: u64,
    /// Chunks that can be read.
    #[n(3)]
    pub chunks: u64,
    /// Nodes that can be read.
    #[n(4)]
    pub nodes: u64,
    /// Links.
    #[n(5)]
    pub links: u64,
    /// Versions whose closure was walked.
    #[n(6)]
    pub versions: u64,
    /// Findings that are only worth knowing.
    #[n(7)]
    pub notes: u64,
    /// Findings of damage and loss.
    #[n(8)]
    pub damages: u64,
}
