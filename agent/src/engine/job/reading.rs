//! Verbs that read versions: `versions`, `ls`, `restore`, `dump`, `diff`.

use std::path::PathBuf;

use serde::Serialize;
use store::tree::{Kind, Mark, Time};

use super::{At, RuledSource};

/// List versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionsJob {
    /// Partial ones too.
    pub partial: bool,
    /// Only those with all of these tags.
    pub tags: Vec<String>,
}

/// One version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionRow {
    /// Link id, hex.
    pub id: String,
    /// Place in the chain.
    pub sequence: u64,
    /// A checkpoint of a run that did not end.
    pub partial: bool,
    /// By the client's clock.
    pub taken_at_ms: i64,
    /// By the server's clock.
    pub received_at_ms: i64,
    /// Tags.
    pub tags: Vec<String>,
    /// Its sources; empty when the body cannot be read with the key on this machine.
    pub sources: Vec<SourceRow>,
    /// Files in all.
    pub files: u64,
    /// Directories in all.
    pub dirs: u64,
    /// Size of all files.
    pub bytes: u64,
    /// The vault has lost something of it.
    pub holes: bool,
    /// Pinned until then, in milliseconds since 1970; 0 for ever.
    pub pinned_until_ms: Option<i64>,
    /// What was said when it was pinned; empty when nothing was.
    pub pin_reason: String,
    /// In the trash, at least until then.
    pub trash_until_ms: Option<i64>,
    /// Why it is kept, a word each: `newest`, `daily`, `pinned`; or why it goes.
    pub why: Vec<String>,
}

/// One source of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRow {
    /// Host label.
    pub host: String,
    /// Path.
    pub path: Vec<u8>,
    /// Files.
    pub files: u64,
    /// Size of all files.
    pub bytes: u64,
    /// Sequence of the version that brought this state.
    pub introduced: u64,
    /// Not there since, and kept by the guard.
    pub missing_since_ms: Option<i64>,
}

/// List names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListJob {
    /// Which version.
    pub at: At,
    /// Absolute paths, with `*`, `?` and `**`; none = `/`.
    pub paths: Vec<Vec<u8>>,
    /// Everything below directories too.
    pub recursive: bool,
    /// A directory itself and not what is in it.
    pub directory: bool,
}

/// One name in a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Absolute path in the version's overlay.
    pub path: Vec<u8>,
    /// Kind.
    pub kind: Kind,
    /// The 12 permission bits.
    pub mode: u16,
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// User name, may be empty.
    pub user: Vec<u8>,
    /// Group name, may be empty.
    pub group: Vec<u8>,
    /// Bytes of a regular file; of all files below for a directory.
    pub size: u64,
    /// Files below a directory, where that can be told without a walk.
    pub files: Option<u64>,
    /// Modification time.
    pub mtime: Time,
    /// Target of a symlink.
    pub target: Option<Vec<u8>>,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// Something to be told.
    pub mark: Option<Mark>,
    /// It is only the way to a source: nothing is stored of it itself, no time either.
    pub made_up: bool,
}

/// What a listing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListSummary {
    /// Rows.
    pub entries: u64,
    /// Size of the files among them.
    pub bytes: u64,
}

/// Write files back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreJob {
    /// Which version.
    pub at: At,
    /// Absolute paths; none = everything, with full paths.
    pub paths: Vec<Vec<u8>>,
    /// Target directory, absolute; none = in place, asked by [`Person::restore_in_place`](super::Person::restore_in_place).
    pub to: Option<PathBuf>,
    /// Only what these patterns match (and what leads to it).
    pub include: Vec<String>,
    /// Not what these match.
    pub exclude: Vec<String>,
    /// What to do with what is there.
    pub overwrite: Overwrite,
    /// Remove what is in restored directories and not in the version.
    pub delete: bool,
    /// Read everything back and compare.
    pub verify: bool,
    /// Tell what would be done, write nothing.
    pub dry_run: bool,
    /// Beneath the target, keep the whole path and not only its last component.
    pub full_paths: bool,
    /// Tell each file.
    pub list_items: bool,
    /// Of a file of which the vault has lost something, write the rest, with zeros in place of that; what stands there is
    /// never replaced by such a file.
    pub with_holes: bool,
    /// The person has said yes to a restore in place already.
    pub confirmed: bool,
    /// What the configuration leaves out of backups here: `delete` leaves it alone. Of several that hold a path, the innermost counts.
    pub sources: Vec<RuledSource>,
}

/// What to do with a file that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Write it again.
    Always,
    /// Write it when kind, size or time differ.
    #[default]
    IfChanged,
    /// Write it when the version's is newer.
    IfNewer,
    /// Leave it, and when it differs write the version's beside it under a name of its own.
    KeepBoth,
    /// Leave it.
    Never,
}

