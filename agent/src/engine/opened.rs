//! Bodies of versions that were opened, for who asks many questions in a row: moving through thousands of versions must not
//! open each of them again for every question.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use store::chain::VersionBody;
use store::id::BodyHash;

use super::queue::lock;

/// Bodies that are kept, at most: as many versions as ten years of hourly ones under the default policy, three times over. A
/// body takes some hundred bytes.
const BODIES_MAX: usize = 16_384;

/// See the module. The name of a body is its hash, so what is here is never out of date.
#[derive(Default)]
pub struct OpenedBodies {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    bodies: HashMap<BodyHash, Arc<VersionBody>>,
    opened: u64,
}

impl OpenedBodies {
    /// The body of this name, when it was opened before.
    pub fn get(&self, hash: &BodyHash) -> Option<Arc<VersionBody>> {
        lock(&self.inner).bodies.get(hash).cloned()
    }

    /// It was opened.
    pub fn put(&self, hash: BodyHash, body: &Arc<VersionBody>) {
        let mut inner = lock(&self.inner);
        inner.opened += 1;
        if inner.bodies.len() >= BODIES_MAX {
            inner.bodies.clear();
        }
        inner.bodies.insert(hash, Arc::clone(body));
    }

    /// How many were opened so far.
    pub fn count(&self) -> u64 {
        lock(&self.inner).opened
    }
}
