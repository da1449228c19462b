//! `man`: the manual.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command};

use super::{Changes, Verb, local, some_path};
use crate::cli::{Desk, man};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::units::counted;

pub(super) const VERB: Verb = Verb {
    name: "man",
    about: "Print the manual, or write all of its pages",
    examples: &["man ~/.local/share/man/man1", "man"],
    build,
    run,
    needs_config: false,
    changes: Changes::Files,
};

fn build(command: Command) -> Command {
    command.arg(local(
        Arg::new("dir")
            .value_name("DIR")
            .value_parser(some_path())
            .help("Write a page for each verb into this directory [default: print the first page]"),
    ))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let pages = man::pages();
    let Some(dir) = matches.get_one::<OsString>("dir") else {
        desk.face.text(pages.first().map_or("", |page| &page.text))?;
        return Ok(Exit::Ok);
    };
    let dir = desk.world.working.join(dir);
    let name = for_terminal(dir.as_os_str().as_encoded_bytes());
    let failed = |error: std::io::Error| {
        Fault::new(Code::of(&error), format!("cannot write the manual into {name}")).because(error)
    };
    std::fs::create_dir_all(&dir).map_err(failed)?;
    for page in &pages {
        std::fs::write(dir.join(&page.file), &page.text).map_err(failed)?;
    }
    desk.face.say(&format!("Wrote {} into {name}.", counted(pages.len() as u64, "page", "pages")))?;
    Ok(Exit::Ok)
}
