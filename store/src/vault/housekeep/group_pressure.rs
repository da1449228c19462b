//! When a group is above its soft limit: of all its members the oldest versions that only a count keeps go first, until
//! what the versions of all of them need is down to it. Each member's own pass removes its own versions; in the group's
//! ledger stands what every member's versions need, so that all of them come to the same order.

use std::collections::BTreeSet;

use super::expire::Judged;
use super::pressure::{Weights, weigh};
use super::{Budget, DAY_MS, Pass};
use crate::catalog::{Thin, Weighed};
use crate::chain::{self, Pressure};
use crate::door::Millis;
use crate::error::Result;
use crate::id::AccountId;
use crate::vault::ledger::{Held, taken};
use crate::vault::{Access, AccountInfo, AccountState, Domain, GroupInfo};

/// A group that is above its soft limit by this much more is looked at again, though nothing else has changed.
const STEP_BYTES: u64 = 64 << 20;

/// What groups want of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// How many of its oldest versions are to go.
    pub(super) versions: usize,
    /// Whether all that may go, of all members, is enough.
    pub(super) enough: bool,
}

impl Domain {
    /// The groups that an account is in, that have a soft limit and are above it, with how much they are. A group that
    /// cannot be asked, on a full disk for one, does not press: what else is due is done, and the next pass asks again.
    pub(super) fn pressing_groups(&self, account: &AccountInfo) -> Vec<(GroupInfo, u64)> {
        match self.inner.shared.access {
            Access::Write => self.above_soft_limits(account).unwrap_or_default(),
            Access::Read => Vec::new(),
        }
    }

    fn above_soft_limits(&self, account: &AccountInfo) -> Result<Vec<(GroupInfo, u64)>> {
        let own = self.inner.catalog.read(taken)?;
        let mut pressing = Vec::new();
        for group in self.groups_with(account.id, |terms| terms.soft_bytes.is_some())? {
            let soft = group.terms.soft_bytes.unwrap_or(u64::MAX);
            let held = Held::new(&self.inner.shared, group)?;
            let sum = held.others(account.id)?.saturating_add(own);
            // What the packs have in all is never less than what versions need.
            if sum > soft {
                pressing.push((held.group.clone(), sum - soft));
            }
            held.ledger.commit()?;
        }
        Ok(pressing)
    }

    /// A number that is another one when the groups of these accounts press otherwise.
    pub(super) fn groups_shape(&self, accounts: &[AccountInfo]) -> u64 {
        let mut hasher = blake3::Hasher::new();
        for account in accounts {
            for (group, over) in self.pressing_groups(account) {
                for number in [u64::from(group.number), group.terms.soft_bytes.unwrap_or(0), over.div_ceil(STEP_BYTES)]
                {
                    hasher.update(&number.to_le_bytes());
                }
            }
        }
        let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// What the versions of an account of this chunk space need, for its groups. `None` when the budget ended.
    fn weighed(&self, account: &AccountInfo, at: Millis, budget: &Budget<'_>) -> Result<Option<Weighed>> {
        let all = Weighed { at, kept_bytes: self.inner.catalog.read(|rows| rows.place_bytes())?, thin: Vec::new() };
        if account.state != AccountState::Open {
            return Ok(Some(all));
        }
        let judged = self.judged(account, None)?;
        if judged.unclear {
            return Ok(Some(all));
        }
        let list = judged.thinnable(Pressure::SoftLimit);
        let gone = judged.gone().into_iter().map(|version| (account.number, version)).collect();
        match weigh(self, account, &judged, &list, &gone, budget)? {
            Some(weights) => Ok(Some(told(&weights, &judged, at))),
            None if budget.is_over() => Ok(None),
            // It is not known what its versions need; none of them goes.
            None => Ok(Some(all)),
        }
    }
}

impl Judged {
    /// Versions that are here and may go under this pressure, oldest first.
    pub(super) fn thinnable(&self, pressure: Pressure) -> Vec<u64> {
        chain::thinnable(&self.moments, pressure).into_iter().filter(|version| self.is_here(*version)).collect()
    }
}

fn told(weights: &Weights, judged: &Judged, at: Millis) -> Weighed {
    let received = |version: u64| {
        let found = judged.moments.iter().find(|moment| moment.sequence == version);
        found.map_or(0, |moment| moment.received_at)
    };
    let thin = weights.each.iter();
    let thin = thin.map(|(version, bytes)| Thin { version: *version, received_at: received(*version), bytes: *bytes });
    Weighed { at, kept_bytes: weights.all, thin: thin.collect() }
}

impl Pass<'_> {
    /// How many of the oldest versions of an account these groups want to go. `None` when the budget ended before every
    /// member was weighed.
    pub(super) fn wanted_by(
        &self,
        groups: &[(GroupInfo, u64)],
        account: &AccountInfo,
        judged: &Judged,
        weights: &Weights,
    ) -> Result<Option<Wanted>> {
        let own = told(weights, judged, self.now);
        let mut wanted = Wanted { versions: 0, enough: true };
        for (group, _) in groups {
            if !self.weigh_members(group, account.id, &own)? {
                return Ok(None);
            }
            let held = Held::new(&self.domain.inner.shared, group.clone())?;
            let mut all = Vec::new();
            for id in &group.members {
                all.push((*id, held.ledger.weighed(*id)?));
            }
            let of_this = oldest(&all, group.terms.soft_bytes.unwrap_or(u64::MAX), account.id);
            wanted.versions = wanted.versions.max(of_this.versions);
            wanted.enough &= of_this.enough;
        }
        Ok(Some(wanted))
    }

