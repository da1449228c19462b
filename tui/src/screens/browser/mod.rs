//! The files of a version: look around, look back, mark, restore.
//!
//! * [`files`]: the list; [`preview`]: what is under the cursor; [`marks`]: what is marked, each with its version
//! * [`search`]: looking for a name; [`restore`]: the dialog; [`menus`]: what can be done and copied; [`picture`]: drawing
//!
//! Where one is stays when the version changes: the directory, and the name under the cursor.

pub mod files;
pub mod marks;
pub mod menus;
mod picture;
pub mod preview;
pub mod restore;
pub mod search;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use agent::engine::job::{At, Folder, FolderJob, Moments, VersionMark, VersionRow};
use agent::engine::overlay::{components, host_name};
use agent::name::for_terminal;
use agent::time::parse_at;
use agent::units::{counted, size};
use crossterm::event::KeyEvent;

use super::{Event, ScreenId, as_at};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::look::{Look, Looked};
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::arrange::{INLINE_MAX, Order, arrange};
use crate::widgets::field::{Field, Typed};
use crate::widgets::list::List;
use files::{Files, SORTS, above, join, version};
use marks::{MARKS_MAX, Mark, Marks, Step, Steps};
use preview::{Preview, Subject};
use restore::Dialog;
use search::Search;

pub use picture::draw;

const FOLDER: Lane = Lane(ScreenId::Browser, 0);
const ARRANGED: Lane = Lane(ScreenId::Browser, 1);
const MOMENTS: Lane = Lane(ScreenId::Browser, 2);
const PEEK: Lane = Lane(ScreenId::Browser, 3);
const STATES: Lane = Lane(ScreenId::Browser, 4);
const SEARCH: Lane = Lane(ScreenId::Browser, 5);
const PLAN: Lane = Lane(ScreenId::Browser, 6);
const DIRS: Lane = Lane(ScreenId::Browser, 7);

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key(".", Action::Do("deleted"), "show what was deleted here, too"),
    key("H", Action::Do("hidden"), "hide names that begin with a dot, and back"),
    key("{", Action::Do("changed-before"), "to the version before in which this directory changed"),
    key("}", Action::Do("changed-after"), "to the version after in which this directory changed"),
    key("D", Action::Do("diff"), "what differs below here between this version and the newest"),
];
/// Its footer.
pub const HINTS: &[Hint] =
    &[("Space", "mark"), ("r", "restore"), ("[/]", "older/newer"), ("/", "filter"), ("F", "find"), (".", "deleted")];

/// Which pane has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Focus {
    #[default]
    List,
    Preview,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    /// Where one is; nothing until it is known where to begin.
    dir: Option<Vec<u8>>,
    folder: Pane<Arc<Folder>>,
    /// The rows of the folder, as they can be arranged.
    files: Option<Arc<Files>>,
    arranged: Pane<Arc<Vec<u32>>>,
    moments: Pane<Arc<Moments>>,
    /// The directory that the moments are of.
    moments_of: Vec<u8>,
    list: List,
    /// The name to stand on when the directory is there.
    wanted: Option<Vec<u8>>,
    order: Order,
    /// Place of the order in [`SORTS`]; `None` = as the names come.
    sort: Option<usize>,
    filter: Option<Field>,
    hidden: bool,
    deleted: bool,
    marks: Marks,
    steps: Steps,
    /// The row of the last mark: a range begins there.
    marked_last: Option<usize>,
    preview: Preview,
    focus: Focus,
    zoom: bool,
    search: Search,
    dialog: Option<Dialog>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            dir: None,
            folder: Pane::new(FOLDER),
            files: None,
            arranged: Pane::new(ARRANGED),
            moments: Pane::new(MOMENTS),
            moments_of: Vec::new(),
            list: List::default(),
            wanted: None,
            order: Order::default(),
            sort: None,
            filter: None,
            hidden: true,
            deleted: false,
            marks: Marks::default(),
            steps: Steps::default(),
            marked_last: None,
            preview: Preview::default(),
            focus: Focus::default(),
            zoom: false,
            search: Search::default(),
            dialog: None,
        }
    }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => state.enter(shared, out),
        Event::Back => state.ask(shared, out),
        Event::Versions => state.versions(shared, out),
        Event::Turned => state.ask(shared, out),
        Event::Action(action) => return state.act(shared, *action, out),
        Event::Key(key) => state.key(shared, key, out),
        Event::Paste(text) => state.paste(shared, text, out),
        Event::Heard(heard) => state.heard(shared, heard, out),
        Event::Tick => state.tick(shared, out),
        Event::JobBegan(number) => {
            if let Some(dialog) = &mut state.dialog {
                dialog.began(*number);
            }
        }
        Event::JobEnded(_) => {}
    }
    true
}

