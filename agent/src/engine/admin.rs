//! Looking after the accounts and groups of a vault. No key is needed, and none is used.

use minicbor::Decode;
use transport::Class;
use transport::message::Request;

use super::connect::Connector;
use super::job::{AccountAsk, AccountFacts, GroupAsk, GroupFacts, Run};
use super::remote::Remote;
use crate::fault::{Code, Fault, Result};

/// Does what is asked with accounts, and hands over what they are then.
pub fn account(run: &Run, ask: AccountAsk, row: &mut dyn FnMut(AccountFacts) -> Result<()>) -> Result<()> {
    match ask {
        AccountAsk::List(_) => many(run, &Request::Account(ask), row),
        other => row(one(run, &Request::Account(other))?),
    }
}

/// Does what is asked with groups, and hands over what they are then.
pub fn group(run: &Run, ask: GroupAsk, row: &mut dyn FnMut(GroupFacts) -> Result<()>) -> Result<()> {
    match ask {
        GroupAsk::List(_) => many(run, &Request::Group(ask), row),
        GroupAsk::Delete(_) => one(run, &Request::Group(ask)),
        other => row(one(run, &Request::Group(other))?),
    }
}

/// A request with one reply.
pub fn one<T: for<'b> Decode<'b, ()>>(run: &Run, request: &Request) -> Result<T> {
    let remote = connect(run)?;
    let reply = remote.ask(request)?;
    remote.close()?;
    Ok(reply)
}

/// A request whose replies are lists, an empty one at the end.
pub fn many<T: for<'b> Decode<'b, ()>>(
    run: &Run,
    request: &Request,
    row: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let remote = connect(run)?;
    listed(run, &remote, request, row)?;
    remote.close()
}

/// The same on a connection that is there.
pub(super) fn listed<T: for<'b> Decode<'b, ()>>(
    run: &Run,
    remote: &Remote,
    request: &Request,
    row: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let call = remote.call(Class::Interactive, request).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    loop {
        let rows: Vec<T> = remote.reply(&call)?;
        if rows.is_empty() {
            return Ok(());
        }
        rows.into_iter().try_for_each(&mut *row)?;
        if run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "the listing was interrupted"));
        }
    }
}

/// Only frozen requests may ride with the greeting, and these are not.
pub fn connect(run: &Run) -> Result<Remote> {
    let remote = Connector::admin(run)?.connect()?;
    remote.peer()?;
    Ok(remote)
}
