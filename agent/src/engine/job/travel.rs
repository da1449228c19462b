//! Verbs that look through time: `find`, `history`, `which`, `compare`, `why`.

use std::path::PathBuf;

use serde::Serialize;
use store::tree::Kind;

use super::{At, Change, EntryRow};
use crate::engine::filter_command::FilterJob;
use crate::source::SelectionOptions;

/// A version, as far as rows about something in it name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionMark {
    /// Link id, hex.
    pub id: String,
    /// Place in the chain.
    pub sequence: u64,
    /// By the server's clock.
    pub received_at_ms: i64,
}

/// Find names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindJob {
    /// In this version; with `all_versions`, in this one and those before it.
    pub at: At,
    /// In every version: each state of what fits once, also of what is deleted.
    pub all_versions: bool,
    /// Only what the newest version looked at has no more; means all versions.
    pub deleted: bool,
    /// Only at and below these absolute paths; none = everywhere.
    pub below: Vec<Vec<u8>>,
    /// What fits.
    pub sought: Sought,
}

/// What a name must be like. What is absent fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// A glob, or a regular expression; over the last component, or over the whole path.
    pub pattern: String,
    /// It is a regular expression.
    pub regex: bool,
    /// It is about the whole path.
    pub whole_path: bool,
    /// Capitals and small letters are the same.
    pub ignore_case: bool,
    /// One of these kinds.
    pub kinds: Vec<Kind>,
    /// Regular files of at least so many bytes …
    pub bytes_least: Option<u64>,
    /// … and at most so many.
    pub bytes_most: Option<u64>,
    /// Modified after this moment (milliseconds since 1970) …
    pub newer_ms: Option<i64>,
    /// … and not after this one.
    pub older_ms: Option<i64>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindRow {
    /// What it is.
    pub entry: EntryRow,
    /// The newest version that has it so.
    pub version: VersionMark,
    /// The newest version that was looked at has nothing at this path.
    pub deleted: bool,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FindSummary {
    /// Rows.
    pub found: u64,
    /// Names that were looked at.
    pub entries: u64,
    /// Versions that were looked at.
    pub versions: u64,
}

/// The states of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryJob {
    /// Up to this version.
    pub at: At,
    /// Absolute.
    pub path: Vec<u8>,
}

/// One state of a path, from the version that brought it to the last one that had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRow {
    /// What it was.
    pub entry: EntryRow,
    /// Names the content: equal content has an equal id in all versions of the account, hex. `None` for what has none.
    pub content: Option<String>,
    /// What is new in this state.
    pub change: Change,
    /// The first version with it.
    pub came: VersionMark,
    /// The last version with it.
    pub last: VersionMark,
    /// The first version without it; `None`: it is the state of now.
    pub went: Option<VersionMark>,
    /// Versions that have it.
    pub versions: u64,
}

/// What a history came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistorySummary {
    /// Rows.
    pub states: u64,
    /// Versions that were looked at.
    pub versions: u64,
    /// The newest of them has nothing at this path.
    pub deleted: bool,
}

/// Something that has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhichRow {
    /// What kind of thing: vault, account, device, version, body, source, tag, node, content, chunk.
    pub kind: &'static str,
    /// The whole id, hex.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// A path that has it.
    pub path: Option<Vec<u8>>,
    /// A version that has it: of several the newest.
    pub version: Option<VersionMark>,
}

/// Compare a version with the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompareJob {
    /// Which version.
    pub at: At,
    /// Absolute paths; none = everything of this host.
    pub paths: Vec<Vec<u8>>,
    /// The only path is compared with this place, absolute, and not with its own.
    pub with: Option<PathBuf>,
    /// How well.
    pub depth: Depth,
    /// What is left out of sources: nobody misses it in the version.
    pub sources: Vec<RuledSource>,
}

/// How well a comparison looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Kind, size, time, mode, owner.
    #[default]
    Metadata,
    /// Attributes and content too, by ids that are computed here.
    Checksums,
    /// Attributes too, and content byte by byte, downloaded.
    Full,
}

/// A source and what is left out of it.
#[derive(Clone, Debug, Default)]
pub struct RuledSource {
    /// Its absolute path.
    pub path: Vec<u8>,
    /// Its rules, each with where it stands.
    pub rules: SelectionOptions,
    /// Decides of what the rules take.
    pub filter: Option<FilterJob>,
}

impl PartialEq for RuledSource {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for RuledSource {}

/// One difference between a version and the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompareRow {
    /// Absolute path on the disk.
    pub path: Vec<u8>,
    /// `Added`: only on the disk; `Removed`: only in the version.
    pub change: Change,
    /// Kind on the disk (in the version when it is not there).
    pub kind: Kind,
    /// Size in the version.
    pub size_before: Option<u64>,
    /// Size on the disk.
    pub size_after: Option<u64>,
    /// What differs: size, content, target, device, time, mode, owner, attributes, flags.
    pub what: Vec<&'static str>,
}

/// What a comparison with the disk came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompareSummary {
    /// The version.
    pub version_id: String,
    /// Names that are the same.
    pub same: u64,
    /// Names that are only on the disk.
    pub added: u64,
    /// Names that are only in the version.
    pub removed: u64,
    /// Names whose content or kind differs.
    pub changed: u64,
    /// Names of which only metadata differs.
    pub metadata: u64,
    /// Names that could not be read, here or there.
    pub errors: u64,
    /// Of these, names whose data is missing or altered in the vault.
    pub damaged: u64,
    /// Bytes of files whose content was read here.
    pub read_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
}

impl CompareSummary {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.added + self.removed + self.changed + self.metadata == 0
    }
}

/// Why a path is backed up, or is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhyJob {
    /// Absolute paths.
    pub paths: Vec<Vec<u8>>,
    /// The sources that are known.
    pub sources: Vec<RuledSource>,
}

/// What decides about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyRow {
    /// The path.
    pub path: Vec<u8>,
    /// The source that it lies in, if any.
    pub source: Option<Vec<u8>>,
    /// Whether a backup of that source takes it.
    pub included: bool,
    /// The rule that decides, and where it stands; `None`: no rule is about it.
    pub rule: Option<String>,
    /// What the rule is about: the path itself, or a directory above it.
    pub decided_at: Vec<u8>,
    /// Whether there is something at the path now.
    pub there: bool,
}
