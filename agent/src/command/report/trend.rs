//! `report trend`: how accounts grow, and how long their limits will do if that goes on.

use clap::ArgMatches;
use serde::Serialize;

use super::Report;
use super::period::{DAY_MS, args, tell};
use crate::cli::Desk;
use crate::cli::table::Side;
use crate::engine::job::{AccountReport, DayStored, ReportKind, ReportRow};
use crate::fault::{Exit, Result};
use crate::name::for_terminal;
use crate::units::{count, size};

pub(super) const REPORT: Report =
    Report { name: "trend", about: "How accounts grow, and how long their limits will do", build: args, run };

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    account: String,
    number: String,
    /// Days from the first figure to the last.
    days: u64,
    first_bytes: u64,
    last_bytes: u64,
    grew: bool,
    change_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_bytes_per_day: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_left: Option<u64>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let columns = [
        ("ACCOUNT", Side::Left),
        ("DAYS", Side::Right),
        ("FROM", Side::Right),
        ("TO", Side::Right),
        ("A DAY", Side::Right),
        ("DAYS LEFT", Side::Right),
    ];
    tell(
        (matches, desk),
        (ReportKind::Trend, "report_trend"),
        &columns,
        |row, _| {
            let ReportRow::Account(told) = row else { return None };
            trend(told)
        },
        |row, _| {
            let sign = if row.grew { "+" } else { "-" };
            vec![
                for_terminal(row.account.as_bytes()),
                count(row.days),
                size(row.first_bytes),
                size(row.last_bytes),
                row.change_bytes_per_day.map(|bytes| format!("{sign}{}", size(bytes))).unwrap_or_default(),
                row.days_left.map(count).unwrap_or_default(),
            ]
        },
    )
}

/// From the first day with a figure to the last one; `None` when there is none.
fn trend(told: &AccountReport) -> Option<Row> {
    let (first, last): (&DayStored, &DayStored) = (told.days.first()?, told.days.last()?);
    let days = u64::try_from(last.day.saturating_sub(first.day) / DAY_MS).unwrap_or(0);
    let grew = last.bytes >= first.bytes;
    let change_bytes = last.bytes.abs_diff(first.bytes);
    let per_day = change_bytes.checked_div(days);
    let room = told.facts.terms.hard_bytes.map(|hard| hard.saturating_sub(last.bytes));
    let days_left = room.zip(per_day).filter(|_| grew).and_then(|(room, per_day)| room.checked_div(per_day));
    Some(Row {
        account: told.facts.name.clone(),
        number: format!("{:#x}", told.facts.number),
        days,
        first_bytes: first.bytes,
        last_bytes: last.bytes,
        grew,
        change_bytes,
        change_bytes_per_day: per_day,
        days_left,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::judge::tests::facts;

    fn told(days: &[(i64, u64)], hard: Option<u64>) -> Option<Row> {
        let mut facts = facts();
        facts.terms.hard_bytes = hard;
        trend(&AccountReport {
            facts,
            runs: 0,
            failed: 0,
            partial: 0,
            in_bytes: 0,
            out_bytes: 0,
            catalog_bytes: None,
            versions: None,
            days: days.iter().map(|(day, bytes)| DayStored { day: day * DAY_MS, bytes: *bytes }).collect(),
        })
    }

    #[test]
    fn a_trend_needs_two_days_and_a_limit_to_tell_when_it_is_full() {
        assert_eq!(told(&[], None), None);
        let figures = |row: Row| (row.days, row.grew, row.change_bytes_per_day, row.days_left);
        assert_eq!(figures(told(&[(5, 100)], Some(200)).unwrap()), (0, true, None, None));
        assert_eq!(figures(told(&[(5, 100), (9, 140)], None).unwrap()), (4, true, Some(10), None));
        assert_eq!(figures(told(&[(5, 100), (6, 90), (9, 140)], Some(200)).unwrap()), (4, true, Some(10), Some(6)));
        assert_eq!(figures(told(&[(5, 100), (9, 60)], Some(200)).unwrap()), (4, false, Some(10), None));
        assert_eq!(figures(told(&[(5, 100), (9, 100)], Some(200)).unwrap()), (4, true, Some(0), None));
        assert_eq!(figures(told(&[(5, 100), (9, 300)], Some(200)).unwrap()), (4, true, Some(50), Some(0)));
    }
}
