//! The identity key's word that a device may sign links (FORMAT.md, 6.5).

use crate::codec::Reader;
use crate::error::Result;
use crate::id::{AccountId, DeviceId};

use super::check_signature;

const SIGNED_WORDS: &[u8] = b"tuckbox 2026-11 device certificate";

/// Says that links of an account may be signed by a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The device.
    pub device: DeviceId,
    /// Its public key.
    pub public: [u8; 32],
    /// What it may do; in format 1 always [`ALL_ROLES`](Self::ALL_ROLES).
    pub roles: u32,
    /// Links taken later, in milliseconds since 1970, are not believed; 0 for no end, as always in format 1.
    pub not_after: i64,
    /// The identity key's signature.
    pub signature: [u8; 64],
}

impl Certificate {
    /// Length in bytes.
    pub const BYTES: usize = DeviceId::BYTES + 32 + 4 + 8 + 64;
    /// Every role.
    pub const ALL_ROLES: u32 = u32::MAX;

    /// Its bytes: the clear part of a device body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        self.put_fields(&mut out);
        out.extend_from_slice(&self.signature);
        out
    }

    /// A certificate from its bytes. Nothing is believed of it before [`verify`](Self::verify).
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new("device certificate", bytes);
        let device = DeviceId::new(r.array()?);
        let public = r.array()?;
        let (roles, not_after) = (r.u32()?, r.i64()?);
        let signature = r.array()?;
        r.end()?;
        Ok(Self { device, public, roles, not_after, signature })
    }

    /// Whether the identity key of this account made it.
    pub fn verify(&self, identity_public: &[u8; 32], account: AccountId) -> Result<()> {
        check_signature(identity_public, &self.signed_bytes(account), &self.signature)
    }

    /// What the identity key signs.
    pub(crate) fn signed_bytes(&self, account: AccountId) -> Vec<u8> {
        let mut out = [SIGNED_WORDS, account.bytes()].concat();
        self.put_fields(&mut out);
        out
    }

    fn put_fields(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.device.bytes());
        out.extend_from_slice(&self.public);
        out.extend_from_slice(&self.roles.to_le_bytes());
        out.extend_from_slice(&self.not_after.to_le_bytes());
    }
}
