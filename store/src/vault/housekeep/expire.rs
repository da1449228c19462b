//! Retention, carried out: bodies of versions that are not kept any more go; their links stay (FORMAT.md, chapter 11).
//!
//! A body is a root of the marking, so whatever only it needs is condemned afterwards. What may go is decided by the
//! chain alone, and looked at again under the catalog's write lock, so that a pin that has just come counts.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{DAY_MS, Goes, HousekeepEvent, Pass};
use crate::catalog::{LinkRow, Rows};
use crate::chain::{self, Cause, Fate, LinkKind, Moment, Pressure, ReceivedLink};
use crate::door::Millis;
use crate::error::Result;
use crate::id::BodyHash;
use crate::vault::{AccountInfo, AccountState, Domain};

/// Links that are read at once.
const LINKS: usize = 1_024;
/// Bodies that are removed in one change.
const REMOVED_AT_ONCE: usize = 256;
/// The same, when each is synced before the next.
const IN_ORDER_AT_ONCE: usize = 32;
/// A first pass under a policy that would expire a larger share of the versions, in hundredths, waits to be confirmed.
pub(super) const SHARE_PERCENT: u64 = 30;
const HOURS_OF_DAY: u64 = 24;

/// The chain of an account, as far as it says what is kept.
pub(super) struct Judged {
    pub(super) moments: Vec<Moment>,
    /// Of each version the name of its body, and whether that is here.
    pub(super) bodies: BTreeMap<u64, (BodyHash, bool)>,
    pub(super) fates: Vec<(u64, Fate)>,
    /// A body that says what is kept cannot be read: then nothing may go.
    pub(super) unclear: bool,
}

impl Judged {
    /// Versions whose bodies are here and may go.
    fn going(&self) -> impl Iterator<Item = (u64, Cause)> {
        self.fates.iter().filter_map(|(version, fate)| match fate {
            Fate::Going(cause) if self.is_here(*version) => Some((*version, *cause)),
            _ => None,
        })
    }

    /// How many versions are here, without partial ones.
    pub(super) fn versions_here(&self) -> u64 {
        let whole = self.moments.iter().filter(|moment| matches!(moment.act, chain::Act::Version { .. }));
        whole.filter(|moment| self.is_here(moment.sequence)).count() as u64
    }

    /// Of versions that are here the ones that are a day old, of each day no more than one an hour would be: whoever adds many at once weighs
    /// no more for it.
    pub(super) fn settled(&self) -> u64 {
        let newest = self.moments.iter().map(|moment| moment.received_at).max().unwrap_or(Millis::MIN);
        let mut days: BTreeMap<Millis, u64> = BTreeMap::new();
        for moment in &self.moments {
            let is_old = newest.saturating_sub(moment.received_at) >= DAY_MS;
            if is_old && matches!(moment.act, chain::Act::Version { .. }) && self.is_here(moment.sequence) {
                *days.entry(moment.received_at.div_euclid(DAY_MS)).or_default() += 1;
            }
        }
        days.into_values().map(|versions| versions.min(HOURS_OF_DAY)).sum()
    }

    /// Of these the ones that may go under their pressures, by the chain as it is here.
    fn thinnable_of(&self, some: &[(u64, Cause)]) -> BTreeMap<u64, Cause> {
        let list = |pressure| -> HashSet<u64> { chain::thinnable(&self.moments, pressure).into_iter().collect() };
        let (soft, space) = (list(Pressure::SoftLimit), list(Pressure::Space));
        let may = |(version, cause): &&(u64, Cause)| match cause {
            Cause::SoftLimit => soft.contains(version),
            Cause::Space => space.contains(version),
            _ => false,
        };
        some.iter().filter(may).copied().collect()
    }

    pub(super) fn is_here(&self, version: u64) -> bool {
        self.bodies.get(&version).is_some_and(|(_, here)| *here)
    }

    /// Versions whose bodies are not here, and were allowed to go.
    pub(super) fn gone(&self) -> BTreeSet<u64> {
        let mut missing: BTreeSet<u64> =
            self.bodies.iter().filter(|(_, (_, here))| !*here).map(|(version, _)| *version).collect();
        if self.unclear {
            return BTreeSet::new();
        }
        let list: Vec<u64> = missing.iter().copied().collect();
        for version in chain::must_be_there(&self.moments, &list, &list) {
            missing.remove(&version);
        }
        missing
    }
}

impl Domain {
    /// Versions of an account, partial ones included, whose bodies are not here and were allowed to go.
    pub(in crate::vault) fn gone_versions(&self, account: &AccountInfo) -> Result<BTreeSet<u64>> {
        Ok(self.judged(account, None)?.gone())
    }

    /// Whether the body of this version is not here and was allowed to go, within a change.
    pub(in crate::vault) fn has_gone(&self, rows: Rows<'_>, account: &AccountInfo, version: u64) -> Result<bool> {
        Ok(self.judged(account, Some(rows))?.gone().contains(&version))
    }

