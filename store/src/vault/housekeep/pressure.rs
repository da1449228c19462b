//! When space is short: the oldest versions that only a count keeps go before their time, until an account is at its
//! soft limit, or the disk has as much free as the policy wants (FORMAT.md, chapter 11).
//!
//! Space comes back days later, when what they needed was condemned and freed. So it is decided by an estimate: the
//! versions that stay are marked first, then the others from the newest to the oldest. What each adds to the marks is
//! what is needed only by it and by older ones, and so what its end will bring once those have gone.

use std::collections::{BTreeSet, HashSet};

use super::expire::{Judged, SHARE_PERCENT, policy_number};
use super::mark::Marks;
use super::neighbours::{Giver, reach, shares};
use super::{Budget, DAY_MS, HousekeepEvent, Pass};
use crate::catalog::Rows;
use crate::chain::{self, Cause, Pressure};
use crate::door::Millis;
use crate::error::Result;
use crate::vault::{AccountInfo, Domain, GroupInfo};

/// A disk that lacks this much more is looked at again, though nothing else has changed.
const STEP_BYTES: u64 = 64 << 20;
/// So long counts what has gone for want of space: see [`Spell`].
const SPELL_MS: Millis = DAY_MS;

/// What presses on an account.
struct Presses {
    soft_bytes: Option<u64>,
    /// Bytes that versions may need so that the disk will have what the policy wants free.
    space_bytes: Option<u64>,
    /// Bytes that the disk lacks.
    lack: u64,
}

/// An estimate of what versions need.
pub(super) struct Weights {
    /// Bytes that all versions need together.
    pub(super) all: u64,
    /// Of each thinnable version, oldest first, the bytes that only it and older ones need.
    pub(super) each: Vec<(u64, u64)>,
}

