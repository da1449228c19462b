//! Fields that several records have, or that are long.

use super::Field;
use super::Kind::{Bytes, Count, Id, Moment, Path, Switch, Text, Texts, Word};

/// Kinds of files.
pub(super) const KINDS: &[&str] = &["file", "dir", "symlink", "fifo", "socket", "char", "block"];

/// What happened to a path.
pub(super) const CHANGES: &[&str] = &["added", "removed", "content", "metadata", "kind"];

pub(super) const FAULT: &[Field] = fields! {
    code: Text, "Stable dotted name; `tuckbox explain CODE` has a page.";
    exit: Count, "The exit status that it leads to.";
    message: Text, "One sentence; may change.";
    cause: Texts, "Why, outermost first.";
    hint: Text, "What to do.";
    retry: Switch, "Trying the same again may help.";
    path [if_known]: Path, "The path that it is about.";
};

pub(super) const SOURCE: &[Field] = fields! {
    host: Text, "Host label.";
    path: Path, "Where it is.";
    files: Count, "Files.";
    bytes: Bytes, "Size of all files.";
    introduced: Count, "Sequence of the version that brought this state.";
    missing_since [if_known]: Moment, "Not there since, and kept by the guard.";
};

pub(super) const CHANGED: &[Field] = fields! {
    size: Count, "Size.";
    mtime: Count, "Modification time.";
    content: Count, "Content at equal size.";
    mode: Count, "Permission bits.";
    owner: Count, "Owner or group.";
    kind: Count, "Kind.";
};

pub(super) const MADE: &[Field] = fields! {
    vault_made: Switch, "The vault was made.";
    account_made: Switch, "The account was made.";
    key_made: Switch, "The key was made.";
    vault: Text, "The vault's address.";
    vault_id: Id, "Its id.";
    account: Text, "The account's name.";
    account_id: Id, "Its id.";
    key_file: Text, "The key file, for showing.";
    key_protected: Switch, "The key opens only with a passphrase.";
};

pub(super) const ENTRY: &[Field] = fields! {
    path: Path, "Where it is.";
    kind: Word(KINDS), "What it is.";
    mode: Text, "The 12 permission bits, octal.";
    uid: Count, "User number.";
    gid: Count, "Group number.";
    user: Text, "User name, may be empty.";
    group: Text, "Group name, may be empty.";
    bytes: Bytes, "Size of a regular file; of all files below for a directory.";
    files [if_known]: Count, "Files below a directory.";
    modified_at: Moment, "Modification time.";
    target [if_known]: Path, "Target of a symbolic link.";
    mark [if_known]: Word(&["changed", "unreadable", "missing"]), "Something to know about it.";
    version_id [if_known]: Id, "Of `find`: the newest version that has it so.";
    sequence [if_known]: Count, "Its place in the chain.";
    received_at [if_known]: Moment, "When the vault received it.";
    deleted [if_known]: Switch, "It is not in the newest version.";
};

pub(super) const STATE: &[Field] = fields! {
    path: Path, "Where it is.";
    change: Word(CHANGES), "How it came to be so.";
    kind: Word(KINDS), "What it is.";
    mode: Text, "The 12 permission bits, octal.";
    uid: Count, "User number.";
    gid: Count, "Group number.";
    user: Text, "User name, may be empty.";
    group: Text, "Group name, may be empty.";
    bytes: Bytes, "Size of a regular file; of all files below for a directory.";
    files [if_known]: Count, "Files below a directory.";
    modified_at: Moment, "Modification time.";
    target [if_known]: Path, "Target of a symbolic link.";
    mark [if_known]: Word(&["changed", "unreadable", "missing"]), "Something to know about it.";
    content [if_known]: Text, "Names its content: equal contents have equal names.";
    version_id: Id, "The first version that has it so.";
    sequence: Count, "Its place in the chain.";
    came_at: Moment, "When the vault received it.";
    last_version_id: Id, "The last version that has it so.";
    last_sequence: Count, "Its place in the chain.";
    last_at: Moment, "When the vault received it.";
    went_version_id [if_known]: Id, "The version in which it is so no more.";
    went_sequence [if_known]: Count, "Its place in the chain.";
    went_at [if_known]: Moment, "When the vault received it.";
    versions: Count, "Versions that have it so.";
};

pub(super) const APPENDED: &[Field] = fields! {
    version_id [if_known]: Id, "The version that was appended; absent on a dry run.";
    sequence [if_known]: Count, "Its place in the chain.";
    before_id: Id, "The newest version before it.";
    files: Count, "Files in it.";
    bytes: Bytes, "Their size.";
    before_files: Count, "Files in the version before.";
    before_bytes: Bytes, "Their size.";
    bring_along [if_known]: Text, "What to run so that the disk follows.";
    sent_bytes: Bytes, "Sent on the wire.";
    received_bytes: Bytes, "Received on the wire.";
};

pub(super) const COMPARED: &[Field] = fields! {
    version_id: Id, "The version.";
    same: Count, "Paths that are the same.";
    added: Count, "Paths only on the disk.";
    removed: Count, "Paths only in the version.";
    changed: Count, "Paths whose content or kind differs.";
    metadata: Count, "Paths of which only metadata differs.";
    errors: Count, "Paths that could not be read.";
    damaged: Count, "Of these, damaged in the vault.";
    read_bytes: Bytes, "Read from the disk.";
    received_bytes: Bytes, "Received on the wire.";
};
