//! A directory page, or a source root: entries to columns and back (FORMAT.md, 5.1).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::codec::{Reader, put_string, put_varint};
use crate::error::{Error, Result};
use crate::id::{ContentId, NodeId};
use crate::limits::{NAME_BYTES_MAX, TARGET_BYTES_MAX};
use crate::record::Refs;

use super::check::{XATTR_BYTES_MAX, XATTRS_MAX, check_entry, weight};
use super::columns::{
    Columns, Dense, Names, NodeKind, Sparse, Times, Writer, nanos, put_difference, put_number, read_totals, tag,
};
use super::content::{Numbering, References, put_content, read_content};
use super::entry::{Child, Content, CutClass, Entry, Facts, Kind, Mark, Owner, Time, What, Xattr};

/// Most entries of a page.
pub(super) const PAGE_ENTRIES_MAX: usize = 1_024;

/// Nanoseconds of an unknown birth time.
const BIRTH_UNKNOWN: u64 = 1 << 30;

const CHANGED: u8 = 1;
const UNREADABLE: u8 = 2;
const MISSING: u8 = 3;

pub(super) const MTIME: [u8; 2] = [tag::MTIME_SECS, tag::MTIME_NANOS];
pub(super) const CTIME: [u8; 2] = [tag::CTIME_SECS, tag::CTIME_NANOS];

/// The columns of a page.
pub(super) const KNOWN: [u8; 25] = [
    tag::NAME,
    tag::KIND,
    tag::MODE,
    tag::OWNER,
    tag::MTIME_SECS,
    tag::MTIME_NANOS,
    tag::SIZE,
    tag::CONTENT,
    tag::TARGET,
    tag::DEVICE,
    tag::XATTRS,
    tag::FLAGS,
    tag::CUT,
    tag::TOTALS,
    tag::CONTENT_ID,
    tag::CHILD,
    tag::LIST_CONTENT_ID,
    tag::STATE,
    tag::CTIME_SECS,
    tag::CTIME_NANOS,
    tag::INODE,
    tag::LINK,
    tag::RACY,
    tag::BIRTH_SECS,
    tag::BIRTH_NANOS,
];

/// The plain encoding of these entries and what they refer to. The entries must be good and in order.
pub(super) fn encode(kind: NodeKind, entries: &[Entry]) -> (Refs, Vec<u8>) {
    let mut w = Writer::new(kind, entries.len());
    let mut chunks = Numbering::new(entries.len());
    let mut nodes = Numbering::new(0);
    w.names(entries.iter().map(|e| &*e.name));
    w.dense(tag::KIND, entries, |out, e| {
        out.push(e.what.kind() as u8);
        e.what.kind() != Kind::File
    });
    w.dense(tag::MODE, entries, |out, e| put_number(out, e.mode.into()));
    put_owners(&mut w, entries);
    w.times(MTIME, entries.iter().map(|e| e.mtime));

    let files = || {
        entries.iter().filter_map(|e| match &e.what {
            What::File { size, content, cut } => Some((*size, content, *cut)),
            _ => None,
        })
    };
    w.dense(tag::SIZE, files(), |out, (size, ..)| put_number(out, size));
    w.dense(tag::CONTENT, files(), |out, (_, content, _)| put_content(out, content, &mut chunks, &mut nodes));
    put_others(&mut w, entries);
    w.sparse(tag::XATTRS, entries.iter().map(|e| (!e.xattrs.is_empty()).then_some(&e.xattrs)), |out, xattrs| {
        put_varint(out, xattrs.len() as u64);
        for (name, value) in xattrs {
            put_string(out, name);
            put_string(out, value);
        }
    });
    w.sparse(tag::FLAGS, entries.iter().map(|e| (e.flags != 0).then_some(e.flags)), |out, flags| {
        put_varint(out, flags.into());
    });
    w.dense(tag::CUT, files(), |out, (.., cut)| {
        out.push(cut as u8);
        cut != CutClass::Whole
    });

    let dirs = || {
        entries.iter().filter_map(|e| match &e.what {
            What::Dir(child) => Some(child),
            _ => None,
        })
    };
    w.totals(dirs().map(|child| &child.totals));
    w.content_ids(tag::CONTENT_ID, dirs().map(|child| &child.content));
    w.dense(tag::CHILD, dirs(), |out, child| nodes.put(out, child.node));
    let lists = files().filter_map(|(_, content, _)| match content {
        Content::List { content, .. } => Some(content),
        _ => None,
    });
    w.content_ids(tag::LIST_CONTENT_ID, lists);
    w.sparse(tag::STATE, entries.iter().map(|e| e.mark), |out, mark| {
        let (state, since) = match mark {
            Mark::Changed => (CHANGED, 0),
            Mark::Unreadable(since) => (UNREADABLE, since),
            Mark::Missing(since) => (MISSING, since),
        };
        out.push(state);
        put_varint(out, since);
    });
    put_facts(&mut w, entries);
    (Refs { chunks: chunks.ids, nodes: nodes.ids }, w.finish())
}

