//! The system's files.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::disk::{Disk, DiskFile, Found, Lock, Named, PathKind, Room};
use crate::error::{Error, Result};

/// How often a lock file may vanish between opening and locking before the lock counts as held.
const LOCK_TRIES: usize = 64;

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let file = open(path, OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL)
            .map_err(|e| failed("create", path, e))?;
        give_to_owner_of_folder(&file, path).map_err(|e| failed("create", path, e))?;
        Ok(Box::new(RealFile::new(file, path, 0)))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let file = open_regular(path, OFlags::RDONLY)?;
        Ok(Box::new(RealFile::new(file, path, 0)))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let file = open_regular(path, OFlags::RDWR | OFlags::APPEND)?;
        let len = file.metadata().map_err(|e| failed("open", path, e))?.len();
        Ok(Box::new(RealFile::new(file, path, len)))
    }

    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        let file = open_regular(path, OFlags::RDONLY)?;
        let mut out = Vec::new();
        (&file).take((most as u64).saturating_add(1)).read_to_end(&mut out).map_err(|e| failed("read", path, e))?;
        if out.len() > most {
            let found = file.metadata().map_or(out.len() as u64, |m| m.len());
            return Err(Error::Limit { what: "length of a file", found, most: most as u64 });
        }
        Ok(out)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        let folder = open_folder(dir)?;
        let mut out = Vec::new();
        for name in names_in(&folder, dir)? {
            let facts = match rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(facts) => facts,
                // Removed since its name was read.
                Err(Errno::NOENT) => continue,
                Err(e) => return Err(failed("list", &dir.join(name), e)),
            };
            let kind = match rustix::fs::FileType::from_raw_mode(facts.st_mode) {
                rustix::fs::FileType::RegularFile => PathKind::File,
                rustix::fs::FileType::Directory => PathKind::Dir,
                _ => PathKind::Other,
            };
            out.push(Named { name, kind, len: u64::try_from(facts.st_size).unwrap_or(0) });
        }
        Ok(out)
    }

    fn names(&self, dir: &Path) -> Result<Vec<OsString>> {
        names_in(&open_folder(dir)?, dir)
    }

    fn make_dir(&self, path: &Path) -> Result<()> {
        std::fs::DirBuilder::new().mode(0o700).create(path).map_err(|e| failed("make the folder", path, e))?;
        if self.user() == 0 {
            let dir = open(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| failed("open", path, e))?;
            give_to_owner_of_folder(&dir, path).map_err(|e| failed("make the folder", path, e))?;
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let dir = open(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| failed("open", path, e))?;
        match dir.sync_all() {
            // Some network file systems know no such thing as syncing a folder: their names are durable at once.
            Err(e) if e.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
            other => other.map_err(|e| failed("sync", path, e)),
        }
    }

    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()) {
            Ok(()) => return Ok(()),
            // Also what a network file system answers when the first answer was lost on the way.
            Err(Errno::EXIST) if same_file(from, to) => return Ok(()),
            // No hard links here, or no more of them.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {}
            Err(e) => return Err(failed("give a name to", to, e)),
        }
        rename_new(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(|e| failed("rename", from, e))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(|e| failed("remove", path, e))
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        std::fs::remove_dir(path).map_err(|e| failed("remove", path, e))
    }

    fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        for _ in 0..LOCK_TRIES {
            let file = open(path, OFlags::RDWR | OFlags::CREATE).map_err(|e| failed("lock", path, e))?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(e) => return Err(failed("lock", path, e)),
            }
            if is_named(&file, path).map_err(|e| failed("lock", path, e))? {
                give_to_owner_of_folder(&file, path).map_err(|e| failed("lock", path, e))?;
                return Ok(Some(Box::new(file)));
            }
        }
        // Others take it and end all the time: it was held at every look.
        Ok(None)
    }

    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        match std::fs::symlink_metadata(path) {
            Ok(facts) => Ok(Some(Found {
                kind: kind_of(facts.file_type()),
                len: facts.len(),
                owner: facts.uid(),
                mode: facts.mode() & 0o7777,
            })),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(failed("look at", path, e)),
        }
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        let facts = rustix::fs::statvfs(path).map_err(|e| failed("look at", path, e))?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    fn room(&self, path: &Path) -> Result<Room> {
        let facts = rustix::fs::statvfs(path).map_err(|e| failed("look at", path, e))?;
        let file_system = rustix::fs::stat(path).map_err(|e| failed("look at", path, e))?.st_dev;
        Ok(Room {
            file_system,
            free_bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
            all_bytes: facts.f_blocks.saturating_mul(facts.f_frsize),
            free_files: facts.f_favail,
            all_files: facts.f_files,
        })
    }

    #[cfg(target_os = "linux")]
    fn is_local(&self, path: &Path) -> Result<bool> {
        let facts = rustix::fs::statfs(path).map_err(|e| failed("look at", path, e))?;
        // The width and sign of this field differ between machines; the numbers have 32 bits.
        let [a, b, c, d, ..] = facts.f_type.to_le_bytes();
        Ok(is_local_type(u32::from_le_bytes([a, b, c, d])))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_local(&self, _: &Path) -> Result<bool> {
        Ok(false)
    }

    fn user(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }
}

