//! Directories of the target, with few descriptors open at once.
//!
//! A [`Place`] knows the way to its directory and what is still under way in it; the last thing that is done in it finishes
//! it, and then may finish the one above. Descriptors are kept for the places used last and opened again when needed, so
//! neither depth nor the number of directories under way matters.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use store::tree::Entry;

use crate::engine::queue::lock;
use crate::target::TargetDir;

/// Directories that are kept open: far below what systems grant a process (1,024), with room for files and pipes.
const OPEN_MAX: usize = 256;

/// A directory that things are restored in.
pub struct Place {
    above: Option<Arc<Place>>,
    /// Its name in the one above; of a top, the path that people know.
    name: Box<[u8]>,
    /// Of a top, and of what a link leads to.
    top: Option<TargetDir>,
    number: u64,
    under_way: AtomicUsize,
    /// What it becomes when all in it is done.
    pub finish: Finish,
}

/// What becomes of a directory at the end.
pub enum Finish {
    /// It stays as it is.
    Leave,
    /// It was made, and the version knows nothing of it.
    Open,
    /// It gets this metadata.
    Entry(Box<Entry>),
}

impl Place {
    /// The path that people know, of a name in it.
    pub fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut names = vec![name, self.top_or_name()];
        let mut at = self.above.as_deref();
        while let Some(place) = at {
            names.push(place.top_or_name());
            at = place.above.as_deref();
        }
        names.reverse();
        names.join(&b'/')
    }

    /// Its own path.
    pub fn path(&self) -> Vec<u8> {
        let mut path = self.path_of(b"");
        if path.len() > 1 {
            path.pop();
        }
        path
    }

    fn top_or_name(&self) -> &[u8] {
        match self.top {
            Some(_) => self.name.strip_suffix(b"/").unwrap_or(&self.name),
            None => &self.name,
        }
    }

    /// One thing more is under way in it.
    pub fn hold(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// The one above.
    pub fn above(&self) -> Option<&Arc<Self>> {
        self.above.as_ref()
    }

    /// One thing less. True: nothing is under way any more, and whoever hears it finishes the place.
    pub fn let_go(&self) -> bool {
        self.under_way.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Drop for Place {
    /// One after the other: a deep tree must not end in as deep a recursion.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(mut place) = above.and_then(|place| Arc::try_unwrap(place).ok()) {
            above = place.above.take();
        }
    }
}

/// Makes and opens places.
#[derive(Default)]
pub struct Places {
    open: Mutex<Opened>,
    /// Those whose owner got permissions for the time of the run, and what they had; by their numbers.
    freed: Mutex<BTreeMap<u64, (Arc<Place>, u16)>>,
    numbers: AtomicU64,
}

impl Drop for Places {
    /// A run that ends early leaves those as they were that it did not come to finish; what lies below others comes first.
    fn drop(&mut self) {
        let freed = std::mem::take(&mut *lock(&self.freed));
        for (place, mode) in freed.into_values().rev() {
            self.open(&place).and_then(|dir| dir.permit(mode)).ok();
        }
    }
}

#[derive(Default)]
struct Opened {
    dirs: HashMap<u64, (TargetDir, u64)>,
    clock: u64,
}

impl Opened {
    fn get(&mut self, number: u64) -> Option<TargetDir> {
        self.clock += 1;
        let (dir, used) = self.dirs.get_mut(&number)?;
        *used = self.clock;
        Some(dir.clone())
    }

    fn put(&mut self, number: u64, dir: TargetDir) {
        if self.dirs.len() >= OPEN_MAX {
            // The older half goes, so that this is rare.
            let mut uses: Vec<u64> = self.dirs.values().map(|(_, used)| *used).collect();
            uses.sort_unstable();
            let middle = uses.get(uses.len() / 2).copied().unwrap_or(u64::MAX);
            self.dirs.retain(|_, (_, used)| *used > middle);
        }
        self.clock += 1;
        self.dirs.insert(number, (dir, self.clock));
    }
}

impl Places {
    /// The place of a target itself. `shown` is the path that people know it by.
    pub fn top(&self, dir: TargetDir, shown: &[u8], finish: Finish) -> Arc<Place> {
        self.new_place(None, shown, Some(dir), finish)
    }

    /// The place of a directory in another, whose descriptor is there. It holds the one above until it is finished.
    pub fn below(&self, above: &Arc<Place>, name: &[u8], dir: TargetDir, finish: Finish) -> Arc<Place> {
        above.hold();
        let place = self.new_place(Some(Arc::clone(above)), name, None, finish);
        lock(&self.open).put(place.number, dir);
        place
    }

    /// The place of a source to which a link leads. It stays open, as nothing else leads there again.
    pub fn led(&self, above: &Arc<Place>, name: &[u8], dir: TargetDir, finish: Finish) -> Arc<Place> {
        above.hold();
        self.new_place(Some(Arc::clone(above)), name, Some(dir), finish)
    }

    fn new_place(&self, above: Option<Arc<Place>>, name: &[u8], top: Option<TargetDir>, finish: Finish) -> Arc<Place> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Arc::new(Place { above, name: name.into(), top, number, under_way: AtomicUsize::new(1), finish })
    }

    /// Its owner got permissions that it does not keep: these it had.
    pub fn freed(&self, place: &Arc<Place>, mode: u16) {
        lock(&self.freed).insert(place.number, (Arc::clone(place), mode));
    }

    /// What it had, once it is to be as it was.
    pub fn had(&self, place: &Place) -> Option<u16> {
        lock(&self.freed).remove(&place.number).map(|(_, mode)| mode)
    }

    /// Its directory.
    pub fn open(&self, place: &Arc<Place>) -> io::Result<TargetDir> {
        let mut way: Vec<&Arc<Place>> = Vec::new();
        let mut at = place;
        let mut dir = loop {
            if let Some(dir) = at.top.clone().or_else(|| lock(&self.open).get(at.number)) {
                break dir;
            }
            way.push(at);
            // Only a top has nothing above it.
            at = at.above.as_ref().ok_or(io::ErrorKind::NotFound)?;
        };
        while let Some(next) = way.pop() {
            dir = dir.child(&next.name)?;
            lock(&self.open).put(next.number, dir.clone());
        }
        Ok(dir)
    }

    /// It will not be needed soon.
    pub fn forget(&self, place: &Place) {
        let dir = lock(&self.open).dirs.remove(&place.number);
        drop(dir);
    }
}