/// What a restore in place is about to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestorePlan {
    /// Paths to be written, as asked for; `/` when everything.
    pub paths: Vec<Vec<u8>>,
    /// Entries in the version that fit.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Things that are there now and will be removed (`--delete`).
    pub deletes: u64,
    /// The first of them.
    pub deleted: Vec<Vec<u8>>,
    /// How existing files are treated.
    pub overwrite: Overwrite,
}

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoreSummary {
    /// The version it came from.
    pub version_id: String,
    /// Its sequence.
    pub sequence: u64,
    /// Files written.
    pub files_restored: u64,
    /// Of these, those that took the place of something else.
    pub files_replaced: u64,
    /// Files left as they are.
    pub files_kept: u64,
    /// Written beside what stood there, under names of their own.
    pub files_beside: u64,
    /// Files and directories removed.
    pub files_deleted: u64,
    /// The first of these, for people.
    #[serde(skip)]
    pub deleted: Vec<Vec<u8>>,
    /// Items that could not be restored, wholly or in part.
    pub files_skipped: u64,
    /// Of these, files whose data is missing or altered in the vault; exit 10 when there are any.
    pub files_damaged: u64,
    /// Of these, files that were written with zeros where something is lost.
    pub files_with_holes: u64,
    /// Files read back and found equal.
    pub files_verified: u64,
    /// Directories made or set right.
    pub dirs_restored: u64,
    /// Bytes written to files.
    pub restored_bytes: u64,
    /// Bytes of files left as they are.
    pub kept_bytes: u64,
    /// Sent on the wire.
    pub sent_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
    /// Items with errors.
    pub errors: u64,
    /// The vault shows an older or another history than this machine has seen, so that there may be a newer version that
    /// cannot be read; exit 3.
    pub history_doubtful: bool,
    /// It took so long.
    pub elapsed_ms: u64,
}

impl RestoreSummary {
    /// Adds the figures of another restore; version, traffic and time stay.
    pub fn add(&mut self, other: &Self) {
        self.files_restored += other.files_restored;
        self.files_replaced += other.files_replaced;
        self.files_kept += other.files_kept;
        self.files_beside += other.files_beside;
        self.files_deleted += other.files_deleted;
        self.deleted.extend(other.deleted.iter().cloned());
        self.files_skipped += other.files_skipped;
        self.files_damaged += other.files_damaged;
        self.files_with_holes += other.files_with_holes;
        self.files_verified += other.files_verified;
        self.dirs_restored += other.dirs_restored;
        self.restored_bytes += other.restored_bytes;
        self.kept_bytes += other.kept_bytes;
        self.errors += other.errors;
        self.history_doubtful |= other.history_doubtful;
    }
}

/// Write one path to a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpJob {
    /// Which version.
    pub at: At,
    /// Absolute: a file, or a directory as a pax tar.
    pub path: Vec<u8>,
    /// It goes to a screen, on which a tar is of no use: a directory is refused.
    pub to_screen: bool,
    /// Go on with zeros where the vault has lost something of a file, as in a tar.
    pub with_holes: bool,
    /// The file that it goes to, when that is known: it must be none of tuckbox's own.
    pub output: Option<PathBuf>,
}

/// What a dump wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DumpSummary {
    /// The version it came from.
    pub version_id: String,
    /// A pax tar and not one file's content.
    pub tar: bool,
    /// Files.
    pub files: u64,
    /// Bytes written to the stream.
    pub written_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
}

/// Compare two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffJob {
    /// From here …
    pub from: At,
    /// … to here.
    pub to: At,
    /// Only below this absolute path.
    pub path: Option<Vec<u8>>,
    /// Files whose metadata alone differs, too.
    pub metadata: bool,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    /// Absolute path.
    pub path: Vec<u8>,
    /// What happened to it.
    pub change: Change,
    /// Kind in the later version (in the earlier one when it is gone).
    pub kind: Kind,
    /// Size before.
    pub size_before: Option<u64>,
    /// Size after.
    pub size_after: Option<u64>,
}

/// What happened to a path between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only in the later one.
    Added,
    /// Only in the earlier one.
    Removed,
    /// Content differs.
    Content,
    /// Only metadata differs.
    Metadata,
    /// Another kind of file.
    Kind,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DiffSummary {
    /// Paths only in the later version.
    pub added: u64,
    /// Paths only in the earlier one.
    pub removed: u64,
    /// Paths whose content or kind differs.
    pub changed: u64,
    /// Paths of which only metadata differs.
    pub metadata: u64,
    /// Size of what was added.
    pub added_bytes: u64,
    /// Size of what was removed.
    pub removed_bytes: u64,
}
