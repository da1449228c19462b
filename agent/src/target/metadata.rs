//! Owner, permissions, attributes, times and flags of what was restored.
//!
//! Order: owner (which clears set-user-ID and capabilities), attributes (some want a file that can still be written),
//! permissions, times, and at the very end the flags that forbid all of this.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, Gid, IFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmodat, chownat,
    fchmod, fchown, fremovexattr, fsetxattr, futimens, ioctl_getflags, ioctl_setflags, lremovexattr, lsetxattr,
    removexattr, setxattr, utimensat,
};
use rustix::io::{Errno, Result};
use store::tree::{Entry, Kind, Time};

use super::dir::{ACCESS_ACL, DEFAULT_ACL, TargetDir, open_beneath};
use super::rights::Rights;
use crate::fault::{Code, Fault};
use crate::source::xattrs::{names, proc_path};

/// What is changed, in a way that nobody can turn elsewhere.
pub(super) enum Subject<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// A pipe, socket or device, by an `O_PATH` descriptor: it is never opened.
    Place(BorrowedFd<'a>),
    /// A symbolic link, by its name.
    Link(&'a TargetDir, &'a [u8]),
}

/// What the subject is before anything is changed.
pub(super) struct Start {
    pub(super) uid: u32,
    /// `None` when it is not sure.
    pub(super) gid: Option<u32>,
    pub(super) mode: u16,
    /// It may have got an ACL that nobody stored.
    pub(super) inherits_acl: bool,
}

impl Start {
    /// Of something just made in `dir`.
    pub(super) fn new_in(dir: &TargetDir, rights: &Rights, mode: u16) -> Self {
        Self { uid: rights.uid(), gid: dir.new_group(), mode, inherits_acl: dir.inherits_acl() }
    }
}

impl Subject<'_> {
    fn own(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        match self {
            Self::Open(fd) => fchown(fd, uid, gid),
            Self::Place(fd) => chownat(fd, c"", uid, gid, AtFlags::EMPTY_PATH),
            Self::Link(dir, name) => chownat(dir, *name, uid, gid, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    fn permit(&self, mode: u16) -> Result<()> {
        let mode = Mode::from_raw_mode(mode.into());
        match self {
            Self::Open(fd) => fchmod(fd, mode),
            Self::Place(fd) => chmodat(CWD, proc_path(*fd, None), mode, AtFlags::empty()),
            Self::Link(..) => Ok(()),
        }
    }

    fn set(&self, name: &[u8], value: &[u8]) -> Result<()> {
        let flags = XattrFlags::empty();
        match self {
            Self::Open(fd) => fsetxattr(fd, name, value, flags),
            Self::Place(fd) => setxattr(proc_path(*fd, None), name, value, flags),
            Self::Link(dir, link) => lsetxattr(proc_path(dir.as_fd(), Some(link)), name, value, flags),
        }
    }

    fn unset(&self, name: &[u8]) -> Result<()> {
        match self {
            Self::Open(fd) => fremovexattr(fd, name),
            Self::Place(fd) => removexattr(proc_path(*fd, None), name),
            Self::Link(dir, link) => lremovexattr(proc_path(dir.as_fd(), Some(link)), name),
        }
    }

    fn date(&self, mtime: Time) -> Result<()> {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            // Numbers from 2^30 on have a meaning of their own.
            last_modification: Timespec { tv_sec: mtime.secs, tv_nsec: mtime.nanos.min(999_999_999).into() },
        };
        match self {
            Self::Open(fd) => futimens(fd, &times),
            Self::Place(fd) => utimensat(CWD, proc_path(*fd, None), &times, AtFlags::empty()),
            Self::Link(dir, name) => utimensat(dir, *name, &times, AtFlags::SYMLINK_NOFOLLOW),
        }
    }
}

/// Something that was not permitted, or that this file system cannot hold.
pub(super) fn skipped(what: &str, error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::RestoreSkipped, format!("{what} not restored")).because(error)
}

/// Gives the subject what the entry says, flags excepted.
pub(super) fn apply(subject: &Subject<'_>, entry: &Entry, rights: &Rights, start: &Start) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mode = own(subject, entry, rights, start, &mut faults);
    let mut has_acl = false;
    for (name, value) in &entry.xattrs {
        has_acl |= &name[..] == ACCESS_ACL.as_bytes();
        if let Err(error) = subject.set(name, value) {
            faults.push(skipped(&format!("attribute {}", name.escape_ascii()), error));
        }
    }
    if start.inherits_acl && !has_acl && !matches!(subject, Subject::Link(..)) {
        subject.unset(ACCESS_ACL.as_bytes()).ok();
    }
    // An ACL may have changed them on its way.
    if (mode != start.mode || has_acl || start.inherits_acl)
        && let Err(error) = subject.permit(mode)
    {
        faults.push(skipped("permissions", error));
    }
    if let Err(error) = subject.date(entry.mtime) {
        faults.push(skipped("modification time", error));
    }
    faults
}

