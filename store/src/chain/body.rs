//! The body of a version: one root per source (FORMAT.md, 6.3).

use minicbor::decode::Error as DecodeError;
use minicbor::{Decoder, Encoder};

use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::{ContentId, NodeId, SourceId, TagId};
use crate::record::{Record, RecordKind};
use crate::seal::{AccountKeys, Sealer};
use crate::tree::check_name;

const WHAT: &str = "version body";
const SOURCE_CLEAR_BYTES: usize = SourceId::BYTES + NodeId::BYTES + 8;

/// Counts of a run: files and directories new, changed, unchanged, removed; bytes read; bytes of new chunks.
pub type Counts = [u64; 6];

/// One source of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRoot {
    /// Of host and path.
    pub id: SourceId,
    /// Its root node.
    pub root: NodeId,
    /// Sequence of the link that introduced this root.
    pub introduced: u64,
    /// Host label.
    pub host: String,
    /// Absolute path.
    pub path: Vec<u8>,
    /// As the system names it, such as `ext4`.
    pub fs_type: String,
    /// Device number of its root.
    pub device: u64,
    /// Where its file system is mounted.
    pub mount_point: Vec<u8>,
    /// Entries that are not directories.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Sizes of regular files.
    pub bytes: u64,
    /// Milliseconds since 1970: since when it is not there and an older root stands for it.
    pub missing_since: Option<i64>,
    /// What the root is, wherever it lies.
    pub content: ContentId,
}

/// What a version names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionBody {
    /// All sources of the account.
    pub sources: Vec<SourceRoot>,
    /// Tags with their ids.
    pub tags: Vec<(TagId, String)>,
    /// Version of the program that made it.
    pub program: String,
    /// Of this run.
    pub counts: Counts,
}

impl VersionBody {
    /// A body record. Ids of sources and tags must be the ones that `keys` compute.
    pub fn seal(&self, sealer: &Sealer, keys: &AccountKeys) -> Result<Record> {
        let right = self.sources.iter().all(|s| keys.source_id(&s.host, &s.path) == s.id)
            && self.tags.iter().all(|(id, tag)| keys.tag_id(tag) == *id);
        if !right {
            return Err(Error::damaged(WHAT, "an id is not the one of its source or tag"));
        }
        if !self.sources.iter().all(|s| is_plain_path(&s.path)) {
            return Err(Error::damaged(WHAT, "a source's path leads elsewhere"));
        }
        let mut clear = Vec::new();
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        clear.extend_from_slice(&count(self.sources.len()));
        for source in &self.sources {
            clear.extend_from_slice(source.id.bytes());
            clear.extend_from_slice(source.root.bytes());
            clear.extend_from_slice(&source.introduced.to_le_bytes());
        }
        clear.extend_from_slice(&count(self.tags.len()));
        for (id, _) in &self.tags {
            clear.extend_from_slice(id.bytes());
        }
        let mut plain = Vec::new();
        self.write(&mut Encoder::new(&mut plain)).map_err(|_| Error::damaged(WHAT, "it cannot be written"))?;
        sealer.seal_body(RecordKind::VersionBody, clear, &plain)
    }

    /// What a body record names.
    pub fn open(sealer: &Sealer, record: &Record) -> Result<Self> {
        let (roots, tags) = read_clear(record)?;
        let plain = sealer.open_body(record)?;
        let body = Self::read(&mut Decoder::new(&plain), &roots, &tags)
            .map_err(|_| Error::damaged(WHAT, "it is not the map that it must be"))?;
        if body.sources.len() != roots.len() || body.tags.len() != tags.len() {
            return Err(Error::damaged(WHAT, "its two parts do not agree"));
        }
        Ok(body)
    }

