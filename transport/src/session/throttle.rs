//! A token bucket: so many bytes a second on average, however they come.

use store::door::Millis;

use crate::limits::DATA_BYTES_MAX;

/// A rate, and what of it is left.
///
/// Whoever finds it [open](Bucket::is_open) may take as much as a frame needs, even more than is left; the next has to
/// wait until the debt is paid. So the average is exact, and never more than one frame ahead.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// Bytes a second; 0 is no limit.
    rate: u64,
    /// Thousandths of bytes; below zero is a debt.
    left: i64,
    at: Millis,
}

/// Far above any line; keeps the arithmetic within 64 bits.
const RATE_MAX: u64 = 1 << 40;

impl Bucket {
    /// No limit.
    pub(super) fn new() -> Self {
        Self { rate: 0, left: 0, at: 0 }
    }

    /// Sets the rate in bytes a second; `None` is no limit. A debt stays; what was saved up does not.
    pub(super) fn set(&mut self, now: Millis, rate: Option<u64>) {
        self.refill(now);
        self.left = if self.rate == 0 { 0 } else { self.left.min(0) };
        self.at = now;
        self.rate = rate.map_or(0, |rate| rate.clamp(1, RATE_MAX));
    }

    pub(super) fn is_limited(&self) -> bool {
        self.rate > 0
    }

    /// What may be saved up: a frame, or an eighth of a second.
    fn most(&self) -> i64 {
        let bytes = (self.rate / 8).max(DATA_BYTES_MAX as u64);
        i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(1000)
    }

    /// Lets time pass.
    pub(super) fn refill(&mut self, now: Millis) {
        let passed = now.saturating_sub(self.at).max(0);
        self.at = self.at.max(now);
        if self.rate > 0 {
            let rate = i64::try_from(self.rate).unwrap_or(i64::MAX);
            self.left = self.left.saturating_add(rate.saturating_mul(passed)).min(self.most());
        }
    }

    /// Whether a frame may go now.
    pub(super) fn is_open(&self) -> bool {
        self.bears(0)
    }

    /// Whether a frame of somebody who may run up such a debt, in bytes, may go now.
    pub(super) fn bears(&self, debt: u64) -> bool {
        self.rate == 0 || self.left >= thousandths(debt).saturating_neg()
    }

    /// Whole bytes that are left; none in debt.
    pub(super) fn left(&self) -> u64 {
        if self.rate == 0 { u64::MAX } else { u64::try_from(self.left / 1000).unwrap_or(0) }
    }

    /// Takes bytes, into debt if need be.
    pub(super) fn take(&mut self, bytes: u64) {
        if self.rate > 0 {
            self.left = self.left.saturating_sub(thousandths(bytes));
        }
    }

    /// When so many bytes are left.
    pub(super) fn when(&self, bytes: u64) -> Millis {
        self.when_left(thousandths(bytes).min(self.most()))
    }

    /// When it [bears](Bucket::bears) such a debt.
    pub(super) fn when_bears(&self, debt: u64) -> Millis {
        self.when_left(thousandths(debt).saturating_neg())
    }

    fn when_left(&self, want: i64) -> Millis {
        let lacking = want.saturating_sub(self.left).max(0);
        let rate = i64::try_from(self.rate.max(1)).unwrap_or(i64::MAX);
        self.at.saturating_add(lacking / rate + i64::from(lacking % rate > 0))
    }
}

fn thousandths(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(1000)
}

/// How long something has waited for a bucket.
#[derive(Debug, Default)]
pub(super) struct Throttled {
    pub(super) ms: u64,
    /// Since when it waits.
    since: Option<Millis>,
}

impl Throttled {
    /// Counts the wait up to now, and says whether there is one from now on.
    pub(super) fn look(&mut self, now: Millis, waits: bool) {
        if let Some(since) = self.since {
            self.ms = self.ms.saturating_add(u64::try_from(now.saturating_sub(since)).unwrap_or(0));
        }
        self.since = waits.then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_average_is_exact(rate in 1u64..10_000_000, frames in proptest::collection::vec(1u64..70_000, 1..100)) {
            let mut bucket = Bucket::new();
            bucket.set(0, Some(rate));
            let mut now = 0;
            let mut sent = 0;
            for frame in frames {
                prop_assert!(bucket.is_open());
                bucket.take(frame);
                sent += frame;
                // Nobody waits, except until the bucket says so.
                let next = bucket.when(0);
                prop_assert!(next >= now);
                if next > now {
                    bucket.refill(next - 1);
                    prop_assert!(!bucket.is_open());
                }
                now = next;
                bucket.refill(now);
            }
            // What was sent is what the time allowed, up to the rounding of each wait to a millisecond.
            let allowed = u128::from(rate) * u128::try_from(now).unwrap();
            let slack = u128::from(rate) + 1000;
            prop_assert!(u128::from(sent) * 1000 <= allowed);
            prop_assert!(u128::from(sent) * 1000 + slack >= allowed);
        }
    }

    #[test]
    fn what_is_saved_up_has_a_bound_and_no_rate_is_no_limit() {
        let mut bucket = Bucket::new();
        assert!(bucket.is_open() && bucket.left() == u64::MAX);
        bucket.set(1000, Some(100));
        bucket.refill(i64::MAX);
        assert_eq!(bucket.left(), DATA_BYTES_MAX as u64);
        bucket.take(u64::MAX);
        assert!(!bucket.is_open() && !bucket.bears(1 << 40));
    }

    #[test]
    fn a_debt_is_borne_up_to_its_bound() {
        let mut bucket = Bucket::new();
        assert!(bucket.bears(0));
        bucket.set(0, Some(1_000));
        bucket.take(5_000);
        assert!(!bucket.is_open() && bucket.bears(5_000) && !bucket.bears(4_999));
        assert_eq!((bucket.when_bears(5_000), bucket.when_bears(3_000), bucket.when(0)), (0, 2_000, 5_000));
        bucket.refill(2_000);
        assert!(bucket.bears(3_000) && !bucket.bears(2_999));
    }
}
