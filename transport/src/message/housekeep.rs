//! Housekeeping: what nothing kept needs goes.

use minicbor::{Decode, Encode};

/// Asks for a pass. Replies are [`Kept`] messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Housekeep {
    /// Only say what would be done.
    #[n(0)]
    pub dry_run: bool,
    /// Do what otherwise waits to be confirmed.
    #[n(1)]
    pub confirmed: bool,
    /// Longest time, in milliseconds.
    #[n(2)]
    pub most_ms: Option<u64>,
    /// Most bytes that are copied.
    #[n(3)]
    pub most_bytes: Option<u64>,
    /// In a dry run: nothing is told but what would come free without these versions of the opened account. At most
    /// [`super::IDS_MAX`].
    #[n(4)]
    pub without: Option<Vec<u64>>,
}

/// What a pass tells.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kept {
    /// In a dry run: what becomes of a version of the opened account. Else: a version that went.
    #[n(1)]
    Version {
        /// Its number.
        #[n(0)]
        sequence: u64,
        /// When it was received, ms since 1970; absent when it went.
        #[n(1)]
        received_at: Option<i64>,
        /// `kept`, `trash` or `going`.
        #[n(2)]
        fate: String,
        /// Why, a word each: `newest`, `daily`, `pinned`, …
        #[n(3)]
        why: Vec<String>,
    },
    /// A step is done.
    #[n(2)]
    Step {
        /// Which: `marked`, `condemned`, `freed`, `rewritten`, `unlinked`, `orphans`, `blocked`.
        #[n(0)]
        what: String,
        /// How many.
        #[n(1)]
        count: u64,
        /// Of how many bytes.
        #[n(2)]
        bytes: u64,
    },
    /// The end of it.
    #[n(3)]
    Done(#[n(0)] Housekept),
}

/// The sums of a pass. In a dry run: what would be done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Housekept {
    /// Nothing has changed since the last pass, and nothing is due.
    #[n(0)]
    pub unchanged: bool,
    /// The next pass goes on.
    #[n(1)]
    pub unfinished: bool,
    /// Nodes and bodies that are needed and cannot be read: nothing is freed.
    #[n(2)]
    pub holes: u64,
    /// Versions that are there, partial ones included.
    #[n(3)]
    pub versions: u64,
    /// Versions that no rule keeps and that wait to be confirmed.
    #[n(4)]
    pub waiting: u64,
    /// Versions that no rule keeps and that went.
    #[n(5)]
    pub expired: u64,
    /// Versions that went from the trash.
    #[n(6)]
    pub forgotten: u64,
    /// Partial versions that went.
    #[n(7)]
    pub superseded: u64,
    /// Bytes of records that are kept.
    #[n(8)]
    pub kept_bytes: u64,
    /// Bytes of records that were condemned.
    #[n(9)]
    pub condemned_bytes: u64,
    /// Bytes of records that were freed.
    #[n(10)]
    pub freed_bytes: u64,
    /// Bytes that came back to the disk.
    #[n(11)]
    pub unlinked_bytes: u64,
    /// Packs that were removed.
    #[n(12)]
    pub unlinked: u64,
    /// Packs that were folded or compacted.
    #[n(13)]
    pub rewritten: u64,
    /// Bytes that were copied for it.
    #[n(14)]
    pub copied_bytes: u64,
    /// Versions that went because space is short; absent from a server that does no such thing.
    #[n(15)]
    pub pressed: Option<u64>,
    /// Bytes of records that nothing would need without the versions that were named; absent when it cannot be told, and
    /// from a server that does no such thing.
    #[n(16)]
    pub without_bytes: Option<u64>,
}

/// Asks what housekeeping did. Replies are [`Logged`] messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct HousekeepLog {}

/// What housekeeping did.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Logged {
    /// A pass, oldest first.
    #[n(1)]
    Pass(#[n(0)] LoggedPass),
    /// The end of it.
    #[n(2)]
    Done,
}

/// A pass that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LoggedPass {
    /// When it began, ms since 1970.
    #[n(0)]
    pub at: i64,
    /// How long it took, in milliseconds.
    #[n(1)]
    pub took_ms: u64,
    /// It ended with an error.
    #[n(2)]
    pub failed: bool,
    /// The next one went on.
    #[n(3)]
    pub unfinished: bool,
    /// Nodes and bodies that are needed and could not be read.
    #[n(4)]
    pub holes: u64,
    /// Versions that waited to be confirmed.
    #[n(5)]
    pub waiting: u64,
    /// Versions of the opened account that went.
    #[n(6)]
    pub gone: Vec<LoggedVersion>,
    /// How many more went.
    #[n(7)]
    pub more: u64,
    /// Bytes of records that were condemned.
    #[n(8)]
    pub condemned_bytes: u64,
    /// Bytes of records that were freed.
    #[n(9)]
    pub freed_bytes: u64,
    /// Bytes that were copied.
    #[n(10)]
    pub copied_bytes: u64,
    /// Bytes that came back to the disk.
    #[n(11)]
    pub unlinked_bytes: u64,
}

/// A version that went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LoggedVersion {
    /// Its number.
    #[n(0)]
    pub version: u64,
    /// Why: `expired`, `forgotten`, `superseded`, `soft limit`, `free space`.
    #[n(1)]
    pub why: String,
}
