//! What each verb asks for and what comes back: the only words between the faces and the engine.
//!
//! A face (command line, shell, console) fills in a job, calls one method of [`Engine`] and shows what returns. All
//! paths in jobs are absolute bytes, all times milliseconds since 1970, all sizes bytes. Ids are hex strings: `id`
//! fields hold all 64 digits, people are shown the first eight.

mod admin;
mod backup;
mod care;
mod look;
mod reading;
mod report;
mod space;
mod status;
mod traffic;
mod travel;
mod undo;
mod upkeep;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use store::door::{Chance, Clock};
use zeroize::Zeroizing;

use super::kept::Kept;
use crate::event::Watcher;
use crate::fault::Result;
use crate::profile::Profile;
use crate::timetable::Limit;

pub use store::tree::{Kind, Mark, Time};

pub use super::pacer::Throttle;
pub use admin::*;
pub use backup::*;
pub use care::*;
pub use jiff::tz::TimeZone;
pub use look::*;
pub use reading::*;
pub use report::*;
pub use space::*;
pub use status::*;
pub use traffic::*;
pub use travel::*;
pub use undo::*;
pub use upkeep::*;

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
    /// What is in a directory of a version, with what changed in it since the version before.
    fn folder(&self, run: &Run, job: FolderJob) -> Result<Folder>;
    /// The versions in which a path, as in [`Folder::dir`], is other than in the version before.
    fn moments(&self, run: &Run, path: &[u8]) -> Result<Moments>;
    /// The beginning of a regular file.
    fn peek(&self, run: &Run, job: PeekJob) -> Result<Peek>;
    /// Restores what was marked, of several versions in one go. Nobody is asked: whoever calls has shown the plan.
    fn take(&self, run: &Run, job: TakeJob) -> Result<TakeSummary>;
    /// What such a restore would do, as things are now.
    fn plan_take(&self, run: &Run, job: TakeJob) -> Result<TakePlan>;
    /// Writes a file's content, or a directory as a pax tar, to `out`.
    fn dump(&self, run: &Run, job: DumpJob, out: &mut dyn Write) -> Result<DumpSummary>;
    /// What differs between two versions, by bytes of the path, each handed to `row`.
    fn diff(&self, run: &Run, job: DiffJob, row: &mut dyn FnMut(DiffRow) -> Result<()>) -> Result<DiffSummary>;
    /// Names that fit, in one version or in all, each handed to `row` as soon as it is found.
    fn find(&self, run: &Run, job: FindJob, row: &mut dyn FnMut(FindRow) -> Result<()>) -> Result<FindSummary>;
    /// The states of a path, oldest first, each handed to `row`.
    fn history(
        &self,
        run: &Run,
        job: HistoryJob,
        row: &mut dyn FnMut(StateRow) -> Result<()>,
    ) -> Result<HistorySummary>;
    /// Everything whose id begins with these hex digits, each handed to `row`; gives their number.
    fn which(&self, run: &Run, prefix: &str, row: &mut dyn FnMut(WhichRow) -> Result<()>) -> Result<u64>;
    /// What differs between a version and the disk, by bytes of the path, each handed to `row`.
    fn compare(
        &self,
        run: &Run,
        job: CompareJob,
        row: &mut dyn FnMut(CompareRow) -> Result<()>,
    ) -> Result<CompareSummary>;
    /// What decides about paths. Looks at this machine only.
    fn why(&self, run: &Run, job: WhyJob) -> Result<Vec<WhyRow>>;
    /// Writes the last state of deleted paths back to the disk; what stands there is left alone. Each is told to `row`.
    fn undelete(
        &self,
        run: &Run,
        job: UndeleteJob,
        row: &mut dyn FnMut(BackRow) -> Result<()>,
    ) -> Result<RestoreSummary>;
    /// Appends a version in which deleted paths are again, in their last state. Each is told to `row`.
    fn undelete_in_vault(
        &self,
        run: &Run,
        job: UndeleteJob,
        row: &mut dyn FnMut(BackRow) -> Result<()>,
    ) -> Result<AppendSummary>;
    /// Appends a version without some paths.
    fn delete(&self, run: &Run, job: DeleteJob) -> Result<AppendSummary>;
    /// Appends a version that is like an earlier one.
    fn rollback(&self, run: &Run, job: RollbackJob) -> Result<AppendSummary>;
    /// Proves that what must be there is there. Findings are handed to `row`; damage is not an error of the call.
    fn check(&self, run: &Run, job: CheckJob, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<CheckSummary>;
    /// Tells what is damaged in the vault and can be set right without any source, each step handed to `row`; does it
    /// when asked to.
    fn repair(&self, run: &Run, job: RepairJob, row: &mut dyn FnMut(RepairRow) -> Result<()>) -> Result<RepairSummary>;
    /// Does what is due in the vault; what becomes of versions and each step are handed to `row`.
    fn housekeep(
        &self,
        run: &Run,
        job: HousekeepJob,
        row: &mut dyn FnMut(KeptRow) -> Result<()>,
    ) -> Result<HousekeepSummary>;
    /// What housekeeping has done in the vault; each pass, oldest first, is handed to `row`.
    fn housekeep_log(&self, run: &Run, row: &mut dyn FnMut(LoggedPass) -> Result<()>) -> Result<()>;
    /// What the account takes in the vault.
    fn usage(&self, run: &Run, job: UsageJob) -> Result<UsageRow>;
    /// What all accounts take, the largest first; what groups and the vault take. For administrators.
    fn space(&self, run: &Run, job: UsageJob) -> Result<Vec<SpaceRow>>;
    /// Forgets or pins versions, or takes it back.
    fn name_versions(&self, run: &Run, job: NamingJob) -> Result<NamingSummary>;
    /// Shows what is kept, after setting it if so asked.
    fn policy(&self, run: &Run, job: PolicyJob) -> Result<PolicyRow>;
    /// The key on this machine and the ways to open it.
    fn key_list(&self, run: &Run) -> Result<KeyInfo>;
    /// Adds a way to open the key: a passphrase, asked by [`Person::new_passphrase`].
    fn key_add(&self, run: &Run, job: KeyAddJob) -> Result<KeyRow>;
    /// Removes one; the last one of a key file is refused.
    fn key_remove(&self, run: &Run, slot: &str) -> Result<KeyRow>;
    /// Changes the passphrase of the key file (and of nothing else).
    fn key_passwd(&self, run: &Run) -> Result<Rewrapped>;
    /// The key file as it is, for a copy elsewhere.
    fn key_export(&self, run: &Run) -> Result<Zeroizing<Vec<u8>>>;
    /// The 24 recovery words; remembers that they were shown.
    fn key_words(&self, run: &Run) -> Result<KeyWords>;
    /// Makes a key file from recovery words, asked by [`Person::words`].
    fn key_recover(&self, run: &Run) -> Result<Made>;
    /// The pin: where the account's history ends, for paper. Compared with what is known here first.
    fn key_pin(&self, run: &Run) -> Result<PinRow>;
    /// Adds a sealing key to the keyring; what comes later is sealed with it.
    fn key_rotate(&self, run: &Run) -> Result<Rotated>;
    /// Looks after accounts: a request that lists hands over many rows, any other one. Errors as the server refuses.
    fn account(&self, run: &Run, ask: AccountAsk, row: &mut dyn FnMut(AccountFacts) -> Result<()>) -> Result<()>;
    /// Makes the line that lets an SSH key in for an account, and adds it on the server when asked to.
    fn authorize(&self, run: &Run, ask: Authorize) -> Result<Authorized>;
    /// Takes SSH keys of an account out on the server.
    fn revoke(&self, run: &Run, ask: Revoke) -> Result<Revoked>;
    /// Proves what is stored of accounts, without their keys; each is handed over once it was checked. Damage is in the row.
    fn account_check(
        &self,
        run: &Run,
        ask: CheckAccounts,
        row: &mut dyn FnMut(CheckedAccount) -> Result<()>,
    ) -> Result<()>;
    /// Who was refused, oldest first.
    fn account_refused(&self, run: &Run, row: &mut dyn FnMut(RefusedRow) -> Result<()>) -> Result<()>;
    /// Writes an account as one portable file. An error means that what was written is of no use.
    fn account_dump(&self, run: &Run, which: &str, out: &mut dyn std::io::Write) -> Result<Dumped>;
    /// Makes an account of such a file. An error means that nothing of it is in the vault.
    fn account_load(&self, run: &Run, ask: Load, from: &mut dyn std::io::Read) -> Result<Loaded>;
    /// Looks after groups: a request that lists hands over many rows, deleting none, any other one.
    fn group(&self, run: &Run, ask: GroupAsk, row: &mut dyn FnMut(GroupFacts) -> Result<()>) -> Result<()>;
    /// Looks after volumes: a list hands over many rows, moving packs how far it has come.
    fn volume(&self, run: &Run, ask: VolumeAsk, row: &mut dyn FnMut(VolumeTold) -> Result<()>) -> Result<()>;
    /// What clients of an account told of their runs, oldest first, each line handed to `row`.
    fn account_log(&self, run: &Run, ask: LogAsk, row: &mut dyn FnMut(LogTold) -> Result<()>) -> Result<()>;
    /// A report over a period, for who looks after the vault.
    fn report(&self, run: &Run, ask: ReportAsk) -> Result<ReportSheet>;
    /// How all accounts are; each change since the last call is handed to the command that hears of it, then to `row`.
    fn notify(
        &self,
        run: &Run,
        job: NotifyJob,
        row: &mut dyn FnMut(&EventRecord) -> Result<()>,
    ) -> Result<(Statuses, NotifySummary)>;
    /// How accounts are, by the vault's clock. Nothing is printed and nobody is asked.
    fn status(&self, run: &Run, job: StatusJob) -> Result<Statuses>;
    /// Bytes on the wire by hour, day or month, each period handed to `row`: oldest first, within a period by account.
    fn traffic(&self, run: &Run, job: TrafficJob, row: &mut dyn FnMut(TrafficRow) -> Result<()>) -> Result<()>;
    /// Connections to accounts, each handed to `row`, oldest first within an account.
    fn sessions(&self, run: &Run, job: SessionsJob, row: &mut dyn FnMut(SessionRow) -> Result<()>) -> Result<()>;
    /// Answers requests on stdin and stdout until the other side goes.
    fn serve(&self, run: &Run, job: ServeJob) -> Result<()>;
    /// Looks at everything a backup depends on, changes nothing. Each row is handed over as soon as it is known.
    fn doctor(&self, run: &Run, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()>;
}

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
    /// Measures where the time goes.
    pub profile: Profile,
    /// Keeps the account open for the verbs that follow; without it each connects by itself.
    pub kept: Option<Arc<Kept>>,
    /// Slows this run down, and nothing else, while it goes on: it gets connections of its own.
    pub throttle: Option<Throttle>,
    /// Somebody waits before a screen: a lost connection is tried again for seconds and not for minutes.
    pub hurried: bool,
    /// Full name of this host, lower case: default account name and host label.
    pub host: String,
    /// The local time zone, by whose clocks timetables go.
    pub zone: TimeZone,
}

