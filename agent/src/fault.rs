//! What went wrong, for a person and for a script: one sentence, its causes, the next command to type, a
//! stable code and an exit class. Inside the crates errors are enums to decide by; here they become this.

use std::fmt;

/// Result with a [`Fault`].
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// Exit classes; their numbers are the exit status of the program and never change. The most serious of several errors
/// wins, see [`Exit::worse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Did all that was asked.
    Ok = 0,
    /// Failed, no better class.
    Failed = 1,
    /// Wrong option, configuration, date or pattern.
    Usage = 2,
    /// Finished, but some items were left out; the good ones are safe.
    Partial = 3,
    /// The answer is "not the same" or "not healthy".
    Differs = 4,
    /// No such vault, account, version or path.
    NotFound = 5,
    /// Taken by another writer; trying again helps.
    Busy = 6,
    /// Wrong passphrase or key, refused by SSH, no permission.
    Denied = 7,
    /// No connection, or lost; trying again helps.
    Unreachable = 8,
    /// Quota or disk full.
    Full = 9,
    /// Data missing or altered.
    Damaged = 10,
    /// Protocol or format too new or too old.
    Incompatible = 11,
    /// Refused by policy, guard or missing confirmation.
    Refused = 12,
}

impl Exit {
    /// From most to least serious.
    const ORDER: [Self; 13] = [
        Self::Damaged,
        Self::Denied,
        Self::Incompatible,
        Self::Refused,
        Self::Full,
        Self::Unreachable,
        Self::Busy,
        Self::NotFound,
        Self::Usage,
        Self::Failed,
        Self::Partial,
        Self::Differs,
        Self::Ok,
    ];

    /// The class of a status; `None` for those of signals and of other programs.
    #[must_use]
    pub fn of(status: u8) -> Option<Self> {
        Self::ORDER.into_iter().find(|exit| *exit as u8 == status)
    }

    /// The more serious of the two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit| Self::ORDER.iter().position(|e| *e == exit).unwrap_or(usize::MAX);
        if rank(other) < rank(self) { other } else { self }
    }

    /// Whether trying the same again may help.
    #[must_use]
    pub fn retry(self) -> bool {
        matches!(self, Self::Busy | Self::Unreachable)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $exit:ident;)*) => {
        /// Stable names of what can go wrong. Never renamed, only added to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The dotted name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Its exit class.
            #[must_use]
            pub fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit,)* }
            }
        }
    };
}

