//! Pumps one connection: bytes from the pipe into the session, bytes of the session into the pipe, and time.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::door::{Clock, Millis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::pace::{Meter, PACE_MS, Pace};
use crate::error::{Error, Result};
use crate::limits::LAST_WORDS_MS;
use crate::pipe::{Pipe, Reader, Writer};
use crate::session::{Event, Rates, Session};

/// What is read from the pipe at a time, at most.
const IN_BYTES: usize = 256 << 10;
/// What is handed to the pipe at a time: large enough to be cheap, small enough that an urgent frame does not wait long.
const OUT_BYTES: usize = 128 << 10;
/// No wait is longer; the session's own deadlines are shorter.
const LONGEST_WAIT_MS: Millis = 3_600_000;

/// A connection, as its pump and its handles share it.
pub(super) struct Shared {
    core: Mutex<Core>,
    /// Tells the pump that there is something to send.
    wake: Notify,
    /// Tells those who wait for the greeting, or for the end.
    pub(super) changed: Condvar,
    pub(super) clock: Arc<dyn Clock>,
    /// Says how fast it may go, now and later.
    pace: Option<Arc<dyn Pace>>,
    meter: Arc<Meter>,
}

/// What the lock guards.
pub(super) struct Core {
    pub(super) session: Session,
    /// Who waits for a stream.
    waiting: HashMap<u32, Arc<Signals>>,
    /// What the far side printed before it spoke the protocol.
    pub(super) noise: Option<Vec<u8>>,
    /// On a server: requests that no handler has taken yet. No more than there are streams.
    pub(super) requests: VecDeque<u32>,
    /// On a server: handlers that run.
    pub(super) handlers: usize,
    /// No handle is left: nobody wants anything any more.
    pub(super) abandoned: bool,
    /// The pump has ended.
    pub(super) finished: bool,
    /// The rates in force.
    paced: Rates,
}

/// Wakes those who wait for one stream.
#[derive(Default)]
pub(super) struct Signals {
    pub(super) readable: Condvar,
    pub(super) writable: Condvar,
}

impl Shared {
    pub(super) fn new(
        session: Session,
        clock: Arc<dyn Clock>,
        pace: Option<Arc<dyn Pace>>,
        meter: Arc<Meter>,
    ) -> Arc<Self> {
        let core = Core {
            session,
            waiting: HashMap::new(),
            noise: None,
            requests: VecDeque::new(),
            handlers: 0,
            abandoned: false,
            finished: false,
            paced: Rates::default(),
        };
        Arc::new(Self { core: Mutex::new(core), wake: Notify::new(), changed: Condvar::new(), clock, pace, meter })
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the session, and tells everybody whom it concerns.
    pub(super) fn act<T>(&self, step: impl FnOnce(&mut Core, Millis) -> T) -> T {
        let now = self.clock.monotonic_ms();
        let mut core = self.lock();
        let done = step(&mut core, now);
        self.tell(core);
        done
    }

    /// Does something again and again, each time after `signal`, until it gives a result.
    pub(super) fn wait<T>(&self, signal: &Condvar, mut step: impl FnMut(&mut Core, Millis) -> Option<T>) -> T {
        loop {
            let now = self.clock.monotonic_ms();
            let mut core = self.lock();
            let done = step(&mut core, now);
            let Some(done) = done else {
                self.spread(&mut core);
                drop(signal.wait(core));
                continue;
            };
            self.tell(core);
            return done;
        }
    }

    fn tell(&self, mut core: MutexGuard<'_, Core>) {
        self.spread(&mut core);
    }

    /// Tells everybody what happened in the session.
    fn spread(&self, core: &mut Core) {
        while let Some(event) = core.session.event() {
            match event {
                Event::Readable(id) => {
                    if let Some(signals) = core.waiting.get(&id) {
                        signals.readable.notify_all();
                    }
                }
                Event::Writable(id) => {
                    if let Some(signals) = core.waiting.get(&id) {
                        signals.writable.notify_all();
                    }
                }
                Event::Request(id) => core.requests.push_back(id),
                Event::Noise(noise) => core.noise = Some(noise),
                Event::Greeted | Event::Over => self.changed.notify_all(),
            }
        }
        if core.session.take_stirred() {
            self.wake.notify_one();
        }
    }

    /// Wakes the pump, whatever for.
    pub(super) fn nudge(&self) {
        self.wake.notify_one();
    }
}

impl Core {
    /// Sets the rates, when they are others.
    fn pace(&mut self, now: Millis, pace: &dyn Pace) {
        let rates = pace.rates();
        if self.paced != rates {
            self.session.set_rates(now, rates);
            self.paced = rates;
        }
    }

    /// A handle for a stream that was just opened.
    pub(super) fn signals(&mut self, id: u32) -> Arc<Signals> {
        Arc::clone(self.waiting.entry(id).or_default())
    }

    /// Nobody waits for this stream any more.
    pub(super) fn release(&mut self, id: u32) {
        self.waiting.remove(&id);
        self.session.release(id);
    }

    /// How the connection ended.
    pub(super) fn outcome(&self) -> Result<()> {
        self.session.over().cloned().unwrap_or_else(|| Err(Error::lost("the connection was given up here")))
    }
}

/// Pumps until the session is over. `received` is called after each read, outside the lock.
pub(super) async fn pump(shared: &Shared, pipe: Pipe, received: impl Fn()) {
    let _ending = Ending(shared);
    match pipe.split() {
        Ok((reader, writer, _keep)) => {
            tokio::select! {
                () = write_all(shared, writer) => {}
                () = async { read_all(shared, reader, received).await; pending().await } => {}
            }
        }
        Err(cause) => shared.act(|core, now| core.session.fail(now, Error::from_pipe("opening the pipe", &cause))),
    }
}

/// However the pump ends, nobody waits for it any longer.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.act(|core, now| {
            core.session.fail(now, Error::lost("the connection was given up here"));
            core.finished = true;
        });
        self.0.changed.notify_all();
    }
}

