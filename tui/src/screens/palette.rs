//! The command line of the console: the verbs and the grammar of the shell, completed as there. What a verb says is shown
//! above the screen.

use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use agent::complete::offer::Choice;
use agent::name::{cut_end, width};
use agent::shell::session::unfinished;
use agent::shell::words::{Part, parse};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use super::ScreenId;
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::Action;
use crate::console::overlay::Held;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::field::{Field, Typed};
use crate::widgets::list::List;
use crate::widgets::panel::panel;
use crate::widgets::text::{Align, fit, put};

/// Choices that are seen at a time, at most.
const SEEN_MAX: usize = 10;
/// Columns of a choice before what is said of it.
const NAME_COLUMNS: usize = 24;

/// See the module.
#[derive(Debug)]
pub struct State {
    field: Field,
    choices: Pane<(usize, Arc<Vec<Choice>>)>,
    list: List,
    /// Steps back among the lines of before; 0 = what is typed.
    back: usize,
}

impl State {
    /// An empty line; what it may begin with is asked for.
    #[must_use]
    pub fn new(shared: &Shared, out: &mut Effects) -> Self {
        Self::holding("", shared, out)
    }

    /// A line that was begun.
    #[must_use]
    pub fn holding(line: &str, shared: &Shared, out: &mut Effects) -> Self {
        let choices = Pane::new(Lane(ScreenId::Dashboard, u8::MAX));
        let mut state = Self { field: Field::holding(line), choices, list: List::default(), back: 0 };
        state.changed(shared, out);
        state
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.choices.is_waiting()
    }

    /// An answer of the engine; whether it was waited for here.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        let heard = self.choices.hear(heard, |answer| match answer {
            Answer::Choices(start, choices) => Some((*start, Arc::clone(choices))),
            _ => None,
        });
        if heard {
            self.list.cursor = 0;
        }
        heard
    }

    /// Something was pasted.
    pub fn paste(&mut self, shared: &Shared, text: &str, out: &mut Effects) {
        self.field.insert(text);
        self.changed(shared, out);
    }

    fn changed(&mut self, shared: &Shared, out: &mut Effects) {
        self.choices.ask(shared, Ask::Complete(self.field.before().to_owned()), out);
    }

    fn shown(&self) -> &[Choice] {
        self.choices.value().map(|(_, choices)| choices.as_slice()).unwrap_or_default()
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let all = self.shown().len();
        match key.code {
            KeyCode::Tab => self.take(shared, out),
            KeyCode::Up if self.field.text().is_empty() || self.back > 0 => self.remember(shared, 1, out),
            KeyCode::Down if self.back > 0 => self.remember(shared, -1, out),
            KeyCode::Char('p') if control => self.remember(shared, 1, out),
            KeyCode::Char('n') if control => self.remember(shared, -1, out),
            KeyCode::Up => drop(self.list.moves(Action::Up, all, SEEN_MAX)),
            KeyCode::Down => drop(self.list.moves(Action::Down, all, SEEN_MAX)),
            _ => match self.field.key(key) {
                Typed::GivenUp => return Held::Closes,
                Typed::Done => return self.run(shared, out),
                Typed::Changed => {
                    self.back = 0;
                    self.changed(shared, out);
                }
                Typed::Kept | Typed::Other => {}
            },
        }
        Held::Stays
    }

    /// Takes the choice under the cursor.
    fn take(&mut self, shared: &Shared, out: &mut Effects) {
        // What is offered belongs to what was typed then.
        if self.choices.is_waiting() {
            return;
        }
        let Some((start, choices)) = self.choices.value() else { return };
        let Some(choice) = choices.get(self.list.cursor) else { return };
        let blank = if choice.finished { " " } else { "" };
        let (start, text) = (*start, format!("{}{blank}", choice.text));
        self.field.replace(start, &text);
        self.changed(shared, out);
    }

    /// Lines of before: those that were run here.
    fn remember(&mut self, shared: &Shared, by: isize, out: &mut Effects) {
        let lines: Vec<&str> = shared.jobs.all().rev().map(|job| job.words.as_str()).collect();
        let Some(back) = self.back.checked_add_signed(by).filter(|back| *back <= lines.len()) else { return };
        self.back = back;
        let line = back.checked_sub(1).and_then(|at| lines.get(at)).copied().unwrap_or_default();
        self.field = Field::holding(line);
        self.changed(shared, out);
    }

    fn run(&self, shared: &Shared, out: &mut Effects) -> Held {
        match parse(self.field.text()) {
            Ok(parts) => {
                for part in &parts {
                    if let Err(why) = start(part, shared, out) {
                        out.warn(why);
                        return Held::Stays;
                    }
                }
                Held::Closes
            }
            Err(why) => {
                out.warn(unfinished(&why).message);
                Held::Stays
            }
        }
    }

    /// Draws it: it grows upwards from the last line.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let choices = self.shown();
        let most = usize::from(area.height.saturating_sub(4)).min(SEEN_MAX);
        let rows = choices.len().min(most);
        let high = u16::try_from(rows + 3).unwrap_or(3).min(area.height);
        let outer = Rect { y: area.y + area.height - high, height: high, ..area };
        Clear.render(outer, buf);
        let place = if choices.is_empty() { String::new() } else { self.list.place(choices.len()) };
        let inner = panel(buf, outer, shared, "Command: as in the shell; Tab completes", &place, true);
        let above = Rect { height: inner.height.saturating_sub(1), ..inner };
        let columns = usize::from(inner.width).saturating_sub(2);
        self.list.draw(buf, above, shared.theme, choices.len(), true, |row| {
            let Some(choice) = choices.get(row) else { return (Line::raw(""), false) };
            let wide = NAME_COLUMNS.max(width(&choice.shown) + 2).min(columns);
            let name = fit(&choice.shown, wide, Align::Path);
            let about = cut_end(&choice.about, columns.saturating_sub(wide));
            (Line::from(vec![Span::raw(name), Span::styled(about, shared.theme.dim())]), false)
        });
        let line = Rect { y: inner.y + inner.height.saturating_sub(1), height: 1, ..inner };
        put(buf, line, 0, Line::styled(":", shared.theme.key()));
        let field = Rect { x: line.x + 2, width: line.width.saturating_sub(2), ..line };
        self.field.draw(buf, field, shared.theme, false);
    }
}

