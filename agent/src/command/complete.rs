//! `__complete`: what the completion files of other shells ask. It never asks a person, and ends soon.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use store::tree::Kind;

use super::{Changes, Verb, some_path};
use crate::cli::{Desk, inside_desk};
use crate::complete::offer::{Choice, Knows, Name, Place, offer};
use crate::complete::scripts::SHELLS;
use crate::complete::spot::spot;
use crate::engine::job::{At, ListJob, VersionRow, VersionsJob};
use crate::fault::{Exit, Result};
use crate::shell::words::{Quote, Word, lex};
use crate::world::World;

pub(super) const VERB: Verb = Verb {
    name: "__complete",
    about: "Answer a completion file",
    examples: &["__complete bash 'tuckbox ls /home/' /home/"],
    build,
    run,
    needs_config: false,
    changes: Changes::Nothing,
};

/// So long a person waits for a Tab, and for a server far away no longer.
const BUDGET: Duration = Duration::from_millis(1_500);

fn build(command: Command) -> Command {
    command
        .arg(Arg::new("shell").value_parser(SHELLS.each_ref().map(|shell| shell.name)).required(true))
        .arg(Arg::new("line").value_parser(some_path()).required(true).help("The line up to the cursor"))
        .arg(
            Arg::new("word")
                .value_parser(clap::builder::OsStringValueParser::new())
                .allow_hyphen_values(true)
                .help("Its last word, as the shell cuts it"),
        )
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let text = |name: &str| matches.get_one::<OsString>(name).and_then(|text| text.to_str()).unwrap_or_default();
    let (line, word) = (text("line"), text("word"));
    let shell = matches.get_one::<String>("shell").map_or("", String::as_str);
    let mut top = crate::cli::command();
    top.build();
    let line = own(line);
    let spot = spot(line, &top, &[]);
    let zone = desk.zone();
    let place = Place { view: &desk.view, working: &desk.world.working, home: desk.world.home.as_deref(), zone: &zone };
    let choices = offer(&spot, &place, &[], &Asks { desk });
    let raw = line.get(spot.word.start..).unwrap_or_default();
    for choice in choices {
        let row = match shell {
            "fish" => fish(&choice),
            _ => quoted(&choice, raw, word, spot.word.open).map(|text| row(&choice, &text)),
        };
        if let Some(row) = row {
            desk.world.stdout.line(&row)?;
        }
    }
    Ok(Exit::Ok)
}

/// What stands after the program's name in the command that is being typed.
fn own(line: &str) -> &str {
    let words = lex(line).pop().unwrap_or_default().words;
    let named = |word: &&Word| word.text().rsplit('/').next() == Some("tuckbox");
    let program = words.iter().rev().skip(1).find(named).or(words.first());
    program.and_then(|word| line.get(word.end..)).unwrap_or_default()
}

fn row(choice: &Choice, text: &str) -> String {
    format!("{}\t{text}\t{}", u8::from(choice.finished), choice.about)
}

/// fish quotes by itself, and reads a line each: what holds a line end cannot be told.
fn fish(choice: &Choice) -> Option<String> {
    let value = std::str::from_utf8(&choice.value).ok().filter(|value| !value.contains(['\n', '\t']));
    value.map(|value| format!("{value}\t{}", choice.about))
}

/// The text that takes the place of `word`: what the shell has cut off in front, and the quote that is open, stay.
fn quoted(choice: &Choice, raw: &str, word: &str, open: Quote) -> Option<String> {
    let before = raw.strip_suffix(word).unwrap_or_default();
    let text = choice.text.strip_prefix(before)?;
    let mark = match open {
        Quote::Single => '\'',
        Quote::Double => '"',
        Quote::Bare | Quote::Dollar => return Some(text.to_owned()),
    };
    // A name that these quotes cannot hold is not offered in them.
    let text = text.strip_prefix(mark).or_else(|| (!before.is_empty()).then_some(text))?;
    Some(text.strip_suffix(mark).unwrap_or(text).to_owned())
}

