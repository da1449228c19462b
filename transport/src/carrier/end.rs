//! What a process of the far side leaves behind: its exit status and the end of its stderr.
//!
//! Kept apart from the pipe, because a process says why it ends on stderr and by its status, both of which may come
//! after the last byte of the pipe.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::prompt::Prompt;
use crate::error::{Error, harmless};

/// The most of stderr that is kept, in characters; the end counts.
const TAIL_CHARS_MAX: usize = 8 << 10;
/// The most of stderr that is passed on, in bytes: a far side gone mad does not fill our log.
const FORWARDED_BYTES_MAX: usize = 1 << 20;
/// A longer line is cut.
const LINE_BYTES_MAX: usize = 4 << 10;
/// How long a report waits for the status of a process whose pipe has ended: more than a round trip by satellite, and
/// than a busy server takes for it.
const GRACE: Duration = Duration::from_secs(2);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It ended by itself with this code.
    Code(i32),
    /// A signal ended it.
    Signal(String),
    /// Nothing is known: the connection to it was lost, for this reason.
    Lost(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(name) => write!(f, "ended by signal {name}"),
            Self::Lost(why) => f.write_str(why),
        }
    }
}

#[derive(Default)]
struct Kept {
    status: Option<Status>,
    tail: VecDeque<String>,
    tail_chars: usize,
    partial: Vec<u8>,
    forwarded_bytes: usize,
    stderr_open: bool,
}

/// The end of one process, filled in while it runs.
#[derive(Default)]
pub struct End {
    kept: Mutex<Kept>,
    changed: Condvar,
}

impl End {
    /// Of a process whose stderr is being read.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let end = Self::default();
        end.lock().stderr_open = true;
        Arc::new(end)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More of stderr. Whole lines go to `prompt` and into the tail.
    pub fn stderr(&self, bytes: &[u8], prompt: &dyn Prompt) {
        let mut lines = Vec::new();
        {
            let mut kept = self.lock();
            for piece in bytes.split_inclusive(|b| *b == b'\n') {
                let room = LINE_BYTES_MAX.saturating_sub(kept.partial.len());
                kept.partial.extend(piece.iter().copied().filter(|b| *b != b'\n').take(room));
                if piece.ends_with(b"\n") {
                    lines.extend(kept.end_line());
                }
            }
        }
        for line in lines {
            prompt.remote_line(&line);
        }
    }

    /// No more of stderr will come.
    pub fn stderr_ended(&self, prompt: &dyn Prompt) {
        let line = {
            let mut kept = self.lock();
            kept.stderr_open = false;
            kept.end_line()
        };
        self.changed.notify_all();
        if let Some(line) = line {
            prompt.remote_line(&line);
        }
    }

    /// The process has ended; the first report counts.
    pub fn ended(&self, status: Status) {
        self.lock().status.get_or_insert(status);
        self.changed.notify_all();
    }

    /// Waits until the process has ended and its stderr was read, at most this long. Says whether it has ended.
    pub fn wait(&self, most: Duration) -> bool {
        let running = |kept: &mut Kept| kept.status.is_none() || kept.stderr_open;
        let waited = self.changed.wait_timeout_while(self.lock(), most, running);
        let (kept, _) = waited.unwrap_or_else(PoisonError::into_inner);
        kept.status.is_some()
    }

    /// How it ended.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.lock().status.clone()
    }

    /// The last lines of stderr, made harmless, parted by line ends.
    #[must_use]
    pub fn tail(&self) -> String {
        let kept = self.lock();
        kept.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// One sentence about the end, when there is anything to say.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let (status, tail) = (self.status()?, self.tail());
        match (&status, tail.is_empty()) {
            (Status::Code(0), true) => None,
            (_, true) => Some(status.to_string()),
            (_, false) => Some(format!("{status}; it said: {tail}")),
        }
    }
}

impl Kept {
    /// Closes the line that is being read. The line, when it is to be passed on.
    fn end_line(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.partial);
        let line = harmless(&bytes, LINE_BYTES_MAX);
        if line.is_empty() {
            return None;
        }
        self.tail_chars += line.chars().count();
        self.tail.push_back(line.clone());
        while self.tail_chars > TAIL_CHARS_MAX && self.tail.len() > 1 {
            let gone = self.tail.pop_front().map_or(0, |line| line.chars().count());
            self.tail_chars = self.tail_chars.saturating_sub(gone);
        }
        let before = self.forwarded_bytes;
        self.forwarded_bytes = before.saturating_add(line.len());
        if self.forwarded_bytes <= FORWARDED_BYTES_MAX {
            Some(line)
        } else if before <= FORWARDED_BYTES_MAX {
            Some("(it says more than is shown)".to_owned())
        } else {
            None
        }
    }
}

/// The ends of all processes that one carrier has started.
#[derive(Default)]
pub struct Ends(Mutex<Vec<Arc<End>>>);

