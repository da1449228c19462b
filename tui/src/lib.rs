//! Shows the work: the full-screen console, `tuckbox tui`.
//!
//! What this crate does *not* do: no screen does work; it knows no SSH, no SQL, no keys. It uses `agent` alone.
//!
//! * [`console`]: the machinery: keys, state, effects, the terminal
//! * [`screens`]: what is shown, a screen a file; [`widgets`]: what screens are made of

pub mod console;
pub mod screens;
pub mod widgets;