/// A table of owners in order of first use, then each entry's place in it.
fn put_owners(w: &mut Writer, entries: &[Entry]) {
    let mut table: Vec<&Arc<Owner>> = Vec::new();
    let mut places: HashMap<&Owner, usize> = HashMap::new();
    let mut last: Option<(&Arc<Owner>, usize)> = None;
    let mut positions = Vec::with_capacity(entries.len());
    for entry in entries {
        let place = match last {
            Some((owner, place)) if Arc::ptr_eq(owner, &entry.owner) => place,
            _ => *places.entry(&entry.owner).or_insert_with(|| {
                table.push(&entry.owner);
                table.len() - 1
            }),
        };
        last = Some((&entry.owner, place));
        put_varint(&mut positions, place as u64);
    }
    // One value for all entries together: the table and the places.
    w.dense(tag::OWNER, [table], |out, table| {
        put_varint(out, table.len() as u64);
        for owner in &table {
            put_varint(out, owner.uid.into());
            put_varint(out, owner.gid.into());
            put_string(out, &owner.user);
            put_string(out, &owner.group);
        }
        out.extend_from_slice(&positions);
        table.iter().any(|owner| ***owner != Owner::default())
    });
}

/// What symbolic links and devices have.
fn put_others(w: &mut Writer, entries: &[Entry]) {
    let targets = entries.iter().filter_map(|e| match &e.what {
        What::Symlink(target) => Some(target),
        _ => None,
    });
    w.dense(tag::TARGET, targets, |out, target| {
        put_string(out, target);
        !target.is_empty()
    });
    let devices = entries.iter().filter_map(|e| match e.what {
        What::Char(major, minor) | What::Block(major, minor) => Some((major, minor)),
        _ => None,
    });
    w.dense(tag::DEVICE, devices, |out, (major, minor)| {
        put_varint(out, major.into());
        put_varint(out, minor.into());
        (major, minor) != (0, 0)
    });
}

/// What the scan saw.
fn put_facts(w: &mut Writer, entries: &[Entry]) {
    let facts = || entries.iter().map(|e| &e.facts);
    w.times(CTIME, facts().map(|f| f.ctime));
    let mut inode = 0;
    w.dense(tag::INODE, facts(), |out, f| put_difference(out, &mut inode, f.inode.cast_signed()));
    w.sparse(tag::LINK, facts().map(|f| f.link), |out, (device, links)| {
        put_varint(out, device);
        put_varint(out, links.into());
    });
    w.sparse(tag::RACY, facts().map(|f| f.racy.then_some(())), |_, ()| {});
    let mut birth = 0;
    w.dense(tag::BIRTH_SECS, facts(), |out, f| {
        let secs = f.birth.map_or(birth, |time| time.secs);
        put_difference(out, &mut birth, secs)
    });
    w.dense(tag::BIRTH_NANOS, facts(), |out, f| {
        put_varint(out, f.birth.map_or(BIRTH_UNKNOWN, |time| time.nanos.into()));
        f.birth.is_some()
    });
}

