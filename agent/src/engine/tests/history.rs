//! Vaults that show less than they did, or something else; vaults that lost something.

use std::fs;
use std::path::{Path, PathBuf};

use store::door::RealDisk;
use store::pack::PackReader;
use store::record::RecordKind;

use super::place::{Place, job, mixed, noise};
use crate::engine::job::Run;
use crate::fault::{Code, Exit};

fn copy(from: &Path, to: &Path) {
    // The catalogs are made anew.
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else if !entry.file_name().to_str().unwrap().starts_with("catalog.db") {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn swap(vault: &Path, with: &Path) {
    fs::remove_dir_all(vault).unwrap();
    copy(with, vault);
}

/// All files below whose name ends so.
fn ending(at: &Path, end: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut waiting = vec![at.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name().unwrap().to_str().unwrap().ends_with(end) {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

/// Files that say what was committed.
fn truth(vault: &Path) -> Vec<PathBuf> {
    ending(vault, "").into_iter().filter(|path| path.components().any(|part| part.as_os_str() == "versions")).collect()
}

/// Three versions; the vault as it was after the first, and the machine too.
fn three() -> (Place, Run, PathBuf) {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    place.backup(&run, job([&source])).unwrap();
    copy(&place.vault(), &place.path("vault-old"));
    copy(&place.path("machine-ana"), &place.path("machine-old"));
    for n in 0..2 {
        fs::write(source.join("new"), noise(n, 5_000)).unwrap();
        place.backup(&run, job([&source])).unwrap();
    }
    (place, run, source)
}

fn refused(place: &Place, run: &Run, code: Code) {
    let before = truth(&place.vault());
    let fault = place.backup(run, job([place.path("src")])).unwrap_err();
    assert_eq!((fault.code, fault.exit()), (code, Exit::Damaged), "{fault}");
    assert_eq!(truth(&place.vault()), before);
}

/// To the very beginning: who has backed up there is not told to set the account up.
#[test]
fn a_vault_that_shows_nothing_any_more() {
    let (place, run, _) = three();
    let bare = place.path("vault-bare");
    copy(&place.vault(), &bare);
    for link in ending(&bare, ".link") {
        fs::remove_file(link).unwrap();
    }
    swap(&place.vault(), &bare);
    refused(&place, &run, Code::HistoryRollback);
}

#[test]
fn a_vault_that_was_rolled_back() {
    let (place, run, _) = three();
    swap(&place.vault(), &place.path("vault-old"));
    refused(&place, &run, Code::HistoryRollback);
    // Also when the cache has gone.
    fs::remove_dir_all(&run.folders.cache).unwrap();
    refused(&place, &run, Code::HistoryRollback);
}

#[test]
fn a_vault_with_another_history() {
    // Shorter by nothing, longer by one: as seen by who knows the other one.
    for more in 0..3 {
        let (place, run, source) = three();
        swap(&place.vault(), &place.path("vault-old"));
        let mut other = place.machine("old");
        copy(&place.path("machine-ana"), &place.path("machine-now"));
        other.host = "ana".into();
        for n in 0..2 + more {
            fs::write(source.join("new"), noise(n + 10, 6_000)).unwrap();
            place.backup(&other, job([&source])).unwrap();
        }
        refused(&place, &run, Code::HistoryFork);
        fs::remove_dir_all(&run.folders.cache).unwrap();
        refused(&place, &run, Code::HistoryFork);
        place.prove(&other, &source);
    }
}

#[test]
fn a_wrong_pin() {
    let (place, run, _) = three();
    let [state] = &ending(&run.folders.state.join("accounts"), ".json")[..] else { panic!() };
    let good = fs::read_to_string(state).unwrap();
    let json: serde_json::Value = serde_json::from_str(&good).unwrap();
    let chain = json["seen"]["chain"].as_str().unwrap();
    fs::write(state, good.replace(chain, &"ab".repeat(32))).unwrap();
    refused(&place, &run, Code::HistoryFork);
    let sequence = json["seen"]["sequence"].as_u64().unwrap();
    fs::write(
        state,
        good.replace(&format!("\"sequence\": {sequence},\n    \"chain\""), "\"sequence\": 999,\n    \"chain\""),
    )
    .unwrap();
    refused(&place, &run, Code::HistoryRollback);
    fs::write(state, good).unwrap();
    place.backup(&run, job([place.path("src")])).unwrap();
}

#[test]
fn a_cache_that_is_gone_or_damaged_costs_nothing_but_time() {
    let (place, run, source) = three();
    let spoil: [&dyn Fn(&Path); 5] = [
        &|path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        },
        &|path| fs::remove_file(path).unwrap(),
        &|path| fs::write(path, b"").unwrap(),
        &|path| {
            let mut bytes = fs::read(path).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        &|path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 7]).unwrap();
        },
    ];
    for spoil in spoil {
        for end in ["links", ".pack", "roots", ""] {
            for path in ending(&run.folders.cache, end) {
                let meta = fs::symlink_metadata(&path).unwrap();
                if meta.is_symlink() {
                    fs::remove_file(&path).unwrap();
                } else if meta.len() > 7 {
                    spoil(&path);
                }
            }
            let summary = place.backup(&run, job([&source])).unwrap();
            assert_eq!((summary.read_bytes, summary.files_new, summary.files_changed), (0, 0, 0), "{end}");
        }
    }
    // What a killed run left is older than what the next one finishes, and goes then.
    let [pack, ..] = &ending(&run.folders.cache, ".pack")[..] else { panic!() };
    let left = pack.with_extension("part");
    let file = fs::File::create(&left).unwrap();
    file.set_modified(fs::metadata(pack).unwrap().modified().unwrap() - std::time::Duration::from_secs(1)).unwrap();
    place.backup(&run, job([&source])).unwrap();
    assert!(!left.exists());
    fs::remove_dir_all(&run.folders.cache).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!(summary.read_bytes, 0);
    place.prove(&run, &source);
}

/// Without its catalog, which is made anew from what is there.
fn lose(place: &Place, packs: &[PathBuf]) {
    for pack in packs {
        fs::remove_file(pack).unwrap();
    }
    for path in ["catalog.db", "catalog.db-wal", "catalog.db-shm"].iter().flat_map(|end| ending(&place.vault(), end)) {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_vault_that_lost_nodes_gets_them_again_and_what_is_below() {
    for (all, changed) in [(false, false), (false, true), (true, false), (true, true)] {
        let (place, run) = Place::new();
        let source = place.path("src");
        mixed(&source);
        place.backup(&run, job([&source])).unwrap();
        let mut packs = ending(&place.vault(), ".pack");
        assert!(packs.len() >= 2);
        let holds_nodes = |path: &PathBuf| {
            let reader = PackReader::open(&RealDisk, path).unwrap();
            reader.lines().iter().any(|line| line.kind == RecordKind::Group)
        };
        packs.retain(|path| all || holds_nodes(path));
        lose(&place, &packs);
        if changed {
            fs::write(source.join("new"), noise(1, 10_000)).unwrap();
        }
        let summary = place.backup(&run, job([&source])).unwrap();
        assert_eq!(summary.files_new, u64::from(changed));
        assert_eq!(place.restored(&run, &source), super::place::tree(&source));
        if !changed {
            // Otherwise the first version lacks its root for good.
            place.check(&run);
        }
        assert_eq!(place.backup(&run, job([&source])).unwrap().read_bytes, 0);
    }
}

/// Neither the vault nor this machine has them any more.
#[test]
fn nodes_that_are_nowhere_are_made_again() {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    place.backup(&run, job([&source])).unwrap();
    fs::write(source.join("deep/er/still/more"), noise(1, 1_000)).unwrap();
    place.backup(&run, job([&source])).unwrap();
    lose(&place, &ending(&place.vault(), ".pack")[..1]);
    fs::remove_dir_all(&run.folders.cache).unwrap();
    fs::write(source.join("new"), noise(2, 1_000)).unwrap();
    place.backup(&run, job([&source])).unwrap();
    assert_eq!(place.restored(&run, &source), super::place::tree(&source));
    lose(&place, &ending(&place.vault(), ".pack"));
    fs::remove_dir_all(&run.folders.cache).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!(summary.files_unchanged, 0);
    assert_eq!(place.restored(&run, &source), super::place::tree(&source));
}

/// The node cache is written anew now and then.
#[test]
fn many_backups_one_after_the_other() {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    for n in 0..32 {
        fs::write(source.join("deep/er/still/one"), noise(n, 500)).unwrap();
        let summary = place.backup(&run, job([&source])).unwrap();
        assert_eq!(summary.files_new + summary.files_changed, if n == 0 { 86 } else { 1 }, "{n}");
    }
    assert!(ending(&run.folders.cache, ".pack").len() <= 25);
    let summary = place.backup(&run, job([&source])).unwrap();
    assert!(summary.read_bytes == 0 && summary.received_bytes < 3_000, "{summary:?}");
    place.prove(&run, &source);
}
