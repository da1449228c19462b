//! Volumes that go: emptied and taken off the list, or lost.

use super::housekeep::{assert_readable, findings};
use super::volumes::{is_absent, packs_at, spread, spread_of};
use super::*;
use crate::door::Faulty;
use crate::error::Error;
use crate::vault::Moved;

#[test]
fn a_volume_goes_and_what_was_in_it_stays() {
    let (world, _, trees) = spread();
    let (vault, _, domain) = world.reopen();
    let all = packs_at(&world.path()).len() + packs_at(&world.disk("second")).len();
    let moved = vault.remove_volume(1, false, &mut |_| Ok(())).unwrap();
    assert!(moved.packs >= 3 && moved.stuck == 0, "{moved:?}");
    assert_eq!(packs_at(&world.path()).len(), all);
    assert_eq!(files(&world.disk("second")), [], "the disk is as it came");
    let text = std::fs::read_to_string(world.path().join("vault.json")).unwrap();
    assert!(text.contains(r#""features":[0,0,0]"#), "an older program may use it again: {text}");
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
    assert_eq!(findings(&domain), []);
    assert!(matches!(vault.remove_volume(1, false, &mut |_| Ok(())), Err(Error::NotFound { .. })));
    assert_eq!(vault.add_volume(&world.disk("third")).unwrap(), 2, "no number is given again");
}

/// Its disk goes while packs are moved, for good or for a moment: what is still in it is not forgotten, and nothing of it is
/// removed. In a simulated world (seed 50326) a vault had lost packs so.
#[test]
fn a_disk_that_goes_while_it_is_emptied_does_not_pass_for_empty() {
    for back_after in [usize::MAX, 3] {
        let (world, _, trees) = spread();
        let (vault, _, domain) = world.reopen();
        let mut told = 0;
        let removed = vault.remove_volume(1, false, &mut |_| {
            told += 1;
            if told == 1 || told == back_after {
                world.swap("second");
            }
            Ok(())
        });
        assert!(told >= 3);
        if told < back_after {
            assert!(is_absent(removed));
            world.swap("second");
        } else {
            assert!(matches!(&removed, Err(Error::Refused { why }) if why.contains("second")), "{removed:?}");
        }
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        assert_eq!(findings(&domain), []);
        vault.remove_volume(1, false, &mut |_| Ok(())).unwrap();
        assert_eq!(files(&world.disk("second")), []);
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        assert_eq!(findings(&domain), []);
    }
}

/// As many a disk is after an error: what is on it can be read, and nothing can be removed.
#[test]
fn a_disk_that_takes_no_changes_is_left_and_what_was_in_it_stays() {
    let (world, _, trees) = spread();
    let second = world.disk("second");
    let there = files(&second);
    let packs = packs_at(&second);
    // What somebody was copying into it when it failed.
    let copy = packs[0].ancestors().nth(2).unwrap().join("0.new");
    std::fs::write(&copy, "half").unwrap();
    let disk = Arc::new(Faulty::new(RealDisk, None).with_read_only(&second));
    let vault = world.open_on(disk.clone(), Access::Write).unwrap();
    let moved = vault.remove_volume(1, false, &mut |_| Ok(())).unwrap();
    assert_eq!((moved.packs, moved.stuck), (packs.len() as u64, 0));
    assert!(disk.calls().iter().any(|(doing, path)| *doing == "remove" && path.starts_with(&second)), "it was tried");
    std::fs::remove_file(&copy).unwrap();
    assert_eq!(files(&second), there);
    // Nobody misses it, and nobody takes it for a new one.
    std::fs::rename(&second, world.disk("gone")).unwrap();
    let (vault, _, domain) = world.reopen();
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
    assert_eq!(findings(&domain), []);
    let again = vault.add_volume(&world.disk("gone"));
    assert!(matches!(&again, Err(Error::Refused { why }) if why.contains("was volume 1")), "{again:?}");
}

#[test]
fn a_disk_that_takes_no_changes_is_not_left_with_the_only_copy() {
    let (world, ..) = spread();
    let second = world.disk("second");
    let disk = Arc::new(Faulty::new(RealDisk, None).with_read_only(&second));
    let vault = world.open_on(disk, Access::Write).unwrap();
    let pack = packs_at(&second).remove(0);
    let name = pack.file_name().unwrap().to_str().unwrap();
    let late = pack.with_file_name(format!("{}{:030x}.pack", &name[..2], 7));
    let removed = vault.remove_volume(1, false, &mut |_| {
        // Nobody was to put one there any more.
        std::fs::copy(&pack, &late).unwrap();
        Ok(())
    });
    assert!(matches!(&removed, Err(Error::Refused { why }) if why.contains("is only in")), "{removed:?}");
    assert_eq!(vault.volumes().unwrap().len(), 2);
}

#[test]
fn a_volume_does_not_go_from_under_a_load() {
    let (world, ..) = spread();
    let (vault, ..) = world.reopen();
    let name = format!("{}.load", "7".repeat(32));
    let (home, there) = (world.path().join("domains").join(&name), world.disk("second").join("packs").join(&name));
    for folder in [&home, &there] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(there.join("half.pack"), "half").unwrap();
    let lock = RealDisk.lock(&home.join("lock")).unwrap();
    let remove = || vault.remove_volume(1, false, &mut |_| Ok(()));
    assert!(matches!(remove(), Err(Error::Busy { .. })));
    assert!(there.join("half.pack").exists());
    drop(lock);
    remove().unwrap();
    assert!(!home.exists() && !there.exists(), "it begins anew");
}

#[test]
fn a_removal_that_was_cut_short_goes_on() {
    let calls = {
        let (world, _, _) = spread_of(5);
        let disk = Arc::new(Faulty::new(RealDisk, None));
        let vault = world.open_on(disk.clone(), Access::Write).unwrap();
        vault.remove_volume(1, false, &mut |_| Ok(())).unwrap();
        disk.calls().len()
    };
    assert!(calls > 30);
    for at in (0..calls).step_by(9) {
        let (world, _, trees) = spread_of(5);
        let disk = Arc::new(Faulty::new(RealDisk, Some(at)));
        let cut = world.open_on(disk, Access::Write).and_then(|vault| vault.remove_volume(1, false, &mut |_| Ok(())));
        let (vault, _, domain) = world.reopen();
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        assert_eq!(findings(&domain), [], "cut at call {at}");
        if cut.is_err() || cut.is_ok_and(|moved| moved.stuck > 0) {
            vault
                .remove_volume(1, false, &mut |_| Ok(()))
                .map(drop)
                .or_else(|e| match e {
                    // It was only the end that failed.
                    Error::NotFound { .. } => Ok(()),
                    other => Err(other),
                })
                .unwrap();
        }
        assert_eq!(packs_at(&world.disk("second")), Vec::<PathBuf>::new());
        let (_, _, domain) = world.reopen();
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        assert_eq!(findings(&domain), [], "cut at call {at}");
    }
}

#[test]
fn a_disk_that_will_not_come_back_is_lost_only_when_somebody_says_so() {
    let (world, account, trees) = spread();
    let (vault, _, _) = world.reopen();
    assert!(matches!(vault.remove_volume(1, true, &mut |_| Ok(())), Err(Error::Refused { .. })), "it is there");
    world.swap("second");
    assert_eq!(vault.remove_volume(1, true, &mut |_| Ok(())).unwrap(), Moved::default());
    let (_, _, domain) = world.reopen();
    assert!(!domain.lost_packs_noted().unwrap().is_empty());
    assert!(!findings(&domain).is_empty());
    assert!(!domain.wanted().unwrap().nodes.is_empty());
    // Who still has it gives it back.
    for tree in &trees {
        let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
        for record in &tree.records {
            session.put(record).unwrap();
        }
        session.end().unwrap();
    }
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
}

#[test]
fn a_volume_that_was_to_go_may_stay() {
    let (world, _, trees) = spread();
    let (vault, _, domain) = world.reopen();
    let stop = || Err(Error::Busy { what: "the pipe".to_owned() });
    assert!(vault.remove_volume(1, false, &mut |_| stop()).is_err());
    assert!(vault.volumes().unwrap()[1].leaving);
    assert_eq!(vault.add_volume(&world.disk("second")).unwrap(), 1);
    assert!(!vault.volumes().unwrap()[1].leaving);
    assert!(matches!(vault.add_volume(&world.disk("second")), Err(Error::Refused { .. })));
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
}
