//! Known answers for FORMAT.md, chapters 2, 3, 5.3, 6 and 7.1, kept in `tests/vectors.json` for anybody who writes
//! a decoder of his own. Every source of chance gives bytes of 0x07, so that nonces can be computed again.
//!
//! The answers never change. Whoever adds one runs the test `write_vectors` with `TUCKBOX_PIN=1` and puts the new hash here.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::keyfile::{Argon, NewSlot, Slot};
use super::padme::padme;
use super::secret::Key;
use super::*;
use crate::chain::{self, Certificate, Link, LinkKind, SourceRoot, VersionBody, body_hash};
use crate::chunk::Cutter;
use crate::door::Chance;
use crate::id::{AccountId, BodyHash, ChainHash, ChunkId, ContentId, DeviceId, DomainId, NodeId, VaultId, hex, unhex};
use crate::record::{Codec, Record, Refs};
use crate::tree::CutClass;

const FILE: &str = include_str!("../../tests/vectors.json");
/// BLAKE3 of the file.
const FILE_HASH: &str = "3f25aae215ca9a7adcdc53bc2d37968ff365d9b06ac2b72deab6a250902ebd08";

const VAULT: VaultId = VaultId::new([0x11; 16]);
const DOMAIN: DomainId = DomainId::new([0x22; 16]);
const ACCOUNT: AccountId = AccountId::new([0x33; 16]);
const CHUNKS: [&[u8]; 3] = [b"first chunk", b"", b"the third chunk"];

struct Sevens;

impl Chance for Sevens {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn root() -> RootSecret {
    let bytes: Vec<u8> = (0..32).collect();
    RootSecret::from_slice(&bytes).unwrap()
}

fn sealer() -> Sealer {
    Sealer::new(DOMAIN, ACCOUNT, &AccountKeys::derive(&root()), &Keyring::generate(&Sevens), Arc::new(Sevens))
}

fn wire(record: &Record) -> String {
    let mut out = Vec::new();
    record.encode(&mut out);
    hex(&out)
}

/// The derivation tree: name, key, and the nonce key of those that seal.
fn keys() -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, key: &Key| {
        out.insert(name.into(), json!(hex(key.bytes())));
    };
    let root = root();
    put("key-encryption key", &root.derive("key-encryption key"));
    put("key-encryption key / nonce", &root.derive("key-encryption key").derive("nonce"));
    put("identity key", &root.derive("identity key"));
    let account = root.derive("account key");
    put("account key", &account);
    for words in ["node id", "content id", "source id", "tag id", "page cut", "body seal", "cache seal"] {
        put(words, &account.derive(words));
    }
    put("body seal / nonce", &account.derive("body seal").derive("nonce"));
    put("cache seal / nonce", &account.derive("cache seal").derive("nonce"));
    let sevens = Key::new([7; 32]);
    put("domain key", &sevens);
    put("chunk id", &sevens.derive("chunk id"));
    put("sealing key 1", &sevens);
    for words in ["box seal", "node seal"] {
        put(words, &sevens.derive(words));
        put(&format!("{words} / nonce"), &sevens.derive(words).derive("nonce"));
    }
    let mut gear = vec![0; 2_048];
    sevens.derive_into("gear table", &mut gear);
    out.insert("gear table".into(), json!(hex(&gear)));
    out.insert("identity public key".into(), json!(hex(&root.identity_public())));
    out.insert("key-check value".into(), json!(root.key_check().hex()));
    Value::Object(out)
}

fn refs() -> Refs {
    Refs { chunks: vec![ChunkId::new([0x44; 32]), ChunkId::new([0x55; 32])], nodes: vec![NodeId::new([0x66; 32])] }
}

fn ids() -> Value {
    let (sealer, keys) = (sealer(), AccountKeys::derive(&root()));
    json!({
        "chunk id": CHUNKS.iter().map(|c| json!({ "content": hex(c), "id": sealer.chunk_id(c).hex() })).collect::<Vec<_>>(),
        "node id": {
            "chunks": refs().chunks.iter().map(ChunkId::hex).collect::<Vec<_>>(),
            "nodes": refs().nodes.iter().map(NodeId::hex).collect::<Vec<_>>(),
            "plain": hex(b"plain encoding"),
            "id": keys.tree().node_id(&refs(), b"plain encoding").hex(),
        },
        "content id": { "hashed": hex(b"hashed bytes"), "id": keys.tree().content_hasher().update(b"hashed ").update(b"bytes").finish().hex() },
        "page hash": { "level": 1, "name": "name", "hash": keys.tree().page_hash(1, b"name").to_string() },
        "source id": { "host": "host", "path": hex(b"/home/\xff"), "id": keys.source_id("host", b"/home/\xff").hex() },
        "tag id": { "tag": "täg", "id": keys.tag_id("täg").hex() },
    })
}

