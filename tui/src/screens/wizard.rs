//! The first run: where the vault is, what is backed up, and how it goes on by itself; then the settings are written, vault,
//! account and key are made, and the first backup runs. Each step is a command line that is shown before anything is done.
//! What starts backups is not ours to change: its lines are shown, to be copied.

use std::ffi::OsString;

use agent::name::{harmless_line, quoted};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::ScreenId;
use crate::console::ask::Heard;
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::overlay::Held;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::completed::Completed;
use crate::widgets::dialog::window;
use crate::widgets::field::Typed;
use crate::widgets::text::{put, wrap};
use crate::widgets::words::lay_out;

/// See the module.
#[derive(Debug)]
pub struct State {
    step: Step,
    vault: Completed,
    source: Completed,
    schedule: Schedule,
    why: Option<&'static str>,
    /// Commands that are done, the number of the one that runs, and how the last one ended when it failed.
    done: usize,
    running: Option<u64>,
    failed: Option<u8>,
    /// The job that made the key; what it said may hold the recovery words.
    made: Option<u64>,
    /// Lines of what was said that are above the window: all of it must be readable, however small that is.
    scrolled: usize,
}

/// Which command makes the key.
const INIT: usize = 2;
/// Columns of the window.
const COLUMNS: usize = 76;
/// What the last step says.
const WORK: &str = "Write the recovery words down: with them and the vault everything can be restored on any machine (`:key words` shows them again). Enter goes on to the first backup as it runs.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Vault,
    Source,
    Schedule,
    Review,
    Work,
}

/// What starts a backup from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schedule {
    Systemd,
    Cron,
    Later,
}

impl Schedule {
    const ALL: [Self; 3] = [Self::Systemd, Self::Cron, Self::Later];

    fn name(self) -> &'static str {
        match self {
            Self::Systemd => "every hour, by a timer of systemd",
            Self::Cron => "every hour, by cron",
            Self::Later => "later, or by hand",
        }
    }

    /// The lines that bring it about, to be typed or copied.
    fn lines(self) -> &'static [&'static str] {
        match self {
            Self::Systemd => &[
                "mkdir -p ~/.config/systemd/user",
                "tuckbox config systemd service > ~/.config/systemd/user/tuckbox.service",
                "tuckbox config systemd timer > ~/.config/systemd/user/tuckbox.timer",
                "systemctl --user enable --now tuckbox.timer",
            ],
            // Cron looks into few directories.
            Self::Cron => &[
                "(crontab -l; echo '17 * * * *  PATH=$HOME/.cargo/bin:$HOME/.local/bin:/usr/local/bin:$PATH tuckbox backup --quiet --no-input') | crontab -",
            ],
            Self::Later => &[],
        }
    }
}

impl State {
    /// The first step. The vault is the one that every verb would take.
    #[must_use]
    pub fn new(shared: &Shared) -> Self {
        let home = shared.home.as_ref().and_then(|home| home.to_str()).unwrap_or("/");
        let vault = Completed::new(Lane(ScreenId::Settings, 250), "init --vault ", &shared.vault);
        let source = Completed::new(Lane(ScreenId::Settings, 251), "backup ", home);
        Self {
            step: Step::Vault,
            vault,
            source,
            schedule: Schedule::Systemd,
            why: None,
            done: 0,
            running: None,
            failed: None,
            made: None,
            scrolled: 0,
        }
    }

    /// What is run, in order.
    fn commands(&self) -> Vec<Vec<OsString>> {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let (vault, source) = (self.vault.field.text().trim(), self.source.field.text().trim());
        vec![
            words(&["config", "set", "vault", vault]),
            words(&["config", "set", "source.1.path", source]),
            words(&["init", "--vault", vault]),
            words(&["backup", "--vault", vault, source]),
        ]
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.vault.is_waiting() || self.source.is_waiting()
    }

