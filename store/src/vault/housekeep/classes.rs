//! What the bytes of the packs are for: five classes that have nothing in common and add up to all of them.
//!
//! A class is what was not reached by the classes before it, so it takes the marking (`mark`) in a certain order: first
//! the newest versions, then the other kept ones, then those that are on their way out. Every pass of housekeeping marks
//! in that order and keeps the sums; a question in between uses them as long as nothing has changed since, and walks by
//! itself otherwise, within a time. What is left when all that was reached is taken away is by construction the rest, so
//! the classes always add up.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use super::expire::Judged;
use super::mark::Marks;
use super::{Budget, Housekeep, TRIES};
use crate::catalog::Rows;
use crate::chain::{Act, Fate};
use crate::door::Millis;
use crate::error::{Error, Result};
use crate::id::BodyHash;
use crate::vault::{AccountInfo, Domain, account};

/// What the bytes of the packs of a chunk space are for. The five sums of bytes have nothing in common; together they
/// are the lengths of all packs at the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// When that was so, in milliseconds since 1970, by the server's clock.
    pub at: Millis,
    /// Content that the newest version needs, which names the newest state of every source; and that of a run that is
    /// not ended.
    pub current_bytes: u64,
    /// Content that only older kept versions need.
    pub history_bytes: u64,
    /// Content and nodes on their way out: of versions that were forgotten or that no rule keeps, and what is condemned.
    pub trash_bytes: u64,
    /// Nodes that kept versions need, and what packs have beside their records.
    pub metadata_bytes: u64,
    /// What nothing needs and housekeeping has not looked at yet, and room in packs that was freed and not yet given back.
    pub unreferenced_bytes: u64,
    /// Versions that are kept, without partial ones.
    pub versions: u64,
    /// When the oldest of them was received.
    pub oldest_at: Option<Millis>,
    /// When the newest of them was received.
    pub newest_at: Option<Millis>,
    /// Nodes and bodies that are needed and cannot be read: what only they lead to counts as unreferenced.
    pub holes: u64,
}

/// Bodies of the versions of a chunk space, by class.
#[derive(Default)]
struct Stages {
    current: BTreeSet<(u32, BodyHash)>,
    history: BTreeSet<(u32, BodyHash)>,
    trash: BTreeSet<(u32, BodyHash)>,
    versions: u64,
    oldest_at: Option<Millis>,
    newest_at: Option<Millis>,
    unclear: u64,
}

impl Stages {
    fn add(&mut self, account: &AccountInfo, judged: &Judged) {
        self.unclear += u64::from(judged.unclear);
        let whole = |sequence: u64| {
            let found = judged.moments.binary_search_by_key(&sequence, |moment| moment.sequence).ok();
            found.and_then(|at| judged.moments.get(at)).filter(|moment| matches!(moment.act, Act::Version { .. }))
        };
        // Newest first: the first kept version is the newest state of everything.
        let mut newest_met = false;
        for (sequence, fate) in judged.fates.iter().rev().filter(|(sequence, _)| judged.is_here(*sequence)) {
            let Some((body, _)) = judged.bodies.get(sequence) else { continue };
            let version = whole(*sequence);
            let class = match (fate, version) {
                (Fate::Trash { .. } | Fate::Going(_), _) => &mut self.trash,
                (Fate::Kept(_), Some(_)) if newest_met => &mut self.history,
                (Fate::Kept(_), _) => &mut self.current,
            };
            class.insert((account.number, *body));
            if let (Fate::Kept(_), Some(moment)) = (fate, version) {
                newest_met = true;
                self.versions += 1;
                let at = moment.received_at;
                self.oldest_at = Some(self.oldest_at.map_or(at, |oldest| oldest.min(at)));
                self.newest_at = Some(self.newest_at.map_or(at, |newest| newest.max(at)));
            }
        }
    }
}

/// What was reached class by class, in bytes of records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reached {
    current: u64,
    history: u64,
    trash: u64,
    /// Groups that kept versions need.
    groups: u64,
    versions: u64,
    oldest_at: Option<Millis>,
    newest_at: Option<Millis>,
    holes: u64,
    /// Where the chains ended.
    links: u64,
}

