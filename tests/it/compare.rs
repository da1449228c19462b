//! The disk beside a version, and the rules that say what is in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tests::tree;
use tests::world::World;

use crate::world;

fn one_version() -> World {
    let world = world().ready();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

/// What differs, by name.
fn differs(world: &World, words: &[&str]) -> Vec<String> {
    let run = world.tuckbox(["compare", &world.arg("docs"), "--json"]).and(words).run();
    let docs = world.arg("docs");
    let rows = run.records("compare").into_iter().map(|row| {
        let path = row["path"].as_str().unwrap().strip_prefix(&docs).unwrap().to_owned();
        let what = row["what"].as_array().map(|what| what.iter().map(|w| w.as_str().unwrap()).collect::<Vec<_>>());
        format!("{} {path} {}", row["change"].as_str().unwrap(), what.unwrap_or_default().join(","))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(run.code(), if rows.is_empty() { 0 } else { 4 }, "{run}");
    rows
}

#[test]
fn the_same_and_not_the_same() {
    let world = one_version();
    for depth in [&[][..], &["--checksums"], &["--full"]] {
        assert_eq!(differs(&world, depth), [""; 0]);
    }
    let docs = world.path("docs");
    // The same size and time, another content: only who reads sees it.
    let letter = docs.join("letter.txt");
    let modified = fs::metadata(&letter).unwrap().modified().unwrap();
    fs::write(&letter, "Dear Eva,\n").unwrap();
    fs::File::options().write(true).open(&letter).unwrap().set_modified(modified).unwrap();
    assert_eq!(differs(&world, &[]), [""; 0]);
    assert_eq!(differs(&world, &["--checksums"]), ["content /letter.txt content"]);
    assert_eq!(differs(&world, &["--full"]), ["content /letter.txt content"]);

    fs::write(docs.join("new"), "new").unwrap();
    fs::remove_file(docs.join("photos/hill.raw")).unwrap();
    fs::set_permissions(docs.join("empty"), fs::Permissions::from_mode(0o600)).unwrap();
    tests::subject::flip(&docs.join("photos/lake.raw"), 1 << 20);
    let told = ["metadata /empty mode", "added /new ", "removed /photos/hill.raw ", "metadata /photos/lake.raw time"];
    assert_eq!(differs(&world, &[]), told);
    let told = [
        "metadata /empty mode",
        "content /letter.txt content",
        "added /new ",
        "removed /photos/hill.raw ",
        "content /photos/lake.raw content,time",
    ];
    assert_eq!(differs(&world, &["--checksums"]), told);
    assert_eq!(differs(&world, &["--full"]), told);
    world.tuckbox(["compare", &world.arg("docs")]).run().exits(4).says("1 only on the disk, 1 only in the version");
}

#[test]
fn checksums_download_nothing() {
    let world = world().ready();
    tree::seeded(world.path("docs"), 5, 40, 8_000_000);
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let bytes = |depth: &str| {
        let run = world.tuckbox(["compare", &world.arg("docs"), depth, "--json"]).ok();
        (run.count("received_bytes"), run.count("read_bytes"))
    };
    let (received, read) = bytes("--checksums");
    assert!(received < 10_000 && read > 4_000_000, "{received} received, {read} read");
    let (received, read) = bytes("--full");
    assert!(received > 1_000_000 && read > 4_000_000, "{received} received, {read} read");
}

#[test]
fn with_another_place_and_what_is_left_out() {
    let world = one_version();
    let (docs, out) = (world.arg("docs"), world.arg("out"));
    world.tuckbox(["restore", &docs, "--to", &out]).ok();
    world.tuckbox(["compare", &docs, "--with", &world.arg("out/docs"), "--full"]).ok().says("the same");
    fs::remove_dir_all(world.path("out/docs/photos")).unwrap();
    world.tuckbox(["compare", &docs, "--with", &world.arg("out/docs")]).run().exits(4).says("-  /");
    world.tuckbox(["compare", &docs, "--with", &world.arg("nowhere")]).run().exits(4);
    // What no backup takes is not missed in the version.
    fs::write(world.path("docs/x.tmp"), "x").unwrap();
    assert_eq!(differs(&world, &[]), ["added /x.tmp "]);
    assert_eq!(differs(&world, &["--exclude", "*.tmp"]), [""; 0]);
    world.tuckbox(["compare", &world.arg("docs/none")]).run().fails("path.none", 5);
}

#[test]
fn data_that_is_lost_is_told() {
    let world = one_version();
    let packs: Vec<_> = tests::subject::files_below(&world.path("vault/domains"));
    for pack in packs.iter().filter(|file| file.extension().is_some_and(|e| e == "pack")) {
        let middle = fs::metadata(pack).unwrap().len() / 2;
        tests::subject::flip(pack, middle);
    }
    world.tuckbox(["compare", &world.arg("docs"), "--checksums"]).ok();
    let run = world.tuckbox(["compare", &world.arg("docs"), "--full"]).run().exits(10);
    assert!(run.warning("data.damaged").is_some(), "{run}");
}

#[test]
fn why_a_path_is_backed_up_or_not() {
    let world = one_version();
    let docs = world.arg("docs");
    let config = world.home().join(".config/tuckbox/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, format!("[[source]]\npath = \"{docs}\"\nexclude = [\"*.raw\", \"!hill.raw\"]\n")).unwrap();
    let why = |path: &str| world.tuckbox(["why", &world.arg(path)]).ok().text().to_owned();
    let line = format!("({}:3)", config.display());
    assert!(why("docs/photos/lake.raw").contains(&format!("left out of {docs}: `*.raw` {line}")));
    assert!(why("docs/photos/hill.raw").contains(&format!("`!hill.raw` {line} takes it back")));
    assert!(why("docs/letter.txt").contains("no rule leaves it out"));
    assert!(why("docs/none.txt").contains("nothing is there now"));
    assert!(why("elsewhere").contains("no [[source]]"));
    let rows = world.tuckbox(["why", &world.arg("docs/photos/lake.raw"), "--json"]).ok().records("why");
    assert_eq!((&rows[0]["included"], &rows[0]["there"]), (&false.into(), &true.into()));
    // The same decision as that of a backup.
    world.tuckbox(["backup"]).ok();
    let rows = world.tuckbox(["ls", "-r", "--json", &docs]).ok().records("entry");
    let has = |name: &str| rows.iter().any(|row| row["path"].as_str().unwrap().ends_with(name));
    assert!(has("hill.raw") && !has("lake.raw"));
    world
        .tuckbox(["why", &world.arg("docs/code"), "--source", &docs, "--exclude", "code"])
        .ok()
        .says("`code` (--exclude)");
}

/// A source that is a link was followed by its backup, and so it is by what goes by that source again.
#[test]
fn a_source_that_is_a_link_is_followed() {
    let world = world().ready();
    tree::small(world.path("real"));
    symlink("real", world.path("docs")).unwrap();
    world.tuckbox(["backup", &world.arg("docs/")]).ok();
    for depth in [&[][..], &["--full"]] {
        assert_eq!(differs(&world, depth), [""; 0]);
    }
    fs::remove_file(world.path("real/letter.txt")).unwrap();
    fs::write(world.path("real/new"), "new").unwrap();
    world.tuckbox(["restore", &world.arg("docs"), "--yes", "--delete", "--verify"]).ok().says("read back and equal");
    assert!(world.path("docs").symlink_metadata().unwrap().is_symlink());
    assert!(world.path("real/letter.txt").exists() && !world.path("real/new").exists());
    assert_eq!(differs(&world, &[]), [""; 0]);
    // Elsewhere a link is none of the person's, nor is one that leads to no directory.
    fs::create_dir(world.path("to")).unwrap();
    symlink(world.path("real"), world.path("to/docs")).unwrap();
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("to")]).ok();
    assert!(world.path("to/docs").symlink_metadata().unwrap().is_dir());
    fs::rename(world.path("real"), world.path("gone")).unwrap();
    world.tuckbox(["restore", &world.arg("docs"), "--yes"]).ok();
    assert!(world.path("docs").symlink_metadata().unwrap().is_dir());
}
