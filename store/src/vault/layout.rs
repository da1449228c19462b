//! Names of files and folders (FORMAT.md, chapter 7). No other file of this program spells a name in a vault.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::id::{BodyHash, DomainId, PackId, SessionId, SourceId, hex};

/// A vault's own file: its presence makes a folder a vault.
pub(super) fn manifest(vault: &Path) -> PathBuf {
    vault.join("vault.json")
}

/// What concerns no single account, and may be lost.
pub(super) fn database(vault: &Path) -> PathBuf {
    vault.join("vault.db")
}

/// Held while an account is made, so that names and numbers stay unique.
pub(super) fn accounts_lock(vault: &Path) -> PathBuf {
    vault.join("domains").join("lock")
}

/// Held while a database that may be lost is put aside, or made.
pub(super) fn lock_of(database: &Path) -> PathBuf {
    database.with_extension("lock")
}

pub(super) fn groups(vault: &Path) -> PathBuf {
    vault.join("groups")
}

/// Held while a group is made or renamed, so that names and numbers stay unique.
pub(super) fn groups_lock(vault: &Path) -> PathBuf {
    groups(vault).join("lock")
}

pub(super) fn group(vault: &Path, number: u32) -> PathBuf {
    groups(vault).join(format!("{number:08x}"))
}

/// What the members of a group take together.
pub(super) fn group_ledger(vault: &Path, number: u32) -> PathBuf {
    group(vault, number).join("ledger.db")
}

/// Files that are locked by those who are at work now.
pub(super) fn live(vault: &Path) -> PathBuf {
    vault.join("live")
}

/// Name of the folder of what was set aside.
pub(super) const ASIDE: &str = "aside";

/// What was found to be damaged and was replaced: below a folder for the moment, at the same place as before.
pub(super) fn aside(vault: &Path) -> PathBuf {
    vault.join(ASIDE)
}

/// Says of a session, by being in its folder, that it was refused for a limit.
pub(super) fn refused(session: &Path) -> PathBuf {
    session.join("refused")
}

/// Held while volumes come, go, or are evened out.
pub(super) fn volumes_lock(vault: &Path) -> PathBuf {
    vault.join("volumes.lock")
}

/// Whose a volume is, and which.
pub(super) fn volume_marker(volume: &Path) -> PathBuf {
    volume.join("volume.json")
}

/// The packs in a volume, a folder for each domain.
pub(super) fn volume_packs(volume: &Path) -> PathBuf {
    volume.join("packs")
}

/// Those of one domain.
pub(super) fn volume_domain(volume: &Path, domain: DomainId) -> PackFolder {
    PackFolder(volume_packs(volume).join(domain.hex()))
}

/// The same of one that is being put together from an archive.
pub(super) fn volume_loading(volume: &Path, domain: DomainId) -> PackFolder {
    PackFolder(volume_packs(volume).join(format!("{}.load", domain.hex())))
}

/// A folder of packs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackFolder(PathBuf);

impl PackFolder {
    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    pub(super) fn under(&self, first: u8) -> PathBuf {
        self.0.join(hex(&[first]))
    }

    pub(super) fn pack(&self, id: PackId) -> PathBuf {
        let [first, ..] = *id.bytes();
        self.under(first).join(format!("{}.pack", id.hex()))
    }

    /// Where a pack is put together before it gets its name.
    pub(super) fn temporary(&self, id: PackId, chance: [u8; 8]) -> PathBuf {
        self.0.join(format!("{}.{}.new", id.hex(), hex(&chance)))
    }
}

/// Whether a name is of no meaning to anybody but who locks it.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.ends_with(".new"))
}

pub(super) fn domains(vault: &Path) -> PathBuf {
    vault.join("domains")
}

/// The paths of one domain.
#[derive(Clone, Debug)]
pub(super) struct DomainPaths {
    root: PathBuf,
}

impl DomainPaths {
    pub(super) fn new(vault: &Path, domain: DomainId) -> Self {
        Self { root: domains(vault).join(domain.hex()) }
    }

