//! A list with what every list has: a filter that is typed, an order, and a cursor that stays on its row. Few rows are
//! arranged at once, many away from the loop.

use std::sync::Arc;

use agent::engine::job::Stop;
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::arrange::{INLINE_MAX, Order, Rows, arrange};
use super::field::{Field, Typed};
use super::list::List;
use super::text::put;
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effects, Lane};
use crate::console::keys::Action;
use crate::console::pane::Pane;
use crate::console::shared::Shared;

/// See the module.
#[derive(Debug)]
pub struct Sheet {
    /// Where one is.
    pub list: List,
    /// The order, and what is let through.
    pub order: Order,
    field: Option<Field>,
    typing: bool,
    pane: Pane<Arc<Vec<u32>>>,
    columns: usize,
    /// How it was looked at before, newest last, and what was undone.
    past: Vec<Look>,
    undone: Vec<Look>,
}

/// How a list is looked at: what can be undone.
type Look = (Option<Field>, Option<usize>, bool);

/// Looks that can be undone.
const LOOKS_MAX: usize = 50;

impl Sheet {
    /// A list that can be sorted by so many columns; arranging has a lane of its own.
    #[must_use]
    pub fn new(lane: Lane, columns: usize) -> Self {
        let (list, order) = (List::default(), Order::default());
        Self {
            list,
            order,
            field: None,
            typing: false,
            pane: Pane::new(lane),
            columns,
            past: Vec::new(),
            undone: Vec::new(),
        }
    }

    /// Whether it takes every key.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.typing
    }

    /// Whether it is being arranged.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pane.is_waiting()
    }

    /// Arranges the rows anew: they, or what is wanted of them, are other ones.
    pub fn arrange(&mut self, rows: &Arc<dyn Rows>, shared: &Shared, out: &mut Effects) {
        let all = rows.count();
        self.order.filter = self.field.as_ref().map(|field| field.text().to_owned()).unwrap_or_default();
        let plain = self.order.filter.is_empty() && self.order.column.is_none() && !self.order.descending;
        if plain {
            self.pane.clear();
            self.list.show(None, all);
        } else if all <= INLINE_MAX {
            self.pane.clear();
            let shown = arrange(rows.as_ref(), &self.order, &Stop::default());
            self.list.show(shown.map(Arc::new), all);
        } else {
            self.pane.ask(shared, Ask::Arrange(Arc::clone(rows), self.order.clone()), out);
        }
    }

    /// Takes an answer, if it is one for this list.
    pub fn hear(&mut self, heard: &Heard, all: usize) -> bool {
        let heard = self.pane.hear(heard, |answer| match answer {
            Answer::Arranged(shown) => Some(Arc::clone(shown)),
            _ => None,
        });
        if let Some(shown) = self.pane.value().filter(|_| heard) {
            let shown = Arc::clone(shown);
            self.list.show(Some(shown), all);
        }
        heard
    }

    fn look(&self) -> Look {
        (self.field.clone(), self.order.column, self.order.descending)
    }

    /// Before it is looked at in another way.
    fn remember(&mut self) {
        if self.past.len() >= LOOKS_MAX {
            self.past.remove(0);
        }
        self.past.push(self.look());
        self.undone.clear();
    }

    /// Undoes, or redoes; whether there was something.
    fn undo(&mut self, back: bool) -> bool {
        let now = self.look();
        let (from, to) = if back { (&mut self.past, &mut self.undone) } else { (&mut self.undone, &mut self.past) };
        let Some((field, column, descending)) = from.pop() else { return false };
        to.push(now);
        (self.field, self.order.column, self.order.descending) = (field, column, descending);
        true
    }

    /// A key while something is typed.
    pub fn key(&mut self, key: &KeyEvent, rows: &Arc<dyn Rows>, shared: &Shared, out: &mut Effects) -> bool {
        let Some(field) = &mut self.field else { return false };
        match field.key(key) {
            Typed::Done => {
                self.typing = false;
                return true;
            }
            Typed::GivenUp => (self.typing, self.field) = (false, None),
            Typed::Changed => {}
            Typed::Kept | Typed::Other => return true,
        }
        self.arrange(rows, shared, out);
        true
    }

    /// An action that every list has; whether it was one.
    pub fn act(&mut self, action: Action, rows: &Arc<dyn Rows>, shared: &Shared, out: &mut Effects) -> bool {
        if self.list.moves(action, rows.count(), shared.page()) {
            return true;
        }
        match action {
            Action::Filter => {
                self.remember();
                self.field.get_or_insert_default();
                self.typing = true;
                return true;
            }
            Action::Back if self.field.is_some() => {
                self.remember();
                self.field = None;
            }
            Action::Undo | Action::Redo => {
                let undone = self.undo(action == Action::Undo);
                if undone {
                    self.arrange(rows, shared, out);
                }
                return undone;
            }
            Action::Sort => {
                self.remember();
                self.order.column = match self.order.column {
                    None => Some(0),
                    Some(column) if column + 1 < self.columns => Some(column + 1),
                    Some(_) => None,
                };
            }
            Action::SortDirection => {
                self.remember();
                self.order.descending = !self.order.descending;
            }
            _ => return false,
        }
        self.arrange(rows, shared, out);
        true
    }

    /// What is shown of the filter in a title.
    #[must_use]
    pub fn title(&self, title: &str) -> String {
        match self.field.as_ref().filter(|_| !self.typing) {
            Some(field) => format!("{title}  /{}", agent::name::harmless_line(field.text())),
            None => title.to_owned(),
        }
    }

    /// Draws the filter on the last row while it is typed; the area that is left.
    pub fn draw_filter(&self, buf: &mut Buffer, area: Rect, shared: &Shared) -> Rect {
        let Some(field) = self.field.as_ref().filter(|_| self.typing && area.height > 1) else { return area };
        let line = Rect { y: area.y + area.height - 1, height: 1, ..area };
        put(buf, line, 0, Line::styled(" /", shared.theme.key()));
        field.draw(buf, Rect { x: line.x + 2, width: line.width.saturating_sub(2), ..line }, shared.theme, false);
        Rect { height: area.height - 1, ..area }
    }
}
