//! An account dumped in one vault and loaded into another.

use super::housekeep::{assert_readable, findings};
use super::retention::daily;
use super::*;
use crate::error::Error;
use crate::vault::Load;

fn dump(domain: &Domain, account: &AccountInfo) -> Vec<u8> {
    let mut bytes = Vec::new();
    domain
        .write_archive(account, &mut |some| {
            bytes.extend_from_slice(some);
            Ok(())
        })
        .unwrap();
    bytes
}

fn elsewhere() -> (World, Vault) {
    let world = World::new();
    // Other ids than in the first world.
    world.chance.fill(&mut [0; 4096]);
    let vault = Vault::create(Arc::new(RealDisk), world.clock.clone(), world.chance.clone(), &world.path()).unwrap();
    (world, vault)
}

fn domains(world: &World) -> Vec<String> {
    let listed = std::fs::read_dir(world.path().join("domains")).unwrap();
    let mut names: Vec<String> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "lock");
    names.sort();
    names
}

#[test]
fn an_account_lives_on_in_another_vault() {
    let (world, account, domain, trees) = daily(4);
    let bytes = dump(&domain, &account);
    assert_eq!(dump(&domain, &account), bytes);
    let (other, vault) = elsewhere();
    assert_ne!(vault.id(), world.open(Access::Read).unwrap().id());
    let loaded = vault.load(&mut bytes.as_slice(), &Load::default()).unwrap();
    assert_eq!((loaded.account.clone(), loaded.damages), (account.clone(), 0));
    assert_eq!(domains(&other).len(), 1);
    let (_, there, copy) = other.reopen();
    assert_eq!(copy.head(&there).unwrap(), domain.head(&account).unwrap());
    trees.iter().for_each(|tree| assert_readable(&copy, tree));
    assert_eq!(findings(&copy), []);
    // It goes on there.
    world.clock.advance(1);
    let mut session = copy.begin(&there, &[SOURCE], None).unwrap();
    assert_eq!(committed(&world.back_up(&mut session, &tree(&there, 77)).unwrap()), 7);
    session.end().unwrap();
    // And back again only when it is gone there.
    let again = vault.load(&mut bytes.as_slice(), &Load { number: Some(9), ..Load::default() });
    assert!(matches!(&again, Err(Error::Taken { what }) if what.contains("ada")), "{again:?}");
}

#[test]
fn what_is_there_already_is_refused_and_can_be_chosen_anew() {
    let (_world, account, domain, _) = daily(1);
    let bytes = dump(&domain, &account);
    let (other, vault) = elsewhere();
    vault.create_account("bob").unwrap();
    let taken = |how: &Load| match vault.load(&mut bytes.as_slice(), how) {
        Err(Error::Taken { what }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(&Load::default()), "the account number 0x1");
    let named = |name: &str| Load { number: Some(5), name: Some(name.to_owned()), ..Load::default() };
    assert_eq!(taken(&named("bob")), "the account bob");
    assert!(vault.load(&mut bytes.as_slice(), &named("")).is_err());
    let small = Load { hard_bytes: Some(Some(10)), ..named("eve") };
    assert!(matches!(vault.load(&mut bytes.as_slice(), &small), Err(Error::Full { limit: 10, .. })));
    assert_eq!((domains(&other).len(), vault.accounts().unwrap().len()), (1, 1));
    let loaded = vault.load(&mut bytes.as_slice(), &named("eve")).unwrap().account;
    assert_eq!((loaded.name.as_str(), loaded.number, loaded.id), ("eve", 5, account.id));
}

#[test]
fn a_load_that_is_cut_short_leaves_nothing_and_can_be_done_again() {
    let (_world, account, domain, trees) = daily(1);
    let bytes = dump(&domain, &account);
    let (other, vault) = elsewhere();
    for cut in (0..bytes.len()).step_by(bytes.len() / 40) {
        let refused = vault.load(&mut &bytes[..cut], &Load::default());
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{cut}: {refused:?}");
        assert_eq!(domains(&other), [""; 0], "{cut}");
    }
    // One that was killed: its folder is no account to anybody, and the next load clears it.
    let left = other.path().join("domains").join(format!("{}.load", "ab".repeat(16)));
    std::fs::create_dir_all(left.join("packs/ab")).unwrap();
    std::fs::write(left.join("packs/ab/x.pack"), "half").unwrap();
    assert_eq!(other.open(Access::Write).unwrap().accounts().unwrap(), []);
    let loaded = vault.load(&mut bytes.as_slice(), &Load::default()).unwrap();
    assert!(!left.exists());
    let copy = vault.domain(&loaded.account).unwrap();
    trees.iter().for_each(|tree| assert_readable(&copy, tree));
}

#[test]
fn what_was_damaged_is_loaded_and_told() {
    let (world, account, domain, _) = daily(2);
    let pack = named(&world.path(), ".pack").pop().unwrap();
    let mut content = std::fs::read(&pack).unwrap();
    content[300] ^= 1;
    std::fs::write(&pack, content).unwrap();
    let bytes = dump(&domain, &account);
    let (_other, vault) = elsewhere();
    let loaded = vault.load(&mut bytes.as_slice(), &Load::default()).unwrap();
    assert!(loaded.damages > 0 && !loaded.findings.is_empty());
    assert_eq!(vault.accounts().unwrap().len(), 1);
}

#[test]
fn a_full_disk_refuses_before_anything_is_written() {
    let (_world, account, domain, _) = daily(1);
    let bytes = dump(&domain, &account);
    let (other, _) = elsewhere();
    let disk = crate::door::Faulty::new(RealDisk, None).with_free(1 << 20);
    let vault = other.open_on(Arc::new(disk), Access::Write).unwrap();
    let refused = vault.load(&mut bytes.as_slice(), &Load::default());
    assert!(refused.as_ref().is_err_and(Error::is_full), "{refused:?}");
    assert_eq!(domains(&other), [""; 0]);
}
