//! Catalogs under simulation: SQLite itself, in write-ahead mode, on files of its own in memory, one for each file
//! that the simulated disk has of that name.
//!
//! SQLite writes past the simulated disk, so it is not torn as other files are. Instead a crash leaves any state that
//! was committed at some time, or a part of its file, or nothing: worse than what SQLite promises, as a catalog is never the
//! truth. Whether a process ends just before or just after a commit is decided here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use store::activity::Activity;
use store::catalog::{Catalog, Catalogs, Idle, Journal, Ledger, Watch};
use store::door::sim::{Dice, SimDisk};
use store::id::{DomainId, VaultId};
use store::{Error, Result};

/// Where the files of a world's catalogs are.
pub struct Files {
    folder: PathBuf,
    dice: Mutex<Dice>,
    /// Each catalog as it was before some change.
    old: Mutex<BTreeMap<u64, Kept>>,
    /// Open files outlive the processes that had them open, as opening them costs more than all else.
    idle: Arc<Idle>,
}

/// A catalog's file, and its log.
type Kept = (Vec<u8>, Option<Vec<u8>>);

/// One process's way to them.
pub struct SimCatalogs {
    files: Arc<Files>,
    disk: SimDisk,
    watch: Watch,
    /// Nothing can be opened: the process makes a catalog of its own.
    pub none: bool,
}

impl Files {
    /// In this folder, which is there and empty.
    #[must_use]
    pub fn new(folder: &Path, dice: Dice) -> Self {
        Self { folder: folder.to_owned(), dice: Mutex::new(dice), old: Mutex::default(), idle: Arc::default() }
    }

    fn path(&self, identity: u64, end: &str) -> PathBuf {
        self.folder.join(format!("{identity}.{end}"))
    }

    /// What a crash leaves of a catalog, while nobody has it open; which of them, in a word.
    pub fn crash(&self, disk: &SimDisk, path: &Path) -> &'static str {
        let Some(identity) = disk.identity(path) else { return "none" };
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let [db, wal, shm] = ["db", "db-wal", "db-shm"].map(|end| self.path(identity, end));
        let how = dice.below(8);
        if how >= 4 {
            self.idle.close();
        }
        match how {
            0..4 => {}
            4 | 5 => {
                let old = self.old.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((old, old_wal)) = old.get(&identity)
                    && fs::write(db, old).is_ok()
                {
                    drop(fs::remove_file(shm));
                    match old_wal {
                        Some(old_wal) => drop(fs::write(&wal, old_wal)),
                        None => drop(fs::remove_file(wal)),
                    }
                }
            }
            6 => {
                let mut bytes = fs::read(&db).unwrap_or_default();
                bytes.truncate(dice.below(bytes.len() + 1));
                drop(fs::write(db, bytes));
            }
            _ => disk.lose(path),
        }
        ["", "", "", "", "older", "older", "cut", "lost"][how]
    }

    /// Keeps a catalog as it is now, before a change, for a crash to come.
    fn keep(&self, identity: u64) {
        let one_in = |n| self.dice.lock().unwrap_or_else(PoisonError::into_inner).one_in(n);
        if one_in(8)
            && let Ok(db) = fs::read(self.path(identity, "db"))
        {
            let both = (db, fs::read(self.path(identity, "db-wal")).ok());
            self.old.lock().unwrap_or_else(PoisonError::into_inner).insert(identity, both);
        }
    }
}

impl SimCatalogs {
    /// For a process on this disk. `commits` is asked before each change, `waits` while another connection is in the
    /// way.
    pub fn new(
        files: &Arc<Files>,
        disk: SimDisk,
        commits: impl Fn() -> bool + Send + Sync + 'static,
        waits: impl Fn(i32) -> bool + Send + Sync + 'static,
    ) -> Self {
        let watch = Watch { commits: Arc::new(commits), waits: Arc::new(waits), idle: Arc::clone(&files.idle) };
        Self { files: Arc::clone(files), disk, watch, none: false }
    }
}

impl Catalogs for SimCatalogs {
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog> {
        let identity = self.disk.identity(path).filter(|_| !self.none);
        let Some(identity) = identity else {
            return Err(Error::NotFound { what: "catalog", name: path.display().to_string() });
        };
        let real = self.files.path(identity, "db");
        if !real.exists() {
            fs::write(&real, []).map_err(|e| Error::disk("create", &real, e))?;
        }
        let (files, commits) = (Arc::clone(&self.files), Arc::clone(&self.watch.commits));
        let commits = Arc::new(move || {
            files.keep(identity);
            commits()
        });
        let (waits, idle) = (Arc::clone(&self.watch.waits), Arc::clone(&self.watch.idle));
        Catalog::open_watched(&real, journal, domain, &Watch { commits, waits, idle })
    }

    fn open_ledger(&self, path: &Path, journal: Journal) -> Result<Ledger> {
        let Some(identity) = self.disk.identity(path) else {
            return Err(Error::NotFound { what: "ledger", name: path.display().to_string() });
        };
        let real = self.files.path(identity, "ledger");
        if !real.exists() {
            fs::write(&real, []).map_err(|e| Error::disk("create", &real, e))?;
        }
        Ledger::open_watched(&real, journal, &self.watch)
    }

    /// Nothing depends on it, so nothing of it is kept.
    fn open_activity(&self, _: &Path, _: Journal, vault: VaultId) -> Result<Activity> {
        Activity::in_memory(vault)
    }

    fn make_activity(&self, _: &Path, _: Journal, _: VaultId) -> Result<()> {
        Ok(())
    }
}
