//! What a policy is (FORMAT.md, 6.7).

use crate::door::Millis;
use crate::id::TagId;

/// How many rules keep one version of each period.
pub const RULES: usize = 6;

/// A period of which a rule keeps the newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// Every version of the newest days that have one.
    Last,
    /// An hour.
    Hour,
    /// A day, of universal time.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Period {
    /// All of them, in the order of a policy's counts.
    pub const ALL: [Self; RULES] = [Self::Last, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// Its word, as in `--keep-daily`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        }
    }

    /// The number of the period in which a moment lies; rises with time.
    #[must_use]
    pub fn number(self, at: Millis) -> i64 {
        let day = at.div_euclid(DAY_MS);
        match self {
            Self::Hour => at.div_euclid(HOUR_MS),
            Self::Last | Self::Day => day,
            // The first day of 1970 was a Thursday.
            Self::Week => (day + 3).div_euclid(7),
            Self::Month => {
                let (year, month) = month_of(day);
                year * 12 + month
            }
            Self::Year => month_of(day).0,
        }
    }
}

pub(super) const HOUR_MS: Millis = 3_600 * 1_000;
pub(super) const DAY_MS: Millis = 24 * HOUR_MS;

/// Year and month (from 0) of a day since 1970.
fn month_of(day: i64) -> (i64, i64) {
    // Years that begin in March have their odd day at the end; eras of 400 such years are all alike.
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = (from_march + 2) % 12;
    (era * 400 + year + i64::from(month < 2), month)
}

/// Which versions are kept. A version is kept when any rule keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For each of [`Period::ALL`]: of how many periods the newest version is kept; [`Policy::ALL`] for no bound.
    pub counts: [u32; RULES],
    /// Every version that is at most so old is kept, in milliseconds.
    pub within_ms: Millis,
    /// Versions with one of these tags are kept.
    pub tags: Vec<TagId>,
    /// What only a count keeps may go, oldest first, while the account is above its soft limit.
    pub soft_limit: bool,
    /// The same, from an age of 30 days, while the vault's disk has less than so many bytes free; 0 for never.
    pub min_free_bytes: u64,
}

impl Policy {
    /// No bound.
    pub const ALL: u32 = u32::MAX;

    /// Keeps everything.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            counts: [Self::ALL, 0, 0, 0, 0, 0],
            within_ms: 0,
            tags: Vec::new(),
            soft_limit: false,
            min_free_bytes: 0,
        }
    }

    /// One of the presets by name; `None` when there is none.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::default()),
            // Hourly for a day, daily for a month, weekly until space runs short.
            "time-machine" => Some(Self {
                counts: [0, 24, 30, Self::ALL, 0, 0],
                min_free_bytes: Self::TIME_MACHINE_FREE,
                ..Self::default()
            }),
            "everything" => Some(Self::everything()),
            _ => None,
        }
    }

    /// What the preset `time-machine` wants free: room for some days of a person's changes, and little of any disk that
    /// keeps backups.
    pub const TIME_MACHINE_FREE: u64 = 10 << 30;

    /// The names of the presets.
    pub const PRESETS: [&'static str; 3] = ["default", "time-machine", "everything"];
}

/// In force until a link says otherwise: all for 24 hours (which is so under every policy), daily for 30 days, weekly for
/// ever or until the soft limit.
impl Default for Policy {
    fn default() -> Self {
        Self {
            counts: [0, 0, 30, Self::ALL, 0, 0],
            within_ms: 0,
            tags: Vec::new(),
            soft_limit: true,
            min_free_bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_where_they_must() {
        let day = |days: i64| days * DAY_MS;
        // 1970-01-01 was a Thursday; the Monday after it is day 4.
        assert_eq!(Period::Week.number(day(4) - 1) + 1, Period::Week.number(day(4)));
        assert_eq!(Period::Week.number(day(4)), Period::Week.number(day(11) - 1));
        let months: Vec<i64> =
            [0, 30, 31, 58, 59, 364, 365, -1].map(|d| Period::Month.number(day(d)) - 1970 * 12).to_vec();
        assert_eq!(months, [0, 0, 1, 1, 2, 11, 12, -1]);
        // 2024-02-29 and 2024-03-01; 2000-02-29; 2100-02-28 and 2100-03-01.
        for (d, month) in
            [(19_782, 2024 * 12 + 1), (19_783, 2024 * 12 + 2), (11_016, 24_001), (47_540, 25_201), (47_541, 25_202)]
        {
            assert_eq!(Period::Month.number(day(d)), month, "{d}");
        }
        assert_eq!(Period::Year.number(day(19_782)), 2024);
        assert_eq!(Period::Hour.number(HOUR_MS - 1), 0);
    }
}