    /// An answer; whether it was for this.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        self.vault.hear(heard) || self.source.hear(heard)
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        match self.step {
            Step::Vault | Step::Source => {
                let line = if self.step == Step::Vault { &mut self.vault } else { &mut self.source };
                match line.key(shared, key, out) {
                    Typed::GivenUp if self.step == Step::Vault => return Held::Closes,
                    Typed::GivenUp => self.step = Step::Vault,
                    Typed::Done if line.field.text().trim().is_empty() => self.why = Some("something must stand here"),
                    Typed::Done if self.step == Step::Vault => self.step = Step::Source,
                    Typed::Done if !line.field.text().trim().starts_with(['/', '~']) => {
                        self.why = Some("a path begins with / or ~");
                    }
                    Typed::Done => self.step = Step::Schedule,
                    _ => self.why = None,
                }
            }
            Step::Schedule => match key.code {
                KeyCode::Up | KeyCode::Char('k') => self.turn(-1),
                KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => self.turn(1),
                KeyCode::Char('y') => self.copy(out),
                KeyCode::Enter => self.step = Step::Review,
                KeyCode::Esc => self.step = Step::Source,
                _ => {}
            },
            Step::Review => match key.code {
                KeyCode::Enter => {
                    self.step = Step::Work;
                    out.push(Effect::Vault(self.vault.field.text().trim().to_owned()));
                    self.next(out);
                }
                KeyCode::Char('y') => self.copy(out),
                KeyCode::Esc => self.step = Step::Schedule,
                _ => {}
            },
            Step::Work => match (key.code, self.failed) {
                (KeyCode::Enter, Some(_)) => {
                    self.failed = None;
                    self.next(out);
                }
                (KeyCode::Enter, None) if self.done + 1 >= self.commands().len() => {
                    out.push(Effect::Go(ScreenId::Jobs));
                    return Held::Closes;
                }
                (KeyCode::Char('y'), _) => self.copy(out),
                (KeyCode::Down | KeyCode::Char('j'), _) => self.scrolled = (self.scrolled + 1).min(self.below(shared)),
                (KeyCode::Up | KeyCode::Char('k'), _) => self.scrolled = self.scrolled.saturating_sub(1),
                (KeyCode::PageDown | KeyCode::Char(' '), _) => {
                    self.scrolled = (self.scrolled + shared.page() / 2).min(self.below(shared));
                }
                (KeyCode::PageUp, _) => self.scrolled = self.scrolled.saturating_sub(shared.page() / 2),
                (KeyCode::Esc, _) => return Held::Closes,
                _ => {}
            },
        }
        Held::Stays
    }

    /// How far it can be scrolled on this terminal.
    fn below(&self, shared: &Shared) -> usize {
        let all = usize::from(shared.size.0);
        let columns = if all < COLUMNS + 8 { all.saturating_sub(4) } else { COLUMNS - 2 };
        // Around it: title, status and keys, two borders, the step with its text and a blank, the line of keys.
        let taken = 5 + 1 + wrap(WORK, columns).len() + 1 + 1;
        self.work(shared, columns).len().saturating_sub(usize::from(shared.size.1).saturating_sub(taken))
    }

    fn turn(&mut self, by: isize) {
        let at = Schedule::ALL.iter().position(|schedule| *schedule == self.schedule).unwrap_or(0);
        let at = at.saturating_add_signed(by).min(Schedule::ALL.len() - 1);
        self.schedule = Schedule::ALL.get(at).copied().unwrap_or(Schedule::Later);
    }

    /// The lines of the schedule, for another terminal.
    fn copy(&self, out: &mut Effects) {
        match self.schedule.lines() {
            [] => out.warn("there is nothing to copy: backups are made by hand"),
            lines => out.push(Effect::Copy(lines.join("\n"))),
        }
    }

    fn next(&mut self, out: &mut Effects) {
        if let Some(words) = self.commands().into_iter().nth(self.done) {
            out.push(Effect::Start(words));
        }
    }

    /// A job began: the one that was started here, when one was waited for.
    pub fn began(&mut self, number: u64) {
        if self.step == Step::Work && self.running.is_none() {
            self.running = Some(number);
            self.made = self.made.or((self.done == INIT).then_some(number));
        }
    }

    /// A job ended. The first backup is watched on the screen of jobs.
    pub fn ended(&mut self, number: u64, status: u8, out: &mut Effects) {
        if self.running != Some(number) {
            return;
        }
        self.running = None;
        // A backup that left something out is a version all the same.
        if !matches!(status, 0 | 3) {
            self.failed = Some(status);
            return;
        }
        self.done += 1;
        self.next(out);
    }

    /// Something was pasted.
    pub fn paste(&mut self, text: &str) {
        match self.step {
            Step::Vault => self.vault.field.insert(text),
            Step::Source => self.source.field.insert(text),
            Step::Schedule | Step::Review | Step::Work => {}
        }
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let inner = window(buf, area, shared, "First run", COLUMNS, usize::from(area.height));
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let columns = usize::from(inner.width);
        let (number, text) = match self.step {
            Step::Vault => (
                1,
                "Where is the vault? A directory on this machine or a removable disk, or ssh://user@host/path for a machine that can be reached by SSH.",
            ),
            Step::Source => {
                (2, "What is to be backed up? More can be named later, and left out: `:config template` explains it.")
            }
            Step::Schedule => (
                3,
                "When is it backed up from then on? These lines bring it about; y copies them, and they are shown again at the end. A key with a passphrase needs `password_file` in the configuration to be used at night.",
            ),
            Step::Review => (
                4,
                "This will be done. Nothing has been changed so far. You will be asked for a passphrase for the key; empty means none. Enter goes on, Esc goes back.",
            ),
            Step::Work => (5, WORK),
        };
        put(buf, inner, 0, Line::styled(format!("Step {number} of 5"), shared.theme.strong()));
        let lines = wrap(text, columns);
        let mut at = 1;
        for line in lines {
            put(buf, inner, at, line);
            at += 1;
        }
        at += 1;
        match self.step {
            Step::Vault | Step::Source => {
                let typed = if self.step == Step::Vault { &self.vault } else { &self.source };
                put(buf, inner, at, Line::styled("> ", shared.theme.key()));
                let Ok(below) = u16::try_from(at) else { return };
                if below < inner.height {
                    let line =
                        Rect { x: inner.x + 2, y: inner.y + below, width: inner.width.saturating_sub(2), height: 1 };
                    typed.field.draw(buf, line, shared.theme, false);
                }
                if let Some(why) = self.why {
                    put(buf, inner, at + 1, Line::styled(why, shared.theme.health(Health::Warn)));
                }
                for (row, line) in wrap(&typed.named(), columns).into_iter().enumerate() {
                    put(buf, inner, at + 3 + row, Line::styled(line, shared.theme.dim()));
                }
                let last = usize::from(inner.height.saturating_sub(1));
                put(buf, inner, last, Line::styled("Enter goes on, Tab completes, Esc goes back", shared.theme.dim()));
            }
            Step::Schedule => {
                for (row, schedule) in Schedule::ALL.into_iter().enumerate() {
                    let here = schedule == self.schedule;
                    let text = format!(
                        "{}({}) {}",
                        if here { "> " } else { "  " },
                        if here { "x" } else { " " },
                        schedule.name()
                    );
                    let style = if here { shared.theme.strong() } else { ratatui::style::Style::new() };
                    put(buf, inner, at + row, Line::styled(text, style));
                }
                self.draw_schedule(buf, inner, at + Schedule::ALL.len() + 1, shared);
                let last = usize::from(inner.height.saturating_sub(1));
                let keys = "Enter goes on, Up and Down choose, y copies, Esc goes back";
                put(buf, inner, last, Line::styled(keys, shared.theme.dim()));
            }
            Step::Review => {
                for (row, line) in self.command_lines(0, shared, columns).into_iter().enumerate() {
                    put(buf, inner, at + row, line);
                }
                self.draw_schedule(buf, inner, at + 6, shared);
            }
            Step::Work => self.draw_work(buf, inner, at, shared),
        }
    }

    /// The command lines from one on, and how far they are.
    fn command_lines(&self, from: usize, shared: &Shared, columns: usize) -> Vec<Line<'static>> {
        let line = |(number, words): (usize, Vec<OsString>)| {
            let shown: Vec<String> = words.iter().map(|word| quoted(word.as_encoded_bytes())).collect();
            let (sign, health) = match (number.cmp(&self.done), self.failed) {
                (std::cmp::Ordering::Less, _) => ("+", Health::Good),
                (std::cmp::Ordering::Equal, Some(_)) => ("X", Health::Bad),
                (std::cmp::Ordering::Equal, None) if self.running.is_some() => ("~", Health::Busy),
                _ => (" ", Health::Good),
            };
            let text = harmless_line(&format!("{sign} tuckbox {}", shown.join(" ")));
            Line::styled(agent::name::cut_end(&text, columns), shared.theme.health(health))
        };
        self.commands().into_iter().enumerate().skip(from).map(line).collect()
    }

    /// What is done, what was said of it, and what is to be done then.
    fn work(&self, shared: &Shared, columns: usize) -> Vec<Line<'static>> {
        // When there is a key its words count more than what is behind.
        let from = if self.done > INIT { self.done.min(self.commands().len() - 1) } else { 0 };
        let mut lines = self.command_lines(from, shared, columns);
        if let Some(status) = self.failed {
            let text = format!("It ended with exit {status}; ! and w say why. Enter tries it again, Esc leaves.");
            let style = shared.theme.health(Health::Bad);
            lines.extend(wrap(&text, columns).into_iter().map(|line| Line::styled(line, style)));
        }
        if let Some(job) = self.made.and_then(|number| shared.jobs.get(number)).filter(|job| !job.lines.is_empty()) {
            lines.push(Line::raw(""));
            lines.extend(lay_out(&job.lines, columns).into_iter().map(Line::raw));
        }
        if self.failed.is_none() {
            lines.push(Line::raw(""));
            lines.extend(self.schedule_lines(shared, columns));
        }
        lines
    }

    fn draw_work(&self, buf: &mut Buffer, inner: Rect, at: usize, shared: &Shared) {
        let lines = self.work(shared, usize::from(inner.width));
        let last = usize::from(inner.height.saturating_sub(1));
        let room = last.saturating_sub(at);
        let below = lines.len().saturating_sub(room);
        let top = self.scrolled.min(below);
        for (row, line) in lines.into_iter().skip(top).take(room).enumerate() {
            put(buf, inner, at + row, line);
        }
        let keys = match (top < below, top > 0) {
            (true, _) => "Down: there is more below. Enter goes on, y copies, Esc leaves",
            (false, true) => "Up: there is more above. Enter goes on, y copies, Esc leaves",
            (false, false) => "Enter goes on, y copies, Esc leaves",
        };
        put(buf, inner, last, Line::styled(keys, shared.theme.dim()));
    }

    /// The lines of the schedule, from a row on.
    fn draw_schedule(&self, buf: &mut Buffer, area: Rect, at: usize, shared: &Shared) {
        for (row, line) in self.schedule_lines(shared, usize::from(area.width)).into_iter().enumerate() {
            put(buf, area, at + row, line);
        }
    }

    fn schedule_lines(&self, shared: &Shared, columns: usize) -> Vec<Line<'static>> {
        let lines = self.schedule.lines().iter().flat_map(|line| wrap(line, columns.saturating_sub(2)));
        let mut lines: Vec<Line<'static>> = lines.map(|line| Line::raw(format!("  {line}"))).collect();
        if !lines.is_empty() {
            lines.insert(0, Line::styled("Then, in another terminal (y copies):", shared.theme.dim()));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use agent::engine::job::Whose;
    use agent::fault::{Code, Fault};

    use crate::console::ask::Ask;
    use crate::console::effect::Effect;
    use crate::console::jobs::{News, What};
    use crate::console::looping::Msg;
    use crate::console::stage::{MONO, Stage};
    use crate::screens::ScreenId;

    fn started(stage: &mut Stage) -> Option<(u64, Vec<std::ffi::OsString>)> {
        let place = stage.effects.iter().position(|effect| matches!(effect, Effect::Run { .. }))?;
        match stage.effects.remove(place) {
            Effect::Run { number, words } => Some((number, words)),
            _ => None,
        }
    }

    /// What `init` says.
    fn made() -> Vec<String> {
        let mut lines = vec![
            "Made vault /mnt/disk/vault (encrypted).".to_owned(),
            "Made account laptop-ana.".to_owned(),
            "Made key /home/ana/.config/tuckbox/keys/laptop-ana-ce492cb1.key, without a passphrase. Without it nothing can be restored.".to_owned(),
            "Write these 24 words down, in this order, and keep them apart from this machine. They are the key.".to_owned(),
        ];
        lines.extend(
            (0..24)
                .step_by(6)
                .map(|from| (from + 1..=from + 6).map(|number| format!("{number:>2} zoo     ")).collect()),
        );
        lines
    }

    /// The step of the words on a terminal of this size, with the longest words as `init` prints them.
    fn with_long_words(size: (u16, u16)) -> Stage {
        let mut stage = Stage::new(size, MONO);
        let none = Fault::new(Code::VaultNone, "there is no vault");
        stage.answer(|ask| matches!(ask, Ask::Status(Whose::All)), Err(none)).press("Enter Enter Enter Enter");
        for _ in 0..3 {
            let (number, words) = started(&mut stage).unwrap();
            if words[0] == "init" {
                for row in 0..4 {
                    let cells = (row * 6 + 1..=row * 6 + 6).map(|number| format!("{number:>2} {:<10}", "umbrella"));
                    let line = cells.collect::<Vec<_>>().join(" ").trim_end().to_owned();
                    stage.give(Msg::Job(News { number, what: What::Line(line) }));
                }
            }
            stage.give(Msg::Job(News { number, what: What::Ended(0) }));
        }
        stage
    }

    #[test]
    fn no_word_is_apart_from_its_number() {
        for size in [(80, 24), (60, 24), (40, 24), (120, 40)] {
            let mut stage = with_long_words(size);
            let mut text = stage.text();
            if size.0 < 60 {
                text.push_str(&stage.press("PgDn").text());
            }
            for number in 1..=24 {
                assert!(text.contains(&format!("{number:>2} umbrella")), "{number} of {size:?}:\n{text}");
            }
        }
    }

    #[test]
    fn it_writes_settings_makes_what_is_missing_and_backs_up() {
        let mut stage = Stage::new((80, 24), MONO);
        let none = Fault::new(Code::VaultNone, "there is no vault at ssh://vault1.example/vault");
        stage.answer(|ask| matches!(ask, Ask::Status(Whose::All)), Err(none)).pinned("wizard-vault");
        stage.press("C-u Enter");
        assert!(stage.text().contains("something must stand here"));
        stage.press("\"/mnt/disk/vault\" Enter");
        assert!(stage.text().contains("> /home/ana"));
        stage.press("Enter").pinned("wizard-schedule");
        assert!(stage.text().contains("`password_file`"));
        stage.press("Down y");
        let copied = |effect: &Effect| matches!(effect, Effect::Copy(text) if text.contains("17 * * * *"));
        assert!(stage.effects.iter().any(copied));
        stage.press("Up Enter").pinned("wizard-review");
        assert!(started(&mut stage).is_none());
        stage.press("Enter");
        for verb in ["config", "config", "init", "backup"] {
            let (number, words) = started(&mut stage).unwrap();
            assert_eq!(words[0], verb);
            if verb == "init" {
                for line in made() {
                    stage.give(Msg::Job(News { number, what: What::Line(line) }));
                }
            }
            let status = u8::from(verb == "init");
            stage.give(Msg::Job(News { number, what: What::Ended(status) }));
            if status != 0 {
                // What failed is told, and can be tried again.
                assert!(stage.text().contains("It ended with exit 1"));
                stage.press("Enter");
                let (number, _) = started(&mut stage).unwrap();
                stage.give(Msg::Job(News { number, what: What::Ended(0) }));
            }
        }
        assert!(started(&mut stage).is_none());
        // The words are all to be read, and what is to be done then.
        stage.pinned("wizard-words");
        assert!(stage.text().contains("24 zoo") || stage.text().contains("Down: there is more"), "{}", stage.text());
        stage.press("PgDn*9");
        assert!(stage.text().contains("24 zoo") && stage.text().contains("enable --now"), "{}", stage.text());
        stage.press("Up*3");
        assert!(stage.text().contains("more below"), "{}", stage.text());
        stage.press("Enter");
        assert_eq!(stage.app.screen(), ScreenId::Jobs);
        assert_eq!(stage.app.shared().vault, "/mnt/disk/vault");
    }
}
