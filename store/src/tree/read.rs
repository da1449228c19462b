//! Reads directories and contents through their trees of pages, one page and one index a level at a time.

use std::vec;

use crate::error::{Error, Result};
use crate::id::{ContentId, NodeId};

use super::content::check_content;
use super::entry::{Content, Entry, Piece};
use super::index::IndexChild;
use super::list::ListChild;
use super::look::Looks;
use super::node::Node;

/// Most indexes above a page. Each has 64 children or more but for the last of a level, so 11 hold 2^64 entries.
const DEPTH_MAX: usize = 12;

/// Gives nodes by their ids: a cache, a connection. What it gives must have that id.
pub trait NodeSource: Sync {
    /// The node of this id.
    ///
    /// # Errors
    /// *Not found* when it is not there, and whatever else keeps it from being read.
    fn node(&self, id: &NodeId) -> Result<Node>;

    /// What a scan compares of the page of this id, put into `looks` in place of what is there; any other node as it is.
    ///
    /// # Errors
    /// As [`node`](Self::node).
    fn look(&self, id: &NodeId, looks: &mut Looks) -> Result<Option<Node>> {
        Ok(looks.take_in(self.node(id)?))
    }
}

pub(super) fn damaged<T>(why: &'static str) -> Result<T> {
    Err(Error::damaged("directory", why))
}

/// A node to be opened, and the names that it may hold: from `first`, which it has, up to `end`, which it has not.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) node: NodeId,
    first: Option<Box<[u8]>>,
    end: Option<Box<[u8]>>,
}

impl Span {
    fn whole(top: NodeId) -> Self {
        Self { node: top, first: None, end: None }
    }

    /// Asserts that sorted names, those of a page or the first ones of an index, lie in it.
    fn check(&self, first: Option<&[u8]>, last: Option<&[u8]>) -> Result<()> {
        if self.first.is_some() && self.first.as_deref() != first {
            return damaged("a page does not begin with the name that its index says");
        }
        match (&self.end, last) {
            (Some(end), Some(last)) if last >= &**end => damaged("a page has names of the next"),
            _ => Ok(()),
        }
    }

    /// Looks at the page; gives the children of an index.
    pub(super) fn look(&self, source: &dyn NodeSource, looks: &mut Looks) -> Result<Option<Vec<IndexChild>>> {
        match source.look(&self.node, looks)? {
            None => {
                self.check(looks.name(0), looks.len().checked_sub(1).and_then(|last| looks.name(last)))?;
                Ok(None)
            }
            Some(Node::Index(children)) => {
                self.check(children.first().map(|c| &*c.first), children.last().map(|c| &*c.first))?;
                Ok(Some(children))
            }
            Some(_) => damaged("a node of another kind stands where a page must be"),
        }
    }

    fn open(&self, source: &dyn NodeSource) -> Result<Opened> {
        match source.node(&self.node)? {
            Node::Page(entries) => {
                self.check(entries.first().map(|e| &*e.name), entries.last().map(|e| &*e.name))?;
                Ok(Opened::Page(entries))
            }
            Node::Index(children) => {
                self.check(children.first().map(|c| &*c.first), children.last().map(|c| &*c.first))?;
                Ok(Opened::Index(children))
            }
            _ => damaged("a node of another kind stands where a page must be"),
        }
    }
}

enum Opened {
    Page(Vec<Entry>),
    Index(Vec<IndexChild>),
}

/// Knows pages and indexes of large directories, so that a reader passes over them.
pub trait Pages: Sync {
    /// Whether this page or index, by what it is, was met before in the directory that the caller has given this number.
    /// Asked once about each that a reader meets, never about a directory's top.
    fn is_known(&self, dir: u64, page: &ContentId) -> bool;
}

/// The pages of a directory, in order.
pub(super) struct Spans<'s> {
    pub(super) source: &'s dyn NodeSource,
    /// Where it begins, until it has begun.
    top: Option<NodeId>,
    known: Option<(&'s dyn Pages, u64)>,
    /// The open indexes, outermost first.
    indexes: Vec<OpenIndex>,
}

/// What is left of an index, and where its names end.
struct OpenIndex {
    children: vec::IntoIter<IndexChild>,
    end: Option<Box<[u8]>>,
}

impl<'s> Spans<'s> {
    pub(super) fn new(source: &'s dyn NodeSource, top: NodeId) -> Self {
        Self { source, top: Some(top), known: None, indexes: Vec::new() }
    }

    /// The next node to open. Forgets indexes that are at their end.
    pub(super) fn next(&mut self) -> Option<Span> {
        if let Some(top) = self.top.take() {
            return Some(Span::whole(top));
        }
        while let Some(open) = self.indexes.last_mut() {
            if let Some(child) = open.children.next() {
                if self.known.is_some_and(|(known, dir)| known.is_known(dir, &child.content)) {
                    continue;
                }
                let next = open.children.as_slice().first().map(|next| next.first.clone());
                let end = next.or_else(|| open.end.clone());
                return Some(Span { node: child.node, first: Some(child.first), end });
            }
            self.indexes.pop();
        }
        None
    }

    /// What was opened is an index: its children come next.
    pub(super) fn descend(&mut self, span: Span, children: Vec<IndexChild>) -> Result<()> {
        if self.indexes.len() == DEPTH_MAX {
            return damaged("its indexes are too deep");
        }
        self.indexes.push(OpenIndex { children: children.into_iter(), end: span.end });
        Ok(())
    }
}

