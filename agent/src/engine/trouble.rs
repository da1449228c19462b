//! Errors of the crates below, as sentences with a code and a hint.

use store::error::KeyError;
use transport::error::{HostKey, HostKeyProblem, harmless};
use transport::message::Refusal;

use crate::fault::{Code, Fault};
use crate::name::for_terminal;

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        from_store(&error)
    }
}

/// A fault from an error at rest.
pub fn from_store(error: &store::Error) -> Fault {
    use store::Error as E;
    if error.is_full() {
        return Fault::new(Code::DiskFull, "the disk is full")
            .because(error)
            .hint("free some space, then run the same command again");
    }
    match error {
        E::Disk { doing, path, cause } => {
            let path = for_terminal(path.as_os_str().as_encoded_bytes());
            let code = if cause.kind() == std::io::ErrorKind::PermissionDenied {
                Code::VaultRefused
            } else {
                Code::DiskFailed
            };
            Fault::new(code, format!("cannot {doing} {path}")).because(cause)
        }
        E::Damaged { .. } => Fault::new(Code::DataDamaged, error.to_string()).hint("tuckbox check"),
        E::Newer { .. } => {
            Fault::new(Code::FormatNewer, error.to_string()).hint("update tuckbox on this machine; nothing was changed")
        }
        E::Limit { .. } => Fault::new(Code::DataDamaged, error.to_string()).hint("tuckbox check"),
        E::NotFound { what, name } => {
            Fault::new(not_found(what), format!("there is no {what} {}", for_terminal(name.as_bytes())))
        }
        E::Absent { .. } => Fault::new(Code::VolumeAbsent, error.to_string()).hint(
            "bring its disk back, then run the same command again; `tuckbox volume list` shows where it should be",
        ),
        E::Busy { what } => Fault::new(Code::SourceBusy, format!("{what} is in use"))
            .hint("wait for the other backup, then run the same command again"),
        E::Taken { what } => Fault::new(Code::AccountBound, format!("{what} is there already")),
        E::Key(key) => from_key(*key),
        E::Refused { why } => Fault::new(Code::VaultRefused, why.clone()),
        E::Full { .. } => Fault::new(Code::QuotaHard, error.to_string())
            .hint("forget versions (their room comes back some days after their 14 in the trash), or ask the vault's administrator for more room"),
        E::Frozen { why } => Fault::new(Code::AccountFrozen, why.clone())
            .hint("ask the server's administrator; reading and restoring a frozen account work"),
        E::Catalog(cause) => {
            Fault::new(Code::DiskFailed, "the catalog of the vault failed").because(cause).hint("tuckbox check")
        }
    }
}

fn not_found(what: &str) -> Code {
    match what {
        "vault" => Code::VaultNone,
        "account" => Code::AccountNone,
        "version" => Code::VersionNone,
        _ => Code::DataDamaged,
    }
}

fn from_key(error: KeyError) -> Fault {
    let text = error.to_string();
    match error {
        KeyError::Passphrase => Fault::new(Code::KeyPassphrase, "the passphrase does not open this key")
            .hint("try again, or use the recovery words: tuckbox key recover"),
        KeyError::OtherAccount => Fault::new(Code::KeyOtherAccount, text)
            .hint("name the right key: --key FILE, or the account: --account NAME"),
        KeyError::Slot => {
            Fault::new(Code::KeySlot, text).hint("use another slot, or the recovery words: tuckbox key recover")
        }
        KeyError::Words => Fault::new(Code::KeyWords, text).hint("check each word against your sheet; order matters"),
        KeyError::Unknown(_) | KeyError::Seal | KeyError::Signature => {
            Fault::new(Code::DataDamaged, text).hint("tuckbox check")
        }
    }
}

