//! The command line: one table of verbs ([`crate::command::VERBS`]), one way in ([`run`]).
//!
//! * [`parse`](self): arguments; [`globals`]: options of every verb and their precedence
//! * [`desk`]: what a verb works with; [`person`]: who is asked
//! * [`hints`]: hints as they can be typed
//! * [`inside`]: what verbs of a shell or a batch have in common
//! * [`plain`], [`json`]: the two listeners; [`rows`]: lists in a shape of one's own; [`table`], [`explain`]: how things are shown
//! * [`signals`]: ending early

pub mod desk;
pub mod explain;
pub mod globals;
pub mod hints;
pub mod inside;
pub mod json;
pub mod man;
mod meter;
mod parse;
pub mod person;
pub mod plain;
pub mod rows;
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
use hints::Hints;
use inside::Inside;
use json::{Start, Stream, exit_number};
pub use parse::command;
use parse::{Parsed, parse};
use plain::{Manner, Plain};
use rows::{Rows, Shape};
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
        Parsed::Verb(verb, matches) => run_verb(world, verb, &matches, None),
    };
    let status = status.unwrap_or_else(|fault| unwritten(world, &fault));
    let flushed = world.stdout.flush();
    match flushed {
        _ if world.stdout.closed() => PIPE_CLOSED,
        // The results are lost; "done" would be a lie.
        Err(fault) if status == 0 => unwritten(world, &fault),
        _ => status,
    }
}

/// Runs a verb of a shell, a batch or a console, its word first. The status of the verb; a face that is shared stays open.
pub fn run_inside(world: &World, words: Vec<OsString>, inside: &Inside) -> u8 {
    let arguments = std::iter::once(OsString::from("tuckbox")).chain(words).collect();
    let status = match parse(arguments, world.terminal.columns) {
        Parsed::Text { text, status } => inside_face(world, inside).text(&text).map(|()| status),
        Parsed::Wrong(fault) => tell_inside(world, &fault, inside),
        Parsed::Verb(verb, matches) => run_verb(world, verb, &matches, Some(inside)),
    };
    let status = status.unwrap_or_else(|fault| exit_number(fault.exit()));
    if world.stdout.closed() { PIPE_CLOSED } else { status }
}

/// Tells a failure of a shell or a batch itself; its status.
pub(crate) fn tell_inside(world: &World, fault: &Fault, inside: &Inside) -> Result<u8> {
    finish(world, &inside_face(world, inside), Err(fault.clone()), inside.stream.is_some())
}

/// Who is told when no verb says otherwise.
pub(crate) fn inside_face(world: &World, inside: &Inside) -> Face {
    match &inside.stream {
        Some(stream) => Face::Json(Arc::clone(stream)),
        None => {
            let manner = Manner { colour: inside.colour, quiet: inside.outer.quiet, ..Manner::default() };
            Face::Plain(Arc::new(Plain::new(world, manner).heard_by(inside.hears.clone())))
        }
    }
}

/// The configuration, read anew: what it says now counts, whenever it was written.
pub(crate) fn config(world: &World) -> Result<Config> {
    Config::load(&world.folders()?.config.join("config.toml"), world.home.as_deref(), &world.env)
}

/// What a word of a shell, or a question of a console, works with.
pub fn inside_desk<'w>(world: &'w World, inside: &Inside) -> Result<Desk<'w>> {
    Ok(Desk {
        world,
        config: config(world)?,
        settings: inside.outer.clone(),
        face: inside_face(world, inside),
        profile: Profile::default(),
        view: inside.view.clone(),
        kept: Some(Arc::clone(&inside.kept)),
        throttle: inside.throttle.clone(),
    })
}

/// The results could not be written, and that is told where something can be. Nobody is told who went away.
fn unwritten(world: &World, fault: &Fault) -> u8 {
    let status = exit_number(fault.exit());
    if !world.stdout.closed() {
        // When even this cannot be told, the status still says it.
        world.stderr.line(&plain::fault_text(fault, status, false)).unwrap_or_default();
    }
    status
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
        begin(world, &Start::default(), Hints::default())?
    } else {
        let manner = Manner { colour: globals::colour_by_world(world), ..Manner::default() };
        Face::Plain(Arc::new(Plain::new(world, manner)))
    };
    finish(world, &face, Err(fault.clone()), false)
}

