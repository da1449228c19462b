//! Fields that several records have, or that are long.

use super::Field;
use super::Kind::{
    Bytes, Change, Count, Counts, Id, Millis, Moment, Numbers, Object, Objects, Path, Switch, Text, Texts, Word,
};

/// Kinds of files.
pub(super) const KINDS: &[&str] = &["file", "dir", "symlink", "fifo", "socket", "char", "block"];

/// What happened to a path.
pub(super) const CHANGES: &[&str] = &["added", "removed", "content", "metadata", "kind"];

pub(super) const FAULT: &[Field] = fields! {
    code: Text, "Stable dotted name; `tuckbox explain CODE` has a page.";
    exit: Count, "The exit status that it leads to.";
    message: Text, "One sentence; may change.";
    cause: Texts, "Why, outermost first.";
    hint: Text, "What to do.";
    retry: Switch, "Trying the same again may help.";
    path [if_known]: Path, "The path that it is about.";
};

pub(super) const SOURCE: &[Field] = fields! {
    host: Text, "Host label.";
    path: Path, "Where it is.";
    files: Count, "Files.";
    bytes: Bytes, "Size of all files.";
    introduced: Count, "Sequence of the version that brought this state.";
    missing_since [if_known]: Moment, "Not there since, and kept by the guard.";
};

pub(super) const CHANGED: &[Field] = fields! {
    size: Count, "Size.";
    mtime: Count, "Modification time.";
    content: Count, "Content at equal size.";
    mode: Count, "Permission bits.";
    owner: Count, "Owner or group.";
    kind: Count, "Kind.";
};

pub(super) const MADE: &[Field] = fields! {
    vault_made: Switch, "The vault was made.";
    account_made: Switch, "The account was made.";
    key_made: Switch, "The key was made.";
    vault: Text, "The vault's address.";
    vault_id: Id, "Its id.";
    account: Text, "The account's name.";
    account_id: Id, "Its id.";
    key_file: Text, "The key file, for showing.";
    key_protected: Switch, "The key opens only with a passphrase.";
};

pub(super) const ENTRY: &[Field] = fields! {
    path: Path, "Where it is.";
    kind: Word(KINDS), "What it is.";
    mode: Text, "The 12 permission bits, octal.";
    uid: Count, "User number.";
    gid: Count, "Group number.";
    user: Text, "User name, may be empty.";
    group: Text, "Group name, may be empty.";
    bytes: Bytes, "Size of a regular file; of all files below for a directory.";
    files [if_known]: Count, "Files below a directory.";
    modified_at: Moment, "Modification time.";
    target [if_known]: Path, "Target of a symbolic link.";
    mark [if_known]: Word(&["changed", "unreadable", "missing"]), "Something to know about it.";
    version_id [if_known]: Id, "Of `find`: the newest version that has it so.";
    sequence [if_known]: Count, "Its place in the chain.";
    received_at [if_known]: Moment, "When the vault received it.";
    deleted [if_known]: Switch, "It is not in the newest version.";
};

pub(super) const STATE: &[Field] = fields! {
    path: Path, "Where it is.";
    change: Word(CHANGES), "How it came to be so.";
    kind: Word(KINDS), "What it is.";
    mode: Text, "The 12 permission bits, octal.";
    uid: Count, "User number.";
    gid: Count, "Group number.";
    user: Text, "User name, may be empty.";
    group: Text, "Group name, may be empty.";
    bytes: Bytes, "Size of a regular file; of all files below for a directory.";
    files [if_known]: Count, "Files below a directory.";
    modified_at: Moment, "Modification time.";
    target [if_known]: Path, "Target of a symbolic link.";
    mark [if_known]: Word(&["changed", "unreadable", "missing"]), "Something to know about it.";
    content [if_known]: Text, "Names its content: equal contents have equal names.";
    version_id: Id, "The first version that has it so.";
    sequence: Count, "Its place in the chain.";
    came_at: Moment, "When the vault received it.";
    last_version_id: Id, "The last version that has it so.";
    last_sequence: Count, "Its place in the chain.";
    last_at: Moment, "When the vault received it.";
    went_version_id [if_known]: Id, "The version in which it is so no more.";
    went_sequence [if_known]: Count, "Its place in the chain.";
    went_at [if_known]: Moment, "When the vault received it.";
    versions: Count, "Versions that have it so.";
};