struct RealFile {
    file: File,
    path: PathBuf,
    /// An append or a sync has failed: nothing that the system says of this file is to be believed any more.
    failed: bool,
    /// Up to where the system was asked to begin writing.
    written_back: AtomicU64,
}

impl RealFile {
    fn new(file: File, path: &Path, written_back: u64) -> Self {
        Self { file, path: path.to_owned(), failed: false, written_back: AtomicU64::new(written_back) }
    }

    fn usable(&self, doing: &'static str) -> Result<()> {
        if self.failed {
            let why = io::Error::other("an earlier write or sync of this file has failed");
            return Err(Error::disk(doing, &self.path, why));
        }
        Ok(())
    }
}

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.usable("write")?;
        self.file.write_all(bytes).map_err(|e| {
            self.failed = true;
            failed("write", &self.path, e)
        })
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.usable("read")?;
        self.file.read_exact_at(out, offset).map_err(|e| failed("read", &self.path, e))
    }

    fn len(&self) -> Result<u64> {
        self.usable("look at")?;
        Ok(self.file.metadata().map_err(|e| failed("look at", &self.path, e))?.len())
    }

    fn write_back(&self) {
        let Ok(end) = self.len() else { return };
        let begin = self.written_back.fetch_max(end, Ordering::Relaxed);
        let Some(len) = end.checked_sub(begin).and_then(std::num::NonZeroU64::new) else { return };
        begin_writing(&self.file, begin, len);
    }

    fn sync(&mut self) -> Result<()> {
        self.usable("sync")?;
        self.file.sync_data().map_err(|e| {
            self.failed = true;
            failed("sync", &self.path, e)
        })
    }
}

/// The error for what the system said about a path.
fn failed(doing: &'static str, path: &Path, cause: impl Into<io::Error>) -> Error {
    let cause = cause.into();
    match cause.kind() {
        io::ErrorKind::NotFound => Error::NotFound { what: "file", name: path.display().to_string() },
        io::ErrorKind::AlreadyExists => Error::Taken { what: path.display().to_string() },
        _ => Error::disk(doing, path, cause),
    }
}

fn open(path: &Path, flags: OFlags) -> rustix::io::Result<File> {
    // Not blocking: a fifo in a file's place must not hang the opener.
    let always = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    rustix::fs::open(path, flags | always, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// A folder by its descriptor: a symlink in its place is not followed, or root could be led anywhere.
fn open_folder(dir: &Path) -> Result<File> {
    open(dir, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| failed("list", dir, e))
}

fn names_in(folder: &File, dir: &Path) -> Result<Vec<OsString>> {
    let mut out = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder).map_err(|e| failed("list", dir, e))? {
        let entry = entry.map_err(|e| failed("list", dir, e))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            out.push(name.to_owned());
        }
    }
    out.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(out)
}

fn open_regular(path: &Path, flags: OFlags) -> Result<File> {
    let file = open(path, flags).map_err(|e| failed("open", path, e))?;
    let facts = file.metadata().map_err(|e| failed("open", path, e))?;
    if !facts.is_file() {
        return Err(Error::disk("open", path, io::Error::other("it is not a regular file")));
    }
    Ok(file)
}

/// "Not needed" makes Linux begin writing the dirty pages of the range without waiting; none is dropped before it is
/// written. Measured on ext4, a pack of 64 MiB: 0.3 ms for each 8 MiB, and the sync at the end takes 3.5 ms instead of
/// 28. Only advice: an error of it says nothing that the sync will not say.
#[cfg(target_os = "linux")]
fn begin_writing(file: &File, offset: u64, len: std::num::NonZeroU64) {
    rustix::fs::fadvise(file, offset, Some(len), rustix::fs::Advice::DontNeed).ok();
}

#[cfg(not(target_os = "linux"))]
fn begin_writing(_: &File, _: u64, _: std::num::NonZeroU64) {}

