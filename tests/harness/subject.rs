//! Runs the program and keeps what it said. Every assertion that fails prints the whole story.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::wait::{Ending, Watch};

/// Longest time that a run may take; then it is killed and the test fails.
const RUN_MAX: Duration = Duration::from_secs(180);

/// A run to be made.
#[derive(Debug)]
pub struct Call {
    command: Command,
    disk: Arc<TempDir>,
    stdin: Stdin,
    limit: Duration,
}

#[derive(Debug)]
enum Stdin {
    Bytes(Vec<u8>),
    Held,
}

impl Call {
    pub(crate) fn new(command: Command, disk: Arc<TempDir>) -> Self {
        Self { command, disk, stdin: Stdin::Bytes(Vec::new()), limit: RUN_MAX }
    }

    /// More words.
    #[must_use]
    pub fn and<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command.args(words);
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads on its standard input; nothing when not said.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// Keeps its standard input open until [`Running::release`]: so a run can be held in its middle.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.stdin = Stdin::Held;
        self
    }

    /// The working directory; the home when not said.
    #[must_use]
    pub fn cwd(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Longest time that it may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(mut self) -> Running {
        let line = words(&self.command);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|e| panic!("cannot start {line}: {e}"));
        let mut input = child.stdin.take().unwrap();
        let (writer, held) = match self.stdin {
            // A program that does not read to the end is no mistake of the test.
            Stdin::Bytes(bytes) => {
                (Some(std::thread::spawn(move || input.write_all(&bytes).unwrap_or_default())), None)
            }
            Stdin::Held => (None, Some(input)),
        };
        Running {
            ending: Ending::of(child.id()),
            stdout: collect(child.stdout.take().unwrap()),
            stderr: collect(child.stderr.take().unwrap()),
            writer,
            held,
            child,
            line,
            disk: self.disk,
            limit: self.limit,
            watch: Watch::start(),
        }
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(self) -> Outcome {
        self.start().wait()
    }

    /// Runs it to its end, which must be a good one.
    pub fn ok(self) -> Outcome {
        self.run().ok()
    }

    /// The command with its environment, for a terminal.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command
    }
}

/// A run in progress.
#[derive(Debug)]
pub struct Running {
    child: Child,
    ending: Ending,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
    writer: Option<JoinHandle<()>>,
    held: Option<ChildStdin>,
    line: String,
    disk: Arc<TempDir>,
    limit: Duration,
    watch: Watch,
}

