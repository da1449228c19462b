//! The only code that moves a session: one task a connection pumps the pipe, and everybody else blocks on handles.
//!
//! ```text
//!                    ┌────────────── Shared ──────────────┐
//!  Call, Client ───► │ one lock: Session and who waits    │ ◄─── pump: reads the pipe  (never waits for the writer)
//!  (any thread)  ◄── │ condition variables, one pair each │ ───► pump: writes the pipe (never waits for the reader)
//!                    └────────────────────────────────────┘
//! ```
//!
//! Every rule is in the session; here is only who waits for whom. The lock is held for as long as it takes to copy a
//! buffer, never while somebody waits for the pipe or the disk.

mod call;
mod client;
mod pace;
mod pump;
mod server;

pub use call::Call;
pub use client::{Client, ClientConfig};
pub use pace::{Meter, Pace};
pub use server::{ServerConfig, Service, serve};

use std::fs::File;
use std::io;

use tokio::runtime::{Builder, Runtime};

/// Descriptors that a first runtime takes: to wait, to be woken, and a pair for signals, some of them twice.
const RUNTIME_FILES: usize = 8;

/// A runtime for one thread that waits for pipes, time, children and signals.
///
/// tokio panics when there are too few descriptors for what it hears of signals by; so they are tried first, and their
/// lack is an error as any other.
pub fn runtime() -> io::Result<Runtime> {
    let spare: io::Result<Vec<_>> = (0..RUNTIME_FILES).map(|_| File::open("/dev/null")).collect();
    drop(spare?);
    Builder::new_current_thread().enable_all().build()
}
