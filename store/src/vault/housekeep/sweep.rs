//! From what is needed to the states of places: good to condemned, condemned to good again or to freed.
//!
//! Every step is a change of its own under the catalog's write lock, small enough that a commit hardly waits, and begins
//! by catching up with what was committed meanwhile. So it may end anywhere; the next pass goes on.

use std::collections::{BTreeMap, HashSet};

use super::live::Live;
use super::mark::is_known;
use super::{DAY_MS, HousekeepEvent, Pass, Step};
use crate::catalog::{CompleteRow, PlaceRow, State};
use crate::error::Result;
use crate::id::PackId;
use crate::vault::closure::is_gone;

/// Places and nodes that are read at once.
const PAGE: usize = 10_000;
/// Places that are condemned, revived or freed in one change; nodes that are said not to be complete any more.
const CHANGED_AT_ONCE: usize = 2_000;

/// Places by what is to become of them.
#[derive(Default)]
struct Found {
    condemn: Vec<(i64, u32)>,
    revive: Vec<i64>,
    /// Condemned by a clock that was ahead.
    stamp: Vec<i64>,
    /// By pack, so that each footer is read once.
    free: BTreeMap<PackId, Vec<PlaceRow>>,
    kept_bytes: u64,
}

impl Pass<'_> {
    /// Brings every place into the state that the marks ask for.
    pub(super) fn sweep(&mut self, newest_place: i64, live: &Live) -> Result<Step> {
        let found = self.look(newest_place, live)?;
        self.done.kept_bytes = found.kept_bytes;
        if self.how.dry_run {
            self.done.condemned_bytes += found.condemn.iter().map(|(_, length)| u64::from(*length)).sum::<u64>();
            self.done.condemned += found.condemn.len() as u64;
            for place in found.free.values().flatten() {
                self.count_freed(place);
            }
            return Ok(Step::Done);
        }
        for step in [Self::revive, Self::condemn, Self::free] {
            let step = step(self, &found)?;
            if step != Step::Done {
                return Ok(step);
            }
        }
        Ok(Step::Done)
    }

    fn look(&self, newest_place: i64, live: &Live) -> Result<Found> {
        let catalog = &self.domain.inner.catalog;
        let unknown: HashSet<i64> =
            catalog.read(|rows| rows.pack_uses())?.iter().filter(|p| p.unknown).map(|p| p.no).collect();
        let mut found = Found::default();
        let mut after = i64::MIN;
        loop {
            let page = catalog.read(|rows| rows.places_after(after, PAGE))?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.no;
            for place in page {
                let needed = self.marks.places.contains(place.no);
                let fixed = place.no > newest_place
                    || !is_known(place.kind)
                    || unknown.contains(&place.pack_no)
                    || live.numbers.contains(&place.session);
                if place.state < State::Damaged && (needed || fixed) {
                    found.kept_bytes += u64::from(place.length);
                }
                match place.state {
                    State::Good if !needed && !fixed => found.condemn.push((place.no, place.length)),
                    State::Condemned if needed => found.revive.push(place.no),
                    State::Condemned if place.since > self.now => found.stamp.push(place.no),
                    State::Condemned if !fixed && self.is_due(&place) && !live.was_told(&place) => {
                        found.free.entry(place.pack).or_default().push(place);
                    }
                    // It cannot be read, and everything in it is to be had elsewhere or needed by nobody.
                    State::Damaged if !needed && !fixed => found.free.entry(place.pack).or_default().push(place),
                    _ => {}
                }
            }
        }
    }

    /// Condemned in an earlier pass, and for a day.
    fn is_due(&self, place: &PlaceRow) -> bool {
        place.pass <= self.began && self.now.saturating_sub(place.since) >= DAY_MS
    }

    fn revive(&mut self, found: &Found) -> Result<Step> {
        for places in found.revive.chunks(CHANGED_AT_ONCE) {
            if self.change(|rows, _| rows.revive(places))?.is_none() {
                return Ok(Step::Overtaken);
            }
            self.done.revived += places.len() as u64;
        }
        let now = self.now;
        for places in found.stamp.chunks(CHANGED_AT_ONCE) {
            if self.change(|rows, _| rows.condemned_now(places, now))?.is_none() {
                return Ok(Step::Overtaken);
            }
        }
        Ok(Step::Done)
    }

    fn condemn(&mut self, found: &Found) -> Result<Step> {
        if found.condemn.is_empty() {
            return Ok(Step::Done);
        }
        // Before anything is condemned, nothing that may lie above it is complete any more.
        if self.clear_complete()? == Step::Overtaken {
            return Ok(Step::Overtaken);
        }
        let now = self.now;
        for places in found.condemn.chunks(CHANGED_AT_ONCE) {
            let condemned = self.change(|rows, pass| {
                let places: Vec<(i64, u32)> =
                    places.iter().filter(|(no, _)| !pass.marks.places.contains(*no)).copied().collect();
                let numbers: Vec<i64> = places.iter().map(|(no, _)| *no).collect();
                pass.done.condemned += rows.condemn(&numbers, now)? as u64;
                pass.done.condemned_bytes += places.iter().map(|(_, length)| u64::from(*length)).sum::<u64>();
                Ok(())
            })?;
            if condemned.is_none() {
                return Ok(Step::Overtaken);
            }
        }
        let (places, bytes) = (self.done.condemned, self.done.condemned_bytes);
        self.tell(HousekeepEvent::Condemned { places, bytes })?;
        Ok(Step::Done)
    }

    /// A needed node has only needed things below it, so it stays complete. Of all others it is no longer said.
    fn clear_complete(&mut self) -> Result<Step> {
        let mut after = None;
        loop {
            let page = self.domain.inner.catalog.read(|rows| rows.complete_after(after, PAGE))?;
            let Some(last) = page.last() else { return Ok(Step::Done) };
            after = Some((last.id, last.place));
            let unneeded = |row: &&CompleteRow, pass: &Self| !pass.marks.nodes.contains(row.place, row.slot);
            let rows_of: Vec<CompleteRow> = page.iter().filter(|row| unneeded(row, self)).copied().collect();
            for some in rows_of.chunks(CHANGED_AT_ONCE) {
                let cleared = self.change(|rows, pass| {
                    let some: Vec<CompleteRow> = some.iter().filter(|row| unneeded(row, pass)).copied().collect();
                    rows.clear_complete(&some)
                })?;
                if cleared.is_none() {
                    return Ok(Step::Overtaken);
                }
            }
        }
    }

    fn free(&mut self, found: &Found) -> Result<Step> {
        for (pack, places) in &found.free {
            let at = self.ids_of(*pack)?;
            for places in places.chunks(CHANGED_AT_ONCE) {
                let freed = self.change(|rows, pass| {
                    // A session may have begun meanwhile, and been told nothing of these; one that was there before stays.
                    let live = pass.domain.live_sessions()?;
                    for place in places {
                        let needed = pass.marks.places.contains(place.no);
                        let told = place.state == State::Condemned && live.was_told(place);
                        if !needed
                            && !told
                            && rows.free(place.no, place.state, place.kind, at.get(&place.no).map(Vec::as_slice))?
                        {
                            pass.count_freed(place);
                        }
                    }
                    rows.raise_generation()
                })?;
                if freed.is_none() {
                    return Ok(Step::Overtaken);
                }
            }
        }
        let (places, bytes) = (self.done.freed, self.done.freed_bytes);
        if places > 0 {
            self.tell(HousekeepEvent::Freed { places, bytes })?;
        }
        Ok(Step::Done)
    }

    /// The ids of each place of a pack, from its footer. Without it there are none, and the tables have to be gone
    /// through.
    fn ids_of(&self, pack: PackId) -> Result<BTreeMap<i64, Vec<[u8; 32]>>> {
        let reader = match self.domain.open_pack(pack) {
            Ok((reader, _)) => reader,
            Err(e) if is_gone(&e) => return Ok(BTreeMap::new()),
            Err(e) => return Err(e),
        };
        let places = self.domain.inner.catalog.read(|rows| rows.places_in(pack))?;
        let lines = reader.lines();
        let ids = places.iter().filter_map(|(place, _)| {
            let at = lines.binary_search_by_key(&place.offset, |line| line.offset).ok()?;
            let line = lines.get(at).filter(|line| line.hash == place.hash)?;
            Some((place.no, line.ids.clone()))
        });
        Ok(ids.collect())
    }

    fn count_freed(&mut self, place: &PlaceRow) {
        self.done.freed += 1;
        self.done.freed_bytes += u64::from(place.length);
    }
}
