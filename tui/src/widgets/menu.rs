//! What can be chosen. What cannot be done now stays to be seen, with the reason.

use agent::name::{cut_end, width};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::dialog::window;
use super::list::List;
use super::text::{Align, ends, fit};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::shared::Shared;

/// One line.
#[derive(Debug)]
pub struct Item {
    /// What it does.
    pub text: String,
    /// A letter that chooses it at once.
    pub letter: Option<char>,
    /// What happens when it is chosen, or why it cannot be.
    pub does: Result<Vec<Effect>, String>,
}

impl Item {
    /// An item that can be chosen.
    #[must_use]
    pub fn new(letter: char, text: impl Into<String>, does: Vec<Effect>) -> Self {
        Self { text: text.into(), letter: Some(letter), does: Ok(does) }
    }

    /// An item that cannot be chosen now.
    #[must_use]
    pub fn not_now(text: impl Into<String>, why: impl Into<String>) -> Self {
        Self { text: text.into(), letter: None, does: Err(why.into()) }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Menu {
    title: String,
    items: Vec<Item>,
    list: List,
}

/// What came of a key.
#[derive(Debug)]
pub enum Chosen {
    /// Nothing yet.
    Nothing,
    /// This, and the menu closes.
    Effects(Vec<Effect>),
    /// It cannot be done, and why.
    Why(String),
    /// Nothing, and the menu closes.
    Closed,
}

impl Menu {
    /// A menu.
    #[must_use]
    pub fn new(title: impl Into<String>, items: Vec<Item>) -> Self {
        Self { title: title.into(), items, list: List::default() }
    }

    /// A key.
    pub fn key(&mut self, key: &KeyEvent) -> Chosen {
        let action = match key.code {
            KeyCode::Esc | KeyCode::Left => return Chosen::Closed,
            KeyCode::Enter | KeyCode::Right => return self.choose(self.list.cursor),
            KeyCode::Up => Action::Up,
            KeyCode::Down => Action::Down,
            KeyCode::Home => Action::Top,
            KeyCode::End => Action::Bottom,
            KeyCode::Char(letter) => {
                return match self.items.iter().position(|item| item.letter == Some(letter)) {
                    Some(at) => self.choose(at),
                    None if letter == 'q' => Chosen::Closed,
                    None => {
                        let action = if letter == 'j' { Action::Down } else { Action::Up };
                        if matches!(letter, 'j' | 'k') {
                            self.list.moves(action, self.items.len(), 10);
                        }
                        Chosen::Nothing
                    }
                };
            }
            _ => return Chosen::Nothing,
        };
        self.list.moves(action, self.items.len(), 10);
        Chosen::Nothing
    }

    fn choose(&mut self, at: usize) -> Chosen {
        match self.items.get_mut(at) {
            Some(Item { does: Ok(effects), .. }) => Chosen::Effects(std::mem::take(effects)),
            Some(Item { does: Err(why), .. }) => Chosen::Why(why.clone()),
            None => Chosen::Closed,
        }
    }

    /// Draws it in the middle of an area.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let reasons = |item: &Item| item.does.as_ref().err().map_or(String::new(), |why| format!("  ({why})"));
        let widest = self.items.iter().map(|item| width(&item.text) + width(&reasons(item)) + 8).max().unwrap_or(0);
        let columns = widest.max(width(&self.title) + 6).max(24);
        let inner = window(buf, area, shared, &self.title, columns, self.items.len());
        self.list.draw(buf, inner, shared.theme, self.items.len(), true, |row| {
            let Some(item) = self.items.get(row) else { return (Line::raw(""), false) };
            let room = usize::from(inner.width).saturating_sub(3);
            let letter = item.letter.map(String::from).unwrap_or_default();
            let text = ends(&cut_end(&format!("{}{}", item.text, reasons(item)), room), &letter, room);
            let style = if item.does.is_ok() { ratatui::style::Style::new() } else { shared.theme.dim() };
            (Line::styled(fit(&text, room, Align::Left), style), false)
        });
    }
}