pub(super) const RESTORED: &[Field] = fields! {
    dry_run: Switch, "Nothing was done: this would be.";
    version_id: Id, "The version it came from.";
    sequence: Count, "Its place in the chain.";
    files_restored: Count, "Files written.";
    files_replaced: Count, "Of these, those that took the place of something else.";
    files_kept: Count, "Files left as they are.";
    files_beside: Count, "Of the files written: beside others that stay, under names of their own.";
    files_deleted: Count, "Files and directories removed.";
    files_skipped: Count, "Items that could not be restored, wholly or in part.";
    files_damaged: Count, "Of these, files whose data is missing or altered in the vault.";
    files_with_holes: Count, "Of these, files that were written with zeros in place of what is lost.";
    files_verified: Count, "Files read back and found equal.";
    dirs_restored: Count, "Directories made or set right.";
    restored_bytes: Bytes, "Written to files.";
    kept_bytes: Bytes, "Of files left as they are.";
    sent_bytes: Bytes, "Sent on the wire.";
    received_bytes: Bytes, "Received on the wire.";
    errors: Count, "Items with errors.";
    history_doubtful: Switch, "The vault shows an older or another history than this machine knows.";
    elapsed_ms: Millis, "It took so long.";
};

pub(super) const APPENDED: &[Field] = fields! {
    dry_run: Switch, "Nothing was done: this would be.";
    version_id [if_known]: Id, "The version that was appended; absent on a dry run.";
    sequence [if_known]: Count, "Its place in the chain.";
    before_id: Id, "The newest version before it.";
    files: Count, "Files in it.";
    bytes: Bytes, "Their size.";
    before_files: Count, "Files in the version before.";
    before_bytes: Bytes, "Their size.";
    holes: Switch, "It has holes: the vault has lost something of it.";
    bring_along [if_known]: Text, "What to run so that the disk follows.";
    sent_bytes: Bytes, "Sent on the wire.";
    received_bytes: Bytes, "Received on the wire.";
};

pub(super) const COMPARED: &[Field] = fields! {
    version_id: Id, "The version.";
    same: Count, "Paths that are the same.";
    added: Count, "Paths only on the disk.";
    removed: Count, "Paths only in the version.";
    changed: Count, "Paths whose content or kind differs.";
    metadata: Count, "Paths of which only metadata differs.";
    errors: Count, "Paths that could not be read.";
    damaged: Count, "Of these, damaged in the vault.";
    read_bytes: Bytes, "Read from the disk.";
    received_bytes: Bytes, "Received on the wire.";
};

pub(super) const VERSION: &[Field] = fields! {
    id: Id, "Its id.";
    sequence: Count, "Its place in the chain.";
    kind: Word(&["version", "partial"]), "Whole, or a checkpoint of a run that did not end.";
    taken_at: Moment, "By the client's clock.";
    received_at: Moment, "By the server's clock.";
    tags: Texts, "Tags.";
    files: Count, "Files in all.";
    dirs: Count, "Directories in all.";
    bytes: Bytes, "Size of all files.";
    holes [if_known]: Switch, "It has holes: something of it was lost; absent when it has none.";
    pinned: Switch, "It is kept whatever the policy says.";
    pinned_until [if_known]: Moment, "Only until then.";
    pin_reason [if_known]: Text, "What was said when it was pinned.";
    trash_until [if_known]: Moment, "It is in the trash, and may be freed from then on.";
    why: Texts, "Why it is kept, a word each, as of `housekeep --dry-run`; or why it goes.";
    sources: Objects(SOURCE), "Its sources.";
};

