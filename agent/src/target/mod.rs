//! Writes files, directories and links on restore.
//!
//! Everything beneath a target goes by directory descriptors: names are single components, no symbolic link is followed,
//! nothing outside the target can be reached whatever stands there already. Content is never given up for metadata: what the
//! system does not permit becomes a warning ([`Code::RestoreSkipped`](crate::fault::Code::RestoreSkipped)).
//!
//! The order of a restore: [`TargetDir::make`] or [`TargetDir::child`] downwards; files, links and nodes; hard links; then
//! [`finish_flags`] for files of several names; then [`finish_dir`] upwards, so that times and permissions stay.

mod compare;
mod dir;
mod file;
mod metadata;
mod remove;
mod rights;
mod root;
mod special;
#[cfg(test)]
mod tests;

pub use compare::{is_link_to, same};
pub use dir::TargetDir;
pub use file::NewFile;
pub use metadata::{finish_dir, finish_flags};
pub use rights::Rights;
pub use root::Target;
pub use special::{Origin, make_hard_link, make_node, make_symlink};
