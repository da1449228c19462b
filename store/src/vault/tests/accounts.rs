//! Making and opening vaults and accounts.

use super::faults::{How, TroubledDisk};
use super::*;
use crate::door::Faulty;
use crate::error::Error;
use crate::id::KeyCheck;
use crate::vault::{AccountState, slots_mark};

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

/// Who made a vault, or bound a key, ended before that was durable: whoever goes on makes it so.
#[test]
fn what_somebody_wrote_and_did_not_sync_is_synced() {
    let (world, _, account) = World::with_account();
    let disk = Arc::new(Faulty::new(RealDisk, None));
    let vault = world.open_on(disk.clone(), Access::Write).unwrap();
    let synced = |folder: &Path| disk.calls().iter().any(|(doing, at)| *doing == "sync the folder" && at == folder);
    vault.bind(&account, world.keys.identity_public(), world.keys.key_check()).unwrap();
    let own = world.domain_folder(&account).join(format!("accounts/{:08x}", account.number));
    assert!(synced(&own), "{:?}", disk.calls());
    assert!(!synced(&world.path()));
    vault.create_account("bob").unwrap();
    assert!(synced(&world.path()));
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
    vault.set_slots(&account, vec!["{\"id\":1}".to_owned()], None).unwrap();
    vault.set_state(&account, AccountState::Frozen, "the audit").unwrap();
    assert!(vault.set_slots(&account, vec!["x".repeat(1 << 20)], None).is_err());
    let (_, again, domain) = world.reopen();
    assert_eq!(again.slots, ["{\"id\":1}"]);
    assert_eq!(again.identity, account.identity);
    assert_eq!(again.reason, "the audit");
    assert!(matches!(domain.begin(&again, &[], None), Err(Error::Frozen { .. })));
}

#[test]
fn slots_are_replaced_by_who_knows_them() {
    let (_world, vault, account) = World::with_account();
    let slots = |n: usize| (0..n).map(|n| format!("{{\"id\":{n}}}")).collect::<Vec<_>>();
    let none = slots_mark(&[]);
    vault.set_slots(&account, slots(1), Some(none)).unwrap();
    // Two who read the same list: the second is told, and loses nothing of the first.
    assert!(matches!(vault.set_slots(&account, slots(2), Some(none)), Err(Error::Busy { .. })));
    assert_eq!(vault.reload(&account).unwrap().slots, slots(1));
    vault.set_slots(&account, slots(2), Some(slots_mark(&slots(1)))).unwrap();
    assert_ne!(slots_mark(&["a".into(), "b".into()]), slots_mark(&["ab".into()]));
}

#[test]
fn nothing_is_written_to_a_vault_that_is_open_for_reading() {
    let (world, vault, _) = World::with_account();
    drop(vault);
    let vault = world.open(Access::Read).unwrap();
    let account = vault.account(&AccountSelector::Only).unwrap();
    assert!(matches!(vault.create_account("eve"), Err(Error::Refused { .. })));
    assert!(vault.set_slots(&account, Vec::new(), None).is_err());
    let domain = vault.domain(&account).unwrap();
    assert!(matches!(domain.begin(&account, &[], None), Err(Error::Refused { .. })));
}

#[test]
fn a_number_may_be_chosen_and_a_name_changed() {
    let (_world, vault, ada) = World::with_account();
    let bob = vault.create_account_numbered("bob", Some(0x3af)).unwrap();
    assert_eq!(vault.account(&AccountSelector::Number(0x3af)).unwrap(), bob);
    assert!(matches!(vault.create_account_numbered("eve", Some(0x3af)), Err(Error::Taken { .. })));
    assert!(matches!(vault.rename_account(&bob, "ada"), Err(Error::Taken { .. })));
    assert!(vault.rename_account(&bob, &"x".repeat(256)).is_err());
    let robert = vault.rename_account(&bob, "robert").unwrap();
    assert_eq!((robert.id, robert.number), (bob.id, 0x3af));
    assert!(vault.account(&AccountSelector::Name("bob".into())).is_err());
    assert_eq!(vault.create_account("eve").unwrap().number, 0x3b0);
    assert_eq!(vault.accounts().unwrap().len(), 3);
    assert_eq!(vault.reload(&ada).unwrap(), ada);
}

