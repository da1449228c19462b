//! One chunk space: its catalog, and what can be asked of it.

use std::sync::{Arc, Mutex};

use super::layout::DomainPaths;
use super::read::Readers;
use super::{Access, AccountInfo, Boxes, Classes, Head, Place, Shared};
use crate::catalog::{Catalog, Journal};
use crate::chain::ReceivedLink;
use crate::error::{Error, Result};
use crate::id::{BodyHash, ChunkId, DomainId, NodeId};
use crate::limits::{CLEAR_BYTES_MAX, SEALED_BYTES_MAX};
use crate::record::{HEADER_BYTES, Record};

/// Longest file of a body.
pub(super) const BODY_BYTES_MAX: usize = HEADER_BYTES + CLEAR_BYTES_MAX + SEALED_BYTES_MAX;

/// One chunk space. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Domain {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) id: DomainId,
    pub(super) paths: DomainPaths,
    pub(super) catalog: Catalog,
    pub(super) readers: Mutex<Readers>,
    /// What a walk over the versions found last, and a number for how things were then.
    pub(super) walked: Mutex<Option<(i64, Classes)>>,
}

impl std::fmt::Debug for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Domain({})", self.inner.id)
    }
}

impl Domain {
    pub(super) fn open(shared: &Arc<Shared>, id: DomainId) -> Result<Self> {
        let paths = DomainPaths::new(&shared.path, id);
        let with = |catalog| Self {
            inner: Arc::new(Inner {
                shared: Arc::clone(shared),
                id,
                paths: paths.clone(),
                catalog,
                readers: Mutex::default(),
                walked: Mutex::default(),
            }),
        };
        if shared.access == Access::Write {
            let domain = with(open_catalog(shared, &paths, id)?);
            match domain.take_in() {
                Err(e) if e.is_bad_catalog() => domain.remake()?,
                other => other?,
            }
            domain.adopt_dead(None)?;
            return Ok(domain);
        }
        // A reader uses the catalog where it can, and makes one of its own in memory where it cannot: a read-only file
        // system, another host's vault, a catalog that is damaged or not yet made.
        if shared.writer_host
            && shared.disk.exists(&paths.catalog())?.is_some()
            && let Ok(catalog) = shared.catalogs.open(&paths.catalog(), journal(shared), id)
        {
            let domain = with(catalog);
            match domain.take_in() {
                Ok(()) => return Ok(domain),
                Err(Error::Newer { what, found }) => return Err(Error::Newer { what, found }),
                Err(_) => {}
            }
        }
        let domain = with(Catalog::in_memory(id)?);
        domain.take_in()?;
        Ok(domain)
    }

