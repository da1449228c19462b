//! Worlds of several disks: one goes and comes back while others are at work; volumes are added, removed, evened out.

use std::path::Path;
use std::sync::Arc;

use store::Result;
use store::door::sim::Dice;
use store::error::Error;
use store::vault::Access;

use crate::client::judge_error;
use crate::world::{DISKS, Running, World};

/// What befalls the disks of an epoch. Each is back at its end: see [`all_back`].
pub fn act(world: &Arc<World>, mut dice: Dice) {
    if dice.one_in(2) {
        let mut dice = dice.split();
        world.act(move |world| vanish(world, &mut dice));
    }
    if dice.one_in(2) {
        let mut dice = dice.split();
        world.act(move |world| change(world, &mut dice));
    }
}

/// Brings every disk back.
pub fn all_back(world: &World) {
    if world.has_disks() {
        DISKS.iter().for_each(|disk| world.disk.set_there(Path::new(disk), true));
    }
}

/// A disk goes, and after a while it is back.
fn vanish(world: &Arc<World>, dice: &mut Dice) {
    for _ in 0..dice.below(60) {
        world.baton.stop(true);
    }
    let disk = Path::new(DISKS[dice.below(2)]);
    world.tell(|| format!("{} goes", disk.display()));
    {
        let mut story = world.story();
        story.disk_away = true;
        story.tally.vanished += 1;
    }
    world.disk.set_there(disk, false);
    for _ in 0..dice.below(200) {
        world.baton.stop(true);
    }
    world.disk.set_there(disk, true);
    world.tell(|| format!("{} is back", disk.display()));
}

/// Somebody changes volumes.
fn change(world: &Arc<World>, dice: &mut Dice) {
    for _ in 0..1 + dice.below(3) {
        let done = changed(world, dice);
        match done {
            // One of this number, or at this place, is there or is not, as another has had it.
            Ok(()) | Err(Error::Refused { .. }) => {}
            Err(e) => judge_error(world, "changing volumes", &e),
        }
    }
}

fn changed(world: &Arc<World>, dice: &mut Dice) -> Result<()> {
    let Some(running) = world.serve(Access::Write, false)? else { return Ok(()) };
    match changed_by(&running, world, dice) {
        // To a process that was struck down nothing is there any more.
        Err(Error::Absent { .. }) if running.disk.is_dead() => Ok(()),
        done => done,
    }
}

fn changed_by(running: &Running, world: &World, dice: &mut Dice) -> Result<()> {
    let vault = &running.vault;
    match dice.below(3) {
        0 => {
            vault.add_volume(&Path::new(DISKS[dice.below(2)]).join("volume"))?;
            world.story().tally.added += 1;
        }
        1 => {
            let volumes = vault.volumes()?;
            let Some(volume) = volumes.get(1 + dice.below(2)) else { return Ok(()) };
            let moved = vault.remove_volume(volume.number, false, &mut |_| Ok(()))?;
            let mut story = world.story();
            story.tally.moved += moved.packs;
            story.tally.removed += u64::from(moved.stuck == 0);
        }
        _ => world.story().tally.moved += vault.balance_volumes(&mut |_| Ok(()))?.packs,
    }
    Ok(())
}
