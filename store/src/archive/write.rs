//! An archive, written as a stream.

use super::head::{ArchiveHeader, PartHead, PartKind};
use crate::error::{Error, Result};

/// Where bytes go.
type Out<'o> = &'o mut dyn FnMut(&[u8]) -> Result<()>;

/// Writes one archive: [`begin`](Self::begin), [`content`](Self::content) and [`end_part`](Self::end_part) for each
/// part, in the order of the format, then [`end`](Self::end).
pub struct ArchiveWriter<'o> {
    out: Out<'o>,
    /// Over the part that is open.
    part: blake3::Hasher,
    /// Content of it that is still to come.
    left: u64,
    /// Over the checksums of all parts.
    all: blake3::Hasher,
    parts: u64,
}

impl<'o> ArchiveWriter<'o> {
    /// Writes the header.
    pub fn new(header: &ArchiveHeader, out: Out<'o>) -> Result<Self> {
        let bytes = header.encode();
        out(&bytes)?;
        let mut all = blake3::Hasher::new();
        all.update(&bytes);
        Ok(Self { out, part: blake3::Hasher::new(), left: 0, all, parts: 0 })
    }

    /// Begins a part.
    pub fn begin(&mut self, head: &PartHead) -> Result<()> {
        let bytes = head.encode();
        self.part.reset().update(&bytes);
        self.left = head.len;
        (self.out)(&bytes)
    }

    /// Adds to its content.
    pub fn content(&mut self, bytes: &[u8]) -> Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(other_length)?;
        self.part.update(bytes);
        (self.out)(bytes)
    }

    /// Ends it: all that its head announced must have come.
    pub fn end_part(&mut self) -> Result<()> {
        if self.left != 0 {
            return Err(other_length());
        }
        let hash = self.part.finalize();
        self.all.update(hash.as_bytes());
        self.parts += 1;
        (self.out)(hash.as_bytes())
    }

    /// Ends the archive.
    pub fn end(mut self) -> Result<()> {
        let hash = *self.all.finalize().as_bytes();
        let (number, len) = (self.parts, hash.len() as u64);
        self.begin(&PartHead { kind: PartKind::End, number, id: [0; 32], len })?;
        self.content(&hash)?;
        self.end_part()
    }
}

fn other_length() -> Error {
    Error::damaged("part of an archive", "it is not as long as was said")
}
