//! What a footer and a side file say about one record.

use super::STORED_BYTES_MAX;
use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::CipherHash;
use crate::limits::ITEMS_MAX;
use crate::record::{HEADER_BYTES, RecordKind};

/// Length of a line without ids.
pub(super) const LINE_BYTES_MIN: usize = 8 + 4 + 1 + 3 + CipherHash::BYTES + 4;

/// One record of a pack: where it is, what it must hash to, what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Of its first byte in the pack.
    pub offset: u64,
    /// Bytes that it takes there.
    pub length: u32,
    /// What it is.
    pub kind: RecordKind,
    /// BLAKE3 of these bytes.
    pub hash: CipherHash,
    /// Chunk ids of a box, node ids of a group; of unknown kinds whatever their writer put there.
    pub ids: Vec<[u8; 32]>,
}

impl Line {
    /// Offset of the first byte after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length.into())
    }

    /// Bytes of the line itself.
    pub(super) fn encoded_len(&self) -> usize {
        LINE_BYTES_MIN + 32 * self.ids.len()
    }

    /// Appends the line's bytes. It has at most `ITEMS_MAX` ids.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&[self.kind.number(), 0, 0, 0]);
        out.extend_from_slice(self.hash.bytes());
        out.extend_from_slice(&u32::try_from(self.ids.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(self.ids.as_flattened());
    }

    /// The next line; its length and count are within bounds, its place is not yet checked.
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (offset, length) = (r.u64()?, r.u32()?);
        let kind = RecordKind::from_number(r.u8()?);
        r.zeros(3)?;
        let hash = CipherHash::new(r.array()?);
        let items = r.u32()? as usize;
        if items > ITEMS_MAX {
            return Err(Error::Limit { what: "items of a record", found: items as u64, most: ITEMS_MAX as u64 });
        }
        let (ids, _) = r.bytes(items * 32)?.as_chunks::<32>();
        let line = Self { offset, length, kind, hash, ids: ids.to_vec() };
        line.check_length()?;
        Ok(line)
    }

    /// That a record can have this length at all, before room is made for it.
    pub(super) fn check_length(&self) -> Result<()> {
        if (self.length as usize) < HEADER_BYTES {
            return Err(Error::damaged("line of a record", "the record is shorter than a header"));
        }
        if self.length as usize > STORED_BYTES_MAX {
            let (found, most) = (self.length.into(), STORED_BYTES_MAX as u64);
            return Err(Error::Limit { what: "length of a record", found, most });
        }
        Ok(())
    }
}
