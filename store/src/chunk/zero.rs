//! Zeros.

static ZEROS: [u8; 4096] = [0; 4096];

/// Whether every byte is zero. True for no bytes.
#[must_use]
pub fn is_zero(bytes: &[u8]) -> bool {
    // Comparing runs is a memcmp, also in a build that is not optimised.
    bytes.chunks(ZEROS.len()).all(|run| ZEROS.get(..run.len()) == Some(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_is_seen_anywhere() {
        for len in [0, 1, 4095, 4096, 4097, 16384, 16389] {
            let mut bytes = vec![0; len];
            assert!(is_zero(&bytes));
            for at in [0, len / 2, len.saturating_sub(1)] {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = 0x80;
                    assert!(!is_zero(&bytes), "{at} of {len}");
                    bytes[at] = 0;
                }
            }
        }
    }
}
