//! What is shown, a screen a file. Each has a `State`, `update` (what came, and what is to be done), and `draw`, which
//! decides nothing; `KEYS` and `HINTS` are what it adds to the table of keys and shows in the footer.
//!
//! Screens: [`dashboard`], [`account`], [`versions`], [`browser`], [`diff`], [`bandwidth`], [`jobs`], [`space`], [`log`],
//! [`settings`]. Above them: [`palette`] and [`output`], [`help`], [`as_at`], [`messages`], [`review`], [`wizard`]; what may be
//! changed of accounts and groups: [`changes`].

pub mod account;
pub mod as_at;
pub mod bandwidth;
pub mod browser;
pub mod changes;
pub mod dashboard;
pub mod diff;
pub mod help;
pub mod jobs;
pub mod log;
pub mod messages;
pub mod output;
pub mod palette;
pub mod review;
pub mod settings;
pub mod space;
pub mod versions;
pub mod wizard;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::ask::Heard;
use crate::console::effect::{Effect, Effects};
use crate::console::keys::{Action, Binding, Hint};
use crate::console::overlay::Overlay;
use crate::console::shared::Shared;
use crate::widgets::menu::{Item, Menu};

/// A screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScreenId {
    /// All accounts.
    Dashboard,
    /// One account.
    Account,
    /// Its versions.
    Versions,
    /// Files.
    Browser,
    /// What differs between two versions.
    Diff,
    /// Traffic.
    Bandwidth,
    /// What runs and what ran.
    Jobs,
    /// What needs the space.
    Space,
    /// What happened.
    Log,
    /// Settings.
    Settings,
}

impl ScreenId {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Dashboard,
        Self::Account,
        Self::Versions,
        Self::Browser,
        Self::Diff,
        Self::Bandwidth,
        Self::Jobs,
        Self::Space,
        Self::Log,
        Self::Settings,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "accounts",
            Self::Account => "account",
            Self::Versions => "versions",
            Self::Browser => "files",
            Self::Diff => "diff",
            Self::Bandwidth => "traffic",
            Self::Jobs => "jobs",
            Self::Space => "space",
            Self::Log => "log",
            Self::Settings => "settings",
        }
    }
}

