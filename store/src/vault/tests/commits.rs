//! From put to reading back.

use super::*;
use crate::chain::ReceivedLink;
use crate::error::{Error, KeyError};

#[test]
fn what_was_committed_is_there_for_the_next_process() {
    let (world, _, account) = World::with_account();
    let tree = tree(&account, 1);
    assert_eq!(committed(&world.back_up_now(&tree)), 3);

    let (_, account, domain) = world.reopen();
    assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 3);
    let links = domain.links(&account, 1, 10).unwrap();
    assert_eq!(links.len(), 3);
    assert_eq!(domain.links(&account, 2, 1).unwrap(), [links[1].clone()]);
    let newest = ReceivedLink::decode(&links[2]).unwrap();
    assert_eq!(newest.vault(), world.open(Access::Read).unwrap().id());
    assert!(domain.body(&account, newest.link().body).unwrap().is_some());
    assert_eq!(domain.body(&account, BodyHash::new([3; 32])).unwrap(), None);

    let strange = chunk(77, 0);
    assert_eq!(domain.lacking_chunks(&[tree.chunks[0], strange, tree.chunks[11]]).unwrap(), [false, true, false]);
    assert_eq!(domain.lacking_nodes(&[tree.root, tree.leaves[0], node(77, 0)]).unwrap(), [false, false, true]);

    let boxes = domain.boxes_for(&[tree.chunks[7], strange, tree.chunks[0], tree.chunks[1]]).unwrap();
    assert_eq!(boxes.missing, [strange]);
    let read: Vec<Record> = boxes.places.iter().map(|place| domain.read(place).unwrap()).collect();
    assert_eq!(read, tree.records[..2]);
}

/// Whoever committed may have been told so while the catalog, on a full disk, could not be.
#[test]
fn a_link_that_the_catalog_does_not_know_of_is_the_head_to_those_who_have_it_open() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    world.back_up_now(&tree(&account, 1));
    assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 3);
    let forget = || {
        let write = domain.inner.catalog.write().unwrap();
        write.rows().remove_links(account.number).unwrap();
        write.commit().unwrap();
    };
    forget();
    assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 3);
    forget();
    assert_eq!(domain.links(&account, 1, 10).unwrap().len(), 3);
    // One that obeys no rule is none.
    let link = |number| domain.inner.paths.link(account.number, number);
    std::fs::copy(link(2), link(4)).unwrap();
    assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 3);
}

#[test]
fn groups_come_once_and_depth_first() {
    let (world, _, account) = World::with_account();
    let tree = tree(&account, 1);
    world.back_up_now(&tree);
    let (_, _, domain) = world.reopen();
    let under = |known: &dyn Fn(&NodeId) -> bool| {
        let mut out = Vec::new();
        domain
            .groups_under(tree.root, known, &mut |record| {
                out.push(record);
                Ok(())
            })
            .unwrap();
        out
    };
    assert_eq!(under(&|_| false), [tree.records[3].clone(), tree.records[2].clone()]);
    assert_eq!(under(&|id| tree.leaves.contains(id)), [tree.records[3].clone()]);
    assert_eq!(under(&|id| *id == tree.root), []);
    assert_eq!(under(&|id| tree.leaves[1..].contains(id)).len(), 2);
    let places = domain.groups_for(&[tree.leaves[3], tree.root, tree.leaves[0], node(77, 0)]).unwrap();
    let read: Vec<Record> = places.iter().map(|place| domain.read(place).unwrap()).collect();
    assert_eq!(read, tree.records[2..]);
}

#[test]
fn a_small_commit_is_one_pack_and_a_large_one_is_sorted() {
    let (world, _, account) = World::with_account();
    let folder = world.domain_folder(&account);
    world.back_up_now(&tree(&account, 1));
    assert_eq!(named(&folder, ".pack").len(), 1);

    let (_, account, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let large = |no| {
        let clear = chunk(5, no).bytes().to_vec();
        record_of(account.domain, account.id, RecordKind::Box, 1, clear, no, 700 << 10)
    };
    session.put(&large(0)).unwrap();
    session.put(&large(1)).unwrap();
    for record in &tree(&account, 2).records {
        session.put(record).unwrap();
    }
    assert!(session.staged_bytes() > 1_400 << 10);
    session.publish().unwrap();
    assert_eq!(session.staged_bytes(), 0);
    // Mixed, data, nodes.
    assert_eq!(named(&folder, ".pack").len(), 4);
    assert_eq!(domain.lacking_chunks(&[chunk(5, 0), chunk(5, 1), chunk(2, 3)]).unwrap(), [false; 3]);
    session.end().unwrap();
}

#[test]
fn a_full_pack_is_published_before_the_commit() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for no in 0..5 {
        let clear = chunk(5, no).bytes().to_vec();
        session.put(&record_of(account.domain, account.id, RecordKind::Box, 1, clear, no, 17 << 20)).unwrap();
    }
    assert_eq!(domain.lacking_chunks(&[chunk(5, 0), chunk(5, 3), chunk(5, 4)]).unwrap(), [false, false, true]);
}

