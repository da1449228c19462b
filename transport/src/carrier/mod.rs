//! Carriers: ways to start the program on the far side and to have its stdin and stdout as a [`Pipe`](crate::Pipe).
//!
//! ```text
//! Address ─┬─ Local ──────────────────────────────────────────── (agent: in process)
//!          ├─ Command ── command: sh -c
//!          └─ Ssh ── config: ssh -G ── choose ─┬─ embedded: russh, host_key, known_hosts
//!                                              └─ system_ssh: ssh
//! ```
//!
//! * [`remote`]: the command line for the far side, and its reading back by a forced command
//! * [`config`], [`choose`]: how a host is reached, and by whom
//! * [`known_hosts`], [`host_key`]: whether a server is the right one
//! * [`prompt`]: what a person is asked
//! * [`end`]: what a process leaves behind

pub mod algorithms;
mod answer;
mod child;
pub mod choose;
pub mod command;
pub mod config;
pub mod embedded;
pub mod end;
pub mod host_key;
pub mod known_hosts;
pub mod prompt;
pub mod remote;
pub mod surroundings;
pub mod system_ssh;

pub use choose::{Choice, Way, Wish};
pub use command::CommandCarrier;
pub use embedded::{Embedded, World};
pub use prompt::{HostKeyQuestion, NoInput, Prompt};
pub use surroundings::Surroundings;
pub use system_ssh::SystemSsh;

use crate::{
    address::{Address, SshAddress},
    error::{Error, Result},
    pipe::Carrier,
};

/// What the far side is to run, and by which client.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// `--ssh`.
    pub wish: Wish,
    /// `--remote-program`; without it the usual places are searched.
    pub remote_program: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--role` of the far side, when it is not the usual one.
    pub role: Option<String>,
}

/// The carrier to an address, and for SSH who carries and why. Nothing is connected yet, but `ssh -G` runs.
///
/// # Errors
/// [`Error::Unreachable`] when the SSH configuration cannot be followed; [`Error::Address`] for a local path, which
/// needs no carrier.
pub fn carrier(
    address: &Address,
    plan: &Plan,
    around: &Surroundings,
    world: World,
) -> Result<(Box<dyn Carrier>, Option<Choice>)> {
    match address {
        Address::Local(path) => {
            Err(Error::Address { why: format!("{} is a directory of this machine", path.display()) })
        }
        Address::Command(command) => Ok((Box::new(CommandCarrier::new(command, world.prompt)), None)),
        Address::Ssh(address) => {
            let (carrier, choice) = ssh(address, plan, around, world)?;
            Ok((carrier, Some(choice)))
        }
    }
}

fn ssh(address: &SshAddress, plan: &Plan, around: &Surroundings, world: World) -> Result<(Box<dyn Carrier>, Choice)> {
    let route = choose::route(address, around)?;
    let choice = choose::choose(plan.wish, &route, around)?;
    let words = remote::Words { vault: address.path.clone(), account: plan.account.clone(), role: plan.role.clone() };
    let line = remote::command_line(plan.remote_program.as_deref(), &words);
    let carrier: Box<dyn Carrier> = match (choice.way, route.last()) {
        (Way::System, Some(host)) => Box::new(SystemSsh::new(address, host, &line, around, world.prompt)?),
        _ => Box::new(Embedded::new(route, line, world)),
    };
    Ok((carrier, choice))
}
