//! Worlds of groups with limits: sessions of several accounts fill them at the same time, are killed, and calls fail. The
//! packs of all members never take a byte more than the limit of any group, and when nobody is left, what is free can be
//! had to the last record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use store::Result;
use store::door::sim::Dice;
use store::door::{ConstantChance, Disk as _, PathKind};
use store::error::Error;
use store::id::SourceId;
use store::record::RecordKind;
use store::vault::{Access, AccountInfo, AccountSelector, Domain, Vault};

use crate::client::judge_error;
use crate::tree::{Maker, chunk_id};
use crate::world::{Blow, KEYS, VAULT, Weather, World};

/// Accounts of such a world, and groups: each is a set of accounts.
const ACCOUNTS: [&str; 4] = ["ada", "bea", "cyd", "dan"];
const GROUPS: [(&str, &[usize]); 3] = [("all", &[0, 1, 2, 3]), ("two", &[0, 1]), ("others", &[1, 2])];
/// A record of this length needs no more than that with all that a pack adds to it.
const SMALL_BYTES: usize = 300;
const SMALL_NEED: u64 = 4_096;

/// Whether a seed makes such a world.
#[must_use]
pub fn is_one(seed: u64) -> bool {
    Dice::new(seed ^ 0x6807).one_in(8)
}

/// Everything but the founding of the vault, which the world does.
pub fn run(world: &Arc<World>, dice: &mut Dice) {
    let limits = match found(world, dice) {
        Ok(limits) => limits,
        Err(e) => return world.violated(format!("making groups: {e}")),
    };
    for _ in 0..1 + dice.below(3) {
        epoch(world, dice);
        world.settle();
        still(world, &limits);
    }
    world.begin_epoch(Weather::default());
    world.baton.set_patience(4);
    fill_up(world, dice, &limits);
    still(world, &limits);
}

/// The limit of each group, and of each account that has one, with whose packs count.
type Limits = Vec<(String, u64, Vec<&'static str>)>;

fn found(world: &Arc<World>, dice: &mut Dice) -> Result<Limits> {
    let Some(vault) = open(world)? else { return Ok(Limits::new()) };
    let (keys, _) = &*KEYS;
    let mut accounts = vec![vault.account(&AccountSelector::Only)?];
    for name in &ACCOUNTS[1..] {
        let account = vault.create_account(name)?;
        accounts.push(vault.bind(&account, keys.identity_public(), keys.key_check())?);
    }
    let mut limits = Limits::new();
    for (name, members) in GROUPS {
        let group = vault.create_group(name)?;
        let joined: Vec<AccountInfo> = members.iter().map(|nth| accounts[*nth].clone()).collect();
        let group = vault.join_group(&group, &joined)?;
        let hard = 20_000 + dice.below(200_000) as u64;
        vault.settle_group(&group, |terms| terms.hard_bytes = Some(hard))?;
        limits.push((format!("the group {name}"), hard, members.iter().map(|nth| ACCOUNTS[*nth]).collect()));
    }
    if dice.one_in(2) {
        let hard = 10_000 + dice.below(60_000) as u64;
        vault.settle(&accounts[1], |terms| terms.hard_bytes = Some(hard))?;
        limits.push(("the account bea".to_owned(), hard, vec!["bea"]));
    }
    Ok(limits)
}

fn open(world: &Arc<World>) -> Result<Option<Vault>> {
    let Some((number, disk, seen)) = world.process() else { return Ok(None) };
    let chance = Arc::new(ConstantChance::new(world.seed.wrapping_mul(1_000_003).wrapping_add(number.into())));
    let catalogs = world.catalogs(number, &disk, false);
    Vault::open_with(seen, world.clock.clone(), chance, catalogs, Path::new(VAULT), Access::Write).map(Some)
}

fn epoch(world: &Arc<World>, dice: &mut Dice) {
    let kills = (0..dice.below(4)).map(|_| (1 + dice.below(1_500) as u64, Blow::Kill)).collect::<BTreeMap<_, _>>();
    let faults = if dice.one_in(3) { 30 + dice.below(200) } else { 0 };
    world.begin_epoch(Weather { blows: kills, faults, ..Weather::default() });
    world.baton.set_patience(1 + dice.below(12));
    for no in 0..2 + dice.below(4) {
        let mut dice = dice.split();
        let source = SourceId::new([u8::try_from(no).unwrap_or(0) + 1; 16]);
        world.act(move |world| {
            for _ in 0..1 + dice.below(3) {
                let whose = ACCOUNTS[dice.below(ACCOUNTS.len())];
                if let Err(e) = bring(world, &mut dice, whose, source) {
                    judge_error(world, "bringing data", &e);
                }
            }
        });
    }
    world.run();
}

/// One session that brings records until it may bring no more, or has no more.
fn bring(world: &Arc<World>, dice: &mut Dice, whose: &str, source: SourceId) -> Result<()> {
    let Some(vault) = open(world)? else { return Ok(()) };
    let account = vault.account(&AccountSelector::Name(whose.to_owned()))?;
    let domain = vault.domain(&account)?;
    let mut session = domain.begin(&account, &[source], None)?;
    let maker = Maker { domain: account.domain, account: account.id };
    for _ in 0..dice.below(30) {
        let len = 100 + dice.below(8_000);
        let id = chunk_id(dice.number());
        let record = maker.record(dice, RecordKind::Box, 1, id.bytes().to_vec(), len);
        match session.put(&record) {
            Err(Error::Full { .. }) => {
                world.story().tally.refused += 1;
                break;
            }
            other => other?,
        }
        if dice.one_in(8) {
            session.publish()?;
        }
    }
    // Some just vanish.
    if dice.one_in(5) { Ok(()) } else { session.end() }
}

/// Everybody in turn brings small records until there is no more room: then what is free is less than one.
fn fill_up(world: &Arc<World>, dice: &mut Dice, limits: &Limits) {
    let mut dice = dice.split();
    let limits = limits.clone();
    world.act(move |world| {
        for whose in ACCOUNTS {
            // What a session has reserved and not needed comes back at its end.
            loop {
                match one_more(world, &mut dice, whose) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(e) => return world.violated(format!("filling up {whose}: {e}")),
                }
            }
            let least = match room(world, &limits, whose) {
                Ok(least) => least,
                Err(e) => return world.violated(format!("looking at what is free: {e}")),
            };
            if least > SMALL_NEED {
                world.violated(format!("{whose} was refused with {least} bytes free"));
            }
        }
    });
    world.run();
}