fn cuts() -> Value {
    let mut content = vec![0; 12_000_000];
    blake3::Hasher::new().update(b"tuckbox cut vector").finalize_xof().fill(&mut content);
    let lengths = |class| {
        let cutter = Cutter::new(&Keyring::generate(&Sevens).gear(), class);
        let mut rest = &content[..];
        std::iter::from_fn(|| {
            let len = cutter.next_cut(rest, true)?;
            rest = &rest[len..];
            Some(len)
        })
        .collect::<Vec<_>>()
    };
    json!({
        "content": "12,000,000 bytes of the extended output of BLAKE3 of `tuckbox cut vector`",
        "class 1": lengths(CutClass::Cdc),
        "class 2": lengths(CutClass::CdcLarge),
    })
}

fn seal_box(chunks: &[&[u8]], level: Level, padded: bool) -> Record {
    let ids: Vec<_> = chunks.iter().map(|c| sealer().chunk_id(c)).collect();
    let lengths: Vec<_> = chunks.iter().map(|c| u32::try_from(c.len()).unwrap()).collect();
    sealer().seal_box(&mut Scratch::new(), &ids, &lengths, &chunks.concat(), level, padded).unwrap()
}

fn compressible() -> Vec<u8> {
    b"compressible ".repeat(50)
}

fn device() -> DeviceKey {
    let bytes = [[8; 32].as_slice(), &[9; 16]].concat();
    DeviceKey::from_bytes(&bytes).unwrap()
}

fn version() -> VersionBody {
    let keys = AccountKeys::derive(&root());
    VersionBody {
        sources: vec![SourceRoot {
            id: keys.source_id("host", b"/home/\xff"),
            root: NodeId::new([0x66; 32]),
            introduced: 3,
            host: "host".into(),
            path: b"/home/\xff".to_vec(),
            fs_type: "ext4".into(),
            device: 2049,
            mount_point: b"/".to_vec(),
            files: 10,
            dirs: 2,
            bytes: 1 << 40,
            missing_since: Some(1_795_000_000_000),
            content: ContentId::new([0x77; 32]),
        }],
        tags: vec![(keys.tag_id("täg"), "täg".into())],
        program: "0.1.0".into(),
        counts: [1, 2, 3, 4, 5, 6],
    }
}

/// Records that do not depend on the version of zstd.
fn records() -> Value {
    let (sealer, keys) = (sealer(), AccountKeys::derive(&root()));
    let node = (keys.tree().node_id(&refs(), b"plain encoding"), refs(), b"plain encoding".to_vec());
    let group = sealer.seal_group(&mut Scratch::new(), &[node], true).unwrap();
    assert_eq!(group.header.codec, Codec::Raw, "too short to compress");
    let certificate = certificate();
    let records = [
        ("box, raw", seal_box(&CHUNKS, Level::Raw, false)),
        ("box, raw, padded", seal_box(&CHUNKS, Level::Raw, true)),
        ("group, raw, padded", group),
        ("version body", version().seal(&sealer, &keys).unwrap()),
        ("keyring body", root().kek().seal_keyring(DOMAIN, ACCOUNT, &Keyring::generate(&Sevens), &Sevens).unwrap()),
        ("device body", chain::seal_device_body(&sealer, &certificate, "laptop").unwrap()),
    ];
    let described = records.iter().map(|(name, record)| {
        let value = json!({ "record": wire(record), "ciphertext hash": record.cipher_hash().hex() });
        ((*name).to_owned(), value)
    });
    Value::Object(described.collect())
}

fn certificate() -> Certificate {
    let device = device();
    AccountKeys::derive(&root()).certify(ACCOUNT, device.id(), device.public(), Certificate::ALL_ROLES, 0)
}

fn links() -> Value {
    let link = Link {
        kind: LinkKind::Version,
        account: ACCOUNT,
        sequence: 3,
        previous: ChainHash::new([0x88; 32]),
        body: BodyHash::new([0x99; 32]),
        device: DeviceId::new([9; 16]),
        marker: 1,
        taken_at: 1_795_000_000_000,
    };
    let received = link.sign(&device()).with_receipt(VAULT, 1_795_000_000_001);
    let body = chain::seal_device_body(&sealer(), &certificate(), "laptop").unwrap();
    json!({
        "device seed": hex(&[8; 32]),
        "device public key": hex(&device().public()),
        "certificate": hex(&certificate().encode()),
        "received link": hex(&received.encode()),
        "link id": received.link_id().hex(),
        "chain hash": received.chain_hash().hex(),
        "body hash of the device body": body_hash(&body).hex(),
    })
}

