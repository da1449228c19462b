//! Questions, records and commits on their way to the server, through any number of lost connections.
//!
//! What was sent and not yet acknowledged is kept (bounded in bytes), and so are questions without an answer and the
//! commit without an outcome. When the connection goes, whoever notices sees to a new one, the session is resumed by
//! its token, and all three are sent again. So the stages of a run never see a loss, unless connecting fails for good.
//!
//! Everything here belongs to the connection of one *generation*. What still arrives from an older one is let go:
//! it was sent again.
//!
//! Records may also go over connections beside this one: `stripes`.

mod outgoing;
mod share;
mod stripes;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use store::id::{SessionId, SourceId};
use store::record::Record;
use transport::message::{self, Ack, Answered, AskBatch, Begin, Commit, Outcome, Reply, Request, Up, UpReply};
use transport::{Call, Class, Part, Traffic};

use super::queue::{lock, wait};
use super::remote::{Remote, take_reply};
use super::trouble::{from_refusal, protocol};
use crate::fault::{Code, Fault, Result};
use crate::profile::{Wait, waiting};

use outgoing::Outgoing;
pub use share::Channels;
pub use stripes::Plan;
use stripes::Stripes;

/// Bytes sent and not yet acknowledged, which are held in memory for a loss: what a fast server takes until its next
/// acknowledgement. A far one takes less in a round trip, on one channel.
const UNACKED_MAX: usize = 8 << 20;

/// See the module.
pub struct Uplink {
    remote: Remote,
    sources: Vec<SourceId>,
    /// Drawn here, so that a session whose beginning was not confirmed can be taken up again too.
    session: SessionId,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Held by who sends records and commits: they go out in the order in which they are kept.
    sending: Mutex<()>,
    /// Held by who sends questions, likewise.
    asking: Mutex<()>,
    /// Held by who sends again what went down with a stripe.
    rescuing: Mutex<()>,
    plan: Option<Plan>,
}

#[derive(Default)]
struct Inner {
    /// Of the connection that all this belongs to.
    generation: u64,
    asks: Option<Arc<Call>>,
    upload: Option<Arc<Call>>,
    /// The session was asked for: after a loss it is taken up again at once.
    begun: bool,
    /// The server has said that it stands, on the call of now.
    stands: bool,
    /// Records that were sent and not acknowledged, oldest first.
    unacked: VecDeque<Outgoing>,
    unacked_bytes: usize,
    /// Records acknowledged on this call.
    acked_here: u64,
    stored_before: u64,
    stored_here: u64,
    /// Questions without an answer, oldest first.
    questions: VecDeque<Pending>,
    /// A commit without an outcome.
    committing: Option<Pending>,
    /// The answer to a commit.
    outcome: Option<Outcome>,
    stripes: Stripes,
    /// Records that were put, in bytes as sent.
    put_bytes: u64,
    /// Bytes that had gone out when the first of them was put.
    sent_before: Option<u64>,
    closing: bool,
    trouble: Option<Fault>,
}

/// A message without an answer.
struct Pending {
    bytes: Vec<u8>,
    /// It went out on the connection as it is now.
    sent: bool,
}

impl Pending {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: false }
    }

    /// Its bytes, when it still has to go out; whoever gets them sends them.
    fn take(&mut self) -> Option<Vec<u8>> {
        (!std::mem::replace(&mut self.sent, true)).then(|| self.bytes.clone())
    }
}

/// Something that failed on the connection of this generation.
struct Broken {
    generation: u64,
    error: transport::Error,
}

/// A call on the connection of a generation.
struct On {
    generation: u64,
    call: Arc<Call>,
}

impl On {
    fn broken(&self) -> impl Fn(transport::Error) -> Broken + use<> {
        let generation = self.generation;
        move |error| Broken { generation, error }
    }
}

