//! Seals and opens every record but the keyring's.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::door::Chance;
use crate::error::{Error, KeyError, Result};
use crate::id::{AccountId, ChunkId, DomainId};
use crate::limits::{CLEAR_BYTES_MAX, SEALED_BYTES_MAX};
use crate::record::{Codec, Header, KEY_ID_ACCOUNT, Record, RecordKind};

use super::cipher::{NONCE_BYTES, SealKey, TAG_BYTES};
use super::keyring::{Keyring, SealingKeys};
use super::keys::{AccountKeys, TreeKeys};
use super::secret::Key;

/// Holds the keys of one account in one domain. Cheap to clone; one for all workers.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    domain: DomainId,
    account: AccountId,
    tree: TreeKeys,
    body: SealKey,
    chunk: Key,
    sealing: BTreeMap<u32, SealingKeys>,
    current: u32,
    chance: Arc<dyn Chance>,
}

impl Sealer {
    /// A sealer that uses the keyring's newest sealing key and opens with all of them.
    #[must_use]
    pub fn new(
        domain: DomainId,
        account: AccountId,
        keys: &AccountKeys,
        keyring: &Keyring,
        chance: Arc<dyn Chance>,
    ) -> Self {
        Self(Arc::new(Inner {
            domain,
            account,
            tree: keys.tree().clone(),
            body: keys.body().clone(),
            chunk: keyring.chunk_key().clone(),
            sealing: keyring.sealing_keys().collect(),
            current: keyring.current(),
            chance,
        }))
    }

    /// The account whose records it makes.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.0.account
    }

    /// The domain whose records it makes and opens.
    #[must_use]
    pub fn domain(&self) -> DomainId {
        self.0.domain
    }

    /// The keys that compute ids of trees.
    #[must_use]
    pub fn tree(&self) -> &TreeKeys {
        &self.0.tree
    }

    /// The id of a chunk.
    #[must_use]
    pub fn chunk_id(&self, chunk: &[u8]) -> ChunkId {
        ChunkId::new(self.0.chunk.hash(chunk))
    }

    /// A body of this kind: what the server may read, and what only the account key opens.
    pub fn seal_body(&self, kind: RecordKind, clear: Vec<u8>, plain: &[u8]) -> Result<Record> {
        let mut body = Vec::with_capacity(plain.len() + TAG_BYTES);
        body.extend_from_slice(plain);
        seal_record(&self.0.body, self.draft(kind, KEY_ID_ACCOUNT), clear, body, &*self.0.chance)
    }

    /// The sealed part of a body of this account.
    pub fn open_body(&self, record: &Record) -> Result<Zeroizing<Vec<u8>>> {
        let header = &record.header;
        if matches!(header.kind, RecordKind::Box | RecordKind::Group) || header.key_id != KEY_ID_ACCOUNT {
            return Err(Error::damaged("body", "it is another kind of record"));
        }
        if header.domain != self.0.domain || header.account != self.0.account {
            return Err(Error::damaged("body", "it belongs to another account"));
        }
        let mut out = Zeroizing::new(Vec::new());
        let len = open_record(&self.0.body, record, &mut out)?.len();
        out.truncate(len);
        Ok(out)
    }

    pub(super) fn draft(&self, kind: RecordKind, key_id: u32) -> Header {
        draft(kind, key_id, self.0.domain, self.0.account)
    }

    pub(super) fn chance(&self) -> &dyn Chance {
        &*self.0.chance
    }

    /// Number and purposes of the sealing key in use.
    pub(super) fn in_use(&self) -> Result<(u32, &SealingKeys)> {
        let number = self.0.current;
        Ok((number, self.sealing_keys(number)?))
    }

    /// The keys for a record of boxes or nodes, which must be of this kind and domain.
    pub(super) fn keys_for(&self, record: &Record, kind: RecordKind, what: &'static str) -> Result<&SealingKeys> {
        if record.header.kind != kind {
            return Err(Error::damaged(what, "it is another kind of record"));
        }
        if record.header.domain != self.0.domain {
            return Err(Error::damaged(what, "it belongs to another domain"));
        }
        self.sealing_keys(record.header.key_id)
    }

    fn sealing_keys(&self, number: u32) -> Result<&SealingKeys> {
        Ok(self.0.sealing.get(&number).ok_or(KeyError::Unknown(number))?)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

/// A header whose lengths, hash and nonce [`seal_record`] fills in.
pub(super) fn draft(kind: RecordKind, key_id: u32, domain: DomainId, account: AccountId) -> Header {
    Header {
        kind,
        codec: Codec::Raw,
        padded: false,
        key_id,
        domain,
        account,
        items: 0,
        clear_len: 0,
        sealed_len: 0,
        clear_hash: [0; 32],
        nonce: [0; NONCE_BYTES],
    }
}

/// Seals `body` where it stands and makes a record of it.
pub(super) fn seal_record(
    key: &SealKey,
    mut header: Header,
    clear: Vec<u8>,
    mut body: Vec<u8>,
    chance: &dyn Chance,
) -> Result<Record> {
    header.clear_len = bounded("clear part of a record", clear.len(), CLEAR_BYTES_MAX)?;
    header.sealed_len = bounded("sealed part of a record", body.len() + TAG_BYTES, SEALED_BYTES_MAX)?;
    header.clear_hash = *blake3::hash(&clear).as_bytes();
    header.nonce = key.seal(&header.associated_data(), &mut body, chance)?;
    Ok(Record { header, clear, sealed: body })
}

/// Checks a record and opens its sealed part in `buffer`.
pub(super) fn open_record<'a>(key: &SealKey, record: &Record, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
    record.check()?;
    bounded("sealed part of a record", record.sealed.len(), SEALED_BYTES_MAX)?;
    buffer.clear();
    // Boxes have about one size, so what grows by doubling would be half empty.
    buffer.reserve_exact(record.sealed.len());
    buffer.extend_from_slice(&record.sealed);
    Ok(key.open(&record.header.associated_data(), &record.header.nonce, buffer)?)
}

/// A length or count that stands in a u32 of a header, within its bound.
pub(super) fn bounded(what: &'static str, found: usize, most: usize) -> Result<u32> {
    u32::try_from(found).ok().filter(|_| found <= most).ok_or(Error::Limit {
        what,
        found: found as u64,
        most: most as u64,
    })
}
