//! A local user who swaps directories, files and links as fast as they can while root backs up or restores their
//! directory: nothing outside the source is read, nothing outside the target is written.
//!
//! `TUCKBOX_RACES` is the number of tries, each of them one name that is walked over while it changes (1,000 unless told).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use tests::look;
use tests::world::World;

use crate::world;

/// Names that are swapped at a time.
const NAMES: usize = 60;
/// What nobody may find in a backup.
const CANARY: &[u8] = b"CANARY-of-somebody-else";
/// Nothing may wait for a pipe that was put in the place of a file.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs for so many tries.
fn runs() -> usize {
    let tries: usize = std::env::var("TUCKBOX_RACES").map_or(1_000, |count| count.parse().expect("a number"));
    tries.div_ceil(NAMES)
}

/// Somebody who exchanges pairs of names until told to stop.
struct Swapper {
    stop: Arc<AtomicBool>,
    swaps: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Swapper {
    /// `again` puts a missing second name there once more.
    fn start(pairs: Vec<(PathBuf, PathBuf)>, again: impl Fn(&Path) + Send + 'static) -> Self {
        let (stop, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ended, count) = (Arc::clone(&stop), Arc::clone(&swaps));
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                for (one, other) in &pairs {
                    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
                        Ok(()) => drop(count.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => again(other),
                    }
                }
            }
        });
        Self { stop, swaps, thread: Some(thread) }
    }

    fn swaps(&self) -> u64 {
        self.swaps.load(Ordering::Relaxed)
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Somebody else's files: small ones that would lie in line, and ones that would be chunks.
fn outside(world: &World) -> PathBuf {
    let outside = world.dir("outside");
    for n in 0..2 {
        fs::write(outside.join(format!("file{n}")), CANARY).unwrap();
        fs::write(outside.join(format!("long{n}")), CANARY.repeat(300)).unwrap();
    }
    fs::create_dir(outside.join("below")).unwrap();
    fs::write(outside.join("below/file0"), CANARY).unwrap();
    outside
}

/// A directory as a user has it.
fn own(dir: &Path) {
    fs::create_dir_all(dir.join("below")).unwrap();
    for n in 0..2 {
        fs::write(dir.join(format!("file{n}")), format!("inside {n}")).unwrap();
        fs::write(dir.join(format!("long{n}")), b"inside ".repeat(300)).unwrap();
    }
    fs::write(dir.join("below/file0"), "inside").unwrap();
}

/// Whether what was backed up last holds the canary.
fn holds_canary(world: &World) -> bool {
    let tar = world.path("all.tar");
    let dumped = world.tuckbox(["dump", "/", "-o"]).and([&tar]).run();
    assert!([0, 3].contains(&dumped.code()), "{dumped}");
    let bytes = fs::read(&tar).unwrap();
    fs::remove_file(&tar).unwrap();
    bytes.windows(CANARY.len()).any(|window| window == CANARY)
}

#[test]
fn while_root_backs_up() {
    let world = world().ready();
    let outside = outside(&world);
    world.tuckbox(["backup", &world.arg("outside")]).ok();
    assert!(holds_canary(&world), "the search does not see");
    world.lose_everything();
    fs::remove_dir_all(world.vault()).unwrap();
    world.tuckbox(["init"]).ok();

    let docs = world.dir("docs");
    let mut pairs = Vec::new();
    for n in 0..NAMES {
        let (name, other) = (docs.join(format!("a{n}")), docs.join(format!("b{n}")));
        match n % 4 {
            0 | 1 => {
                own(&name);
                symlink(&outside, &other).unwrap();
            }
            2 => {
                fs::write(&name, "inside").unwrap();
                symlink(outside.join("long0"), &other).unwrap();
            }
            _ => {
                fs::write(&name, "inside").unwrap();
                mknodat(CWD, &other, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            }
        }
        pairs.push((name, other));
    }
    let swapper = Swapper::start(pairs, |_| {});
    let mut troubled = 0;
    for run in 0..runs() {
        let backup = world.tuckbox(["backup", &world.arg("docs"), "--accept-deletions"]).limit(LIMIT).run();
        assert!([0, 3].contains(&backup.code()), "{backup}");
        troubled += usize::from(backup.code() == 3);
        assert!(!holds_canary(&world), "run {run}: something outside the source was read");
    }
    println!("{} tries, {} swaps, {troubled} runs noticed", runs() * NAMES, swapper.swaps());
    assert!(swapper.swaps() > 1_000, "nothing was swapped");
}

#[test]
fn while_root_restores() {
    let world = world().ready();
    let docs = world.dir("docs");
    for n in 0..NAMES {
        own(&docs.join(format!("a{n}")));
    }
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let outside = outside(&world);
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    let before = look::at(&outside);
    let target = world.path("out/docs");
    let pairs: Vec<_> = (0..NAMES).map(|n| (target.join(format!("a{n}")), target.join(format!("b{n}")))).collect();
    let again = {
        let outside = outside.clone();
        move |missing: &Path| drop(symlink(&outside, missing))
    };
    let swapper = Swapper::start(pairs, again);
    let mut troubled = 0;
    for run in 0..runs() {
        // Files are written again, and what is too much (the links themselves) is removed.
        let delete = ["--delete", "--yes"].into_iter().filter(|_| run % 2 == 1);
        let restore = world
            .tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out"), "--overwrite", "always"])
            .and(delete)
            .limit(LIMIT)
            .run();
        assert!([0, 1, 3].contains(&restore.code()), "{restore}");
        troubled += usize::from(restore.code() != 0);
        before.same_as(&look::at(&outside));
    }
    println!("{} tries, {} swaps, {troubled} runs noticed", runs() * NAMES, swapper.swaps());
    assert!(swapper.swaps() > 1_000, "nothing was swapped");
    drop(swapper);
    // When nobody swaps any more, a restore makes it right.
    fs::remove_dir_all(&target).unwrap();
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out"), "--verify"]).ok();
    look::at(&docs).same_as(&look::at(&target));
}
