//! Makes the nodes of a directory and of a source from entries (FORMAT.md, 5.2).

use crate::error::{Error, Result};
use crate::limits::PAGE_WHOLE_MAX;
use crate::seal::TreeKeys;

use super::built::{Built, Indexes, Levels};
use super::check::{XATTR_BYTES_MAX, check_entry, weight};
use super::columns::NodeKind;
use super::entry::{Child, Entry, Totals, check_name};
use super::index::{INDEX_CHILDREN_MAX, IndexChild};
use super::page::PAGE_ENTRIES_MAX;
use super::{index, page};

/// Fewest entries of a page, or children of an index, before a hash may end it.
const PAGE_ENTRIES_MIN: usize = 64;
/// Bits of a name's hash that are zero where a page ends: one name in 256.
const CUT_MASK: u64 = 0xff;

/// Where finished nodes go, each after all that it refers to.
pub type Sink<'s> = &'s mut dyn FnMut(Built) -> Result<()>;

/// Makes the nodes of one directory from its entries in ascending order of name.
///
/// Holds at most the entries of one page, or the first 512, and one index for each level.
#[derive(Clone, Debug)]
pub struct DirBuilder {
    keys: TreeKeys,
    page: Vec<Entry>,
    xattrs_weight: usize,
    /// Whether the directory is known to be more than one page can hold.
    paged: bool,
    levels: Levels<IndexChild>,
    /// The last name of the last page that was closed.
    closed: Option<Box<[u8]>>,
}

impl DirBuilder {
    /// A builder of one directory.
    #[must_use]
    pub fn new(keys: &TreeKeys) -> Self {
        Self {
            keys: keys.clone(),
            page: Vec::new(),
            xattrs_weight: 0,
            paged: false,
            levels: Levels::new(),
            closed: None,
        }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// *Damaged* or *limit* when the entry cannot stand in a node or its name is not greater than the one before;
    /// the builder is then as it was. Errors of the sink end the directory.
    pub fn push(&mut self, entry: Entry, sink: Sink<'_>) -> Result<()> {
        check_name(&entry.name)?;
        check_entry(&entry)?;
        if self.last_name().is_some_and(|last| last >= &*entry.name) {
            return Err(Error::damaged("directory", "its names are not in order"));
        }
        if self.paged {
            return self.add(entry, sink);
        }
        self.xattrs_weight += weight(&entry.xattrs);
        self.page.push(entry);
        if self.page.len() > PAGE_WHOLE_MAX || self.xattrs_weight > XATTR_BYTES_MAX {
            self.paged = true;
            self.xattrs_weight = 0;
            for entry in std::mem::take(&mut self.page) {
                self.add(entry, sink)?;
            }
        }
        Ok(())
    }

    /// Makes what is left. Gives the directory's top node.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self, sink: Sink<'_>) -> Result<Child> {
        if !self.paged {
            let built = self.build_page()?;
            let child = built.child();
            sink(built)?;
            return Ok(child);
        }
        self.close_page(sink)?;
        let mut indexes = DirIndexes { keys: &self.keys, sink };
        match self.levels.finish(&mut indexes)? {
            Some(top) => Ok(Child { node: top.node, content: top.content, totals: top.totals }),
            None => Err(Error::damaged("directory", "it was paged and has no page")),
        }
    }

    /// The last name taken, of the open page or of the one that was closed.
    fn last_name(&self) -> Option<&[u8]> {
        self.page.last().map(|entry| &*entry.name).or(self.closed.as_deref())
    }

    /// Entries and children in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.page.len() + self.levels.held()
    }

    /// Takes an entry into the open page, and closes that when the entry ends it.
    fn add(&mut self, entry: Entry, sink: Sink<'_>) -> Result<()> {
        self.xattrs_weight += weight(&entry.xattrs);
        let ends = ends_page(&self.keys, 0, self.page.len() + 1, PAGE_ENTRIES_MAX, &entry.name)
            || self.xattrs_weight >= XATTR_BYTES_MAX;
        self.page.push(entry);
        if ends { self.close_page(sink) } else { Ok(()) }
    }

    fn close_page(&mut self, sink: Sink<'_>) -> Result<()> {
        let Some(first) = self.page.first().map(|entry| entry.name.clone()) else { return Ok(()) };
        let built = self.build_page()?;
        self.closed = self.page.pop().map(|entry| entry.name);
        self.page.clear();
        self.xattrs_weight = 0;
        let child = index_child(first, &built);
        sink(built)?;
        self.levels.add(child, &mut DirIndexes { keys: &self.keys, sink })
    }

    fn build_page(&self) -> Result<Built> {
        let mut totals = Totals::none();
        for entry in &self.page {
            totals.add(&entry.totals());
        }
        Built::new(&self.keys, page::encode(NodeKind::Page, &self.page), totals, self.page.len() as u64)
    }
}

/// Makes the node of a source from the entry that is the source itself. Its name is the last component of the
/// source's path, or empty.
///
/// # Errors
/// *Damaged* or *limit* when the entry cannot stand in a node.
pub fn build_root(keys: &TreeKeys, entry: &Entry) -> Result<Built> {
    if !entry.name.is_empty() {
        check_name(&entry.name)?;
    }
    check_entry(entry)?;
    Built::new(keys, page::encode(NodeKind::Root, std::slice::from_ref(entry)), entry.totals(), 1)
}

/// Whether a name, now the last of `len` in a page of this level, ends it.
fn ends_page(keys: &TreeKeys, level: u8, len: usize, most: usize, name: &[u8]) -> bool {
    len >= most || (len >= PAGE_ENTRIES_MIN && keys.page_hash(level, name) & CUT_MASK == 0)
}

fn index_child(first: Box<[u8]>, built: &Built) -> IndexChild {
    IndexChild { first, node: built.id, content: built.content, totals: built.totals, entries: built.entries }
}

struct DirIndexes<'b> {
    keys: &'b TreeKeys,
    sink: Sink<'b>,
}

impl Indexes<IndexChild> for DirIndexes<'_> {
    fn ends(&self, level: u8, len: usize, child: &IndexChild) -> bool {
        ends_page(self.keys, level, len, INDEX_CHILDREN_MAX, &child.first)
    }

    fn index(&mut self, children: &[IndexChild]) -> Result<IndexChild> {
        let mut totals = Totals::none();
        for child in children {
            totals.add(&child.totals);
        }
        let entries = children.iter().fold(0u64, |sum, child| sum.saturating_add(child.entries));
        let built = Built::new(self.keys, index::encode(children), totals, entries)?;
        let first = children.first().map(|child| child.first.clone()).unwrap_or_default();
        let child = index_child(first, &built);
        (self.sink)(built)?;
        Ok(child)
    }
}
