//! What a carrier asks of a person, and says to one. The faces answer; this crate never touches a terminal.

use zeroize::Zeroizing;

/// An unknown host: what ssh would ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyQuestion {
    /// The host as known_hosts names it.
    pub host: String,
    /// The type of the key, as in `ssh-ed25519`.
    pub key_type: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// `file:line` of keys of other types that are on record for this host. Not empty is a reason to look twice.
    pub others: Vec<String>,
}

/// Answers questions. Called on threads that may block; never called twice at the same time by one connection.
pub trait Prompt: Send + Sync {
    /// Whether there is anybody to answer. When not, ssh is started with `BatchMode` and nothing is asked.
    fn may_ask(&self) -> bool;
    /// Whether the key of an unknown host is right.
    fn host_key(&self, question: &HostKeyQuestion) -> bool;
    /// The passphrase of a key file. `None`: go on without this key.
    fn passphrase(&self, what: &str) -> Option<Zeroizing<String>>;
    /// The password of a user at a host. `None`: go on without.
    fn password(&self, what: &str) -> Option<Zeroizing<String>>;
    /// An answer to a question of the server, shown while typed when `echo`. The text is made harmless.
    fn answer(&self, question: &str, echo: bool) -> Option<Zeroizing<String>>;
    /// Something worth knowing: a banner, a setting that is not followed to the letter. The text is made harmless.
    fn notice(&self, text: &str);
    /// A line that the far side wrote on stderr, made harmless.
    fn remote_line(&self, line: &str);
}

/// Nobody is there: every question is answered with no.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoInput;

impl Prompt for NoInput {
    fn may_ask(&self) -> bool {
        false
    }
    fn host_key(&self, _: &HostKeyQuestion) -> bool {
        false
    }
    fn passphrase(&self, _: &str) -> Option<Zeroizing<String>> {
        None
    }
    fn password(&self, _: &str) -> Option<Zeroizing<String>> {
        None
    }
    fn answer(&self, _: &str, _: bool) -> Option<Zeroizing<String>> {
        None
    }
    fn notice(&self, _: &str) {}
    fn remote_line(&self, _: &str) {}
}
