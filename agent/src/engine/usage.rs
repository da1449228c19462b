//! `usage`: asks the server what the account takes. No key is needed for it, but to tell history apart ([`super::split`]).

use transport::message::{Opened, Request, UsageAsk, UsageTold};

use super::account::open_request;
use super::connect::Connector;
use super::job::{Run, UsageJob, UsageRow};
use super::keys::key_checks;
use super::remote::{Remote, is_loss};
use crate::event::{Event, Phase};
use crate::fault::Result;

/// What the account takes. A connection that is kept open is used again.
pub fn usage(run: &Run, job: UsageJob) -> Result<UsageRow> {
    if job.classes {
        return super::split::usage(run);
    }
    if let Some(kept) = &run.kept
        && let Some((remote, _)) = kept.line(&run.place)
    {
        match over(run, &remote, job) {
            Err(fault) if is_loss(&fault) && !run.stop.asked() => kept.forget(),
            other => return other,
        }
    }
    run.watcher.event(&Event::Phase(Phase::Connect));
    let remote = Connector::new(run)?.connect()?;
    let row = over(run, &remote, job)?;
    remote.close()?;
    Ok(row)
}

fn over(run: &Run, remote: &Remote, job: UsageJob) -> Result<UsageRow> {
    // Keys only help to say which account is meant; a machine without any may ask too.
    let files = key_checks(run).unwrap_or_default();
    let opened: Opened = remote.ask(&Request::Open(open_request(run, &files, u64::MAX)))?;
    let told: UsageTold = remote.ask(&Request::Usage(UsageAsk { exact: job.exact }))?;
    Ok(UsageRow { account: opened.account.name, told, split: None })
}
