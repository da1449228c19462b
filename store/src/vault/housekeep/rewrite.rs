//! Packs made of packs: eight small ones of a size become one, and what is left of a thin one moves out.
//!
//! A record is copied as it is stored and has the same ciphertext hash in its new place; nothing is opened. The new pack
//! is published first, like any other, so that for a while a record has two places; then, in one change, each old place
//! that is still good is freed. So nothing is ever without a place, wherever this ends. The old pack goes when all of it
//! is freed, like any other.

use std::collections::BTreeMap;

use super::live::Live;
use super::{HousekeepEvent, Pass};
use crate::catalog::{PackUse, Place, State};
use crate::door::random;
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::limits::{DATA_PACK_BYTES_TARGET, NODE_PACK_BYTES_TARGET};
use crate::pack::{PackHeader, PackKind, PackReader, PackWriter, part_path};
use crate::record::RecordKind;
use crate::vault::closure::is_gone;

/// So many packs of a size become one, so a byte is copied about three times before its pack is full.
const TIER: u64 = 8;
/// A pack is thin when more than this share of its records, in hundredths of bytes, was freed: then at most one and a
/// half bytes are written for each that comes back.
const THIN_PERCENT: u64 = 40;

/// A new pack being filled.
struct Output {
    writer: PackWriter,
    /// What it takes the place of, with the ids of the line.
    moved: Vec<(Place, Vec<[u8; 32]>)>,
}

impl Pass<'_> {
    /// Folds and compacts. An error of the disk ends it; what was moved is moved.
    pub(super) fn rewrite(&mut self, live: &Live) -> Result<()> {
        let uses = self.domain.inner.catalog.read(|rows| rows.pack_uses())?;
        for inputs in chosen(&uses, live) {
            if self.how.dry_run {
                self.done.rewritten += inputs.len() as u64;
                continue;
            }
            if self.budget.is_over() {
                self.done.unfinished = true;
                return Ok(());
            }
            self.merge(&inputs)?;
        }
        Ok(())
    }

    /// Moves what is good in these packs into new ones.
    fn merge(&mut self, inputs: &[PackUse]) -> Result<()> {
        let before = (self.done.rewritten, self.done.rewritten_into, self.done.copied_bytes);
        let session = inputs.iter().map(|input| input.session).max().unwrap_or(0);
        let mut outputs: BTreeMap<u8, Output> = BTreeMap::new();
        let mut account = None;
        for input in inputs {
            let reader = match self.domain.open_pack(input.id) {
                Ok((reader, _)) => reader,
                // `check` tells of it.
                Err(e) if is_gone(&e) || matches!(e, Error::Newer { .. }) => continue,
                Err(e) => return Err(e),
            };
            if reader.header().features != [0; 3] {
                continue;
            }
            if account.replace(reader.header().account).is_some_and(|before| before != reader.header().account) {
                self.settle_all(&mut outputs)?;
            }
            self.copy(input, &reader, session, &mut outputs)?;
            self.done.rewritten += 1;
            if self.budget.is_over() {
                self.done.unfinished = true;
                break;
            }
        }
        self.settle_all(&mut outputs)?;
        let (packs, into, bytes) = before;
        self.tell(HousekeepEvent::Rewritten {
            packs: self.done.rewritten - packs,
            into: self.done.rewritten_into - into,
            bytes: self.done.copied_bytes - bytes,
        })
    }

    fn copy(
        &mut self,
        input: &PackUse,
        reader: &PackReader,
        session: u64,
        outputs: &mut BTreeMap<u8, Output>,
    ) -> Result<()> {
        let places = self.domain.inner.catalog.read(|rows| rows.places_in(input.id))?;
        for (place, _) in places.iter().filter(|(_, state)| *state == State::Good) {
            let lines = reader.lines();
            let line = lines.binary_search_by_key(&place.offset, |line| line.offset).ok().and_then(|at| lines.get(at));
            let Some(line) = line.filter(|line| line.hash == place.hash) else { continue };
            let record = match reader.read(line) {
                Ok(record) => record,
                Err(e) if is_gone(&e) => {
                    self.domain.note_damage(place)?;
                    continue;
                }
                Err(e) => return Err(e),
            };
            let (kind, target) = match place.kind {
                RecordKind::Group => (PackKind::Nodes, NODE_PACK_BYTES_TARGET),
                _ => (PackKind::Data, DATA_PACK_BYTES_TARGET),
            };
            let output = match outputs.remove(&kind.number()) {
                Some(output) => output,
                None => self.new_output(kind, reader.header(), session)?,
            };
            let output = outputs.entry(kind.number()).or_insert(output);
            let copied = output.writer.append(&record)?;
            if copied.hash != place.hash {
                return Err(Error::damaged("record", "its copy has another hash").at(|| place.text()));
            }
            output.moved.push((*place, line.ids.clone()));
            self.done.copied_bytes += u64::from(line.length);
            self.budget.spend(line.length.into());
            if output.writer.bytes() >= target
                && let Some(full) = outputs.remove(&kind.number())
            {
                self.settle(full)?;
            }
        }
        Ok(())
    }

    fn new_output(&self, kind: PackKind, like: &PackHeader, session_number: u64) -> Result<Output> {
        let shared = &self.domain.inner.shared;
        let header = PackHeader { kind, pack: PackId::new(random(&*shared.chance)), session_number, ..*like };
        let path = part_path(&self.domain.inner.paths.housekeeping(), header.pack);
        Ok(Output { writer: PackWriter::without_side(&*shared.disk, path, header)?, moved: Vec::new() })
    }

    fn settle_all(&mut self, outputs: &mut BTreeMap<u8, Output>) -> Result<()> {
        while let Some((_, output)) = outputs.pop_first() {
            self.settle(output)?;
        }
        Ok(())
    }

    /// Publishes a new pack, then lets go of the old places, as far as they still hold what was copied.
    fn settle(&mut self, output: Output) -> Result<()> {
        let finished = output.writer.finish()?;
        self.domain.publish(std::slice::from_ref(&finished))?;
        self.done.rewritten_into += 1;
        let write = self.domain.inner.catalog.write()?;
        let rows = write.rows();
        let ours = rows.generation()? == self.generation;
        for ((place, ids), line) in output.moved.iter().zip(&finished.lines) {
            let new = rows.good_place_in(finished.header.pack, line.offset)?;
            if new.is_some() && rows.is_place(place)? {
                rows.free(place.no, State::Good, place.kind, Some(ids))?;
            }
        }
        rows.raise_generation()?;
        let generation = rows.generation()?;
        write.commit()?;
        if ours {
            self.generation = generation;
        }
        Ok(())
    }
}

