//! The restore of what is marked: where to, what if something is there, the plan, how far it is, what became of it.
//!
//! Enter on the target asks for the plan, Enter on the plan restores. Without a word of the person nothing is written over
//! and nothing goes to its own place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::engine::job::{Overwrite, Take, TakeJob, TakePlan};
use agent::engine::restore::several;
use agent::name::for_terminal;
use agent::shell::words::{Quote, quote};
use crossterm::event::{KeyCode, KeyEvent};

use super::{DIRS, PLAN};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects};
use crate::console::jobs::Job;
use crate::console::look::{Look, Looked};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::dialog::Confirm;
use crate::widgets::field::{Field, Typed};

/// What can be changed in the dialog, from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Place,
    Target,
    Exists,
    Verify,
    Holes,
    Restore,
    DryRun,
    Cancel,
}

const SPOTS: [Spot; 8] =
    [Spot::Place, Spot::Target, Spot::Exists, Spot::Verify, Spot::Holes, Spot::Restore, Spot::DryRun, Spot::Cancel];

/// How existing files are treated, in the words of the dialog.
pub(super) const EXISTS: [(Overwrite, &str); 5] = [
    (Overwrite::KeepBoth, "keep both"),
    (Overwrite::Never, "skip"),
    (Overwrite::IfNewer, "if older"),
    (Overwrite::IfChanged, "if other"),
    (Overwrite::Always, "replace"),
];

/// How far the dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is filled in.
    Asking,
    /// It was sent, and has no number yet.
    Sent,
    /// It runs.
    Runs(u64),
}

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It stays.
    Stays,
    /// It closes; what runs goes on.
    Closes,
}

/// See the module.
#[derive(Debug)]
pub struct Dialog {
    pub(super) takes: Vec<Take>,
    /// What is restored, in words.
    pub(super) what: String,
    pub(super) in_place: bool,
    pub(super) to: Field,
    pub(super) overwrite: Overwrite,
    pub(super) verify: bool,
    pub(super) with_holes: bool,
    pub(super) spot: Spot,
    pub(super) plan: Pane<Arc<TakePlan>>,
    /// What the plan is of.
    pub(super) planned: Option<TakeJob>,
    pub(super) dirs: Pane<Arc<Vec<PathBuf>>>,
    pub(super) stage: Stage,
    /// A word is asked for above: the next job is this one, if it is said.
    confirming: bool,
    /// Lines of the log that were scrolled back.
    pub(super) back: usize,
}

impl Dialog {
    /// A dialog about these; `what` says it in words.
    #[must_use]
    pub fn new(takes: Vec<Take>, what: String, shared: &Shared) -> Self {
        let name = format!("restored-{}", shared.moment(shared.now_ms, "%Y-%m-%d_%H%M"));
        let to =
            if shared.home.is_some() { format!("~/{name}") } else { shared.working.join(name).display().to_string() };
        Self {
            takes,
            what,
            in_place: false,
            to: Field::holding(&to),
            overwrite: Overwrite::KeepBoth,
            verify: true,
            with_holes: false,
            spot: Spot::Target,
            plan: Pane::new(PLAN),
            planned: None,
            dirs: Pane::new(DIRS),
            stage: Stage::Asking,
            confirming: false,
            back: 0,
        }
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.plan.is_waiting() || self.dirs.is_waiting()
    }

    /// The restore as it is filled in; `None` without a target.
    #[must_use]
    pub fn job(&self, shared: &Shared, dry_run: bool) -> Option<TakeJob> {
        let to = if self.in_place { None } else { Some(target(self.to.text(), shared)?) };
        Some(TakeJob {
            takes: self.takes.clone(),
            to,
            overwrite: self.overwrite,
            verify: self.verify,
            with_holes: self.with_holes,
            dry_run,
            list_items: true,
        })
    }

