//! What every disk must do, the real one and a simulated one alike.

use std::path::Path;

use super::disk::{Disk, Named, PathKind, check_owner};
use crate::error::Error;

/// Runs everything that is promised in [`Disk`] and [`DiskFile`](super::DiskFile) and can be seen without cutting
/// the power, in an empty folder of that disk. The error is the first promise that is not held.
pub fn suite(disk: &dyn Disk, dir: &Path) -> Result<(), String> {
    for (name, part) in [
        ("files", files as fn(&dyn Disk, &Path) -> Promise),
        ("reading whole files", whole_files),
        ("folders", folders),
        ("new names", new_names),
        ("renaming and removing", renaming),
        ("locks", locks),
        ("facts", facts),
    ] {
        let inside = dir.join(name);
        disk.make_dir(&inside).map_err(|e| format!("{name}: {e}"))?;
        part(disk, &inside).map_err(|broken| format!("{name}: {}", broken.0))?;
    }
    Ok(())
}

/// Why a promise is not held.
struct Broken(String);

type Promise = Result<(), Broken>;

impl From<Error> for Broken {
    fn from(e: Error) -> Self {
        Self(e.to_string())
    }
}

fn hold(is_held: bool, promise: &str) -> Promise {
    if is_held { Ok(()) } else { Err(Broken(format!("not held: {promise}"))) }
}

fn taken<T>(result: Result<T, Error>, promise: &str) -> Promise {
    hold(matches!(result, Err(Error::Taken { .. })), promise)
}

fn not_found<T>(result: Result<T, Error>, promise: &str) -> Promise {
    hold(matches!(result, Err(Error::NotFound { .. })), promise)
}

fn files(disk: &dyn Disk, dir: &Path) -> Promise {
    let path = dir.join("a");
    let mut file = disk.create_new(&path)?;
    hold(file.is_empty()?, "a new file is empty")?;
    taken(disk.create_new(&path), "a file is not made twice")?;
    file.append(b"one ")?;
    file.append(b"")?;
    file.append(b"two")?;
    hold(file.len()? == 7, "length is what was appended")?;
    let mut part = [0; 3];
    file.read_at(&mut part, 4)?;
    hold(&part == b"two", "what was appended can be read through the same file")?;
    file.write_back();
    file.sync()?;
    file.append(b" three")?;
    file.write_back();
    file.sync()?;
    drop(file);
    disk.sync_dir(dir)?;

    let mut again = disk.open_append(&path)?;
    again.append(b" four")?;
    let reader = disk.open(&path)?;
    let mut all = [0; 18];
    reader.read_at(&mut all, 0)?;
    hold(&all == b"one two three four", "appending goes on at the end, and others see it")?;
    reader.read_at(&mut [], 18)?;
    for (len, offset) in [(1, 18), (2, 17), (1, 1 << 40)] {
        let ends = reader.read_at(&mut vec![0; len], offset);
        hold(
            matches!(ends, Err(Error::Disk { cause, .. }) if cause.kind() == std::io::ErrorKind::UnexpectedEof),
            "reading past the end is an unexpected end",
        )?;
    }
    hold(disk.open(&path)?.append(b"x").is_err(), "a file opened for reading takes nothing")?;
    hold(disk.read(&path, 18)?.len() == 18, "and has not changed")?;
    not_found(disk.open(&dir.join("none")), "what is not there cannot be opened")?;
    not_found(disk.open_append(&dir.join("none")), "appending makes no file")?;
    not_found(disk.create_new(&dir.join("none").join("a")), "making a file makes no folder")?;
    hold(disk.open(dir).is_err() && disk.open_append(dir).is_err(), "a folder is no file")
}

fn whole_files(disk: &dyn Disk, dir: &Path) -> Promise {
    let path = dir.join("a");
    disk.create_new(&path)?.append(b"12345")?;
    hold(disk.read(&path, 5)? == b"12345", "a file as long as allowed is read")?;
    hold(disk.read(&path, 100)? == b"12345", "a shorter one too")?;
    hold(
        matches!(disk.read(&path, 4), Err(Error::Limit { found: 5, most: 4, .. })),
        "a longer one is above the limit",
    )?;
    not_found(disk.read(&dir.join("none"), 4), "what is not there cannot be read")
}

fn folders(disk: &dyn Disk, dir: &Path) -> Promise {
    disk.make_dir(&dir.join("sub"))?;
    taken(disk.make_dir(&dir.join("sub")), "a folder is not made twice")?;
    taken(disk.create_new(&dir.join("sub")), "a file does not replace a folder")?;
    not_found(disk.make_dir(&dir.join("none").join("sub")), "one folder is made at a time")?;
    for (name, bytes) in [("b", &b"12"[..]), ("B", b"1"), ("a b", b"")] {
        disk.create_new(&dir.join(name))?.append(bytes)?;
    }
    disk.sync_dir(dir)?;
    let named = |name: &str, kind, len| Named { name: name.into(), kind, len };
    let mut list = disk.list(dir)?;
    for named in &mut list {
        named.len = if named.kind == PathKind::Dir { 0 } else { named.len };
    }
    let file = PathKind::File;
    let expected = [named("B", file, 1), named("a b", file, 0), named("b", file, 2), named("sub", PathKind::Dir, 0)];
    hold(list == expected, "a list has every name once, by bytes, with kind and length")?;
    hold(disk.names(dir)?.iter().eq(list.iter().map(|named| &named.name)), "the names alone are the same")?;
    not_found(disk.names(&dir.join("none")), "what is not there has no names")?;
    hold(disk.list(&dir.join("sub"))?.is_empty(), "a new folder is empty")?;
    not_found(disk.list(&dir.join("none")), "what is not there has no list")?;
    not_found(disk.sync_dir(&dir.join("none")), "what is not there is not synced")?;
    disk.create_new(&dir.join("sub").join("x"))?;
    hold(disk.remove_dir(&dir.join("sub")).is_err(), "a folder that is not empty stays")?;
    disk.remove_file(&dir.join("sub").join("x"))?;
    disk.remove_dir(&dir.join("sub"))?;
    hold(disk.exists(&dir.join("sub"))?.is_none(), "an empty one goes")?;
    not_found(disk.remove_dir(&dir.join("sub")), "once")
}

