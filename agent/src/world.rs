//! The world around the command line: doors, environment, terminal, streams. Everything that a verb may see of it is in
//! [`World`], so that a test can give it another one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use store::door::{Chance, Clock, FixedClock, SystemChance, SystemClock};

use crate::ask::{Keyboard, RealKeyboard};
use crate::cli::Desk;
use crate::cli::inside::Inside;
use crate::engine::job::{Engine, Folders, Stop};
use crate::fault::{Code, Exit, Fault, Result};

/// Everything outside.
#[derive(Clone)]
pub struct World {
    /// Does the work.
    pub engine: Arc<dyn Engine>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub chance: Arc<dyn Chance>,
    /// Environment variables.
    pub env: Environment,
    /// What is a terminal.
    pub terminal: Terminal,
    /// Where a person types.
    pub keyboard: Arc<dyn Keyboard>,
    /// Results.
    pub stdout: Arc<Out>,
    /// Everything else.
    pub stderr: Arc<Out>,
    /// The working directory.
    pub working: PathBuf,
    /// Home directory of the user, when known.
    pub home: Option<PathBuf>,
    /// The local time zone.
    pub zone: TimeZone,
    /// Full name of this host, lower case.
    pub host: String,
    /// Set by signals.
    pub stop: Stop,
    /// The full-screen console, when there is one.
    pub console: Option<Console>,
}

/// Shows the console until it is left. It stands in another package, which hands it in.
pub type Console = fn(&Desk<'_>, Opening) -> Result<Exit>;

/// How a console begins.
pub struct Opening {
    /// What the verbs that it runs have in common.
    pub inside: Inside,
    /// Numbered menus on standard output and no screen.
    pub plain: bool,
    /// Draw with letters and `+-|#` only.
    pub ascii: bool,
}

/// Which streams are terminals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Width of standard error's, in columns.
    pub columns: usize,
}

impl World {
    /// The real one.
    pub fn system(engine: Arc<dyn Engine>) -> Result<Self> {
        let env = Environment(std::env::vars_os().collect());
        let clock: Arc<dyn Clock> = match env.text("TUCKBOX_CLOCK")? {
            None => Arc::new(SystemClock::new()),
            Some(text) => Arc::new(fixed_clock(&text)?),
        };
        let working = std::env::current_dir()
            .map_err(|e| Fault::new(Code::System, "cannot tell the working directory").because(e))?;
        let home = env.path("HOME").or_else(home_by_user);
        Ok(Self {
            engine,
            clock,
            chance: Arc::new(SystemChance),
            terminal: Terminal {
                stdin: io::stdin().is_terminal(),
                stdout: io::stdout().is_terminal(),
                stderr: io::stderr().is_terminal(),
                columns: columns(),
            },
            keyboard: Arc::new(RealKeyboard),
            stdout: Arc::new(Out::new(Box::new(io::BufWriter::with_capacity(OUT_BUFFER_BYTES, io::stdout())))),
            stderr: Arc::new(Out::new(Box::new(io::stderr()))),
            working,
            home,
            zone: zone(&env),
            host: host_name(),
            stop: Stop::default(),
            console: None,
            env,
        })
    }

    /// Our directories, by the XDG rules: a variable that does not hold an absolute path counts as unset.
    pub fn folders(&self) -> Result<Folders> {
        let folder = |variable: &str, below_home: &str| -> Result<PathBuf> {
            let base = match (self.env.path(variable).filter(|path| path.is_absolute()), &self.home) {
                (Some(path), _) => path,
                (None, Some(home)) => home.join(below_home),
                (None, None) => {
                    return Err(Fault::new(Code::System, "there is no home directory")
                        .hint(format!("set HOME, or {variable} to an absolute path")));
                }
            };
            Ok(base.join("tuckbox"))
        };
        Ok(Folders {
            config: folder("XDG_CONFIG_HOME", ".config")?,
            state: folder("XDG_STATE_HOME", ".local/state")?,
            cache: folder("XDG_CACHE_HOME", ".cache")?,
            data: folder("XDG_DATA_HOME", ".local/share")?,
            working: self.working.clone(),
            home: self.home.clone(),
        })
    }
}

/// Bytes of results that may wait before they are written to a stream that is no terminal.
const OUT_BUFFER_BYTES: usize = 64 << 10;

/// Environment variables.
#[derive(Clone, Debug, Default)]
pub struct Environment(pub BTreeMap<OsString, OsString>);

impl Environment {
    /// The value of a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The same as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(Fault::new(Code::Usage, format!("the environment variable {name} is not UTF-8"))),
        }
    }
}

