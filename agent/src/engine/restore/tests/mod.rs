//! Whole restores from nodes and boxes in memory onto real directories.

mod holes;
mod stage;

pub(crate) use stage::{Vault, noise, one_of};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use store::record::Record;
use store::tree::{Content, CutClass, Entry, Mark, Piece, What};

use super::clear::Rules;
use super::filter::Filter;
use super::flow::Options;
use super::{Parts, execute, roots::roots};
use crate::engine::job::{Overwrite, RestoreJob, RestoreSummary, Stop};
use crate::engine::overlay::tests::{Forest, entry, file};
use crate::fault::{Code, Fault};
use crate::profile::Profile;
use stage::{World, mine};

/// A directory of which the forest makes one with nothing in it.
fn empty_dir() -> What {
    let (node, content) = (store::id::NodeId::ZERO, store::id::ContentId::ZERO);
    What::Dir(store::tree::Child { node, content, totals: store::tree::Totals::none() })
}

fn sample(vault: &mut Vault) -> Vec<(String, Entry)> {
    let parts: Vec<Vec<u8>> = (0..4).map(|n| noise(50_000, n)).collect();
    let mut pieces: Vec<Piece> = parts.iter().map(|part| vault.data(part)).collect();
    pieces.insert(2, Piece::Hole(100_000));
    pieces.insert(3, Piece::Zeros(8192));
    let size = pieces.iter().map(Piece::len).sum();
    let large = entry(What::File { size, content: Content::Pieces(pieces), cut: CutClass::Cdc });
    let linked = one_of(vault.whole(b"one file of three names"), 99);
    let small_link = one_of(file(b"small"), 100);
    let mut files = vec![
        ("empty".to_owned(), file(b"")),
        ("inline".to_owned(), file(b"few bytes")),
        ("dir/large".to_owned(), large),
        ("a/name".to_owned(), linked.clone()),
        ("b/name".to_owned(), linked.clone()),
        ("c/d/e/name".to_owned(), linked),
        ("a/small".to_owned(), small_link.clone()),
        ("b/small".to_owned(), small_link),
        ("link".to_owned(), entry(What::Symlink((*b"/no/where").into()))),
        ("pipe".to_owned(), entry(What::Fifo)),
        ("void/below".to_owned(), entry(empty_dir())),
    ];
    for n in 0..200_u64 {
        files.push((format!("many/{}/{n}", n % 10), vault.whole(&noise(100, 1000 + n % 150))));
    }
    files
}

#[test]
fn everything_is_written_and_a_second_run_finds_it_there() {
    let world = World::new(sample);
    let summary = world.run(&RestoreJob { verify: true, ..world.job() }).unwrap();
    assert_eq!(world.warnings(), []);
    assert_eq!(summary.files_restored, 210);
    assert_eq!((summary.files_verified, summary.files_skipped, summary.errors), (210, 0, 0));
    // Chunks used several times are asked for once.
    assert_eq!(world.asked(), 4 + 1 + 150);
    assert_eq!(fs::read(world.path("inline")).unwrap(), b"few bytes");
    assert_eq!(fs::read(world.path("empty")).unwrap(), b"");
    let large = fs::read(world.path("dir/large")).unwrap();
    let expected = [noise(50_000, 0), noise(50_000, 1), vec![0; 108_192], noise(50_000, 2), noise(50_000, 3)].concat();
    assert!(large == expected);
    for n in 0..200_u64 {
        assert_eq!(fs::read(world.path(format!("many/{}/{n}", n % 10))).unwrap(), noise(100, 1000 + n % 150));
    }
    let inode = |path: &str| fs::metadata(world.path(path)).unwrap().ino();
    assert_eq!((inode("a/name"), inode("a/name")), (inode("b/name"), inode("c/d/e/name")));
    assert_eq!(inode("a/small"), inode("b/small"));
    assert_eq!(fs::metadata(world.path("a/name")).unwrap().nlink(), 3);
    assert_eq!(fs::read_link(world.path("link")).unwrap(), Path::new("/no/where"));
    assert!(fs::metadata(world.path("pipe")).unwrap().file_type().is_fifo());
    for path in ["", "a", "a/name", "dir", "dir/large", "empty", "link", "many/3/3", "void/below", "c/d/e"] {
        let metadata = fs::symlink_metadata(world.path(path)).unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_700_000_000, 123_456_789), "{path}");
    }
    assert_eq!(fs::metadata(world.path("void")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(world.path("many/3/3")).unwrap().mode() & 0o7777, 0o644);

    let again = world.run(&world.job()).unwrap();
    assert_eq!((again.files_restored, again.files_kept, again.errors), (0, 210, 0));
    assert_eq!(world.asked(), 0);
}

