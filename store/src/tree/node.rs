//! A node of any kind, from and to its plain encoding.

use crate::error::Result;
use crate::id::{ContentId, NodeId};
use crate::record::Refs;

use super::columns::{NodeKind, open};
use super::entry::{Content, Entry, Piece, What};
use super::index::IndexChild;
use super::list::ListChild;
use super::{index, list, page};

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a node lives for a moment and there is one root in a source")]
pub enum Node {
    /// Entries of a directory, or of one page of a large one.
    Page(Vec<Entry>),
    /// The pages of a large directory, or indexes of them.
    Index(Vec<IndexChild>),
    /// Pieces of a huge file.
    Pieces(Vec<Piece>),
    /// The pages of pieces of a huge file, or indexes of them.
    ListIndex(Vec<ListChild>),
    /// A source itself.
    Root(Entry),
}

impl Node {
    /// The nodes that it leads to, and what each is said to be.
    #[must_use]
    pub fn children(&self) -> Vec<(NodeId, ContentId)> {
        match self {
            Self::Page(entries) => entries.iter().filter_map(below).collect(),
            Self::Index(children) => children.iter().map(|child| (child.node, child.content)).collect(),
            Self::Pieces(_) => Vec::new(),
            Self::ListIndex(children) => children.iter().map(|child| (child.node, child.content)).collect(),
            Self::Root(entry) => below(entry).into_iter().collect(),
        }
    }
}

/// The node below an entry: a directory's, or a huge file's.
fn below(entry: &Entry) -> Option<(NodeId, ContentId)> {
    match &entry.what {
        What::Dir(child) => Some((child.node, child.content)),
        What::File { content: Content::List { node, content }, .. } => Some((*node, *content)),
        _ => None,
    }
}

/// The node with these references and this plain encoding. The id is the caller's to compare.
///
/// Accepts exactly what [`encode`] gives, and columns besides that need not be understood.
///
/// # Errors
/// *Damaged* or *limit* when the bytes break a rule of FORMAT.md, chapter 5; *newer* when they need a newer program.
pub fn decode(refs: &Refs, plain: &[u8]) -> Result<Node> {
    let (kind, body) = open(plain)?;
    Ok(match kind {
        NodeKind::Page => Node::Page(page::decode(refs, body)?),
        NodeKind::Index => Node::Index(index::decode(refs, body)?),
        NodeKind::Pieces => Node::Pieces(list::decode(refs, body)?),
        NodeKind::ListIndex => Node::ListIndex(list::decode_index(refs, body)?),
        NodeKind::Root => Node::Root(page::decode_root(refs, body)?),
    })
}

/// References and plain encoding of a node. What it holds is not checked: [`DirBuilder`](super::DirBuilder),
/// [`ListBuilder`](super::ListBuilder) and [`build_root`](super::build_root) do that.
#[must_use]
pub fn encode(node: &Node) -> (Refs, Vec<u8>) {
    match node {
        Node::Page(entries) => page::encode(NodeKind::Page, entries),
        Node::Index(children) => index::encode(children),
        Node::Pieces(pieces) => list::encode(pieces),
        Node::ListIndex(children) => list::encode_index(children),
        Node::Root(entry) => page::encode(NodeKind::Root, std::slice::from_ref(entry)),
    }
}
