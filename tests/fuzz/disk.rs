//! A disk in memory, as far as readers need one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use store::door::{Disk, DiskFile, Found, Lock, Named, PathKind};
use store::{Error, Result};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Files by path; a folder is there when a file is below it.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Files>>);

impl MemoryDisk {
    /// Puts a file there.
    #[must_use]
    pub fn with(self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files().insert(path.into(), bytes.into());
        self
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().expect("nobody panics with the files")
    }

    fn file(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        if self.files().contains_key(path) {
            return Ok(Box::new(MemoryFile { disk: self.clone(), path: path.to_owned() }));
        }
        Err(missing(path))
    }
}

fn missing(path: &Path) -> Error {
    Error::NotFound { what: "file", name: path.display().to_string() }
}

struct MemoryFile {
    disk: MemoryDisk,
    path: PathBuf,
}

impl DiskFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.disk.files().entry(self.path.clone()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        let files = self.disk.files();
        let bytes = files.get(&self.path).ok_or_else(|| missing(&self.path))?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match from.checked_add(out.len()).and_then(|to| bytes.get(from..to)) {
            Some(found) => out.copy_from_slice(found),
            None => {
                let cause = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Err(Error::Disk { doing: "read", path: self.path.clone(), cause });
            }
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.disk.files().get(&self.path).map_or(0, |bytes| bytes.len() as u64))
    }

    fn write_back(&self) {}

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.files().insert(path.to_owned(), Vec::new());
        self.file(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.file(path)
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.file(path)
    }

    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        let bytes = self.files().get(path).cloned().ok_or_else(|| missing(path))?;
        if bytes.len() > most {
            return Err(Error::Limit { what: "length of a file", found: bytes.len() as u64, most: most as u64 });
        }
        Ok(bytes)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        let files = self.files();
        let below = files.iter().filter_map(|(path, bytes)| {
            let mut parts = path.strip_prefix(dir).ok()?.components();
            let name = parts.next()?.as_os_str().to_owned();
            let kind = if parts.next().is_some() { PathKind::Dir } else { PathKind::File };
            Some(Named { name, kind, len: bytes.len() as u64 })
        });
        let mut out: Vec<Named> = below.collect();
        out.dedup_by(|a, b| a.name == b.name);
        if out.is_empty() { Err(missing(dir)) } else { Ok(out) }
    }

    fn make_dir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        self.rename(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut files = self.files();
        let bytes = files.remove(from).ok_or_else(|| missing(from))?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.files().remove(path).map(drop).ok_or_else(|| missing(path))
    }

    fn remove_dir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> Result<Option<Lock>> {
        Ok(Some(Box::new(())))
    }

    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        let files = self.files();
        let found = |kind, len| Some(Found { kind, len, owner: 0, mode: 0o700 });
        Ok(match files.get(path) {
            Some(bytes) => found(PathKind::File, bytes.len() as u64),
            None if files.keys().any(|file| file.starts_with(path)) => found(PathKind::Dir, 0),
            None => None,
        })
    }

    fn free_bytes(&self, _: &Path) -> Result<u64> {
        Ok(1 << 40)
    }

    fn is_local(&self, _: &Path) -> Result<bool> {
        Ok(true)
    }

    fn user(&self) -> u32 {
        0
    }
}
