//! The program itself and its settings.

use crate::schema::Kind::{Count, Switch, Text, Texts, Word};
use crate::schema::Record;

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "setting",
        verbs: &["config"],
        row: true,
        about: "One setting in force.",
        fields: fields! {
            key: Text, "Its name in the file.";
            value: Text, "Its value, or its default in words.";
            values [if_known]: Texts, "Of a list that a file has, each (with `config get`).";
            origin: Text, "Who said it: an option, a variable, a line of a file, or nobody.";
        },
    },
    Record {
        kind: "doctor",
        verbs: &["doctor"],
        row: true,
        about: "One thing looked at.",
        fields: fields! {
            name: Text, "Short name.";
            health: Word(&["ok", "warn", "fail"]), "How it is.";
            text: Text, "What was seen.";
            hint [if_known]: Text, "What to do.";
        },
    },
    Record {
        kind: "code",
        verbs: &["explain"],
        row: true,
        about: "One error code.",
        fields: fields! {
            code: Text, "Its name.";
            exit: Count, "Its exit status.";
            retry: Switch, "Trying the same again may help.";
            text: Text, "What it means.";
            hint: Text, "What to do.";
        },
    },
    Record {
        kind: "program",
        verbs: &["version"],
        row: true,
        about: "What this program is and speaks.",
        fields: fields! {
            program: Text, "Its version.";
            format: Count, "The vault format that it writes.";
            contract: Count, "The major version of this contract.";
            target: Text, "Architecture and system.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["doctor"],
        row: false,
        about: "What `doctor` came to.",
        fields: fields! { health: Word(&["ok", "warn", "fail"]), "The worst of all."; },
    },
];
