//! Last in, first out, shared by threads that bring what they take: the end is when none waits and nobody is busy.

use std::sync::{Condvar, Mutex};

use super::flow::Flow;
use crate::engine::queue::{lock, wait};
use crate::profile::Wait;

/// What waits, shared by those who do it.
pub struct Stack<T> {
    inner: Mutex<Waiting<T>>,
    changed: Condvar,
}

struct Waiting<T> {
    tasks: Vec<T>,
    busy: usize,
    /// Threads that wait for a task: who wakes nobody needs no call.
    idle: usize,
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self { inner: Mutex::new(Waiting { tasks: Vec::new(), busy: 0, idle: 0 }), changed: Condvar::new() }
    }
}

impl<T> Stack<T> {
    /// The next task. `None` when none waits and nobody can bring another.
    pub fn pop(&self, flow: &Flow<'_>) -> Option<T> {
        let mut waiting = lock(&self.inner);
        loop {
            if flow.ending() {
                self.changed.notify_all();
                return None;
            }
            if let Some(task) = waiting.tasks.pop() {
                waiting.busy += 1;
                return Some(task);
            }
            if waiting.busy == 0 {
                self.changed.notify_all();
                return None;
            }
            waiting.idle += 1;
            waiting = wait(&self.changed, waiting, Wait::Input);
            waiting.idle -= 1;
        }
    }

    /// What a task brought: the first of `tasks` is done next, and by who pushed it. Only a second one is worth waking
    /// another for.
    pub fn push(&self, tasks: impl DoubleEndedIterator<Item = T>) {
        let wanted = {
            let mut waiting = lock(&self.inner);
            waiting.tasks.extend(tasks.rev());
            waiting.tasks.len() > 1 && waiting.idle > 0
        };
        if wanted {
            self.changed.notify_all();
        }
    }

    /// A task that was taken is done.
    pub fn finished(&self) {
        let over = {
            let mut waiting = lock(&self.inner);
            waiting.busy -= 1;
            waiting.busy == 0 && waiting.tasks.is_empty() && waiting.idle > 0
        };
        if over {
            self.changed.notify_all();
        }
    }

    /// Wakes all, when a run ends early.
    pub fn wake(&self) {
        drop(lock(&self.inner));
        self.changed.notify_all();
    }
}
