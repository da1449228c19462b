//! The embedded SSH client: the only module that knows russh.
//!
//! One connection carries all pipes of a carrier, each a channel of its own: extra channels cost no authentication,
//! and OpenSSH's server takes only about 2 MiB a round trip on one. All of it runs on two threads that are shared by
//! every connection of the process; what it hands out are plain streams that any runtime may poll.
//!
//! russh is pinned, has the features `ring` and `rsa`, and no compression. The `rsa` crate signs in variable time
//! (RUSTSEC-2023-0071): an observer who can time many logins of ours closely could learn of the key; an agent, or any
//! other kind of key, has no part in it.

mod agent;
mod auth;
mod certificate;
mod channel;
mod connect;
mod keys;

use std::{
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
};

use store::door::{Chance, Clock};
use tokio::runtime::Runtime;

use super::{config::Host, end::Ends, prompt::Prompt};
use crate::{
    error::{Error, Result},
    pipe::{Carrier, Pipe},
};
use connect::Connection;

/// What an embedded client needs of the world.
#[derive(Clone)]
pub struct World {
    /// Answers questions.
    pub prompt: Arc<dyn Prompt>,
    /// For the validity of certificates.
    pub clock: Arc<dyn Clock>,
    /// For the salt of hidden host names.
    pub chance: Arc<dyn Chance>,
}

/// Opens channels on one connection, which it makes again after a loss.
pub struct Embedded {
    route: Arc<[Host]>,
    line: String,
    target: String,
    world: World,
    ends: Ends,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Embedded {
    /// Over this route (nearest host first) to run this remote command. Nothing is connected yet.
    #[must_use]
    pub fn new(route: Vec<Host>, line: impl Into<String>, world: World) -> Self {
        let target = route.last().map(|host| host.alias.clone()).unwrap_or_default();
        Self {
            route: route.into(),
            line: line.into(),
            target,
            world,
            ends: Ends::default(),
            connection: Mutex::default(),
        }
    }

    /// The connection, made when there is none that lives. Whether it was there already.
    fn connection(&self) -> Result<(Arc<Connection>, bool)> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = slot.as_ref().filter(|c| c.is_alive()) {
            return Ok((connection.clone(), true));
        }
        let (route, world) = (self.route.clone(), self.world.clone());
        let made = Arc::new(block_on(async move { Connection::make(&route, &world).await })??);
        *slot = Some(made.clone());
        Ok((made, false))
    }

    fn forget(&self) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn open_on(&self, connection: Arc<Connection>) -> Result<Pipe> {
        let (line, prompt) = (self.line.clone(), self.world.prompt.clone());
        let held = connection.clone();
        let opened = block_on(async move { channel::open(&held, &line, prompt).await })??;
        self.ends.add(&opened.end);
        Ok(Pipe::new(opened.reader, opened.writer).keeping(connection))
    }
}

impl Carrier for Embedded {
    fn open(&self) -> Result<Pipe> {
        let (connection, was_there) = self.connection()?;
        match self.open_on(connection) {
            // It was lost while nobody looked.
            Err(Error::Lost { .. }) if was_there => {
                self.forget();
                self.open_on(self.connection()?.0)
            }
            other => other,
        }
    }

    fn extra_pipes(&self) -> Option<usize> {
        Some(CHANNELS_MAX - 1)
    }

    fn describe(&self) -> String {
        format!("{} with the embedded SSH client", self.target)
    }

    fn end_report(&self) -> Option<String> {
        self.ends.report()
    }

    fn explain(&self, error: Error) -> Error {
        self.ends.explain(error, &self.target)
    }
}

/// The most channels of one connection: OpenSSH's server allows ten sessions on one, and leaves room for a person.
const CHANNELS_MAX: usize = 8;

/// The threads of all connections: one is not enough, as encryption and copying would take turns.
const THREADS: usize = 2;

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("ssh").enable_all().build().map_err(|e| e.to_string())
    });
    made.as_ref().map_err(|why| Error::lost(format!("no threads for SSH: {why}")))
}

/// Runs a future on these threads and waits for it, from whatever thread.
fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let (done, wait) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        // Nobody waits any more only when the waiting thread has died.
        drop(done.send(future.await));
    });
    wait.recv().map_err(|_| Error::lost("the SSH client stopped"))
}
