//! That everything below a root is here.
//!
//! The server has no key, but each node shows the ids that it needs. So it can go down from the roots of a version and
//! see that every node and every chunk has a place. It stops at nodes that are *complete*, which is what it says itself
//! of nodes below which it found everything; so a small change costs a small walk.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::wanted::Trail;
use super::{Domain, Place};
use crate::catalog::{NodeAt, Rows, State};
use crate::error::Result;
use crate::id::{ChunkId, NodeId, PackId};
use crate::record::Refs;

/// Nodes that are looked up at once.
const BATCH: usize = 1_000;
/// The walk ends early when it has found this many lacking things.
const LACKING_MAX: usize = 100_000;
/// The same of a walk that looks for all that is wanted: 32 MiB of ids. The rest shows when these are healed.
const HOLES_MAX: usize = 1_000_000;
/// Most ids in the groups that are kept in memory during a walk: 16 MiB.
const CACHED_IDS_MAX: usize = 512 << 10;

/// What counts as here although it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holes {
    /// Nothing.
    None,
    /// What was here and is damaged, and what kept versions cite and lack.
    Damaged,
    /// Anything: for a version that was committed, whatever has become of it since.
    All,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Closure {
    /// The nodes it went through, which were not complete; sorted.
    pub(super) nodes: Vec<NodeId>,
    /// Places that are condemned and needed.
    pub(super) condemned: Vec<i64>,
    pub(super) lacking_chunks: Vec<ChunkId>,
    pub(super) lacking_nodes: Vec<NodeId>,
    /// What counts as here and cannot be read, as far as the walk met it; ascending.
    pub(super) hole_chunks: Vec<ChunkId>,
    pub(super) hole_nodes: Vec<NodeId>,
    /// Nodes that it met and that lead to something wanted. Only when asked for, or when anything was wanted before.
    pub(super) leads: Vec<NodeId>,
    /// Groups that could not be read, and were not known to be damaged.
    pub(super) damaged: Vec<Place>,
    /// Every node that it met, by its place.
    pub(super) walked: Walked,
}

/// Nodes by their places.
pub(super) type Walked = HashSet<NodeSpot>;

/// Pack, offset of the group, position in it. It says the same in every catalog, while the number of a place may be another
/// group's as soon as somebody makes the catalog anew or takes a pack out of it.
pub(super) type NodeSpot = (PackId, u64, u32);

/// Where this node lies.
pub(super) fn spot(at: &NodeAt) -> NodeSpot {
    (at.place.pack, at.place.offset, at.slot)
}

impl Closure {
    /// Whether nothing lacks.
    pub(super) fn is_whole(&self) -> bool {
        self.lacking_chunks.is_empty() && self.lacking_nodes.is_empty()
    }
}

impl Domain {
    /// Walks down from these nodes to the complete ones.
    pub(super) fn closure(&self, rows: Rows<'_>, roots: &[NodeId], holes: Holes) -> Result<Closure> {
        let trail = (holes != Holes::None || rows.any_wanted()?).then(Trail::default);
        self.walk(rows, roots, (holes, LACKING_MAX), trail, &|at| at.complete && at.state == State::Good)
    }

    /// Walks down from these nodes to the leaves, whatever lacks, and notes which nodes lead to it.
    pub(super) fn closure_of_all(&self, rows: Rows<'_>, roots: &[NodeId]) -> Result<Closure> {
        self.walk(rows, roots, (Holes::All, HOLES_MAX), Some(Trail::default()), &|_| false)
    }

    /// Walks down from these nodes to the ones that somebody has walked before, whatever the catalog says of them.
    pub(super) fn closure_anew(&self, rows: Rows<'_>, roots: &[NodeId], before: &Walked) -> Result<Closure> {
        self.walk(rows, roots, (Holes::None, LACKING_MAX), None, &|at| before.contains(&spot(at)))
    }

