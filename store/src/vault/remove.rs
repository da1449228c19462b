//! Removing what is left of a deleted account, once the time in which it could be taken back is over.

use std::path::Path;

use super::Vault;
use super::account::AccountInfo;
use super::layout::{self, DomainPaths};
use super::volumes::list;
use crate::door::{Disk, PathKind};
use crate::error::{Error, Result};

/// How deep folders of a domain are: packs/xx, accounts/<number>/versions, staging/<session>/stripe.
const DEPTH_MAX: usize = 6;

impl Vault {
    /// Removes a deleted account for good. `Refused` before its time (see [`AccountInfo::goes_at`]) and when it was not
    /// deleted. When this is cut short, the account is still known as deleted, and the same call goes on: the note that
    /// says so goes last. But it cannot be taken back any more.
    pub fn remove_account(&self, account: &AccountInfo) -> Result<()> {
        self.must_write()?;
        let account = self.reload(account)?;
        let Some(goes_at) = account.goes_at() else {
            return Err(Error::Refused { why: format!("the account {} was not deleted", account.name) });
        };
        if self.clock().now_ms() < goes_at {
            return Err(Error::Refused { why: format!("the account {} can still be taken back", account.name) });
        }
        let sharing = self.accounts()?.iter().any(|other| other.domain == account.domain && other.id != account.id);
        if sharing {
            return Err(Error::Refused { why: "other accounts share its chunks".to_owned() });
        }
        // What is in a volume that is away would come back with it, and be nobody's.
        self.shared.must_have_all_volumes()?;
        let paths = DomainPaths::new(self.path(), account.domain);
        self.begin_removal(&account, &paths)?;
        for volume in self.shared.volumes().iter() {
            let packs = layout::volume_domain(&volume.path, account.domain);
            remove_all(self.disk(), packs.root(), DEPTH_MAX)?;
            self.disk().sync_dir(&layout::volume_packs(&volume.path)).or_else(not_there)?;
        }
        let notes = paths.account(account.number);
        // Content first, then what names it, then the notes; whatever is cut short is found again by the notes.
        for folder in [
            paths.packs().root().to_owned(),
            paths.staging(),
            paths.damaged(),
            paths.versions(account.number),
            paths.bodies(account.number),
        ] {
            remove_all(self.disk(), &folder, DEPTH_MAX)?;
        }
        for named in list(self.disk(), paths.root())? {
            let path = paths.root().join(&named.name);
            if path != paths.accounts() {
                remove_one(self.disk(), &path, named.kind, DEPTH_MAX)?;
            }
        }
        self.disk().sync_dir(paths.root())?;
        // Notes in ascending order: the newest says that it was deleted, and an older one must not be in force again.
        let mut older = list(self.disk(), &notes)?;
        older.retain(|named| notes.join(&named.name) != paths.removal(account.number));
        older.pop();
        for named in older {
            remove_one(self.disk(), &notes.join(&named.name), named.kind, 1)?;
        }
        self.disk().sync_dir(&notes)?;
        // In order: the note, and then that it was being removed.
        remove_all(self.disk(), &notes, 1)?;
        remove_all(self.disk(), &paths.accounts(), 1)?;
        remove_all(self.disk(), paths.root(), 1)?;
        self.disk().sync_dir(&layout::domains(self.path()))
    }
}

impl Vault {
    /// From here on nobody takes it back: what is left of it would pass for whole.
    fn begin_removal(&self, account: &AccountInfo, paths: &DomainPaths) -> Result<()> {
        let lock = self.lock_accounts()?;
        // Whoever took it back meanwhile was first.
        if self.reload(account)?.deleted_at.is_none() {
            return Err(Error::Busy { what: format!("the account {}", account.name) });
        }
        // An older program may have made it, and have said nothing of its number.
        self.number_was_given(&lock, account.number)?;
        match self.disk().create_new(&paths.removal(account.number)) {
            Ok(_) | Err(Error::Taken { .. }) => self.disk().sync_dir(&paths.account(account.number)),
            Err(e) => Err(e),
        }
    }
}

/// Removes a folder and what is in it; one that is not there is no error.
pub(super) fn remove_all(disk: &dyn Disk, dir: &Path, depth: usize) -> Result<()> {
    for named in list(disk, dir)? {
        remove_one(disk, &dir.join(&named.name), named.kind, depth)?;
    }
    there(disk.remove_dir(dir))
}

fn remove_one(disk: &dyn Disk, path: &Path, kind: PathKind, depth: usize) -> Result<()> {
    match kind {
        PathKind::Dir if depth > 0 => remove_all(disk, path, depth - 1),
        PathKind::Dir => Err(Error::Refused { why: format!("{} is deeper than anything of a vault", path.display()) }),
        PathKind::File | PathKind::Other => there(disk.remove_file(path)),
    }
}

fn there(removed: Result<()>) -> Result<()> {
    removed.or_else(not_there)
}

fn not_there(e: Error) -> Result<()> {
    if matches!(e, Error::NotFound { .. }) { Ok(()) } else { Err(e) }
}
