//! Small files: the server's notes and `vault.json`; the client's key file, slots and words.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use store::door::{ConstantChance, FixedClock};
use store::id::VaultId;
use store::seal::slot::{NewSlot, Slot};
use store::seal::{KeyFile, RootSecret};
use store::vault::{Access, Vault};

use super::{NO_WORDS, Target};
use crate::disk::MemoryDisk;
use crate::keys::{ACCOUNT, DOMAIN, KEYS};

const JSON: &[&[u8]] = &[
    b"\"kdf\":\"argon2id\",",
    b"4294967295",
    b"-1",
    b"1e400",
    b"[[[[",
    b"{}",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"\"\":1,",
];

pub(super) const TARGETS: &[Target] = &[
    Target { name: "vault-json", run: vault_json, seeds: || vec![manifest()], words: JSON },
    Target { name: "account-note", run: account_note, seeds: account_notes, words: NO_WORDS },
    Target { name: "key-file", run: key_file, seeds: key_files, words: JSON },
    Target { name: "slot", run: slot, seeds: slots, words: JSON },
    Target { name: "recovery-words", run: recovery_words, seeds: sentences, words: &[b"abandon ", b"zoo "] },
];

/// The members with the sum that they must have.
fn checked(mut all: BTreeMap<String, Value>) -> Vec<u8> {
    let text = |all: &BTreeMap<String, Value>| {
        let members: Vec<String> = all.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
        format!("{{{}}}", members.join(","))
    };
    all.remove("check");
    let check = blake3::hash(text(&all).as_bytes()).to_hex().to_string();
    all.insert("check".to_owned(), json!(check));
    text(&all).into_bytes()
}

fn manifest() -> Vec<u8> {
    checked(BTreeMap::from([
        ("tuckbox".to_owned(), json!("vault")),
        ("format".to_owned(), json!(1)),
        ("features".to_owned(), json!([0, 0, 0])),
        ("vault_id".to_owned(), json!(VaultId::new([3; 16]).hex())),
        ("created_at".to_owned(), json!(1_700_000_000_000u64)),
        ("machine_id".to_owned(), json!("host")),
    ]))
}

fn open(disk: MemoryDisk) -> store::Result<Vault> {
    let (clock, chance) = (Arc::new(FixedClock::at(0)), Arc::new(ConstantChance::new(1)));
    Vault::open(Arc::new(disk), clock, chance, Path::new("v"), Access::Read)
}

fn vault_json(bytes: &[u8]) {
    drop(open(MemoryDisk::default().with("v/vault.json", bytes)));
    if let Ok(all) = serde_json::from_slice::<BTreeMap<String, Value>>(bytes)
        && let Ok(vault) = open(MemoryDisk::default().with("v/vault.json", checked(all)))
    {
        drop(vault.accounts());
    }
}

/// A note's content.
fn account_notes() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut e = minicbor::Encoder::new(&mut out);
    let written = (|| -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.map(7)?.u8(0)?.encode(ACCOUNT)?.u8(1)?.str("ana")?.u8(2)?.bytes(&[1; 32])?;
        e.u8(3)?.encode(KEYS.root.key_check())?.u8(4)?.u8(1)?.u8(5)?.array(1)?.bytes(b"{}")?.u8(6)?.i64(5)?;
        Ok(())
    })();
    written.expect("a note");
    vec![out]
}

fn account_note(bytes: &[u8]) {
    let mut note = [b"TBXN", &[1u8, 1, 0, 0][..], &(bytes.len() as u32).to_le_bytes(), bytes].concat();
    note.extend_from_slice(blake3::hash(&note).as_bytes());
    let path = format!("v/domains/{}/accounts/00000001/00000001.note", DOMAIN.hex());
    for note in [note, bytes.to_vec()] {
        let disk = MemoryDisk::default().with("v/vault.json", manifest()).with(&path, note);
        if let Ok(accounts) = open(disk).expect("a vault").accounts() {
            assert!(accounts.iter().all(|account| !account.name.chars().any(char::is_control)));
        }
    }
}

fn new_slot(chance: &ConstantChance) -> NewSlot<'_> {
    NewSlot { label: "label", created_at: 5, chance }
}

fn key_files() -> Vec<Vec<u8>> {
    let chance = ConstantChance::new(2);
    let mut file = KeyFile::new(VaultId::new([3; 16]), DOMAIN, ACCOUNT, "ana", &KEYS.root);
    let empty = file.print().expect("a key file").as_bytes().to_vec();
    file.add_open(&KEYS.root, &new_slot(&chance)).expect("a slot");
    vec![empty, file.print().expect("a key file").as_bytes().to_vec()]
}

fn key_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(file) = KeyFile::parse(text) else { return };
    if !file.needs_passphrase()
        && let Ok(root) = file.unlock(None)
    {
        assert!(root.key_check() == file.key_check(), "another key is never taken for this one");
    }
    file.slots().iter().for_each(look);
    let again = KeyFile::parse(&file.print().expect("printed")).expect("what was printed can be read");
    assert_eq!(again.slots().len(), file.slots().len());
}

fn slots() -> Vec<Vec<u8>> {
    let asks = r#"{"id":"00000001","kind":"passphrase","label":"x","created_at":1,"kdf":"argon2id","m_kib":65536,"t":3,"p":4,"salt":"AAAA","commitment":"AAAA","nonce":"AAAA","sealed":"AAAA"}"#;
    vec![asks.into()]
}

fn look(slot: &Slot) {
    // What a passphrase would cost is known before anybody pays it.
    let cost = slot.cost();
    if slot.kind() == store::seal::slot::Kind::Open || cost.is_none() {
        drop(slot.unlock(ACCOUNT, Some(b"x")));
    }
    assert!(slot.id().len() + slot.label().len() < usize::MAX);
}

fn slot(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(slot) = Slot::from_json(text) else { return };
    look(&slot);
    let Ok(printed) = slot.to_json() else { return };
    assert_eq!(Slot::from_json(&printed).expect("and read again").to_json().expect("printed"), printed);
}

fn sentences() -> Vec<Vec<u8>> {
    vec![KEYS.root.words().expect("words").as_bytes().to_vec()]
}

fn recovery_words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(root) = RootSecret::from_words(text) {
        let words = root.words().expect("words");
        assert!(RootSecret::from_words(&words).expect("the same").bytes() == root.bytes());
    }
}
