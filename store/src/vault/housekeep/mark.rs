//! What is needed: everything below the roots of every version, whole or partial, whose body is here.
//!
//! The walk reads clear references only and holds a bit for each place and each node. It runs beside uploads and
//! commits; what those add meanwhile is caught up with, under the catalog's write lock, before anything is changed by
//! what was found ([`Marks::catch_up`]): a new version costs a walk down to nodes that are marked already.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::{NodeBits, PlaceBits};
use super::{Budget, Gone};
use crate::catalog::{LinkRow, NodeAt, Place, Rows, State};
use crate::chain::{self, LinkKind};
use crate::error::Result;
use crate::id::{BodyHash, ChunkId, NodeId};
use crate::record::{Record, RecordKind, Refs};
use crate::vault::closure::{GroupCache, is_gone};
use crate::vault::{AccountInfo, Domain};

/// Nodes that are looked up at once.
const BATCH: usize = 1_000;
/// Chunks that are gathered before they are looked up: looked up in order, they cost less.
const CHUNKS_AT_ONCE: usize = 64 << 10;
/// Links that are read at once.
const LINKS: usize = 1_024;

/// What was found to be needed.
#[derive(Default)]
pub(super) struct Marks {
    /// Places that hold something that is needed, and hold it best.
    pub(super) places: PlaceBits,
    /// Needed nodes, at the place that was read.
    pub(super) nodes: NodeBits,
    /// Per account the newest link that was looked at.
    seen: BTreeMap<u32, u64>,
    /// Nodes and bodies that are needed and cannot be read: what is below them is not known.
    pub(super) holes: u64,
    /// Groups that could not be read and were not known to be damaged.
    pub(super) unreadable: Vec<Place>,
    /// Versions, partial ones included, that were walked.
    pub(super) versions: u64,
    /// Bytes of the marked places.
    pub(super) bytes: u64,
    /// Of these the bytes of groups.
    pub(super) group_bytes: u64,
}

/// How a walk asks the catalog.
pub(super) enum View<'a> {
    /// Question by question: others may change it between two.
    Reading,
    /// Within a change.
    Changing(Rows<'a>),
}

impl View<'_> {
    fn ask<T>(&self, domain: &Domain, question: impl FnOnce(Rows<'_>) -> Result<T>) -> Result<T> {
        match self {
            Self::Reading => domain.inner.catalog.read(question),
            Self::Changing(rows) => question(*rows),
        }
    }

    /// Whether a version whose body is not there was allowed to go.
    fn has_gone(&self, domain: &Domain, account: &AccountInfo, version: u64) -> Result<bool> {
        match self {
            Self::Reading => Ok(domain.gone_versions(account)?.contains(&version)),
            Self::Changing(rows) => domain.has_gone(*rows, account, version),
        }
    }
}

