//! What a client may read of an error: a code, a sentence and a hint. Never a path of the server or a text of SQLite.

use store::Error;
use transport::message::Refusal;

use crate::engine::trouble::from_store;
use crate::fault::{Code, Fault};
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
        Fault::new(Code::AccountNone, format!("there is no account {name} in this vault")).hint("tuckbox init").into()
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

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let full = error.is_full();
        let fault = match &error {
            _ if full => Fault::new(Code::DiskFull, "the vault's disk is full")
                .hint("free some space on the server, then run the same command again; what was sent is kept"),
            Error::Full { account, limit, used } => Fault::new(
                Code::QuotaHard,
                format!("the account {account} is full: {} of {} are taken", size(*used), size(*limit)),
            )
            .hint("remove versions, or ask the vault's administrator for more room"),
            Error::Disk { cause, .. } if cause.kind() == std::io::ErrorKind::PermissionDenied => {
                Fault::new(Code::VaultRefused, "the vault belongs to another user of its machine")
                    .hint("run as the user who made it, or as root")
            }
            Error::Disk { doing, cause, .. } => {
                Fault::new(Code::DiskFailed, format!("the vault's disk failed ({doing}: {})", cause.kind()))
                    .hint("look at the server's log and disk")
            }
            Error::Catalog(_) => Fault::new(Code::DiskFailed, "the vault's catalog failed").hint("tuckbox check"),
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
