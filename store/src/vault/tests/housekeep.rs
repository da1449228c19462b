//! What nothing needs goes, what a version needs stays, whatever happens in between.

use super::*;
use crate::error::Error;
use crate::vault::{CheckEvent, CheckWhat, Finding, Housekeep, HousekeepEvent, Housekept};

pub(super) const DAY: i64 = 24 * 3_600 * 1_000;

pub(super) fn pass(domain: &Domain) -> Housekept {
    domain.housekeep(&Housekeep::default(), &mut |_| Ok(())).unwrap()
}

/// Passes, a day apart, until there is nothing more to be done.
pub(super) fn keep_house(world: &World, domain: &Domain) -> Housekept {
    let mut sum = Housekept::default();
    let mut rested = 0;
    for _ in 0..20 {
        let done = pass(domain);
        sum.condemned += done.condemned;
        sum.freed += done.freed;
        sum.unlinked += done.unlinked;
        sum.rewritten += done.rewritten;
        rested += u32::from(done.unchanged);
        if rested == 2 {
            return sum;
        }
        world.clock.advance(DAY);
    }
    panic!("it never comes to rest: {sum:?}");
}

/// Records in the vault that no version cites.
pub(super) fn leave(domain: &Domain, account: &AccountInfo, tree: &Tree) {
    let mut session = domain.begin(account, &[OTHER_SOURCE], None).unwrap();
    for record in &tree.records {
        session.put(record).unwrap();
    }
    session.end().unwrap();
}

pub(super) fn assert_readable(domain: &Domain, tree: &Tree) {
    let boxes = domain.boxes_for(&tree.chunks).unwrap();
    assert_eq!(boxes.missing, []);
    for place in &boxes.places {
        domain.read(place).unwrap();
    }
    let mut found = 0;
    let mut visit = |record: Record| {
        found += record.nodes()?.len();
        Ok(())
    };
    domain.groups_under(tree.root, &|_| false, &mut visit).unwrap();
    assert!(found >= 5, "{found} nodes");
}

pub(super) fn findings(domain: &Domain) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut tell = |event| {
        if let CheckEvent::Finding(finding) = event {
            out.push(finding);
        }
        Ok(())
    };
    domain.check(&CheckWhat { read_data: true }, &mut tell).unwrap();
    out
}

pub(super) fn packs(world: &World, account: &AccountInfo) -> usize {
    named(&world.domain_folder(account), ".pack").len()
}

/// The catalog says what a new one would say.
pub(super) fn assert_rebuilds(domain: &Domain) {
    let before = domain.dump().unwrap();
    domain.rebuild().unwrap();
    assert_eq!(domain.dump().unwrap(), before);
}

#[test]
fn what_would_be_free_without_a_version_is_what_it_alone_needs() {
    let (world, _, account) = World::with_account();
    for seed in 1..=3 {
        world.back_up_now(&tree(&account, seed));
    }
    let (_, _, domain) = world.reopen();
    let would = |versions: &[u64]| domain.would_free(account.number, versions, None).unwrap().unwrap();
    assert_eq!(would(&[]), 0);
    // The first two links are no versions.
    let (one, two, both) = (would(&[3]), would(&[4]), would(&[3, 4]));
    assert!(one > 0 && two > 0 && both >= one + two, "{one} {two} {both}");
    // Nothing was changed by asking, and there is no such version.
    assert_eq!((would(&[77]), would(&[1]), would(&[3])), (0, 0, one));
    assert_eq!(domain.would_free(account.number, &[3], Some(0)).unwrap(), None);
}

