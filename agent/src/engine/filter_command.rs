//! A command of the configuration that decides file by file whether a source takes it.
//!
//! ```text
//!  scanner ──► question: PATH\0PATH\0 … ──► its standard input
//!          ◄── a line each: + or -     ◄── its standard output
//! ```
//!
//! One process for all files of a source, asked about some thousand names at once. Paths are absolute; those of directories
//! end in `/`, and what is left out is left out with all below. It is run directly and not by a shell, in a process group
//! of its own. When it ends, answers anything else or nothing for too long, it is asked no more and everything that it did
//! not decide is taken: a version holds too much then rather than too little, and the run says so (exit 3).

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::queue::lock;
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, harmless_line};

/// So long it may think about one answer, in milliseconds.
const ANSWER_MS: u64 = 60_000;
/// So long it may take to end when nothing is asked any more.
const END_MS: u64 = 1_000;
/// So often the end of the run is looked for meanwhile.
const LOOK_MS: u64 = 100;
/// Longest answer, in bytes, and longest complaint that is told.
const LINE_BYTES_MAX: u64 = 1_024;
/// Answers that wait to be taken.
const ANSWERS_MAX: usize = 4_096;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterJob {
    /// Its words as a shell splits them.
    pub command: String,
    /// Where it stands, as people are told.
    pub from: String,
}

/// The command of one source. Shared by all scanners; one asks at a time.
#[derive(Debug)]
pub struct FilterCommand {
    job: FilterJob,
    source: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nobody has asked yet.
    Idle,
    Running(Running),
    /// It is asked no more.
    Over,
}

/// What an answer says.
enum Answer {
    Line(Vec<u8>),
    /// No further one comes.
    End,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Until it is to end.
    questions: Option<SyncSender<Vec<u8>>>,
    answers: Receiver<Answer>,
    /// The last line that it wrote to its standard error.
    complaint: std::sync::Arc<Mutex<Vec<u8>>>,
    /// Hears that there will be no other; nothing is ever sent.
    complained: Receiver<()>,
}

impl FilterCommand {
    /// The command for the source at this path.
    pub fn new(job: FilterJob, source: Vec<u8>) -> Self {
        Self { job, source, state: Mutex::new(State::Idle) }
    }

    /// The command and where it stands, as people are told.
    pub fn told(&self) -> String {
        format!("the filter `{}` ({})", harmless_line(&self.job.command), self.job.from)
    }

    /// Which of these paths it leaves out. The first failure is told by the error; from then on nothing is left out.
    /// `ending` says when nobody waits for the answer any more.
    pub fn leaves_out(&self, paths: &[Vec<u8>], ending: &dyn Fn() -> bool) -> Result<Vec<bool>> {
        let mut state = lock(&self.state);
        if paths.is_empty() || matches!(*state, State::Over) {
            return Ok(vec![false; paths.len()]);
        }
        let done = self.ask(&mut state, paths, ending);
        if done.is_err() {
            *state = State::Over;
        }
        done.map_err(|why| {
            let path = for_terminal(&self.source);
            Fault::new(Code::FilterFailed, format!("{} of {path} failed; what it did not decide is taken", self.told()))
                .because(harmless_line(&why))
                .hint("run it by hand with a path and a zero byte on its input; it answers + or - and a new line")
                .path(self.source.clone())
        })
    }

    fn ask(&self, state: &mut State, paths: &[Vec<u8>], ending: &dyn Fn() -> bool) -> Result<Vec<bool>, String> {
        if let State::Idle = state {
            *state = State::Running(self.start()?);
        }
        let State::Running(running) = state else { return Ok(vec![false; paths.len()]) };
        let mut question = Vec::new();
        for path in paths {
            question.extend_from_slice(path);
            question.push(0);
        }
        let asked = running.questions.as_ref().is_some_and(|questions| questions.send(question).is_ok());
        if !asked {
            return Err(running.last_words("it ended"));
        }
        let mut out = Vec::with_capacity(paths.len());
        while out.len() < paths.len() {
            match running.answer(ending)? {
                Some(left_out) => out.push(left_out),
                // The run ends: nobody needs the rest.
                None => out.resize(paths.len(), false),
            }
        }
        Ok(out)
    }

    fn start(&self) -> Result<Running, String> {
        let words = shell_words::split(&self.job.command).map_err(|error| error.to_string())?;
        let (program, arguments) = words.split_first().ok_or("it is empty")?;
        let cannot = |error: std::io::Error| format!("cannot start {program}: {error}");
        let mut command = Command::new(program);
        command.args(arguments).process_group(0).env("TUCKBOX_SOURCE", OsStr::from_bytes(&self.source));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(cannot)?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (ask, asked) = sync_channel::<Vec<u8>>(1);
        let (answer, answers) = sync_channel(ANSWERS_MAX);
        let complaint = std::sync::Arc::new(Mutex::new(Vec::new()));
        let heard = std::sync::Arc::clone(&complaint);
        let (all_heard, complained) = sync_channel::<()>(1);
        let running = Running { child, questions: Some(ask), answers, complaint, complained };
        let (Some(mut input), Some(output), Some(errors)) = (input, output, errors) else {
            return Err("it has no pipes".to_owned());
        };
        // Each ends with the pipe that it serves; what is written while answers wait must not wait for them.
        let named = |name: &str| Builder::new().name(name.to_owned());
        let writes = named("filter-input").spawn(move || {
            while let Ok(question) = asked.recv() {
                if input.write_all(&question).and_then(|()| input.flush()).is_err() {
                    break;
                }
            }
        });
        let reads = named("filter-output").spawn(move || lines(output, |line| answer.send(line).is_ok()));
        let listens = named("filter-errors").spawn(move || {
            lines(errors, |line| {
                if let Answer::Line(line) = line {
                    *lock(&heard) = line;
                }
                true
            });
            drop(all_heard);
        });
        writes.and(reads).and(listens).map_err(cannot)?;
        Ok(running)
    }
}

