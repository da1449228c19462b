//! A regular file that is written.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, Mode, OFlags, fallocate, fdatasync, ftruncate, linkat, openat, renameat, unlinkat,
};
use rustix::io::{Errno, pwrite};
use store::door::{Chance, SystemChance, random};
use store::id::hex;
use store::tree::{Entry, What};

use super::dir::TargetDir;
use super::metadata::{Start, Subject, apply, set_flags, thaw_name};
use super::rights::Rights;
use crate::fault::Fault;
use crate::plain_file::rename_new_in;
use crate::source::xattrs::{proc_is_there, proc_path};
use crate::source::{Stat, component};

/// A name that nobody has and nobody guesses.
pub(super) fn temporary_name() -> Box<[u8]> {
    let chance: &dyn Chance = &SystemChance;
    format!(".tuckbox-{}", hex(&random::<8>(chance))).into_bytes().into()
}

/// Puts what was made under a temporary name in its place. What stood there is replaced, not followed.
pub(super) fn put_in_place(dir: &TargetDir, temporary: &[u8], name: &[u8]) -> io::Result<()> {
    match renameat(dir, temporary, dir, name) {
        // What stands there may forbid it by its flags.
        Err(Errno::PERM) if thaw_name(dir, name) => Ok(renameat(dir, temporary, dir, name)?),
        answer => Ok(answer?),
    }
}

/// Where a file is until it is finished.
#[derive(Debug)]
enum Begun {
    /// Under its own name.
    There,
    /// Under this name beside it.
    Beside(Box<[u8]>),
    /// In no directory, so that nothing is left of it if the run is killed.
    Nowhere,
}

/// A file that is being written; nobody else can read it. Dropped unfinished, it goes away again. Several threads may write
/// at different places at once.
#[derive(Debug)]
pub struct NewFile {
    dir: TargetDir,
    name: Box<[u8]>,
    /// Where it is until it is finished.
    begun: Begun,
    /// What stands under its own name then goes.
    replaces: bool,
    fd: OwnedFd,
    /// How long it is so far.
    end: AtomicU64,
    /// Bytes that were written, which are fewer where it has holes.
    written: AtomicU64,
    finished: bool,
}

impl NewFile {
    const MODE: u16 = 0o600;

    /// Makes the file `name` in `dir`. When something stands there: with `replace` the file is written beside it and takes
    /// the place when it is finished (a directory is never replaced), without it the error is `AlreadyExists`.
    pub fn create(dir: &TargetDir, name: &[u8], replace: bool) -> io::Result<Self> {
        match Self::make(dir, component(name)?) {
            Err(Errno::EXIST) if replace => Self::create_aside(dir, name, true),
            answer => Ok(Self::with(dir, name, Begun::There, replace, answer?)),
        }
    }

    /// The same, but it has its name only when it is finished, so that no end of the run leaves half of it under that name.
    /// When something stands there by then, that is replaced, or else the error of [`NewFile::finish`] is `AlreadyExists`.
    pub fn create_aside(dir: &TargetDir, name: &[u8], replace: bool) -> io::Result<Self> {
        let name = component(name)?;
        match Self::make_unnamed(dir)? {
            Some(fd) => Ok(Self::with(dir, name, Begun::Nowhere, replace, fd)),
            None => Self::create_beside(dir, name, replace),
        }
    }

    /// The same where a file needs a name.
    pub(super) fn create_beside(dir: &TargetDir, name: &[u8], replace: bool) -> io::Result<Self> {
        let temporary = temporary_name();
        let fd = Self::make(dir, &temporary)?;
        Ok(Self::with(dir, name, Begun::Beside(temporary), replace, fd))
    }

    fn with(dir: &TargetDir, name: &[u8], begun: Begun, replaces: bool, fd: OwnedFd) -> Self {
        let (dir, name) = (dir.clone(), name.into());
        Self { dir, name, begun, replaces, fd, end: AtomicU64::new(0), written: AtomicU64::new(0), finished: false }
    }

    /// A file without a name; `None`: not on this file system (NFS, FAT and others), or it could not get one later.
    fn make_unnamed(dir: &TargetDir) -> rustix::io::Result<Option<OwnedFd>> {
        if !proc_is_there() {
            return Ok(None);
        }
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match openat(dir, ".", flags, Mode::from_raw_mode(Self::MODE.into())) {
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => Ok(None),
            answer => answer.map(Some),
        }
    }

    fn make(dir: &TargetDir, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(dir, name, flags, Mode::from_raw_mode(Self::MODE.into()))
    }

    /// Writes all of `bytes` at `offset`. What is never written is a hole.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match pwrite(&self.fd, rest, offset.saturating_add(written as u64)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.end.fetch_max(offset.saturating_add(written as u64), Ordering::Relaxed);
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Allocates zeros, where the file system can; else they stay a hole.
    pub fn write_zeros(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match fallocate(&self.fd, FallocateFlags::empty(), offset, len) {
            Ok(()) => {
                self.end.fetch_max(offset.saturating_add(len), Ordering::Relaxed);
                Ok(())
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes it this long. Not needed when it is finished with an entry: that says how long it is.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        ftruncate(&self.fd, len)?;
        self.end.store(len, Ordering::Relaxed);
        Ok(())
    }

    /// Device and inode, for hard links to it ([`Origin`](super::Origin)).
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        Ok(Stat::of(self.fd.as_fd())?.identity())
    }

    /// Gives it its length, owner, attributes, permissions and times, then its name, then its flags (those of a file of
    /// several names by [`finish_flags`](super::finish_flags)). What is not permitted is a warning; an error means that the
    /// file is not there.
    pub fn finish(mut self, entry: &Entry, rights: &Rights) -> io::Result<Vec<Fault>> {
        if let What::File { size, .. } = &entry.what {
            if self.end.load(Ordering::Relaxed) != *size {
                self.set_len(*size)?;
            }
            if self.written.load(Ordering::Relaxed) != *size {
                // A file system makes a dense file longer as its content arrives on the disk, but holes at once: with its
                // length and its time this one would pass for whole after a loss of power, and read as zeros.
                fdatasync(&self.fd)?;
            }
        }
        if matches!(self.begun, Begun::Nowhere) {
            // While it is ours: what belongs to another may not be given a name by just anybody.
            self.begun = Begun::Beside(self.link_beside()?);
        }
        let start = Start::new_in(&self.dir, rights, Self::MODE);
        let mut faults = apply(&Subject::Open(self.fd.as_fd()), entry, rights, &start);
        match &self.begun {
            Begun::Beside(temporary) if self.replaces => put_in_place(&self.dir, temporary, &self.name)?,
            Begun::Beside(temporary) => rename_new_in(&self.dir, &**temporary, &*self.name)?,
            Begun::There | Begun::Nowhere => {}
        }
        self.finished = true;
        if entry.facts.link.is_none() {
            faults.extend(set_flags(self.fd.as_fd(), entry));
        }
        Ok(faults)
    }

    /// Gives a file that has no name one for the moment.
    fn link_beside(&self) -> io::Result<Box<[u8]>> {
        let (path, temporary) = (proc_path(self.fd.as_fd(), None), temporary_name());
        linkat(CWD, path, &self.dir, &*temporary, AtFlags::SYMLINK_FOLLOW)?;
        Ok(temporary)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let name = match &self.begun {
            Begun::There => &self.name,
            Begun::Beside(temporary) => temporary,
            Begun::Nowhere => return,
        };
        if !self.finished {
            unlinkat(&self.dir, &**name, AtFlags::empty()).ok();
        }
    }
}
