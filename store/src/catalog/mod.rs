//! Where things are: an index in SQLite that packs, links and notes can always make again (FORMAT.md, chapter 7).
//!
//! One catalog serves one domain. It never decides anything by itself: what is true stands in packs, links and notes,
//! and [`vault`](crate::vault) says in which order rows follow them. There is one way to change it, [`Catalog::write`],
//! which waits its turn and changes all or nothing; readers never wait for a writer.
//!
//! Nothing here opens a file other than the catalog, and no transaction is left open between two calls.

mod chunks;
mod compare;
mod housekeep;
mod ledger;
mod links;
mod nodes;
mod open;
mod packs;
mod rebuild;
mod refusals;
mod reserve;
mod schema;
mod wanted;

use std::ops::Deref;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Statement};

use crate::error::{Error, Result};
use crate::id::DomainId;

pub use chunks::Chosen;
pub use compare::RowCounts;
pub use housekeep::{CompleteRow, PackUse, PlaceRow};
pub use ledger::{Ledger, Thin, Weighed};
pub use links::LinkRow;
pub use nodes::NodeAt;
pub use open::{CatalogFiles, Catalogs};
use open::{Held, hold};
#[cfg(any(test, feature = "simulate"))]
pub use open::{Idle, Watch};
pub use packs::{NewPack, PackRow, Place, State};
pub use refusals::{Refusal, Refusals};
pub use wanted::Wanted;

/// SQLite before 3.51.3 can silently damage a database in write-ahead mode that several processes use.
const SQLITE_LEAST: i32 = 3_051_003;
/// How long one writer waits for another before it says busy.
const BUSY_WAIT: Duration = Duration::from_secs(60);
/// How often the journal mode is tried again when others set it at the same time.
const MODE_TRIES: u32 = 100;
/// Most ids in one question to SQLite.
const BATCH: usize = 1_000;

/// How a catalog keeps its own changes whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// A write-ahead log. It needs memory shared by all processes, so it is for local file systems only.
    Ahead,
    /// A rollback journal, for all other file systems.
    Rollback,
}

/// The index of one domain. Usable from several threads; each call takes its connection for as long as it lasts.
#[derive(Debug)]
pub struct Catalog {
    writer: Mutex<Held>,
    /// Absent in memory, where there is but one connection.
    reader: Mutex<Option<Held>>,
}

/// The tables, as seen within a reading or writing call. Its methods stand in the file of the table they ask.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'c> {
    conn: &'c Connection,
}

/// A change under way. Dropping it undoes all of it; [`commit`](Self::commit) makes it durable.
#[derive(Debug)]
pub struct Write<'c> {
    conn: MutexGuard<'c, Held>,
    open: bool,
}

impl Catalog {
    /// The catalog in this file, which must be there and may be empty. `Newer` when a newer program has made it;
    /// any other error means that it has to be made again. Changes nothing but an empty file.
    pub fn open(path: &Path, journal: Journal, domain: DomainId) -> Result<Self> {
        Self::open_by(domain, &|reads| Ok(hold(connect_to(path, journal, reads, &|_| Ok(()))?)))
    }

    /// The same; whether a connection is for reading only, `connect` is told.
    fn open_by(domain: DomainId, connect: &dyn Fn(bool) -> Result<Held>) -> Result<Self> {
        let writer = connect(false)?;
        schema::prepare(&writer, domain)?;
        let reader = connect(true)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(Some(reader)) })
    }

    /// An empty catalog that lives as long as this value: for reading a vault that cannot be written.
    pub fn in_memory(domain: DomainId) -> Result<Self> {
        let writer = Connection::open_in_memory()?;
        harden(&writer)?;
        schema::prepare(&writer, domain)?;
        Ok(Self { writer: Mutex::new(hold(writer)), reader: Mutex::new(None) })
    }

    /// Asks something. Several statements see the catalog as it is at each of them.
    pub fn read<T>(&self, ask: impl FnOnce(Rows<'_>) -> Result<T>) -> Result<T> {
        let reader = lock(&self.reader);
        if let Some(conn) = &*reader {
            return ask(Rows { conn });
        }
        drop(reader);
        ask(Rows { conn: &lock(&self.writer) })
    }

    /// Takes the place of another catalog: what was open is closed, and everybody who holds this one uses the new one.
    pub fn replace(&self, new: Self) {
        let Self { writer, reader } = new;
        let mut held = lock(&self.writer);
        *lock(&self.reader) = reader.into_inner().unwrap_or_else(PoisonError::into_inner);
        *held = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// Begins a change, after all others of this and other processes. `Busy` when that takes a minute.
    pub fn write(&self) -> Result<Write<'_>> {
        let conn = lock(&self.writer);
        conn.execute_batch("BEGIN IMMEDIATE").map_err(busy)?;
        Ok(Write { conn, open: true })
    }
}

