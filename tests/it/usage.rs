//! What an account takes: the program's figures against a count of the files by somebody else.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::subject::{Outcome, files_below};
use tests::world::World;

use crate::world;

/// A machine with four versions of a source: what all have came with the first, so that its box is current for ever.
fn used() -> World {
    let world = world().ready();
    let docs = world.dir("docs");
    let noise = |seed: u64| -> Vec<u8> {
        let mut state = 2 * seed + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        (0..60_000).map(|_| next()).collect()
    };
    fs::write(docs.join("same"), noise(99)).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    for (at, name) in (0u64..3).zip(["a", "b", "c"]) {
        fs::write(docs.join("changed"), noise(at + 1)).unwrap();
        fs::write(docs.join(name), noise(at + 20)).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).ok();
        fs::remove_file(docs.join(name)).unwrap();
    }
    world
}

fn usage(world: &World, more: &[&str]) -> Value {
    world.tuckbox(["usage", "--json"]).and(more).ok().record("usage")
}

/// The same, and what there is after it: whoever opens a vault first clears what an ended session left.
fn usage_of(world: &World, more: &[&str]) -> (Value, u64) {
    let seen = usage(world, more);
    (seen, counted(&world.vault().join("domains")))
}

fn bytes(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("{field} in {record}"))
}

fn total(record: &Value) -> u64 {
    ["current", "history", "trash", "metadata", "unreferenced"]
        .iter()
        .map(|class| bytes(record, &format!("{class}_bytes")))
        .sum()
}

/// All files there but databases, which SQLite writes when nobody looks.
fn counted(folder: &Path) -> u64 {
    let is_database = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("catalog.db") || name.starts_with("activity.db")
    };
    files_below(folder).iter().filter(|path| !is_database(path)).map(|path| path.metadata().unwrap().len()).sum()
}

#[test]
fn classes_add_up_to_the_files_of_the_vault() {
    let world = used();
    let vault = world.vault();
    let (seen, there) = usage_of(&world, &[]);
    assert_eq!(total(&seen), bytes(&seen, "total_bytes"));
    assert_eq!(bytes(&seen, "total_bytes"), bytes(&seen, "now_bytes"));
    assert_eq!(total(&seen) - bytes(&seen, "catalog_bytes"), there);
    let packs = files_below(&vault).into_iter().filter(|path| path.extension().is_some_and(|end| end == "pack"));
    assert_eq!(bytes(&seen, "pack_bytes"), packs.map(|path| path.metadata().unwrap().len()).sum::<u64>());
    // Three files of 60,000 bytes each; of two older versions two files each. Noise is stored raw.
    assert!((180_000..200_000).contains(&bytes(&seen, "current_bytes")), "{seen}");
    assert!((240_000..260_000).contains(&bytes(&seen, "history_bytes")), "{seen}");
    assert_eq!((bytes(&seen, "trash_bytes"), bytes(&seen, "versions")), (0, 4));
    assert!(seen["oldest_at"].as_str() < seen["newest_at"].as_str());

    world.tuckbox(["forget", "previous"]).ok();
    let (forgotten, there) = usage_of(&world, &["--exact"]);
    assert!((120_000..130_000).contains(&bytes(&forgotten, "trash_bytes")), "{forgotten}");
    assert_eq!(
        bytes(&forgotten, "trash_bytes") / 1000 + bytes(&forgotten, "history_bytes") / 1000,
        bytes(&seen, "history_bytes") / 1000,
        "{forgotten}"
    );
    assert_eq!(total(&forgotten) - bytes(&forgotten, "catalog_bytes"), there);
    world.tuckbox(["housekeep"]).ok();
    let (kept, there) = usage_of(&world, &[]);
    assert_eq!(bytes(&kept, "current_bytes"), bytes(&forgotten, "current_bytes"));
    assert_eq!(total(&kept) - bytes(&kept, "catalog_bytes"), there);
}

#[test]
fn people_shells_and_scripts_are_told_the_same() {
    let world = used();
    world.tuckbox(["account", "set", "ana", "--soft", "1k", "--hard", "1G"]).ok();
    let told = world.tuckbox(["usage"]).ok();
    for line in ["current ", "history ", "trash ", "metadata ", "unreferenced ", "total ", "ana: 4 versions, from "] {
        assert!(told.text().lines().any(|told| told.starts_with(line)), "{line}: {}", told.text());
    }
    assert!(told.text().contains("soft limit 1.0 KiB: ") && told.text().contains("more than that"), "{}", told.text());
    assert!(told.text().contains("hard limit 1.0 GiB: ") && told.text().contains("free on the vault's disk"));
    let script = world.tuckbox(["query", "-c", "cd /", "-c", "usage", "--json"]).ok();
    let alone = usage(&world, &[]);
    for field in ["account", "current_bytes", "history_bytes", "versions", "hard_bytes"] {
        assert_eq!(script.record("usage")[field], alone[field]);
    }
    let shaped = world.tuckbox(["usage", "--format", "{versions} of {account}\\n"]).ok();
    assert_eq!(shaped.text(), "4 of ana\n");
}

