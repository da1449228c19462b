//! A disk that is full from some call on, or does not commit before something has happened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::door::{Disk, DiskFile, Found, Lock, Named, RealDisk};
use store::{Error, Result};

/// See the module. Counts what needs room: new files, appending, syncing.
#[derive(Default)]
pub(super) struct TrickDisk {
    /// Calls that may still succeed, and one; 0 = all.
    left: Arc<AtomicUsize>,
    /// A link gets its name when this is true.
    pub(super) may_commit: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl TrickDisk {
    /// After so many calls it is full.
    pub(super) fn fail_at(&self, calls: usize) {
        self.left.store(calls + 1, Ordering::SeqCst);
    }

    /// There is room again.
    pub(super) fn heal(&self) {
        self.left.store(0, Ordering::SeqCst);
    }
}

fn spend(left: &AtomicUsize, doing: &'static str, path: &Path) -> Result<()> {
    let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n > 1).then(|| n - 1));
    match before {
        Err(1) => Err(Error::disk(doing, path, io::Error::from(io::ErrorKind::StorageFull))),
        _ => Ok(()),
    }
}

impl Disk for TrickDisk {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        spend(&self.left, "create", path)?;
        let inner = RealDisk.create_new(path)?;
        Ok(Box::new(TrickFile { inner, path: path.to_owned(), left: Arc::clone(&self.left) }))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        RealDisk.open_append(path)
    }

    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        RealDisk.read(path, most)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        RealDisk.list(dir)
    }

    fn make_dir(&self, path: &Path) -> Result<()> {
        spend(&self.left, "make", path)?;
        RealDisk.make_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        RealDisk.sync_dir(path)
    }

    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        let is_link = to.extension().is_some_and(|extension| extension == "link");
        while is_link && self.may_commit.get().is_some_and(|may| !may()) {
            std::thread::yield_now();
        }
        RealDisk.link_new(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        RealDisk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        RealDisk.remove_dir(path)
    }

    fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        RealDisk.lock(path)
    }

    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        RealDisk.exists(path)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        RealDisk.free_bytes(path)
    }

    fn is_local(&self, path: &Path) -> Result<bool> {
        RealDisk.is_local(path)
    }

    fn user(&self) -> u32 {
        RealDisk.user()
    }
}

struct TrickFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    left: Arc<AtomicUsize>,
}

impl DiskFile for TrickFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        spend(&self.left, "append to", &self.path)?;
        self.inner.append(bytes)
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.inner.read_at(out, offset)
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn write_back(&self) {
        self.inner.write_back();
    }

    fn sync(&mut self) -> Result<()> {
        spend(&self.left, "sync", &self.path)?;
        self.inner.sync()
    }
}
