//! A regular file that is read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, io};

use rustix::buffer::spare_capacity;
use rustix::fs::{Advice, CWD, Mode, OFlags, fadvise, openat};
use rustix::io::{Errno, pread};
use store::tree::Kind;

use super::dir::{Dir, component};
use super::stat::Stat;
use crate::fault::{Code, Fault};

/// Why something seen a moment ago could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// It is gone.
    Vanished,
    /// Something else stands there now.
    Replaced,
    /// The system refuses.
    Failed(io::Error),
}

impl OpenError {
    /// What to tell; the caller adds the path.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Vanished => Fault::new(Code::SourceVanished, "it vanished before it was read"),
            Self::Replaced => Fault::new(Code::SourceChanged, "it was replaced before it was read"),
            Self::Failed(cause) => Fault::new(Code::SourceUnreadable, "it cannot be read").because(cause),
        }
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Vanished => Self::from(io::ErrorKind::NotFound),
            OpenError::Replaced => Self::other("it was replaced while it was looked at"),
            OpenError::Failed(error) => error,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault().fmt(f)
    }
}

impl std::error::Error for OpenError {}

impl From<Errno> for OpenError {
    fn from(error: Errno) -> Self {
        match error {
            // A handle that a file server knows no more (ESTALE) says nothing of the file: an export that was renewed.
            Errno::NOENT => Self::Vanished,
            // A link, no directory any more, a socket, a device without a driver.
            Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::NODEV => Self::Replaced,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::Failed(error),
        }
    }
}

/// Owners whose files refused `O_NOATIME`, at a place given by the number: never asked again, so that it costs one call in
/// a run and not one for every file. A collision only means that somebody is asked again.
static REFUSED: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

/// Opens without following a link and, where the system permits it, without touching the access time.
pub(super) fn open_quietly(dir: BorrowedFd<'_>, name: &[u8], flags: OFlags, owner: u32) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let plain = || openat(dir, name, flags, Mode::empty());
    let mark = u64::from(owner) + 1;
    let Some(place) = REFUSED.get(owner as usize % REFUSED.len()) else { return plain() };
    if place.load(Ordering::Relaxed) == mark {
        return plain();
    }
    match openat(dir, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => {
            let file = plain()?;
            place.store(mark, Ordering::Relaxed);
            Ok(file)
        }
        answer => answer,
    }
}

/// An open regular file, sure to be the one that was scanned.
#[derive(Debug)]
pub struct SourceFile {
    fd: OwnedFd,
    stat: Stat,
}

impl SourceFile {
    // Not blocking: between the look and the open a pipe may have taken the name.
    const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

    /// Opens the regular file `name`; device, inode and kind must be those of `seen`.
    pub fn open(dir: &Dir, name: &[u8], seen: &Stat) -> Result<Self, OpenError> {
        if seen.kind != Kind::File {
            return Err(OpenError::Replaced);
        }
        let fd = match open_quietly(dir.as_fd(), component(name)?, Self::FLAGS, seen.uid) {
            // Somebody holds a lease on it (file servers do): wait for them, but only on a regular file.
            Err(Errno::AGAIN) => Self::open_leased(dir, name, seen)?,
            answer => answer?,
        };
        let stat = Stat::of(fd.as_fd())?;
        if !stat.is_same_file(seen) {
            return Err(OpenError::Replaced);
        }
        Ok(Self { fd, stat })
    }

    fn open_leased(dir: &Dir, name: &[u8], seen: &Stat) -> Result<OwnedFd, OpenError> {
        let place = openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        if !Stat::of(place.as_fd())?.is_same_file(seen) {
            return Err(OpenError::Replaced);
        }
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(openat(CWD, super::xattrs::proc_path(place.as_fd(), None), flags, Mode::empty())?)
    }

    /// What the system said when it was opened.
    #[must_use]
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// What the system says now; [`Stat::is_unchanged`] compares.
    pub fn stat_again(&self) -> io::Result<Stat> {
        Stat::of(self.fd.as_fd())
    }

    /// Fills `buffer` from `offset` on; fewer bytes only at the end of the file. One call when the file ends exactly where
    /// it did when it was opened (growth since then is for [`SourceFile::stat_again`] to see).
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match pread(&self.fd, rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if offset.saturating_add(filled as u64) == self.stat.size {
                break;
            }
        }
        Ok(filled)
    }

    /// Appends up to `most` bytes from `offset` on; fewer only at the end of the file. Like [`SourceFile::read_at`], but
    /// where the file ends before, or the capacity does, the room need not be filled first: that end is the bound, and what
    /// is not read is not touched. After an error some bytes may have been appended.
    pub fn read_onto(&self, out: &mut Vec<u8>, most: usize, offset: u64) -> io::Result<usize> {
        let old = out.len();
        if offset.saturating_add(most as u64) < self.stat.size && out.capacity() - old != most {
            out.resize(old + most, 0);
            let got = self.read_at(out.get_mut(old..).unwrap_or_default(), offset)?;
            out.truncate(old + got);
            return Ok(got);
        }
        out.reserve(most);
        while out.len() - old < most {
            let at = offset.saturating_add((out.len() - old) as u64);
            match pread(&self.fd, spare_capacity(out), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if offset.saturating_add((out.len() - old) as u64) >= self.stat.size {
                break;
            }
        }
        out.truncate(old + most);
        Ok(out.len() - old)
    }

    /// Tells the system that it will be read from front to back. For large files; a refusal does not matter.
    pub fn advise_sequential(&self) {
        fadvise(&self.fd, 0, None, Advice::Sequential).ok();
    }
}

impl AsFd for SourceFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
