//! All accounts of the vault: how they are, when they were backed up last, what they take, and who needs somebody to look.
//! Who does not look after the vault sees the one account that is theirs.

pub(super) mod rows;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use agent::engine::job::{AccountStatus, Level, Statuses, Whose};
use agent::fault::{Code, Exit};
use agent::name::harmless_line;
use agent::units::{count, counted, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Event, ScreenId};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::arrange::Rows;
use crate::widgets::menu::{Item, Menu};
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::sheet::Sheet;
use crate::widgets::spark::spark;
use crate::widgets::text::{heading, put, wrap};
use rows::{Accounts, TABLE, cells, health};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[key("b", Action::Do("backup"), "back up now, what the configuration names")];
/// Its footer.
pub const HINTS: &[Hint] = &[
    ("Enter", "open"),
    ("r", "restore"),
    ("F", "find"),
    ("w", "jobs"),
    ("/", "filter"),
    ("s", "sort"),
    ("x", "actions"),
];

const STATUS: Lane = Lane(ScreenId::Dashboard, 0);
const ORDER: Lane = Lane(ScreenId::Dashboard, 1);
/// Rows of the panel about the account under the cursor, with its frame.
const DETAIL_ROWS: u16 = 5;
/// Accounts that are named in the attention list at a time.
const ATTENTION_MAX: usize = 3;

/// See the module.
#[derive(Debug)]
pub struct State {
    pane: Pane<Arc<Statuses>>,
    /// By attention: those that need somebody first.
    accounts: Arc<Accounts>,
    sheet: Sheet,
    /// Only one's own account may be seen.
    own: bool,
    /// The one account was opened.
    opened: bool,
    /// The first run was offered.
    offered: bool,
}

impl Default for State {
    fn default() -> Self {
        let accounts = Arc::default();
        Self {
            pane: Pane::new(STATUS),
            accounts,
            sheet: Sheet::new(ORDER, TABLE.len()),
            own: false,
            opened: false,
            offered: false,
        }
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
        self.pane.is_waiting() || self.sheet.is_waiting()
    }

    /// What stands at the other end of the title line.
    #[must_use]
    pub fn right(&self, _shared: &Shared) -> String {
        let all = self.accounts.rows.len();
        if all == 0 {
            return String::new();
        }
        let attention = self.accounts.attention;
        let accounts = counted(all as u64, "account", "accounts");
        if attention == 0 { accounts } else { format!("{accounts}, {} to look at", count(attention as u64)) }
    }

    fn rows(&self) -> Arc<dyn Rows> {
        Arc::clone(&self.accounts) as Arc<dyn Rows>
    }

    fn here(&self) -> Option<&AccountStatus> {
        self.sheet.list.at(self.accounts.rows.len()).and_then(|row| self.accounts.rows.get(row))
    }

    fn ask(&mut self, shared: &Shared, out: &mut Effects) {
        let whose = if self.own { Whose::Own } else { Whose::All };
        self.pane.ask(shared, Ask::Status(whose), out);
    }

    fn hear(&mut self, heard: &Heard, shared: &Shared, out: &mut Effects) {
        if self.sheet.hear(heard, self.accounts.rows.len()) {
            return;
        }
        let status = |answer: &Answer| match answer {
            Answer::Status(status) => Some(Arc::clone(status)),
            _ => None,
        };
        if !self.pane.hear(heard, status) {
            return;
        }
        match &heard.answer {
            Ok(_) => {
                let name = self.here().map(|account| account.facts.name.clone());
                // At first the one that was named, else the one of this machine.
                let name = name.or_else(|| shared.account.clone()).or_else(|| shared.ours.clone());
                let statuses = self.pane.value().map(|status| status.accounts.clone()).unwrap_or_default();
                self.accounts = Arc::new(Accounts::by_attention(statuses));
                let rows = self.rows();
                self.sheet.arrange(&rows, shared, out);
                let again = name.and_then(|name| self.accounts.place(&name));
                if let Some(place) = again.filter(|_| self.sheet.list.shown.is_none()) {
                    self.sheet.list.cursor = place;
                }
                out.push(Effect::Admin(!self.own));
                if self.own && !std::mem::replace(&mut self.opened, true) {
                    self.open(out);
                }
            }
            // Not for all to see: then one's own.
            Err(fault) if !self.own && matches!(fault.exit(), Exit::Refused | Exit::Denied) => {
                self.own = true;
                self.ask(shared, out);
            }
            // Where a vault was and is away, a new one must not take its place.
            Err(fault)
                if fault.code == Code::VaultNone && !shared.seen && !std::mem::replace(&mut self.offered, true) =>
            {
                out.open(Overlay::Wizard(Box::new(super::wizard::State::new(shared))));
            }
            Err(_) => {}
        }
    }

