//! Packs: header, records, footer, trailer; and the ones that a dead session left, with their side files.

use std::path::Path;

use store::door::Disk;
use store::id::{PackId, SessionId};
use store::pack::{PackHeader, PackKind, PackReader, PackWriter, adopt, part_path, side_path};

use super::{NO_WORDS, Target, joined, mend_crc, records, two};
use crate::disk::MemoryDisk;
use crate::keys::{ACCOUNT, DOMAIN};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "pack-header", run: header, seeds: || vec![the_header().encode().to_vec()], words: NO_WORDS },
    Target { name: "pack", run: pack, seeds: packs, words: NO_WORDS },
    Target { name: "side-file", run: side, seeds: sides, words: NO_WORDS },
];

const HEADER_BYTES: usize = 128;
const TRAILER_BYTES: usize = 64;

fn the_header() -> PackHeader {
    PackHeader {
        kind: PackKind::Mixed,
        features: [0; 3],
        domain: DOMAIN,
        account: ACCOUNT,
        session: SessionId::new([5; 16]),
        pack: PackId::new([6; 16]),
        session_number: 1,
    }
}

/// A pack with a box and a group: whole, and as it was before its end was written, with its side file.
fn written() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let disk = MemoryDisk::default();
    let dir = Path::new("staging");
    let mut writer = PackWriter::create(&disk, dir, the_header()).expect("a pack");
    for record in &records::samples()[..3] {
        writer.append(record).expect("a record");
    }
    writer.flush().expect("written");
    let part = part_path(dir, PackId::new([6; 16]));
    let read = |path: &Path| disk.read(path, 1 << 20).expect("a file");
    let (begun, side) = (read(&part), read(&side_path(&part)));
    writer.finish().expect("finished");
    (read(&part), begun, side)
}

fn packs() -> Vec<Vec<u8>> {
    vec![written().0]
}

fn sides() -> Vec<Vec<u8>> {
    let (_, part, side) = written();
    vec![joined(&side, &part)]
}

fn header(bytes: &[u8]) {
    let mut head = [0; HEADER_BYTES];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    drop(PackHeader::decode(&head));
    mend_crc(&mut head, HEADER_BYTES);
    if let Ok(header) = PackHeader::decode(&head) {
        assert_eq!(header.encode(), head);
    }
}

/// Makes the sums and hashes of header, footer and trailer right, and the trailer's idea of where the footer is.
fn mend(bytes: &mut [u8]) {
    mend_crc(bytes, HEADER_BYTES);
    let Some(at) = bytes.len().checked_sub(TRAILER_BYTES).filter(|at| *at >= HEADER_BYTES) else { return };
    let (before, trailer) = bytes.split_at_mut(at);
    let offset = u64::from_le_bytes(trailer[8..16].try_into().expect("8 bytes"));
    let offset = usize::try_from(offset).unwrap_or(usize::MAX).clamp(HEADER_BYTES, at);
    trailer[8..16].copy_from_slice(&(offset as u64).to_le_bytes());
    trailer[16..24].copy_from_slice(&((at - offset) as u64).to_le_bytes());
    let footer = &before[offset..];
    if let Some(count) = footer.get(4..8) {
        trailer[4..8].copy_from_slice(count);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before[..HEADER_BYTES]).update(footer);
    trailer[24..56].copy_from_slice(hasher.finalize().as_bytes());
    mend_crc(trailer, TRAILER_BYTES);
}

fn read_all(bytes: &[u8]) {
    let disk = MemoryDisk::default().with("pack", bytes);
    let Ok(reader) = PackReader::open(&disk, Path::new("pack")) else { return };
    for line in reader.lines() {
        drop(reader.check(line));
        drop(reader.read(line));
        drop(reader.node_refs(line));
    }
}

fn pack(bytes: &[u8]) {
    read_all(bytes);
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    read_all(&mended);
}

fn side(bytes: &[u8]) {
    let (side, part) = two(bytes);
    let mut part = part.to_vec();
    mend_crc(&mut part, HEADER_BYTES);
    let path = part_path(Path::new("staging"), PackId::new([6; 16]));
    let disk = MemoryDisk::default().with(side_path(&path), side).with(&path, part);
    if let Ok(Some(finished)) = adopt(&disk, &path) {
        let reader = PackReader::open(&disk, &finished.path).expect("what was adopted can be read");
        // What a header of another domain stood before is refused when it is read.
        if reader.header().domain == DOMAIN {
            reader.lines().iter().for_each(|line| reader.check(line).expect("only whole records are adopted"));
        }
    }
}
