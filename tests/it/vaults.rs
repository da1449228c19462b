//! What holds for many accounts at once: limits of groups, checks of all, an account that moves to another vault, people
//! who guess, and a disk that is full.

use std::fs;

use tests::look;
use tests::need;
use tests::net::Net;
use tests::sshd::Setup;
use tests::subject::files_below;
use tests::tree::Seeded;
use tests::world::World;

use crate::world;

/// Three machines, each with an account and a version in one vault.
fn machines() -> [World; 3] {
    let ana = world().ready();
    let others = ["bob", "eve"].map(|name| ana.machine(name).with_vault(ana.arg("vault")));
    let [bob, eve] = others;
    for world in [&bob, &eve] {
        world.tuckbox(["init"]).ok();
    }
    for (world, seed) in [(&ana, 1), (&bob, 2), (&eve, 3)] {
        let own = world.dir(format!("docs-{seed}"));
        fs::write(own.join("noise"), Seeded::new(seed).bytes(300_000)).unwrap();
        world.tuckbox(["backup", &world.arg(&format!("docs-{seed}"))]).ok();
    }
    [ana, bob, eve]
}

#[test]
fn above_its_group_s_hard_limit_no_member_brings_anything() {
    let [ana, bob, eve] = machines();
    ana.tuckbox(["group", "create", "office"]).ok();
    ana.tuckbox(["group", "add", "office", "ana", "bob"]).ok();
    ana.tuckbox(["group", "set", "office", "--hard", "1M", "--soft", "900k"]).ok();
    ana.tuckbox(["group", "set", "office", "--soft", "2M"]).run().fails("usage", 2);
    ana.tuckbox(["group", "set", "offic", "--soft", "2M"]).run().fails("group.none", 5);
    let info = || ana.tuckbox(["group", "info", "office", "--json"]).ok().record("group").clone();
    assert_eq!((info()["hard_bytes"].as_u64(), info()["soft_bytes"].as_u64()), (Some(1 << 20), Some(900 << 10)));
    let stored = |of: &str| {
        let info = ana.tuckbox(["account", "info", of, "--json"]).ok();
        info.record("account")["stored_bytes"].as_u64().unwrap()
    };
    assert_eq!(info()["stored_bytes"].as_u64(), Some(stored("ana") + stored("bob")));
    let list = ana.tuckbox(["group", "list", "--figures", "--json"]).ok();
    assert_eq!(list.record("group")["stored_bytes"], info()["stored_bytes"]);

    // More than both together may have: refused, by the group's name, with numbers.
    for (world, docs) in [(&ana, "docs-1"), (&bob, "docs-2")] {
        fs::write(world.path(docs).join("more"), Seeded::new(9).bytes(900_000)).unwrap();
        let refused = world.tuckbox(["backup", &world.arg(docs)]).run().fails("quota.hard", 9);
        assert!(refused.error().contains("the group office is full"), "{}", refused.error());
        assert!(refused.error().contains("of 1.0 MiB"), "{}", refused.error());
    }
    assert!(stored("ana") + stored("bob") <= 1 << 20);
    // Who is in no group is not held by one.
    fs::write(eve.path("docs-3").join("more"), Seeded::new(9).bytes(900_000)).unwrap();
    eve.tuckbox(["backup", &eve.arg("docs-3")]).ok();
    ana.tuckbox(["group", "set", "office", "--hard", "none"]).ok();
    ana.tuckbox(["backup", &ana.arg("docs-1")]).ok();
    ana.tuckbox(["check"]).ok();
}

