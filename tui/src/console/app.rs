//! The state of the console, and the one function that changes it. What is to be done outside comes back as effects.

use std::collections::VecDeque;
use std::ffi::OsString;

use agent::engine::restore::several;
use agent::fault::{Code, Exit, Fault};
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;

use super::ask::{Answer, Ask, Heard};
use super::effect::{Effect, Effects};
use super::frame;
use super::jobs::{RUNNING_MAX, What};
use super::keys::{Action, Chord, Found, find};
use super::look::Looked;
use super::looping::Msg;
use super::overlay::{Held, Overlay};
use super::plan::{Step, Trial};
use super::shared::{Lost, Shared};
use super::theme::Health;
use crate::screens::{self, Event, ScreenId, Screens, as_at, help, messages, output, palette, review};
use crate::widgets::dialog::Confirm;

/// Between two steps of something that moves, milliseconds.
const STEP_MS: i64 = 125;
/// Between two steps of a countdown, milliseconds.
const SECOND_MS: i64 = 1_000;
/// Between two looks at the clock, milliseconds.
const MINUTE_MS: i64 = 60_000;

/// See the module.
pub struct App {
    shared: Shared,
    screens: Screens,
    screen: ScreenId,
    back: Vec<ScreenId>,
    overlays: Vec<Overlay>,
    begun: Option<Chord>,
    /// The step of a plan that runs, with the number of its job, and those that follow when it ends well.
    applying: Option<(u64, Step, VecDeque<Step>)>,
    out: Effects,
    changed: bool,
}