#[test]
fn nodes_are_there_when_everything_below_them_is() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for no in [0, 2, 3] {
        session.put(&tree.records[no]).unwrap();
    }
    session.publish().unwrap();
    assert_eq!(domain.lacking_nodes(&[tree.leaves[0], tree.root]).unwrap(), [true, true]);

    let (link, body) = world.version(&session, tree.root);
    let Outcome::Lacking { mut chunks, nodes } = session.commit(&link, Some(&body)).unwrap() else { panic!() };
    let mut expected = tree.chunks[6..].to_vec();
    chunks.sort();
    expected.sort();
    assert_eq!((chunks, nodes), (expected, Vec::new()));
    assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 2);

    session.put(&tree.records[1]).unwrap();
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 3);
    assert_eq!(domain.lacking_nodes(&[tree.leaves[0], tree.root]).unwrap(), [false, false]);
}

#[test]
fn a_node_that_is_not_here_is_told() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&tree.records[3]).unwrap();
    let (link, body) = world.version(&session, tree.root);
    let Outcome::Lacking { chunks, mut nodes } = session.commit(&link, Some(&body)).unwrap() else { panic!() };
    let mut expected = tree.leaves;
    nodes.sort();
    expected.sort();
    assert_eq!((chunks, nodes), (Vec::new(), expected));
}

#[test]
fn the_second_of_two_sessions_signs_again() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let mut one = domain.begin(&account, &[SOURCE], None).unwrap();
    let mut two = domain.begin(&account, &[OTHER_SOURCE], None).unwrap();
    let (a, b) = (tree(&account, 1), tree(&account, 2));
    for record in &b.records {
        two.put(record).unwrap();
    }
    let (link, body) = world.version(&two, b.root);
    assert_eq!(committed(&world.back_up(&mut one, &a).unwrap()), 3);
    let Outcome::Conflict(Some(head)) = two.commit(&link, Some(&body)).unwrap() else { panic!() };
    assert_eq!(Some(head), domain.head(&account).unwrap());
    let (link, body) = world.version(&two, b.root);
    assert_eq!(committed(&two.commit(&link, Some(&body)).unwrap()), 4);
}

#[test]
fn the_same_again_gets_the_same_receipt() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for record in &tree.records {
        session.put(record).unwrap();
    }
    let (link, body) = world.version(&session, tree.root);
    let first = session.commit(&link, Some(&body)).unwrap();
    world.clock.advance(5_000);
    assert_eq!(session.commit(&link, Some(&body)).unwrap(), first);
    drop(session);
    world.back_up_now(&super::tree(&account, 2));
    let (_, account, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    assert_eq!(session.commit(&link, Some(&body)).unwrap(), first);
    assert_eq!(named(&world.domain_folder(&account), ".link").len(), 4);
}

#[test]
fn links_of_strangers_are_refused() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for record in &tree.records {
        session.put(record).unwrap();
    }
    let (link, body) = world.version(&session, tree.root);
    let stranger = DeviceKey::generate(&ConstantChance::new(99));
    let forged = link.link().sign(&stranger);
    assert!(matches!(session.commit(&forged, Some(&body)), Err(Error::Key(KeyError::Signature))));
    let mut other = body.clone();
    other.sealed[0] ^= 1;
    assert!(session.commit(&link, Some(&other)).unwrap_err().is_damage());
    let unknown = Link { kind: LinkKind::Unknown(200), ..link.link().clone() }.sign(&world.device);
    assert!(matches!(session.commit(&unknown, Some(&body)), Err(Error::Newer { found: 200, .. })));
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 3);
}

#[test]
fn records_of_others_are_not_put() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let good = &tree(&account, 1).records[0];
    let mut other = good.clone();
    other.header.account = AccountId::new([9; 16]);
    assert!(session.put(&other).is_err());
    other.header = Header { domain: DomainId::new([9; 16]), ..good.header };
    assert!(session.put(&other).is_err());
    let mut damaged = good.clone();
    damaged.clear[0] ^= 1;
    assert!(session.put(&damaged).unwrap_err().is_damage());
    assert!(session.put(&record(&account, RecordKind::VersionBody, 0, Vec::new(), 1)).is_err());
    session.put(good).unwrap();
}

#[test]
fn of_several_places_the_newest_session_is_in_force() {
    let (world, _, account) = World::with_account();
    let first = tree(&account, 1);
    world.back_up_now(&first);
    let (_, _, domain) = world.reopen();
    let before = domain.boxes_for(&first.chunks[..1]).unwrap().places[0];
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&first.records[0]).unwrap();
    session.put(&first.records[0]).unwrap();
    session.end().unwrap();
    let after = domain.boxes_for(&first.chunks[..1]).unwrap();
    assert_eq!(after.places.len(), 1);
    assert!(after.places[0].session > before.session);
    domain.read(&after.places[0]).unwrap();
}

#[test]
fn a_commit_takes_in_links_whose_rows_were_lost() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let tree = tree(&account, 1);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let first = world.back_up(&mut session, &tree).unwrap();
    let (second, body) = world.version(&session, tree.root);
    // As when the process that committed ended after the name and before the rows.
    let write = domain.inner.catalog.write().unwrap();
    write.rows().remove_links(account.number).unwrap();
    write.commit().unwrap();
    assert!(domain.inner.catalog.read(|rows| rows.newest_link(account.number)).unwrap().is_none());
    assert_eq!(committed(&session.commit(&second, Some(&body)).unwrap()), committed(&first) + 1);
    assert_eq!(domain.links(&account, 1, 10).unwrap().len(), 4);
}
