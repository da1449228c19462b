//! Sources that lie inside others.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::place::{Place, job, source, tree};
use super::several::sources;
use crate::engine::job::{BackupJob, Run};
use crate::source::{Given, Patterns};

/// A directory with another one in it, which was backed up by itself, and then the outer one.
fn both() -> (Place, Run) {
    let (place, run) = Place::new();
    fs::create_dir_all(place.path("out/in/deep")).unwrap();
    fs::write(place.path("out/a"), "a").unwrap();
    fs::write(place.path("out/in/deep/b"), "b").unwrap();
    place.backup(&run, job([place.path("out/in")])).unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    (place, run)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The outer source, without what this pattern says.
fn but(place: &Place, pattern: &[u8]) -> BackupJob {
    let mut outer = source(&place.path("out"));
    outer.rules.patterns = vec![Patterns::One(Given::new(pattern, "--exclude"))];
    BackupJob { sources: vec![outer], ..job([""; 0]) }
}

#[test]
fn what_the_outer_one_stores_later_is_seen() {
    let (place, run) = both();
    assert_eq!(sources(&run), [text(&place.path("out"))]);
    fs::write(place.path("out/in/deep/b"), "another b").unwrap();
    fs::write(place.path("out/in/new"), "new").unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    place.prove(&run, &place.path("out"));
    // By itself once more, it is the newer one; and then a part again.
    fs::write(place.path("out/in/newer"), "newer").unwrap();
    place.backup(&run, job([place.path("out/in")])).unwrap();
    assert_eq!(sources(&run), [text(&place.path("out")), text(&place.path("out/in"))]);
    place.prove(&run, &place.path("out"));
    fs::write(place.path("out/in/newest"), "newest").unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    assert_eq!(sources(&run), [text(&place.path("out"))]);
    place.prove(&run, &place.path("out"));
}

#[test]
fn a_single_file_is_a_part_too() {
    let (place, run) = both();
    place.backup(&run, job([place.path("out/a")])).unwrap();
    fs::write(place.path("out/a"), "another a").unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    assert_eq!(sources(&run), [text(&place.path("out"))]);
    place.prove(&run, &place.path("out"));
}

#[test]
fn what_the_outer_one_has_not_stays_a_source() {
    let (place, run) = both();
    let two = [text(&place.path("out")), text(&place.path("out/in"))];
    place.backup(&run, job([place.path("out/in")])).unwrap();
    // Its rules leave it out, or all that is in it.
    for pattern in ["in", "deep"] {
        place.backup(&run, but(&place, pattern.as_bytes())).unwrap();
        assert_eq!(sources(&run), two, "{pattern}");
    }
    // Both are named.
    place.backup(&run, job([place.path("out"), place.path("out/in")])).unwrap();
    assert_eq!(sources(&run), two);
    // It is empty there, as a disk that is not mounted.
    fs::rename(place.path("out/in/deep"), place.path("away")).unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    assert_eq!(sources(&run), two);
    // It is a link, and what is behind that was stored.
    fs::remove_dir(place.path("out/in")).unwrap();
    symlink(place.path("away"), place.path("out/in")).unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    assert_eq!(sources(&run), two);
    // It is gone.
    fs::remove_file(place.path("out/in")).unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    assert_eq!(sources(&run), two);
}

#[test]
fn what_is_no_directory_takes_its_place() {
    let (place, run) = both();
    fs::write(place.path("out/in/deep/b"), "the newest b").unwrap();
    place.backup(&run, job([place.path("out/in")])).unwrap();
    let before = tree(&place.path("out/in"));
    fs::remove_dir_all(place.path("out/in")).unwrap();
    fs::write(place.path("out/in"), "a file").unwrap();
    // The outer one has an older state of the same files. They are lost once, and what is kept is the newest of them.
    let careful = || BackupJob { guard_share_permille: 400, guard_min: 0, ..job([place.path("out")]) };
    for _ in 0..2 {
        let summary = place.backup(&run, careful()).unwrap();
        assert_eq!((summary.sources_guarded, summary.files_removed), (1, 0));
        assert_eq!(sources(&run), [text(&place.path("out")), text(&place.path("out/in"))]);
        assert_eq!(place.restored(&run, &place.path("out/in")), before);
    }
    let summary = place.backup(&run, BackupJob { accept_deletions: true, ..careful() }).unwrap();
    assert_eq!((summary.sources_guarded, summary.files_removed), (0, 1));
    assert_eq!(sources(&run), [text(&place.path("out"))]);
    place.prove(&run, &place.path("out"));
}

#[test]
fn others_beside_it_stay() {
    let (place, run) = both();
    fs::create_dir(place.path("outer")).unwrap();
    fs::write(place.path("outer/c"), "c").unwrap();
    place.backup(&run, job([place.path("outer")])).unwrap();
    let mut elsewhere = source(&place.path("out/in"));
    elsewhere.host = "bob".into();
    place.backup(&run, BackupJob { sources: vec![elsewhere], ..job([""; 0]) }).unwrap();
    place.backup(&run, job([place.path("out")])).unwrap();
    assert_eq!(sources(&run), ["out", "outer", "out/in"].map(|name| text(&place.path(name))));
    assert!(place.path("out").as_os_str().as_bytes().starts_with(b"/"));
}
