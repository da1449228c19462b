//! A line that breaks: `cut TO FROM PROGRAM [ARGUMENT…]` passes so many bytes to the program and so many from it, and
//! ends with the first count that is reached: both pipes are closed at once, in the middle of whatever was said.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;

/// Passes on as it comes, without waiting for more.
fn pass(mut from: impl Read, mut to: impl Write, bytes: u64) -> io::Result<()> {
    let mut from = from.by_ref().take(bytes);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            n => to.write_all(&buffer[..n]).and_then(|()| to.flush())?,
        }
    }
}

#[expect(clippy::zombie_processes, reason = "this process ends before the program does, which loses its pipes by that")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [to, from, program, arguments @ ..] = &words[..] else { panic!("cut TO FROM PROGRAM [ARGUMENT…]") };
    let (to, from) = (to.parse().expect("a count"), from.parse().expect("a count"));
    let mut command = Command::new(program);
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a program");
    let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (first, reached) = sync_channel(2);
    let second = first.clone();
    thread::spawn(move || first.send(pass(io::stdin(), stdin, to)));
    thread::spawn(move || second.send(pass(stdout, io::stdout(), from)));
    // Whoever is not first ends with this process. A pipe that breaks is an end like any other.
    drop(reached.recv());
}
