//! Connections to an account: from when to when, by whom, what came of them.

use rusqlite::{Row, params};

use super::{Activity, damaged, short, signed, unsigned};
use crate::door::Millis;
use crate::error::Result;

/// Columns that the server keeps, then those that a client tells.
pub(super) const TABLE: &str = "
CREATE TABLE session(
    vault BLOB NOT NULL,
    account INTEGER NOT NULL,
    id BLOB NOT NULL,
    began_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    stripe INTEGER NOT NULL,
    role TEXT NOT NULL,
    program TEXT NOT NULL,
    in_bytes INTEGER NOT NULL,
    out_bytes INTEGER NOT NULL,
    waited_ms INTEGER NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    verb TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '',
    files INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(vault, account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_began ON session(vault, account, began_at, id);
";

/// Sessions that are remembered of an account, newest first: five years of one a day, three months of one an hour.
const ROWS_MAX: i64 = 2_000;
/// Longest text of a client.
const TEXT_CHARS_MAX: usize = 255;

/// Names one connection: random.
pub type SessionKey = [u8; 16];

/// How a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet; or its server was killed, when it was not seen for some time.
    #[default]
    Open,
    /// With a goodbye of both.
    Ended,
    /// Without.
    Lost,
}

/// What a client tells of its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The host, in its own words.
    pub host: String,
    /// What it did: `backup`, `restore`, …; empty when it did not say.
    pub verb: String,
    /// What came of it: `ok`, `partial`, or the code of an error; empty when it did not say.
    pub result: String,
    /// Files that it looked at or wrote.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRow {
    /// Number of the account.
    pub account: u32,
    /// Names it.
    pub id: SessionKey,
    /// When it opened the account, ms since 1970 by the server's clock.
    pub began_at: Millis,
    /// Up to when it was seen: its end, once it has ended.
    pub seen_at: Millis,
    /// How it ended.
    pub outcome: Outcome,
    /// It only carried bulk for another connection.
    pub stripe: bool,
    /// `backup`, `append`, `read` or `admin`.
    pub role: String,
    /// Program and version, and what else a client said of itself.
    pub program: String,
    /// Bytes on the pipe from the client, everything counted.
    pub in_bytes: u64,
    /// Bytes on the pipe to the client.
    pub out_bytes: u64,
    /// How long a rate limit made it wait.
    pub waited_ms: u64,
    /// What the client told.
    pub run: Run,
}

impl Outcome {
    fn number(self) -> i64 {
        match self {
            Self::Open => 0,
            Self::Ended => 1,
            Self::Lost => 2,
        }
    }

    fn from_number(number: i64) -> Result<Self> {
        match number {
            0 => Ok(Self::Open),
            1 => Ok(Self::Ended),
            2 => Ok(Self::Lost),
            _ => Err(damaged("an outcome is not known")),
        }
    }
}

impl Activity {
    /// Writes what is known of a session: a new row, or that of the same id. The oldest sessions of the account go when there are too many.
    pub fn put_session(&self, session: &SessionRow) -> Result<()> {
        let vault = *self.vault.bytes();
        self.write(|change| {
            let mut put = change.prepare_cached(
                "INSERT INTO session(vault, account, id, began_at, seen_at, outcome, stripe, role, program, in_bytes,
                     out_bytes, waited_ms, host, verb, result, files, bytes)
                     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
                 ON CONFLICT DO UPDATE SET seen_at = ?5, outcome = ?6, in_bytes = ?10, out_bytes = ?11,
                     waited_ms = ?12, host = ?13, verb = ?14, result = ?15, files = ?16, bytes = ?17",
            )?;
            put.execute(params![
                vault.as_slice(),
                session.account,
                session.id.as_slice(),
                session.began_at,
                session.seen_at,
                session.outcome.number(),
                session.stripe,
                short(&session.role, TEXT_CHARS_MAX),
                short(&session.program, TEXT_CHARS_MAX),
                signed(session.in_bytes),
                signed(session.out_bytes),
                signed(session.waited_ms),
                short(&session.run.host, TEXT_CHARS_MAX),
                short(&session.run.verb, TEXT_CHARS_MAX),
                short(&session.run.result, TEXT_CHARS_MAX),
                signed(session.run.files),
                signed(session.run.bytes),
            ])?;
            let mut prune = change.prepare_cached(
                "DELETE FROM session WHERE vault = ?1 AND account = ?2 AND (began_at, id) <= (SELECT began_at, id
                     FROM session WHERE vault = ?1 AND account = ?2 ORDER BY began_at DESC, id DESC LIMIT 1 OFFSET ?3)",
            )?;
            prune.execute(params![vault.as_slice(), session.account, ROWS_MAX])?;
            Ok(())
        })
    }

    /// The sessions of an account that began at `from` or later, newest first, at most `most`.
    pub fn sessions(&self, account: u32, from: Millis, most: usize) -> Result<Vec<SessionRow>> {
        self.read(|conn| {
            let mut ask = conn.prepare_cached(
                "SELECT account, id, began_at, seen_at, outcome, stripe, role, program, in_bytes, out_bytes, waited_ms,
                     host, verb, result, files, bytes FROM session
                 WHERE vault = ?1 AND account = ?2 AND began_at >= ?3 ORDER BY began_at DESC, id LIMIT ?4",
            )?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut found = ask.query(params![self.vault.bytes().as_slice(), account, from, most])?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                out.push(session_of(row)?);
            }
            Ok(out)
        })
    }
}

fn session_of(row: &Row<'_>) -> Result<SessionRow> {
    Ok(SessionRow {
        account: row.get(0)?,
        id: row.get(1)?,
        began_at: row.get(2)?,
        seen_at: row.get(3)?,
        outcome: Outcome::from_number(row.get(4)?)?,
        stripe: row.get(5)?,
        role: row.get(6)?,
        program: row.get(7)?,
        in_bytes: unsigned(row.get(8)?)?,
        out_bytes: unsigned(row.get(9)?)?,
        waited_ms: unsigned(row.get(10)?)?,
        run: Run {
            host: row.get(11)?,
            verb: row.get(12)?,
            result: row.get(13)?,
            files: unsigned(row.get(14)?)?,
            bytes: unsigned(row.get(15)?)?,
        },
    })
}
