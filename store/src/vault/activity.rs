//! The way to what is remembered of an account's doings. It may be lost without harm, so it is never a reason not to do
//! something else.

use std::path::Path;
use std::sync::PoisonError;

use super::account::AccountInfo;
use super::domain::journal;
use super::layout::DomainPaths;
use super::note::temporary;
use super::{Access, Shared, Vault};
use crate::activity::Activity;
use crate::error::{Error, Result};

impl Vault {
    /// Does something with the activity of an account's domain; opens nothing else of the domain, and keeps nothing open.
    ///
    /// A database that is missing is made; one that is broken or newer is put aside and made anew, and `act` then runs
    /// again on the new one. Where none can be written (another host's vault, a file system that is read-only), `act` gets
    /// an empty one in memory. An error means that something was not remembered, or not found: nobody stops for it.
    pub fn activity<T>(&self, account: &AccountInfo, act: impl Fn(&Activity) -> Result<T>) -> Result<T> {
        let shared = &*self.shared;
        let in_memory = || act(&Activity::in_memory(shared.id)?);
        if !shared.writer_host {
            return in_memory();
        }
        match on_disk(shared, &DomainPaths::new(&shared.path, account.domain), &act) {
            // Who only reads does not need to be able to write.
            Err(Error::Disk { .. } | Error::Catalog(_) | Error::Refused { .. }) if shared.access == Access::Read => {
                in_memory()
            }
            other => other,
        }
    }
}

fn on_disk<T>(shared: &Shared, paths: &DomainPaths, act: &impl Fn(&Activity) -> Result<T>) -> Result<T> {
    match open(shared, paths).and_then(|activity| act(&activity)) {
        Err(error) if is_unusable(&error) => {}
        other => return other,
    }
    let Some(_lock) = shared.disk.lock(&paths.activity_lock())? else { return Err(busy()) };
    let once = || act(&open_locked(shared, paths)?);
    // Another process may have done it meanwhile.
    match once() {
        Err(error) if is_unusable(&error) => {}
        other => return other,
    }
    put_aside(shared, paths)?;
    once()
}

fn open(shared: &Shared, paths: &DomainPaths) -> Result<Activity> {
    let path = paths.activity();
    if shared.disk.exists(&path)?.is_none() {
        // Threads of one process wait for each other; another process makes it now, or has made it.
        let _turn = shared.making_activity.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = shared.disk.lock(&paths.activity_lock())?;
        if lock.is_some() {
            return open_locked(shared, paths);
        }
        if shared.disk.exists(&path)?.is_none() {
            return Err(busy());
        }
    }
    shared.catalogs.open_activity(&path, journal(shared), shared.id)
}

/// The same while nobody else makes one or puts one aside.
fn open_locked(shared: &Shared, paths: &DomainPaths) -> Result<Activity> {
    let path = paths.activity();
    if shared.disk.exists(&path)?.is_none() {
        make(shared, paths)?;
    }
    shared.catalogs.open_activity(&path, journal(shared), shared.id)
}

fn busy() -> Error {
    Error::Busy { what: "activity.db".to_owned() }
}

/// Makes an empty one beside and gives it its name when it is whole: whoever finds it can open it.
fn make(shared: &Shared, paths: &DomainPaths) -> Result<()> {
    // A new database must never meet an old log.
    remove_logs(shared, &paths.activity());
    let new = temporary(&*shared.chance, paths.root());
    // Made by the disk door, so that it belongs to the owner of the vault; SQLite fills it.
    let made =
        shared.disk.create_new(&new).and_then(|_| shared.catalogs.make_activity(&new, journal(shared), shared.id));
    let named = made.and_then(|()| shared.disk.link_new(&new, &paths.activity()));
    // What is left over is of no meaning to anybody.
    remove_logs(shared, &new);
    shared.disk.remove_file(&new).ok();
    named
}

/// Removes the logs that a database of this name may have left.
fn remove_logs(shared: &Shared, database: &Path) {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        shared.disk.remove_file(name.as_ref()).ok();
    }
}

/// Whether the database itself is at fault, and another would do.
fn is_unusable(error: &Error) -> bool {
    match error {
        Error::Newer { what, .. } | Error::Damaged { what, .. } => *what == "activity",
        error => error.is_bad_catalog(),
    }
}

fn put_aside(shared: &Shared, paths: &DomainPaths) -> Result<()> {
    // Its logs first: a new database must never meet an old log.
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let mut name = paths.activity().into_os_string();
        name.push(suffix);
        let mut aside = name.clone();
        aside.push(".damaged");
        match shared.disk.rename(name.as_ref(), aside.as_ref()) {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
