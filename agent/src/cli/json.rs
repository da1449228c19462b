//! The batch contract: JSON lines on stdout. Within one `v`, fields and types are added and never renamed or removed.
//!
//! Every line has `v`, `seq` (from 0), `time` and `type`; the first is `start`, the last `end`. Integers are bytes and
//! milliseconds, moments RFC 3339 in UTC, ids strings; what is not known is absent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Serialize, Serializer};
use store::door::Clock;

use super::explain;
use super::hints::Hints;
use super::meter::Meter;
use super::rows::Rows;
use crate::event::{Event, Progress, Watcher};
use crate::fault::{Fault, Result};
use crate::name::{for_json, harmless_line};
use crate::world::Out;

/// Major version of the contract.
pub const CONTRACT: u32 = 1;

/// Shortest time between two `progress` records.
const PROGRESS_MS: i64 = 1000;

/// Writes records.
pub struct Stream {
    out: Arc<Out>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Rows alone are written, in this shape.
    rows: Option<Rows>,
    hints: Hints,
}

#[derive(Default)]
struct State {
    seq: u64,
    began_ms: i64,
    meter: Meter,
    errors: u64,
    warnings: u64,
    /// `end` is written.
    ended: bool,
    /// The kind of rows whose names stand above.
    headed: Option<String>,
}

#[derive(Serialize)]
struct Line<'a, T> {
    v: u32,
    seq: u64,
    time: String,
    r#type: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

/// A name: text, and the bytes when the text is not exactly them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathText {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
}

impl From<&[u8]> for PathText {
    fn from(bytes: &[u8]) -> Self {
        let (path, path_b64) = for_json(bytes);
        Self { path, path_b64 }
    }
}

/// What the first record tells.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Start {
    /// `tuckbox`.
    pub tool: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// The verb.
    pub command: String,
    /// Names this run.
    pub run: String,
    /// Number of the process.
    pub pid: u32,
    /// The account, when chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The vault's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
}

#[derive(Serialize)]
struct FaultRecord {
    code: &'static str,
    exit: u8,
    message: String,
    cause: Vec<String>,
    hint: String,
    retry: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    path: Option<PathText>,
}

#[derive(Serialize)]
struct ProgressRecord {
    phase: &'static str,
    files_done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    files_total: Option<u64>,
    bytes_done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_total: Option<u64>,
    sent_bytes: u64,
    received_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_bytes_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_ms: Option<u64>,
    errors: u64,
}

#[derive(Serialize)]
struct ItemRecord<'a> {
    action: &'static str,
    #[serde(flatten)]
    path: PathText,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct PhaseRecord {
    phase: &'static str,
}

#[derive(Serialize)]
struct NoteRecord {
    text: String,
}

#[derive(Serialize)]
struct SummaryRecord<'a, T> {
    command: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Serialize)]
struct End {
    status: &'static str,
    exit: u8,
    errors: u64,
    warnings: u64,
    elapsed_ms: u64,
}

impl Stream {
    /// A stream whose first record is `start`.
    pub fn begin(out: Arc<Out>, clock: Arc<dyn Clock>, start: &Start) -> Result<Self> {
        let state = State { began_ms: clock.monotonic_ms(), ..State::default() };
        let stream = Self { out, clock, state: Mutex::new(state), rows: None, hints: Hints::default() };
        stream.record("start", start)?;
        Ok(stream)
    }

    /// A stream of rows in a shape of one's own. Everything else is told to people.
    #[must_use]
    pub fn of_rows(out: Arc<Out>, clock: Arc<dyn Clock>, rows: Rows) -> Self {
        Self { out, clock, state: Mutex::default(), rows: Some(rows), hints: Hints::default() }
    }

    /// The same, with hints that say again what this command line said.
    #[must_use]
    pub(super) fn with_hints(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }

    /// Writes one record and hands it over.
    pub fn record(&self, kind: &str, body: &impl Serialize) -> Result<()> {
        self.write(&mut self.state(), kind, body)?;
        self.out.flush()
    }

    /// Writes one record of a list; it is handed over with those that follow.
    pub fn row(&self, kind: &str, body: &impl Serialize) -> Result<()> {
        self.write(&mut self.state(), kind, body)
    }

    /// Writes the totals of a verb.
    pub fn summary(&self, command: &str, body: &impl Serialize) -> Result<()> {
        self.record("summary", &SummaryRecord { command, body })
    }

    /// Writes the failure of the run.
    pub fn error(&self, fault: &Fault, exit: u8) -> Result<()> {
        if let Some(rows) = &self.rows {
            return rows.aside.fault(fault, exit);
        }
        let mut state = self.state();
        state.errors += 1;
        self.write(&mut state, "error", &self.fault_record(fault, exit))
    }

