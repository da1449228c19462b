//! Volumes come, go, and are evened out. One at a time works at this; backups go on meanwhile.
//!
//! A pack is moved by a copy that is read again, named, and durable before the old name goes: so a move may end
//! anywhere, and the same command goes on. That a volume is leaving is said in the vault's own file first; from then on
//! nothing new comes into it.

use std::io;
use std::path::{Path, PathBuf};

use super::layout::{self, DomainPaths, PackFolder};
use super::manifest::{self, Listed, Manifest, VOLUME_PATH_MAX, VOLUMES_MAX};
use super::volumes::{Goal, choose, list, packs_in};
use super::{AccountInfo, Domain, Vault, account, note};
use crate::door::{Lock, Named, PathKind, check_owner};
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::pack::PackKind;

/// Volumes whose shares of free space differ by less than this, in millionths, are even.
const EVEN: u64 = 20_000;

/// What was moved from volume to volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Packs.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs that could not be read, and stayed.
    pub stuck: u64,
}

/// What became of a pack that was to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Moved,
    /// Housekeeping has taken it away meanwhile.
    Gone,
    /// It cannot be read where it is, and stays there.
    Stuck,
}

/// Told after every pack; an error ends the work there.
type Tell<'a> = &'a mut dyn FnMut(Moved) -> Result<()>;

impl Vault {
    /// Makes a folder, which is new or empty, a volume and gives its number. One that is a volume of this vault and is
    /// listed at another place is listed here from now on; one that is leaving stays. `Refused` when it cannot be one, with
    /// the reason; `Taken` when there is something else in it; `Busy` while others change volumes.
    pub fn add_volume(&self, path: &Path) -> Result<u32> {
        self.must_write()?;
        let _lock = self.volumes_lock()?;
        let disk = self.disk();
        let refused = |why: &str| Error::Refused { why: format!("{} {why}", path.display()) };
        let named = path.to_str().ok_or_else(|| refused("is not UTF-8"))?;
        if !path.is_absolute() || named.len() > VOLUME_PATH_MAX {
            return Err(refused("is not an absolute path of at most 1,000 bytes"));
        }
        let manifest = Manifest::load(disk, self.path())?;
        let mut volumes = manifest.volumes.clone();
        let within = |a: &Path, b: &Path| a.starts_with(b) || b.starts_with(a);
        if within(path, self.path()) {
            return Err(refused("and the vault's own folder are not apart"));
        }
        if let Some(other) = volumes.iter_mut().find(|volume| within(path, &volume.path)) {
            let number = other.number;
            if !other.leaving || other.path != path || !self.shared.is_there(other) {
                return Err(refused(&format!("is, or is not apart from, volume {number}")));
            }
            other.leaving = false;
            self.list_volumes(volumes)?;
            return Ok(number);
        }
        account::make_dir(disk, path)?;
        self.check_owner_of_volume(path)?;
        let marked = match manifest::read_marker(disk, path) {
            Ok((vault, number)) if vault == self.id() => Some(number),
            Ok(_) => return Err(refused("is a volume of another vault")),
            Err(Error::NotFound { .. }) => None,
            Err(e) => return Err(e),
        };
        if let Some(known) = volumes.iter_mut().find(|volume| Some(volume.number) == marked) {
            if self.shared.is_there(known) {
                return Err(refused(&format!("is a copy of volume {}, which is there", known.number)));
            }
            known.path = path.to_owned();
            let number = known.number;
            self.list_volumes(volumes)?;
            return Ok(number);
        }
        // One without packs is what is left of an addition, or of a removal, that was cut short.
        if let Some(number) = marked
            && self.has_packs(path)?
        {
            return Err(refused(&format!("was volume {number} of this vault, and was removed")));
        }
        if volumes.len() >= VOLUMES_MAX {
            return Err(Error::Limit { what: "volumes", found: volumes.len() as u64 + 1, most: VOLUMES_MAX as u64 });
        }
        let ours = |name: &str| {
            name == "volume.json"
                || name == "lost+found"
                || name.ends_with(".new")
                || (marked.is_some() && name == "packs")
        };
        if disk.names(path)?.iter().any(|name| !name.to_str().is_some_and(ours)) {
            return Err(Error::Taken { what: path.display().to_string() });
        }
        let number = manifest.next_volume();
        // First of all: a folder that was only marked must never pass for the volume that got its number later.
        self.change_manifest(&self.lock_accounts()?, |manifest| manifest.with_next(number.saturating_add(1)))?;
        let temporary = note::temporary(self.chance(), path);
        note::write_new(disk, &temporary, &manifest::marker(self.id(), number))?;
        disk.rename(&temporary, &layout::volume_marker(path))?;
        account::make_dir(disk, &layout::volume_packs(path))?;
        disk.sync_dir(path)?;
        if let Some(above) = path.parent() {
            disk.sync_dir(above)?;
        }
        volumes.push(Listed { number, path: path.to_owned(), leaving: false });
        self.list_volumes(volumes)?;
        Ok(number)
    }

