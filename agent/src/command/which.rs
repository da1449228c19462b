//! `which`: what has an id.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, VersionOf, short};
use crate::cli::json::PathText;
use crate::cli::{Desk, Face};
use crate::engine::job::WhichRow;
use crate::fault::{Exit, Result};
use crate::name::for_terminal;

pub(super) const VERB: Verb = Verb {
    name: "which",
    about: "Show what has an id: a version, a source, a node, a chunk",
    examples: &["which 3f9c02ab", "which 3f9c02ab77 --json"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command.arg(Arg::new("id").value_name("ID").required(true).help("The first 6 or more of its 64 digits"))
}

#[derive(Serialize)]
struct Record<'r> {
    kind: &'static str,
    id: &'r str,
    name: &'r str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    path: Option<PathText>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    version: Option<VersionOf>,
}

#[derive(Serialize)]
struct Summary {
    found: u64,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let id = matches.get_one::<String>("id").map_or("", String::as_str);
    let found = desk.engine().which(&desk.run()?, id, &mut |row| match &desk.face {
        Face::Json(stream) => stream.record("id", &record(&row)),
        Face::Plain(plain) => plain.line(&line(&row)),
    })?;
    desk.face.summary("which", &Summary { found })?;
    Ok(Exit::Ok)
}

fn record(row: &WhichRow) -> Record<'_> {
    Record {
        kind: row.kind,
        id: &row.id,
        name: &row.name,
        path: row.path.as_deref().map(PathText::from),
        version: row.version.as_ref().map(VersionOf::from),
    }
}

fn line(row: &WhichRow) -> String {
    let path = row.path.as_deref().map(|path| format!("  {}", for_terminal(path))).unwrap_or_default();
    let version = match &row.version {
        Some(version) if row.kind != "version" => format!("  (version {})", short(&version.id)),
        _ => String::new(),
    };
    format!("{:<8} {}  {}{path}{version}", row.kind, row.id, row.name)
}
