//! 32 bytes that nobody may see, and how one makes others.

use std::fmt;

use zeroize::Zeroizing;

/// Every context string starts with it (FORMAT.md, chapter 2).
pub(crate) const CONTEXT: &str = "tuckbox 2026-11 ";

/// A secret key. Wiped when dropped; `Debug` says that it is one and nothing else.
#[derive(Clone)]
pub(crate) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// The key made of these bytes.
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key in a slice of exactly 32 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::new)
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that these context words derive from it.
    pub(crate) fn derive(&self, words: &str) -> Self {
        let mut out = Self::new([0; 32]);
        self.derive_into(words, out.0.as_mut_slice());
        out
    }

    /// As [`derive`](Self::derive), with an output of any length.
    pub(crate) fn derive_into(&self, words: &str, out: &mut [u8]) {
        let mut hasher = blake3::Hasher::new_derive_key(&format!("{CONTEXT}{words}"));
        hasher.update(self.bytes());
        hasher.finalize_xof().fill(out);
    }

    /// A keyed hasher.
    pub(crate) fn hasher(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(self.bytes())
    }

    /// The keyed hash of these bytes.
    pub(crate) fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(self.bytes(), bytes).as_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// The first `N` bytes of a hash. `N` is at most 32.
pub(crate) fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    const { assert!(N <= 32) };
    std::array::from_fn(|at| hash.get(at).copied().unwrap_or_default())
}
