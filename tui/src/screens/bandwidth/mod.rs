//! Traffic: bytes in and out by hour, day or month, of this account, of all accounts or of groups, as a chart and as numbers;
//! and the rates that are settled for them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::engine::job::{Statuses, Whose};
use agent::name::harmless_line;
use agent::units::{count, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::Value;

use super::changes::{GroupTerms, Which, group_menu, rate_text};
use super::{Event, ScreenId};
use crate::console::ask::{Answer, Ask};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::list::List;
use crate::widgets::menu::{Item, Menu};
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::spark::columns;
use crate::widgets::text::{Align, Column, column, heading, put, row};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("b", Action::Do("bucket"), "by hour, by day, by month"),
    key("a", Action::Do("all"), "this account, all accounts, groups"),
    key("o", Action::Do("only"), "the chart of what is under the cursor alone, and back"),
    key("e", Action::Do("export"), "copy the command line that prints the numbers"),
];
/// Its footer.
pub const HINTS: &[Hint] = &[
    ("b", "hour/day/month"),
    ("a", "this/all/groups"),
    ("o", "only this"),
    ("t", "rate"),
    ("x", "actions"),
    ("e", "export"),
];

const LANE: Lane = Lane(ScreenId::Bandwidth, 0);
const STATUS: Lane = Lane(ScreenId::Bandwidth, 1);
const GROUPS: Lane = Lane(ScreenId::Bandwidth, 2);
pub(super) const TABLE: &[Column] = &[
    column("Name", 0, Align::Path),
    column("In", 10, Align::Right),
    column("Out", 10, Align::Right),
    Column { title: "Connections", columns: 11, align: Align::Right, from: 50 },
    Column { title: "Rate", columns: 44, align: Align::Left, from: 100 },
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

    /// The beginning of one. Days and months are those of universal time, as in the records, and are called so.
    fn moment(self, start: i64, format: &str, shared: &Shared) -> String {
        match self {
            Self::Hour => shared.moment(start, format),
            Self::Day | Self::Month => jiff::Timestamp::from_millisecond(start)
                .map_or_else(|_| "?".to_owned(), |start| start.strftime(format).to_string()),
        }
    }

    /// In the title.
    fn words(self, shared: &Shared) -> String {
        let here = self == Self::Hour || shared.zone == jiff::tz::TimeZone::UTC;
        format!("by {}{}", self.word(), if here { "" } else { " of UTC" })
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

/// Whose traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Own,
    All,
    Groups,
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

/// What moved, by the beginning of each period in ms since 1970.
type Periods = BTreeMap<i64, Moved>;

/// Records, added up.
#[derive(Debug, Default)]
struct Traffic {
    /// By account.
    accounts: BTreeMap<String, Periods>,
}

/// One line of the table.
#[derive(Debug)]
struct Row {
    name: String,
    moved: Moved,
    periods: Periods,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    pane: Pane<Traffic>,
    status: Pane<Arc<Statuses>>,
    groups: Pane<Vec<GroupTerms>>,
    bucket: Bucket,
    scope: Option<Scope>,
    only: bool,
    /// The most first.
    rows: Vec<Row>,
    list: List,
}

impl Default for State {
    fn default() -> Self {
        Self {
            pane: Pane::new(LANE),
            status: Pane::new(STATUS),
            groups: Pane::new(GROUPS),
            bucket: Bucket::Hour,
            scope: None,
            only: false,
            rows: Vec::new(),
            list: List::default(),
        }
    }
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pane.is_waiting()
    }

    fn scope(&self, shared: &Shared) -> Scope {
        self.scope.unwrap_or(if shared.admin { Scope::All } else { Scope::Own })
    }

    fn words(&self, shared: &Shared) -> Vec<String> {
        let mut words = vec!["traffic".to_owned(), "--by".to_owned(), self.bucket.word().to_owned()];
        if self.scope(shared) != Scope::Own {
            words.push("--all".to_owned());
        }
        words
    }

    fn ask(&mut self, shared: &Shared, out: &mut Effects) {
        let words = self.words(shared);
        self.pane.ask(shared, Ask::Records(words), out);
        self.ask_rates(shared, out);
    }

    /// What is settled, and who is in which group.
    fn ask_rates(&mut self, shared: &Shared, out: &mut Effects) {
        let whose = if shared.admin { Whose::All } else { Whose::Own };
        self.status.ask(shared, Ask::Status(whose), out);
        if shared.admin {
            self.groups.ask(shared, Ask::Records(["group", "list"].map(str::to_owned).to_vec()), out);
        }
    }

    /// The table anew, from what is known.
    fn lay_out(&mut self, shared: &Shared) {
        let here = self.rows.get(self.list.cursor).map(|row| row.name.clone());
        self.rows = Vec::new();
        let Some(traffic) = self.pane.value() else { return };
        let mut rows: BTreeMap<String, Periods> = BTreeMap::new();
        let mut add = |name: &str, periods: &Periods| {
            let sum = rows.entry(name.to_owned()).or_default();
            periods.iter().for_each(|(start, moved)| sum.entry(*start).or_default().add(*moved));
        };
        if self.scope(shared) == Scope::Groups {
            let none = Periods::new();
            self.groups.value().into_iter().flatten().for_each(|group| add(&group.name, &none));
            for (account, periods) in &traffic.accounts {
                self.groups_of(account).for_each(|group| add(group, periods));
            }
        } else {
            traffic.accounts.iter().for_each(|(account, periods)| add(account, periods));
        }
        let sum = |periods: &Periods| {
            periods.values().fold(Moved::default(), |mut sum, moved| {
                sum.add(*moved);
                sum
            })
        };
        self.rows = rows.into_iter().map(|(name, periods)| Row { moved: sum(&periods), name, periods }).collect();
        self.rows.sort_by_key(|row| std::cmp::Reverse(row.moved.into.saturating_add(row.moved.from)));
        let place = here.and_then(|name| self.rows.iter().position(|row| row.name == name));
        self.list.cursor = place.unwrap_or(self.list.cursor);
        self.list.keep_inside(self.rows.len());
    }

    fn groups_of(&self, account: &str) -> impl Iterator<Item = &str> {
        let found =
            self.status.value().and_then(|status| status.accounts.iter().find(|status| status.facts.name == account));
        found.into_iter().flat_map(|status| &status.facts.groups).map(|group| group.name.as_str())
    }

    fn rate_of(&self, account: &str) -> Option<&str> {
        let accounts = &self.status.value()?.accounts;
        // Of one's own account alone no name is needed.
        let found = accounts.iter().find(|status| status.facts.name == account);
        found.or_else(|| accounts.first().filter(|_| accounts.len() == 1))?.facts.terms.rate.as_deref()
    }

    fn group(&self, name: &str) -> Option<&GroupTerms> {
        self.groups.value()?.iter().find(|group| group.name == name)
    }

    /// The rates of a row, in words: its own, and those of the groups that it is in.
    fn rates(&self, name: &str, shared: &Shared) -> String {
        let shown = |rate: Option<&str>| rate_text(rate, shared);
        if self.scope(shared) == Scope::Groups {
            return shown(self.group(name).and_then(|group| group.rate.as_deref()));
        }
        let mut text = shown(self.rate_of(name));
        for group in self.groups_of(name).filter_map(|group| self.group(group)) {
            if let Some(rate) = &group.rate {
                text.push_str(&format!("; group {}: {}", harmless_line(&group.name), shown(Some(rate))));
            }
        }
        text
    }

    /// What is under the cursor, as something that may be changed.
    fn which(&self, shared: &Shared) -> Option<Which<'_>> {
        let name = self.rows.get(self.list.cursor)?.name.as_str();
        Some(if self.scope(shared) == Scope::Groups { Which::Group(name) } else { Which::Account(name) })
    }
}

