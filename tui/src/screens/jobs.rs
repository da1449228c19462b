//! What runs and what ran, with what each said.

use agent::name::harmless_line;
use agent::units::{count, duration, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::Event;
use super::browser::restore_picture::progress;
use crate::console::effect::{Effect, Effects};
use crate::console::jobs::Job;
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::overlay::Overlay;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::dialog::Confirm;
use crate::widgets::list::List;
use crate::widgets::panel::panel;
use crate::widgets::text::{Align, Column, column, fit, heading, put, row};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[key("c", Action::Do("cancel"), "end the job; what is done so far is kept")];
/// Its footer.
pub const HINTS: &[Hint] = &[("Enter", "what it said"), ("c", "cancel"), ("t", "how fast"), ("y", "copy the command")];

pub(super) const TABLE: &[Column] = &[
    column("State", 6, Align::Left),
    column("Began", 8, Align::Left),
    Column { title: "Took", columns: 12, align: Align::Left, from: 50 },
    Column { title: "Data", columns: 10, align: Align::Right, from: 60 },
    column("Command", 0, Align::Left),
];

/// See the module.
#[derive(Debug, Default)]
pub struct State {
    list: List,
    /// The job whose lines are shown.
    log: Option<u64>,
    /// Lines from its end that were scrolled back.
    back: usize,
}

/// In the order that they are shown: those that run, then the others, newest first.
fn order(shared: &Shared) -> Vec<&Job> {
    let mut jobs: Vec<&Job> = shared.jobs.running().collect();
    jobs.extend(shared.jobs.all().rev().filter(|job| !job.runs()));
    jobs
}

/// How it is, as a word.
fn state_of(job: &Job) -> (Health, &'static str) {
    match job.ended {
        None if job.cancelled => (Health::Busy, "ends"),
        None => (Health::Busy, "run"),
        Some((_, 0)) => (Health::Good, "ok"),
        Some((_, 3)) => (Health::Warn, "part"),
        Some(_) if job.cancelled => (Health::Warn, "cut"),
        Some(_) => (Health::Bad, "FAIL"),
    }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => state.list.keep_inside(shared.jobs.all().len()),
        Event::Action(action) => return state.act(shared, *action, out),
        _ => return false,
    }
    true
}

impl State {
    /// Whether it takes every key.
    #[must_use]
    pub fn captures(&self) -> bool {
        false
    }

    fn act(&mut self, shared: &Shared, action: Action, out: &mut Effects) -> bool {
        let jobs = order(shared);
        if let Some(job) = self.log.and_then(|number| shared.jobs.get(number)) {
            let page = shared.page();
            self.back = match action {
                Action::Up | Action::PreviewUp => self.back.saturating_add(1),
                Action::Down | Action::PreviewDown => self.back.saturating_sub(1),
                Action::PageUp | Action::HalfUp => self.back.saturating_add(page),
                Action::PageDown | Action::HalfDown => self.back.saturating_sub(page),
                Action::Top => job.lines.len(),
                Action::Bottom => 0,
                Action::Back | Action::Left | Action::Enter => {
                    self.log = None;
                    return true;
                }
                Action::Do("cancel") => {
                    cancel(job, out);
                    self.back
                }
                Action::Throttle if job.runs() => {
                    throttle(job, out);
                    self.back
                }
                _ => return false,
            }
            .min(job.lines.len().saturating_sub(1));
            return true;
        }
        if self.list.moves(action, jobs.len(), shared.page()) {
            return true;
        }
        let job = jobs.get(self.list.cursor).copied();
        match (action, job) {
            (Action::Enter | Action::Right, Some(job)) => (self.log, self.back) = (Some(job.number), 0),
            (Action::Do("cancel"), Some(job)) => cancel(job, out),
            (Action::Throttle, Some(job)) if job.runs() => throttle(job, out),
            (Action::Copy, Some(job)) => out.push(Effect::Copy(format!("tuckbox {}", job.words))),
            (Action::Do(_), None) => out.warn("nothing runs"),
            _ => return false,
        }
        true
    }
}

/// How fast it may go, when that can be said while it runs.
fn throttle(job: &Job, out: &mut Effects) {
    if job.moves_much() {
        out.open(Overlay::Menu(super::changes::job_rates(job.number, job.verb())));
    } else {
        out.warn(format!("{} moves too little to be slowed down", job.verb()));
    }
}

