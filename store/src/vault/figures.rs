//! Figures of an account that can be read without a key and without opening its catalog.

use serde::{Deserialize, Serialize};

use super::account::AccountInfo;
use super::layout::{self, DomainPaths};
use super::{Domain, Vault};
use crate::chain::{LinkKind, ReceivedLink};
use crate::door::Millis;
use crate::error::{Error, Result};

/// Links that are looked at, newest first, for the newest version: what stands after it are a few partials and keys.
const LINKS_BACK: usize = 64;
/// Longest file of a link.
const LINK_BYTES_MAX: usize = 4_096;

/// The newest version of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Number of its link.
    pub sequence: u64,
    /// When the vault received it.
    pub received_at: Millis,
}

/// What an account takes on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes of all packs.
    pub pack_bytes: u64,
    /// Bytes of the catalog and its log, which can be made again.
    pub catalog_bytes: u64,
    /// Packs.
    pub packs: u64,
}

impl Vault {
    /// The newest version of an account, as its links on the disk say; `None` before the first (or when many other
    /// links came after it).
    pub fn newest_version(&self, account: &AccountInfo) -> Result<Option<Newest>> {
        let paths = DomainPaths::new(self.path(), account.domain);
        let names = match self.disk().names(&paths.versions(account.number)) {
            Err(Error::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        // Names ascend with their numbers.
        let newest = names.iter().rev().filter_map(|name| layout::numbered(name, 12, ".link"));
        for sequence in newest.take(LINKS_BACK) {
            let bytes = self.disk().read(&paths.link(account.number, sequence), LINK_BYTES_MAX)?;
            // A damaged link is for `check` to tell.
            let Ok(link) = ReceivedLink::decode(&bytes) else { continue };
            if link.link().kind == LinkKind::Version {
                return Ok(Some(Newest { sequence, received_at: link.received_at() }));
            }
        }
        Ok(None)
    }
}

impl Domain {
    /// How many versions an account has ever made.
    pub fn versions(&self, account: &AccountInfo) -> Result<u64> {
        self.inner.catalog.read(|rows| rows.count_links(account.number, LinkKind::Version.number()))
    }

    /// What it takes on the disk.
    pub fn stored(&self) -> Result<Stored> {
        let (packs, pack_bytes) = self.inner.catalog.read(|rows| rows.pack_totals())?;
        let path = self.inner.paths.catalog();
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let length = |path: &std::path::Path| -> Result<u64> {
            Ok(self.inner.shared.disk.exists(path)?.map_or(0, |found| found.len))
        };
        let catalog_bytes = length(&path)?.saturating_add(length(log.as_ref())?);
        Ok(Stored { pack_bytes, catalog_bytes, packs })
    }
}
