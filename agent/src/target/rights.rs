//! Who restores, and whose the files become.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, PoisonError, RwLock};

use rustix::process::geteuid;
use store::tree::Owner;
use uzers::{get_group_by_name, get_user_by_name};

/// What the restoring user is, and how owners are found. For any number of threads.
#[derive(Debug)]
pub struct Rights {
    uid: u32,
    numeric: bool,
    resolved: RwLock<HashMap<Arc<Owner>, (u32, u32)>>,
}

impl Rights {
    /// Those of this process; owners go by name where the name exists here, else by number.
    #[must_use]
    pub fn detect() -> Self {
        Self { uid: geteuid().as_raw(), numeric: false, resolved: RwLock::default() }
    }

    /// The same; with `numeric`, owners always go by number.
    #[must_use]
    pub fn numeric(self, numeric: bool) -> Self {
        Self { numeric, resolved: RwLock::default(), ..self }
    }

    /// Whether it is root, to whom everything is permitted that a container leaves.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The user that new files belong to.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// User and group number here of an owner.
    #[must_use]
    pub fn resolve(&self, owner: &Arc<Owner>) -> (u32, u32) {
        if self.numeric {
            return (owner.uid, owner.gid);
        }
        if let Some(known) = self.resolved.read().unwrap_or_else(PoisonError::into_inner).get(owner) {
            return *known;
        }
        let by_name = |name: &[u8]| (!name.is_empty()).then(|| OsStr::from_bytes(name).to_owned());
        let user = by_name(&owner.user).and_then(|name| get_user_by_name(&name)).map(|user| user.uid());
        let group = by_name(&owner.group).and_then(|name| get_group_by_name(&name)).map(|group| group.gid());
        let found = (user.unwrap_or(owner.uid), group.unwrap_or(owner.gid));
        self.resolved.write().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(owner), found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_win_where_they_exist() {
        let owner = |user: &[u8], group: &[u8]| {
            Arc::new(Owner { uid: 4242, gid: 4343, user: user.into(), group: group.into() })
        };
        let rights = Rights::detect();
        assert_eq!(rights.resolve(&owner(b"root", b"root")), (0, 0));
        assert_eq!(rights.resolve(&owner(b"root", b"no such group")), (0, 4343));
        assert_eq!(rights.resolve(&owner(b"", b"")), (4242, 4343));
        assert_eq!(rights.resolve(&owner(b"a\0b", b"\xff")), (4242, 4343));
        assert_eq!(rights.numeric(true).resolve(&owner(b"root", b"root")), (4242, 4343));
    }
}
