//! How a host is reached: what `ssh -G` says of it, so that aliases, `Include`, `Match` and all the rest mean here
//! what they mean to ssh.
//!
//! `ssh -G` prints effective values, defaults included, one `keyword value` a line, keywords in lower case. Files
//! still have their `~` and `%` tokens, which are expanded here; a token that is not known is an [`Obstacle`].

use std::{fmt, os::unix::net::UnixStream, path::PathBuf, process, time::Duration};

use super::{answer::answer, surroundings::Surroundings};
use crate::{
    address::SshAddress,
    error::{Error, Result, harmless},
};

/// What to do with a host that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strict {
    /// Refuse.
    Yes,
    /// Ask, and refuse when nobody is there.
    Ask,
    /// Take the first key, refuse a changed one. `no` means this, too: a changed key is never taken.
    AcceptNew,
}

/// How the connection to the host is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// Directly.
    None,
    /// Through these hosts, the nearest first, each `[user@]host[:port]`.
    Jump(Vec<String>),
    /// Through the stdin and stdout of this command, tokens expanded.
    Command(String),
}

/// Why the embedded client cannot do what the configuration wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What, as in "KnownHostsCommand".
    pub what: String,
    /// Whether going on without it would be less safe than what was asked for: then never go on.
    pub hard: bool,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Keywords and values as printed.
#[derive(Clone, Debug, Default)]
pub struct Printed(Vec<(String, String)>);

impl Printed {
    /// Reads what `ssh -G` printed.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pair = |line: &str| {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            (!key.is_empty()).then(|| (key.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Self(text.lines().filter_map(pair).collect())
    }

    /// Every value of a keyword.
    pub fn all<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a str> + use<'a, 'k> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The value of a keyword, when it is set: `none` and nothing count as not set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next().filter(|v| !v.is_empty() && !v.eq_ignore_ascii_case("none"))
    }

    /// Whether a keyword is switched on.
    #[must_use]
    pub fn is_on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "yes" | "true"))
    }

    fn is_off(&self, key: &str) -> bool {
        self.get(key).is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "no" | "false"))
    }

    /// A list with commas.
    #[must_use]
    pub fn list(&self, key: &str) -> Option<Vec<String>> {
        Some(self.get(key)?.split(',').map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect())
    }
}

/// A host and all that is needed to log in to it.
#[derive(Clone, Debug)]
pub struct Host {
    /// As a person wrote it.
    pub alias: String,
    /// The name or address to connect to.
    pub name: String,
    /// The port.
    pub port: u16,
    /// The remote user.
    pub user: String,
    /// How to get there.
    pub proxy: Proxy,
    /// Key files, in the order to try them; those that are not there are passed over.
    pub identity_files: Vec<PathBuf>,
    /// Certificates of the user.
    pub certificate_files: Vec<PathBuf>,
    /// Offer only keys that are configured.
    pub identities_only: bool,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// Where accepted keys go (the first) and where known ones are looked for.
    pub user_known_hosts: Vec<PathBuf>,
    /// Looked for there, too.
    pub global_known_hosts: Vec<PathBuf>,
    /// Stands for host and port in known_hosts.
    pub host_key_alias: Option<String>,
    /// What to do with an unknown host.
    pub strict: Strict,
    /// Hide names when accepted keys are written.
    pub hash_known_hosts: bool,
    /// The most time for the connection.
    pub connect_timeout: Duration,
    /// Environment for the far side.
    pub set_env: Vec<(String, String)>,
    /// All the rest, as printed.
    pub printed: Printed,
    /// What the values above could not express.
    pub obstacles: Vec<Obstacle>,
}

/// Without `ConnectTimeout`. A host that answers at all answers sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for `ssh -G`: it reads files and may run the commands of `Match exec`.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Resolves a host by `ssh -G`; by the defaults of ssh when there is none.
///
/// # Errors
/// [`Error::Unreachable`] when ssh refuses the configuration or the name.
pub fn resolve(address: &SshAddress, around: &Surroundings) -> Result<Host> {
    let failed = |why: String| Error::Unreachable { host: address.host.clone(), why };
    let Some(ssh) = &around.ssh else { return Ok(Host::from_printed(address, Printed::default(), around)) };
    let mut command = process::Command::new(ssh);
    command.args(options(address)).arg("-G").arg("--").arg(&address.host);
    let out = answer(command, ANSWER_WITHIN).map_err(|e| failed(format!("{} -G: {e}", ssh.display())))?;
    if !out.status.success() {
        return Err(failed(format!("ssh -G refuses it: {}", harmless(&out.stderr, 400))));
    }
    Ok(Host::from_printed(address, Printed::parse(&String::from_utf8_lossy(&out.stdout)), around))
}