/// Which packs become new ones, together: per kind the thin ones, then each size of which there are enough. In an order
/// that two copies of a vault agree upon.
fn chosen(uses: &[PackUse], live: &Live) -> Vec<Vec<PackUse>> {
    let mut out = Vec::new();
    for kind in [PackKind::Mixed, PackKind::Data, PackKind::Nodes] {
        let target = if kind == PackKind::Nodes { NODE_PACK_BYTES_TARGET } else { DATA_PACK_BYTES_TARGET };
        let of_kind = uses.iter().filter(|pack| {
            pack.kind == kind && !pack.unknown && pack.good_bytes > 0 && !live.numbers.contains(&pack.session)
        });
        let (thin, whole): (Vec<PackUse>, Vec<PackUse>) =
            of_kind.partition(|pack| pack.freed_bytes * 100 > (pack.freed_bytes + pack.good_bytes) * THIN_PERCENT);
        out.push(thin);
        let mut tiers: BTreeMap<u32, Vec<PackUse>> = BTreeMap::new();
        for pack in whole {
            if let Some(tier) = tier(pack.bytes, target) {
                tiers.entry(tier).or_default().push(pack);
            }
        }
        out.extend(tiers.into_values().filter(|packs| packs.len() as u64 >= TIER));
    }
    out.retain(|packs| !packs.is_empty());
    out
}

/// How small a pack is beside one that is full: 0 for up to an eighth, 1 for up to a 64th, and so on to 3. `None` for one
/// that is large enough.
fn tier(bytes: u64, target: u64) -> Option<u32> {
    (0..=3).rev().find(|tier| bytes <= target / TIER.pow(tier + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(no: u8, kind: PackKind, bytes: u64, freed_bytes: u64) -> PackUse {
        let good_bytes = bytes - freed_bytes;
        let id = PackId::new([no; 16]);
        PackUse { no: no.into(), id, kind, session: no.into(), bytes, good_bytes, freed_bytes, unknown: false }
    }

    #[test]
    fn sizes_go_by_eights() {
        let tiers: Vec<_> = [64 << 20, 9 << 20, 8 << 20, 1 << 20, 128 << 10, 4_000, 10]
            .map(|bytes| tier(bytes, DATA_PACK_BYTES_TARGET))
            .to_vec();
        assert_eq!(tiers, [None, None, Some(0), Some(1), Some(2), Some(3), Some(3)]);
    }

    #[test]
    fn eight_of_a_size_and_every_thin_one() {
        let live = Live::default();
        let small: Vec<_> = (0..7).map(|no| pack(no, PackKind::Mixed, 2_000, 0)).collect();
        assert!(chosen(&small, &live).is_empty());
        let mut more = small.clone();
        more.push(pack(8, PackKind::Mixed, 1 << 20, 0));
        assert!(chosen(&more, &live).is_empty());
        more.push(pack(9, PackKind::Mixed, 3_000, 0));
        let lengths = |packs: &[PackUse]| chosen(packs, &live).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(&more), [8]);
        more.push(pack(10, PackKind::Data, 64 << 20, 30 << 20));
        more.push(pack(11, PackKind::Data, 64 << 20, 10 << 20));
        // All freed: it goes by itself.
        more.push(pack(12, PackKind::Data, 64 << 20, 64 << 20));
        assert_eq!(lengths(&more), [8, 1]);
        let unknown = PackUse { unknown: true, ..pack(13, PackKind::Data, 64 << 20, 60 << 20) };
        more.push(unknown);
        assert_eq!(lengths(&more), [8, 1]);
        let live = Live { numbers: [3].into(), ..Live::default() };
        assert_eq!(chosen(&more, &live).len(), 1);
    }
}
