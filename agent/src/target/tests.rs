//! Real trees: everything comes back, and nothing outside the target is touched, whatever stands there already.

mod unfinished;

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{IFlags, Mode, OFlags, XattrFlags, fsetxattr, ioctl_getflags, ioctl_setflags};
use store::id::{ContentId, NodeId};
use store::tree::{Child, Content, CutClass, Entry, Facts, Owner, Time, Totals, What};

use super::dir::{open_beneath, open_component};
use super::*;
use crate::fault::{Code, Fault};
use crate::source::tests::as_nobody;
use crate::source::{Dir, Owners, SourceFile, capture};

/// A target beside a place that must stay as it is.
struct World {
    place: tempfile::TempDir,
    target: Target,
}

impl World {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("outside")).unwrap();
        fs::write(place.path().join("outside/secret"), b"untouched").unwrap();
        let target = Target::open(&place.path().join("new/target"), true).unwrap();
        Self { place, target }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.place.path().join("new/target").join(name)
    }

    fn top(&self) -> &TargetDir {
        self.target.top()
    }

    fn outside(&self) -> PathBuf {
        self.place.path().join("outside")
    }

    /// Asserts that nothing happened beside the target.
    fn is_untouched(&self) {
        let secret = self.outside().join("secret");
        assert_eq!(fs::read(&secret).unwrap(), b"untouched");
        assert_eq!(fs::metadata(&secret).unwrap().nlink(), 1);
        assert_eq!(fs::read_dir(self.outside()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(self.place.path()).unwrap().count(), 2);
        assert_eq!(fs::read_dir(self.place.path().join("new")).unwrap().count(), 1);
    }
}

const MTIME: Time = Time { secs: 1_234_567_890, nanos: 123_456_789 };

fn entry(what: What, mode: u16) -> Entry {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Entry {
        name: (*b"x").into(),
        what,
        mode,
        owner: Arc::new(Owner { uid, gid, ..Owner::default() }),
        mtime: MTIME,
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts::default(),
    }
}

fn file(size: u64, mode: u16) -> Entry {
    entry(What::File { size, content: Content::Empty, cut: CutClass::Whole }, mode)
}

fn directory(mode: u16) -> Entry {
    let child = Child { node: NodeId::ZERO, content: ContentId::ZERO, totals: Totals::none() };
    entry(What::Dir(child), mode)
}

fn link(target: &[u8]) -> Entry {
    entry(What::Symlink(target.into()), 0o777)
}

fn write(dir: &TargetDir, name: &[u8], bytes: &[u8], replace: bool) -> std::io::Result<Vec<Fault>> {
    let new = NewFile::create(dir, name, replace)?;
    new.write_at(bytes, 0)?;
    new.finish(&file(bytes.len() as u64, 0o644), &Rights::detect())
}

fn mtime_of(path: &Path) -> (i64, i64) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.mtime(), metadata.mtime_nsec())
}

