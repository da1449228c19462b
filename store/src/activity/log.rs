//! Lines that clients log with the server, capped so that none of them floods it.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Activity, SessionKey, damaged, short, signed, unsigned};
use crate::door::Millis;
use crate::error::Result;

/// `flood` counts the lines of an account in an hour, and what of them was dropped.
pub(super) const TABLE: &str = "
CREATE TABLE log(
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    vault BLOB NOT NULL,
    account INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    code TEXT NOT NULL,
    text TEXT NOT NULL,
    session BLOB
) STRICT;
CREATE INDEX log_account ON log(vault, account, no);
CREATE TABLE flood(
    vault BLOB NOT NULL,
    account INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    PRIMARY KEY(vault, account, hour)
) STRICT, WITHOUT ROWID;
";

/// Lines of an account that are remembered, the newest.
const ROWS_MAX: i64 = 5_000;
/// Lines of an account that are taken in an hour; the rest of the hour's is counted and dropped.
const LINES_AN_HOUR: u64 = 500;
/// Hours whose dropped lines are remembered.
const HOURS_MAX: i64 = 1_200;
/// Longest code.
const CODE_CHARS_MAX: usize = 64;
/// Longest text.
const TEXT_CHARS_MAX: usize = 1_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Note,
    /// Somebody should look.
    Warning,
    /// Something was not done.
    Error,
}

/// A line that is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// How bad it is.
    pub level: Level,
    /// Stable, dotted; at most 64 characters are kept.
    pub code: String,
    /// One sentence; at most 1,000 characters are kept.
    pub text: String,
}

/// A line as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Rises from line to line.
    pub no: u64,
    /// When the server received it, ms since 1970.
    pub at: Millis,
    /// The connection that it came on, when known.
    pub session: Option<SessionKey>,
    /// What it says.
    pub line: NewLine,
}

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogAdded {
    /// Kept.
    pub kept: u64,
    /// Dropped, because too many came in this hour.
    pub dropped: u64,
}

impl Level {
    fn number(self) -> u8 {
        match self {
            Self::Note => 0,
            Self::Warning => 1,
            Self::Error => 2,
        }
    }

    fn from_number(number: u8) -> Result<Self> {
        match number {
            0 => Ok(Self::Note),
            1 => Ok(Self::Warning),
            2 => Ok(Self::Error),
            _ => Err(damaged("a level is not known")),
        }
    }
}

impl Activity {
    /// Adds lines that were received now, in this order, as far as the account may have more in this hour. The oldest lines
    /// of the account go when there are too many.
    pub fn add_log(
        &self,
        account: u32,
        now: Millis,
        session: Option<&SessionKey>,
        lines: &[NewLine],
    ) -> Result<LogAdded> {
        self.write(|change| {
            let vault = self.vault.bytes().as_slice();
            let added = self.may_add(change, account, now, lines.len() as u64)?;
            let kept = usize::try_from(added.kept).unwrap_or(usize::MAX);
            let mut put = change.prepare_cached(
                "INSERT INTO log(vault, account, at, level, code, text, session) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for line in lines.iter().take(kept) {
                let (code, text) = (short(&line.code, CODE_CHARS_MAX), short(&line.text, TEXT_CHARS_MAX));
                let session = session.map(SessionKey::as_slice);
                put.execute(params![vault, account, now, line.level.number(), code, text, session])?;
            }
            change.execute(
                "DELETE FROM log WHERE vault = ?1 AND account = ?2 AND no <= (SELECT no FROM log
                     WHERE vault = ?1 AND account = ?2 ORDER BY no DESC LIMIT 1 OFFSET ?3)",
                params![vault, account, ROWS_MAX],
            )?;
            Ok(added)
        })
    }

    /// How many of these lines fit into this hour; counts them.
    fn may_add(&self, change: &Transaction<'_>, account: u32, now: Millis, lines: u64) -> Result<LogAdded> {
        let vault = self.vault.bytes().as_slice();
        let hour = now.div_euclid(3_600_000);
        let ask = "SELECT lines FROM flood WHERE vault = ?1 AND account = ?2 AND hour = ?3";
        let found: Option<i64> = change.query_row(ask, params![vault, account, hour], |row| row.get(0)).optional()?;
        let room = LINES_AN_HOUR.saturating_sub(unsigned(found.unwrap_or(0))?);
        let kept = lines.min(room);
        let added = LogAdded { kept, dropped: lines - kept };
        change.execute(
            "INSERT INTO flood VALUES(?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET lines = lines + ?4, dropped = dropped + ?5",
            params![vault, account, hour, signed(added.kept), signed(added.dropped)],
        )?;
        change.execute(
            "DELETE FROM flood WHERE vault = ?1 AND account = ?2 AND hour <= (SELECT hour FROM flood
                 WHERE vault = ?1 AND account = ?2 ORDER BY hour DESC LIMIT 1 OFFSET ?3)",
            params![vault, account, HOURS_MAX],
        )?;
        Ok(added)
    }

    /// The newest lines of an account with this level or a worse one that were received at `from` or later; at most
    /// `most`, oldest first.
    pub fn log(&self, account: u32, from: Millis, least: Level, most: usize) -> Result<Vec<LogLine>> {
        self.read(|conn| {
            let mut ask = conn.prepare_cached(
                "SELECT no, at, session, level, code, text FROM log
                 WHERE vault = ?1 AND account = ?2 AND at >= ?3 AND level >= ?4 ORDER BY no DESC LIMIT ?5",
            )?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let vault = self.vault.bytes().as_slice();
            let mut found = ask.query(params![vault, account, from, least.number(), most])?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                let line = NewLine { level: Level::from_number(row.get(3)?)?, code: row.get(4)?, text: row.get(5)? };
                out.push(LogLine { no: unsigned(row.get(0)?)?, at: row.get(1)?, session: row.get(2)?, line });
            }
            out.reverse();
            Ok(out)
        })
    }

    /// Lines of an account that were dropped in the hour of `from` and later.
    pub fn log_dropped(&self, account: u32, from: Millis) -> Result<u64> {
        self.read(|conn| {
            let ask = "SELECT coalesce(sum(dropped), 0) FROM flood WHERE vault = ?1 AND account = ?2 AND hour >= ?3";
            let hour = from.div_euclid(3_600_000);
            let dropped =
                conn.query_row(ask, params![self.vault.bytes().as_slice(), account, hour], |row| row.get(0))?;
            unsigned(dropped)
        })
    }
}
