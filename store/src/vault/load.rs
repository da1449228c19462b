//! An account from an archive. It is put together in a folder that is no domain to anybody and becomes one by a single
//! rename, at the very end: until then nothing of it is visible. A journal says which parts are whole; a load that was cut
//! short goes on after them when the same archive comes again, and is cleared by the load of another.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::account::{self, AccountInfo, check_new_name, make_dir};
use super::held::Held;
use super::layout::{self, DomainPaths};
use super::note::{self, NoteKind};
use super::remove::remove_all;
use super::volumes::{choose, make_folder};
use super::{CheckEvent, CheckWhat, Finding, Severity, Vault};
use crate::archive::{ARCHIVE_HEADER_BYTES, ArchiveHeader, ArchiveReader, PartHead, PartKind};
use crate::door::{DiskFile, Lock};
use crate::error::{Error, Result};
use crate::id::{BodyHash, DomainId, PackId};
use crate::pack::PackKind;

/// A disk keeps so much more than the packs free: for the catalog, links and bodies.
const SPARE_BYTES: u64 = 64 << 20;
/// How deep folders of a load are.
const DEPTH_MAX: usize = 6;
/// Findings that are handed back; their number is told besides.
const FINDINGS_MAX: usize = 20;

/// What is to be other than in the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Its name.
    pub name: Option<String>,
    /// Its number.
    pub number: Option<u32>,
    /// Its hard limit; `Some(None)`: none.
    pub hard_bytes: Option<Option<u64>>,
}

/// An account that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What it is now.
    pub account: AccountInfo,
    /// Links.
    pub links: u64,
    /// Packs.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// Findings of damage: what was damaged where it comes from.
    pub damages: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

/// The bytes of an archive, of which a beginning may be passed over.
pub trait Archive: Read {
    /// Called once, after the header was read: what follows is wanted from this byte of the archive on.
    fn pass_over(&mut self, until: u64) -> std::io::Result<()>;
}

/// Any stream: what is not wanted is read all the same.
pub struct Whole<R>(pub R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(out)
    }
}

impl<R: Read> Archive for Whole<R> {
    fn pass_over(&mut self, until: u64) -> std::io::Result<()> {
        let most = until.saturating_sub(ARCHIVE_HEADER_BYTES as u64);
        std::io::copy(&mut self.0.by_ref().take(most), &mut std::io::sink()).map(drop)
    }
}

/// A load under way.
struct Loading<'v> {
    vault: &'v Vault,
    header: ArchiveHeader,
    /// The folder that becomes the domain.
    paths: DomainPaths,
    number: u32,
    loaded: Option<AccountInfo>,
    packs: u64,
    pack_bytes: u64,
    links: u64,
    bodies: u64,
    /// Parts of the archive that an earlier load has stored whole; they come from here.
    held: u64,
    journal: Box<dyn DiskFile>,
    _lock: Lock,
}

