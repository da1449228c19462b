//! Where a vault is, as a person writes it.
//!
//! | written | meaning |
//! |---|---|
//! | `/path`, `./path`, `path` | a directory of this machine |
//! | `cmd:COMMAND` | a command whose stdin and stdout are the pipe |
//! | `ssh://[user@]host[:port]/path` | absolute on the host |
//! | `ssh://[user@]host[:port]/~/path` | from the home of the remote user |
//! | `ssh://[user@]host[:port]` | the forced command of our key decides |
//! | `[user@]host:path` | from the home of the remote user (`host:/path` is absolute, `host:` has none) |
//!
//! An IPv6 host stands in brackets, in both forms.

use std::{fmt, path::PathBuf};

use crate::error::{Error, Result};

/// Where a vault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A directory of this machine; not yet made absolute.
    Local(PathBuf),
    /// A command for `sh -c`.
    Command(String),
    /// A host that SSH reaches.
    Ssh(SshAddress),
}

/// A host that SSH reaches, and what is wanted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAddress {
    /// The remote user, when written.
    pub user: Option<String>,
    /// A host name, an alias of the SSH configuration, or an address without brackets. Never begins with `-`.
    pub host: String,
    /// The port, when written.
    pub port: Option<u16>,
    /// The vault's directory there.
    pub path: RemotePath,
}

/// The vault's directory on a remote host. Text, as it travels inside a command line; never holds control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemotePath {
    /// Begins with `/`.
    Absolute(String),
    /// From the home of the remote user; not empty, does not begin with `/`.
    Home(String),
    /// None: the forced command of the SSH key decides.
    Forced,
}

fn bad<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::Address { why: why.into() })
}

/// What other backup tools write before a colon; none of them is a host.
const FOREIGN: [&str; 11] = ["sftp", "rest", "s3", "b2", "azure", "gs", "swift", "rclone", "file", "http", "https"];

/// What neither a host nor a user may hold: each means something to a shell, and no real name has them.
const SHELL_CHARACTERS: &str = "'\"`$\\;&<>|(){}*?!#";

impl Address {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// [`Error::Address`] with one sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return bad("the address of the vault is empty");
        }
        if let Some(command) = text.strip_prefix("cmd:") {
            return if command.trim().is_empty() || command.contains('\0') {
                bad("`cmd:` needs a command after the colon")
            } else {
                Ok(Self::Command(command.to_owned()))
            };
        }
        if text.chars().any(char::is_control) {
            return bad("an address cannot hold control characters");
        }
        if let Some(rest) = text.strip_prefix("ssh://") {
            return parse_url(rest).map(Self::Ssh);
        }
        match scp_split(text)? {
            None => Ok(Self::Local(PathBuf::from(text))),
            Some((host, path)) => parse_scp(host, path).map(Self::Ssh),
        }
    }
}

/// `user@host:path` is known by a colon before the first slash; brackets hide the colons of an IPv6 address.
fn scp_split(text: &str) -> Result<Option<(&str, &str)>> {
    let head = text.split('/').next().unwrap_or(text);
    if head.is_empty() || head == "." || head == ".." {
        return Ok(None);
    }
    let open = if head.starts_with('[') { Some(0) } else { head.find("@[").map(|at| at + 1) };
    let from = match open {
        None => 0,
        Some(open) => match head.get(open..).and_then(|rest| rest.find(']')) {
            Some(close) => open + close,
            None => return bad(format!("`{head}` opens a bracket and does not close it")),
        },
    };
    let Some(colon) = head.get(from..).and_then(|rest| rest.find(':')).map(|at| at + from) else { return Ok(None) };
    let (host, path) = text.split_at(colon);
    let path = path.get(1..).unwrap_or_default();
    if path.starts_with("//") {
        return bad(format!("`{host}://` is not supported; use ssh://host/path, user@host:path, /path or cmd:COMMAND"));
    }
    if FOREIGN.contains(&host) {
        return bad(format!("`{host}:` is not supported (for a host of that name write ssh://{host}/path)"));
    }
    if open.is_none() && path.matches(':').count() > 0 && host.chars().all(|c| c.is_ascii_hexdigit()) {
        return bad(format!("put an IPv6 address in brackets, as in [{head}]:path"));
    }
    Ok(Some((host, path)))
}

fn parse_scp(authority: &str, path: &str) -> Result<SshAddress> {
    let (user, host) = split_user(authority)?;
    let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(inside) => check_ipv6(inside)?,
        None => check_host(host)?,
    };
    Ok(SshAddress { user, host, port: None, path: home_or_absolute(path)? })
}