impl State {
    /// Whether it takes every key.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.dialog.is_some() || self.search.open || self.filter.is_some()
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.folder.is_waiting()
            || self.arranged.is_waiting()
            || self.preview.is_waiting()
            || self.search.is_waiting()
            || self.dialog.as_ref().is_some_and(Dialog::is_waiting)
    }

    /// Milliseconds until something is asked that waits for the cursor or the hand to rest.
    #[must_use]
    pub fn due_in_ms(&self, shared: &Shared) -> Option<i64> {
        [self.preview.due_in_ms(shared), self.search.due_in_ms(shared)].into_iter().flatten().min()
    }

    /// Where one is.
    #[must_use]
    pub fn title(&self, shared: &Shared) -> String {
        let dir = self.dir.as_deref().map(|dir| short(dir, shared)).unwrap_or_default();
        format!("{} > {dir}", shared.account_shown())
    }

    /// What stands at the other end of the title line.
    #[must_use]
    pub fn right(&self, shared: &Shared) -> String {
        match as_at::current(shared) {
            Some(row) => {
                let newest = shared.versions.value().and_then(|rows| rows.last()).is_some_and(|last| last.id == row.id);
                let latest = if newest { " (latest)" } else { "" };
                let moment = files::moment(row.received_at_ms, shared);
                if shared.compact() { moment } else { format!("as at {moment}{latest}") }
            }
            None => String::new(),
        }
    }

    /// Goes to a place: a directory, or the name of something in it.
    pub fn open(&mut self, path: Vec<u8>) {
        let (dir, name) = above(&path).map_or((path, None), |(dir, name)| (dir, Some(name)));
        self.go(dir, name);
    }

    /// Marks something that was found elsewhere, or takes the mark away.
    pub fn mark(&mut self, mark: Mark, out: &mut Effects) {
        self.steps.note(self.step());
        self.toggle(mark, out);
        let marked = counted(self.marks.len() as u64, "item is", "items are");
        out.say(format!("{marked} marked; 4 shows them, r there restores them"));
    }

    fn go(&mut self, dir: Vec<u8>, wanted: Option<Vec<u8>>) {
        if self.dir.as_ref() != Some(&dir) {
            self.folder.clear();
            self.arranged.clear();
            self.files = None;
            self.list = List::default();
            self.order.filter.clear();
            self.marked_last = None;
            self.dir = Some(dir);
        }
        self.wanted = wanted;
        self.search.open = false;
        self.focus = Focus::List;
    }

    fn enter(&mut self, shared: &Shared, out: &mut Effects) {
        if self.dir.is_none() {
            self.dir = shared.versions.value().and_then(|rows| begin(rows));
        }
        if !shared.versions.is_waiting() && shared.versions.value().is_none() && shared.versions.fault().is_none() {
            out.push(Effect::Versions);
        }
        self.ask(shared, out);
    }

    /// The versions are known, or there are other ones.
    fn versions(&mut self, shared: &Shared, out: &mut Effects) {
        if self.dir.is_none() {
            self.enter(shared, out);
        } else if shared.at.is_none() {
            self.ask(shared, out);
            self.moments_of.clear();
            self.ask_moments(shared, out);
        }
    }

    fn at(shared: &Shared) -> At {
        let text = shared.at.as_deref().unwrap_or("latest");
        parse_at(text, shared.now_ms, &shared.zone).map(|understood| understood.at).unwrap_or_default()
    }

    /// Asks for the directory; the cursor will stand where it stands.
    fn ask(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(dir) = self.dir.clone() else { return };
        if self.wanted.is_none() {
            self.wanted = self.subject().map(|subject| subject.row.name.to_vec());
        }
        let job = FolderJob { at: Self::at(shared), dir, deleted: self.deleted };
        self.folder.ask(shared, Ask::Look(Look::Folder(job)), out);
        self.ask_moments(shared, out);
    }

    fn ask_moments(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(dir) = self.dir.clone().filter(|dir| *dir != self.moments_of) else { return };
        self.moments.clear();
        self.moments.ask(shared, Ask::Look(Look::Moments(dir.clone())), out);
        self.moments_of = dir;
    }

    fn heard(&mut self, shared: &Shared, heard: &Heard, out: &mut Effects) {
        let folder = self.folder.hear(heard, |answer| match answer {
            Answer::Looked(Looked::Folder(folder)) => Some(Arc::clone(folder)),
            _ => None,
        });
        if folder {
            if self.folder.fault().is_none() {
                self.lay_out(shared, out);
            }
            return;
        }
        let arranged = self.arranged.hear(heard, |answer| match answer {
            Answer::Arranged(rows) => Some(Arc::clone(rows)),
            _ => None,
        });
        if arranged {
            if let Some(shown) = self.arranged.value().cloned() {
                self.show(shared, Some(shown), out);
            }
            return;
        }
        let moments = self.moments.hear(heard, |answer| match answer {
            Answer::Looked(Looked::Moments(moments)) => Some(Arc::clone(moments)),
            _ => None,
        });
        let _taken = moments
            || self.preview.hear(heard)
            || self.search.hear(heard)
            || self.dialog.as_mut().is_some_and(|dialog| dialog.hear(heard));
    }

    fn tick(&mut self, shared: &Shared, out: &mut Effects) {
        self.preview.tick(shared, out);
        let dir = self.dir.clone().unwrap_or_else(|| b"/".to_vec());
        self.search.tick(shared, &dir, Self::at(shared), out);
    }

    // ---- rows ---------------------------------------------------------------------------------------------------

    /// The directory is there: its rows in the order that is wanted.
    fn lay_out(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(folder) = self.folder.value().cloned() else { return };
        self.files = Some(Arc::new(Files { folder, hidden: self.hidden }));
        self.list.shown = None;
        self.arrange(shared, out);
    }

    /// Which rows are shown, in which order. Many are arranged elsewhere: until then they stand as they come.
    fn arrange(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(files) = self.files.clone() else { return };
        self.order.column = self.sort.and_then(|sort| SORTS.get(sort)).copied();
        if self.order == Order::default() && self.hidden {
            self.arranged.clear();
            out.push(Effect::Forget(ARRANGED));
            return self.show(shared, None, out);
        }
        if files.folder.rows.len() > INLINE_MAX {
            self.arranged.ask(shared, Ask::Arrange(files, self.order.clone()), out);
            return self.stand(shared, out);
        }
        let shown = arrange(files.as_ref(), &self.order, &agent::engine::job::Stop::default());
        self.show(shared, shown.map(Arc::new), out);
    }

    fn show(&mut self, shared: &Shared, shown: Option<Arc<Vec<u32>>>, out: &mut Effects) {
        let all = self.len();
        self.list.show(shown, all);
        self.stand(shared, out);
    }

    /// The cursor goes to the name that is wanted.
    fn stand(&mut self, shared: &Shared, out: &mut Effects) {
        let all = self.len();
        if let (Some(wanted), Some(files)) = (self.wanted.take(), &self.files) {
            let found = files.folder.rows.binary_search_by(|row| (*row.name).cmp(&wanted));
            let place = found.ok().and_then(|row| match &self.list.shown {
                Some(shown) => shown.iter().position(|other| *other as usize == row),
                None => Some(row),
            });
            self.list.cursor = place.unwrap_or(self.list.cursor);
        }
        self.list.keep_inside(all);
        self.moved(shared, out);
    }

    fn len(&self) -> usize {
        self.files.as_ref().map_or(0, |files| files.folder.rows.len())
    }

    fn folder(&self) -> Option<&Folder> {
        self.files.as_ref().map(|files| files.folder.as_ref())
    }

    /// A row as something to be looked at or marked.
    fn subject_of(&self, row: usize) -> Option<Subject> {
        let folder = self.folder()?;
        let row = folder.rows.get(row)?;
        let version = version(folder, row).clone();
        Some(Subject { version, path: join(&folder.dir, &row.name), row: row.clone() })
    }

    /// What is under the cursor.
    fn subject(&self) -> Option<Subject> {
        self.subject_of(self.list.at(self.len())?)
    }

    fn moved(&mut self, shared: &Shared, out: &mut Effects) {
        let subject = self.subject();
        self.preview.look(shared, subject, out);
    }

    // ---- keys ---------------------------------------------------------------------------------------------------

    fn act(&mut self, shared: &Shared, action: Action, out: &mut Effects) -> bool {
        let all = self.len();
        if self.focus == Focus::Preview {
            let by = match action {
                Action::Up => -1,
                Action::Down => 1,
                Action::PageUp => -20,
                Action::PageDown => 20,
                _ => 0,
            };
            if by != 0 {
                self.preview.scroll(by);
                return true;
            }
        }
        if self.list.moves(action, all, shared.page()) {
            self.moved(shared, out);
            return true;
        }
        match action {
            Action::Enter | Action::Right => self.enter_row(shared, out),
            Action::Left => match self.dir.as_deref().and_then(above) {
                Some((dir, name)) => {
                    self.go(dir, Some(name));
                    self.ask(shared, out);
                }
                None => out.warn("this is the top"),
            },
            Action::NextPane | Action::PrevPane => {
                self.focus = if self.focus == Focus::List { Focus::Preview } else { Focus::List };
                self.zoom &= self.focus == Focus::Preview;
            }
            Action::Zoom => self.zoom = !self.zoom,
            Action::Details => {
                self.zoom = !self.zoom;
                self.focus = if self.zoom { Focus::Preview } else { Focus::List };
            }
            Action::PreviewDown => self.preview.scroll(5),
            Action::PreviewUp => self.preview.scroll(-5),
            Action::Back => return self.back(shared, out),
            Action::Reload => {
                out.push(Effect::Versions);
                self.moments_of.clear();
                self.ask(shared, out);
            }
            Action::Filter => self.filter = Some(Field::holding(&self.order.filter)),
            Action::Find => self.search.open = true,
            Action::NextMatch => self.match_step(shared, Action::Down, out),
            Action::PrevMatch => self.match_step(shared, Action::Up, out),
            Action::Sort => {
                self.sort = match self.sort {
                    None => Some(0),
                    Some(at) => Some(at + 1).filter(|at| *at < SORTS.len()),
                };
                self.arrange(shared, out);
            }
            Action::SortDirection => {
                self.order.descending = !self.order.descending;
                self.arrange(shared, out);
            }
            Action::Mark => self.mark_row(shared, out),
            Action::RangeMark => self.mark_range(out),
            Action::Invert => self.invert(out),
            Action::Unmark => self.unmark(out),
            Action::Undo | Action::Redo => self.undo(shared, action == Action::Undo, out),
            Action::Restore => self.restore(shared, out),
            Action::Menu => menus::actions(self, shared, out),
            Action::Copy => menus::copies(self, shared, out),
            Action::Do(what) => self.own(shared, what, out),
            _ => return false,
        }
        true
    }

    fn own(&mut self, shared: &Shared, what: &str, out: &mut Effects) {
        match what {
            "deleted" => {
                self.deleted = !self.deleted;
                self.ask(shared, out);
            }
            "hidden" => {
                self.hidden = !self.hidden;
                self.wanted = self.subject().map(|subject| subject.row.name.to_vec());
                self.lay_out(shared, out);
            }
            "changed-before" => self.step_change(shared, true, out),
            "changed-after" => self.step_change(shared, false, out),
            "diff" => match as_at::current(shared) {
                Some(row) => {
                    let from = format!("id:{}", row.id);
                    out.push(Effect::Diff { from, to: "latest".to_owned() });
                }
                None => out.warn("no version is known yet"),
            },
            _ => {}
        }
    }

    fn enter_row(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(subject) = self.subject() else { return };
        if !subject.row.is_dir() {
            self.zoom = !self.zoom;
            self.focus = if self.zoom { Focus::Preview } else { Focus::List };
            return;
        }
        if subject.row.gone.is_some() {
            // It is looked at where it was last.
            let at = at_of(&subject.version, shared);
            out.say(format!("looking at the version of {}", files::moment(subject.version.received_at_ms, shared)));
            out.push(Effect::Browse { at, path: join(&subject.path, b".") });
            return;
        }
        self.go(subject.path, None);
        self.ask(shared, out);
    }

    /// One step back; whether there was one.
    fn back(&mut self, shared: &Shared, out: &mut Effects) -> bool {
        if self.zoom || self.focus == Focus::Preview {
            (self.zoom, self.focus) = (false, Focus::List);
        } else if !self.order.filter.is_empty() {
            self.set_filter(shared, String::new(), out);
        } else if !self.marks.is_empty() {
            self.unmark(out);
        } else {
            return false;
        }
        true
    }

    fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) {
        if let Some(dialog) = &mut self.dialog {
            if dialog.key(shared, key, out) == restore::Sent::Closes {
                self.dialog = None;
            }
        } else if self.search.open {
            self.search_key(shared, key, out);
        } else if let Some(field) = &mut self.filter {
            match field.key(key) {
                Typed::Changed => {
                    let text = field.text().to_owned();
                    self.order.filter = text;
                    self.list.cursor = 0;
                    self.arrange(shared, out);
                }
                Typed::Done => self.filter = None,
                Typed::GivenUp => {
                    self.filter = None;
                    self.set_filter(shared, String::new(), out);
                }
                Typed::Kept => {}
                Typed::Other => {
                    let action = match key.code {
                        crossterm::event::KeyCode::Up => Action::Up,
                        crossterm::event::KeyCode::Down => Action::Down,
                        _ => return,
                    };
                    self.list.moves(action, self.len(), 2);
                    self.moved(shared, out);
                }
            }
        }
    }

    fn paste(&mut self, shared: &Shared, text: &str, out: &mut Effects) {
        if let Some(dialog) = &mut self.dialog {
            dialog.paste(text);
        } else if self.search.open {
            self.search.paste(shared, text);
        } else if let Some(field) = &mut self.filter {
            field.insert(text);
            let text = field.text().to_owned();
            self.order.filter = text;
            self.arrange(shared, out);
        }
    }

    fn set_filter(&mut self, shared: &Shared, filter: String, out: &mut Effects) {
        if self.order.filter != filter {
            self.steps.note(self.step());
            self.wanted = self.subject().map(|subject| subject.row.name.to_vec());
            self.order.filter = filter;
            self.arrange(shared, out);
        }
    }

    fn search_key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) {
        match self.search.key(shared, key) {
            search::Sent::Nothing => {}
            search::Sent::Close => {
                self.search.open = false;
                out.push(Effect::Forget(SEARCH));
            }
            search::Sent::Go => {
                if let Some(hit) = self.search.hit() {
                    let at = self.search.at(hit, shared);
                    out.push(Effect::Browse { at, path: hit.newest.entry.path.clone() });
                }
            }
            search::Sent::Mark => {
                if let Some(mark) = self.search.mark() {
                    self.steps.note(self.step());
                    self.toggle(mark, out);
                }
            }
        }
    }

    fn match_step(&mut self, shared: &Shared, action: Action, out: &mut Effects) {
        match self.search.step(action).is_some() {
            true => {
                if let Some(hit) = self.search.hit() {
                    let at = self.search.at(hit, shared);
                    out.push(Effect::Browse { at, path: hit.newest.entry.path.clone() });
                }
            }
            false => out.warn("nothing was looked for yet: F"),
        }
    }

    /// To the version in which the directory changed last before, or first after, the one that is looked at.
    fn step_change(&mut self, shared: &Shared, before: bool, out: &mut Effects) {
        let (Some(moments), Some(now)) = (self.moments.value(), as_at::current(shared)) else {
            return out.warn("it is not known yet where this directory changed");
        };
        let mut changed = moments.changed.iter().map(|moment| &moment.version);
        let found = if before {
            changed.rfind(|version| version.sequence < now.sequence)
        } else {
            changed.find(|version| version.sequence > now.sequence)
        };
        match found {
            Some(version) => out.push(Effect::At(at_of(version, shared))),
            None if before => out.warn("this directory did not change before"),
            None => out.warn("this directory did not change after that"),
        }
    }

    // ---- marks --------------------------------------------------------------------------------------------------

    fn step(&self) -> Step {
        Step { marks: self.marks.clone(), filter: self.order.filter.clone() }
    }

    fn mark_of(subject: &Subject) -> Mark {
        Mark {
            version: subject.version.clone(),
            path: subject.path.clone(),
            dir: subject.row.is_dir(),
            files: subject.row.files.unwrap_or(1),
            bytes: subject.row.size,
        }
    }

    fn toggle(&mut self, mark: Mark, out: &mut Effects) {
        if !self.marks.toggle(mark) {
            out.warn(format!(
                "{} are marked, more cannot be: mark the directory",
                counted(MARKS_MAX as u64, "name", "names")
            ));
        }
    }

    fn mark_row(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(subject) = self.subject() else { return };
        self.steps.note(self.step());
        self.marked_last = self.list.at(self.len());
        self.toggle(Self::mark_of(&subject), out);
        self.list.moves(Action::Down, self.len(), 2);
        self.moved(shared, out);
    }

    /// Marks from the last mark to here.
    fn mark_range(&mut self, out: &mut Effects) {
        let all = self.len();
        let from = self.marked_last.and_then(|row| match &self.list.shown {
            Some(shown) => shown.iter().position(|other| *other as usize == row),
            None => Some(row),
        });
        let from = from.unwrap_or(self.list.cursor);
        self.steps.note(self.step());
        for place in from.min(self.list.cursor)..=from.max(self.list.cursor) {
            let Some(subject) = self.list.row(place, all).and_then(|row| self.subject_of(row)) else { continue };
            if !self.marks.add(Self::mark_of(&subject)) {
                out.warn("more cannot be marked: mark the directory");
                return;
            }
        }
        self.marked_last = self.list.at(all);
    }

    fn invert(&mut self, out: &mut Effects) {
        let all = self.len();
        let shown = self.list.len(all);
        if shown > MARKS_MAX {
            return out.warn("there is too much here to be marked name by name: mark the directory");
        }
        self.steps.note(self.step());
        for place in 0..shown {
            if let Some(subject) = self.list.row(place, all).and_then(|row| self.subject_of(row)) {
                self.toggle(Self::mark_of(&subject), out);
            }
        }
    }

    fn unmark(&mut self, out: &mut Effects) {
        if self.marks.is_empty() {
            return out.warn("nothing is marked");
        }
        self.steps.note(self.step());
        let count = self.marks.len() as u64;
        self.marks = Marks::default();
        out.say(format!("{} cleared; z brings them back", counted(count, "mark", "marks")));
    }

    fn undo(&mut self, shared: &Shared, back: bool, out: &mut Effects) {
        let now = self.step();
        match if back { self.steps.undo(now) } else { self.steps.redo(now) } {
            Some(step) => {
                self.marks = step.marks;
                if self.order.filter != step.filter {
                    self.order.filter = step.filter;
                    self.arrange(shared, out);
                }
            }
            None => out.warn(if back { "there is nothing to undo" } else { "there is nothing to redo" }),
        }
    }

    /// What a restore would be about: the marks, or what is under the cursor.
    fn chosen(&self) -> Marks {
        if !self.marks.is_empty() {
            return self.marks.clone();
        }
        let mut one = Marks::default();
        if let Some(subject) = self.subject() {
            one.add(Self::mark_of(&subject));
        }
        one
    }

    fn restore(&mut self, shared: &Shared, out: &mut Effects) {
        let chosen = self.chosen();
        if chosen.is_empty() {
            return out.warn("there is nothing here to restore");
        }
        let takes = chosen.takes(|ms| shared.moment(ms, "%Y-%m-%d_%H%M%S"));
        self.dialog = Some(Dialog::new(takes, said(&chosen), shared));
    }
}

