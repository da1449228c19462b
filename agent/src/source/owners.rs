//! Names of users and groups, asked for once.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, PoisonError, RwLock};

use store::tree::Owner;
use uzers::{get_group_by_gid, get_user_by_uid};

/// The owners met so far, each kept once and shared by all its entries. For any number of threads.
#[derive(Debug, Default)]
pub struct Owners {
    known: RwLock<HashMap<(u32, u32), Arc<Owner>>>,
}

impl Owners {
    /// None known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The owner with these numbers; a name is empty when the system knows none.
    #[must_use]
    pub fn owner(&self, uid: u32, gid: u32) -> Arc<Owner> {
        if let Some(owner) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&(uid, gid)) {
            return Arc::clone(owner);
        }
        // Asked without the lock: a directory service may take its time.
        let user = get_user_by_uid(uid).map(|user| user.name().as_bytes().into()).unwrap_or_default();
        let group = get_group_by_gid(gid).map(|group| group.name().as_bytes().into()).unwrap_or_default();
        let owner = Arc::new(Owner { uid, gid, user, group });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry((uid, gid)).or_insert(owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_shared_and_unknown_ones_have_no_name() {
        let owners = Owners::new();
        let root = owners.owner(0, 0);
        assert_eq!((&root.user[..], &root.group[..]), (&b"root"[..], &b"root"[..]));
        assert!(Arc::ptr_eq(&root, &owners.owner(0, 0)));
        let nobody = owners.owner(3_999_999_999, 3_999_999_998);
        assert!(nobody.user.is_empty() && nobody.group.is_empty());
        assert_eq!((nobody.uid, nobody.gid), (3_999_999_999, 3_999_999_998));
    }
}
