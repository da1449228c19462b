//! What is wanted: lost, and taken back from whoever still has it.

use store::id::{ChunkId, NodeId};
use store::vault::Access;
use transport::Call;
use transport::message::{IDS_MAX, WantedAsk, WantedDone, WantedIds, WantedTold, join_ids};

use super::refuse::Refused;
use super::{Server, reply};

/// Most ids of a kind that are told. What is left out is told when the others are healed.
pub const TOLD_MAX: usize = 1 << 20;

impl Server {
    /// Tells what is wanted in the chunk space of the opened account, and which of its versions have holes.
    pub fn wanted(&self, call: &Call, ask: WantedAsk) -> Result<(), Refused> {
        let (_, account, domain) = self.account(Access::Read)?;
        let mut wanted = domain.wanted()?;
        let everywhere = wanted.leads.len() > TOLD_MAX;
        if everywhere {
            wanted.leads.clear();
        }
        if ask.ids {
            for some in wanted.chunks.chunks(IDS_MAX).take(TOLD_MAX / IDS_MAX) {
                let chunks = join_ids(some.iter().map(ChunkId::bytes));
                reply(call, WantedTold::Ids(WantedIds { chunks, ..WantedIds::default() }))?;
            }
            for some in wanted.nodes.chunks(IDS_MAX).take(TOLD_MAX / IDS_MAX) {
                let nodes = join_ids(some.iter().map(NodeId::bytes));
                reply(call, WantedTold::Ids(WantedIds { nodes, ..WantedIds::default() }))?;
            }
            for some in wanted.leads.chunks(IDS_MAX) {
                let leads = join_ids(some.iter().map(NodeId::bytes));
                reply(call, WantedTold::Ids(WantedIds { leads, ..WantedIds::default() }))?;
            }
        }
        if ask.ids && !wanted.bodies.is_empty() {
            for some in domain.bad_bodies(&account)?.chunks(IDS_MAX) {
                reply(call, WantedTold::Bodies(some.to_vec()))?;
            }
        }
        for some in domain.with_holes(&account)?.chunks(IDS_MAX) {
            reply(call, WantedTold::Versions(some.to_vec()))?;
        }
        reply(call, WantedTold::Done(WantedDone { mark: wanted.mark, everywhere }))
    }
}
