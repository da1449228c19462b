//! Verbs that say what is kept: `housekeep`, `forget`, `pin`.

use serde::Serialize;

use super::At;

/// Do what is due in a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HousekeepJob {
    /// Only say what would be done, and why each version is kept.
    pub dry_run: bool,
    /// Do what otherwise waits to be confirmed.
    pub confirmed: bool,
    /// Longest time, in milliseconds.
    pub most_ms: Option<u64>,
    /// Most bytes that are copied.
    pub most_bytes: Option<u64>,
}

/// What a pass tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptRow {
    /// What becomes of a version, or that it went. Words of the server.
    Version {
        /// Its number.
        sequence: u64,
        /// When it was received; `None` when it went.
        received_at_ms: Option<i64>,
        /// `kept`, `trash` or `going`.
        fate: String,
        /// Why.
        why: Vec<String>,
    },
    /// A step is done. Words of the server.
    Step {
        /// Which.
        what: String,
        /// How many.
        count: u64,
        /// Of how many bytes.
        bytes: u64,
    },
}

/// What a pass came to; in a dry run: would come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HousekeepSummary {
    /// Nothing was done.
    pub dry_run: bool,
    /// Nothing has changed since the last pass, and nothing is due.
    pub unchanged: bool,
    /// The next pass goes on.
    pub unfinished: bool,
    /// Needed and cannot be read: nothing is freed.
    pub holes: u64,
    /// Versions that are there, partial ones included.
    pub versions: u64,
    /// Versions that wait to be confirmed.
    pub waiting: u64,
    /// Versions that no rule keeps and that went.
    pub expired: u64,
    /// Versions that went from the trash.
    pub forgotten: u64,
    /// Partial versions that went.
    pub superseded: u64,
    /// Versions that went because space is short.
    pub pressed: u64,
    /// Bytes of records that are kept.
    pub kept_bytes: u64,
    /// Bytes of records that were condemned.
    pub condemned_bytes: u64,
    /// Bytes of records that were freed.
    pub freed_bytes: u64,
    /// Bytes that came back to the disk.
    pub unlinked_bytes: u64,
    /// Packs that were removed.
    pub unlinked_packs: u64,
    /// Packs that were folded or compacted.
    pub rewritten_packs: u64,
    /// Bytes that were copied for it.
    pub copied_bytes: u64,
    /// It took so long.
    pub elapsed_ms: u64,
}

/// A pass that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggedPass {
    /// When it began, by the server's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long it took.
    pub took_ms: u64,
    /// It ended with an error.
    pub failed: bool,
    /// The next one went on.
    pub unfinished: bool,
    /// Needed and could not be read: nothing was freed.
    pub holes: u64,
    /// Versions that waited to be confirmed.
    pub waiting: u64,
    /// Versions that went, with the reason in words of the server.
    pub gone: Vec<(u64, String)>,
    /// How many more went, of this account or another.
    pub more: u64,
    /// Bytes of records that were condemned.
    pub condemned_bytes: u64,
    /// Bytes of records that were freed.
    pub freed_bytes: u64,
    /// Bytes that were copied into fuller packs.
    pub copied_bytes: u64,
    /// Bytes that came back to the disk.
    pub unlinked_bytes: u64,
}

/// What is done with versions that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Into the trash.
    Forget,
    /// Out of the trash.
    Unforget,
    /// Kept until then, in milliseconds since 1970; 0 for ever.
    Pin(i64),
    /// Kept as the policy says.
    Unpin,
}

/// Forget or pin versions, or take it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamingJob {
    /// What is done.
    pub what: Naming,
    /// With which versions.
    pub versions: Vec<At>,
    /// Why, for people; sealed.
    pub reason: String,
    /// Many at once is meant.
    pub confirmed: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NamingSummary {
    /// Their numbers; empty when everything was so already.
    pub versions: Vec<u64>,
    /// Their ids in short, likewise.
    pub version_ids: Vec<String>,
    /// When the trash gives them up at the earliest, or the pin ends, in milliseconds since 1970; absent when there is
    /// no such time.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::cli::json::moment_if_known",
        rename = "until"
    )]
    pub until_ms: Option<i64>,
    /// Nothing was done: this is what would be.
    pub dry_run: bool,
    /// Bytes that only these versions need: what comes free when the trash gives them up. Only of a dry run that forgets, and
    /// absent when the server cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freed_bytes: Option<u64>,
}

/// Show or set what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyJob {
    /// The policy to be set; only shown without one.
    pub set: Option<PolicyRow>,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRow {
    /// Name of the preset, empty for none.
    pub preset: String,
    /// Counts for last, hourly, daily, weekly, monthly, yearly; `None` for no bound.
    pub keep: [Option<u32>; 6],
    /// All of this age, in milliseconds.
    pub within_ms: i64,
    /// With these tags.
    pub tags: Vec<String>,
    /// What only a count keeps may go while the account is above its soft limit.
    pub soft_limit: bool,
    /// The same, from 30 days on, while the vault's disk has less free than this; 0 for never.
    pub min_free_bytes: u64,
    /// Number of the link that set it; 0 when nobody has.
    pub sequence: u64,
}
