//! Does the work at either end: backup, restore, serve, command line.
//!
//! What this crate does *not* do: it never names the console (`tui`); the engine in it never prints, never reads
//! the environment and never asks a person (it emits [`event::Event`]s).
//!
//! * [`event`], [`fault`]: what is told, and what went wrong
//! * [`source`]: reads the file system; [`target`]: writes it on restore

pub mod event;
pub mod fault;
pub mod source;
pub mod target;
