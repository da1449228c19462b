//! Files of which the vault has lost something, restored with holes.

use store::id::ChunkId;

use super::*;

/// Large enough for a box of its own.
const PART: usize = 600_000;

fn part(n: u64) -> Vec<u8> {
    noise(PART, 7000 + n)
}

/// `disk` of five parts and a hole under two names, `twin` of two of them, `alone` of one, and a whole file.
fn sample(vault: &mut Vault) -> Vec<(String, Entry)> {
    let of = |pieces: Vec<Piece>| {
        let size = pieces.iter().map(Piece::len).sum();
        entry(What::File { size, content: Content::Pieces(pieces), cut: CutClass::Cdc })
    };
    let mut data = |n| vault.data(&part(n));
    let disk = of(vec![data(0), data(1), Piece::Hole(100_000), data(2), data(0), data(3)]);
    let twin = of(vec![data(3), data(0)]);
    let disk = one_of(disk, 99);
    vec![
        ("a/disk".to_owned(), disk.clone()),
        ("b/disk".to_owned(), disk),
        ("alone".to_owned(), vault.whole(&part(0))),
        ("twin.img".to_owned(), twin),
        ("whole".to_owned(), vault.whole(b"nothing is wrong with it")),
    ]
}

fn disk() -> Vec<u8> {
    [part(0), part(1), vec![0; 100_000], part(2), part(0), part(3)].concat()
}

fn disk_with_holes() -> Vec<u8> {
    [vec![0; PART], part(1), vec![0; 100_000], vec![0; PART], vec![0; PART], part(3)].concat()
}

fn twin_with_hole() -> Vec<u8> {
    [part(3), vec![0; PART]].concat()
}

fn id(world: &World, n: u64) -> ChunkId {
    world.vault.sealer.chunk_id(&part(n))
}

/// Part 0 is damaged, and part 2 is gone.
fn damaged() -> World {
    let mut world = World::new(sample);
    let (first, third) = (id(&world, 0), id(&world, 2));
    let at = |world: &World, id: &ChunkId| {
        world.vault.boxes.iter().position(|record| record.chunk_ids().unwrap() == [*id]).unwrap()
    };
    let gone = at(&world, &third);
    world.vault.boxes.remove(gone);
    world.vault.missing.insert(third);
    let bad = at(&world, &first);
    world.vault.boxes[bad].sealed[PART / 2] ^= 1;
    world
}

fn with_holes(world: &World) -> RestoreJob {
    RestoreJob { with_holes: true, verify: true, ..world.job() }
}

fn said(world: &World, path: &str) -> Vec<Fault> {
    let ends = |fault: &Fault| fault.path.as_ref().is_some_and(|at| at.ends_with(path.as_bytes()));
    let warnings = world.warnings();
    assert!(warnings.iter().all(|fault| fault.code == Code::DataDamaged), "{warnings:?}");
    warnings.into_iter().filter(ends).collect()
}

#[test]
fn all_but_the_lost_pieces_is_written_and_each_file_is_told_once() {
    let world = damaged();
    let summary = world.run(&with_holes(&world)).unwrap();
    assert!(fs::read(world.path("a/disk")).unwrap() == disk_with_holes());
    assert!(fs::read(world.path("twin.img")).unwrap() == twin_with_hole());
    assert_eq!(fs::read(world.path("whole")).unwrap(), b"nothing is wrong with it");
    let metadata = |path: &str| fs::metadata(world.path(path)).unwrap();
    assert_eq!((metadata("a/disk").ino(), metadata("a/disk").nlink()), (metadata("b/disk").ino(), 2));
    assert_eq!((metadata("a/disk").mtime(), metadata("a/disk").mtime_nsec()), (1_700_000_000, 123_456_789));
    // Nothing but zeros is no file.
    assert!(!world.path("alone").exists());
    assert_eq!((summary.files_restored, summary.files_with_holes), (4, 3));
    assert_eq!((summary.files_damaged, summary.files_skipped, summary.errors), (4, 4, 4));
    assert_eq!(summary.files_verified, 1);
    let lost = 3 * PART as u64;
    assert_eq!(summary.restored_bytes, 2 * (disk().len() as u64 - lost) + PART as u64 + 24);
    for path in ["a/disk", "b/disk"] {
        let said = said(&world, path);
        assert_eq!(said.len(), 1, "{said:?}");
        let ranges = "1800000 of its 3100000 bytes are missing or damaged in the vault: bytes 0-599999, 1300000-2499999; \
                      zeros stand in their place";
        assert!(said[0].message.contains(ranges), "{said:?}");
        assert!(said[0].hint.as_ref().unwrap().contains("--overwrite always"));
    }
    assert_eq!((said(&world, "twin.img").len(), said(&world, "alone").len()), (1, 1));
    // What is written of them is compared all the same.
    let other = RestoreJob { overwrite: Overwrite::Never, ..with_holes(&world) };
    let again = world.run(&other).unwrap();
    assert_eq!((again.files_kept, again.files_with_holes, again.files_damaged), (4, 0, 1));
    let differ = world.warnings().iter().filter(|fault| fault.code == Code::Differs).count();
    assert_eq!(differ, 3, "they are not what the version has");
}