fn moment(record: &Value, name: &str) -> Option<i64> {
    let text = record.get(name)?.as_str()?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn number(record: &Value, name: &str) -> Option<u64> {
    record.get(name).and_then(Value::as_u64)
}

fn of_type<'r>(records: &'r [Value], wanted: &'static str) -> impl Iterator<Item = &'r Value> {
    records.iter().filter(move |record| record.get("type").is_some_and(|kind| kind == wanted))
}

fn add_up(records: &[Value], own: &str) -> Traffic {
    let mut traffic = Traffic::default();
    for record in of_type(records, "traffic") {
        let known = |name| number(record, name).unwrap_or(0);
        let moved = Moved { into: known("in_bytes"), from: known("out_bytes"), sessions: known("sessions") };
        let name = record.get("account").and_then(Value::as_str).unwrap_or(own);
        if let Some(start) = moment(record, "from_at") {
            traffic.accounts.entry(name.to_owned()).or_default().entry(start).or_default().add(moved);
        }
    }
    traffic
}

/// Groups with what is settled for them, from their records.
#[must_use]
pub fn groups(records: &[Value]) -> Vec<GroupTerms> {
    let text = |record: &Value, name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let group = |record: &Value| {
        Some(GroupTerms {
            name: text(record, "group")?,
            members: number(record, "member_count").unwrap_or(0),
            soft_bytes: number(record, "soft_bytes"),
            hard_bytes: number(record, "hard_bytes"),
            rate: text(record, "rate"),
        })
    };
    of_type(records, "group").filter_map(group).collect()
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => {
            let words = state.words(shared);
            state.pane.want(shared, || Ask::Records(words), out);
            if state.status.value().is_none() && !state.status.is_waiting() && state.status.fault().is_none() {
                state.ask_rates(shared, out);
            }
        }
        Event::Heard(heard) => {
            let own = shared.account.as_deref().unwrap_or("this account");
            let traffic = state.pane.hear(heard, |answer| match answer {
                Answer::Records(records) => Some(add_up(records, own)),
                _ => None,
            });
            let _taken = traffic
                || state.status.hear(heard, |answer| match answer {
                    Answer::Status(status) => Some(Arc::clone(status)),
                    _ => None,
                })
                || state.groups.hear(heard, |answer| match answer {
                    Answer::Records(records) => Some(groups(records)),
                    _ => None,
                });
            state.lay_out(shared);
        }
        // A rate may be another one.
        Event::JobEnded(_) => state.ask_rates(shared, out),
        Event::Action(action) => return act(state, shared, *action, out),
        _ => return false,
    }
    true
}

