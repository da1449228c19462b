//! Nodes and boxes in memory, and a real directory to restore onto.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use store::door::SystemChance;
use store::id::{AccountId, ChunkId, DomainId};
use store::record::Record;
use store::seal::{AccountKeys, Keyring, Level, RootSecret, Scratch, Sealer};
use store::tree::{Built, Content, CutClass, Entry, Facts, ListBuilder, Owner, Piece, What};

use super::super::clear::Rules;
use super::super::filter::Filter;
use super::super::flow::{Flow, Options};
use super::super::{Arrival, Fetcher, Fetching, Parts, execute, roots::roots, totals};
use crate::engine::job::{RestoreJob, RestoreSummary, Stop};
use crate::engine::overlay::tests::{Forest, entry, keys};
use crate::engine::own::Own;
use crate::engine::queue::{lock, wait};
use crate::event::{Event, Watcher};
use crate::fault::{Fault, Result};
use crate::profile::{Profile, Wait};

/// Boxes in memory.
pub(crate) struct Vault {
    pub(crate) sealer: Sealer,
    pub(crate) boxes: Vec<Record>,
    known: HashSet<ChunkId>,
    pending: Vec<(ChunkId, Vec<u8>)>,
    pub(super) missing: HashSet<ChunkId>,
    pub(super) asked: Mutex<Vec<ChunkId>>,
}

impl Vault {
    pub(crate) fn new() -> Self {
        let chance = SystemChance;
        let (root, keyring) = (RootSecret::generate(&chance), Keyring::generate(&chance));
        let keys = AccountKeys::derive(&root);
        let (domain, account) = (DomainId::new([1; 16]), AccountId::new([2; 16]));
        let sealer = Sealer::new(domain, account, &keys, &keyring, Arc::new(chance));
        let (boxes, pending) = (Vec::new(), Vec::new());
        Self { sealer, boxes, known: HashSet::new(), pending, missing: HashSet::new(), asked: Mutex::default() }
    }

    /// Keeps a chunk; seven of them are a box.
    fn chunk(&mut self, bytes: &[u8]) -> ChunkId {
        let id = self.sealer.chunk_id(bytes);
        if self.known.insert(id) {
            self.pending.push((id, bytes.to_vec()));
        }
        if self.pending.len() == 7 || bytes.len() > 500_000 {
            self.close_box();
        }
        id
    }

    pub(crate) fn close_box(&mut self) {
        let chunks = std::mem::take(&mut self.pending);
        if chunks.is_empty() {
            return;
        }
        let ids: Vec<ChunkId> = chunks.iter().map(|(id, _)| *id).collect();
        let lengths: Vec<u32> = chunks.iter().map(|(_, bytes)| u32::try_from(bytes.len()).unwrap()).collect();
        let plain: Vec<u8> = chunks.into_iter().flat_map(|(_, bytes)| bytes).collect();
        let sealed = self.sealer.seal_box(&mut Scratch::new(), &ids, &lengths, &plain, Level::Auto, true).unwrap();
        self.boxes.push(sealed);
    }

    /// Chunks that were asked for so far.
    pub(crate) fn asked_for(&self) -> usize {
        lock(&self.asked).len()
    }

    /// A file of one chunk.
    pub(crate) fn whole(&mut self, bytes: &[u8]) -> Entry {
        let content = Content::Chunk(self.chunk(bytes));
        entry(What::File { size: bytes.len() as u64, content, cut: CutClass::Whole })
    }

    pub(crate) fn data(&mut self, bytes: &[u8]) -> Piece {
        Piece::Data { id: self.chunk(bytes), len: u32::try_from(bytes.len()).unwrap() }
    }

    /// A file of these pieces, which are so many that they stand in a list of their own, and the nodes of the list.
    pub(super) fn listed<'p>(&mut self, pieces: impl Iterator<Item = &'p [u8]>) -> (Entry, Vec<Built>) {
        let mut nodes = Vec::new();
        let mut keep = |built| {
            nodes.push(built);
            Ok(())
        };
        let mut builder = ListBuilder::new(&keys(), CutClass::Fixed16);
        pieces.for_each(|piece| builder.push(self.data(piece), &mut keep).unwrap());
        self.close_box();
        let size = builder.size();
        let content = builder.finish(&mut keep).unwrap();
        (mine(entry(What::File { size, content, cut: CutClass::Fixed16 })), nodes)
    }
}

struct Channel<'v> {
    vault: &'v Vault,
    coming: Mutex<(VecDeque<Arrival>, bool)>,
    stirred: Condvar,
}

