//! Links, certificates, bodies and the rules of a chain.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::door::ConstantChance;
use crate::error::Error;
use crate::id::{AccountId, BodyHash, ChainHash, ContentId, DeviceId, DomainId, NodeId, VaultId};
use crate::seal::{AccountKeys, DeviceKey, Keyring, RootSecret, Sealer};

const DOMAIN: DomainId = DomainId::new([1; 16]);
const ACCOUNT: AccountId = AccountId::new([2; 16]);
const VAULT: VaultId = VaultId::new([3; 16]);

struct World {
    root: RootSecret,
    keys: AccountKeys,
    keyring: Keyring,
    sealer: Sealer,
    chance: ConstantChance,
}

impl World {
    fn new() -> Self {
        let chance = ConstantChance::new(1);
        let root = RootSecret::generate(&chance);
        let keys = AccountKeys::derive(&root);
        let keyring = Keyring::generate(&chance);
        let sealer = Sealer::new(DOMAIN, ACCOUNT, &keys, &keyring, Arc::new(ConstantChance::new(2)));
        Self { root, keys, keyring, sealer, chance }
    }

    fn device_body(&self, device: &DeviceKey) -> Record {
        let certificate = self.keys.certify(ACCOUNT, device.id(), device.public(), Certificate::ALL_ROLES, 0);
        seal_device_body(&self.sealer, &certificate, "laptop").unwrap()
    }

    fn key_body(&self) -> Record {
        self.root.kek().seal_keyring(DOMAIN, ACCOUNT, &self.keyring, &self.chance).unwrap()
    }

    fn version(&self) -> VersionBody {
        let (host, path) = ("lap".to_owned(), b"/home/\xff".to_vec());
        VersionBody {
            sources: vec![SourceRoot {
                id: self.keys.source_id(&host, &path),
                root: NodeId::new([7; 32]),
                introduced: 3,
                host,
                path,
                fs_type: "ext4".into(),
                device: 2049,
                mount_point: b"/".to_vec(),
                files: 10,
                dirs: 2,
                bytes: 1 << 40,
                missing_since: Some(-5),
                content: ContentId::new([8; 32]),
            }],
            tags: vec![(self.keys.tag_id("täg"), "täg".into())],
            program: "0.1.0".into(),
            counts: [1, 2, 3, 4, 5, 6],
        }
    }
}

/// The next link after the verifier's head.
fn next(verifier: &Verifier, kind: LinkKind, body: BodyHash, device: &DeviceKey, marker: u64) -> ReceivedLink {
    let link = Link {
        kind,
        account: ACCOUNT,
        sequence: verifier.head().map_or(1, |h| h.sequence + 1),
        previous: verifier.head().map_or(ChainHash::ZERO, |h| h.chain),
        body,
        device: device.id(),
        marker,
        taken_at: 1_000,
    };
    link.sign(device).with_receipt(VAULT, 2_000)
}

fn begun(world: &World, device: &DeviceKey) -> Verifier {
    let mut verifier = Verifier::new(ACCOUNT, world.keys.identity_public());
    let body = world.device_body(device);
    verifier.push(&next(&verifier, LinkKind::Device, body_hash(&body), device, 0), Some(&body)).unwrap();
    let body = world.key_body();
    verifier.push(&next(&verifier, LinkKind::Key, body_hash(&body), device, 0), Some(&body)).unwrap();
    verifier
}

#[test]
fn a_good_chain_is_believed() {
    let world = World::new();
    let device = DeviceKey::generate(&world.chance);
    let mut verifier = begun(&world, &device);
    let keyring = verifier.keyring().unwrap();
    let version = world.version().seal(&world.sealer, &world.keys).unwrap();
    for (kind, marker) in [(LinkKind::Version, 1), (LinkKind::Partial, 1), (LinkKind::Version, 2)] {
        let link = next(&verifier, kind, body_hash(&version), &device, marker);
        verifier.push(&link, None).unwrap();
        assert_eq!(verifier.head().unwrap().chain, link.chain_hash());
    }
    let head = verifier.head().unwrap();
    assert_eq!((head.sequence, head.marker), (5, 2));

    // A second device introduces itself, and a resumed walk goes on as the whole one would.
    let second = DeviceKey::generate(&world.chance);
    let body = world.device_body(&second);
    let link = next(&verifier, LinkKind::Device, body_hash(&body), &second, 2);
    let known: Vec<_> = verifier.devices().cloned().collect();
    let mut resumed = Verifier::resume(ACCOUNT, world.keys.identity_public(), head, keyring, known).unwrap();
    for verifier in [&mut verifier, &mut resumed] {
        verifier.push(&link, Some(&body)).unwrap();
        assert_eq!(verifier.devices().count(), 2);
        let link = next(verifier, LinkKind::Version, body_hash(&version), &second, 2);
        verifier.push(&link, Some(&version)).unwrap();
        verifier.check_writable().unwrap();
    }
    assert_eq!(verifier.head(), resumed.head());
    assert_eq!(verifier.keyring(), Some(keyring));
}

