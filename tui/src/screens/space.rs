//! What needs the space: by class as the vault counts it; by directory in the newest version, by account or by group; and what
//! housekeeping would free.

use std::sync::Arc;

use agent::engine::job::{At, EntryRow, Kind, UsageRow};
use agent::name::for_terminal;
use agent::units::{count, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::Value;

use super::{Event, ScreenId};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::dialog::Confirm;
use crate::widgets::gauge::{bar, percent};
use crate::widgets::list::List;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::text::{Align, Column, column, heading, put, row};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("b", Action::Do("by"), "by directory, by account, by group"),
    key("A", Action::Do("apply"), "do what is due, after a question"),
    key("p", Action::Do("plan"), "what housekeeping would do, version by version"),
];
/// Its footer.
pub const HINTS: &[Hint] =
    &[("Enter", "into"), ("Left", "out"), ("b", "group by"), ("p", "plan"), ("A", "apply..."), ("C-r", "reload")];

const USAGE: Lane = Lane(ScreenId::Space, 0);
const NAMES: Lane = Lane(ScreenId::Space, 1);
const PLAN: Lane = Lane(ScreenId::Space, 2);
const SPACE: Lane = Lane(ScreenId::Space, 3);
/// By account and by group.
pub(super) const TAKEN: &[Column] = &[
    column("Name", 0, Align::Path),
    column("In all", 9, Align::Right),
    Column { title: "Share", columns: 12, align: Align::Left, from: 60 },
    column("History", 9, Align::Right),
    Column { title: "Newest", columns: 9, align: Align::Right, from: 90 },
    Column { title: "Trash", columns: 9, align: Align::Right, from: 46 },
    Column { title: "To free", columns: 9, align: Align::Right, from: 90 },
    Column { title: "Limit", columns: 9, align: Align::Right, from: 110 },
    Column { title: "A day", columns: 10, align: Align::Right, from: 110 },
    Column { title: "Full in", columns: 9, align: Align::Right, from: 115 },
];
pub(super) const TABLE: &[Column] = &[
    column("Size", 10, Align::Right),
    column("Files", 11, Align::Right),
    Column { title: "Share", columns: 22, align: Align::Left, from: 61 },
    column("Name", 0, Align::Path),
];

/// See the module.
#[derive(Debug)]
pub struct State {
    usage: Pane<UsageRow>,
    /// The largest first.
    names: Pane<Vec<EntryRow>>,
    plan: Pane<Plan>,
    /// Accounts, groups and the vault, as the report says.
    space: Pane<Vec<Taken>>,
    by: By,
    taken: List,
    dir: Vec<u8>,
    list: List,
}

/// By what the space is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum By {
    #[default]
    Directory,
    Account,
    Group,
}

/// What an account, a group or the vault takes.
#[derive(Debug, Default)]
struct Taken {
    scope: String,
    name: String,
    total: u64,
    current: u64,
    history: u64,
    trash: u64,
    unreferenced: u64,
    hard: Option<u64>,
    /// Bytes more a day, over 30 days.
    growth: Option<i64>,
    days_left: Option<u64>,
}

fn taken(records: &[Value]) -> Vec<Taken> {
    let text = |record: &Value, name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let known = |record: &Value, name: &str| record.get(name).and_then(Value::as_u64);
    let number = |record: &Value, name: &str| known(record, name).unwrap_or(0);
    let one = |record: &Value| Taken {
        scope: text(record, "scope"),
        name: text(record, "name"),
        total: number(record, "total_bytes"),
        current: number(record, "current_bytes"),
        history: number(record, "history_bytes"),
        trash: number(record, "trash_bytes"),
        unreferenced: number(record, "unreferenced_bytes"),
        hard: known(record, "hard_bytes"),
        growth: record.get("growth_30d").and_then(Value::as_i64),
        days_left: known(record, "days_left"),
    };
    let mut rows: Vec<Taken> =
        records.iter().filter(|record| record.get("type").is_some_and(|kind| kind == "space")).map(one).collect();
    rows.sort_by(|one, other| other.total.cmp(&one.total).then_with(|| one.name.cmp(&other.name)));
    rows
}

