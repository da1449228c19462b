//! The ledger of a group with a limit: how many bytes each member takes, so that nobody has to look into the catalogs
//! of all members before a session brings more. Losable: it is counted anew from the catalogs.
//!
//! Whoever changes it holds it alone from [`Ledger::open`] on, until the value is dropped: sessions of all members
//! wait for each other here, each for as long as one reservation takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Journal, busy, connect, unsigned};
use crate::error::{Error, Result};
use crate::id::AccountId;

/// Raised with every change of a table. An older ledger is counted anew.
const SCHEMA: i64 = 1;

/// `bytes`: the packs of the member, and what its sessions may still bring. `kept`, `at`: what its versions were found to
/// need when its versions were last weighed, and when that was (ms; 0: never). `thin`: of its versions that may go when
/// space is short, oldest first, the bytes that only each and older ones need.
const TABLES: &str = "
CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;
CREATE TABLE member(
    account BLOB PRIMARY KEY,
    bytes INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE thin(
    account BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    received INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY(account, sequence)
) STRICT, WITHOUT ROWID;
";

/// What the versions of a member need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// When they were weighed, by the server's clock; 0: never.
    pub at: i64,
    /// Bytes that all of them need together.
    pub kept_bytes: u64,
    /// Those that may go when space is short, oldest first.
    pub thin: Vec<Thin>,
}

/// A version that may go when space is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thin {
    /// Its number.
    pub version: u64,
    /// When it was received.
    pub received_at: i64,
    /// Bytes that only it and older ones need.
    pub bytes: u64,
}

/// A ledger that is held.
#[derive(Debug)]
pub struct Ledger {
    conn: Connection,
}

impl Ledger {
    /// Opens the ledger in this file, which must be there and may be empty, and holds it: `Busy` when that takes a minute.
    /// What is damaged, or has another form, has to be made again.
    pub fn open(path: &Path, journal: Journal) -> Result<Self> {
        Self::open_tuned(path, journal, &|_| Ok(()))
    }

