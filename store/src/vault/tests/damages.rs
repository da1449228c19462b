//! Catalogs that are lost or old, bytes that are altered, files that are gone.

use super::*;
use crate::chain::ReceivedLink;
use crate::door::Faulty;
use crate::error::Error;
use crate::vault::{About, CheckEvent, CheckWhat, Finding, Severity, Summary, Wanted};

fn check(domain: &Domain, read_data: bool) -> (Summary, Vec<Finding>) {
    let mut findings = Vec::new();
    let summary = domain
        .check(&CheckWhat { read_data }, &mut |event| {
            if let CheckEvent::Finding(finding) = event {
                findings.push(finding);
            }
            Ok(())
        })
        .unwrap();
    (summary, findings)
}

/// Three versions, one of them of things that were there before.
fn history() -> (World, AccountInfo, Vec<Tree>) {
    let (world, _, account) = World::with_account();
    let trees = vec![tree(&account, 1), tree(&account, 2)];
    for tree in [&trees[0], &trees[1], &trees[0]] {
        world.back_up_now(tree);
    }
    (world, account, trees)
}

fn remove_catalog(folder: &Path) {
    for end in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        std::fs::remove_file(folder.join(end)).ok();
    }
}

/// Alters one byte of the only box that holds this chunk.
fn alter(world: &World, account: &AccountInfo, domain: &Domain, tree: &Tree) {
    let place = domain.boxes_for(&tree.chunks[..1]).unwrap().places[0];
    let name = format!("{}.pack", place.pack.hex());
    let path = named(&world.domain_folder(account), &name).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(place.offset).unwrap() + 150] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// A disk that dies is not a vault that lost something: the one is told, and nothing is noted, removed or asked for again,
/// whichever sort of file it is. When it gives its bytes again, all is there.
#[test]
fn what_a_dying_disk_does_not_give_is_not_lost() {
    let (world, account, _) = history();
    let whole = check(&world.reopen().2, true);
    assert_eq!((whole.1, whole.0.damages), (Vec::new(), 0));
    let disk = Arc::new(Faulty::new(RealDisk, None));
    let newest = named(&world.domain_folder(&account), ".link").pop().unwrap();
    for part in [".pack", ".body", newest.file_name().unwrap().to_str().unwrap()] {
        let vault = world.open_on(disk.clone(), Access::Write).unwrap();
        let domain = vault.domain(&account).unwrap();
        let before = domain.dump().unwrap();
        disk.set_unreadable(Some(part));
        for read_data in [false, true] {
            let mut findings = Vec::new();
            let done = domain.check(&CheckWhat { read_data }, &mut |event| {
                if let CheckEvent::Finding(finding) = event {
                    findings.push(finding);
                }
                Ok(())
            });
            // It may not even come so far.
            assert!(matches!(done, Ok(_) | Err(Error::Disk { .. })), "{part}: {done:?}");
            assert!(done.is_err() || !findings.is_empty(), "{part}");
            let other = findings.iter().find(|found| found.about != About::Disk || found.severity != Severity::Damage);
            assert_eq!(other, None, "{part}");
            let path = findings.iter().find(|found| found.what.contains("vault/") || found.place.contains("vault/"));
            assert_eq!(path, None, "a client learns no paths");
        }
        disk.set_unreadable(None);
        assert_eq!(domain.dump().unwrap(), before, "{part}");
        assert_eq!(domain.wanted().unwrap(), Wanted::default(), "{part}");
        assert_eq!(check(&domain, true), (whole.0, Vec::new()), "{part}");
    }
}

/// Nobody had noticed it: what is not harmed comes, and it is noted.
#[test]
fn a_group_that_cannot_be_read_keeps_no_other_from_coming() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    let place = domain.groups_for(&trees[1].leaves).unwrap()[0];
    let path = named(&world.domain_folder(&account), &format!("{}.pack", place.pack.hex())).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(place.offset).unwrap() + 150] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let mut out = Vec::new();
    let mut visit = |record| {
        out.push(record);
        Ok(())
    };
    domain.groups_under(trees[1].root, &|_| false, &mut visit).unwrap();
    assert_eq!(out, [trees[1].records[3].clone()]);
    assert_eq!(domain.groups_for(&trees[1].leaves).unwrap(), []);
}

