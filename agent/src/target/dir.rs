//! A directory that is written in.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, chmodat, fchmod, fgetxattr_query, fremovexattr, mkdirat, openat, openat2,
};
use rustix::io::Errno;
use rustix::process::getegid;

use store::tree::Entry;

use super::remove::remove_tree;
use super::rights::Rights;
use crate::source::xattrs::proc_path;
use crate::source::{Dir, Stat, component};

pub(super) const ACCESS_ACL: &str = "system.posix_acl_access";
pub(super) const DEFAULT_ACL: &str = "system.posix_acl_default";

/// What a directory is until it is finished. The sticky bit says something only where others may write, so no person has
/// one like this: it tells what an earlier run made and did not come to finish, on any file system, without a list of it.
const UNFINISHED: Mode = Mode::RWXU.union(Mode::SVTX);

/// An open directory of the target. Cheap to clone; the descriptor is closed with the last one.
#[derive(Clone, Debug)]
pub struct TargetDir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: Dir,
    new_group: Option<u32>,
    inherits_acl: bool,
}

/// Whether `openat2` is there: Linux 5.6, and no filter that has not heard of it.
static OPENAT2: AtomicBool = AtomicBool::new(true);

/// Opens a name in a directory and nothing else: no link, nothing above.
pub(super) fn open_beneath(dir: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let name = component(name)?;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if OPENAT2.load(Ordering::Relaxed) {
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(dir, name, flags, Mode::empty(), within) {
            Err(Errno::NOSYS) => OPENAT2.store(false, Ordering::Relaxed),
            // Old filters refuse what they do not know; a refusal that is meant comes again below.
            Err(Errno::PERM | Errno::AGAIN) => {}
            answer => return Ok(answer?),
        }
    }
    open_component(dir, name, flags)
}

/// The same without `openat2`. A single component that is neither `..` nor followed cannot lead out either.
pub(super) fn open_component(dir: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    Ok(openat(dir, component(name)?, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

impl TargetDir {
    /// A directory that was there: looks whose group new files get, and whether ACLs are inherited.
    pub(super) fn existing_dir(dir: Dir) -> io::Result<Self> {
        let inherits_acl = fgetxattr_query(&dir, DEFAULT_ACL).is_ok();
        Self::with(dir, inherits_acl)
    }

    fn with(dir: Dir, inherits_acl: bool) -> io::Result<Self> {
        let group = dir.stat_self()?.gid;
        // New files get our group, or that of the directory (set-group-ID, or a mount option): known when both are one.
        let new_group = (group == getegid().as_raw()).then_some(group);
        Ok(Self(Arc::new(Inner { dir, new_group, inherits_acl })))
    }

    fn open_dir(&self, name: &[u8]) -> io::Result<Dir> {
        Ok(Dir::from_fd(open_beneath(self.as_fd(), name, OFlags::RDONLY | OFlags::DIRECTORY)?))
    }

    /// Opens a directory in this one. A link is refused, wherever it leads.
    pub fn child(&self, name: &[u8]) -> io::Result<Self> {
        Self::existing_dir(self.open_dir(name)?)
    }

    /// The same of one that its owner may lack permission for: they get it, if it is theirs.
    pub fn child_freed(&self, name: &[u8]) -> io::Result<Self> {
        let place = open_beneath(self.as_fd(), name, OFlags::PATH | OFlags::DIRECTORY)?;
        let mode = Mode::from_raw_mode(Stat::of(place.as_fd())?.mode.into()) | Mode::RWXU;
        // Before it is opened: that may be what is not permitted.
        let freed = chmodat(CWD, proc_path(place.as_fd(), None), mode, AtFlags::empty()).is_ok();
        let child = self.child(name)?;
        if !freed {
            fchmod(&child, mode).ok();
        }
        Ok(child)
    }

    /// Gives the directory the permissions that it had.
    pub fn permit(&self, mode: u16) -> io::Result<()> {
        Ok(fchmod(self, Mode::from_raw_mode(mode.into()))?)
    }

    /// Opens the directory that a link in this one leads to: only where a person has named that link.
    pub fn led(&self, name: &[u8]) -> io::Result<Self> {
        Self::existing_dir(self.0.dir.led(name)?)
    }

    /// Makes a directory in this one and opens it. Nobody else may enter until [`finish_dir`](super::finish_dir).
    /// `AlreadyExists` when anything stands there.
    pub fn make(&self, name: &[u8]) -> io::Result<Self> {
        mkdirat(self, component(name)?, UNFINISHED)?;
        let dir = self.open_dir(name)?;
        if self.inherits_acl() {
            // An ACL that nobody stored would spread to everything below.
            fremovexattr(&dir, DEFAULT_ACL).ok();
            fremovexattr(&dir, ACCESS_ACL).ok();
            fchmod(&dir, UNFINISHED).ok();
        }
        Self::with(dir, false)
    }

    /// Whether a directory that is there was [made](Self::make) for this entry and never finished. It may have its owner
    /// already: that comes first.
    #[must_use]
    pub fn is_unfinished(stat: &Stat, entry: &Entry, rights: &Rights) -> bool {
        // Set-group-ID comes from the directory above.
        u32::from(stat.mode & !0o2000) == UNFINISHED.bits()
            && (stat.uid == rights.uid() || stat.uid == rights.resolve(&entry.owner).0)
    }

    /// Opens a file in this one to be read back. A link is refused, and a pipe is not waited for.
    pub fn read(&self, name: &[u8]) -> io::Result<File> {
        Ok(File::from(open_beneath(self.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?))
    }

    /// What stands under a name; `None`: nothing.
    pub fn existing(&self, name: &[u8]) -> io::Result<Option<Stat>> {
        match self.0.dir.stat(name) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All names in it, sorted by their bytes.
    pub fn names(&self) -> io::Result<Vec<Box<[u8]>>> {
        Ok(self.0.dir.list()?.iter().map(Box::from).collect())
    }

    /// What the system says of the directory itself.
    pub fn stat_self(&self) -> io::Result<Stat> {
        self.0.dir.stat_self()
    }

    /// Removes what stands under a name, a directory with everything in it; nothing is followed and no mount point crossed.
    /// Nothing there is fine.
    pub fn remove(&self, name: &[u8]) -> io::Result<()> {
        remove_tree(&self.0.dir, name)
    }

    /// The group that a new file in it gets, when that is sure.
    pub(super) fn new_group(&self) -> Option<u32> {
        self.0.new_group
    }

    /// Whether new files in it get an ACL that nobody stored.
    pub(super) fn inherits_acl(&self) -> bool {
        self.0.inherits_acl
    }

    /// The directory as one that is read.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.0.dir
    }
}

impl AsFd for TargetDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.dir.as_fd()
    }
}
