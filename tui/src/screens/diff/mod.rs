//! What differs between two versions: what came, what changed, what went; and of a text, line by line.

mod picture;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

use agent::engine::job::{Change, DiffJob, DiffRow, DiffSummary, Kind, Peek, PeekJob, VersionMark, VersionRow};
use agent::engine::look::lines::{Side, hunks};
use agent::name::{for_terminal, harmless_line};
use agent::time::parse_at;
use agent::units::size;
use crossterm::event::KeyEvent;

use super::browser::marks::Mark;
use super::browser::menus::line;
use super::browser::preview::plain_line;
use super::{Event, ScreenId, as_at};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::look::{Look, Looked};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::arrange::{INLINE_MAX, Order, Rows, arrange};
use crate::widgets::field::{Field, Typed};
use crate::widgets::list::List;
use crate::widgets::menu::{Item, Menu};
use crate::widgets::text::{Align, Column, column};

pub use picture::draw;

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("a", Action::Do("added"), "only what came, and back"),
    key("m", Action::Do("changed"), "only what changed, and back"),
    key("d", Action::Do("removed"), "only what went, and back"),
    key("=", Action::Do("swap"), "the two versions the other way round"),
];
/// Its footer.
pub const HINTS: &[Hint] = &[
    ("Enter", "text diff"),
    ("a/m/d", "only new, changed, gone"),
    ("Space", "mark as in A"),
    ("=", "swap"),
    ("/", "filter"),
    ("y", "copy"),
];

const ROWS: Lane = Lane(ScreenId::Diff, 0);
const ARRANGED: Lane = Lane(ScreenId::Diff, 1);
const TEXTS: Lane = Lane(ScreenId::Diff, 2);

/// Bytes of a text that are compared.
const TEXT_BYTES: u64 = 64 << 10;

pub(super) const TABLE: &[Column] = &[
    column(" ", 1, Align::Left),
    column("Path", 0, Align::Path),
    column("A", 9, Align::Right),
    column("B", 9, Align::Right),
    Column { title: "Change", columns: 10, align: Align::Right, from: 60 },
];

/// Differences, as they can be arranged.
#[derive(Debug, Default)]
struct Differences {
    rows: Vec<DiffRow>,
    summary: Option<(DiffSummary, bool)>,
    only: Option<&'static str>,
}

impl Rows for Differences {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn name(&self, row: usize) -> String {
        self.rows.get(row).map(|row| for_terminal(&row.path)).unwrap_or_default()
    }

    fn compare(&self, one: usize, other: usize, column: usize) -> Ordering {
        let (Some(one), Some(other)) = (self.rows.get(one), self.rows.get(other)) else { return Ordering::Equal };
        match column {
            0 => sign(one).cmp(sign(other)),
            2 => one.size_before.cmp(&other.size_before),
            3 => one.size_after.cmp(&other.size_after),
            4 => grown(one).cmp(&grown(other)),
            _ => one.path.cmp(&other.path),
        }
    }

    fn shows(&self, row: usize) -> bool {
        self.only.is_none_or(|only| self.rows.get(row).is_some_and(|row| class(row) == only))
    }
}

fn class(row: &DiffRow) -> &'static str {
    match row.change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Content | Change::Kind | Change::Metadata => "changed",
    }
}

fn sign(row: &DiffRow) -> &'static str {
    match row.change {
        Change::Added => "+",
        Change::Removed => "-",
        Change::Content | Change::Kind => "~",
        Change::Metadata => "m",
    }
}

/// By how many bytes it grew.
fn grown(row: &DiffRow) -> i128 {
    i128::from(row.size_after.unwrap_or(0)) - i128::from(row.size_before.unwrap_or(0))
}