#[test]
fn a_chain_begins_with_a_device_and_a_key() {
    let world = World::new();
    let device = DeviceKey::generate(&world.chance);
    let start = Verifier::new(ACCOUNT, world.keys.identity_public());
    let (body, key) = (world.device_body(&device), world.key_body());
    let version = world.version().seal(&world.sealer, &world.keys).unwrap();
    for (kind, body) in [(LinkKind::Key, &key), (LinkKind::Version, &version)] {
        let link = next(&start, kind, body_hash(body), &device, 0);
        assert!(start.clone().push(&link, Some(body)).is_err());
    }
    // Signed by a device that it does not introduce, though that one is certified too.
    let other = DeviceKey::generate(&world.chance);
    let link = next(&start, LinkKind::Device, body_hash(&body), &other, 0);
    assert!(start.clone().push(&link, Some(&body)).is_err());
    let link = next(&start, LinkKind::Device, body_hash(&body), &device, 0);
    assert!(start.clone().push(&link, None).is_err(), "its body must come along");
    let mut verifier = start;
    verifier.push(&link, Some(&body)).unwrap();
    let link = next(&verifier, LinkKind::Version, body_hash(&version), &device, 0);
    assert!(verifier.clone().push(&link, None).is_err(), "the second must be a key");
}

#[test]
fn a_bad_link_is_refused_and_changes_nothing() {
    let world = World::new();
    let device = DeviceKey::generate(&world.chance);
    let verifier = begun(&world, &device);
    let version = world.version().seal(&world.sealer, &world.keys).unwrap();
    let good = next(&verifier, LinkKind::Version, body_hash(&version), &device, 1).link().clone();
    let head = verifier.head();
    let refused = |what: &str, link: Link, by: &DeviceKey, body: Option<&Record>| {
        let mut verifier = verifier.clone();
        assert!(verifier.push(&link.sign(by).with_receipt(VAULT, 0), body).is_err(), "{what}");
        assert_eq!(verifier.head(), head, "{what}");
    };
    let stranger = DeviceKey::generate(&world.chance);
    refused("gap", Link { sequence: 4, ..good.clone() }, &device, None);
    refused("again", Link { sequence: 2, ..good.clone() }, &device, None);
    refused("fork", Link { previous: ChainHash::new([1; 32]), ..good.clone() }, &device, None);
    refused("account", Link { account: AccountId::new([9; 16]), ..good.clone() }, &device, None);
    refused("stranger", Link { device: stranger.id(), ..good.clone() }, &stranger, None);
    refused("signed by a stranger", good.clone(), &stranger, None);
    refused("marker", Link { marker: 2, ..good.clone() }, &device, None);
    refused("no body", Link { body: BodyHash::ZERO, ..good.clone() }, &device, None);
    refused("other body", good.clone(), &device, Some(&world.key_body()));
    let key = world.key_body();
    refused("key moves the marker", Link { kind: LinkKind::Key, body: body_hash(&key), ..good.clone() }, &device, None);
    // A certificate of another root secret.
    let other = AccountKeys::derive(&RootSecret::from_slice(&[9; 32]).unwrap());
    let forged = other.certify(ACCOUNT, stranger.id(), stranger.public(), Certificate::ALL_ROLES, 0);
    let body = seal_device_body(&world.sealer, &forged, "").unwrap();
    let link =
        Link { kind: LinkKind::Device, body: body_hash(&body), device: stranger.id(), marker: 0, ..good.clone() };
    refused("forged certificate", link, &stranger, Some(&body));
    // Another key for a device that is known.
    let twin = world.keys.certify(ACCOUNT, device.id(), stranger.public(), Certificate::ALL_ROLES, 0);
    let body = seal_device_body(&world.sealer, &twin, "").unwrap();
    let link = Link { kind: LinkKind::Device, body: body_hash(&body), marker: 0, ..good.clone() };
    refused("another key for a known device", link.clone(), &device, Some(&body));
    refused("another key for a known device", link, &stranger, Some(&body));
    verifier.clone().push(&good.sign(&device).with_receipt(VAULT, 0), Some(&version)).unwrap();
}

