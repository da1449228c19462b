//! Runs the program so that something befalls it at a certain system call. `tripwire.c` says what there is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tests::need;
use tests::world::World;

/// What befalls it, and at which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: the calls are counted.
    Count,
    /// SIGKILL.
    Kill,
    /// Another signal.
    Signal(rustix::process::Signal),
    /// This call fails so.
    Error(i32),
    /// So do all that follow.
    Errors(i32),
}

impl Action {
    fn word(self) -> String {
        match self {
            Self::Count => "count".into(),
            Self::Kill => "kill".into(),
            Self::Signal(signal) => format!("signal:{}", signal.as_raw()),
            Self::Error(number) => format!("error:{number}"),
            Self::Errors(number) => format!("errors:{number}"),
        }
    }

    /// Calls that write to a pipe count where the moment matters, and not where a disk fails.
    fn pipes(self) -> bool {
        matches!(self, Self::Count | Self::Kill | Self::Signal(_))
    }
}

/// The tripwire, built when it is first needed; `None`, and told, where it cannot be.
pub(crate) fn program() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    if !need::programs(&["cc"]) || !need::root() {
        return None;
    }
    let built = BUILT.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tripwire-{}", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sweep/tripwire.c");
        let done = Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&to).arg(source).output();
        let done = done.expect("cc was found");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let works = Command::new(&to).args(["count", "0", "true"]).output().is_ok_and(|out| out.status.success());
        works.then_some(to)
    });
    need::have_privilege(built.is_some(), "this kernel does not hand system calls to another process").then_some(())?;
    built.as_deref()
}

/// Words before the program's own: it trips at call `at`. `fuse`: a file by which only the first of several runs trips.
pub(crate) fn words(world: &World, action: Action, at: u64, fuse: bool) -> Vec<String> {
    let mut words = vec![program().expect("built").to_str().unwrap().to_owned()];
    if action.pipes() {
        words.push("-p".into());
    }
    if action == Action::Count {
        words.extend(["-l".into(), world.arg("calls")]);
        fs::remove_file(world.path("calls")).unwrap_or_default();
    }
    if fuse {
        fs::write(world.path("fuse"), "").unwrap();
        words.extend(["-f".into(), world.arg("fuse")]);
    }
    words.extend([action.word(), at.to_string(), "tuckbox".into()]);
    words
}

/// The same for calls about everything but the vault: the program's own files, and what it reads and makes for people.
pub(crate) fn own_words(world: &World, action: Action, at: u64) -> Vec<String> {
    let mut words = vec![program().expect("built").to_str().unwrap().to_owned(), "-x".into(), world.arg("vault")];
    if action == Action::Count {
        words.extend(["-l".into(), world.arg("calls")]);
        fs::remove_file(world.path("calls")).unwrap_or_default();
    }
    words.extend([action.word(), at.to_string(), "tuckbox".into()]);
    words
}

/// Calls of a run that counted: to files, and all.
pub(crate) fn counted(world: &World) -> (u64, u64) {
    let text = fs::read_to_string(world.path("calls")).unwrap_or_default();
    let files = text.lines().filter(|line| !line.contains(" pipe:") && !line.contains(" socket:")).count();
    (files as u64, text.lines().count() as u64)
}
