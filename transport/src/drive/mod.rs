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
