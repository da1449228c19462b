//! Verbs that look after a vault and a key: `check`, `key`, `serve`, `doctor`.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::engine::pin::Pin;
use crate::fault::Code;

/// Prove that what must be there is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckJob {
    /// Every stored byte against its checksum, on the server.
    pub read_data: bool,
    /// This share is fetched, opened and hashed again here, in thousandths.
    pub sample_permille: Option<u32>,
    /// All of it is.
    pub full: bool,
    /// A pin that was kept on paper: what the vault shows must hold it.
    pub pin: Option<Pin>,
    /// Take the history that the vault shows, whose newest link has this number, as the true one.
    pub accept_history: Option<u64>,
}

/// Something found by a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingRow {
    /// Damage, or only odd.
    pub damage: bool,
    /// Dotted code, as in `data.damaged`.
    pub code: String,
    /// One sentence.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
    /// The file of the vault, or the path in a version.
    pub path: Option<Vec<u8>>,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckSummary {
    /// Links verified.
    pub links: u64,
    /// Versions whose closure was proved.
    pub versions: u64,
    /// Nodes seen.
    pub nodes: u64,
    /// Chunks seen.
    pub chunks: u64,
    /// Packs looked at.
    pub packs: u64,
    /// Stored bytes read and compared on the server.
    pub read_bytes: u64,
    /// Plain bytes opened and hashed again here.
    pub opened_bytes: u64,
    /// Findings that are damage; exit 10 when there are any.
    pub damaged: u64,
    /// Findings that are odd.
    pub odd: u64,
    /// Versions with holes: some of what they need nobody can read any more. Those in the trash are not counted.
    pub versions_with_holes: u64,
    /// Where the history ends that the vault shows, as it can be kept on paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// The history was taken as the true one.
    pub history_accepted: bool,
    /// It took so long.
    pub elapsed_ms: u64,
    /// What the damage is, if it is not lost data alone.
    #[serde(skip)]
    pub worst: Option<Code>,
    /// A backup may give back some of what is lost.
    #[serde(skip)]
    pub backup_may_heal: bool,
    /// Versions in the trash that have holes.
    #[serde(skip)]
    pub trashed_with_holes: u64,
}

/// Set right what is damaged in the vault and needs no source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairJob {
    /// Do it; otherwise only tell the plan.
    pub act: bool,
}

/// One step of a repair, planned or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairRow {
    /// Where.
    pub place: String,
    /// What is wrong, and what is done about it.
    pub what: String,
    /// Records that are lost by it.
    pub lost: u64,
}

/// What a repair came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RepairSummary {
    /// Steps, planned or done.
    pub steps: u64,
    /// They were done.
    pub acted: bool,
    /// Records that are lost by the damage.
    pub lost: u64,
}

/// Add a way to open the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyAddJob {
    /// Keep it in the vault and not in the key file.
    pub in_vault: bool,
    /// A label.
    pub label: Option<String>,
}

/// The key on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyInfo {
    /// The account's name.
    pub account: String,
    /// The vault's id, hex.
    pub vault_id: String,
    /// The key file.
    pub file: PathBuf,
    /// The recovery words were shown once.
    pub words_shown: bool,
    /// Ways to open it.
    pub slots: Vec<KeyRow>,
}

/// The recovery words, and whose they are.
#[derive(Clone, Debug)]
pub struct KeyWords {
    /// The account's name.
    pub account: String,
    /// The vault's address.
    pub vault: String,
    /// The vault's id, hex.
    pub vault_id: String,
    /// The words, secret.
    pub words: Zeroizing<String>,
}

/// One way to open the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// What `key remove` takes.
    pub slot: String,
    /// Needs a passphrase; otherwise the file alone opens it.
    pub passphrase: bool,
    /// Lies in the vault and not in the key file.
    pub in_vault: bool,
    /// A label, may be empty.
    pub label: String,
    /// Cost of trying one passphrase, for showing: `argon2id 64 MiB, t=3, p=4`; empty for an open slot.
    pub cost: String,
}

/// Where an account's history ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PinRow {
    /// The account's name.
    pub account: String,
    /// The vault's id, hex.
    pub vault_id: String,
    /// The pin.
    pub pin: Pin,
}

/// A key file with another passphrase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Its only slot.
    pub slot: KeyRow,
    /// Slots that opened it before and are gone.
    pub removed: usize,
}

/// A new sealing key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Its number.
    pub key_id: u32,
    /// Sequence of the link that brought it.
    pub sequence: u64,
}

/// Answer requests on stdin and stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeJob {
    /// The vault's directory, absolute.
    pub vault: PathBuf,
    /// The only account that may be seen, by name or id.
    pub account: Option<String>,
    /// What may be done.
    pub role: Role,
    /// The home of the user who serves, when known.
    pub home: Option<PathBuf>,
    /// The address that the client comes from, when SSH says so.
    pub client: Option<String>,
    /// By whose clocks timetables of rates go.
    pub zone: TimeZone,
    /// Served in the process of who asks, on the vault's own machine.
    pub near: bool,
    /// Why nothing at all may be done: every request is answered with it.
    pub refusal: Option<crate::fault::Fault>,
}

/// What the other side of a connection may do. `Admin` implies no data: that takes an account's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Look and restore.
    Read,
    /// Add versions, and read nothing but what a backup needs; nothing ever goes.
    Append,
    /// Look, restore, add versions, change keys.
    Backup,
    /// Accounts, groups, keys of the machine.
    Admin,
}

impl Role {
    /// All of them, as they are named on command lines.
    pub const ALL: [Self; 4] = [Self::Backup, Self::Append, Self::Read, Self::Admin];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Append => "append",
            Self::Backup => "backup",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// One thing looked at by `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorRow {
    /// How it is.
    pub health: Health,
    /// Short name: `vault`, `key`, `clock`.
    pub name: String,
    /// What was seen.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Well.
    Ok,
    /// Works, and should be looked at.
    Warn,
    /// Does not work.
    Fail,
}