#[test]
fn an_expired_certificate_signs_nothing_later() {
    let world = World::new();
    let device = DeviceKey::generate(&world.chance);
    let certificate = world.keys.certify(ACCOUNT, device.id(), device.public(), Certificate::ALL_ROLES, 1_000);
    let body = seal_device_body(&world.sealer, &certificate, "").unwrap();
    let start = Verifier::new(ACCOUNT, world.keys.identity_public());
    let link = next(&start, LinkKind::Device, body_hash(&body), &device, 0);
    assert!(start.check_next(link.signed(), Some(&body)).unwrap().is_some());
    let late = Link { taken_at: 1_001, ..link.link().clone() };
    assert!(start.check_next(&late.sign(&device), Some(&body)).is_err());
}

#[test]
fn certificates_bind_every_field() {
    let world = World::new();
    let device = DeviceKey::generate(&world.chance);
    let good = world.keys.certify(ACCOUNT, device.id(), device.public(), Certificate::ALL_ROLES, 0);
    let identity = world.root.identity_public();
    assert_eq!(identity, world.keys.identity_public());
    let bytes = good.encode();
    assert_eq!(bytes.len(), Certificate::BYTES);
    assert_eq!(Certificate::decode(&bytes).unwrap(), good);
    good.verify(&identity, ACCOUNT).unwrap();
    assert!(good.verify(&identity, AccountId::new([9; 16])).is_err());
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(Certificate::decode(&bad).unwrap().verify(&identity, ACCOUNT).is_err(), "byte {at}");
    }
    assert!(Certificate::decode(&bytes[1..]).is_err());
    let body = seal_device_body(&world.sealer, &good, "läptop").unwrap();
    assert_eq!(certificate_of(&body).unwrap(), good);
    assert_eq!(open_device_body(&world.sealer, &body).unwrap(), (good, "läptop".into()));
    assert!(certificate_of(&world.key_body()).is_err());
}

#[test]
fn links_go_there_and_back_and_every_byte_counts() {
    let device = DeviceKey::generate(&ConstantChance::new(1));
    let start = Verifier::new(ACCOUNT, [0; 32]);
    let link = next(&start, LinkKind::Unknown(200), BodyHash::new([4; 32]), &device, u64::MAX);
    let bytes = link.encode();
    assert_eq!(ReceivedLink::decode(&bytes).unwrap(), link);
    assert_eq!(SignedLink::decode(&bytes[..SIGNED_LINK_BYTES]).unwrap(), *link.signed());
    assert_eq!(link.signed().bytes()[..], bytes[..SIGNED_LINK_BYTES]);
    link.signed().verify(&device.public()).unwrap();
    for at in 0..RECEIVED_LINK_BYTES {
        let mut bad = bytes;
        bad[at] ^= 1;
        assert!(ReceivedLink::decode(&bad).is_err(), "byte {at}: the checksum sees it");
        if at < SIGNED_LINK_BYTES {
            let signed = SignedLink::decode(&bad[..SIGNED_LINK_BYTES]);
            assert!(signed.and_then(|s| s.verify(&device.public())).is_err(), "byte {at}: the signature sees it");
        }
    }
    assert_ne!(link.signed().with_receipt(VAULT, 1).chain_hash(), link.signed().with_receipt(VAULT, 2).chain_hash());
    assert_eq!(link.signed().with_receipt(VAULT, 1).link_id(), link.signed().with_receipt(VAULT, 2).link_id());
}

#[test]
fn newer_links_are_said_to_be_newer() {
    let world = World::new();
    let device = DeviceKey::generate(&world.chance);
    let signed = next(&Verifier::new(ACCOUNT, [0; 32]), LinkKind::Version, BodyHash::ZERO, &device, 0);
    for (at, newer) in [(4, true), (16, true), (6, false), (20, false), (80, false)] {
        let mut bytes = *signed.signed().bytes();
        bytes[at] = 9;
        let decoded = SignedLink::decode(&bytes);
        assert_eq!(matches!(decoded, Err(Error::Newer { .. })), newer, "byte {at}");
        assert!(decoded.is_err());
    }
    // Read-compatible features: believed, and nothing may be added after.
    let mut verifier = Verifier::new(ACCOUNT, world.keys.identity_public());
    let body = world.device_body(&device);
    let mut bytes = *next(&verifier, LinkKind::Device, body_hash(&body), &device, 0).signed().bytes();
    bytes[12] = 1;
    let signature = device.sign(&bytes[..176]);
    bytes[176..].copy_from_slice(&signature);
    let link = SignedLink::decode(&bytes).unwrap().with_receipt(VAULT, 0);
    verifier.push(&link, Some(&body)).unwrap();
    assert!(matches!(verifier.check_writable(), Err(Error::Newer { found: 1, .. })));
}