    /// Moves all packs of a volume to the others and takes it off the list; cut short, the same call goes on. With `lost`:
    /// takes one off that is not there and will not come back; what it held is then lost, and `check` tells of it.
    /// `Busy` while others change volumes, keep house or load an archive, `NotFound` when there is none of this number, `Absent` when it is not there, a full [`Error::Disk`] when the others
    /// have no room. On a disk that takes no changes the packs stay, too. With [`Moved::stuck`] it stays on the list, and so it does, `Absent`, when its disk was away for a moment.
    pub fn remove_volume(&self, number: u32, lost: bool, tell: Tell<'_>) -> Result<Moved> {
        self.must_write()?;
        let _lock = self.volumes_lock()?;
        let manifest = Manifest::load(self.disk(), self.path())?;
        let mut volumes = manifest.volumes.clone();
        let none = || Error::NotFound { what: "volume", name: number.to_string() };
        let at = volumes.iter().position(|volume| volume.number == number).ok_or_else(none)?;
        let volume = volumes.get_mut(at).ok_or_else(none)?;
        let there = self.shared.is_there(volume);
        if lost && there {
            return Err(Error::Refused { why: format!("volume {number} is there: its packs can be moved") });
        }
        if lost {
            volumes.remove(at);
            self.list_volumes(volumes)?;
            return Ok(Moved::default());
        }
        if !there {
            return Err(Error::Absent { volume: number });
        }
        volume.leaving = true;
        let volume = volume.clone();
        self.list_volumes(volumes)?;
        self.end_loads()?;
        let moved = self.empty(&volume, tell)?;
        if moved.stuck > 0 {
            return Ok(moved);
        }
        self.clear(&volume)?;
        let manifest = Manifest::load(self.disk(), self.path())?;
        let rest = manifest.volumes.iter().filter(|other| other.number != number).cloned().collect();
        self.list_volumes(rest)?;
        // It is nobody's now.
        self.disk().remove_file(&layout::volume_marker(&volume.path)).ok();
        self.disk().sync_dir(&volume.path).ok();
        Ok(moved)
    }

    /// Moves packs from the fullest volumes to the emptiest until their shares of free space are about the same. Packs of
    /// nodes stay at home. What has taken a pack gives none: so this ends, however large packs are beside a disk.
    pub fn balance_volumes(&self, tell: Tell<'_>) -> Result<Moved> {
        self.must_write()?;
        let _lock = self.volumes_lock()?;
        self.shared.must_have_all_volumes()?;
        let mut moved = Moved::default();
        let mut sources = self.shared.goals()?;
        while !sources.is_empty() {
            let goals = self.shared.goals()?;
            sources.retain(|source| goals.iter().any(|goal| goal.number() == source.number()));
            let now = |number| goals.iter().find(|goal| goal.number() == number);
            sources.sort_by_key(|source| now(source.number()).map(Goal::share));
            let (Some(from), Some(to)) = (sources.first().cloned(), goals.iter().max_by_key(|goal| goal.share()))
            else {
                break;
            };
            let share = now(from.number()).map_or(0, Goal::share);
            if share.saturating_add(EVEN) >= to.share() {
                break;
            }
            // When nothing in it can go, it gives nothing either.
            let done = if self.move_one(&from, to, &mut moved, tell)? { to.number() } else { from.number() };
            sources.retain(|source| source.number() != done);
        }
        Ok(moved)
    }

