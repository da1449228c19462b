//! Third stage: asks for the boxes of each window, several ahead, and hands on what comes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use store::id::ChunkId;
use store::record::Record;
use transport::message::{FETCH_IDS_MAX, FetchBatch, Fetched, Request, encode, join_ids};
use transport::{Call, Class};

use super::flow::{Flow, Work, interrupted};
use super::window::{IN_FLIGHT_MAX, Window};
use crate::engine::crew::start;
use crate::engine::job::Stop;
use crate::engine::queue::{Queue, lock};
use crate::engine::remote::{Incoming, IncomingError, Next, Remote, take_reply};
use crate::engine::trouble::protocol;
use crate::fault::Result;
use crate::profile::{Stage, did};

/// What comes back.
pub enum Arrival {
    /// A box.
    Box(Box<Record>),
    /// All boxes of the batch that was asked for first have come; these chunks have no good place.
    Batch(Vec<ChunkId>),
    /// Nothing more comes.
    End,
}

/// Gets boxes. One implementation asks a vault; tests have another.
pub trait Fetcher: Send + Sync {
    /// Asks for a first batch of at most [`FETCH_IDS_MAX`] chunks, and lets `work` go on with what that began.
    fn fetch(&self, first: &[ChunkId], work: &mut dyn FnMut(&dyn Fetching) -> Result<()>) -> Result<()>;

    /// Bytes sent and received so far.
    fn traffic(&self) -> (u64, u64);
}

/// A fetch under way. One thread asks while another takes what comes.
pub trait Fetching: Send + Sync {
    /// Asks for another batch.
    fn ask(&self, ids: &[ChunkId]) -> Result<()>;
    /// No more will be asked for.
    fn end(&self) -> Result<()>;
    /// What comes next; waits for it, but not for what is not wanted any more.
    fn next(&self, stop: &Stop) -> Result<Arrival>;
}

impl Fetcher for Remote {
    fn fetch(&self, first: &[ChunkId], work: &mut dyn FnMut(&dyn Fetching) -> Result<()>) -> Result<()> {
        let request = Request::Fetch(batch(first));
        let call = self.call(Class::Bulk, &request).map_err(|error| self.explain(&error))?;
        let asked = Mutex::new(VecDeque::from([first.len()]));
        work(&OnCall { remote: self, call: &call, incoming: Mutex::new(Incoming::new(&call)), asked })
    }

    fn traffic(&self) -> (u64, u64) {
        let traffic = Self::traffic(self);
        (traffic.sent_bytes, traffic.received_bytes)
    }
}

fn batch(ids: &[ChunkId]) -> FetchBatch {
    debug_assert!(ids.len() <= FETCH_IDS_MAX);
    FetchBatch { chunks: join_ids(ids.iter().map(ChunkId::bytes)) }
}

/// A fetch on a call.
struct OnCall<'c> {
    remote: &'c Remote,
    call: &'c Call,
    incoming: Mutex<Incoming<'c>>,
    /// Boxes that may still come for each batch: each holds a chunk of it that no other holds.
    asked: Mutex<VecDeque<usize>>,
}

impl Fetching for OnCall<'_> {
    fn ask(&self, ids: &[ChunkId]) -> Result<()> {
        lock(&self.asked).push_back(ids.len());
        self.call.send_message(encode(&batch(ids))).map_err(|error| self.remote.explain(&error))
    }

    fn end(&self) -> Result<()> {
        self.remote.end(self.call)
    }

    fn next(&self, stop: &Stop) -> Result<Arrival> {
        let next = lock(&self.incoming).next_part_unless(&|| stop.asked()).map_err(|error| match error {
            IncomingError::GivenUp => interrupted(),
            error => error.fault(self.remote),
        })?;
        Ok(match next {
            Next::Record(record) => {
                let mut asked = lock(&self.asked);
                let left = asked.front_mut().and_then(|left| Some((left.checked_sub(1)?, left)));
                let Some((fewer, left)) = left else { return Err(protocol("boxes come that nobody asked for")) };
                *left = fewer;
                Arrival::Box(record)
            }
            Next::End => Arrival::End,
            Next::Message(message) => {
                let fetched: Fetched = take_reply(&message)?;
                lock(&self.asked).pop_front();
                let missing = fetched.ids();
                Arrival::Batch(missing.ok_or_else(|| protocol("a list of missing chunks cannot be read"))?)
            }
        })
    }
}

/// The stage: opens the call with the first window, then asks and receives side by side until no window comes.
pub fn run(flow: &Flow<'_>, fetcher: &dyn Fetcher) -> Result<()> {
    let Some(first) = flow.windows.pop() else { return Ok(()) };
    did(first.ids().len(), 0);
    fetcher.fetch(first.ids(), &mut |fetching| {
        let asked = Queue::new(IN_FLIGHT_MAX + 1);
        // There is room for all that may be in flight; a closed queue means that the receiver has failed and said so.
        drop(asked.push(Arc::clone(&first)));
        std::thread::scope(|scope| {
            let receiver = start(scope, || {
                flow.stage(Stage::Receive, || receive(flow, fetching, &asked));
                asked.abandon();
            });
            if let Err(fault) = receiver {
                flow.fail(fault);
                asked.abandon();
            }
            flow.guarded(|| {
                while let Some(window) = flow.windows.pop() {
                    if asked.push(Arc::clone(&window)).is_err() {
                        break;
                    }
                    did(window.ids().len(), 0);
                    fetching.ask(window.ids())?;
                }
                Ok(())
            });
            asked.close();
            flow.guarded(|| fetching.end());
        });
        Ok(())
    })
}

/// Hands on boxes, each with the window that it was asked for.
fn receive(flow: &Flow<'_>, fetching: &dyn Fetching, asked: &Queue<Arc<Window>>) -> Result<()> {
    while let Some(window) = asked.pop() {
        loop {
            match fetching.next(flow.stop)? {
                Arrival::Box(record) => {
                    window.box_came();
                    did(1, record.stored_len() as u64);
                    let Some(permit) = flow.boxes.take(record.stored_len()) else { return Ok(()) };
                    if flow.work.push(Work::Box(record, Arc::clone(&window), permit)).is_err() {
                        return Ok(());
                    }
                }
                Arrival::Batch(_) => break,
                Arrival::End => return Err(protocol("a fetch ended before its answer")),
            }
        }
        flow.window_ended(&window);
    }
    Ok(())
}
