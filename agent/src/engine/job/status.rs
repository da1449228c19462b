//! How accounts are: `status`, and what screens show of all of them.

pub use transport::message::health::{EventLevel, Figures, GroupContacts, HealthFacts, LogEvent, RunFacts, RunReport};

pub use crate::health::{AccountStatus, Level, Reason, Standing};

/// Whose status is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// The account of this machine: needs no passphrase, and no right but to connect.
    #[default]
    Own,
    /// One account, by name or number, as an administrator.
    One(String),
    /// All accounts, as an administrator.
    All,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusJob {
    /// Whose.
    pub whose: Whose,
    /// Traffic of the last 24 hours, too ([`HealthFacts::hours_in`]). It costs a look into each account's activity.
    pub hours: bool,
}

/// How accounts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    /// Id of the vault, hex.
    pub vault: String,
    /// The vault's clock, by which they were judged, ms since 1970.
    pub now_ms: i64,
    /// By number.
    pub accounts: Vec<AccountStatus>,
    /// The account is this machine's, and its recovery words were never shown here.
    pub words_never_shown: bool,
}

impl Statuses {
    /// Whether a person is needed anywhere.
    #[must_use]
    pub fn need_somebody(&self) -> bool {
        self.accounts.iter().any(AccountStatus::needs_somebody)
    }
}