#[test]
fn everything_comes_back() {
    let world = World::new();
    let rights = Rights::detect();
    let dir = world.top().make(b"dir").unwrap();
    assert_eq!(fs::metadata(world.path("dir")).unwrap().mode() & 0o777, 0o700, "closed until it is finished");
    let new = NewFile::create(&dir, b"file", false).unwrap();
    new.write_at(b"content", 0).unwrap();
    assert_eq!(fs::metadata(world.path("dir/file")).unwrap().mode() & 0o7777, 0o600);
    assert!(new.finish(&file(7, 0o4755), &rights).unwrap().is_empty());
    assert!(make_symlink(&dir, b"link", &link(b"/no/where\xff"), &rights, false).unwrap().is_empty());
    assert!(make_node(&dir, b"fifo", &entry(What::Fifo, 0o622), &rights, false).unwrap().is_empty());
    assert!(make_node(&dir, b"socket", &entry(What::Socket, 0o777), &rights, false).unwrap().is_empty());
    let char = make_node(&dir, b"char", &entry(What::Char(1, 3), 0o666), &rights, false).unwrap();
    make_node(&dir, b"block", &entry(What::Block(259, 70_000), 0o660), &rights, false).unwrap();
    make_hard_link(Origin { dir: &dir, name: b"file", identity: None }, world.top(), b"second", false).unwrap();
    assert!(finish_dir(&dir, &directory(0o1555), &rights).is_empty());

    let file = fs::metadata(world.path("dir/file")).unwrap();
    assert_eq!(fs::read(world.path("dir/file")).unwrap(), b"content");
    assert_eq!((file.mode() & 0o7777, file.nlink()), (0o4755, 2));
    assert_eq!(fs::metadata(world.path("second")).unwrap().ino(), file.ino());
    assert_eq!(fs::read_link(world.path("dir/link")).unwrap().as_os_str().as_bytes(), b"/no/where\xff");
    let fifo = fs::metadata(world.path("dir/fifo")).unwrap();
    assert!(fifo.file_type().is_fifo() && fifo.mode() & 0o7777 == 0o622);
    assert!(fs::metadata(world.path("dir/socket")).unwrap().file_type().is_socket());
    if char.is_empty() {
        let char = fs::metadata(world.path("dir/char")).unwrap();
        assert!(char.file_type().is_char_device() && char.mode() & 0o7777 == 0o666);
        assert_eq!(char.rdev(), rustix::fs::makedev(1, 3));
        assert_eq!(fs::metadata(world.path("dir/block")).unwrap().rdev(), rustix::fs::makedev(259, 70_000));
    }
    assert_eq!(fs::metadata(world.path("dir")).unwrap().mode() & 0o7777, 0o1555);
    for name in ["dir", "dir/file", "dir/link", "dir/fifo", "dir/socket"] {
        assert_eq!(mtime_of(&world.path(name)), (MTIME.secs, MTIME.nanos.into()), "{name}");
    }
    // And what a scan sees of it is what was asked for.
    let seen = Dir::open(&world.path("dir")).unwrap();
    let stat = seen.stat(b"link").unwrap();
    let (link, _) = capture(&seen, b"link", &stat, &Owners::new()).unwrap();
    assert_eq!(link.what, What::Symlink((*b"/no/where\xff").into()));
    assert!(same(&stat, &link) && is_link_to(&dir, b"link", b"/no/where\xff") && !is_link_to(&dir, b"link", b"x"));
    assert!(!same(&stat, &Entry { mtime: Time { nanos: 0, ..MTIME }, ..link }), "its times are set last");
    world.target.sync().unwrap();
    world.is_untouched();
}

