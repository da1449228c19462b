//! What each verb asks for and what comes back: the only words between the faces and the engine.
//!
//! A face (command line, shell, console) fills in a job, calls one method of [`Engine`] and shows what returns. All
//! paths in jobs are absolute bytes, all times milliseconds since 1970, all sizes bytes. Ids are hex strings: `id`
//! fields hold all 64 digits, people are shown the first eight.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use serde::Serialize;
use store::door::{Chance, Clock};
use store::tree::{Kind, Mark, Time};
use zeroize::Zeroizing;

use crate::event::Watcher;
use crate::fault::Result;

/// Does the work. One method a verb; each opens what it needs, does it, and closes it. Errors are whole-run failures;
/// what was left out on the way is told as [`Event::Warning`](crate::event::Event::Warning) and counted in the summary.
pub trait Engine: Send + Sync {
    /// Makes what is missing of vault, account and key.
    fn init(&self, run: &Run, job: InitJob) -> Result<Made>;
    /// Makes a version. With the default vault and nothing there it first makes vault, account and key, and tells
    /// what it made in [`BackupSummary::made`].
    fn backup(&self, run: &Run, job: BackupJob) -> Result<BackupSummary>;
    /// The versions, oldest first.
    fn versions(&self, run: &Run, job: VersionsJob) -> Result<Vec<VersionRow>>;
    /// Names in a version, by bytes of the path, each handed to `row`.
    fn list(&self, run: &Run, job: ListJob, row: &mut dyn FnMut(EntryRow) -> Result<()>) -> Result<ListSummary>;
    /// Writes files back.
    fn restore(&self, run: &Run, job: RestoreJob) -> Result<RestoreSummary>;
    /// Writes a file's content, or a directory as a pax tar, to `out`.
    fn dump(&self, run: &Run, job: DumpJob, out: &mut dyn Write) -> Result<DumpSummary>;
    /// What differs between two versions, by bytes of the path, each handed to `row`.
    fn diff(&self, run: &Run, job: DiffJob, row: &mut dyn FnMut(DiffRow) -> Result<()>) -> Result<DiffSummary>;
    /// Proves that what must be there is there. Findings are handed to `row`; damage is not an error of the call.
    fn check(&self, run: &Run, job: CheckJob, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<CheckSummary>;
    /// The key on this machine and the ways to open it.
    fn key_list(&self, run: &Run) -> Result<KeyInfo>;
    /// Adds a way to open the key: a passphrase, asked by [`Person::new_passphrase`].
    fn key_add(&self, run: &Run, job: KeyAddJob) -> Result<KeyRow>;
    /// Removes one; the last one of a key file is refused.
    fn key_remove(&self, run: &Run, slot: &str) -> Result<KeyRow>;
    /// Changes the passphrase of the key file (and of nothing else).
    fn key_passwd(&self, run: &Run) -> Result<KeyRow>;
    /// The key file as it is, for a copy elsewhere.
    fn key_export(&self, run: &Run) -> Result<Zeroizing<Vec<u8>>>;
    /// The 24 recovery words; remembers that they were shown.
    fn key_words(&self, run: &Run) -> Result<Zeroizing<String>>;
    /// Makes a key file from recovery words, asked by [`Person::words`].
    fn key_recover(&self, run: &Run) -> Result<Made>;
    /// Adds a sealing key to the keyring; what comes later is sealed with it.
    fn key_rotate(&self, run: &Run) -> Result<Rotated>;
    /// Answers requests on stdin and stdout until the other side goes.
    fn serve(&self, run: &Run, job: ServeJob) -> Result<()>;
    /// Looks at everything a backup depends on, changes nothing. Each row is handed over as soon as it is known.
    fn doctor(&self, run: &Run, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()>;
}

// ---- what every verb has -----------------------------------------------------------------------------------------------

/// What every verb gets: where, who listens, who can be asked, the doors.
#[derive(Clone)]
pub struct Run {
    /// Which vault, account and key.
    pub place: Where,
    /// Our directories.
    pub folders: Folders,
    /// Hears what happens.
    pub watcher: Arc<dyn Watcher>,
    /// Can be asked.
    pub person: Arc<dyn Person>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub chance: Arc<dyn Chance>,
    /// Says when to end early.
    pub stop: Stop,
    /// Full name of this host, lower case: default account name and host label.
    pub host: String,
}

/// Which vault, account and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where {
    /// The vault's address: a path, an SSH form or `cmd:COMMAND`.
    pub vault: String,
    /// Nobody chose the vault: it is the one in the user's data directory, made when it is missing.
    pub vault_is_default: bool,
    /// The account's name or id, when chosen.
    pub account: Option<String>,
    /// A key file that replaces every other key.
    pub key_file: Option<PathBuf>,
    /// How to reach a vault over SSH.
    pub ssh: SshChoice,
    /// The program on the far side, when chosen.
    pub remote_program: Option<String>,
}

/// How to reach a vault over SSH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SshChoice {
    /// The embedded one where it can honour the user's SSH configuration, the system's `ssh` otherwise.
    #[default]
    Auto,
    /// The embedded one.
    Embedded,
    /// The `ssh` in the path.
    System,
}

