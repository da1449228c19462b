//! Bytes with good checksums that mean harm, and rubbish.

use proptest::prelude::*;

use super::*;
use crate::codec::Reader;
use crate::id::CipherHash;
use crate::pack::footer::{self, TRAILER_BYTES, Trailer};
use crate::pack::{Line, side};

fn line(offset: u64, length: u32) -> Line {
    Line { offset, length, kind: RecordKind::Box, hash: CipherHash::ZERO, ids: Vec::new() }
}

/// A pack whose footer has these lines and whose every checksum is right.
fn pack_with(lines: &[Line], records_end: u64) -> Vec<u8> {
    let header = pack_header(PackKind::Mixed).encode();
    let mut bytes = header.to_vec();
    bytes.resize(usize::try_from(records_end).unwrap(), 0);
    bytes.extend_from_slice(&footer::encode(&header, lines, records_end));
    bytes
}

#[test]
fn lines_cover_the_pack_without_gap_or_overlap() {
    open(&pack_with(&[line(128, 200), line(328, 300)], 628)).unwrap();
    for (why, lines) in [
        ("overlap", [line(128, 200), line(327, 301)]),
        ("the same twice", [line(128, 500), line(128, 500)]),
        ("gap", [line(128, 200), line(329, 299)]),
        ("not in order", [line(328, 300), line(128, 200)]),
        ("inside the header", [line(0, 328), line(328, 300)]),
        ("ends before the footer", [line(128, 200), line(328, 299)]),
        ("inside the footer", [line(128, 200), line(328, 301)]),
        ("shorter than a header", [line(128, 373), line(501, 127)]),
        ("past the end of numbers", [line(128, 200), line(u64::MAX, 300)]),
    ] {
        assert!(open(&pack_with(&lines, 628)).map(drop).unwrap_err().is_damage(), "{why}");
    }
    let huge = pack_with(&[line(128, u32::MAX)], 628);
    assert!(matches!(open(&huge).map(drop), Err(Error::Limit { .. })));
}

#[test]
fn a_data_pack_holds_no_groups() {
    let header = pack_header(PackKind::Data).encode();
    for (kind, is_good) in [(RecordKind::Box, true), (RecordKind::Group, false), (RecordKind::Unknown(35), true)] {
        let lines = [Line { kind, ..line(128, 200) }];
        let bytes = [&header[..], &[0; 200], &footer::encode(&header, &lines, 328)].concat();
        assert_eq!(open(&bytes).is_ok(), is_good, "{kind:?}");
    }
}

#[test]
fn counts_are_bounded_before_room_is_made() {
    let good = pack_with(&[line(128, 200)], 328);
    let footer_at = 328;
    let header = pack_header(PackKind::Mixed).encode();
    // (offset in the footer, what stands there): record count, items of the line.
    for offset in [4, 8 + 48] {
        for number in [2u32, 65_537, u32::MAX] {
            let mut footer = good[footer_at..good.len() - TRAILER_BYTES].to_vec();
            footer[offset..offset + 4].copy_from_slice(&number.to_le_bytes());
            let trailer = trailer_of(&header, &footer, 328, 1.max(if offset == 4 { number } else { 1 }));
            let bytes = [&good[..footer_at], &footer, &trailer].concat();
            assert!(open(&bytes).is_err(), "{number} at {offset}");
        }
    }
}

#[test]
fn a_trailer_that_lies_about_the_footer_is_refused() {
    // Longer than the first read, so that the footer is read by what the trailer says.
    let records_end = 300_000u64;
    let lines = [line(128, u32::try_from(records_end).unwrap() - 128)];
    let good = pack_with(&lines, records_end);
    open(&good).unwrap();
    let length = good.len() as u64 - records_end - TRAILER_BYTES as u64;
    for (offset, length) in [
        (records_end, length - 1),
        (records_end, length + 1),
        (records_end - 1, length),
        (records_end + 1, length),
        (records_end - 100_000, 100),
        (0, records_end + length),
        (127, records_end + length - 127),
        (128, u64::MAX),
        (u64::MAX, 128),
        (128, u64::MAX - 128 - 64),
    ] {
        let mut bytes = good.clone();
        let at = bytes.len() - TRAILER_BYTES;
        bytes[at + 8..at + 16].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 16..at + 24].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[at..at + 60]).to_le_bytes();
        bytes[at + 60..].copy_from_slice(&crc);
        assert!(open(&bytes).map(drop).unwrap_err().is_damage(), "{offset} {length}");
    }
    let (_, last) = good.split_last_chunk().unwrap();
    Trailer::decode(last, good.len() as u64).unwrap();
}

#[test]
fn a_footer_too_long_to_read_is_a_limit() {
    let length = super::super::FOOTER_BYTES_MAX as u64 + 1;
    let mut trailer = b"TBXT".to_vec();
    trailer.extend_from_slice(&1u32.to_le_bytes());
    trailer.extend_from_slice(&128u64.to_le_bytes());
    trailer.extend_from_slice(&length.to_le_bytes());
    trailer.extend_from_slice(&[0; 36]);
    trailer.extend_from_slice(&crc32c::crc32c(&trailer).to_le_bytes());
    let decoded = Trailer::decode(trailer.first_chunk().unwrap(), 128 + length + TRAILER_BYTES as u64);
    assert!(matches!(decoded.map(drop), Err(Error::Limit { .. })));
}

