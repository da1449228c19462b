//! Commands of the configuration around a backup: before it, after it, and when it failed; for the run and for a source.
//! And the one that hears of changes in how accounts are.
//!
//! They are run directly and not by a shell, without standard input (but for those that are [told](tell) something), each in a process group of its own and for a limited
//! time. What they print is told as warnings. `after` is run whatever became of the rest, so that it can tidy up.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::job::{BackupJob, BackupSummary, Run, SourceJob};
use super::queue::lock;
use crate::event::Event;
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};

/// Bytes and lines of a command's output that are told; the rest is read and forgotten.
const OUTPUT_BYTES_MAX: usize = 16 << 10;
const OUTPUT_LINES_MAX: usize = 50;
/// So often the end of the run is looked for while a command runs.
const LOOK_MS: u64 = 100;
/// So long a command may tidy up after it was asked to end, and its output may lag behind it.
const GRACE_MS: u64 = 2_000;

/// Does the work of a backup between its commands. A dry run runs none.
pub(super) fn around(
    run: &Run,
    mut job: BackupJob,
    work: impl FnOnce(BackupJob) -> Result<BackupSummary>,
) -> Result<BackupSummary> {
    let hooks = job.hooks.clone();
    if job.dry_run || (hooks.is_empty() && job.sources.iter().all(|source| source.hooks.is_empty())) {
        return work(job);
    }
    let caller = Caller { run, limit_ms: job.hook_timeout_ms };
    let mut begun = Vec::new();
    let mut done = match caller.before(hooks.before.as_deref(), None) {
        Ok(()) => caller.before_sources(&mut job).and_then(|()| {
            begun.clone_from(&job.sources);
            work(job)
        }),
        Err(fault) => Err(fault),
    };
    let state = End::of(&done);
    let mut failed = 0;
    if done.as_ref().is_ok_and(|summary| summary.sources_suspicious > 0) {
        failed += caller.at_end([("on_suspicion", hooks.on_suspicion.as_deref())], None, &state);
    }
    for source in &begun {
        let state = if source.skip {
            End { exit: Code::HookFailed.exit(), version: None, pinned: None }
        } else {
            state.clone()
        };
        failed += caller.after(&source.hooks, Some(&source.path), &state);
    }
    failed += caller.after(&hooks, None, &state);
    if let Ok(summary) = &mut done {
        summary.errors += failed;
    }
    done
}

/// Runs a command that gets a text on its standard input, for a limited time.
pub(super) fn tell(run: &Run, which: &str, command: &str, limit_ms: u64, text: Vec<u8>) -> Result<()> {
    Caller { run, limit_ms }.call(which, command, None, None, Some(text))
}

/// What became of a run.
#[derive(Clone)]
struct End {
    exit: Exit,
    version: Option<String>,
    pinned: Option<u64>,
}

impl End {
    fn of(done: &Result<BackupSummary>) -> Self {
        match done {
            Ok(summary) => {
                Self { exit: summary.exit(), version: summary.version_id.clone(), pinned: summary.pinned_sequence }
            }
            Err(fault) => Self { exit: fault.exit(), version: None, pinned: None },
        }
    }
}

struct Caller<'a> {
    run: &'a Run,
    limit_ms: u64,
}