#[test]
fn a_check_of_all_accounts_names_the_damaged_one() {
    let [ana, bob, _eve] = machines();
    ana.tuckbox(["account", "check"]).run().fails("usage", 2);
    let all = ana.tuckbox(["account", "check", "--all", "--read-data", "--json"]).ok();
    let results: Vec<_> = all.records("account_check").iter().map(|row| row["result"].clone()).collect();
    assert_eq!(results, ["ok", "ok", "ok"]);
    // Bob's data: a byte in the middle of his largest pack.
    let id = ana.tuckbox(["account", "info", "bob", "--json"]).ok().record("account")["number"].clone();
    let number = format!("{:0>8}", id.as_str().unwrap().trim_start_matches("0x"));
    let of_bob = |path: &std::path::Path| path.ancestors().any(|above| above.join("accounts").join(&number).is_dir());
    let packs = files_below(&ana.vault().join("domains")).into_iter();
    let packs = packs.filter(|path| path.extension().is_some_and(|e| e == "pack") && of_bob(path));
    let pack = packs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();

    let all = ana.tuckbox(["account", "check", "--all", "--read-data"]).run().exits(10);
    let lines: Vec<&str> = all.text().lines().collect();
    let starting = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((starting("OK "), starting("ERR account=bob check=stored")), (2, 1), "{all}");
    let one = ana.tuckbox(["account", "check", "bob", "--json"]).run().exits(10);
    assert_eq!(one.record("account_check")["code"], "data.damaged");
    bob.tuckbox(["check"]).run().exits(10);
}

/// A new vault of somebody else, with an account.
fn new_vault(world: &World) -> World {
    let keeper = world.machine("keeper").with_vault(world.arg("new"));
    keeper.tuckbox(["init"]).ok();
    keeper
}

#[test]
fn an_account_moves_to_another_vault_and_its_client_changes_the_address_and_nothing_else() {
    let [ana, ..] = machines();
    let before = look::at(ana.path("docs-1"));
    let archive = ana.arg("ana.archive");
    let dumped = ana.tuckbox(["account", "dump", "ana", "--to", &archive, "--json"]).ok();
    assert_eq!(dumped.record("account_dump")["bytes"].as_u64(), Some(fs::metadata(&archive).unwrap().len()));
    ana.tuckbox(["account", "dump", "ana", "--to", &archive]).run().fails("usage", 2);
    ana.tuckbox(["account", "dump", "ana", "--json"]).run().exits(2);
    ana.tuckbox(["account", "dump", "nobody", "--to", &ana.arg("x")]).run().fails("account.none", 5);
    assert!(!ana.path("x").exists() && !ana.path("x.partial").exists());

    let keeper = new_vault(&ana);
    let taken = keeper.tuckbox(["account", "load", &archive]).run().fails("usage", 2);
    assert!(taken.error().contains("number 0x1") && taken.error().contains("--number"), "{}", taken.error());
    keeper.tuckbox(["account", "load", &archive, "--number", "2", "--name", "keeper"]).run().fails("usage", 2);
    keeper.tuckbox(["account", "load", &archive, "--number", "2", "--hard", "1k"]).run().fails("quota.hard", 9);
    // Cut off, or altered: refused, and nothing is there.
    let bytes = fs::read(&archive).unwrap();
    let mut altered = bytes.clone();
    altered[bytes.len() / 2] ^= 1;
    for bad in [&bytes[..bytes.len() - 40], &altered, b"not an archive"] {
        fs::write(keeper.path("bad"), bad).unwrap();
        keeper.tuckbox(["account", "load", &keeper.arg("bad"), "--number", "2"]).run().fails("data.damaged", 10);
    }
    assert_eq!(keeper.tuckbox(["account", "list", "--json"]).ok().records("account").len(), 1);
    let loaded = keeper.tuckbox(["account", "load", "-", "--number", "2", "--json"]).stdin(bytes).ok();
    assert_eq!(loaded.record("account_load")["damaged"], 0);
    keeper.tuckbox(["account", "check", "--all", "--read-data"]).ok();

    // The key that was there, the new address.
    let moved = ana.with_vault(ana.arg("new"));
    assert_eq!(moved.tuckbox(["versions", "--json"]).ok().records("version").len(), 1);
    moved.tuckbox(["restore", "--to", &ana.arg("back")]).ok();
    fs::write(ana.path("docs-1/new"), "new").unwrap();
    let summary = moved.tuckbox(["backup", &ana.arg("docs-1"), "--json"]).ok();
    assert!(summary.record("summary")["new_bytes"].as_u64().unwrap() < 1_000_000);
    moved.tuckbox(["check", "--full"]).ok();
    let back = ana.path("back").join(ana.path("docs-1").strip_prefix("/").unwrap());
    before.same_as(&look::at(back));
    // What goes on in the new vault is no rollback of the old one, nor the other way round; who looks there is told.
    ana.tuckbox(["versions"]).ok().warns("history.behind");
    assert_eq!(moved.tuckbox(["versions"]).ok().err(), "");
}

