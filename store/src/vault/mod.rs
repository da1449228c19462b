//! The server's whole truth, and the durable order in which it changes (FORMAT.md, chapter 7).
//!
//! Packs, links, bodies and notes are true; they are written once and never replaced. The catalog only says where
//! things are. Nothing here holds or asks for a key: the server sees ids, ciphertext and public keys, and everything
//! that it decides it decides by those.
//!
//! * `commit`: the one order in which a version comes to be, and why
//! * `session`: an upload, with its staging folder; `staging`: its unfinished packs; `adopt`: what dead ones left
//! * `quota`: that accounts and groups stay below their limits; `ledger`: what the members of a group take together;
//!   `losable`: databases that may be lost, who was refused
//! * `closure`: that a version is all there
//! * `take_in`: what is on disk and not in the catalog
//! * `volumes`: folders on further disks that hold packs, and where a pack lies; `volume_moves`: they come and go
//! * `figures`, `usage`: what can be said of an account without a key; `remove`: the end of a deleted one
//! * `account`, `accounts`, `group`, `terms`: who, and what was settled for them; `note`, `manifest`, `layout`: in which files
//! * `dump`, `load`: an account as one portable file, and back; `held`: what a load that was cut short has already
//! * `read`: records back out; `damaged`: those that cannot be; `check`: looking for them, `finding`: what it tells; `wanted`: what is to be sent again;
//!   `mend`: links put back; `repair`: what is set right without a source
//! * `housekeep`: what nothing kept needs goes
//! * `activity`: what happened, for people; may be lost; `live`: how many share a rate now

mod account;
mod accounts;
mod activity;
mod adopt;
mod check;
mod closure;
mod commit;
mod damaged;
mod domain;
mod dump;
mod figures;
mod finding;
mod group;
mod held;
mod housekeep;
mod layout;
mod ledger;
mod live;
mod load;
mod losable;
mod manifest;
mod mend;
mod note;
mod pulse;
mod quota;
mod read;
mod remove;
mod repair;
mod session;
mod staging;
mod take_in;
mod terms;
#[cfg(test)]
mod tests;
mod usage;
mod volume_moves;
mod volumes;
mod wanted;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use account::{AccountInfo, AccountSelector, AccountState, DELETED_FOR_MS, check_name};
pub use accounts::slots_mark;
pub use commit::Outcome;
pub use domain::Domain;
pub use dump::Dumped;
pub use figures::{Newest, Stored};
pub use finding::{About, CheckEvent, CheckWhat, Finding, Progress, Severity, Summary};
pub use group::GroupInfo;
pub use housekeep::{Classes, Housekeep, HousekeepEvent, Housekept, LoggedPass, LoggedVersion, Split, SplitHistory};
pub use live::{Common, Live};
pub use load::{Archive, Load, Loaded, Whole};
pub use losable::{refusals, refusals_if_any};
pub use pulse::Pulse;
pub use repair::{Step, aside_folder};
pub use session::Session;
pub use staging::Stripe;
pub use terms::Terms;
pub use usage::Usage;
pub use volume_moves::Moved;
pub use volumes::Volume;

pub use crate::catalog::{Chosen as Boxes, Place, Refusal, Refusals, Wanted};
pub use crate::chain::Head;

use crate::catalog::{CatalogFiles, Catalogs};
use crate::door::{Chance, Clock, Disk, check_owner, random};
use crate::error::{Error, Result};
use crate::id::{DomainId, VaultId};
use manifest::{Listed, Manifest};

/// What a vault is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing of the truth is changed. Works on a vault that cannot be written at all.
    Read,
    /// Everything.
    Write,
}

/// A vault. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
    /// Each domain is opened once in a process.
    domains: Arc<Mutex<HashMap<DomainId, Domain>>>,
    /// The same vault, open for reading only: once it was needed.
    reading: Arc<Mutex<Option<Box<Self>>>>,
}

/// What a vault and its domains work with.
struct Shared {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    catalogs: Arc<dyn Catalogs>,
    path: PathBuf,
    id: VaultId,
    access: Access,
    /// On a file system that is known to be this machine's own.
    local: bool,
    /// This is the host that may write; always so on a local file system.
    writer_host: bool,
    /// Held while a database of activity is made.
    making_activity: Mutex<()>,
    /// Further volumes, as the vault's file listed them last.
    volumes: Mutex<Arc<Vec<Listed>>>,
}

impl Vault {
    /// Makes a vault in a new or empty folder and opens it for writing. `Taken` when there is anything in it,
    /// `NotFound` when the folder above is not there.
    pub fn create(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>, path: &Path) -> Result<Self> {
        account::make_dir(&*disk, path)?;
        check_owner(&*disk, path)?;
        // What an earlier attempt left behind is no obstacle; anything else is somebody's.
        let ours = |name: &str| name == "domains" || name.ends_with(".new");
        if disk.names(path)?.iter().any(|name| !name.to_str().is_some_and(ours)) {
            return Err(Error::Taken { what: path.display().to_string() });
        }
        account::make_dir(&*disk, &layout::domains(path))?;
        disk.sync_dir(path)?;
        if let Some(above) = path.parent() {
            disk.sync_dir(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
        }
        let machine = if disk.is_local(path)? { None } else { Some(machine_id(&*disk)) };
        let manifest = Manifest::new(VaultId::new(random(&*chance)), clock.now_ms(), machine);
        manifest.create(&*disk, &*chance, path)?;
        Self::open(disk, clock, chance, path, Access::Write)
    }

    /// Opens a vault. Before anything is changed: `NotFound` of a "vault" (nothing there) or of a "vault.json"
    /// (something else there), `Newer` when a newer program has made it, `Refused` when it belongs to another user or
    /// is to be written by a host that is not its writer.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        path: &Path,
        access: Access,
    ) -> Result<Self> {
        Self::open_with(disk, clock, chance, Arc::new(CatalogFiles), path, access)
    }

