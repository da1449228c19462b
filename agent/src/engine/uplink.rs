//! Questions, records and commits on their way to the server, through any number of lost connections.
//!
//! What was sent and not yet acknowledged is kept (bounded in bytes), and so are questions without an answer.
//! When the connection goes, whoever notices first makes a new one, resumes the session by its token, and sends
//! both again; the others wait for that and try once more. So the stages of a run never see a loss, unless
//! connecting fails for good.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use store::id::{SessionId, SourceId};
use store::record::Record;
use transport::message::{self, Ack, Answered, AskBatch, Begin, Begun, Commit, Outcome, Reply, Request, Up, UpReply};
use transport::{Call, Class, Part, Traffic};

use super::job::Stop;
use super::queue::{lock, wait};
use super::remote::{Remote, take_reply};
use super::trouble::{from_refusal, protocol};
use crate::fault::{Code, Fault, Result};

/// Bytes sent and not yet acknowledged: two seconds of a fast line, and what is held in memory for a loss.
const UNACKED_MAX: usize = 32 << 20;
/// A lost connection is tried again for so long.
const PATIENCE_MS: i64 = 10 * 60 * 1000;
/// First wait between two attempts; doubles up to [`WAIT_MOST_MS`].
const WAIT_FIRST_MS: u64 = 500;
/// Longest wait between two attempts.
const WAIT_MOST_MS: u64 = 30_000;

/// Makes a new connection with the account opened on it.
pub type Reconnect = Box<dyn Fn() -> Result<Remote> + Send + Sync>;

/// See the module.
pub struct Uplink {
    reconnect: Reconnect,
    clock: Arc<dyn store::door::Clock>,
    stop: Stop,
    sources: Vec<SourceId>,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Held while a new connection is being made.
    mending: Mutex<()>,
}

struct Inner {
    remote: Remote,
    /// Rises with every connection.
    generation: u64,
    asks: Option<Arc<Call>>,
    upload: Option<Arc<Call>>,
    session: Option<SessionId>,
    /// Records that were sent and not acknowledged, oldest first.
    unacked: VecDeque<Bytes>,
    unacked_bytes: usize,
    /// Records acknowledged on the calls before this one.
    acked: u64,
    /// Records acknowledged on this call.
    acked_here: u64,
    stored_before: u64,
    stored_here: u64,
    /// Questions without an answer, oldest first.
    questions: VecDeque<Question>,
    /// The answer to a commit.
    outcome: Option<Outcome>,
    /// A commit is on its way: sent again after a loss.
    committing: Option<Vec<u8>>,
    traffic_before: Traffic,
    closing: bool,
    trouble: Option<Fault>,
}

/// A question without an answer.
struct Question {
    bytes: Vec<u8>,
    /// It went out on the connection as it is now.
    sent: bool,
}

impl Question {
    /// Its bytes, when it still has to go out; whoever gets them sends them.
    fn take(&mut self) -> Option<Vec<u8>> {
        (!std::mem::replace(&mut self.sent, true)).then(|| self.bytes.clone())
    }
}

impl Uplink {
    /// An uplink on a connection that is up; the session begins with [`begin`](Self::begin) or the first record.
    pub fn new(
        remote: Remote,
        reconnect: Reconnect,
        clock: Arc<dyn store::door::Clock>,
        stop: Stop,
        sources: Vec<SourceId>,
    ) -> Self {
        let inner = Inner {
            remote,
            generation: 0,
            asks: None,
            upload: None,
            session: None,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            acked: 0,
            acked_here: 0,
            stored_before: 0,
            stored_here: 0,
            questions: VecDeque::new(),
            outcome: None,
            committing: None,
            traffic_before: Traffic::default(),
            closing: false,
            trouble: None,
        };
        Self {
            reconnect,
            clock,
            stop,
            sources,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            mending: Mutex::new(()),
        }
    }

    /// Begins the session: holds the sources against other sessions.
    pub fn begin(&self) -> Result<()> {
        self.with(|link| link.upload().map(|_| ()))
    }

    /// Sends one question.
    pub fn ask(&self, batch: &AskBatch) -> Result<()> {
        lock(&self.inner).questions.push_back(Question { bytes: message::encode(batch), sent: false });
        // When this fails, the question is in the queue and goes out again with the new connection.
        let sent = self.asks().and_then(|(generation, call)| {
            let question = lock(&self.inner).questions.back_mut().and_then(Question::take);
            question.map_or(Ok(()), |bytes| call.send_message(bytes).map_err(|error| Broken { generation, error }))
        });
        self.mend(sent).map(|_| ())
    }

