//! A line that counts: `tally FILE PROGRAM [ARGUMENT…]` passes on what comes for the program at once, and what comes
//! from it when both sides have been quiet for a moment. So whoever asks two things together pays for one turn, as over
//! a long way. At the end it appends one line to the file: turns, bytes to the program, bytes from it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Neither side has anything more to say without an answer. A machine too busy for that makes the count too high and
/// never too low.
const QUIET: Duration = Duration::from_millis(300);

/// What one side said; nothing at its end.
enum Said {
    ToProgram(Vec<u8>),
    FromProgram(Vec<u8>),
}

fn listen(mut from: impl Read, wrap: fn(Vec<u8>) -> Said, said: &SyncSender<Said>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        // A pipe that breaks is an end like any other.
        let n = from.read(&mut buffer).unwrap_or(0);
        if said.send(wrap(buffer[..n].to_vec())).is_err() || n == 0 {
            return;
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, program, arguments @ ..] = &words[..] else { panic!("tally FILE PROGRAM [ARGUMENT…]") };
    let mut command = Command::new(program);
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a program");
    let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (to_here, said) = sync_channel(64);
    let also = to_here.clone();
    thread::spawn(move || listen(io::stdin(), Said::ToProgram, &to_here));
    thread::spawn(move || listen(stdout, Said::FromProgram, &also));

    let (mut stdin, mut held) = (Some(stdin), Vec::new());
    let (mut turns, mut to, mut from, mut answered) = (0_u64, 0, 0, true);
    let mut out = io::stdout();
    loop {
        match said.recv_timeout(QUIET) {
            Ok(Said::ToProgram(bytes)) if bytes.is_empty() => stdin = None,
            Ok(Said::ToProgram(bytes)) => {
                turns += u64::from(std::mem::take(&mut answered));
                to += bytes.len();
                stdin = stdin.take().filter(|stdin| (&*stdin).write_all(&bytes).is_ok());
            }
            Ok(Said::FromProgram(bytes)) if !bytes.is_empty() => {
                from += bytes.len();
                held.extend(bytes);
            }
            Err(RecvTimeoutError::Timeout) if held.is_empty() => {}
            Err(RecvTimeoutError::Timeout) => {
                let passed = out.write_all(&held).and_then(|()| out.flush());
                held.clear();
                answered = true;
                if passed.is_err() {
                    stdin = None;
                }
            }
            Ok(Said::FromProgram(_)) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // Whoever has gone needs no last word.
    out.write_all(&held).and_then(|()| out.flush()).unwrap_or_default();
    drop(stdin);
    child.wait().expect("its end");
    let mut file = File::options().append(true).create(true).open(file).expect("a file for the counts");
    file.write_all(format!("{turns} {to} {from}\n").as_bytes()).expect("room for the counts");
}