/// Sets the owner as far as it differs, and returns the permissions that are right for the owner it has then: a program of
/// another user must not run as this one.
fn own(subject: &Subject<'_>, entry: &Entry, rights: &Rights, start: &Start, faults: &mut Vec<Fault>) -> u16 {
    let (uid, gid) = rights.resolve(&entry.owner);
    let mode = entry.mode & 0o7777;
    let (new_uid, new_gid) = ((uid != start.uid).then_some(uid), (Some(gid) != start.gid).then_some(gid));
    if new_uid.is_none() && new_gid.is_none() {
        return mode;
    }
    let Err(error) = subject.own(new_uid, new_gid) else { return mode };
    // Ordinary users may at least give a file to a group of theirs.
    let group_is_right = new_gid.is_none() || new_uid.is_some() && subject.own(None, new_gid).is_ok();
    let mut lost = 0;
    if new_uid.is_some() {
        lost |= 0o4000;
    }
    if !group_is_right {
        lost |= 0o2000;
    }
    // On a directory the bit says what group new files get; without the right group it says something else.
    faults.push(skipped(&format!("owner {uid}:{gid}"), error));
    if mode & lost != 0 {
        faults.push(skipped("set-user-ID or set-group-ID", "the owner is another one"));
    }
    mode & !lost
}

/// Flags that a restore may set; the others are the file system's own.
const SETTABLE: IFlags = IFlags::COMPRESSED
    .union(IFlags::IMMUTABLE)
    .union(IFlags::APPEND)
    .union(IFlags::NODUMP)
    .union(IFlags::NOATIME)
    .union(IFlags::SYNC)
    .union(IFlags::DIRSYNC)
    .union(IFlags::NOCOW);

/// Sets the inode flags of an entry, when it has any. After everything else.
pub(super) fn set_flags(fd: BorrowedFd<'_>, entry: &Entry) -> Option<Fault> {
    let wanted = IFlags::from_bits_retain(entry.flags) & SETTABLE;
    if wanted.is_empty() {
        return None;
    }
    let done = ioctl_getflags(fd).and_then(|flags| match flags.contains(wanted) {
        true => Ok(()),
        false => ioctl_setflags(fd, flags | wanted),
    });
    done.err().map(|error| skipped("inode flags", error))
}

/// Takes away what forbids changes: immutable and append only. Whether there was any.
pub(super) fn thaw(fd: BorrowedFd<'_>) -> bool {
    let forbid = IFlags::IMMUTABLE | IFlags::APPEND;
    ioctl_getflags(fd).is_ok_and(|flags| flags.intersects(forbid) && ioctl_setflags(fd, flags - forbid).is_ok())
}

/// The same for a name; only files and directories are opened.
pub(super) fn thaw_name(dir: &TargetDir, name: &[u8]) -> bool {
    open_plain(dir, name).is_ok_and(|fd| thaw(fd.as_fd()))
}

/// Opens a file or directory, never a pipe or device.
fn open_plain(dir: &TargetDir, name: &[u8]) -> io::Result<OwnedFd> {
    match dir.dir().stat(name)?.kind {
        Kind::File | Kind::Dir => open_beneath(dir.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY),
        _ => Err(Errno::INVAL.into()),
    }
}

/// Sets the inode flags of a file of several names, once all of its names are made (an immutable file takes none).
#[must_use]
pub fn finish_flags(dir: &TargetDir, name: &[u8], entry: &Entry) -> Vec<Fault> {
    if entry.flags == 0 {
        return Vec::new();
    }
    match open_plain(dir, name) {
        Ok(fd) => set_flags(fd.as_fd(), entry).into_iter().collect(),
        Err(error) => vec![skipped("inode flags", error)],
    }
}

/// Gives a directory what its entry says, once everything in it is done: attributes that nobody stored go, times and flags
/// come last.
#[must_use]
pub fn finish_dir(dir: &TargetDir, entry: &Entry, rights: &Rights) -> Vec<Fault> {
    let start = match dir.stat_self() {
        Ok(stat) => Start { uid: stat.uid, gid: Some(stat.gid), mode: stat.mode, inherits_acl: false },
        Err(error) => return vec![skipped("metadata", error)],
    };
    let subject = Subject::Open(dir.as_fd());
    for name in names(dir.as_fd()).unwrap_or_default() {
        // Labels and the like are the system's own; these are people's.
        let ours = name.starts_with(b"user.") || *name == *ACCESS_ACL.as_bytes() || *name == *DEFAULT_ACL.as_bytes();
        if ours && entry.xattrs.binary_search_by(|(stored, _)| stored.cmp(&name)).is_err() {
            subject.unset(&name).ok();
        }
    }
    let mut faults = apply(&subject, entry, rights, &start);
    faults.extend(set_flags(dir.as_fd(), entry));
    faults
}