impl Write<'_> {
    /// The tables.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        Rows { conn: self.conn.deref() }
    }

    /// Makes the change durable. After an error it may or may not have been made.
    pub fn commit(mut self) -> Result<()> {
        self.conn.execute_batch("COMMIT").map_err(busy)?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.open && !self.conn.is_autocommit() {
            // What cannot be rolled back now is rolled back by SQLite when the connection is used or opened next.
            self.conn.execute_batch("ROLLBACK").ok();
        }
    }
}

fn lock<T>(conn: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked has dropped its `Write`, which rolled back.
    conn.lock().unwrap_or_else(PoisonError::into_inner)
}

fn busy(e: rusqlite::Error) -> Error {
    if is_busy(&e) { Error::Busy { what: "the catalog".to_owned() } } else { e.into() }
}

fn is_busy(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// A connection to a catalog; one that `reads` changes nothing.
fn connect_to(
    path: &Path,
    journal: Journal,
    reads: bool,
    tune: &dyn Fn(&mut Connection) -> Result<()>,
) -> Result<Connection> {
    let conn = connect(path, journal, tune)?;
    if reads {
        conn.pragma_update(None, "query_only", true)?;
    }
    Ok(conn)
}

fn connect(path: &Path, journal: Journal, tune: &dyn Fn(&mut Connection) -> Result<()>) -> Result<Connection> {
    // Not SQLITE_OPEN_CREATE: the file is made by the disk door, so that it belongs to the owner of the vault.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut conn = Connection::open_with_flags(path, flags)?;
    harden(&conn)?;
    tune(&mut conn)?;
    // Ids have no order, so nearly each question and each insertion reads or writes a page of its own.
    conn.pragma_update(None, "page_size", 4_096)?;
    let wanted = match journal {
        Journal::Ahead => "wal",
        Journal::Rollback => "delete",
    };
    let got = set_journal(&conn, wanted).map_err(busy)?;
    if !got.eq_ignore_ascii_case(wanted) {
        return Err(Error::Refused { why: format!("the catalog cannot use the journal mode {wanted}, only {got}") });
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

/// Sets the journal mode; what it is then. Of several who do that to a new file at once SQLite lets none wait: so whoever is
/// refused waits for its turn to write, and tries again.
pub(crate) fn set_journal(conn: &Connection, wanted: &str) -> rusqlite::Result<String> {
    let set = || conn.query_row(&format!("PRAGMA journal_mode = {wanted}"), [], |row| row.get(0));
    let mut got = set();
    for _ in 0..MODE_TRIES {
        if !got.as_ref().is_err_and(is_busy) {
            break;
        }
        conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
        got = set();
    }
    got
}

/// What every connection has, so that a hostile or damaged file can do as little as possible.
pub(crate) fn harden(conn: &Connection) -> Result<()> {
    let found = rusqlite::version_number();
    if found < SQLITE_LEAST {
        return Err(Error::Refused { why: format!("SQLite {found} is too old: {SQLITE_LEAST} or newer is needed") });
    }
    conn.busy_timeout(BUSY_WAIT)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Otherwise it thinks a statement with a bound limit out again each time that it is asked.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    // With a memory map, an error of the disk would end the program by a signal.
    conn.pragma_update(None, "mmap_size", 0)?;
    // 16 MiB of pages.
    conn.pragma_update(None, "cache_size", -16_384)?;
    // More than there are, so that none is thought out twice.
    conn.set_prepared_statement_cache_capacity(128);
    rusqlite::vtab::array::load_module(conn)?;
    Ok(())
}

/// Asks about many ids: `each` gets the position of an id with every row that speaks of it. The statement takes them as
/// `rarray(?1)` and its first column is that table's rowid.
///
/// They are asked in ascending order, for then the pages above the leaves are gone through once and not for each id.
fn ask_about<I: Ord>(
    ask: &mut Statement<'_>,
    ids: &[I],
    bytes: impl Fn(&I) -> &[u8; 32],
    mut each: impl FnMut(usize, &Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut ascending: Vec<(&I, usize)> = ids.iter().zip(0..).collect();
    ascending.sort_unstable();
    for batch in ascending.chunks(BATCH) {
        let values: Vec<Value> = batch.iter().map(|(id, _)| Value::Blob(bytes(id).to_vec())).collect();
        let mut found = ask.query([Rc::new(values)])?;
        while let Some(row) = found.next()? {
            // It counts from 1.
            let nth = unsigned(row.get(0)?)?.checked_sub(1).and_then(|n| usize::try_from(n).ok());
            let Some((_, at)) = nth.and_then(|n| batch.get(n)) else {
                return Err(Error::damaged("catalog", "an answer has no question"));
            };
            each(*at, row)?;
        }
    }
    Ok(())
}

/// A number of SQLite that must not be negative.
fn unsigned(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::damaged("catalog", "a number is negative"))
}
