//! What a run costs, in counts: turns of the line, bytes sent and read, nodes made again, syncs, transactions.
//!
//! That a run without a change opens no file is in [`round_trip`](crate::round_trip); the same at full size, with
//! times, is in `tests/bench/grow`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use tests::need;
use tests::subject::{Outcome, files_below};
use tests::tree::{self, Seeded, Tree};
use tests::wait::until;
use tests::world::World;

use crate::world;

/// Longest wait for the server's end to be over after the client's.
const SOON: Duration = Duration::from_secs(60);
/// Longest time of a run under strace, which makes each of its calls many times as long.
const TRACED_MAX: Duration = Duration::from_secs(900);
/// Times that turns are counted: a busy machine makes them too many, never too few.
const TRIES: u32 = 4;
const KIB: u64 = 1 << 10;
const MB: u64 = 1_000_000;

// ---- the line -------------------------------------------------------------------------------------------------------

/// What went over the line of one run.
#[derive(Debug)]
struct Line {
    /// Times that it turned towards the vault: round trips.
    turns: u64,
    to: u64,
    from: u64,
}

/// Runs over a line that counts. The vault has another address then, and with it another cache.
fn counted(world: &World, words: &[&str]) -> (Outcome, Line) {
    let (program, tally) = (env!("CARGO_BIN_EXE_tally"), world.path("tally"));
    fs::remove_file(&tally).unwrap_or_default();
    let serve = format!("tuckbox serve --stdio --vault {}", world.arg("vault"));
    let line = world.with_vault(format!("cmd:exec {program} {} {serve}", tally.display()));
    let run = line.tuckbox(words).and(["--json"]).ok();
    // It counts to the end, which may be a moment after the client's.
    until(SOON, "the count", || fs::read_to_string(&tally).is_ok_and(|text| text.ends_with('\n')));
    let text = fs::read_to_string(&tally).unwrap();
    let counts: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [turns, to, from] = counts[..] else { panic!("more than one connection: {text}") };
    (run, Line { turns, to, from })
}

/// The fewest turns that such a run was seen to take, and the line and summary of that run.
fn fewest(most: u64, mut run: impl FnMut() -> (Outcome, Line)) -> (Outcome, Line) {
    let mut best = run();
    for _ in 1..TRIES {
        if best.1.turns <= most {
            break;
        }
        let next = run();
        if next.1.turns < best.1.turns {
            best = next;
        }
    }
    assert!(best.1.turns <= most, "at most {most} turns were to be: {:?}\n{}", best.1, best.0);
    best
}

#[test]
fn a_run_without_a_change_takes_three_turns_and_two_kib() {
    let world = world().ready();
    tree::seeded(world.path("source"), 61, 1_000, 3_000_000);
    let source = world.arg("source");
    counted(&world, &["backup", &source]);
    // One for the account, one for session and commit, one for the goodbye.
    let (run, line) = fewest(3, || counted(&world, &["backup", &source]));
    assert_eq!(run.count("files_unchanged"), 1_000, "{run}");
    assert!(line.to + line.from <= 2 * KIB, "{line:?}\n{run}");
    let told = run.count("sent_bytes") + run.count("received_bytes");
    assert_eq!(told, line.to + line.from, "what is told is what went over the line\n{run}");

    // A lost cache comes in one flight more.
    let (run, _) = fewest(4, || {
        fs::remove_dir_all(world.home().join(".cache")).unwrap();
        counted(&world, &["backup", &source])
    });
    assert_eq!(run.count("files_unchanged"), 1_000, "{run}");
}

#[test]
fn many_versions_are_listed_at_once() {
    let world = world().ready();
    tree::small(world.path("source"));
    for _ in 0..30 {
        world.tuckbox(["backup", &world.arg("source")]).ok();
    }
    counted(&world, &["versions"]);
    let (run, _) = fewest(2, || counted(&world, &["versions"]));
    assert_eq!(run.records("version").len(), 30, "{run}");
}

// ---- bytes ----------------------------------------------------------------------------------------------------------

/// Backs the source up; gives the summary's run.
fn backup(world: &World) -> Outcome {
    world.tuckbox(["backup", &world.arg("source"), "--json"]).ok()
}

/// Bytes that compress to half, and fast to make.
fn text(chance: &mut Seeded, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size + 16);
    while out.len() < size {
        let number = chance.number().to_le_bytes();
        out.extend(number.iter().flat_map(|byte| [b'a' + (byte >> 4), b'a' + (byte & 15)]));
    }
    out.truncate(size);
    out
}

/// A file of so many MiB, after what stands at its front; its time is long ago.
fn large(path: &Path, front: &[u8], seed: u64, mib: u64) {
    let mut chance = Seeded::new(seed);
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(front).unwrap();
    for _ in 0..mib {
        file.write_all(&text(&mut chance, 1 << 20)).unwrap();
    }
    file.flush().unwrap();
    drop(file);
    age(path);
}

/// Its directory's files count as old again.
fn age(path: &Path) {
    drop(Tree::at(path.parent().unwrap()).age());
}