    /// The answer to the oldest question.
    pub fn answer(&self) -> Result<Answered> {
        loop {
            let got =
                self.asks().and_then(|(generation, call)| call.recv().map_err(|error| Broken { generation, error }));
            if let Some(part) = self.mend(got)? {
                let Some(Part::Message(bytes)) = part else { return Err(protocol("a question has no answer")) };
                lock(&self.inner).questions.pop_front();
                return take_reply(&bytes);
            }
        }
    }

    /// Sends one record; waits while too much is unacknowledged.
    pub fn put(&self, record: &Record) -> Result<()> {
        let mut bytes = Vec::with_capacity(record.wire_len());
        record.encode(&mut bytes);
        let bytes = Bytes::from(bytes);
        {
            let mut inner = lock(&self.inner);
            while inner.unacked_bytes > UNACKED_MAX && inner.trouble.is_none() {
                inner = wait(&self.changed, inner);
            }
            if let Some(trouble) = &inner.trouble {
                return Err(trouble.clone());
            }
        }
        let sent = self.upload().and_then(|(generation, call)| {
            let mut inner = lock(&self.inner);
            inner.unacked_bytes += bytes.len();
            inner.unacked.push_back(bytes.clone());
            drop(inner);
            call.send_data(bytes.clone()).map_err(|error| Broken { generation, error })
        });
        match self.mend(sent)? {
            Some(()) => Ok(()),
            // The record may not have joined the unacknowledged ones before the connection went.
            None if lock(&self.inner).unacked.back().is_some_and(|last| last.as_ptr() == bytes.as_ptr()) => Ok(()),
            None => self.put(record),
        }
    }

    /// Commits a link; everything that was put before is part of it.
    pub fn commit(&self, link: Vec<u8>, body: Option<Vec<u8>>) -> Result<Outcome> {
        let message = message::encode(&Up::Commit(Commit { link, body }));
        {
            let mut inner = lock(&self.inner);
            inner.outcome = None;
            inner.committing = Some(message.clone());
        }
        let sent = self.upload_fresh().and_then(|(generation, call, fresh)| {
            if fresh { Ok(()) } else { call.send_message(message).map_err(|error| Broken { generation, error }) }
        });
        self.mend(sent)?;
        let mut inner = lock(&self.inner);
        loop {
            if let Some(outcome) = inner.outcome.take() {
                inner.committing = None;
                return Ok(outcome);
            }
            if let Some(trouble) = &inner.trouble {
                return Err(trouble.clone());
            }
            inner = wait(&self.changed, inner);
        }
    }

    /// Listens for acknowledgements and outcomes until the uplink is closed: a thread of its own.
    pub fn listen(&self) {
        while let Some((generation, call)) = self.wait_for_upload() {
            loop {
                match call.recv() {
                    Ok(Some(Part::Message(bytes))) => {
                        if let Err(fault) = self.heard(&bytes) {
                            return self.fail(fault);
                        }
                    }
                    Ok(Some(Part::Data(_))) => return self.fail(protocol("data where an acknowledgement belongs")),
                    Ok(None) => {
                        if !lock(&self.inner).closing {
                            self.fail(protocol("the upload was ended"));
                        }
                        return;
                    }
                    Err(error) => {
                        if lock(&self.inner).closing {
                            return;
                        }
                        if self.mend::<()>(Err(Broken { generation, error })).is_err() {
                            return;
                        }
                        break;
                    }
                }
            }
        }
    }

    /// Ends the calls; the connection stays.
    pub fn finish(&self) {
        let (asks, upload) = {
            let mut inner = lock(&self.inner);
            inner.closing = true;
            (inner.asks.take(), inner.upload.clone())
        };
        self.changed.notify_all();
        for call in asks.into_iter().chain(upload) {
            // The peer may have gone already; everything that matters was answered.
            drop(call.end());
        }
    }

    /// Ends everything early.
    pub fn abandon(&self) {
        let calls = {
            let mut inner = lock(&self.inner);
            inner.closing = true;
            inner.trouble.get_or_insert_with(|| Fault::new(Code::Interrupted, "the run was ended"));
            (inner.asks.take(), inner.upload.take())
        };
        self.changed.notify_all();
        drop(calls);
    }

