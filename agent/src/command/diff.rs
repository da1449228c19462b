//! `diff`: what differs between two versions.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;
use store::tree::Kind;

use super::{Changes, Verb, switch};
use crate::cli::json::PathText;
use crate::cli::{Desk, Face};
use crate::engine::job::{Change, DiffJob, DiffRow, DiffSummary};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::units::{count, size};

pub(super) const VERB: Verb = Verb {
    name: "diff",
    about: "Show what differs between two versions",
    examples: &["diff previous latest", "diff '2 days ago' latest ~/docs"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command
        .arg(version("from", "A").help("Earlier version, as for --at of other verbs"))
        .arg(version("to", "B").help("Later version"))
        .arg(super::paths("path", "Only below this path").num_args(0..=1))
        .arg(switch("metadata", "Show files of which only metadata differs, too"))
        .arg(switch("exit-code", "Exit with 4 when anything differs"))
}

fn version(id: &'static str, name: &'static str) -> Arg {
    // As in `diff -3h latest`.
    Arg::new(id).value_name(name).required(true).allow_hyphen_values(true)
}

#[derive(Serialize)]
struct DiffRecord {
    change: &'static str,
    #[serde(flatten)]
    path: PathText,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_bytes: Option<u64>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let version = |name: &str| {
        let text = matches.get_one::<String>(name).map_or("", String::as_str);
        // No time and no version begins so: it is an option that nobody knows.
        if text.starts_with("--") { Err(no_option(text)) } else { desk.version(text) }
    };
    let (from, to) = (version("from")?, version("to")?);
    let understood = [format!("from {}", from.sentence), format!("to {}", to.sentence)];
    let job = DiffJob {
        from: from.at,
        to: to.at,
        path: desk.paths(matches, "path").pop(),
        metadata: matches.get_flag("metadata"),
    };
    let exit_code = matches.get_flag("exit-code");
    let summary = desk.engine().diff(&desk.run_at(understood)?, job, &mut |row| match &desk.face {
        Face::Json(stream) => stream.row("diff", &record(&row)),
        Face::Plain(plain) => plain.line(&line(&row)),
    })?;
    desk.face.say(&told(&summary))?;
    desk.face.summary("diff", &summary)?;
    Ok(if exit_code && summary != DiffSummary::default() { Exit::Differs } else { Exit::Ok })
}

fn no_option(text: &str) -> Fault {
    let fault = Fault::new(Code::Usage, format!("there is no option {}", harmless_line(text)));
    let command = VERB.command();
    let known: Vec<String> =
        command.get_arguments().filter_map(Arg::get_long).map(|long| format!("--{long}")).collect();
    match crate::cli::nearest(text, known.iter().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean {near}? See `tuckbox help diff`")),
        None => fault,
    }
}

fn record(row: &DiffRow) -> DiffRecord {
    DiffRecord {
        change: change_name(row.change),
        path: PathText::from(row.path.as_slice()),
        kind: super::ls::kind_name(row.kind),
        before_bytes: row.size_before,
        after_bytes: row.size_after,
    }
}

/// The word for a change in records.
pub(super) fn change_name(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Content => "content",
        Change::Metadata => "metadata",
        Change::Kind => "kind",
    }
}

/// As restic has it: `+` new, `-` gone, `M` content, `U` metadata, `T` kind.
pub(super) fn letter(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Content => 'M',
        Change::Metadata => 'U',
        Change::Kind => 'T',
    }
}

fn line(row: &DiffRow) -> String {
    let letter = letter(row.change);
    let slash = if row.kind == Kind::Dir { "/" } else { "" };
    let sizes = match (row.size_before, row.size_after) {
        (Some(before), Some(after)) if row.change == Change::Content => {
            format!("  ({} -> {})", size(before), size(after))
        }
        (None, Some(bytes)) | (Some(bytes), None) if row.kind == Kind::File => format!("  ({})", size(bytes)),
        _ => String::new(),
    };
    format!("{letter}  {}{slash}{sizes}", for_terminal(&row.path))
}

fn told(s: &DiffSummary) -> String {
    if *s == DiffSummary::default() {
        return "The two versions are the same.".to_owned();
    }
    format!(
        "{} added ({}), {} removed ({}), {} changed, {} with other metadata",
        count(s.added),
        size(s.added_bytes),
        count(s.removed),
        size(s.removed_bytes),
        count(s.changed),
        count(s.metadata)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_one_line_each() {
        let row = DiffRow {
            path: b"/a".to_vec(),
            change: Change::Content,
            kind: Kind::File,
            size_before: Some(1024),
            size_after: Some(0),
        };
        assert_eq!(line(&row), "M  /a  (1.0 KiB -> 0 B)");
        assert_eq!(line(&DiffRow { change: Change::Added, size_before: None, ..row.clone() }), "+  /a  (0 B)");
        assert_eq!(line(&DiffRow { change: Change::Removed, kind: Kind::Dir, ..row }), "-  /a/");
        assert_eq!(told(&DiffSummary::default()), "The two versions are the same.");
    }
}