#[test]
fn without_the_option_such_a_file_is_not_there_and_the_option_is_named() {
    let world = damaged();
    let summary = world.run(&RestoreJob { verify: true, ..world.job() }).unwrap();
    let there = |path: &str| world.path(path).exists();
    assert!(!there("a/disk") && !there("b/disk") && !there("twin.img") && !there("alone") && there("whole"));
    assert_eq!((summary.files_restored, summary.files_damaged, summary.files_with_holes), (1, 4, 0));
    let hint = said(&world, "twin.img").remove(0).hint.unwrap();
    assert!(hint.contains("tuckbox restore --at no.7 --with-holes PATH --to DIR"), "{hint}");
}

#[test]
fn no_file_that_is_there_is_given_for_one_with_holes() {
    for overwrite in [Overwrite::Always, Overwrite::IfChanged, Overwrite::IfNewer] {
        let world = damaged();
        let old = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        for path in ["b/disk", "twin.img", "whole"] {
            fs::create_dir_all(world.path(path).parent().unwrap()).unwrap();
            fs::write(world.path(path), b"mine").unwrap();
            fs::File::options().write(true).open(world.path(path)).unwrap().set_times(old).unwrap();
        }
        let summary = world.run(&RestoreJob { overwrite, ..with_holes(&world) }).unwrap();
        let read = |path: &str| fs::read(world.path(path)).unwrap();
        assert!(read("a/disk") == disk_with_holes(), "{overwrite:?}");
        assert!(read("b/disk") == b"mine" && read("twin.img") == b"mine", "{overwrite:?}");
        assert_eq!(read("whole"), b"nothing is wrong with it");
        assert_eq!((summary.files_restored, summary.files_replaced, summary.files_with_holes), (2, 1, 1));
        assert_eq!((summary.files_damaged, summary.files_skipped, summary.errors), (4, 4, 4));
        let hint = said(&world, "twin.img").remove(0).hint.unwrap();
        assert!(hint.contains("--overwrite keep-both"), "{hint}");
        assert!(fs::read_dir(world.path("b")).unwrap().count() == 1, "nothing half is left behind");
    }
    // Beside it there is room.
    let world = damaged();
    fs::create_dir_all(world.path("")).unwrap();
    fs::write(world.path("twin.img"), b"mine").unwrap();
    let job = RestoreJob { overwrite: Overwrite::KeepBoth, ..with_holes(&world) };
    let summary = world.run(&job).unwrap();
    assert_eq!(fs::read(world.path("twin.img")).unwrap(), b"mine");
    let beside = "twin (tuckbox 2026-11-20 18.00).img";
    assert!(fs::read(world.path(beside)).unwrap() == twin_with_hole());
    assert_eq!((summary.files_beside, summary.files_with_holes, summary.errors), (1, 3, 4));
    assert_eq!(said(&world, beside).len(), 1);
}

#[test]
fn a_list_that_cannot_be_read_leaves_no_holes() {
    let mut world = World::new(|_| Vec::new());
    // Enough for a list in several nodes.
    let pieces: Vec<[u8; 8]> = (0..9_000_u64).map(u64::to_le_bytes).collect();
    let (paged, nodes) = world.vault.listed(pieces.iter().map(|piece| &piece[..]));
    world.forest = Forest::new(&[("host", "/src", vec![("paged".to_owned(), paged)])]);
    assert!(nodes.len() > 2);
    // One chunk is lost, too.
    world.vault.missing.insert(world.vault.sealer.chunk_id(&pieces[0]));
    let lost = world.vault.boxes.remove(0);
    world.vault.missing.extend(lost.chunk_ids().unwrap());
    let ids: Vec<_> = nodes.iter().map(|built| built.id).collect();
    nodes.into_iter().for_each(|built| world.forest.nodes.add(built));
    let holes = world.run(&with_holes(&world)).unwrap();
    assert_eq!((holes.files_with_holes, holes.files_restored), (1, 1));
    let mut expected: Vec<u8> = pieces.concat();
    expected[..7 * 8].fill(0);
    assert!(fs::read(world.path("paged")).unwrap() == expected);
    fs::remove_file(world.path("paged")).unwrap();
    world.forest.nodes.remove(&ids[1]);
    let summary = world.run(&with_holes(&world)).unwrap();
    assert_eq!((summary.files_with_holes, summary.files_damaged, summary.files_restored), (0, 1, 0));
    assert!(!world.path("paged").exists());
    assert!(said(&world, "paged")[0].message.contains("the list of its chunks"));
}
