//! What housekeeping did: a line of JSON a pass, bounded, and lost without harm (FORMAT.md, chapter 10).
//!
//! It is written anew each time, unsynced: nothing is decided by it, and a pass never fails because of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Housekept;
use crate::chain::Cause;
use crate::door::{Disk, Millis};
use crate::error::{Error, Result};
use crate::vault::Domain;

/// Passes that are remembered: a year of daily ones.
const PASSES_MAX: usize = 400;
/// Versions that a pass names; of others only the number is known.
const NAMED_MAX: usize = 100;
/// Longest log that is read or written: a pass of the longest kind takes about 12 KiB.
const LOG_BYTES_MAX: usize = 1 << 20;

/// One pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedPass {
    /// When it began, in milliseconds since 1970, by the server's clock.
    pub at: Millis,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// It ended with an error.
    pub failed: bool,
    /// Its time or bytes were used up: the next one went on.
    pub unfinished: bool,
    /// Needed nodes and bodies that could not be read.
    pub holes: u64,
    /// Versions that waited to be confirmed.
    pub waiting: u64,
    /// Versions that went, partial ones included, the first of them.
    pub gone: Vec<LoggedVersion>,
    /// How many more went.
    pub more: u64,
    /// Bytes of records that were condemned.
    pub condemned_bytes: u64,
    /// Bytes of records that were freed.
    pub freed_bytes: u64,
    /// Bytes that were copied into fuller packs.
    pub copied_bytes: u64,
    /// Bytes that came back to the disk.
    pub unlinked_bytes: u64,
}

/// A version that went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedVersion {
    /// Name of its account then.
    pub account: String,
    /// Its number.
    pub version: u64,
    /// [`Cause::words`].
    pub why: String,
}

impl LoggedPass {
    pub(super) fn goes(&mut self, account: &str, version: u64, cause: Cause) {
        if self.gone.len() < NAMED_MAX {
            self.gone.push(LoggedVersion { account: account.to_owned(), version, why: cause.words().to_owned() });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn figures(&mut self, done: &Housekept) {
        self.unfinished = done.unfinished;
        self.holes = done.holes;
        self.waiting = done.waiting;
        self.condemned_bytes = done.condemned_bytes;
        self.freed_bytes = done.freed_bytes;
        self.copied_bytes = done.copied_bytes;
        self.unlinked_bytes = done.unlinked_bytes;
    }
}

impl Domain {
    /// What housekeeping did here, oldest first. A log that is not there, or lines that cannot be read, are nothing.
    pub fn housekeeping_log(&self) -> Result<Vec<LoggedPass>> {
        let bytes = match self.inner.shared.disk.read(&self.log_path(), LOG_BYTES_MAX) {
            Err(Error::NotFound { .. } | Error::Limit { .. }) => Vec::new(),
            other => other?,
        };
        let lines = bytes.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Adds a pass. Only under the lock of housekeeping.
    pub(super) fn log_pass(&self, pass: LoggedPass) -> Result<()> {
        let mut passes = self.housekeeping_log()?;
        passes.push(pass);
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut bytes = 0;
        for pass in passes.iter().rev().take(PASSES_MAX) {
            let mut line = serde_json::to_vec(pass).map_err(|_| Error::damaged("log", "it cannot be written"))?;
            line.push(b'\n');
            bytes += line.len();
            if bytes > LOG_BYTES_MAX {
                break;
            }
            lines.push(line);
        }
        lines.reverse();
        let (disk, new) = (&*self.inner.shared.disk, self.inner.paths.housekeeping().join("log.new"));
        remove(disk, &new)?;
        disk.create_new(&new)?.append(&lines.concat())?;
        disk.rename(&new, &self.log_path())
    }

    fn log_path(&self) -> PathBuf {
        self.inner.paths.housekeeping_log()
    }
}

fn remove(disk: &dyn Disk, path: &std::path::Path) -> Result<()> {
    match disk.remove_file(path) {
        Err(Error::NotFound { .. }) => Ok(()),
        other => other,
    }
}
