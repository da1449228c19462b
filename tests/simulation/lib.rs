//! A whole world from one seed: a vault on a [disk that can lose its power](store::door::sim), clients that back up,
//! restore and look for damage side by side, processes that end at any call, calls that fail; and a judge who knows
//! what was promised to whom.
//!
//! * [`baton`]: whose turn it is; [`world`]: machine, processes, what befalls them
//! * [`catalogs`]: SQLite under simulation
//! * [`tree`]: what is backed up; [`client`]: who backs it up; [`wire`]: what is between it and the vault
//! * [`disks`]: volumes that come, go and vanish; [`groups`]: limits of groups
//! * [`house`]: housekeeping, and what it goes by
//! * [`judge`]: what must hold; [`rot`]: what must hold of a disk that rots
//! * [`mutant`]: ways to break the order, each of which the judge must see
//!
//! What is not simulated: what SQLite itself does when it is interrupted (`tests/sweep` kills the real program).

pub mod baton;
pub mod catalogs;
pub mod client;
pub mod disks;
pub mod groups;
pub mod house;
pub mod judge;
pub mod mutant;
pub mod rot;
pub mod tally;
pub mod tree;
pub mod wire;
pub mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::door::sim::Dice;
use store::vault::Access;

use client::Client;
use mutant::Mutant;
use tally::Tally;
use world::{Blow, Weather, World};

/// What became of a world.
#[derive(Debug)]
pub struct Told {
    /// What must never be, and was.
    pub violations: Vec<String>,
    /// The course of events as a number: the same for the same seed.
    pub trace: u64,
    /// How much happened.
    pub tally: Tally,
}

/// The folder for the catalogs of worlds: in memory where the system has such a place.
#[must_use]
pub fn folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    let parent = if shared.is_dir() { PathBuf::from(shared) } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("tuckbox-simulate-").tempdir_in(parent).unwrap()
}

/// Everything that this seed makes. `folder` is for its catalogs and is empty.
#[must_use]
pub fn run(seed: u64, folder: &Path, mutant: Option<Mutant>) -> Told {
    let world = World::new(seed, folder, mutant);
    let mut dice = Dice::new(seed ^ 0x5EED);
    if let Err(e) = world.found() {
        world.violated(format!("making the vault: {e}"));
    }
    if mutant.is_none() && groups::is_one(seed) && world.story().violations.is_empty() {
        groups::run(&world, &mut dice);
        let mut story = world.story();
        return Told { violations: std::mem::take(&mut story.violations), tally: story.tally, trace: 0 }.with(&story);
    }
    let large = dice.one_in(40);
    let mut clients: Vec<Client> =
        (0..1 + dice.below(4)).map(|no| Client::new(u8::try_from(no).unwrap(), large, dice.split())).collect();
    let mut longest = 300;
    for _ in 0..1 + dice.below(4) {
        if !world.story().violations.is_empty() {
            break;
        }
        epoch(&world, &mut clients, &mut dice, &mut longest);
    }
    if world.story().violations.is_empty() {
        // Of what rots the judge looks at home alone.
        match dice.one_in(3) && !world.has_disks() {
            true => rotting(&world, clients, &mut dice),
            false => last(&world, clients),
        }
    }
    let mut story = world.story();
    Told { violations: std::mem::take(&mut story.violations), tally: story.tally, trace: 0 }.with(&story)
}

impl Told {
    fn with(self, story: &world::Story) -> Self {
        Self { trace: story.trace(), ..self }
    }
}

