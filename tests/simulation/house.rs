//! Housekeeping and what it goes by: passes of every kind, links that say what is kept, and a clock that leaps.
//!
//! What may go is asked of `store::chain`, over the bodies that were sent and not those that are there; that all else
//! stays and can be read, and that what nothing needs is gone in the end, is the [judge](crate::judge)'s to see.

use std::sync::Arc;

use store::Result;
use store::chain::{self, LinkKind, Moment, ReceivedLink};
use store::door::Millis;
use store::door::sim::Dice;
use store::error::Error;
use store::record::RecordKind;
use store::vault::{Access, Housekeep, HousekeepEvent, Housekept, Outcome};

use crate::client::judge_error;
use crate::tree::Maker;
use crate::world::{Running, World};

const HOUR_MS: Millis = 3_600 * 1_000;
const DAY_MS: Millis = 24 * HOUR_MS;
/// After at most so many passes with a day between each two, nothing is left to be done.
const PASSES: usize = 8;

/// Somebody keeps house while others are at work, and time goes by between the passes.
pub fn keep(world: &Arc<World>, mut dice: Dice) {
    for _ in 0..1 + dice.below(5) {
        let how = Housekeep {
            dry_run: dice.one_in(8),
            confirmed: dice.one_in(2),
            most_ms: dice.one_in(4).then(|| dice.below(600) as u64),
            most_bytes: dice.one_in(4).then(|| dice.below(4_000) as u64),
        };
        let ends_after = if dice.one_in(5) { dice.below(4) } else { usize::MAX };
        if let Err(e) = pass(world, &how, ends_after) {
            judge_error(world, "housekeeping", &e);
        }
        if dice.one_in(2) {
            leap(world, &mut dice);
        }
        for _ in 0..dice.below(20) {
            world.baton.stop(true);
        }
    }
}

/// One pass, which is interrupted after so many events. `None` without power.
fn pass(world: &Arc<World>, how: &Housekeep, ends_after: usize) -> Result<Option<Housekept>> {
    let Some(running) = world.housekeeper()? else { return Ok(None) };
    let began = world.now();
    let first = *world.story().first_pass.get_or_insert(began);
    let mut events = 0;
    let done = running.domain.housekeep(how, &mut |event| {
        events += 1;
        world.tell(|| format!("{event:?}"));
        if events > ends_after {
            return Err(Error::Busy { what: "interrupted".to_owned() });
        }
        if let HousekeepEvent::Blocked { holes } = event
            && !running.disk.is_dead()
            && !world.reads_fail()
            && !world.is_rotten()
        {
            world.violated(format!("housekeeping finds {holes} holes"));
        }
        Ok(())
    })?;
    world.tell(|| format!("{done:?}"));
    // What is damaged needs no day.
    if !how.dry_run && done.freed > 0 && world.now() - first < DAY_MS && !world.calls_fail() && !world.is_rotten() {
        world.violated("something was freed within a day of the first pass");
    }
    if !how.dry_run {
        world.story().tally.keep(&done);
    }
    Ok(Some(done))
}

/// Hours or days go by.
pub fn leap(world: &World, dice: &mut Dice) {
    let by = match dice.below(6) {
        0 | 1 => HOUR_MS * (1 + dice.below(20) as Millis),
        2..5 => DAY_MS + HOUR_MS * dice.below(30) as Millis,
        _ => DAY_MS * (2 + dice.below(24) as Millis),
    };
    world.tell(|| format!("{} hours go by", by / HOUR_MS));
    world.clock.advance(by);
}

/// Somebody says what is kept: forgets, takes back, pins, makes a policy.
pub fn decide(world: &Arc<World>, mut dice: Dice) {
    for _ in 0..1 + dice.below(4) {
        if let Err(e) = say(world, &mut dice) {
            judge_error(world, "saying what is kept", &e);
        }
    }
}

