//! Sixteen machines at one vault, each at its own work: they back up, restore, check, forget, keep house. By chance clients
//! and servers are killed, lines are cut at some byte, and for some servers the disk is full or fails from some call on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use tests::look::{self, Listing};
use tests::oath;
use tests::subject::Outcome;
use tests::tree::{Seeded, Tree};
use tests::world::World;

use crate::tripwire::{self, Action};
use crate::{share, world};

/// Machines. The last half of them work four to an account.
pub(crate) const MACHINES: usize = 16;
/// Turns of each machine in the short form.
const SHORT: u64 = 6;
/// What is run now and then, and what else than 0 it may end with whatever befalls its server: 5, there is no such version
/// yet; 6, somebody else keeps house; 12, a version is the newest, or pinned, and stays. `OWN` is the machine's first acknowledged version, `NAME` the account.
const UPKEEP: Upkeep = &[
    ("housekeep", &[6]),
    ("housekeep policy --keep-daily 60", &[]),
    ("check", &[]),
    ("find text", &[5]),
    ("pin latest", &[5]),
    ("pin --undo latest", &[5]),
    ("forget OWN", &[5, 12]),
    ("forget --undo OWN", &[5]),
    ("account set NAME --hard 1T", &[]),
];

/// Command lines, and what they may end with.
pub(crate) type Upkeep = &'static [(&'static str, &'static [i32])];

/// What befalls the server of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    None,
    Killed,
    Cut,
    /// From some call on no write succeeds.
    Disk(Errno),
}

impl Fate {
    /// Whether a run may end so because of it.
    fn explains(self, run: &Outcome) -> bool {
        let says = |words: &str| run.err().contains(words) || String::from_utf8_lossy(&run.stdout).contains(words);
        match (self, run.code()) {
            (Self::Killed | Self::Cut, 8) => true,
            (Self::Disk(Errno::NOSPC), 9) => says("disk.full"),
            (Self::Disk(_), 1) => says("disk.failed") || says("the vault's catalog"),
            _ => false,
        }
    }
}

/// What all of them did.
#[derive(Default)]
pub(crate) struct Done {
    runs: AtomicU64,
    killed: AtomicU64,
    cut: AtomicU64,
    refused: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    restored: AtomicU64,
    pub(crate) kept_house: AtomicU64,
}

impl Done {
    /// In words.
    pub(crate) fn text(&self) -> String {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        format!(
            "{MACHINES} machines: {} backups, {} kills, {} cut lines, {} full or failing disks, {} versions acknowledged, \
             {} restored meanwhile, house kept {} times beside",
            count(&self.runs),
            count(&self.killed),
            count(&self.cut),
            count(&self.refused),
            count(&self.acknowledged),
            count(&self.restored),
            count(&self.kept_house)
        )
    }
}

/// One machine, its source, and what was acknowledged of it.
pub(crate) struct Machine {
    pub(crate) world: World,
    name: String,
    pub(crate) account: String,
    chance: Seeded,
    turn: u64,
    pub(crate) acknowledged: Vec<(String, Listing)>,
    upkeep: Upkeep,
    /// The first of the acknowledged versions that is restored meanwhile.
    pub(crate) first: usize,
    /// Its last backup did not come to its end.
    pub(crate) ended_early: bool,
    /// How long a lost line is tried again.
    pub(crate) retry: &'static str,
}

impl Machine {
    pub(crate) fn source(&self) -> String {
        format!("src-{}", self.name)
    }

    /// Changes the source.
    fn work(&mut self) {
        self.turn += 1;
        let path = self.world.path(self.source());
        oath::remove(&path.join(format!("turn-{}", self.turn.saturating_sub(4))));
        oath::remove(&path.join("common"));
        let size = usize::try_from(self.chance.below(120_000)).unwrap();
        let tree = Tree::at(path);
        tree.file("common", self.chance.bytes(size));
        tree.dir(format!("turn-{}", self.turn)).file("text", self.chance.text(size / 4));
        drop(tree.age());
    }

