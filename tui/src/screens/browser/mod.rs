//! The files of a version: look around, look back, mark, restore.
//!
//! * [`files`]: the list; [`preview`]: what is under the cursor; [`marks`]: what is marked, each with its version, `marking`: how
//! * [`search`]: looking for a name; [`restore`], [`restore_picture`]: the dialog; [`menus`]: what can be done and copied; `picture`: drawing
//!
//! `acting`: what keys do.
//!
//! Where one is stays when the version changes: the directory, and the name under the cursor.

mod acting;
pub mod files;
mod marking;
pub mod marks;
pub mod menus;
mod picture;
pub mod preview;
pub mod restore;
pub mod restore_picture;
pub mod search;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use agent::engine::job::{At, Folder, FolderJob, Moments, VersionMark, VersionRow};
use agent::engine::overlay::{components, host_name};
use agent::name::for_terminal;
use agent::time::parse_at;
use agent::units::{counted, size};

use super::{Event, ScreenId, as_at};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::look::{Look, Looked};
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::arrange::{INLINE_MAX, Order, arrange};
use crate::widgets::field::Field;
use crate::widgets::list::List;
use files::{Files, SORTS, above, join, version};
use marks::{Mark, Marks, Steps};
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
                // Where one is by now: one may have gone on while it was asked.
                if self.wanted.is_none() {
                    self.wanted = self.subject().map(|subject| subject.row.name.to_vec());
                }
                // Of several hosts, a path without one means this host.
                let there = self.folder.value().map(|folder| folder.dir.clone());
                self.dir = there.filter(|dir| !dir.is_empty()).or_else(|| self.dir.take());
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
    newest.is_none_or(|newest| newest.id != version.id).then(|| format!("id:{}", version.id))
}

/// The version of a mark in few words.
fn of_version(version: &VersionMark, shared: &Shared) -> String {
    files::moment(version.received_at_ms, shared)
}
