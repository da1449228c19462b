//! What a dead session left.

use super::*;
use crate::door::{Disk, Faulty};
use crate::pack::{FinishedPack, adopt, part_path, side_path};

/// Part and side file of an unfinished pack, and where each record ends in them.
struct Left {
    part: Vec<u8>,
    side: Vec<u8>,
    records: Vec<Record>,
    ends: Vec<(usize, usize)>,
}

fn left_behind() -> Left {
    let dir = tempfile::tempdir().unwrap();
    let records = one_of_each();
    let mut writer = PackWriter::create(&RealDisk, dir.path(), pack_header(PackKind::Mixed)).unwrap();
    let part = part_path(dir.path(), pack_header(PackKind::Mixed).pack);
    let read = || (std::fs::read(&part).unwrap(), std::fs::read(side_path(&part)).unwrap());
    let mut ends = Vec::new();
    for record in &records {
        writer.append(record).unwrap();
        writer.flush().unwrap();
        let (part, side) = read();
        ends.push((part.len(), side.len()));
    }
    let (part, side) = read();
    Left { part, side, records, ends }
}

/// Adopts these bytes and reads everything back.
fn adopted(disk: &dyn Disk, dir: &Path, part: &[u8], side: &[u8]) -> Option<(FinishedPack, PackReader)> {
    let path = part_path(dir, pack_header(PackKind::Mixed).pack);
    write(&path, part);
    write(&side_path(&path), side);
    let finished = adopt(disk, &path).unwrap()?;
    let pack = PackReader::open(disk, &finished.path).unwrap();
    assert_eq!(pack.header(), &finished.header);
    assert_eq!(pack.header(), &pack_header(PackKind::Mixed));
    assert_eq!(pack.lines(), finished.lines);
    assert_eq!(std::fs::metadata(&finished.path).unwrap().len(), finished.bytes);
    for line in pack.lines() {
        pack.check(line).unwrap();
    }
    Some((finished, pack))
}

fn hashes(adopted: Option<(FinishedPack, PackReader)>) -> Vec<crate::id::CipherHash> {
    adopted.map(|(_, pack)| pack.lines().iter().map(|line| line.hash).collect()).unwrap_or_default()
}

fn hashes_of(records: &[Record]) -> Vec<crate::id::CipherHash> {
    records.iter().map(Record::cipher_hash).collect()
}

#[test]
fn a_cut_anywhere_leaves_exactly_the_whole_records() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    for cut in 0..=left.part.len() {
        let whole = left.ends.iter().filter(|(part, _)| *part <= cut).count();
        let got = hashes(adopted(&RealDisk, dir.path(), &left.part[..cut], &left.side));
        assert_eq!(got, hashes_of(&left.records[..whole]), "part cut at {cut}");
    }
    for cut in 0..=left.side.len() {
        let whole = left.ends.iter().filter(|(_, side)| *side <= cut).count();
        let got = hashes(adopted(&RealDisk, dir.path(), &left.part, &left.side[..cut]));
        assert_eq!(got, hashes_of(&left.records[..whole]), "side cut at {cut}");
    }
}

#[test]
fn an_adopted_pack_is_the_pack_that_would_have_been() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    let (finished, _) = adopted(&RealDisk, dir.path(), &left.part, &left.side).unwrap();
    assert_eq!(std::fs::read(&finished.path).unwrap(), pack_bytes(PackKind::Mixed, &left.records));
}

#[test]
fn a_pack_that_was_finished_but_not_published_is_adopted_whole() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    let done = pack_bytes(PackKind::Mixed, &left.records);
    let (finished, _) = adopted(&RealDisk, dir.path(), &done, &left.side).unwrap();
    assert_eq!(std::fs::read(&finished.path).unwrap(), done);
}