impl Ends {
    /// One more process. Those that ended without a word are forgotten.
    pub fn add(&self, end: &Arc<End>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|end| end.status().is_none());
        all.push(end.clone());
    }

    /// The end that says most: a bad one before a good one. Waits a moment for the status of a process that is ending.
    #[must_use]
    pub fn worst(&self) -> Option<Arc<End>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !all.iter().any(|end| end.status().is_some()) {
            // Of several, the one opened last is the one that somebody waits for.
            all.last()?.wait(GRACE);
        }
        let ended = || all.iter().filter(|end| end.status().is_some());
        let end = ended().find(|end| end.status() != Some(Status::Code(0))).or_else(|| ended().next())?;
        end.wait(GRACE);
        Some(end.clone())
    }

    /// What [`crate::Carrier::end_report`] says.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        self.worst()?.report()
    }

    /// The reason of a session that never began, or broke off, when the end of the process tells a better one.
    /// `host` is named in the message.
    #[must_use]
    pub fn explain(&self, error: Error, host: &str) -> Error {
        if !may_be_of_an_end(&error) {
            return error;
        }
        let Some(end) = self.worst() else { return error };
        let said = |noise: &[u8]| {
            let tail = end.tail();
            if tail.is_empty() { harmless(noise, 400) } else { tail }
        };
        let noise = match &error {
            Error::NoMagic { noise } => noise.clone(),
            _ => Vec::new(),
        };
        match (end.status(), &error) {
            // What POSIX shells say of a program that is not there, or cannot be run.
            (Some(Status::Code(code @ (126 | 127))), _) => {
                let said = said(&noise);
                let why = if said.is_empty() { format!("exit status {code}") } else { said };
                Error::NoProgram { host: host.to_owned(), why }
            }
            (Some(status), Error::Lost { why }) => {
                let report = end.report().unwrap_or_else(|| status.to_string());
                Error::Lost { why: format!("{why}; {report}") }
            }
            (Some(_), Error::NoMagic { noise }) if noise.is_empty() && !end.tail().is_empty() => {
                Error::NoMagic { noise: end.tail().into_bytes() }
            }
            _ => error,
        }
    }
}

/// Whether the end of the far side's process can be the reason of an error. Where it cannot, nobody waits for it.
pub(super) fn may_be_of_an_end(error: &Error) -> bool {
    matches!(error, Error::Lost { .. } | Error::NoMagic { .. } | Error::Timeout { .. } | Error::Protocol(_))
}

#[cfg(test)]
mod tests {
    use super::super::prompt::NoInput;
    use super::*;

    #[test]
    fn the_tail_is_capped_and_harmless() {
        let end = End::new();
        end.stderr(b"half", &NoInput);
        assert_eq!(end.tail(), "");
        end.stderr(b" line\x1b[1m\nnext\n\nlast", &NoInput);
        end.stderr_ended(&NoInput);
        assert_eq!(end.tail(), "half line\\u{1b}[1m\nnext\nlast");
        for _ in 0..10_000 {
            end.stderr(&[b'x'; 100], &NoInput);
            end.stderr(b"\n", &NoInput);
        }
        end.stderr(&vec![b'y'; 1 << 20], &NoInput);
        end.stderr(b"\n", &NoInput);
        assert!(end.tail().len() <= TAIL_CHARS_MAX + LINE_BYTES_MAX);
        assert!(end.tail().ends_with('y'));
    }

    #[test]
    fn a_mad_far_side_does_not_fill_the_log() {
        struct Count(Mutex<(usize, String)>);
        impl Prompt for Count {
            fn may_ask(&self) -> bool {
                false
            }
            fn host_key(&self, _: &super::super::prompt::HostKeyQuestion) -> bool {
                false
            }
            fn passphrase(&self, _: &str) -> Option<zeroize::Zeroizing<String>> {
                None
            }
            fn password(&self, _: &str) -> Option<zeroize::Zeroizing<String>> {
                None
            }
            fn answer(&self, _: &str, _: bool) -> Option<zeroize::Zeroizing<String>> {
                None
            }
            fn notice(&self, _: &str) {}
            fn remote_line(&self, line: &str) {
                let mut count = self.0.lock().unwrap();
                count.0 += line.len();
                count.1 = line.to_owned();
            }
        }
        let count = Count(Mutex::default());
        let end = End::new();
        for _ in 0..3000 {
            end.stderr(&[b'x'; 999], &count);
            end.stderr(b"\n", &count);
        }
        let (bytes, last) = count.0.lock().unwrap().clone();
        assert!(bytes <= FORWARDED_BYTES_MAX + 100);
        assert_eq!(last, "(it says more than is shown)");
    }

    #[test]
    fn errors_learn_from_the_end() {
        let with = |status: Status, stderr: &str| {
            let (ends, end) = (Ends::default(), End::new());
            ends.add(&end);
            end.stderr(stderr.as_bytes(), &NoInput);
            end.stderr_ended(&NoInput);
            end.ended(status);
            ends
        };
        let missing = with(Status::Code(127), "tuckbox: not found");
        assert_eq!(
            missing.explain(Error::NoMagic { noise: vec![] }, "h"),
            Error::NoProgram { host: "h".into(), why: "tuckbox: not found".into() }
        );
        let lost = with(Status::Signal("KILL".into()), "").explain(Error::lost("end of pipe"), "h");
        assert_eq!(lost, Error::lost("end of pipe; ended by signal KILL"));
        let not_ours = Error::Reset(crate::Code::BUSY);
        assert_eq!(missing.explain(not_ours.clone(), "h"), not_ours);
        assert_eq!(Ends::default().explain(Error::lost("x"), "h"), Error::lost("x"));
        assert_eq!(with(Status::Code(0), "").report(), None);
        assert_eq!(with(Status::Code(3), "a\nb").report(), Some("exit status 3; it said: a\nb".into()));
    }
}
