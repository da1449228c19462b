//! `ls`: lists names in a version.

use clap::{ArgMatches, Command};
use serde::Serialize;
use store::tree::{Kind, Mark};

use super::{Changes, Verb, at, paths, switch};
use crate::cli::json::{PathText, rfc3339};
use crate::cli::{Desk, Face};
use crate::engine::job::{EntryRow, ListJob};
use crate::fault::{Exit, Result};
use crate::name::for_terminal;
use crate::time::show_file;
use crate::units::{counted, size};

pub(super) const VERB: Verb = Verb {
    name: "ls",
    about: "List names in a version",
    examples: &["ls ~/docs", "ls -l -r /home/ana/docs --at '2 days ago'", "ls '/home/*/docs/*.odt'"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command
        .arg(paths("path", "What to list; may hold *, ? and ** [default: /]"))
        .arg(at())
        .arg(switch("long", "Kind, mode, owner, size and time, too").short('l'))
        .arg(switch("recursive", "Everything below directories").short('r'))
        .arg(switch("directory", "A directory itself and not what is in it").short('d'))
}

/// A name, as records tell it.
#[derive(Serialize)]
pub(super) struct EntryRecord {
    #[serde(flatten)]
    path: PathText,
    kind: &'static str,
    mode: String,
    uid: u32,
    gid: u32,
    user: String,
    group: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    modified_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<&'static str>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let (at, understood) = desk.at(matches)?;
    let job = ListJob {
        at,
        paths: desk.paths(matches, "path"),
        recursive: matches.get_flag("recursive"),
        directory: matches.get_flag("directory"),
    };
    let long = matches.get_flag("long");
    let summary = desk.engine().list(&desk.run_at(understood)?, job, &mut |row| match &desk.face {
        Face::Json(stream) => stream.row("entry", &record(&row)),
        Face::Plain(plain) if long => plain.line(&long_line(&row, desk)),
        Face::Plain(plain) => plain.line(&name(&row, desk)),
    })?;
    desk.face.summary("ls", &summary)?;
    Ok(Exit::Ok)
}

/// The word for a kind in records.
pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::Char => "char",
        Kind::Block => "block",
    }
}

fn mark_name(mark: Mark) -> &'static str {
    match mark {
        Mark::Changed => "changed",
        Mark::Unreadable(_) => "unreadable",
        Mark::Missing(_) => "missing",
    }
}

pub(super) fn record(row: &EntryRow) -> EntryRecord {
    let millis = row.mtime.secs.saturating_mul(1000).saturating_add(i64::from(row.mtime.nanos / 1_000_000));
    let target = row.target.as_deref().map(crate::name::for_json);
    EntryRecord {
        path: PathText::from(row.path.as_slice()),
        kind: kind_name(row.kind),
        mode: format!("{:04o}", row.mode),
        uid: row.uid,
        gid: row.gid,
        user: for_terminal(&row.user),
        group: for_terminal(&row.group),
        bytes: row.size,
        files: row.files,
        modified_at: rfc3339(millis),
        target_b64: target.as_ref().and_then(|(_, bytes)| bytes.clone()),
        target: target.map(|(text, _)| text),
        mark: row.mark.map(mark_name),
    }
}

/// A name in one line, a directory with a slash; in a shell without the directory where one is.
pub(super) fn name(row: &EntryRow, desk: &Desk<'_>) -> String {
    let slash = if row.kind == Kind::Dir && row.path != b"/" { "/" } else { "" };
    format!("{}{slash}", for_terminal(desk.view.shown(&row.path)))
}

/// As `ls -l` has it.
pub(super) fn long_line(row: &EntryRow, desk: &Desk<'_>) -> String {
    let owner = |name: &[u8], number: u32| if name.is_empty() { number.to_string() } else { for_terminal(name) };
    let bytes = match row.device {
        Some((major, minor)) => format!("{major}, {minor}"),
        None if row.made_up && row.files.is_none() => String::new(),
        None => size(row.size),
    };
    let target = row.target.as_deref().map(|target| format!(" -> {}", for_terminal(target))).unwrap_or_default();
    let files = row.files.map(|files| format!("  ({})", counted(files, "file", "files"))).unwrap_or_default();
    let mark = row.mark.map(|mark| format!("  [{}]", mark_name(mark))).unwrap_or_default();
    let time = if row.made_up { String::new() } else { show_file(row.mtime.secs, &desk.zone()) };
    format!(
        "{}  {:<8} {:<8} {bytes:>10}  {time:<16}  {}{target}{files}{mark}",
        mode_text(row.kind, row.mode),
        owner(&row.user, row.uid),
        owner(&row.group, row.gid),
        name(row, desk),
    )
}

/// `drwxr-sr-t`.
fn mode_text(kind: Kind, mode: u16) -> String {
    let first = match kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Symlink => 'l',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
        Kind::Char => 'c',
        Kind::Block => 'b',
    };
    let mut out = String::from(first);
    for (shift, special, with, without) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => with,
            (true, false) => without,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_look_as_in_ls() {
        for (kind, mode, text) in [
            (Kind::Dir, 0o755, "drwxr-xr-x"),
            (Kind::File, 0o4755, "-rwsr-xr-x"),
            (Kind::File, 0o2644, "-rw-r-Sr--"),
            (Kind::Dir, 0o1777, "drwxrwxrwt"),
            (Kind::Dir, 0o1776, "drwxrwxrwT"),
            (Kind::Symlink, 0o777, "lrwxrwxrwx"),
            (Kind::File, 0, "----------"),
        ] {
            assert_eq!(mode_text(kind, mode), text);
        }
    }
}
