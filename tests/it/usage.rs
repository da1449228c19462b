//! What an account takes: the program's figures against a count of the files by somebody else.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::subject::files_below;
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

/// The same, and what there was before: a connection that ends adds to `activity.db`.
fn usage_of(world: &World, more: &[&str]) -> (Value, u64) {
    let before = counted(&world.vault());
    (usage(world, more), before)
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

/// All files of all accounts but their catalogs, which SQLite writes when nobody looks.
fn counted(vault: &Path) -> u64 {
    let files = files_below(&vault.join("domains")).into_iter();
    let is_catalog = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("catalog.db");
    files.filter(|path| !is_catalog(path)).map(|path| path.metadata().unwrap().len()).sum()
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
