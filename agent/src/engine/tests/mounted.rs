//! Mount points below a source. That a directory was one is told by the state, so nothing has to be mounted here.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::id::SourceId;

use super::checkpoints::{LETTERS, end_early, letters};
use super::place::{Ears, Place, job, noise};
use crate::engine::account::Account;
use crate::engine::job::{BackupJob, BackupSummary, Run};
use crate::fault::Code;
use crate::source::{Given, Patterns};

/// A version of a letter, five photos at `photos`, and at `media` a note and three songs at `media/disk`.
fn shelf() -> (Place, Run, PathBuf) {
    let (place, run) = Place::new();
    let source = place.path("src");
    for (dir, files) in [("photos", 5), ("media/disk/songs", 3)] {
        fs::create_dir_all(source.join(dir)).unwrap();
        (0..files).for_each(|n| fs::write(source.join(format!("{dir}/{n}")), noise(n, 3_000)).unwrap());
    }
    fs::write(source.join("letter"), "letter").unwrap();
    fs::write(source.join("media/note"), "note").unwrap();
    // Those that stay while something of the source goes.
    (0..40).for_each(|n| fs::write(source.join(format!("n-{n}")), [7; 9]).unwrap());
    place.backup(&run, job([&source])).unwrap();
    (place, run, source)
}

/// Nothing of that is mounted, so a version remembers nothing of it: as if something had been.
fn were_mounted(run: &Run, source: &Path, paths: &[&str]) {
    let account = Account::open(run).unwrap();
    let paths: Vec<Vec<u8>> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    account.change_state(|state| state.set_mounts(id(&account, source), &paths)).unwrap();
}

fn remembered(run: &Run, source: &Path) -> Vec<String> {
    let account = Account::open(run).unwrap();
    let paths = account.state().mounts(id(&account, source));
    paths.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
}

fn id(account: &Account, source: &Path) -> SourceId {
    account.keys.source_id("ana", source.as_os_str().as_bytes())
}

fn emptied(dir: &Path) {
    fs::remove_dir_all(dir).unwrap();
    fs::create_dir(dir).unwrap();
}

/// Backs up; gives the warnings of the guard, too.
fn told(place: &Place, run: &Run, job: BackupJob) -> (BackupSummary, Vec<String>) {
    let ears = Arc::new(Ears::default());
    let run = Run { watcher: Arc::clone(&ears) as _, ..run.clone() };
    let summary = place.backup(&run, job).unwrap();
    let warnings = ears.warnings.lock().unwrap().clone();
    (summary, warnings.iter().filter(|fault| fault.code == Code::GuardMassDeletion).map(|f| f.to_string()).collect())
}

fn accepted(source: &Path) -> BackupJob {
    BackupJob { accept_deletions: true, ..job([source]) }
}

/// Which of these paths the newest version has.
fn stored(place: &Place, run: &Run, source: &Path, paths: &[&str]) -> Vec<bool> {
    let restored = place.restored(run, source);
    paths.iter().map(|path| restored.contains_key(Path::new(path))).collect()
}

#[test]
fn what_was_mounted_below_a_source_is_kept_and_what_else_changed_is_stored() {
    kept_until_a_person_says_so(&[]);
}

#[test]
fn what_is_sent_before_the_rest_decides_nothing_of_it() {
    kept_until_a_person_says_so(&[Given::new("new", "first")]);
}

