//! Footer and trailer: what is in a pack, and that it is all there.

use super::FOOTER_BYTES_MAX;
use super::header::PACK_HEADER_BYTES;
use super::line::{LINE_BYTES_MIN, Line};
use crate::codec::Reader;
use crate::error::{Error, Result};

pub(super) const FOOTER_MAGIC: [u8; 4] = *b"TBXF";
const TRAILER_MAGIC: [u8; 4] = *b"TBXT";

/// Length of a footer without lines.
pub(super) const FOOTER_BYTES_MIN: usize = 4 + 4;
/// Length of a trailer.
pub(super) const TRAILER_BYTES: usize = 64;

/// Footer and trailer of a pack with this header, whose lines end at byte `offset`.
pub(super) fn encode(header: &[u8; PACK_HEADER_BYTES], lines: &[Line], offset: u64) -> Vec<u8> {
    let count = u32::try_from(lines.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = Vec::new();
    out.extend_from_slice(&FOOTER_MAGIC);
    out.extend_from_slice(&count);
    for line in lines {
        line.encode(&mut out);
    }
    let trailer = Trailer { count, offset, length: out.len() as u64, hash: hash(header, &out) };
    out.extend_from_slice(&trailer.encode());
    out
}

/// BLAKE3 of header and footer.
fn hash(header: &[u8; PACK_HEADER_BYTES], footer: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header);
    hasher.update(footer);
    *hasher.finalize().as_bytes()
}

/// The last 64 bytes of a pack.
pub(super) struct Trailer {
    count: [u8; 4],
    /// Of the footer's first byte.
    pub(super) offset: u64,
    /// Bytes of the footer.
    pub(super) length: u64,
    hash: [u8; 32],
}

impl Trailer {
    fn encode(&self) -> [u8; TRAILER_BYTES] {
        let mut bytes = Vec::with_capacity(TRAILER_BYTES);
        bytes.extend_from_slice(&TRAILER_MAGIC);
        bytes.extend_from_slice(&self.count);
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.hash);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        let mut out = [0; TRAILER_BYTES];
        out.copy_from_slice(&bytes);
        out
    }

    /// The trailer of a pack of `pack_bytes`; the footer that it tells of stands just before it, after the header,
    /// and is not too long to be read.
    pub(super) fn decode(bytes: &[u8; TRAILER_BYTES], pack_bytes: u64) -> Result<Self> {
        let mut r = Reader::new("pack trailer", bytes);
        let body = r.bytes(TRAILER_BYTES - 4)?;
        if r.u32()? != crc32c::crc32c(body) {
            return Err(r.damaged("its checksum is wrong"));
        }
        let mut r = Reader::new("pack trailer", body);
        if r.array()? != TRAILER_MAGIC {
            return Err(r.damaged("its magic is wrong"));
        }
        let trailer = Self { count: r.array()?, offset: r.u64()?, length: r.u64()?, hash: r.array()? };
        r.zeros(4)?;
        let end = trailer.offset.checked_add(trailer.length).and_then(|end| end.checked_add(TRAILER_BYTES as u64));
        if end != Some(pack_bytes) || trailer.offset < PACK_HEADER_BYTES as u64 {
            return Err(r.damaged("the file has another length than it says"));
        }
        if trailer.length > FOOTER_BYTES_MAX as u64 {
            let (found, most) = (trailer.length, FOOTER_BYTES_MAX as u64);
            return Err(Error::Limit { what: "length of a pack's footer", found, most });
        }
        r.end()?;
        Ok(trailer)
    }

    /// The lines of this trailer's footer, which is the one that was written with this header; their records fill
    /// the pack from the header to the footer without gap or overlap.
    pub(super) fn lines(&self, header: &[u8; PACK_HEADER_BYTES], footer: &[u8]) -> Result<Vec<Line>> {
        let mut r = Reader::new("pack footer", footer);
        if hash(header, footer) != self.hash {
            return Err(r.damaged("header and footer are not the ones that were written"));
        }
        if r.array()? != FOOTER_MAGIC {
            return Err(r.damaged("its magic is wrong"));
        }
        let count = r.array()?;
        if count != self.count {
            return Err(r.damaged("the trailer counts other records"));
        }
        let count = u32::from_le_bytes(count) as usize;
        if count > r.remaining() / LINE_BYTES_MIN {
            return Err(r.damaged("it counts more records than it has lines"));
        }
        let mut lines = Vec::with_capacity(count);
        let mut end = PACK_HEADER_BYTES as u64;
        for _ in 0..count {
            let line = Line::decode(&mut r)?;
            if line.offset != end {
                return Err(r.damaged("a record does not begin where the one before ends"));
            }
            end = line.end();
            lines.push(line);
        }
        if end != self.offset {
            return Err(r.damaged("the records do not end where it begins"));
        }
        r.end()?;
        Ok(lines)
    }
}