    /// The same with catalogs that are opened in another way.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        catalogs: Arc<dyn Catalogs>,
        path: &Path,
        access: Access,
    ) -> Result<Self> {
        let manifest = Manifest::load(&*disk, path)?;
        let local = disk.is_local(path)?;
        let writer_host = match &manifest.machine {
            Some(machine) => *machine == machine_id(&*disk),
            None => local,
        };
        if access == Access::Write {
            check_owner(&*disk, path)?;
            if manifest.read_only {
                return Err(Error::Newer { what: "vault's features", found: 1 });
            }
            if !writer_host {
                return Err(Error::Refused {
                    why: format!(
                        "{} is not on a file system of this machine, and another host is its writer",
                        path.display()
                    ),
                });
            }
        }
        let (path, id) = (path.to_owned(), manifest.vault);
        let shared = Shared {
            disk,
            clock,
            chance,
            catalogs,
            path,
            id,
            access,
            local,
            writer_host,
            making_activity: Mutex::default(),
            volumes: Mutex::new(Arc::new(manifest.volumes)),
        };
        Ok(Self { shared: Arc::new(shared), domains: Arc::default(), reading: Arc::default() })
    }

    /// Makes this host the one that writes a vault on a file system that is not its own. Only for when the other host
    /// has stopped for good: two writers would not see each other's locks.
    pub fn take_over(disk: &dyn Disk, chance: &dyn Chance, path: &Path) -> Result<()> {
        check_owner(disk, path)?;
        let manifest = Manifest::load(disk, path)?;
        if manifest.read_only {
            return Err(Error::Newer { what: "vault's features", found: 1 });
        }
        manifest.with_machine(machine_id(disk)).replace(disk, chance, path)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> VaultId {
        self.shared.id
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What it was opened for.
    #[must_use]
    pub fn access(&self) -> Access {
        self.shared.access
    }

    /// The chunk space of an account. The first call in a process takes in what is on disk and not in the catalog,
    /// and adopts what dead sessions left.
    pub fn domain(&self, account: &AccountInfo) -> Result<Domain> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(domain) = domains.get(&account.domain) {
            return Ok(domain.clone());
        }
        let domain = Domain::open(&self.shared, account.domain)?;
        domains.insert(account.domain, domain.clone());
        Ok(domain)
    }

    /// The same, for who only reads: where a disk has no room for what a writer needs, one that needs none of it.
    pub fn domain_to_read(&self, account: &AccountInfo) -> Result<Domain> {
        match self.domain(account) {
            Err(e @ (Error::Disk { .. } | Error::Catalog(_))) if self.access() == Access::Write => {
                let reading = self.reading().and_then(|vault| vault.domain(account));
                reading.map_err(|_| e)
            }
            other => other,
        }
    }

    fn reading(&self) -> Result<Self> {
        let mut held = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = held.as_ref() {
            return Ok(Self::clone(vault));
        }
        let Shared { disk, clock, chance, catalogs, path, .. } = &*self.shared;
        let (disk, clock) = (Arc::clone(disk), Arc::clone(clock));
        let vault = Self::open_with(disk, clock, Arc::clone(chance), Arc::clone(catalogs), path, Access::Read)?;
        *held = Some(Box::new(vault.clone()));
        Ok(vault)
    }

    /// The same vault, that opens each domain for itself and closes it when the last handle of it goes: for who looks at
    /// many, one after the other.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), domains: Arc::default(), reading: Arc::default() }
    }

    fn disk(&self) -> &dyn Disk {
        &*self.shared.disk
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    fn chance(&self) -> &dyn Chance {
        &*self.shared.chance
    }

    fn must_write(&self) -> Result<()> {
        self.shared.must_write()
    }
}

impl Shared {
    fn must_write(&self) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Error::Refused { why: "the vault is open for reading only".to_owned() }),
        }
    }

    /// Gives a file in a staging folder its final name, never replacing anything. Where the file system has no way to
    /// do so in one step, this is the only host that writes, and the caller holds the catalog's write lock.
    fn name_new(&self, from: &Path, to: &Path) -> Result<()> {
        match self.disk.link_new(from, to) {
            Err(Error::Refused { .. }) if !self.local && self.writer_host => {
                if self.disk.exists(to)?.is_some() {
                    return Err(Error::Taken { what: to.display().to_string() });
                }
                self.disk.rename(from, to)
            }
            other => other,
        }
    }
}

/// Names this host: the system's machine id, else the host name.
fn machine_id(disk: &dyn Disk) -> String {
    let read = disk.read(Path::new("/etc/machine-id"), 256).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match read.as_deref().map(str::trim) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("host {}", rustix::system::uname().nodename().to_string_lossy()),
    }
}
