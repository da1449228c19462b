//! `report activity`: runs, sessions and bytes by day.

use clap::ArgMatches;
use serde::Serialize;

use super::Report;
use super::period::{args, tell};
use crate::cli::Desk;
use crate::cli::json::{moment, rfc3339};
use crate::cli::table::Side;
use crate::engine::job::{ReportKind, ReportRow};
use crate::fault::{Exit, Result};
use crate::units::{count, size};

pub(super) const REPORT: Report =
    Report { name: "activity", about: "Runs, sessions and bytes by day of universal time", build: args, run };

#[derive(Serialize)]
struct Row {
    #[serde(serialize_with = "moment")]
    day_at: i64,
    runs: u64,
    failed: u64,
    new_bytes: u64,
    sessions: u64,
    in_bytes: u64,
    out_bytes: u64,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let columns = [
        ("DAY", Side::Left),
        ("RUNS", Side::Right),
        ("FAILED", Side::Right),
        ("NEW DATA", Side::Right),
        ("SESSIONS", Side::Right),
        ("IN", Side::Right),
        ("OUT", Side::Right),
    ];
    tell(
        (matches, desk),
        (ReportKind::Activity, "report_activity"),
        &columns,
        |row, _| {
            let ReportRow::Day(told) = row else { return None };
            Some(Row {
                day_at: told.day,
                runs: told.runs,
                failed: told.failed,
                new_bytes: told.new_bytes,
                sessions: told.sessions,
                in_bytes: told.in_bytes,
                out_bytes: told.out_bytes,
            })
        },
        |row, _| {
            let day = rfc3339(row.day_at);
            vec![
                day.split_once('T').map_or(day.as_str(), |(day, _)| day).to_owned(),
                count(row.runs),
                count(row.failed),
                size(row.new_bytes),
                count(row.sessions),
                size(row.in_bytes),
                size(row.out_bytes),
            ]
        },
    )
}
