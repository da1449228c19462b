//! Links and bodies: the signed chain of an account (FORMAT.md, chapter 6).
//!
//! Links, certificates and the [`Verifier`] need no secret and serve both ends; only signing and the sealed parts
//! of bodies do.

mod act_body;
mod body;
mod certificate;
mod device_body;
mod link;
mod policy;
mod retain;
mod verify;

#[cfg(test)]
mod tests;

pub use act_body::{NAMED_MAX, NamedVersions, clear_policy, open_policy, seal_policy};
pub use body::{Counts, SourceRoot, VersionBody, clear_sources, clear_tags, is_plain_path};
pub use certificate::Certificate;
pub use device_body::{certificate_of, open_device_body, seal_device_body};
pub use link::{Link, LinkKind, RECEIVED_LINK_BYTES, ReceivedLink, SIGNED_LINK_BYTES, SignedLink};
pub use policy::{Period, Policy, RULES};
pub use retain::{
    Act, Cause, Fate, Moment, Pressure, Reason, TRASH_MS, forgotten, judge, must_be_there, policy_of, thinnable,
};
pub use verify::{Head, Verifier};

use ed25519_dalek::{Signature, VerifyingKey};

use crate::error::{KeyError, Result};
use crate::id::BodyHash;
use crate::record::Record;

/// What a link names its body by: BLAKE3 of the record.
#[must_use]
pub fn body_hash(body: &Record) -> BodyHash {
    BodyHash::new(*body.cipher_hash().bytes())
}

/// Checks an Ed25519 signature; weak keys and signatures in more than one form are refused.
fn check_signature(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<()> {
    #[cfg(feature = "simulate")]
    if memory::is_good(public, message, signature) {
        return Ok(());
    }
    let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Signature)?;
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| KeyError::Signature)?;
    #[cfg(feature = "simulate")]
    memory::good(public, message, signature);
    Ok(())
}

/// In a simulation every process looks at the same few signatures again: those that were good are remembered. Never in the
/// product.
#[cfg(feature = "simulate")]
mod memory {
    use std::collections::HashSet;
    use std::sync::{LazyLock, Mutex, PoisonError};

    /// So many are remembered, and then all forgotten.
    const MOST: usize = 10_000;

    static GOOD: LazyLock<Mutex<HashSet<[u8; 32]>>> = LazyLock::new(Mutex::default);

    fn name(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(public).update(signature).update(message);
        *hasher.finalize().as_bytes()
    }

    pub(super) fn is_good(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        GOOD.lock().unwrap_or_else(PoisonError::into_inner).contains(&name(public, message, signature))
    }

    pub(super) fn good(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) {
        let mut good = GOOD.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= MOST {
            good.clear();
        }
        good.insert(name(public, message, signature));
    }
}
