//! What can go wrong between two ends, as far as a caller may decide something by it.

use std::{fmt, io};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Each variant is a decision that a caller can take; texts for people are made in `agent`.
///
/// An error is cheap to clone, because a lost connection ends every call on it with the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The connection is gone: connect again, go on where it stopped.
    Lost {
        /// One sentence for the log.
        why: String,
    },
    /// Nothing came in time. Connecting again may help.
    Timeout {
        /// What was waited for.
        what: &'static str,
    },
    /// The far side never said the magic value: it is not our program that answers.
    NoMagic {
        /// The beginning of what came instead, as it came; may be empty. Pass it through [`harmless`].
        noise: Vec<u8>,
    },
    /// No version of the protocol is spoken by both.
    Version {
        /// Lowest and highest version that this program speaks.
        ours: (u16, u16),
        /// The peer's.
        theirs: (u16, u16),
    },
    /// One end cannot do without a feature that the other lacks.
    Feature {
        /// Its name, made harmless.
        name: String,
    },
    /// The peer ended the connection and said why.
    Peer {
        /// What kind of reason.
        code: Code,
        /// One sentence, made harmless.
        text: String,
        /// Seconds after which another attempt may succeed; `None`: it will not.
        retry_after_s: Option<u32>,
    },
    /// The peer broke the rules of the protocol: damage on the way, or a faulty program.
    Protocol(&'static str),
    /// The peer ended this one call before its end; the connection is good.
    Reset(Code),
    /// The server has ended this call, so nothing more can be sent on it: read what it said.
    Ended,
    /// Something that the caller wants to send, or to open, is above a bound.
    Limit {
        /// Of what.
        what: &'static str,
        /// The number.
        found: u64,
        /// The bound.
        most: u64,
    },
    /// This is no address of a vault.
    Address {
        /// One sentence.
        why: String,
    },
    /// The server's key is not one that we may trust.
    HostKey(HostKey),
    /// The host is reached, but does not let us in.
    Auth {
        /// User and host.
        who: String,
        /// One sentence: what was tried, what the server would take.
        why: String,
    },
    /// The host cannot be reached.
    Unreachable {
        /// Host and port, or the command.
        host: String,
        /// What the system said.
        why: String,
    },
    /// We are in, but the program does not start there.
    NoProgram {
        /// The host, or the command.
        host: String,
        /// What its shell said, made harmless.
        why: String,
    },
}

/// What is wrong with a server's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// The host as known_hosts names it.
    pub host: String,
    /// `SHA256:…` of the key that the server showed.
    pub fingerprint: String,
    /// What is wrong.
    pub problem: HostKeyProblem,
}

/// Ways in which a server's key may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKeyProblem {
    /// Never seen, and nobody who could say yes.
    Unknown,
    /// Another key is on record.
    Changed {
        /// File and line of the record.
        on_record: String,
    },
    /// The key, or the certificate's authority, is marked as revoked.
    Revoked {
        /// File and line of the mark.
        on_record: String,
    },
    /// The records cannot be read, or the certificate is not good.
    Unusable {
        /// One sentence.
        why: String,
    },
}

/// Why a call or a connection was ended. Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// The caller does not want the answer any more.
    pub const CANCELLED: Self = Self(10);
    /// The handler ended without an answer: a fault of the program.
    pub const DROPPED: Self = Self(11);
    /// The call was silent for too long.
    pub const SILENT: Self = Self(12);
    /// The peer broke the rules of the protocol.
    pub const PROTOCOL: Self = Self(100);
    /// No room for another worker now.
    pub const BUSY: Self = Self(700);
    /// No common version of the protocol.
    pub const VERSION: Self = Self(800);
    /// A feature is missing.
    pub const FEATURE: Self = Self(801);
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error {
    /// A loss, with a sentence.
    pub fn lost(why: impl Into<String>) -> Self {
        Self::Lost { why: why.into() }
    }

    /// A pipe that failed.
    #[must_use]
    pub fn from_pipe(doing: &'static str, cause: &io::Error) -> Self {
        Self::Lost { why: format!("{doing}: {cause}") }
    }

    /// Whether connecting again may help.
    #[must_use]
    pub fn is_worth_retrying(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. }
                | Self::Timeout { .. }
                | Self::Unreachable { .. }
                | Self::Peer { retry_after_s: Some(_), .. }
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { why } => write!(f, "the connection is lost: {why}"),
            Self::Timeout { what } => write!(f, "no {what} in time"),
            Self::NoMagic { noise } if noise.is_empty() => f.write_str("the far side ended before it said anything"),
            Self::NoMagic { noise } => write!(f, "the far side is not tuckbox; it said: {}", harmless(noise, 200)),
            Self::Version { ours, theirs } => write!(
                f,
                "this program speaks protocol {} to {}, the far side {} to {}",
                ours.0, ours.1, theirs.0, theirs.1
            ),
            Self::Feature { name } => write!(f, "one end needs the feature {name}, the other lacks it"),
            Self::Peer { code, text, .. } => write!(f, "the far side ended the connection: {text} ({code})"),
            Self::Protocol(why) => write!(f, "the far side broke the protocol: {why}"),
            Self::Reset(Code::BUSY) => {
                f.write_str("the far side cannot start to work on the request: too little memory, or too many threads")
            }
            Self::Reset(code) => write!(f, "the far side ended the request ({code})"),
            Self::Ended => f.write_str("the far side has ended the request"),
            Self::Limit { what, found, most } => write!(f, "{what}: {found} is more than {most}"),
            Self::Address { why } | Self::HostKey(HostKey { problem: HostKeyProblem::Unusable { why }, .. }) => {
                f.write_str(why)
            }
            Self::HostKey(HostKey { host, fingerprint, problem: HostKeyProblem::Unknown }) => {
                write!(f, "the key of {host} is not known: {fingerprint}")
            }
            Self::HostKey(HostKey { host, fingerprint, problem: HostKeyProblem::Changed { on_record } }) => {
                write!(f, "the key of {host} has changed: it shows {fingerprint}, another is on record in {on_record}")
            }
            Self::HostKey(HostKey { host, fingerprint, problem: HostKeyProblem::Revoked { on_record } }) => {
                write!(f, "the key of {host}, {fingerprint}, is revoked in {on_record}")
            }
            Self::Auth { who, why } => write!(f, "{who} is not let in: {why}"),
            Self::Unreachable { host, why } => write!(f, "{host} cannot be reached: {why}"),
            Self::NoProgram { host, why } => write!(f, "tuckbox does not start on {host}: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// Text of the far side as it may be shown: at most `most` characters, what is not UTF-8, every control character
/// and every character that turns the direction of writing made visible.
#[must_use]
pub fn harmless(text: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(text.get(..most.saturating_mul(4)).unwrap_or(text)).into_owned();
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end().chars().take(most) {
        let turns =
            matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c == '\n' {
            out.push(' ');
        } else if c.is_control() || turns {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_far_side_cannot_steer_a_terminal() {
        assert_eq!(harmless(b"a\x1b[31mred\r\nb\n", 100), "a\\u{1b}[31mred\\u{d} b");
        assert_eq!(harmless("x\u{202e}y".as_bytes(), 100), "x\\u{202e}y");
        assert_eq!(harmless(b"\xff\xfe", 100), "\u{fffd}\u{fffd}");
        assert_eq!(harmless(&[b'a'; 5000], 10), "aaaaaaaaaa");
    }
}