/// In the order of a backup: what lies in one box is asked for together.
#[test]
fn a_directorys_files_are_asked_for_before_what_is_below_it() {
    let in_order = ["a", "z", "m/b", "m/y", "m/c/x"];
    let world = World::new(|vault| in_order.map(|path| (path.to_owned(), vault.whole(path.as_bytes()))).to_vec());
    world.run(&world.job()).unwrap();
    let asked = world.vault.asked.lock().unwrap().clone();
    assert_eq!(asked, in_order.map(|path| world.vault.sealer.chunk_id(path.as_bytes())));
}

#[test]
fn what_is_half_done_is_done_again() {
    let world = World::new(sample);
    world.run(&world.job()).unwrap();
    // As long as it must be, but not whole: a killed run leaves no time behind.
    fs::write(world.path("dir/large"), vec![1; 308_192]).unwrap();
    fs::remove_file(world.path("many/3/3")).unwrap();
    fs::remove_file(world.path("b/name")).unwrap();
    let summary = world.run(&RestoreJob { verify: true, ..world.job() }).unwrap();
    assert_eq!((summary.files_restored, summary.files_kept, summary.files_verified), (3, 207, 210));
    assert_eq!(fs::metadata(world.path("a/name")).unwrap().ino(), fs::metadata(world.path("b/name")).unwrap().ino());
}

/// Flags come last, so a run that ended early may have left files without theirs.
#[test]
fn files_that_stay_get_the_flags_that_they_lack() {
    let flags = IFlags::NODUMP.bits();
    let world = World::new(|vault| {
        let entry = Entry { flags, ..vault.whole(b"content") };
        let names = ["a", "b"].map(|name| (name.to_owned(), one_of(entry.clone(), 99)));
        [("alone".to_owned(), entry)].into_iter().chain(names).collect()
    });
    world.run(&world.job()).unwrap();
    if !world.warnings().is_empty() {
        return; // No such flags on this file system.
    }
    let open = |name: &str| fs::File::open(world.path(name)).unwrap();
    let has = |name: &str| ioctl_getflags(open(name)).unwrap().contains(IFlags::NODUMP);
    let lose = |name: &str| ioctl_setflags(open(name), ioctl_getflags(open(name)).unwrap() - IFlags::NODUMP).unwrap();
    for (overwrite, gets) in [(Overwrite::Never, false), (Overwrite::IfChanged, true)] {
        lose("alone");
        lose("a");
        fs::remove_file(world.path("b")).unwrap();
        world.run(&RestoreJob { overwrite, ..world.job() }).unwrap();
        // With `never`, the new name is one that was written.
        assert_eq!((has("alone"), has("b")), (gets, true), "{overwrite:?}");
        assert_eq!(fs::metadata(world.path("a")).unwrap().nlink(), 2);
    }
    lose("a");
    world.run(&world.job()).unwrap();
    assert!(has("a"));
}

