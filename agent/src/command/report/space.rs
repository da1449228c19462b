//! `report space`: what accounts, groups and the vault take, how that grows, and how long it will do.

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::Report;
use crate::cli::json::rfc3339;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::command::switch;
use crate::engine::job::{SpaceRow, SpaceScope, UsageJob};
use crate::fault::{Exit, Fault, Result};
use crate::name::for_terminal;
use crate::units::{count, counted, size};

pub(super) const REPORT: Report = Report {
    name: "space",
    about: "What accounts, groups, volumes and the vault take, and how that grows",
    build,
    run,
};

fn build(command: Command) -> Command {
    command.arg(switch(
        "exact",
        "How it is now, however long the server has to look; otherwise figures of the last housekeeping may do",
    ))
}

#[derive(Serialize)]
struct SpaceRecord<'a> {
    scope: &'static str,
    name: &'a str,
    accounts: u64,
    unknown: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured_at: Option<String>,
    current_bytes: u64,
    history_bytes: u64,
    trash_bytes: u64,
    metadata_bytes: u64,
    unreferenced_bytes: u64,
    total_bytes: u64,
    now_bytes: u64,
    pack_bytes: u64,
    catalog_bytes: u64,
    versions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth_7d: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth_30d: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    there: Option<bool>,
    packs: u64,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    show(matches.get_flag("exact"), None, desk)
}

/// The words of `--by`.
pub(in crate::command) const SCOPES: [&str; 4] = ["account", "group", "volume", "vault"];

/// Tells of all rows, or of those of one scope.
pub(in crate::command) fn show(exact: bool, by: Option<&str>, desk: &Desk<'_>) -> Result<Exit> {
    let mut rows = desk.engine().space(&desk.run()?, UsageJob { exact, classes: false })?;
    rows.retain(|row| by.is_none_or(|by| by == scope(row)));
    match &desk.face {
        Face::Json(stream) => rows.iter().try_for_each(|row| stream.row("space", &record(row)))?,
        Face::Plain(plain) => {
            table(&rows).lines().iter().try_for_each(|line| plain.line(line))?;
            rows.iter().filter_map(outlook).try_for_each(|line| plain.line(&line))?;
        }
    }
    // What cannot be told is missing in every sum.
    match rows.iter().find_map(|row| Some((row, row.why.clone()?))) {
        Some((row, fault)) => {
            let message = format!("what {} takes is in no sum: {}", for_terminal(row.name.as_bytes()), fault.message);
            Err(Fault { message, ..fault })
        }
        None => Ok(Exit::Ok),
    }
}

fn scope(row: &SpaceRow) -> &'static str {
    match row.scope {
        SpaceScope::Account => "account",
        SpaceScope::Group => "group",
        SpaceScope::Volume => "volume",
        SpaceScope::Vault => "vault",
    }
}

fn record(row: &SpaceRow) -> SpaceRecord<'_> {
    let told = &row.told;
    SpaceRecord {
        scope: scope(row),
        name: &row.name,
        accounts: row.accounts,
        unknown: row.unknown,
        measured_at: Some(told.at).filter(|at| *at != 0).map(rfc3339),
        current_bytes: told.current_bytes,
        history_bytes: told.history_bytes,
        trash_bytes: told.trash_bytes,
        metadata_bytes: told.metadata_bytes,
        unreferenced_bytes: told.unreferenced_bytes,
        total_bytes: row.total_bytes(),
        now_bytes: told.now_bytes,
        pack_bytes: told.pack_bytes,
        catalog_bytes: told.catalog_bytes,
        versions: told.versions,
        soft_bytes: told.soft_bytes,
        hard_bytes: told.hard_bytes,
        free_bytes: told.free_bytes,
        growth_7d: row.growth_7d,
        growth_30d: row.growth_30d,
        days_left: row.days_left,
        directory: row.place.as_ref().map(|(path, _)| path.as_str()),
        there: row.place.as_ref().map(|(_, there)| *there),
        packs: told.packs,
    }
}

fn table(rows: &[SpaceRow]) -> Table {
    let mut table = Table::new(&[
        ("", Side::Left),
        ("NAME", Side::Left),
        ("CURRENT", Side::Right),
        ("HISTORY", Side::Right),
        ("TRASH", Side::Right),
        ("METADATA", Side::Right),
        ("UNREFERENCED", Side::Right),
        ("TOTAL", Side::Right),
        ("HARD LIMIT", Side::Right),
        ("A DAY (7)", Side::Right),
        ("A DAY (30)", Side::Right),
    ]);
    for row in rows {
        let told = &row.told;
        let name = match row.scope {
            SpaceScope::Vault => counted(row.accounts, "account", "accounts"),
            SpaceScope::Volume => {
                let path = row.place.as_ref().map(|(path, _)| for_terminal(path.as_bytes())).unwrap_or_default();
                format!("{} {path}", row.name)
            }
            _ => for_terminal(row.name.as_bytes()),
        };
        let mut cells = vec![scope(row).to_owned(), name];
        if row.scope == SpaceScope::Account && row.unknown > 0 {
            cells.push("not known".to_owned());
        } else if row.scope == SpaceScope::Volume {
            let there = row.place.as_ref().is_none_or(|(_, there)| *there);
            cells.extend(std::iter::repeat_n(String::new(), 5));
            cells.push(if there { size(row.total_bytes()) } else { "not there".to_owned() });
        } else {
            cells.extend(
                [
                    told.current_bytes,
                    told.history_bytes,
                    told.trash_bytes,
                    told.metadata_bytes,
                    told.unreferenced_bytes,
                    row.total_bytes(),
                ]
                .map(size),
            );
            cells.push(told.hard_bytes.map(size).unwrap_or_default());
            cells.extend([row.growth_7d, row.growth_30d].map(change));
        }
        table.row(cells);
    }
    table
}

/// How much more or less a day.
fn change(bytes: Option<i64>) -> String {
    match bytes {
        None => String::new(),
        Some(bytes) if bytes < 0 => format!("-{}", size(bytes.unsigned_abs())),
        Some(bytes) => format!("+{}", size(bytes.unsigned_abs())),
    }
}

/// What will become of it.
fn outlook(row: &SpaceRow) -> Option<String> {
    let days = |left: u64| match left {
        0 => "in less than a day".to_owned(),
        1 => "in a day".to_owned(),
        left => format!("in {} days", count(left)),
    };
    let name = for_terminal(row.name.as_bytes());
    match (row.scope, row.told.free_bytes, row.days_left) {
        (SpaceScope::Vault, Some(free), None) => Some(format!("{} free on the vault's disks", size(free))),
        (SpaceScope::Vault, Some(free), Some(left)) => {
            Some(format!("{} free on the vault's disks: full {} if it grows on like this", size(free), days(left)))
        }
        (SpaceScope::Volume, Some(free), _) => Some(format!("volume {name}: {} free on its disk", size(free))),
        (SpaceScope::Account, _, Some(left)) => Some(format!("account {name}: at its hard limit {}", days(left))),
        (SpaceScope::Group, _, Some(left)) => Some(format!("group {name}: at its hard limit {}", days(left))),
        _ => None,
    }
}
