//! Carries messages between the two ends of a pipe.

pub mod message;