pub(super) const BACKED_UP: &[Field] = fields! {
    version_id [if_known]: Id, "The version; absent on a dry run.";
    sequence [if_known]: Count, "Its place in the chain.";
    taken_at: Moment, "When it was taken.";
    files_new: Count, "Files that were not in the version before.";
    files_changed: Count, "Files of which content or kind changed.";
    files_metadata: Count, "Files of which only metadata changed.";
    files_unchanged: Count, "Files as they were.";
    files_removed: Count, "Files that are gone.";
    files_excluded: Count, "Files left out by a rule.";
    changed: Counts(CHANGED), "Of the changed files, what changed; one may count several times.";
    dirs_new: Count, "Directories that were not in the version before.";
    dirs_changed: Count, "Directories of which something changed.";
    dirs_unchanged: Count, "Directories as they were.";
    dirs_removed: Count, "Directories that are gone.";
    source_bytes: Bytes, "Size of all files of the sources.";
    read_bytes: Bytes, "Read from files.";
    new_bytes: Bytes, "Of these, in chunks that the vault lacked.";
    boxed_bytes: Bytes, "These, compressed and sealed.";
    sent_bytes: Bytes, "Sent on the wire.";
    received_bytes: Bytes, "Received on the wire.";
    stored_bytes: Bytes, "Grown by, in the vault.";
    errors: Count, "Items left out or doubtful.";
    healed: Count, "Chunks, nodes and bodies that the vault had lost and got back.";
    healed_chunks: Count, "Of these, chunks.";
    healed_nodes: Count, "Of these, nodes.";
    healed_bodies: Count, "Of these, bodies of links.";
    healed_versions: Count, "Versions that had holes and are complete again.";
    with_holes: Switch, "The new version has holes: the vault lost something of it that this run could not give back.";
    sources_guarded: Count, "Sources kept by the guard although much of them is gone.";
    sources_suspicious: Count, "Sources that changed suspiciously.";
    pinned_sequence [if_known]: Count, "The version that was pinned because of that.";
    sources_missing: Count, "Sources that were not there.";
    elapsed_ms: Millis, "It took so long.";
    made [if_known]: Object(MADE), "The automatic first backup made these.";
};

pub(super) const NAMED: &[Field] = fields! {
    versions: Numbers, "Places in the chain of those that were changed; none when all were so already.";
    version_ids: Texts, "Their ids in short, likewise.";
    until [if_known]: Moment, "When the trash gives them up at the earliest, or the pin ends; absent for no such time.";
    dry_run: Switch, "Nothing was done: this would be.";
    freed_bytes [if_known]: Bytes, "Of a dry run that forgets: what only they need; absent when that cannot be told.";
};

pub(super) const HOUSEKEPT: &[Field] = fields! {
    dry_run: Switch, "Nothing was done: what follows would come of it.";
    unchanged: Switch, "Nothing has come since the last pass, and nothing was due.";
    unfinished: Switch, "The next pass goes on.";
    holes: Count, "Needed nodes and bodies that cannot be read; nothing is freed while there are any.";
    versions: Count, "Versions that are there, checkpoints included.";
    waiting: Count, "Versions that wait to be confirmed.";
    expired: Count, "Versions that no rule keeps and that went.";
    forgotten: Count, "Versions that went from the trash.";
    superseded: Count, "Checkpoints that went.";
    pressed: Count, "Versions that went because space was short.";
    kept_bytes: Bytes, "Of records that are kept.";
    condemned_bytes: Bytes, "Of records that nothing needs any more and that wait a day.";
    freed_bytes: Bytes, "Of records that were freed.";
    unlinked_bytes: Bytes, "Came back to the disk.";
    unlinked_packs: Count, "Packs that were removed.";
    rewritten_packs: Count, "Packs whose content was copied into fuller ones.";
    copied_bytes: Bytes, "Copied for that.";
    elapsed_ms: Millis, "It took so long.";
};

/// A version that went in a pass.
pub(super) const GONE: &[Field] = fields! {
    sequence: Count, "Its place in the chain.";
    why: Text, "Why it went.";
};

