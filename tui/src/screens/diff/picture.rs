//! How the diff looks.

use agent::engine::job::{Change, DiffRow, Kind};
use agent::engine::look::lines::Side;
use agent::name::{for_terminal, harmless_line};
use agent::units::{count, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{State, TABLE, grown, sign};
use crate::console::look::DIFF_ROWS_MAX;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::text::{Align, fit, heading, put, widths};

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let theme = shared.theme;
    let text = state.texts.value().is_some() || state.texts.is_waiting() || state.texts.fault().is_some();
    let below = match (text, shared.compact()) {
        (false, _) => 0,
        (true, true) => area.height,
        (true, false) => area.height / 2,
    };
    let above = Rect { height: area.height - below, ..area };
    if above.height > 0 {
        rows(state, shared, above, buf);
    }
    if below == 0 {
        return;
    }
    let area = Rect { y: area.y + above.height, height: below, ..area };
    let all = state.rows().len();
    let name = state.list.at(all).and_then(|row| state.rows().get(row)).map(|row| for_terminal(&row.path));
    let title = format!("text diff of {}", name.unwrap_or_default());
    let inner = panel(buf, area, shared, &title, "", state.reading);
    if stand_in(buf, inner, shared, &state.texts, false, "") {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(1);
    for (row, (side, line)) in state.text_lines.iter().skip(state.scrolled).take(usize::from(inner.height)).enumerate()
    {
        let style = match side {
            Side::Old => theme.health(Health::Bad),
            Side::New => theme.health(Health::Good),
            Side::Both if line.starts_with("@@") => theme.dim(),
            Side::Both => Style::new(),
        };
        put(buf, inner, row, Line::styled(format!(" {}", fit(line, columns, Align::Left)), style));
    }
}

fn rows(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let theme = shared.theme;
    let all = state.rows().len();
    let summary = state.found.value().and_then(|found| found.summary);
    let title = match summary {
        None => format!("{} so far", count(all as u64)),
        Some((_, true)) => format!("the first {}", count(DIFF_ROWS_MAX as u64)),
        Some((s, false)) => format!(
            "+{} added  ~{} changed  -{} removed   +{}  -{}",
            count(s.added),
            count(s.changed + s.metadata),
            count(s.removed),
            size(s.added_bytes),
            size(s.removed_bytes)
        ),
    };
    let title = if state.of.is_none() { "diff".to_owned() } else { title };
    let only = state.only.map_or(String::new(), |only| format!("only {only}  "));
    let right = match state.found.waiting(shared).or_else(|| state.arranged.waiting(shared)) {
        Some(text) => text,
        None => format!("{only}{}", state.list.place(all)),
    };
    let inner = panel(buf, area, shared, &title, &right, !state.reading);
    let mut inner = inner;
    if state.filter.is_some() || !state.order.filter.is_empty() {
        put(buf, inner, 0, Line::styled(" Filter: ", theme.strong()));
        let text = Rect { x: inner.x + 9, width: inner.width.saturating_sub(9), height: 1, ..inner };
        match &state.filter {
            Some(field) => field.draw(buf, text, theme, false),
            None => put(buf, text, 0, Line::styled(harmless_line(&state.order.filter), theme.mark())),
        }
        inner = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    }
    if state.of.is_none() {
        let text = " Two versions are needed. Mark two of them (3) and press d.";
        put(buf, inner, 0, Line::styled(text, theme.dim()));
        return;
    }
    let empty = match (all, &state.whole) {
        (0, Some(_)) => "Nothing differs.",
        _ => "Nothing that differs fits.",
    };
    let none = state.list.len(all) == 0 && !state.found.is_waiting() && !state.arranged.is_waiting();
    if stand_in(buf, inner, shared, &state.found, none, empty) {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    let head = Rect { x: inner.x + 2, width: inner.width.saturating_sub(2), ..inner };
    let sorted = state.order.column.map(|column| (column, state.order.descending));
    put(buf, head, 0, Line::styled(heading(TABLE, columns, sorted), theme.strong()));
    let area = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    state.list.draw(buf, area, theme, all, !state.reading, |at| match state.rows().get(at) {
        Some(row) => (row_line(row, shared, columns), false),
        None => (Line::raw(""), false),
    });
}

fn row_line(row: &DiffRow, shared: &Shared, columns: usize) -> Line<'static> {
    let theme = shared.theme;
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), size);
    let by = grown(row);
    let change = match (row.change, row.size_before.is_none() && row.size_after.is_none()) {
        (Change::Metadata, _) => "rights".to_owned(),
        (Change::Kind, _) => "kind".to_owned(),
        (_, true) => "-".to_owned(),
        _ => {
            let much = size(u64::try_from(by.unsigned_abs()).unwrap_or(u64::MAX));
            format!("{}{much}", if by < 0 { "-" } else { "+" })
        }
    };
    let style = match row.change {
        Change::Added => theme.health(Health::Good),
        Change::Removed => theme.health(Health::Bad),
        _ => theme.health(Health::Warn),
    };
    let slash = if row.kind == Kind::Dir { "/" } else { "" };
    let plain = if row.kind == Kind::Dir { theme.dir() } else { Style::new() };
    let cells = [
        (sign(row).to_owned(), style),
        (format!("{}{slash}", for_terminal(&row.path)), plain),
        (bytes(row.size_before), Style::new()),
        (bytes(row.size_after), Style::new()),
        (change, Style::new()),
    ];
    let mut spans = Vec::new();
    for ((cell, style), (column, width)) in cells.into_iter().zip(TABLE.iter().zip(widths(TABLE, columns))) {
        if width > 0 {
            if !spans.is_empty() {
                spans.push(Span::raw("  "));
            }
            spans.push(Span::styled(fit(&cell, width, column.align), style));
        }
    }
    Line::from(spans)
}
