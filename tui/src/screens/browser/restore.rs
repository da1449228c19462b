//! The restore of what is marked: where to, what if something is there, the plan, how far it is, what became of it.
//!
//! Enter on the target asks for the plan, Enter on the plan restores. Without a word of the person nothing is written over
//! and nothing goes to its own place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::engine::job::{Layout, Overwrite, Take, TakeJob, TakePlan};
use agent::engine::restore::several;
use agent::name::for_terminal;
use agent::shell::words::{Quote, quote};
use agent::units::{count, counted, duration, size};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{DIRS, PLAN};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects};
use crate::console::jobs::Job;
use crate::console::look::{Look, Looked};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::dialog::{Confirm, window};
use crate::widgets::field::{Field, Typed};
use crate::widgets::gauge::{bar, moving, percent};
use crate::widgets::text::{Align, fit, put, wrap};

/// Directories that are offered while a target is typed.
const OFFERED: usize = 4;
/// Places that are named in the result.
const PLACES: usize = 5;
/// Columns of the dialog.
const COLUMNS: usize = 76;

/// What can be changed in the dialog, from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    Place,
    Target,
    Exists,
    Verify,
    Restore,
    DryRun,
    Cancel,
}

const SPOTS: [Spot; 7] =
    [Spot::Place, Spot::Target, Spot::Exists, Spot::Verify, Spot::Restore, Spot::DryRun, Spot::Cancel];

/// How existing files are treated, in the words of the dialog.
const EXISTS: [(Overwrite, &str); 4] = [
    (Overwrite::Never, "skip"),
    (Overwrite::IfNewer, "replace older"),
    (Overwrite::IfChanged, "replace other"),
    (Overwrite::Always, "replace"),
];

