//! A vault, machines that use it, and trees to back up, all in one temporary folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use store::door::{Chance, Clock, ConstantChance, Disk, FixedClock, RealDisk, SystemClock};
use tempfile::TempDir;

use super::person::Nobody;
use super::wire::{Cut, Wire};
use crate::engine::backup::backup_over;
use crate::engine::backup::pass::Pace;
use crate::engine::connect::Connector;
use crate::engine::init::init;
use crate::engine::job::*;
use crate::engine::patience::Patience;
use crate::engine::queue::lock;
use crate::engine::{check, restore};
use crate::event::{Event, Watcher};
use crate::fault::{Code, Fault, Result};

/// Nothing here takes longer; what does, hangs.
const HANGS: Duration = Duration::from_secs(600);

/// No real time, and no end.
pub(super) const PATIENT: Patience =
    Patience { most_ms: i64::MAX, attempts: 6, first_pause_ms: 0, longest_pause_ms: 0 };

/// As often as can be.
pub(super) const RESTLESS: Pace =
    Pace { checkpoint_ms: i64::MAX, checkpoint_bytes: 1, checkpoint_files: u64::MAX, tell_ms: 1, ending_ms: i64::MAX };

/// See the module.
pub(super) struct Place {
    pub(super) dir: TempDir,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<ConstantChance>,
    pub(super) disk: Arc<dyn Disk>,
    /// The folder of the vault: a server that is still closing the old one must not meet a new one in its place.
    pub(super) vault: Mutex<String>,
}

impl Place {
    /// A vault with the account of the machine "ana", an hour from now: nothing made by the test is too fresh.
    pub(super) fn new() -> (Self, Run) {
        let later = SystemClock::new().now_ms() + 3_600_000;
        Self::at(Arc::new(FixedClock::at(later)))
    }

    pub(super) fn at(clock: Arc<dyn Clock>) -> (Self, Run) {
        let dir = tempfile::tempdir().unwrap();
        let place = Self {
            dir,
            clock,
            chance: Arc::new(ConstantChance::new(7)),
            disk: Arc::new(RealDisk),
            vault: Mutex::new("vault".into()),
        };
        let run = place.machine("ana");
        init(&run, &InitJob::default()).unwrap();
        (place, run)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn vault(&self) -> PathBuf {
        self.path(&lock(&self.vault))
    }

    /// A machine with folders of its own.
    pub(super) fn machine(&self, name: &str) -> Run {
        let at = |folder: &str| self.path(&format!("machine-{name}/{folder}"));
        Run {
            place: Where {
                vault: self.vault().to_str().unwrap().to_owned(),
                vault_is_default: false,
                account: None,
                key_file: None,
                ssh: SshChoice::Auto,
                remote_program: None,
                stripes: None,
                retry_ms: None,
                pin_file: None,
                limit: None,
            },
            folders: Folders {
                config: at("config"),
                state: at("state"),
                cache: at("cache"),
                data: at("data"),
                working: self.dir.path().to_owned(),
                home: None,
            },
            watcher: Arc::new(Ears::default()),
            person: Arc::new(Nobody::default()),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance) as Arc<dyn Chance>,
            stop: Stop::default(),
            profile: crate::profile::Profile::default(),
            kept: None,
            throttle: None,
            hurried: false,
            host: name.to_owned(),
            zone: TimeZone::UTC,
        }
    }

    /// A line to the vault that is cut as ordered.
    pub(super) fn wire(&self, cuts: impl IntoIterator<Item = Cut>) -> Arc<Wire> {
        let chance = Arc::clone(&self.chance) as Arc<dyn Chance>;
        Wire::new(self.vault(), Arc::clone(&self.clock), chance, Arc::clone(&self.disk), cuts)
    }

    /// A backup over a good line.
    pub(super) fn backup(&self, run: &Run, job: BackupJob) -> Result<BackupSummary> {
        let wire = self.wire([]);
        let done = over(run, &wire, job, Pace::default());
        wire.settle();
        done
    }

    /// Everything is whole, and the newest version holds just this.
    pub(super) fn prove(&self, run: &Run, source: &Path) {
        self.check(run);
        assert_eq!(self.restored(run, source), tree(source));
    }

    /// Everything is whole.
    pub(super) fn check(&self, run: &Run) {
        let mut found = Vec::new();
        let job = CheckJob { full: true, read_data: true, ..CheckJob::default() };
        let run = run.clone();
        let (summary, found) = within(move || {
            let summary = check::check(&run, &job, &mut |row| {
                found.push(row);
                Ok(())
            });
            (summary.unwrap(), found)
        });
        assert_eq!((summary.damaged, summary.odd), (0, 0), "{found:?}");
    }

    /// What the newest version holds of a source.
    pub(super) fn restored(&self, run: &Run, source: &Path) -> Tree {
        self.restored_at(run, source, At::default())
    }

    /// What a version holds of a source.
    pub(super) fn restored_at(&self, run: &Run, source: &Path, at: At) -> Tree {
        let to = tempfile::tempdir_in(self.dir.path()).unwrap();
        let job = RestoreJob {
            at,
            paths: vec![source.as_os_str().as_bytes().to_vec()],
            to: Some(to.path().to_owned()),
            overwrite: Overwrite::Always,
            ..RestoreJob::default()
        };
        let run = run.clone();
        within(move || restore::restore(&run, &job)).unwrap();
        tree(&to.path().join(source.file_name().unwrap()))
    }

