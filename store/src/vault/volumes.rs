//! Volumes: folders on further disks that hold packs and nothing else (FORMAT.md, 7.1), and where a pack lies.
//!
//! Nothing but the name of a file says where a pack is, so there is nothing to be lost or made anew; whoever looks for
//! one looks at home first, then in each volume. The one rule that all others follow from: **a volume that is not there
//! is not empty**. As long as one is absent, what is found nowhere may be in it, and nobody may say that it is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::layout::{self, PackFolder};
use super::manifest::{self, Listed, Manifest};
use super::take_in::ReadPack;
use super::{Domain, Shared, Vault, account};
use crate::door::{Disk, Lock, Named, PathKind, Room, random};
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::pack::PackKind;

/// Copied at once.
const PIECE_BYTES: usize = 1 << 20;
/// Shares of free space are counted in these.
const WHOLE: u64 = 1_000_000;
/// Volumes whose share differs by less are as good as each other.
const ALIKE: u64 = WHOLE / 100;
/// How often a volume's list is gone through for a pack: who moves one names it at its new place before the old name
/// goes, so one that is missed twice is not there.
const LOOKS: usize = 2;
/// How often packs are listed because the list of volumes has changed meanwhile.
const LIST_TRIES: usize = 4;
/// How deep folders of a volume are: packs/<domain>/xx, aside/<moment>/packs/<domain>/xx.
const DEPTH_MAX: usize = 6;

/// A volume, for who looks after a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// 0 is the vault's own folder.
    pub number: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Nothing new is put there: it is being removed.
    pub leaving: bool,
    /// It is there and is this vault's. Of one that is not, all that follows is 0.
    pub there: bool,
    /// Packs in it.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// Bytes of all files in it.
    pub bytes: u64,
    /// What its file system has; `None` when it does not say.
    pub room: Option<Room>,
}

/// The packs of a domain that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct OnDisk {
    /// With the lengths of their files, ascending by id, each once.
    pub(super) packs: Vec<(PackId, u64)>,
    /// Volumes that were not there when they were listed.
    pub(super) absent: Vec<u32>,
}

impl OnDisk {
    pub(super) fn has(&self, id: PackId) -> bool {
        self.packs.binary_search_by_key(&id, |(id, _)| *id).is_ok()
    }

    /// `Absent` unless every volume was there.
    pub(super) fn must_be_all(&self) -> Result<()> {
        self.absent.first().map_or(Ok(()), |volume| Err(Error::Absent { volume: *volume }))
    }
}

/// A pack that was copied to another volume and has no name there yet. Who drops it leaves rubbish, which the next pass
/// of housekeeping removes.
pub(super) struct Copied {
    pub(super) temporary: PathBuf,
    pub(super) folder: PackFolder,
    pub(super) volume: u32,
    _lock: Lock,
}

/// Where a new pack is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Goal {
    /// 0 is home.
    number: u32,
    path: PathBuf,
    share: u64,
    free_bytes: u64,
}

impl Goal {
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Free of it, in millionths.
    pub(super) fn share(&self) -> u64 {
        self.share
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.free_bytes
    }
}

