//! Links, and the bodies that they name.

use store::chain::{
    Certificate, Link, LinkKind, RECEIVED_LINK_BYTES, ReceivedLink, SignedLink, SourceRoot, Verifier, VersionBody,
    certificate_of, clear_sources, open_device_body, seal_device_body,
};
use store::door::ConstantChance;
use store::id::{BodyHash, ChainHash, ContentId, NodeId, VaultId};
use store::record::RecordKind;
use store::seal::{DeviceKey, Keyring};

use super::{NO_WORDS, Target, joined, mend_crc, two};
use crate::keys::{ACCOUNT, KEYS};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "link", run: link, seeds: links, words: NO_WORDS },
    Target { name: "certificate", run: certificate, seeds: || vec![the_certificate().encode()], words: NO_WORDS },
    Target { name: "version-body", run: version_body, seeds: version_bodies, words: NO_WORDS },
    Target { name: "device-body", run: device_body, seeds: device_bodies, words: NO_WORDS },
    Target {
        name: "keyring",
        run: keyring,
        seeds: || vec![KEYS.ring.encode().expect("a keyring").to_vec()],
        words: NO_WORDS,
    },
];

fn device() -> DeviceKey {
    DeviceKey::generate(&ConstantChance::new(3))
}

fn the_certificate() -> Certificate {
    KEYS.account.certify(ACCOUNT, device().id(), device().public(), Certificate::ALL_ROLES, 0)
}

fn links() -> Vec<Vec<u8>> {
    let body = seal_device_body(&KEYS.sealer, &the_certificate(), "ana").expect("a body");
    let one = |kind, sequence| {
        let link = Link {
            kind,
            account: ACCOUNT,
            sequence,
            previous: ChainHash::ZERO,
            body: store::chain::body_hash(&body),
            device: device().id(),
            marker: 0,
            taken_at: 1_700_000_000_000,
        };
        link.sign(&device()).with_receipt(VaultId::new([8; 16]), 1_700_000_000_001).encode().to_vec()
    };
    vec![one(LinkKind::Device, 1), one(LinkKind::Version, 2)]
}

fn link(bytes: &[u8]) {
    if let Ok(link) = SignedLink::decode(bytes) {
        assert_eq!(link.bytes()[..], *bytes);
    }
    let mut mended = bytes.to_vec();
    mend_crc(&mut mended, RECEIVED_LINK_BYTES);
    let Ok(link) = ReceivedLink::decode(&mended) else { return };
    assert_eq!(link.encode()[..], mended);
    let body = seal_device_body(&KEYS.sealer, &the_certificate(), "ana").expect("a body");
    let mut verifier = Verifier::new(ACCOUNT, KEYS.root.identity_public());
    if verifier.push(&link, Some(&body)).is_ok() {
        assert_eq!((link.link().sequence, link.link().kind), (1, LinkKind::Device));
        assert_eq!(link.link().body, store::chain::body_hash(&body));
        assert!(link.link().body != BodyHash::ZERO);
    }
}

fn certificate(bytes: &[u8]) {
    if let Ok(certificate) = Certificate::decode(bytes) {
        assert_eq!(certificate.encode(), bytes);
        if certificate.verify(&KEYS.root.identity_public(), ACCOUNT).is_ok() {
            assert_eq!(certificate, the_certificate(), "nobody else has signed one");
        }
    }
}

/// Clear part and plain part of a body.
fn version_bodies() -> Vec<Vec<u8>> {
    let source = SourceRoot {
        id: KEYS.account.source_id("ana", b"/docs"),
        root: NodeId::new([1; 32]),
        introduced: 3,
        host: "ana".into(),
        path: b"/docs".to_vec(),
        fs_type: "ext4".into(),
        device: 7,
        mount_point: b"/".to_vec(),
        files: 1,
        dirs: 2,
        bytes: 3,
        missing_since: Some(4),
        content: ContentId::new([2; 32]),
    };
    let body = VersionBody {
        sources: vec![source],
        tags: vec![(KEYS.account.tag_id("tag"), "tag".into())],
        program: "0.1.0".into(),
        ..VersionBody::default()
    };
    let record = body.seal(&KEYS.sealer, &KEYS.account).expect("a body");
    let plain = KEYS.sealer.open_body(&record).expect("plain");
    vec![joined(&record.clear, &plain)]
}

fn version_body(bytes: &[u8]) {
    let (clear, plain) = two(bytes);
    let Ok(record) = KEYS.sealer.seal_body(RecordKind::VersionBody, clear.to_vec(), plain) else { return };
    let sources = clear_sources(&record);
    if let Ok(body) = VersionBody::open(&KEYS.sealer, &record) {
        assert_eq!(body.sources.len(), sources.expect("the clear part was read").len());
        drop(body.seal(&KEYS.sealer, &KEYS.account));
    }
}

fn device_bodies() -> Vec<Vec<u8>> {
    let record = seal_device_body(&KEYS.sealer, &the_certificate(), "ana").expect("a body");
    vec![joined(&record.clear, &KEYS.sealer.open_body(&record).expect("plain"))]
}

fn device_body(bytes: &[u8]) {
    let (clear, plain) = two(bytes);
    let Ok(record) = KEYS.sealer.seal_body(RecordKind::DeviceBody, clear.to_vec(), plain) else { return };
    let certificate = certificate_of(&record);
    if let Ok((opened, _)) = open_device_body(&KEYS.sealer, &record) {
        assert_eq!(opened, certificate.expect("the clear part was read"));
    }
}

fn keyring(bytes: &[u8]) {
    if let Ok(ring) = Keyring::decode(bytes) {
        assert_eq!(Keyring::decode(&ring.encode().expect("written")).expect("read again").current(), ring.current());
    }
}