/// The entries of a directory page.
pub(super) fn decode(refs: &Refs, r: Reader<'_>) -> Result<Vec<Entry>> {
    let columns = Columns::read(r, PAGE_ENTRIES_MAX, &KNOWN)?;
    let mut rows = Rows::new(refs, &columns)?;
    let mut entries = Vec::with_capacity(columns.count);
    for position in 0..columns.count {
        let name = rows.names.next()?;
        entries.push(rows.entry(name, position)?);
    }
    rows.end(&mut entries)?;
    Ok(entries)
}

/// The entry of a source root.
pub(super) fn decode_root(refs: &Refs, r: Reader<'_>) -> Result<Entry> {
    let columns = Columns::read(r, 1, &KNOWN)?;
    let mut rows = Rows::new(refs, &columns)?;
    let name = rows.names.root()?;
    let mut entry = rows.entry(name, 0)?;
    rows.end(std::slice::from_mut(&mut entry))?;
    Ok(entry)
}

/// Reads all columns of a page side by side, entry by entry.
struct Rows<'a> {
    refs: References<'a>,
    names: Names<'a>,
    kinds: Dense<'a>,
    modes: Dense<'a>,
    owners: Owners<'a>,
    mtimes: Times<'a>,
    sizes: Dense<'a>,
    contents: Dense<'a>,
    targets: Dense<'a>,
    devices: Dense<'a>,
    xattrs: Sparse<'a>,
    xattrs_weight: usize,
    flags: Sparse<'a>,
    cuts: Dense<'a>,
    totals: Dense<'a>,
    content_ids: Reader<'a>,
    children: Dense<'a>,
    list_content_ids: Reader<'a>,
    states: Sparse<'a>,
    ctimes: Times<'a>,
    inodes: Dense<'a>,
    links: Sparse<'a>,
    racy: Sparse<'a>,
    birth_secs: Dense<'a>,
    birth_nanos: Dense<'a>,
}

impl<'a> Rows<'a> {
    fn new(refs: &'a Refs, columns: &Columns<'a>) -> Result<Self> {
        Ok(Self {
            refs: References::new(refs)?,
            names: columns.names(),
            kinds: columns.dense(tag::KIND),
            modes: columns.dense(tag::MODE),
            owners: Owners::new(columns)?,
            mtimes: columns.times(MTIME),
            sizes: columns.dense(tag::SIZE),
            contents: columns.dense(tag::CONTENT),
            targets: columns.dense(tag::TARGET),
            devices: columns.dense(tag::DEVICE),
            xattrs: columns.sparse(tag::XATTRS)?,
            xattrs_weight: 0,
            flags: columns.sparse(tag::FLAGS)?,
            cuts: columns.dense(tag::CUT),
            totals: columns.dense(tag::TOTALS),
            content_ids: columns.plain(tag::CONTENT_ID),
            children: columns.dense(tag::CHILD),
            list_content_ids: columns.plain(tag::LIST_CONTENT_ID),
            states: columns.sparse(tag::STATE)?,
            ctimes: columns.times(CTIME),
            inodes: columns.dense(tag::INODE),
            links: columns.sparse(tag::LINK)?,
            racy: columns.sparse(tag::RACY)?,
            birth_secs: columns.dense(tag::BIRTH_SECS),
            birth_nanos: columns.dense(tag::BIRTH_NANOS),
        })
    }

    fn entry(&mut self, name: Box<[u8]>, position: usize) -> Result<Entry> {
        let entry = Entry {
            name,
            what: self.what()?,
            mode: narrow(self.modes.varint()?)?,
            owner: self.owners.next()?,
            mtime: self.mtimes.next()?,
            xattrs: self.xattrs.value(position, read_xattrs)?.unwrap_or_default(),
            flags: self.flags.value(position, read_flags)?.unwrap_or_default(),
            mark: self.states.value(position, read_mark)?,
            facts: self.facts(position)?,
        };
        self.xattrs_weight += weight(&entry.xattrs);
        if self.xattrs_weight > 2 * XATTR_BYTES_MAX {
            return Err(Error::damaged("node", "its extended attributes are larger than those of any page"));
        }
        check_entry(&entry)?;
        Ok(entry)
    }

