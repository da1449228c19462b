//! The versions of an account in time: a calendar of how many there were, the versions of a day, and what they changed.
//!
//! * `days`: the calendar and its drawing

mod days;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use agent::engine::job::VersionRow;
use agent::name::harmless_line;
use agent::units::{count, counted, parse_duration, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::{Event, as_at};
use crate::console::effect::{Effect, Effects};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::overlay::Overlay;
use crate::console::plan::Step;
use crate::console::shared::Shared;
use crate::widgets::arrange::Needle;
use crate::widgets::field::{Field, Typed};
use crate::widgets::list::List;
use crate::widgets::menu::{Item, Menu};
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::prompt::{Meaning, Prompt};
use crate::widgets::text::{Align, Column, capital, column, heading, put, row, wrap};
use days::Days;

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("d", Action::Do("diff"), "what differs: the two marked, or this and the one before"),
    key("P", Action::Do("pin"), "pin: keep it whatever the policy says, and why"),
];
/// Its footer.
pub const HINTS: &[Hint] = &[
    ("Enter", "browse"),
    ("Space", "mark"),
    ("d", "diff"),
    ("@", "as at"),
    ("P", "pin"),
    ("x", "actions"),
    ("/", "filter"),
];

/// Rows of the calendar with its frame.
const CALENDAR_ROWS: u16 = 10;

/// Changes of marks that can be undone.
const UNDO_MAX: usize = 50;

const TABLE: &[Column] = &[
    column("Received", 12, Align::Left),
    column("Version", 8, Align::Left),
    column("Files", 11, Align::Right),
    column("Size", 9, Align::Right),
    column("Files +/-", 10, Align::Right),
    Column { title: "Kept by", columns: 20, align: Align::Left, from: 94 },
    column("Note", 0, Align::Left),
];

/// From so many columns on, all about the version under the cursor stands beside the list.
const BESIDE_FROM: u16 = 150;
/// Columns of what stands beside.
const BESIDE: u16 = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct State {
    /// Newest first.
    rows: Arc<Vec<VersionRow>>,
    pinned: usize,
    days: Days,
    list: List,
    marks: BTreeSet<String>,
    /// Marks as they were before, newest last, and what was undone.
    past: Vec<BTreeSet<String>>,
    undone: Vec<BTreeSet<String>>,
    filter: Option<Field>,
    typing: bool,
}

impl State {
    /// Whether it takes every key.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.typing
    }

    /// What stands at the other end of the title line.
    #[must_use]
    pub fn right(&self, _shared: &Shared) -> String {
        let pinned = self.pinned;
        let mut text = counted(self.rows.len() as u64, "version", "versions");
        if pinned > 0 {
            text.push_str(&format!(", {} pinned", count(pinned as u64)));
        }
        text
    }

    fn here(&self) -> Option<&VersionRow> {
        self.list.at(self.rows.len()).and_then(|row| self.rows.get(row))
    }

    /// The version before one of these in time.
    fn before(&self, row: usize) -> Option<&VersionRow> {
        self.rows.get(row + 1)
    }

    fn take(&mut self, shared: &Shared) {
        let id = self.here().map(|row| row.id.clone());
        let Some(rows) = shared.versions.value() else { return };
        self.rows = Arc::new(rows.iter().rev().cloned().collect());
        self.pinned = self.rows.iter().filter(|row| row.pinned_until_ms.is_some()).count();
        self.days = Days::new(&self.rows, &shared.zone);
        self.marks.retain(|id| self.rows.iter().any(|row| row.id == *id));
        self.sift();
        let wanted = id.or_else(|| as_at::current(shared).map(|row| row.id.clone()));
        self.to(wanted.as_deref());
    }

    /// Before marks change.
    fn remember(&mut self) {
        if self.past.len() >= UNDO_MAX {
            self.past.remove(0);
        }
        self.past.push(self.marks.clone());
        self.undone.clear();
    }

    /// Marks as they were before, or again as they were after.
    fn undo(&mut self, back: bool) {
        let (from, to) = if back { (&mut self.past, &mut self.undone) } else { (&mut self.undone, &mut self.past) };
        if let Some(marks) = from.pop() {
            to.push(std::mem::replace(&mut self.marks, marks));
        }
    }

    /// The cursor on a version.
    fn to(&mut self, id: Option<&str>) {
        let row = self.rows.iter().position(|row| Some(row.id.as_str()) == id);
        let place = row.and_then(|row| match &self.list.shown {
            None => Some(row),
            Some(shown) => shown.iter().position(|other| *other as usize == row),
        });
        self.list.cursor = place.unwrap_or(0);
    }

    /// Shows what the filter lets through.
    fn sift(&mut self) {
        let needle = Needle::new(self.filter.as_ref().map_or("", Field::text));
        let fits = |row: &VersionRow| {
            let text = format!("{} {}", row.id, row.tags.join(" "));
            needle.cost(&text).is_some()
        };
        let shown = (!needle.is_empty()).then(|| {
            let rows = self.rows.iter().enumerate().filter(|(_, row)| fits(row));
            Arc::new(rows.filter_map(|(number, _)| u32::try_from(number).ok()).collect())
        });
        self.list.show(shown, self.rows.len());
    }
}