/// Hands on line after line, then the end, until nobody wants more.
fn lines(from: impl Read, mut hand_on: impl FnMut(Answer) -> bool) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        let read = (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if !read.is_ok_and(|bytes| bytes > 0) {
            hand_on(Answer::End);
            return;
        }
        line.truncate(line.trim_ascii_end().len());
        if !hand_on(Answer::Line(line)) {
            return;
        }
    }
}

impl Running {
    /// The next answer: whether something is left out. `None` when the run ends.
    fn answer(&self, ending: &dyn Fn() -> bool) -> Result<Option<bool>, String> {
        let mut waited_ms = 0;
        loop {
            match self.answers.recv_timeout(Duration::from_millis(LOOK_MS)) {
                Ok(Answer::Line(line)) => {
                    return match line.first() {
                        Some(b'+') => Ok(Some(false)),
                        Some(b'-') => Ok(Some(true)),
                        _ => Err(format!("it answered \"{}\" and neither + nor -", String::from_utf8_lossy(&line))),
                    };
                }
                Ok(Answer::End) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.last_words("it ended before it had answered"));
                }
                Err(RecvTimeoutError::Timeout) => waited_ms += LOOK_MS,
            }
            if ending() {
                return Ok(None);
            }
            if waited_ms >= ANSWER_MS {
                return Err(format!("it did not answer for {}", crate::units::duration(ANSWER_MS)));
            }
        }
    }

    /// Why, and what it has said of that itself.
    fn last_words(&self, why: &str) -> String {
        // Its output has ended; its complaint may still be on its way.
        self.complained.recv_timeout(Duration::from_millis(END_MS)).unwrap_or_default();
        let said = lock(&self.complaint).clone();
        if said.is_empty() { why.to_owned() } else { format!("{why}, and said: {}", String::from_utf8_lossy(&said)) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The writer closes its standard input then; whoever does not end by that is ended.
        self.questions = None;
        while let Ok(Answer::Line(_)) = self.answers.recv_timeout(Duration::from_millis(END_MS)) {}
        // What is gone already cannot be.
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).unwrap_or(());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(command: &str) -> FilterCommand {
        FilterCommand::new(FilterJob { command: command.into(), from: "config.toml:3".into() }, b"/src".to_vec())
    }

    fn ask(filter: &FilterCommand, paths: &[&str]) -> Result<Vec<bool>> {
        let paths: Vec<Vec<u8>> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        filter.leaves_out(&paths, &|| false)
    }

    const ANSWERS: &str =
        r#"sh -c 'tr "\0\n" "\n?" | while read -r p; do case "$p" in *.o) echo -;; *) echo "+ kept";; esac; done'"#;

    #[test]
    fn one_process_answers_all_questions() {
        let filter = filter(&ANSWERS.replace("tr ", "stdbuf -o0 tr "));
        assert_eq!(ask(&filter, &["/src/a.o", "/src/b", "/src/new\nline.o"]).unwrap(), [true, false, true]);
        assert_eq!(ask(&filter, &["/src/c.o"]).unwrap(), [true]);
        assert_eq!(ask(&filter, &[]).unwrap(), [false; 0]);
        let State::Running(running) = &*lock(&filter.state) else { panic!("it does not run") };
        assert!(running.child.id() > 0);
    }

    #[test]
    fn whoever_fails_leaves_nothing_out_and_is_told_once() {
        for (command, why) in [
            ("/no/such/program", "cannot start"),
            ("true", "it ended"),
            ("sh -c 'echo who am I >&2; exit 3'", "it ended"),
            ("sh -c 'echo maybe; cat'", "it answered \"maybe\""),
            ("'", "quote"),
        ] {
            let filter = filter(command);
            let fault = ask(&filter, &["/src/a", "/src/b"]).unwrap_err();
            assert_eq!(fault.code, Code::FilterFailed);
            assert!(fault.causes[0].contains(why), "{command}: {fault}");
            assert_eq!(ask(&filter, &["/src/a", "/src/b"]).unwrap(), [false, false]);
        }
    }

    #[test]
    fn a_complaint_that_comes_after_the_last_answer_is_told() {
        let late = "sh -c 'exec >&-; n=0; while [ $n -lt 30000 ]; do n=$((n + 1)); done; echo I am tired >&2'";
        let fault = ask(&filter(late), &["/src/a"]).unwrap_err();
        assert!(fault.causes[0].ends_with(", and said: I am tired"), "{fault}");
    }

    #[test]
    fn an_end_of_the_run_is_not_waited_for() {
        let filter = filter("sleep 1000");
        assert_eq!(filter.leaves_out(&[b"/src/a".to_vec()], &|| true).unwrap(), [false]);
    }
}