impl Run {
    /// The same without the account that is kept open: for what that account itself holds.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { kept: None, ..self.clone() }
    }
}

/// Which vault, account and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where {
    /// The vault's address: a path (relative ones are below [`Folders::working`]), an SSH form or `cmd:COMMAND`.
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
    /// So many channels carry bulk over SSH, 1 to 8; as many as help when not chosen.
    pub stripes: Option<usize>,
    /// So long a lost connection is tried again, milliseconds; [`Patience`](super::patience::Patience) has what counts
    /// when not chosen.
    pub retry_ms: Option<u64>,
    /// A second place for the pin: a file, see [`pin`](super::pin).
    pub pin_file: Option<PathBuf>,
    /// How fast bytes may come and go, as far as this end decides; as fast as they can when absent.
    pub limit: Option<Arc<Limit>>,
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

/// Our directories. They need not exist yet.
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
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    signal: AtomicI32,
    asked: AtomicU32,
    /// The program goes on when a run is ended.
    outlives: AtomicBool,
}

impl Stop {
    /// Whether the program goes on when a run is ended, as a shell does: then nobody who asks twice ends it at once.
    pub fn set_outlives(&self, outlives: bool) {
        self.inner.outlives.store(outlives, Ordering::SeqCst);
    }

    /// See [`set_outlives`](Self::set_outlives).
    #[must_use]
    pub fn outlives(&self) -> bool {
        self.inner.outlives.load(Ordering::SeqCst)
    }