/// Our directories (DESIGN, 'Places'). They need not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Configuration and keys: `$XDG_CONFIG_HOME/tuckbox`.
    pub config: PathBuf,
    /// Pins, device key: must survive. `$XDG_STATE_HOME/tuckbox`.
    pub state: PathBuf,
    /// Nodes: may be deleted at any time. `$XDG_CACHE_HOME/tuckbox`.
    pub cache: PathBuf,
    /// The default vault's parent: `$XDG_DATA_HOME/tuckbox`.
    pub data: PathBuf,
    /// The working directory, for local vault addresses.
    pub working: PathBuf,
    /// The home directory, when known.
    pub home: Option<PathBuf>,
}

/// Says when to end early: set by signals, looked at by the engine between pieces of work.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<(AtomicI32, AtomicU32)>,
}

impl Stop {
    /// Asks for the end; `signal` is the number of the signal that did.
    pub fn ask(&self, signal: i32) {
        self.inner.0.store(signal, Ordering::SeqCst);
        self.inner.1.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the end was asked for. The engine then finishes the piece in hand, commits what is whole and returns
    /// [`Code::Interrupted`](crate::fault::Code::Interrupted).
    #[must_use]
    pub fn asked(&self) -> bool {
        self.inner.1.load(Ordering::SeqCst) > 0
    }

    /// The signal that asked, when one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.asked().then(|| self.inner.0.load(Ordering::SeqCst))
    }
}

/// A passphrase; overwritten when dropped.
pub type Passphrase = Zeroizing<Vec<u8>>;

/// Who can be asked. Without a terminal, answers come from files and options, or the call fails with what to do.
pub trait Person: Send + Sync {
    /// The passphrase that opens `what` ("the key of laptop-ana"). `attempt` counts from 0; [`KeyPassphrase`] when there
    /// is no use in trying again, [`KeyPassphraseNeeded`] when nobody can be asked.
    ///
    /// [`KeyPassphrase`]: crate::fault::Code::KeyPassphrase
    /// [`KeyPassphraseNeeded`]: crate::fault::Code::KeyPassphraseNeeded
    fn passphrase(&self, what: &str, attempt: u32) -> Result<Passphrase>;
    /// A new passphrase for `what`, asked twice. `None` = none wanted; only when `may_be_none`.
    fn new_passphrase(&self, what: &str, may_be_none: bool) -> Result<Option<Passphrase>>;
    /// The recovery words, as typed.
    fn words(&self) -> Result<Zeroizing<String>>;
    /// Whether this unknown host key is the right one; `Ok(false)` and errors both mean no.
    fn host_key(&self, question: &HostKeyQuestion) -> Result<bool>;
    /// Whether to go on with a restore in place. Errors with [`PolicyConfirm`](crate::fault::Code::PolicyConfirm) when
    /// nobody says yes.
    fn restore_in_place(&self, plan: &RestorePlan) -> Result<()>;
    /// Told which version an expression led to, before its use.
    fn picked(&self, version: &VersionRow);
}

/// An unknown host key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyQuestion {
    /// Host as it will stand in `known_hosts`.
    pub host: String,
    /// As in `ED25519`.
    pub algorithm: String,
    /// As in `SHA256:…`.
    pub fingerprint: String,
}

/// Which version: what `--at` was understood to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// The newest, or the one so many before it.
    Latest {
        /// 0 = the newest.
        back: u64,
    },
    /// The newest received by this moment (inclusive).
    Moment {
        /// Milliseconds since 1970.
        ms: i64,
    },
    /// The one whose id starts so.
    Id {
        /// 6 to 64 lower-case hex digits.
        prefix: String,
    },
}

impl Default for At {
    fn default() -> Self {
        Self::Latest { back: 0 }
    }
}

// ---- init -----------------------------------------------------------------------------------------------------------

/// Make what is missing. The account's name is that of [`Where::account`], else [`Run::host`].
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
}

