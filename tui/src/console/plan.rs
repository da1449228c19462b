//! What is done only when it was reviewed: steps that take something away, or bring a version of their own about.

use std::ffi::OsString;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does, in words, safe to show.
    pub about: String,
    /// The verb and its words, as in a shell, without the program's name.
    pub words: Vec<OsString>,
}

impl Step {
    /// The words with a switch behind the verb.
    fn with(&self, switch: &str) -> Vec<OsString> {
        let mut words = self.words.clone();
        words.insert(1.min(words.len()), switch.into());
        words
    }

    /// What says what it would do.
    #[must_use]
    pub fn tried(&self) -> Vec<OsString> {
        self.with("--dry-run")
    }

    /// What does it: the review was the question.
    #[must_use]
    pub fn applied(&self) -> Vec<OsString> {
        self.with("--yes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_before_it_is_done() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let step = Step { about: String::new(), words: words(&["delete", "--", "/a"]) };
        assert_eq!(step.tried(), words(&["delete", "--dry-run", "--", "/a"]));
        assert_eq!(step.applied(), words(&["delete", "--yes", "--", "/a"]));
    }
}
