//! What a chunk space takes on the disk, to the byte: every file of it belongs to one class (`housekeep/classes`).

use std::path::Path;

use super::housekeep::Classes;
use super::{Domain, Vault, layout};
use crate::door::{Disk, PathKind};
use crate::error::{Error, Result};

/// How deep folders of a domain are: accounts/<number>/versions, staging/<session>/stripe.
const DEPTH_MAX: usize = 6;
/// What was set aside lies some folders deeper.
const ASIDE_DEPTH_MAX: usize = DEPTH_MAX + 4;

/// What a chunk space takes on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// By class, every file of the chunk space included: links, bodies, notes and the catalog are metadata, what uploads
    /// have staged is unreferenced.
    pub classes: Classes,
    /// All files together now. The same as the sum of the classes when these are of now.
    pub now_bytes: u64,
    /// Of this the packs: what counts against limits.
    pub pack_bytes: u64,
    /// Packs.
    pub packs: u64,
    /// Of the metadata the databases with their logs: the catalog, which can be made again, and the activity.
    pub catalog_bytes: u64,
    /// What the vault's disk has free; `None` when it does not say.
    pub free_bytes: Option<u64>,
}

/// Bytes of files that are no packs.
#[derive(Clone, Copy, Debug, Default)]
struct Others {
    catalog: u64,
    staged: u64,
    rest: u64,
}

impl Vault {
    /// Bytes of the files of the vault, on all its volumes, that belong to no account: its own file, groups, what was set
    /// aside.
    pub fn beside_bytes(&self) -> Result<u64> {
        let domains = layout::domains(self.path());
        let mut sum = 0u64;
        for dir in [self.path(), &domains] {
            for named in self.disk().list(dir)? {
                let path = dir.join(&named.name);
                let counted = path != domains && (dir != domains || layout::domain_id(&named.name).is_none());
                let bytes = match named.kind {
                    PathKind::Dir if counted => below(self.disk(), &path, ASIDE_DEPTH_MAX)?,
                    PathKind::File if counted => named.len,
                    _ => 0,
                };
                sum = sum.saturating_add(bytes);
            }
        }
        // Of further volumes what is not packs, which count for their accounts.
        for volume in self.volumes()?.iter().filter(|volume| volume.number != 0) {
            sum = sum.saturating_add(volume.bytes.saturating_sub(volume.pack_bytes));
        }
        Ok(sum)
    }
}

impl Domain {
    /// What it takes on the disk. Bytes of packs are told as the catalog says (`check` compares); all other files are
    /// looked at. `most_ms`: when things have changed since the last pass of housekeeping and a walk over the versions
    /// would take longer, the classes are those of that pass; without it the walk takes what it takes.
    pub fn usage(&self, most_ms: Option<u64>) -> Result<Usage> {
        self.with_files(self.classes(most_ms)?)
    }

    /// The same with classes of the packs that somebody has told apart.
    pub(super) fn with_files(&self, mut classes: Classes) -> Result<Usage> {
        let others = self.other_files()?;
        let (packs, pack_bytes) = self.inner.catalog.read(|rows| rows.pack_totals())?;
        classes.metadata_bytes = classes.metadata_bytes.saturating_add(others.catalog).saturating_add(others.rest);
        classes.unreferenced_bytes = classes.unreferenced_bytes.saturating_add(others.staged);
        Ok(Usage {
            classes,
            now_bytes: [others.catalog, others.staged, others.rest].into_iter().fold(pack_bytes, u64::saturating_add),
            pack_bytes,
            packs,
            catalog_bytes: others.catalog,
            free_bytes: Some(self.free_bytes()).filter(|free| *free != u64::MAX),
        })
    }

    /// Bytes of all its files now.
    pub fn now_bytes(&self) -> Result<u64> {
        let others = self.other_files()?;
        let packs = self.inner.catalog.read(|rows| rows.pack_totals())?.1;
        Ok([others.catalog, others.staged, others.rest].into_iter().fold(packs, u64::saturating_add))
    }

    fn other_files(&self) -> Result<Others> {
        let (disk, paths) = (&*self.inner.shared.disk, &self.inner.paths);
        let mut others = Others::default();
        for named in disk.list(paths.root())? {
            let path = paths.root().join(&named.name);
            if path == paths.packs().root() {
                continue;
            }
            let sum = match named.kind {
                PathKind::Dir if path == paths.staging() => &mut others.staged,
                PathKind::File if layout::is_database(&named.name) => &mut others.catalog,
                _ => &mut others.rest,
            };
            let bytes = if named.kind == PathKind::Dir { below(disk, &path, DEPTH_MAX)? } else { named.len };
            *sum = sum.saturating_add(bytes);
        }
        Ok(others)
    }
}

/// Bytes of all files below a folder. What goes while it is looked at counts for nothing.
pub(super) fn below(disk: &dyn Disk, dir: &Path, depth: usize) -> Result<u64> {
    let listed = match disk.list(dir) {
        Err(Error::NotFound { .. }) => return Ok(0),
        other => other?,
    };
    listed.iter().try_fold(0u64, |sum, named| {
        let bytes = match named.kind {
            PathKind::Dir if depth > 0 => below(disk, &dir.join(&named.name), depth - 1)?,
            PathKind::File => named.len,
            PathKind::Dir | PathKind::Other => 0,
        };
        Ok(sum.saturating_add(bytes))
    })
}
