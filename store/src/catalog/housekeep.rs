//! What housekeeping asks and changes (FORMAT.md, chapter 10). Every change raises the generation when something that
//! was there may not be there any more; every list comes in pieces, in the order of a key.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params};

use super::packs::{PLACE_COLUMNS, place_of, signed};
use super::{Place, Rows, State, ask_about, unsigned};
use crate::error::{Error, Result};
use crate::id::{BodyHash, ChunkId, NodeId, PackId};
use crate::pack::PackKind;
use crate::record::RecordKind;

/// A place, as far as housekeeping decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceRow {
    /// Its number.
    pub no: i64,
    /// The number of its pack.
    pub pack_no: i64,
    /// Its pack.
    pub pack: PackId,
    /// Stored bytes.
    pub length: u32,
    /// What it holds.
    pub kind: RecordKind,
    /// What is known of it.
    pub state: State,
    /// When it was condemned, in milliseconds since 1970.
    pub since: i64,
    /// The generation that its condemning made.
    pub pass: u64,
    /// The session that brought it.
    pub session: u64,
}

/// One row of a node that is said to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompleteRow {
    /// The node.
    pub id: NodeId,
    /// The group that holds it.
    pub place: i64,
    /// Its position there.
    pub slot: u32,
}

/// How much of a pack is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackUse {
    /// Its number.
    pub no: i64,
    /// Its name.
    pub id: PackId,
    /// What it may hold.
    pub kind: PackKind,
    /// The session that brought it.
    pub session: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Bytes of records that are good.
    pub good_bytes: u64,
    /// Bytes of records that nothing names any more.
    pub freed_bytes: u64,
    /// It has records of a kind that is not known here: it stays as it is.
    pub unknown: bool,
}