#[test]
fn the_hostile_corpus_touches_nothing_outside() {
    let world = World::new();
    let rights = Rights::detect();
    let outside = world.outside();
    for name in [&b""[..], b".", b"..", b"../outside", b"a/b", b"/etc/x", b"a\0b", &[b'x'; 256]] {
        let refused = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::InvalidInput);
        refused(world.top().child(name).unwrap_err());
        refused(world.top().make(name).unwrap_err());
        refused(world.top().existing(name).unwrap_err());
        refused(world.top().remove(name).unwrap_err());
        for replace in [false, true] {
            refused(NewFile::create(world.top(), name, replace).unwrap_err());
            refused(make_symlink(world.top(), name, &link(b"x"), &rights, replace).unwrap_err());
            refused(make_node(world.top(), name, &entry(What::Fifo, 0o600), &rights, replace).unwrap_err());
            let origin = Origin { dir: world.top(), name, identity: None };
            refused(make_hard_link(origin, world.top(), b"new", replace).unwrap_err());
        }
        assert!(!finish_flags(world.top(), name, &Entry { flags: IFlags::NODUMP.bits(), ..file(0, 0) }).is_empty());
        assert!(!is_link_to(world.top(), name, b"x"));
    }

    // A link that the same restore made, then something beneath it.
    make_symlink(world.top(), b"evil", &link(outside.as_os_str().as_bytes()), &rights, false).unwrap();
    make_symlink(world.top(), b"up", &link(b"../../outside"), &rights, false).unwrap();
    make_symlink(world.top(), b"two hops", &link(b"evil"), &rights, false).unwrap();
    make_symlink(world.top(), b"to secret", &link(outside.join("secret").as_os_str().as_bytes()), &rights, false)
        .unwrap();
    for name in [&b"evil"[..], b"up", b"two hops", b"to secret"] {
        assert!(world.top().child(name).is_err());
        for open in [open_beneath, open_component] {
            assert!(open(world.top().as_fd(), name, OFlags::RDONLY).is_err(), "{}", name.escape_ascii());
            assert!(open(world.top().as_fd(), name, OFlags::RDONLY | OFlags::DIRECTORY).is_err());
        }
        assert_eq!(world.top().make(name).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(NewFile::create(world.top(), name, false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let flags = Entry { flags: IFlags::NODUMP.bits(), ..file(0, 0) };
        assert_eq!(finish_flags(world.top(), name, &flags).len(), 1, "flags of what a link leads to");
        assert_eq!(world.top().existing(name).unwrap().unwrap().kind, store::tree::Kind::Symlink);
    }
    // A hard link to a link is one to the link.
    let origin = Origin { dir: world.top(), name: b"to secret", identity: None };
    make_hard_link(origin, world.top(), b"hard", false).unwrap();
    assert!(fs::symlink_metadata(world.path("hard")).unwrap().is_symlink());
    world.is_untouched();

    // Planted links are replaced, not followed.
    write(world.top(), b"to secret", b"mine", true).unwrap();
    write(world.top(), b"evil", b"mine", true).unwrap();
    make_symlink(world.top(), b"up", &link(b"elsewhere"), &rights, true).unwrap();
    make_node(world.top(), b"two hops", &entry(What::Fifo, 0o777), &rights, true).unwrap();
    assert_eq!(fs::read(world.path("to secret")).unwrap(), b"mine");
    assert!(fs::symlink_metadata(world.path("evil")).unwrap().is_file());
    assert_eq!(fs::read_link(world.path("up")).unwrap(), Path::new("elsewhere"));
    assert!(fs::symlink_metadata(world.path("two hops")).unwrap().file_type().is_fifo());
    world.is_untouched();

    // A planted hard link to the secret: the name is replaced, what it led to is not written.
    fs::hard_link(outside.join("secret"), world.path("planted")).unwrap();
    write(world.top(), b"planted", b"mine", true).unwrap();
    world.is_untouched();
    assert!(names_left(&world).iter().all(|name| !name.starts_with(b".tuckbox")), "no temporary name is left");
}

fn names_left(world: &World) -> Vec<Box<[u8]>> {
    world.top().names().unwrap()
}

#[test]
fn removal_follows_nothing() {
    let world = World::new();
    let outside = world.outside();
    fs::create_dir_all(world.path("tree/sub")).unwrap();
    symlink(&outside, world.path("tree/sub/evil")).unwrap();
    symlink("../../../../outside", world.path("tree/up")).unwrap();
    fs::hard_link(outside.join("secret"), world.path("tree/hard")).unwrap();
    symlink(&outside, world.path("link")).unwrap();
    world.top().remove(b"tree").unwrap();
    world.top().remove(b"link").unwrap();
    world.top().remove(b"never there").unwrap();
    assert!(world.top().names().unwrap().is_empty());
    world.is_untouched();
}

/// Says to a process of this test program that it is to manage with few descriptors.
const FEW_DESCRIPTORS: &str = "TUCKBOX_TEST_FEW_DESCRIPTORS";

/// The limit is one of the whole process, and other tests need more: this one is started again as a process of its own.
#[test]
fn removal_of_a_very_deep_tree_needs_few_descriptors() {
    if std::env::var_os(FEW_DESCRIPTORS).is_some() {
        return removes_a_very_deep_tree();
    }
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "target::tests::removal_of_a_very_deep_tree_needs_few_descriptors"])
        .env(FEW_DESCRIPTORS, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

fn removes_a_very_deep_tree() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(600), ..limit }).unwrap();
    let world = World::new();
    let mut dir = world.top().make(b"deep").unwrap();
    for _ in 0..1500 {
        let child = dir.make(&[b'd'; 200]).unwrap();
        write(&child, b"file", b"", false).unwrap();
        dir = child;
    }
    world.top().remove(b"deep").unwrap();
    assert!(world.top().names().unwrap().is_empty());
}

