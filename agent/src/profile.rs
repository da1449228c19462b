//! Where the time of a run goes (`--profile FILE`): phases one after the other, and in each of them the threads of each
//! stage, side by side.
//!
//! ```text
//!  run      ├────────────────────────── wall ──────────────────────────┤
//!  phases   ├ start ┤ connect ┤ unlock ┤ prepare ┤   send   ┤ commit ┤ close ┤      add up to the wall time of the run
//!  a thread ├ away ┤ working ┤ input ┤ working ┤ room ┤ working ┤ away ┤          add up to the wall time of its phase
//! ```
//!
//! A thread that belongs to a stage has a [`Worker`], and is at any moment in one of four states. It works, unless it
//! is in [`waiting`]; every wait for a condition passes through there ([`crate::engine::queue::wait`]), so the linter
//! and the compiler see to it that none is forgotten. The times of all states of all threads of a stage therefore sum up to
//! its threads times the wall time of the phase. What a stage's threads computed is `cpu`; the rest of `working` they
//! stood in the system (disk, locks), or waited for a core.
//!
//! Clocks are read where a thread waits anyhow, and nowhere else; without a profile not even there. [`report`] has the
//! shape of the file.

pub mod report;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use store::door::Clock;

use crate::engine::queue::lock;

/// What a run does, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Arguments and configuration are read; a first backup makes its vault.
    Start,
    /// The vault is reached, the account found.
    Connect,
    /// The key is opened, the chain verified.
    Unlock,
    /// What a verb does that has no phases of its own.
    Work,
    /// Backup: sources are looked up, with what the version before has of them.
    Prepare,
    /// Backup: one pass over the sources.
    Send,
    /// Backup: the version is made durable.
    Commit,
    /// Restore: the nodes of the version are brought, what is to be done is found out.
    Plan,
    /// Restore: files are written.
    Restore,
    /// Restore: files are read back.
    Verify,
    /// The connection is ended, the result told.
    Close,
}

/// Threads that do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Backup: lists and merges directories. Items are names.
    Scan,
    /// Backup: reads, cuts, hashes. Items are files.
    Read,
    /// Backup: asks which chunks lack. Items are chunks that were asked about.
    Ask,
    /// Backup: fills boxes. Items are chunks, there or lacking.
    Fill,
    /// Backup: compresses and seals. Items are boxes and groups, bytes what was in them.
    Seal,
    /// Backup: hands records to the uplink. Items are records, bytes as stored.
    Ship,
    /// Backup: tells progress and makes checkpoints. Items are checkpoints.
    Checkpoint,
    /// Backup: counts files in advance for somebody who watches. Items are files.
    Count,
    /// Backup: hears acknowledgements.
    Listen,
    /// Backup: carries records over a further channel. Items are records.
    Stripe,
    /// Restore: walks the version. Items are names.
    Plan,
    /// Restore: asks for boxes. Items are chunks that were asked for.
    Fetch,
    /// Restore: takes boxes. Items are boxes, bytes as stored.
    Receive,
    /// Restore: opens boxes, writes and finishes files. Items are boxes and files without any, bytes as stored.
    Write,
    /// Restore: reads back. Items are files.
    Verify,
    /// The server's end, when it is in this process: a thread a request. Items are records, bytes as stored.
    Serve,
}

impl Stage {
    /// Its threads go on from one phase to the next: they are told beside the phases and not in one.
    fn spans_phases(self) -> bool {
        matches!(self, Self::Listen | Self::Stripe | Self::Serve)
    }
}

/// What a thread of a stage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Working,
    Waiting(Wait),
    /// It has not begun, has ended, or is lent to another stage.
    Away,
}

/// Why a thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For something to do: those before it are slower.
    Input,
    /// For room to put what it did: those after it are slower.
    Room,
}

/// The measurement of a run; one that is off measures nothing. Clones measure the same run.
#[derive(Clone, Default)]
pub struct Profile(Option<Arc<Book>>);

struct Book {
    clock: Arc<dyn Clock>,
    began_ns: i128,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    /// Each with its beginning; it ends where the next begins.
    phases: Vec<(Phase, i128, Vec<Arc<Meter>>)>,
    beside: Vec<Arc<Meter>>,
}

impl Profile {
    /// Measures from now on.
    #[must_use]
    pub fn begin(clock: Arc<dyn Clock>) -> Self {
        let began_ns = clock.monotonic_ns();
        let pages = Pages { phases: vec![(Phase::Start, began_ns, Vec::new())], beside: Vec::new() };
        Self(Some(Arc::new(Book { clock, began_ns, pages: Mutex::new(pages) })))
    }

    /// The phase before ends, this one begins.
    pub fn phase(&self, phase: Phase) {
        if let Some(book) = &self.0 {
            let now = book.clock.monotonic_ns();
            lock(&book.pages).phases.push((phase, now, Vec::new()));
        }
    }