/// A file that only looks like what it was gives no other name its content.
#[test]
fn names_join_only_what_the_version_has() {
    let world = World::new(sample);
    world.run(&world.job()).unwrap();
    let (first, further) = (world.path("a/name"), world.path("b/name"));
    let right = fs::read(&first).unwrap();
    let ino = |path: &Path| fs::metadata(path).unwrap().ino();
    let modified = fs::metadata(&first).unwrap().modified().unwrap();
    fs::remove_file(&further).unwrap();
    fs::remove_file(world.path("c/d/e/name")).unwrap();
    fs::write(&first, vec![b'!'; right.len()]).unwrap();
    fs::File::options().write(true).open(&first).unwrap().set_modified(modified).unwrap();
    world.run(&world.job()).unwrap();
    assert_eq!((fs::read(&further).unwrap() == right, fs::read(&first).unwrap() == right), (true, false));
    assert_eq!(fs::read(world.path("c/d/e/name")).unwrap(), right);
    // The right content, for others than the version says.
    world.run(&RestoreJob { overwrite: Overwrite::Always, ..world.job() }).unwrap();
    assert_eq!((ino(&first), fs::read(&first).unwrap()), (ino(&further), right));
    fs::remove_file(&further).unwrap();
    fs::set_permissions(&first, fs::Permissions::from_mode(0o4777)).unwrap();
    world.run(&RestoreJob { overwrite: Overwrite::Never, ..world.job() }).unwrap();
    assert_ne!(ino(&first), ino(&further));
    assert_ne!(fs::metadata(&further).unwrap().mode() & 0o7777, 0o4777);
}

#[test]
fn an_interrupted_run_says_so_and_leaves_no_half_file() {
    let world = World::new(sample);
    world.stop.ask(2);
    assert_eq!(world.run(&world.job()).unwrap_err().code, Code::Interrupted);
    let again = World { stop: Stop::default(), ..world };
    assert_eq!(again.run(&RestoreJob { verify: true, ..again.job() }).unwrap().files_verified, 210);
}

/// What a run made and did not come to finish is finished by the next one, whatever it leaves alone.
#[test]
fn directories_that_were_left_unfinished_are_finished() {
    let state = |path: &Path| fs::metadata(path).map(|metadata| (metadata.mode() & 0o7777, metadata.mtime())).unwrap();
    let finished = (0o755, 1_700_000_000);
    for overwrite in [Overwrite::Never, Overwrite::KeepBoth, Overwrite::IfNewer, Overwrite::IfChanged] {
        let world = World::new(sample);
        world.stop.ask(2);
        let job = RestoreJob { overwrite, ..world.job() };
        assert_eq!(world.run(&job).unwrap_err().code, Code::Interrupted);
        assert_eq!(state(&world.path("")).0 & 0o777, 0o700, "{overwrite:?}");
        // A person's own.
        let own = world.path("many");
        fs::create_dir(&own).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(own.join("own"), "").unwrap();
        let again = World { stop: Stop::default(), ..world };
        again.run(&job).unwrap();
        assert_eq!(state(&again.path("")), finished, "{overwrite:?}");
        let leaves = matches!(overwrite, Overwrite::Never | Overwrite::KeepBoth);
        let (mode, _) = state(&own);
        assert_eq!(mode, if leaves { 0o700 } else { 0o755 }, "{overwrite:?}");
    }

    // What only leads to it, too: others may enter.
    let forest = Forest::new(&[("host", "/far/src", vec![("f", mine(file(b"1")))])]);
    let world = World { forest, ..World::new(|_| Vec::new()) };
    let to = world.place.path().to_path_buf();
    let job = RestoreJob { paths: vec![b"/far/src".to_vec()], full_paths: true, ..world.job() };
    world.stop.ask(2);
    assert_eq!(world.run(&job).unwrap_err().code, Code::Interrupted);
    assert_eq!(state(&to.join("far")).0 & 0o777, 0o700);
    let again = World { stop: Stop::default(), ..world };
    again.run(&job).unwrap();
    assert_eq!((state(&to.join("far")).0, state(&to.join("far/src"))), (0o755, finished));
}