impl Running {
    /// Number of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has written to a file below this directory that is still open; such a file may have no name yet.
    #[must_use]
    pub fn has_written_below(&self, dir: &Path) -> bool {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid())).into_iter().flatten().flatten();
        open.map(|fd| fd.path()).any(|fd| {
            fs::read_link(&fd).is_ok_and(|file| file != dir && file.starts_with(dir))
                && fs::metadata(&fd).is_ok_and(|facts| facts.is_file() && facts.len() > 0)
        })
    }

    /// Whether it ends within this time.
    #[must_use]
    pub fn ends_within(&self, limit: Duration) -> bool {
        self.ending.within(limit)
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Writes to the standard input of a held run.
    ///
    /// # Panics
    /// When it does not read.
    pub fn write(&mut self, bytes: &[u8]) {
        self.held.as_mut().expect("a held run").write_all(bytes).unwrap();
    }

    /// Ends the standard input of a held run, and waits for its end.
    #[must_use]
    pub fn release(self) -> Outcome {
        self.wait()
    }

    /// Kills it at once, and says what it had said until then.
    pub fn kill(self) -> Outcome {
        self.signal(rustix::process::Signal::KILL);
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn wait(mut self) -> Outcome {
        drop(self.held.take());
        let in_time = self.ending.within(self.limit.saturating_sub(self.watch.elapsed()));
        if !in_time {
            self.child.kill().unwrap();
        }
        let status = self.child.wait().unwrap();
        self.writer.into_iter().for_each(|writer| writer.join().unwrap());
        let outcome = Outcome {
            line: self.line,
            root: self.disk.path().to_owned(),
            status,
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.join().unwrap(),
            elapsed: self.watch.elapsed(),
        };
        assert!(in_time, "it did not end in {:?}\n{outcome}", self.limit);
        outcome
    }
}

/// What a run came to.
#[derive(Clone)]
pub struct Outcome {
    line: String,
    root: PathBuf,
    status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// It took so long.
    pub elapsed: Duration,
}

impl Outcome {
    /// Its exit code, as a shell would show it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }

    /// It ended well.
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// It ended with this exit code, and did not panic.
    ///
    /// # Panics
    /// When it did not.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "exit code\n{self}");
        assert!(!self.err().contains("panicked at"), "it panicked\n{self}");
        self
    }

    /// It failed as people are to be told: a sentence, what to do, and this code and exit code, in one block at the end.
    ///
    /// # Panics
    /// When it did not.
    pub fn fails(self, code: &str, exit: i32) -> Self {
        let outcome = self.exits(exit);
        let error = outcome.error();
        let end = format!("  [{code}, exit {exit}]");
        assert!(error.trim_end().ends_with(&end), "the error does not end with `{end}`\n{outcome}");
        assert!(error.contains("\n  try: "), "the error does not say what to do\n{outcome}");
        let sentence = error.lines().next().unwrap_or_default();
        assert!(sentence.len() > 10 && !sentence.ends_with('.'), "no sentence\n{outcome}");
        outcome
    }

    /// It told a warning with this code, in one line.
    ///
    /// # Panics
    /// When it did not.
    pub fn warns(self, code: &str) -> Self {
        assert!(self.warning(code).is_some(), "no warning with the code {code}\n{self}");
        self
    }

    /// The first warning with this code, settled as [`error`](Self::error) is.
    #[must_use]
    pub fn warning(&self, code: &str) -> Option<String> {
        let (err, end) = (self.err(), format!("[{code}]"));
        let line = err.lines().find(|line| line.starts_with("warning: ") && line.ends_with(&end));
        line.map(|line| self.settled(line))
    }

    /// The error with its causes and its hint; what changes from run to run is replaced by words in capitals.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn error(&self) -> String {
        let err = self.err();
        let start = match err.find("\nerror: ") {
            Some(at) => at + 1,
            None if err.starts_with("error: ") => 0,
            None => panic!("no error was told\n{self}"),
        };
        self.settled(err.get(start..).unwrap_or_default())
    }

    /// A text without what is another in every run: the temporary directory, ids, ports.
    fn settled(&self, text: &str) -> String {
        let text = text.replace(&*self.root.to_string_lossy(), "WORLD");
        let text = without_times(&text);
        let text = replace_runs(&text, |c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase(), 8, "ID");
        replace_runs(&text, |c| c.is_ascii_digit(), 5, "PORT")
    }

    /// Standard output as text.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|e| panic!("stdout is no text: {e}\n{self}"))
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// It said this, on either stream.
    ///
    /// # Panics
    /// When it did not.
    pub fn says(self, what: &str) -> Self {
        let said = String::from_utf8_lossy(&self.stdout).contains(what) || self.err().contains(what);
        assert!(said, "`{what}` was not said\n{self}");
        self
    }

    /// It said nothing at all.
    ///
    /// # Panics
    /// When it did.
    pub fn silent(self) -> Self {
        assert!(self.stdout.is_empty() && self.stderr.is_empty(), "it was to say nothing\n{self}");
        self
    }

    /// The records of a run with `--json`, the envelope checked: one object a line, `v`, `seq` without a gap, `time`,
    /// `type`, first `start`, last `end` with this run's exit code.
    ///
    /// # Panics
    /// When one of these is not so.
    #[must_use]
    pub fn json(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.ends_with('\n'), "the last line has no end\n{self}");
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}\n{self}"));
        let records: Vec<Value> = text.lines().map(parse).collect();
        for (seq, record) in records.iter().enumerate() {
            assert_eq!(record["v"], 1, "{record}\n{self}");
            assert_eq!(record["seq"], seq, "{record}\n{self}");
            let time = record["time"].as_str().unwrap_or_default();
            assert!(time.len() == 24 && time.ends_with('Z'), "{record}\n{self}");
            assert!(record["type"].is_string(), "{record}\n{self}");
        }
        let (first, last) = (records.first().unwrap(), records.last().unwrap());
        assert_eq!(first["type"], "start", "{self}");
        assert_eq!(first["tool"], "tuckbox", "{self}");
        assert_eq!(last["type"], "end", "{self}");
        assert_eq!(last["exit"], self.code(), "{self}");
        assert_eq!(records.iter().filter(|r| r["type"] == "start" || r["type"] == "end").count(), 2, "{self}");
        records
    }

    /// The records of one type.
    #[must_use]
    pub fn records(&self, kind: &str) -> Vec<Value> {
        self.json().into_iter().filter(|record| record["type"] == kind).collect()
    }

    /// The only record of one type.
    ///
    /// # Panics
    /// When there is none, or another one.
    #[must_use]
    pub fn record(&self, kind: &str) -> Value {
        let records = self.records(kind);
        assert_eq!(records.len(), 1, "one `{kind}` expected\n{self}");
        records.into_iter().next().unwrap()
    }

    /// A number in the summary.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        let summary = self.record("summary");
        summary[name].as_u64().unwrap_or_else(|| panic!("no number `{name}` in {summary}\n{self}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.line)?;
        writeln!(f, "exit {} after {:?}", self.code(), self.elapsed)?;
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            writeln!(f, "--- {name}, {} bytes ---\n{}", bytes.len(), String::from_utf8_lossy(bytes).trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Moments as `TIME`: `2026-11-21T01:18:13Z`, `2026-11-21 01:18:13`.
fn without_times(text: &str) -> String {
    let shape = |word: &str| word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let shapes = ["0000-00-00T00:00:00Z", "0000-00-00 00:00:00"];
        let is = |like: &&&str| rest.get(..like.len()).is_some_and(|head| shape(head) == **like);
        if let Some(like) = shapes.iter().find(is) {
            out.push_str("TIME");
            rest = &rest[like.len()..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Replaces each run of such characters that is at least so long and stands alone.
fn replace_runs(text: &str, fits: impl Fn(char) -> bool, length_min: usize, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word);
        let alone = word.len() >= length_min && word.chars().all(&fits);
        out.push_str(if alone { by } else { word });
        let next = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

fn words(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for word in command.get_args() {
        line.push_str(&format!(" {}", word.to_string_lossy()));
    }
    line
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        from.read_to_end(&mut all).unwrap();
        all
    })
}

/// Bytes in all files below a directory, as they are now; what vanishes meanwhile counts as nothing.
#[must_use]
pub fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let size = |path: &Path| match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(path),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(|entry| size(&entry.path())).sum()
}

/// All files below a directory, sorted.
#[must_use]
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => dirs.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    files.sort();
    files
}

/// All files below a directory with this ending, sorted.
#[must_use]
pub fn with_ending(dir: &Path, ending: &str) -> Vec<PathBuf> {
    files_below(dir).into_iter().filter(|file| file.extension().is_some_and(|e| e == ending)).collect()
}

/// Changes one byte of a file.
///
/// # Panics
/// When the file cannot be changed.
pub fn flip(file: &Path, offset: u64) {
    use std::os::unix::fs::FileExt;
    let file = File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    fn sh(script: &str) -> Call {
        World::new("/bin/true").command("/bin/sh", ["-c", script])
    }

    #[test]
    fn what_a_run_says_is_kept() {
        let outcome = sh("cat; echo err >&2; exit 3").stdin("in").run().exits(3).says("err");
        assert_eq!((outcome.text(), outcome.err().as_str()), ("in", "err\n"));
        assert_eq!(sh("kill -9 $$").run().code(), 137);
        sh("true").run().ok().silent();
        let text = "a 0123456789abcdef b12345 at 127.0.0.1:40022 of decade";
        assert_eq!(outcome.settled(text), "a ID b12345 at 127.0.0.1:PORT of decade");
    }

    #[test]
    fn errors_are_told_as_agreed() {
        let said = "printf 'warning: x: odd [a.b]\nerror: it is not there\n  why: gone\n  try: look  [c.d, exit 5]\n' >&2; exit 5";
        let outcome = sh(said).run().fails("c.d", 5).warns("a.b");
        assert_eq!(outcome.error(), "error: it is not there\n  why: gone\n  try: look  [c.d, exit 5]\n");
        for wrong in ["c.e", "a.b"] {
            let outcome = outcome.clone();
            assert!(std::panic::catch_unwind(move || outcome.fails(wrong, 5)).is_err());
        }
    }

    #[test]
    fn a_held_run_goes_on_when_released() {
        let mut running = sh("cat").held().start();
        running.write(b"one");
        assert!(!running.ends_within(Duration::from_millis(20)));
        running.write(b" two");
        assert_eq!(running.release().ok().text(), "one two");
        assert_eq!(sh("cat").held().start().kill().code(), 137);
    }

    #[test]
    fn a_run_that_does_not_end_is_killed() {
        let call = sh("exec cat /dev/zero > /dev/null").limit(Duration::from_millis(50));
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call.run())).unwrap_err();
        let why = failed.downcast_ref::<String>().unwrap();
        assert!(why.starts_with("it did not end in 50ms"), "{why}");
    }

    #[test]
    fn records_are_checked() {
        let good = [
            r#"{"v":1,"seq":0,"time":"2026-11-20T22:02:00.004Z","type":"start","tool":"tuckbox"}"#,
            r#"{"v":1,"seq":1,"time":"2026-11-20T22:02:00.004Z","type":"summary","files_new":7}"#,
            r#"{"v":1,"seq":2,"time":"2026-11-20T22:02:00.004Z","type":"end","exit":0}"#,
        ];
        let say = |lines: &[&str]| sh("cat").stdin(format!("{}\n", lines.join("\n"))).run();
        assert_eq!(say(&good).count("files_new"), 7);
        for wrong in [&good[1..], &good[..2], &[good[0], good[2], good[1]]] {
            let outcome = say(wrong);
            assert!(std::panic::catch_unwind(move || outcome.json()).is_err());
        }
    }
}
