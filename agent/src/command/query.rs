//! `query`: runs commands of the shell, for scripts.

use std::ffi::OsString;
use std::io::BufReader;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Changes, Verb, at, local, some_path, switch};
use crate::cli::{Desk, Face, globals};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::shell::batch::Batch;

pub(super) const VERB: Verb = Verb {
    name: "query",
    about: "Run commands of the shell one after the other, for scripts",
    examples: &[
        "query -c 'cd ~/docs; ls -l' -c 'get letter.txt /tmp'",
        "query --json -c 'ls ~/docs' -c versions",
        "query --keep-going commands.txt",
        "query -",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(
            Arg::new("command")
                .short('c')
                .long("command")
                .value_name("COMMANDS")
                .action(ArgAction::Append)
                .help("Run this (commands stand apart by ; or new lines)"),
        )
        .arg(local(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(some_path())
                .required_unless_present("command")
                .conflicts_with("command")
                .help("Run the lines of this file (- for standard input)"),
        ))
        .arg(at())
        .arg(switch("keep-going", "Go on after a failure; the exit code is that of the worst"))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let at = matches.get_one::<String>("at").cloned();
    if let Some(at) = &at {
        desk.version(at)?;
    }
    let mut inside = crate::shell::inside(desk, at, globals::colour(matches, desk.world, &desk.config)?);
    if let Face::Json(stream) = &desk.face {
        inside.stream = Some(std::sync::Arc::clone(stream));
    }
    let mut batch = Batch::new(desk.world, inside, matches.get_flag("keep-going"));
    for text in matches.get_many::<String>("command").into_iter().flatten() {
        batch.text(text)?;
    }
    match matches.get_one::<OsString>("file") {
        Some(file) if file == "-" => batch.lines(BufReader::new(std::io::stdin()), Some("standard input"))?,
        Some(file) => {
            let name = for_terminal(file.as_encoded_bytes());
            let failed = |error: std::io::Error| {
                Fault::new(Code::Usage, format!("cannot read the commands in {name}")).because(error)
            };
            let opened = std::fs::File::open(desk.world.working.join(file)).map_err(failed)?;
            batch.lines(BufReader::new(opened), Some(&name))?;
        }
        None => {}
    }
    batch.end()
}
