//! Runs that clients told of (backups, and checks of what is stored), and which sessions read content.

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::{Activity, SessionKey, short, signed, unsigned};
use crate::door::Millis;
use crate::error::Result;

/// `fetched` and `stored_bytes` are what the server itself saw; the rest is the client's word. `exit` is an exit class.
pub(super) const TABLE: &str = "
CREATE TABLE run(
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    vault BLOB NOT NULL,
    account INTEGER NOT NULL,
    told_at INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    took_ms INTEGER NOT NULL,
    verb TEXT NOT NULL,
    client TEXT NOT NULL,
    host TEXT NOT NULL,
    exit INTEGER NOT NULL,
    code TEXT NOT NULL,
    sequence INTEGER,
    files INTEGER NOT NULL,
    files_new INTEGER NOT NULL,
    files_changed INTEGER NOT NULL,
    files_removed INTEGER NOT NULL,
    source_bytes INTEGER NOT NULL,
    read_bytes INTEGER NOT NULL,
    new_bytes INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL,
    received_bytes INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX run_account ON run(vault, account, no);
CREATE TABLE fetched(
    vault BLOB NOT NULL,
    account INTEGER NOT NULL,
    session BLOB NOT NULL,
    at INTEGER NOT NULL,
    boxes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY(vault, account, session)
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "told_at, began_at, took_ms, verb, client, host, exit, code, sequence, files, files_new, \
     files_changed, files_removed, source_bytes, read_bytes, new_bytes, sent_bytes, received_bytes, errors, stored_bytes";

/// Runs of a verb that are remembered of an account, the newest: five years of one a day.
const ROWS_MAX: i64 = 2_000;
/// Sessions of an account of which it is remembered that they read content.
const FETCHED_MAX: i64 = 2_000;
/// The verb of runs that make versions.
pub const BACKUP: &str = "backup";
/// The verb of runs that look for damage.
pub const CHECK: &str = "check";
/// Longest text.
const TEXT_CHARS_MAX: usize = 255;

/// A run that a client told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldRun {
    /// When the server heard of it, ms since 1970 by its clock.
    pub told_at: Millis,
    /// When it began, by the client's clock.
    pub began_at: Millis,
    /// How long it took.
    pub took_ms: u64,
    /// What was done, as in `backup`.
    pub verb: String,
    /// Version of the program.
    pub client: String,
    /// Name of the client's host.
    pub host: String,
    /// Its exit class; 0 and 3 made a version.
    pub exit: u8,
    /// The code that it failed with; empty when it did not.
    pub code: String,
    /// Number of the link that it committed.
    pub sequence: Option<u64>,
    /// What the account took then, in packs; the server's own figure.
    pub stored_bytes: u64,
    /// Its figures.
    pub figures: RunFigures,
}

/// Figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFigures {
    /// Files in the sources.
    pub files: u64,
    /// Files that were new.
    pub files_new: u64,
    /// Files of which anything changed.
    pub files_changed: u64,
    /// Files that were gone.
    pub files_removed: u64,
    /// Size of the sources.
    pub source_bytes: u64,
    /// Read from files.
    pub read_bytes: u64,
    /// Of these, in chunks that the vault lacked.
    pub new_bytes: u64,
    /// Sent on the wire.
    pub sent_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
    /// Items left out or doubtful.
    pub errors: u64,
}

/// A session that read content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// When it read last.
    pub at: Millis,
    /// Names the session.
    pub session: SessionKey,
    /// Boxes that it was sent.
    pub boxes: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The role of the connection; empty when the session is not remembered any more.
    pub role: String,
    /// What the client said of itself; likewise.
    pub program: String,
}

impl ToldRun {
    /// Whether it made a version that is good: a partial one did.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.exit, 0 | 3)
    }
}

