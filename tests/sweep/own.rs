//! What a machine has of its own, and what is restored on it: killed at each call by which that is changed, and each such
//! call refused. Afterwards no key is lost, no file is half, nothing that was seen of a vault is forgotten, and the next run
//! works.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use store::seal::KeyFile;
use tests::subject::{Outcome, files_below};

use crate::calls::names_the_cause;
use crate::recipes::{End, all};
use crate::stage::Stage;
use crate::tripwire::{Action, counted, program};
use crate::{Tally, share, spread};

/// Cases of each series in the short form.
const SHORT: u64 = 1;
/// Exit code of a process that was killed, as a shell tells it.
const KILLED: i32 = 137;

#[test]
fn killed_and_refused_at_each_call_about_them() {
    if program().is_none() {
        return;
    }
    let refused = [Errno::IO, Errno::NOSPC, Errno::DQUOT].map(Errno::raw_os_error);
    let mut actions = vec![Action::Kill];
    actions.extend(refused.into_iter().flat_map(|number| [Action::Error(number), Action::Errors(number)]));
    let mut tally = Tally::default();
    let only = std::env::var("TUCKBOX_SWEEP_ONLY").unwrap_or_default();
    for (recipe, number) in all().zip(1_u64..) {
        let is_client = |end: &&End| **end != End::Server;
        let Some(end) = recipe.ends.iter().rev().find(is_client) else { continue };
        if !format!("{} {}", recipe.verb, recipe.name).contains(&only) {
            continue;
        }
        let stage = Stage::set(recipe);
        stage.reset();
        let run = stage.call_own(*end, Action::Count, 0).run();
        assert!(recipe.fine.contains(&run.code()), "{run}");
        let (last, _) = counted(&stage.world);
        // In the short form, which of the ways to refuse is the turn of each recipe.
        let turn = number as usize % (actions.len() - 1);
        let some = match share(SHORT) {
            SHORT => vec![actions[0], actions[1 + turn]],
            _ => actions.clone(),
        };
        for (action, series) in some.into_iter().zip(1_u64..) {
            for at in spread(last, share(SHORT), number * 100 + series) {
                let name = || format!("{} {} {end:?} {action:?} at {at} of {last}", recipe.verb, recipe.name);
                tally.case(name, || case(&stage, *end, action, at));
            }
        }
    }
    tally.end("the machine's own files");
}

fn case(stage: &Stage, end: End, action: Action, at: u64) {
    stage.reset();
    let before = OwnFiles::of(&stage.world.path("saved").join(stage.world.home().file_name().unwrap()));
    let run = stage.call_own(end, action, at).run();
    assert!(!run.err().contains("panicked at"), "it panicked\n{run}");
    match action {
        Action::Kill => {
            assert!(run.code() == KILLED || stage.recipe.fine.contains(&run.code()), "exit code\n{run}");
        }
        _ => names_the_cause(stage.recipe, end, action, &run),
    }
    // To take an older history for the true one is what some are asked to do.
    let forgets = stage.recipe.name == "accept an older history";
    OwnFiles::of(&stage.world.home()).follow(&before, forgets, &run);
    stage.holds(&run);
}

/// What stands below a home.
struct OwnFiles {
    home: PathBuf,
    files: Vec<PathBuf>,
}

impl OwnFiles {
    fn of(home: &Path) -> Self {
        let mut files = files_below(home);
        files.sort();
        let files = files.iter().map(|file| file.strip_prefix(home).unwrap().to_owned()).collect();
        Self { home: home.to_owned(), files }
    }

    /// Keys, state and configuration that were there are there, and everything that has its name is whole.
    fn follow(&self, before: &Self, forgets: bool, run: &Outcome) {
        for file in &before.files {
            let is_kept = file.starts_with(".config") || file.starts_with(".local/state");
            assert!(!is_kept || self.files.contains(file), "{} is gone\n{run}", file.display());
        }
        for file in &self.files {
            let bytes = fs::read(self.home.join(file)).unwrap();
            let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            let whole = match extension {
                "key" if file.starts_with(".config") => {
                    str::from_utf8(&bytes).is_ok_and(|text| KeyFile::parse(text).is_ok())
                }
                "json" => serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(),
                "toml" => str::from_utf8(&bytes).is_ok_and(|text| toml::from_str::<toml::Table>(text).is_ok()),
                _ => true,
            };
            assert!(whole, "{} is half: {} bytes\n{run}", file.display(), bytes.len());
            if extension == "json" && !forgets {
                self.not_forgotten(before, file, &bytes);
            }
        }
    }

    /// The newest link that was seen of a vault is not an older one now.
    fn not_forgotten(&self, before: &Self, file: &Path, bytes: &[u8]) {
        let seen = |bytes: &[u8]| -> Option<u64> {
            serde_json::from_slice::<serde_json::Value>(bytes).ok()?["seen"]["sequence"].as_u64()
        };
        let then = fs::read(before.home.join(file)).ok().and_then(|bytes| seen(&bytes));
        assert!(then <= seen(bytes), "{}: seen was {then:?}, and is {:?}", file.display(), seen(bytes));
    }
}
