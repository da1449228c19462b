//! Bytes that never change.
