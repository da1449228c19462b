//! `repair`: asks the server for its plan, or to carry it out. Needs no key: it works when the account cannot be opened
//! any more.

use transport::Class;
use transport::message::{Opened, Repair, RepairTold, Request};

use super::account::open_request;
use super::connect::Connector;
use super::errand::{Came, Errand};
use super::job::{RepairJob, RepairRow, RepairSummary, Run};
use super::keys::key_checks;
use crate::event::{Event, Phase};
use crate::fault::Result;
use crate::name::harmless_line;

/// Tells the plan, or does it and tells what was done.
pub fn repair(run: &Run, job: RepairJob, row: &mut dyn FnMut(RepairRow) -> Result<()>) -> Result<RepairSummary> {
    run.watcher.event(&Event::Phase(Phase::Connect));
    let errand = Errand::begin(run, "repair");
    let remote = Connector::new(run)?.connect()?;
    let files = key_checks(run)?;
    let _: Opened = remote.ask(&Request::Open(open_request(run, &files, u64::MAX)))?;
    run.watcher.event(&Event::Phase(Phase::Verify));
    let request = Request::Repair(Repair { act: job.act });
    let call = remote.call(Class::Interactive, &request).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    let mut summary = RepairSummary { acted: job.act, ..RepairSummary::default() };
    loop {
        match remote.reply(&call)? {
            RepairTold::Step(step) => {
                summary.lost += step.lost;
                row(RepairRow { place: harmless_line(&step.place), what: harmless_line(&step.what), lost: step.lost })?;
            }
            RepairTold::Done(steps) => {
                summary.steps = steps;
                let came = Came { errors: summary.lost, ..Came::default() };
                let told = job.act.then(|| errand.done(&remote, came));
                remote.close()?;
                drop(told);
                return Ok(summary);
            }
        }
    }
}
