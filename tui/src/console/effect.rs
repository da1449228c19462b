//! What screens want done. They only say so; the application does what is within the console, the runner the rest.

use std::collections::VecDeque;
use std::ffi::OsString;

use agent::engine::job::TakeJob;

use super::ask::Ask;
use super::keys::Action;
use super::overlay::Overlay;
use super::plan::Step;
use super::theme::Health;
use crate::screens::ScreenId;
use crate::screens::browser::marks::Mark;

/// Who gets an answer: a screen, and which pane of it. At most one question of a lane is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane(pub ScreenId, pub u8);

/// See the module.
#[derive(Debug)]
pub enum Effect {
    /// Another screen.
    Go(ScreenId),
    /// One screen back.
    Back,
    /// As if the key of this action had been pressed, on the screen that is shown then.
    Press(Action),
    /// Another account.
    Account(String),
    /// Another vault.
    Vault(String),
    /// Another version is looked at; `None` = the newest.
    At(Option<String>),
    /// The files of a version, at a place: a directory, or the name of something in it.
    Browse {
        /// The version, as `--at` takes it.
        at: Option<String>,
        /// Absolute path.
        path: Vec<u8>,
    },
    /// What differs between two versions, as `--at` takes them.
    Diff {
        /// The earlier one.
        from: String,
        /// The later one.
        to: String,
    },
    /// Says something to the person.
    Say(Health, String),
    /// Opens something above the screen.
    Open(Box<Overlay>),
    /// The versions of the account are asked for anew.
    Versions,
    /// Asks the engine.
    Ask {
        /// Who gets the answer.
        lane: Lane,
        /// Number of the question; later ones are greater.
        generation: u64,
        /// The question.
        ask: Ask,
    },
    /// The answer of a lane is no longer wanted.
    Forget(Lane),
    /// Runs a verb beside; its words as in a shell, without the program's name.
    Start(Vec<OsString>),
    /// The same, and what it says is shown above the screen.
    Show(Vec<OsString>),
    /// Whether the vault lets this person look after all accounts.
    Admin(bool),
    /// The same, with its number.
    Run {
        /// Number of the job.
        number: u64,
        /// The words.
        words: Vec<OsString>,
    },
    /// Restores what was marked, beside.
    Take(Box<TakeJob>),
    /// The same, with its number.
    RunTake {
        /// Number of the job.
        number: u64,
        /// What is restored.
        job: Box<TakeJob>,
    },
    /// Marks something in the browser, or takes the mark away.
    Mark(Box<Mark>),
    /// One more step of the plan. Nothing is done until the plan is applied.
    Plan(Step),
    /// The plan is looked at.
    Review,
    /// A step of the plan goes, by its place.
    Unplan(usize),
    /// The plan is carried out, and is empty then.
    Apply,
    /// The steps of a plan that follow on one that ended well.
    ApplyNext(VecDeque<Step>),
    /// Asks a job to end.
    Cancel(u64),
    /// So many bytes a second at most for a job that runs; `None`: as fast as it can.
    Limit(u64, Option<u64>),
    /// Copies a text, as the terminal permits.
    Copy(String),
    /// Everything from now on is asked of this account and this version.
    Turn {
        /// The account.
        account: Option<String>,
        /// The version, as `--at` takes it.
        at: Option<String>,
    },
    /// Suspends the program.
    Suspend,
    /// Draws everything again.
    Redraw,
    /// Leaves, after asking when something runs.
    Leave,
    /// Leaves.
    Quit,
}

impl Effect {
    /// A job from words without blanks in them.
    #[must_use]
    pub fn start<const N: usize>(words: [&str; N]) -> Self {
        Self::Start(words.into_iter().map(OsString::from).collect())
    }
}

/// Gathers what is wanted.
#[derive(Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    last: u64,
}

impl Effects {
    /// One more.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// A number for a question, greater than all before.
    pub fn generation(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// What was gathered, in order.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.list)
    }

    /// Says something good.
    pub fn say(&mut self, text: impl Into<String>) {
        self.push(Effect::Say(Health::Good, text.into()));
    }

    /// Says why something is not done.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.push(Effect::Say(Health::Warn, text.into()));
    }

    /// Opens something above the screen.
    pub fn open(&mut self, overlay: Overlay) {
        self.push(Effect::Open(Box::new(overlay)));
    }
}
