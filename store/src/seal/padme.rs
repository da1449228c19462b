//! Padmé lengths: a length tells at most about log log of itself (FORMAT.md, chapter 3).

/// The Padmé length of a length: itself or up to 12 % more, at large lengths about 1.5 % on average.
pub(super) fn padme(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let step = 1usize << (exponent - kept);
    len.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_lengths() {
        // The examples of the paper's rule, worked by hand: 9 = 8 + 1 has E = 3, S = 2, so steps of 2.
        for (len, padded) in [(0, 0), (1, 1), (2, 2), (3, 3), (8, 8), (9, 10), (100, 104), (1 << 20, 1 << 20)] {
            assert_eq!(padme(len), padded, "{len}");
        }
        assert_eq!(padme((1 << 20) + 1), (1 << 20) + (1 << 15));
    }

    proptest! {
        #[test]
        fn is_stable_small_and_never_less(len in 2usize..30_000_000) {
            let padded = padme(len);
            prop_assert!(padded >= len && padded - len <= len / 8 && padme(padded) == padded);
        }
    }
}
