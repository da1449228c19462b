//! The connection to a vault, as typed questions and answers. When it is lost it is made again, for as long as
//! patience lasts: requests that only read, or may be asked twice, never see it.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use minicbor::Decode;
use store::id::BodyHash;
use store::record::{HEADER_BYTES, Header, Record};
use transport::message::{self, Reply, Request};
use transport::{Call, Carrier, Class, Client, Part, Traffic};

use super::patience::{Again, Losses};
use super::queue::lock;
use super::trouble::{from_refusal, from_transport, protocol};
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, quoted};
use crate::profile::{Wait, waiting};

/// The connection to a vault. Clones are handles of the same one: when it is made again, all of them have it.
#[derive(Clone)]
pub struct Remote {
    line: Arc<Line>,
    /// Bytes that went before this handle's work began.
    from: Traffic,
    /// Others go on using the connection: closing this handle leaves it up.
    stays: bool,
}

struct Line {
    now: Mutex<Now>,
    /// The vault's address as a person types it.
    address: String,
    /// Says more about an end of the pipe: what the far side printed, how it ended. Dropped after the connection: the
    /// one to a vault of this machine waits for its servers then.
    carrier: Arc<dyn Carrier>,
    /// Held while a new connection is being made.
    losses: Mutex<Losses>,
}

struct Now {
    client: Client,
    /// Rises with every new connection.
    generation: u64,
    /// Bytes on the pipes before this one.
    before: Traffic,
    again: Option<Arc<Again>>,
}

impl Remote {
    /// A connection that is up. Once it is lost it stays so, unless it is told how to be [made again](Self::lasting).
    pub fn new(client: Client, carrier: Arc<dyn Carrier>, address: String) -> Self {
        let now = Now { client, generation: 0, before: Traffic::default(), again: None };
        let line = Line { carrier, address, now: Mutex::new(now), losses: Mutex::default() };
        Self { line: Arc::new(line), from: Traffic::default(), stays: false }
    }

    /// A handle for one verb on a connection that stays up after it, and counts from now on.
    #[must_use]
    pub fn borrowed(&self) -> Self {
        let whole = Self { line: Arc::clone(&self.line), from: Traffic::default(), stays: true };
        Self { from: whole.traffic(), ..whole }
    }

    /// From now on it is made again when it is lost.
    pub fn lasting(&self, again: Again) {
        self.now().again = Some(Arc::new(again));
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        lock(&self.line.now)
    }

    /// The connection as it is now, and its number.
    pub fn client(&self) -> (u64, Client) {
        let now = self.now();
        (now.generation, now.client.clone())
    }

    /// Bytes on the pipe so far, over all connections; of a borrowed handle, since it was.
    pub fn traffic(&self) -> Traffic {
        let now = self.now();
        let here = now.client.traffic();
        Traffic {
            sent_bytes: (now.before.sent_bytes + here.sent_bytes).saturating_sub(self.from.sent_bytes),
            received_bytes: (now.before.received_bytes + here.received_bytes).saturating_sub(self.from.received_bytes),
        }
    }

    /// Bytes on the pipe so far, whoever borrowed it.
    #[cfg(test)]
    pub fn whole_traffic(&self) -> Traffic {
        Self { line: Arc::clone(&self.line), from: Traffic::default(), stays: true }.traffic()
    }

    /// What the server says of itself.
    pub fn peer(&self) -> Result<String> {
        let peer = self.client().1.peer().map_err(|error| self.explain(&error))?;
        Ok(crate::name::harmless_line(&peer.agent))
    }

    /// A call that goes on after its first message.
    pub fn call(&self, class: Class, request: &Request) -> Result<Call, transport::Error> {
        self.client().1.call(class, message::encode(request))
    }

    /// A request with one reply. Asked again when the connection is lost before the reply.
    pub fn ask<T: for<'b> Decode<'b, ()>>(&self, request: &Request) -> Result<T> {
        self.persist(|remote| {
            let call = remote.call(Class::Interactive, request).map_err(|error| remote.explain(&error))?;
            remote.end(&call)?;
            remote.reply(&call)
        })
    }

