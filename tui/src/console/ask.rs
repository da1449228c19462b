//! What the engine is asked, as data, and what comes back. A question is answered on a thread of the runner.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use agent::cli::inside::Inside;
use agent::cli::json::{Start, Stream};
use agent::cli::{Desk, run_inside};
use agent::complete::Takes;
use agent::complete::offer::{Choice, Knows, Name, Place, offer};
use agent::complete::spot::{Extra, Wants, spot};
use agent::engine::job::{
    At, EntryRow, Kind, ListJob, LogAsk, LogLevel, LogTold, LoggedPass, PolicyJob, PolicyRow, Run, StatusJob, Statuses,
    UsageJob, UsageRow, VersionRow, VersionsJob, Whose,
};
use agent::engine::queue::lock;
use agent::fault::{Code, Fault, Result};
use agent::world::{Out, World};
use serde_json::Value;

use super::effect::Lane;
use super::look::{Look, Looked, look};
use crate::widgets::arrange::{Order, Rows, arrange};

/// A question.
pub enum Ask {
    /// The versions of the account.
    Versions,
    /// What is in a directory of a version.
    Names {
        /// Which version.
        at: At,
        /// Absolute path.
        dir: Vec<u8>,
    },
    /// Which rows fit, in which order.
    Arrange(Arc<dyn Rows>, Order),
    /// How accounts are.
    Status(Whose),
    /// What the account takes.
    Usage,
    /// What is kept.
    Policy,
    /// What housekeeping did.
    Passes,
    /// What the clients of an account told the vault; for administrators.
    Log(String),
    /// What a line may go on with, at its end.
    Complete(String),
    /// The records of a verb that changes nothing, as `--json` prints them.
    Records(Vec<String>),
    /// What the browser and the diff ask.
    Look(Look),
    /// What a verb says; its words as in a shell, without the program's name. Only for dry runs.
    Say(Vec<OsString>),
}

impl Ask {
    /// Whether the answer lies behind the account's key.
    #[must_use]
    pub fn needs_key(&self) -> bool {
        !matches!(self, Self::Arrange(..) | Self::Status(_) | Self::Usage | Self::Log(_))
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Versions => write!(f, "Versions"),
            Self::Names { at, dir } => write!(f, "Names {{ {at:?}, {} }}", agent::name::for_terminal(dir)),
            Self::Status(whose) => write!(f, "Status({whose:?})"),
            Self::Usage => write!(f, "Usage"),
            Self::Policy => write!(f, "Policy"),
            Self::Passes => write!(f, "Passes"),
            Self::Log(account) => write!(f, "Log({account:?})"),
            Self::Complete(line) => write!(f, "Complete({line:?})"),
            Self::Records(words) => write!(f, "Records({words:?})"),
            Self::Arrange(rows, order) => write!(f, "Arrange({}, {order:?})", rows.count()),
            Self::Look(look) => write!(f, "{look:?}"),
            Self::Say(words) => write!(f, "Say({words:?})"),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Versions, oldest first.
    Versions(Arc<Vec<VersionRow>>),
    /// Names in a directory.
    Names(Arc<Vec<EntryRow>>),
    /// Rows, by their numbers.
    Arranged(Arc<Vec<u32>>),
    /// How accounts are.
    Status(Arc<Statuses>),
    /// What the account takes.
    Usage(UsageRow),
    /// What is kept.
    Policy(PolicyRow),
    /// What clients told, oldest first.
    Log(Arc<Vec<LogTold>>),
    /// What housekeeping did, oldest first.
    Passes(Arc<Vec<LoggedPass>>),
    /// What a line may go on with: where the word begins, and what it may become.
    Choices(usize, Arc<Vec<Choice>>),
    /// Records.
    Records(Arc<Vec<Value>>),
    /// For the browser and the diff.
    Looked(Looked),
    /// What a verb said, safe to show, and its exit status.
    Said(Arc<Vec<String>>, u8),
}

/// What was heard of a question.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Who asked.
    pub lane: Lane,
    /// Number of the question.
    pub generation: u64,
    /// The answer, or a part of it.
    pub answer: Result<Answer>,
    /// Nothing more comes.
    pub last: bool,
}

/// Answers. `tell` hands over parts of what comes bit by bit; what is returned comes last.
pub fn answer(desk: &Desk<'_>, run: &Run, inside: &Inside, ask: Ask, tell: &dyn Fn(Answer)) -> Result<Answer> {
    let engine = desk.engine();
    match ask {
        Ask::Versions => Ok(Answer::Versions(Arc::new(engine.versions(run, VersionsJob::default())?))),
        Ask::Names { at, dir } => Ok(Answer::Names(Arc::new(names(desk, run, at, dir)?))),
        Ask::Arrange(rows, order) => match arrange(rows.as_ref(), &order, &run.stop) {
            Some(shown) => Ok(Answer::Arranged(Arc::new(shown))),
            None => Err(Fault::new(Code::Interrupted, "it is no longer wanted")),
        },
        Ask::Status(whose) => Ok(Answer::Status(Arc::new(engine.status(run, StatusJob { whose, hours: true })?))),
        Ask::Usage => Ok(Answer::Usage(engine.usage(run, UsageJob::default())?)),
        Ask::Policy => Ok(Answer::Policy(engine.policy(run, PolicyJob::default())?)),
        Ask::Passes => {
            let mut passes = Vec::new();
            engine.housekeep_log(run, &mut |pass| {
                passes.push(pass);
                Ok(())
            })?;
            Ok(Answer::Passes(Arc::new(passes)))
        }
        Ask::Log(account) => {
            let ask = LogAsk { account: Some(account), since: 0, least: LogLevel::Note, most: LOG_LINES_MAX };
            let mut lines = Vec::new();
            engine.account_log(run, ask, &mut |line| {
                lines.push(line);
                Ok(())
            })?;
            Ok(Answer::Log(Arc::new(lines)))
        }
        Ask::Complete(line) => {
            let (start, choices) = complete(desk, run, inside, &line);
            Ok(Answer::Choices(start, Arc::new(choices)))
        }
        Ask::Records(words) => Ok(Answer::Records(Arc::new(records(desk.world, inside, words)?))),
        Ask::Look(what) => look(engine, run, what, tell).map(Answer::Looked),
        // The runner does it: a verb brings a desk of its own.
        Ask::Say(_) => Err(Fault::new(Code::System, "a verb cannot be answered here")),
    }
}