/// A version as verbs take it.
fn named(row: &VersionRow) -> String {
    row.id.get(..16).unwrap_or(&row.id).to_owned()
}

fn at(row: &VersionRow) -> Option<String> {
    Some(format!("id:{}", named(row)))
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => {
            if shared.versions.value().is_none() && !shared.versions.is_waiting() {
                out.push(Effect::Versions);
            }
            if state.rows.is_empty() {
                state.take(shared);
            }
            true
        }
        Event::Versions => {
            state.take(shared);
            true
        }
        Event::Turned => {
            let id = as_at::current(shared).map(|row| row.id.clone());
            state.to(id.as_deref());
            true
        }
        Event::Key(key) => {
            let Some(field) = &mut state.filter else { return false };
            match field.key(key) {
                Typed::Done => state.typing = false,
                Typed::GivenUp => (state.typing, state.filter) = (false, None),
                _ => {}
            }
            state.sift();
            true
        }
        Event::Action(action) => act(state, shared, *action, out),
        _ => false,
    }
}

fn act(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    let all = state.rows.len();
    if state.list.moves(action, all, shared.page()) {
        return true;
    }
    match action {
        Action::Left | Action::Right => {
            let row = state.list.at(all);
            let next = row.and_then(|row| state.days.next(row, action == Action::Left));
            let next = next.and_then(|row| state.rows.get(row)).map(|row| row.id.clone());
            if next.is_some() && state.list.shown.is_none() {
                state.to(next.as_deref());
            }
        }
        Action::Enter => {
            if let Some(row) = state.here() {
                out.push(Effect::Browse { at: at(row), path: b"/".to_vec() });
            }
        }
        Action::Mark => {
            state.remember();
            if let Some(id) = state.here().map(|row| row.id.clone())
                && !state.marks.remove(&id)
            {
                state.marks.insert(id);
            }
            state.list.moves(Action::Down, all, shared.page());
        }
        Action::Unmark => {
            state.remember();
            state.marks.clear();
        }
        Action::Undo | Action::Redo => state.undo(action == Action::Undo),
        Action::Back if state.filter.is_some() => {
            state.filter = None;
            state.sift();
        }
        Action::Back if !state.marks.is_empty() => {
            state.remember();
            state.marks.clear();
        }
        Action::Filter => {
            state.filter.get_or_insert_default();
            state.typing = true;
        }
        Action::Reload => out.push(Effect::Versions),
        Action::Do("diff") => match pair(state) {
            Ok((from, to)) => out.push(Effect::Diff { from, to }),
            Err(why) => out.warn(why),
        },
        Action::Do("pin") => pin(state, out),
        Action::Menu => menu(state, out),
        Action::Copy => copy(state, out),
        Action::Older | Action::Newer => {
            let by = if action == Action::Older { Action::Down } else { Action::Up };
            state.list.moves(by, all, shared.page());
        }
        _ => return false,
    }
    true
}

/// Two versions to be compared, the earlier one first.
fn pair(state: &State) -> Result<(String, String), &'static str> {
    let marked: Vec<&VersionRow> = state.rows.iter().filter(|row| state.marks.contains(&row.id)).collect();
    let here = state.here();
    let before = state.list.at(state.rows.len()).and_then(|row| state.before(row));
    let (later, earlier) = match (marked.as_slice(), here, before) {
        ([later, earlier], _, _) => (*later, *earlier),
        ([one], Some(here), _) if one.id != here.id && one.sequence > here.sequence => (*one, here),
        ([one], Some(here), _) if one.id != here.id => (here, *one),
        ([] | [_], Some(here), Some(before)) => (here, before),
        ([] | [_], _, _) => return Err("there is no version before this one"),
        _ => return Err("more than two versions are marked"),
    };
    let text = |row: &VersionRow| format!("id:{}", named(row));
    Ok((text(earlier), text(later)))
}

/// The versions that something is done with: the marked ones, newest first, or the one under the cursor.
fn chosen(state: &State) -> Vec<&VersionRow> {
    let marked: Vec<&VersionRow> = state.rows.iter().filter(|row| state.marks.contains(&row.id)).collect();
    if marked.is_empty() { state.here().into_iter().collect() } else { marked }
}