/// What both `ssh -G` and `ssh` are told of the address.
#[must_use]
pub fn options(address: &SshAddress) -> Vec<std::ffi::OsString> {
    let mut options: Vec<std::ffi::OsString> = Vec::new();
    if let Some(port) = address.port {
        options.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(user) = &address.user {
        options.extend(["-l".into(), user.into()]);
    }
    options
}

impl Host {
    /// Whether a connection of the system's ssh is up that others may share (`ControlMaster`).
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.printed.get("controlpath").is_some_and(|path| UnixStream::connect(path).is_ok())
    }

    /// What the printed values mean for this address.
    #[must_use]
    pub fn from_printed(address: &SshAddress, printed: Printed, around: &Surroundings) -> Self {
        let text = |key: &str| printed.get(key).map(str::to_owned);
        let user = address.user.clone().or_else(|| text("user")).unwrap_or_else(|| around.user.clone());
        let port = address.port.or_else(|| printed.get("port")?.parse().ok()).unwrap_or(22);
        let name = text("hostname").unwrap_or_else(|| address.host.to_ascii_lowercase());
        let mut tokens = Tokens {
            around,
            alias: &address.host,
            name: &name,
            port,
            user: &user,
            key_alias: printed.get("hostkeyalias"),
            jump: printed.get("proxyjump").unwrap_or_default(),
            obstacles: Vec::new(),
        };

        let proxy = match (printed.get("proxyjump"), printed.get("proxycommand")) {
            (Some(jump), _) => Proxy::Jump(jump.split(',').map(|hop| hop.trim().to_owned()).collect()),
            (None, Some(command)) => tokens.expand(command).map_or(Proxy::None, Proxy::Command),
            (None, None) => Proxy::None,
        };
        let identity_files = match printed.get("identityfile") {
            Some(_) => tokens.files(printed.all("identityfile").filter(|v| *v != "none")),
            None if printed.all("identityfile").next().is_some() => Vec::new(),
            None => ["id_rsa", "id_ecdsa", "id_ed25519"].iter().map(|f| around.home.join(".ssh").join(f)).collect(),
        };
        let certificate_files = tokens.files(printed.all("certificatefile").filter(|v| *v != "none"));
        let agent = tokens.agent(printed.get("identityagent"), printed.all("identityagent").next().is_some());
        let known_hosts = |tokens: &mut Tokens<'_>, key: &str, default: &[&str]| match printed.all(key).next() {
            Some("none") => Vec::new(),
            Some(list) => tokens.files(split_paths(list).iter().map(String::as_str)),
            None => default.iter().map(|path| around.tilde(path)).collect(),
        };
        let user_known_hosts =
            known_hosts(&mut tokens, "userknownhostsfile", &["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]);
        let global_known_hosts = known_hosts(&mut tokens, "globalknownhostsfile", &["/etc/ssh/ssh_known_hosts"]);
        let strict = match printed.get("stricthostkeychecking") {
            Some("yes" | "true") => Strict::Yes,
            Some("accept-new" | "no" | "false" | "off") => Strict::AcceptNew,
            _ => Strict::Ask,
        };
        let seconds = printed.get("connecttimeout").and_then(|v| v.parse().ok()).filter(|s| *s > 0);
        let set_env = printed.all("setenv").filter_map(|v| v.split_once('='));
        let set_env = set_env.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();

        let obstacles = tokens.obstacles;
        Self {
            alias: address.host.clone(),
            port,
            proxy,
            identity_files,
            certificate_files,
            identities_only: printed.is_on("identitiesonly"),
            agent,
            user_known_hosts,
            global_known_hosts,
            host_key_alias: text("hostkeyalias").map(|alias| alias.to_ascii_lowercase()),
            strict,
            hash_known_hosts: printed.is_on("hashknownhosts"),
            connect_timeout: seconds.map_or(CONNECT_TIMEOUT, Duration::from_secs),
            set_env,
            obstacles,
            name,
            user,
            printed,
        }
    }

    /// The name under which the host's keys stand in known_hosts.
    #[must_use]
    pub fn key_name(&self) -> String {
        match &self.host_key_alias {
            Some(alias) => alias.clone(),
            None => super::known_hosts::host_name(&self.name, self.port),
        }
    }

    /// Whether a way to log in may be tried: allowed by its own switch and by `PreferredAuthentications`.
    #[must_use]
    pub fn may_use(&self, method: &str) -> bool {
        let switch = match method {
            "publickey" => "pubkeyauthentication",
            "password" => "passwordauthentication",
            _ => "kbdinteractiveauthentication",
        };
        let preferred = self.printed.list("preferredauthentications");
        !self.printed.is_off(switch) && preferred.is_none_or(|list| list.iter().any(|m| m == method))
    }

    /// How often a password may be typed.
    #[must_use]
    pub fn password_prompts(&self) -> u32 {
        self.printed.get("numberofpasswordprompts").and_then(|v| v.parse().ok()).unwrap_or(3)
    }
}

/// Paths in a line, parted by blanks that paths may hold, too: a new one begins where it can.
fn split_paths(list: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for word in list.split(' ') {
        let word = word.trim_matches('"');
        match paths.last_mut() {
            Some(last) if !word.starts_with(['/', '~', '%', '$']) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => paths.push(word.to_owned()),
        }
    }
    paths
}

/// Values for `%` tokens.
struct Tokens<'a> {
    around: &'a Surroundings,
    alias: &'a str,
    name: &'a str,
    port: u16,
    user: &'a str,
    key_alias: Option<&'a str>,
    jump: &'a str,
    obstacles: Vec<Obstacle>,
}

