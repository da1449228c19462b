//! What dead sessions left: their whole records are published, so that nobody has to send them again.
//!
//! A session is dead when every lock in its folder can be taken. Whoever finds one does the work; if they die over it,
//! the next one does it again. A folder that cannot be worked on is left as it is and keeps nobody from anything.

use std::path::{Path, PathBuf};

use super::{Domain, layout};
use crate::door::{Lock, PathKind};
use crate::error::{Error, Result};
use crate::id::{PackId, SessionId};
use crate::pack::{self, FinishedPack, PackReader, side_path};

impl Domain {
    /// Adopts what every dead session left, but for the one that is about to be resumed.
    pub(super) fn adopt_dead(&self, but: Option<SessionId>) -> Result<()> {
        let staging = self.inner.paths.staging();
        for named in self.inner.shared.disk.list(&staging)? {
            if let Some(id) = layout::session_id(&named.name)
                && named.kind == PathKind::Dir
                && but != Some(id)
            {
                // Nothing depends on what is in there: what is not adopted is sent again.
                self.adopt_one(&staging.join(&named.name)).ok();
            }
        }
        Ok(())
    }

    /// Adopts what is in this session's folder and removes it. Returns whether the session was dead.
    pub(super) fn adopt_one(&self, dir: &Path) -> Result<bool> {
        let Some(locks) = self.lock_all(dir)? else { return Ok(false) };
        for stripe in self.stripes_in(dir)? {
            self.adopt_parts(&stripe)?;
        }
        self.adopt_parts(dir)?;
        // Under the write lock nobody begins or joins this session meanwhile.
        let write = self.inner.catalog.write()?;
        if self.locks_in(dir)?.iter().any(|path| !locks.iter().any(|(held, _)| held == path)) {
            return Ok(false);
        }
        self.remove_folder(dir)?;
        if let Some(session) = dir.file_name().and_then(layout::session_id) {
            write.rows().unreserve(session)?;
        }
        write.commit()?;
        Ok(true)
    }

    /// All locks of a session, or nothing when somebody holds one.
    pub(super) fn lock_all(&self, dir: &Path) -> Result<Option<Vec<(PathBuf, Lock)>>> {
        let mut locks = Vec::new();
        for path in self.locks_in(dir)? {
            match self.inner.shared.disk.lock(&path)? {
                Some(lock) => locks.push((path, lock)),
                None => return Ok(None),
            }
        }
        Ok(Some(locks))
    }

    /// The folders of the stripes of a session.
    pub(super) fn stripes_in(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let named = self.inner.shared.disk.list(dir)?;
        let stripes = named.iter().filter(|n| n.kind == PathKind::Dir && layout::is_stripe(&n.name));
        Ok(stripes.map(|n| dir.join(&n.name)).collect())
    }

    /// Publishes what dead stripes of a session left, and removes their folders.
    pub(super) fn adopt_stripes(&self, dir: &Path) -> Result<()> {
        for stripe in self.stripes_in(dir)? {
            let lock = {
                // Stripes make folder and lock under the write lock: one that is just beginning is not taken for dead.
                let _write = self.inner.catalog.write()?;
                self.inner.shared.disk.lock(&stripe.join("lock"))?
            };
            if lock.is_some() {
                self.adopt_parts(&stripe)?;
                self.remove_folder(&stripe)?;
            }
        }
        Ok(())
    }

    /// Publishes the whole records of all packs, finished or not, in a folder where nobody else works, or only one
    /// that was overtaken.
    pub(super) fn adopt_parts(&self, dir: &Path) -> Result<()> {
        match self.adopt_parts_once(dir) {
            // The one that was overtaken had begun to publish the same pack: then nothing is left to be done for it.
            Err(Error::Taken { .. } | Error::NotFound { .. }) => self.adopt_parts_once(dir),
            other => other,
        }
    }

    fn adopt_parts_once(&self, dir: &Path) -> Result<()> {
        let mut found = self.handed_over(dir)?;
        let mut parts = Vec::new();
        for named in self.inner.shared.disk.list(dir)? {
            if let Some(id) = layout::pack_id(&named.name, ".part") {
                let part = dir.join(&named.name);
                found.extend(self.adopt_part(id, &part)?);
                parts.push(part);
            }
        }
        self.publish(&found)?;
        for part in parts {
            self.remove(&part)?;
            self.remove(&side_path(&part))?;
        }
        Ok(())
    }

    fn adopt_part(&self, id: PackId, part: &Path) -> Result<Option<FinishedPack>> {
        let disk = &*self.inner.shared.disk;
        if disk.exists(&self.inner.paths.pack(id))?.is_some() {
            // It was published, and only its name here was left. Its rows come with the next taking in.
            return Ok(None);
        }
        Ok(pack::adopt(disk, part)?.filter(|found| found.header.pack == id && found.header.domain == self.id()))
    }

    /// The packs that stripes have finished.
    pub(super) fn handed_over(&self, dir: &Path) -> Result<Vec<FinishedPack>> {
        let disk = &*self.inner.shared.disk;
        let mut out = Vec::new();
        for named in disk.list(dir)? {
            let Some(id) = layout::pack_id(&named.name, ".done") else { continue };
            let path = dir.join(&named.name);
            let reader = PackReader::open(disk, &path)?;
            if reader.header().pack != id || reader.header().domain != self.id() {
                return Err(Error::damaged("pack", "it has another name than its header says")
                    .at(|| path.display().to_string()));
            }
            out.push(FinishedPack { path, header: *reader.header(), lines: reader.lines().to_vec(), bytes: named.len });
        }
        Ok(out)
    }

    /// Removes a folder of staging in which nothing is left to be kept.
    fn remove_folder(&self, dir: &Path) -> Result<()> {
        let disk = &*self.inner.shared.disk;
        for stripe in self.stripes_in(dir)? {
            self.remove_folder(&stripe)?;
        }
        for named in disk.list(dir)? {
            self.remove(&dir.join(&named.name))?;
        }
        disk.remove_dir(dir)
    }

    /// Removes the folder of a session that could not begin, when it never held anything.
    pub(super) fn remove_if_bare(&self, dir: &Path) {
        let disk = &*self.inner.shared.disk;
        let bare = disk.list(dir).is_ok_and(|all| all.iter().all(|n| n.name == "lock" || n.name == "token.new"));
        if bare {
            // What stays is found and removed by the next opener.
            self.remove_folder(dir).ok();
        }
    }

    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        match self.inner.shared.disk.remove_file(path) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }
}