/// One command: a word of the console, or a verb.
fn start(part: &Part, shared: &Shared, out: &mut Effects) -> Result<(), String> {
    if part.outside.is_some() {
        return Err("commands of this machine are for the shell: tuckbox shell".to_owned());
    }
    let home = shared.home.as_deref().map(|home| home.as_os_str().as_encoded_bytes());
    let mut words: Vec<Vec<u8>> = part
        .words
        .iter()
        .map(|word| match (home, word.bytes.strip_prefix(b"~")) {
            (Some(home), Some(rest)) if word.tilde => [home, rest].concat(),
            _ => word.bytes.clone(),
        })
        .collect();
    let first = words.first().map(|word| String::from_utf8_lossy(word).into_owned());
    match (first.as_deref(), words.len()) {
        (None, _) => {}
        (Some("quit" | "exit"), 1) => out.push(Effect::Leave),
        (Some("at"), 2..) => {
            let text: Vec<String> = words.drain(1..).map(|word| String::from_utf8_lossy(&word).into_owned()).collect();
            let text = text.join(" ");
            agent::time::parse_at(&text, shared.now_ms, &shared.zone).map_err(|fault| fault.message)?;
            out.push(Effect::At((text != "latest").then_some(text)));
        }
        (Some("cd"), 2) => {
            let path = words.pop().unwrap_or_default();
            let path = agent::world::absolute_plain(std::path::Path::new("/"), &std::ffi::OsString::from_vec(path));
            out.push(Effect::Browse { at: shared.at.clone(), path });
        }
        (Some("at" | "cd"), _) => return Err("one word is missing".to_owned()),
        (Some(_), _) => out.push(Effect::Show(words.into_iter().map(std::ffi::OsString::from_vec).collect())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agent::complete::offer::Choice;

    use crate::console::ask::{Answer, Ask};
    use crate::console::effect::Effect;
    use crate::console::jobs::{News, What};
    use crate::console::looping::Msg;
    use crate::console::stage::{MONO, Stage};

    fn choices(words: &[(&str, &str)]) -> Arc<Vec<Choice>> {
        let choice = |(word, about): &(&str, &str)| Choice {
            value: word.as_bytes().to_vec(),
            text: (*word).to_owned(),
            shown: (*word).to_owned(),
            about: (*about).to_owned(),
            finished: true,
        };
        Arc::new(words.iter().map(choice).collect())
    }

    #[test]
    fn a_line_is_completed_and_run_and_what_it_says_is_shown() {
        let mut stage = Stage::new((80, 24), MONO);
        stage.press(": \"re\"");
        let is_re = |ask: &Ask| matches!(ask, Ask::Complete(line) if line == "re");
        let words = [("repair", "Set right what is damaged"), ("restore", "Write files back")];
        stage.answer(is_re, Ok(Answer::Choices(0, choices(&words)))).pinned("palette");
        stage.press("Down Tab \"~/docs --to /tmp/x\" Enter");
        let run = stage.effects.iter().find_map(|effect| match effect {
            Effect::Run { number, words } => Some((*number, words.clone())),
            _ => None,
        });
        let (number, words) = run.unwrap();
        assert_eq!(words, ["restore", "/home/ana/docs", "--to", "/tmp/x"]);
        for line in ["version 3f9c02ab of 2026-11-20", "restored 214 files"] {
            stage.give(Msg::Job(News { number, what: What::Line(line.into()) }));
        }
        stage.give(Msg::Job(News { number, what: What::Ended(0) })).pinned("output");
        stage.press("Esc");
        assert!(!stage.app.is_covered());
        // What was run can be had again.
        stage.press(": Up");
        assert!(stage.text().contains(": restore /home/ana/docs --to /tmp/x"));
    }

    #[test]
    fn words_of_the_console_are_no_verbs() {
        let mut stage = Stage::new((80, 24), MONO);
        stage.press(": \"at 2 days ago\" Enter");
        assert!(
            stage
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::Turn { at: Some(at), .. } if at == "2 days ago"))
        );
        stage.press(": \"at nonsense\" Enter");
        assert!(stage.app.is_covered() && stage.text().contains("neither a time nor a version"));
        stage.press("C-u \"ls 'x\" Enter");
        assert!(stage.text().contains("a quote is not closed"));
        stage.press("C-u \"quit\" Enter");
        assert!(stage.effects.iter().any(|effect| matches!(effect, Effect::Quit)));
    }
}
