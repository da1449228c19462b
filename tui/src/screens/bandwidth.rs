//! Traffic: bytes in and out by hour, day or month, of this account or of all, as a chart and as numbers.

use std::collections::BTreeMap;

use agent::name::harmless_line;
use agent::units::{count, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::Value;

use super::{Event, ScreenId};
use crate::console::ask::{Answer, Ask};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::list::List;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::spark::columns;
use crate::widgets::text::{Align, Column, column, heading, put, row};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("b", Action::Do("bucket"), "by hour, by day, by month"),
    key("a", Action::Do("all"), "this account, or all"),
    key("e", Action::Do("export"), "copy the command line that prints the numbers"),
];
/// Its footer.
pub const HINTS: &[Hint] =
    &[("b", "hour/day/month"), ("a", "this/all"), ("e", "export"), ("Enter", "account"), ("C-r", "reload")];

const LANE: Lane = Lane(ScreenId::Bandwidth, 0);
const TABLE: &[Column] = &[
    column("Account", 0, Align::Path),
    column("In", 10, Align::Right),
    column("Out", 10, Align::Right),
    column("Connections", 11, Align::Right),
];

/// In steps of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Bucket {
    #[default]
    Hour,
    Day,
    Month,
}

impl Bucket {
    fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// How the beginning of one is shown, and every how many.
    fn axis(self) -> (&'static str, usize) {
        match self {
            Self::Hour => ("%a %H", 12),
            Self::Day => ("%b %d", 8),
            Self::Month => ("%b %y", 8),
        }
    }
}

/// What moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moved {
    into: u64,
    from: u64,
    sessions: u64,
}

impl Moved {
    fn add(&mut self, other: Self) {
        self.into = self.into.saturating_add(other.into);
        self.from = self.from.saturating_add(other.from);
        self.sessions = self.sessions.saturating_add(other.sessions);
    }
}

/// Records, added up.
#[derive(Debug, Default)]
struct Traffic {
    /// By beginning, ms since 1970; the last one is now.
    periods: Vec<(i64, Moved)>,
    /// The most first.
    accounts: Vec<(String, Moved)>,
    total: Moved,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    pane: Pane<Traffic>,
    bucket: Bucket,
    all: Option<bool>,
    list: List,
}

impl Default for State {
    fn default() -> Self {
        Self { pane: Pane::new(LANE), bucket: Bucket::Hour, all: None, list: List::default() }
    }
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pane.is_waiting()
    }

    fn all(&self, shared: &Shared) -> bool {
        self.all.unwrap_or(shared.admin)
    }

    fn words(&self, shared: &Shared) -> Vec<String> {
        let mut words = vec!["traffic".to_owned(), "--by".to_owned(), self.bucket.word().to_owned()];
        if self.all(shared) {
            words.push("--all".to_owned());
        }
        words
    }

    fn ask(&mut self, shared: &Shared, out: &mut Effects) {
        let words = self.words(shared);
        self.pane.ask(shared, Ask::Records(words), out);
    }
}

fn moment(record: &Value, name: &str) -> Option<i64> {
    let text = record.get(name)?.as_str()?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn add_up(records: &[Value]) -> Traffic {
    let number = |record: &Value, name: &str| record.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut periods: BTreeMap<i64, Moved> = BTreeMap::new();
    let mut accounts: BTreeMap<&str, Moved> = BTreeMap::new();
    let mut total = Moved::default();
    for record in records.iter().filter(|record| record.get("type").is_some_and(|kind| kind == "traffic")) {
        let (into, from) = (number(record, "in_bytes"), number(record, "out_bytes"));
        let moved = Moved { into, from, sessions: number(record, "sessions") };
        if let Some(start) = moment(record, "from_at") {
            periods.entry(start).or_default().add(moved);
        }
        let name = record.get("account").and_then(Value::as_str).unwrap_or("this account");
        accounts.entry(name).or_default().add(moved);
        total.add(moved);
    }
    let mut accounts: Vec<(String, Moved)> =
        accounts.into_iter().map(|(name, moved)| (harmless_line(name), moved)).collect();
    accounts.sort_by_key(|(_, moved)| std::cmp::Reverse(moved.into.saturating_add(moved.from)));
    Traffic { periods: periods.into_iter().collect(), accounts, total }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => {
            let words = state.words(shared);
            state.pane.want(shared, || Ask::Records(words), out);
        }
        Event::Heard(heard) => {
            state.pane.hear(heard, |answer| match answer {
                Answer::Records(records) => Some(add_up(records)),
                _ => None,
            });
            state.list.keep_inside(state.pane.value().map_or(0, |traffic| traffic.accounts.len()));
        }
        Event::Action(action) => return act(state, shared, *action, out),
        _ => return false,
    }
    true
}

