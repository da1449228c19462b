//! How much a pass may take.

use super::Housekeep;
use crate::door::{Clock, Millis};

/// What may still be spent.
pub(super) struct Budget<'a> {
    clock: Option<(&'a dyn Clock, Millis)>,
    bytes: Option<u64>,
}

impl<'a> Budget<'a> {
    pub(super) fn new(how: &Housekeep, clock: &'a dyn Clock) -> Self {
        let until = |ms: u64| clock.monotonic_ms().saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
        Self { clock: how.most_ms.map(|ms| (clock, until(ms))), bytes: how.most_bytes }
    }

    /// For what has to come to its end.
    pub(super) fn none() -> Self {
        Self { clock: None, bytes: None }
    }

    pub(super) fn is_over(&self) -> bool {
        self.bytes == Some(0) || self.clock.is_some_and(|(clock, until)| clock.monotonic_ms() >= until)
    }

    pub(super) fn spend(&mut self, bytes: u64) {
        self.bytes = self.bytes.map(|left| left.saturating_sub(bytes));
    }
}