    /// How the vault is reached this time: a server that may not live long, a line that may not hold, a disk that may
    /// be full.
    fn server(&mut self, done: &Done) -> (World, Fate) {
        let vault = self.world.arg("vault");
        let serve = format!("serve --stdio --role admin --vault {vault}");
        let (fate, line) = match self.chance.below(16) {
            0..4 => {
                done.killed.fetch_add(1, Ordering::Relaxed);
                (Fate::Killed, format!("timeout -s KILL 0.{:03} tuckbox {serve}", 5 + self.chance.below(300)))
            }
            4 | 5 => {
                done.cut.fetch_add(1, Ordering::Relaxed);
                let (to, from) = (200 + self.chance.below(200_000), 200 + self.chance.below(60_000));
                (Fate::Cut, format!("{} {to} {from} tuckbox {serve}", env!("CARGO_BIN_EXE_cut")))
            }
            6 | 7 if tripwire::program().is_some() => {
                done.refused.fetch_add(1, Ordering::Relaxed);
                let why = if self.chance.below(3) == 0 { Errno::IO } else { Errno::NOSPC };
                let words =
                    tripwire::words(&self.world, Action::Errors(why.raw_os_error()), 1 + self.chance.below(120), false);
                (Fate::Disk(why), format!("{} {serve}", words.join(" ")))
            }
            _ => (Fate::None, format!("tuckbox {serve}")),
        };
        (self.world.with_vault(format!("cmd:{line}")).with_env("TUCKBOX_RETRY", self.retry), fate)
    }

    pub(crate) fn turn(&mut self, done: &Done) {
        self.work();
        let (world, fate) = self.server(done);
        let source = world.arg(&self.source());
        let call = world.tuckbox(["backup", &source, "--json"]).start();
        done.runs.fetch_add(1, Ordering::Relaxed);
        let run = if self.chance.below(4) == 0 {
            let _ended = call.ends_within(Duration::from_millis(self.chance.below(400)));
            done.killed.fetch_add(1, Ordering::Relaxed);
            call.kill()
        } else {
            call.wait()
        };
        // The server of a run that did not come to its end may hold the source for another moment.
        let busy = self.ended_early && run.code() == 6 && run.to_string().contains("source.busy");
        assert!([0, 137].contains(&run.code()) || busy || fate.explains(&run), "{fate:?}\n{run}");
        self.ended_early = run.code() != 0;
        if let Some(id) = oath::acknowledged(&run) {
            done.acknowledged.fetch_add(1, Ordering::Relaxed);
            self.acknowledged.push((id, look::at(&source)));
        }
        match self.chance.below(6) {
            0 => self.restore(done),
            1 | 2 => self.upkeep(done),
            _ => {}
        }
    }

    /// One verb of upkeep.
    fn upkeep(&mut self, done: &Done) {
        let turn = usize::try_from(self.chance.below(self.upkeep.len() as u64)).unwrap();
        let (line, codes) = self.upkeep[turn];
        let own = self.acknowledged.first().map_or("latest", |(id, _)| id);
        let words: Vec<_> =
            line.split(' ').map(|word| word.replace("OWN", own).replace("NAME", &self.account)).collect();
        let (world, fate) = self.server(done);
        let run = world.tuckbox(words).run();
        assert!(run.code() == 0 || codes.contains(&run.code()) || fate.explains(&run), "{fate:?}\n{run}");
    }

    /// Restores an acknowledged version from a server that lives.
    fn restore(&mut self, done: &Done) {
        let count = (self.acknowledged.len() - self.first) as u64;
        let Some((id, tree)) = self.acknowledged.get(self.first + usize::try_from(self.chance.below(count)).unwrap())
        else {
            return;
        };
        self.is(id, tree);
        done.restored.fetch_add(1, Ordering::Relaxed);
    }