#[test]
fn a_record_of_another_domain_is_refused() {
    let mut stranger = box_of(&[[1; 32]], b"of another domain");
    stranger.header.domain = DomainId::new([1; 16]);
    let header = pack_header(PackKind::Data).encode();
    let length = u32::try_from(stranger.stored_len()).unwrap();
    let of = Line { hash: stranger.cipher_hash(), ids: vec![[1; 32]], ..line(128, length) };
    let stored = [&stranger.header.encode()[..], &stranger.sealed].concat();
    let end = footer::encode(&header, std::slice::from_ref(&of), of.end());
    let pack = open(&[&header[..], &stored, &end].concat()).unwrap();
    assert!(pack.read(&of).unwrap_err().is_damage());
}

/// A trailer with right checksums.
fn trailer_of(header: &[u8; 128], footer: &[u8], offset: u64, count: u32) -> Vec<u8> {
    let mut out = b"TBXT".to_vec();
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&(footer.len() as u64).to_le_bytes());
    out.extend_from_slice(blake3::hash(&[&header[..], footer].concat()).as_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out
}

#[test]
fn newer_packs_are_said_to_be_newer() {
    let good = pack_bytes(PackKind::Mixed, &one_of_each());
    for (at, byte) in [(4, 2), (5, 9), (16, 1)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        let crc = crc32c::crc32c(&bytes[..124]).to_le_bytes();
        bytes[124..128].copy_from_slice(&crc);
        assert!(matches!(open(&bytes).map(drop), Err(Error::Newer { .. })), "byte {at}");
    }
    // Features that only writers must know do not keep readers out.
    for features in [[u32::MAX, 0, 0], [0, u32::MAX, 0]] {
        let header = PackHeader { features, ..pack_header(PackKind::Mixed) }.encode();
        open(&[&header[..], &footer::encode(&header, &[], 128)].concat()).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let header = PackHeader { features: [0, 1, 0], ..pack_header(PackKind::Mixed) };
    assert!(PackWriter::create(&RealDisk, dir.path(), header).is_err(), "nor are they written unknown");
}

#[test]
fn reserved_bytes_are_zero() {
    let good = pack_header(PackKind::Mixed).encode();
    for at in [6, 7, 20, 23, 96, 123] {
        let mut bytes = good;
        bytes[at] = 1;
        let crc = crc32c::crc32c(&bytes[..124]).to_le_bytes();
        bytes[124..].copy_from_slice(&crc);
        assert!(PackHeader::decode(&bytes).unwrap_err().is_damage(), "byte {at}");
    }
}

proptest! {
    #[test]
    fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000), pack_bytes: u64) {
        prop_assert!(open(&bytes).is_err());
        if let Some(head) = bytes.first_chunk() {
            prop_assert!(PackHeader::decode(head).is_err());
        }
        if let Some(tail) = bytes.last_chunk() {
            prop_assert!(Trailer::decode(tail, pack_bytes).is_err());
        }
        Line::decode(&mut Reader::new("test", &bytes)).ok();
        side::whole_lines(&bytes);
    }

    /// Rubbish where a footer stands, with every checksum right.
    #[test]
    fn a_signed_rubbish_footer_never_panics(
        mut footer in proptest::collection::vec(any::<u8>(), 8..500),
        numbers in proptest::collection::vec(0u32..4, 0..40),
        records in 0usize..500,
        count in 0u32..8,
    ) {
        // Small numbers here and there, so that counts and lengths get past their first test.
        for (n, number) in numbers.iter().enumerate() {
            let at = n * 13 % (footer.len() - 4);
            footer[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        footer[..4].copy_from_slice(b"TBXF");
        footer[4..8].copy_from_slice(&count.to_le_bytes());
        let header = pack_header(PackKind::Mixed).encode();
        let trailer = trailer_of(&header, &footer, 128 + records as u64, count);
        let bytes = [&header[..], &vec![7; records], &footer, &trailer].concat();
        if let Ok(pack) = open(&bytes) {
            for line in pack.lines() {
                pack.check(line).ok();
                pack.node_refs(line).ok();
            }
        }
    }

    /// A record of rubbish under a line with the right hash.
    #[test]
    fn a_hashed_rubbish_record_is_refused(bytes in proptest::collection::vec(any::<u8>(), 128..600), kind in 1u8..3) {
        let line = Line {
            offset: 0,
            length: u32::try_from(bytes.len()).unwrap(),
            kind: RecordKind::from_number(kind),
            hash: CipherHash::new(*blake3::hash(&bytes).as_bytes()),
            ids: vec![[1; 32]],
        };
        let file = Bytes(bytes);
        prop_assert!(crate::pack::read_record(&file, &line).is_err());
        prop_assert!(crate::pack::read_node_refs(&file, &line).is_err());
    }
}
