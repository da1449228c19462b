//! An entry with everything but its content.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::readlinkat;
use store::id::{ContentId, NodeId};
use store::limits::TARGET_BYTES_MAX;
use store::tree::{Child, Content, CutClass, Entry, Facts, Kind, Totals, What};

use super::dir::{Dir, component};
use super::file::{OpenError, SourceFile};
use super::owners::Owners;
use super::stat::Stat;
use super::xattrs::{self, Holder};
use crate::fault::{Code, Fault};

/// An entry, and warnings about what could not be read of it; the caller adds the path to them.
pub type Captured = (Entry, Vec<Fault>);

/// The entry of `name` as `stat` tells it: owner names, link target, extended attributes. Content is empty, a child is zero,
/// nothing is marked. Fails only when the entry would be of no use: a link that cannot be read.
///
/// Attributes are read through `/proc`, so that nothing is opened and no permission to read is needed; who has the file or
/// directory open already takes [`capture_file`] or [`capture_dir`], which are cheaper.
pub fn capture(dir: &Dir, name: &[u8], stat: &Stat, owners: &Owners) -> Result<Captured, Fault> {
    let name = component(name).map_err(|error| OpenError::from(error).fault())?;
    let what = what(dir, name, stat).map_err(|error| OpenError::from(error).fault())?;
    Ok(entry(name, what, stat, owners, Holder::Name(dir, name)))
}

/// The same for a regular file that is open.
#[must_use]
pub fn capture_file(file: &SourceFile, name: &[u8], stat: &Stat, owners: &Owners) -> Captured {
    entry(name, regular(stat), stat, owners, Holder::Open(file.as_fd()))
}

/// The same for a directory that is open. `name` may be empty: the source root of `/`.
#[must_use]
pub fn capture_dir(dir: &Dir, name: &[u8], stat: &Stat, owners: &Owners) -> Captured {
    entry(name, What::Dir(no_child()), stat, owners, Holder::Open(dir.as_fd()))
}

fn regular(stat: &Stat) -> What {
    What::File { size: stat.size, content: Content::Empty, cut: CutClass::Whole }
}

fn no_child() -> Child {
    Child { node: NodeId::ZERO, content: ContentId::ZERO, totals: Totals::none() }
}

fn what(dir: &Dir, name: &[u8], stat: &Stat) -> io::Result<What> {
    Ok(match stat.kind {
        Kind::File => regular(stat),
        Kind::Dir => What::Dir(no_child()),
        Kind::Symlink => {
            let target = readlinkat(dir, name, Vec::with_capacity(256))?.into_bytes();
            if target.is_empty() || target.len() > TARGET_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the target of the link is empty or too long"));
            }
            What::Symlink(target.into())
        }
        Kind::Fifo => What::Fifo,
        Kind::Socket => What::Socket,
        Kind::Char => What::Char(stat.rdev.0, stat.rdev.1),
        Kind::Block => What::Block(stat.rdev.0, stat.rdev.1),
    })
}

fn entry(name: &[u8], what: What, stat: &Stat, owners: &Owners, holder: Holder<'_>) -> Captured {
    let found = xattrs::read(holder);
    let faults = found.failed.iter().map(|(name, error)| warning(name.as_deref(), *error)).collect();
    let has_other_names = stat.links > 1 && stat.kind != Kind::Dir;
    let facts = Facts {
        ctime: stat.ctime,
        inode: stat.inode,
        link: has_other_names.then_some((stat.device, stat.links)),
        racy: false,
        birth: stat.birth,
    };
    let entry = Entry {
        name: name.into(),
        what,
        mode: stat.mode,
        owner: owners.owner(stat.uid, stat.gid),
        mtime: stat.mtime,
        xattrs: found.xattrs,
        flags: stat.flags,
        mark: None,
        facts,
    };
    (entry, faults)
}

fn warning(name: Option<&[u8]>, error: rustix::io::Errno) -> Fault {
    let sentence = match name {
        Some(name) => format!("its attribute {} cannot be read", name.escape_ascii()),
        None => "its extended attributes cannot be read".to_owned(),
    };
    Fault::new(Code::SourceUnreadable, sentence).because(error)
}