impl Inner {
    /// There is a new connection: nothing has gone out on it.
    fn renew(&mut self, generation: u64) {
        if self.generation == generation {
            return;
        }
        self.generation = generation;
        self.asks = None;
        self.upload = None;
        self.stands = false;
        // They were of the same connection, or belong to a session that is taken over now.
        self.stripes.renew();
        self.stored_before += self.stored_here;
        (self.acked_here, self.stored_here) = (0, 0);
        self.questions.iter_mut().chain(&mut self.committing).for_each(|pending| pending.sent = false);
    }
}

impl Uplink {
    /// An uplink on a connection that is up; the session begins with [`begin`](Self::begin) or the first record.
    pub fn new(remote: Remote, sources: Vec<SourceId>, session: SessionId) -> Self {
        let generation = remote.client().0;
        Self {
            remote,
            sources,
            session,
            inner: Mutex::new(Inner { generation, ..Inner::default() }),
            changed: Condvar::new(),
            sending: Mutex::default(),
            asking: Mutex::default(),
            rescuing: Mutex::default(),
            plan: None,
        }
    }

    /// Begins the session: holds the sources against other sessions. Does not wait for the answer: what comes next
    /// shares its flight, and a refusal is told by whatever is asked for then.
    pub fn begin(&self) -> Result<()> {
        loop {
            let begun = self.upload(&lock(&self.sending)).map(|_| ());
            if self.mend(begun)?.is_some() {
                return Ok(());
            }
        }
    }

    /// Sends one question.
    pub fn ask(&self, batch: &AskBatch) -> Result<()> {
        lock(&self.inner).questions.push_back(Pending::new(message::encode(batch)));
        let sent = self.asks().map(|_| ());
        // When this fails, the question is in the queue and goes out again with the new connection.
        self.mend(sent).map(|_| ())
    }

    /// The answer to the oldest question.
    pub fn answer(&self) -> Result<Answered> {
        loop {
            let got = self
                .asks()
                .and_then(|on| Ok((on.generation, waiting(Wait::Input, || on.call.recv()).map_err(on.broken())?)));
            let Some((generation, part)) = self.mend(got)? else { continue };
            let answer = match part {
                Some(Part::Message(bytes)) => take_reply(&bytes),
                _ => Err(protocol("a question has no answer")),
            };
            let answer = answer.map_err(|fault| self.fail(fault))?;
            let mut inner = lock(&self.inner);
            // On a connection that is gone, or has a successor, the same question goes out again.
            if inner.generation == generation {
                inner.questions.pop_front();
                drop(inner);
                self.remote.progress();
                return Ok(answer);
            }
        }
    }

    /// Sends one record; waits while too much is unacknowledged.
    pub fn put(&self, record: Record) -> Result<()> {
        let begun = self.stopwatch();
        self.rescue()?;
        let record = Outgoing::new(record);
        let sent = self.traffic().sent_bytes;
        {
            let mut inner = lock(&self.inner);
            inner.put_bytes += record.len() as u64;
            inner.sent_before.get_or_insert(sent);
        }
        self.put_outgoing(&record)?;
        self.consider(begun);
        Ok(())
    }

    fn put_outgoing(&self, record: &Outgoing) -> Result<()> {
        if self.find_lane(record)? {
            return Ok(());
        }
        let mut kept = false;
        loop {
            let sent = self.put_once(record, &mut kept);
            // Once it is kept it goes out with the new connection.
            if self.mend(sent)?.is_some() || kept {
                return Ok(());
            }
        }
    }

    fn put_once(&self, record: &Outgoing, kept: &mut bool) -> Result<(), Broken> {
        let order = lock(&self.sending);
        let on = self.upload(&order)?;
        {
            let mut inner = lock(&self.inner);
            inner.unacked_bytes += record.len();
            inner.unacked.push_back(record.clone());
            *kept = true;
        }
        record.send(&on.call).map_err(on.broken())
    }

