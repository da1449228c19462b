//! The command line.

pub mod json;
