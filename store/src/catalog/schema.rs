//! Tables, and the few single values.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Rows, busy, unsigned};
use crate::error::{Error, Result};
use crate::id::DomainId;

/// Raised with every change of a table. An older catalog is made again from the packs.
const SCHEMA: i64 = 2;

/// `state` of a place: 0 good, 1 condemned, 2 damaged, 3 freed (see [`super::State`]); `since` (ms) and `pass` (a generation)
/// say when it was condemned, `emptied` (a generation) when the last place of a pack was freed. `kind` of what
/// is wanted: 1 chunk, 2 node, 3 body.
const TABLES: &str = "
CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;
CREATE TABLE pack(
    no INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    session INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    emptied INTEGER NOT NULL
) STRICT;
CREATE TABLE place(
    no INTEGER PRIMARY KEY,
    pack INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    items INTEGER NOT NULL,
    hash BLOB NOT NULL,
    state INTEGER NOT NULL,
    since INTEGER NOT NULL,
    pass INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX place_at ON place(pack, offset);
CREATE INDEX place_state ON place(state) WHERE state != 0;
CREATE TABLE chunk(
    id BLOB NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY(id, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE node(
    id BLOB NOT NULL,
    place INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    PRIMARY KEY(id, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE link(
    account INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY(account, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_kind ON link(account, kind);
CREATE TABLE reserve(
    session BLOB PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE wanted(
    id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY(id, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE lead(
    id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE orphan(
    account INTEGER NOT NULL,
    body BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY(account, body)
) STRICT, WITHOUT ROWID;
";

/// Makes the tables in an empty database; otherwise looks whether they are ours.
pub(super) fn prepare(conn: &Connection, domain: DomainId) -> Result<()> {
    let there = |conn: &Connection| -> Result<bool> {
        Ok(conn.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'meta'")?.exists([])?)
    };
    if !there(conn)? {
        conn.execute_batch("BEGIN IMMEDIATE").map_err(busy)?;
        // Another process may have been faster.
        let made = there(conn).and_then(|there| if there { Ok(()) } else { make(conn, domain) });
        let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = conn.execute_batch(end).map_err(busy);
        made?;
        ended?;
    }
    let rows = Rows { conn };
    match rows.number("schema")? {
        SCHEMA => {}
        newer if newer > SCHEMA => {
            return Err(Error::Newer { what: "catalog", found: u32::try_from(newer).unwrap_or(u32::MAX) });
        }
        _ => return Err(Error::damaged("catalog", "it has an old form")),
    }
    let mut ask = conn.prepare_cached("SELECT value FROM meta WHERE key = 'domain'")?;
    let of: Vec<u8> = ask.query_row([], |row| row.get(0))?;
    if of != domain.bytes() {
        return Err(Error::damaged("catalog", "it belongs to another domain"));
    }
    Ok(())
}

fn make(conn: &Connection, domain: DomainId) -> Result<()> {
    conn.execute_batch(TABLES)?;
    conn.execute("INSERT INTO meta VALUES('domain', ?1)", [domain.bytes().as_slice()])?;
    let rows = Rows { conn };
    rows.set_number("schema", SCHEMA)?;
    rows.set_number("built", 0)
}

impl Rows<'_> {
    /// A single number; 0 when it was never set.
    pub(super) fn number(&self, key: &str) -> Result<i64> {
        let mut ask = self.conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(ask.query_row([key], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    pub(super) fn set_number(&self, key: &str, value: i64) -> Result<()> {
        let mut put = self.conn.prepare_cached("INSERT OR REPLACE INTO meta VALUES(?1, ?2)")?;
        put.execute(params![key, value])?;
        Ok(())
    }

    /// Whether everything on disk was taken in once. Not so in a new catalog.
    pub fn is_built(&self) -> Result<bool> {
        Ok(self.number("built")? == 1)
    }

    /// See [`is_built`](Self::is_built).
    pub fn set_built(&self) -> Result<()> {
        self.set_number("built", 1)
    }

    /// A number that rises whenever something that was there may not be there any more.
    pub fn generation(&self) -> Result<u64> {
        unsigned(self.number("generation")?)
    }

    /// Raises the generation by one.
    pub fn raise_generation(&self) -> Result<()> {
        self.set_number("generation", self.number("generation")?.saturating_add(1))
    }

    /// Draws the number of a new session: higher than every one before.
    pub fn next_session(&self) -> Result<u64> {
        let next = self.number("session")?.saturating_add(1);
        self.set_number("session", next)?;
        unsigned(next)
    }

    /// Sees to it that the next session's number is above this one.
    pub fn session_at_least(&self, number: u64) -> Result<()> {
        let number = i64::try_from(number).map_err(|_| Error::damaged("pack", "its session number is too large"))?;
        if self.number("session")? < number {
            self.set_number("session", number)?;
        }
        Ok(())
    }

    /// Up to which note the damaged records were taken in.
    pub fn damaged_seen(&self) -> Result<u64> {
        unsigned(self.number("damaged")?)
    }

    /// See [`damaged_seen`](Self::damaged_seen).
    pub fn set_damaged_seen(&self, number: u64) -> Result<()> {
        self.set_number("damaged", i64::try_from(number).unwrap_or(i64::MAX))
    }
}
