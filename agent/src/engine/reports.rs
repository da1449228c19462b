//! Reports over a period, for who looks after a vault.

use transport::Class;
use transport::message::Request;
use transport::message::health::ReportTold;

use super::connect::Connector;
use super::job::{ReportAsk, ReportSheet, Run};
use crate::fault::{Code, Fault, Result};

/// All rows of a report.
pub fn report(run: &Run, ask: ReportAsk) -> Result<ReportSheet> {
    let remote = Connector::admin(run)?.connect()?;
    remote.peer()?;
    let call = remote.call(Class::Interactive, &Request::Reports(ask)).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    let mut sheet = ReportSheet::default();
    loop {
        let mut told: ReportTold = remote.reply(&call)?;
        sheet.now_ms = told.now;
        if told.rows.is_empty() {
            remote.close()?;
            return Ok(sheet);
        }
        sheet.rows.append(&mut told.rows);
        if run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "the report was interrupted"));
        }
    }
}
