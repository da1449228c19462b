//! A date is typed, and what it means is said while it is typed, by the very parser of `--at`.

use agent::engine::job::{At, VersionRow};
use agent::time::{parse_at, show};
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::ScreenId;
use crate::console::ask::Heard;
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::overlay::Held;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::completed::Completed;
use crate::widgets::dialog::window;
use crate::widgets::field::Typed;
use crate::widgets::text::{put, wrap};

/// See the module.
#[derive(Debug)]
pub struct State {
    line: Completed,
    why: Option<String>,
}

/// Which version an expression means, of these, oldest first. `None` = none of them.
#[must_use]
pub fn pick<'v>(at: &At, rows: &'v [VersionRow]) -> Option<&'v VersionRow> {
    match at {
        At::Latest { back } => {
            let back = usize::try_from(*back).ok()?;
            rows.len().checked_sub(back.checked_add(1)?).and_then(|place| rows.get(place))
        }
        At::Moment { ms } => rows.iter().rev().find(|row| row.received_at_ms <= *ms),
        At::Id { prefix } => {
            let mut fit = rows.iter().filter(|row| row.id.starts_with(prefix.as_str()));
            fit.next().filter(|_| fit.next().is_none())
        }
        At::Number { sequence } => rows.iter().find(|row| row.sequence == *sequence),
    }
}

/// The version that is looked at.
#[must_use]
pub fn current(shared: &Shared) -> Option<&VersionRow> {
    let rows = shared.versions.value()?;
    match &shared.at {
        None => rows.last(),
        Some(text) => pick(&parse_at(text, shared.now_ms, &shared.zone).ok()?.at, rows),
    }
}

/// The version so many steps back in time (forward, when less than nothing), as `--at` takes it: `None` within = the newest.
#[must_use]
pub fn step(shared: &Shared, back: isize) -> Option<Option<String>> {
    let rows = shared.versions.value()?;
    let now = current(shared)?;
    let place = rows.iter().position(|row| row.id == now.id)?;
    let other = rows.get(place.checked_add_signed(back.checked_neg()?)?)?;
    let newest = rows.last().is_some_and(|last| last.id == other.id);
    Some((!newest).then(|| format!("id:{}", other.id.get(..16).unwrap_or(&other.id))))
}

impl State {
    /// Nothing is typed yet.
    #[must_use]
    pub fn new(_shared: &Shared) -> Self {
        Self { line: Completed::new(Lane(ScreenId::Versions, 250), "ls --at ", ""), why: None }
    }

    /// Something was pasted.
    pub fn paste(&mut self, text: &str) {
        self.line.field.insert(text);
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.line.is_waiting()
    }

    /// An answer; whether it was for this.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        self.line.hear(heard)
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        match self.line.key(shared, key, out) {
            Typed::GivenUp => Held::Closes,
            Typed::Done => match self.meant(shared) {
                Ok(_) => {
                    let text = self.line.field.text().trim().to_owned();
                    out.push(Effect::At((text != "latest").then_some(text)));
                    Held::Closes
                }
                Err(why) => {
                    self.why = Some(why);
                    Held::Stays
                }
            },
            _ => {
                self.why = None;
                Held::Stays
            }
        }
    }

    /// What is meant, in words, or why nothing is.
    fn meant(&self, shared: &Shared) -> Result<String, String> {
        let understood = parse_at(self.line.field.text(), shared.now_ms, &shared.zone);
        let understood = understood.map_err(|fault| fault.message)?;
        let Some(rows) = shared.versions.value() else { return Ok(understood.sentence) };
        match (pick(&understood.at, rows), rows.first()) {
            (Some(row), _) => {
                let id = row.id.get(..8).unwrap_or(&row.id);
                Ok(format!("{} -> version {id} of {}", understood.sentence, show(row.received_at_ms, &shared.zone)))
            }
            (None, Some(oldest)) => {
                Err(format!("none of the versions; the oldest is of {}", show(oldest.received_at_ms, &shared.zone)))
            }
            (None, None) => Err("there is no version yet".to_owned()),
        }
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let inner = window(buf, area, shared, "As at", 74, 5);
        put(buf, inner, 0, " As at: ");
        let field = Rect { x: inner.x + 8, width: inner.width.saturating_sub(9), height: 1, ..inner };
        self.line.field.draw(buf, field, shared.theme, false);
        let (text, style) = match self.meant(shared) {
            _ if self.line.field.text().is_empty() => (
                "latest, previous, yesterday 18:00, 2 days ago, mon 9am, -3h, 2026-11-18, the beginning of an id"
                    .to_owned(),
                shared.theme.dim(),
            ),
            _ if !self.line.named().is_empty() => (self.line.named(), shared.theme.dim()),
            Ok(text) => (format!("= {text}"), shared.theme.health(Health::Good)),
            Err(why) if self.why.is_some() => (why, shared.theme.health(Health::Bad)),
            Err(why) => (why, shared.theme.dim()),
        };
        for (row, line) in wrap(&text, usize::from(inner.width.saturating_sub(2))).into_iter().enumerate().take(3) {
            put(buf, inner, row + 1, Line::styled(format!(" {line}"), style));
        }
        put(buf, inner, 4, Line::styled(" Enter goes there, Tab completes, Esc leaves", shared.theme.dim()));
    }
}
