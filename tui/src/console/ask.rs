//! What the engine is asked, as data, and what comes back. A question is answered on a thread of the runner.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use agent::cli::Desk;
use agent::engine::job::{AccountAsk, AccountFacts, At, EntryRow, ListJob, Run, VersionRow, VersionsJob};
use agent::fault::{Code, Fault, Result};

use super::effect::Lane;
use super::look::{Look, Looked, look};
use crate::widgets::arrange::{Order, Rows, arrange};

/// A question.
pub enum Ask {
    /// The accounts of the vault, with their figures; for administrators.
    Accounts,
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
    /// What the browser and the diff ask.
    Look(Look),
    /// What a verb says; its words as in a shell, without the program's name. Only for dry runs.
    Say(Vec<OsString>),
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounts => write!(f, "Accounts"),
            Self::Versions => write!(f, "Versions"),
            Self::Names { at, dir } => write!(f, "Names {{ {at:?}, {} }}", agent::name::for_terminal(dir)),
            Self::Arrange(rows, order) => write!(f, "Arrange({}, {order:?})", rows.count()),
            Self::Look(look) => write!(f, "{look:?}"),
            Self::Say(words) => write!(f, "Say({words:?})"),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Accounts.
    Accounts(Arc<Vec<AccountFacts>>),
    /// Versions, oldest first.
    Versions(Arc<Vec<VersionRow>>),
    /// Names in a directory.
    Names(Arc<Vec<EntryRow>>),
    /// Rows, by their numbers.
    Arranged(Arc<Vec<u32>>),
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
pub fn answer(desk: &Desk<'_>, run: &Run, ask: Ask, tell: &dyn Fn(Answer)) -> Result<Answer> {
    let engine = desk.engine();
    match ask {
        Ask::Accounts => {
            let mut rows = Vec::new();
            let ask = AccountAsk::List(agent::engine::job::ListAccounts { figures: true, ..Default::default() });
            engine.account(run, ask, &mut |row| {
                rows.push(row);
                Ok(())
            })?;
            Ok(Answer::Accounts(Arc::new(rows)))
        }
        Ask::Versions => Ok(Answer::Versions(Arc::new(engine.versions(run, VersionsJob::default())?))),
        Ask::Names { at, dir } => {
            let mut rows = Vec::new();
            let job = ListJob { at, paths: vec![dir.clone()], ..ListJob::default() };
            engine.list(run, job, &mut |row| {
                if row.path != dir {
                    rows.push(row);
                }
                Ok(())
            })?;
            Ok(Answer::Names(Arc::new(rows)))
        }
        Ask::Arrange(rows, order) => match arrange(rows.as_ref(), &order, &run.stop) {
            Some(shown) => Ok(Answer::Arranged(Arc::new(shown))),
            None => Err(Fault::new(Code::Interrupted, "it is no longer wanted")),
        },
        Ask::Look(what) => look(engine, run, what, tell).map(Answer::Looked),
        // The runner does it: a verb brings a desk of its own.
        Ask::Say(_) => Err(Fault::new(Code::System, "a verb cannot be answered here")),
    }
}
