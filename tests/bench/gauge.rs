//! `gauge FILE PROGRAM [ARGUMENT…]` runs a program with its own standard streams and adds a line of JSON to the file:
//! seconds from start to exit, and what the system says that the program and all that it waited for have used. It ends
//! as the program ended. It is small, because the memory of who starts a program counts as the program's until it runs.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

#[expect(clippy::disallowed_methods, reason = "a stopwatch, of no part of the product")]
fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(file), Some(program)) = (words.next(), words.next()) else {
        eprintln!("gauge FILE PROGRAM [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let ended = match Command::new(&program).args(words).status() {
        Ok(ended) => ended,
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            return ExitCode::from(127);
        }
    };
    let wall = began.elapsed().as_secs_f64();
    let exit = ended.code().unwrap_or_else(|| 128 + ended.signal().unwrap_or_default());
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    let line = format!(
        "{{\"wall\":{wall:.6},\"user\":{:.6},\"sys\":{:.6},\"rss_kib\":{},\"exit\":{exit}}}\n",
        seconds(used.user_time()),
        seconds(used.system_time()),
        used.max_rss()
    );
    // In one write to the end of the file, so that several at a time do not mix.
    let file = OpenOptions::new().append(true).create(true).open(&file);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a file to write to");
    ExitCode::from(u8::try_from(exit).unwrap_or(1))
}
