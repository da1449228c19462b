//! Rules of time: how long what is missing is kept, and a source that the configuration names no more.

use std::fs;

use tests::subject::{Call, Outcome};
use tests::tree::{self, Tree};
use tests::world::World;

use crate::world;

/// A call on this day of December 2026, at noon.
fn on(world: &World, day: u32, words: &[&str]) -> Call {
    world.tuckbox(words.iter()).env("TUCKBOX_CLOCK", format!("2026-12-{day:02}T12:00:00Z"))
}

/// Writes the configuration.
fn configure(world: &World, text: &str) {
    fs::write(world.home().join(".config/tuckbox/config.toml"), text).unwrap();
}

/// A block of the configuration for a directory of this world.
fn source(world: &World, name: &str, more: &str) -> String {
    format!("[[source]]\npath = \"{}\"\n{more}\n", world.arg(name))
}

/// Names below a path in the newest version, each with its mark.
fn marks(world: &World, below: &str) -> Vec<(String, Option<String>)> {
    let rows = world.tuckbox(["ls", "--json", &world.arg(below)]).ok().records("entry");
    let top = format!("{}/", world.arg(below));
    let name = |row: &serde_json::Value| row["path"].as_str().unwrap().strip_prefix(&top).map(str::to_owned);
    rows.iter().filter_map(|row| Some((name(row)?, row["mark"].as_str().map(str::to_owned)))).collect()
}

/// Names of the sources of the newest version, of those below this world.
fn sources(world: &World) -> Vec<String> {
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    let sources = rows.last().unwrap()["sources"].as_array().unwrap();
    let top = world.arg("");
    sources.iter().map(|row| row["path"].as_str().unwrap().trim_start_matches(top.as_str()).to_owned()).collect()
}

/// A machine whose `docs` has been emptied since the version of 1 December but for what is new.
fn emptied() -> World {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    let docs = Tree::at(world.path("docs"));
    docs.file("a", tree::Seeded::new(7).bytes(300_000)).dir("sub").file("b", "b");
    drop(docs.age());
    on(&world, 1, &["backup", &world.arg("docs")]).ok();
    fs::rename(world.path("docs"), world.path("away")).unwrap();
    fs::create_dir(world.path("docs")).unwrap();
    world
}

fn backup(world: &World, day: u32) -> Outcome {
    on(world, day, &["backup", "--json", &world.arg("docs")]).run()
}

fn missing(names: &[&str]) -> Vec<(String, Option<String>)> {
    names.iter().map(|name| ((*name).to_owned(), Some("missing".to_owned()))).collect()
}