pub(super) const PASS: &[Field] = fields! {
    at: Moment, "When it began.";
    took_ms: Millis, "It took so long.";
    failed: Switch, "It ended with an error.";
    unfinished: Switch, "The next pass goes on.";
    holes: Count, "Needed nodes and bodies that cannot be read.";
    waiting: Count, "Versions that wait to be confirmed.";
    gone: Objects(GONE), "Versions of the account that went.";
    more: Count, "How many more went: of other accounts, or too many to be named.";
    condemned_bytes: Bytes, "Of records that nothing needs any more.";
    freed_bytes: Bytes, "Of records that were freed.";
    copied_bytes: Bytes, "Copied into fuller packs.";
    unlinked_bytes: Bytes, "Came back to the disk.";
};

/// How many are kept of each period.
pub(super) const KEPT_COUNTS: &[Field] = fields! {
    last [if_known]: Count, "All of the newest days that have one, so many days.";
    hourly [if_known]: Count, "The newest of each of so many hours.";
    daily [if_known]: Count, "Of days.";
    weekly [if_known]: Count, "Of weeks, from Monday.";
    monthly [if_known]: Count, "Of months.";
    yearly [if_known]: Count, "Of years.";
};

pub(super) const LEVELS: &[&str] = &["ok", "warn", "err"];
pub(super) const STANDINGS: &[&str] =
    &["ok", "late", "failing", "over_quota", "frozen", "never", "disabled", "damaged"];

pub(super) const REASON: &[Field] = fields! {
    level: Word(LEVELS), "How urgent: nobody is needed, somebody should look, what should be safe is not.";
    check: Word(STANDINGS), "What was looked at, in the word of the status that follows from it.";
    text: Text, "One sentence.";
    code [if_known]: Text, "The code of the run that failed.";
};

pub(super) const RUN: &[Field] = fields! {
    verb: Text, "What was done.";
    told_at: Moment, "When the vault heard of it.";
    began_at: Moment, "When it began, by the client's clock.";
    took_ms: Millis, "It took so long.";
    exit: Count, "Its exit class.";
    code [if_known]: Text, "What it failed with.";
    client: Text, "Version of the client's program.";
    host: Text, "The client's host.";
    files: Count, "Files in its sources.";
    source_bytes: Bytes, "Their size.";
    sent_bytes: Bytes, "Sent on the wire.";
    errors: Count, "Items left out or doubtful.";
};

pub(super) const ACCOUNT: &[Field] = fields! {
    account: Text, "Its name.";
    number: Text, "Its number, as in 0x3af.";
    id: Id, "Its id.";
    state: Word(&["open", "frozen", "disabled", "deleted"]), "Whether it can be used.";
    reason [if_known]: Text, "Why it is not open, when somebody said so.";
    key_bound: Switch, "A client has bound its key to it.";
    created_at: Moment, "When it was made.";
    goes_at [if_known]: Moment, "It is deleted; from then on its data may be removed for good.";
    soft_bytes [if_known]: Bytes, "Above this the oldest versions go first.";
    hard_bytes [if_known]: Bytes, "Above this nothing is added.";
    rate [if_known]: Text, "Timetable of rates, as it was set.";
    late_after_ms [if_known]: Millis, "It is late when its newest version is older.";
    contacts [if_known]: Texts, "Who is told when something is wrong; absent for nobody.";
    newest_at [if_known]: Moment, "When its newest version was received.";
    status [if_known]: Word(STANDINGS), "How it is (`info`).";
    expected_at [if_known]: Moment, "When it counts as late (`info`).";
    took_ms [if_known]: Millis, "How long the run took that made the newest version (`info`).";
    last_run [if_known]: Object(RUN), "The run that was told last (`info`).";
    groups [if_known]: Texts, "Groups that it is in; absent for none.";
    stored_bytes [if_known]: Bytes, "What it takes in packs (`info`, or `list --figures`).";
    catalog_bytes [if_known]: Bytes, "What its catalog takes (the same).";
    versions [if_known]: Count, "Versions that were ever made (the same).";
};

