//! Knows when everything that was read before some moment has been sent.
//!
//! Each piece of work carries a [`Ticket`] of the epoch in which it was read, until its bytes are with the
//! server (or were found to be there). A checkpoint starts a new epoch and waits for the old ones to empty.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use crate::engine::queue::{lock, wait};

/// Counts work in flight by epoch.
#[derive(Default)]
pub struct Epochs {
    inner: Mutex<Inner>,
    emptied: Condvar,
}

#[derive(Default)]
struct Inner {
    current: u64,
    in_flight: BTreeMap<u64, usize>,
    abandoned: bool,
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

    /// Waits until nothing of this epoch or an older one is in flight. False when the run was abandoned.
    pub fn wait_for(&self, epoch: u64) -> bool {
        let mut inner = lock(&self.inner);
        while inner.in_flight.first_key_value().is_some_and(|(oldest, _)| *oldest <= epoch) && !inner.abandoned {
            inner = wait(&self.emptied, inner);
        }
        !inner.abandoned
    }

    /// Wakes everybody who waits.
    pub fn abandon(&self) {
        lock(&self.inner).abandoned = true;
        self.emptied.notify_all();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inner = lock(&self.epochs.inner);
        if let Some(count) = inner.in_flight.get_mut(&self.epoch) {
            *count -= 1;
            if *count == 0 {
                inner.in_flight.remove(&self.epoch);
                self.epochs.emptied.notify_all();
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
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| epochs.wait_for(old));
            drop(b);
            assert!(waiting.join().unwrap());
        });
        drop(later);
    }
}