    fn walk(
        &self,
        rows: Rows<'_>,
        roots: &[NodeId],
        (holes, most): (Holes, usize),
        trail: Option<Trail>,
        done: &dyn Fn(&NodeAt) -> bool,
    ) -> Result<Closure> {
        let mut walk = Walk {
            domain: self,
            rows,
            holes,
            done,
            cache: GroupCache::default(),
            trail,
            lacking: Missing::default(),
            held: Missing::default(),
            found: Closure::default(),
        };
        let mut stack = roots.to_vec();
        while !stack.is_empty() && walk.lacking.len() + walk.held.len() < most {
            let batch = stack.split_off(stack.len().saturating_sub(BATCH));
            walk.step(&batch, &mut stack)?;
        }
        let mut found = walk.found;
        found.leads = walk.trail.map(Trail::leads).unwrap_or_default();
        found.lacking_chunks = walk.lacking.chunks.into_iter().collect();
        found.lacking_nodes = walk.lacking.nodes.into_iter().collect();
        found.hole_chunks = walk.held.chunks.into_iter().collect();
        found.hole_nodes = walk.held.nodes.into_iter().collect();
        found.nodes.sort_unstable();
        Ok(found)
    }
}

struct Walk<'a> {
    domain: &'a Domain,
    rows: Rows<'a>,
    holes: Holes,
    /// Below these nodes there is nothing to be looked for.
    done: &'a dyn Fn(&NodeAt) -> bool,
    cache: GroupCache,
    /// Which nodes lead to what cannot be read, when somebody wants to know.
    trail: Option<Trail>,
    lacking: Missing,
    /// What lacks and counts as here.
    held: Missing,
    found: Closure,
}

/// Things that cannot be read.
#[derive(Default)]
struct Missing {
    chunks: BTreeSet<ChunkId>,
    nodes: BTreeSet<NodeId>,
}

impl Missing {
    fn len(&self) -> usize {
        self.chunks.len() + self.nodes.len()
    }
}

