//! A vault that shows another past than it once did is told before anything is written.

use std::fs;
use std::path::PathBuf;

use tests::subject::{files_below, with_ending};
use tests::world::World;
use tests::{pinned, tree};

use crate::world;

/// A machine with so many versions of `docs`.
fn versions(count: usize) -> World {
    let world = world().ready();
    tree::small(world.path("docs"));
    (0..count).for_each(|n| world.another(&n.to_string()));
    world
}

/// Everything in the vault but the catalog, which its own log may stand beside for as long as a server has it open.
fn truth(world: &World) -> Vec<PathBuf> {
    let of_catalog = |file: &PathBuf| file.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"catalog"));
    files_below(&world.path("vault/domains")).into_iter().filter(|file| !of_catalog(file)).collect()
}

/// Whoever checks is told.
fn found(world: &World, code: &str) {
    let check = world.tuckbox(["check", "--json"]).run().exits(10);
    assert!(check.records("finding").iter().any(|finding| finding["code"] == code), "{check}");
}

/// Another machine with the same account.
fn second_machine(world: &World, words: &str) -> World {
    fs::write(world.path("words"), words).unwrap();
    let bob = world.machine("bob").with_vault(world.arg("vault"));
    bob.tuckbox(["key", "recover", "--words-file", &world.arg("words")]).ok();
    bob
}

/// Writing fails so, in the pinned words.
fn told(world: &World, code: &str) {
    let run = world.tuckbox(["backup", &world.arg("docs")]).run().fails(code, 10);
    pinned::check(&format!("errors/{code}"), &run.error());
}

#[test]
fn put_back_to_an_earlier_state() {
    let world = versions(1);
    world.copy("vault", "earlier");
    world.another("later");
    world.copy("earlier", "vault");
    let before = truth(&world);
    told(&world, "history.rollback");
    assert_eq!(truth(&world), before, "nothing may be written");
    let newest = world.tuckbox(["versions", "--json"]).run().records("version").pop();
    let newest = newest.map_or(3, |row| row["sequence"].as_u64().unwrap());
    world.tuckbox(["check", "--accept-history", &newest.to_string()]).ok();
    world.another("and on");
}

#[test]
fn two_copies_that_both_went_on() {
    let world = versions(1);
    world.copy("vault", "copy");
    let bob = world.machine("bob").with_vault(world.arg("copy"));
    fs::write(world.path("words"), world.words()).unwrap();
    bob.tuckbox(["key", "recover", "--words-file", &world.arg("words")]).ok();
    bob.another("on the copy");
    bob.another("and once more");
    world.another("on the vault");
    world.copy("copy", "vault");
    told(&world, "history.fork");
}

#[test]
fn a_link_that_is_missing() {
    let world = versions(2);
    let links = with_ending(&world.vault(), "link");
    fs::remove_file(&links[links.len() - 2]).unwrap();
    found(&world, "history.gap");
}

#[test]
fn a_body_that_is_missing() {
    let world = versions(2);
    let words = world.words();
    let newest =
        with_ending(&world.vault(), "body").into_iter().max_by_key(|f| fs::metadata(f).unwrap().modified().unwrap());
    fs::remove_file(newest.unwrap()).unwrap();
    found(&world, "history.loss");
    // Reading goes on with what is there, and says what is not.
    second_machine(&world, &words).tuckbox(["versions"]).ok().warns("history.loss");
}

/// The catalog still has it: it counts as it was, `check` tells, and a backup puts it back.
#[test]
fn a_link_that_was_altered() {
    let world = versions(2);
    let links = with_ending(&world.vault(), "link");
    let newest = &links[links.len() - 1];
    let good = fs::read(newest).unwrap();
    tests::subject::flip(newest, 130);
    assert!(!world.tuckbox(["versions"]).ok().err().contains("history."));
    world.tuckbox(["check"]).run().exits(10);
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    assert_eq!(fs::read(newest).unwrap(), good);
    world.tuckbox(["check", "--full"]).ok();
}

/// Nobody else has it: it looks as if the vault had been rolled back.
#[test]
fn a_link_that_was_altered_and_is_in_no_catalog() {
    let world = versions(2);
    let links = with_ending(&world.vault(), "link");
    tests::subject::flip(&links[links.len() - 1], 130);
    for file in with_ending(&world.vault(), "db") {
        fs::remove_file(file).unwrap();
    }
    world.tuckbox(["versions"]).ok().warns("history.rollback");
    world.tuckbox(["backup", &world.arg("docs")]).run().fails("history.rollback", 10);
}
