//! What the system says of one name.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, IFlags, Statx, StatxAttributes, StatxFlags, makedev, statx};
use store::tree::{Kind, Time};

/// What one `statx` tells. Times are those of the file system; numbers are raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What kind of file.
    pub kind: Kind,
    /// The 12 permission bits.
    pub mode: u16,
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Units of 512 bytes that are allocated.
    pub blocks: u64,
    /// When the content changed.
    pub mtime: Time,
    /// When anything changed.
    pub ctime: Time,
    /// When it was made, where the file system keeps that.
    pub birth: Option<Time>,
    /// Inode number.
    pub inode: u64,
    /// Device number of the file system.
    pub device: u64,
    /// Names that it has.
    pub links: u32,
    /// Major and minor number of a device file, else zero.
    pub rdev: (u32, u32),
    /// Number of the mount, where the system tells it.
    pub mount: Option<u64>,
    /// The `FS_*_FL` bits that `statx` tells: compressed, immutable, append only, no dump.
    pub flags: u32,
}

impl Stat {
    /// What is told of `name` in `dir`; a link is not followed, an automount not started.
    pub(crate) fn at(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Self> {
        Self::ask(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
    }

    /// What is told of an open file.
    pub(crate) fn of(file: BorrowedFd<'_>) -> io::Result<Self> {
        Self::ask(file, b"", AtFlags::EMPTY_PATH)
    }

    fn ask(fd: BorrowedFd<'_>, name: &[u8], flags: AtFlags) -> io::Result<Self> {
        let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
        Self::from_statx(&statx(fd, name, flags, mask)?)
    }

    fn from_statx(told: &Statx) -> io::Result<Self> {
        let kind = match FileType::from_raw_mode(told.stx_mode.into()) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::Char,
            FileType::BlockDevice => Kind::Block,
            _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "a kind of file that is not known")),
        };
        let has = |flag: StatxFlags| told.stx_mask & flag.bits() != 0;
        let time = |secs, nanos| Time { secs, nanos };
        Ok(Self {
            kind,
            mode: told.stx_mode & 0o7777,
            uid: told.stx_uid,
            gid: told.stx_gid,
            size: told.stx_size,
            blocks: told.stx_blocks,
            mtime: time(told.stx_mtime.tv_sec, told.stx_mtime.tv_nsec),
            ctime: time(told.stx_ctime.tv_sec, told.stx_ctime.tv_nsec),
            birth: has(StatxFlags::BTIME).then(|| time(told.stx_btime.tv_sec, told.stx_btime.tv_nsec)),
            inode: told.stx_ino,
            device: makedev(told.stx_dev_major, told.stx_dev_minor),
            links: told.stx_nlink,
            rdev: (told.stx_rdev_major, told.stx_rdev_minor),
            mount: has(StatxFlags::MNT_ID).then_some(told.stx_mnt_id),
            flags: flags(told.stx_attributes),
        })
    }

    /// Device and inode: which file it is, while it is open.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether it is the same file: device, inode and kind.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.identity() == other.identity() && self.kind == other.kind
    }

    /// Whether it lies in the same mount of the same file system.
    #[must_use]
    pub fn is_in_mount_of(&self, other: &Self) -> bool {
        (self.device, self.mount) == (other.device, other.mount)
    }

    /// Whether something is mounted here, seen from the directory above. A subvolume in the same mount is a directory like
    /// any other, which can be deleted and not unmounted; only where no mounts are told does its device decide.
    #[must_use]
    pub fn is_mounted_in(&self, above: &Self) -> bool {
        match (self.mount, above.mount) {
            (Some(here), Some(above)) => here != above,
            _ => self.device != above.device,
        }
    }

    /// Whether nothing of it changed: the same file with the same size, mtime and ctime. For the look after reading.
    #[must_use]
    pub fn is_unchanged(&self, other: &Self) -> bool {
        self.is_same_file(other) && self.size == other.size && self.mtime == other.mtime && self.ctime == other.ctime
    }

    /// Whether it may have holes: less is allocated than it is long (compressed files look like that, too).
    #[must_use]
    pub fn may_have_holes(&self) -> bool {
        self.blocks.saturating_mul(512) < self.size
    }
}

/// The inode flags that are told without an `ioctl`. Others are not kept: they would cost a call for every file.
fn flags(attributes: StatxAttributes) -> u32 {
    const TABLE: [(StatxAttributes, IFlags); 4] = [
        (StatxAttributes::COMPRESSED, IFlags::COMPRESSED),
        (StatxAttributes::IMMUTABLE, IFlags::IMMUTABLE),
        (StatxAttributes::APPEND, IFlags::APPEND),
        (StatxAttributes::NODUMP, IFlags::NODUMP),
    ];
    if attributes.is_empty() {
        return 0;
    }
    TABLE.iter().filter(|(attribute, _)| attributes.contains(*attribute)).fold(0, |bits, (_, flag)| bits | flag.bits())
}
