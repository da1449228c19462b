//! Packs, and the places of the records in them.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Rows, unsigned};
use crate::error::{Error, Result};
use crate::id::{CipherHash, PackId};
use crate::pack::{Line, PackHeader};
use crate::record::RecordKind;

/// What is known of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It can be read, as far as is known.
    Good,
    /// Nothing kept needs it: it can be read, but will go, so nobody may count on it.
    Condemned,
    /// It cannot be read.
    Damaged,
    /// Nothing names it any more: its bytes go with its pack.
    Freed,
}

impl State {
    pub(super) fn from_number(number: i64) -> Result<Self> {
        match number {
            0 => Ok(Self::Good),
            1 => Ok(Self::Condemned),
            2 => Ok(Self::Damaged),
            3 => Ok(Self::Freed),
            _ => Err(Error::damaged("catalog", "a place has an unknown state")),
        }
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its number in this catalog; another catalog has other numbers.
    pub no: i64,
    /// The number of its pack in this catalog; higher for packs that came later.
    pub pack_no: i64,
    /// Its pack.
    pub pack: PackId,
    /// Byte in the pack.
    pub offset: u64,
    /// Stored bytes, without the clear part of a box.
    pub length: u32,
    /// What it is.
    pub kind: RecordKind,
    /// BLAKE3 of the stored bytes.
    pub hash: CipherHash,
    /// Number of the session that brought it.
    pub session: u64,
}

impl Place {
    /// Of several places the one in force has the least of this: the highest session number, then the lowest
    /// ciphertext hash (FORMAT.md, chapter 8). Of two copies of one record it is the later one, which took the place of
    /// the other. Damaged ones do not come here.
    pub(crate) fn preference(&self) -> impl Ord + use<> {
        (std::cmp::Reverse(self.session), self.hash, std::cmp::Reverse(self.no))
    }

    /// For people: "pack 3f9c02ab at byte 8388608".
    #[must_use]
    pub fn text(&self) -> String {
        format!("pack {} at byte {}", self.pack, self.offset)
    }
}

/// Columns that [`place_of`] reads, of the tables `place` and `pack`.
pub(super) const PLACE_COLUMNS: &str =
    "place.no, pack.no, pack.id, place.offset, place.length, place.kind, place.hash, pack.session";

/// A place from [`PLACE_COLUMNS`] that begin at column `first`.
pub(super) fn place_of(row: &Row<'_>, first: usize) -> Result<Place> {
    let bad = || Error::damaged("catalog", "a place cannot be read");
    let kind: u8 = row.get(first + 5)?;
    Ok(Place {
        no: row.get(first)?,
        pack_no: row.get(first + 1)?,
        pack: PackId::from_slice(row.get_ref(first + 2)?.as_blob().map_err(|_| bad())?).ok_or_else(bad)?,
        offset: unsigned(row.get(first + 3)?)?,
        length: row.get(first + 4)?,
        kind: RecordKind::from_number(kind),
        hash: CipherHash::from_slice(row.get_ref(first + 6)?.as_blob().map_err(|_| bad())?).ok_or_else(bad)?,
        session: unsigned(row.get(first + 7)?)?,
    })
}

/// A pack that is about to get its rows.
#[derive(Clone, Copy, Debug)]
pub struct NewPack<'a> {
    /// Its first bytes.
    pub header: &'a PackHeader,
    /// Its length.
    pub bytes: u64,
    /// Its records.
    pub lines: &'a [Line],
}

/// A pack that has rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackRow {
    /// Its number in this catalog.
    pub no: i64,
    /// Its name.
    pub id: PackId,
    /// Its length.
    pub bytes: u64,
}