/// A verb about versions, with options before them.
fn about(verb: &[&str], rows: &[&VersionRow]) -> Vec<OsString> {
    verb.iter().map(OsString::from).chain(rows.iter().map(|row| named(row).into())).collect()
}

/// As in `version 3f9c02ab`, or `3 of 40 versions`.
fn said(rows: &[&VersionRow], state: &State) -> String {
    match rows {
        [one] => format!("version {}", short(one)),
        rows => format!("{} of {}", count(rows.len() as u64), counted(state.rows.len() as u64, "version", "versions")),
    }
}

/// Pinning keeps something: it is done at once, when it was said why.
fn pin(state: &State, out: &mut Effects) {
    let rows = chosen(state);
    if rows.is_empty() {
        return;
    }
    if rows.iter().all(|row| row.pinned_until_ms == Some(0)) {
        return out.warn("it is pinned already; x has how to stop that");
    }
    out.open(Overlay::Prompt(pin_prompt(&rows, state)));
}

fn pin_prompt(rows: &[&VersionRow], state: &State) -> Prompt {
    let ids: Vec<String> = rows.iter().map(|row| named(row)).collect();
    let means = move |typed: &str| -> Meaning {
        let (time, reason) = match typed.split_once(' ') {
            Some((first, rest)) if parse_duration(first).is_ok() => (Some(first), rest.trim()),
            None if parse_duration(typed).is_ok() => (Some(typed), ""),
            _ => (None, typed),
        };
        let mut words: Vec<OsString> = vec!["pin".into()];
        words.extend(time.iter().flat_map(|time| ["--for", time]).map(OsString::from));
        if !reason.is_empty() {
            words.extend(["--reason", reason].map(OsString::from));
        }
        words.extend(ids.iter().map(OsString::from));
        let long = time.map_or_else(|| "for ever".to_owned(), |time| format!("for {time}"));
        let why = if reason.is_empty() { String::new() } else { format!(", because: {}", harmless_line(reason)) };
        Ok((format!("kept {long}{why}"), vec![Effect::Start(words)]))
    };
    let text = "Kept whatever the policy says. Why, for people; a time in front is how long, as in\n90d before the move\nBoth may be absent.";
    Prompt::new(format!("Pin {}", said(rows, state)), text, "", means)
}

fn menu(state: &State, out: &mut Effects) {
    let Some(row) = state.here() else { return };
    let rows = chosen(state);
    let said = said(&rows, state);
    let plan = |about: String, words| vec![Effect::Plan(Step::tried_first(about, words))];
    let mut items = vec![Item::new('b', "browse it", vec![Effect::Browse { at: at(row), path: b"/".to_vec() }])];
    items.push(match pair(state) {
        Ok((from, to)) => {
            Item::new('d', "what differs from the one before, or between the marked", vec![Effect::Diff { from, to }])
        }
        Err(why) => Item::not_now("what differs from the one before", why),
    });
    let prompt = vec![Effect::Open(Box::new(Overlay::Prompt(pin_prompt(&rows, state))))];
    items.push(Item::new('p', format!("pin {said}: keep whatever the policy says..."), prompt));
    let pinned: Vec<&VersionRow> = rows.iter().copied().filter(|row| row.pinned_until_ms.is_some()).collect();
    items.push(if pinned.is_empty() {
        Item::not_now("pin no longer...", "it is not pinned")
    } else {
        Item::new('u', "pin no longer...", plan(format!("pin {said} no longer"), about(&["pin", "--undo"], &pinned)))
    });
    let trashed: Vec<&VersionRow> = rows.iter().copied().filter(|row| row.trash_until_ms.is_some()).collect();
    items.push(if trashed.is_empty() {
        Item::not_now("take it out of the trash", "it is not in the trash")
    } else {
        Item::new('t', "take it out of the trash", vec![Effect::Start(about(&["forget", "--undo"], &trashed))])
    });
    let newest = state.rows.first().map(|first| first.id.as_str());
    items.push(match () {
        () if trashed.len() == rows.len() => Item::not_now("forget...", "it is in the trash already"),
        () if !pinned.is_empty() => Item::not_now(format!("forget {said}..."), "it is pinned"),
        () if rows.iter().any(|row| Some(row.id.as_str()) == newest) => {
            Item::not_now(format!("forget {said}..."), "the newest one stays")
        }
        () => {
            let words = about(&["forget"], &rows);
            Item::new('f', format!("forget {said}: into the trash..."), plan(format!("forget {said}"), words))
        }
    });
    items.push(if Some(row.id.as_str()) == newest {
        Item::not_now("roll back to it...", "it is the newest")
    } else {
        let words = ["rollback", "--to", &named(row)].map(OsString::from).to_vec();
        Item::new('r', "roll back to it, after a review...", plan(format!("roll back to {}", short(row)), words))
    });
    items.push(Item::new('w', "the plan: review what was gathered", vec![Effect::Review]));
    out.open(Overlay::Menu(Menu::new(capital(&said), items)));
}

