//! What goes when space is short: carried out by a vault. What may go is tested in `chain/retain`.

use super::housekeep::{DAY, assert_readable, findings, keep_house, pass};
use super::retention::{CONFIRMED, act, all, daily, is_there, policy};
use super::*;
use crate::chain::{Cause, Fate, Policy};
use crate::door::Faulty;
use crate::vault::{Housekeep, HousekeepEvent};

fn set_soft(world: &World, soft: u64) -> Domain {
    let (vault, account, _) = world.reopen();
    vault.settle(&account, |terms| terms.soft_bytes = Some(soft)).unwrap();
    world.reopen().2
}

fn there(domain: &Domain, account: &AccountInfo, versions: std::ops::Range<u64>) -> Vec<u64> {
    versions.filter(|version| is_there(domain, account, *version)).collect()
}

#[test]
fn above_the_soft_limit_the_oldest_versions_go_down_to_it() {
    let (world, account, domain, trees) = daily(10);
    let tenth = pass(&domain).kept_bytes / 10;
    let domain_of = |soft| set_soft(&world, soft);
    let domain = domain_of(tenth * 8 + 1);
    let (dry, events) = all(&domain, Housekeep { dry_run: true, ..Housekeep::default() });
    assert_eq!((dry.pressed, dry.condemned), (2, 8));
    let fate = Fate::Going(Cause::SoftLimit);
    assert!(matches!(&events[0], HousekeepEvent::Judged { version: 3, fate: told, .. } if *told == fate));
    assert_eq!(there(&domain, &account, 3..13).len(), 10);
    // That the limit was set is change enough.
    let (done, events) = all(&domain, Housekeep::default());
    assert_eq!((done.pressed, done.expired, done.waiting, done.condemned), (2, 0, 0, 8));
    let told = HousekeepEvent::Expired { account: "ada".to_owned(), version: 3, cause: Cause::SoftLimit };
    assert_eq!(events[0], told);
    assert_eq!(there(&domain, &account, 3..13), (5..13).collect::<Vec<u64>>());
    assert_eq!(keep_house(&world, &domain).freed, 8);
    trees[2..].iter().for_each(|tree| assert_readable(&domain, tree));
    // One more than is allowed, one goes.
    world.back_up_now(&tree(&account, 99));
    assert_eq!(pass(&domain).pressed, 1);
    assert_eq!(findings(&domain), []);
    domain.rebuild().unwrap();
    assert_eq!(findings(&domain), []);
    let log = domain.housekeeping_log().unwrap();
    let gone: Vec<(u64, String)> =
        log.iter().flat_map(|pass| &pass.gone).map(|gone| (gone.version, gone.why.clone())).collect();
    assert_eq!(gone, [3, 4, 5].map(|version| (version, "soft limit".to_owned())));
    assert!(log.iter().any(|pass| pass.freed_bytes > 0) && log.iter().any(|pass| pass.unlinked_bytes > 0));
}

#[test]
fn a_limit_that_takes_much_or_too_little_waits() {
    let (world, account, domain, _) = daily(10);
    let tenth = pass(&domain).kept_bytes / 10;
    act(&world, &domain, &account, LinkKind::Pin, super::retention::naming(&[4], 0));
    let domain = set_soft(&world, tenth * 5);
    let (done, events) = all(&domain, Housekeep::default());
    assert_eq!((done.pressed, done.waiting, done.condemned), (0, 5, 0));
    assert_eq!(events[0], HousekeepEvent::Waiting { account: "ada".to_owned(), versions: 5 });
    assert_eq!(all(&domain, CONFIRMED).0.pressed, 5);
    assert_eq!(there(&domain, &account, 3..13), [4, 9, 10, 11, 12]);
    // The newest and what is pinned are more than this, whatever goes.
    let domain = set_soft(&world, tenth);
    for _ in 0..2 {
        let done = all(&domain, Housekeep::default()).0;
        assert_eq!((done.pressed, done.waiting), (0, 3));
    }
    assert_eq!(all(&domain, CONFIRMED).0.pressed, 3);
    assert_eq!(there(&domain, &account, 3..13), [4, 12]);
    assert_eq!(findings(&domain), []);
    // A policy that allows nothing of it.
    act(&world, &domain, &account, LinkKind::Policy, policy([9, 0, 0, 0, 0, 0]));
    act(&world, &domain, &account, LinkKind::Unpin, super::retention::naming(&[4], 0));
    assert_eq!(all(&domain, CONFIRMED).0.pressed, 0);
}