#[test]
fn a_catalog_is_made_again_as_it_was() {
    let (world, account, _) = history();
    let (_, _, domain) = world.reopen();
    let before = domain.dump().unwrap();
    assert!(before.len() > 50);
    assert!(before.iter().any(|row| row.starts_with("node") && row.ends_with(" 1")), "{before:#?}");
    domain.rebuild().unwrap();
    assert_eq!(domain.dump().unwrap(), before);
    drop(domain);

    let folder = world.domain_folder(&account);
    remove_catalog(&folder);
    assert_eq!(world.reopen().2.dump().unwrap(), before);

    std::fs::write(folder.join("catalog.db"), b"this is no database, and long enough to look at").unwrap();
    assert_eq!(world.reopen().2.dump().unwrap(), before);
    assert!(folder.join("catalog.db.damaged").exists());
}

#[test]
fn session_numbers_rise_in_a_catalog_that_was_made_again() {
    let (world, account, trees) = history();
    remove_catalog(&world.domain_folder(&account));
    let (_, _, domain) = world.reopen();
    let before = domain.boxes_for(&trees[1].chunks).unwrap().places[0];
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&trees[1].records[0]).unwrap();
    session.publish().unwrap();
    let after = domain.boxes_for(&trees[1].chunks[..1]).unwrap().places[0];
    assert!(after.session > before.session);
}

#[test]
fn an_old_copy_of_a_catalog_takes_in_what_it_lacks() {
    let (world, account, _) = history();
    let folder = world.domain_folder(&account);
    let old = std::fs::read(folder.join("catalog.db")).unwrap();
    world.back_up_now(&tree(&account, 3));
    let now = world.reopen().2.dump().unwrap();
    remove_catalog(&folder);
    std::fs::write(folder.join("catalog.db"), old).unwrap();
    assert_eq!(world.reopen().2.dump().unwrap(), now);
}

#[test]
fn a_catalog_that_knows_more_than_the_disk_is_made_again() {
    let (world, account, trees) = history();
    // As when an older copy of everything but the catalog was put back.
    let newest = named(&world.domain_folder(&account), "000000000005.link").remove(0);
    let body = ReceivedLink::decode(&std::fs::read(&newest).unwrap()).unwrap().link().body.hex();
    std::fs::remove_file(newest).unwrap();
    std::fs::remove_file(named(&world.domain_folder(&account), &format!("{body}.body")).remove(0)).unwrap();
    let (_, _, domain) = world.reopen();
    assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 4);
    drop(domain);
    assert_eq!(committed(&world.back_up_now(&trees[1])), 5);
}

#[test]
fn a_catalog_of_another_domain_is_put_aside() {
    let (world, account, _) = history();
    let before = world.reopen().2.dump().unwrap();
    let (other, _, others) = World::with_account();
    let (from, to) = (other.domain_folder(&others), world.domain_folder(&account));
    drop(other.reopen());
    remove_catalog(&to);
    std::fs::copy(from.join("catalog.db"), to.join("catalog.db")).unwrap();
    assert_eq!(world.reopen().2.dump().unwrap(), before);
}

#[test]
fn reading_works_without_a_catalog_and_makes_none() {
    let (world, account, trees) = history();
    let folder = world.domain_folder(&account);
    remove_catalog(&folder);
    let before = files(&world.path());
    let vault = world.open(Access::Read).unwrap();
    let domain = vault.domain(&account).unwrap();
    assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 5);
    assert_eq!(domain.boxes_for(&trees[0].chunks).unwrap().missing, []);
    assert_eq!(domain.lacking_nodes(&[trees[1].root]).unwrap(), [false]);
    assert_eq!(check(&domain, true).1, []);
    assert_eq!(files(&world.path()), before);
}

#[test]
fn a_check_of_a_good_vault_finds_nothing() {
    let (world, _, _) = history();
    let (_, _, domain) = world.reopen();
    let (summary, findings) = check(&domain, true);
    assert_eq!(findings, []);
    // Two packs of a tree each, and one of the same again.
    let of = (summary.packs, summary.records, summary.links, summary.bodies, summary.versions);
    assert_eq!(of, (3, 12, 5, 5, 3));
    assert_eq!((summary.chunks, summary.nodes), (24, 10));
    assert!(summary.bytes_read > 3_000);
    assert_eq!(check(&domain, false).0.bytes_read, 0);
}

