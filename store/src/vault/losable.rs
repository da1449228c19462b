//! Small databases beside the truth, from which nothing is lost with them: one that is not there or cannot be used is
//! made anew.

use std::path::Path;

use crate::catalog::{Journal, Refusals};
use crate::door::Disk;
use crate::error::{Error, Result};

use super::layout;

/// Opens such a database and does something with it. `make` makes one where there is none; whether it runs under the lock
/// of the database it is told. Only when the database itself is at fault is it put aside and another made: one that is in
/// use, on a full or failing disk, or that cannot be opened for want of descriptors, is somebody's at this moment. Who puts
/// one aside holds its lock and has looked once more: what another process has just made anew stays.
pub(super) fn open_or_remake<T>(
    disk: &dyn Disk,
    path: &Path,
    make: &dyn Fn(bool) -> Result<()>,
    open: &dyn Fn() -> Result<T>,
) -> Result<T> {
    let once = |locked| {
        if disk.exists(path)?.is_none() {
            make(locked)?;
        }
        open()
    };
    match once(false) {
        Err(error) if is_at_fault(&error) => {}
        other => return other,
    }
    let Some(_lock) = disk.lock(&layout::lock_of(path))? else { return Err(busy(path)) };
    match once(true) {
        Err(error) if is_at_fault(&error) => {}
        other => return other,
    }
    put_aside(disk, path)?;
    once(true)
}

/// The same with one that may be made in place: SQLite fills an empty file, whoever comes first.
pub(super) fn open_in_place<T>(disk: &dyn Disk, path: &Path, open: impl Fn() -> Result<T>) -> Result<T> {
    // Made by the disk door, so that it belongs to the owner of the vault.
    let make = |_| match disk.create_new(path) {
        Ok(_) | Err(Error::Taken { .. }) => Ok(()),
        Err(e) => Err(e),
    };
    open_or_remake(disk, path, &make, &open)
}

/// Whether the database itself is at fault, and another would do. What of it is newer may go for being only for people.
fn is_at_fault(error: &Error) -> bool {
    matches!(error, Error::Damaged { .. } | Error::Newer { what: "activity", .. }) || error.is_bad_catalog()
}

pub(super) fn busy(path: &Path) -> Error {
    Error::Busy { what: path.file_name().unwrap_or_default().to_string_lossy().into_owned() }
}

/// Gives the files of a database other names. Its logs first: a new one must never meet an old log.
pub(super) fn put_aside(disk: &dyn Disk, path: &Path) -> Result<()> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let mut aside = name.clone();
        aside.push(".damaged");
        match disk.rename(name.as_ref(), aside.as_ref()) {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
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
    open_in_place(disk, &path, || Refusals::open(&path, journal))
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
            let tries = Cell::new(0);
            let opened = open_in_place(&RealDisk, &path, || match tries.replace(tries.get() + 1) {
                // It is looked at twice before it goes.
                0 | 1 => Err(Error::Catalog(Sqlite::SqliteFailure(ffi::Error::new(code), None))),
                _ => Ok(()),
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

    #[test]
    fn what_another_process_has_just_made_anew_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        std::fs::write(&path, "broken").unwrap();
        let open = || match std::fs::read(&path).unwrap().as_slice() {
            b"broken" => Err(Error::Catalog(Sqlite::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOTADB), None))),
            content => {
                if content.is_empty() {
                    std::fs::write(&path, "reserved").unwrap();
                }
                Ok(std::fs::read(&path).unwrap())
            }
        };
        // Both have found it broken; the other is faster.
        let other = Cell::new(true);
        let opened = open_in_place(&RealDisk, &path, || {
            let found = open();
            if other.replace(false) {
                open_in_place(&RealDisk, &path, open).unwrap();
            }
            found
        });
        assert_eq!(opened.unwrap(), b"reserved");
        assert!(place.path().join("ledger.db.damaged").exists());
        // While another is at it, nobody else touches it.
        std::fs::write(&path, "broken").unwrap();
        let _lock = RealDisk.lock(&place.path().join("ledger.lock")).unwrap().unwrap();
        assert!(matches!(open_in_place(&RealDisk, &path, open), Err(Error::Busy { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"broken");
    }
}
