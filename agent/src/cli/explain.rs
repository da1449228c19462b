//! The page of every code: what it means and what to do. `tuckbox explain CODE` prints it, and an error without a hint
//! of its own shows the hint that stands here.

use crate::fault::Code;

/// What there is to say about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The next command to type, or what to do; one line.
    pub hint: &'static str,
    /// A paragraph.
    pub text: &'static str,
}

/// What a code means: the first sentence of its page, which holds no name of anything.
#[must_use]
pub fn meaning(code: Code) -> &'static str {
    let text = page(code).text;
    text.split_inclusive(". ").next().map_or(text, str::trim_end)
}

/// The page of a code.
#[must_use]
pub const fn page(code: Code) -> Page {
    let (hint, text) = match code {
        Code::Usage => (
            "see `tuckbox help VERB`",
            "The command line holds a word, an option or a combination that is not known, or an option lacks its \
             value. Nothing was done.",
        ),
        Code::Config => (
            "correct the line; `tuckbox config template` shows every key",
            "The configuration file cannot be used: it is not TOML, or it holds a key that does not exist, or a value \
             of the wrong kind. A key that is not known is an error because a misspelt rule would otherwise leave \
             files out, or in, silently. Nothing was done.",
        ),
        Code::UsageTime => (
            "write it as in `2 days ago`, `yesterday 18:00`, 2026-11-18 or latest~2",
            "A version is named by latest, latest~N or previous, by a time (the newest version received by then is \
             meant; a date alone is its last moment), by its number (no.12), or by the first 6 or more digits of its \
             id. What is given fits none of these.",
        ),
        Code::AccountWhich => (
            "name one with `--account NAME`",
            "The vault holds several accounts that keys on this machine open, and nothing says which one is meant.",
        ),
        Code::System => (
            "look at the cause above; `tuckbox doctor` checks the surroundings",
            "The operating system refused something that should work, for a reason that is neither a full nor a \
             failing disk. The cause is what the system said.",
        ),
        Code::SourceUnreadable => (
            "run as a user who may read it, or leave it out with `--exclude`",
            "A file or directory of a source could not be read. The version is committed with everything else. What \
             an earlier version holds of the file is kept and marked; it is never recorded as deleted.",
        ),
        Code::SourceChanged => (
            "run the backup again; for a database, back up a dump or a snapshot",
            "A file changed each time it was read. What was read last is kept and marked, and may be a mixture of two \
             states.",
        ),
        Code::SourceVanished => (
            "nothing to do; leave out directories of temporary files with `--exclude`",
            "A file was there when its directory was listed and gone when it was opened. It is not in the version.",
        ),
        Code::SourceNone => (
            "check the path; a disk may not be mounted",
            "A source that is to be backed up does not exist. The other sources were backed up. If an earlier version \
             holds it, it is kept.",
        ),
        Code::SourceBusy => (
            "wait and try again",
            "Another session is backing up the same source of the same account now. Different sources do not wait for \
             each other.",
        ),
        Code::RestoreSkipped => (
            "restore as root for owners and devices; the warnings above name each item",
            "Something of an entry could not be restored: its owner, an attribute, or all of it. Everything else was. \
             Owners, device files and some attributes need root.",
        ),
        Code::VaultNone => (
            "make it with `tuckbox init --vault VAULT`, or check the address",
            "There is no vault at the address. Only the default vault is made by itself; any other is made by init, so \
             that a misspelt address or a disk that is not mounted cannot start an empty one.",
        ),
        Code::VaultNotAVault => (
            "choose another directory, or an empty one",
            "Something is at the address, and it is not a vault of tuckbox. It was not touched.",
        ),
        Code::VaultRefused => (
            "run as the owner of the vault, on the host that writes it",
            "A vault is written by one Unix user (or root, acting as that user) and, on a network file system, from \
             one host. This is to keep two writers that cannot see each other's locks apart.",
        ),
        Code::AccountNone => (
            "check the name, or make the account with `tuckbox init --account NAME`",
            "The vault has no account of this name or id.",
        ),
        Code::AccountFrozen => (
            "ask the administrator of the vault",
            "The account is frozen: it can be read and nothing in it can change.",
        ),
        Code::AccountBound => (
            "`tuckbox key recover` if it is yours, else another name with `--account NAME`",
            "The account has a key already. A key is bound to an account once and for all: a second one could not \
             read what the first one wrote. To use the account from another machine, recover its key there.",
        ),
        Code::GroupNone => (
            "see `tuckbox group list`",
            "The vault has no group of this name. Groups are made by an administrator with `tuckbox group create`.",
        ),
        Code::VersionNone => (
            "see `tuckbox versions`",
            "No version fits the expression: the account has none yet, none was received by that time, or no id (or \
             more than one) begins with those digits.",
        ),
        Code::PathNone => (
            "look for it with `tuckbox ls`, or in an earlier version with `--at`",
            "The version holds nothing at this path. Paths are absolute; relative ones are taken from the working \
             directory.",
        ),
        Code::KeyPassphrase => (
            "try again; the recovery words open it too: `tuckbox key recover`",
            "No passphrase slot of the key opens with this passphrase. Nobody can reset it, as nobody else knows the \
             key; the 24 recovery words replace it.",
        ),
        Code::KeyPassphraseNeeded => (
            "use `--password-file FILE` or `--password-command COMMAND`, or run it in a terminal",
            "The key is protected by a passphrase, and there is no terminal to ask at, or asking was forbidden. A \
             file, a descriptor (fd:3), a helper command or the systemd credential tuckbox.passphrase can give it.",
        ),
        Code::KeyOtherAccount => (
            "name the right one with `--key FILE` or `--account NAME`",
            "The key is in order and belongs to another account. Nothing was done with it.",
        ),
        Code::KeyNone => (
            "`tuckbox key recover` with the recovery words, or `--key FILE`",
            "No key on this machine opens this account. Figures and times can be seen without it; names and contents \
             cannot.",
        ),
        Code::KeyPermissions => (
            "`chmod 600 FILE`; if others may have read it, make a new account",
            "The key file can be read by other users of this machine. Whoever holds it can read all backups of the \
             account.",
        ),
        Code::KeySlot => (
            "use a copy of the key file, or `tuckbox key recover`",
            "A key file, or one of the ways to open it, is damaged.",
        ),
        Code::KeyWords => (
            "check each word and the order; there are 24",
            "These are not 24 words of the list with a good checksum, or they are the words of another account.",
        ),
        Code::AuthHostkey => (
            "compare the key with the server's, then connect once with `ssh HOST`",
            "The server's host key is unknown, differs from the one in known_hosts, or is revoked. An unknown key is \
             asked for at a terminal; a changed key is always refused, because that is what an attack looks like.",
        ),
        Code::AuthRefused => (
            "try `ssh HOST true`; it must work without a question",
            "The SSH server was reached and did not accept any of the keys or methods offered.",
        ),
        Code::NetUnreachable => (
            "check name and network, and try again",
            "The server could not be reached: its name is unknown, the port is closed, or no answer came in time.",
        ),
        Code::NetLost => (
            "run it again; what has arrived is not sent twice",
            "The connection was lost while it was in use. Everything that was acknowledged is safe, and the next run \
             goes on from there.",
        ),
        Code::NetNotOurs => (
            "try `ssh HOST tuckbox version`; silence what login files print",
            "Something answered that is not tuckbox, most often a login shell that printed a text and ended, or a \
             server that allows only other commands. The beginning of what it said is shown above.",
        ),
        Code::NetNoProgram => (
            "install tuckbox there, or name it with `--remote-program PATH`",
            "The login worked, and the server found no tuckbox to run: it is neither in the PATH of a command run \
             over SSH nor in the usual places.",
        ),
        Code::NetProtocol => (
            "try again; if it stays, compare `tuckbox version` on both sides",
            "The other side sent something that the protocol does not allow, or bytes were altered on the way. The \
             connection was closed; nothing half received was used.",
        ),
        Code::NetVersion => (
            "bring the older side up to date; `tuckbox version` shows both",
            "The two programs have no version of the protocol in common. Nothing was changed.",
        ),
        Code::FormatNewer => (
            "update this tuckbox",
            "The vault, or something in it, was written by a newer program and uses what this one does not know. \
             Nothing was changed.",
        ),
        Code::VolumeAbsent => (
            "mount its disk and run the same command again; `tuckbox volume list` shows where it should be",
            "The vault uses several disks, and one of them is not there. What lies on it is neither lost nor damaged, and \
             nothing is done that rests on it: nothing is removed, no catalog is made anew. Backups go on. If its disk is \
             elsewhere now: `tuckbox volume add DIR`; if it will never come back: `tuckbox volume remove NUMBER --lost`.",
        ),
        Code::DiskFull => (
            "make room and run it again; what is committed is safe",
            "There is no room left, on this machine or on the vault's: the disk, a quota of the file system, or a \
             limit on file sizes. No version is harmed by it. A vault on a full disk can be read, checked and restored \
             from; to forget and to keep house takes a few MiB.",
        ),
        Code::DiskFailed => (
            "look at the kernel's log; then `tuckbox check --read-data`",
            "Reading, writing or flushing failed. After a failed flush nothing of that file is trusted, as it cannot \
             be told what reached the disk; what was committed before is not touched. What a failing disk does not give is \
             not taken for lost: nobody is asked to send it again, as it may be readable tomorrow or by another machine. \
             Bring the vault to a good disk, then check it there.",
        ),
        Code::QuotaHard => (
            "ask for more room, or forget versions",
            "The account, or all members of a group that it is in, would exceed the hard limit; the message says whose. \
             The version was not committed. What the run had sent is let go by the next one that needs the room, or by \
             `tuckbox housekeep`. Forgotten versions are in the trash for 14 days and count until then. That the time is over \
             is seen by a backup, also by one that is refused, and believed when another one, a day later, sees it too: one \
             clock may be wrong. A key with the role append cannot leave word of it.",
        ),
        Code::DataDamaged => (
            "`tuckbox backup`, which stores again what is missing; then `tuckbox check` names what stays lost",
            "Stored bytes are missing or altered. Everything that does not need them can still be restored. A backup \
             of a source that still has the content heals the vault, even where files did not change. What no source \
             has any more stays lost: `tuckbox check` names these files and their versions, and `tuckbox restore \
             --with-holes` writes what is left of them, with zeros in place of what is lost. Versions with holes stay \
             until they go as others do; `tuckbox forget` ends them 14 days later, and with them the damage.",
        ),
        Code::HistoryRollback => (
            "find out why (a restored disk?), then `tuckbox check --accept-history SEQ`",
            "The vault shows fewer versions than it once showed to this machine. Either it was put back to an earlier \
             state, for example from a copy of its disk, or somebody removed versions.",
        ),
        Code::HistoryFork => (
            "find out why, then `tuckbox check --accept-history SEQ`",
            "The vault shows a history that differs from the one that this machine has seen: under a known number \
             stands another version. Two copies of a vault that were both written to look like this.",
        ),
        Code::HistoryGap => (
            "`tuckbox check`; restore the vault's directory from a copy if there is one",
            "A link of the chain of versions is missing. Links are never removed by tuckbox.",
        ),
        Code::HistoryLoss => (
            "`tuckbox check`; then find out who removed it",
            "The contents of a version are gone, and neither the signed policy nor a signed request allowed it.",
        ),
        Code::HistoryBehind => (
            "use the vault that is ahead, or `tuckbox check --accept-history SEQ`",
            "A pin that was kept elsewhere (`pin_file`, or on paper) names a version that this vault does not have yet, \
             or no more: it is an older copy, or was put back to an earlier state. Reading is allowed; writing would \
             make two histories.",
        ),
        Code::HookFailed => (
            "run the command of the configuration by hand and see what it says",
            "A command of the configuration (`before`, `after`, `on_failure`) could not be started, ended with another \
             status than 0, or ran for longer than `hook_timeout`. A run whose `before` fails does nothing; a source whose \
             `before` fails is left as it is while the others are backed up. When another one fails, the version stands.",
        ),
        Code::HookOutput => (
            "nothing to do; send its output elsewhere to silence it",
            "A command of the configuration (`before`, `after`, `on_failure`) printed this. It changes no exit status.",
        ),
        Code::FilterFailed => (
            "run the command by hand: a path and a zero byte in, a line with + or - out",
            "The command `filter` of a source, which decides file by file, could not be started, ended, answered something \
             else or did not answer for a minute. It was asked no more, and everything that it had not decided was taken: \
             rather too much in a version than too little. Exit 3.",
        ),
        Code::GuardMassDeletion => (
            "look at the source; if it is right, run again with `--accept-deletions`",
            "Much of a source is gone: its directory is missing or empty, it is no longer a mount point, or more than \
             the guarded share of its files would be recorded as removed. Or a directory below it was a mount point with \
             files in it, however few, and is none now: a disk or a share is not mounted. The version was committed with everything \
             that is new, and the missing parts were kept and marked. The mark goes when they are there again; when they \
             have been missing for `protect_missing` (14 days), they are recorded as removed.",
        ),
        Code::ContentSuspicious => (
            "look at `tuckbox diff previous latest`; restore with `--at previous`",
            "Since the version before, more than `suspicious_share` (50 %) of a source's files were rewritten or renamed, or \
             more than `suspicious_encrypted` (10 %) and they look encrypted now: what malice does that asks for ransom. \
             Of up to `suspicious_min` (50) files nothing is said. The backup was made all the same; every version \
             before is untouched, and the last of them is pinned for `suspicious_pin` (90 days), so that no rule of \
             retention takes it. A key with the role append cannot pin: then the vault's rules alone keep it (by default \
             one version a day for 30 days). If it was you (another release of a large program, files converted or \
             renamed by a tool), do nothing, or `tuckbox pin --undo` it. `on_suspicion` names a command to be told by.",
        ),
        Code::PolicyRole => (
            "use a key with the role that is needed",
            "The role of this connection or key does not allow the request: a forced command limits what a client may \
             do, and the client's words can only narrow it.",
        ),
        Code::PolicyConfirm => (
            "add `--yes` if you mean it",
            "The command changes or removes something that exists, and nobody confirmed it. At a terminal it asks; \
             elsewhere it needs `--yes`.",
        ),
        Code::PolicyKept => (
            "make a newer version first, or take the pin away with `tuckbox pin --undo`",
            "The newest version of an account and pinned versions are never forgotten: the newest says where every \
             source stands, and a pin is a promise.",
        ),
        Code::Differs => (
            "nothing to do; the output shows what differs",
            "Two things that were compared are not the same, or something is not healthy. This is an answer and not a \
             failure.",
        ),
        Code::Interrupted => (
            "run it again; it goes on from what is committed",
            "The run was ended by a signal or the interrupt key. What is whole was committed as a partial version, and \
             the next run does not send it again.",
        ),
    };
    Page { hint, text }
}

/// The code of this name.
#[must_use]
pub fn code_named(name: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.name() == name)
}

/// The code whose name is nearest.
#[must_use]
pub fn nearest_code(name: &str) -> Option<Code> {
    super::nearest(name, Code::ALL.iter().map(|code| code.name())).and_then(code_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_and_a_hint() {
        let mut names = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let page = page(*code);
            assert!(page.hint.len() > 10 && !page.hint.ends_with('.') && !page.hint.contains('\n'), "{code:?}");
            assert!(page.text.len() > 40 && page.text.ends_with('.') && !page.text.contains("  "), "{code:?}");
            assert!(names.insert(code.name()), "{code:?}");
            assert_eq!(code_named(code.name()), Some(*code));
        }
        assert_eq!(nearest_code("vault.non"), Some(Code::VaultNone));
        assert_eq!(nearest_code("zzzzzzzzzz"), None);
    }
}