    pub(super) fn judged(&self, account: &AccountInfo, rows: Option<Rows<'_>>) -> Result<Judged> {
        let mut judged = Judged { moments: Vec::new(), bodies: BTreeMap::new(), fates: Vec::new(), unclear: false };
        let mut from = 1;
        loop {
            let links = match rows {
                Some(rows) => rows.links(account.number, from, LINKS)?,
                None => self.inner.catalog.read(|rows| rows.links(account.number, from, LINKS))?,
            };
            let Some(last) = links.last() else { break };
            from = last.sequence.saturating_add(1);
            for link in &links {
                self.add(account, link, &mut judged)?;
            }
        }
        judged.fates = chain::judge(&judged.moments);
        Ok(judged)
    }

    fn add(&self, account: &AccountInfo, row: &LinkRow, judged: &mut Judged) -> Result<()> {
        let kind = LinkKind::from_number(row.kind);
        let link = ReceivedLink::decode(&row.bytes)?;
        let body = if kind.is_version() || kind.is_act() {
            match self.body_record(account.number, row.body) {
                Err(e) if e.is_damage() => None,
                other => other?,
            }
        } else {
            None
        };
        if kind.is_version() {
            let here = body.is_some()
                || self.inner.shared.disk.exists(&self.inner.paths.body(account.number, row.body))?.is_some();
            judged.bodies.insert(row.sequence, (row.body, here));
        }
        judged.unclear |= kind.is_act() && body.is_none();
        judged.moments.push(Moment::new(&link, body.as_ref())?);
        Ok(())
    }
}

