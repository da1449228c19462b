//! One name in a node, with everything that is kept of it.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::{ChunkId, ContentId, NodeId};
use crate::limits::NAME_BYTES_MAX;

/// A moment, as file systems keep it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970.
    pub secs: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

/// Who owns a file, by number and by name (a name may be empty when the system knows none).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// User name.
    pub user: Box<[u8]>,
    /// Group name.
    pub group: Box<[u8]>,
}

/// What kind of file an entry is. Numbers are those of FORMAT.md, 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A regular file.
    File = 0,
    /// A directory.
    Dir = 1,
    /// A symbolic link.
    Symlink = 2,
    /// A named pipe.
    Fifo = 3,
    /// A socket.
    Socket = 4,
    /// A character device.
    Char = 5,
    /// A block device.
    Block = 6,
}

/// How a file's content is cut (FORMAT.md, 5.3); stays with its path from version to version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CutClass {
    /// One chunk.
    #[default]
    Whole = 0,
    /// FastCDC, 64 KiB to 1 MiB.
    Cdc = 1,
    /// FastCDC, 256 KiB to 4 MiB.
    CdcLarge = 2,
    /// Fixed pieces of 16 KiB.
    Fixed16 = 3,
    /// Fixed pieces of 32 KiB.
    Fixed32 = 4,
    /// Fixed pieces of 64 KiB.
    Fixed64 = 5,
}

/// A part of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes, kept as a chunk.
    Data {
        /// Which.
        id: ChunkId,
        /// How many bytes.
        len: u32,
    },
    /// A hole: nothing is allocated there.
    Hole(u64),
    /// Zeros that are allocated.
    Zeros(u64),
}

impl Piece {
    /// Bytes of the file that it stands for.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Data { len, .. } => u64::from(*len),
            Self::Hole(len) | Self::Zeros(len) => *len,
        }
    }

    /// Whether it stands for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// No bytes.
    Empty,
    /// Up to 48 bytes, in the entry itself.
    Inline(Box<[u8]>),
    /// All of it in one chunk, as long as the file.
    Chunk(ChunkId),
    /// 1 to 64 pieces.
    Pieces(Vec<Piece>),
    /// More pieces, in a tree of list pages.
    List {
        /// Its top node.
        node: NodeId,
        /// What it is, wherever it lies.
        content: ContentId,
    },
}

/// Sums over a subtree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries that are not directories.
    pub files: u64,
    /// Directories, the top not counted.
    pub dirs: u64,
    /// Sizes of regular files.
    pub bytes: u64,
    /// Newest mtime in seconds since 1970; `i64::MIN` when there is none (written as 0).
    pub newest: i64,
}

/// What a directory entry leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// The directory's node: a page or the top of a tree of pages.
    pub node: NodeId,
    /// What it is, wherever it lies.
    pub content: ContentId,
    /// Sums over it and all below it.
    pub totals: Totals,
}

/// The kind of an entry with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Where they are.
        content: Content,
        /// How they are cut.
        cut: CutClass,
    },
    /// A directory.
    Dir(Child),
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device: major, minor.
    Char(u32, u32),
    /// A block device: major, minor.
    Block(u32, u32),
}

impl What {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::File { .. } => Kind::File,
            Self::Dir(_) => Kind::Dir,
            Self::Symlink(_) => Kind::Symlink,
            Self::Fifo => Kind::Fifo,
            Self::Socket => Kind::Socket,
            Self::Char(..) => Kind::Char,
            Self::Block(..) => Kind::Block,
        }
    }
}

/// Something a reader of an entry should be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The file changed while it was read; what is kept is a mixture.
    Changed,
    /// It could not be read; what stands here is of an older version. Seconds since 1970, since when.
    Unreadable(u64),
    /// It was not there, and the guard kept it. Seconds since 1970, since when.
    Missing(u64),
}

/// What a scan saw, for telling "unchanged" next time; not part of what a tree *is*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Inode change time.
    pub ctime: Time,
    /// Inode number.
    pub inode: u64,
    /// Device and link count, kept for files of more than one name: names of one source with equal device and inode are one file.
    pub link: Option<(u64, u32)>,
    /// Read it again next time: it was too fresh to be sure.
    pub racy: bool,
    /// Birth time, where the system tells it.
    pub birth: Option<Time>,
}

/// Name and value of an extended attribute.
pub type Xattr = (Box<[u8]>, Box<[u8]>);

/// One name in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A single component, as bytes. Empty only for the source root of `/`.
    pub name: Box<[u8]>,
    /// Kind and content.
    pub what: What,
    /// The 12 permission bits.
    pub mode: u16,
    /// Owner; shared between entries.
    pub owner: Arc<Owner>,
    /// Modification time.
    pub mtime: Time,
    /// Extended attributes (ACLs and capabilities among them), sorted by name.
    pub xattrs: Vec<Xattr>,
    /// `FS_*_FL` bits.
    pub flags: u32,
    /// Something to be told.
    pub mark: Option<Mark>,
    /// What the scan saw.
    pub facts: Facts,
}

impl Entry {
    /// What it adds to the totals of its directory.
    #[must_use]
    pub fn totals(&self) -> Totals {
        match &self.what {
            What::Dir(child) => {
                Totals { dirs: child.totals.dirs + 1, newest: child.totals.newest.max(self.mtime.secs), ..child.totals }
            }
            What::File { size, .. } => Totals { files: 1, dirs: 0, bytes: *size, newest: self.mtime.secs },
            _ => Totals { files: 1, dirs: 0, bytes: 0, newest: self.mtime.secs },
        }
    }
}

impl Totals {
    /// The sums of nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { newest: i64::MIN, ..Self::default() }
    }

    /// Adds other sums. Saturating: figures of a hostile tree must not stop a listing.
    pub fn add(&mut self, other: &Self) {
        self.files = self.files.saturating_add(other.files);
        self.dirs = self.dirs.saturating_add(other.dirs);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.newest = self.newest.max(other.newest);
    }
}

/// Refuses names that are not single components.
pub fn check_name(name: &[u8]) -> Result<()> {
    let bad = name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || name == b"."
        || name == b".."
        || name.iter().any(|b| matches!(b, b'/' | 0));
    if bad { Err(Error::damaged("node", "a name is not a single component")) } else { Ok(()) }
}
