//! The table of targets.

mod answers;
mod archive;
mod canary;
mod chain;
mod kept;
mod notes;
mod packs;
mod records;
mod trees;
mod wire;
mod words;

/// A decoder, with what it is tried on.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Takes any bytes. A panic is a finding.
    pub run: fn(&[u8]),
    /// Inputs that are right, to begin with. The first bytes of some choose between variants.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of its language.
    pub words: &'static [&'static [u8]],
}

const NO_WORDS: &[&[u8]] = &[];

/// Every target, the canary last.
#[must_use]
pub fn all() -> Vec<&'static Target> {
    [
        records::TARGETS,
        trees::TARGETS,
        packs::TARGETS,
        archive::TARGETS,
        chain::TARGETS,
        notes::TARGETS,
        wire::TARGETS,
        answers::TARGETS,
        words::TARGETS,
        kept::TARGETS,
        canary::TARGETS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A target by its name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Target> {
    all().into_iter().find(|target| target.name == name)
}

/// The first byte, which chooses, and the rest.
fn choose(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest))
}

/// Two parts: two bytes say how long the first one is.
fn two(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else { return (bytes, &[]) };
    rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()))
}

/// The bytes of two parts.
fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    [&(first.len() as u16).to_le_bytes()[..], first, second].concat()
}

/// Puts the CRC-32C of what is before into the four bytes that end at `end`.
fn mend_crc(bytes: &mut [u8], end: usize) {
    if let Some((body, sum)) = bytes.get_mut(..end).and_then(|all| all.split_last_chunk_mut::<4>()) {
        *sum = crc32c::crc32c(body).to_le_bytes();
    }
}
