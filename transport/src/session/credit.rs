//! Credit: how much the peer may send on a stream before we have read what it sent.
//!
//! Every stream starts with [`STREAM_START_BYTES`], on both sides and without a word. What bulk streams get beyond
//! that comes from one pool of the connection. So what a peer can make us keep has a bound, whatever it does and
//! however slowly we read: streams × start + pool. And so the task that reads the pipe can always put down what it has
//! read, and never waits for anybody.

use crate::error::{Error, Result};
use crate::limits::{CREDIT_STEP_BYTES, SMALLEST_GRANT_BYTES, STREAM_START_BYTES};

/// The receiving side of one stream's credit. All numbers are costs: payload and 64 bytes for each frame.
#[derive(Debug)]
pub(super) struct Window {
    /// What the peer may still send.
    granted: u64,
    /// What it sent and nobody has read.
    kept: u64,
    /// The part of `granted` that it does not know of yet.
    due: u64,
    /// What of its start is not yet charged to a throttle; what is given later is charged when it is given.
    free: u64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { granted: STREAM_START_BYTES, kept: 0, due: 0, free: STREAM_START_BYTES }
    }

    /// What the peer can make us keep at most.
    pub(super) fn outstanding(&self) -> u64 {
        self.granted + self.kept
    }

    /// What it holds of the pool.
    pub(super) fn pooled(&self) -> u64 {
        self.outstanding().saturating_sub(STREAM_START_BYTES)
    }

    /// A frame came. Returns what of it is to be charged to a throttle.
    pub(super) fn receive(&mut self, cost: u64) -> Result<u64> {
        self.granted =
            self.granted.checked_sub(cost).ok_or(Error::Protocol("more is sent on a stream than it has credit for"))?;
        self.kept += cost;
        let charged = cost.min(self.free);
        self.free -= charged;
        Ok(charged)
    }

    /// A frame was read.
    pub(super) fn consume(&mut self, cost: u64) {
        self.kept = self.kept.saturating_sub(cost);
    }

    /// How much to give so that a window of `size` is full again; nothing when that is not worth a frame.
    pub(super) fn lacking(&self, size: u64, throttled: bool) -> u64 {
        let lacking = size.saturating_sub(self.outstanding());
        // A throttled line gets little at a time, so that it flows evenly.
        let step = if throttled { SMALLEST_GRANT_BYTES } else { CREDIT_STEP_BYTES.max(size / 8) };
        if lacking >= step { lacking } else { 0 }
    }

    /// Gives more.
    pub(super) fn grant(&mut self, bytes: u64) {
        self.granted += bytes;
        self.due += bytes;
    }

    /// What is to be said in a CREDIT frame.
    pub(super) fn take_due(&mut self) -> Option<u32> {
        let due = u32::try_from(std::mem::take(&mut self.due)).unwrap_or(u32::MAX);
        (due > 0).then_some(due)
    }

    /// The peer sends nothing more.
    pub(super) fn close(&mut self) {
        self.granted = 0;
        self.due = 0;
    }

    /// Nothing of what came is kept.
    pub(super) fn forget(&mut self) {
        self.kept = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{FRAME_COST, MESSAGE_BYTES_MAX};

    #[test]
    fn whoever_has_read_everything_has_room_for_the_largest_message() {
        let largest = MESSAGE_BYTES_MAX as u64 + FRAME_COST;
        for size in [STREAM_START_BYTES, STREAM_START_BYTES + (8 << 20), STREAM_START_BYTES + (32 << 20)] {
            let mut window = Window::new();
            window.grant(size - window.outstanding());
            // Frame after frame is read at once; credit is given back only in steps.
            for _ in 0..10_000 {
                window.receive(5_000).unwrap();
                window.consume(5_000);
                window.grant(window.lacking(size, false));
                assert!(window.granted >= largest && window.outstanding() <= size);
            }
        }
    }

    #[test]
    fn more_than_was_given_is_an_error() {
        let mut window = Window::new();
        window.receive(STREAM_START_BYTES).unwrap();
        assert!(window.receive(1).is_err());
        window.consume(STREAM_START_BYTES);
        window.grant(10);
        assert_eq!((window.take_due(), window.take_due()), (Some(10), None));
        assert!(window.receive(11).is_err());
        assert_eq!(window.receive(10), Ok(0));
    }
}
