//! Chunks that are waited for, in windows that are asked for together.
//!
//! A chunk is wanted once, however many files use it, and whichever box brings it first serves all of them. A window ends
//! when its answer has ended and all of its boxes are opened: what is still wanted of it then is missing in the vault.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::id::ChunkId;
use transport::message::FETCH_IDS_MAX;

use super::item::Item;
use crate::engine::queue::lock;

/// Plain bytes of a window: some thirty boxes, so that few of them are fetched twice for standing across a border. Of a tree
/// in 650 boxes 740 come so, and 720 with windows of 96 MiB, which take 10 MiB more; most of the others are of files whose
/// content is elsewhere, too.
pub const WINDOW_BYTES: u64 = 64 << 20;
/// Windows that are asked for ahead of the answer; together 128 MiB, enough for 8 Gbit/s at 100 ms.
pub const IN_FLIGHT_MAX: usize = 2;
/// Places that the chunks of a window go to: what is kept in memory of a window, when many files are equal.
const USES_MAX: usize = 16_384;
/// Files of a window that stay open from their first chunk to their last.
const OPEN_FILES_MAX: usize = 96;

/// Where a chunk goes.
pub struct Use {
    /// Into this file …
    pub item: Arc<Item>,
    /// … at this place.
    pub offset: u64,
    /// As many bytes as the entry says that it has.
    pub len: u32,
}

/// Some chunks that are asked for together.
pub struct Window {
    number: u64,
    ids: Vec<ChunkId>,
    /// Boxes that came and are not opened yet, and one until the answer ends.
    open: AtomicU64,
}

impl Window {
    /// What is asked for.
    pub fn ids(&self) -> &[ChunkId] {
        &self.ids
    }

    /// A box came.
    pub fn box_came(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// A box is dealt with, or the answer has ended. True: nothing more comes of this window.
    pub fn let_go(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

struct Want {
    window: u64,
    uses: Vec<Use>,
}

/// All chunks that are waited for.
#[derive(Default)]
pub struct Wants {
    wanted: Mutex<HashMap<ChunkId, Want>>,
}

impl Wants {
    /// Takes out what the chunks of a box are wanted for, in the order of the chunks.
    pub fn take(&self, ids: &[ChunkId]) -> Vec<Vec<Use>> {
        let mut wanted = lock(&self.wanted);
        ids.iter().map(|id| wanted.remove(id).map(|want| want.uses).unwrap_or_default()).collect()
    }

    /// Whether any of them is wanted.
    pub fn any(&self, ids: &[ChunkId]) -> bool {
        let wanted = lock(&self.wanted);
        ids.iter().any(|id| wanted.contains_key(id))
    }

    /// Takes out those of them that were asked for with this window and did not come.
    pub fn take_missing(&self, window: &Window, ids: &[ChunkId]) -> Vec<Use> {
        let mut wanted = lock(&self.wanted);
        let mut missing = Vec::new();
        for id in ids {
            if let Slot::Occupied(slot) = wanted.entry(*id)
                && slot.get().window == window.number
            {
                missing.extend(slot.remove().uses);
            }
        }
        missing
    }
}

/// The window that is being filled; belongs to the planner.
#[derive(Default)]
pub struct Draft {
    number: u64,
    ids: Vec<ChunkId>,
    bytes: u64,
    uses: usize,
    files: usize,
}

impl Draft {
    /// Adds a use. `begins`: it is the first of several of its file.
    pub fn want(&mut self, wants: &Wants, id: ChunkId, wanted: Use, begins: bool) {
        self.uses += 1;
        self.files += usize::from(begins);
        let len = wanted.len;
        match lock(&wants.wanted).entry(id) {
            Slot::Occupied(mut slot) => slot.get_mut().uses.push(wanted),
            Slot::Vacant(slot) => {
                slot.insert(Want { window: self.number, uses: vec![wanted] });
                self.ids.push(id);
                self.bytes += u64::from(len);
            }
        }
    }

    /// Whether it is to be asked for before anything is added.
    pub fn is_full(&self) -> bool {
        self.bytes >= WINDOW_BYTES
            || self.ids.len() >= FETCH_IDS_MAX
            || self.uses >= USES_MAX
            || self.files >= OPEN_FILES_MAX
    }

    /// The window, unless nothing has to be asked for; a new one begins.
    pub fn take(&mut self) -> Option<Arc<Window>> {
        let next = Self { number: self.number + 1, ..Self::default() };
        let full = std::mem::replace(self, next);
        let Self { number, ids, .. } = full;
        (!ids.is_empty()).then(|| Arc::new(Window { number, ids, open: AtomicU64::new(1) }))
    }
}
