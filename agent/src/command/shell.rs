//! `shell`: looks around in versions, and runs verbs there.

use clap::{Arg, ArgMatches, Command};

use super::{Changes, Verb, at, switch};
use crate::cli::Desk;
use crate::fault::{Exit, Result};

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
    let inside = super::inside(matches, desk, "a shell")?;
    crate::shell::run(desk, inside, matches.get_flag("vi"))
}
