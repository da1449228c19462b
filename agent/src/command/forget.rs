//! `forget`: versions into the trash, and out of it again.

use clap::{Arg, ArgMatches, Command};

use super::{Changes, Verb, switch};
use crate::cli::{Desk, Face};
use crate::engine::job::{At, Naming, NamingJob, NamingSummary};
use crate::fault::{Exit, Result};
use crate::time::show;
use crate::units::size;

pub(super) const VERB: Verb = Verb {
    name: "forget",
    about: "Put versions into the trash, or take them out again",
    examples: &[
        "forget 3f9c02ab",
        "forget --reason 'held a password' 3f9c02ab",
        "forget --undo 3f9c02ab",
        "forget --dry-run 3f9c02ab",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(versions("Versions, as for --at of other verbs"))
        .arg(switch("undo", "Take them out of the trash: possible for 14 days"))
        .arg(switch("dry-run", "Change nothing: say which, and what would come free").short('n'))
        .arg(reason())
}

/// Versions that are named.
pub(super) fn versions(help: &'static str) -> Arg {
    Arg::new("version").value_name("VERSION").required(true).num_args(1..).help(help)
}

/// Why.
pub(super) fn reason() -> Arg {
    Arg::new("reason").long("reason").value_name("TEXT").allow_hyphen_values(true).help("Why, for people; sealed")
}

/// The versions that the arguments name.
pub(super) fn named(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Vec<At>> {
    let texts = matches.get_many::<String>("version").into_iter().flatten();
    texts.map(|text| Ok(desk.version(text)?.at)).collect()
}

/// The words of `--reason`.
pub(super) fn why(matches: &ArgMatches) -> String {
    matches.get_one::<String>("reason").cloned().unwrap_or_default()
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let undo = matches.get_flag("undo");
    let job = NamingJob {
        what: if undo { Naming::Unforget } else { Naming::Forget },
        versions: named(matches, desk)?,
        reason: why(matches),
        confirmed: desk.settings.yes,
        dry_run: matches.get_flag("dry-run"),
    };
    let done = desk.engine().name_versions(&desk.run()?, job)?;
    if let Face::Plain(plain) = &desk.face {
        let text = match (done.versions.is_empty(), undo) {
            (true, true) => "None of them is in the trash.".to_owned(),
            (true, false) => "They are in the trash already.".to_owned(),
            (false, true) if done.dry_run => format!("Dry run: would come out of the trash: {}.", numbers(&done)),
            (false, false) if done.dry_run => would_go(&done, desk),
            (false, true) => format!("Out of the trash: {}.", numbers(&done)),
            (false, false) => {
                let until = done.until_ms.map(|ms| format!(" until {}", show(ms, &desk.zone()))).unwrap_or_default();
                let back = done.version_ids.join(" ");
                format!("In the trash{until}: {}.\n  Back again:  tuckbox forget --undo {back}", numbers(&done))
            }
        };
        plain.say(&text)?;
    }
    desk.face.summary("forget", &done)?;
    Ok(Exit::Ok)
}

fn would_go(done: &NamingSummary, desk: &Desk<'_>) -> String {
    let until = done.until_ms.map(|ms| format!(" until {}", show(ms, &desk.zone()))).unwrap_or_default();
    let freed = match done.freed_bytes {
        Some(bytes) => format!("After that {} come free that nothing else needs.", size(bytes)),
        None => "What comes free after that cannot be told now.".to_owned(),
    };
    format!("Dry run: would go into the trash{until}: {}.\n  {freed}", numbers(done))
}

/// As in "version 3e4a599c (no. 3), version 8aa5cb92 (no. 9)".
pub(super) fn numbers(done: &NamingSummary) -> String {
    let named = done.version_ids.iter().zip(&done.versions);
    let named: Vec<String> = named.map(|(id, number)| format!("version {id} (no. {number})")).collect();
    named.join(", ")
}
