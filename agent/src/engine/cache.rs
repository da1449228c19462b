//! The nodes that this machine has seen, sealed as they were on the server. The only cache.
//!
//! It lies in the user's cache directory as node packs, may be deleted at any time, and is fetched again in one
//! flight. Nothing in it is believed: opening a group computes the id of every node again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use store::door::{Chance, Disk, RealDisk};
use store::id::{NodeId, PackId, SessionId};
use store::pack::{PackHeader, PackKind, PackReader, PackWriter};
use store::record::{Record, RecordKind, Refs};
use store::seal::{Scratch, Sealer};
use store::tree::{Looks, Node, NodeSource};

use super::queue::lock;
use super::trouble::protocol;
use crate::fault::{Fault, Result};

/// Opened groups that are kept: a few MiB, enough for the paths of all scanners.
const OPENED_MAX: usize = 24;
/// Packs above which the cache is written anew with only what the newest roots need.
const PACKS_MAX: usize = 24;
/// Roots whose nodes stay when the cache is written anew.
const COMPACT_ROOTS: usize = 8;
/// Groups that do not open, out of one answer: damage is rare, rubbish has no end.
const SPOILED_MAX: u32 = 1_000;
/// Nodes that are asked for by their ids at once.
const BRING_MAX: usize = 4_096;
/// File that lists the roots whose nodes are all here.
const ROOTS_FILE: &str = "roots";
/// Largest file of roots that is read.
const ROOTS_BYTES_MAX: usize = 1 << 20;

/// Gets groups from the server: all that hold a node under `root`, or only those that hold `root` itself, each
/// handed to the visitor.
pub type Fetch<'a> = dyn Fn(&Wish<'_>, &mut dyn FnMut(Record) -> Result<()>) -> Result<()> + Send + Sync + 'a;

