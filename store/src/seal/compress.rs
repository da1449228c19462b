//! One zstd context per worker, and when compressing is not worth it.

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use crate::error::{Error, Result};
use crate::record::Codec;

/// Used by [`Level::Auto`]: the knee of size against speed.
const LEVEL_AUTO: i32 = 3;
/// Of this level, tables of a quarter of a MiB each: for bodies of a few MiB they cost a two-hundredth of the size, and
/// stay in a core's own cache beside what is compressed (5 % less time).
const AUTO_HASH_LOG: u32 = 16;
const AUTO_CHAIN_LOG: u32 = 15;
/// Levels outside are brought inside: lower ones do nothing more, higher ones need memory out of proportion.
const LEVELS: std::ops::RangeInclusive<i32> = -7..=19;
/// Fast, and still finds what order-0 entropy does not show.
const LEVEL_TRIAL: i32 = 1;
/// Bodies below are compressed without asking: the question would cost as much as the answer.
const PROBE_BYTES_MIN: usize = 16 << 10;
/// Length of the trial, from the middle.
const TRIAL_BYTES: usize = 16 << 10;
/// The entropy sample: this many runs of this many bytes, spread over the whole.
const SAMPLE_RUNS: usize = 64;
const SAMPLE_RUN_BYTES: usize = 64;
/// Bits per byte above which a sample looks like noise.
const ENTROPY_MAX: f64 = 7.8;
/// A buffer larger than this is given back after use: an exceptional body must not cost memory for the whole run.
const KEPT_BYTES_MAX: usize = 5 << 20;

/// How hard to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// zstd 3, unless a probe says that it would be in vain.
    #[default]
    Auto,
    /// Not at all.
    Raw,
    /// This zstd level (-7 to 19; others are brought into that range), with the same probe.
    Zstd(i32),
}

