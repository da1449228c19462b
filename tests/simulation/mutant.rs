//! Ways in which the order of a commit could be broken: a disk between the vault and the real one that breaks it. A
//! simulation that does not find each of them proves nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use store::Result;
use store::door::sim::SimDisk;
use store::door::{Disk, DiskFile, Found, Lock, Named};

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Syncing does nothing at all.
    NoSyncs,
    /// Packs get their names without having been synced.
    PackUnsynced,
    /// Packs are synced after they got their names.
    PackNamedFirst,
    /// Links and bodies get their names without having been synced.
    LinkUnsynced,
    /// The folder of links is not synced.
    VersionsUnsynced,
    /// The folders of packs are not synced.
    PacksUnsynced,
    /// The link gets its name before its body does.
    LinkBeforeBody,
    /// A lock keeps nobody out.
    NoLocks,
    /// Housekeeping frees at once what it has condemned, as if a day had gone by.
    NoWindow,
    /// Housekeeping does not see which sessions live.
    SessionsUnseen,
    /// A write that could only do half of its work is taken for done.
    ShortWritesUnseen,
    /// After a sync that failed another is asked for, and its answer believed.
    SyncsAgain,
    /// A check that is to read everything reads no data.
    CheckReadsNothing,
    /// Clients give back nothing of what is wanted.
    HealsNothing,
}

/// Those that many worlds show, with a name each.
pub const PLAIN: [(&str, Mutant); 8] = [
    ("syncs do nothing", Mutant::NoSyncs),
    ("packs are not synced", Mutant::PackUnsynced),
    ("links and bodies are not synced", Mutant::LinkUnsynced),
    ("the folder of links is not synced", Mutant::VersionsUnsynced),
    ("the folders of packs are not synced", Mutant::PacksUnsynced),
    ("short writes are taken for whole ones", Mutant::ShortWritesUnseen),
    ("checks read no data", Mutant::CheckReadsNothing),
    ("clients heal nothing", Mutant::HealsNothing),
];

/// Those that few worlds show: something must befall at the one moment.
pub const RARE: [(&str, Mutant); 6] = [
    ("housekeeping waits for no day", Mutant::NoWindow),
    ("housekeeping sees no sessions", Mutant::SessionsUnseen),
    ("packs are synced after their names", Mutant::PackNamedFirst),
    ("the link is named before its body", Mutant::LinkBeforeBody),
    ("locks keep nobody out", Mutant::NoLocks),
    ("a failed sync is asked for again", Mutant::SyncsAgain),
];

/// A disk so broken.
pub struct Mutated {
    disk: SimDisk,
    mutant: Mutant,
    /// A body that waits for its link.
    held_back: Mutex<Option<(PathBuf, PathBuf)>>,
    locks: Mutex<u64>,
}

impl Mutated {
    /// This disk, broken in this way.
    #[must_use]
    pub fn new(disk: SimDisk, mutant: Mutant) -> Self {
        Self { disk, mutant, held_back: Mutex::default(), locks: Mutex::default() }
    }

    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let ends = |end: &str| path.extension().is_some_and(|e| e == end);
        let deaf = match self.mutant {
            Mutant::NoSyncs => true,
            Mutant::PackUnsynced | Mutant::PackNamedFirst => ends("part") || ends("adopted"),
            Mutant::LinkUnsynced => ends("new") && path.iter().any(|part| part == "staging"),
            _ => false,
        };
        match self.mutant {
            Mutant::ShortWritesUnseen | Mutant::SyncsAgain => {
                let again = self.disk.open_append(path).ok();
                Box::new(Credulous { file, again, mutant: self.mutant })
            }
            _ if deaf => Box::new(Deaf(file)),
            _ => file,
        }
    }
}

/// A file that cannot be synced and does not say so.
struct Deaf(Box<dyn DiskFile>);

