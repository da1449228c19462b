//! Decisions from a seed.

/// A small generator of decisions: the same seed gives the same ones. Never for anything that must be secret.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The decisions of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits (SplitMix64).
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        // The remainder is smaller than `end`, which was a usize.
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    /// Yes in one of `n` cases.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Decisions of their own, for somebody who is to be independent of how many are taken here.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }
}
