//! History told apart: what belongs to older states of paths that are still there, to paths that are gone, or to both.
//!
//! The server does not know paths, and who holds the key does not know which chunks share a box. So the one says of chunks
//! what they are for, and the other adds up boxes: only those that the class *history* has, so that the parts add up to it.

use super::Budget;
use super::bits::PlaceBits;
use super::classes::Reached;
use super::mark::{Marks, best};
use crate::catalog::Place;
use crate::error::Result;
use crate::id::ChunkId;
use crate::vault::{Domain, Usage, account};

/// Bytes of the class *history*, in parts that have nothing in common and add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SplitHistory {
    /// Boxes with older states of paths that are still there.
    pub old_bytes: u64,
    /// Boxes with what stood at paths that are gone.
    pub deleted_bytes: u64,
    /// Boxes with both.
    pub both_bytes: u64,
    /// Boxes of which nothing was said.
    pub other_bytes: u64,
}

/// Takes word of chunks. Holds a few bits for each place.
pub struct Split {
    domain: Domain,
    usage: Usage,
    current: PlaceBits,
    kept: PlaceBits,
    old: PlaceBits,
    deleted: PlaceBits,
    sums: SplitHistory,
}

impl Domain {
    /// Marks what versions need, as exact [usage](Domain::usage) does, and is ready to be told of chunks.
    pub fn split(&self) -> Result<Split> {
        let inner = &self.inner;
        let accounts = account::accounts_in(&inner.shared, &inner.paths, self.id())?;
        let mut marks = Marks::default();
        let mut steps = Vec::with_capacity(3);
        let mut step = |marks: &Marks| steps.push(marks.places.clone());
        let reached = Reached::mark(self, &accounts, &mut marks, &Budget::none(), &mut step)?.unwrap_or_default();
        let now = inner.shared.clock.now_ms();
        let classes = inner.catalog.read(|rows| reached.classes(rows, &marks, now))?;
        let mut steps = steps.into_iter();
        let (current, kept) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
        let (old, deleted) = (PlaceBits::default(), PlaceBits::default());
        let usage = self.with_files(classes)?;
        Ok(Split { domain: self.clone(), usage, current, kept, old, deleted, sums: SplitHistory::default() })
    }
}

impl Split {
    /// Takes word of some chunks that older versions need. Each may come several times, and be both.
    pub fn add(&mut self, old: &[ChunkId], deleted: &[ChunkId]) -> Result<()> {
        for (ids, is_old) in [(old, true), (deleted, false)] {
            for places in self.domain.inner.catalog.read(|rows| rows.all_places_of_chunks(ids))? {
                best(&places).iter().for_each(|(place, _)| self.place(place, is_old));
            }
        }
        Ok(())
    }

    fn place(&mut self, place: &Place, is_old: bool) {
        if self.current.contains(place.no) || !self.kept.contains(place.no) {
            return;
        }
        let (this, other) = if is_old { (&mut self.old, &self.deleted) } else { (&mut self.deleted, &self.old) };
        if !this.insert(place.no) {
            return;
        }
        let (sums, bytes) = (&mut self.sums, u64::from(place.length));
        let (this, that) = match is_old {
            true => (&mut sums.old_bytes, &mut sums.deleted_bytes),
            false => (&mut sums.deleted_bytes, &mut sums.old_bytes),
        };
        if other.contains(place.no) {
            *that = that.saturating_sub(bytes);
            sums.both_bytes += bytes;
        } else {
            *this += bytes;
        }
    }

    /// What came of it.
    #[must_use]
    pub fn finish(self) -> (Usage, SplitHistory) {
        let told = self.sums.old_bytes + self.sums.deleted_bytes + self.sums.both_bytes;
        let other_bytes = self.usage.classes.history_bytes.saturating_sub(told);
        (self.usage, SplitHistory { other_bytes, ..self.sums })
    }
}
