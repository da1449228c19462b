//! What a scan compares of the names of a directory, read where it is encoded.
//!
//! Of most names nothing else is wanted: they are as they were. So no entries are made of them; of those that are wanted
//! after all, their page is read once more, in full. What a look passes over is not checked by it.

use crate::codec::Reader;
use crate::error::Result;
use crate::id::NodeId;
use crate::limits::NAME_BYTES_MAX;
use crate::record::Refs;

use super::columns::{Columns, NodeKind, open, tag};
use super::entry::{Entry, Kind, Time, What};
use super::node::{Node, decode};
use super::page::{CTIME, KNOWN, MTIME, PAGE_ENTRIES_MAX, kind, narrow, read_mark};
use super::read::{NodeSource, Spans, damaged};

/// What tells of a name whether it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What kind of file.
    pub kind: Kind,
    /// The 12 permission bits.
    pub mode: u16,
    /// User and group number.
    pub owner: (u32, u32),
    /// Bytes of a regular file, else 0.
    pub size: u64,
    /// Major and minor number of a device, else 0.
    pub device: (u32, u32),
    /// Modification time.
    pub mtime: Time,
    /// Inode change time.
    pub ctime: Time,
    /// Inode number.
    pub inode: u64,
    /// It was too fresh to be sure.
    pub racy: bool,
    /// There is something to be told of it.
    pub marked: bool,
}

impl From<&Entry> for Look {
    fn from(entry: &Entry) -> Self {
        let size = if let What::File { size, .. } = entry.what { size } else { 0 };
        let device =
            if let What::Char(major, minor) | What::Block(major, minor) = entry.what { (major, minor) } else { (0, 0) };
        Self {
            kind: entry.what.kind(),
            mode: entry.mode,
            owner: (entry.owner.uid, entry.owner.gid),
            size,
            device,
            mtime: entry.mtime,
            ctime: entry.facts.ctime,
            inode: entry.facts.inode,
            racy: entry.facts.racy,
            marked: entry.mark.is_some(),
        }
    }
}

/// The names of a page, in order, with a look at each. Room is kept from page to page.
#[derive(Debug, Default)]
pub struct Looks {
    names: Vec<u8>,
    /// With where its name ends, and that of the next begins.
    rows: Vec<(usize, Look)>,
}

impl Looks {
    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The name at this place.
    #[must_use]
    pub fn name(&self, at: usize) -> Option<&[u8]> {
        let (end, _) = self.rows.get(at)?;
        let start = at.checked_sub(1).and_then(|before| self.rows.get(before)).map_or(0, |(end, _)| *end);
        self.names.get(start..*end)
    }

    /// The look at the name at this place.
    #[must_use]
    pub fn look(&self, at: usize) -> Option<&Look> {
        self.rows.get(at).map(|(_, look)| look)
    }

    fn clear(&mut self) {
        self.names.clear();
        self.rows.clear();
    }

    /// Takes in a page, in place of what is there; gives any other node back.
    pub(super) fn take_in(&mut self, node: Node) -> Option<Node> {
        self.clear();
        let Node::Page(entries) = node else { return Some(node) };
        for entry in &entries {
            self.names.extend_from_slice(&entry.name);
            self.rows.push((self.names.len(), entry.into()));
        }
        None
    }

    fn read(&mut self, r: Reader<'_>) -> Result<()> {
        self.clear();
        let columns = Columns::read(r, PAGE_ENTRIES_MAX, &KNOWN)?;
        self.rows.reserve(columns.count);
        // Most names share something with the one before.
        self.names.reserve(columns.plain(tag::NAME).remaining().saturating_mul(2));
        let mut names = columns.names();
        let (mut kinds, mut modes) = (columns.dense(tag::KIND), columns.dense(tag::MODE));
        let (owners, mut places) = owners(&columns)?;
        let (mut mtimes, mut ctimes) = (columns.times(MTIME), columns.times(CTIME));
        let (mut sizes, mut devices) = (columns.dense(tag::SIZE), columns.dense(tag::DEVICE));
        let (mut inodes, mut racy) = (columns.dense(tag::INODE), columns.sparse(tag::RACY)?);
        let mut states = columns.sparse(tag::STATE)?;
        for position in 0..columns.count {
            names.next_onto(&mut self.names)?;
            let kind = kind(kinds.u8()?)?;
            let place = if owners.is_empty() { None } else { usize::try_from(places.varint()?).ok() };
            let owner = match place {
                None => (0, 0),
                Some(place) => *owners.get(place).ok_or_else(|| places.damaged("an owner is not in the table"))?,
            };
            let look = Look {
                kind,
                mode: narrow(modes.varint()?)?,
                owner,
                size: if kind == Kind::File { sizes.varint()? } else { 0 },
                device: match kind {
                    Kind::Char | Kind::Block => devices.value((0, 0), |r| {
                        let device = (narrow(r.varint()?)?, narrow(r.varint()?)?);
                        Ok((device, device != (0, 0)))
                    })?,
                    _ => (0, 0),
                },
                mtime: mtimes.next()?,
                ctime: ctimes.next()?,
                inode: inodes.difference()?.cast_unsigned(),
                racy: racy.value(position, |_| Ok(()))?.is_some(),
                marked: states.value(position, read_mark)?.is_some(),
            };
            self.rows.push((self.names.len(), look));
        }
        Ok(())
    }
}

