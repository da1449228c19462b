//! `rollback`: appends a version that is like an earlier one.

use clap::{Arg, ArgMatches, Command};

use super::{Changes, Verb, needs_yes, short, switch};
use crate::cli::Desk;
use crate::engine::job::{AppendSummary, RollbackJob};
use crate::fault::{Exit, Result};
use crate::units::{counted, size};

pub(super) const VERB: Verb = Verb {
    name: "rollback",
    about: "Append a version that is like an earlier one; history stays",
    examples: &["rollback --to '2026-11-18 12:00'", "rollback --to previous", "rollback --to 3f9c02ab -n"],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("WHEN")
                .required(true)
                .allow_hyphen_values(true)
                .help("Which version: as for --at of other verbs"),
        )
        .arg(switch("dry-run", "Tell what would be done; append nothing").short('n'))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let understood = desk.version(matches.get_one::<String>("to").map_or("", String::as_str))?;
    let dry_run = matches.get_flag("dry-run");
    if !dry_run {
        needs_yes(desk, "appending a version")?;
    }
    let job = RollbackJob { to: understood.at, dry_run };
    let summary = desk.engine().rollback(&desk.run_at([understood.sentence])?, job)?;
    told(desk, "rollback", &summary, dry_run)
}

/// Tells of a version that was appended: what it is, what it does not do, how to go on and how to go back.
pub(super) fn told(desk: &Desk<'_>, verb: &str, summary: &AppendSummary, dry_run: bool) -> Result<Exit> {
    lines(summary, dry_run).iter().try_for_each(|line| desk.face.say(line))?;
    desk.face.summary(verb, &super::restore::Told { dry_run, summary })?;
    Ok(if summary.holes { Exit::Partial } else { Exit::Ok })
}

fn lines(s: &AppendSummary, dry_run: bool) -> Vec<String> {
    let files = |files, bytes| format!("{}, {}", counted(files, "file", "files"), size(bytes));
    let change = format!("{} (before: {})", files(s.files, s.bytes), files(s.before_files, s.before_bytes));
    let Some(id) = &s.version_id else {
        return vec![if dry_run {
            format!("Dry run: the new version would have {change}. Nothing was appended.")
        } else {
            "Nothing to do: the newest version is like that already.".to_owned()
        }];
    };
    let number = s.sequence.map(|sequence| format!(" (no. {sequence})")).unwrap_or_default();
    let mut lines = vec![
        format!("Version {}{number} is the newest now: {change}.", short(id)),
        "The disk was not touched, and the next backup of a source that is there wins over this.".to_owned(),
    ];
    lines
        .extend(s.bring_along.as_ref().map(|command| format!("  to bring the disk along:  {command}   (-n tries it)")));
    lines.push(format!("  to take this back:        tuckbox rollback --to {}", short(&s.before_id)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_and_how_to_go_on() {
        let summary = AppendSummary {
            version_id: Some("3f9c02abffff".into()),
            sequence: Some(9),
            before_id: "77aa00bb1234".into(),
            files: 1,
            bytes: 1024,
            before_files: 2,
            before_bytes: 2048,
            bring_along: Some("tuckbox restore --delete /home/ana/docs".into()),
            ..AppendSummary::default()
        };
        assert_eq!(
            lines(&summary, false),
            [
                "Version 3f9c02ab (no. 9) is the newest now: 1 file, 1.0 KiB (before: 2 files, 2.0 KiB).",
                "The disk was not touched, and the next backup of a source that is there wins over this.",
                "  to bring the disk along:  tuckbox restore --delete /home/ana/docs   (-n tries it)",
                "  to take this back:        tuckbox rollback --to 77aa00bb",
            ]
        );
        let nothing = AppendSummary { version_id: None, ..summary };
        assert!(lines(&nothing, true)[0].starts_with("Dry run"));
        assert!(lines(&nothing, false)[0].starts_with("Nothing to do"));
    }
}
