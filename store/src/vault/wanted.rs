//! What is *wanted*: what kept versions cite and nobody can read any more. A client that still has it sends it again,
//! and a new good place ends it.
//!
//! The list is made by a walk over all versions, and only when something was found to be damaged or gone since it was
//! made last; a vault without damage never pays for it. With it stands which nodes lead to what is wanted: so a client
//! looks only there, and a version that reaches a hole is known by its roots.

use std::collections::{HashMap, HashSet};

use super::{AccountInfo, Domain, account};
use crate::catalog::{Rows, Wanted};
use crate::chain::{self, LinkKind};
use crate::error::{Error, Result};
use crate::id::{BodyHash, ChunkId, NodeId};
use crate::record::Refs;

/// Walks until the list is right: more than one only when something changes meanwhile, or when a walk itself finds
/// damage.
const WALKS_MAX: usize = 4;
/// Nodes that are read at once.
const PAGE: usize = 10_000;

/// Which node refers to which, and which of them something cannot be read of.
#[derive(Default)]
pub(super) struct Trail {
    numbers: HashMap<NodeId, u32>,
    /// (referred to, referring)
    edges: Vec<(u32, u32)>,
    hits: Vec<u32>,
}

impl Trail {
    fn number(&mut self, id: NodeId) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(id).or_insert(next)
    }

    /// A node that was read.
    pub(super) fn read(&mut self, id: NodeId, refs: &Refs, missing: &HashSet<ChunkId>) {
        let number = self.number(id);
        for below in &refs.nodes {
            let below = self.number(*below);
            self.edges.push((below, number));
        }
        if !missing.is_empty() && refs.chunks.iter().any(|id| missing.contains(id)) {
            self.hits.push(number);
        }
    }

    /// A node that leads to something wanted, or is wanted itself.
    pub(super) fn hit(&mut self, id: NodeId) {
        let number = self.number(id);
        self.hits.push(number);
    }

    /// All nodes from which a hit can be reached, the hits included; ascending.
    pub(super) fn leads(mut self) -> Vec<NodeId> {
        if self.hits.is_empty() {
            return Vec::new();
        }
        self.edges.sort_unstable();
        let mut leads: HashSet<u32> = HashSet::new();
        while let Some(number) = self.hits.pop() {
            if leads.insert(number) {
                let from = self.edges.partition_point(|(below, _)| *below < number);
                let above = self.edges.iter().skip(from).take_while(|(below, _)| *below == number);
                self.hits.extend(above.map(|(_, above)| *above));
            }
        }
        let mut ids: Vec<NodeId> =
            self.numbers.into_iter().filter(|(_, number)| leads.contains(number)).map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }
}

impl Domain {
    /// Names the list of what is wanted, without making it: `None` when nothing is known to be. Another list has
    /// another number; while the list is in doubt, the number is none that a list has had.
    pub fn wanted_mark(&self) -> Result<Option<u64>> {
        self.inner.catalog.read(|rows| {
            if rows.wanted_in_doubt()? {
                // Even, as no list's number is.
                return Ok(Some(rows.generation()?.wrapping_add(1) << 1));
            }
            Ok(Some(rows.wanted_mark()?).filter(|mark| *mark != 0))
        })
    }

    /// What is wanted, as it is now. When in doubt this walks over all versions.
    pub fn wanted(&self) -> Result<Wanted> {
        for _ in 0..WALKS_MAX {
            let listed = self.inner.catalog.read(|rows| {
                if rows.wanted_in_doubt()? {
                    return Ok(None);
                }
                let wanted = rows.wanted()?;
                Ok(if rows.wanted_came_back(&wanted)? { None } else { Some(wanted) })
            })?;
            let listed = match listed {
                Some(wanted) if self.body_came_back(&wanted)? => None,
                other => other,
            };
            match listed {
                Some(wanted) => return Ok(wanted),
                None => match self.look_for_wanted() {
                    // Nobody can say now; what was known to be wanted still is.
                    Err(Error::Absent { .. }) => break,
                    other => other?,
                },
            }
        }
        self.inner.catalog.read(|rows| rows.wanted())
    }

    /// What is wanted is to be looked for again.
    pub(super) fn doubt_wanted(&self) -> Result<()> {
        let write = self.inner.catalog.write()?;
        write.rows().doubt_wanted()?;
        write.commit()
    }

    /// Makes the list anew.
    fn look_for_wanted(&self) -> Result<()> {
        let generation = self.generation()?;
        let (mut roots, mut bodies) = (Vec::new(), Vec::new());
        for account in account::accounts_in(&self.inner.shared, &self.inner.paths, self.id())? {
            roots.extend(self.versions_of(&account)?.into_iter().flat_map(|(_, roots)| roots));
            bodies.extend(self.bad_bodies(&account)?);
        }
        bodies.sort_unstable();
        roots.sort_unstable();
        roots.dedup();
        let (found, hidden) = self.inner.catalog.read(|rows| {
            let found = self.closure_of_all(rows, &roots)?;
            // What is below a node that nobody can read is cited by it, for all that anybody knows.
            let hidden = if found.hole_nodes.is_empty() { Default::default() } else { rows.all_damaged()? };
            Ok((found, hidden))
        })?;
        for place in &found.damaged {
            self.note_damage(place)?;
        }
        let hides = !found.hole_nodes.is_empty();
        let (mut chunks, mut nodes) = (found.hole_chunks, found.hole_nodes);
        chunks.extend(hidden.0);
        nodes.extend(hidden.1);
        chunks.sort_unstable();
        chunks.dedup();
        nodes.sort_unstable();
        nodes.dedup();
        let write = self.inner.catalog.write()?;
        if write.rows().generation()? == generation {
            if hides {
                only_seen_is_complete(write.rows(), &found.nodes)?;
            }
            write.rows().set_wanted(&Wanted { mark: 0, chunks, nodes, leads: found.leads, bodies })?;
        }
        write.commit()
    }

