//! `versions`: lists them, oldest first.

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, many, short, switch, texts};
use crate::cli::json::{PathText, rfc3339};
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{SourceRow, VersionRow, VersionsJob};
use crate::fault::{Exit, Result};
use crate::name::{for_terminal, harmless_line};
use crate::time::show;
use crate::units::{count, size};

pub(super) const VERB: Verb = Verb {
    name: "versions",
    about: "List versions, oldest first",
    examples: &["versions", "versions --tag daily --json"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command.arg(switch("partial", "Checkpoints of runs that did not end, too")).arg(many(
        "tag",
        "TAG",
        "Only versions with this tag (with all of them when given several times)",
    ))
}

#[derive(Serialize)]
struct VersionRecord {
    id: String,
    sequence: u64,
    kind: &'static str,
    taken_at: String,
    received_at: String,
    tags: Vec<String>,
    files: u64,
    dirs: u64,
    bytes: u64,
    /// Only when it has some.
    #[serde(skip_serializing_if = "is_false")]
    holes: bool,
    pinned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned_until: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pin_reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trash_until: Option<String>,
    why: Vec<String>,
    sources: Vec<SourceRecord>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[derive(Serialize)]
struct SourceRecord {
    host: String,
    #[serde(flatten)]
    path: PathText,
    files: u64,
    bytes: u64,
    introduced: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_since: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    versions: usize,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let job = VersionsJob { partial: matches.get_flag("partial"), tags: texts(matches, "tag") };
    let tagged = !job.tags.is_empty();
    let rows = desk.engine().versions(&desk.run()?, job)?;
    match &desk.face {
        Face::Json(stream) => {
            rows.iter().try_for_each(|row| stream.row("version", &record(row)))?;
            stream.summary("versions", &Summary { versions: rows.len() })?;
        }
        Face::Plain(plain) if rows.is_empty() && tagged => {
            plain.note("No version has this tag. Next:  tuckbox versions")?;
        }
        Face::Plain(plain) if rows.is_empty() => plain.note("There are no versions yet. Next:  tuckbox backup DIR")?,
        Face::Plain(plain) => table(&rows, desk).lines().iter().try_for_each(|line| plain.line(line))?,
    }
    Ok(Exit::Ok)
}

fn record(row: &VersionRow) -> VersionRecord {
    VersionRecord {
        id: row.id.clone(),
        sequence: row.sequence,
        kind: if row.partial { "partial" } else { "version" },
        taken_at: rfc3339(row.taken_at_ms),
        received_at: rfc3339(row.received_at_ms),
        tags: row.tags.clone(),
        files: row.files,
        dirs: row.dirs,
        bytes: row.bytes,
        holes: row.holes,
        pinned: row.pinned_until_ms.is_some(),
        pinned_until: row.pinned_until_ms.filter(|until| *until != 0).map(rfc3339),
        pin_reason: row.pin_reason.clone(),
        trash_until: row.trash_until_ms.map(rfc3339),
        why: row.why.clone(),
        sources: row.sources.iter().map(source_record).collect(),
    }
}

fn source_record(source: &SourceRow) -> SourceRecord {
    SourceRecord {
        host: source.host.clone(),
        path: PathText::from(source.path.as_slice()),
        files: source.files,
        bytes: source.bytes,
        introduced: source.introduced,
        missing_since: source.missing_since_ms.map(rfc3339),
    }
}

fn table(rows: &[VersionRow], desk: &Desk<'_>) -> Table {
    let mut columns = vec![
        ("NO", Side::Right),
        ("VERSION", Side::Left),
        ("RECEIVED", Side::Left),
        ("FILES", Side::Right),
        ("SIZE", Side::Right),
        ("TAGS", Side::Left),
    ];
    // Most lists need none of it.
    let states = rows.iter().any(|row| !state(row).is_empty());
    columns.extend(states.then_some(("STATE", Side::Left)));
    columns.push(("SOURCES", Side::Left));
    let mut table = Table::new(&columns);
    // The host is worth its room only where there are several.
    let mut hosts: Vec<&str> = rows.iter().flat_map(|row| &row.sources).map(|source| source.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let several = hosts.len() > 1;
    for row in rows {
        let sources: Vec<String> = row.sources.iter().map(|source| source_text(source, several)).collect();
        let mut cells = vec![
            row.sequence.to_string(),
            short(&row.id).to_owned(),
            show(row.received_at_ms, &desk.zone()),
            count(row.files),
            size(row.bytes),
            harmless_line(&row.tags.join(",")),
        ];
        cells.extend(states.then(|| state(row)));
        cells.push(sources.join(", "));
        table.row(cells);
    }
    table
}

/// How a version stands, when there is anything to be said of that.
fn state(row: &VersionRow) -> String {
    let words = [
        (row.partial, "partial"),
        (row.pinned_until_ms.is_some(), "pinned"),
        (row.trash_until_ms.is_some(), "in the trash"),
        (row.holes, "with holes"),
    ];
    let said: Vec<&str> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    said.join(", ")
}

fn source_text(source: &SourceRow, with_host: bool) -> String {
    let host = if with_host { format!("{}:", harmless_line(&source.host)) } else { String::new() };
    let missing = if source.missing_since_ms.is_some() { " (missing)" } else { "" };
    format!("{host}{}{missing}", for_terminal(&source.path))
}
