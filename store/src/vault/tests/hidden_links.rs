//! Links that cannot be taken in: what stands behind them is kept until somebody says what it is.

use super::housekeep::{DAY, assert_readable, findings, leave};
use super::retention::{all, daily};
use super::*;
use crate::chain::ReceivedLink;
use crate::vault::{Housekeep, HousekeepEvent, Load, Whole};

fn link(world: &World, account: &AccountInfo, number: u64) -> PathBuf {
    named(&world.domain_folder(account), &format!("{number:012}.link")).remove(0)
}

fn rot(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn remove_catalog(world: &World, account: &AccountInfo) {
    for end in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        std::fs::remove_file(world.domain_folder(account).join(end)).ok();
    }
}

/// Packs and bodies.
fn content(world: &World, account: &AccountInfo) -> Vec<PathBuf> {
    let folder = world.domain_folder(account);
    [named(&folder, ".pack"), named(&folder, ".body")].concat()
}

/// What a year of passes finds in the way, each time.
fn blocked(world: &World, domain: &Domain) -> Vec<u64> {
    let days = [0, 1, 1, 30, 365];
    let pass = |days: i64| {
        world.clock.advance(days * DAY);
        let (done, events) = all(domain, Housekeep { confirmed: true, ..Housekeep::default() });
        assert!(done.holes == 0 || events.contains(&HousekeepEvent::Blocked { holes: done.holes }), "{events:?}");
        done.holes
    };
    days.into_iter().map(pass).collect()
}

#[test]
fn behind_a_link_that_cannot_be_taken_in_nothing_goes() {
    type Harm = fn(&World, &AccountInfo) -> PathBuf;
    let harms: [Harm; 3] = [
        |world, account| link(world, account, 4),
        |world, account| {
            let device = ReceivedLink::decode(&std::fs::read(link(world, account, 1)).unwrap()).unwrap();
            named(&world.domain_folder(account), &format!("{}.body", device.link().body.hex())).remove(0)
        },
        |world, account| {
            let gap = link(world, account, 5);
            std::fs::remove_file(&gap).unwrap();
            gap
        },
    ];
    for (no, harm) in harms.iter().enumerate() {
        let (world, account, domain, trees) = daily(4);
        let links = domain.links(&account, 1, 99).unwrap();
        let good = files(&world.domain_folder(&account));
        drop(domain);
        let before = content(&world, &account);
        let harmed = harm(&world, &account);
        if harmed.exists() {
            rot(&harmed);
        }
        remove_catalog(&world, &account);
        let (_, _, domain) = world.reopen();
        assert_eq!(blocked(&world, &domain), [1; 5], "harm {no}");
        assert_eq!(content(&world, &account), before, "harm {no}");
        assert_eq!(
            domain.housekeep(&Housekeep { dry_run: true, ..Housekeep::default() }, &mut |_| Ok(())).unwrap().holes,
            1
        );
        // When it comes back all is there.
        std::fs::write(&harmed, &good.iter().find(|(path, _)| *path == harmed).unwrap().1).unwrap();
        let (_, _, domain) = world.reopen();
        assert_eq!(blocked(&world, &domain), [0; 5], "harm {no}");
        assert_eq!(domain.links(&account, 1, 99).unwrap(), links, "harm {no}");
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        assert_eq!(findings(&domain), [], "harm {no}");
    }
}

#[test]
fn the_newest_link_is_put_back_by_the_catalog_alone() {
    for also_rotten in [None, Some(4)] {
        let (world, account, domain, trees) = daily(4);
        let links = domain.links(&account, 1, 99).unwrap();
        drop(domain);
        std::fs::remove_file(link(&world, &account, 6)).unwrap();
        if let Some(number) = also_rotten {
            rot(&link(&world, &account, number));
        }
        let (_, _, domain) = world.reopen();
        assert_eq!(blocked(&world, &domain), [0; 5]);
        assert_eq!(domain.links(&account, 1, 99).unwrap(), links);
        trees.iter().for_each(|tree| assert_readable(&domain, tree));
        // The disk has it again, and needs no catalog for it.
        remove_catalog(&world, &account);
        let (_, _, domain) = world.reopen();
        assert_eq!(domain.links(&account, 1, 99).unwrap(), links);
        assert_eq!(findings(&domain), []);
    }
}

/// A pass that has marked everything sees what comes to lie there before it condemns anything.
#[test]
fn a_link_that_rots_while_a_pass_is_under_way_ends_it() {
    let (world, account, domain, _) = daily(2);
    leave(&domain, &account, &tree(&account, 77));
    let bodies = world.domain_folder(&account).join("accounts/00000001/bodies");
    std::fs::write(bodies.join(format!("{}.body", "5a".repeat(32))), b"of a link that nobody can read").unwrap();
    let before = content(&world, &account);
    let bad = link(&world, &account, 4).with_file_name("000000000005.link");
    let mut holes = Vec::new();
    let done = domain
        .housekeep(&Housekeep::default(), &mut |event| {
            match event {
                HousekeepEvent::Marked { .. } => std::fs::write(&bad, b"rubbish").unwrap(),
                HousekeepEvent::Blocked { holes: some } => holes.push(some),
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    assert_eq!((done.condemned, done.holes, holes), (0, 1, vec![1]));
    assert_eq!(blocked(&world, &domain), [1; 5]);
    assert_eq!(content(&world, &account), before);
}

#[test]
fn a_dump_has_the_links_that_only_the_catalog_has() {
    let dump = |domain: &Domain, account: &AccountInfo| {
        let mut bytes = Vec::new();
        let mut add = |some: &[u8]| {
            bytes.extend_from_slice(some);
            Ok(())
        };
        domain.write_archive(account, &mut add).unwrap();
        bytes
    };
    for with_catalog in [true, false] {
        let (world, account, domain, trees) = daily(4);
        let links = domain.links(&account, 1, 99).unwrap();
        drop(domain);
        rot(&link(&world, &account, 4));
        if !with_catalog {
            remove_catalog(&world, &account);
        }
        let (_, _, domain) = world.reopen();
        let archive = dump(&domain, &account);
        let other = World::new();
        other.chance.fill(&mut [0; 4096]);
        let vault =
            Vault::create(Arc::new(RealDisk), world.clock.clone(), other.chance.clone(), &other.path()).unwrap();
        let loaded = vault.load(&mut Whole(archive.as_slice()), &Load::default()).unwrap();
        let copy = vault.domain(&loaded.account).unwrap();
        let there = content(&other, &loaded.account);
        assert_eq!(loaded.damages == 0, with_catalog, "{:?}", loaded.findings);
        assert_eq!(blocked(&world, &copy), [u64::from(!with_catalog); 5]);
        assert_eq!(content(&other, &loaded.account), there);
        if with_catalog {
            assert_eq!(copy.links(&account, 1, 99).unwrap(), links);
            trees.iter().for_each(|tree| assert_readable(&copy, tree));
        }
    }
}
