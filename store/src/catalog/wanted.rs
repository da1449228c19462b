//! What kept versions cite and nobody can read, and which nodes lead there. Derived: a walk can always find it again.

use rusqlite::params;

use super::{Rows, State, ask_about};
use crate::error::{Error, Result};
use crate::id::{BodyHash, ChunkId, NodeId};

/// Most ids that are told to be damaged without anybody having cited them in a walk.
const HIDDEN_MAX: i64 = 1_000_000;

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names this list: another list has another number. 0 for the empty one.
    pub mark: u64,
    /// Chunks, ascending.
    pub chunks: Vec<ChunkId>,
    /// Nodes, ascending.
    pub nodes: Vec<NodeId>,
    /// Nodes that can be read and below which some of it is, ascending.
    pub leads: Vec<NodeId>,
    /// Bodies of links, ascending.
    pub bodies: Vec<BodyHash>,
}

impl Wanted {
    /// Nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.nodes.is_empty() && self.bodies.is_empty()
    }

    /// Names the list by what is in it, so that a catalog that is made again gives the same list the same number.
    fn mark_of(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.chunks.len() as u64).to_le_bytes());
        hasher.update(&(self.nodes.len() as u64).to_le_bytes());
        let ids = self.chunks.iter().map(ChunkId::bytes).chain(self.nodes.iter().map(NodeId::bytes));
        for id in ids.chain(self.bodies.iter().map(BodyHash::bytes)) {
            hasher.update(id);
        }
        let [a, b, c, d, e, f, g, ..] = *hasher.finalize().as_bytes();
        // 56 bits: never negative for SQLite, and never 0 because of the lowest.
        u64::from_le_bytes([a | 1, b, c, d, e, f, g, 0])
    }
}

const CHUNK: i64 = 1;
const NODE: i64 = 2;
const BODY: i64 = 3;

