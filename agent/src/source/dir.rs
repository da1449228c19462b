//! A directory, held by its descriptor.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RawDir, SeekFrom, openat, seek};
use store::tree::check_name;

use super::file::{OpenError, open_quietly};
use super::names::Names;
use super::stat::Stat;

/// How much of a directory is asked for at once.
const LISTING_BYTES: usize = 64 << 10;
/// Names for which a thread keeps memory: some 300 KiB.
const GATHERED_MAX: usize = 4_096;

thread_local! {
    /// Where the system puts names, and where they are gathered, kept from directory to directory.
    static LISTING: RefCell<(Vec<u8>, Names)> = RefCell::new((Vec::with_capacity(LISTING_BYTES), Names::default()));
}

/// An open directory. What is in it is reached by name from here, so that nobody can lead the way elsewhere.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// It was listed before, so the place of the descriptor is no more at the beginning.
    listed: AtomicBool,
}

/// The name as it is, when it is a single component. Others never reach the system.
pub(crate) fn component(name: &[u8]) -> io::Result<&[u8]> {
    check_name(name).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a name is not a single component"))?;
    Ok(name)
}

impl Dir {
    const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

    /// Opens the directory at `path`. Links may lead to it, but its last component must not be one.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::from_fd(openat(CWD, path, Self::FLAGS | OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Opens the directory at `path`, or the one that a link at `path` leads to.
    pub fn open_following(path: &Path) -> io::Result<Self> {
        Ok(Self::from_fd(openat(CWD, path, Self::FLAGS, Mode::empty())?))
    }

    /// A directory that was opened elsewhere and not read from.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Self { fd, listed: AtomicBool::new(false) }
    }

    /// Opens a directory in this one. A link is refused.
    pub fn child(&self, name: &[u8]) -> io::Result<Self> {
        Ok(Self::from_fd(openat(&self.fd, component(name)?, Self::FLAGS | OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Opens the directory that a link in this one leads to.
    pub fn led(&self, name: &[u8]) -> io::Result<Self> {
        Ok(Self::from_fd(openat(&self.fd, component(name)?, Self::FLAGS, Mode::empty())?))
    }

    /// Opens a directory in this one, sure to be the one that `seen` tells of, and without touching its access time where
    /// that is permitted.
    pub fn child_as(&self, name: &[u8], seen: &Stat) -> Result<Self, OpenError> {
        let child = Self::from_fd(open_quietly(self.as_fd(), component(name)?, Self::FLAGS, seen.uid)?);
        if !child.stat_self()?.is_same_file(seen) {
            return Err(OpenError::Replaced);
        }
        Ok(child)
    }

    /// All names in it but `.` and `..`, sorted by their bytes. Names longer than 255 bytes, which some file systems have,
    /// are among them; [`check_name`] tells. Not for two threads at once on the same `Dir`.
    pub fn list(&self) -> io::Result<Names> {
        if self.listed.swap(true, Ordering::Relaxed) {
            seek(&self.fd, SeekFrom::Start(0))?;
        }
        LISTING.with_borrow_mut(|(listing, names)| {
            names.clear();
            let mut entries = RawDir::new(&self.fd, listing.spare_capacity_mut());
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push(name);
                }
            }
            names.sort();
            // Just as much memory as they take; that of a large directory goes with it.
            Ok(if names.len() <= GATHERED_MAX { names.clone() } else { std::mem::take(names) })
        })
    }

    /// What the system says of a name: one `statx`, nothing followed.
    pub fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        Stat::at(self.as_fd(), component(name)?)
    }

    /// What the system says of the directory itself.
    pub fn stat_self(&self) -> io::Result<Stat> {
        Stat::of(self.as_fd())
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
