//! An archive, read as a stream. Nothing of it is believed before its checksum was seen: what was made of a part is to
//! be thrown away when its end fails.

use std::io::{ErrorKind, Read};

use super::HASH_BYTES;
use super::head::{ARCHIVE_HEADER_BYTES, ArchiveHeader, PART_HEAD_BYTES, PartHead, PartKind};
use crate::error::{Error, Result};

/// Content that is handed over at once.
const PIECE_BYTES: usize = 256 << 10;

/// A piece of the content of a part; `None` at its end, with a checksum that fits.
pub type Content<'b> = Option<&'b [u8]>;

/// Reads one archive: [`next_part`](Self::next_part), then [`content`](Self::content) until its end, and so on until
/// there is none. An archive is whole when `next_part` gives none.
pub struct ArchiveReader<'r> {
    from: &'r mut dyn Read,
    header: ArchiveHeader,
    buffer: Vec<u8>,
    part: blake3::Hasher,
    left: u64,
    /// The part's checksum was seen.
    closed: bool,
    all: blake3::Hasher,
    parts: u64,
    before: Option<PartHead>,
    checksum: [u8; HASH_BYTES],
}

impl<'r> ArchiveReader<'r> {
    /// Reads the header.
    pub fn new(from: &'r mut dyn Read) -> Result<Self> {
        let mut bytes = [0; ARCHIVE_HEADER_BYTES];
        fill(from, &mut bytes)?;
        let header = ArchiveHeader::decode(&bytes)?;
        let mut all = blake3::Hasher::new();
        all.update(&bytes);
        Ok(Self {
            from,
            header,
            buffer: vec![0; PIECE_BYTES],
            part: blake3::Hasher::new(),
            left: 0,
            closed: true,
            all,
            parts: 0,
            before: None,
            checksum: [0; HASH_BYTES],
        })
    }

    /// What it says of itself.
    #[must_use]
    pub fn header(&self) -> &ArchiveHeader {
        &self.header
    }

    /// The head of the next part; `None` at the end of a whole archive. Kinds stand in their order, links, bodies and
    /// packs each in ascending order of their names.
    pub fn next_part(&mut self) -> Result<Option<PartHead>> {
        if !self.closed {
            return Err(damaged("a part was not read to its end"));
        }
        let mut bytes = [0; PART_HEAD_BYTES];
        fill(self.from, &mut bytes)?;
        let head = PartHead::decode(&bytes)?;
        self.part.reset().update(&bytes);
        self.left = head.len;
        self.closed = false;
        let in_order = match &self.before {
            None => head.kind == PartKind::Account,
            Some(before) => (before.kind, before.number, before.id) < (head.kind, head.number, head.id),
        };
        if !in_order || (head.kind == PartKind::Account && self.before.is_some()) {
            return Err(damaged("its parts are not in order"));
        }
        if head.kind != PartKind::End {
            self.before = Some(head);
            return Ok(Some(head));
        }
        let (all, parts) = (*self.all.finalize().as_bytes(), self.parts);
        let mut said = Vec::with_capacity(HASH_BYTES);
        while let Some(piece) = self.content()? {
            said.extend_from_slice(piece);
        }
        if head.number != parts || said != all {
            return Err(damaged("its end does not fit it"));
        }
        if read(self.from, &mut [0])? != 0 {
            return Err(damaged("something follows its end"));
        }
        Ok(None)
    }

    /// The checksum of the part that was read last to its end.
    #[must_use]
    pub fn checksum(&self) -> [u8; HASH_BYTES] {
        self.checksum
    }

    /// The next piece of the part's content.
    pub fn content(&mut self) -> Result<Content<'_>> {
        if self.left > 0 {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let room = self.buffer.get_mut(..most).unwrap_or_default();
            let got = read(self.from, room)?;
            if got == 0 {
                return Err(cut());
            }
            self.left = self.left.saturating_sub(got as u64);
            let piece = self.buffer.get(..got).unwrap_or_default();
            self.part.update(piece);
            return Ok(Some(piece));
        }
        if !self.closed {
            let mut hash = [0; HASH_BYTES];
            fill(self.from, &mut hash)?;
            if *self.part.finalize().as_bytes() != hash {
                return Err(damaged("the checksum of a part is wrong"));
            }
            self.all.update(&hash);
            self.checksum = hash;
            self.parts += 1;
            self.closed = true;
        }
        Ok(None)
    }
}

fn damaged(why: &'static str) -> Error {
    Error::damaged("archive", why)
}

fn cut() -> Error {
    damaged("it ends too early")
}

fn read(from: &mut dyn Read, out: &mut [u8]) -> Result<usize> {
    loop {
        match from.read(out) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::disk("read", "the archive", e)),
            Ok(got) => return Ok(got),
        }
    }
}

fn fill(from: &mut dyn Read, mut out: &mut [u8]) -> Result<()> {
    while !out.is_empty() {
        match read(from, out)? {
            0 => return Err(cut()),
            got => out = out.get_mut(got..).unwrap_or_default(),
        }
    }
    Ok(())
}
