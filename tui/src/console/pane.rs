//! Something that was asked for: waiting, there, empty, failed. What was there stays to be seen while it is asked anew.

use agent::fault::{Fault, Result};

use super::ask::{Answer, Ask, Heard};
use super::effect::{Effect, Effects, Lane};
use super::shared::Shared;

/// A wait shorter than this is not shown, milliseconds.
const QUIET_MS: i64 = 150;
/// A wait longer than this is shown with its seconds.
const COUNT_MS: i64 = 2_000;

/// See the module.
#[derive(Debug)]
pub struct Pane<T> {
    lane: Lane,
    value: Option<T>,
    fault: Option<Fault>,
    waits: Option<Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    generation: u64,
    since_ms: i64,
}

impl<T> Pane<T> {
    /// Nothing was asked for yet.
    #[must_use]
    pub fn new(lane: Lane) -> Self {
        Self { lane, value: None, fault: None, waits: None }
    }

    /// Asks. An earlier question of this pane is given up; its answer would be stale.
    pub fn ask(&mut self, shared: &Shared, ask: Ask, out: &mut Effects) {
        let generation = out.generation();
        self.waits = Some(Wait { generation, since_ms: shared.mono_ms });
        self.fault = None;
        out.push(Effect::Ask { lane: self.lane, generation, ask });
    }

    /// Asks, if nothing is there and nothing is on its way.
    pub fn want(&mut self, shared: &Shared, ask: impl FnOnce() -> Ask, out: &mut Effects) {
        if self.value.is_none() && self.waits.is_none() && self.fault.is_none() {
            self.ask(shared, ask(), out);
        }
    }

    /// Whether this is the answer that is waited for. Whoever takes it says so by [`Pane::put`] or [`Pane::add`].
    #[must_use]
    pub fn awaits(&self, heard: &Heard) -> bool {
        self.lane == heard.lane && self.waits.is_some_and(|wait| wait.generation == heard.generation)
    }

    /// Takes an answer, if it is the one that is waited for; whether it was.
    pub fn hear(&mut self, heard: &Heard, take: impl FnOnce(&Answer) -> Option<T>) -> bool {
        if !self.awaits(heard) {
            return false;
        }
        match &heard.answer {
            Ok(answer) => {
                if let Some(value) = take(answer) {
                    self.value = Some(value);
                }
                if heard.last {
                    self.waits = None;
                }
            }
            Err(fault) => {
                self.waits = None;
                self.fault = Some(fault.clone());
            }
        }
        true
    }

    /// What comes in parts: adds one to what is there.
    pub fn add(&mut self, heard: &Heard, start: impl FnOnce() -> T, add: impl FnOnce(&mut T, &Answer)) -> bool {
        if !self.awaits(heard) {
            return false;
        }
        match &heard.answer {
            Ok(answer) => add(self.value.get_or_insert_with(start), answer),
            Err(fault) => self.fault = Some(fault.clone()),
        }
        if heard.last || heard.answer.is_err() {
            self.waits = None;
        }
        true
    }

    /// Puts something here without asking.
    pub fn put(&mut self, value: Result<T>) {
        self.waits = None;
        match value {
            Ok(value) => (self.value, self.fault) = (Some(value), None),
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Forgets everything; an answer on its way is stale.
    pub fn clear(&mut self) {
        *self = Self::new(self.lane);
    }

    /// What is there.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// What is there, to be changed.
    pub fn value_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut()
    }

    /// Why it could not be had.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Whether an answer is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// What is shown while an answer is on its way: nothing at first, then a turning sign, then the seconds.
    #[must_use]
    pub fn waiting(&self, shared: &Shared) -> Option<String> {
        let since = shared.mono_ms.saturating_sub(self.waits?.since_ms);
        let sign = ["-", "\\", "|", "/"].get(usize::try_from(since / 125).unwrap_or(0) % 4).copied().unwrap_or("-");
        match since {
            ..QUIET_MS => None,
            QUIET_MS..COUNT_MS => Some(format!("{sign} loading")),
            _ => Some(format!("{sign} loading, {} s", since / 1_000)),
        }
    }
}
