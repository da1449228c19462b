//! What keys do in the browser.

use crossterm::event::{KeyCode, KeyEvent};

use super::files::{SORTS, above, join};
use super::{Focus, SEARCH, State, as_at, at_of, files, menus, restore, search};
use crate::console::effect::{Effect, Effects};
use crate::console::keys::Action;
use crate::console::shared::Shared;
use crate::widgets::field::{Field, Typed};

impl State {
    pub(super) fn act(&mut self, shared: &Shared, action: Action, out: &mut Effects) -> bool {
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
            Action::Filter => {
                self.steps.note(self.step());
                self.filter = Some(Field::holding(&self.order.filter));
            }
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

    pub(super) fn own(&mut self, shared: &Shared, what: &str, out: &mut Effects) {
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

    pub(super) fn enter_row(&mut self, shared: &Shared, out: &mut Effects) {
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
    pub(super) fn back(&mut self, shared: &Shared, out: &mut Effects) -> bool {
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

    pub(super) fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) {
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
                        KeyCode::Up => Action::Up,
                        KeyCode::Down => Action::Down,
                        _ => return,
                    };
                    self.list.moves(action, self.len(), 2);
                    self.moved(shared, out);
                }
            }
        }
    }

    pub(super) fn paste(&mut self, shared: &Shared, text: &str, out: &mut Effects) {
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

    pub(super) fn set_filter(&mut self, shared: &Shared, filter: String, out: &mut Effects) {
        if self.order.filter != filter {
            self.steps.note(self.step());
            self.wanted = self.subject().map(|subject| subject.row.name.to_vec());
            self.order.filter = filter;
            self.arrange(shared, out);
        }
    }

    pub(super) fn search_key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) {
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

    pub(super) fn match_step(&mut self, shared: &Shared, action: Action, out: &mut Effects) {
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
    pub(super) fn step_change(&mut self, shared: &Shared, before: bool, out: &mut Effects) {
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
}
