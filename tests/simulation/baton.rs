//! Turns: of all actors exactly one runs at any moment, and a seed decides which goes on.
//!
//! Actors are threads, so that what they do reads straight on and can be interrupted at every call to the disk; but a
//! thread runs only while it has the baton, so a seed always gives the same course of events.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use store::door::sim::Dice;

thread_local! {
    static ACTOR: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The baton of one world.
pub struct Baton {
    state: Mutex<State>,
}

struct State {
    actors: BTreeMap<usize, Arc<Condvar>>,
    next: usize,
    turn: Option<usize>,
    dice: Dice,
    /// At how many of its stops an actor goes on, for one at which another does.
    patience: usize,
}

impl Baton {
    /// Nobody's yet.
    #[must_use]
    pub fn new(dice: Dice) -> Self {
        let state = State { actors: BTreeMap::new(), next: 0, turn: None, dice, patience: 4 };
        Self { state: Mutex::new(state) }
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets after how many stops, on average, another actor has its turn.
    pub fn set_patience(&self, patience: usize) {
        self.held().patience = patience;
    }

    /// Enters an actor; its thread begins with [`wait`](Self::wait).
    pub fn enter(&self) -> usize {
        let mut state = self.held();
        let actor = state.next;
        state.next += 1;
        state.actors.insert(actor, Arc::default());
        actor
    }

    /// Called by the thread of an actor before anything else: waits for its first turn.
    pub fn wait(&self, actor: usize) {
        ACTOR.set(actor);
        let state = self.held();
        drop(await_turn(state, actor));
    }

    /// Gives the first turn.
    pub fn start(&self) {
        let mut state = self.held();
        give(&mut state);
    }

    /// The actor has ended.
    pub fn leave(&self, actor: usize) {
        let mut state = self.held();
        state.actors.remove(&actor);
        if state.turn == Some(actor) {
            give(&mut state);
        }
    }

    /// A stop of the actor on this thread, at which another may go on. Whether one did.
    pub fn stop(&self, at_once: bool) -> bool {
        let actor = ACTOR.get();
        let mut state = self.held();
        if state.turn != Some(actor) || state.actors.len() < 2 {
            return false;
        }
        let patience = state.patience;
        if !at_once && !state.dice.one_in(patience) {
            return false;
        }
        give(&mut state);
        drop(await_turn(state, actor));
        true
    }
}

/// The turn goes to any of the actors.
fn give(state: &mut State) {
    let nth = state.dice.below(state.actors.len());
    let chosen = state.actors.iter().nth(nth).map(|(actor, wake)| (*actor, Arc::clone(wake)));
    state.turn = chosen.as_ref().map(|(actor, _)| *actor);
    if let Some((_, wake)) = chosen {
        wake.notify_one();
    }
}

fn await_turn(mut state: MutexGuard<'_, State>, actor: usize) -> MutexGuard<'_, State> {
    while state.turn != Some(actor) {
        let Some(wake) = state.actors.get(&actor).cloned() else { return state };
        state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    state
}
