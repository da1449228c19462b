//! What happened, newest first: versions that came, what clients told of their runs, what housekeeping did, verbs that ran
//! here, what was said.

use std::cmp::Ordering;
use std::sync::Arc;

use agent::engine::job::{LogLevel, LogTold, LoggedPass};
use agent::name::harmless_line;
use agent::units::{count, duration, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::json;

use super::{Event, ScreenId};
use crate::console::ask::{Answer, Ask};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::arrange::Rows;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::sheet::Sheet;
use crate::widgets::text::{put, wrap};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("L", Action::Do("level"), "all, from warnings on, errors only"),
    key("o", Action::Do("output"), "what the verb under the cursor said"),
];
/// Its footer.
pub const HINTS: &[Hint] =
    &[("Enter", "details"), ("L", "level"), ("/", "filter"), ("y", "copy as JSON"), ("C-r", "reload")];

const PASSES: Lane = Lane(ScreenId::Log, 0);
const ORDER: Lane = Lane(ScreenId::Log, 1);
const TOLD: Lane = Lane(ScreenId::Log, 2);

/// Something that happened.
#[derive(Clone, Debug)]
struct Happened {
    at_ms: i64,
    health: Health,
    source: &'static str,
    text: String,
    job: Option<u64>,
}

/// All of it, newest first.
#[derive(Debug, Default)]
struct Events(Vec<Happened>);

impl Rows for Events {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn name(&self, row: usize) -> String {
        self.0.get(row).map(|event| format!("{} {}", event.source, event.text)).unwrap_or_default()
    }

