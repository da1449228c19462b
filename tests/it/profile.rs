//! `--profile`: the parts add up to the whole, and no stage is forgotten. Shares are tested, never times.

use std::fs;

use serde_json::Value;
use tests::subject::files_below;
use tests::tree;
use tests::world::World;

use crate::world;

/// A run with these words, and what it wrote.
fn profile(world: &World, words: &[&str]) -> Value {
    let file = world.arg("profile.json");
    world.tuckbox(words).and(["--profile", &file]).ok();
    let profile: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!((&profile["format"], &profile["v"]), (&"tuckbox profile".into(), &1.into()));
    assert_eq!(profile["command"], words[0]);
    adds_up(&profile);
    profile
}

fn number(record: &Value, name: &str) -> u64 {
    record[name].as_u64().unwrap_or_else(|| panic!("no {name} in {record}"))
}

fn list<'p>(record: &'p Value, name: &str) -> &'p [Value] {
    record[name].as_array().unwrap_or_else(|| panic!("no {name} in {record}"))
}

/// All rows, each with the wall time that it is about.
fn rows(profile: &Value) -> Vec<(&Value, u64)> {
    let mut rows = Vec::new();
    for part in list(profile, "phases").iter().chain([profile]) {
        rows.extend(list(part, "stages").iter().map(|row| (row, number(part, "wall_ns"))));
    }
    rows
}

fn row<'p>(profile: &'p Value, name: &str) -> &'p Value {
    let found = rows(profile).into_iter().find(|(row, _)| row["name"] == name);
    found.unwrap_or_else(|| panic!("no stage {name} in {profile:#}")).0
}

fn adds_up(profile: &Value) {
    let walls: u64 = list(profile, "phases").iter().map(|phase| number(phase, "wall_ns")).sum();
    assert_eq!(walls, number(profile, "wall_ns"), "{profile:#}");
    let mut computed = number(profile, "elsewhere_ns");
    for (row, wall) in rows(profile) {
        let states = ["working_ns", "input_ns", "room_ns", "away_ns"].map(|state| number(row, state));
        assert_eq!(states.iter().sum::<u64>(), number(row, "threads") * wall, "{row:#} in {wall}");
        computed += number(row, "cpu_ns");
    }
    assert_eq!(computed, number(profile, "cpu_ns"), "{profile:#}");
    assert_eq!(number(profile, "user_ns") + number(profile, "system_ns"), number(profile, "cpu_ns"));
    assert!(number(profile, "peak_memory_bytes") > 1 << 20 && number(profile, "cores") > 0);
}

fn phases(profile: &Value) -> Vec<&str> {
    list(profile, "phases").iter().map(|phase| phase["name"].as_str().unwrap()).collect()
}

#[test]
fn the_stages_of_backup_and_restore_add_up() {
    let world = world().ready();
    tree::seeded(world.path("source"), 21, 300, 12_000_000);
    let sizes = files_below(&world.path("source")).into_iter().map(|file| fs::metadata(file).unwrap().len());
    let all = sizes.filter(|size| *size > 0).fold((0, 0), |(files, bytes), size| (files + 1, bytes + size));
    let (source, out) = (world.arg("source"), world.arg("out"));

    let backup = profile(&world, &["backup", &source]);
    assert_eq!(phases(&backup), ["start", "connect", "unlock", "prepare", "send", "commit", "close"]);
    for stage in ["scan", "read", "ask", "fill", "seal", "ship", "serve"] {
        assert!(number(row(&backup, stage), "items") > 0, "{stage} in {backup:#}");
    }
    let dealt_with = |row: &Value| (number(row, "items"), number(row, "bytes"));
    assert_eq!(dealt_with(row(&backup, "read")), all);
    assert!(number(row(&backup, "seal"), "bytes") > 0);
    assert_eq!(number(row(&backup, "ship"), "bytes"), number(row(&backup, "serve"), "bytes"));
    let waited: u64 = rows(&backup).iter().map(|(row, _)| number(row, "input_ns") + number(row, "room_ns")).sum();
    assert!(waited > 0, "{backup:#}");

    let restore = profile(&world, &["restore", &source, "--to", &out, "--verify"]);
    assert_eq!(phases(&restore), ["start", "connect", "unlock", "work", "plan", "restore", "verify", "close"]);
    for stage in ["plan", "fetch", "receive", "write", "verify", "serve"] {
        assert!(number(row(&restore, stage), "items") > 0, "{stage} in {restore:#}");
    }
    assert_eq!(dealt_with(row(&restore, "verify")), (300, all.1));
    assert!(number(row(&restore, "receive"), "bytes") > 0);

    let again = profile(&world, &["backup", &source]);
    assert_eq!((number(row(&again, "read"), "items"), number(row(&again, "seal"), "items")), (0, 0), "{again:#}");
}

#[test]
fn every_verb_has_phases_and_a_failed_run_has_them_too() {
    let world = world().ready();
    assert_eq!(phases(&profile(&world, &["check"])), ["start", "connect", "unlock", "work"]);
    assert_eq!(phases(&profile(&world, &["version"])), ["start"]);
    let (file, nowhere) = (world.arg("profile.json"), world.arg("no/such/profile.json"));
    fs::remove_file(&file).unwrap();
    world.tuckbox(["ls", "/", "--profile", &file]).run().fails("version.none", 5);
    adds_up(&serde_json::from_slice(&fs::read(&file).unwrap()).unwrap());

    // One that cannot be written is known before the work.
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs"), "--profile", &nowhere]).run().fails("system", 1);
    assert!(world.tuckbox(["versions", "--json"]).ok().records("version").is_empty());
}