fn report() -> Ask {
    Ask::Records(["report", "space"].map(str::to_owned).to_vec())
}

/// What housekeeping would free.
#[derive(Debug, Default)]
struct Plan {
    versions: u64,
    going: u64,
    freed_bytes: u64,
}

impl Default for State {
    fn default() -> Self {
        let (usage, names, plan) = (Pane::new(USAGE), Pane::new(NAMES), Pane::new(PLAN));
        let (space, by, taken) = (Pane::new(SPACE), By::default(), List::default());
        Self { usage, names, plan, space, by, taken, dir: b"/".to_vec(), list: List::default() }
    }
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.usage.is_waiting() || self.names.is_waiting() || self.plan.is_waiting() || self.space.is_waiting()
    }

    fn rows(&self) -> &[EntryRow] {
        self.names.value().map(Vec::as_slice).unwrap_or_default()
    }

    /// Accounts or groups, the largest first.
    fn takers(&self) -> Vec<&Taken> {
        let scope = if self.by == By::Group { "group" } else { "account" };
        self.space.value().into_iter().flatten().filter(|row| row.scope == scope).collect()
    }

    fn look(&mut self, dir: Vec<u8>, shared: &Shared, out: &mut Effects) {
        self.dir = dir;
        self.list = List::default();
        self.names.clear();
        self.names.ask(shared, Ask::Names { at: At::default(), dir: self.dir.clone() }, out);
    }

    fn ask(&mut self, shared: &Shared, out: &mut Effects) {
        self.usage.ask(shared, Ask::Usage, out);
        self.plan.ask(shared, dry_run(), out);
        if self.by != By::Directory {
            self.space.ask(shared, report(), out);
        }
        self.names.ask(shared, Ask::Names { at: At::default(), dir: self.dir.clone() }, out);
    }

    fn hear(&mut self, heard: &Heard) {
        let usage = |answer: &Answer| match answer {
            Answer::Usage(usage) => Some(usage.clone()),
            _ => None,
        };
        let names = |answer: &Answer| match answer {
            Answer::Names(rows) => Some(largest(rows)),
            _ => None,
        };
        let plan = |answer: &Answer| match answer {
            Answer::Records(records) => Some(planned(records)),
            _ => None,
        };
        let space = |answer: &Answer| match answer {
            Answer::Records(records) => Some(taken(records)),
            _ => None,
        };
        let _taken = self.usage.hear(heard, usage)
            || self.names.hear(heard, names)
            || self.plan.hear(heard, plan)
            || self.space.hear(heard, space);
    }
}

fn dry_run() -> Ask {
    Ask::Records(vec!["housekeep".to_owned(), "--dry-run".to_owned()])
}

/// Names that are looked at; of more, the largest.
const NAMES_MAX: usize = 10_000;

fn largest(rows: &Arc<Vec<EntryRow>>) -> Vec<EntryRow> {
    let mut rows: Vec<EntryRow> = rows.as_ref().clone();
    rows.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.path.cmp(&other.path)));
    rows.truncate(NAMES_MAX);
    rows
}

fn planned(records: &[Value]) -> Plan {
    let summary = records.iter().find(|record| record.get("type").is_some_and(|kind| kind == "summary"));
    let number = |name: &str| summary.and_then(|record| record.get(name)).and_then(Value::as_u64).unwrap_or(0);
    let going = number("expired") + number("forgotten") + number("superseded") + number("pressed");
    Plan { versions: number("versions"), going, freed_bytes: number("condemned_bytes").max(number("freed_bytes")) }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => {
            state.usage.want(shared, || Ask::Usage, out);
            state.plan.want(shared, dry_run, out);
            let dir = state.dir.clone();
            state.names.want(shared, || Ask::Names { at: At::default(), dir }, out);
        }
        Event::Heard(heard) => state.hear(heard),
        Event::JobEnded(_) => state.ask(shared, out),
        Event::Action(action) => return act(state, shared, *action, out),
        _ => return false,
    }
    true
}

