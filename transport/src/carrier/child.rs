//! A child process whose stdin and stdout are a pipe, and whose stderr and exit status are kept.

use std::{
    io::{self, Read},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::{
    end::{End, Status},
    prompt::Prompt,
};
use crate::pipe::Pipe;

/// How long a child may go on after its pipe was closed, and again after it was asked to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts the command. The pipe's end is the end of its stdin; a child that does not heed it is ended.
///
/// # Errors
/// What the system said: no such program, no more processes.
pub(super) fn spawn(mut command: Command, prompt: Arc<dyn Prompt>) -> io::Result<(Pipe, Arc<End>)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let end = End::new();
    let pid = Pid::from_child(&child);
    let reaped = Arc::new(Mutex::new(false));

    // stderr gets a thread of its own: grandchildren may hold it open long after the child has gone.
    let reader = (end.clone(), stderr);
    thread::Builder::new().name("stderr".into()).spawn(move || read_stderr(&reader.0, reader.1, &*prompt))?;
    let waiter = (end.clone(), reaped.clone());
    thread::Builder::new().name("child".into()).spawn(move || wait(child, pid, &waiter.0, &waiter.1))?;

    let leash = Leash { pid, reaped, end: end.clone() };
    Ok((Pipe::from_files(stdout.into(), stdin.into()).keeping(leash), end))
}

fn read_stderr(end: &End, mut stderr: impl Read, prompt: &dyn Prompt) {
    let mut buffer = [0; 4096];
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => end.stderr(buffer.get(..n).unwrap_or_default(), prompt),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    end.stderr_ended(prompt);
}

/// Waits without taking the status first, so that the number of the process stays ours while it may be signalled.
fn wait(mut child: Child, pid: Pid, end: &End, reaped: &Mutex<bool>) {
    while matches!(
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT),
        Err(rustix::io::Errno::INTR)
    ) {}
    let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
    let status = child.wait();
    *reaped = true;
    drop(reaped);
    end.ended(match status {
        Ok(status) => how(status),
        Err(e) => Status::Lost(format!("its status is not known: {e}")),
    });
}

fn how(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Code(code),
        (None, Some(signal)) => Status::Signal(signal.to_string()),
        (None, None) => Status::Lost("it ended in an unknown way".to_owned()),
    }
}

/// Lives as long as the pipe.
struct Leash {
    pid: Pid,
    reaped: Arc<Mutex<bool>>,
    end: Arc<End>,
}

impl Drop for Leash {
    fn drop(&mut self) {
        if self.end.status().is_some() {
            return;
        }
        let (pid, reaped, end) = (self.pid, self.reaped.clone(), self.end.clone());
        let pull = move || {
            for signal in [Signal::TERM, Signal::KILL] {
                if end.wait(PATIENCE) || !signal_child(pid, &reaped, signal) {
                    return;
                }
            }
        };
        // Without a thread the child has still lost its stdin, which is enough for a good one.
        drop(thread::Builder::new().name("leash".into()).spawn(pull));
    }
}

fn signal_child(pid: Pid, reaped: &Mutex<bool>, signal: Signal) -> bool {
    let reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
    !*reaped && kill_process(pid, signal).is_ok()
}
