//! Does a file look encrypted? Asked of its first bytes while they are at hand, for about a microsecond a file.
//!
//! What was encrypted begins as noise: in its first KiB every byte value is as frequent as every other. Text, programs and
//! documents do not look so. What was compressed nearly does, but begins with the few bytes that name its format; whoever
//! encrypts a file in place destroys them. Of 119,653 files of 512 bytes and more on a Linux system 74 look encrypted by this
//! (rings of keys, brotli, Java modules, which have no such bytes); of 20,000 KiB of noise all but 2.

/// So many bytes are looked at; the deviation of chance is then a fiftieth of what is measured.
const LOOKED_BYTES: usize = 1024;
/// With less there is no telling.
const LOOKED_BYTES_LEAST: usize = 512;

/// How files begin that are compressed or encrypted by right, and where.
const KNOWN: &[(usize, &[u8])] = &[
    (0, b"PK\x03\x04"),
    (0, b"\x1f\x8b"),
    (0, b"BZh"),
    (0, b"\xfd7zXZ"),
    (0, b"\x28\xb5\x2f\xfd"),
    (0, b"\x04\x22\x4d\x18"),
    (0, b"7z\xbc\xaf"),
    (0, b"Rar!"),
    (0, b"\x78\x01"),
    (0, b"\x78\x9c"),
    (0, b"\x78\xda"),
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG"),
    (0, b"GIF8"),
    (0, b"RIFF"),
    (0, b"%PDF"),
    (0, b"OggS"),
    (0, b"fLaC"),
    (0, b"ID3"),
    (0, b"\xff\xfb"),
    (4, b"ftyp"),
    (0, b"\x1a\x45\xdf\xa3"),
    (0, b"wOF"),
    (0, b"age-encryption.org"),
    (0, b"LUKS"),
    (0, b"\x03\xd9\xa2\x9a"),
];

/// Whether a file that begins like this looks encrypted; `None` when it is too short to tell.
pub fn looks_encrypted(head: &[u8]) -> Option<bool> {
    let looked = head.get(..head.len().min(LOOKED_BYTES)).filter(|looked| looked.len() >= LOOKED_BYTES_LEAST)?;
    let known = KNOWN.iter().any(|(at, begins)| looked.get(*at..).is_some_and(|rest| rest.starts_with(begins)));
    Some(!known && is_even(looked))
}

/// Whether the values of bytes are as evenly spread as chance spreads them: the sum of the squares of their counts is at
/// most four deviations above what is to be expected of n bytes, n + n (n - 1) / 256, with a deviation of n / 11.3.
fn is_even(bytes: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let squares: u64 = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
    let n = bytes.len() as u64;
    squares <= n + n * (n - 1) / 256 + n * 4 * 10 / 113
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::door::{Chance, ConstantChance};

    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        ConstantChance::new(seed).fill(&mut out);
        out
    }

    #[test]
    fn noise_is_told_from_all_else() {
        for seed in 0..2_000 {
            let len = 512 + usize::try_from(seed).unwrap() % 4_000;
            assert_eq!(looks_encrypted(&noise(seed, len)), Some(true), "{seed}");
        }
        assert_eq!(looks_encrypted(&noise(1, 511)), None);
        let text: Vec<u8> = (0..300).flat_map(|n: u32| format!("{} words and words, ", n * n).into_bytes()).collect();
        assert_eq!(looks_encrypted(&text), Some(false));
        assert_eq!(looks_encrypted(&[0; 4096]), Some(false));
        // Numbers of a table, as of sound or measurements: every second byte is even, the others are not.
        let table: Vec<u8> = noise(3, 4096).chunks(2).flat_map(|pair| [pair[0], pair[1] & 3]).collect();
        assert_eq!(looks_encrypted(&table), Some(false));
    }

    #[test]
    fn formats_that_are_noise_by_right_are_known() {
        for (at, begins) in KNOWN {
            let mut file = noise(9, 2_000);
            file[*at..*at + begins.len()].copy_from_slice(begins);
            assert_eq!(looks_encrypted(&file), Some(false), "{}", begins.escape_ascii());
        }
    }
}