impl Activity {
    /// Adds a run. The oldest runs of the account with this verb go when there are too many.
    pub fn add_run(&self, account: u32, run: &ToldRun) -> Result<()> {
        let vault = *self.vault().bytes();
        self.write(|change| {
            let f = &run.figures;
            change.execute(
                &format!(
                    "INSERT INTO run(vault, account, {COLUMNS}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
                         ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)"
                ),
                params![
                    vault.as_slice(),
                    account,
                    run.told_at,
                    run.began_at,
                    signed(run.took_ms),
                    short(&run.verb, TEXT_CHARS_MAX),
                    short(&run.client, TEXT_CHARS_MAX),
                    short(&run.host, TEXT_CHARS_MAX),
                    run.exit,
                    short(&run.code, TEXT_CHARS_MAX),
                    run.sequence.map(signed),
                    signed(f.files),
                    signed(f.files_new),
                    signed(f.files_changed),
                    signed(f.files_removed),
                    signed(f.source_bytes),
                    signed(f.read_bytes),
                    signed(f.new_bytes),
                    signed(f.sent_bytes),
                    signed(f.received_bytes),
                    signed(f.errors),
                    signed(run.stored_bytes),
                ],
            )?;
            change.execute(
                "DELETE FROM run WHERE vault = ?1 AND account = ?2 AND verb = ?4 AND no <= (SELECT no FROM run
                     WHERE vault = ?1 AND account = ?2 AND verb = ?4 ORDER BY no DESC LIMIT 1 OFFSET ?3)",
                params![vault.as_slice(), account, ROWS_MAX, short(&run.verb, TEXT_CHARS_MAX)],
            )?;
            Ok(())
        })
    }

    /// The runs of an account with this verb that were told at `from` or later, newest first, at most `most`.
    pub fn runs(&self, account: u32, verb: &str, from: Millis, most: usize) -> Result<Vec<ToldRun>> {
        let found = format!(
            "SELECT {COLUMNS} FROM run WHERE vault = ?1 AND account = ?2 AND verb = ?3 AND told_at >= ?4
             ORDER BY no DESC LIMIT ?5"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask_runs(&found, params![self.vault().bytes().as_slice(), account, verb, from, most])
    }

    /// The newest check of an account that came to its end: all was there, or damage was found.
    pub fn last_check(&self, account: u32) -> Result<Option<ToldRun>> {
        let found = format!(
            "SELECT {COLUMNS} FROM run WHERE vault = ?1 AND account = ?2 AND verb = ?3 AND (exit = 0 OR errors > 0)
             ORDER BY no DESC LIMIT 1"
        );
        let mut runs = self.ask_runs(&found, params![self.vault().bytes().as_slice(), account, CHECK])?;
        Ok(runs.pop())
    }

    /// The newest run of an account that committed the link of this number.
    pub fn run_of(&self, account: u32, sequence: u64) -> Result<Option<ToldRun>> {
        let found = format!(
            "SELECT {COLUMNS} FROM run WHERE vault = ?1 AND account = ?2 AND sequence = ?3 ORDER BY no DESC LIMIT 1"
        );
        let mut runs = self.ask_runs(&found, params![self.vault().bytes().as_slice(), account, signed(sequence)])?;
        Ok(runs.pop())
    }

    fn ask_runs(&self, ask: &str, with: impl rusqlite::Params) -> Result<Vec<ToldRun>> {
        self.read(|conn| {
            let mut ask = conn.prepare_cached(ask)?;
            let mut found = ask.query(with)?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                out.push(run_of(row)?);
            }
            Ok(out)
        })
    }

    /// Adds what a session was sent of content. The oldest sessions of the account go when there are too many.
    pub fn add_fetched(&self, account: u32, session: &SessionKey, at: Millis, boxes: u64, bytes: u64) -> Result<()> {
        let vault = *self.vault().bytes();
        self.write(|change| {
            change.execute(
                "INSERT INTO fetched VALUES(?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET at = ?4, boxes = boxes + ?5, bytes = bytes + ?6",
                params![vault.as_slice(), account, session.as_slice(), at, signed(boxes), signed(bytes)],
            )?;
            change.execute(
                "DELETE FROM fetched WHERE vault = ?1 AND account = ?2 AND (at, session) <= (SELECT at, session FROM fetched
                     WHERE vault = ?1 AND account = ?2 ORDER BY at DESC, session DESC LIMIT 1 OFFSET ?3)",
                params![vault.as_slice(), account, FETCHED_MAX],
            )?;
            Ok(())
        })
    }

    /// The sessions of an account that read content at `from` or later, newest first, at most `most`.
    pub fn readings(&self, account: u32, from: Millis, most: usize) -> Result<Vec<Reading>> {
        self.read(|conn| {
            let mut ask = conn.prepare_cached(
                "SELECT f.at, f.session, f.boxes, f.bytes, coalesce(s.role, ''), coalesce(s.program, '')
                 FROM fetched f LEFT JOIN session s
                     ON s.vault = f.vault AND s.account = f.account AND s.id = f.session
                 WHERE f.vault = ?1 AND f.account = ?2 AND f.at >= ?3 ORDER BY f.at DESC, f.session LIMIT ?4",
            )?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut found = ask.query(params![self.vault().bytes().as_slice(), account, from, most])?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                out.push(Reading {
                    at: row.get(0)?,
                    session: row.get(1)?,
                    boxes: unsigned(row.get(2)?)?,
                    bytes: unsigned(row.get(3)?)?,
                    role: row.get(4)?,
                    program: row.get(5)?,
                });
            }
            Ok(out)
        })
    }
}

fn run_of(row: &Row<'_>) -> Result<ToldRun> {
    let number = |at: usize| -> Result<u64> { unsigned(row.get(at)?) };
    Ok(ToldRun {
        told_at: row.get(0)?,
        began_at: row.get(1)?,
        took_ms: number(2)?,
        verb: row.get(3)?,
        client: row.get(4)?,
        host: row.get(5)?,
        exit: row.get(6)?,
        code: row.get(7)?,
        sequence: row.get::<_, Option<i64>>(8)?.map(unsigned).transpose()?,
        stored_bytes: number(19)?,
        figures: RunFigures {
            files: number(9)?,
            files_new: number(10)?,
            files_changed: number(11)?,
            files_removed: number(12)?,
            source_bytes: number(13)?,
            read_bytes: number(14)?,
            new_bytes: number(15)?,
            sent_bytes: number(16)?,
            received_bytes: number(17)?,
            errors: number(18)?,
        },
    })
}
