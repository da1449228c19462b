//! Who was refused, and how often: so that guessing becomes slow, and can be read about afterwards. It is in a small
//! database of the whole vault, as each session is a process of its own. Losable: what is lost is only forgotten.

use std::path::Path;

use rusqlite::params;

use super::{Journal, busy, connect, unsigned};
use crate::door::Millis;
use crate::error::{Error, Result};
use crate::id::VaultId;

/// The form of the tables, as SQLite's `user_version`. 0 is an empty file; each older form is brought up to this one.
const SCHEMA: i64 = 1;

/// `failure`: since the last success, by client address and account; `refusal`: the log.
const TABLES: &str = "
CREATE TABLE failure(
    address TEXT NOT NULL,
    account TEXT NOT NULL,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY(address, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX failure_account ON failure(account);
CREATE TABLE refusal(
    no INTEGER PRIMARY KEY,
    vault BLOB NOT NULL,
    at INTEGER NOT NULL,
    address TEXT NOT NULL,
    account TEXT NOT NULL,
    code TEXT NOT NULL,
    waited INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 1;
";

/// Failures that nobody waits for: a mistyped name, a wrong role tried once or twice.
const FREE: u64 = 5;
/// The first wait; each is twice the one before.
const FIRST_WAIT_MS: u64 = 1_000;
/// The longest: an attempt a half minute makes guessing hopeless, and no client takes the connection for lost.
const LONGEST_WAIT_MS: u64 = 30_000;
/// After so long without another one a failure is forgotten.
const FORGOTTEN_AFTER_MS: Millis = 24 * 3_600_000;
/// Lines of the log that are kept, and pairs of address and account.
const ROWS_MAX: i64 = 10_000;
/// Longest text of a row, in characters; what is longer is cut.
const TEXT_CHARS_MAX: usize = 255;

/// Somebody who was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When, ms since 1970.
    pub at: Millis,
    /// From which address.
    pub address: String,
    /// Which account was asked for; empty when none was named.
    pub account: String,
    /// Why, as a dotted code.
    pub code: String,
    /// How long the answer was held back.
    pub waited_ms: u64,
}

/// The database.
#[derive(Debug)]
pub struct Refusals {
    conn: rusqlite::Connection,
}

impl Refusals {
    /// Opens the file, which must be there and may be empty. `Newer` when a newer program has made it; any other error
    /// means that it has to be made anew.
    pub fn open(path: &Path, journal: Journal) -> Result<Self> {
        let conn = connect(path, journal, &|_| Ok(()))?;
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        conn.execute_batch("BEGIN IMMEDIATE").map_err(busy)?;
        let made = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(Error::from);
        let made = made.and_then(|found: i64| match found {
            SCHEMA => Ok(()),
            0 => Ok(conn.execute_batch(TABLES)?),
            newer => Err(Error::Newer { what: "vault's database", found: u32::try_from(newer).unwrap_or(u32::MAX) }),
        });
        let ended = conn.execute_batch(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }).map_err(busy);
        made?;
        ended?;
        Ok(Self { conn })
    }

    /// Notes a refusal, and says how long the answer to it is to be held back: the longer the more often this address, or
    /// whoever asks for this account, failed since it last succeeded.
    pub fn note(&self, vault: VaultId, at: Millis, address: &str, account: &str, code: &str) -> Result<u64> {
        let (address, account, code) = (cut(address), cut(account), cut(code));
        self.conn.execute_batch("BEGIN IMMEDIATE").map_err(busy)?;
        let noted = self.note_within(vault, at, &address, &account, &code);
        let ended = self.conn.execute_batch(if noted.is_ok() { "COMMIT" } else { "ROLLBACK" }).map_err(busy);
        let wait_ms = noted?;
        ended.map(|()| wait_ms)
    }

    fn note_within(&self, vault: VaultId, at: Millis, address: &str, account: &str, code: &str) -> Result<u64> {
        let conn = &self.conn;
        // What is ahead of the clock would never be forgotten.
        conn.execute(
            "DELETE FROM failure WHERE at <= ?1 OR at > ?2",
            params![at.saturating_sub(FORGOTTEN_AFTER_MS), at],
        )?;
        conn.execute(
            "INSERT INTO failure(address, account, count, at) VALUES(?1, ?2, 1, ?3)
             ON CONFLICT(address, account) DO UPDATE SET count = count + 1, at = excluded.at",
            params![address, account, at],
        )?;
        let count = |sql: &str, of: &str| -> Result<u64> { unsigned(conn.query_row(sql, [of], |row| row.get(0))?) };
        let by_address = count("SELECT coalesce(sum(count), 0) FROM failure WHERE address = ?1", address)?;
        let by_account = count("SELECT coalesce(sum(count), 0) FROM failure WHERE account = ?1", account)?;
        // Who names no account says nothing about one.
        let failures = if account.is_empty() { by_address } else { by_address.max(by_account) };
        let wait_ms = wait_ms(failures);
        conn.execute(
            "INSERT INTO refusal(vault, at, address, account, code, waited) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            params![vault.bytes().as_slice(), at, address, account, code, i64::try_from(wait_ms).unwrap_or(i64::MAX)],
        )?;
        conn.execute("DELETE FROM refusal WHERE no <= (SELECT max(no) FROM refusal) - ?1", [ROWS_MAX])?;
        conn.execute(
            "DELETE FROM failure WHERE (address, account) IN
             (SELECT address, account FROM failure ORDER BY at DESC LIMIT -1 OFFSET ?1)",
            [ROWS_MAX],
        )?;
        Ok(wait_ms)
    }

    /// This address has succeeded with this account: its failures with it are forgotten.
    pub fn forget(&self, address: &str, account: &str) -> Result<()> {
        let pair = params![cut(address), cut(account)];
        let known =
            self.conn.prepare_cached("SELECT 1 FROM failure WHERE address = ?1 AND account = ?2")?.exists(pair)?;
        // Nearly always there is nothing, and nothing is written.
        if known {
            self.conn.execute("DELETE FROM failure WHERE address = ?1 AND account = ?2", pair).map_err(busy)?;
        }
        Ok(())
    }

    /// The last refusals, oldest first.
    pub fn list(&self) -> Result<Vec<Refusal>> {
        let mut ask = self.conn.prepare("SELECT at, address, account, code, waited FROM refusal ORDER BY no")?;
        let mut found = ask.query([])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            out.push(Refusal {
                at: row.get(0)?,
                address: row.get(1)?,
                account: row.get(2)?,
                code: row.get(3)?,
                waited_ms: unsigned(row.get(4)?)?,
            });
        }
        Ok(out)
    }
}

