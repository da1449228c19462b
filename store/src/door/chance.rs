//! Random bytes.

use std::sync::Mutex;

/// Gives random bytes. Infallible: a system that cannot give any stops the program, as nothing safe can follow.
pub trait Chance: Send + Sync {
    /// Fills `out`.
    fn fill(&self, out: &mut [u8]);
}

/// `N` random bytes.
pub fn random<const N: usize>(chance: &dyn Chance) -> [u8; N] {
    let mut out = [0; N];
    chance.fill(&mut out);
    out
}

impl dyn Chance + '_ {
    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        random(self)
    }
}

/// The system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[expect(
        clippy::expect_used,
        clippy::disallowed_methods,
        reason = "no safe way on without randomness; this is the door"
    )]
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the system gives no random bytes");
    }
}

/// A source that starts from a seed and repeats itself; for tests and golden vaults.
#[derive(Debug)]
pub struct ConstantChance {
    state: Mutex<(blake3::Hash, u64)>,
}

impl ConstantChance {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new((blake3::hash(&seed.to_le_bytes()), 0)) }
    }
}

impl Chance for ConstantChance {
    fn fill(&self, out: &mut [u8]) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.1 += 1;
        let mut hasher = blake3::Hasher::new_keyed(state.0.as_bytes());
        hasher.update(&state.1.to_le_bytes());
        hasher.finalize_xof().fill(out);
    }
}