    /// This version holds this.
    pub(crate) fn is(&self, id: &str, tree: &Listing) {
        let out = format!("out-{}", self.name);
        let words =
            ["restore", &self.world.arg(&self.source()), "--to", &self.world.arg(&out), "--at", &format!("id:{id}")];
        self.world.tuckbox(words).ok();
        tree.same_as(&look::at(self.world.path(&out).join(self.source())));
        oath::remove(&self.world.path(&out));
    }
}

/// Sixteen machines: eight with an account each, eight with one in four.
pub(crate) fn machines(base: &World, upkeep: Upkeep) -> Vec<Machine> {
    let vault = base.arg("vault");
    let (mut words, mut account) = (String::new(), String::new());
    let mut machines = Vec::new();
    for number in 0..MACHINES {
        let name = format!("m{number:02}");
        let world = base.machine(&name).with_vault(&vault);
        if number < MACHINES / 2 || number % 4 == 0 {
            world.tuckbox(["init"]).ok();
            words = world.words();
            account.clone_from(&name);
        } else {
            let file = world.home().join("words");
            std::fs::write(&file, &words).unwrap();
            world.tuckbox(["key", "recover", "--words-file", file.to_str().unwrap()]).ok();
        }
        let chance = Seeded::new(1_000 + number as u64);
        let (account, acknowledged) = (account.clone(), Vec::new());
        machines.push(Machine {
            world,
            name,
            account,
            chance,
            turn: 0,
            acknowledged,
            upkeep,
            first: 0,
            ended_early: false,
            retry: "3s",
        });
    }
    machines
}

/// All machines do their work at once, while house is kept of the account of one after the other. Each comes back when all
/// are done: before what went wrong with one ends the test, else the house would be kept for ever.
pub(crate) fn all_at_once(
    machines: Vec<Machine>,
    work: impl Fn(&mut Machine) + Sync,
    keep_house: impl Fn(&World) + Send,
) -> Vec<Machine> {
    let worlds: Vec<_> = machines.iter().map(|machine| machine.world.clone()).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let goes_on = || !over.load(Ordering::Relaxed);
        let keeper = scope.spawn(move || worlds.iter().cycle().take_while(|_| goes_on()).for_each(keep_house));
        let work = &work;
        let works: Vec<_> = machines
            .into_iter()
            .map(|mut machine| {
                scope.spawn(move || {
                    work(&mut machine);
                    machine
                })
            })
            .collect();
        let ended: Vec<_> = works.into_iter().map(|work| work.join()).collect();
        over.store(true, Ordering::Relaxed);
        keeper.join().expect("what went wrong is told above");
        ended.into_iter().map(|end| end.expect("what went wrong is told above")).collect()
    })
}

/// Keeps house once.
fn keep_house(world: &World, done: &Done) {
    let run = world.tuckbox(["housekeep"]).run();
    assert!([0, 6].contains(&run.code()), "{run}");
    done.kept_house.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn sixteen_machines_at_one_vault() {
    let done = Done::default();
    let turns = share(SHORT).min(1_000_000);
    let machines = all_at_once(
        machines(&world(), UPKEEP),
        |machine| (0..turns).for_each(|_| machine.turn(&done)),
        |world| keep_house(world, &done),
    );
    for machine in &machines {
        // Out of the trash, where nothing is lost either.
        if let Some((first, _)) = machine.acknowledged.first() {
            machine.world.tuckbox(["forget", "--undo", first]).ok();
        }
        let ids = oath::versions(&machine.world);
        let lost: Vec<_> = machine.acknowledged.iter().filter(|(id, _)| !ids.contains(id)).collect();
        assert!(lost.is_empty(), "{}: {} acknowledged versions are gone", machine.name, lost.len());
        for (id, tree) in machine.acknowledged.iter().rev().take(3) {
            machine.is(id, tree);
        }
        machine.world.tuckbox(["backup", &machine.world.arg(&machine.source())]).ok();
        oath::clean(&machine.world);
    }
    oath::counted(&machines[0].world);
    println!("sweep: {}, 0 lost", done.text());
    assert!(done.acknowledged.load(Ordering::Relaxed) > 0);
}
