//! One account: how it is, what it takes, what is kept, what it backs up, its latest versions, and its runs with what they
//! told.

use std::sync::Arc;

use agent::engine::job::{AccountStatus, Level, LogLevel, LogTold, PolicyRow, Statuses, UsageRow, VersionRow, Whose};
use agent::name::{for_terminal, harmless_line};
use agent::units::{count, duration, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::{Event, ScreenId};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::gauge::{bar, percent};
use crate::widgets::list::List;
use crate::widgets::menu::{Item, Menu};
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::text::{Align, Column, column, heading, put, row};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("b", Action::Do("backup"), "back up now, what the configuration names"),
    key("c", Action::Do("check"), "check that everything is there"),
];
/// Its footer.
pub const HINTS: &[Hint] =
    &[("Enter", "open"), ("Tab", "runs"), ("3", "versions"), ("4", "files"), ("b", "back up now"), ("x", "actions")];

const STATUS: Lane = Lane(ScreenId::Account, 0);
const USAGE: Lane = Lane(ScreenId::Account, 1);
const POLICY: Lane = Lane(ScreenId::Account, 2);
const TOLD: Lane = Lane(ScreenId::Account, 3);

/// From this many rows on, versions and runs stand below each other; with fewer, Tab changes between them.
const BOTH_ROWS: u16 = 18;

const VERSIONS: &[Column] = &[
    column("When", 16, Align::Left),
    column("Version", 8, Align::Left),
    column("Files", 11, Align::Right),
    column("Size", 10, Align::Right),
    column("Files +/-", 9, Align::Right),
    column("Tags", 0, Align::Left),
];

/// See the module.
#[derive(Debug)]
pub struct State {
    status: Pane<Arc<Statuses>>,
    usage: Pane<UsageRow>,
    policy: Pane<PolicyRow>,
    /// What the runs told, newest first.
    told: Pane<Vec<LogTold>>,
    list: List,
    runs: List,
    /// Keys mean the runs.
    on_runs: bool,
}

impl Default for State {
    fn default() -> Self {
        let (status, usage, policy) = (Pane::new(STATUS), Pane::new(USAGE), Pane::new(POLICY));
        let (list, runs) = (List::default(), List::default());
        Self { status, usage, policy, told: Pane::new(TOLD), list, runs, on_runs: false }
    }
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.status.is_waiting() || self.usage.is_waiting() || self.policy.is_waiting() || self.told.is_waiting()
    }

    fn status(&self) -> Option<&AccountStatus> {
        self.status.value().and_then(|status| status.accounts.first())
    }

    fn ask(&mut self, shared: &Shared, out: &mut Effects) {
        self.status.ask(shared, Ask::Status(whose(shared)), out);
        self.usage.ask(shared, Ask::Usage, out);
        self.policy.ask(shared, Ask::Policy, out);
        if let Some(log) = log(shared) {
            self.told.ask(shared, log, out);
        }
        out.push(Effect::Versions);
    }

    fn hear(&mut self, heard: &Heard) {
        let status = |answer: &Answer| match answer {
            Answer::Status(status) => Some(Arc::clone(status)),
            _ => None,
        };
        let usage = |answer: &Answer| match answer {
            Answer::Usage(usage) => Some(usage.clone()),
            _ => None,
        };
        let policy = |answer: &Answer| match answer {
            Answer::Policy(policy) => Some(policy.clone()),
            _ => None,
        };
        let told = |answer: &Answer| match answer {
            Answer::Log(lines) => Some(lines.iter().rev().cloned().collect()),
            _ => None,
        };
        if !self.status.hear(heard, status) && !self.usage.hear(heard, usage) && !self.policy.hear(heard, policy) {
            self.told.hear(heard, told);
        }
    }

    fn told(&self) -> &[LogTold] {
        self.told.value().map(Vec::as_slice).unwrap_or_default()
    }
}

