//! What the members of a group take together. A group with a limit has a ledger of its members' bytes; whoever brings
//! data into a member's account, or weighs what its versions need, holds it meanwhile. Several groups are held in order
//! of their numbers, and a catalog is written only after them, so nobody waits for somebody who waits.
//!
//! The ledger is never the truth. Whoever would be refused by it counts all members anew from their catalogs before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::group::{self, GroupInfo};
use super::layout::{self, DomainPaths};
use super::losable::open_in_place;
use super::{AccountInfo, Domain, Shared, accounts, domain};
use crate::catalog::{Ledger, Rows};
use crate::error::Result;
use crate::id::AccountId;

/// The ledger of a group, held until it is dropped.
pub(super) struct Held {
    pub(super) group: GroupInfo,
    pub(super) ledger: Ledger,
    shared: Arc<Shared>,
}

impl Domain {
    /// The groups that an account is in and that have such a limit, by number.
    pub(super) fn groups_with(
        &self,
        account: AccountId,
        limited: impl Fn(&super::Terms) -> bool,
    ) -> Result<Vec<GroupInfo>> {
        let shared = &self.inner.shared;
        let mut groups = group::all(&*shared.disk, &shared.path)?;
        groups.retain(|group| limited(&group.terms) && group.members.contains(&account));
        Ok(groups)
    }

    /// Tells the groups that it is in what an account takes now, after packs have come or gone otherwise than through
    /// a session.
    pub(super) fn tell_groups(&self, account: &AccountInfo) -> Result<()> {
        let limited = |terms: &super::Terms| terms.hard_bytes.is_some() || terms.soft_bytes.is_some();
        for group in self.groups_with(account.id, limited)? {
            let held = Held::new(&self.inner.shared, group)?;
            held.ledger.set_bytes(account.id, self.inner.catalog.read(taken)?)?;
            held.ledger.commit()?;
        }
        Ok(())
    }
}

/// What an account takes: its packs, and what its sessions may still bring.
pub(super) fn taken(rows: Rows<'_>) -> Result<u64> {
    let (packs, reserved) = rows.taken()?;
    Ok(packs.saturating_add(reserved))
}

impl Held {
    /// Waits until nobody else holds it. One that cannot be used is made anew.
    pub(super) fn new(shared: &Arc<Shared>, group: GroupInfo) -> Result<Self> {
        let (path, journal) = (layout::group_ledger(&shared.path, group.number), domain::journal(shared));
        let ledger = open_in_place(&*shared.disk, &path, || shared.catalogs.open_ledger(&path, journal))?;
        Ok(Self { group, ledger, shared: Arc::clone(shared) })
    }

    /// Bytes that all members but this one take. Those that the ledger does not know are counted.
    pub(super) fn others(&self, but: AccountId) -> Result<u64> {
        let known = self.ledger.bytes()?;
        let unknown: BTreeSet<AccountId> =
            self.group.members.iter().filter(|id| **id != but && !known.contains_key(id)).copied().collect();
        let mut sum = self.count(&unknown)?;
        for id in self.group.members.iter().filter(|id| **id != but) {
            sum = sum.saturating_add(known.get(id).copied().unwrap_or(0));
        }
        Ok(sum)
    }

    /// The same, of all members, counted anew.
    pub(super) fn others_anew(&self, but: AccountId) -> Result<u64> {
        self.ledger.retain(&self.group.members)?;
        let others: BTreeSet<AccountId> = self.group.members.iter().filter(|id| **id != but).copied().collect();
        self.count(&others)
    }

    /// Accounts of these members that are there.
    pub(super) fn accounts_of(&self, members: &BTreeSet<AccountId>) -> Result<BTreeMap<AccountId, AccountInfo>> {
        if members.is_empty() {
            return Ok(BTreeMap::new());
        }
        let all = accounts::all(&*self.shared.disk, &self.shared.path)?;
        Ok(all.into_iter().filter(|account| members.contains(&account.id)).map(|info| (info.id, info)).collect())
    }

    /// Counts and notes these members. Those that are gone for good take nothing.
    fn count(&self, members: &BTreeSet<AccountId>) -> Result<u64> {
        let mut sum = 0_u64;
        let there = self.accounts_of(members)?;
        for id in members {
            let bytes = there.get(id).map_or(Ok(0), |account| bytes_of(&self.shared, account))?;
            self.ledger.set_bytes(*id, bytes)?;
            sum = sum.saturating_add(bytes);
        }
        Ok(sum)
    }
}

/// What another account takes, by its catalog.
fn bytes_of(shared: &Arc<Shared>, account: &AccountInfo) -> Result<u64> {
    let paths = DomainPaths::new(&shared.path, account.domain);
    let path = paths.catalog();
    if shared.disk.exists(&path)?.is_none() {
        // Nobody has ever opened it, or its catalog was lost: then there are packs.
        if shared.disk.names(paths.packs().root())?.is_empty() && shared.volumes_now()?.is_empty() {
            return Ok(0);
        }
    } else if let Ok(catalog) = shared.catalogs.open(&path, domain::journal(shared), account.domain)
        && let Ok((true, (packs, 0))) = catalog.read(|rows| Ok((rows.is_built()?, rows.taken()?)))
    {
        return Ok(packs);
    }
    // Something was being brought: what dead sessions reserved is given back by opening it.
    Domain::open(shared, account.domain)?.inner.catalog.read(taken)
}