#[test]
fn trees_beyond_the_systems_limit_of_paths() {
    let world = World::new();
    let rights = Rights::detect();
    let name = [b'n'; 255];
    let mut dirs = vec![world.top().clone()];
    for _ in 0..30 {
        let child = dirs.last().unwrap().make(&name).unwrap();
        dirs.push(child);
    }
    let last = dirs.last().unwrap();
    write(last, &name, b"far away", false).unwrap();
    make_hard_link(Origin { dir: last, name: &name, identity: None }, world.top(), b"near", false).unwrap();
    make_node(last, b"fifo", &entry(What::Fifo, 0o644), &rights, false).unwrap();
    for dir in dirs.iter().skip(1).rev() {
        assert!(finish_dir(dir, &directory(0o755), &rights).is_empty());
    }
    assert_eq!(fs::read(world.path("near")).unwrap(), b"far away");
}

#[test]
fn odd_names_come_back() {
    let world = World::new();
    let names: [&[u8]; 6] = [b"new\nline", b"\x1b[2J", b"\xff\xfe", b"-rf", b" ", &[b'\xc3'; 255]];
    for name in names {
        write(world.top(), name, name, false).unwrap();
        write(world.top(), name, name, true).unwrap();
        assert_eq!(fs::read(world.path(std::ffi::OsStr::from_bytes(name))).unwrap(), name);
    }
    let mut expected: Vec<Box<[u8]>> = names.iter().map(|name| (*name).into()).collect();
    expected.sort();
    assert_eq!(world.top().names().unwrap(), expected);
}

#[test]
fn a_tebibyte_of_holes_takes_no_time_and_no_room() {
    const TEBIBYTE: u64 = 1 << 40;
    let world = World::new();
    let new = NewFile::create(world.top(), b"sparse", false).unwrap();
    new.write_at(b"middle", 1 << 35).unwrap();
    new.write_zeros((1 << 35) + (1 << 20), 64 << 10).unwrap();
    new.write_zeros(5, 0).unwrap();
    new.finish(&file(TEBIBYTE, 0o644), &Rights::detect()).unwrap();
    let stat = world.top().existing(b"sparse").unwrap().unwrap();
    assert_eq!(stat.size, TEBIBYTE);
    assert!(stat.blocks * 512 < 1 << 20 && stat.may_have_holes());
    let dir = Dir::open(&world.path("")).unwrap();
    let source = SourceFile::open(&dir, b"sparse", &stat).unwrap();
    let mut bytes = [0; 6];
    source.read_at(&mut bytes, 1 << 35).unwrap();
    assert_eq!(&bytes, b"middle");
}

#[test]
fn hard_links_lead_to_what_was_made() {
    let world = World::new();
    let new = NewFile::create(world.top(), b"first", false).unwrap();
    let identity = Some(new.identity().unwrap());
    new.finish(&file(0, 0o644), &Rights::detect()).unwrap();
    let origin = Origin { dir: world.top(), name: b"first", identity };
    make_hard_link(origin, world.top(), b"second", false).unwrap();
    assert_eq!(make_hard_link(origin, world.top(), b"second", false).unwrap_err().kind(), ErrorKind::AlreadyExists);
    // The same file already: nothing is left beside it.
    make_hard_link(origin, world.top(), b"second", true).unwrap();
    write(world.top(), b"third", b"other", false).unwrap();
    make_hard_link(origin, world.top(), b"third", true).unwrap();
    assert_eq!(world.top().names().unwrap().len(), 3);
    assert_eq!(world.top().existing(b"first").unwrap().unwrap().links, 3);
    // Somebody puts another file under the first name.
    fs::rename(world.path("first"), world.path("moved")).unwrap();
    fs::hard_link(world.outside().join("secret"), world.path("first")).unwrap();
    assert!(make_hard_link(origin, world.top(), b"fourth", false).is_err());
    fs::remove_file(world.path("first")).unwrap();
    world.is_untouched();
}

