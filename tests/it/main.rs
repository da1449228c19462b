//! The tests of the whole: each uses the program as a stranger would, and says in its name what must hold.
//!
//! One binary, one module a theme; [`tidy`] sees to it that no file is forgotten.

mod accounts;
mod answers;
mod as_at;
mod browser;
mod compare;
mod completions;
mod concurrent;
mod config;
mod console;
mod contract;
mod counts;
mod decoder;
mod delete;
mod errors;
mod evil_vault;
mod fidelity;
mod first_run;
mod forged;
mod full_disk;
mod golden;
mod guard;
mod health;
mod hexdump;
mod history;
mod hooks;
mod hostile;
mod hostile_peer;
mod housekeeping;
mod inner;
mod json;
mod keys;
mod kill;
mod odd_files;
mod order;
mod profile;
mod promises;
mod query;
mod race;
mod restored;
mod retention;
mod round_trip;
mod rules;
mod search;
mod selection;
mod shell;
mod slow_line;
mod ssh;
mod suspicion;
mod tidy;
mod traffic;
mod undo;
mod usage;
mod vaults;
mod volumes;

use tests::world::World;

/// A fresh machine with the program that was just built.
fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_subject"))
}
