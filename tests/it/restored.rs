//! What a restore leaves behind when it ends early, what it reaches, and when it may say that it is done.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::subject::{Outcome, flip, with_ending};
use tests::tree::{Seeded, Tree};
use tests::wait::until;
use tests::world::World;
use tests::{look, need};

use crate::world;

/// Longest wait for a restore to come so far.
const SOON: Duration = Duration::from_secs(60);

/// What these ways to restore find stands, and they leave it: so half of a file must never stand there.
#[test]
fn no_half_file_is_taken_for_done() {
    let world = world().ready();
    let photos = Tree::at(world.path("docs")).dir("photos");
    for n in 0..3 {
        photos.file(format!("p{n}"), Seeded::new(n).bytes(4_000_000));
    }
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let before = look::at(world.path("docs/photos"));
    let photos = world.arg("docs/photos");
    for words in [&["undelete", &photos][..], &["restore", &photos, "--overwrite", "if-newer"]] {
        fs::remove_dir_all(&photos).unwrap();
        let run = world.tuckbox(words).and(["--yes", "--limit", "2M"]).start();
        until(SOON, "a file that is begun", || run.has_written_below(Path::new(&photos)));
        run.kill();
        let begun = |name: &fs::DirEntry| name.file_name().to_string_lossy().starts_with(".tuckbox-");
        let left: Vec<_> = fs::read_dir(&photos).unwrap().flatten().filter(begun).collect();
        assert!(left.is_empty() || !need::files_without_a_name(Path::new(&photos)), "{left:?}");
        world.tuckbox(words).and(["--yes"]).ok();
        left.iter().for_each(|left| fs::remove_file(left.path()).unwrap());
        let after = look::at(world.path("docs/photos"));
        let contents = |listing: &look::Listing| {
            listing
                .0
                .iter()
                .filter(|(path, _)| !path.is_empty())
                .map(|(p, i)| (p.clone(), i.clone()))
                .collect::<Vec<_>>()
        };
        assert!(contents(&before) == contents(&after), "{words:?}");
    }
}

/// What is restored of a file: all of it, with zeros where the warning about it says so; and how much that is.
fn with_zeros(whole: &[u8], run: &Outcome) -> (Vec<u8>, usize) {
    let err = run.err();
    let warning = err.lines().find(|line| line.ends_with("[data.damaged]")).unwrap();
    let told = warning.split_once(" are missing or damaged in the vault: bytes ").unwrap().1;
    let ranges = told.split_once("; zeros stand in their place").unwrap().0;
    let mut bytes = whole.to_vec();
    let mut lost = 0;
    for range in ranges.split(", ") {
        let (from, to) = range.split_once('-').unwrap();
        let range = from.parse().unwrap()..=to.parse().unwrap();
        lost += range.clone().count();
        bytes[range].fill(0);
    }
    assert!(warning.contains(&format!("{lost} of its {} bytes are missing", whole.len())), "{warning}");
    assert!(lost > 0 && lost < whole.len());
    (bytes, lost)
}

fn largest_pack(world: &World) -> PathBuf {
    let packs = with_ending(&world.vault(), "pack").into_iter();
    packs.max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap()
}

/// A film of which a piece rots, with a second name, beside a letter.
fn rotten(world: &World) -> Vec<u8> {
    let film = Seeded::new(7).bytes(9_000_000);
    let docs = Tree::at(world.path("docs"));
    docs.file("film", &film).hard_link("film too", &docs, "film").file("letter", "Dear Ana,\n");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let pack = largest_pack(world);
    flip(&pack, fs::metadata(&pack).unwrap().len() / 2);
    film
}

#[test]
fn what_is_left_of_a_damaged_file_can_be_had() {
    let world = world().ready();
    let film = rotten(&world);
    let vault = world.arg("vault");
    let run = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out"), "--vault", &vault]).run();
    let run = run.exits(10);
    assert!(!world.path("out/docs/film").exists());
    let number = world.tuckbox(["versions", "--json"]).ok().record("version")["sequence"].clone();
    let said = format!("tuckbox restore --vault {vault} --at no.{number} --with-holes PATH --to DIR");
    assert!(run.err().contains(&said), "{run}");

    let out = world.arg("left");
    let run = world.tuckbox(["restore", &world.arg("docs"), "--to", &out, "--with-holes", "--verify"]).run().exits(10);
    let (expected, lost) = with_zeros(&film, &run);
    assert!(fs::read(world.path("left/docs/film")).unwrap() == expected);
    let (one, other) = (world.path("left/docs/film"), world.path("left/docs/film too"));
    assert_eq!(fs::metadata(&one).unwrap().ino(), fs::metadata(&other).unwrap().ino());
    let before = fs::metadata(world.path("docs/film")).unwrap();
    assert_eq!(fs::metadata(&one).unwrap().modified().unwrap(), before.modified().unwrap());
    assert_eq!(run.err().matches("data.damaged").count(), 2, "each name is told once: {run}");
    assert!(run.text().contains("2 are damaged in the vault and have zeros in place of what is lost"), "{run}");

    // A good file that is there is never given for it.
    fs::write(world.path("docs/film"), "mine").unwrap();
    fs::remove_file(world.path("docs/film too")).unwrap();
    let again =
        world.tuckbox(["restore", &world.arg("docs"), "--with-holes", "--overwrite", "always", "--yes", "--json"]);
    let again = again.run().exits(10);
    assert_eq!(fs::read(world.path("docs/film")).unwrap(), b"mine");
    assert!(fs::read(world.path("docs/film too")).unwrap() == expected);
    let figures = ["files_with_holes", "files_damaged", "files_skipped"].map(|name| again.count(name));
    assert_eq!(figures, [1, 2, 2], "{again}");
    assert_eq!(again.count("restored_bytes"), (film.len() - lost + 10) as u64);

    // The same as a stream.
    let dump = |words: &[&str]| world.tuckbox(["dump", &world.arg("docs/film too")]).and(words).run();
    let said = dump(&[]).fails("data.damaged", 10);
    assert!(said.err().contains("--with-holes PATH -o FILE"), "{said}");
    dump(&["--with-holes", "-o", &world.arg("stream")]).fails("data.damaged", 10);
    assert!(fs::read(world.path("stream")).unwrap() == expected);
}