impl Shared {
    /// Further volumes as they were listed last. Enough for who finds what is looked for.
    pub(super) fn volumes(&self) -> Arc<Vec<Listed>> {
        Arc::clone(&self.volumes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same as they are listed now: another process may have added one.
    pub(super) fn volumes_now(&self) -> Result<Arc<Vec<Listed>>> {
        let listed = Arc::new(Manifest::load(&*self.disk, &self.path)?.volumes);
        *self.volumes.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&listed);
        Ok(listed)
    }

    /// Whether what stands at a volume's place is this volume. A disk that cannot be read is not there either.
    pub(super) fn is_there(&self, volume: &Listed) -> bool {
        self.is_at(volume.number, &volume.path)
    }

    fn is_at(&self, number: u32, path: &Path) -> bool {
        manifest::read_marker(&*self.disk, path).is_ok_and(|said| said == (self.id, number))
    }

    /// `Absent` when a goal has gone since it was chosen: what was named there would be nobody's.
    pub(super) fn must_still_be_there(&self, goal: &Goal) -> Result<()> {
        let is_there = goal.number == 0 || self.is_at(goal.number, &goal.path);
        if is_there { Ok(()) } else { Err(Error::Absent { volume: goal.number }) }
    }

    /// Numbers of volumes that are not there.
    pub(super) fn absent_volumes(&self) -> Result<Vec<u32>> {
        let listed = self.volumes_now()?;
        let mut absent: Vec<&Listed> = listed.iter().filter(|volume| !self.is_there(volume)).collect();
        if !absent.is_empty() {
            // One that was just taken off the list has no marker any more.
            let again = self.volumes_now()?;
            absent.retain(|volume| again.iter().any(|one| one.number == volume.number && one.path == volume.path));
        }
        Ok(absent.into_iter().map(|volume| volume.number).collect())
    }

    /// `Absent` unless every volume is there.
    pub(super) fn must_have_all_volumes(&self) -> Result<()> {
        self.absent_volumes()?.first().map_or(Ok(()), |volume| Err(Error::Absent { volume: *volume }))
    }

    /// What all volumes that take anything have free, each file system once; without bound when home does not say.
    pub(super) fn free_bytes(&self) -> u64 {
        let Ok(home) = self.disk.room(&self.path) else { return u64::MAX };
        let listed = self.volumes();
        let taking = listed.iter().filter(|volume| !volume.leaving && self.is_there(volume));
        let rooms = taking.filter_map(|volume| self.disk.room(&volume.path).ok());
        let each: BTreeMap<u64, u64> =
            std::iter::once(home).chain(rooms).map(|room| (room.file_system, room.free_bytes)).collect();
        each.values().fold(0, |sum, free| sum.saturating_add(*free))
    }

    /// The volumes that may take packs, home first, with what each has free. Folders of one file system have the same.
    ///
    /// The list is durable when this returns: who made it may have ended before that, and what goes into a volume that is
    /// on no list after a loss of power would be lost. (In a simulated world, seed 119228, it was.)
    pub(super) fn goals(&self) -> Result<Vec<Goal>> {
        let listed = self.volumes_now()?;
        if !listed.is_empty() {
            self.disk.sync_dir(&self.path)?;
        }
        let mut seen: BTreeMap<u64, Room> = BTreeMap::new();
        let mut goals = Vec::new();
        let home = (0, &self.path);
        let taking = listed.iter().filter(|volume| !volume.leaving && self.is_there(volume));
        for (number, path) in std::iter::once(home).chain(taking.map(|volume| (volume.number, &volume.path))) {
            let Ok(room) = self.disk.room(path) else { continue };
            let room = *seen.entry(room.file_system).or_insert(room);
            goals.push(Goal { number, path: path.clone(), share: share(&room), free_bytes: room.free_bytes });
        }
        Ok(goals)
    }
}

/// How much of a file system is free, in millionths: of its bytes or of its files, whichever is less.
pub(super) fn share(room: &Room) -> u64 {
    let of = |free: u64, all: u64| match all {
        0 => WHOLE,
        _ => u64::try_from(u128::from(free) * u128::from(WHOLE) / u128::from(all)).unwrap_or(WHOLE).min(WHOLE),
    };
    of(room.free_bytes, room.all_bytes).min(of(room.free_files, room.all_files))
}

/// The goal for a pack that needs so much, reserve included. `None` when it fits nowhere.
pub(super) fn choose(goals: &[Goal], id: PackId, kind: PackKind, need: u64) -> Option<&Goal> {
    let fits = || goals.iter().filter(|goal| goal.free_bytes >= need);
    let most = fits().map(|goal| goal.share).max()?;
    if kind == PackKind::Nodes
        && let Some(home) = fits().find(|goal| goal.number == 0 && goal.share >= most / 2)
    {
        // Names can then be looked at while a disk is away.
        return Some(home);
    }
    let alike: Vec<&Goal> = fits().filter(|goal| goal.share.saturating_add(ALIKE) >= most).collect();
    let [first, ..] = *id.bytes();
    alike.get(usize::from(first) % alike.len().max(1)).copied()
}

impl Domain {
    /// The folders in which packs of this domain may be, home first; of volumes that are there or not.
    fn folders(&self, listed: &[Listed]) -> Vec<PackFolder> {
        let further = listed.iter().map(|volume| layout::volume_domain(&volume.path, self.inner.id));
        std::iter::once(self.inner.paths.packs()).chain(further).collect()
    }

