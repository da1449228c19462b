//! Small databases beside the truth, from which nothing is lost with them: one that is not there or cannot be used is
//! made anew.

use std::path::Path;

use crate::catalog::{Journal, Refusals};
use crate::door::Disk;
use crate::error::{Error, Result};

use super::layout;

/// Opens such a database. `open` gets a file that is there and may be empty. Only when the database itself is at fault is
/// another made: one that is in use, on a full or failing disk, or that cannot be opened for want of descriptors, is
/// somebody's at this moment.
pub(super) fn open_or_remake<T>(disk: &dyn Disk, path: &Path, open: impl Fn() -> Result<T>) -> Result<T> {
    make(disk, path)?;
    match open() {
        Err(error) if matches!(error, Error::Damaged { .. }) || error.is_bad_catalog() => {
            // Its logs first: a new one must never meet an old log.
            for suffix in ["-wal", "-shm", "-journal", ""] {
                let mut name = path.to_owned().into_os_string();
                name.push(suffix);
                match disk.remove_file(name.as_ref()) {
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(e) => return Err(e),
                }
            }
            make(disk, path)?;
            open()
        }
        other => other,
    }
}

/// Made by the disk door, so that it belongs to the owner of the vault; SQLite fills it.
fn make(disk: &dyn Disk, path: &Path) -> Result<()> {
    match disk.create_new(path) {
        Ok(_) | Err(Error::Taken { .. }) => Ok(()),
        Err(e) => Err(e),
    }
}

/// The same, when anybody ever was.
pub fn refusals_if_any(disk: &dyn Disk, vault: &Path) -> Result<Option<Refusals>> {
    match disk.exists(&layout::database(vault))? {
        Some(_) => refusals(disk, vault).map(Some),
        None => Ok(None),
    }
}

/// Who was refused by the vault in this folder. It needs no vault that is open for writing: reading can be refused, too.
pub fn refusals(disk: &dyn Disk, vault: &Path) -> Result<Refusals> {
    let path = layout::database(vault);
    let journal = if disk.is_local(vault)? { Journal::Ahead } else { Journal::Rollback };
    open_or_remake(disk, &path, || Refusals::open(&path, journal))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rusqlite::{Error as Sqlite, ffi};

    use super::*;
    use crate::door::RealDisk;

    #[test]
    fn only_one_that_is_itself_at_fault_is_made_anew() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        let remade_after = |code: i32| {
            std::fs::write(&path, "somebody's").unwrap();
            let first = Cell::new(true);
            let opened = open_or_remake(&RealDisk, &path, || match first.replace(false) {
                true => Err(Error::Catalog(Sqlite::SqliteFailure(ffi::Error::new(code), None))),
                false => Ok(()),
            });
            assert_eq!(opened.is_ok(), std::fs::read(&path).unwrap().is_empty());
            opened.is_ok()
        };
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_CANTOPEN, ffi::SQLITE_NOMEM] {
            assert!(!remade_after(code), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(remade_after(code), "{code}");
        }
    }
}