    /// Puts a catalog aside that cannot be used, and makes it anew: of the truth nothing is lost with it. Other processes
    /// that still use the old one lose nothing either: what they publish is on disk, and is taken in.
    pub(super) fn remake(&self) -> Result<()> {
        let (shared, paths) = (&self.inner.shared, &self.inner.paths);
        shared.must_have_all_volumes()?;
        if shared.access == Access::Write {
            let Some(_lock) = shared.disk.lock(&paths.catalog_lock())? else {
                return Err(Error::Busy { what: "the catalog".to_owned() });
            };
            set_catalog_aside(shared, paths)?;
            self.inner.catalog.replace(new_catalog(shared, paths, self.inner.id)?);
        } else {
            self.inner.catalog.replace(Catalog::in_memory(self.inner.id)?);
        }
        self.take_in()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> DomainId {
        self.inner.id
    }

    /// Rises whenever something that was there may not be there any more: answers of an older generation are to be
    /// asked for again.
    pub fn generation(&self) -> Result<u64> {
        self.inner.catalog.read(|rows| rows.generation())
    }

    /// The newest link of an account; `None` before the first.
    pub fn head(&self, account: &AccountInfo) -> Result<Option<Head>> {
        let newest = self.read_with_links(account, |rows| rows.newest_link(account.number))?;
        newest.map(|row| head_of(&row.bytes)).transpose()
    }

    /// At most `most` links of an account from number `from` on, each 272 bytes with its receipt, in order.
    pub fn links(&self, account: &AccountInfo, from: u64, most: usize) -> Result<Vec<Vec<u8>>> {
        let rows = self.read_with_links(account, |rows| rows.links(account.number, from, most))?;
        Ok(rows.into_iter().map(|row| row.bytes).collect())
    }

    /// A body in its travelling form, as a link names it. `None` when it is not there; `Damaged` when it is not what
    /// it was.
    pub fn body(&self, account: &AccountInfo, hash: BodyHash) -> Result<Option<Vec<u8>>> {
        self.body_of(account.number, hash)
    }

    pub(super) fn body_of(&self, account: u32, hash: BodyHash) -> Result<Option<Vec<u8>>> {
        let path = self.inner.paths.body(account, hash);
        let bytes = match self.inner.shared.disk.read(&path, BODY_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(e),
        };
        if blake3::hash(&bytes).as_bytes() != hash.bytes() {
            return Err(Error::damaged("body", "its bytes are not the ones that were written")
                .at(|| path.display().to_string()));
        }
        Ok(Some(bytes))
    }

    /// The record of a body.
    pub(super) fn body_record(&self, account: u32, hash: BodyHash) -> Result<Option<Record>> {
        self.body_of(account, hash)?.map(|bytes| Record::decode(&bytes)).transpose()
    }

    /// For each chunk whether it has to be sent.
    pub fn lacking_chunks(&self, ids: &[ChunkId]) -> Result<Vec<bool>> {
        self.inner.catalog.read(|rows| rows.lacking_chunks(ids))
    }

    /// For each node whether it has to be sent, or something below it.
    pub fn lacking_nodes(&self, ids: &[NodeId]) -> Result<Vec<bool>> {
        self.inner.catalog.read(|rows| rows.lacking_nodes(ids))
    }

    /// The boxes that hold these chunks, in pack order, and which chunks cannot be read.
    pub fn boxes_for(&self, ids: &[ChunkId]) -> Result<Boxes> {
        self.inner.catalog.read(|rows| rows.places_of_chunks(ids))
    }

    /// The groups that hold these nodes, in pack order, each once. Nodes that cannot be read have none.
    pub fn groups_for(&self, ids: &[NodeId]) -> Result<Vec<Place>> {
        let found = self.inner.catalog.read(|rows| rows.places_of_nodes(ids))?;
        let readable = |at: &&crate::catalog::NodeAt| at.state != crate::catalog::State::Damaged;
        let mut places: Vec<Place> =
            found.iter().filter_map(|places| places.first().filter(readable)).map(|at| at.place).collect();
        places.sort_by_key(|place| (place.pack_no, place.offset));
        places.dedup();
        Ok(places)
    }

    /// Every row of the catalog as sorted text; equal for two catalogs that say the same. For tests.
    #[doc(hidden)]
    pub fn dump(&self) -> Result<Vec<String>> {
        self.inner.catalog.read(|rows| rows.dump())
    }
}

/// The head that a link makes.
pub(super) fn head_of(link: &[u8]) -> Result<Head> {
    let link = ReceivedLink::decode(link)?;
    Ok(Head { sequence: link.link().sequence, chain: link.chain_hash(), marker: link.link().marker })
}

pub(super) fn journal(shared: &Shared) -> Journal {
    if shared.local { Journal::Ahead } else { Journal::Rollback }
}

/// The catalog of a domain that is open for writing. One that is not there is made; one that cannot be opened is put
/// aside (it holds nothing that cannot be made again) and made anew. Its rows come with `take_in`.
fn open_catalog(shared: &Shared, paths: &DomainPaths, id: DomainId) -> Result<Catalog> {
    let (disk, path) = (&*shared.disk, paths.catalog());
    if disk.exists(&path)?.is_some() {
        match shared.catalogs.open(&path, journal(shared), id) {
            Err(e) if is_at_fault(&e) => {}
            other => return other,
        }
        let Some(_lock) = disk.lock(&paths.catalog_lock())? else {
            return Err(Error::Busy { what: "the catalog".to_owned() });
        };
        // Another process may have done it meanwhile.
        match shared.catalogs.open(&path, journal(shared), id) {
            Err(e) if is_at_fault(&e) => {}
            other => return other,
        }
        set_catalog_aside(shared, paths)?;
    }
    new_catalog(shared, paths, id)
}

/// Whether the catalog itself is at fault, and another would do. What lacks room, descriptors or memory for the files beside
/// it says nothing of it.
fn is_at_fault(error: &Error) -> bool {
    use rusqlite::{ErrorCode, ffi};
    let Error::Catalog(cause) = error else { return matches!(error, Error::Damaged { .. }) };
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::CannotOpen | ErrorCode::OutOfMemory) => false,
        // It can be read nowhere else either.
        Some(ErrorCode::SystemIoFailure) => cause.sqlite_error().is_some_and(|cause| {
            [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS]
                .contains(&cause.extended_code)
        }),
        _ => true,
    }
}

/// The files of a catalog get other names. They hold nothing that cannot be made again.
fn set_catalog_aside(shared: &Shared, paths: &DomainPaths) -> Result<()> {
    // Its logs first: a new catalog must never meet an old log.
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let mut name = paths.catalog().into_os_string();
        name.push(suffix);
        let mut aside = name.clone();
        aside.push(".damaged");
        match shared.disk.rename(name.as_ref(), aside.as_ref()) {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn new_catalog(shared: &Shared, paths: &DomainPaths, id: DomainId) -> Result<Catalog> {
    let path = paths.catalog();
    // Made by the disk door, so that it belongs to the owner of the vault; SQLite fills it.
    match shared.disk.create_new(&path) {
        Ok(_) | Err(Error::Taken { .. }) => {}
        Err(e) => return Err(e),
    }
    shared.catalogs.open(&path, journal(shared), id)
}
