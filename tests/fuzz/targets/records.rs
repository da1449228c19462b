//! Records: header, clear part, and what is inside a seal.

use std::cell::RefCell;

use store::chain::{certificate_of, clear_sources};
use store::record::{Codec, HEADER_BYTES, Header, Record, RecordKind, Refs};
use store::seal::{Level, Scratch};

use super::{NO_WORDS, Target, mend_crc, two};
use crate::keys::{ACCOUNT, DOMAIN, Draft, KEYS, seal};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "record-header", run: header, seeds: headers, words: NO_WORDS },
    Target { name: "record", run: record, seeds: records, words: NO_WORDS },
    Target { name: "box", run: sealed_box, seeds: solids, words: NO_WORDS },
    Target { name: "group", run: sealed_group, seeds: solids, words: NO_WORDS },
];

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

fn text(len: usize) -> Vec<u8> {
    b"the quick brown fox ".iter().copied().cycle().take(len).collect()
}

/// A box, a group and bodies.
pub(super) fn samples() -> Vec<Record> {
    let sealer = &KEYS.sealer;
    let mut scratch = Scratch::new();
    let chunks = [text(10), text(300)];
    let ids: Vec<_> = chunks.iter().map(|chunk| sealer.chunk_id(chunk)).collect();
    let one = |padded, level, scratch: &mut Scratch| {
        sealer.seal_box(scratch, &ids, &[10, 300], &chunks.concat(), level, padded).expect("a box")
    };
    let mut nodes = Vec::new();
    for node in super::trees::samples() {
        let (refs, plain) = store::tree::encode(&node);
        nodes.push((sealer.tree().node_id(&refs, &plain), refs, plain));
    }
    vec![
        one(true, Level::Auto, &mut scratch),
        one(false, Level::Raw, &mut scratch),
        sealer.seal_group(&mut scratch, &nodes, true).expect("a group"),
        sealer.seal_body(RecordKind::VersionBody, vec![0; 8], b"\xa0").expect("a body"),
    ]
}

pub(super) fn bytes_of(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

fn records() -> Vec<Vec<u8>> {
    samples().iter().map(bytes_of).collect()
}

fn headers() -> Vec<Vec<u8>> {
    samples().iter().map(|record| record.header.encode().to_vec()).collect()
}

fn header(bytes: &[u8]) {
    drop(Header::decode(bytes));
    let mut mended = bytes.to_vec();
    mended.resize(HEADER_BYTES, 0);
    mend_crc(&mut mended, HEADER_BYTES);
    if let Ok(header) = Header::decode(&mended) {
        assert_eq!(header.encode()[..], mended, "a header is written as it was read");
    }
}

fn record(bytes: &[u8]) {
    look(bytes);
    let mut mended = bytes.to_vec();
    // The clear part's hash, then the sum of the header.
    if let Some(len) = mended.get(52..56).and_then(|len| len.try_into().ok()).map(u32::from_le_bytes)
        && let Some(clear) = mended.get(HEADER_BYTES..).and_then(|rest| rest.get(..len as usize))
    {
        let hash = *blake3::hash(clear).as_bytes();
        if let Some(to) = mended.get_mut(64..96) {
            to.copy_from_slice(&hash);
        }
    }
    mend_crc(&mut mended, HEADER_BYTES);
    look(&mended);
}

/// Everything that is asked of a record without a key, and what refuses it with one.
fn look(bytes: &[u8]) {
    let Ok(record) = Record::decode(bytes) else { return };
    assert_eq!(bytes_of(&record), bytes, "a record is written as it was read");
    drop(record.check());
    if let Ok(ids) = record.chunk_ids() {
        assert_eq!(ids.len(), record.header.items as usize);
    }
    if let Ok(nodes) = record.nodes() {
        let mut clear = Vec::new();
        nodes.iter().for_each(|(id, refs)| Record::put_node(&mut clear, *id, refs));
        assert_eq!(clear, record.clear);
    }
    drop(clear_sources(&record));
    drop(certificate_of(&record));
    SCRATCH.with_borrow_mut(|scratch| {
        drop(KEYS.sealer.open_box(scratch, &record));
        drop(KEYS.sealer.open_group(scratch, &record));
    });
    drop(KEYS.sealer.open_body(&record));
    drop(KEYS.root.kek().open_keyring(DOMAIN, ACCOUNT, &record));
}

/// Solids: [variant, count] and then what the seal holds.
fn solids() -> Vec<Vec<u8>> {
    let body = text(200);
    let coded = zstd::bulk::compress(&body, 3).expect("zstd");
    let solid = |coded: &[u8], lengths: &[u8]| {
        let mut out = [(coded.len() as u32).to_le_bytes(), 200u32.to_le_bytes()].concat();
        out.extend_from_slice(lengths);
        out.extend_from_slice(coded);
        out
    };
    // 200 as a varint; then 100 and 100.
    [
        (0u8, 1u8, solid(&body, &[0xc8, 1])),
        (1, 1, solid(&coded, &[0xc8, 1])),
        (1, 2, solid(&coded, &[100, 100])),
        (3, 2, solid(&coded, &[100, 100])),
    ]
    .into_iter()
    .map(|(variant, items, solid)| [&[variant, items][..], &solid].concat())
    .collect()
}

/// Codec, padding, number of items, and the solid.
fn solid(bytes: &[u8]) -> (Codec, bool, u32, &[u8]) {
    let Some(([variant, items], rest)) = bytes.split_first_chunk::<2>() else { return (Codec::Raw, false, 0, &[]) };
    (if variant & 1 == 0 { Codec::Raw } else { Codec::Zstd }, variant & 2 != 0, u32::from(*items), rest)
}

fn sealed_box(bytes: &[u8]) {
    let (codec, padded, items, solid) = solid(bytes);
    let draft = Draft { kind: RecordKind::Box, codec, padded, items, clear: vec![3; items as usize * 32] };
    let record = seal(&KEYS.ring, DOMAIN, ACCOUNT, &draft, solid);
    SCRATCH.with_borrow_mut(|scratch| assert!(KEYS.sealer.open_box(scratch, &record).is_err() || items == 0));
}

fn sealed_group(bytes: &[u8]) {
    let (codec, padded, items, solid) = solid(bytes);
    // The clear part is of the attacker too.
    let (clear, solid) = if padded { two(solid) } else { (&[][..], solid) };
    let mut clear = clear.to_vec();
    if !padded {
        for n in 0..items {
            Record::put_node(&mut clear, store::id::NodeId::new([n as u8; 32]), &Refs::default());
        }
    }
    let draft = Draft { kind: RecordKind::Group, codec, padded, items, clear };
    let record = seal(&KEYS.ring, DOMAIN, ACCOUNT, &draft, solid);
    SCRATCH.with_borrow_mut(|scratch| {
        let nodes = KEYS.sealer.open_group(scratch, &record);
        assert!(nodes.is_err() || items == 0);
    });
}
