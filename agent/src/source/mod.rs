//! Reads the file system for a backup.
//!
//! Everything goes by directory descriptors: no symbolic link is ever followed below a source, no path is put together, and
//! names are bytes. One name costs one `statx`; a small file that is read costs open, stat, read and close.
//!
//! * [`Dir`], [`Stat`]: a directory, its names, and what the system says of each
//! * [`verdict`], [`racy`]: whether a file must be read again
//! * [`SourceFile`], [`Extent`]: a file's bytes and holes
//! * [`capture`], [`Owners`]: an entry with everything but its content
//! * [`Selection`]: what is left out, and by which [`Rule`]
//! * [`Order`]: what is sent first, and what last
//! * [`mount_facts`]: on which file system a source lies
//! * [`read_list`]: lists of paths to back up

mod age;
mod capture;
mod dir;
mod extents;
mod file;
mod list_file;
mod mounts;
mod names;
mod order;
mod owners;
mod pattern;
mod rule;
mod select;
mod stat;
#[cfg(test)]
pub(crate) mod tests;
mod verdict;
pub(crate) mod xattrs;

pub use age::{Age, AgeRule};
pub use capture::{Captured, capture, capture_dir, capture_file};
pub use dir::Dir;
pub use extents::Extent;
pub use file::{OpenError, SourceFile};
pub use list_file::read_list;
pub use mounts::{MountFacts, is_lasting, mount_facts};
pub use names::Names;
pub use order::Order;
pub use owners::Owners;
pub use pattern::{Pattern, PatternError};
pub use rule::{Given, Rule};
pub use select::{Decision, Patterns, Selection, SelectionOptions};
pub use stat::Stat;
pub use verdict::{Changes, RACY_MTIME_NS, Verdict, racy, verdict, verdict_on};

pub(crate) use dir::component;
