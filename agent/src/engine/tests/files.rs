//! Files that change, vanish, cannot be read, or are of a special kind; directories that are emptied.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::place::{Ears, Place, job, mixed, noise, tree};
use crate::engine::job::{BackupJob, Run};
use crate::event::{Action, Event};
use crate::fault::Code;
use crate::source::tests::as_nobody;

fn told(job: BackupJob) -> BackupJob {
    BackupJob { list_items: true, ..job }
}

/// Does something when the first file was read.
fn at_first(run: &Run, then: impl Fn() + Send + Sync + 'static) -> (Run, Arc<Ears>) {
    let once = AtomicBool::new(false);
    let ears = Ears::with(move |event| {
        if matches!(event, Event::Item { action: Action::Added, .. }) && !once.swap(true, Ordering::SeqCst) {
            then();
        }
    });
    let mut run = run.clone();
    run.watcher = Arc::clone(&ears) as _;
    (run, ears)
}

/// Files so large that each is read by itself, one after the other: they are all scanned when the first has been read.
/// Gives their number, and the paths of the last three, which no core has come to by then.
fn large_ones(at: &Path) -> (usize, [PathBuf; 3]) {
    fs::create_dir(at).unwrap();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = 30.max(4 * cores);
    let path = |n: usize| at.join(format!("{n:03}"));
    for (n, seed) in (0..count).zip(0..) {
        fs::write(path(n), noise(seed, 1_100_000)).unwrap();
    }
    (count, [3, 2, 1].map(|back| path(count - back)))
}

#[test]
fn a_file_that_vanishes_or_is_replaced_before_it_is_read() {
    let (place, run) = Place::new();
    let source = place.path("src");
    let (count, [directory, another, gone]) = large_ones(&source);
    let other = source.join("other");
    let (run, ears) = at_first(&run, move || {
        fs::remove_file(&gone).unwrap();
        fs::write(&other, b"another file of this name").unwrap();
        fs::rename(&other, &another).unwrap();
        fs::remove_file(&directory).unwrap();
        fs::create_dir(&directory).unwrap();
    });
    let summary = place.backup(&run, told(job([&source]))).unwrap();
    assert_eq!(summary.errors, 3);
    let mut codes = ears.codes();
    codes.sort_by_key(|code| code.name());
    assert_eq!(codes, [Code::SourceChanged, Code::SourceChanged, Code::SourceVanished]);
    let restored = place.restored(&run, &source);
    assert_eq!(restored.len(), 1 + count - 3, "the source itself, and all but these");
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.errors, summary.files_new), (0, 1));
    place.prove(&run, &source);
}

#[test]
fn a_file_that_changes_before_it_is_read_is_stored_as_it_is_then() {
    let (place, run) = Place::new();
    let source = place.path("src");
    let (_, [tiny, shorter, longer]) = large_ones(&source);
    let (run, _) = at_first(&run, move || {
        let file = File::options().append(true).open(&longer).unwrap();
        file.write_all_at(b"and more", 1_100_000).unwrap();
        fs::write(&shorter, b"shorter than before, and longer than what is kept inline").unwrap();
        fs::write(&tiny, b"tiny").unwrap();
    });
    let summary = place.backup(&run, told(job([&source]))).unwrap();
    assert_eq!(summary.errors, 0);
    place.prove(&run, &source);
}

#[test]
fn a_file_that_changes_all_the_time_is_marked_and_read_again() {
    let (place, mut run) = Place::new();
    let source = place.path("src");
    fs::create_dir(&source).unwrap();
    let path = source.join("log");
    fs::write(&path, noise(1, 12_000_000)).unwrap();
    let ears = Arc::new(Ears::default());
    run.watcher = Arc::clone(&ears) as _;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = File::options().write(true).open(&path).unwrap();
            let mut n = 0_u64;
            while !done.load(Ordering::SeqCst) {
                n += 1;
                file.write_all_at(&n.to_le_bytes(), 6_000_000).unwrap();
            }
        });
        let summary = place.backup(&run, job([&source]));
        done.store(true, Ordering::SeqCst);
        assert_eq!(summary.unwrap().errors, 1);
    });
    assert_eq!(ears.codes(), [Code::SourceChanged]);
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.errors, summary.read_bytes), (0, 12_000_000));
    place.prove(&run, &source);
    assert_eq!(place.backup(&run, job([&source])).unwrap().read_bytes, 0);
}

