//! Looking for a name: in the directory where one is, in the version, in all versions. What is found comes as it is found.

use std::collections::HashMap;

use agent::engine::job::{At, FindJob, FindRow, FindSummary, Kind, Sought};
use agent::name::{for_terminal, harmless_line};
use agent::units::{count, counted, size};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::files::moment;
use super::marks::Mark;
use super::{SEARCH, at_of};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects};
use crate::console::keys::Action;
use crate::console::look::{HITS_MAX, Look, Looked};
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::field::{Field, Typed};
use crate::widgets::list::List;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::text::{Align, Column, column, fit, put, widths};

/// So long nothing more is typed before it is looked for, milliseconds.
const STAY_MS: i64 = 150;

const TABLE: &[Column] = &[
    column("Path", 0, Align::Path),
    Column { title: "States", columns: 9, align: Align::Right, from: 60 },
    column("Size", 9, Align::Right),
    Column { title: "Newest", columns: 16, align: Align::Left, from: 70 },
    column(" ", 1, Align::Left),
];

/// Where it is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// In the directory where one is, and below.
    Here,
    /// In the version.
    #[default]
    Version,
    /// In all versions, also what is deleted.
    Versions,
}

impl Scope {
    fn next(self) -> Self {
        match self {
            Self::Here => Self::Version,
            Self::Version => Self::Versions,
            Self::Versions => Self::Here,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Version => "this account",
            Self::Versions => "all versions",
        }
    }
}

/// A path that was found.
#[derive(Debug)]
pub struct Hit {
    /// Its newest state.
    pub newest: FindRow,
    /// States of it that were found.
    pub states: u64,
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Hits {
    rows: Vec<Hit>,
    places: HashMap<Vec<u8>, usize>,
    done: Option<(FindSummary, bool)>,
}

impl Hits {
    fn add(&mut self, answer: &Answer) {
        match answer {
            Answer::Looked(Looked::Hits(rows)) => rows.iter().for_each(|row| self.hit(row)),
            Answer::Looked(Looked::Found(summary, more)) => self.done = Some((*summary, *more)),
            _ => {}
        }
    }

    fn hit(&mut self, row: &FindRow) {
        let known = self.places.get(&row.entry.path).and_then(|at| self.rows.get_mut(*at));
        match known {
            Some(hit) => {
                hit.states += 1;
                if row.version.sequence > hit.newest.version.sequence {
                    hit.newest = row.clone();
                }
            }
            None => {
                self.places.insert(row.entry.path.clone(), self.rows.len());
                self.rows.push(Hit { newest: row.clone(), states: 1 });
            }
        }
    }
}

/// What a key led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing for others.
    Nothing,
    /// The search is left.
    Close,
    /// To what is under the cursor.
    Go,
    /// Mark it.
    Mark,
}

/// See the module.
#[derive(Debug)]
pub struct Search {
    /// It has the screen.
    pub open: bool,
    field: Field,
    scope: Scope,
    hits: Pane<Hits>,
    list: List,
    due_ms: Option<i64>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            open: false,
            field: Field::default(),
            scope: Scope::default(),
            hits: Pane::new(SEARCH),
            list: List::default(),
            due_ms: None,
        }
    }
}

/// What is typed as what the engine looks for: the letters anywhere in a name, or a pattern when it has wildcards. Capitals
/// count once there is one.
#[must_use]
pub fn sought(typed: &str) -> Sought {
    let wild = typed.contains(['*', '?', '[']);
    let pattern = if wild { typed.to_owned() } else { format!("*{}*", typed.trim()) };
    Sought { pattern, ignore_case: !typed.chars().any(char::is_uppercase), ..Sought::default() }
}

impl Search {
    /// Milliseconds until it is asked.
    #[must_use]
    pub fn due_in_ms(&self, shared: &Shared) -> Option<i64> {
        self.due_ms.map(|due| due.saturating_sub(shared.mono_ms).max(0))
    }