impl Tokens<'_> {
    /// The text with its tokens replaced; `None` and an obstacle when it holds one that is not known here.
    fn expand(&mut self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let token = rest.next();
            match token {
                Some('%') => out.push('%'),
                Some('d') => out.push_str(&self.around.home.to_string_lossy()),
                Some('h') => out.push_str(self.name),
                Some('i') => out.push_str(&rustix::process::getuid().as_raw().to_string()),
                Some('j') => out.push_str(self.jump),
                Some('k') => out.push_str(self.key_alias.unwrap_or(self.alias)),
                Some('L') => out.push_str(self.around.machine.split('.').next().unwrap_or_default()),
                Some('l') => out.push_str(&self.around.machine),
                Some('n') => out.push_str(self.alias),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(self.user),
                Some('u') => out.push_str(&self.around.user),
                other => {
                    let token: String = other.into_iter().collect();
                    self.obstacles.push(Obstacle { what: format!("the token %{token} in `{text}`"), hard: true });
                    return None;
                }
            }
        }
        Some(out)
    }

    fn files<'a>(&mut self, paths: impl Iterator<Item = &'a str>) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for path in paths {
            if path.contains("${") {
                self.obstacles.push(Obstacle { what: format!("the variable in `{path}`"), hard: true });
            } else if let Some(path) = self.expand(path) {
                files.push(self.around.tilde(&path));
            }
        }
        files
    }

    fn agent(&mut self, value: Option<&str>, is_set: bool) -> Option<PathBuf> {
        match value {
            None if is_set => None,
            None | Some("SSH_AUTH_SOCK" | "$SSH_AUTH_SOCK" | "${SSH_AUTH_SOCK}") => self.around.agent.clone(),
            Some(other) if other.starts_with('$') => {
                self.obstacles.push(Obstacle { what: format!("IdentityAgent {other}"), hard: false });
                None
            }
            Some(path) => self.files(std::iter::once(path)).pop(),
        }
    }
}

