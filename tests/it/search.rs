//! What was where, and when: find, history, which.

use std::fs;

use tests::tree;
use tests::world::World;

use crate::world;

/// Three versions: `a/x` changes and changes back, `photo.jpg` is deleted, `new/y` comes.
fn three() -> World {
    let world = world().ready();
    let docs = tree::Tree::at(world.path("docs"));
    docs.dir("a").file("x", "first");
    docs.dir("b").file("keep", "always");
    docs.file("photo.jpg", vec![7; 300_000]);
    drop(docs.age());
    let backup = |at: &str| {
        let run = world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions"]);
        run.env("TUCKBOX_CLOCK", at).ok();
    };
    backup("2026-11-18T09:00:00Z");
    fs::write(world.path("docs/a/x"), "second, longer").unwrap();
    fs::remove_file(world.path("docs/photo.jpg")).unwrap();
    backup("2026-11-18T10:00:00Z");
    fs::write(world.path("docs/a/x"), "first").unwrap();
    tree::Tree::at(world.path("docs")).dir("new").file("y", "y");
    backup("2026-11-18T11:00:00Z");
    world
}

/// Paths below `docs`, with what else is asked for.
fn found(world: &World, words: &[&str]) -> Vec<String> {
    let run = world.tuckbox(["find"]).and(words).and(["--json"]).ok();
    let docs = world.arg("docs");
    let rows = run.records("entry").into_iter().map(|row| {
        let path = row["path"].as_str().unwrap().strip_prefix(&docs).unwrap().to_owned();
        let deleted = if row["deleted"] == true { " deleted" } else { "" };
        format!("{path} {}{deleted}", row["sequence"])
    });
    rows.collect()
}

#[test]
fn names_in_one_version_and_in_all() {
    let world = three();
    let found = |words: &[&str]| found(&world, words);
    assert_eq!(found(&["x"]), ["/a/x 5"]);
    assert_eq!(found(&["*.jpg"]), [""; 0]);
    assert_eq!(found(&["*.jpg", "--at", "latest~2"]), ["/photo.jpg 3"]);
    assert_eq!(found(&["*.jpg", "--all-versions"]), ["/photo.jpg 3 deleted"]);
    assert_eq!(found(&["*", "--deleted"]), ["/photo.jpg 3 deleted"]);
    assert_eq!(found(&["x", "-a"]).len(), 3, "three states: the last has another time than the first");
    assert_eq!(found(&["keep", "-a"]), ["/b/keep 5"], "what did not change comes once");
    assert_eq!(found(&["*", &world.arg("docs/new"), "--all-versions"]), ["/new 5", "/new/y 5"]);
    assert_eq!(found(&["?", "--kind", "file"]), ["/a/x 5", "/new/y 5"]);
    assert_eq!(found(&["*", "-t", "d", &world.arg("docs/b")]), ["/b 5"]);
    assert_eq!(found(&["X", "-i"]), ["/a/x 5"]);
    assert_eq!(found(&["--regex", "^[kx]"]), ["/a/x 5", "/b/keep 5"]);
    assert_eq!(found(&["--regex", "--path", "/docs/(a|b)/"]), ["/a/x 5", "/b/keep 5"]);
    assert_eq!(found(&["b/k*"]), ["/b/keep 5"]);
    assert_eq!(found(&["*", "--size", "+5", "--size", "-5", "-t", "f"]), ["/a/x 5"]);
    assert_eq!(found(&["*", "--size", "+100k", "-a"]), ["/photo.jpg 3 deleted"]);
    assert_eq!(found(&["*", "--newer", "2020-01-01", "-t", "f", "-a"]).len(), 3, "what was not made old");
    assert_eq!(found(&["*.jpg", "-a", "--older", "2020-01-01"]).len(), 1);
}

#[test]
fn plain_output_and_nothing_found() {
    let world = three();
    let run = world.tuckbox(["find", "keep"]).ok();
    assert_eq!(run.text(), format!("{}\n", world.arg("docs/b/keep")));
    let run = world.tuckbox(["find", "keep", "-0"]).ok();
    assert_eq!(run.text(), format!("{}\0", world.arg("docs/b/keep")));
    world.tuckbox(["find", "keep", "-l"]).ok().says("-rw-");
    world.tuckbox(["find", "*.jpg", "--deleted"]).ok().says("deleted  /").says("2026-11-18 09:00:00");
    let none = world.tuckbox(["find", "nothing"]).ok();
    assert_eq!(none.text(), "");
    world.tuckbox(["find", "*", &world.arg("docs/none")]).run().fails("path.none", 5);
    world.tuckbox(["find", "--regex", "("]).run().fails("usage", 2);
    world.tuckbox(["find", "*", "--size", "big"]).run().fails("usage", 2);
}

#[test]
fn the_states_of_a_file() {
    let world = three();
    let run = world.tuckbox(["history", &world.arg("docs/a/x"), "--json"]).ok();
    let states = run.records("state");
    let told: Vec<_> = states.iter().map(|s| (s["sequence"].as_u64().unwrap(), s["went_sequence"].as_u64())).collect();
    assert_eq!(told, [(3, Some(4)), (4, Some(5)), (5, None)]);
    let content = |n: usize| states[n]["content"].as_str().unwrap();
    assert_eq!(content(0), content(2), "the same content has the same name");
    assert_ne!(content(0), content(1));
    assert_eq!(states[1]["came_at"], "2026-11-18T10:00:00.000Z");
    assert_eq!(states[1]["bytes"], 14);

    // A state can be had by the version that it names.
    let version = states[1]["version_id"].as_str().unwrap();
    let dump = world.tuckbox(["dump", &world.arg("docs/a/x"), "--at", version]).ok();
    assert_eq!(dump.text(), "second, longer");

    let run = world.tuckbox(["history", &world.arg("docs/photo.jpg")]).ok().says("2026-11-18 10:00:00");
    assert!(run.err().contains("undelete"), "{run}");
    let run = world.tuckbox(["history", &world.arg("docs/b"), "--json"]).ok();
    assert_eq!(run.records("state").len(), 1, "nothing in it changed");
    world.tuckbox(["history", &world.arg("docs/never")]).run().fails("path.none", 5);
}

#[test]
fn what_an_id_is() {
    let world = three();
    let kinds = |id: &str| {
        let rows = world.tuckbox(["which", id, "--json"]).ok().records("id");
        let told = rows.iter().map(|row| {
            let path = row["path"].as_str().map(|path| path.strip_prefix(&world.arg("docs")).unwrap());
            format!("{} {}", row["kind"].as_str().unwrap(), path.unwrap_or("-"))
        });
        told.collect::<Vec<_>>()
    };
    let versions = world.tuckbox(["versions", "--json"]).ok().records("version");
    let id = versions[0]["id"].as_str().unwrap();
    assert_eq!(kinds(&id[..9]), ["version -"]);
    let state = |path: &str| {
        let states = world.tuckbox(["history", &world.arg(path), "--json"]).ok().records("state");
        states[0]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(kinds(&state("docs/b/keep")), ["content /b/keep"]);
    assert_eq!(kinds(&state("docs/b")), ["content /b"]);
    assert_eq!(kinds(&state("docs/photo.jpg")), ["chunk /photo.jpg"], "what is deleted is found, too");
    world.tuckbox(["which", "00000000000000000000"]).run().fails("path.none", 5);
    world.tuckbox(["which", "xyz"]).run().fails("usage", 2);
}
