//! What was deleted or went wrong is taken back: on the disk, or as a new version; and that is taken back, too.

use std::fs;

use tests::tree;
use tests::world::World;
use tests::{look, pty::Terminal};

use crate::world;

/// Two versions of `docs`; the second lacks `a` and has another `letter`.
fn two() -> World {
    let world = world().ready();
    let docs = tree::Tree::at(world.path("docs"));
    let a = docs.dir("a");
    a.file("one", "1").dir("deep").file("two", vec![9; 200_000]);
    docs.file("letter", "Dear Ana,\n");
    drop(docs.age());
    let backup = |at| world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions"]).env("TUCKBOX_CLOCK", at).ok();
    backup("2026-11-18T09:00:00Z");
    fs::remove_dir_all(world.path("docs/a")).unwrap();
    fs::write(world.path("docs/letter"), "Dear Bob,\n").unwrap();
    backup("2026-11-18T10:00:00Z");
    world
}

/// Paths below `docs` in the newest version.
fn names(world: &World) -> Vec<String> {
    let rows = world.tuckbox(["ls", "-r", "--json", &world.arg("docs")]).ok().records("entry");
    let docs = world.arg("docs");
    rows.iter().map(|row| row["path"].as_str().unwrap().strip_prefix(&docs).unwrap().to_owned()).collect()
}

const ALL: [&str; 5] = ["/a", "/a/deep", "/a/deep/two", "/a/one", "/letter"];

#[test]
fn a_deleted_directory_comes_back_in_place_and_elsewhere() {
    let world = two();
    let first = world.arg("first");
    world.tuckbox(["restore", &world.arg("docs"), "--at", "previous", "--to", &first]).ok();
    let a = world.arg("docs/a");
    world.tuckbox(["undelete", &a]).run().fails("policy.confirm", 12);
    assert!(!world.path("docs/a").exists());
    world.tuckbox(["undelete", &a, "-n"]).ok().says("would restore 2 files");
    assert!(!world.path("docs/a").exists());
    world.tuckbox(["undelete", &a, "--to", &world.arg("out"), "--verify"]).ok().says("2 read back and equal");
    let expected = look::at(world.path("first/docs/a"));
    expected.same_as(&look::at(world.path("out/a")));
    world.tuckbox(["undelete", &a, "--yes"]).ok().says("as of version");
    expected.same_as(&look::at(world.path("docs/a")));
    // What stands there is left alone.
    fs::write(world.path("docs/a/one"), "mine").unwrap();
    world.tuckbox(["undelete", &a, "--yes"]).ok();
    assert_eq!(fs::read(world.path("docs/a/one")).unwrap(), b"mine");
    world.tuckbox(["undelete", &world.arg("docs/never"), "--yes"]).run().fails("path.none", 5);
}