fn copy(state: &State, out: &mut Effects) {
    let Some(row) = state.here() else { return };
    let copy = |text: String| vec![Effect::Copy(text)];
    let items = vec![
        Item::new('i', format!("its id: {}", short(row)), copy(row.id.clone())),
        Item::new('c', "command line that lists it", copy(format!("tuckbox ls --at {}", named(row)))),
        Item::new('r', "command line that restores it", copy(format!("tuckbox restore --at {} --to DIR", named(row)))),
        Item::new('v', "command line that lists versions", copy("tuckbox versions".to_owned())),
    ];
    out.open(Overlay::Menu(Menu::new("Copy", items)));
}

fn short(row: &VersionRow) -> &str {
    row.id.get(..8).unwrap_or(&row.id)
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let calendar = if shared.compact() { 0 } else { CALENDAR_ROWS };
    let here = state.list.at(state.rows.len());
    if calendar > 0 {
        let above = Rect { height: calendar, ..area };
        let year = state.here().map_or_else(|| "calendar".to_owned(), |row| shared.moment(row.received_at_ms, "%Y"));
        let inner = panel(buf, above, shared, &year, "", false);
        days::draw(&state.days, here, shared, inner, buf);
    }
    let mut below = Rect { y: area.y + calendar, height: area.height - calendar, ..area };
    if below.width >= BESIDE_FROM {
        let beside = Rect { x: below.x + below.width - BESIDE, width: BESIDE, ..below };
        below.width -= BESIDE;
        draw_version(state, shared, beside, buf);
    }
    let filter = state.filter.as_ref().map(|field| format!("  /{}", field.text())).unwrap_or_default();
    let title = match (state.here(), &state.filter) {
        (Some(row), None) => {
            let day = shared.moment(row.received_at_ms, "%a %Y-%m-%d");
            let of_day = here.map_or(0, |row| state.days.of(row).len());
            format!("{day}, {}", counted(of_day as u64, "version", "versions"))
        }
        _ => format!("Versions{filter}"),
    };
    let inner = panel(buf, below, shared, &title, &state.list.place(state.rows.len()), true);
    let empty = "There is no version yet. Type `:backup DIR` to make the first one.";
    if stand_in(buf, inner, shared, &shared.versions, state.rows.is_empty(), empty) {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    put(buf, inner, 0, Line::styled(format!("  {}", heading(TABLE, columns, None)), shared.theme.strong()));
    // One row for the filter, or for why the version under the cursor is kept.
    let last = u16::from(state.typing || inner.height > 4);
    if let Some(row) = state.here().filter(|_| !state.typing && last > 0) {
        let text = agent::name::cut_end(&format!(" {}", kept(row, shared)), usize::from(inner.width));
        put(buf, inner, usize::from(inner.height - 1), Line::styled(text, shared.theme.dim()));
    }
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1 + last), ..inner };
    let today = state.here().map(|row| shared.moment(row.received_at_ms, "%F"));
    state.list.draw(buf, rows, shared.theme, state.rows.len(), true, |number| {
        let Some(version) = state.rows.get(number) else { return (Line::raw(""), false) };
        let text = cells(version, state.before(number), shared, columns, today.as_deref());
        let style = match (version.trash_until_ms, version.pinned_until_ms) {
            (Some(_), _) => shared.theme.dim(),
            (None, Some(_)) => shared.theme.strong(),
            (None, None) => Style::new(),
        };
        (Line::styled(text, style), state.marks.contains(&version.id))
    });
    if let Some(field) = state.filter.as_ref().filter(|_| state.typing) {
        let line = Rect { y: inner.y + inner.height.saturating_sub(1), height: 1, ..inner };
        put(buf, line, 0, Line::styled(" /", shared.theme.key()));
        field.draw(buf, Rect { x: line.x + 2, width: line.width.saturating_sub(2), ..line }, shared.theme, false);
    }
}

