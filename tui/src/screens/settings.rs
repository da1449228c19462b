//! Settings in force and where each comes from; changed by `config set` on the command line.

use std::sync::Arc;

use agent::name::harmless_line;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::Value;

use super::{Event, ScreenId, palette};
use crate::console::ask::{Answer, Ask};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::{Action, Binding, Hint, key};
use crate::console::overlay::Overlay;
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::list::List;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::text::{Align, Column, column, heading, put, row, wrap};

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[
    key("e", Action::Do("edit"), "change the setting under the cursor"),
    key("T", Action::Do("template"), "every key with its meaning"),
];
/// Its footer.
pub const HINTS: &[Hint] = &[("Enter", "change"), ("T", "all keys explained"), ("y", "copy"), ("C-r", "reload")];

const LANE: Lane = Lane(ScreenId::Settings, 0);
pub(super) const TABLE: &[Column] = &[
    column("Setting", 20, Align::Left),
    column("Value", 0, Align::Path),
    Column { title: "From", columns: 22, align: Align::Path, from: 60 },
];

/// See the module.
#[derive(Debug)]
pub struct State {
    pane: Pane<Vec<Setting>>,
    list: List,
}

#[derive(Debug)]
struct Setting {
    key: String,
    value: String,
    origin: String,
}

impl Default for State {
    fn default() -> Self {
        Self { pane: Pane::new(LANE), list: List::default() }
    }
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pane.is_waiting()
    }

    fn rows(&self) -> &[Setting] {
        self.pane.value().map(Vec::as_slice).unwrap_or_default()
    }
}

fn ask() -> Ask {
    Ask::Records(["config", "show", "--origin"].map(str::to_owned).to_vec())
}

fn settings(records: &Arc<Vec<Value>>) -> Vec<Setting> {
    let text = |record: &Value, name: &str| match record.get(name) {
        Some(Value::String(text)) => harmless_line(text),
        Some(other) => harmless_line(&other.to_string()),
        None => String::new(),
    };
    let all = records.iter().filter(|record| record.get("key").is_some());
    all.map(|record| Setting { key: text(record, "key"), value: text(record, "value"), origin: text(record, "origin") })
        .collect()
}

/// Something came.
pub fn update(state: &mut State, shared: &Shared, event: &Event<'_>, out: &mut Effects) -> bool {
    match event {
        Event::Enter => state.pane.want(shared, ask, out),
        Event::JobEnded(_) => state.pane.ask(shared, ask(), out),
        Event::Heard(heard) => {
            state.pane.hear(heard, |answer| match answer {
                Answer::Records(records) => Some(settings(records)),
                _ => None,
            });
        }
        Event::Action(action) => return act(state, shared, *action, out),
        _ => return false,
    }
    true
}

fn act(state: &mut State, shared: &Shared, action: Action, out: &mut Effects) -> bool {
    if state.list.moves(action, state.rows().len(), shared.page()) {
        return true;
    }
    let here = state.rows().get(state.list.cursor);
    match (action, here) {
        (Action::Enter | Action::Do("edit"), Some(setting)) => {
            let line = format!("config set {} ", setting.key);
            let palette = palette::State::holding(&line, shared, out);
            out.open(Overlay::Palette(palette));
        }
        (Action::Do("template"), _) => {
            out.push(Effect::Show(["config", "template"].map(std::ffi::OsString::from).to_vec()));
        }
        (Action::Reload, _) => state.pane.ask(shared, ask(), out),
        (Action::Copy, Some(setting)) => out.push(Effect::Copy(format!("tuckbox config get {}", setting.key))),
        _ => return false,
    }
    true
}

/// Draws it.
pub fn draw(state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let rows = state.rows();
    let inner = panel(buf, area, shared, "Settings in force", &state.list.place(rows.len()), true);
    if stand_in(buf, inner, shared, &state.pane, rows.is_empty(), "Nothing is set.") {
        return;
    }
    let here = rows.get(state.list.cursor);
    let about = here.and_then(|setting| {
        let keys = agent::config::keys::ALL.iter();
        keys.clone().find(|key| key.name == setting.key).map(|key| key.about)
    });
    let lines = wrap(about.unwrap_or_default(), usize::from(inner.width.saturating_sub(2)));
    let below = u16::try_from(lines.len()).unwrap_or(0).min(inner.height / 3);
    let columns = usize::from(inner.width).saturating_sub(3);
    put(buf, inner, 0, Line::styled(format!("  {}", heading(TABLE, columns, None)), shared.theme.strong()));
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(below + 2), ..inner };
    state.list.draw(buf, list, shared.theme, rows.len(), true, |number| {
        let Some(setting) = rows.get(number) else { return (Line::raw(""), false) };
        (Line::raw(row(TABLE, columns, &[&setting.key, &setting.value, &setting.origin])), false)
    });
    let about = Rect { y: list.y + list.height + 1, height: below, ..inner };
    for (row, line) in lines.into_iter().enumerate() {
        put(buf, about, row, Line::styled(format!(" {line}"), shared.theme.dim()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::stage::{MONO, Stage};
    use serde_json::json;

    #[test]
    fn a_setting_is_changed_on_the_command_line() {
        let mut stage = Stage::new((80, 24), MONO);
        let setting = |key: &str, value: &str, origin: &str| json!({"type": "setting", "key": key, "value": value, "origin": origin});
        let records = vec![
            json!({"type": "start"}),
            setting("vault", "ssh://vault1.example/vault", "config.toml line 3"),
            setting("retry", "10min", "default"),
        ];
        stage.press(",").answer(|ask| matches!(ask, Ask::Records(_)), Ok(Answer::Records(Arc::new(records))));
        stage.press("Down").pinned("settings-80x24");
        stage.press("Enter \"1h\"");
        assert!(stage.text().contains(": config set retry 1h"));
        stage.press("Enter");
        assert!(
            stage
                .effects
                .iter()
                .any(|e| matches!(e, Effect::Run { words, .. } if words == &["config", "set", "retry", "1h"]))
        );
    }
}
