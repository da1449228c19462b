//! Finds the end of the next chunk.

use std::sync::Arc;

use fastcdc::v2020::{Normalization, select_masks};
use zeroize::Zeroize;

use crate::tree::CutClass;

/// Bytes of a lane. Several lanes are scanned side by side: a processor that waits for the last sum of one goes on with
/// the others.
const LANE_BYTES: usize = 1024;
/// Bytes that are scanned at a time, in four lanes.
const BLOCK_BYTES: usize = 4 * LANE_BYTES;
/// A sum is shifted by a bit for each byte: of bytes further back nothing is left in it.
const SUM_BYTES: usize = 64;

/// A domain's gear table: where content-defined cuts fall. As secret as the domain key it comes from, for the
/// lengths of chunks would otherwise tell known files.
#[derive(Clone)]
pub struct Gear(Arc<Table>);

struct Table([u64; 256]);

impl Gear {
    /// Length of the bytes it is made of: 256 u64, little endian.
    pub const BYTES: usize = 2_048;

    /// The table in these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut table = Table([0; 256]);
        for (to, from) in table.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *to = u64::from_le_bytes(*from);
        }
        Self(Arc::new(table))
    }
}

impl Table {
    /// The sum after one more byte.
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    fn step(&self, sum: u64, byte: u8) -> u64 {
        (sum << 1).wrapping_add(self.0[usize::from(byte)])
    }

    /// The first of these bytes after which the sum has none of the mask's bits. `sum` is that of the bytes before them,
    /// and goes on.
    fn find(&self, bytes: &[u8], sum: &mut u64, mask: u64) -> Option<usize> {
        let mut at = 0;
        while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk)
            && let Some(last) = self.pass(block, *sum, mask)
        {
            *sum = last;
            at += BLOCK_BYTES;
        }
        // The end, or the block that has it.
        let rest = bytes.get(at..).unwrap_or_default();
        let found = rest.iter().position(|byte| {
            *sum = self.step(*sum, *byte);
            *sum & mask == 0
        });
        found.map(|offset| at + offset)
    }

    /// The sum at the end of a block in which nothing is to be found; `None` when there is something.
    fn pass(&self, block: &[u8; BLOCK_BYTES], before: u64, mask: u64) -> Option<u64> {
        let ([a, b, c, d], _) = block.as_chunks::<LANE_BYTES>() else { return None };
        let at_end = |lane: &[u8; LANE_BYTES]| {
            lane.iter().skip(LANE_BYTES - SUM_BYTES).fold(0, |sum, byte| self.step(sum, *byte))
        };
        let mut sums = [before, at_end(a), at_end(b), at_end(c)];
        for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
            let [sum_a, sum_b, sum_c, sum_d] = sums;
            sums = [self.step(sum_a, *a), self.step(sum_b, *b), self.step(sum_c, *c), self.step(sum_d, *d)];
            if sums.iter().any(|sum| sum & mask == 0) {
                return None;
            }
        }
        sums.last().copied()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Gear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gear")
    }
}

/// Cuts the content of one file. A cut depends on the bytes after the cut before and on nothing else, so it does
/// not matter in what portions they come.
#[derive(Clone, Debug)]
pub struct Cutter {
    max: usize,
    /// For content-defined classes.
    content: Option<ByContent>,
}

#[derive(Clone, Debug)]
struct ByContent {
    gear: Gear,
    min: usize,
    average: usize,
    /// Bits that are clear at a cut: before the average, and after it.
    masks: (u64, u64),
}

impl ByContent {
    /// Length of the chunk that begins this window, which is no longer than the longest chunk: FastCDC of 2020.
    fn cut(&self, window: &[u8]) -> usize {
        // Bytes are looked at in pairs: the last one, when it has no other, is never where a chunk begins.
        let end = window.len() & !1;
        let middle = self.average.min(end);
        let mut sum = 0;
        let mut find = |from: usize, to: usize, mask| {
            let found = self.gear.0.find(window.get(from..to).unwrap_or_default(), &mut sum, mask);
            found.map(|offset| from + offset)
        };
        let cut = find(self.min, middle, self.masks.0).or_else(|| find(middle.max(self.min), end, self.masks.1));
        cut.unwrap_or(window.len())
    }
}

impl Cutter {
    /// A cutter for this class.
    #[must_use]
    pub fn new(gear: &Gear, class: CutClass) -> Self {
        let max = class.max_bytes();
        let content = matches!(class, CutClass::Cdc | CutClass::CdcLarge).then(|| {
            // Every class keeps min : average : max at 1 : 4 : 16.
            let (min, average) = (max / 16, max / 4);
            ByContent { gear: gear.clone(), min, average, masks: select_masks(average, Normalization::Level3) }
        });
        Self { max, content }
    }

    /// Length of the next chunk, which starts where `window` starts. `at_end`: the file ends where `window` ends.
    ///
    /// `None` asks for more bytes: the window is shorter than [`CutClass::max_bytes`] and not at the end, or it is
    /// empty at the end, when no chunk is left. A window never needs to be longer than `max_bytes`.
    #[must_use]
    pub fn next_cut(&self, window: &[u8], at_end: bool) -> Option<usize> {
        if window.is_empty() || (window.len() < self.max && !at_end) {
            return None;
        }
        let window = window.get(..self.max).unwrap_or(window);
        Some(self.content.as_ref().map_or(window.len(), |content| content.cut(window)))
    }
}

