//! Setting right what is damaged and needs no source.

use store::vault::Access;
use transport::Call;
use transport::message::{Repair, RepairStep, RepairTold};

use super::refuse::Refused;
use super::report::renew_pulse;
use super::{Server, reply};

impl Server {
    /// Tells the plan of a repair, or does it and tells what was done.
    pub fn repair(&self, call: &Call, repair: Repair) -> Result<(), Refused> {
        let (vault, account, domain) = self.account(if repair.act { Access::Write } else { Access::Read })?;
        let mut gone = false;
        let steps = domain.repair(repair.act, &mut |step| {
            let told = RepairStep { place: step.place, what: step.what, lost: step.lost };
            gone = gone || reply(call, RepairTold::Step(told)).is_err();
            // What was begun is finished, whoever listens.
            Ok(())
        })?;
        if repair.act {
            renew_pulse(&vault, &account);
        }
        if gone {
            return Err(Refused::Gone);
        }
        reply(call, RepairTold::Done(steps))
    }
}
