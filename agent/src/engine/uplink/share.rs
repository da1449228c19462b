//! How many channels should carry records.
//!
//! OpenSSH's server takes some 2 MiB in a round trip on one channel, whatever the line could carry. So another one is
//! worth it when the far side is far and sending waits for it; a server that is near and slow would only be slowed.

use store::door::Millis;
use transport::limits::is_far;

/// Sending is looked at so often.
pub(super) const WINDOW_MS: Millis = 250;
/// From this share of the time on, in percent, in which sending was held up, there is too little room on the line, if
/// the far side is far.
const HELD_UP_PERCENT: Millis = 30;
/// So many at once, where the way is long and there is anything to send: a run has ended, or is half through, before it
/// was seen that one is too few.
const FIRST_FAR: usize = 4;
/// So many times as many channels at a time at most: each is a process at the far side.
const TIMES_MAX: usize = 4;

/// How many channels of a connection may carry bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// So many as soon as records pile up.
    pub first: usize,
    /// Never more.
    pub most: usize,
}

impl Default for Channels {
    /// One, always.
    fn default() -> Self {
        Self { first: 1, most: 1 }
    }
}

/// What was seen of a while of sending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Channels that are open, the main one included.
    pub(super) open: usize,
    /// Its round trip, when it was measured.
    pub(super) round_trip_ms: Option<Millis>,
    /// How long the while was.
    pub(super) window_ms: Millis,
    /// The part of it in which whoever sends was held up.
    pub(super) held_up_ms: Millis,
}

impl Channels {
    /// How many there should be as soon as records pile up.
    pub(super) fn at_first(self, is_far: bool) -> usize {
        if is_far { self.first.max(FIRST_FAR).min(self.most) } else { self.first }
    }

    /// How many there should be now: as many as would carry what came, had nothing held it up. At once, for each costs a
    /// few round trips to open.
    pub(super) fn wanted(self, seen: &Seen) -> usize {
        let held_up = seen.held_up_ms.saturating_mul(100) > seen.window_ms.saturating_mul(HELD_UP_PERCENT);
        let free_ms = seen.window_ms.saturating_sub(seen.held_up_ms).max(1);
        let times = usize::try_from(seen.window_ms / free_ms + 1).unwrap_or(TIMES_MAX).min(TIMES_MAX);
        let far = is_far(seen.round_trip_ms);
        let wanted = if held_up && far { seen.open.saturating_mul(times) } else { seen.open };
        wanted.max(self.first).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_server_gets_several_at_once() {
        let [auto, system, fixed] = [(1, 8), (1, 2), (6, 6)].map(|(first, most)| Channels { first, most });
        let at_first = |channels: Channels| (channels.at_first(false), channels.at_first(true));
        assert_eq!([auto, system, fixed, Channels::default()].map(at_first), [(1, 4), (1, 2), (6, 6), (1, 1)]);
    }

    #[test]
    fn channels_are_added_where_they_help() {
        let auto = Channels { first: 1, most: 8 };
        let system = Channels { first: 1, most: 2 };
        let fixed = Channels { first: 4, most: 4 };
        let none = Channels::default();
        let ms = Some;
        // Bounds, channels open, round trip, held up of 1,000 ms: channels wanted.
        let table = [
            // Held up by a line with a long way.
            (auto, 1, ms(100), 900, 4),
            (auto, 1, ms(100), 600, 3),
            (auto, 1, ms(10), 301, 2),
            (auto, 2, ms(100), 900, 8),
            (auto, 3, ms(100), 400, 6),
            (auto, 4, ms(20), 1_000, 8),
            (auto, 5, ms(20), 1_000, 8),
            (auto, 8, ms(100), 1_000, 8),
            (system, 1, ms(100), 900, 2),
            (system, 2, ms(100), 900, 2),
            // Held up by something near.
            (auto, 1, ms(9), 1_000, 1),
            (auto, 1, ms(0), 1_000, 1),
            (auto, 1, None, 1_000, 1),
            // The source is what is slow.
            (auto, 1, ms(100), 300, 1),
            (auto, 3, ms(100), 0, 3),
            // Somebody has decided.
            (fixed, 1, None, 0, 4),
            (fixed, 4, ms(100), 1_000, 4),
            (none, 1, ms(100), 1_000, 1),
        ];
        for (channels, open, round_trip_ms, held_up_ms, wanted) in table {
            let seen = Seen { open, round_trip_ms, window_ms: 1_000, held_up_ms };
            assert_eq!(channels.wanted(&seen), wanted, "{channels:?} {seen:?}");
        }
    }
}
