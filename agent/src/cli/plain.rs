//! The listener for people: results on stdout, everything else on stderr. On a terminal one line of progress that is
//! drawn over, elsewhere one plain line a minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::door::Clock;

use super::explain;
use super::hints::Hints;
use super::meter::{Meter, Reading};
use crate::event::{Action, Event, Phase, Progress, Watcher};
use crate::fault::{Fault, Result};
use crate::name::{cut_middle, for_terminal, harmless, harmless_line};
use crate::units::{count, duration, size};
use crate::world::{Out, World};

/// Between two drawings on a terminal.
const DRAW_MS: i64 = 100;
/// Between two lines elsewhere.
const TELL_MS: i64 = 60_000;
/// Warnings that say the same of different paths and are told; of the others their number, at the end.
const ALIKE_TOLD: u64 = 10;
/// Sentences that are counted; of further ones each warning is told.
const ALIKE_MAX: usize = 64;

/// How much is told, and how it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Nothing but results and what went wrong.
    pub quiet: bool,
    /// Each file, and what the far side prints.
    pub verbose: u8,
    /// Colours on stderr.
    pub colour: bool,
    /// Progress in lines so often, milliseconds, where it cannot be drawn over; once a minute when not said.
    pub tell_ms: Option<i64>,
}

/// Tells people.
pub struct Plain {
    stdout: Arc<Out>,
    stderr: Arc<Out>,
    clock: Arc<dyn Clock>,
    manner: Manner,
    /// Draw over one line of this many columns.
    draw: Option<usize>,
    stdout_is_terminal: bool,
    state: Mutex<State>,
    also: Option<Arc<dyn Watcher>>,
    hints: Hints,
}

#[derive(Default)]
struct State {
    meter: Meter,
    drawn: bool,
    /// How often was said of a path what.
    alike: BTreeMap<String, u64>,
}

impl Plain {
    /// Tells people in this world.
    #[must_use]
    pub fn new(world: &World, manner: Manner) -> Self {
        let dumb = world.env.get("TERM").is_some_and(|term| term == "dumb");
        Self {
            stdout: Arc::clone(&world.stdout),
            stderr: Arc::clone(&world.stderr),
            clock: Arc::clone(&world.clock),
            manner,
            draw: (world.terminal.stderr && !dumb).then_some(world.terminal.columns),
            stdout_is_terminal: world.terminal.stdout,
            state: Mutex::default(),
            also: None,
            hints: Hints::default(),
        }
    }

    /// The same, with hints that say again what this command line said.
    #[must_use]
    pub(super) fn with_hints(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }

    /// The same, and what happens is heard there too.
    #[must_use]
    pub fn heard_by(self, also: Option<Arc<dyn Watcher>>) -> Self {
        Self { also, ..self }
    }

    /// One line of results, already safe to print.
    pub fn line(&self, text: &str) -> Result<()> {
        self.wipe(&mut self.state())?;
        self.stdout.line(text)?;
        if self.stdout_is_terminal { self.stdout.flush() } else { Ok(()) }
    }

    /// A text of results, already safe to print, as it is.
    pub fn text(&self, text: &str) -> Result<()> {
        self.wipe(&mut self.state())?;
        self.stdout.write(text.as_bytes())?;
        if self.stdout_is_terminal { self.stdout.flush() } else { Ok(()) }
    }

    /// A result that goes without saying: not told when quiet.
    pub fn say(&self, text: &str) -> Result<()> {
        if self.manner.quiet { Ok(()) } else { self.line(&self.hints.line(text)) }
    }

    /// Something on the side, for people only.
    pub fn note(&self, text: &str) -> Result<()> {
        if self.manner.quiet { Ok(()) } else { self.aside(&harmless_line(&self.hints.line(text))) }
    }

    /// Something on the side that must be seen: it leads up to a question.
    pub fn tell(&self, text: &str) -> Result<()> {
        self.aside(&harmless(text))
    }

    /// Whether each file is told.
    #[must_use]
    pub fn verbose(&self) -> bool {
        self.manner.verbose > 0
    }

    /// The failure of the run.
    pub fn fault(&self, fault: &Fault, exit: u8) -> Result<()> {
        // That it does not take what was written may be the very failure.
        self.stdout.flush().unwrap_or_default();
        let fault = self.hints.fault(fault, Some(explain::page(fault.code).hint));
        self.aside(&fault_text(&fault, exit, self.manner.colour))
    }

