//! `undelete`: the last state of deleted paths comes back, to the disk or into a new version.

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, VersionOf, file, needs_yes, paths, restore, rollback, short, switch};
use crate::cli::json::PathText;
use crate::cli::{Desk, Face};
use crate::engine::job::{At, BackRow, UndeleteJob};
use crate::fault::{Exit, Result};
use crate::name::for_terminal;
use crate::time::show;
use crate::units::{counted, size};

pub(super) const VERB: Verb = Verb {
    name: "undelete",
    about: "Bring the last state of deleted paths back",
    examples: &[
        "undelete ~/docs/letter.txt",
        "undelete ~/docs/old --to ~/restored",
        "undelete ~/docs/letter.txt --in-vault",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(paths("path", "What to bring back").required(true).num_args(1..))
        .arg(file("to", "DIR", "Write below this directory [default: in place, after asking]").short('t'))
        .arg(switch("in-vault", "Append a version that has it again, and leave the disk alone").conflicts_with_all([
            "to",
            "full-paths",
            "verify",
        ]))
        .arg(switch("full-paths", "Below DIR, keep whole paths").requires("to"))
        .arg(switch("verify", "Read everything back and compare"))
        .arg(switch("dry-run", "Tell what would be done; write nothing").short('n'))
}

#[derive(Serialize)]
struct Record {
    #[serde(flatten)]
    path: PathText,
    kind: &'static str,
    files: u64,
    bytes: u64,
    #[serde(flatten)]
    version: VersionOf,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    if !matches.get_flag("in-vault") {
        return to_disk(matches, desk, None);
    }
    let job = UndeleteJob {
        paths: desk.paths(matches, "path"),
        in_vault: true,
        dry_run: matches.get_flag("dry-run"),
        ..UndeleteJob::default()
    };
    if !job.dry_run {
        needs_yes(desk, "appending a version")?;
    }
    let dry_run = job.dry_run;
    let summary = desk.engine().undelete_in_vault(&desk.run()?, job, &mut |row| tell(desk, &row))?;
    rollback::told(desk, "undelete", &summary, dry_run)
}

/// Writes deleted things back: the paths given, or what was deleted since then.
pub(super) fn to_disk(matches: &ArgMatches, desk: &Desk<'_>, since: Option<At>) -> Result<Exit> {
    let verb = if since.is_some() { "restore" } else { "undelete" };
    // An option of `restore` alone.
    let with_holes = since.is_some() && matches.get_flag("with-holes");
    let job = UndeleteJob {
        paths: desk.paths(matches, "path"),
        since,
        to: desk.file(matches, "to"),
        in_vault: false,
        full_paths: matches.get_flag("full-paths"),
        dry_run: matches.get_flag("dry-run"),
        verify: matches.get_flag("verify"),
        with_holes,
        list_items: desk.settings.verbose > 0,
    };
    if job.to.is_none() && !job.dry_run {
        needs_yes(desk, "a restore in place")?;
    }
    let (to, dry_run) = (job.to.clone(), job.dry_run);
    let mut any = false;
    let summary = desk.engine().undelete(&desk.run()?, job, &mut |row| {
        any = true;
        tell(desk, &row)
    })?;
    if any {
        restore::show(desk, &summary, to, dry_run)?;
    } else {
        desk.face.say("Nothing was deleted: everything is where it was.")?;
    }
    desk.face.summary(verb, &restore::Told { dry_run, summary: &summary })?;
    Ok(restore::exit(&summary))
}

fn tell(desk: &Desk<'_>, row: &BackRow) -> Result<()> {
    let kind = if row.is_dir { "dir" } else { "file" };
    match &desk.face {
        Face::Json(stream) => {
            let (path, version) = (PathText::from(row.path.as_slice()), VersionOf::from(&row.version));
            stream.row("deleted", &Record { path, kind, files: row.files, bytes: row.bytes, version })
        }
        Face::Plain(plain) => {
            let slash = if row.is_dir { "/" } else { "" };
            let what = if row.is_dir {
                format!("{}, {}", counted(row.files, "file", "files"), size(row.bytes))
            } else {
                size(row.bytes)
            };
            plain.say(&format!(
                "{}{slash}  ({what}) as of version {}, {}",
                for_terminal(&row.path),
                short(&row.version.id),
                show(row.version.received_at_ms, &desk.zone())
            ))
        }
    }
}