fn act(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    if state.list.moves(action, state.rows.len(), shared.page() / 2) {
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
            let before = state.scope(shared);
            let next = match before {
                Scope::Own => Scope::All,
                Scope::All => Scope::Groups,
                Scope::Groups => Scope::Own,
            };
            state.scope = Some(next);
            // Groups are sums of what is known of all.
            if before == Scope::Own || next == Scope::Own {
                state.pane.clear();
                state.ask(shared, out);
            }
            state.lay_out(shared);
        }
        Action::Do("only") => state.only = !state.only,
        Action::Do("export") => {
            out.push(Effect::Copy(format!("tuckbox {} --json", state.words(shared).join(" "))));
        }
        Action::Copy => copies(state, shared, out),
        Action::Reload => state.ask(shared, out),
        Action::Throttle | Action::Menu => menu(state, shared, action, out),
        Action::Enter => {
            if let Some(Which::Account(name)) = state.which(shared).filter(|_| shared.admin) {
                out.push(Effect::Account(name.to_owned()));
                out.push(Effect::Go(ScreenId::Account));
            } else {
                state.only = !state.only;
            }
        }
        _ => return false,
    }
    true
}

fn copies(state: &State, shared: &Shared, out: &mut Effects) {
    let copy = |text: String| vec![Effect::Copy(text)];
    let words = state.words(shared).join(" ");
    let mut items = vec![
        Item::new('n', "command line of these numbers", copy(format!("tuckbox {words}"))),
        Item::new('j', "the same for programs", copy(format!("tuckbox {words} --json"))),
        Item::new('l', "command line of each connection", copy("tuckbox traffic --log".to_owned())),
    ];
    if let Some(which) = state.which(shared) {
        let name = agent::name::quoted(which.name().as_bytes());
        items.push(match which {
            Which::Account(_) => {
                Item::new('i', "command line of its rate", copy(format!("tuckbox account info {name}")))
            }
            Which::Group(_) => {
                let by = state.bucket.word();
                let text = format!("tuckbox traffic --by {by} --group {name} --sum");
                Item::new('i', "command line of this group", copy(text))
            }
        });
    }
    out.open(Overlay::Menu(Menu::new("Copy", items)));
}