/// As a client does that may only add: what it fills the account with pushes no more out than a share of a day.
#[test]
fn whoever_floods_an_account_pushes_little_of_its_history_out() {
    let (world, account, domain, _) = daily(20);
    let each = pass(&domain).kept_bytes / 20;
    let domain = set_soft(&world, each * 20 + 1);
    // The limit is in force, and nothing had to go for it.
    assert_eq!(all(&domain, Housekeep::default()).0.pressed, 0);
    let flood = |versions: std::ops::Range<u64>| {
        versions.for_each(|seed| drop(world.back_up_now(&tree(&account, seed))));
        let done = all(&domain, Housekeep::default()).0;
        (done.pressed, done.waiting)
    };
    assert_eq!(flood(500..511), (0, 11));
    // Nor a little at a time: a day has one share.
    let domain_of = |soft| set_soft(&world, soft);
    let domain = domain_of(each * 29 + 1);
    assert_eq!(all(&domain, Housekeep::default()).0.pressed, 2);
    let more = |seed| {
        world.back_up_now(&tree(&account, seed));
        let done = all(&domain, Housekeep::default()).0;
        (done.pressed, done.waiting)
    };
    let went: Vec<(u64, u64)> = (600..605).map(more).collect();
    assert_eq!(went, [(1, 0), (1, 0), (1, 0), (1, 0), (0, 1)]);
    assert_eq!(there(&domain, &account, 3..23).len(), 20 - 2 - 4);
    // The next day a share more, and whoever looks after it may have all of it done.
    world.clock.advance(DAY);
    assert_eq!(all(&domain, Housekeep::default()).0.pressed, 1);
    assert_eq!(findings(&domain), []);
}

#[test]
fn on_a_full_disk_versions_of_a_month_and_more_make_room() {
    let (world, account, _, _) = daily(36);
    let free = 1 << 30;
    let mut clear = policy([Policy::ALL, 0, 0, 0, 0, 0]);
    clear.extend_from_slice(&0u32.to_le_bytes());
    clear.extend_from_slice(&(free + 1u64).to_le_bytes());
    let on = |bytes: u64| {
        let vault = world.open_on(Arc::new(Faulty::new(RealDisk, None).with_free(bytes)), Access::Write).unwrap();
        vault.domain(&account).unwrap()
    };
    act(&world, &on(free + 1), &account, LinkKind::Policy, clear);
    // Packs are folded, and what they leave behind is gone.
    keep_house(&world, &on(free + 1));
    // A byte lacks: one version makes room. Until its space is back it counts as if it were.
    let (done, events) = all(&on(free), Housekeep::default());
    assert_eq!((done.pressed, done.condemned), (1, 4), "{events:?}");
    world.clock.advance(DAY);
    assert_eq!(all(&on(free), CONFIRMED).0.pressed, 0);
    // More lacks than all that are old enough can give: nothing goes for nothing.
    let (done, _) = all(&on(0), Housekeep::default());
    assert_eq!((done.pressed, done.waiting), (0, 6));
    assert_eq!(all(&on(0), CONFIRMED).0.pressed, 6);
    assert_eq!(there(&on(0), &account, 3..39), (10..39).collect::<Vec<u64>>());
    assert_eq!(findings(&on(free)), []);
}

#[test]
fn above_a_group_s_soft_limit_the_oldest_versions_of_all_members_go() {
    let (world, ada, domain, _) = daily(6);
    let vault = world.open(Access::Write).unwrap();
    let bob = super::accounts::second(&world, &vault, "bob");
    let back_up = |account: &AccountInfo, seed| {
        let vault = world.open(Access::Write).unwrap();
        let mut session = vault.domain(account).unwrap().begin(account, &[SOURCE], None).unwrap();
        world.back_up(&mut session, &tree(account, seed)).unwrap();
        session.end().unwrap();
    };
    // Bob's first is younger than all of Ada's but the last.
    for seed in 200..204 {
        back_up(&bob, seed);
        world.clock.advance(DAY);
    }
    back_up(&ada, 300);
    world.clock.advance(2 * DAY);
    let pass_of = |account: &AccountInfo, how: Housekeep| {
        let domain = world.open(Access::Write).unwrap().domain(account).unwrap();
        domain.housekeep(&how, &mut |_| Ok(())).unwrap()
    };
    let kept = pass_of(&ada, CONFIRMED).kept_bytes + pass_of(&bob, CONFIRMED).kept_bytes;
    let tenth = kept / 11;
    let office = vault.join_group(&vault.create_group("office").unwrap(), &[ada.clone(), bob.clone()]).unwrap();
    // Seven have to go: six of Ada's are older than Bob's, and one is the newest of hers.
    vault.settle_group(&office, |terms| terms.soft_bytes = Some(kept - 7 * tenth)).unwrap();
    // So many at once wait for a word.
    let waits = pass_of(&ada, Housekeep::default());
    assert_eq!((waits.pressed, waits.waiting), (0, 6));
    assert_eq!(pass_of(&ada, CONFIRMED).pressed, 6);
    assert_eq!(there(&domain, &ada, 3..10), [9]);
    let domain_of = |account| world.open(Access::Write).unwrap().domain(account).unwrap();
    assert_eq!(pass_of(&bob, Housekeep::default()).pressed, 1);
    assert_eq!(there(&domain_of(&bob), &bob, 3..7), [4, 5, 6]);
    // That is enough, though the space comes back only later.
    for account in [&ada, &bob] {
        assert_eq!(pass_of(account, CONFIRMED).pressed, 0);
    }
    // An account that is frozen gives nothing, and the others give more for it.
    vault.set_state(&bob, crate::vault::AccountState::Frozen, "").unwrap();
    vault.settle_group(&office, |terms| terms.soft_bytes = Some(1)).unwrap();
    world.clock.advance(2 * DAY);
    assert_eq!(pass_of(&bob, CONFIRMED).pressed, 0);
    assert_eq!(pass_of(&ada, CONFIRMED).pressed, 0, "the newest never goes");
    assert_eq!(there(&domain_of(&ada), &ada, 3..10), [9]);
    for account in [&ada, &bob] {
        assert_eq!(findings(&domain_of(account)), []);
    }
}