#[test]
fn attributes_come_back_and_inherited_ones_do_not_stay() {
    let world = World::new();
    let rights = Rights::detect();
    // Version 2; owner rwx, group r-x and user 1 r-x with mask, others none.
    let acl = |tags: &[(u16, u16, u32)]| {
        let mut value = 2_u32.to_le_bytes().to_vec();
        for (tag, rights, id) in tags {
            value.extend(tag.to_le_bytes().into_iter().chain(rights.to_le_bytes()).chain(id.to_le_bytes()));
        }
        value.into_boxed_slice()
    };
    let none = u32::MAX;
    let stored = acl(&[(1, 7, none), (2, 5, 1), (4, 5, none), (16, 5, none), (32, 0, none)]);
    let top = File::open(world.path("")).unwrap();
    if fsetxattr(&top, "system.posix_acl_default", &stored, XattrFlags::empty()).is_err() {
        return; // No ACLs on this file system.
    }
    let top = Target::open(&world.path(""), false).unwrap();
    let dir = top.top().make(b"dir").unwrap();
    write(top.top(), b"plain", b"x", false).unwrap();
    write(&dir, b"below", b"x", false).unwrap();
    let mut with_acl = file(0, 0o750);
    with_acl.xattrs =
        vec![((*b"system.posix_acl_access").into(), stored.clone()), ((*b"user.note").into(), (*b"\0\xff").into())];
    let new = NewFile::create(&dir, b"acl", false).unwrap();
    assert!(new.finish(&with_acl, &rights).unwrap().is_empty());
    let mut closed = directory(0o500);
    closed.xattrs = vec![((*b"system.posix_acl_default").into(), stored)];
    assert!(finish_dir(&dir, &closed, &rights).is_empty());
    fsetxattr(File::open(world.path("")).unwrap(), "user.stale", b"", XattrFlags::empty()).unwrap();
    assert!(finish_dir(top.top(), &directory(0o755), &rights).is_empty());

    let xattrs = |path: &str, name: &[u8]| {
        let dir = Dir::open(&world.path(path)).unwrap();
        let (entry, faults) = capture(&dir, name, &dir.stat(name).unwrap(), &Owners::new()).unwrap();
        assert!(faults.is_empty());
        (entry.mode, entry.xattrs)
    };
    assert_eq!(xattrs("", b"plain"), (0o644, Vec::new()));
    assert_eq!(xattrs("dir", b"below"), (0o644, Vec::new()));
    assert_eq!(xattrs("dir", b"acl"), (0o750, with_acl.xattrs));
    assert_eq!(xattrs("", b"dir"), (0o500, closed.xattrs));
    assert!(crate::source::xattrs::names(File::open(world.path("")).unwrap().as_fd()).unwrap().is_empty());
}