/// The entries of a directory, in order. Ends after the first error.
pub struct DirReader<'s> {
    top: NodeId,
    spans: Spans<'s>,
    page: vec::IntoIter<Entry>,
    ended: bool,
}

impl<'s> DirReader<'s> {
    /// A reader of the directory whose top node is `top`. Reads nothing yet.
    #[must_use]
    pub fn new(source: &'s dyn NodeSource, top: NodeId) -> Self {
        Self { top, spans: Spans::new(source, top), page: Vec::new().into_iter(), ended: false }
    }

    /// The same without what is known of the directory of this number: it is not opened, and its entries do not come.
    #[must_use]
    pub fn without(source: &'s dyn NodeSource, top: NodeId, known: &'s dyn Pages, dir: u64) -> Self {
        let mut reader = Self::new(source, top);
        reader.spans.known = Some((known, dir));
        reader
    }

    /// The entry of this name, wherever the reader stands. See [`find`].
    ///
    /// # Errors
    /// As [`find`].
    pub fn find(&self, name: &[u8]) -> Result<Option<Entry>> {
        find(self.spans.source, self.top, name)
    }

    fn step(&mut self) -> Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.page.next() {
                return Ok(Some(entry));
            }
            let Some(span) = self.spans.next() else { return Ok(None) };
            match span.open(self.spans.source)? {
                Opened::Page(entries) => self.page = entries.into_iter(),
                Opened::Index(children) => self.spans.descend(span, children)?,
            }
        }
    }
}

impl Iterator for DirReader<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.step().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

/// The entry of this name in the directory whose top node is `top`: reads one page and the indexes above it.
///
/// # Errors
/// Those of the source; *damaged* when the pages do not fit together.
pub fn find(source: &dyn NodeSource, top: NodeId, name: &[u8]) -> Result<Option<Entry>> {
    let mut span = Span::whole(top);
    for _ in 0..=DEPTH_MAX {
        match span.open(source)? {
            Opened::Page(entries) => {
                let at = entries.partition_point(|entry| &*entry.name < name);
                return Ok(entries.into_iter().nth(at).filter(|entry| &*entry.name == name));
            }
            Opened::Index(children) => {
                let Some(at) = children.partition_point(|child| &*child.first <= name).checked_sub(1) else {
                    return Ok(None);
                };
                let mut children = children.into_iter().skip(at);
                let Some(child) = children.next() else { return Ok(None) };
                let end = children.next().map(|next| next.first).or(span.end);
                span = Span { node: child.node, first: Some(child.first), end };
            }
        }
    }
    damaged("its indexes are too deep")
}

/// The pieces of a file's content, in order. Content that is empty or in line has none. Ends after the first error.
pub struct PieceReader<'s> {
    source: &'s dyn NodeSource,
    /// A list's top node and the bytes that it must stand for.
    top: Option<(NodeId, u64)>,
    indexes: Vec<vec::IntoIter<ListChild>>,
    page: vec::IntoIter<Piece>,
    failed: Option<Error>,
}

impl<'s> PieceReader<'s> {
    /// A reader of the content of a file of `size` bytes. Reads nothing yet.
    #[must_use]
    pub fn new(source: &'s dyn NodeSource, content: &Content, size: u64) -> Self {
        let mut reader = Self { source, top: None, indexes: Vec::new(), page: Vec::new().into_iter(), failed: None };
        if let Err(error) = check_content(content, size) {
            reader.failed = Some(error);
            return reader;
        }
        match content {
            Content::Empty | Content::Inline(_) => {}
            Content::Chunk(id) => {
                // A chunk of a checked content is far below 2^32 bytes.
                let len = u32::try_from(size).unwrap_or(u32::MAX);
                reader.page = vec![Piece::Data { id: *id, len }].into_iter();
            }
            Content::Pieces(pieces) => reader.page = pieces.clone().into_iter(),
            Content::List { node, .. } => reader.top = Some((*node, size)),
        }
        reader
    }

    fn step(&mut self) -> Result<Option<Piece>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            if let Some(piece) = self.page.next() {
                return Ok(Some(piece));
            }
            let Some((node, bytes)) = self.next_node() else { return Ok(None) };
            let found = match self.source.node(&node)? {
                Node::Pieces(pieces) => {
                    let found = sum(pieces.iter().map(Piece::len));
                    self.page = pieces.into_iter();
                    found
                }
                Node::ListIndex(_) if self.indexes.len() == DEPTH_MAX => {
                    return Err(Error::damaged("list", "its indexes are too deep"));
                }
                Node::ListIndex(children) => {
                    let found = sum(children.iter().map(|child| child.bytes));
                    self.indexes.push(children.into_iter());
                    found
                }
                _ => return Err(Error::damaged("list", "a node of another kind stands where pieces must be")),
            };
            if found != Some(bytes) {
                return Err(Error::damaged("list", "a node is not as long as what stands above it says"));
            }
        }
    }

    fn next_node(&mut self) -> Option<(NodeId, u64)> {
        if let Some(top) = self.top.take() {
            return Some(top);
        }
        while let Some(children) = self.indexes.last_mut() {
            if let Some(child) = children.next() {
                return Some((child.node, child.bytes));
            }
            self.indexes.pop();
        }
        None
    }
}

impl Iterator for PieceReader<'_> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.top = None;
            self.indexes.clear();
            self.page = Vec::new().into_iter();
        }
        item
    }
}

fn sum(mut lengths: impl Iterator<Item = u64>) -> Option<u64> {
    lengths.try_fold(0u64, u64::checked_add)
}