#[test]
fn missing_and_damaged_chunks_cost_only_their_files() {
    let mut world = World::new(sample);
    // A box is gone, with one that two files have.
    let lost = world.vault.sealer.chunk_id(&noise(100, 1000 + 3));
    let holds = |record: &Record| record.chunk_ids().unwrap().contains(&lost);
    let at = world.vault.boxes.iter().position(holds).unwrap();
    assert!(at > 0);
    world.vault.missing.extend(world.vault.boxes.remove(at).chunk_ids().unwrap());
    // Box 0 has the pieces of the large file and the linked one.
    let record = &mut world.vault.boxes[0];
    let middle = record.sealed.len() / 2;
    record.sealed[middle] ^= 1;
    let in_damaged = world.vault.boxes[0].chunk_ids().unwrap().len();
    let summary = world.run(&RestoreJob { verify: true, ..world.job() }).unwrap();
    assert!(world.warnings().iter().all(|fault| fault.code == Code::DataDamaged), "{:?}", world.warnings());
    assert!(!world.path("dir/large").exists() && !world.path("b/name").exists());
    // The file of the lost chunk, the equal one, the large one, three names, and small ones of the damaged box.
    assert!(!world.path("many/3/3").exists() && !world.path("many/3/153").exists());
    assert_eq!(summary.files_damaged, summary.files_skipped);
    let others = (in_damaged - 5) as u64 + 7;
    assert!((4 + others..=4 + 2 * others).contains(&summary.files_damaged), "{summary:?}");
    assert_eq!(summary.files_restored + summary.files_skipped, 210);
    assert_eq!(summary.files_verified, summary.files_restored);
}

#[test]
fn a_lost_node_costs_only_its_directory() {
    let mut world = World::new(sample);
    let lost = {
        let overlay = world.forest.overlay();
        let What::Dir(child) = overlay.need(b"/src/many/4").unwrap().entry.what else { panic!() };
        child.node
    };
    world.forest.nodes.remove(&lost);
    let overlay = world.forest.overlay();
    let job = RestoreJob { delete: true, ..world.job() };
    let parts = Parts {
        sequence: 7,
        moment: jiff::civil::date(2026, 11, 20).at(18, 0, 0, 0),
        sealer: &world.vault.sealer,
        nodes: &world.forest.nodes,
        fetcher: &world.vault,
        watcher: &world.ears,
        stop: &world.stop,
        profile: &Profile::default(),
        filter: &Filter::default(),
        rules: &Rules::default(),
    };
    // What stands in that directory must not go: nobody knows whether it belongs there.
    fs::create_dir_all(world.path("many/4")).unwrap();
    fs::write(world.path("many/4/4"), b"mine").unwrap();
    let options = Options { delete: true, ..Options::default() };
    let flow = execute(&parts, options, &overlay, &roots(&overlay, &job).unwrap(), false).unwrap();
    let mut summary = RestoreSummary::default();
    flow.sum_up(&mut summary);
    assert_eq!((summary.files_restored, summary.files_deleted, summary.errors), (190, 0, 1));
    assert_eq!(world.warnings()[0].code, Code::DataDamaged);
    assert!(world.path("many/4/4").exists());
}

/// What the backup could not read, or kept though it was missing, is not what was there.
#[test]
fn what_the_version_does_not_know_is_not_emptied() {
    let marked = |mark| Entry { mark, ..entry(empty_dir()) };
    let world = World::new(|_| {
        vec![
            ("unread".to_owned(), marked(Some(Mark::Unreadable(7)))),
            ("missing".to_owned(), marked(Some(Mark::Missing(7)))),
            ("known".to_owned(), marked(None)),
        ]
    });
    for dir in ["unread", "missing", "known"] {
        fs::create_dir_all(world.path(dir).join("sub")).unwrap();
        fs::write(world.path(dir).join("sub/mine"), b"x").unwrap();
    }
    let summary = world.run(&RestoreJob { delete: true, ..world.job() }).unwrap();
    assert_eq!((summary.files_deleted, summary.errors), (1, 0));
    assert!(world.path("unread/sub/mine").exists() && world.path("missing/sub/mine").exists());
    assert!(!world.path("known/sub").exists());
}