fn run_verb(world: &World, verb: &Verb, matches: &ArgMatches, inside: Option<&Inside>) -> Result<u8> {
    let loaded = config(world);
    let (config, broken) = match loaded {
        Ok(config) => (config, None),
        // `version`, `explain` and `config template` must work with a broken file.
        Err(_) if !verb.needs_config => (Config::default(), None),
        Err(fault) => (Config::default(), Some(fault)),
    };
    let settings = Settings::resolve(matches, world, &config)
        .map(|settings| inside.map_or(settings.clone(), |inside| settings.under(&inside.outer, matches)));
    let shared = inside.and_then(|inside| inside.stream.clone());
    let face = if let Some(stream) = &shared {
        Face::Json(Arc::clone(stream))
    } else if matches.get_flag("json") {
        let vault = settings.as_ref().ok().and_then(|settings| settings.vault.clone());
        let account = settings.as_ref().ok().and_then(|settings| settings.account.clone());
        begin(world, &Start { command: verb.name.to_owned(), vault, account, ..Start::default() }, Hints::of(matches))?
    } else {
        let manner = Manner {
            quiet: settings.as_ref().map_or(matches.get_flag("quiet"), |settings| settings.quiet),
            verbose: settings.as_ref().map_or(matches.get_count("verbose"), |settings| settings.verbose),
            colour: globals::colour(matches, world, &config)? && inside.is_none_or(|inside| inside.colour),
            tell_ms: inside.and_then(|inside| inside.tell_ms),
        };
        match shaped(world, verb, matches, manner) {
            Ok(Some(rows)) => Face::Json(Arc::new(rows)),
            Ok(None) => {
                let hears = inside.and_then(|inside| inside.hears.clone());
                Face::Plain(Arc::new(Plain::new(world, manner).heard_by(hears).with_hints(Hints::of(matches))))
            }
            Err(fault) => return finish(world, &Face::Plain(Arc::new(Plain::new(world, manner))), Err(fault), false),
        }
    };
    let forbidden = inside.and_then(|_| inside::refused(verb.name));
    let outcome = match (broken.or(forbidden), settings) {
        (Some(fault), _) | (None, Err(fault)) => Err(fault),
        (None, Ok(settings)) => measured(world, verb, matches, |profile| {
            let (view, kept) = inside.map(|inside| (inside.view.clone(), Arc::clone(&inside.kept))).unzip();
            let view = view.unwrap_or_default();
            let throttle = inside.and_then(|inside| inside.throttle.clone());
            let face = face.clone();
            (verb.run)(matches, &Desk { world, config, settings, face, profile, view, kept, throttle })
        }),
    };
    let outcome = outcome.map_err(|fault| match fault {
        Fault { code: Code::Usage, hint: None, .. } => fault.hint(format!("see `tuckbox help {}`", verb.name)),
        other => other,
    });
    finish(world, &face, outcome, shared.is_some())
}

/// Rows in the shape that `--format` or `-0` asks for.
fn shaped(world: &World, verb: &Verb, matches: &ArgMatches, manner: Manner) -> Result<Option<Stream>> {
    let shape = match matches.get_one::<String>("format") {
        Some(format) if crate::command::status::is_format(verb.name, format) => return Ok(None),
        Some(word) if !word.contains('{') && word != "csv" => return Err(no_format(verb, word)),
        Some(template) => Shape::read(template)?,
        None if matches.get_flag("null") => Shape::Null,
        None => return Ok(None),
    };
    shape.check(verb.name)?;
    let rows = Rows { shape, aside: Plain::new(world, manner).with_hints(Hints::of(matches)) };
    Ok(Some(Stream::of_rows(Arc::clone(&world.stdout), Arc::clone(&world.clock), rows)))
}

/// A word that is no format and no template: with it every row would look the same.
fn no_format(verb: &Verb, word: &str) -> Fault {
    let fault = Fault::new(Code::Usage, format!("there is no format \"{}\"", crate::name::harmless_line(word)));
    let known =
        crate::command::status::FORMATS.iter().filter(|format| crate::command::status::is_format(verb.name, format));
    match nearest(word, known.copied().chain(["csv"])) {
        Some(near) => fault.hint(format!("did you mean `--format {near}`?")),
        None => fault.hint(r"name the fields of a row, as in --format '{path}\t{bytes}\n', or say csv"),
    }
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
        Fault::new(Code::of(&error), format!("cannot write the profile {name}"))
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

fn begin(world: &World, start: &Start, hints: Hints) -> Result<Face> {
    let start = Start {
        tool: "tuckbox",
        version: env!("CARGO_PKG_VERSION"),
        run: store::id::hex(&random::<4>(world.chance.as_ref())),
        pid: std::process::id(),
        ..start.clone()
    };
    let stream = Stream::begin(Arc::clone(&world.stdout), Arc::clone(&world.clock), &start)?;
    Ok(Face::Json(Arc::new(stream.with_hints(hints))))
}

/// Tells how it came out, and ends the face, unless others go on with it.
fn finish(world: &World, face: &Face, outcome: Result<Exit>, shared: bool) -> Result<u8> {
    let status = match outcome {
        Ok(exit) => exit_number(exit),
        Err(_) if world.stdout.closed() => return Ok(PIPE_CLOSED),
        Err(fault) => {
            let status = match fault.code {
                Code::Interrupted => signal_status(world.stop.signal().unwrap_or(INTERRUPT)),
                _ => exit_number(fault.exit()),
            };
            if face.fault(&fault, status).is_err() {
                return Ok(unwritten(world, &fault));
            }
            status
        }
    };
    let ended = if shared { Ok(()) } else { face.end(status) };
    match ended {
        // What went wrong before is what counts. People were told of it; a program's records may be what was not written.
        Err(fault) if status != 0 => {
            if face.is_json() {
                unwritten(world, &fault);
            }
            Ok(status)
        }
        other => other.map(|()| status),
    }
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