/// What is to be fetched.
pub enum Wish<'w> {
    /// The group of this node.
    One(NodeId),
    /// The groups of these nodes.
    Some(&'w [NodeId]),
    /// Everything under this root that is not under the known ones.
    Under(NodeId, &'w [NodeId]),
}

/// A node as it stands in a group: id, references, plain encoding.
pub type RawNode = (NodeId, Refs, Vec<u8>);

/// See the module.
pub struct NodeCache {
    dir: PathBuf,
    disk: RealDisk,
    chance: Arc<dyn Chance>,
    sealer: Sealer,
    fetch: Box<Fetch<'static>>,
    known: RwLock<Known>,
    opened: Mutex<Opened>,
    /// One for each who opens groups at a time. Locked while a group is, never the other way round.
    scratches: Mutex<Vec<Scratch>>,
    fresh: Mutex<Fresh>,
}

#[derive(Default)]
struct Known {
    packs: Vec<(PathBuf, PackReader)>,
    /// Node → pack, line, and place in the group.
    spots: HashMap<NodeId, (u32, u32, u32)>,
    /// Roots whose nodes are all here.
    roots: Vec<NodeId>,
    /// Number of the first pack. Numbers are never used twice, so that an old one leads nowhere and not astray.
    from: u32,
}

/// A group that is open.
type Group = Arc<Vec<RawNode>>;

/// Groups that are open or being opened, the latest used last. Each has a lock of its own, so that who opens one keeps only
/// those waiting who want the same.
#[derive(Default)]
struct Opened {
    groups: Vec<(Spot, Arc<Mutex<Option<Group>>>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spot {
    Kept(u32, u32),
    Fetched(NodeId),
}

/// What this run adds.
#[derive(Default)]
struct Fresh {
    writer: Option<PackWriter>,
}

impl NodeCache {
    /// The cache in this directory, which need not exist. What cannot be read in it is left alone: it will be
    /// fetched again.
    pub fn open(dir: PathBuf, sealer: Sealer, chance: Arc<dyn Chance>, fetch: Box<Fetch<'static>>) -> Self {
        let disk = RealDisk;
        let mut known = Known::default();
        sweep(&dir);
        for named in disk.list(&dir).unwrap_or_default() {
            let path = dir.join(&named.name);
            if path.extension().is_some_and(|extension| extension == "pack")
                && let Ok(reader) = PackReader::open(&disk, &path)
            {
                known.add(path, reader);
            }
        }
        let text = disk.read(&dir.join(ROOTS_FILE), ROOTS_BYTES_MAX).unwrap_or_default();
        known.roots = String::from_utf8_lossy(&text).lines().filter_map(NodeId::from_hex).collect();
        Self {
            dir,
            disk,
            chance,
            sealer,
            fetch,
            known: RwLock::new(known),
            opened: Mutex::default(),
            scratches: Mutex::default(),
            fresh: Mutex::default(),
        }
    }

    /// Whether this node was here when the run began.
    pub fn has(&self, id: &NodeId) -> bool {
        self.known().spots.contains_key(id)
    }

    /// Whether everything under this root is known to be here.
    pub fn is_filled(&self, root: &NodeId) -> bool {
        self.known().roots.contains(root) && self.has(root)
    }

    /// Makes sure that everything under this root is here.
    pub fn fill(&self, root: NodeId) -> Result<()> {
        let roots = self.known().roots.clone();
        if roots.contains(&root) && self.has(&root) {
            return Ok(());
        }
        let here: Vec<NodeId> = roots.into_iter().filter(|root| self.has(root)).collect();
        let mut spoiled = 0;
        (self.fetch)(&Wish::Under(root, &here), &mut |record| {
            // Only what opens is kept: the vault cannot fill this disk with what it makes up.
            let opened = self.open_record(&record);
            if opened.is_ok() {
                return self.add(&record);
            }
            spoiled += 1;
            if spoiled > SPOILED_MAX { Err(protocol("groups come that do not open")) } else { Ok(()) }
        })?;
        self.keep(&[root])
    }

    /// Makes sure that these nodes are here, in one flight; what is below them may be or not.
    pub fn bring(&self, ids: &[NodeId]) -> Result<()> {
        let lacking: Vec<NodeId> = ids.iter().filter(|id| !self.has(id)).copied().collect();
        for some in lacking.chunks(BRING_MAX) {
            (self.fetch)(&Wish::Some(some), &mut |record| self.add(&record))?;
        }
        if lacking.is_empty() { Ok(()) } else { self.keep(&[]) }
    }

    /// Adds a group that this run made or got. It counts after [`keep`](Self::keep).
    pub fn add(&self, record: &Record) -> Result<()> {
        if record.header.kind != RecordKind::Group {
            return Ok(());
        }
        let mut fresh = lock(&self.fresh);
        if fresh.writer.is_none() {
            fresh.writer = self.new_writer()?;
        }
        let written = fresh.writer.as_mut().map(|writer| writer.append(record));
        if let Some(Err(_)) = written {
            // A cache that cannot be written is done without.
            fresh.writer = None;
        }
        Ok(())
    }

    /// `None` when the directory cannot be written: a cache is done without.
    fn new_writer(&self) -> Result<Option<PackWriter>> {
        let header = PackHeader {
            kind: PackKind::Nodes,
            features: [0; 3],
            domain: self.sealer.domain(),
            account: self.sealer.account(),
            session: SessionId::ZERO,
            pack: PackId::new(self.chance.bytes()),
            session_number: 0,
        };
        let made = super::state::private_dir(&self.dir).is_ok();
        Ok(made.then(|| PackWriter::create(&self.disk, &self.dir, header).ok()).flatten())
    }

    /// What was added belongs to committed versions: it counts from now on, and everything under these roots is here.
    pub fn keep(&self, roots: &[NodeId]) -> Result<()> {
        let fresh = std::mem::take(&mut *lock(&self.fresh));
        if let Some(writer) = fresh.writer {
            self.keep_pack(writer)?;
        }
        {
            let mut known = self.known_mut();
            let mut all: Vec<NodeId> = roots.to_vec();
            all.extend(known.roots.iter().copied().filter(|root| !roots.contains(root)).take(32));
            known.roots = all;
        }
        if self.known().packs.len() > PACKS_MAX {
            self.compact()?;
        }
        self.write_roots();
        Ok(())
    }

    /// These roots stay longest when the cache is written anew.
    pub fn prefer(&self, roots: &[NodeId]) {
        {
            let mut known = self.known_mut();
            let (mut first, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut known.roots).into_iter().partition(|root| roots.contains(root));
            first.extend(rest);
            known.roots = first;
        }
        self.write_roots();
    }

    fn keep_pack(&self, writer: PackWriter) -> Result<()> {
        let finished = match writer.finish() {
            Ok(finished) => finished,
            Err(_) => return Ok(()),
        };
        let path = self.dir.join(format!("{}.pack", finished.header.pack.hex()));
        let side = store::pack::side_path(&finished.path);
        if self.disk.rename(&finished.path, &path).is_ok() {
            // Only needed while the pack was open.
            drop(self.disk.remove_file(&side));
            if let Ok(reader) = PackReader::open(&self.disk, &path) {
                self.known_mut().add(path, reader);
            }
        }
        Ok(())
    }

    fn write_roots(&self) {
        let text: String = self.known().roots.iter().map(|root| root.hex() + "\n").collect();
        let new = self.dir.join("roots.new");
        // Losing this file costs one flight.
        drop(
            super::state::write_quietly(&new, text.as_bytes())
                .and_then(|()| std::fs::rename(&new, self.dir.join(ROOTS_FILE))),
        );
    }

    /// Writes one pack with the groups that the newest roots need, and drops the others.
    fn compact(&self) -> Result<()> {
        let Some(mut writer) = self.new_writer()? else { return Ok(()) };
        let old: Vec<PathBuf> = {
            let known = self.known();
            let mut seen = HashSet::new();
            let mut copied = HashSet::new();
            let mut waiting: Vec<NodeId> = known.roots.iter().take(COMPACT_ROOTS).rev().copied().collect();
            while let Some(id) = waiting.pop() {
                let Some((pack, line, _)) = known.spots.get(&id).copied().filter(|_| seen.insert(id)) else { continue };
                let spot = (pack, line);
                if copied.insert(spot)
                    && let Some(record) = known.record(spot)
                {
                    writer.append(&record)?;
                }
                let group = self.group(&known, spot.0, spot.1)?;
                if let Some((_, refs, _)) = group.iter().find(|(node, ..)| *node == id) {
                    waiting.extend(refs.nodes.iter().rev());
                }
            }
            known.packs.iter().map(|(path, _)| path.clone()).collect()
        };
        {
            let mut known = self.known_mut();
            let mut roots = std::mem::take(&mut known.roots);
            roots.truncate(COMPACT_ROOTS);
            let from = known.from.saturating_add(u32::try_from(known.packs.len()).unwrap_or(u32::MAX));
            *known = Known { roots, from, ..Known::default() };
        }
        lock(&self.opened).groups.clear();
        self.keep_pack(writer)?;
        for path in old {
            // What stays behind is read again next time and dropped then.
            drop(self.disk.remove_file(&path));
        }
        Ok(())
    }

    /// A node as it stands in its group, from here or from the server.
    pub fn raw(&self, id: &NodeId) -> Result<RawNode> {
        self.with(id, Clone::clone)
    }

    /// Does something with a node where it stands.
    fn with<T>(&self, id: &NodeId, what: impl FnOnce(&RawNode) -> T) -> Result<T> {
        let spot = self.known().spots.get(id).copied();
        let group = match spot {
            Some((pack, line, _)) => {
                let known = self.known();
                self.group(&known, pack, line).or_else(|_| self.fetched(id))?
            }
            None => self.fetched(id)?,
        };
        let is_it = |(node, ..): &&RawNode| node == id;
        spot.and_then(|(.., place)| group.get(place as usize).filter(is_it))
            .or_else(|| group.iter().find(is_it))
            .map(what)
            .ok_or_else(|| store::Error::NotFound { what: "node", name: id.hex() }.into())
    }

    /// A group that is here, opened.
    fn group(&self, known: &Known, pack: u32, line: u32) -> Result<Group> {
        let place = lock(&self.opened).place(Spot::Kept(pack, line));
        let mut held = lock(&place);
        if let Some(group) = &*held {
            return Ok(Arc::clone(group));
        }
        let group = self.open_record(&known.record((pack, line)).ok_or_else(gone)?)?;
        *held = Some(Arc::clone(&group));
        Ok(group)
    }

    fn open_record(&self, record: &Record) -> Result<Group> {
        let mut scratch = lock(&self.scratches).pop().unwrap_or_default();
        let opened = self.sealer.open_group(&mut scratch, record);
        lock(&self.scratches).push(scratch);
        Ok(Arc::new(opened?))
    }

    /// The group of a node that is not here.
    fn fetched(&self, id: &NodeId) -> Result<Group> {
        if let Some(group) = lock(&self.opened).with(id) {
            return Ok(group);
        }
        let mut found = None;
        (self.fetch)(&Wish::One(*id), &mut |record| {
            let group = self.open_record(&record)?;
            let place = lock(&self.opened).place(Spot::Fetched(*id));
            *lock(&place) = Some(Arc::clone(&group));
            found = Some(group);
            self.add(&record)
        })?;
        found.ok_or_else(|| store::Error::NotFound { what: "node", name: id.hex() }.into())
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Removes what a run left that was killed: an unfinished pack that is older than a finished one. Should a slow run
/// still write on it, that run does without.
fn sweep(dir: &Path) {
    let files = || std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let written = |path: &Path| std::fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok();
    let ends = |path: &PathBuf, end: &[&str]| path.extension().is_some_and(|e| end.iter().any(|end| e == *end));
    let Some(newest) = files().filter(|path| ends(path, &["pack"])).filter_map(|path| written(&path)).max() else {
        return;
    };
    for path in files().filter(|path| ends(path, &["part", "side"])) {
        if written(&path).is_some_and(|time| time < newest) {
            // What cannot be removed takes room and does no harm.
            drop(std::fs::remove_file(path));
        }
    }
}

fn gone() -> Fault {
    store::Error::NotFound { what: "node", name: "in the cache".into() }.into()
}

impl Known {
    fn add(&mut self, path: PathBuf, reader: PackReader) {
        let Some(pack) = u32::try_from(self.packs.len()).ok().and_then(|n| self.from.checked_add(n)) else { return };
        for (line, at) in reader.lines().iter().zip(0..) {
            if line.kind == RecordKind::Group {
                self.spots.extend(line.ids.iter().zip(0..).map(|(id, place)| (NodeId::new(*id), (pack, at, place))));
            }
        }
        self.packs.push((path, reader));
    }

    fn record(&self, (pack, line): (u32, u32)) -> Option<Record> {
        let (_, reader) = self.packs.get(pack.checked_sub(self.from)? as usize)?;
        reader.read(reader.lines().get(line as usize)?).ok()
    }
}

impl Opened {
    /// Where a group is, or will be when it is open.
    fn place(&mut self, spot: Spot) -> Arc<Mutex<Option<Group>>> {
        let place = match self.groups.iter().rposition(|(held, _)| *held == spot) {
            Some(at) => self.groups.remove(at).1,
            None if self.groups.len() >= OPENED_MAX => {
                self.groups.remove(0);
                Arc::default()
            }
            None => Arc::default(),
        };
        self.groups.push((spot, Arc::clone(&place)));
        place
    }

    /// An open group that holds this node.
    fn with(&mut self, id: &NodeId) -> Option<Group> {
        let holds = |place: &Mutex<Option<Group>>| {
            lock(place).as_ref().is_some_and(|group| group.iter().any(|(node, ..)| node == id))
        };
        let spot = self.groups.iter().rfind(|(_, place)| holds(place))?.0;
        let place = self.place(spot);
        lock(&place).clone()
    }
}

impl NodeSource for NodeCache {
    fn node(&self, id: &NodeId) -> store::Result<Node> {
        self.with(id, |(_, refs, plain)| store::tree::decode(refs, plain)).map_err(|fault| not_read(id, &fault))?
    }

    fn look(&self, id: &NodeId, looks: &mut Looks) -> store::Result<Option<Node>> {
        self.with(id, |(_, refs, plain)| store::tree::decode_looks(refs, plain, looks))
            .map_err(|fault| not_read(id, &fault))?
    }
}

fn not_read(id: &NodeId, fault: &Fault) -> store::Error {
    store::Error::NotFound { what: "node", name: format!("{} ({fault})", id.hex()) }
}

/// Where an account's nodes are cached.
pub fn nodes_dir(cache: &Path, vault: &str, account: &str) -> PathBuf {
    cache.join(vault).join(account).join("nodes")
}
