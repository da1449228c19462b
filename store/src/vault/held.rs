//! What a load that was cut short has already: the journal says which parts of the archive are stored whole, and from
//! their files the beginning of the archive can be read again, byte for byte. So nobody has to send it twice, and every
//! checksum of it is looked at once more.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::{self, DomainPaths, PackFolder};
use super::note;
use crate::archive::{ARCHIVE_HEADER_BYTES, HASH_BYTES, PART_HEAD_BYTES, PartHead, PartKind};
use crate::door::{Chance, Disk, DiskFile};
use crate::error::{Error, Result};
use crate::id::{BodyHash, PackId};

/// A line of the journal: a part's head and its checksum, as the archive has them around its content.
const LINE_BYTES: usize = PART_HEAD_BYTES + HASH_BYTES;
/// Longest journal that is read: a million parts, which are some 60 TB in packs. A load that is longer begins anew.
const JOURNAL_BYTES_MAX: usize = 1_000_000 * LINE_BYTES;

/// One whole part.
struct Part {
    line: [u8; LINE_BYTES],
    path: PathBuf,
    len: u64,
}

/// The beginning of an archive, from what is stored: read, it gives the header and every whole part.
pub(super) struct Held {
    disk: Arc<dyn Disk>,
    header: [u8; ARCHIVE_HEADER_BYTES],
    parts: Vec<Part>,
    /// The piece that is read: 0 is the header; then three for each part, its head, its content, its checksum.
    piece: usize,
    /// Read of it.
    offset: u64,
    file: Option<Box<dyn DiskFile>>,
}

impl Held {
    /// Looks at what a load has left, as far as it is there without a gap.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        header: &[u8; ARCHIVE_HEADER_BYTES],
        paths: &DomainPaths,
        number: u32,
        folders: &[PackFolder],
    ) -> Result<Self> {
        let journal = match disk.read(&layout::load_journal(paths.root()), JOURNAL_BYTES_MAX) {
            Err(Error::NotFound { .. } | Error::Limit { .. }) => Vec::new(),
            other => other?,
        };
        let mut parts = Vec::new();
        for line in journal.as_chunks::<LINE_BYTES>().0 {
            let Some(Ok(head)) = line.get(..PART_HEAD_BYTES).map(PartHead::decode) else { break };
            let path = match head.kind {
                PartKind::Account => layout::load_account(paths.root()),
                PartKind::Link => paths.link(number, head.number),
                PartKind::Body => paths.body(number, BodyHash::new(head.id)),
                PartKind::Pack => {
                    let Some(id) = head.id.get(..16).and_then(PackId::from_slice) else { break };
                    let mut found = None;
                    for path in folders.iter().map(|folder| folder.pack(id)) {
                        if disk.exists(&path)?.is_some() {
                            found = Some(path);
                        }
                    }
                    let Some(path) = found else { break };
                    path
                }
                PartKind::End => break,
            };
            if disk.exists(&path)?.is_none_or(|found| found.len != head.len) {
                break;
            }
            parts.push(Part { line: *line, path, len: head.len });
        }
        Ok(Self { disk: Arc::clone(disk), header: *header, parts, piece: 0, offset: 0, file: None })
    }

    /// How many parts are held.
    pub(super) fn parts(&self) -> u64 {
        self.parts.len() as u64
    }

    /// Bytes of the archive that are held, its header included.
    pub(super) fn len(&self) -> u64 {
        let parts = self.parts.iter().map(|part| part.len.saturating_add(LINE_BYTES as u64));
        parts.fold(ARCHIVE_HEADER_BYTES as u64, u64::saturating_add)
    }

    /// A journal that says so, to be gone on with.
    pub(super) fn journal(&self, disk: &dyn Disk, chance: &dyn Chance, load: &Path) -> Result<Box<dyn DiskFile>> {
        let lines: Vec<u8> = self.parts.iter().flat_map(|part| part.line).collect();
        for (path, bytes) in [(layout::load_journal(load), lines.as_slice()), (layout::load_header(load), &self.header)]
        {
            let temporary = note::temporary(chance, load);
            note::write_new(disk, &temporary, bytes)?;
            disk.rename(&temporary, &path)?;
        }
        disk.open_append(&layout::load_journal(load))
    }

    /// Fills what it can from the piece that is read; `None` after the last one.
    fn fill(&mut self, out: &mut [u8]) -> Result<Option<usize>> {
        let (part, of_part) = match self.piece.checked_sub(1) {
            None => (None, 0),
            Some(nth) => match self.parts.get(nth / 3) {
                None => return Ok(None),
                part => (part, nth % 3),
            },
        };
        let bytes: &[u8] = match (part, of_part) {
            (None, _) => &self.header,
            (Some(part), 0) => part.line.get(..PART_HEAD_BYTES).unwrap_or_default(),
            (Some(part), 2) => part.line.get(PART_HEAD_BYTES..).unwrap_or_default(),
            (Some(part), _) => {
                let left = part.len.saturating_sub(self.offset);
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
                let file = match self.file.take() {
                    Some(file) => file,
                    None => self.disk.open(&part.path)?,
                };
                file.read_at(out.get_mut(..most).unwrap_or_default(), self.offset)?;
                self.file = Some(file);
                return Ok(Some(most));
            }
        };
        let rest = usize::try_from(self.offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let most = rest.len().min(out.len());
        for (to, from) in out.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(Some(most))
    }
}

impl Read for Held {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.fill(out).map_err(io::Error::other)? {
                None => return Ok(0),
                Some(0) => {
                    self.piece += 1;
                    self.offset = 0;
                    self.file = None;
                }
                Some(got) => {
                    self.offset = self.offset.saturating_add(got as u64);
                    return Ok(got);
                }
            }
        }
    }
}
