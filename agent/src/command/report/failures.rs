//! `report failures`: runs that failed or left something out.

use clap::ArgMatches;
use serde::Serialize;

use super::Report;
use super::period::{args, tell};
use crate::cli::Desk;
use crate::cli::json::moment;
use crate::cli::table::Side;
use crate::engine::job::{ReportKind, ReportRow};
use crate::fault::{Exit, Result};
use crate::name::{for_terminal, harmless_line};
use crate::time::show;
use crate::units::{count, duration};

pub(super) const REPORT: Report =
    Report { name: "failures", about: "Runs that failed or left something out", build: args, run };

#[derive(Serialize)]
struct Row {
    account: String,
    number: String,
    #[serde(serialize_with = "moment")]
    told_at: i64,
    verb: String,
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    errors: u64,
    took_ms: u64,
    host: String,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let columns = [
        ("WHEN", Side::Left),
        ("ACCOUNT", Side::Left),
        ("RUN", Side::Left),
        ("EXIT", Side::Right),
        ("CODE", Side::Left),
        ("LEFT OUT", Side::Right),
        ("TOOK", Side::Right),
        ("HOST", Side::Left),
    ];
    tell(
        (matches, desk),
        (ReportKind::Failures, "report_failures"),
        &columns,
        |row, _| {
            let ReportRow::Run(told) = row else { return None };
            Some(Row {
                account: told.account.clone(),
                number: format!("{:#x}", told.number),
                told_at: told.run.told_at,
                verb: told.run.run.verb.clone(),
                exit: told.run.run.exit,
                code: told.run.run.code.clone(),
                errors: told.run.run.figures.errors,
                took_ms: told.run.run.took_ms,
                host: told.run.run.host.clone(),
            })
        },
        |row, desk| {
            vec![
                show(row.told_at, &desk.zone()),
                for_terminal(row.account.as_bytes()),
                harmless_line(&row.verb),
                row.exit.to_string(),
                row.code.as_deref().map(harmless_line).unwrap_or_default(),
                count(row.errors),
                duration(row.took_ms),
                harmless_line(&row.host),
            ]
        },
    )
}
