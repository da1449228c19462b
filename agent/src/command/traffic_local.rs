//! Periods by a person's own clock. The vault remembers hours, days and months of universal time, the finer the shorter.
//! A day here is made of its hours, so it begins at this midnight and has 23 or 25 of them when clocks change; a month of
//! its days and hours. Of what is so old that its hours are forgotten, the day of universal time stands for the day here,
//! and likewise months.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use store::activity;

use crate::engine::job::{Grain, TrafficJob, TrafficRow};
use crate::fault::Result;

/// Asks for one kind of periods.
type Ask<'a> = &'a mut dyn FnMut(TrafficJob) -> Result<Vec<TrafficRow>>;

/// A period of universal time, and how long it is.
struct Piece {
    row: TrafficRow,
    by: Grain,
}

/// The periods of a job by the clock of a zone; `start` is where each begins there.
pub(super) fn periods(job: &TrafficJob, zone: &TimeZone, ask: Ask<'_>) -> Result<Vec<TrafficRow>> {
    let from_ms = begin(job.from_ms, job.by, zone);
    let mut of = |by: Grain, from_ms: i64| -> Result<Vec<Piece>> {
        let rows = ask(TrafficJob { by, from_ms, ..job.clone() })?;
        Ok(rows.into_iter().map(|row| Piece { row, by }).collect())
    };
    let pieces = match job.by {
        Grain::Hour => of(Grain::Hour, from_ms)?,
        by => {
            let long = of(by, from_ms)?;
            // All parts of the first of them, so that they can be added up.
            let first = long.iter().map(|piece| piece.row.start).fold(from_ms, i64::min);
            let hours = of(Grain::Hour, first)?;
            let short = if by == Grain::Month { in_parts(of(Grain::Day, first)?, hours) } else { hours };
            in_parts(long, short)
        }
    };
    Ok(added_up(pieces, job.by, from_ms, zone))
}

/// Each long period as the short ones that it is made of, when all of those are still known.
fn in_parts(long: Vec<Piece>, mut short: Vec<Piece>) -> Vec<Piece> {
    let mut out = Vec::new();
    for piece in long {
        let until = grain(piece.by).end(piece.row.start);
        let within =
            |part: &Piece| part.row.number == piece.row.number && (piece.row.start..until).contains(&part.row.start);
        let (parts, rest): (Vec<Piece>, Vec<Piece>) = short.into_iter().partition(within);
        short = rest;
        let sum = |of: fn(&TrafficRow) -> u64| parts.iter().map(|part| of(&part.row)).fold(0, u64::saturating_add);
        if sum(|row| row.in_bytes) >= piece.row.in_bytes && sum(|row| row.out_bytes) >= piece.row.out_bytes {
            out.extend(parts);
        } else {
            out.push(piece);
        }
    }
    // What has moved since the long ones were asked for.
    out.extend(short);
    out
}

/// One row for each account and period here: accounts in the order in which they came, each one's oldest first.
fn added_up(pieces: Vec<Piece>, by: Grain, from_ms: i64, zone: &TimeZone) -> Vec<TrafficRow> {
    let mut accounts: Vec<u32> = Vec::new();
    let mut sums: BTreeMap<(usize, i64), TrafficRow> = BTreeMap::new();
    for Piece { row, by: length } in pieces {
        let at = match length {
            Grain::Hour => row.start,
            // The day or month of the same name.
            Grain::Day | Grain::Month => same_name(row.start, zone),
        };
        let start = begin(at, by, zone);
        if start < from_ms {
            continue;
        }
        let nth = accounts.iter().position(|number| *number == row.number).unwrap_or_else(|| {
            accounts.push(row.number);
            accounts.len() - 1
        });
        let sum = sums.entry((nth, start)).or_insert_with(|| TrafficRow {
            account: row.account.clone(),
            number: row.number,
            start,
            ..TrafficRow::default()
        });
        super::traffic::add(sum, &row);
    }
    sums.into_values().collect()
}

fn grain(by: Grain) -> activity::Grain {
    match by {
        Grain::Hour => activity::Grain::Hour,
        Grain::Day => activity::Grain::Day,
        Grain::Month => activity::Grain::Month,
    }
}

fn zoned(ms: i64, zone: &TimeZone) -> Option<Zoned> {
    Timestamp::from_millisecond(ms).ok().map(|at| at.to_zoned(zone.clone()))
}

/// Where the period begins in which a moment lies. Hours are those of universal time: there are no others to be had.
fn begin(ms: i64, by: Grain, zone: &TimeZone) -> i64 {
    let begun = zoned(ms, zone).and_then(|at| match by {
        Grain::Hour => None,
        Grain::Day => at.start_of_day().ok(),
        Grain::Month => at.first_of_month().ok()?.start_of_day().ok(),
    });
    begun.map_or_else(|| grain(Grain::Hour).start(ms), |at| at.timestamp().as_millisecond())
}

