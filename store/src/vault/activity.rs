//! The way to what is remembered of an account's doings. It may be lost without harm, so it is never a reason not to do
//! something else.

use std::path::Path;
use std::sync::PoisonError;

use super::account::AccountInfo;
use super::domain::journal;
use super::layout::{self, DomainPaths};
use super::note::temporary;
use super::{Access, Shared, Vault, losable};
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
    let path = paths.activity();
    let make = |locked| if locked { make(shared, paths) } else { make_alone(shared, paths) };
    let act = || act(&shared.catalogs.open_activity(&path, journal(shared), shared.id)?);
    losable::open_or_remake(&*shared.disk, &path, &make, &act)
}

/// Makes one unless another thread or process makes it now, or has made it.
fn make_alone(shared: &Shared, paths: &DomainPaths) -> Result<()> {
    let path = paths.activity();
    // Threads of one process wait for each other.
    let _turn = shared.making_activity.lock().unwrap_or_else(PoisonError::into_inner);
    let lock = shared.disk.lock(&layout::lock_of(&path))?;
    match (shared.disk.exists(&path)?, lock) {
        (Some(_), _) => Ok(()),
        (None, Some(_lock)) => make(shared, paths),
        (None, None) => Err(losable::busy(&path)),
    }
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
