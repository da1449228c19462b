//! Real trees with everything odd that a file system can hold.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{
    FileType, IFlags, Mode, XattrFlags, fsetxattr, ioctl_getflags, ioctl_setflags, makedev, mkdirat, mknodat,
};
use store::tree::{Content, Kind, What};

use super::*;
use crate::fault::Code;

fn tree() -> (tempfile::TempDir, Dir) {
    let place = tempfile::tempdir().unwrap();
    let dir = Dir::open(place.path()).unwrap();
    (place, dir)
}

/// A copy of what is called, for a thread that is nobody.
pub(crate) fn as_nobody<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let (uid, gid) = (rustix::fs::Uid::from_raw(65534), rustix::fs::Gid::from_raw(65534));
    let thread = std::thread::spawn(move || {
        // On Linux these are of one thread, and it ends with the work.
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        work()
    });
    Some(thread.join().unwrap())
}

#[test]
fn odd_names_are_listed_as_they_are() {
    let (place, dir) = tree();
    let long = vec![b'x'; 255];
    let names: [&[u8]; 9] =
        [b"new\nline", b"\x1b[31mred", b"\xff\xfe", b"-rf", b" ", b"a", b"b.\\", b"\xe2\x80\xae", &long];
    for name in names {
        fs::write(place.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    let mut expected: Vec<Box<[u8]>> = names.iter().map(|name| (*name).into()).collect();
    expected.sort();
    let list = |dir: &Dir| dir.list().unwrap().iter().map(Box::from).collect::<Vec<Box<[u8]>>>();
    assert_eq!(list(&dir), expected);
    assert_eq!(list(&dir), expected, "listing again begins again");
    let owners = Owners::new();
    for name in names {
        let stat = dir.stat(name).unwrap();
        assert_eq!((stat.kind, stat.size), (Kind::File, name.len() as u64));
        let (entry, faults) = capture(&dir, name, &stat, &owners).unwrap();
        assert!(faults.is_empty());
        assert_eq!(&entry.name[..], name);
        let mut buffer = vec![0; name.len()];
        assert_eq!(SourceFile::open(&dir, name, &stat).unwrap().read_at(&mut buffer, 0).unwrap(), name.len());
        assert_eq!(buffer, name);
    }
}

#[test]
fn names_that_lead_elsewhere_never_reach_the_system() {
    let (_place, dir) = tree();
    for name in [&b""[..], b".", b"..", b"a/b", b"/etc", b"../etc", b"a\0b", &[b'x'; 256]] {
        assert_eq!(dir.stat(name).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        assert!(dir.child(name).is_err());
        let stat = dir.stat_self().unwrap();
        assert!(dir.child_as(name, &stat).is_err());
        assert!(SourceFile::open(&dir, name, &Stat { kind: Kind::File, ..stat }).is_err());
        assert!(capture(&dir, name, &stat, &Owners::new()).is_err());
    }
}

#[test]
fn all_kinds_are_captured() {
    let (place, dir) = tree();
    fs::create_dir(place.path().join("dir")).unwrap();
    symlink(b"target\xff of it".as_slice().to_os(), place.path().join("link")).unwrap();
    let _socket = UnixListener::bind(place.path().join("socket")).unwrap();
    mknodat(&dir, "fifo", FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    let devices = mknodat(&dir, "char", FileType::CharacterDevice, Mode::RWXU, makedev(1, 3)).is_ok()
        && mknodat(&dir, "block", FileType::BlockDevice, Mode::RWXU, makedev(259, 70_000)).is_ok();
    let what = |name: &[u8]| capture(&dir, name, &dir.stat(name).unwrap(), &Owners::new()).unwrap().0.what;
    assert!(matches!(what(b"dir"), What::Dir(child) if child.totals == store::tree::Totals::none()));
    assert_eq!(what(b"link"), What::Symlink((*b"target\xff of it").into()));
    assert_eq!(what(b"socket"), What::Socket);
    assert_eq!(what(b"fifo"), What::Fifo);
    if devices {
        assert_eq!(what(b"char"), What::Char(1, 3));
        assert_eq!(what(b"block"), What::Block(259, 70_000));
    }
    let fifo = dir.stat(b"fifo").unwrap();
    assert_eq!(fifo.mode, 0o640);
    // Nothing but a regular file is ever opened for its content.
    assert!(matches!(SourceFile::open(&dir, b"fifo", &fifo), Err(OpenError::Replaced)));
}

trait ToOs {
    fn to_os(&self) -> &std::ffi::OsStr;
}

impl ToOs for [u8] {
    fn to_os(&self) -> &std::ffi::OsStr {
        std::ffi::OsStr::from_bytes(self)
    }
}

#[test]
fn what_belongs_to_a_file_is_captured() {
    let (place, dir) = tree();
    let path = place.path().join("file");
    let file = File::create(&path).unwrap();
    file.write_all_at(b"some bytes", 0).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o4751)).unwrap();
    fs::hard_link(&path, place.path().join("other")).unwrap();
    let stat = dir.stat(b"file").unwrap();
    let owners = Owners::new();
    let has_xattrs = fsetxattr(&file, "user.b", b"\0two\xff", XattrFlags::empty()).is_ok()
        && fsetxattr(&file, "user.a", b"", XattrFlags::empty()).is_ok();
    let (by_name, faults) = capture(&dir, b"file", &stat, &owners).unwrap();
    assert!(faults.is_empty());
    let open = SourceFile::open(&dir, b"file", &stat).unwrap();
    let (by_file, _) = capture_file(&open, b"file", &stat, &owners);
    assert_eq!(by_name, by_file, "both ways see the same");
    assert_eq!(by_name.mode, 0o4751);
    assert!(matches!(&by_name.what, What::File { size: 10, content: Content::Empty, .. }));
    assert_eq!(by_name.facts.link, Some((stat.device, 2)));
    assert_eq!((by_name.facts.inode, by_name.facts.ctime, by_name.facts.racy), (stat.inode, stat.ctime, false));
    assert_eq!(by_name.mtime, stat.mtime);
    if has_xattrs {
        let expected: Vec<store::tree::Xattr> =
            vec![((*b"user.a").into(), (*b"").into()), ((*b"user.b").into(), (*b"\0two\xff").into())];
        assert_eq!(by_name.xattrs, expected);
    }
    assert_eq!(verdict(&(&by_name).into(), &stat), Verdict::Same);
    // An attribute moved the ctime, and that alone is seen.
    let now = dir.stat(b"file").unwrap();
    if has_xattrs && now.ctime != stat.ctime {
        assert!(
            matches!(verdict(&(&by_name).into(), &now), Verdict::Changed(c) if c == Changes { ctime: true, ..c } && !c.mtime)
        );
    }
    let (here, _) = capture_dir(&dir, b"", &dir.stat_self().unwrap(), &owners);
    assert_eq!((here.what.kind(), here.name.len()), (Kind::Dir, 0));
}

#[test]
fn inode_flags_are_told_without_a_call_for_each_file() {
    let (place, dir) = tree();
    let file = File::create(place.path().join("file")).unwrap();
    assert_eq!(dir.stat(b"file").unwrap().flags & (IFlags::IMMUTABLE | IFlags::NODUMP).bits(), 0);
    let set = |flags| ioctl_getflags(&file).and_then(|now| ioctl_setflags(&file, (now - IFlags::IMMUTABLE) | flags));
    if set(IFlags::NODUMP | IFlags::IMMUTABLE).is_err() {
        return; // No such flags on this file system, or not root.
    }
    let flags = dir.stat(b"file").unwrap().flags;
    set(IFlags::empty()).unwrap();
    assert_eq!(flags, (IFlags::NODUMP | IFlags::IMMUTABLE).bits());
}

#[test]
fn a_file_is_the_one_that_was_seen() {
    let (place, dir) = tree();
    let path = place.path().join("file");
    fs::write(&path, b"first").unwrap();
    let seen = dir.stat(b"file").unwrap();
    // Another file, kept apart from the first, whose inode must not come again.
    fs::rename(&path, place.path().join("moved")).unwrap();
    fs::write(&path, b"second").unwrap();
    assert!(matches!(SourceFile::open(&dir, b"file", &seen), Err(OpenError::Replaced)));
    // A link to a secret.
    fs::remove_file(&path).unwrap();
    symlink("/etc/passwd", &path).unwrap();
    assert!(matches!(SourceFile::open(&dir, b"file", &seen), Err(OpenError::Replaced)));
    // A pipe: no waiting for a writer.
    fs::remove_file(&path).unwrap();
    mknodat(&dir, "file", FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(matches!(SourceFile::open(&dir, b"file", &seen), Err(OpenError::Replaced)));
    fs::remove_file(&path).unwrap();
    assert!(matches!(SourceFile::open(&dir, b"file", &seen), Err(OpenError::Vanished)));
    assert_eq!(OpenError::Vanished.fault().code, Code::SourceVanished);
    // Nobody knows whether it is gone.
    assert_eq!(OpenError::from(rustix::io::Errno::STALE).fault().code, Code::SourceUnreadable);
    fs::create_dir(&path).unwrap();
    assert!(matches!(SourceFile::open(&dir, b"file", &seen), Err(OpenError::Replaced)));
}

#[test]
fn a_directory_is_the_one_that_was_seen() {
    let (place, dir) = tree();
    let path = place.path().join("dir");
    fs::create_dir(&path).unwrap();
    let seen = dir.stat(b"dir").unwrap();
    assert!(dir.child_as(b"dir", &seen).is_ok());
    fs::rename(&path, place.path().join("moved")).unwrap();
    symlink("moved", &path).unwrap();
    assert!(matches!(dir.child_as(b"dir", &seen), Err(OpenError::Replaced)));
    assert!(dir.child(b"dir").is_err());
    assert!(Dir::open(&path).is_err());
    assert!(Dir::open_following(&path).is_ok());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(dir.child_as(b"dir", &seen), Err(OpenError::Replaced)));
}

#[test]
fn reading_ends_where_the_file_ended() {
    let (place, dir) = tree();
    let path = place.path().join("file");
    fs::write(&path, b"0123456789").unwrap();
    let seen = dir.stat(b"file").unwrap();
    let file = SourceFile::open(&dir, b"file", &seen).unwrap();
    file.advise_sequential();
    let mut buffer = [0; 64];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 10);
    assert_eq!(&buffer[..10], b"0123456789");
    assert_eq!(file.read_at(&mut buffer[..4], 8).unwrap(), 2);
    assert_eq!(file.read_at(&mut buffer, 10).unwrap(), 0);
    let mut onto = b">".to_vec();
    assert_eq!(file.read_onto(&mut onto, 4, 0).unwrap(), 4);
    assert_eq!(file.read_onto(&mut onto, 100, 4).unwrap(), 6);
    assert_eq!(file.read_onto(&mut onto, 100, 10).unwrap(), 0);
    assert_eq!(onto, b">0123456789");
    // However much room there is, no more is taken than was asked for.
    let mut roomy = Vec::with_capacity(100);
    assert_eq!((file.read_onto(&mut roomy, 7, 3).unwrap(), file.read_onto(&mut roomy, 2, 0).unwrap()), (7, 2));
    assert_eq!(roomy, b"345678901");
    // Room that is filled to its end is not made larger, wherever in the file that is.
    let mut exact = Vec::with_capacity(8);
    exact.push(b'>');
    let room = exact.capacity();
    assert_eq!(file.read_onto(&mut exact, room - 1, 1).unwrap(), 7);
    assert_eq!((&exact[..], exact.capacity()), (&b">1234567"[..], room));
    assert!(file.stat_again().unwrap().is_unchanged(&seen));
    OpenOptions::new().append(true).open(&path).unwrap().write_all_at(b"!", 0).ok();
    fs::write(&path, b"shorter").unwrap();
    assert!(!file.stat_again().unwrap().is_unchanged(&seen));
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 7);
}

