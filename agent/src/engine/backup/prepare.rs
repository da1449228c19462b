//! Before the first pass: what the newest version says of each source, and how each begins.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use store::chain::{LinkKind, SourceRoot, is_plain_path};
use store::id::SourceId;
use store::tree::{Entry, Node, NodeSource, What};

use super::inner::Inner;
use super::mounted::Mounts;
use super::redundant;
use super::source_run::{Before, Deletions, SourceRun};
use super::suspicion::Looked;
use crate::engine::account::Account;
use crate::engine::cache::NodeCache;
use crate::engine::job::{BackupJob, SourceJob, StdinJob};
use crate::engine::why::{holds, is_below};
use crate::event::Event;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::source::{Dir, MountFacts, Order, Selection, Stat, mount_facts};

/// What a run builds on.
pub struct Base {
    /// Sources as the newest version has them: what a run is compared with, however many were cut off since. One that no
    /// version has yet, as the newest partial has it.
    newest: HashMap<SourceId, SourceRoot>,
    /// The same as the newest partial has them that came after it and has something else: what is taken over unread.
    so_far: HashMap<SourceId, SourceRoot>,
    /// Sources as the newest version has them, by host and path.
    in_order: Vec<SourceRoot>,
}

impl Base {
    /// From the newest version and the partials after it.
    pub fn of(account: &Account) -> Result<Self> {
        let (mut newest, mut so_far) = (HashMap::<SourceId, SourceRoot>::new(), HashMap::new());
        let mut whole = HashSet::new();
        // Without it nothing may follow. Asked for first, as newer links may come with it.
        let mut body = account.newest_version()?;
        let mut in_order = body.as_ref().map(|body| body.sources.clone()).unwrap_or_default();
        in_order.sort_by(|a, b| (&a.host, &a.path).cmp(&(&b.host, &b.path)));
        let links = account.version_links(true);
        let from = links.iter().rposition(|link| link.link().kind == LinkKind::Version).unwrap_or(0);
        for link in links.get(from..).unwrap_or_default() {
            let is_whole = link.link().kind == LinkKind::Version;
            if !is_whole {
                body = account.version_body(link)?;
            }
            for source in body.take().map(|body| body.sources).unwrap_or_default() {
                if is_whole || !whole.contains(&source.id) {
                    whole.extend(is_whole.then_some(source.id));
                    newest.insert(source.id, source);
                } else if newest.get(&source.id).is_some_and(|before| before.root != source.root) {
                    // A partial names also what its run had not come to, as the version before has it.
                    so_far.insert(source.id, source);
                }
            }
        }
        Ok(Self { newest, so_far, in_order })
    }

    /// Every source that there is.
    pub fn sources(&self) -> impl Iterator<Item = &SourceRoot> {
        self.newest.values()
    }

    /// The sources of the newest version that lie inside this path.
    pub fn inside<'b>(&'b self, host: &'b str, path: &'b [u8]) -> impl Iterator<Item = &'b SourceRoot> {
        // What begins with the path stands together.
        let from = self.in_order.partition_point(|root| (&*root.host, &*root.path) <= (host, path));
        let rest = self.in_order.get(from..).unwrap_or_default().iter();
        let begins = move |root: &&SourceRoot| root.host == host && root.path.starts_with(path);
        rest.take_while(begins).filter(move |root| is_below(&root.path, path))
    }

    /// A source of the newest version that nobody would see any more with a file at this path, or that would hide that.
    fn in_the_way(&self, host: &str, path: &[u8]) -> Option<&SourceRoot> {
        let hides = |root: &&SourceRoot| match root.dirs {
            0 => is_below(&root.path, path) || is_below(path, &root.path),
            _ => holds(path, &root.path),
        };
        self.in_order.iter().filter(|root| root.host == host).find(hides)
    }

    /// What the newest version says of a source.
    pub fn source(&self, id: SourceId) -> Option<&SourceRoot> {
        self.newest.get(&id)
    }
}

/// How a source begins.
pub enum Start {
    /// A directory, open.
    Dir(Dir, Stat, Vec<u8>),
    /// Anything else: the directory it is in, and its name there.
    Name(Dir, Stat, Vec<u8>),
    /// Standard input.
    Stdin(StdinJob),
}