// ---- backup ---------------------------------------------------------------------------------------------------------

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
    /// Tell each file that is added, changed, removed or excluded as [`Event::Item`](crate::event::Event::Item).
    pub list_items: bool,
}

/// One source and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceJob {
    /// Absolute. A trailing `/` follows a symlink.
    pub path: Vec<u8>,
    /// Host label.
    pub host: String,
    /// Patterns that leave out.
    pub exclude: Vec<String>,
    /// The same, ignoring case.
    pub iexclude: Vec<String>,
    /// Files of patterns.
    pub exclude_file: Vec<PathBuf>,
    /// Leave out the content of directories marked by CACHEDIR.TAG.
    pub exclude_caches: bool,
    /// Leave out the content of directories that hold a file of this name (`NAME[:CONTENT]`).
    pub if_present: Vec<String>,
    /// Leave out larger files.
    pub larger_than: Option<u64>,
    /// Stay on the file system of the source.
    pub one_file_system: bool,
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
    /// Bytes of chunks that the vault wanted and got back.
    pub healed_bytes: u64,
    /// Sources kept by the guard although much of them is gone; exit 12 when there are any.
    pub sources_guarded: u64,
    /// Sources that were not there; exit 3 when there are any.
    pub sources_missing: u64,
    /// It took so long.
    pub elapsed_ms: u64,
    /// The automatic first backup made these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
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

// ---- versions, ls ---------------------------------------------------------------------------------------------------

/// List versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionsJob {
    /// Partial ones too.
    pub partial: bool,
    /// Only those with all of these tags.
    pub tags: Vec<String>,
}

/// One version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionRow {
    /// Link id, hex.
    pub id: String,
    /// Place in the chain.
    pub sequence: u64,
    /// A checkpoint of a run that did not end.
    pub partial: bool,
    /// By the client's clock.
    pub taken_at_ms: i64,
    /// By the server's clock.
    pub received_at_ms: i64,
    /// Tags.
    pub tags: Vec<String>,
    /// Its sources; empty when the body cannot be read with the key on this machine.
    pub sources: Vec<SourceRow>,
    /// Files in all.
    pub files: u64,
    /// Directories in all.
    pub dirs: u64,
    /// Size of all files.
    pub bytes: u64,
}

/// One source of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRow {
    /// Host label.
    pub host: String,
    /// Path.
    pub path: Vec<u8>,
    /// Files.
    pub files: u64,
    /// Size of all files.
    pub bytes: u64,
    /// Sequence of the version that brought this state.
    pub introduced: u64,
    /// Not there since, and kept by the guard.
    pub missing_since_ms: Option<i64>,
}

/// List names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListJob {
    /// Which version.
    pub at: At,
    /// Absolute paths, with `*`, `?` and `**`; none = `/`.
    pub paths: Vec<Vec<u8>>,
    /// Everything below directories too.
    pub recursive: bool,
    /// A directory itself and not what is in it.
    pub directory: bool,
}

/// One name in a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Absolute path in the version's overlay.
    pub path: Vec<u8>,
    /// Kind.
    pub kind: Kind,
    /// The 12 permission bits.
    pub mode: u16,
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// User name, may be empty.
    pub user: Vec<u8>,
    /// Group name, may be empty.
    pub group: Vec<u8>,
    /// Bytes of a regular file; of all files below for a directory.
    pub size: u64,
    /// Files below a directory.
    pub files: Option<u64>,
    /// Modification time.
    pub mtime: Time,
    /// Target of a symlink.
    pub target: Option<Vec<u8>>,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// Something to be told.
    pub mark: Option<Mark>,
}

/// What a listing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListSummary {
    /// Rows.
    pub entries: u64,
    /// Size of the files among them.
    pub bytes: u64,
}

// ---- restore, dump --------------------------------------------------------------------------------------------------

/// Write files back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreJob {
    /// Which version.
    pub at: At,
    /// Absolute paths; none = everything, with full paths.
    pub paths: Vec<Vec<u8>>,
    /// Target directory, absolute; none = in place, asked by [`Person::restore_in_place`].
    pub to: Option<PathBuf>,
    /// Only what these patterns match (and what leads to it).
    pub include: Vec<String>,
    /// Not what these match.
    pub exclude: Vec<String>,
    /// What to do with what is there.
    pub overwrite: Overwrite,
    /// Remove what is in restored directories and not in the version.
    pub delete: bool,
    /// Read everything back and compare.
    pub verify: bool,
    /// Tell what would be done, write nothing.
    pub dry_run: bool,
    /// Beneath the target, keep the whole path and not only its last component.
    pub full_paths: bool,
    /// Tell each file.
    pub list_items: bool,
}