    /// This thread works for a stage until what is returned is dropped. A thread that works for a stage already is lent.
    #[must_use]
    pub fn worker(&self, stage: Stage) -> Worker {
        let Some(book) = &self.0 else { return Worker { before: None, here: PhantomData } };
        let meter = {
            let mut pages = lock(&book.pages);
            let Pages { phases, beside } = &mut *pages;
            let (began_ns, meters) = match phases.last_mut() {
                Some((_, began_ns, meters)) if !stage.spans_phases() => (*began_ns, meters),
                _ => (book.began_ns, beside),
            };
            let meter = Arc::new(Meter::new(stage, Arc::clone(&book.clock), began_ns));
            meters.push(Arc::clone(&meter));
            meter
        };
        meter.switch(State::Working);
        let before = METER.replace(Some(meter));
        if let Some(lent) = &before {
            lent.switch(State::Away);
        }
        Worker { before: Some(before), here: PhantomData }
    }
}

thread_local! {
    /// The stage that this thread works for: waits are deep in what stages share.
    static METER: RefCell<Option<Arc<Meter>>> = const { RefCell::new(None) };
}

/// A thread that works for a stage. Stays on it.
pub struct Worker {
    /// Whom it worked for before; `None` when nothing is measured.
    before: Option<Option<Arc<Meter>>>,
    here: PhantomData<*const ()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else { return };
        if let Some(lent) = &before {
            lent.switch(State::Working);
        }
        if let Some(done) = METER.replace(before) {
            done.switch(State::Away);
        }
    }
}

/// Calls `work`, which does nothing but wait. Of waits in waits the outermost counts.
pub fn waiting<T>(why: Wait, work: impl FnOnce() -> T) -> T {
    let Some(meter) = METER.with_borrow(Option::clone) else { return work() };
    let before = lock(&meter.times).state;
    meter.switch(if before == State::Working { State::Waiting(why) } else { before });
    let done = work();
    meter.switch(before);
    done
}

/// This thread has dealt with so many things more, of so many bytes.
pub fn did(items: usize, bytes: u64) {
    METER.with_borrow(|meter| {
        if let Some(meter) = meter {
            let mut times = lock(&meter.times);
            times.items += items as u64;
            times.bytes += bytes;
        }
    });
}

/// One thread in one stage.
struct Meter {
    stage: Stage,
    clock: Arc<dyn Clock>,
    times: Mutex<Times>,
}

struct Times {
    state: State,
    since_ns: i128,
    since_cpu_ns: i128,
    spent: Spent,
    items: u64,
    bytes: u64,
}

/// How long it was in each state, and what it computed.
#[derive(Clone, Copy, Default)]
struct Spent {
    working_ns: i128,
    input_ns: i128,
    room_ns: i128,
    away_ns: i128,
    cpu_ns: i128,
}

impl Spent {
    fn add(&mut self, state: State, ns: i128) {
        match state {
            State::Working => self.working_ns += ns,
            State::Waiting(Wait::Input) => self.input_ns += ns,
            State::Waiting(Wait::Room) => self.room_ns += ns,
            State::Away => self.away_ns += ns,
        }
    }
}

impl Meter {
    /// Of a thread that has been away since its phase began.
    fn new(stage: Stage, clock: Arc<dyn Clock>, since_ns: i128) -> Self {
        let (state, spent) = (State::Away, Spent::default());
        let times = Times { state, since_ns, since_cpu_ns: 0, spent, items: 0, bytes: 0 };
        Self { stage, clock, times: Mutex::new(times) }
    }

    /// To be called on its own thread.
    fn switch(&self, to: State) {
        let (now, cpu) = (self.clock.monotonic_ns(), thread_cpu_ns());
        let mut times = lock(&self.times);
        let before = std::mem::replace(&mut times.state, to);
        let (ns, cpu_ns) = (now - times.since_ns, cpu - times.since_cpu_ns);
        times.spent.add(before, ns);
        if before != State::Away {
            times.spent.cpu_ns += cpu_ns;
        }
        (times.since_ns, times.since_cpu_ns) = (now, cpu);
    }

    /// What it spent by `end`, with the state that it is in. What it has computed in that is not known.
    fn spent(&self, end: i128) -> (Spent, u64, u64) {
        let times = lock(&self.times);
        let mut spent = times.spent;
        spent.add(times.state, end - times.since_ns);
        (spent, times.items, times.bytes)
    }
}

/// What this thread has computed. A door of its own: only measurements pass through it, nothing is decided by it.
fn thread_cpu_ns() -> i128 {
    nanoseconds(ClockId::ThreadCPUTime)
}

/// What this process has computed, likewise.
fn process_cpu_ns() -> i128 {
    nanoseconds(ClockId::ProcessCPUTime)
}

fn nanoseconds(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests;
