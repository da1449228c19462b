//! What time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 (wall clock), or since an arbitrary start (monotonic).
pub type Millis = i64;

/// Tells the time. The wall clock may jump; the monotonic one never goes back.
pub trait Clock: Send + Sync {
    /// Nanoseconds since 1970.
    fn now_ns(&self) -> i128;
    /// Nanoseconds since some start; for measurements.
    fn monotonic_ns(&self) -> i128;

    /// Lets so many milliseconds go by, on purpose: to answer somebody slowly who guesses. Nobody waits for anything
    /// with it.
    fn pause(&self, ms: u64);

    /// Milliseconds since some start; for deadlines and rates.
    fn monotonic_ms(&self) -> Millis {
        Millis::try_from(self.monotonic_ns().div_euclid(1_000_000)).unwrap_or(Millis::MAX)
    }

    /// Milliseconds since 1970.
    fn now_ms(&self) -> Millis {
        Millis::try_from(self.now_ns().div_euclid(1_000_000)).unwrap_or(Millis::MAX)
    }
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now_ns(&self) -> i128 {
        let signed = |nanos: u128| i128::try_from(nanos).unwrap_or(i128::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => signed(since.as_nanos()),
            Err(before) => -signed(before.duration().as_nanos()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn pause(&self, ms: u64) {
        std::thread::sleep(std::time::Duration::from_millis(ms));
    }

    fn monotonic_ns(&self) -> i128 {
        i128::try_from(self.start.elapsed().as_nanos()).unwrap_or(i128::MAX)
    }
}

/// A clock that stands where it was put, for tests and for `TUCKBOX_CLOCK`.
#[derive(Debug, Default)]
pub struct FixedClock {
    now_ms: AtomicI64,
}

impl FixedClock {
    /// A clock that shows this moment.
    #[must_use]
    pub fn at(now_ms: Millis) -> Self {
        Self { now_ms: AtomicI64::new(now_ms) }
    }

    /// Moves it.
    pub fn advance(&self, by_ms: Millis) {
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now_ns(&self) -> i128 {
        i128::from(self.now_ms.load(Ordering::SeqCst)) * 1_000_000
    }

    /// The time that goes by is this.
    fn pause(&self, ms: u64) {
        self.advance(Millis::try_from(ms).unwrap_or(Millis::MAX));
    }

    fn monotonic_ns(&self) -> i128 {
        self.now_ns()
    }
}
