//! Third stage: which of these chunks does the vault lack? What it lacks becomes boxes.
//!
//! ```text
//!  hashed ──► asker: ids ──► server          (several questions in flight)
//!                 └─► waiting ──► boxer ◄── answers
//!                                   ├── lacking: joins the open box ──► seals
//!                                   └── there already: bytes are let go
//! ```

use std::collections::HashSet;

use store::id::ChunkId;
use store::limits::{BOX_BYTES_MAX, BOX_BYTES_TARGET, ITEMS_MAX};
use transport::message::{AskBatch, from_bits, join_ids};

use super::ahead::Ahead;
use super::flow::{Batch, Flow, Hashed, Held, SealJob};
use crate::engine::queue::Queue;
use crate::engine::uplink::Uplink;
use crate::fault::{Code, Fault, Result};
use crate::profile::did;

/// Questions in flight: hides round trips up to about 200 ms at full speed.
pub const QUESTIONS_MAX: usize = 16;
/// Ids in one question at most; a question goes out earlier when nothing else waits to be asked.
const QUESTION_IDS: usize = 2_048;
/// A box is closed before it holds more: with its table it then stays below a power of two, above which padding is coarser.
const BOX_FILL: usize = BOX_BYTES_TARGET - (16 << 10);
/// A batch that lacks at least this much becomes a box as it is, without a copy.
const WHOLE_BOX_BYTES: usize = 3 * BOX_BYTES_TARGET / 4;

/// Ids that a run remembers to be there or on their way: as many as fit into a table of 18 MB. Above it the server is
/// asked again.
const SEEN_MAX: usize = (1 << 20) / 8 * 7 - QUESTION_IDS - ITEMS_MAX;

/// Ids that need not be asked about. Half of an id is enough to tell it from a million others.
#[derive(Default)]
struct Seen(HashSet<[u8; 16]>);

impl Seen {
    /// True when it was not there.
    fn insert(&mut self, id: &ChunkId) -> bool {
        id.bytes().first_chunk().is_some_and(|half| self.0.insert(*half))
    }
}

/// Batches whose question is on its way.
pub enum Waiting {
    /// A question about these batches: how many ids it holds, and which of each batch's chunks they are.
    Question {
        /// The batches.
        batches: Vec<Batch>,
        /// Positions (batch, chunk) that were asked about, in order.
        asked: Vec<(usize, usize)>,
    },
    /// Close the open boxes.
    Flush,
}

/// Sends questions. Ids that this run has asked about before are not asked again: they are here or on their way. Nor are
/// those that the version before holds of the same file.
pub fn ask(flow: &Flow<'_>, link: &Uplink, waiting: &Queue<Waiting>) -> Result<()> {
    let mut seen = Seen::default();
    let mut next = flow.hashed.pop();
    while let Some(first) = next.take() {
        if seen.0.len() > SEEN_MAX {
            seen.0.clear();
        }
        let mut batches = Vec::new();
        let mut asked = Vec::new();
        let mut ids = Vec::new();
        let mut flush = false;
        let mut hashed = Some(first);
        while let Some(Hashed::Batch(batch)) = hashed {
            for id in &batch.known {
                seen.insert(id);
            }
            for (position, (id, _)) in batch.chunks.iter().enumerate() {
                if seen.insert(id) {
                    asked.push((batches.len(), position));
                    ids.push(*id);
                }
            }
            batches.push(batch);
            hashed = if ids.len() < QUESTION_IDS { flow.hashed.try_pop() } else { None };
        }
        if let Some(Hashed::Flush) = hashed {
            flush = true;
        }
        did(ids.len(), 0);
        if !ids.is_empty() {
            for some in ids.chunks(transport::message::IDS_MAX) {
                link.ask(&AskBatch { chunks: join_ids(some.iter().map(ChunkId::bytes)), nodes: Vec::new() })?;
            }
        }
        if !batches.is_empty() && waiting.push(Waiting::Question { batches, asked }).is_err() {
            return Ok(());
        }
        if flush && waiting.push(Waiting::Flush).is_err() {
            return Ok(());
        }
        next = flow.hashed.pop();
    }
    waiting.close();
    Ok(())
}

/// A box that is being filled.
#[derive(Default)]
struct OpenBox {
    plain: Vec<u8>,
    ids: Vec<ChunkId>,
    lengths: Vec<u32>,
    held: Held,
}

