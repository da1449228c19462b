//! `report storage`: what every account takes on the disk, beside its limits.

use clap::ArgMatches;
use serde::Serialize;

use super::Report;
use super::period::{args, tell};
use crate::cli::Desk;
use crate::cli::table::Side;
use crate::engine::job::{ReportKind, ReportRow};
use crate::fault::{Exit, Result};
use crate::name::for_terminal;
use crate::units::{count, size};

pub(super) const REPORT: Report =
    Report { name: "storage", about: "What every account takes on the disk, beside its limits", build: args, run };

#[derive(Serialize)]
struct Row {
    account: String,
    number: String,
    stored_bytes: u64,
    catalog_bytes: u64,
    versions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_permille: Option<u64>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let columns = [
        ("ACCOUNT", Side::Left),
        ("STORED", Side::Right),
        ("CATALOG", Side::Right),
        ("VERSIONS", Side::Right),
        ("SOFT LIMIT", Side::Right),
        ("HARD LIMIT", Side::Right),
        ("USED", Side::Right),
    ];
    tell(
        (matches, desk),
        (ReportKind::Storage, "report_storage"),
        &columns,
        |row, _| {
            let ReportRow::Account(told) = row else { return None };
            let stored_bytes = told.facts.stored_bytes.unwrap_or(0);
            let (soft_bytes, hard_bytes) = (told.facts.terms.soft_bytes, told.facts.terms.hard_bytes);
            Some(Row {
                account: told.facts.name.clone(),
                number: format!("{:#x}", told.facts.number),
                stored_bytes,
                catalog_bytes: told.catalog_bytes.unwrap_or(0),
                versions: told.versions.unwrap_or(0),
                soft_bytes,
                hard_bytes,
                used_permille: hard_bytes.and_then(|hard| used_permille(stored_bytes, hard)),
            })
        },
        |row, _| {
            vec![
                for_terminal(row.account.as_bytes()),
                size(row.stored_bytes),
                size(row.catalog_bytes),
                count(row.versions),
                row.soft_bytes.map(size).unwrap_or_default(),
                row.hard_bytes.map(size).unwrap_or_default(),
                row.used_permille.map(|used| format!("{} %", used / 10)).unwrap_or_default(),
            ]
        },
    )
}

/// Of a thousand; nothing of a limit of 0.
fn used_permille(stored: u64, hard: u64) -> Option<u64> {
    let used = (u128::from(stored) * 1000).checked_div(u128::from(hard))?;
    Some(u64::try_from(used).unwrap_or(u64::MAX))
}
