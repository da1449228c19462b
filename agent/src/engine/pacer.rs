//! The limit of this end: a rate for all connections of a run together, by a timetable. The server may have one, too; what
//! moves obeys both. Besides, a face may slow down a run that goes on: [`Throttle`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::door::Clock;
use transport::{Pace, Rates};

use super::queue::lock;
use crate::timetable::Limit;

/// A limit of one run that whoever started it changes while it goes on. Clones are the same one; at first there is none.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    rate: Arc<Mutex<Option<u64>>>,
}

impl Throttle {
    /// From now on so many bytes a second each way at most, for all connections of the run together; `None` is no limit. It
    /// counts within a second.
    pub fn set(&self, rate: Option<u64>) {
        *lock(&self.rate) = rate;
    }

    fn rates(&self) -> Rates {
        let rate = *lock(&self.rate);
        Rates { up: rate, down: rate }
    }
}

/// What a run may take at a moment: the lower of its timetable and of what is said while it goes on.
#[derive(Clone)]
struct Most {
    limit: Option<Arc<Limit>>,
    throttle: Throttle,
    clock: Arc<dyn Clock>,
}

impl Most {
    fn rates(&self) -> Rates {
        let limit = self.limit.as_ref().map_or_else(Rates::default, |limit| limit.rates_at(self.clock.now_ms()));
        limit.lower(self.throttle.rates())
    }
}

/// Divides a limit among the connections of a run.
pub struct Pacer {
    most: Most,
    live: Arc<AtomicU64>,
}

/// One connection's equal part of it, as long as it lives.
pub struct Part {
    most: Most,
    live: Arc<AtomicU64>,
}

impl Pacer {
    /// For one run. `None` when nothing limits it, and nothing ever will.
    pub fn new(limit: Option<Arc<Limit>>, throttle: Option<Throttle>, clock: Arc<dyn Clock>) -> Option<Self> {
        let limited = limit.is_some() || throttle.is_some();
        let most = Most { limit, throttle: throttle.unwrap_or_default(), clock };
        limited.then(|| Self { most, live: Arc::default() })
    }

    /// A part for a connection that begins.
    pub fn part(&self) -> Part {
        self.live.fetch_add(1, Ordering::SeqCst);
        Part { most: self.most.clone(), live: Arc::clone(&self.live) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pace for Part {
    fn rates(&self) -> Rates {
        self.most.rates().divided(self.live.load(Ordering::SeqCst))
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
        let throttle = Throttle::default();
        let limit = Limit::new(timetable, TimeZone::UTC);
        let pacer = Pacer::new(Some(limit), Some(throttle.clone()), clock.clone()).unwrap();
        let one = pacer.part();
        assert_eq!(one.rates(), Rates { up: Some(50 << 10), down: Some(50 << 10) });
        let two = pacer.part();
        assert_eq!(one.rates(), Rates { up: Some(25 << 10), down: Some(25 << 10) });
        clock.advance(1_000);
        assert_eq!(two.rates(), Rates { up: Some(100 << 10), down: None });
        drop(two);
        assert_eq!(one.rates(), Rates { up: Some(200 << 10), down: None });
        // What is said meanwhile counts at once, and only where it is lower.
        throttle.set(Some(1 << 20));
        assert_eq!(one.rates(), Rates { up: Some(200 << 10), down: Some(1 << 20) });
        throttle.set(None);
        assert_eq!(one.rates(), Rates { up: Some(200 << 10), down: None });
    }

    #[test]
    fn what_nothing_can_limit_is_not_paced() {
        let clock = Arc::new(FixedClock::at(0));
        assert!(Pacer::new(None, None, clock.clone()).is_none());
        let pacer = Pacer::new(None, Some(Throttle::default()), clock).unwrap();
        assert_eq!(pacer.part().rates(), Rates::default());
    }
}