fn act(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    let rows = state.pane.value().map_or(0, |traffic| traffic.accounts.len());
    if state.list.moves(action, rows, shared.page() / 2) {
        return true;
    }
    match action {
        Action::Do("bucket") => {
            state.bucket = match state.bucket {
                Bucket::Hour => Bucket::Day,
                Bucket::Day => Bucket::Month,
                Bucket::Month => Bucket::Hour,
            };
            state.pane.clear();
            state.ask(shared, out);
        }
        Action::Do("all") => {
            state.all = Some(!state.all(shared));
            state.pane.clear();
            state.ask(shared, out);
        }
        Action::Do("export") | Action::Copy => {
            out.push(Effect::Copy(format!("tuckbox {} --json", state.words(shared).join(" "))));
        }
        Action::Reload => state.ask(shared, out),
        Action::Enter => {
            let here = state.pane.value().and_then(|traffic| traffic.accounts.get(state.list.cursor));
            if let Some((name, _)) = here.filter(|_| state.all(shared)) {
                out.push(Effect::Account(name.clone()));
                out.push(Effect::Go(ScreenId::Account));
            }
        }
        _ => return false,
    }
    true
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let chart = if shared.compact() { area.height / 2 } else { area.height * 3 / 5 };
    let above = Rect { height: chart, ..area };
    let whose = if state.all(shared) { "all accounts".to_owned() } else { shared.account_shown() };
    let title = format!("{whose}, by {}", state.bucket.word());
    let inner = panel(buf, above, shared, &title, "", true);
    let none = state.pane.value().is_some_and(|traffic| traffic.periods.is_empty());
    if !stand_in(buf, inner, shared, &state.pane, none, "Nothing moved in this time.")
        && let Some(traffic) = state.pane.value()
    {
        draw_chart(traffic, state.bucket, shared, inner, buf);
    }
    let below = Rect { y: area.y + chart, height: area.height - chart, ..area };
    let total = state.pane.value().map(|traffic| traffic.total).unwrap_or_default();
    let right = format!("in {}   out {}", size(total.into), size(total.from));
    let inner = panel(buf, below, shared, "Per account", &right, false);
    let Some(traffic) = state.pane.value() else { return };
    let width = usize::from(inner.width).saturating_sub(3);
    put(buf, inner, 0, Line::styled(format!("  {}", heading(TABLE, width, None)), shared.theme.strong()));
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    state.list.draw(buf, rows, shared.theme, traffic.accounts.len(), true, |number| {
        let Some((name, moved)) = traffic.accounts.get(number) else { return (Line::raw(""), false) };
        let cells = [name.as_str(), &size(moved.into), &size(moved.from), &count(moved.sessions)];
        (Line::raw(row(TABLE, width, &cells)), false)
    });
}

/// In above, out below, each with its scale; the newest at the right.
fn draw_chart(traffic: &Traffic, bucket: Bucket, shared: &Shared, area: Rect, buf: &mut Buffer) {
    const SCALE: u16 = 11;
    let room = usize::from(area.width.saturating_sub(SCALE + 1));
    let periods = filled(&traffic.periods, bucket, room, shared);
    let half = usize::from(area.height.saturating_sub(1)) / 2;
    if half == 0 || room == 0 {
        return;
    }
    for (part, (name, of)) in
        [("in", (|m: &Moved| m.into) as fn(&Moved) -> u64), ("out", |m: &Moved| m.from)].into_iter().enumerate()
    {
        let numbers: Vec<u64> = periods.iter().map(|(_, moved)| of(moved)).collect();
        let most = numbers.iter().copied().max().unwrap_or(0);
        let lines = columns(&numbers, most, half, shared.theme);
        for (line, text) in lines.into_iter().enumerate() {
            let label = match line {
                0 => format!("{name:>3} {:>7}", short(most)),
                line if line + 1 == half => format!("{:>11}", "0"),
                _ => String::new(),
            };
            put(buf, area, part * half + line, Line::styled(label, shared.theme.dim()));
            let inner = Rect { x: area.x + SCALE + 1, width: area.width - SCALE - 1, ..area };
            put(buf, inner, part * half + line, text);
        }
    }
    let (format, every) = bucket.axis();
    let axis = Rect { x: area.x + SCALE + 1, width: area.width - SCALE - 1, ..area };
    for (place, (start, _)) in periods.iter().enumerate().step_by(every) {
        let Ok(column) = u16::try_from(place) else { continue };
        if usize::from(column) + 6 <= room {
            let at = Rect { x: axis.x + column, width: axis.width - column, ..axis };
            put(buf, at, half * 2, Line::styled(shared.moment(*start, format), shared.theme.dim()));
        }
    }
}

