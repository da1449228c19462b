//! That it keeps the promises of every disk, and that a crash takes what was not synced and nothing else.

use std::collections::BTreeSet;

use super::*;
use crate::door::suite;

fn written(disk: &SimDisk, path: &str, synced: &[u8], more: &[u8]) -> Box<dyn DiskFile> {
    let mut file = disk.create_new(Path::new(path)).unwrap();
    file.append(synced).unwrap();
    file.sync().unwrap();
    file.append(more).unwrap();
    file
}

fn names(disk: &SimDisk, dir: &str) -> Vec<String> {
    disk.list(Path::new(dir)).unwrap().into_iter().map(|named| named.name.into_string().unwrap()).collect()
}

/// What different crashes leave of the same disk.
fn after_crashes<T: Ord>(disk: &SimDisk, look: impl Fn(&SimDisk) -> T) -> BTreeSet<T> {
    (0..300)
        .map(|seed| {
            let medium = Arc::new(Mutex::new(disk.held().clone()));
            let copy = SimDisk { medium, ..disk.clone() };
            copy.crash(seed);
            look(&copy)
        })
        .collect()
}

#[test]
fn it_passes_the_suite_of_all_disks() {
    suite(&SimDisk::new(), Path::new("/")).unwrap();
}

#[test]
fn synced_bytes_stay_and_others_may_be_torn() {
    let disk = SimDisk::new();
    drop(written(&disk, "/a", b"safe", &[7; 10_000]));
    disk.sync_dir(Path::new("/")).unwrap();
    let left = after_crashes(&disk, |disk| disk.read(Path::new("/a"), 20_000).unwrap());
    assert!(left.iter().all(|bytes| bytes.starts_with(b"safe") && bytes.len() <= 10_004));
    let lengths: BTreeSet<usize> = left.iter().map(Vec::len).collect();
    assert!(lengths.contains(&4) && lengths.contains(&10_004) && lengths.len() > 50);
    assert!(left.iter().any(|bytes| bytes[4..].contains(&0)), "no page is ever missing");
}

#[test]
fn names_are_lost_until_their_folder_is_synced() {
    let disk = SimDisk::new();
    drop(written(&disk, "/a", b"a", b""));
    drop(written(&disk, "/b", b"b", b""));
    let left = after_crashes(&disk, |disk| names(disk, "/"));
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(left, BTreeSet::from([of(&[]), of(&["a"]), of(&["b"]), of(&["a", "b"])]));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(after_crashes(&disk, |disk| names(disk, "/")), BTreeSet::from([of(&["a", "b"])]));

    disk.remove_file(Path::new("/a")).unwrap();
    disk.rename(Path::new("/b"), Path::new("/c")).unwrap();
    let left = after_crashes(&disk, |disk| names(disk, "/"));
    assert_eq!(left, BTreeSet::from([of(&["a", "b"]), of(&["b"]), of(&["a", "c"]), of(&["c"])]));
}

