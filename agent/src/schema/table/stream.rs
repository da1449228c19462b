//! Records of every stream: where it begins, how far it is, what went wrong, how it ended.

use crate::schema::Kind::{Bytes, Count, Id, Millis, Text, Word};
use crate::schema::Record;
use crate::schema::fields::FAULT;

const PHASES: &[&str] = &["connect", "send", "commit", "plan", "restore", "verify"];

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "start",
        verbs: &[],
        row: false,
        about: "The first line.",
        fields: fields! {
            tool: Text, "tuckbox.";
            version: Text, "Version of the program.";
            command: Text, "The verb; empty when the command line could not be read.";
            run: Id, "Names this run.";
            pid: Count, "Number of the process.";
            account [if_known]: Text, "The account, when chosen.";
            vault [if_known]: Text, "The vault's address, when chosen.";
        },
    },
    Record {
        kind: "phase",
        verbs: &[],
        row: false,
        about: "A step begins.",
        fields: fields! { phase: Word(PHASES), "Which."; },
    },
    Record {
        kind: "progress",
        verbs: &[],
        row: false,
        about: "How far; at most one a second.",
        fields: fields! {
            phase: Word(PHASES), "The step.";
            files_done: Count, "Files done.";
            files_total [if_known]: Count, "Of so many.";
            bytes_done: Bytes, "Bytes done: in a backup those that were read and sent, or found there.";
            bytes_total [if_known]: Bytes, "Of so many.";
            sent_bytes: Bytes, "Sent on the wire.";
            received_bytes: Bytes, "Received on the wire.";
            rate_bytes_per_s [if_known]: Count, "Bytes done a second, of late.";
            eta_ms [if_known]: Millis, "Likely to take so long from now.";
            errors: Count, "Items left out so far.";
        },
    },
    Record {
        kind: "note",
        verbs: &[],
        row: false,
        about: "Something that a person should know.",
        fields: fields! { text: Text, "One sentence."; },
    },
    Record {
        kind: "remote",
        verbs: &[],
        row: false,
        about: "A line that the far side printed.",
        fields: fields! { text: Text, "The line."; },
    },
    Record { kind: "warning", verbs: &[], row: false, about: "Something was left out or is odd.", fields: FAULT },
    Record { kind: "error", verbs: &[], row: false, about: "The run, or a command of a batch, failed.", fields: FAULT },
    Record {
        kind: "end",
        verbs: &[],
        row: false,
        about: "The last line; a stream without it was cut off.",
        fields: fields! {
            status: Word(&["ok", "partial", "failed", "cancelled"]), "How it came out.";
            exit: Count, "The exit status.";
            errors: Count, "Records of type error.";
            warnings: Count, "Records of type warning.";
            elapsed_ms: Millis, "It took so long.";
        },
    },
];