fn cells(
    version: &VersionRow,
    before: Option<&VersionRow>,
    shared: &Shared,
    columns: usize,
    day: Option<&str>,
) -> String {
    let same_day = Some(shared.moment(version.received_at_ms, "%F")) == day.map(str::to_owned);
    let time = shared.moment(version.received_at_ms, if same_day { "%H:%M:%S" } else { "%b %d %H:%M" });
    let more = more_files(before, version);
    let (files, bytes) =
        if is_known(version) { (count(version.files), size(version.bytes)) } else { ("?".into(), "?".into()) };
    let why = version.why.join(", ");
    row(TABLE, columns, &[&time, short(version), &files, &bytes, &more, &why, &note(version, shared)])
}

/// Why a version is kept, or what becomes of it.
fn kept(version: &VersionRow, shared: &Shared) -> String {
    let why = version.why.join(", ");
    let mut text = match (version.trash_until_ms, version.why.is_empty()) {
        (Some(until), _) => format!("in the trash, at least until {}", shared.moment(until, "%F %H:%M")),
        (None, true) => "why it is kept is not known".to_owned(),
        (None, false) => format!("kept by: {why}"),
    };
    if let Some(until) = version.pinned_until_ms {
        let until = if until == 0 { String::new() } else { format!(" until {}", shared.moment(until, "%F")) };
        let reason = match version.pin_reason.as_str() {
            "" => "without a reason".to_owned(),
            reason => harmless_line(reason),
        };
        text.push_str(&format!("; pinned{until}: {reason}"));
    }
    text
}

/// All about the version under the cursor.
fn draw_version(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let title = state.here().map_or_else(String::new, |version| format!("Version {}", short(version)));
    let inner = panel(buf, area, shared, &title, "", false);
    let Some(version) = state.here() else { return };
    let mut lines = vec![
        format!("id        {}", version.id.get(..32).unwrap_or(&version.id)),
        format!("number    {}", version.sequence),
        format!(
            "received  {} ({})",
            shared.moment(version.received_at_ms, "%F %T"),
            shared.ago(version.received_at_ms)
        ),
        format!("taken     {} by the client's clock", shared.moment(version.taken_at_ms, "%F %T")),
        format!("holds     {}, {}", counted(version.files, "file", "files"), size(version.bytes)),
        String::new(),
        kept(version, shared),
    ];
    if !version.tags.is_empty() {
        let tags: Vec<String> = version.tags.iter().map(|tag| harmless_line(tag)).collect();
        lines.push(format!("tags: {}", tags.join(", ")));
    }
    lines.push(String::new());
    for source in &version.sources {
        let missing =
            source.missing_since_ms.map_or(String::new(), |at| format!(", gone since {}", shared.moment(at, "%F")));
        let host = harmless_line(&source.host);
        lines.push(format!("{host}:{}", agent::name::for_terminal(&source.path)));
        lines.push(format!("    {}, {}{missing}", counted(source.files, "file", "files"), size(source.bytes)));
    }
    let columns = usize::from(inner.width.saturating_sub(2));
    let wrapped = lines.iter().flat_map(|line| if line.is_empty() { vec![String::new()] } else { wrap(line, columns) });
    for (row, line) in wrapped.enumerate().take(usize::from(inner.height)) {
        put(buf, inner, row, format!(" {line}"));
    }
}

/// Whether the key on this machine reads what is in it.
fn is_known(version: &VersionRow) -> bool {
    !version.sources.is_empty() || version.files > 0
}

/// How many more files a version has than the one before. `+0` is as many, and not that nothing changed in them: of that
/// a row knows nothing.
pub(super) fn more_files(before: Option<&VersionRow>, version: &VersionRow) -> String {
    let Some(before) = before else { return "first".to_owned() };
    let by = version.files.abs_diff(before.files);
    match version.files.cmp(&before.files) {
        _ if !is_known(before) || !is_known(version) => "?".to_owned(),
        std::cmp::Ordering::Less => format!("-{}", count(by)),
        _ => format!("+{}", count(by)),
    }
}

fn note(version: &VersionRow, shared: &Shared) -> String {
    let mut notes = Vec::new();
    if version.partial {
        notes.push("unfinished".to_owned());
    }
    if version.holes {
        notes.push("DAMAGED".to_owned());
    }
    match version.pinned_until_ms {
        Some(0) => notes.push("pinned".to_owned()),
        Some(until) => notes.push(format!("pinned until {}", shared.moment(until, "%F"))),
        None => {}
    }
    if let Some(until) = version.trash_until_ms {
        notes.push(format!("trash until {}", shared.moment(until, "%F")));
    }
    if version.sources.iter().any(|source| source.missing_since_ms.is_some()) {
        notes.push("source missing".to_owned());
    }
    notes.extend(version.tags.iter().map(|tag| harmless_line(tag)));
    notes.join(", ")
}