impl Pass<'_> {
    /// Removes the bodies that may go, account by account.
    pub(super) fn expire(&mut self) -> Result<()> {
        for account in self.accounts.clone() {
            let judged = self.domain.judged(&account, None)?;
            // A link that is hidden may say that something is to be kept.
            if judged.unclear || self.domain.hides_links(&account)? {
                self.unclear.insert(account.number);
            } else {
                self.expire_of(&account, judged)?;
            }
        }
        Ok(())
    }

    fn expire_of(&mut self, account: &AccountInfo, judged: Judged) -> Result<()> {
        self.gone.versions.extend(judged.gone().into_iter().map(|version| (account.number, version)));
        if account.state != AccountState::Open {
            // Nothing changes in an account that somebody has stopped.
            return Ok(());
        }
        let waits = self.must_wait(account, &judged)?;
        let may_go = |cause: Cause| !(waits && cause == Cause::Expired);
        let going: Vec<(u64, Cause)> = judged.going().filter(|(_, cause)| may_go(*cause)).collect();
        if waits {
            let versions = judged.going().count().saturating_sub(going.len()) as u64;
            self.done.waiting += versions;
            self.tell(HousekeepEvent::Waiting { account: account.name.clone(), versions })?;
        }
        // Who waits for a word about the policy gives nothing up for space meanwhile.
        let pressed = if waits { Vec::new() } else { self.pressed(account, &judged)? };
        if self.how.dry_run {
            self.gone.left_out = true;
            self.tell_fates(account, &judged, &pressed)?;
            for (version, cause) in going.into_iter().chain(pressed) {
                self.count_expired(account, version, cause)?;
            }
            return Ok(());
        }
        for some in going.chunks(REMOVED_AT_ONCE) {
            let goes = |now: &Judged| now.going().collect();
            for (version, cause) in self.remove_bodies(account, &judged, some, false, &goes)? {
                self.count_expired(account, version, cause)?;
            }
        }
        for some in pressed.chunks(IN_ORDER_AT_ONCE) {
            let goes = |now: &Judged| now.thinnable_of(some);
            let gone = self.remove_bodies(account, &judged, some, true, &goes)?;
            let stopped = gone.len() < some.len();
            for (version, cause) in gone {
                self.count_expired(account, version, cause)?;
            }
            if stopped {
                break;
            }
        }
        if !waits {
            self.set_policy_seen(account, &judged)?;
        }
        Ok(())
    }

    fn tell_fates(&mut self, account: &AccountInfo, judged: &Judged, pressed: &[(u64, Cause)]) -> Result<()> {
        let pressed: BTreeMap<u64, Cause> = pressed.iter().copied().collect();
        let received: BTreeMap<u64, i64> =
            judged.moments.iter().map(|moment| (moment.sequence, moment.received_at)).collect();
        for (version, fate) in judged.fates.iter().filter(|(version, _)| judged.is_here(*version)) {
            self.tell(HousekeepEvent::Judged {
                account: account.number,
                version: *version,
                received_at: received.get(version).copied().unwrap_or(0),
                fate: pressed.get(version).map_or_else(|| fate.clone(), |cause| Fate::Going(*cause)),
            })?;
        }
        Ok(())
    }

    fn count_expired(&mut self, account: &AccountInfo, version: u64, cause: Cause) -> Result<()> {
        self.gone.versions.insert((account.number, version));
        match cause {
            Cause::Expired => self.done.expired += 1,
            Cause::Forgotten => self.done.forgotten += 1,
            Cause::Superseded => self.done.superseded += 1,
            Cause::SoftLimit | Cause::Space => self.done.pressed += 1,
        }
        self.log.goes(&account.name, version, cause);
        self.tell(HousekeepEvent::Expired { account: account.name.clone(), version, cause })
    }

    /// Removes bodies that still may go when nobody can commit: `goes` says it of the chain as it then is. Gives those that
    /// went. `in_order`: each is gone for good before the next one goes, and the first that may not go ends it.
    fn remove_bodies(
        &mut self,
        account: &AccountInfo,
        before: &Judged,
        some: &[(u64, Cause)],
        in_order: bool,
        goes: Goes<'_>,
    ) -> Result<Vec<(u64, Cause)>> {
        let inner = &self.domain.inner;
        let write = inner.catalog.write()?;
        self.domain.take_in_links(write.rows(), account)?;
        let newest = write.rows().newest_link(account.number)?.map(|link| link.sequence);
        let now;
        let judged = if newest == before.moments.last().map(|moment| moment.sequence) {
            before
        } else {
            now = self.domain.judged(account, Some(write.rows()))?;
            &now
        };
        if judged.unclear || self.domain.hides_next_link(write.rows(), account)? {
            return Ok(Vec::new());
        }
        let going: BTreeMap<u64, Cause> = goes(judged);
        let stay: HashSet<BodyHash> = judged
            .bodies
            .iter()
            .filter(|(version, _)| !going.contains_key(version))
            .map(|(_, (body, _))| *body)
            .collect();
        let mut done = Vec::new();
        for (version, cause) in some {
            let body = judged.bodies.get(version).map(|(body, _)| *body).filter(|body| !stay.contains(body));
            match body.filter(|_| going.get(version) == Some(cause)) {
                Some(body) => {
                    self.domain.remove(&inner.paths.body(account.number, body))?;
                    if in_order {
                        inner.shared.disk.sync_dir(&inner.paths.bodies(account.number))?;
                    }
                    done.push((*version, *cause));
                }
                None if in_order => break,
                None => {}
            }
        }
        inner.shared.disk.sync_dir(&inner.paths.bodies(account.number))?;
        write.commit()?;
        Ok(done)
    }

    /// Whether this policy has not been carried out yet and would take many versions at once.
    fn must_wait(&self, account: &AccountInfo, judged: &Judged) -> Result<bool> {
        let seen = self.domain.inner.catalog.read(|rows| rows.housekept(&policy_key(account)))?;
        let number = policy_number(judged);
        // An account stands under the default from its beginning: nobody has changed anything.
        if self.how.confirmed || seen == number || number == DEFAULT_NUMBER {
            return Ok(false);
        }
        let expired = judged.going().filter(|(_, cause)| *cause == Cause::Expired).count() as u64;
        Ok(expired * 100 > judged.versions_here() * SHARE_PERCENT)
    }

    fn set_policy_seen(&self, account: &AccountInfo, judged: &Judged) -> Result<()> {
        let (catalog, key, number) = (&self.domain.inner.catalog, policy_key(account), policy_number(judged));
        if catalog.read(|rows| rows.housekept(&key))? != number {
            let write = catalog.write()?;
            write.rows().set_housekept(&key, number)?;
            write.commit()?;
        }
        Ok(())
    }
}

/// Under which the policy stands that was carried out last.
fn policy_key(account: &AccountInfo) -> String {
    format!("policy {}", account.number)
}

/// The number of the policy before there is a link of one.
const DEFAULT_NUMBER: i64 = 1;

/// The number of the policy's link and one: 0 means that none was carried out.
pub(super) fn policy_number(judged: &Judged) -> i64 {
    i64::try_from(chain::policy_of(&judged.moments).1).unwrap_or(i64::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_of_one_day_weigh_no_more_than_its_hours() {
        let version = |sequence, received_at| Moment {
            sequence,
            taken_at: received_at,
            received_at,
            act: chain::Act::Version { tags: Vec::new(), sources: Vec::new() },
        };
        let day = 20_000 * DAY_MS;
        let mut moments: Vec<Moment> = (1..61).map(|n| version(n, day + i64::try_from(n).unwrap())).collect();
        moments.extend((61..64).map(|n| version(n, day + DAY_MS)));
        moments.push(version(64, day + 3 * DAY_MS));
        let bodies = moments.iter().map(|moment| (moment.sequence, (BodyHash::new([1; 32]), moment.sequence != 61)));
        let judged = Judged { bodies: bodies.collect(), fates: Vec::new(), unclear: false, moments };
        // 24 of the first day, of the second those that are here, and the newest is too young.
        assert_eq!(judged.settled(), 24 + 2);
    }
}
