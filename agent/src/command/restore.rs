//! `restore`: writes files back, beside or in place.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, at, file, many, paths, short, switch, texts};
use crate::cli::person::named;
use crate::cli::{Desk, with_errors};
use crate::engine::job::{Overwrite, RestoreJob, RestoreSummary};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::units::{counted, duration, size};

pub(super) const VERB: Verb = Verb {
    name: "restore",
    about: "Write files of a version back, to another place or in place",
    examples: &[
        "restore ~/docs/letter.txt --to ~/restored",
        "restore --at yesterday ~/docs",
        "restore --to /mnt/new --full-paths --verify",
        "restore ~/docs -n -v",
        "restore --at yesterday ~/docs --overwrite keep-both",
        "restore --deleted-since 1h ~/docs",
        "restore --with-holes ~/disk.img --to ~/restored",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Files,
};

fn build(command: Command) -> Command {
    command
        .arg(paths("path", "What to restore [default: everything, with full paths]"))
        .arg(file("to", "DIR", "Write below this directory [default: in place, after asking]").short('t'))
        .arg(at())
        .arg(many("include", "PATTERN", "Only what matches").short('i'))
        .arg(many("exclude", "PATTERN", "Not what matches").short('e'))
        .arg(
            Arg::new("overwrite")
                .long("overwrite")
                .value_name("WHEN")
                .value_parser(["always", "if-changed", "if-newer", "keep-both", "never"])
                .default_value("if-changed")
                .help("Which files that are there to write again: `if-changed` those of another size or time, `always` also what was altered without a trace in them; `keep-both` writes beside them: `letter (tuckbox 2026-11-20 18.00).txt`"),
        )
        .arg(switch("delete", "Remove what is in restored directories and not in the version; what the configuration leaves out of backups stays. What `backup --exclude` left out is not known here: give it again with -e"))
        .arg(switch("verify", "Read everything back and compare"))
        .arg(switch(
            "with-holes",
            "Of a file that is damaged in the vault, write what can be read, with zeros for the rest, and tell which; exit 10. Never in place of a file that is there: that one stays, whatever --overwrite says (but `keep-both` writes beside it)",
        ))
        .arg(switch("dry-run", "Tell what would be done; write nothing").short('n'))
        .arg(switch("full-paths", "Below DIR, keep whole paths").requires("to"))
        .arg(
            Arg::new("deleted-since")
                .long("deleted-since")
                .value_name("WHEN")
                .allow_hyphen_values(true)
                .conflicts_with_all(["at", "include", "exclude", "overwrite", "delete"])
                .help("Only what was deleted since then (`1h`, `yesterday`): its last state; nothing there is touched"),
        )
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    if let Some(since) = matches.get_one::<String>("deleted-since") {
        let since = desk.version(since)?;
        desk.face.note(&format!("looks at {} and all after it", since.sentence))?;
        return super::undelete::to_disk(matches, desk, Some(since.at));
    }
    let (at, understood) = desk.at(matches)?;
    let delete = matches.get_flag("delete");
    let job = RestoreJob {
        at,
        paths: desk.paths(matches, "path"),
        to: desk.file(matches, "to"),
        include: texts(matches, "include"),
        exclude: texts(matches, "exclude"),
        overwrite: overwrite(matches),
        delete,
        verify: matches.get_flag("verify"),
        dry_run: matches.get_flag("dry-run"),
        full_paths: matches.get_flag("full-paths"),
        list_items: desk.settings.verbose > 0,
        with_holes: matches.get_flag("with-holes"),
        confirmed: false,
        sources: if delete { super::backup::configured(desk)? } else { Vec::new() },
    };
    // Known before anything is reached: nobody will be able to say yes.
    if job.to.is_none() && !job.dry_run && !desk.settings.yes && !desk.settings.may_ask {
        return Err(Fault::new(Code::PolicyConfirm, "a restore in place overwrites files and needs a confirmation")
            .hint("add `--yes`, or `--to DIR` to restore beside them"));
    }
    let (to, dry_run) = (job.to.clone(), job.dry_run);
    let summary = desk.engine().restore(&desk.run_at(understood)?, job)?;
    show(desk, &summary, to, dry_run)?;
    desk.face.summary("restore", &Told { dry_run, summary: &summary })?;
    Ok(exit(&summary))
}

/// What was done, or on a dry run would be.
#[derive(Serialize)]
pub(super) struct Told<'s, S> {
    pub(super) dry_run: bool,
    #[serde(flatten)]
    pub(super) summary: &'s S,
}

