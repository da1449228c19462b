//! What a verb says, as it says it. Closing this leaves the verb running.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::console::effect::{Effect, Effects};
use crate::console::jobs::Job;
use crate::console::overlay::Held;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::dialog::window;
use crate::widgets::text::{Align, fit, put};

/// See the module.
#[derive(Debug)]
pub struct State {
    number: u64,
    /// Rows back from the end; at the end, new lines are followed.
    back: usize,
    /// Columns from the left.
    right: usize,
}

impl State {
    /// What a job says.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self { number, back: 0, right: 0 }
    }

    /// A key.
    pub fn key(&mut self, shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        let lines = shared.jobs.get(self.number).map_or(0, |job| job.lines.len());
        let page = shared.page().saturating_sub(2).max(1);
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Held::Closes,
            KeyCode::Char('c') if control => return Held::Closes,
            KeyCode::Up | KeyCode::Char('k') => self.back += 1,
            KeyCode::Down | KeyCode::Char('j') => self.back = self.back.saturating_sub(1),
            KeyCode::PageUp => self.back += page,
            KeyCode::PageDown | KeyCode::Char(' ') => self.back = self.back.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => self.back = lines,
            KeyCode::End | KeyCode::Char('G') => self.back = 0,
            KeyCode::Left | KeyCode::Char('h') => self.right = self.right.saturating_sub(20),
            KeyCode::Right | KeyCode::Char('l') => self.right = (self.right + 20).min(1_000),
            KeyCode::Char('c') => out.push(Effect::Cancel(self.number)),
            KeyCode::Char('y') => {
                if let Some(job) = shared.jobs.get(self.number) {
                    out.push(Effect::Copy(format!("tuckbox {}", job.words)));
                }
            }
            _ => {}
        }
        self.back = self.back.min(lines.saturating_sub(page));
        Held::Stays
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let Some(job) = shared.jobs.get(self.number) else { return };
        let title = format!("tuckbox {}", job.words);
        let inner = window(buf, area, shared, &title, usize::from(area.width), usize::from(area.height));
        let rows = usize::from(inner.height.saturating_sub(1));
        let end = job.lines.len().saturating_sub(self.back);
        let from = end.saturating_sub(rows);
        for (row, line) in job.lines.iter().skip(from).take(rows.min(end - from)).enumerate() {
            let shown: String = line.chars().skip(self.right).collect();
            put(buf, inner, row, format!(" {shown}"));
        }
        let (text, health) = standing(job, shared);
        let keys = if job.runs() { "c cancels, Esc leaves it running" } else { "y copies the command, Esc closes" };
        let room = usize::from(inner.width);
        let line = crate::widgets::text::ends(&text, keys, room);
        put(buf, inner, rows, Line::styled(fit(&line, room, Align::Left), shared.theme.health(health)));
    }
}

fn standing(job: &Job, shared: &Shared) -> (String, Health) {
    match job.ended {
        None => {
            let seconds = shared.now_ms.saturating_sub(job.began_ms) / 1_000;
            let phase = job.phase.map_or("running", agent::event::Phase::name);
            (format!("~ {phase}, {seconds} s"), Health::Busy)
        }
        Some((_, 0)) => ("+ done".to_owned(), Health::Good),
        Some((_, status)) => (format!("X exit {status}"), Health::Bad),
    }
}
