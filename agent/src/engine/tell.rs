//! Tells the vault what became of a backup, for who looks after it: figures, the exit, and warnings and errors by kind.
//!
//! Names of files never leave the client in clear, so nothing that was said about one is told: an event is a code, what the
//! code means (a sentence of the program), and how often. A run tells at most [`EVENTS_MAX`] kinds. What cannot be told,
//! because no connection came about or lived, waits in the state directory and is told with the next run; the newest
//! `WAITING_MAX` of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use transport::message::health::{EVENTS_MAX, EventLevel, Figures, LogEvent, RUNS_MAX, Report, RunReport};
use transport::message::{self, Request};
use transport::{Call, Class};

use super::connect::{Connector, address};
use super::job::{BackupSummary, Run};
use super::queue::lock;
use super::remote::Remote;
use super::state::StateDir;
use crate::cli::explain;
use crate::event::{Event, Watcher};
use crate::fault::{Code, Fault, Result};

/// Runs that wait to be told, of one account: with the one that tells them they fit into a report.
const WAITING_MAX: usize = RUNS_MAX - 1;
/// Runs that wait in all: somebody may have used many vaults that are gone.
const WAITING_ALL_MAX: usize = 4 * WAITING_MAX;

/// One run that is to be told.
pub struct Teller {
    run: Run,
    ears: Arc<Ears>,
    began_at: i64,
    began_ms: i64,
    told: Mutex<bool>,
}

/// A listener that counts warnings and passes everything on.
struct Ears {
    to: Arc<dyn Watcher>,
    /// By level and name of the code.
    heard: Mutex<BTreeMap<(EventLevel, &'static str), Heard>>,
}

struct Heard {
    code: Code,
    count: u64,
}

impl Watcher for Ears {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning(fault) = event {
            self.hear(EventLevel::Warning, fault.code);
        }
        self.to.event(event);
    }

    fn wants_totals(&self) -> bool {
        self.to.wants_totals()
    }
}

impl Ears {
    fn hear(&self, level: EventLevel, code: Code) {
        // As many entries as there are codes, twice.
        lock(&self.heard).entry((level, code.name())).or_insert(Heard { code, count: 0 }).count += 1;
    }

    /// What was heard, errors first, and how many kinds found no room.
    fn events(&self) -> (Vec<LogEvent>, u64) {
        let heard = lock(&self.heard);
        let event = |(level, code): &(EventLevel, &str), heard: &Heard| LogEvent {
            level: *level,
            code: (*code).to_owned(),
            text: explain::meaning(heard.code).to_owned(),
            count: heard.count,
        };
        let events: Vec<LogEvent> = heard.iter().rev().take(EVENTS_MAX).map(|(at, what)| event(at, what)).collect();
        let more = heard.len() - events.len();
        (events, more as u64)
    }
}

/// A report that has gone out and whose answer nobody waits for. The server has taken it when the connection has said
/// goodbye; until then this value lives.
pub struct Sent {
    call: Call,
}

impl Sent {
    /// Says goodbye, and whether the report arrived.
    pub fn part(&self, remote: &Remote) -> bool {
        if remote.stays() {
            return remote.reply::<()>(&self.call).is_ok();
        }
        remote.clone().close().is_ok()
    }
}

impl Teller {
    /// For a run that begins now. It is to listen to [`run`](Self::run).
    pub fn begin(run: &Run) -> Self {
        let ears = Arc::new(Ears { to: Arc::clone(&run.watcher), heard: Mutex::default() });
        let heard = Run { watcher: Arc::clone(&ears) as Arc<dyn Watcher>, ..run.clone() };
        let (began_at, began_ms) = (run.clock.now_ms(), run.clock.monotonic_ms());
        Self { run: heard, ears, began_at, began_ms, told: Mutex::new(false) }
    }

    /// The same run, heard.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Sends the report of a run that has committed, with those that wait, in the flight of the goodbye.
    pub fn send(&self, remote: &Remote, summary: &BackupSummary) -> Option<Sent> {
        let request = Request::Report(self.report(Ok(summary)));
        let call = remote.call(Class::Interactive, &request).ok()?;
        // A server that has none of this refuses it, and is not asked why.
        call.end().ok()?;
        *lock(&self.told) = true;
        Some(Sent { call })
    }

