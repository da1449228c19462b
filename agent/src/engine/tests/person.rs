//! The person at a machine of the tests: nobody is there, but for what a test gives them to say or to do.

use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use crate::engine::job::*;
use crate::engine::queue::lock;
use crate::fault::{Code, Fault, Result};

/// Answers nothing, but for what it was made to.
#[derive(Default)]
pub(super) struct Nobody {
    words: Option<String>,
    /// The new passphrase that is typed.
    types: Option<Vec<u8>>,
    /// Happens before that is, once.
    typing: Happens,
    /// Happens before a version may be added, once.
    adding: Happens,
}

type Happens = Mutex<Option<Box<dyn FnOnce() + Send>>>;

fn happens(what: impl FnOnce() + Send + 'static) -> Happens {
    Mutex::new(Some(Box::new(what)))
}

impl Nobody {
    /// Knows the recovery words.
    pub(super) fn with_words(words: String) -> Arc<dyn Person> {
        Arc::new(Self { words: Some(words), ..Self::default() })
    }

    /// Types a new passphrase, none when it is empty, and does not before something else has happened.
    pub(super) fn typing(passphrase: &str, meanwhile: impl FnOnce() + Send + 'static) -> Arc<dyn Person> {
        let types = (!passphrase.is_empty()).then(|| passphrase.as_bytes().to_vec());
        Arc::new(Self { types, typing: happens(meanwhile), ..Self::default() })
    }

    /// Lets a version be added, and does not before something else has happened.
    pub(super) fn adding(meanwhile: impl FnOnce() + Send + 'static) -> Arc<dyn Person> {
        Arc::new(Self { adding: happens(meanwhile), ..Self::default() })
    }
}

fn let_happen(what: &Happens) {
    // Not under its lock: what happens may take long.
    let taken = lock(what).take();
    if let Some(happens) = taken {
        happens();
    }
}

impl Person for Nobody {
    fn may_ask(&self) -> bool {
        false
    }

    fn secret(&self, _: &str) -> Option<Zeroizing<String>> {
        None
    }

    fn answer(&self, _: &str) -> Option<Zeroizing<String>> {
        None
    }

    fn passphrase(&self, _: &str, _: u32) -> Result<Passphrase> {
        let code = if self.types.is_some() { Code::KeyPassphrase } else { Code::KeyPassphraseNeeded };
        Err(Fault::new(code, "no other passphrase is known"))
    }

    fn new_passphrase(&self, _: &str, _: bool) -> Result<Option<Passphrase>> {
        let_happen(&self.typing);
        Ok(self.types.clone().map(Zeroizing::new))
    }

    fn words(&self) -> Result<Zeroizing<String>> {
        self.words.clone().map(Zeroizing::new).ok_or_else(|| Fault::new(Code::KeyWords, "nobody is there"))
    }

    fn host_key(&self, _: &HostKeyQuestion) -> Result<bool> {
        Ok(false)
    }

    fn restore_in_place(&self, _: &RestorePlan) -> Result<()> {
        Ok(())
    }

    fn append(&self, _: &AppendPlan) -> Result<()> {
        let_happen(&self.adding);
        Ok(())
    }

    fn picked(&self, _: &VersionRow) {}
}
