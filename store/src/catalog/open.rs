//! Who opens catalogs: a seam, so that a simulation can keep SQLite's files elsewhere and watch what is done to them.

use std::path::Path;

use super::{Catalog, Journal, Ledger};
use crate::activity::Activity;
use crate::error::Result;
use crate::id::{DomainId, VaultId};

/// Opens the catalogs of a vault.
pub trait Catalogs: Send + Sync {
    /// As [`Catalog::open`].
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog>;

    /// As [`Activity::open`].
    fn open_activity(&self, path: &Path, journal: Journal, vault: VaultId) -> Result<Activity> {
        Activity::open(path, journal, vault)
    }

    /// As [`Activity::make`].
    fn make_activity(&self, path: &Path, journal: Journal, vault: VaultId) -> Result<()> {
        Activity::make(path, journal, vault)
    }

    /// As [`Ledger::open`].
    fn open_ledger(&self, path: &Path, journal: Journal) -> Result<Ledger> {
        Ledger::open(path, journal)
    }
}

/// SQLite's own files, where the vault has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatalogFiles;

impl Catalogs for CatalogFiles {
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog> {
        Catalog::open(path, journal, domain)
    }
}

/// A connection that a catalog holds.
#[cfg(not(any(test, feature = "simulate")))]
pub(super) type Held = rusqlite::Connection;

/// One that a catalog holds from now on.
#[cfg(not(any(test, feature = "simulate")))]
pub(super) fn hold(conn: rusqlite::Connection) -> Held {
    conn
}

#[cfg(any(test, feature = "simulate"))]
pub use watched::{Idle, Watch};

#[cfg(any(test, feature = "simulate"))]
pub(super) use watched::{Held, hold};

/// What a simulation needs: to be asked before each change, and not to open a database anew for each of its processes.
#[cfg(any(test, feature = "simulate"))]
mod watched {
    use std::collections::BTreeMap;
    use std::ops::Deref;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex, PoisonError};

    use rusqlite::Connection;

    use crate::catalog::{Catalog, Journal, Ledger, connect_to};
    use crate::error::Result;
    use crate::id::DomainId;

    /// Who watches a catalog.
    pub struct Watch {
        /// Asked before each change is made durable; `false`: it is not, as when the process ends there.
        pub commits: Arc<dyn Fn() -> bool + Send + Sync>,
        /// Asked, with the number of times, when another connection is in the way; `false`: nobody waits any longer.
        pub waits: Arc<dyn Fn(i32) -> bool + Send + Sync>,
        /// Where connections rest.
        pub idle: Arc<Idle>,
    }

    /// Connections that nobody uses now, by file and whether they are for reading only. To open one, and to think out its
    /// statements again, is most of what a small world costs.
    #[derive(Debug, Default)]
    pub struct Idle(Mutex<BTreeMap<(PathBuf, bool), Vec<Connection>>>);

    impl Idle {
        /// Closes all that rest. Before anybody changes the files otherwise than by SQLite.
        pub fn close(&self) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }

        fn take(&self, key: &(PathBuf, bool)) -> Option<Connection> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key)?.pop()
        }

        /// Nobody is asked any more by a connection that rests, and it has nothing open.
        fn put(&self, key: (PathBuf, bool), mut conn: Connection) {
            let quiet = conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok();
            let unwatched =
                conn.commit_hook(None::<fn() -> bool>).is_ok() && conn.busy_handler(None::<fn(i32) -> bool>).is_ok();
            if quiet && unwatched {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().push(conn);
            }
        }
    }

    /// A connection that a catalog holds, and that goes back to where it rested.
    #[derive(Debug)]
    pub(in crate::catalog) struct Held {
        /// Absent only while it goes back.
        conn: Option<Connection>,
        home: Option<(Arc<Idle>, (PathBuf, bool))>,
    }

    /// One that a catalog holds from now on.
    pub(in crate::catalog) fn hold(conn: Connection) -> Held {
        Held { conn: Some(conn), home: None }
    }

    impl Deref for Held {
        type Target = Connection;

        #[expect(clippy::expect_used, reason = "only dropping takes it, and this is never in the product")]
        fn deref(&self) -> &Connection {
            self.conn.as_ref().expect("it is held")
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            if let (Some(conn), Some((idle, key))) = (self.conn.take(), self.home.take()) {
                idle.put(key, conn);
            }
        }
    }

    impl Watch {
        fn over(&self, conn: &mut Connection) -> Result<()> {
            let commits = Arc::clone(&self.commits);
            conn.commit_hook(Some(move || !commits()))?;
            let waits = Arc::clone(&self.waits);
            Ok(conn.busy_handler(Some(move |times| waits(times)))?)
        }
    }

    impl Ledger {
        /// As [`open`](Self::open), under watch from the first moment.
        pub fn open_watched(path: &Path, journal: Journal, watch: &Watch) -> Result<Self> {
            Self::open_tuned(path, journal, &|conn| watch.over(conn))
        }
    }

    impl Catalog {
        /// As [`open`](Self::open), under watch from the first moment.
        pub fn open_watched(path: &Path, journal: Journal, domain: DomainId, watch: &Watch) -> Result<Self> {
            let tune = |conn: &mut Connection| watch.over(conn);
            Self::open_by(domain, &|reads| {
                let key = (path.to_owned(), reads);
                let conn = match watch.idle.take(&key) {
                    Some(mut conn) => {
                        tune(&mut conn)?;
                        conn
                    }
                    None => connect_to(path, journal, reads, &tune)?,
                };
                Ok(Held { conn: Some(conn), home: Some((Arc::clone(&watch.idle), key)) })
            })
        }
    }
}