#[test]
fn one_changed_file_among_many_sends_little() {
    let world = world().ready();
    tree::seeded(world.path("source"), 63, 5_000, 10_000_000);
    backup(&world);
    let files = files_below(&world.path("source"));
    fs::write(&files[files.len() / 2], Seeded::new(1).bytes(4_096)).unwrap();
    let run = backup(&world);
    assert_eq!((run.count("files_changed"), run.count("read_bytes")), (1, 4_096), "{run}");
    assert!(run.count("sent_bytes") <= 64 * KIB, "{run}");
}

#[test]
fn one_byte_at_the_front_of_a_large_file_sends_little() {
    let world = world().ready();
    let file = world.dir("source").join("large");
    large(&file, b"", 64, 64);
    let first = backup(&world);
    assert!(first.count("sent_bytes") > 15 * MB, "{first}");
    large(&file, b"!", 64, 64);
    let run = backup(&world);
    assert_eq!(run.count("files_changed"), 1, "{run}");
    assert!(run.count("sent_bytes") < MB, "{run}");
    assert_eq!(run.count("read_bytes"), (64 << 20) + 1, "it is read once\n{run}");
}

#[test]
fn three_small_writes_in_a_large_image_send_little() {
    let world = world().ready();
    let file = world.dir("source").join("disk.img");
    large(&file, b"", 65, 64);
    backup(&world);
    let (image, mut chance) = (File::options().write(true).open(&file).unwrap(), Seeded::new(2));
    for _ in 0..3 {
        image.write_all_at(&chance.bytes(4_096), chance.below(16_000) * 4_096).unwrap();
    }
    age(&file);
    let run = backup(&world);
    assert_eq!(run.count("files_changed"), 1, "{run}");
    // Three pages of 16 KiB, three pages of the list of 4,096 ids: nobody asks about what did not change.
    assert!(run.count("new_bytes") <= 3 * 16 * KIB, "{run}");
    assert!(run.count("sent_bytes") < 250 * KIB, "{run}");
}

#[test]
fn one_new_file_in_a_crowded_directory_makes_one_page_anew() {
    let world = world().ready();
    let source = Tree::at(world.path("source"));
    for number in 0..20_000 {
        source.file(format!("name-{number:05}"), format!("{number}"));
    }
    // What is younger than a minute is noted as such, and as older by the next run.
    let source = source.age();
    let first = backup(&world);
    source.file("name-10000-new", "new");
    let run = backup(&world);
    assert_eq!((run.count("files_new"), run.count("files_unchanged")), (1, 20_000), "{run}");
    assert!(run.count("sent_bytes") < 48 * KIB, "{run}");
    assert!(first.count("sent_bytes") > 4 * run.count("sent_bytes"), "{first}\n{run}");
}

// ---- calls of the system --------------------------------------------------------------------------------------------

/// What strace wrote of these calls, every thread for itself: one call a line, descriptors with their paths.
fn traced(world: &World, calls: &str, run: impl FnOnce(&World, &str)) -> Option<Vec<String>> {
    if !need::programs(&["strace"]) {
        return None;
    }
    let traces = world.dir("traces");
    run(world, &format!("strace -ff -y -qq -e trace={calls} -o {}", traces.join("of").display()));
    let texts: Vec<_> = files_below(&traces).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    fs::remove_dir_all(traces).unwrap();
    Some(texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect())
}

#[test]
fn a_changed_file_is_read_once() {
    let world = world().ready();
    let file = world.dir("source").join("large");
    large(&file, b"", 66, 24);
    let size = 24 << 20;
    for front in [&b""[..], b"!"] {
        large(&file, front, 66, 24);
        let calls = "read,pread64,readv,preadv,preadv2";
        let lines = traced(&world, calls, |world, strace| {
            let words = strace.split(' ').skip(1).chain(["tuckbox", "backup"]);
            world.command("strace", words).and([world.arg("source")]).ok();
        });
        let Some(lines) = lines else { return };
        let reads = lines.iter().filter(|line| line.contains("source/large>"));
        let bytes: u64 = reads.filter_map(|line| line.rsplit_once("= ")?.1.parse::<u64>().ok()).sum();
        // Besides, a few KiB tell what kind of file it is.
        assert!((size..size + 256 * KIB).contains(&bytes), "{bytes} bytes read of {size}");
    }
}

#[test]
fn a_run_without_a_change_asks_for_little_besides_the_names() {
    let world = world().ready();
    tree::seeded(world.path("source"), 68, 400, 100_000);
    world.tuckbox(["backup"]).and([world.arg("source")]).ok();
    let run = |calls: &str| {
        traced(&world, calls, |world, strace| {
            let words = strace.split(' ').skip(1).chain(["tuckbox", "backup"]);
            world.command("strace", words).and([world.arg("source")]).ok();
        })
    };
    let Some(lines) = run("open,openat,lseek") else { return };
    let count = |of: &dyn Fn(&str) -> bool| lines.iter().filter(|line| of(line)).count();
    assert_eq!(
        count(&|line| line.starts_with("lseek") && line.contains("/source")),
        0,
        "a directory is read from its start"
    );
    // By what is told of the run, and by what counts the connection's bytes.
    let remembered = count(&|line| line.starts_with("open") && line.contains("activity.db\""));
    assert!(remembered <= 2, "activity.db was opened {remembered} times");
}

