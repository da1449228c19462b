//! A server that lies: nothing wrong is believed, kept or written, nothing hangs, and every lie that matters is told.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tests::subject::{Call, Outcome, files_below};
use tests::tree;
use tests::world::World;

use crate::world;

/// Nothing that a server says makes a client work longer.
const LIMIT: Duration = Duration::from_secs(20);

/// A machine with two versions of `docs`, and a copy of the vault as it was after the first.
fn two_versions() -> World {
    let world = world().ready();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world.command("cp", ["-a", &world.arg("vault"), &world.arg("earlier")]).ok();
    fs::write(world.path("docs/letter.txt"), "another").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

/// The same machine, served by a liar from this vault.
fn lied_to(world: &World, vault: &str, lie: &str) -> World {
    world.with_vault(format!("cmd:'{}' '{}' '{lie}'", env!("CARGO_BIN_EXE_liar"), world.arg(vault)))
}

fn forget(world: &World) {
    fs::remove_dir_all(world.home().join(".cache")).unwrap_or_default();
}

/// A run that ends in time, without a panic and without steering the terminal.
fn calm(call: Call) -> Outcome {
    let outcome = call.limit(LIMIT).run();
    assert!(outcome.code() < 100, "{outcome}");
    assert!(!outcome.err().contains("panicked at"), "{outcome}");
    for text in [&outcome.stdout[..], outcome.err().as_bytes()] {
        let steers = String::from_utf8_lossy(text).chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}');
        assert!(!steers, "{outcome}");
    }
    outcome
}

fn kibibytes(dir: &Path) -> u64 {
    files_below(dir).iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>() / 1024
}

#[test]
fn the_teller_of_the_truth_is_believed() {
    let world = two_versions();
    let liar = lied_to(&world, "vault", "none");
    forget(&world);
    liar.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    assert_eq!(fs::read(world.path("out/docs/letter.txt")).unwrap(), b"another");
    liar.tuckbox(["check", "--full"]).ok();
}

#[test]
fn an_old_state_under_another_vaults_id() {
    let world = two_versions();
    let liar = |vault: &str| lied_to(&world, vault, "other-vault");
    // Held against what was seen under the old one, as after a move from an old copy: told, and nothing is written.
    liar("earlier").tuckbox(["backup", &world.arg("docs")]).run().fails("history.behind", 12);
    assert!(liar("earlier").tuckbox(["versions"]).ok().err().contains("[history.behind"));
    assert!(liar("earlier").tuckbox(["restore", "--to", &world.arg("out")]).ok().err().contains("[history.behind"));
    assert!(liar("earlier").tuckbox(["check"]).run().exits(12).text().contains("history.behind"));
    // Nothing is missing in the newest state, and what goes on from it is pinned.
    liar("vault").tuckbox(["versions"]).ok();
    liar("earlier").tuckbox(["backup", &world.arg("docs")]).run().fails("history.rollback", 10);
}

#[test]
fn a_full_check_believes_only_what_it_opens() {
    let world = two_versions();
    world.tuckbox(["check", "--full"]).ok();
    for lie in ["no-boxes", "same-box", "spoiled-boxes", "groups-gone", "spoiled-groups", "bodies-gone"] {
        calm(lied_to(&world, "vault", lie).tuckbox(["check", "--full"])).exits(10);
    }
}

#[test]
fn records_that_are_not_the_ones() {
    let world = two_versions();
    let right = tests::look::at(world.path("docs"));
    let lies = [
        ("no-boxes", 10),
        ("same-box", 10),
        ("spoiled-boxes", 10),
        ("boxes-of-groups", 10),
        ("giant-record", 10),
        ("groups-gone", 10),
        ("same-group", 1),
        ("spoiled-groups", 10),
        ("swapped-clear", 10),
    ];
    for (lie, exit) in lies {
        forget(&world);
        let to = world.arg(&format!("out-{lie}"));
        let restore = calm(lied_to(&world, "vault", lie).tuckbox(["restore", &world.arg("docs"), "--to", &to]));
        restore.exits(exit);
        // What is there is right.
        let files = files_below(&Path::new(&to).join("docs"));
        for file in files.into_iter().filter(|file| fs::symlink_metadata(file).unwrap().is_file()) {
            let name = file.strip_prefix(Path::new(&to).join("docs")).unwrap();
            let bytes = fs::read(world.path("docs").join(name)).unwrap();
            assert!(fs::read(&file).unwrap() == bytes, "{lie}: {}", file.display());
        }
    }
    right.same_as(&tests::look::at(world.path("docs")));
}

#[test]
fn answers_without_end() {
    let world = two_versions();
    for lie in ["endless-groups", "endless-boxes"] {
        let liar = lied_to(&world, "vault", lie);
        for verb in [&["restore", "--to", "out"][..], &["check", "--full"]] {
            forget(&world);
            calm(liar.tuckbox(verb)).fails("net.protocol", 1);
            assert!(kibibytes(&world.home()) < 10_000);
        }
    }
}

#[test]
fn numbers_without_measure_and_texts_that_steer() {
    let world = two_versions();
    let lies = [
        "earliest",
        "latest",
        "huge-head",
        "huge-numbers",
        "huge-acks",
        "huge-bytes",
        "huge-check",
        "latest-receipt",
        "earliest-receipt",
        "steering-name",
        "steering-slots",
        "refuse:open",
        "refuse:net.lost",
        "rubbish",
        "silence",
        // Said and not so: links without end, chunks that nobody asked for, slots that would take all memory.
        "more-links",
        "no-boxes-said",
        "bombs",
        "steering-names",
        "bodies-swapped",
    ];
    for lie in lies {
        let machine = lied_to(&world, "vault", lie);
        for verb in [&["versions"][..], &["doctor"], &["check"], &["key", "list"]] {
            forget(&world);
            calm(machine.tuckbox(verb));
        }
        calm(machine.tuckbox(["backup", &world.arg("docs")]));
    }
}

#[test]
fn a_chain_that_is_not_the_one() {
    let world = two_versions();
    for lie in ["other-account", "other-domain", "no-key-check", "changing-vault", "links-spoiled"] {
        forget(&world);
        let restore = calm(lied_to(&world, "vault", lie).tuckbox(["restore", "--to", &world.arg("out")]));
        assert_ne!(restore.code(), 0, "{restore}");
        assert!(!world.path("out").exists() || files_below(&world.path("out")).is_empty(), "{restore}");
    }
}

#[test]
fn commits_that_never_come_about() {
    let world = two_versions();
    let lies = [
        "nothing-lacks",
        "short-answers",
        "always-lacking",
        "lacking-what-nobody-has",
        "always-conflict",
        "other-link",
    ];
    for (n, lie) in lies.into_iter().enumerate() {
        fs::write(world.path("docs/letter.txt"), format!("one more {n}").repeat(9999)).unwrap();
        let backup = calm(lied_to(&world, "vault", lie).tuckbox(["backup", &world.arg("docs")]));
        assert_ne!(backup.code(), 0, "{backup}");
        world.tuckbox(["check", "--full"]).ok();
    }
    world.tuckbox(["backup", &world.arg("docs")]).ok();
}
