//! What is taken, a sample a day: bytes of each class, of an account or of the domain as a whole.

use rusqlite::params;

use super::{Activity, short, signed, unsigned};
use crate::door::Millis;
use crate::error::{Error, Result};

/// `account` 0 is the domain as a whole: no account has that number. `day` counts from 1970.
pub(super) const TABLE: &str = "
CREATE TABLE sample(
    vault BLOB NOT NULL,
    account INTEGER NOT NULL,
    day INTEGER NOT NULL,
    class TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY(vault, account, day, class)
) STRICT, WITHOUT ROWID;
";

/// Days of an account that are remembered, the newest.
const DAYS_MAX: i64 = 1_100;
/// Most classes of a sample.
const CLASSES_MAX: usize = 64;
/// Longest name of a class.
const CLASS_CHARS_MAX: usize = 64;
const DAY_MS: Millis = 24 * 3_600_000;

/// One class on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the day begins, ms since 1970.
    pub day: Millis,
    /// Which bytes.
    pub class: String,
    /// How many.
    pub bytes: u64,
}

impl Activity {
    /// Writes the sample of the day of this moment, in place of an earlier one of that day. `account`: `None` is the domain
    /// as a whole. `Limit` above 64 classes. The oldest days go when there are too many.
    pub fn put_sample(&self, account: Option<u32>, at: Millis, classes: &[(&str, u64)]) -> Result<()> {
        if classes.len() > CLASSES_MAX {
            let (found, most) = (classes.len() as u64, CLASSES_MAX as u64);
            return Err(Error::Limit { what: "classes of a sample", found, most });
        }
        let (vault, account, day) = (self.vault.bytes().as_slice(), account.unwrap_or(0), at.div_euclid(DAY_MS));
        self.write(|change| {
            change.execute(
                "DELETE FROM sample WHERE vault = ?1 AND account = ?2 AND day = ?3",
                params![vault, account, day],
            )?;
            let mut put = change.prepare_cached("INSERT OR REPLACE INTO sample VALUES(?1, ?2, ?3, ?4, ?5)")?;
            for (class, bytes) in classes {
                put.execute(params![vault, account, day, short(class, CLASS_CHARS_MAX), signed(*bytes)])?;
            }
            change.execute(
                "DELETE FROM sample WHERE vault = ?1 AND account = ?2 AND day <= (SELECT DISTINCT day FROM sample
                     WHERE vault = ?1 AND account = ?2 ORDER BY day DESC LIMIT 1 OFFSET ?3)",
                params![vault, account, DAYS_MAX],
            )?;
            Ok(())
        })
    }

    /// The samples of the day of `from` and later, oldest first, within a day by class.
    pub fn samples(&self, account: Option<u32>, from: Millis) -> Result<Vec<Sample>> {
        self.read(|conn| {
            let mut ask = conn.prepare_cached(
                "SELECT day, class, bytes FROM sample WHERE vault = ?1 AND account = ?2 AND day >= ?3
                 ORDER BY day, class",
            )?;
            let vault = self.vault.bytes().as_slice();
            let mut found = ask.query(params![vault, account.unwrap_or(0), from.div_euclid(DAY_MS)])?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                let day: i64 = row.get(0)?;
                out.push(Sample { day: day.saturating_mul(DAY_MS), class: row.get(1)?, bytes: unsigned(row.get(2)?)? });
            }
            Ok(out)
        })
    }
}
