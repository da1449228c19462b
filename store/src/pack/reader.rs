//! Reads a pack.

use std::io;
use std::path::Path;

use super::footer::{FOOTER_BYTES_MIN, TRAILER_BYTES, Trailer};
use super::header::{PACK_HEADER_BYTES, PackHeader};
use super::line::Line;
use crate::door::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::id::NodeId;
use crate::record::{HEADER_BYTES, Header, Record, RecordKind, Refs};

/// Read at once from the end of the file: the trailer and nearly always the whole footer.
const TAIL_BYTES: usize = 256 << 10;

/// A finished pack whose header, footer and trailer are in order. Records are checked when they are read.
pub struct PackReader {
    file: Box<dyn DiskFile>,
    header: PackHeader,
    lines: Vec<Line>,
}

impl PackReader {
    /// Opens a pack. `Damaged` when anything of header, footer, trailer or length is not what was written, `Newer`
    /// when it was made by a program that knows more.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let place = || path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self::open_file(disk.open(path)?).map_err(|e| e.at(place))
    }

    pub(super) fn open_file(file: Box<dyn DiskFile>) -> Result<Self> {
        let pack_bytes = file.len()?;
        let least = (PACK_HEADER_BYTES + FOOTER_BYTES_MIN + TRAILER_BYTES) as u64;
        if pack_bytes < least {
            return Err(Error::damaged("pack", "it ends too early"));
        }
        let mut head = [0; PACK_HEADER_BYTES];
        read_exact(&*file, &mut head, 0)?;
        let header = PackHeader::decode(&head)?;

        let mut tail = vec![0; usize::try_from(pack_bytes).unwrap_or(usize::MAX).min(TAIL_BYTES)];
        let tail_offset = pack_bytes - tail.len() as u64;
        read_exact(&*file, &mut tail, tail_offset)?;
        let Some((before, last)) = tail.split_last_chunk::<TRAILER_BYTES>() else {
            return Err(Error::damaged("pack", "it ends too early"));
        };
        let trailer = Trailer::decode(last, pack_bytes)?;
        let longer;
        let footer = match trailer.offset.checked_sub(tail_offset).and_then(|at| usize::try_from(at).ok()) {
            Some(at) => before.get(at..).unwrap_or_default(),
            None => {
                longer = read_vec(&*file, trailer.length, trailer.offset)?;
                &longer[..]
            }
        };
        let lines = trailer.lines(&head, footer)?;
        if lines.iter().any(|line| !header.kind.holds(line.kind) && !matches!(line.kind, RecordKind::Unknown(_))) {
            return Err(Error::damaged("pack footer", "it has a record that a pack of its kind does not hold"));
        }
        Ok(Self { file, header, lines })
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &PackHeader {
        &self.header
    }

    /// Its records, in the order of the file.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Whether it has records of kinds that this program does not know: then it is never folded or freed.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.kind, RecordKind::Unknown(_)))
    }

    /// Reads one record; see [`read_record`].
    pub fn read(&self, line: &Line) -> Result<Record> {
        let record = read_record(&*self.file, line).map_err(|e| e.at(|| self.place(line)))?;
        if record.header.domain != self.header.domain {
            let other = Error::damaged("record", "it belongs to another domain than its pack");
            return Err(other.at(|| self.place(line)));
        }
        Ok(record)
    }

    /// Checks that a record's stored bytes are the ones that were written, of whatever kind it is.
    pub fn check(&self, line: &Line) -> Result<()> {
        if matches!(line.kind, RecordKind::Unknown(_)) {
            return read_stored(&*self.file, line).map(drop).map_err(|e| e.at(|| self.place(line)));
        }
        self.read(line).map(drop)
    }

    /// Ids and references of a group's nodes; see [`read_node_refs`].
    pub fn node_refs(&self, line: &Line) -> Result<Vec<(NodeId, Refs)>> {
        read_node_refs(&*self.file, line).map_err(|e| e.at(|| self.place(line)))
    }

    fn place(&self, line: &Line) -> String {
        format!("pack {} at byte {}", self.header.pack, line.offset)
    }
}

