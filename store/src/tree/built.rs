//! A node that was made, and how many of them become a tree of pages.

use crate::error::Result;
use crate::id::{ContentId, NodeId};
use crate::record::Refs;
use crate::seal::TreeKeys;

use super::columns::content_id;
use super::entry::{Child, Totals};

/// A node, ready to be asked for, grouped, sealed and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its id.
    pub id: NodeId,
    /// What it is, wherever it lies.
    pub content: ContentId,
    /// What it needs; goes in the clear.
    pub refs: Refs,
    /// What only the key opens.
    pub plain: Vec<u8>,
    /// Sums over its entries and all below them. Of a list: the bytes of the file that it stands for, no files.
    pub totals: Totals,
    /// Entries of the directory in it or below it; of a list, pieces.
    pub entries: u64,
}

impl Built {
    /// Computes the ids of an encoded node.
    pub(super) fn new(keys: &TreeKeys, (refs, plain): (Refs, Vec<u8>), totals: Totals, entries: u64) -> Result<Self> {
        let id = keys.node_id(&refs, &plain);
        let content = content_id(keys, &refs, &plain)?;
        Ok(Self { id, content, refs, plain, totals, entries })
    }

    /// What a directory entry says of it.
    #[must_use]
    pub fn child(&self) -> Child {
        Child { node: self.id, content: self.content, totals: self.totals }
    }
}

/// The open indexes above a row of pages, one a level: level 1 lists the pages, level 2 the indexes of level 1, and
/// so on until one node holds all. No more than one index a level is ever open.
#[derive(Clone, Debug)]
pub(super) struct Levels<C> {
    open: Vec<Vec<C>>,
}

/// How indexes are cut and made.
pub(super) trait Indexes<C> {
    /// Whether this child, now the last of `len` in the open index of `level`, ends it.
    fn ends(&self, level: u8, len: usize, child: &C) -> bool;
    /// Makes an index of children and gives it to its sink.
    fn index(&mut self, children: &[C]) -> Result<C>;
}

impl<C> Levels<C> {
    pub(super) fn new() -> Self {
        Self { open: Vec::new() }
    }

    /// Children in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.open.iter().map(Vec::len).sum()
    }

    /// Takes the next finished page.
    pub(super) fn add(&mut self, page: C, indexes: &mut impl Indexes<C>) -> Result<()> {
        let mut child = page;
        // Each level has at most a part of the children of the level below, so that 255 are never needed.
        for level in 1..=u8::MAX {
            let at = usize::from(level) - 1;
            if self.open.len() == at {
                self.open.push(Vec::new());
            }
            let Some(open) = self.open.get_mut(at) else { break };
            let ends = indexes.ends(level, open.len() + 1, &child);
            open.push(child);
            if !ends {
                break;
            }
            child = indexes.index(open)?;
            open.clear();
        }
        Ok(())
    }

    /// Closes every level. Gives the top: an index, or the one page when there is no second.
    /// `None` when there was no page.
    pub(super) fn finish(self, indexes: &mut impl Indexes<C>) -> Result<Option<C>> {
        let top = self.open.len();
        let mut carried = None;
        for (level, mut open) in (1..).zip(self.open) {
            open.extend(carried.take());
            carried = match open.len() {
                0 => None,
                1 if level == top => open.pop(),
                _ => Some(indexes.index(&open)?),
            };
        }
        Ok(carried)
    }
}
