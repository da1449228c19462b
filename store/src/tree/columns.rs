//! The column table of FORMAT.md, 5.1: what every node's encoding has in common.
//!
//! A node is a version, a kind, a count and columns. A column holds one field of every entry; it is left out
//! when every value is its default, and a reader refuses one that should have been, so that a node has exactly
//! one encoding.

use crate::codec::{Reader, put_string, put_varint, put_zigzag};
use crate::error::{Error, Result};
use crate::id::{ChunkId, ContentId};
use crate::limits::NAME_BYTES_MAX;
use crate::record::Refs;
use crate::seal::TreeKeys;

use super::entry::{Time, Totals, check_name};

const VERSION: u8 = 1;
/// Bit 7 of a tag: who does not know the column must not read the node.
const MUST: u8 = 0x80;
/// Tags from here on, without bit 7, are scan facts.
const FACTS: u8 = 0x60;

/// Tags as they are written, bit 7 included.
pub(super) mod tag {
    use super::MUST;

    macro_rules! tags {
        ($($name:ident = $number:expr;)*) => { $(pub(in crate::tree) const $name: u8 = $number;)* };
    }
    tags! {
        NAME = 0x01 | MUST;
        KIND = 0x02 | MUST;
        MODE = 0x03;
        OWNER = 0x04;
        MTIME_SECS = 0x05;
        MTIME_NANOS = 0x06;
        SIZE = 0x07 | MUST;
        CONTENT = 0x08 | MUST;
        TARGET = 0x09 | MUST;
        DEVICE = 0x0A | MUST;
        XATTRS = 0x0B;
        FLAGS = 0x0D;
        CUT = 0x0E;
        TOTALS = 0x0F;
        CONTENT_ID = 0x10 | MUST;
        CHILD = 0x11 | MUST;
        LIST_CONTENT_ID = 0x12 | MUST;
        STATE = 0x13;
        ENTRIES_BELOW = 0x14;
        PIECES = 0x15 | MUST;
        BYTES_BELOW = 0x16 | MUST;
        CTIME_SECS = 0x60;
        CTIME_NANOS = 0x61;
        INODE = 0x62;
        LINK = 0x63;
        RACY = 0x64;
        BIRTH_SECS = 0x65;
        BIRTH_NANOS = 0x66;
    }
}

/// What a node holds. Numbers are those of FORMAT.md, 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum NodeKind {
    /// Entries of a directory.
    Page = 1,
    /// Pages of a directory, or indexes of them.
    Index = 2,
    /// Pieces of a file.
    Pieces = 3,
    /// Pages of pieces, or indexes of them.
    ListIndex = 4,
    /// The entry that is a source itself.
    Root = 5,
}

impl NodeKind {
    fn from_number(number: u8) -> Result<Self> {
        Ok(match number {
            1 => Self::Page,
            2 => Self::Index,
            3 => Self::Pieces,
            4 => Self::ListIndex,
            5 => Self::Root,
            other => return Err(Error::Newer { what: "node's kind", found: other.into() }),
        })
    }
}

/// Version and kind of an encoding; the reader goes on at the count.
pub(super) fn open(plain: &[u8]) -> Result<(NodeKind, Reader<'_>)> {
    let mut r = Reader::new("node", plain);
    let version = r.u8()?;
    if version != VERSION {
        return Err(Error::Newer { what: "node", found: version.into() });
    }
    let kind = NodeKind::from_number(r.u8()?)?;
    Ok((kind, r))
}

/// The content id of a node (FORMAT.md, 5.4): of everything but scan facts and the places of children.
///
/// # Errors
/// *Damaged* or *newer* when the encoding cannot be taken apart into columns.
pub fn content_id(keys: &TreeKeys, refs: &Refs, plain: &[u8]) -> Result<ContentId> {
    let (kind, mut r) = open(plain)?;
    // Joined first: one long run is hashed several times faster than many short ones.
    let mut bytes = Vec::with_capacity(plain.len() + refs.chunks.len() * ChunkId::BYTES);
    bytes.push(kind as u8);
    put_varint(&mut bytes, r.varint()?);
    while r.remaining() > 0 {
        let tag = r.u8()?;
        let column = r.string(usize::MAX)?;
        if tag != tag::CHILD && tag & !MUST < FACTS {
            bytes.push(tag);
            put_string(&mut bytes, column);
        }
    }
    for chunk in &refs.chunks {
        bytes.extend_from_slice(chunk.bytes());
    }
    Ok(keys.content_hasher().update(&bytes).finish())
}

