//! Carries messages between the two ends of a pipe.
//!
//! What this crate does *not* do: it opens no file of ours, knows no SQLite, no keys and no packs, and never asks the
//! user. The bytes are described in `PROTOCOL.md`.
//!
//! * [`frame`], [`magic`], [`limits`]: bytes on the wire and their bounds
//! * [`session`]: the protocol as a value: bytes and time in, bytes and events out
//! * [`drive`]: the only pumping code, and blocking handles for everybody else
//! * [`message`]: the requests and replies
//! * [`pipe`]: the fourth door; [`carrier`], [`address`]: ways to start the far side

pub mod address;
pub mod carrier;
pub mod drive;
pub mod error;
pub mod frame;
pub mod limits;
pub mod magic;
pub mod message;
pub mod pipe;
pub mod session;
#[cfg(test)]
mod simulate;

pub use address::Address;
pub use drive::{Call, Client, ClientConfig, Meter, Pace, ServerConfig, Service, runtime, serve};
pub use error::{Code, Error, Result};
pub use pipe::{Carrier, Pipe, memory_pipe, stdio_pipe};
pub use session::{Agreed, Class, Hello, Part, Purpose, Rates, Traffic};