impl App {
    /// A console that knows nothing yet; with an account or on the way to one.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self {
            shared,
            screens: Screens::default(),
            screen: ScreenId::Dashboard,
            back: Vec::new(),
            overlays: Vec::new(),
            begun: None,
            applying: None,
            out: Effects::default(),
            changed: false,
        }
    }

    /// What is asked for at first.
    pub fn begin(&mut self) -> Vec<Effect> {
        self.event(&Event::Enter);
        self.settle()
    }

    /// Now.
    pub fn set_time(&mut self, now_ms: i64, mono_ms: i64) {
        self.shared.now_ms = now_ms;
        self.shared.mono_ms = mono_ms;
    }

    /// Whether something is to be drawn.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// It was drawn.
    pub fn set_drawn(&mut self) {
        self.changed = false;
    }

    /// Draws everything.
    pub fn draw(&self, buf: &mut Buffer) {
        frame::draw(buf, &self.shared, &self.screens, self.screen, &self.overlays);
    }

    /// How long nothing changes by itself, milliseconds: a step where something moves, a minute where times are shown.
    #[must_use]
    pub fn tick_in_ms(&self) -> Option<i64> {
        let moves = self.shared.jobs.running().next().is_some()
            || self.shared.versions.is_waiting()
            || screens::is_waiting(self.screen, &self.screens)
            || self.overlays.iter().any(Overlay::is_waiting);
        let message = self.shared.message().and_then(|message| message.until_ms);
        let gone = message.map(|until| until.saturating_sub(self.shared.mono_ms).max(0));
        let minute = MINUTE_MS - self.shared.now_ms.rem_euclid(MINUTE_MS);
        let due = screens::due_in_ms(self.screen, &self.screens, &self.shared);
        let second = self.shared.lost.map(|_| SECOND_MS);
        [moves.then_some(STEP_MS), gone, due, second, Some(minute)].into_iter().flatten().min()
    }

    /// Takes in what came; what is to be done outside.
    pub fn update(&mut self, message: Msg) -> Vec<Effect> {
        self.changed = true;
        match message {
            Msg::Key(key) => self.key(&key),
            Msg::Paste(text) => self.paste(&text),
            Msg::Resize(columns, rows) => self.shared.size = (columns, rows),
            Msg::Heard(heard) => self.heard(heard),
            Msg::Job(news) => {
                let ended = match news.what {
                    What::Ended(status) => Some((news.number, status)),
                    _ => None,
                };
                self.shared.jobs.hear(news, self.shared.now_ms);
                if let Some((number, status)) = ended {
                    self.ended(number, status);
                }
            }
            Msg::Question(question) => self.overlays.push(Overlay::question(question)),
            Msg::Tick => {
                self.ask_again();
                self.event(&Event::Tick);
            }
            Msg::Gone => {}
        }
        self.settle()
    }

    fn event(&mut self, event: &Event<'_>) -> bool {
        screens::update(self.screen, &mut self.screens, &self.shared, event, &mut self.out)
    }

    fn paste(&mut self, text: &str) {
        match self.overlays.last_mut() {
            Some(overlay) => overlay.paste(&self.shared, text, &mut self.out),
            None => drop(self.event(&Event::Paste(text))),
        }
    }

    /// Whether the server is there, by what was heard of it.
    fn is_there(&mut self, heard: &Heard) {
        match &heard.answer {
            Err(fault) if fault.exit() == Exit::Unreachable => self.lost(false),
            Err(fault) if self.is_away(fault) => self.lost(true),
            // Versions come from the vault alone: it answered, whatever else is wrong with them.
            Err(fault) if fault.code != Code::VaultNone && self.shared.versions.awaits(heard) => self.answers(),
            // What is arranged here says nothing about it.
            Err(_) | Ok(Answer::Arranged(_) | Answer::Choices(..) | Answer::Looked(Looked::Dirs(_))) => {}
            // Nor what the configuration says about a vault.
            Ok(Answer::Records(_) | Answer::Said(..)) => {
                if self.shared.lost.is_some_and(|lost| !lost.away) {
                    self.answers();
                }
            }
            Ok(_) => {
                self.shared.seen = true;
                self.answers();
            }
        }
    }

    /// Whether a vault that was there is not: nothing is at its place, or the bare mount point.
    fn is_away(&self, fault: &Fault) -> bool {
        self.shared.seen && matches!(fault.code, Code::VaultNone | Code::VaultNotAVault)
    }

    fn lost(&mut self, away: bool) {
        let now = self.shared.mono_ms;
        // Questions that were on their way together fail together.
        if self.shared.lost.is_none_or(|lost| now >= lost.next_ms) {
            self.shared.lost = Some(Lost::again(self.shared.lost, now, away));
        }
    }

    fn answers(&mut self) {
        if let Some(lost) = self.shared.lost.take() {
            self.out.say(if lost.away { "the vault is there again" } else { "the server answers again" });
            self.event(&Event::Back);
        }
    }

    /// Asks a server that is gone whether it is back, when it is time.
    fn ask_again(&mut self) {
        let now = self.shared.mono_ms;
        if self.shared.lost.is_some_and(|lost| now >= lost.next_ms) && !self.shared.versions.is_waiting() {
            self.out.push(Effect::Versions);
        }
    }

    fn heard(&mut self, mut heard: Heard) {
        self.is_there(&heard);
        if let Err(fault) = &mut heard.answer
            && self.is_away(fault)
        {
            *fault = away(&self.shared.vault);
        }
        let heard = &heard;
        let versions = |answer: &Answer| match answer {
            Answer::Versions(rows) => Some(std::sync::Arc::clone(rows)),
            _ => None,
        };
        if self.shared.versions.hear(heard, versions) {
            self.event(&Event::Versions);
            return;
        }
        if self.overlays.iter_mut().any(|overlay| overlay.hear(heard)) {
            return;
        }
        screens::update(heard.lane.0, &mut self.screens, &self.shared, &Event::Heard(heard), &mut self.out);
    }

    fn ended(&mut self, number: u64, status: u8) {
        self.step_ended(number, status);
        let Some(job) = self.shared.jobs.get(number) else { return };
        let (verb, cancelled) = (job.verb().to_owned(), job.cancelled);
        let (health, how) = match status {
            0 => (Health::Good, "done".to_owned()),
            3 => (Health::Warn, "done, with something left out".to_owned()),
            _ if cancelled => (Health::Good, "cancelled; what was done so far is kept".to_owned()),
            status => (Health::Bad, format!("failed with exit {status}")),
        };
        self.out.push(Effect::Say(health, format!("{verb}: {how}. w shows what it said.")));
        for overlay in &mut self.overlays {
            overlay.ended(number, status, &mut self.out);
        }
        // It may have made a version.
        self.out.push(Effect::Versions);
        self.event(&Event::JobEnded(number));
    }

    fn key(&mut self, key: &KeyEvent) {
        if let Some(overlay) = self.overlays.last_mut() {
            match overlay.key(&self.shared, key, &mut self.out) {
                Held::Stays => {}
                Held::Closes => drop(self.overlays.pop()),
            }
            return;
        }
        if screens::captures(self.screen, &self.screens) {
            self.event(&Event::Key(key));
            return;
        }
        match find(&self.shared.keymap.keys(self.screen), self.begun.take(), Chord::from(key)) {
            Found::Begun => self.begun = Some(Chord::from(key)),
            Found::Nothing => {}
            Found::Action(action) => self.act(action),
        }
    }

    /// The screen comes first: it may have a meaning of its own for what goes for all.
    fn act(&mut self, action: Action) {
        if self.event(&Event::Action(action)) {
            return;
        }
        match action {
            Action::Screen(screen) => self.out.push(Effect::Go(screen)),
            Action::Jobs => self.out.push(Effect::Go(ScreenId::Jobs)),
            Action::Throttle => {
                let menu = screens::throttle(&self.shared);
                self.out.open(Overlay::Menu(menu));
            }
            Action::Settings => self.out.push(Effect::Go(ScreenId::Settings)),
            Action::Find => {
                self.out.push(Effect::Go(ScreenId::Browser));
                self.out.push(Effect::Press(Action::Find));
            }
            Action::Palette => {
                let palette = palette::State::new(&self.shared, &mut self.out);
                self.out.open(Overlay::Palette(palette));
            }
            Action::Help => self.out.open(Overlay::Help(help::State::new(self.screen))),
            Action::AsAt => self.out.open(Overlay::AsAt(as_at::State::new(&self.shared))),
            Action::Errors => self.out.open(Overlay::Messages(messages::State::new(&self.shared))),
            Action::Back if self.shared.dismiss() || self.back.is_empty() => {}
            Action::Back => self.out.push(Effect::Back),
            Action::Leave if self.back.is_empty() => self.out.push(Effect::Leave),
            Action::Leave => self.out.push(Effect::Back),
            Action::Quit => self.out.push(Effect::Leave),
            Action::Suspend => self.out.push(Effect::Suspend),
            Action::Redraw => self.out.push(Effect::Redraw),
            Action::Reload => self.out.push(Effect::Versions),
            Action::Older => self.step(1),
            Action::Newer => self.step(-1),
            _ => {}
        }
    }

    /// To another version: so many back in time.
    fn step(&mut self, by: isize) {
        match as_at::step(&self.shared, by) {
            Some(at) => self.out.push(Effect::At(at)),
            None if by > 0 => self.out.warn("there is no older version"),
            None => self.out.warn("this is the newest version"),
        }
    }

    /// A job is remembered; its number, when one more may run.
    fn begin_job(&mut self, shown: String) -> Option<u64> {
        let begun = self.shared.jobs.begin(shown.clone(), self.shared.account.clone(), self.shared.now_ms);
        match begun {
            Some(_) => self.shared.say(Health::Good, format!("started: tuckbox {shown}")),
            None => self.shared.say(Health::Warn, format!("{RUNNING_MAX} jobs run already; w shows them")),
        }
        begun
    }

    /// The review looks at the plan as it is now.
    fn review(&mut self) {
        if let Some(Overlay::Review(state)) = self.overlays.last_mut() {
            state.look(&self.shared, &mut self.out);
        }
    }

    /// Does what is within the console; the rest goes on.
    fn settle(&mut self) -> Vec<Effect> {
        let mut outside = Vec::new();
        loop {
            let effects = self.out.take();
            if effects.is_empty() {
                return outside;
            }
            for effect in effects {
                self.carry_out(effect, &mut outside);
            }
        }
    }

    fn go(&mut self, screen: ScreenId) {
        if self.screen != screen {
            // A screen stands once on the way back, so that the way has an end.
            match self.back.iter().position(|before| *before == screen) {
                Some(place) => self.back.truncate(place),
                None => self.back.push(self.screen),
            }
            self.screen = screen;
        }
        self.overlays.retain(Overlay::must_be_answered);
        self.event(&Event::Enter);
    }

    fn turn(&mut self) {
        let (account, at) = (self.shared.account.clone(), self.shared.at.clone());
        self.out.push(Effect::Turn { account, at });
    }

    /// Runs a verb beside; its number.
    fn start(&mut self, words: Vec<OsString>, outside: &mut Vec<Effect>) -> Option<u64> {
        let number = self.begin_job(shown(&words))?;
        outside.push(Effect::Run { number, words });
        self.overlays.iter_mut().for_each(|overlay| overlay.began(number));
        self.event(&Event::JobBegan(number));
        Some(number)
    }

    /// Does the steps of a plan one after the other: each rests on what the one before has done.
    fn apply(&mut self, mut steps: VecDeque<Step>, outside: &mut Vec<Effect>) {
        let Some(step) = steps.pop_front() else { return };
        match self.start(step.applied(), outside) {
            Some(number) => self.applying = Some((number, step, steps)),
            None => {
                steps.push_front(step);
                self.shared.plan.extend(steps);
            }
        }
    }

    /// The next step follows; after one that failed the others wait in the plan again.
    fn step_ended(&mut self, number: u64, status: u8) {
        let Some((_, step, steps)) = self.applying.take_if(|(running, ..)| *running == number) else { return };
        match status {
            0 | 3 => {
                // The account that is open stays open under its new name.
                if let Some(name) = self.shared.account.as_deref().and_then(|account| step.renames(account)) {
                    self.shared.account = Some(name);
                    self.turn();
                }
                self.out.push(Effect::ApplyNext(steps));
            }
            _ if steps.is_empty() => {}
            _ => {
                self.shared.plan.extend(steps);
                self.out.warn("a step of the plan failed; those that were to follow wait in the plan");
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, outside: &mut Vec<Effect>) {
        match effect {
            Effect::Go(screen) => self.go(screen),
            Effect::Press(action) => self.act(action),
            Effect::Back => {
                if let Some(screen) = self.back.pop() {
                    self.screen = screen;
                    self.event(&Event::Enter);
                }
            }
            Effect::Account(name) => {
                if self.shared.account.as_deref() != Some(name.as_str()) {
                    self.shared.account = Some(name);
                    self.shared.at = None;
                    self.shared.versions.clear();
                    self.screens.forget_account();
                    outside.push(Effect::Turn { account: self.shared.account.clone(), at: None });
                }
            }
            Effect::Vault(address) => {
                self.shared.vault = agent::name::harmless_line(&address);
                self.shared.seen = false;
                outside.push(Effect::Vault(address));
            }
            Effect::At(at) => {
                self.shared.at = at;
                self.turn();
                self.event(&Event::Turned);
            }
            Effect::Browse { at, path } => {
                self.shared.at = at;
                self.turn();
                self.screens.browser.open(path);
                self.go(ScreenId::Browser);
            }
            Effect::Diff { from, to } => {
                self.screens.diff.compare(from, to);
                self.go(ScreenId::Diff);
            }
            Effect::Say(health, text) => self.shared.say(health, text),
            Effect::Open(overlay) => self.overlays.push(*overlay),
            Effect::Versions => {
                let out = &mut self.out;
                // Borrowed apart: the pane is a part of what it is shown with.
                let mut versions = std::mem::replace(
                    &mut self.shared.versions,
                    super::pane::Pane::new(super::effect::Lane(ScreenId::Versions, u8::MAX)),
                );
                versions.ask(&self.shared, Ask::Versions, out);
                self.shared.versions = versions;
            }
            Effect::Admin(admin) => self.shared.admin = admin,
            Effect::Start(words) => drop(self.start(words, outside)),
            Effect::Show(words) => {
                if let Some(number) = self.start(words, outside) {
                    self.overlays.push(Overlay::Output(output::State::new(number)));
                }
            }
            Effect::Take(job) => {
                let words: Vec<String> = several::words(&job).iter().map(|words| shown(words)).collect();
                if let Some(number) = self.begin_job(words.join("; ")) {
                    outside.push(Effect::RunTake { number, job });
                    self.event(&Event::JobBegan(number));
                }
            }
            Effect::Mark(mark) => self.screens.browser.mark(*mark, &mut self.out),
            Effect::Plan(step) => {
                let step = Step { account: step_account(&step, &self.shared), ..step };
                self.shared.say(Health::Good, format!("planned: {}. Nothing is done yet.", step.about));
                self.shared.plan.push(step);
                self.overlays.push(Overlay::Review(review::State::default()));
                self.review();
            }
            Effect::Review => {
                self.overlays.push(Overlay::Review(review::State::default()));
                self.review();
            }
            Effect::Unplan(place) => {
                if place < self.shared.plan.len() {
                    self.shared.plan.remove(place);
                }
                self.review();
            }
            Effect::Apply => {
                if self.applying.is_some() {
                    self.out.warn("the plan that was applied before still runs: w shows it");
                } else {
                    let steps = std::mem::take(&mut self.shared.plan).into();
                    self.apply(steps, outside);
                }
            }
            Effect::ApplyNext(steps) => self.apply(steps, outside),
            Effect::Cancel(number) => {
                self.shared.jobs.cancel(number);
                outside.push(Effect::Cancel(number));
            }
            Effect::Limit(number, rate) => {
                self.shared.jobs.limit(number, rate);
                let rate_text = rate.map_or_else(
                    || "as fast as it can".to_owned(),
                    |rate| format!("at most {}/s", agent::units::size(rate)),
                );
                self.shared.say(Health::Good, format!("from now on {rate_text}"));
                outside.push(Effect::Limit(number, rate));
            }
            Effect::Copy(text) => {
                self.shared.say(Health::Good, format!("copied, terminal permitting: {text}"));
                outside.push(Effect::Copy(text));
            }
            Effect::Leave => {
                let running = self.shared.jobs.running().count();
                if running == 0 {
                    outside.push(Effect::Quit);
                } else {
                    let jobs = agent::units::counted(running as u64, "job runs", "jobs run");
                    let text = format!("{jobs} here. Leaving ends them well: what they did so far is kept.");
                    let confirm = Confirm::new("Leave?", text, vec![Effect::Quit]);
                    self.overlays.push(Overlay::Confirm(confirm));
                }
            }
            effect => outside.push(effect),
        }
    }
}

/// Nobody is led to make another vault in the place of one that is away.
fn away(vault: &str) -> Fault {
    Fault::new(Code::VaultNone, format!("the vault is not there: {vault}"))
        .hint("mount its disk, or check the address; the console asks again by itself")
}

/// The account that a step is about: the one that is looked at, unless its words name one.
fn step_account(step: &Step, shared: &Shared) -> Option<String> {
    let looked_at = || shared.account.clone().filter(|_| step.trial == Trial::DryRun);
    step.account.clone().or_else(looked_at)
}

/// Words of a command line as they are shown.
fn shown(words: &[OsString]) -> String {
    let words = words.iter().map(|word| agent::name::quoted(word.as_encoded_bytes()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl App {
        /// The state, for tests.
        pub fn shared(&mut self) -> &mut Shared {
            &mut self.shared
        }

        /// The screen that is shown.
        pub fn screen(&self) -> ScreenId {
            self.screen
        }

        /// Whether something stands above it.
        pub fn is_covered(&self) -> bool {
            !self.overlays.is_empty()
        }
    }
}
