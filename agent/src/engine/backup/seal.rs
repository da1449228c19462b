//! Fourth stage: compresses and seals boxes and groups, on all cores.

use store::seal::{Level, Scratch};

use super::flow::{Flow, Parting, SealJob};
use crate::fault::Result;
use crate::profile::did;

/// How boxes are compressed.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Compression.
    pub level: Level,
    /// Whether lengths are rounded up to Padmé lengths.
    pub padded: bool,
}

/// Seals until no job is left.
pub fn seal(flow: &Flow<'_>, style: Style) -> Result<()> {
    let mut scratch = Scratch::new();
    while let Some(job) = flow.seals.pop() {
        let parting = match job {
            SealJob::Box { plain, ids, lengths, held } => {
                let record = flow.sealer.seal_box(&mut scratch, &ids, &lengths, &plain, style.level, style.padded)?;
                did(1, plain.len() as u64);
                // Where it is next, before it leaves here: nothing seems to be through meanwhile.
                flow.counts.boxed_bytes.add(record.stored_len() as u64);
                flow.counts.shipping_bytes.add(record.stored_len() as u64);
                flow.counts.sealed_bytes.add(plain.len() as u64);
                flow.counts.waiting_bytes.sub(plain.len() as u64);
                flow.buffers.give(plain);
                drop(held.permits);
                Parting { record, tickets: held.tickets }
            }
            SealJob::Group { nodes, ticket } => {
                did(1, nodes.iter().map(|(.., plain)| plain.len() as u64).sum());
                let record = flow.sealer.seal_group(&mut scratch, &nodes, style.padded)?;
                flow.counts.shipping_bytes.add(record.stored_len() as u64);
                Parting { record, tickets: vec![ticket] }
            }
        };
        if flow.ship.push(parting).is_err() {
            break;
        }
    }
    Ok(())
}
