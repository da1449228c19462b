//! What is kept, carried out by a vault. Which versions are kept is tested in `chain/retain`.

use super::housekeep::{DAY, assert_readable, findings, keep_house, pass};
use super::*;
use crate::chain::{Cause, ReceivedLink};
use crate::error::Error;
use crate::vault::{AccountState, Housekeep, HousekeepEvent, Housekept};

/// The clear part of a body that names versions.
pub(super) fn naming(versions: &[u64], until: i64) -> Vec<u8> {
    let mut clear = until.to_le_bytes().to_vec();
    clear.extend_from_slice(&u32::try_from(versions.len()).unwrap().to_le_bytes());
    versions.iter().for_each(|version| clear.extend_from_slice(&version.to_le_bytes()));
    clear
}

pub(super) fn policy(counts: [u32; 6]) -> Vec<u8> {
    let mut clear: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    clear.extend_from_slice(&[0; 12]);
    clear
}

pub(super) fn act(world: &World, domain: &Domain, account: &AccountInfo, kind: LinkKind, clear: Vec<u8>) -> u64 {
    let mut session = domain.begin(account, &[], None).unwrap();
    let done = committed(&world.act(&mut session, kind, clear));
    session.end().unwrap();
    done
}

/// Whether the body of a version is there.
pub(super) fn is_there(domain: &Domain, account: &AccountInfo, version: u64) -> bool {
    let link = ReceivedLink::decode(&domain.links(account, version, 1).unwrap()[0]).unwrap();
    domain.body(account, link.link().body).unwrap().is_some()
}

pub(super) fn all(domain: &Domain, how: Housekeep) -> (Housekept, Vec<HousekeepEvent>) {
    let mut events = Vec::new();
    let done = domain
        .housekeep(&how, &mut |event| {
            events.push(event);
            Ok(())
        })
        .unwrap();
    (done, events)
}

pub(super) const CONFIRMED: Housekeep = Housekeep { dry_run: false, confirmed: true, most_ms: None, most_bytes: None };

/// Versions 3 and on, a day apart.
pub(super) fn daily(count: u64) -> (World, AccountInfo, Domain, Vec<Tree>) {
    let (world, _, account) = World::with_account();
    let mut trees = Vec::new();
    for seed in 0..count {
        trees.push(tree(&account, seed));
        world.back_up_now(&trees[usize::try_from(seed).unwrap()]);
        world.clock.advance(DAY);
    }
    let (_, account, domain) = world.reopen();
    (world, account, domain, trees)
}

#[test]
fn what_no_rule_keeps_goes_with_all_that_only_it_needs() {
    let (world, account, domain, trees) = daily(10);
    assert_eq!(pass(&domain).expired, 0);
    assert_eq!(act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 8, 0, 0, 0])), 13);
    let (dry, events) = all(&domain, Housekeep { dry_run: true, ..Housekeep::default() });
    assert_eq!((dry.expired, dry.waiting, dry.condemned), (2, 0, 8));
    assert!(is_there(&domain, &account, 3));
    let told = |version| HousekeepEvent::Expired { account: "ada".to_owned(), version, cause: Cause::Expired };
    let (judged, events): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| matches!(event, HousekeepEvent::Judged { .. }));
    assert_eq!(judged.len(), 10);
    assert!(events.starts_with(&[told(3), told(4)]), "{events:?}");
    let done = pass(&domain);
    assert_eq!((done.expired, done.condemned, done.versions), (2, 8, 8));
    assert!(!is_there(&domain, &account, 3) && is_there(&domain, &account, 5));
    assert_eq!(domain.links(&account, 1, 100).unwrap().len(), 13);
    let sum = keep_house(&world, &domain);
    assert_eq!(sum.freed, 8);
    assert_eq!(domain.boxes_for(&trees[0].chunks).unwrap().missing.len(), 12);
    trees[2..].iter().for_each(|tree| assert_readable(&domain, tree));
    assert_eq!(findings(&domain), []);
    // A catalog that is made anew says the same of what is gone.
    domain.rebuild().unwrap();
    assert_eq!(findings(&domain), []);
    assert_eq!(all(&domain, CONFIRMED).0.holes, 0);
    assert_eq!(committed(&world.back_up_now(&trees[0])), 14);
    assert_readable(&domain, &trees[0]);
}