#[test]
fn an_altered_box_is_found_noted_and_sent_again() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    let generation = domain.generation().unwrap();
    alter(&world, &account, &domain, &trees[1]);
    assert_eq!(check(&domain, false).1, []);
    let (summary, findings) = check(&domain, true);
    assert_eq!(summary.damages, 2, "{findings:?}");
    assert_eq!(findings[0].severity, Severity::Damage);
    assert_eq!((findings[1].severity, &findings[1].versions[..]), (Severity::Loss, &[(1, 4)][..]));
    assert!(domain.generation().unwrap() > generation);
    assert_eq!(domain.lacking_chunks(&trees[1].chunks).unwrap(), [[true; 6], [false; 6]].concat());
    assert_eq!(domain.boxes_for(&trees[1].chunks).unwrap().missing, trees[1].chunks[..6]);

    // It is known to others, and when the catalog is made again.
    drop(domain);
    remove_catalog(&world.domain_folder(&account));
    let (_, _, domain) = world.reopen();
    assert_eq!(domain.lacking_chunks(&trees[1].chunks).unwrap(), [[true; 6], [false; 6]].concat());
    drop(domain);

    world.back_up_now(&trees[1]);
    let (_, _, domain) = world.reopen();
    assert_eq!(domain.boxes_for(&trees[1].chunks).unwrap().missing, []);
    let (summary, findings) = check(&domain, true);
    assert_eq!((summary.damages, summary.notes), (0, 1), "{findings:?}");
}

#[test]
fn reading_finds_damage_too() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    alter(&world, &account, &domain, &trees[0]);
    let place = domain.boxes_for(&trees[0].chunks[..1]).unwrap().places[0];
    assert!(domain.read(&place).unwrap_err().is_damage());
    // The first backup of this tree is another place of the same chunks.
    let other = domain.boxes_for(&trees[0].chunks[..1]).unwrap().places[0];
    assert_ne!(place, other);
    domain.read(&other).unwrap();
    assert_eq!(named(&world.domain_folder(&account).join("damaged"), ".note").len(), 1);
}

#[test]
fn a_damaged_chunk_is_lacking_unless_holes_are_allowed() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    alter(&world, &account, &domain, &trees[1]);
    check(&domain, true);

    // A new root over old leaves, which are complete, and a new leaf that needs what is damaged.
    let mut clear = Vec::new();
    let leaf = node(50, 0);
    Record::put_node(
        &mut clear,
        leaf,
        &Refs { chunks: vec![trees[1].chunks[0], trees[1].chunks[11]], nodes: Vec::new() },
    );
    let root = node(50, 1);
    Record::put_node(&mut clear, root, &Refs { chunks: Vec::new(), nodes: vec![leaf, trees[1].leaves[0]] });
    let group = record(&account, RecordKind::Group, 2, clear, 50);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&group).unwrap();
    let (link, body) = world.version(&session, root);
    let lacking = session.commit(&link, Some(&body)).unwrap();
    assert_eq!(lacking, Outcome::Lacking { chunks: vec![trees[1].chunks[0]], nodes: Vec::new() });
    session.allow_holes(true);
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 6);
}

#[test]
fn a_lost_pack_is_told_and_may_come_back() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    let before = domain.dump().unwrap();
    let place = domain.boxes_for(&trees[1].chunks).unwrap().places[0];
    let path = named(&world.domain_folder(&account), &format!("{}.pack", place.pack.hex())).remove(0);
    let aside = world.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();

    let (summary, findings) = check(&domain, false);
    assert_eq!(summary.damages, 2, "{findings:?}");
    assert_eq!(domain.lacking_chunks(&trees[1].chunks).unwrap(), [true; 12]);
    assert_eq!(domain.lacking_nodes(&[trees[1].root, trees[0].root]).unwrap(), [true, false]);
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(check(&domain, true).0.damages, 0);
    assert_eq!(domain.dump().unwrap(), before);
}

#[test]
fn every_altered_byte_of_a_pack_is_found() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    let place = domain.boxes_for(&trees[1].chunks).unwrap().places[0];
    drop(domain);
    let path = named(&world.domain_folder(&account), &format!("{}.pack", place.pack.hex())).remove(0);
    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(23) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        // A reader keeps to itself what it finds.
        let vault = world.open(Access::Read).unwrap();
        remove_catalog(&world.domain_folder(&account));
        let domain = vault.domain(&account).unwrap();
        assert!(check(&domain, true).0.damages > 0, "byte {at}");
    }
    std::fs::write(&path, &good).unwrap();
    let (_, _, domain) = world.reopen();
    assert_eq!(check(&domain, true).1, []);
}

