//! Bodies that no link names: of commits that came no further. They go a day after they were first seen.

use std::collections::{BTreeMap, HashSet};

use super::{DAY_MS, HousekeepEvent, Pass};
use crate::error::Result;
use crate::id::BodyHash;
use crate::vault::{AccountInfo, layout};

/// Links that are read at once.
const LINKS: usize = 1_024;

impl Pass<'_> {
    /// Notes new orphans of every account, and removes those that have been ones for a day.
    pub(super) fn orphans(&mut self) -> Result<()> {
        for account in self.accounts.clone() {
            self.orphans_of(&account)?;
        }
        if self.done.orphans > 0 {
            let bodies = self.done.orphans;
            self.tell(HousekeepEvent::Orphans { bodies })?;
        }
        Ok(())
    }

    fn orphans_of(&mut self, account: &AccountInfo) -> Result<()> {
        // The link that names it may be one that nobody can read.
        if self.unclear.contains(&account.number) {
            return Ok(());
        }
        let inner = &self.domain.inner;
        let on_disk: Vec<BodyHash> = inner
            .shared
            .disk
            .names(&inner.paths.bodies(account.number))?
            .iter()
            .filter_map(|name| layout::body_hash(name))
            .collect();
        let named = self.named_bodies(account)?;
        let unnamed: Vec<BodyHash> = on_disk.into_iter().filter(|body| !named.contains(body)).collect();
        let known: BTreeMap<BodyHash, i64> =
            inner.catalog.read(|rows| rows.orphans(account.number))?.into_iter().collect();
        if (unnamed.is_empty() && known.is_empty()) || self.how.dry_run {
            return Ok(());
        }
        // Under the write lock no commit gives one of them its link.
        let write = inner.catalog.write()?;
        let rows = write.rows();
        self.domain.take_in_links(rows, account)?;
        if self.domain.hides_next_link(rows, account)? {
            return Ok(());
        }
        let (mut stay, mut removed) = (Vec::new(), 0);
        for body in unnamed {
            if rows.names_body(account.number, body)? {
                continue;
            }
            // One from the future was seen by a clock that was ahead.
            let since = known.get(&body).copied().filter(|since| *since <= self.now).unwrap_or(self.now);
            if self.now.saturating_sub(since) >= DAY_MS {
                self.domain.remove(&inner.paths.body(account.number, body))?;
                removed += 1;
            } else {
                stay.push((body, since));
            }
        }
        rows.set_orphans(account.number, &stay)?;
        write.commit()?;
        self.done.orphans += removed;
        Ok(())
    }

    fn named_bodies(&self, account: &AccountInfo) -> Result<HashSet<BodyHash>> {
        let mut out = HashSet::new();
        let mut from = 1;
        loop {
            let links = self.domain.inner.catalog.read(|rows| rows.links(account.number, from, LINKS))?;
            let Some(last) = links.last() else { return Ok(out) };
            from = last.sequence.saturating_add(1);
            out.extend(links.iter().map(|link| link.body));
        }
    }
}