#[test]
fn holes_are_found_and_a_tebibyte_of_them_at_once() {
    const TEBIBYTE: u64 = 1 << 40;
    let (place, dir) = tree();
    let file = File::create(place.path().join("file")).unwrap();
    file.set_len(TEBIBYTE).unwrap();
    let block = vec![7; 64 << 10];
    file.write_all_at(&block, 1 << 30).unwrap();
    file.write_all_at(&block, TEBIBYTE - (64 << 10)).unwrap();
    let extents = |name: &[u8]| {
        let file = SourceFile::open(&dir, name, &dir.stat(name).unwrap()).unwrap();
        let (mut at, mut found) = (0, Vec::new());
        while let Some(extent) = file.next_extent(at).unwrap() {
            let (Extent::Data(range) | Extent::Hole(range)) = &extent;
            assert!(range.start == at && range.end > at);
            at = range.end;
            found.push(extent);
        }
        found
    };
    let found = extents(b"file");
    assert_eq!(
        found,
        [
            Extent::Hole(0..1 << 30),
            Extent::Data(1 << 30..(1 << 30) + (64 << 10)),
            Extent::Hole((1 << 30) + (64 << 10)..TEBIBYTE - (64 << 10)),
            Extent::Data(TEBIBYTE - (64 << 10)..TEBIBYTE),
        ]
    );
    fs::write(place.path().join("dense"), &block).unwrap();
    assert_eq!(extents(b"dense"), [Extent::Data(0..64 << 10)]);
    File::create(place.path().join("all hole")).unwrap().set_len(1 << 20).unwrap();
    assert_eq!(extents(b"all hole"), [Extent::Hole(0..1 << 20)]);
    fs::write(place.path().join("empty"), b"").unwrap();
    assert!(extents(b"empty").is_empty());
}

