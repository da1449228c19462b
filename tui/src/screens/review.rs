//! The plan: what was gathered, what each step would do, and the one place where it is applied.

use std::sync::Arc;

use agent::name::quoted;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::ScreenId;
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects, Lane};
use crate::console::keys::Action;
use crate::console::overlay::{Held, Overlay};
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::dialog::{Confirm, window};
use crate::widgets::list::List;
use crate::widgets::panel::stand_in;
use crate::widgets::text::{Align, fit, put, wrap};

const TRIED: Lane = Lane(ScreenId::Browser, 8);

/// See the module.
#[derive(Debug)]
pub struct State {
    list: List,
    /// What the step under the cursor says that it would do, and its status.
    tried: Pane<(Arc<Vec<String>>, u8)>,
}

impl Default for State {
    fn default() -> Self {
        Self { list: List::default(), tried: Pane::new(TRIED) }
    }
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.tried.is_waiting()
    }

    /// Has the step under the cursor tried.
    pub fn look(&mut self, shared: &Shared, out: &mut Effects) {
        self.list.keep_inside(shared.plan.len());
        self.tried.clear();
        if let Some(step) = shared.plan.get(self.list.cursor) {
            self.tried.ask(shared, Ask::Say(step.tried()), out);
        }
    }

    /// An answer; whether it was for this.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        self.tried.hear(heard, |answer| match answer {
            Answer::Said(lines, status) => Some((Arc::clone(lines), *status)),
            _ => None,
        })
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        let steps = shared.plan.len();
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Held::Closes,
            KeyCode::Up | KeyCode::Char('k') => drop(self.list.moves(Action::Up, steps, 2)),
            KeyCode::Down | KeyCode::Char('j') => drop(self.list.moves(Action::Down, steps, 2)),
            KeyCode::Delete | KeyCode::Char('z') if steps > 0 => {
                let place = if key.code == KeyCode::Delete { self.list.cursor } else { steps - 1 };
                out.push(Effect::Unplan(place));
                return Held::Stays;
            }
            KeyCode::Char('y') => {
                let lines: Vec<String> = shared.plan.iter().map(|step| command(&step.applied())).collect();
                out.push(Effect::Copy(lines.join("\n")));
                return Held::Stays;
            }
            KeyCode::Enter if steps > 0 => {
                let many = agent::units::counted(steps as u64, "step is", "steps are");
                let text = format!("{many} carried out, each as a job of its own. w shows what they say.");
                out.open(Overlay::Confirm(Confirm::new("Apply the plan?", text, vec![Effect::Apply])));
                return Held::Closes;
            }
            _ => return Held::Stays,
        }
        self.look(shared, out);
        Held::Stays
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let steps = shared.plan.len();
        let rows = usize::from(area.height.saturating_sub(2));
        let inner = window(buf, area, shared, "Plan: nothing is done until it is applied", 76, rows);
        let theme = shared.theme;
        if steps == 0 {
            put(buf, inner, 0, Line::styled(" Nothing is planned. x on a name offers what can be.", theme.dim()));
            return;
        }
        let columns = usize::from(inner.width).saturating_sub(3);
        let above = u16::try_from(steps).unwrap_or(u16::MAX).min(inner.height / 3).max(1);
        let list = Rect { height: above, ..inner };
        self.list.draw(buf, list, theme, steps, true, |at| {
            let text = shared.plan.get(at).map(|step| step.about.clone()).unwrap_or_default();
            (Line::raw(fit(&text, columns, Align::Left)), false)
        });
        let mut row = usize::from(above) + 1;
        if let Some(step) = shared.plan.get(self.list.cursor) {
            let text = command(&step.applied());
            put(buf, inner, row, Line::styled(format!(" {}", fit(&text, columns, Align::Left)), theme.dim()));
            row += 2;
        }
        let used = u16::try_from(row).unwrap_or(0).min(inner.height);
        let below = Rect {
            x: inner.x + 1,
            y: inner.y + used,
            width: inner.width.saturating_sub(2),
            height: inner.height - used,
        };
        if !stand_in(buf, below, shared, &self.tried, false, "")
            && let Some((lines, _)) = self.tried.value()
        {
            let wrapped = lines.iter().flat_map(|line| wrap(line, columns));
            for (at, line) in wrapped.take(usize::from(below.height.saturating_sub(2))).enumerate() {
                put(buf, below, at, Line::styled(line, Style::new()));
            }
        }
        let last = usize::from(inner.height).saturating_sub(1);
        let keys = " Enter apply  Del take the step out  z the last one  y copy  Esc later";
        put(buf, inner, last, Line::styled(fit(keys, columns + 2, Align::Left), theme.dim()));
    }
}

fn command(words: &[std::ffi::OsString]) -> String {
    let words = words.iter().map(|word| quoted(word.as_encoded_bytes()));
    std::iter::once("tuckbox".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