    /// The report arrived: what waited was told.
    pub fn arrived(&self) {
        self.forget_waiting();
    }

    /// Tells of a run that failed, while its connection may still live.
    pub fn failed(&self, remote: &Remote, fault: &Fault) {
        if !is_news(fault) {
            return;
        }
        if remote.ask::<()>(&Request::Report(self.report(Err(fault)))).is_ok() {
            *lock(&self.told) = true;
            self.forget_waiting();
        }
    }

    /// The end of the run. What could not be told yet waits for the next one.
    pub fn end(&self, done: &Result<BackupSummary>) {
        let Err(fault) = done else { return };
        if *lock(&self.told) || !is_news(fault) {
            return;
        }
        if fault.code == Code::HookFailed && self.tell_apart(fault).is_ok() {
            return;
        }
        let (text, at) = (STANDARD.encode(message::encode(&self.own(Err(fault)))), self.at());
        let kept = StateDir::new(self.run.folders.state.clone()).change_waiting(|all| {
            all.push(Waiting { vault: at.0, account: at.1, run: text });
            cap(all);
        });
        // It is a kindness to the administrator; the run has failed for reasons of its own.
        kept.unwrap_or_default();
    }

    /// A command that failed before the vault was reached: administrators hear of it at once all the same.
    fn tell_apart(&self, fault: &Fault) -> Result<()> {
        let remote = Connector::new(&self.run)?.connect()?;
        let open = super::account::open_request(&self.run, &super::keys::key_checks(&self.run)?, u64::MAX);
        remote.ask::<message::Opened>(&Request::Open(open))?;
        self.failed(&remote, fault);
        remote.close()?;
        if *lock(&self.told) { Ok(()) } else { Err(Fault::new(Code::NetLost, "it could not be told")) }
    }

    /// Where this run's account is.
    fn at(&self) -> (String, Option<String>) {
        (address(&self.run), self.run.place.account.clone())
    }

    fn waiting(&self) -> Vec<RunReport> {
        let (vault, account) = self.at();
        let all = StateDir::new(self.run.folders.state.clone()).waiting().unwrap_or_default();
        let here = all.iter().filter(|waiting| waiting.vault == vault && waiting.account == account);
        here.filter_map(|waiting| message::decode(&STANDARD.decode(&waiting.run).ok()?).ok()).collect()
    }

    fn forget_waiting(&self) {
        let (vault, account) = self.at();
        let state = StateDir::new(self.run.folders.state.clone());
        if state.waiting().is_ok_and(|all| all.is_empty()) {
            return;
        }
        // Told twice is no harm.
        state.change_waiting(|all| all.retain(|w| w.vault != vault || w.account != account)).unwrap_or_default();
    }

    /// What waits, and this run.
    fn report(&self, done: std::result::Result<&BackupSummary, &Fault>) -> Report {
        let mut runs = self.waiting();
        runs.truncate(WAITING_MAX);
        runs.push(self.own(done));
        Report { runs }
    }

    fn own(&self, done: std::result::Result<&BackupSummary, &Fault>) -> RunReport {
        if let Err(fault) = done {
            self.ears.hear(EventLevel::Error, fault.code);
        }
        let (events, more_events) = self.ears.events();
        let took = self.run.clock.monotonic_ms().saturating_sub(self.began_ms);
        let (exit, code) = match done {
            Ok(summary) => (summary.exit(), None),
            Err(fault) => (fault.exit(), Some(fault.code.name().to_owned())),
        };
        // A version was made, and yet somebody should know of a source that was kept as it was, or is not in it at all.
        let of = |summary: &BackupSummary| match (summary.sources_guarded, summary.sources_missing) {
            (0, 0) => None,
            (0, _) => Some(Code::SourceNone),
            _ => Some(Code::GuardMassDeletion),
        };
        RunReport {
            verb: "backup".to_owned(),
            client: env!("CARGO_PKG_VERSION").to_owned(),
            host: node(),
            began_at: self.began_at,
            took_ms: u64::try_from(took).unwrap_or(0),
            exit: exit as u8,
            code: code.or_else(|| done.ok().and_then(of).map(|code| code.name().to_owned())),
            sequence: done.ok().and_then(|summary| summary.sequence),
            figures: done.map_or_else(|_| Figures::default(), figures),
            events,
            more_events,
        }
    }
}

