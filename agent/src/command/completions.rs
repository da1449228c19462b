//! `completions`: the completion file of a shell.

use clap::{Arg, ArgMatches, Command};

use super::{Changes, Verb};
use crate::cli::Desk;
use crate::complete::scripts;
use crate::fault::{Exit, Result};

pub(super) const VERB: Verb = Verb {
    name: "completions",
    about: "Print the completion file of a shell",
    examples: &["completions bash", "completions zsh", "completions fish"],
    build,
    run,
    needs_config: false,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    let names = scripts::SHELLS.each_ref().map(|shell| shell.name);
    command.arg(Arg::new("shell").value_name("SHELL").value_parser(names).required(true).help("Which"))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let wanted = matches.get_one::<String>("shell").map_or("", String::as_str);
    if let Some(shell) = scripts::SHELLS.iter().find(|shell| shell.name == wanted) {
        desk.face.text(&(shell.script)())?;
    }
    Ok(Exit::Ok)
}
