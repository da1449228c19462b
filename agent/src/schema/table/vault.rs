//! Accounts and groups, and what they take.

use crate::schema::Kind::{Bytes, Count};
use crate::schema::Record;
use crate::schema::fields::{
    ACCOUNT, ACCOUNT_CHECK, ACCOUNT_DUMP, ACCOUNT_LOAD, GROUP, REFUSAL, SPACE, SSH_KEY, USAGE, VOLUME,
};

pub(super) const RECORDS: &[Record] = &[
    Record { kind: "account", verbs: &["account"], row: true, about: "One account.", fields: ACCOUNT },
    Record {
        kind: "authorized_key",
        verbs: &["account"],
        row: false,
        about: "What lets an SSH key in.",
        fields: SSH_KEY,
    },
    Record { kind: "revoked_key", verbs: &["account"], row: false, about: "A key let in no more.", fields: SSH_KEY },
    Record {
        kind: "account_check",
        verbs: &["account"],
        row: true,
        about: "What a check of one account came to.",
        fields: ACCOUNT_CHECK,
    },
    Record { kind: "refusal", verbs: &["account"], row: true, about: "Somebody who was refused.", fields: REFUSAL },
    Record {
        kind: "account_dump",
        verbs: &["account"],
        row: false,
        about: "An account that was written to a file.",
        fields: ACCOUNT_DUMP,
    },
    Record {
        kind: "account_load",
        verbs: &["account"],
        row: false,
        about: "An account that was made of a file.",
        fields: ACCOUNT_LOAD,
    },
    Record { kind: "group", verbs: &["group"], row: true, about: "One group.", fields: GROUP },
    Record { kind: "volume", verbs: &["volume"], row: true, about: "One volume of the vault.", fields: VOLUME },
    Record { kind: "usage", verbs: &["usage"], row: true, about: "What an account takes in the vault.", fields: USAGE },
    Record {
        kind: "space",
        verbs: &["report", "usage"],
        row: true,
        about: "What an account, a group, a volume or the vault takes, of `report space` and `usage --by`.",
        fields: SPACE,
    },
    Record {
        kind: "summary",
        verbs: &["account"],
        row: false,
        about: "What `account list` came to.",
        fields: fields! { accounts: Count, "Accounts listed."; },
    },
    Record {
        kind: "summary",
        verbs: &["volume"],
        row: false,
        about: "What was done with volumes.",
        fields: fields! {
            volumes: Count, "Volumes told of.";
            absent: Count, "Of these, those that are not there.";
            moved_packs: Count, "Packs that were moved to another volume.";
            moved_bytes: Bytes, "Their bytes.";
            stuck_packs: Count, "Packs that could not be read, and stayed.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["group"],
        row: false,
        about: "What `group list` came to.",
        fields: fields! { groups: Count, "Groups listed."; },
    },
];
