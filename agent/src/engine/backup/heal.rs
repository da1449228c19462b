//! Giving the vault back what it has lost, as far as the sources of this run and the cache still have it.

use std::collections::HashSet;
use std::sync::Arc;

use store::id::{ChunkId, NodeId};
use store::seal::Scratch;
use transport::message::{Answered, AskBatch, IDS_MAX, Request, from_bits, join_ids};

use super::source_run::SourceRun;
use crate::engine::account::Account;
use crate::engine::cache::NodeCache;
use crate::engine::job::BackupSummary;
use crate::engine::remote::Remote;
use crate::engine::trouble::protocol;
use crate::engine::uplink::Uplink;
use crate::engine::wanted::Wanted;
use crate::event::Event;
use crate::fault::Result;
use crate::units::counted;

/// Nodes that are sealed together when they come from the cache.
const NODES_AT_ONCE: usize = 64;

/// What was wanted when the run began, or when it found out.
#[derive(Default)]
pub struct Heal {
    before: Wanted,
    /// What a pass has looked for already, whatever came of it.
    chunks: HashSet<ChunkId>,
    nodes: HashSet<NodeId>,
}

impl Heal {
    /// Asks what is wanted, unless nothing is, or these sources were looked through for that very list before.
    pub fn begin(account: &Account, sources: &[Arc<SourceRun>]) -> Result<Self> {
        let Some(mark) = account.wanted else { return Ok(Self::default()) };
        let state = account.state();
        if sources.iter().all(|source| state.tried(source.id) == mark) {
            return Ok(Self::default());
        }
        Ok(Self { before: Wanted::ask(&account.remote, true)?, ..Self::default() })
    }

    /// What the next pass has to look for: nodes that the cache still has are sent at once, with everything below them
    /// that the vault lacks, too. No walk of the server's could see that.
    pub fn to_look_for(&mut self, account: &Account, nodes: &NodeCache, link: &Uplink) -> Result<Wanted> {
        let mut wanted = self.before.clone();
        let mut scratch = Scratch::new();
        let mut seen: HashSet<NodeId> = wanted.nodes.iter().copied().collect();
        let mut waiting: Vec<NodeId> = wanted.nodes.iter().filter(|id| nodes.has(id)).copied().collect();
        while !waiting.is_empty() {
            let some = waiting.split_off(waiting.len().saturating_sub(NODES_AT_ONCE));
            // What the cache cannot give after all is made again from the source.
            let raw: Vec<_> = some.iter().filter_map(|id| nodes.raw(id).ok()).collect();
            if raw.is_empty() {
                continue;
            }
            link.put(account.sealer.seal_group(&mut scratch, &raw, true)?)?;
            let mut chunks: Vec<ChunkId> = Vec::new();
            let mut below: Vec<NodeId> = Vec::new();
            for (id, refs, _) in &raw {
                wanted.nodes.remove(id);
                chunks.extend(refs.chunks.iter().filter(|id| !wanted.chunks.contains(id)));
                below.extend(refs.nodes.iter().filter(|id| seen.insert(**id)));
            }
            let (chunks, below) = lacking(&account.remote, &chunks, &below)?;
            wanted.chunks.extend(chunks);
            for id in below {
                if nodes.has(&id) {
                    waiting.push(id);
                } else {
                    wanted.nodes.insert(id);
                    wanted.everywhere = true;
                }
            }
        }
        self.chunks.extend(&wanted.chunks);
        self.nodes.extend(seen);
        self.before.chunks.extend(&wanted.chunks);
        Ok(wanted)
    }

    /// What a commit lacks, as lists of ids: whether all of it was looked for already, so that nothing is left but to
    /// go on without it. Otherwise the next pass looks for it.
    pub fn was_looked_for(&mut self, account: &Account, chunks: &[u8], nodes: &[u8]) -> Result<bool> {
        let chunks: Vec<ChunkId> = chunks.as_chunks::<32>().0.iter().map(|id| ChunkId::new(*id)).collect();
        let nodes: Vec<NodeId> = nodes.as_chunks::<32>().0.iter().map(|id| NodeId::new(*id)).collect();
        if chunks.iter().all(|id| self.chunks.contains(id)) && nodes.iter().all(|id| self.nodes.contains(id)) {
            return Ok(true);
        }
        let now = Wanted::ask(&account.remote, true)?;
        let (before, mark) = (std::mem::take(&mut self.before), now.mark);
        self.before = Wanted {
            mark,
            chunks: before.chunks.into_iter().chain(now.chunks).chain(chunks).collect(),
            nodes: before.nodes.into_iter().chain(now.nodes).chain(nodes).collect(),
            leads: before.leads.into_iter().chain(now.leads).collect(),
            // What is below a node that nobody can read, no list tells.
            everywhere: true,
            bodies: before.bodies.into_iter().chain(now.bodies).collect(),
            versions: before.versions.into_iter().chain(now.versions).collect(),
        };
        Ok(false)
    }

