//! What needs the space: by class as the vault counts it, by directory in the newest version, and what housekeeping would free.

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
    key("A", Action::Do("apply"), "do what is due, after a question"),
    key("p", Action::Do("plan"), "what housekeeping would do, version by version"),
];
/// Its footer.
pub const HINTS: &[Hint] = &[("Enter", "into"), ("Left", "out"), ("p", "plan"), ("A", "apply..."), ("C-r", "reload")];

const USAGE: Lane = Lane(ScreenId::Space, 0);
const NAMES: Lane = Lane(ScreenId::Space, 1);
const PLAN: Lane = Lane(ScreenId::Space, 2);
const TABLE: &[Column] = &[
    column("Size", 10, Align::Right),
    column("Files", 11, Align::Right),
    column("Share", 22, Align::Left),
    column("Name", 0, Align::Path),
];

/// See the module.
#[derive(Debug)]
pub struct State {
    usage: Pane<UsageRow>,
    /// The largest first.
    names: Pane<Vec<EntryRow>>,
    plan: Pane<Plan>,
    dir: Vec<u8>,
    list: List,
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
        Self { usage, names, plan, dir: b"/".to_vec(), list: List::default() }
    }
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.usage.is_waiting() || self.names.is_waiting() || self.plan.is_waiting()
    }

    fn rows(&self) -> &[EntryRow] {
        self.names.value().map(Vec::as_slice).unwrap_or_default()
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
        if !self.usage.hear(heard, usage) && !self.names.hear(heard, names) {
            self.plan.hear(heard, plan);
        }
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

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let classes = if shared.compact() { 0 } else { 9 };
    let plan = if shared.compact() { 0 } else { 3 };
    if classes > 0 {
        draw_classes(state, shared, Rect { height: classes, ..area }, buf);
    }
    let names = Rect { y: area.y + classes, height: area.height - classes - plan, ..area };
    draw_names(state, shared, names, buf);
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
        (Line::raw(row(TABLE, columns, &[&size(entry.size), &files, &bar(entry.size, all, 22), &name])), false)
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
                Ok(Answer::Usage(UsageRow { account: "nas".into(), told, ..UsageRow::default() })),
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
