//! `shell`: looks around in versions, and runs verbs there.

use clap::{Arg, ArgMatches, Command};

use super::{Changes, Verb, at, switch};
use crate::cli::{Desk, globals};
use crate::fault::{Code, Exit, Fault, Result};

pub(super) const VERB: Verb = Verb {
    name: "shell",
    about: "Look around in versions and run verbs there, with completion",
    examples: &["shell", "shell --at '2 days ago'", "shell laptop --vault ssh://me@backup.example.org/srv/vault"],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(Arg::new("in").value_name("ACCOUNT").help("Which account's versions [default: as for every verb]"))
        .arg(at())
        .arg(switch("vi", "Keys of vi and not of emacs"))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    if desk.face.is_json() {
        return Err(Fault::new(Code::Usage, "a shell is for people").hint("for programs: tuckbox query --json"));
    }
    let at = matches.get_one::<String>("at").cloned();
    if let Some(at) = &at {
        desk.version(at)?;
    }
    let colour = globals::colour(matches, desk.world, &desk.config)?;
    let mut inside = crate::shell::inside(desk, at, colour);
    inside.outer.account = matches.get_one::<String>("in").cloned().or(inside.outer.account);
    crate::shell::run(desk, inside, matches.get_flag("vi"))
}
