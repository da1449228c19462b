//! A file's content: references and their ordinals, pieces, the content column (FORMAT.md, 5.1 and 5.2).

use std::collections::HashMap;
use std::hash::Hash;

use crate::codec::{Reader, put_string, put_varint, put_zigzag};
use crate::error::{Error, Result};
use crate::id::{ChunkId, ContentId, NodeId};
use crate::limits::{CHUNK_BYTES_MAX, INLINE_BYTES_MAX, PIECES_INLINE_MAX};
use crate::record::Refs;

use super::entry::{Content, Piece};

const EMPTY: u8 = 0;
const INLINE: u8 = 1;
const CHUNK: u8 = 2;
const PIECES: u8 = 3;
const LIST: u8 = 4;

const DATA: u64 = 0;
const HOLE: u64 = 1;
const ZEROS: u64 = 2;

/// Longest hole or run of zeros that is one piece: its length shares a varint with the type.
pub(super) const RUN_BYTES_MAX: u64 = u64::MAX >> 2;
/// Largest file: what systems can name with a signed offset.
pub(super) const FILE_BYTES_MAX: u64 = u64::MAX >> 1;

/// Numbers ids in order of first use.
#[derive(Debug)]
pub(super) struct Numbering<Id> {
    /// Every id once.
    pub(super) ids: Vec<Id>,
    places: HashMap<Id, usize>,
}

impl<Id: Copy + Eq + Hash> Numbering<Id> {
    pub(super) fn new(expected: usize) -> Self {
        Self { ids: Vec::with_capacity(expected), places: HashMap::with_capacity(expected) }
    }

    /// Writes the id's ordinal; says whether it is another than the next.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, id: Id) -> bool {
        let next = self.ids.len();
        let place = *self.places.entry(id).or_insert(next);
        if place == next {
            self.ids.push(id);
        }
        // A node has far fewer references than i64 has numbers.
        put_zigzag(out, -i64::try_from(next - place).unwrap_or(i64::MAX));
        place != next
    }
}

/// Reads ordinals and holds them against the references: numbered in order of first use, all used.
#[derive(Debug)]
pub(super) struct Numbered<'a, Id> {
    ids: &'a [Id],
    next: usize,
}

impl<'a, Id: Copy> Numbered<'a, Id> {
    fn new(ids: &'a [Id]) -> Self {
        Self { ids, next: 0 }
    }

    pub(super) fn read(&mut self, r: &mut Reader<'_>) -> Result<Id> {
        let difference = r.zigzag()?;
        self.at(difference)
    }

    /// The id at this difference to the ordinal expected next.
    pub(super) fn at(&mut self, difference: i64) -> Result<Id> {
        let back = usize::try_from(difference.checked_neg().unwrap_or(-1)).ok();
        let place = back.and_then(|back| self.next.checked_sub(back));
        let id = place.and_then(|place| self.ids.get(place));
        if difference == 0 {
            self.next += 1;
        }
        id.copied().ok_or_else(|| Error::damaged("node", "an ordinal is outside the references"))
    }

    fn end(&self) -> Result<()> {
        if self.next == self.ids.len() { Ok(()) } else { Err(Error::damaged("node", "a reference is not used")) }
    }
}

/// The references of a node that is being read.
#[derive(Debug)]
pub(super) struct References<'a> {
    pub(super) chunks: Numbered<'a, ChunkId>,
    pub(super) nodes: Numbered<'a, NodeId>,
}

impl<'a> References<'a> {
    /// Refuses references with repetitions.
    pub(super) fn new(refs: &'a Refs) -> Result<Self> {
        if repeats(&refs.chunks, |id| *id.bytes()) || repeats(&refs.nodes, |id| *id.bytes()) {
            return Err(Error::damaged("node", "a reference stands there twice"));
        }
        Ok(Self { chunks: Numbered::new(&refs.chunks), nodes: Numbered::new(&refs.nodes) })
    }

    /// Asserts that each was used.
    pub(super) fn end(&self) -> Result<()> {
        self.chunks.end()?;
        self.nodes.end()
    }
}

/// Whether an id stands there twice. Looks at whole ids only when their beginnings are equal.
fn repeats<Id>(ids: &[Id], bytes: impl Fn(&Id) -> [u8; 32]) -> bool {
    fn sorted_has_pair<T: Ord>(mut of: Vec<T>) -> bool {
        of.sort_unstable();
        of.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    }
    let beginning = |id: &Id| {
        let [a, b, c, d, e, f, g, h, ..] = bytes(id);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    };
    ids.len() > 1
        && sorted_has_pair(ids.iter().map(beginning).collect())
        && sorted_has_pair(ids.iter().map(bytes).collect())
}

/// Refuses pieces that are empty or too long.
pub(super) fn check_piece(piece: &Piece) -> Result<()> {
    let most = match piece {
        Piece::Data { .. } => CHUNK_BYTES_MAX as u64,
        Piece::Hole(_) | Piece::Zeros(_) => RUN_BYTES_MAX,
    };
    match piece.len() {
        0 => Err(Error::damaged("node", "a piece is empty")),
        found if found > most => Err(Error::Limit { what: "bytes of a piece", found, most }),
        _ => Ok(()),
    }
}

