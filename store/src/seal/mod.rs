//! Everything that touches a key. Client only (FORMAT.md, chapters 2, 3 and 7.1).
//!
//! ```text
//! RootSecret ─┬─ Kek ────────────── seals the Keyring
//!  (24 words) ├─ AccountKeys ─┬──── TreeKeys: ids of nodes and contents
//!             │               ├──── ids of sources and tags, certificates of devices
//!             │               └─┐
//!             └─ key check      ├── Sealer: boxes, groups, bodies
//!                    Keyring ───┘     (chunk ids, gear table, numbered sealing keys)
//! ```
//!
//! [`KeyFile`] keeps the root secret on the client's disk, [`DeviceKey`] signs links.
//! Keys are wiped when dropped, and `Debug` shows none.

mod boxes;
mod cipher;
mod compress;
mod device;
mod groups;
mod kek;
pub mod keyfile;
mod keyring;
mod keys;
mod padme;
mod root;
mod sealer;
mod secret;
pub mod slot;
mod solid;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use boxes::OpenBox;
pub use compress::{Level, Scratch};
pub use device::DeviceKey;
pub use kek::Kek;
pub use keyfile::KeyFile;
pub use keyring::{Keyring, SEALING_KEYS_MAX};
pub use keys::{AccountKeys, ContentHasher, TreeKeys};
pub use root::{RootSecret, WORDS, WrongWords};
pub use sealer::Sealer;