codes! {
    /// A bad option, argument or combination.
    Usage = "usage", Usage;
    /// The configuration file.
    Config = "config.invalid", Usage;
    /// A time or version expression that is not understood.
    UsageTime = "usage.time", Usage;
    /// Several accounts fit; one must be named.
    AccountWhich = "account.which", Usage;
    /// Something unexpected of the system (not the disk being full).
    System = "system", Failed;
    /// A file of the source could not be read.
    SourceUnreadable = "source.unreadable", Partial;
    /// A file of the source changed while it was read.
    SourceChanged = "source.changed", Partial;
    /// A file of the source vanished between listing and reading.
    SourceVanished = "source.vanished", Partial;
    /// A source is not there.
    SourceNone = "source.none", NotFound;
    /// A command of the configuration failed.
    HookFailed = "hook.failed", Failed;
    /// A command of the configuration printed something.
    HookOutput = "hook.output", Ok;
    /// The command that decides what a source takes failed.
    FilterFailed = "filter.failed", Partial;
    /// Another session backs up this source.
    SourceBusy = "source.busy", Busy;
    /// Something of an entry could not be restored.
    RestoreSkipped = "restore.skipped", Partial;
    /// There is no vault.
    VaultNone = "vault.none", NotFound;
    /// Something else is there.
    VaultNotAVault = "vault.not_a_vault", NotFound;
    /// The vault belongs to another user, host or file system.
    VaultRefused = "vault.refused", Denied;
    /// No such account.
    AccountNone = "account.none", NotFound;
    /// The account may not be changed.
    AccountFrozen = "account.frozen", Refused;
    /// The account has a key already.
    AccountBound = "account.bound", Refused;
    /// No such group.
    GroupNone = "group.none", NotFound;
    /// A volume of the vault is not there.
    VolumeAbsent = "volume.absent", Unreachable;
    /// No such version.
    VersionNone = "version.none", NotFound;
    /// No such path in that version.
    PathNone = "path.none", NotFound;
    /// The passphrase does not open the key.
    KeyPassphrase = "key.passphrase", Denied;
    /// A passphrase is needed and nobody can be asked.
    KeyPassphraseNeeded = "key.passphrase_needed", Denied;
    /// The key is of another account.
    KeyOtherAccount = "key.other_account", Denied;
    /// There is no key on this machine.
    KeyNone = "key.none", Denied;
    /// The key file can be read by others.
    KeyPermissions = "key.permissions", Denied;
    /// A key file or slot is damaged.
    KeySlot = "key.slot", Damaged;
    /// These are not the recovery words.
    KeyWords = "key.words", Denied;
    /// The host key is unknown, changed or revoked.
    AuthHostkey = "auth.hostkey", Denied;
    /// The server refused to let us in.
    AuthRefused = "auth.refused", Denied;
    /// The server cannot be reached.
    NetUnreachable = "net.unreachable", Unreachable;
    /// The connection was lost.
    NetLost = "net.lost", Unreachable;
    /// What answers is not tuckbox.
    NetNotOurs = "net.not_ours", Unreachable;
    /// There is no tuckbox on the server.
    NetNoProgram = "net.no_program", NotFound;
    /// The other side broke the protocol.
    NetProtocol = "net.protocol", Failed;
    /// The two programs have no protocol version in common.
    NetVersion = "net.version", Incompatible;
    /// Made by a newer program.
    FormatNewer = "format.newer", Incompatible;
    /// The disk is full, here or there.
    DiskFull = "disk.full", Full;
    /// The disk failed.
    DiskFailed = "disk.failed", Failed;
    /// Over the account's or group's hard quota.
    QuotaHard = "quota.hard", Full;
    /// Data is missing or altered.
    DataDamaged = "data.damaged", Damaged;
    /// The vault shows less than it once showed.
    HistoryRollback = "history.rollback", Damaged;
    /// The vault shows another history.
    HistoryFork = "history.fork", Damaged;
    /// A link is missing.
    HistoryGap = "history.gap", Damaged;
    /// A body is missing without permission.
    HistoryLoss = "history.loss", Damaged;
    /// The vault is behind the account's pin.
    HistoryBehind = "history.behind", Refused;
    /// Much of a source is gone.
    GuardMassDeletion = "guard.mass_deletion", Refused;
    /// A source changed suspiciously.
    ContentSuspicious = "content.suspicious", Ok;
    /// The role does not allow it.
    PolicyRole = "policy.role", Refused;
    /// A confirmation is needed.
    PolicyConfirm = "policy.confirm", Refused;
    /// What is kept whatever the policy says cannot be forgotten.
    PolicyKept = "policy.kept", Refused;
    /// Two things differ.
    Differs = "differs", Differs;
    /// Interrupted by a signal.
    Interrupted = "interrupted", Failed;
}

impl Code {
    /// The class of what the system said of a file.
    #[must_use]
    pub fn of(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        // One that was a fault before has its class already.
        if let Some(fault) = error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
            return fault.code;
        }
        match error.kind() {
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Self::DiskFull,
            _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Self::DiskFailed,
            _ => Self::System,
        }
    }
}

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable name and exit class.
    pub code: Code,
    /// One sentence, without the code and without a full stop; may change.
    pub message: String,
    /// Outermost first.
    pub causes: Vec<String>,
    /// The next command to type, or what to do.
    pub hint: Option<String>,
    /// The file it is about, raw.
    pub path: Option<Vec<u8>>,
}

impl Fault {
    /// A fault with a sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), causes: Vec::new(), hint: None, path: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a cause below the ones it has.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        let mut text = cause.to_string();
        text.truncate(without_number(&text).len());
        self.causes.push(text);
        self
    }

    /// Names the file it is about.
    #[must_use]
    pub fn path(mut self, path: impl Into<Vec<u8>>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Its exit class.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.code.exit()
    }
}

/// An error of the system without the ` (os error 2)` at its end: the words before it say the same.
fn without_number(text: &str) -> &str {
    match text.rsplit_once(" (os error ") {
        Some((words, number)) if number.strip_suffix(')').is_some_and(|n| n.parse::<i32>().is_ok()) => words,
        _ => text,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_words() {
        let fault = Fault::new(Code::System, "x").because(std::io::Error::from_raw_os_error(2));
        assert_eq!(fault.causes, ["No such file or directory"]);
        for text in ["", " (os error ", "a (os error x)", "a (os error 2) b"] {
            assert_eq!(without_number(text), text);
        }
    }
}