#[test]
fn what_is_settled_is_kept_and_must_make_sense() {
    let (world, vault, account) = World::with_account();
    let settled = vault
        .settle(&account, |terms| {
            terms.soft_bytes = Some(10);
            terms.hard_bytes = Some(20);
            terms.contacts = Some(vec!["ops@example.org".into()]);
        })
        .unwrap();
    assert_eq!(world.reopen().1, settled);
    assert!(matches!(vault.settle(&account, |terms| terms.soft_bytes = Some(21)), Err(Error::Refused { .. })));
    let many = |terms: &mut crate::vault::Terms| terms.contacts = Some(vec!["x".into(); 33]);
    assert!(matches!(vault.settle(&account, many), Err(Error::Limit { .. })));
    assert_eq!(vault.reload(&account).unwrap(), settled);
}

#[test]
fn a_deleted_account_can_be_taken_back_for_two_weeks_and_then_goes() {
    let (world, vault, account) = World::with_account();
    let other = vault.create_account("other").unwrap();
    assert!(matches!(vault.remove_account(&account), Err(Error::Refused { .. })));
    let deleted = vault.delete_account(&account).unwrap();
    assert_eq!(deleted.state, AccountState::Disabled);
    assert!(matches!(vault.remove_account(&account), Err(Error::Refused { .. })));
    // Deleting again does not begin anew.
    world.clock.advance(crate::vault::DELETED_FOR_MS - 1);
    assert_eq!(vault.delete_account(&account).unwrap().goes_at(), deleted.goes_at());
    assert!(matches!(vault.remove_account(&account), Err(Error::Refused { .. })));
    let back = vault.set_state(&account, AccountState::Open, "").unwrap();
    assert_eq!(back, account);

    vault.delete_account(&account).unwrap();
    for state in [AccountState::Frozen, AccountState::Disabled] {
        assert!(matches!(vault.set_state(&account, state, ""), Err(Error::Refused { .. })));
    }
    assert_eq!(
        vault.reload(&account).unwrap().goes_at(),
        deleted.goes_at().map(|at| at + crate::vault::DELETED_FOR_MS - 1)
    );
    world.clock.advance(crate::vault::DELETED_FOR_MS);
    vault.remove_account(&account).unwrap();
    assert_eq!(vault.accounts().unwrap(), [other]);
    let left = files(&world.path());
    assert!(left.iter().all(|(path, _)| !path.to_string_lossy().contains(&account.domain.hex())));
}

/// A line of `authorized_keys` that nobody took away names the account by its number.
#[test]
fn the_number_of_an_account_that_went_is_not_given_again() {
    for older in [false, true] {
        let (world, vault, _) = World::with_account();
        let bob = vault.create_account("bob").unwrap();
        assert_eq!(bob.number, 2);
        if older {
            // As a program left it that knew nothing of it.
            let path = world.path().join("vault.json");
            let mut said: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let members = said.as_object_mut().unwrap();
            members.remove("account_next");
            members.remove("check");
            members.sort_keys();
            let check = blake3::hash(said.to_string().as_bytes()).to_hex().to_string();
            said.as_object_mut().unwrap().insert("check".to_owned(), check.into());
            std::fs::write(&path, said.to_string()).unwrap();
        }
        vault.delete_account(&bob).unwrap();
        world.clock.advance(crate::vault::DELETED_FOR_MS);
        vault.remove_account(&bob).unwrap();
        let disk = tempfile::tempdir().unwrap();
        vault.add_volume(&disk.path().join("volume")).unwrap();
        let carol = vault.create_account("carol").unwrap();
        assert_eq!(carol.number, 3, "older: {older}");
        // Whoever names one may have it.
        assert_eq!(vault.create_account_numbered("robert", Some(2)).unwrap().number, 2);
        assert_eq!(vault.create_account("dave").unwrap().number, 4);
    }
}