    /// Ends the drawing, and says how much was not said.
    pub fn end(&self) -> Result<()> {
        let alike = std::mem::take(&mut self.state().alike);
        for (what, more) in alike.iter().filter_map(|(what, times)| Some((what, times.checked_sub(ALIKE_TOLD)?))) {
            if more > 0 {
                self.aside(&format!("warning: and {} more: {}", count(more), harmless_line(what)))?;
            }
        }
        self.wipe(&mut self.state())?;
        self.stdout.flush()
    }

    /// A warning, unless the same was told of many others: of a tree of somebody else's each owner is lost.
    fn warn(&self, fault: &Fault) -> Result<()> {
        if let Some(path) = fault.path.as_deref().filter(|_| !self.verbose()) {
            let what = fault.message.replacen(&format!("{}: ", for_terminal(path)), "", 1);
            let alike = &mut self.state().alike;
            if alike.contains_key(&what) || alike.len() < ALIKE_MAX {
                let times = alike.entry(what).or_default();
                *times += 1;
                if *times > ALIKE_TOLD {
                    return Ok(());
                }
            }
        }
        self.aside(&warning_text(&self.hints.fault(fault, None), self.manner.colour))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn aside(&self, text: &str) -> Result<()> {
        self.wipe(&mut self.state())?;
        self.stderr.line(text)
    }

    fn wipe(&self, state: &mut State) -> Result<()> {
        if std::mem::take(&mut state.drawn) { self.stderr.write(b"\r\x1b[K") } else { Ok(()) }
    }

    fn hear(&self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Phase(phase) => {
                let now = self.clock.monotonic_ms();
                self.state().meter.begin(*phase, now);
                Ok(())
            }
            Event::Progress(progress) if !self.manner.quiet => self.progress(progress),
            Event::Item { action, path, size, reason } if !self.manner.quiet => {
                self.line(&item_text(*action, path, *size, *reason))
            }
            Event::Warning(fault) => self.warn(fault),
            Event::Note(text) => self.note(text),
            Event::Detail(text) if self.verbose() => self.aside(&harmless_line(text)),
            Event::Remote(text) if self.verbose() => self.aside(&format!("remote: {}", harmless_line(text))),
            Event::Progress(_) | Event::Item { .. } | Event::Detail(_) | Event::Remote(_) => Ok(()),
        }
    }

    fn progress(&self, progress: &Progress) -> Result<()> {
        let now = self.clock.monotonic_ms();
        let mut state = self.state();
        let interval = if self.draw.is_some() { DRAW_MS } else { self.manner.tell_ms.unwrap_or(TELL_MS) };
        if !state.meter.due(now, interval) {
            return Ok(());
        }
        let text = progress_text(state.meter.phase, progress, state.meter.read(progress, now));
        match self.draw {
            None => self.stderr.line(&text),
            Some(columns) => {
                state.drawn = true;
                let text = cut_middle(&text, columns.saturating_sub(1));
                self.stderr.write(format!("\r{text}\x1b[K").as_bytes())
            }
        }
    }
}

impl Watcher for Plain {
    fn event(&self, event: &Event<'_>) {
        // A reader that went away is noticed by the stream itself, and ends the run there.
        self.hear(event).unwrap_or_default();
        if let Some(also) = &self.also {
            also.event(event);
        }
    }

    fn wants_totals(&self) -> bool {
        let drawn = self.draw.is_some() && !self.manner.quiet;
        drawn || self.also.as_ref().is_some_and(|also| also.wants_totals())
    }
}