#[test]
fn paths_beyond_the_systems_limit_are_walked() {
    let (_place, top) = tree();
    let name = vec![b'd'; 250];
    let mut dirs = vec![Dir::from_fd(rustix::io::dup(top.as_fd()).unwrap())];
    for _ in 0..40 {
        let dir = dirs.last().unwrap();
        mkdirat(dir, &name[..], Mode::RWXU).unwrap();
        let stat = dir.stat(&name).unwrap();
        let (entry, faults) = capture(dir, &name, &stat, &Owners::new()).unwrap();
        assert!(faults.is_empty() && entry.what.kind() == Kind::Dir);
        let child = dir.child_as(&name, &stat).unwrap();
        dirs.push(child);
    }
    assert!(dirs[39].list().unwrap().iter().eq([&name[..]]));
    // The removal of `tempfile` copes with it, too.
}

#[test]
fn what_may_not_be_read_is_told() {
    let (place, _dir) = tree();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path().join("secret"), b"x").unwrap();
    fs::write(place.path().join("open"), b"y").unwrap();
    fs::set_permissions(place.path().join("secret"), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(place.path().join("open"), Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(place.path().join("closed")).unwrap();
    fs::set_permissions(place.path().join("closed"), Permissions::from_mode(0o700)).unwrap();
    let path = place.path().to_owned();
    let told = as_nobody(move || {
        let dir = Dir::open(&path).unwrap();
        let seen = dir.stat(b"secret").unwrap();
        // Its entry is kept nevertheless.
        capture(&dir, b"secret", &seen, &Owners::new()).unwrap();
        let refused = SourceFile::open(&dir, b"secret", &seen).unwrap_err().fault();
        let closed = dir.child_as(b"closed", &dir.stat(b"closed").unwrap()).unwrap_err().fault();
        // Somebody else's file can be read, though not without touching its access time; twice.
        for _ in 0..2 {
            SourceFile::open(&dir, b"open", &dir.stat(b"open").unwrap()).unwrap();
        }
        (refused.code, closed.code)
    });
    if let Some(told) = told {
        assert_eq!(told, (Code::SourceUnreadable, Code::SourceUnreadable));
    }
}

#[test]
fn reading_leaves_the_access_time_alone() {
    let (place, dir) = tree();
    let path = place.path().join("file");
    fs::write(&path, b"x").unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    File::options().write(true).open(&path).unwrap().set_times(fs::FileTimes::new().set_accessed(old)).unwrap();
    let seen = dir.stat(b"file").unwrap();
    SourceFile::open(&dir, b"file", &seen).unwrap().read_at(&mut [0; 8], 0).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().accessed().unwrap(), old);
}

#[test]
fn the_system_directories_are_seen_as_they_are() {
    // Kernel file systems with sizes of zero and attributes of their own.
    let dir = Dir::open_following(Path::new("/proc/self")).unwrap();
    let stat = dir.stat(b"status").unwrap();
    assert_eq!((stat.kind, stat.size), (Kind::File, 0));
    assert_eq!(dir.stat(b"exe").unwrap().kind, Kind::Symlink);
    assert!(capture(&dir, b"exe", &dir.stat(b"exe").unwrap(), &Owners::new()).is_ok());
    let dev = Dir::open(Path::new("/dev")).unwrap();
    if let Ok(null) = dev.stat(b"null") {
        assert_eq!((null.kind, null.rdev), (Kind::Char, (1, 3)));
    }
}
