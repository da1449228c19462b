//! Whether something that stands there is what would be restored.

use std::os::fd::AsFd;

use rustix::fs::readlinkat;
use store::tree::{Entry, What};

use super::dir::TargetDir;
use crate::source::Stat;

/// For `if-changed`: of files and links the same kind, size and modification time, which is set last, so that what a restore
/// left half made is made again; of a device its numbers; of pipes, sockets and directories the kind is enough. A link's target is compared by length here and by bytes with [`is_link_to`].
#[must_use]
pub fn same(existing: &Stat, entry: &Entry) -> bool {
    existing.kind == entry.what.kind()
        && match &entry.what {
            What::File { size, .. } => existing.size == *size && existing.mtime == entry.mtime,
            What::Symlink(target) => existing.size == target.len() as u64 && existing.mtime == entry.mtime,
            What::Char(major, minor) | What::Block(major, minor) => existing.rdev == (*major, *minor),
            What::Dir(_) | What::Fifo | What::Socket => true,
        }
}

/// Whether `name` is a symbolic link with this target.
#[must_use]
pub fn is_link_to(dir: &TargetDir, name: &[u8], target: &[u8]) -> bool {
    crate::source::component(name).is_ok()
        && readlinkat(dir.as_fd(), name, Vec::new()).is_ok_and(|found| found.as_bytes() == target)
}
