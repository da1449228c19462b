//! Sources that lie inside of others, when what stands in their place is no directory any more, and names of standard input
//! that would hide what is stored.

use std::fs;
use std::os::unix::fs::symlink;

use tests::world::World;

use crate::world;

/// A machine with something at each of these paths, each backed up by itself in this order.
fn inner(files: &[(&str, &str)]) -> World {
    let world = world().ready();
    for (file, source) in files {
        let at = world.path(file);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, "old").unwrap();
        world.tuckbox(["backup", &world.arg(source)]).ok();
    }
    world
}

fn dumped(world: &World, path: &str) -> String {
    world.tuckbox(["dump", &world.arg(path)]).ok().text().to_owned()
}

/// Paths of the sources of the newest version.
fn sources(world: &World) -> Vec<String> {
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    let sources = rows.last().unwrap()["sources"].as_array().unwrap().clone();
    let path = |source: &serde_json::Value| source["path"].as_str().unwrap().replace(&world.arg(""), "");
    sources.iter().map(path).collect()
}

#[test]
fn a_file_in_the_place_of_an_inner_source_is_seen() {
    let world = inner(&[("s/d/1", "s/d"), ("s/x/y/1", "s/x/y")]);
    for dir in ["s/d", "s/x"] {
        fs::remove_dir_all(world.path(dir)).unwrap();
        fs::write(world.path(dir), "precious").unwrap();
    }
    world.tuckbox(["backup", &world.arg("s")]).ok().says("s/d is now stored as a part of");
    assert_eq!(sources(&world), ["s"]);
    assert_eq!((dumped(&world, "s/d"), dumped(&world, "s/x")), ("precious".into(), "precious".into()));
    world.tuckbox(["dump", "--at", "previous", &world.arg("s/d/1")]).ok().says("old");
    world.tuckbox(["compare", &world.arg("s")]).ok();
}

#[test]
fn a_source_that_became_a_file_is_no_place_for_an_inner_one() {
    let world = inner(&[("s/d/1", "s/d")]);
    fs::remove_dir_all(world.path("s")).unwrap();
    fs::write(world.path("s"), "precious").unwrap();
    world.tuckbox(["backup", &world.arg("s")]).ok();
    assert_eq!((sources(&world), dumped(&world, "s")), (vec!["s".to_owned()], "precious".into()));
    // Not even when both are named.
    let world = inner(&[("s/d/1", "s/d")]);
    fs::remove_dir_all(world.path("s")).unwrap();
    fs::write(world.path("s"), "precious").unwrap();
    world.tuckbox(["backup", &world.arg("s"), &world.arg("s/d"), "--accept-deletions"]).ok();
    assert_eq!((sources(&world), dumped(&world, "s")), (vec!["s".to_owned()], "precious".into()));
}

#[test]
fn a_file_where_standard_input_was_said_to_be_is_seen() {
    let world = world().ready();
    fs::create_dir(world.path("s")).unwrap();
    fs::write(world.path("s/z"), "z").unwrap();
    let stdin = |name: &str| world.tuckbox(["backup", "--stdin", "--stdin-filename", &world.arg(name)]).stdin("stream");
    stdin("s/db.sql").ok();
    stdin("s/dir").ok();
    // No such file is there: what was piped stays.
    world.tuckbox(["backup", &world.arg("s")]).ok();
    assert_eq!(sources(&world), ["s", "s/db.sql", "s/dir"]);
    assert_eq!(dumped(&world, "s/db.sql"), "stream");
    fs::write(world.path("s/db.sql"), "a real file").unwrap();
    fs::create_dir(world.path("s/dir")).unwrap();
    world.tuckbox(["backup", &world.arg("s")]).ok();
    assert_eq!(sources(&world), ["s"]);
    world.tuckbox(["restore", &world.arg("s"), "--yes"]).ok();
    assert_eq!(fs::read_to_string(world.path("s/db.sql")).unwrap(), "a real file");
    assert!(world.path("s/dir").is_dir());
    // The next stream is the newer one.
    stdin("s/db.sql").ok();
    assert_eq!(dumped(&world, "s/db.sql"), "stream");
}

#[test]
fn the_guard_asks_for_the_many_files_of_an_inner_source() {
    let world = world().ready();
    fs::create_dir_all(world.path("s/d")).unwrap();
    (0..150).for_each(|n| fs::write(world.path(format!("s/d/{n}")), "x").unwrap());
    world.tuckbox(["backup", &world.arg("s/d")]).ok();
    fs::remove_dir_all(world.path("s/d")).unwrap();
    fs::write(world.path("s/d"), "precious").unwrap();
    let backup = |words: &[&str]| world.tuckbox(["backup", &world.arg("s")]).and(words);
    // By its many files, and then by what was kept; also when the outer one has seen the file before.
    for _ in 0..2 {
        let run = backup(&[]).run().exits(12);
        assert!(run.warning("guard.mass_deletion").unwrap().contains("150"), "{run}");
        assert_eq!(sources(&world), ["s", "s/d"]);
        world.tuckbox(["dump", &world.arg("s/d/7")]).ok();
    }
    backup(&["--accept-deletions"]).ok();
    assert_eq!((sources(&world), dumped(&world, "s/d")), (vec!["s".to_owned()], "precious".into()));
}

/// Whoever backs up `link/` follows it, and the outer source has only the link.
#[test]
fn what_was_stored_behind_a_link_stays() {
    let world = inner(&[("real/1", "real")]);
    fs::create_dir(world.path("s")).unwrap();
    symlink(world.path("real"), world.path("s/link")).unwrap();
    fs::write(world.path("s/a"), "a").unwrap();
    world.tuckbox(["backup", &world.arg("s/link/")]).ok();
    world.tuckbox(["backup", &world.arg("s")]).ok();
    assert_eq!(sources(&world), ["real", "s", "s/link"]);
    // It leads to no directory any more.
    fs::remove_file(world.path("s/link")).unwrap();
    symlink("nowhere", world.path("s/link")).unwrap();
    world.tuckbox(["backup", &world.arg("s")]).ok();
    assert_eq!(sources(&world), ["real", "s"]);
}

#[test]
fn no_name_of_standard_input_hides_what_is_stored() {
    let world = inner(&[("s/d/f", "s/d")]);
    fs::create_dir(world.path("beside")).unwrap();
    let (top, s) = (world.arg(""), world.arg("s"));
    let stdin = |name: &str| {
        let run = world.tuckbox(["backup", "--stdin", "--stdin-filename", name]).cwd(world.path("s"));
        run.stdin("precious").run()
    };
    // As they are written, as what is there now, and as what the version has.
    for name in [".", "..", "/", "../..", "new/", "d", "../beside", &top, &s, "d/.", "d/f/x", &format!("{top}none/..")]
    {
        let run = stdin(name).fails("usage", 2);
        assert!(run.error().contains("--stdin-filename"), "{name}: {}", run.error());
    }
    fs::rename(world.path("s"), world.path("away")).unwrap();
    fs::create_dir(world.path("s")).unwrap();
    for name in [world.arg("s/d"), world.arg("s/d").replace("s/d", "s")] {
        stdin(&name).fails("usage", 2);
    }
    assert_eq!(world.tuckbox(["versions", "--json"]).ok().records("version").len(), 1);
    // A name in a source is one.
    stdin("d/new").ok();
    assert_eq!(dumped(&world, "s/d/new"), "precious");
}