/// How long the answer to the failure of this number is held back.
fn wait_ms(failures: u64) -> u64 {
    let doubled = match failures.checked_sub(FREE + 1) {
        None => return 0,
        Some(doubled) => u32::try_from(doubled).unwrap_or(u32::MAX),
    };
    1_u64.checked_shl(doubled).map_or(LONGEST_WAIT_MS, |times| FIRST_WAIT_MS.saturating_mul(times)).min(LONGEST_WAIT_MS)
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId::new([1; 16]);
    const NOW: Millis = 1_790_000_000_000;

    fn open() -> (tempfile::TempDir, Refusals) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.db");
        std::fs::write(&path, "").unwrap();
        let refusals = Refusals::open(&path, Journal::Ahead).unwrap();
        (dir, refusals)
    }

    #[test]
    fn waits_grow_up_to_a_bound() {
        let waits: Vec<u64> = (0..14).map(wait_ms).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(wait_ms(u64::MAX), 30_000);
    }

    #[test]
    fn failures_count_by_address_and_by_account_and_end_with_success_or_time() {
        let (dir, refusals) = open();
        let note = |at: Millis, address: &str, account: &str| {
            refusals.note(VAULT, at, address, account, "account.none").unwrap()
        };
        // One address that tries name after name.
        let waits: Vec<u64> = (0..8).map(|n| note(NOW, "10.0.0.1", &format!("name{n}"))).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1_000, 2_000, 4_000]);
        // Many addresses that try one name.
        let waits: Vec<u64> = (0..7).map(|n| note(NOW, &format!("10.0.1.{n}"), "ana")).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1_000, 2_000]);
        // Somebody else is not held back, nor who names nothing.
        assert_eq!((note(NOW, "10.0.2.1", "bob"), note(NOW, "10.0.2.2", "")), (0, 0));
        // Another process knows it all; what succeeds is forgotten, and only that.
        let refusals = Refusals::open(&dir.path().join("vault.db"), Journal::Ahead).unwrap();
        let note = |at: Millis, address: &str, account: &str| {
            refusals.note(VAULT, at, address, account, "policy.role").unwrap()
        };
        assert_eq!(note(NOW + 1, "10.0.1.9", "ana"), 4_000);
        refusals.forget("10.0.1.9", "ana").unwrap();
        assert_eq!(note(NOW + 1, "10.0.1.9", "ana"), 4_000);
        (0..7).for_each(|n| refusals.forget(&format!("10.0.1.{n}"), "ana").unwrap());
        assert_eq!(note(NOW + 1, "10.0.1.8", "ana"), 0);
        // A success with one account does not buy guesses of another.
        refusals.forget("10.0.0.1", "mine").unwrap();
        assert_eq!(note(NOW + 2, "10.0.0.1", "name9"), 8_000);
        assert_eq!(note(NOW + 2 + FORGOTTEN_AFTER_MS, "10.0.0.1", "name9"), 0);
        let log = refusals.list().unwrap();
        assert_eq!(log.len(), 22);
        assert_eq!(
            (log[0].account.as_str(), log[21].code.as_str(), log[20].waited_ms),
            ("name0", "policy.role", 8_000)
        );
    }

    #[test]
    fn texts_are_cut_and_rows_bounded() {
        let (_dir, refusals) = open();
        refusals.note(VAULT, NOW, &"x".repeat(9_000), &"ü".repeat(9_000), "account.none").unwrap();
        let log = refusals.list().unwrap();
        assert_eq!((log[0].address.chars().count(), log[0].account.chars().count()), (255, 255));
        refusals.conn.execute("UPDATE refusal SET no = ?1", [ROWS_MAX + 9]).unwrap();
        refusals.note(VAULT, NOW, "a", "b", "c").unwrap();
        assert_eq!(refusals.list().unwrap().len(), 2);
        refusals.conn.execute("UPDATE refusal SET no = no - ?1 WHERE account != 'b'", [ROWS_MAX]).unwrap();
        refusals.note(VAULT, NOW, "a", "b", "c").unwrap();
        assert_eq!(refusals.list().unwrap().len(), 2);
    }
}
