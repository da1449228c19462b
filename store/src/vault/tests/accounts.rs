//! Making and opening vaults and accounts.

use super::*;
use crate::error::Error;
use crate::id::KeyCheck;
use crate::vault::AccountState;

#[test]
fn a_vault_is_made_once_and_opened_again() {
    let world = World::new();
    assert!(matches!(world.open(Access::Read), Err(Error::NotFound { what: "vault", .. })));
    std::fs::create_dir(world.path()).unwrap();
    assert!(matches!(world.open(Access::Read), Err(Error::NotFound { what: "vault.json", .. })));

    let create = || Vault::create(Arc::new(RealDisk), world.clock.clone(), world.chance.clone(), &world.path());
    let vault = create().unwrap();
    assert!(matches!(create(), Err(Error::Taken { .. })));
    assert_eq!(world.open(Access::Read).unwrap().id(), vault.id());
    assert_eq!(world.open(Access::Write).unwrap().access(), Access::Write);
}

#[test]
fn a_folder_of_somebody_else_does_not_become_a_vault() {
    let world = World::new();
    std::fs::create_dir(world.path()).unwrap();
    std::fs::write(world.path().join("letter.txt"), "x").unwrap();
    let made = Vault::create(Arc::new(RealDisk), world.clock.clone(), world.chance.clone(), &world.path());
    assert!(matches!(made, Err(Error::Taken { .. })));
    assert_eq!(files(&world.path()).len(), 1);
}

#[test]
fn a_newer_format_is_refused_before_anything_is_changed() {
    let (world, vault, _) = World::with_account();
    drop(vault);
    let path = world.path().join("vault.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"format\":1", "\"format\":2")).unwrap();
    let before = files(&world.path());
    for access in [Access::Read, Access::Write] {
        assert!(matches!(world.open(access), Err(Error::Newer { what: "vault", found: 2 })));
    }
    assert!(Vault::take_over(&RealDisk, &*world.chance, &world.path()).is_err());
    assert_eq!(files(&world.path()), before);
}

#[test]
fn accounts_have_unique_names_and_numbers() {
    let (_world, vault, ada) = World::with_account();
    assert!(matches!(vault.create_account("ada"), Err(Error::Taken { .. })));
    assert!(vault.create_account("").is_err());
    assert!(vault.create_account("a\nb").is_err());
    assert!(vault.create_account(&"x".repeat(256)).is_err());
    let bob = vault.create_account("Bob's laptop ü").unwrap();
    assert_eq!((ada.number, bob.number), (1, 2));
    assert_ne!(ada.domain, bob.domain);
    assert_eq!(vault.accounts().unwrap(), [ada.clone(), bob.clone()]);
    assert_eq!(vault.account(&AccountSelector::Name("ada".to_owned())).unwrap(), ada);
    assert_eq!(vault.account(&AccountSelector::Number(2)).unwrap(), bob);
    assert_eq!(vault.account(&AccountSelector::Id(bob.id)).unwrap(), bob);
    assert!(matches!(vault.account(&AccountSelector::Only), Err(Error::Refused { .. })));
    assert!(matches!(vault.account(&AccountSelector::Number(3)), Err(Error::NotFound { what: "account", .. })));
}

#[test]
fn a_key_is_bound_once() {
    let (world, vault, account) = World::with_account();
    let same = vault.bind(&account, world.keys.identity_public(), world.keys.key_check()).unwrap();
    assert_eq!(same, account);
    assert!(matches!(vault.bind(&account, [9; 32], KeyCheck::new([9; 16])), Err(Error::Taken { .. })));
    assert_eq!(vault.reload(&account).unwrap(), account);
}

#[test]
fn slots_and_state_are_kept() {
    let (world, vault, account) = World::with_account();
    vault.set_slots(&account, vec!["{\"id\":1}".to_owned()]).unwrap();
    vault.set_state(&account, AccountState::Frozen).unwrap();
    assert!(vault.set_slots(&account, vec!["x".repeat(1 << 20)]).is_err());
    let (_, again, domain) = world.reopen();
    assert_eq!(again.slots, ["{\"id\":1}"]);
    assert_eq!(again.identity, account.identity);
    assert!(matches!(domain.begin(&again, &[], None), Err(Error::Closed { .. })));
}

#[test]
fn nothing_is_written_to_a_vault_that_is_open_for_reading() {
    let (world, vault, _) = World::with_account();
    drop(vault);
    let vault = world.open(Access::Read).unwrap();
    let account = vault.account(&AccountSelector::Only).unwrap();
    assert!(matches!(vault.create_account("eve"), Err(Error::Refused { .. })));
    assert!(vault.set_slots(&account, Vec::new()).is_err());
    let domain = vault.domain(&account).unwrap();
    assert!(matches!(domain.begin(&account, &[], None), Err(Error::Refused { .. })));
}
