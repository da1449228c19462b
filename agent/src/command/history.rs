//! `history`: the states of a path, and when each came and went.

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::diff::change_name;
use super::ls::{EntryRecord, record};
use super::{Changes, Verb, at, short};
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{HistoryJob, HistorySummary, StateRow};
use crate::fault::{Exit, Result};
use crate::time::{show, show_file};
use crate::units::{counted, size};

pub(super) const VERB: Verb = Verb {
    name: "history",
    about: "Show each state of a path, and when it came and went",
    examples: &["history ~/docs/letter.txt", "history ~/docs/letter.txt --at '1 month ago' --json"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command
        .arg(super::paths("path", "A file, or a directory with all that is in it").num_args(1).required(true))
        .arg(at().help("Up to this version [default: the newest]"))
}

#[derive(Serialize)]
struct StateRecord {
    change: &'static str,
    #[serde(flatten)]
    entry: EntryRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    version_id: String,
    sequence: u64,
    came_at: String,
    last_version_id: String,
    last_sequence: u64,
    last_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    went_version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    went_sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    went_at: Option<String>,
    versions: u64,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let (at, understood) = desk.at(matches)?;
    let path = desk.paths(matches, "path").pop().unwrap_or_default();
    if let Some(understood) = understood {
        desk.face.note(&format!("up to {understood}"))?;
    }
    let mut rows: Vec<StateRow> = Vec::new();
    let summary = desk.engine().history(&desk.run()?, HistoryJob { at, path }, &mut |row| match &desk.face {
        Face::Json(stream) => stream.row("state", &state(&row)),
        Face::Plain(_) => {
            rows.push(row);
            Ok(())
        }
    })?;
    if let Face::Plain(plain) = &desk.face {
        table(&rows, desk).lines().iter().try_for_each(|line| plain.line(line))?;
        plain.note(&told(&summary))?;
    }
    desk.face.summary("history", &summary)?;
    Ok(Exit::Ok)
}

fn state(row: &StateRow) -> StateRecord {
    let at = |mark: &crate::engine::job::VersionMark| crate::cli::json::rfc3339(mark.received_at_ms);
    StateRecord {
        change: change_name(row.change),
        entry: record(&row.entry),
        content: row.content.clone(),
        version_id: row.came.id.clone(),
        sequence: row.came.sequence,
        came_at: at(&row.came),
        last_version_id: row.last.id.clone(),
        last_sequence: row.last.sequence,
        last_at: at(&row.last),
        went_version_id: row.went.as_ref().map(|went| went.id.clone()),
        went_sequence: row.went.as_ref().map(|went| went.sequence),
        went_at: row.went.as_ref().map(at),
        versions: row.versions,
    }
}

fn table(rows: &[StateRow], desk: &Desk<'_>) -> Table {
    let mut table = Table::new(&[
        ("VERSION", Side::Left),
        ("CAME", Side::Left),
        ("WENT", Side::Left),
        ("CHANGE", Side::Left),
        ("SIZE", Side::Right),
        ("MODIFIED", Side::Left),
        ("CONTENT", Side::Left),
    ]);
    let zone = desk.zone();
    for row in rows {
        table.row(vec![
            short(&row.came.id).to_owned(),
            show(row.came.received_at_ms, &zone),
            row.went.as_ref().map_or_else(|| "-".to_owned(), |went| show(went.received_at_ms, &zone)),
            change_name(row.change).to_owned(),
            size(row.entry.size),
            show_file(row.entry.mtime.secs, &zone),
            row.content.as_deref().map_or("-", short).to_owned(),
        ]);
    }
    table
}

fn told(summary: &HistorySummary) -> String {
    let (states, versions) =
        (counted(summary.states, "state", "states"), counted(summary.versions, "version", "versions"));
    let deleted = if summary.deleted { "; deleted: `tuckbox undelete PATH` brings the last one back" } else { "" };
    format!("{states} in {versions}{deleted}")
}