/// See the module.
#[derive(Debug)]
pub struct State {
    /// Both versions, as `--at` takes them.
    of: Option<(String, String)>,
    /// They were not asked for yet.
    fresh: bool,
    found: Pane<Differences>,
    /// The rows once all are there: what is arranged.
    whole: Option<Arc<Differences>>,
    arranged: Pane<Arc<Vec<u32>>>,
    list: List,
    order: Order,
    only: Option<&'static str>,
    filter: Option<Field>,
    texts: Pane<Arc<(Arc<Peek>, Arc<Peek>)>>,
    text_lines: Vec<(Side, String)>,
    scrolled: usize,
    reading: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            of: None,
            fresh: false,
            found: Pane::new(ROWS),
            whole: None,
            arranged: Pane::new(ARRANGED),
            list: List::default(),
            order: Order::default(),
            only: None,
            filter: None,
            texts: Pane::new(TEXTS),
            text_lines: Vec::new(),
            scrolled: 0,
            reading: false,
        }
    }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => state.enter(shared, out),
        Event::Action(action) => return state.act(shared, *action, out),
        Event::Key(key) => state.key(shared, key, out),
        Event::Paste(text) => {
            if let Some(field) = &mut state.filter {
                field.insert(text);
                state.order.filter = field.text().to_owned();
                state.arrange(shared, out);
            }
        }
        Event::Heard(heard) => state.heard(shared, heard, out),
        _ => return false,
    }
    true
}