/// The numbers of the owners, none when all are the default, and the reader of each entry's place among them.
fn owners<'a>(columns: &Columns<'a>) -> Result<(Vec<(u32, u32)>, Reader<'a>)> {
    let mut r = columns.plain(tag::OWNER);
    if r.remaining() == 0 {
        return Ok((Vec::new(), r));
    }
    let count = r.count(4)?;
    if count == 0 || count > columns.count {
        return Err(r.damaged("it has no owners, or more than entries"));
    }
    let mut table = Vec::with_capacity(count);
    for _ in 0..count {
        table.push((narrow(r.varint()?)?, narrow(r.varint()?)?));
        r.string(NAME_BYTES_MAX)?;
        r.string(NAME_BYTES_MAX)?;
    }
    Ok((table, r))
}

/// Looks at the page with this plain encoding, in place of what is in `looks`; decodes any other node.
///
/// # Errors
/// Those of [`decode`], as far as it is looked at.
pub fn decode_looks(refs: &Refs, plain: &[u8], looks: &mut Looks) -> Result<Option<Node>> {
    match open(plain)? {
        (NodeKind::Page, body) => looks.read(body).map(|()| None),
        _ => decode(refs, plain).map(Some),
    }
}

/// The names of a directory, in order, with a look at each. After an error, which comes once, there is none.
pub struct LookReader<'s> {
    spans: Spans<'s>,
    looks: Looks,
    /// The place in the page of what comes next.
    at: usize,
    /// Names of the pages before.
    passed: usize,
    /// The page.
    node: NodeId,
    /// Its entries, once one was wanted.
    entries: Vec<Option<Entry>>,
    ended: bool,
}

impl<'s> LookReader<'s> {
    /// A reader of the directory whose top node is `top`. Reads nothing yet.
    #[must_use]
    pub fn new(source: &'s dyn NodeSource, top: NodeId) -> Self {
        let (spans, looks) = (Spans::new(source, top), Looks::default());
        Self { spans, looks, at: 0, passed: 0, node: top, entries: Vec::new(), ended: false }
    }

    /// The name that comes next, without taking it.
    ///
    /// # Errors
    /// Those of the source; *damaged* when the pages do not fit together.
    pub fn peek(&mut self) -> Result<Option<&[u8]>> {
        let filled = if self.ended { Ok(()) } else { self.fill() };
        self.hold(filled)?;
        Ok(self.looks.name(self.at))
    }

    /// What [`peek`](Self::peek) saw, until it is passed or taken.
    #[must_use]
    pub fn seen(&self) -> Option<(&[u8], &Look)> {
        self.looks.name(self.at).zip(self.looks.look(self.at))
    }

    /// Its place in the directory, from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.passed + self.at
    }

    /// Passes over what was seen.
    pub fn pass(&mut self) {
        self.at += usize::from(self.at < self.looks.len());
    }

    /// The entry that was seen, and passes it. `None` when there was none.
    ///
    /// # Errors
    /// Those of the source; *damaged* when its page cannot be read in full.
    pub fn take(&mut self) -> Result<Option<Entry>> {
        if self.seen().is_none() {
            return Ok(None);
        }
        let taken = self.entry();
        let entry = self.hold(taken)?;
        self.pass();
        Ok(Some(entry))
    }

    fn entry(&mut self) -> Result<Entry> {
        if self.entries.is_empty() {
            let Node::Page(entries) = self.spans.source.node(&self.node)? else {
                return damaged("a page is none any more");
            };
            self.entries = entries.into_iter().map(Some).collect();
        }
        match self.entries.get_mut(self.at).and_then(Option::take) {
            Some(entry) => Ok(entry),
            None => damaged("a page has lost a name"),
        }
    }

    /// Opens what comes next, until there is a name or nothing more.
    fn fill(&mut self) -> Result<()> {
        while self.at == self.looks.len() {
            let Some(span) = self.spans.next() else { return Ok(()) };
            self.passed += self.looks.len();
            (self.at, self.node) = (0, span.node);
            self.entries.clear();
            if let Some(children) = span.look(self.spans.source, &mut self.looks)? {
                self.looks.clear();
                self.spans.descend(span, children)?;
            }
        }
        Ok(())
    }

    /// After an error nothing comes.
    fn hold<T>(&mut self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            self.ended = true;
            self.looks.clear();
            self.at = 0;
        }
        done
    }
}
