//! Batches and the words of the shell.

use crate::schema::Kind::{Base64, Bytes, Count, Path, Text, Texts, Word};
use crate::schema::Record;

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "command",
        verbs: &["query"],
        row: false,
        about: "A command of a batch begins; what follows belongs to it.",
        fields: fields! {
            number: Count, "Which, from 1.";
            words: Texts, "Its words.";
        },
    },
    Record {
        kind: "done",
        verbs: &["query"],
        row: false,
        about: "A command of a batch has ended.",
        fields: fields! {
            number: Count, "Which, from 1.";
            exit: Count, "The status that it would have had alone.";
        },
    },
    Record {
        kind: "text",
        verbs: &["config", "query", "schema", "man", "completions"],
        row: false,
        about: "A text as it would stand in a file or on a terminal.",
        fields: fields! { text: Text, "All of it."; },
    },
    Record {
        kind: "view",
        verbs: &["query"],
        row: false,
        about: "Where one looks, after `cd` or `at`, and for `pwd` and `lpwd`.",
        fields: fields! {
            path: Path, "The directory in the version.";
            at [if_known]: Text, "The version, as --at takes it; absent = the newest.";
            local: Text, "The directory on this machine.";
        },
    },
    Record {
        kind: "content",
        verbs: &["query"],
        row: false,
        about: "A piece of a file's content, of `cat`.",
        fields: fields! { data_b64: Base64, "The bytes."; },
    },
    Record {
        kind: "local",
        verbs: &["query"],
        row: false,
        about: "One name of this machine, of `lls`.",
        fields: fields! {
            path: Path, "Its name.";
            kind: Word(&["file", "dir", "symlink", "special"]), "What it is.";
            bytes: Bytes, "Size of a regular file.";
        },
    },
    Record {
        kind: "mark",
        verbs: &["query"],
        row: false,
        about: "One marked path, of `marks`.",
        fields: fields! { path: Path, "Where it is."; },
    },
    Record {
        kind: "summary",
        verbs: &["query"],
        row: false,
        about: "What a batch came to.",
        fields: fields! {
            commands: Count, "Commands that were run.";
            failed: Count, "Of these, failed.";
        },
    },
];
