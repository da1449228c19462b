//! Writes a pack.

use std::path::{Path, PathBuf};

use super::footer::{self, FOOTER_BYTES_MIN, TRAILER_BYTES};
use super::header::{PACK_HEADER_BYTES, PackHeader};
use super::line::Line;
use super::{FOOTER_BYTES_MAX, side};
use crate::door::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::id::{CipherHash, PackId};
use crate::record::{Record, RecordKind};

/// Records are gathered up to this many bytes before they are written, so that small ones cost no call each.
const GATHER_BYTES: usize = 1 << 20;
/// The system is asked to begin writing each time this much was appended: the sync at the end then waits for the
/// last piece only.
const WRITE_BACK_BYTES: u64 = 8 << 20;

/// Where the unfinished pack of this id stands in a staging folder.
#[must_use]
pub fn part_path(staging: &Path, pack: PackId) -> PathBuf {
    staging.join(format!("{}.part", pack.hex()))
}

/// A pack that has its footer and is on the disk, under a name in a staging folder.
#[derive(Clone, Debug)]
pub struct FinishedPack {
    /// The file. Its name is not synced.
    pub path: PathBuf,
    /// Its header.
    pub header: PackHeader,
    /// Its records, in order.
    pub lines: Vec<Line>,
    /// Length of the file.
    pub bytes: u64,
}

/// Writes one pack, record by record. What was appended may still be in memory until [`flush`](Self::flush) or
/// [`finish`](Self::finish). After an error the writer is of no more use; [`adopt`](super::adopt) finds what is whole.
pub struct PackWriter {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    side: Option<Box<dyn DiskFile>>,
    header: PackHeader,
    lines: Vec<Line>,
    /// Appended and not yet written: bytes of the pack, bytes of the side file.
    gathered: (Vec<u8>, Vec<u8>),
    /// Bytes of header and records, written or gathered.
    records_end: u64,
    /// Bytes that the footer would have now.
    footer_bytes: usize,
    /// Bytes written since the system was last asked to begin.
    not_begun: u64,
}

impl PackWriter {
    /// A new pack in a staging folder, with its side file. `Taken` when a pack of this id was begun there before.
    pub fn create(disk: &dyn Disk, staging: &Path, header: PackHeader) -> Result<Self> {
        let path = part_path(staging, header.pack);
        let mut writer = Self::without_side(disk, path, header)?;
        writer.side = Some(disk.create_new(&side::side_path(&writer.path))?);
        Ok(writer)
    }

    /// A new pack at this path, that nobody will adopt.
    pub(crate) fn without_side(disk: &dyn Disk, path: PathBuf, header: PackHeader) -> Result<Self> {
        header.check_writable()?;
        Ok(Self {
            file: disk.create_new(&path)?,
            path,
            side: None,
            header,
            lines: Vec::new(),
            gathered: (header.encode().to_vec(), Vec::new()),
            records_end: PACK_HEADER_BYTES as u64,
            footer_bytes: FOOTER_BYTES_MIN,
            not_begun: 0,
        })
    }

    /// Adds a record and says where it stands. `Damaged` when the record is not in order or not of this pack's
    /// domain, `Refused` when the pack's kind does not hold such records, `Limit` when the footer would become too
    /// long; all three leave the pack as it was.
    pub fn append(&mut self, record: &Record) -> Result<Line> {
        record.check()?;
        let kind = record.header.kind;
        if record.header.domain != self.header.domain {
            return Err(Error::damaged("record", "it belongs to another domain than its pack"));
        }
        if !self.header.kind.holds(kind) {
            return Err(Error::Refused { why: format!("a pack of kind {:?} holds no {kind:?}", self.header.kind) });
        }
        let parts = [&record.header.encode()[..], record.inline_clear(), &record.sealed];
        self.put(&parts, kind, record.cipher_hash(), ids(record)?)
    }

    /// Adds a record as it is stored, whose hash is known to be this.
    pub(super) fn put(
        &mut self,
        parts: &[&[u8]],
        kind: RecordKind,
        hash: CipherHash,
        ids: Vec<[u8; 32]>,
    ) -> Result<Line> {
        let stored: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(stored).unwrap_or(u32::MAX);
        let line = Line { offset: self.records_end, length, kind, hash, ids };
        line.check_length()?;
        let footer_bytes = self.footer_bytes + line.encoded_len();
        if footer_bytes > FOOTER_BYTES_MAX {
            let (found, most) = (footer_bytes as u64, FOOTER_BYTES_MAX as u64);
            return Err(Error::Limit { what: "length of a pack's footer", found, most });
        }
        for part in parts {
            self.gathered.0.extend_from_slice(part);
        }
        if self.side.is_some() {
            side::put(&mut self.gathered.1, &line);
        }
        self.records_end = line.end();
        self.footer_bytes = footer_bytes;
        self.lines.push(line.clone());
        if self.gathered.0.len() + self.gathered.1.len() >= GATHER_BYTES {
            self.flush()?;
        }
        Ok(line)
    }

    /// Hands everything to the system, records before their lines, so that it survives the end of this process
    /// (not yet the end of the machine).
    pub fn flush(&mut self) -> Result<()> {
        let (records, lines) = &mut self.gathered;
        if !records.is_empty() {
            self.file.append(records)?;
            self.not_begun += records.len() as u64;
            records.clear();
        }
        if let Some(side) = &mut self.side
            && !lines.is_empty()
        {
            side.append(lines)?;
            lines.clear();
        }
        if self.not_begun >= WRITE_BACK_BYTES {
            self.file.write_back();
            self.not_begun = 0;
        }
        Ok(())
    }

    /// Length of the pack if it were finished now, footer and trailer included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.records_end + (self.footer_bytes + TRAILER_BYTES) as u64
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &PackHeader {
        &self.header
    }

    /// Its records so far.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Writes footer and trailer and syncs the file. The side file stays; who publishes the pack removes both names.
    pub fn finish(mut self) -> Result<FinishedPack> {
        let end = footer::encode(&self.header.encode(), &self.lines, self.records_end);
        self.gathered.0.extend_from_slice(&end);
        self.flush()?;
        self.file.sync()?;
        let bytes = self.bytes();
        Ok(FinishedPack { path: self.path, header: self.header, lines: self.lines, bytes })
    }
}

/// The ids that a record's line shows.
fn ids(record: &Record) -> Result<Vec<[u8; 32]>> {
    Ok(match record.header.kind {
        RecordKind::Box => record.chunk_ids()?.iter().map(|id| *id.bytes()).collect(),
        RecordKind::Group => record.nodes()?.iter().map(|(id, _)| *id.bytes()).collect(),
        _ => Vec::new(),
    })
}
