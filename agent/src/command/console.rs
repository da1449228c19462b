//! `tui`: the full-screen console. It is shown by whoever was handed in to [`crate::run`].

use clap::{Arg, ArgMatches, Command};

use super::{Changes, Verb, at, switch};
use crate::cli::Desk;
use crate::fault::{Code, Exit, Fault, Result};
use crate::world::Opening;

pub(super) const VERB: Verb = Verb {
    name: "tui",
    about: "See accounts and versions on the whole screen, and restore by keys",
    examples: &["tui", "tui laptop --vault ssh://me@backup.example.org/srv/vault", "tui --plain"],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(Arg::new("in").value_name("ACCOUNT").help("Which account's versions [default: as for every verb]"))
        .arg(at())
        .arg(switch("plain", "Numbered menus and no screen, for screen readers and terminals without abilities"))
        .arg(switch("ascii", "Draw with letters and +-|# only"))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let inside = super::inside(matches, desk, "a console")?;
    let Some(console) = desk.world.console else {
        return Err(Fault::new(Code::Usage, "this program has no console").hint("see `tuckbox help shell`"));
    };
    console(desk, Opening { inside, plain: matches.get_flag("plain"), ascii: matches.get_flag("ascii") })
}