#[test]
fn what_cannot_be_read_is_never_taken_for_deleted() {
    let ran = as_nobody(|| {
        let (place, mut run) = Place::new();
        let source = place.path("src");
        mixed(&source);
        fs::write(source.join("secret"), noise(3, 5_000)).unwrap();
        let before = tree(&source);
        place.backup(&run, job([&source])).unwrap();
        let ears = Arc::new(Ears::default());
        run.watcher = Arc::clone(&ears) as _;
        let closed = |mode_file, mode_dir| {
            // Another mode, or it would be taken over unread.
            fs::set_permissions(source.join("secret"), Permissions::from_mode(mode_file)).unwrap();
            fs::set_permissions(source.join("deep/er"), Permissions::from_mode(mode_dir)).unwrap();
        };
        let modes = ["secret", "deep/er"].map(|name| fs::metadata(source.join(name)).unwrap().mode() & 0o7777);
        closed(0, 0);
        let mut errors = Vec::new();
        for _ in 0..2 {
            let summary = place.backup(&run, job([&source])).unwrap();
            errors.push((summary.errors, summary.files_removed, summary.read_bytes, summary.sources_guarded));
            assert_eq!(summary.dirs_changed > 0, errors.len() == 1, "{summary:?}");
        }
        assert_eq!(errors, [(2, 0, 0, 0); 2]);
        assert!(ears.codes().iter().all(|code| *code == Code::SourceUnreadable));
        place.check(&run);
        closed(modes[0], modes[1]);
        let summary = place.backup(&run, job([&source])).unwrap();
        assert_eq!((summary.errors, summary.new_bytes, summary.files_new), (0, 0, 0));
        assert_eq!(place.restored(&run, &source), before);
        assert_eq!(place.backup(&run, job([&source])).unwrap().read_bytes, 0);
    });
    if ran.is_none() {
        // Only root can become somebody who may read less.
    }
}

#[test]
fn one_file_that_cannot_be_read_keeps_no_other_source_back() {
    as_nobody(|| {
        let (place, run) = Place::new();
        mixed(&place.path("src"));
        let alone = place.path("alone");
        fs::write(&alone, b"a file of its own, a bit longer than what is kept inline").unwrap();
        fs::set_permissions(&alone, Permissions::from_mode(0o0)).unwrap();
        let summary = place.backup(&run, job([place.path("src"), alone.clone()])).unwrap();
        assert_eq!((summary.sources_missing, summary.errors), (1, 1));
        place.prove(&run, &place.path("src"));
        let fault = place.backup(&run, job([&alone])).unwrap_err();
        assert_eq!(fault.code, Code::SourceUnreadable);
        fs::set_permissions(&alone, Permissions::from_mode(0o600)).unwrap();
        place.backup(&run, job([&alone])).unwrap();
        place.prove(&run, &alone);
    });
}

#[test]
fn things_change_their_kind() {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    place.backup(&run, job([&source])).unwrap();
    fs::remove_dir_all(source.join("deep")).unwrap();
    fs::write(source.join("deep"), b"a file now").unwrap();
    fs::remove_file(source.join("large")).unwrap();
    fs::create_dir_all(source.join("large/dir")).unwrap();
    fs::remove_file(source.join("small-1")).unwrap();
    symlink("small-2", source.join("small-1")).unwrap();
    place.backup(&run, job([&source])).unwrap();
    place.prove(&run, &source);
    fs::remove_dir_all(&source).unwrap();
    fs::write(&source, noise(4, 100_000)).unwrap();
    place.backup(&run, BackupJob { accept_deletions: true, ..job([&source]) }).unwrap();
    place.prove(&run, &source);
}

#[test]
fn a_source_that_was_emptied_is_kept() {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    let full = tree(&source);
    place.backup(&run, job([&source])).unwrap();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    for _ in 0..2 {
        let summary = place.backup(&run, job([&source])).unwrap();
        assert_eq!((summary.sources_guarded, summary.files_removed), (1, 0), "{summary:?}");
        let kept = place.restored(&run, &source);
        assert!(kept.keys().eq(full.keys()));
    }
    // Some of it comes back: it is looked at, and its marks go.
    fs::write(source.join("small-3"), b"back again, and another one than before").unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!(summary.files_changed, 1);
    let summary = place.backup(&run, BackupJob { accept_deletions: true, ..job([&source]) }).unwrap();
    assert_eq!((summary.sources_guarded, summary.files_removed), (0, 84), "{summary:?}");
    place.prove(&run, &source);
    fs::remove_dir_all(&source).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!(summary.sources_guarded, 1);
    assert_eq!(place.restored(&run, &source).len(), 2);
}