/// What comes to a screen.
#[derive(Debug)]
pub enum Event<'e> {
    /// It is shown (again).
    Enter,
    /// The server answers again after it did not.
    Back,
    /// Another version is looked at.
    Turned,
    /// The versions of the account are known, or are not to be had.
    Versions,
    /// A key of the table.
    Action(Action),
    /// Any key, while the screen captures them.
    Key(&'e KeyEvent),
    /// Text that was pasted.
    Paste(&'e str),
    /// An answer to a question of this screen.
    Heard(&'e Heard),
    /// Time went by.
    Tick,
    /// A job began that was asked for here.
    JobBegan(u64),
    /// A job ended.
    JobEnded(u64),
}

/// The states of all screens: one goes back to where one was.
#[derive(Debug, Default)]
pub struct Screens {
    /// See [`ScreenId`].
    pub dashboard: dashboard::State,
    /// See [`ScreenId`].
    pub account: account::State,
    /// See [`ScreenId`].
    pub versions: versions::State,
    /// See [`ScreenId`].
    pub browser: browser::State,
    /// See [`ScreenId`].
    pub diff: diff::State,
    /// See [`ScreenId`].
    pub bandwidth: bandwidth::State,
    /// See [`ScreenId`].
    pub jobs: jobs::State,
    /// See [`ScreenId`].
    pub space: space::State,
    /// See [`ScreenId`].
    pub log: log::State,
    /// See [`ScreenId`].
    pub settings: settings::State,
}

impl Screens {
    /// Another account is looked at: what was known of the one before goes.
    pub fn forget_account(&mut self) {
        self.account = account::State::default();
        self.versions = versions::State::default();
        self.browser = browser::State::default();
        self.diff = diff::State::default();
        self.space = space::State::default();
        self.log = log::State::default();
    }
}

/// How fast things may go, from anywhere: what runs here, the account that is open, this machine.
#[must_use]
pub fn throttle(shared: &Shared) -> Menu {
    let mut items = Vec::new();
    for (letter, job) in ('1'..='9').zip(shared.jobs.running().filter(|job| job.moves_much())) {
        let open = |menu| vec![Effect::Open(Box::new(Overlay::Menu(menu)))];
        items.push(Item::new(letter, format!("{}...", job.words), open(changes::job_rates(job.number, job.verb()))));
    }
    if items.is_empty() {
        items.push(Item::not_now("a job that runs", "nothing runs here that moves much"));
    }
    items.push(match &shared.account {
        Some(name) if shared.admin => {
            let asks = changes::Which::Account(name).rate(None, shared);
            Item::new('a', format!("the rate of account {}, by a plan...", shared.account_shown()), asks)
        }
        _ => Item::not_now("the rate of an account", "only who looks after the vault"),
    });
    items.push(changes::standing_rates());
    Menu::new("How fast it may go", items)
}

/// Something came; whether the screen took it. What is not taken may mean something everywhere.
pub fn update(id: ScreenId, screens: &mut Screens, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match id {
        ScreenId::Dashboard => dashboard::update(&mut screens.dashboard, shared, event, out),
        ScreenId::Account => account::update(&mut screens.account, shared, event, out),
        ScreenId::Versions => versions::update(&mut screens.versions, shared, event, out),
        ScreenId::Browser => browser::update(&mut screens.browser, shared, event, out),
        ScreenId::Diff => diff::update(&mut screens.diff, shared, event, out),
        ScreenId::Bandwidth => bandwidth::update(&mut screens.bandwidth, shared, event, out),
        ScreenId::Jobs => jobs::update(&mut screens.jobs, shared, event, out),
        ScreenId::Space => space::update(&mut screens.space, shared, event, out),
        ScreenId::Log => log::update(&mut screens.log, shared, event, out),
        ScreenId::Settings => settings::update(&mut screens.settings, shared, event, out),
    }
}

/// Draws a screen. A pure function of the state.
pub fn draw(id: ScreenId, screens: &Screens, shared: &Shared, area: Rect, buf: &mut Buffer) {
    match id {
        ScreenId::Dashboard => dashboard::draw(&screens.dashboard, shared, area, buf),
        ScreenId::Account => account::draw(&screens.account, shared, area, buf),
        ScreenId::Versions => versions::draw(&screens.versions, shared, area, buf),
        ScreenId::Browser => browser::draw(&screens.browser, shared, area, buf),
        ScreenId::Diff => diff::draw(&screens.diff, shared, area, buf),
        ScreenId::Bandwidth => bandwidth::draw(&screens.bandwidth, shared, area, buf),
        ScreenId::Jobs => jobs::draw(&screens.jobs, shared, area, buf),
        ScreenId::Space => space::draw(&screens.space, shared, area, buf),
        ScreenId::Log => log::draw(&screens.log, shared, area, buf),
        ScreenId::Settings => settings::draw(&screens.settings, shared, area, buf),
    }
}

/// Keys that a screen adds.
#[must_use]
pub fn keys(id: ScreenId) -> &'static [Binding] {
    match id {
        ScreenId::Dashboard => dashboard::KEYS,
        ScreenId::Account => account::KEYS,
        ScreenId::Versions => versions::KEYS,
        ScreenId::Browser => browser::KEYS,
        ScreenId::Diff => diff::KEYS,
        ScreenId::Bandwidth => bandwidth::KEYS,
        ScreenId::Jobs => jobs::KEYS,
        ScreenId::Space => space::KEYS,
        ScreenId::Log => log::KEYS,
        ScreenId::Settings => settings::KEYS,
    }
}

/// What stands in its footer.
#[must_use]
pub fn hints(id: ScreenId) -> &'static [Hint] {
    match id {
        ScreenId::Dashboard => dashboard::HINTS,
        ScreenId::Account => account::HINTS,
        ScreenId::Versions => versions::HINTS,
        ScreenId::Browser => browser::HINTS,
        ScreenId::Diff => diff::HINTS,
        ScreenId::Bandwidth => bandwidth::HINTS,
        ScreenId::Jobs => jobs::HINTS,
        ScreenId::Space => space::HINTS,
        ScreenId::Log => log::HINTS,
        ScreenId::Settings => settings::HINTS,
    }
}