#[test]
fn overwrite_modes() {
    let world = World::new(|vault| {
        vec![
            ("old".to_owned(), vault.whole(b"version")),
            ("same".to_owned(), vault.whole(b"as it was")),
            ("new".to_owned(), file(b"n")),
        ]
    });
    let reset = |overwrite| {
        world.run(&RestoreJob { overwrite: Overwrite::Always, delete: true, ..world.job() }).unwrap();
        // Newer than the version.
        fs::write(world.path("old"), b"mine").unwrap();
        fs::remove_file(world.path("new")).unwrap();
        let summary = world.run(&RestoreJob { overwrite, ..world.job() }).unwrap();
        assert!(world.path("new").exists());
        (summary.files_restored, summary.files_kept, fs::read(world.path("old")).unwrap())
    };
    assert_eq!(reset(Overwrite::Always), (3, 0, b"version".to_vec()));
    assert_eq!(reset(Overwrite::IfChanged), (2, 1, b"version".to_vec()));
    assert_eq!(reset(Overwrite::IfNewer), (1, 2, b"mine".to_vec()));
    assert_eq!(reset(Overwrite::Never), (1, 2, b"mine".to_vec()));
    // What is there stays, the version's stands beside it, and a second time it is there already.
    assert_eq!(reset(Overwrite::KeepBoth), (2, 1, b"mine".to_vec()));
    let beside = world.path("old (tuckbox 2026-11-20 18.00)");
    assert_eq!(fs::read(&beside).unwrap(), b"version");
    let again = RestoreJob { overwrite: Overwrite::KeepBoth, verify: true, ..world.job() };
    let summary = world.run(&again).unwrap();
    assert_eq!((summary.files_restored, summary.files_kept, summary.files_beside), (0, 3, 0));
    assert_eq!((summary.files_verified, summary.errors), (3, 0));
    // Something else has that name, too.
    fs::write(&beside, b"mine, too").unwrap();
    let dry = world.run(&RestoreJob { dry_run: true, ..again.clone() }).unwrap();
    assert_eq!((dry.files_restored, dry.files_beside), (1, 1));
    let summary = world.run(&again).unwrap();
    assert_eq!((summary.files_beside, summary.files_verified, summary.errors), (1, 3, 0));
    assert_eq!(fs::read(world.path("old (tuckbox 2026-11-20 18.00 2)")).unwrap(), b"version");
    assert_eq!(fs::read(&beside).unwrap(), b"mine, too");
}

#[test]
fn include_exclude_delete_and_dry_run() {
    let world = World::new(sample);
    let dry = world.run(&RestoreJob { dry_run: true, ..world.job() }).unwrap();
    assert_eq!((dry.files_restored, dry.errors), (210, 0));
    assert!(!world.path("").exists());

    let some = RestoreJob { include: vec!["/src/many/[12]".into()], exclude: vec!["*1".into()], ..world.job() };
    let summary = world.run(&some).unwrap();
    // `many/1` itself and names that end in 1 are left out.
    assert_eq!(summary.files_restored, 20);
    assert!(world.path("many/2/2").exists() && !world.path("many/1").exists() && !world.path("a").exists());

    fs::create_dir_all(world.path("many/2/extra/deep")).unwrap();
    fs::write(world.path("many/2/extra/deep/file"), b"x").unwrap();
    fs::write(world.path("more.keep"), b"x").unwrap();
    fs::write(world.place.path().join("beside"), b"x").unwrap();
    let delete = RestoreJob { delete: true, exclude: vec!["*.keep".into()], ..world.job() };
    let dry = world.run(&RestoreJob { dry_run: true, ..delete.clone() }).unwrap();
    assert_eq!((dry.files_deleted, dry.files_kept), (1, 20));
    assert!(world.path("many/2/extra").exists());
    let summary = world.run(&delete).unwrap();
    assert_eq!((summary.files_deleted, summary.files_restored, summary.files_kept), (1, 190, 20));
    assert!(!world.path("many/2/extra").exists() && world.path("more.keep").exists());
    assert!(world.place.path().join("beside").exists(), "what was not asked for stays");
}