pub(super) const GROUP: &[Field] = fields! {
    group: Text, "Its name.";
    number: Text, "Its number, as in 0x2.";
    created_at: Moment, "When it was made.";
    member_count: Count, "Accounts in it.";
    soft_bytes [if_known]: Bytes, "Above this, by all members together, the oldest versions go first.";
    hard_bytes [if_known]: Bytes, "Above this, by all members together, nothing is added.";
    rate [if_known]: Text, "Timetable of rates that its members share, as it was set.";
    late_after_ms [if_known]: Millis, "A member is late when its newest version is older.";
    members [if_known]: Texts, "Their numbers (`info`); absent for none.";
    stored_bytes [if_known]: Bytes, "What its members take in packs (`info`, or `list --figures`).";
    versions [if_known]: Count, "Versions that its members ever made (the same).";
    newest_at [if_known]: Moment, "When the newest version of any member was received (the same).";
    contacts [if_known]: Texts, "Who is told when something is wrong with a member; absent for nobody.";
};

pub(super) const ACCOUNT_CHECK: &[Field] = fields! {
    account: Text, "Its name.";
    number: Text, "Its number, as in 0x3af.";
    result: Word(&["ok", "odd", "damaged"]), "`odd`: nothing is lost, but something should be looked at.";
    damaged: Count, "Findings of damage.";
    odd: Count, "Findings that are worth knowing.";
    versions: Count, "Versions that were walked.";
    packs: Count, "Packs looked at.";
    links: Count, "Links.";
    read_bytes: Bytes, "Stored bytes read and compared.";
    code [if_known]: Text, "Of the worst finding.";
    message [if_known]: Text, "The worst finding, or why it could not be checked.";
};

pub(super) const REFUSAL: &[Field] = fields! {
    at: Moment, "When.";
    address: Text, "Where the client came from.";
    account: Text, "Which account was asked for; empty when none was named.";
    code: Text, "Why.";
    waited_ms: Millis, "How long the answer was held back.";
};

pub(super) const ACCOUNT_DUMP: &[Field] = fields! {
    account: Text, "Its name.";
    file: Text, "The file that was written, for showing.";
    bytes: Bytes, "Its length.";
    links: Count, "Links in it.";
    packs: Count, "Packs in it.";
    pack_bytes: Bytes, "Their bytes.";
};

pub(super) const ACCOUNT_LOAD: &[Field] = fields! {
    account: Text, "Its name.";
    number: Text, "Its number, as in 0x3af.";
    links: Count, "Links in it.";
    packs: Count, "Packs in it.";
    pack_bytes: Bytes, "Their bytes.";
    damaged: Count, "Findings of damage: it was damaged where it comes from.";
    findings: Texts, "The first of them.";
};

pub(super) const SSH_KEY: &[Field] = fields! {
    line: Text, "The line of `authorized_keys`.";
    file [if_known]: Text, "The file in which it stands, or stood.";
};

pub(super) const POLICY: &[Field] = fields! {
    preset: Text, "Name of the preset; empty for none.";
    keep: Counts(KEPT_COUNTS), "How many of each period; absent = without bound.";
    within_ms: Millis, "All of this age; 0 = no such rule.";
    tags: Texts, "All with one of these tags.";
    soft_limit: Switch, "The soft limit of the account may take versions.";
    min_free_bytes: Bytes, "So much of the vault's disk is to stay free; 0 = no such rule.";
    sequence: Count, "Place in the chain of the link that set it; 0 when nobody has.";
};

pub(super) const REPAIRED: &[Field] = fields! {
    place: Text, "What of the vault.";
    what: Text, "What is wrong with it, and what is done about it.";
    lost: Count, "Records that are lost by the damage.";
};