fn new_names(disk: &dyn Disk, dir: &Path) -> Promise {
    let path = |name: &str| dir.join(name);
    disk.create_new(&path("a"))?.append(b"a")?;
    disk.create_new(&path("b"))?.append(b"b")?;
    taken(disk.link_new(&path("a"), &path("b")), "a new name never replaces a file")?;
    hold(disk.read(&path("b"), 1)? == b"b" && disk.read(&path("a"), 1)? == b"a", "and changes neither")?;
    disk.make_dir(&path("d"))?;
    taken(disk.link_new(&path("a"), &path("d")), "nor a folder")?;
    disk.link_new(&path("a"), &path("c"))?;
    hold(disk.read(&path("c"), 1)? == b"a", "the file has its new name")?;
    if disk.exists(&path("a"))?.is_some() {
        disk.link_new(&path("a"), &path("c"))?;
        disk.remove_file(&path("a"))?;
    }
    hold(disk.read(&path("c"), 1)? == b"a", "and keeps it without the old one")?;
    not_found(disk.link_new(&path("none"), &path("e")), "what is not there gets no name")
}

fn renaming(disk: &dyn Disk, dir: &Path) -> Promise {
    let path = |name: &str| dir.join(name);
    disk.create_new(&path("a"))?.append(b"new")?;
    disk.create_new(&path("b"))?.append(b"old")?;
    let reader = disk.open(&path("b"))?;
    disk.rename(&path("a"), &path("b"))?;
    hold(disk.exists(&path("a"))?.is_none(), "the old name is gone")?;
    hold(disk.read(&path("b"), 3)? == b"new", "the new name has the file")?;
    let mut bytes = [0; 3];
    reader.read_at(&mut bytes, 0)?;
    hold(&bytes == b"old", "who had the replaced file open still reads it")?;
    not_found(disk.rename(&path("a"), &path("b")), "what is not there is not renamed")?;
    disk.remove_file(&path("b"))?;
    not_found(disk.remove_file(&path("b")), "what is not there is not removed")?;
    disk.make_dir(&path("d"))?;
    hold(disk.remove_file(&path("d")).is_err(), "a folder is not removed as a file")?;
    hold(disk.exists(&path("d"))?.is_some(), "and stays")
}

fn locks(disk: &dyn Disk, dir: &Path) -> Promise {
    let path = dir.join("lock");
    let first = disk.lock(&path)?;
    hold(first.is_some(), "a free lock is taken, and its file made")?;
    hold(disk.exists(&path)?.is_some_and(|f| f.kind == PathKind::File), "its file is there")?;
    hold(disk.lock(&path)?.is_none(), "a lock is held once")?;
    hold(disk.lock(&dir.join("other"))?.is_some(), "another lock is another")?;
    drop(first);
    let second = disk.lock(&path)?;
    hold(second.is_some(), "a dropped lock is free")?;
    disk.remove_file(&path)?;
    let third = disk.lock(&path)?;
    hold(third.is_some(), "a removed lock file can be made anew")?;
    drop(second);
    hold(disk.lock(&path)?.is_none(), "the old lock's end does not free the new one")?;
    not_found(disk.lock(&dir.join("none").join("lock")), "locking makes no folder")
}

fn facts(disk: &dyn Disk, dir: &Path) -> Promise {
    disk.create_new(&dir.join("a"))?.append(b"12345")?;
    let Some(file) = disk.exists(&dir.join("a"))? else {
        return hold(false, "a file is there");
    };
    hold(file.kind == PathKind::File && file.len == 5, "a file's kind and length are told")?;
    disk.make_dir(&dir.join("d"))?;
    let Some(folder) = disk.exists(&dir.join("d"))? else {
        return hold(false, "a folder is there");
    };
    hold(folder.kind == PathKind::Dir, "a folder's kind is told")?;
    hold(file.owner == folder.owner, "both have one owner")?;
    check_owner(disk, dir)?;
    hold(disk.exists(&dir.join("none"))?.is_none(), "what is not there is not there")?;
    hold(disk.exists(&dir.join("a").join("b"))?.is_none(), "nothing is inside a file")?;
    not_found(check_owner(disk, &dir.join("none")), "what is not there has no owner")?;
    disk.free_bytes(dir)?;
    disk.is_local(dir)?;
    Ok(())
}
