//! The bytes of format 1: they outlive programs.

use super::*;
use crate::door::Disk;
use crate::pack::side_path;

/// Changing this number changes format 1. It never changes.
const GOLDEN: &str = "848383dda12ccf7fc9a4631ee1d42024af86710895500375fef2bea5ab580bb3";
/// The same for the side file.
const GOLDEN_SIDE: &str = "e00c10a36131f7d4884aa274f42bf35571f789455f4635bc866b538858d3ada1";

#[test]
fn the_bytes_are_those_of_format_1() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = PackWriter::create(&RealDisk, dir.path(), pack_header(PackKind::Mixed)).unwrap();
    for record in one_of_each() {
        writer.append(&record).unwrap();
    }
    let finished = writer.finish().unwrap();
    let hash = |path: &Path| blake3::hash(&RealDisk.read(path, 1 << 20).unwrap()).to_hex().to_string();
    assert_eq!(hash(&finished.path), GOLDEN);
    assert_eq!(hash(&side_path(&finished.path)), GOLDEN_SIDE);
}

/// Takes the next bytes and compares them.
struct Bites<'a>(&'a [u8]);

impl Bites<'_> {
    #[track_caller]
    fn next(&mut self, expected: &[u8]) {
        let (head, tail) = self.0.split_at(expected.len());
        assert_eq!(head, expected);
        self.0 = tail;
    }
}

/// Written by hand from the tables of FORMAT.md, chapter 4.
#[test]
fn the_tables_are_kept() {
    let record = box_of(&[[1; 32], [2; 32]], b"sealed");
    let bytes = pack_bytes(PackKind::Data, std::slice::from_ref(&record));
    let mut at = Bites(&bytes);
    at.next(b"TBXP");
    at.next(&[1, 1, 0, 0]);
    at.next(&[7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    at.next(&[0; 4]);
    at.next(&[0xd0; 16]);
    at.next(&[0xac; 16]);
    at.next(&[0x5e; 16]);
    at.next(&[0x9a; 16]);
    at.next(&[8, 7, 6, 5, 4, 3, 2, 1]);
    at.next(&[0; 28]);
    at.next(&crc32c::crc32c(&bytes[..124]).to_le_bytes());

    let stored = &bytes[128..128 + 134];
    at.next(b"TBXR");
    at.next(&stored[4..128]);
    at.next(b"sealed");

    let footer = &bytes[262..bytes.len() - 64];
    at.next(b"TBXF");
    at.next(&1u32.to_le_bytes());
    at.next(&128u64.to_le_bytes());
    at.next(&134u32.to_le_bytes());
    at.next(&[1, 0, 0, 0]);
    at.next(blake3::hash(stored).as_bytes());
    at.next(&2u32.to_le_bytes());
    at.next(&[1; 32]);
    at.next(&[2; 32]);

    at.next(b"TBXT");
    at.next(&1u32.to_le_bytes());
    at.next(&262u64.to_le_bytes());
    at.next(&(footer.len() as u64).to_le_bytes());
    at.next(blake3::hash(&[&bytes[..128], footer].concat()).as_bytes());
    at.next(&[0; 4]);
    at.next(&crc32c::crc32c(&bytes[bytes.len() - 64..bytes.len() - 4]).to_le_bytes());
    assert!(at.0.is_empty());
}