#[test]
fn flags_come_last_and_stand_in_nobodys_way() {
    let world = World::new();
    let rights = Rights::detect();
    let probe = File::create(world.path("probe")).unwrap();
    if ioctl_setflags(&probe, ioctl_getflags(&probe).unwrap_or(IFlags::empty()) | IFlags::APPEND).is_err() {
        return; // No such flags on this file system, or not root.
    }
    world.top().remove(b"probe").unwrap();
    let frozen = |mut entry: Entry| {
        entry.flags = (IFlags::IMMUTABLE | IFlags::NODUMP).bits();
        entry
    };
    let dir = world.top().make(b"dir").unwrap();
    let finish = |name: &[u8], entry: &Entry, replace| {
        NewFile::create(&dir, name, replace).unwrap().finish(entry, &rights).unwrap()
    };
    assert!(finish(b"one", &frozen(file(0, 0o400)), false).is_empty());
    let flags = |name: &[u8]| dir.existing(name).unwrap().unwrap().flags;
    assert_eq!(flags(b"one"), frozen(file(0, 0)).flags);
    // A file of two names gets them when both are made.
    let mut linked = frozen(file(0, 0o400));
    linked.facts.link = Some((1, 2));
    assert!(finish(b"two", &linked, false).is_empty());
    assert_eq!(flags(b"two"), 0);
    make_hard_link(Origin { dir: &dir, name: b"two", identity: None }, &dir, b"three", false).unwrap();
    assert!(finish_flags(&dir, b"two", &linked).is_empty());
    assert_eq!(flags(b"three"), linked.flags);
    // Replacing what is immutable.
    assert!(finish(b"one", &frozen(file(5, 0o400)), true).is_empty());
    assert_eq!((dir.existing(b"one").unwrap().unwrap().size, flags(b"one")), (5, linked.flags));
    assert!(finish_dir(&dir, &frozen(directory(0o555)), &rights).is_empty());
    assert!(dir.make(b"late").is_err());
    world.top().remove(b"dir").unwrap();
    assert!(world.top().names().unwrap().is_empty());
}

