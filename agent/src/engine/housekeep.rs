//! `housekeep`: asks the server to do what is due. No key is needed for it.

use transport::Class;
use transport::message::{Housekeep, HousekeepLog, Kept, Logged, Opened, Request};

use super::account::open_request;
use super::connect::Connector;
use super::errand::{Came, Errand};
use super::job::{HousekeepJob, HousekeepSummary, KeptRow, LoggedPass, Run};
use super::keys::key_checks;
use super::remote::Remote;
use crate::event::{Event, Phase};
use crate::fault::{Code, Fault, Result};

/// One pass. What the server tells goes to `row`.
pub fn housekeep(
    run: &Run,
    job: &HousekeepJob,
    row: &mut dyn FnMut(KeptRow) -> Result<()>,
) -> Result<HousekeepSummary> {
    let started = run.clock.monotonic_ms();
    let errand = Errand::begin(run, "housekeep");
    run.watcher.event(&Event::Phase(Phase::Connect));
    let remote = opened(run)?;
    let request = Request::Housekeep(Housekeep {
        dry_run: job.dry_run,
        confirmed: job.confirmed,
        most_ms: job.most_ms,
        most_bytes: job.most_bytes,
        without: None,
    });
    let call = remote.call(Class::Interactive, &request).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    let done = loop {
        match remote.reply(&call)? {
            Kept::Version { sequence, received_at, fate, why } => {
                row(KeptRow::Version { sequence, received_at_ms: received_at, fate, why })?;
            }
            Kept::Step { what, count, bytes } => row(KeptRow::Step { what, count, bytes })?,
            Kept::Done(done) => break done,
        }
        if run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "housekeeping was interrupted"));
        }
    };
    let came = Came { errors: done.holes, bytes: done.unlinked_bytes, ..Came::default() };
    let told = (!job.dry_run).then(|| errand.done(&remote, came));
    remote.close()?;
    drop(told);
    Ok(HousekeepSummary {
        dry_run: job.dry_run,
        unchanged: done.unchanged,
        unfinished: done.unfinished,
        holes: done.holes,
        versions: done.versions,
        waiting: done.waiting,
        expired: done.expired,
        forgotten: done.forgotten,
        superseded: done.superseded,
        pressed: done.pressed.unwrap_or(0),
        kept_bytes: done.kept_bytes,
        condemned_bytes: done.condemned_bytes,
        freed_bytes: done.freed_bytes,
        unlinked_bytes: done.unlinked_bytes,
        unlinked_packs: done.unlinked,
        rewritten_packs: done.rewritten,
        copied_bytes: done.copied_bytes,
        elapsed_ms: u64::try_from(run.clock.monotonic_ms() - started).unwrap_or(0),
    })
}

/// What passes have done, oldest first.
pub fn log(run: &Run, row: &mut dyn FnMut(LoggedPass) -> Result<()>) -> Result<()> {
    run.watcher.event(&Event::Phase(Phase::Connect));
    let remote = opened(run)?;
    let request = Request::HousekeepLog(HousekeepLog {});
    let call = remote.call(Class::Interactive, &request).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    while let Logged::Pass(pass) = remote.reply(&call)? {
        row(LoggedPass {
            at_ms: pass.at,
            took_ms: pass.took_ms,
            failed: pass.failed,
            unfinished: pass.unfinished,
            holes: pass.holes,
            waiting: pass.waiting,
            gone: pass.gone.into_iter().map(|gone| (gone.version, gone.why)).collect(),
            more: pass.more,
            condemned_bytes: pass.condemned_bytes,
            freed_bytes: pass.freed_bytes,
            copied_bytes: pass.copied_bytes,
            unlinked_bytes: pass.unlinked_bytes,
        })?;
    }
    remote.close()
}

/// A vault with the account opened. Keys only help to say which one is meant; a machine without any may ask too.
fn opened(run: &Run) -> Result<Remote> {
    let remote = Connector::new(run)?.connect()?;
    let files = key_checks(run).unwrap_or_default();
    let _: Opened = remote.ask(&Request::Open(open_request(run, &files, u64::MAX)))?;
    Ok(remote)
}