/// A size in few letters.
fn short(bytes: u64) -> String {
    size(bytes).replace("iB", "").replace(' ', "")
}

/// The newest periods, with those in which nothing moved.
fn filled(periods: &[(i64, Moved)], bucket: Bucket, room: usize, shared: &Shared) -> Vec<(i64, Moved)> {
    let step_ms = match bucket {
        Bucket::Hour => 3_600_000,
        Bucket::Day => 86_400_000,
        // Months differ in length: those that have something stand side by side.
        Bucket::Month => return periods.iter().rev().take(room).rev().copied().collect(),
    };
    let moved: BTreeMap<i64, Moved> = periods.iter().copied().collect();
    let last = shared.now_ms.div_euclid(step_ms);
    let first = periods.first().map_or(last, |(start, _)| start.div_euclid(step_ms));
    let first = first.max(last - i64::try_from(room).unwrap_or(0) + 1);
    (first..=last).map(|step| (step * step_ms, moved.get(&(step * step_ms)).copied().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::stage::{ASCII, COLOUR, HOUR_MS, MONO, NOW_MS, Stage};
    use agent::fault::{Code, Fault};
    use serde_json::json;

    fn records() -> Answer {
        let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
        let mut records = vec![json!({"type": "start"})];
        for hour in 0..40_i64 {
            let start = (NOW_MS - hour * HOUR_MS).div_euclid(HOUR_MS) * HOUR_MS;
            for (number, name) in [(0, "web01"), (1, "laptop-ana"), (2, "db\u{202e}01")] {
                let wave = (hour * 7 + number * 3) % 11;
                if wave > 3 {
                    records.push(json!({"type": "traffic", "account": name, "in_bytes": wave << 24, "out_bytes": (11 - wave) << 18,
                        "from_at": at(start), "to_at": at(start + HOUR_MS), "sessions": 2}));
                }
            }
        }
        Answer::Records(Arc::new(records))
    }

    fn is_traffic(ask: &Ask) -> bool {
        matches!(ask, Ask::Records(words) if words[0] == "traffic")
    }

    #[test]
    fn a_chart_and_its_numbers() {
        for (theme, size, name) in [
            (COLOUR, (80, 24), "bandwidth-80x24"),
            (ASCII, (80, 24), "bandwidth-80x24-ascii"),
            (MONO, (120, 40), "bandwidth-120x40"),
            (MONO, (40, 10), "bandwidth-40x10"),
        ] {
            let mut stage = Stage::new(size, theme);
            stage.press("6").answer(is_traffic, Ok(records())).pinned(name);
        }
    }

    #[test]
    fn periods_and_accounts_are_asked_for() {
        let mut stage = Stage::new((80, 24), MONO);
        stage.press("6").answer(is_traffic, Ok(records()));
        stage.press("b");
        let words = |stage: &mut Stage, wanted: &[&str]| {
            stage.asked(|ask| matches!(ask, Ask::Records(words) if words == wanted)).is_some()
        };
        assert!(words(&mut stage, &["traffic", "--by", "day"]));
        stage.press("a");
        assert!(words(&mut stage, &["traffic", "--by", "day", "--all"]));
        stage.effects.clear();
        stage.press("e");
        assert!(matches!(&stage.effects[..], [Effect::Copy(text)] if text == "tuckbox traffic --by day --all --json"));
    }

    #[test]
    fn a_refusal_is_told() {
        let mut stage = Stage::new((80, 24), MONO);
        stage.press("6").answer(is_traffic, Err(Fault::new(Code::PolicyRole, "this key may not see all accounts")));
        assert!(stage.text().contains("this key may not see all accounts"));
    }
}