/// A stream that notices when nobody reads it any more: then everything is thrown away, and the program ends quietly
/// with status 141, as one that a signal ended would.
pub struct Out {
    to: Mutex<Box<dyn Write + Send>>,
    closed: AtomicBool,
}

impl Out {
    /// A stream that writes there.
    #[must_use]
    pub fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to: Mutex::new(to), closed: AtomicBool::new(false) }
    }

    /// Writes all of it.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        self.with(|to| to.write_all(bytes))
    }

    /// Writes text and the end of a line.
    pub fn line(&self, text: &str) -> Result<()> {
        self.with(|to| to.write_all(text.as_bytes()).and_then(|()| to.write_all(b"\n")))
    }

    /// Hands over what waits.
    pub fn flush(&self) -> Result<()> {
        self.with(|to| to.flush())
    }

    /// Nobody reads it any more.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn with(&self, act: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        act(to.as_mut()).map_err(|cause| {
            if cause.kind() == io::ErrorKind::BrokenPipe {
                self.closed.store(true, Ordering::SeqCst);
            }
            Fault::new(Code::of(&cause), "cannot write the output").because(cause)
        })
    }
}

/// The stream as a writer, for `dump`.
impl Write for &Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Out::write(self, bytes).map(|()| bytes.len()).map_err(|fault| {
            io::Error::new(if self.closed() { io::ErrorKind::BrokenPipe } else { io::ErrorKind::Other }, fault)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Out::flush(self).map_err(io::Error::other)
    }
}

/// `TUCKBOX_CLOCK` makes the clock stand still at a moment, so that the output of a test is always the same.
fn fixed_clock(text: &str) -> Result<FixedClock> {
    let moment: jiff::Timestamp = text.parse().map_err(|e| {
        Fault::new(Code::Usage, "TUCKBOX_CLOCK does not hold a moment such as 2026-11-20T22:02:00Z").because(e)
    })?;
    Ok(FixedClock::at(moment.as_millisecond()))
}

/// The local time zone, as `TZ` means it: nothing, the system's; a name, a path or a rule by POSIX. What cannot be
/// understood means UTC, as it does elsewhere.
fn zone(env: &Environment) -> TimeZone {
    let zones = env.path("TZDIR").unwrap_or_else(|| PathBuf::from("/usr/share/zoneinfo"));
    let Some(said) = env.0.get(OsStr::new("TZ")) else {
        let leads_to = std::fs::read_link("/etc/localtime").ok();
        let name = leads_to.as_deref().and_then(Path::to_str).and_then(|path| path.rsplit_once("zoneinfo/"));
        return name.and_then(|(_, name)| zone_in(&zones, name)).unwrap_or_else(TimeZone::system);
    };
    let Some(said) = said.to_str() else { return TimeZone::UTC };
    let name = said.strip_prefix(':').unwrap_or(said);
    if name.starts_with('/') {
        // Any path may be named, and not every one ends: /dev/zero does not.
        let read = crate::plain_file::read(Path::new(name), ZONE_BYTES_MAX).ok();
        return read.and_then(|bytes| TimeZone::tzif(name, &bytes).ok()).unwrap_or(TimeZone::UTC);
    }
    let known = zone_in(&zones, name).or_else(|| TimeZone::get(name).ok());
    known.or_else(|| TimeZone::posix(name).ok()).unwrap_or(TimeZone::UTC)
}

/// A zone whose name is written as its file's is. For any other way to write it [`TimeZone::get`] lists all zones that the
/// system has, which takes longer than many a verb.
fn zone_in(zones: &Path, name: &str) -> Option<TimeZone> {
    if matches!(name, "UTC" | "Etc/UTC") {
        return Some(TimeZone::UTC);
    }
    let is_name = !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let file = is_name.then(|| zones.join(name))?;
    TimeZone::tzif(name, &crate::plain_file::read(&file, ZONE_BYTES_MAX).ok()?).ok()
}

/// Longest description of a time zone that is read: the longest there is has 4 KiB.
const ZONE_BYTES_MAX: u64 = 1 << 20;

fn home_by_user() -> Option<PathBuf> {
    use uzers::os::unix::UserExt;
    uzers::get_user_by_uid(uzers::get_current_uid()).map(|user| user.home_dir().to_path_buf())
}

/// Width of standard error's terminal now, in columns.
pub(crate) fn columns() -> usize {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col >= 20 => usize::from(size.ws_col),
        _ => 80,
    }
}