impl Vault {
    /// Makes an account of an archive, and then checks every byte of it. `Taken` when its name, its number or the account
    /// itself are there already, `Full` when its own hard limit is below its packs, a full [`Error::Disk`] when the disk
    /// has no room for it, `Damaged` when the archive is not whole: then nothing has become visible. After an error of the
    /// disk or of the stream the same archive may be loaded again, and only what lacks is asked for.
    pub fn load(&self, from: &mut dyn Archive, how: &Load) -> Result<Loaded> {
        self.must_write()?;
        let mut head = [0; ARCHIVE_HEADER_BYTES];
        from.read_exact(&mut head).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::damaged("archive", "it ends too early"),
            _ => Error::disk("read", "the archive", e),
        })?;
        let header = ArchiveHeader::decode(&head)?;
        let number = how.number.unwrap_or(header.number);
        let (mut loading, held) = self.begin_load(header, &head, number)?;
        let passed = from.pass_over(held.len()).map_err(|e| Error::disk("read", "the archive", e));
        let mut whole = held.chain(from);
        let done = passed
            .and_then(|()| ArchiveReader::new(&mut whole))
            .and_then(|mut reader| loading.all_parts(&mut reader, how));
        let account = match done {
            Ok(account) => account,
            Err(e) => {
                // Cut off, or the disk is full or away, or others are at work: the next load goes on.
                let passes = matches!(
                    e,
                    Error::Disk { .. } | Error::NotFound { .. } | Error::Absent { .. } | Error::Busy { .. }
                );
                if !passes {
                    // What stays is cleared by the next load.
                    self.clear_load(header.domain).ok();
                }
                return Err(e);
            }
        };
        let mut loaded = Loaded {
            account,
            links: loading.links,
            packs: loading.packs,
            pack_bytes: loading.pack_bytes,
            damages: 0,
            findings: Vec::new(),
        };
        let domain = self.domain(&loaded.account)?;
        let summary = domain.check(&CheckWhat { read_data: true }, &mut |event| {
            if let CheckEvent::Finding(finding) = event
                && finding.severity != Severity::Note
                && loaded.findings.len() < FINDINGS_MAX
            {
                loaded.findings.push(finding);
            }
            Ok(())
        })?;
        loaded.damages = summary.damages;
        Ok(loaded)
    }

    /// The folder for a load, with its lock, and what an earlier load of this very archive has left in it. What other dead
    /// loads left is cleared.
    fn begin_load(
        &self,
        header: ArchiveHeader,
        head: &[u8; ARCHIVE_HEADER_BYTES],
        number: u32,
    ) -> Result<(Loading<'_>, Held)> {
        if number == 0 {
            return Err(Error::Refused { why: "an account's number is not 0".to_owned() });
        }
        let _accounts = self.lock_accounts()?;
        self.must_be_new(&header, number, None)?;
        self.shared.must_have_all_volumes()?;
        let paths = DomainPaths::loading(self.path(), header.domain);
        let disk = self.disk();
        let same = disk.read(&layout::load_header(paths.root()), ARCHIVE_HEADER_BYTES).is_ok_and(|said| said == head)
            && disk.exists(&paths.account(number))?.is_some();
        let domains = layout::domains(self.path());
        for left in disk.list(&domains)?.iter().filter_map(|named| layout::load_of(&named.name)) {
            let root = DomainPaths::loading(self.path(), left);
            if (left != header.domain || !same) && disk.lock(&root.root().join("lock"))?.is_some() {
                self.clear_load(left)?;
            }
        }
        make_dir(disk, paths.root())?;
        let lock = disk.lock(&paths.root().join("lock"))?;
        let lock = lock.ok_or_else(|| Error::Busy { what: "another load of this account".to_owned() })?;
        for folder in [
            paths.packs().root().to_owned(),
            paths.damaged(),
            paths.staging(),
            paths.accounts(),
            paths.account(number),
            paths.versions(number),
            paths.bodies(number),
        ] {
            make_dir(disk, &folder)?;
        }
        self.name_volumes(header.domain, true)?;
        let held = Held::open(&self.shared.disk, head, &paths, number, &self.load_folders(&paths, header.domain))?;
        let free = self.shared.free_bytes();
        if header.pack_bytes.saturating_sub(held.len()).saturating_add(SPARE_BYTES) > free {
            if held.parts() == 0 {
                self.clear_load(header.domain)?;
            }
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(Error::disk("load an account into", self.path(), full));
        }
        let journal = held.journal(disk, self.chance(), paths.root())?;
        let loading = Loading {
            vault: self,
            header,
            paths,
            number,
            loaded: None,
            packs: 0,
            pack_bytes: 0,
            links: 0,
            bodies: 0,
            held: held.parts(),
            journal,
            _lock: lock,
        };
        Ok((loading, held))
    }

    /// The folders of packs of a load, home first.
    fn load_folders(&self, paths: &DomainPaths, domain: DomainId) -> Vec<layout::PackFolder> {
        let listed = self.shared.volumes();
        let further = listed.iter().map(|volume| layout::volume_loading(&volume.path, domain));
        std::iter::once(paths.packs()).chain(further).collect()
    }

    /// Removes what a load left, in every volume; the last thing at home.
    pub(super) fn clear_load(&self, domain: DomainId) -> Result<()> {
        let is_domain = self.disk().exists(DomainPaths::new(self.path(), domain).root())?.is_some();
        for volume in self.shared.volumes().iter() {
            remove_all(self.disk(), layout::volume_loading(&volume.path, domain).root(), DEPTH_MAX)?;
            if !is_domain {
                remove_all(self.disk(), layout::volume_domain(&volume.path, domain).root(), DEPTH_MAX)?;
            }
        }
        remove_all(self.disk(), DomainPaths::loading(self.path(), domain).root(), DEPTH_MAX)
    }

    /// Gives the folders in further volumes the name of a domain, or, `back`, that of a load again. The folder at home
    /// gets its name after them: so one that has such a name without it is of a load that was cut short there.
    fn name_volumes(&self, domain: DomainId, back: bool) -> Result<()> {
        for volume in self.shared.volumes().iter() {
            let (load, named) =
                (layout::volume_loading(&volume.path, domain), layout::volume_domain(&volume.path, domain));
            let (from, to) = if back { (named, load) } else { (load, named) };
            if self.disk().exists(from.root())?.is_some() {
                self.disk().rename(from.root(), to.root())?;
                self.disk().sync_dir(&layout::volume_packs(&volume.path))?;
            }
        }
        Ok(())
    }

    /// `Taken` when something of it is there already.
    fn must_be_new(&self, header: &ArchiveHeader, number: u32, name: Option<&str>) -> Result<()> {
        for account in self.accounts()? {
            let what = if account.id == header.account || account.domain == header.domain {
                format!("this account (its name here: {})", account.name)
            } else if account.number == number {
                format!("the account number {number:#x}")
            } else if name == Some(account.name.as_str()) {
                format!("the account {}", account.name)
            } else {
                continue;
            };
            return Err(Error::Taken { what });
        }
        Ok(())
    }
}