    /// Moves one pack that is no pack of nodes, if there is any.
    fn move_one(&self, from: &Goal, to: &Goal, moved: &mut Moved, tell: Tell<'_>) -> Result<bool> {
        for account in self.accounts()? {
            let domain = self.domain(&account)?;
            let folder = domain.folder_in(from);
            let _lock = domain.housekeeping_lock()?;
            let spare = domain.spare()?;
            for (id, bytes) in packs_in(self.disk(), &folder)? {
                let path = folder.pack(id);
                if to.free_bytes() < bytes.saturating_add(spare) {
                    continue;
                }
                let Ok((reader, _)) = domain.open_pack_at(id, &path) else { continue };
                if reader.header().kind == PackKind::Nodes && from.number() == 0 {
                    continue;
                }
                if domain.move_pack(id, &path, to)? == Fate::Moved {
                    moved.packs += 1;
                    moved.bytes = moved.bytes.saturating_add(bytes);
                    tell(*moved)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A load chooses volumes at its beginning, so none may be going on; one that was cut short begins anew.
    fn end_loads(&self) -> Result<()> {
        for domain in
            list(self.disk(), &layout::domains(self.path()))?.iter().filter_map(|named| layout::load_of(&named.name))
        {
            let lock = DomainPaths::loading(self.path(), domain).root().join("lock");
            let Some(_lock) = self.disk().lock(&lock)? else {
                return Err(Error::Busy { what: "an archive that is being loaded".to_owned() });
            };
            self.clear_load(domain)?;
        }
        Ok(())
    }

    fn empty(&self, volume: &Listed, tell: Tell<'_>) -> Result<Moved> {
        let mut moved = Moved::default();
        let accounts = self.accounts()?;
        for named in list(self.disk(), &layout::volume_packs(&volume.path))? {
            let Some(id) = layout::domain_id(&named.name).filter(|_| named.kind == PathKind::Dir) else { continue };
            let folder = layout::volume_domain(&volume.path, id);
            let Some(account) = accounts.iter().find(|account| account.domain == id) else {
                // Of an account that is gone, or of a load that is going on or was cut short.
                if packs_in(self.disk(), &folder)?.is_empty() {
                    continue;
                }
                let why = format!("volume {} holds packs of no account: {}", volume.number, folder.root().display());
                return Err(Error::Refused { why });
            };
            self.empty_of(account, &folder, &mut moved, tell)?;
        }
        Ok(moved)
    }

    /// Proves that no pack is left in a volume, which looking does not: a disk that has gone looks empty, and may be back a
    /// moment later. So its folders are removed; nobody can do that to one that is not there, or that has something in it.
    /// What somebody was copying when the volume began to leave may stay: who copies it removes it.
    fn clear(&self, volume: &Listed) -> Result<()> {
        let top = layout::volume_packs(&volume.path);
        let is_there =
            || if self.shared.is_there(volume) { Ok(()) } else { Err(Error::Absent { volume: volume.number }) };
        is_there()?;
        let removed = self.remove_folders(&top);
        is_there()?;
        match removed {
            Err(e) if e.takes_no_changes() => self.must_be_elsewhere(volume).and_then(|()| is_there()),
            Err(Error::Disk { cause, .. })
                if matches!(cause.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory) =>
            {
                Err(Error::Refused { why: format!("something is left in {}", top.display()) })
            }
            other => other,
        }
    }

    /// From a disk that takes no changes, as a dying one, nothing can be removed: every pack that it has must be in another
    /// place, too. What it holds stays on it, and is nobody's.
    fn must_be_elsewhere(&self, volume: &Listed) -> Result<()> {
        for account in self.accounts()? {
            let domain = self.domain(&account)?;
            for (id, _) in packs_in(self.disk(), &layout::volume_domain(&volume.path, account.domain))? {
                if domain.pack_paths(id)?.iter().all(|path| path.starts_with(&volume.path)) {
                    return Err(Error::Refused { why: format!("pack {id} is only in {}", volume.path.display()) });
                }
            }
        }
        Ok(())
    }

    /// Removes the folders of packs of a volume, but for those in which a copy is.
    fn remove_folders(&self, top: &Path) -> Result<()> {
        let disk = self.disk();
        // It is not there after an attempt that was cut short here, and is needed for the proof.
        account::make_dir(disk, top)?;
        let mut copies = false;
        for domain in disk.names(top)? {
            let folder = top.join(&domain);
            let (kept, rest): (Vec<Named>, Vec<Named>) = disk
                .list(&folder)?
                .into_iter()
                .partition(|named| named.kind == PathKind::File && layout::is_temporary(&named.name));
            for named in rest {
                disk.remove_dir(&folder.join(&named.name))?;
            }
            if kept.is_empty() {
                disk.remove_dir(&folder)?;
            }
            copies |= !kept.is_empty();
        }
        if copies { Ok(()) } else { disk.remove_dir(top) }
    }

    fn empty_of(&self, account: &AccountInfo, folder: &PackFolder, moved: &mut Moved, tell: Tell<'_>) -> Result<()> {
        let domain = self.domain(account)?;
        // Who was about to name something here has done so, or sees that the volume is leaving.
        drop(domain.inner.catalog.write()?);
        // Nobody lists packs for an archive, or removes any, while they move.
        let _lock = domain.housekeeping_lock()?;
        domain.clear_copies()?;
        let spare = domain.spare()?;
        for (id, bytes) in packs_in(self.disk(), folder)? {
            let path = folder.pack(id);
            let kind = domain.open_pack_at(id, &path).map_or(PackKind::Mixed, |(reader, _)| reader.header().kind);
            let goals = self.shared.goals()?;
            let goal = choose(&goals, id, kind, bytes.saturating_add(spare)).ok_or_else(|| {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Error::disk("move packs within", self.path(), full)
            })?;
            match domain.move_pack(id, &path, goal)? {
                Fate::Moved => {
                    moved.packs += 1;
                    moved.bytes = moved.bytes.saturating_add(bytes);
                }
                Fate::Gone => {}
                Fate::Stuck => moved.stuck += 1,
            }
            tell(*moved)?;
        }
        Ok(())
    }

    /// Whoever works in the vault must be able to work in the volume: root makes folders that are not theirs.
    fn check_owner_of_volume(&self, path: &Path) -> Result<()> {
        let disk = self.disk();
        check_owner(disk, path)?;
        let owner = |path| Ok::<_, Error>(disk.exists(path)?.map(|found| found.owner));
        match (owner(path)?, owner(self.path())?) {
            (Some(have), Some(wanted)) if have != wanted => Err(Error::Refused {
                why: format!("{} belongs to user number {have}, and the vault to {wanted}", path.display()),
            }),
            _ => Ok(()),
        }
    }

    fn has_packs(&self, volume: &Path) -> Result<bool> {
        for domain in
            list(self.disk(), &layout::volume_packs(volume))?.iter().filter_map(|named| layout::domain_id(&named.name))
        {
            if !packs_in(self.disk(), &layout::volume_domain(volume, domain))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn list_volumes(&self, volumes: Vec<Listed>) -> Result<()> {
        self.change_manifest(&self.lock_accounts()?, |manifest| manifest.with_volumes(volumes))?;
        self.shared.volumes_now().map(drop)
    }

    fn volumes_lock(&self) -> Result<Lock> {
        let path: PathBuf = layout::volumes_lock(self.path());
        self.disk().lock(&path)?.ok_or_else(|| Error::Busy { what: "the list of volumes".to_owned() })
    }
}

impl Domain {
    /// Moves a pack that is at this path.
    fn move_pack(&self, id: PackId, from: &Path, goal: &Goal) -> Result<Fate> {
        let shared = &self.inner.shared;
        let folder = self.folder_in(goal);
        if shared.disk.exists(&folder.pack(id))?.is_none() {
            let copy = match self.copy_to(goal, from, id) {
                Err(Error::NotFound { .. }) => return Ok(Fate::Gone),
                // Unless the new place is the reason.
                Err(Error::Disk { path, .. }) if path == from => return Ok(Fate::Stuck),
                other => other?,
            };
            // Under it nobody removes a pack, and nobody else names one.
            let write = self.inner.catalog.write()?;
            if shared.disk.exists(from)?.is_none() {
                self.remove(&copy.temporary)?;
                return Ok(Fate::Gone);
            }
            self.name_pack(&copy.temporary, &copy.folder, id)?;
            self.remove(&copy.temporary)?;
            drop(write);
        } else {
            // A move that was cut short.
            self.sync_name(&folder.pack(id))?;
            if !self.same(from, &folder.pack(id))? {
                return Err(Error::damaged("pack", "two volumes have it, and not the same").at(|| format!("pack {id}")));
            }
        }
        shared.must_still_be_there(goal)?;
        match self.remove(from) {
            // The copy is what counts from now on; see `Vault::clear`.
            Err(e) if e.takes_no_changes() => return Ok(Fate::Moved),
            removed => removed?,
        }
        if let Some(under) = from.parent() {
            shared.disk.sync_dir(under)?;
        }
        Ok(Fate::Moved)
    }

    /// Makes the name of a pack durable that somebody gave it, who may have ended before that.
    pub(super) fn sync_name(&self, pack: &Path) -> Result<()> {
        pack.ancestors().skip(1).take(3).try_for_each(|above| self.inner.shared.disk.sync_dir(above))
    }

    /// Whether two files have the same bytes.
    pub(super) fn same(&self, one: &Path, other: &Path) -> Result<bool> {
        let disk = &*self.inner.shared.disk;
        Ok(super::volumes::hash(disk, one)? == super::volumes::hash(disk, other)?)
    }
}
