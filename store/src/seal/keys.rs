//! The keys that compute ids of trees, and the account's other keys (FORMAT.md, chapter 2).

use crate::id::{ContentId, NodeId};
use crate::record::Refs;

use super::secret::{Key, first};

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
        let mut hasher = self.node.hasher();
        for count in [refs.chunks.len(), refs.nodes.len()] {
            // As in `Record::put_node`: nobody accepts a clear part in which a count could be larger.
            hasher.update(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for chunk in &refs.chunks {
            hasher.update(chunk.bytes());
        }
        for node in &refs.nodes {
            hasher.update(node.bytes());
        }
        hasher.update(plain);
        NodeId::new(*hasher.finalize().as_bytes())
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
