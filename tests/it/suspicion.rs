//! A source that changes as no person changes it: somebody is told, and the version before is pinned.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::pinned;
use tests::subject::{Call, Outcome};
use tests::tree::{Seeded, Tree};
use tests::world::World;

use crate::world;

/// So many letters and photos each.
const EACH: u64 = 100;

/// A call on this day, counted from 1 December 2026, at noon.
fn on(world: &World, day: u64, words: &[&str]) -> Call {
    let months = [(31, "2026-12"), (31, "2027-01"), (28, "2027-02"), (31, "2027-03")];
    let mut left = day;
    let month = months
        .iter()
        .find(|(days, _)| {
            left <= *days || {
                left -= days;
                false
            }
        })
        .unwrap()
        .1;
    world.tuckbox(words.iter()).env("TUCKBOX_CLOCK", format!("{month}-{left:02}T12:00:00Z"))
}

fn backup(world: &World, day: u64) -> Outcome {
    on(world, day, &["backup", &world.arg("docs")]).and(["--json"]).run()
}

fn letter(n: u64) -> Vec<u8> {
    Seeded::new(n).text(3_000)
}

/// A JPEG as far as anybody can see.
fn photo(n: u64) -> Vec<u8> {
    [b"\xff\xd8\xff\xe0\x00\x10JFIF".to_vec(), Seeded::new(n).bytes(20_000)].concat()
}

/// A machine with one version of letters and photos.
fn letters_and_photos() -> World {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    let docs = Tree::at(world.path("docs"));
    let (letters, photos) = (docs.dir("letters"), docs.dir("photos"));
    for n in 0..EACH {
        letters.file(format!("{n:03}.txt"), letter(n));
        photos.file(format!("{n:03}.jpg"), photo(n));
    }
    drop((letters, photos));
    drop(docs.age());
    assert_eq!(suspicious(&backup(&world, 1).ok()), (0, None));
    world
}

/// Sources that a run told of, and what it pinned.
fn suspicious(run: &Outcome) -> (u64, Option<u64>) {
    let summary = run.record("summary");
    (summary["sources_suspicious"].as_u64().unwrap(), summary["pinned_sequence"].as_u64())
}

/// The messages of its warnings of this code.
fn told(run: &Outcome, code: &str) -> Vec<String> {
    let rows = run.records("warning").into_iter().filter(|row| row["code"] == code);
    rows.map(|row| row["message"].as_str().unwrap().to_owned()).collect()
}

/// What malice does: noise over a file, and another name.
fn lock_up(world: &World, name: &str, n: u64) {
    let path = world.path(format!("docs/{name}"));
    fs::write(&path, Seeded::new(1_000 + n).bytes(3_000)).unwrap();
    fs::rename(&path, path.with_extension("locked")).unwrap();
}

/// The numbers of those that are pinned.
fn pinned_versions(world: &World) -> Vec<u64> {
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    rows.iter().filter(|row| row["pinned"] == true).filter_map(|row| row["sequence"].as_u64()).collect()
}

#[test]
fn files_that_are_encrypted_and_renamed_raise_an_event_and_pin_the_version_before() {
    let world = letters_and_photos();
    let hook = world.path("hook");
    fs::write(&hook, format!("#!/bin/sh\necho $TUCKBOX_HOOK $TUCKBOX_PINNED >> {}\n", world.arg("told"))).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(world.home().join(".config/tuckbox/config.toml"), format!("on_suspicion = '{}'\n", hook.display()))
        .unwrap();
    // A quarter of all at first: the guard says nothing of that.
    (0..52).for_each(|n| lock_up(&world, &format!("letters/{n:03}.txt"), n));
    let before = world.tuckbox(["versions", "--json"]).ok().records("version")[0]["sequence"].as_u64();
    // A dry run says so too, and pins nothing.
    let dry = on(&world, 2, &["backup", "-n", "--json", &world.arg("docs")]).ok();
    assert_eq!(suspicious(&dry), (1, None));
    let run = on(&world, 2, &["backup", &world.arg("docs")]).ok().warns("content.suspicious");
    pinned::check("warnings/content.suspicious", &run.warning("content.suspicious").unwrap());
    assert!(run.text().contains(&format!("see the warnings; version {} is pinned", before.unwrap())), "{run}");
    assert_eq!(fs::read_to_string(world.path("told")).unwrap(), format!("on_suspicion {}\n", before.unwrap()));
    assert_eq!(pinned_versions(&world), [before.unwrap()]);
    // What is encrypted already is no news, and other work no alarm.
    fs::write(world.path("docs/letters/099.txt"), "new").unwrap();
    assert_eq!(suspicious(&backup(&world, 3).ok()), (0, None));
    // No rule takes the last good version, until the pin ends: it lasts 90 days.
    world.tuckbox(["housekeep", "policy", "--keep-last", "1"]).env("TUCKBOX_CLOCK", "2026-12-04T12:00:00Z").ok();
    for day in [40, 41, 85] {
        fs::write(world.path("docs/letters/099.txt"), format!("day {day}")).unwrap();
        assert_eq!(suspicious(&backup(&world, day).ok()), (0, None));
        on(&world, day, &["housekeep", "--yes"]).ok();
    }
    let left = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!(left[0]["sequence"].as_u64(), before);
    let out = world.arg("out");
    world.tuckbox(["restore", "--at", &format!("id:{}", left[0]["id"].as_str().unwrap()), "--to", &out]).ok();
    let top = world.path("docs").strip_prefix("/").unwrap().to_owned();
    assert_eq!(fs::read(world.path("out").join(top).join("letters/007.txt")).unwrap(), letter(7));
}