#[test]
fn version_bodies_go_there_and_back() {
    let world = World::new();
    let mut version = world.version();
    let record = version.seal(&world.sealer, &world.keys).unwrap();
    assert_eq!(VersionBody::open(&world.sealer, &record).unwrap(), version);
    assert_eq!(clear_sources(&record).unwrap(), [(version.sources[0].id, version.sources[0].root, 3)]);
    let empty = VersionBody::default().seal(&world.sealer, &world.keys).unwrap();
    assert_eq!(VersionBody::open(&world.sealer, &empty).unwrap(), VersionBody::default());
    assert!(clear_sources(&world.key_body()).is_err());

    version.sources[0].path.push(b'x');
    assert!(version.seal(&world.sealer, &world.keys).is_err(), "an id of another path");
    let mut version = world.version();
    version.tags[0].1.push('x');
    assert!(version.seal(&world.sealer, &world.keys).is_err(), "an id of another tag");
}

#[test]
fn parts_of_a_version_body_that_do_not_agree_are_refused() {
    use crate::record::RecordKind::VersionBody as Kind;
    let world = World::new();
    let clear = world.version().seal(&world.sealer, &world.keys).unwrap().clear;
    let cases: [(&[u8], &str); 5] = [
        (b"\xa1\x00\x80", "no source"),
        (b"\xa1\x00\x82\xa0\xa0", "too many sources"),
        (b"\xa1\x00\x81\xa0", "no tag"),
        (b"\xa2\x00\x81\xa1\x01\x43/..\x01\x81\x61t", "a path that leads elsewhere"),
        (b"\xa1\x00\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "a count that is a lie"),
    ];
    for (plain, what) in cases {
        let record = world.sealer.seal_body(Kind, clear.clone(), plain).unwrap();
        assert!(VersionBody::open(&world.sealer, &record).is_err(), "{what}");
    }
    // Fields and counts that are not known here are skipped.
    let plain =
        b"\xa4\x00\x81\xa3\x00\x61h\x01\x41/\x18\x63\x81\x01\x01\x81\x61t\x03\x87\x01\x02\x03\x04\x05\x06\x07\x18\x64\xf6";
    let record = world.sealer.seal_body(Kind, clear.clone(), plain).unwrap();
    let body = VersionBody::open(&world.sealer, &record).unwrap();
    assert_eq!((body.counts, body.sources[0].host.as_str()), ([1, 2, 3, 4, 5, 6], "h"));
    // A clear count that is a lie.
    let mut lie = clear;
    lie[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(clear_sources(&world.sealer.seal_body(Kind, lie, b"\xa0").unwrap()).is_err());
}

proptest! {
    #[test]
    fn rubbish_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), clear: Vec<u8>, plain: Vec<u8>) {
        prop_assert!(SignedLink::decode(&bytes).is_err());
        prop_assert!(ReceivedLink::decode(&bytes).is_err());
        let _certificate = Certificate::decode(&bytes);
        let world = World::new();
        for kind in [crate::record::RecordKind::VersionBody, crate::record::RecordKind::DeviceBody] {
            let record = world.sealer.seal_body(kind, clear.clone(), &plain).unwrap();
            prop_assert!(VersionBody::open(&world.sealer, &record).is_err() || plain.len() > 1);
            prop_assert!(open_device_body(&world.sealer, &record).is_err() || plain.len() > 1);
            let _sources = clear_sources(&record);
        }
    }

    #[test]
    fn resealed_links_go_there_and_back(kind: u8, sequence: u64, marker: u64, taken_at: i64, received_at: i64) {
        let device = DeviceKey::generate(&ConstantChance::new(1));
        let link = Link {
            kind: LinkKind::from_number(kind), account: ACCOUNT, sequence, previous: ChainHash::new([1; 32]),
            body: BodyHash::new([2; 32]), device: DeviceId::new([3; 16]), marker, taken_at,
        };
        let received = link.sign(&device).with_receipt(VAULT, received_at);
        let back = ReceivedLink::decode(&received.encode()).unwrap();
        prop_assert_eq!(back.link(), &link);
        prop_assert_eq!((back.vault(), back.received_at()), (VAULT, received_at));
    }
}
