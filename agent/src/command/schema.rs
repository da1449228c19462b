//! `schema`: the JSON Schema of what `--json` prints.

use clap::{ArgMatches, Command};

use super::{Changes, Verb};
use crate::cli::Desk;
use crate::fault::{Exit, Result};

pub(super) const VERB: Verb = Verb {
    name: "schema",
    about: "Print the JSON Schema of what --json prints",
    examples: &["schema"],
    build: |command: Command| command,
    run,
    needs_config: false,
    changes: Changes::Nothing,
};

fn run(_: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    desk.face.text(&crate::schema::text())?;
    Ok(Exit::Ok)
}