/// What to do when standard input cannot have a name.
pub const ANOTHER_NAME: &str = "give another name: --stdin-filename PATH";

/// Everything ready for the first pass.
pub struct Prepared {
    /// Sources that are there.
    pub sources: Vec<Arc<SourceRun>>,
    /// How each begins.
    pub starts: Vec<Start>,
    /// Number of sources that are not there and never were.
    pub missing: u64,
    /// Sources that are not there but were: their old roots stand for them.
    pub kept: Vec<SourceRoot>,
    /// Sources that are not in the new version any more.
    pub dropped: Vec<SourceRoot>,
    /// For the state, once the version stands: see [`redundant`].
    pub configured: Option<std::collections::BTreeMap<String, i64>>,
}

impl Prepared {
    /// Looks at every source.
    pub fn new(
        account: &Account,
        base: &Base,
        job: &BackupJob,
        stdin: Option<StdinJob>,
        nodes: &NodeCache,
    ) -> Result<Self> {
        let mut prepared = Self {
            sources: Vec::new(),
            starts: Vec::new(),
            missing: 0,
            kept: Vec::new(),
            dropped: Vec::new(),
            configured: None,
        };
        let id = |source: &SourceJob| account.keys.source_id(&source.host, source.bare_path());
        let named: HashSet<SourceId> = job.sources.iter().map(id).collect();
        for source in &job.sources {
            let inner = Inner::of(source, base, job, &named, deletions(account, job, source));
            prepared.add(account, base, job, source, inner, nodes)?;
        }
        if let Some(stdin) = stdin {
            prepared.add_stdin(account, base, stdin, nodes)?;
        }
        if prepared.sources.is_empty() && prepared.kept.is_empty() && prepared.dropped.is_empty() {
            return Err(nothing_there(job));
        }
        if job.configured {
            let (configured, dropped) = redundant::look(account, base, job);
            prepared.configured = Some(configured);
            prepared.dropped.extend(dropped);
        }
        Ok(prepared)
    }

    fn add(
        &mut self,
        account: &Account,
        base: &Base,
        job: &BackupJob,
        source: &SourceJob,
        inner: Inner,
        nodes: &NodeCache,
    ) -> Result<()> {
        let mut source = source.clone();
        let follow = source.path.len() > 1 && source.path.ends_with(b"/");
        source.path = source.bare_path().to_vec();
        let id = account.keys.source_id(&source.host, &source.path);
        if self.sources.iter().any(|other| other.id == id)
            || self.kept.iter().chain(&self.dropped).any(|other| other.id == id)
        {
            // Named twice; once is enough.
            return Ok(());
        }
        if source.skip {
            // What the version before has of it stands.
            self.missing += 1;
            return Ok(());
        }
        let start = match start(&source.path, follow) {
            Ok(start) => start,
            Err(error) => return self.absent(account, base, job, &source, id, &error),
        };
        let mount =
            mount_facts(Path::new(std::ffi::OsStr::new(&*os(&source.path)))).unwrap_or_else(|_| unknown_mount());
        if let Start::Name(_, stat, _) = &start
            && stat.kind == store::tree::Kind::Symlink
        {
            let shown = for_terminal(&source.path);
            account.run.watcher.event(&Event::Note(&format!(
                "{shown} is a symbolic link and is stored as one; {shown}/ would follow it"
            )));
        }
        // One that jumped ahead makes nothing too old.
        let back_ms = account.clock_ahead_ms.min(0);
        source.rules.ages.iter_mut().for_each(|rule| rule.by_clock_behind(back_ms));
        let selection = Selection::new(&source.rules)?.below(&source.path);
        let selection = (selection, Order::new(&source.first, &source.last)?.below(&source.path));
        let before = before(account, base, id, &source.path, nodes)?;
        let deletions = deletions(account, job, &source);
        let (so_far, looked) = so_far(account, base, id, nodes)?;
        let run = SourceRun::new(id, source, selection, mount, before, follow, deletions);
        let now_s = u64::try_from(account.run.clock.now_ms() / 1000).unwrap_or(0);
        let mounts = Mounts::new(&account.state().mounts(id), now_s);
        self.sources.push(Arc::new(run.with_inner(inner).with_mounts(mounts).going_on(so_far, looked)));
        self.starts.push(start);
        Ok(())
    }

