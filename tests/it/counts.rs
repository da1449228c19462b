//! What a run costs, in counts: turns of the line, bytes sent and read, nodes made again, syncs, transactions.
//!
//! That a run without a change opens no file is in [`round_trip`](crate::round_trip); the same at full size, with
//! times, is in `tests/bench/grow`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use tests::subject::{Outcome, files_below};
use tests::tree::{self, Seeded, Tree};
use tests::wait::until;
use tests::world::World;
use tests::{need, subject};

use crate::world;

/// Longest wait for the server's end to be over after the client's.
const SOON: Duration = Duration::from_secs(60);
const KIB: u64 = 1 << 10;

// ---- the line -------------------------------------------------------------------------------------------------------

/// What went over the line of one run.
#[derive(Debug)]
struct Line {
    /// Times that it turned towards the vault: round trips.
    turns: u64,
    to: u64,
    from: u64,
}

/// Runs over a line that counts.
fn counted(world: &World, words: &[&str]) -> (Outcome, Line) {
    let (program, tally) = (env!("CARGO_BIN_EXE_tally"), world.path("tally"));
    fs::remove_file(&tally).unwrap_or_default();
    let serve = format!("tuckbox serve --stdio --vault {}", world.arg("vault"));
    let line = world.with_vault(format!("cmd:exec {program} {} {serve}", tally.display()));
    let run = line.tuckbox(words).and(["--json"]).ok();
    // It counts to the end, which may be a moment after the client's.
    until(SOON, "the count", || fs::read_to_string(&tally).is_ok_and(|text| text.ends_with('\n')));
    let text = fs::read_to_string(&tally).unwrap();
    let counts: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [turns, to, from] = counts[..] else { panic!("more than one connection: {text}") };
    (run, Line { turns, to, from })
}

#[test]
fn a_run_without_a_change_takes_three_turns_and_two_kib() {
    let world = world().ready();
    tree::seeded(world.path("source"), 61, 1_000, 3_000_000);
    let source = world.arg("source");
    // The vault has another address when it is reached in another way, and with it another cache.
    counted(&world, &["backup", &source]);
    let (run, line) = counted(&world, &["backup", &source]);
    assert_eq!(run.count("files_unchanged"), 1_000, "{run}");
    assert!(line.turns <= 3, "{line:?}");
    assert!(line.to + line.from <= 2 * KIB, "{line:?}");
    let told = run.count("sent_bytes") + run.count("received_bytes");
    assert!(told <= line.to + line.from, "{told} told, {line:?}");
}

#[test]
fn a_lost_cache_costs_one_turn() {
    let world = world().ready();
    tree::seeded(world.path("source"), 62, 1_000, 3_000_000);
    let source = world.arg("source");
    counted(&world, &["backup", &source]);
    fs::remove_dir_all(world.home().join(".cache")).unwrap();
    let (run, line) = counted(&world, &["backup", &source]);
    assert_eq!(run.count("files_unchanged"), 1_000, "{run}");
    assert!(line.turns <= 4, "{line:?}");
}
