//! Bytes on the wire: `traffic`.

pub use transport::message::traffic::{End as SessionEnd, Grain, Of as TrafficOf, SessionRow, TrafficRow};

/// History of traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficJob {
    /// Whose.
    pub of: TrafficOf,
    /// In steps of what.
    pub by: Grain,
    /// From the period on that this moment is in, ms since 1970.
    pub from_ms: i64,
    /// Before this moment.
    pub until_ms: i64,
}

/// Single connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionsJob {
    /// Whose.
    pub of: TrafficOf,
    /// Those that began then or later, ms since 1970.
    pub from_ms: i64,
    /// The newest of each account, so many.
    pub most: u64,
}
