//! Which chunks there are, and where.

use std::collections::BTreeMap;

use rusqlite::params;

use super::packs::{PLACE_COLUMNS, place_of};
use super::{Place, Rows, State, ask_about};
use crate::error::Result;
use crate::id::ChunkId;

/// Where chunks that were asked for can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The boxes that hold them, each once, in the order of packs and of offsets in them.
    pub places: Vec<Place>,
    /// The chunks that cannot be read anywhere, in the order asked for.
    pub missing: Vec<ChunkId>,
}

impl Rows<'_> {
    /// For each chunk the best state of its places with one place in that state; `None` for a chunk that is not known.
    pub fn chunk_states(&self, ids: &[ChunkId]) -> Result<Vec<Option<(State, i64)>>> {
        let mut out = vec![None; ids.len()];
        let mut ask = self.conn.prepare_cached(
            "SELECT asked.rowid, place.state, place.no
             FROM rarray(?1) AS asked
             CROSS JOIN chunk ON chunk.id = asked.value
             CROSS JOIN place ON place.no = chunk.place",
        )?;
        ask_about(&mut ask, ids, ChunkId::bytes, |at, row| {
            let seen = (State::from_number(row.get(1)?)?, row.get(2)?);
            if let Some(best) = out.get_mut(at) {
                *best = Some(best.map_or(seen, |other: (State, i64)| other.min(seen)));
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// For each chunk whether it has to be sent: it is not here, or nobody may count on it.
    pub fn lacking_chunks(&self, ids: &[ChunkId]) -> Result<Vec<bool>> {
        // Nearly always every place is good, and then half the work is enough. The index holds only those that are not.
        let mut any_bad = self.conn.prepare_cached("SELECT 1 FROM place WHERE state != 0 AND state < 3 LIMIT 1")?;
        if any_bad.exists([])? {
            let states = self.chunk_states(ids)?;
            return Ok(states.into_iter().map(|found| !matches!(found, Some((State::Good, _)))).collect());
        }
        let mut lacking = vec![true; ids.len()];
        let mut ask = self
            .conn
            .prepare_cached("SELECT asked.rowid FROM rarray(?1) AS asked CROSS JOIN chunk ON chunk.id = asked.value")?;
        ask_about(&mut ask, ids, ChunkId::bytes, |at, _| {
            if let Some(lacks) = lacking.get_mut(at) {
                *lacks = false;
            }
            Ok(())
        })?;
        Ok(lacking)
    }

    /// The boxes that hold these chunks.
    pub fn places_of_chunks(&self, ids: &[ChunkId]) -> Result<Chosen> {
        let mut chosen = BTreeMap::new();
        let mut missing = Vec::new();
        let mut ask = self.conn.prepare_cached(&format!(
            "SELECT asked.rowid, {PLACE_COLUMNS}
             FROM rarray(?1) AS asked
             CROSS JOIN chunk ON chunk.id = asked.value
             CROSS JOIN place ON place.no = chunk.place
             CROSS JOIN pack ON pack.no = place.pack
             WHERE place.state != 2"
        ))?;
        let mut best: Vec<Option<Place>> = vec![None; ids.len()];
        ask_about(&mut ask, ids, ChunkId::bytes, |at, row| {
            let place = place_of(row, 1)?;
            if let Some(held) = best.get_mut(at) {
                *held = Some(held.filter(|held| held.preference() <= place.preference()).unwrap_or(place));
            }
            Ok(())
        })?;
        for (id, best) in ids.iter().zip(best) {
            match best {
                Some(place) => {
                    chosen.insert((place.pack_no, place.offset), place);
                }
                None => missing.push(*id),
            }
        }
        Ok(Chosen { places: chosen.into_values().collect(), missing })
    }

    /// How many chunks can be read.
    pub fn count_chunks(&self) -> Result<u64> {
        let sql = "SELECT count(DISTINCT chunk.id) FROM chunk JOIN place ON place.no = chunk.place WHERE state != 2";
        super::unsigned(self.conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// Adds rows that are sorted by id.
    pub(super) fn insert_chunks(&self, sorted: &[(&[u8; 32], i64)]) -> Result<()> {
        let mut put = self.conn.prepare_cached("INSERT OR IGNORE INTO chunk(id, place) VALUES(?1, ?2)")?;
        for (id, place) in sorted {
            put.execute(params![id.as_slice(), place])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Catalog, NewPack};
    use super::*;
    use crate::id::{AccountId, CipherHash, DomainId, PackId, SessionId};
    use crate::pack::{Line, PackHeader, PackKind};
    use crate::record::RecordKind;

    #[test]
    fn answers_stand_where_the_questions_stood() {
        let domain = DomainId::new([1; 16]);
        let header = PackHeader {
            kind: PackKind::Data,
            features: [0; 3],
            domain,
            account: AccountId::new([2; 16]),
            session: SessionId::new([3; 16]),
            pack: PackId::new([4; 16]),
            session_number: 1,
        };
        let id = |number: u64| *blake3::hash(&number.to_le_bytes()).as_bytes();
        let line = |at: u64| Line {
            offset: 128 + 1_000 * at,
            length: 1_000,
            kind: RecordKind::Box,
            hash: CipherHash::new(id(1_000_000 + at)),
            ids: (0..50).map(|n| id(100 * at + 2 * n)).collect(),
        };
        let lines: Vec<_> = (0..30).map(line).collect();
        let catalog = Catalog::in_memory(domain).unwrap();
        let write = catalog.write().unwrap();
        write.rows().insert_packs(&[NewPack { header: &header, bytes: 100_000, lines: &lines }]).unwrap();
        write.commit().unwrap();

        // More than one question to SQLite, in no order, some twice; the even ones are there.
        let numbers: Vec<u64> = (0..3_000).chain(7..20).collect();
        let ids: Vec<_> = numbers.iter().map(|number| ChunkId::new(id(*number))).collect();
        let odd: Vec<bool> = numbers.iter().map(|number| !number.is_multiple_of(2)).collect();
        catalog
            .read(|rows| {
                assert_eq!(rows.lacking_chunks(&ids)?, odd);
                let states: Vec<bool> = rows.chunk_states(&ids)?.iter().map(Option::is_none).collect();
                assert_eq!(states, odd);
                let chosen = rows.places_of_chunks(&ids)?;
                let absent = ids.iter().zip(&odd).filter(|(_, odd)| **odd).map(|(id, _)| *id);
                assert_eq!(chosen.missing, absent.collect::<Vec<_>>());
                let offsets: Vec<_> = chosen.places.iter().map(|place| place.offset).collect();
                assert_eq!(offsets, lines.iter().map(|line| line.offset).collect::<Vec<_>>());
                Ok(())
            })
            .unwrap();
    }
}