    fn open(&self, out: &mut Effects) {
        if let Some(account) = self.here() {
            out.push(Effect::Account(account.facts.name.clone()));
            out.push(Effect::Go(ScreenId::Account));
        }
    }
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => state.pane.want(shared, || Ask::Status(Whose::All), out),
        Event::Heard(heard) => state.hear(heard, shared, out),
        Event::Back | Event::JobEnded(_) => state.ask(shared, out),
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
    let name = state.here().map(|account| account.facts.name.clone());
    match (action, name) {
        (Action::Enter | Action::Right, _) => state.open(out),
        (Action::Reload, _) => state.ask(shared, out),
        (Action::Do("backup"), _) => out.push(Effect::start(["backup"])),
        (Action::Restore | Action::Find | Action::Screen(ScreenId::Browser), Some(name)) => {
            out.push(Effect::Account(name));
            out.push(Effect::Go(ScreenId::Browser));
            // The screen of files knows what restoring and finding mean; it gets the same key.
            if action != Action::Screen(ScreenId::Browser) {
                out.push(Effect::Press(action));
            }
        }
        (Action::Screen(screen), Some(name)) if screen != ScreenId::Dashboard => {
            out.push(Effect::Account(name));
            out.push(Effect::Go(screen));
        }
        (Action::Menu, Some(name)) => menu(state, shared, &name, out),
        (Action::Throttle, Some(_)) if shared.admin => {
            let asks = state.here().map(|account| {
                let rate = account.facts.terms.rate.as_deref();
                super::changes::Which::Account(&account.facts.name).rate(rate, shared)
            });
            asks.into_iter().flatten().for_each(|effect| out.push(effect));
        }
        (Action::Copy, Some(name)) => {
            let copy = |text: String| vec![Effect::Copy(text)];
            let vault = agent::name::quoted(shared.vault.as_bytes());
            let items = vec![
                Item::new('n', format!("its name: {}", harmless_line(&name)), copy(name.clone())),
                Item::new('c', "command line that shows it", copy(format!("tuckbox --vault {vault} status {name}"))),
                Item::new('a', "command line that lists all", copy(format!("tuckbox --vault {vault} account list"))),
            ];
            out.open(Overlay::Menu(Menu::new("Copy", items)));
        }
        _ => return false,
    }
    true
}

fn menu(state: &State, shared: &Shared, name: &str, out: &mut Effects) {
    let go = |screen| vec![Effect::Account(name.to_owned()), Effect::Go(screen)];
    let show = |words: [&str; 3]| vec![Effect::Show(words.map(std::ffi::OsString::from).to_vec())];
    let items = vec![
        Item::new('o', "open the account", go(ScreenId::Account)),
        Item::new('v', "its versions", go(ScreenId::Versions)),
        Item::new('f', "its files: look, find, restore", go(ScreenId::Browser)),
        Item::new('s', "what it takes", go(ScreenId::Space)),
        Item::new('i', "all that was settled about it", show(["account", "info", name])),
        Item::new('l', "what its clients told of their runs", show(["account", "log", name])),
    ];
    let change = state.here().map(|account| {
        let menu = super::changes::account_menu(&account.facts, shared);
        Item::new(
            'c',
            "change it: rate, limits, name, freeze, delete...",
            vec![Effect::Open(Box::new(Overlay::Menu(menu)))],
        )
    });
    let make = shared.admin.then(|| super::changes::make("account"));
    let items: Vec<Item> = items.into_iter().chain(change).chain(make).collect();
    out.open(Overlay::Menu(Menu::new(harmless_line(name), items)));
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let attention = state.accounts.rows.get(..state.accounts.attention).unwrap_or_default();
    let (detail, warned, traffic) = if shared.compact() {
        (0, 0, 0)
    } else {
        let shown = attention.len().min(ATTENTION_MAX);
        (DETAIL_ROWS, if shown == 0 { 0 } else { u16::try_from(shown).unwrap_or(0) + 2 }, 3)
    };
    let list = area.height.saturating_sub(detail + warned + traffic);
    let mut below = area.y;
    let mut part = |height: u16| {
        let rect = Rect { y: below, height, ..area };
        below += height;
        rect
    };
    draw_list(state, shared, part(list), buf);
    if shared.compact() {
        return;
    }
    draw_detail(state, shared, part(detail), buf);
    if warned > 0 {
        draw_attention(attention, shared, part(warned), buf);
    }
    draw_traffic(state, shared, part(traffic), buf);
}