    /// A source that is not there: kept when it was, counted when it never was.
    fn absent(
        &mut self,
        account: &Account,
        base: &Base,
        job: &BackupJob,
        source: &SourceJob,
        id: SourceId,
        error: &std::io::Error,
    ) -> Result<()> {
        let shown = for_terminal(&source.path);
        let watcher = &account.run.watcher;
        // Also where something else stands in the place of a directory above it.
        let gone = matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory);
        match base.source(id) {
            Some(root) if gone => {
                let since_ms = *root.clone().missing_since.get_or_insert(account.run.clock.now_ms());
                if deletions(account, job, source).due(since_ms) {
                    watcher.event(&Event::Note(&format!("{shown} is gone, and now recorded as removed")));
                    self.dropped.push(root.clone());
                    return Ok(());
                }
                watcher.event(&Event::Warning(
                    &Fault::new(Code::GuardMassDeletion, format!("{shown} is gone; what was stored of it is kept"))
                        .because(error)
                        .hint("if that is right: the same command with --accept-deletions")
                        .path(source.path.clone()),
                ));
                let mut root = root.clone();
                root.missing_since = Some(since_ms);
                self.kept.push(root);
            }
            Some(root) => {
                watcher.event(&Event::Warning(&unreadable(&shown, source, error)));
                self.missing += 1;
                self.kept.push(root.clone());
            }
            None => {
                let fault = if gone {
                    Fault::new(Code::SourceNone, format!("{shown} is not there")).because(error).hint("check the path")
                } else {
                    unreadable(&shown, source, error)
                };
                watcher.event(&Event::Warning(&fault.path(source.path.clone())));
                self.missing += 1;
            }
        }
        Ok(())
    }

    fn add_stdin(&mut self, account: &Account, base: &Base, stdin: StdinJob, nodes: &NodeCache) -> Result<()> {
        if !is_plain_path(&stdin.path) {
            let shown = for_terminal(&stdin.path);
            return Err(Fault::new(Code::Usage, format!("{shown} cannot be the path of a file")).hint(ANOTHER_NAME));
        }
        if let Some(root) = base.in_the_way(&stdin.host, &stdin.path) {
            let (shown, known) = (for_terminal(&stdin.path), for_terminal(&root.path));
            let told = format!("standard input as {shown} and {known}, which is backed up, cannot be in one version");
            return Err(Fault::new(Code::Usage, told).hint(ANOTHER_NAME));
        }
        let source = SourceJob { path: stdin.path.clone(), host: stdin.host.clone(), ..SourceJob::default() };
        let id = account.keys.source_id(&source.host, &source.path);
        let before = before(account, base, id, &source.path, nodes)?;
        let run = SourceRun::new(id, source, Default::default(), unknown_mount(), before, false, Deletions::default());
        self.sources.push(Arc::new(run));
        self.starts.push(Start::Stdin(stdin));
        Ok(())
    }
}

/// When what is missing of a source goes. By the clock that is behind, of this machine's and the server's: one that
/// jumped ahead ends nothing.
fn deletions(account: &Account, job: &BackupJob, source: &SourceJob) -> Deletions {
    let after_ms = source.protect_missing_ms.unwrap_or(job.protect_missing_ms);
    let missing_by_ms = redundant::moment_before(account, after_ms);
    Deletions { accepted: job.accept_deletions, missing_by_ms }
}

/// None of the sources exists, or ever did.
pub fn nothing_there(job: &BackupJob) -> Fault {
    let path = job.sources.first().map(|source| for_terminal(&source.path)).unwrap_or_default();
    Fault::new(Code::SourceNone, format!("{path} is not there")).hint("check the path")
}

