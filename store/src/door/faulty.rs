//! A disk that fails when it is told to, and remembers what it was asked. For tests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::disk::{Disk, DiskFile, Found, Lock, Named, Room};
use crate::error::{Error, Result};

/// Another disk, of which one changing call (creating, appending, syncing, naming, removing) fails.
/// A failing append writes half of its bytes, and files keep their promise to refuse everything after a failure.
pub(crate) struct Faulty<D> {
    inner: D,
    state: Arc<Mutex<State>>,
    user: Option<u32>,
    free: Option<u64>,
    disks: Vec<(PathBuf, u64)>,
}

#[derive(Default)]
struct State {
    calls: Vec<(&'static str, PathBuf)>,
    fail_at: Option<usize>,
    /// Of files whose paths contain this nothing can be read.
    unreadable: Option<String>,
    /// Nothing below can be changed.
    read_only: Option<PathBuf>,
}

impl State {
    fn call(&mut self, doing: &'static str, path: &Path) -> Result<()> {
        self.calls.push((doing, path.to_owned()));
        // A sync has nothing to do there.
        if self.read_only.as_ref().is_some_and(|top| path.starts_with(top)) && !doing.starts_with("sync") {
            return Err(Error::disk(doing, path, rustix::io::Errno::ROFS));
        }
        if self.fail_at == Some(self.calls.len() - 1) {
            return Err(Error::disk(doing, path, io::Error::from(io::ErrorKind::StorageFull)));
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<()> {
        match &self.unreadable {
            Some(part) if path.to_string_lossy().contains(part) => {
                Err(Error::disk("read", path, rustix::io::Errno::IO))
            }
            _ => Ok(()),
        }
    }
}

impl<D: Disk> Faulty<D> {
    /// A disk whose changing call number `at` (from 0) fails; without a number none does.
    pub(crate) fn new(inner: D, at: Option<usize>) -> Self {
        let state = State { fail_at: at, ..State::default() };
        Self { inner, state: Arc::new(Mutex::new(state)), user: None, free: None, disks: Vec::new() }
    }

    /// From now on nothing can be read of files whose paths contain this, as on a disk that dies; `None`: it is well again.
    pub(crate) fn set_unreadable(&self, part: Option<&str>) {
        self.state.lock().unwrap().unreadable = part.map(str::to_owned);
    }

    /// The same disk, on which nothing below this folder can be changed.
    pub(crate) fn with_read_only(self, top: &Path) -> Self {
        self.state.lock().unwrap().read_only = Some(top.to_owned());
        self
    }

    /// The same disk, used by this user.
    pub(crate) fn used_by(self, user: u32) -> Self {
        Self { user: Some(user), ..self }
    }

    /// The same disk, with so many bytes free.
    pub(crate) fn with_free(self, bytes: u64) -> Self {
        Self { free: Some(bytes), ..self }
    }

    /// The same disk, where each of these folders has a file system of its own, with so many bytes.
    pub(crate) fn with_disks(self, disks: Vec<(PathBuf, u64)>) -> Self {
        Self { disks, ..self }
    }

    /// Bytes of all files below a folder.
    fn below(&self, dir: &Path) -> u64 {
        let named = self.inner.list(dir).unwrap_or_default().into_iter();
        named.map(|named| named.len.max(self.below(&dir.join(&named.name)))).sum()
    }

    /// Every changing call so far.
    pub(crate) fn calls(&self) -> Vec<(&'static str, PathBuf)> {
        self.state.lock().unwrap().calls.clone()
    }

    /// Whether the call that was to fail has come.
    pub(crate) fn has_failed(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.fail_at.is_some_and(|at| at < state.calls.len())
    }

    fn call(&self, doing: &'static str, path: &Path) -> Result<()> {
        self.state.lock().unwrap().call(doing, path)
    }

    fn file(&self, inner: Box<dyn DiskFile>, path: &Path) -> Box<dyn DiskFile> {
        Box::new(FaultyFile { inner, path: path.to_owned(), state: Arc::clone(&self.state), failed: false })
    }
}

impl<D: Disk> Disk for Faulty<D> {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.call("create", path)?;
        Ok(self.file(self.inner.create_new(path)?, path))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(self.file(self.inner.open(path)?, path))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(self.file(self.inner.open_append(path)?, path))
    }

    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        self.state.lock().unwrap().read(path)?;
        self.inner.read(path, most)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        self.inner.list(dir)
    }

    fn make_dir(&self, path: &Path) -> Result<()> {
        self.call("make the folder", path)?;
        self.inner.make_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.call("sync the folder", path)?;
        self.inner.sync_dir(path)
    }

    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        self.call("give a name to", to)?;
        self.inner.link_new(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call("rename", to)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.call("remove", path)?;
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.call("remove", path)?;
        self.inner.remove_dir(path)
    }

    fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        self.call("lock", path)?;
        self.inner.lock(path)
    }

    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        self.inner.exists(path)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.free.map_or_else(|| self.inner.free_bytes(path), Ok)
    }

    fn room(&self, path: &Path) -> Result<Room> {
        let room = self.inner.room(path)?;
        if let Some(nth) = self.disks.iter().position(|(disk, _)| path.starts_with(disk)) {
            let (disk, all_bytes) = &self.disks[nth];
            let free_bytes = all_bytes.saturating_sub(self.below(disk));
            return Ok(Room {
                file_system: nth as u64,
                free_bytes,
                all_bytes: *all_bytes,
                free_files: 0,
                all_files: 0,
            });
        }
        Ok(self.free.map_or(room, |free_bytes| Room { free_bytes, ..room }))
    }

    fn is_local(&self, path: &Path) -> Result<bool> {
        self.inner.is_local(path)
    }

    fn user(&self) -> u32 {
        self.user.unwrap_or_else(|| self.inner.user())
    }
}

struct FaultyFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    state: Arc<Mutex<State>>,
    failed: bool,
}

impl FaultyFile {
    fn change(&mut self, doing: &'static str) -> Result<()> {
        self.usable(doing)?;
        let result = self.state.lock().unwrap().call(doing, &self.path);
        self.failed = result.is_err();
        result
    }

    fn usable(&self, doing: &'static str) -> Result<()> {
        if self.failed {
            return Err(Error::disk(doing, &self.path, io::Error::other("it has failed before")));
        }
        Ok(())
    }
}

impl DiskFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.usable("append")?;
        if let Err(e) = self.change("append") {
            self.inner.append(&bytes[..bytes.len() / 2])?;
            return Err(e);
        }
        self.inner.append(bytes)
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.usable("read")?;
        self.state.lock().unwrap().read(&self.path)?;
        self.inner.read_at(out, offset)
    }

    fn len(&self) -> Result<u64> {
        self.usable("look at")?;
        self.inner.len()
    }

    fn write_back(&self) {
        self.inner.write_back();
    }

    fn sync(&mut self) -> Result<()> {
        self.change("sync")?;
        self.inner.sync()
    }
}
