//! A line that is typed and that Tab completes, as the shell completes the same word. The text is the word itself: nothing in
//! it is quoted.

use std::sync::Arc;

use agent::complete::offer::Choice;
use crossterm::event::{KeyCode, KeyEvent};

use super::field::{Field, Typed};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effects, Lane};
use crate::console::pane::Pane;
use crate::console::shared::Shared;

/// Choices that are named below the line.
const NAMED_MAX: usize = 12;

/// See the module.
#[derive(Debug)]
pub struct Completed {
    /// The line.
    pub field: Field,
    /// The command line in front of the word.
    before: &'static str,
    choices: Pane<Arc<Vec<Choice>>>,
}

impl Completed {
    /// A word behind `before`, which says what may stand there, as in `ls --at `.
    #[must_use]
    pub fn new(lane: Lane, before: &'static str, text: &str) -> Self {
        Self { field: Field::holding(text), before, choices: Pane::new(lane) }
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.choices.is_waiting()
    }

    /// A key; Tab asks for what the word may become.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Typed {
        if key.code == KeyCode::Tab {
            let line = format!("{}{}", self.before, escaped(self.field.before()));
            self.choices.ask(shared, Ask::Complete(line), out);
            return Typed::Kept;
        }
        let typed = self.field.key(key);
        if typed == Typed::Changed {
            self.choices.clear();
        }
        typed
    }

    /// An answer; whether it was for this. What all choices have in common is typed.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        let heard = self.choices.hear(heard, |answer| match answer {
            Answer::Choices(_, choices) => Some(Arc::clone(choices)),
            _ => None,
        });
        let values: Vec<&str> =
            self.shown().iter().filter_map(|choice| std::str::from_utf8(&choice.value).ok()).collect();
        let common = common(&values);
        if heard && common.len() > self.field.before().len() {
            self.field.replace(0, &common);
        }
        heard
    }

    fn shown(&self) -> &[Choice] {
        self.choices.value().map(|choices| choices.as_slice()).unwrap_or_default()
    }

    /// What is named below the line: the choices, when there are several.
    #[must_use]
    pub fn named(&self) -> String {
        let choices = self.shown();
        if choices.len() < 2 {
            return String::new();
        }
        let more = if choices.len() > NAMED_MAX { "  and more" } else { "" };
        let names: Vec<&str> = choices.iter().take(NAMED_MAX).map(|choice| choice.shown.as_str()).collect();
        format!("{}{more}", names.join("  "))
    }
}

/// What all of these begin with.
fn common(values: &[&str]) -> String {
    let Some((first, rest)) = values.split_first() else { return String::new() };
    let mut common = (*first).to_owned();
    for value in rest {
        while !value.starts_with(common.as_str()) {
            common.pop();
        }
    }
    common
}

/// A word as a command line takes it, still open at its end.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if !(letter.is_alphanumeric() || "/._-~:@+,=".contains(letter)) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_one_word() {
        for text in ["2 days ago", "/home/ana/my docs", "a'b\"c", "~/x", "ä#;|&$(`"] {
            let parts = agent::shell::words::parse(&format!("x {}", escaped(text))).unwrap();
            assert_eq!(parts[0].words[1].bytes, text.as_bytes());
        }
        assert_eq!(common(&["/home/ana", "/home/bob"]), "/home/");
        assert_eq!((common(&["äb", "äc"]), common(&[])), ("ä".to_owned(), String::new()));
    }
}
