//! Uses tuckbox as a stranger would, and breaks its world.
//!
//! A test is three lines: make a tree, run the command, look at what a person would see. What it needs for that is
//! here; the tests are in `it/`.
//!
//! * [`world`]: temporary machines, each with a home of its own, and the program in their PATH
//! * [`subject`]: runs the program and keeps what it said
//! * [`tree`]: makes trees, plain and odd
//! * [`attacker`]: somebody who holds the key and writes into the vault without the program
//! * [`look`]: lists a tree exactly and tells two lists apart
//! * [`oath`]: what holds after whatever befell a run
//! * [`pty`]: a person at a terminal
//! * [`sshd`]: private SSH servers on loopback ports
//! * [`slow_line`]: a long way between two of them
//! * [`net`]: a machine and a server that knows its key
//! * [`pinned`]: texts that may not change unnoticed
//! * [`need`]: what a test needs of the machine
//! * [`wait`]: waits for a condition, with a deadline

pub mod attacker;
pub mod look;
pub mod need;
pub mod net;
pub mod oath;
pub mod pinned;
pub mod pty;
pub mod slow_line;
pub mod sshd;
pub mod subject;
pub mod tree;
pub mod wait;
pub mod world;