/// Takes answers and fills boxes: one for ordinary chunks, one for pages of page-structured files.
pub fn fill_boxes(flow: &Flow<'_>, link: &Uplink, waiting: &Queue<Waiting>) -> Result<()> {
    let mut open = OpenBox::default();
    let mut pages = OpenBox::default();
    let mut ahead = Ahead::default();
    while let Some(next) = waiting.pop() {
        match next {
            Waiting::Flush => {
                open.close(flow);
                pages.close(flow);
            }
            Waiting::Question { batches, asked } => {
                let bytes = batches.iter().map(|batch| batch.plain.len()).sum();
                let lacking = ahead.lacking((asked.len(), bytes), link.is_far(), |ids| answers(link, ids))?;
                let mut wanted: Vec<Vec<usize>> = batches.iter().map(|_| Vec::new()).collect();
                for ((batch, position), lacking) in asked.into_iter().zip(lacking) {
                    if let (true, Some(wanted)) = (lacking, wanted.get_mut(batch)) {
                        wanted.push(position);
                    }
                }
                for (batch, wanted) in batches.into_iter().zip(wanted) {
                    did(batch.chunks.len(), batch.plain.len() as u64);
                    if wanted.is_empty() {
                        flow.counts.waiting_bytes.sub(batch.plain.len() as u64);
                        flow.buffers.give(batch.plain);
                    } else {
                        let target = if batch.pages { &mut pages } else { &mut open };
                        target.take(flow, batch, &wanted);
                    }
                }
            }
        }
    }
    open.close(flow);
    pages.close(flow);
    ahead.end(|ids| answers(link, ids))
}

/// The answers to one question, which may have gone out in several messages.
fn answers(link: &Uplink, count: usize) -> Result<Vec<bool>> {
    let mut lacking = Vec::with_capacity(count);
    while lacking.len() < count {
        let asked = (count - lacking.len()).min(transport::message::IDS_MAX);
        let answer = link.answer()?;
        let bits = from_bits(&answer.chunks, asked)
            .ok_or_else(|| Fault::new(Code::NetProtocol, "the server answered another question"))?;
        lacking.extend(bits);
    }
    Ok(lacking)
}

impl OpenBox {
    /// Takes the chunks of a batch that the vault lacks.
    fn take(&mut self, flow: &Flow<'_>, mut batch: Batch, wanted: &[usize]) {
        let bytes: usize = wanted.iter().filter_map(|at| batch.chunks.get(*at)).map(|(_, len)| *len as usize).sum();
        flow.counts.new_bytes.add(bytes as u64);
        flow.counts.waiting_bytes.sub(batch.plain.len().saturating_sub(bytes) as u64);
        if wanted.len() == batch.chunks.len() && (WHOLE_BOX_BYTES..=BOX_BYTES_MAX).contains(&bytes) {
            let (ids, lengths) = batch.chunks.iter().copied().unzip();
            let held = Held { permits: batch.permit.take().into_iter().collect(), tickets: vec![batch.ticket] };
            push(flow, SealJob::Box { plain: batch.plain, ids, lengths, held });
            return;
        }
        let mut wanted = wanted.iter().copied().peekable();
        let mut start = 0;
        for (position, (id, len)) in batch.chunks.iter().enumerate() {
            let end = start + *len as usize;
            if wanted.next_if_eq(&position).is_some() {
                let chunk = batch.plain.get(start..end).unwrap_or_default();
                if !self.ids.is_empty() && (self.plain.len() + chunk.len() > BOX_FILL || self.ids.len() >= ITEMS_MAX) {
                    self.held.tickets.push(flow.epochs.ticket_like(&batch.ticket));
                    self.close(flow);
                }
                if self.ids.is_empty() {
                    self.plain = flow.buffers.take(0);
                    // What the box holds is in the budget, as what the batch holds is; there are two open boxes at most.
                    self.held.permits.extend(batch.permit.take());
                }
                self.plain.extend_from_slice(chunk);
                self.ids.push(*id);
                self.lengths.push(*len);
            }
            start = end;
        }
        flow.buffers.give(batch.plain);
        self.held.tickets.push(batch.ticket);
        if self.plain.len() >= BOX_FILL {
            self.close(flow);
        }
    }

    /// Hands the box on.
    fn close(&mut self, flow: &Flow<'_>) {
        let OpenBox { plain, ids, lengths, held } = std::mem::take(self);
        if !ids.is_empty() {
            push(flow, SealJob::Box { plain, ids, lengths, held });
        }
    }
}

fn push(flow: &Flow<'_>, job: SealJob) {
    // A closed queue means that the run is ending; its reason is kept elsewhere.
    drop(flow.seals.push(job));
}