#[test]
fn what_is_left_without_a_pack_or_a_volume() {
    // Half of it comes with the second backup, in a pack of its own.
    let whole = world().ready();
    let file = Seeded::new(8).bytes(6_000_000);
    let image = whole.dir("docs").join("image");
    for end in [3_000_000, file.len()] {
        fs::write(&image, &file[..end]).unwrap();
        whole.tuckbox(["backup", &whole.arg("docs")]).ok();
    }
    fs::remove_file(largest_pack(&whole)).unwrap();
    let left = |world: &World| {
        let image = world.arg("docs/image");
        let run = world.tuckbox(["restore", &image, "--to", &world.arg("out"), "--with-holes", "--verify"]).run();
        let (expected, _) = with_zeros(&fs::read(&image).unwrap(), &run.exits(10));
        assert!(fs::read(world.path("out/image")).unwrap() == expected);
    };
    left(&whole);

    // Chance says on which disk a pack lies, so it goes on until there are some on each.
    let world = world().ready();
    world.tuckbox(["volume", "add", &world.arg("second")]).ok();
    let path = world.dir("docs").join("image");
    let large = |dir: PathBuf| {
        let packs = with_ending(&dir, "pack");
        packs.iter().any(|pack| fs::metadata(pack).unwrap().len() > 500_000)
    };
    let (mut image, mut seed) = (Vec::new(), 0);
    while !large(world.vault()) || !large(world.path("second")) {
        image.extend(Seeded::new(100 + seed).bytes(1_500_000));
        seed += 1;
        fs::write(&path, &image).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).ok();
        assert!(seed < 30, "one of both is never taken");
    }
    fs::remove_dir_all(world.path("second")).unwrap();
    // A disk that is away may come back, so nothing is lost yet.
    let run = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("early"), "--with-holes"]).run();
    run.fails("volume.absent", 8);
    world.tuckbox(["volume", "remove", "1", "--lost", "--yes"]).ok();
    left(&world);
}

