//! What is gone, unreadable or in motion is told, and never recorded as removed by mistake.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tests::need::Mounted;
use tests::world::World;
use tests::{look, need, pinned, tree};

use crate::world;

/// A machine with one version of 150 small files at `docs`.
fn crowd() -> World {
    let world = world().ready();
    let docs = tree::Tree::at(world.path("docs"));
    for n in 0..150 {
        docs.file(format!("{n:03}"), format!("{n}"));
    }
    drop(docs.age());
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

fn files(world: &World, at: &str) -> usize {
    world.tuckbox(["ls", "-r", "--json", "--at", at, &world.arg("docs")]).ok().records("entry").len()
}

#[test]
fn when_most_of_a_source_is_gone() {
    let world = crowd();
    (0..120).for_each(|n| fs::remove_file(world.path(format!("docs/{n:03}"))).unwrap());
    fs::write(world.path("docs/new"), "new").unwrap();
    let run = world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    pinned::check("warnings/guard.mass_deletion", &run.warning("guard.mass_deletion").unwrap());
    assert_eq!(files(&world, "latest"), 151, "what is gone is kept, what is new is there");
    world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions"]).ok();
    assert_eq!(files(&world, "latest"), 31);
    assert_eq!(files(&world, "previous"), 151);
}

#[test]
fn when_all_of_a_source_is_gone() {
    for empty in [true, false] {
        let world = crowd();
        fs::remove_dir_all(world.path("docs")).unwrap();
        if empty {
            fs::create_dir(world.path("docs")).unwrap();
        }
        world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
        assert_eq!(files(&world, "latest"), 150);
    }
}

/// What the newest version has at a path below the source, by kind.
fn kinds(world: &World, below: &str) -> Vec<String> {
    let rows = world.tuckbox(["ls", "-r", "--json", &world.arg("docs")]).ok().records("entry");
    let at = |row: &serde_json::Value| row["path"].as_str().is_some_and(|path| path.contains(below));
    rows.iter().filter(|row| at(row)).map(|row| row["kind"].as_str().unwrap().to_owned()).collect()
}

/// A machine with one version of a letter and 150 photos, at `docs/photos`.
fn album() -> World {
    let world = world().ready();
    let docs = tree::Tree::at(world.path("docs"));
    docs.file("letter", "letter");
    let photos = docs.dir("photos");
    for n in 0..150 {
        photos.file(format!("{n:03}"), format!("{n}"));
    }
    drop((photos, docs.age()));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

/// A directory goes elsewhere; where it was is a link to it, or a file that says so.
fn moves_away(from: &Path, to: &Path, link: bool) {
    fs::rename(from, to).unwrap();
    if link {
        std::os::unix::fs::symlink(to, from).unwrap();
    } else {
        fs::write(from, "moved to large").unwrap();
    }
}

#[test]
fn a_directory_that_became_something_else_is_gone_with_its_files() {
    for link in [true, false] {
        let world = album();
        moves_away(&world.path("docs/photos"), &world.path("large"), link);
        for _ in 0..2 {
            let run = world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
            assert!(run.warning("guard.mass_deletion").unwrap().contains("150"), "{run}");
            assert_eq!(kinds(&world, "/photos/"), vec!["file"; 150]);
        }
        let run = world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions", "--json"]).ok();
        assert_eq!(run.count("files_removed"), 150, "{run}");
        assert_eq!(kinds(&world, "/photos"), [if link { "symlink" } else { "file" }]);
    }
}

#[test]
fn a_source_that_became_something_else_is_gone_with_its_files() {
    for link in [true, false] {
        let world = album();
        moves_away(&world.path("docs"), &world.path("large"), link);
        for _ in 0..2 {
            world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
            assert_eq!(kinds(&world, "/photos/"), vec!["file"; 150]);
        }
        let run = world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions", "--json"]).ok();
        assert_eq!(run.count("files_removed"), 151, "{run}");
        assert_eq!(kinds(&world, "/photos/"), Vec::<String>::new());
    }
}

#[test]
fn a_mount_over_a_directory_hides_its_files_and_does_not_remove_them() {
    if !need::root() {
        return;
    }
    let world = album();
    let Some(mounted) = need::mount_tmpfs(&world.path("docs/photos"), "1m") else { return };
    world.tuckbox(["backup", "-x", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    assert_eq!(kinds(&world, "/photos/"), vec!["file"; 150]);
    drop(mounted);
    world.tuckbox(["backup", "-x", &world.arg("docs")]).ok();
    assert_eq!(kinds(&world, "/photos/"), vec!["file"; 150]);
}

/// A machine with one version of letters, and of ten photos on a disk of its own at `docs/photos`. The disk is there as
/// long as the first is held, and mounted at `docs/photos` as long as the second.
fn shelf() -> Option<(World, Mounted, Mounted)> {
    if !need::root() {
        return None;
    }
    let world = world().ready();
    let disk = need::mount_new_image(&world.dir("disk"), &world.path("image"))?;
    let photos = need::mount_again(&world.dir("docs/photos"), &world.path("disk"))?;
    (0..10).for_each(|n| fs::write(world.path(format!("disk/{n}")), format!("{n}")).unwrap());
    let docs = tree::Tree::at(world.path("docs"));
    for n in 0..20 {
        docs.file(format!("letter-{n}"), format!("letter {n}"));
    }
    drop(docs.age());
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    Some((world, disk, photos))
}

#[test]
fn a_disk_below_a_source_that_is_not_mounted_has_deleted_nothing() {
    let Some((world, _disk, photos)) = shelf() else { return };
    drop(photos);
    fs::write(world.path("docs/new"), "new").unwrap();
    fs::remove_file(world.path("docs/letter-0")).unwrap();
    let run = world.tuckbox(["backup", "--json", &world.arg("docs")]).run().exits(12);
    assert_eq!((run.count("files_new"), run.count("files_removed")), (1, 1), "what else changed is stored: {run}");
    assert_eq!(kinds(&world, "/photos/"), vec!["file"; 10]);
    world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    assert_eq!(kinds(&world, "/photos/"), vec!["file"; 10]);
    // It is there again, and goes once more.
    let photos = need::mount_again(&world.path("docs/photos"), &world.path("disk")).unwrap();
    let run = world.tuckbox(["backup", "--json", &world.arg("docs")]).ok();
    assert_eq!((run.count("files_new"), run.count("files_removed"), run.count("new_bytes")), (0, 0, 0), "{run}");
    drop(photos);
    let run = world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    pinned::check("warnings/guard.mass_deletion.mount", &run.warning("guard.mass_deletion").unwrap());
    fs::remove_dir(world.path("docs/photos")).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    assert_eq!(kinds(&world, "/photos/"), vec!["file"; 10]);
}

#[test]
fn what_is_mounted_in_passing_may_go() {
    let Some((world, _disk, _photos)) = shelf() else { return };
    let run = need::mount_tmpfs(&world.dir("docs/run"), "1m").unwrap();
    fs::write(world.path("docs/run/socket"), "of a program").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    drop(run);
    let run = world.tuckbox(["backup", "--json", &world.arg("docs")]).ok();
    assert_eq!(run.count("files_removed"), 1, "{run}");
}

#[test]
fn what_is_deleted_on_a_disk_that_is_mounted_is_deleted() {
    let Some((world, _disk, photos)) = shelf() else { return };
    fs::remove_file(world.path("docs/photos/0")).unwrap();
    let run = world.tuckbox(["backup", "--json", &world.arg("docs")]).ok();
    assert_eq!((run.count("files_removed"), kinds(&world, "/photos/").len()), (1, 9), "{run}");
    // Another disk in its place is as with a source that is a mount point: something is mounted there.
    drop(photos);
    let another = need::mount_tmpfs(&world.path("docs/photos"), "1m").unwrap();
    fs::write(world.path("docs/photos/1"), "another").unwrap();
    let run = world.tuckbox(["backup", "--json", &world.arg("docs")]).ok();
    assert_eq!((run.count("files_removed"), run.count("files_changed")), (8, 1), "{run}");
    drop(another);
    world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
}

#[test]
fn a_disk_that_is_said_to_be_gone_is_forgotten() {
    let Some((world, _disk, photos)) = shelf() else { return };
    drop(photos);
    world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    let run = world.tuckbox(["backup", "--json", "--accept-deletions", &world.arg("docs")]).ok();
    assert_eq!((run.count("files_removed"), kinds(&world, "/photos/").len()), (10, 0), "{run}");
    fs::write(world.path("docs/photos/note"), "a directory like any other").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    fs::remove_file(world.path("docs/photos/note")).unwrap();
    let run = world.tuckbox(["backup", "--json", &world.arg("docs")]).ok();
    assert_eq!((run.count("files_removed"), kinds(&world, "/photos/").len()), (1, 0), "{run}");
}

#[test]
fn a_disk_that_the_state_knows_nothing_of_is_guarded_from_the_next_run_on() {
    let Some((world, _disk, photos)) = shelf() else { return };
    fs::remove_dir_all(world.home().join(".local/state/tuckbox/accounts")).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    drop(photos);
    world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    fs::remove_dir_all(world.home().join(".local/state/tuckbox/accounts")).unwrap();
    // What is marked stays marked.
    world.tuckbox(["backup", &world.arg("docs")]).run().exits(12).warns("guard.mass_deletion");
    assert_eq!(kinds(&world, "/photos/"), vec!["file"; 10]);
}

#[test]
fn a_source_never_seen_that_is_not_there() {
    let world = world().ready();
    tree::small(world.path("docs"));
    let run = world.tuckbox(["backup", &world.arg("docs"), &world.arg("absent")]).run();
    let run = run.exits(3).warns("source.none");
    pinned::check("warnings/source.none", &run.warning("source.none").unwrap());
    world.restore_all("out");
}

#[test]
fn an_unreadable_file_keeps_what_an_earlier_version_holds() {
    if !need::root() || !need::programs(&["setpriv"]) {
        return;
    }
    let guest = world().user("guest", 4_321);
    let guest = guest.with_vault(guest.arg("home-guest/vault"));
    let docs = guest.path("home-guest/docs");
    tree::small(&docs);
    tree::give_all(&docs, 4_321);
    let docs = docs.to_str().unwrap();
    guest.tuckbox(["init"]).ok();
    guest.tuckbox(["backup", docs]).ok();
    let before = look::at(docs);

    fs::write(format!("{docs}/secret"), "never readable").unwrap();
    for name in ["secret", "letter.txt"] {
        std::os::unix::fs::lchown(format!("{docs}/{name}"), Some(0), Some(0)).unwrap();
        tree::Tree::at(docs).mode(name, 0o600);
    }
    let run = guest.tuckbox(["backup", docs]).run().exits(3).warns("source.unreadable");
    pinned::check("warnings/source.unreadable", &run.warning("source.unreadable").unwrap());
    let restored = guest.tuckbox(["restore", docs, "--to", &guest.arg("home-guest/out")]).run();
    assert!([0, 3].contains(&restored.code()), "{restored}");
    let back = look::at(guest.path("home-guest/out/docs"));
    assert_eq!(back.get("letter.txt").content, before.get("letter.txt").content);
    assert_eq!(back.get("photos/lake.raw"), before.get("photos/lake.raw"));
}

#[test]
fn a_file_that_never_stands_still() {
    let world = world().ready();
    tree::small(world.path("docs"));
    let (stop, restless) = (AtomicBool::new(false), world.path("docs/restless"));
    // So large that it changes again while it is read, even if the writer has to wait for its turn.
    fs::write(&restless, vec![1; 64 << 20]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::FileExt;
            let file = fs::File::options().write(true).open(&restless).unwrap();
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                file.write_all_at(&u64::to_le_bytes(turn), (turn % 8_000) * 8_192).unwrap();
                std::thread::yield_now();
            }
        });
        let run = world.tuckbox(["backup", &world.arg("docs")]).run();
        stop.store(true, Ordering::Relaxed);
        let run = run.exits(3).warns("source.changed");
        pinned::check("warnings/source.changed", &run.warning("source.changed").unwrap());
    });
    let rows = world.tuckbox(["ls", "--json", &world.arg("docs/restless")]).ok().records("entry");
    assert_eq!(rows[0]["mark"], "changed");
    assert_eq!(world.tuckbox(["dump", &world.arg("docs/letter.txt")]).ok().text(), "Dear Ana,\n");
}
