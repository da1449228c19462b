//! A disk in memory that can lose its power. For tests and simulations, never in the product.
//!
//! It keeps what was synced apart from what was not: bytes of files after their last sync, names of folders after
//! theirs. [`SimDisk::crash`] leaves of the rest any legal part: torn anywhere, pages missing or full of rubbish,
//! changes of names kept or lost in any order, but each of them whole.
//!
//! Several processes can use one disk, each by a [`SimDisk`] of its own. A pilot is asked before every call what is
//! to become of it: so faults, ends of processes and the order in which processes take their turns come from outside.

mod dice;
mod medium;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile, Found, Lock, Named, PathKind};
use crate::error::{Error, Result};
pub use dice::Dice;
pub use medium::Process;
use medium::{Body, Content, Ino, Medium, Names};

/// The user to whom everything belongs.
const USER: u32 = 1000;

/// A call that a process is about to make.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who.
    pub process: Process,
    /// What, by the name of the method.
    pub what: &'static str,
    /// Of which path; for methods with two, the new name.
    pub path: &'a Path,
}

impl Asked<'_> {
    /// Whether it changes what is on the disk, or what survives.
    #[must_use]
    pub fn changes(&self) -> bool {
        !matches!(self.what, "open" | "open_append" | "read" | "read_at" | "len" | "list" | "exists")
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Go,
    /// It fails and nothing was done.
    Fail(ErrorKind),
    /// It fails and was done all the same, as when an answer is lost.
    FailAfter(ErrorKind),
    /// An append writes half of its bytes and fails; other calls fail.
    Half(ErrorKind),
    /// A sync fails, what was not synced never reaches the disk, and later syncs say that all is well. Other calls
    /// fail.
    Forget(ErrorKind),
    /// A sync of a file or folder does nothing and says that it did. Other calls are done.
    Swallow,
    /// Reading gives one bit other than it is. Other calls are done.
    Flip,
    /// An append writes one bit other than it was told, that of the byte so far from the first, and says that all is
    /// well. Other calls are done.
    Spoil(usize),
}

