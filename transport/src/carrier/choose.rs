//! Embedded client or the system's `ssh`: decided before a packet is sent, and said with its reason.

use std::{fmt, fs, path::Path};

use super::{
    algorithms::Offer,
    config::{Host, Obstacle, Proxy, parse_hop, resolve},
    surroundings::Surroundings,
};
use crate::{
    address::SshAddress,
    error::{Error, Result},
};

/// What the user wants (`--ssh`, `TUCKBOX_SSH`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// Embedded where it can do all that the configuration asks for.
    #[default]
    Auto,
    /// Embedded, or an error.
    Embedded,
    /// The system's ssh.
    System,
}

impl std::str::FromStr for Wish {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "embedded" => Ok(Self::Embedded),
            "system" => Ok(Self::System),
            _ => Err(Error::Address { why: format!("`{text}` is none of auto, embedded, system") }),
        }
    }
}

/// Who carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The embedded client.
    Embedded,
    /// The system's ssh.
    System,
}

/// The decision and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Who carries.
    pub way: Way,
    /// Why, for `-v` and `doctor`.
    pub why: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Embedded => "the embedded SSH client",
            Way::System => "the system's ssh",
        };
        write!(f, "{way}: {}", self.why)
    }
}

/// The most hosts on the way, the last included. A loop of `ProxyJump` ends here.
const HOPS_MAX: usize = 8;

/// All hosts on the way to this one, the nearest first, the last is the target.
///
/// The first hop is reached as its own configuration says; for the later ones only their own names, users, ports and
/// keys count, as `ssh -J` does it.
///
/// # Errors
/// What `ssh -G` refuses, and too many hops.
pub fn route(address: &SshAddress, around: &Surroundings) -> Result<Vec<Host>> {
    let mut route = vec![resolve(address, around)?];
    while let Some(Host { proxy: Proxy::Jump(hops), .. }) = route.first() {
        let hops = hops.iter().map(|hop| resolve(&parse_hop(hop)?, around)).collect::<Result<Vec<_>>>()?;
        if hops.is_empty() || hops.len() + route.len() > HOPS_MAX {
            let why = format!("ProxyJump goes over more than {HOPS_MAX} hosts");
            return Err(Error::Unreachable { host: address.host.clone(), why });
        }
        route = hops.into_iter().chain(route).collect();
        for later in route.iter_mut().skip(1) {
            later.proxy = Proxy::None;
        }
    }
    Ok(route)
}

/// Decides.
///
/// # Errors
/// [`Error::Unreachable`] when what is wished for cannot be done, with the reason.
pub fn choose(wish: Wish, route: &[Host], around: &Surroundings) -> Result<Choice> {
    let target = route.last().map(|host| host.alias.clone()).unwrap_or_default();
    let refused = |why: String| Err(Error::Unreachable { host: target.clone(), why });
    let chosen = |way, why: String| Ok(Choice { way, why });
    let found: Vec<(&Host, Obstacle)> =
        route.iter().flat_map(|host| obstacles(host, around).into_iter().map(move |o| (host, o))).collect();
    let told = |(host, obstacle): &(&Host, Obstacle)| match host.alias == target {
        true => obstacle.what.clone(),
        false => format!("{} for {}", obstacle.what, host.alias),
    };
    let hard = found.iter().find(|(_, obstacle)| obstacle.hard);
    match (wish, &around.ssh) {
        (Wish::System, None) => refused("there is no ssh program in the search path".to_owned()),
        (Wish::System, Some(_)) => chosen(Way::System, "as wished".to_owned()),
        (Wish::Embedded, _) => match hard {
            Some(obstacle) => refused(format!("the embedded client does not do {}", told(obstacle))),
            None => chosen(Way::Embedded, "as wished".to_owned()),
        },
        (Wish::Auto, Some(_)) => match found.first() {
            Some(obstacle) => chosen(Way::System, format!("the configuration has {}", told(obstacle))),
            None => chosen(Way::Embedded, "it does all that the configuration asks for".to_owned()),
        },
        (Wish::Auto, None) if around.home.join(".ssh/config").exists() => refused(
            "there is no ssh program to read ~/.ssh/config with; install one, or take --ssh embedded to go without"
                .to_owned(),
        ),
        (Wish::Auto, None) => chosen(Way::Embedded, "there is no ssh program".to_owned()),
    }
}

