//! Versions, and what is and was in them.

use crate::schema::Kind::{Bytes, Count, Id, Moment, Path, Switch, Text, Texts, Word};
use crate::schema::Record;
use crate::schema::fields::{APPENDED, CHANGES, COMPARED, ENTRY, KINDS, RESTORED, STATE, VERSION};

pub(super) const RECORDS: &[Record] = &[
    Record { kind: "version", verbs: &["versions"], row: true, about: "One version, oldest first.", fields: VERSION },
    Record {
        kind: "entry",
        verbs: &["ls", "find"],
        row: true,
        about: "One name in a version, by bytes of the path.",
        fields: ENTRY,
    },
    Record {
        kind: "diff",
        verbs: &["diff"],
        row: true,
        about: "One difference, by bytes of the path.",
        fields: fields! {
            path: Path, "Where it is.";
            change: Word(&["added", "removed", "content", "metadata", "kind"]), "What happened.";
            kind: Word(KINDS), "What it is, in the earlier version when it is gone.";
            before_bytes [if_known]: Bytes, "Size before.";
            after_bytes [if_known]: Bytes, "Size after.";
        },
    },
    Record {
        kind: "compare",
        verbs: &["compare"],
        row: true,
        about: "One difference between a version and the disk.",
        fields: fields! {
            path: Path, "Where it is.";
            change: Word(CHANGES), "What happened.";
            kind: Word(KINDS), "What it is.";
            version_bytes [if_known]: Bytes, "Size in the version.";
            disk_bytes [if_known]: Bytes, "Size on the disk.";
            what [if_known]: Texts, "What of its metadata differs.";
        },
    },
    Record {
        kind: "state",
        verbs: &["history"],
        row: true,
        about: "One state of a path, oldest first.",
        fields: STATE,
    },
    Record {
        kind: "deleted",
        verbs: &["undelete"],
        row: true,
        about: "A path that is not in the newest version.",
        fields: fields! {
            path: Path, "Where it was.";
            kind: Word(KINDS), "What it was.";
            files: Count, "Files in it.";
            bytes: Bytes, "Their size.";
            version_id: Id, "The last version that has it.";
            sequence: Count, "Its place in the chain.";
            received_at: Moment, "When the vault received it.";
        },
    },
    Record {
        kind: "id",
        verbs: &["which"],
        row: true,
        about: "Something that has an id.",
        fields: fields! {
            id: Text, "The id.";
            kind: Text, "What it names.";
            name: Text, "Its name for people.";
            path [if_known]: Path, "Where it is.";
            version_id [if_known]: Id, "A version that has it.";
            sequence [if_known]: Count, "Its place in the chain.";
            received_at [if_known]: Moment, "When the vault received it.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["versions"],
        row: false,
        about: "What `versions` came to.",
        fields: fields! { versions: Count, "Versions listed."; },
    },
    Record {
        kind: "summary",
        verbs: &["ls"],
        row: false,
        about: "What `ls` came to.",
        fields: fields! {
            entries: Count, "Names listed.";
            bytes: Bytes, "Size of the files among them.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["diff"],
        row: false,
        about: "What `diff` came to.",
        fields: fields! {
            added: Count, "Paths only in the later version.";
            removed: Count, "Paths only in the earlier one.";
            changed: Count, "Paths whose content or kind differs.";
            metadata: Count, "Paths of which only metadata differs.";
            added_bytes: Bytes, "Size of what was added.";
            removed_bytes: Bytes, "Size of what was removed.";
        },
    },
    Record { kind: "summary", verbs: &["rollback"], row: false, about: "What `rollback` appended.", fields: APPENDED },
    Record { kind: "summary", verbs: &["delete"], row: false, about: "What `delete` appended.", fields: APPENDED },
    Record {
        kind: "summary",
        verbs: &["undelete"],
        row: false,
        about: "What `undelete` wrote to the disk.",
        fields: RESTORED,
    },
    Record {
        kind: "summary",
        verbs: &["undelete"],
        row: false,
        about: "What `undelete --in-vault` appended.",
        fields: APPENDED,
    },
    Record { kind: "summary", verbs: &["compare"], row: false, about: "What `compare` came to.", fields: COMPARED },
    Record {
        kind: "summary",
        verbs: &["find"],
        row: false,
        about: "What `find` came to.",
        fields: fields! {
            found: Count, "Names found.";
            entries: Count, "Names looked at.";
            versions: Count, "Versions looked at.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["history"],
        row: false,
        about: "What `history` came to.",
        fields: fields! {
            states: Count, "States.";
            versions: Count, "Versions looked at.";
            deleted: Switch, "The newest version does not have it.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["which"],
        row: false,
        about: "What `which` came to.",
        fields: fields! { found: Count, "Things found."; },
    },
];