fn figures(s: &BackupSummary) -> Figures {
    Figures {
        files: s.files_new + s.files_changed + s.files_metadata + s.files_unchanged,
        files_new: s.files_new,
        files_changed: s.files_changed + s.files_metadata,
        files_removed: s.files_removed,
        source_bytes: s.source_bytes,
        read_bytes: s.read_bytes,
        new_bytes: s.new_bytes,
        sent_bytes: s.sent_bytes,
        received_bytes: s.received_bytes,
        errors: s.errors + s.sources_missing,
    }
}

/// Whether somebody else should hear of it: not of a run that a person interrupted, nor of a line that was mistyped.
pub(super) fn is_news(fault: &Fault) -> bool {
    fault.code != Code::Interrupted && fault.exit() != crate::fault::Exit::Usage
}

/// A run that waits to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The vault's address.
    pub vault: String,
    /// The account that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its [`RunReport`], in base 64.
    pub run: String,
}

/// Drops the oldest of what is too much.
fn cap(all: &mut Vec<Waiting>) {
    let mut seen: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
    let mut left = WAITING_ALL_MAX;
    let mut kept: Vec<Waiting> = all
        .drain(..)
        .rev()
        .filter(|waiting| {
            let here = seen.entry((waiting.vault.clone(), waiting.account.clone())).or_default();
            *here += 1;
            let keep = *here <= WAITING_MAX && left > 0;
            left -= usize::from(keep);
            keep
        })
        .collect();
    kept.reverse();
    *all = kept;
}

/// The machine's own name. Not the host label of its versions: that is sealed, and somebody may have chosen it to say what
/// the server is not to know.
pub(super) fn node() -> String {
    rustix::system::uname().nodename().to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Deaf;

    #[test]
    fn what_is_told_of_warnings_is_codes_and_counts() {
        let ears = Ears { to: Arc::new(Deaf), heard: Mutex::default() };
        for path in [&b"/home/ana/secret"[..], b"/home/ana/other"] {
            let fault = Fault::new(Code::SourceUnreadable, "/home/ana/secret cannot be read").path(path);
            ears.event(&Event::Warning(&fault.because("permission denied for /home/ana")));
        }
        ears.hear(EventLevel::Error, Code::QuotaHard);
        let (events, more) = ears.events();
        let told: Vec<_> = events.iter().map(|event| (event.level, event.code.as_str(), event.count)).collect();
        assert_eq!(told, [(EventLevel::Error, "quota.hard", 1), (EventLevel::Warning, "source.unreadable", 2)]);
        assert_eq!(more, 0);
        assert!(!format!("{events:?}").contains("ana"), "{events:?}");
    }

    #[test]
    fn kinds_have_a_bound_and_errors_come_first() {
        let ears = Ears { to: Arc::new(Deaf), heard: Mutex::default() };
        Code::ALL.iter().for_each(|code| ears.hear(EventLevel::Warning, *code));
        ears.hear(EventLevel::Error, Code::System);
        let (events, more) = ears.events();
        assert_eq!((events.len(), more), (EVENTS_MAX, (Code::ALL.len() + 1 - EVENTS_MAX) as u64));
        assert_eq!(events[0].level, EventLevel::Error);
    }

    #[test]
    fn the_oldest_of_what_waits_go() {
        let waiting = |vault: &str, run: usize| Waiting { vault: vault.into(), account: None, run: run.to_string() };
        let mut all: Vec<Waiting> = (0..20).map(|run| waiting("a", run)).collect();
        all.push(waiting("b", 0));
        cap(&mut all);
        let runs: Vec<&str> = all.iter().map(|waiting| waiting.run.as_str()).collect();
        assert_eq!(runs, ["12", "13", "14", "15", "16", "17", "18", "19", "0"]);
        all.extend((0..90).map(|vault| waiting(&vault.to_string(), 1)));
        cap(&mut all);
        assert_eq!((all.len(), all.last().unwrap().vault.as_str()), (WAITING_ALL_MAX, "89"));
    }
}