/// One hop of `ProxyJump`: `[user@]host[:port]`, or the same as a URL.
///
/// # Errors
/// [`Error::Unreachable`] with what is wrong with it.
pub fn parse_hop(hop: &str) -> Result<SshAddress> {
    let url = if hop.starts_with("ssh://") { hop.to_owned() } else { format!("ssh://{hop}") };
    match crate::address::Address::parse(&url) {
        Ok(crate::address::Address::Ssh(address)) => Ok(address),
        _ => Err(Error::Unreachable { host: hop.to_owned(), why: "ProxyJump names no host".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::RemotePath;

    fn address(user: Option<&str>, port: Option<u16>) -> SshAddress {
        SshAddress { user: user.map(Into::into), host: "Nas".into(), port, path: RemotePath::Forced }
    }

    fn around() -> Surroundings {
        Surroundings {
            home: "/home/me".into(),
            user: "me".into(),
            agent: Some("/run/agent".into()),
            machine: "box.example".into(),
            ..Surroundings::default()
        }
    }

    fn host(text: &str) -> Host {
        Host::from_printed(&address(None, None), Printed::parse(text), &around())
    }

    #[test]
    fn values_and_tokens() {
        let h = host(
            "host Nas\nuser bob\nhostname nas.example\nport 2222\nidentityfile ~/.ssh/%r@%h:%p\nidentityfile /a b/%n\n\
             userknownhostsfile /a b/kh ~/kh2\nglobalknownhostsfile none\ncertificatefile none\nidentitiesonly yes\n\
             identityagent none\nstricthostkeychecking false\nhashknownhosts yes\nconnecttimeout 7\nsetenv A=b=c\n\
             proxyjump a@b:22,c\nproxycommand none\npreferredauthentications publickey\n",
        );
        assert_eq!((h.user.as_str(), h.name.as_str(), h.port), ("bob", "nas.example", 2222));
        assert_eq!(h.identity_files, [PathBuf::from("/home/me/.ssh/bob@nas.example:2222"), "/a b/Nas".into()]);
        assert_eq!(h.user_known_hosts, [PathBuf::from("/a b/kh"), "/home/me/kh2".into()]);
        assert!(h.global_known_hosts.is_empty() && h.certificate_files.is_empty() && h.agent.is_none());
        assert!(h.identities_only && h.hash_known_hosts && h.obstacles.is_empty());
        assert_eq!((h.strict, h.connect_timeout), (Strict::AcceptNew, Duration::from_secs(7)));
        assert_eq!(h.set_env, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(h.proxy, Proxy::Jump(vec!["a@b:22".into(), "c".into()]));
        assert_eq!(h.key_name(), "[nas.example]:2222");
        assert!(h.may_use("publickey") && !h.may_use("password"));
    }

    #[test]
    fn defaults_when_nothing_is_printed() {
        let h = host("");
        assert_eq!((h.user.as_str(), h.name.as_str(), h.port, h.strict), ("me", "nas", 22, Strict::Ask));
        assert_eq!(h.agent, Some("/run/agent".into()));
        assert!(h.identity_files.contains(&"/home/me/.ssh/id_ed25519".into()));
        assert_eq!(h.user_known_hosts.first(), Some(&"/home/me/.ssh/known_hosts".into()));
        assert_eq!((h.key_name(), h.proxy), ("nas".to_owned(), Proxy::None));
        let h = Host::from_printed(&address(Some("u"), Some(7)), Printed::parse("user x\nport 9\n"), &around());
        assert_eq!((h.user.as_str(), h.port), ("u", 7));
    }

    #[test]
    fn what_cannot_be_expressed_is_an_obstacle() {
        let h = host("identityfile ~/%C\nproxycommand nc %h %p %r\nidentityagent $MINE\ncertificatefile ${X}/c\n");
        assert_eq!(h.proxy, Proxy::Command("nc nas 22 me".into()));
        let what: Vec<String> = h.obstacles.iter().map(ToString::to_string).collect();
        assert_eq!(what, ["the token %C in `~/%C`", "the variable in `${X}/c`", "IdentityAgent $MINE"]);
        assert_eq!(host("hostkeyalias Alias\nport 99\n").key_name(), "alias");
    }

    #[test]
    fn hops() {
        let hop = parse_hop("a@b:22").unwrap();
        assert_eq!((hop.user.as_deref(), hop.host.as_str(), hop.port), (Some("a"), "b", Some(22)));
        assert_eq!(parse_hop("ssh://[::1]:7").unwrap().port, Some(7));
        assert!(parse_hop("-oX").is_err() && parse_hop("").is_err());
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "says why nothing was tried")]
    fn the_real_ssh_resolves_an_alias() {
        let around = Surroundings::of_this_process();
        if around.ssh.is_none() {
            eprintln!("no ssh in PATH: nothing to resolve with");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        // ssh looks for its files in the home that the system knows, whatever HOME says: hence the wrapper.
        let file = dir.path().join("config");
        std::fs::write(&file, "Host nas\n HostName real.example\n Port 7\n User joe\n IdentityFile ~/k-%h\n").unwrap();
        let wrapper = dir.path().join("ssh");
        let real = around.ssh.clone().unwrap();
        std::fs::write(&wrapper, format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", real.display(), file.display())).unwrap();
        std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let around = Surroundings { ssh: Some(wrapper), home: "/h".into(), ..around };
        let address = SshAddress { user: None, host: "nas".into(), port: None, path: RemotePath::Forced };
        let host = resolve(&address, &around).unwrap();
        assert_eq!((host.name.as_str(), host.port, host.user.as_str()), ("real.example", 7, "joe"));
        assert_eq!(host.identity_files, [PathBuf::from("/h/k-real.example")]);
        std::fs::write(file, "NoSuchKeyword yes\n").unwrap();
        assert!(matches!(resolve(&address, &around), Err(Error::Unreachable { .. })));
    }
}