#[test]
fn who_may_ask_and_who_not() {
    let world = used();
    world.tuckbox(["account", "create", "bob"]).ok();
    // Nobody's key is needed: a machine without any looks at each account of the vault.
    let other = world.machine("admin");
    assert_eq!(usage(&other, &["--account", "ana"])["versions"], 4);
    let empty = usage(&other, &["--account", "bob"]);
    assert_eq!((&empty["versions"], &empty["oldest_at"]), (&0.into(), &Value::Null));
    assert_eq!(total(&empty), bytes(&empty, "now_bytes"));
    other.tuckbox(["usage", "--account", "eve"]).run().fails("account.none", 5);
    let through = |role: &str| {
        let serve = format!("serve --stdio --vault {} --account ana --role {role}", world.arg("vault"));
        world.with_vault(format!("cmd:{} {serve}", world.arg("bin/tuckbox")))
    };
    for role in ["read", "backup", "admin"] {
        assert_eq!(usage(&through(role), &[])["versions"], 4, "{role}");
    }
    through("append").tuckbox(["usage"]).run().fails("policy.role", 12);
}

/// The program on a day of December 2026, at noon.
fn on(world: &World, day: u32, words: &[&str]) -> Outcome {
    world.tuckbox(words).env("TUCKBOX_CLOCK", format!("2026-12-{day:02}T12:00:00Z")).ok()
}

#[test]
fn an_administrator_sees_who_takes_what_and_how_it_grows() {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    let docs = world.dir("docs");
    for day in 1..=12 {
        let noise: Vec<u8> =
            (0..25_000u32).flat_map(|at| (at ^ (day << 16)).wrapping_mul(2_654_435_769).to_le_bytes()).collect();
        fs::write(docs.join(day.to_string()), noise).unwrap();
        on(&world, day, &["backup", &world.arg("docs")]);
    }
    on(&world, 12, &["account", "create", "bob"]);
    on(&world, 12, &["account", "set", "ana", "--hard", "10M"]);
    on(&world, 12, &["group", "create", "office"]);
    on(&world, 12, &["group", "add", "office", "ana", "bob"]);
    let seen = on(&world, 12, &["report", "space", "--exact", "--json"]);
    let there = counted(&world.vault().join("domains"));
    let rows = seen.records("space");
    let scopes: Vec<_> =
        rows.iter().map(|row| (row["scope"].as_str().unwrap(), row["name"].as_str().unwrap())).collect();
    assert_eq!(scopes, [("account", "ana"), ("account", "bob"), ("group", "office"), ("volume", "0"), ("vault", "")]);
    let [ana, bob, office, _, vault] = &rows[..] else { panic!() };
    for row in [ana, bob, office, vault] {
        assert_eq!((total(row), total(row)), (bytes(row, "total_bytes"), bytes(row, "now_bytes")));
    }
    assert_eq!(total(office), total(ana) + total(bob));
    let alone = on(&world, 12, &["usage", "--json"]).record("usage");
    for field in ["current_bytes", "history_bytes", "trash_bytes", "unreferenced_bytes", "versions", "hard_bytes"] {
        assert_eq!(ana[field], alone[field], "{field}");
    }
    let accounts = total(ana) + total(bob);
    assert_eq!(accounts - bytes(vault, "catalog_bytes"), there);
    // The vault's own file, groups and the databases beside them.
    assert!((1..200_000).contains(&(total(vault) - accounts)), "{vault}");
    assert!(bytes(vault, "free_bytes") > 0 && ana["free_bytes"].is_null());
    // A file of 100,000 bytes a day; the first week's catalog grows beside it.
    let growth = ana["growth_7d"].as_i64().unwrap();
    assert!((100_000..140_000).contains(&growth), "{ana}");
    assert!(bob["growth_7d"].is_null() && vault["growth_7d"] == ana["growth_7d"]);
    let left = (10 << 20) - bytes(ana, "pack_bytes");
    assert_eq!(bytes(ana, "days_left"), left / ana["growth_30d"].as_u64().unwrap());

    let told = on(&world, 12, &["report", "space"]);
    assert!(
        told.text().contains("account ana: at its hard limit in ") && told.text().contains("free on the vault's disk")
    );
    let sheet = on(&world, 12, &["report", "space", "--format", "csv"]);
    let lines: Vec<&str> = sheet.text().lines().collect();
    assert_eq!(lines.len(), 6, "{}", sheet.text());
    assert!(lines[0].starts_with("scope,name,accounts,") && lines[1].starts_with("account,ana,1,0,2026-12-"));
}