#[test]
fn what_no_version_needs_is_condemned_then_freed_then_gone() {
    let (world, _, account) = World::with_account();
    let (kept, rubbish) = (tree(&account, 1), tree(&account, 2));
    world.back_up_now(&kept);
    let (_, _, domain) = world.reopen();
    leave(&domain, &account, &rubbish);
    assert_eq!(packs(&world, &account), 2);

    let dry = domain.housekeep(&Housekeep { dry_run: true, ..Housekeep::default() }, &mut |_| Ok(())).unwrap();
    assert_eq!((dry.condemned, dry.versions, dry.nodes), (4, 1, 5));
    let generation = domain.generation().unwrap();
    let done = pass(&domain);
    assert_eq!((done.condemned, done.freed, done.unlinked), (4, 0, 0));
    assert_eq!(done.condemned_bytes, dry.condemned_bytes);
    assert!(domain.generation().unwrap() > generation);
    assert_eq!(domain.lacking_chunks(&[rubbish.chunks[0], kept.chunks[0]]).unwrap(), [true, false]);

    // Not before its time, and not without a look at what has come.
    world.clock.advance(DAY - 1);
    assert!(pass(&domain).unchanged);
    world.clock.advance(1);
    let done = pass(&domain);
    assert_eq!((done.condemned, done.freed, done.unlinked), (0, 4, 0));
    assert_eq!(packs(&world, &account), 2);
    let done = pass(&domain);
    assert_eq!((done.freed, done.unlinked), (0, 1));
    assert_eq!(packs(&world, &account), 1);
    assert!(pass(&domain).unchanged);
    assert_readable(&domain, &kept);
    assert_eq!(findings(&domain), []);
    assert_rebuilds(&domain);
}

/// Of a pack in which a newer program has put something nobody here knows what hangs on what.
#[test]
fn nothing_of_a_pack_with_an_unknown_record_is_condemned() {
    let (world, _, account) = World::with_account();
    world.back_up_now(&tree(&account, 1));
    let (_, _, domain) = world.reopen();
    leave(&domain, &account, &tree(&account, 2));
    let pack = domain.boxes_for(&tree(&account, 2).chunks).unwrap().places[0].pack_no;
    let conn = rusqlite::Connection::open(world.domain_folder(&account).join("catalog.db")).unwrap();
    let changed =
        conn.execute("UPDATE place SET kind = 77 WHERE no = (SELECT max(no) FROM place WHERE pack = ?1)", [pack]);
    assert_eq!(changed.unwrap(), 1);
    assert_eq!(pass(&domain).condemned, 0);
}

#[test]
fn a_check_beside_which_packs_go_tells_of_no_loss() {
    let (world, _, account) = World::with_account();
    world.back_up_now(&tree(&account, 1));
    let (_, _, domain) = world.reopen();
    (2..6).for_each(|seed| leave(&domain, &account, &tree(&account, seed)));
    pass(&domain);
    world.clock.advance(DAY);
    assert_eq!(pass(&domain).freed, 16);
    let (mut findings, mut unlinked) = (Vec::new(), 0);
    let mut tell = |event| {
        match event {
            CheckEvent::Finding(finding) => findings.push(finding),
            // After the first pack all that were seen to be there and are empty go.
            CheckEvent::Progress(_) => unlinked += pass(&domain).unlinked,
        }
        Ok(())
    };
    domain.check(&CheckWhat { read_data: true }, &mut tell).unwrap();
    assert_eq!((findings, unlinked), (Vec::new(), 4));
    assert_eq!(domain.lost_packs_noted().unwrap(), []);
}

#[test]
fn what_is_needed_again_in_time_is_revived_and_later_lacks() {
    for wait in [0, DAY] {
        let (world, _, account) = World::with_account();
        let tree = tree(&account, 1);
        let (_, _, domain) = world.reopen();
        leave(&domain, &account, &tree);
        // A client asks, is told that all is here, and goes on without ever beginning a session.
        assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [false; 12]);
        pass(&domain);
        world.clock.advance(wait);
        pass(&domain);
        let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
        let (link, body) = world.version(&session, tree.root);
        match session.commit(&link, Some(&body)).unwrap() {
            Outcome::Committed(_) => {
                assert_eq!(wait, 0);
                assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [false; 12]);
                session.end().unwrap();
                assert_eq!(keep_house(&world, &domain).freed, 0);
                assert_readable(&domain, &tree);
            }
            Outcome::Lacking { nodes, .. } => {
                assert_eq!((wait, nodes), (DAY, vec![tree.root]));
                assert_eq!(committed(&world.back_up(&mut session, &tree).unwrap()), 3);
                session.end().unwrap();
                keep_house(&world, &domain);
                assert_readable(&domain, &tree);
            }
            Outcome::Conflict(head) => panic!("{head:?}"),
        }
        assert_eq!(findings(&domain), []);
    }
}