/// Asks the vault, for a moment.
struct Asks<'a> {
    desk: &'a Desk<'a>,
}

impl Asks<'_> {
    fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&Desk<'_>) -> Result<T> + Send + 'static) -> Option<T> {
        let world: World = self.desk.world.clone();
        let mut inside = crate::shell::inside(self.desk, None, false);
        (inside.outer.may_ask, inside.outer.quiet) = (false, true);
        let (tells, hears) = sync_channel(1);
        let asked = std::thread::Builder::new().name("ask".into()).spawn(move || {
            let answer = inside_desk(&world, &inside).and_then(|desk| ask(&desk));
            // Nobody waits any more when it took too long.
            drop(tells.send(answer.ok()));
        });
        asked.ok().and_then(|_| hears.recv_timeout(BUDGET).ok()).flatten()
    }
}

impl Knows for Asks<'_> {
    fn names(&self, at: Option<&str>, dir: &[u8]) -> Option<Arc<Vec<Name>>> {
        let (at, dir) = (at.map(str::to_owned), dir.to_vec());
        self.ask(move |desk| {
            let at = at.map_or(Ok(At::default()), |text| desk.version(&text).map(|understood| understood.at))?;
            let job = ListJob { at, paths: vec![dir.clone()], ..ListJob::default() };
            let mut names = Vec::new();
            desk.engine().list(&desk.run()?, job, &mut |row| {
                if row.path != dir {
                    let name = std::path::Path::new(std::ffi::OsStr::from_bytes(&row.path)).file_name();
                    let bytes = name.unwrap_or_default().as_bytes().to_vec();
                    names.push(Name { bytes, dir: row.kind == Kind::Dir });
                }
                Ok(())
            })?;
            Ok(Arc::new(names))
        })
    }

    fn versions(&self) -> Option<Arc<Vec<VersionRow>>> {
        self.ask(|desk| desk.engine().versions(&desk.run()?, VersionsJob::default()).map(Arc::new))
    }

    fn accounts(&self) -> Vec<String> {
        crate::shell::accounts(self.desk).unwrap_or_default()
    }

    fn all_accounts(&self) -> Option<Arc<Vec<String>>> {
        self.ask(|desk| crate::shell::all_accounts(desk, &desk.run()?).map(Arc::new))
    }

    fn groups(&self) -> Option<Arc<Vec<String>>> {
        self.ask(|desk| crate::shell::groups(desk, &desk.run()?).map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_found_among_others() {
        for (line, rest) in [
            ("tuckbox ls /a", " ls /a"),
            ("cd x; LANG=C /usr/bin/tuckbox ls 'a b", " ls 'a b"),
            ("cat x | tuckbox ls ", " ls "),
            ("t ls", " ls"),
            ("tuckbox ls tuckbox", " ls tuckbox"),
            ("", ""),
        ] {
            assert_eq!(own(line), rest, "{line}");
        }
    }

    #[test]
    fn what_the_shell_keeps_is_not_said_again() {
        let choice = |text: &str| Choice {
            value: Vec::new(),
            text: text.to_owned(),
            shown: String::new(),
            about: String::new(),
            finished: true,
        };
        let made = |text: &str, raw: &str, word: &str, open| quoted(&choice(text), raw, word, open);
        assert_eq!(made("/a/b\\ c", "/a/b", "/a/b", Quote::Bare).as_deref(), Some("/a/b\\ c"));
        assert_eq!(made("--at=yesterday", "--at=y", "y", Quote::Bare).as_deref(), Some("yesterday"));
        assert_eq!(made("\"/a/b c\"", "\"/a/b", "\"/a/b", Quote::Double).as_deref(), Some("/a/b c"));
        assert_eq!(made("/a/b\\'", "'/a/b", "'/a/b", Quote::Single), None);
    }
}
