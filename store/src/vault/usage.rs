//! What a chunk space takes on the disk, to the byte: every file of it belongs to one class (`housekeep/classes`).

use std::path::Path;

use super::housekeep::Classes;
use super::{Domain, layout};
use crate::door::{Disk, PathKind};
use crate::error::{Error, Result};

/// How deep folders of a domain are: accounts/<number>/versions, staging/<session>/stripe.
const DEPTH_MAX: usize = 6;

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
    /// Of the metadata the catalog and its log, which can be made again.
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

impl Domain {
    /// What it takes on the disk. Bytes of packs are told as the catalog says (`check` compares); all other files are
    /// looked at. `most_ms`: when things have changed since the last pass of housekeeping and a walk over the versions
    /// would take longer, the classes are those of that pass; without it the walk takes what it takes.
    pub fn usage(&self, most_ms: Option<u64>) -> Result<Usage> {
        let mut classes = self.classes(most_ms)?;
        let others = self.others()?;
        let (packs, pack_bytes) = self.inner.catalog.read(|rows| rows.pack_totals())?;
        classes.metadata_bytes = classes.metadata_bytes.saturating_add(others.catalog).saturating_add(others.rest);
        classes.unreferenced_bytes = classes.unreferenced_bytes.saturating_add(others.staged);
        let beside = others.catalog.saturating_add(others.rest).saturating_add(others.staged);
        Ok(Usage {
            classes,
            now_bytes: pack_bytes.saturating_add(beside),
            pack_bytes,
            packs,
            catalog_bytes: others.catalog,
            free_bytes: self.inner.shared.disk.free_bytes(self.inner.paths.root()).ok(),
        })
    }

    fn others(&self) -> Result<Others> {
        let (disk, paths) = (&*self.inner.shared.disk, &self.inner.paths);
        let mut others = Others::default();
        for named in disk.list(paths.root())? {
            let path = paths.root().join(&named.name);
            if path == paths.packs() {
                continue;
            }
            let sum = match named.kind {
                PathKind::Dir if path == paths.staging() => &mut others.staged,
                PathKind::File if layout::is_catalog(&named.name) => &mut others.catalog,
                _ => &mut others.rest,
            };
            let bytes = if named.kind == PathKind::Dir { below(disk, &path, DEPTH_MAX)? } else { named.len };
            *sum = sum.saturating_add(bytes);
        }
        Ok(others)
    }
}

/// Bytes of all files below a folder. What goes while it is looked at counts for nothing.
fn below(disk: &dyn Disk, dir: &Path, depth: usize) -> Result<u64> {
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
