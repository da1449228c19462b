//! Marking, undoing it, and the way to the restore of what is marked.

use agent::units::counted;

use super::marks::{MARKS_MAX, Mark, Marks, Step};
use super::preview::Subject;
use super::restore::Dialog;
use super::{State, said};
use crate::console::effect::Effects;
use crate::console::keys::Action;
use crate::console::shared::Shared;

impl State {
    pub(super) fn step(&self) -> Step {
        Step { marks: self.marks.clone(), filter: self.order.filter.clone() }
    }

    pub(super) fn mark_of(subject: &Subject) -> Mark {
        Mark {
            version: subject.version.clone(),
            path: subject.path.clone(),
            dir: subject.row.is_dir(),
            files: subject.row.files.unwrap_or(1),
            bytes: subject.row.size,
        }
    }

    pub(super) fn toggle(&mut self, mark: Mark, out: &mut Effects) {
        if !self.marks.toggle(mark) {
            out.warn(format!(
                "{} are marked, more cannot be: mark the directory",
                counted(MARKS_MAX as u64, "name", "names")
            ));
        }
    }

    pub(super) fn mark_row(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(subject) = self.subject() else { return };
        self.steps.note(self.step());
        self.marked_last = self.list.at(self.len());
        self.toggle(Self::mark_of(&subject), out);
        self.list.moves(Action::Down, self.len(), 2);
        self.moved(shared, out);
    }

    /// Marks from the last mark to here.
    pub(super) fn mark_range(&mut self, out: &mut Effects) {
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

    pub(super) fn invert(&mut self, out: &mut Effects) {
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

    pub(super) fn unmark(&mut self, out: &mut Effects) {
        if self.marks.is_empty() {
            return out.warn("nothing is marked");
        }
        self.steps.note(self.step());
        let count = self.marks.len() as u64;
        self.marks = Marks::default();
        out.say(format!("{} cleared; z brings them back", counted(count, "mark", "marks")));
    }

    pub(super) fn undo(&mut self, shared: &Shared, back: bool, out: &mut Effects) {
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
    pub(super) fn chosen(&self) -> Marks {
        if !self.marks.is_empty() {
            return self.marks.clone();
        }
        let mut one = Marks::default();
        if let Some(subject) = self.subject() {
            one.add(Self::mark_of(&subject));
        }
        one
    }

    pub(super) fn restore(&mut self, shared: &Shared, out: &mut Effects) {
        let chosen = self.chosen();
        if chosen.is_empty() {
            return out.warn("there is nothing here to restore");
        }
        let takes = chosen.takes(|ms| shared.moment(ms, "%Y-%m-%d_%H%M%S"));
        self.dialog = Some(Dialog::new(takes, said(&chosen), shared));
    }
}
