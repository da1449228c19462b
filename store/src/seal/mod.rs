//! Everything that touches a key. Client only.

mod keys;
mod secret;

pub use keys::{ContentHasher, TreeKeys};
