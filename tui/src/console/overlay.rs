//! What stands above a screen and has the keys: menus, questions, prompts. The last one opened comes first.

use agent::engine::job::Passphrase;
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ask::Heard;
use super::effect::{Effect, Effects};
use super::runner::Question;
use super::shared::Shared;
use super::theme::Health;
use crate::screens::{as_at, help, messages, output, palette, review, wizard};
use crate::widgets::dialog::{Confirm, Confirmed, window};
use crate::widgets::field::{Field, Typed};
use crate::widgets::menu::{Chosen, Menu};
use crate::widgets::prompt::{Prompt, Prompted};
use crate::widgets::text::{put, wrap};

/// See the module.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a few of them at most, one on the other, are there at a time")]
pub enum Overlay {
    /// Keys and what they do.
    Help(help::State),
    /// The command line.
    Palette(palette::State),
    /// A date is typed.
    AsAt(as_at::State),
    /// What was said.
    Messages(messages::State),
    /// What a verb says.
    Output(output::State),
    /// The first run.
    Wizard(Box<wizard::State>),
    /// Something can be chosen.
    Menu(Menu),
    /// Something must be confirmed.
    Confirm(Confirm),
    /// A line is typed.
    Prompt(Prompt),
    /// The plan is reviewed.
    Review(review::State),
    /// A verb must know something.
    Question(Asked),
}

/// A question of a verb, and its answer so far.
#[derive(Debug)]
pub struct Asked {
    question: Question,
    field: Field,
}

/// What becomes of an overlay after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It stays.
    Stays,
    /// It closes.
    Closes,
}

impl Overlay {
    /// A question of a verb.
    #[must_use]
    pub fn question(question: Question) -> Self {
        Self::Question(Asked { question, field: Field::default() })
    }

    /// Whether somebody waits for it.
    #[must_use]
    pub fn must_be_answered(&self) -> bool {
        matches!(self, Self::Question(_))
    }

    /// Whether something in it is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        match self {
            Self::Palette(palette) => palette.is_waiting(),
            Self::Review(review) => review.is_waiting(),
            Self::AsAt(state) => state.is_waiting(),
            Self::Wizard(state) => state.is_waiting(),
            _ => false,
        }
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        match self {
            Self::Help(state) => state.key(shared, key),
            Self::Palette(state) => state.key(shared, key, out),
            Self::AsAt(state) => state.key(shared, key, out),
            Self::Messages(state) => state.key(shared, key, out),
            Self::Output(state) => state.key(shared, key, out),
            Self::Wizard(state) => state.key(shared, key, out),
            Self::Menu(menu) => match menu.key(key) {
                Chosen::Nothing => Held::Stays,
                Chosen::Why(why) => {
                    out.push(Effect::Say(Health::Warn, why));
                    Held::Stays
                }
                Chosen::Closed => Held::Closes,
                Chosen::Effects(effects) => close_with(effects, out),
            },
            Self::Confirm(confirm) => match confirm.key(key) {
                Confirmed::Nothing => Held::Stays,
                Confirmed::No => Held::Closes,
                Confirmed::Yes(effects) => close_with(effects, out),
            },
            Self::Prompt(prompt) => match prompt.key(key) {
                Prompted::Nothing => Held::Stays,
                Prompted::GivenUp => Held::Closes,
                Prompted::Done(effects) => close_with(effects, out),
            },
            Self::Review(state) => state.key(shared, key, out),
            Self::Question(asked) => asked.key(key),
        }
    }

    /// Something was pasted.
    pub fn paste(&mut self, shared: &Shared, text: &str, out: &mut Effects) {
        match self {
            Self::Palette(state) => state.paste(shared, text, out),
            Self::AsAt(state) => state.paste(text),
            Self::Wizard(state) => state.paste(text),
            Self::Prompt(prompt) => prompt.paste(text),
            Self::Question(asked) => asked.field.insert(text),
            Self::Help(state) => state.paste(text),
            Self::Messages(_) | Self::Output(_) | Self::Menu(_) | Self::Confirm(_) | Self::Review(_) => {}
        }
    }

    /// An answer of the engine; whether it was waited for here.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        match self {
            Self::Palette(state) => state.hear(heard),
            Self::Review(state) => state.hear(heard),
            Self::AsAt(state) => state.hear(heard),
            Self::Wizard(state) => state.hear(heard),
            _ => false,
        }
    }

    /// A job began.
    pub fn began(&mut self, number: u64) {
        if let Self::Wizard(state) = self {
            state.began(number);
        }
    }

    /// A job ended, with this status.
    pub fn ended(&mut self, number: u64, status: u8, out: &mut Effects) {
        if let Self::Wizard(state) = self {
            state.ended(number, status, out);
        }
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        match self {
            Self::Help(state) => state.draw(buf, area, shared),
            Self::Palette(state) => state.draw(buf, area, shared),
            Self::AsAt(state) => state.draw(buf, area, shared),
            Self::Messages(state) => state.draw(buf, area, shared),
            Self::Output(state) => state.draw(buf, area, shared),
            Self::Wizard(state) => state.draw(buf, area, shared),
            Self::Menu(menu) => menu.draw(buf, area, shared),
            Self::Confirm(confirm) => confirm.draw(buf, area, shared),
            Self::Prompt(prompt) => prompt.draw(buf, area, shared),
            Self::Review(state) => state.draw(buf, area, shared),
            Self::Question(asked) => asked.draw(buf, area, shared),
        }
    }
}

fn close_with(effects: Vec<Effect>, out: &mut Effects) -> Held {
    effects.into_iter().for_each(|effect| out.push(effect));
    Held::Closes
}

impl Asked {
    fn key(&mut self, key: &KeyEvent) -> Held {
        let answer = match self.field.key(key) {
            Typed::Done => Some(Passphrase::new(self.field.text().as_bytes().to_vec())),
            Typed::GivenUp => None,
            _ => return Held::Stays,
        };
        // Who asked may have been left.
        self.question.reply.try_send(answer).unwrap_or_default();
        Held::Closes
    }

    fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let columns = usize::from(area.width.saturating_sub(4)).min(76);
        let room = columns.saturating_sub(2);
        let mut lines: Vec<String> = self.question.told.iter().flat_map(|line| wrap(line, room)).collect();
        lines.extend(wrap(self.question.text.trim_end(), room));
        let most = usize::from(area.height.saturating_sub(5));
        let lines = lines.split_off(lines.len().saturating_sub(most));
        let inner = window(buf, area, shared, "Question", columns, lines.len() + 2);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let rows = lines.len();
        for (row, line) in lines.into_iter().enumerate() {
            put(buf, inner, row, line);
        }
        let below = u16::try_from(rows).unwrap_or(0);
        if below < inner.height {
            put(buf, inner, rows, "> ");
            let field = Rect { x: inner.x + 2, y: inner.y + below, width: inner.width.saturating_sub(2), height: 1 };
            self.field.draw(buf, field, shared.theme, !self.question.echo);
        }
        put(
            buf,
            inner,
            rows + 1,
            ratatui::text::Line::styled("Enter answers, Esc gives no answer", shared.theme.dim()),
        );
    }
}
