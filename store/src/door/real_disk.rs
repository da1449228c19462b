//! The system's files.
