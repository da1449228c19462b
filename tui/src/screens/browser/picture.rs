//! How the browser looks.

use agent::name::for_terminal;
use agent::units::{count, counted};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Focus, State, as_at, files, of_version, said, version};
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::text::{Align, ends, fit, heading, put};

/// Columns of the list where there is a preview beside it.
const LIST: u16 = 46;
/// Above so many columns the list takes half of them.
const WIDE: u16 = 100;

/// From so many columns on the past stands beside: longer lines would help nobody.
const THREE_FROM: u16 = 160;
/// Columns of it.
const PAST: u16 = 48;

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let search = |row: &agent::engine::job::FindRow| state.marks.has(row.version.sequence, &row.entry.path);
    let marks = if state.marks.is_empty() || area.height < 12 { 0 } else { 3 };
    let switcher = u16::from(area.height >= 8);
    let middle = Rect { y: area.y + switcher, height: area.height.saturating_sub(switcher + marks), ..area };
    if switcher > 0 {
        put(buf, area, 0, switch(state, shared, usize::from(area.width)));
    }
    if state.search.open {
        state.search.draw(buf, middle, shared, search);
    } else if shared.compact() {
        match state.zoom || state.focus == Focus::Preview {
            true => state.preview.draw(buf, middle, shared, true, true),
            false => list(state, shared, middle, buf),
        }
    } else if state.zoom {
        match state.focus {
            Focus::Preview => state.preview.draw(buf, middle, shared, true, true),
            Focus::List => list(state, shared, middle, buf),
        }
    } else {
        let third = if area.width >= THREE_FROM { PAST } else { 0 };
        let left = if area.width >= WIDE { (area.width - third) / 2 + 4 } else { LIST };
        list(state, shared, Rect { width: left, ..middle }, buf);
        let right = Rect { x: middle.x + left, width: middle.width.saturating_sub(left + third), ..middle };
        state.preview.draw(buf, right, shared, state.focus == Focus::Preview, third == 0);
        if third > 0 {
            past(state, shared, Rect { x: right.x + right.width, width: third, ..middle }, buf);
        }
    }
    if marks > 0 {
        let below = Rect { y: middle.y + middle.height, height: marks, ..area };
        marked(state, shared, below, buf);
    }
    if let Some(dialog) = &state.dialog {
        dialog.draw(buf, area, shared);
    }
}

/// The past of the file under the cursor; else the versions in which this directory changed.
fn past(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    if state.preview.draw_past(buf, area, shared) {
        return;
    }
    let inner = panel(buf, area, shared, "where this directory changed", "{ }", false);
    if stand_in(buf, inner, shared, &state.moments, false, "") {
        return;
    }
    let changed = state.moments.value().map(|moments| moments.changed.as_slice()).unwrap_or_default();
    let now = as_at::current(shared).map_or(u64::MAX, |row| row.sequence);
    // Newest first; the state that is looked at came with the last one up to now.
    let here = changed.iter().rposition(|moment| moment.version.sequence <= now);
    let height = usize::from(inner.height);
    let place = here.map_or(0, |here| changed.len() - 1 - here);
    let top = place.saturating_sub(height / 2).min(changed.len().saturating_sub(height));
    for (row, (at, moment)) in changed.iter().enumerate().rev().skip(top).take(height).enumerate() {
        let sign = if Some(at) == here { ">" } else { " " };
        let when = shared.moment(moment.version.received_at_ms, "%a %Y-%m-%d %H:%M");
        let gone = if moment.there { "" } else { "  - gone" };
        let text = format!(" {sign} {when}  {}{gone}", shared.ago(moment.version.received_at_ms));
        let style = if Some(at) == here { shared.theme.strong() } else { ratatui::style::Style::new() };
        put(buf, inner, row, Line::styled(fit(&text, usize::from(inner.width), Align::Left), style));
    }
}

/// The line of versions: the one before, this one, the one after; and where the directory changed.
fn switch(state: &State, shared: &Shared, columns: usize) -> Line<'static> {
    let Some(rows) = shared.versions.value() else { return Line::raw("") };
    let Some(place) = as_at::current(shared).and_then(|now| rows.iter().position(|row| row.id == now.id)) else {
        return Line::raw("");
    };
    let moment = |place: Option<usize>| {
        place.and_then(|place| rows.get(place)).map(|row| files::moment(row.received_at_ms, shared))
    };
    let older = moment(place.checked_sub(1)).map_or("oldest".to_owned(), |text| format!("< {text}"));
    let now = moment(Some(place)).unwrap_or_default();
    let newer = moment(place.checked_add(1)).map_or("newest".to_owned(), |text| format!("{text} >"));
    let changed = match state.moments.value() {
        Some(moments) => {
            let times = counted(moments.changed.len() as u64, "version", "versions");
            format!("changed here in {times} of {}  {{ }} ", count(moments.versions))
        }
        None => String::new(),
    };
    let theme = shared.theme;
    let left = format!(" [ {older} | ");
    let rest = format!(" | {newer} ]");
    let used = agent::name::width(&left) + agent::name::width(&now) + agent::name::width(&rest);
    Line::from(vec![
        Span::styled(left, theme.dim()),
        Span::styled(now, theme.strong()),
        Span::styled(rest, theme.dim()),
        Span::raw(ends("", &fit_right(&changed, columns.saturating_sub(used)), columns.saturating_sub(used))),
    ])
}