#[test]
fn a_torn_record_costs_only_itself() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    let mut begin = 128;
    for (n, (end, _)) in left.ends.iter().enumerate() {
        for at in [begin, begin + 130, *end - 1] {
            let mut part = left.part.clone();
            part[at] ^= 1;
            let mut expected = hashes_of(&left.records);
            expected.remove(n);
            assert_eq!(hashes(adopted(&RealDisk, dir.path(), &part, &left.side)), expected, "record {n}, byte {at}");
        }
        begin = *end;
    }
    // Behind a torn line nothing says where the next begins.
    let mut side = left.side.clone();
    side[left.ends[1].1 + 20] ^= 1;
    assert_eq!(hashes(adopted(&RealDisk, dir.path(), &left.part, &side)), hashes_of(&left.records[..2]));
}

#[test]
fn nothing_whole_is_nothing_and_leaves_nothing() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    let mut no_header = left.part.clone();
    no_header[100] ^= 1;
    for (part, side) in
        [(&[][..], &left.side[..]), (&left.part, &[]), (&no_header, &left.side), (&[0; 5000], &[0; 500])]
    {
        assert!(adopted(&RealDisk, dir.path(), part, side).is_none());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "part and side");
    }
    std::fs::remove_file(side_path(&part_path(dir.path(), pack_header(PackKind::Mixed).pack))).unwrap();
    let part = part_path(dir.path(), pack_header(PackKind::Mixed).pack);
    write(&part, &left.part);
    assert!(adopt(&RealDisk, &part).unwrap().is_none(), "no side file");
    assert!(matches!(adopt(&RealDisk, &dir.path().join("none.part")), Err(Error::NotFound { .. })));
}

#[test]
fn adoption_stopped_anywhere_can_be_repeated() {
    let left = left_behind();
    let expected = pack_bytes(PackKind::Mixed, &left.records);
    let dir = tempfile::tempdir().unwrap();
    let part = part_path(dir.path(), pack_header(PackKind::Mixed).pack);
    write(&part, &left.part);
    write(&side_path(&part), &left.side);
    for at in 0.. {
        let disk = Faulty::new(RealDisk, Some(at));
        let result = adopt(&disk, &part);
        let stopped = disk.has_failed();
        if stopped {
            assert!(result.unwrap_err().is_full(), "call {at}");
        }
        assert_eq!(std::fs::read(&part).unwrap(), left.part, "the part stays as it was");
        let again = adopt(&RealDisk, &part).unwrap().unwrap();
        assert_eq!(std::fs::read(&again.path).unwrap(), expected);
        if !stopped {
            assert!(at > 3, "removing, creating, appending and syncing were tried");
            break;
        }
    }
}

#[test]
fn what_is_adopted_is_synced_anew() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(RealDisk, None);
    let (finished, _) = adopted(&disk, dir.path(), &left.part, &left.side).unwrap();
    let part = part_path(dir.path(), finished.header.pack);
    assert_ne!(finished.path, part, "the bytes of a dead session may never have reached the disk: a new file");
    assert_eq!(disk.calls().last().unwrap(), &("sync", finished.path));
    assert!(disk.calls().iter().all(|(_, path)| *path != part));
}

#[test]
fn a_pack_with_newer_features_is_not_adopted() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    let path = part_path(dir.path(), pack_header(PackKind::Mixed).pack);
    for features in [[0, 4, 0], [0, 0, 4]] {
        let header = PackHeader { features, ..pack_header(PackKind::Mixed) };
        write(&path, &[&header.encode()[..], &left.part[128..]].concat());
        write(&side_path(&path), &left.side);
        assert!(matches!(adopt(&RealDisk, &path), Err(Error::Newer { found: 4, .. })));
    }
}

/// Found by fuzzing: one such line made the whole pack unreadable.
#[test]
fn a_record_that_a_pack_of_its_kind_does_not_hold_is_left_out() {
    let left = left_behind();
    let dir = tempfile::tempdir().unwrap();
    let path = part_path(dir.path(), pack_header(PackKind::Mixed).pack);
    for kind in [PackKind::Data, PackKind::Nodes] {
        write(&path, &[&pack_header(kind).encode()[..], &left.part[128..]].concat());
        write(&side_path(&path), &left.side);
        let finished = adopt(&RealDisk, &path).unwrap().unwrap();
        let pack = PackReader::open(&RealDisk, &finished.path).unwrap();
        assert!(pack.lines().iter().all(|line| kind.holds(line.kind) || line.kind == RecordKind::Unknown(33)));
    }
}