/// The node name; when it has no domain, the full name that `/etc/hosts` gives it.
fn host_name() -> String {
    let node = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    if node.contains('.') {
        return node;
    }
    match std::fs::read_to_string("/etc/hosts") {
        Ok(hosts) => full_name(&hosts, &node).unwrap_or(node),
        Err(_) => node,
    }
}

/// The first name of the line of a hosts file that names `node`, when it is that name with a domain.
fn full_name(hosts: &str, node: &str) -> Option<String> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .map(|line| line.split_whitespace().skip(1).map(str::to_lowercase).collect::<Vec<_>>())
        .filter(|names| names.iter().any(|name| name == node))
        .find_map(|names| {
            names.into_iter().find(|name| name.strip_prefix(node).is_some_and(|rest| rest.starts_with('.')))
        })
}

/// `path` made absolute against `working` by its letters alone: `.`, `..` and doubled slashes go, nothing is looked up.
/// A trailing slash stays: it asks to follow a symlink.
#[must_use]
pub fn absolute(working: &Path, path: &OsStr) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let given = path.as_bytes();
    let start: &[u8] = if given.first() == Some(&b'/') { b"" } else { working.as_os_str().as_bytes() };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in start.split(|b| *b == b'/').chain(given.split(|b| *b == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    let mut out = Vec::with_capacity(given.len() + start.len() + 1);
    for part in &parts {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() || given.last() == Some(&b'/') {
        out.push(b'/');
    }
    out
}

/// The same without the trailing slash, for reading verbs.
#[must_use]
pub fn absolute_plain(working: &Path, path: &OsStr) -> Vec<u8> {
    let mut out = absolute(working, path);
    if out.len() > 1 && out.last() == Some(&b'/') {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_by_letters() {
        let at = |path: &str| String::from_utf8(absolute(Path::new("/home/ana"), OsStr::new(path))).unwrap();
        assert_eq!(at("docs"), "/home/ana/docs");
        assert_eq!(at("./docs//x/../y"), "/home/ana/docs/y");
        assert_eq!(at("docs/"), "/home/ana/docs/");
        assert_eq!(at("../../../.."), "/");
        assert_eq!(at("."), "/home/ana");
        assert_eq!(at("/"), "/");
        assert_eq!(at("/a/../b/"), "/b/");
        assert_eq!(absolute_plain(Path::new("/"), OsStr::new("b/")), b"/b");
        assert_eq!(absolute_plain(Path::new("/"), OsStr::new("/")), b"/");
    }

    #[test]
    fn a_time_zone_is_what_tz_says() {
        let at = |tz: Option<&str>| {
            let env = tz.map(|tz| ("TZ".into(), tz.into())).into_iter().collect();
            zone(&Environment(env)).to_offset(jiff::Timestamp::UNIX_EPOCH).seconds()
        };
        assert_eq!(at(Some("UTC")), 0);
        assert_eq!(at(Some("EST5")), -5 * 3600);
        for odd in ["", ":", "Nowhere/At all", "/dev/zero", ":/dev/zero", "/", "/absent", ":/dev/tty"] {
            assert_eq!(at(Some(odd)), 0, "{odd}");
        }
        for berlin in ["Europe/Berlin", "europe/BERLIN", ":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin"] {
            assert_eq!(at(Some(berlin)), 3600, "{berlin}");
        }
        assert_eq!(at(Some("../zoneinfo/Europe/Berlin")), 0);
    }

    #[test]
    fn zones_may_lie_elsewhere() {
        let zones = tempfile::tempdir().unwrap();
        std::fs::copy("/usr/share/zoneinfo/Europe/Berlin", zones.path().join("Here")).unwrap();
        let env = |zone: &str| [("TZDIR".into(), zones.path().into()), ("TZ".into(), zone.into())].into();
        let at = |name: &str| zone(&Environment(env(name))).to_offset(jiff::Timestamp::UNIX_EPOCH).seconds();
        assert_eq!((at("Here"), at("There")), (3600, 0));
    }

    #[test]
    fn a_full_host_name_is_found() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1  Ana.example.org ana # this\n10.0.0.1 other.example.org other\n";
        assert_eq!(full_name(hosts, "ana").as_deref(), Some("ana.example.org"));
        assert_eq!(full_name(hosts, "an"), None);
        assert_eq!(full_name(hosts, "localhost"), None);
    }

    #[test]
    fn a_closed_pipe_is_noticed() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let out = Out::new(Box::new(Gone));
        assert!(!out.closed());
        assert!(out.line("x").is_err());
        assert!(out.closed());
    }
}