fn parse_url(rest: &str) -> Result<SshAddress> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (user, host) = split_user(authority)?;
    let (host, port) = if let Some(inside) = host.strip_prefix('[') {
        let Some((inside, after)) = inside.split_once(']') else {
            return bad(format!("`{host}` opens a bracket and does not close it"));
        };
        let port = match after.strip_prefix(':') {
            Some(port) => Some(check_port(port)?),
            None if after.is_empty() => None,
            None => return bad(format!("`{after}` after the bracket is neither a port nor a path")),
        };
        (check_ipv6(inside)?, port)
    } else {
        match host.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return bad(format!("put an IPv6 address in brackets, as in ssh://[{host}]/path"));
            }
            Some((host, port)) => (check_host(host)?, Some(check_port(port)?)),
            None => (check_host(host)?, None),
        }
    };
    let path = match path.strip_prefix("/~") {
        Some("" | "/") => return bad("name a directory below the home, as in ssh://host/~/vault"),
        Some(below) if below.starts_with('/') => home_or_absolute(below.trim_start_matches('/'))?,
        Some(_) => return bad("only the home of the user who logs in can be named, as /~/path"),
        None if path == "/" => RemotePath::Forced,
        None => home_or_absolute(path)?,
    };
    Ok(SshAddress { user, host, port, path })
}

fn home_or_absolute(path: &str) -> Result<RemotePath> {
    if path.is_empty() {
        Ok(RemotePath::Forced)
    } else if path.chars().all(|c| c == '/') {
        bad("the root directory is no vault; name one below it")
    } else if path.starts_with("/~") {
        bad("`/~` stands for the home; for a directory of that name write /./~")
    } else if path.starts_with('/') {
        Ok(RemotePath::Absolute(path.to_owned()))
    } else if path == "~" || path == "~/" {
        bad("name a directory below the home, as in host:vault")
    } else if let Some(below) = path.strip_prefix("~/") {
        home_or_absolute(below.trim_start_matches('/'))
    } else if path.starts_with('~') {
        bad("only the home of the user who logs in can be named, as ~/path")
    } else {
        Ok(RemotePath::Home(path.to_owned()))
    }
}

/// The last `@` divides, as user names of directory services hold one themselves.
fn split_user(authority: &str) -> Result<(Option<String>, &str)> {
    let Some((user, host)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    if user.contains(':') {
        return bad("a password does not belong into an address; use a key, or let SSH ask");
    }
    if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
        return bad(format!("`{user}` is no user name"));
    }
    Ok((Some(user.to_owned()), host))
}

fn plain(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !SHELL_CHARACTERS.contains(c)
}

fn check_host(host: &str) -> Result<String> {
    if host.is_empty() {
        bad("the host is missing")
    } else if host.starts_with('-') {
        bad(format!("a host name does not begin with `-`: `{host}`"))
    } else if host.len() > 255 || !host.chars().all(|c| plain(c) && !"[]@:/%".contains(c)) {
        bad(format!("`{host}` is no host name"))
    } else {
        Ok(host.to_owned())
    }
}

fn check_ipv6(inside: &str) -> Result<String> {
    let (address, scope) = inside.split_once('%').unwrap_or((inside, "none"));
    let scope_fits = !scope.is_empty() && scope.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if address.parse::<std::net::Ipv6Addr>().is_ok() && scope_fits {
        Ok(inside.to_owned())
    } else {
        bad(format!("`{inside}` is no IPv6 address"))
    }
}