/// With another vault's id the past is no more believed than with its own.
#[test]
fn a_vault_that_changes_its_id_back_is_behind() {
    let [ana, ..] = machines();
    let archive = ana.arg("ana.archive");
    ana.tuckbox(["account", "dump", "ana", "--to", &archive]).ok();
    let keeper = new_vault(&ana);
    keeper.tuckbox(["account", "load", &archive, "--number", "2"]).ok();
    let swap = || {
        fs::rename(ana.path("vault"), ana.path("aside")).unwrap();
        fs::rename(ana.path("new"), ana.path("vault")).unwrap();
        fs::rename(ana.path("aside"), ana.path("new")).unwrap();
    };
    swap();
    ana.tuckbox(["backup", &ana.arg("docs-1")]).ok();
    swap();
    let refused = ana.tuckbox(["backup", &ana.arg("docs-1")]).run().fails("history.behind", 12);
    let newest =
        refused.error().split("--accept-history ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    ana.tuckbox(["versions"]).ok().warns("history.behind");
    ana.tuckbox(["check"]).run().exits(12);
    // Also on a machine that has nothing but the pins of that one.
    let pins = ana.arg("pins");
    let moved = ana.with_vault(ana.arg("new"));
    moved.tuckbox(["versions"]).env("TUCKBOX_PIN_FILE", &pins).ok();
    fs::write(ana.path("words"), ana.words()).unwrap();
    let fresh = ana.machine("fresh");
    let recover = fresh.tuckbox(["key", "recover", "--words-file", &ana.arg("words")]);
    recover.env("TUCKBOX_PIN_FILE", &pins).run().fails("history.behind", 12);

    // Taken as the true one, it goes its own way, and so does the other: nobody is asked twice.
    ana.tuckbox(["check", "--accept-history", &newest]).ok();
    for round in 0..2 {
        fs::write(ana.path("docs-1/new"), [round]).unwrap();
        ana.tuckbox(["backup", &ana.arg("docs-1")]).ok();
        moved.tuckbox(["backup", &ana.arg("docs-1")]).ok();
    }
    ana.tuckbox(["check", "--full"]).ok();
    moved.tuckbox(["check", "--full"]).ok();
}

#[test]
fn a_dump_that_is_behind_is_told_before_anything_is_written() {
    let [ana, ..] = machines();
    let archive = ana.arg("ana.archive");
    ana.tuckbox(["account", "dump", "ana", "--to", &archive]).ok();
    fs::write(ana.path("docs-1/later"), "later").unwrap();
    ana.tuckbox(["backup", &ana.arg("docs-1")]).ok();
    let pin = ana.tuckbox(["key", "pin", "--json"]).ok().record("pin")["pin"].as_str().unwrap().to_owned();
    let keeper = new_vault(&ana);
    keeper.tuckbox(["account", "load", &archive, "--number", "2"]).ok();
    let moved = ana.with_vault(ana.arg("new"));
    // This machine remembers what it saw in the other vault; one that never was there has the pin on paper.
    let refused = moved.tuckbox(["backup", &ana.arg("docs-1")]).run().fails("history.behind", 12);
    assert!(refused.error().contains("another vault"), "{}", refused.error());
    moved.tuckbox(["restore", "--to", &ana.arg("back")]).ok();
    let behind = moved.tuckbox(["check", "--pin", &pin]).run().exits(12);
    assert!(behind.text().contains("history.behind"), "{behind}");
    let newest = behind.text().lines().find_map(|line| line.split("--accept-history ").nth(1)).unwrap().to_owned();
    moved.tuckbox(["check", "--accept-history", newest.trim()]).ok();
    moved.tuckbox(["backup", &ana.arg("docs-1")]).ok();
}

#[test]
fn accounts_are_dumped_and_loaded_from_afar() {
    let [ana, ..] = machines();
    let keeper = new_vault(&ana);
    let Some(net) = Net::of(&ana) else { return };
    // Many windows long.
    fs::write(ana.path("docs-1/film"), Seeded::new(4).bytes(60 << 20)).unwrap();
    ana.tuckbox(["backup", &ana.arg("docs-1")]).ok();
    let far = |vault: &str| net.at(&ana.arg(vault));
    let archive = ana.arg("ana.archive");
    far("vault").tuckbox(["account", "dump", "ana", "--to", &archive]).ok();
    far("new").tuckbox(["account", "load", &archive, "--number", "2"]).ok();
    far("new").tuckbox(["account", "load", &archive, "--number", "3"]).run().fails("usage", 2);
    far("new").tuckbox(["account", "check", "ana", "--read-data"]).ok();
    far("new").tuckbox(["restore", "--to", &ana.arg("back")]).ok();
    let back = ana.path("back").join(ana.path("docs-1").strip_prefix("/").unwrap());
    look::at(ana.path("docs-1")).same_as(&look::at(back));
    keeper.tuckbox(["account", "check", "--all"]).ok();
}

#[test]
fn who_guesses_is_answered_ever_more_slowly_and_written_down() {
    let [ana, ..] = machines();
    // A clock that stands lets the time go by at once.
    let command = format!(
        "env TUCKBOX_CLOCK=2036-01-01T00:00:00Z {} serve --stdio --vault={} --role=read",
        ana.arg("bin/tuckbox"),
        ana.arg("vault"),
    );
    let net = Net::with(&ana, |setup| {
        let lines = setup.authorized.iter().map(|key| format!("restrict,command=\"{command}\" {key}")).collect();
        *setup = Setup { authorized: lines, ..Setup::default() };
    });
    let Some(net) = net else { return };
    let far = net.at("");
    for number in 0..7 {
        far.tuckbox(["versions", "--account", &format!("guess-{number}")]).run().fails("account.none", 5);
    }
    far.tuckbox(["backup", &ana.arg("docs-1"), "--account", "ana"]).run().fails("policy.role", 12);
    // What is right is answered at once, and what comes by no line is not counted.
    far.tuckbox(["versions", "--account", "ana"]).ok();
    ana.tuckbox(["versions", "--account", "guess-0"]).run().fails("account.none", 5);
    let log = ana.tuckbox(["account", "refused", "--json"]).ok().records("refusal");
    let waited: Vec<_> = log.iter().map(|row| row["waited_ms"].as_u64().unwrap()).collect();
    assert_eq!(waited, [0, 0, 0, 0, 0, 1_000, 2_000, 4_000]);
    assert!(log.iter().all(|row| row["address"] == "127.0.0.1"));
    assert_eq!((&log[0]["account"], &log[0]["code"]), (&"guess-0".into(), &"account.none".into()));
    assert_eq!(log[7]["code"], "policy.role");
}

#[test]
fn a_full_disk_still_forgets_deletes_and_keeps_house() {
    let world = world();
    fs::create_dir(world.path("small")).unwrap();
    let Some(_disk) = need::mount_tmpfs(&world.path("small"), "24m") else { return };
    let world = world.with_vault(world.arg("small/vault"));
    let on = |day: u32| world.with_env("TUCKBOX_CLOCK", format!("2036-01-{day:02}T12:00:00Z"));
    on(1).tuckbox(["init"]).ok();
    let docs = world.dir("docs");
    // A new film each day, the old one goes: until the disk is full.
    let mut full = false;
    for day in 1..9 {
        fs::write(docs.join("film"), Seeded::new(day.into()).bytes(5 << 20)).unwrap();
        let run = on(day).tuckbox(["backup", &world.arg("docs")]).run();
        full |= run.code() == 9;
        assert!(run.code() == 0 || run.err().contains("[disk.full"), "{run}");
    }
    assert!(full, "it never was");
    // By us, not by chance: something is left, and that is enough.
    let versions = on(9).tuckbox(["versions", "--json"]).ok().records("version");
    let old: Vec<&str> = versions[..versions.len() - 1].iter().map(|row| row["id"].as_str().unwrap()).collect();
    on(9).tuckbox(["forget", "--yes"].into_iter().chain(old)).ok();
    for day in [24, 26, 28, 30] {
        on(day).tuckbox(["pin", "latest"]).ok();
        on(day).tuckbox(["housekeep", "--yes"]).ok();
    }
    on(31).tuckbox(["backup", &world.arg("docs")]).ok();
    on(31).tuckbox(["check", "--full"]).ok();
}