#[test]
fn a_session_that_lives_keeps_what_it_was_told_and_what_it_published() {
    let (world, _, account) = World::with_account();
    let (told, own) = (tree(&account, 1), tree(&account, 2));
    let (_, _, domain) = world.reopen();
    leave(&domain, &account, &told);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for record in &own.records {
        session.put(record).unwrap();
    }
    session.publish().unwrap();
    for _ in 0..5 {
        pass(&domain);
        world.clock.advance(DAY);
    }
    assert_eq!(domain.lacking_chunks(&own.chunks).unwrap(), [false; 12]);
    let (link, body) = world.version(&session, told.root);
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 3);
    let (link, body) = world.version(&session, own.root);
    assert_eq!(committed(&session.commit(&link, Some(&body)).unwrap()), 4);
    session.end().unwrap();
    keep_house(&world, &domain);
    assert_readable(&domain, &told);
    assert_readable(&domain, &own);

    // One that began after the condemning was told nothing of it.
    let rubbish = tree(&account, 3);
    leave(&domain, &account, &rubbish);
    pass(&domain);
    let session = domain.begin(&account, &[SOURCE], None).unwrap();
    world.clock.advance(DAY);
    assert_eq!(pass(&domain).freed, 4);
    session.end().unwrap();
}

#[test]
fn what_was_complete_is_so_no_more_when_something_below_it_goes() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let first = tree(&account, 1);
    // A root that nothing needs, in one group with a leaf that something needs.
    let mut clear = Vec::new();
    let (above, below) = (node(7, 0), node(7, 1));
    Record::put_node(&mut clear, above, &Refs { chunks: Vec::new(), nodes: vec![first.leaves[0]] });
    Record::put_node(&mut clear, below, &Refs { chunks: Vec::new(), nodes: Vec::new() });
    leave(&domain, &account, &first);
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&record(&account, RecordKind::Group, 2, clear, 7)).unwrap();
    let (link, body) = world.version(&session, below);
    session.commit(&link, Some(&body)).unwrap();
    let write = domain.inner.catalog.write().unwrap();
    let mut all = first.leaves.clone();
    all.extend([above, first.root]);
    write.rows().set_complete(&all).unwrap();
    write.commit().unwrap();
    session.end().unwrap();
    assert_eq!(domain.lacking_nodes(&[above, below]).unwrap(), [false, false]);
    pass(&domain);
    assert_eq!(domain.lacking_nodes(&[above, below]).unwrap(), [true, false]);
    // Its commit looks below it, and finds again what lies there.
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    let (link, body) = world.version(&session, above);
    committed(&session.commit(&link, Some(&body)).unwrap());
    assert_eq!(domain.lacking_nodes(&[above, first.leaves[0], first.leaves[1]]).unwrap(), [false, false, true]);
    assert_eq!(domain.lacking_chunks(&first.chunks[..3]).unwrap(), [false; 3]);
}

#[test]
fn small_packs_become_one_and_nothing_else_changes() {
    let (world, _, account) = World::with_account();
    let trees: Vec<Tree> = (0..8).map(|seed| tree(&account, seed)).collect();
    for tree in &trees {
        world.back_up_now(tree);
    }
    let (_, _, domain) = world.reopen();
    assert_eq!(packs(&world, &account), 8);
    let done = pass(&domain);
    assert_eq!((done.condemned, done.rewritten, done.rewritten_into), (0, 8, 2));
    assert_eq!(packs(&world, &account), 10);
    let done = pass(&domain);
    assert_eq!((done.unlinked, done.rewritten, done.freed), (8, 0, 0));
    assert_eq!(packs(&world, &account), 2);
    assert!(pass(&domain).unchanged);
    trees.iter().for_each(|tree| assert_readable(&domain, tree));
    assert_eq!(findings(&domain), []);
    let complete: Vec<NodeId> = trees.iter().map(|tree| tree.root).collect();
    assert_eq!(domain.lacking_nodes(&complete).unwrap(), [false; 8]);
    assert_rebuilds(&domain);
}

