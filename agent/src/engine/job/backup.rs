//! `init` and `backup`.

use std::io::Read;

use serde::Serialize;

use crate::engine::filter_command::FilterJob;
use crate::fault::Exit;
use crate::source::{Given, SelectionOptions};

/// Make what is missing. The account's name is that of [`Where::account`](super::Where::account), else
/// [`Run::host`](super::Run::host).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitJob {
    /// Keep a passphrase slot in the vault too (`--in-vault`); needs a passphrase.
    pub slot_in_vault: bool,
}

/// What was made, and what was there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The vault was made.
    pub vault_made: bool,
    /// The account was made.
    pub account_made: bool,
    /// The key was made (or written from recovery words).
    pub key_made: bool,
    /// The vault's address, as people write it.
    pub vault: String,
    /// Its id, hex.
    pub vault_id: String,
    /// The account's name.
    pub account: String,
    /// Its id, hex.
    pub account_id: String,
    /// The key file, for showing.
    pub key_file: String,
    /// The key opens only with a passphrase.
    pub key_protected: bool,
    /// What commands used until now that name no vault, or no account in this vault, when it is something else from now on.
    #[serde(skip)]
    pub used_before: Option<Used>,
}

/// What commands use that name neither vault nor account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The vault's address.
    pub vault: String,
    /// The account in it.
    pub account: String,
}

/// Make a version.
#[derive(Debug, Default)]
pub struct BackupJob {
    /// What to back up; all in one version.
    pub sources: Vec<SourceJob>,
    /// Standard input as one file, instead of sources.
    pub stdin: Option<StdinJob>,
    /// Tags of the version.
    pub tags: Vec<String>,
    /// Tell what would be done, send nothing.
    pub dry_run: bool,
    /// Go on although much of a source is gone.
    pub accept_deletions: bool,
    /// Share of a source's files that may go before the guard asks, in thousandths (config `guard_share`).
    pub guard_share_permille: u32,
    /// Number of files that may always go (config `guard_min`).
    pub guard_min: u64,
    /// What of a change is suspicious.
    pub suspicions: Suspicions,
    /// So long what is missing is kept, milliseconds; 0 for ever (config `protect_missing`).
    pub protect_missing_ms: u64,
    /// The sources are all those of the configuration, under their own names.
    pub configured: bool,
    /// So long a source that the configuration names no more is kept, milliseconds; 0 for ever (config
    /// `delete_redundant_after`).
    pub delete_redundant_after_ms: u64,
    /// Commands around the run.
    pub hooks: Hooks,
    /// So long each command may run, milliseconds.
    pub hook_timeout_ms: u64,
    /// Tell each file that is added, changed, removed or excluded as [`Event::Item`](crate::event::Event::Item).
    pub list_items: bool,
}

/// What of a change is suspicious (config `suspicious_…`, where the reasons stand).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicions {
    /// Up to so many of a source's files nothing is.
    pub files_min: u64,
    /// Above this share of them it is suspicious, in thousandths …
    pub share_permille: u32,
    /// … and above this one when they look encrypted now and did not before.
    pub encrypted_permille: u32,
    /// So long the version before is pinned then, milliseconds; 0: not.
    pub pin_ms: u64,
}

impl Default for Suspicions {
    fn default() -> Self {
        Self { files_min: 50, share_permille: 500, encrypted_permille: 100, pin_ms: 90 * 86_400_000 }
    }
}

/// One source and its rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceJob {
    /// Absolute. A trailing `/` follows a symlink.
    pub path: Vec<u8>,
    /// Host label.
    pub host: String,
    /// What is left out.
    pub rules: SelectionOptions,
    /// Decides of what the rules take, file by file.
    pub filter: Option<FilterJob>,
    /// What is sent before the rest, step by step.
    pub first: Vec<Given>,
    /// What is sent after the rest.
    pub last: Vec<Given>,
    /// What counts for this source instead of [`BackupJob::protect_missing_ms`].
    pub protect_missing_ms: Option<u64>,
    /// Commands around this source.
    pub hooks: Hooks,
    /// Its `before` failed: it is left as it is.
    pub skip: bool,
}

