//! One connection to a vault, as typed questions and answers.

use std::sync::Arc;

use minicbor::Decode;
use store::id::BodyHash;
use store::record::{HEADER_BYTES, Header, Record};
use transport::message::{self, Reply, Request};
use transport::{Call, Carrier, Class, Client, Part, Traffic};

use super::trouble::{from_refusal, from_transport, protocol};
use crate::fault::Result;

/// One connection to a vault.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    /// Says more about an end of the pipe: what the far side printed, how it ended.
    carrier: Arc<dyn Carrier>,
}

impl Remote {
    /// A connection that is up.
    pub fn new(client: Client, carrier: Arc<dyn Carrier>) -> Self {
        Self { client, carrier }
    }

    /// Bytes on the pipe so far.
    pub fn traffic(&self) -> Traffic {
        self.client.traffic()
    }

    /// What the server says of itself.
    pub fn peer(&self) -> Result<String> {
        let peer = self.client.peer().map_err(|error| self.explain(&error))?;
        Ok(crate::name::harmless_line(&peer.agent))
    }

    /// A call that goes on after its first message.
    pub fn call(&self, class: Class, request: &Request) -> Result<Call, transport::Error> {
        self.client.call(class, message::encode(request))
    }

    /// A request with one reply.
    pub fn ask<T: for<'b> Decode<'b, ()>>(&self, request: &Request) -> Result<T> {
        let call = self.call(Class::Interactive, request).map_err(|error| self.explain(&error))?;
        call.end().map_err(|error| self.explain(&error))?;
        self.reply(&call)
    }

    /// The next reply of a call.
    pub fn reply<T: for<'b> Decode<'b, ()>>(&self, call: &Call) -> Result<T> {
        match call.recv().map_err(|error| self.explain(&error))? {
            Some(Part::Message(bytes)) => take_reply(&bytes),
            Some(Part::Data(_)) => Err(protocol("data where a message belongs")),
            None => Err(protocol("a call ended without its reply")),
        }
    }

    /// Bodies by hash, in order; absent ones are `None`.
    pub fn bodies(&self, hashes: &[BodyHash]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut bodies = Vec::with_capacity(hashes.len());
        for some in hashes.chunks(message::IDS_MAX) {
            let request = Request::Bodies(message::Bodies { hashes: some.to_vec() });
            let call = self.call(Class::Interactive, &request).map_err(|error| self.explain(&error))?;
            call.end().map_err(|error| self.explain(&error))?;
            for hash in some {
                let reply: message::BodyReply = self.reply(&call)?;
                if reply.body.as_ref().is_some_and(|body| blake3::hash(body).as_bytes() != hash.bytes()) {
                    return Err(protocol("a body is not the one that was asked for"));
                }
                bodies.push(reply.body);
            }
        }
        Ok(bodies)
    }

    /// An error of this connection, with what the far side said.
    pub fn explain(&self, error: &transport::Error) -> crate::fault::Fault {
        let error = self.carrier.explain(error.clone());
        let fault = from_transport(&error);
        match self.carrier.end_report() {
            Some(said) if error.is_worth_retrying() => fault.because(said),
            _ => fault,
        }
    }

    /// Says goodbye.
    pub fn close(self) -> Result<()> {
        self.client.clone().close().map_err(|error| self.explain(&error))
    }
}

/// A reply from its bytes, or the server's refusal as a fault.
pub fn take_reply<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T> {
    match message::decode::<Reply<T>>(bytes).map_err(|_| protocol("a reply cannot be read"))? {
        Reply::Done(reply) => Ok(reply),
        Reply::Refused(refusal) => Err(from_refusal(&refusal)),
    }
}

/// Records and messages that come mixed on one call.
pub struct Incoming<'c> {
    call: &'c Call,
    bytes: Vec<u8>,
    /// Bytes at the front that were given out.
    taken: usize,
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
        Self { call, bytes: Vec::new(), taken: 0 }
    }

    /// The next record or message, checked as far as that goes without a key.
    pub fn next_part(&mut self) -> Result<Next, IncomingError> {
        loop {
            if let Some(record) = self.whole()? {
                return Ok(Next::Record(Box::new(record)));
            }
            match self.call.recv().map_err(IncomingError::Transport)? {
                Some(Part::Data(data)) => self.bytes.extend_from_slice(&data),
                Some(Part::Message(message)) if self.taken == self.bytes.len() => return Ok(Next::Message(message)),
                None if self.taken == self.bytes.len() => return Ok(Next::End),
                Some(Part::Message(_)) | None => return Err(IncomingError::Torn),
            }
        }
    }

    /// The record at the front, when all of it is here.
    fn whole(&mut self) -> Result<Option<Record>, IncomingError> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some(header) = rest.get(..HEADER_BYTES) else { return Ok(None) };
        let header = Header::decode(header).map_err(IncomingError::Record)?;
        let len = HEADER_BYTES + header.clear_len as usize + header.sealed_len as usize;
        let Some(bytes) = rest.get(..len) else {
            self.bytes.drain(..self.taken);
            self.taken = 0;
            self.bytes.reserve(len.saturating_sub(self.bytes.len()));
            return Ok(None);
        };
        let record = Record::decode(bytes).map_err(IncomingError::Record)?;
        self.taken += len;
        Ok(Some(record))
    }
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
}

impl IncomingError {
    /// As a fault.
    pub fn fault(self, remote: &Remote) -> crate::fault::Fault {
        match self {
            Self::Transport(error) => remote.explain(&error),
            Self::Record(error) => error.into(),
            Self::Torn => protocol("a record is torn"),
        }
    }
}
