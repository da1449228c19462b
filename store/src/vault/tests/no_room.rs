//! No room for what a writer needs: reading needs none.

use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::{Error as Sqlite, ffi};

use super::housekeep::{assert_readable, findings};
use super::*;
use crate::catalog::{Catalog, CatalogFiles, Catalogs, Journal};
use crate::error::Error;

/// Catalogs in files, none of which can be opened while this is not 0: the error of SQLite.
#[derive(Default)]
struct Failing(AtomicI32);

impl Catalogs for Failing {
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog> {
        match self.0.load(Ordering::SeqCst) {
            0 => CatalogFiles.open(path, journal, domain),
            code => Err(Error::Catalog(Sqlite::SqliteFailure(ffi::Error::new(code), None))),
        }
    }
}

#[test]
fn a_catalog_without_room_is_not_damaged_and_who_reads_does_without() {
    let (world, _, account) = World::with_account();
    let tree = tree(&account, 1);
    world.back_up_now(&tree);
    let before = files(&world.path());
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CANTOPEN] {
        let failing = Arc::new(Failing::default());
        let (clock, chance) = (world.clock.clone(), world.chance.clone());
        let catalogs = failing.clone();
        let vault =
            Vault::open_with(Arc::new(RealDisk), clock, chance, catalogs, &world.path(), Access::Write).unwrap();
        failing.0.store(code, Ordering::SeqCst);
        assert!(matches!(vault.domain(&account), Err(Error::Catalog(_))), "{code}");
        let domain = vault.domain_to_read(&account).unwrap();
        assert_eq!(domain.head(&account).unwrap().unwrap().sequence, 3);
        assert_readable(&domain, &tree);
        assert_eq!(findings(&domain), []);
        assert_eq!(vault.pulse(&account).unwrap().head, 3);
        assert!(domain.begin(&account, &[SOURCE], None).is_err());
        failing.0.store(0, Ordering::SeqCst);
        vault.domain(&account).unwrap();
        drop((vault, domain));
        let after = files(&world.path());
        assert_eq!(after.iter().find(|(path, _)| path.to_string_lossy().ends_with(".damaged")), None, "{code}");
    }
    let catalog = |files: &[(PathBuf, Vec<u8>)]| files.iter().find(|(path, _)| path.ends_with("catalog.db")).cloned();
    assert!(catalog(&before).is_some());
    assert_eq!(catalog(&files(&world.path())), catalog(&before));
}