/// A client may sign the same body twice: what one version may lose, the other one needs.
#[test]
fn a_body_that_a_kept_version_shares_stays() {
    let (world, _, _) = World::with_account();
    let (_, account, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let shared = tree(&account, 1);
    assert!(matches!(world.back_up(&mut session, &shared).unwrap(), Outcome::Committed(_)));
    let (_, body) = world.version(&session, shared.root);
    for _ in 0..2 {
        let link = world.link_after(&session, LinkKind::Version, body_hash(&body), 0);
        assert!(matches!(session.commit(&link, Some(&body)).unwrap(), Outcome::Committed(_)));
    }
    session.end().unwrap();
    world.clock.advance(3 * DAY);
    world.back_up_now(&tree(&account, 2));
    // Of the first day the newest stays, and the two before it may go.
    let (done, _) = all(&domain, CONFIRMED);
    assert_eq!((done.expired, done.holes), (1, 0));
    assert_eq!([3, 4, 5].map(|version| is_there(&domain, &account, version)), [false, true, true]);
    assert_eq!(findings(&domain), []);
    assert_readable(&domain, &shared);
}

/// Up to three tenths is not much, and what waits for a word about the policy keeps nothing else from going.
#[test]
fn what_waits_keeps_only_itself() {
    let (world, account, domain, _) = daily(10);
    act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 7, 0, 0, 0]));
    let done = all(&domain, Housekeep::default()).0;
    assert_eq!((done.expired, done.waiting), (3, 0));

    let (world, account, domain, _) = daily(10);
    act(&world, &domain, &account, LinkKind::Forget, naming(&[4], 0));
    world.clock.advance(14 * DAY);
    act(&world, &domain, &account, LinkKind::Unpin, naming(&[3], 0));
    world.clock.advance(DAY);
    world.back_up_now(&tree(&account, 20));
    act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 6, 0, 0, 0]));
    let done = all(&domain, Housekeep::default()).0;
    assert_eq!((done.forgotten, done.expired, done.waiting), (1, 0, 4));
    assert_eq!([3, 4, 5].map(|version| is_there(&domain, &account, version)), [true, false, true]);
}

#[test]
fn a_new_policy_that_takes_much_waits() {
    let (world, account, domain, trees) = daily(10);
    act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 6, 0, 0, 0]));
    let (done, events) = all(&domain, Housekeep::default());
    assert_eq!((done.expired, done.waiting, done.condemned), (0, 4, 0));
    assert_eq!(events[0], HousekeepEvent::Waiting { account: "ada".to_owned(), versions: 4 });
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
    keep_house(&world, &domain);
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
    let done = all(&domain, CONFIRMED).0;
    assert_eq!((done.expired, done.waiting), (4, 0));
    // From then on it is in force, however many it takes.
    for _ in 0..3 {
        act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 6, 0, 0, 0]));
    }
    assert_eq!(all(&domain, CONFIRMED).0.expired, 0);
    for seed in 20..26 {
        world.back_up_now(&tree(&account, seed));
        world.clock.advance(DAY);
    }
    assert_eq!(pass(&domain).expired, 6);
}

#[test]
fn in_an_account_that_is_frozen_nothing_goes() {
    let (world, account, domain, trees) = daily(10);
    act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 8, 0, 0, 0]));
    let vault = world.open(Access::Write).unwrap();
    let account = vault.set_state(&account, AccountState::Frozen, "a test").unwrap();
    assert_eq!(all(&domain, CONFIRMED).0.expired, 0);
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
    vault.set_state(&account, AccountState::Open, "").unwrap();
    assert_eq!(all(&domain, CONFIRMED).0.expired, 2);
}

#[test]
fn forgotten_versions_wait_in_the_trash() {
    let (world, account, domain, trees) = daily(3);
    act(&world, &domain, &account, LinkKind::Forget, naming(&[3, 4, 5], 0));
    for _ in 0..5 {
        pass(&domain);
        world.clock.advance(5 * DAY);
    }
    // Nobody has come since: nothing ages.
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
    act(&world, &domain, &account, LinkKind::Unforget, naming(&[4], 0));
    // After so long one receipt proves nothing.
    assert_eq!(pass(&domain).forgotten, 0);
    world.clock.advance(DAY);
    act(&world, &domain, &account, LinkKind::Unpin, naming(&[4], 0));
    let done = pass(&domain);
    assert_eq!((done.forgotten, done.expired), (1, 0));
    assert!(!is_there(&domain, &account, 3));
    // The one that was taken back, and the newest, which names the newest roots.
    trees[1..].iter().for_each(|tree| assert_readable(&domain, tree));
    keep_house(&world, &domain);
    assert_eq!(findings(&domain), []);
}

