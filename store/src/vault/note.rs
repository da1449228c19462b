//! Notes: the server's own small truths (FORMAT.md, chapter 7).
//!
//! A note is a numbered file that is never replaced. Two who write at once both try the next number; the file system
//! gives it to one of them, and the other reads again and decides anew.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use super::layout;
use crate::codec::Reader;
use crate::door::{Chance, Disk, random};
use crate::error::{Error, Result};
use crate::id::hex;

const MAGIC: [u8; 4] = *b"TBXN";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 12;
const HASH_BYTES: usize = 32;
/// Longest content of a note. An account's note holds its passphrase slots, well under 1 KiB each.
const NOTE_BYTES_MAX: usize = 1 << 20;

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoteKind {
    /// An account; the highest number is in force.
    Account,
    /// A group of accounts; the highest number is in force.
    Group,
    /// A damaged record; each is a fact of its own.
    Damaged,
    /// A session: not numbered, replaced by rename.
    Session,
}

impl NoteKind {
    fn number(self) -> u8 {
        match self {
            Self::Account => 1,
            Self::Group => 2,
            Self::Damaged => 3,
            Self::Session => 4,
        }
    }
}

/// Writes the content of a note.
pub(super) type Writer<'a> = minicbor::Encoder<&'a mut Vec<u8>>;
/// Writing to memory never fails.
pub(super) type Written = std::result::Result<(), minicbor::encode::Error<Infallible>>;

/// The content of a note, as `write` writes it.
pub(super) fn content(write: impl FnOnce(&mut Writer<'_>) -> Written) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out)).unwrap_or(());
    out
}

/// The bytes of a note with this content.
pub(super) fn encode(kind: NoteKind, content: &[u8]) -> Result<Vec<u8>> {
    let len = match u32::try_from(content.len()) {
        Ok(len) if content.len() <= NOTE_BYTES_MAX => len,
        _ => return Err(too_long(content.len())),
    };
    let mut out = Vec::with_capacity(HEAD_BYTES + content.len() + HASH_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, kind.number(), 0, 0]);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(content);
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    Ok(out)
}

fn too_long(found: usize) -> Error {
    Error::Limit { what: "length of a note", found: found as u64, most: NOTE_BYTES_MAX as u64 }
}

/// The content of a note of this kind.
pub(super) fn decode(kind: NoteKind, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut r = Reader::new("note", bytes);
    if r.array()? != MAGIC {
        return Err(r.damaged("its magic is wrong"));
    }
    // Before anything in it is believed: a length or a version that was never written is damage, and not a limit or a
    // newer program.
    let whole = bytes.split_last_chunk::<HASH_BYTES>();
    if whole.is_none_or(|(all, hash)| blake3::hash(all).as_bytes() != hash) {
        return Err(r.damaged("its checksum is wrong"));
    }
    let version = r.u8()?;
    if version != VERSION {
        return Err(Error::Newer { what: "note", found: version.into() });
    }
    if r.u8()? != kind.number() {
        return Err(r.damaged("it is of another kind"));
    }
    r.zeros(2)?;
    let len = r.u32()? as usize;
    if len > NOTE_BYTES_MAX {
        return Err(too_long(len));
    }
    let content = r.bytes(len)?;
    r.bytes(HASH_BYTES)?;
    r.end()?;
    Ok(content.to_vec())
}

/// Reads a note.
pub(super) fn read(disk: &dyn Disk, kind: NoteKind, path: &Path) -> Result<Vec<u8>> {
    let bytes = disk.read(path, HEAD_BYTES + NOTE_BYTES_MAX + HASH_BYTES)?;
    decode(kind, &bytes).map_err(|e| e.at(|| path.display().to_string()))
}

/// The numbers of the notes in a folder, ascending. A folder that is not there has none.
pub(super) fn numbers(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
    let names = match disk.names(dir) {
        Err(Error::NotFound { .. }) => return Ok(Vec::new()),
        other => other?,
    };
    let mut out: Vec<u64> = names.iter().filter_map(|name| layout::numbered(name, 8, ".note")).collect();
    out.sort_unstable();
    Ok(out)
}

/// The path of a note.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.note"))
}

/// Makes the note of this number, durably. `Taken` when there is one: read again and decide anew.
pub(super) fn add(
    disk: &dyn Disk,
    chance: &dyn Chance,
    dir: &Path,
    number: u64,
    kind: NoteKind,
    content: &[u8],
) -> Result<()> {
    let bytes = encode(kind, content)?;
    let temporary = temporary(chance, dir);
    let done = write_new(disk, &temporary, &bytes).and_then(|()| disk.link_new(&temporary, &path(dir, number)));
    // A left-over name is of no meaning to anybody.
    disk.remove_file(&temporary).ok();
    done?;
    disk.sync_dir(dir)
}

/// A name that nobody else uses, and that no reader takes for anything.
pub(super) fn temporary(chance: &dyn Chance, dir: &Path) -> PathBuf {
    dir.join(format!("{}.new", hex(&random::<8>(chance))))
}

/// Writes a new file and syncs it. Its name is not synced.
pub(super) fn write_new(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = disk.create_new(path)?;
    file.append(bytes)?;
    file.sync()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::door::{ConstantChance, RealDisk};

    proptest! {
        #[test]
        fn notes_go_there_and_back(content: Vec<u8>) {
            let bytes = encode(NoteKind::Account, &content).unwrap();
            prop_assert_eq!(decode(NoteKind::Account, &bytes).unwrap(), content);
            prop_assert!(decode(NoteKind::Damaged, &bytes).is_err());
        }

        #[test]
        fn every_altered_byte_is_seen(content: Vec<u8>, at: prop::sample::Index, by in 1u8..) {
            let mut bytes = encode(NoteKind::Damaged, &content).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert!(decode(NoteKind::Damaged, &bytes).is_err());
        }

        #[test]
        fn rubbish_never_panics(bytes: Vec<u8>) {
            prop_assert!(decode(NoteKind::Account, &bytes).is_err());
        }
    }

    #[test]
    fn a_number_is_given_once() {
        let dir = tempfile::tempdir().unwrap();
        let chance = ConstantChance::new(1);
        let add = |n| add(&RealDisk, &chance, dir.path(), n, NoteKind::Account, b"x");
        add(1).unwrap();
        add(2).unwrap();
        assert!(matches!(add(2), Err(Error::Taken { .. })));
        assert_eq!(numbers(&RealDisk, dir.path()).unwrap(), [1, 2]);
    }
}
