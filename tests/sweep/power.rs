//! Power that is cut: ext4 on an image is shut down in the middle of a run without writing out its log, and mounted again.
//! What was not synced is gone then. Acknowledged versions are not.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::look::{self, Listing};
use tests::need::{self, Mounted};
use tests::tree::{Seeded, Tree};
use tests::world::World;
use tests::{oath, subject};

use crate::{Tally, share, tripwire, world};

/// Cuts of each kind in the short form.
const SHORT: u64 = 8;
/// Cuts with syncs disabled, which must lose something.
const CONTROL: u64 = 5;

/// Makes an image of so many MiB with an ext4 on it.
pub(crate) fn make_ext4(image: &Path, mib: u64) {
    std::fs::File::create(image).unwrap().set_len(mib << 20).unwrap();
    let mut command = Command::new(need::find("mkfs.ext4").expect("looked for before"));
    let done = command.args(["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0"]).arg(image).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A machine whose whole disk is on an image.
struct Machine {
    // These three go in this order: what is on the disk, the disk, what it is mounted in.
    world: World,
    mounted: Option<Mounted>,
    /// What is not on that disk.
    outside: World,
    image: PathBuf,
    at: PathBuf,
    /// Acknowledged versions and what they hold.
    acknowledged: Vec<(String, Listing)>,
    turn: u64,
}

impl Machine {
    /// A fresh one; `None`, and told, where none can be made.
    fn new() -> Option<Self> {
        if !need::root() || !need::programs(&["mkfs.ext4"]) {
            return None;
        }
        tripwire::program()?;
        let outside = world();
        let (image, at) = (outside.path("image"), outside.dir("machine"));
        make_ext4(&image, 64);
        let mounted = need::mount_image(&at, &image)?;
        let world = World::on(&at, env!("CARGO_BIN_EXE_subject"));
        let mut machine = Self { outside, image, at, mounted: Some(mounted), world, acknowledged: Vec::new(), turn: 0 };
        machine.world = machine.world.with_vault(machine.world.arg("vault"));
        Some(machine)
    }

    /// Changes the source, durably.
    fn work(&mut self) {
        self.turn += 1;
        let mut chance = Seeded::new(self.turn);
        oath::remove(&self.world.path(format!("docs/turn-{}", self.turn.saturating_sub(3))));
        oath::remove(&self.world.path("docs/common"));
        let docs = Tree::at(self.world.path("docs"));
        docs.file("common", chance.bytes(150_000));
        docs.dir(format!("turn-{}", self.turn)).file("small", chance.text(2_000)).file("raw", chance.bytes(30_000));
        drop(docs.age());
        let done = Command::new("sync").arg("-f").arg(&self.at).status().unwrap();
        assert!(done.success());
    }

    /// A backup whose `at`th call is its last before the power goes; 0: it ends first. `lying`: nothing is synced.
    fn backup(&mut self, at: u64, lying: bool) -> subject::Outcome {
        let (action, at) = if at == 0 { ("count".to_owned(), 0) } else { (format!("cut:{}", self.at.display()), at) };
        let mut words = if lying { vec!["-s".to_owned()] } else { Vec::new() };
        words.extend(["-p".into(), "-l".into(), self.outside.arg("calls"), action, at.to_string(), "tuckbox".into()]);
        words.extend(["backup".into(), self.world.arg("docs"), "--json".into()]);
        std::fs::remove_file(self.outside.path("calls")).unwrap_or_default();
        let run = self.world.command(tripwire::program().expect("built"), words).cwd("/").run();
        if let Some(id) = oath::acknowledged(&run) {
            self.acknowledged.push((id, look::at(self.world.path("docs"))));
        }
        run
    }

    /// Cuts the power, if that was not done, and switches on again.
    fn power_cycle(&mut self) {
        let touched = self.at.join("touched");
        let words = [&format!("cut:{}", self.at.display()), "1", "sh", "-c", &format!("echo > {}", touched.display())];
        // Cut already, it cannot be cut again.
        drop(Command::new(tripwire::program().expect("built")).args(words).output());
        // A process of the run that was cut may still be ending.
        self.mounted.take().expect("it was mounted").taken_away();
        self.mounted = Some(need::mount_image_again(&self.at, &self.image));
    }

    /// Everything acknowledged is there, and the next run does well.
    fn holds(&mut self) {
        let ids = oath::versions(&self.world);
        for (id, _) in &self.acknowledged {
            assert!(ids.contains(id), "the acknowledged version {id} is gone; there are {ids:?}");
        }
        let old = usize::try_from(Seeded::new(self.turn).below(self.acknowledged.len() as u64)).unwrap();
        let some = self.acknowledged.iter().rev().take(1).chain(self.acknowledged.get(old));
        some.for_each(|(id, tree)| oath::restored(&self.world, "docs", id).same_as(tree));
        oath::clean(&self.world);
        oath::counted(&self.world);
        self.backup(0, false).ok();
    }

    /// Calls of the last run.
    fn calls(&self) -> u64 {
        std::fs::read_to_string(self.outside.path("calls")).map_or(1, |text| text.lines().count() as u64)
    }
}

/// Cuts at varied moments, one after the other in the life of one machine.
#[test]
fn acknowledged_versions_survive() {
    let Some(mut machine) = Machine::new() else { return };
    machine.world.tuckbox(["init"]).ok();
    machine.work();
    machine.backup(0, false).ok();
    let mut chance = Seeded::new(share(1));
    let mut tally = Tally::default();
    for cut in 0..share(SHORT) {
        // Now and then a fresh disk, so that it does not fill.
        if cut % 25 == 24 {
            machine = Machine::new().expect("as before");
            machine.world.tuckbox(["init"]).ok();
            machine.work();
            machine.backup(0, false).ok();
        }
        let calls = machine.calls();
        machine.work();
        // Every fourth time the run ends, and the power goes just after.
        let at = if cut % 4 == 3 { 0 } else { 1 + chance.below(calls) };
        tally.case(
            || format!("cut {cut} at call {at} of {calls}"),
            || {
                let run = machine.backup(at, false);
                assert!([0, 137].contains(&run.code()), "{run}");
                machine.power_cycle();
                machine.holds();
            },
        );
    }
    tally.end("power cuts");
}

/// The same with syncs that do nothing loses something; else the test above would not see a thing.
#[test]
fn without_syncs_they_do_not() {
    let mut lost = 0;
    for _ in 0..CONTROL {
        let Some(mut machine) = Machine::new() else { return };
        machine.world.tuckbox(["init"]).ok();
        machine.work();
        machine.backup(0, false).ok();
        machine.work();
        machine.backup(0, true).ok();
        machine.power_cycle();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| machine.holds()));
        lost += u64::from(seen.is_err());
    }
    println!("sweep: power cuts without syncs: {CONTROL} tried, {lost} lost something, as they must");
    assert!(lost > 0, "a disk that syncs nothing lost nothing: the cuts do not cut");
}
