//! The links of accounts, as they stand on disk. Their order and signatures are not the catalog's business.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Rows, unsigned};
use crate::error::{Error, Result};
use crate::id::BodyHash;

/// A link that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Its number in its account.
    pub sequence: u64,
    /// Its kind's number.
    pub kind: u8,
    /// The body that it names; zero when it names none.
    pub body: BodyHash,
    /// All of it, with its receipt.
    pub bytes: Vec<u8>,
}

const COLUMNS: &str = "sequence, kind, body, bytes";

fn link_of(row: &Row<'_>) -> Result<LinkRow> {
    let bad = || Error::damaged("catalog", "a link cannot be read");
    Ok(LinkRow {
        sequence: unsigned(row.get(0)?)?,
        kind: row.get(1)?,
        body: BodyHash::from_slice(row.get_ref(2)?.as_blob().map_err(|_| bad())?).ok_or_else(bad)?,
        bytes: row.get(3)?,
    })
}

impl Rows<'_> {
    /// Adds a link, or makes it what it is on disk.
    pub fn insert_link(&self, account: u32, link: &LinkRow) -> Result<()> {
        let mut put = self.conn.prepare_cached(
            "INSERT OR REPLACE INTO link(account, sequence, kind, body, bytes) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?;
        put.execute(params![account, number(link.sequence), link.kind, link.body.bytes().as_slice(), link.bytes])?;
        Ok(())
    }

    /// The newest link.
    pub fn newest_link(&self, account: u32) -> Result<Option<LinkRow>> {
        self.one_link(
            &format!("SELECT {COLUMNS} FROM link WHERE account = ?1 AND ?2 = 0 ORDER BY sequence DESC LIMIT 1"),
            account,
            0,
        )
    }

    /// The link of this number.
    pub fn link(&self, account: u32, sequence: u64) -> Result<Option<LinkRow>> {
        self.one_link(
            &format!("SELECT {COLUMNS} FROM link WHERE account = ?1 AND sequence = ?2"),
            account,
            number(sequence),
        )
    }

    fn one_link(&self, sql: &str, account: u32, sequence: i64) -> Result<Option<LinkRow>> {
        let mut ask = self.conn.prepare_cached(sql)?;
        ask.query_row(params![account, sequence], |row| Ok(link_of(row))).optional()?.transpose()
    }

    /// At most `most` links from number `from` on, in order.
    pub fn links(&self, account: u32, from: u64, most: usize) -> Result<Vec<LinkRow>> {
        let mut ask = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM link WHERE account = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3"
        ))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut found = ask.query(params![account, number(from), most])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            out.push(link_of(row)?);
        }
        Ok(out)
    }

    /// How many links there are of one kind.
    pub fn count_links(&self, account: u32, kind: u8) -> Result<u64> {
        let mut ask = self.conn.prepare_cached("SELECT count(*) FROM link WHERE account = ?1 AND kind = ?2")?;
        unsigned(ask.query_row(params![account, kind], |row| row.get(0))?)
    }

    /// All links of one kind, in order.
    pub fn links_of_kind(&self, account: u32, kind: u8) -> Result<Vec<LinkRow>> {
        let mut ask = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM link WHERE account = ?1 AND kind = ?2 ORDER BY sequence"
        ))?;
        let mut found = ask.query(params![account, kind])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            out.push(link_of(row)?);
        }
        Ok(out)
    }

    /// Whether some links on disk were found to be damaged or gone that the catalog may still have.
    pub fn links_in_doubt(&self) -> Result<bool> {
        Ok(self.number("links_in_doubt")? != 0)
    }

    /// See [`links_in_doubt`](Self::links_in_doubt).
    pub fn set_links_in_doubt(&self, doubt: bool) -> Result<()> {
        self.set_number("links_in_doubt", i64::from(doubt))
    }

    /// Forgets all links of an account, as a process that ended before their rows would leave it.
    #[cfg(test)]
    pub(crate) fn remove_links(&self, account: u32) -> Result<()> {
        self.conn.execute("DELETE FROM link WHERE account = ?1", [account])?;
        Ok(())
    }
}

/// A sequence number as SQLite keeps it; beyond its range there is nothing.
fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