    /// Where a pack is; `None` when it is nowhere and every volume is there. `Absent` when it may be in one that is not.
    pub(super) fn find_pack(&self, id: PackId) -> Result<Option<PathBuf>> {
        let shared = &self.inner.shared;
        let mut listed = shared.volumes();
        for look in 0..LOOKS {
            for (nth, folder) in self.folders(&listed).into_iter().enumerate() {
                let path = folder.pack(id);
                match shared.disk.exists(&path) {
                    Ok(Some(_)) => return Ok(Some(path)),
                    Ok(None) => {}
                    // A disk that is going is told of below.
                    Err(_) if nth > 0 && listed.get(nth - 1).is_some_and(|volume| !shared.is_there(volume)) => {}
                    Err(e) => return Err(e),
                }
            }
            if look == 0 {
                listed = shared.volumes_now()?;
                if listed.is_empty() {
                    return Ok(None);
                }
            }
        }
        shared.must_have_all_volumes()?;
        Ok(None)
    }

    /// Where a pack is, or, when it is nowhere, where it would be at home.
    pub(super) fn pack_path(&self, id: PackId) -> Result<PathBuf> {
        Ok(self.find_pack(id)?.unwrap_or_else(|| self.inner.paths.packs().pack(id)))
    }

    /// Every name of a pack: more than one after a move that was cut short. `Absent` when there may be more.
    pub(super) fn pack_paths(&self, id: PackId) -> Result<Vec<PathBuf>> {
        let shared = &self.inner.shared;
        shared.must_have_all_volumes()?;
        let mut out = Vec::new();
        for folder in self.folders(&shared.volumes()) {
            let path = folder.pack(id);
            if shared.disk.exists(&path)?.is_some() {
                out.push(path);
            }
        }
        Ok(out)
    }

    /// All packs that are there.
    pub(super) fn on_disk(&self) -> Result<OnDisk> {
        let shared = &self.inner.shared;
        for _ in 1..LIST_TRIES {
            let listed = shared.volumes_now()?;
            let found = self.on_disk_of(&listed)?;
            // While volumes come and go packs move: from one that was listed to one that had been.
            if shared.volumes_now()? == listed {
                return Ok(found);
            }
        }
        self.on_disk_of(&shared.volumes_now()?)
    }

    fn on_disk_of(&self, listed: &[Listed]) -> Result<OnDisk> {
        let shared = &self.inner.shared;
        let mut lengths: BTreeMap<PackId, u64> = BTreeMap::new();
        let mut absent: BTreeSet<u32> = BTreeSet::new();
        for (nth, folder) in self.folders(listed).into_iter().enumerate() {
            let volume = nth.checked_sub(1).and_then(|nth| listed.get(nth));
            let packs = packs_in(&*shared.disk, &folder);
            // Looked at afterwards: a volume that goes while it is listed would otherwise pass for an empty one.
            match volume.filter(|volume| !shared.is_there(volume)) {
                Some(volume) => drop(absent.insert(volume.number)),
                None => {
                    for (id, bytes) in packs? {
                        lengths.entry(id).or_insert(bytes);
                    }
                }
            }
        }
        Ok(OnDisk { packs: lengths.into_iter().collect(), absent: absent.into_iter().collect() })
    }

    /// A pack and its length; its header is that of a pack of this name and domain.
    pub(super) fn open_pack(&self, id: PackId) -> Result<ReadPack> {
        match self.open_pack_once(id) {
            // An error that passes is no damage, but a pack that is passed over for it counts as lost for a while.
            Err(Error::Disk { .. }) => self.open_pack_once(id),
            // It may have just been moved.
            Err(Error::NotFound { .. }) if !self.inner.shared.volumes().is_empty() => self.open_pack_once(id),
            other => other,
        }
    }

    fn open_pack_once(&self, id: PackId) -> Result<ReadPack> {
        self.open_pack_at(id, &self.pack_path(id)?)
    }

    pub(super) fn open_pack_at(&self, id: PackId, path: &Path) -> Result<ReadPack> {
        let disk = &*self.inner.shared.disk;
        let reader = crate::pack::PackReader::open(disk, path)?;
        if reader.header().pack != id || reader.header().domain != self.id() {
            let other = Error::damaged("pack", "it has another name or domain than its header says");
            return Err(other.at(|| format!("pack {id}")));
        }
        let bytes = disk.exists(path)?.map_or(0, |found| found.len);
        Ok((reader, bytes))
    }

