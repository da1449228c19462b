//! What can still be used of a pack whose header, footer or trailer is not in order, or that stands under a wrong name.
//!
//! Nothing is guessed: a line of the footer counts when the record has the line's hash, and of a box when the line's ids
//! have the clear hash of the box's header. Groups tell their ids themselves; one without a good line counts when its
//! header and its clear part are in order, and its hash is then that of its bytes as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::footer::{FOOTER_BYTES_MIN, FOOTER_MAGIC, TRAILER_BYTES, Trailer};
use super::header::{PACK_HEADER_BYTES, PackHeader};
use super::line::{LINE_BYTES_MIN, Line};
use super::reader::{read_exact, read_node_refs, read_stored, read_vec};
use super::writer::{FinishedPack, PackWriter};
use super::{FOOTER_BYTES_MAX, STORED_BYTES_MAX};
use crate::codec::Reader;
use crate::door::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::id::{AccountId, CipherHash, DomainId};
use crate::record::{HEADER_BYTES, Header, RecordKind};

/// What a look at a bad pack found.
#[derive(Debug)]
pub struct Salvage {
    /// Its header, when that is in order.
    pub header: Option<PackHeader>,
    /// Whose records it holds, when any record says so.
    pub account: Option<AccountId>,
    /// Records that can be used, in the order of the file.
    pub lines: Vec<Line>,
    /// Records that are seen and cannot be used.
    pub lost: u64,
}

/// Looks at a pack. An error only when the disk fails.
pub fn salvage(disk: &dyn Disk, path: &Path, domain: DomainId) -> Result<Salvage> {
    let file = disk.open(path)?;
    let mut head = [0; PACK_HEADER_BYTES];
    let header = sound(read_exact(&*file, &mut head, 0).and_then(|()| PackHeader::decode(&head)))?;
    let (seen, end) = scan(&*file)?;
    let mut candidates: BTreeMap<u64, Line> = BTreeMap::new();
    for line in footer_lines(&*file, &seen, end)? {
        candidates.entry(line.offset).or_insert(line);
    }
    let mut account = None;
    let mut good: BTreeMap<u64, Line> = BTreeMap::new();
    for line in candidates.values() {
        if let Some(header) = verified(&*file, line)?
            && header.domain == domain
        {
            account.get_or_insert(header.account);
            good.insert(line.offset, line.clone());
        }
    }
    for (offset, header) in &seen {
        if header.kind == RecordKind::Group
            && header.domain == domain
            && !good.contains_key(offset)
            && let Some(line) = group(&*file, *offset, header)?
        {
            account.get_or_insert(header.account);
            good.insert(*offset, line);
        }
    }
    let offsets = seen.iter().map(|(offset, _)| *offset).chain(candidates.into_keys());
    let lost =
        offsets.filter(|offset| !good.contains_key(offset)).collect::<std::collections::BTreeSet<_>>().len() as u64;
    Ok(Salvage { header, account, lines: good.into_values().collect(), lost })
}

/// Copies these records of a pack into a new one, which is finished and synced.
pub fn copy_records(
    disk: &dyn Disk,
    from: &Path,
    to: PathBuf,
    header: PackHeader,
    lines: &[Line],
) -> Result<FinishedPack> {
    let file = disk.open(from)?;
    let mut writer = PackWriter::without_side(disk, to, header)?;
    for line in lines {
        let stored = read_stored(&*file, line)?;
        writer.put(&[&stored], line.kind, line.hash, line.ids.clone())?;
    }
    writer.finish()
}

