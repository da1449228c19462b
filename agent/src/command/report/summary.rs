//! `report summary`: how every account is, and what its runs of a time came to.

use clap::ArgMatches;
use serde::Serialize;

use super::Report;
use super::period::{args, tell};
use crate::cli::Desk;
use crate::cli::json::moment_if_known;
use crate::cli::table::Side;
use crate::engine::job::{ReportKind, ReportRow, Standing};
use crate::fault::{Exit, Result};
use crate::health::judge;
use crate::name::for_terminal;
use crate::time::show;
use crate::units::{count, size};

pub(super) const REPORT: Report =
    Report { name: "summary", about: "How every account is, and what its runs came to", build: args, run };

#[derive(Serialize)]
struct Row {
    account: String,
    number: String,
    status: Standing,
    runs: u64,
    failed: u64,
    partial: u64,
    in_bytes: u64,
    out_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_bytes: Option<u64>,
    #[serde(serialize_with = "moment_if_known", skip_serializing_if = "Option::is_none")]
    newest_at: Option<i64>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let columns = [
        ("ACCOUNT", Side::Left),
        ("STATUS", Side::Left),
        ("RUNS", Side::Right),
        ("FAILED", Side::Right),
        ("PARTIAL", Side::Right),
        ("IN", Side::Right),
        ("OUT", Side::Right),
        ("STORED", Side::Right),
        ("NEWEST VERSION", Side::Left),
    ];
    tell(
        (matches, desk),
        (ReportKind::Summary, "report_summary"),
        &columns,
        |row, sheet| {
            let ReportRow::Account(told) = row else { return None };
            Some(Row {
                account: told.facts.name.clone(),
                number: format!("{:#x}", told.facts.number),
                status: judge(told.facts.clone(), sheet.now_ms).standing,
                runs: told.runs,
                failed: told.failed,
                partial: told.partial,
                in_bytes: told.in_bytes,
                out_bytes: told.out_bytes,
                stored_bytes: told.facts.stored_bytes,
                newest_at: told.facts.newest_at,
            })
        },
        |row, desk| {
            vec![
                for_terminal(row.account.as_bytes()),
                row.status.word().to_owned(),
                count(row.runs),
                count(row.failed),
                count(row.partial),
                size(row.in_bytes),
                size(row.out_bytes),
                row.stored_bytes.map(size).unwrap_or_default(),
                row.newest_at.map_or_else(|| "never".to_owned(), |at| show(at, &desk.zone())),
            ]
        },
    )
}
