//! What all stages of a run share: the arrows between them, the counters, the first thing that went wrong.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use store::chunk::Gear;
use store::door::Clock;
use store::id::{ChunkId, NodeId};
use store::limits::{BOX_BYTES_TARGET, GROUP_BYTES_TARGET};
use store::record::{Record, Refs};
use store::seal::{Keyring, Sealer, TreeKeys};
use store::tree::{Built, CutClass};

use super::counts::Counts;
use super::epoch::{Epochs, Ticket};
use super::read::Parcel;
use crate::engine::cache::NodeCache;
use crate::engine::job::Stop;
use crate::engine::own::Own;
use crate::engine::queue::{Budget, Permit, Queue, lock};
use crate::engine::wanted::Wanted;
use crate::event::{Action, Event, Watcher};
use crate::fault::{Code, Fault, Result};
use crate::profile::{Profile, Stage};
use crate::source::Owners;

/// Plain bytes in flight on so many cores: what keeps every stage busy, and the memory of a run. A core has a box that it
/// seals, one that waits, and what is read and asked about meanwhile.
pub fn budget_bytes(cores: usize) -> usize {
    (cores.saturating_mul(8 << 20)).saturating_add(4 << 20).clamp(20 << 20, 64 << 20)
}

/// Parcels that wait to be read.
pub const PARCELS_MAX: usize = 64;
/// Batches that wait to be asked about; their bytes are in the budget.
pub const HASHED_MAX: usize = 64;
/// Boxes that wait to be sealed.
pub const SEALS_MAX: usize = 4;
/// Room in a buffer: a box, and behind it a chunk that does not fit into it any more. All have the same, so that none
/// is ever moved; what is not written to takes no memory.
const BUFFER_BYTES: usize = BOX_BYTES_TARGET + CutClass::Cdc.max_bytes();
/// Sealed records that wait to be sent.
pub const SHIP_MAX: usize = 4;

/// A run of chunks that were read and hashed, in scan order.
pub struct Batch {
    /// Their bytes, one after the other.
    pub plain: Vec<u8>,
    /// Id and length of each.
    pub chunks: Vec<(ChunkId, u32)>,
    /// Those of them that the version before holds: the vault has them.
    pub known: Vec<ChunkId>,
    /// They are pages of a page-structured file, which have boxes of their own.
    pub pages: bool,
    /// Room in the budget, given back when the bytes are gone.
    pub permit: Option<Permit>,
    /// Until it is with the server.
    pub ticket: Ticket,
}

/// What the asking stage hears.
pub enum Hashed {
    /// Chunks.
    Batch(Batch),
    /// Close the open boxes: a checkpoint waits for them.
    Flush,
}

/// What the sealing stage hears.
pub enum SealJob {
    /// Chunks to be one box.
    Box {
        /// The chunks, one after the other.
        plain: Vec<u8>,
        /// Their ids.
        ids: Vec<ChunkId>,
        /// Their lengths.
        lengths: Vec<u32>,
        /// Budget and tickets of the batches it came from.
        held: Held,
    },
    /// Nodes to be one group.
    Group {
        /// Id, references and plain encoding of each.
        nodes: Vec<(NodeId, Refs, Vec<u8>)>,
        /// Until it is with the server.
        ticket: Ticket,
    },
}

/// What is given back when a box is with the server.
#[derive(Default)]
pub struct Held {
    /// Room in the budget.
    pub permits: Vec<Permit>,
    /// Epochs.
    pub tickets: Vec<Ticket>,
}

/// A sealed record on its way.
pub struct Parting {
    /// The record.
    pub record: Record,
    /// Until it is with the server.
    pub tickets: Vec<Ticket>,
}

/// Nodes that wait to be a group.
#[derive(Default)]
struct OpenGroup {
    nodes: Vec<(NodeId, Refs, Vec<u8>)>,
    bytes: usize,
    ticket: Option<Ticket>,
}