/// Tells what was restored, and where to.
pub(super) fn show(desk: &Desk<'_>, summary: &RestoreSummary, to: Option<PathBuf>, dry_run: bool) -> Result<()> {
    let to = to.map(|to| for_terminal(std::os::unix::ffi::OsStrExt::as_bytes(to.as_os_str())));
    told(summary, to.as_deref(), dry_run).iter().try_for_each(|line| desk.face.say(line))
}

/// What a restore comes to.
pub(super) fn exit(summary: &RestoreSummary) -> Exit {
    // Worse than a file that could not be written: another restore will not bring it back.
    let damaged = if summary.files_damaged > 0 { Exit::Damaged } else { Exit::Ok };
    let doubtful = u64::from(summary.history_doubtful);
    damaged.worse(with_errors(summary.errors + summary.files_skipped + doubtful))
}

fn overwrite(matches: &ArgMatches) -> Overwrite {
    match matches.get_one::<String>("overwrite").map(String::as_str) {
        Some("always") => Overwrite::Always,
        Some("if-newer") => Overwrite::IfNewer,
        Some("keep-both") => Overwrite::KeepBoth,
        Some("never") => Overwrite::Never,
        _ => Overwrite::IfChanged,
    }
}

/// What a dry run says of what `--delete` removes; it names some of it.
const WOULD_GO: &str = "would be removed";

fn told(s: &RestoreSummary, to: Option<&str>, dry_run: bool) -> Vec<String> {
    let place = to.map_or_else(|| "in place".to_owned(), |to| format!("to {to}"));
    let files = counted(s.files_restored, "file", "files");
    let version = short(&s.version_id);
    let mut lines = vec![if dry_run {
        format!("Dry run: would restore {files}, {}, of version {version} {place}.", size(s.restored_bytes))
    } else {
        let time = duration(s.elapsed_ms);
        format!("Restored {files}, {}, of version {version} {place} in {time}.", size(s.restored_bytes))
    }];
    let gone = if dry_run { WOULD_GO } else { "removed" };
    for (number, one, many) in [
        (s.files_kept, "was there already and left as it is", "were there already and left as they are"),
        (
            s.files_beside,
            "stands beside another that stays, as NAME (tuckbox DATE)",
            "stand beside others that stay, as NAME (tuckbox DATE)",
        ),
        (s.files_deleted, gone, gone),
        (
            s.files_with_holes,
            "is damaged in the vault and has zeros in place of what is lost",
            "are damaged in the vault and have zeros in place of what is lost",
        ),
        (s.files_verified, "read back and equal", "read back and equal"),
        (
            s.files_skipped,
            "could not be restored as it was, see the warnings",
            "could not be restored as they were, see the warnings",
        ),
    ] {
        if number > 0 {
            lines.push(format!("  {}", counted(number, one, many)));
        }
        if many == WOULD_GO {
            lines.extend(named(&s.deleted, number, "    "));
        }
    }
    if s.history_doubtful {
        lines.push(
            "  this may not be the newest version: the vault does not show all that was seen of it here".to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_was_done() {
        let summary = RestoreSummary {
            version_id: "3f9c02abffff".into(),
            files_restored: 1,
            restored_bytes: 1280,
            files_kept: 3,
            elapsed_ms: 400,
            ..RestoreSummary::default()
        };
        assert_eq!(
            told(&summary, Some("/tmp/x"), false),
            [
                "Restored 1 file, 1.3 KiB, of version 3f9c02ab to /tmp/x in 0.4 s.",
                "  3 were there already and left as they are"
            ]
        );
        assert_eq!(
            told(&summary, None, true)[0],
            "Dry run: would restore 1 file, 1.3 KiB, of version 3f9c02ab in place."
        );
    }
}
