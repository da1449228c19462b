//! Lists a tree exactly, and tells two lists apart. Works by directory descriptors, so that it sees what lies beyond the
//! longest path.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, SeekFrom, Stat, lgetxattr, llistxattr, major, minor, openat, readlinkat,
    seek, statat,
};
use rustix::io::Errno;

use crate::tree::{names, open_dir, reach};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `file`, `directory`, `symlink`, `fifo`, `socket`, `character device`, `block device`.
    pub kind: &'static str,
    /// The 12 permission bits; of symlinks none.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// Size of files.
    pub size: u64,
    /// The first path of the same file; its own when it has no other name.
    pub first_name: Vec<u8>,
    /// Target of symlinks.
    pub target: Option<Vec<u8>>,
    /// Device numbers.
    pub rdev: Option<(u32, u32)>,
    /// Extended attributes (ACLs and capabilities come with them).
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Hash of the content of files, the same whether zeros are stored or a hole; absent when it could not be read.
    pub content: Option<[u8; 32]>,
    /// Bytes that lie in holes, as the file system tells them.
    pub hole_bytes: u64,
}

/// A tree, by paths below its root; the root itself is the empty path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing(pub BTreeMap<Vec<u8>, Item>);

/// Lists the tree at a path.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn at(path: impl AsRef<Path>) -> Listing {
    let mut walk = Walk::default();
    let name = path.as_ref().as_os_str().as_encoded_bytes();
    let stat =
        statat(CWD, name, AtFlags::SYMLINK_NOFOLLOW).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()));
    let parent = path.as_ref().parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base = path.as_ref().file_name().map_or(&b"."[..], |name| name.as_encoded_bytes());
    walk.item(&open_dir(CWD, parent.as_os_str().as_encoded_bytes()), base, Vec::new(), &stat);
    Listing(walk.items)
}

#[derive(Default)]
struct Walk {
    items: BTreeMap<Vec<u8>, Item>,
    first_names: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Walk {
    fn item(&mut self, dir: &OwnedFd, name: &[u8], path: Vec<u8>, stat: &Stat) {
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let is_dir = file_type == FileType::Directory;
        let first_name = match is_dir {
            true => path.clone(),
            false => self.first_names.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.clone()).clone(),
        };
        let is_device = matches!(file_type, FileType::CharacterDevice | FileType::BlockDevice);
        let is_file = file_type == FileType::RegularFile;
        let (content, hole_bytes) = if is_file { content(dir, name, stat) } else { (None, 0) };
        let item = Item {
            kind: kind(file_type),
            mode: if file_type == FileType::Symlink { 0 } else { stat.st_mode & 0o7777 },
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap()),
            size: if is_file { u64::try_from(stat.st_size).unwrap() } else { 0 },
            first_name,
            target: (file_type == FileType::Symlink).then(|| readlinkat(dir, name, Vec::new()).unwrap().into_bytes()),
            rdev: is_device.then(|| (major(stat.st_rdev), minor(stat.st_rdev))),
            xattrs: xattrs(dir, name),
            content,
            hole_bytes,
        };
        self.items.insert(path.clone(), item);
        if is_dir {
            self.below(&open_dir(dir, name), &path);
        }
    }

    fn below(&mut self, dir: &OwnedFd, path: &[u8]) {
        for name in names(dir) {
            let stat = statat(dir, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW).unwrap();
            let mut below = path.to_vec();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(&name);
            self.item(dir, &name, below, &stat);
        }
    }
}

fn kind(file_type: FileType) -> &'static str {
    match file_type {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "unknown",
    }
}

fn xattrs(dir: &OwnedFd, name: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let path = reach(dir, name);
    let mut list = vec![0; 65_536];
    let length = match llistxattr(&path, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(e) => panic!("attributes of {}: {e}", path.display()),
    };
    let names = list[..length].split(|b| *b == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = vec![0; 65_536];
        let length = lgetxattr(&path, name, &mut value[..]).unwrap();
        value.truncate(length);
        value
    };
    names.map(|name| (name.to_vec(), value(name))).collect()
}