/// What of the configuration the embedded client cannot do.
fn obstacles(host: &Host, around: &Surroundings) -> Vec<Obstacle> {
    let mut all = host.obstacles.clone();
    let mut add = |what: &str, hard| all.push(Obstacle { what: what.to_owned(), hard });
    let printed = &host.printed;
    // Without these, less would be checked than was asked for.
    for (key, what) in [
        ("knownhostscommand", "KnownHostsCommand"),
        ("revokedhostkeys", "RevokedHostKeys"),
        ("bindaddress", "BindAddress"),
        ("bindinterface", "BindInterface"),
    ] {
        if printed.get(key).is_some() {
            add(what, true);
        }
    }
    for (key, what) in [
        ("proxyusefdpass", "ProxyUseFdpass"),
        ("hostbasedauthentication", "HostbasedAuthentication"),
        ("nohostauthenticationforlocalhost", "NoHostAuthenticationForLocalhost"),
    ] {
        if printed.is_on(key) {
            add(what, false);
        }
    }
    if printed.get("verifyhostkeydns").is_some_and(|v| !matches!(v, "no" | "false")) {
        add("VerifyHostKeyDNS", false);
    }
    if printed.get("canonicalizehostname").is_some_and(|v| !matches!(v, "no" | "false")) {
        add("CanonicalizeHostname", true);
    }
    if printed.get("requiredrsasize").and_then(|v| v.parse().ok()).is_some_and(|bits: u32| bits > 2048) {
        add("RequiredRSASize", true);
    }
    if printed.get("pkcs11provider").is_some() {
        add("PKCS11Provider", false);
    }
    if printed.is_on("gssapiauthentication") && around.kerberos {
        add("GSSAPIAuthentication, and there is a Kerberos ticket", false);
    }
    if host.agent.is_none() && host.identity_files.iter().any(|file| is_hardware_key(file)) {
        add("a hardware key, and no agent that holds it", false);
    }
    // `ssh -G` prints the path of the master connection in full. A path alone is not a live one.
    if host.is_shared() {
        add("ControlPath with a live connection", false);
    }
    if let Err(keyword) = Offer::for_host(host) {
        add(&format!("no algorithm of {keyword} that it knows"), true);
    }
    all
}

/// A key file whose public half says that the private one is in a token.
fn is_hardware_key(file: &Path) -> bool {
    if !file.exists() {
        return false;
    }
    let mut public = file.as_os_str().to_owned();
    public.push(".pub");
    fs::read_to_string(public).is_ok_and(|text| text.trim_start().starts_with("sk-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::RemotePath, carrier::config::Printed};

    fn host(printed: &str) -> Host {
        let address = SshAddress { user: None, host: "nas".into(), port: None, path: RemotePath::Forced };
        Host::from_printed(&address, Printed::parse(printed), &around(true))
    }

    fn around(ssh: bool) -> Surroundings {
        Surroundings { home: "/nowhere".into(), ssh: ssh.then(|| "/usr/bin/ssh".into()), ..Surroundings::default() }
    }

    fn way(wish: Wish, printed: &str) -> Result<Choice> {
        choose(wish, &[host(printed)], &around(true))
    }

    #[test]
    fn plain_hosts_are_embedded_and_the_rest_says_why() {
        let plain = "canonicalizehostname false\ngssapiauthentication yes\ncontrolpath none\nverifyhostkeydns false\n\
             pkcs11provider none\nrequiredrsasize 1024\nproxyusefdpass no\n";
        assert_eq!(way(Wish::Auto, plain).unwrap().way, Way::Embedded);
        for (line, word) in [
            ("knownhostscommand /bin/x", "KnownHostsCommand"),
            ("revokedhostkeys /x", "RevokedHostKeys"),
            ("pkcs11provider /lib/x.so", "PKCS11"),
            ("canonicalizehostname true", "Canonicalize"),
            ("verifyhostkeydns true", "DNS"),
            ("proxyusefdpass yes", "ProxyUseFdpass"),
            ("bindinterface eth0", "BindInterface"),
            ("ciphers 3des-cbc", "Ciphers"),
            ("hostkeyalgorithms ssh-dss", "HostKeyAlgorithms"),
            ("identityfile ~/%C", "%C"),
        ] {
            let choice = way(Wish::Auto, line).unwrap();
            assert_eq!(choice.way, Way::System, "{line}");
            assert!(choice.why.contains(word), "{}", choice.why);
        }
    }

    #[test]
    fn wishes() {
        assert_eq!(way(Wish::System, "").unwrap().way, Way::System);
        assert_eq!(way(Wish::Embedded, "pkcs11provider /x").unwrap().way, Way::Embedded);
        let refused = way(Wish::Embedded, "knownhostscommand /x").unwrap_err();
        assert!(refused.to_string().contains("KnownHostsCommand"));
        assert!(choose(Wish::System, &[host("")], &around(false)).is_err());
        assert_eq!(choose(Wish::Auto, &[host("")], &around(false)).unwrap().way, Way::Embedded);
        assert!("auto".parse::<Wish>().is_ok() && "Auto".parse::<Wish>().is_err());
    }

    #[test]
    fn tickets_masters_and_tokens() {
        let gss = "gssapiauthentication yes\n";
        let ticket = Surroundings { kerberos: true, ..around(true) };
        assert_eq!(choose(Wish::Auto, &[host(gss)], &ticket).unwrap().way, Way::System);

        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("master");
        let control = format!("controlpath {}\n", socket.display());
        assert_eq!(way(Wish::Auto, &control).unwrap().way, Way::Embedded);
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(way(Wish::Auto, &control).unwrap().way, Way::System);
        drop(listener);
        assert_eq!(way(Wish::Auto, &control).unwrap().way, Way::Embedded);

        let key = dir.path().join("id_sk");
        fs::write(&key, "x").unwrap();
        fs::write(dir.path().join("id_sk.pub"), "sk-ssh-ed25519@openssh.com AAAA\n").unwrap();
        let line = format!("identityfile {}\n", key.display());
        assert_eq!(way(Wish::Auto, &line).unwrap().way, Way::System);
        assert_eq!(way(Wish::Auto, &format!("{line}identityagent /a\n")).unwrap().way, Way::Embedded);
    }
}
