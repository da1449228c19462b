//! An account in one file, as somebody else may have written it.

use store::archive::{ArchiveHeader, ArchiveReader, ArchiveWriter, PartHead, PartKind};
use store::id::VaultId;

use super::{NO_WORDS, Target, mend_crc};
use crate::keys::{ACCOUNT, DOMAIN};

pub(super) const TARGETS: &[Target] =
    &[Target { name: "archive", run: archive, seeds: || vec![written(&[]), written(b"a pack")], words: NO_WORDS }];

const HEADER_BYTES: usize = 128;
const PART_BYTES: usize = 64;
const HASH_BYTES: usize = 32;

fn written(pack: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = |some: &[u8]| {
        bytes.extend_from_slice(some);
        Ok(())
    };
    let header = ArchiveHeader {
        features: [0; 3],
        number: 1,
        vault: VaultId::new([3; 16]),
        domain: DOMAIN,
        account: ACCOUNT,
        made_at: 1,
        packs: 1,
        pack_bytes: pack.len() as u64,
        links: 1,
    };
    let mut id = [0; 32];
    id[0] = 6;
    let mut writer = ArchiveWriter::new(&header, &mut out).expect("a header");
    for (kind, number, id, content) in [
        (PartKind::Account, 0, [0; 32], b"note".as_slice()),
        (PartKind::Link, 1, [0; 32], b"link"),
        (PartKind::Body, 0, [9; 32], b"body"),
        (PartKind::Pack, 0, id, pack),
    ] {
        writer.begin(&PartHead { kind, number, id, len: content.len() as u64 }).expect("a part");
        writer.content(content).expect("its content");
        writer.end_part().expect("its end");
    }
    writer.end().expect("the end");
    bytes
}

/// As it is; then with every sum made right, so that what is behind them is reached.
fn archive(bytes: &[u8]) {
    read(bytes);
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    read(&mended);
}

fn read(bytes: &[u8]) {
    let mut from = bytes;
    let Ok(mut reader) = ArchiveReader::new(&mut from) else { return };
    assert_eq!(reader.header().encode(), bytes[..HEADER_BYTES]);
    let mut seen = HEADER_BYTES;
    loop {
        match reader.next_part() {
            Err(_) => return,
            // A whole archive is all of what there is.
            Ok(None) => return assert_eq!(seen + PART_BYTES + 2 * HASH_BYTES, bytes.len()),
            Ok(Some(head)) => {
                assert_eq!(head.encode(), bytes[seen..seen + PART_BYTES]);
                let mut content = 0;
                loop {
                    match reader.content() {
                        Err(_) => return,
                        Ok(None) => break,
                        Ok(Some(piece)) => content += piece.len(),
                    }
                }
                assert_eq!(content as u64, head.len);
                seen += PART_BYTES + content + HASH_BYTES;
            }
        }
    }
}

fn mend(bytes: &mut [u8]) {
    mend_crc(bytes, HEADER_BYTES);
    let mut all = blake3::Hasher::new();
    all.update(bytes.get(..HEADER_BYTES).unwrap_or_default());
    let mut at = HEADER_BYTES;
    while bytes.len() >= at + PART_BYTES {
        mend_crc(&mut bytes[at..], PART_BYTES);
        let len = u64::from_le_bytes(bytes[at + 48..at + 56].try_into().expect("8 bytes"));
        let Some(end) = usize::try_from(len).ok().and_then(|len| (at + PART_BYTES).checked_add(len)) else { return };
        if end.checked_add(HASH_BYTES).is_none_or(|end| end > bytes.len()) {
            return;
        }
        if bytes[at + 4] == 255 && len == HASH_BYTES as u64 {
            bytes[at + PART_BYTES..end].copy_from_slice(all.finalize().as_bytes());
        }
        let hash = blake3::hash(&bytes[at..end]);
        bytes[end..end + HASH_BYTES].copy_from_slice(hash.as_bytes());
        all.update(hash.as_bytes());
        at = end + HASH_BYTES;
    }
}