#[cfg(test)]
mod tests {
    use fastcdc::v2020::cut_gear;

    use super::*;
    use crate::door::{Chance, ConstantChance};
    use crate::limits::CHUNK_BYTES_MAX;
    use proptest::prelude::*;

    const ALL: [CutClass; 6] =
        [CutClass::Whole, CutClass::Cdc, CutClass::CdcLarge, CutClass::Fixed16, CutClass::Fixed32, CutClass::Fixed64];

    fn gear() -> Gear {
        let mut bytes = [0; Gear::BYTES];
        ConstantChance::new(1).fill(&mut bytes);
        Gear::from_bytes(&bytes)
    }

    fn content(len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        ConstantChance::new(2).fill(&mut out);
        out
    }

    /// All cuts over one slice.
    fn cuts(class: CutClass, mut rest: &[u8]) -> Vec<usize> {
        let cutter = Cutter::new(&gear(), class);
        let mut out = Vec::new();
        while let Some(len) = cutter.next_cut(rest, true) {
            out.push(len);
            rest = &rest[len..];
        }
        out
    }

    /// The same through a window that is filled by portions of these lengths, in turn.
    fn cuts_by_portions(class: CutClass, content: &[u8], portions: &[usize]) -> Vec<usize> {
        let cutter = Cutter::new(&gear(), class);
        let (mut out, mut start, mut end) = (Vec::new(), 0, 0);
        let mut portions = portions.iter().cycle();
        loop {
            while let Some(len) = cutter.next_cut(&content[start..end], end == content.len()) {
                out.push(len);
                start += len;
            }
            if start == content.len() {
                return out;
            }
            end = content.len().min(end + portions.next().unwrap());
        }
    }

    /// The same, as the crate cuts.
    fn cuts_of_the_crate(class: CutClass, mut rest: &[u8]) -> Vec<usize> {
        let max = class.max_bytes();
        let (small, large) = select_masks(max / 4, Normalization::Level3);
        let plain = gear().0.0;
        let doubled = plain.map(|number| number << 1);
        let mut out = Vec::new();
        while !rest.is_empty() {
            let (_, len) =
                cut_gear(rest, max / 16, max / 4, max, small, large, small << 1, large << 1, &plain, &doubled);
            out.push(len);
            rest = &rest[len..];
        }
        out
    }

    #[test]
    fn cuts_are_those_of_the_crate_over_the_whole() {
        let noise = content(12 << 20);
        // Little variety finds other cuts, and the longest chunk.
        let text: Vec<u8> = noise.iter().map(|byte| b'a' + byte % 5).collect();
        let runs: Vec<u8> = noise.iter().flat_map(|byte| [byte % 3; 97]).take(12 << 20).collect();
        for class in [CutClass::Cdc, CutClass::CdcLarge] {
            for bytes in [&noise, &text, &runs] {
                assert_eq!(cuts(class, bytes), cuts_of_the_crate(class, bytes));
            }
        }
        assert!(cuts(CutClass::Cdc, &noise).len() > 20);
    }

    #[test]
    fn an_insertion_moves_few_cuts() {
        let before = content(8 << 20);
        let mut after = before.clone();
        after.splice(3_000_000..3_000_000, *b"inserted");
        let (before, after) = (cuts(CutClass::Cdc, &before), cuts(CutClass::Cdc, &after));
        let same_tail = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
        let same_head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
        assert!(same_head + same_tail + 3 >= before.len(), "{before:?} {after:?}");
    }

    #[test]
    fn known_cuts() {
        // Part of the format: they may never change.
        let known = [264_606, 268_153, 291_933, 276_035, 264_406, 354_113, 276_697, 4_058];
        assert_eq!(cuts(CutClass::Cdc, &content(2_000_001)), known);
        assert_eq!(cuts(CutClass::Fixed16, &content(40_000)), [16384, 16384, 7232]);
        assert_eq!(cuts(CutClass::Whole, &content(131_072)), [131_072]);
        assert_eq!(cuts(CutClass::Whole, &content(131_073)), [131_072, 1], "a file that grew while it was read");
    }

    #[test]
    fn no_class_exceeds_the_largest_chunk() {
        for class in ALL {
            assert!(class.max_bytes() <= CHUNK_BYTES_MAX);
            let zeros = vec![0; class.max_bytes() * 2 + 1];
            let cuts = cuts(class, &zeros);
            assert!(cuts.iter().all(|len| *len > 0 && *len <= class.max_bytes()), "{class:?}");
            assert_eq!(cuts.iter().sum::<usize>(), zeros.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_end_of_a_file_is_cut_as_the_crate_cuts_it(len in 0usize..600_000, from in 0usize..1_000_000) {
            let bytes = &content(1_600_000)[from..from + len];
            prop_assert_eq!(cuts(CutClass::Cdc, bytes), cuts_of_the_crate(CutClass::Cdc, bytes));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn portions_do_not_matter(
            len in 0usize..6_000_000,
            portions in prop::collection::vec(1usize..1_500_000, 1..5),
            class in prop::sample::select(ALL.to_vec()),
        ) {
            let bytes = content(len);
            // Small portions would make this slow, not better.
            let portions: Vec<_> = portions.iter().map(|p| p.max(&5_000)).copied().collect();
            prop_assert_eq!(cuts(class, &bytes), cuts_by_portions(class, &bytes, &portions));
        }
    }
}
