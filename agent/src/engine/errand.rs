//! Tells the vault what became of a run that is no backup: its verb, how it ended, and figures; never a name. In the
//! flight of the goodbye, so nobody waits for it; and what cannot be told is not kept: nothing depends on it.

use store::door::Millis;
use transport::message::Request;
use transport::message::health::{Figures, Report, RunReport};
use transport::{Call, Class};

use super::job::{CheckSummary, RestoreSummary, Run};
use super::remote::Remote;
use super::tell::{is_news, node};
use crate::fault::{Code, Exit, Fault, Result};

/// One run, from its beginning on.
pub struct Errand<'r> {
    run: &'r Run,
    verb: &'static str,
    began_at: Millis,
    began_ms: Millis,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Came {
    /// Its exit, when it is not fine.
    pub exit: Option<Exit>,
    /// Number of the version that it added.
    pub sequence: Option<u64>,
    /// Files that it wrote, or versions that it named.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What could not be done.
    pub errors: u64,
    /// What it found, when that is damage.
    pub code: Option<Code>,
}

/// A report on its way. It is to live until the goodbye.
pub struct Going(#[expect(dead_code, reason = "held, never looked at")] Option<Call>);

impl<'r> Errand<'r> {
    /// A run that begins now.
    pub fn begin(run: &'r Run, verb: &'static str) -> Self {
        Self { run, verb, began_at: run.clock.now_ms(), began_ms: run.clock.monotonic_ms() }
    }

    /// Sends what it came to. A server that does not want to know refuses, and is not asked why.
    pub fn done(&self, remote: &Remote, came: Came) -> Going {
        let report = self.report(came, None);
        if remote.stays() {
            drop(remote.ask::<()>(&report));
            return Going(None);
        }
        let call = remote.call(Class::Interactive, &report).ok();
        Going(call.filter(|call| call.end().is_ok()))
    }

    /// The same of a run that failed, and of which somebody else should hear; `done` as it is.
    pub fn or_failed<T>(&self, remote: &Remote, done: Result<T>) -> Result<T> {
        if let Err(fault) = &done
            && is_news(fault)
        {
            drop(remote.ask::<()>(&self.report(Came { exit: Some(fault.exit()), ..Came::default() }, Some(fault))));
        }
        done
    }

    fn report(&self, came: Came, fault: Option<&Fault>) -> Request {
        let took = self.run.clock.monotonic_ms().saturating_sub(self.began_ms);
        let run = RunReport {
            verb: self.verb.to_owned(),
            client: env!("CARGO_PKG_VERSION").to_owned(),
            host: node(),
            began_at: self.began_at,
            took_ms: u64::try_from(took).unwrap_or(0),
            exit: came.exit.unwrap_or(Exit::Ok) as u8,
            code: fault.map(|fault| fault.code).or(came.code).map(|code| code.name().to_owned()),
            sequence: came.sequence,
            figures: Figures { files: came.files, source_bytes: came.bytes, errors: came.errors, ..Figures::default() },
            events: Vec::new(),
            more_events: 0,
        };
        Request::Report(Report { runs: vec![run] })
    }
}

impl From<&RestoreSummary> for Came {
    fn from(s: &RestoreSummary) -> Self {
        let partial = s.errors > 0 || s.files_damaged > 0 || s.files_skipped > 0;
        Self {
            exit: partial.then_some(Exit::Partial),
            sequence: None,
            files: s.files_restored,
            bytes: s.restored_bytes,
            errors: s.errors,
            code: None,
        }
    }
}

impl From<&CheckSummary> for Came {
    fn from(s: &CheckSummary) -> Self {
        Self {
            exit: (s.damaged > 0).then_some(Exit::Damaged),
            sequence: None,
            files: 0,
            bytes: s.read_bytes.max(s.opened_bytes),
            errors: s.damaged,
            code: s.worst,
        }
    }
}