#[test]
fn what_one_member_brings_presses_on_the_others() {
    let (world, ada, _, _) = daily(6);
    let vault = world.open(Access::Write).unwrap();
    let bob = super::accounts::second(&world, &vault, "bob");
    let domain_of = |account: &AccountInfo| world.open(Access::Write).unwrap().domain(account).unwrap();
    let pass_of = |account: &AccountInfo| domain_of(account).housekeep(&Housekeep::default(), &mut |_| Ok(())).unwrap();
    let taken = || [&ada, &bob].map(|account| domain_of(account).stored().unwrap().pack_bytes).iter().sum::<u64>();
    let office = vault.join_group(&vault.create_group("office").unwrap(), &[ada.clone(), bob.clone()]).unwrap();
    vault.settle_group(&office, |terms| terms.soft_bytes = Some(taken())).unwrap();
    for account in [&ada, &bob] {
        assert_eq!((pass_of(account).pressed, pass_of(account).waiting), (0, 0));
    }
    let mut session = domain_of(&bob).begin(&bob, &[SOURCE], None).unwrap();
    (200..210).for_each(|seed| drop(world.back_up(&mut session, &tree(&bob, seed)).unwrap()));
    session.end().unwrap();
    // Bob's are too young to go.
    let done = pass_of(&bob);
    assert_eq!((done.pressed, done.waiting), (0, 0));
    world.clock.advance(DAY);
    let done = pass_of(&ada);
    assert!(done.pressed + done.waiting > 0, "{done:?}");
}

/// A vault whose `ada` has a version of each of 60 days, and `bob` one of each day from the 11th on; both want so much free.
fn two_accounts(free: u64) -> (World, [AccountInfo; 2]) {
    let (world, vault, ada) = World::with_account();
    let bob = vault.create_account("bob").unwrap();
    let bob = world.bind_to(&vault, &bob);
    for day in 0..60 {
        for account in [&ada, &bob].into_iter().take(if day < 10 { 1 } else { 2 }) {
            let mut session = vault.domain(account).unwrap().begin(account, &[SOURCE], None).unwrap();
            world.back_up(&mut session, &tree(account, day)).unwrap();
            session.end().unwrap();
        }
        world.clock.advance(DAY);
    }
    let mut clear = policy([Policy::ALL, 0, 0, 0, 0, 0]);
    clear.extend_from_slice(&0u32.to_le_bytes());
    clear.extend_from_slice(&free.to_le_bytes());
    for account in [&ada, &bob] {
        act(&world, &vault.domain(account).unwrap(), account, LinkKind::Policy, clear.clone());
        keep_house(&world, &vault.domain(account).unwrap());
    }
    (world, [ada, bob])
}

#[test]
fn a_full_disk_takes_the_oldest_versions_of_all_accounts_and_not_all_of_one() {
    let wanted = 1 << 30;
    let (world, [ada, bob]) = two_accounts(wanted);
    let vault =
        |free: u64| world.open_on(Arc::new(Faulty::new(RealDisk, None).with_free(free)), Access::Write).unwrap();
    let each = all(&vault(wanted).domain(&ada).unwrap(), CONFIRMED).0.kept_bytes / 60;
    let left = |account: &AccountInfo, to: u64| there(&vault(wanted).domain(account).unwrap(), account, 3..to);
    // What is asked for is as much as fifteen versions: ten of them are older than all of bob's.
    let short = vault(wanted - each * 15 + each / 2);
    let done = all(&short.domain(&bob).unwrap(), Housekeep::default()).0;
    let (of_ada, of_bob) = (left(&ada, 63), left(&bob, 53));
    assert_eq!(done.pressed, 50 - of_bob.len() as u64);
    assert_eq!((60 - of_ada.len()) + (50 - of_bob.len()), 15, "{of_ada:?} {of_bob:?}");
    // Days 0 to 12 of both; of the last, one goes.
    assert!([(3 + 12, 3 + 3), (3 + 13, 3 + 2)].contains(&(of_ada[0], of_bob[0])), "{of_ada:?} {of_bob:?}");
    // Its space is on its way: nobody gives more, whoever is looked after next.
    for account in [&ada, &bob, &ada] {
        world.clock.advance(1_000);
        assert_eq!(all(&short.domain(account).unwrap(), CONFIRMED).0.pressed, 0);
    }
    for account in [&ada, &bob] {
        assert_eq!(findings(&vault(wanted).domain(account).unwrap()), []);
    }
}