/// What the runs told is for who looks after the vault.
fn log(shared: &Shared) -> Option<Ask> {
    shared.account.clone().filter(|_| shared.admin).map(Ask::Log)
}

/// An administrator may ask for any account, others for their own.
fn whose(shared: &Shared) -> Whose {
    match &shared.account {
        Some(name) if shared.admin => Whose::One(name.clone()),
        _ => Whose::Own,
    }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => {
            state.status.want(shared, || Ask::Status(whose(shared)), out);
            state.usage.want(shared, || Ask::Usage, out);
            state.policy.want(shared, || Ask::Policy, out);
            if let Some(log) = log(shared) {
                state.told.want(shared, || log, out);
            }
            if shared.versions.value().is_none() && !shared.versions.is_waiting() {
                out.push(Effect::Versions);
            }
        }
        Event::Heard(heard) => state.hear(heard),
        Event::JobEnded(_) => state.ask(shared, out),
        Event::Action(action) => return act(state, shared, *action, out),
        _ => return false,
    }
    true
}

fn act(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    let rows = shared.versions.value().map_or(0, |rows| rows.len());
    let page = shared.page() / 2;
    let told = state.told().len();
    let (list, all) = if state.on_runs { (&mut state.runs, told) } else { (&mut state.list, rows) };
    if list.moves(action, all, page) {
        return true;
    }
    let here = shared.versions.value().and_then(|all| all.iter().rev().nth(state.list.cursor));
    match (action, here) {
        (Action::Reload, _) => state.ask(shared, out),
        (Action::NextPane | Action::PrevPane, _) => {
            state.on_runs = !state.on_runs;
            if let Some(log) = log(shared) {
                state.told.want(shared, || log, out);
            }
        }
        (Action::Enter, _) if state.on_runs => out.push(Effect::Go(ScreenId::Log)),
        (Action::Enter, Some(row)) => {
            out.push(Effect::Browse { at: Some(format!("id:{}", short(&row.id, 16))), path: b"/".to_vec() });
        }
        (Action::Do("backup"), _) => out.push(Effect::start(["backup"])),
        (Action::Do("check"), _) => out.push(Effect::start(["check"])),
        (Action::Menu, _) => menu(state, shared, out),
        (Action::Throttle, _) if shared.admin && state.status().is_some() => {
            let asks = state.status().map(|account| {
                let rate = account.facts.terms.rate.as_deref();
                super::changes::Which::Account(&account.facts.name).rate(rate, shared)
            });
            asks.into_iter().flatten().for_each(|effect| out.push(effect));
        }
        (Action::Copy, _) => {
            let copy = |text: &str| vec![Effect::Copy(text.to_owned())];
            let items = vec![
                Item::new('s', "command line of its status", copy("tuckbox status")),
                Item::new('u', "command line of what it takes", copy("tuckbox usage")),
                Item::new('p', "command line of what is kept", copy("tuckbox housekeep policy")),
            ];
            out.open(Overlay::Menu(Menu::new("Copy", items)));
        }
        _ => return false,
    }
    true
}

fn menu(state: &State, shared: &Shared, out: &mut Effects) {
    let show = |words: &[&str]| vec![Effect::Show(words.iter().map(std::ffi::OsString::from).collect())];
    let items = vec![
        Item::new('b', "back up now", vec![Effect::start(["backup"])]),
        Item::new('a', "check that everything is there", vec![Effect::start(["check"])]),
        Item::new('d', "look at everything that a backup depends on", show(&["doctor"])),
        Item::new('k', "the key and the ways to open it", show(&["key", "list"])),
        Item::new('p', "what is kept", show(&["housekeep", "policy"])),
        Item::new('n', "what housekeeping would do", show(&["housekeep", "--dry-run"])),
        Item::new('l', "its runs, and what they told", vec![Effect::Go(ScreenId::Log)]),
    ];
    let change = match state.status() {
        Some(account) => {
            let menu = Overlay::Menu(super::changes::account_menu(&account.facts, shared));
            Item::new('c', "change it: rate, limits, name, freeze, delete...", vec![Effect::Open(Box::new(menu))])
        }
        None => Item::not_now("change it", "nothing is known of it yet"),
    };
    let items = items.into_iter().chain([change]).collect();
    out.open(Overlay::Menu(Menu::new("This account", items)));
}

