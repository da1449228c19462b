//! What was said, newest first.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::console::effect::{Effect, Effects};
use crate::console::keys::Action;
use crate::console::overlay::Held;
use crate::console::shared::{Message, Shared};
use crate::console::theme::Health;
use crate::widgets::dialog::window;
use crate::widgets::list::List;
use crate::widgets::text::{put, wrap};

/// See the module.
#[derive(Debug)]
pub struct State {
    messages: Vec<Message>,
    list: List,
}

impl State {
    /// What was said so far.
    #[must_use]
    pub fn new(shared: &Shared) -> Self {
        Self { messages: shared.messages.iter().rev().cloned().collect(), list: List::default() }
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        let action = match key.code {
            KeyCode::Up | KeyCode::Char('k') => Action::Up,
            KeyCode::Down | KeyCode::Char('j') => Action::Down,
            KeyCode::PageUp => Action::PageUp,
            KeyCode::PageDown => Action::PageDown,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '!') => return Held::Closes,
            KeyCode::Char('y') => {
                if let Some(message) = self.messages.get(self.list.cursor) {
                    out.push(Effect::Copy(message.text.clone()));
                }
                return Held::Stays;
            }
            _ => return Held::Stays,
        };
        self.list.moves(action, self.messages.len(), shared.page());
        Held::Stays
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let inner =
            window(buf, area, shared, "Messages, newest first", usize::from(area.width), usize::from(area.height));
        if self.messages.is_empty() {
            put(buf, inner, 0, Line::styled(" Nothing was said yet.", shared.theme.dim()));
            return;
        }
        let detail = self.messages.get(self.list.cursor).map(|message| message.text.as_str()).unwrap_or_default();
        let lines = wrap(detail, usize::from(inner.width.saturating_sub(2)));
        let below = u16::try_from(lines.len()).unwrap_or(0).min(inner.height / 2);
        let above = Rect { height: inner.height.saturating_sub(below + 1), ..inner };
        self.list.draw(buf, above, shared.theme, self.messages.len(), true, |row| {
            let Some(message) = self.messages.get(row) else { return (Line::raw(""), false) };
            let moment = shared.moment(message.at_ms, "%H:%M:%S");
            let sign = shared.theme.sign(message.health);
            let style = if message.health == Health::Good { Style::new() } else { shared.theme.health(message.health) };
            (Line::styled(format!("{sign} {moment}  {}", message.text), style), false)
        });
        let detail = Rect { x: inner.x + 1, y: above.y + above.height + 1, height: below, ..inner };
        for (row, line) in lines.into_iter().enumerate() {
            put(buf, detail, row, line);
        }
    }
}