impl Walk<'_> {
    /// Goes through a batch of nodes; what they refer to goes onto the stack.
    fn step(&mut self, batch: &[NodeId], stack: &mut Vec<NodeId>) -> Result<()> {
        let mut chunks = Vec::new();
        let mut read = Vec::new();
        let mut stops = Vec::new();
        let mut unread = Vec::new();
        for (id, places) in batch.iter().zip(self.rows.places_of_nodes(batch)?) {
            let met = |at: &NodeAt| !self.found.walked.insert(spot(at));
            if places.iter().any(self.done) {
                stops.push(*id);
                continue;
            }
            if places.first().is_some_and(met) {
                continue;
            }
            let Some((at, refs)) = self.refs(&places, *id)? else {
                unread.push((*id, !places.is_empty()));
                continue;
            };
            if at.state == State::Condemned {
                self.found.condemned.push(at.place.no);
            }
            self.found.nodes.push(*id);
            chunks.extend_from_slice(&refs.chunks);
            // The last goes first, so that the walk follows the order in which nodes were written.
            stack.extend(refs.nodes.iter().copied());
            if self.trail.is_some() {
                read.push((*id, refs));
            }
        }
        self.lacks_nodes(&unread)?;
        // In their order, in which the catalog has them.
        chunks.sort_unstable();
        chunks.dedup();
        let missing = self.look_for(&chunks)?;
        let Some(trail) = &mut self.trail else { return Ok(()) };
        for (id, refs) in &read {
            trail.read(*id, refs, &missing);
        }
        unread.iter().for_each(|(id, _)| trail.hit(*id));
        if !stops.is_empty() {
            let leads = self.rows.are_leads(&stops)?;
            stops.iter().zip(leads).filter(|(_, leads)| *leads).for_each(|(id, _)| trail.hit(*id));
        }
        Ok(())
    }

    /// Nodes that cannot be read; with each whether it has a place.
    fn lacks_nodes(&mut self, unread: &[(NodeId, bool)]) -> Result<()> {
        if unread.is_empty() {
            return Ok(());
        }
        let ids: Vec<NodeId> = unread.iter().map(|(id, _)| *id).collect();
        let cited = if self.holes == Holes::Damaged { self.rows.nodes_wanted(&ids)? } else { vec![false; ids.len()] };
        for ((id, known), cited) in unread.iter().zip(cited) {
            let to = if self.is_hole(*known || cited) { &mut self.held } else { &mut self.lacking };
            to.nodes.insert(*id);
        }
        Ok(())
    }

    /// Looks for chunks; gives those that cannot be read.
    fn look_for(&mut self, chunks: &[ChunkId]) -> Result<HashSet<ChunkId>> {
        let mut unread = Vec::new();
        for (id, state) in chunks.iter().zip(self.rows.chunk_states(chunks)?) {
            match state {
                Some((State::Good, _)) => {}
                Some((State::Condemned, place)) => self.found.condemned.push(place),
                other => unread.push((*id, other.is_some())),
            }
        }
        if unread.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Vec<ChunkId> = unread.iter().map(|(id, _)| *id).collect();
        let cited = if self.holes == Holes::Damaged { self.rows.chunks_wanted(&ids)? } else { vec![false; ids.len()] };
        for ((id, known), cited) in unread.iter().zip(cited) {
            let to = if self.is_hole(*known || cited) { &mut self.held } else { &mut self.lacking };
            to.chunks.insert(*id);
        }
        Ok(ids.into_iter().collect())
    }

    fn is_hole(&self, known: bool) -> bool {
        match self.holes {
            Holes::None => false,
            Holes::Damaged => known,
            Holes::All => true,
        }
    }

    /// The references of a node, from the first of its places that can be read.
    fn refs(&mut self, places: &[NodeAt], id: NodeId) -> Result<Option<(NodeAt, Refs)>> {
        for at in places.iter().filter(|at| at.state != State::Damaged) {
            match self.cache.group(self.domain, &at.place) {
                Ok(group) => {
                    if let Some((_, refs)) = group.get(at.slot as usize).filter(|(found, _)| *found == id) {
                        return Ok(Some((*at, refs.clone())));
                    }
                }
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(e),
            }
            if !self.found.damaged.iter().any(|place| place.no == at.place.no) {
                self.found.damaged.push(at.place);
            }
        }
        Ok(None)
    }
}

/// Whether an error means that a record cannot be had from its place any more.
pub(super) fn is_gone(e: &crate::Error) -> bool {
    e.is_damage() || matches!(e, crate::Error::NotFound { .. })
}

type Group = Arc<Vec<(NodeId, Refs)>>;

/// Clear parts of the groups read last, bounded in ids. Kept by pack and offset: while one process walks, another may
/// make the catalog anew, and then the number of a place is another's.
#[derive(Default)]
pub(super) struct GroupCache {
    groups: HashMap<(PackId, u64), Group>,
    order: VecDeque<((PackId, u64), usize)>,
    ids: usize,
}

impl GroupCache {
    /// The nodes of a group with their references.
    pub(super) fn group(&mut self, domain: &Domain, place: &Place) -> Result<Group> {
        if let Some(group) = self.groups.get(&(place.pack, place.offset)) {
            return Ok(Arc::clone(group));
        }
        let group = Arc::new(domain.group_refs(place)?);
        self.keep(place, &group);
        Ok(group)
    }

    /// Keeps what somebody has read.
    pub(super) fn keep(&mut self, place: &Place, group: &Group) {
        let ids = group.iter().map(|(_, refs)| 2 + refs.chunks.len() + refs.nodes.len()).sum::<usize>();
        while self.ids + ids > CACHED_IDS_MAX
            && let Some((oldest, freed)) = self.order.pop_front()
        {
            self.groups.remove(&oldest);
            self.ids -= freed;
        }
        let at = (place.pack, place.offset);
        self.groups.insert(at, Arc::clone(group));
        self.order.push_back((at, ids));
        self.ids += ids;
    }
}
