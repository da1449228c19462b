//! What a client keeps between runs: state, links, nodes. Anybody with the same account may have written there.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use agent::engine::cache::NodeCache;
use agent::engine::history::Cached;
use agent::engine::state::StateDir;
use agent::fault::{Code, Fault};
use store::door::ConstantChance;
use store::id::{NodeId, VaultId};
use tempfile::{NamedTempFile, TempDir};

use super::{NO_WORDS, Target, choose, mend_crc, named};
use crate::keys::{ACCOUNT, KEYS};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "state", run: state, seeds: states, words: &[b"\"seen\":", b"null", b"-1", b"{", b"\"own_roots\""] },
    Target { name: "kept-links", run: links, seeds: kept_links, words: NO_WORDS },
    Target { name: "kept-nodes", run: nodes, seeds: kept_nodes, words: NO_WORDS },
];

const VAULT: VaultId = VaultId::new([8; 16]);

/// In memory where the system has such a place.
fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

pub(super) fn scratch_file() -> NamedTempFile {
    NamedTempFile::new_in(place()).expect("a file")
}

thread_local! {
    static DIR: RefCell<TempDir> = RefCell::new(TempDir::new_in(place()).expect("a folder"));
}

/// With a folder that has these files and nothing else.
fn with_files(files: &[(&str, &[u8])], look: impl FnOnce(PathBuf)) {
    DIR.with_borrow(|dir| {
        for old in fs::read_dir(dir.path()).expect("a folder").flatten() {
            let path = old.path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
        }
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        look(dir.path().to_owned());
    });
}

fn states() -> Vec<Vec<u8>> {
    let chain = "ab".repeat(32);
    let source = "cd".repeat(16);
    let account = format!(
        r#"{{"seen":{{"sequence":3,"chain":"{chain}","marker":2}},"own_roots":{{"{source}":{{"root":"{chain}","sequence":3}}}},"words_shown":true}}"#
    );
    let vault = r#"{"account":"ana","address":"/srv/vault"}"#;
    let device = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    [account.as_str(), vault, device].iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn state(bytes: &[u8]) {
    let (vault, account) = (VAULT.hex(), ACCOUNT.hex());
    let account_file = format!("accounts/{vault}-{account}.json");
    let (vault_file, device_file) = (format!("vaults/{vault}.json"), format!("devices/{account}.key"));
    let files = [account_file.as_str(), &vault_file, "last-vault.json", &device_file].map(|name| (name, bytes));
    with_files(&files, |dir| {
        let state = StateDir::new(dir);
        if let Ok(mut account) = state.account(VAULT, ACCOUNT) {
            if let Some(head) = account.head() {
                account.set_head(head);
                assert_eq!(account.head(), Some(head));
            }
            account.is_own(KEYS.account.source_id("h", b"/"), NodeId::new([1; 32]));
        }
        drop((state.last_vault(), state.vault_at("/srv/vault"), state.device(ACCOUNT).is_ok()));
    });
}

fn kept_links() -> Vec<Vec<u8>> {
    (named("link").expect("a target").seeds)()
}

fn links(bytes: &[u8]) {
    let mut mended = bytes.to_vec();
    let mut end = store::chain::RECEIVED_LINK_BYTES;
    while end <= mended.len() {
        let start = end - store::chain::RECEIVED_LINK_BYTES;
        mend_crc(&mut mended[start..], store::chain::RECEIVED_LINK_BYTES);
        end += store::chain::RECEIVED_LINK_BYTES;
    }
    with_files(&[("links", &mended)], |dir| {
        let free = Cached::read(dir.clone(), None);
        assert!(free.head().is_none() || free.newest() > 0);
        let pin = mended.get(..store::chain::RECEIVED_LINK_BYTES).and_then(|first| {
            let link = store::chain::ReceivedLink::decode(first).ok()?;
            Some(store::vault::Head { sequence: 1, chain: link.chain_hash(), marker: 0 })
        });
        let cached = Cached::read(dir, pin);
        assert!(cached.newest() <= pin.map_or(u64::MAX, |pin| pin.sequence));
    });
}

fn kept_nodes() -> Vec<Vec<u8>> {
    let packs = (named("pack").expect("a target").seeds)();
    packs.into_iter().map(|pack| [&[0][..], &pack].concat()).collect()
}

/// A cache with a pack of anything: every node that it gives is the one of its id.
fn nodes(bytes: &[u8]) {
    let (_, pack) = choose(bytes);
    let root = KEYS.sealer.tree();
    with_files(&[("0001.pack", pack), ("roots", pack)], |dir| {
        let none = |_: &agent::engine::cache::Wish<'_>,
                    _: &mut dyn FnMut(store::record::Record) -> agent::fault::Result<()>| {
            Err(Fault::new(Code::NetLost, "nobody is there"))
        };
        let cache = NodeCache::open(dir, KEYS.sealer.clone(), Arc::new(ConstantChance::new(1)), Box::new(none));
        for node in super::trees::samples() {
            let (refs, plain) = store::tree::encode(&node);
            let id = root.node_id(&refs, &plain);
            if let Ok((_, given, encoding)) = cache.raw(&id) {
                assert!(root.node_id(&given, &encoding) == id);
            }
            cache.is_filled(&id);
        }
    });
}