fn fit_right(text: &str, columns: usize) -> String {
    if agent::name::width(text) <= columns { text.to_owned() } else { String::new() }
}

fn list(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let theme = shared.theme;
    let all = state.len();
    let name = state.dir.as_deref().map_or_else(String::new, |dir| {
        let name = dir.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if name.is_empty() { "/".to_owned() } else { format!("{}/", for_terminal(name)) }
    });
    let mut right = state.list.place(all);
    if let Some(text) = state.folder.waiting(shared).or_else(|| state.arranged.waiting(shared)) {
        right = text;
    }
    let focused = state.focus == Focus::List;
    let inner = panel(buf, area, shared, &name, &right, focused);
    if inner.height == 0 {
        return;
    }
    let inner = filter_row(state, shared, inner, buf);
    let absent = state.folder().is_some_and(|folder| folder.absent);
    let empty = match (all, absent) {
        (0, true) => {
            "This directory is not in this version. [ goes to an older one, ] to a newer one, . shows what older ones had."
        }
        (0, false) => "This directory is empty in this version. . shows what was deleted here.",
        _ => "Nothing here fits the filter. Esc clears it.",
    };
    let none = state.list.len(all) == 0 && !state.arranged.is_waiting();
    if !shared.versions.is_waiting() && state.dir.is_none() {
        return nowhere(shared, inner, buf);
    }
    if stand_in(buf, inner, shared, &state.folder, none, empty) {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    let table = files::table(shared);
    let sorted = state.order.column.map(|column| (column, state.order.descending));
    let head = Rect { x: inner.x + 2, width: inner.width.saturating_sub(2), ..inner };
    put(buf, head, 0, Line::styled(heading(&table, columns, sorted), theme.strong()));
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    let Some(folder) = state.folder() else { return };
    state.list.draw(buf, rows, theme, all, focused, |at| match folder.rows.get(at) {
        Some(row) => {
            let marked = state.marks.has(version(folder, row).sequence, &files::join(&folder.dir, &row.name));
            (files::line(row, shared, &table, columns), marked)
        }
        None => (Line::raw(""), false),
    });
    if let Some(fault) = state.folder.fault() {
        // What was there stays to be seen.
        let last = Rect { y: inner.y + inner.height.saturating_sub(1), height: 1, ..inner };
        let text = format!(" ! {}: C-r asks again", fault.message);
        put(buf, last, 0, Line::styled(fit(&text, usize::from(inner.width), Align::Left), theme.health(Health::Bad)));
    }
}

/// Without a version there is nowhere to be.
fn nowhere(shared: &Shared, area: Rect, buf: &mut Buffer) {
    let empty = shared.versions.value().is_some_and(|rows| rows.is_empty());
    stand_in(
        buf,
        area,
        shared,
        &shared.versions,
        empty,
        "There is no version yet. The first backup makes one: tuckbox backup DIR",
    );
}

/// The filter, while there is one; the area below it.
fn filter_row(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) -> Rect {
    if state.filter.is_none() && state.order.filter.is_empty() {
        return area;
    }
    let theme = shared.theme;
    put(buf, area, 0, Line::styled(" Filter: ", theme.strong()));
    let text = Rect { x: area.x + 9, width: area.width.saturating_sub(9), height: 1, ..area };
    match &state.filter {
        Some(field) => field.draw(buf, text, theme, false),
        None => put(buf, text, 0, Line::styled(agent::name::harmless_line(&state.order.filter), theme.mark())),
    }
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

fn marked(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let title = format!("marked: {}", said(&state.marks));
    let inner = panel(buf, area, shared, &title, "u clear  r restore", false);
    let room = usize::from(inner.width).saturating_sub(2);
    let mut text = String::new();
    for mark in state.marks.iter() {
        let name = mark.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let slash = if mark.dir { "/" } else { "" };
        text.push_str(&format!("{}{slash} ({})   ", for_terminal(name), of_version(&mark.version, shared)));
        if agent::name::width(&text) > room {
            break;
        }
    }
    put(buf, inner, 0, format!(" {}", fit(text.trim_end(), room, Align::Left)));
}