/// Marks in words.
fn said(marks: &Marks) -> String {
    let (files, bytes) = marks.totals();
    let items = counted(marks.len() as u64, "item", "items");
    format!("{items}, {}, {}", counted(files, "file", "files"), size(bytes))
}

/// Where one begins: the lowest directory that all sources are in.
fn begin(rows: &[VersionRow]) -> Option<Vec<u8>> {
    let newest = rows.last()?;
    let first = newest.sources.first()?;
    let hosts = rows.iter().flat_map(|row| &row.sources).any(|source| source.host != first.host);
    let whole = |source: &agent::engine::job::SourceRow| {
        let host = hosts.then(|| host_name(&source.host));
        host.into_iter().chain(components(&source.path).map(<[u8]>::to_vec)).collect::<Vec<_>>()
    };
    let mut common = whole(first);
    for source in &newest.sources {
        let same = common.iter().zip(whole(source)).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    Some([b"/".as_slice(), &common.join(&b'/')].concat())
}

/// A path as people know it: `~` for their home.
#[must_use]
pub fn short(path: &[u8], shared: &Shared) -> String {
    let home = shared.home.as_ref().map(|home| home.as_os_str().as_encoded_bytes());
    let rest = home.filter(|home| home.len() > 1).and_then(|home| path.strip_prefix(home));
    match rest {
        Some(rest) if rest.is_empty() || rest.first() == Some(&b'/') => format!("~{}", for_terminal(rest)),
        _ => for_terminal(path),
    }
}

/// A version as `--at` takes it; the newest is none in particular.
fn at_of(version: &VersionMark, shared: &Shared) -> Option<String> {
    let newest = shared.versions.value().and_then(|rows| rows.last());
    (!newest.is_some_and(|newest| newest.id == version.id)).then(|| format!("id:{}", version.id))
}

/// The version of a mark in few words.
fn of_version(version: &VersionMark, shared: &Shared) -> String {
    files::moment(version.received_at_ms, shared)
}
