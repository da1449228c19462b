//! Files of packs in which everything was freed. They go one pass after that was noted, so that who has just been told
//! of a place there still finds it.

use super::{HousekeepEvent, Pass};
use crate::error::{Error, Result};

impl Pass<'_> {
    /// Removes the packs that were noted as empty before this pass, then notes those that have become so.
    pub(super) fn unlink(&mut self) -> Result<()> {
        let inner = &self.domain.inner;
        let emptied = inner.catalog.read(|rows| rows.emptied(self.began))?;
        if self.how.dry_run {
            self.done.unlinked += emptied.len() as u64;
            self.done.unlinked_bytes += emptied.iter().map(|(_, bytes)| bytes).sum::<u64>();
            return Ok(());
        }
        for (pack, bytes) in emptied {
            // Under the write lock, and looked at again: a catalog that was just made anew counts on it.
            let write = inner.catalog.write()?;
            let rows = write.rows();
            if !rows.is_emptied(pack)? {
                continue;
            }
            let ours = rows.generation()? == self.generation;
            // The rows stay until the file is gone for good: otherwise it would be taken in as a new pack.
            let paths = self.domain.pack_paths(pack)?;
            for path in &paths {
                self.domain.remove(path)?;
            }
            // Also where none was found: it may have gone just now, by who died before the sync.
            let home = inner.paths.packs().pack(pack);
            for folder in paths.iter().filter_map(|path| path.parent()).chain(home.parent()) {
                match inner.shared.disk.sync_dir(folder) {
                    Err(Error::NotFound { .. }) => {}
                    other => other?,
                }
            }
            rows.drop_emptied(pack)?;
            let generation = rows.generation()?;
            write.commit()?;
            self.domain.readers().forget(pack);
            if ours {
                self.generation = generation;
            }
            self.done.unlinked += 1;
            self.done.unlinked_bytes += bytes;
        }
        if self.done.unlinked > 0 {
            let (packs, bytes) = (self.done.unlinked, self.done.unlinked_bytes);
            self.tell(HousekeepEvent::Unlinked { packs, bytes })?;
        }
        let write = inner.catalog.write()?;
        let generation = write.rows().generation()?;
        if write.rows().note_emptied(generation)? > 0 {
            write.commit()?;
        }
        Ok(())
    }
}