/// The beginning, here, of the day that begins there in universal time.
fn same_name(start: i64, zone: &TimeZone) -> i64 {
    let date = zoned(start, &TimeZone::UTC).map(|at| at.date());
    let here = date.and_then(|date| date.to_zoned(zone.clone()).ok());
    here.map_or(start, |at| at.timestamp().as_millisecond())
}

/// A period as people write it. An hour that comes twice when clocks go back has its zone with it.
pub(super) fn name(start: i64, by: Grain, zone: &TimeZone) -> String {
    let Some(at) = zoned(start, zone) else { return "?".to_owned() };
    let twice = || {
        let other = |hours: i64| at.checked_add(hours.hours()).is_ok_and(|other| other.datetime() == at.datetime());
        other(1) || other(-1)
    };
    let form = match by {
        Grain::Hour if twice() => "%Y-%m-%d %H:%M %Z",
        Grain::Hour => "%Y-%m-%d %H:%M",
        Grain::Day => "%Y-%m-%d",
        Grain::Month => "%Y-%m",
    };
    at.strftime(form).to_string()
}

/// A zone in a heading.
pub(super) fn zone_name(zone: &TimeZone) -> String {
    if *zone == TimeZone::UTC {
        return "UTC".to_owned();
    }
    zone.iana_name().unwrap_or("local time").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::TrafficOf;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// What a vault remembers in which a byte came in every hour of these.
    fn vault(hours: &[i64], forgotten_before: i64) -> impl Fn(TrafficJob) -> Result<Vec<TrafficRow>> {
        let hours = hours.to_vec();
        move |job| {
            let by = grain(job.by);
            let mut rows: BTreeMap<i64, TrafficRow> = BTreeMap::new();
            for hour in hours.iter().filter(|hour| job.by != Grain::Hour || **hour >= forgotten_before) {
                let start = by.start(*hour);
                if start < by.start(job.from_ms) || start >= job.until_ms {
                    continue;
                }
                let row = rows.entry(start).or_insert_with(|| TrafficRow { number: 7, start, ..Default::default() });
                row.in_bytes += 1;
                row.sessions += 1;
            }
            Ok(rows.into_values().collect())
        }
    }

    fn told(hours: &[i64], forgotten_before: i64, by: Grain, from: &str) -> Vec<(String, u64)> {
        let job = TrafficJob { of: TrafficOf::Opened, by, from_ms: ms(from), until_ms: i64::MAX };
        let vault = vault(hours, forgotten_before);
        let rows = periods(&job, &berlin(), &mut |job| vault(job)).unwrap();
        rows.iter().map(|row| (name(row.start, by, &berlin()), row.in_bytes)).collect()
    }

    fn every_hour(from: &str, until: &str) -> Vec<i64> {
        (ms(from)..ms(until)).step_by(3_600_000).collect()
    }

    fn days(all: &[(&str, u64)]) -> Vec<(String, u64)> {
        all.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
    }

    #[test]
    fn days_begin_at_midnight_here_and_have_23_or_25_hours_when_clocks_change() {
        let spring = every_hour("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z");
        let seen = told(&spring, 0, Grain::Day, "2026-03-28T00:30:00+01:00");
        assert_eq!(seen, days(&[("2026-03-28", 24), ("2026-03-29", 23), ("2026-03-30", 24)]));
        let autumn = every_hour("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z");
        let seen = told(&autumn, 0, Grain::Day, "2026-10-24T12:00:00+02:00");
        assert_eq!(seen, days(&[("2026-10-24", 24), ("2026-10-25", 25), ("2026-10-26", 24)]));
    }

    #[test]
    fn an_hour_that_comes_twice_says_which() {
        let night = every_hour("2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z");
        let seen = told(&night, 0, Grain::Hour, "2026-10-24T23:00:00Z");
        let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["2026-10-25 01:00", "2026-10-25 02:00 CEST", "2026-10-25 02:00 CET", "2026-10-25 03:00"]);
    }

    #[test]
    fn months_are_made_of_days_and_hours_as_far_as_they_are_known() {
        let hours = every_hour("2026-08-31T20:00:00Z", "2026-09-30T23:00:00Z");
        let seen = told(&hours, 0, Grain::Month, "2026-08-15T00:00:00Z");
        assert_eq!(seen, days(&[("2026-08", 2), ("2026-09", 720), ("2026-10", 1)]));
        // The hours of August are forgotten: the days of universal time stand for them, and nothing is counted twice.
        let seen = told(&hours, ms("2026-09-10T00:00:00Z"), Grain::Month, "2026-08-15T00:00:00Z");
        assert_eq!(seen, days(&[("2026-08", 4), ("2026-09", 718), ("2026-10", 1)]));
        let seen = told(&hours, ms("2026-09-29T00:00:00Z"), Grain::Day, "2026-09-28T00:00:00+02:00");
        assert_eq!(seen, days(&[("2026-09-28", 24), ("2026-09-29", 22), ("2026-09-30", 24), ("2026-10-01", 1)]));
    }
}
