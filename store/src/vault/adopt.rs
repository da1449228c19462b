//! What dead sessions left: their whole records are published, so that nobody has to send them again.
//!
//! A session is dead when every lock in its folder can be taken. Whoever finds one does the work; if they die over it,
//! the next one does it again. A folder that cannot be worked on is left as it is and keeps nobody from anything.

use std::path::{Path, PathBuf};

use super::{Domain, layout};
use crate::door::{Lock, PathKind, random};
use crate::error::{Error, Result};
use crate::id::{PackId, SessionId, hex};
use crate::pack::{self, FinishedPack, PackReader, side_path};

/// Packs in staging at which nobody works any more.
#[derive(Default)]
pub(super) struct Left {
    /// Unfinished ones.
    parts: Vec<(PackId, PathBuf)>,
    /// Finished ones, handed over by stripes, with their lengths.
    done: Vec<(PackId, PathBuf, u64)>,
}

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
        // What cannot be freed now is room for data, and is tried again.
        self.free_reserved().ok();
        Ok(())
    }

    /// Frees what sessions reserved whose folders are gone: who removed one may have ended before that was noted.
    fn free_reserved(&self) -> Result<()> {
        let gone = |session: &SessionId| {
            let folder = self.inner.paths.session(*session);
            self.inner.shared.disk.exists(&folder).is_ok_and(|found| found.is_none())
        };
        if !self.inner.catalog.read(|rows| rows.reserving())?.iter().any(gone) {
            return Ok(());
        }
        // Sessions make their folders under the write lock, and reserve after that.
        let write = self.inner.catalog.write()?;
        for session in write.rows().reserving()?.into_iter().filter(gone) {
            write.rows().unreserve(session)?;
        }
        write.commit()
    }

    /// Adopts what is in this session's folder and removes it. Returns whether that was done: not for one that lives, and
    /// not for one that waits.
    pub(super) fn adopt_one(&self, dir: &Path) -> Result<bool> {
        // Enough for one that lives.
        if self.lock_all(dir)?.is_none() || self.waits_for_a_limit(dir)? {
            return Ok(false);
        }
        let (locks, left) = {
            // Sessions make their folder and lock it under the write lock: one that is just beginning is not taken for
            // dead, and what one that is resumed from here on puts into the folder is not touched.
            let _write = self.inner.catalog.write()?;
            let Some(locks) = self.lock_all(dir)? else { return Ok(false) };
            (locks, self.left_in_all(dir)?)
        };
        self.adopt_left(&left)?;
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

    /// Whether what this dead session left waits where it is: it was refused for a limit that still leaves no room. Adopted,
    /// it would be packs that nothing needs and that stay for a day; so it can be let go as soon as somebody needs the room.
    fn waits_for_a_limit(&self, dir: &Path) -> Result<bool> {
        Ok(self.left_bytes(dir)?.1 > 0 && self.was_refused(dir)? && self.is_still_refused(dir)?)
    }

    /// Whether what this dead session left cannot be adopted now: it waits, or the disk has no room for its copy.
    pub(super) fn has_no_room_for(&self, dir: &Path) -> Result<bool> {
        Ok(self.free_at_home() < self.left_bytes(dir)?.0 || self.waits_for_a_limit(dir)?)
    }

    /// Removes what dead sessions left, as far as `which` says so of their folders. How many bytes that were. Nothing depends
    /// on it: what was not published is sent again.
    pub(super) fn let_go(&self, which: &dyn Fn(&Path) -> Result<bool>) -> Result<u64> {
        let staging = self.inner.paths.staging();
        let mut bytes: u64 = 0;
        for named in self.inner.shared.disk.list(&staging)? {
            let dir = staging.join(&named.name);
            let Some(session) = layout::session_id(&named.name).filter(|_| named.kind == PathKind::Dir) else {
                continue;
            };
            if self.lock_all(&dir)?.is_none() || !which(&dir)? {
                continue;
            }
            // Under the write lock nobody begins or joins this session meanwhile.
            let write = self.inner.catalog.write()?;
            let Some(_locks) = self.lock_all(&dir)? else { continue };
            let left = self.left_bytes(&dir)?.1;
            self.remove_folder(&dir)?;
            write.rows().unreserve(session)?;
            write.commit()?;
            bytes = bytes.saturating_add(left);
        }
        Ok(bytes)
    }

    /// Bytes of a session's packs in staging: of those that are copied when they are adopted, and of all.
    fn left_bytes(&self, dir: &Path) -> Result<(u64, u64)> {
        let (mut copied, mut done) = (0_u64, 0_u64);
        for folder in std::iter::once(dir.to_owned()).chain(self.stripes_in(dir)?) {
            for named in self.inner.shared.disk.list(&folder)? {
                if layout::pack_id(&named.name, ".part").is_some() {
                    copied = copied.saturating_add(named.len);
                } else if layout::pack_id(&named.name, ".done").is_some() {
                    done = done.saturating_add(named.len);
                }
            }
        }
        Ok((copied, copied.saturating_add(done)))
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
                self.adopt_left(&self.left_in(&stripe)?)?;
                self.remove_folder(&stripe)?;
            }
        }
        Ok(())
    }

    /// What there is in a session's folder and in those of its stripes.
    pub(super) fn left_in_all(&self, dir: &Path) -> Result<Left> {
        let mut left = self.left_in(dir)?;
        for stripe in self.stripes_in(dir)? {
            let more = self.left_in(&stripe)?;
            left.parts.extend(more.parts);
            left.done.extend(more.done);
        }
        Ok(left)
    }

    fn left_in(&self, dir: &Path) -> Result<Left> {
        let mut left = Left::default();
        for named in self.inner.shared.disk.list(dir)? {
            let path = dir.join(&named.name);
            if let Some(id) = layout::pack_id(&named.name, ".part") {
                left.parts.push((id, path));
            } else if let Some(id) = layout::pack_id(&named.name, ".done") {
                left.done.push((id, path, named.len));
            }
        }
        Ok(left)
    }

    /// Publishes the whole records of all these packs, finished or not, at which nobody works, or only one that was
    /// overtaken. `Absent` when that is done but for those that may be in a volume that is away: they wait for it.
    pub(super) fn adopt_left(&self, left: &Left) -> Result<()> {
        match self.adopt_left_once(left) {
            // Another was faster with the same pack: then nothing is left to be done for it.
            Err(Error::Taken { .. } | Error::NotFound { .. }) => self.adopt_left_once(left),
            other => other,
        }
    }

    fn adopt_left_once(&self, left: &Left) -> Result<()> {
        let (mut named, mut absent) = (false, None);
        let mut found = Vec::new();
        // What may go from staging in the end. What a volume that is away may have waits for it.
        let (mut done, mut parts) = (Vec::new(), Vec::new());
        for pack in &left.done {
            match self.has_name(pack.0, &mut named) {
                Ok(true) => {}
                Ok(false) => found.extend(self.open_done(std::slice::from_ref(pack))?),
                Err(e @ Error::Absent { .. }) => {
                    absent = Some(e);
                    continue;
                }
                Err(e) => return Err(e),
            }
            done.push(&pack.1);
        }
        let mut copies = Vec::new();
        for (id, part) in &left.parts {
            let published = match self.has_name(*id, &mut named) {
                Err(e @ Error::Absent { .. }) => {
                    absent = Some(e);
                    continue;
                }
                other => other?,
            };
            parts.push(part);
            if published {
                continue;
            }
            let copy = self.adopt_part(*id, part)?;
            copies.extend(copy.iter().map(|copy| copy.path.clone()));
            found.extend(copy);
        }
        let published = self.publish(&found);
        for copy in &copies {
            // Gone already, unless publishing failed.
            self.remove(copy).ok();
        }
        published?;
        if named {
            // Somebody ended, or is, between a pack's name and its rows.
            self.take_in()?;
        }
        for part in parts {
            self.remove(part)?;
            self.remove(&side_path(part))?;
        }
        for pack in done {
            self.remove(pack)?;
        }
        absent.map_or(Ok(()), Err)
    }

    /// Whether a pack has been published: by who ended, or failed, before its name in staging was removed. `unknown` becomes
    /// true when it has no rows yet.
    fn has_name(&self, id: PackId, unknown: &mut bool) -> Result<bool> {
        let known = || self.inner.catalog.read(|rows| rows.has_pack(id));
        match self.find_pack(id) {
            Ok(None) => Ok(false),
            Ok(Some(_)) => {
                *unknown |= !known()?;
                Ok(true)
            }
            // Published, and its volume is away.
            Err(Error::Absent { .. }) if known()? => Ok(true),
            Err(e) => Err(e),
        }
    }

    fn adopt_part(&self, id: PackId, part: &Path) -> Result<Option<FinishedPack>> {
        let shared = &self.inner.shared;
        let copy = part.with_extension(format!("{}.adopted", hex(&random::<8>(&*shared.chance))));
        match pack::adopt(&*shared.disk, part, &copy) {
            Ok(found) => Ok(found.filter(|found| found.header.pack == id && found.header.domain == self.id())),
            // Somebody has dealt with it since it was listed.
            Err(Error::NotFound { .. }) => Ok(None),
            Err(e) => {
                // What stays goes with the folder.
                self.remove(&copy).ok();
                Err(e)
            }
        }
    }

    /// The packs that stripes have finished and that are not published yet.
    pub(super) fn handed_over(&self, dir: &Path) -> Result<Vec<FinishedPack>> {
        let (mut out, mut unknown) = (Vec::new(), false);
        for done in self.left_in(dir)?.done {
            if !self.has_name(done.0, &mut unknown)? {
                out.extend(self.open_done(&[done])?);
            }
        }
        if unknown {
            self.take_in()?;
        }
        Ok(out)
    }

    fn open_done(&self, done: &[(PackId, PathBuf, u64)]) -> Result<Vec<FinishedPack>> {
        let mut out = Vec::new();
        for (id, path, bytes) in done {
            let reader = match PackReader::open(&*self.inner.shared.disk, path) {
                // Published by somebody since it was listed.
                Err(Error::NotFound { .. }) => continue,
                other => other?,
            };
            if reader.header().pack != *id || reader.header().domain != self.id() {
                return Err(Error::damaged("pack", "it has another name than its header says")
                    .at(|| path.display().to_string()));
            }
            let (header, lines) = (*reader.header(), reader.lines().to_vec());
            out.push(FinishedPack { path: path.clone(), header, lines, bytes: *bytes });
        }
        Ok(out)
    }

    /// Removes a folder of staging in which nothing is left to be kept.
    pub(super) fn remove_folder(&self, dir: &Path) -> Result<()> {
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
