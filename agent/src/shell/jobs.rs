//! What runs beside the prompt: a command that ends with `&`. What it tells is printed above the prompt, line by line, with
//! its number in front.

use std::ffi::OsString;
use std::io::Write;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};

use super::patient::Left;
use crate::cli::inside::Inside;
use crate::cli::{run_inside, tell_inside};
use crate::engine::job::Stop;
use crate::engine::queue::lock;
use crate::fault::{Code, Fault};
use crate::name::{for_terminal, harmless_line};
use crate::world::{Out, Terminal, World};

/// Most jobs at a time.
const JOBS_MAX: usize = 8;
/// Between two lines of progress, milliseconds.
const TELL_MS: i64 = 5_000;

/// Prints a line above the prompt.
pub type Above = Arc<Mutex<Box<dyn FnMut(String) + Send>>>;

/// See the module.
pub struct Jobs {
    above: Above,
    running: Vec<Job>,
    last: usize,
    warned: bool,
}

struct Job {
    number: usize,
    words: String,
    stop: Stop,
    ended: Receiver<u8>,
    /// It was left behind by who waited for it, and says nothing any more.
    left: bool,
}

impl Jobs {
    /// None yet.
    #[must_use]
    pub fn new(above: Above) -> Self {
        Self { above, running: Vec::new(), last: 0, warned: false }
    }

    /// Starts one. The status of the start.
    pub fn start(&mut self, world: &World, inside: &Inside, words: Vec<OsString>) -> u8 {
        self.sweep();
        let refuse = |fault: Fault| tell_inside(world, &fault, inside).unwrap_or(1);
        if self.running.len() >= JOBS_MAX {
            return refuse(
                Fault::new(Code::Usage, "eight jobs run already").hint("wait for one, or end it: cancel NUMBER"),
            );
        }
        let number = self.last + 1;
        let text = words.iter().map(|word| for_terminal(word.as_encoded_bytes())).collect::<Vec<_>>().join(" ");
        let stop = Stop::default();
        let lines =
            || Arc::new(Out::new(Box::new(Lines { number, above: Arc::clone(&self.above), begun: Vec::new() })));
        let theirs = World {
            stop: stop.clone(),
            stdout: lines(),
            stderr: lines(),
            terminal: Terminal { columns: world.terminal.columns, ..Terminal::default() },
            ..world.clone()
        };
        let mut inside_job = inside.clone();
        // Nobody is there who could be asked: the prompt has the keyboard.
        inside_job.outer.may_ask = false;
        inside_job.tell_ms = Some(TELL_MS);
        let (ends, ended) = sync_channel(1);
        let above = Arc::clone(&self.above);
        let spawned = std::thread::Builder::new().name(format!("job-{number}")).spawn(move || {
            let status = run_inside(&theirs, words, &inside_job);
            // Said by its streams, too, when they cannot be written any more.
            theirs.stdout.flush().and_then(|()| theirs.stderr.flush()).unwrap_or_default();
            let how = if status == 0 { "done".to_owned() } else { format!("ended with exit {status}") };
            (lock(&above))(format!("[{number}] {how}\n"));
            ends.send(status).unwrap_or_default();
        });
        if let Err(error) = spawned {
            return refuse(Fault::new(Code::System, "cannot start a thread").because(error));
        }
        (lock(&self.above))(format!("[{number}] {text}\n"));
        self.last = number;
        self.running.push(Job { number, words: text, stop, ended, left: false });
        0
    }

    /// A line for each that runs.
    pub fn rows(&mut self) -> Vec<String> {
        self.sweep();
        let left = |job: &Job| if job.left { "  (left behind)" } else { "" };
        self.running.iter().map(|job| format!("[{}] {}{}", job.number, job.words, left(job))).collect()
    }

    /// Takes over what was left behind; its number.
    pub fn leave(&mut self, words: String, left: Left) -> usize {
        self.sweep();
        self.last += 1;
        let Left { stop, ended } = left;
        self.running.push(Job { number: self.last, words, stop, ended, left: true });
        self.last
    }

    /// Asks one to end; whether there is such a one.
    pub fn cancel(&mut self, number: usize) -> bool {
        self.sweep();
        let job = self.running.iter().find(|job| job.number == number);
        job.is_some_and(|job| {
            job.stop.ask(2);
            true
        })
    }

    /// A warning before the shell is left, the first time.
    pub fn before_leaving(&mut self) -> Option<String> {
        self.sweep();
        // Of what was left behind nothing is expected any more.
        let running = self.running.iter().filter(|job| !job.left).count();
        if running == 0 || std::mem::replace(&mut self.warned, true) {
            return None;
        }
        let jobs = crate::units::counted(running as u64, "job runs", "jobs run");
        Some(format!("{jobs} beside the prompt; `exit` again ends them."))
    }

    /// Asks all of them to end and waits until they have.
    pub fn end(self) {
        self.running.iter().for_each(|job| job.stop.ask(2));
        for job in self.running.into_iter().filter(|job| !job.left) {
            // What does not end in time ends with the program; a vault bears that.
            job.ended.recv_timeout(std::time::Duration::from_secs(10)).unwrap_or_default();
        }
    }

    fn sweep(&mut self) {
        self.running.retain(|job| matches!(job.ended.try_recv(), Err(TryRecvError::Empty)));
    }
}

/// A stream whose lines are printed above the prompt.
struct Lines {
    number: usize,
    above: Above,
    begun: Vec<u8>,
}

/// Longest line that is printed as one.
const LINE_BYTES_MAX: usize = 8 << 10;

impl Lines {
    fn tell(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        (lock(&self.above))(format!("[{}] {}\n", self.number, harmless_line(&text)));
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        while let Some(at) = self.begun.iter().position(|byte| *byte == b'\n') {
            let rest = self.begun.split_off(at + 1);
            let line = std::mem::replace(&mut self.begun, rest);
            self.tell(line.strip_suffix(b"\n").unwrap_or(&line));
        }
        if self.begun.len() > LINE_BYTES_MAX {
            let line = std::mem::take(&mut self.begun);
            self.tell(&line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