/// Commands around a run or a source; their words as a shell splits them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// First of all; when it fails, nothing is done.
    pub before: Option<String>,
    /// Last of all, whatever became of the rest.
    pub after: Option<String>,
    /// Before `after`, when the exit status is another than 0.
    pub on_failure: Option<String>,
    /// Before both, when something changed suspiciously; of a run only.
    pub on_suspicion: Option<String>,
}

impl Hooks {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl SourceJob {
    /// Its path without slashes at the end: what its id is made of.
    #[must_use]
    pub fn bare_path(&self) -> &[u8] {
        let end = self.path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
        self.path.get(..end).unwrap_or(&self.path)
    }
}

/// Standard input as one file.
pub struct StdinJob {
    /// Its absolute path in the version.
    pub path: Vec<u8>,
    /// Host label.
    pub host: String,
    /// The bytes.
    pub reader: Box<dyn Read + Send>,
}

impl std::fmt::Debug for StdinJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdinJob").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a backup did. Counts are of all its sources together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackupSummary {
    /// The version's id; `None` on a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Its sequence number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// When it was taken.
    #[serde(serialize_with = "crate::cli::json::moment", rename = "taken_at")]
    pub taken_at_ms: i64,
    /// Files that were not in the version before.
    pub files_new: u64,
    /// Files of which content or kind changed.
    pub files_changed: u64,
    /// Files of which only metadata changed.
    pub files_metadata: u64,
    /// Files as they were.
    pub files_unchanged: u64,
    /// Files that are gone.
    pub files_removed: u64,
    /// Files left out by a rule.
    pub files_excluded: u64,
    /// Of the changed ones, what changed; one file may count several times.
    pub changed: Changed,
    /// Directories that were not in the version before.
    pub dirs_new: u64,
    /// Directories of which something changed.
    pub dirs_changed: u64,
    /// Directories as they were.
    pub dirs_unchanged: u64,
    /// Directories that are gone.
    pub dirs_removed: u64,
    /// Size of all files of the sources.
    pub source_bytes: u64,
    /// Read from files.
    pub read_bytes: u64,
    /// Of these, in chunks that the vault lacked.
    pub new_bytes: u64,
    /// These, compressed and sealed.
    pub boxed_bytes: u64,
    /// Sent on the wire.
    pub sent_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
    /// Grown by, in the vault.
    pub stored_bytes: u64,
    /// Items left out or doubtful: unreadable, vanished, changed while read.
    pub errors: u64,
    /// Chunks, nodes and bodies that the vault had lost and got back.
    pub healed: u64,
    /// Of these, chunks.
    pub healed_chunks: u64,
    /// Of these, nodes.
    pub healed_nodes: u64,
    /// Of these, bodies of links.
    pub healed_bodies: u64,
    /// Versions that had holes and are complete again.
    pub healed_versions: u64,
    /// The new version has holes: the vault has lost something of it that this run could not give back; exit 3.
    pub with_holes: bool,
    /// Sources kept by the guard although much of them is gone; exit 12 when there are any.
    pub sources_guarded: u64,
    /// Sources that changed suspiciously.
    pub sources_suspicious: u64,
    /// The version that was pinned because of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_sequence: Option<u64>,
    /// Sources that were not there; exit 3 when there are any.
    pub sources_missing: u64,
    /// It took so long.
    pub elapsed_ms: u64,
    /// The automatic first backup made these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
}

impl BackupSummary {
    /// The exit class of a run that came to this.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.sources_guarded > 0 {
            Exit::Refused
        } else if self.errors > 0 || self.sources_missing > 0 || self.with_holes {
            Exit::Partial
        } else {
            Exit::Ok
        }
    }
}

/// What changed, in numbers of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Size.
    pub size: u64,
    /// Modification time.
    pub mtime: u64,
    /// Content at equal size.
    pub content: u64,
    /// Permission bits.
    pub mode: u64,
    /// Owner or group.
    pub owner: u64,
    /// Kind.
    pub kind: u64,
}
