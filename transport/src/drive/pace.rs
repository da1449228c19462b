//! How fast a connection may go, and what went over it: what its owner gives to a pump, and reads from it.

use std::sync::atomic::{AtomicU64, Ordering};

use store::door::Millis;

use crate::session::{Rates, Traffic};

/// Says how fast a connection may go. Asked by the pump whenever it looks what to do, and while there is a limit once a
/// second at least, so that a change counts at once.
pub trait Pace: Send + Sync {
    /// The rates now. Must be cheap and not block.
    fn rates(&self) -> Rates;
}

/// The longest time until the pump asks again, while there is a limit.
pub(super) const PACE_MS: Millis = 1_000;

/// What went over the pipe of a connection, every byte counted when the pipe has given or taken it. Outlives the
/// connection.
#[derive(Debug, Default)]
pub struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
    throttled_ms: AtomicU64,
}

impl Meter {
    /// Bytes so far. While the connection is up they only grow.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic { sent_bytes: self.sent.load(Ordering::SeqCst), received_bytes: self.received.load(Ordering::SeqCst) }
    }

    /// How long bulk has waited for a rate, in milliseconds of the connection's clock.
    #[must_use]
    pub fn throttled_ms(&self) -> u64 {
        self.throttled_ms.load(Ordering::SeqCst)
    }

    /// As if so many bytes had been sent and received. For tests of what is done with a meter.
    #[doc(hidden)]
    pub fn count_for_tests(&self, sent: usize, received: usize) {
        self.sent(sent);
        self.received(received);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(super) fn throttled(&self, ms: u64) {
        self.throttled_ms.store(ms, Ordering::SeqCst);
    }
}
