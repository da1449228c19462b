//! Boxes, groups, bodies and the keyring: there and back, and what must be refused.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::compress::tests::{noise, text};
use super::*;
use crate::door::{Chance, ConstantChance};
use crate::error::{Error, KeyError, Result};
use crate::id::{AccountId, ChunkId, DomainId, NodeId};
use crate::limits::{BOX_BYTES_MAX, ITEMS_MAX};
use crate::record::{Codec, Record, RecordKind, Refs};

const DOMAIN: DomainId = DomainId::new([1; 16]);
const ACCOUNT: AccountId = AccountId::new([2; 16]);

/// A source that always gives the same bytes.
struct Stuck;

impl Chance for Stuck {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn root() -> RootSecret {
    RootSecret::from_slice(&[3; 32]).unwrap()
}

fn sealer_with(keyring: &Keyring, chance: impl Chance + 'static) -> Sealer {
    Sealer::new(DOMAIN, ACCOUNT, &AccountKeys::derive(&root()), keyring, Arc::new(chance))
}

fn sealer() -> Sealer {
    sealer_with(&Keyring::generate(&ConstantChance::new(1)), ConstantChance::new(2))
}

fn len32(bytes: &[u8]) -> u32 {
    bytes.len().try_into().unwrap()
}

fn seal_box(sealer: &Sealer, chunks: &[Vec<u8>], level: Level, padded: bool) -> Record {
    let ids: Vec<_> = chunks.iter().map(|c| sealer.chunk_id(c)).collect();
    let lengths: Vec<_> = chunks.iter().map(|c| len32(c)).collect();
    sealer.seal_box(&mut Scratch::new(), &ids, &lengths, &chunks.concat(), level, padded).unwrap()
}

fn open_box(sealer: &Sealer, record: &Record) -> Result<OpenBox> {
    sealer.open_box(&mut Scratch::new(), record)
}

fn node(sealer: &Sealer, refs: Refs, plain: &[u8]) -> (NodeId, Refs, Vec<u8>) {
    (sealer.tree().node_id(&refs, plain), refs, plain.to_vec())
}

fn nodes(sealer: &Sealer) -> Vec<(NodeId, Refs, Vec<u8>)> {
    let leaf =
        node(sealer, Refs { chunks: vec![ChunkId::new([5; 32]), ChunkId::new([6; 32])], nodes: vec![] }, b"leaf");
    let top = node(sealer, Refs { chunks: vec![], nodes: vec![leaf.0] }, &text(10_000));
    vec![leaf, top]
}

fn seal_group(sealer: &Sealer, nodes: &[(NodeId, Refs, Vec<u8>)]) -> Record {
    sealer.seal_group(&mut Scratch::new(), nodes, true).unwrap()
}

/// One of each kind of record with a function that opens it.
type Opener = fn(&Sealer, &Record) -> Result<()>;

fn one_of_each(sealer: &Sealer) -> Vec<(Record, Opener)> {
    vec![
        (seal_box(sealer, &[text(3_000), noise(200)], Level::Auto, true), |s, r| open_box(s, r).map(|_| ())),
        (seal_group(sealer, &nodes(sealer)), |s, r| s.open_group(&mut Scratch::new(), r).map(|_| ())),
        (sealer.seal_body(RecordKind::VersionBody, b"clear".to_vec(), b"plain").unwrap(), |s, r| {
            s.open_body(r).map(|_| ())
        }),
        (sealer.seal_body(RecordKind::DeviceBody, vec![], b"label").unwrap(), |s, r| s.open_body(r).map(|_| ())),
        (root().kek().seal_keyring(DOMAIN, ACCOUNT, &Keyring::generate(&Stuck), &Stuck).unwrap(), |_, r| {
            root().kek().open_keyring(DOMAIN, ACCOUNT, r).map(|_| ())
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn boxes_go_there_and_back(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..20),
        padded: bool,
        level in prop::sample::select(vec![Level::Auto, Level::Raw, Level::Zstd(-5), Level::Zstd(6)]),
    ) {
        let sealer = sealer();
        let record = seal_box(&sealer, &chunks, level, padded);
        let mut wire = Vec::new();
        record.encode(&mut wire);
        prop_assert_eq!(record.clone().into_pieces().concat(), &wire[..]);
        let open = open_box(&sealer, &Record::decode(&wire).unwrap()).unwrap();
        prop_assert!(open.chunks().map(|(id, c)| (id, c.to_vec())).eq(
            chunks.iter().map(|c| (sealer.chunk_id(c), c.clone()))));
        prop_assert_eq!(open.plain, chunks.concat());
    }

    #[test]
    fn groups_go_there_and_back(
        plains in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 1..10),
        chunks in prop::collection::vec(any::<[u8; 32]>(), 0..5),
        padded: bool,
    ) {
        let sealer = sealer();
        let mut nodes: Vec<(NodeId, Refs, Vec<u8>)> = Vec::new();
        for plain in &plains {
            let refs = Refs {
                chunks: chunks.iter().map(|id| ChunkId::new(*id)).collect(),
                nodes: nodes.iter().map(|(id, _, _)| *id).collect(),
            };
            nodes.push(node(&sealer, refs, plain));
        }
        let mut scratch = Scratch::new();
        let record = sealer.seal_group(&mut scratch, &nodes, padded).unwrap();
        prop_assert_eq!(sealer.open_group(&mut scratch, &record).unwrap(), nodes);
    }

    #[test]
    fn any_changed_bit_is_refused(which in 0usize..5, bit: prop::sample::Index) {
        let sealer = sealer();
        let (record, open) = one_of_each(&sealer).swap_remove(which);
        open(&sealer, &record).unwrap();
        let mut wire = Vec::new();
        record.encode(&mut wire);
        let bit = bit.index(wire.len() * 8);
        wire[bit / 8] ^= 1 << (bit % 8);
        // The header's checksum catches the rest before the seal is asked; so ask the seal too.
        let crc = crc32c::crc32c(&wire[..124]);
        if bit / 8 < 124 {
            wire[124..128].copy_from_slice(&crc.to_le_bytes());
        }
        prop_assert!(Record::decode(&wire).and_then(|r| open(&sealer, &r)).is_err());
    }

    #[test]
    fn opening_rubbish_never_panics(which in 0usize..5, sealed: Vec<u8>, clear: Vec<u8>, items in 0u32..10) {
        let sealer = sealer();
        let (mut record, open) = one_of_each(&sealer).swap_remove(which);
        record.header.sealed_len = len32(&sealed);
        record.header.clear_len = len32(&clear);
        record.header.clear_hash = *blake3::hash(&clear).as_bytes();
        record.header.items = items;
        (record.sealed, record.clear) = (sealed, clear);
        prop_assert!(open(&sealer, &record).is_err());
    }
}

#[test]
fn one_record_never_passes_for_another() {
    let sealer = sealer();
    let all = one_of_each(&sealer);
    for (at, (record, _)) in all.iter().enumerate() {
        for (other, (_, open)) in all.iter().enumerate() {
            // Version and device bodies differ by their kind, which the chain checks.
            let bodies = (2..=3).contains(&at) && (2..=3).contains(&other);
            assert_eq!(open(&sealer, record).is_ok(), at == other || bodies, "{at} as {other}");
        }
        let mut renamed = record.clone();
        renamed.header.account = AccountId::new([9; 16]);
        assert!(all[at].1(&sealer, &renamed).is_err());
        let mut moved = record.clone();
        moved.header.domain = DomainId::new([9; 16]);
        let said = all[at].1(&sealer, &moved);
        assert!(matches!(said, Err(Error::Damaged { .. })), "said before the seal is asked: {said:?}");
    }
}

#[test]
fn equal_boxes_never_share_a_nonce_nor_a_ciphertext() {
    let sealer = sealer();
    let nonces: HashSet<_> = (0..50).map(|_| seal_box(&sealer, &[text(100)], Level::Auto, true).header.nonce).collect();
    assert_eq!(nonces.len(), 50);
}

#[test]
fn different_boxes_never_share_a_nonce_when_chance_is_stuck() {
    let sealer = sealer_with(&Keyring::generate(&Stuck), Stuck);
    let mut nonces = HashSet::new();
    for len in 1..200 {
        for (level, padded) in [(Level::Raw, false), (Level::Raw, true), (Level::Zstd(19), false)] {
            let record = seal_box(&sealer, &[text(len)], level, padded);
            // Text too short to compress is stored raw: the same body, and so the same record.
            if level != Level::Zstd(19) || record.header.codec == Codec::Zstd {
                assert!(nonces.insert(record.header.nonce), "{len} {level:?} {padded}");
            }
        }
    }
}

#[test]
fn incompressible_boxes_are_raw_and_text_is_not() {
    let sealer = sealer();
    assert_eq!(seal_box(&sealer, &[noise(1 << 20)], Level::Auto, true).header.codec, Codec::Raw);
    let record = seal_box(&sealer, &[text(1 << 20)], Level::Auto, true);
    assert_eq!(record.header.codec, Codec::Zstd);
    assert_eq!(record.header.sealed_len as usize, padme::padme(record.sealed.len() - 16) + 16);
    assert_eq!(record.sealed.len(), record.sealed.capacity(), "a queue of records holds what it says");
    assert_eq!(seal_box(&sealer, &[text(1 << 20)], Level::Raw, true).header.codec, Codec::Raw);
}

#[test]
fn the_largest_box_and_one_too_large() {
    let sealer = sealer();
    let chunk = noise(BOX_BYTES_MAX);
    let record = seal_box(&sealer, std::slice::from_ref(&chunk), Level::Auto, true);
    assert_eq!(open_box(&sealer, &record).unwrap().plain, chunk);

    let long = vec![0; BOX_BYTES_MAX + 1];
    let id = [sealer.chunk_id(&long)];
    let len = [len32(&long)];
    let sealed = sealer.seal_box(&mut Scratch::new(), &id, &len, &long, Level::Auto, true);
    assert!(matches!(sealed, Err(Error::Limit { .. })));

    let many = vec![ChunkId::ZERO; ITEMS_MAX + 1];
    let lengths = vec![0; many.len()];
    let sealed = sealer.seal_box(&mut Scratch::new(), &many, &lengths, b"", Level::Auto, true);
    assert!(matches!(sealed, Err(Error::Limit { .. })));
    assert!(sealer.seal_box(&mut Scratch::new(), &[], &[], b"", Level::Auto, true).is_err());
    assert!(sealer.seal_group(&mut Scratch::new(), &[], true).is_err());
}

#[test]
fn wrong_ids_are_found_behind_a_good_seal() {
    let sealer = sealer();
    let mut scratch = Scratch::new();
    let ids = [sealer.chunk_id(b"a"), sealer.chunk_id(b"x")];
    let record = sealer.seal_box(&mut scratch, &ids, &[1, 1], b"ab", Level::Auto, false).unwrap();
    assert!(matches!(open_box(&sealer, &record), Err(Error::Damaged { what: "box", .. })));

    let mut bad = nodes(&sealer);
    bad[1].1.chunks.push(ChunkId::ZERO);
    let record = sealer.seal_group(&mut scratch, &bad, false).unwrap();
    assert!(matches!(sealer.open_group(&mut scratch, &record), Err(Error::Damaged { what: "group", .. })));
}

#[test]
fn rotation_keeps_ids_and_old_records() {
    let chance = ConstantChance::new(1);
    let mut keyring = Keyring::generate(&chance);
    let before = sealer_with(&keyring, ConstantChance::new(2));
    let old = seal_box(&before, &[text(100)], Level::Auto, true);
    keyring.rotate(&chance).unwrap();
    let after = sealer_with(&keyring, ConstantChance::new(3));
    let new = seal_box(&after, &[text(100)], Level::Auto, true);
    assert_eq!((old.header.key_id, new.header.key_id), (1, 2));
    assert_eq!(old.clear, new.clear);
    assert_eq!(open_box(&after, &old).unwrap(), open_box(&after, &new).unwrap());
    assert!(matches!(open_box(&before, &new), Err(Error::Key(KeyError::Unknown(2)))));
}

#[test]
fn the_keyring_opens_with_its_own_root_only() {
    let chance = ConstantChance::new(1);
    let keyring = Keyring::generate(&chance);
    let record = root().kek().seal_keyring(DOMAIN, ACCOUNT, &keyring, &chance).unwrap();
    let back = root().kek().open_keyring(DOMAIN, ACCOUNT, &record).unwrap();
    assert_eq!(back.chunk_id(b"x"), keyring.chunk_id(b"x"));
    let other = RootSecret::from_slice(&[4; 32]).unwrap();
    assert!(matches!(other.kek().open_keyring(DOMAIN, ACCOUNT, &record), Err(Error::Key(KeyError::Seal))));
}

#[test]
fn debug_shows_no_key() {
    let chance = ConstantChance::new(1);
    let keyring = Keyring::generate(&chance);
    let all = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        AccountKeys::derive(&root()),
        keyring,
        sealer(),
        root().kek(),
        DeviceKey::generate(&chance),
        keyring.gear(),
    );
    assert!(!all.contains('[') || all.contains("sealing: [(1, Key)]"), "{all}");
    assert!(!all.contains("0x") && !all.contains(", 3,"), "{all}");
}
