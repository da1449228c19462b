//! Bytes on the pipe by hour, day and month of universal time.

use rusqlite::{Transaction, params};

use super::{Activity, signed, unsigned};
use crate::door::Millis;
use crate::error::Result;

/// `grain`: 0 hour, 1 day, 2 month; `start` in ms.
pub(super) const TABLE: &str = "
CREATE TABLE traffic(
    vault BLOB NOT NULL,
    account INTEGER NOT NULL,
    grain INTEGER NOT NULL,
    start INTEGER NOT NULL,
    in_bytes INTEGER NOT NULL,
    out_bytes INTEGER NOT NULL,
    busy_ms INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    PRIMARY KEY(vault, account, grain, start)
) STRICT, WITHOUT ROWID;
";

const HOUR_MS: Millis = 3_600_000;
const DAY_MS: Millis = 24 * HOUR_MS;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

/// What is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Bytes from the client.
    pub in_bytes: u64,
    /// Bytes to the client.
    pub out_bytes: u64,
    /// How long a session was open meanwhile; two at a time count twice.
    pub busy_ms: u64,
    /// Sessions that began.
    pub sessions: u64,
}

/// What was moved in an hour, a day or a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// When it begins, ms since 1970.
    pub start: Millis,
    /// What was moved in it.
    pub moved: Added,
}

impl Grain {
    /// All of them, shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    fn number(self) -> u8 {
        match self {
            Self::Hour => 0,
            Self::Day => 1,
            Self::Month => 2,
        }
    }

    /// Periods of an account that are remembered, the newest: seven weeks of hours, three years of days, fifty of months. A
    /// count and not an age, so that a clock that jumps ahead takes nothing.
    fn rows_max(self) -> i64 {
        match self {
            Self::Hour => 1_200,
            Self::Day => 1_100,
            Self::Month => 600,
        }
    }

    /// When the period ends that begins at `start`.
    #[must_use]
    pub fn end(self, start: Millis) -> Millis {
        match self {
            Self::Hour => start.saturating_add(HOUR_MS),
            Self::Day => start.saturating_add(DAY_MS),
            // No month is longer, and the shortest is over by then and the next is not.
            Self::Month => self.start(start.saturating_add(31 * DAY_MS + DAY_MS - 1)),
        }
    }

    /// When the period begins that this moment is in.
    #[must_use]
    pub fn start(self, at: Millis) -> Millis {
        match self {
            Self::Hour => at - at.rem_euclid(HOUR_MS),
            Self::Day => at - at.rem_euclid(DAY_MS),
            Self::Month => (at.div_euclid(DAY_MS) + 1 - day_of_month(at.div_euclid(DAY_MS))).saturating_mul(DAY_MS),
        }
    }
}

/// The day of the month, from 1, of a day since 1970 in the Gregorian calendar: by years that begin in March, so that the
/// odd day stands at the end.
fn day_of_month(day: i64) -> i64 {
    // Days since 1 March of the year 0, in periods of 400 years of 146,097 days.
    let of_period = (day + 719_468).rem_euclid(146_097);
    let year = (of_period - of_period / 1_460 + of_period / 36_524 - of_period / 146_096) / 365;
    let of_year = of_period - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5 + 1
}

impl Activity {
    /// Adds to the hour, the day and the month of this moment. The oldest periods go when there are too many.
    pub fn add_traffic(&self, account: u32, at: Millis, added: &Added) -> Result<()> {
        self.write(|change| Grain::ALL.into_iter().try_for_each(|grain| self.add_to(change, account, grain, at, added)))
    }

    fn add_to(&self, change: &Transaction<'_>, account: u32, grain: Grain, at: Millis, added: &Added) -> Result<()> {
        let vault = self.vault.bytes().as_slice();
        let mut put = change.prepare_cached(
            "INSERT INTO traffic VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET
                 in_bytes = in_bytes + ?5, out_bytes = out_bytes + ?6, busy_ms = busy_ms + ?7, sessions = sessions + ?8",
        )?;
        put.execute(params![
            vault,
            account,
            grain.number(),
            grain.start(at),
            signed(added.in_bytes),
            signed(added.out_bytes),
            signed(added.busy_ms),
            signed(added.sessions),
        ])?;
        let mut prune = change.prepare_cached(
            "DELETE FROM traffic WHERE vault = ?1 AND account = ?2 AND grain = ?3 AND start <= (SELECT start FROM traffic
                 WHERE vault = ?1 AND account = ?2 AND grain = ?3 ORDER BY start DESC LIMIT 1 OFFSET ?4)",
        )?;
        prune.execute(params![vault, account, grain.number(), grain.rows_max()])?;
        Ok(())
    }

    /// The periods of an account that begin at `from` or later and before `until`, oldest first. Periods in which nothing
    /// was moved are left out.
    pub fn traffic(&self, account: u32, grain: Grain, from: Millis, until: Millis) -> Result<Vec<Period>> {
        self.read(|conn| {
            let mut ask = conn.prepare_cached(
                "SELECT start, in_bytes, out_bytes, busy_ms, sessions FROM traffic
                 WHERE vault = ?1 AND account = ?2 AND grain = ?3 AND start >= ?4 AND start < ?5 ORDER BY start",
            )?;
            let vault = self.vault.bytes().as_slice();
            let mut found = ask.query(params![vault, account, grain.number(), from, until])?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                let moved = Added {
                    in_bytes: unsigned(row.get(1)?)?,
                    out_bytes: unsigned(row.get(2)?)?,
                    busy_ms: unsigned(row.get(3)?)?,
                    sessions: unsigned(row.get(4)?)?,
                };
                out.push(Period { start: row.get(0)?, moved });
            }
            Ok(out)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_where_the_calendar_says() {
        // 2026-11-21T09:30:15.5Z, in milliseconds; its hour, day, month.
        let at = 1_795_253_415_500;
        let starts = Grain::ALL.map(|grain| grain.start(at));
        assert_eq!(starts, [1_795_251_600_000, 1_795_219_200_000, 1_793_491_200_000]);
        let ends = [0, 1, 2].map(|at| Grain::ALL[at].end(starts[at]));
        assert_eq!(ends, [starts[0] + HOUR_MS, starts[1] + DAY_MS, starts[2] + 30 * DAY_MS]);
        for (begin, days) in [(0, 31), (31, 28), (10_988, 29), (20_485, 28), (20_513, 31)] {
            assert_eq!(Grain::Month.end(begin * DAY_MS), (begin + days) * DAY_MS);
        }
        for (day, month_begins) in [
            (0, 0),           // 1970-01-01
            (30, 0),          // 1970-01-31
            (31, 31),         // 1970-02-01
            (11_016, 10_988), // 2000-02-29
            (11_017, 11_017), // 2000-03-01
            (20_512, 20_485), // 2026-02-28
            (20_513, 20_513), // 2026-03-01
            (47_540, 47_513), // 2100-02-28
            (47_541, 47_541), // 2100-03-01: no leap year
            (-1, -31),        // 1969-12-31
        ] {
            assert_eq!(Grain::Month.start(day * DAY_MS + 77), month_begins * DAY_MS, "day {day}");
        }
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let mut before = day_of_month(-200_000);
        for day in -199_999..200_000 {
            let next = day_of_month(day);
            assert!(next == before + 1 || (next == 1 && before >= 28), "day {day}");
            before = next;
        }
    }
}
