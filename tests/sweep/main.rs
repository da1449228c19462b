//! The real program on a failing world: killed, refused, cut off from power, crowded, at every step that can be told
//! apart. Nothing that was acknowledged may be lost.
//!
//! * [`tripwire`]: the system calls by which a program changes files, counted, and what befalls one of them
//! * [`recipes`]: how each verb that changes anything is run; [`stage`]: a machine to run it on, again and again
//! * [`calls`]: killed at each call, and each call refused; [`own`]: the same for what a machine has of its own: keys,
//!   state, cache, configuration, what is restored; [`signals`]: asked to end at each call
//! * [`full`]: disks that really are full; [`power`]: power that really is cut; [`short`]: limits of a process
//! * [`soak`]: sixteen machines at once; [`days`]: the same while days go by, so that versions really go
//!
//! Each runs in a short form by itself. `TUCKBOX_SWEEP` is how much of it to do, see [`share`].

mod calls;
mod days;
mod full;
mod own;
mod power;
mod recipes;
mod short;
mod signals;
mod soak;
mod stage;
mod tripwire;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tests::tree::Seeded;
use tests::world::World;

/// A fresh machine with the program that was just built, in memory where that is possible: nothing here is about the
/// speed of a disk.
fn world() -> World {
    let memory = std::path::Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    World::on(place, env!("CARGO_BIN_EXE_subject"))
}

/// How much is done: nothing said, the short form, which is `short`; `TUCKBOX_SWEEP=N`, so many; `all`, as many as there are.
fn share(short: u64) -> u64 {
    match std::env::var("TUCKBOX_SWEEP").as_deref() {
        Ok("all") => u64::MAX,
        Ok(number) if !number.is_empty() => number.parse().expect("TUCKBOX_SWEEP is a number, or `all`"),
        _ => short,
    }
}

/// At most `most` of the numbers from 1 to `last`, spread evenly, from a place that `seed` chooses.
fn spread(last: u64, most: u64, seed: u64) -> Vec<u64> {
    let step = last.div_ceil(most.max(1)).max(1);
    let first = 1 + Seeded::new(seed).below(step.min(last.max(1)));
    (0..).map(|turn| first + turn * step).take_while(|number| *number <= last).collect()
}

/// Cases tried, and what was wrong with which.
#[derive(Default)]
struct Tally {
    tried: u64,
    wrong: Vec<String>,
}

impl Tally {
    /// Tries one case. A case that fails is told at the end, so that all of them are seen.
    fn case(&mut self, name: impl FnOnce() -> String, act: impl FnOnce()) {
        self.tried += 1;
        if let Err(why) = catch_unwind(AssertUnwindSafe(act)) {
            let why = why.downcast_ref::<String>().map_or("it panicked", String::as_str).to_owned();
            self.wrong.push(format!("=== {}\n{why}", name()));
        }
    }

    /// Says how many there were.
    ///
    /// # Panics
    /// When one failed.
    fn end(self, what: &str) {
        println!("sweep: {what}: {} tried, {} wrong", self.tried, self.wrong.len());
        let shown: Vec<_> = self.wrong.iter().take(12).cloned().collect();
        assert!(self.wrong.is_empty(), "{what}: {} of {} wrong\n{}", self.wrong.len(), self.tried, shown.join("\n"));
    }
}