fn act(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    if action == Action::Do("by") {
        state.by = match state.by {
            By::Directory => By::Account,
            By::Account => By::Group,
            By::Group => By::Directory,
        };
        state.taken = List::default();
        if state.by != By::Directory {
            state.space.want(shared, report, out);
        }
        return true;
    }
    if state.by != By::Directory && act_on_takers(state, shared, action, out) {
        return true;
    }
    if state.list.moves(action, state.rows().len(), shared.page() / 2) {
        return true;
    }
    let here = state.rows().get(state.list.cursor).map(|row| (row.path.clone(), row.kind));
    match (action, here) {
        (Action::Enter | Action::Right, Some((path, Kind::Dir))) => state.look(path, shared, out),
        (Action::Enter, Some((path, _))) => out.push(Effect::Browse { at: shared.at.clone(), path }),
        (Action::Left, _) | (Action::Back, _) if state.dir != b"/" => {
            let cut = state.dir.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            let up = state.dir.get(..cut.max(1)).unwrap_or(b"/").to_vec();
            state.look(up, shared, out);
        }
        (Action::Reload, _) => state.ask(shared, out),
        (Action::Do("plan"), _) => {
            out.push(Effect::Show(["housekeep", "--dry-run"].map(std::ffi::OsString::from).to_vec()));
        }
        (Action::Do("apply"), _) => {
            let plan = state.plan.value().map_or_else(
                || "What is due is not known yet.".to_owned(),
                |plan| {
                    format!(
                        "{} of {} versions go, about {} come free.",
                        count(plan.going),
                        count(plan.versions),
                        size(plan.freed_bytes)
                    )
                },
            );
            let text = format!("{plan} Pinned versions stay. What the policy keeps stays.\n\ntuckbox housekeep");
            let confirm = Confirm::new("Do what is due?", text, vec![Effect::start(["housekeep"])]);
            out.open(Overlay::Confirm(confirm));
        }
        (Action::Copy, _) => out.push(Effect::Copy("tuckbox usage".to_owned())),
        _ => return false,
    }
    true
}

/// What keys do among accounts and groups; whether they do anything.
fn act_on_takers(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    let rows = state.takers().len();
    if state.taken.moves(action, rows, shared.page() / 2) {
        return true;
    }
    let here = state.takers().get(state.taken.cursor).map(|row| row.name.clone());
    match (action, here, state.by) {
        (Action::Enter, Some(name), By::Account) => {
            out.push(Effect::Account(name));
            out.push(Effect::Go(ScreenId::Account));
        }
        (Action::Back | Action::Left, _, _) => state.by = By::Directory,
        (Action::Copy, ..) => out.push(Effect::Copy("tuckbox report space".to_owned())),
        (Action::Right | Action::Enter, ..) => {}
        _ => return false,
    }
    true
}