    /// Commits a link; everything that was put before is part of it.
    pub fn commit(&self, link: Vec<u8>, body: Option<Vec<u8>>, holes: bool) -> Result<Outcome> {
        self.settle()?;
        {
            let mut inner = lock(&self.inner);
            inner.outcome = None;
            inner.committing =
                Some(Pending::new(message::encode(&Up::Commit(Commit { link, body, holes: holes.then_some(true) }))));
        }
        loop {
            let sent = self.upload(&lock(&self.sending)).and_then(|on| self.send_commit(&on));
            if self.mend(sent)?.is_some() {
                break;
            }
        }
        let mut inner = lock(&self.inner);
        loop {
            if let Some(outcome) = inner.outcome.take() {
                return Ok(outcome);
            }
            if let Some(trouble) = &inner.trouble {
                return Err(trouble.clone());
            }
            inner = wait(&self.changed, inner, Wait::Input);
        }
    }

    /// Sends the commit that has not gone out on this connection yet, with `sending` held.
    fn send_commit(&self, on: &On) -> Result<(), Broken> {
        let commit = {
            let mut inner = lock(&self.inner);
            if inner.generation != on.generation {
                return Ok(());
            }
            inner.committing.as_mut().and_then(Pending::take)
        };
        commit.map_or(Ok(()), |commit| on.call.send_message(commit).map_err(on.broken()))
    }

    /// Listens for acknowledgements and outcomes until the uplink is closed: a thread of its own.
    pub fn listen(&self) {
        while let Some(on) = self.wait_for_upload() {
            let broken = loop {
                match waiting(Wait::Input, || on.call.recv()) {
                    Ok(Some(Part::Message(bytes))) => match self.heard(on.generation, &bytes) {
                        // Nobody else knows this session: a connection of ours that was given up has taken it over,
                        // late.
                        Err(fault) if fault.code == Code::SourceBusy && lock(&self.inner).stands => {
                            break transport::Error::lost(fault.message);
                        }
                        Err(fault) => return drop(self.fail(fault)),
                        Ok(()) => {}
                    },
                    Ok(Some(Part::Data(_))) => {
                        return drop(self.fail(protocol("data where an acknowledgement belongs")));
                    }
                    Ok(None) => {
                        if !lock(&self.inner).closing {
                            self.fail(protocol("the upload was ended"));
                        }
                        return;
                    }
                    Err(error) => break error,
                }
            };
            if lock(&self.inner).closing || self.mend::<()>(Err(on.broken()(broken))).is_err() {
                return;
            }
        }
    }

    /// Ends the calls; the connection stays. The server publishes what it has, before it says goodbye.
    pub fn finish(&self) {
        let (asks, upload) = {
            let mut inner = lock(&self.inner);
            inner.closing = true;
            (inner.asks.take(), inner.upload.clone())
        };
        self.changed.notify_all();
        self.part_stripes();
        for call in asks.into_iter().chain(upload) {
            // The peer may have gone already; everything that matters was answered.
            drop(call.end());
        }
    }

    /// Ends everything early. What the server has got by now it keeps.
    pub fn abandon(&self) {
        {
            let mut inner = lock(&self.inner);
            inner.trouble.get_or_insert_with(|| Fault::new(Code::Interrupted, "the run was ended"));
            inner.stripes.end_all();
        }
        self.remote.give_up();
        self.finish();
    }

    /// The same at once: nobody waits for the line any more.
    pub fn give_up(&self) {
        self.abandon();
        self.remote.client().1.give_up();
    }

    /// Bytes on the pipe, over all connections.
    pub fn traffic(&self) -> Traffic {
        let (main, stripes) = (self.remote.traffic(), lock(&self.inner).stripes.traffic());
        Traffic {
            sent_bytes: main.sent_bytes + stripes.sent_bytes,
            received_bytes: main.received_bytes + stripes.received_bytes,
        }
    }

    /// Bytes of records that were put and have not gone out, as far as can be told: other messages are taken for a part of
    /// them, and so is what had to be sent again. Never nothing while one of them is not acknowledged: who waits for that,
    /// and puts nothing meanwhile, has to [rescue](Self::rescue) what is lost with a stripe.
    pub fn unsent_bytes(&self) -> u64 {
        let sent = self.traffic().sent_bytes;
        let inner = lock(&self.inner);
        let gone = sent.saturating_sub(inner.sent_before.unwrap_or(sent));
        let open = inner.unacked_bytes as u64 + inner.stripes.unacked_bytes();
        if open == 0 || inner.trouble.is_some() { 0 } else { inner.put_bytes.saturating_sub(gone).max(1) }
    }