#[test]
fn owners_come_back_when_root_restores() {
    let world = World::new();
    let rights = Rights::detect();
    if !rights.is_root() {
        return;
    }
    let theirs = |mut entry: Entry| {
        entry.owner = Arc::new(Owner { uid: 4242, gid: 4343, ..Owner::default() });
        entry
    };
    let dir = world.top().make(b"dir").unwrap();
    let new = NewFile::create(&dir, b"file", false).unwrap();
    let mut capable = theirs(file(0, 0o6755));
    // cap_net_raw, permitted and effective.
    capable.xattrs =
        vec![((*b"security.capability").into(), [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into())];
    assert!(new.finish(&capable, &rights).unwrap().is_empty());
    make_symlink(&dir, b"link", &theirs(link(b"x")), &rights, false).unwrap();
    make_node(&dir, b"fifo", &theirs(entry(What::Fifo, 0o4640)), &rights, false).unwrap();
    assert!(finish_dir(&dir, &theirs(directory(0o2750)), &rights).is_empty());
    for name in ["dir", "dir/file", "dir/link", "dir/fifo"] {
        let metadata = fs::symlink_metadata(world.path(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (4242, 4343), "{name}");
        assert_eq!(mtime_of(&world.path(name)), (MTIME.secs, MTIME.nanos.into()));
    }
    assert_eq!(fs::metadata(world.path("dir/file")).unwrap().mode() & 0o7777, 0o6755);
    assert_eq!(fs::metadata(world.path("dir")).unwrap().mode() & 0o7777, 0o2750);
    let seen = Dir::open(&world.path("dir")).unwrap();
    let (kept, _) = capture(&seen, b"file", &seen.stat(b"file").unwrap(), &Owners::new()).unwrap();
    assert_eq!(kept.xattrs, capable.xattrs);
    // In a directory that gives its group away, a file of ours keeps ours.
    let group = world.top().child(b"dir").unwrap();
    write(&group, b"ours", b"", false).unwrap();
    assert_eq!(fs::metadata(world.path("dir/ours")).unwrap().gid(), rustix::process::getegid().as_raw());
}

#[test]
fn who_is_nobody_gets_the_content_and_is_told_the_rest() {
    let world = World::new();
    let path = world.path("");
    for part in [world.place.path(), path.parent().unwrap(), &path] {
        fs::set_permissions(part, Permissions::from_mode(0o777)).unwrap();
    }
    let told = as_nobody(move || {
        let target = Target::open(&path, false).unwrap();
        let (top, rights) = (target.top(), Rights::detect());
        let dir = top.make(b"dir").unwrap();
        let mut theirs = file(7, 0o6755);
        theirs.owner = Arc::new(Owner::default());
        theirs.xattrs = vec![
            ((*b"security.capability").into(), (*b"rubbish").into()),
            ((*b"trusted.x").into(), (*b"y").into()),
            ((*b"user.mine").into(), (*b"z").into()),
        ];
        let new = NewFile::create(&dir, b"file", false).unwrap();
        new.write_at(b"content", 0).unwrap();
        let mut faults = new.finish(&theirs, &rights).unwrap();
        // One's own read-only file takes its attributes nevertheless.
        let mut ours = file(0, 0o400);
        ours.xattrs = vec![((*b"user.mine").into(), (*b"z").into())];
        let own = NewFile::create(&dir, b"own", false).unwrap().finish(&ours, &rights).unwrap();
        let refused = |fault: &Fault| fault.to_string().contains("denied") || fault.message.contains("owner");
        assert!(!own.iter().any(refused), "{own:?}");
        faults.extend(make_node(&dir, b"block", &entry(What::Block(8, 0), 0o660), &rights, false).unwrap());
        faults.extend(make_node(&dir, b"fifo", &entry(What::Fifo, 0o660), &rights, false).unwrap());
        let closed = finish_dir(&dir, &directory(0o500), &rights);
        assert!(closed.is_empty(), "{closed:?}");
        faults
    });
    let Some(faults) = told else { return };
    let file = fs::metadata(world.path("dir/file")).unwrap();
    assert_eq!(fs::read(world.path("dir/file")).unwrap(), b"content");
    // A program that was root's does not become one that runs as nobody.
    assert_eq!((file.uid(), file.mode() & 0o7777), (65534, 0o755));
    assert_eq!(mtime_of(&world.path("dir/file")), (MTIME.secs, MTIME.nanos.into()));
    assert!(faults.iter().all(|fault| fault.code == Code::RestoreSkipped));
    for what in ["owner 0:0", "set-user-ID", "security.capability", "trusted.x", "block device"] {
        assert!(faults.iter().any(|fault| fault.message.contains(what)), "{what}: {faults:?}");
    }
    assert!(!world.path("dir/block").exists() && world.path("dir/fifo").exists());
    // An ordinary user's own closed directories are no obstacle to removal.
    let path = world.path("");
    as_nobody(move || {
        let target = Target::open(&path, false).unwrap();
        target.top().remove(b"dir").unwrap();
        assert!(target.top().names().unwrap().is_empty());
    });
    world.is_untouched();
}

#[test]
fn what_is_there_already_is_recognised() {
    let world = World::new();
    write(world.top(), b"file", b"1234", false).unwrap();
    let stat = world.top().existing(b"file").unwrap().unwrap();
    assert!(world.top().existing(b"none").unwrap().is_none());
    assert!(same(&stat, &file(4, 0o600)));
    assert!(!same(&stat, &file(5, 0o644)));
    assert!(!same(&stat, &Entry { mtime: Time { nanos: 0, ..MTIME }, ..file(4, 0o644) }));
    assert!(!same(&stat, &directory(0o644)) && !same(&stat, &link(b"1234")));
}

#[test]
fn hostile_times_and_lengths_do_no_harm() {
    let world = World::new();
    let rights = Rights::detect();
    for nanos in [1_000_000_000, (1 << 30) - 1, (1 << 30) - 2, u32::MAX] {
        let odd = Entry { mtime: Time { secs: 5, nanos }, ..file(0, 0o177_777) };
        NewFile::create(world.top(), b"file", true).unwrap().finish(&odd, &rights).unwrap();
        assert_eq!(mtime_of(&world.path("file")), (5, 999_999_999));
    }
    let endless = file(u64::MAX, 0o644);
    assert!(NewFile::create(world.top(), b"endless", false).unwrap().finish(&endless, &rights).is_err());
    assert!(world.top().existing(b"endless").unwrap().is_none());
    let dir = Mode::from_raw_mode(0o755);
    assert!(rustix::fs::mkdirat(world.top(), "there", dir).is_ok());
    assert_eq!(world.top().make(b"there").unwrap_err().kind(), ErrorKind::AlreadyExists);
    for target in [&b"a\0b"[..], b"", &[b'x'; 5000]] {
        assert!(make_symlink(world.top(), b"odd link", &link(target), &rights, false).is_err());
    }
}