#[test]
fn damage_of_a_chain_is_told() {
    let (world, account, _) = history();
    let (_, _, domain) = world.reopen();
    let folder = world.domain_folder(&account);
    let link = named(&folder, "000000000004.link").remove(0);
    let mut bytes = std::fs::read(&link).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&link, bytes).unwrap();
    let newest = domain.links(&account, 5, 1).unwrap().remove(0);
    let hash = crate::chain::ReceivedLink::decode(&newest).unwrap().link().body;
    let body = named(&folder, &format!("{}.body", hash.hex())).remove(0);
    let mut bytes = std::fs::read(&body).unwrap();
    bytes[130] ^= 1;
    std::fs::write(&body, bytes).unwrap();
    let (_, findings) = check(&domain, false);
    let lost: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Loss).map(|f| &f.versions[..]).collect();
    assert!(lost.contains(&&[(1, 4)][..]) && lost.contains(&&[(1, 5)][..]), "{findings:?}");
}

#[test]
fn a_catalog_that_was_altered_anywhere_is_made_again_as_it_was() {
    let (world, account, _) = history();
    let before = world.reopen().2.dump().unwrap();
    let path = world.domain_folder(&account).join("catalog.db");
    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 60) {
        remove_catalog(&world.domain_folder(&account));
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, bytes).unwrap();
        let (_, _, domain) = world.reopen();
        let (summary, findings) = check(&domain, true);
        assert_eq!(summary.damages, 0, "byte {at}: {findings:?}");
        assert_eq!(domain.dump().unwrap(), before, "byte {at}: {findings:?}");
    }
}

#[test]
fn a_catalog_that_names_a_pack_that_is_gone_is_made_again() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    let place = domain.boxes_for(&trees[1].chunks).unwrap().places[0];
    drop(domain);
    std::fs::remove_file(named(&world.domain_folder(&account), &format!("{}.pack", place.pack.hex())).remove(0))
        .unwrap();
    let (_, _, domain) = world.reopen();
    let now = domain.dump().unwrap();
    domain.rebuild().unwrap();
    assert_eq!(domain.dump().unwrap(), now);
    // The root is wanted; what is below it, nobody can see.
    let wanted = domain.wanted().unwrap();
    assert_eq!((&wanted.nodes[..], wanted.chunks.len()), (&[trees[1].root][..], 0));
    assert_eq!(domain.with_holes(&account).unwrap(), [4]);
    assert_eq!(domain.wanted_mark().unwrap(), Some(wanted.mark));
    drop(domain);
    world.back_up_now(&trees[1]);
    let (_, _, domain) = world.reopen();
    assert!(domain.wanted().unwrap().is_empty());
    assert_eq!(domain.with_holes(&account).unwrap(), [0; 0]);
    assert_eq!(domain.wanted_mark().unwrap(), None);
}

#[test]
fn boxes_that_are_gone_with_their_rows_are_wanted_and_who_leads_there_is_known() {
    let (world, account, trees) = history();
    let (_, _, domain) = world.reopen();
    let place = domain.boxes_for(&trees[1].chunks[..1]).unwrap().places[0];
    alter(&world, &account, &domain, &trees[1]);
    assert!(domain.read(&place).unwrap_err().is_damage());
    let wanted = domain.wanted().unwrap();
    let mut lost = trees[1].chunks[..6].to_vec();
    lost.sort_unstable();
    assert_eq!((&wanted.chunks, wanted.nodes.len()), (&lost, 0));
    // The two leaves that cite them, and the root.
    let mut leads = vec![trees[1].leaves[0], trees[1].leaves[1], trees[1].root];
    leads.sort_unstable();
    assert_eq!(wanted.leads, leads);
    assert_eq!(domain.with_holes(&account).unwrap(), [4]);
    domain.rebuild().unwrap();
    assert_eq!(domain.wanted().unwrap(), wanted);
}

#[test]
fn a_link_that_is_altered_is_put_back_and_the_bad_one_kept() {
    let (world, account, _) = history();
    drop(world.reopen());
    for number in [3, 5] {
        let path = named(&world.domain_folder(&account), &format!("{number:012}.link")).remove(0);
        let good = std::fs::read(&path).unwrap();
        let mut bytes = good.clone();
        bytes[60] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (_, _, domain) = world.reopen();
        assert!(check(&domain, false).0.damages > 0);
        domain.begin(&account, &[SOURCE], None).unwrap().end().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), good);
        let aside = named(&world.path().join("aside"), &format!("{number:012}.link")).remove(0);
        assert_eq!(std::fs::read(aside).unwrap(), bytes);
        assert_eq!(check(&domain, false).1, []);
    }
}

