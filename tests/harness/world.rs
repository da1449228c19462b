//! Temporary machines. Each has a home, an environment and a PATH of its own and nothing of the person who runs the
//! tests; several share one disk, below one temporary directory that goes when the last of them goes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::need;
use crate::sshd::Client;
use crate::subject::Call;
use crate::wait::until;

/// One machine.
#[derive(Clone, Debug)]
pub struct World {
    disk: Arc<tempfile::TempDir>,
    program: PathBuf,
    name: String,
    user: Option<u32>,
    vault: Option<String>,
    env: Vec<(String, String)>,
}

impl World {
    /// A fresh machine, with `program` as its `tuckbox`.
    ///
    /// # Panics
    /// When the disk does not allow it.
    #[must_use]
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self::on(std::env::temp_dir(), program)
    }

    /// The same with its disk below this directory.
    ///
    /// # Panics
    /// When the disk does not allow it.
    #[must_use]
    pub fn on(place: impl AsRef<Path>, program: impl AsRef<Path>) -> Self {
        let disk = tempfile::Builder::new().prefix("tuckbox-").tempdir_in(place).unwrap();
        // Other users take part (setpriv); each home is closed by itself.
        fs::set_permissions(disk.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let world = Self {
            disk: Arc::new(disk),
            program: program.as_ref().to_owned(),
            name: "ana".into(),
            user: None,
            vault: None,
            env: Vec::new(),
        };
        fs::create_dir(world.path("bin")).unwrap();
        symlink(&world.program, world.path("bin/tuckbox")).unwrap();
        world.make_home();
        world
    }

    /// Another machine: another home, another host name, the same disk.
    #[must_use]
    pub fn machine(&self, name: &str) -> Self {
        let other = Self { name: name.into(), user: None, ..self.clone() };
        other.make_home();
        other
    }

    /// A machine on which another user works. Only root can make one, see [`need::root`].
    ///
    /// # Panics
    /// When this process is not root.
    #[must_use]
    pub fn user(&self, name: &str, uid: u32) -> Self {
        let other = Self { user: Some(uid), ..self.machine(name) };
        other.give(&other.home());
        if !reachable_by_all(&self.program) {
            let copy = self.path("bin/copy");
            fs::copy(&self.program, &copy).unwrap();
            fs::rename(copy, self.path("bin/tuckbox")).unwrap();
        }
        other
    }

    /// The same machine, on which `TUCKBOX_VAULT` names a vault.
    #[must_use]
    pub fn with_vault(&self, address: impl Into<String>) -> Self {
        Self { vault: Some(address.into()), ..self.clone() }
    }

    /// The same machine with one more variable in its environment.
    #[must_use]
    pub fn with_env(&self, name: &str, value: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.env.push((name.to_owned(), value.into()));
        other
    }

    /// The same machine with a vault at [`World::vault`], made with an account and a key without a passphrase.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn ready(&self) -> Self {
        let world = self.with_vault(self.arg("vault"));
        world.tuckbox(["init"]).ok();
        world
    }

    /// The same, made at this time: for a test with a calendar of its own, in which a vault that was made today would some
    /// day come from the future.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn ready_since(&self, time: &str) -> Self {
        let world = self.with_vault(self.arg("vault"));
        world.tuckbox(["init"]).env("TUCKBOX_CLOCK", time).ok();
        world
    }

    /// The directory of the vault that [`World::ready`] makes.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.path("vault")
    }

    /// Waits until nothing of this disk runs any more: a server may outlive its client by the moment in which it puts its
    /// last files in order.
    ///
    /// # Panics
    /// When something runs for another minute.
    pub fn quiet(&self) {
        let disk = self.disk.path().as_os_str().as_bytes();
        let is_here = |process: fs::DirEntry| {
            let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
            let line = read("cmdline");
            // One that is ending has no command line any more, and whose it was cannot be seen; it does not take long.
            if line.is_empty() { is_ending(&read("stat")) } else { line.windows(disk.len()).any(|part| part == disk) }
        };
        let nobody = || !fs::read_dir("/proc").into_iter().flatten().flatten().any(is_here);
        until(Duration::from_secs(60), "the end of all that runs on this disk", nobody);
    }

    /// The 24 recovery words of this machine's key.
    ///
    /// # Panics
    /// When there is no key.
    pub fn words(&self) -> String {
        let record = self.tuckbox(["key", "words", "--json"]).ok().record("words");
        record["words"].as_str().unwrap().to_owned()
    }

    /// Restores everything of the newest version below `to`, with full paths.
    pub fn restore_all(&self, to: &str) {
        self.tuckbox(["restore", "--to", &self.arg(to)]).ok();
    }

    /// One more version of `docs`, whose letter now has this content.
    ///
    /// # Panics
    /// When that fails.
    pub fn another(&self, content: &str) {
        fs::write(self.path("docs/letter.txt"), content).unwrap();
        self.tuckbox(["backup", &self.arg("docs")]).ok();
    }

    /// Copies a directory of this disk; what was there under the new name goes.
    ///
    /// # Panics
    /// When that fails.
    pub fn copy(&self, from: &str, to: &str) {
        fs::remove_dir_all(self.path(to)).unwrap_or_default();
        self.command("cp", ["-a", &self.arg(from), &self.arg(to)]).ok();
    }

    /// Gives a path to the user of this machine (not what is below it).
    ///
    /// # Panics
    /// When the system refuses.
    pub fn give(&self, path: &Path) {
        std::os::unix::fs::lchown(path, self.user, self.user).unwrap();
    }

    /// Host name and name of the home.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A path on the disk that all machines of this test share.
    #[must_use]
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.disk.path().join(below)
    }

    /// The same as text, for arguments.
    ///
    /// # Panics
    /// When it is no text.
    #[must_use]
    pub fn arg(&self, below: &str) -> String {
        self.path(below).into_os_string().into_string().unwrap()
    }

    /// A directory on the disk, made with all that leads to it.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn dir(&self, below: impl AsRef<Path>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The home directory of this machine.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path(format!("home-{}", self.name))
    }

    /// The directory of keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.home().join(".config/tuckbox/keys")
    }

    /// The only key file.
    ///
    /// # Panics
    /// When there is none, or another one.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        let files: Vec<_> =
            fs::read_dir(self.keys()).expect("a directory of keys").map(|e| e.unwrap().path()).collect();
        match files.as_slice() {
            [file] => file.clone(),
            other => panic!("expected one key file, found {other:?}"),
        }
    }

    /// The vault that is used when none is named.
    #[must_use]
    pub fn default_vault(&self) -> PathBuf {
        self.home().join(".local/share/tuckbox/vault")
    }

    /// Removes everything that a person would lose with this machine: home, keys, state and cache.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub fn lose_everything(&self) {
        fs::remove_dir_all(self.home()).unwrap();
        self.make_home();
        if self.user.is_some() {
            self.give(&self.home());
        }
    }

    /// A run of the program with these words.
    #[must_use]
    pub fn tuckbox<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Call {
        self.command(self.path("bin/tuckbox"), words)
    }

    /// A run of another program on this machine.
    #[must_use]
    pub fn command<W: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, words: impl IntoIterator<Item = W>) -> Call {
        let mut command = match self.user {
            None => Command::new(program),
            Some(uid) => {
                let mut command = Command::new(need::find("setpriv").unwrap_or_else(|| "setpriv".into()));
                command.args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".into()]);
                command.arg("--").arg(program);
                command
            }
        };
        command.args(words).env_clear().current_dir(self.home()).envs(self.environment());
        Call::new(command, Arc::clone(&self.disk))
    }

    /// The SSH client of this machine.
    pub fn ssh(&self) -> Client {
        Client::at(self.home())
    }

    /// What the programs on this machine find in their environment.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let home = self.arg(&format!("home-{}", self.name));
        let bin = self.arg("bin");
        [
            ("PATH", format!("{home}/bin:{bin}:{}", need::PATH)),
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", format!("{home}/.config")),
            ("XDG_STATE_HOME", format!("{home}/.local/state")),
            ("XDG_CACHE_HOME", format!("{home}/.cache")),
            ("XDG_DATA_HOME", format!("{home}/.local/share")),
            ("TZ", "UTC".into()),
            ("LANG", "C.UTF-8".into()),
            ("TERM", "dumb".into()),
            ("COLUMNS", "80".into()),
            ("TUCKBOX_HOST", self.name.clone()),
            ("RUST_BACKTRACE", "1".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .chain(self.vault.iter().map(|vault| ("TUCKBOX_VAULT".to_owned(), vault.clone())))
        .chain(self.env.iter().cloned())
        .collect()
    }

    fn make_home(&self) {
        fs::create_dir_all(self.home()).unwrap();
        fs::set_permissions(self.home(), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

/// Whether a process, by its `/proc/PID/stat`, has given back its memory, and perhaps not yet its files and locks.
fn is_ending(stat: &[u8]) -> bool {
    /// `PF_EXITING` of the kernel.
    const EXITING: u64 = 4;
    let text = String::from_utf8_lossy(stat);
    // The name before it may hold spaces and brackets.
    let Some((_, rest)) = text.rsplit_once(')') else { return false };
    let fields: Vec<_> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let (flags, threads) = (number(6), number(17));
    // A zombie has nothing any more, unless another of its threads is still ending.
    let is_over = fields.first() == Some(&"Z") && threads <= 1;
    flags & EXITING != 0 && !is_over
}

/// Whether everybody may run this file where it lies.
fn reachable_by_all(file: &Path) -> bool {
    file.ancestors().skip(1).all(|dir| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 1 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_ending_is_told_from_others() {
        assert!(!is_ending(&fs::read("/proc/self/stat").unwrap()));
        let stat = |state: &str, flags: u32, threads: u32| {
            format!("7 (a) b) {state} 1 7 7 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 {threads} 0 99").into_bytes()
        };
        assert!(is_ending(&stat("R", 0x40_0004, 1)));
        assert!(is_ending(&stat("Z", 0x40_000c, 2)), "another thread is there");
        assert!(!is_ending(&stat("Z", 0x40_000c, 1)));
        assert!(!is_ending(&stat("S", 0x40_0040, 1)) && !is_ending(b""));
        // A real one that has ended, and that nobody has waited for.
        let mut child = Command::new("/bin/true").spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        until(Duration::from_secs(60), "its end", || fs::read_to_string(&stat).unwrap().contains(") Z "));
        assert!(!is_ending(&fs::read(&stat).unwrap()));
        child.wait().unwrap();
    }
}
