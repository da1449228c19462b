//! `pin`: versions that are kept whatever the policy says.

use clap::{Arg, ArgMatches, Command};

use super::forget::{named, numbers, reason, versions, why};
use super::{Changes, Verb, switch};
use crate::cli::{Desk, Face};
use crate::engine::job::{Naming, NamingJob};
use crate::fault::{Exit, Result};
use crate::time::show;
use crate::units::parse_duration;

pub(super) const VERB: Verb = Verb {
    name: "pin",
    about: "Keep versions whatever the policy says, or stop doing so",
    examples: &["pin latest", "pin --for 90d --reason 'before the move' 3f9c02ab", "pin --undo 3f9c02ab"],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(versions("Versions, as for --at of other verbs"))
        .arg(switch("undo", "Take the pins away"))
        .arg(
            Arg::new("for")
                .long("for")
                .value_name("DURATION")
                .value_parser(parse_duration)
                .conflicts_with("undo")
                .help("Only so long, as in 90d"),
        )
        .arg(switch("dry-run", "Change nothing: say which").short('n'))
        .arg(reason())
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let undo = matches.get_flag("undo");
    let now = desk.world.clock.now_ms();
    let until = matches.get_one::<u64>("for").map(|ms| now.saturating_add(i64::try_from(*ms).unwrap_or(i64::MAX)));
    let job = NamingJob {
        what: if undo { Naming::Unpin } else { Naming::Pin(until.unwrap_or(0)) },
        versions: named(matches, desk)?,
        reason: why(matches),
        confirmed: desk.settings.yes,
        dry_run: matches.get_flag("dry-run"),
    };
    let done = desk.engine().name_versions(&desk.run()?, job)?;
    if let Face::Plain(plain) = &desk.face {
        let text = match (done.versions.is_empty(), undo) {
            (true, true) => "None of them is pinned.".to_owned(),
            (true, false) => "They are pinned so already.".to_owned(),
            (false, true) if done.dry_run => format!("Dry run: would not be pinned any more: {}.", numbers(&done)),
            (false, true) => format!("Not pinned any more: {}.", numbers(&done)),
            (false, false) => {
                let until = done.until_ms.map(|ms| format!(" until {}", show(ms, &desk.zone()))).unwrap_or_default();
                let did = if done.dry_run { "Dry run: would be pinned" } else { "Pinned" };
                format!("{did}{until}: {}.", numbers(&done))
            }
        };
        plain.say(&text)?;
    }
    desk.face.summary("pin", &done)?;
    Ok(Exit::Ok)
}