#[test]
fn a_report_is_for_administrators_and_tells_what_it_cannot() {
    let world = used();
    world.tuckbox(["account", "create", "bob"]).ok();
    let through = |words: &str| {
        let serve = format!("serve --stdio --vault {} {words}", world.arg("vault"));
        world.with_vault(format!("cmd:{} {serve}", world.arg("bin/tuckbox")))
    };
    through("--role read").tuckbox(["report", "space"]).run().fails("policy.role", 12);
    through("--role admin --account ana").tuckbox(["report", "space"]).run().fails("policy.role", 12);
    assert_eq!(through("--role admin").tuckbox(["report", "space", "--json"]).ok().records("space").len(), 4);
    // A catalog of a later time: the others are told all the same.
    let list = world.tuckbox(["account", "info", "ana", "--json"]).ok().record("account");
    let domains = world.vault().join("domains");
    for domain in fs::read_dir(&domains).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        if files_below(&domain).iter().any(|path| path.extension().is_some_and(|end| end == "pack")) {
            let catalog = rusqlite::Connection::open(domain.join("catalog.db")).unwrap();
            catalog.execute("UPDATE meta SET value = 99 WHERE key = 'schema'", []).unwrap();
        }
    }
    assert_eq!(list["account"], "ana");
    let part = world.tuckbox(["report", "space", "--json"]).run().exits(11);
    let unknown: Vec<_> = part.records("space").iter().map(|row| row["unknown"].as_u64().unwrap()).collect();
    assert_eq!(unknown, [0, 1, 0, 1]);
    let told = world.tuckbox(["report", "space"]).run().exits(11).error();
    assert!(told.contains("what ana takes is in no sum"), "{told}");
}

#[test]
fn history_is_told_apart_by_who_holds_the_key() {
    let world = world().ready();
    let docs = world.dir("docs");
    let noise = |seed: u32| -> Vec<u8> {
        (0..25_000u32).flat_map(|at| (at ^ (seed << 16)).wrapping_mul(2_654_435_769).to_le_bytes()).collect()
    };
    let back_up = || drop(world.tuckbox(["backup", &world.arg("docs")]).ok());
    let put = |name: &str, seed: u32| fs::write(docs.join(name), noise(seed)).unwrap();
    fs::create_dir_all(docs.join("sub/deep")).unwrap();
    // A box for each, so that each is counted for itself: one backup brings one file.
    put("stays", 1);
    back_up();
    put("changes", 2);
    back_up();
    put("sub/deep/goes", 3);
    back_up();
    put("becomes", 4);
    back_up();
    // Old: one state of what is still there.
    put("changes", 5);
    back_up();
    // Both: a state of what is still there that stood at a path that is gone, too.
    put("changes", 6);
    back_up();
    put("copy", 6);
    put("changes", 7);
    back_up();
    fs::remove_dir_all(docs.join("sub")).unwrap();
    fs::remove_file(docs.join("copy")).unwrap();
    fs::remove_file(docs.join("becomes")).unwrap();
    fs::create_dir(docs.join("becomes")).unwrap();
    back_up();
    let seen = usage(&world, &["--classes"]);
    let near = |field: &str, files: u64| {
        let found = bytes(&seen, field);
        assert!((files * 100_000..files * 103_000 + 1).contains(&found), "{field}: {files} files, {found} bytes");
    };
    near("current_bytes", 2);
    // 2 and 5 in `changes`, 4 where a directory is now.
    near("old_bytes", 3);
    near("deleted_bytes", 1);
    near("both_bytes", 1);
    assert_eq!(bytes(&seen, "other_bytes"), 0);
    let parts: u64 = ["old_bytes", "deleted_bytes", "both_bytes"].iter().map(|part| bytes(&seen, part)).sum();
    assert_eq!(parts, bytes(&seen, "history_bytes"));
    let plain = usage(&world, &["--exact"]);
    for field in ["current_bytes", "history_bytes", "trash_bytes", "unreferenced_bytes", "versions"] {
        assert_eq!(seen[field], plain[field], "{field}");
    }
    assert!(plain["old_bytes"].is_null());
    let told = world.tuckbox(["usage", "--classes"]).ok();
    assert!(
        told.text().contains("\n  old ") && told.text().contains("\n  both ") && !told.text().contains("\n  other ")
    );

    // Whoever has no key cannot know it; whoever only adds may not ask.
    world.machine("admin").tuckbox(["usage", "--classes", "--account", "ana"]).run().fails("key.none", 7);
    let serve = format!("cmd:{} serve --stdio --vault {} --role append", world.arg("bin/tuckbox"), world.arg("vault"));
    world.with_vault(serve).tuckbox(["usage", "--classes"]).run().exits(12);
    // A second source, and nothing of the first: all of it is gone.
    let other = world.dir("other");
    fs::write(other.join("one"), noise(9)).unwrap();
    world.tuckbox(["backup", &world.arg("other")]).ok();
    let two = usage(&world, &["--classes"]);
    assert_eq!(
        (&two["old_bytes"], &two["deleted_bytes"], &two["both_bytes"]),
        (&seen["old_bytes"], &seen["deleted_bytes"], &seen["both_bytes"])
    );
    assert_eq!(two["other_bytes"], 0);
}
