//! How accounts are, and what their clients told.

use crate::schema::Kind::{Bytes, Count, Id, Millis, Moment, Object, Objects, Switch, Text, Texts, Word};
use crate::schema::Record;
use crate::schema::fields::{LEVELS, REASON, RUN, STANDINGS};

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "status",
        verbs: &["status"],
        row: true,
        about: "How an account is.",
        fields: fields! {
            account: Text, "Its name.";
            number: Text, "Its number, as in 0x3af.";
            id: Id, "Its id.";
            status: Word(STANDINGS), "In one word: that of the gravest reason.";
            level: Word(LEVELS), "How urgent.";
            reasons: Objects(REASON), "Gravest first; at least one.";
            created_at: Moment, "When it was made.";
            newest_at [if_known]: Moment, "When its newest version was received.";
            took_ms [if_known]: Millis, "How long the run took that made that version.";
            expected_at [if_known]: Moment, "When it counts as late.";
            stored_bytes [if_known]: Bytes, "What it takes in packs, as of its last run.";
            soft_bytes [if_known]: Bytes, "Its soft limit.";
            hard_bytes [if_known]: Bytes, "Its hard limit.";
            last_run [if_known]: Object(RUN), "The run that was told last.";
        },
    },
    Record {
        kind: "log",
        verbs: &["account"],
        row: true,
        about: "A line of `account log`.",
        fields: fields! {
            at: Moment, "When the vault heard of it.";
            level: Word(&["note", "warning", "error"]), "How grave.";
            code: Text, "Stable code; `run` stands for a run as a whole.";
            text: Text, "One sentence.";
        },
    },
    Record {
        kind: "event",
        verbs: &["status"],
        row: true,
        about: "An account that changed how it is (`status --all --notify`). The command `on_event` reads the same, with `v`, \
                `time` and `type`.",
        fields: fields! {
            vault_id: Id, "Id of the vault.";
            account: Text, "Name of the account.";
            number: Text, "Its number, as in 0x3af.";
            id: Id, "Its id.";
            from [if_known]: Word(STANDINGS), "How it was when it was told last.";
            to: Word(STANDINGS), "How it is.";
            level: Word(LEVELS), "How urgent.";
            reasons: Objects(REASON), "Gravest first; at least one.";
            newest_at [if_known]: Moment, "When its newest version was received.";
            expected_at [if_known]: Moment, "When it counts as late.";
            groups: Texts, "Groups that it is in.";
            contacts: Texts, "Who is told: by the configuration, of the account, of its groups; each once.";
        },
    },
    Record {
        kind: "report_summary",
        verbs: &["report"],
        row: true,
        about: "How an account is, and what its runs came to (`report summary`).",
        fields: fields! {
            account: Text, "Its name.";
            number: Text, "Its number, as in 0x3af.";
            status: Word(STANDINGS), "How it is.";
            runs: Count, "Runs that were told.";
            failed: Count, "Of these, those that failed.";
            partial: Count, "Of these, those that left something out.";
            in_bytes: Bytes, "Came in.";
            out_bytes: Bytes, "Went out.";
            stored_bytes [if_known]: Bytes, "What it takes in packs, as of its last run.";
            newest_at [if_known]: Moment, "When its newest version was received.";
        },
    },
    Record {
        kind: "report_failures",
        verbs: &["report"],
        row: true,
        about: "A run that failed or left something out (`report failures`).",
        fields: fields! {
            account: Text, "Name of the account.";
            number: Text, "Its number, as in 0x3af.";
            told_at: Moment, "When the vault heard of it.";
            verb: Text, "What was done.";
            exit: Count, "Its exit class.";
            code [if_known]: Text, "What it failed with.";
            errors: Count, "Items left out or doubtful.";
            took_ms: Millis, "It took so long.";
            host: Text, "The client's host.";
        },
    },
    Record {
        kind: "report_storage",
        verbs: &["report"],
        row: true,
        about: "What an account takes on the disk (`report storage`).",
        fields: fields! {
            account: Text, "Its name.";
            number: Text, "Its number, as in 0x3af.";
            stored_bytes: Bytes, "Its packs, as of its last run.";
            catalog_bytes: Bytes, "Its catalog.";
            versions: Count, "Versions it ever made.";
            soft_bytes [if_known]: Bytes, "Its soft limit.";
            hard_bytes [if_known]: Bytes, "Its hard limit.";
            used_permille [if_known]: Count, "Of the hard limit, in thousandths.";
        },
    },
    Record {
        kind: "report_activity",
        verbs: &["report"],
        row: true,
        about: "What happened on a day (`report activity`).",
        fields: fields! {
            day_at: Moment, "When the day begins, in universal time.";
            runs: Count, "Runs that were told.";
            failed: Count, "Of these, those that failed.";
            new_bytes: Bytes, "In chunks that the vault lacked.";
            sessions: Count, "Sessions that began.";
            in_bytes: Bytes, "Came in.";
            out_bytes: Bytes, "Went out.";
        },
    },
    Record {
        kind: "report_restores",
        verbs: &["report"],
        row: true,
        about: "A session that read content (`report restores`).",
        fields: fields! {
            account: Text, "Name of the account.";
            number: Text, "Its number, as in 0x3af.";
            at: Moment, "When it read last.";
            boxes: Count, "Boxes that it was sent.";
            bytes: Bytes, "Their bytes.";
            role: Text, "The role of the connection; empty when it is not remembered.";
            client: Text, "What the client said of itself; likewise.";
        },
    },
    Record {
        kind: "report_trend",
        verbs: &["report"],
        row: true,
        about: "How an account grows (`report trend`).",
        fields: fields! {
            account: Text, "Its name.";
            number: Text, "Its number, as in 0x3af.";
            days: Count, "Days from the first figure to the last.";
            first_bytes: Bytes, "What it took at first.";
            last_bytes: Bytes, "What it took at last.";
            grew: Switch, "It takes no less than at first.";
            change_bytes: Bytes, "By how much that differs.";
            change_bytes_per_day [if_known]: Bytes, "The same by day.";
            days_left [if_known]: Count, "At this growth its hard limit does for so long.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["status"],
        row: false,
        about: "What `status` came to.",
        fields: fields! {
            accounts: Count, "Accounts that were looked at.";
            level: Word(LEVELS), "That of the gravest.";
        },
    },
];