/// Asked before every call, with nothing locked.
pub type Pilot = Arc<dyn Fn(&Asked<'_>) -> Fate + Send + Sync>;

/// One process's way to a simulated disk. Its folder `/` is there and empty in the beginning.
#[derive(Clone)]
pub struct SimDisk {
    medium: Arc<Mutex<Medium>>,
    process: Process,
    pilot: Option<Pilot>,
    next_lock: Arc<AtomicU64>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk, for process 0, on which nothing fails.
    #[must_use]
    pub fn new() -> Self {
        Self { medium: Arc::new(Mutex::new(Medium::new())), process: 0, pilot: None, next_lock: Arc::default() }
    }

    /// Syncing a file makes its names durable too, as journalling file systems do. Otherwise only syncing the folder
    /// does.
    pub fn set_journalling(&self, journalling: bool) {
        self.held().journalling = journalling;
    }

    /// Another disk is at this folder from now on, which is there and empty: no name leads from one to the other.
    pub fn mount(&self, path: &Path) {
        self.held().mounts.insert(path.to_owned(), true);
    }

    /// Takes the disk at this folder away, or brings it back: away, the folder is empty. What is open stays open.
    pub fn set_there(&self, path: &Path, there: bool) {
        self.held().mounts.insert(path.to_owned(), there);
    }

    /// The same disk for another process, asked for by this pilot.
    #[must_use]
    pub fn used_by(&self, process: Process, pilot: Option<Pilot>) -> Self {
        Self { process, pilot, ..self.clone() }
    }

    /// Ends a process: its locks are free, its calls fail, what it wrote stays until the power goes.
    pub fn kill(&self, process: Process) {
        let mut medium = self.held();
        medium.dead.insert(process);
        medium.locks.retain(|_, (holder, _)| *holder != process);
    }

    /// Whether this process has ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.held().dead.contains(&self.process)
    }

    /// Cuts the power and switches it on again. Processes that ran must be [killed](Self::kill) by the caller.
    pub fn crash(&self, seed: u64) {
        self.held().crash(&mut Dice::new(seed));
    }

    /// A number that stays with a file whatever its names; `None` when there is no file of this name.
    #[must_use]
    pub fn identity(&self, path: &Path) -> Option<u64> {
        self.held().find(path).ok()
    }

    /// Which process holds the lock of this file.
    #[must_use]
    pub fn holder(&self, path: &Path) -> Option<Process> {
        let medium = self.held();
        let ino = medium.find(path).ok()?;
        medium.locks.get(&ino).map(|(holder, _)| *holder)
    }

    /// Changes the bytes of a file as a bad disk would, for good.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut medium = self.held();
        if let Ok(ino) = medium.find(path)
            && let Some(content) = medium.content(ino)
        {
            change(&mut content.bytes);
            medium.sync_file(ino);
        }
    }

    /// Takes a name away as a bad disk would, for good.
    pub fn lose(&self, path: &Path) {
        let mut medium = self.held();
        if medium.remove(path, false).is_ok()
            && let Ok(dir) = medium.find(path.parent().unwrap_or(Path::new("/")))
        {
            medium.sync_dir(dir);
        }
    }

    fn held(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the pilot. An error when the process has ended, before or meanwhile.
    fn ask(&self, what: &'static str, path: &Path) -> Result<Fate> {
        let asked = Asked { process: self.process, what, path };
        let fate = if self.is_dead() { Fate::Go } else { self.pilot.as_ref().map_or(Fate::Go, |pilot| pilot(&asked)) };
        if self.is_dead() {
            return Err(Error::disk(what, path, io::Error::other("the process has ended")));
        }
        Ok(fate)
    }

    fn call<T>(
        &self,
        what: &'static str,
        path: &Path,
        doing: impl FnOnce(&mut Medium) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        match self.ask(what, path)? {
            Fate::Fail(why) | Fate::Half(why) | Fate::Forget(why) => Err(failed(what, path, why)),
            Fate::FailAfter(why) => {
                // Whatever came of it.
                doing(&mut self.held()).ok();
                Err(Error::disk(what, path, io::Error::from(why)))
            }
            Fate::Go | Fate::Swallow | Fate::Flip | Fate::Spoil(_) => {
                doing(&mut self.held()).map_err(|why| failed(what, path, why))
            }
        }
    }

    fn file(&self, path: &Path, ino: Ino, appends: bool) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), path: path.to_owned(), ino, appends, failed: false })
    }

    fn regular(&self, what: &'static str, path: &Path) -> Result<Ino> {
        self.call(what, path, |medium| {
            let ino = medium.find(path)?;
            medium.content(ino).map(|_| ino).ok_or(ErrorKind::IsADirectory)
        })
    }
}

/// The error for what the disk said about a path, as the real disk gives it.
fn failed(doing: &'static str, path: &Path, why: ErrorKind) -> Error {
    match why {
        ErrorKind::NotFound => Error::NotFound { what: "file", name: path.display().to_string() },
        ErrorKind::AlreadyExists => Error::Taken { what: path.display().to_string() },
        _ => Error::disk(doing, path, io::Error::from(why)),
    }
}

fn flip(bytes: &mut [u8], at: usize) {
    let at = at % bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 0x10;
    }
}