impl Marks {
    /// Marks everything that these accounts keep, beside what is marked already. False when the budget ended.
    pub(super) fn all(
        &mut self,
        domain: &Domain,
        accounts: &[AccountInfo],
        gone: &Gone,
        budget: &Budget<'_>,
    ) -> Result<bool> {
        for account in accounts {
            if !self.account(domain, &View::Reading, account, gone, budget)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Marks what was added since, within a change.
    pub(super) fn catch_up(
        &mut self,
        domain: &Domain,
        rows: Rows<'_>,
        accounts: &[AccountInfo],
        gone: &Gone,
    ) -> Result<()> {
        for account in accounts {
            domain.take_in_links(rows, account)?;
            self.account(domain, &View::Changing(rows), account, gone, &Budget::none())?;
        }
        Ok(())
    }

    fn account(
        &mut self,
        domain: &Domain,
        view: &View<'_>,
        account: &AccountInfo,
        gone: &Gone,
        budget: &Budget<'_>,
    ) -> Result<bool> {
        loop {
            let from = self.seen.get(&account.number).map_or(1, |seen| seen.saturating_add(1));
            let links = view.ask(domain, |rows| rows.links(account.number, from, LINKS))?;
            let Some(last) = links.last().map(|link| link.sequence) else { return Ok(true) };
            for link in links {
                if LinkKind::from_number(link.kind).is_version()
                    && !self.version(domain, view, account, &link, gone, budget)?
                {
                    return Ok(false);
                }
            }
            self.seen.insert(account.number, last);
        }
    }

    fn version(
        &mut self,
        domain: &Domain,
        view: &View<'_>,
        account: &AccountInfo,
        link: &LinkRow,
        gone: &Gone,
        budget: &Budget<'_>,
    ) -> Result<bool> {
        let may_be_gone = gone.versions.contains(&(account.number, link.sequence));
        if may_be_gone && gone.left_out {
            return Ok(true);
        }
        let body = match domain.body_record(account.number, link.body) {
            Ok(Some(body)) => body,
            Ok(None) if may_be_gone => return Ok(true),
            // A pass of somebody else has removed it meanwhile: who only looks holds no lock.
            Ok(None) if view.has_gone(domain, account, link.sequence)? => return Ok(true),
            Err(e) if !e.is_damage() => return Err(e),
            // What it needs is not known any more.
            Ok(None) | Err(_) => {
                self.holes += 1;
                return Ok(true);
            }
        };
        self.roots(domain, view, &body, budget)
    }

    /// Marks what one version needs. False when the budget ended. A body that cannot be read is a hole.
    pub(super) fn one(&mut self, domain: &Domain, account: u32, body: BodyHash, budget: &Budget<'_>) -> Result<bool> {
        match domain.body_record(account, body) {
            Ok(Some(body)) => self.roots(domain, &View::Reading, &body, budget),
            Err(e) if !e.is_damage() => Err(e),
            Ok(None) | Err(_) => {
                self.holes += 1;
                Ok(true)
            }
        }
    }

    fn roots(&mut self, domain: &Domain, view: &View<'_>, body: &Record, budget: &Budget<'_>) -> Result<bool> {
        self.versions += 1;
        let roots = chain::clear_sources(body)?.into_iter().map(|(_, root, _)| root).collect();
        self.below(domain, view, roots, budget)
    }

    fn place(&mut self, place: &Place) {
        if self.places.insert(place.no) {
            self.bytes += u64::from(place.length);
            if place.kind == RecordKind::Group {
                self.group_bytes += u64::from(place.length);
            }
        }
    }

    /// Marks these nodes and all below them.
    fn below(&mut self, domain: &Domain, view: &View<'_>, mut stack: Vec<NodeId>, budget: &Budget<'_>) -> Result<bool> {
        let mut cache = GroupCache::default();
        let mut chunks = BTreeSet::new();
        while !stack.is_empty() {
            if budget.is_over() {
                return Ok(false);
            }
            let batch = stack.split_off(stack.len().saturating_sub(BATCH));
            let places = view.ask(domain, |rows| rows.places_of_nodes(&batch))?;
            for (id, places) in batch.iter().zip(places) {
                let Some(refs) = self.node(domain, &mut cache, *id, places)? else { continue };
                chunks.extend(refs.chunks);
                stack.extend(refs.nodes);
            }
            if chunks.len() >= CHUNKS_AT_ONCE {
                self.chunks(domain, view, std::mem::take(&mut chunks))?;
            }
        }
        self.chunks(domain, view, chunks)?;
        Ok(true)
    }

    /// Marks a node where it is read best, and gives what it needs; nothing when it was marked before.
    fn node(
        &mut self,
        domain: &Domain,
        cache: &mut GroupCache,
        id: NodeId,
        mut places: Vec<NodeAt>,
    ) -> Result<Option<Refs>> {
        // Stable: within a state the one in force comes first.
        places.sort_by_key(|at| at.state);
        for at in places.iter().filter(|at| at.state < State::Damaged) {
            if self.nodes.contains(at.place.no, at.slot) {
                return Ok(None);
            }
            match cache.group(domain, &at.place) {
                Ok(group) => {
                    if let Some((_, refs)) = group.get(at.slot as usize).filter(|(found, _)| *found == id) {
                        self.nodes.insert(at.place.no, at.slot);
                        self.place(&at.place);
                        return Ok(Some(refs.clone()));
                    }
                }
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(e),
            }
            if !self.unreadable.contains(&at.place) {
                self.unreadable.push(at.place);
            }
        }
        // It may come back: its damaged places are wanted, and nothing may be taken for rubbish meanwhile.
        self.holes += 1;
        for at in &places {
            self.place(&at.place);
        }
        Ok(None)
    }

    /// Marks each chunk where it is read best; one that is damaged everywhere, everywhere.
    fn chunks(&mut self, domain: &Domain, view: &View<'_>, chunks: BTreeSet<ChunkId>) -> Result<()> {
        let chunks: Vec<ChunkId> = chunks.into_iter().collect();
        for batch in chunks.chunks(BATCH) {
            for places in view.ask(domain, |rows| rows.all_places_of_chunks(batch))? {
                for (place, _) in best(&places) {
                    self.place(place);
                }
            }
        }
        Ok(())
    }
}

/// Of the places of a chunk the one where it is read best; of one that is damaged everywhere all.
pub(super) fn best(places: &[(Place, State)]) -> &[(Place, State)] {
    let usable = places.iter().filter(|(_, state)| *state < State::Damaged);
    let best = usable.min_by_key(|(place, state)| (*state, place.preference()));
    best.map_or(places, std::slice::from_ref)
}

/// Kinds of records that are condemned and freed; all others stay.
pub(super) fn is_known(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Box | RecordKind::Group)
}