/// Whether a screen takes every key: something is typed in it.
#[must_use]
pub fn captures(id: ScreenId, screens: &Screens) -> bool {
    match id {
        ScreenId::Dashboard => screens.dashboard.captures(),
        ScreenId::Versions => screens.versions.captures(),
        ScreenId::Browser => screens.browser.captures(),
        ScreenId::Diff => screens.diff.captures(),
        ScreenId::Jobs => screens.jobs.captures(),
        ScreenId::Log => screens.log.captures(),
        ScreenId::Account | ScreenId::Bandwidth | ScreenId::Space | ScreenId::Settings => false,
    }
}

/// Whether something of it is on its way.
#[must_use]
pub fn is_waiting(id: ScreenId, screens: &Screens) -> bool {
    match id {
        ScreenId::Dashboard => screens.dashboard.is_waiting(),
        ScreenId::Account => screens.account.is_waiting(),
        ScreenId::Browser => screens.browser.is_waiting(),
        ScreenId::Diff => screens.diff.is_waiting(),
        ScreenId::Bandwidth => screens.bandwidth.is_waiting(),
        ScreenId::Space => screens.space.is_waiting(),
        ScreenId::Log => screens.log.is_waiting(),
        ScreenId::Settings => screens.settings.is_waiting(),
        ScreenId::Versions | ScreenId::Jobs => false,
    }
}

/// Milliseconds until a screen asks for something that waits for the hand to rest.
#[must_use]
pub fn due_in_ms(id: ScreenId, screens: &Screens, shared: &Shared) -> Option<i64> {
    match id {
        ScreenId::Browser => screens.browser.due_in_ms(shared),
        _ => None,
    }
}

/// Where one is, for the title line.
#[must_use]
pub fn title(id: ScreenId, screens: &Screens, shared: &Shared) -> String {
    match id {
        ScreenId::Dashboard => shared.vault.clone(),
        ScreenId::Bandwidth | ScreenId::Jobs | ScreenId::Settings => id.name().to_owned(),
        ScreenId::Account => shared.account_shown(),
        ScreenId::Browser => screens.browser.title(shared),
        ScreenId::Diff => screens.diff.title(shared),
        ScreenId::Versions | ScreenId::Space | ScreenId::Log => format!("{} > {}", shared.account_shown(), id.name()),
    }
}

/// What stands at the other end of the title line.
#[must_use]
pub fn right(id: ScreenId, screens: &Screens, shared: &Shared) -> String {
    match id {
        ScreenId::Dashboard => screens.dashboard.right(shared),
        ScreenId::Versions => screens.versions.right(shared),
        ScreenId::Browser => screens.browser.right(shared),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::widgets::text::widths;

    #[test]
    fn rows_keep_their_names_however_narrow_it_is() {
        // The narrowest terminal is 40 columns wide, and before a row stand a sign and two blanks.
        let tables = [
            ("traffic", bandwidth::TABLE),
            ("space", space::TABLE),
            ("space by account", space::TAKEN),
            ("jobs", jobs::TABLE),
            ("settings", settings::TABLE),
            ("accounts", dashboard::rows::TABLE),
            ("files", browser::files::TABLE),
            ("diff", diff::TABLE),
        ];
        let mut lost = Vec::new();
        for (name, table) in tables {
            for available in 37..200 {
                let all = widths(table, available);
                let left = table.iter().zip(&all).find(|(column, _)| column.columns == 0).map(|(_, left)| *left);
                let fits =
                    all.iter().sum::<usize>() + 2 * (all.iter().filter(|one| **one > 0).count() - 1) <= available;
                if !fits || left < Some(11) {
                    lost.push((name, available, left));
                }
            }
        }
        assert!(lost.is_empty(), "{lost:?}");
    }
}
