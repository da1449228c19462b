//! No room for what a writer needs: reading needs none, and what dead sessions left gives way.

use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::{Error as Sqlite, ffi};

use super::accounts::second;
use super::housekeep::{assert_readable, findings, packs};
use super::retention::all;
use super::*;
use crate::catalog::{Catalog, CatalogFiles, Catalogs, Journal};
use crate::error::Error;
use crate::vault::{Housekeep, HousekeepEvent};

/// Catalogs in files, none of which can be opened while this is not 0: the error of SQLite.
#[derive(Default)]
struct Failing(AtomicI32);

impl Catalogs for Failing {
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog> {
        match self.0.load(Ordering::SeqCst) {
            0 => CatalogFiles.open(path, journal, domain),
            code => Err(Error::Catalog(Sqlite::SqliteFailure(ffi::Error::new(code), None))),
        }
    }
}

#[test]
fn a_catalog_without_room_is_not_damaged_and_who_reads_does_without() {
    let (world, _, account) = World::with_account();
    let tree = tree(&account, 1);
    world.back_up_now(&tree);
    let before = files(&world.path());
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CANTOPEN] {
        let failing = Arc::new(Failing::default());
        let (clock, chance) = (world.clock.clone(), world.chance.clone());
        let catalogs = failing.clone();
        let vault =
            Vault::open_with(Arc::new(RealDisk), clock, chance, catalogs, &world.path(), Access::Write).unwrap();
        failing.0.store(code, Ordering::SeqCst);
        assert!(matches!(vault.domain(&account), Err(Error::Catalog(_))), "{code}");
        let domain = vault.domain_to_read(&account).unwrap();
        assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 3);
        assert_readable(&domain, &tree);
        assert_eq!(findings(&domain), []);
        assert_eq!(vault.pulse(&account).unwrap().head, 3);
        assert!(domain.begin(&account, &[SOURCE], None).is_err());
        failing.0.store(0, Ordering::SeqCst);
        vault.domain(&account).unwrap();
        drop((vault, domain));
        let after = files(&world.path());
        assert_eq!(after.iter().find(|(path, _)| path.to_string_lossy().ends_with(".damaged")), None, "{code}");
    }
    let catalog = |files: &[(PathBuf, Vec<u8>)]| files.iter().find(|(path, _)| path.ends_with("catalog.db")).cloned();
    assert!(catalog(&before).is_some());
    assert_eq!(catalog(&files(&world.path())), catalog(&before));
}

/// Boxes of 300 KB.
fn large(account: &AccountInfo, seed: u64) -> Record {
    let clear = chunk(seed, 0).bytes().to_vec();
    record_of(account.domain, account.id, RecordKind::Box, 1, clear, seed, 300_000)
}

/// Folders of sessions, and the bytes of what is staged in them.
fn staged(world: &World, account: &AccountInfo) -> (usize, u64) {
    let staging = world.domain_folder(account).join("staging");
    let sessions = std::fs::read_dir(&staging).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.len() == 32
    });
    let parts = files(&staging).into_iter().filter(|(path, _)| path.extension() == Some("part".as_ref()));
    (sessions.count(), parts.map(|(_, bytes)| bytes.len() as u64).sum())
}

fn let_go(events: &[HousekeepEvent]) -> u64 {
    events.iter().map(|event| if let HousekeepEvent::LetGo { bytes } = event { *bytes } else { 0 }).sum()
}

#[test]
fn what_a_refused_session_left_waits_and_goes_when_somebody_needs_the_room() {
    const LIMIT: u64 = 4 << 20;
    for by_hand in [false, true] {
        let (world, vault, account) = World::with_account();
        let kept = tree(&account, 77);
        world.back_up_now(&kept);
        let account = vault.settle(&account, |terms| terms.hard_bytes = Some(LIMIT)).unwrap();
        let (_, _, domain) = world.reopen();
        let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
        let refused = (0..).find_map(|seed| session.put(&large(&account, seed)).err());
        assert!(matches!(refused, Some(Error::Full { .. })), "{refused:?}");
        session.flush().unwrap();
        drop(session);
        // Whoever opens leaves it there: published, it would stay for a day.
        let (_, _, domain) = world.reopen();
        let before = packs(&world, &account);
        assert_eq!(staged(&world, &account).0, 1);
        assert!(staged(&world, &account).1 > 3 << 20);
        let mut alive = domain.begin(&account, &[OTHER_SOURCE], None).unwrap();
        if by_hand {
            let (_, events) = all(&domain, Housekeep::default());
            assert!(let_go(&events) > 3 << 20, "{events:?}");
            assert_eq!(staged(&world, &account).0, 1, "a session that lives");
            assert_eq!(let_go(&all(&domain, Housekeep { confirmed: true, ..Housekeep::default() }).1), 0);
        }
        for seed in 100..110 {
            alive.put(&large(&account, seed)).unwrap();
        }
        assert_eq!(staged(&world, &account).0, 1);
        alive.end().unwrap();
        assert!(domain.room(&account).unwrap().unwrap() > 500_000);
        assert_eq!(packs(&world, &account), before + 2);
        assert_readable(&domain, &kept);
    }
}

#[test]
fn what_a_refused_session_of_another_member_left_goes_when_somebody_needs_the_room() {
    let (world, vault, ada) = World::with_account();
    let bob = second(&world, &vault, "bob");
    let office = vault.join_group(&vault.create_group("office").unwrap(), &[ada.clone(), bob.clone()]).unwrap();
    vault.settle_group(&office, |terms| terms.hard_bytes = Some(4 << 20)).unwrap();
    let mut session = vault.domain(&bob).unwrap().begin(&bob, &[SOURCE], None).unwrap();
    let refused = (0..).find_map(|seed| session.put(&large(&bob, seed)).err());
    assert!(matches!(refused, Some(Error::Full { .. })), "{refused:?}");
    session.flush().unwrap();
    drop((session, vault));
    let domain = world.open(Access::Write).unwrap().domain(&ada).unwrap();
    assert_eq!(staged(&world, &bob).0, 1);
    let mut alive = domain.begin(&ada, &[SOURCE], None).unwrap();
    for seed in 100..110 {
        alive.put(&large(&ada, seed)).unwrap();
    }
    alive.end().unwrap();
    assert_eq!(staged(&world, &bob), (0, 0));
}

/// With more room it is adopted, as what any other dead session left.
#[test]
fn what_a_refused_session_left_is_used_when_the_limit_is_raised() {
    let (world, vault, account) = World::with_account();
    let account = vault.settle(&account, |terms| terms.hard_bytes = Some(1 << 20)).unwrap();
    let (_, _, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    (0..).find_map(|seed| session.put(&large(&account, seed)).err()).unwrap();
    session.flush().unwrap();
    drop(session);
    vault.settle(&account, |terms| terms.hard_bytes = Some(100 << 20)).unwrap();
    let (_, _, domain) = world.reopen();
    assert_eq!(staged(&world, &account), (0, 0));
    assert_eq!(domain.lacking_chunks(&[chunk(0, 0), chunk(99, 0)]).unwrap(), [false, true]);
}