impl Caller<'_> {
    /// Marks the sources whose command fails: they are left as they are. Fails when no source remains.
    fn before_sources(&self, job: &mut BackupJob) -> Result<()> {
        let mut last = None;
        for source in &mut job.sources {
            if let Err(fault) = self.before(source.hooks.before.as_deref(), Some(&source.path)) {
                if self.run.stop.asked() {
                    return Err(fault);
                }
                source.skip = true;
                if let Some(before) = last.replace(fault) {
                    self.run.watcher.event(&Event::Warning(&before));
                }
            }
        }
        let Some(fault) = last else { return Ok(()) };
        if job.sources.iter().all(|source: &SourceJob| source.skip) {
            return Err(fault);
        }
        self.run.watcher.event(&Event::Warning(&fault));
        Ok(())
    }

    fn before(&self, command: Option<&str>, source: Option<&[u8]>) -> Result<()> {
        command.map_or(Ok(()), |command| self.call("before", command, source, None, None))
    }

    /// Runs what is due at the end; gives how many of the commands failed, each of which is told.
    fn after(&self, hooks: &super::job::Hooks, source: Option<&[u8]>, end: &End) -> u64 {
        let on_failure = hooks.on_failure.as_deref().filter(|_| end.exit != Exit::Ok);
        self.at_end([("on_failure", on_failure), ("after", hooks.after.as_deref())], source, end)
    }

    /// Runs these; gives how many of them failed.
    fn at_end<'c>(
        &self,
        due: impl IntoIterator<Item = (&'c str, Option<&'c str>)>,
        source: Option<&[u8]>,
        end: &End,
    ) -> u64 {
        let failed =
            due.into_iter().filter_map(|(which, command)| self.call(which, command?, source, Some(end), None).err());
        failed.map(|fault| self.run.watcher.event(&Event::Warning(&fault))).count() as u64
    }

    /// Runs a command to its end, or to the end of its time.
    fn call(
        &self,
        which: &str,
        command: &str,
        source: Option<&[u8]>,
        end: Option<&End>,
        text: Option<Vec<u8>>,
    ) -> Result<()> {
        let of = source.map(|path| format!(" of {}", for_terminal(path))).unwrap_or_default();
        let failed = |why: String| {
            Fault::new(Code::HookFailed, format!("the command `{which}`{of} failed"))
                .because(harmless_line(&why))
                .hint("run it by hand and see what it says")
        };
        let words = shell_words::split(command).map_err(|error| failed(error.to_string()))?;
        let (program, arguments) = words.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
        let cannot = |error: std::io::Error| failed(format!("cannot start {program}: {error}"));
        let (output, input) = std::io::pipe().map_err(cannot)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).process_group(0).env("TUCKBOX_HOOK", which);
        let mut spoken = None;
        if let Some(text) = text {
            let (to_read, to_write) = std::io::pipe().map_err(cannot)?;
            command.stdin(to_read);
            spoken = Some((to_write, text));
        }
        command.stdout(input.try_clone().map_err(cannot)?).stderr(input);
        if let Some(path) = source {
            command.env("TUCKBOX_SOURCE", OsStr::from_bytes(path));
        }
        if let Some(end) = end {
            command.env("TUCKBOX_EXIT_CODE", (end.exit as u8).to_string());
            command.env("TUCKBOX_VERSION_ID", end.version.as_deref().unwrap_or_default());
            command.env("TUCKBOX_PINNED", end.pinned.map(|version| version.to_string()).unwrap_or_default());
        }
        let child = command.spawn().map_err(cannot)?;
        // It holds the writing end, too: the output would never end.
        drop(command);
        if let Some((mut to_write, text)) = spoken {
            // One that reads nothing ends it by its own end.
            let speaking = Builder::new().name("hook-input".into());
            speaking.spawn(move || drop(to_write.write_all(&text))).map_err(cannot)?;
        }
        let (status, said) = self.accompany(child, output, end.is_none()).map_err(|error| failed(error.to_string()))?;
        self.tell(&format!("{which}{of}"), &said);
        match status {
            Ended::By(status) if status.success() => Ok(()),
            Ended::By(status) => Err(failed(status.to_string())),
            Ended::Late => Err(failed(format!("it ran for longer than {}", crate::units::duration(self.limit_ms)))),
            Ended::Stopped => {
                Err(Fault::new(Code::Interrupted, "the backup was interrupted").hint("run the same command again"))
            }
        }
    }

    /// Waits for the end of a command; ends it when its time is over or, if `stops`, when the run is to end.
    fn accompany(
        &self,
        mut child: Child,
        output: std::io::PipeReader,
        stops: bool,
    ) -> std::io::Result<(Ended, Vec<u8>)> {
        let pid = Pid::from_child(&child);
        let said = Arc::new(Mutex::new(Vec::new()));
        let (tell, hear) = sync_channel(2);
        let (into, told) = (Arc::clone(&said), tell.clone());
        // Both may outlive this call, when the command leaves something behind that holds its output.
        let reading = Builder::new().name("hook-output".into()).spawn(move || read(output, &into, &told));
        let waiting = Builder::new().name("hook-end".into()).spawn(move || {
            // Without taking its status: its number stays its own until the kill cannot hit another.
            let ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            while ended().is_err_and(|errno| errno == rustix::io::Errno::INTR) {}
            drop(tell.send(Part::Process));
        });
        let mut parts = Parts { hear, process: false, output: false };
        let mut waited_ms = 0;
        let ended = loop {
            if waiting.is_err() || reading.is_err() || waited_ms >= self.limit_ms {
                break Some(Ended::Late);
            }
            if stops && self.run.stop.asked() {
                break Some(Ended::Stopped);
            }
            let ms = LOOK_MS.min(self.limit_ms - waited_ms);
            if parts.process(ms) {
                break None;
            }
            waited_ms += ms;
        };
        if ended.is_some() {
            // What is gone already cannot be ended.
            kill_process_group(pid, Signal::TERM).unwrap_or(());
            if !parts.process(GRACE_MS) {
                kill_process_group(pid, Signal::KILL).unwrap_or(());
            }
        }
        let status = child.wait()?;
        parts.output(GRACE_MS);
        let said = std::mem::take(&mut *lock(&said));
        Ok((ended.unwrap_or(Ended::By(status)), said))
    }

    fn tell(&self, who: &str, said: &[u8]) {
        let text = String::from_utf8_lossy(said);
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        for line in lines.by_ref().take(OUTPUT_LINES_MAX) {
            let told = format!("{who} says: {}", harmless_line(line));
            self.run.watcher.event(&Event::Warning(&Fault::new(Code::HookOutput, told)));
        }
        if lines.next().is_some() || said.len() >= OUTPUT_BYTES_MAX {
            let told = format!("{who} says more, which is not shown");
            self.run.watcher.event(&Event::Warning(&Fault::new(Code::HookOutput, told)));
        }
    }
}

/// How a command ended.
enum Ended {
    By(ExitStatus),
    Late,
    Stopped,
}

/// What ends with a command: itself, and its output.
enum Part {
    Process,
    Output,
}

struct Parts {
    hear: Receiver<Part>,
    process: bool,
    output: bool,
}

impl Parts {
    /// Waits for the process for so long.
    fn process(&mut self, ms: u64) -> bool {
        if !self.process {
            self.wait(ms);
        }
        self.process
    }

    /// Waits for the end of the output for so long.
    fn output(&mut self, ms: u64) {
        while !self.output && self.wait(ms) {}
    }

    fn wait(&mut self, ms: u64) -> bool {
        match self.hear.recv_timeout(Duration::from_millis(ms)) {
            Ok(Part::Process) => self.process = true,
            Ok(Part::Output) => self.output = true,
            Err(_) => return false,
        }
        true
    }
}

/// Reads all output and keeps its beginning.
fn read(mut output: impl Read, into: &Mutex<Vec<u8>>, told: &SyncSender<Part>) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = output.read(&mut buffer) {
        let mut into = lock(into);
        let room = OUTPUT_BYTES_MAX.saturating_sub(into.len()).min(len);
        into.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
    drop(told.send(Part::Output));
}
