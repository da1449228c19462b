//! Backup, restore and what stands beside them.

use crate::schema::Kind::{Bytes, Count, Id, Path, Switch, Text, Word};
use crate::schema::Record;
use crate::schema::fields::{BACKED_UP, MADE, RESTORED};

const ACTIONS: &[&str] =
    &["added", "changed", "metadata", "unchanged", "removed", "excluded", "restored", "kept", "deleted", "verified"];

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "item",
        verbs: &["backup", "restore"],
        row: false,
        about: "Something was done with a file (with -v).",
        fields: fields! {
            path: Path, "Which.";
            action: Word(ACTIONS), "What.";
            size_bytes: Bytes, "Size of a regular file.";
            reason [if_known]: Text, "Why, when it is not plain.";
        },
    },
    Record {
        kind: "why",
        verbs: &["why"],
        row: true,
        about: "Whether a backup takes a path, and by which rule.",
        fields: fields! {
            path: Path, "Where it is.";
            included: Switch, "It is taken.";
            source [if_known]: Text, "The source that it lies in.";
            rule [if_known]: Text, "The rule.";
            decided_at_path: Text, "The path at which that was decided.";
            there: Switch, "It is on the disk.";
        },
    },
    Record { kind: "summary", verbs: &["init"], row: false, about: "What `init` made and found.", fields: MADE },
    Record { kind: "summary", verbs: &["backup"], row: false, about: "What `backup` did.", fields: BACKED_UP },
    Record { kind: "summary", verbs: &["restore"], row: false, about: "What `restore` did.", fields: RESTORED },
    Record {
        kind: "summary",
        verbs: &["dump"],
        row: false,
        about: "What `dump` wrote.",
        fields: fields! {
            version_id: Id, "The version it came from.";
            tar: Switch, "A pax tar and not one file's content.";
            files: Count, "Files.";
            written_bytes: Bytes, "Written.";
            received_bytes: Bytes, "Received on the wire.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["why"],
        row: false,
        about: "What `why` came to.",
        fields: fields! {
            included: Count, "Paths that are taken.";
            left_out: Count, "Paths that are not.";
        },
    },
];
