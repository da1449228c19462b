//! What is as it was is taken over without its entries being made, among whatever is not.

use std::fs;
use std::path::Path;

use super::place::{Place, RESTLESS, job, noise, over};
use crate::engine::backup::pass::Pace;

const DIRS: usize = 12;
const NAMES: usize = 60;

/// Directories in each other, among files before and behind them; one has several pages.
fn grown(at: &Path) {
    for dir in 0..DIRS {
        // Every third lies in the one before.
        let dir = at.join(if dir % 3 == 1 { format!("d{:02}/m", dir - 1) } else { format!("d{dir:02}") });
        fs::create_dir_all(&dir).unwrap();
        for name in 0..NAMES {
            fs::write(dir.join(format!("{}{name:02}", if name % 2 == 0 { 'a' } else { 'z' })), [1; 60]).unwrap();
        }
    }
    fs::create_dir(at.join("m-large")).unwrap();
    for name in 0..1_500 {
        fs::write(at.join(format!("m-large/{name:04}")), []).unwrap();
    }
}

/// Changes, by chance that is always the same: names that come, go, become another kind, get other bytes.
fn changed(at: &Path, seed: u64) {
    let chance = noise(seed, 64);
    for pair in chance.chunks(2) {
        let dir = at.join(format!("d{:02}", usize::from(pair[0]) % DIRS));
        let dir = if pair[0] > 200 { at.join("m-large") } else { dir };
        let name = dir.join(format!("{}{:02}", if pair[1] & 1 == 0 { 'a' } else { 'z' }, pair[1] as usize % NAMES));
        match (pair[1] % 5, name.symlink_metadata().is_ok(), dir.is_dir()) {
            (_, _, false) => fs::create_dir_all(&dir).unwrap(),
            (0, ..) => fs::write(dir.join(format!("k{}", pair[1])), chance.as_slice()).unwrap(),
            (1, true, _) if name.is_file() => fs::remove_file(&name).unwrap(),
            (2, true, _) if name.is_file() => fs::write(&name, &chance[..32]).unwrap(),
            (3, false, _) => fs::create_dir(&name).unwrap(),
            _ => fs::write(dir.join("m-file"), [pair[1]; 99]).unwrap(),
        }
    }
}

#[test]
fn a_version_is_what_is_there_whatever_changed() {
    let (place, run) = Place::new();
    let source = place.path("src");
    grown(&source);
    place.backup(&run, job([&source])).unwrap();
    for round in 0..6 {
        changed(&source, round);
        // Every other run makes checkpoints all the time: they look into directories in progress.
        let wire = place.wire([]);
        let pace = if round % 2 == 0 { RESTLESS } else { Pace::default() };
        let summary = over(&run, &wire, job([&source]), pace).unwrap();
        wire.settle();
        assert!(summary.files_unchanged > 1_500, "round {round}: {summary:?}");
        place.prove(&run, &source);
        let again = place.backup(&run, job([&source])).unwrap();
        assert_eq!((again.read_bytes, again.dirs_changed, again.files_new + again.files_removed), (0, 0, 0));
    }
}
