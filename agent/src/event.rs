//! What a watcher can hear. The engine tells; command line, shell and console listen. The engine never prints.

use crate::fault::Fault;

/// Listens. Called from any thread, must not block for long.
pub trait Watcher: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);

    /// Whether totals are worth counting ahead: somebody watches how far it is.
    fn wants_totals(&self) -> bool {
        false
    }
}

/// A watcher that hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deaf;

impl Watcher for Deaf {
    fn event(&self, _: &Event<'_>) {}
}

/// What a run is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reaching the vault.
    Connect,
    /// Looking for what changed, and sending it.
    Send,
    /// Making the version durable.
    Commit,
    /// Reading the tree of the version.
    Plan,
    /// Writing files.
    Restore,
    /// Reading and comparing.
    Verify,
}

impl Phase {
    /// Its name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Send => "send",
            Self::Commit => "commit",
            Self::Plan => "plan",
            Self::Restore => "restore",
            Self::Verify => "verify",
        }
    }
}

/// How far a run is. Totals are absent until they are known; nothing is guessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files dealt with.
    pub files_done: u64,
    /// Files in all.
    pub files_total: Option<u64>,
    /// Bytes dealt with (of the files' content): of a backup those that are with the vault, and not all that were read.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes_total: Option<u64>,
    /// Bytes sent on the wire.
    pub sent_bytes: u64,
    /// Bytes received on the wire.
    pub received_bytes: u64,
    /// Items with errors so far.
    pub errors: u64,
}

/// What was done with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A file that was not in the version before.
    Added,
    /// A file whose content changed.
    Changed,
    /// A file of which only metadata changed.
    Metadata,
    /// As it was.
    Unchanged,
    /// Not there any more.
    Removed,
    /// Left out by a rule.
    Excluded,
    /// Written to disk.
    Restored,
    /// There already and equal, or left alone as the overwrite mode says.
    Kept,
    /// Removed from the disk.
    Deleted,
    /// Read back and equal.
    Verified,
}

impl Action {
    /// Its name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Metadata => "metadata",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Excluded => "excluded",
            Self::Restored => "restored",
            Self::Kept => "kept",
            Self::Deleted => "deleted",
            Self::Verified => "verified",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A step begins.
    Phase(Phase),
    /// How far; as often as the engine likes, the watcher thins them out.
    Progress(&'a Progress),
    /// Something was done with one file. Only told when the run was asked to.
    Item {
        /// What.
        action: Action,
        /// Path as bytes.
        path: &'a [u8],
        /// Size of a regular file.
        size: u64,
        /// Why, when it is not plain: "too large", "excluded by …".
        reason: Option<&'a str>,
    },
    /// Something was left out or is odd; the run goes on.
    Warning(&'a Fault),
    /// Something that a person should know: what was made, what was understood.
    Note(&'a str),
    /// Something for who looks closely (`-v`): which client carries, and why.
    Detail(&'a str),
    /// A line that the far side printed, made harmless.
    Remote(&'a str),
}