impl Rows<'_> {
    /// [Adds](Self::insert_packs) packs that sessions bring, which use up with them what they reserved: whoever adds a pack, be it
    /// before its own session does, for otherwise its bytes would count twice.
    pub fn bring_packs(&self, packs: &[NewPack<'_>]) -> Result<()> {
        for pack in packs {
            if !self.has_pack(pack.header.pack)? {
                self.brought(pack.header.session, pack.bytes)?;
            }
        }
        self.insert_packs(packs)
    }

    /// Adds packs with all that is in them; those that are there already are passed over. Rows of ids go in sorted,
    /// which is many times faster than as they come.
    pub fn insert_packs(&self, packs: &[NewPack<'_>]) -> Result<()> {
        let mut chunks: Vec<(&[u8; 32], i64)> = Vec::new();
        let mut nodes: Vec<(&[u8; 32], i64, i64)> = Vec::new();
        for pack in packs {
            if self.has_pack(pack.header.pack)? {
                continue;
            }
            let pack_no = self.insert_pack_row(pack)?;
            for line in pack.lines {
                let place = self.insert_place(pack_no, line)?;
                match line.kind {
                    RecordKind::Box => chunks.extend(line.ids.iter().map(|id| (id, place))),
                    RecordKind::Group => {
                        nodes.extend((0..).zip(&line.ids).map(|(slot, id)| (id, place, slot)));
                    }
                    // Kept and counted, never looked into.
                    _ => {}
                }
            }
            self.session_at_least(pack.header.session_number)?;
        }
        chunks.sort_unstable();
        nodes.sort_unstable();
        self.insert_chunks(&chunks)?;
        self.insert_nodes(&nodes)
    }

    fn insert_pack_row(&self, pack: &NewPack<'_>) -> Result<i64> {
        let mut put = self
            .conn
            .prepare_cached("INSERT INTO pack(id, kind, session, bytes, emptied) VALUES(?1, ?2, ?3, ?4, 0)")?;
        put.execute(params![
            pack.header.pack.bytes().as_slice(),
            pack.header.kind.number(),
            signed(pack.header.session_number)?,
            signed(pack.bytes)?
        ])?;
        Ok(self.conn.last_insert_rowid())
    }

    fn insert_place(&self, pack_no: i64, line: &Line) -> Result<i64> {
        let mut put = self.conn.prepare_cached(
            "INSERT INTO place(pack, offset, length, kind, items, hash, state, since, pass)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0)",
        )?;
        put.execute(params![
            pack_no,
            signed(line.offset)?,
            line.length,
            line.kind.number(),
            signed(line.ids.len() as u64)?,
            line.hash.bytes().as_slice()
        ])?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Whether a pack has its rows.
    pub fn has_pack(&self, id: PackId) -> Result<bool> {
        let mut ask = self.conn.prepare_cached("SELECT 1 FROM pack WHERE id = ?1")?;
        Ok(ask.exists([id.bytes().as_slice()])?)
    }

    /// All packs, oldest rows first.
    pub fn packs(&self) -> Result<Vec<PackRow>> {
        let mut ask = self.conn.prepare_cached("SELECT no, id, bytes FROM pack ORDER BY no")?;
        let mut found = ask.query([])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            let id = PackId::from_slice(row.get_ref(1)?.as_blob().unwrap_or_default())
                .ok_or_else(|| Error::damaged("catalog", "a pack cannot be read"))?;
            out.push(PackRow { no: row.get(0)?, id, bytes: unsigned(row.get(2)?)? });
        }
        Ok(out)
    }

    /// How many packs there are, and their bytes in all.
    pub fn pack_totals(&self) -> Result<(u64, u64)> {
        let mut ask = self.conn.prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM pack")?;
        let (packs, bytes) = ask.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        Ok((unsigned(packs)?, unsigned(bytes)?))
    }

    /// The places in a pack, with their states, by offset.
    pub fn places_in(&self, pack: PackId) -> Result<Vec<(Place, State)>> {
        let mut ask = self.conn.prepare_cached(&format!(
            "SELECT {PLACE_COLUMNS}, place.state FROM place JOIN pack ON pack.no = place.pack
             WHERE pack.id = ?1 ORDER BY place.offset"
        ))?;
        let mut found = ask.query([pack.bytes().as_slice()])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            out.push((place_of(row, 0)?, State::from_number(row.get(8)?)?));
        }
        Ok(out)
    }

    /// Takes away the rows of a pack, before it gets new ones. Returns whether there were any.
    pub fn remove_pack(&self, id: PackId) -> Result<bool> {
        let mut ask = self.conn.prepare_cached("SELECT no FROM pack WHERE id = ?1")?;
        let Some(no) = ask.query_row([id.bytes().as_slice()], |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(false);
        };
        for sql in [
            "DELETE FROM chunk WHERE place IN (SELECT no FROM place WHERE pack = ?1)",
            "DELETE FROM node WHERE place IN (SELECT no FROM place WHERE pack = ?1)",
            "DELETE FROM place WHERE pack = ?1",
            "DELETE FROM pack WHERE no = ?1",
        ] {
            self.conn.prepare_cached(sql)?.execute([no])?;
        }
        self.raise_generation()?;
        Ok(true)
    }

    /// Notes that nothing in a pack can be read: it is not there, or its footer is damaged. The generation rises when
    /// that is new.
    pub fn set_pack_damaged(&self, id: PackId) -> Result<()> {
        let sql = "UPDATE place SET state = 2, since = 0, pass = 0
                   WHERE pack = (SELECT no FROM pack WHERE id = ?1) AND state < 2";
        if self.conn.prepare_cached(sql)?.execute([id.bytes().as_slice()])? > 0 {
            self.doubt_wanted()?;
            self.raise_generation()?;
        }
        Ok(())
    }

    /// Notes that the record of this hash at this place is damaged. Returns whether there is such a record and it was
    /// not known to be. The generation rises.
    pub fn set_damaged(&self, pack: PackId, offset: u64, hash: CipherHash) -> Result<bool> {
        let mut put = self.conn.prepare_cached(
            "UPDATE place SET state = 2, since = 0, pass = 0
             WHERE pack = (SELECT no FROM pack WHERE id = ?1) AND offset = ?2 AND hash = ?3 AND state < 2",
        )?;
        let changed = put.execute(params![pack.bytes().as_slice(), signed(offset)?, hash.bytes().as_slice()])?;
        if changed > 0 {
            self.doubt_wanted()?;
            self.raise_generation()?;
        }
        Ok(changed > 0)
    }

    /// Makes condemned places good again: something that is to be kept needs them.
    pub fn revive(&self, places: &[i64]) -> Result<()> {
        let mut put =
            self.conn.prepare_cached("UPDATE place SET state = 0, since = 0, pass = 0 WHERE no = ?1 AND state = 1")?;
        for place in places {
            put.execute([place])?;
        }
        Ok(())
    }
}

/// A number as SQLite keeps it.
pub(super) fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::damaged("pack", "a number is too large"))
}
