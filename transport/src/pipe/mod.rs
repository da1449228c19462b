//! The fourth door: two streams of bytes, one each way, in order and without loss until they end.

use std::any::Any;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};

/// Where bytes of the peer come from.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Where bytes for the peer go.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// What must outlive both halves.
pub type Keep = Option<Box<dyn Any + Send>>;

/// The two halves, made inside the runtime that pumps them.
type Open = Box<dyn FnOnce() -> io::Result<(Reader, Writer)> + Send>;

/// One end of a connection. Whoever pumps it owns it; dropping it ends it.
pub struct Pipe {
    open: Open,
    keep: Keep,
}

impl Pipe {
    /// A pipe of two streams that may be polled on any runtime.
    #[must_use]
    pub fn new(reader: Reader, writer: Writer) -> Self {
        Self { open: Box::new(|| Ok((reader, writer))), keep: None }
    }

    /// A pipe of two streams that must be made on the runtime that polls them, as everything that waits for a file
    /// descriptor must.
    #[must_use]
    pub fn later(open: impl FnOnce() -> io::Result<(Reader, Writer)> + Send + 'static) -> Self {
        Self { open: Box::new(open), keep: None }
    }

    /// A pipe over two file descriptors: pipes, sockets or terminals, such as those of a child process.
    /// They are made non-blocking.
    #[must_use]
    pub fn from_files(read: OwnedFd, write: OwnedFd) -> Self {
        Self::later(move || stdio::open(read, write))
    }

    /// The same pipe, which keeps `thing` alive until both halves are dropped (a child, a session, a runtime).
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send) -> Self {
        self.keep = Some(match self.keep.take() {
            Some(other) => Box::new((other, thing)),
            None => Box::new(thing),
        });
        self
    }

    /// Its halves, reader and writer, and what must outlive them. To be called on the runtime that polls them.
    pub fn split(self) -> io::Result<(Reader, Writer, Keep)> {
        let (reader, writer) = (self.open)()?;
        Ok((reader, writer, self.keep))
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipe")
    }
}

/// A way to the far side: in process, child process, embedded SSH, system `ssh`.
pub trait Carrier: Send + Sync {
    /// Opens a pipe to a new process of the far side. Blocks, with a deadline of its own. Called again for every
    /// stripe, and after a loss.
    fn open(&self) -> Result<Pipe>;

    /// How many pipes beside the first may be open for bulk at a time when nobody has said how many. `None`: more than
    /// one are never of use.
    fn extra_pipes(&self) -> Option<usize> {
        None
    }

    /// What it is, for people: "ssh://host/vault with the system's ssh".
    fn describe(&self) -> String;

    /// What the far side left behind when it ended: the end of its stderr, its exit status. `None` while it runs,
    /// and when it left nothing. The text is made harmless.
    fn end_report(&self) -> Option<String>;

    /// The same error, or the better reason that the end of the far side gives for it: a loss may be a missing
    /// program, an unknown host key, a refused login. To be called with the error of a session on this carrier.
    fn explain(&self, error: Error) -> Error {
        error
    }
}

mod memory;
mod stdio;

pub use memory::memory_pipe;
pub use stdio::stdio_pipe;
