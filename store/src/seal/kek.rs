//! The key-encryption key: it seals the keyring and nothing else.

use crate::door::Chance;
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId};
use crate::record::{KEY_ID_KEK, Record, RecordKind};

use super::cipher::SealKey;
use super::keyring::Keyring;
use super::sealer::{draft, open_record, seal_record};
use super::secret::Key;

/// Seals and opens keyring bodies (FORMAT.md, 6.4). Derived from the root secret.
#[derive(Clone, Debug)]
pub struct Kek(SealKey);

impl Kek {
    pub(super) fn new(key: Key) -> Self {
        Self(SealKey::new(key))
    }

    /// The keyring as a body record for a `key` link.
    pub fn seal_keyring(
        &self,
        domain: DomainId,
        account: AccountId,
        keyring: &Keyring,
        chance: &dyn Chance,
    ) -> Result<Record> {
        let mut plain = keyring.encode()?;
        // The buffer that was plain becomes the sealed one, so no plain copy stays behind.
        let body = std::mem::take(&mut *plain);
        seal_record(&self.0, draft(RecordKind::KeyBody, KEY_ID_KEK, domain, account), Vec::new(), body, chance)
    }

    /// The keyring of a body record of this domain and account.
    ///
    /// [`KeyError::Seal`](crate::error::KeyError::Seal) says that it was altered or sealed by another root secret.
    pub fn open_keyring(&self, domain: DomainId, account: AccountId, record: &Record) -> Result<Keyring> {
        let header = &record.header;
        if header.kind != RecordKind::KeyBody || header.key_id != KEY_ID_KEK {
            return Err(Error::damaged("keyring", "it is another kind of record"));
        }
        if header.domain != domain || header.account != account {
            return Err(Error::damaged("keyring", "it belongs to another account"));
        }
        let mut buffer = zeroize::Zeroizing::new(Vec::new());
        Keyring::decode(open_record(&self.0, record, &mut buffer)?)
    }
}