impl Pass<'_> {
    /// Versions that go because space is short, oldest first. None, and a word about it, when that waits to be confirmed:
    /// because so many would go under a limit that was not carried out before, or within a day (whoever may only add could
    /// else fill an account until all that others keep has gone), or because even all of them would not be enough, so that
    /// history would be given for nothing.
    pub(super) fn pressed(&mut self, account: &AccountInfo, judged: &Judged) -> Result<Vec<(u64, Cause)>> {
        let (policy, _) = chain::policy_of(&judged.moments);
        self.note_number(&free_key(account.number), policy.min_free_bytes)?;
        let presses = self.presses(account, policy.soft_limit, policy.min_free_bytes)?;
        let groups = if policy.soft_limit { self.domain.pressing_groups(account) } else { Vec::new() };
        let key = limit_key(account.number);
        let limit = limit_number(account, judged, &groups);
        if presses.soft_bytes.is_none() && presses.space_bytes.is_none() && groups.is_empty() {
            self.note_number(&key, u64::from(limit))?;
            return Ok(Vec::new());
        }
        let space: HashSet<u64> = match presses.space_bytes {
            Some(_) => chain::thinnable(&judged.moments, Pressure::Space).into_iter().collect(),
            None => HashSet::new(),
        };
        let soft = presses.soft_bytes.is_some() || !groups.is_empty();
        let list = judged.thinnable(if soft { Pressure::SoftLimit } else { Pressure::Space });
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let weights = weigh(self.domain, account, judged, &list, &self.gone.versions, &self.budget)?;
        let Some(weights) = weights else { return Ok(Vec::new()) };
        let Some(wanted) = self.wanted_by(&groups, account, judged, &weights)? else { return Ok(Vec::new()) };
        let (share, reach) = self.share(account, judged, &presses, &weights)?;
        let mut left = weights.all;
        let mut going = Vec::new();
        for (version, bytes) in weights.each {
            let cause = if presses.soft_bytes.is_some_and(|most| left > most) || going.len() < wanted.versions {
                Cause::SoftLimit
            } else if presses.space_bytes.is_some_and(|most| left > most)
                && space.contains(&version)
                && share.contains(&version)
            {
                Cause::Space
            } else {
                break;
            };
            left = left.saturating_sub(bytes);
            going.push((version, cause));
        }
        // What the neighbours give counts.
        let enough = wanted.enough
            && presses.soft_bytes.is_none_or(|most| left <= most)
            && presses.space_bytes.is_none_or(|most| left <= most || presses.lack <= reach);
        let new = self.domain.inner.catalog.read(|rows| rows.housekept(&key))? != i64::from(limit);
        let versions = going.len() as u64;
        let many = versions * 100 > judged.versions_here() * SHARE_PERCENT;
        let spell = self.domain.spell(account, self.now)?;
        let many_today = versions > spell.may_press(judged);
        if !going.is_empty() && !self.how.confirmed && (!enough || (new && many) || many_today) {
            self.done.waiting += versions;
            self.tell(HousekeepEvent::Waiting { account: account.name.clone(), versions })?;
            return Ok(Vec::new());
        }
        self.note_number(&key, u64::from(limit))?;
        if !going.is_empty() && !self.how.confirmed {
            // Before anything goes, so that a pass that ends in the midst counts.
            self.note_number(&spell_key(account.number), u64::try_from(spell.since).unwrap_or(0))?;
            self.note_number(&pressed_key(account.number), spell.pressed.saturating_add(versions))?;
        }
        Ok(going)
    }

    /// Which of an account's versions are its share when the disk is short, and how many bytes would come back in all.
    fn share(
        &mut self,
        account: &AccountInfo,
        judged: &Judged,
        presses: &Presses,
        weights: &Weights,
    ) -> Result<(BTreeSet<u64>, u64)> {
        if presses.space_bytes.is_none() {
            return Ok(Default::default());
        }
        if let Some(handed) = &self.handed {
            let own = handed.versions.iter().filter(|(number, _)| *number == account.number);
            return Ok((own.map(|(_, version)| *version).collect(), handed.reach));
        }
        let mut givers = vec![Giver::new(self.domain, account, judged, presses.lack, weights)?];
        givers.extend(self.neighbours());
        let reach = reach(&givers);
        let mut shares = shares(givers);
        let own = shares.remove(&(self.domain.id(), account.number)).unwrap_or_default();
        for ((domain, number), versions) in shares {
            let share = self.due.entry(domain).or_default();
            share.reach = reach;
            share.versions.extend(versions.into_iter().map(|version| (number, version)));
        }
        Ok((own, reach))
    }

    fn presses(&self, account: &AccountInfo, soft_limit: bool, min_free: u64) -> Result<Presses> {
        let inner = &self.domain.inner;
        let packs = inner.catalog.read(|rows| rows.pack_totals())?.1;
        // What the packs have in all is never less than what versions need.
        let soft_bytes = account.terms.soft_bytes.filter(|soft| soft_limit && packs > *soft);
        let free = self.domain.free_bytes();
        let space_bytes = match min_free.checked_sub(free).filter(|lack| *lack > 0) {
            // All that versions do not need will come back, and is not asked for again meanwhile.
            Some(lack) => Some(inner.catalog.read(|rows| rows.place_bytes())?.saturating_sub(lack)),
            None => None,
        };
        Ok(Presses { soft_bytes, space_bytes, lack: min_free.saturating_sub(free) })
    }

    fn note_number(&self, key: &str, number: u64) -> Result<()> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let catalog = &self.domain.inner.catalog;
        if self.how.dry_run || catalog.read(|rows| rows.housekept(key))? == number {
            return Ok(());
        }
        let write = catalog.write()?;
        write.rows().set_housekept(key, number)?;
        write.commit()
    }
}