#[test]
fn a_thin_pack_is_compacted() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    let (kept, rubbish) = (tree(&account, 1), tree(&account, 2));
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    for record in &rubbish.records {
        session.put(record).unwrap();
    }
    committed(&world.back_up(&mut session, &kept).unwrap());
    session.end().unwrap();
    let before = files(&world.domain_folder(&account).join("packs"));
    let sum = keep_house(&world, &domain);
    assert_eq!((sum.condemned, sum.freed, sum.rewritten, sum.unlinked), (4, 4, 1, 1));
    let after = files(&world.domain_folder(&account).join("packs"));
    let bytes = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(bytes(&after) * 10 < bytes(&before) * 7, "{} of {}", bytes(&after), bytes(&before));
    assert_readable(&domain, &kept);
    assert_eq!(findings(&domain), []);
    assert_rebuilds(&domain);
}

#[test]
fn of_two_places_one_goes() {
    let (world, _, account) = World::with_account();
    let tree = tree(&account, 1);
    world.back_up_now(&tree);
    let (_, _, domain) = world.reopen();
    leave(&domain, &account, &tree);
    assert_eq!(pass(&domain).condemned, 4);
    assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [false; 12]);
    assert_eq!(domain.lacking_nodes(&[tree.root]).unwrap(), [false]);
    keep_house(&world, &domain);
    assert_eq!(packs(&world, &account), 1);
    assert_readable(&domain, &tree);
    assert_eq!(findings(&domain), []);
}

#[test]
fn with_a_hole_nothing_is_condemned() {
    let (world, _, account) = World::with_account();
    let (kept, rubbish) = (tree(&account, 1), tree(&account, 2));
    world.back_up_now(&kept);
    let (_, _, domain) = world.reopen();
    leave(&domain, &account, &rubbish);
    let place = domain.groups_for(&[kept.root]).unwrap()[0];
    domain.note_damage(&place).unwrap();
    let mut events = Vec::new();
    let mut tell = |event| {
        events.push(event);
        Ok(())
    };
    let done = domain.housekeep(&Housekeep::default(), &mut tell).unwrap();
    assert_eq!((done.holes, done.condemned), (1, 0));
    assert!(format!("{events:?}").contains("Blocked { holes: 1 }"), "{events:?}");
    // Healed, and then it goes on: the damaged place goes too.
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&kept.records[3]).unwrap();
    session.end().unwrap();
    let sum = keep_house(&world, &domain);
    assert_eq!((sum.condemned, sum.freed), (4, 5));
    assert_readable(&domain, &kept);

    // A body that is not there hides what its version needs.
    let bodies = named(&world.domain_folder(&account), ".body");
    let link = domain.links(&account, 3, 1).unwrap();
    let link = crate::chain::ReceivedLink::decode(&link[0]).unwrap();
    let body = bodies.iter().find(|path| path.to_string_lossy().contains(&link.link().body.hex())).unwrap();
    std::fs::remove_file(body).unwrap();
    leave(&domain, &account, &rubbish);
    assert_eq!(pass(&domain).holes, 1);
    assert_eq!(domain.lacking_chunks(&rubbish.chunks).unwrap(), [false; 12]);
}

#[test]
fn a_second_housekeeper_is_told_so_and_time_that_jumps_frees_nothing() {
    let (world, _, account) = World::with_account();
    let (_, _, domain) = world.reopen();
    leave(&domain, &account, &tree(&account, 1));
    let lock = RealDisk.lock(&world.domain_folder(&account).join("staging/housekeeping/lock"));
    assert!(lock.is_err(), "the folder is made by the first pass");
    // Condemned by a clock that is a year ahead: counted from when it is right again.
    world.clock.advance(365 * DAY);
    pass(&domain);
    world.clock.advance(-365 * DAY);
    let lock = RealDisk.lock(&world.domain_folder(&account).join("staging/housekeeping/lock")).unwrap().unwrap();
    let confirmed = Housekeep { confirmed: true, ..Housekeep::default() };
    assert!(matches!(domain.housekeep(&confirmed, &mut |_| Ok(())), Err(Error::Busy { .. })));
    drop(lock);
    assert_eq!(domain.housekeep(&confirmed, &mut |_| Ok(())).unwrap().freed, 0);
    world.clock.advance(DAY - 1);
    assert_eq!(domain.housekeep(&confirmed, &mut |_| Ok(())).unwrap().freed, 0);
    world.clock.advance(1);
    assert_eq!(domain.housekeep(&confirmed, &mut |_| Ok(())).unwrap().freed, 4);
}

