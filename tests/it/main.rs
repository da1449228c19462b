//! The tests of the whole: each uses the program as a stranger would, and says in its name what must hold.
//!
//! One binary, one module a theme; [`tidy`] sees to it that no file is forgotten.

mod concurrent;
mod counts;
mod decoder;
mod errors;
mod fidelity;
mod first_run;
mod golden;
mod guard;
mod hexdump;
mod history;
mod hostile;
mod json;
mod keys;
mod kill;
mod odd_files;
mod profile;
mod round_trip;
mod selection;
mod slow_line;
mod ssh;
mod tidy;

use tests::world::World;

/// A fresh machine with the program that was just built.
fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_subject"))
}