fn key_file() -> Value {
    let new = NewSlot { label: "laptop", created_at: 1_795_000_000_000, chance: &Sevens };
    let argon = Argon { m_kib: 64, t: 2, p: 2 };
    let slot = Slot::passphrase(&root(), ACCOUNT, b"correct horse", argon, &new).unwrap();
    let mut open = KeyFile::new(VAULT, DOMAIN, ACCOUNT, "laptop", &root());
    open.add_open(&root(), &new).unwrap();
    json!({
        "passphrase": "correct horse",
        "passphrase slot": slot.to_json().unwrap(),
        "open key file": *open.print().unwrap(),
    })
}

/// All answers. What zstd makes may differ from version to version, so a box that it made is taken as it stands in
/// the file.
fn vectors(compressed: &str) -> String {
    let all = json!({
        "format": 1,
        "root secret": hex(root().bytes()),
        "words": *root().words().unwrap(),
        "chance": "every random byte is 0x07",
        "vault id": VAULT.hex(),
        "domain id": DOMAIN.hex(),
        "account id": ACCOUNT.hex(),
        "keys": keys(),
        "ids": ids(),
        "padme": (0..40).chain([1_000, 65_537, 1_000_000]).map(|len| [len, padme(len)]).collect::<Vec<_>>(),
        "cuts": cuts(),
        "records": records(),
        "compressed box": { "chunk": hex(&compressible()), "record": compressed },
        "links": links(),
        "key file": key_file(),
    });
    serde_json::to_string_pretty(&all).unwrap() + "\n"
}

#[test]
fn answers_never_change() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let compressed = file["compressed box"]["record"].as_str().unwrap();
    assert_eq!(vectors(compressed), FILE);
    assert_eq!(blake3::hash(FILE.as_bytes()).to_hex().as_str(), FILE_HASH, "the file was changed");

    let record = Record::decode(&unhex(compressed).unwrap()).unwrap();
    assert_eq!((record.header.codec, record.header.padded), (Codec::Zstd, true));
    let open = sealer().open_box(&mut Scratch::new(), &record).unwrap();
    assert_eq!(open.plain, compressible());
}

#[test]
fn what_stands_in_the_file_opens() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let record = |name: &str| {
        let text = file["records"][name]["record"].as_str().unwrap();
        Record::decode(&unhex(text).unwrap()).unwrap()
    };
    let (sealer, mut scratch) = (sealer(), Scratch::new());
    for name in ["box, raw", "box, raw, padded"] {
        assert_eq!(sealer.open_box(&mut scratch, &record(name)).unwrap().plain, CHUNKS.concat());
    }
    assert_eq!(sealer.open_group(&mut scratch, &record("group, raw, padded")).unwrap()[0].2, b"plain encoding");
    assert_eq!(VersionBody::open(&sealer, &record("version body")).unwrap(), version());
    assert_eq!(root().kek().open_keyring(DOMAIN, ACCOUNT, &record("keyring body")).unwrap().current(), 1);
    let (certificate, label) = chain::open_device_body(&sealer, &record("device body")).unwrap();
    certificate.verify(&root().identity_public(), ACCOUNT).unwrap();
    assert_eq!(label, "laptop");

    let link = unhex(file["links"]["received link"].as_str().unwrap()).unwrap();
    chain::ReceivedLink::decode(&link).unwrap().signed().verify(&device().public()).unwrap();
    let slot = Slot::from_json(file["key file"]["passphrase slot"].as_str().unwrap()).unwrap();
    assert_eq!(slot.unlock(ACCOUNT, Some(b"correct horse")).unwrap().bytes(), root().bytes());
    let open = KeyFile::parse(file["key file"]["open key file"].as_str().unwrap()).unwrap();
    assert_eq!(open.unlock(None).unwrap().bytes(), root().bytes());
}

/// Does something only when it is asked to: with `TUCKBOX_PIN=1` in the environment.
#[test]
fn write_vectors() {
    if std::env::var_os("TUCKBOX_PIN").is_none() {
        return;
    }
    let compressed = wire(&seal_box(&[&compressible()], Level::Zstd(3), true));
    let text = vectors(&compressed);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.json");
    std::fs::write(path, &text).unwrap();
    panic!("FILE_HASH is now {}", blake3::hash(text.as_bytes()).to_hex());
}
