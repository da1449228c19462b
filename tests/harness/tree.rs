//! Makes trees. Everything is made by directory descriptors, so that no name and no depth is out of reach; all times
//! are set, so that no file counts as just changed.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dev, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat,
    linkat, makedev, mkdirat, mknodat, openat, statat, symlinkat, utimensat,
};

/// 2001-09-09, long before any test runs.
const LONG_AGO_S: i64 = 1_000_000_000;

/// A directory being filled.
#[derive(Debug)]
pub struct Tree {
    dir: OwnedFd,
    path: PathBuf,
}

impl Tree {
    /// A directory at this path, made with what leads to it.
    ///
    /// # Panics
    /// When it cannot be made; so do all methods.
    pub fn at(path: impl AsRef<Path>) -> Self {
        std::fs::create_dir_all(path.as_ref()).unwrap();
        Self { dir: open_dir(CWD, path.as_ref().as_os_str().as_encoded_bytes()), path: path.as_ref().to_owned() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A directory in it.
    #[must_use]
    pub fn dir(&self, name: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref();
        mkdirat(&self.dir, name, Mode::from_raw_mode(0o755)).unwrap();
        Self { dir: open_dir(&self.dir, name), path: self.path.join(os(name)) }
    }

    /// A file.
    pub fn file(&self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> &Self {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let file = File::from(openat(&self.dir, name.as_ref(), flags, Mode::from_raw_mode(0o644)).unwrap());
        file.write_all_at(content.as_ref(), 0).unwrap();
        self
    }

    /// A file of `size` bytes that has only these pieces, and holes between them.
    pub fn sparse(&self, name: &str, size: u64, pieces: &[(u64, &[u8])]) -> &Self {
        self.file(name, b"");
        let file = File::options().write(true).open(self.reach(name.as_bytes())).unwrap();
        file.set_len(size).unwrap();
        for (offset, bytes) in pieces {
            file.write_all_at(bytes, *offset).unwrap();
        }
        self
    }

    /// A symbolic link.
    pub fn symlink(&self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> &Self {
        symlinkat(target.as_ref(), &self.dir, name.as_ref()).unwrap();
        self
    }

    /// Another name of a file in another (or the same) directory.
    pub fn hard_link(&self, name: &str, from: &Self, old: &str) -> &Self {
        linkat(&from.dir, old, &self.dir, name, AtFlags::empty()).unwrap();
        self
    }

    /// A fifo.
    pub fn fifo(&self, name: &str) -> &Self {
        self.node(name, FileType::Fifo, 0)
    }

    /// A socket that nobody listens on.
    pub fn socket(&self, name: &str) -> &Self {
        drop(UnixListener::bind(self.reach(name.as_bytes())).unwrap());
        self
    }

    /// A device. Needs root.
    pub fn device(&self, name: &str, kind: FileType, major: u32, minor: u32) -> &Self {
        self.node(name, kind, makedev(major, minor))
    }

    /// Permission bits.
    pub fn mode(&self, name: &str, mode: u32) -> &Self {
        chmodat(&self.dir, name, Mode::from_raw_mode(mode), AtFlags::empty()).unwrap();
        self
    }

    /// Owner and group. Needs root.
    pub fn owner(&self, name: &str, uid: u32, gid: u32) -> &Self {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        chownat(&self.dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
        self
    }

    /// An extended attribute (of a link itself, not of what it points to).
    pub fn xattr(&self, name: &str, attribute: &str, value: &[u8]) -> &Self {
        rustix::fs::lsetxattr(self.reach(name.as_bytes()), attribute, value, XattrFlags::empty()).unwrap();
        self
    }

    /// A POSIX ACL that gives user `uid` the permissions `bits`, for access or as a directory's default.
    pub fn acl(&self, name: &str, uid: u32, bits: u16, default: bool) -> &Self {
        let attribute = if default { "system.posix_acl_default" } else { "system.posix_acl_access" };
        self.xattr(name, attribute, &acl(uid, bits))
    }

    /// A time of modification.
    pub fn mtime(&self, name: impl AsRef<[u8]>, seconds: i64, nanoseconds: i64) -> &Self {
        set_mtime(&self.dir, name.as_ref(), seconds, nanoseconds);
        self
    }

    /// Sets the times of everything below, each another one, long ago and with nanoseconds; directories last.
    pub fn age(self) -> Self {
        let mut serial = 0;
        age_below(&self.dir, &mut serial);
        set_mtime(CWD, self.path.as_os_str().as_encoded_bytes(), LONG_AGO_S, 1);
        self
    }

    fn node(&self, name: &str, kind: FileType, device: Dev) -> &Self {
        mknodat(&self.dir, name, kind, Mode::from_raw_mode(0o640), device).unwrap();
        self
    }

    /// A path to a name in this directory that is short however deep it lies.
    fn reach(&self, name: &[u8]) -> PathBuf {
        reach(&self.dir, name)
    }
}

/// A path to a name in an open directory that is short however deep it lies.
pub(crate) fn reach(dir: impl AsFd, name: &[u8]) -> PathBuf {
    Path::new("/proc/self/fd").join(dir.as_fd().as_raw_fd().to_string()).join(os(name))
}

/// Bytes as a name.
#[must_use]
pub fn os(name: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(name)
}

pub(crate) fn open_dir(at: impl AsFd, name: &[u8]) -> OwnedFd {
    openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

/// Names in a directory, sorted by bytes.
pub(crate) fn names(dir: impl AsFd) -> Vec<Vec<u8>> {
    let entries = Dir::read_from(dir).unwrap().map(|entry| entry.unwrap().file_name().to_bytes().to_vec());
    let mut names: Vec<_> = entries.filter(|name| name != b"." && name != b"..").collect();
    names.sort();
    names
}

fn age_below(dir: &OwnedFd, serial: &mut i64) {
    for name in names(dir) {
        let stat = statat(dir, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW).unwrap();
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            age_below(&open_dir(dir, &name), serial);
        }
        *serial += 1;
        set_mtime(dir, &name, LONG_AGO_S + *serial, (*serial * 7_654_321) % 1_000_000_000);
    }
}

fn set_mtime(dir: impl AsFd, name: &[u8], seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A POSIX ACL as the kernel takes it: version 2, then tag, permissions and id of each entry.
fn acl(uid: u32, bits: u16) -> Vec<u8> {
    const NONE: u32 = u32::MAX;
    let mut out = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in [(0x01, 7, NONE), (0x02, bits, uid), (0x04, 4, NONE), (0x10, 6, NONE), (0x20, 4, NONE)] {
        out.extend(u16::to_le_bytes(tag));
        out.extend(u16::to_le_bytes(bits));
        out.extend(u32::to_le_bytes(id));
    }
    out
}

/// `cap_net_bind_service=ep`, as the kernel takes it.
#[must_use]
pub fn capability() -> Vec<u8> {
    [0x0200_0001u32, 1 << 10, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

// ---- chance ---------------------------------------------------------------------------------------------------------

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// Bytes that do not compress.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            out.extend(self.number().to_le_bytes());
        }
        out.truncate(length);
        out
    }

    /// Text that compresses as source code does.
    pub fn text(&mut self, length: usize) -> Vec<u8> {
        const WORDS: [&str; 16] = [
            "if ", "return ", "struct ", "value", "(", ")", ";\n", " = ", "static ", "int ", "->", "buffer", "\t",
            "length", "{\n", "}\n",
        ];
        let mut out = Vec::with_capacity(length + 24);
        while out.len() < length {
            match self.below(24) {
                pick @ 0..16 => out.extend(WORDS[usize::try_from(pick).unwrap()].as_bytes()),
                _ => out.extend(format!("{:x}", self.below(1 << 20)).as_bytes()),
            }
        }
        out.truncate(length);
        out
    }
}

// ---- whole trees ----------------------------------------------------------------------------------------------------

/// A person's directory: a few files, nested, one large, one empty. 7 files in 3 directories.
pub fn small(path: impl AsRef<Path>) -> Tree {
    let mut chance = Seeded::new(1);
    let tree = Tree::at(path);
    tree.file("letter.txt", "Dear Ana,\n").file("empty", "").symlink("newest", "photos/lake.raw");
    tree.dir("photos").file("lake.raw", chance.bytes(3 << 20)).file("hill.raw", chance.bytes(200_000));
    let code = tree.dir("code");
    code.file("main.c", chance.text(40_000));
    code.dir("deeper").file("notes", chance.text(300_000)).file("in line", "short");
    tree.age()
}

/// Number of files that are not directories in [`small`].
pub const SMALL_FILES: u64 = 8;

/// `files` files in nested directories, about `bytes` in all, the same for the same seed.
pub fn seeded(path: impl AsRef<Path>, seed: u64, files: u64, bytes: u64) -> Tree {
    let mut chance = Seeded::new(seed);
    let tree = Tree::at(path);
    let mut dirs: Vec<Tree> = Vec::new();
    let average = bytes / files.max(1);
    for number in 0..files {
        if number % 12 == 0 && dirs.len() < 4_000 {
            let name = format!("dir-{number}");
            let parent = match chance.below(dirs.len() as u64 + 1) {
                0 => &tree,
                pick => &dirs[usize::try_from(pick - 1).unwrap()],
            };
            let made = parent.dir(name);
            dirs.push(made);
        }
        // Many small files and a few large ones, as people have them.
        let size = if chance.below(10) == 0 { chance.below(average * 12) } else { chance.below(average) };
        let size = usize::try_from(size).unwrap();
        let content = if chance.below(3) == 0 { chance.bytes(size) } else { chance.text(size) };
        let pick = usize::try_from(chance.below(dirs.len() as u64)).unwrap();
        dirs[pick].file(format!("file-{number}"), content);
    }
    drop(dirs);
    tree.age()
}

/// One of every kind that an ordinary user can make, with names and attributes that trip people up.
pub fn odd(path: impl AsRef<Path>) -> Tree {
    let mut chance = Seeded::new(2);
    let tree = Tree::at(path);

    let kinds = tree.dir("kinds");
    kinds.file("regular", "content\n").file("empty", "").fifo("fifo").socket("socket");
    kinds.symlink("link", "regular").symlink("dangling", "/nowhere/at all").symlink("up", "../../..");
    kinds.symlink("long link", vec![b'x'; 4095]).symlink("raw link", b"a\xff\n\x1b[2Jb");
    drop(kinds.dir("empty directory"));

    let names = tree.dir("names");
    for name in
        [&b"new\nline"[..], b"escape\x1b[31m", b"\xff\xfe invalid \xc3", b"-rf", b" ", b"*?[a]\\", b"\"quo'te$`"]
    {
        names.file(name, name);
    }
    names.file("combining e\u{301}", "").file("\u{202e}bidi", "").file([b'n'; 255], "255 bytes");
    names.dir(b"dir\n\xff").file(b"\x01\x02\x7f", "control");

    let links = tree.dir("links");
    let (one, two) = (links.dir("one"), links.dir("two"));
    one.file("a", chance.bytes(100_000)).hard_link("b", &one, "a");
    two.hard_link("c", &one, "a")
        .file("same content, no link", chance.bytes(5))
        .symlink("s", "x")
        .hard_link("t", &two, "s");

    let sparse = tree.dir("sparse");
    sparse.sparse("hole at the end", 8 << 20, &[(0, b"begin")]);
    sparse.sparse("hole at the start", 8 << 20, &[((8 << 20) - 3, b"end")]);
    sparse.sparse("all hole", 3 << 20, &[]);
    sparse.sparse("islands", 64 << 20, &[(1 << 20, &[1; 70_000]), (40 << 20, &chance.bytes(200_000))]);

    let modes = tree.dir("modes");
    // What nobody may read, only root can back up.
    let unreadable = crate::need::is_root().then_some(0o000);
    for mode in [0o400, 0o644, 0o777, 0o2755, 0o4755, 0o1777].into_iter().chain(unreadable) {
        modes.file(format!("{mode:04o}"), "x").mode(&format!("{mode:04o}"), mode);
    }
    drop(modes.dir("sticky"));
    drop(modes.dir("setgid"));
    modes.mode("sticky", 0o1777).mode("setgid", 0o2755);

    let sizes = tree.dir("sizes");
    for size in [1, 47, 48, 49, 4_095, 4_096, 131_071, 131_072, 131_073, 1 << 20, (1 << 20) + 1] {
        sizes.file(format!("{size:07}"), chance.bytes(size));
    }
    sizes.file("zeros", vec![0; 300_000]);

    let crowd = tree.dir("crowd");
    for number in 0..1_500 {
        crowd.file(format!("{number:04}"), format!("{}", number % 7));
    }

    if xattrs_work(&tree) {
        let attributes = tree.dir("attributes");
        attributes.file("file", "x").xattr("file", "user.note", b"hello").xattr("file", "user.empty", b"");
        attributes.xattr("file", "user.raw", b"\x00\xff\n").xattr("file", "user.big", &chance.bytes(2_000));
        drop(attributes.dir("dir"));
        attributes.xattr("dir", "user.dir", b"1");
        attributes.file("acl", "x").acl("acl", 12_345, 4, false);
        attributes.acl("dir", 12_345, 7, false).acl("dir", 12_345, 5, true);
    }
    let tree = tree.age();
    tree.dir("times").file("before 1970", "x").file("far", "x").file("1 ns", "x");
    let times = Tree::at(tree.path().join("times"));
    times.mtime("before 1970", -86_400 * 365, 999_999_999).mtime("far", 4_000_000_000, 5).mtime("1 ns", LONG_AGO_S, 1);
    tree.mtime("times", LONG_AGO_S, 42);
    set_mtime(CWD, tree.path().as_os_str().as_encoded_bytes(), LONG_AGO_S, 1);
    tree
}

/// The same and what only root can make: owners, devices, capabilities, attributes of links.
pub fn odd_for_root(path: impl AsRef<Path>) -> Tree {
    let tree = odd(path);
    let root = tree.dir("root");
    root.device("null", FileType::CharacterDevice, 1, 3).device("loop", FileType::BlockDevice, 7, 200);
    root.device("big numbers", FileType::CharacterDevice, 4_000, 1_000_000);
    root.file("by number", "x").owner("by number", 54_321, 54_322).symlink("link", "x").owner("link", 1, 2);
    root.file("by name", "x").owner("by name", 1, 1);
    root.file("setuid", "#!/bin/sh\n").owner("setuid", 1, 1).mode("setuid", 0o4755);
    drop(root.dir("theirs"));
    root.owner("theirs", 54_321, 0).mode("theirs", 0o2770);
    if xattrs_work(&tree) {
        root.file("capable", "x").xattr("capable", "security.capability", &capability());
        root.xattr("link", "trusted.of_a_link", b"1").xattr("null", "trusted.of_a_device", b"2");
    }
    drop(root);
    let aged = Tree::at(tree.path().join("root")).age();
    drop(aged);
    tree.mtime("root", LONG_AGO_S, 43);
    set_mtime(CWD, tree.path().as_os_str().as_encoded_bytes(), LONG_AGO_S, 1);
    tree
}

/// Directories in directories, until the path is twice as long as the system takes in one piece; a file at the end.
pub fn deep(path: impl AsRef<Path>) -> Tree {
    let tree = Tree::at(path);
    let mut at = tree.dir("0");
    for level in 1..42 {
        at = at.dir(format!("{level:-<200}"));
    }
    at.file("at the bottom", "here\n").symlink("link", "at the bottom");
    drop(at);
    tree.age()
}

/// Whether the file system of this tree keeps attributes and ACLs.
///
/// # Panics
/// When nothing can be made there.
#[must_use]
pub fn xattrs_work(tree: &Tree) -> bool {
    tree.file("probe", "");
    let probe = tree.reach(b"probe");
    let works = rustix::fs::setxattr(&probe, "user.probe", b"1", XattrFlags::empty()).is_ok()
        && rustix::fs::setxattr(&probe, "system.posix_acl_access", &acl(1, 4), XattrFlags::empty()).is_ok();
    std::fs::remove_file(probe).unwrap();
    crate::need::have(works, "this file system keeps no extended attributes or ACLs") && works
}

/// Gives everything below a path to a user. Needs root.
///
/// # Panics
/// When the system refuses.
pub fn give_all(path: &Path, uid: u32) {
    fn below(dir: &OwnedFd, uid: Uid, gid: Gid) {
        for name in names(dir) {
            chownat(dir, name.as_slice(), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
            let stat = statat(dir, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW).unwrap();
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => below(&open_dir(dir, &name), uid, gid),
                FileType::Symlink => {}
                // A change of owner takes setuid away; it was there before.
                _ => {}
            }
        }
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
    let dir = open_dir(CWD, path.as_os_str().as_encoded_bytes());
    below(&dir, uid, gid);
    chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
}