    /// The same as command lines.
    #[must_use]
    pub fn commands(&self, shared: &Shared) -> Vec<String> {
        let quoted = |word: &std::ffi::OsString| quote(word.as_encoded_bytes(), Quote::Bare, true);
        let line = |words: &Vec<std::ffi::OsString>| {
            std::iter::once("tuckbox".to_owned()).chain(words.iter().map(quoted)).collect::<Vec<_>>().join(" ")
        };
        self.job(shared, false).iter().flat_map(several::words).map(|words| line(&words)).collect()
    }

    /// The number of the job that runs, or ran.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self.stage {
            Stage::Runs(number) => Some(number),
            _ => None,
        }
    }

    /// A job began: perhaps this one.
    pub fn began(&mut self, number: u64) {
        if self.stage == Stage::Sent || std::mem::take(&mut self.confirming) {
            self.stage = Stage::Runs(number);
        }
    }

    /// An answer; whether it was for this.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        let plan = self.plan.hear(heard, |answer| match answer {
            Answer::Looked(Looked::Plan(plan)) => Some(Arc::clone(plan)),
            _ => None,
        });
        if plan && self.plan.value().is_some() && self.plan.fault().is_none() {
            self.spot = Spot::Restore;
        }
        let dirs = self.dirs.hear(heard, |answer| match answer {
            Answer::Looked(Looked::Dirs(dirs)) => Some(Arc::clone(dirs)),
            _ => None,
        });
        if dirs {
            self.complete();
        }
        plan || dirs
    }

    /// Something was pasted.
    pub fn paste(&mut self, text: &str) {
        if self.stage == Stage::Asking && self.spot == Spot::Target {
            self.to.insert(text);
            self.change();
        }
    }

    /// Another plan than the one that was shown.
    fn change(&mut self) {
        self.planned = None;
        self.plan.clear();
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Sent {
        self.confirming = false;
        match self.stage {
            Stage::Asking => self.ask_key(shared, key, out),
            Stage::Sent => {
                if key.code == KeyCode::Esc {
                    Sent::Closes
                } else {
                    Sent::Stays
                }
            }
            Stage::Runs(number) => self.run_key(shared, key, number, out),
        }
    }

    fn ask_key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Sent {
        if self.spot == Spot::Target {
            match self.to.key(key) {
                Typed::Changed => {
                    self.dirs.clear();
                    self.change();
                    return Sent::Stays;
                }
                Typed::Kept => return Sent::Stays,
                Typed::Done => {
                    self.plan(shared, out);
                    return Sent::Stays;
                }
                Typed::GivenUp => return Sent::Closes,
                Typed::Other if key.code == KeyCode::Tab => {
                    if let Some(begun) = target(self.to.text(), shared) {
                        let slash = self.to.text().ends_with('/');
                        let begun = if slash { begun.join("") } else { begun };
                        self.dirs.ask(shared, Ask::Look(Look::Dirs(begun)), out);
                    }
                    return Sent::Stays;
                }
                Typed::Other => {}
            }
        }
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Sent::Closes,
            KeyCode::Up | KeyCode::BackTab | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::Down | KeyCode::Tab | KeyCode::Char('j') => self.move_by(1),
            KeyCode::Left | KeyCode::Char('h') => self.turn(-1),
            KeyCode::Right | KeyCode::Char('l' | ' ') => self.turn(1),
            KeyCode::Char('y') => out.push(Effect::Copy(self.commands(shared).join("\n"))),
            KeyCode::Enter => match self.spot {
                Spot::Cancel => return Sent::Closes,
                Spot::DryRun => self.run(shared, true, out),
                Spot::Restore if self.planned.is_some() && self.plan.value().is_some() => self.confirm(shared, out),
                _ => self.plan(shared, out),
            },
            _ => {}
        }
        Sent::Stays
    }

    fn move_by(&mut self, by: isize) {
        let at = SPOTS.iter().position(|spot| *spot == self.spot).unwrap_or(0);
        let mut at = at;
        loop {
            at = at.saturating_add_signed(by).min(SPOTS.len() - 1);
            let Some(spot) = SPOTS.get(at) else { return };
            // In place there is no target to type.
            if !(self.in_place && *spot == Spot::Target) {
                self.spot = *spot;
                return;
            }
        }
    }

    /// Another choice where one is.
    fn turn(&mut self, by: isize) {
        match self.spot {
            Spot::Place => self.in_place = !self.in_place,
            Spot::Exists => {
                let at = EXISTS.iter().position(|(mode, _)| *mode == self.overwrite).unwrap_or(0);
                let at = at.saturating_add_signed(by).min(EXISTS.len() - 1);
                self.overwrite = EXISTS.get(at).map_or(Overwrite::Never, |(mode, _)| *mode);
            }
            Spot::Verify => self.verify = !self.verify,
            Spot::Holes => self.with_holes = !self.with_holes,
            Spot::Restore | Spot::DryRun | Spot::Cancel => return self.move_by(by),
            Spot::Target => return,
        }
        self.change();
    }

    fn plan(&mut self, shared: &Shared, out: &mut Effects) {
        match self.job(shared, false) {
            Some(job) => {
                self.plan.ask(shared, Ask::Look(Look::Plan(Box::new(job.clone()))), out);
                self.planned = Some(job);
            }
            None => out.warn("name a directory to restore to"),
        }
    }

    /// What writes over files in their own place is confirmed by a word.
    fn confirm(&mut self, shared: &Shared, out: &mut Effects) {
        let Some(job) = self.planned.clone().filter(|_| self.in_place) else { return self.run(shared, false, out) };
        let text = format!("This writes to where the files were, on this machine: {}.", self.plan_text());
        let confirm = Confirm::new("Restore in place", text, vec![Effect::Take(Box::new(job))]).by_word("restore");
        self.confirming = true;
        out.open(Overlay::Confirm(confirm));
    }

    fn run(&mut self, shared: &Shared, dry_run: bool, out: &mut Effects) {
        match self.job(shared, dry_run) {
            Some(job) => {
                self.stage = Stage::Sent;
                out.push(Effect::Take(Box::new(job)));
            }
            None => out.warn("name a directory to restore to"),
        }
    }

    fn run_key(&mut self, shared: &Shared, key: &KeyEvent, number: u64, out: &mut Effects) -> Sent {
        let runs = shared.jobs.get(number).is_some_and(Job::runs);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Sent::Closes,
            KeyCode::Enter if !runs => return Sent::Closes,
            KeyCode::Char('c') if runs => out.push(Effect::Cancel(number)),
            KeyCode::Char('y') => {
                if let Some(to) = self.job(shared, false).and_then(|job| job.to) {
                    out.push(Effect::Copy(for_terminal(to.as_os_str().as_encoded_bytes())));
                }
            }
            KeyCode::Up | KeyCode::Char('k') => self.back = self.back.saturating_add(1),
            KeyCode::Down | KeyCode::Char('j') => self.back = self.back.saturating_sub(1),
            _ => {}
        }
        Sent::Stays
    }

    /// Goes on with what was typed as far as the directories that begin so agree.
    fn complete(&mut self) {
        let Some(dirs) = self.dirs.value() else { return };
        let Some(first) = dirs.first().map(|path| path.display().to_string()) else { return };
        let common = dirs.iter().fold(first.as_str(), |common, path| {
            let path = path.display().to_string();
            let same = common.char_indices().zip(path.chars()).find(|((_, a), b)| a != b);
            let end = same.map_or(common.len().min(path.len()), |((at, _), _)| at);
            first.get(..end).unwrap_or_default()
        });
        let only = if dirs.len() == 1 { "/" } else { "" };
        let whole = format!("{common}{only}");
        if whole.len() > 1 {
            self.to = Field::holding(&whole);
            self.change();
        }
    }
}

/// A directory as it was typed: `~` is the home directory. `None`: nothing was typed.
#[must_use]
pub fn target(typed: &str, shared: &Shared) -> Option<PathBuf> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    let path = match (typed.strip_prefix('~'), &shared.home) {
        (Some(""), Some(home)) => home.clone(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => shared.working.join(typed),
    };
    let plain = agent::world::absolute_plain(Path::new("/"), path.as_os_str());
    Some(PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(plain)))
}