/// A bad disk takes more than one thing: what is left of a history in the catalog is not thrown away with the rest of it.
#[test]
fn a_lost_pack_takes_no_link_with_it() {
    let (world, account, _) = history();
    let folder = world.domain_folder(&account);
    let links = world.reopen().2.links(&account, 1, 99).unwrap();
    let bad = named(&folder, ".link").remove(1);
    std::fs::write(&bad, b"rubbish").unwrap();
    std::fs::remove_file(named(&folder, ".pack").remove(0)).unwrap();
    let (_, _, domain) = world.reopen();
    assert_eq!(domain.links(&account, 1, 99).unwrap(), links);
    domain.begin(&account, &[SOURCE], None).unwrap().end().unwrap();
    assert_eq!(std::fs::read(&bad).unwrap(), links[1], "it was not put back");
}

/// The same when the body is gone that vouches for all that follows; and until it is given back, that is what is said.
#[test]
fn a_lost_pack_and_the_body_of_a_device() {
    let (world, account, trees) = history();
    let folder = world.domain_folder(&account);
    let (_, _, domain) = world.reopen();
    let links = domain.links(&account, 1, 99).unwrap();
    let device = ReceivedLink::decode(&links[0]).unwrap();
    let body = Record::decode(&domain.body(&account, device.link().body).unwrap().unwrap()).unwrap();
    drop(domain);
    std::fs::remove_file(folder.join(format!("accounts/00000001/bodies/{}.body", device.link().body.hex()))).unwrap();
    std::fs::remove_file(named(&folder, ".pack").remove(0)).unwrap();
    let (_, _, domain) = world.reopen();
    assert_eq!(domain.links(&account, 1, 99).unwrap(), links);
    let mut session = domain.begin(&account, &[], None).unwrap();
    session.allow_holes(true);
    let next = world.version(&session, trees[1].root);
    let refused = session.commit(&next.0, Some(&next.1)).unwrap_err();
    assert!(refused.is_damage(), "{refused}");
    assert_eq!(domain.wanted().unwrap().bodies, [device.link().body]);
    session.commit(device.signed(), Some(&body)).unwrap();
    assert!(matches!(session.commit(&next.0, Some(&next.1)).unwrap(), Outcome::Committed(_)));
}

/// Every link that is missing is named, and not only the one after it.
#[test]
fn missing_links_are_named() {
    let (world, account, _) = history();
    let (_, _, domain) = world.reopen();
    for path in &named(&world.domain_folder(&account), ".link")[1..3] {
        std::fs::remove_file(path).unwrap();
    }
    let (_, findings) = check(&domain, false);
    let of =
        |n: u64| findings.iter().any(|f| f.severity == Severity::Loss && f.versions.contains(&(account.number, n)));
    assert!(of(2) && of(3), "{findings:#?}");
}

/// A repair of a pack that has lost its index, with a changing call that fails. Nothing comes of one that is not there.
fn repair_failing_at(at: usize) -> Option<Result<u64>> {
    let (world, account, _) = history();
    let pack = named(&world.domain_folder(&account), ".pack").remove(0);
    let mut bytes = std::fs::read(&pack).unwrap();
    let trailer = bytes.len() - 10;
    bytes[trailer] ^= 1;
    std::fs::write(pack, bytes).unwrap();
    let disk = Arc::new(Faulty::new(RealDisk, Some(at)));
    let vault = world.open_on(disk.clone(), Access::Write);
    let done = vault.and_then(|vault| vault.domain(&account)?.repair(true, &mut |_| Ok(())));
    disk.has_failed().then_some(done)
}

#[test]
fn a_repair_that_fails_names_what_failed_and_not_what_followed_from_it() {
    let outcomes: Vec<_> = (0..1_000).map_while(repair_failing_at).collect();
    assert!(outcomes.iter().any(Result::is_ok) && outcomes.iter().any(Result::is_err));
    for (at, outcome) in outcomes.iter().enumerate() {
        assert!(outcome.as_ref().err().is_none_or(Error::is_full), "at {at}: {outcome:?}");
    }
}