async fn read_all(shared: &Shared, mut reader: Reader, received: impl Fn()) {
    let mut bytes = vec![0; IN_BYTES];
    loop {
        let len = match reader.read(&mut bytes).await {
            Ok(len) => len,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => {
                return shared.act(|core, now| core.session.fail(now, Error::from_pipe("reading", &cause)));
            }
        };
        shared.meter.received(len);
        shared.act(|core, now| match bytes.get(..len) {
            Some(bytes) if len > 0 => core.session.receive(now, bytes),
            _ => core.session.receive_end(now),
        });
        received();
        if len == 0 {
            return;
        }
        // The other half of this task has its turn, however fast bytes come.
        yield_now().await;
        while let Some(wait) = shared.act(|core, now| core.session.hold(now)) {
            sleep(Duration::from_millis(wait.min(PACE_MS).unsigned_abs())).await;
        }
    }
}

/// What the writer finds when it looks.
struct Next {
    wait: Duration,
    done: bool,
}

impl Shared {
    fn look(&self, fill: Option<&mut Vec<u8>>) -> Next {
        self.act(|core, now| {
            core.session.tick(now);
            if let Some(pace) = &self.pace {
                core.pace(now, &**pace);
            }
            if let Some(out) = fill {
                core.session.transmit(now, out, OUT_BYTES);
            }
            self.meter.throttled(core.session.throttled_ms());
            // Where nothing is limited nothing waits, and what is new is seen when there is something to do.
            let longest = if core.paced == Rates::default() { LONGEST_WAIT_MS } else { PACE_MS };
            let wait = core.session.deadline().saturating_sub(now).clamp(0, longest);
            let done = core.abandoned || core.session.is_done(now);
            Next { wait: Duration::from_millis(wait.unsigned_abs()), done }
        })
    }
}

async fn write_all(shared: &Shared, mut writer: Writer) {
    let mut out = Vec::new();
    loop {
        out.clear();
        let next = shared.look(Some(&mut out));
        if !out.is_empty() {
            match write_out(shared, &mut writer, &out).await {
                Ok(true) => yield_now().await,
                Ok(false) => return,
                Err(cause) => return write_failed(shared, &cause).await,
            }
        } else if next.done {
            // All is said. Whether the pipe still takes an end does not matter to anybody.
            drop(tokio::time::timeout(Duration::from_secs(1), writer.shutdown()).await);
            return;
        } else {
            tokio::select! {
                () = shared.wake.notified() => {}
                () = sleep(next.wait) => {}
            }
        }
    }
}

/// Writes a buffer, and looks at the clock while the pipe takes nothing. `false`: it is no longer worth it.
async fn write_out(shared: &Shared, writer: &mut Writer, mut rest: &[u8]) -> io::Result<bool> {
    let mut next = shared.look(None);
    loop {
        let wrote = tokio::select! {
            biased;
            wrote = async { if rest.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write(rest).await } } => Some(wrote),
            () = shared.wake.notified() => None,
            () = sleep(next.wait) => None,
        };
        match wrote {
            Some(Err(cause)) if cause.kind() == io::ErrorKind::Interrupted => {}
            Some(wrote) => {
                let len = wrote?;
                if rest.is_empty() {
                    return Ok(true);
                }
                if len == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                shared.meter.sent(len);
                rest = rest.get(len..).unwrap_or_default();
                shared.act(|core, now| core.session.taken(now, len));
            }
            None => {
                next = shared.look(None);
                if next.done {
                    return Ok(false);
                }
            }
        }
    }
}

/// The pipe takes no more. What the far side said last, if it said anything, tells more than that, so it is heard first.
async fn write_failed(shared: &Shared, cause: &io::Error) {
    let heard = async {
        while shared.act(|core, _| core.session.over().is_none() && !core.abandoned) {
            shared.wake.notified().await;
        }
    };
    drop(tokio::time::timeout(Duration::from_millis(LAST_WORDS_MS.unsigned_abs()), heard).await);
    shared.act(|core, now| core.session.fail(now, Error::from_pipe("writing", cause)));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use store::door::FixedClock;

    use super::*;
    use crate::session::{Config, Hello};

    /// Bytes a second upwards; 0 is no limit.
    #[derive(Default)]
    struct Said(AtomicU64);

    impl Pace for Said {
        fn rates(&self) -> Rates {
            Rates { up: Some(self.0.load(Ordering::SeqCst)).filter(|said| *said > 0), down: None }
        }
    }

    #[test]
    fn a_pace_counts_from_the_next_look_on_and_no_wait_is_longer_than_a_second() {
        let (clock, pace) = (Arc::new(FixedClock::at(5)), Arc::new(Said::default()));
        let session = Session::server(Config::server(Hello::new("test", &[])), clock.monotonic_ms()).unwrap();
        let shared = Shared::new(session, clock, Some(pace.clone()), Arc::default());
        for said in [0, 77, 77, 50_000, 0] {
            pace.0.store(said, Ordering::SeqCst);
            assert_eq!(shared.look(None).wait <= Duration::from_secs(1), said > 0);
            assert_eq!(shared.act(|core, _| core.paced.up.unwrap_or(0)), said);
        }
    }
}