    fn write<W: minicbor::encode::Write>(&self, e: &mut Encoder<W>) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(4)?.u8(0)?.array(self.sources.len() as u64)?;
        for source in &self.sources {
            e.map(if source.missing_since.is_some() { 10 } else { 9 })?;
            e.u8(0)?.str(&source.host)?.u8(1)?.bytes(&source.path)?;
            e.u8(2)?.str(&source.fs_type)?.u8(3)?.u64(source.device)?;
            e.u8(4)?.bytes(&source.mount_point)?.u8(5)?.u64(source.files)?;
            e.u8(6)?.u64(source.dirs)?.u8(7)?.u64(source.bytes)?;
            if let Some(since) = source.missing_since {
                e.u8(8)?.i64(since)?;
            }
            e.u8(9)?.bytes(source.content.bytes())?;
        }
        e.u8(1)?.array(self.tags.len() as u64)?;
        for (_, tag) in &self.tags {
            e.str(tag)?;
        }
        e.u8(2)?.str(&self.program)?;
        e.u8(3)?.array(self.counts.len() as u64)?;
        for count in self.counts {
            e.u64(count)?;
        }
        e.ok()
    }

    fn read(d: &mut Decoder<'_>, roots: &[(SourceId, NodeId, u64)], tags: &[TagId]) -> Result<Self, DecodeError> {
        let mut body = Self::default();
        for _ in 0..definite(d.map()?)? {
            match d.u32()? {
                0 => {
                    for _ in 0..definite(d.array()?)? {
                        let root = roots.get(body.sources.len()).ok_or_else(|| DecodeError::message("no root"))?;
                        body.sources.push(read_source(d, *root)?);
                    }
                }
                1 => {
                    for _ in 0..definite(d.array()?)? {
                        let id = tags.get(body.tags.len()).ok_or_else(|| DecodeError::message("no tag id"))?;
                        body.tags.push((*id, d.str()?.to_owned()));
                    }
                }
                2 => body.program = d.str()?.to_owned(),
                3 => {
                    // A longer array holds counts that are not known here.
                    for at in 0..definite(d.array()?)? {
                        let count = d.u64()?;
                        if let Some(place) = usize::try_from(at).ok().and_then(|at| body.counts.get_mut(at)) {
                            *place = count;
                        }
                    }
                }
                _ => d.skip()?,
            }
        }
        Ok(body)
    }
}

/// Source, root node and the sequence of the link that introduced it, of each source of a version body. Needs no
/// key.
pub fn clear_sources(record: &Record) -> Result<Vec<(SourceId, NodeId, u64)>> {
    Ok(read_clear(record)?.0)
}

/// Ids of the tags of a version body. Needs no key.
pub fn clear_tags(record: &Record) -> Result<Vec<TagId>> {
    Ok(read_clear(record)?.1)
}

type Clear = (Vec<(SourceId, NodeId, u64)>, Vec<TagId>);

fn read_clear(record: &Record) -> Result<Clear> {
    let mut r = Reader::new(WHAT, &record.clear);
    if record.header.kind != RecordKind::VersionBody {
        return Err(r.damaged("it is another kind of record"));
    }
    record.check()?;
    let room = |r: &mut Reader<'_>, each: usize| {
        let count = r.u32()? as usize;
        match count.checked_mul(each) {
            Some(bytes) if bytes <= r.remaining() => Ok(count),
            _ => Err(r.damaged("a count is larger than what follows")),
        }
    };
    let sources = room(&mut r, SOURCE_CLEAR_BYTES)?;
    let mut roots = Vec::with_capacity(sources);
    for _ in 0..sources {
        roots.push((SourceId::new(r.array()?), NodeId::new(r.array()?), r.u64()?));
    }
    let count = room(&mut r, TagId::BYTES)?;
    let mut tags = Vec::with_capacity(count);
    for _ in 0..count {
        tags.push(TagId::new(r.array()?));
    }
    r.end()?;
    Ok((roots, tags))
}

fn read_source(
    d: &mut Decoder<'_>,
    (id, root, introduced): (SourceId, NodeId, u64),
) -> Result<SourceRoot, DecodeError> {
    let mut out = SourceRoot {
        id,
        root,
        introduced,
        host: String::new(),
        path: Vec::new(),
        fs_type: String::new(),
        device: 0,
        mount_point: Vec::new(),
        files: 0,
        dirs: 0,
        bytes: 0,
        missing_since: None,
        content: ContentId::ZERO,
    };
    for _ in 0..definite(d.map()?)? {
        match d.u32()? {
            0 => out.host = d.str()?.to_owned(),
            1 => out.path = d.bytes()?.to_vec(),
            2 => out.fs_type = d.str()?.to_owned(),
            3 => out.device = d.u64()?,
            4 => out.mount_point = d.bytes()?.to_vec(),
            5 => out.files = d.u64()?,
            6 => out.dirs = d.u64()?,
            7 => out.bytes = d.u64()?,
            8 => out.missing_since = Some(d.i64()?),
            9 => out.content = d.decode()?,
            _ => d.skip()?,
        }
    }
    // It becomes a part of paths that are written to and of names in archives.
    if !is_plain_path(&out.path) {
        return Err(DecodeError::message("a path that leads elsewhere"));
    }
    Ok(out)
}

/// Whether a source may have this path: absolute, of single components that lead nowhere else; the root is one too.
#[must_use]
pub fn is_plain_path(path: &[u8]) -> bool {
    match path.strip_prefix(b"/") {
        None => false,
        Some(b"") => true,
        Some(names) => names.split(|byte| *byte == b'/').all(|name| check_name(name).is_ok()),
    }
}

/// Format 1 writes lengths in front.
fn definite(len: Option<u64>) -> Result<u64, DecodeError> {
    len.ok_or_else(|| DecodeError::message("indefinite length"))
}