#[test]
fn a_pin_that_comes_while_a_pass_is_under_way_counts() {
    let (world, account, domain, trees) = daily(10);
    act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 8, 0, 0, 0]));
    let mut pinned = false;
    let done = domain.housekeep(&CONFIRMED, &mut |_| {
        // After the first removal: what was pinned before a removal stays.
        if !pinned {
            pinned = true;
            act(&world, &domain, &account, LinkKind::Pin, naming(&[6], 0));
        }
        Ok(())
    });
    assert_eq!(done.unwrap().expired, 2);
    act(&world, &domain, &account, LinkKind::Policy, policy([1, 0, 0, 0, 0, 0]));
    assert_eq!(all(&domain, CONFIRMED).0.expired, 6);
    assert!(is_there(&domain, &account, 6));
    assert_readable(&domain, &trees[3]);
    act(&world, &domain, &account, LinkKind::Unpin, naming(&[6], 0));
    assert_eq!(all(&domain, CONFIRMED).0.expired, 1);
}

#[test]
fn a_body_that_was_not_allowed_to_go_is_told_of() {
    let (world, account, domain, _) = daily(3);
    let link = ReceivedLink::decode(&domain.links(&account, 4, 1).unwrap()[0]).unwrap();
    std::fs::remove_file(domain.inner.paths.body(account.number, link.link().body)).unwrap();
    let found = findings(&domain);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].versions, [(account.number, 4)]);
    let (done, _) = all(&domain, CONFIRMED);
    assert_eq!((done.holes, done.condemned), (1, 0));
    // Once its time has come it might have gone.
    act(&world, &domain, &account, LinkKind::Policy, policy([1, 0, 0, 0, 0, 0]));
    assert_eq!(findings(&domain), []);
}

#[test]
fn a_commit_that_is_asked_for_again_after_its_version_went_brings_no_body_back() {
    let (world, _, account) = World::with_account();
    let (old, new) = (tree(&account, 1), tree(&account, 2));
    let (_, account, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    old.records.iter().for_each(|record| session.put(record).unwrap());
    let (link, body) = world.version(&session, old.root);
    committed(&session.commit(&link, Some(&body)).unwrap());
    session.end().unwrap();
    world.clock.advance(DAY);
    committed(&world.back_up_now(&new));
    act(&world, &domain, &account, LinkKind::Policy, policy([1, 0, 0, 0, 0, 0]));
    assert_eq!(all(&domain, CONFIRMED).0.expired, 1);
    keep_house(&world, &domain);

    // The answer was lost, and the client asks again when nothing of the version is there any more.
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 3);
    session.end().unwrap();
    assert!(!is_there(&domain, &account, 3));
    assert_eq!(findings(&domain), []);
}

#[test]
fn acts_that_cannot_be_read_are_not_taken() {
    let (world, account, domain, _) = daily(1);
    let mut session = domain.begin(&account, &[], None).unwrap();
    for clear in [Vec::new(), naming(&[], 0), naming(&[4, 3], 0), naming(&[3, 3], 0), naming(&[3], 0)[..19].to_vec()] {
        let body = record(&account, RecordKind::ForgetBody, 0, clear, 1);
        let link = world.link_after(&session, LinkKind::Forget, body_hash(&body), 0);
        let told = session.commit(&link, Some(&body));
        assert!(matches!(told, Err(Error::Damaged { .. })), "{told:?}");
    }
    let body = record(&account, RecordKind::PinBody, 0, naming(&[3], 0), 1);
    let link = world.link_after(&session, LinkKind::Forget, body_hash(&body), 0);
    assert!(session.commit(&link, Some(&body)).unwrap_err().is_damage());
}

/// The default is in force from the first version on: nobody has changed anything.
#[test]
fn under_the_default_policy_nothing_waits_to_be_confirmed() {
    let (world, _, account) = World::with_account();
    for seed in 0..12 {
        world.back_up_now(&tree(&account, seed));
        world.clock.advance(DAY / 2);
    }
    let (_, account, domain) = world.reopen();
    let done = all(&domain, Housekeep::default()).0;
    assert_eq!((done.expired, done.waiting), (5, 0));
    // A policy that somebody sets waits as ever.
    act(&world, &domain, &account, LinkKind::Policy, policy([0, 0, 2, 0, 0, 0]));
    let done = all(&domain, Housekeep::default()).0;
    assert_eq!((done.expired, done.waiting > 2), (0, true));
}