#[test]
fn orphaned_bodies_go_after_a_day() {
    let (world, _, account) = World::with_account();
    world.back_up_now(&tree(&account, 1));
    let (_, _, domain) = world.reopen();
    let body = record(&account, RecordKind::VersionBody, 0, vec![0; 8], 1);
    let mut bytes = Vec::new();
    body.encode(&mut bytes);
    let path = domain.inner.paths.body(account.number, body_hash(&body));
    std::fs::write(&path, bytes).unwrap();
    let before = named(&world.domain_folder(&account), ".body").len();
    pass(&domain);
    world.clock.advance(DAY - 1);
    pass(&domain);
    assert!(path.exists());
    world.clock.advance(1);
    assert_eq!(pass(&domain).orphans, 1);
    assert_eq!(named(&world.domain_folder(&account), ".body").len(), before - 1);
    assert_eq!(findings(&domain), []);
}

#[test]
fn a_pass_that_does_nothing_changes_no_file() {
    let (world, _, account) = World::with_account();
    for seed in 0..9 {
        world.back_up_now(&tree(&account, seed));
    }
    let (_, _, domain) = world.reopen();
    keep_house(&world, &domain);
    let times = || {
        let of = |path: PathBuf| (path.clone(), std::fs::metadata(path).unwrap().modified().unwrap());
        files(&world.path()).into_iter().map(|(path, _)| of(path)).collect::<Vec<_>>()
    };
    let before = times();
    assert!(pass(&domain).unchanged);
    assert!(!domain.housekeeping_due().unwrap());
    assert_eq!(times(), before);
    world.back_up_now(&tree(&account, 10));
    assert!(!pass(&domain).unchanged);
}

#[test]
fn a_budget_ends_a_pass_and_the_next_goes_on() {
    let (world, _, account) = World::with_account();
    for seed in 0..8 {
        world.back_up_now(&tree(&account, seed));
    }
    let (_, _, domain) = world.reopen();
    let little = Housekeep { most_bytes: Some(1), ..Housekeep::default() };
    let done = domain.housekeep(&little, &mut |_| Ok(())).unwrap();
    assert!(done.unfinished && done.rewritten == 1, "{done:?}");
    let none = Housekeep { most_ms: Some(0), ..Housekeep::default() };
    let done = domain.housekeep(&none, &mut |_| Ok(())).unwrap();
    assert!(done.unfinished && done.versions == 0, "{done:?}");
    keep_house(&world, &domain);
    assert_eq!(findings(&domain), []);
    (0..8).for_each(|seed| assert_readable(&domain, &tree(&account, seed)));
}

#[test]
fn what_is_committed_while_a_pass_is_under_way_counts() {
    let (world, _, account) = World::with_account();
    world.back_up_now(&tree(&account, 1));
    let (_, _, domain) = world.reopen();
    let (first, second) = (tree(&account, 2), tree(&account, 3));
    leave(&domain, &account, &first);
    leave(&domain, &account, &second);
    let commit = |tree: &Tree| {
        let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
        let (link, body) = world.version(&session, tree.root);
        committed(&session.commit(&link, Some(&body)).unwrap());
        session.end().unwrap();
    };
    let mut seen = 0;
    let mut tell = |event| {
        // After everything was marked, and once more when it has been marked again.
        if matches!(event, HousekeepEvent::Marked { .. }) {
            seen += 1;
            match seen {
                // Somebody reads something that is damaged: the marks do not hold any more.
                1 => {
                    commit(&first);
                    let place = domain.boxes_for(&second.chunks[..1]).unwrap().places[0];
                    domain.note_damage(&place).unwrap();
                }
                2 => {
                    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
                    committed(&world.back_up(&mut session, &second).unwrap());
                    session.end().unwrap();
                }
                more => panic!("{more}"),
            }
        }
        Ok(())
    };
    let done = domain.housekeep(&Housekeep::default(), &mut tell).unwrap();
    assert_eq!(seen, 2);
    // Of the second tree the newer places are in force, the older ones are of no use.
    assert_eq!((done.revived, done.unfinished), (0, false));
    for tree in [&first, &second] {
        assert_eq!(domain.lacking_chunks(&tree.chunks).unwrap(), [false; 12]);
        assert_eq!(domain.lacking_nodes(&[tree.root]).unwrap(), [false]);
    }
    keep_house(&world, &domain);
    assert_readable(&domain, &first);
    assert_readable(&domain, &second);
}