    pub(super) fn open_tuned(
        path: &Path,
        journal: Journal,
        tune: &dyn Fn(&mut Connection) -> Result<()>,
    ) -> Result<Self> {
        let conn = connect(path, journal, tune)?;
        conn.execute_batch("BEGIN IMMEDIATE").map_err(busy)?;
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            conn.execute_batch(TABLES)?;
            conn.execute("INSERT INTO meta VALUES('schema', ?1)", [SCHEMA])?;
        }
        let schema: Option<i64> =
            conn.query_row("SELECT value FROM meta WHERE key = 'schema'", [], |row| row.get(0)).optional()?;
        if schema != Some(SCHEMA) {
            return Err(Error::damaged("ledger", "it has another form"));
        }
        Ok(Self { conn })
    }

    /// The bytes of each account that it knows.
    pub fn bytes(&self) -> Result<BTreeMap<AccountId, u64>> {
        let mut ask = self.conn.prepare_cached("SELECT account, bytes FROM member")?;
        let mut found = ask.query([])?;
        let mut out = BTreeMap::new();
        while let Some(row) = found.next()? {
            out.insert(account_of(row.get_ref(0)?.as_blob().unwrap_or_default())?, unsigned(row.get(1)?)?);
        }
        Ok(out)
    }

    /// Notes the bytes of an account.
    pub fn set_bytes(&self, account: AccountId, bytes: u64) -> Result<()> {
        let mut put = self.conn.prepare_cached(
            "INSERT INTO member(account, bytes, kept, at) VALUES(?1, ?2, 0, 0)
             ON CONFLICT(account) DO UPDATE SET bytes = excluded.bytes WHERE bytes != excluded.bytes",
        )?;
        put.execute(params![account.bytes().as_slice(), signed(bytes)?])?;
        Ok(())
    }

    /// Forgets everybody but these.
    pub fn retain(&self, members: &BTreeSet<AccountId>) -> Result<()> {
        for account in self.bytes()?.keys().filter(|account| !members.contains(*account)) {
            self.conn.execute("DELETE FROM member WHERE account = ?1", [account.bytes().as_slice()])?;
            self.conn.execute("DELETE FROM thin WHERE account = ?1", [account.bytes().as_slice()])?;
        }
        Ok(())
    }

    /// What the versions of an account need, as it was last found.
    pub fn weighed(&self, account: AccountId) -> Result<Weighed> {
        let mut ask = self.conn.prepare_cached("SELECT kept, at FROM member WHERE account = ?1")?;
        let found = ask.query_row([account.bytes().as_slice()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((kept, at)) = found else { return Ok(Weighed::default()) };
        let mut weighed = Weighed { at, kept_bytes: unsigned(kept)?, thin: Vec::new() };
        let mut ask = self
            .conn
            .prepare_cached("SELECT sequence, received, bytes FROM thin WHERE account = ?1 ORDER BY sequence")?;
        let mut found = ask.query([account.bytes().as_slice()])?;
        while let Some(row) = found.next()? {
            let (version, bytes) = (unsigned(row.get(0)?)?, unsigned(row.get(2)?)?);
            weighed.thin.push(Thin { version, received_at: row.get(1)?, bytes });
        }
        Ok(weighed)
    }

    /// Notes what the versions of an account need.
    pub fn set_weighed(&self, account: AccountId, weighed: &Weighed) -> Result<()> {
        let id = account.bytes().as_slice();
        self.conn.execute(
            "INSERT INTO member(account, bytes, kept, at) VALUES(?1, 0, ?2, ?3)
             ON CONFLICT(account) DO UPDATE SET kept = excluded.kept, at = excluded.at",
            params![id, signed(weighed.kept_bytes)?, weighed.at],
        )?;
        self.conn.execute("DELETE FROM thin WHERE account = ?1", [id])?;
        let mut put =
            self.conn.prepare_cached("INSERT INTO thin(account, sequence, received, bytes) VALUES(?1, ?2, ?3, ?4)")?;
        for thin in &weighed.thin {
            put.execute(params![id, signed(thin.version)?, thin.received_at, signed(thin.bytes)?])?;
        }
        Ok(())
    }

    /// Makes what was noted durable, and lets the ledger go. Dropping it instead forgets what was noted.
    pub fn commit(self) -> Result<()> {
        self.conn.execute_batch("COMMIT").map_err(busy)
    }
}

fn account_of(bytes: &[u8]) -> Result<AccountId> {
    AccountId::from_slice(bytes).ok_or_else(|| Error::damaged("ledger", "an account cannot be read"))
}

fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::damaged("ledger", "a number is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_may_open_a_new_one_at_once() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ledger.db");
            std::fs::write(&path, "").unwrap();
            let together = std::sync::Barrier::new(4);
            let open = || {
                together.wait();
                drop(Ledger::open(&path, Journal::Ahead).unwrap());
            };
            std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(open))));
        }
    }

    #[test]
    fn what_is_noted_is_there_and_what_is_dropped_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        std::fs::write(&path, "").unwrap();
        let open = || Ledger::open(&path, Journal::Ahead).unwrap();
        let [ada, bob] = [1, 2].map(|n| AccountId::new([n; 16]));
        let thin = [(3, 100), (4, 50)].map(|(version, bytes)| Thin { version, received_at: 7, bytes });
        let weighed = Weighed { at: 9, kept_bytes: 500, thin: thin.to_vec() };
        let ledger = open();
        ledger.set_bytes(ada, 10).unwrap();
        ledger.set_weighed(ada, &weighed).unwrap();
        ledger.set_bytes(bob, 20).unwrap();
        ledger.commit().unwrap();
        let ledger = open();
        ledger.set_bytes(bob, 30).unwrap();
        drop(ledger);
        let ledger = open();
        assert_eq!(ledger.bytes().unwrap(), BTreeMap::from([(ada, 10), (bob, 20)]));
        assert_eq!((ledger.weighed(ada).unwrap(), ledger.weighed(bob).unwrap()), (weighed, Weighed::default()));
        ledger.retain(&BTreeSet::from([bob])).unwrap();
        ledger.commit().unwrap();
        let ledger = open();
        assert_eq!(ledger.bytes().unwrap(), BTreeMap::from([(bob, 20)]));
        assert_eq!(ledger.weighed(ada).unwrap(), Weighed::default());
    }

    #[test]
    fn what_is_no_ledger_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        std::fs::write(&path, "no database at all, by no means".repeat(40)).unwrap();
        assert!(Ledger::open(&path, Journal::Ahead).is_err());
    }
}
