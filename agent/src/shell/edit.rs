//! What the line editor is told: what a Tab completes, what a hint shows, what is coloured, when a line is whole.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use clap::Command;
use rustyline::completion::{Candidate, Completer};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Helper};

use super::browse::{Browser, Seen};
use super::builtin::BUILTINS;
use super::session::Session;
use super::words::{Part, Unfinished, lex, parse};
use crate::cli::inside::Inside;
use crate::command::VERBS;
use crate::complete::offer::{Choice, Place, offer};
use crate::complete::spot::{Extra, Wants, spot};
use crate::engine::queue::lock;
use crate::name::{cut_end, width};
use crate::world::World;

/// Widest column of names in a list; what is said of them begins after it.
const NAME_COLUMNS: usize = 28;

/// What the editor sees of the session; renewed before each prompt.
pub struct Now {
    /// What verbs have in common.
    pub inside: Inside,
    /// Where one is on this machine.
    pub working: std::path::PathBuf,
}

/// See the module.
pub struct Editor {
    top: Command,
    extras: Vec<Extra>,
    words: Vec<(String, String)>,
    browser: Browser,
    world: World,
    now: Arc<Mutex<Now>>,
    history: HistoryHinter,
}

impl Editor {
    /// For a session that is seen through `now`.
    #[must_use]
    pub fn new(world: &World, browser: Browser, now: Arc<Mutex<Now>>) -> Self {
        let mut top = crate::cli::command();
        top.build();
        let extras = BUILTINS.iter().flat_map(|word| {
            let names = std::iter::once(word.name).chain(word.other_name);
            names.map(|name| Extra { name, takes: word.takes })
        });
        let extras = extras.collect();
        let words = Session::words();
        Self { top, extras, words, browser, world: world.clone(), now, history: HistoryHinter::new() }
    }

    fn choices(&self, line: &str) -> (usize, Vec<Choice>) {
        let now = lock(&self.now);
        let spot = spot(line, &self.top, &self.extras);
        let zone = if now.inside.outer.utc { jiff::tz::TimeZone::UTC } else { self.world.zone.clone() };
        let place =
            Place { view: &now.inside.view, working: &now.working, home: self.world.home.as_deref(), zone: &zone };
        let knows = Seen { browser: &self.browser, inside: &now.inside };
        let mut choices = offer(&spot, &place, &self.words, &knows);
        if matches!(spot.wants, Wants::Option(_)) && spot.value.iter().all(|byte| *byte == b'-') {
            // Those of every verb would hide those of this one; they come when more is typed.
            let global = |text: &str| self.top.get_arguments().any(|arg| arg.get_long() == text.strip_prefix("--"));
            choices.retain(|choice| !global(&choice.text));
        }
        (spot.word.start, choices)
    }
}

impl Helper for Editor {}

/// A choice as the editor takes it.
pub struct Offered {
    shown: String,
    text: String,
}

impl Candidate for Offered {
    fn display(&self) -> &str {
        &self.shown
    }

    fn replacement(&self) -> &str {
        &self.text
    }
}

impl Completer for Editor {
    type Candidate = Offered;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<Offered>), ReadlineError> {
        let (start, choices) = self.choices(line.get(..at).unwrap_or_default());
        if choices.is_empty() && self.browser.waits() {
            // The word as it is: the line is drawn again, with the hint that something is on its way.
            let text = line.get(start..at).unwrap_or_default().to_owned();
            return Ok((start, vec![Offered { shown: text.clone(), text }]));
        }
        let alone = choices.len() == 1;
        let columns = crate::world::columns().saturating_sub(1);
        let with_about = choices.iter().any(|choice| !choice.about.is_empty());
        let offered = choices.into_iter().map(|choice| {
            let blank = if alone && choice.finished { " " } else { "" };
            let shown = match (with_about, choice.about.is_empty()) {
                (true, false) => {
                    let gap = " ".repeat(NAME_COLUMNS.saturating_sub(width(&choice.shown)).max(2));
                    cut_end(&format!("{}{gap}{}", choice.shown, choice.about), columns)
                }
                _ => choice.shown,
            };
            Offered { shown, text: format!("{}{blank}", choice.text) }
        });
        Ok((start, offered.collect()))
    }
}

/// What stands dim behind the cursor.
pub struct Ghost {
    shown: String,
    takes: bool,
}

impl Hint for Ghost {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.takes.then_some(self.shown.as_str())
    }
}

impl Hinter for Editor {
    type Hint = Ghost;

    fn hint(&self, line: &str, at: usize, context: &Context<'_>) -> Option<Ghost> {
        if at < line.len() {
            return None;
        }
        if self.browser.waits() && !line.is_empty() {
            return Some(Ghost { shown: "  … listing, Tab again".to_owned(), takes: false });
        }
        // A line of several is not put behind one.
        let hint = self.history.hint(line, at, context).filter(|hint| !hint.contains('\n'));
        hint.map(|shown| Ghost { shown, takes: true })
    }
}

impl Validator for Editor {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match parse(context.input()) {
            Err(Unfinished::More) => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Highlighter for Editor {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Owned(coloured(line))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        // What is said of a name stands apart from it by two blanks and is dim.
        match candidate.find("  ") {
            Some(at) => {
                let (name, about) = candidate.split_at(at);
                Cow::Owned(format!("{name}\x1b[2m{about}\x1b[0m"))
            }
            None if candidate.ends_with('/') => Cow::Owned(format!("\x1b[34;1m{candidate}\x1b[0m")),
            None => Cow::Borrowed(candidate),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        true
    }
}

/// The line with its colours: commands that there are green and others red, options cyan, quotes yellow.
fn coloured(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 32);
    let mut at = 0;
    for part in lex(line) {
        for (number, word) in part.words.iter().enumerate() {
            let (Some(between), Some(text)) = (line.get(at..word.start), line.get(word.start..word.end)) else { break };
            let code = match number {
                0 if is_command(&part) => "\x1b[32;1m",
                0 => "\x1b[31m",
                _ if text.starts_with('-') => "\x1b[36m",
                _ if word.quoted && !text.starts_with('\\') && text.contains(['\'', '"']) => "\x1b[33m",
                _ => "",
            };
            out.push_str(between);
            if code.is_empty() {
                out.push_str(text);
            } else {
                out.push_str(&format!("{code}{text}\x1b[0m"));
            }
            at = word.end;
        }
    }
    out.push_str(line.get(at..).unwrap_or_default());
    out
}

/// Whether the first word is one that can be run, or, while it is typed, the beginning of one.
fn is_command(part: &Part) -> bool {
    let Some(first) = part.words.first() else { return false };
    let text = first.text();
    let mut names = VERBS.iter().map(|verb| verb.name).chain(BUILTINS.iter().map(|word| word.name)).chain(["quit"]);
    if part.words.len() == 1 { names.any(|name| name.starts_with(text)) } else { names.any(|name| name == text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_keep_every_character() {
        for line in ["ls -l 'a b' c", "nothing x", "ls; cd \"a", "  restore  --to x &", "!grep x", "ls a\\ b # c", ""] {
            let plain = coloured(line);
            let mut bare = String::new();
            let mut inside = false;
            for c in plain.chars() {
                match c {
                    '\x1b' => inside = true,
                    'm' if inside => inside = false,
                    c if !inside => bare.push(c),
                    _ => {}
                }
            }
            assert_eq!(bare, line);
        }
        assert!(coloured("ls x").starts_with("\x1b[32;1mls\x1b[0m") && coloured("lsx y").starts_with("\x1b[31m"));
    }
}
