//! How accounts are, as pure functions: from what a vault knows of an account and the time to a verdict, and from a
//! verdict to lines for people, monitors and collectors.
//!
//! * [`mod@judge`]: facts and the time in, a verdict out
//! * [`line`](mod@line): one line a reason, for people and `grep`; [`nagios`], [`prometheus`]: what monitors read

pub mod judge;
pub mod line;
pub mod nagios;
pub mod prometheus;

pub use judge::{AccountStatus, Level, Reason, Standing, absent_volumes, damage, judge};
