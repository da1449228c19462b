//! Finds the end of the next chunk.

use std::sync::Arc;

use fastcdc::v2020::{Normalization, cut_gear, select_masks};
use zeroize::Zeroize;

use crate::tree::CutClass;

/// A domain's gear table: where content-defined cuts fall. As secret as the domain key it comes from, for the
/// lengths of chunks would otherwise tell known files.
#[derive(Clone)]
pub struct Gear(Arc<Tables>);

struct Tables {
    gear: Box<[u64]>,
    /// The same, each number doubled: two bytes are hashed a turn.
    shifted: Box<[u64]>,
}

impl Gear {
    /// Length of the bytes it is made of: 256 u64, little endian.
    pub const BYTES: usize = 2_048;

    /// The table in these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let gear: Box<[u64]> = bytes.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number)).collect();
        let shifted = gear.iter().map(|number| number << 1).collect();
        Self(Arc::new(Tables { gear, shifted }))
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        self.gear.zeroize();
        self.shifted.zeroize();
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
    /// Before the average, and after it; each also doubled.
    masks: [u64; 4],
}

impl Cutter {
    /// A cutter for this class.
    #[must_use]
    pub fn new(gear: &Gear, class: CutClass) -> Self {
        let max = class.max_bytes();
        let content = matches!(class, CutClass::Cdc | CutClass::CdcLarge).then(|| {
            // Every class keeps min : average : max at 1 : 4 : 16.
            let (min, average) = (max / 16, max / 4);
            let (small, large) = select_masks(average, Normalization::Level3);
            ByContent { gear: gear.clone(), min, average, masks: [small, large, small << 1, large << 1] }
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
        let Some(by) = &self.content else { return Some(window.len()) };
        let [small, large, small_shifted, large_shifted] = by.masks;
        let Tables { gear, shifted } = &*by.gear.0;
        let cut = |source| {
            cut_gear(source, by.min, by.average, self.max, small, large, small_shifted, large_shifted, gear, shifted)
        };
        Some(cut(window).1)
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn cuts_are_those_of_the_crate_over_the_whole() {
        let bytes = content(12 << 20);
        for (class, min) in [(CutClass::Cdc, 64 << 10), (CutClass::CdcLarge, 256 << 10)] {
            let tables = gear();
            let (small, large) = select_masks(min * 4, Normalization::Level3);
            let (mut rest, mut expected) = (&bytes[..], Vec::new());
            while !rest.is_empty() {
                let (_, len) = cut_gear(
                    rest,
                    min,
                    min * 4,
                    min * 16,
                    small,
                    large,
                    small << 1,
                    large << 1,
                    &tables.0.gear,
                    &tables.0.shifted,
                );
                expected.push(len);
                rest = &rest[len..];
            }
            assert_eq!(cuts(class, &bytes), expected);
            assert!(expected.len() > 5, "{expected:?}");
        }
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
