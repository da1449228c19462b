//! `version`: what this program is and speaks.

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb};
use crate::cli::{Desk, Face, json};
use crate::fault::{Exit, Result};

pub(super) const VERB: Verb = Verb {
    name: "version",
    about: "Show the version of the program",
    examples: &["version"],
    build: |command: Command| command,
    run,
    needs_config: false,
    changes: Changes::Nothing,
};

#[derive(Serialize)]
struct VersionRecord {
    program: &'static str,
    format: u32,
    contract: u32,
    target: String,
}

fn run(_: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let record = VersionRecord {
        program: env!("CARGO_PKG_VERSION"),
        format: FORMAT,
        contract: json::CONTRACT,
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    };
    match &desk.face {
        Face::Json(stream) => stream.record("program", &record)?,
        Face::Plain(plain) => {
            plain.line(&format!("tuckbox {} (vault format {}, {})", record.program, record.format, record.target))?
        }
    }
    Ok(Exit::Ok)
}

/// The vault format that is written.
const FORMAT: u32 = 1;
