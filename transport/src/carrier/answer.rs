//! A helper program that is asked one question and has to answer in time.

use std::{
    io,
    process::{Command, Output, Stdio},
    sync::mpsc::sync_channel,
    thread,
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What it says, and how it ends; `TimedOut` when it has not ended within `limit`, and then it is ended.
///
/// # Errors
/// What the system said, or `TimedOut`.
pub(super) fn answer(mut command: Command, limit: Duration) -> io::Result<Output> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Of our own child that nobody has waited for, so that it is the right one for ever.
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let (tell, told) = sync_channel(1);
    // Who has given up does not listen any more.
    thread::Builder::new().name("answer".into()).spawn(move || drop(tell.send(child.wait_with_output())))?;
    told.recv_timeout(limit).unwrap_or_else(|_| {
        // It may just have ended by itself.
        pidfd_send_signal(process, Signal::KILL).unwrap_or_default();
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("it gave no answer within {} seconds", limit.as_secs())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_and_none() {
        let sh = |script: &str, limit| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            answer(command, limit)
        };
        let out = sh("echo one; echo two >&2; exit 3", Duration::from_secs(60)).unwrap();
        assert_eq!(
            (out.stdout.as_slice(), out.stderr.as_slice(), out.status.code()),
            (&b"one\n"[..], &b"two\n"[..], Some(3))
        );
        let late = sh("exec tail -f /dev/null", Duration::from_millis(20)).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    }
}
