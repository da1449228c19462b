//! What SSH needs to know of the process that it runs in. Read once, in one place.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Home, user and helpers of this process. Tests fill it in by hand.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// For `~` and `%d`.
    pub home: PathBuf,
    /// The local user, for `%u` and for hosts without a user.
    pub user: String,
    /// The `ssh` in `PATH`, when there is one.
    pub ssh: Option<PathBuf>,
    /// `SSH_AUTH_SOCK`.
    pub agent: Option<PathBuf>,
    /// Whether a Kerberos ticket may be there, so that GSSAPI is worth it.
    pub kerberos: bool,
    /// The name of this machine.
    pub machine: String,
}

impl Surroundings {
    /// Those of this process, from its environment.
    #[must_use]
    pub fn of_this_process() -> Self {
        let path = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let user = ["USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok().filter(|v| !v.is_empty()));
        let uid = rustix::process::getuid();
        let ticket = PathBuf::from(format!("/tmp/krb5cc_{}", uid.as_raw()));
        let nameless = || if uid.is_root() { "root".to_owned() } else { uid.as_raw().to_string() };
        Self {
            home: path("HOME").unwrap_or_else(|| PathBuf::from("/")),
            user: user.unwrap_or_else(nameless),
            ssh: env::var_os("PATH").and_then(|dirs| find_in(env::split_paths(&dirs), "ssh")),
            agent: path("SSH_AUTH_SOCK"),
            kerberos: env::var_os("KRB5CCNAME").is_some() || ticket.exists(),
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }

    /// `~` and `~/…` as a path of this home.
    #[must_use]
    pub fn tilde(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(below) if below.starts_with('/') => self.home.join(below.trim_start_matches('/')),
            _ => PathBuf::from(path),
        }
    }
}

fn find_in(dirs: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    // A relative entry of PATH would make the program depend on where it is started.
    dirs.filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