/// A session that brings small records as long as it may. How many.
fn one_more(world: &Arc<World>, dice: &mut Dice, whose: &str) -> Result<usize> {
    let Some(vault) = open(world)? else { return Ok(0) };
    let account = vault.account(&AccountSelector::Name(whose.to_owned()))?;
    let domain = vault.domain(&account)?;
    let mut session = domain.begin(&account, &[SourceId::new([9; 16])], None)?;
    let maker = Maker { domain: account.domain, account: account.id };
    let mut brought = 0;
    while brought < 100 {
        let id = chunk_id(dice.number());
        let record = maker.record(dice, RecordKind::Box, 1, id.bytes().to_vec(), SMALL_BYTES);
        match session.put(&record) {
            Err(Error::Full { .. }) => break,
            other => other?,
        }
        brought += 1;
    }
    session.end()?;
    Ok(brought)
}

/// The least that any limit leaves for an account.
fn room(world: &Arc<World>, limits: &Limits, whose: &str) -> Result<u64> {
    let taken = taken(world)?;
    let of = |members: &[&str]| members.iter().map(|name| taken.get(*name).copied().unwrap_or(0)).sum::<u64>();
    let rooms = limits.iter().filter(|(.., members)| members.contains(&whose));
    Ok(rooms.map(|(_, hard, members)| hard.saturating_sub(of(members))).min().unwrap_or(0))
}

/// When all is still, dead sessions adopted: no limit is exceeded by a byte.
fn still(world: &Arc<World>, limits: &Limits) {
    world.begin_epoch(Weather::default());
    let done = || -> Result<()> {
        let Some(vault) = open(world)? else { return Ok(()) };
        for account in vault.accounts()? {
            let _: Domain = vault.domain(&account)?;
        }
        let taken = taken(world)?;
        for (whose, hard, members) in limits {
            let sum: u64 = members.iter().map(|name| taken.get(*name).copied().unwrap_or(0)).sum();
            if sum > *hard {
                world.violated(format!("{whose} takes {sum} bytes, and may take {hard}"));
            }
        }
        world.story().tally.limits += limits.len() as u64;
        Ok(())
    }();
    if let Err(e) = done {
        world.violated(format!("looking at limits: {e}"));
    }
}

/// Bytes of the packs of each account, as the disk has them.
fn taken(world: &Arc<World>) -> Result<BTreeMap<String, u64>> {
    let Some(vault) = open(world)? else { return Ok(BTreeMap::new()) };
    let mut out = BTreeMap::new();
    for account in vault.accounts()? {
        let packs = Path::new(VAULT).join("domains").join(account.domain.hex()).join("packs");
        let mut sum = 0;
        for folder in world.disk.list(&packs)?.into_iter().filter(|named| named.kind == PathKind::Dir) {
            sum += world.disk.list(&packs.join(folder.name))?.iter().map(|named| named.len).sum::<u64>();
        }
        out.insert(account.name, sum);
    }
    Ok(out)
}