/// Buffers on their way back from the sealing stage to the reading one: the system gives each page once and not for
/// every box. There are as many as were in use at one time: those within the budget, and the boxes that wait to be sealed.
#[derive(Default)]
pub struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty buffer with room for a box and so many bytes more.
    pub fn take(&self, more: usize) -> Vec<u8> {
        let room = BUFFER_BYTES.max(BOX_BYTES_TARGET + more);
        let used = if room == BUFFER_BYTES { lock(&self.0).pop() } else { None };
        used.unwrap_or_else(|| Vec::with_capacity(room))
    }

    /// Takes one back, unless it was made for larger chunks than most.
    pub fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == BUFFER_BYTES {
            buffer.clear();
            lock(&self.0).push(buffer);
        }
    }
}

/// What all stages share.
pub struct Flow<'a> {
    /// Computes ids of chunks and cuts content.
    pub keyring: &'a Keyring,
    /// Where content is cut.
    pub gear: Gear,
    /// Seals.
    pub sealer: &'a Sealer,
    /// Computes ids of nodes.
    pub tree_keys: &'a TreeKeys,
    /// The nodes of the version before.
    pub nodes: &'a NodeCache,
    /// Take none of them for known to the server.
    pub nothing_known: bool,
    /// What the server has lost: it is sent again although it is known.
    pub wanted: &'a Wanted,
    /// What is not backed up, whatever the rules say.
    pub own: &'a Own,
    /// Names of owners.
    pub owners: &'a Owners,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Hears what happens.
    pub watcher: &'a dyn Watcher,
    /// Says when to end early.
    pub stop: &'a Stop,
    /// Measures the stages.
    pub profile: &'a Profile,
    /// Tell each file.
    pub list_items: bool,
    /// Figures.
    pub counts: Counts,
    /// Work in flight.
    pub epochs: Arc<Epochs>,
    /// Plain bytes in flight.
    pub budget: Arc<Budget>,
    /// What held plain bytes and holds none now.
    pub buffers: Buffers,
    /// scan → read
    pub parcels: Queue<Parcel>,
    /// read → ask
    pub hashed: Queue<Hashed>,
    /// ask → seal
    pub seals: Queue<SealJob>,
    /// seal → ship
    pub ship: Queue<Parting>,
    group: Mutex<OpenGroup>,
    emitted: Mutex<HashSet<NodeId>>,
    trouble: Mutex<Option<Fault>>,
    failed: AtomicBool,
}

/// What a flow is made of.
pub struct FlowParts<'a> {
    /// See [`Flow`].
    pub keyring: &'a Keyring,
    /// See [`Flow`].
    pub sealer: &'a Sealer,
    /// See [`Flow`].
    pub tree_keys: &'a TreeKeys,
    /// See [`Flow`].
    pub nodes: &'a NodeCache,
    /// See [`Flow`].
    pub nothing_known: bool,
    /// See [`Flow`].
    pub wanted: &'a Wanted,
    /// See [`Flow`].
    pub own: &'a Own,
    /// See [`Flow`].
    pub owners: &'a Owners,
    /// See [`Flow`].
    pub clock: &'a dyn Clock,
    /// See [`Flow`].
    pub watcher: &'a dyn Watcher,
    /// See [`Flow`].
    pub stop: &'a Stop,
    /// See [`Flow`].
    pub profile: &'a Profile,
    /// See [`Flow`].
    pub list_items: bool,
    /// Cores that there are.
    pub cores: usize,
}

impl<'a> Flow<'a> {
    /// A flow with empty queues.
    pub fn new(parts: FlowParts<'a>) -> Self {
        let FlowParts { keyring, sealer, tree_keys, nodes, nothing_known, wanted, own, owners, .. } = parts;
        let FlowParts { clock, watcher, stop, profile, list_items, cores, .. } = parts;
        Self {
            gear: keyring.gear(),
            keyring,
            sealer,
            tree_keys,
            nodes,
            nothing_known,
            wanted,
            own,
            owners,
            clock,
            watcher,
            stop,
            profile,
            list_items,
            counts: Counts::default(),
            epochs: Arc::default(),
            budget: Budget::new(budget_bytes(cores)),
            buffers: Buffers::default(),
            parcels: Queue::new(PARCELS_MAX),
            hashed: Queue::new(HASHED_MAX),
            seals: Queue::new(SEALS_MAX),
            ship: Queue::new(SHIP_MAX),
            group: Mutex::default(),
            emitted: Mutex::default(),
            trouble: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Keys of the tree.
    pub fn tree_keys(&self) -> &'a TreeKeys {
        self.tree_keys
    }

    /// Takes nodes from a builder.
    pub fn sink(&self) -> impl FnMut(Built) -> store::Result<()> + '_ {
        |built| {
            self.emit(built);
            Ok(())
        }
    }

