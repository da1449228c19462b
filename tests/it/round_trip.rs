//! What goes in comes out.

use std::fs;
use std::path::Path;

use tests::subject::{files_below, flip};
use tests::world::World;
use tests::{look, need, tree};

use crate::world;

/// A machine with one version of a small tree at `docs`.
fn one_version() -> World {
    let world = world().ready();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

#[test]
fn a_tree_in_process_and_through_a_child_process() {
    let local = world().ready();
    let child = local.with_vault(format!("cmd:tuckbox serve --stdio --vault {}", local.arg("vault")));
    let made = tree::seeded(local.path("source"), 11, 400, 12_000_000);
    for world in [&local, &child] {
        world.tuckbox(["backup", &world.arg("source")]).ok();
        world.tuckbox(["restore", &world.arg("source"), "--to", &world.arg("out"), "--verify"]).ok();
        look::at(made.path()).same_as(&look::at(world.path("out/source")));
        fs::remove_dir_all(world.path("out")).unwrap();
    }
    local.tuckbox(["check", "--read-data"]).ok().says("Everything is there");
    local.tuckbox(["check", "--full"]).ok().says("Everything is there");
}

#[test]
fn a_run_without_changes_opens_no_file_and_stores_one_record() {
    let world = world().ready();
    tree::seeded(world.path("source"), 12, 600, 6_000_000);
    let backup = || world.tuckbox(["backup", &world.arg("source"), "--json"]).ok();
    let first = backup();
    assert_eq!((first.count("files_new"), first.count("files_unchanged")), (600, 0));
    // The catalog can be made again at any time, and its journal comes and goes; what happened is remembered beside it.
    let stored = || -> u64 {
        let kept = files_below(&world.path("vault/domains")).into_iter();
        let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
        let databases = |file: &Path| ["catalog.db", "activity.db"].iter().any(|db| name(file).starts_with(db));
        let kept = kept.filter(|file| !databases(file));
        kept.map(|file| fs::metadata(file).unwrap().len()).sum()
    };
    let before = stored();
    let second = backup();
    assert_eq!((second.count("files_new"), second.count("files_unchanged")), (0, 600));
    assert_eq!((second.count("read_bytes"), second.count("new_bytes")), (0, 0));
    assert!(second.count("sent_bytes") + second.count("received_bytes") < 8_192, "{second}");
    assert!(stored() < before + 2_048, "one link and one body");

    if need::programs(&["strace"]) {
        let trace = world.arg("trace");
        let words = ["-f", "-qq", "-e", "trace=openat,openat2,open", "-o", &trace, "tuckbox", "backup"];
        world.command("strace", words).and([world.arg("source")]).ok();
        let lines = fs::read_to_string(&trace).unwrap();
        let opened: Vec<_> = lines.lines().filter(|line| line.contains("\"file-")).collect();
        assert!(opened.is_empty(), "files were opened: {opened:?}");
    }
}

#[test]
fn what_changed_is_told_and_counted() {
    let world = one_version();
    let docs = world.path("docs");
    fs::write(docs.join("letter.txt"), "Dear Bob, this is longer\n").unwrap();
    fs::write(docs.join("new"), "new\n").unwrap();
    fs::remove_file(docs.join("photos/hill.raw")).unwrap();
    flip(&docs.join("photos/lake.raw"), 1 << 20);
    tree::Tree::at(&docs).mode("empty", 0o600);

    let second = world.tuckbox(["backup", &world.arg("docs"), "--json"]).ok();
    let counts = ["files_new", "files_changed", "files_metadata", "files_removed", "files_unchanged"];
    assert_eq!(counts.map(|name| second.count(name)), [1, 2, 1, 1, 4], "{second}");
    let changed = &second.record("summary")["changed"];
    assert_eq!((&changed["size"], &changed["mode"]), (&1.into(), &1.into()), "{second}");
    // One byte of three megabytes changed: a chunk or two are new, not the file.
    assert!(second.count("new_bytes") < 2 << 20, "{second}");
    assert!(second.count("sent_bytes") >= second.count("boxed_bytes"), "{second}");

    let rows = world.tuckbox(["diff", "previous", "latest", "--metadata", "--json"]).ok().records("diff");
    let told = rows.iter().filter(|row| row["kind"] == "file").map(|row| {
        let name = row["path"].as_str().unwrap().rsplit('/').next().unwrap();
        format!("{} {name}", row["change"].as_str().unwrap())
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, ["metadata empty", "content letter.txt", "added new", "removed hill.raw", "content lake.raw"]);
}

#[test]
fn every_version_can_be_had_back() {
    let world = one_version();
    let first = look::at(world.path("docs"));
    fs::write(world.path("docs/letter.txt"), "Dear Bob,\n").unwrap();
    fs::remove_dir_all(world.path("docs/code")).unwrap();
    world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions"]).ok();
    let second = look::at(world.path("docs"));

    let ids: Vec<_> = world.tuckbox(["versions", "--json"]).ok().records("version");
    let id = ids[0]["id"].as_str().unwrap().to_owned();
    for (at, expected) in
        [("previous", &first), ("latest~1", &first), (&id[..8], &first), ("latest", &second), ("now", &second)]
    {
        let out = format!("out-{at}");
        world.tuckbox(["restore", &world.arg("docs"), "--at", at, "--to", &world.arg(&out)]).ok();
        expected.same_as(&look::at(world.path(out).join("docs")));
    }
}

#[test]
fn a_date_means_its_last_moment() {
    let world = world().ready();
    tree::Tree::at(world.path("docs"));
    for day in ["2026-11-18T09:00:00Z", "2026-11-18T23:30:00Z", "2026-11-19T00:30:00Z"] {
        fs::write(world.path("docs/day"), day).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).env("TUCKBOX_CLOCK", day).ok();
    }
    let dump = |at: &str| {
        let call = world.tuckbox(["dump", &world.arg("docs/day"), "--at", at]);
        call.env("TUCKBOX_CLOCK", "2026-11-20T12:00:00Z").run()
    };
    assert_eq!(dump("2026-11-18").ok().text(), "2026-11-18T23:30:00Z");
    assert_eq!(dump("2026-11-18 09:00").ok().text(), "2026-11-18T09:00:00Z");
    assert_eq!(dump("yesterday").ok().text(), "2026-11-19T00:30:00Z");
    dump("2026-11-17").fails("version.none", 5);
}

#[test]
fn where_a_restore_puts_things() {
    let world = one_version();
    let docs = look::at(world.path("docs"));
    let restore = |words: &[&str]| world.tuckbox(["restore"]).and(words).ok();
    let photos = world.arg("docs/photos");
    restore(&[&photos, "--to", &world.arg("a")]);
    docs.below("photos").same_as(&look::at(world.path("a/photos")));
    restore(&[&photos, "--to", &world.arg("b"), "--full-paths"]);
    let full = |to: &str| world.path(to).join(world.path("docs/photos").strip_prefix("/").unwrap());
    docs.below("photos").same_as(&look::at(full("b")));
    restore(&["--to", &world.arg("c")]);
    docs.below("photos").same_as(&look::at(full("c")));
    restore(&[&world.arg("docs/letter.txt"), "--to", &world.arg("d")]);
    assert_eq!(fs::read(world.path("d/letter.txt")).unwrap(), b"Dear Ana,\n");
}

#[test]
fn in_place_only_with_a_yes() {
    let world = one_version();
    let before = look::at(world.path("docs"));
    fs::write(world.path("docs/letter.txt"), "spoilt").unwrap();
    fs::remove_file(world.path("docs/photos/hill.raw")).unwrap();
    world.tuckbox(["restore", &world.arg("docs")]).run().fails("policy.confirm", 12);
    assert_eq!(fs::read(world.path("docs/letter.txt")).unwrap(), b"spoilt");
    world.tuckbox(["restore", &world.arg("docs"), "--yes"]).ok();
    before.same_as(&look::at(world.path("docs")));
}

#[test]
fn what_is_there_already() {
    let world = one_version();
    let letter = world.path("out/docs/letter.txt");
    let restore = |words: &[&str]| {
        let call = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out"), "--json"]);
        call.and(words).ok()
    };
    let text = || fs::read_to_string(&letter).unwrap();
    restore(&[]);
    assert_eq!(restore(&[]).count("files_restored"), 0);

    fs::write(&letter, "mine, and newer").unwrap();
    for keeps in ["never", "if-newer"] {
        restore(&["--overwrite", keeps]);
        assert_eq!(text(), "mine, and newer", "{keeps}");
    }
    assert_eq!(restore(&["-n"]).count("files_restored"), 1);
    assert_eq!(text(), "mine, and newer", "a dry run writes nothing");
    assert_eq!(restore(&["--overwrite", "if-changed"]).count("files_restored"), 1);
    assert_eq!(text(), "Dear Ana,\n");
    assert!(restore(&["--overwrite", "always"]).count("files_restored") >= tree::SMALL_FILES - 1);

    fs::write(world.path("out/docs/extra"), "").unwrap();
    restore(&[]);
    assert!(world.path("out/docs/extra").exists());
    assert_eq!(restore(&["--delete"]).count("files_deleted"), 1);
    look::at(world.path("docs")).same_as(&look::at(world.path("out/docs")));
}

#[test]
fn parts_of_a_restore() {
    let world = one_version();
    let restore = |to: &str, words: &[&str]| {
        world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg(to)]).and(words).ok();
        let listing = look::at(world.path(to).join("docs"));
        let files = listing.0.iter().filter(|(_, item)| item.kind == "file");
        files.map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(restore("a", &["--include", "*.raw"]), ["photos/hill.raw", "photos/lake.raw"]);
    assert_eq!(restore("b", &["--include", "*.raw", "--exclude", "lake*"]), ["photos/hill.raw"]);
}

