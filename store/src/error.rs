//! What can go wrong at rest, as far as a caller may decide something by it.

use std::{fmt, io, path::PathBuf};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Each variant is a decision that a caller can take; texts for people are made in `agent`.
#[derive(Debug)]
pub enum Error {
    /// The disk refused. See [`Error::is_full`].
    Disk {
        /// What was being done, as in "write", "sync".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Bytes are not what they must be. Set aside, report, go on with the rest.
    Damaged {
        /// The structure, as in "record header".
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
        /// Where, when known: "pack 3f9c02ab at byte 8388608".
        place: Option<String>,
    },
    /// Made by a newer program: refuse before anything is changed.
    Newer {
        /// The structure.
        what: &'static str,
        /// The version or feature that is not known here.
        found: u32,
    },
    /// A number is above its bound.
    Limit {
        /// Of what.
        what: &'static str,
        /// The number.
        found: u64,
        /// The bound.
        most: u64,
    },
    /// It is not there.
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A volume of the vault is not there, so what lies in it can neither be read nor said to be lost. It is as it was
    /// when the disk is back.
    Absent {
        /// Its number.
        volume: u32,
    },
    /// Somebody else has it now; trying again later helps.
    Busy {
        /// What is taken.
        what: String,
    },
    /// It is there already and is something else: read again.
    Taken {
        /// What.
        what: String,
    },
    /// Something about a key.
    Key(KeyError),
    /// The owner of the vault is another user, or the vault is on a file system or host that may not write it.
    Refused {
        /// One sentence.
        why: String,
    },
    /// The hard limit of the account, or of a group that it is in, leaves no room for it.
    Full {
        /// Whose limit, for people: "the account ana", "the group office".
        whose: String,
        /// The limit in bytes.
        limit: u64,
        /// Bytes that are stored, or being brought by other sessions; of a group those of all its members.
        used: u64,
    },
    /// Nothing may be added to the account: it is frozen or disabled.
    Frozen {
        /// One sentence.
        why: String,
    },
    /// SQLite failed; the catalog can be rebuilt.
    Catalog(rusqlite::Error),
}

/// What can be wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No slot opens with this passphrase.
    Passphrase,
    /// A good key, but of another account.
    OtherAccount,
    /// A slot's bytes are damaged.
    Slot,
    /// Recovery words that are not 24 known words with a good checksum.
    Words,
    /// A record names a sealing key that the keyring does not hold.
    Unknown(u32),
    /// The seal does not open: altered, or another key.
    Seal,
    /// A signature or certificate is not good.
    Signature,
}

impl Error {
    /// Damage of a structure, place unknown.
    #[must_use]
    pub fn damaged(what: &'static str, why: &'static str) -> Self {
        Self::Damaged { what, why, place: None }
    }

    /// The same error with a place, when it is damage without one.
    #[must_use]
    pub fn at(self, place: impl FnOnce() -> String) -> Self {
        match self {
            Self::Damaged { what, why, place: None } => Self::Damaged { what, why, place: Some(place()) },
            other => other,
        }
    }

    /// A disk error.
    pub fn disk(doing: &'static str, path: impl Into<PathBuf>, cause: impl Into<io::Error>) -> Self {
        Self::Disk { doing, path: path.into(), cause: cause.into() }
    }

    /// No room: disk full, quota of the file system, or file size limit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Disk { cause, .. } if matches!(
            cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge))
            || matches!(self, Self::Catalog(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    /// The file system takes no changes: it is mounted for reading only, as many are after an error of their disk.
    #[must_use]
    pub fn takes_no_changes(&self) -> bool {
        matches!(self, Self::Disk { cause, .. } if cause.kind() == io::ErrorKind::ReadOnlyFilesystem)
    }

    /// SQLite could not open or make one of its files, and does not tell why: no space, no permission, too many open.
    #[must_use]
    pub fn is_unopened(&self) -> bool {
        matches!(self, Self::Catalog(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen))
    }

    /// The process has too little memory for the catalog: SQLite says so, or could not map its shared memory.
    #[must_use]
    pub fn is_short_of_memory(&self) -> bool {
        matches!(self, Self::Catalog(rusqlite::Error::SqliteFailure(e, _))
            if e.code == rusqlite::ErrorCode::OutOfMemory || e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMMAP)
    }

    /// Bytes are damaged (and not: missing, busy, refused).
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Key(KeyError::Seal))
    }

    /// Whether the catalog itself is not in order, so that it has to be made anew.
    #[must_use]
    pub fn is_bad_catalog(&self) -> bool {
        use rusqlite::ErrorCode;
        match self {
            Self::Damaged { what, .. } => *what == "catalog",
            Self::Catalog(cause) => matches!(
                cause.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None
            ),
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { doing, path, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            Self::Damaged { what, why, place: None } => write!(f, "the {what} is damaged: {why}"),
            Self::Damaged { what, why, place: Some(place) } => write!(f, "the {what} in {place} is damaged: {why}"),
            Self::Newer { what, found } => write!(f, "the {what} was made by a newer program (number {found})"),
            Self::Limit { what, found, most } => write!(f, "{what}: {found} is more than {most}"),
            Self::NotFound { what, name } => write!(f, "there is no {what} {name}"),
            Self::Absent { volume } => write!(f, "volume {volume} of the vault is not there"),
            Self::Busy { what } => write!(f, "{what} is in use"),
            Self::Taken { what } => write!(f, "{what} is there already"),
            Self::Key(e) => e.fmt(f),
            Self::Refused { why } | Self::Frozen { why } => f.write_str(why),
            Self::Full { whose, limit, used } => {
                write!(f, "{whose} is full: {used} bytes of {limit} are taken")
            }
            Self::Catalog(e) => write!(f, "the catalog failed: {e}"),
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase => f.write_str("no passphrase slot opens with this passphrase"),
            Self::OtherAccount => f.write_str("this key belongs to another account"),
            Self::Slot => f.write_str("a passphrase slot is damaged"),
            Self::Words => f.write_str("these are not 24 recovery words"),
            Self::Unknown(id) => write!(f, "the keyring holds no sealing key number {id}"),
            Self::Seal => f.write_str("a seal does not open with this key"),
            Self::Signature => f.write_str("a signature is not good"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk { cause, .. } => Some(cause),
            Self::Catalog(e) => Some(e),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Self {
        Self::Catalog(e)
    }
}

impl From<KeyError> for Error {
    fn from(e: KeyError) -> Self {
        Self::Key(e)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_catalog_without_memory_is_told_from_one_whose_disk_fails() {
        let failure = |code| Error::Catalog(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(failure(ffi::SQLITE_NOMEM).is_short_of_memory());
        assert!(failure(ffi::SQLITE_IOERR_SHMMAP).is_short_of_memory());
        assert!(!failure(ffi::SQLITE_IOERR_READ).is_short_of_memory());
        assert!(!failure(ffi::SQLITE_FULL).is_short_of_memory() && failure(ffi::SQLITE_FULL).is_full());
    }
}
