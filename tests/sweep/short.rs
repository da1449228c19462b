//! short
