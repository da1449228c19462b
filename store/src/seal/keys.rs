//! The keys that compute ids of trees, and the account's other keys (FORMAT.md, chapter 2).

use ed25519_dalek::{Signer, SigningKey};

use crate::chain::Certificate;
use crate::id::{AccountId, ContentId, DeviceId, KeyCheck, NodeId, SourceId, TagId};
use crate::record::Refs;

use super::cipher::SealKey;
use super::root::RootSecret;
use super::secret::{Key, first};

/// What the account key and the identity key do: ids, bodies, certificates. Derived from the root secret,
/// which need not be kept after that.
#[derive(Clone)]
pub struct AccountKeys {
    tree: TreeKeys,
    source: Key,
    tag: Key,
    body: SealKey,
    identity: SigningKey,
    check: KeyCheck,
}

/// Computes the ids of nodes and contents and the cuts between pages. It seals nothing.
#[derive(Clone, Debug)]
pub struct TreeKeys {
    node: Key,
    content: Key,
    page_cut: Key,
}

/// Takes the bytes of a content id piece by piece.
#[derive(Clone)]
pub struct ContentHasher(blake3::Hasher);

impl AccountKeys {
    /// The keys of this root secret.
    #[must_use]
    pub fn derive(root: &RootSecret) -> Self {
        let account = root.derive("account key");
        Self {
            tree: TreeKeys::derive(&account),
            source: account.derive("source id"),
            tag: account.derive("tag id"),
            body: SealKey::new(account.derive("body seal")),
            identity: root.identity(),
            check: root.key_check(),
        }
    }

    /// The keys that compute ids of trees.
    #[must_use]
    pub fn tree(&self) -> &TreeKeys {
        &self.tree
    }

    /// The id of what is backed up from this path of the host with this label.
    #[must_use]
    pub fn source_id(&self, host: &str, path: &[u8]) -> SourceId {
        let mut hasher = self.source.hasher();
        hasher.update(&u32::try_from(host.len()).unwrap_or(u32::MAX).to_le_bytes());
        hasher.update(host.as_bytes()).update(path);
        SourceId::new(first(hasher.finalize().as_bytes()))
    }

    /// The id of a tag.
    #[must_use]
    pub fn tag_id(&self, tag: &str) -> TagId {
        TagId::new(first(&self.tag.hash(tag.as_bytes())))
    }

    /// Certifies a device's public key. In format 1, `roles` is [`Certificate::ALL_ROLES`] and `not_after` is 0.
    #[must_use]
    pub fn certify(
        &self,
        account: AccountId,
        device: DeviceId,
        device_public: [u8; 32],
        roles: u32,
        not_after: i64,
    ) -> Certificate {
        let mut certificate = Certificate { device, public: device_public, roles, not_after, signature: [0; 64] };
        certificate.signature = self.identity.sign(&certificate.signed_bytes(account)).to_bytes();
        certificate
    }

    /// Public half of the key that certifies devices.
    #[must_use]
    pub fn identity_public(&self) -> [u8; 32] {
        self.identity.verifying_key().to_bytes()
    }

    /// See [`RootSecret::key_check`].
    #[must_use]
    pub fn key_check(&self) -> KeyCheck {
        self.check
    }

    pub(super) fn body(&self) -> &SealKey {
        &self.body
    }
}

impl std::fmt::Debug for AccountKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountKeys")
    }
}

impl TreeKeys {
    /// From the node id key, the content id key and the page cut key.
    #[must_use]
    pub fn new(node: [u8; 32], content: [u8; 32], page_cut: [u8; 32]) -> Self {
        Self { node: Key::new(node), content: Key::new(content), page_cut: Key::new(page_cut) }
    }

    /// The three keys that an account key derives.
    pub(super) fn derive(account: &Key) -> Self {
        Self {
            node: account.derive("node id"),
            content: account.derive("content id"),
            page_cut: account.derive("page cut"),
        }
    }

    /// The id of a node with these references and this plain encoding.
    #[must_use]
    pub fn node_id(&self, refs: &Refs, plain: &[u8]) -> NodeId {
        // Joined first: one long run is hashed several times faster than many short ones.
        let ids = refs.chunks.len() + refs.nodes.len();
        let mut bytes = Vec::with_capacity(8 + 32 * ids + plain.len());
        for count in [refs.chunks.len(), refs.nodes.len()] {
            // As in `Record::put_node`: nobody accepts a clear part in which a count could be larger.
            bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for chunk in &refs.chunks {
            bytes.extend_from_slice(chunk.bytes());
        }
        for node in &refs.nodes {
            bytes.extend_from_slice(node.bytes());
        }
        bytes.extend_from_slice(plain);
        NodeId::new(self.node.hash(&bytes))
    }

    /// A hasher for a content id (FORMAT.md, 5.4).
    #[must_use]
    pub fn content_hasher(&self) -> ContentHasher {
        ContentHasher(self.content.hasher())
    }

    /// The number by which a page of this level ends after the entry of this name (FORMAT.md, 5.2): the first
    /// u64, little endian, of the keyed hash.
    #[must_use]
    pub fn page_hash(&self, level: u8, name: &[u8]) -> u64 {
        let mut hasher = self.page_cut.hasher();
        hasher.update(&[level]).update(name);
        u64::from_le_bytes(first(hasher.finalize().as_bytes()))
    }
}

impl ContentHasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// The content id of all bytes added so far.
    #[must_use]
    pub fn finish(&self) -> ContentId {
        ContentId::new(*self.0.finalize().as_bytes())
    }
}

impl std::fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentHasher")
    }
}
