//! `check`: proves that what must be there is there.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, switch};
use crate::cli::hints::Hints;
use crate::cli::json::PathText;
use crate::cli::{Desk, Face};
use crate::engine::job::{CheckJob, CheckSummary, FindingRow};
use crate::engine::pin::Pin;
use crate::fault::{Code, Exit, Result};
use crate::name::{for_terminal, harmless_line};
use crate::units::{count, counted, duration, parse_share, size};

pub(super) const VERB: Verb = Verb {
    name: "check",
    about: "Prove that all the versions need is in the vault, with --read-data also unaltered",
    examples: &["check", "check --read-data", "check --sample 5%"],
    build,
    run,
    needs_config: true,
    changes: Changes::Own,
};

fn build(command: Command) -> Command {
    command
        .arg(switch("read-data", "Also compare every stored byte with its checksum, on the server"))
        .arg(
            Arg::new("sample")
                .long("sample")
                .value_name("N%")
                .value_parser(parse_share)
                .help("Also fetch, open and hash this share of the content here"),
        )
        .arg(switch("full", "Also fetch, open and hash all content here").conflicts_with("sample"))
        .arg(
            Arg::new("pin")
                .long("pin")
                .value_name("PIN")
                .value_parser(|text: &str| Pin::parse(text))
                .help("Also compare the history with a pin that was kept on paper (`key pin` shows it)"),
        )
        .arg(
            Arg::new("accept-history")
                .long("accept-history")
                .value_name("SEQ")
                .value_parser(clap::value_parser!(u64))
                .help("After looking: take the history that ends with version number SEQ as the true one"),
        )
}

#[derive(Serialize)]
struct FindingRecord<'a> {
    damage: bool,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    path: Option<PathText>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let job = CheckJob {
        read_data: matches.get_flag("read-data"),
        sample_permille: matches.get_one::<u32>("sample").copied(),
        full: matches.get_flag("full"),
        pin: matches.get_one::<Pin>("pin").copied(),
        accept_history: matches.get_one::<u64>("accept-history").copied(),
    };
    let mut exit = Exit::Ok;
    let hints = Hints::of(matches);
    let summary = desk.engine().check(&desk.run()?, job, &mut |mut row| {
        row.hint = row.hint.map(|hint| hints.hint(&hint));
        if row.damage {
            let code = Code::ALL.iter().find(|code| code.name() == row.code);
            exit = exit.worse(code.map_or(Exit::Damaged, |code| code.exit()));
        }
        match &desk.face {
            Face::Json(stream) => stream.record("finding", &record(&row)),
            Face::Plain(plain) => lines(&row).iter().try_for_each(|line| plain.line(line)),
        }
    })?;
    told(&summary).iter().try_for_each(|line| desk.face.say(line))?;
    desk.face.summary("check", &summary)?;
    Ok(exit)
}

fn record(row: &FindingRow) -> FindingRecord<'_> {
    FindingRecord {
        damage: row.damage,
        code: &row.code,
        message: &row.text,
        hint: row.hint.as_deref(),
        path: row.path.as_deref().map(PathText::from),
    }
}

fn lines(row: &FindingRow) -> Vec<String> {
    let word = if row.damage { "DAMAGED" } else { "odd    " };
    let path = row.path.as_deref().map(|path| format!("{}: ", for_terminal(path))).unwrap_or_default();
    let mut lines = vec![format!("{word}  {path}{} [{}]", harmless_line(&row.text), row.code)];
    lines.extend(row.hint.as_deref().map(|hint| format!("    try: {}", harmless_line(hint))));
    lines
}

fn told(s: &CheckSummary) -> Vec<String> {
    let mut lines = vec![format!(
        "  {}, {} nodes, {} chunks in {} looked at in {}",
        counted(s.versions, "version", "versions"),
        count(s.nodes),
        count(s.chunks),
        counted(s.packs, "pack", "packs"),
        duration(s.elapsed_ms)
    )];
    if s.read_bytes > 0 {
        lines.push(format!("  {} read and compared on the server", size(s.read_bytes)));
    }
    if s.opened_bytes > 0 {
        lines.push(format!("  {} opened and hashed here", size(s.opened_bytes)));
    }
    if s.history_accepted {
        lines.push("  the history that the vault shows is now taken as the true one".to_owned());
    }
    // Anything else that is wrong has hints of its own.
    let more_to_come = s.backup_may_heal || s.worst != Some(Code::DataDamaged);
    let holes = counted(s.versions_with_holes, "version has", "versions have");
    lines.push(match (s.damaged, s.odd) {
        (0, 0) => "Everything is there.".to_owned(),
        (0, odd) => format!("Everything is there; {} should be looked at.", counted(odd, "finding", "findings")),
        (damaged, _) => {
            let found = format!("{} of damage", counted(damaged, "finding", "findings"));
            match (more_to_come, s.versions_with_holes, s.trashed_with_holes) {
                (false, 0, 1..) => format!(
                    "{found}. Only versions in the trash have holes: with them this goes, 14 days after they came there."
                ),
                (false, 1.., _) => format!(
                    "{found}. {holes} holes that no backup fills; the newest is whole, and so are all others that are kept."
                ),
                _ => format!(
                    "{found}. Next:  tuckbox backup  (gives back what its sources still have), then  tuckbox check"
                ),
            }
        }
    });
    if s.versions_with_holes > 0 && !more_to_come {
        let left = "What is left of a file:  tuckbox restore --at no.N --with-holes PATH --to DIR";
        lines.push(format!("  `tuckbox versions` marks them. {left}"));
        let quiet = "tuckbox forget no.N  (after 14 days in the trash they are gone, and this with them)";
        lines.push(format!("  When nothing of them is wanted any more:  {quiet}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_answer() {
        let last = |summary: &CheckSummary| told(summary).pop().unwrap();
        assert_eq!(last(&CheckSummary::default()), "Everything is there.");
        assert!(last(&CheckSummary { odd: 1, ..CheckSummary::default() }).contains("1 finding should"));
        assert!(last(&CheckSummary { damaged: 2, ..CheckSummary::default() }).starts_with("2 findings of damage."));
    }

    #[test]
    fn what_no_backup_gives_back_has_an_end() {
        let lost = CheckSummary {
            damaged: 3,
            worst: Some(Code::DataDamaged),
            versions_with_holes: 2,
            trashed_with_holes: 1,
            ..CheckSummary::default()
        };
        let text = |summary: &CheckSummary| told(summary)[1..].join("\n");
        assert!(text(&lost).contains("2 versions have holes that no backup fills") && text(&lost).contains("forget"));
        let trashed = CheckSummary { versions_with_holes: 0, ..lost };
        assert!(text(&trashed).contains("Only versions in the trash have holes"));
        // As long as a backup may help, or something else is wrong, nobody is told that all is said.
        for other in [
            CheckSummary { backup_may_heal: true, ..lost },
            CheckSummary { worst: Some(Code::HistoryGap), ..trashed },
            CheckSummary { versions_with_holes: 0, trashed_with_holes: 0, ..lost },
        ] {
            assert!(text(&other).starts_with("3 findings of damage. Next:  tuckbox backup  "), "{}", text(&other));
        }
    }
}