impl DiskFile for Deaf {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.append(bytes)
    }
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_at(out, offset)
    }
    fn len(&self) -> Result<u64> {
        self.0.len()
    }
    fn write_back(&self) {}
    fn sync(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A file that believes whatever the system says the second time.
struct Credulous {
    file: Box<dyn DiskFile>,
    /// The same file, opened once more: after a failure the first refuses everything, as it should.
    again: Option<Box<dyn DiskFile>>,
    mutant: Mutant,
}

impl Credulous {
    /// What was done, or else what the file says when it is asked again.
    fn or_again(&mut self, done: Result<()>, asks: bool) -> Result<()> {
        let (Err(why), Some(mut again)) = (&done, self.again.take()) else { return done };
        if !matches!(why, store::Error::Disk { .. }) || (asks && again.sync().is_err()) {
            return done;
        }
        self.file = again;
        Ok(())
    }
}

impl DiskFile for Credulous {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let done = self.file.append(bytes);
        if self.mutant == Mutant::ShortWritesUnseen { self.or_again(done, false) } else { done }
    }
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(out, offset)
    }
    fn len(&self) -> Result<u64> {
        self.file.len()
    }
    fn write_back(&self) {}
    fn sync(&mut self) -> Result<()> {
        let done = self.file.sync();
        if self.mutant == Mutant::SyncsAgain { self.or_again(done, true) } else { done }
    }
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e == extension)
}

impl Disk for Mutated {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(self.file(path, self.disk.create_new(path)?))
    }
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.disk.open(path)
    }
    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(self.file(path, self.disk.open_append(path)?))
    }
    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        self.disk.read(path, most)
    }
    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        self.disk.list(dir)
    }
    fn make_dir(&self, path: &Path) -> Result<()> {
        self.disk.make_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        let skipped = match self.mutant {
            Mutant::NoSyncs => true,
            Mutant::VersionsUnsynced => path.ends_with("versions"),
            Mutant::PacksUnsynced => path.parent().is_some_and(|above| above.ends_with("packs")),
            _ => false,
        };
        if skipped { Ok(()) } else { self.disk.sync_dir(path) }
    }
    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        if self.mutant == Mutant::LinkBeforeBody && is(to, "body") {
            let held = to.with_extension("held");
            self.disk.rename(from, &held)?;
            *self.held_back.lock().unwrap() = Some((held, to.to_owned()));
            return Ok(());
        }
        self.disk.link_new(from, to)?;
        if self.mutant == Mutant::PackNamedFirst && is(to, "pack") {
            self.disk.open_append(to)?.sync()?;
        }
        if is(to, "link")
            && let Some((held, body)) = { self.held_back.lock().unwrap().take() }
        {
            self.disk.rename(&held, &body)?;
            self.disk.sync_dir(body.parent().unwrap())?;
        }
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.disk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.disk.remove_dir(path)
    }
    fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        let lock = self.disk.lock(path)?;
        match (self.mutant, lock) {
            (Mutant::NoLocks, None) => {
                let mut locks = self.locks.lock().unwrap();
                *locks += 1;
                Ok(Some(Box::new(*locks)))
            }
            (_, lock) => Ok(lock),
        }
    }
    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        self.disk.exists(path)
    }
    fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.disk.free_bytes(path)
    }
    fn is_local(&self, path: &Path) -> Result<bool> {
        self.disk.is_local(path)
    }
    fn user(&self) -> u32 {
        self.disk.user()
    }
}

/// The disk of a housekeeper to whom no session shows itself.
pub struct SessionsUnseen(pub Arc<dyn Disk>);

impl Disk for SessionsUnseen {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.0.create_new(path)
    }
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.0.open(path)
    }
    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.0.open_append(path)
    }
    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        self.0.read(path, most)
    }
    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        if dir.ends_with("staging") { Ok(Vec::new()) } else { self.0.list(dir) }
    }
    fn make_dir(&self, path: &Path) -> Result<()> {
        self.0.make_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.0.sync_dir(path)
    }
    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.link_new(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.0.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.0.remove_dir(path)
    }
    fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        self.0.lock(path)
    }
    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        self.0.exists(path)
    }
    fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.0.free_bytes(path)
    }
    fn is_local(&self, path: &Path) -> Result<bool> {
        self.0.is_local(path)
    }
    fn user(&self) -> u32 {
        self.0.user()
    }
}