    /// Bodies of an account's links that are there and are not what their names say; of the newest version and of all that
    /// are no versions also those that are gone. Any other version's body may go when its version goes.
    pub fn bad_bodies(&self, account: &AccountInfo) -> Result<Vec<BodyHash>> {
        let links = self.inner.catalog.read(|rows| rows.links(account.number, 1, usize::MAX))?;
        // The newest version never expires.
        let newest = links.iter().rev().find(|link| link.kind == LinkKind::Version.number()).map(|link| link.sequence);
        let mut bad = Vec::new();
        for link in links.into_iter().filter(|link| link.body != BodyHash::ZERO) {
            let kind = LinkKind::from_number(link.kind);
            let keeps =
                matches!(kind, LinkKind::Key | LinkKind::Device) || kind.is_act() || newest == Some(link.sequence);
            match self.body_of(account.number, link.body) {
                Ok(None) if keeps => bad.push(link.body),
                Ok(_) => {}
                Err(e) if e.is_damage() => bad.push(link.body),
                Err(e) => return Err(e),
            }
        }
        Ok(bad)
    }

    fn body_came_back(&self, wanted: &Wanted) -> Result<bool> {
        if wanted.bodies.is_empty() {
            return Ok(false);
        }
        let mut bad = Vec::new();
        for account in account::accounts_in(&self.inner.shared, &self.inner.paths, self.id())? {
            bad.extend(self.bad_bodies(&account)?);
        }
        bad.sort_unstable();
        Ok(bad != wanted.bodies)
    }

    /// The versions and partial ones of an account that reach something wanted, ascending. The list of what is wanted
    /// must be right: [`wanted`](Self::wanted).
    pub fn with_holes(&self, account: &AccountInfo) -> Result<Vec<u64>> {
        if !self.inner.catalog.read(|rows| rows.any_wanted())? {
            return Ok(Vec::new());
        }
        let mut out = Vec::new();
        for (sequence, roots) in self.versions_of(account)? {
            let reaches = self.inner.catalog.read(|rows| {
                Ok(rows.are_leads(&roots)?.contains(&true) || rows.nodes_wanted(&roots)?.contains(&true))
            })?;
            if reaches {
                out.push(sequence);
            }
        }
        Ok(out)
    }

    /// The roots of every version of an account whose body is there and can be read.
    fn versions_of(&self, account: &AccountInfo) -> Result<Vec<(u64, Vec<NodeId>)>> {
        let mut links: Vec<(u64, BodyHash)> = self.inner.catalog.read(|rows| {
            let mut links = Vec::new();
            for kind in [LinkKind::Version, LinkKind::Partial] {
                links.extend(
                    rows.links_of_kind(account.number, kind.number())?.into_iter().map(|l| (l.sequence, l.body)),
                );
            }
            Ok(links)
        })?;
        // Behind a link that cannot be read the catalog has none; their versions are kept all the same.
        let newest = self.inner.catalog.read(|rows| rows.newest_link(account.number))?.map_or(0, |link| link.sequence);
        for number in self.links_above(account.number, newest)? {
            let bytes = self.link_on_disk(account.number, number)?.unwrap_or_default();
            if let Ok(link) = chain::ReceivedLink::decode(&bytes)
                && link.link().kind.is_version()
            {
                links.push((number, link.link().body));
            }
        }
        links.sort_unstable();
        let mut out = Vec::with_capacity(links.len());
        for (sequence, body) in links {
            let body = match self.body_record(account.number, body) {
                Ok(Some(body)) => body,
                Ok(None) => continue,
                Err(e) if e.is_damage() => continue,
                Err(e) => return Err(e),
            };
            out.push((sequence, chain::clear_sources(&body)?.into_iter().map(|(_, root, _)| root).collect()));
        }
        Ok(out)
    }
}

/// Below a node that nobody can read there may be others that were complete, and lack now what went with a pack: nobody has
/// walked there, so nothing is said of them any more, and whoever has them sends what lacks.
fn only_seen_is_complete(rows: Rows<'_>, seen: &[NodeId]) -> Result<()> {
    let mut after = None;
    loop {
        let page = rows.complete_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.id, last.place));
        let hidden: Vec<_> = page.into_iter().filter(|row| seen.binary_search(&row.id).is_err()).collect();
        rows.clear_complete(&hidden)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reaches_a_hit_leads_there() {
        let id = |n: u8| NodeId::new([n; 32]);
        let chunk = |n: u8| ChunkId::new([n; 32]);
        let refs = |chunks: &[u8], nodes: &[u8]| Refs {
            chunks: chunks.iter().map(|n| chunk(*n)).collect(),
            nodes: nodes.iter().map(|n| id(*n)).collect(),
        };
        let missing = HashSet::from([chunk(9)]);
        let mut trail = Trail::default();
        trail.read(id(1), &refs(&[], &[2, 3]), &missing);
        trail.read(id(2), &refs(&[8], &[4]), &missing);
        trail.read(id(3), &refs(&[9, 8], &[]), &missing);
        trail.read(id(4), &refs(&[], &[]), &missing);
        trail.read(id(5), &refs(&[], &[2]), &missing);
        assert_eq!(trail.leads(), [id(1), id(3)]);

        let mut trail = Trail::default();
        trail.read(id(1), &refs(&[], &[2]), &missing);
        trail.hit(id(2));
        assert_eq!(trail.leads(), [id(1), id(2)]);
    }
}