fn check_port(text: &str) -> Result<u16> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => bad(format!("`{text}` is no port (1 to 65535)")),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Command(command) => write!(f, "cmd:{command}"),
            Self::Ssh(ssh) => ssh.fmt(f),
        }
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.path {
            RemotePath::Absolute(path) => f.write_str(path),
            RemotePath::Home(path) => write!(f, "/~/{path}"),
            RemotePath::Forced => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ssh(text: &str) -> (Option<String>, String, Option<u16>, RemotePath) {
        match Address::parse(text) {
            Ok(Address::Ssh(a)) => (a.user, a.host, a.port, a.path),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn absolute(path: &str) -> RemotePath {
        RemotePath::Absolute(path.into())
    }

    fn home(path: &str) -> RemotePath {
        RemotePath::Home(path.into())
    }

    #[test]
    fn forms_of_ssh() {
        assert_eq!(ssh("ssh://h/p"), (None, "h".into(), None, absolute("/p")));
        assert_eq!(ssh("ssh://u@h:22/p/q r"), (Some("u".into()), "h".into(), Some(22), absolute("/p/q r")));
        assert_eq!(ssh("ssh://h/~/p"), (None, "h".into(), None, home("p")));
        assert_eq!(ssh("ssh://h"), (None, "h".into(), None, RemotePath::Forced));
        assert_eq!(ssh("ssh://h/"), (None, "h".into(), None, RemotePath::Forced));
        assert_eq!(ssh("ssh://h:2222"), (None, "h".into(), Some(2222), RemotePath::Forced));
        assert_eq!(ssh("ssh://a@b.c@h/p").0, Some("a@b.c".into()));
        assert_eq!(ssh("ssh://u@[::1]:2222/s"), (Some("u".into()), "::1".into(), Some(2222), absolute("/s")));
        assert_eq!(ssh("ssh://[fe80::1%eth0]/s").1, "fe80::1%eth0");
        assert_eq!(ssh("u@h:p"), (Some("u".into()), "h".into(), None, home("p")));
        assert_eq!(ssh("h:a:b/c"), (None, "h".into(), None, home("a:b/c")));
        assert_eq!(ssh("h:/p"), (None, "h".into(), None, absolute("/p")));
        assert_eq!(ssh("h:~/p").3, home("p"));
        assert_eq!(ssh("u@h:"), (Some("u".into()), "h".into(), None, RemotePath::Forced));
        assert_eq!(ssh("u@[::1]:p"), (Some("u".into()), "::1".into(), None, home("p")));
        assert_eq!(ssh("[::1]:/p"), (None, "::1".into(), None, absolute("/p")));
    }

    #[test]
    fn forms_of_local_and_command() {
        for path in ["/a/b", "./a:b", "../x", "vault", "a/b:c", "/a:b"] {
            assert_eq!(Address::parse(path), Ok(Address::Local(path.into())), "{path}");
        }
        assert_eq!(
            Address::parse("cmd:docker exec -i x tuckbox serve --stdio"),
            Ok(Address::Command("docker exec -i x tuckbox serve --stdio".into()))
        );
    }

    #[test]
    fn what_is_refused_and_why() {
        for (text, word) in [
            ("", "empty"),
            ("cmd:", "command"),
            ("cmd:  ", "command"),
            ("ssh://", "host is missing"),
            ("ssh:///p", "host is missing"),
            ("ssh://u@/p", "host is missing"),
            (":p", "host is missing"),
            ("ssh://-oProxyCommand=x/p", "begin with `-`"),
            ("-oProxyCommand=x:p", "begin with `-`"),
            ("u@-x:p", "begin with `-`"),
            ("ssh://-l@h/p", "user name"),
            ("ssh://@h/p", "user name"),
            ("ssh://u:secret@h/p", "password"),
            ("ssh://h:0/p", "port"),
            ("ssh://h:65536/p", "port"),
            ("ssh://h:+22/p", "port"),
            ("ssh://h:/p", "port"),
            ("ssh://[::1/p", "bracket"),
            ("[::1", "bracket"),
            ("ssh://[::1]x/p", "after the bracket"),
            ("ssh://[nonsense]/p", "IPv6"),
            ("ssh://[fe80::1%]/p", "IPv6"),
            ("ssh://::1/p", "brackets"),
            ("::1:p", "brackets"),
            ("fe80::1:p", "brackets"),
            ("ssh://a b/p", "host name"),
            ("ssh://a;b/p", "host name"),
            ("ssh://$(x)/p", "host name"),
            ("ssh://h/~", "below the home"),
            ("ssh://h/~other/p", "only the home"),
            ("h:~other/p", "only the home"),
            ("h:/", "root directory"),
            ("h:/~/p", "stands for the home"),
            ("ssh://h//", "root directory"),
            ("ssh://h/p\nq", "control"),
            ("sftp://h/p", "not supported"),
            ("sftp:u@h:/p", "not supported"),
            ("https://h/p", "not supported"),
        ] {
            match Address::parse(text) {
                Err(Error::Address { why }) => assert!(why.contains(word), "{text}: {why}"),
                got => panic!("{text} was taken as {got:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "(ssh://)?([a-z]{1,3}@)?([a-z.]{1,6}|\\[::1\\])(:[0-9]{1,4})?[:/](~/)?[a-z/ :~]{0,6}") {
            if let Ok(Address::Ssh(address)) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(Address::Ssh(address)));
            }
        }

        #[test]
        fn rubbish_never_panics_and_never_yields_an_option(text in ".{0,40}") {
            if let Ok(Address::Ssh(address)) = Address::parse(&text) {
                prop_assert!(!address.host.is_empty() && !address.host.starts_with('-'));
                prop_assert!(!address.user.is_some_and(|u| u.is_empty() || u.starts_with('-')));
            }
        }
    }
}
