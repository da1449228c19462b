//! What happened in a domain, for people: sessions, traffic, clients' log lines, samples of what is taken. SQLite, in
//! `activity.db` (FORMAT.md, chapter 12).
//!
//! Nothing of a vault depends on it. It may be lost at any time, is put aside when it cannot be used, and nothing that
//! fails here may stop a backup: [`Vault::activity`](crate::vault::Vault::activity) opens it, and callers go on without.
//! Changes are whole after a process was killed; after a loss of power the last ones may be gone (`synchronous = NORMAL`).
//!
//! Every row carries the id of its vault, so that the rows of several vaults can stand in one table. Every table has a
//! bound on its rows, kept by whoever adds to it. Texts that came from a client are kept as they came, cut to a
//! length: whoever shows them makes them harmless.
//!
//! A new table is a file here with its `TABLE`, named in `schema`.

mod log;
mod runs;
mod samples;
mod schema;
mod sessions;
#[cfg(test)]
mod tests;
mod traffic;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

pub use log::{Level, LogAdded, LogLine, NewLine};
pub use runs::{BACKUP, CHECK, Reading, RunFigures, ToldRun};
pub use samples::Sample;
pub use sessions::{Outcome, Run, SessionKey, SessionRow};
pub use traffic::{Added, Grain, Period};

use crate::catalog::{Journal, harden, set_journal};
use crate::error::{Error, Result};
use crate::id::VaultId;

/// How long one writer waits for another. Short: it is better to write a little later than to keep anybody waiting.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// Pages in the log after which they are copied into the database.
const CHECKPOINT_PAGES: i64 = 100;

/// The activity of one domain. Usable from several threads; calls take turns.
#[derive(Debug)]
pub struct Activity {
    conn: Mutex<Connection>,
    vault: VaultId,
}

impl Activity {
    /// The database in this file, which must be there and may be empty; an older form is brought to ours. `Newer` when a
    /// newer program has made it, any other error when it cannot be used.
    pub fn open(path: &Path, journal: Journal, vault: VaultId) -> Result<Self> {
        let conn = connect(path, journal)?;
        // The end of a short session is not the moment for two syncs; the log has a bound of its own.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Self::over(conn, vault)
    }

    /// Fills the empty file of this name, which nobody else knows yet, and closes it: a database that is given its name
    /// when it is whole has its tables and its journal mode for everybody who opens it, however many do at once.
    pub fn make(path: &Path, journal: Journal, vault: VaultId) -> Result<()> {
        Self::over(connect(path, journal)?, vault).map(drop)
    }

    /// Empty, and lives as long as this value: for a vault that cannot be written.
    pub fn in_memory(vault: VaultId) -> Result<Self> {
        let conn = Connection::open_in_memory()?;
        harden(&conn)?;
        Self::over(conn, vault)
    }

    fn over(mut conn: Connection, vault: VaultId) -> Result<Self> {
        schema::prepare(&mut conn)?;
        Ok(Self { conn: Mutex::new(conn), vault })
    }

    /// The vault whose rows are read and written.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// Asks something.
    fn read<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        ask(&self.conn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes all or nothing.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

/// A connection to the file, with the journal that it is to have.
fn connect(path: &Path, journal: Journal) -> Result<Connection> {
    // Not SQLITE_OPEN_CREATE: the file is made by the disk door, so that it belongs to the owner of the vault.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let conn = Connection::open_with_flags(path, flags)?;
    harden(&conn)?;
    conn.busy_timeout(BUSY_WAIT)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    let wanted = match journal {
        Journal::Ahead => "wal",
        Journal::Rollback => "delete",
    };
    let got = set_journal(&conn, wanted)?;
    if !got.eq_ignore_ascii_case(wanted) {
        return Err(Error::Refused { why: format!("activity.db cannot use the journal mode {wanted}, only {got}") });
    }
    Ok(conn)
}

/// The beginning of a text, at most so many characters.
fn short(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// A number as SQLite keeps it.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number of SQLite that must not be negative.
fn unsigned(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| damaged("a number is negative"))
}

fn damaged(why: &'static str) -> Error {
    Error::damaged("activity", why)
}