impl Reached {
    /// Marks what the versions of these accounts need, class by class: current, history, trash; `done` sees the marks after
    /// each. `None` when the budget ended.
    pub(super) fn mark(
        domain: &Domain,
        accounts: &[AccountInfo],
        marks: &mut Marks,
        budget: &Budget<'_>,
        done: &mut dyn FnMut(&Marks),
    ) -> Result<Option<Self>> {
        let links = domain.inner.catalog.read(|rows| ends(rows, accounts))?;
        let mut stages = Stages::default();
        for account in accounts {
            stages.add(account, &domain.judged(account, None)?);
        }
        let mut sums = [(0, 0); 3];
        for (class, sum) in [&stages.current, &stages.history, &stages.trash].into_iter().zip(&mut sums) {
            for (account, body) in class {
                if !marks.one(domain, *account, *body, budget)? {
                    return Ok(None);
                }
            }
            *sum = (marks.bytes, marks.group_bytes);
            done(marks);
        }
        let [(current, current_groups), (kept, groups), (all, _)] = sums;
        let current = current - current_groups;
        Ok(Some(Self {
            current,
            history: (kept - groups) - current,
            trash: all - kept,
            groups,
            versions: stages.versions,
            oldest_at: stages.oldest_at,
            newest_at: stages.newest_at,
            holes: stages.unclear + marks.holes,
            links,
        }))
    }

    /// Whether no link came since.
    pub(super) fn holds(&self, rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<bool> {
        Ok(ends(rows, accounts)? == self.links)
    }

    /// All bytes of the packs by class; `marks` are the ones that were made.
    pub(super) fn classes(&self, rows: Rows<'_>, marks: &Marks, at: Millis) -> Result<Classes> {
        let packs = rows.pack_totals()?.1;
        let beside = packs.saturating_sub(rows.known_place_bytes()?);
        let mut condemned = 0;
        rows.condemned(&mut |place, length| {
            condemned += if marks.places.contains(place) { 0 } else { u64::from(length) };
        })?;
        // Somebody may have changed the packs meanwhile: what is given out never exceeds what there is.
        let mut left = packs;
        let mut take = |bytes: u64| {
            let bytes = bytes.min(left);
            left -= bytes;
            bytes
        };
        Ok(Classes {
            at,
            current_bytes: take(self.current),
            history_bytes: take(self.history),
            metadata_bytes: take(self.groups.saturating_add(beside)),
            trash_bytes: take(self.trash.saturating_add(condemned)),
            unreferenced_bytes: left,
            versions: self.versions,
            oldest_at: self.oldest_at,
            newest_at: self.newest_at,
            holes: self.holes,
        })
    }
}

impl Classes {
    /// All of them together.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        [self.current_bytes, self.history_bytes, self.trash_bytes, self.metadata_bytes, self.unreferenced_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Keeps them in the catalog, as those of how things are there now.
    pub(super) fn keep(&self, rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<()> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (name, value) in [
            ("current", signed(self.current_bytes)),
            ("history", signed(self.history_bytes)),
            ("trash", signed(self.trash_bytes)),
            ("metadata", signed(self.metadata_bytes)),
            ("unreferenced", signed(self.unreferenced_bytes)),
            ("versions", signed(self.versions)),
            ("oldest", self.oldest_at.unwrap_or(0)),
            ("newest", self.newest_at.unwrap_or(0)),
            ("at", self.at),
            ("state", state(rows, accounts)?),
        ] {
            rows.set_housekept(&format!("usage {name}"), value)?;
        }
        Ok(())
    }