/// What may be changed of what is under the cursor; `t` goes straight to its rate.
fn menu(state: &State, shared: &Shared, action: Action, out: &mut Effects) {
    if shared.admin && state.rows.is_empty() && state.scope(shared) == Scope::Groups {
        return out.open(Overlay::Menu(Menu::new("Groups", vec![super::changes::make("group")])));
    }
    let Some(which) = state.which(shared).filter(|_| shared.admin) else {
        return out.open(Overlay::Menu(super::throttle(shared)));
    };
    let group = state.group(which.name());
    let rate = match which {
        Which::Account(name) => state.rate_of(name),
        Which::Group(_) => group.and_then(|group| group.rate.as_deref()),
    };
    if action == Action::Throttle {
        return which.rate(rate, shared).into_iter().for_each(|effect| out.push(effect));
    }
    let status = state
        .status
        .value()
        .and_then(|status| status.accounts.iter().find(|account| account.facts.name == which.name()));
    match (which, group, status) {
        (Which::Group(_), Some(group), _) => out.open(Overlay::Menu(group_menu(group, shared))),
        (Which::Account(_), _, Some(account)) => {
            out.open(Overlay::Menu(super::changes::account_menu(&account.facts, shared)));
        }
        _ => out.warn("what is settled for it is not known yet"),
    }
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let chart = if shared.compact() { area.height / 2 } else { area.height * 3 / 5 };
    let above = Rect { height: chart, ..area };
    let scope = state.scope(shared);
    let here = state.rows.get(state.list.cursor);
    let only = here.filter(|_| state.only);
    let whose = match (only, scope) {
        (Some(row), _) => harmless_line(&row.name),
        (None, Scope::Own) => shared.account_shown(),
        (None, Scope::All | Scope::Groups) => "all accounts".to_owned(),
    };
    let title = format!("{whose}, {}", state.bucket.words(shared));
    let inner = panel(buf, above, shared, &title, "", true);
    let periods = only.map_or_else(|| all_periods(state), |row| row.periods.clone());
    let none = state.pane.value().is_some() && periods.is_empty();
    if !stand_in(buf, inner, shared, &state.pane, none, "Nothing moved in this time.") {
        draw_chart(&periods, state.bucket, shared, inner, buf);
    }
    let below = Rect { y: area.y + chart, height: area.height - chart, ..area };
    let total = periods.values().fold(Moved::default(), |mut sum, moved| {
        sum.add(*moved);
        sum
    });
    let right = format!("in {}   out {}", size(total.into), size(total.from));
    let title = if scope == Scope::Groups { "Per group" } else { "Per account" };
    let inner = panel(buf, below, shared, title, &right, false);
    if state.pane.value().is_none() {
        return;
    }
    let width = usize::from(inner.width).saturating_sub(3);
    put(buf, inner, 0, Line::styled(format!("  {}", heading(TABLE, width, None)), shared.theme.strong()));
    if state.rows.is_empty() && scope == Scope::Groups {
        put(buf, inner, 1, Line::styled(" There are no groups: x makes one.", shared.theme.dim()));
    }
    // What is settled for the one under the cursor.
    let rate = u16::from(inner.height > 3 && here.is_some());
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1 + rate), ..inner };
    state.list.draw(buf, rows, shared.theme, state.rows.len(), true, |number| {
        let Some(Row { name, moved, .. }) = state.rows.get(number) else { return (Line::raw(""), false) };
        let (into, from, sessions) = (size(moved.into), size(moved.from), count(moved.sessions));
        let rates = if width >= 100 { state.rates(name, shared) } else { String::new() };
        let cells = [&harmless_line(name), &into, &from, &sessions, &rates];
        (Line::raw(row(TABLE, width, &cells.map(String::as_str))), false)
    });
    if let Some(row) = here.filter(|_| rate > 0) {
        let text = format!(" rate of {}: {}", harmless_line(&row.name), state.rates(&row.name, shared));
        let text = agent::name::cut_end(&text, usize::from(inner.width));
        put(buf, inner, usize::from(inner.height - 1), Line::styled(text, shared.theme.dim()));
    }
}

/// All accounts together; an account that is in several groups counts once.
fn all_periods(state: &State) -> Periods {
    let mut sum = Periods::new();
    for (start, moved) in state.pane.value().into_iter().flat_map(|traffic| traffic.accounts.values()).flatten() {
        sum.entry(*start).or_default().add(*moved);
    }
    sum
}

/// In above, out below, each with its scale; the newest at the right.
fn draw_chart(periods: &Periods, bucket: Bucket, shared: &Shared, area: Rect, buf: &mut Buffer) {
    const SCALE: u16 = 11;
    let room = usize::from(area.width.saturating_sub(SCALE + 1));
    let periods = filled(periods, bucket, room, shared);
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
            put(buf, at, half * 2, Line::styled(bucket.moment(*start, format, shared), shared.theme.dim()));
        }
    }
}

/// A size in few letters.
fn short(bytes: u64) -> String {
    size(bytes).replace("iB", "").replace(' ', "")
}

/// The newest periods, with those in which nothing moved.
fn filled(moved: &Periods, bucket: Bucket, room: usize, shared: &Shared) -> Vec<(i64, Moved)> {
    let step_ms = match bucket {
        Bucket::Hour => 3_600_000,
        Bucket::Day => 86_400_000,
        // Months differ in length: those that have something stand side by side.
        Bucket::Month => {
            let mut newest: Vec<_> = moved.iter().rev().take(room).map(|(start, moved)| (*start, *moved)).collect();
            newest.reverse();
            return newest;
        }
    };
    let last = shared.now_ms.div_euclid(step_ms);
    let first = moved.first_key_value().map_or(last, |(start, _)| start.div_euclid(step_ms));
    let first = first.max(last - i64::try_from(room).unwrap_or(0) + 1);
    (first..=last).map(|step| (step * step_ms, moved.get(&(step * step_ms)).copied().unwrap_or_default())).collect()
}