/// It is said before there is an account, wherever the making of it ends.
#[test]
fn an_account_whose_making_was_cut_short_has_used_its_number() {
    for call in 0.. {
        let (world, vault, _) = World::with_account();
        drop(vault);
        let disk = Arc::new(Faulty::new(RealDisk, Some(call)));
        let made = world.open_on(disk.clone(), Access::Write).and_then(|vault| vault.create_account("bob"));
        let vault = world.open(Access::Write).unwrap();
        if let Ok(bob) = vault.account(&AccountSelector::Name("bob".to_owned())) {
            let said = std::fs::read_to_string(world.path().join("vault.json")).unwrap();
            assert!(said.contains(r#""account_next":3"#), "call {call}: {said}");
            assert_eq!(bob.number, 2);
        }
        if !disk.has_failed() {
            made.unwrap();
            return;
        }
    }
}

#[test]
fn removing_can_be_cut_short_anywhere() {
    for call in 0.. {
        let (world, vault, account) = World::with_account();
        world.back_up_now(&tree(&account, 1));
        let content = |file: &Path| ["pack", "link", "body"].iter().any(|end| file.extension() == Some(end.as_ref()));
        let before: Vec<PathBuf> = files(&world.path()).into_iter().map(|(path, _)| path).collect();
        assert!(before.iter().any(|file| content(file)));
        vault.delete_account(&account).unwrap();
        world.clock.advance(crate::vault::DELETED_FOR_MS);
        drop(vault);
        let disk = Arc::new(Faulty::new(RealDisk, Some(call)));
        let cut = world.open_on(disk.clone(), Access::Write).unwrap().remove_account(&account);
        if !disk.has_failed() {
            cut.unwrap();
            assert!(call > 10);
            return;
        }
        cut.unwrap_err();
        let vault = world.open(Access::Write).unwrap();
        // Either it is as if nothing had been there, or it is still known as deleted and the same call goes on.
        if let Ok(there) = vault.reload(&account) {
            assert!(there.goes_at().is_some(), "call {call}");
            // Taken back, what is left of it would pass for whole.
            if before.iter().any(|file| content(file) && !world.path().join(file).exists()) {
                let back = vault.set_state(&account, AccountState::Open, "");
                assert!(matches!(back, Err(Error::Refused { .. })), "call {call}");
            }
            vault.remove_account(&account).unwrap();
        }
        assert_eq!(vault.accounts().unwrap(), []);
    }
}

#[test]
fn groups_have_members_and_names() {
    let (world, vault, ada) = World::with_account();
    let bob = vault.create_account("bob").unwrap();
    assert_eq!(vault.groups().unwrap(), []);
    let office = vault.create_group("office").unwrap();
    let lab = vault.create_group("lab").unwrap();
    assert!(matches!(vault.create_group("lab"), Err(Error::Taken { .. })));
    assert!(vault.create_group(&"x".repeat(256)).is_err());
    let office = vault.join_group(&office, &[ada.clone(), bob.clone()]).unwrap();
    assert_eq!(vault.join_group(&office, std::slice::from_ref(&bob)).unwrap(), office);
    let lab = vault.join_group(&lab, std::slice::from_ref(&ada)).unwrap();
    assert_eq!(vault.groups_of(&ada).unwrap(), [lab.clone(), office.clone()]);
    assert_eq!(vault.groups_of(&bob).unwrap(), std::slice::from_ref(&office));
    let office = vault.leave_group(&office, std::slice::from_ref(&bob)).unwrap();
    assert!(matches!(vault.rename_group(&office, "lab"), Err(Error::Taken { .. })));
    let rooms = vault.rename_group(&office, "rooms").unwrap();
    let rooms = vault.settle_group(&rooms, |terms| terms.hard_bytes = Some(5)).unwrap();
    vault.delete_group(&lab).unwrap();
    assert!(matches!(vault.join_group(&lab, &[bob]), Err(Error::NotFound { what: "group", .. })));
    let vault = world.open(Access::Read).unwrap();
    assert_eq!(vault.groups().unwrap(), [rooms]);
    assert!(matches!(vault.create_group("new"), Err(Error::Refused { .. })));
    // A number is never given twice.
    let vault = world.open(Access::Write).unwrap();
    assert_eq!(vault.create_group("lab").unwrap().number, 3);
}

#[test]
fn a_hard_limit_is_never_passed_by_all_sessions_together() {
    let (_world, vault, account) = World::with_account();
    let domain = vault.domain(&account).unwrap();
    assert_eq!(domain.room(&account).unwrap(), None);
    let account = vault.settle(&account, |terms| terms.hard_bytes = Some(40_000)).unwrap();
    assert_eq!(domain.room(&account).unwrap(), Some(40_000 - domain.stored().unwrap().pack_bytes));
    let mut sessions = [SOURCE, OTHER_SOURCE].map(|source| domain.begin(&account, &[source], None).unwrap());
    let mut stripe = domain.attach(&account, sessions[0].id()).unwrap();
    let mut put = 0;
    let refused = (0_u64..200).find_map(|number| {
        let tree = tree(&account, number);
        tree.records.iter().find_map(|record| {
            let done = match number % 3 {
                0 => sessions[0].put(record),
                1 => sessions[1].put(record),
                _ => stripe.put(record),
            };
            put += usize::from(done.is_ok());
            done.err()
        })
    });
    assert!(matches!(refused, Some(Error::Full { limit: 40_000, .. })), "{refused:?}");
    assert!(put > 6, "{put}");
    stripe.finish().unwrap();
    drop(stripe);
    for session in sessions {
        session.end().unwrap();
    }
    let stored = domain.stored().unwrap().pack_bytes;
    assert!(stored <= 40_000, "{stored}");
    // What was reserved and not brought is free again.
    assert_eq!(domain.room(&account).unwrap(), Some(40_000 - stored));
    let account = vault.settle(&account, |terms| terms.hard_bytes = Some(1)).unwrap();
    assert_eq!(domain.room(&account).unwrap(), Some(0));
}

#[test]
fn what_is_published_and_was_reserved_counts_once() {
    for at in 0.. {
        let (world, vault, account) = World::with_account();
        vault.settle(&account, |terms| terms.hard_bytes = Some(1 << 30)).unwrap();
        let disk = TroubledDisk::new(u64::MAX, How::FromThenOn);
        let room = || {
            let vault = world.open(Access::Write).unwrap();
            vault.domain(&account).unwrap().room(&account).unwrap().unwrap()
        };
        let failing = world.open_on(Arc::new(disk.clone()), Access::Write).unwrap();
        let mut session = failing.domain(&account).unwrap().begin(&account, &[SOURCE], None).unwrap();
        let tree = tree(&account, 1);
        tree.records.iter().for_each(|record| session.put(record).unwrap());
        let (link, body) = world.version(&session, tree.root);
        let before = room();
        disk.stop_at(disk.calls() + at);
        let done = session.commit(&link, Some(&body));
        // Whoever opens sees packs that have their names and perhaps no rows; the session lives on.
        assert_eq!(room(), before, "after call {at}");
        if done.is_ok() {
            assert!(at > 5, "publishing takes more calls than {at}");
            return;
        }
    }
}

#[test]
fn what_a_session_without_a_folder_reserved_is_free_again() {
    let (world, vault, account) = World::with_account();
    let account = vault.settle(&account, |terms| terms.hard_bytes = Some(1 << 30)).unwrap();
    let domain = vault.domain(&account).unwrap();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let room = domain.room(&account).unwrap();
    session.put(&tree(&account, 1).records[0]).unwrap();
    assert!(domain.room(&account).unwrap() < room);
    drop(session);
    // Who adopted it ended when its folder was gone, and before that was noted.
    let staging = world.domain_folder(&account).join("staging");
    std::fs::remove_dir_all(&staging).unwrap();
    std::fs::create_dir(&staging).unwrap();
    let (_, account, domain) = world.reopen();
    assert_eq!(domain.room(&account).unwrap(), room);
}

/// A client can make the bodies of its versions as large as it likes, and sign as many versions as it likes.
#[test]
fn many_large_bodies_are_counted() {
    let (world, vault, account) = World::with_account();
    let account = vault.settle(&account, |terms| terms.hard_bytes = Some(1 << 20)).unwrap();
    let domain = vault.domain(&account).unwrap();
    let mut session = domain.begin(&account, &[], None).unwrap();
    let one = tree(&account, 1);
    assert!(matches!(world.back_up(&mut session, &one).unwrap(), Outcome::Committed(_)));
    let large = |session: &Session| {
        let (_, body) = world.version(session, one.root);
        let body = record_of(account.domain, account.id, RecordKind::VersionBody, 0, body.clear, 5, 4 << 20);
        (world.link_after(session, LinkKind::Version, body_hash(&body), 1), body)
    };
    let mut committed = 0;
    let refused = loop {
        let (link, body) = large(&session);
        match session.commit(&link, Some(&body)) {
            Ok(Outcome::Committed(_)) => committed += 1,
            other => break other,
        }
        assert!(committed < 9, "without an end");
    };
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    assert_eq!(committed, 3);
    // What is to go can still be said.
    let mut clear = 0i64.to_le_bytes().to_vec();
    clear.extend_from_slice(&1u32.to_le_bytes());
    clear.extend_from_slice(&3u64.to_le_bytes());
    assert!(matches!(world.act(&mut session, LinkKind::Forget, clear), Outcome::Committed(_)));
}

/// A second account in the same world, with its chain begun.
pub(super) fn second(world: &World, vault: &Vault, name: &str) -> AccountInfo {
    let account = vault.create_account(name).unwrap();
    let account = vault.bind(&account, world.keys.identity_public(), world.keys.key_check()).unwrap();
    world.begin_chain(vault, &account).unwrap();
    account
}

fn stored(vault: &Vault, accounts: &[&AccountInfo]) -> u64 {
    accounts.iter().map(|account| vault.domain(account).unwrap().stored().unwrap().pack_bytes).sum()
}

#[test]
fn a_group_s_hard_limit_is_never_passed_by_all_its_members_together() {
    const LIMIT: u64 = 60_000;
    let (world, vault, ada) = World::with_account();
    let [bob, eve] = ["bob", "eve"].map(|name| second(&world, &vault, name));
    let members = [&ada, &bob, &eve];
    let office = vault.join_group(&vault.create_group("office").unwrap(), &members.map(Clone::clone)).unwrap();
    // Bob is in a second one, which has room: the narrower holds.
    let lab = vault.join_group(&vault.create_group("lab").unwrap(), std::slice::from_ref(&bob)).unwrap();
    vault.settle_group(&lab, |terms| terms.hard_bytes = Some(LIMIT * 9)).unwrap();
    vault.settle_group(&office, |terms| terms.hard_bytes = Some(LIMIT)).unwrap();
    // Two processes for each member.
    let bring = |process: u64, account: &AccountInfo| {
        let vault = world.open(Access::Write).unwrap();
        let domain = vault.domain(account).unwrap();
        let source = if process == 0 { SOURCE } else { OTHER_SOURCE };
        let mut session = domain.begin(account, &[source], None).unwrap();
        let trees = (0..200).map(|number| tree(account, 1_000 * process + number));
        let refused = trees.flat_map(|tree| tree.records).find_map(|record| session.put(&record).err());
        // One of two ends well, the other dies.
        if process == 0 {
            session.end().unwrap();
        } else {
            session.flush().unwrap();
        }
        refused
    };
    std::thread::scope(|scope| {
        let bring = &bring;
        let all: Vec<_> = members
            .iter()
            .flat_map(|account| [0, 1].map(|process| scope.spawn(move || bring(process, account))))
            .collect();
        for refused in all.into_iter().map(|thread| thread.join().unwrap()) {
            let Some(Error::Full { whose, limit, used }) = refused else { panic!("{refused:?}") };
            assert_eq!((whose.as_str(), limit), ("the group office", LIMIT));
            assert!(used <= LIMIT, "{used}");
        }
    });
    // Whoever opens adopts what the dead left.
    let vault = world.open(Access::Write).unwrap();
    let taken = stored(&vault, &members);
    // How much fits beside what was only reserved hangs on who comes first.
    assert!(taken <= LIMIT && taken > LIMIT / 4, "{taken}");
    // What was reserved and not brought is free again, for every member, to the byte.
    let room = |bytes: u64| {
        vault.settle_group(&office, |terms| terms.hard_bytes = Some(bytes)).unwrap();
        members.map(|account| vault.domain(account).unwrap().must_have_room(account).is_ok())
    };
    assert_eq!((room(taken), room(taken + 1)), ([false; 3], [true; 3]));
    // Out of the group, out of its limit.
    assert_eq!(room(1), [false; 3]);
    vault.leave_group(&office, std::slice::from_ref(&bob)).unwrap();
    assert_eq!(room(1), [false, true, false]);
}

#[test]
fn a_ledger_that_is_lost_or_damaged_is_made_anew() {
    let (world, vault, ada) = World::with_account();
    let bob = second(&world, &vault, "bob");
    for account in [&ada, &bob] {
        let mut session = vault.domain(account).unwrap().begin(account, &[SOURCE], None).unwrap();
        world.back_up(&mut session, &tree(account, 1)).unwrap();
        session.end().unwrap();
    }
    let office = vault.join_group(&vault.create_group("office").unwrap(), &[ada.clone(), bob.clone()]).unwrap();
    let taken = stored(&vault, &[&ada, &bob]);
    assert!(taken > 2 * stored(&vault, &[&bob]) - 100 && stored(&vault, &[&ada]) > 1_000, "{taken}");
    vault.settle_group(&office, |terms| terms.hard_bytes = Some(taken)).unwrap();
    let path = world.path().join("groups/00000001/ledger.db");
    let has_room = || vault.domain(&bob).unwrap().must_have_room(&bob).is_ok();
    assert!(!has_room());
    for content in [None, Some(vec![7; 5_000])] {
        std::fs::remove_file(&path).unwrap();
        content.into_iter().for_each(|bytes| std::fs::write(&path, bytes).unwrap());
        assert!(!has_room());
    }
    // The other's catalog is lost with it: its packs count all the same.
    std::fs::remove_file(&path).unwrap();
    for end in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        std::fs::remove_file(world.domain_folder(&ada).join(end)).unwrap_or_default();
    }
    assert!(!has_room());
    vault.settle_group(&office, |terms| terms.hard_bytes = Some(taken + 1)).unwrap();
    assert!(has_room());
}

#[test]
fn what_came_before_there_was_a_limit_counts_once_there_is_one() {
    let (world, vault, account) = World::with_account();
    let domain = vault.domain(&account).unwrap();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let step = |number| record_of(account.domain, account.id, RecordKind::Box, 1, vec![number; 32], 1, 3 << 20);
    (0..3).for_each(|number| session.put(&step(number)).unwrap());
    vault.settle(&account, |terms| terms.hard_bytes = Some(20 << 20)).unwrap();
    let refused = (3..20).find_map(|number| session.put(&step(number)).err());
    assert!(matches!(refused, Some(Error::Full { .. })), "{refused:?}");
    session.end().unwrap();
    assert!(domain.stored().unwrap().pack_bytes <= 20 << 20);
    drop(world);
}

#[test]
fn some_of_the_disk_stays_free_for_what_gives_space_back() {
    let (world, vault, account) = World::with_account();
    drop(vault);
    let on = |free: u64| {
        let disk = Faulty::new(RealDisk, None).with_free(free);
        world.open_on(Arc::new(disk), Access::Write).unwrap().domain(&account).unwrap()
    };
    let put = |free: u64| {
        let mut session = on(free).begin(&account, &[SOURCE], None).unwrap();
        let record = &tree(&account, 5).records[0];
        session.put(record)
    };
    put(2 << 20).unwrap();
    assert!(put(1 << 20).is_err_and(|error| error.is_full()));
    // What only says that something is to go still finds room.
    let mut session = on(1 << 20).begin(&account, &[], None).unwrap();
    world.act(&mut session, LinkKind::Policy, super::retention::policy([3, 0, 0, 0, 0, 0]));
}

/// Lines of `authorized_keys` name accounts by number.
#[test]
fn no_account_is_called_like_a_number() {
    let (_world, vault, ada) = World::with_account();
    for name in ["0x3", "0xADA", "0x00000001"] {
        assert!(matches!(vault.create_account(name), Err(Error::Refused { .. })), "{name}");
        assert!(matches!(vault.rename_account(&ada, name), Err(Error::Refused { .. })), "{name}");
    }
    for name in ["0x", "0xy", "ada2", "beef"] {
        vault.create_account(name).unwrap();
    }
}
