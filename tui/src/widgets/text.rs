//! Texts on a line: cut to their columns, aligned, with spans of styles.

use agent::name::{cut_end, cut_middle, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Where a text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the beginning; what is too much goes from the end.
    Left,
    /// At the beginning; what is too much goes from the middle, as for paths.
    Path,
    /// At the end, as for numbers.
    Right,
}

/// `text` in exactly `columns` columns.
#[must_use]
pub fn fit(text: &str, columns: usize, align: Align) -> String {
    let cut = match align {
        Align::Path => cut_middle(text, columns),
        Align::Left | Align::Right => cut_end(text, columns),
    };
    let room = " ".repeat(columns.saturating_sub(width(&cut)));
    if align == Align::Right { format!("{room}{cut}") } else { format!("{cut}{room}") }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Its columns on the screen; 0 takes what is left, once in a table.
    pub columns: usize,
    /// Where texts stand.
    pub align: Align,
    /// Shown only on screens at least so wide.
    pub from: u16,
}

/// A column that is always shown.
#[must_use]
pub const fn column(title: &'static str, columns: usize, align: Align) -> Column {
    Column { title, columns, align, from: 0 }
}

/// The columns that are shown at this width, and how wide each is.
#[must_use]
pub fn widths(table: &[Column], available: usize) -> Vec<usize> {
    let shown = |column: &Column| usize::from(column.from) <= available;
    let fixed: usize = table.iter().filter(|column| shown(column)).map(|column| column.columns + 2).sum();
    let left = available.saturating_sub(fixed.saturating_sub(2));
    table
        .iter()
        .map(|column| match (shown(column), column.columns) {
            (false, _) => 0,
            (true, 0) => left,
            (true, columns) => columns,
        })
        .collect()
}

/// The cells of a row side by side. `cells` follows `table`, hidden columns too.
#[must_use]
pub fn row(table: &[Column], available: usize, cells: &[&str]) -> String {
    let fitted: Vec<String> = table
        .iter()
        .zip(widths(table, available))
        .zip(cells)
        .filter(|((_, columns), _)| *columns > 0)
        .map(|((column, columns), cell)| fit(cell, columns, column.align))
        .collect();
    fitted.join("  ")
}

/// The headings; the one that sorts has a sign.
#[must_use]
pub fn heading(table: &[Column], available: usize, sorted: Option<(usize, bool)>) -> String {
    let titles: Vec<String> = table
        .iter()
        .enumerate()
        .map(|(at, column)| match sorted {
            Some((by, descending)) if by == at => format!("{}{}", column.title, if descending { "v" } else { "^" }),
            _ => column.title.to_owned(),
        })
        .collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    row(table, available, &titles)
}

/// Writes a line at a row of an area; what is too long is cut. Rows outside are left.
pub fn put<'l>(buf: &mut Buffer, area: Rect, row: usize, line: impl Into<Line<'l>>) {
    let Ok(row) = u16::try_from(row) else { return };
    if row < area.height {
        buf.set_line(area.x, area.y + row, &line.into(), area.width);
    }
}

/// Two texts on one row, one at each end; the left one is cut.
#[must_use]
pub fn ends(left: &str, right: &str, columns: usize) -> String {
    let room = columns.saturating_sub(width(right));
    format!("{}{right}", fit(left, room, Align::Left))
}

/// A text of several lines, cut at blanks to a width. A word that is longer stands in pieces.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut out = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let more = if line.is_empty() { 0 } else { 1 } + width(word);
            if !line.is_empty() && width(&line) + more > columns {
                out.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for letter in word.chars() {
                if width(&line) >= columns {
                    out.push(std::mem::take(&mut line));
                }
                line.push(letter);
            }
        }
        out.push(line);
    }
    out
}

/// A text with its first letter a capital.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A line of spans from parts.
#[must_use]
pub fn spans<const N: usize>(parts: [(String, Style); N]) -> Line<'static> {
    Line::from_iter(parts.into_iter().map(|(text, style)| Span::styled(text, style)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_share_the_width() {
        const TABLE: &[Column] = &[
            column("Name", 0, Align::Path),
            column("Size", 6, Align::Right),
            Column { title: "Absolute", columns: 10, align: Align::Left, from: 100 },
        ];
        assert_eq!(row(TABLE, 20, &["a-long-name-here", "12", "x"]), "a-lon…e-here      12");
        assert_eq!(heading(TABLE, 20, Some((1, true))), "Name           Sizev");
        assert_eq!(widths(TABLE, 100), [80, 6, 10]);
        assert_eq!(ends("left", "right", 12), "left   right");
        assert_eq!(wrap("one two three\n\nx", 7), ["one two", "three", "", "x"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
    }
}