fn draw_takers(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let rows = state.takers();
    let title = if state.by == By::Group { "By group" } else { "By account" };
    let inner = panel(buf, area, shared, title, &state.taken.place(rows.len()), true);
    let empty =
        if state.by == By::Group { "There are no groups: `:group create NAME`." } else { "There are no accounts." };
    if stand_in(buf, inner, shared, &state.space, rows.is_empty(), empty) {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    put(buf, inner, 0, Line::styled(format!("  {}", heading(TAKEN, columns, None)), shared.theme.strong()));
    let all = state.space.value().into_iter().flatten().find(|row| row.scope == "vault").map_or(0, |row| row.total);
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    state.taken.draw(buf, below, shared.theme, rows.len(), true, |number| {
        let Some(taken) = rows.get(number) else { return (Line::raw(""), false) };
        let growth = taken.growth.map_or_else(String::new, |bytes| {
            format!("{}{}", if bytes < 0 { '-' } else { '+' }, size(bytes.unsigned_abs()))
        });
        let cells = [
            agent::name::harmless_line(&taken.name),
            size(taken.total),
            bar(taken.total, all, 12),
            size(taken.history),
            size(taken.current),
            size(taken.trash),
            size(taken.unreferenced),
            taken.hard.map(size).unwrap_or_default(),
            growth,
            taken.days_left.map_or_else(String::new, |days| format!("{} d", count(days))),
        ];
        (Line::raw(row(TAKEN, columns, &cells.each_ref().map(String::as_str))), false)
    });
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let classes = if shared.compact() { 0 } else { 9 };
    let plan = if shared.compact() { 0 } else { 3 };
    if classes > 0 {
        draw_classes(state, shared, Rect { height: classes, ..area }, buf);
    }
    let names = Rect { y: area.y + classes, height: area.height - classes - plan, ..area };
    if state.by == By::Directory {
        draw_names(state, shared, names, buf);
    } else {
        draw_takers(state, shared, names, buf);
    }
    if plan > 0 {
        draw_plan(state, shared, Rect { y: area.y + area.height - plan, height: plan, ..area }, buf);
    }
}

fn draw_classes(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let inner = panel(buf, area, shared, "In the vault, by class", "", false);
    if stand_in(buf, inner, shared, &state.usage, false, "") {
        return;
    }
    let Some(usage) = state.usage.value() else { return };
    let told = &usage.told;
    let all = usage.total_bytes();
    let classes = [
        ("newest version", told.current_bytes, "the newest version needs it"),
        ("history", told.history_bytes, "only older ones need it"),
        ("trash", told.trash_bytes, "on its way out"),
        ("metadata", told.metadata_bytes, "names, links, catalog"),
        ("unreferenced", told.unreferenced_bytes, "housekeeping frees it"),
    ];
    for (row, (name, bytes, about)) in classes.into_iter().enumerate() {
        let share = percent(bytes, all).unwrap_or(0);
        put(buf, inner, row, format!(" {:>10}  {name:<15} {} {share:>3}%  {about}", size(bytes), bar(bytes, all, 14)));
    }
    let limit = told.hard_bytes.or(told.soft_bytes);
    let share = limit.and_then(|limit| percent(told.pack_bytes, limit));
    let limits = match (limit, share) {
        (Some(limit), Some(share)) => format!("{} of {} used, {share}%", size(told.pack_bytes), size(limit)),
        _ => "no limit".to_owned(),
    };
    let free = told.free_bytes.map_or_else(String::new, |bytes| format!(", the disk has {} free", size(bytes)));
    let health = if share.is_some_and(|share| share >= 90) { Health::Warn } else { Health::Good };
    let text = format!(" {:>10}  in all; {limits}{free}", size(told.now_bytes));
    put(buf, inner, 6, Line::styled(text, shared.theme.health(health)));
}

fn draw_names(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let rows = state.rows();
    let title = format!("Newest version: {}", for_terminal(&state.dir));
    let inner = panel(buf, area, shared, &title, &state.list.place(rows.len()), true);
    if stand_in(buf, inner, shared, &state.names, rows.is_empty(), "Nothing is in it.") {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    put(buf, inner, 0, Line::styled(format!("  {}", heading(TABLE, columns, None)), shared.theme.strong()));
    let all = rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.size));
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    state.list.draw(buf, below, shared.theme, rows.len(), true, |number| {
        let Some(entry) = rows.get(number) else { return (Line::raw(""), false) };
        let name = for_terminal(entry.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
        let name = if entry.kind == Kind::Dir { format!("{name}/") } else { name };
        let files = entry.files.map(count).unwrap_or_default();
        let unknown = entry.made_up && entry.files.is_none();
        let bytes = if unknown { String::new() } else { size(entry.size) };
        (Line::raw(row(TABLE, columns, &[&bytes, &files, &bar(entry.size, all, 22), &name])), false)
    });
}

fn draw_plan(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let inner = panel(buf, area, shared, "Housekeeping would", "nothing is done until you apply", false);
    if stand_in(buf, inner, shared, &state.plan, false, "") {
        return;
    }
    let Some(plan) = state.plan.value() else { return };
    let text = if plan.going == 0 && plan.freed_bytes == 0 {
        " do nothing: no version is due, nothing is to be freed".to_owned()
    } else {
        format!(
            " let {} of {} versions go and free about {}",
            count(plan.going),
            count(plan.versions),
            size(plan.freed_bytes)
        )
    };
    put(buf, inner, 0, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::stage::{COLOUR, MONO, Stage};
    use agent::engine::job::{Time, UsageTold};
    use serde_json::json;

    fn entry(path: &str, kind: Kind, size: u64, files: Option<u64>) -> EntryRow {
        EntryRow {
            path: path.into(),
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            user: Vec::new(),
            group: Vec::new(),
            size,
            files,
            mtime: Time { secs: 0, nanos: 0 },
            target: None,
            device: None,
            mark: None,
            made_up: false,
        }
    }

    fn stage(size: (u16, u16), theme: crate::console::theme::Theme) -> Stage {
        let mut stage = Stage::new(size, theme);
        let told = UsageTold {
            current_bytes: 31 << 30,
            history_bytes: 14 << 30,
            trash_bytes: 3 << 30,
            metadata_bytes: 200 << 20,
            unreferenced_bytes: 7 << 20,
            now_bytes: 49 << 30,
            pack_bytes: 48 << 30,
            hard_bytes: Some(50 << 30),
            free_bytes: Some(220 << 30),
            ..Default::default()
        };
        let rows = vec![
            entry("/media", Kind::Dir, 41 << 30, Some(12_044)),
            entry("/home", Kind::Dir, 9 << 30, Some(188_012)),
            entry("/etc\u{1b}[2J", Kind::Dir, 12 << 20, Some(2_000)),
            entry("/vm.img", Kind::File, 22 << 30, None),
        ];
        let plan = json!({"type": "summary", "versions": 412, "expired": 38, "condemned_bytes": 15_247_000_000_u64});
        stage.press("8");
        stage
            .answer(
                |ask| matches!(ask, Ask::Usage),
                Ok(Answer::Usage(UsageRow { account: "nas".into(), told, split: None })),
            )
            .answer(|ask| matches!(ask, Ask::Names { .. }), Ok(Answer::Names(Arc::new(rows))))
            .answer(|ask| matches!(ask, Ask::Records(_)), Ok(Answer::Records(Arc::new(vec![plan]))));
        stage
    }

    #[test]
    fn classes_directories_and_what_would_go() {
        stage((80, 24), COLOUR).pinned("space-80x24");
        stage((120, 40), MONO).pinned("space-120x40");
        stage((40, 10), MONO).pinned("space-40x10");
    }

    #[test]
    fn accounts_and_groups_are_told_too() {
        let row = |scope: &str, name: &str, gib: u64| {
            json!({"type": "space", "scope": scope, "name": name, "total_bytes": gib << 30, "current_bytes": gib << 29,
                "history_bytes": gib << 28, "trash_bytes": gib << 20, "unreferenced_bytes": gib << 24,
                "hard_bytes": 100_u64 << 30, "growth_30d": 210 << 20, "days_left": 90})
        };
        let records = vec![
            row("account", "web01", 31),
            row("account", "nas\u{1b}", 62),
            row("group", "office", 93),
            row("vault", "", 96),
        ];
        let by_account = |size| {
            let mut stage = stage(size, MONO);
            let asked = |ask: &Ask| matches!(ask, Ask::Records(words) if words == &["report", "space"]);
            stage.press("b").answer(asked, Ok(Answer::Records(Arc::new(records.clone()))));
            stage
        };
        by_account((80, 24)).pinned("space-accounts-80x24");
        by_account((120, 40)).press("b").pinned("space-groups-120x40");
        let mut stage = by_account((80, 24));
        stage.press("Enter");
        assert_eq!(stage.app.screen(), ScreenId::Account);
    }

    #[test]
    fn one_goes_into_directories_and_out() {
        let mut stage = stage((80, 24), MONO);
        stage.press("Enter");
        let is_dir = |wanted: &'static [u8]| move |ask: &Ask| matches!(ask, Ask::Names { dir, .. } if dir == wanted);
        assert!(stage.asked(is_dir(b"/media")).is_some());
        stage.press("Left");
        assert!(stage.asked(is_dir(b"/")).is_some());
    }

    #[test]
    fn nothing_goes_by_a_key() {
        let mut stage = stage((80, 24), MONO);
        stage.effects.clear();
        stage.press("A Enter A Esc");
        assert!(stage.effects.is_empty());
        stage.press("A Tab Enter");
        assert!(matches!(&stage.effects[..], [Effect::Run { words, .. }] if words == &["housekeep"]));
    }
}
