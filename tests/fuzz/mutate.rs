//! Makes inputs out of inputs, from a seed.

/// Numbers that decoders get wrong.
const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Largest input that is made: several of any structure, and far below any bound of memory.
pub const BYTES_MAX: usize = 64 << 10;

/// A sequence of numbers, the same for the same seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// From this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.roll() % end as u64) as usize }
    }
}

/// One of the inputs, changed a few times.
pub fn mutant(dice: &mut Dice, inputs: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    let mut out = inputs.get(dice.below(inputs.len())).cloned().unwrap_or_default();
    for _ in 0..1 << dice.below(5) {
        change(dice, &mut out, inputs, words);
    }
    out.truncate(BYTES_MAX);
    out
}

fn change(dice: &mut Dice, out: &mut Vec<u8>, inputs: &[Vec<u8>], words: &[&[u8]]) {
    let at = dice.below(out.len());
    match dice.below(11) {
        0 => {
            if let Some(byte) = out.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        1 => {
            if let Some(byte) = out.get_mut(at) {
                *byte = dice.roll() as u8;
            }
        }
        2 => {
            // A number, in either order, of any width.
            let number = NUMBERS[dice.below(NUMBERS.len())].wrapping_add(dice.below(3) as u64).wrapping_sub(1);
            let width = 1 << dice.below(4);
            let bytes = number.to_le_bytes();
            let turned: Vec<u8> = bytes[..width].iter().rev().copied().collect();
            let bytes = if dice.below(2) == 0 { &bytes[..width] } else { &turned };
            for (to, from) in out.iter_mut().skip(at).zip(bytes) {
                *to = *from;
            }
        }
        3 => out.truncate(at),
        4 => {
            let to = (at + 1 + dice.below(16)).min(out.len());
            out.drain(at..to);
        }
        5 => {
            let to = (at + dice.below(64)).min(out.len());
            let again = out[at..to].to_vec();
            insert(out, dice, &again);
        }
        6 => {
            let long = 1 + dice.below(40);
            let byte = dice.roll() as u8;
            insert(out, dice, &vec![byte; long]);
        }
        7 => {
            if let Some(word) = words.get(dice.below(words.len())) {
                insert(out, dice, word);
            }
        }
        8 => {
            // The end of another one.
            if let Some(other) = inputs.get(dice.below(inputs.len())) {
                out.truncate(at);
                out.extend_from_slice(&other[dice.below(other.len()).min(other.len())..]);
            }
        }
        9 => {
            // Two pieces change places.
            let long = 1 + dice.below(16);
            let other = dice.below(out.len());
            for offset in 0..long {
                if at + offset < out.len() && other + offset < out.len() {
                    out.swap(at + offset, other + offset);
                }
            }
        }
        _ => {
            if let Some(byte) = out.get_mut(at) {
                *byte = byte.wrapping_add(1).wrapping_sub(2 * (dice.below(2) as u8));
            }
        }
    }
}

fn insert(out: &mut Vec<u8>, dice: &mut Dice, what: &[u8]) {
    let at = dice.below(out.len() + 1);
    out.splice(at..at, what.iter().copied());
}