    /// Writes the last record.
    pub fn end(&self, exit: u8) -> Result<()> {
        if let Some(rows) = &self.rows {
            rows.aside.end()?;
        }
        let mut state = self.state();
        let elapsed = self.clock.monotonic_ms().saturating_sub(state.began_ms);
        let end = End {
            status: match exit {
                0 => "ok",
                3 => "partial",
                128.. => "cancelled",
                _ => "failed",
            },
            exit,
            errors: state.errors,
            warnings: state.warnings,
            elapsed_ms: u64::try_from(elapsed).unwrap_or(0),
        };
        self.write(&mut state, "end", &end)?;
        state.ended = true;
        drop(state);
        self.out.flush()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, state: &mut State, kind: &str, body: &impl Serialize) -> Result<()> {
        if state.ended {
            // A far side that is still saying something: `end` is the last record.
            return Ok(());
        }
        if let Some(rows) = &self.rows {
            let row = serde_json::to_value(body).map_err(unwritable)?;
            let Some(bytes) = rows.shape.render(kind, &row) else { return Ok(()) };
            if let Some(heading) = rows.shape.heading(kind).filter(|_| state.headed.as_deref() != Some(kind)) {
                self.out.write(&heading)?;
                state.headed = Some(kind.to_owned());
            }
            return self.out.write(&bytes);
        }
        let time = rfc3339(self.clock.now_ms());
        let line = Line { v: CONTRACT, seq: state.seq, time, r#type: kind, body };
        let text = serde_json::to_string(&line).map_err(unwritable)?;
        state.seq += 1;
        self.out.line(&text)
    }

    fn fault_record(&self, fault: &Fault, exit: u8) -> FaultRecord {
        FaultRecord {
            code: fault.code.name(),
            exit,
            message: harmless_line(&fault.message),
            cause: fault.causes.iter().map(|cause| harmless_line(cause)).collect(),
            hint: harmless_line(&self.hints.hint(fault.hint.as_deref().unwrap_or(explain::page(fault.code).hint))),
            retry: fault.exit().retry(),
            path: fault.path.as_deref().map(PathText::from),
        }
    }

    fn hear(&self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Phase(phase) => {
                let now = self.clock.monotonic_ms();
                self.state().meter.begin(*phase, now);
                self.record("phase", &PhaseRecord { phase: phase.name() })
            }
            Event::Progress(progress) => self.progress(progress),
            Event::Item { action, path, size, reason } => {
                let path = PathText::from(*path);
                self.row("item", &ItemRecord { action: action.name(), path, size_bytes: *size, reason: *reason })
            }
            Event::Warning(fault) => {
                let mut state = self.state();
                state.warnings += 1;
                let exit = exit_number(fault.exit());
                self.write(&mut state, "warning", &self.fault_record(fault, exit))
            }
            Event::Note(text) => self.record("note", &NoteRecord { text: harmless_line(&self.hints.line(text)) }),
            Event::Detail(_) => Ok(()),
            Event::Remote(text) => self.record("remote", &NoteRecord { text: harmless_line(text) }),
        }
    }

    fn progress(&self, progress: &Progress) -> Result<()> {
        let now = self.clock.monotonic_ms();
        let mut state = self.state();
        if !state.meter.due(now, PROGRESS_MS) {
            return Ok(());
        }
        let reading = state.meter.read(progress, now);
        let record = ProgressRecord {
            phase: state.meter.phase.map_or("connect", crate::event::Phase::name),
            files_done: progress.files_done,
            files_total: progress.files_total,
            bytes_done: progress.bytes_done,
            bytes_total: progress.bytes_total,
            sent_bytes: progress.sent_bytes,
            received_bytes: progress.received_bytes,
            rate_bytes_per_s: reading.rate,
            eta_ms: reading.eta_ms,
            errors: progress.errors,
        };
        self.write(&mut state, "progress", &record)?;
        drop(state);
        self.out.flush()
    }
}

impl Watcher for Stream {
    fn event(&self, event: &Event<'_>) {
        // A reader that went away is noticed by the stream itself, and ends the run there.
        match &self.rows {
            Some(rows) => rows.aside.event(event),
            None => self.hear(event).unwrap_or_default(),
        }
    }
}

fn unwritable(cause: serde_json::Error) -> Fault {
    Fault::new(crate::fault::Code::System, "cannot write a record").because(cause)
}

/// The number of an exit class.
#[must_use]
pub fn exit_number(exit: crate::fault::Exit) -> u8 {
    exit as u8
}

/// A moment as RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(moment) => moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        Err(_) => ms.to_string(),
    }
}

/// Serialises milliseconds since 1970 as RFC 3339.
pub fn moment<S: Serializer>(ms: &i64, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339(*ms))
}

/// The same for one that may be unknown; such a field is left out.
pub fn moment_if_known<S: Serializer>(ms: &Option<i64>, to: S) -> std::result::Result<S::Ok, S::Error> {
    ms.map(rfc3339).serialize(to)
}

#[cfg(test)]
mod tests {
    use store::door::FixedClock;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_follows_the_end() {
        let kept = Kept::default();
        let (command, run) = ("versions".into(), "r".into());
        let start = Start { tool: "tuckbox", version: "0", command, run, pid: 1, account: None, vault: None };
        let out = Arc::new(Out::new(Box::new(kept.clone())));
        let stream = Stream::begin(out, Arc::new(FixedClock::at(0)), &start).unwrap();
        stream.event(&Event::Remote("before"));
        stream.end(0).unwrap();
        stream.event(&Event::Remote("after"));
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("before") && !text.contains("after") && text.trim_end().lines().count() == 3, "{text}");
    }
}
