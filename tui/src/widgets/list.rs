//! Rows, however many: only those that are seen are made. The cursor stays in the middle when rows go past it, so that
//! where the list stands follows from the cursor alone.

use std::ops::Range;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::text::put;
use crate::console::keys::Action;
use crate::console::theme::Theme;

/// Where one is in a list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The row under the cursor, among those that are shown.
    pub cursor: usize,
    /// Which rows are shown, in which order, when that is not simply all of them.
    pub shown: Option<Arc<Vec<u32>>>,
}

impl List {
    /// Rows that are shown of `all`.
    #[must_use]
    pub fn len(&self, all: usize) -> usize {
        self.shown.as_ref().map_or(all, |shown| shown.len())
    }

    /// The row that is shown in this place, as its number among all.
    #[must_use]
    pub fn row(&self, place: usize, all: usize) -> Option<usize> {
        match &self.shown {
            Some(shown) => shown.get(place).map(|row| *row as usize).filter(|row| *row < all),
            None => (place < all).then_some(place),
        }
    }

    /// The row under the cursor, as its number among all.
    #[must_use]
    pub fn at(&self, all: usize) -> Option<usize> {
        self.row(self.cursor, all)
    }

    /// Shows other rows, and stays on the row where one is, when it is still among them.
    pub fn show(&mut self, shown: Option<Arc<Vec<u32>>>, all: usize) {
        let row = self.at(all);
        self.shown = shown;
        let place = row.and_then(|row| match &self.shown {
            Some(shown) => shown.iter().position(|other| *other as usize == row),
            None => Some(row),
        });
        self.cursor = place.unwrap_or(self.cursor);
        self.keep_inside(all);
    }

    /// The cursor is on a row again after rows went.
    pub fn keep_inside(&mut self, all: usize) {
        self.cursor = self.cursor.min(self.len(all).saturating_sub(1));
    }

    /// Moves; whether the action is one that moves. `page` is the number of rows that are seen.
    pub fn moves(&mut self, action: Action, all: usize, page: usize) -> bool {
        let (len, page) = (self.len(all), page.max(2));
        let last = len.saturating_sub(1);
        self.cursor = match action {
            Action::Up => self.cursor.saturating_sub(1),
            Action::Down => self.cursor.saturating_add(1),
            Action::PageUp => self.cursor.saturating_sub(page - 1),
            Action::PageDown => self.cursor.saturating_add(page - 1),
            Action::HalfUp => self.cursor.saturating_sub(page / 2),
            Action::HalfDown => self.cursor.saturating_add(page / 2),
            Action::Top => 0,
            Action::Bottom => last,
            _ => return false,
        }
        .min(last);
        true
    }

    /// The places that are seen in so many rows.
    #[must_use]
    pub fn seen(&self, all: usize, rows: usize) -> Range<usize> {
        let len = self.len(all);
        let top = self.cursor.saturating_sub(rows / 2).min(len.saturating_sub(rows));
        top..len.min(top + rows)
    }

    /// `12/345`, for the frame.
    #[must_use]
    pub fn place(&self, all: usize) -> String {
        let len = self.len(all);
        let at = if len == 0 { 0 } else { self.cursor + 1 };
        let of = if len == all {
            agent::units::count(len as u64)
        } else {
            format!("{} of {}", agent::units::count(len as u64), agent::units::count(all as u64))
        };
        format!("[{}/{of}]", agent::units::count(at as u64))
    }

    /// Draws the rows that are seen: `line` makes one, without the cursor's sign. Marked ones have a star. Each line begins
    /// with two columns for both signs.
    pub fn draw(
        &self,
        buf: &mut Buffer,
        area: Rect,
        theme: Theme,
        all: usize,
        focused: bool,
        mut line: impl FnMut(usize) -> (Line<'static>, bool),
    ) {
        for (row, place) in self.seen(all, usize::from(area.height)).enumerate() {
            let Some(number) = self.row(place, all) else { continue };
            let (text, marked) = line(number);
            let here = place == self.cursor;
            let sign = if here { ">" } else { " " };
            put(buf, area, row, Line::raw(sign));
            if marked {
                let at = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
                put(buf, at, row, Line::styled("*", theme.mark()));
            }
            let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
            put(buf, inner, row, text);
            if here && focused {
                let Ok(row) = u16::try_from(row) else { continue };
                buf.set_style(Rect { y: area.y + row, height: 1, ..area }, theme.selected());
            } else if here {
                let Ok(row) = u16::try_from(row) else { continue };
                buf.set_style(Rect { y: area.y + row, height: 1, ..area }, Style::new().patch(theme.strong()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_that_are_seen_are_made() {
        let mut list = List::default();
        let mut made = 0;
        let area = Rect::new(0, 0, 20, 10);
        for action in [Action::Top, Action::Bottom, Action::PageUp, Action::HalfUp, Action::Down] {
            assert!(list.moves(action, 1_000_000, 10));
            let mut buf = Buffer::empty(area);
            list.draw(&mut buf, area, Theme::default(), 1_000_000, true, |row| {
                made += 1;
                (Line::raw(row.to_string()), false)
            });
        }
        assert_eq!(made, 50);
        assert_eq!((list.cursor, list.place(1_000_000)), (999_986, "[999,987/1,000,000]".to_owned()));
    }

    #[test]
    fn the_cursor_stays_on_its_row() {
        let mut list = List { cursor: 3, shown: None };
        list.show(Some(Arc::new(vec![1, 3])), 5);
        assert_eq!((list.cursor, list.at(5)), (1, Some(3)));
        list.show(Some(Arc::new(vec![0])), 5);
        assert_eq!((list.cursor, list.at(5)), (0, Some(0)));
        list.show(Some(Arc::new(vec![])), 5);
        assert_eq!((list.cursor, list.at(5), list.place(5).as_str()), (0, None, "[0/0 of 5]"));
        list.moves(Action::Down, 5, 10);
        assert_eq!(list.cursor, 0);
        assert_eq!(List { cursor: 50, shown: None }.seen(100, 10), 45..55);
        assert_eq!(List { cursor: 99, shown: None }.seen(100, 10), 90..100);
    }
}
