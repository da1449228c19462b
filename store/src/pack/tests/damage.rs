//! What is done to a file × where: it is seen, and the rest can still be read.

use super::*;
use crate::pack::Line;

/// What a reader makes of a line.
fn outcome(pack: &PackReader, line: &Line) -> Option<Record> {
    match pack.read(line) {
        Ok(record) => Some(record),
        Err(e) => {
            assert!(e.is_damage() || matches!(e, Error::Newer { .. } | Error::Limit { .. }), "{e}");
            None
        }
    }
}

#[test]
fn every_flipped_byte_is_seen_and_costs_one_record_at_most() {
    let records = one_of_each();
    let good = pack_bytes(PackKind::Mixed, &records);
    let lines = open(&good).unwrap().lines().to_vec();
    let mut bytes = good.clone();
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            bytes[at] ^= flip;
            let hit = lines.iter().position(|line| (line.offset..line.end()).contains(&(at as u64)));
            match (open(&bytes), hit) {
                (Err(e), None) => assert!(e.is_damage(), "byte {at}: {e}"),
                (Ok(_), None) => panic!("byte {at} of header, footer or trailer may be anything"),
                (Err(e), Some(_)) => panic!("byte {at} of a record costs the whole pack: {e}"),
                (Ok(pack), Some(hit)) => {
                    assert_eq!(pack.lines(), lines);
                    for (n, (line, record)) in lines.iter().zip(&records).enumerate() {
                        assert_eq!(pack.check(line).is_ok(), n != hit, "byte {at}, record {n}");
                        let expected = (n != hit && line.kind != RecordKind::Unknown(33)).then_some(record);
                        assert_eq!(outcome(&pack, line).as_ref(), expected, "byte {at}, record {n}");
                        if let Ok(nodes) = pack.node_refs(line) {
                            assert_eq!(nodes, record.nodes().unwrap(), "byte {at}: other references");
                        }
                    }
                }
            }
            bytes[at] ^= flip;
        }
    }
    assert_eq!(bytes, good);
}

#[test]
fn damage_names_its_place() {
    let good = pack_bytes(PackKind::Mixed, &one_of_each());
    let line = open(&good).unwrap().lines()[1].clone();
    let mut bytes = good;
    bytes[usize::try_from(line.end()).unwrap() - 1] ^= 1;
    let e = open(&bytes).unwrap().read(&line).unwrap_err();
    let place = format!("pack 9a9a9a9a at byte {}", line.offset);
    assert_eq!(
        e.to_string(),
        format!("the record in {place} is damaged: its bytes are not the ones that were written")
    );

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some.pack");
    write(&path, &bytes[..bytes.len() - 1]);
    let e = PackReader::open(&RealDisk, &path).map(drop).unwrap_err();
    assert_eq!(e.to_string(), "the pack trailer in some.pack is damaged: its checksum is wrong");
}

#[test]
fn a_pack_of_any_other_length_is_refused() {
    let good = pack_bytes(PackKind::Mixed, &one_of_each());
    for len in 0..good.len() {
        assert!(open(&good[..len]).map(drop).unwrap_err().is_damage(), "cut at {len}");
    }
    for more in [&[0][..], &[0; 64], &[0xff; 4096], &good] {
        assert!(open(&[&good, more].concat()).map(drop).unwrap_err().is_damage());
        assert!(open(&[more, &good].concat()).is_err());
    }
}

#[test]
fn zeroed_sectors_are_seen() {
    let good = pack_bytes(PackKind::Data, &[box_of(&[[1; 32]], &[0xaa; 3000]), box_of(&[[2; 32]], &[0xbb; 3000])]);
    for sector in 0..good.len().div_ceil(512) {
        let mut bytes = good.clone();
        let end = (sector * 512 + 512).min(bytes.len());
        bytes[sector * 512..end].fill(0);
        let seen = match open(&bytes) {
            Err(_) => true,
            Ok(pack) => pack.lines().iter().any(|line| pack.check(line).is_err()),
        };
        assert!(seen, "sector {sector}");
    }
}

#[test]
fn a_record_in_anothers_place_is_seen() {
    let a = box_of(&[[1; 32]], b"one");
    let b = box_of(&[[2; 32]], b"two");
    let good = pack_bytes(PackKind::Data, &[a, b]);
    let lines = open(&good).unwrap().lines().to_vec();
    let range = |line: &Line| usize::try_from(line.offset).unwrap()..usize::try_from(line.end()).unwrap();
    let mut bytes = good.clone();
    bytes.copy_within(range(&lines[1]), range(&lines[0]).start);
    let pack = open(&bytes).unwrap();
    assert!(pack.read(&lines[0]).unwrap_err().is_damage());
    pack.read(&lines[1]).unwrap();
}

/// What a wrong row of a catalog would ask for.
#[test]
fn the_right_record_under_anothers_ids_is_refused() {
    let good = pack_bytes(PackKind::Mixed, &one_of_each());
    let pack = open(&good).unwrap();
    for line in &pack.lines()[..2] {
        let mut others = vec![line.ids.iter().rev().copied().collect(), line.ids[1..].to_vec(), Vec::new()];
        others.push([&line.ids[..], &[[9; 32]]].concat());
        for ids in others {
            let wrong = Line { ids, ..line.clone() };
            assert!(pack.read(&wrong).unwrap_err().is_damage());
            assert!(pack.node_refs(&wrong).unwrap_err().is_damage());
        }
    }
    let wrong = Line { kind: RecordKind::VersionBody, ..pack.lines()[1].clone() };
    assert!(pack.read(&wrong).unwrap_err().is_damage());
}

#[test]
fn a_wrong_place_is_damage_and_not_trouble_of_the_disk() {
    let good = pack_bytes(PackKind::Data, &[box_of(&[[1; 32]], b"one")]);
    let pack = open(&good).unwrap();
    let line = &pack.lines()[0];
    for (offset, length) in [
        (line.offset + 1, line.length),
        (good.len() as u64, line.length),
        (u64::MAX - 1, line.length),
        (line.offset, line.length - 1),
        (line.offset, line.length + 1),
        (line.offset, 127),
        (line.offset, 0),
    ] {
        let wrong = Line { offset, length, ..line.clone() };
        assert!(pack.read(&wrong).unwrap_err().is_damage(), "{offset} {length}");
    }
    let huge = Line { length: u32::MAX, ..line.clone() };
    assert!(matches!(pack.read(&huge), Err(Error::Limit { .. })), "no room is made for 4 GiB");
}