impl Disk for SimDisk {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let ino = self.call("create_new", path, |medium| medium.make(path, Body::File(Content::default())))?;
        Ok(self.file(path, ino, true))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let ino = self.regular("open", path)?;
        Ok(self.file(path, ino, false))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let ino = self.regular("open_append", path)?;
        Ok(self.file(path, ino, true))
    }

    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        let fate = self.ask("read", path)?;
        if let Fate::Fail(why) | Fate::FailAfter(why) | Fate::Half(why) | Fate::Forget(why) = fate {
            return Err(failed("read", path, why));
        }
        let mut medium = self.held();
        let ino = medium.find(path).map_err(|why| failed("read", path, why))?;
        let content = medium.content(ino).ok_or_else(|| failed("read", path, ErrorKind::IsADirectory))?;
        if content.bytes.len() > most {
            let found = content.bytes.len() as u64;
            return Err(Error::Limit { what: "length of a file", found, most: most as u64 });
        }
        let mut out = content.bytes.clone();
        if fate == Fate::Flip {
            let middle = out.len() / 2;
            flip(&mut out, middle);
        }
        Ok(out)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        self.call("list", dir, |medium| {
            if medium.mounts.get(dir) == Some(&false) {
                return Ok(Vec::new());
            }
            let (_, names) = medium.find_dir(dir)?;
            let named = |(name, ino): (&std::ffi::OsString, &Ino)| {
                let (kind, len) = match medium.body(*ino)? {
                    Body::File(content) => (PathKind::File, content.bytes.len() as u64),
                    Body::Dir(_) => (PathKind::Dir, 0),
                };
                Some(Named { name: name.clone(), kind, len })
            };
            Ok(names.now.iter().filter_map(named).collect())
        })
    }

    fn make_dir(&self, path: &Path) -> Result<()> {
        self.call("make_dir", path, |medium| medium.make(path, Body::Dir(Names::default())).map(drop))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        if self.ask_to_sync("sync_dir", path)? == Fate::Swallow {
            return Ok(());
        }
        let mut medium = self.held();
        let dir = medium.find_dir(path).map_err(|why| failed("sync_dir", path, why))?.0;
        medium.sync_dir(dir);
        Ok(())
    }

    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        self.call("link_new", to, |medium| medium.link(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call("rename", to, |medium| medium.rename(from, to, true))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.call("remove_file", path, |medium| medium.remove(path, false))
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.call("remove_dir", path, |medium| medium.remove(path, true))
    }

    fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        let number = self.next_lock.fetch_add(1, Ordering::SeqCst);
        let process = self.process;
        // A lock that is taken is told: nobody holds one without knowing.
        let fate = match self.ask("lock", path)? {
            Fate::Fail(why) | Fate::FailAfter(why) | Fate::Half(why) | Fate::Forget(why) => Err(why),
            Fate::Go | Fate::Swallow | Fate::Flip | Fate::Spoil(_) => Ok(()),
        };
        let taken = fate.and_then(|()| {
            let medium = &mut *self.held();
            let ino = match medium.find(path) {
                Err(ErrorKind::NotFound) => medium.make(path, Body::File(Content::default()))?,
                other => other?,
            };
            medium.content(ino).ok_or(ErrorKind::IsADirectory)?;
            if medium.locks.contains_key(&ino) {
                return Ok(None);
            }
            medium.locks.insert(ino, (process, number));
            Ok(Some(ino))
        });
        let taken = taken.map_err(|why| failed("lock", path, why))?;
        let medium = Arc::clone(&self.medium);
        Ok(taken.map(|ino| Box::new(Held { medium, ino, number }) as Lock))
    }

    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        self.call("exists", path, |medium| {
            let ino = match medium.find(path) {
                Err(ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
                other => other?,
            };
            Ok(medium.body(ino).map(|body| match body {
                Body::File(content) => {
                    Found { kind: PathKind::File, len: content.bytes.len() as u64, owner: USER, mode: 0o600 }
                }
                Body::Dir(_) => Found { kind: PathKind::Dir, len: 0, owner: USER, mode: 0o700 },
            }))
        })
    }

    fn free_bytes(&self, _: &Path) -> Result<u64> {
        Ok(1 << 40)
    }

    fn is_local(&self, _: &Path) -> Result<bool> {
        Ok(true)
    }

    fn user(&self) -> u32 {
        USER
    }
}

