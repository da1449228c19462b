//! Does the work of every verb. Never prints, never reads the environment, never asks but through [`job::Person`].

pub mod job;
mod unwired;

pub use unwired::Unwired;