#[test]
fn most_files_rewritten_is_an_event_whatever_they_look_like() {
    let world = letters_and_photos();
    for n in 0..EACH {
        fs::write(world.path(format!("docs/letters/{n:03}.txt")), Seeded::new(5_000 + n).text(3_100)).unwrap();
    }
    // Half of all: another release of a manual.
    assert_eq!(suspicious(&backup(&world, 2).ok()), (0, None));
    for n in 0..EACH {
        fs::write(world.path(format!("docs/letters/{n:03}.txt")), "").unwrap();
        fs::write(world.path(format!("docs/photos/{n:03}.jpg")), vec![0; 20_008]).unwrap();
    }
    let run = backup(&world, 3).ok();
    assert_eq!(suspicious(&run).0, 1);
    assert!(told(&run, "content.suspicious")[0].ends_with("200 of 200 files were rewritten or renamed"), "{run}");
}

#[test]
fn names_in_masses_are_an_event_beside_the_guard() {
    let world = letters_and_photos();
    for n in 0..EACH {
        for (dir, ending) in [("letters", "txt"), ("photos", "jpg")] {
            let path = world.path(format!("docs/{dir}/{n:03}.{ending}"));
            fs::rename(&path, path.with_file_name(format!("{:x}", n * 7_919))).unwrap();
        }
    }
    // All names of all files went: the guard keeps them.
    let run = backup(&world, 2).exits(12);
    assert_eq!((suspicious(&run).0, told(&run, "guard.mass_deletion").len()), (1, 1));
}

#[test]
fn what_people_do_is_no_event() {
    let world = letters_and_photos();
    // As many photos again, and a directory that moves.
    for n in 0..EACH * 2 {
        fs::write(world.path(format!("docs/photos/new {n:03}.jpg")), photo(10_000 + n)).unwrap();
    }
    assert_eq!(suspicious(&backup(&world, 2).ok()), (0, None));
    fs::rename(world.path("docs/letters"), world.path("docs/post")).unwrap();
    assert_eq!(suspicious(&backup(&world, 3).ok()), (0, None));
    // A quarter of the photos improved, as many letters rewritten, some encrypted on purpose.
    for n in 0..EACH {
        fs::write(world.path(format!("docs/photos/{n:03}.jpg")), photo(20_000 + n)).unwrap();
    }
    (0..20).for_each(|n| lock_up(&world, &format!("post/{n:03}.txt"), n));
    assert_eq!(suspicious(&backup(&world, 4).ok()), (0, None));
    assert!(pinned_versions(&world).is_empty());
}

#[test]
fn where_all_is_encrypted_by_right_more_of_it_is_no_event() {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    let docs = Tree::at(world.path("docs"));
    for n in 0..200 {
        docs.file(format!("{n:03}"), Seeded::new(n).bytes(2_000));
    }
    drop(docs.age());
    backup(&world, 1).ok();
    (0..80).for_each(|n| fs::write(world.path(format!("docs/{n:03}")), Seeded::new(900 + n).bytes(2_100)).unwrap());
    assert_eq!(suspicious(&backup(&world, 2).ok()), (0, None));
}

#[test]
fn thresholds_are_set_in_the_configuration() {
    let config = |world: &World, text: &str| {
        fs::write(world.home().join(".config/tuckbox/config.toml"), text).unwrap();
    };
    let world = letters_and_photos();
    (0..30).for_each(|n| lock_up(&world, &format!("letters/{n:03}.txt"), n));
    config(&world, "suspicious_min = 20\nsuspicious_pin = 0\n");
    let run = backup(&world, 2).ok();
    assert_eq!((suspicious(&run), pinned_versions(&world).len()), ((1, None), 0));
    let world = letters_and_photos();
    (0..EACH).for_each(|n| lock_up(&world, &format!("letters/{n:03}.txt"), n));
    config(&world, "suspicious_share = '100%'\nsuspicious_encrypted = '100%'\n");
    assert_eq!(suspicious(&backup(&world, 2).ok()), (0, None));
}

#[test]
fn who_may_only_append_is_told_that_the_pin_is_for_others() {
    let world = letters_and_photos();
    let serve =
        format!("cmd:{} serve --stdio --vault {} --role append", world.arg("bin/tuckbox"), world.vault().display());
    let through = world.with_vault(serve);
    (0..EACH).for_each(|n| lock_up(&world, &format!("letters/{n:03}.txt"), n));
    let run = backup(&through, 2).ok();
    assert_eq!(suspicious(&run), (1, None));
    assert!(told(&run, "content.suspicious")[1].ends_with("could not be pinned"), "{run}");
    world.tuckbox(["pin", "previous"]).ok();
    assert_eq!(pinned_versions(&world).len(), 1);
}