fn short(id: &str, digits: usize) -> &str {
    id.get(..digits).unwrap_or(id)
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    if shared.compact() {
        let half = Rect { height: area.height / 2, ..area };
        draw_health(state, shared, half, buf);
        draw_lists(state, shared, Rect { y: area.y + half.height, height: area.height - half.height, ..area }, buf);
        return;
    }
    let left = area.width / 2;
    let at = |x: u16, width: u16, y: u16, height: u16| Rect { x: area.x + x, width, y: area.y + y, height };
    draw_health(state, shared, at(0, left, 0, 6), buf);
    draw_quota(state, shared, at(left, area.width - left, 0, 6), buf);
    draw_sources(shared, at(0, left, 6, 5), buf);
    draw_policy(state, shared, at(left, area.width - left, 6, 5), buf);
    draw_lists(state, shared, at(0, area.width, 11, area.height - 11), buf);
}

fn draw_health(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let inner = panel(buf, area, shared, "Health", "", false);
    if stand_in(buf, inner, shared, &state.status, state.status().is_none(), "Nothing is known.") {
        return;
    }
    let Some(account) = state.status() else { return };
    let columns = usize::from(inner.width);
    let health = |level: Level| match level {
        Level::Ok => Health::Good,
        Level::Warn => Health::Warn,
        Level::Err => Health::Bad,
    };
    let mut lines: Vec<(Health, String)> =
        account.reasons.iter().map(|reason| (health(reason.level), harmless_line(&reason.text))).collect();
    if let Some(run) = &account.facts.last_run {
        let (health, how) = match &run.run.code {
            None => (Health::Good, format!("{} sent", size(run.run.figures.sent_bytes))),
            Some(code) => (Health::Bad, harmless_line(code)),
        };
        lines.push((health, format!("last run {}: {how}", shared.ago(run.told_at))));
    }
    if let Some(due) = account.expected_at {
        lines.push((Health::Good, format!("next one due {}", shared.ago(due))));
    }
    if state.status.value().is_some_and(|status| status.words_never_shown) {
        lines.push((Health::Warn, "recovery words never shown: `:key words`".to_owned()));
    }
    lines.sort_by_key(|(health, _)| std::cmp::Reverse(*health));
    for (row, (health, text)) in lines.into_iter().enumerate() {
        let text = agent::name::cut_end(&format!(" {} {text}", shared.theme.sign(health)), columns);
        put(buf, inner, row, Line::styled(text, shared.theme.health(health)));
    }
}

fn draw_quota(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let inner = panel(buf, area, shared, "Space", "8 more", false);
    if stand_in(buf, inner, shared, &state.usage, false, "") {
        return;
    }
    let Some(usage) = state.usage.value() else { return };
    let told = &usage.told;
    let limit = |bytes: Option<u64>| bytes.map_or_else(|| "none".to_owned(), size);
    put(buf, inner, 0, format!(" limits: soft {}, hard {}", limit(told.soft_bytes), limit(told.hard_bytes)));
    let columns = usize::from(inner.width).saturating_sub(18);
    match told.hard_bytes.or(told.soft_bytes) {
        Some(limit) => {
            let share = percent(told.pack_bytes, limit).unwrap_or(0);
            let health = if share >= 90 { Health::Warn } else { Health::Good };
            let text =
                format!(" {} {share:>3}%{}", bar(told.pack_bytes, limit, columns), if share >= 90 { " !" } else { "" });
            put(buf, inner, 1, Line::styled(text, shared.theme.health(health)));
        }
        None => put(buf, inner, 1, format!(" {} stored", size(told.now_bytes))),
    }
    let text = format!(" newest {}   history {}", size(told.current_bytes), size(told.history_bytes));
    put(buf, inner, 2, text);
    let text = format!(" trash {}   metadata {}", size(told.trash_bytes), size(told.metadata_bytes));
    put(buf, inner, 3, text);
}