/// How far the dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
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
    takes: Vec<Take>,
    /// What is restored, in words.
    what: String,
    in_place: bool,
    to: Field,
    overwrite: Overwrite,
    verify: bool,
    spot: Spot,
    plan: Pane<Arc<TakePlan>>,
    /// What the plan is of.
    planned: Option<TakeJob>,
    dirs: Pane<Arc<Vec<PathBuf>>>,
    stage: Stage,
    /// A word is asked for above: the next job is this one, if it is said.
    confirming: bool,
    /// Lines of the log that were scrolled back.
    back: usize,
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
            overwrite: Overwrite::Never,
            verify: true,
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
            KeyCode::Up | KeyCode::BackTab | KeyCode::Char('k') => self.to_spot(-1),
            KeyCode::Down | KeyCode::Tab | KeyCode::Char('j') => self.to_spot(1),
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

    fn to_spot(&mut self, by: isize) {
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
            Spot::Restore | Spot::DryRun | Spot::Cancel => return self.to_spot(by),
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

    // ---- drawing ------------------------------------------------------------------------------------------------

    /// What is going to happen, in a sentence.
    fn plan_text(&self) -> String {
        let Some(plan) = self.plan.value() else { return String::new() };
        let fresh = plan.files.saturating_sub(plan.replaced);
        let mut parts = vec![format!("create {}", count(fresh))];
        let mut also = |number: u64, text: &str| {
            if number > 0 {
                parts.push(format!("{text} {}", count(number)));
            }
        };
        also(plan.replaced, "replace");
        also(plan.kept, "leave as they are");
        also(plan.skipped, "cannot restore");
        let free = plan.free_bytes.map_or(String::new(), |free| format!(" (disk has {} free)", size(free)));
        format!("{}; needs {}{free}", parts.join(", "), size(plan.bytes))
    }

    fn layout_text(&self) -> &'static str {
        match self.plan.value().map(|plan| plan.layout) {
            Some(Layout::FullPaths) => "Names are the same, so whole paths stand below the directory.",
            Some(Layout::Versions) => "The same paths of several versions: a directory for each version.",
            _ => "",
        }
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let columns = usize::from(area.width.saturating_sub(2)).min(COLUMNS);
        let number = self.number().and_then(|number| shared.jobs.get(number));
        let (title, lines) = match number {
            Some(job) => self.job_lines(job, shared, columns, usize::from(area.height.saturating_sub(2))),
            None => (format!("Restore {}", self.what), self.ask_lines(shared, columns)),
        };
        let inner = window(buf, area, shared, &title, columns, lines.len());
        // What is chosen stays in sight.
        let here = lines.iter().position(|(_, spot)| *spot == Some(self.spot)).unwrap_or(0);
        let height = usize::from(inner.height);
        let top = (here + 2).saturating_sub(height).min(lines.len().saturating_sub(height));
        for (row, (line, spot)) in lines.into_iter().skip(top).enumerate() {
            put(buf, inner, row, line);
            if spot == Some(Spot::Target) && self.stage == Stage::Asking {
                let Ok(below) = u16::try_from(row) else { continue };
                if below < inner.height {
                    let field =
                        Rect { x: inner.x + 4, y: inner.y + below, width: inner.width.saturating_sub(5), height: 1 };
                    self.to.draw(buf, field, shared.theme, false);
                }
            }
        }
    }

    fn ask_lines(&self, shared: &Shared, columns: usize) -> Vec<(Line<'static>, Option<Spot>)> {
        let theme = shared.theme;
        let choice = |on: bool, text: &str| format!("({}) {text}", if on { "x" } else { " " });
        let lead = |spot: Spot| if self.spot == spot { "> " } else { "  " };
        let style = |spot: Spot| if self.spot == spot { theme.strong() } else { Style::new() };
        let mut lines: Vec<(Line<'static>, Option<Spot>)> = Vec::new();
        let place = format!(
            "{}Where         {}   {}",
            lead(Spot::Place),
            choice(!self.in_place, "another directory"),
            choice(self.in_place, "the original place"),
        );
        lines.push((Line::styled(place, style(Spot::Place)), Some(Spot::Place)));
        if !self.in_place {
            lines.push((Line::styled(lead(Spot::Target), style(Spot::Target)), Some(Spot::Target)));
            for dir in self.dirs.value().iter().flat_map(|dirs| dirs.iter()).take(OFFERED) {
                let dir = for_terminal(dir.as_os_str().as_encoded_bytes());
                lines.push((Line::styled(format!("      {dir}"), theme.dim()), None));
            }
        }
        let modes: Vec<String> = EXISTS.iter().map(|(mode, text)| choice(*mode == self.overwrite, text)).collect();
        let exists = format!("{}If it exists  {}", lead(Spot::Exists), modes.join(" "));
        if agent::name::width(&exists) <= columns {
            lines.push((Line::styled(exists, style(Spot::Exists)), Some(Spot::Exists)));
        } else {
            let mode = EXISTS.iter().find(|(mode, _)| *mode == self.overwrite).map_or("", |(_, text)| *text);
            let exists = format!("{}If it exists  < {mode} >", lead(Spot::Exists));
            lines.push((Line::styled(exists, style(Spot::Exists)), Some(Spot::Exists)));
        }
        let verify = format!(
            "{}Also          [{}] read everything back and compare",
            lead(Spot::Verify),
            if self.verify { "x" } else { " " }
        );
        lines.push((Line::styled(verify, style(Spot::Verify)), Some(Spot::Verify)));
        self.plan_lines(shared, columns, &mut lines);
        lines.push((Line::raw(""), None));
        let commands = self.commands(shared);
        for command in commands.iter().take(2) {
            lines.push((
                Line::styled(format!("  {}", fit(command, columns.saturating_sub(3), Align::Left)), theme.dim()),
                None,
            ));
        }
        if let Some(more) = commands.len().checked_sub(2).filter(|more| *more > 0) {
            lines.push((Line::styled(format!("  and {}", counted(more as u64, "line", "lines")), theme.dim()), None));
        }
        let button = |spot: Spot, name: &str| {
            let here = self.spot == spot;
            let style = if here { theme.selected() } else { Style::new() };
            Span::styled(if here { format!("[>{name}<]") } else { format!("[ {name} ]") }, style)
        };
        let first = if self.planned.is_some() { "Restore" } else { "Plan" };
        let spans = vec![
            "  ".into(),
            button(Spot::Restore, first),
            " ".into(),
            button(Spot::DryRun, "Dry run"),
            " ".into(),
            button(Spot::Cancel, "Cancel"),
            "   y copies the command".into(),
        ];
        let spot = [Spot::Restore, Spot::DryRun, Spot::Cancel].into_iter().find(|spot| *spot == self.spot);
        lines.push((Line::from(spans), spot));
        lines
    }

    fn plan_lines(&self, shared: &Shared, columns: usize, lines: &mut Vec<(Line<'static>, Option<Spot>)>) {
        let theme = shared.theme;
        let room = columns.saturating_sub(17);
        let mut say = |text: &str, style: Style| {
            for (at, line) in wrap(text, room).into_iter().enumerate() {
                let lead = if at == 0 { "  Will          " } else { "                " };
                lines.push((Line::styled(format!("{lead}{line}"), style), None));
            }
        };
        if let Some(fault) = self.plan.fault() {
            let hint = fault.hint.as_deref().map_or(String::new(), |hint| format!(" ({hint})"));
            say(&format!("not work: {}{hint}", fault.message), theme.health(Health::Bad));
        } else if self.plan.is_waiting() {
            say(&self.plan.waiting(shared).unwrap_or_default(), theme.dim());
        } else if let Some(plan) = self.plan.value() {
            say(&self.plan_text(), if plan.fits() { theme.strong() } else { theme.health(Health::Bad) });
            if !plan.fits() {
                say("! it does not fit on that disk", theme.health(Health::Bad));
            }
            if !self.in_place && plan.target_exists {
                say("the directory is there already", theme.dim());
            }
            if !self.layout_text().is_empty() {
                say(self.layout_text(), theme.dim());
            }
        } else {
            say("Enter tells what it would do, before anything is written.", theme.dim());
        }
    }

    fn job_lines(
        &self,
        job: &Job,
        shared: &Shared,
        columns: usize,
        rows: usize,
    ) -> (String, Vec<(Line<'static>, Option<Spot>)>) {
        let theme = shared.theme;
        let room = columns.saturating_sub(2);
        let mut lines: Vec<(Line<'static>, Option<Spot>)> = Vec::new();
        let mut say = |text: String, style: Style| {
            wrap(&text, room).into_iter().for_each(|line| lines.push((Line::styled(format!(" {line}"), style), None)));
        };
        let title = match job.ended {
            None => {
                say(progress(job, shared, room), theme.strong());
                let p = &job.progress;
                let files = match p.files_total {
                    Some(total) => format!("{} of {}", count(p.files_done), counted(total, "file", "files")),
                    None => counted(p.files_done, "file", "files"),
                };
                let errors = if p.errors > 0 { format!("  {} not restored", count(p.errors)) } else { String::new() };
                say(format!("{files}{errors}"), Style::new());
                let keys = if job.cancelled {
                    "It ends; what is whole stays."
                } else {
                    "c cancel (what is whole stays)  Esc goes on looking around"
                };
                say(keys.to_owned(), theme.dim());
                format!("Restoring {}", self.what)
            }
            Some((ended, status)) => {
                let took = duration(u64::try_from(ended.saturating_sub(job.began_ms)).unwrap_or(0));
                let (health, how) = match status {
                    0 => (Health::Good, "done"),
                    3 => (Health::Warn, "done, with something left out: see the lines below"),
                    _ if job.cancelled => (Health::Warn, "cancelled: what is whole stays"),
                    _ => (Health::Bad, "failed: see the lines below"),
                };
                say(format!("{} {how}, after {took}", theme.sign(health)), theme.health(health));
                if let Some(done) = self.job(shared, false).filter(|job| job.to.is_some()) {
                    let places = several::places(&done);
                    for place in places.iter().take(PLACES) {
                        say(for_terminal(place.as_os_str().as_encoded_bytes()), Style::new());
                    }
                    if let Some(more) = places.len().checked_sub(PLACES).filter(|more| *more > 0) {
                        let to = done.to.unwrap_or_default();
                        say(
                            format!(
                                "and {} more in {}",
                                count(more as u64),
                                for_terminal(to.as_os_str().as_encoded_bytes())
                            ),
                            Style::new(),
                        );
                    }
                } else {
                    say("Everything is in its own place again.".to_owned(), Style::new());
                }
                say("y copies the place  Up, Down go through the log  Enter closes".to_owned(), theme.dim());
                "Restored".to_owned()
            }
        };
        lines.push((Line::raw(""), None));
        let left = rows.saturating_sub(lines.len()).clamp(1, 10);
        let end = job.lines.len().saturating_sub(self.back.min(job.lines.len().saturating_sub(left)));
        let from = end.saturating_sub(left);
        for line in job.lines.iter().skip(from).take(end - from) {
            lines.push((Line::raw(format!(" {}", fit(line, room, Align::Path))), None));
        }
        (title, lines)
    }
}

/// A bar with what is known of how far it is.
#[must_use]
pub fn progress(job: &Job, shared: &Shared, columns: usize) -> String {
    let p = &job.progress;
    let rate = job.rate.map_or(String::new(), |rate| format!("  {}/s", size(rate)));
    let left = job.left_ms().map_or(String::new(), |left| format!("  {} left", duration(left)));
    match p.bytes_total {
        Some(total) => {
            let share = percent(p.bytes_done, total).map_or(String::new(), |share| format!(" {share:>3}%"));
            let text = format!("{share}  {} of {}{rate}{left}", size(p.bytes_done), size(total));
            let room = columns.saturating_sub(agent::name::width(&text)).clamp(6, 30);
            format!("{}{text}", bar(p.bytes_done, total, room))
        }
        None => {
            let step = u64::try_from(shared.mono_ms / 125).unwrap_or(0);
            format!("{}  {}{rate}", moving(step, 20.min(columns)), size(p.bytes_done))
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