/// Hash of the content, and bytes in holes. Only what is stored is read, and blocks of zeros do not count, so that a hole
/// and zeros are the same content.
fn content(dir: &OwnedFd, name: &[u8], stat: &Stat) -> (Option<[u8; 32]>, u64) {
    let size = u64::try_from(stat.st_size).unwrap();
    let file = match openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(_) => return (None, 0),
    };
    let mut hash = blake3::Hasher::new();
    let mut buffer = vec![0; 4_096 * 32];
    let (mut offset, mut stored) = (0, 0);
    while offset < size {
        let begin = match seek(&file, SeekFrom::Data(offset)) {
            Ok(begin) => begin,
            Err(Errno::NXIO) => break,
            Err(e) => panic!("where data is: {e}"),
        };
        let end = seek(&file, SeekFrom::Hole(begin)).unwrap().min(size);
        stored += end - begin;
        // Block borders are counted from the start of the file, wherever the data begins.
        offset = begin - begin % 4_096;
        while offset < end {
            let room = usize::try_from((end - offset).min(buffer.len() as u64)).unwrap();
            file.read_exact_at(&mut buffer[..room], offset).unwrap();
            for (number, block) in (0..).zip(buffer[..room].chunks(4_096)) {
                if block.iter().any(|b| *b != 0) {
                    hash.update(&u64::to_le_bytes(offset + number * 4_096));
                    hash.update(block);
                }
            }
            offset += room as u64;
        }
        offset = end;
    }
    hash.update(&size.to_le_bytes());
    (Some(*hash.finalize().as_bytes()), size - stored)
}

impl Listing {
    /// The same without what `forget` takes away, for comparisons that are not about it.
    #[must_use]
    pub fn without(mut self, forget: impl Fn(&mut Item)) -> Self {
        self.0.values_mut().for_each(forget);
        self
    }

    /// Only what lies at a path and below it.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let cut = |full: &[u8]| match full.strip_prefix(path.as_bytes()) {
            Some(b"") => Some(Vec::new()),
            Some([b'/', rest @ ..]) => Some(rest.to_vec()),
            _ => None,
        };
        let items = self.0.iter().filter_map(|(full, item)| {
            let first_name = cut(&item.first_name).unwrap_or_else(|| item.first_name.clone());
            Some((cut(full)?, Item { first_name, ..item.clone() }))
        });
        Self(items.collect())
    }

    /// What stands at a path.
    ///
    /// # Panics
    /// When nothing does.
    #[must_use]
    pub fn get(&self, path: impl AsRef<[u8]>) -> &Item {
        let path = path.as_ref();
        self.0.get(path).unwrap_or_else(|| panic!("nothing at {}", String::from_utf8_lossy(path)))
    }

    /// Number of items that are no directories.
    #[must_use]
    pub fn files(&self) -> usize {
        self.0.values().filter(|item| item.kind != "directory").count()
    }

    /// One line for each difference; holes are not compared.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut out = Vec::new();
        let paths: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        for path in paths {
            let name = String::from_utf8_lossy(path);
            match (self.0.get(path), other.0.get(path)) {
                (Some(a), Some(b)) => out.extend(a.differences(b).into_iter().map(|what| format!("{name:?}: {what}"))),
                (Some(_), None) => out.push(format!("{name:?}: missing")),
                (None, _) => out.push(format!("{name:?}: was not there")),
            }
        }
        out
    }

    /// Fails the test when the two differ.
    ///
    /// # Panics
    /// When they do.
    pub fn same_as(&self, other: &Self) {
        let differences = self.differences(other);
        let shown: Vec<_> = differences.iter().take(40).cloned().collect();
        assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), shown.join("\n"));
    }
}