    fn what(&mut self) -> Result<What> {
        Ok(match kind(self.kinds.u8()?)? {
            Kind::File => {
                let (lists, refs) = (&mut self.list_content_ids, &mut self.refs);
                let content = self.contents.value(Content::Empty, |r| {
                    let content = read_content(r, lists, refs)?;
                    let differs = !matches!(content, Content::Empty);
                    Ok((content, differs))
                })?;
                What::File { size: self.sizes.varint()?, content, cut: cut_class(self.cuts.u8()?)? }
            }
            Kind::Dir => {
                let totals = read_totals(&mut self.totals)?;
                let content = ContentId::new(self.content_ids.array()?);
                // Ordinals of lists come before those of children: `end` fills the node in.
                What::Dir(Child { node: NodeId::ZERO, content, totals })
            }
            Kind::Symlink => What::Symlink(self.targets.value(Box::default(), |r| {
                let target = r.string(TARGET_BYTES_MAX)?;
                Ok((target.into(), !target.is_empty()))
            })?),
            Kind::Fifo => What::Fifo,
            Kind::Socket => What::Socket,
            Kind::Char => {
                let (major, minor) = self.device()?;
                What::Char(major, minor)
            }
            Kind::Block => {
                let (major, minor) = self.device()?;
                What::Block(major, minor)
            }
        })
    }

    fn device(&mut self) -> Result<(u32, u32)> {
        self.devices.value((0, 0), |r| {
            let device = (narrow(r.varint()?)?, narrow(r.varint()?)?);
            Ok((device, device != (0, 0)))
        })
    }

    fn facts(&mut self, position: usize) -> Result<Facts> {
        let link = |r: &mut Reader<'a>| Ok((r.varint()?, narrow(r.varint()?)?));
        Ok(Facts {
            ctime: self.ctimes.next()?,
            inode: self.inodes.difference()?.cast_unsigned(),
            link: self.links.value(position, link)?,
            racy: self.racy.value(position, |_| Ok(()))?.is_some(),
            birth: self.birth()?,
        })
    }

    fn birth(&mut self) -> Result<Option<Time>> {
        let before = self.birth_secs.last();
        let secs = self.birth_secs.difference()?;
        let value =
            self.birth_nanos.value(BIRTH_UNKNOWN, |r| r.varint().map(|value| (value, value != BIRTH_UNKNOWN)))?;
        if value != BIRTH_UNKNOWN {
            return Ok(Some(Time { secs, nanos: nanos(value)? }));
        }
        if secs != before {
            return Err(Error::damaged("node", "an unknown birth time has seconds"));
        }
        Ok(None)
    }

    /// Gives the directories their nodes and asserts that every column and every reference was used up.
    fn end(mut self, entries: &mut [Entry]) -> Result<()> {
        for entry in entries {
            if let What::Dir(child) = &mut entry.what {
                let difference = self.children.value(0, |r| r.zigzag().map(|value| (value, value != 0)))?;
                child.node = self.refs.nodes.at(difference)?;
            }
        }
        self.refs.end()?;
        self.names.end()?;
        self.owners.end()?;
        for times in [self.mtimes, self.ctimes] {
            times.end()?;
        }
        let numbers = [self.kinds, self.modes, self.sizes, self.contents, self.targets, self.devices, self.cuts];
        let rest = [self.totals, self.children, self.inodes, self.birth_secs, self.birth_nanos];
        for column in numbers.into_iter().chain(rest) {
            column.end()?;
        }
        for column in [self.xattrs, self.flags, self.states, self.links, self.racy] {
            column.end()?;
        }
        self.content_ids.end()?;
        self.list_content_ids.end()
    }
}

/// Reads the owner column.
struct Owners<'a> {
    reader: Option<Reader<'a>>,
    table: Vec<Arc<Owner>>,
    used: usize,
}