    /// Bytes on the pipe, over all connections.
    pub fn traffic(&self) -> Traffic {
        let inner = lock(&self.inner);
        let now = inner.remote.traffic();
        Traffic {
            sent_bytes: inner.traffic_before.sent_bytes + now.sent_bytes,
            received_bytes: inner.traffic_before.received_bytes + now.received_bytes,
        }
    }

    /// Bytes on the pipe once it is closed; `before` is what was counted before that.
    pub fn remote_traffic_after(&self, before: Traffic) -> Traffic {
        let now = self.traffic();
        Traffic {
            sent_bytes: now.sent_bytes.max(before.sent_bytes),
            received_bytes: now.received_bytes.max(before.received_bytes),
        }
    }

    /// Bytes that the server has staged, as stored.
    pub fn stored_bytes(&self) -> u64 {
        let inner = lock(&self.inner);
        inner.stored_before + inner.stored_here
    }

    /// The connection as it is now.
    pub fn remote(&self) -> Remote {
        lock(&self.inner).remote.clone()
    }

    // ---- connections ----------------------------------------------------------------------------------------------

    /// The call for questions. A new one begins with every open question.
    fn asks(&self) -> Result<(u64, Arc<Call>), Broken> {
        let mut inner = self.usable()?;
        let generation = inner.generation;
        if let Some(call) = &inner.asks {
            return Ok((generation, Arc::clone(call)));
        }
        let broken = |error| Broken { generation, error };
        let mut questions: Vec<Vec<u8>> = inner.questions.iter_mut().filter_map(Question::take).collect();
        if questions.is_empty() {
            return Err(broken(transport::Error::Protocol("an answer without a question")));
        }
        let first: AskBatch = message::decode(&questions.remove(0))
            .map_err(|_| broken(transport::Error::Protocol("a question of ours cannot be read")))?;
        let call = inner.remote.call(Class::Bulk, &Request::Ask(first)).map_err(broken)?;
        for question in questions {
            call.send_message(question).map_err(broken)?;
        }
        let call = Arc::new(call);
        inner.asks = Some(Arc::clone(&call));
        Ok((generation, call))
    }

    fn upload(&self) -> Result<(u64, Arc<Call>), Broken> {
        self.upload_fresh().map(|(generation, call, _)| (generation, call))
    }

    /// The call for records; `true` when it was just made, and then everything unacknowledged has been sent on it.
    fn upload_fresh(&self) -> Result<(u64, Arc<Call>, bool), Broken> {
        let mut inner = self.usable()?;
        let generation = inner.generation;
        if let Some(call) = &inner.upload {
            return Ok((generation, Arc::clone(call), false));
        }
        let broken = |error| Broken { generation, error };
        let begin = Begin { sources: self.sources.clone(), session: inner.session, stripe: false };
        let call = Arc::new(inner.remote.call(Class::Bulk, &Request::Upload(begin)).map_err(broken)?);
        let begun = begun(&call).map_err(|trouble| match trouble {
            Ok(error) => broken(error),
            Err(fault) => {
                inner.trouble = Some(fault);
                broken(transport::Error::Ended)
            }
        })?;
        inner.session = Some(begun.session);
        inner.acked += inner.acked_here;
        inner.stored_before += inner.stored_here;
        (inner.acked_here, inner.stored_here) = (0, 0);
        let again: Vec<Bytes> = inner.unacked.iter().cloned().collect();
        let commit = inner.committing.clone();
        inner.upload = Some(Arc::clone(&call));
        self.changed.notify_all();
        drop(inner);
        for record in again {
            call.send_data(record).map_err(broken)?;
        }
        if let Some(commit) = commit {
            call.send_message(commit).map_err(broken)?;
        }
        Ok((generation, call, true))
    }

    fn wait_for_upload(&self) -> Option<(u64, Arc<Call>)> {
        let mut inner = lock(&self.inner);
        loop {
            if inner.trouble.is_some() || inner.closing && inner.upload.is_none() {
                return None;
            }
            if let Some(call) = &inner.upload {
                return Some((inner.generation, Arc::clone(call)));
            }
            inner = wait(&self.changed, inner);
        }
    }