/// What one worker needs to seal and open: compression contexts and buffers, made at first use and used again.
#[derive(Default)]
pub struct Scratch {
    compressor: Option<(i32, Compressor<'static>)>,
    trial: Option<Compressor<'static>>,
    pub(super) decoder: Decoder,
    coded: Vec<u8>,
    /// Joined plain bytes of a group.
    pub(super) joined: Vec<u8>,
    /// An opened sealed part.
    pub(super) opened: Vec<u8>,
}

/// The half of a scratch that decompresses; apart, so that it may read from the scratch's buffers.
#[derive(Default)]
pub(super) struct Decoder(Option<Decompressor<'static>>);

impl Scratch {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether compressing `bytes` would be in vain, judged by a sample: noise by its order-0 entropy, and a trial
    /// that saves less than 3 %. Anything below 16 KiB is worth compressing.
    pub fn incompressible(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() < PROBE_BYTES_MIN || spread_entropy(bytes) <= ENTROPY_MAX {
            return false;
        }
        let from = (bytes.len() - TRIAL_BYTES) / 2;
        let Some(middle) = bytes.get(from..from + TRIAL_BYTES) else { return false };
        self.coded.clear();
        self.coded.reserve(zstd::zstd_safe::compress_bound(TRIAL_BYTES));
        let trial = match &mut self.trial {
            Some(trial) => trial,
            none => match Compressor::new(LEVEL_TRIAL) {
                Ok(new) => none.insert(new),
                Err(_) => return false,
            },
        };
        trial.compress_to_buffer(middle, &mut self.coded).is_ok_and(|len| len * 100 > TRIAL_BYTES * 97)
    }

    /// The body as it is to be stored: compressed when that makes it smaller. zstd fails only for want of memory,
    /// and raw is right then too.
    pub(super) fn code<'a>(&'a mut self, plain: &'a [u8], level: Level) -> (Codec, &'a [u8]) {
        let number = match level {
            Level::Raw => return (Codec::Raw, plain),
            Level::Auto => LEVEL_AUTO,
            Level::Zstd(number) => number.clamp(*LEVELS.start(), *LEVELS.end()),
        };
        if self.incompressible(plain) || !self.compress(plain, number) || self.coded.len() >= plain.len() {
            return (Codec::Raw, plain);
        }
        (Codec::Zstd, &self.coded)
    }

    /// Compresses into `coded`; false when zstd failed.
    fn compress(&mut self, plain: &[u8], level: i32) -> bool {
        let compressor = match &mut self.compressor {
            Some((set, compressor)) if *set == level => compressor,
            other => match compressor(level) {
                Ok(new) => &mut other.insert((level, new)).1,
                Err(_) => return false,
            },
        };
        self.coded.clear();
        self.coded.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        compressor.compress_to_buffer(plain, &mut self.coded).is_ok()
    }

    /// Gives back what an exceptional body made too large.
    pub(super) fn trim(&mut self) {
        for buffer in [&mut self.coded, &mut self.joined, &mut self.opened] {
            if buffer.capacity() > KEPT_BYTES_MAX {
                *buffer = Vec::new();
            }
        }
    }
}

impl Decoder {
    /// The `len` bytes that one zstd frame, `coded`, holds. `len` has been checked against its bound.
    pub(super) fn decode(&mut self, what: &'static str, coded: &[u8], len: usize) -> Result<Vec<u8>> {
        let broken = || Error::damaged(what, "its compressed body is broken");
        if zstd::zstd_safe::find_frame_compressed_size(coded).ok() != Some(coded.len()) {
            return Err(broken());
        }
        let decompressor = match &mut self.0 {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(|_| broken())?),
        };
        // The capacity is the bound of what zstd writes.
        let mut plain = Vec::with_capacity(len);
        decompressor.decompress_to_buffer(coded, &mut plain).map_err(|_| broken())?;
        if plain.len() == len { Ok(plain) } else { Err(broken()) }
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

fn compressor(level: i32) -> std::io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    if level == LEVEL_AUTO {
        compressor.set_parameter(CParameter::HashLog(AUTO_HASH_LOG))?;
        compressor.set_parameter(CParameter::ChainLog(AUTO_CHAIN_LOG))?;
    }
    Ok(compressor)
}

/// Order-0 entropy, in bits per byte, of a sample spread over `bytes`.
fn spread_entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for run in bytes.chunks((bytes.len() / SAMPLE_RUNS).max(SAMPLE_RUN_BYTES)).take(SAMPLE_RUNS) {
        for byte in run.iter().take(SAMPLE_RUN_BYTES) {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
    }
    let all = f64::from(counts.iter().sum::<u32>().max(1));
    counts.iter().filter(|c| **c > 0).map(|c| f64::from(*c) / all).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::door::{Chance, ConstantChance};

    pub(crate) fn noise(len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        ConstantChance::new(len as u64).fill(&mut out);
        out
    }

    pub(crate) fn text(len: usize) -> Vec<u8> {
        (0..len / 7 + 1).flat_map(|n| format!("{:06} ", n * n % 999_983).into_bytes()).take(len).collect()
    }

    #[test]
    fn the_probe_knows_noise_from_text() {
        let mut scratch = Scratch::new();
        assert!(spread_entropy(&noise(1 << 20)) > 7.9);
        assert!(scratch.incompressible(&noise(1 << 20)));
        assert!(!scratch.incompressible(&noise(1 << 13)), "too small to ask");
        assert!(!scratch.incompressible(&text(1 << 20)));
        // All byte values equally often, but in an order that compresses: only the trial sees it.
        let ramp: Vec<u8> = (0..1 << 20).map(|n: u32| (n % 251) as u8).collect();
        assert!(spread_entropy(&ramp) > ENTROPY_MAX && !scratch.incompressible(&ramp));
    }

    #[test]
    fn compresses_only_when_it_pays() {
        let mut scratch = Scratch::new();
        let (noise, text) = (noise(100_000), text(100_000));
        assert_eq!(scratch.code(&noise, Level::Auto), (Codec::Raw, &noise[..]));
        assert_eq!(scratch.code(&text, Level::Raw), (Codec::Raw, &text[..]));
        assert_eq!(scratch.code(b"ab", Level::Zstd(19)), (Codec::Raw, &b"ab"[..]));
        let mut sizes = Vec::new();
        for level in [Level::Zstd(-100), Level::Zstd(1), Level::Auto, Level::Zstd(3), Level::Zstd(100)] {
            let (codec, coded) = scratch.code(&text, level);
            assert_eq!(codec, Codec::Zstd);
            sizes.push(coded.len());
            let coded = coded.to_vec();
            assert_eq!(scratch.decoder.decode("box", &coded, text.len()).unwrap(), text);
        }
        assert_eq!(sizes[2], sizes[3]);
        assert!(sizes[0] > sizes[3] && sizes[3] > sizes[4], "{sizes:?}");
    }

    #[test]
    fn decoding_is_bounded_and_exact() {
        let mut scratch = Scratch::new();
        let bomb = vec![0; 1 << 20];
        let coded = scratch.code(&bomb, Level::Auto).1.to_vec();
        let mut decoder = Decoder::default();
        assert!(decoder.decode("box", &coded, 1 << 20).is_ok());
        for len in [0, 1000, (1 << 20) - 1, (1 << 20) + 1] {
            assert!(decoder.decode("box", &coded, len).is_err(), "{len}");
        }
        let twice = [coded.clone(), coded.clone()].concat();
        assert!(decoder.decode("box", &twice, 2 << 20).is_err(), "one frame, not two");
        assert!(decoder.decode("box", &coded[..coded.len() - 1], 1 << 20).is_err());
        assert!(decoder.decode("box", b"", 0).is_err());
    }

    #[test]
    fn large_buffers_are_given_back() {
        let mut scratch = Scratch::new();
        scratch.code(&text(8 << 20), Level::Zstd(1));
        scratch.trim();
        assert_eq!(scratch.coded.capacity(), 0);
    }
}