/// A fault from an error between two ends.
pub fn from_transport(error: &transport::Error) -> Fault {
    use transport::Error as E;
    let text = error.to_string();
    match error {
        E::Lost { why } => Fault::new(Code::NetLost, "the connection was lost")
            .because(why)
            .hint("run the same command again; it goes on where it stopped"),
        E::Timeout { .. } => {
            Fault::new(Code::NetLost, text).hint("run the same command again; it goes on where it stopped")
        }
        E::NoMagic { noise } if noise.is_empty() => {
            Fault::new(Code::NetNotOurs, "the far side ended before it said anything")
                .hint("check that tuckbox is installed there and that the account may run it")
        }
        E::NoMagic { noise } => Fault::new(Code::NetNotOurs, "what answers is not tuckbox")
            .because(format!("it said: {}", harmless(noise, 200)))
            .hint("log in there by hand and look at what its shell prints; --remote-program PATH names the program"),
        E::Version { .. } | E::Feature { .. } => {
            Fault::new(Code::NetVersion, text).hint("update the older of the two programs; nothing was changed")
        }
        E::Peer { text, retry_after_s, .. } => {
            let code = if retry_after_s.is_some() { Code::NetLost } else { Code::NetProtocol };
            Fault::new(code, format!("the server ended the connection: {}", shortened(text)))
        }
        E::Reset(transport::Code::BUSY) => Fault::new(Code::System, text)
            .hint("run the same command again when less runs there, or with higher limits (ulimit -a)"),
        E::Protocol(_) | E::Reset(_) | E::Ended | E::Limit { .. } => Fault::new(Code::NetProtocol, text),
        E::Address { .. } => Fault::new(Code::Usage, text)
            .hint("an address is /path, ssh://user@host/path, user@host:path or cmd:COMMAND"),
        E::HostKey(HostKey { host, problem, .. }) => {
            let hint = match problem {
                HostKeyProblem::Unknown => format!("look at the key once: {}", ssh_command(host)),
                HostKeyProblem::Changed { on_record } => {
                    format!("if the change is right, remove the old key ({on_record}) and connect again")
                }
                HostKeyProblem::Revoked { .. } | HostKeyProblem::Unusable { .. } => {
                    "ask the server's administrator".into()
                }
            };
            Fault::new(Code::AuthHostkey, text).hint(hint)
        }
        E::Auth { .. } => {
            Fault::new(Code::AuthRefused, text.trim_end_matches('.')).hint("check that ssh lets you in without tuckbox")
        }
        E::Unreachable { .. } => Fault::new(Code::NetUnreachable, text)
            .hint("check the name and the network, then run the same command again"),
        E::NoProgram { .. } => {
            Fault::new(Code::NetNoProgram, text).hint("install tuckbox there, or name it: --remote-program PATH")
        }
    }
}

/// What to type to look at a host's key; `host` as known_hosts names it: `name` or `[name]:port`.
fn ssh_command(host: &str) -> String {
    let host = for_terminal(host.as_bytes());
    match host.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some((name, port)) => format!("ssh -p {port} {name}"),
        None => format!("ssh {host}"),
    }
}

/// A fault from a server's refusal: its code when we know it, its words made harmless.
pub fn from_refusal(refusal: &Refusal) -> Fault {
    let code = Code::ALL.iter().copied().find(|code| code.name() == refusal.code).unwrap_or(Code::System);
    // A server that can say so is not out of reach: nothing is gained by connecting again and again.
    let code = if matches!(code, Code::NetLost | Code::NetUnreachable) { Code::System } else { code };
    let fault = Fault::new(code, for_terminal(shortened(&refusal.text).as_bytes()));
    match &refusal.hint {
        Some(hint) => fault.hint(for_terminal(shortened(hint).as_bytes())),
        None => fault,
    }
}

/// Longest sentence of a server's that is shown, in characters. Ours have 200.
const REMOTE_CHARS_MAX: usize = 500;

/// The beginning of what a server says, as much as somebody reads.
pub fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(REMOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

/// The far side broke the rules.
pub fn protocol(what: &str) -> Fault {
    Fault::new(Code::NetProtocol, format!("the server broke the protocol: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_room_for_a_worker_is_told_as_such() {
        let fault = from_transport(&transport::Error::Reset(transport::Code::BUSY));
        assert_eq!(fault.code, Code::System);
        assert!(fault.message.contains("too little memory, or too many threads"), "{}", fault.message);
        assert_eq!(from_transport(&transport::Error::Reset(transport::Code(10))).code, Code::NetProtocol);
    }

    #[test]
    fn a_server_that_talks_too_much_is_cut_short() {
        let refusal = |text: String, hint| Refusal { code: "disk.full".into(), text, hint: Some(hint) };
        let fault = from_refusal(&refusal("ä\x1b".repeat(1 << 20), "x".repeat(1 << 20)));
        assert!(fault.message.chars().count() < 5_000 && fault.message.ends_with('…'), "{}", fault.message.len());
        assert_eq!(fault.hint.unwrap().chars().count(), REMOTE_CHARS_MAX + 1);
        let fault = from_refusal(&refusal("the vault's disk is full".into(), "free some".into()));
        assert_eq!(fault.message, "the vault's disk is full");
    }
}
