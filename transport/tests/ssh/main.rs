//! Carriers against a real OpenSSH server: every test runs with the embedded client and with the system's ssh where
//! both can do it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod harness;
mod host_keys;
mod login;
mod pipes;
mod questions;
#[allow(dead_code, reason = "shared with the package of integration tests, which uses the rest")]
#[path = "../../../tests/harness/sshd.rs"]
mod sshd;