/// Clients and others at work until all have ended, by themselves or by what befell them; then a look at what is left.
fn epoch(world: &Arc<World>, clients: &mut Vec<Client>, dice: &mut Dice, longest: &mut usize) {
    let mut blows = BTreeMap::new();
    for _ in 0..dice.below(3) {
        blows.insert(1 + dice.below(*longest) as u64, Blow::Kill);
    }
    let rots = world.is_rotten();
    // Of what a power cut and rot take together, nobody has promised anything.
    if !rots && dice.one_in(2) {
        blows.insert(1 + dice.below(*longest) as u64, Blow::Power);
    }
    let faults = if dice.one_in(3) { 30 + dice.below(200) } else { 0 };
    let read_faults = if faults > 0 && dice.one_in(2) { 300 } else { 0 };
    let spoils = if rots && dice.one_in(2) { 10 + dice.below(60) } else { 0 };
    world.begin_epoch(Weather { blows, faults, read_faults, spoils });
    world.baton.set_patience(1 + dice.below(12));

    let back = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut backups = 0;
    for mut client in clients.drain(..) {
        let runs = dice.below(3);
        backups += runs;
        let (mut dice, back) = (dice.split(), Arc::clone(&back));
        world.act(move |world| {
            for _ in 0..runs {
                if !dice.one_in(4) {
                    client.tree.change(&mut dice);
                }
                client.back_up(world);
            }
            back.lock().unwrap().push(client);
        });
    }
    let keepers = if dice.one_in(2) { 1 + dice.below(2) } else { 0 };
    for _ in 0..keepers {
        let dice = dice.split();
        world.act(|world| house::keep(world, dice));
    }
    if dice.one_in(3) {
        let dice = dice.split();
        world.act(|world| house::decide(world, dice));
    }
    if dice.one_in(3) {
        house::leap(world, dice);
    }
    if rots {
        let dice = dice.split();
        world.act(|world| rot::act(world, dice));
    }
    if world.has_disks() && !rots {
        let dice = Dice::new(dice.number());
        disks::act(world, dice);
    }
    world.set_calm(faults == 0 && backups <= 1 && keepers == 0 && !rots);
    match dice.below(6) {
        which @ (0 | 1) => {
            let (access, dice) = (if which == 0 { Access::Read } else { Access::Write }, dice.split());
            world.act(move |world| judge::restore(world, access, dice));
        }
        2 => world.act(judge::check),
        3 if !rots => world.act(judge::rebuild),
        _ => {}
    }
    world.run();
    disks::all_back(world);
    *longest = usize::try_from(world.story().calls).unwrap_or(0).clamp(100, 5_000);
    clients.append(&mut back.lock().unwrap());
    clients.sort_by_key(|client| client.source);

    world.settle();
    world.begin_epoch(Weather::default());
    if !world.is_rotten() {
        judge::judge(world);
    }
}

/// The disk rots from here on, at rest or while others are at work, and is healed as far as clients can.
fn rotting(world: &Arc<World>, mut clients: Vec<Client>, dice: &mut Dice) {
    for _ in 0..1 + dice.below(3) {
        let goes_on = || world.story().violations.is_empty();
        world.begin_epoch(Weather::default());
        if dice.one_in(2) {
            rot::strike(world, dice);
        } else {
            world.story().rot.begun = true;
            epoch(world, &mut clients, dice, &mut 300);
        }
        let looks = !dice.one_in(4);
        let decided = looks && goes_on() && rot::judge(world) == rot::Verdict::Decide;
        if decided || !goes_on() || !rot::heal(world, &mut clients, looks) || !goes_on() {
            return;
        }
    }
}

/// With nothing in the way, every client backs up, and is told so.
fn last(world: &Arc<World>, clients: Vec<Client>) {
    world.begin_epoch(Weather::default());
    for mut client in clients {
        world.act(move |world| {
            let told = (0..20).any(|_| client.back_up(world));
            if !told && world.story().violations.is_empty() {
                world.violated("a backup with nothing in its way is not committed");
            }
        });
    }
    world.run();
    world.begin_epoch(Weather::default());
    judge::judge(world);
    if !world.story().violations.is_empty() || !world.story().kept_house {
        return;
    }
    if let Err(e) = house::to_the_end(world) {
        world.violated(format!("housekeeping with nothing in its way: {e}"));
    }
    judge::judge(world);
    judge::nothing_else_stays(world);
}
