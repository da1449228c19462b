//! Disks that really are full: small ones in memory, by bytes and by files, and ext4 on an image. Under the vault, under
//! the home of the client, under what is restored. Said with exit 9; afterwards, with space, the next run succeeds.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::look::{self, Listing};
use tests::need::{self, Mounted};
use tests::oath;
use tests::subject::Outcome;
use tests::world::World;

use crate::stage::{change, source};
use crate::{Tally, share, spread, world};

/// Sizes of each series in the short form.
const SHORT: u64 = 5;
/// Exit code of what is full.
const FULL: i32 = 9;

/// Options of small disks: by kibibytes, then by number of files.
fn sizes(kib: u64, files: u64, seed: u64) -> Vec<String> {
    let by_bytes = spread(kib / 4, share(SHORT), seed).into_iter().map(|size| format!("{}k,nr_inodes=10000", size * 4));
    let by_files = spread(files, share(SHORT), seed + 1).into_iter().map(|count| format!("64m,nr_inodes={count}"));
    by_bytes.chain(by_files).collect()
}

/// Gives a small disk room.
fn widen(at: &Path) {
    let done = Command::new("mount").args(["-o", "remount,size=256m,nr_inodes=100000"]).arg(at).status().unwrap();
    assert!(done.success());
}

/// It did all, or says what is full.
fn full_or_fine(run: &Outcome) -> bool {
    assert!(!run.err().contains("panicked at"), "it panicked\n{run}");
    if run.code() == 0 {
        return true;
    }
    assert_eq!(run.code(), FULL, "{run}");
    assert!(run.err().contains("[disk.full"), "{run}");
    false
}

/// Versions acknowledged, each with what it holds.
#[derive(Default)]
struct Acknowledged(Vec<Listing>);

impl Acknowledged {
    fn backup(&mut self, world: &World) {
        let run = world.tuckbox(["backup", &world.arg("docs")]).env("TUCKBOX_RETRY", "1s").run();
        if full_or_fine(&run) {
            self.0.push(look::at(world.path("docs")));
        }
    }

    /// All there. A run that failed may have made one more.
    fn hold(&self, world: &World) {
        let ids = oath::versions(world);
        assert!(ids.len() >= self.0.len(), "{} of {} versions", ids.len(), self.0.len());
        if let [only] = self.0.as_slice() {
            oath::restored(world, "docs", &ids[0]).same_as(only);
        }
        oath::clean(world);
    }
}

/// Two versions are tried; whatever came of them, all is well with more room.
fn tried(world: &World, small: &Path, widened: impl FnOnce()) {
    source(world);
    let mut acknowledged = Acknowledged::default();
    let made = full_or_fine(&world.tuckbox(["init"]).run());
    if made {
        acknowledged.backup(world);
        change(world);
        acknowledged.backup(world);
    } else {
        change(world);
    }
    widened();
    assert!(small.exists());
    world.tuckbox(["init"]).ok();
    acknowledged.hold(world);
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let ids = oath::versions(world);
    oath::restored(world, "docs", ids.last().unwrap()).same_as(&look::at(world.path("docs")));
    oath::clean(world);
    oath::counted(world);
}

fn mounted(at: &Path, size: &str) -> Option<Mounted> {
    fs::create_dir_all(at).unwrap();
    need::mount_tmpfs(at, size)
}

#[test]
fn under_the_vault() {
    if !need::root() {
        return;
    }
    let mut tally = Tally::default();
    for (size, remote) in sizes(2_200, 60, 1).into_iter().zip([false, true].into_iter().cycle()) {
        let world = world();
        let Some(_mounted) = mounted(&world.vault(), &size) else { return };
        let serve = format!("cmd:tuckbox serve --stdio --vault {}", world.arg("vault"));
        let world = world.with_vault(if remote { serve } else { world.arg("vault") });
        tally.case(|| format!("{size}, remote {remote}"), || tried(&world, &world.vault(), || widen(&world.vault())));
    }
    tally.end("full disk under the vault");
}

#[test]
fn under_the_home_of_the_client() {
    if !need::root() {
        return;
    }
    let mut tally = Tally::default();
    for size in sizes(100, 45, 2) {
        let world = world();
        let home = world.home();
        let Some(_mounted) = mounted(&home, &size) else { return };
        let world = world.with_vault(world.arg("vault"));
        tally.case(|| size.clone(), || tried(&world, &home, || widen(&home)));
    }
    tally.end("full disk under the client's home");
}

#[test]
fn under_what_is_restored() {
    if !need::root() {
        return;
    }
    let mut tally = Tally::default();
    let base = world().ready();
    source(&base);
    base.tuckbox(["backup", &base.arg("docs")]).ok();
    for size in sizes(400, 18, 3) {
        let out = base.dir("small");
        let Some(_mounted) = mounted(&out, &size) else { return };
        tally.case(
            || size.clone(),
            || {
                let restore = || base.tuckbox(["restore", &base.arg("docs"), "--to", &base.arg("small")]);
                full_or_fine(&restore().run());
                widen(&out);
                restore().ok();
                look::at(base.path("docs")).same_as(&look::at(out.join("docs")));
            },
        );
    }
    tally.end("full disk under a restore");
}

#[test]
fn ext4_under_the_vault() {
    if !need::root() || !need::programs(&["mkfs.ext4"]) {
        return;
    }
    let mut tally = Tally::default();
    // What is left free, in KiB.
    for left in spread(1_600, share(3), 4) {
        let world = world();
        let image = world.path("image");
        let at = world.dir("disk");
        crate::power::make_ext4(&image, 12);
        let Some(_mounted) = need::mount_image(&at, &image) else { return };
        let filler = at.join("filler");
        let free = rustix::fs::statvfs(&at).unwrap();
        let take = (free.f_bavail * free.f_frsize).saturating_sub(left * 1024);
        let file = fs::File::create(&filler).unwrap();
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, take).unwrap();
        // The harness looks for the vault at its usual place.
        std::os::unix::fs::symlink(at.join("vault"), world.vault()).unwrap();
        let world = world.with_vault(world.arg("disk/vault"));
        tally.case(|| format!("{left} KiB left"), || tried(&world, &at, || fs::remove_file(&filler).unwrap()));
    }
    tally.end("full ext4 under the vault");
}
