//! One disk, many accounts: when it is short, the oldest versions of all accounts whose policies give some up for space
//! go first, and not all of the one that is looked after first (FORMAT.md, chapter 11).
//!
//! Chunk spaces know nothing of each other, and nothing is kept for it: while the disk is short, a pass looks at what the
//! others would give up and what is on its way back from them, and takes of its own only what is due by age. Then it has
//! those passed over that have to give something. What of a neighbour cannot be known counts as nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Pass;
use super::expire::{Judged, SHARE_PERCENT};
use super::pressure::{Weights, limit_key, limit_number, weigh};
use crate::chain::{self, Pressure};
use crate::door::Millis;
use crate::error::Result;
use crate::id::DomainId;
use crate::vault::Domain;
use crate::vault::account::{AccountInfo, AccountState, accounts_of};
use crate::vault::layout;

/// What one account can do about a disk that is short.
pub(super) struct Giver {
    domain: DomainId,
    account: u32,
    /// Bytes that lack by its policy.
    lack: u64,
    /// Bytes that will come back from it whatever goes now.
    coming: u64,
    /// What it may give up, oldest first: its age, its number, its bytes.
    offers: Vec<(Millis, u64, u64)>,
    /// So many of its versions may go without a word of a person.
    most: u64,
}

/// What is to be given up in a chunk space.
#[derive(Default)]
pub(super) struct Share {
    /// By number of the account.
    pub(super) versions: BTreeSet<(u32, u64)>,
    /// How many bytes come back, and could, over all of the vault.
    pub(super) reach: u64,
}

impl Giver {
    /// Of this account, by what is known of its versions. `judged` as it is now.
    pub(super) fn new(
        domain: &Domain,
        account: &AccountInfo,
        judged: &Judged,
        lack: u64,
        weights: &Weights,
    ) -> Result<Self> {
        let (coming, seen) = domain.inner.catalog.read(|rows| {
            Ok((rows.place_bytes()?.saturating_sub(weights.all), rows.housekept(&limit_key(account.number))?))
        })?;
        let thin: HashSet<u64> = chain::thinnable(&judged.moments, Pressure::Space).into_iter().collect();
        let received: BTreeMap<u64, Millis> =
            judged.moments.iter().map(|moment| (moment.sequence, moment.received_at)).collect();
        let mut age = Millis::MIN;
        let mut offers = Vec::new();
        for (version, bytes) in weights.each.iter().filter(|(version, _)| thin.contains(version)) {
            // Versions of one account go in their order, whatever a clock said.
            age = age.max(received.get(version).copied().unwrap_or(age));
            offers.push((age, *version, *bytes));
        }
        let soft_limit = chain::policy_of(&judged.moments).0.soft_limit;
        let groups = if soft_limit { domain.pressing_groups(account) } else { Vec::new() };
        let carried_out = seen == i64::from(limit_number(account, judged, &groups));
        let most = domain.spell(account, domain.inner.shared.clock.now_ms())?.may_press(judged);
        let most = if carried_out { most } else { most.min(judged.versions_here() * SHARE_PERCENT / 100) };
        Ok(Self { domain: domain.id(), account: account.number, lack, coming, offers, most })
    }
}

/// Who gives what: the oldest of all, until what is on its way back is what each one's policy wants. The one at the
/// front is not held to what it may give without a word: it asks for that itself.
pub(super) fn shares(mut givers: Vec<Giver>) -> BTreeMap<(DomainId, u32), BTreeSet<u64>> {
    loop {
        let mut offers = Vec::new();
        for (at, giver) in givers.iter().enumerate() {
            // Whoever decides it, of two of one moment the same goes first.
            let order = |age, version| (age, giver.domain, giver.account, version);
            offers.extend(giver.offers.iter().map(|(age, version, bytes)| (order(*age, *version), at, *bytes)));
        }
        offers.sort_unstable();
        let mut coming: u64 = givers.iter().map(|giver| giver.coming).sum();
        let mut given: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        for ((.., version), at, bytes) in offers {
            if givers.get(at).is_some_and(|giver| coming < giver.lack) {
                coming = coming.saturating_add(bytes);
                given.entry(at).or_default().insert(version);
            }
        }
        let too_much = |at: &usize, versions: &BTreeSet<u64>| {
            *at > 0 && givers.get(*at).is_some_and(|giver| versions.len() as u64 > giver.most)
        };
        // Who would wait for a word gives nothing until then, and the others do not wait for it.
        let waits: Vec<usize> =
            given.iter().filter(|(at, versions)| too_much(at, versions)).map(|(at, _)| *at).collect();
        if waits.is_empty() {
            let named = |at: usize| givers.get(at).map(|giver| (giver.domain, giver.account));
            return given.into_iter().filter_map(|(at, versions)| Some((named(at)?, versions))).collect();
        }
        for at in waits {
            if let Some(giver) = givers.get_mut(at) {
                giver.offers.clear();
            }
        }
    }
}

