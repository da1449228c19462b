//! What went in comes out.

use proptest::prelude::*;

use super::*;
use crate::door::{Disk, Faulty};
use crate::pack::{part_path, read_record, side, side_path};

#[test]
fn every_kind_comes_back() {
    let records = one_of_each();
    let pack = open(&pack_bytes(PackKind::Mixed, &records)).unwrap();
    assert_eq!(pack.header(), &pack_header(PackKind::Mixed));
    assert_eq!(pack.lines().len(), records.len());
    assert!(pack.has_unknown());
    for (line, record) in pack.lines().iter().zip(&records) {
        assert_eq!(line.hash, record.cipher_hash());
        assert_eq!(line.length as usize, record.stored_len());
        pack.check(line).unwrap();
        if line.kind == RecordKind::Unknown(33) {
            assert!(matches!(pack.read(line), Err(Error::Newer { found: 33, .. })));
        } else {
            assert_eq!(&pack.read(line).unwrap(), record);
        }
        if line.kind == RecordKind::Group {
            assert_eq!(pack.node_refs(line).unwrap(), record.nodes().unwrap());
        } else {
            assert!(pack.node_refs(line).is_err());
        }
    }
}

#[test]
fn a_footer_longer_than_the_first_read_comes_back() {
    let ids: Vec<[u8; 32]> = (0..10_000u32).map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
    let records = [box_of(&ids, b"many small chunks"), box_of(&ids[..1], b"one")];
    let bytes = pack_bytes(PackKind::Data, &records);
    let pack = open(&bytes).unwrap();
    let read: Vec<_> = pack.lines().iter().map(|line| pack.read(line).unwrap()).collect();
    assert_eq!(read, records);
}

#[test]
fn an_empty_pack_is_a_pack() {
    assert!(open(&pack_bytes(PackKind::Nodes, &[])).unwrap().lines().is_empty());
}

#[test]
fn bytes_foretells_the_length_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = PackWriter::create(&RealDisk, dir.path(), pack_header(PackKind::Mixed)).unwrap();
    for record in one_of_each() {
        writer.append(&record).unwrap();
    }
    let foretold = writer.bytes();
    let finished = writer.finish().unwrap();
    assert_eq!(std::fs::metadata(&finished.path).unwrap().len(), foretold);
    assert_eq!(finished.path, part_path(dir.path(), finished.header.pack));
    let pack = PackReader::open(&RealDisk, &finished.path).unwrap();
    assert_eq!(pack.lines(), finished.lines);
}

#[test]
fn records_are_read_by_their_line_alone() {
    let records = one_of_each();
    let bytes = pack_bytes(PackKind::Mixed, &records);
    let lines = open(&bytes).unwrap().lines().to_vec();
    assert_eq!(read_record(&Bytes(bytes), &lines[0]).unwrap(), records[0]);
}

#[test]
fn a_pack_takes_only_what_belongs_there() {
    let dir = tempfile::tempdir().unwrap();
    let [a_box, group, ..] = &one_of_each()[..] else { unreachable!() };
    let mut writer = PackWriter::create(&RealDisk, dir.path(), pack_header(PackKind::Data)).unwrap();
    assert!(matches!(writer.append(group), Err(Error::Refused { .. })));
    let mut stranger = a_box.clone();
    stranger.header.domain = DomainId::new([1; 16]);
    assert!(writer.append(&stranger).unwrap_err().is_damage());
    let mut other_ids = a_box.clone();
    other_ids.clear[0] ^= 1;
    assert!(writer.append(&other_ids).unwrap_err().is_damage());
    writer.append(a_box).unwrap();
    let finished = writer.finish().unwrap();
    assert_eq!(finished.lines.len(), 1);
    let pack = PackReader::open(&RealDisk, &finished.path).unwrap();
    assert_eq!(&pack.read(&finished.lines[0]).unwrap(), a_box);
}

#[test]
fn a_pack_is_begun_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = PackWriter::create(&RealDisk, dir.path(), pack_header(PackKind::Data)).unwrap();
    let second = PackWriter::create(&RealDisk, dir.path(), pack_header(PackKind::Data));
    assert!(matches!(second.map(drop), Err(Error::Taken { .. })));
    drop(first);
}