impl<'a> Owners<'a> {
    fn new(columns: &Columns<'a>) -> Result<Self> {
        let mut r = columns.plain(tag::OWNER);
        if r.remaining() == 0 {
            return Ok(Self { reader: None, table: vec![Arc::default()], used: 0 });
        }
        let count = r.count(4)?;
        if count > columns.count {
            return Err(r.damaged("it has more owners than entries"));
        }
        let mut table = Vec::with_capacity(count);
        for _ in 0..count {
            table.push(Arc::new(Owner {
                uid: narrow(r.varint()?)?,
                gid: narrow(r.varint()?)?,
                user: r.string(NAME_BYTES_MAX)?.into(),
                group: r.string(NAME_BYTES_MAX)?.into(),
            }));
        }
        if table.iter().all(|owner| **owner == Owner::default()) {
            return Err(r.damaged("a column holds nothing but defaults"));
        }
        if count > 1 && table.iter().collect::<HashSet<_>>().len() < count {
            return Err(r.damaged("an owner stands there twice"));
        }
        Ok(Self { reader: Some(r), table, used: 0 })
    }

    fn next(&mut self) -> Result<Arc<Owner>> {
        let place = match &mut self.reader {
            Some(reader) => usize::try_from(reader.varint()?).unwrap_or(usize::MAX),
            None => 0,
        };
        if place == self.used {
            self.used += 1;
        }
        match self.table.get(place) {
            Some(owner) if place < self.used => Ok(Arc::clone(owner)),
            _ => Err(Error::damaged("node", "an owner is not in order of first use")),
        }
    }

    fn end(self) -> Result<()> {
        match self.reader {
            Some(reader) if self.used < self.table.len() => Err(reader.damaged("an owner is not used")),
            Some(reader) => reader.end(),
            None => Ok(()),
        }
    }
}

/// A number in a smaller type.
pub(super) fn narrow<T: TryFrom<u64>>(value: u64) -> Result<T> {
    T::try_from(value).map_err(|_| Error::damaged("node", "a number is too large"))
}

pub(super) fn kind(number: u8) -> Result<Kind> {
    use Kind::{Block, Char, Dir, Fifo, File, Socket, Symlink};
    [File, Dir, Symlink, Fifo, Socket, Char, Block]
        .get(usize::from(number))
        .copied()
        .ok_or(Error::Newer { what: "entry's kind", found: number.into() })
}

fn cut_class(number: u8) -> Result<CutClass> {
    use CutClass::{Cdc, CdcLarge, Fixed16, Fixed32, Fixed64, Whole};
    [Whole, Cdc, CdcLarge, Fixed16, Fixed32, Fixed64]
        .get(usize::from(number))
        .copied()
        .ok_or(Error::Newer { what: "file's cut class", found: number.into() })
}

fn read_xattrs(r: &mut Reader<'_>) -> Result<Vec<Xattr>> {
    let count = r.count(2)?;
    if count == 0 || count > XATTRS_MAX {
        return Err(r.damaged("an entry has no extended attributes, or too many"));
    }
    let mut xattrs = Vec::with_capacity(count);
    for _ in 0..count {
        xattrs.push((r.string(NAME_BYTES_MAX)?.into(), r.string(XATTR_BYTES_MAX)?.into()));
    }
    Ok(xattrs)
}

fn read_flags(r: &mut Reader<'_>) -> Result<u32> {
    match narrow(r.varint()?)? {
        0 => Err(r.damaged("inode flags are the default")),
        flags => Ok(flags),
    }
}

pub(super) fn read_mark(r: &mut Reader<'_>) -> Result<Mark> {
    let (state, since) = (r.u8()?, r.varint()?);
    match (state, since) {
        (CHANGED, 0) => Ok(Mark::Changed),
        (CHANGED, _) => Err(r.damaged("a changed file has a time")),
        (UNREADABLE, since) => Ok(Mark::Unreadable(since)),
        (MISSING, since) => Ok(Mark::Missing(since)),
        (other, _) => Err(Error::Newer { what: "entry's state", found: other.into() }),
    }
}