fn kind_of(file_type: std::fs::FileType) -> PathKind {
    if file_type.is_file() {
        PathKind::File
    } else if file_type.is_dir() {
        PathKind::Dir
    } else {
        PathKind::Other
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::symlink_metadata(a), std::fs::symlink_metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether the path still names this open file. Whoever held a lock may have removed its file after we opened it; a
/// lock of a file without a name would keep nobody out.
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    Ok(std::fs::symlink_metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())))
}

/// What root makes in somebody's vault belongs to that somebody, or they could not read it tomorrow.
fn give_to_owner_of_folder(file: &File, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (wanted, have) = (std::fs::metadata(folder)?, file.metadata()?);
    if wanted.uid() != have.uid() {
        std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, rustix::fs::RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Err(no_way(to)),
        Err(e) => Err(failed("give a name to", to, e)),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_new(_: &Path, to: &Path) -> Result<()> {
    Err(no_way(to))
}

fn no_way(to: &Path) -> Error {
    let to = to.display();
    Error::Refused {
        why: format!(
            "the file system of {to} can give a name to a file neither by linking nor by renaming without replacing"
        ),
    }
}

/// Numbers of `statfs` whose file systems are this machine's own. NFS, SMB, FUSE, 9P, Ceph and all that are not known
/// are left out: there, shared memory and locks may not be seen by every writer.
#[cfg(target_os = "linux")]
fn is_local_type(number: u32) -> bool {
    const EXT: u32 = 0xEF53;
    const XFS: u32 = 0x5846_5342;
    const BTRFS: u32 = 0x9123_683E;
    const BCACHEFS: u32 = 0xCA45_1A4E;
    const F2FS: u32 = 0xF2F5_2010;
    const ZFS: u32 = 0x2FC1_2FC1;
    const JFS: u32 = 0x3153_464A;
    const NILFS: u32 = 0x3434;
    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58F6;
    const OVERLAY: u32 = 0x794C_7630;
    const MSDOS: u32 = 0x4D44;
    const EXFAT: u32 = 0x2011_BAB0;
    const NTFS3: u32 = 0x7366_746E;
    const LOCAL: [u32; 14] =
        [EXT, XFS, BTRFS, BCACHEFS, F2FS, ZFS, JFS, NILFS, TMPFS, RAMFS, OVERLAY, MSDOS, EXFAT, NTFS3];
    LOCAL.contains(&number)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::door::{Faulty, suite};

    #[test]
    fn it_holds_every_promise() {
        let dir = tempfile::tempdir().unwrap();
        suite(&RealDisk, dir.path()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        suite(&Faulty::new(RealDisk, None), dir.path()).unwrap();
    }

    #[test]
    fn after_a_failed_sync_the_file_refuses_everything() {
        // A pipe takes bytes and cannot be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut file = RealFile::new(file, Path::new("pipe"), 0);
        file.append(b"taken").unwrap();
        file.sync().unwrap_err();
        refuses_everything(&mut file);
    }

    #[test]
    fn after_a_failed_append_the_file_refuses_everything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        RealDisk.create_new(&path).unwrap().append(b"12345").unwrap();
        let mut file = RealFile::new(File::open(&path).unwrap(), &path, 0);
        file.read_at(&mut [0; 5], 0).unwrap();
        file.append(b"6").unwrap_err();
        refuses_everything(&mut file);
    }

    fn refuses_everything(file: &mut RealFile) {
        let refused = |e: Error| assert!(e.to_string().contains("an earlier write or sync"), "{e}");
        refused(file.sync().unwrap_err());
        refused(file.append(b"x").unwrap_err());
        refused(file.read_at(&mut [0], 0).unwrap_err());
        refused(file.len().unwrap_err());
        file.write_back();
    }

    #[test]
    fn what_it_makes_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| RealDisk.exists(path).unwrap().unwrap().mode;
        let [file, lock, folder] = ["file", "lock", "folder"].map(|name| dir.path().join(name));
        RealDisk.create_new(&file).unwrap();
        RealDisk.lock(&lock).unwrap();
        RealDisk.make_dir(&folder).unwrap();
        assert_eq!((mode(&file), mode(&lock), mode(&folder)), (0o600, 0o600, 0o700));
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_folder() {
        if RealDisk.user() != 0 {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let vault = dir.path().join("vault");
        RealDisk.make_dir(&vault).unwrap();
        std::os::unix::fs::chown(&vault, Some(12_345), Some(54_321)).unwrap();
        let [file, lock, folder] = ["file", "lock", "folder"].map(|name| vault.join(name));
        RealDisk.create_new(&file).unwrap();
        RealDisk.lock(&lock).unwrap();
        RealDisk.make_dir(&folder).unwrap();
        for path in [file, lock, folder] {
            let facts = std::fs::metadata(path).unwrap();
            assert_eq!((facts.uid(), facts.gid()), (12_345, 54_321));
        }
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_not_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        RealDisk.create_new(&path).unwrap();
        let old = File::open(&path).unwrap();
        assert!(is_named(&old, &path).unwrap());
        RealDisk.remove_file(&path).unwrap();
        assert!(!is_named(&old, &path).unwrap());
        RealDisk.create_new(&path).unwrap();
        assert!(!is_named(&old, &path).unwrap());
    }

    /// Whoever ends removes the lock's file, and meanwhile another has opened it already.
    #[test]
    fn a_lock_whose_file_comes_and_goes_is_still_held_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let (holders, taken) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while taken.load(Ordering::SeqCst) < 2_000 {
                        let Some(lock) = RealDisk.lock(&path).unwrap() else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
                        taken.fetch_add(1, Ordering::SeqCst);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        RealDisk.remove_file(&path).unwrap();
                        drop(lock);
                    }
                });
            }
        });
    }

    #[test]
    fn symlinks_are_not_followed_and_fifos_do_not_hang() {
        let dir = tempfile::tempdir().unwrap();
        let [target, link, dangling, fifo] = ["target", "link", "dangling", "fifo"].map(|name| dir.path().join(name));
        RealDisk.create_new(&target).unwrap().append(b"secret").unwrap();
        symlink(&target, &link).unwrap();
        symlink(dir.path().join("planted"), &dangling).unwrap();
        rustix::fs::mknodat(CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [&link, &dangling, &fifo] {
            assert!(matches!(RealDisk.open(path), Err(Error::Disk { .. })));
            assert!(matches!(RealDisk.open_append(path), Err(Error::Disk { .. })));
            assert!(matches!(RealDisk.read(path, 10), Err(Error::Disk { .. })));
            assert!(matches!(RealDisk.create_new(path), Err(Error::Taken { .. })));
            assert_eq!(RealDisk.exists(path).unwrap().unwrap().kind, PathKind::Other);
        }
        assert!(RealDisk.lock(&dangling).is_err());
        assert!(!dir.path().join("planted").exists());
    }

    #[test]
    fn a_symlink_in_a_folders_place_is_not_listed() {
        let dir = tempfile::tempdir().unwrap();
        let [folder, link] = ["folder", "link"].map(|name| dir.path().join(name));
        RealDisk.make_dir(&folder).unwrap();
        symlink(&folder, &link).unwrap();
        assert!(RealDisk.list(&folder).unwrap().is_empty());
        assert!(matches!(RealDisk.list(&link), Err(Error::Disk { .. })));
        let named = RealDisk.list(dir.path()).unwrap();
        assert_eq!(named.iter().map(|named| named.kind).collect::<Vec<_>>(), [PathKind::Dir, PathKind::Other]);
    }

    #[test]
    fn names_that_are_not_text_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"\xff\n\x1b");
        RealDisk.create_new(&dir.path().join(name)).unwrap();
        assert_eq!(RealDisk.list(dir.path()).unwrap()[0].name, name);
    }

    #[test]
    fn without_hard_links_a_new_name_replaces_nothing_either() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        RealDisk.create_new(&a).unwrap().append(b"a").unwrap();
        RealDisk.create_new(&b).unwrap().append(b"b").unwrap();
        assert!(matches!(rename_new(&a, &b), Err(Error::Taken { .. })));
        assert_eq!(RealDisk.read(&b, 1).unwrap(), b"b");
        rename_new(&a, &c).unwrap();
        assert_eq!(RealDisk.read(&c, 1).unwrap(), b"a");
    }

    #[test]
    fn only_known_file_systems_are_local() {
        // ext4, xfs, btrfs, tmpfs, overlay, zfs, f2fs
        for number in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1, 0xF2F5_2010] {
            assert!(is_local_type(number), "{number:x}");
        }
        // nfs, cifs, smb, smb2, fuse, 9p, ceph, afs, gfs2, ocfs2, lustre, nothing
        for number in [
            0x6969,
            0xFF53_4D42,
            0x517B,
            0xFE53_4D42,
            0x6573_5546,
            0x0102_1997,
            0x00C3_6400,
            0x5346_414F,
            0x0116_1970,
            0x7461_636F,
            0x0BD0_0BD0,
            0,
        ] {
            assert!(!is_local_type(number), "{number:x}");
        }
        assert!(!RealDisk.is_local(Path::new("/proc")).unwrap());
    }
}