    fn compare(&self, one: usize, other: usize, column: usize) -> Ordering {
        let (Some(one), Some(other)) = (self.0.get(one), self.0.get(other)) else { return Ordering::Equal };
        match column {
            0 => one.at_ms.cmp(&other.at_ms),
            1 => other.health.cmp(&one.health),
            _ => one.source.cmp(other.source),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct State {
    passes: Pane<Arc<Vec<LoggedPass>>>,
    told: Pane<Arc<Vec<LogTold>>>,
    events: Arc<Events>,
    sheet: Sheet,
    least: Health,
    details: bool,
}

impl Default for State {
    fn default() -> Self {
        let (passes, told, sheet) = (Pane::new(PASSES), Pane::new(TOLD), Sheet::new(ORDER, 3));
        Self { passes, told, events: Arc::default(), sheet, least: Health::Good, details: false }
    }
}

impl State {
    /// Whether it takes every key.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.sheet.captures()
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.passes.is_waiting() || self.told.is_waiting()
    }

    fn rows(&self) -> Arc<dyn Rows> {
        Arc::clone(&self.events) as Arc<dyn Rows>
    }

    fn gather(&mut self, shared: &Shared, out: &mut Effects) {
        let mut events: Vec<Happened> = Vec::new();
        let versions = shared.versions.value().map(|rows| rows.as_slice()).unwrap_or_default();
        events.extend(versions.iter().map(|row| {
            let id = row.id.get(..8).unwrap_or(&row.id);
            let partial = if row.partial { "unfinished version" } else { "version" };
            let text = format!("{partial} {id}, {} files, {}", count(row.files), size(row.bytes));
            let health = if row.holes { Health::Bad } else { Health::Good };
            Happened { at_ms: row.received_at_ms, health, source: "backup", text, job: None }
        }));
        let passes = self.passes.value().map(|passes| passes.as_slice()).unwrap_or_default();
        events.extend(passes.iter().map(pass));
        let told = self.told.value().map(|lines| lines.as_slice()).unwrap_or_default();
        events.extend(told.iter().map(line));
        events.extend(shared.messages.iter().map(|message| Happened {
            at_ms: message.at_ms,
            health: message.health,
            source: "console",
            text: message.text.clone(),
            job: None,
        }));
        events.extend(shared.jobs.all().filter_map(|job| {
            let (at_ms, status) = job.ended?;
            let health = if status == 0 { Health::Good } else { Health::Bad };
            let how = if status == 0 { "done".to_owned() } else { format!("exit {status}") };
            Some(Happened {
                at_ms,
                health,
                source: "job",
                text: format!("{}: {how}", job.words),
                job: Some(job.number),
            })
        }));
        events.retain(|event| event.health == Health::Busy && self.least == Health::Good || event.health >= self.least);
        events.sort_by_key(|event| std::cmp::Reverse(event.at_ms));
        self.events = Arc::new(Events(events));
        let rows = self.rows();
        self.sheet.arrange(&rows, shared, out);
    }

    fn here(&self) -> Option<&Happened> {
        self.sheet.list.at(self.events.0.len()).and_then(|row| self.events.0.get(row))
    }
}

fn line(told: &LogTold) -> Happened {
    let health = match told.level {
        LogLevel::Note => Health::Good,
        LogLevel::Warning => Health::Warn,
        LogLevel::Error => Health::Bad,
    };
    let text = format!("{}: {}", harmless_line(&told.code), harmless_line(&told.text));
    Happened { at_ms: told.at, health, source: "client", text, job: None }
}

fn pass(pass: &LoggedPass) -> Happened {
    let mut text = format!("freed {}, condemned {}", size(pass.unlinked_bytes), size(pass.condemned_bytes));
    text.push_str(&format!(" in {}", duration(pass.took_ms)));
    if !pass.gone.is_empty() {
        let gone: Vec<String> =
            pass.gone.iter().take(20).map(|(sequence, why)| format!("{sequence} ({})", harmless_line(why))).collect();
        text.push_str(&format!("; versions that went: {}", gone.join(", ")));
    }
    if pass.waiting > 0 {
        text.push_str(&format!("; {} wait to be confirmed", count(pass.waiting)));
    }
    let health = if pass.failed || pass.holes > 0 {
        Health::Bad
    } else if pass.waiting > 0 {
        Health::Warn
    } else {
        Health::Good
    };
    Happened { at_ms: pass.at_ms, health, source: "housekeep", text, job: None }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => {
            state.passes.want(shared, || Ask::Passes, out);
            if let Some(account) = shared.account.clone().filter(|_| shared.admin) {
                state.told.want(shared, || Ask::Log(account), out);
            }
            if shared.versions.value().is_none() && !shared.versions.is_waiting() {
                out.push(Effect::Versions);
            }
            state.gather(shared, out);
        }
        Event::Versions | Event::JobEnded(_) | Event::JobBegan(_) => state.gather(shared, out),
        Event::Heard(heard) => {
            if state.sheet.hear(heard, state.events.0.len()) {
                return true;
            }
            let passes = |answer: &Answer| match answer {
                Answer::Passes(passes) => Some(Arc::clone(passes)),
                _ => None,
            };
            let told = |answer: &Answer| match answer {
                Answer::Log(lines) => Some(Arc::clone(lines)),
                _ => None,
            };
            if !state.passes.hear(heard, passes) {
                state.told.hear(heard, told);
            }
            state.gather(shared, out);
        }
        Event::Key(key) => {
            let rows = state.rows();
            return state.sheet.key(key, &rows, shared, out);
        }
        Event::Action(action) => return act(state, shared, *action, out),
        _ => return false,
    }
    true
}

fn act(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    let rows = state.rows();
    if state.sheet.act(action, &rows, shared, out) {
        return true;
    }
    match action {
        Action::Enter | Action::Details => state.details = !state.details,
        Action::Back if state.details => state.details = false,
        Action::Reload => {
            state.passes.ask(shared, Ask::Passes, out);
            if let Some(account) = shared.account.clone().filter(|_| shared.admin) {
                state.told.ask(shared, Ask::Log(account), out);
            }
            out.push(Effect::Versions);
        }
        Action::Do("level") => {
            state.least = match state.least {
                Health::Good | Health::Busy => Health::Warn,
                Health::Warn => Health::Bad,
                Health::Bad => Health::Good,
            };
            state.gather(shared, out);
        }
        Action::Do("output") => match state.here().and_then(|event| event.job) {
            Some(number) => out.open(crate::console::overlay::Overlay::Output(super::output::State::new(number))),
            None => out.warn("this is no verb that ran here"),
        },
        Action::Copy => {
            if let Some(event) = state.here() {
                let time = agent::time::utc(event.at_ms);
                let record = json!({"time": time, "source": event.source, "text": event.text});
                out.push(Effect::Copy(record.to_string()));
            }
        }
        _ => return false,
    }
    true
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let all = state.events.0.len();
    let level = match state.least {
        Health::Good | Health::Busy => "all",
        Health::Warn => "from warnings on",
        Health::Bad => "errors only",
    };
    let detail = state.here().filter(|_| state.details).map(|event| {
        let when = format!("{} ({})", shared.moment(event.at_ms, "%F %H:%M:%S %Z"), shared.ago(event.at_ms));
        format!("{when}\n{}", event.text)
    });
    let lines = detail.map(|text| wrap(&text, usize::from(area.width.saturating_sub(4)))).unwrap_or_default();
    let below = if lines.is_empty() { 0 } else { u16::try_from(lines.len() + 2).unwrap_or(0).min(area.height / 2) };
    let above = Rect { height: area.height - below, ..area };
    let right = format!("{level} {}", state.sheet.list.place(all));
    let inner = panel(buf, above, shared, &state.sheet.title("What happened"), &right, true);
    let empty = match state.least {
        Health::Good | Health::Busy => "Nothing happened yet.",
        Health::Warn | Health::Bad => "Nothing of this kind happened; L shows all.",
    };
    if all == 0 && stand_in(buf, inner, shared, &state.passes, true, empty) {
        return;
    }
    let inner = state.sheet.draw_filter(buf, inner, shared);
    state.sheet.list.draw(buf, inner, shared.theme, all, true, |row| {
        let Some(event) = state.events.0.get(row) else { return (Line::raw(""), false) };
        let moment = shared.moment(event.at_ms, "%F %H:%M");
        let sign = Span::styled(shared.theme.sign(event.health), shared.theme.health(event.health));
        (Line::from(vec![sign, Span::raw(format!(" {moment}  {:<10} {}", event.source, event.text))]), false)
    });
    if below > 0 {
        let inner = panel(buf, Rect { y: area.y + above.height, height: below, ..area }, shared, "Details", "", false);
        for (row, line) in lines.into_iter().enumerate() {
            put(buf, inner, row, format!(" {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::stage::{COLOUR, DAY_MS, MONO, NOW_MS, Stage};
    use agent::engine::job::VersionRow;

    fn stage(size: (u16, u16), theme: crate::console::theme::Theme) -> Stage {
        let mut stage = Stage::new(size, theme);
        let pass = |days: i64, waiting| LoggedPass {
            at_ms: NOW_MS - days * DAY_MS,
            took_ms: 1_200,
            unlinked_bytes: 1 << 30,
            waiting,
            gone: vec![(12, "no rule keeps it\u{1b}[1m".into())],
            ..LoggedPass::default()
        };
        let rows = (0..9_u64).map(|number| VersionRow {
            id: format!("{number:08x}"),
            received_at_ms: NOW_MS - i64::try_from(number).unwrap() * DAY_MS / 2 - 60_000,
            files: 1_000 + number,
            bytes: 1 << 30,
            holes: number == 4,
            ..VersionRow::default()
        });
        let rows: Vec<VersionRow> = rows.rev().collect();
        stage.app.shared().admin = true;
        stage.press("9");
        let told = LogTold {
            at: NOW_MS - DAY_MS / 3,
            level: LogLevel::Warning,
            code: "source.unreadable".into(),
            text: "a file cannot be read (3 times)".into(),
        };
        stage
            .answer(|ask| matches!(ask, Ask::Log(name) if name == "laptop-ana"), Ok(Answer::Log(Arc::new(vec![told]))))
            .answer(|ask| matches!(ask, Ask::Passes), Ok(Answer::Passes(Arc::new(vec![pass(3, 0), pass(1, 2)]))))
            .answer(|ask| matches!(ask, Ask::Versions), Ok(Answer::Versions(Arc::new(rows))));
        stage
    }

    #[test]
    fn where_nothing_happened_that_is_said() {
        let mut stage = Stage::new((80, 24), MONO);
        stage.press("9").answer(|ask| matches!(ask, Ask::Passes), Ok(Answer::Passes(Arc::default())));
        assert!(stage.text().contains("Nothing happened yet."), "{}", stage.text());
        stage.press("L");
        assert!(stage.text().contains("L shows all"), "{}", stage.text());
    }

    #[test]
    fn what_happened_newest_first() {
        stage((80, 24), COLOUR).press("Down*3 Enter").pinned("log-80x24");
        stage((40, 10), MONO).pinned("log-40x10");
        let mut stage = stage((80, 24), MONO);
        stage.press("L");
        assert!(stage.text().contains("from warnings on [1/3]"), "{}", stage.text());
        stage.press("L").press("L / \"housekeep\" Enter");
        assert!(stage.text().contains("[1/2 of 12]"));
        stage.effects.clear();
        stage.press("y");
        assert!(matches!(&stage.effects[..], [Effect::Copy(text)] if text.starts_with(r#"{"source":"housekeep""#)));
    }
}