#[test]
fn what_stands_in_the_way() {
    let world = World::new(sample);
    fs::create_dir_all(world.path("")).unwrap();
    let outside = world.place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    // A directory where a file goes, a link where a directory goes, a link where a file goes.
    fs::create_dir(world.path("inline")).unwrap();
    symlink(&outside, world.path("many")).unwrap();
    symlink(outside.join("x"), world.path("empty")).unwrap();
    let summary = world.run(&world.job()).unwrap();
    assert_eq!((summary.files_restored, summary.files_skipped), (209, 1));
    assert_eq!(world.warnings()[0].code, Code::RestoreSkipped);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "no link is followed");
    assert!(world.path("many").symlink_metadata().unwrap().is_dir());
    let summary = world.run(&RestoreJob { delete: true, verify: true, ..world.job() }).unwrap();
    assert_eq!((summary.files_restored, summary.files_verified, summary.files_skipped), (1, 210, 0));
}

#[test]
fn verification_finds_a_flipped_byte() {
    let world = World::new(sample);
    world.run(&world.job()).unwrap();
    let path = world.path("dir/large");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // In the hole.
    bytes[150_000] = 1;
    fs::write(&path, bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    let summary = world.run(&RestoreJob { verify: true, ..world.job() }).unwrap();
    assert_eq!((summary.files_kept, summary.files_verified, summary.errors), (210, 209, 1));
    assert_eq!(world.warnings()[0].code, Code::Differs);
}

#[test]
fn many_windows_and_a_list_of_pieces() {
    let mut world = World::new(|vault| {
        (0..9000_u64).map(|n| (format!("{}/{n}", n / 500), vault.whole(&n.to_le_bytes().repeat(20)))).collect()
    });
    let parts: Vec<Vec<u8>> = (0..300).map(|n| noise(16 << 10, 70 + n % 200)).collect();
    let (paged, nodes) = world.vault.listed(parts.iter().map(|part| &part[..]));
    let mut files: Vec<(String, Entry)> = vec![("paged".to_owned(), paged)];
    files.extend(
        (0..9000_u64).map(|n| (format!("{}/{n}", n / 500), mine(world.vault.whole(&n.to_le_bytes().repeat(20))))),
    );
    world.forest = Forest::new(&[("host", "/src", files)]);
    nodes.into_iter().for_each(|built| world.forest.nodes.add(built));
    let summary = world.run(&world.job()).unwrap();
    assert_eq!((summary.files_restored, summary.errors), (9001, 0));
    for n in 0..9000_u64 {
        assert_eq!(fs::read(world.path(format!("{}/{n}", n / 500))).unwrap(), n.to_le_bytes().repeat(20));
    }
    assert!(fs::read(world.path("paged")).unwrap() == parts.concat());
    assert_eq!(world.asked(), 9200);
}

#[test]
fn a_huge_sparse_file_costs_nothing() {
    const TIB: u64 = 1 << 40;
    let world = World::new(|vault| {
        let pieces = vec![Piece::Hole(TIB / 2), vault.data(b"island"), Piece::Hole(TIB / 2)];
        let content = Content::Pieces(pieces);
        vec![("sparse".to_owned(), entry(What::File { size: TIB + 6, content, cut: CutClass::Cdc }))]
    });
    let summary = world.run(&RestoreJob { verify: true, ..world.job() }).unwrap();
    assert_eq!((summary.files_verified, summary.errors), (1, 0));
    let metadata = fs::metadata(world.path("sparse")).unwrap();
    assert_eq!(metadata.len(), TIB + 6);
    assert!(metadata.blocks() < 100);
}

#[test]
fn a_tree_deeper_than_any_path() {
    // The test's own way to make nodes recurses; what it tests must not.
    let make = || World::new(|vault| vec![(format!("{}end", "deeper/".repeat(700)), vault.whole(b"bottom"))]);
    let world = std::thread::Builder::new().stack_size(64 << 20).spawn(make).unwrap().join().unwrap();
    let summary = world.run(&RestoreJob { verify: true, ..world.job() }).unwrap();
    assert_eq!((summary.files_restored, summary.files_verified, summary.errors), (1, 1, 0));
    // Root, the source, and all below.
    assert_eq!(summary.dirs_restored, 701);
    let again = world.run(&world.job()).unwrap();
    assert_eq!((again.files_kept, again.errors), (1, 0));
    let target = crate::target::Target::open(world.place.path(), false).unwrap();
    target.top().remove(b"src").unwrap();
}

#[test]
fn where_things_go() {
    let forest = Forest::sample();
    let overlay = forest.overlay();
    let places = |paths: &[&str], to: Option<&str>, full_paths| {
        let paths = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        let job = RestoreJob { paths, to: to.map(PathBuf::from), full_paths, ..RestoreJob::default() };
        let show = |root: &super::Root<'_>| {
            let mut at = root.target.clone();
            at.extend(root.leading.iter().map(|found| std::str::from_utf8(&found.entry.name).unwrap()));
            if !root.is_target {
                at.push(std::str::from_utf8(&root.found.entry.name).unwrap());
            }
            at.to_str().unwrap().to_owned()
        };
        roots(&overlay, &job).map(|roots| roots.iter().map(show).collect::<Vec<_>>())
    };
    assert_eq!(places(&["/home/ana/docs"], Some("/out"), false).unwrap(), ["/out/docs"]);
    assert_eq!(places(&["/home/ana/docs"], Some("/out"), true).unwrap(), ["/out/home/ana/docs"]);
    assert_eq!(places(&[], Some("/out"), false).unwrap(), ["/out"]);
    assert_eq!(places(&["/home/ana/docs"], None, false).unwrap(), ["/home/ana/docs"]);
    assert_eq!(places(&[], None, false).unwrap(), ["/home/ana", "/srv"]);
    assert_eq!(places(&["/home"], None, false).unwrap(), ["/home/ana"]);
    assert_eq!(places(&["/home/ana/docs/letter", "/home/ana/docs"], None, false).unwrap(), ["/home/ana/docs"]);
    assert_eq!(places(&["/home/ana/p*/*"], Some("/out"), false).unwrap(), ["/out/a.jpg", "/out/b.jpg"]);
    assert_eq!(places(&["/nothing"], Some("/out"), false).unwrap_err().code, Code::PathNone);
    assert_eq!(places(&["/home", "/**/home"], Some("/out"), false).unwrap(), ["/out/home"]);

    let file_of = |host| (host, "/etc/same", vec![("", file(b"1"))]);
    let forest = Forest::new(&[file_of("alpha"), file_of("beta")]);
    let overlay = forest.overlay();
    let job = |paths: &[&str], to: Option<&str>| RestoreJob {
        paths: paths.iter().map(|path| path.as_bytes().to_vec()).collect(),
        to: to.map(PathBuf::from),
        ..RestoreJob::default()
    };
    assert_eq!(roots(&overlay, &job(&[], None)).err().unwrap().code, Code::Usage);
    let one = roots(&overlay, &job(&["/beta"], None)).unwrap();
    assert_eq!((one.len(), one[0].target.as_path()), (1, Path::new("/etc")));
    let both = roots(&overlay, &job(&["/alpha/etc/same", "/beta/etc/same"], Some("/out")));
    assert_eq!(both.err().unwrap().hint.as_deref(), Some("add --full-paths"));
}

#[test]
fn full_paths_are_made_on_the_way() {
    let world = World::new(sample);
    let job = RestoreJob { paths: vec![b"/src/c/d/e/name".to_vec()], full_paths: true, ..world.job() };
    assert_eq!(world.run(&job).unwrap().files_restored, 1);
    let metadata = fs::metadata(world.path("c/d")).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o755, 1_700_000_000));
    let all = RestoreJob { paths: Vec::new(), ..world.job() };
    let summary = world.run(&all).unwrap();
    assert_eq!((summary.files_restored, summary.files_kept), (209, 1));
}