#[test]
fn many_deletions_need_a_word() {
    let (place, run) = Place::new();
    let source = place.path("src");
    fs::create_dir(&source).unwrap();
    for n in 0..300 {
        fs::write(source.join(format!("{n:03}")), format!("file {n}")).unwrap();
    }
    place.backup(&run, job([&source])).unwrap();
    let gone = |range: std::ops::Range<u32>| {
        range.for_each(|n| fs::remove_file(source.join(format!("{n:03}"))).unwrap());
    };
    // Not more than half.
    gone(0..150);
    fs::write(source.join("new"), b"new").unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.sources_guarded, summary.files_removed), (0, 150));
    // More than half, and not more than a hundred.
    gone(150..245);
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.sources_guarded, summary.files_removed), (0, 95));
    place.prove(&run, &source);
    for n in 400..600 {
        fs::write(source.join(format!("{n:03}")), format!("file {n}")).unwrap();
    }
    place.backup(&run, job([&source])).unwrap();
    gone(400..600);
    fs::write(source.join("newer"), b"new").unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.sources_guarded, summary.files_removed, summary.files_new), (1, 0, 1));
    assert_eq!(place.restored(&run, &source).len(), 1 + 55 + 2 + 200);
    let summary = place.backup(&run, BackupJob { accept_deletions: true, ..job([&source]) }).unwrap();
    assert_eq!(summary.files_removed, 200);
    place.prove(&run, &source);
}

#[test]
fn sources_of_every_kind() {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    let file = place.path("a-file");
    fs::write(&file, noise(1, 200_000)).unwrap();
    let link = place.path("a-link");
    symlink("src", &link).unwrap();
    let empty = place.path("an-empty-file");
    fs::write(&empty, b"").unwrap();
    let all = [&source, &file, &link, &empty];
    for _ in 0..2 {
        place.backup(&run, job(all)).unwrap();
        for one in all {
            assert_eq!(place.restored(&run, one), tree(one));
        }
    }
    let summary = place.backup(&run, job(all)).unwrap();
    assert_eq!((summary.read_bytes, summary.files_new, summary.files_changed), (0, 0, 0), "{summary:?}");
    // With a slash it is followed.
    let mut followed = job([&link]);
    followed.sources[0].path.push(b'/');
    place.backup(&run, followed).unwrap();
    assert_eq!(place.restored(&run, &link), tree(&source));
    place.check(&run);
}

#[test]
fn holes_and_names_of_one_file() {
    let (place, run) = Place::new();
    let source = place.path("src");
    fs::create_dir_all(source.join("sub")).unwrap();
    let file = File::create(source.join("sparse")).unwrap();
    file.set_len(1 << 40).unwrap();
    file.write_all_at(&noise(1, 100_000), 5 << 30).unwrap();
    file.write_all_at(b"end", (1 << 40) - 3).unwrap();
    fs::write(source.join("sub/zeros"), vec![0; 3_000_000]).unwrap();
    fs::write(source.join("one"), noise(2, 10_000)).unwrap();
    fs::hard_link(source.join("one"), source.join("sub/two")).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert!(summary.read_bytes < 4_000_000 && summary.sent_bytes < 200_000, "{summary:?}");
    assert_eq!(place.backup(&run, job([&source])).unwrap().read_bytes, 0);
    place.check(&run);
    // A new name is another time of the file's change, and not another content.
    fs::hard_link(source.join("one"), source.join("three")).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.files_new, summary.files_changed, summary.new_bytes), (1, 0, 0), "{summary:?}");
    place.check(&run);
}

#[test]
fn one_name_more_in_a_large_directory() {
    let (place, run) = Place::new();
    let source = place.path("src");
    fs::create_dir(&source).unwrap();
    for n in 0..5_000 {
        fs::write(source.join(format!("file-{n}")), format!("{n} ").repeat(20)).unwrap();
    }
    place.backup(&run, job([&source])).unwrap();
    fs::write(source.join("file-2500-and-more"), noise(1, 4_000)).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.files_new, summary.files_unchanged, summary.read_bytes), (1, 5_000, 4_000));
    assert!(summary.sent_bytes < 64 << 10, "{summary:?}");
    fs::remove_file(source.join("file-17")).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.files_removed, summary.files_unchanged, summary.read_bytes), (1, 5_000, 0));
    assert!(summary.sent_bytes < 64 << 10, "{summary:?}");
    place.prove(&run, &source);
}