#[test]
fn what_was_deleted_since_then() {
    let world = two();
    // Deleted after the newest version, which has it still.
    fs::remove_file(world.path("docs/letter")).unwrap();
    let since = |when: &str, more: &[&str]| {
        let run = world.tuckbox(["restore", "--deleted-since", when, &world.arg("docs")]).and(more);
        run.env("TUCKBOX_CLOCK", "2026-11-18T11:00:00Z")
    };
    let told = |when: &str| {
        let rows = since(when, &["-n", "--json"]).ok().records("deleted");
        rows.iter().map(|row| row["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("30m"), ["letter"]);
    assert_eq!(told("2h"), ["a", "letter"]);
    assert_eq!(told("1 year ago"), ["a", "letter"]);
    since("2h", &[]).run().fails("policy.confirm", 12);
    let all = since("2h", &["--to", &world.arg("out")]).ok();
    assert!(all.text().contains("Restored 3 files"), "{all}");
    let below = world.path("out").join(world.path("docs").strip_prefix("/").unwrap());
    assert_eq!(fs::read(below.join("letter")).unwrap(), b"Dear Bob,\n", "the last state counts");
    since("2h", &["--yes"]).ok();
    assert_eq!(fs::read(world.path("docs/letter")).unwrap(), b"Dear Bob,\n");
    assert_eq!(fs::read(world.path("docs/a/one")).unwrap(), b"1");
    since("2h", &["--yes"]).ok().says("Nothing was deleted");
}

#[test]
fn rolled_back_and_forth() {
    let world = two();
    let docs = look::at(world.path("docs"));
    world.tuckbox(["rollback", "--to", "previous"]).run().fails("policy.confirm", 12);
    world.tuckbox(["rollback", "--to", "previous", "-n"]).ok().says("Nothing was appended");
    assert_eq!(names(&world), ["/letter"]);
    let run = world.tuckbox(["rollback", "--to", "2026-11-18 09:30", "--yes"]).ok();
    let run = run.says("is the newest now").says("next backup of a source that is there wins");
    let run = run.says(&format!("tuckbox restore --delete {}", world.arg("docs"))).says("tuckbox rollback --to");
    assert_eq!(names(&world), ALL);
    docs.same_as(&look::at(world.path("docs")));
    let versions = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!(versions.len(), 3, "the bad version is still listed\n{run}");
    // The command that it printed brings the disk along.
    world.tuckbox(["restore", "--delete", &world.arg("docs"), "--yes"]).ok();
    assert_eq!(fs::read(world.path("docs/letter")).unwrap(), b"Dear Ana,\n");
    world.tuckbox(["compare", &world.arg("docs"), "--checksums"]).ok();
    // And the one that takes it back does that.
    let back = &versions[1]["id"].as_str().unwrap()[..8];
    world.tuckbox(["rollback", "--to", back, "--yes"]).ok();
    assert_eq!(names(&world), ["/letter"]);
    world.tuckbox(["rollback", "--to", back, "--yes"]).ok().says("Nothing to do");
    world.tuckbox(["check", "--full"]).ok().says("Everything is there");
}

#[test]
fn deleted_in_the_vault_until_the_next_backup() {
    let world = two();
    world.tuckbox(["rollback", "--to", "previous", "--yes"]).ok();
    let one = world.arg("docs/a/one");
    world.tuckbox(["delete", &one]).run().fails("policy.confirm", 12);
    world.tuckbox(["delete", &one, &world.arg("docs/letter"), "--yes"]).ok().says("1 file, ").says("(before: 3 files");
    assert_eq!(names(&world), ["/a", "/a/deep", "/a/deep/two"]);
    // History keeps them.
    world.tuckbox(["dump", &one, "--at", "previous"]).ok().says("1");
    world.tuckbox(["undelete", &one, "--in-vault", "--yes"]).ok().says("is the newest now");
    assert_eq!(names(&world), ["/a", "/a/deep", "/a/deep/two", "/a/one"]);
    let again = world.tuckbox(["undelete", &one, "--in-vault", "--yes"]).ok().says("Nothing to do");
    assert!(again.err().contains("in the newest version already"), "{again}");
    world.tuckbox(["delete", "/", "--yes"]).run().fails("usage", 2);
    world.tuckbox(["delete", &world.arg("docs/none"), "--yes"]).run().fails("path.none", 5);
    // The live source wins.
    world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions"]).ok();
    assert_eq!(names(&world), ["/letter"]);
    world.tuckbox(["check", "--full"]).ok().says("Everything is there");
}

#[test]
fn a_whole_source_goes_and_comes_back() {
    let world = two();
    tree::small(world.path("code"));
    world.tuckbox(["backup", &world.arg("code")]).ok();
    world.tuckbox(["delete", &world.arg("code"), "--yes"]).ok();
    let sources = || {
        let newest = world.tuckbox(["versions", "--json"]).ok().records("version").pop().unwrap();
        newest["sources"].as_array().unwrap().len()
    };
    assert_eq!(sources(), 1);
    world.tuckbox(["undelete", &world.arg("code/letter.txt"), "--in-vault", "--yes"]).ok();
    let rows = world.tuckbox(["ls", "-r", "--json", &world.arg("code")]).ok().records("entry");
    assert_eq!((sources(), rows.len()), (2, 1), "the source is there again, with this file alone");
    world.tuckbox(["undelete", &world.arg("code/photos"), "--in-vault", "--yes"]).ok();
    let rows = world.tuckbox(["ls", &world.arg("code")]).ok();
    assert_eq!(rows.text().lines().count(), 2, "{rows}");
    // All of it can go: an account without anything is an account.
    world.tuckbox(["delete", &world.arg("docs"), &world.arg("code"), "--yes"]).ok();
    assert_eq!(sources(), 0);
    world.tuckbox(["backup", &world.arg("code")]).ok();
    world.tuckbox(["check", "--full"]).ok().says("Everything is there");
}

#[test]
fn a_person_is_asked() {
    let world = two();
    let asked = Terminal::start(world.tuckbox(["rollback", "--to", "previous"]), 24, 100);
    asked.shows("This appends a version like").shows("Go on? [y/N]").keys("n\r").shows("no version was appended");
    assert_eq!(asked.end(), 12);
    assert_eq!(names(&world), ["/letter"]);
    let asked = Terminal::start(world.tuckbox(["rollback", "--to", "previous"]), 24, 100);
    asked.shows("Go on? [y/N]").keys("y\r").shows("is the newest now");
    assert_eq!(asked.end(), 0);
    assert_eq!(names(&world), ALL);
}

#[test]
fn over_a_line_without_a_cache_and_with_a_role() {
    let world = two();
    let at = |role: &str| {
        world.with_vault(format!("cmd:tuckbox serve --stdio --role {role} --vault {}", world.arg("vault")))
    };
    let forget = || fs::remove_dir_all(world.home().join(".cache")).unwrap();
    let (one, two) = (world.arg("docs/a/one"), world.arg("docs/a/deep/two"));
    // Who may only add may also go back: it is a version more.
    let append = at("append");
    forget();
    append.tuckbox(["history", &two]).ok().says("added");
    forget();
    append.tuckbox(["rollback", "--to", "previous", "--yes"]).ok();
    assert_eq!(names(&append), ALL);
    forget();
    append.tuckbox(["delete", &one, "--yes"]).ok();
    forget();
    append.tuckbox(["undelete", &one, "--in-vault", "--yes"]).ok();
    assert_eq!(names(&append), ALL);
    forget();
    append.tuckbox(["undelete", &two, "--to", &world.arg("out")]).run().fails("policy.role", 12);
    at("backup").tuckbox(["undelete", &two, "--to", &world.arg("out"), "--verify"]).ok();
    forget();
    append.tuckbox(["find", "one", "--all-versions"]).ok().says("/docs/a/one");
    let read = at("read");
    read.tuckbox(["delete", &one, "--yes"]).run().fails("policy.role", 12);
    read.tuckbox(["rollback", "--to", "previous", "--yes"]).run().fails("policy.role", 12);
    assert_eq!(names(&read), ALL);
    read.tuckbox(["undelete", &one, "--to", &world.arg("read")]).ok();
    world.tuckbox(["check", "--full"]).ok().says("Everything is there");
}
