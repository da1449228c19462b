//! Does the work of every verb. Never prints, never reads the environment, never asks but through [`job::Person`].

pub mod job;
