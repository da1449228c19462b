//! The keys of an account, as one has them who has its words; and seals made by the book (`store/FORMAT.md`, chapters 2
//! and 3), around anything.

use std::sync::{Arc, LazyLock};

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use store::door::ConstantChance;
use store::id::{AccountId, DomainId};
use store::record::{Codec, Header, Record, RecordKind};
use store::seal::{AccountKeys, Keyring, RootSecret, Sealer};

/// The domain of everything here.
pub const DOMAIN: DomainId = DomainId::new([1; 16]);
/// The account.
pub const ACCOUNT: AccountId = AccountId::new([2; 16]);

/// The keys.
pub struct Keys {
    /// Where all come from.
    pub root: RootSecret,
    /// Of ids and bodies.
    pub account: AccountKeys,
    /// Of boxes and nodes.
    pub ring: Keyring,
    /// Makes records as the product does.
    pub sealer: Sealer,
}

/// Always the same ones.
pub static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let chance = Arc::new(ConstantChance::new(7));
    let root = RootSecret::from_slice(&[42; 32]).expect("a root secret");
    let account = AccountKeys::derive(&root);
    let ring = Keyring::generate(&*chance);
    let sealer = Sealer::new(DOMAIN, ACCOUNT, &account, &ring, chance);
    Keys { root, account, ring, sealer }
});

/// A keyring's newest sealing key, out of its CBOR.
fn sealing_key(ring: &Keyring) -> (u32, [u8; 32]) {
    let bytes = ring.encode().expect("a keyring");
    let mut d = minicbor::Decoder::new(&bytes);
    let mut read = || -> Result<(u32, [u8; 32]), minicbor::decode::Error> {
        let mut newest = (0, [0; 32]);
        for _ in 0..d.map()?.unwrap_or(0) {
            if d.u32()? == 0 {
                d.bytes()?;
                continue;
            }
            for _ in 0..d.array()?.unwrap_or(0) {
                d.array()?;
                newest = (d.u32()?, d.bytes()?.try_into().unwrap_or([0; 32]));
            }
        }
        Ok(newest)
    };
    read().expect("a keyring")
}

/// Seals `solid`, which may be anything, as a box or group of this domain with this clear part.
#[must_use]
pub fn seal(ring: &Keyring, domain: DomainId, account: AccountId, draft: &Draft, solid: &[u8]) -> Record {
    let (key_id, key) = sealing_key(ring);
    let words = if draft.kind == RecordKind::Box { "box seal" } else { "node seal" };
    let key = blake3::derive_key(&format!("tuckbox 2026-11 {words}"), &key);
    let header = Header {
        kind: draft.kind,
        codec: draft.codec,
        padded: draft.padded,
        key_id,
        domain,
        account,
        items: draft.items,
        clear_len: draft.clear.len() as u32,
        sealed_len: solid.len() as u32 + 16,
        clear_hash: *blake3::hash(&draft.clear).as_bytes(),
        nonce: [9; 24],
    };
    let mut sealed = solid.to_vec();
    let cipher = XChaCha20Poly1305::new(&key.into());
    cipher.encrypt_in_place(&XNonce::from(header.nonce), &header.associated_data(), &mut sealed).expect("a seal");
    Record { header, clear: draft.clear.clone(), sealed }
}

/// What a header says of a record that is to be sealed.
pub struct Draft {
    /// Box or group.
    pub kind: RecordKind,
    /// How the body is said to be coded.
    pub codec: Codec,
    /// Whether zeros are said to follow it.
    pub padded: bool,
    /// How many chunks or nodes there are said to be.
    pub items: u32,
    /// The clear part.
    pub clear: Vec<u8>,
}