impl Rows<'_> {
    /// The highest number of a place; 0 when there is none.
    pub fn newest_place(&self) -> Result<i64> {
        Ok(self.conn.prepare_cached("SELECT ifnull(max(no), 0) FROM place")?.query_row([], |row| row.get(0))?)
    }

    /// Bytes of all records, of whatever state, whose packs are there.
    pub fn place_bytes(&self) -> Result<u64> {
        unsigned(self.conn.prepare_cached("SELECT ifnull(sum(length), 0) FROM place")?.query_row([], |row| row.get(0))?)
    }

    /// The same of boxes and groups alone.
    pub fn known_place_bytes(&self) -> Result<u64> {
        let mut ask = self.conn.prepare_cached("SELECT ifnull(sum(length), 0) FROM place WHERE kind IN (?1, ?2)")?;
        let kinds = params![RecordKind::Box.number(), RecordKind::Group.number()];
        unsigned(ask.query_row(kinds, |row| row.get(0))?)
    }

    /// Number and stored bytes of each condemned place, in no order.
    pub fn condemned(&self, each: &mut dyn FnMut(i64, u32)) -> Result<()> {
        let mut ask = self.conn.prepare_cached("SELECT no, length FROM place WHERE state != 0 AND state = 1")?;
        let mut found = ask.query([])?;
        while let Some(row) = found.next()? {
            each(row.get(0)?, row.get(1)?);
        }
        Ok(())
    }

    /// At most `most` places with numbers above `after`, in order.
    pub fn places_after(&self, after: i64, most: usize) -> Result<Vec<PlaceRow>> {
        let mut ask = self.conn.prepare_cached(
            "SELECT place.no, pack.no, pack.id, place.length, place.kind, place.state, place.since, place.pass,
                    pack.session
             FROM place CROSS JOIN pack ON pack.no = place.pack WHERE place.no > ?1 ORDER BY place.no LIMIT ?2",
        )?;
        let mut found = ask.query(params![after, i64::try_from(most).unwrap_or(i64::MAX)])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            let pack = PackId::from_slice(row.get_ref(2)?.as_blob().unwrap_or_default());
            out.push(PlaceRow {
                no: row.get(0)?,
                pack_no: row.get(1)?,
                pack: pack.ok_or_else(|| Error::damaged("catalog", "a pack cannot be read"))?,
                length: row.get(3)?,
                kind: RecordKind::from_number(row.get(4)?),
                state: State::from_number(row.get(5)?)?,
                since: row.get(6)?,
                pass: unsigned(row.get(7)?)?,
                session: unsigned(row.get(8)?)?,
            });
        }
        Ok(out)
    }

    /// For each chunk all its places with their states.
    pub fn all_places_of_chunks(&self, ids: &[ChunkId]) -> Result<Vec<Vec<(Place, State)>>> {
        let mut out = vec![Vec::new(); ids.len()];
        let mut ask = self.conn.prepare_cached(&format!(
            "SELECT asked.rowid, {PLACE_COLUMNS}, place.state
             FROM rarray(?1) AS asked
             CROSS JOIN chunk ON chunk.id = asked.value
             CROSS JOIN place ON place.no = chunk.place
             CROSS JOIN pack ON pack.no = place.pack"
        ))?;
        ask_about(&mut ask, ids, ChunkId::bytes, |at, row| {
            let found = (place_of(row, 1)?, State::from_number(row.get(9)?)?);
            if let Some(places) = out.get_mut(at) {
                places.push(found);
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// At most `most` rows of complete nodes after this one, in the order of ids.
    pub fn complete_after(&self, after: Option<(NodeId, i64)>, most: usize) -> Result<Vec<CompleteRow>> {
        let (id, place) = after.unwrap_or((NodeId::ZERO, -1));
        let mut ask = self.conn.prepare_cached(
            "SELECT id, place, slot FROM node WHERE (id, place) > (?1, ?2) AND complete = 1 ORDER BY id, place LIMIT ?3",
        )?;
        let mut found = ask.query(params![id.bytes().as_slice(), place, i64::try_from(most).unwrap_or(i64::MAX)])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            let id = NodeId::from_slice(row.get_ref(0)?.as_blob().unwrap_or_default());
            let id = id.ok_or_else(|| Error::damaged("catalog", "a node cannot be read"))?;
            out.push(CompleteRow { id, place: row.get(1)?, slot: row.get(2)? });
        }
        Ok(out)
    }

    /// Says of these nodes, at these places, no longer that all below them is here.
    pub fn clear_complete(&self, rows: &[CompleteRow]) -> Result<()> {
        let mut put = self.conn.prepare_cached("UPDATE node SET complete = 0 WHERE id = ?1 AND place = ?2")?;
        for row in rows {
            put.execute(params![row.id.bytes().as_slice(), row.place])?;
        }
        Ok(())
    }

    /// Condemns good places. The generation rises, and is what `pass` says of them from now on.
    pub fn condemn(&self, places: &[i64], since: i64) -> Result<usize> {
        self.raise_generation()?;
        let pass = signed(self.generation()?)?;
        let mut put = self
            .conn
            .prepare_cached("UPDATE place SET state = 1, since = ?2, pass = ?3 WHERE no = ?1 AND state = 0")?;
        let mut done = 0;
        for place in places {
            done += put.execute(params![place, since, pass])?;
        }
        Ok(done)
    }

    /// Gives condemned places another time of condemning: theirs is ahead of the clock.
    pub fn condemned_now(&self, places: &[i64], since: i64) -> Result<()> {
        let mut put = self.conn.prepare_cached("UPDATE place SET since = ?2 WHERE no = ?1 AND state = 1")?;
        for place in places {
            put.execute(params![place, since])?;
        }
        Ok(())
    }

    /// Takes away what names a place that is still in this state, and notes that it is freed. `ids` are those of its
    /// line; without them the tables are gone through. Returns whether it was still so. The generation is the caller's.
    pub fn free(&self, place: i64, state: State, kind: RecordKind, ids: Option<&[[u8; 32]]>) -> Result<bool> {
        let mut put =
            self.conn.prepare_cached("UPDATE place SET state = 3, since = 0, pass = 0 WHERE no = ?1 AND state = ?2")?;
        if put.execute(params![place, state.number()])? == 0 {
            return Ok(false);
        }
        let table = if kind == RecordKind::Group { "node" } else { "chunk" };
        match ids {
            Some(ids) => {
                let sql = format!("DELETE FROM {table} WHERE id = ?1 AND place = ?2");
                let mut delete = self.conn.prepare_cached(&sql)?;
                for id in ids {
                    delete.execute(params![id.as_slice(), place])?;
                }
            }
            None => {
                self.conn.prepare_cached(&format!("DELETE FROM {table} WHERE place = ?1"))?.execute([place])?;
            }
        }
        Ok(true)
    }

    /// The number of the good place of this record in a pack.
    pub fn good_place_in(&self, pack: PackId, offset: u64) -> Result<Option<i64>> {
        let mut ask = self.conn.prepare_cached(
            "SELECT place.no FROM place JOIN pack ON pack.no = place.pack
             WHERE pack.id = ?1 AND place.offset = ?2 AND place.state = 0",
        )?;
        Ok(ask.query_row(params![pack.bytes().as_slice(), signed(offset)?], |row| row.get(0)).optional()?)
    }

    /// Whether a place still is what it was: the same record in the same pack, and good.
    pub fn is_place(&self, place: &Place) -> Result<bool> {
        let mut ask = self.conn.prepare_cached(
            "SELECT 1 FROM place WHERE no = ?1 AND pack = ?2 AND offset = ?3 AND hash = ?4 AND state = 0",
        )?;
        Ok(ask.exists(params![place.no, place.pack_no, signed(place.offset)?, place.hash.bytes().as_slice()])?)
    }

    /// How much of each pack is of use, in the order of sessions and names.
    pub fn pack_uses(&self) -> Result<Vec<PackUse>> {
        let mut ask = self.conn.prepare_cached(
            "SELECT pack.no, pack.id, pack.kind, pack.session, pack.bytes,
                    ifnull(sum(CASE WHEN place.state = 0 THEN place.length END), 0),
                    ifnull(sum(CASE WHEN place.state = 3 THEN place.length END), 0),
                    ifnull(max(place.kind NOT IN (1, 2)), 0)
             FROM pack LEFT JOIN place ON place.pack = pack.no
             GROUP BY pack.no ORDER BY pack.session, pack.id",
        )?;
        let mut found = ask.query([])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            let bad = || Error::damaged("catalog", "a pack cannot be read");
            out.push(PackUse {
                no: row.get(0)?,
                id: PackId::from_slice(row.get_ref(1)?.as_blob().map_err(|_| bad())?).ok_or_else(bad)?,
                kind: PackKind::from_number(row.get(2)?).ok_or_else(bad)?,
                session: unsigned(row.get(3)?)?,
                bytes: unsigned(row.get(4)?)?,
                good_bytes: unsigned(row.get(5)?)?,
                freed_bytes: unsigned(row.get(6)?)?,
                unknown: row.get(7)?,
            });
        }
        Ok(out)
    }

    /// Notes of packs in which every place is freed that they are empty, as of this generation. Returns how many.
    pub fn note_emptied(&self, pass: u64) -> Result<usize> {
        let mut put = self.conn.prepare_cached(
            "UPDATE pack SET emptied = ?1 WHERE emptied = 0
             AND EXISTS(SELECT 1 FROM place WHERE pack = pack.no)
             AND NOT EXISTS(SELECT 1 FROM place WHERE pack = pack.no AND state != 3)",
        )?;
        Ok(put.execute([signed(pass)?])?)
    }

    /// Packs that were noted as empty up to this generation, with their lengths.
    pub fn emptied(&self, pass: u64) -> Result<Vec<(PackId, u64)>> {
        let mut ask = self.conn.prepare_cached(
            "SELECT id, bytes FROM pack WHERE emptied != 0 AND emptied <= ?1
             AND NOT EXISTS(SELECT 1 FROM place WHERE pack = pack.no AND state != 3) ORDER BY session, id",
        )?;
        let mut found = ask.query([signed(pass)?])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            let id = PackId::from_slice(row.get_ref(0)?.as_blob().unwrap_or_default());
            out.push((id.ok_or_else(|| Error::damaged("catalog", "a pack cannot be read"))?, unsigned(row.get(1)?)?));
        }
        Ok(out)
    }

    /// Whether all that a pack holds was freed: then it may be gone.
    pub fn is_emptied(&self, pack: PackId) -> Result<bool> {
        let mut ask = self.conn.prepare_cached(
            "SELECT 1 FROM pack WHERE id = ?1 AND EXISTS(SELECT 1 FROM place WHERE pack = pack.no)
             AND NOT EXISTS(SELECT 1 FROM place WHERE pack = pack.no AND state != 3)",
        )?;
        Ok(ask.exists([pack.bytes().as_slice()])?)
    }

    /// Takes away the rows of a pack whose file is gone and in which everything was freed.
    pub fn drop_emptied(&self, pack: PackId) -> Result<()> {
        if self.is_emptied(pack)? {
            let pack = pack.bytes().as_slice();
            self.conn
                .prepare_cached("DELETE FROM place WHERE pack = (SELECT no FROM pack WHERE id = ?1)")?
                .execute([pack])?;
            self.conn.prepare_cached("DELETE FROM pack WHERE id = ?1")?.execute([pack])?;
            self.raise_generation()?;
        }
        Ok(())
    }

    /// When the longest condemned place was condemned; `None` when there is none.
    pub fn oldest_condemned(&self) -> Result<Option<i64>> {
        Ok(self
            .conn
            .prepare_cached("SELECT min(since) FROM place WHERE state != 0 AND state = 1")?
            .query_row([], |row| row.get(0))?)
    }

    /// Whether packs wait to be unlinked.
    pub fn any_emptied(&self) -> Result<bool> {
        Ok(self.conn.prepare_cached("SELECT 1 FROM pack WHERE emptied != 0 LIMIT 1")?.exists([])?)
    }

    /// Since when each body of an account has been known to be named by no link.
    pub fn orphans(&self, account: u32) -> Result<Vec<(BodyHash, i64)>> {
        let mut ask = self.conn.prepare_cached("SELECT body, since FROM orphan WHERE account = ?1 ORDER BY body")?;
        let mut found = ask.query([account])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            let body = BodyHash::from_slice(row.get_ref(0)?.as_blob().unwrap_or_default());
            out.push((body.ok_or_else(|| Error::damaged("catalog", "a body cannot be read"))?, row.get(1)?));
        }
        Ok(out)
    }

    /// Makes the list of an account's orphaned bodies this one.
    pub fn set_orphans(&self, account: u32, orphans: &[(BodyHash, i64)]) -> Result<()> {
        self.conn.prepare_cached("DELETE FROM orphan WHERE account = ?1")?.execute([account])?;
        let mut put = self.conn.prepare_cached("INSERT INTO orphan(account, body, since) VALUES(?1, ?2, ?3)")?;
        for (body, since) in orphans {
            put.execute(params![account, body.bytes().as_slice(), since])?;
        }
        Ok(())
    }

    /// Whether a link of an account names this body.
    pub fn names_body(&self, account: u32, body: BodyHash) -> Result<bool> {
        let mut ask = self.conn.prepare_cached("SELECT 1 FROM link WHERE account = ?1 AND body = ?2 LIMIT 1")?;
        Ok(ask.exists(params![account, body.bytes().as_slice()])?)
    }

    /// A number of housekeeping's own; 0 when it was never set.
    pub fn housekept(&self, what: &str) -> Result<i64> {
        self.number(&format!("housekept {what}"))
    }

    /// See [`housekept`](Self::housekept).
    pub fn set_housekept(&self, what: &str, value: i64) -> Result<()> {
        self.set_number(&format!("housekept {what}"), value)
    }

    /// What changes with nearly everything that housekeeping looks at: newest place, packs, generation.
    pub fn shape(&self) -> Result<[i64; 3]> {
        let packs = self.conn.prepare_cached("SELECT count(*) FROM pack")?.query_row([], |row| row.get(0))?;
        Ok([self.newest_place()?, packs, self.number("generation")?])
    }
}

impl State {
    fn number(self) -> Value {
        Value::Integer(match self {
            Self::Good => 0,
            Self::Condemned => 1,
            Self::Damaged => 2,
            Self::Freed => 3,
        })
    }
}