    /// Bytes that the server has staged, as stored.
    pub fn stored_bytes(&self) -> u64 {
        let inner = lock(&self.inner);
        inner.stored_before + inner.stored_here + inner.stripes.stored_bytes()
    }

    /// Whether the far side is known to be far: whoever waits for each of its answers is slow.
    pub fn is_far(&self) -> bool {
        transport::limits::is_far(self.remote.client().1.round_trip_ms())
    }

    /// The connection.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    // ---- connections ----------------------------------------------------------------------------------------------

    /// The state as it belongs to the connection of now.
    fn usable(&self) -> Result<(MutexGuard<'_, Inner>, transport::Client), Broken> {
        let (generation, client) = self.remote.client();
        let mut inner = lock(&self.inner);
        if inner.trouble.is_some() {
            return Err(Broken { generation, error: transport::Error::Ended });
        }
        if inner.generation < generation {
            inner.renew(generation);
        }
        if inner.generation > generation {
            return Err(Broken { generation, error: transport::Error::lost("there is another connection") });
        }
        Ok((inner, client))
    }

    /// The call for questions, on which every open question has gone out.
    fn asks(&self) -> Result<On, Broken> {
        let _order = lock(&self.asking);
        loop {
            let (mut inner, client) = self.usable()?;
            let generation = inner.generation;
            let broken = |error| Broken { generation, error };
            let next = inner.questions.iter_mut().find_map(Pending::take);
            let call = match (&inner.asks, next) {
                (Some(call), None) => return Ok(On { generation, call: Arc::clone(call) }),
                (Some(call), Some(question)) => {
                    let call = Arc::clone(call);
                    drop(inner);
                    match waiting(Wait::Room, || call.send_message(question)) {
                        Ok(()) => continue,
                        // Whoever waits for the answer hears what the server said instead.
                        Err(transport::Error::Ended) => return Ok(On { generation, call }),
                        Err(error) => return Err(broken(error)),
                    }
                }
                (None, Some(question)) => {
                    let first: AskBatch = message::decode(&question)
                        .map_err(|_| broken(transport::Error::Protocol("a question of ours cannot be read")))?;
                    client.call(Class::Bulk, message::encode(&Request::Ask(first))).map_err(broken)?
                }
                (None, None) => return Err(broken(transport::Error::Protocol("an answer without a question"))),
            };
            inner.asks = Some(Arc::new(call));
        }
    }

    /// The call for records, with `sending` held. When it is a new one, everything without an acknowledgement or an
    /// outcome has gone out on it.
    fn upload(&self, _sending: &MutexGuard<'_, ()>) -> Result<On, Broken> {
        let (inner, client) = self.usable()?;
        let generation = inner.generation;
        if let Some(call) = &inner.upload {
            return Ok(On { generation, call: Arc::clone(call) });
        }
        drop(inner);
        let broken = |error| Broken { generation, error };
        let begin = Begin { sources: self.sources.clone(), session: Some(self.session), stripe: false };
        // Now, while nothing else is on the line.
        client.ping();
        let call = client.call(Class::Bulk, message::encode(&Request::Upload(begin))).map_err(broken)?;
        let on = On { generation, call: Arc::new(call) };
        let again: Vec<Outgoing> = {
            let mut inner = lock(&self.inner);
            if inner.generation != generation || inner.closing {
                return Err(broken(transport::Error::lost("the connection was given up")));
            }
            inner.begun = true;
            inner.upload = Some(Arc::clone(&on.call));
            inner.unacked.iter().cloned().collect()
        };
        self.changed.notify_all();
        for record in again {
            record.send(&on.call).map_err(broken)?;
        }
        self.send_commit(&on)?;
        Ok(on)
    }