    /// A node is built: unless it is known, it joins the open group.
    pub fn emit(&self, built: Built) {
        let known = !self.nothing_known && self.nodes.has(&built.id) && !self.wanted.nodes.contains(&built.id);
        if known || !lock(&self.emitted).insert(built.id) {
            return;
        }
        let full = {
            let mut group = lock(&self.group);
            group.bytes += built.plain.len();
            group.nodes.push((built.id, built.refs, built.plain));
            if group.ticket.is_none() {
                group.ticket = Some(self.epochs.ticket());
            }
            (group.bytes >= GROUP_BYTES_TARGET).then(|| std::mem::take(&mut *group))
        };
        if let Some(group) = full {
            self.send_group(group);
        }
    }

    /// Whether the nodes of a directory must be made again, although it may be as it was: the server has lost some.
    pub fn must_build(&self, top: &NodeId) -> bool {
        !self.wanted.nodes.is_empty() && self.wanted.concerns(top)
    }

    /// Sends the open group, however small.
    pub fn flush_group(&self) {
        let group = std::mem::take(&mut *lock(&self.group));
        self.send_group(group);
    }

    fn send_group(&self, group: OpenGroup) {
        if let (false, Some(ticket)) = (group.nodes.is_empty(), group.ticket) {
            // A closed queue means that the run has failed already; the reason is kept.
            drop(self.seals.push(SealJob::Group { nodes: group.nodes, ticket }));
        }
    }

    /// Something was left out or is odd; the run goes on and will be partial.
    pub fn warn(&self, fault: &Fault) {
        self.counts.errors.add(1);
        self.watcher.event(&Event::Warning(fault));
    }

    /// Tells what became of a file, when asked to.
    pub fn item(&self, action: Action, path: impl FnOnce() -> Vec<u8>, size: u64, reason: Option<&str>) {
        if self.list_items && action != Action::Unchanged {
            self.watcher.event(&Event::Item { action, path: &path(), size, reason });
        }
    }

    /// The run cannot go on: keeps the first reason and wakes everybody.
    pub fn fail(&self, fault: impl Into<Fault>) {
        lock(&self.trouble).get_or_insert(fault.into());
        self.failed.store(true, Ordering::SeqCst);
        self.parcels.abandon();
        self.hashed.abandon();
        self.seals.abandon();
        self.ship.abandon();
        self.budget.abandon();
    }

    /// Whether the run has failed, or was asked to end.
    pub fn ending(&self) -> bool {
        self.failed.load(Ordering::SeqCst) || self.stop.asked()
    }

    /// Whether the run has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// The first thing that went wrong.
    pub fn trouble(&self) -> Result<()> {
        lock(&self.trouble).take().map_or(Ok(()), Err)
    }

    /// Something that cannot be, told as an error and not as a panic: other people's data are in hand.
    pub fn bug(&self, what: &str) -> Fault {
        Fault::new(Code::System, format!("internal error: {what}"))
            .hint("please report this; nothing that was committed is touched")
    }

    /// Runs a stage on this thread; see [`guarded`](Self::guarded).
    pub fn stage(&self, stage: Stage, work: impl FnOnce() -> Result<()>) {
        let _worker = self.profile.worker(stage);
        self.guarded(work);
    }

    /// Runs a part of the run; its failure fails the run, and so does a panic: nobody may wait for a stage that is gone.
    pub fn guarded(&self, work: impl FnOnce() -> Result<()>) {
        let panicking = Panicking(self);
        if let Err(fault) = work() {
            self.fail(fault);
        }
        drop(panicking);
    }
}

struct Panicking<'f, 'a>(&'f Flow<'a>);

impl Drop for Panicking<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(self.0.bug("a stage of the run broke down"));
        }
    }
}
