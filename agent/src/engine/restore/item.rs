//! One name that is written: anything but a directory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use store::tree::{Entry, What};

use super::lost::Lost;
use super::place::Place;
use crate::engine::queue::lock;
use crate::fault::Fault;
use crate::target::NewFile;

/// One name that is written.
pub struct Item {
    /// The directory that it goes to.
    pub place: Arc<Place>,
    /// What it becomes; by its name in the target.
    pub entry: Entry,
    /// Something stands there, and it takes its place.
    pub replace: bool,
    /// It is one of several names of a file.
    pub names: Option<Arc<Names>>,
    /// The open file, from the first piece to the last.
    pub file: RwLock<Option<NewFile>>,
    /// Runs of zeros that are allocated: offset and length.
    pub zeros: Mutex<Vec<(u64, u64)>>,
    /// Pieces that the vault has lost, and that are left as holes.
    pub lost: Mutex<Lost>,
    /// Pieces that are not written yet, and one for the planner.
    left: AtomicU64,
    trouble: Mutex<Option<Fault>>,
}

impl Item {
    /// A name to be written. Its place is held until it is done.
    pub fn new(place: &Arc<Place>, entry: Entry, replace: bool, names: Option<Arc<Names>>) -> Arc<Self> {
        place.hold();
        Arc::new(Self {
            place: Arc::clone(place),
            entry,
            replace,
            names,
            file: RwLock::default(),
            zeros: Mutex::default(),
            lost: Mutex::default(),
            left: AtomicU64::new(1),
            trouble: Mutex::default(),
        })
    }

    /// Its path, as people know it.
    pub fn path(&self) -> Vec<u8> {
        self.place.path_of(&self.entry.name)
    }

    /// Bytes of a regular file.
    pub fn size(&self) -> u64 {
        size_of(&self.entry)
    }

    /// One piece more has to be written.
    pub fn hold(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// One piece less. True: it was the last, and whoever hears it finishes the file.
    pub fn let_go(&self) -> bool {
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// It cannot be restored; the first reason counts.
    pub fn fail(&self, fault: Fault) {
        lock(&self.trouble).get_or_insert(fault);
    }

    /// Whether it has failed.
    pub fn has_failed(&self) -> bool {
        lock(&self.trouble).is_some()
    }

    /// Why it failed.
    pub fn trouble(&self) -> Option<Fault> {
        lock(&self.trouble).take()
    }
}

/// Bytes of a regular file, else 0.
pub fn size_of(entry: &Entry) -> u64 {
    match entry.what {
        What::File { size, .. } => size,
        _ => 0,
    }
}

/// The names of one file that were met so far.
#[derive(Default)]
pub struct Names {
    state: Mutex<State>,
}

enum State {
    /// The first is on its way; these wait for it.
    Waiting(Vec<Arc<Item>>),
    /// It is there.
    There(Arc<First>),
    /// It could not be written: each name is written by itself.
    Apart,
}

impl Default for State {
    fn default() -> Self {
        Self::Waiting(Vec::new())
    }
}

/// The first name of a file.
pub struct First {
    /// Its directory.
    pub place: Arc<Place>,
    /// Its name.
    pub name: Box<[u8]>,
    /// Device and inode.
    pub identity: (u64, u64),
    /// What is lost of it.
    pub lost: Lost,
    /// It stood there before this run.
    pub kept: Option<Kept>,
}

/// A first name that no run has written so far as anybody knows: by its size and its time it may pass for what it is not.
pub struct Kept {
    /// What it should be.
    pub entry: Entry,
    /// Whether it is, once somebody has looked.
    pub right: OnceLock<bool>,
}

/// What to do with a further name.
pub enum Further {
    /// Nothing: it waits, and is dealt with when the first is there.
    Waits,
    /// It can be linked now.
    Link(Arc<First>),
    /// It is written by itself.
    Write,
}

impl Names {
    /// What becomes of a further name.
    pub fn join(&self, item: impl FnOnce() -> Arc<Item>) -> Further {
        match &mut *lock(&self.state) {
            State::Waiting(waiting) => {
                waiting.push(item());
                Further::Waits
            }
            State::There(first) => Further::Link(Arc::clone(first)),
            State::Apart => Further::Write,
        }
    }

    /// The first name is there: gives those that waited for it.
    pub fn there(&self, first: Arc<First>) -> Vec<Arc<Item>> {
        match std::mem::replace(&mut *lock(&self.state), State::There(first)) {
            State::Waiting(waiting) => waiting,
            _ => Vec::new(),
        }
    }

    /// The first name failed: gives those that waited for it.
    pub fn failed(&self) -> Vec<Arc<Item>> {
        let mut state = lock(&self.state);
        match &mut *state {
            State::Waiting(waiting) => {
                let waiting = std::mem::take(waiting);
                *state = State::Apart;
                waiting
            }
            _ => Vec::new(),
        }
    }
}
