//! `compare`: what differs between a version and the disk.

use clap::{ArgMatches, Command};
use serde::Serialize;
use store::tree::Kind;

use super::diff::{change_name, letter};
use super::{Changes, Verb, at, file, paths, switch};
use crate::cli::json::PathText;
use crate::cli::{Desk, Face, with_errors};
use crate::engine::job::{Change, CompareJob, CompareRow, CompareSummary, Depth};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::units::{count, counted, size};

pub(super) const VERB: Verb = Verb {
    name: "compare",
    about: "Show what differs between a version and the disk",
    examples: &[
        "compare ~/docs",
        "compare ~/docs --checksums --at yesterday",
        "compare ~/docs --with /tmp/restored/docs --full && echo the same",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    let command = command
        .arg(paths("path", "What to compare [default: everything of this host]"))
        .arg(at())
        .arg(file("with", "DIR", "Compare PATH with this place and not with its own").short('w'))
        .arg(
            switch("checksums", "Read the files here and compare their contents by ids; nothing is downloaded")
                .short('c'),
        )
        .arg(switch("full", "Download the contents and compare every byte").conflicts_with("checksums"));
    super::backup::rules(command)
}

#[derive(Serialize)]
struct Record {
    change: &'static str,
    #[serde(flatten)]
    path: PathText,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    what: Vec<&'static str>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let (at, understood) = desk.at(matches)?;
    let paths = desk.paths(matches, "path");
    let with = desk.file(matches, "with");
    if with.is_some() && paths.len() != 1 {
        return Err(Fault::new(Code::Usage, "--with is about one path").hint("tuckbox compare ~/docs --with /tmp/docs"));
    }
    let depth = match (matches.get_flag("full"), matches.get_flag("checksums")) {
        (true, _) => Depth::Full,
        (_, true) => Depth::Checksums,
        _ => Depth::Metadata,
    };
    let mut sources = super::backup::ruled(matches, desk, Vec::new())?;
    if sources.is_empty() {
        // Rules of the command line hold everywhere.
        sources = super::backup::ruled(matches, desk, vec![b"/".to_vec()])?;
    }
    let job = CompareJob { at, paths, with, depth, sources };
    let summary = desk.engine().compare(&desk.run_at(understood)?, job, &mut |row| match &desk.face {
        Face::Json(stream) => stream.row("compare", &record(&row)),
        Face::Plain(plain) => plain.line(&line(&row)),
    })?;
    desk.face.say(&told(&summary, depth))?;
    desk.face.summary("compare", &summary)?;
    let differs = if summary.is_same() { Exit::Ok } else { Exit::Differs };
    let damaged = if summary.damaged > 0 { Exit::Damaged } else { Exit::Ok };
    // What could not be read may differ, too.
    Ok(damaged.worse(differs.worse(with_errors(summary.errors))))
}

fn record(row: &CompareRow) -> Record {
    Record {
        change: change_name(row.change),
        path: PathText::from(row.path.as_slice()),
        kind: super::ls::kind_name(row.kind),
        version_bytes: row.size_before,
        disk_bytes: row.size_after,
        what: row.what.clone(),
    }
}

/// As `diff` has it: `+` only on the disk, `-` only in the version, `M` content, `U` metadata, `T` kind.
fn line(row: &CompareRow) -> String {
    let slash = if row.kind == Kind::Dir { "/" } else { "" };
    let what = match (row.change, row.size_before, row.size_after) {
        (Change::Content, Some(before), Some(after)) if before != after => {
            format!("  ({} -> {})", size(before), size(after))
        }
        _ if !row.what.is_empty() => format!("  ({})", row.what.join(", ")),
        _ => String::new(),
    };
    format!("{}  {}{slash}{what}", letter(row.change), for_terminal(&row.path))
}

fn told(s: &CompareSummary, depth: Depth) -> String {
    let how = match depth {
        Depth::Metadata => "by size, time, mode and owner",
        Depth::Checksums => "by their checksums",
        Depth::Full => "byte by byte",
    };
    let same = counted(s.same, "name is", "names are");
    if s.is_same() {
        return format!("{same} the same, compared {how}.");
    }
    format!(
        "{} only on the disk, {} only in the version, {} changed, {} with other metadata; {same} the same, compared {how}",
        count(s.added),
        count(s.removed),
        count(s.changed),
        count(s.metadata)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_one_line_each() {
        let row = CompareRow {
            path: b"/a".to_vec(),
            change: Change::Content,
            kind: Kind::File,
            size_before: Some(1024),
            size_after: Some(2048),
            what: vec!["size", "time"],
        };
        assert_eq!(line(&row), "M  /a  (1.0 KiB -> 2.0 KiB)");
        let row = CompareRow { size_after: Some(1024), what: vec!["content", "time"], ..row };
        assert_eq!(line(&row), "M  /a  (content, time)");
        let row = CompareRow { change: Change::Added, kind: Kind::Dir, what: Vec::new(), ..row };
        assert_eq!(line(&row), "+  /a/");
        let same = CompareSummary { same: 1, ..CompareSummary::default() };
        assert_eq!(told(&same, Depth::Full), "1 name is the same, compared byte by byte.");
    }
}
