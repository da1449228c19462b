//! What is marked. A mark remembers the version that it was made in.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::engine::job::{Take, VersionMark};

/// Most marks: whoever wants more marks the directory.
pub const MARKS_MAX: usize = 10_000;
/// Steps that can be undone.
const STEPS_MAX: usize = 100;

/// Something that is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The version that it is taken from.
    pub version: VersionMark,
    /// Its path.
    pub path: Vec<u8>,
    /// It is a directory.
    pub dir: bool,
    /// Files in it, or itself.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// All marks, by version and path. A copy costs nothing until one of both changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(Arc<BTreeMap<u64, BTreeMap<Vec<u8>, Mark>>>);

impl Marks {
    /// Whether a path is marked in a version.
    #[must_use]
    pub fn has(&self, sequence: u64, path: &[u8]) -> bool {
        self.0.get(&sequence).is_some_and(|marks| marks.contains_key(path))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more; whether there was room.
    pub fn add(&mut self, mark: Mark) -> bool {
        if self.len() >= MARKS_MAX {
            return false;
        }
        let marks = Arc::make_mut(&mut self.0);
        marks.entry(mark.version.sequence).or_default().insert(mark.path.clone(), mark);
        true
    }

    /// Takes one away.
    pub fn remove(&mut self, sequence: u64, path: &[u8]) {
        let marks = Arc::make_mut(&mut self.0);
        if let Some(of_version) = marks.get_mut(&sequence) {
            of_version.remove(path);
            if of_version.is_empty() {
                marks.remove(&sequence);
            }
        }
    }

    /// The other way round; whether there was room.
    pub fn toggle(&mut self, mark: Mark) -> bool {
        if self.has(mark.version.sequence, &mark.path) {
            self.remove(mark.version.sequence, &mark.path);
            return true;
        }
        self.add(mark)
    }

    /// All, by version and path.
    pub fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// Files and bytes in all.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        self.iter()
            .fold((0, 0), |(files, bytes), mark| (files.saturating_add(mark.files), bytes.saturating_add(mark.bytes)))
    }

    /// What is to be restored of each version; `label` names a moment, as a directory can be named.
    #[must_use]
    pub fn takes(&self, label: impl Fn(i64) -> String) -> Vec<Take> {
        let mut takes: Vec<Take> = Vec::new();
        for (sequence, marks) in &*self.0 {
            let Some(version) = marks.values().next().map(|mark| &mark.version) else { continue };
            let plain = label(version.received_at_ms);
            let taken = takes.iter().any(|take| take.label == plain);
            let label = if taken { format!("{plain}-{sequence}") } else { plain };
            takes.push(Take { version: version.id.clone(), label, paths: marks.keys().cloned().collect() });
        }
        takes
    }
}

/// What can be undone: marks and the filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The marks.
    pub marks: Marks,
    /// The filter.
    pub filter: String,
}

/// Steps back and forth.
#[derive(Debug, Default)]
pub struct Steps {
    before: Vec<Step>,
    after: Vec<Step>,
}

impl Steps {
    /// Something is about to change: it was so.
    pub fn note(&mut self, was: Step) {
        if self.before.len() >= STEPS_MAX {
            self.before.remove(0);
        }
        self.before.push(was);
        self.after.clear();
    }

    /// How it was before; `now` can be had again.
    pub fn undo(&mut self, now: Step) -> Option<Step> {
        let step = self.before.pop()?;
        self.after.push(now);
        Some(step)
    }

    /// How it was before it was undone.
    pub fn redo(&mut self, now: Step) -> Option<Step> {
        let step = self.after.pop()?;
        self.before.push(now);
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(sequence: u64, path: &str) -> Mark {
        let version = VersionMark { id: format!("{sequence:064x}"), sequence, received_at_ms: 5 };
        Mark { version, path: path.into(), dir: false, files: 1, bytes: 10 }
    }

    #[test]
    fn a_mark_remembers_its_version() {
        let mut marks = Marks::default();
        assert!(marks.toggle(mark(2, "/b")) && marks.toggle(mark(1, "/a")) && marks.toggle(mark(2, "/a")));
        assert!(marks.has(1, b"/a") && !marks.has(1, b"/b"));
        assert_eq!((marks.len(), marks.totals()), (3, (3, 30)));
        let takes = marks.takes(|_| "then".to_owned());
        let told: Vec<_> = takes.iter().map(|take| (take.label.as_str(), take.paths.len())).collect();
        assert_eq!(told, [("then", 1), ("then-2", 2)], "no two versions share a name");
        assert!(marks.toggle(mark(1, "/a")));
        assert_eq!((marks.len(), marks.takes(|_| String::new()).len()), (2, 1));
    }

    #[test]
    fn their_number_has_a_bound() {
        let mut marks = Marks::default();
        for n in 0..MARKS_MAX {
            assert!(marks.add(mark(1, &n.to_string())));
        }
        assert!(!marks.toggle(mark(1, "one more")));
        assert!(marks.toggle(mark(1, "0")), "taking away needs no room");
    }

    #[test]
    fn steps_go_back_and_forth() {
        let step = |filter: &str| Step { filter: filter.into(), ..Step::default() };
        let mut steps = Steps::default();
        steps.note(step(""));
        steps.note(step("a"));
        assert_eq!(steps.undo(step("ab")), Some(step("a")));
        assert_eq!(steps.redo(step("a")), Some(step("ab")));
        assert_eq!(steps.undo(step("ab")), Some(step("a")));
        steps.note(step("x"));
        assert_eq!(steps.redo(step("y")), None, "another way was taken");
    }
}
