//! One line that is typed, with what it means said while it is typed.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::dialog::window;
use super::field::{Field, Typed};
use super::text::{put, wrap};
use crate::console::effect::Effect;
use crate::console::shared::Shared;
use crate::console::theme::Health;

/// What a line means and what follows from it, or why it means nothing.
pub type Meaning = Result<(String, Vec<Effect>), String>;

/// See the module.
pub struct Prompt {
    title: String,
    text: String,
    field: Field,
    means: Box<dyn Fn(&str) -> Meaning>,
    /// Enter was pressed on what means nothing.
    refused: bool,
}

/// What came of a key.
#[derive(Debug)]
pub enum Prompted {
    /// Nothing yet.
    Nothing,
    /// This, and it closes.
    Done(Vec<Effect>),
    /// It was given up.
    GivenUp,
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prompt({:?}, {:?})", self.title, self.field.text())
    }
}

impl Prompt {
    /// Asks for a line that begins as `begun`; `means` reads it, whatever it is.
    #[must_use]
    pub fn new(
        title: impl Into<String>,
        text: impl Into<String>,
        begun: &str,
        means: impl Fn(&str) -> Meaning + 'static,
    ) -> Self {
        let (title, text) = (title.into(), text.into());
        Self { title, text, field: Field::holding(begun), means: Box::new(means), refused: false }
    }

    fn meaning(&self) -> Meaning {
        (self.means)(self.field.text().trim())
    }

    /// A key.
    pub fn key(&mut self, key: &KeyEvent) -> Prompted {
        match self.field.key(key) {
            Typed::GivenUp => return Prompted::GivenUp,
            Typed::Done => match self.meaning() {
                Ok((_, effects)) => return Prompted::Done(effects),
                Err(_) => self.refused = true,
            },
            Typed::Changed => self.refused = false,
            _ => {}
        }
        Prompted::Nothing
    }

    /// Something was pasted.
    pub fn paste(&mut self, text: &str) {
        self.field.insert(text);
        self.refused = false;
    }

    /// Draws it in the middle of an area.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let columns = usize::from(area.width.saturating_sub(4)).min(72);
        let room = columns.saturating_sub(2);
        let mut lines = wrap(&self.text, room);
        let meaning = self.meaning();
        let (style, said) = match &meaning {
            Ok((said, _)) => (shared.theme.dim(), said.clone()),
            Err(why) if self.refused => (shared.theme.health(Health::Warn), format!("! {why}")),
            Err(why) => (shared.theme.dim(), why.clone()),
        };
        let below = wrap(&said, room);
        let inner = window(buf, area, shared, &self.title, columns, lines.len() + below.len() + 4);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        // Where there is little room the line that is typed and what it means count more than what was asked.
        lines.truncate(usize::from(inner.height).saturating_sub(below.len() + 2));
        let at = lines.len();
        for (row, line) in lines.into_iter().enumerate() {
            put(buf, inner, row, line);
        }
        put(buf, inner, at, Line::styled("> ", shared.theme.key()));
        let y = inner.y.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
        if y < inner.y.saturating_add(inner.height) {
            let field = Rect { x: inner.x + 2, y, width: inner.width.saturating_sub(2), height: 1 };
            self.field.draw(buf, field, shared.theme, false);
        }
        let end = at + 2 + below.len();
        for (row, line) in below.into_iter().enumerate() {
            put(buf, inner, at + 2 + row, Line::styled(line, style));
        }
        put(buf, inner, end + 1, Line::styled("Enter goes on, Esc leaves", shared.theme.dim()));
    }
}
