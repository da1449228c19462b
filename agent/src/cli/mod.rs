//! The command line: one table of verbs ([`crate::command::VERBS`]), one way in ([`run`]).
//!
//! * [`parse`](self): arguments; [`globals`]: options of every verb and their precedence
//! * [`desk`]: what a verb works with; [`person`]: who is asked
//! * [`plain`], [`json`]: the two listeners; [`table`], [`explain`]: how things are shown
//! * [`signals`]: ending early

pub mod desk;
pub mod explain;
pub mod globals;
pub mod json;
mod meter;
mod parse;
pub mod person;
pub mod plain;
pub mod signals;
pub mod table;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;

use clap::ArgMatches;

pub use desk::{Desk, Extras, Face, with_errors};
use globals::Settings;
use json::{Start, Stream, exit_number};
pub use parse::command;
use parse::{Parsed, parse};
use plain::{Manner, Plain};
use store::door::random;

use crate::command::Verb;
use crate::config::Config;
use crate::fault::{Code, Exit, Fault, Result};
use crate::profile::Profile;
use crate::world::World;

/// Exit status when nobody reads the output any more: as if signal 13 had ended the program.
const PIPE_CLOSED: u8 = 141;
/// Signal of the interrupt key.
const INTERRUPT: i32 = 2;

/// Runs one command line (program name first). The status to exit with.
pub fn run(world: &World, arguments: Vec<OsString>) -> u8 {
    let status = match parse(arguments.clone(), world.terminal.columns) {
        Parsed::Text { text, status } => show(world, &text, status),
        Parsed::Wrong(fault) => wrong(world, &arguments, &fault),
        Parsed::Verb(verb, matches) => run_verb(world, verb, &matches),
    };
    let status = status.unwrap_or_else(|fault| exit_number(fault.exit()));
    let flushed = world.stdout.flush();
    match flushed {
        _ if world.stdout.closed() => PIPE_CLOSED,
        // The results are lost; "done" would be a lie.
        Err(fault) if status == 0 => exit_number(fault.exit()),
        _ => status,
    }
}

/// Help: what was asked for goes to stdout, what was not to stderr.
fn show(world: &World, text: &str, status: u8) -> Result<u8> {
    let to = if status == 0 { &world.stdout } else { &world.stderr };
    to.write(text.as_bytes())?;
    Ok(status)
}

/// A command line that cannot be understood. Programs are told in their own way even then.
fn wrong(world: &World, arguments: &[OsString], fault: &Fault) -> Result<u8> {
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let face = if json {
        begin(world, &Start::default())?
    } else {
        let manner = Manner { colour: globals::colour_by_world(world), ..Manner::default() };
        Face::Plain(Arc::new(Plain::new(world, manner)))
    };
    finish(world, &face, Err(fault.clone()))
}

fn run_verb(world: &World, verb: &Verb, matches: &ArgMatches) -> Result<u8> {
    let loaded =
        world.folders().and_then(|folders| Config::load(&folders.config.join("config.toml"), world.home.as_deref()));
    let (config, broken) = match loaded {
        Ok(config) => (config, None),
        // `version`, `explain` and `config template` must work with a broken file.
        Err(_) if !verb.needs_config => (Config::default(), None),
        Err(fault) => (Config::default(), Some(fault)),
    };
    let settings = Settings::resolve(matches, world, &config);
    let face = if matches.get_flag("json") {
        let vault = settings.as_ref().ok().and_then(|settings| settings.vault.clone());
        let account = settings.as_ref().ok().and_then(|settings| settings.account.clone());
        begin(world, &Start { command: verb.name.to_owned(), vault, account, ..Start::default() })?
    } else {
        let manner = Manner {
            quiet: matches.get_flag("quiet"),
            verbose: matches.get_count("verbose"),
            colour: globals::colour(matches, world, &config)?,
        };
        Face::Plain(Arc::new(Plain::new(world, manner)))
    };
    let outcome = match (broken, settings) {
        (Some(fault), _) | (None, Err(fault)) => Err(fault),
        (None, Ok(settings)) => measured(world, verb, matches, |profile| {
            (verb.run)(matches, &Desk { world, config, settings, face: face.clone(), profile })
        }),
    };
    let outcome = outcome.map_err(|fault| match fault {
        Fault { code: Code::Usage, hint: None, .. } => fault.hint(format!("see `tuckbox help {}`", verb.name)),
        other => other,
    });
    finish(world, &face, outcome)
}

/// Does the work of a verb. With `--profile`, what was measured is written whatever became of it.
fn measured(
    world: &World,
    verb: &Verb,
    matches: &ArgMatches,
    work: impl FnOnce(Profile) -> Result<Exit>,
) -> Result<Exit> {
    let Some(path) = matches.get_one::<OsString>("profile") else { return work(Profile::default()) };
    let failed = |error: std::io::Error| {
        let name = crate::name::for_terminal(path.as_encoded_bytes());
        Fault::new(Code::System, format!("cannot write the profile {name}"))
            .because(error)
            .hint("name a file in a directory that is there: `--profile FILE`")
    };
    let profile = Profile::begin(Arc::clone(&world.clock));
    // Before the work, so that nobody waits for a profile that cannot be written.
    let mut file = std::fs::File::create(world.working.join(path)).map_err(failed)?;
    let outcome = work(profile.clone());
    let text = serde_json::to_string_pretty(&profile.report(verb.name)).map_err(|error| failed(error.into()));
    let written = text.and_then(|text| writeln!(file, "{text}").map_err(failed));
    outcome.and_then(|exit| written.map(|()| exit))
}

fn begin(world: &World, start: &Start) -> Result<Face> {
    let start = Start {
        tool: "tuckbox",
        version: env!("CARGO_PKG_VERSION"),
        run: store::id::hex(&random::<4>(world.chance.as_ref())),
        pid: std::process::id(),
        ..start.clone()
    };
    Ok(Face::Json(Arc::new(Stream::begin(Arc::clone(&world.stdout), Arc::clone(&world.clock), &start)?)))
}

fn finish(world: &World, face: &Face, outcome: Result<Exit>) -> Result<u8> {
    let status = match outcome {
        Ok(exit) => exit_number(exit),
        Err(_) if world.stdout.closed() => return Ok(PIPE_CLOSED),
        Err(fault) => {
            let status = match fault.code {
                Code::Interrupted => signal_status(world.stop.signal().unwrap_or(INTERRUPT)),
                _ => exit_number(fault.exit()),
            };
            // When it cannot be told, the status still says it.
            face.fault(&fault, status).unwrap_or_default();
            status
        }
    };
    face.end(status)?;
    Ok(status)
}

fn signal_status(signal: i32) -> u8 {
    u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX)
}

/// The candidate nearest to a word, when one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, candidate)| candidate)
}
