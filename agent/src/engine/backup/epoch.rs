//! Knows when everything that was read before some moment has been sent.
//!
//! Each piece of work carries a [`Ticket`] of the epoch in which it was read, until its bytes are with the
//! server (or were found to be there). A checkpoint starts a new epoch and comes back when the old ones are empty.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::engine::queue::lock;

/// Counts work in flight by epoch.
#[derive(Default)]
pub struct Epochs {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    current: u64,
    in_flight: BTreeMap<u64, usize>,
}

/// One piece of work in flight.
pub struct Ticket {
    epochs: Arc<Epochs>,
    epoch: u64,
}

impl Epochs {
    /// A ticket of the current epoch.
    pub fn ticket(self: &Arc<Self>) -> Ticket {
        let mut inner = lock(&self.inner);
        let epoch = inner.current;
        *inner.in_flight.entry(epoch).or_default() += 1;
        Ticket { epochs: Arc::clone(self), epoch }
    }

    /// Another ticket of the same epoch as this one.
    pub fn ticket_like(self: &Arc<Self>, other: &Ticket) -> Ticket {
        *lock(&self.inner).in_flight.entry(other.epoch).or_default() += 1;
        Ticket { epochs: Arc::clone(self), epoch: other.epoch }
    }

    /// Starts a new epoch; gives the number of the one that ended.
    pub fn turn(&self) -> u64 {
        let mut inner = lock(&self.inner);
        inner.current += 1;
        inner.current - 1
    }

    /// Whether nothing of this epoch or an older one is in flight any more.
    pub fn is_over(&self, epoch: u64) -> bool {
        lock(&self.inner).in_flight.first_key_value().is_none_or(|(oldest, _)| *oldest > epoch)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inner = lock(&self.epochs.inner);
        if let Some(count) = inner.in_flight.get_mut(&self.epoch) {
            *count -= 1;
            if *count == 0 {
                inner.in_flight.remove(&self.epoch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_with_its_last_ticket() {
        let epochs = Arc::new(Epochs::default());
        let (a, b) = (epochs.ticket(), epochs.ticket());
        let old = epochs.turn();
        let later = epochs.ticket();
        drop(a);
        assert!(!epochs.is_over(old));
        let again = epochs.ticket_like(&b);
        drop(b);
        assert!(!epochs.is_over(old));
        drop(again);
        assert!(epochs.is_over(old));
        drop(later);
    }
}
