//! Looks at everything a backup depends on, and changes nothing.

use std::path::Path;

use transport::message::health::StatusAsk;

use super::account::Account;
use super::connect::Connector;
use super::job::{DoctorRow, Health, Run};
use super::keys::key_checks;
use super::status::ask_all;
use crate::fault::{Code, Fault, Result};
use crate::health::{absent_volumes, damage};
use crate::name::for_terminal;
use crate::units::{duration, size};

/// A clock that differs by more than this from the vault's is worth a warning, ms.
const CLOCK_WARN_MS: i64 = 60_000;
/// What is to be done about volumes that are not there.
pub(super) const VOLUMES_NEXT: &str =
    "bring the disk back; whoever looks after the vault sees which with tuckbox volume list";
/// Free bytes on the vault's disk below which is worth a warning.
const FREE_WARN_BYTES: u64 = 1 << 30;

/// See the module. Each row is handed over as soon as it is known.
pub fn doctor(run: &Run, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
    folders(run, row)?;
    keys(run, row)?;
    let connector = match Connector::new(run) {
        Ok(connector) => connector,
        Err(fault) => return row(failed("vault", &fault)),
    };
    let started = run.clock.monotonic_ms();
    let answers = match connector.connect().and_then(|remote| remote.peer()) {
        Ok(peer) => {
            let took = u64::try_from(run.clock.monotonic_ms() - started).unwrap_or(0);
            format!("{} answers in {} with {peer}", connector.describe(), duration(took))
        }
        Err(fault) => return row(failed("vault", &fault)),
    };
    // A program that answers is no vault yet.
    let account = match Account::open(run) {
        Err(fault) if matches!(fault.code, Code::VaultNone | Code::VaultNotAVault) => {
            return row(failed("vault", &fault));
        }
        account => {
            row(ok("vault", answers))?;
            account
        }
    };
    let account = match account {
        Ok(account) => account,
        Err(fault) => return row(failed("account", &fault)),
    };
    opened(&account, row)?;
    stored(&account, row)?;
    account.remote.close()
}

/// What an open account shows.
fn opened(account: &Account, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
    let name = for_terminal(account.row.name.as_bytes());
    match &account.suspicion {
        Some(suspicion) => row(failed("history", suspicion))?,
        None => row(ok("history", format!("{} links, whole and signed", account.history().sequence())))?,
    }
    row(ok("account", format!("{name}, its key opens here")))?;
    if account.state().words_shown {
        row(ok("words", "the recovery words were shown".into()))?;
    } else {
        let text = "the recovery words were never shown: without them or the key file nothing can be restored";
        row(warn("words", text.into(), "tuckbox key words"))?;
    }
    let ahead = account.clock_ahead_ms;
    if ahead.unsigned_abs() > CLOCK_WARN_MS.unsigned_abs() {
        let by = duration(ahead.unsigned_abs());
        let text = format!("the vault's clock is {by} {}", if ahead > 0 { "ahead of ours" } else { "behind ours" });
        row(warn("clock", text, "set the clocks of both machines by time synchronisation"))?;
    } else {
        row(ok("clock", "agrees with the vault's".into()))?;
    }
    match account.free_bytes {
        Some(free) if free < FREE_WARN_BYTES => {
            row(warn("space", format!("only {} are free on the vault's disk", size(free)), "free some space there"))?;
        }
        Some(free) => row(ok("space", format!("{} are free on the vault's disk", size(free))))?,
        None => {}
    }
    match account.version_links(false).last() {
        Some(link) => {
            // Both of the last are the server's word.
            let now = account.run.clock.now_ms().saturating_add(ahead);
            let age = now.saturating_sub(link.received_at());
            row(ok("last version", format!("{} ago", duration(u64::try_from(age).unwrap_or(0)))))
        }
        None => row(warn("last version", "there is none yet".into(), "tuckbox backup DIR")),
    }
}

/// What the vault knows of damage to what it stores, and of disks that are away.
fn stored(account: &Account, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
    let ask = StatusAsk { own: true, ..StatusAsk::default() };
    let told = match ask_all(&account.run, &account.remote, ask) {
        Ok((accounts, _)) => accounts,
        Err(fault) => return row(failed("stored", &fault)),
    };
    for facts in &told {
        match damage(facts) {
            Some((text, _, next)) => row(fail("stored", text, next))?,
            None => row(ok("stored", "nothing is known to be damaged".into()))?,
        }
    }
    match account.absent_volumes.as_deref().and_then(absent_volumes) {
        Some(text) => row(fail("volumes", text, VOLUMES_NEXT)),
        None => Ok(()),
    }
}

/// Whether our own directories can be written.
fn folders(run: &Run, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
    for (name, path) in [("config", &run.folders.config), ("state", &run.folders.state), ("cache", &run.folders.cache)]
    {
        let shown = for_terminal(path.as_os_str().as_encoded_bytes());
        if may_write(path) {
            row(ok(name, shown))?;
        } else {
            row(DoctorRow {
                health: if name == "cache" { Health::Warn } else { Health::Fail },
                name: name.to_owned(),
                text: format!("{shown} cannot be written"),
                hint: Some(format!("give yourself the right to write {shown}")),
            })?;
        }
    }
    Ok(())
}

/// Whether a directory, or the nearest one above that is there, may be written.
fn may_write(path: &Path) -> bool {
    let there = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok()
}

fn keys(run: &Run, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
    match key_checks(run) {
        Ok(found) if found.is_empty() => {
            row(warn("keys", "there is no key on this machine yet".into(), "tuckbox init"))
        }
        Ok(found) => {
            let shown: Vec<String> =
                found.iter().map(|found| for_terminal(found.path.as_os_str().as_encoded_bytes())).collect();
            row(ok("keys", format!("{}, readable only by you", shown.join(", "))))
        }
        Err(fault) => row(failed("keys", &fault)),
    }
}

fn ok(name: &str, text: String) -> DoctorRow {
    DoctorRow { health: Health::Ok, name: name.to_owned(), text, hint: None }
}

fn warn(name: &str, text: String, hint: &str) -> DoctorRow {
    DoctorRow { health: Health::Warn, name: name.to_owned(), text, hint: Some(hint.to_owned()) }
}

fn fail(name: &str, text: String, hint: &str) -> DoctorRow {
    DoctorRow { health: Health::Fail, name: name.to_owned(), text, hint: Some(hint.to_owned()) }
}

fn failed(name: &str, fault: &Fault) -> DoctorRow {
    DoctorRow { health: Health::Fail, name: name.to_owned(), text: fault.to_string(), hint: fault.hint.clone() }
}
