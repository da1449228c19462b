//! Makes a file's content from its pieces: in the entry, or as a tree of list pages (FORMAT.md, 5.2).

use crate::error::{Error, Result};
use crate::id::{ChunkId, NodeId};
use crate::limits::PIECES_INLINE_MAX;
use crate::seal::TreeKeys;

use super::build::Sink;
use super::built::{Built, Indexes, Levels};
use super::content::{FILE_BYTES_MAX, RUN_BYTES_MAX, check_piece};
use super::entry::{Content, CutClass, Piece, Totals};
use super::list::{self, LIST_CHILDREN_MAX, LIST_PIECES_MAX, ListChild};

/// Fewest pieces of a page before a chunk id may end it, and the bits of the id that are zero there.
const PIECES_MIN: usize = 128;
const PIECES_MASK: u64 = 0x1ff;
/// The same for the children of an index and their node ids.
const CHILDREN_MIN: usize = 64;
const CHILDREN_MASK: u64 = 0xff;
/// Pieces of a fixed class in the window of a page, and windows of one level in one of the next: 2^10.
const WINDOW_BITS: u32 = 10;

/// Makes the content of one file from its pieces in order.
///
/// Joins adjacent holes and adjacent zeros. Holds at most 64 pieces, or one page and one index for each level.
#[derive(Debug)]
pub struct ListBuilder {
    keys: TreeKeys,
    cut: PageCut,
    /// A hole or zeros that the next piece may make longer.
    run: Option<Piece>,
    page: Vec<Piece>,
    /// Bytes of all pieces taken.
    size: u64,
    /// Bytes of the pieces in pages and in the open page.
    position: u64,
    paged: bool,
    levels: Levels<ListChild>,
}

/// Where pages and indexes end.
#[derive(Clone, Copy, Debug)]
enum PageCut {
    /// At windows of the file: for pieces of 2^`piece_bits` bytes.
    Windows { piece_bits: u32 },
    /// Where ids have zero bits.
    Ids,
}

impl ListBuilder {
    /// A builder of one file's content.
    #[must_use]
    pub fn new(keys: &TreeKeys, cut: CutClass) -> Self {
        let cut = match cut {
            CutClass::Fixed16 => PageCut::Windows { piece_bits: 14 },
            CutClass::Fixed32 => PageCut::Windows { piece_bits: 15 },
            CutClass::Fixed64 => PageCut::Windows { piece_bits: 16 },
            CutClass::Whole | CutClass::Cdc | CutClass::CdcLarge => PageCut::Ids,
        };
        Self {
            keys: keys.clone(),
            cut,
            run: None,
            page: Vec::new(),
            size: 0,
            position: 0,
            paged: false,
            levels: Levels::new(),
        }
    }

    /// Bytes of all pieces taken so far: the size of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// *Damaged* or *limit* when the piece is empty or too long or the file becomes longer than 2^63 - 1 bytes; the
    /// builder is then as it was. Errors of the sink end the content.
    pub fn push(&mut self, piece: Piece, sink: Sink<'_>) -> Result<()> {
        check_piece(&piece)?;
        let size = self.size.saturating_add(piece.len());
        if size > FILE_BYTES_MAX {
            return Err(Error::Limit { what: "bytes of a file", found: size, most: FILE_BYTES_MAX });
        }
        self.size = size;
        let run = match (self.run.take(), piece) {
            (Some(Piece::Hole(a)), Piece::Hole(b)) => self.grow(a + b, Piece::Hole, sink)?,
            (Some(Piece::Zeros(a)), Piece::Zeros(b)) => self.grow(a + b, Piece::Zeros, sink)?,
            (before, piece) => {
                if let Some(before) = before {
                    self.accept(before, sink)?;
                }
                piece
            }
        };
        match run {
            Piece::Data { .. } => self.accept(run, sink)?,
            Piece::Hole(_) | Piece::Zeros(_) => self.run = Some(run),
        }
        Ok(())
    }