impl SimDisk {
    /// A sync's fate, as far as it is the same for files and folders: `Go` or `Swallow`.
    fn ask_to_sync(&self, what: &'static str, path: &Path) -> Result<Fate> {
        match self.ask(what, path)? {
            Fate::Fail(why) | Fate::Half(why) | Fate::Forget(why) | Fate::FailAfter(why) => {
                Err(failed(what, path, why))
            }
            Fate::Swallow => Ok(Fate::Swallow),
            Fate::Go | Fate::Flip | Fate::Spoil(_) => Ok(Fate::Go),
        }
    }
}

/// Keeps others out until it is dropped.
struct Held {
    medium: Arc<Mutex<Medium>>,
    ino: Ino,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut medium = self.medium.lock().unwrap_or_else(PoisonError::into_inner);
        if medium.locks.get(&self.ino).is_some_and(|(_, number)| *number == self.number) {
            medium.locks.remove(&self.ino);
        }
    }
}

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    ino: Ino,
    appends: bool,
    /// An append or a sync has failed.
    failed: bool,
}

impl SimFile {
    fn usable(&self, doing: &'static str) -> Result<()> {
        if self.failed {
            let why = io::Error::other("an earlier write or sync of this file has failed");
            return Err(Error::disk(doing, &self.path, why));
        }
        Ok(())
    }

    fn error(&self, doing: &'static str, why: ErrorKind) -> Error {
        Error::disk(doing, &self.path, io::Error::from(why))
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.usable("append")?;
        if !self.appends {
            return Err(self.error("append", ErrorKind::PermissionDenied));
        }
        self.failed = true;
        let mut spoiled;
        let (some, why) = match self.disk.ask("append", &self.path)? {
            Fate::Go | Fate::Swallow | Fate::Flip => (bytes, None),
            Fate::Spoil(at) => {
                spoiled = bytes.to_vec();
                flip(&mut spoiled, at);
                (&spoiled[..], None)
            }
            Fate::FailAfter(why) => (bytes, Some(why)),
            Fate::Half(why) => (bytes.get(..bytes.len() / 2).unwrap_or_default(), Some(why)),
            Fate::Fail(why) | Fate::Forget(why) => (&[][..], Some(why)),
        };
        if let Some(content) = self.disk.held().content(self.ino) {
            content.bytes.extend_from_slice(some);
        }
        match why {
            Some(why) => Err(self.error("append", why)),
            None => {
                self.failed = false;
                Ok(())
            }
        }
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.usable("read_at")?;
        let fate = self.disk.ask("read_at", &self.path)?;
        if let Fate::Fail(why) | Fate::FailAfter(why) | Fate::Half(why) | Fate::Forget(why) = fate {
            return Err(self.error("read_at", why));
        }
        let mut medium = self.disk.held();
        let bytes = medium.content(self.ino).map(|content| content.bytes.as_slice()).unwrap_or_default();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = from.checked_add(out.len()).and_then(|end| bytes.get(from..end));
        out.copy_from_slice(there.ok_or_else(|| self.error("read_at", ErrorKind::UnexpectedEof))?);
        if fate == Fate::Flip {
            flip(out, out.len() / 2);
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        self.usable("len")?;
        Ok(self.disk.held().content(self.ino).map_or(0, |content| content.bytes.len() as u64))
    }

    fn write_back(&self) {}

    fn sync(&mut self) -> Result<()> {
        self.usable("sync")?;
        self.failed = true;
        match self.disk.ask("sync", &self.path)? {
            Fate::Go | Fate::Flip | Fate::Spoil(_) => self.disk.held().sync_file(self.ino),
            Fate::Swallow => {}
            Fate::Forget(why) => {
                self.disk.held().forget(self.ino);
                return Err(self.error("sync", why));
            }
            Fate::FailAfter(why) => {
                self.disk.held().sync_file(self.ino);
                return Err(self.error("sync", why));
            }
            Fate::Fail(why) | Fate::Half(why) => return Err(self.error("sync", why)),
        }
        self.failed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