fn names(desk: &Desk<'_>, run: &Run, at: At, dir: Vec<u8>) -> Result<Vec<EntryRow>> {
    let mut rows = Vec::new();
    let job = ListJob { at, paths: vec![dir.clone()], ..ListJob::default() };
    desk.engine().list(run, job, &mut |row| {
        if row.path != dir {
            rows.push(row);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Lines of an account's log that are asked for.
const LOG_LINES_MAX: u64 = 2_000;

/// What completion wants to know, asked of the engine; nothing waits for it but this answer.
struct Looks<'l> {
    desk: &'l Desk<'l>,
    run: &'l Run,
}

impl Knows for Looks<'_> {
    fn names(&self, at: Option<&str>, dir: &[u8]) -> Option<Arc<Vec<Name>>> {
        let at = at.map_or(Ok(At::default()), |text| self.desk.version(text).map(|understood| understood.at)).ok()?;
        let rows = names(self.desk, self.run, at, dir.to_vec()).ok()?;
        let name = |row: EntryRow| Name {
            bytes: row.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec(),
            dir: row.kind == Kind::Dir,
        };
        Some(Arc::new(rows.into_iter().map(name).collect()))
    }

    fn versions(&self) -> Option<Arc<Vec<VersionRow>>> {
        self.desk.engine().versions(self.run, VersionsJob::default()).ok().map(Arc::new)
    }

    fn accounts(&self) -> Vec<String> {
        agent::shell::accounts(self.desk).unwrap_or_default()
    }
}

fn complete(desk: &Desk<'_>, run: &Run, inside: &Inside, line: &str) -> (usize, Vec<Choice>) {
    let mut top = agent::cli::command();
    top.build();
    let extras = [("at", &[Takes::Version][..]), ("cd", &[Takes::RemoteDir])];
    let extras = extras.map(|(name, takes)| Extra { name, takes });
    let words = WORDS.map(|(word, about)| (word.to_owned(), about.to_owned()));
    let spot = spot(line, &top, &extras);
    let zone = desk.zone();
    let (working, home) = (desk.world.working.as_path(), desk.world.home.as_deref());
    let place = Place { view: &inside.view, working, home, zone: &zone };
    let mut choices = offer(&spot, &place, &words, &Looks { desk, run });
    if matches!(spot.wants, Wants::Option(_)) && spot.value.iter().all(|byte| *byte == b'-') {
        // Those of every verb would hide those of this one; they come when more is typed.
        let global = |text: &str| top.get_arguments().any(|arg| arg.get_long() == text.strip_prefix("--"));
        choices.retain(|choice| !global(&choice.text));
    }
    (spot.word.start, choices)
}

/// Words of the console's command line that are no verbs.
pub const WORDS: [(&str, &str); 3] =
    [("at", "look at another version"), ("cd", "look at a directory"), ("quit", "leave the console")];

/// Bytes of records that are taken, at most.
const RECORDS_BYTES_MAX: usize = 16 << 20;

fn records(world: &World, inside: &Inside, words: Vec<String>) -> Result<Vec<Value>> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let out = Arc::new(Out::new(Box::new(Gathered(Arc::clone(&bytes)))));
    let start = Start { tool: "tuckbox", ..Start::default() };
    let stream = Arc::new(Stream::begin(out, Arc::clone(&world.clock), &start)?);
    let inside = Inside { stream: Some(stream), ..inside.clone() };
    let status = run_inside(world, words.into_iter().map(OsString::from).collect(), &inside);
    let bytes = std::mem::take(&mut *lock(&bytes));
    let records: Vec<Value> =
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let error = records.iter().find(|record| record.get("type").is_some_and(|kind| kind == "error"));
    match error {
        Some(error) if status != 0 => Err(fault_of(error)),
        _ => Ok(records),
    }
}

fn fault_of(error: &Value) -> Fault {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = Code::ALL.iter().find(|code| code.name() == text("code")).copied().unwrap_or(Code::System);
    let fault = Fault::new(code, text("message"));
    if text("hint").is_empty() { fault } else { fault.hint(text("hint")) }
}

/// Keeps what is written, up to a bound.
struct Gathered(Arc<Mutex<Vec<u8>>>);

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut held = lock(&self.0);
        if held.len() + bytes.len() <= RECORDS_BYTES_MAX {
            held.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
