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
        /// Bytes looked at.
        #[n(0)]
        bytes_done: u64,
        /// Bytes in all.
        #[n(1)]
        bytes_total: u64,
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
    /// The structure, as in "box".
    #[n(0)]
    pub what: String,
    /// What is wrong with it.
    #[n(1)]
    pub why: String,
    /// Where it lies.
    #[n(2)]
    pub place: String,
    /// Whether data is missing or altered (and not only bookkeeping).
    #[n(3)]
    pub damage: bool,
    /// Numbers of versions that it touches, when known.
    #[n(4)]
    pub versions: Vec<u64>,
}

/// The sums of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Checked {
    /// Packs.
    #[n(0)]
    pub packs: u64,
    /// Records read.
    #[n(1)]
    pub records: u64,
    /// Bytes read.
    #[n(2)]
    pub bytes: u64,
    /// Links and bodies.
    #[n(3)]
    pub links: u64,
    /// Versions whose closure was walked.
    #[n(4)]
    pub versions: u64,
    /// Things that are wrong.
    #[n(5)]
    pub findings: u64,
}
