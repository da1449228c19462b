//! What an entry must be to stand in a node. Held before it is written and after it is read.

use crate::error::{Error, Result};
use crate::limits::{NAME_BYTES_MAX, TARGET_BYTES_MAX};

use super::content::{FILE_BYTES_MAX, check_content};
use super::entry::{Entry, Time, Totals, What, Xattr};

/// The 12 permission bits.
const MODE_MAX: u16 = 0o7777;

/// Weight of the extended attributes of one entry, at most; a page whose attributes weigh this much ends. So a page
/// has attributes of less than twice this, and stays below the largest body of a group together with 1,024 of the
/// longest names, targets, owners and lists of pieces.
pub const XATTR_BYTES_MAX: usize = 4 << 20;
/// What an attribute weighs beside its name and value: no less than the lengths before them take.
const XATTR_OVERHEAD: usize = 8;
/// Most attributes that one entry can have.
pub(super) const XATTRS_MAX: usize = XATTR_BYTES_MAX / XATTR_OVERHEAD;

/// Bytes of names and values and 8 for each attribute.
pub(super) fn weight(xattrs: &[Xattr]) -> usize {
    xattrs.iter().map(|(name, value)| name.len() + value.len() + XATTR_OVERHEAD).sum()
}

/// Refuses an entry, its name aside, that cannot stand in a node.
pub(super) fn check_entry(entry: &Entry) -> Result<()> {
    let damaged = |why| Err(Error::damaged("node", why));
    if entry.mode > MODE_MAX {
        return damaged("a mode has unknown bits");
    }
    if entry.owner.user.len() > NAME_BYTES_MAX || entry.owner.group.len() > NAME_BYTES_MAX {
        return damaged("a user or group name is too long");
    }
    let birth = entry.facts.birth.unwrap_or_default();
    for Time { nanos, .. } in [entry.mtime, entry.facts.ctime, birth] {
        if nanos >= 1_000_000_000 {
            return damaged("nanoseconds are a second or more");
        }
    }
    check_xattrs(&entry.xattrs)?;
    match &entry.what {
        What::File { size, content, .. } => check_content(content, *size),
        What::Dir(child) => check_totals(&child.totals),
        What::Symlink(target) if target.len() > TARGET_BYTES_MAX => damaged("a target is too long"),
        _ => Ok(()),
    }
}

fn check_xattrs(xattrs: &[Xattr]) -> Result<()> {
    let damaged = |why| Err(Error::damaged("node", why));
    if xattrs.is_empty() {
        return Ok(());
    }
    let found = weight(xattrs);
    if found > XATTR_BYTES_MAX {
        return Err(Error::Limit {
            what: "bytes of extended attributes of an entry",
            found: found as u64,
            most: XATTR_BYTES_MAX as u64,
        });
    }
    let mut last: Option<&[u8]> = None;
    for (name, _) in xattrs {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return damaged("the name of an extended attribute has a wrong length");
        }
        if last.is_some_and(|last| last >= &**name) {
            return damaged("extended attributes are not in order");
        }
        last = Some(name);
    }
    Ok(())
}

/// Refuses sums that no tree of files has, so that one more can be added to them.
pub(super) fn check_totals(totals: &Totals) -> Result<()> {
    for found in [totals.files, totals.dirs, totals.bytes] {
        if found > FILE_BYTES_MAX {
            return Err(Error::Limit { what: "totals of a directory", found, most: FILE_BYTES_MAX });
        }
    }
    Ok(())
}
