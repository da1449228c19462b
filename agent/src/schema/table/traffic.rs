//! Bytes on the wire.

use crate::schema::Kind::{Bytes, Count, Id, Millis, Moment, Switch, Text, Word};
use crate::schema::Record;

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "traffic",
        verbs: &["traffic"],
        row: true,
        about: "What moved in an hour, a day or a month of universal time. Rates are those of the time that connections were open.",
        fields: fields! {
            account [if_known]: Text, "Whose; absent in a sum.";
            in_bytes: Bytes, "From the client, everything on the pipe counted.";
            out_bytes: Bytes, "To the client.";
            from_at: Moment, "When the period begins.";
            to_at: Moment, "When it ends.";
            zone: Text, "By whose clock it begins and ends: that of universal time.";
            sessions: Count, "Connections that began.";
            busy_ms: Millis, "How long connections were open; two at a time count twice.";
            in_bytes_per_s: Bytes, "Bytes in for each second of these; less than one counts as one.";
            out_bytes_per_s: Bytes, "Bytes out, likewise.";
        },
    },
    Record {
        kind: "session",
        verbs: &["traffic"],
        row: true,
        about: "One connection (`traffic --log`).",
        fields: fields! {
            account: Text, "The account that was open on it.";
            vault_id: Id, "The vault.";
            began_at: Moment, "When it began.";
            seen_at: Moment, "Up to when it was seen: its end, once it has ended.";
            state: Word(&["open", "ended", "lost"]), "How it ended; open: not yet, or its server was killed.";
            stripe: Switch, "It only carried bulk for another connection.";
            role: Text, "What it was let in for.";
            program: Text, "What the client said that it is.";
            in_bytes: Bytes, "From the client, everything on the pipe counted.";
            out_bytes: Bytes, "To the client.";
            waited_ms: Millis, "How long a rate of the server made it wait.";
            verb [if_known]: Text, "The verb that the client told of.";
            result [if_known]: Text, "What came of it: ok, `exit N`, or the code of an error.";
            line: Text, "Bytes and rates in kB/s, as in IN=55898(2) OUT=335383(12) TOTAL=391281.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["traffic"],
        row: false,
        about: "What `traffic` came to.",
        fields: fields! {
            in_bytes: Bytes, "Bytes in of all rows.";
            out_bytes: Bytes, "Bytes out of all rows.";
            rows: Count, "Rows.";
        },
    },
];
