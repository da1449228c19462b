//! What became of runs, told by clients; how accounts are, told to who looks after them.
//!
//! Nothing here names a file: a client tells codes, counts and sentences that stand in the program, and figures.

use minicbor::{Decode, Encode};
use store::id::{AccountId, VaultId};

use super::account::State;
use super::admin::Terms;

/// Most runs in one report: the one that ends now, and some that could not be told when they ended.
pub const RUNS_MAX: usize = 9;
/// Most kinds of events that a run tells; a kind is a level and a code.
pub const EVENTS_MAX: usize = 32;
/// Longest sentence of an event, and longest text of a run, in characters.
pub const TEXT_CHARS_MAX: usize = 300;
/// Longest code, in characters.
pub const CODE_CHARS_MAX: usize = 40;

/// What became of runs, oldest first; at most [`RUNS_MAX`]. The server keeps no more of each than the bounds above say,
/// and makes control characters visible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Report {
    /// The runs.
    #[n(0)]
    pub runs: Vec<RunReport>,
}

/// What became of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RunReport {
    /// Its verb, as in `backup`.
    #[n(0)]
    pub verb: String,
    /// Version of the program.
    #[n(1)]
    pub client: String,
    /// Full name of the client's host.
    #[n(2)]
    pub host: String,
    /// When it began, by the client's clock.
    #[n(3)]
    pub began_at: i64,
    /// How long it took.
    #[n(4)]
    pub took_ms: u64,
    /// Its exit class.
    #[n(5)]
    pub exit: u8,
    /// What it failed with; absent when a version was made.
    #[n(6)]
    pub code: Option<String>,
    /// Number of the link that it committed.
    #[n(7)]
    pub sequence: Option<u64>,
    /// Its figures.
    #[n(8)]
    pub figures: Figures,
    /// Warnings and errors, by kind.
    #[n(9)]
    pub events: Vec<LogEvent>,
    /// Kinds of events that found no room.
    #[n(10)]
    pub more_events: u64,
}

/// Figures of a run. All are as far as they are known when it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Figures {
    /// Files in the sources.
    #[n(0)]
    pub files: u64,
    /// Files that were new.
    #[n(1)]
    pub files_new: u64,
    /// Files of which anything changed.
    #[n(2)]
    pub files_changed: u64,
    /// Files that were gone.
    #[n(3)]
    pub files_removed: u64,
    /// Size of the sources.
    #[n(4)]
    pub source_bytes: u64,
    /// Read from files.
    #[n(5)]
    pub read_bytes: u64,
    /// Of these, in chunks that the vault lacked.
    #[n(6)]
    pub new_bytes: u64,
    /// Sent on the wire.
    #[n(7)]
    pub sent_bytes: u64,
    /// Received on the wire.
    #[n(8)]
    pub received_bytes: u64,
    /// Items that were left out or are doubtful.
    #[n(9)]
    pub errors: u64,
}

/// Warnings or errors of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LogEvent {
    /// See [`EventLevel`].
    #[n(0)]
    pub level: EventLevel,
    /// Stable code, as in `source.unreadable`.
    #[n(1)]
    pub code: String,
    /// What the code means, in one sentence that stands in the program. Never a name.
    #[n(2)]
    pub text: String,
    /// How often it was told.
    #[n(3)]
    pub count: u64,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum EventLevel {
    /// Something was left out or is odd; the run went on.
    #[default]
    #[n(1)]
    Warning,
    /// The run ended with it.
    #[n(2)]
    Error,
}

/// Whose health is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct StatusAsk {
    /// The account that was opened on this connection, and no other: every role may ask for it.
    #[n(0)]
    pub own: bool,
    /// The only one; all that may be seen when absent.
    #[n(1)]
    pub account: Option<String>,
    /// Traffic of the last 24 hours, too, which needs a look into each account's activity.
    #[n(2)]
    pub hours: bool,
}

/// Some accounts; the last one has none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StatusTold {
    /// The server's clock: what is late is late by it.
    #[n(0)]
    pub now: i64,
    /// By number.
    #[n(1)]
    pub accounts: Vec<HealthFacts>,
    /// Id of the vault.
    #[n(2)]
    pub vault: VaultId,
}

/// All from which one can tell how an account is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HealthFacts {
    /// Number.
    #[n(0)]
    pub number: u32,
    /// Name.
    #[n(1)]
    pub name: String,
    /// Id.
    #[n(2)]
    pub id: AccountId,
    /// State.
    #[n(3)]
    pub state: State,
    /// Why it is in that state.
    #[n(4)]
    pub reason: String,
    /// It was deleted and may go for good then.
    #[n(5)]
    pub goes_at: Option<i64>,
    /// When it was made.
    #[n(6)]
    pub created_at: i64,
    /// What was settled.
    #[n(7)]
    pub terms: Terms,
    /// When its newest version was received.
    #[n(8)]
    pub newest_at: Option<i64>,
    /// Bytes of its packs, as they were when it was looked at last.
    #[n(9)]
    pub stored_bytes: Option<u64>,
    /// The run that was told last, of those that a person did not interrupt.
    #[n(10)]
    pub last_run: Option<RunFacts>,
    /// The run that made the newest version, when it was told.
    #[n(11)]
    pub last_success: Option<RunFacts>,
    /// Bytes that came in by hour, the last hour first, at most 24; only when asked for.
    #[n(12)]
    pub hours_in: Vec<u64>,
    /// The same of bytes that went out.
    #[n(13)]
    pub hours_out: Vec<u64>,
    /// The groups that it is in.
    #[n(14)]
    pub groups: Vec<GroupContacts>,
    /// Volumes of the vault that are not there.
    #[n(15)]
    pub absent_volumes: Option<Vec<u32>>,
    /// Versions that cannot be read in full, as far as damage is known.
    #[n(16)]
    pub holes: Option<u64>,
    /// The newest check that came to its end, when it was told.
    #[n(17)]
    pub last_check: Option<RunFacts>,
    /// Versions that would go and wait to be confirmed.
    #[n(18)]
    pub waiting: Option<u64>,
}

