//! Checking, mending, keeping and freeing.

use crate::schema::Kind::{Bytes, Count, Millis, Moment, Path, Switch, Text, Texts, Word};
use crate::schema::Record;
use crate::schema::fields::{HOUSEKEPT, NAMED, PASS, POLICY, REPAIRED};

const FATES: &[&str] = &["kept", "trash", "going"];

const STEPS: &[&str] = &["let_go", "orphans", "marked", "blocked", "condemned", "freed", "rewritten", "unlinked"];

pub(super) const RECORDS: &[Record] = &[
    Record {
        kind: "finding",
        verbs: &["check"],
        row: true,
        about: "Something that a check found.",
        fields: fields! {
            code: Text, "Dotted code.";
            damage: Switch, "Damage, or only odd.";
            message: Text, "One sentence.";
            hint [if_known]: Text, "What to do.";
            path [if_known]: Path, "The file of the vault, or the path in a version.";
        },
    },
    Record {
        kind: "repair",
        verbs: &["repair"],
        row: true,
        about: "One step of a repair, planned or done.",
        fields: REPAIRED,
    },
    Record {
        kind: "fate",
        verbs: &["housekeep"],
        row: true,
        about: "What becomes of a version, or that it went.",
        fields: fields! {
            sequence: Count, "Its place in the chain.";
            received_at [if_known]: Moment, "When the vault received it; absent when it has just gone.";
            fate: Word(FATES), "What becomes of it.";
            why: Texts, "Words that say why.";
        },
    },
    Record {
        kind: "step",
        verbs: &["housekeep"],
        row: false,
        about: "One step of a pass that came to something.",
        fields: fields! {
            what: Word(STEPS), "Which.";
            count: Count, "How many bodies, nodes, places or packs.";
            bytes: Bytes, "Of so many bytes; 0 where that means nothing.";
        },
    },
    Record {
        kind: "policy",
        verbs: &["housekeep"],
        row: false,
        about: "What is kept, of `housekeep policy`, beside the newest version and the last 24 hours.",
        fields: POLICY,
    },
    Record { kind: "pass", verbs: &["housekeep"], row: true, about: "One pass, of `housekeep log`.", fields: PASS },
    Record {
        kind: "summary",
        verbs: &["check"],
        row: false,
        about: "What `check` came to.",
        fields: fields! {
            links: Count, "Links verified.";
            versions: Count, "Versions of which everything was looked for.";
            nodes: Count, "Nodes seen.";
            chunks: Count, "Chunks seen.";
            packs: Count, "Packs looked at.";
            read_bytes: Bytes, "Read and compared on the server.";
            opened_bytes: Bytes, "Opened and hashed again here.";
            damaged: Count, "Findings that are damage.";
            odd: Count, "Findings that are odd.";
            versions_with_holes: Count, "Versions that cannot be read in full, but for those in the trash.";
            pin [if_known]: Text, "Where the history ends that the vault shows, as `check --pin` takes it.";
            history_accepted: Switch, "The history was taken as the true one.";
            elapsed_ms: Millis, "It took so long.";
        },
    },
    Record {
        kind: "summary",
        verbs: &["repair"],
        row: false,
        about: "What `repair` came to.",
        fields: fields! {
            steps: Count, "Steps, planned or done.";
            acted: Switch, "They were done.";
            lost: Count, "Records that are lost by the damage.";
        },
    },
    Record { kind: "summary", verbs: &["forget"], row: false, about: "What `forget` did.", fields: NAMED },
    Record { kind: "summary", verbs: &["pin"], row: false, about: "What `pin` did.", fields: NAMED },
    Record { kind: "summary", verbs: &["housekeep"], row: false, about: "What a pass came to.", fields: HOUSEKEPT },
];