/// What to do with a file that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Write it again.
    Always,
    /// Write it when kind, size or time differ.
    #[default]
    IfChanged,
    /// Write it when the version's is newer.
    IfNewer,
    /// Leave it.
    Never,
}

/// What a restore in place is about to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestorePlan {
    /// Paths to be written, as asked for; `/` when everything.
    pub paths: Vec<Vec<u8>>,
    /// Entries in the version that fit.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Things that are there now and will be removed (`--delete`).
    pub deletes: u64,
    /// How existing files are treated.
    pub overwrite: Overwrite,
}

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoreSummary {
    /// The version it came from.
    pub version_id: String,
    /// Its sequence.
    pub sequence: u64,
    /// Files written.
    pub files_restored: u64,
    /// Files left as they are.
    pub files_kept: u64,
    /// Files and directories removed.
    pub files_deleted: u64,
    /// Items that could not be restored, wholly or in part.
    pub files_skipped: u64,
    /// Of these, files whose data is missing or altered in the vault; exit 10 when there are any.
    pub files_damaged: u64,
    /// Files read back and found equal.
    pub files_verified: u64,
    /// Directories made or set right.
    pub dirs_restored: u64,
    /// Bytes written to files.
    pub restored_bytes: u64,
    /// Bytes of files left as they are.
    pub kept_bytes: u64,
    /// Sent on the wire.
    pub sent_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
    /// Items with errors.
    pub errors: u64,
    /// It took so long.
    pub elapsed_ms: u64,
}

/// Write one path to a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpJob {
    /// Which version.
    pub at: At,
    /// Absolute: a file, or a directory as a pax tar.
    pub path: Vec<u8>,
}

/// What a dump wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DumpSummary {
    /// The version it came from.
    pub version_id: String,
    /// A pax tar and not one file's content.
    pub tar: bool,
    /// Files.
    pub files: u64,
    /// Bytes written to the stream.
    pub written_bytes: u64,
    /// Received on the wire.
    pub received_bytes: u64,
}

// ---- diff, check ----------------------------------------------------------------------------------------------------

/// Compare two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffJob {
    /// From here …
    pub from: At,
    /// … to here.
    pub to: At,
    /// Only below this absolute path.
    pub path: Option<Vec<u8>>,
    /// Files whose metadata alone differs, too.
    pub metadata: bool,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    /// Absolute path.
    pub path: Vec<u8>,
    /// What happened to it.
    pub change: Change,
    /// Kind in the later version (in the earlier one when it is gone).
    pub kind: Kind,
    /// Size before.
    pub size_before: Option<u64>,
    /// Size after.
    pub size_after: Option<u64>,
}

/// What happened to a path between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only in the later one.
    Added,
    /// Only in the earlier one.
    Removed,
    /// Content differs.
    Content,
    /// Only metadata differs.
    Metadata,
    /// Another kind of file.
    Kind,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DiffSummary {
    /// Paths only in the later version.
    pub added: u64,
    /// Paths only in the earlier one.
    pub removed: u64,
    /// Paths whose content or kind differs.
    pub changed: u64,
    /// Paths of which only metadata differs.
    pub metadata: u64,
    /// Size of what was added.
    pub added_bytes: u64,
    /// Size of what was removed.
    pub removed_bytes: u64,
}

/// Prove that what must be there is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckJob {
    /// Every stored byte against its checksum, on the server.
    pub read_data: bool,
    /// This share is fetched, opened and hashed again here, in thousandths.
    pub sample_permille: Option<u32>,
    /// All of it is.
    pub full: bool,
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
    /// The history was taken as the true one.
    pub history_accepted: bool,
    /// It took so long.
    pub elapsed_ms: u64,
}

// ---- key ------------------------------------------------------------------------------------------------------------

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

/// A new sealing key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Its number.
    pub key_id: u32,
    /// Sequence of the link that brought it.
    pub sequence: u64,
}

// ---- serve, doctor --------------------------------------------------------------------------------------------------

/// Answer requests on stdin and stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeJob {
    /// The vault's directory, absolute.
    pub vault: PathBuf,
    /// The only account that may be seen, by name or id.
    pub account: Option<String>,
    /// What may be done.
    pub role: Role,
}

/// What the other side of a connection may do. Later ones may do more but `Admin`, which implies no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Look and restore.
    Read,
    /// Also add versions; nothing ever goes.
    Append,
    /// Also forget and change policy.
    Backup,
    /// Accounts, groups, keys of the machine.
    Admin,
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
