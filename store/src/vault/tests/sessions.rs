//! Sessions: alone, side by side, dead and taken over.

use super::*;
use crate::error::Error;
use crate::id::SessionId;

fn staging(world: &World, account: &AccountInfo) -> Vec<String> {
    let folder = world.domain_folder(account).join("staging");
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with("source-")).collect()
}

#[test]
fn a_source_is_backed_up_by_one_session_at_a_time() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let one = domain.begin(&account, &[SOURCE], None).unwrap();
    let busy = domain.begin(&account, &[OTHER_SOURCE, SOURCE], None);
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    // Nothing stays of the one that could not begin, nor of its lock on the other source.
    assert_eq!(staging(&world, &account), [one.id().hex()]);
    let two = domain.begin(&account, &[OTHER_SOURCE], None).unwrap();
    two.end().unwrap();
    drop(one);
    domain.begin(&account, &[OTHER_SOURCE, SOURCE], None).unwrap().end().unwrap();
    assert_eq!(staging(&world, &account), [""; 0]);
}

#[test]
fn what_a_dead_session_put_is_adopted() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for record in &tree.records {
        session.put(record).unwrap();
    }
    session.flush().unwrap();
    drop(session);
    assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [true; 12]);
    let session = domain.begin(&account, &[SOURCE], None).unwrap();
    assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [false; 12]);
    assert_eq!(staging(&world, &account), [session.id().hex()]);
    session.end().unwrap();

    // Its nodes are there too, as a commit sees.
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let (link, body) = world.version(&session, tree.root);
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 3);
}

#[test]
fn a_torn_pack_is_adopted_as_far_as_it_is_whole() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for record in &tree.records[..2] {
        session.put(record).unwrap();
    }
    session.flush().unwrap();
    // A folder as the death of its process would leave it: the copy is not locked.
    let (from, to) = (world.domain_folder(&account).join("staging").join(session.id().hex()), SessionId::new([8; 16]));
    let to = from.with_file_name(to.hex());
    std::fs::create_dir(&to).unwrap();
    for (path, bytes) in files(&from) {
        let whole = path.extension().is_none_or(|e| e != "part");
        let kept = if whole { bytes.len() } else { bytes.len() - 10 };
        std::fs::write(to.join(path.file_name().unwrap()), &bytes[..kept]).unwrap();
    }
    std::mem::forget(session);
    domain.begin(&account, &[OTHER_SOURCE], None).unwrap().end().unwrap();
    let lacking = domain.lacking_chunks(&tree.chunks).unwrap();
    assert_eq!(lacking, [[false; 6], [true; 6]].concat());
    assert!(!to.exists());
    assert!(from.exists(), "a live session's folder was taken");
}

#[test]
fn opening_for_writing_adopts_too() {
    let (world, vault, account) = World::with_account();
    let tree = tree(&account, 1);
    let domain = vault.domain(&account).unwrap();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&tree.records[0]).unwrap();
    session.flush().unwrap();
    drop((session, domain, vault));
    let (_, _, domain) = world.reopen();
    assert!(!domain.lacking_chunks(&tree.chunks).unwrap()[0]);
    assert_eq!(staging(&world, &account), [""; 0]);
}

#[test]
fn a_resumed_session_goes_on_where_it_died() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let id = session.id();
    session.put(&tree.records[0]).unwrap();
    session.flush().unwrap();
    drop(session);
    let mut session = domain.begin(&account, &[SOURCE], Some(id)).unwrap();
    assert_eq!(session.id(), id);
    assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [[false; 6], [true; 6]].concat());
    assert_eq!(committed(&world.back_up(&mut session, &tree).unwrap()), 3);
    session.end().unwrap();
    assert_eq!(staging(&world, &account), [""; 0]);
}

/// A client sends again what was not acknowledged to it, whether it had come or not.
#[test]
fn what_had_come_before_a_loss_is_not_stored_twice() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let stored = || {
        let rows = domain.dump().unwrap();
        rows.iter().filter(|row| row.starts_with("place ")).count()
    };
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let id = session.id();
    tree.records[1..].iter().for_each(|record| session.put(record).unwrap());
    session.flush().unwrap();
    drop(session);
    let mut session = domain.begin(&account, &[SOURCE], Some(id)).unwrap();
    assert_eq!(stored(), 3);
    // The same chunks in another box are another record, and so is one that is damaged where it lies.
    let other = record_of(account.domain, account.id, RecordKind::Box, 6, tree.records[1].clear.clone(), 99, 300);
    session.put(&other).unwrap();
    let place = domain.groups_for(&[tree.root]).unwrap()[0];
    domain.note_damage(&place).unwrap();
    assert_eq!(committed(&world.back_up(&mut session, &tree).unwrap()), 3);
    session.end().unwrap();
    // Of the tree's the first, which had not come, and the one that was damaged; and the other box.
    assert_eq!(stored(), 3 + 1 + 1 + 1);
    let summary = domain.check(&super::super::CheckWhat { read_data: true }, &mut |_| Ok(())).unwrap();
    assert_eq!(summary.damages, 0);
}