#[test]
fn a_rename_is_whole_whichever_folder_is_synced() {
    let disk = SimDisk::new();
    disk.make_dir(Path::new("/d")).unwrap();
    drop(written(&disk, "/a", b"new", b""));
    drop(written(&disk, "/d/a", b"old", b""));
    disk.sync_dir(Path::new("/")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    disk.rename(Path::new("/a"), Path::new("/d/a")).unwrap();
    let look = |disk: &SimDisk| (names(disk, "/").len(), disk.read(Path::new("/d/a"), 9).unwrap());
    assert_eq!(after_crashes(&disk, look), BTreeSet::from([(1, b"new".to_vec()), (2, b"old".to_vec())]));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(after_crashes(&disk, look), BTreeSet::from([(1, b"new".to_vec())]));
}

#[test]
fn what_a_failed_sync_threw_away_does_not_come_back() {
    let pilot: Pilot = Arc::new(|asked| match (asked.process, asked.what) {
        (1, "sync") => Fate::Forget(ErrorKind::Other),
        _ => Fate::Go,
    });
    let disk = SimDisk::new();
    drop(written(&disk, "/a", b"safe", b""));
    disk.sync_dir(Path::new("/")).unwrap();
    let mut file = disk.used_by(1, Some(pilot)).open_append(Path::new("/a")).unwrap();
    file.append(b"lost").unwrap();
    file.sync().unwrap_err();
    assert!(file.len().is_err() && file.append(b"x").is_err() && file.sync().is_err());
    // Another sees it, and is told that it is synced.
    let mut again = disk.open_append(Path::new("/a")).unwrap();
    again.append(b"more").unwrap();
    again.sync().unwrap();
    assert_eq!(disk.read(Path::new("/a"), 99).unwrap(), b"safelostmore");
    let left = after_crashes(&disk, |disk| disk.read(Path::new("/a"), 99).unwrap());
    assert_eq!(left, BTreeSet::from([b"safe\0\0\0\0more".to_vec()]));
}

#[test]
fn with_syncs_that_do_nothing_everything_can_go() {
    let pilot: Pilot = Arc::new(|asked| if asked.what.starts_with("sync") { Fate::Swallow } else { Fate::Go });
    let disk = SimDisk::new().used_by(1, Some(pilot));
    drop(written(&disk, "/a", b"safe", b""));
    disk.sync_dir(Path::new("/")).unwrap();
    let left = after_crashes(&disk, |disk| disk.read(Path::new("/a"), 9).ok());
    assert!(left.contains(&None) && left.contains(&Some(Vec::new())) && left.contains(&Some(b"safe".to_vec())));
}

#[test]
fn a_dead_process_holds_nothing_and_does_nothing() {
    let disk = SimDisk::new();
    let (one, two) = (disk.used_by(1, None), disk.used_by(2, None));
    let held = one.lock(Path::new("/lock")).unwrap();
    assert!(two.lock(Path::new("/lock")).unwrap().is_none());
    let mut file = one.create_new(Path::new("/a")).unwrap();
    disk.kill(1);
    assert!(file.append(b"x").is_err() && file.sync().is_err() && one.list(Path::new("/")).is_err());
    assert_eq!(two.read(Path::new("/a"), 9).unwrap(), b"");
    let mine = two.lock(Path::new("/lock")).unwrap();
    assert!(mine.is_some());
    drop(held);
    assert!(disk.lock(Path::new("/lock")).unwrap().is_none(), "the dead one's lock freed another's");
}

#[test]
fn every_kind_of_failure() {
    let fate = Arc::new(Mutex::new(Fate::Go));
    let told = Arc::clone(&fate);
    let disk = SimDisk::new().used_by(1, Some(Arc::new(move |_| *told.lock().unwrap())));
    let set = |to| *fate.lock().unwrap() = to;
    let (a, b) = (Path::new("/a"), Path::new("/b"));
    let mut file = disk.create_new(a).unwrap();
    set(Fate::Half(ErrorKind::StorageFull));
    assert!(file.append(b"1234").unwrap_err().is_full());
    set(Fate::Go);
    assert_eq!(disk.read(a, 9).unwrap(), b"12");
    set(Fate::FailAfter(ErrorKind::Other));
    assert!(matches!(disk.link_new(a, b), Err(Error::Disk { .. })));
    set(Fate::Fail(ErrorKind::QuotaExceeded));
    assert!(disk.remove_file(b).unwrap_err().is_full());
    set(Fate::Flip);
    assert_ne!(disk.read(b, 9).unwrap(), b"12");
    set(Fate::Go);
    assert_eq!(disk.read(b, 9).unwrap(), b"12");
    let c = Path::new("/c");
    let mut third = disk.create_new(c).unwrap();
    set(Fate::Spoil(4));
    third.append(b"abc").unwrap();
    set(Fate::Go);
    third.sync().unwrap();
    assert_eq!(disk.read(c, 9).unwrap(), b"arc");
    disk.lose(c);
    disk.damage(b, |bytes| bytes.clear());
    assert_eq!(disk.read(a, 9).unwrap(), b"");
    disk.lose(a);
    assert_eq!(names(&disk, "/"), ["b"]);
}