    /// Copies a file that is a pack into a volume, synced, without a name yet.
    pub(super) fn copy_to(&self, goal: &Goal, from: &Path, id: PackId) -> Result<Copied> {
        let shared = &self.inner.shared;
        let disk = &*shared.disk;
        let folder = self.folder_in(goal);
        make_folder(disk, &folder)?;
        let temporary = folder.temporary(id, random(&*shared.chance));
        let lock = disk.lock(&temporary)?.ok_or_else(|| Error::Busy { what: "a name nobody else has".to_owned() })?;
        let copied = copy(disk, from, &temporary);
        if let Err(e) = copied {
            disk.remove_file(&temporary).ok();
            return Err(e);
        }
        Ok(Copied { temporary, folder, volume: goal.number, _lock: lock })
    }

    pub(super) fn folder_in(&self, goal: &Goal) -> PackFolder {
        match goal.number {
            0 => self.inner.paths.packs(),
            _ => layout::volume_domain(&goal.path, self.inner.id),
        }
    }

    /// Gives a file its name as a pack, durably. The caller holds the catalog's write lock when the vault has volumes.
    pub(super) fn name_pack(&self, from: &Path, folder: &PackFolder, id: PackId) -> Result<()> {
        let shared = &self.inner.shared;
        let [first, ..] = *id.bytes();
        let under = folder.under(first);
        if shared.disk.exists(&under)?.is_none() {
            account::make_dir(&*shared.disk, &under)?;
        }
        shared.name_new(from, &folder.pack(id))?;
        shared.disk.sync_dir(&under)?;
        shared.disk.sync_dir(folder.root())
    }

