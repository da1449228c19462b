//! Harness.

pub mod sshd;