    /// Says that nothing more will be sent on a call. A server may have answered and ended it before: what it said is
    /// still to be read.
    pub fn end(&self, call: &Call) -> Result<()> {
        match call.end() {
            Ok(()) | Err(transport::Error::Ended) => Ok(()),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// The next reply of a call.
    pub fn reply<T: for<'b> Decode<'b, ()>>(&self, call: &Call) -> Result<T> {
        match waiting(Wait::Input, || call.recv()).map_err(|error| self.explain(&error))? {
            Some(Part::Message(bytes)) => take_reply(&bytes).map_err(|fault| self.placed(fault)),
            Some(Part::Data(_)) => Err(protocol("data where a message belongs")),
            None => Err(protocol("a call ended without its reply")),
        }
    }

    /// A refusal that is about the place says which: the server knows it by another name than the person here.
    fn placed(&self, fault: Fault) -> Fault {
        let (place, typed) = (for_terminal(self.line.address.as_bytes()), quoted(self.line.address.as_bytes()));
        match fault.code {
            Code::VaultNone => Fault::new(Code::VaultNone, format!("there is no vault at {place}"))
                .hint(format!("check the address; to make a vault there: tuckbox init --vault {typed}")),
            Code::VaultNotAVault | Code::AccountNone => {
                Fault { message: format!("{place}: {}", fault.message), ..fault }
            }
            _ => fault,
        }
    }

    /// Bodies by hash, in order; absent ones are `None`.
    pub fn bodies(&self, hashes: &[BodyHash]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut bodies = Vec::with_capacity(hashes.len());
        for some in hashes.chunks(message::IDS_MAX) {
            bodies.extend(self.persist(|remote| remote.some_bodies(some))?);
        }
        Ok(bodies)
    }

    fn some_bodies(&self, hashes: &[BodyHash]) -> Result<Vec<Option<Vec<u8>>>> {
        let request = Request::Bodies(message::Bodies { hashes: hashes.to_vec() });
        let call = self.call(Class::Interactive, &request).map_err(|error| self.explain(&error))?;
        self.end(&call)?;
        let mut bodies = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let reply: message::BodyReply = self.reply(&call)?;
            if reply.body.as_ref().is_some_and(|body| blake3::hash(body).as_bytes() != hash.bytes()) {
                return Err(protocol("a body is not the one that was asked for"));
            }
            bodies.push(reply.body);
        }
        Ok(bodies)
    }

    /// Does something that may be done twice, again after each loss.
    pub fn persist<T>(&self, mut work: impl FnMut(&Self) -> Result<T>) -> Result<T> {
        loop {
            let generation = self.now().generation;
            match work(self) {
                Err(fault) => self.mend(generation, fault)?,
                Ok(done) => {
                    self.progress();
                    return Ok(done);
                }
            }
        }
    }

    /// Something went wrong on the connection of this number. `Ok`: there is a new one. Otherwise the fault, when it
    /// is no loss, and what became of all attempts when it is one.
    pub fn mend(&self, generation: u64, fault: Fault) -> Result<()> {
        if !is_loss(&fault) {
            return Err(fault);
        }
        let mut losses = lock(&self.line.losses);
        let again = {
            let now = self.now();
            if now.generation != generation {
                return Ok(());
            }
            now.again.clone()
        };
        let Some(again) = again else { return Err(fault) };
        let client = losses.connect(&again, fault)?;
        let mut now = self.now();
        let gone = now.client.traffic();
        now.before.sent_bytes += gone.sent_bytes;
        now.before.received_bytes += gone.received_bytes;
        now.generation += 1;
        let old = std::mem::replace(&mut now.client, client);
        drop(now);
        drop(old);
        Ok(())
    }

    /// Something arrived: patience begins anew with the next loss.
    pub fn progress(&self) {
        // While somebody connects again there is nothing to forget.
        if let Ok(mut losses) = self.line.losses.try_lock() {
            losses.forget();
        }
    }

    /// No more attempts: whoever waits for a new connection hears of the loss at once.
    pub fn give_up(&self) {
        if let Some(again) = &self.now().again {
            again.give_up();
        }
    }

    /// An error of this connection, with what the far side said.
    pub fn explain(&self, error: &transport::Error) -> Fault {
        let error = self.line.carrier.explain(error.clone());
        let fault = from_transport(&error);
        // A far side that answers has not ended, and is not waited for.
        if !error.is_worth_retrying() || matches!(error, transport::Error::Peer { .. }) {
            return fault;
        }
        match self.line.carrier.end_report() {
            // A loss has it in its own sentence.
            Some(said) if !error.to_string().contains(&said) => fault.because(said),
            _ => fault,
        }
    }

    /// Whether others go on using the connection.
    pub fn stays(&self) -> bool {
        self.stays
    }

    /// Says goodbye; a borrowed handle says nothing.
    pub fn close(self) -> Result<()> {
        if self.stays {
            return Ok(());
        }
        self.client().1.close().map_err(|error| self.explain(&error))
    }
}

/// Whether connecting again may help.
pub fn is_loss(fault: &Fault) -> bool {
    matches!(fault.code, Code::NetLost | Code::NetUnreachable)
}

/// A reply from its bytes, or the server's refusal as a fault.
pub fn take_reply<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T> {
    match message::decode::<Reply<T>>(bytes).map_err(|_| protocol("a reply cannot be read"))? {
        Reply::Done(reply) => Ok(reply),
        Reply::Refused(refusal) => Err(from_refusal(&refusal)),
    }
}

/// Records and messages that come mixed on one call. Bytes of a record go where they stay, as they come.
pub struct Incoming<'c> {
    call: &'c Call,
    /// Came and not yet taken.
    rest: Bytes,
    /// The beginning of a header.
    head: Vec<u8>,
    /// A record of which not all is here.
    begun: Option<Box<Record>>,
}

