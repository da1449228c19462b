//! From arguments to a verb, and from clap's errors to ours.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, ColorChoice, Command};

use super::globals;
use crate::command::{FOREIGN, VERBS, Verb};
use crate::fault::{Code, Fault};
use crate::name::harmless_line;

/// Widest help text, in columns.
const HELP_COLUMNS: usize = 100;

/// What a command line means.
pub(super) enum Parsed {
    /// Print this and exit so.
    Text { text: String, status: u8 },
    /// It cannot be understood.
    Wrong(Fault),
    /// Run this verb.
    Verb(&'static Verb, ArgMatches),
}

/// The whole command line as clap knows it, made from the table of verbs.
#[must_use]
pub fn command() -> Command {
    VERBS.iter().fold(top(), |top, verb| top.subcommand(verb.command()))
}

fn top() -> Command {
    let top = Command::new("tuckbox")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Encrypted, deduplicating backup that needs nothing on the server but SSH.")
        .after_help(
            "Examples:\n  tuckbox backup ~/docs\n  tuckbox versions\n  tuckbox restore ~/docs/letter.txt --to ~/restored\n\n\
             `tuckbox help VERB` tells more, `tuckbox explain CODE` explains an error.",
        )
        .color(ColorChoice::Never)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_value_name("VERB")
        .subcommand_help_heading("Verbs")
        .infer_long_args(false);
    globals::add(top)
}

/// Understands arguments, the program's name first.
pub(super) fn parse(arguments: Vec<OsString>, columns: usize) -> Parsed {
    let verb_given = verb_among(&arguments);
    let top = VERBS.iter().fold(top(), |top, verb| top.subcommand(verb.deferred()));
    match top.term_width(columns.min(HELP_COLUMNS)).try_get_matches_from(arguments) {
        Ok(matches) => match matches.subcommand() {
            Some((name, below)) => match VERBS.iter().find(|verb| verb.name == name) {
                Some(verb) => Parsed::Verb(verb, below.clone()),
                None => Parsed::Wrong(Fault::new(Code::Usage, "there is no such verb")),
            },
            None => Parsed::Wrong(Fault::new(Code::Usage, "a verb is missing")),
        },
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Parsed::Text { text: error.render().to_string(), status: 0 }
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Parsed::Text { text: error.render().to_string(), status: 2 }
            }
            _ => Parsed::Wrong(fault_of(&error, verb_given)),
        },
    }
}

/// The first argument that is a verb, for naming its help.
fn verb_among(arguments: &[OsString]) -> Option<&'static str> {
    arguments.iter().skip(1).find_map(|argument| VERBS.iter().find(|verb| argument == verb.name)).map(|verb| verb.name)
}

fn fault_of(error: &clap::Error, verb: Option<&'static str>) -> Fault {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(word) = context(ContextKind::InvalidSubcommand)
    {
        return unknown_verb(&word, verb);
    }
    let help = match verb {
        Some(verb) => format!("`tuckbox help {verb}`"),
        None => "`tuckbox help`".to_owned(),
    };
    let rendered = error.render().to_string();
    let sentence: Vec<&str> = rendered.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let sentence = sentence.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    let near = context(ContextKind::SuggestedArg).or_else(|| context(ContextKind::SuggestedValue));
    let hint = match near {
        Some(near) => format!("did you mean {}? See {help}", harmless_line(&near)),
        None => format!("see {help}"),
    };
    Fault::new(Code::Usage, harmless_line(sentence.trim_end_matches('.'))).hint(hint)
}

/// A word that is no verb: perhaps one of another program, perhaps misspelt.
fn unknown_verb(word: &str, verb: Option<&'static str>) -> Fault {
    // `tuckbox key lst` is about a word of `key`.
    if let Some(verb) = verb {
        let fault = Fault::new(Code::Usage, format!("`tuckbox {verb}` knows no \"{}\"", harmless_line(word)));
        let below = VERBS.iter().find(|known| known.name == verb).map(Verb::command);
        let words: Vec<String> =
            below.iter().flat_map(Command::get_subcommands).map(|known| known.get_name().to_owned()).collect();
        return match super::nearest(word, words.iter().map(String::as_str)) {
            Some(near) => fault.hint(format!("did you mean `tuckbox {verb} {near}`? See `tuckbox help {verb}`")),
            None => fault.hint(format!("see `tuckbox help {verb}`")),
        };
    }
    let fault = Fault::new(Code::Usage, format!("there is no verb \"{}\"", harmless_line(word)));
    if let Some((_, hint)) = FOREIGN.iter().find(|(foreign, _)| *foreign == word) {
        return fault.hint(*hint);
    }
    match super::nearest(word, VERBS.iter().map(|verb| verb.name)) {
        Some(near) => fault.hint(format!("did you mean `tuckbox {near}`?")),
        None => fault.hint("`tuckbox help` lists the verbs"),
    }
}
