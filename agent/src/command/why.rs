//! `why`: the rule that includes a path, or leaves it out.

use clap::{ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, file, paths};
use crate::cli::json::PathText;
use crate::cli::{Desk, Face};
use crate::engine::job::{WhyJob, WhyRow};
use crate::fault::{Exit, Result};
use crate::name::{for_terminal, harmless_line};

pub(super) const VERB: Verb = Verb {
    name: "why",
    about: "Name the rule by which a backup takes a path or leaves it out",
    examples: &["why ~/docs/cache/x.tmp", "why ~/docs/x.o --source ~/docs --exclude '*.o'"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    let command = command.arg(paths("path", "What to ask about").required(true).num_args(1..)).arg(
        file("source", "DIR", "As if this were backed up [default: every [[source]] of the configuration]")
            .action(ArgAction::Append),
    );
    super::backup::rules(command)
}

#[derive(Serialize)]
struct Record {
    #[serde(flatten)]
    path: PathText,
    included: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    decided_at_path: String,
    there: bool,
}

#[derive(Serialize)]
struct Summary {
    included: u64,
    left_out: u64,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let sources = super::backup::ruled(matches, desk, desk.paths(matches, "source"))?;
    let rows = desk.engine().why(&desk.run()?, WhyJob { paths: desk.paths(matches, "path"), sources })?;
    for row in &rows {
        match &desk.face {
            Face::Json(stream) => stream.row("why", &record(row))?,
            Face::Plain(plain) => plain.line(&line(row))?,
        }
    }
    let included = rows.iter().filter(|row| row.included).count() as u64;
    desk.face.summary("why", &Summary { included, left_out: rows.len() as u64 - included })?;
    Ok(Exit::Ok)
}

fn record(row: &WhyRow) -> Record {
    Record {
        path: PathText::from(row.path.as_slice()),
        included: row.included,
        source: row.source.as_deref().map(for_terminal),
        rule: row.rule.as_deref().map(harmless_line),
        decided_at_path: for_terminal(&row.decided_at),
        there: row.there,
    }
}

fn line(row: &WhyRow) -> String {
    let path = for_terminal(&row.path);
    let Some(source) = row.source.as_deref().map(for_terminal) else {
        return format!(
            "{path}: in no [[source]] of the configuration: only a backup that names it, or a directory above, takes it \
             (`tuckbox ls` shows whether one did)"
        );
    };
    let there = if row.there { "" } else { " (nothing is there now)" };
    let above =
        if row.decided_at == row.path { String::new() } else { format!(" at {}", for_terminal(&row.decided_at)) };
    match (row.included, row.rule.as_deref().map(harmless_line)) {
        (true, None) => format!("{path}: backed up with {source}: no rule leaves it out{there}"),
        (true, Some(rule)) => format!("{path}: backed up with {source}: {rule} takes it back{above}{there}"),
        (false, rule) => format!("{path}: left out of {source}: {}{above}{there}", rule.unwrap_or_default()),
    }
}
