//! How long, and how often, a lost connection is tried again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use store::door::{Clock, Millis};
use transport::Client;

use super::job::Stop;
use super::queue::lock;
use super::remote::is_loss;
use crate::fault::{Fault, Result};

/// Nobody who asked for the end waits longer for it.
const GLANCE_MS: u64 = 200;

/// How long, and how often, a lost connection is tried again without anything getting through.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Milliseconds from the loss on.
    pub most_ms: Millis,
    /// Attempts.
    pub attempts: u32,
    /// Pause before the second attempt, milliseconds; each is twice the one before.
    pub first_pause_ms: u64,
    /// The longest pause.
    pub longest_pause_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { most_ms: 10 * 60 * 1000, attempts: 1_000, first_pause_ms: 500, longest_pause_ms: 30_000 }
    }
}

impl Patience {
    /// So many milliseconds of it.
    pub fn of(most_ms: u64) -> Self {
        Self { most_ms: Millis::try_from(most_ms).unwrap_or(Millis::MAX), ..Self::default() }
    }
}

/// The way to a new connection.
pub struct Again {
    connect: Box<dyn Fn() -> Result<Client> + Send + Sync>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    patience: Patience,
    given_up: AtomicBool,
    /// Wakes who pauses.
    woken: (Mutex<()>, Condvar),
}

impl Again {
    /// By this function, which gives a connection on which the account is open.
    pub fn new(
        connect: Box<dyn Fn() -> Result<Client> + Send + Sync>,
        clock: Arc<dyn Clock>,
        stop: Stop,
        patience: Patience,
    ) -> Self {
        Self { connect, clock, stop, patience, given_up: AtomicBool::new(false), woken: Default::default() }
    }

    /// No more attempts.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
        self.woken.1.notify_all();
    }

    fn is_over(&self) -> bool {
        self.given_up.load(Ordering::SeqCst) || self.stop.asked()
    }

    fn pause(&self, mut left_ms: u64) {
        while left_ms > 0 && !self.is_over() {
            let some = left_ms.min(GLANCE_MS);
            drop(self.woken.1.wait_timeout(lock(&self.woken.0), Duration::from_millis(some)));
            left_ms -= some;
        }
    }
}

/// Losses since something last got through.
#[derive(Default)]
pub struct Losses {
    attempts: u32,
    since: Option<Millis>,
    pause_ms: u64,
    /// It is over for good.
    fault: Option<Fault>,
}

impl Losses {
    /// Something got through.
    pub fn forget(&mut self) {
        (self.attempts, self.since) = (0, None);
    }

    /// Tries until it works, fails for good, or patience ends. The first attempt follows at once, even when the end
    /// was asked for: what is done can still be committed then.
    pub fn connect(&mut self, again: &Again, lost: Fault) -> Result<Client> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let patience = &again.patience;
        let since = *self.since.get_or_insert_with(|| again.clock.monotonic_ms());
        let mut last = lost;
        loop {
            if again.given_up.load(Ordering::SeqCst) {
                break;
            }
            if self.attempts > 0 {
                let left_ms = patience.most_ms - (again.clock.monotonic_ms() - since);
                if left_ms <= 0 || self.attempts >= patience.attempts || again.is_over() {
                    break;
                }
                again.pause(self.pause_ms.min(left_ms.unsigned_abs()));
                self.pause_ms = (self.pause_ms * 2).min(patience.longest_pause_ms);
            } else {
                self.pause_ms = patience.first_pause_ms;
            }
            self.attempts += 1;
            match (again.connect)() {
                Ok(client) => return Ok(client),
                Err(fault) => {
                    let worth = is_loss(&fault);
                    last = if worth { fault } else { fault.because(format!("after: {last}")) };
                    if !worth {
                        break;
                    }
                }
            }
        }
        self.fault = Some(last.clone());
        Err(last)
    }
}