#[test]
fn no_line_is_written_before_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(RealDisk, None);
    let part = part_path(dir.path(), pack_header(PackKind::Data).pack);
    let mut writer = PackWriter::create(&disk, dir.path(), pack_header(PackKind::Data)).unwrap();
    let lines_are_covered = || {
        let written = std::fs::metadata(&part).unwrap().len();
        let lines = side::read(&RealDisk, &part).unwrap();
        assert!(lines.iter().all(|line| line.end() <= written));
        lines.len()
    };
    for n in 0..40u8 {
        writer.append(&box_of(&[[n; 32]], &vec![n; 100_000])).unwrap();
        lines_are_covered();
    }
    writer.flush().unwrap();
    assert_eq!(lines_are_covered(), 40);
    writer.finish().unwrap();

    let calls = disk.calls();
    let is_side = |path: &Path| path == side_path(&part);
    for pair in calls.windows(2) {
        if pair[1].0 == "append" && is_side(&pair[1].1) {
            assert!(pair[0].0 == "append" && !is_side(&pair[0].1), "a line follows its record");
        }
    }
    let appends = calls.iter().filter(|(doing, _)| *doing == "append").count();
    assert!(appends <= 12, "small records are gathered: {appends} calls");
    assert_eq!(calls.last().unwrap(), &("sync", part), "the last call is the sync");
}

#[test]
fn a_disk_that_fails_anywhere_leaves_whole_records() {
    let records: Vec<Record> = (0..30u8).map(|n| box_of(&[[n; 32]], &vec![n; 100_000])).collect();
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = Faulty::new(RealDisk, Some(at));
        let result = PackWriter::create(&disk, dir.path(), pack_header(PackKind::Data)).and_then(|mut writer| {
            records.iter().try_for_each(|record| writer.append(record).map(drop))?;
            writer.finish()
        });
        if !disk.has_failed() {
            result.unwrap();
            assert!(at > 6, "creating, appending and syncing were tried");
            break;
        }
        assert!(result.unwrap_err().is_full());
        let part = part_path(dir.path(), pack_header(PackKind::Data).pack);
        if RealDisk.exists(&part).unwrap().is_none() {
            continue;
        }
        let expected = side::read(&RealDisk, &part).unwrap().len();
        let Some(adopted) = crate::pack::adopt(&RealDisk, &part, &part.with_extension("adopted")).unwrap() else {
            assert_eq!(expected, 0);
            continue;
        };
        assert_eq!(adopted.lines.len(), expected);
        let pack = PackReader::open(&RealDisk, &adopted.path).unwrap();
        let read: Vec<_> = pack.lines().iter().map(|line| pack.read(line).unwrap()).collect();
        assert_eq!(read, records[..expected]);
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
    let ids = || proptest::collection::vec(any::<[u8; 32]>(), 0..5);
    let refs = (ids(), ids()).prop_map(|(chunks, nodes)| Refs {
        chunks: chunks.into_iter().map(ChunkId::new).collect(),
        nodes: nodes.into_iter().map(NodeId::new).collect(),
    });
    let nodes = proptest::collection::vec((any::<[u8; 32]>().prop_map(NodeId::new), refs), 0..4);
    prop_oneof![
        (ids(), bytes()).prop_map(|(ids, sealed)| box_of(&ids, &sealed)),
        (nodes, bytes()).prop_map(|(nodes, sealed)| group_of(&nodes, &sealed)),
        (bytes(), bytes()).prop_map(|(clear, sealed)| record(RecordKind::VersionBody, 0, clear, sealed)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_records_come_back(records in proptest::collection::vec(any_record(), 0..12)) {
        let pack = open(&pack_bytes(PackKind::Mixed, &records)).unwrap();
        let read: Vec<_> = pack.lines().iter().map(|line| pack.read(line).unwrap()).collect();
        prop_assert_eq!(&read, &records);
        for (line, record) in pack.lines().iter().zip(&records) {
            if line.kind == RecordKind::Group {
                prop_assert_eq!(pack.node_refs(line).unwrap(), record.nodes().unwrap());
            }
        }
    }
}