fn draw_sources(shared: &Shared, area: Rect, buf: &mut Buffer) {
    let inner = panel(buf, area, shared, "Sources", "", false);
    let newest = shared.versions.value().and_then(|rows| rows.last());
    if stand_in(buf, inner, shared, &shared.versions, newest.is_none(), "No version yet: b backs up now.") {
        return;
    }
    let Some(newest) = newest else { return };
    let several = newest.sources.len() > usize::from(inner.height);
    for (row, source) in newest.sources.iter().enumerate() {
        if several && row + 1 == usize::from(inner.height) {
            put(buf, inner, row, format!("   and {} more", count((newest.sources.len() - row) as u64)));
            break;
        }
        let sign = if source.missing_since_ms.is_some() { "!" } else { "+" };
        let about = match source.missing_since_ms {
            Some(at) => format!("gone since {}", shared.moment(at, "%F")),
            None => format!("{} files", count(source.files)),
        };
        let room = usize::from(inner.width).saturating_sub(agent::name::width(&about) + 6);
        let path = agent::name::cut_middle(&for_terminal(&source.path), room);
        put(buf, inner, row, format!(" {sign} {path}  {about}"));
    }
    if newest.sources.is_empty() {
        put(buf, inner, 0, " the key of this account is not on this machine");
    }
}

fn draw_policy(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let inner = panel(buf, area, shared, "Retention and schedule", "", false);
    if stand_in(buf, inner, shared, &state.policy, false, "") {
        return;
    }
    let Some(policy) = state.policy.value() else { return };
    let columns = usize::from(inner.width.saturating_sub(2));
    let mut text = policy_text(policy);
    if let Some(terms) = state.status().map(|account| &account.facts.terms) {
        if let Some(late) = terms.late_after_ms {
            text.push_str(&format!("\na version is expected every {}", duration(late)));
        }
        if let Some(rate) = &terms.rate {
            text.push_str(&format!("\nrate {}", super::changes::rate_text(Some(rate), shared)));
        }
    }
    for (row, line) in crate::widgets::text::wrap(&text, columns).into_iter().enumerate() {
        put(buf, inner, row, format!(" {line}"));
    }
}

/// What is kept, in words.
fn policy_text(policy: &PolicyRow) -> String {
    let mut parts = Vec::new();
    if !policy.preset.is_empty() {
        parts.push(format!("preset {}", harmless_line(&policy.preset)));
    }
    if policy.within_ms > 0 {
        parts.push(format!("all of {}", duration(u64::try_from(policy.within_ms).unwrap_or(0))));
    }
    let names = ["last", "hourly", "daily", "weekly", "monthly", "yearly"];
    for (name, keep) in names.iter().zip(policy.keep) {
        match keep {
            Some(0) => {}
            Some(number) => parts.push(format!("{number} {name}")),
            None => parts.push(format!("all {name}")),
        }
    }
    if policy.soft_limit {
        parts.push("old ones go above the soft limit".to_owned());
    }
    if parts.is_empty() { "everything is kept".to_owned() } else { parts.join(", ") }
}

/// Versions and runs; where there is little room, those that keys mean.
fn draw_lists(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let runs = match state.on_runs {
        _ if area.height >= BOTH_ROWS => area.height / 2,
        true => area.height,
        false => 0,
    };
    let versions = area.height - runs;
    if versions > 0 {
        draw_versions(state, shared, Rect { height: versions, ..area }, buf);
    }
    if runs > 0 {
        draw_runs(state, shared, Rect { y: area.y + versions, height: runs, ..area }, buf);
    }
}

