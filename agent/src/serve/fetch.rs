//! Reading back: groups under roots, boxes by chunk.

use std::collections::HashSet;

use bytes::Bytes;
use store::activity::Activity;
use store::id::{ChunkId, NodeId};
use store::record::Record;
use store::vault::{Access, Domain};
use transport::message::{FetchBatch, Fetched, Under, decode, join_ids, split_ids};
use transport::{Call, Part};

use super::refuse::Refused;
use super::{Server, reply};
use crate::fault::{Code, Fault};
use crate::profile::{Wait, did, waiting};

/// Times that another place is looked for when one turns out to be damaged.
const PLACES_MAX: usize = 4;

impl Server {
    /// Every group under the roots, as far down as asked.
    pub fn under(&self, call: &Call, under: &Under) -> Result<(), Refused> {
        let (_, _, domain) = self.account(Access::Read)?;
        let bad = || Fault::new(Code::NetProtocol, "a request for nodes cannot be read");
        let roots = split_ids(&under.roots, NodeId::new).ok_or_else(bad)?;
        let known: HashSet<NodeId> = split_ids(&under.known, NodeId::new).ok_or_else(bad)?.into_iter().collect();
        if under.depth == Some(0) {
            for place in domain.groups_for(&roots)? {
                if let Ok(record) = domain.read(&place) {
                    send(call, record)?;
                }
            }
            return Ok(());
        }
        let mut lost = false;
        for root in roots {
            domain.groups_under(root, &|id| known.contains(id), &mut |record| {
                lost = lost || send(call, record).is_err();
                if lost { Err(store::Error::Busy { what: "the pipe".into() }) } else { Ok(()) }
            })?;
        }
        if lost { Err(Refused::Gone) } else { Ok(()) }
    }

    /// Boxes, batch after batch until the client ends.
    pub fn fetch(&self, call: &Call, first: FetchBatch) -> Result<(), Refused> {
        let (vault, account, domain) = self.account(Access::Read)?;
        let mut read = Read::default();
        let done = fetch_all(call, &domain, first, &mut read);
        if let Some(key) = self.keeper.session().filter(|_| read.boxes > 0 && vault.access() == Access::Write) {
            let now = self.clock.now_ms();
            // For people: nobody is refused what is theirs because it cannot be written down.
            let noted = |activity: &Activity| activity.add_fetched(account.number, &key, now, read.boxes, read.bytes);
            vault.activity(&account, noted).unwrap_or(());
        }
        done
    }
}

/// What a call was sent of content.
#[derive(Default)]
struct Read {
    boxes: u64,
    bytes: u64,
}

fn fetch_all(call: &Call, domain: &Domain, first: FetchBatch, read: &mut Read) -> Result<(), Refused> {
    let bad = || Fault::new(Code::NetProtocol, "a request for chunks cannot be read");
    let mut batch = first;
    loop {
        let wanted = batch.ids().ok_or_else(bad)?;
        let missing = send_boxes(call, domain, wanted, read)?;
        reply(call, Fetched { missing: join_ids(missing.iter().map(ChunkId::bytes)) })?;
        batch = match waiting(Wait::Input, || call.recv())? {
            Some(Part::Message(message)) => decode(&message).map_err(|_| bad())?,
            Some(Part::Data(_)) => return Err(bad().into()),
            None => return Ok(()),
        };
    }
}

/// Sends the boxes with these chunks in the order of the packs; gives what has no good place.
fn send_boxes(
    call: &Call,
    domain: &Domain,
    mut wanted: Vec<ChunkId>,
    read: &mut Read,
) -> Result<Vec<ChunkId>, Refused> {
    let mut missing = Vec::new();
    for _ in 0..PLACES_MAX {
        let boxes = domain.boxes_for(&wanted)?;
        missing.extend(boxes.missing);
        let mut sent: HashSet<ChunkId> = HashSet::new();
        let mut broken = false;
        for place in &boxes.places {
            match domain.read(place) {
                Ok(record) => {
                    sent.extend(record.chunk_ids()?);
                    let bytes = record.stored_len() as u64;
                    send(call, record)?;
                    read.boxes += 1;
                    read.bytes += bytes;
                }
                // Neither lost nor damaged: somebody has to bring a disk back.
                Err(error @ store::Error::Absent { .. }) => return Err(error.into()),
                Err(_) => broken = true,
            }
        }
        if !broken {
            return Ok(missing);
        }
        // What could not be read was noted as damaged, so the next look finds other places, or none.
        wanted.retain(|id| !sent.contains(id) && !missing.contains(id));
    }
    missing.extend(wanted);
    Ok(missing)
}

fn send(call: &Call, record: Record) -> Result<(), Refused> {
    did(1, record.wire_len() as u64);
    for piece in record.into_pieces() {
        waiting(Wait::Room, || call.send_data(Bytes::from(piece)))?;
    }
    Ok(())
}
