//! How accounts are: the vault tells facts and its time, the verdict is made here ([`crate::health`]).

use transport::Class;
use transport::message::health::{HealthFacts, StatusAsk, StatusTold};
use transport::message::{Opened, Request};

use super::account::open_request;
use super::connect::Connector;
use super::job::{Run, StatusJob, Statuses, Whose};
use super::keys::key_checks;
use super::remote::Remote;
use super::state::StateDir;
use crate::fault::{Code, Fault, Result};
use crate::health::judge;

/// How accounts are. One's own needs neither key nor passphrase: figures and times are no secret of the vault.
pub fn status(run: &Run, job: &StatusJob) -> Result<Statuses> {
    let remote = match job.whose {
        Whose::Own => Connector::new(run)?.connect()?,
        Whose::One(_) | Whose::All => Connector::admin(run)?.connect()?,
    };
    let (own, account) = match &job.whose {
        Whose::Own => (Some(open(run, &remote)?), None),
        Whose::One(name) => (None, Some(name.clone())),
        Whose::All => (None, None),
    };
    let ask = StatusAsk { own: own.is_some(), account, hours: job.hours };
    let (mut accounts, told) = ask_all(run, &remote, ask)?;
    remote.close()?;
    accounts.sort_by_key(|facts| facts.number);
    let words_never_shown = match own {
        Some(opened) => {
            let state = StateDir::new(run.folders.state.clone()).account(opened.vault, opened.account.id)?;
            // A machine that has no device key looks at the account and does not back it up.
            state.seen.is_some() && !state.words_shown
        }
        None => false,
    };
    let accounts = accounts.into_iter().map(|facts| judge(facts, told.now)).collect();
    Ok(Statuses { vault: told.vault.hex(), now_ms: told.now, accounts, words_never_shown })
}

/// Opens the account of this machine, without its key.
fn open(run: &Run, remote: &Remote) -> Result<Opened> {
    // Its links are of no interest here.
    remote.ask(&Request::Open(open_request(run, &key_checks(run)?, u64::MAX)))
}

/// The facts of all that were asked for, and the last reply.
pub(super) fn ask_all(run: &Run, remote: &Remote, ask: StatusAsk) -> Result<(Vec<HealthFacts>, StatusTold)> {
    // Only frozen requests may ride with the greeting, and this is none.
    remote.peer()?;
    let call = remote.call(Class::Interactive, &Request::Status(ask)).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    let mut accounts = Vec::new();
    loop {
        let mut told: StatusTold = remote.reply(&call)?;
        if told.accounts.is_empty() {
            return Ok((accounts, told));
        }
        accounts.append(&mut told.accounts);
        if run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "it was interrupted"));
        }
    }
}
