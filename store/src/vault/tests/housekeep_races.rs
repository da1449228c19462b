//! Housekeeping that is stopped, fails, meets another of its kind, or a catalog made anew, at any of its calls.

use super::faults::{How, TroubledDisk};
use super::housekeep::{DAY, assert_readable, assert_rebuilds, findings, keep_house, leave, packs, pass};
use super::*;
use crate::vault::Housekeep;

/// A vault in which every stage has something to do, in the state before pass number `passes`.
fn busy_vault(passes: usize) -> (World, AccountInfo, Vec<Tree>) {
    let (world, _, account) = World::with_account();
    let trees: Vec<Tree> = (0..8).map(|seed| tree(&account, seed)).collect();
    for tree in &trees {
        world.back_up_now(tree);
    }
    let (_, _, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for seed in 20..23 {
        tree(&account, seed).records.iter().for_each(|record| session.put(record).unwrap());
    }
    committed(&world.back_up(&mut session, &trees[0]).unwrap());
    session.end().unwrap();
    leave(&domain, &account, &tree(&account, 30));
    for _ in 0..passes {
        pass(&domain);
        world.clock.advance(DAY);
    }
    (world, account, trees)
}

/// A copy that shows the same time, and in which chance has gone on.
pub(super) fn copy(world: &World) -> World {
    let other = world.copy();
    other.clock.advance(world.clock.now_ms() - other.clock.now_ms());
    (0..10_000).for_each(|_| other.chance.fill(&mut [0]));
    other
}

#[test]
fn two_housekeepers_at_once_are_harmless() {
    for passes in 0..3 {
        // The second one works while the first one tells of what it has just done.
        for meeting in 0..5 {
            let (world, account, trees) = busy_vault(passes);
            let (_, _, domain) = world.reopen();
            let mut told = 0;
            let mut tell = |_| {
                if told == meeting {
                    // As if locks did not work here.
                    std::fs::remove_file(world.domain_folder(&account).join("staging/housekeeping/lock")).unwrap();
                    let (_, _, other) = world.reopen();
                    pass(&other);
                }
                told += 1;
                Ok(())
            };
            let first = domain.housekeep(&Housekeep { confirmed: true, ..Housekeep::default() }, &mut tell);
            assert!(first.is_ok(), "{passes} {meeting} {first:?}");
            assert_eq!(findings(&domain), [], "{passes} {meeting}");
            trees.iter().for_each(|tree| assert_readable(&domain, tree));
            keep_house(&world, &domain);
            trees.iter().for_each(|tree| assert_readable(&domain, tree));
            assert_eq!(findings(&domain), [], "{passes} {meeting}");
            assert_eq!(packs(&world, &account), 2, "{passes} {meeting}");
        }
    }
}

fn every_call(passes: usize, how: How) {
    let (template, account, trees) = busy_vault(passes);
    let mut reached_before = 0;
    for at in 0.. {
        let world = copy(&template);
        let disk = TroubledDisk::new(at, how);
        let trouble = disk.clone();
        let attempt = world.open_on(Arc::new(disk), Access::Write).and_then(|vault| {
            let account = vault.account(&AccountSelector::Only)?;
            vault.domain(&account)?.housekeep(&Housekeep::default(), &mut |_| Ok(()))
        });
        let reached = trouble.calls() > at;
        let (_, _, domain) = world.reopen();
        assert_eq!(findings(&domain), [], "after call {at}: {attempt:?}");
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        keep_house(&world, &domain);
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        assert_eq!(findings(&domain), [], "after call {at} and rest");
        // Whatever has happened, the same is left: one data pack and one of nodes.
        assert_eq!(packs(&world, &account), 2, "after call {at}");
        assert_rebuilds(&domain);
        if !reached {
            assert!(reached_before > 20, "a pass makes more calls than {reached_before}");
            return;
        }
        reached_before = at;
    }
}

#[test]
fn a_pass_that_is_stopped_anywhere_is_ended_by_the_next() {
    for passes in 0..3 {
        every_call(passes, How::FromThenOn);
    }
}

#[test]
fn a_call_of_a_pass_that_fails_anywhere() {
    // The pass in which every stage has most to do.
    every_call(1, How::Before);
    every_call(1, How::After);
}

#[test]
fn two_copies_of_a_vault_reach_the_same() {
    let (one, account, _) = busy_vault(0);
    let two = copy(&one);
    let left = |world: &World| {
        let (_, _, domain) = world.reopen();
        keep_house(world, &domain);
        // Names of packs and where records stand in them are of no meaning; what is there is.
        let mut records: Vec<String> = Vec::new();
        for pack in domain.on_disk().unwrap().packs.into_iter().map(|(id, _)| id) {
            let (reader, _) = domain.open_pack(pack).unwrap();
            records.extend(reader.lines().iter().map(|line| line.hash.hex()));
        }
        records.sort();
        (records, packs(world, &account))
    };
    assert_eq!(left(&one), left(&two));
}

/// A group that was read as another one would be noted as damaged, and its versions as lost.
#[test]
fn a_catalog_made_anew_during_a_walk_mixes_up_no_groups() {
    let (world, _, account) = World::with_account();
    let (one, other) = (tree(&account, 1), tree(&account, 2));
    world.back_up_now(&one);
    world.back_up_now(&other);
    let (_, _, domain) = world.reopen();
    let (before, mut after) =
        (domain.groups_for(&[one.root]).unwrap()[0], domain.groups_for(&[other.root]).unwrap()[0]);
    // Made anew, it gives the number to another place.
    after.no = before.no;
    let mut cache = crate::vault::closure::GroupCache::default();
    for (place, root) in [(before, one.root), (after, other.root), (before, one.root)] {
        let group = cache.group(&domain, &place).unwrap();
        assert!(group.iter().any(|(id, _)| *id == root), "{}", place.text());
    }
}