impl Item {
    fn differences(&self, other: &Self) -> Vec<String> {
        fn tell(out: &mut Vec<String>, what: &str, a: &impl fmt::Debug, b: &impl fmt::Debug, same: bool) {
            if !same {
                out.push(format!("{what} {a:?} became {b:?}"));
            }
        }
        let mut out = Vec::new();
        macro_rules! compare {
            ($($field:ident)*) => { $(tell(
                &mut out, stringify!($field), &self.$field, &other.$field, self.$field == other.$field,
            );)* };
        }
        compare!(kind mode uid gid mtime size first_name target rdev xattrs content);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    #[test]
    fn a_copy_by_tar_is_the_same_and_each_change_is_seen() {
        let disk = tempfile::tempdir().unwrap();
        let (a, b) = (disk.path().join("a"), disk.path().join("b"));
        let made = tree::small(&a);
        std::fs::create_dir(&b).unwrap();
        let copied = std::process::Command::new("sh")
            .args(["-c", "tar -C \"$1\" --format=posix -cf - . | tar -C \"$2\" -xpf -", "sh"])
            .args([&a, &b])
            .status()
            .unwrap();
        assert!(copied.success());
        at(&a).same_as(&at(&b));

        type Change = (&'static str, fn(&Path));
        let changes: [Change; 6] = [
            ("content", |b| crate::subject::flip(&b.join("photos/lake.raw"), 99)),
            ("mode", |b| {
                tree::Tree::at(b).mode("letter.txt", 0o600);
            }),
            ("mtime", |b| {
                tree::Tree::at(b).mtime("code", 5, 6);
            }),
            ("xattrs", |b| {
                tree::Tree::at(b).xattr("empty", "user.x", b"1");
            }),
            ("was not there", |b| {
                tree::Tree::at(b).file("new", "");
            }),
            ("first_name", |b| {
                std::fs::remove_file(b.join("empty")).unwrap();
                std::fs::hard_link(b.join("code/main.c"), b.join("empty")).unwrap();
            }),
        ];
        for (what, change) in changes {
            change(&b);
            let told = at(&a).differences(&at(&b));
            assert!(told.iter().any(|line| line.contains(what)), "{what} not seen: {told:?}");
        }
        assert_eq!(at(made.path()).files() as u64, tree::SMALL_FILES);
    }

    #[test]
    fn odd_trees_are_listed() {
        let disk = tempfile::tempdir().unwrap();
        let make = if crate::need::root() { tree::odd_for_root } else { tree::odd };
        let listing = at(make(disk.path().join("odd")).path());
        assert_eq!(listing.get("links/two/c").first_name, b"links/one/a");
        assert_eq!(listing.get("links/two/t").first_name, b"links/two/s");
        assert_eq!(listing.get(b"names/new\nline").size, 8);
        assert_eq!(listing.get("kinds/fifo").kind, "fifo");
        assert_eq!(listing.get("kinds/socket").kind, "socket");
        assert!(listing.get("sparse/islands").hole_bytes > 60 << 20);
        assert_eq!(listing.get("times/1 ns").mtime.1, 1);
        assert!(listing.get("crowd/1499").mtime.1 > 0);
        if crate::need::is_root() {
            assert_eq!(listing.get("root/big numbers").rdev, Some((4_000, 1_000_000)));
            assert_eq!(listing.get("root/setuid").mode, 0o4755);
        }
    }

    #[test]
    fn a_hole_and_zeros_are_one_content_and_a_huge_hole_costs_nothing() {
        let disk = tempfile::tempdir().unwrap();
        let tree = tree::Tree::at(disk.path());
        tree.sparse("a", 9_000_000, &[(5_000_000, b"x")]).file("b", {
            let mut bytes = vec![0; 9_000_000];
            bytes[5_000_000] = b'x';
            bytes
        });
        tree.sparse("huge", 1 << 40, &[(1 << 39, b"middle")]);
        let listing = at(disk.path());
        assert_eq!(listing.get("a").content, listing.get("b").content);
        assert_ne!(listing.get("a").hole_bytes, listing.get("b").hole_bytes);
        assert!(listing.get("huge").hole_bytes > (1 << 40) - (1 << 20));
    }

    #[test]
    fn depth_beyond_the_longest_path() {
        let disk = tempfile::tempdir().unwrap();
        let listing = at(tree::deep(disk.path().join("deep")).path());
        let longest = listing.0.keys().map(Vec::len).max().unwrap();
        assert!(longest > 8_000, "{longest}");
        assert_eq!(listing.files(), 2);
    }

    #[test]
    fn the_same_seed_makes_the_same_tree() {
        let disk = tempfile::tempdir().unwrap();
        let make = |name: &str, seed| at(tree::seeded(disk.path().join(name), seed, 200, 2_000_000).path());
        make("a", 7).same_as(&make("b", 7));
        assert!(!make("c", 8).differences(&make("d", 7)).is_empty());
    }
}