pub(super) const USAGE: &[Field] = fields! {
    account: Text, "Its name.";
    measured_at: Moment, "When the classes and the counts of versions were so, by the server's clock.";
    current_bytes: Bytes, "What the newest version needs.";
    history_bytes: Bytes, "What only older versions need.";
    old_bytes [if_known]: Bytes, "Of `--classes`: of history, older states of paths that are still there.";
    deleted_bytes [if_known]: Bytes, "Of history, what stood at paths that are gone.";
    both_bytes [if_known]: Bytes, "Of history, what is both.";
    other_bytes [if_known]: Bytes, "Of history, what could not be told apart.";
    trash_bytes: Bytes, "On its way out: forgotten, kept by no rule, or waiting to be freed.";
    metadata_bytes: Bytes, "Directories, version records, catalog, and what packs have beside their records.";
    unreferenced_bytes: Bytes, "Needed by nothing: goes with housekeeping; and what running uploads have stored.";
    total_bytes: Bytes, "The five classes together: all files of the account.";
    now_bytes: Bytes, "All its files now; other than the total when the classes are of earlier.";
    pack_bytes: Bytes, "Of this the packs: what counts against limits.";
    catalog_bytes: Bytes, "Of the metadata the databases: catalog, which can be made again, and activity.";
    packs: Count, "Packs.";
    versions: Count, "Versions that are kept.";
    oldest_at [if_known]: Moment, "When the vault received the oldest.";
    newest_at [if_known]: Moment, "When the vault received the newest.";
    holes: Count, "Needed nodes and bodies that cannot be read: what only they need counts as unreferenced.";
    soft_bytes [if_known]: Bytes, "Soft limit.";
    hard_bytes [if_known]: Bytes, "Hard limit.";
    free_bytes [if_known]: Bytes, "Free on the vault's disk.";
};

pub(super) const VOLUME: &[Field] = fields! {
    number: Count, "Its number; 0 is the vault's own directory.";
    directory: Text, "Where it is on the vault's machine.";
    there: Switch, "Whether it is there and is this vault's. Of one that is not, all figures are 0.";
    leaving: Switch, "Whether it is being removed: nothing new is put there.";
    packs: Count, "Packs in it.";
    pack_bytes: Bytes, "Their bytes.";
    total_bytes: Bytes, "Bytes of all files in it.";
    free_bytes [if_known]: Bytes, "Free on its disk.";
    disk_bytes [if_known]: Bytes, "All that its disk has.";
    free_files [if_known]: Count, "Files that may still be made there, when there is a bound.";
};

pub(super) const SPACE: &[Field] = fields! {
    scope: Word(&["account", "group", "volume", "vault"]), "What it is about.";
    name: Text, "The account's or group's name, the volume's number; empty for the vault.";
    accounts: Count, "Accounts in it; of a volume 0, and no classes: what its files are for is not told apart.";
    unknown: Count, "Of these, accounts whose figures cannot be had: they are in no sum.";
    measured_at [if_known]: Moment, "When the classes were so, by the server's clock; of several the oldest.";
    current_bytes: Bytes, "What the newest versions need.";
    history_bytes: Bytes, "What only older versions need.";
    trash_bytes: Bytes, "On its way out: forgotten, kept by no rule, or waiting to be freed.";
    metadata_bytes: Bytes, "Directories, version records, catalogs; of the vault also what belongs to no account.";
    unreferenced_bytes: Bytes, "Needed by nothing: goes with housekeeping; and what running uploads have stored.";
    total_bytes: Bytes, "The five classes together.";
    now_bytes: Bytes, "All files now; other than the total when classes are of earlier.";
    pack_bytes: Bytes, "Of this the packs: what counts against limits.";
    catalog_bytes: Bytes, "Of the metadata the databases: catalogs, which can be made again, and activity.";
    versions: Count, "Versions that are kept.";
    soft_bytes [if_known]: Bytes, "Soft limit.";
    hard_bytes [if_known]: Bytes, "Hard limit.";
    free_bytes [if_known]: Bytes, "Of the vault: free on its disks; of a volume: on its own.";
    growth_7d [if_known]: Change, "Bytes a day, over the last 7 days or what is known of them.";
    growth_30d [if_known]: Change, "Bytes a day, over the last 30 days or what is known of them.";
    days_left [if_known]: Count, "Days until the hard limit, of the vault until its disk is full, if it grows on as over 30 days.";
    directory [if_known]: Text, "Of a volume: where it is on the vault's machine.";
    there [if_known]: Switch, "Of a volume: whether it is there. Of one that is not, all figures are 0.";
    packs: Count, "Packs.";
};
