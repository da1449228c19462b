//! Files and folders, as far as a vault needs them.
//!
//! Durability is said out loud: a file's bytes are safe after [`DiskFile::sync`], a name (made, changed or removed)
//! after [`Disk::sync_dir`] of the folder that holds it. Nothing is synced behind the caller's back, so the order in
//! which things become durable can be read where it is decided.
//!
//! Everything that makes a name says whether it may replace one: only [`Disk::rename`] does.

use std::ffi::OsString;
use std::path::Path;

use crate::error::{Error, Result};

/// What stands behind a path. Symlinks are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// Anything else; a vault makes no such thing and opens none.
    Other,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The last component of its path.
    pub name: OsString,
    /// What it is.
    pub kind: PathKind,
    /// Bytes of a file; of no meaning for others.
    pub len: u64,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: PathKind,
    /// Bytes of a file; of no meaning for others.
    pub len: u64,
    /// Number of the Unix user who owns it.
    pub owner: u32,
    /// The 12 permission bits.
    pub mode: u32,
}

/// What a file system has, and how much of it this user may still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The same number for folders of one file system.
    pub file_system: u64,
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// All bytes.
    pub all_bytes: u64,
    /// Files that may still be made.
    pub free_files: u64,
    /// All files; 0 where the file system has no such bound.
    pub all_files: u64,
}

/// Keeps others out until it is dropped, and no longer than its process lives.
pub type Lock = Box<dyn Send + Sync>;

/// A disk. Errors are [`Error::NotFound`] when a path (or a folder on the way) is not there, [`Error::Taken`] when a
/// name is there that must not be, [`Error::Limit`] and [`Error::Refused`] where a method says so, else
/// [`Error::Disk`]. All paths are absolute or relative to the working directory; only their last component is
/// protected against symlinks.
pub trait Disk: Send + Sync {
    /// A new, empty file that only its owner may read and write, open for appending and reading.
    /// `Taken` when there is anything of that name.
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>>;

    /// A file, open for reading.
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>>;

    /// A file that is there, open for appending and reading.
    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>>;

    /// All of a file of at most `most` bytes; `Limit` when it is longer.
    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>>;

    /// What is in a folder, in ascending order of the names' bytes.
    fn list(&self, dir: &Path) -> Result<Vec<Named>>;

    /// The names alone, in the same order. On a real disk this does not look at each of them.
    fn names(&self, dir: &Path) -> Result<Vec<OsString>> {
        Ok(self.list(dir)?.into_iter().map(|named| named.name).collect())
    }

    /// Makes one folder that only its owner may enter. `Taken` when there is anything of that name.
    fn make_dir(&self, path: &Path) -> Result<()>;

    /// Makes the names of a folder durable: which there are, and to what they point.
    fn sync_dir(&self, path: &Path) -> Result<()>;

    /// Gives the file `from` the name `to` without ever replacing anything: `Taken` when `to` is something else.
    /// When `to` already is this very file, that is success, so that the call can be repeated.
    /// Afterwards `from` may or may not still be a name of it. `Refused` when the file system offers no way.
    fn link_new(&self, from: &Path, to: &Path) -> Result<()>;

    /// Renames a file, replacing a file `to`, so that every reader sees the one or the other.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file's name.
    fn remove_file(&self, path: &Path) -> Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> Result<()>;

    /// Takes the lock of this file, which is made when it is not there; `None` when it is held, by this process or
    /// another. It ends when the value is dropped or the process ends, however it ends. Removing the file while the
    /// lock is held is safe: whoever then makes it anew has another lock, and nobody gets the old one.
    fn lock(&self, path: &Path) -> Result<Option<Lock>>;

    /// What stands at a path; `None` when nothing does.
    fn exists(&self, path: &Path) -> Result<Option<Found>>;

    /// Bytes that this user may still write to the file system of this path.
    fn free_bytes(&self, path: &Path) -> Result<u64>;

    /// What the file system of this path has. A disk that knows only what is free says that all of it is.
    fn room(&self, path: &Path) -> Result<Room> {
        let free_bytes = self.free_bytes(path)?;
        Ok(Room { file_system: 0, free_bytes, all_bytes: free_bytes, free_files: 0, all_files: 0 })
    }

    /// Whether the file system of this path is known to be this machine's own, so that shared memory and locks work
    /// as SQLite's write-ahead log needs them. Unknown ones are not.
    fn is_local(&self, path: &Path) -> Result<bool>;

    /// Number of the Unix user who works here.
    fn user(&self) -> u32;
}

/// An open file. **After a failed append or sync it refuses everything**, reading too: what the system then still
/// shows of it may never have reached the disk, and asking for another sync would be answered with "done". Whoever
/// needs the content writes it again into a new file.
pub trait DiskFile: Send + Sync {
    /// Adds all of these bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Fills `out` with what stands from byte `offset`; an error of kind "unexpected end" when the file ends before.
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()>;

    /// Its length in bytes.
    fn len(&self) -> Result<u64>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Asks the system to begin writing what was appended, so that a later sync is short. Waits for nothing and
    /// promises nothing.
    fn write_back(&self);

    /// Returns when all bytes and the length are on the disk.
    fn sync(&mut self) -> Result<()>;
}

/// A vault belongs to one user; root may act as that user (what it makes is given to the owner of the folder),
/// everybody else is `Refused`.
pub fn check_owner(disk: &dyn Disk, path: &Path) -> Result<()> {
    let Some(found) = disk.exists(path)? else {
        return Err(Error::NotFound { what: "folder", name: path.display().to_string() });
    };
    let user = disk.user();
    if found.owner == user || user == 0 {
        return Ok(());
    }
    Err(Error::Refused {
        why: format!("{} belongs to user number {}, and this is user number {user}", path.display(), found.owner),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Faulty, RealDisk};
    use super::*;

    #[test]
    fn only_its_owner_and_root_work_in_a_vault() {
        let dir = tempfile::tempdir().unwrap();
        let owner = RealDisk.exists(dir.path()).unwrap().unwrap().owner;
        let as_user = |user| check_owner(&Faulty::new(RealDisk, None).used_by(user), dir.path());
        as_user(owner).unwrap();
        as_user(0).unwrap();
        let why = as_user(owner + 1).unwrap_err();
        assert!(matches!(&why, Error::Refused { why } if why.contains(&format!("belongs to user number {owner}"))));
    }
}
