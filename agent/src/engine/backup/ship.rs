//! Fifth stage: hands sealed records to the uplink, in the order in which they were sealed.

use store::record::RecordKind;
use store::seal::Scratch;

use super::flow::Flow;
use crate::engine::uplink::Uplink;
use crate::fault::{Code, Fault, Result};
use crate::profile::did;

/// One sealed record in so many is opened again before it is sent: memory that flips bits is noticed while the
/// source is still there.
const REOPENED: u64 = 64;

/// Ships until no record is left. Without an uplink (a dry run) records end here.
pub fn ship(flow: &Flow<'_>, link: Option<&Uplink>) -> Result<()> {
    let mut scratch = Scratch::new();
    let mut count = 0_u64;
    while let Some(parting) = flow.ship.pop() {
        if count.is_multiple_of(REOPENED) {
            reopen(flow, &mut scratch, &parting.record)?;
        }
        count += 1;
        let stored = parting.record.stored_len() as u64;
        did(1, stored);
        flow.counts.shipping_bytes.sub(stored);
        if let Some(link) = link {
            let group = (parting.record.header.kind == RecordKind::Group).then(|| parting.record.clone());
            link.put(parting.record)?;
            if let Some(group) = group {
                flow.nodes.add(&group)?;
            }
        }
        drop(parting.tickets);
    }
    Ok(())
}

fn reopen(flow: &Flow<'_>, scratch: &mut Scratch, record: &store::record::Record) -> Result<()> {
    let opened = match record.header.kind {
        RecordKind::Box => flow.sealer.open_box(scratch, record).map(|_| ()),
        _ => flow.sealer.open_group(scratch, record).map(|_| ()),
    };
    opened.map_err(|error| {
        Fault::new(
            Code::DataDamaged,
            "what was just sealed does not open again; this machine's memory or processor is faulty",
        )
        .because(error)
        .hint("test the memory of this machine; nothing wrong was stored")
    })
}
