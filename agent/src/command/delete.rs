//! `delete`: appends a version without some paths.

use clap::{ArgMatches, Command};

use super::{Changes, Verb, needs_yes, paths, rollback, switch};
use crate::cli::Desk;
use crate::engine::job::DeleteJob;
use crate::fault::{Exit, Result};

pub(super) const VERB: Verb = Verb {
    name: "delete",
    about: "Append a version without some paths; history stays",
    examples: &["delete ~/docs/old", "delete /srv/gone-host -n"],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command
        .arg(paths("path", "What the new version shall not have").required(true).num_args(1..))
        .arg(switch("dry-run", "Tell what would be done; append nothing").short('n'))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let job = DeleteJob { paths: desk.paths(matches, "path"), dry_run: matches.get_flag("dry-run") };
    if !job.dry_run {
        needs_yes(desk, "appending a version")?;
    }
    let dry_run = job.dry_run;
    let summary = desk.engine().delete(&desk.run()?, job)?;
    rollback::told(desk, "delete", &summary, dry_run)
}
