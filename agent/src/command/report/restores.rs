//! `report restores`: who read content, when and how much. What was read, nobody but a key's holder can tell.

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
use crate::units::{count, size};

pub(super) const REPORT: Report =
    Report { name: "restores", about: "Sessions that read content: whose, when, how much", build: args, run };

#[derive(Serialize)]
struct Row {
    account: String,
    number: String,
    #[serde(serialize_with = "moment")]
    at: i64,
    boxes: u64,
    bytes: u64,
    role: String,
    client: String,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let columns = [
        ("WHEN", Side::Left),
        ("ACCOUNT", Side::Left),
        ("BOXES", Side::Right),
        ("READ", Side::Right),
        ("ROLE", Side::Left),
        ("CLIENT", Side::Left),
    ];
    tell(
        (matches, desk),
        (ReportKind::Restores, "report_restores"),
        &columns,
        |row, _| {
            let ReportRow::Reading(told) = row else { return None };
            Some(Row {
                account: told.account.clone(),
                number: format!("{:#x}", told.number),
                at: told.at,
                boxes: told.boxes,
                bytes: told.bytes,
                role: harmless_line(&told.role),
                client: harmless_line(&told.client),
            })
        },
        |row, desk| {
            vec![
                show(row.at, &desk.zone()),
                for_terminal(row.account.as_bytes()),
                count(row.boxes),
                size(row.bytes),
                row.role.clone(),
                row.client.clone(),
            ]
        },
    )
}
