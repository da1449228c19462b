//! What a console asks to look around in versions, and to restore what was marked there.

use std::path::PathBuf;
use std::sync::Arc;

use store::tree::{Kind, Time};

use super::{At, Change, Overwrite, RestoreSummary, VersionMark};

/// Look into a directory of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderJob {
    /// Which version.
    pub at: At,
    /// Absolute, as in [`Folder::dir`]; where that has host labels and this has none, it is on this host.
    pub dir: Vec<u8>,
    /// Also what older versions had in it and this one has not.
    pub deleted: bool,
}

/// A directory of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// The version.
    pub version: VersionMark,
    /// The one before it, which changes are told against.
    pub before: Option<VersionMark>,
    /// The directory's path. Host labels stand in front when any version of the account has several hosts, so that a
    /// path means the same in all of them.
    pub dir: Vec<u8>,
    /// The version has no such directory; rows are of what is deleted.
    pub absent: bool,
    /// What is in it, by bytes of the name.
    pub rows: Vec<FolderRow>,
    /// More was deleted than is told.
    pub deleted_more: bool,
}

/// One name in a directory. A million of them are kept at once, so it holds what a list shows and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// The name.
    pub name: Box<[u8]>,
    /// What it is.
    pub kind: Kind,
    /// The 12 permission bits.
    pub mode: u16,
    /// Bytes of a regular file; of all files below for a directory, where that can be told.
    pub size: u64,
    /// Files below a directory, where that can be told.
    pub files: Option<u64>,
    /// Modification time.
    pub mtime: Time,
    /// What is other than in the version before: `Removed` is a name that only that one has. A directory's content
    /// differs when anything below it does.
    pub change: Option<Change>,
    /// This version has it no more: the newest one, of those before it, that has.
    pub gone: Option<Arc<VersionMark>>,
}

impl FolderRow {
    /// Whether it can be entered.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Dir
    }
}

/// The versions in which a directory is other than in the version before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// They, oldest first. The first is the one that brought it.
    pub changed: Vec<Moment>,
    /// Versions in all.
    pub versions: u64,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The version.
    pub version: VersionMark,
    /// Whether the directory is there from then on.
    pub there: bool,
}

/// Read the beginning of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeekJob {
    /// Which version.
    pub at: At,
    /// Absolute, as in [`Folder::dir`].
    pub path: Vec<u8>,
    /// Most bytes, at most [`PEEK_BYTES_MAX`].
    pub bytes_most: u64,
}

/// Most bytes of a file that are read for a look at it.
pub const PEEK_BYTES_MAX: u64 = 1 << 20;

/// The beginning of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Size of the whole file.
    pub size: u64,
    /// It is text as far as can be seen: UTF-8 without characters that no text has.
    pub text: bool,
}

/// Restore what was marked, of one version or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakeJob {
    /// What, each version once.
    pub takes: Vec<Take>,
    /// Target directory, absolute; none = in place.
    pub to: Option<PathBuf>,
    /// What to do with what is there.
    pub overwrite: Overwrite,
    /// Read everything back and compare.
    pub verify: bool,
    /// Of a file of which the vault has lost something, write the rest, with zeros in place of that.
    pub with_holes: bool,
    /// Tell what would be done, write nothing.
    pub dry_run: bool,
    /// Tell each file.
    pub list_items: bool,
}

/// What is taken of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Take {
    /// The version's id, hex.
    pub version: String,
    /// A directory's name for it, should versions have to be kept apart.
    pub label: String,
    /// Absolute paths, as in [`Folder::dir`].
    pub paths: Vec<Vec<u8>>,
}

/// How what is taken is laid out below the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// By the last component of each path: no two have the same.
    #[default]
    Names,
    /// By whole paths: none lies in another one.
    FullPaths,
    /// By whole paths in a directory for each version.
    Versions,
}

/// What a restore of marks is about to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakePlan {
    /// How it is laid out.
    pub layout: Layout,
    /// Names that are written, and what stands there and goes for them.
    pub files: u64,
    /// Bytes that are written.
    pub bytes: u64,
    /// Of the names that are written, those that take the place of something else.
    pub replaced: u64,
    /// Names that are there and stay as they are.
    pub kept: u64,
    /// Of the names that are written, those that stand beside something else under a name of their own.
    pub beside: u64,
    /// Names that could not be restored as things are.
    pub skipped: u64,
    /// Bytes free where it goes to.
    pub free_bytes: Option<u64>,
    /// The target is there already.
    pub target_exists: bool,
}

impl TakePlan {
    /// Whether it fits on the disk, as far as is known.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.free_bytes.is_none_or(|free| free >= self.bytes)
    }
}

/// What a restore of marks did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakeSummary {
    /// How it is laid out.
    pub layout: Layout,
    /// Of each version, in the order of the job.
    pub parts: Vec<RestoreSummary>,
    /// All together; the version is the first one.
    pub all: RestoreSummary,
}
