//! What `restore --delete` removes, and what it must not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tests::subject::{files_below, with_ending};
use tests::tree::Tree;
use tests::world::World;
use tests::{look, need};

use crate::world;

/// Paths below a directory.
fn names(world: &World, below: &str) -> Vec<String> {
    let listing = look::at(world.path(below));
    let name = |path: &Vec<u8>| String::from_utf8(path.clone()).unwrap();
    listing.0.keys().filter(|path| !path.is_empty()).map(name).collect()
}

fn configure(world: &World, text: &str) {
    fs::write(world.home().join(".config/tuckbox/config.toml"), text).unwrap();
}

/// A backup of `docs` with what its rules leave out beside, and what came since.
fn with_rules(for_all: &str, own: &str) -> World {
    let world = world().ready();
    Tree::at(world.path("docs")).file("letter", "1").dir("Downloads").file("film", "2");
    Tree::at(world.path("docs")).file("x.tmp", "3");
    let source =
        if own.is_empty() { String::new() } else { format!("[[source]]\npath = \"{}\"\n{own}", world.arg("docs")) };
    configure(&world, &format!("{for_all}\n{source}"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let docs = Tree::at(world.path("docs"));
    docs.file("new", "4").dir("mixed").file("gone", "5").dir("deep").file("y.tmp", "6");
    let cache = docs.dir("cache");
    cache.file("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55").file("made", "7");
    world
}

fn delete(world: &World, more: &[&str]) -> tests::subject::Outcome {
    world.tuckbox(["restore", &world.arg("docs"), "--delete", "--yes"]).and(more).ok()
}

/// As `rsync` has it: what is left out is in no version, which says nothing about it.
#[test]
fn what_backups_leave_out_stays() {
    let left = ["Downloads", "Downloads/film", "letter", "x.tmp"];
    let kept = ["mixed", "mixed/deep", "mixed/deep/y.tmp"];
    let cache = ["cache", "cache/CACHEDIR.TAG", "cache/made"];
    let of = |parts: &[&[&str]]| {
        let mut all: Vec<String> = parts.concat().into_iter().map(str::to_owned).collect();
        all.sort();
        all
    };
    // Of a source of the configuration its rules count, and those for all sources.
    let world = with_rules("exclude = [\"Downloads\"]\nexclude_caches = true", "exclude = [\"*.tmp\"]");
    delete(&world, &[]);
    assert_eq!(names(&world, "docs"), of(&[&left, &kept, &cache]));
    // Of another path those for all sources do.
    let world = with_rules("exclude = [\"Downloads\", \"*.tmp\"]", "");
    delete(&world, &[]);
    assert_eq!(names(&world, "docs"), of(&[&left, &kept]));
    // Also elsewhere, by the path that backups know; and what the command line leaves out.
    let world = with_rules("", "exclude = [\"Downloads\", \"/**/docs/*.tmp\"]");
    fs::create_dir_all(world.path("out")).unwrap();
    world.command("cp", ["-a", &world.arg("docs"), &world.arg("out/docs")]).ok();
    delete(&world, &["--to", &world.arg("out"), "--exclude", "gone"]);
    assert_eq!(names(&world, "out/docs"), of(&[&left, &["mixed", "mixed/gone"]]));
    // A directory in the way of a file goes only when all of it may.
    fs::remove_file(world.path("docs/letter")).unwrap();
    Tree::at(world.path("docs")).dir("letter").dir("Downloads").file("film", "2");
    let run = world.tuckbox(["restore", &world.arg("docs"), "--delete", "--yes"]).run().exits(3);
    assert!(run.warning("restore.skipped").unwrap().contains("something in it stays"), "{run}");
    assert!(world.path("docs/letter/Downloads/film").exists());
}

/// A command decides file by file; where it fails, nothing goes.
#[test]
fn what_a_filter_leaves_out_stays() {
    let world = with_rules("", "exclude = [\"Downloads\", \"*.tmp\"]");
    let program = world.path("filter");
    let decides = "#!/bin/sh\nwhile IFS= read -r path; do case $path in *new) echo -;; *) echo +;; esac; done\n";
    let with = |script: &str| {
        fs::write(&program, script.replace("read -r path", "read -r -d '' path").replace("/sh", "/bash")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let source = format!("[[source]]\npath = \"{}\"\nfilter = \"{}\"\n", world.arg("docs"), program.display());
        configure(&world, &source);
    };
    with("#!/bin/sh\nexit 1\n");
    let before = names(&world, "docs");
    world.tuckbox(["restore", &world.arg("docs"), "--delete", "--yes"]).run().exits(3).warns("filter.failed");
    assert_eq!(names(&world, "docs"), before);
    with(decides);
    delete(&world, &[]);
    assert_eq!(names(&world, "docs"), ["letter", "new"]);
}

#[test]
fn what_would_go_is_named_before() {
    let world = with_rules("exclude = [\"Downloads\", \"*.tmp\"]", "");
    let docs = world.arg("docs");
    let run = world.tuckbox(["restore", &docs, "--delete", "-n"]).ok();
    let gone = format!("  3 would be removed\n    {docs}/cache\n    {docs}/mixed/gone\n    {docs}/new\n");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let told: Vec<&str> = run.text().lines().skip_while(|line| !line.contains("would be removed")).collect();
    assert_eq!(sorted(&told.join("\n")), sorted(&gone), "{run}");
    let asked = delete(&world, &[]);
    assert!(asked.err().contains(&format!("  {docs}/mixed/gone\n")), "{asked}");
    for number in 0..30 {
        fs::write(world.path(format!("docs/{number}")), "").unwrap();
    }
    let run = world.tuckbox(["restore", &docs, "--delete", "-n"]).ok().says("30 would be removed").says("and 10 more");
    assert_eq!(run.text().matches(&format!("    {docs}/")).count(), 20, "{run}");
}

/// The version has an empty directory there, and knows nothing of the disk that is mounted on it.
#[test]
fn other_file_systems_are_not_emptied() {
    if !need::root() {
        return;
    }
    let world = world().ready();
    let docs = Tree::at(world.path("docs"));
    docs.file("here", "1");
    drop(docs.dir("other"));
    let Some(_mounted) = need::mount_tmpfs(&world.path("docs/other"), "1m") else { return };
    Tree::at(world.path("docs/other")).file("photo", "2").dir("sub").file("another", "3");
    world.tuckbox(["backup", "-x", &world.arg("docs")]).ok();
    // And in one that the version does not have at all.
    drop(docs.dir("new").dir("disk"));
    let Some(_too) = need::mount_tmpfs(&world.path("docs/new/disk"), "1m") else { return };
    fs::write(world.path("docs/new/gone"), "4").unwrap();
    fs::write(world.path("docs/new/disk/stays"), "5").unwrap();
    let run = delete(&world, &[]);
    assert!(run.err().contains("other stays: it is another file system"), "{run}");
    let all = ["here", "new", "new/disk", "new/disk/stays", "other", "other/photo", "other/sub", "other/sub/another"];
    assert_eq!(names(&world, "docs"), all);
    // What was asked for itself may be one.
    world.tuckbox(["backup", &world.arg("docs/other")]).ok();
    fs::write(world.path("docs/other/extra"), "").unwrap();
    world.tuckbox(["restore", &world.arg("docs/other"), "--delete", "--yes"]).ok();
    assert!(!world.path("docs/other/extra").exists() && world.path("docs/other/photo").exists());
}

/// A vault inside of what is restored is neither written to nor emptied, by whatever the version says of it.
#[test]
fn the_vault_in_use_is_left_alone() {
    let world = world();
    let home = world.home();
    let source = home.to_str().unwrap().to_owned();
    fs::write(home.join("letter"), "one").unwrap();
    world.tuckbox(["backup", &source]).ok();
    fs::write(home.join("letter"), "two").unwrap();
    world.tuckbox(["backup", &source]).ok();
    // Nothing of it is in this version, not even where it lies.
    world.tuckbox(["delete", home.join(".local").to_str().unwrap(), "--yes"]).ok();
    world.tuckbox(["delete", home.join(".cache").to_str().unwrap(), "--yes"]).ok();
    let (vault, state) = (files_below(&world.default_vault()), files_below(&home.join(".local/state")));
    assert!(!vault.is_empty() && !state.is_empty());
    for at in ["latest", "no.3"] {
        world.tuckbox(["restore", "--delete", "--yes", "--at", at, &source]).ok();
        assert!(vault.iter().chain(&state).all(|file| file.exists() || is_log(file)), "{at}");
    }
    assert_eq!(fs::read(home.join("letter")).unwrap(), b"one");
    world.tuckbox(["check", "--full"]).ok();
}

/// What comes and goes with every connection.
fn is_log(file: &Path) -> bool {
    file.to_str().is_some_and(|path| path.ends_with("-wal") || path.ends_with("-shm"))
}

/// What tuckbox keeps on this machine is no place for anything else, by whatever path.
#[test]
fn nothing_is_restored_into_what_is_tuckboxs_own() {
    let world = world().ready();
    Tree::at(world.path("docs")).file("vault.json", "{}").dir("domains").file("f", "1");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    fs::remove_file(world.path("docs/domains/f")).unwrap();
    let home = world.home();
    let own =
        [world.vault(), home.join(".local/state/tuckbox"), home.join(".cache/tuckbox"), home.join(".config/tuckbox")];
    let before = own.each_ref().map(|own| files_below(own));
    assert!(before.iter().all(|files| !files.is_empty()));
    let vault_json = fs::read(world.vault().join("vault.json")).unwrap();
    symlink(world.vault(), world.path("link")).unwrap();
    symlink(world.vault().join("new"), world.path("new")).unwrap();
    let inside = with_ending(&world.vault(), "pack")[0].parent().unwrap().to_path_buf();
    let more =
        [inside, world.vault().join("domains/no/such"), world.path("link"), world.path("docs").join("../link/x")];
    for to in own.iter().chain(&more) {
        let to = to.to_str().unwrap();
        let (vault_file, dir, all) = (world.arg("docs/vault.json"), world.arg("docs/domains"), world.arg("docs"));
        for words in [
            &["restore", &dir, "--delete"][..],
            &["restore", &vault_file, "--overwrite", "always"],
            &["restore", &all, "--full-paths", "-n"],
            &["undelete", &dir],
        ] {
            let run = world.tuckbox(words).and(["--to", to]).run();
            assert!(run.fails("usage", 2).err().contains("cannot restore to"), "{words:?} {to}");
        }
        world.tuckbox(["dump", &vault_file, "-o", &format!("{to}/vault.json")]).run().fails("usage", 2);
    }
    world
        .tuckbox(["restore", &world.arg("docs/domains"), "--to", "domains"])
        .cwd(world.vault())
        .run()
        .fails("usage", 2);
    world.tuckbox(["dump", &world.arg("docs/vault.json"), "-o", &world.arg("new")]).run().fails("usage", 2);
    for (own, before) in own.iter().zip(&before) {
        let after = files_below(own);
        let kept = |files: &[PathBuf]| files.iter().filter(|file| !is_log(file)).cloned().collect::<Vec<_>>();
        assert!(kept(before).iter().all(|file| after.contains(file)), "{own:?}");
        assert!(after.iter().all(|file| !file.ends_with("f") && !file.ends_with("docs/vault.json")), "{own:?}");
    }
    assert_eq!(fs::read(world.vault().join("vault.json")).unwrap(), vault_json);
    assert!(!world.vault().join("domains/no").exists());
    world.tuckbox(["check"]).ok();
    // Where they lie may be a target, and so may their neighbours.
    world.tuckbox(["restore", &world.arg("docs/domains"), "--to", &world.arg("")]).ok();
    assert!(world.path("domains/f").exists());
}

/// A version does not say what `--exclude` of its backup was: that is said, and can be given again.
#[test]
fn what_was_left_out_by_hand_is_named_again() {
    let world = world().ready();
    let docs = Tree::at(world.path("docs"));
    docs.file("letter", "1").dir("node_modules").file("m", "2");
    world.tuckbox(["backup", &world.arg("docs"), "--exclude", "node_modules"]).ok();
    let kept = delete(&world, &["-e", "node_modules"]);
    assert!(!kept.err().contains("REMOVED"), "{kept}");
    assert_eq!(names(&world, "docs"), ["letter", "node_modules", "node_modules/m"]);
    let run = delete(&world, &[]);
    assert!(run.err().contains("what `backup --exclude` left out only with `-e PATTERN`"), "{run}");
    assert_eq!(names(&world, "docs"), ["letter"]);
}