    fn wait_for_upload(&self) -> Option<On> {
        let mut inner = lock(&self.inner);
        loop {
            if inner.trouble.is_some() || inner.closing && inner.upload.is_none() {
                return None;
            }
            if let Some(call) = &inner.upload {
                return Some(On { generation: inner.generation, call: Arc::clone(call) });
            }
            inner = wait(&self.changed, inner, Wait::Input);
        }
    }

    fn heard(&self, generation: u64, bytes: &[u8]) -> Result<()> {
        let reply = match message::decode::<Reply<UpReply>>(bytes).map_err(|_| protocol("a reply cannot be read"))? {
            Reply::Done(reply) => reply,
            Reply::Refused(refusal) => return Err(from_refusal(&refusal)),
        };
        let mut inner = lock(&self.inner);
        if inner.generation != generation {
            return Ok(());
        }
        // That a session stands, and that nothing more is acknowledged, is none: else a line that never lasts for a record
        // would be opened again for ever.
        let mut progress = false;
        match reply {
            UpReply::Begun(_) if !inner.stands => inner.stands = true,
            _ if !inner.stands => return Err(protocol("a session does not begin")),
            UpReply::Ack(Ack { records, stored_bytes }) => {
                while inner.acked_here < records {
                    let Some(record) = inner.unacked.pop_front() else {
                        return Err(protocol("more was acknowledged than was sent"));
                    };
                    inner.unacked_bytes -= record.len();
                    inner.acked_here += 1;
                    progress = true;
                }
                inner.stored_here = stored_bytes;
            }
            UpReply::Outcome(outcome) => {
                if inner.committing.take().is_none() {
                    return Err(protocol("an outcome without a commit"));
                }
                inner.outcome = Some(outcome);
                progress = true;
            }
            UpReply::Begun(_) | UpReply::HandedOver(_) => {
                return Err(protocol("an upload is told what nobody asked"));
            }
        }
        drop(inner);
        if progress {
            self.remote.progress();
        }
        self.changed.notify_all();
        Ok(())
    }

    /// It is over; gives the first reason back.
    fn fail(&self, fault: Fault) -> Fault {
        let first = lock(&self.inner).trouble.get_or_insert(fault).clone();
        self.changed.notify_all();
        first
    }

    fn trouble(&self) -> Result<()> {
        lock(&self.inner).trouble.clone().map_or(Ok(()), Err)
    }

    /// `Some` when it worked; `None` when the connection broke and there is a new one now, with the session resumed.
    /// To be called with no lock held.
    fn mend<T>(&self, done: Result<T, Broken>) -> Result<Option<T>> {
        let mut broken = match done {
            Ok(done) => return Ok(Some(done)),
            Err(broken) => broken,
        };
        loop {
            self.trouble()?;
            if broken.error == transport::Error::Ended {
                self.wait_for_word(broken.generation)?;
            } else {
                let fault = self.remote.explain(&broken.error);
                self.remote.mend(broken.generation, fault).map_err(|fault| self.fail(fault))?;
            }
            // A run that waits for an acknowledgement sends nothing by itself: take the session up again now.
            let begun = lock(&self.inner).begun;
            match if begun { self.upload(&lock(&self.sending)).map(|_| ()) } else { Ok(()) } {
                Ok(()) => return Ok(None),
                Err(again) => broken = again,
            }
        }
    }

    /// The server has ended a call that we still send on: the listener hears why.
    fn wait_for_word(&self, generation: u64) -> Result<()> {
        let mut inner = lock(&self.inner);
        while inner.generation == generation && inner.trouble.is_none() {
            inner = wait(&self.changed, inner, Wait::Input);
        }
        inner.trouble.clone().map_or(Ok(()), Err)
    }
}

/// Whether a stripe's session stands.
fn begun(part: Option<Part>) -> Result<()> {
    match part {
        Some(Part::Message(bytes)) => match take_reply::<UpReply>(&bytes)? {
            UpReply::Begun(_) => Ok(()),
            UpReply::Ack(_) | UpReply::Outcome(_) | UpReply::HandedOver(_) => Err(protocol("a session does not begin")),
        },
        _ => Err(protocol("a session does not begin")),
    }
}