/// Bytes that come back, and could, over all of them.
pub(super) fn reach(givers: &[Giver]) -> u64 {
    givers.iter().map(|giver| giver.coming + giver.offers.iter().map(|(.., bytes)| bytes).sum::<u64>()).sum()
}

impl Pass<'_> {
    /// The accounts of other chunk spaces of this vault that can do something about a short disk.
    pub(super) fn neighbours(&self) -> Vec<Giver> {
        let mut givers = Vec::new();
        for domain in others(self.domain).unwrap_or_default() {
            if self.budget.is_over() {
                break;
            }
            givers.extend(
                Domain::open(&self.domain.inner.shared, domain)
                    .and_then(|domain| self.givers_of(&domain))
                    .unwrap_or_default(),
            );
        }
        givers
    }

    fn givers_of(&self, domain: &Domain) -> Result<Vec<Giver>> {
        let inner = &domain.inner;
        let accounts = accounts_of(&*inner.shared.disk, &inner.paths, domain.id())?;
        let mut givers = Vec::new();
        for account in accounts.iter().filter(|account| account.state == AccountState::Open) {
            let judged = domain.judged(account, None)?;
            let wanted = chain::policy_of(&judged.moments).0.min_free_bytes;
            let lack = wanted.saturating_sub(domain.free_bytes());
            if lack == 0 || judged.unclear {
                continue;
            }
            let list = judged.thinnable(Pressure::Space);
            let gone = judged.gone().into_iter().map(|version| (account.number, version)).collect();
            if let Some(weights) = weigh(domain, account, &judged, &list, &gone, &self.budget)? {
                givers.push(Giver::new(domain, account, &judged, lack, &weights)?);
            }
        }
        Ok(givers)
    }
}

/// The other chunk spaces of the vault.
fn others(domain: &Domain) -> Result<Vec<DomainId>> {
    let shared = &domain.inner.shared;
    let names = shared.disk.names(&layout::domains(&shared.path))?;
    let ids = names.iter().filter_map(|name| layout::domain_id(name));
    Ok(ids.filter(|id| *id != domain.id()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn giver(account: u32, lack: u64, coming: u64, offers: &[(Millis, u64, u64)], most: u64) -> Giver {
        Giver { domain: DomainId::new([0; 16]), account, lack, coming, offers: offers.to_vec(), most }
    }

    fn given(givers: Vec<Giver>) -> Vec<(u32, Vec<u64>)> {
        shares(givers).into_iter().map(|((_, account), versions)| (account, versions.into_iter().collect())).collect()
    }

    #[test]
    fn the_oldest_of_all_go_first() {
        let both = |lack, coming| {
            vec![
                giver(1, lack, coming, &[(10, 3, 100), (30, 4, 100), (50, 5, 100)], 9),
                giver(2, lack, 0, &[(20, 7, 100), (40, 8, 100)], 9),
            ]
        };
        assert_eq!(given(both(1, 0)), [(1, vec![3])]);
        assert_eq!(given(both(201, 0)), [(1, vec![3, 4]), (2, vec![7])]);
        assert_eq!(given(both(201, 150)), [(1, vec![3])], "what is on its way counts");
        assert_eq!(given(both(10_000, 0)), [(1, vec![3, 4, 5]), (2, vec![7, 8])]);
        assert_eq!(reach(&both(1, 7)), 507);
    }

    #[test]
    fn who_wants_less_free_gives_less_and_who_waits_gives_nothing() {
        let wants_less =
            vec![giver(1, 300, 0, &[(10, 3, 100), (30, 4, 100), (50, 5, 100)], 9), giver(2, 50, 0, &[(20, 7, 100)], 9)];
        assert_eq!(given(wants_less), [(1, vec![3, 4, 5])]);
        let waits =
            vec![giver(1, 150, 0, &[(10, 3, 100), (30, 4, 100)], 0), giver(2, 150, 0, &[(1, 7, 100), (2, 8, 100)], 1)];
        assert_eq!(given(waits), [(1, vec![3, 4])], "the first asks for itself");
    }
}
