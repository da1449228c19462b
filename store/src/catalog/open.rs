//! Who opens catalogs: a seam, so that a simulation can keep SQLite's files elsewhere and watch what is done to them.

use std::path::Path;

use super::{Catalog, Journal, Ledger};
use crate::activity::Activity;
use crate::error::Result;
use crate::id::{DomainId, VaultId};

/// Opens the catalogs of a vault.
pub trait Catalogs: Send + Sync {
    /// As [`Catalog::open`].
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog>;

    /// As [`Activity::open`].
    fn open_activity(&self, path: &Path, journal: Journal, vault: VaultId) -> Result<Activity> {
        Activity::open(path, journal, vault)
    }

    /// As [`Activity::make`].
    fn make_activity(&self, path: &Path, journal: Journal, vault: VaultId) -> Result<()> {
        Activity::make(path, journal, vault)
    }

    /// As [`Ledger::open`].
    fn open_ledger(&self, path: &Path, journal: Journal) -> Result<Ledger> {
        Ledger::open(path, journal)
    }
}

/// SQLite's own files, where the vault has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatalogFiles;

impl Catalogs for CatalogFiles {
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog> {
        Catalog::open(path, journal, domain)
    }
}

/// Who watches a catalog.
#[cfg(any(test, feature = "simulate"))]
pub struct Watch {
    /// Asked before each change is made durable; `false`: it is not, as when the process ends there.
    pub commits: std::sync::Arc<dyn Fn() -> bool + Send + Sync>,
    /// Asked, with the number of times, when another connection is in the way; `false`: nobody waits any longer.
    pub waits: std::sync::Arc<dyn Fn(i32) -> bool + Send + Sync>,
}

#[cfg(any(test, feature = "simulate"))]
impl Watch {
    fn over(&self, conn: &mut rusqlite::Connection) -> Result<()> {
        let commits = std::sync::Arc::clone(&self.commits);
        conn.commit_hook(Some(move || !commits()))?;
        let waits = std::sync::Arc::clone(&self.waits);
        Ok(conn.busy_handler(Some(move |times| waits(times)))?)
    }
}

#[cfg(any(test, feature = "simulate"))]
impl Catalog {
    /// As [`open`](Self::open), under watch from the first moment.
    pub fn open_watched(path: &Path, journal: Journal, domain: DomainId, watch: &Watch) -> Result<Self> {
        Self::open_tuned(path, journal, domain, &|conn| watch.over(conn))
    }
}

#[cfg(any(test, feature = "simulate"))]
impl Ledger {
    /// As [`open`](Self::open), under watch from the first moment.
    pub fn open_watched(path: &Path, journal: Journal, watch: &Watch) -> Result<Self> {
        Self::open_tuned(path, journal, &|conn| watch.over(conn))
    }
}
