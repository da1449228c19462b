//! The limit of this end: a rate for all connections of a run together, by a timetable. The server may have one, too; what
//! moves obeys both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::door::Clock;
use transport::{Pace, Rates};

use crate::timetable::Limit;

/// Divides a limit among the connections of a run.
pub struct Pacer {
    limit: Arc<Limit>,
    clock: Arc<dyn Clock>,
    live: Arc<AtomicU64>,
}

/// One connection's equal part of it, as long as it lives.
pub struct Part {
    limit: Arc<Limit>,
    clock: Arc<dyn Clock>,
    live: Arc<AtomicU64>,
}

impl Pacer {
    /// For one run.
    pub fn new(limit: Arc<Limit>, clock: Arc<dyn Clock>) -> Self {
        Self { limit, clock, live: Arc::default() }
    }

    /// A part for a connection that begins.
    pub fn part(&self) -> Part {
        self.live.fetch_add(1, Ordering::SeqCst);
        Part { limit: Arc::clone(&self.limit), clock: Arc::clone(&self.clock), live: Arc::clone(&self.live) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pace for Part {
    fn rates(&self) -> Rates {
        self.limit.rates_at(self.clock.now_ms()).divided(self.live.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use store::door::FixedClock;

    use super::*;
    use crate::timetable::Timetable;

    #[test]
    fn connections_of_a_run_share_its_limit_and_an_edge_turns_it() {
        // 2026-11-20T17:59:59Z.
        let clock = Arc::new(FixedClock::at(1_795_197_599_000));
        let timetable = Timetable::parse("limit = 200k; limit 08:00-18:00 = 50k; down = none").unwrap();
        let pacer = Pacer::new(Limit::new(timetable, TimeZone::UTC), clock.clone());
        let one = pacer.part();
        assert_eq!(one.rates(), Rates { up: Some(50 << 10), down: Some(50 << 10) });
        let two = pacer.part();
        assert_eq!(one.rates(), Rates { up: Some(25 << 10), down: Some(25 << 10) });
        clock.advance(1_000);
        assert_eq!(two.rates(), Rates { up: Some(100 << 10), down: None });
        drop(two);
        assert_eq!(one.rates(), Rates { up: Some(200 << 10), down: None });
    }
}