/// Writes a node, column by column in ascending order of tag.
#[derive(Debug)]
pub(super) struct Writer {
    plain: Vec<u8>,
    column: Vec<u8>,
    last: u8,
}

impl Writer {
    pub(super) fn new(kind: NodeKind, count: usize) -> Self {
        let mut plain = Vec::with_capacity(64 + count * 48);
        plain.extend_from_slice(&[VERSION, kind as u8]);
        put_varint(&mut plain, count as u64);
        Self { plain, column: Vec::with_capacity(count * 16), last: 0 }
    }

    /// A column of one value after the other. `put` writes a value and says whether it differs from the default.
    pub(super) fn dense<T>(
        &mut self,
        tag: u8,
        values: impl IntoIterator<Item = T>,
        mut put: impl FnMut(&mut Vec<u8>, T) -> bool,
    ) {
        self.column.clear();
        let mut differs = false;
        for value in values {
            differs |= put(&mut self.column, value);
        }
        if differs {
            self.close(tag);
        }
    }

    /// A column of the entries that have a value, with their positions.
    pub(super) fn sparse<T>(
        &mut self,
        tag: u8,
        values: impl Iterator<Item = Option<T>> + Clone,
        mut put: impl FnMut(&mut Vec<u8>, T),
    ) {
        let count = values.clone().flatten().count();
        if count == 0 {
            return;
        }
        self.column.clear();
        put_varint(&mut self.column, count as u64);
        let mut difference = 1;
        for value in values {
            match value {
                Some(value) => {
                    put_varint(&mut self.column, difference);
                    put(&mut self.column, value);
                    difference = 1;
                }
                None => difference += 1,
            }
        }
        self.close(tag);
    }

    /// Two columns that are one moment: seconds as differences, then nanoseconds.
    pub(super) fn times(&mut self, [secs, nanos]: [u8; 2], times: impl Iterator<Item = Time> + Clone) {
        let mut last = 0i64;
        self.dense(secs, times.clone(), |out, time| put_difference(out, &mut last, time.secs));
        self.dense(nanos, times, |out, time| put_number(out, time.nanos.into()));
    }

    /// Sorted names, without what they share with the name before.
    pub(super) fn names<'n>(&mut self, names: impl Iterator<Item = &'n [u8]>) {
        let mut last: &[u8] = &[];
        self.dense(tag::NAME, names, |out, name| {
            let shared = last.iter().zip(name).take_while(|(a, b)| a == b).count();
            put_varint(out, shared as u64);
            put_string(out, name.get(shared..).unwrap_or_default());
            last = name;
            true
        });
    }

    pub(super) fn totals<'t>(&mut self, totals: impl Iterator<Item = &'t Totals>) {
        self.dense(tag::TOTALS, totals, |out, totals| {
            let newest = if totals.files == 0 && totals.dirs == 0 { 0 } else { totals.newest };
            for number in [totals.files, totals.dirs, totals.bytes] {
                put_varint(out, number);
            }
            put_zigzag(out, newest);
            (totals.files, totals.dirs, totals.bytes, newest) != (0, 0, 0, 0)
        });
    }

    pub(super) fn content_ids<'i>(&mut self, tag: u8, ids: impl Iterator<Item = &'i ContentId>) {
        self.dense(tag, ids, |out, id| {
            out.extend_from_slice(id.bytes());
            true
        });
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.plain
    }

    fn close(&mut self, tag: u8) {
        debug_assert!(tag & !MUST > self.last, "columns are written in order");
        self.last = tag & !MUST;
        self.plain.push(tag);
        put_string(&mut self.plain, &self.column);
    }
}

/// A number whose default is 0.
pub(super) fn put_number(out: &mut Vec<u8>, value: u64) -> bool {
    put_varint(out, value);
    value != 0
}

/// The difference to the number before; wraps.
pub(super) fn put_difference(out: &mut Vec<u8>, last: &mut i64, value: i64) -> bool {
    let difference = value.wrapping_sub(*last);
    *last = value;
    put_zigzag(out, difference);
    difference != 0
}