fn kept_until_a_person_says_so(first: &[Given]) {
    let (place, run, source) = shelf();
    let job = || {
        let mut job = job([&source]);
        job.sources[0].first = first.to_vec();
        job
    };
    were_mounted(&run, &source, &["photos"]);
    emptied(&source.join("photos"));
    fs::write(source.join("photos/0"), "another").unwrap();
    fs::write(source.join("photos/new"), "new").unwrap();
    fs::remove_file(source.join("letter")).unwrap();
    let (summary, warnings) = told(&place, &run, job());
    assert_eq!((summary.sources_guarded, summary.files_removed, summary.files_new), (1, 1, 1), "{summary:?}");
    let photos = source.join("photos").display().to_string();
    let expected = format!("4 of 5 files of {photos} are gone (it was a mount point and is none now); they are kept");
    assert!(warnings.len() == 1 && warnings[0].starts_with(&expected), "{warnings:?}");
    let paths = ["photos/0", "photos/1", "photos/4", "photos/new", "letter"];
    assert_eq!(stored(&place, &run, &source, &paths), [true, true, true, true, false]);
    // Gone with its directory, and there again without anything: as long as something is kept, it is not forgotten.
    fs::remove_dir_all(source.join("photos")).unwrap();
    for _ in 0..2 {
        assert_eq!(told(&place, &run, job()).0.sources_guarded, 1);
        assert_eq!(remembered(&run, &source), ["photos"]);
    }
    fs::create_dir(source.join("photos")).unwrap();
    for _ in 0..2 {
        let (summary, warnings) = told(&place, &run, job());
        assert_eq!((summary.sources_guarded, summary.files_removed, warnings.len()), (1, 0, 1), "{warnings:?}");
        assert_eq!(stored(&place, &run, &source, &paths[..4]), [true; 4]);
        assert_eq!(remembered(&run, &source), ["photos"]);
    }
    // With the word of a person they go, and it is a directory like any other.
    assert_eq!(place.backup(&run, accepted(&source)).unwrap().files_removed, 6);
    assert!(remembered(&run, &source).is_empty());
    place.prove(&run, &source);
}

#[test]
fn what_was_mounted_in_a_directory_that_is_gone_or_something_else_is_kept() {
    for link in [false, true] {
        let (place, run, source) = shelf();
        were_mounted(&run, &source, &["photos", "media/disk"]);
        fs::remove_dir_all(source.join("media")).unwrap();
        fs::remove_dir_all(source.join("photos")).unwrap();
        if link {
            std::os::unix::fs::symlink("elsewhere", source.join("photos")).unwrap();
        }
        for turn in 0..2 {
            let (summary, warnings) = told(&place, &run, job([&source]));
            assert_eq!((summary.sources_guarded, summary.files_removed), (1, 0), "{summary:?}");
            let of =
                |dir: &str, n: u64| warnings.iter().any(|told| told.contains(&format!("{n} of {n} files of {dir}")));
            let [photos, disk] = ["photos", "media/disk"].map(|dir| source.join(dir).display().to_string());
            assert!(turn == 1 || (of(&photos, 5) && of(&disk, 3)), "{warnings:?}");
            assert_eq!(stored(&place, &run, &source, &["photos/4", "media/disk/songs/2"]), [true; 2]);
        }
        assert_eq!(place.backup(&run, accepted(&source)).unwrap().files_removed, 9);
        assert!(remembered(&run, &source).is_empty());
        place.prove(&run, &source);
    }
}

#[test]
fn a_directory_is_no_mount_point_for_what_it_lies_in_and_a_rule_takes_what_it_names() {
    let (place, run, source) = shelf();
    were_mounted(&run, &source, &["media/disk"]);
    fs::remove_file(source.join("media/note")).unwrap();
    let (summary, warnings) = told(&place, &run, job([&source]));
    assert_eq!((summary.sources_guarded, summary.files_removed, warnings.len()), (0, 1, 0), "{warnings:?}");
    assert!(remembered(&run, &source).is_empty(), "all is there, and nothing is mounted");
    were_mounted(&run, &source, &["media/disk"]);
    let mut without = job([&source]);
    without.sources[0].rules.patterns = vec![Patterns::One(Given::new("disk", "--exclude"))];
    let (summary, warnings) = told(&place, &run, without);
    assert_eq!((summary.sources_guarded, summary.files_removed, warnings.len()), (0, 3, 0), "{warnings:?}");
}

#[test]
fn runs_that_ended_early_forget_no_mount_point() {
    for dies in [false, true] {
        let (place, run) = Place::new();
        let source = letters(&place, &run);
        were_mounted(&run, &source, &["sub"]);
        (0..LETTERS).for_each(|n| fs::remove_file(source.join(format!("sub/letter-{n:03}"))).unwrap());
        // What is kept is not told as removed, so the end is asked for late: there is much to read after that.
        (0..60).for_each(|n| fs::write(source.join(format!("sub/zz-{n}")), noise(n + 900, 300_000)).unwrap());
        end_early(&place, &run, &source, dies);
        // Its share would be no reason.
        let (summary, warnings) = told(&place, &run, BackupJob { guard_min: LETTERS, ..job([&source]) });
        assert_eq!((summary.sources_guarded, summary.files_removed, warnings.len()), (1, 0, 1), "{warnings:?}");
        assert_eq!(stored(&place, &run, &source, &["sub/letter-000", "sub/letter-149"]), [true; 2]);
    }
}