    /// Removes what was being copied into volumes, home among them, by who has ended meanwhile, where the disk takes changes.
    pub(super) fn clear_copies(&self) -> Result<()> {
        let shared = &self.inner.shared;
        for folder in &self.folders(&shared.volumes()) {
            for named in list(&*shared.disk, folder.root())?.iter().filter(|named| layout::is_temporary(&named.name)) {
                let path = folder.root().join(&named.name);
                match shared.disk.lock(&path) {
                    Ok(Some(_lock)) => self.remove(&path)?,
                    Err(e) if !e.takes_no_changes() => return Err(e),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Vault {
    /// Every volume, home first, with what is in it.
    pub fn volumes(&self) -> Result<Vec<Volume>> {
        let shared = &self.shared;
        let listed = shared.volumes_now()?;
        let home = Listed { number: 0, path: shared.path.clone(), leaving: false };
        let mut out = Vec::with_capacity(1 + listed.len());
        for one in std::iter::once(&home).chain(listed.iter()) {
            let mut volume = Volume {
                number: one.number,
                path: one.path.clone(),
                leaving: one.leaving,
                there: one.number == 0 || shared.is_there(one),
                packs: 0,
                pack_bytes: 0,
                bytes: 0,
                room: None,
            };
            if volume.there {
                let seen = self.count(&mut volume);
                // One that goes while it is looked at counts as absent.
                match seen {
                    Err(_) if one.number != 0 && !shared.is_there(one) => {
                        volume = Volume { there: false, packs: 0, pack_bytes: 0, bytes: 0, room: None, ..volume };
                    }
                    other => other?,
                }
            }
            out.push(volume);
        }
        Ok(out)
    }

    /// Numbers of volumes that are not there; cheap.
    pub fn absent_volumes(&self) -> Result<Vec<u32>> {
        self.shared.absent_volumes()
    }

    /// What all volumes that take anything have free.
    pub fn free_bytes(&self) -> Option<u64> {
        Some(self.shared.free_bytes()).filter(|free| *free != u64::MAX)
    }

    fn count(&self, volume: &mut Volume) -> Result<()> {
        let disk = self.disk();
        for folder in self.pack_folders(volume)? {
            for (_, bytes) in packs_in(disk, &folder)? {
                volume.packs += 1;
                volume.pack_bytes = volume.pack_bytes.saturating_add(bytes);
            }
        }
        volume.bytes = super::usage::below(disk, &volume.path, DEPTH_MAX + 4)?;
        volume.room = disk.room(&volume.path).ok();
        Ok(())
    }

    /// The folders of packs in a volume, one for each domain.
    fn pack_folders(&self, volume: &Volume) -> Result<Vec<PackFolder>> {
        let top = match volume.number {
            0 => layout::domains(self.path()),
            _ => layout::volume_packs(&volume.path),
        };
        let named = list(self.disk(), &top)?;
        let domains = named.iter().filter(|named| named.kind == PathKind::Dir);
        Ok(domains
            .filter_map(|named| layout::domain_id(&named.name))
            .map(|domain| match volume.number {
                0 => layout::DomainPaths::new(self.path(), domain).packs(),
                _ => layout::volume_domain(&volume.path, domain),
            })
            .collect())
    }
}

/// Makes a folder of packs and the one above it, each with a durable name: also those that are there, as who made them may
/// have ended before that.
pub(super) fn make_folder(disk: &dyn Disk, folder: &PackFolder) -> Result<()> {
    let Some(above) = folder.root().parent() else { return Ok(()) };
    account::make_dir(disk, above)?;
    if let Some(top) = above.parent() {
        disk.sync_dir(top)?;
    }
    account::make_dir(disk, folder.root())?;
    disk.sync_dir(above)
}

/// The packs in a folder; none when there is no such folder.
pub(super) fn packs_in(disk: &dyn Disk, folder: &PackFolder) -> Result<Vec<(PackId, u64)>> {
    let mut out = Vec::new();
    for under in list(disk, folder.root())?.into_iter().filter(|named| named.kind == PathKind::Dir) {
        let named = list(disk, &folder.root().join(&under.name))?;
        out.extend(named.iter().filter_map(|named| Some((layout::pack_id(&named.name, ".pack")?, named.len))));
    }
    Ok(out)
}

/// What is in a folder; nothing when it is not there.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<Named>> {
    match disk.list(dir) {
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        other => other,
    }
}

/// Copies a whole file to the end of one that is there and empty, syncs it and reads it again.
fn copy(disk: &dyn Disk, from: &Path, to: &Path) -> Result<()> {
    let source = disk.open(from)?;
    let mut target = disk.open_append(to)?;
    let mut hasher = blake3::Hasher::new();
    let len = source.len()?;
    pieces(&*source, len, &mut |piece| {
        hasher.update(piece);
        target.append(piece)
    })?;
    target.sync()?;
    if hash(disk, to)? != hasher.finalize() {
        return Err(Error::damaged("pack", "its copy is not what was written"));
    }
    Ok(())
}

/// BLAKE3 of a file.
pub(super) fn hash(disk: &dyn Disk, path: &Path) -> Result<blake3::Hash> {
    let file = disk.open(path)?;
    let mut hasher = blake3::Hasher::new();
    pieces(&*file, file.len()?, &mut |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(hasher.finalize())
}

/// A file from its start to `len`, in pieces that memory bears.
pub(super) fn pieces(
    file: &dyn crate::door::DiskFile,
    len: u64,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut piece = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(PIECE_BYTES)];
    let mut offset = 0;
    while offset < len {
        let most = usize::try_from(len - offset).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let room = piece.get_mut(..most).unwrap_or_default();
        file.read_at(room, offset)?;
        take(room)?;
        offset += most as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(number: u32, share: u64, free_bytes: u64) -> Goal {
        Goal { number, path: PathBuf::from("/"), share, free_bytes }
    }

    #[test]
    fn a_share_is_of_bytes_or_files_whichever_is_less() {
        let room = Room { file_system: 1, free_bytes: 50, all_bytes: 100, free_files: 0, all_files: 0 };
        assert_eq!(share(&room), 500_000);
        assert_eq!(share(&Room { free_files: 1, all_files: 4, ..room }), 250_000);
        assert_eq!(share(&Room { free_bytes: u64::MAX, all_bytes: u64::MAX, ..room }), WHOLE);
    }

    #[test]
    fn the_emptiest_takes_it_and_those_that_are_alike_take_turns() {
        let id = |first: u8| PackId::new([first; 16]);
        let goals = [goal(0, 100_000, 1_000), goal(1, 500_000, 1_000), goal(4, 495_000, 1_000)];
        let chosen = |first, kind, need| choose(&goals, id(first), kind, need).map(|goal| goal.number);
        assert_eq!((chosen(0, PackKind::Data, 10), chosen(1, PackKind::Mixed, 10)), (Some(1), Some(4)));
        assert_eq!(chosen(0, PackKind::Nodes, 10), Some(1), "home is short");
        assert_eq!(chosen(0, PackKind::Data, 1_001), None);
        let goals = [goal(0, 300_000, 1_000), goal(1, 500_000, 5)];
        let chosen = |kind, need| choose(&goals, id(0), kind, need).map(|goal| goal.number);
        assert_eq!((chosen(PackKind::Nodes, 1), chosen(PackKind::Data, 1)), (Some(0), Some(1)));
        assert_eq!(chosen(PackKind::Data, 100), Some(0), "only where it fits");
    }
}