/// The columns of one node, found and not yet read.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    /// Entries, children or pieces.
    pub(super) count: usize,
    found: Vec<(u8, &'a [u8])>,
}

impl<'a> Columns<'a> {
    /// Finds the columns behind what [`open`] read. `most` bounds the count; `known` are the tags that the kind of
    /// node has. A column that is not known is skipped, unless it must be understood.
    pub(super) fn read(mut r: Reader<'a>, most: usize, known: &[u8]) -> Result<Self> {
        let count = r.count(1)?;
        if count > most {
            return Err(Error::Limit { what: "entries of a node", found: count as u64, most: most as u64 });
        }
        let mut found = Vec::with_capacity(known.len());
        let mut last = 0;
        while r.remaining() > 0 {
            let tag = r.u8()?;
            let bytes = r.string(usize::MAX)?;
            let number = tag & !MUST;
            if number <= last {
                return Err(r.damaged("its columns are not in order"));
            }
            last = number;
            if known.contains(&tag) {
                if bytes.is_empty() {
                    return Err(r.damaged("a column is empty"));
                }
                found.push((tag, bytes));
            } else if known.contains(&(tag ^ MUST)) {
                return Err(r.damaged("a column is marked wrongly"));
            } else if tag & MUST != 0 {
                return Err(Error::Newer { what: "node's column", found: number.into() });
            }
        }
        Ok(Self { count, found })
    }

    fn find(&self, tag: u8) -> Option<Reader<'a>> {
        self.found.iter().find(|(t, _)| *t == tag).map(|(_, bytes)| Reader::new("node", bytes))
    }

    /// A column without a default. When it is not there, reading a value from it fails.
    pub(super) fn plain(&self, tag: u8) -> Reader<'a> {
        self.find(tag).unwrap_or_else(|| Reader::new("node", &[]))
    }

    pub(super) fn dense(&self, tag: u8) -> Dense<'a> {
        Dense { reader: self.find(tag), differs: false, last: 0 }
    }

    pub(super) fn sparse(&self, tag: u8) -> Result<Sparse<'a>> {
        let Some(mut reader) = self.find(tag) else {
            return Ok(Sparse { reader: self.plain(tag), left: 0, next: 0 });
        };
        let left = reader.count(1)?;
        if left == 0 {
            return Err(reader.damaged("a sparse column has no values"));
        }
        let mut sparse = Sparse { reader, left, next: 0 };
        sparse.step()?;
        Ok(sparse)
    }

    pub(super) fn names(&self) -> Names<'a> {
        Names { reader: self.plain(tag::NAME), name: Vec::new(), first: true }
    }

    pub(super) fn times(&self, [secs, nanos]: [u8; 2]) -> Times<'a> {
        Times { secs: self.dense(secs), nanos: self.dense(nanos) }
    }
}

/// Reads a column with a value for each entry; when it is not there, every value is 0.
#[derive(Debug)]
pub(super) struct Dense<'a> {
    reader: Option<Reader<'a>>,
    differs: bool,
    last: i64,
}

impl<'a> Dense<'a> {
    /// The next value is read by `read`, which also says whether it differs from the default; without a column
    /// it is `default`.
    pub(super) fn value<T>(
        &mut self,
        default: T,
        read: impl FnOnce(&mut Reader<'a>) -> Result<(T, bool)>,
    ) -> Result<T> {
        let Some(reader) = &mut self.reader else { return Ok(default) };
        let (value, differs) = read(reader)?;
        self.differs |= differs;
        Ok(value)
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        self.value(0, |r| r.varint().map(|value| (value, value != 0)))
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.value(0, |r| r.u8().map(|value| (value, value != 0)))
    }

    /// The value before and a difference to it.
    pub(super) fn difference(&mut self) -> Result<i64> {
        let difference = self.value(0, |r| r.zigzag().map(|value| (value, value != 0)))?;
        self.last = self.last.wrapping_add(difference);
        Ok(self.last)
    }

    /// The value before, of a column of differences.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Asserts that all was read and that the column was not left in without need.
    pub(super) fn end(self) -> Result<()> {
        let Some(reader) = self.reader else { return Ok(()) };
        if !self.differs {
            return Err(reader.damaged("a column holds nothing but defaults"));
        }
        reader.end()
    }
}

/// Reads a column that only some entries have a value in.
#[derive(Debug)]
pub(super) struct Sparse<'a> {
    reader: Reader<'a>,
    left: usize,
    /// One more than the position of the pair to come.
    next: u64,
}

