//! Which nodes there are, where, and which of them are complete.

use rusqlite::params;

use super::packs::{PLACE_COLUMNS, place_of};
use super::{Place, Rows, State, ask_about};
use crate::error::Result;
use crate::id::NodeId;

/// One place of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeAt {
    /// The group that holds it.
    pub place: Place,
    /// Its position in the group.
    pub slot: u32,
    /// What is known of the place.
    pub state: State,
    /// Whether the node and all below it is here.
    pub complete: bool,
}

impl Rows<'_> {
    /// For each node its places, the one in force first, damaged ones last; none for a node that is not known.
    pub fn places_of_nodes(&self, ids: &[NodeId]) -> Result<Vec<Vec<NodeAt>>> {
        let mut out = vec![Vec::new(); ids.len()];
        let mut ask = self.conn.prepare_cached(&format!(
            "SELECT asked.rowid, {PLACE_COLUMNS}, node.slot, place.state, node.complete
             FROM rarray(?1) AS asked
             CROSS JOIN node ON node.id = asked.value
             CROSS JOIN place ON place.no = node.place
             CROSS JOIN pack ON pack.no = place.pack"
        ))?;
        ask_about(&mut ask, ids, NodeId::bytes, |at, row| {
            let state = State::from_number(row.get(10)?)?;
            let found = NodeAt { place: place_of(row, 1)?, slot: row.get(9)?, state, complete: row.get(11)? };
            if let Some(places) = out.get_mut(at) {
                places.push(found);
            }
            Ok(())
        })?;
        for places in &mut out {
            places.sort_by_key(|at: &NodeAt| (at.state == State::Damaged, at.place.preference()));
        }
        Ok(out)
    }

    /// For each node whether it has to be sent: it is not here, or nobody may count on it and all below it.
    pub fn lacking_nodes(&self, ids: &[NodeId]) -> Result<Vec<bool>> {
        let mut lacking = vec![true; ids.len()];
        let mut ask = self.conn.prepare_cached(
            "SELECT asked.rowid
             FROM rarray(?1) AS asked
             CROSS JOIN node ON node.id = asked.value
             CROSS JOIN place ON place.no = node.place
             WHERE node.complete = 1 AND place.state = 0",
        )?;
        ask_about(&mut ask, ids, NodeId::bytes, |at, _| {
            if let Some(lacks) = lacking.get_mut(at) {
                *lacks = false;
            }
            Ok(())
        })?;
        Ok(lacking)
    }

    /// Notes that these nodes, and all below them, are here. Fastest when they are sorted.
    pub fn set_complete(&self, ids: &[NodeId]) -> Result<()> {
        let mut put = self.conn.prepare_cached("UPDATE node SET complete = 1 WHERE id = ?1 AND complete = 0")?;
        for id in ids {
            put.execute([id.bytes().as_slice()])?;
        }
        Ok(())
    }

    /// How many nodes can be read.
    pub fn count_nodes(&self) -> Result<u64> {
        let sql = "SELECT count(DISTINCT node.id) FROM node JOIN place ON place.no = node.place WHERE state != 2";
        super::unsigned(self.conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// Adds rows that are sorted by id. Completeness is said of the node, wherever it lies, so a new place takes it over.
    pub(super) fn insert_nodes(&self, sorted: &[(&[u8; 32], i64, i64)]) -> Result<()> {
        let mut put = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO node(id, place, slot, complete)
             VALUES(?1, ?2, ?3, (SELECT ifnull(max(complete), 0) FROM node WHERE id = ?1))",
        )?;
        for (id, place, slot) in sorted {
            put.execute(params![id.as_slice(), place, slot])?;
        }
        Ok(())
    }
}