impl State {
    /// Whether it takes every key.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.filter.is_some()
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.found.is_waiting() || self.arranged.is_waiting() || self.texts.is_waiting()
    }

    /// Where one is.
    #[must_use]
    pub fn title(&self, shared: &Shared) -> String {
        let Some((from, to)) = &self.of else { return format!("{} > diff", shared.account_shown()) };
        format!("{} > diff  A {}  B {}", shared.account_shown(), moment(from, shared), moment(to, shared))
    }

    /// Compares two versions, as `--at` takes them.
    pub fn compare(&mut self, from: String, to: String) {
        *self = Self { of: Some((from, to)), fresh: true, ..Self::default() };
    }

    fn enter(&mut self, shared: &Shared, out: &mut Effects) {
        if self.of.is_none()
            && let Some(rows) = shared.versions.value()
            && let [.., before, last] = rows.as_slice()
        {
            // What changed last is what one wants to know mostly.
            self.compare(format!("id:{}", before.id), format!("id:{}", last.id));
        }
        if std::mem::take(&mut self.fresh) {
            self.ask(shared, out);
        }
    }

    fn ask(&mut self, shared: &Shared, out: &mut Effects) {
        let Some((from, to)) = self.of.clone() else { return };
        let at = |text: &str| parse_at(text, shared.now_ms, &shared.zone).map(|understood| understood.at);
        self.whole = None;
        self.list = List::default();
        self.close_text();
        match (at(&from), at(&to)) {
            (Ok(from), Ok(to)) => {
                let job = DiffJob { from, to, path: None, metadata: true };
                self.found.clear();
                self.found.ask(shared, Ask::Look(Look::Diff(job)), out);
            }
            (Err(fault), _) | (_, Err(fault)) => self.found.put(Err(fault)),
        }
    }

    fn heard(&mut self, shared: &Shared, heard: &Heard, out: &mut Effects) {
        let came = self.found.add(heard, Differences::default, |found, answer| match answer {
            Answer::Looked(Looked::Rows(rows)) => found.rows.extend(rows.iter().cloned()),
            Answer::Looked(Looked::Differs(summary, more)) => found.summary = Some((*summary, *more)),
            _ => {}
        });
        if came {
            if !self.found.is_waiting() && self.found.fault().is_none() {
                self.seal(shared, out);
            } else {
                self.arrange(shared, out);
            }
            return;
        }
        let arranged = self.arranged.hear(heard, |answer| match answer {
            Answer::Arranged(rows) => Some(Arc::clone(rows)),
            _ => None,
        });
        if arranged {
            let (shown, all) = (self.arranged.value().cloned(), self.rows().len());
            self.list.show(shown, all);
            return;
        }
        let texts = self.texts.hear(heard, |answer| match answer {
            Answer::Looked(Looked::Texts(old, new)) => Some(Arc::new((Arc::clone(old), Arc::clone(new)))),
            _ => None,
        });
        if texts {
            self.text_lines = self.texts.value().map(|texts| compared(&texts.0, &texts.1)).unwrap_or_default();
            self.scrolled = 0;
        }
    }

    /// All rows are there.
    fn seal(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(found) = self.found.value_mut() else { return };
        let rows = std::mem::take(&mut found.rows);
        self.whole = Some(Arc::new(Differences { rows, summary: found.summary, only: self.only }));
        self.arrange(shared, out);
    }

    fn rows(&self) -> &[DiffRow] {
        match (&self.whole, self.found.value()) {
            (Some(whole), _) => &whole.rows,
            (None, Some(found)) => &found.rows,
            (None, None) => &[],
        }
    }

    /// Rows as they are wanted, also those that came so far: what is typed early counts at once. Many rows of which
    /// more are to come keep the order they have until all are there.
    fn arrange(&mut self, shared: &Shared, out: &mut Effects) {
        let all = self.rows().len();
        if self.order == Order::default() && self.only.is_none() {
            self.arranged.clear();
            return self.list.show(None, all);
        }
        let (order, only) = (self.order.clone(), self.only);
        let rows: &dyn Rows = match (&self.whole, self.found.value_mut()) {
            (Some(whole), _) if all > INLINE_MAX => {
                return self.arranged.ask(shared, Ask::Arrange(Arc::clone(whole) as _, order), out);
            }
            (Some(whole), _) => whole.as_ref(),
            (None, Some(found)) if all <= INLINE_MAX => {
                found.only = only;
                found
            }
            (None, _) => return,
        };
        let shown = arrange(rows, &order, &agent::engine::job::Stop::default());
        self.list.show(shown.map(Arc::new), all);
    }

    fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) {
        let Some(field) = &mut self.filter else { return };
        match field.key(key) {
            Typed::Changed => {
                self.order.filter = field.text().to_owned();
                self.arrange(shared, out);
            }
            Typed::Done => self.filter = None,
            Typed::GivenUp => {
                self.filter = None;
                self.order.filter.clear();
                self.arrange(shared, out);
            }
            Typed::Kept | Typed::Other => {}
        }
    }

    fn act(&mut self, shared: &Shared, action: Action, out: &mut Effects) -> bool {
        if self.reading {
            let by = match action {
                Action::Up | Action::PreviewUp => -1,
                Action::Down | Action::PreviewDown => 1,
                Action::PageUp | Action::HalfUp => -10,
                Action::PageDown | Action::HalfDown => 10,
                _ => 0,
            };
            if by != 0 {
                let last = self.text_lines.len().saturating_sub(1);
                self.scrolled = self.scrolled.saturating_add_signed(by).min(last);
                return true;
            }
        }
        let all = self.rows().len();
        if self.list.moves(action, all, shared.page()) {
            self.close_text();
            return true;
        }
        match action {
            Action::Enter | Action::Right => self.open_text(shared, out),
            Action::NextPane | Action::PrevPane => self.reading = !self.reading && self.texts.value().is_some(),
            Action::Left | Action::Back if self.texts.value().is_some() || self.texts.is_waiting() => self.close_text(),
            Action::Back if !self.order.filter.is_empty() || self.only.is_some() => {
                self.order.filter.clear();
                self.set_only(shared, None, out);
            }
            Action::Reload => self.ask(shared, out),
            Action::Filter => self.filter = Some(Field::holding(&self.order.filter)),
            Action::Sort => {
                self.order.column = match self.order.column {
                    None => Some(0),
                    Some(0) => Some(2),
                    Some(at) => Some(at + 1).filter(|at| *at < TABLE.len()),
                };
                self.arrange(shared, out);
            }
            Action::SortDirection => {
                self.order.descending = !self.order.descending;
                self.arrange(shared, out);
            }
            Action::Copy => self.copy(out),
            Action::Mark => self.mark(shared, out),
            Action::Do("swap") => {
                if let Some((from, to)) = self.of.take() {
                    self.compare(to, from);
                    self.enter(shared, out);
                }
            }
            Action::Do(only @ ("added" | "changed" | "removed")) => {
                let only = Some(only).filter(|only| self.only != Some(*only));
                self.set_only(shared, only, out);
            }
            _ => return false,
        }
        true
    }

    fn set_only(&mut self, shared: &Shared, only: Option<&'static str>, out: &mut Effects) {
        self.only = only;
        if let Some(whole) = self.whole.take() {
            let rows = Arc::try_unwrap(whole).map_or_else(
                |shared| Differences { rows: shared.rows.clone(), summary: shared.summary, only },
                |own| Differences { only, ..own },
            );
            self.whole = Some(Arc::new(rows));
        }
        self.arrange(shared, out);
    }

    fn close_text(&mut self) {
        self.texts.clear();
        self.text_lines.clear();
        self.reading = false;
    }

    /// Line by line, where it is a file in both or one.
    fn open_text(&mut self, shared: &Shared, out: &mut Effects) {
        let all = self.rows().len();
        let Some(row) = self.list.at(all).and_then(|row| self.rows().get(row)).cloned() else { return };
        let Some((from, to)) = &self.of else { return };
        if row.kind != Kind::File {
            let at = if row.change == Change::Removed { from.clone() } else { to.clone() };
            return out.push(Effect::Browse { at: Some(at), path: row.path });
        }
        let at = |text: &str| parse_at(text, shared.now_ms, &shared.zone).map(|understood| understood.at);
        let (Ok(from), Ok(to)) = (at(from), at(to)) else { return };
        let job = |at| PeekJob { at, path: row.path.clone(), bytes_most: TEXT_BYTES };
        self.texts.clear();
        self.texts.ask(shared, Ask::Look(Look::Texts(job(from), job(to))), out);
        self.reading = true;
    }

    /// Marks the row as it was before; what is new, as it is after.
    fn mark(&mut self, shared: &Shared, out: &mut Effects) {
        let all = self.rows().len();
        let Some(row) = self.list.at(all).and_then(|row| self.rows().get(row)) else { return };
        let Some((from, to)) = &self.of else { return };
        let (text, bytes) = if row.change == Change::Added { (to, row.size_after) } else { (from, row.size_before) };
        let at = parse_at(text, shared.now_ms, &shared.zone).map(|understood| understood.at).unwrap_or_default();
        match shared.versions.value().and_then(|rows| as_at::pick(&at, rows)) {
            Some(version) => {
                let dir = row.kind == Kind::Dir;
                let (id, sequence, received_at_ms) = (version.id.clone(), version.sequence, version.received_at_ms);
                let version = VersionMark { id, sequence, received_at_ms };
                let mark =
                    Mark { version, path: row.path.clone(), dir, files: u64::from(!dir), bytes: bytes.unwrap_or(0) };
                out.push(Effect::Mark(Box::new(mark)));
                self.list.moves(Action::Down, all, 2);
            }
            None => out.warn("the version is not known yet"),
        }
    }

    fn copy(&self, out: &mut Effects) {
        let Some((from, to)) = &self.of else { return };
        let command = line(&["diff".into(), from.into(), to.into()]);
        let mut items = vec![Item::new('c', format!("command: {command}"), vec![Effect::Copy(command)])];
        let row = self.list.at(self.rows().len()).and_then(|row| self.rows().get(row));
        if let Some(row) = row {
            let path = agent::shell::words::quote(&row.path, agent::shell::words::Quote::Bare, true);
            items.push(Item::new('p', format!("path: {}", for_terminal(&row.path)), vec![Effect::Copy(path)]));
        }
        out.open(Overlay::Menu(Menu::new("Copy", items)));
    }
}