    /// Whether an answer is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.hits.is_waiting()
    }

    /// Something was pasted.
    pub fn paste(&mut self, shared: &Shared, text: &str) {
        self.field.insert(text);
        self.due_ms = Some(shared.mono_ms.saturating_add(STAY_MS));
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent) -> Sent {
        let all = self.rows().len();
        let page = shared.page();
        match key.code {
            KeyCode::Char('s') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                self.scope = self.scope.next();
                self.due_ms = Some(shared.mono_ms);
                return Sent::Nothing;
            }
            KeyCode::Tab => return Sent::Mark,
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
                let action = match key.code {
                    KeyCode::Up => Action::Up,
                    KeyCode::Down => Action::Down,
                    KeyCode::PageUp => Action::PageUp,
                    _ => Action::PageDown,
                };
                self.list.moves(action, all, page);
                return Sent::Nothing;
            }
            _ => {}
        }
        match self.field.key(key) {
            Typed::Changed => self.due_ms = Some(shared.mono_ms.saturating_add(STAY_MS)),
            Typed::Done if self.due_ms.is_some() => self.due_ms = Some(shared.mono_ms),
            Typed::Done => return Sent::Go,
            Typed::GivenUp => return Sent::Close,
            Typed::Kept | Typed::Other => {}
        }
        Sent::Nothing
    }

    /// Time went by: asks when nothing more is typed.
    pub fn tick(&mut self, shared: &Shared, dir: &[u8], at: At, out: &mut Effects) {
        if self.due_ms.is_none_or(|due| shared.mono_ms < due) {
            return;
        }
        self.due_ms = None;
        self.list = List::default();
        self.hits.clear();
        if self.field.text().trim().is_empty() {
            out.push(Effect::Forget(SEARCH));
            return;
        }
        let all_versions = self.scope == Scope::Versions;
        let job = FindJob {
            at: if all_versions { At::default() } else { at },
            all_versions,
            below: if self.scope == Scope::Here { vec![dir.to_vec()] } else { Vec::new() },
            sought: sought(self.field.text()),
            ..FindJob::default()
        };
        self.hits.ask(shared, Ask::Look(Look::Find(job)), out);
    }

    /// An answer; whether it was for this.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        self.hits.add(heard, Hits::default, Hits::add)
    }

    fn rows(&self) -> &[Hit] {
        self.hits.value().map(|hits| hits.rows.as_slice()).unwrap_or_default()
    }

    /// What is under the cursor.
    #[must_use]
    pub fn hit(&self) -> Option<&Hit> {
        self.rows().get(self.list.cursor)
    }

    /// To the next or the one before; what is there then.
    pub fn step(&mut self, action: Action) -> Option<&Hit> {
        let all = self.rows().len();
        self.list.moves(action, all, 2);
        self.hit()
    }

    /// The version in which one looks at a hit: where all versions were searched, the newest that has it so.
    #[must_use]
    pub fn at(&self, hit: &Hit, shared: &Shared) -> Option<String> {
        match self.scope {
            Scope::Versions => at_of(&hit.newest.version, shared),
            _ => shared.at.clone(),
        }
    }

    /// A mark of what is under the cursor; the cursor goes on.
    pub fn mark(&mut self) -> Option<Mark> {
        let hit = self.hit()?;
        let entry = &hit.newest.entry;
        let dir = entry.kind == Kind::Dir;
        let mark = Mark {
            version: hit.newest.version.clone(),
            path: entry.path.clone(),
            dir,
            files: entry.files.unwrap_or(1),
            bytes: entry.size,
        };
        let all = self.rows().len();
        self.list.moves(Action::Down, all, 2);
        Some(mark)
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared, marked: impl Fn(&FindRow) -> bool) {
        let rows = self.rows();
        let found = match self.hits.value().and_then(|hits| hits.done) {
            _ if self.hits.value().is_none() => String::new(),
            None => format!("{} so far", count(rows.len() as u64)),
            Some((_, true)) => format!("more than {}: type more", count(HITS_MAX as u64)),
            Some((summary, false)) => {
                format!("{}/{}", count(rows.len() as u64), counted(summary.entries, "name", "names"))
            }
        };
        let title = format!("Find in {}", self.scope.name());
        let inner = panel(buf, area, shared, &title, &found, true);
        if inner.height < 2 {
            return;
        }
        let theme = shared.theme;
        put(buf, inner, 0, Line::from(vec![Span::styled(" Name: ", theme.strong())]));
        let typed = Rect { x: inner.x + 7, width: inner.width.saturating_sub(7), height: 1, ..inner };
        self.field.draw(buf, typed, theme, false);
        let hint = " Enter go there  Tab mark  C-s here/account/all versions  Esc close";
        put(buf, inner, 1, Line::styled(fit(hint, usize::from(inner.width), Align::Left), theme.dim()));
        let inner = Rect { y: inner.y + 2, height: inner.height - 2, ..inner };
        if self.hits.value().is_none() && !self.hits.is_waiting() && self.hits.fault().is_none() {
            let text = " Type a part of a name, or a pattern with * and ?.";
            put(buf, inner, 1, Line::styled(text, theme.dim()));
            return;
        }
        let columns = usize::from(inner.width).saturating_sub(2);
        let empty = rows.is_empty() && !self.hits.is_waiting();
        let none = match self.scope {
            Scope::Versions => "Nothing has such a name, in no version.",
            _ => "Nothing here has such a name. C-s looks further: in the account, in all versions.",
        };
        if rows.is_empty() && self.hits.value().is_some() && self.hits.is_waiting() {
            let text = self.hits.waiting(shared).unwrap_or_default();
            put(buf, inner, 0, Line::styled(format!(" {text}"), theme.dim()));
            return;
        }
        if stand_in(buf, inner, shared, &self.hits, empty, none) {
            return;
        }
        let heading = crate::widgets::text::heading(TABLE, columns, None);
        put(buf, Rect { x: inner.x + 2, ..inner }, 0, Line::styled(heading, theme.strong()));
        let inner = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
        self.list.draw(buf, inner, theme, rows.len(), true, |at| match rows.get(at) {
            Some(hit) => (line(hit, shared, columns), marked(&hit.newest)),
            None => (Line::raw(""), false),
        });
        if let Some(fault) = self.hits.fault() {
            let last = Rect { y: inner.y + inner.height.saturating_sub(1), height: 1, ..inner };
            put(
                buf,
                last,
                0,
                Line::styled(harmless_line(&fault.message), theme.health(crate::console::theme::Health::Bad)),
            );
        }
    }
}

fn line(hit: &Hit, shared: &Shared, columns: usize) -> Line<'static> {
    let entry = &hit.newest.entry;
    let theme = shared.theme;
    let slash = if entry.kind == Kind::Dir { "/" } else { "" };
    let path = format!("{}{slash}", for_terminal(&entry.path));
    let style = match entry.kind {
        _ if hit.newest.deleted => theme.dim(),
        Kind::Dir => theme.dir(),
        _ => Style::new(),
    };
    let bytes = if entry.kind == Kind::File || entry.files.is_some() { size(entry.size) } else { "-".into() };
    let newest = moment(hit.newest.version.received_at_ms, shared);
    let cells = [
        (path, style),
        (count(hit.states), Style::new()),
        (bytes, Style::new()),
        (newest, Style::new()),
        ((if hit.newest.deleted { "-" } else { " " }).to_owned(), theme.health(crate::console::theme::Health::Bad)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_is_meant() {
        assert_eq!((sought("tax").pattern.as_str(), sought("tax").ignore_case), ("*tax*", true));
        assert_eq!((sought("*.ods").pattern.as_str(), sought("Tax").ignore_case), ("*.ods", false));
    }
}