fn draw_runs(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let told = state.told();
    let inner = panel(buf, area, shared, "Recent runs", &state.runs.place(told.len()), state.on_runs);
    if !shared.admin {
        return put(
            buf,
            inner,
            0,
            " what runs told is shown to who looks after the vault; w shows those of this console",
        );
    }
    if stand_in(buf, inner, shared, &state.told, told.is_empty(), "No run has told anything yet.") {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    state.runs.draw(buf, inner, shared.theme, told.len(), state.on_runs, |number| {
        let Some(line) = told.get(number) else { return (Line::default(), false) };
        let health = match line.level {
            LogLevel::Note => Health::Good,
            LogLevel::Warning => Health::Warn,
            LogLevel::Error => Health::Bad,
        };
        let when = shared.moment(line.at, "%F %H:%M");
        let text = format!("{when}  {} {}", shared.theme.sign(health), harmless_line(&line.text));
        let style = if health == Health::Good { Style::new() } else { shared.theme.health(health) };
        (Line::styled(agent::name::cut_end(&text, columns), style), false)
    });
}

fn draw_versions(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let rows = shared.versions.value().map(|rows| rows.as_slice()).unwrap_or_default();
    let inner = panel(buf, area, shared, "Latest versions", &state.list.place(rows.len()), !state.on_runs);
    let empty = "There is no version yet: b backs up now.";
    if stand_in(buf, inner, shared, &shared.versions, rows.is_empty(), empty) {
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(3);
    put(buf, inner, 0, Line::styled(format!("  {}", heading(VERSIONS, columns, None)), shared.theme.strong()));
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    state.list.draw(buf, below, shared.theme, rows.len(), !state.on_runs, |number| {
        let place = rows.len() - 1 - number;
        let before = place.checked_sub(1).and_then(|before| rows.get(before));
        let text = rows.get(place).map(|version| cells(version, before, shared, columns)).unwrap_or_default();
        (Line::raw(text), false)
    });
}

fn cells(version: &VersionRow, before: Option<&VersionRow>, shared: &Shared, columns: usize) -> String {
    let more = super::versions::more_files(before, version);
    let tags: Vec<String> = version.tags.iter().map(|tag| harmless_line(tag)).collect();
    let when = shared.moment(version.received_at_ms, "%F %H:%M");
    let (files, bytes) = (count(version.files), size(version.bytes));
    row(VERSIONS, columns, &[&when, short(&version.id, 8), &files, &bytes, &more, &tags.join(", ")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::stage::{COLOUR, DAY_MS, HOUR_MS, MONO, NOW_MS, Stage};
    use agent::engine::job::SourceRow;
    use agent::fault::{Code, Fault};

    fn rows() -> Vec<VersionRow> {
        let source = |path: &str, missing_since_ms| SourceRow {
            host: "laptop".into(),
            path: path.into(),
            files: 188_023,
            missing_since_ms,
            ..SourceRow::default()
        };
        (0..30)
            .map(|number: u64| VersionRow {
                id: format!("{:08x}", 0x51f3_9c02_u64.wrapping_mul(number + 3) & 0xffff_ffff).repeat(8),
                sequence: number + 2,
                received_at_ms: NOW_MS - 12 * 60_000 - (29 - i64::try_from(number).unwrap()) * HOUR_MS,
                files: 188_000 + number * number,
                bytes: 49 << 30,
                sources: vec![source("/home/ana", None), source("/mnt/stick", Some(NOW_MS - 3 * DAY_MS))],
                ..VersionRow::default()
            })
            .collect()
    }

    fn stage(size: (u16, u16), theme: crate::console::theme::Theme) -> Stage {
        let mut stage = Stage::new(size, theme);
        stage.press("2");
        let accounts = crate::screens::dashboard::tests::accounts().into_iter().take(1).collect();
        let status = Statuses { vault: "ab".into(), now_ms: NOW_MS, accounts, words_never_shown: true };
        let told = agent::engine::job::UsageTold {
            current_bytes: 31 << 30,
            history_bytes: 14 << 30,
            trash_bytes: 3 << 30,
            metadata_bytes: 200 << 20,
            now_bytes: 48 << 30,
            pack_bytes: 48 << 30,
            soft_bytes: Some(90 << 30),
            hard_bytes: Some(100 << 30),
            ..Default::default()
        };
        let policy = PolicyRow {
            keep: [Some(0), Some(24), Some(60), Some(26), None, Some(0)],
            within_ms: 2 * DAY_MS,
            ..PolicyRow::default()
        };
        stage
            .answer(|ask| matches!(ask, Ask::Status(Whose::Own)), Ok(Answer::Status(Arc::new(status))))
            .answer(
                |ask| matches!(ask, Ask::Usage),
                Ok(Answer::Usage(UsageRow { account: "laptop-ana".into(), told, split: None })),
            )
            .answer(|ask| matches!(ask, Ask::Policy), Ok(Answer::Policy(policy)))
            .answer(|ask| matches!(ask, Ask::Versions), Ok(Answer::Versions(Arc::new(rows()))));
        stage
    }

    #[test]
    fn all_of_one_account() {
        stage((80, 24), COLOUR).pinned("account-80x24");
        stage((120, 40), MONO).press("Down*4").pinned("account-120x40");
        stage((40, 10), MONO).pinned("account-40x10");
    }

    #[test]
    fn panes_fail_each_by_itself() {
        let mut stage = Stage::new((80, 24), MONO);
        stage.press("2");
        let fault = || Err(Fault::new(Code::NetUnreachable, "cannot reach vault1.example"));
        stage
            .answer(|ask| matches!(ask, Ask::Usage), fault())
            .answer(|ask| matches!(ask, Ask::Versions), Ok(Answer::Versions(Arc::new(rows()))));
        stage.pass(2_500).pinned("account-partly");
    }

    #[test]
    fn its_runs_and_what_they_told() {
        let line = |minutes: i64, level, code: &str, text: &str| LogTold {
            at: NOW_MS - minutes * 60_000,
            level,
            code: code.into(),
            text: text.into(),
        };
        let told = vec![
            line(190, LogLevel::Note, "run", "backup from laptop: version 30, 188,784 files, 31.0 MiB sent in 12 s"),
            line(61, LogLevel::Warning, "source.unreadable", "A file could not be read. (3 times)"),
            line(60, LogLevel::Error, "run", "backup from laptop failed with net.unreachable after 8 s (exit 8)"),
            line(12, LogLevel::Note, "run", "restore from laptop: done in 2 s"),
        ];
        for (size, name) in [((80, 24), "account-runs-80x24"), ((120, 40), "account-runs-120x40")] {
            let mut stage = stage(size, MONO);
            stage.press("Tab");
            assert!(stage.asked(|ask| matches!(ask, Ask::Log(_))).is_none(), "only who looks after the vault may ask");
            assert!(stage.text().contains("who looks after the vault"), "{}", stage.text());
            stage.app.shared().admin = true;
            stage.press("Tab*2").answer(|ask| matches!(ask, Ask::Log(_)), Ok(Answer::Log(Arc::new(told.clone()))));
            stage.press("Down").pinned(name);
            stage.press("Enter");
            assert!(stage.text().contains("log"), "{}", stage.text());
        }
    }

    #[test]
    fn keys_start_verbs() {
        let mut stage = stage((80, 24), MONO);
        stage.effects.clear();
        stage.press("b");
        assert!(matches!(&stage.effects[..], [Effect::Run { words, .. }] if words == &["backup"]));
        stage.press("x k");
        assert!(stage.app.is_covered());
    }
}
