//! Pages of pieces of a huge file, and indexes of them (FORMAT.md, 5.1 and 5.2).

use crate::codec::Reader;
use crate::error::Result;
use crate::id::{ContentId, NodeId};
use crate::record::Refs;

use super::columns::{Columns, NodeKind, Writer, put_number, tag};
use super::content::{Numbering, References, check_pieces, put_piece, read_piece};
use super::entry::Piece;

/// Most pieces of a list page.
pub(super) const LIST_PIECES_MAX: usize = 2_048;
/// Most children of a list index.
pub(super) const LIST_CHILDREN_MAX: usize = 1_024;

/// A page of pieces, or an index of pages, of a huge file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListChild {
    /// Its node.
    pub node: NodeId,
    /// What it is, wherever it lies.
    pub content: ContentId,
    /// Bytes of the file that it stands for.
    pub bytes: u64,
}

/// The plain encoding of these pieces and what they refer to.
pub(super) fn encode(pieces: &[Piece]) -> (Refs, Vec<u8>) {
    let mut w = Writer::new(NodeKind::Pieces, pieces.len());
    let mut chunks = Numbering::new(pieces.len());
    w.dense(tag::PIECES, pieces, |out, piece| {
        put_piece(out, piece, &mut chunks);
        true
    });
    (Refs { chunks: chunks.ids, nodes: Vec::new() }, w.finish())
}

/// The pieces of a list page, at least one.
pub(super) fn decode(refs: &Refs, r: Reader<'_>) -> Result<Vec<Piece>> {
    let columns = Columns::read(r.clone(), LIST_PIECES_MAX, &[tag::PIECES])?;
    if columns.count == 0 {
        return Err(r.damaged("a list page has no pieces"));
    }
    let mut refs = References::new(refs)?;
    let mut column = columns.plain(tag::PIECES);
    let mut pieces = Vec::with_capacity(columns.count);
    for _ in 0..columns.count {
        pieces.push(read_piece(&mut column, &mut refs.chunks)?);
    }
    check_pieces(&pieces)?;
    refs.end()?;
    column.end()?;
    Ok(pieces)
}

/// The plain encoding of these children and what they refer to.
pub(super) fn encode_index(children: &[ListChild]) -> (Refs, Vec<u8>) {
    let mut w = Writer::new(NodeKind::ListIndex, children.len());
    let mut nodes = Numbering::new(children.len());
    w.content_ids(tag::CONTENT_ID, children.iter().map(|c| &c.content));
    w.dense(tag::CHILD, children, |out, c| nodes.put(out, c.node));
    w.dense(tag::BYTES_BELOW, children, |out, c| put_number(out, c.bytes));
    (Refs { chunks: Vec::new(), nodes: nodes.ids }, w.finish())
}

/// The children of a list index, at least one.
pub(super) fn decode_index(refs: &Refs, r: Reader<'_>) -> Result<Vec<ListChild>> {
    let known = [tag::CONTENT_ID, tag::CHILD, tag::BYTES_BELOW];
    let columns = Columns::read(r.clone(), LIST_CHILDREN_MAX, &known)?;
    if columns.count == 0 {
        return Err(r.damaged("an index has no children"));
    }
    let mut refs = References::new(refs)?;
    let mut content_ids = columns.plain(tag::CONTENT_ID);
    let mut nodes = columns.dense(tag::CHILD);
    let mut bytes = columns.dense(tag::BYTES_BELOW);
    let mut children = Vec::with_capacity(columns.count);
    for _ in 0..columns.count {
        let difference = nodes.value(0, |r| r.zigzag().map(|value| (value, value != 0)))?;
        children.push(ListChild {
            node: refs.nodes.at(difference)?,
            content: ContentId::new(content_ids.array()?),
            bytes: bytes.varint()?,
        });
    }
    refs.end()?;
    content_ids.end()?;
    for column in [nodes, bytes] {
        column.end()?;
    }
    Ok(children)
}
