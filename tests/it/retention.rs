//! What a person asked to remove goes, and nothing else: whatever a clock says once.

use std::fs;

use tests::subject::{Call, Outcome};
use tests::world::World;

use crate::housekeeping::noise;
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

fn oldest(world: &World, day: u32) -> serde_json::Value {
    at(world, day, 23, &["versions", "--json"]).ok().records("version").remove(0)
}

#[test]
fn an_account_that_is_full_gets_the_room_of_what_was_forgotten() {
    let world = machine();
    let docs = world.arg("docs");
    world.tuckbox(["account", "set", world.name(), "--hard", "4M"]).ok();
    fs::write(world.path("docs/film"), noise(1, 3 << 20)).unwrap();
    at(&world, 1, 12, &["backup", &docs]).ok();
    fs::remove_file(world.path("docs/film")).unwrap();
    write(&world, 1, 13);
    write(&world, 1, 14);
    let all = numbers(&world, 1);
    at(&world, 1, 15, &["forget", &format!("no.{}", all[0])]).ok();
    fs::write(world.path("docs/song"), noise(2, 2 << 20)).unwrap();
    let refused = |day| -> Outcome { at(&world, day, 16, &["backup", &docs]).run().fails("quota.hard", 9) };
    // Its time is not up.
    refused(2);
    refused(14);
    assert_eq!(numbers(&world, 14), all);
    // What was not forgotten does not age by runs that fail: both of the last hours stay.
    for day in 16..=19 {
        assert!(refused(day).error().contains("after their 14 in the trash"));
    }
    assert_eq!(numbers(&world, 19), all[1..]);
    at(&world, 20, 16, &["backup", &docs]).ok();
    at(&world, 20, 17, &["check", "--full"]).ok();
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

#[test]
fn under_the_default_policy_versions_go_without_a_word() {
    let world = machine();
    for day in 1..=8 {
        write(&world, day, 8);
        write(&world, day, 18);
    }
    // Of each day the last, and the two of the last 24 hours.
    assert_eq!(numbers(&world, 8).len(), 9);
    at(&world, 8, 19, &["housekeep"]).ok();
}

#[test]
fn who_pins_a_forgotten_version_has_it_out_of_the_trash() {
    let world = machine();
    (1..=4).for_each(|day| write(&world, day, 12));
    let first = format!("no.{}", numbers(&world, 4)[0]);
    at(&world, 4, 13, &["forget", &first]).ok();
    at(&world, 4, 14, &["pin", "--for", "3d", &first]).ok();
    at(&world, 4, 15, &["forget", &first]).run().fails("policy.kept", 12);
    for day in [8, 12, 16, 20, 24] {
        write(&world, day, 12);
    }
    // Its pin has ended: it is one as all others.
    let row = oldest(&world, 24);
    assert!(row["pinned"] != true && row["trash_until"].is_null(), "{row}");
    assert_eq!(numbers(&world, 24).len(), 4 + 5);
    // Likewise one whose pin is taken away.
    at(&world, 24, 13, &["forget", &first]).ok();
    at(&world, 24, 14, &["pin", &first]).ok();
    at(&world, 24, 15, &["pin", "--undo", &first]).ok();
    assert!(oldest(&world, 24)["trash_until"].is_null());
}
