//! An account as one portable file, out of a vault and into another: its bytes travel as data.

use minicbor::{Decode, Encode};

use super::admin::{AccountFacts, To};

/// Write an account as an archive: the reply is its bytes as data, then a [`Dumped`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Dump {
    /// Which account, by name or number.
    #[n(0)]
    pub which: String,
}

/// The end of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Dumped {
    /// Its bytes.
    #[n(0)]
    pub bytes: u64,
    /// BLAKE3 of them, 32 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: Vec<u8>,
    /// Links in it.
    #[n(2)]
    pub links: u64,
    /// Packs in it.
    #[n(3)]
    pub packs: u64,
    /// Their bytes.
    #[n(4)]
    pub pack_bytes: u64,
    /// The account's name.
    #[n(5)]
    pub name: String,
}

/// Make an account of an archive, whose bytes follow as data until the client's end. The reply is a [`Loaded`]. With
/// `resumes` a [`LoadFrom`] comes before it, as soon as the first 128 bytes are there, and the client goes on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Load {
    /// Its name; that of the archive when absent.
    #[n(0)]
    pub name: Option<String>,
    /// Its number; that of the archive when absent.
    #[n(1)]
    pub number: Option<u32>,
    /// Its hard limit; that of the archive when absent.
    #[n(2)]
    pub hard_bytes: Option<To<u64>>,
    /// Only what the vault does not have of this very archive is to be sent.
    #[n(3)]
    pub resumes: Option<bool>,
}

/// From which byte of the archive on the server lacks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LoadFrom {
    /// Bytes from its beginning, at least 128.
    #[n(0)]
    pub offset: u64,
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Loaded {
    /// The account.
    #[n(0)]
    pub account: AccountFacts,
    /// Links.
    #[n(1)]
    pub links: u64,
    /// Packs.
    #[n(2)]
    pub packs: u64,
    /// Their bytes.
    #[n(3)]
    pub pack_bytes: u64,
    /// Findings of damage, which was in the archive as it was where that comes from.
    #[n(4)]
    pub damages: u64,
    /// The first of them.
    #[n(5)]
    pub findings: Vec<String>,
}
