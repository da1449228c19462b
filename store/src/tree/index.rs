//! A directory index: the pages of a large directory by their first names (FORMAT.md, 5.1 and 5.2).

use crate::codec::Reader;
use crate::error::Result;
use crate::id::{ContentId, NodeId};
use crate::record::Refs;

use super::check::check_totals;
use super::columns::{Columns, NodeKind, Writer, put_number, read_totals, tag};
use super::content::{Numbering, References};
use super::entry::Totals;

/// Most children of an index.
pub(super) const INDEX_CHILDREN_MAX: usize = 1_024;

const KNOWN: [u8; 5] = [tag::NAME, tag::TOTALS, tag::CONTENT_ID, tag::CHILD, tag::ENTRIES_BELOW];

/// A page, or an index of pages, of a large directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexChild {
    /// The first name in it or below it.
    pub first: Box<[u8]>,
    /// Its node.
    pub node: NodeId,
    /// What it is, wherever it lies.
    pub content: ContentId,
    /// Sums over its entries and all below them.
    pub totals: Totals,
    /// Entries of the directory in it or below it (not those of subdirectories).
    pub entries: u64,
}

/// The plain encoding of these children and what they refer to.
pub(super) fn encode(children: &[IndexChild]) -> (Refs, Vec<u8>) {
    let mut w = Writer::new(NodeKind::Index, children.len());
    let mut nodes = Numbering::new(children.len());
    w.names(children.iter().map(|c| &*c.first));
    w.totals(children.iter().map(|c| &c.totals));
    w.content_ids(tag::CONTENT_ID, children.iter().map(|c| &c.content));
    w.dense(tag::CHILD, children, |out, c| nodes.put(out, c.node));
    w.dense(tag::ENTRIES_BELOW, children, |out, c| put_number(out, c.entries));
    (Refs { chunks: Vec::new(), nodes: nodes.ids }, w.finish())
}

/// The children of an index, at least one.
pub(super) fn decode(refs: &Refs, r: Reader<'_>) -> Result<Vec<IndexChild>> {
    let columns = Columns::read(r.clone(), INDEX_CHILDREN_MAX, &KNOWN)?;
    if columns.count == 0 {
        return Err(r.damaged("an index has no children"));
    }
    let mut refs = References::new(refs)?;
    let mut names = columns.names();
    let mut totals = columns.dense(tag::TOTALS);
    let mut content_ids = columns.plain(tag::CONTENT_ID);
    let mut nodes = columns.dense(tag::CHILD);
    let mut entries = columns.dense(tag::ENTRIES_BELOW);
    let mut children = Vec::with_capacity(columns.count);
    for _ in 0..columns.count {
        let difference = nodes.value(0, |r| r.zigzag().map(|value| (value, value != 0)))?;
        let child = IndexChild {
            first: names.next()?,
            node: refs.nodes.at(difference)?,
            content: ContentId::new(content_ids.array()?),
            totals: read_totals(&mut totals)?,
            entries: entries.varint()?,
        };
        check_totals(&child.totals)?;
        children.push(child);
    }
    refs.end()?;
    names.end()?;
    content_ids.end()?;
    for column in [totals, nodes, entries] {
        column.end()?;
    }
    Ok(children)
}
