//! A restore of what was marked, as a job: what becomes of each name is a line of its log.

use std::sync::Arc;

use agent::cli::inside::Inside;
use agent::cli::{inside_desk, json::exit_number};
use agent::engine::job::{TakeJob, TakeSummary};
use agent::event::{Action, Deaf, Event, Watcher};
use agent::fault::{Exit, Result};
use agent::name::for_terminal;
use agent::units::{counted, duration, size};
use agent::world::{Out, World};

/// Does it; the exit status.
pub fn run(world: &World, inside: &Inside, job: TakeJob) -> u8 {
    match take(world, inside, job) {
        Ok(exit) => exit_number(exit),
        Err(fault) => {
            let exit = exit_number(fault.exit());
            // Nobody hears it any more when the console was left.
            world.stderr.line(&agent::cli::plain::fault_text(&fault, exit, false)).unwrap_or_default();
            exit
        }
    }
}

fn take(world: &World, inside: &Inside, job: TakeJob) -> Result<Exit> {
    let desk = inside_desk(world, inside)?;
    let mut run = desk.run()?;
    let hears = inside.hears.clone().unwrap_or_else(|| Arc::new(Deaf));
    run.watcher = Arc::new(Teller { hears, out: Arc::clone(&world.stdout), dry_run: job.dry_run });
    let dry_run = job.dry_run;
    let summary = desk.engine().take(&run, job)?;
    told(&summary, dry_run).iter().try_for_each(|line| world.stdout.line(line))?;
    Ok(exit(&summary))
}

/// As the verb `restore` ends.
fn exit(summary: &TakeSummary) -> Exit {
    let all = &summary.all;
    match all.files_damaged {
        0 if all.errors + all.files_skipped == 0 && !all.history_doubtful => Exit::Ok,
        0 => Exit::Partial,
        _ => Exit::Damaged,
    }
}

fn told(summary: &TakeSummary, dry_run: bool) -> Vec<String> {
    let all = &summary.all;
    let files = counted(all.files_restored, "file", "files");
    let mut lines = vec![if dry_run {
        format!("would restore {files}, {}", size(all.restored_bytes))
    } else {
        format!("restored {files}, {}, in {}", size(all.restored_bytes), duration(all.elapsed_ms))
    }];
    let also = [
        (all.files_replaced, "took the place of something else", "took the place of something else"),
        (all.files_kept, "was there already and left as it is", "were there already and left as they are"),
        (
            all.files_beside,
            "stands beside another that stays, as NAME (tuckbox DATE)",
            "stand beside others that stay, as NAME (tuckbox DATE)",
        ),
        (all.files_verified, "read back and equal", "read back and equal"),
        (all.files_skipped, "could not be restored as it was", "could not be restored as they were"),
        (all.files_damaged, "is damaged in the vault", "are damaged in the vault"),
    ];
    lines
        .extend(also.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| format!("  {}", counted(n, one, many))));
    if all.history_doubtful {
        lines.push("  this may not be the newest: the vault does not show all that was seen of it here".to_owned());
    }
    lines
}

/// Writes down what becomes of each name, and passes everything on.
struct Teller {
    hears: Arc<dyn Watcher>,
    out: Arc<Out>,
    dry_run: bool,
}

impl Watcher for Teller {
    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Item { action, path, .. } => {
                let what = match (action, self.dry_run) {
                    (Action::Restored, true) => "would restore",
                    (action, _) => action.name(),
                };
                Some(format!("{what} {}", for_terminal(path)))
            }
            Event::Warning(fault) => {
                let why = fault.causes.first().map_or(String::new(), |cause| format!(": {cause}"));
                Some(format!("! {}{why}", fault.message))
            }
            Event::Note(text) | Event::Remote(text) => Some((*text).to_owned()),
            _ => None,
        };
        if let Some(line) = line {
            // Who left the console does not read it.
            self.out.line(&line).unwrap_or_default();
        }
        self.hears.event(event);
    }

    fn wants_totals(&self) -> bool {
        true
    }
}
