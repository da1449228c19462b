//! How accounts are: `status`, and what screens show of all of them.

use serde::Serialize;
pub use transport::message::health::{
    EventLevel, Figures, GroupContacts, HealthFacts, LogAsk, LogEvent, LogLevel, LogTold, RunFacts, RunReport,
};

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

/// Who hears of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyJob {
    /// The command.
    pub command: String,
    /// Who is told of every change.
    pub contacts: Vec<String>,
}

/// What telling came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifySummary {
    /// Changes that were told.
    pub told: u64,
    /// Changes that the command failed to take; they are told again.
    pub failed: u64,
    /// Changes that were not tried, because the command kept failing.
    pub left: u64,
}

/// An account that changed how it is: the record, and what the command reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRecord {
    /// Id of the vault, hex.
    pub vault_id: String,
    /// Name of the account.
    pub account: String,
    /// Its number, as in `0x3af`.
    pub number: String,
    /// Its id, hex.
    pub id: String,
    /// How it was when it was told last; absent when nothing is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How it is.
    pub to: Standing,
    /// How urgent.
    pub level: Level,
    /// Why, gravest first.
    pub reasons: Vec<EventReason>,
    /// When its newest version was received.
    #[serde(serialize_with = "crate::cli::json::moment_if_known", skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<i64>,
    /// When it counts as late.
    #[serde(serialize_with = "crate::cli::json::moment_if_known", skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<i64>,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// Who is told: of every change, of the account, of its groups; each once.
    pub contacts: Vec<String>,
}

/// As in [`Reason`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventReason {
    /// How urgent.
    pub level: Level,
    /// What was looked at.
    pub check: Standing,
    /// One sentence.
    pub text: String,
    /// The code of the run that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
