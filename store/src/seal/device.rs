//! A device's key pair: signs links.

use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use crate::door::{Chance, random};
use crate::error::{Error, Result};
use crate::id::DeviceId;

/// The Ed25519 key of one device of an account, certified by the account's identity key.
#[derive(Clone)]
pub struct DeviceKey {
    id: DeviceId,
    key: SigningKey,
}

impl DeviceKey {
    /// Bytes of [`to_bytes`](Self::to_bytes): the secret seed, then the device id.
    pub const BYTES: usize = 32 + DeviceId::BYTES;

    /// A new device.
    #[must_use]
    pub fn generate(chance: &dyn Chance) -> Self {
        let seed = Zeroizing::new(random(chance));
        Self { id: DeviceId::new(random(chance)), key: SigningKey::from_bytes(&seed) }
    }

    /// The device that [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let key = bytes.split_first_chunk::<32>().map(|(seed, _)| SigningKey::from_bytes(seed));
        let id = bytes.get(32..).and_then(DeviceId::from_slice);
        key.zip(id).map(|(key, id)| Self { id, key }).ok_or_else(|| Error::damaged("device key", "its length is wrong"))
    }

    /// All of it, secret, for the state file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        let mut out = Zeroizing::new([0; Self::BYTES]);
        let (seed, id) = out.split_at_mut(32);
        seed.copy_from_slice(self.key.as_bytes());
        id.copy_from_slice(self.id.bytes());
        out
    }

    /// Which device it is.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        self.id
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// An Ed25519 signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::ConstantChance;

    #[test]
    fn goes_there_and_back() {
        let device = DeviceKey::generate(&ConstantChance::new(1));
        let back = DeviceKey::from_bytes(device.to_bytes().as_slice()).unwrap();
        assert_eq!((back.id(), back.public(), back.sign(b"m")), (device.id(), device.public(), device.sign(b"m")));
        assert!(DeviceKey::from_bytes(&[0; 47]).is_err() && DeviceKey::from_bytes(&[0; 49]).is_err());
    }
}