    /// Where a domain is put together from an archive before it is one.
    pub(super) fn loading(vault: &Path, domain: DomainId) -> Self {
        Self { root: domains(vault).join(format!("{}.load", domain.hex())) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn catalog(&self) -> PathBuf {
        self.root.join("catalog.db")
    }

    /// Held while a catalog that cannot be opened is put aside.
    pub(super) fn catalog_lock(&self) -> PathBuf {
        self.root.join("catalog.lock")
    }

    /// What happened, for people.
    pub(super) fn activity(&self) -> PathBuf {
        self.root.join("activity.db")
    }

    /// Packs in the vault's own folder. Others may be in further volumes: ask `Domain::pack_path`.
    pub(super) fn packs(&self) -> PackFolder {
        PackFolder(self.root.join("packs"))
    }

    pub(super) fn accounts(&self) -> PathBuf {
        self.root.join("accounts")
    }

    pub(super) fn account(&self, number: u32) -> PathBuf {
        self.accounts().join(format!("{number:08x}"))
    }

    /// Says of a deleted account, by being there, that its content is being removed: it cannot be taken back.
    pub(super) fn removal(&self, number: u32) -> PathBuf {
        self.account(number).join("removal")
    }

    /// What is needed to tell how an account is.
    pub(super) fn pulse(&self, number: u32) -> PathBuf {
        self.root.join(format!("pulse-{number:08x}"))
    }

    pub(super) fn versions(&self, account: u32) -> PathBuf {
        self.account(account).join("versions")
    }

    pub(super) fn link(&self, account: u32, sequence: u64) -> PathBuf {
        self.versions(account).join(format!("{sequence:012}.link"))
    }

    pub(super) fn bodies(&self, account: u32) -> PathBuf {
        self.account(account).join("bodies")
    }

    pub(super) fn body(&self, account: u32, hash: BodyHash) -> PathBuf {
        self.bodies(account).join(format!("{}.body", hash.hex()))
    }

    pub(super) fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub(super) fn session(&self, id: SessionId) -> PathBuf {
        self.staging().join(id.hex())
    }

    /// Where housekeeping makes packs.
    pub(super) fn housekeeping(&self) -> PathBuf {
        self.staging().join("housekeeping")
    }

    /// What housekeeping did.
    pub(super) fn housekeeping_log(&self) -> PathBuf {
        self.root.join("housekeeping.log")
    }

    pub(super) fn source_lock(&self, id: SourceId) -> PathBuf {
        self.staging().join(format!("source-{}", id.hex()))
    }
}

/// The number of an account's folder.
pub(super) fn account_number(name: &OsStr) -> Option<u32> {
    let name = name.to_str()?;
    let number = u32::from_str_radix(name, 16).ok()?;
    (format!("{number:08x}") == name).then_some(number)
}

/// The id in a name of the form `<hex>` or `<hex>.<extension>`.
fn stem_of<'a>(name: &'a OsStr, extension: &str) -> Option<&'a str> {
    name.to_str()?.strip_suffix(extension)
}

pub(super) fn domain_id(name: &OsStr) -> Option<DomainId> {
    DomainId::from_hex(name.to_str()?)
}

/// The domain that is put together in a folder, when it is one for that.
pub(super) fn load_of(name: &OsStr) -> Option<DomainId> {
    stem_of(name, ".load").and_then(DomainId::from_hex)
}

/// The header of the archive that is loaded in a folder.
pub(super) fn load_header(load: &Path) -> PathBuf {
    load.join("archive.header")
}

/// The account as the archive has it.
pub(super) fn load_account(load: &Path) -> PathBuf {
    load.join("archive.account")
}

/// Which parts of the archive are stored whole.
pub(super) fn load_journal(load: &Path) -> PathBuf {
    load.join("archive.journal")
}

/// What a load needs and a domain does not.
pub(super) fn load_files(load: &Path) -> [PathBuf; 4] {
    [load.join("lock"), load_header(load), load_account(load), load_journal(load)]
}

pub(super) fn session_id(name: &OsStr) -> Option<SessionId> {
    SessionId::from_hex(name.to_str()?)
}

pub(super) fn body_hash(name: &OsStr) -> Option<BodyHash> {
    BodyHash::from_hex(stem_of(name, ".body")?)
}

/// The folder of a stripe, in that of its session.
pub(super) fn stripe_name(number: [u8; 8]) -> String {
    format!("stripe-{}", crate::id::hex(&number))
}

pub(super) fn is_stripe(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("stripe-"))
}

/// Whether a file of a domain is its catalog or its activity, or belongs to one: `catalog.db`, `catalog.db-wal`, …
pub(super) fn is_database(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("catalog.db") || name.starts_with("activity.db"))
}

pub(super) fn pack_id(name: &OsStr, extension: &str) -> Option<PackId> {
    PackId::from_hex(stem_of(name, extension)?)
}

/// The number in a name of the form `<digits>.<extension>`, written with `width` digits.
pub(super) fn numbered(name: &OsStr, width: usize, extension: &str) -> Option<u64> {
    let digits = stem_of(name, extension)?;
    let number = digits.parse().ok()?;
    (format!("{number:0width$}") == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_only_in_their_one_form() {
        assert_eq!(numbered(OsStr::new("00000007.note"), 8, ".note"), Some(7));
        assert_eq!(numbered(OsStr::new("7.note"), 8, ".note"), None);
        assert_eq!(numbered(OsStr::new("+0000007.note"), 8, ".note"), None);
        assert_eq!(account_number(OsStr::new("0000000a")), Some(10));
        assert_eq!(account_number(OsStr::new("0000000A")), None);
        assert_eq!(account_number(OsStr::new("lock")), None);
        assert_eq!(pack_id(OsStr::new("00.pack"), ".pack"), None);
    }
}