fn unreadable(shown: &str, source: &SourceJob, error: &std::io::Error) -> Fault {
    Fault::new(Code::SourceUnreadable, format!("cannot read {shown}"))
        .because(error)
        .hint("run as a user who may read it")
        .path(source.path.clone())
}

/// How sources begin again, for another pass.
pub fn starts(sources: &[Arc<SourceRun>]) -> Result<Vec<Start>> {
    sources
        .iter()
        .map(|source| {
            start(&source.job.path, source.follow).map_err(|error| {
                Fault::new(Code::SourceVanished, format!("{} vanished", for_terminal(&source.job.path))).because(error)
            })
        })
        .collect()
}

fn os(path: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(path.to_vec())
}

/// Opens a source. Its last component is followed only when asked.
pub fn start(path: &[u8], follow: bool) -> std::io::Result<Start> {
    let whole = os(path);
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    let opened =
        if follow || name.is_empty() { Dir::open_following(Path::new(&whole)) } else { Dir::open(Path::new(&whole)) };
    match opened {
        Ok(dir) => {
            let stat = dir.stat_self()?;
            Ok(Start::Dir(dir, stat, name))
        }
        Err(error) if is_no_dir(&error) => {
            let above = Path::new(&whole).parent().unwrap_or(Path::new("/"));
            let dir = Dir::open_following(above)?;
            let stat = dir.stat(&name)?;
            Ok(Start::Name(dir, stat, name))
        }
        Err(error) => Err(error),
    }
}

/// What opening says of anything that is not a directory, links among them.
fn is_no_dir(error: &std::io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(errno, Some(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP))
}

fn unknown_mount() -> MountFacts {
    MountFacts {
        fs_type: String::new(),
        device: 0,
        mount_point: Vec::new(),
        is_mount_root: false,
        inodes_stable: true,
        granularity_ns: 1_000_000_000,
    }
}

/// What runs that were cut off since have left of a source, when this device committed it, and how that looked.
fn so_far(account: &Account, base: &Base, id: SourceId, nodes: &NodeCache) -> Result<(Option<Entry>, Looked)> {
    let state = account.state();
    let Some(newest) = base.so_far.get(&id).or_else(|| base.source(id)) else { return Ok(Default::default()) };
    let looked = state.looked(id, newest.root);
    let Some(root) = base.so_far.get(&id).filter(|root| state.is_own(id, root.root)) else { return Ok((None, looked)) };
    match nodes.fill(root.root).and_then(|()| Ok(nodes.node(&root.root)?)) {
        Ok(Node::Root(entry)) => Ok((Some(entry), looked)),
        // It only spares reading.
        Ok(_) => Ok((None, looked)),
        Err(fault) if fault.code == Code::DataDamaged => Ok((None, looked)),
        Err(fault) => Err(fault),
    }
}

/// What the newest version says of a source. Its nodes are made sure of in one flight.
fn before(account: &Account, base: &Base, id: SourceId, path: &[u8], nodes: &NodeCache) -> Result<Option<Before>> {
    let Some(root) = base.source(id) else { return Ok(None) };
    let entry = match nodes.fill(root.root).and_then(|()| Ok(nodes.node(&root.root)?)) {
        Ok(Node::Root(entry)) => entry,
        Ok(_) => return Err(store::Error::damaged("version", "a root is no root node").into()),
        // As on a first backup: everything is read, and nothing that is there is sent again.
        Err(fault) if fault.code == Code::DataDamaged => {
            let told = format!("what the version before holds of {} cannot be read", for_terminal(path));
            let told = Fault::new(Code::DataDamaged, told).because(fault);
            account.run.watcher.event(&Event::Warning(
                &told.hint("everything is read anew now; look at the vault: tuckbox check").path(path),
            ));
            return Ok(None);
        }
        Err(fault) => return Err(fault),
    };
    let totals = entry.totals();
    let is_dir = matches!(entry.what, What::Dir(_));
    Ok(Some(Before {
        root: root.root,
        introduced: root.introduced,
        content: root.content,
        was_mount_point: is_dir && root.mount_point == path,
        missing_since: root.missing_since,
        trusted: account.state().is_own(id, root.root),
        totals,
        entry,
    }))
}
