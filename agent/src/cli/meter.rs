//! Rate and time left, from what the engine tells. Nothing is guessed: without a total there is no time left.

use crate::event::{Phase, Progress};

/// Between two marks, milliseconds.
const MARK_MS: i64 = 10_000;

/// Watches one phase.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    pub(super) phase: Option<Phase>,
    began_ms: i64,
    /// When and how much there was at two looks, the later of which was a while ago: the rate is that since the earlier one,
    /// as what is sent goes slower than what is found there.
    marks: [(i64, u64); 2],
    /// When it was last shown; `None` = not yet.
    shown_ms: Option<i64>,
}

/// What can be said now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Bytes dealt with per second, once there was a second.
    pub(super) rate: Option<u64>,
    /// Time left in milliseconds, when the total is known.
    pub(super) eta_ms: Option<u64>,
}

impl Meter {
    pub(super) fn begin(&mut self, phase: Phase, now_ms: i64) {
        *self = Self { phase: Some(phase), began_ms: now_ms, marks: [(now_ms, 0); 2], shown_ms: None };
    }

    /// Whether it is time to show again. The first time is after one `interval`, so that short runs show nothing.
    pub(super) fn due(&mut self, now_ms: i64, interval_ms: i64) -> bool {
        let due = now_ms >= self.shown_ms.unwrap_or(self.began_ms).saturating_add(interval_ms);
        if due {
            self.shown_ms = Some(now_ms);
        }
        due
    }

    pub(super) fn read(&mut self, progress: &Progress, now_ms: i64) -> Reading {
        let [_, late] = self.marks;
        if now_ms.saturating_sub(late.0) >= MARK_MS {
            self.marks = [late, (now_ms, progress.bytes_done)];
        }
        let [(began_ms, before), _] = self.marks;
        let elapsed = u64::try_from(now_ms.saturating_sub(began_ms)).unwrap_or(0);
        let done = progress.bytes_done.saturating_sub(before);
        if elapsed < 1000 || done == 0 {
            return Reading::default();
        }
        let per =
            |bytes: u64, by: u64| u64::try_from(u128::from(bytes) * 1000 / u128::from(by.max(1))).unwrap_or(u64::MAX);
        let rate = per(done, elapsed);
        let left = progress.bytes_total.map(|total| total.saturating_sub(progress.bytes_done));
        Reading { rate: Some(rate), eta_ms: left.filter(|left| rate > 0 && *left > 0).map(|left| per(left, rate)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_known_only_with_a_total() {
        let mut meter = Meter::default();
        meter.begin(Phase::Restore, 1000);
        let mut progress = Progress { bytes_done: 500, ..Progress::default() };
        assert_eq!(meter.read(&progress, 1500), Reading::default());
        assert_eq!(meter.read(&progress, 6000), Reading { rate: Some(100), eta_ms: None });
        progress.bytes_total = Some(1500);
        assert_eq!(meter.read(&progress, 6000).eta_ms, Some(10_000));
    }

    #[test]
    fn the_rate_is_that_of_late_and_at_the_end_nothing_is_left() {
        let mut meter = Meter::default();
        meter.begin(Phase::Send, 0);
        let mut read = |bytes_done, now_ms| {
            meter.read(&Progress { bytes_done, bytes_total: Some(1_000_000), ..Progress::default() }, now_ms)
        };
        // Most was found there.
        assert_eq!(read(900_000, 10_000).rate, Some(90_000));
        assert_eq!(read(901_000, 20_000), Reading { rate: Some(100), eta_ms: Some(990_000) });
        assert_eq!(read(902_000, 30_000), Reading { rate: Some(100), eta_ms: Some(980_000) });
        // It stands still, begins anew in a pass more, and ends.
        assert_eq!(read(902_000, 50_000).rate, None);
        assert_eq!(read(1, 55_000), Reading::default());
        assert_eq!(read(1_000_000, 58_000).eta_ms, None);
    }

    #[test]
    fn it_is_shown_once_an_interval() {
        let mut meter = Meter::default();
        meter.begin(Phase::Send, 0);
        let shown: Vec<i64> = (0..=3000).step_by(100).filter(|now| meter.due(*now, 1000)).collect();
        assert_eq!(shown, [1000, 2000, 3000]);
    }
}
