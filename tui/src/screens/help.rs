//! Keys and what they do, from the very table that they are dispatched by. Typing filters.

use agent::name::width;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::ScreenId;
use crate::console::keys::{Action, GLOBAL};
use crate::console::overlay::Held;
use crate::console::shared::Shared;
use crate::widgets::dialog::window;
use crate::widgets::field::{Field, Typed};
use crate::widgets::list::List;
use crate::widgets::text::{Align, fit, put};

/// See the module.
#[derive(Debug)]
pub struct State {
    screen: ScreenId,
    field: Field,
    list: List,
}

impl State {
    /// The keys of a screen.
    #[must_use]
    pub fn new(screen: ScreenId) -> Self {
        Self { screen, field: Field::default(), list: List::default() }
    }

    /// Keys and what they do: one's own first, and of ours those that still mean what they mean without them.
    fn rows(&self, shared: &Shared) -> Vec<(String, &'static str)> {
        let wanted = self.field.text().to_lowercase();
        let own = shared.keymap.own(self.screen).into_iter().map(|binding| (binding.on.to_owned(), binding.about));
        let ours = super::keys(self.screen).iter().chain(GLOBAL).map(|binding| {
            let left = binding.on.split(' ').filter(|on| shared.keymap.leaves(self.screen, on));
            (left.collect::<Vec<_>>().join("  "), binding.about)
        });
        let rows = own.chain(ours.filter(|(on, _)| !on.is_empty()));
        rows.filter(|(on, about)| format!("{on} {about}").to_lowercase().contains(&wanted)).collect()
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent) -> Held {
        let action = match key.code {
            KeyCode::Up => Action::Up,
            KeyCode::Down => Action::Down,
            KeyCode::PageUp => Action::PageUp,
            KeyCode::PageDown => Action::PageDown,
            KeyCode::F(1) => return Held::Closes,
            _ => {
                return match self.field.key(key) {
                    Typed::Done | Typed::GivenUp => Held::Closes,
                    Typed::Changed => {
                        self.list.cursor = 0;
                        Held::Stays
                    }
                    Typed::Kept | Typed::Other => Held::Stays,
                };
            }
        };
        let rows = self.rows(shared).len();
        self.list.moves(action, rows, shared.page());
        Held::Stays
    }

    /// A text that was pasted.
    pub fn paste(&mut self, text: &str) {
        self.field.insert(text);
        self.list.cursor = 0;
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let rows = self.rows(shared);
        let title = format!("Keys on the screen: {}", self.screen.name());
        let inner = window(buf, area, shared, &title, 76, usize::from(area.height));
        put(buf, inner, 0, " Search: ");
        let field = Rect { x: inner.x + 9, width: inner.width.saturating_sub(9), height: 1, ..inner };
        self.field.draw(buf, field, shared.theme, false);
        let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(2), ..inner };
        self.list.draw(buf, below, shared.theme, rows.len(), true, |row| {
            let Some((on, about)) = rows.get(row) else { return (Line::raw(""), false) };
            let here = row < shared.keymap.keys(self.screen).len() && self.field.text().is_empty();
            let keys = fit(on, 16, Align::Left);
            let sign = if here { shared.theme.mark() } else { shared.theme.key() };
            (Line::from(vec![Span::styled(keys, sign), Span::raw(*about)]), false)
        });
        let last = " More: tuckbox help tui. Esc closes.";
        let last =
            Line::styled(fit(last, usize::from(inner.width).min(width(last) + 1), Align::Left), shared.theme.dim());
        put(buf, inner, usize::from(inner.height.saturating_sub(1)), last);
    }
}