/// What differs in two texts; one line that says so when they are none.
fn compared(old: &Peek, new: &Peek) -> Vec<(Side, String)> {
    // Where there is no file there is no text either.
    let is_text = |peek: &Peek| peek.text || peek.bytes.is_empty();
    if !(is_text(old) && is_text(new)) {
        return vec![(Side::Both, "not text".to_owned())];
    }
    let (before, after) = (String::from_utf8_lossy(&old.bytes), String::from_utf8_lossy(&new.bytes));
    let mut lines = Vec::new();
    for hunk in hunks(&before, &after) {
        lines.push((Side::Both, format!("@@ {},{} @@", hunk.old_line, hunk.new_line)));
        lines.extend(hunk.lines.into_iter().map(|(side, line)| {
            let sign = match side {
                Side::Both => ' ',
                Side::Old => '-',
                Side::New => '+',
            };
            (side, format!("{sign} {}", plain_line(line)))
        }));
    }
    if lines.is_empty() {
        lines.push((Side::Both, "the beginnings are the same".to_owned()));
    }
    if old.size.max(new.size) > TEXT_BYTES {
        lines.push((Side::Both, format!("... only the first {} were compared", size(TEXT_BYTES))));
    }
    lines
}

fn moment(at: &str, shared: &Shared) -> String {
    let row = |rows: &[VersionRow]| {
        let at = parse_at(at, shared.now_ms, &shared.zone).ok()?.at;
        as_at::pick(&at, rows).map(|row| shared.moment(row.received_at_ms, "%a %b %d %H:%M"))
    };
    shared.versions.value().and_then(|rows| row(rows)).unwrap_or_else(|| harmless_line(at))
}
