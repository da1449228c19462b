//! Keys, their slots, words and pins.

use crate::schema::Kind::{Count, Id, Switch, Text};
use crate::schema::Record;
use crate::schema::fields::MADE;

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "key",
        verbs: &["key"],
        row: false,
        about: "The key on this machine.",
        fields: fields! {
            account: Text, "The account's name.";
            vault_id: Id, "The vault's id.";
            file: Text, "The key file.";
            words_shown: Switch, "The recovery words were shown once.";
        },
    },
    Record {
        kind: "slot",
        verbs: &["key"],
        row: true,
        about: "One way to open the key.",
        fields: fields! {
            slot: Text, "What `key remove` takes.";
            passphrase: Switch, "Needs a passphrase; otherwise the file alone opens it.";
            in_vault: Switch, "Lies in the vault and not in the key file.";
            label: Text, "A label, may be empty.";
            cost: Text, "Cost of trying one passphrase; empty for an open slot.";
        },
    },
    Record {
        kind: "key_export",
        verbs: &["key"],
        row: false,
        about: "The key file was copied.",
        fields: fields! { file: Text, "To here."; },
    },
    Record {
        kind: "pin",
        verbs: &["key"],
        row: false,
        about: "Where the history ends now, to be kept on paper.",
        fields: fields! {
            account: Text, "The account's name.";
            vault_id: Id, "The vault's id.";
            pin: Text, "What `check --pin` takes.";
        },
    },
    Record {
        kind: "words",
        verbs: &["key"],
        row: false,
        about: "The recovery words. Whoever has them has the key.",
        fields: fields! {
            account: Text, "The name of the account whose they are.";
            vault: Text, "The address of its vault.";
            vault_id: Id, "The vault's id.";
            words: Text, "24 words.";
        },
    },
    Record { kind: "summary", verbs: &["key"], row: false, about: "What `key recover` made.", fields: MADE },
    Record {
        kind: "summary",
        verbs: &["key"],
        row: false,
        about: "What `key rotate` made.",
        fields: fields! {
            key_id: Count, "Number of the new sealing key.";
            sequence: Count, "Place in the chain of the link that brought it.";
        },
    },
];