/// A group and who is told for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct GroupContacts {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Who is told.
    #[n(1)]
    pub contacts: Vec<String>,
}

/// A run, as the server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RunFacts {
    /// When the server was told of it.
    #[n(0)]
    pub told_at: i64,
    /// What was told, control characters made visible.
    #[n(1)]
    pub run: RunReport,
}

/// Which lines of the log of an account are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LogAsk {
    /// Which account; the opened one when absent.
    #[n(0)]
    pub account: Option<String>,
    /// Those that came at or after this moment.
    #[n(1)]
    pub since: i64,
    /// Those as grave as this, and graver ones.
    #[n(2)]
    pub least: LogLevel,
    /// So many of the newest.
    #[n(3)]
    pub most: u64,
}

/// How grave a line of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum LogLevel {
    /// Good to know.
    #[default]
    #[n(0)]
    Note,
    /// Somebody should look.
    #[n(1)]
    Warning,
    /// Something was not done.
    #[n(2)]
    Error,
}

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LogTold {
    /// When the server heard of it.
    #[n(0)]
    pub at: i64,
    /// How grave it is.
    #[n(1)]
    pub level: LogLevel,
    /// Stable code.
    #[n(2)]
    pub code: String,
    /// One sentence.
    #[n(3)]
    pub text: String,
}

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ReportKind {
    /// How every account is, and what its runs came to: [`ReportRow::Account`].
    #[n(0)]
    Summary,
    /// Runs that failed or left something out: [`ReportRow::Run`].
    #[n(1)]
    Failures,
    /// What every account takes: [`ReportRow::Account`], with catalog and versions.
    #[n(2)]
    Storage,
    /// Runs and bytes by day: [`ReportRow::Day`].
    #[n(3)]
    Activity,
    /// Sessions that read content: [`ReportRow::Reading`].
    #[n(4)]
    Restores,
    /// How accounts grow: [`ReportRow::Account`], with what they took by day.
    #[n(5)]
    Trend,
}

/// A report over a period.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReportAsk {
    /// Which.
    #[n(0)]
    pub kind: ReportKind,
    /// From this moment on.
    #[n(1)]
    pub since: i64,
    /// The only account; all when absent.
    #[n(2)]
    pub account: Option<String>,
}

/// Some rows of a report; the last reply has none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReportTold {
    /// The server's clock.
    #[n(0)]
    pub now: i64,
    /// The rows.
    #[n(1)]
    pub rows: Vec<ReportRow>,
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReportRow {
    /// An account.
    #[n(0)]
    Account(#[n(0)] Box<AccountReport>),
    /// A run.
    #[n(1)]
    Run(#[n(0)] RunOf),
    /// A day.
    #[n(2)]
    Day(#[n(0)] DayReport),
    /// A session that read.
    #[n(3)]
    Reading(#[n(0)] ReadingOf),
}

/// What a period came to for an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AccountReport {
    /// How it is now.
    #[n(0)]
    pub facts: HealthFacts,
    /// Runs that were told.
    #[n(1)]
    pub runs: u64,
    /// Of these, those that failed.
    #[n(2)]
    pub failed: u64,
    /// Of these, those that left something out.
    #[n(3)]
    pub partial: u64,
    /// Bytes that came in.
    #[n(4)]
    pub in_bytes: u64,
    /// Bytes that went out.
    #[n(5)]
    pub out_bytes: u64,
    /// Bytes of its catalog; only of storage.
    #[n(6)]
    pub catalog_bytes: Option<u64>,
    /// Versions it ever made; only of storage.
    #[n(7)]
    pub versions: Option<u64>,
    /// What it took after the last run of a day, oldest first; only of trend.
    #[n(8)]
    pub days: Vec<DayStored>,
}

/// What an account took on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DayStored {
    /// When the day begins, in universal time.
    #[n(0)]
    pub day: i64,
    /// Bytes of its packs.
    #[n(1)]
    pub bytes: u64,
}

/// A run and whose it was.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RunOf {
    /// Number of the account.
    #[n(0)]
    pub number: u32,
    /// Its name.
    #[n(1)]
    pub account: String,
    /// The run.
    #[n(2)]
    pub run: RunFacts,
}

/// What happened on a day, over all accounts that were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct DayReport {
    /// When the day begins, in universal time.
    #[n(0)]
    pub day: i64,
    /// Runs that were told.
    #[n(1)]
    pub runs: u64,
    /// Of these, those that failed.
    #[n(2)]
    pub failed: u64,
    /// Bytes in chunks that the vault lacked.
    #[n(3)]
    pub new_bytes: u64,
    /// Sessions that began.
    #[n(4)]
    pub sessions: u64,
    /// Bytes that came in.
    #[n(5)]
    pub in_bytes: u64,
    /// Bytes that went out.
    #[n(6)]
    pub out_bytes: u64,
}

/// A session that read content, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReadingOf {
    /// Number of the account.
    #[n(0)]
    pub number: u32,
    /// Its name.
    #[n(1)]
    pub account: String,
    /// When it read last.
    #[n(2)]
    pub at: i64,
    /// Boxes that it was sent.
    #[n(3)]
    pub boxes: u64,
    /// Their bytes.
    #[n(4)]
    pub bytes: u64,
    /// The role of the connection; empty when it is not remembered any more.
    #[n(5)]
    pub role: String,
    /// What the client said of itself; likewise.
    #[n(6)]
    pub client: String,
}
