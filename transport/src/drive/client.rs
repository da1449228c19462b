//! The client's handle of a connection.

use std::fmt;
use std::sync::Arc;

use store::door::{Clock, Millis};

use super::call::{Call, peer};
use super::pace::Pace;
use super::pump::{Shared, pump};
use crate::error::{Error, Result};
use crate::limits::FIRST_BYTE_MS;
use crate::pipe::Pipe;
use crate::session::{Agreed, Class, Config, Hello, Rates, Session, Traffic};

/// How a client begins.
#[derive(Clone)]
pub struct ClientConfig {
    /// What it says about itself.
    pub hello: Hello,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long to wait for the first byte of the far side, milliseconds.
    pub first_byte_ms: Millis,
    /// How fast it may go; as fast as it can when absent.
    pub pace: Option<Arc<dyn Pace>>,
}

impl ClientConfig {
    /// The usual one.
    #[must_use]
    pub fn new(hello: Hello, clock: Arc<dyn Clock>) -> Self {
        Self { hello, clock, first_byte_ms: FIRST_BYTE_MS, pace: None }
    }
}

/// A connection to a server. Clones are handles of the same connection, which is given up, without a goodbye, when the
/// last handle and the last call are dropped.
#[derive(Clone)]
pub struct Client {
    connection: Arc<Connection>,
}

struct Connection {
    shared: Arc<Shared>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.act(|core, _| core.abandoned = true);
        self.shared.nudge();
    }
}

impl Client {
    /// Starts to talk. Does not wait for the far side: the greeting goes out at once and the first
    /// [call](Self::call) right behind it. What is wrong with the far side is what that call, or
    /// [`peer`](Self::peer), says.
    pub fn connect(pipe: Pipe, config: ClientConfig) -> Result<Self> {
        let session = Config { first_byte_ms: config.first_byte_ms, ..Config::client(config.hello) };
        let session = Session::client(session, config.clock.monotonic_ms())?;
        let shared = Shared::new(session, config.clock, config.pace, Arc::default());
        let pumped = Arc::clone(&shared);
        let runtime = super::runtime().map_err(|cause| Error::from_pipe("starting the connection", &cause))?;
        std::thread::Builder::new()
            .name("tuckbox-wire".into())
            .spawn(move || runtime.block_on(pump(&pumped, pipe, || {})))
            .map_err(|cause| Error::from_pipe("starting the connection", &cause))?;
        Ok(Self { connection: Arc::new(Connection { shared }) })
    }

    /// Opens a stream with a request of at most 1 MiB. Does not wait.
    ///
    /// The first call of a connection goes out before the far side has said which version it speaks, so it may only ask
    /// one of the frozen requests (PROTOCOL.md). [`Error::Limit`]: 64 calls are open, or as many as the far side allows.
    pub fn call(&self, class: Class, request: Vec<u8>) -> Result<Call> {
        let shared = &self.connection.shared;
        let (id, signals) = shared.act(|core, now| {
            let id = core.session.open(now, class, request)?;
            Ok::<_, Error>((id, core.signals(id)))
        })?;
        Ok(Call::new(Arc::clone(shared), signals, id, Some(Arc::clone(&self.connection) as _)))
    }

    /// The server's HELLO; waits for it.
    pub fn peer(&self) -> Result<Hello> {
        peer(&self.connection.shared)
    }

    /// The version and the features that are in force; waits for the server's HELLO.
    pub fn agreed(&self) -> Result<Agreed> {
        self.peer()?;
        let agreed = self.connection.shared.act(|core, _| core.session.agreed().cloned());
        agreed.ok_or(Error::Protocol("nothing is agreed"))
    }

    /// What the far side printed before it spoke the protocol, as it came: worth a warning, after
    /// [`harmless`](crate::error::harmless). `None` when it printed nothing, and before its greeting.
    #[must_use]
    pub fn noise(&self) -> Option<Vec<u8>> {
        self.connection.shared.act(|core, _| core.noise.clone())
    }

    /// Every byte on the pipe so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.connection.shared.act(|core, _| core.session.traffic())
    }

    /// Measures the round trip: sends a PING, whose answer [`round_trip_ms`](Self::round_trip_ms) knows of.
    pub fn ping(&self) {
        self.connection.shared.act(|core, _| core.session.ping());
    }

    /// The shortest time, in milliseconds, in which a PING came back; `None` while none has.
    #[must_use]
    pub fn round_trip_ms(&self) -> Option<Millis> {
        self.connection.shared.act(|core, _| core.session.round_trip())
    }

    /// Ends the connection at once and without a goodbye, whoever still has a handle of it: all that wait on it, or use
    /// it later, are told that it is lost.
    pub fn give_up(&self) {
        self.connection.shared.act(|core, now| core.session.fail(now, Error::lost("the connection was given up here")));
    }

    /// Sets the throttle, from now on and until its [`Pace`] says another one, if it has one.
    pub fn set_rates(&self, rates: Rates) {
        self.connection.shared.act(|core, now| core.session.set_rates(now, rates));
    }

    /// Says goodbye and waits for the server's. Calls that are still open, on whatever handle, are cut off; what was
    /// [ended](Call::end) before is sent, and the server takes it before it says goodbye.
    pub fn close(self) -> Result<()> {
        let shared = &self.connection.shared;
        shared.act(|core, _| core.session.leave());
        shared.wait(&shared.changed, |core, _| core.finished.then(|| core.outcome()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
