//! A real OpenSSH server on the loopback device, a client's home to reach it from, and an agent; all of them end with
//! the value that stands for them.
//!
//! ```no_run
//! use tests::sshd::{Client, Setup, Sshd};
//! let client = Client::new();
//! let key = client.key("ed25519", "");
//! let sshd = Sshd::start(Setup { authorized: vec![client.public(&key)], ..Setup::default() });
//! client.know(&sshd.known_hosts_line());
//! client.config(&format!("Host nas\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n", sshd.port, key.display()));
//! // Programs started with client.environment() reach it as `ssh nas`, and `ssh://nas/path`.
//! ```
//!
//! The server runs as the current user, who is also the one who logs in. It needs `sshd` and `ssh-keygen`; a test
//! that cannot start them fails and says what to install.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

/// How a server is to be.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Types for `ssh-keygen -t`.
    pub host_keys: Vec<&'static str>,
    /// Lines of `authorized_keys`.
    pub authorized: Vec<String>,
    /// Further lines of `sshd_config`; the first line with a keyword counts, and these come first.
    pub config: Vec<String>,
    /// Listen on `::1` instead of `127.0.0.1`.
    pub ipv6: bool,
    /// The home of whoever logs in: `HOME`, where start-up files are looked for, and the working directory of every
    /// command. With it, or with `programs`, forced commands of `authorized` are not run. Without: an empty one.
    pub home: Option<PathBuf>,
    /// Put in front of the remote `PATH`.
    pub programs: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            host_keys: vec!["ed25519"],
            authorized: Vec::new(),
            config: Vec::new(),
            ipv6: false,
            home: None,
            programs: None,
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    /// Where it listens.
    pub port: u16,
    /// The address that it listens on, without brackets.
    pub address: &'static str,
    setup: Setup,
    dir: tempfile::TempDir,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Sshd {
    /// Makes host keys and starts a server.
    ///
    /// # Panics
    /// When there is no sshd, or it does not start; with what it said.
    #[must_use]
    pub fn start(setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for kind in &setup.host_keys {
            keygen(&dir.path().join(format!("host_{kind}")), kind, "");
        }
        let address = if setup.ipv6 { "::1" } else { "127.0.0.1" };
        // Between finding a free port and taking it, another program may come first.
        for _ in 0..5 {
            let port = free_port(setup.ipv6);
            fs::write(dir.path().join("sshd_config"), config(&setup, dir.path(), address, port)).expect("sshd_config");
            match launch(dir.path()) {
                Ok((child, log)) => return Self { port, address, setup, dir, child, log },
                Err(said) if said.contains("in use") => {}
                Err(said) => panic!("sshd does not start; it said:\n{said}"),
            }
        }
        panic!("no free port for sshd");
    }

    /// Ends it, with all connections that it holds, and starts it again on the same port with new host keys.
    pub fn restart_with_new_keys(&mut self) {
        self.stop();
        for kind in &self.setup.host_keys {
            let path = self.dir.path().join(format!("host_{kind}"));
            fs::remove_file(&path).expect("the old host key");
            keygen(&path, kind, "");
        }
        self.start_again();
    }

    /// Starts it again after [`Sshd::stop`], on the same port.
    pub fn start_again(&mut self) {
        let (child, log) = launch(self.dir.path()).unwrap_or_else(|said| panic!("sshd does not start again:\n{said}"));
        (self.child, self.log) = (child, log);
    }

    /// Adds a line to its configuration, which counts from the next start on.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn add_config(&self, line: &str) {
        let file = self.dir.path().join("sshd_config");
        let text = fs::read_to_string(&file).expect("sshd_config");
        fs::write(file, format!("{line}\n{text}")).expect("sshd_config");
    }

    /// Ends the listener and every connection.
    pub fn stop(&mut self) {
        // Stopped, it takes no connection while those that it has are ended; one that it was taking just then is there the
        // second time.
        signal(self.child.id(), Signal::STOP);
        self.cut();
        self.cut();
        kill(self.child.id());
        self.child.wait().expect("the end of sshd");
    }

    /// Ends every connection, as a broken network does, and goes on listening.
    pub fn cut(&self) {
        // Sessions are children, and for others than root grandchildren, of the listener.
        descendants(self.child.id()).into_iter().for_each(kill);
    }

    /// `host` as it stands in known_hosts.
    #[must_use]
    pub fn host(&self) -> String {
        format!("[{}]:{}", self.address, self.port)
    }

    /// The public half of a host key: type and base64.
    #[must_use]
    pub fn host_key(&self, kind: &str) -> String {
        public_of(&self.dir.path().join(format!("host_{kind}")))
    }

    /// The private host key's file.
    #[must_use]
    pub fn host_key_file(&self, kind: &str) -> PathBuf {
        self.dir.path().join(format!("host_{kind}"))
    }

    /// Lines for known_hosts with all its keys.
    #[must_use]
    pub fn known_hosts_line(&self) -> String {
        self.setup.host_keys.iter().map(|kind| format!("{} {}\n", self.host(), self.host_key(kind))).collect()
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn config(setup: &Setup, dir: &Path, address: &str, port: u16) -> String {
    let shown = |name: &str| dir.join(name).display().to_string();
    fs::write(dir.join("authorized_keys"), setup.authorized.join("\n") + "\n").expect("authorized_keys");
    let mut lines = setup.config.clone();
    lines.extend(setup.host_keys.iter().map(|kind| format!("HostKey {}", shown(&format!("host_{kind}")))));
    lines.push(format!(
        "ListenAddress {}",
        if setup.ipv6 { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
    ));
    lines.push(format!("AuthorizedKeysFile {}", shown("authorized_keys")));
    // The real home's start-up files have no part in a test; those of the test's home do.
    let home = setup.home.clone().unwrap_or_else(|| dir.join("home"));
    fs::create_dir_all(&home).expect("the home");
    lines.push(format!("SetEnv \"HOME={}\"", home.display()));
    if setup.home.is_some() || setup.programs.is_some() {
        // A login shell of our own: it runs what the client wants, in the home that the test wants.
        let mut script = "#!/bin/sh\n".to_owned();
        if let Some(programs) = &setup.programs {
            script.push_str(&format!("PATH='{}':$PATH; export PATH\n", programs.display()));
        }
        script.push_str(&format!("cd '{}'\n", home.display()));
        script.push_str("exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n");
        fs::write(dir.join("login"), script).expect("login");
        lines.push(format!("ForceCommand /bin/sh {}", shown("login")));
    }
    lines.extend(
        [
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "MaxStartups 100",
            "LogLevel VERBOSE",
        ]
        .map(str::to_owned),
    );
    lines.join("\n") + "\n"
}

/// Starts sshd and waits until it listens; what it said when it does not.
fn launch(dir: &Path) -> Result<(Child, Arc<Mutex<String>>), String> {
    let sshd = find("sshd").unwrap_or_else(|| {
        panic!("this test needs OpenSSH's server; install it (Debian: apt-get install openssh-server) and run again")
    });
    // Only root's sshd uses this directory, and packages make it only when the service is started.
    drop(fs::create_dir_all("/run/sshd"));
    let mut child = Command::new(sshd)
        .args(["-D", "-e", "-f"])
        .arg(dir.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut said = BufReader::new(child.stderr.take().expect("stderr of sshd"));
    let mut begin = String::new();
    loop {
        let mut line = String::new();
        if said.read_line(&mut line).map_err(|e| e.to_string())? == 0 {
            child.wait().map_err(|e| e.to_string())?;
            return Err(begin);
        }
        begin.push_str(&line);
        if line.contains("Cannot bind") || line.contains("in use") {
            kill(child.id());
            child.wait().map_err(|e| e.to_string())?;
            return Err(begin);
        }
        if line.contains("Server listening on") {
            break;
        }
    }
    let log = Arc::new(Mutex::new(begin));
    let more = log.clone();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = said.read(&mut buffer) {
            more.lock().expect("the log").push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    });
    Ok((child, log))
}

/// Ports that no system gives to who asks for any (Linux gives those from 32,768 on): one that is free stays so, and is
/// there for a server that starts again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// One of them, to each who asks another.
fn free_port(ipv6: bool) -> u16 {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let address = if ipv6 { IpAddr::from(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
    // Programs that run at the same time begin at different places.
    let first = std::process::id().wrapping_mul(331);
    for _ in PORTS {
        let turn =
            first.wrapping_add(TURN.fetch_add(1, Ordering::Relaxed)) % u32::try_from(PORTS.len()).expect("a few");
        let port = PORTS.start + u16::try_from(turn).expect("a port");
        if TcpListener::bind((address, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// Whether this machine has IPv6 on its loopback device.
#[must_use]
pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/opt/homebrew/sbin"];
    std::env::split_paths(&path).chain(usual.map(PathBuf::from)).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process number");
    // It may have ended by itself.
    kill_process(pid, signal).ok();
}

/// Children, their children, and so on, from `/proc`.
fn descendants(pid: u32) -> Vec<u32> {
    let mut all = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let children: Vec<u32> = children.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        all.extend(&children);
        open.extend(children);
    }
    all
}

/// Makes a key pair.
///
/// # Panics
/// When ssh-keygen is not there or fails.
pub fn keygen(path: &Path, kind: &str, passphrase: &str) {
    run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"]).arg(path));
}

/// Runs a command to its good end; gives what it printed.
///
/// # Panics
/// When it does not start, or fails.
pub fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    assert!(out.status.success(), "{command:?} fails: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn public_of(private: &Path) -> String {
    let mut name = private.as_os_str().to_owned();
    name.push(".pub");
    let line = fs::read_to_string(PathBuf::from(name)).expect("a public key");
    line.split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// A client's home with its `.ssh`, and an `ssh` that reads it.
///
/// OpenSSH looks for its files in the home that the system knows, whatever `HOME` says. So `bin/ssh`, to be put first
/// in `PATH`, names the configuration of this home, which names its known_hosts.
#[derive(Debug)]
pub struct Client {
    home: PathBuf,
    /// Removes the home at the end, when it was made here.
    _dir: Option<tempfile::TempDir>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// An empty home.
    ///
    /// # Panics
    /// When there is no ssh.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let client = Self::at(dir.path());
        Self { _dir: Some(dir), ..client }
    }

    /// The same in a home that is there already.
    ///
    /// # Panics
    /// When there is no ssh.
    #[must_use]
    pub fn at(home: impl Into<PathBuf>) -> Self {
        let client = Self { home: home.into(), _dir: None };
        fs::create_dir_all(client.file(".ssh")).expect(".ssh");
        fs::create_dir_all(client.file("bin")).expect("bin");
        let real = find("ssh").expect("this test needs OpenSSH's client; install it and run again");
        let script =
            format!("#!/bin/sh\nexec {} -F '{}' \"$@\"\n", real.display(), client.file(".ssh/config").display());
        fs::write(client.ssh(), script).expect("bin/ssh");
        fs::set_permissions(client.ssh(), fs::Permissions::from_mode(0o755)).expect("bin/ssh");
        if !client.file(".ssh/config").exists() {
            client.config("");
        }
        client
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The `ssh` that reads this home.
    #[must_use]
    pub fn ssh(&self) -> PathBuf {
        self.file("bin/ssh")
    }

    /// `HOME` and `PATH` for programs that are to live here.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut path = self.file("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        vec![("HOME", self.home().as_os_str().to_owned()), ("PATH", path)]
    }

    /// Replaces `.ssh/config`. Files of this home and no keys but those that it names are added for all hosts.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn config(&self, text: &str) {
        let known = self.file(".ssh/known_hosts");
        let text = format!(
            "{text}\nHost *\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n IdentityFile none\n",
            known.display()
        );
        fs::write(self.file(".ssh/config"), text).expect(".ssh/config");
    }

    /// Replaces known_hosts.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn know(&self, lines: &str) {
        fs::write(self.file(".ssh/known_hosts"), lines).expect(".ssh/known_hosts");
    }

    /// Makes a key pair in `.ssh`; the private key's path.
    #[must_use]
    pub fn key(&self, kind: &str, passphrase: &str) -> PathBuf {
        let path = self.file(&format!(".ssh/{kind}{}", if passphrase.is_empty() { "" } else { "-locked" }));
        keygen(&path, kind, passphrase);
        path
    }

    /// The public half of a key, as it stands in authorized_keys.
    #[must_use]
    pub fn public(&self, private: &Path) -> String {
        public_of(private)
    }
}

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    /// For `SSH_AUTH_SOCK`.
    pub socket: PathBuf,
    child: Child,
}

impl Agent {
    /// Starts one whose socket is in the client's home.
    ///
    /// # Panics
    /// When there is no ssh-agent.
    #[must_use]
    pub fn start(client: &Client) -> Self {
        let socket = client.file("agent");
        let mut child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs ssh-agent");
        // It prints its socket when it listens.
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut line).expect("a line of ssh-agent");
        Self { socket, child }
    }

    /// Gives it a key without a passphrase.
    ///
    /// # Panics
    /// When it does not take it.
    pub fn add(&self, key: &Path) {
        run(Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        kill(self.child.id());
        self.child.wait().expect("the end of ssh-agent");
    }
}
