//! `repair`: tells what is damaged in the vault and can be set right without any source; does it with `--yes`.

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb};
use crate::cli::{Desk, Face};
use crate::engine::job::{RepairJob, RepairSummary};
use crate::fault::{Exit, Result};
use crate::units::counted;

pub(super) const VERB: Verb = Verb {
    name: "repair",
    about: "Tell what damage can be set right; with --yes, do it",
    examples: &["repair", "repair --yes"],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
}

#[derive(Serialize)]
struct StepRecord<'a> {
    place: &'a str,
    what: &'a str,
    lost: u64,
}

fn run(_: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let job = RepairJob { act: desk.settings.yes };
    let summary = desk.engine().repair(&desk.run()?, job, &mut |row| match &desk.face {
        Face::Json(stream) => {
            stream.record("repair", &StepRecord { place: &row.place, what: &row.what, lost: row.lost })
        }
        Face::Plain(plain) => plain.line(&format!("{}: {}", row.place, row.what)),
    })?;
    told(&summary).iter().try_for_each(|line| desk.face.say(line))?;
    desk.face.summary("repair", &summary)?;
    Ok(exit(&summary))
}

fn exit(s: &RepairSummary) -> Exit {
    match (s.steps, s.acted, s.lost) {
        (0, ..) | (_, true, 0) => Exit::Ok,
        (_, true, _) => Exit::Partial,
        // It waits for somebody to say yes.
        (_, false, _) => Exit::Refused,
    }
}

fn told(s: &RepairSummary) -> Vec<String> {
    let steps = counted(s.steps, "step", "steps");
    let mut lines = Vec::new();
    if s.steps == 0 {
        lines.push(
            "Nothing to repair without a source. What versions have lost, and what is left of it:  tuckbox check"
                .to_owned(),
        );
    } else if s.acted {
        lines.push(format!("{steps} done. What was replaced is below aside/ in the vault; nothing was removed."));
        lines.push("Next:  tuckbox backup  (gives back what its sources still have), then  tuckbox check".to_owned());
    } else {
        lines.push(format!("{steps} to be done; nothing was changed. To do it:  tuckbox repair --yes"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_waits_and_a_loss_is_partial() {
        let of = |steps, acted, lost| exit(&RepairSummary { steps, acted, lost });
        assert_eq!(of(0, false, 0), Exit::Ok);
        assert_eq!(of(2, false, 0), Exit::Refused);
        assert_eq!(of(2, true, 0), Exit::Ok);
        assert_eq!(of(2, true, 1), Exit::Partial);
        assert!(told(&RepairSummary::default())[0].starts_with("Nothing to repair"));
    }
}