/// Nothing when the budget ended, and when something that is needed is not there or cannot be read: then it is not known
/// what a version needs. `gone`: versions whose bodies were allowed to go.
pub(super) fn weigh(
    domain: &Domain,
    account: &AccountInfo,
    judged: &Judged,
    list: &[u64],
    gone: &BTreeSet<(u32, u64)>,
    budget: &Budget<'_>,
) -> Result<Option<Weights>> {
    let lost = |version: &u64| !judged.is_here(*version) && !gone.contains(&(account.number, *version));
    if judged.bodies.keys().any(lost) {
        return Ok(None);
    }
    let mark_one = |marks: &mut Marks, version: u64| -> Result<bool> {
        let Some((body, _)) = judged.bodies.get(&version) else { return Ok(true) };
        marks.one(domain, account.number, *body, budget)
    };
    let mut marks = Marks::default();
    let thin: HashSet<u64> = list.iter().copied().collect();
    let stays = judged.fates.iter().filter(|(version, fate)| !fate.is_going() && !thin.contains(version));
    let stays = stays.map(|(version, _)| *version).filter(|version| judged.is_here(*version));
    for version in stays {
        if !mark_one(&mut marks, version)? {
            return Ok(None);
        }
    }
    let mut each = Vec::with_capacity(list.len());
    for version in list.iter().rev() {
        let before = marks.bytes;
        if !mark_one(&mut marks, *version)? {
            return Ok(None);
        }
        each.push((*version, marks.bytes.saturating_sub(before)));
    }
    each.reverse();
    let known = marks.holes == 0 && marks.unreadable.is_empty();
    Ok(known.then_some(Weights { all: marks.bytes, each }))
}

/// How many versions of an account have gone for want of space, without a word of a person, since when.
pub(super) struct Spell {
    since: Millis,
    pressed: u64,
}

impl Spell {
    /// How many more may go in it: one always, so that a small account can stay at its limit.
    pub(super) fn may_press(&self, judged: &Judged) -> u64 {
        let all = judged.settled().saturating_add(self.pressed);
        (all * SHARE_PERCENT / 100).max(1).saturating_sub(self.pressed)
    }
}

impl Domain {
    /// The day that runs, or one that begins now.
    pub(super) fn spell(&self, account: &AccountInfo, now: Millis) -> Result<Spell> {
        let (since, pressed) = self.inner.catalog.read(|rows| {
            Ok((rows.housekept(&spell_key(account.number))?, rows.housekept(&pressed_key(account.number))?))
        })?;
        let runs = (since..since.saturating_add(SPELL_MS)).contains(&now);
        let pressed = if runs { u64::try_from(pressed).unwrap_or(0) } else { 0 };
        Ok(Spell { since: if runs { since } else { now }, pressed })
    }

    /// What the disks have free; without bound when they do not say.
    pub(in crate::vault) fn free_bytes(&self) -> u64 {
        self.inner.shared.free_bytes()
    }

    /// What the disk of the vault's own folder has free; without bound when it does not say.
    pub(in crate::vault) fn free_at_home(&self) -> u64 {
        self.inner.shared.disk.free_bytes(self.inner.paths.root()).unwrap_or(u64::MAX)
    }
}

/// How much lacks of what an account's policy, as the last pass found it, wants free, in steps; 0 when nothing does.
pub(super) fn lack(rows: Rows<'_>, account: u32, free: u64) -> Result<u64> {
    let wanted = u64::try_from(rows.housekept(&free_key(account))?).unwrap_or(0);
    Ok(wanted.saturating_sub(free).div_ceil(STEP_BYTES))
}

/// Under which stands what the policy of an account wants free.
fn free_key(account: u32) -> String {
    format!("free {account}")
}

/// Under which stands the limit of an account that was carried out last.
pub(super) fn limit_key(account: u32) -> String {
    format!("limit {account}")
}

/// Under which stands when versions of an account began to go for want of space.
fn spell_key(account: u32) -> String {
    format!("pressed since {account}")
}

/// Under which stands how many have gone since.
fn pressed_key(account: u32) -> String {
    format!("pressed {account}")
}

/// A number that is another one under another limit or policy; never 0.
pub(super) fn limit_number(account: &AccountInfo, judged: &Judged, groups: &[(GroupInfo, u64)]) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&account.terms.soft_bytes.unwrap_or(u64::MAX).to_le_bytes());
    for (group, _) in groups {
        hasher.update(&u64::from(group.number).to_le_bytes());
        hasher.update(&group.terms.soft_bytes.unwrap_or(u64::MAX).to_le_bytes());
    }
    hasher.update(&policy_number(judged).to_le_bytes());
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    u32::from_le_bytes([a, b, c, d]) | 1
}
