//! What is left of a file that was begun and not finished, and of what stood there.

use std::fs;
use std::io::ErrorKind;

use rustix::fs::{Mode, OFlags};

use super::*;

#[test]
fn an_unfinished_file_goes_away_and_leaves_what_was_there() {
    let world = World::new();
    // Aside from the start: the name is there when all of it is.
    let aside = NewFile::create_aside(world.top(), b"aside", false).unwrap();
    aside.write_at(b"who", 0).unwrap();
    assert!(!world.path("aside").exists());
    aside.write_at(b"le", 3).unwrap();
    aside.finish(&file(5, 0o644), &Rights::detect()).unwrap();
    assert_eq!(fs::read(world.path("aside")).unwrap(), b"whole");
    // What came there meanwhile stays.
    let late = NewFile::create_aside(world.top(), b"late", false).unwrap();
    fs::write(world.path("late"), b"mine").unwrap();
    assert_eq!(late.finish(&file(0, 0o644), &Rights::detect()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(world.path("late")).unwrap(), b"mine");
    for name in ["aside", "late"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    assert_eq!(fs::read_dir(world.path("")).unwrap().count(), 0);
    drop(NewFile::create(world.top(), b"a", false).unwrap());
    assert!(world.top().names().unwrap().is_empty());
    write(world.top(), b"a", b"old", false).unwrap();
    let new = NewFile::create_beside(world.top(), b"a", true).unwrap();
    new.write_at(b"half", 0).unwrap();
    assert_eq!(world.top().names().unwrap().len(), 2);
    drop(new);
    assert_eq!(world.top().names().unwrap(), [(*b"a").into()]);
    assert_eq!(fs::read(world.path("a")).unwrap(), b"old");
    for create in [NewFile::create, NewFile::create_beside] {
        let new = create(world.top(), b"a", true).unwrap();
        new.write_at(b"new", 0).unwrap();
        new.finish(&file(3, 0o644), &Rights::detect()).unwrap();
        assert_eq!(fs::read(world.path("a")).unwrap(), b"new");
        assert_eq!(world.top().names().unwrap(), [(*b"a").into()]);
        fs::write(world.path("a"), b"old").unwrap();
    }
    let late = NewFile::create_beside(world.top(), b"a", false).unwrap();
    assert_eq!(late.finish(&file(0, 0o644), &Rights::detect()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    // A directory is never replaced by a file.
    world.top().make(b"d").unwrap();
    assert!(write(world.top(), b"d", b"x", true).is_err());
    assert!(make_symlink(world.top(), b"d", &link(b"x"), &Rights::detect(), true).is_err());
    assert_eq!(world.top().names().unwrap().len(), 2, "and nothing temporary is left");
}

#[test]
fn a_run_that_is_killed_leaves_nothing_of_what_is_written_aside() {
    let world = World::new();
    let flags = OFlags::TMPFILE | OFlags::WRONLY;
    if rustix::fs::openat(world.top(), ".", flags, Mode::RWXU).is_err() {
        return; // This file system cannot.
    }
    write(world.top(), b"there", b"old", false).unwrap();
    for new in [NewFile::create(world.top(), b"there", true), NewFile::create_aside(world.top(), b"new", false)] {
        let new = new.unwrap();
        new.write_at(b"half", 0).unwrap();
        // Nobody is left to take anything away.
        std::mem::forget(new);
        assert_eq!(world.top().names().unwrap(), [(*b"there").into()]);
    }
}
