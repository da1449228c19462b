//! Pieces of a file that the vault has lost. With `--with-holes` zeros stand in their place, and this is told.

use std::collections::BTreeMap;

/// Pieces that are remembered, to be told …
const KEPT_MAX: usize = 64;
/// … and ranges that are told, where several pieces may be one.
const TOLD_MAX: usize = 5;

/// How much of a file is lost, and where that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    bytes: u64,
    /// Length by offset, of those in front.
    first: BTreeMap<u64, u64>,
}

impl Lost {
    /// A piece is lost. They come in any order, each once.
    pub fn add(&mut self, offset: u64, len: u64) {
        self.bytes = self.bytes.saturating_add(len);
        self.first.insert(offset, len);
        if self.first.len() > KEPT_MAX {
            self.first.pop_last();
        }
    }

    /// How much is lost.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Nothing is.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// In words, of a file of this size.
    pub fn told(&self, size: u64) -> String {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (from, len) in &self.first {
            let end = from.saturating_add(*len);
            match ranges.last_mut() {
                Some((_, last)) if *last == *from => *last = end,
                _ => ranges.push((*from, end)),
            }
        }
        ranges.truncate(TOLD_MAX);
        let told: u64 = ranges.iter().map(|(from, end)| end - from).sum();
        let mut words: Vec<String> = ranges.iter().map(|(from, end)| format!("{from}-{}", end - 1)).collect();
        if self.bytes > told {
            words.push(format!("and {} more further on", self.bytes - told));
        }
        format!("{} of its {size} bytes are missing or damaged in the vault: bytes {}", self.bytes, words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_ranges_and_the_rest_is_counted() {
        let mut lost = Lost::default();
        assert!(lost.is_empty());
        for at in [300, 100, 200, 500] {
            lost.add(at, 100);
        }
        assert_eq!(lost.told(900), "400 of its 900 bytes are missing or damaged in the vault: bytes 100-399, 500-599");
        // Every other one of 200, from the end.
        let mut lost = Lost::default();
        (0..100).rev().for_each(|n| lost.add(n * 20, 10));
        assert_eq!((lost.bytes(), lost.first.len()), (1000, KEPT_MAX));
        let told = lost.told(2000);
        assert!(told.ends_with("bytes 0-9, 20-29, 40-49, 60-69, 80-89, and 950 more further on"), "{told}");
    }
}