    /// Makes what is left. Gives the content for the file's entry, whose size is [`Self::size`].
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self, sink: Sink<'_>) -> Result<Content> {
        if let Some(run) = self.run.take() {
            self.accept(run, sink)?;
        }
        if !self.paged {
            return Ok(match self.page.as_slice() {
                [] => Content::Empty,
                [Piece::Data { id, .. }] => Content::Chunk(*id),
                _ => Content::Pieces(self.page),
            });
        }
        self.close_page(sink)?;
        let mut indexes = ListIndexes { keys: &self.keys, cut: self.cut, position: self.position, sink };
        match self.levels.finish(&mut indexes)? {
            Some(top) => Ok(Content::List { node: top.node, content: top.content }),
            None => Err(Error::damaged("list", "it was paged and has no page")),
        }
    }

    /// A run of this length; when it is too long for one piece, its beginning goes ahead.
    fn grow(&mut self, len: u64, run: fn(u64) -> Piece, sink: Sink<'_>) -> Result<Piece> {
        match len.checked_sub(RUN_BYTES_MAX) {
            None | Some(0) => Ok(run(len)),
            Some(rest) => {
                self.accept(run(RUN_BYTES_MAX), sink)?;
                Ok(run(rest))
            }
        }
    }

    fn accept(&mut self, piece: Piece, sink: Sink<'_>) -> Result<()> {
        if self.paged {
            return self.add(piece, sink);
        }
        self.page.push(piece);
        if self.page.len() > PIECES_INLINE_MAX {
            self.paged = true;
            for piece in std::mem::take(&mut self.page) {
                self.add(piece, sink)?;
            }
        }
        Ok(())
    }

    /// Takes a piece into the open page, and closes that when the piece ends it.
    fn add(&mut self, piece: Piece, sink: Sink<'_>) -> Result<()> {
        self.position += piece.len();
        self.page.push(piece);
        let len = self.page.len();
        let ends = match (self.cut, &piece) {
            _ if len >= LIST_PIECES_MAX => true,
            (PageCut::Windows { piece_bits }, _) => leaves_window(piece_bits, 0, self.position, piece.len()),
            (PageCut::Ids, Piece::Data { id, .. }) => len >= PIECES_MIN && chunk_number(id) & PIECES_MASK == 0,
            (PageCut::Ids, _) => false,
        };
        if ends { self.close_page(sink) } else { Ok(()) }
    }

    fn close_page(&mut self, sink: Sink<'_>) -> Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let bytes = self.page.iter().map(Piece::len).sum();
        let built = Built::new(&self.keys, list::encode(&self.page), list_totals(bytes), self.page.len() as u64)?;
        self.page.clear();
        let child = ListChild { node: built.id, content: built.content, bytes };
        sink(built)?;
        let mut indexes = ListIndexes { keys: &self.keys, cut: self.cut, position: self.position, sink };
        self.levels.add(child, &mut indexes)
    }
}

fn list_totals(bytes: u64) -> Totals {
    Totals { bytes, ..Totals::none() }
}

/// Whether what lies before `position`, `len` bytes long, begins in another window of this level than what follows.
fn leaves_window(piece_bits: u32, level: u8, position: u64, len: u64) -> bool {
    let bits = piece_bits + WINDOW_BITS * (u32::from(level) + 1);
    let window = |at: u64| at.checked_shr(bits).unwrap_or(0);
    window(position.saturating_sub(len)) != window(position)
}

fn first_number(bytes: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn chunk_number(id: &ChunkId) -> u64 {
    first_number(id.bytes())
}

fn node_number(id: &NodeId) -> u64 {
    first_number(id.bytes())
}

struct ListIndexes<'b> {
    keys: &'b TreeKeys,
    cut: PageCut,
    /// Where in the file the last page ends, and so every child that is taken now.
    position: u64,
    sink: Sink<'b>,
}

impl Indexes<ListChild> for ListIndexes<'_> {
    fn ends(&self, level: u8, len: usize, child: &ListChild) -> bool {
        match self.cut {
            _ if len >= LIST_CHILDREN_MAX => true,
            PageCut::Windows { piece_bits } => leaves_window(piece_bits, level, self.position, child.bytes),
            PageCut::Ids => len >= CHILDREN_MIN && node_number(&child.node) & CHILDREN_MASK == 0,
        }
    }

    fn index(&mut self, children: &[ListChild]) -> Result<ListChild> {
        // Bounded by the file's size.
        let bytes = children.iter().map(|child| child.bytes).sum();
        let built = Built::new(self.keys, list::encode_index(children), list_totals(bytes), children.len() as u64)?;
        let child = ListChild { node: built.id, content: built.content, bytes };
        (self.sink)(built)?;
        Ok(child)
    }
}
