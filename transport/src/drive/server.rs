//! The server's side of a connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::Scope;

use store::door::Clock;

use super::call::Call;
use super::pace::{Meter, Pace};
use super::pump::{Shared, pump};
use crate::error::{Code, Error, Result};
use crate::limits::STREAMS_MAX;
use crate::pipe::Pipe;
use crate::session::{Config, Hello, Part, Read, Session};

/// How a server begins.
#[derive(Clone)]
pub struct ServerConfig {
    /// What it says about itself.
    pub hello: Hello,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How fast it may go; as fast as it can when absent.
    pub pace: Option<Arc<dyn Pace>>,
    /// Counts what goes over the pipe.
    pub meter: Arc<Meter>,
}

impl ServerConfig {
    /// The usual one.
    #[must_use]
    pub fn new(hello: Hello, clock: Arc<dyn Clock>) -> Self {
        Self { hello, clock, pace: None, meter: Arc::default() }
    }
}

/// What answers requests.
pub trait Service: Send + Sync {
    /// Answers one request. Runs on a thread of its own, at most 64 at a time, and may block; while it is silent, the
    /// client hears that it works. It ends the answer with [`Call::end`]; a call that is dropped without is a fault
    /// of the program for the client.
    fn handle(&self, call: Call, request: Vec<u8>);
}

/// Serves one connection, on this thread, until its end: `Ok` after a goodbye of both, otherwise why it ended. Returns
/// when the last handler has returned, and lets go of `service` then. Must not be called from async code.
pub fn serve(pipe: Pipe, config: ServerConfig, service: Arc<dyn Service>) -> Result<()> {
    let session = Session::server(Config::server(config.hello), config.clock.monotonic_ms())?;
    let shared = Shared::new(session, config.clock, config.pace, config.meter);
    let runtime = super::runtime().map_err(|cause| Error::from_pipe("starting the connection", &cause))?;
    std::thread::scope(|scope| runtime.block_on(pump(&shared, pipe, || start_handlers(scope, &shared, &*service))));
    shared.act(|core, _| core.outcome())
}

/// Starts a thread for each request that waits, as far as there may be more. The others are taken by the threads that
/// run.
fn start_handlers<'s>(scope: &'s Scope<'s, '_>, shared: &'s Arc<Shared>, service: &'s dyn Service) {
    let start = shared.act(|core, _| {
        let start = core.requests.len().min(STREAMS_MAX - core.handlers);
        core.handlers += start;
        start
    });
    for _ in 0..start {
        let started = std::thread::Builder::new().name("tuckbox-handler".into()).spawn_scoped(scope, move || {
            while let Some((call, request)) = next_request(shared) {
                // A handler that panics has told stderr, and dropping its call has told the client.
                drop(catch_unwind(AssertUnwindSafe(|| service.handle(call, request))));
            }
        });
        if started.is_err() {
            shared.act(|core, _| {
                core.handlers -= 1;
                if core.handlers == 0 {
                    for id in std::mem::take(&mut core.requests) {
                        core.session.reset(id, Code::BUSY);
                        core.release(id);
                    }
                }
            });
        }
    }
}

/// The next request for a handler that has time. `None`: there is none, and the handler counts as gone.
fn next_request(shared: &Arc<Shared>) -> Option<(Call, Vec<u8>)> {
    let next = shared.act(|core, _| {
        while let Some(id) = core.requests.pop_front() {
            // The request is the first part of its stream; a client that has cancelled it meanwhile took it away.
            if let Ok(Read::Part(Part::Message(request))) = core.session.read(id) {
                return Some((id, core.signals(id), request));
            }
            core.release(id);
        }
        core.handlers -= 1;
        None
    });
    next.map(|(id, signals, request)| (Call::new(Arc::clone(shared), signals, id, None), request))
}
