//! Extended attributes of files and links. POSIX ACLs and capabilities are among them.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;

use rustix::fs::{fgetxattr, flistxattr, lgetxattr, llistxattr};
use rustix::io::{Errno, Result};
use store::tree::Xattr;

use super::dir::Dir;

/// Linux gives at most this much, for the list and for one value.
const MOST: usize = 64 << 10;

thread_local! {
    static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> = RefCell::new((vec![0; MOST], vec![0; MOST]));
}

/// `/proc/self/fd/N`, or a name in that directory: the way to calls that know no descriptors of this sort.
pub(crate) fn proc_path(fd: BorrowedFd<'_>, name: Option<&[u8]>) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes();
    if let Some(name) = name {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

/// Whether [`proc_path`] leads anywhere.
pub(crate) fn proc_is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| std::fs::metadata("/proc/self/fd").is_ok())
}

/// Where attributes are read.
#[derive(Clone, Copy)]
pub(crate) enum Holder<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// A name in a directory, not followed.
    Name(&'a Dir, &'a [u8]),
}

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Sorted by name.
    pub(crate) xattrs: Vec<Xattr>,
    /// Names of those that the system would not give, `None` for all of them.
    pub(crate) failed: Vec<(Option<Box<[u8]>>, Errno)>,
}

/// All attributes. One call when there are none.
pub(crate) fn read(holder: Holder<'_>) -> Found {
    let path = match holder {
        Holder::Open(_) => Vec::new(),
        Holder::Name(dir, name) => proc_path(dir.as_fd(), Some(name)),
    };
    BUFFERS.with_borrow_mut(|(list, value)| {
        let mut found = Found::default();
        let listed = match holder {
            Holder::Open(fd) => flistxattr(fd, list.as_mut_slice()),
            Holder::Name(..) => llistxattr(path.as_slice(), list.as_mut_slice()),
        };
        let names = match listed {
            Ok(len) => list.get(..len).unwrap_or_default(),
            // No such thing on this file system; or it vanished, which others notice.
            Err(Errno::OPNOTSUPP | Errno::NODATA) => return found,
            Err(Errno::NOENT) if proc_is_there() => return found,
            Err(error) => {
                found.failed.push((None, error));
                return found;
            }
        };
        for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let got = match holder {
                Holder::Open(fd) => fgetxattr(fd, name, value.as_mut_slice()),
                Holder::Name(..) => lgetxattr(path.as_slice(), name, value.as_mut_slice()),
            };
            match got {
                Ok(len) => found.xattrs.push((name.into(), value.get(..len).unwrap_or_default().into())),
                Err(Errno::NODATA | Errno::NOENT) => {}
                Err(error) => found.failed.push((Some(name.into()), error)),
            }
        }
        found.xattrs.sort_unstable();
        found
    })
}

/// Names of the attributes of an open file; none where there is no such thing.
pub(crate) fn names(fd: BorrowedFd<'_>) -> Result<Vec<Box<[u8]>>> {
    BUFFERS.with_borrow_mut(|(list, _)| match flistxattr(fd, list.as_mut_slice()) {
        Ok(len) => {
            let names = list.get(..len).unwrap_or_default().split(|byte| *byte == 0);
            Ok(names.filter(|name| !name.is_empty()).map(Into::into).collect())
        }
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error),
    })
}