fn draw_list(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let all = state.accounts.rows.len();
    let order = state.sheet.order.column.and_then(|column| TABLE.get(column));
    let sorted = order.map_or_else(|| "attention".to_owned(), |column| column.title.to_lowercase());
    let right = format!("{} by {sorted}", state.sheet.list.place(all));
    let inner = panel(buf, area, shared, &state.sheet.title("Accounts"), &right, true);
    let empty = "No accounts yet. Type `:init` to make one of this machine, or `:account create NAME`.";
    if stand_in(buf, inner, shared, &state.pane, all == 0, empty) {
        return;
    }
    let inner = state.sheet.draw_filter(buf, inner, shared);
    let columns = usize::from(inner.width).saturating_sub(3);
    let by = state.sheet.order.column.map(|column| (column, state.sheet.order.descending));
    put(buf, inner, 0, Line::styled(format!("  {}", heading(TABLE, columns, by)), shared.theme.strong()));
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    state.sheet.list.draw(buf, below, shared.theme, all, true, |row| {
        let Some(account) = state.accounts.rows.get(row) else { return (Line::raw(""), false) };
        let (sign, rest) = cells(account, shared, columns);
        let style = shared.theme.health(health(account));
        (Line::from(vec![Span::styled(sign, style), Span::raw(rest)]), false)
    });
}

fn draw_detail(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let Some(account) = state.here() else {
        panel(buf, area, shared, "", "", false);
        return;
    };
    let facts = &account.facts;
    let inner = panel(buf, area, shared, &harmless_line(&facts.name), "", false);
    let newest = facts.newest_at.map_or_else(
        || "no version yet".to_owned(),
        |at| format!("newest version {} ({})", shared.moment(at, "%F %H:%M"), shared.ago(at)),
    );
    let stored = facts.stored_bytes.map_or_else(String::new, |bytes| format!("   stored {}", size(bytes)));
    let limit = facts.terms.hard_bytes.map_or_else(String::new, |bytes| format!(" of {}", size(bytes)));
    put(buf, inner, 0, format!(" {newest}{stored}{limit}"));
    let last = facts.last_run.as_ref().map(|run| {
        let f = &run.run.figures;
        let what = match run.run.code.as_deref() {
            Some(code) => format!("failed: {}", harmless_line(code)),
            None => format!(
                "+{} ~{} -{} files, {} sent",
                count(f.files_new),
                count(f.files_changed),
                count(f.files_removed),
                size(f.sent_bytes)
            ),
        };
        let took = agent::units::duration(run.run.took_ms);
        format!(" last run {}: {what} in {took}, {}", shared.ago(run.told_at), counted(f.errors, "error", "errors"))
    });
    put(buf, inner, 1, last.unwrap_or_else(|| " no run was told yet".to_owned()));
    let reason = account.reasons.first().map(|reason| harmless_line(&reason.text)).unwrap_or_default();
    let line = wrap(&reason, usize::from(inner.width.saturating_sub(4))).into_iter().next().unwrap_or_default();
    let sign = shared.theme.sign(health(account));
    put(buf, inner, 2, Line::styled(format!(" {sign} {line}"), shared.theme.health(health(account))));
}

fn draw_attention(accounts: &[AccountStatus], shared: &Shared, area: Rect, buf: &mut Buffer) {
    let right =
        if accounts.len() > ATTENTION_MAX { format!("{} in all", count(accounts.len() as u64)) } else { String::new() };
    let inner = panel(buf, area, shared, "Attention", &right, false);
    for (row, account) in accounts.iter().take(ATTENTION_MAX).enumerate() {
        let reasons: Vec<String> = account
            .reasons
            .iter()
            .filter(|reason| reason.level > Level::Ok)
            .map(|reason| harmless_line(&reason.text))
            .collect();
        let sign = shared.theme.sign(health(account));
        let text = format!(" {sign} {}: {}", harmless_line(&account.facts.name), reasons.join("; "));
        let text = agent::name::cut_end(&text, usize::from(inner.width));
        put(buf, inner, row, Line::styled(text, shared.theme.health(health(account))));
    }
}

fn draw_traffic(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let inner = panel(buf, area, shared, "Traffic of the last 24 h", "6 more", false);
    let shown = |name: &str, hours: &[u64; 24]| {
        let total: u64 = hours.iter().fold(0, |sum, hour| sum.saturating_add(*hour));
        format!("{name} {} {:>8}", spark(hours, 24, shared.theme), size(total))
    };
    put(buf, inner, 0, format!(" {}   {}", shown("in", &state.accounts.into), shown("out", &state.accounts.from)));
}