/// An error as people see it: the sentence, its causes, what to do, the code.
#[must_use]
pub fn fault_text(fault: &Fault, exit: u8, colour: bool) -> String {
    let (red, bold, off) = if colour { ("\x1b[31;1m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let mut out = format!("{red}error:{off} {bold}{}{off}\n", indented(&with_path(fault)));
    for cause in &fault.causes {
        out.push_str(&format!("  why: {}\n", indented(cause)));
    }
    let hint = fault.hint.as_deref().unwrap_or(explain::page(fault.code).hint);
    out.push_str(&format!("  try: {}  [{}, exit {exit}]", indented(hint), fault.code.name()));
    out
}

/// A warning in one line.
#[must_use]
pub fn warning_text(fault: &Fault, colour: bool) -> String {
    let (yellow, off) = if colour { ("\x1b[33m", "\x1b[0m") } else { ("", "") };
    let causes: String = fault.causes.iter().map(|cause| format!(": {}", harmless_line(cause))).collect();
    let hint = fault.hint.as_deref().map(|hint| format!("; {}", harmless_line(hint))).unwrap_or_default();
    let sentence = harmless_line(&with_path(fault));
    format!("{yellow}warning:{off} {sentence}{causes}{hint} [{}]", fault.code.name())
}

/// The sentence, with the path in front when it does not name it itself.
fn with_path(fault: &Fault) -> String {
    match fault.path.as_deref().map(for_terminal) {
        Some(path) if !fault.message.contains(&path) => format!("{path}: {}", fault.message),
        _ => fault.message.clone(),
    }
}

/// Lines after the first stand below the first.
fn indented(text: &str) -> String {
    harmless(text.trim_end()).replace('\n', "\n       ")
}

fn item_text(action: Action, path: &[u8], bytes: u64, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| format!("  ({})", harmless_line(reason))).unwrap_or_default();
    format!("{:<9}  {:>10}  {}{reason}", action.name(), size(bytes), for_terminal(path))
}

fn progress_text(phase: Option<Phase>, progress: &Progress, reading: Reading) -> String {
    let of = |done: String, total: Option<String>| match total {
        Some(total) => format!("{done} of {total}"),
        None => done,
    };
    let mut parts = vec![
        format!("{} files", of(count(progress.files_done), progress.files_total.map(count))),
        of(size(progress.bytes_done), progress.bytes_total.map(size)),
    ];
    if let (Some(total), done) = (progress.bytes_total.filter(|total| *total > 0), progress.bytes_done) {
        parts.push(format!("{} %", u128::from(done.min(total)) * 100 / u128::from(total)));
    }
    if let Some(rate) = reading.rate {
        parts.push(format!("{}/s", size(rate)));
    }
    if progress.sent_bytes > 0 && matches!(phase, Some(Phase::Send)) {
        parts.push(format!("{} sent", size(progress.sent_bytes)));
    }
    if let Some(left) = reading.eta_ms {
        // Less than a second is no news, and none at all would not be true.
        parts.push(format!("{} left", duration(left.max(1000))));
    }
    if progress.errors > 0 {
        parts.push(format!("{} errors", count(progress.errors)));
    }
    format!("{}: {}", phase.map_or("connect", Phase::name), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;

    #[test]
    fn an_error_is_a_sentence_its_causes_and_what_to_do() {
        let fault = Fault::new(Code::NetUnreachable, "cannot reach vault1")
            .because("connection refused")
            .because("port 22\nof \u{1b}[2Jvault1")
            .hint("check the name");
        assert_eq!(
            fault_text(&fault, 8, false),
            "error: cannot reach vault1\n  \
               why: connection refused\n  \
               why: port 22\n       of \\x1b[2Jvault1\n  \
               try: check the name  [net.unreachable, exit 8]"
        );
        let bare = Fault::new(Code::VersionNone, "there is no such version");
        assert_eq!(
            fault_text(&bare, 5, false),
            "error: there is no such version\n  try: see `tuckbox versions`  [version.none, exit 5]"
        );
        assert!(fault_text(&bare, 5, true).starts_with("\x1b[31;1merror:\x1b[0m \x1b[1mthere"));
    }

    #[test]
    fn a_warning_is_one_line_with_its_path() {
        let fault =
            Fault::new(Code::SourceUnreadable, "cannot be read").path(*b"/home/ana/a\nb").because("permission denied");
        assert_eq!(
            warning_text(&fault, false),
            "warning: /home/ana/a\\nb: cannot be read: permission denied [source.unreadable]"
        );
    }

    #[test]
    fn progress_tells_what_is_known() {
        let mut progress =
            Progress { files_done: 1204, bytes_done: 92_274_688, sent_bytes: 1024, ..Progress::default() };
        let reading = Reading { rate: Some(1 << 20), eta_ms: Some(31_000) };
        assert_eq!(
            progress_text(Some(Phase::Send), &progress, Reading::default()),
            "send: 1,204 files, 88.0 MiB, 1.0 KiB sent"
        );
        progress.bytes_total = Some(184_549_376);
        progress.files_total = Some(2000);
        progress.errors = 2;
        assert_eq!(
            progress_text(Some(Phase::Restore), &progress, reading),
            "restore: 1,204 of 2,000 files, 88.0 MiB of 176 MiB, 50 %, 1.0 MiB/s, 31 s left, 2 errors"
        );
        assert_eq!(item_text(Action::Excluded, b"/a\x07", 10, Some("*.o")), "excluded         10 B  /a\\x07  (*.o)");
    }
}