    /// Numbers and kinds of all links.
    pub(super) fn links(&self, run: &Run) -> Vec<store::chain::LinkKind> {
        let account = crate::engine::account::Account::open(run).unwrap();
        let history = account.history();
        history.links().iter().map(|link| link.link().kind).collect()
    }
}

/// A backup over this line, with little patience.
pub(super) fn over(run: &Run, wire: &Arc<Wire>, job: BackupJob, pace: Pace) -> Result<BackupSummary> {
    let (run, wire) = (run.clone(), Arc::clone(wire));
    within(move || {
        let mut connector = Connector::over(&run, wire);
        connector.patience = PATIENT;
        backup_over(&run, Arc::new(connector), job, pace)
    })
}

/// Does it on another thread, and ends the test when that hangs.
pub(super) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = sync_channel(1);
    let thread = std::thread::spawn(move || drop(done.send(work())));
    match wait.recv_timeout(HANGS) {
        Ok(got) => got,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!(),
        },
    }
}

/// A job of these sources.
pub(super) fn job<P: AsRef<Path>>(sources: impl IntoIterator<Item = P>) -> BackupJob {
    let sources = sources.into_iter().map(|path| source(path.as_ref())).collect();
    BackupJob { sources, guard_share_permille: 500, guard_min: 100, ..BackupJob::default() }
}

pub(super) fn source(path: &Path) -> SourceJob {
    SourceJob { path: path.as_os_str().as_bytes().to_vec(), host: "ana".into(), ..SourceJob::default() }
}

/// Bytes that do not compress, of this seed.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ConstantChance::new(seed).fill(&mut bytes);
    bytes
}

/// A small tree of everything; gives the bytes in its files.
pub(super) fn mixed(at: &Path) -> u64 {
    fs::create_dir_all(at.join("deep/er/still")).unwrap();
    fs::create_dir(at.join("empty")).unwrap();
    for (n, times) in (0..40).zip(1..) {
        fs::write(at.join(format!("small-{n}")), format!("content {n} ").repeat(times)).unwrap();
        fs::write(at.join(format!("deep/er/noise-{n}")), noise(n, 3_000)).unwrap();
    }
    fs::write(at.join("deep/empty-file"), b"").unwrap();
    fs::write(at.join("deep/er/still/tiny"), b"inline").unwrap();
    fs::write(at.join("large"), noise(99, 1_500_000)).unwrap();
    fs::hard_link(at.join("large"), at.join("deep/large-again")).unwrap();
    symlink("../large", at.join("deep/link")).unwrap();
    tree(at).values().map(|thing| thing.bytes.len() as u64).sum()
}

/// One thing of a tree, as far as everybody may put it back.
#[derive(PartialEq, Eq)]
pub(super) struct Thing {
    kind: u32,
    mode: u32,
    mtime: (i64, i64),
    pub(super) bytes: Vec<u8>,
}

impl Thing {
    pub(super) fn is_dir(&self) -> bool {
        self.kind == 0o040_000
    }

    /// Bytes of its content.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl std::fmt::Debug for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, mode, mtime, bytes } = self;
        write!(f, "{kind:o} {mode:o} {mtime:?} {} bytes", bytes.len())
    }
}

/// By path below the top.
pub(super) type Tree = BTreeMap<PathBuf, Thing>;

/// What is there.
pub(super) fn tree(top: &Path) -> Tree {
    let mut out = Tree::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(path) = waiting.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let bytes = if meta.is_file() {
            fs::read(&path).unwrap()
        } else if meta.is_symlink() {
            fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
        } else {
            Vec::new()
        };
        if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let thing = Thing {
            kind: meta.mode() & 0o170_000,
            mode: if meta.is_symlink() { 0 } else { meta.mode() & 0o7777 },
            mtime: (meta.mtime(), meta.mtime_nsec()),
            bytes,
        };
        out.insert(path.strip_prefix(top).unwrap().to_owned(), thing);
    }
    out
}

/// A hook of a test: hears every event first.
pub(super) type Hook = Box<dyn Fn(&Event<'_>) + Send + Sync>;

/// Remembers what it heard.
#[derive(Default)]
pub(super) struct Ears {
    pub(super) warnings: Mutex<Vec<Fault>>,
    pub(super) details: Mutex<Vec<String>>,
    pub(super) hook: Option<Hook>,
}

impl Ears {
    pub(super) fn with(hook: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { hook: Some(Box::new(hook)), ..Self::default() })
    }

    pub(super) fn codes(&self) -> Vec<Code> {
        lock(&self.warnings).iter().map(|fault| fault.code).collect()
    }
}

impl Watcher for Ears {
    fn event(&self, event: &Event<'_>) {
        if let Some(hook) = &self.hook {
            hook(event);
        }
        match event {
            Event::Warning(fault) => lock(&self.warnings).push((*fault).clone()),
            Event::Detail(text) => lock(&self.details).push((*text).to_owned()),
            _ => {}
        }
    }
}