#[test]
fn a_session_is_taken_over_from_a_process_that_hangs() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut old = domain.begin(&account, &[SOURCE], None).unwrap();
    old.put(&tree.records[0]).unwrap();
    old.check_mine().unwrap();
    let mut new = domain.begin(&account, &[SOURCE], Some(old.id())).unwrap();
    new.put(&tree.records[0]).unwrap();

    let overtaken =
        |result: Result<()>| assert!(matches!(result, Err(Error::Busy { what }) if what == "session overtaken"));
    overtaken(old.check_mine());
    overtaken(old.put(&tree.records[1]));
    overtaken(old.publish());
    let (link, body) = world.version(&old, tree.root);
    assert!(matches!(old.commit(&link, Some(&body)), Err(Error::Busy { .. })));
    // Nobody else gets the source, whether the old one lives or not.
    assert!(matches!(domain.begin(&account, &[SOURCE], None), Err(Error::Busy { .. })));

    // The old one may even die: the new one is not taken for dead.
    drop(old);
    assert!(matches!(domain.begin(&account, &[SOURCE], None), Err(Error::Busy { .. })));
    domain.begin(&account, &[OTHER_SOURCE], None).unwrap().end().unwrap();
    assert_eq!(committed(&world.back_up(&mut new, &tree).unwrap()), 3);
    new.end().unwrap();
    assert_eq!(staging(&world, &account), [""; 0]);
}

#[test]
fn a_session_of_another_account_is_not_resumed() {
    let (world, vault, account) = World::with_account();
    let domain = vault.domain(&account).unwrap();
    let session = domain.begin(&account, &[], None).unwrap();
    let mut other = account.clone();
    other.id = AccountId::new([9; 16]);
    assert!(domain.begin(&other, &[], Some(session.id())).is_err());
    session.check_mine().unwrap();
    drop(world);
}

#[test]
fn stripes_add_to_a_session_and_it_publishes() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let (_, _, elsewhere) = world.reopen();
    let mut stripe = elsewhere.attach(&account, session.id()).unwrap();
    stripe.put(&tree.records[0]).unwrap();
    stripe.put(&tree.records[1]).unwrap();
    session.put(&tree.records[2]).unwrap();
    session.put(&tree.records[3]).unwrap();
    stripe.finish().unwrap();
    let (link, body) = world.version(&session, tree.root);
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 3);

    // One that dies leaves what it put.
    let late = super::tree(&account, 2);
    stripe.put(&late.records[0]).unwrap();
    stripe.finish().unwrap();
    drop((stripe, session));
    domain.begin(&account, &[SOURCE], None).unwrap().end().unwrap();
    assert!(!domain.lacking_chunks(&late.chunks).unwrap()[0]);
    assert!(matches!(domain.attach(&account, SessionId::new([4; 16])), Err(Error::NotFound { .. })));
}

#[test]
fn a_stripe_of_an_older_generation_gives_up() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let session = domain.begin(&account, &[SOURCE], None).unwrap();
    let mut stripe = domain.attach(&account, session.id()).unwrap();
    let new = domain.begin(&account, &[SOURCE], Some(session.id())).unwrap();
    assert!(matches!(stripe.put(&tree.records[0]), Err(Error::Busy { .. })));
    assert!(matches!(stripe.finish(), Err(Error::Busy { .. })));
    drop(new);
}

#[test]
fn what_a_dead_stripe_flushed_is_in_the_commit_and_what_a_live_one_did_not_finish_is_not() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let (_, _, elsewhere) = world.reopen();
    let (mut dead, mut live) =
        (elsewhere.attach(&account, session.id()).unwrap(), elsewhere.attach(&account, session.id()).unwrap());
    dead.put(&tree.records[0]).unwrap();
    dead.flush().unwrap();
    live.put(&tree.records[1]).unwrap();
    live.flush().unwrap();
    drop(dead);
    for record in &tree.records[2..] {
        session.put(record).unwrap();
    }
    let (link, body) = world.version(&session, tree.root);
    assert!(matches!(session.commit(&link, Some(&body)).unwrap(), Outcome::Lacking { .. }));
    assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [[false; 6], [true; 6]].concat());
    live.finish().unwrap();
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 3);
    drop(live);
    session.end().unwrap();
    assert_eq!(staging(&world, &account), [""; 0]);
}

#[test]
fn a_stripe_that_hangs_does_not_keep_what_the_dead_process_put() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let hanging = domain.attach(&account, session.id()).unwrap();
    session.put(&tree.records[0]).unwrap();
    session.flush().unwrap();
    let id = session.id();
    drop(session);
    let resumed = domain.begin(&account, &[SOURCE], Some(id)).unwrap();
    assert!(!domain.lacking_chunks(&tree.chunks).unwrap()[0]);
    drop((hanging, resumed));
    // Both are gone: whoever comes next clears the folder.
    domain.begin(&account, &[SOURCE], None).unwrap().end().unwrap();
    assert_eq!(staging(&world, &account), [""; 0]);
}
