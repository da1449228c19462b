//! The first sixteen bytes each way, and how a client finds them behind what a login shell prints.

use crate::limits::{NOISE_BYTES_MAX, NOISE_SAMPLE_BYTES};

/// Length of a magic value.
pub const MAGIC_BYTES: usize = 16;
/// What a server says first, at once. As in PNG, a line that is not clean in eight bits or that changes line ends
/// spoils it.
pub const SERVER_MAGIC: [u8; MAGIC_BYTES] = *b"\x89tuckbox\r\n\x1a\n\0\xffS\n";
/// What a client says first, without waiting. It is another, so that a far side that echoes is not taken for a server.
pub const CLIENT_MAGIC: [u8; MAGIC_BYTES] = *b"\x89tuckbox\r\n\x1a\n\0\xffC\n";

/// Looks for a magic value in bytes that come in any pieces.
#[derive(Clone, Debug)]
pub struct Scanner {
    magic: [u8; MAGIC_BYTES],
    noise_max: usize,
    matched: usize,
    noise: usize,
    sample: Vec<u8>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Not there yet; all bytes are taken.
    Searching,
    /// It is there, and this many bytes belong to it and what was before it.
    Found(usize),
    /// More noise than a greeting may have.
    Hopeless,
}

impl Scanner {
    /// For a client, which steps over noise.
    #[must_use]
    pub fn for_client() -> Self {
        Self { magic: SERVER_MAGIC, noise_max: NOISE_BYTES_MAX, matched: 0, noise: 0, sample: Vec::new() }
    }

    /// For a server: nothing may come before.
    #[must_use]
    pub fn for_server() -> Self {
        Self { magic: CLIENT_MAGIC, noise_max: 0, ..Self::for_client() }
    }

    /// Looks at the next bytes. Not to be called again after [`Scan::Found`].
    pub fn push(&mut self, bytes: &[u8]) -> Scan {
        for (at, byte) in bytes.iter().enumerate() {
            // No byte of the magic but its first equals its first, so a match that fails begins anew only here.
            if self.magic.get(self.matched) == Some(byte) {
                self.matched += 1;
            } else {
                let failed = std::mem::take(&mut self.matched);
                self.keep_failed(failed);
                if self.magic.first() == Some(byte) {
                    self.matched = 1;
                } else {
                    self.keep(*byte);
                }
            }
            if self.matched == MAGIC_BYTES {
                return Scan::Found(at + 1);
            }
            if self.noise > self.noise_max {
                return Scan::Hopeless;
            }
        }
        Scan::Searching
    }

    /// The beginning of what was before the magic, or came instead of it.
    #[must_use]
    pub fn sample(&self) -> Vec<u8> {
        let started = self.magic.get(..self.matched % MAGIC_BYTES).unwrap_or_default();
        [&self.sample, started].concat()
    }

    fn keep_failed(&mut self, len: usize) {
        for byte in self.magic.into_iter().take(len) {
            self.keep(byte);
        }
    }

    fn keep(&mut self, byte: u8) {
        self.noise += 1;
        if self.sample.len() < NOISE_SAMPLE_BYTES {
            self.sample.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_pinned_and_a_match_begins_only_at_their_start() {
        assert_eq!(SERVER_MAGIC, [0x89, 116, 117, 99, 107, 98, 111, 120, 13, 10, 26, 10, 0, 255, 83, 10]);
        assert_eq!(CLIENT_MAGIC, [0x89, 116, 117, 99, 107, 98, 111, 120, 13, 10, 26, 10, 0, 255, 67, 10]);
        assert_eq!(SERVER_MAGIC.iter().filter(|b| **b == SERVER_MAGIC[0]).count(), 1);
        assert_eq!(CLIENT_MAGIC.iter().filter(|b| **b == CLIENT_MAGIC[0]).count(), 1);
    }

    #[test]
    fn noise_ends_at_its_limit() {
        let mut scanner = Scanner::for_client();
        assert_eq!(scanner.push(&vec![b'x'; NOISE_BYTES_MAX]), Scan::Searching);
        assert_eq!(scanner.clone().push(&SERVER_MAGIC), Scan::Found(16));
        assert_eq!(scanner.push(b"y"), Scan::Hopeless);
        assert_eq!(scanner.sample().len(), NOISE_SAMPLE_BYTES);

        assert_eq!(Scanner::for_server().push(b"y"), Scan::Hopeless);
        assert_eq!(Scanner::for_server().push(&CLIENT_MAGIC), Scan::Found(16));
        assert_eq!(Scanner::for_client().push(&CLIENT_MAGIC), Scan::Searching);
    }

    proptest! {
        #[test]
        fn the_magic_is_found_behind_any_noise_in_any_pieces(
            noise in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x89), Just(b't'), Just(b'u')], 0..300),
            parts in proptest::collection::vec(0usize..=16, 0..3),
            piece in 1usize..40,
        ) {
            let mut before = noise;
            for part in parts {
                before.extend(&SERVER_MAGIC[..part.min(15)]);
            }
            let all = [&before[..], &SERVER_MAGIC, b"next"].concat();
            let mut scanner = Scanner::for_client();
            let mut at = 0;
            for bytes in all.chunks(piece) {
                match scanner.push(bytes) {
                    Scan::Found(len) => {
                        prop_assert_eq!(at + len, before.len() + 16);
                        prop_assert_eq!(scanner.sample(), before);
                        return Ok(());
                    }
                    other => prop_assert_eq!(other, Scan::Searching),
                }
                at += bytes.len();
            }
            prop_assert!(false, "not found");
        }
    }
}