/// What comes next.
pub enum Next {
    /// A record.
    Record(Box<Record>),
    /// A message.
    Message(Vec<u8>),
    /// The peer has ended.
    End,
}

impl<'c> Incoming<'c> {
    /// What comes on this call.
    pub fn new(call: &'c Call) -> Self {
        Self { call, rest: Bytes::new(), head: Vec::new(), begun: None }
    }

    /// The next record or message, checked as far as that goes without a key.
    pub fn next_part(&mut self) -> Result<Next, IncomingError> {
        self.next_part_unless(&|| false)
    }

    /// The same, given up when `gone` says so: a record comes in many pieces, and on a slow line each takes its time.
    pub fn next_part_unless(&mut self, gone: &dyn Fn() -> bool) -> Result<Next, IncomingError> {
        loop {
            if gone() {
                return Err(IncomingError::GivenUp);
            }
            if let Some(record) = self.whole()? {
                return Ok(Next::Record(record));
            }
            let between = self.head.is_empty() && self.begun.is_none();
            match waiting(Wait::Input, || self.call.recv()).map_err(IncomingError::Transport)? {
                Some(Part::Data(data)) => self.rest = data,
                Some(Part::Message(message)) if between => return Ok(Next::Message(message)),
                None if between => return Ok(Next::End),
                Some(Part::Message(_)) | None => return Err(IncomingError::Torn),
            }
        }
    }

    /// The next record, when all of it is here. Otherwise everything that came has been taken.
    fn whole(&mut self) -> Result<Option<Box<Record>>, IncomingError> {
        let mut record = match self.begun.take() {
            Some(begun) => begun,
            None => {
                move_to(&mut self.head, HEADER_BYTES, &mut self.rest);
                if self.head.len() < HEADER_BYTES {
                    return Ok(None);
                }
                let header = Header::decode(&self.head).map_err(IncomingError::Record)?;
                self.head.clear();
                let room = |len: u32| Vec::with_capacity(len as usize);
                Box::new(Record { header, clear: room(header.clear_len), sealed: room(header.sealed_len) })
            }
        };
        let Header { clear_len, sealed_len, .. } = record.header;
        move_to(&mut record.clear, clear_len as usize, &mut self.rest);
        move_to(&mut record.sealed, sealed_len as usize, &mut self.rest);
        if record.sealed.len() < sealed_len as usize || record.clear.len() < clear_len as usize {
            self.begun = Some(record);
            return Ok(None);
        }
        record.check().map_err(IncomingError::Record)?;
        Ok(Some(record))
    }
}

/// Moves bytes until `to` has so many.
fn move_to(to: &mut Vec<u8>, len: usize, from: &mut Bytes) {
    let some = len.saturating_sub(to.len()).min(from.len());
    to.extend_from_slice(&from.split_to(some));
}

/// What can be wrong with what comes.
#[derive(Debug)]
pub enum IncomingError {
    /// The connection.
    Transport(transport::Error),
    /// A record.
    Record(store::Error),
    /// A message in the middle of a record.
    Torn,
    /// Nobody wants it any more.
    GivenUp,
}

impl IncomingError {
    /// As a fault.
    pub fn fault(self, remote: &Remote) -> crate::fault::Fault {
        match self {
            Self::Transport(error) => remote.explain(&error),
            Self::Record(error) => error.into(),
            Self::Torn => protocol("a record is torn"),
            Self::GivenUp => Fault::new(Code::Interrupted, "it was interrupted"),
        }
    }
}
