//! What moved on the wire, as the server remembers it. No key is needed: figures are open to whoever may use the account,
//! figures of all to who looks after the vault.

use transport::message::Request;
use transport::message::traffic::{SessionsAsk, TrafficAsk};

use super::account::open_request;
use super::admin::listed;
use super::connect::Connector;
use super::job::{Run, SessionRow, SessionsJob, TrafficJob, TrafficOf, TrafficRow};
use super::keys::key_checks;
use super::remote::Remote;
use crate::fault::Result;

/// Periods of one account or of several, account after account, each account's oldest first. A period in which nothing moved
/// has no row.
pub fn traffic(run: &Run, job: TrafficJob, row: &mut dyn FnMut(TrafficRow) -> Result<()>) -> Result<()> {
    let remote = connect(run, &job.of)?;
    let ask = TrafficAsk { of: job.of, grain: job.by, from: job.from_ms, until: job.until_ms };
    listed(run, &remote, &Request::Traffic(ask), row)?;
    remote.close()
}

/// Single connections, account after account, each account's oldest first.
pub fn sessions(run: &Run, job: SessionsJob, row: &mut dyn FnMut(SessionRow) -> Result<()>) -> Result<()> {
    let remote = connect(run, &job.of)?;
    let ask = SessionsAsk { of: job.of, from: job.from_ms, most: job.most };
    listed(run, &remote, &Request::Sessions(ask), row)?;
    remote.close()
}

/// A connection that may ask it. For one's own account it is opened as always, but without its key.
fn connect(run: &Run, of: &TrafficOf) -> Result<Remote> {
    match of {
        TrafficOf::Opened => {
            let remote = Connector::new(run)?.connect()?;
            let files = key_checks(run)?;
            let _: transport::message::Opened = remote.ask(&Request::Open(open_request(run, &files, u64::MAX)))?;
            Ok(remote)
        }
        TrafficOf::Account(_) | TrafficOf::Group(_) | TrafficOf::All => {
            // Only frozen requests may ride with the greeting, and these are not.
            let remote = Connector::admin(run)?.connect()?;
            remote.peer()?;
            Ok(remote)
        }
    }
}
