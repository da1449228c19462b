//! An account from an archive. It is put together in a folder that is no domain to anybody and becomes one by a single
//! rename, at the very end: until then nothing of it is visible, and what a load that was cut short left is cleared by the
//! next one.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::account::{self, AccountInfo, check_new_name, make_dir};
use super::layout::{self, DomainPaths};
use super::note::{self, NoteKind};
use super::remove::remove_all;
use super::{CheckEvent, CheckWhat, Finding, Severity, Vault};
use crate::archive::{ArchiveHeader, ArchiveReader, PartHead, PartKind};
use crate::door::Lock;
use crate::error::{Error, Result};
use crate::id::{BodyHash, PackId};

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
    _lock: Lock,
}

impl Vault {
    /// Makes an account of an archive, and then checks every byte of it. `Taken` when its name, its number or the account
    /// itself are there already, `Full` when its own hard limit is below its packs, a full [`Error::Disk`] when the disk
    /// has no room for it, `Damaged` when the archive is not whole: then nothing has become visible.
    pub fn load(&self, from: &mut dyn Read, how: &Load) -> Result<Loaded> {
        self.must_write()?;
        let mut reader = ArchiveReader::new(from)?;
        let header = *reader.header();
        let number = how.number.unwrap_or(header.number);
        let mut loading = self.begin_load(header, number)?;
        let done = loading.all_parts(&mut reader, how);
        let account = match done {
            Ok(account) => account,
            Err(e) => {
                // What stays is cleared by the next load.
                remove_all(self.disk(), loading.paths.root(), DEPTH_MAX).ok();
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

    /// The folder for a load, with its lock. What dead loads left is cleared.
    fn begin_load(&self, header: ArchiveHeader, number: u32) -> Result<Loading<'_>> {
        if number == 0 {
            return Err(Error::Refused { why: "an account's number is not 0".to_owned() });
        }
        let _accounts = self.lock_accounts()?;
        self.must_be_new(&header, number, None)?;
        let domains = layout::domains(self.path());
        for named in self.disk().list(&domains)?.into_iter().filter(|named| layout::is_load(&named.name)) {
            let left = domains.join(&named.name);
            if self.disk().lock(&left.join("lock"))?.is_some() {
                remove_all(self.disk(), &left, DEPTH_MAX)?;
            }
        }
        let free = self.disk().free_bytes(self.path())?;
        if header.pack_bytes.saturating_add(SPARE_BYTES) > free {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(Error::disk("load an account into", self.path(), full));
        }
        let paths = DomainPaths::loading(self.path(), header.domain);
        make_dir(self.disk(), paths.root())?;
        let lock = self.disk().lock(&paths.root().join("lock"))?;
        let lock = lock.ok_or_else(|| Error::Busy { what: "another load of this account".to_owned() })?;
        let account = paths.account(number);
        for folder in [
            paths.packs(),
            paths.damaged(),
            paths.staging(),
            paths.accounts(),
            account,
            paths.versions(number),
            paths.bodies(number),
        ] {
            make_dir(self.disk(), &folder)?;
        }
        Ok(Loading {
            vault: self,
            header,
            paths,
            number,
            loaded: None,
            packs: 0,
            pack_bytes: 0,
            links: 0,
            bodies: 0,
            _lock: lock,
        })
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
                PartKind::Account => self.account(reader, how)?,
                PartKind::Link => {
                    self.links += 1;
                    Self::must_be_announced(self.links <= self.header.links)?;
                    self.file(reader, &self.paths.link(self.number, head.number), None)?;
                }
                PartKind::Body => {
                    self.bodies += 1;
                    // Each is named by a link.
                    Self::must_be_announced(self.bodies <= self.header.links)?;
                    self.file(reader, &self.paths.body(self.number, BodyHash::new(head.id)), None)?;
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
    fn account(&mut self, reader: &mut ArchiveReader<'_>, how: &Load) -> Result<()> {
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
        Ok(())
    }

    fn pack(&mut self, reader: &mut ArchiveReader<'_>, head: &PartHead) -> Result<()> {
        let id = head.id.get(..16).and_then(PackId::from_slice);
        let id = id.ok_or_else(|| Error::damaged("archive", "a pack has no name"))?;
        self.packs += 1;
        self.pack_bytes = self.pack_bytes.saturating_add(head.len);
        Self::must_be_announced(self.pack_bytes <= self.header.pack_bytes)?;
        let [first, ..] = *id.bytes();
        let folder = self.paths.packs_under(first);
        make_dir(self.vault.disk(), &folder)?;
        self.file(reader, &self.paths.pack(id), Some(&folder))
    }

    /// A part becomes a file, synced; it is worth nothing before the part's checksum was seen.
    fn file(&self, reader: &mut ArchiveReader<'_>, path: &Path, folder: Option<&Path>) -> Result<()> {
        let mut file = self.vault.disk().create_new(path)?;
        while let Some(piece) = reader.content()? {
            file.append(piece)?;
        }
        file.sync()?;
        folder.map_or(Ok(()), |folder| self.vault.disk().sync_dir(folder))
    }

    /// Every name durable, then the note, then the rename that makes it visible.
    fn publish(&mut self) -> Result<AccountInfo> {
        let (vault, paths) = (self.vault, &self.paths);
        let info = self.loaded.take().ok_or_else(|| Error::damaged("archive", "it has no account"))?;
        let account: PathBuf = paths.account(self.number);
        for folder in [&paths.versions(self.number), &paths.bodies(self.number), &paths.packs(), &paths.accounts()] {
            vault.disk().sync_dir(folder)?;
        }
        note::add(vault.disk(), vault.chance(), &account, 1, NoteKind::Account, &info.encode())?;
        vault.disk().sync_dir(paths.root())?;
        let _accounts = vault.lock_accounts()?;
        vault.must_be_new(&self.header, self.number, Some(&info.name))?;
        let domains = layout::domains(vault.path());
        let to = DomainPaths::new(vault.path(), self.header.domain);
        if vault.disk().exists(to.root())?.is_some() {
            // What an account left that was removed and is not gone yet, or its making cut short.
            return Err(Error::Taken { what: "a folder of this account".to_owned() });
        }
        vault.disk().rename(paths.root(), to.root())?;
        vault.disk().sync_dir(&domains)?;
        // Of no meaning to anybody.
        vault.disk().remove_file(&to.root().join("lock")).ok();
        account::load_now(&vault.shared, &to, &info)
    }
}