impl Loading<'_> {
    fn all_parts(&mut self, reader: &mut ArchiveReader<'_>, how: &Load) -> Result<AccountInfo> {
        while let Some(head) = reader.next_part()? {
            match head.kind {
                PartKind::Account => self.account(reader, &head, how)?,
                PartKind::Link => {
                    self.links += 1;
                    Self::must_be_announced(self.links <= self.header.links)?;
                    self.file(reader, &head, &self.paths.link(self.number, head.number), None)?;
                }
                PartKind::Body => {
                    self.bodies += 1;
                    // Each is named by a link.
                    Self::must_be_announced(self.bodies <= self.header.links)?;
                    self.file(reader, &head, &self.paths.body(self.number, BodyHash::new(head.id)), None)?;
                }
                PartKind::Pack => self.pack(reader, &head)?,
                PartKind::End => {}
            }
        }
        let said = (self.header.packs, self.header.pack_bytes, self.header.links);
        Self::must_be_announced(said == (self.packs, self.pack_bytes, self.links))?;
        self.publish()
    }

    /// No more comes than was announced, and room was found for.
    fn must_be_announced(is: bool) -> Result<()> {
        if is { Ok(()) } else { Err(Error::damaged("archive", "it does not hold what its header says")) }
    }

    /// The account's note as it was, but for what is to be other.
    fn account(&mut self, reader: &mut ArchiveReader<'_>, head: &PartHead, how: &Load) -> Result<()> {
        let mut content = Vec::new();
        while let Some(piece) = reader.content()? {
            content.extend_from_slice(piece);
        }
        let mut info = AccountInfo::decode(&content, self.number, self.header.domain)?;
        if info.id != self.header.account {
            return Err(Error::damaged("archive", "it is of another account than its header says"));
        }
        if let Some(name) = &how.name {
            info.name.clone_from(name);
        }
        check_new_name(&info.name)?;
        if let Some(hard) = how.hard_bytes {
            info.terms.hard_bytes = hard;
        }
        info.check_bounds()?;
        self.vault.must_be_new(&self.header, self.number, Some(&info.name))?;
        if let Some(limit) = info.terms.hard_bytes.filter(|limit| *limit < self.header.pack_bytes) {
            let whose = format!("the account {}", info.name);
            return Err(Error::Full { whose, limit, used: self.header.pack_bytes });
        }
        self.loaded = Some(info);
        if self.take_held() {
            return Ok(());
        }
        let path = layout::load_account(self.paths.root());
        self.make(&path)?.append(&content)?;
        self.note_done(reader, head)
    }

    fn pack(&mut self, reader: &mut ArchiveReader<'_>, head: &PartHead) -> Result<()> {
        let id = head.id.get(..16).and_then(PackId::from_slice);
        let id = id.ok_or_else(|| Error::damaged("archive", "a pack has no name"))?;
        self.packs += 1;
        self.pack_bytes = self.pack_bytes.saturating_add(head.len);
        Self::must_be_announced(self.pack_bytes <= self.header.pack_bytes)?;
        let folder = self.folder_for(id, head.len)?;
        let [first, ..] = *id.bytes();
        let under = folder.under(first);
        make_dir(self.vault.disk(), &under)?;
        self.file(reader, head, &folder.pack(id), Some(&under))
    }

    /// Where a pack is, or is to go: the volume is chosen as for any new pack.
    fn folder_for(&self, id: PackId, bytes: u64) -> Result<layout::PackFolder> {
        let (vault, disk) = (self.vault, self.vault.disk());
        let folders = vault.load_folders(&self.paths, self.header.domain);
        for folder in &folders {
            if disk.exists(&folder.pack(id))?.is_some() {
                return Ok(folder.clone());
            }
        }
        let listed = vault.shared.volumes();
        let goals = vault.shared.goals()?;
        let goal = choose(&goals, id, PackKind::Mixed, bytes.saturating_add(SPARE_BYTES)).map(|goal| goal.number());
        let at = listed.iter().position(|volume| Some(volume.number) == goal).map_or(0, |nth| nth + 1);
        let folder = folders.get(at).cloned().unwrap_or_else(|| self.paths.packs());
        make_folder(disk, &folder)?;
        Ok(folder)
    }

    /// Whether the part that is being read was held already.
    fn take_held(&mut self) -> bool {
        let held = self.held > 0;
        self.held = self.held.saturating_sub(1);
        held
    }

    /// A new file; what an earlier load had begun goes.
    fn make(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        match self.vault.disk().create_new(path) {
            Err(Error::Taken { .. }) => {
                self.vault.disk().remove_file(path)?;
                self.vault.disk().create_new(path)
            }
            other => other,
        }
    }

    /// A part becomes a file, synced; it is worth nothing before the part's checksum was seen.
    fn file(
        &mut self,
        reader: &mut ArchiveReader<'_>,
        head: &PartHead,
        path: &Path,
        folder: Option<&Path>,
    ) -> Result<()> {
        if self.take_held() {
            while reader.content()?.is_some() {}
            // Its file was synced before it was noted, its name perhaps not.
            return folder.map_or(Ok(()), |folder| self.vault.disk().sync_dir(folder));
        }
        let mut file = self.make(path)?;
        while let Some(piece) = reader.content()? {
            file.append(piece)?;
        }
        file.sync()?;
        if let Some(folder) = folder {
            self.vault.disk().sync_dir(folder)?;
        }
        self.note_done(reader, head)?;
        if head.kind == PartKind::Pack { self.journal.sync() } else { Ok(()) }
    }

    /// From here on a load that is cut short goes on after this part.
    fn note_done(&mut self, reader: &ArchiveReader<'_>, head: &PartHead) -> Result<()> {
        let mut line = head.encode().to_vec();
        line.extend_from_slice(&reader.checksum());
        self.journal.append(&line)
    }

    /// Every name durable, then the note, then the rename that makes it visible.
    fn publish(&mut self) -> Result<AccountInfo> {
        let (vault, paths) = (self.vault, &self.paths);
        let info = self.loaded.take().ok_or_else(|| Error::damaged("archive", "it has no account"))?;
        let account: PathBuf = paths.account(self.number);
        for folder in [
            &paths.versions(self.number),
            &paths.bodies(self.number),
            &paths.packs().root().to_owned(),
            &paths.accounts(),
        ] {
            vault.disk().sync_dir(folder)?;
        }
        for folder in vault.load_folders(paths, self.header.domain) {
            if vault.disk().exists(folder.root())?.is_some() {
                vault.disk().sync_dir(folder.root())?;
            }
        }
        // That of a load which came so far may say something else, and its name may not be durable.
        let (content, before) = (info.encode(), note::numbers(vault.disk(), &account)?.last().copied());
        let path = before.map(|number| note::path(&account, number));
        let said = path.and_then(|path| note::read(vault.disk(), NoteKind::Account, &path).ok());
        if said.as_ref() != Some(&content) {
            let number = before.map_or(1, |number| number.saturating_add(1));
            note::add(vault.disk(), vault.chance(), &account, number, NoteKind::Account, &content)?;
        }
        vault.disk().sync_dir(&account)?;
        vault.disk().sync_dir(paths.root())?;
        let accounts = vault.lock_accounts()?;
        vault.must_be_new(&self.header, self.number, Some(&info.name))?;
        vault.number_was_given(&accounts, self.number)?;
        let domains = layout::domains(vault.path());
        let to = DomainPaths::new(vault.path(), self.header.domain);
        if vault.disk().exists(to.root())?.is_some() {
            // What an account left that was removed and is not gone yet, or its making cut short.
            return Err(Error::Taken { what: "a folder of this account".to_owned() });
        }
        vault.name_volumes(self.header.domain, false)?;
        vault.disk().rename(paths.root(), to.root())?;
        vault.disk().sync_dir(&domains)?;
        // Of no meaning to anybody.
        for path in layout::load_files(to.root()) {
            vault.disk().remove_file(&path).ok();
        }
        account::load_now(&vault.shared, &to, &info)
    }
}
