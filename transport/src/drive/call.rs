//! One request and its answer, at either end.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::pump::{Shared, Signals};
use crate::error::{Error, Result};
use crate::session::{Hello, Part, Read, Traffic};

/// One stream of a connection. One thread may send while another receives.
///
/// Dropping it ends it: a client's is cancelled unless the server has ended it; a server's counts as a fault of the
/// handler unless it has been [ended](Call::end).
pub struct Call {
    shared: Arc<Shared>,
    signals: Arc<Signals>,
    id: u32,
    /// A client's connection lives as long as its calls.
    _connection: Option<Arc<dyn Any + Send + Sync>>,
}

impl Call {
    pub(super) fn new(
        shared: Arc<Shared>,
        signals: Arc<Signals>,
        id: u32,
        connection: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Self {
        Self { shared, signals, id, _connection: connection }
    }

    /// Sends a message of at most 1 MiB, which arrives as one. Blocks while the stream's queue is full.
    ///
    /// [`Error::Ended`]: the server has ended the call (read what it said) or this end has.
    pub fn send_message(&self, message: Vec<u8>) -> Result<()> {
        self.send(Part::Message(message))
    }

    /// Sends bytes, which arrive in the same order, cut anywhere. Blocks while the stream's queue is full, that is,
    /// while the far side has no room for what was sent before.
    pub fn send_data(&self, data: Bytes) -> Result<()> {
        self.send(Part::Data(data))
    }

    fn send(&self, part: Part) -> Result<()> {
        let mut part = Some(part);
        self.shared.wait(&self.signals.writable, |core, _| match core.session.send(self.id, part.take()?) {
            Ok(None) => Some(Ok(())),
            Ok(refused) => {
                part = refused;
                None
            }
            Err(why) => Some(Err(why)),
        })
    }

    /// Says that nothing more will be sent. A server's call is at its end with that.
    pub fn end(&self) -> Result<()> {
        self.shared.act(|core, _| core.session.end_stream(self.id))
    }

    /// Waits for the next part. `None`: the peer has said all it had to say.
    ///
    /// After an error all further calls give the same error; what came before it has been given.
    pub fn recv(&self) -> Result<Option<Part>> {
        self.shared.wait(&self.signals.readable, |core, _| match core.session.read(self.id) {
            Ok(Read::Part(part)) => Some(Ok(Some(part))),
            Ok(Read::End) => Some(Ok(None)),
            Ok(Read::Nothing) => None,
            Err(why) => Some(Err(why)),
        })
    }

    /// The peer's HELLO; waits for it.
    pub fn peer(&self) -> Result<Hello> {
        peer(&self.shared)
    }

    /// Every byte on the connection so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.act(|core, _| core.session.traffic())
    }
}

/// Waits for the peer's HELLO.
pub(super) fn peer(shared: &Shared) -> Result<Hello> {
    shared.wait(&shared.changed, |core, _| match (core.session.agreed(), core.session.peer(), core.session.over()) {
        (Some(_), Some(hello), _) => Some(Ok(hello.clone())),
        (_, _, Some(Err(why))) => Some(Err(why.clone())),
        (_, _, Some(Ok(()))) => Some(Err(Error::lost("the connection is closed"))),
        _ => None,
    })
}

impl Drop for Call {
    fn drop(&mut self) {
        self.shared.act(|core, _| core.release(self.id));
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.id)
    }
}