fn say(world: &Arc<World>, dice: &mut Dice) -> Result<()> {
    let Some(running) = world.serve(Access::Write, false)? else { return Ok(()) };
    let (domain, account) = (&running.domain, &running.account);
    let mut session = domain.begin(account, &[], None)?;
    let maker = Maker { domain: account.domain, account: account.id };
    let newest = domain.head(account)?.map_or(0, |head| head.sequence);
    let mut versions: Vec<u64> = (0..1 + dice.below(4)).map(|_| 1 + dice.below(newest as usize) as u64).collect();
    versions.sort_unstable();
    versions.dedup();
    let (kind, record, clear) = match dice.below(8) {
        0..3 => (LinkKind::Forget, RecordKind::ForgetBody, naming(&versions, 0)),
        3 => (LinkKind::Unforget, RecordKind::ForgetBody, naming(&versions, 0)),
        4 => {
            let until = if dice.one_in(2) { 0 } else { world.now() + DAY_MS * dice.below(9) as Millis };
            (LinkKind::Pin, RecordKind::PinBody, naming(&versions, until))
        }
        5 => (LinkKind::Unpin, RecordKind::PinBody, naming(&versions, 0)),
        _ => (LinkKind::Policy, RecordKind::PolicyBody, policy(dice)),
    };
    for _ in 0..4 {
        let body = maker.record(dice, record, 0, clear.clone(), 60);
        let link = world.sign(account, domain.head(account)?, kind, &body, false);
        world.submit(&link, &body, Vec::new());
        if let Outcome::Committed(received) = session.commit(&link, Some(&body))? {
            world.acknowledge(&received);
            break;
        }
    }
    session.end()
}

fn naming(versions: &[u64], until: Millis) -> Vec<u8> {
    let mut clear = until.to_le_bytes().to_vec();
    clear.extend_from_slice(&u32::try_from(versions.len()).unwrap().to_le_bytes());
    versions.iter().for_each(|version| clear.extend_from_slice(&version.to_le_bytes()));
    clear
}

/// Any small policy; now and then one that keeps nothing but the newest.
fn policy(dice: &mut Dice) -> Vec<u8> {
    let counts: Vec<u32> = (0..chain::RULES).map(|_| if dice.one_in(3) { dice.below(4) as u32 } else { 0 }).collect();
    let mut clear: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    let within = if dice.one_in(4) { DAY_MS * dice.below(5) as Millis } else { 0 };
    clear.extend_from_slice(&within.to_le_bytes());
    clear.extend_from_slice(&[0; 4]);
    clear
}

/// The chain as it was sent, as far as it says what is kept.
pub fn moments(world: &World, links: &[ReceivedLink]) -> Result<Vec<Moment>> {
    let story = world.story();
    links
        .iter()
        .map(|link| Moment::new(link, story.submitted.get(&link.link_id()).map(|submitted| &submitted.body)))
        .collect()
}

/// With nobody else at work, passes a day apart come to an end: then nothing is there that nothing needs.
pub fn to_the_end(world: &Arc<World>) -> Result<()> {
    let all = Housekeep { confirmed: true, ..Housekeep::default() };
    // One that did nothing may have noted something that is due a day later; after two of them nothing is.
    let mut quiet = 0;
    for _ in 0..PASSES {
        quiet = if pass(world, &all, usize::MAX)?.is_none_or(|done| is_quiet(&done)) { quiet + 1 } else { 0 };
        world.clock.advance(DAY_MS + HOUR_MS);
        if quiet == 2 {
            break;
        }
    }
    let Some(Running { domain, .. }) = world.serve(Access::Write, false)? else { return Ok(()) };
    let done = domain.housekeep(&all, &mut |_| Ok(()))?;
    if !is_quiet(&done) {
        world.violated(format!("housekeeping does not come to an end: {done:?}"));
    }
    Ok(())
}

/// Whether a pass found nothing to do.
fn is_quiet(done: &Housekept) -> bool {
    let Housekept { versions, nodes, kept_bytes, .. } = *done;
    *done == Housekept { versions, nodes, kept_bytes, ..Housekept::default() }
}