    fn usable(&self) -> Result<MutexGuard<'_, Inner>, Broken> {
        let inner = lock(&self.inner);
        if inner.trouble.is_some() {
            return Err(Broken { generation: inner.generation, error: transport::Error::Ended });
        }
        Ok(inner)
    }

    fn heard(&self, bytes: &[u8]) -> Result<()> {
        let reply = match message::decode::<Reply<UpReply>>(bytes).map_err(|_| protocol("a reply cannot be read"))? {
            Reply::Done(reply) => reply,
            Reply::Refused(refusal) => return Err(from_refusal(&refusal)),
        };
        let mut inner = lock(&self.inner);
        match reply {
            UpReply::Ack(Ack { records, stored_bytes }) => {
                while inner.acked_here < records {
                    let Some(record) = inner.unacked.pop_front() else {
                        return Err(protocol("more was acknowledged than was sent"));
                    };
                    inner.unacked_bytes -= record.len();
                    inner.acked_here += 1;
                }
                inner.stored_here = stored_bytes;
            }
            UpReply::Outcome(outcome) => inner.outcome = Some(outcome),
            UpReply::Begun(_) => return Err(protocol("the session began twice")),
        }
        drop(inner);
        self.changed.notify_all();
        Ok(())
    }

    fn fail(&self, fault: Fault) {
        lock(&self.inner).trouble.get_or_insert(fault);
        self.changed.notify_all();
    }

    fn with<T>(&self, work: impl Fn(&Self) -> Result<T, Broken>) -> Result<T> {
        loop {
            if let Some(done) = self.mend(work(self))? {
                return Ok(done);
            }
        }
    }

    /// `Some` when it worked; `None` when the connection broke and there is a new one now.
    fn mend<T>(&self, done: Result<T, Broken>) -> Result<Option<T>> {
        let Broken { generation, error } = match done {
            Ok(done) => return Ok(Some(done)),
            Err(broken) => broken,
        };
        let mending = lock(&self.mending);
        {
            let inner = lock(&self.inner);
            if let Some(trouble) = &inner.trouble {
                return Err(trouble.clone());
            }
            if inner.generation != generation {
                return Ok(None);
            }
            if !error.is_worth_retrying() {
                let fault = inner.remote.explain(&error);
                drop(inner);
                self.fail(fault.clone());
                return Err(fault);
            }
        }
        let made = self.connect_again(&error);
        let mut inner = lock(&self.inner);
        match made {
            Err(fault) => {
                inner.trouble.get_or_insert(fault.clone());
                drop(inner);
                self.changed.notify_all();
                Err(fault)
            }
            Ok(remote) => {
                let gone = inner.remote.traffic();
                inner.traffic_before.sent_bytes += gone.sent_bytes;
                inner.traffic_before.received_bytes += gone.received_bytes;
                inner.remote = remote;
                inner.generation += 1;
                inner.asks = None;
                inner.upload = None;
                inner.questions.iter_mut().for_each(|question| question.sent = false);
                let uploading = inner.session.is_some();
                drop(inner);
                // A run that waits for an acknowledgement sends nothing by itself: take the session up again now.
                let resumed = if uploading { self.upload().map(|_| ()) } else { Ok(()) };
                drop(mending);
                self.changed.notify_all();
                self.mend(resumed).map(|_| None)
            }
        }
    }

    /// Tries until it works, fails for good, or patience ends.
    fn connect_again(&self, first: &transport::Error) -> Result<Remote> {
        let started = self.clock.monotonic_ms();
        let mut pause = WAIT_FIRST_MS;
        loop {
            let fault = match (self.reconnect)() {
                Ok(remote) => return Ok(remote),
                Err(fault) => fault,
            };
            let worth = matches!(fault.code, Code::NetLost | Code::NetUnreachable);
            if !worth || self.stop.asked() || self.clock.monotonic_ms() - started > PATIENCE_MS {
                return Err(fault.because(format!("after: {first}")));
            }
            let guard = lock(&self.inner);
            // Woken early when the run is abandoned; otherwise a pause between two attempts.
            let (guard, _) =
                self.changed.wait_timeout(guard, Duration::from_millis(pause)).unwrap_or_else(PoisonError::into_inner);
            if guard.closing {
                return Err(fault);
            }
            pause = (pause * 2).min(WAIT_MOST_MS);
        }
    }
}

struct Broken {
    generation: u64,
    error: transport::Error,
}

/// Waits for the session to stand: an error of the pipe, or a refusal.
fn begun(call: &Call) -> Result<Begun, Result<transport::Error, Fault>> {
    match call.recv().map_err(Ok)? {
        Some(Part::Message(bytes)) => match take_reply::<UpReply>(&bytes).map_err(Err)? {
            UpReply::Begun(begun) => Ok(begun),
            UpReply::Ack(_) | UpReply::Outcome(_) => Err(Err(protocol("a session does not begin"))),
        },
        _ => Err(Err(protocol("a session does not begin"))),
    }
}
