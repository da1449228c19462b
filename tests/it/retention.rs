//! What a person asked to remove goes, and nothing else: whatever a clock says once.

use std::fs;

use tests::subject::Call;
use tests::world::World;

use crate::world;

/// The program at an hour of a day of December 2026.
fn at(world: &World, day: u32, hour: u32, words: &[&str]) -> Call {
    world.tuckbox(words.iter()).env("TUCKBOX_CLOCK", format!("2026-12-{day:02}T{hour:02}:00:00Z"))
}

/// A machine with a file in `docs`.
fn machine() -> World {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    fs::create_dir(world.path("docs")).unwrap();
    world
}

/// One more version, of another text.
fn write(world: &World, day: u32, hour: u32) {
    fs::write(world.path("docs/diary"), format!("{day} {hour}")).unwrap();
    at(world, day, hour, &["backup", &world.arg("docs")]).ok();
}

fn numbers(world: &World, day: u32) -> Vec<u64> {
    let rows = at(world, day, 23, &["versions", "--json"]).ok().records("version");
    rows.iter().map(|row| row["sequence"].as_u64().unwrap()).collect()
}

#[test]
fn a_clock_that_is_wrong_once_removes_no_versions() {
    let world = machine();
    for (day, hour) in [(1, 12), (2, 12), (3, 12), (3, 13), (3, 14), (3, 15)] {
        write(&world, day, hour);
    }
    let all = numbers(&world, 3);
    at(&world, 3, 16, &["forget", &format!("no.{}", all[0])]).ok();
    at(&world, 3, 16, &["pin", "--for", "5d", &format!("no.{}", all[2])]).ok();
    write(&world, 28, 12);
    at(&world, 28, 13, &["housekeep", "--yes"]).ok();
    write(&world, 3, 17);
    let left = numbers(&world, 3);
    assert_eq!((left.len(), &left[..6]), (8, &all[..]));
    at(&world, 3, 17, &["forget", "--undo", &format!("no.{}", all[0])]).ok();
    // Who comes back from a holiday waits a day, no longer.
    write(&world, 20, 12);
    write(&world, 21, 13);
    assert!(!numbers(&world, 21).contains(&all[3]));
}
