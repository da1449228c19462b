//! Reports over a period.

pub use transport::message::health::{
    AccountReport, DayReport, DayStored, ReadingOf, ReportAsk, ReportKind, ReportRow, RunOf,
};

/// The rows of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportSheet {
    /// The vault's clock.
    pub now_ms: i64,
    /// In the order of the accounts, within one by time; days by time.
    pub rows: Vec<ReportRow>,
}