/// Reads the record of a line from its pack: the stored bytes have the line's hash, the clear part (of a box: the
/// line's ids) is the one that was sealed, the ids are the line's. `Newer` for kinds that are not known here.
pub fn read_record(file: &dyn DiskFile, line: &Line) -> Result<Record> {
    let mut stored = read_stored(file, line)?;
    if let RecordKind::Unknown(number) = line.kind {
        return Err(Error::Newer { what: "record's kind", found: number.into() });
    }
    let header = decode_header(&stored, line)?;
    let inline = if header.kind.clear_is_inline() { header.clear_len as usize } else { 0 };
    // The sealed part moves down where it stands: a second buffer of a MiB would cost more than all the rest.
    let before: Vec<u8> = stored.drain(..(HEADER_BYTES + inline).min(stored.len())).collect();
    let clear = match before.get(HEADER_BYTES..) {
        Some(clear) if header.kind.clear_is_inline() => clear.to_vec(),
        _ => line.ids.as_flattened().to_vec(),
    };
    let record = Record { header, clear, sealed: stored };
    record.check()?;
    if record.header.kind == RecordKind::Group {
        same_ids(&record.nodes()?, line)?;
    }
    Ok(record)
}

/// Reads ids and references of a group's nodes, and nothing of its sealed part: the header's checksum and the clear
/// part's hash are checked, the hash of the whole record is not.
pub fn read_node_refs(file: &dyn DiskFile, line: &Line) -> Result<Vec<(NodeId, Refs)>> {
    line.check_length()?;
    if line.kind != RecordKind::Group {
        return Err(Error::damaged("record", "it is not a group"));
    }
    let head = read_vec(file, HEADER_BYTES as u64, line.offset)?;
    let header = decode_header(&head, line)?;
    let clear = read_vec(file, header.clear_len.into(), line.offset.saturating_add(HEADER_BYTES as u64))?;
    if blake3::hash(&clear).as_bytes() != &header.clear_hash {
        return Err(Error::damaged("record", "its clear part is not the one that was sealed"));
    }
    let nodes = Record { header, clear, sealed: Vec::new() }.nodes()?;
    same_ids(&nodes, line)?;
    Ok(nodes)
}

/// The bytes of a record as they are stored, which have the hash that its line says.
pub(super) fn read_stored(file: &dyn DiskFile, line: &Line) -> Result<Vec<u8>> {
    line.check_length()?;
    let stored = read_vec(file, line.length.into(), line.offset)?;
    if blake3::hash(&stored).as_bytes() != line.hash.bytes() {
        return Err(Error::damaged("record", "its bytes are not the ones that were written"));
    }
    Ok(stored)
}

/// The header at the beginning of a stored record, of the kind and the length that its line says.
fn decode_header(stored: &[u8], line: &Line) -> Result<Header> {
    let header = Header::decode(stored.get(..HEADER_BYTES).unwrap_or(stored))?;
    let inline = if header.kind.clear_is_inline() { u64::from(header.clear_len) } else { 0 };
    if header.kind != line.kind || HEADER_BYTES as u64 + inline + u64::from(header.sealed_len) != u64::from(line.length)
    {
        return Err(Error::damaged("record", "its header says another kind or length than its line"));
    }
    Ok(header)
}

fn same_ids(nodes: &[(NodeId, Refs)], line: &Line) -> Result<()> {
    if nodes.iter().map(|(id, _)| id.bytes()).eq(&line.ids) {
        return Ok(());
    }
    Err(Error::damaged("record", "its nodes are not those of its line"))
}

/// `len` bytes from a place; `len` has been checked against its bound.
pub(super) fn read_vec(file: &dyn DiskFile, len: u64, offset: u64) -> Result<Vec<u8>> {
    let mut out = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    read_exact(file, &mut out, offset)?;
    Ok(out)
}

/// A file that ends too early is damaged; anything else is the disk's trouble.
pub(super) fn read_exact(file: &dyn DiskFile, out: &mut [u8], offset: u64) -> Result<()> {
    file.read_at(out, offset).map_err(|e| match e {
        Error::Disk { cause, .. } if cause.kind() == io::ErrorKind::UnexpectedEof => {
            Error::damaged("pack", "it ends too early")
        }
        other => other,
    })
}
