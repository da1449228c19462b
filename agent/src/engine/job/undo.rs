//! Verbs that take back: `undelete`, `delete`, `rollback`, and a restore of what was deleted.

use std::path::PathBuf;

use serde::Serialize;

use super::At;

/// Bring back the last state of deleted paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndeleteJob {
    /// Absolute paths.
    pub paths: Vec<Vec<u8>>,
    /// Everything that vanished below `paths` (none = everywhere) since this version, instead of `paths` themselves.
    pub since: Option<At>,
    /// Target directory, absolute; none = in place.
    pub to: Option<PathBuf>,
    /// Append a version that has the paths again, and leave the disk alone.
    pub in_vault: bool,
    /// Beneath the target, keep whole paths.
    pub full_paths: bool,
    /// Tell what would be done, write nothing.
    pub dry_run: bool,
    /// Read everything back and compare.
    pub verify: bool,
    /// Leave holes in files of which the vault has lost something.
    pub with_holes: bool,
    /// Tell each file.
    pub list_items: bool,
}

/// Something that is brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackRow {
    /// Its path.
    pub path: Vec<u8>,
    /// The version that it comes from.
    pub version: super::VersionMark,
    /// It is a directory.
    pub is_dir: bool,
    /// Files at and below it.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

/// Append a version without some paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteJob {
    /// Absolute paths.
    pub paths: Vec<Vec<u8>>,
    /// Tell what would be done, append nothing.
    pub dry_run: bool,
}

/// Append a version that is like an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackJob {
    /// The earlier one.
    pub to: At,
    /// Tell what would be done, append nothing.
    pub dry_run: bool,
}

/// A version that was appended, and what is other in it than in the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppendSummary {
    /// The new version's id; `None`: nothing was appended, as nothing would change, or on a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Its sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The version that was the newest before: `rollback --to` it takes this back.
    pub before_id: String,
    /// Files in the new version.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Files in the version before.
    pub before_files: u64,
    /// Their size.
    pub before_bytes: u64,
    /// The vault has lost some of what it needs.
    pub holes: bool,
    /// The command that brings the disk along; `None` when there is nothing to bring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bring_along: Option<String>,
    /// Sent on the wire.
    pub sent_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
}

/// What is about to be appended: what a person says yes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendPlan {
    /// As in `take /home/ana/x out of the newest state`.
    pub what: String,
    /// Files in the version before.
    pub before_files: u64,
    /// Files in the new one.
    pub files: u64,
    /// Size of the files in the new one.
    pub bytes: u64,
}
