//! What is done only when it was reviewed: steps that take something away, change an account, or bring a version of their own
//! about.

use std::ffi::OsString;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does, in words, safe to show.
    pub about: String,
    /// The verb and its words, as in a shell, without the program's name.
    pub words: Vec<OsString>,
    /// What is shown of it before it is done.
    pub trial: Trial,
    /// The account that it is about: it stays that one when another is looked at. `None`: the words name it.
    pub account: Option<String>,
}

/// What a review shows of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// What the verb says that it would do.
    DryRun,
    /// How it is now, as these words print it: the verb cannot be tried.
    Now(Vec<OsString>),
}

impl Step {
    /// A step whose verb can be tried, in the account that is looked at when it is planned.
    #[must_use]
    pub fn tried_first(about: impl Into<String>, words: Vec<OsString>) -> Self {
        Self { about: about.into(), words, trial: Trial::DryRun, account: None }
    }

    /// A step of words without blanks in them, beside how things are now.
    #[must_use]
    pub fn beside_now(about: impl Into<String>, words: &[&str], now: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(OsString::from).collect();
        Self { about: about.into(), words: owned(words), trial: Trial::Now(owned(now)), account: None }
    }

    /// Words with switches and the account behind the verb.
    fn with(&self, words: &[OsString], switch: Option<&str>) -> Vec<OsString> {
        let mut words = words.to_vec();
        let account = self.account.iter().flat_map(|name| ["--account".into(), OsString::from(name)]);
        let more = switch.map(OsString::from).into_iter().chain(account);
        let at = 1.min(words.len());
        words.splice(at..at, more);
        words
    }

    /// What says what it would do, or how it is now.
    #[must_use]
    pub fn tried(&self) -> Vec<OsString> {
        match &self.trial {
            Trial::DryRun => self.with(&self.words, Some("--dry-run")),
            Trial::Now(words) => self.with(words, None),
        }
    }

    /// The new name of an account, when this gives it one.
    #[must_use]
    pub fn renames(&self, account: &str) -> Option<String> {
        let words: Vec<&str> = self.words.iter().filter_map(|word| word.to_str()).collect();
        match words[..] {
            ["account", "rename", old, new] if old == account => Some(new.to_owned()),
            _ => None,
        }
    }

    /// What does it: the review was the question.
    #[must_use]
    pub fn applied(&self) -> Vec<OsString> {
        self.with(&self.words, Some("--yes").filter(|_| self.trial == Trial::DryRun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn it_is_tried_before_it_is_done() {
        let step = Step::tried_first("", words(&["delete", "--", "/a"]));
        assert_eq!(step.tried(), words(&["delete", "--dry-run", "--", "/a"]));
        assert_eq!(step.applied(), words(&["delete", "--yes", "--", "/a"]));
        let step = Step { account: Some("my nas".into()), ..step };
        assert_eq!(step.applied(), words(&["delete", "--yes", "--account", "my nas", "--", "/a"]));
    }

    #[test]
    fn what_cannot_be_tried_is_shown_as_it_is() {
        let step = Step::beside_now("", &["account", "freeze", "nas"], &["account", "info", "nas"]);
        assert_eq!(step.tried(), words(&["account", "info", "nas"]));
        assert_eq!(step.applied(), words(&["account", "freeze", "nas"]));
    }
}