/// A person who follows the hints comes to an end, and nothing is called well before it is.
#[test]
fn what_no_source_has_any_more_comes_to_an_end() {
    let world = world().with_env("TUCKBOX_CLOCK", "2026-11-01T10:00:00Z").ready();
    rotten(&world);
    // As long as a source may have it, a backup is the way, and so it is told.
    let check = world.tuckbox(["check", "--read-data"]).run().exits(10);
    let film = world.arg("docs/film");
    assert!(check.text().contains(&format!("DAMAGED  {film}: ")), "{check}");
    assert!(check.text().contains("gives it back, if its source still has it"), "{check}");
    assert!(check.text().contains("findings of damage. Next:  tuckbox backup "), "{check}");
    fs::remove_file(&film).unwrap();
    fs::remove_file(world.path("docs/film too")).unwrap();
    let backup = world.tuckbox(["backup", &world.arg("docs")]).ok();
    assert!(backup.err().contains("`tuckbox check` names what is lost"), "{backup}");
    // Now it is not, and all of it is said: what is lost, what is left, how one lives on.
    let vault = world.arg("vault");
    let check = world.tuckbox(["check", "--vault", &vault]).run().exits(10);
    let text = check.text();
    let rows: Vec<&str> = text.lines().filter(|line| line.contains(&film)).collect();
    assert_eq!(rows.len(), 2, "{check}");
    let first = world.tuckbox(["versions", "--json"]).ok().records("version")[0]["sequence"].as_u64().unwrap();
    assert!(rows[0].contains(&format!("is lost in version no. {first}")), "{check}");
    let left = format!("tuckbox restore --vault {vault} --at no.{first} --with-holes PATH --to DIR");
    assert!(text.contains(&format!("so no backup gives it back; what is left: {left}")), "{check}");
    assert!(text.contains("1 version has holes that no backup fills; the newest is whole"), "{check}");
    assert!(text.contains(&format!("  tuckbox forget --vault {vault} no.N  ")), "{check}");
    assert!(!text.contains("tuckbox backup"), "{check}");
    let json = world.tuckbox(["check", "--json"]).run().exits(10);
    assert_eq!(json.count("versions_with_holes"), 1, "{json}");
    for verb in ["status", "doctor"] {
        world.tuckbox([verb]).run().exits(4).says("what stays lost after it: tuckbox check");
    }
    world.tuckbox(["repair"]).ok().says("Nothing to repair without a source").says("tuckbox check");
    // What is told can be done.
    let number = format!("no.{first}");
    world.tuckbox(["restore", "--at", &number, "--with-holes", &film, "--to", &world.arg("out")]).run().exits(10);
    world.tuckbox(["forget", &number, "--yes"]).ok();
    let trashed = world.tuckbox(["check"]).run().exits(10).says("Only versions in the trash have holes");
    assert!(!trashed.text().contains(&film), "{trashed}");
    world.tuckbox(["status"]).run().exits(4);
    for later in ["2026-11-16T10:00:00Z", "2026-11-17T10:00:00Z"] {
        world.tuckbox(["backup", &world.arg("docs")]).env("TUCKBOX_CLOCK", later).ok();
    }
    let later = world.with_env("TUCKBOX_CLOCK", "2026-11-17T10:00:00Z");
    later.tuckbox(["check", "--read-data"]).ok().says("Everything is there.");
    later.tuckbox(["status"]).ok().says("OK account=ana");
    later.tuckbox(["doctor"]).ok().says("nothing is known to be damaged");
}

/// Who may not write in a directory of theirs gets it for the time of a restore and no longer.
#[test]
fn permissions_of_directories_that_stay_are_as_they_were() {
    if !need::root() {
        return;
    }
    let world = world();
    let world = world.user("guest", 4_321).with_vault(world.arg("home-guest/vault"));
    world.tuckbox(["init"]).ok();
    let docs = Tree::at(world.path("docs"));
    docs.dir("closed").file("a", "a").file("b", "b");
    docs.dir("blind").file("c", "c");
    for path in ["docs", "docs/closed", "docs/closed/a", "docs/closed/b", "docs/blind", "docs/blind/c"] {
        world.give(&world.path(path));
    }
    let (closed, blind) = (world.path("docs/closed"), world.path("docs/blind"));
    let permit = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    permit(&closed, 0o500);
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let (all, one) = (world.arg("docs"), world.arg("docs/closed/a"));
    for words in [&[&*one][..], &[&all, "--overwrite", "keep-both"], &[&all, "--overwrite", "never"], &[&all]] {
        fs::remove_file(closed.join("a")).unwrap();
        // It can be opened by nobody but root as it is.
        permit(&blind, 0o300);
        world.tuckbox(["restore", "--yes"]).and(words).ok();
        assert!(closed.join("a").exists());
        let finished = words == [&all];
        assert_eq!((mode(&closed), mode(&blind)), (0o500, if finished { 0o755 } else { 0o300 }), "{words:?}");
    }
    // Also one that the version has so is met again.
    world.tuckbox(["backup", &all]).ok();
    for n in [0o311, 0o000] {
        permit(&closed, 0o700);
        world.tuckbox(["backup", &all]).ok();
        permit(&closed, n);
        world.tuckbox(["restore", "--yes", "--overwrite", "if-newer", &all]).ok();
        assert_eq!(mode(&closed), 0o700, "{n:o}");
    }
}

/// The same when it ends early.
#[test]
fn permissions_are_as_they_were_after_an_early_end() {
    if !need::root() {
        return;
    }
    let world = world();
    let world = world.user("guest", 4_321).with_vault(world.arg("home-guest/vault"));
    world.tuckbox(["init"]).ok();
    let closed = Tree::at(world.path("docs")).dir("closed");
    // More than comes before a busy machine has sent the signal.
    closed.file("a", Seeded::new(1).bytes(24_000_000));
    for path in ["docs", "docs/closed", "docs/closed/a"] {
        world.give(&world.path(path));
    }
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let closed = closed.path();
    fs::remove_file(closed.join("a")).unwrap();
    fs::set_permissions(closed, fs::Permissions::from_mode(0o500)).unwrap();
    let run = world.tuckbox(["undelete", &world.arg("docs/closed"), "--yes", "--limit", "1M"]).start();
    until(SOON, "a file that is begun", || run.has_written_below(closed));
    assert_eq!(fs::metadata(closed).unwrap().mode() & 0o7777, 0o700);
    run.signal(rustix::process::Signal::TERM);
    let run = run.wait();
    assert_eq!(fs::metadata(closed).unwrap().mode() & 0o7777, 0o500);
    assert_eq!(fs::read_dir(closed).unwrap().count(), 0, "{run}");
}