#[test]
fn a_dump_is_the_content_or_a_tar() {
    let world = one_version();
    let lake = world.tuckbox(["dump", &world.arg("docs/photos/lake.raw")]).ok();
    assert!(lake.stdout == fs::read(world.path("docs/photos/lake.raw")).unwrap());
    let tar = world.tuckbox(["dump", &world.arg("docs")]).ok();
    let out = world.dir("untarred");
    world.command("tar", ["-xpf", "-", "-C", out.to_str().unwrap()]).stdin(tar.stdout).ok();
    let listing = look::at(world.path("docs"));
    let root = if out.join("docs").is_dir() { out.join("docs") } else { out };
    listing.same_as(&look::at(root));
}

#[test]
fn a_listing_shows_what_is_there() {
    let world = one_version();
    let names = |words: &[&str]| {
        let rows = world.tuckbox(["ls", "--json"]).and(words).ok().records("entry");
        rows.iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let docs = world.arg("docs");
    let below = |names: &[&str]| names.iter().map(|name| format!("{docs}/{name}")).collect::<Vec<_>>();
    assert_eq!(names(&[&docs]), below(&["code", "empty", "letter.txt", "newest", "photos"]));
    assert_eq!(names(&[&format!("{docs}/p*/*")]), below(&["photos/hill.raw", "photos/lake.raw"]));
    assert_eq!(names(&["-r", &docs]).len() as u64, tree::SMALL_FILES + 3);
    world.tuckbox(["ls", "-l", &docs]).ok().says("drwxr-xr-x").says("newest -> photos/lake.raw");
}