impl<'a> Sparse<'a> {
    /// The value of the entry at this position, when it has one, read by `read`. To be asked for one position
    /// after the other.
    pub(super) fn value<T>(
        &mut self,
        position: usize,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.left == 0 || self.next != position as u64 + 1 {
            return Ok(None);
        }
        let value = read(&mut self.reader)?;
        self.left -= 1;
        self.step()?;
        Ok(Some(value))
    }

    /// Reads where the next pair belongs.
    fn step(&mut self) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        let difference = self.reader.varint()?;
        self.next = match self.next.checked_add(difference) {
            Some(next) if difference > 0 => next,
            _ => return Err(self.reader.damaged("positions of a column do not rise")),
        };
        Ok(())
    }

    /// Asserts that every pair belonged to an entry.
    pub(super) fn end(self) -> Result<()> {
        if self.left > 0 {
            return Err(self.reader.damaged("a column has values for entries that are not there"));
        }
        self.reader.end()
    }
}

/// Reads sorted names.
#[derive(Debug)]
pub(super) struct Names<'a> {
    reader: Reader<'a>,
    name: Vec<u8>,
    first: bool,
}

impl Names<'_> {
    /// The next name, a single component and greater than the one before.
    pub(super) fn next(&mut self) -> Result<Box<[u8]>> {
        self.step()?;
        check_name(&self.name)?;
        Ok(self.name.as_slice().into())
    }

    /// The same, appended to what is there.
    pub(super) fn next_onto(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.step()?;
        check_name(&self.name)?;
        out.extend_from_slice(&self.name);
        Ok(())
    }

    /// The name of a source root: as others, or empty.
    pub(super) fn root(&mut self) -> Result<Box<[u8]>> {
        self.step()?;
        if !self.name.is_empty() {
            check_name(&self.name)?;
        }
        Ok(self.name.as_slice().into())
    }

    fn step(&mut self) -> Result<()> {
        let shared = usize::try_from(self.reader.varint()?).unwrap_or(usize::MAX);
        let rest = self.reader.string(NAME_BYTES_MAX)?;
        // Both at once: names rise, and what is shared is not written again.
        let rises = match (self.name.get(shared), rest.first()) {
            (Some(before), Some(now)) => now > before,
            (None, Some(_)) => shared == self.name.len(),
            (_, None) => self.first && shared == 0,
        };
        if !rises {
            return Err(self.reader.damaged("its names are not in order"));
        }
        self.name.truncate(shared);
        self.name.extend_from_slice(rest);
        self.first = false;
        Ok(())
    }

    pub(super) fn end(self) -> Result<()> {
        self.reader.end()
    }
}

/// Reads moments.
#[derive(Debug)]
pub(super) struct Times<'a> {
    secs: Dense<'a>,
    nanos: Dense<'a>,
}

impl Times<'_> {
    pub(super) fn next(&mut self) -> Result<Time> {
        let secs = self.secs.difference()?;
        Ok(Time { secs, nanos: nanos(self.nanos.varint()?)? })
    }

    pub(super) fn end(self) -> Result<()> {
        self.secs.end()?;
        self.nanos.end()
    }
}

/// Nanoseconds of a moment, below a second.
pub(super) fn nanos(value: u64) -> Result<u32> {
    u32::try_from(value)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)
        .ok_or_else(|| Error::damaged("node", "nanoseconds are a second or more"))
}

/// The next totals.
pub(super) fn read_totals(column: &mut Dense<'_>) -> Result<Totals> {
    column.value(Totals::none(), |r| {
        let (files, dirs, bytes, newest) = (r.varint()?, r.varint()?, r.varint()?, r.zigzag()?);
        let differs = (files, dirs, bytes, newest) != (0, 0, 0, 0);
        if files == 0 && dirs == 0 {
            if newest != 0 {
                return Err(r.damaged("nothing has a newest time"));
            }
            return Ok((Totals { bytes, ..Totals::none() }, differs));
        }
        Ok((Totals { files, dirs, bytes, newest }, differs))
    })
}
