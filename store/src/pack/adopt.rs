//! Closes the pack that a dead session left unfinished.

use std::path::Path;

use super::header::{PACK_HEADER_BYTES, PackHeader};
use super::reader::{read_exact, read_stored};
use super::side;
use super::writer::{FinishedPack, PackWriter};
use crate::door::Disk;
use crate::error::{Error, Result};
use crate::record::RecordKind;

/// Makes a finished pack of the whole records of `<pack id>.part`: those whose line in the side file is whole and
/// whose bytes have the line's hash, known kinds and unknown ones alike. `None` when there is no such record.
///
/// The records are copied into a new file, `<pack id>.adopted`, which is synced. The old one is not closed in place:
/// a sync of it may have failed in the dead session, and what the system still shows of it, good hashes and all, may
/// never have reached the disk. Part and side file stay as they are, so a crash at any moment leaves an adoption that
/// can be repeated; an `.adopted` file of an earlier attempt is thrown away.
///
/// The pack keeps its id. A part whose pack was already published needs no adoption; that is for the caller to see.
pub fn adopt(disk: &dyn Disk, part: &Path) -> Result<Option<FinishedPack>> {
    let adopted = part.with_extension("adopted");
    match disk.remove_file(&adopted) {
        Ok(()) | Err(Error::NotFound { .. }) => {}
        Err(e) => return Err(e),
    }
    let file = disk.open(part)?;
    let mut head = [0; PACK_HEADER_BYTES];
    let header = match read_exact(&*file, &mut head, 0).and_then(|()| PackHeader::decode(&head)) {
        Ok(header) => header,
        Err(e) if e.is_damage() => return Ok(None),
        Err(e) => return Err(e),
    };
    header.check_writable()?;

    let mut writer: Option<PackWriter> = None;
    for line in side::read(disk, part)? {
        if !header.kind.holds(line.kind) && !matches!(line.kind, RecordKind::Unknown(_)) {
            // With it nobody could open the pack.
            continue;
        }
        let stored = match read_stored(&*file, &line) {
            Ok(stored) => stored,
            Err(e) if e.is_damage() => continue,
            Err(e) => return Err(e),
        };
        let to = match &mut writer {
            Some(to) => to,
            None => writer.insert(PackWriter::without_side(disk, adopted.clone(), header)?),
        };
        to.put(&[&stored], line.kind, line.hash, line.ids)?;
    }
    writer.map(PackWriter::finish).transpose()
}
