//! Sets of places and of nodes: a bit each, in words that come as they are needed.

use std::collections::HashMap;
use std::hash::Hash;

/// A set of bits, 64 to a word.
#[derive(Clone, Debug)]
struct Words<K> {
    words: HashMap<K, u64>,
    count: u64,
}

impl<K: Hash + Eq> Words<K> {
    fn insert(&mut self, (word, bit): (K, u64)) -> bool {
        let word = self.words.entry(word).or_default();
        let new = *word & bit == 0;
        *word |= bit;
        self.count += u64::from(new);
        new
    }

    fn contains(&self, (word, bit): (K, u64)) -> bool {
        self.words.get(&word).is_some_and(|word| word & bit != 0)
    }
}

impl<K> Default for Words<K> {
    fn default() -> Self {
        Self { words: HashMap::new(), count: 0 }
    }
}

/// A set of places, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct PlaceBits(Words<i64>);

impl PlaceBits {
    /// Adds a place. Returns whether it is new.
    pub(super) fn insert(&mut self, place: i64) -> bool {
        self.0.insert((place.div_euclid(64), 1 << place.rem_euclid(64)))
    }

    pub(super) fn contains(&self, place: i64) -> bool {
        self.0.contains((place.div_euclid(64), 1 << place.rem_euclid(64)))
    }
}

/// A set of nodes, by group and position in it.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeBits(Words<(i64, u32)>);

impl NodeBits {
    /// Adds a node. Returns whether it is new.
    pub(super) fn insert(&mut self, place: i64, slot: u32) -> bool {
        self.0.insert(((place, slot / 64), 1 << (slot % 64)))
    }

    pub(super) fn contains(&self, place: i64, slot: u32) -> bool {
        self.0.contains(((place, slot / 64), 1 << (slot % 64)))
    }

    /// How many it holds.
    pub(super) fn count(&self) -> u64 {
        self.0.count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_was_put_in(numbers: Vec<i16>, others: Vec<i16>) {
            let (mut places, mut nodes) = (PlaceBits::default(), NodeBits::default());
            let mut set = std::collections::BTreeSet::new();
            for number in &numbers {
                let new = set.insert(*number);
                prop_assert_eq!(places.insert(i64::from(*number)), new);
                let (place, slot) = (i64::from(number.div_euclid(300)), u32::from(number.rem_euclid(300).unsigned_abs()));
                prop_assert_eq!(nodes.insert(place, slot), new);
                prop_assert!(nodes.contains(place, slot));
            }
            for number in numbers.iter().chain(&others) {
                prop_assert_eq!(places.contains(i64::from(*number)), set.contains(number));
            }
            prop_assert_eq!(nodes.count(), set.len() as u64);
        }
    }
}
