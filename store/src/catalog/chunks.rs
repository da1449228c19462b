//! Which chunks there are, and where.

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;

use super::packs::{PLACE_COLUMNS, place_of};
use super::{BATCH, Place, Rows, State, array, position};
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
        for (batch, out) in ids.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
            let mut found = ask.query([array(batch.iter().map(ChunkId::bytes))])?;
            while let Some(row) = found.next()? {
                let seen = (State::from_number(row.get(1)?)?, row.get(2)?);
                if let Some(best) = out.get_mut(position(row.get(0)?)?) {
                    *best = Some(best.map_or(seen, |other: (State, i64)| other.min(seen)));
                }
            }
        }
        Ok(out)
    }

    /// For each chunk whether it has to be sent: it is not here, or nobody may count on it.
    pub fn lacking_chunks(&self, ids: &[ChunkId]) -> Result<Vec<bool>> {
        // Nearly always every place is good, and then half the work is enough. The index holds only those that are not.
        let mut any_bad = self.conn.prepare_cached("SELECT 1 FROM place WHERE state != 0 LIMIT 1")?;
        if any_bad.exists([])? {
            let states = self.chunk_states(ids)?;
            return Ok(states.into_iter().map(|found| !matches!(found, Some((State::Good, _)))).collect());
        }
        let mut lacking = vec![true; ids.len()];
        let mut ask = self
            .conn
            .prepare_cached("SELECT asked.rowid FROM rarray(?1) AS asked CROSS JOIN chunk ON chunk.id = asked.value")?;
        for (batch, lacking) in ids.chunks(BATCH).zip(lacking.chunks_mut(BATCH)) {
            let mut found = ask.query([array(batch.iter().map(ChunkId::bytes))])?;
            while let Some(row) = found.next()? {
                if let Some(lacks) = lacking.get_mut(position(row.get(0)?)?) {
                    *lacks = false;
                }
            }
        }
        Ok(lacking)
    }

    /// Chunks and nodes whose every place is damaged. Nearly always there is no damage, and then nothing is looked at.
    pub fn count_wanted(&self) -> Result<u64> {
        let mut any = self.conn.prepare_cached("SELECT 1 FROM place WHERE state = 2 LIMIT 1")?;
        if !any.exists([])? {
            return Ok(0);
        }
        let mut wanted = 0;
        for table in ["chunk", "node"] {
            let count: i64 = self.conn.query_row(
                &format!(
                    "SELECT COUNT(*) FROM (SELECT 1 FROM {table} JOIN place ON place.no = {table}.place
                     GROUP BY {table}.id HAVING MIN(place.state = 2) = 1)"
                ),
                [],
                |row| row.get(0),
            )?;
            wanted += u64::try_from(count).unwrap_or(0);
        }
        Ok(wanted)
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
        for batch in ids.chunks(BATCH) {
            let mut best: HashMap<usize, Place> = HashMap::new();
            let mut found = ask.query([array(batch.iter().map(ChunkId::bytes))])?;
            while let Some(row) = found.next()? {
                let place = place_of(row, 1)?;
                let held = best.entry(position(row.get(0)?)?).or_insert(place);
                if place.preference() < held.preference() {
                    *held = place;
                }
            }
            for (at, id) in batch.iter().enumerate() {
                match best.get(&at) {
                    Some(place) => {
                        chosen.insert((place.pack_no, place.offset), *place);
                    }
                    None => missing.push(*id),
                }
            }
        }
        Ok(Chosen { places: chosen.into_values().collect(), missing })
    }

    /// How many chunks can be read.
    pub fn count_chunks(&self) -> Result<u64> {
        let sql = "SELECT count(DISTINCT chunk.id) FROM chunk JOIN place ON place.no = chunk.place WHERE state != 2";
        super::unsigned(self.conn.query_row(sql, [], |row| row.get(0))?)
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