    /// Sees to it that every member was weighed within a day. No ledger is held while one is weighed.
    fn weigh_members(&self, group: &GroupInfo, account: AccountId, own: &Weighed) -> Result<bool> {
        let shared = &self.domain.inner.shared;
        let held = Held::new(shared, group.clone())?;
        held.ledger.set_weighed(account, own)?;
        let mut old = BTreeSet::new();
        for id in group.members.iter().filter(|id| **id != account) {
            let at = held.ledger.weighed(*id)?.at;
            if at == 0 || !(at..at.saturating_add(DAY_MS)).contains(&self.now) {
                old.insert(*id);
            }
        }
        let there = held.accounts_of(&old)?;
        held.ledger.commit()?;
        for id in old {
            let weighed = match there.get(&id) {
                Some(member) => Domain::open(shared, member.domain)?.weighed(member, self.now, &self.budget)?,
                None => Some(Weighed { at: self.now, ..Weighed::default() }),
            };
            let Some(weighed) = weighed else { return Ok(false) };
            let held = Held::new(shared, group.clone())?;
            held.ledger.set_weighed(id, &weighed)?;
            held.ledger.commit()?;
        }
        Ok(true)
    }
}

/// Of all members' versions the oldest go until the rest needs no more than `soft` bytes: how many of this account's.
fn oldest(all: &[(AccountId, Weighed)], soft: u64, account: AccountId) -> Wanted {
    let mut left = all.iter().fold(0_u64, |sum, (_, weighed)| sum.saturating_add(weighed.kept_bytes));
    let mut thin: Vec<(Millis, AccountId, u64, u64)> = Vec::new();
    for (id, weighed) in all {
        thin.extend(weighed.thin.iter().map(|thin| (thin.received_at, *id, thin.version, thin.bytes)));
    }
    thin.sort_unstable();
    let mut versions = 0;
    for (_, id, _, bytes) in thin {
        if left <= soft {
            break;
        }
        left = left.saturating_sub(bytes);
        versions += usize::from(id == account);
    }
    Wanted { versions, enough: left <= soft }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_all_members_go_first_and_no_more_than_needed() {
        let [ada, bob] = [1, 2].map(|n| AccountId::new([n; 16]));
        let weighed = |kept_bytes, times: &[Millis]| {
            let thin = (1..).zip(times).map(|(version, at)| Thin { version, received_at: *at, bytes: 10 });
            Weighed { at: 1, kept_bytes, thin: thin.collect() }
        };
        // Ada's are of 1, 3 and 5, Bob's of 2 and 4; what they keep for good are 70 and 80 bytes.
        let all = [(ada, weighed(100, &[1, 3, 5])), (bob, weighed(100, &[2, 4]))];
        let of = |soft| [ada, bob].map(|id| oldest(&all, soft, id)).map(|wanted| (wanted.versions, wanted.enough));
        assert_eq!(of(200), [(0, true); 2]);
        assert_eq!(of(199), [(1, true), (0, true)]);
        assert_eq!(of(181), [(1, true); 2]);
        assert_eq!(of(170), [(2, true), (1, true)]);
        assert_eq!(of(150), [(3, true), (2, true)]);
        assert_eq!(of(149), [(3, false), (2, false)]);
    }
}
