//! Links, pipes, sockets and devices.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, linkat, makedev, mknodat, symlinkat, unlinkat};
use rustix::io::Errno;
use store::tree::{Entry, Kind, What};

use super::dir::{TargetDir, open_beneath};
use super::file::{put_in_place, temporary_name};
use super::metadata::{Start, Subject, apply, skipped};
use super::rights::Rights;
use crate::fault::Fault;
use crate::source::xattrs::{proc_is_there, proc_path};
use crate::source::{Stat, component};

/// A name under which something new stands: its own, or a temporary one until it takes the place of something else.
struct Placed<'a> {
    dir: &'a TargetDir,
    name: &'a [u8],
    temporary: Option<Box<[u8]>>,
}

impl<'a> Placed<'a> {
    /// Calls `make` with the name; when something stands there and `replace` is given, with a temporary one.
    fn make(
        dir: &'a TargetDir,
        name: &'a [u8],
        replace: bool,
        make: impl Fn(&[u8]) -> rustix::io::Result<()>,
    ) -> io::Result<Self> {
        let name = component(name)?;
        match make(name) {
            Err(Errno::EXIST) if replace => {
                let temporary = temporary_name();
                make(&temporary)?;
                Ok(Self { dir, name, temporary: Some(temporary) })
            }
            answer => answer.map(|()| Self { dir, name, temporary: None }).map_err(io::Error::from),
        }
    }

    fn made(&self) -> &[u8] {
        self.temporary.as_deref().unwrap_or(self.name)
    }

    /// Puts it in its place; a failure removes it.
    fn settle(self) -> io::Result<()> {
        let Some(temporary) = &self.temporary else { return Ok(()) };
        let settled = put_in_place(self.dir, temporary, self.name);
        // Still there after a failure, and when both names are one file: then a rename does nothing.
        unlinkat(self.dir, &temporary[..], AtFlags::empty()).ok();
        settled
    }
}

/// Makes the symbolic link that `entry` says, with its owner, attributes and times. With `replace` it takes the place of
/// what stands there (not of a directory), else that is the error `AlreadyExists`.
pub fn make_symlink(
    dir: &TargetDir,
    name: &[u8],
    entry: &Entry,
    rights: &Rights,
    replace: bool,
) -> io::Result<Vec<Fault>> {
    let What::Symlink(target) = &entry.what else { return Err(Errno::INVAL.into()) };
    let placed = Placed::make(dir, name, replace, |name| symlinkat(&target[..], dir, name))?;
    let faults = apply(&Subject::Link(dir, placed.made()), entry, rights, &Start::new_in(dir, rights, 0o777));
    placed.settle()?;
    Ok(faults)
}

/// Makes the pipe, socket or device that `entry` says, likewise. What only root may make is a warning, and nothing is made.
pub fn make_node(
    dir: &TargetDir,
    name: &[u8],
    entry: &Entry,
    rights: &Rights,
    replace: bool,
) -> io::Result<Vec<Fault>> {
    const MODE: u16 = 0o600;
    let (what, kind, device) = match entry.what {
        What::Fifo => ("pipe", FileType::Fifo, 0),
        What::Socket => ("socket", FileType::Socket, 0),
        What::Char(major, minor) => ("character device", FileType::CharacterDevice, makedev(major, minor)),
        What::Block(major, minor) => ("block device", FileType::BlockDevice, makedev(major, minor)),
        _ => return Err(Errno::INVAL.into()),
    };
    let mode = Mode::from_raw_mode(MODE.into());
    let placed = match Placed::make(dir, name, replace, |name| mknodat(dir, name, kind, mode, device)) {
        Err(error) if refused(&error) => return Ok(vec![skipped(what, error)]),
        answer => answer?,
    };
    let faults = match open_place(dir, placed.made(), entry.what.kind()) {
        Ok(place) => apply(&Subject::Place(place.as_fd()), entry, rights, &Start::new_in(dir, rights, MODE)),
        Err(error) => vec![skipped("metadata", error)],
    };
    placed.settle()?;
    Ok(faults)
}

/// Not permitted, or not possible on this file system (FAT gives `EPERM` for both).
fn refused(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL))
}

/// A descriptor of a node that is not opened; must be what was just made.
fn open_place(dir: &TargetDir, name: &[u8], kind: Kind) -> io::Result<OwnedFd> {
    let place = open_beneath(dir.as_fd(), name, OFlags::PATH)?;
    if Stat::of(place.as_fd())?.kind != kind {
        return Err(io::Error::other("something else took its name"));
    }
    Ok(place)
}

/// A file of this restore that gets another name.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The directory that it stands in.
    pub dir: &'a TargetDir,
    /// Its name there.
    pub name: &'a [u8],
    /// Device and inode ([`NewFile::identity`](super::NewFile::identity)): anything else that took the name meanwhile gets
    /// no link. `None` where nobody else can write.
    pub identity: Option<(u64, u64)>,
}

/// Gives a file that this run has made another name. Errors are for the caller to write the content once more: too many
/// names, another file system, or none that has hard links.
pub fn make_hard_link(origin: Origin<'_>, dir: &TargetDir, name: &[u8], replace: bool) -> io::Result<()> {
    let place = open_beneath(origin.dir.as_fd(), origin.name, OFlags::PATH)?;
    if origin
        .identity
        .is_some_and(|identity| Stat::of(place.as_fd()).map(|stat| stat.identity()).ok() != Some(identity))
    {
        return Err(io::Error::other("something else took the name of the first link"));
    }
    let placed = Placed::make(dir, name, replace, |name| match proc_is_there() {
        true => linkat(CWD, proc_path(place.as_fd(), None), dir, name, AtFlags::SYMLINK_FOLLOW),
        false => linkat(origin.dir, origin.name, dir, name, AtFlags::empty()),
    })?;
    placed.settle()
}