/// Damage is an answer here.
fn sound<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.is_damage() || matches!(e, Error::Newer { .. } | Error::Limit { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The headers of records one after the other, as far as they lead, and where they end.
fn scan(file: &dyn DiskFile) -> Result<(Vec<(u64, Header)>, u64)> {
    let len = file.len()?;
    let mut seen = Vec::new();
    let mut at = PACK_HEADER_BYTES as u64;
    loop {
        let mut bytes = [0; HEADER_BYTES];
        if at + HEADER_BYTES as u64 > len {
            return Ok((seen, at));
        }
        read_exact(file, &mut bytes, at)?;
        let Some(header) = sound(Header::decode(&bytes))? else { return Ok((seen, at)) };
        let length = stored_len(&header);
        if length > STORED_BYTES_MAX as u64 || at + length > len {
            return Ok((seen, at));
        }
        seen.push((at, header));
        at += length;
    }
}

fn stored_len(header: &Header) -> u64 {
    let inline = if header.kind.clear_is_inline() { u64::from(header.clear_len) } else { 0 };
    HEADER_BYTES as u64 + inline + u64::from(header.sealed_len)
}

/// Lines of the footer, believed in nothing yet: as they follow each other, and at the places where the records' own
/// headers say that they must be.
fn footer_lines(file: &dyn DiskFile, seen: &[(u64, Header)], end: u64) -> Result<Vec<Line>> {
    let len = file.len()?;
    let mut last = [0; TRAILER_BYTES];
    let trailer = match len.checked_sub(TRAILER_BYTES as u64) {
        Some(at) => sound(read_exact(file, &mut last, at).and_then(|()| Trailer::decode(&last, len)))?,
        None => None,
    };
    let from = trailer.map_or(end, |trailer| trailer.offset);
    let bytes = len.saturating_sub(from).min(FOOTER_BYTES_MAX as u64);
    if bytes < FOOTER_BYTES_MIN as u64 {
        return Ok(Vec::new());
    }
    let footer = read_vec(file, bytes, from)?;
    let mut lines = Vec::new();
    if footer.starts_with(&FOOTER_MAGIC) {
        let mut r = Reader::new("pack footer", footer.get(FOOTER_BYTES_MIN..).unwrap_or_default());
        while let Ok(line) = Line::decode(&mut r) {
            lines.push(line);
        }
    }
    let mut at = FOOTER_BYTES_MIN;
    for (offset, header) in seen {
        let end = at + LINE_BYTES_MIN + 32 * header.items as usize;
        let Some(bytes) = footer.get(at..end) else { break };
        if let Ok(line) = Line::decode(&mut Reader::new("pack footer", bytes)) {
            lines.push(Line { offset: *offset, ..line });
        }
        at = end;
    }
    Ok(lines)
}

/// The header of a line's record, when both are what was written.
fn verified(file: &dyn DiskFile, line: &Line) -> Result<Option<Header>> {
    let Some(stored) = sound(read_stored(file, line))? else { return Ok(None) };
    let Some(header) = sound(Header::decode(stored.get(..HEADER_BYTES).unwrap_or_default()))? else { return Ok(None) };
    if header.kind != line.kind || stored_len(&header) != u64::from(line.length) {
        return Ok(None);
    }
    let whole = match line.kind {
        RecordKind::Box => {
            header.items as usize == line.ids.len()
                && *blake3::hash(line.ids.as_flattened()).as_bytes() == header.clear_hash
        }
        RecordKind::Group => sound(read_node_refs(file, line))?.is_some(),
        _ => true,
    };
    Ok(whole.then_some(header))
}

/// A group by what it says itself.
fn group(file: &dyn DiskFile, offset: u64, header: &Header) -> Result<Option<Line>> {
    let Ok(length) = u32::try_from(stored_len(header)) else { return Ok(None) };
    let stored = read_vec(file, length.into(), offset)?;
    let clear = stored.get(HEADER_BYTES..HEADER_BYTES + header.clear_len as usize).unwrap_or_default().to_vec();
    let record = crate::record::Record { header: *header, clear, sealed: Vec::new() };
    if *blake3::hash(&record.clear).as_bytes() != header.clear_hash {
        return Ok(None);
    }
    let Some(nodes) = sound(record.nodes())? else { return Ok(None) };
    let ids = nodes.iter().map(|(id, _)| *id.bytes()).collect();
    let hash = CipherHash::new(*blake3::hash(&stored).as_bytes());
    Ok(Some(Line { offset, length, kind: RecordKind::Group, hash, ids }))
}
