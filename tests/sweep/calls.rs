//! Killed at each system call by which it changes files, and each such call refused: once, and from then on.

use rustix::io::Errno;
use tests::subject::Outcome;

use crate::recipes::{End, Recipe, all};
use crate::stage::Stage;
use crate::tripwire::{Action, counted, program};
use crate::{Tally, share, spread};

/// Cases of each series in the short form.
const SHORT: u64 = 1;
/// Exit codes of a run whose server was lost.
const LOST: i32 = 8;
/// The same, of a process that was killed, as a shell tells it.
const KILLED: i32 = 137;

/// Plays each recipe at each of its ends with what `actions` says, at calls spread over all that there are.
fn sweep(what: &str, actions: &[Action], told: impl Fn(&Recipe, End, Action, &Outcome)) {
    if program().is_none() {
        return;
    }
    let mut tally = Tally::default();
    let only = std::env::var("TUCKBOX_SWEEP_ONLY").unwrap_or_default();
    for (recipe, number) in all().zip(1_u64..) {
        if !format!("{} {}", recipe.verb, recipe.name).contains(&only) {
            continue;
        }
        let stage = Stage::set(recipe);
        for end in recipe.ends {
            stage.reset();
            let run = stage.call(*end, Action::Count, 0, false).run();
            assert!(recipe.fine.contains(&run.code()), "{run}");
            let (files, all) = counted(&stage.world);
            for (action, series) in actions.iter().zip(1_u64..) {
                let last = if matches!(action, Action::Kill) { all } else { files };
                for at in spread(last, share(SHORT), number * 100 + series) {
                    let name = || format!("{} {} {end:?} {action:?} at {at} of {last}", recipe.verb, recipe.name);
                    tally.case(name, || {
                        stage.reset();
                        let once = !matches!(action, Action::Errors(_));
                        let run = stage.call(*end, *action, at, once).run();
                        assert!(!run.err().contains("panicked at"), "it panicked\n{run}");
                        told(recipe, *end, *action, &run);
                        stage.holds(&run);
                    });
                }
            }
        }
    }
    tally.end(what);
}

#[test]
fn killed_at_each_call() {
    sweep("killed at a system call", &[Action::Kill], |recipe, end, _, run| {
        let fine = recipe.fine.contains(&run.code());
        // A run may get by with fewer calls than the one that was counted.
        let as_it_was = run.code() == if end == End::Server { LOST } else { KILLED };
        assert!(fine || as_it_was, "exit code\n{run}");
    });
}

/// Exit code and text name the cause, or nothing was lost by it.
pub(crate) fn names_the_cause(recipe: &Recipe, _: End, action: Action, run: &Outcome) {
    if recipe.fine.contains(&run.code()) {
        return;
    }
    let (Action::Error(number) | Action::Errors(number)) = action else { panic!("{action:?}") };
    let (code, words) = match Errno::from_raw_os_error(number) {
        Errno::NOSPC => ("disk.full", "No space left on device"),
        Errno::DQUOT => ("disk.full", "Disk quota exceeded"),
        _ => ("disk.failed", "Input/output error"),
    };
    let said = format!("{}{}", run.err(), String::from_utf8_lossy(&run.stdout));
    let told = |code: &str| said.contains(&format!("[{code}")) || said.contains(&format!("\"code\":\"{code}\""));
    let named = match run.code() {
        9 => code == "disk.full" && told(code),
        // SQLite does not tell why it could not; and a moment later there was space.
        1 if code == "disk.full" && matches!(action, Action::Error(_)) => said.contains("the vault's catalog"),
        1 => told(code),
        // What of a file could not be restored is said of that file.
        3 => told("restore.skipped") && said.contains(words),
        _ => false,
    };
    assert!(named, "exit code and text do not name the cause\n{run}");
}

#[test]
fn input_and_output_errors_at_each_call() {
    let error = Errno::IO.raw_os_error();
    sweep("EIO", &[Action::Error(error), Action::Errors(error)], names_the_cause);
}

#[test]
fn no_space_at_each_call() {
    let error = Errno::NOSPC.raw_os_error();
    sweep("ENOSPC", &[Action::Error(error), Action::Errors(error)], names_the_cause);
}

#[test]
fn no_quota_at_each_call() {
    let error = Errno::DQUOT.raw_os_error();
    sweep("EDQUOT", &[Action::Error(error), Action::Errors(error)], names_the_cause);
}
