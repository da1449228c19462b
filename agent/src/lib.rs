//! Does the work at either end: backup, restore, serve, command line.
//!
//! What this crate does *not* do: it never names the console (`tui`); the engine in it never prints, never reads
//! the environment and never asks a person (it emits [`event::Event`]s and asks through [`engine::job::Person`]).
//!
//! * [`cli`], [`command`]: the command line; one file a verb
//! * [`engine`]: the work of every verb; [`engine::job`] holds the words between it and the faces
//! * [`serve`]: the server's end
//! * [`source`]: reads the file system; [`target`]: writes it on restore
//! * [`event`], [`fault`]: what is told, and what went wrong
//! * [`world`], [`ask`], [`config`]: the surroundings of the command line
//! * [`name`], [`units`], [`time`]: how things are shown and understood

pub mod ask;
pub mod cli;
pub mod command;
pub mod config;
pub mod engine;
pub mod event;
pub mod fault;
pub mod name;
pub mod serve;
pub mod source;
pub mod target;
pub mod time;
pub mod units;
pub mod world;
