//! A person whose passphrase is known already, so that it is not asked for twice in one verb.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::job::{HostKeyQuestion, Passphrase, Person, RestorePlan, VersionRow};
use crate::fault::Result;

/// Answers the first question for a passphrase by itself.
pub struct Known {
    person: Arc<dyn Person>,
    passphrase: Passphrase,
}

impl Known {
    /// The same person, whose passphrase is this one.
    pub fn new(person: Arc<dyn Person>, passphrase: Passphrase) -> Self {
        Self { person, passphrase }
    }
}

impl Person for Known {
    fn passphrase(&self, what: &str, attempt: u32) -> Result<Passphrase> {
        if attempt == 0 { Ok(self.passphrase.clone()) } else { self.person.passphrase(what, attempt) }
    }

    fn new_passphrase(&self, what: &str, may_be_none: bool) -> Result<Option<Passphrase>> {
        self.person.new_passphrase(what, may_be_none)
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

    fn picked(&self, version: &VersionRow) {
        self.person.picked(version);
    }
}