/// Syncs of one run, by what was synced.
#[derive(Clone, Copy, Debug)]
struct Syncs {
    /// Packs and what names them.
    staging: usize,
    /// The journal of the catalog: with `synchronous=FULL`, one for every transaction that wrote, and one each when the
    /// journal is begun and when it is taken in.
    journal: usize,
    all: usize,
}

/// What the vault's end syncs in one backup, and how that came out.
fn synced(world: &World, words: &[&str]) -> Option<(Syncs, Outcome)> {
    let mut outcome = None;
    let lines = traced(world, "fsync,fdatasync,syncfs,sync,sync_file_range,msync", |world, strace| {
        let ended = world.path("ended");
        fs::remove_file(&ended).unwrap_or_default();
        let serve = format!("{strace} tuckbox serve --stdio --vault {}", world.arg("vault"));
        let traced = world.with_vault(format!("cmd:{serve}; echo >{}", ended.display()));
        outcome = Some(traced.tuckbox(words).and([world.arg("source")]).limit(TRACED_MAX).ok());
        until(SOON, "the end of the server", || ended.exists());
    })?;
    let on = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    let syncs = Syncs { staging: on("/staging/"), journal: on("catalog.db-wal>"), all: lines.len() };
    Some((syncs, outcome?))
}

/// The same while so many files are backed up, and again when nothing has changed.
fn syncs(files: u64) -> Option<[Syncs; 2]> {
    let world = world().ready();
    tree::seeded(world.path("source"), 67, files, 6_000_000);
    let run = || synced(&world, &["backup"]).map(|(syncs, _)| syncs);
    Some([run()?, run()?])
}

#[test]
fn syncs_and_transactions_do_not_grow_with_the_number_of_files() {
    for files in [30, 5_000] {
        let Some([first, second]) = syncs(files) else { return };
        // A pack of data and one of nodes, each with its folder and the one above that; body and link, likewise; the
        // catalog: session, packs, link, and when it is closed journal, folder and file.
        assert!(first.staging <= 5 && first.journal <= 5 && first.all <= 19, "{files} files: {first:?}");
        // Body and link; no pack.
        assert!(second.staging <= 2 && second.journal <= 5 && second.all <= 12, "{files} files: {second:?}");
    }
}

/// A checkpoint on the way costs what the end of a run costs, however many files it has.
#[test]
fn a_checkpoint_on_the_way_is_one_commit() {
    let world = world().ready();
    let source = world.dir("source");
    tree::seeded(source.join("a-many"), 68, 3_000, 4_000_000);
    // One is due after a GiB that was read; the same two MiB again and again are stored once.
    let piece = text(&mut Seeded::new(68), 2 << 20);
    let mut large = BufWriter::new(File::create(source.join("b-large")).unwrap());
    (0..540).for_each(|_| large.write_all(&piece).unwrap());
    large.flush().unwrap();
    drop(large);
    tree::seeded(source.join("c-more"), 69, 200, 4_000_000);
    let Some((syncs, run)) = synced(&world, &["backup", "--json"]) else { return };
    // The chain's first link is the account's own.
    let ends = usize::try_from(run.count("sequence")).unwrap() - 1;
    // One after a GiB, the end, and one for each minute that it took.
    let most = 3 + usize::try_from(run.elapsed.as_secs() / 60).unwrap();
    assert!((2..=most).contains(&ends), "{ends} ends\n{run}");
    assert!(syncs.staging <= 5 * ends && syncs.journal <= 5 * ends && syncs.all <= 19 * ends, "{syncs:?}, {ends} ends");
}

#[test]
fn a_batch_pays_for_its_connection_and_its_look_once() {
    let world = world().ready();
    for dir in ["docs/a", "docs/b/c"] {
        fs::create_dir_all(world.path(dir)).unwrap();
        fs::write(world.path(dir).join("file"), dir).unwrap();
    }
    let docs = world.arg("docs");
    world.tuckbox(["backup", &docs]).ok();
    let turns = |commands: &[&str], most: u64| {
        let words: Vec<&str> =
            ["query"].into_iter().chain(commands.iter().flat_map(|command| ["-c", command])).collect();
        let run = || {
            // A machine that has seen nothing yet.
            fs::remove_dir_all(world.home().join(".cache")).unwrap_or_default();
            counted(&world, &words)
        };
        fewest(most, run).1.turns
    };
    let (list, cd) = (format!("ls {docs}"), format!("cd {docs}"));
    let one = turns(&[&list], 2);
    assert_eq!(one, 2, "one for account and look, one for the goodbye");
    let many = turns(&[&list, &cd, "ls", "cd a; ls -l", "cd ../b/c; ls; pwd", "at latest; ls -r"], one);
    assert_eq!(many, one, "directories that were seen cost no turn");
}