    /// How often the end was asked for.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// Forgets that the end was asked for, and says by which signal it was.
    pub fn take(&self) -> Option<i32> {
        let signal = self.signal();
        self.inner.asked.store(0, Ordering::SeqCst);
        signal
    }

    /// Asks for the end; `signal` is the number of the signal that did.
    pub fn ask(&self, signal: i32) {
        self.inner.signal.store(signal, Ordering::SeqCst);
        self.inner.asked.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the end was asked for. The engine then finishes the piece in hand, commits what is whole and returns
    /// [`Code::Interrupted`](crate::fault::Code::Interrupted).
    #[must_use]
    pub fn asked(&self) -> bool {
        self.count() > 0
    }

    /// The signal that asked, when one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.asked().then(|| self.inner.signal.load(Ordering::SeqCst))
    }
}

/// A passphrase; overwritten when dropped.
pub type Passphrase = Zeroizing<Vec<u8>>;

/// Who can be asked. Without a terminal, answers come from files and options, or the call fails with what to do.
pub trait Person: Send + Sync {
    /// Whether there is anybody who can be asked.
    fn may_ask(&self) -> bool;
    /// Something that is not shown while it is typed and is no passphrase of ours: of an SSH key, a password.
    /// `None` when nobody can be asked.
    fn secret(&self, what: &str) -> Option<Zeroizing<String>>;
    /// An answer to a question of the server, shown while it is typed. `None` when nobody can be asked.
    fn answer(&self, question: &str) -> Option<Zeroizing<String>>;
    /// The passphrase that opens `what` ("the key of laptop-ana"). `attempt` counts from 0; [`KeyPassphrase`] when there
    /// is no use in trying again, [`KeyPassphraseNeeded`] when nobody can be asked.
    ///
    /// [`KeyPassphrase`]: crate::fault::Code::KeyPassphrase
    /// [`KeyPassphraseNeeded`]: crate::fault::Code::KeyPassphraseNeeded
    fn passphrase(&self, what: &str, attempt: u32) -> Result<Passphrase>;
    /// A new passphrase for `what`, asked twice. `None` = none wanted; only when `may_be_none`.
    fn new_passphrase(&self, what: &str, may_be_none: bool) -> Result<Option<Passphrase>>;
    /// The recovery words, as typed. Empty when there are none and a passphrase is to be used.
    fn words(&self) -> Result<Zeroizing<String>>;
    /// Whether this unknown host key is the right one; `Ok(false)` and errors both mean no.
    fn host_key(&self, question: &HostKeyQuestion) -> Result<bool>;
    /// Whether to go on with a restore in place. Errors with [`PolicyConfirm`](crate::fault::Code::PolicyConfirm) when
    /// nobody says yes.
    fn restore_in_place(&self, plan: &RestorePlan) -> Result<()>;
    /// Whether to append a version that no backup made. Errors as for a restore in place.
    fn append(&self, plan: &AppendPlan) -> Result<()>;
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
    /// The one with this number in the account's chain, as lists show it.
    Number {
        /// From 1.
        sequence: u64,
    },
}

impl At {
    /// Whether it names one version and not a time or a place in a list: whoever names it, means it, also in the trash.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self, Self::Id { .. } | Self::Number { .. })
    }
}

impl Default for At {
    fn default() -> Self {
        Self::Latest { back: 0 }
    }
}
