//! How many sessions share something now, by locks: whoever has a part in it holds a file, and the others count the files
//! that are held. A file of a process that has died is not held, and is removed by who meets it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::account::make_dir;
use super::{Vault, layout};
use crate::door::{Disk, Lock, random};
use crate::error::{Error, Result};
use crate::id::hex;

/// Above so many nobody counts on.
const COUNT_MAX: u64 = 10_000;
/// Times that another name is tried.
const TRIES: usize = 8;

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// Something of the account of this number.
    Account(u32),
    /// Something of the group of this number.
    Group(u32),
}

impl Common {
    /// How names of its files begin.
    fn prefix(self) -> String {
        match self {
            Self::Account(number) => format!("account-{number:08x}-"),
            Self::Group(number) => format!("group-{number:08x}-"),
        }
    }
}

/// A part in something shared, until it is dropped or its process ends.
pub struct Live {
    of: Common,
    path: PathBuf,
    disk: Arc<dyn Disk>,
    lock: Option<Lock>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Live({:?})", self.of)
    }
}

impl Live {
    /// In what.
    #[must_use]
    pub fn of(&self) -> Common {
        self.of
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // While it is held, so that nobody else's file goes. One that stays is removed by whoever counts next.
        self.disk.remove_file(&self.path).ok();
        self.lock.take();
    }
}

impl Vault {
    /// Takes a part. Needs a vault that can be written, whatever it was opened for.
    pub fn live(&self, of: Common) -> Result<Live> {
        let dir = layout::live(self.path());
        make_dir(self.disk(), &dir)?;
        for _ in 0..TRIES {
            let path = dir.join(of.prefix() + &hex(&random::<8>(self.chance())));
            // Somebody who counts may have met the file before its lock.
            if let Some(lock) = self.disk().lock(&path)? {
                return Ok(Live { of, path, disk: Arc::clone(&self.shared.disk), lock: Some(lock) });
            }
        }
        Err(Error::Busy { what: "the list of live sessions".to_owned() })
    }

    /// How many have a part, but for `own`.
    pub fn count_live(&self, of: Common, own: Option<&Live>) -> Result<u64> {
        let dir = layout::live(self.path());
        let named = match self.disk().list(&dir) {
            Err(Error::NotFound { .. }) => return Ok(0),
            other => other?,
        };
        let prefix = of.prefix();
        let mut live = 0;
        for named in named.iter().filter(|named| named.name.to_str().is_some_and(|name| name.starts_with(&prefix))) {
            let path = dir.join(&named.name);
            if own.is_some_and(|own| own.path == path) {
                continue;
            }
            match self.disk().lock(&path)? {
                Some(_dead) => self.disk().remove_file(&path).unwrap_or_default(),
                None => live += 1,
            }
            if live == COUNT_MAX {
                break;
            }
        }
        Ok(live)
    }
}
