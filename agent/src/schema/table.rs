//! The table. A verb that tells something new adds its record here.

use super::Kind::{Base64, Bytes, Count, Id, Millis, Moment, Path, Switch, Text, Texts, Word};
use super::Record;
use super::fields::{
    ACCOUNT, APPENDED, BACKED_UP, CHANGES, COMPARED, ENTRY, FAULT, GROUP, HOUSEKEPT, KINDS, MADE, NAMED, PASS, POLICY,
    REPAIRED, SSH_KEY, STATE, VERSION,
};

const PHASES: &[&str] = &["connect", "send", "commit", "plan", "restore", "verify"];

const ACTIONS: &[&str] =
    &["added", "changed", "metadata", "unchanged", "removed", "excluded", "restored", "kept", "deleted", "verified"];

const FATES: &[&str] = &["kept", "trash", "going"];

const STEPS: &[&str] = &["orphans", "marked", "blocked", "condemned", "freed", "rewritten", "unlinked"];

/// Every record, in the order of the schema.
pub static RECORDS: &[Record] = &[
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
            bytes_done: Bytes, "Bytes done.";
            bytes_total [if_known]: Bytes, "Of so many.";
            sent_bytes: Bytes, "Sent on the wire.";
            received_bytes: Bytes, "Received on the wire.";
            rate_bytes_per_s [if_known]: Count, "Bytes a second.";
            eta_ms [if_known]: Millis, "Likely to take so long from now.";
            errors: Count, "Items left out so far.";
        },
    },
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
    Record { kind: "account", verbs: &["account"], row: true, about: "One account.", fields: ACCOUNT },
    Record {
        kind: "authorized_key",
        verbs: &["account"],
        row: false,
        about: "What lets an SSH key in.",
        fields: SSH_KEY,
    },
    Record { kind: "revoked_key", verbs: &["account"], row: false, about: "A key let in no more.", fields: SSH_KEY },
    Record { kind: "group", verbs: &["group"], row: true, about: "One group.", fields: GROUP },
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
        fields: fields! { words: Text, "24 words."; },
    },
    Record {
        kind: "setting",
        verbs: &["config"],
        row: true,
        about: "One setting in force.",
        fields: fields! {
            key: Text, "Its name in the file.";
            value: Text, "Its value, or its default in words.";
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
    Record { kind: "summary", verbs: &["init"], row: false, about: "What `init` made and found.", fields: MADE },
    Record { kind: "summary", verbs: &["backup"], row: false, about: "What `backup` did.", fields: BACKED_UP },
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
        verbs: &["restore"],
        row: false,
        about: "What `restore` did.",
        fields: fields! {
            version_id: Id, "The version it came from.";
            sequence: Count, "Its place in the chain.";
            files_restored: Count, "Files written.";
            files_replaced: Count, "Of these, those that took the place of something else.";
            files_kept: Count, "Files left as they are.";
            files_deleted: Count, "Files and directories removed.";
            files_skipped: Count, "Items that could not be restored, wholly or in part.";
            files_damaged: Count, "Of these, files whose data is missing or altered in the vault.";
            files_verified: Count, "Files read back and found equal.";
            history_doubtful: Switch, "The vault shows less or something else than it once showed.";
            dirs_restored: Count, "Directories made or set right.";
            restored_bytes: Bytes, "Written to files.";
            kept_bytes: Bytes, "Of files left as they are.";
            sent_bytes: Bytes, "Sent on the wire.";
            received_bytes: Bytes, "Received on the wire.";
            errors: Count, "Items with errors.";
            history_doubtful: Switch, "The vault shows an older or another history than this machine knows.";
            elapsed_ms: Millis, "It took so long.";
        },
    },
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
    Record {
        kind: "summary",
        verbs: &["account"],
        row: false,
        about: "What `account list` came to.",
        fields: fields! { accounts: Count, "Accounts listed."; },
    },
    Record {
        kind: "summary",
        verbs: &["group"],
        row: false,
        about: "What `group list` came to.",
        fields: fields! { groups: Count, "Groups listed."; },
    },
    Record { kind: "summary", verbs: &["rollback"], row: false, about: "What `rollback` appended.", fields: APPENDED },
    Record { kind: "summary", verbs: &["delete"], row: false, about: "What `delete` appended.", fields: APPENDED },
    Record { kind: "summary", verbs: &["undelete"], row: false, about: "What `undelete` appended.", fields: APPENDED },
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
    Record {
        kind: "summary",
        verbs: &["doctor"],
        row: false,
        about: "What `doctor` came to.",
        fields: fields! { health: Word(&["ok", "warn", "fail"]), "The worst of all."; },
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
