//! Keeps bytes safe at rest: cut, box, seal, pack, catalog, commit, prove.
//!
//! What this crate does *not* do: it never awaits, never prints, never asks the environment and knows no network.
//! The bytes are described in `FORMAT.md`; the folders follow its chapters.
//!
//! * [`id`], [`codec`], [`limits`], [`error`]: words, integers, bounds and what can go wrong
//! * [`door`]: clock, chance and disk, the only ways to the world outside
//! * [`chunk`]: where file content is cut
//! * [`seal`]: everything that touches a key (client only: `vault`, `catalog` and `pack` never name it)
//! * [`record`]: header, clear part, sealed part; boxes and groups
//! * [`tree`]: entries, nodes, pages
//! * [`chain`]: links, bodies, certificates
//! * [`pack`]: immutable files of records
//! * [`catalog`]: SQLite, an index that can always be rebuilt
//! * [`activity`]: SQLite, what happened, for people; nothing depends on it
//! * [`archive`]: one account as one portable file
//! * [`vault`]: the server's whole truth, and the durable order in which it changes

pub mod activity;
pub mod archive;
pub mod catalog;
pub mod chain;
pub mod chunk;
pub mod codec;
pub mod door;
pub mod error;
pub mod id;
pub mod limits;
pub mod pack;
pub mod record;
pub mod seal;
pub mod tree;
pub mod vault;

pub use error::{Error, Result};