    /// Gives bodies back that the vault has lost and this machine still has, each with its link.
    pub fn bodies(&self, account: &Account, link: &Uplink) -> Result<()> {
        if self.before.bodies.is_empty() {
            return Ok(());
        }
        let links: Vec<_> = account.history().links().to_vec();
        for lost in links.iter().filter(|link| self.before.bodies.contains(&link.link().body)) {
            let Some(body) = account.history().body_here(lost.link().body) else { continue };
            let mut bytes = Vec::with_capacity(body.wire_len());
            body.encode(&mut bytes);
            link.commit(lost.signed().bytes().to_vec(), Some(bytes), false)?;
        }
        Ok(())
    }

    /// After the commit: what was healed, what was not, and whether the new version has holes.
    pub fn end(self, account: &Account, sources: &[Arc<SourceRun>], summary: &mut BackupSummary) -> Result<()> {
        if account.wanted.is_none() && self.before.mark == 0 && self.before.is_empty() && self.before.bodies.is_empty()
        {
            return Ok(());
        }
        let after = Wanted::ask(&account.remote, true)?;
        summary.healed_chunks = self.before.chunks.difference(&after.chunks).count() as u64;
        summary.healed_nodes = self.before.nodes.difference(&after.nodes).count() as u64;
        summary.healed_bodies = self.before.bodies.difference(&after.bodies).count() as u64;
        summary.healed = summary.healed_chunks + summary.healed_nodes + summary.healed_bodies;
        let links = account.version_links(false);
        let is_version = |sequence: &&u64| links.iter().any(|link| link.link().sequence == **sequence);
        summary.healed_versions = self.before.versions.difference(&after.versions).filter(is_version).count() as u64;
        summary.with_holes = summary.sequence.is_some_and(|sequence| after.versions.contains(&sequence));
        let left = after.versions.iter().filter(is_version).count() as u64;
        if left > 0 {
            let versions = counted(left, "version still has", "versions still have");
            account.run.watcher.event(&Event::Note(&format!(
                "{versions} holes that nothing here can fill; `tuckbox check` names what is lost, and what is left"
            )));
        }
        account.change_state(|state| sources.iter().for_each(|source| state.set_tried(source.id, after.mark)))
    }
}

/// Which of these the vault lacks.
fn lacking(remote: &Remote, chunks: &[ChunkId], nodes: &[NodeId]) -> Result<(Vec<ChunkId>, Vec<NodeId>)> {
    let (mut lacking_chunks, mut lacking_nodes) = (Vec::new(), Vec::new());
    let bad = || protocol("the server answered another question");
    for some in chunks.chunks(IDS_MAX) {
        let batch = AskBatch { chunks: join_ids(some.iter().map(ChunkId::bytes)), nodes: Vec::new() };
        let answered: Answered = remote.ask(&Request::Ask(batch))?;
        let bits = from_bits(&answered.chunks, some.len()).ok_or_else(bad)?;
        lacking_chunks.extend(some.iter().zip(bits).filter(|(_, lacks)| *lacks).map(|(id, _)| *id));
    }
    for some in nodes.chunks(IDS_MAX) {
        let batch = AskBatch { chunks: Vec::new(), nodes: join_ids(some.iter().map(NodeId::bytes)) };
        let answered: Answered = remote.ask(&Request::Ask(batch))?;
        let bits = from_bits(&answered.nodes, some.len()).ok_or_else(bad)?;
        lacking_nodes.extend(some.iter().zip(bits).filter(|(_, lacks)| *lacks).map(|(id, _)| *id));
    }
    Ok((lacking_chunks, lacking_nodes))
}
