//! Where in a command line one is, and what may stand there.

use clap::{Arg, Command};

use super::{Takes, takes};
use crate::shell::words::{Part, Quote, Word, lex};

/// A place in a line that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The word under the cursor, as far as the cursor; empty between words.
    pub word: Word,
    /// What is in front of the value within it, as in `--at=`.
    pub before: String,
    /// What the value means so far.
    pub value: Vec<u8>,
    /// What may stand there.
    pub wants: Wants,
    /// The version that the line names by `--at`.
    pub at: Option<String>,
}

/// What may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    /// A command's first word.
    First,
    /// A word below a verb (`key list`), or an argument.
    Below(Vec<(String, String)>),
    /// An option, each with its help.
    Option(Vec<(String, String)>),
    /// A value.
    Value(Takes),
}

/// A word that is no verb and takes arguments, as a shell has them.
pub struct Extra {
    /// The word.
    pub name: &'static str,
    /// What its arguments are; the last goes for all that follow.
    pub takes: &'static [Takes],
}

/// The spot at the end of `line`. `top` is the whole command line, built; `extras` are words that count as verbs.
#[must_use]
pub fn spot(line: &str, top: &Command, extras: &[Extra]) -> Spot {
    let mut part = lex(line).pop().unwrap_or_default();
    let word = match part.words.pop() {
        Some(word) if word.end == line.len() => word,
        other => {
            part.words.extend(other);
            Word { start: line.len(), end: line.len(), ..Word::default() }
        }
    };
    let Word { bytes, .. } = &word;
    let mut spot = Spot { before: String::new(), value: bytes.clone(), wants: Wants::First, at: None, word };
    let Part { words, outside, .. } = part;
    let Some((first, rest)) = words.split_first() else {
        if outside.is_some() {
            spot.wants = Wants::Value(Takes::Nothing);
        }
        return spot;
    };
    if let Some(extra) = extras.iter().find(|extra| extra.name == first.text()) {
        let takes = extra.takes.get(rest.len()).or(extra.takes.last()).cloned();
        spot.wants = Wants::Value(takes.unwrap_or(Takes::Nothing));
        return spot;
    }
    match top.find_subcommand(first.text()) {
        Some(verb) => below(&mut spot, verb, rest),
        // Options of all verbs may stand before the verb.
        None if first.text().starts_with('-') => below(&mut spot, top, &words),
        None => spot.wants = Wants::Value(Takes::Nothing),
    }
    spot
}

fn below(spot: &mut Spot, verb: &Command, words: &[Word]) {
    let mut command = verb;
    let mut open: Option<&Arg> = None;
    let mut places = 0;
    let mut only_places = false;
    for word in words {
        let text = word.text();
        if let Some(arg) = open.take() {
            note(spot, arg, text);
        } else if only_places || !text.starts_with('-') || text == "-" {
            match command.find_subcommand(text).filter(|_| places == 0 && !only_places) {
                Some(sub) => command = sub,
                None => places += 1,
            }
        } else if text == "--" {
            only_places = true;
        } else if let Some((name, value)) = text.split_once('=').filter(|_| text.starts_with("--")) {
            if let Some(arg) = option(command, name) {
                note(spot, arg, value);
            }
        } else {
            open = option(command, text).filter(|arg| arg.get_action().takes_values());
        }
    }
    let text = spot.word.text().to_owned();
    spot.wants = if let Some(arg) = open {
        Wants::Value(takes(arg))
    } else if let Some((name, value)) = text.split_once('=').filter(|_| text.starts_with("--") && !only_places) {
        spot.before = format!("{name}=");
        spot.value = value.as_bytes().to_vec();
        Wants::Value(option(command, name).map_or(Takes::Nothing, takes))
    } else if text.starts_with('-') && !only_places && spot.word.open == Quote::Bare {
        Wants::Option(options(command))
    } else {
        let subs: Vec<_> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect();
        if subs.is_empty() || places > 0 {
            let positionals: Vec<&Arg> = command.get_positionals().collect();
            let arg = positionals.get(places).or(positionals.last().filter(|arg| many(arg)));
            Wants::Value(arg.map_or(Takes::Nothing, |arg| takes(arg)))
        } else {
            let about = |sub: &&Command| sub.get_about().map(ToString::to_string).unwrap_or_default();
            Wants::Below(subs.iter().map(|sub| (sub.get_name().to_owned(), about(sub))).collect())
        }
    };
}

fn many(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}

fn note(spot: &mut Spot, arg: &Arg, value: &str) {
    if arg.get_id() == "at" {
        spot.at = Some(value.to_owned());
    }
}

/// The option of this name: `--long`, `-s`, or the last of several short ones.
fn option<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some() && arg.get_short() == name.chars().last(),
    })
}

/// Long options with their help; those that take a value with `=` are told by it.
#[must_use]
pub fn options(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let row = |arg: &Arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.get_long().map(|long| (format!("--{long}"), help))
    };
    shown.filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Spot {
        let mut top = crate::cli::command();
        top.build();
        spot(line, &top, &[Extra { name: "cd", takes: &[Takes::RemoteDir] }, Extra { name: "pwd", takes: &[] }])
    }

    #[test]
    fn each_place_wants_its_own() {
        for (line, wants) in [
            ("", Wants::First),
            ("re", Wants::First),
            ("ls; re", Wants::First),
            ("ls ", Wants::Value(Takes::Remote)),
            ("ls a b c", Wants::Value(Takes::Remote)),
            ("ls -l --at ", Wants::Value(Takes::Version)),
            ("ls --at=", Wants::Value(Takes::Version)),
            ("ls -- -x", Wants::Value(Takes::Remote)),
            ("diff ", Wants::Value(Takes::Version)),
            ("diff previous latest ", Wants::Value(Takes::Remote)),
            ("restore x --to ", Wants::Value(Takes::LocalDir)),
            ("restore -t ", Wants::Value(Takes::LocalDir)),
            ("backup ", Wants::Value(Takes::Local)),
            ("dump x -o ", Wants::Value(Takes::Local)),
            ("dump x ", Wants::Value(Takes::Nothing)),
            ("ls --account ", Wants::Value(Takes::Account)),
            ("--account ", Wants::Value(Takes::Account)),
            ("cd ", Wants::Value(Takes::RemoteDir)),
            ("pwd ", Wants::Value(Takes::Nothing)),
            ("nothing ", Wants::Value(Takes::Nothing)),
            ("!grep ", Wants::Value(Takes::Nothing)),
            ("explain ", Wants::Value(Takes::Code)),
        ] {
            assert_eq!(at(line).wants, wants, "{line}");
        }
        assert!(matches!(at("key ").wants, Wants::Below(words) if words.iter().any(|(word, _)| word == "passwd")));
        assert!(
            matches!(at("ls --r").wants, Wants::Option(all) if all.iter().any(|(o, h)| o == "--recursive" && !h.is_empty()))
        );
        assert!(matches!(at("ls -").wants, Wants::Option(_)));
        assert!(matches!(at("restore --overwrite ").wants, Wants::Value(Takes::Words(words)) if words.len() == 5));
    }

    #[test]
    fn the_word_the_value_and_the_version_are_known() {
        let spot = at("ls --at yesterday 'my d");
        assert_eq!((spot.value.as_slice(), spot.word.start, spot.at.as_deref()), (&b"my d"[..], 18, Some("yesterday")));
        let spot = at("ls --at=late");
        assert_eq!((spot.value.as_slice(), spot.before.as_str()), (&b"late"[..], "--at="));
    }
}
