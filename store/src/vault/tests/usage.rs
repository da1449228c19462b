//! What a chunk space takes: recounted on the disk, to the byte, whatever is done with it.

use super::housekeep::{DAY, keep_house, leave, pass};
use super::retention::{CONFIRMED, act, all, daily, naming};
use super::*;
use crate::vault::Usage;

/// All files, counted by somebody who knows nothing of their sense.
fn recounted(world: &World, account: &AccountInfo) -> u64 {
    let lengths = files(&world.domain_folder(account)).into_iter().map(|(path, _)| path.metadata().unwrap().len());
    lengths.sum()
}

/// Usage of now, after a look at the sums.
fn usage(world: &World, account: &AccountInfo, domain: &Domain) -> Usage {
    let usage = domain.usage(None).unwrap();
    assert_eq!(usage.classes.total_bytes(), usage.now_bytes);
    assert_eq!(usage.now_bytes, recounted(world, account));
    assert_eq!(usage.classes.at, world.clock.now_ms());
    let packs = named(&world.domain_folder(account), ".pack");
    let lengths: Vec<u64> = packs.iter().map(|path| path.metadata().unwrap().len()).collect();
    assert_eq!((usage.packs, usage.pack_bytes), (lengths.len() as u64, lengths.iter().sum()));
    usage
}

/// Stored bytes of one tree of [`tree`]: boxes, groups.
fn parts(account: &AccountInfo) -> (u64, u64) {
    let of = |kind| {
        let records = tree(account, 0).records.into_iter().filter(move |record| record.header.kind == kind);
        records.map(|record| record.stored_len() as u64).sum()
    };
    (of(RecordKind::Box), of(RecordKind::Group))
}

#[test]
fn classes_add_up_to_what_lies_on_the_disk() {
    let (world, account, domain, trees) = daily(6);
    let (boxes, groups) = parts(&account);
    let seen = usage(&world, &account, &domain);
    let classes = seen.classes;
    assert_eq!((classes.current_bytes, classes.history_bytes), (boxes, 5 * boxes));
    assert_eq!((classes.trash_bytes, classes.unreferenced_bytes, classes.holes), (0, 0, 0));
    assert!(classes.metadata_bytes > 6 * groups + seen.catalog_bytes && seen.catalog_bytes > 0);
    assert_eq!(classes.versions, 6);
    let (oldest, newest) = (classes.oldest_at.unwrap(), classes.newest_at.unwrap());
    assert_eq!(newest - oldest, 5 * DAY);

    // What is in the trash is told apart with its nodes.
    act(&world, &domain, &account, LinkKind::Forget, naming(&[4], 0));
    let seen = usage(&world, &account, &domain).classes;
    assert_eq!((seen.history_bytes, seen.trash_bytes, seen.versions), (4 * boxes, boxes + groups, 5));

    // An old state that is the newest again is not history.
    world.back_up_now(&trees[0]);
    let seen = usage(&world, &account, &domain).classes;
    assert_eq!((seen.current_bytes, seen.history_bytes, seen.versions), (boxes, 4 * boxes, 6));

    // What no version cites, also while it is staged.
    leave(&domain, &account, &tree(&account, 50));
    let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
    session.put(&tree(&account, 51).records[0]).unwrap();
    let seen = usage(&world, &account, &domain);
    let classes = seen.classes;
    assert!(classes.unreferenced_bytes > boxes + groups, "{seen:?}");
    assert_eq!((classes.current_bytes, classes.history_bytes, classes.trash_bytes), (boxes, 4 * boxes, boxes + groups));
    session.end().unwrap();
    let ended = usage(&world, &account, &domain).classes;
    assert_eq!(ended.current_bytes, boxes);
}

#[test]
fn housekeeping_moves_bytes_from_class_to_class() {
    let (world, account, domain, _) = daily(4);
    let (boxes, groups) = parts(&account);
    leave(&domain, &account, &tree(&account, 50));
    let seen = usage(&world, &account, &domain).classes;
    assert_eq!((seen.unreferenced_bytes, seen.trash_bytes), (boxes + groups, 0));
    // Condemned: on its way out.
    pass(&domain);
    let seen = usage(&world, &account, &domain).classes;
    assert_eq!((seen.unreferenced_bytes, seen.trash_bytes), (0, boxes + groups));
    world.clock.advance(2 * DAY);
    keep_house(&world, &domain);
    let seen = usage(&world, &account, &domain).classes;
    assert_eq!((seen.current_bytes, seen.history_bytes), (boxes, 3 * boxes));
    assert_eq!((seen.unreferenced_bytes, seen.trash_bytes), (0, 0));
    // Folded, and freed room not yet given back: still every byte.
    for seed in 60..70 {
        world.back_up_now(&tree(&account, seed));
        world.clock.advance(DAY);
        pass(&domain);
        let seen = usage(&world, &account, &domain).classes;
        assert_eq!(seen.current_bytes + seen.history_bytes, (4 + seed - 59) * boxes);
    }
}

/// Without what others do to the disk meanwhile.
fn still(usage: Usage) -> Usage {
    Usage { free_bytes: None, ..usage }
}

#[test]
fn a_pass_keeps_the_figures_and_a_short_question_uses_them() {
    let (world, account, domain, _) = daily(3);
    // Before any pass there is nothing to fall back on: it walks, whatever time there is.
    assert_eq!(still(domain.usage(Some(0)).unwrap()), still(usage(&world, &account, &domain)));
    pass(&domain);
    let marked_at = world.clock.now_ms();
    let (_, _, other) = world.reopen();
    assert_eq!(other.usage(Some(0)).unwrap().classes.versions, 3);
    assert_eq!(still(other.usage(Some(0)).unwrap()), still(usage(&world, &account, &domain)));

    world.clock.advance(DAY);
    world.back_up_now(&tree(&account, 9));
    let (_, _, other) = world.reopen();
    let early = other.usage(Some(0)).unwrap();
    assert_eq!((early.classes.at, early.classes.versions), (marked_at, 3));
    assert_eq!(early.now_bytes, recounted(&world, &account));
    assert!(early.classes.total_bytes() < early.now_bytes);
    // Who has walked once knows it until something changes.
    let walked = usage(&world, &account, &other);
    assert_eq!((still(other.usage(Some(0)).unwrap()), walked.classes.versions), (still(walked), 4));
    world.back_up_now(&tree(&account, 10));
    assert_eq!(other.usage(Some(0)).unwrap().classes.at, marked_at);
}

#[test]
fn what_is_kept_by_a_pass_is_what_a_walk_says() {
    let (world, account, domain, _) = daily(12);
    let (soft, _, _) = world.reopen();
    let used = usage(&world, &account, &domain).pack_bytes;
    soft.settle(&account, |terms| terms.soft_bytes = Some(used * 3 / 4)).unwrap();
    act(&world, &domain, &account, LinkKind::Forget, naming(&[9], 0));
    for _ in 0..6 {
        let (_, _, domain) = world.reopen();
        all(&domain, CONFIRMED);
        let kept = usage(&world, &account, &domain).classes;
        // A catalog that is made again has no such figures.
        let copy = world.copy();
        let (_, _, other) = copy.reopen();
        copy.clock.advance(world.clock.now_ms() - copy.clock.now_ms());
        other.rebuild().unwrap();
        let walked = other.usage(None).unwrap().classes;
        let content = |of: crate::vault::Classes| (of.current_bytes, of.history_bytes, of.versions, of.oldest_at);
        assert_eq!(content(kept), content(walked));
        world.clock.advance(DAY);
    }
}