impl Fetcher for Vault {
    fn fetch(&self, first: &[ChunkId], work: &mut dyn FnMut(&dyn Fetching) -> Result<()>) -> Result<()> {
        let channel = Channel { vault: self, coming: Mutex::default(), stirred: Condvar::new() };
        channel.ask(first)?;
        work(&channel)
    }

    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

impl Fetching for Channel<'_> {
    fn ask(&self, ids: &[ChunkId]) -> Result<()> {
        assert!(ids.len() <= transport::message::FETCH_IDS_MAX);
        lock(&self.vault.asked).extend(ids);
        let wanted: HashSet<ChunkId> = ids.iter().filter(|id| !self.vault.missing.contains(*id)).copied().collect();
        let boxes = self.vault.boxes.iter().filter(|b| b.chunk_ids().unwrap().iter().any(|id| wanted.contains(id)));
        let mut coming = lock(&self.coming);
        coming.0.extend(boxes.map(|record| Arrival::Box(Box::new(record.clone()))));
        coming.0.push_back(Arrival::Batch(ids.iter().filter(|id| self.vault.missing.contains(*id)).copied().collect()));
        self.stirred.notify_all();
        Ok(())
    }

    fn end(&self) -> Result<()> {
        lock(&self.coming).1 = true;
        self.stirred.notify_all();
        Ok(())
    }

    fn next(&self, _: &Stop) -> Result<Arrival> {
        let mut coming = lock(&self.coming);
        loop {
            match coming.0.pop_front() {
                Some(arrival) => return Ok(arrival),
                None if coming.1 => return Ok(Arrival::End),
                None => coming = wait(&self.stirred, coming, Wait::Input),
            }
        }
    }
}

/// Remembers warnings.
#[derive(Default)]
pub(super) struct Ears {
    warnings: Mutex<Vec<Fault>>,
    last: Mutex<Option<crate::event::Progress>>,
}

impl Watcher for Ears {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning(fault) => lock(&self.warnings).push((*fault).clone()),
            Event::Progress(progress) => *lock(&self.last) = Some(**progress),
            _ => {}
        }
    }
}

/// A vault, a version in it, and a place to restore to.
pub(super) struct World {
    pub(super) vault: Vault,
    pub(super) forest: Forest,
    pub(super) place: tempfile::TempDir,
    pub(super) ears: Ears,
    pub(super) stop: Stop,
}

impl World {
    pub(super) fn new(files: impl FnOnce(&mut Vault) -> Vec<(String, Entry)>) -> Self {
        let mut vault = Vault::new();
        let files = files(&mut vault).into_iter().map(|(path, entry)| (path, mine(entry))).collect();
        vault.close_box();
        let forest = Forest::new(&[("host", "/src", files)]);
        Self { vault, forest, place: tempfile::tempdir().unwrap(), ears: Ears::default(), stop: Stop::default() }
    }

    pub(super) fn job(&self) -> RestoreJob {
        RestoreJob { paths: vec![b"/src".to_vec()], to: Some(self.place.path().to_path_buf()), ..RestoreJob::default() }
    }

    pub(super) fn run(&self, job: &RestoreJob) -> Result<RestoreSummary> {
        lock(&self.ears.warnings).clear();
        lock(&self.vault.asked).clear();
        let overlay = self.forest.overlay();
        let filter = Filter::new(&job.include, &job.exclude)?.below(&overlay);
        let roots = roots(&overlay, job)?;
        let (files, bytes) = totals(&overlay, &roots, &filter)?;
        let options = Options {
            overwrite: job.overwrite,
            delete: job.delete,
            dry_run: job.dry_run,
            in_place: job.to.is_none(),
            with_holes: job.with_holes,
            files_total: Some(files),
            bytes_total: Some(bytes),
            ..Options::default()
        };
        let parts = Parts {
            sequence: 7,
            moment: jiff::civil::date(2026, 11, 20).at(18, 0, 0, 0),
            sealer: &self.vault.sealer,
            nodes: &self.forest.nodes,
            fetcher: &self.vault,
            watcher: &self.ears,
            stop: &self.stop,
            profile: &Profile::default(),
            filter: &filter,
            rules: &Rules::new(&job.sources, false, Own::default())?,
        };
        let mut summary = RestoreSummary::default();
        let flow: Flow<'_> = execute(&parts, options, &overlay, &roots, job.verify)?;
        flow.sum_up(&mut summary);
        let last = lock(&self.ears.last).unwrap();
        assert_eq!((last.files_done, last.bytes_done), (files, bytes), "the totals are true");
        Ok(summary)
    }

    pub(super) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.place.path().join("src").join(below)
    }

    pub(super) fn warnings(&self) -> Vec<Fault> {
        lock(&self.ears.warnings).clone()
    }

    pub(super) fn asked(&self) -> usize {
        lock(&self.vault.asked).len()
    }
}

/// Of the user who runs the test.
pub(super) fn mine(entry: Entry) -> Entry {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Entry { owner: Arc::new(Owner { uid, gid, ..Owner::default() }), ..entry }
}

/// One of several names of a file.
pub(crate) fn one_of(entry: Entry, inode: u64) -> Entry {
    Entry { facts: Facts { inode, link: Some((7, 3)), ..Facts::default() }, ..entry }
}

pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}
