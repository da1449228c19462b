//! Bounded queues and byte budgets between the stages of a run. The only ways in which stages meet.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::profile::{Wait, waiting};

/// Locks, whatever another thread did: our data stay whole because every change under a lock is whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition, whatever another thread did.
pub fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>, why: Wait) -> MutexGuard<'a, T> {
    waiting(why, || condition.wait(guard)).unwrap_or_else(PoisonError::into_inner)
}

/// A queue of at most `most` things, for any number of senders and receivers.
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    room: Condvar,
    filled: Condvar,
    most: usize,
}

struct Inner<T> {
    things: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(most: usize) -> Self {
        let inner = Inner { things: VecDeque::new(), closed: false };
        Self { inner: Mutex::new(inner), room: Condvar::new(), filled: Condvar::new(), most }
    }

    /// Waits for room. Gives the thing back when the queue is closed.
    pub fn push(&self, thing: T) -> Result<(), T> {
        let mut inner = lock(&self.inner);
        while inner.things.len() >= self.most && !inner.closed {
            inner = wait(&self.room, inner, Wait::Room);
        }
        if inner.closed {
            return Err(thing);
        }
        inner.things.push_back(thing);
        drop(inner);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes a thing when there is room now.
    pub fn try_push(&self, thing: T) -> bool {
        let mut inner = lock(&self.inner);
        if inner.closed || inner.things.len() >= self.most {
            return false;
        }
        inner.things.push_back(thing);
        drop(inner);
        self.filled.notify_one();
        true
    }

    /// Waits for a thing. `None` when the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        let mut inner = lock(&self.inner);
        loop {
            if let Some(thing) = inner.things.pop_front() {
                drop(inner);
                self.room.notify_one();
                return Some(thing);
            }
            if inner.closed {
                return None;
            }
            inner = wait(&self.filled, inner, Wait::Input);
        }
    }

    /// A thing, when there is one now.
    pub fn try_pop(&self) -> Option<T> {
        let thing = lock(&self.inner).things.pop_front();
        if thing.is_some() {
            self.room.notify_one();
        }
        thing
    }

    /// No more will come; what is in it is still given out.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.room.notify_all();
        self.filled.notify_all();
    }

    /// No more will come, and what is in it is dropped.
    pub fn abandon(&self) {
        let dropped = {
            let mut inner = lock(&self.inner);
            inner.closed = true;
            std::mem::take(&mut inner.things)
        };
        drop(dropped);
        self.room.notify_all();
        self.filled.notify_all();
    }
}

/// Bytes in flight: content between two stages.
pub struct Budget {
    left: Mutex<Option<usize>>,
    freed: Condvar,
    all: usize,
}

/// Some bytes of a budget, given back when dropped.
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(all: usize) -> Arc<Self> {
        Arc::new(Self { left: Mutex::new(Some(all)), freed: Condvar::new(), all })
    }

    /// Waits until so many bytes are free; never more than the whole budget. `None` when the run was abandoned.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let bytes = bytes.min(self.all);
        let mut left = lock(&self.left);
        loop {
            match &mut *left {
                None => return None,
                Some(free) if *free >= bytes => {
                    *free -= bytes;
                    return Some(Permit { budget: Arc::clone(self), bytes });
                }
                Some(_) => left = wait(&self.freed, left, Wait::Room),
            }
        }
    }

    /// Wakes everybody who waits, with nothing.
    pub fn abandon(&self) {
        *lock(&self.left) = None;
        self.freed.notify_all();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(free) = &mut *lock(&self.budget.left) {
            *free += self.bytes;
        }
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_queue_gives_out_what_it_has() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        queue.close();
        assert_eq!(queue.push(3), Err(3));
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(1), Some(2), None));
    }

    #[test]
    fn a_full_queue_holds_its_sender() {
        let queue = Queue::new(1);
        std::thread::scope(|scope| {
            scope.spawn(|| (0..1000).try_for_each(|n| queue.push(n)).map(|()| queue.close()));
            let mut got = Vec::new();
            while let Some(n) = queue.pop() {
                got.push(n);
            }
            assert_eq!(got, (0..1000).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_budget_is_given_back() {
        let budget = Budget::new(10);
        let first = budget.take(7).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(100).is_some());
            drop(first);
            assert!(waiting.join().unwrap());
        });
        budget.abandon();
        assert!(budget.take(1).is_none());
    }
}