/// Bytes of all pieces together, each of them good.
pub(super) fn check_pieces(pieces: &[Piece]) -> Result<u64> {
    let mut sum = 0u64;
    for piece in pieces {
        check_piece(piece)?;
        // Cannot wrap: each piece is below 2^62, and what has been added is at most 2^63 - 1.
        sum += piece.len();
        if sum > FILE_BYTES_MAX {
            return Err(Error::Limit { what: "bytes of a file", found: sum, most: FILE_BYTES_MAX });
        }
    }
    Ok(sum)
}

/// Refuses content that is not as long as its file or not in its one form.
pub(super) fn check_content(content: &Content, size: u64) -> Result<()> {
    let damaged = |why| Err(Error::damaged("node", why));
    let len = match content {
        Content::Empty => 0,
        Content::Inline(bytes) if (1..=INLINE_BYTES_MAX).contains(&bytes.len()) => bytes.len() as u64,
        Content::Inline(_) => return damaged("content in line has a wrong length"),
        Content::Chunk(_) if (1..=CHUNK_BYTES_MAX as u64).contains(&size) => size,
        Content::Chunk(_) => return damaged("one chunk cannot be as long as its file"),
        Content::Pieces(pieces) if matches!(pieces.as_slice(), [Piece::Data { .. }]) => {
            return damaged("content of one chunk is written as pieces");
        }
        Content::Pieces(pieces) if (1..=PIECES_INLINE_MAX).contains(&pieces.len()) => check_pieces(pieces)?,
        Content::Pieces(_) => return damaged("an entry has no pieces, or too many"),
        Content::List { .. } => size,
    };
    if len != size {
        return damaged("content is not as long as its file");
    }
    if size > FILE_BYTES_MAX {
        return Err(Error::Limit { what: "bytes of a file", found: size, most: FILE_BYTES_MAX });
    }
    Ok(())
}

pub(super) fn put_piece(out: &mut Vec<u8>, piece: &Piece, chunks: &mut Numbering<ChunkId>) {
    let (kind, id) = match piece {
        Piece::Data { id, .. } => (DATA, Some(*id)),
        Piece::Hole(_) => (HOLE, None),
        Piece::Zeros(_) => (ZEROS, None),
    };
    put_varint(out, piece.len() << 2 | kind);
    if let Some(id) = id {
        chunks.put(out, id);
    }
}

pub(super) fn read_piece(r: &mut Reader<'_>, chunks: &mut Numbered<'_, ChunkId>) -> Result<Piece> {
    let head = r.varint()?;
    let len = head >> 2;
    match head & 3 {
        DATA => {
            let len = u32::try_from(len).map_err(|_| r.damaged("a piece is longer than any chunk"))?;
            Ok(Piece::Data { id: chunks.read(r)?, len })
        }
        HOLE => Ok(Piece::Hole(len)),
        ZEROS => Ok(Piece::Zeros(len)),
        other => Err(Error::Newer { what: "node's piece", found: u32::from(other.to_le_bytes()[0]) }),
    }
}

/// Writes the content column's value; says whether it is another than "empty".
pub(super) fn put_content(
    out: &mut Vec<u8>,
    content: &Content,
    chunks: &mut Numbering<ChunkId>,
    nodes: &mut Numbering<NodeId>,
) -> bool {
    match content {
        Content::Empty => out.push(EMPTY),
        Content::Inline(bytes) => {
            out.push(INLINE);
            put_string(out, bytes);
        }
        Content::Chunk(id) => {
            out.push(CHUNK);
            chunks.put(out, *id);
        }
        Content::Pieces(pieces) => {
            out.push(PIECES);
            put_varint(out, pieces.len() as u64);
            for piece in pieces {
                put_piece(out, piece, chunks);
            }
        }
        Content::List { node, .. } => {
            out.push(LIST);
            nodes.put(out, *node);
        }
    }
    !matches!(content, Content::Empty)
}

/// Reads the content column's value; a list's content id stands in a column of its own.
pub(super) fn read_content(
    r: &mut Reader<'_>,
    list_content_ids: &mut Reader<'_>,
    refs: &mut References<'_>,
) -> Result<Content> {
    Ok(match r.u8()? {
        EMPTY => Content::Empty,
        INLINE => Content::Inline(r.string(INLINE_BYTES_MAX)?.into()),
        CHUNK => Content::Chunk(refs.chunks.read(r)?),
        PIECES => {
            let count = r.count(1)?;
            if count > PIECES_INLINE_MAX {
                return Err(r.damaged("an entry has too many pieces"));
            }
            let mut pieces = Vec::with_capacity(count);
            for _ in 0..count {
                pieces.push(read_piece(r, &mut refs.chunks)?);
            }
            Content::Pieces(pieces)
        }
        LIST => Content::List { node: refs.nodes.read(r)?, content: ContentId::new(list_content_ids.array()?) },
        other => return Err(Error::Newer { what: "node's content form", found: other.into() }),
    })
}
