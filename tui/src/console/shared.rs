//! What all screens see.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use agent::engine::job::VersionRow;
use jiff::tz::TimeZone;

use super::effect::Lane;
use super::jobs::Jobs;
use super::keymap::Keymap;
use super::pane::Pane;
use super::plan::Step;
use super::theme::{Health, Theme};
use crate::screens::ScreenId;

/// Below so many columns or rows the layout is compact.
const FULL: (u16, u16) = (80, 24);
/// After this a server that did not answer is asked again, milliseconds; each time after twice as long.
const RETRY_MS: i64 = 2_000;
/// The longest time before it is asked again.
const RETRY_MOST_MS: i64 = 30_000;
/// Messages that are remembered.
const MESSAGES_MAX: usize = 500;
/// So long a good message is shown, milliseconds.
const SHOWN_MS: i64 = 5_000;

/// See the module. Screens read it; only the application changes it.
#[derive(Debug)]
pub struct Shared {
    /// The vault's address, safe to show.
    pub vault: String,
    /// The account that is open; the only one there is when absent.
    pub account: Option<String>,
    /// The version that is looked at, as `--at` takes it; the newest when absent.
    pub at: Option<String>,
    /// The account of this machine in this vault, when one was set up here.
    pub ours: Option<String>,
    /// There is a vault at this address: it answered, or this machine was set up for it. One that is not there now is
    /// away, and none is to be made in its place.
    pub seen: bool,
    /// The vault lets this person look after all accounts.
    pub admin: bool,
    /// The versions of the account, oldest first.
    pub versions: Pane<Arc<Vec<VersionRow>>>,
    /// The server does not answer.
    pub lost: Option<Lost>,
    /// What runs and what ran.
    pub jobs: Jobs,
    /// What was gathered and is done when it was reviewed.
    pub plan: Vec<Step>,
    /// What was said, newest last.
    pub messages: VecDeque<Message>,
    /// Now, ms since 1970.
    pub now_ms: i64,
    /// A clock that only goes forward, ms.
    pub mono_ms: i64,
    /// How times are shown and read.
    pub zone: TimeZone,
    /// Keys of one's own.
    pub keymap: Keymap,
    /// How things look.
    pub theme: Theme,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The home directory.
    pub home: Option<PathBuf>,
    /// The working directory.
    pub working: PathBuf,
}

/// Since when the server does not answer or its vault is away, and when it is asked again; on the forward clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Since then.
    pub since_ms: i64,
    /// It is asked again then.
    pub next_ms: i64,
    /// Between the last question and that one, milliseconds.
    pub pause_ms: i64,
    /// It is the vault that is away.
    pub away: bool,
}

impl Lost {
    /// It did not answer once more, or the vault was away.
    #[must_use]
    pub fn again(before: Option<Self>, now_ms: i64, away: bool) -> Self {
        let since_ms = before.map_or(now_ms, |lost| lost.since_ms);
        let pause_ms = before.map_or(RETRY_MS, |lost| lost.pause_ms.saturating_mul(2).min(RETRY_MOST_MS));
        Self { since_ms, next_ms: now_ms.saturating_add(pause_ms), pause_ms, away }
    }
}

/// Something that was said to the person.
#[derive(Clone, Debug)]
pub struct Message {
    /// When, ms since 1970.
    pub at_ms: i64,
    /// How bad it is.
    pub health: Health,
    /// In words, safe to show.
    pub text: String,
    /// Shown in the status line until this moment of the forward clock; `None` = until it is dismissed; past = not shown.
    pub until_ms: Option<i64>,
}

impl Shared {
    /// A state that knows nothing yet.
    #[must_use]
    pub fn new(vault: String, account: Option<String>, at: Option<String>, zone: TimeZone, theme: Theme) -> Self {
        Self {
            vault,
            account,
            at,
            ours: None,
            seen: false,
            admin: false,
            versions: Pane::new(Lane(ScreenId::Versions, u8::MAX)),
            lost: None,
            jobs: Jobs::default(),
            plan: Vec::new(),
            messages: VecDeque::new(),
            now_ms: 0,
            mono_ms: 0,
            zone,
            keymap: Keymap::default(),
            theme,
            size: FULL,
            home: None,
            working: PathBuf::from("/"),
        }
    }

    /// Little room: no frames, one pane.
    #[must_use]
    pub fn compact(&self) -> bool {
        self.size.0 < FULL.0 || self.size.1 < FULL.1
    }

    /// Much room: absolute times beside relative ones, a third pane.
    #[must_use]
    pub fn wide(&self) -> bool {
        self.size.0 >= 100
    }

    /// Rows that a list on the whole screen shows, about: what paging goes by.
    #[must_use]
    pub fn page(&self) -> usize {
        usize::from(self.size.1.saturating_sub(6)).max(1)
    }

    /// Says something.
    pub fn say(&mut self, health: Health, text: impl Into<String>) {
        if self.messages.len() >= MESSAGES_MAX {
            self.messages.pop_front();
        }
        let until_ms = (health < Health::Warn).then(|| self.mono_ms.saturating_add(SHOWN_MS));
        let text = agent::name::harmless_line(&text.into());
        self.messages.push_back(Message { at_ms: self.now_ms, health, text, until_ms });
    }

    /// The message that is shown now.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        self.messages.back().filter(|message| message.until_ms.is_none_or(|until| self.mono_ms < until))
    }

    /// Takes the message away; whether there was one.
    pub fn dismiss(&mut self) -> bool {
        let now = self.mono_ms;
        let shown = self.message().is_some();
        if let Some(message) = self.messages.back_mut().filter(|_| shown) {
            message.until_ms = Some(now);
        }
        shown
    }

    /// The account as it is shown.
    #[must_use]
    pub fn account_shown(&self) -> String {
        self.account.as_deref().map_or_else(|| "this account".to_owned(), agent::name::harmless_line)
    }

    /// A moment as people say it: `12 min ago`, `in 48 min`.
    #[must_use]
    pub fn ago(&self, ms: i64) -> String {
        let far = ms.abs_diff(self.now_ms);
        let text = match far {
            0..60_000 => return if ms > self.now_ms { "in a moment".to_owned() } else { "just now".to_owned() },
            60_000..3_600_000 => format!("{} min", far / 60_000),
            3_600_000..86_400_000 => format!("{} h {:02}", far / 3_600_000, far / 60_000 % 60),
            _ => format!("{} d {} h", far / 86_400_000, far / 3_600_000 % 24),
        };
        if ms > self.now_ms { format!("in {text}") } else { format!("{text} ago") }
    }

    /// A moment in the zone, by a format of `strftime`.
    #[must_use]
    pub fn moment(&self, ms: i64, format: &str) -> String {
        jiff::Timestamp::from_millisecond(ms)
            .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(self.zone.clone()).strftime(format).to_string())
    }
}