/// Asks before it ends something.
fn cancel(job: &Job, out: &mut Effects) {
    if !job.runs() {
        return out.warn("it has ended already");
    }
    let kept = match job.verb() {
        "restore" => "Files that are whole stay; none is left half written.",
        "backup" => "What was sent is kept; the next backup goes on from there.",
        _ => "What is done so far is kept.",
    };
    let text = format!("End this? {}\n{kept}", job.words);
    out.open(Overlay::Confirm(Confirm::new("Cancel", text, vec![Effect::Cancel(job.number)])));
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let running = shared.jobs.running().count();
    if let Some(job) = state.log.and_then(|number| shared.jobs.get(number)) {
        return log(state, job, shared, area, buf);
    }
    let jobs = order(shared);
    let wanted = u16::try_from(running * 2 + 2).unwrap_or(u16::MAX);
    let above = wanted.clamp(3, (area.height / 2).max(3)).min(area.height);
    let top = Rect { height: above, ..area };
    let title = format!("running: {}", count(running as u64));
    let inner = panel(buf, top, shared, &title, "", false);
    if running == 0 {
        put(buf, inner, 0, Line::styled(" Nothing runs.", shared.theme.dim()));
    }
    let columns = usize::from(inner.width).saturating_sub(1);
    for (at, job) in shared.jobs.running().enumerate() {
        bars(job, shared, inner, at * 2, columns, buf);
    }
    let below = Rect { y: area.y + above, height: area.height - above, ..area };
    let inner = panel(buf, below, shared, "all, newest first", &state.list.place(jobs.len()), true);
    if jobs.is_empty() {
        let text =
            " Nothing ran yet. Backups, restores and checks that are begun here stand here, with what they said.";
        put(buf, inner, 0, Line::styled(text, shared.theme.dim()));
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    let head = Rect { x: inner.x + 2, width: inner.width.saturating_sub(2), ..inner };
    put(buf, head, 0, Line::styled(heading(TABLE, columns, None), shared.theme.strong()));
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    state.list.draw(buf, rows, shared.theme, jobs.len(), true, |at| match jobs.get(at) {
        Some(job) => {
            let (health, word) = state_of(job);
            let began = shared.moment(job.began_ms, "%H:%M:%S");
            let took = took(job, shared);
            let data = size(job.progress.bytes_done);
            let text = row(TABLE, columns, &[word, &began, &took, &data, &job.words]);
            let style = if health == Health::Bad { shared.theme.health(health) } else { Style::new() };
            (Line::styled(text, style), false)
        }
        None => (Line::raw(""), false),
    });
}

fn took(job: &Job, shared: &Shared) -> String {
    let end = job.ended.map_or(shared.now_ms, |(end, _)| end);
    duration(u64::try_from(end.saturating_sub(job.began_ms)).unwrap_or(0))
}

/// Two rows of one that runs: what it is, and how far.
fn bars(job: &Job, shared: &Shared, area: Rect, at: usize, columns: usize, buf: &mut Buffer) {
    let phase = job.phase.map_or("", agent::event::Phase::name);
    let account = job.account.as_deref().map_or(String::new(), |name| format!("{}  ", harmless_line(name)));
    let errors = match job.progress.errors {
        0 => String::new(),
        errors => format!("  ! {} left out", count(errors)),
    };
    let limit = job.limit.map_or(String::new(), |rate| format!("  (at most {}/s)", size(rate)));
    let room = columns.saturating_sub(agent::name::width(&limit));
    let first = format!("{}{limit}", fit(&format!(" {account}{}", job.words), room, Align::Left).trim_end());
    put(buf, area, at, Line::styled(fit(&first, columns, Align::Left), shared.theme.strong()));
    let bar = progress(job, shared, columns.saturating_sub(14));
    put(buf, area, at + 1, Line::styled(format!("   {phase:<9}{bar}{errors}"), shared.theme.health(Health::Busy)));
}

fn log(state: &State, job: &Job, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let (health, word) = state_of(job);
    let status = job.ended.map_or(String::new(), |(_, status)| format!(", exit {status}"));
    let right = format!("{word}{status}, {}", took(job, shared));
    let inner = panel(buf, area, shared, &format!("tuckbox {}", job.words), &right, true);
    let mut rows = inner;
    if job.runs() {
        bars(job, shared, inner, 0, usize::from(inner.width).saturating_sub(1), buf);
        rows = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    } else if health == Health::Bad {
        put(buf, rows, 0, Line::styled(" It failed; why stands at the end.", shared.theme.health(health)));
        rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    }
    let height = usize::from(rows.height);
    let end = job.lines.len().saturating_sub(state.back);
    let from = end.saturating_sub(height);
    let columns = usize::from(rows.width).saturating_sub(2);
    if job.lines.is_empty() {
        put(buf, rows, 0, Line::styled(" It said nothing so far.", shared.theme.dim()));
    }
    for (at, line) in job.lines.iter().skip(from).take(height.min(end - from)).enumerate() {
        put(buf, rows, at, format!(" {}", fit(line, columns, Align::Left)));
    }
}
