//! `usage`: what the account takes in the vault, by class.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::report::space::{SCOPES, show};
use super::{Changes, Verb, switch};
use crate::cli::json::rfc3339;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{SplitRow, UsageJob, UsageRow};
use crate::fault::{Exit, Result};
use crate::name::for_terminal;
use crate::time;
use crate::units::{counted, size};

pub(super) const VERB: Verb = Verb {
    name: "usage",
    about: "Show what the account takes in the vault, and what for",
    examples: &["usage", "usage --classes", "usage --by volume", "usage --exact --json", "usage --account laptop-ana"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command
        .arg(switch(
            "exact",
            "How it is now, however long the server has to look; otherwise figures of the last housekeeping may do",
        ))
        .arg(switch(
            "classes",
            "Tell history apart: older states of what is still there, what is gone, or both; needs the key",
        ))
        .arg(Arg::new("by").long("by").value_name("WHAT").value_parser(SCOPES).conflicts_with("classes").help(
            "What all of the vault takes, by account, group, volume (each disk) or as a whole; for administrators",
        ))
}

#[derive(Serialize)]
struct UsageRecord<'a> {
    account: &'a str,
    measured_at: String,
    current_bytes: u64,
    history_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    both_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_bytes: Option<u64>,
    trash_bytes: u64,
    metadata_bytes: u64,
    unreferenced_bytes: u64,
    total_bytes: u64,
    now_bytes: u64,
    pack_bytes: u64,
    catalog_bytes: u64,
    packs: u64,
    versions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_at: Option<String>,
    holes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    if let Some(by) = matches.get_one::<String>("by") {
        return show(matches.get_flag("exact"), Some(by), desk);
    }
    let job = UsageJob { exact: matches.get_flag("exact"), classes: matches.get_flag("classes") };
    let row = desk.engine().usage(&desk.run()?, job)?;
    match &desk.face {
        Face::Json(stream) => stream.row("usage", &record(&row))?,
        Face::Plain(plain) => lines(&row, desk).iter().try_for_each(|line| plain.line(line))?,
    }
    Ok(Exit::Ok)
}

fn record(row: &UsageRow) -> UsageRecord<'_> {
    let told = &row.told;
    UsageRecord {
        account: &row.account,
        measured_at: rfc3339(told.at),
        current_bytes: told.current_bytes,
        history_bytes: told.history_bytes,
        old_bytes: row.split.map(|split| split.old_bytes),
        deleted_bytes: row.split.map(|split| split.deleted_bytes),
        both_bytes: row.split.map(|split| split.both_bytes),
        other_bytes: row.split.map(|split| split.other_bytes),
        trash_bytes: told.trash_bytes,
        metadata_bytes: told.metadata_bytes,
        unreferenced_bytes: told.unreferenced_bytes,
        total_bytes: row.total_bytes(),
        now_bytes: told.now_bytes,
        pack_bytes: told.pack_bytes,
        catalog_bytes: told.catalog_bytes,
        packs: told.packs,
        versions: told.versions,
        oldest_at: told.oldest_at.map(rfc3339),
        newest_at: told.newest_at.map(rfc3339),
        holes: told.holes,
        soft_bytes: told.soft_bytes,
        hard_bytes: told.hard_bytes,
        free_bytes: told.free_bytes,
    }
}

fn lines(row: &UsageRow, desk: &Desk<'_>) -> Vec<String> {
    let told = &row.told;
    let time = |at: i64| time::show(at, &desk.zone());
    let mut table = Table::new(&[("CLASS", Side::Left), ("SIZE", Side::Right), ("WHAT", Side::Left)]);
    for (class, bytes, what) in [
        ("current", told.current_bytes, "what the newest version needs"),
        ("history", told.history_bytes, "what only older versions need"),
        ("trash", told.trash_bytes, "on its way out: forgotten, kept by no rule, or waiting to be freed"),
        ("metadata", told.metadata_bytes, "directories, version records, catalog"),
        ("unreferenced", told.unreferenced_bytes, "needed by nothing: goes with housekeeping"),
        ("total", row.total_bytes(), ""),
    ] {
        table.row(vec![class.to_owned(), size(bytes), what.to_owned()]);
        let split = row.split.filter(|_| class == "history");
        parts(split).for_each(|(part, bytes, what)| table.row(vec![format!("  {part}"), size(bytes), what.to_owned()]));
    }
    let mut lines = table.lines();
    let mut versions =
        format!("{}: {}", for_terminal(row.account.as_bytes()), counted(told.versions, "version", "versions"));
    if let (Some(oldest), Some(newest)) = (told.oldest_at, told.newest_at) {
        versions.push_str(&format!(", from {} to {}", time(oldest), time(newest)));
    }
    lines.push(versions);
    if row.total_bytes() != told.now_bytes {
        lines.push(format!(
            "The classes are those of {}; now it is {} in all. `--exact` looks again.",
            time(told.at),
            size(told.now_bytes)
        ));
    }
    for (limit, most) in [("soft", told.soft_bytes), ("hard", told.hard_bytes)] {
        let Some(most) = most else { continue };
        let used = size(told.pack_bytes);
        lines.push(match most.checked_sub(told.pack_bytes) {
            Some(left) => format!("{limit} limit {}: {used} of it used, {} left", size(most), size(left)),
            None => format!("{limit} limit {}: {used} used, more than that", size(most)),
        });
    }
    lines.extend(told.free_bytes.map(|free| format!("{} free on the vault's disk", size(free))));
    if told.holes > 0 {
        lines.push(format!(
            "{} cannot be read, so what only they need counts as unreferenced. Next:  tuckbox check",
            counted(told.holes, "needed node or body", "needed nodes or bodies")
        ));
    }
    lines
}

/// History told apart; what is left over only when there is any.
fn parts(split: Option<SplitRow>) -> impl Iterator<Item = (&'static str, u64, &'static str)> {
    let parts = split.map(|split| {
        [
            ("old", split.old_bytes, "older states of what is still there"),
            ("deleted", split.deleted_bytes, "what is gone from the newest version"),
            ("both", split.both_bytes, "needed by older states and by what is gone"),
            ("other", split.other_bytes, "not told apart: it came or went meanwhile, or cannot be read"),
        ]
    });
    parts.into_iter().flatten().filter(|(part, bytes, _)| *part != "other" || *bytes > 0)
}
