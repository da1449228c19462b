//! Numbers of places are of one catalog at one time: whoever asks twice may meet other ones.

use super::*;
use crate::catalog::NewPack;
use crate::id::PackId;
use crate::vault::closure::Walked;

/// Makes a pack of these records, published. Which one it is.
fn pack_of(domain: &Domain, session: &mut Session, records: &[Record]) -> PackId {
    let before = domain.on_disk().unwrap();
    records.iter().for_each(|record| session.put(record).unwrap());
    session.publish().unwrap();
    domain.on_disk().unwrap().packs.into_iter().map(|(id, _)| id).find(|id| !before.has(*id)).unwrap()
}

/// What another process does that makes the catalog anew, and meets the packs in this order.
fn renumber(domain: &Domain, packs: &[PackId]) {
    let write = domain.inner.catalog.write().unwrap();
    write.rows().clear().unwrap();
    for id in packs {
        let (reader, bytes) = domain.open_pack(*id).unwrap();
        let pack = NewPack { header: reader.header(), bytes, lines: reader.lines() };
        write.rows().insert_packs(&[pack]).unwrap();
    }
    write.commit().unwrap();
}

#[test]
fn a_catalog_made_anew_in_the_midst_keeps_no_group_from_coming() {
    let (world, _, _) = World::with_account();
    let (_, account, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let tree = tree(&account, 1);
    let whole = pack_of(&domain, &mut session, &tree.records);
    let one = pack_of(&domain, &mut session, &super::tree(&account, 2).records[..1]);
    let mut out = Vec::new();
    domain
        .groups_under(tree.root, &|_| false, &mut |record| {
            if out.is_empty() {
                // The group of the leaves gets the number that the root's had.
                renumber(&domain, &[one, whole]);
            }
            out.push(record);
            Ok(())
        })
        .unwrap();
    assert_eq!(out, [tree.records[3].clone(), tree.records[2].clone()]);
}

#[test]
fn a_catalog_made_anew_in_the_midst_makes_no_version_whole() {
    let (world, _, _) = World::with_account();
    let (_, account, domain) = world.reopen();
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let (good, bad) = (tree(&account, 1), tree(&account, 2));
    let first = pack_of(&domain, &mut session, &good.records);
    // A box of the other tree lacks.
    let second = pack_of(&domain, &mut session, &bad.records[1..]);
    let look = |root, before: &Walked| domain.inner.catalog.read(|rows| domain.closure_anew(rows, &[root], before));
    let whole = look(good.root, &Walked::new()).unwrap();
    assert!(whole.is_whole() && !look(bad.root, &whole.walked).unwrap().is_whole());
    // The number of the one root is now the other's.
    let box_of_another = pack_of(&domain, &mut session, &tree(&account, 3).records[..1]);
    renumber(&domain, &[box_of_another, second, first]);
    assert!(!look(bad.root, &whole.walked).unwrap().is_whole());
    // And what was seen once need not be looked at again.
    assert!(look(good.root, &whole.walked).unwrap().walked.is_empty());
}
