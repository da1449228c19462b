//! A vault on a disk without a free block: everything can be read, and what gets room again goes on as if nothing had been.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tests::need::{self, Mounted};
use tests::subject::bytes_below;
use tests::world::World;

use crate::world;

const MIB: usize = 1 << 20;

/// Bytes that compress to nothing less.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// A machine whose vault is on a small disk of its own, with a version of 6 MiB; nothing where nobody may mount.
fn small(size: &str) -> Option<(World, Mounted)> {
    if !need::root() {
        return None;
    }
    let world = world();
    fs::create_dir_all(world.vault()).unwrap();
    let mounted = need::mount_tmpfs(&world.vault(), size)?;
    let world = world.ready();
    fs::write(world.dir("docs").join("first"), noise(1, 6 * MIB)).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    Some((world, mounted))
}

/// Takes every free block.
fn fill(at: &Path) {
    let mut file = fs::File::create(at).unwrap();
    for block in [MIB, 4096, 1] {
        while file.write_all(&vec![7; block]).is_ok() {}
    }
}

fn files_named(below: &Path, end: &str) -> Vec<std::path::PathBuf> {
    let mut out = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.to_string_lossy().ends_with(end) {
                out.push(entry);
            }
        }
    }
    out
}

#[test]
fn a_full_disk_gives_everything_that_is_on_it() {
    let Some((world, _mounted)) = small("24m") else { return };
    fs::write(world.path("docs/second"), noise(2, MIB)).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let filler = world.vault().join("filler");
    fill(&filler);
    let serve = format!("cmd:tuckbox serve --stdio --vault {}", world.arg("vault"));
    for far in [false, true] {
        let on = |words: &[&str]| {
            let run = world.tuckbox(words.iter().copied());
            if far { run.and(["--vault", &serve]) } else { run }
        };
        assert_eq!(on(&["versions", "--json"]).ok().records("version").len(), 2, "far: {far}");
        on(&["ls", &world.arg("docs")]).ok().says("second");
        on(&["find", "first"]).ok().says("first");
        on(&["diff", "#3", "#4"]).ok().says("second");
        on(&["dump", &world.arg("docs/first")]).ok();
        on(&["check", "--full"]).ok();
        on(&["status"]).ok();
        let to = world.path(format!("back-{far}"));
        on(&["restore", &world.arg("docs"), "--to", to.to_str().unwrap()]).ok();
        assert_eq!(fs::read(to.join("docs/second")).unwrap(), noise(2, MIB));
        let refused = on(&["housekeep"]).run().fails("disk.full", 9);
        assert!(refused.error().contains("tuckbox housekeep"), "{}", refused.error());
        fs::write(world.path("docs/third"), "3").unwrap();
        on(&["backup", &world.arg("docs")]).run().fails("disk.full", 9);
    }
    world.tuckbox(["account", "dump", "ana", "--to", &world.arg("archive")]).ok();
    // Nothing was taken for damaged.
    assert_eq!(files_named(&world.vault(), ".damaged"), Vec::<std::path::PathBuf>::new());
    fs::remove_file(filler).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world.tuckbox(["housekeep"]).ok();
    world.tuckbox(["check", "--read-data"]).ok();
}

/// What a run that filled the disk has left is in nobody's way.
#[test]
fn after_a_backup_that_filled_the_disk_a_smaller_one_finds_room() {
    for by_hand in [false, true] {
        let Some((world, _mounted)) = small("32m") else { return };
        let staged = || bytes_below(&world.vault()) / MIB as u64;
        let before = staged();
        fs::write(world.path("docs/large"), noise(3, 40 * MIB)).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).run().fails("disk.full", 9);
        assert!(staged() > before + 10, "what was stored is kept while there may be room for the rest");
        fs::remove_file(world.path("docs/large")).unwrap();
        fs::write(world.path("docs/small"), noise(4, 8 * MIB)).unwrap();
        if by_hand {
            world.tuckbox(["housekeep"]).ok().says("were let go");
            assert!(staged() <= before + 1);
        }
        world.tuckbox(["backup", &world.arg("docs")]).ok();
        world.tuckbox(["check", "--read-data"]).ok();
        assert!(staged() <= before + 10, "{} MiB", staged());
    }
}

#[test]
fn what_a_refused_run_has_left_takes_nothing_of_a_limit() {
    for by_hand in [false, true] {
        let world = world().ready();
        fs::write(world.dir("docs").join("first"), noise(1, 6 * MIB)).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).ok();
        world.tuckbox(["account", "set", "ana", "--hard", "20M"]).ok();
        fs::write(world.path("docs/large"), noise(3, 30 * MIB)).unwrap();
        let refused = world.tuckbox(["backup", &world.arg("docs")]).run().fails("quota.hard", 9);
        assert!(refused.error().contains("tuckbox housekeep"), "{}", refused.error());
        world.tuckbox(["versions"]).ok();
        fs::remove_file(world.path("docs/large")).unwrap();
        if by_hand {
            world.tuckbox(["housekeep"]).ok().says("were let go");
            assert!(bytes_below(&world.vault()) < 8 * MIB as u64);
        }
        fs::write(world.path("docs/small"), noise(4, 8 * MIB)).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).ok();
        world.tuckbox(["check", "--read-data"]).ok();
    }
}

/// Whatever a verb writes to standard output.
#[test]
fn an_output_on_a_full_disk_is_told_as_that() {
    let world = world().ready();
    fs::write(world.dir("docs").join("letter"), "dear").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let docs = world.arg("docs");
    for words in [
        format!("dump {docs}/letter"),
        format!("dump {docs}"),
        format!("ls {docs}"),
        format!("ls -r --json {docs}"),
        format!("history {docs}/letter"),
        "find --json letter".to_owned(),
        "versions --json".to_owned(),
        "status".to_owned(),
        "account dump ana --to -".to_owned(),
        "help dump".to_owned(),
    ] {
        let run = world.command("sh", ["-c", &format!("tuckbox {words} > /dev/full")]).run().exits(9);
        assert!(run.err().contains("disk.full"), "{words}: {run}");
    }
}
