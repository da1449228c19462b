//! Giving the vault back what it has lost, as far as the sources of this run and the cache still have it.

use std::collections::HashSet;
use std::sync::Arc;

use store::id::{ChunkId, NodeId};
use store::seal::Scratch;

use super::source_run::SourceRun;
use crate::engine::account::Account;
use crate::engine::cache::NodeCache;
use crate::engine::job::BackupSummary;
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

    /// What the next pass has to look for: nodes that the cache still has are sent at once.
    pub fn to_look_for(&mut self, account: &Account, nodes: &NodeCache, link: &Uplink) -> Result<Wanted> {
        let mut wanted = self.before.clone();
        let here: Vec<NodeId> = wanted.nodes.iter().filter(|id| nodes.has(id)).copied().collect();
        let mut scratch = Scratch::new();
        for some in here.chunks(NODES_AT_ONCE) {
            // What the cache cannot give after all is made again from the source.
            let raw: Vec<_> = some.iter().filter_map(|id| nodes.raw(id).ok()).collect();
            if !raw.is_empty() {
                link.put(&account.sealer.seal_group(&mut scratch, &raw, true)?)?;
            }
            for (id, ..) in &raw {
                wanted.nodes.remove(id);
            }
        }
        self.chunks.extend(&wanted.chunks);
        self.nodes.extend(&self.before.nodes);
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
            versions: before.versions.into_iter().chain(now.versions).collect(),
        };
        Ok(false)
    }

    /// After the commit: what was healed, what was not, and whether the new version has holes.
    pub fn end(self, account: &Account, sources: &[Arc<SourceRun>], summary: &mut BackupSummary) -> Result<()> {
        if account.wanted.is_none() && self.before.mark == 0 && self.before.is_empty() {
            return Ok(());
        }
        let after = Wanted::ask(&account.remote, !self.before.is_empty())?;
        summary.healed_chunks = self.before.chunks.difference(&after.chunks).count() as u64;
        summary.healed_nodes = self.before.nodes.difference(&after.nodes).count() as u64;
        summary.healed = summary.healed_chunks + summary.healed_nodes;
        let links = account.version_links(false);
        let is_version = |sequence: &&u64| links.iter().any(|link| link.link().sequence == **sequence);
        summary.healed_versions = self.before.versions.difference(&after.versions).filter(is_version).count() as u64;
        summary.with_holes = summary.sequence.is_some_and(|sequence| after.versions.contains(&sequence));
        let left = after.versions.iter().filter(is_version).count() as u64;
        if left > 0 {
            let versions = counted(left, "version still has", "versions still have");
            account.run.watcher.event(&Event::Note(&format!(
                "{versions} holes that nothing here can fill; `tuckbox versions` marks them"
            )));
        }
        account.change_state(|state| sources.iter().for_each(|source| state.set_tried(source.id, after.mark)))
    }
}
