//! What follows from the `known_hosts` files: let in, ask, or refuse.
//!
//! * known: in;
//! * unknown: ask as ssh does, refuse when nobody is there or `StrictHostKeyChecking yes`; with `accept-new` take it,
//!   except when keys of other types are on record, which nobody has looked at then;
//! * changed or revoked: always refused, whatever the configuration says.

use std::{path::PathBuf, sync::Arc};

use store::door::{Chance, random};

use super::{
    config::{Host, Strict},
    known_hosts::{KnownHosts, Verdict, fingerprint, host_name, key_type, remember},
    prompt::{HostKeyQuestion, Prompt},
};
use crate::error::{Error, HostKey, HostKeyProblem, Result};

/// Decides about the keys of one host.
pub struct HostKeys {
    known: KnownHosts,
    /// As it stands in the files.
    name: String,
    /// The same without its port: a key on record for the host alone is good on every port of it.
    bare: Option<String>,
    strict: Strict,
    /// Where an accepted key goes, and whether its name is hidden.
    accepted: Option<(PathBuf, bool)>,
    prompt: Arc<dyn Prompt>,
    chance: Arc<dyn Chance>,
}

impl HostKeys {
    /// Reads the files for this host.
    ///
    /// # Errors
    /// [`HostKeyProblem::Unusable`] when one of them cannot be read.
    pub fn of(host: &Host, prompt: Arc<dyn Prompt>, chance: Arc<dyn Chance>) -> Result<Self> {
        let name = host.key_name();
        let files: Vec<PathBuf> = host.user_known_hosts.iter().chain(&host.global_known_hosts).cloned().collect();
        let known = KnownHosts::read(&files).map_err(|unreadable| {
            let why = format!(
                "the known hosts in {} cannot be read ({}), so {name} cannot be checked",
                unreadable.file.display(),
                unreadable.cause
            );
            let problem = HostKeyProblem::Unusable { why };
            Error::HostKey(HostKey { host: name.clone(), fingerprint: String::new(), problem })
        })?;
        let bare = (host.host_key_alias.is_none() && host.port != 22).then(|| host_name(&host.name, 22));
        let accepted = host.user_known_hosts.first().map(|file| (file.clone(), host.hash_known_hosts));
        Ok(Self { known, name, bare, strict: host.strict, accepted, prompt, chance })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.bare.as_deref())
    }

    /// The types of the keys on record.
    #[must_use]
    pub fn types(&self) -> Vec<String> {
        let types = self.known.types(&self.name);
        match (&self.bare, types.is_empty()) {
            (Some(bare), true) => self.known.types(bare),
            _ => types,
        }
    }

    /// The keys of the authorities that may certify this host.
    #[must_use]
    pub fn authorities(&self) -> Vec<Vec<u8>> {
        self.names().flat_map(|name| self.known.authorities(name)).collect()
    }

    /// An error of this host about this key.
    #[must_use]
    pub fn refuse(&self, key: &[u8], problem: HostKeyProblem) -> Error {
        Error::HostKey(HostKey { host: self.name.clone(), fingerprint: fingerprint(key), problem })
    }

    /// That the key is not revoked, whatever else is said of it.
    ///
    /// # Errors
    /// [`HostKeyProblem::Revoked`].
    pub fn check_not_revoked(&self, key: &[u8]) -> Result<()> {
        for name in self.names() {
            if let Verdict::Revoked(place) = self.known.judge(name, key) {
                return Err(self.refuse(key, HostKeyProblem::Revoked { on_record: place.to_string() }));
            }
        }
        Ok(())
    }

    /// Whether the server may go on with this key. May ask, so it blocks.
    ///
    /// # Errors
    /// [`Error::HostKey`] with the reason.
    pub fn check(&self, key: &[u8]) -> Result<()> {
        self.check_not_revoked(key)?;
        match self.known.judge(&self.name, key) {
            Verdict::Known(_) => Ok(()),
            Verdict::Revoked(place) => Err(self.refuse(key, HostKeyProblem::Revoked { on_record: place.to_string() })),
            Verdict::Changed(place) => Err(self.refuse(key, HostKeyProblem::Changed { on_record: place.to_string() })),
            Verdict::Unknown { others } => {
                let known_bare = |bare: &String| matches!(self.known.judge(bare, key), Verdict::Known(_));
                if self.bare.as_ref().is_some_and(known_bare) {
                    return Ok(());
                }
                let others: Vec<String> = others.iter().map(ToString::to_string).collect();
                self.ask(key, others)
            }
        }
    }

    fn ask(&self, key: &[u8], others: Vec<String>) -> Result<()> {
        let accepted = match (self.strict, others.first()) {
            (Strict::Yes, _) => false,
            (Strict::AcceptNew, None) => true,
            (Strict::AcceptNew, Some(other)) => {
                return Err(self.refuse(key, HostKeyProblem::Changed { on_record: other.clone() }));
            }
            (Strict::Ask, _) => {
                self.prompt.may_ask()
                    && self.prompt.host_key(&HostKeyQuestion {
                        host: self.name.clone(),
                        key_type: key_type(key).unwrap_or("unknown").to_owned(),
                        fingerprint: fingerprint(key),
                        others,
                    })
            }
        };
        if !accepted {
            return Err(self.refuse(key, HostKeyProblem::Unknown));
        }
        let Some((file, hidden)) = &self.accepted else { return Ok(()) };
        let salt = hidden.then(|| random::<20>(&*self.chance));
        match remember(file, &self.name, key, salt) {
            Ok(()) => self.prompt.notice(&format!("the key of {} is now known ({})", self.name, file.display())),
            // The person said yes to this connection; the next one asks again.
            Err(e) => self.prompt.notice(&format!("cannot add {} to {}: {e}", self.name, file.display())),
        }
        Ok(())
    }
}
