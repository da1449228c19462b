//! `report`: how a vault is doing, for who looks after it. One file a report; each is a list, so that `--format csv` makes a
//! sheet of it.

mod activity;
mod failures;
mod period;
mod restores;
pub(super) mod space;
mod storage;
mod summary;
mod trend;

use clap::{ArgMatches, Command};

use super::{Changes, Verb, with_verbs_below};
use crate::cli::Desk;
use crate::fault::{Code, Exit, Fault, Result};

pub(super) const VERB: Verb = Verb {
    name: "report",
    about: "Tell how a vault is doing: what is taken, and how it grows",
    examples: &[
        "report summary",
        "report failures --since 7d",
        "report space --format csv",
        "report trend --of laptop-ana",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

/// One report.
struct Report {
    /// Its word.
    name: &'static str,
    /// What it tells, in one line.
    about: &'static str,
    /// Adds its arguments.
    build: fn(Command) -> Command,
    /// Makes it.
    run: fn(&ArgMatches, &Desk<'_>) -> Result<Exit>,
}

/// All reports, in the order of the help.
static REPORTS: &[Report] = &[
    summary::REPORT,
    failures::REPORT,
    storage::REPORT,
    space::REPORT,
    activity::REPORT,
    restores::REPORT,
    trend::REPORT,
];

fn build(command: Command) -> Command {
    let command = with_verbs_below(command).subcommand_value_name("REPORT").subcommand_help_heading("Reports");
    let below = |report: &Report| (report.build)(Command::new(report.name).about(report.about));
    REPORTS.iter().fold(command, |command, report| command.subcommand(below(report)))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let chosen = matches.subcommand().and_then(|(name, below)| {
        let report = REPORTS.iter().find(|report| report.name == name)?;
        Some((report, below))
    });
    match chosen {
        Some((report, below)) => (report.run)(below, desk),
        None => Err(Fault::new(Code::Usage, "say which report").hint("see `tuckbox help report`")),
    }
}
