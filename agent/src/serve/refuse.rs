//! What a client may read of an error: a code, a sentence and a hint. Never a path of the server or a text of SQLite.

use store::Error;
use transport::message::Refusal;

use crate::engine::trouble::from_store;
use crate::fault::{Code, Fault};
use crate::name::for_terminal;
use crate::units::size;

/// Why a call is not answered.
pub enum Refused {
    /// The client is told.
    Told(Box<Fault>),
    /// The client has gone, or broke the protocol: nobody to tell.
    Gone,
}

impl Refused {
    /// What is sent, if anything.
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Told(fault) => {
                let Fault { code, message, hint, .. } = *fault;
                Some(Refusal { code: code.name().to_owned(), text: message, hint })
            }
            Self::Gone => None,
        }
    }

    /// There is no such account, or it may not be seen from here: the same words for both.
    pub fn no_account(name: &str) -> Self {
        Fault::new(Code::AccountNone, format!("there is no account {name} in this vault"))
            .hint("see which there are: tuckbox account list")
            .into()
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Told(Box::new(fault))
    }
}

impl From<transport::Error> for Refused {
    fn from(_: transport::Error) -> Self {
        Self::Gone
    }
}

/// Not the disk is short of something, but the process or the machine.
fn is_short(cause: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN].map(Errno::raw_os_error);
    cause.raw_os_error().is_some_and(|number| short.contains(&number))
}

fn lacking(what: &str) -> Fault {
    Fault::new(Code::System, format!("the server's program lacks something ({what})"))
        .hint("allow it more open files, threads or memory there, then run the same command again")
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let full = error.is_full();
        let fault = match &error {
            _ if full => Fault::new(Code::DiskFull, "the vault's disk is full")
                .hint("free some space on the server (a few MiB let `tuckbox housekeep` work there), then run the same command again; reading works meanwhile"),
            Error::Full { whose, limit, used } => {
                Fault::new(Code::QuotaHard, format!("{whose} is full: {} of {} are taken", size(*used), size(*limit)))
                    .hint("forget versions (their room comes back some days after their 14 in the trash), or ask the vault's administrator for more room; what this run left is let go by the next one that needs the room, or by: tuckbox housekeep")
            }
            Error::Disk { cause, .. } if cause.kind() == std::io::ErrorKind::PermissionDenied => {
                Fault::new(Code::VaultRefused, "the vault belongs to another user of its machine")
                    .hint("run as the user who made it, or as root")
            }
            Error::Disk { doing, cause, .. } if is_short(cause) => {
                let said = cause.to_string();
                let words = said.split(" (os error").next().unwrap_or_default();
                lacking(&format!("{doing}: {words}"))
            }
            Error::Disk { doing, cause, .. } => {
                Fault::new(Code::DiskFailed, format!("the vault's disk failed ({doing}: {})", cause.kind()))
                    .hint("look at the server's log and disk")
            }
            _ if error.is_short_of_memory() => lacking("the vault's catalog: too little memory"),
            _ if error.is_unopened() => Fault::new(Code::DiskFailed, "the vault's catalog cannot be opened")
                .hint("look for free space, permissions and the limit of open files where the vault is"),
            Error::Catalog(cause) => Fault::new(
                Code::DiskFailed,
                format!("the vault's catalog failed ({})", for_terminal(cause.to_string().as_bytes())),
            )
            .hint("tuckbox check"),
            Error::Damaged { what, why, .. } => {
                Fault::new(Code::DataDamaged, format!("a {what} of the vault is damaged: {why}")).hint("tuckbox check")
            }
            Error::NotFound { what: "vault", .. } => Fault::new(Code::VaultNone, "there is no vault at this place")
                .hint("tuckbox init --vault ADDRESS makes one"),
            Error::NotFound { what: "vault.json", .. } => {
                Fault::new(Code::VaultNotAVault, "what is at this place is not a vault").hint("check the address")
            }
            Error::NotFound { what: "account", name } => return Self::no_account(name),
            Error::Taken { .. } => Fault::new(Code::VaultNotAVault, "there is something else at this place")
                .hint("name a new or an empty directory"),
            Error::Busy { .. } => Fault::new(Code::SourceBusy, "another backup of this source is running")
                .hint("wait for it, then run the same command again"),
            other => from_store(other),
        };
        fault.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: Error) -> Refusal {
        Refused::from(error).refusal().unwrap()
    }

    #[test]
    fn an_account_that_is_frozen_meanwhile_is_told_as_such() {
        let refusal = told(Error::Frozen { why: "the account ana is frozen".into() });
        assert_eq!((refusal.code.as_str(), refusal.text.as_str()), ("account.frozen", "the account ana is frozen"));
    }

    #[test]
    fn what_the_system_lacks_is_named_and_no_path() {
        let refusal = told(Error::disk("open", "/srv/secret", rustix::io::Errno::MFILE));
        assert!(refusal.text.contains("Too many open files") && !refusal.text.contains("secret"), "{}", refusal.text);
        assert_eq!(told(Error::disk("sync", "/srv/secret", rustix::io::Errno::IO)).code, "disk.failed");
        assert_eq!(told(Error::disk("write", "/srv/secret", rustix::io::Errno::DQUOT)).code, "disk.full");
    }
}
