//! The names in a directory.

use std::ops::Range;

/// Names, sorted by their bytes, in one piece of memory: a directory may have a million.
#[derive(Clone, Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its first bytes, which mostly decide the order.
    head: u64,
    start: usize,
    len: u32,
}

impl Place {
    fn range(self) -> Range<usize> {
        self.start..self.start.saturating_add(self.len as usize)
    }
}

impl Names {
    /// Adds a name, to be [sorted](Self::sort) with the others. Names of more than 4 GiB are cut; no system has them.
    pub(super) fn push(&mut self, name: &[u8]) {
        let mut head = [0; 8];
        head.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
        self.places.push(Place { head: u64::from_be_bytes(head), start: self.bytes.len(), len });
        self.bytes.extend_from_slice(name);
    }

    /// Forgets all of them, but keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    pub(super) fn sort(&mut self) {
        let Self { bytes, places } = self;
        let name = |place: &Place| bytes.get(place.range());
        places.sort_unstable_by(|a, b| a.head.cmp(&b.head).then_with(|| name(a).cmp(&name(b))));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The name at this place in the order.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&[u8]> {
        self.places.get(at).and_then(|place| self.bytes.get(place.range()))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().filter_map(|place| self.bytes.get(place.range()))
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.places.binary_search_by(|place| self.bytes.get(place.range()).unwrap_or_default().cmp(name)).is_ok()
    }

    /// Keeps those of which this is true.
    pub fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        let Self { bytes, places } = self;
        places.retain(|place| bytes.get(place.range()).is_some_and(&keep));
    }
}
