//! A person some of whose answers are known already.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::job::{AppendPlan, HostKeyQuestion, Passphrase, Person, RestorePlan, VersionRow};
use crate::fault::Result;

/// Passes questions on, but for those about passphrases that need not be asked.
pub struct Knowing {
    person: Arc<dyn Person>,
    /// Opens the key at the first attempt.
    opens: Option<Passphrase>,
    /// A new key gets no passphrase.
    wants_none: bool,
}

impl Knowing {
    /// Who has just typed this passphrase and is not asked for it twice in one verb.
    pub fn passphrase(person: Arc<dyn Person>, passphrase: Passphrase) -> Self {
        Self { person, opens: Some(passphrase), wants_none: false }
    }

    /// Who wants no passphrase for now: the automatic first backup never asks.
    pub fn none_wanted(person: Arc<dyn Person>) -> Self {
        Self { person, opens: None, wants_none: true }
    }
}

impl Person for Knowing {
    fn may_ask(&self) -> bool {
        self.person.may_ask()
    }

    fn passphrase(&self, what: &str, attempt: u32) -> Result<Passphrase> {
        match &self.opens {
            Some(passphrase) if attempt == 0 => Ok(passphrase.clone()),
            _ => self.person.passphrase(what, attempt),
        }
    }

    fn new_passphrase(&self, what: &str, may_be_none: bool) -> Result<Option<Passphrase>> {
        if self.wants_none && may_be_none { Ok(None) } else { self.person.new_passphrase(what, may_be_none) }
    }

    fn secret(&self, what: &str) -> Option<Zeroizing<String>> {
        self.person.secret(what)
    }

    fn answer(&self, question: &str) -> Option<Zeroizing<String>> {
        self.person.answer(question)
    }

    fn words(&self) -> Result<Zeroizing<String>> {
        self.person.words()
    }

    fn host_key(&self, question: &HostKeyQuestion) -> Result<bool> {
        self.person.host_key(question)
    }

    fn restore_in_place(&self, plan: &RestorePlan) -> Result<()> {
        self.person.restore_in_place(plan)
    }

    fn append(&self, plan: &AppendPlan) -> Result<()> {
        self.person.append(plan)
    }

    fn picked(&self, version: &VersionRow) {
        self.person.picked(version);
    }
}
