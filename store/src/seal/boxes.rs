//! Boxes: runs of chunks, compressed once and sealed once.

use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::limits::{BOX_BYTES_MAX, CHUNK_BYTES_MAX, ITEMS_MAX};
use crate::record::{Record, RecordKind};

use super::compress::{Level, Scratch};
use super::sealer::{Sealer, bounded, open_record, seal_record};
use super::solid::Form;

const FORM: Form = Form { what: "box", body_max: BOX_BYTES_MAX, item_max: CHUNK_BYTES_MAX };

/// An opened box; every id has been computed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBox {
    /// The chunks, in order.
    pub ids: Vec<ChunkId>,
    /// Their lengths, in bytes.
    pub lengths: Vec<u32>,
    /// Their bytes, one after the other.
    pub plain: Vec<u8>,
}

impl OpenBox {
    /// The chunks with their bytes, in order.
    pub fn chunks(&self) -> impl Iterator<Item = (ChunkId, &[u8])> {
        let mut rest = self.plain.as_slice();
        self.ids.iter().zip(&self.lengths).map_while(move |(id, len)| {
            let (chunk, tail) = rest.split_at_checked(*len as usize)?;
            rest = tail;
            Some((*id, chunk))
        })
    }
}

impl Sealer {
    /// A box of at least one chunk. `plain` is the chunks one after the other; `ids` and `lengths` are theirs, in
    /// order. At most 4 MiB and 65,536 chunks; `padded` adds zeros inside the seal up to a Padmé length.
    pub fn seal_box(
        &self,
        scratch: &mut Scratch,
        ids: &[ChunkId],
        lengths: &[u32],
        plain: &[u8],
        level: Level,
        padded: bool,
    ) -> Result<Record> {
        if ids.len() != lengths.len() || ids.is_empty() {
            return Err(Error::damaged("box", "it needs an id and a length for each of its chunks"));
        }
        let (number, keys) = self.in_use()?;
        let mut header = self.draft(RecordKind::Box, number);
        header.items = bounded("chunks of a box", ids.len(), ITEMS_MAX)?;
        header.padded = padded;
        let lengths = lengths.iter().map(|len| *len as usize);
        let (codec, body) = FORM.close(scratch, lengths, plain, level, padded)?;
        header.codec = codec;
        let mut clear = Vec::with_capacity(ids.len() * ChunkId::BYTES);
        ids.iter().for_each(|id| clear.extend_from_slice(id.bytes()));
        let record = seal_record(&keys.boxes, header, clear, body, self.chance())?;
        scratch.trim();
        Ok(record)
    }

    /// Opens a box of this domain and computes every chunk's id again.
    pub fn open_box(&self, scratch: &mut Scratch, record: &Record) -> Result<OpenBox> {
        let keys = self.keys_for(record, RecordKind::Box, "box")?;
        let solid = open_record(&keys.boxes, record, &mut scratch.opened)?;
        let (codec, padded) = (record.header.codec, record.header.padded);
        let ids = record.chunk_ids()?;
        let (lengths, plain) = FORM.open(&mut scratch.decoder, codec, padded, ids.len(), solid)?;
        scratch.trim();
        let open = OpenBox { ids, lengths, plain };
        if open.chunks().any(|(id, chunk)| self.chunk_id(chunk) != id) {
            return Err(Error::damaged("box", "a chunk is not the one that its id names"));
        }
        Ok(open)
    }
}
