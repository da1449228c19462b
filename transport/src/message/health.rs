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
pub const TEXT_CHARS_MAX: usize = 200;
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

/// Which runs of an account are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LogAsk {
    /// Which account; the opened one when absent.
    #[n(0)]
    pub account: Option<String>,
    /// Those that were told at or after this moment.
    #[n(1)]
    pub since: i64,
    /// So many of the newest.
    #[n(2)]
    pub most: u64,
}