#[test]
fn what_is_missing_comes_back_and_nothing_is_sent_again() {
    let world = emptied();
    backup(&world, 2).exits(12);
    assert_eq!(marks(&world, "docs"), missing(&["a", "sub"]));
    fs::remove_dir(world.path("docs")).unwrap();
    fs::rename(world.path("away"), world.path("docs")).unwrap();
    let back = backup(&world, 7).ok().record("summary");
    assert_eq!((&back["new_bytes"], &back["files_new"], &back["files_removed"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(marks(&world, "docs"), [("a".to_owned(), None), ("sub".to_owned(), None)]);
    // It was there: a time that was over by now begins anew.
    fs::rename(world.path("docs"), world.path("away")).unwrap();
    fs::create_dir(world.path("docs")).unwrap();
    backup(&world, 20).exits(12);
    backup(&world, 30).exits(12);
    assert_eq!(marks(&world, "docs"), missing(&["a", "sub"]));
}

#[test]
fn what_is_missing_for_two_weeks_is_removed() {
    let world = emptied();
    backup(&world, 2).exits(12);
    backup(&world, 15).exits(12);
    assert_eq!(marks(&world, "docs"), missing(&["a", "sub"]));
    let dry = on(&world, 16, &["backup", "-n", "--json", &world.arg("docs")]).ok().record("summary");
    assert_eq!(dry["files_removed"], 2);
    assert_eq!(marks(&world, "docs").len(), 2);
    let run = on(&world, 16, &["backup", &world.arg("docs")]).ok().says("protect_missing");
    assert!(run.text().contains("2 removed"), "{run}");
    assert!(marks(&world, "docs").is_empty());
    assert_eq!(backup(&world, 17).ok().record("summary")["sources_guarded"], 0);
}

#[test]
fn a_clock_that_jumped_ahead_ends_nothing() {
    let world = emptied();
    backup(&world, 2).exits(12);
    // The server's stands still on the third.
    let serve = format!("{} serve --stdio --vault {}", world.path("bin/tuckbox").display(), world.vault().display());
    let far = world.with_vault(format!("cmd:TUCKBOX_CLOCK=2026-12-03T12:00:00Z exec {serve}"));
    backup(&far, 30).exits(12);
    assert_eq!(marks(&world, "docs"), missing(&["a", "sub"]));
    backup(&world, 30).ok();
}

#[test]
fn the_time_for_what_is_missing_is_set_for_all_and_for_one() {
    let world = emptied();
    let config = |top: &str, own: &str| configure(&world, &format!("{top}\n{}", source(&world, "docs", own)));
    config("protect_missing = '1d'", "protect_missing = '3d'");
    backup(&world, 2).exits(12);
    backup(&world, 4).exits(12);
    config("protect_missing = 0", "");
    backup(&world, 31).exits(12);
    config("protect_missing = '1d'", "");
    backup(&world, 4).ok();
    assert!(marks(&world, "docs").is_empty());
}

#[test]
fn a_source_that_is_gone_altogether() {
    for accepted in [false, true] {
        let world = emptied();
        tree::small(world.path("code"));
        fs::remove_dir(world.path("docs")).unwrap();
        let both = [world.arg("docs"), world.arg("code")];
        let call = |day, more: &[&str]| on(&world, day, &["backup", &both[0], &both[1]]).and(more);
        call(2, &[]).run().exits(12).warns("guard.mass_deletion");
        call(15, &[]).run().exits(12);
        assert_eq!(sources(&world), ["code", "docs"]);
        let run = if accepted { call(15, &["--accept-deletions"]) } else { call(16, &[]) }.ok();
        let run = run.says("is gone, and now recorded as removed");
        assert!(run.text().contains("2 removed"), "{run}");
        assert_eq!(sources(&world), ["code"]);
        call(17, &[]).run().exits(3).warns("source.none");
    }
}

#[test]
fn the_only_source_may_go_too() {
    let world = emptied();
    fs::remove_dir(world.path("docs")).unwrap();
    on(&world, 2, &["backup", &world.arg("docs"), "--accept-deletions"]).ok();
    assert!(sources(&world).is_empty());
    world.tuckbox(["check"]).ok();
    fs::rename(world.path("away"), world.path("docs")).unwrap();
    backup(&world, 3).ok();
    world.restore_all("out");
}

#[test]
fn a_source_that_is_removed_from_the_configuration_stays_a_while() {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    ["docs", "code", "hand"].iter().for_each(|name| drop(tree::small(world.path(name))));
    let both = format!("{}{}", source(&world, "docs", ""), source(&world, "code", ""));
    configure(&world, &both);
    on(&world, 1, &["backup", &world.arg("hand")]).ok();
    on(&world, 1, &["backup"]).ok();
    configure(&world, &source(&world, "docs", ""));
    // Only a run of the whole configuration says what is in it.
    on(&world, 1, &["backup", &world.arg("docs")]).ok();
    on(&world, 2, &["backup"]).ok().says("is not in the configuration any more; its data is kept");
    on(&world, 3, &["backup"]).ok();
    assert_eq!(sources(&world), ["code", "docs", "hand"]);
    // Named again, its time begins anew.
    configure(&world, &both);
    on(&world, 3, &["backup"]).ok();
    configure(&world, &source(&world, "docs", ""));
    on(&world, 4, &["backup"]).ok();
    on(&world, 5, &["backup"]).ok();
    on(&world, 6, &["backup", "-n"]).ok();
    assert_eq!(sources(&world), ["code", "docs", "hand"]);
    on(&world, 6, &["backup"]).ok().says("left out of this version");
    assert_eq!(sources(&world), ["docs", "hand"], "what was backed up by hand was never in the configuration");
    let before = world.tuckbox(["ls", "--at", "previous", &world.arg("code")]).ok();
    assert!(before.text().contains("letter.txt"), "{before}");
}

#[test]
fn a_source_that_is_removed_from_the_configuration_may_stay_for_ever() {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    ["docs", "code"].iter().for_each(|name| drop(tree::small(world.path(name))));
    let top = "delete_redundant_after = 0\n";
    configure(&world, &format!("{top}{}{}", source(&world, "docs", ""), source(&world, "code", "")));
    on(&world, 1, &["backup"]).ok();
    configure(&world, &format!("{top}{}", source(&world, "docs", "")));
    on(&world, 2, &["backup"]).ok();
    world.tuckbox(["backup"]).env("TUCKBOX_CLOCK", "2029-12-01T12:00:00Z").ok();
    assert_eq!(sources(&world), ["code", "docs"]);
}

/// Everything below a directory: names and content.
fn everything(dir: std::path::PathBuf) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = tests::subject::files_below(&dir);
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[test]
fn a_dry_run_decides_and_counts_the_same_and_writes_nothing() {
    let world = emptied();
    tree::small(world.path("code"));
    let top = "protect_missing = '5d'\ndelete_redundant_after = '1d'\n";
    let [docs, code] = ["docs", "code"].map(|name| source(&world, name, "exclude = '*.raw'\nmin_age = '1s'"));
    configure(&world, &format!("{top}{docs}{code}"));
    let call = |day, dry: &[&str]| on(&world, day, &["backup", "--json"]).and(dry).run();
    let same = |day, exit| {
        let before = [world.vault(), world.home()].map(everything);
        let dry = call(day, &["-n"]).exits(exit).record("summary");
        for (was, is) in before.into_iter().zip([world.vault(), world.home()].map(everything)) {
            let names =
                |all: &[(std::path::PathBuf, Vec<u8>)]| all.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
            assert_eq!(names(&was), names(&is), "day {day}");
            // The server counts what goes over the wire, whoever asks for what.
            let counts = |path: &std::path::Path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("activity.db"))
            };
            for (was, is) in was.iter().zip(&is).filter(|(was, _)| !counts(&was.0)) {
                assert!(was == is, "day {day}: {} was written to", was.0.display());
            }
        }
        let real = call(day, &[]).exits(exit).record("summary");
        assert!(dry.get("version_id").is_none() && real.get("version_id").is_some());
        for (name, value) in dry.as_object().unwrap() {
            if ["files_", "dirs_", "source", "changed", "read_", "errors"].iter().any(|begin| name.starts_with(begin)) {
                assert_eq!(*value, real[name], "{name} on day {day}: {dry} {real}");
            }
        }
        real
    };
    assert_eq!(same(2, 12)["sources_guarded"], 1);
    fs::write(world.path("code/letter.txt"), "Dear Bob,\n").unwrap();
    fs::rename(world.path("code/photos"), world.path("code/pictures")).unwrap();
    assert_eq!(same(3, 12)["files_changed"], 1);
    assert_eq!(same(7, 0)["files_removed"], 2, "what was missing");
    configure(&world, &format!("{top}{docs}"));
    same(8, 0);
    assert!(same(9, 0)["files_removed"].as_u64().unwrap() > 2, "what the configuration names no more");
}
