//! Removing a tree without leaving it.
//!
//! Descriptors lead the way, so no link is followed and the length of paths does not matter. The number of open descriptors
//! is bounded: a directory that lies too deep is first moved up to the top of the tree that goes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat, fchmod, renameat, unlinkat};
use rustix::io::Errno;
use store::tree::Kind;

use super::dir::open_beneath;
use super::file::temporary_name;
use super::metadata::thaw;
use crate::source::xattrs::proc_path;
use crate::source::{Dir, Stat, component};

/// Directories that are open at once.
const DEPTH_MAX: usize = 32;

/// A directory that is being emptied.
struct Level {
    name: Box<[u8]>,
    dir: Dir,
    left: Vec<Box<[u8]>>,
}

impl Level {
    fn open(parent: &Dir, name: &[u8]) -> io::Result<Self> {
        let seen = parent.stat(name)?;
        if seen.mount != parent.stat_self()?.mount {
            return Err(Errno::XDEV.into());
        }
        let dir = open_dir(parent, name)?;
        let left = dir.list()?.iter().map(Box::from).collect();
        Ok(Self { name: name.into(), dir, left })
    }
}

/// Opens a directory for removal; an owner's own missing permissions are no obstacle.
fn open_dir(parent: &Dir, name: &[u8]) -> io::Result<Dir> {
    let open = || open_beneath(parent.as_fd(), name, OFlags::RDONLY | OFlags::DIRECTORY);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let place: OwnedFd = open_beneath(parent.as_fd(), name, OFlags::PATH | OFlags::DIRECTORY)?;
            chmodat(CWD, proc_path(place.as_fd(), None), Mode::RWXU, AtFlags::empty())?;
            Ok(Dir::from_fd(open()?))
        }
        answer => Ok(Dir::from_fd(answer?)),
    }
}

/// Removes `name` from `parent`; a missing name is fine.
pub(super) fn remove_tree(parent: &Dir, name: &[u8]) -> io::Result<()> {
    if unlink(parent, component(name)?, AtFlags::empty())? {
        return Ok(());
    }
    let mut top = Level::open(parent, name)?;
    let mut below: Vec<Level> = Vec::new();
    loop {
        let Some(next) = below.last_mut().unwrap_or(&mut top).left.pop() else {
            let Some(done) = below.pop() else { break };
            remove_empty(&below.last().unwrap_or(&top).dir, &done.name)?;
            continue;
        };
        let dir = &below.last().unwrap_or(&top).dir;
        if unlink(dir, &next, AtFlags::empty())? {
            continue;
        }
        if below.len() < DEPTH_MAX {
            let child = Level::open(dir, &next)?;
            below.push(child);
        } else {
            let moved = temporary_name();
            move_up(dir, &next, &top.dir, &moved)?;
            top.left.push(moved);
        }
    }
    remove_empty(parent, name)
}

fn remove_empty(parent: &Dir, name: &[u8]) -> io::Result<()> {
    unlink(parent, name, AtFlags::REMOVEDIR).map(|_| ())
}

/// A directory keeps the name of the one above it, so moving it writes in it, too.
fn move_up(from: &Dir, name: &[u8], to: &Dir, moved: &[u8]) -> io::Result<()> {
    match renameat(from, name, to, moved) {
        Err(Errno::ACCESS) => {
            fchmod(open_dir(from, name)?, Mode::RWXU)?;
            Ok(renameat(from, name, to, moved)?)
        }
        answer => Ok(answer?),
    }
}

/// Takes a name away. `false`: it is a directory and stays. Permissions and flags that stand in the way are tried to be
/// taken away once.
fn unlink(dir: &Dir, name: &[u8], flags: AtFlags) -> io::Result<bool> {
    let refused = match unlinkat(dir, name, flags) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR) => return Ok(false),
        Err(error @ (Errno::PERM | Errno::ACCESS)) => error,
        Err(error) => return Err(error.into()),
    };
    let stat = dir.stat(name)?;
    if stat.kind == Kind::Dir && flags.is_empty() {
        return Ok(false);
    }
    clear_the_way(dir, name, &stat, refused);
    match unlinkat(dir, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn clear_the_way(dir: &Dir, name: &[u8], stat: &Stat, refused: Errno) {
    if refused == Errno::ACCESS {
        fchmod(dir, Mode::RWXU).ok();
        return;
    }
    thaw(dir.as_fd());
    if matches!(stat.kind, Kind::File | Kind::Dir)
        && let Ok(fd) = open_beneath(dir.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
    {
        thaw(fd.as_fd());
    }
}
