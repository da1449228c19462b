//! Windows in the middle of the screen, and questions that must be answered.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget};

use super::field::{Field, Typed};
use super::panel::panel;
use super::text::{put, wrap};
use crate::console::effect::Effect;
use crate::console::shared::Shared;

/// An empty framed window of at most this size inside, in the middle of an area; the area inside.
pub fn window(buf: &mut Buffer, area: Rect, shared: &Shared, title: &str, columns: usize, rows: usize) -> Rect {
    let fit = |wanted: usize, most: u16| u16::try_from(wanted).unwrap_or(u16::MAX).min(most);
    // A strip of what is below at both sides would only disturb.
    let width = fit(columns.saturating_add(2), area.width);
    let width = if area.width - width < 6 { area.width } else { width };
    let height = fit(rows.saturating_add(2), area.height);
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let outer = Rect { x, y, width, height };
    Clear.render(outer, buf);
    panel(buf, outer, shared, title, "", true)
}

/// Something that must be confirmed by a word or by Enter on *yes*; never by a single letter.
#[derive(Debug)]
pub struct Confirm {
    title: String,
    text: String,
    /// The word that must be typed; without it, *yes* is chosen.
    word: Option<String>,
    field: Field,
    yes: bool,
    does: Vec<Effect>,
}

/// What came of a key.
#[derive(Debug)]
pub enum Confirmed {
    /// Nothing yet.
    Nothing,
    /// Yes.
    Yes(Vec<Effect>),
    /// No.
    No,
}

impl Confirm {
    /// A question to which *no* is chosen at first.
    #[must_use]
    pub fn new(title: impl Into<String>, text: impl Into<String>, does: Vec<Effect>) -> Self {
        let (title, text) = (title.into(), text.into());
        Self { title, text, word: None, field: Field::default(), yes: false, does }
    }

    /// The same for what cannot be taken back: a word must be typed.
    #[must_use]
    pub fn by_word(self, word: impl Into<String>) -> Self {
        Self { word: Some(word.into()), ..self }
    }

    /// A key.
    pub fn key(&mut self, key: &KeyEvent) -> Confirmed {
        if let Some(word) = &self.word {
            return match self.field.key(key) {
                Typed::Done if self.field.text() == word => Confirmed::Yes(std::mem::take(&mut self.does)),
                Typed::GivenUp => Confirmed::No,
                _ => Confirmed::Nothing,
            };
        }
        match key.code {
            KeyCode::Esc | KeyCode::Char('q' | 'n') => Confirmed::No,
            KeyCode::Enter if self.yes => Confirmed::Yes(std::mem::take(&mut self.does)),
            KeyCode::Enter => Confirmed::No,
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l') => {
                self.yes = !self.yes;
                Confirmed::Nothing
            }
            _ => Confirmed::Nothing,
        }
    }

    /// Draws it in the middle of an area.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let columns = usize::from(area.width.saturating_sub(4)).min(72);
        let lines = wrap(&self.text, columns.saturating_sub(2));
        let inner = window(buf, area, shared, &self.title, columns, lines.len() + 2);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let rows = lines.len();
        for (row, line) in lines.into_iter().enumerate() {
            put(buf, inner, row, line);
        }
        if let Some(word) = &self.word {
            let ask = format!("Type {word} to go on, Esc to leave: ");
            put(buf, inner, rows + 1, ask.clone());
            let at = u16::try_from(agent::name::width(&ask)).unwrap_or(0).min(inner.width);
            let below = u16::try_from(rows + 1).unwrap_or(0);
            if below < inner.height {
                let field = Rect { x: inner.x + at, y: inner.y + below, width: inner.width - at, height: 1 };
                self.field.draw(buf, field, shared.theme, false);
            }
            return;
        }
        let button = |name: &str, here: bool| {
            let style = if here { shared.theme.selected() } else { ratatui::style::Style::new() };
            ratatui::text::Span::styled(if here { format!("[>{name}<]") } else { format!("[ {name} ]") }, style)
        };
        let line =
            Line::from(vec![button("Yes", self.yes), "   ".into(), button("No", !self.yes), "   Tab changes".into()]);
        put(buf, inner, rows + 1, line);
    }
}