impl Rows<'_> {
    /// Whether the list may not be right any more: something was found to be damaged or gone since it was made.
    pub fn wanted_in_doubt(&self) -> Result<bool> {
        Ok(self.number("wanted_in_doubt")? != 0)
    }

    /// See [`wanted_in_doubt`](Self::wanted_in_doubt).
    pub fn doubt_wanted(&self) -> Result<()> {
        self.set_number("wanted_in_doubt", 1)
    }

    /// The number of the list as it was last made; 0 when it is empty.
    pub fn wanted_mark(&self) -> Result<u64> {
        super::unsigned(self.number("wanted_mark")?)
    }

    /// The list as it was last made.
    pub fn wanted(&self) -> Result<Wanted> {
        let ids = |sql: &str| -> Result<Vec<[u8; 32]>> {
            let mut ask = self.conn.prepare_cached(sql)?;
            let mut found = ask.query([])?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                let id = row.get_ref(0)?.as_blob().unwrap_or_default();
                out.push(id.try_into().map_err(|_| Error::damaged("catalog", "a wanted id cannot be read"))?);
            }
            Ok(out)
        };
        Ok(Wanted {
            mark: self.wanted_mark()?,
            chunks: ids("SELECT id FROM wanted WHERE kind = 1 ORDER BY id")?.into_iter().map(ChunkId::new).collect(),
            nodes: ids("SELECT id FROM wanted WHERE kind = 2 ORDER BY id")?.into_iter().map(NodeId::new).collect(),
            bodies: ids("SELECT id FROM wanted WHERE kind = 3 ORDER BY id")?.into_iter().map(BodyHash::new).collect(),
            leads: ids("SELECT id FROM lead ORDER BY id")?.into_iter().map(NodeId::new).collect(),
        })
    }

    /// Replaces the list; its number is computed. It is right from now on.
    pub fn set_wanted(&self, wanted: &Wanted) -> Result<()> {
        self.forget_wanted()?;
        let mut put = self.conn.prepare_cached("INSERT OR IGNORE INTO wanted(id, kind) VALUES(?1, ?2)")?;
        let chunks = wanted.chunks.iter().map(|id| (id.bytes(), CHUNK));
        let nodes = wanted.nodes.iter().map(|id| (id.bytes(), NODE));
        let bodies = wanted.bodies.iter().map(|id| (id.bytes(), BODY));
        for (id, kind) in chunks.chain(nodes).chain(bodies) {
            put.execute(params![id.as_slice(), kind])?;
        }
        self.add_leads(&wanted.leads)?;
        self.set_number("wanted_mark", i64::try_from(wanted.mark_of()).unwrap_or(i64::MAX))
    }

    /// Empties the list.
    pub(super) fn forget_wanted(&self) -> Result<()> {
        self.conn.execute_batch("DELETE FROM wanted; DELETE FROM lead")?;
        self.set_number("wanted_mark", 0)?;
        self.set_number("wanted_in_doubt", 0)
    }

    /// Adds nodes that lead to something wanted: those of a version that was just committed.
    pub fn add_leads(&self, ids: &[NodeId]) -> Result<()> {
        let mut put = self.conn.prepare_cached("INSERT OR IGNORE INTO lead(id) VALUES(?1)")?;
        for id in ids {
            put.execute([id.bytes().as_slice()])?;
        }
        Ok(())
    }

    /// Whether anything was wanted when the list was last made.
    pub fn any_wanted(&self) -> Result<bool> {
        Ok(self.conn.prepare_cached("SELECT 1 FROM wanted LIMIT 1")?.exists([])?)
    }

    /// For each chunk whether it is in the list.
    pub fn chunks_wanted(&self, ids: &[ChunkId]) -> Result<Vec<bool>> {
        self.listed(
            "SELECT asked.rowid FROM rarray(?1) AS asked CROSS JOIN wanted
                     ON wanted.id = asked.value AND wanted.kind = 1",
            ids,
            ChunkId::bytes,
        )
    }

    /// For each node whether it is in the list.
    pub fn nodes_wanted(&self, ids: &[NodeId]) -> Result<Vec<bool>> {
        self.listed(
            "SELECT asked.rowid FROM rarray(?1) AS asked CROSS JOIN wanted
                     ON wanted.id = asked.value AND wanted.kind = 2",
            ids,
            NodeId::bytes,
        )
    }

    /// For each node whether it leads to something wanted.
    pub fn are_leads(&self, ids: &[NodeId]) -> Result<Vec<bool>> {
        self.listed(
            "SELECT asked.rowid FROM rarray(?1) AS asked CROSS JOIN lead ON lead.id = asked.value",
            ids,
            NodeId::bytes,
        )
    }

    fn listed<I: Ord>(&self, sql: &str, ids: &[I], bytes: impl Fn(&I) -> &[u8; 32]) -> Result<Vec<bool>> {
        let mut out = vec![false; ids.len()];
        let mut ask = self.conn.prepare_cached(sql)?;
        ask_about(&mut ask, ids, bytes, |at, _| {
            if let Some(is) = out.get_mut(at) {
                *is = true;
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Whether something of the list can be read again.
    pub fn wanted_came_back(&self, wanted: &Wanted) -> Result<bool> {
        let readable = |state: Option<(State, i64)>| matches!(state, Some((State::Good | State::Condemned, _)));
        if self.chunk_states(&wanted.chunks)?.into_iter().any(readable) {
            return Ok(true);
        }
        let nodes = self.places_of_nodes(&wanted.nodes)?;
        Ok(nodes.iter().flatten().any(|at| at.state != State::Damaged))
    }

    /// Chunks and nodes of which every place is damaged, whoever cites them: what is below a node that cannot be read
    /// is seen by no walk.
    pub fn all_damaged(&self) -> Result<(Vec<ChunkId>, Vec<NodeId>)> {
        let of = |table: &str| -> Result<Vec<[u8; 32]>> {
            let mut ask = self.conn.prepare_cached(&format!(
                "SELECT bad.id FROM (SELECT DISTINCT {table}.id FROM place JOIN {table} ON {table}.place = place.no
                 WHERE place.state = 2 LIMIT ?1) AS bad WHERE NOT EXISTS (SELECT 1 FROM {table} AS other
                 JOIN place ON place.no = other.place WHERE other.id = bad.id AND place.state != 2) ORDER BY bad.id"
            ))?;
            let mut found = ask.query([HIDDEN_MAX])?;
            let mut out = Vec::new();
            while let Some(row) = found.next()? {
                if let Ok(id) = row.get_ref(0)?.as_blob().unwrap_or_default().try_into() {
                    out.push(id);
                }
            }
            Ok(out)
        };
        let chunks = of("chunk")?.into_iter().map(ChunkId::new).collect();
        Ok((chunks, of("node")?.into_iter().map(NodeId::new).collect()))
    }
}
