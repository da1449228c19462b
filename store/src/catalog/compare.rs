//! Whether a catalog says what is true. SQLite has no checksums: what a bad disk or memory has altered in it shows only by
//! comparison.

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::params;
use rusqlite::types::Value;

use super::{BATCH, Catalog, NewPack, Rows, State, lock, unsigned};
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::pack::Line;
use crate::record::RecordKind;

/// Rows of chunks and nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Of places of chunks.
    pub chunks: u64,
    /// Of places of nodes.
    pub nodes: u64,
}

impl Catalog {
    /// Whether SQLite itself finds its file in order. Reads all of it.
    pub fn is_sound(&self) -> bool {
        let conn = lock(&self.writer);
        let found: rusqlite::Result<String> = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
        found.is_ok_and(|text| text == "ok")
    }
}

impl Rows<'_> {
    /// Whether the rows of a pack are the ones that it must have; then how many of chunks and nodes these are. What is
    /// noted of a place (condemned, damaged) is not looked at.
    pub fn pack_rows(&self, pack: &NewPack<'_>) -> Result<Option<RowCounts>> {
        let header = pack.header;
        let mut ask = self
            .conn
            .prepare_cached("SELECT no FROM pack WHERE id = ?1 AND kind = ?2 AND session = ?3 AND bytes = ?4")?;
        let session = i64::try_from(header.session_number).unwrap_or(-1);
        let bytes = i64::try_from(pack.bytes).unwrap_or(-1);
        let mut found = ask.query(params![header.pack.bytes().as_slice(), header.kind.number(), session, bytes])?;
        let Some(row) = found.next()? else { return Ok(None) };
        let no: i64 = row.get(0)?;
        let mut ask = self.conn.prepare_cached(
            "SELECT no, offset, length, kind, items, hash, state FROM place WHERE pack = ?1 ORDER BY offset",
        )?;
        let mut found = ask.query([no])?;
        let mut places = Vec::with_capacity(pack.lines.len());
        for line in pack.lines {
            let Some(row) = found.next()? else { return Ok(None) };
            let same = unsigned(row.get(1)?)? == line.offset
                && row.get::<_, i64>(2)? == i64::from(line.length)
                && row.get::<_, i64>(3)? == i64::from(line.kind.number())
                && unsigned(row.get(4)?)? == line.ids.len() as u64
                && row.get_ref(5)?.as_blob().unwrap_or_default() == line.hash.bytes();
            if !same {
                return Ok(None);
            }
            places.push((row.get::<_, i64>(0)?, State::from_number(row.get(6)?)?));
        }
        if found.next()?.is_some() {
            return Ok(None);
        }
        let mut counts = RowCounts::default();
        // What was freed is named by no row: its bytes only wait for their pack to go.
        let named = pack.lines.iter().zip(places).filter(|(_, (_, state))| *state != State::Freed);
        for (line, (place, _)) in named {
            let rows = match line.kind {
                RecordKind::Box => self.chunk_rows(line, place)?.map(|rows| counts.chunks += rows),
                RecordKind::Group => self.node_rows(line, place)?.map(|rows| counts.nodes += rows),
                _ => Some(()),
            };
            if rows.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(counts))
    }

    fn chunk_rows(&self, line: &Line, place: i64) -> Result<Option<u64>> {
        let mut ids = line.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let mut ask = self.conn.prepare_cached(
            "SELECT count(*) FROM rarray(?1) AS asked CROSS JOIN chunk ON chunk.id = asked.value AND chunk.place = ?2",
        )?;
        for some in ids.chunks(BATCH) {
            let found: i64 = ask.query_row(params![blobs(some), place], |row| row.get(0))?;
            if unsigned(found)? != some.len() as u64 {
                return Ok(None);
            }
        }
        Ok(Some(ids.len() as u64))
    }

    fn node_rows(&self, line: &Line, place: i64) -> Result<Option<u64>> {
        let mut slots: HashMap<[u8; 32], i64> = HashMap::new();
        for (id, slot) in line.ids.iter().zip(0..) {
            slots.entry(*id).or_insert(slot);
        }
        let ids: Vec<[u8; 32]> = slots.keys().copied().collect();
        let mut ask = self.conn.prepare_cached(
            "SELECT node.id, node.slot FROM rarray(?1) AS asked CROSS JOIN node
             ON node.id = asked.value AND node.place = ?2",
        )?;
        for some in ids.chunks(BATCH) {
            let mut found = ask.query(params![blobs(some), place])?;
            let mut same = 0;
            while let Some(row) = found.next()? {
                let id: [u8; 32] = row
                    .get_ref(0)?
                    .as_blob()
                    .unwrap_or_default()
                    .try_into()
                    .map_err(|_| Error::damaged("catalog", "an id cannot be read"))?;
                same += usize::from(slots.get(&id) == Some(&row.get(1)?));
            }
            if same != some.len() {
                return Ok(None);
            }
        }
        Ok(Some(ids.len() as u64))
    }

    /// How many rows there are of chunks and nodes.
    pub fn row_counts(&self) -> Result<RowCounts> {
        let count =
            |sql: &str| -> Result<u64> { unsigned(self.conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?) };
        Ok(RowCounts { chunks: count("SELECT count(*) FROM chunk")?, nodes: count("SELECT count(*) FROM node")? })
    }

    /// Whether some node is not noted as complete.
    pub fn any_incomplete(&self) -> Result<bool> {
        Ok(self.conn.prepare_cached("SELECT 1 FROM node WHERE complete = 0 LIMIT 1")?.exists([])?)
    }

    /// The nodes that are noted as complete, each handed to `visit` with its pack, the offset of its group, and its position
    /// there.
    pub fn complete_nodes(&self, visit: &mut dyn FnMut([u8; 32], (PackId, u64, u32)) -> Result<()>) -> Result<()> {
        let mut ask = self.conn.prepare_cached(
            "SELECT node.id, pack.id, place.offset, node.slot FROM node
             CROSS JOIN place ON place.no = node.place
             CROSS JOIN pack ON pack.no = place.pack
             WHERE node.complete != 0",
        )?;
        let bad = || Error::damaged("catalog", "an id cannot be read");
        let mut found = ask.query([])?;
        while let Some(row) = found.next()? {
            let id = row.get_ref(0)?.as_blob().unwrap_or_default().try_into().map_err(|_| bad())?;
            let pack = PackId::from_slice(row.get_ref(1)?.as_blob().unwrap_or_default()).ok_or_else(bad)?;
            visit(id, (pack, unsigned(row.get(2)?)?, row.get(3)?))?;
        }
        Ok(())
    }
}

fn blobs(ids: &[[u8; 32]]) -> Rc<Vec<Value>> {
    Rc::new(ids.iter().map(|id| Value::Blob(id.to_vec())).collect())
}