    /// What was kept last, and whether it still is how things are; `None` before that.
    fn kept(rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<Option<(Self, bool)>> {
        let value = |name: &str| rows.housekept(&format!("usage {name}"));
        let bytes = |name: &str| Ok::<u64, Error>(u64::try_from(value(name)?).unwrap_or(0));
        let at = value("at")?;
        if at == 0 {
            return Ok(None);
        }
        let kept = Self {
            at,
            current_bytes: bytes("current")?,
            history_bytes: bytes("history")?,
            trash_bytes: bytes("trash")?,
            metadata_bytes: bytes("metadata")?,
            unreferenced_bytes: bytes("unreferenced")?,
            versions: bytes("versions")?,
            oldest_at: Some(value("oldest")?).filter(|at| *at != 0),
            newest_at: Some(value("newest")?).filter(|at| *at != 0),
            holes: 0,
        };
        Ok(Some((kept, value("state")? == state(rows, accounts)?)))
    }
}

impl Domain {
    /// What the bytes of its packs are for. `most_ms`: rather than walk longer, it tells how it was at the last pass of
    /// housekeeping ([`Classes::at`] says when); where there was none, it walks to the end.
    pub(in crate::vault) fn classes(&self, most_ms: Option<u64>) -> Result<Classes> {
        let inner = &self.inner;
        let accounts = account::accounts_in(&inner.shared, &inner.paths, self.id())?;
        let now = inner.shared.clock.now_ms();
        let (kept, state) =
            inner.catalog.read(|rows| Ok((Classes::kept(rows, &accounts)?, state(rows, &accounts)?)))?;
        if let Some((classes, true)) = kept {
            return Ok(Classes { at: now, ..classes });
        }
        let walked = *self.walked();
        if let Some((_, classes)) = walked.filter(|(then, _)| *then == state) {
            return Ok(Classes { at: now, ..classes });
        }
        let most_ms = most_ms.filter(|_| kept.is_some());
        let budget = Budget::new(&Housekeep { most_ms, ..Housekeep::default() }, &*inner.shared.clock);
        match (self.tell_apart(&accounts, &budget)?, kept) {
            (Some(classes), _) | (None, Some((classes, _))) => Ok(classes),
            // Not so: without a kept one there is no end but the real one.
            (None, None) => Ok(Classes { at: now, ..Classes::default() }),
        }
    }

    fn walked(&self) -> MutexGuard<'_, Option<(i64, Classes)>> {
        self.inner.walked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks all, and remembers what came of it for as long as nothing changes. `None` when the budget ended.
    fn tell_apart(&self, accounts: &[AccountInfo], budget: &Budget<'_>) -> Result<Option<Classes>> {
        let inner = &self.inner;
        let mut attempt = 1;
        loop {
            let before = inner.catalog.read(|rows| state(rows, accounts))?;
            let mut marks = Marks::default();
            let Some(reached) = Reached::mark(self, accounts, &mut marks, budget, &mut |_| ())? else {
                return Ok(None);
            };
            let now = inner.shared.clock.now_ms();
            let (classes, after) =
                inner.catalog.read(|rows| Ok((reached.classes(rows, &marks, now)?, state(rows, accounts)?)))?;
            if before == after {
                *self.walked() = Some((after, classes));
                return Ok(Some(classes));
            }
            // Where things never rest, the last answer is near enough.
            if attempt == TRIES {
                return Ok(Some(classes));
            }
            attempt += 1;
        }
    }
}

/// A number that is another one when a class may have become another: by a link, by a pack, by a pass.
fn state(rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<i64> {
    let mut hasher = blake3::Hasher::new();
    for number in rows.shape()? {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(&rows.housekept("at")?.to_le_bytes());
    hasher.update(&ends(rows, accounts)?.to_le_bytes());
    Ok(i64::from_le_bytes(first_eight(&hasher)))
}

/// A number that is another one when a link has come.
fn ends(rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<u64> {
    let mut hasher = blake3::Hasher::new();
    for account in accounts {
        hasher.update(&account.number.to_le_bytes());
        let newest = rows.newest_link(account.number)?.map_or(0, |link| link.sequence);
        hasher.update(&newest.to_le_bytes());
    }
    Ok(u64::from_le_bytes(first_eight(&hasher)))
}

fn first_eight(hasher: &blake3::Hasher) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    [a, b, c, d, e, f, g, h]
}
