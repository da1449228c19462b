//! How the restore dialog looks: what is asked, how far it is, what became of it.

use agent::engine::job::Layout;
use agent::engine::restore::several;
use agent::name::{for_terminal, harmless_line};
use agent::units::{count, counted, duration, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::restore::{Dialog, EXISTS, Spot, Stage};
use crate::console::jobs::Job;
use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::dialog::window;
use crate::widgets::gauge::{bar, moving, percent};
use crate::widgets::text::{Align, fit, put, wrap};

/// Directories that are offered while a target is typed.
const OFFERED: usize = 4;
/// Places that are named in the result.
const PLACES: usize = 5;
/// Columns of the dialog.
const COLUMNS: usize = 76;

impl Dialog {
    /// What is going to happen, in a sentence.
    pub(super) fn plan_text(&self) -> String {
        let Some(plan) = self.plan.value() else { return String::new() };
        let fresh = plan.files.saturating_sub(plan.replaced);
        let mut parts = vec![format!("create {}", count(fresh))];
        let mut also = |number: u64, text: &str| {
            if number > 0 {
                parts.push(format!("{text} {}", count(number)));
            }
        };
        also(plan.beside, "keep both for");
        also(plan.replaced, "replace");
        also(plan.kept, "leave as they are");
        also(plan.skipped, "cannot restore");
        let free = plan.free_bytes.map_or(String::new(), |free| format!(" (disk has {} free)", size(free)));
        format!("{}; needs {}{free}", parts.join(", "), size(plan.bytes))
    }

    fn layout_text(&self) -> &'static str {
        match self.plan.value().map(|plan| plan.layout) {
            Some(Layout::FullPaths) => "Names are the same, so whole paths stand below the directory.",
            Some(Layout::Versions) => "The same paths of several versions: a directory for each version.",
            _ => "",
        }
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let columns = usize::from(area.width.saturating_sub(2)).min(COLUMNS);
        let number = self.number().and_then(|number| shared.jobs.get(number));
        let (title, lines) = match number {
            Some(job) => self.job_lines(job, shared, columns, usize::from(area.height.saturating_sub(2))),
            None => (format!("Restore {}", self.what), self.ask_lines(shared, columns)),
        };
        let inner = window(buf, area, shared, &title, columns, lines.len());
        // What is chosen stays in sight.
        let here = lines.iter().position(|(_, spot)| *spot == Some(self.spot)).unwrap_or(0);
        let height = usize::from(inner.height);
        let top = (here + 2).saturating_sub(height).min(lines.len().saturating_sub(height));
        for (row, (line, spot)) in lines.into_iter().skip(top).enumerate() {
            put(buf, inner, row, line);
            if spot == Some(Spot::Target) && self.stage == Stage::Asking {
                let Ok(below) = u16::try_from(row) else { continue };
                if below < inner.height {
                    let field =
                        Rect { x: inner.x + 4, y: inner.y + below, width: inner.width.saturating_sub(5), height: 1 };
                    match self.spot {
                        Spot::Target => self.to.draw(buf, field, shared.theme, false),
                        // Without the cursor: the keys are elsewhere.
                        _ => put(
                            buf,
                            field,
                            0,
                            fit(&harmless_line(self.to.text()), usize::from(field.width), Align::Path),
                        ),
                    }
                }
            }
        }
    }

    fn ask_lines(&self, shared: &Shared, columns: usize) -> Vec<(Line<'static>, Option<Spot>)> {
        let theme = shared.theme;
        let choice = |on: bool, text: &str| format!("({}) {text}", if on { "x" } else { " " });
        let lead = |spot: Spot| if self.spot == spot { "> " } else { "  " };
        let style = |spot: Spot| if self.spot == spot { theme.strong() } else { Style::new() };
        let mut lines: Vec<(Line<'static>, Option<Spot>)> = Vec::new();
        let place = format!(
            "{}Where         {}   {}",
            lead(Spot::Place),
            choice(!self.in_place, "another directory"),
            choice(self.in_place, "the original place"),
        );
        lines.push((Line::styled(place, style(Spot::Place)), Some(Spot::Place)));
        if !self.in_place {
            lines.push((Line::styled(lead(Spot::Target), style(Spot::Target)), Some(Spot::Target)));
            for dir in self.dirs.value().iter().flat_map(|dirs| dirs.iter()).take(OFFERED) {
                let dir = for_terminal(dir.as_os_str().as_encoded_bytes());
                lines.push((Line::styled(format!("      {dir}"), theme.dim()), None));
            }
        }
        let modes: Vec<String> = EXISTS.iter().map(|(mode, text)| choice(*mode == self.overwrite, text)).collect();
        let exists = format!("{}If it exists  {}", lead(Spot::Exists), modes.join(" "));
        if agent::name::width(&exists) <= columns {
            lines.push((Line::styled(exists, style(Spot::Exists)), Some(Spot::Exists)));
        } else {
            let mode = EXISTS.iter().find(|(mode, _)| *mode == self.overwrite).map_or("", |(_, text)| *text);
            let exists = format!("{}If it exists  < {mode} >", lead(Spot::Exists));
            lines.push((Line::styled(exists, style(Spot::Exists)), Some(Spot::Exists)));
        }
        for (spot, head, on, text) in [
            (Spot::Verify, "Also", self.verify, "read everything back and compare"),
            (Spot::Holes, "", self.with_holes, "of a damaged file what is left, with zeros for the rest"),
        ] {
            let line = format!("{}{head:<13} [{}] {text}", lead(spot), if on { "x" } else { " " });
            lines.push((Line::styled(line, style(spot)), Some(spot)));
        }
        self.plan_lines(shared, columns, &mut lines);
        lines.push((Line::raw(""), None));
        let commands = self.commands(shared);
        for command in commands.iter().take(2) {
            lines.push((
                Line::styled(format!("  {}", fit(command, columns.saturating_sub(3), Align::Left)), theme.dim()),
                None,
            ));
        }
        if let Some(more) = commands.len().checked_sub(2).filter(|more| *more > 0) {
            lines.push((Line::styled(format!("  and {}", counted(more as u64, "line", "lines")), theme.dim()), None));
        }
        let button = |spot: Spot, name: &str| {
            let here = self.spot == spot;
            let style = if here { theme.selected() } else { Style::new() };
            Span::styled(if here { format!("[>{name}<]") } else { format!("[ {name} ]") }, style)
        };
        let first = if self.planned.is_some() { "Restore" } else { "Plan" };
        let spans = vec![
            "  ".into(),
            button(Spot::Restore, first),
            " ".into(),
            button(Spot::DryRun, "Dry run"),
            " ".into(),
            button(Spot::Cancel, "Cancel"),
            "   y copies the command".into(),
        ];
        let spot = [Spot::Restore, Spot::DryRun, Spot::Cancel].into_iter().find(|spot| *spot == self.spot);
        lines.push((Line::from(spans), spot));
        lines
    }

    fn plan_lines(&self, shared: &Shared, columns: usize, lines: &mut Vec<(Line<'static>, Option<Spot>)>) {
        let theme = shared.theme;
        let room = columns.saturating_sub(17);
        let mut lead = "  Will          ";
        let mut say = |text: &str, style: Style| {
            for line in wrap(text, room) {
                let lead = std::mem::replace(&mut lead, "                ");
                lines.push((Line::styled(format!("{lead}{line}"), style), None));
            }
        };
        if let Some(fault) = self.plan.fault() {
            let hint = fault.hint.as_deref().map_or(String::new(), |hint| format!(" ({hint})"));
            say(&format!("not work: {}{hint}", fault.message), theme.health(Health::Bad));
        } else if self.plan.is_waiting() {
            say(&self.plan.waiting(shared).unwrap_or_default(), theme.dim());
        } else if let Some(plan) = self.plan.value() {
            say(&self.plan_text(), if plan.fits() { theme.strong() } else { theme.health(Health::Bad) });
            if !plan.fits() {
                say("! it does not fit on that disk", theme.health(Health::Bad));
            }
            if !self.in_place && plan.target_exists {
                say("the directory is there already", theme.dim());
            }
            if !self.layout_text().is_empty() {
                say(self.layout_text(), theme.dim());
            }
        } else {
            say("Enter tells what it would do, before anything is written.", theme.dim());
        }
    }

    fn job_lines(
        &self,
        job: &Job,
        shared: &Shared,
        columns: usize,
        rows: usize,
    ) -> (String, Vec<(Line<'static>, Option<Spot>)>) {
        let theme = shared.theme;
        let room = columns.saturating_sub(2);
        let mut lines: Vec<(Line<'static>, Option<Spot>)> = Vec::new();
        let mut say = |text: String, style: Style| {
            wrap(&text, room).into_iter().for_each(|line| lines.push((Line::styled(format!(" {line}"), style), None)));
        };
        let title = match job.ended {
            None => {
                say(progress(job, shared, room), theme.strong());
                let p = &job.progress;
                let files = match p.files_total {
                    Some(total) => format!("{} of {}", count(p.files_done), counted(total, "file", "files")),
                    None => counted(p.files_done, "file", "files"),
                };
                let errors = if p.errors > 0 { format!("  {} not restored", count(p.errors)) } else { String::new() };
                say(format!("{files}{errors}"), Style::new());
                let keys = if job.cancelled {
                    "It ends; what is whole stays."
                } else {
                    "c cancel (what is whole stays)  Esc goes on looking around"
                };
                say(keys.to_owned(), theme.dim());
                format!("Restoring {}", self.what)
            }
            Some((ended, status)) => {
                let took = duration(u64::try_from(ended.saturating_sub(job.began_ms)).unwrap_or(0));
                let (health, how) = match status {
                    0 => (Health::Good, "done"),
                    3 => (Health::Warn, "done, with something left out: see the lines below"),
                    _ if job.cancelled => (Health::Warn, "cancelled: what is whole stays"),
                    _ => (Health::Bad, "failed: see the lines below"),
                };
                say(format!("{} {how}, after {took}", theme.sign(health)), theme.health(health));
                if let Some(done) = self.job(shared, false).filter(|job| job.to.is_some()) {
                    let places = several::places(&done);
                    for place in places.iter().take(PLACES) {
                        say(for_terminal(place.as_os_str().as_encoded_bytes()), Style::new());
                    }
                    if let Some(more) = places.len().checked_sub(PLACES).filter(|more| *more > 0) {
                        let to = done.to.unwrap_or_default();
                        say(
                            format!(
                                "and {} more in {}",
                                count(more as u64),
                                for_terminal(to.as_os_str().as_encoded_bytes())
                            ),
                            Style::new(),
                        );
                    }
                } else {
                    say("Everything is in its own place again.".to_owned(), Style::new());
                }
                say("y copies the place  Up, Down go through the log  Enter closes".to_owned(), theme.dim());
                "Restored".to_owned()
            }
        };
        lines.push((Line::raw(""), None));
        let left = rows.saturating_sub(lines.len()).clamp(1, 10);
        let end = job.lines.len().saturating_sub(self.back.min(job.lines.len().saturating_sub(left)));
        let from = end.saturating_sub(left);
        for line in job.lines.iter().skip(from).take(end - from) {
            lines.push((Line::raw(format!(" {}", fit(line, room, Align::Path))), None));
        }
        (title, lines)
    }
}

/// A bar with what is known of how far it is.
#[must_use]
pub fn progress(job: &Job, shared: &Shared, columns: usize) -> String {
    let p = &job.progress;
    let rate = job.rate.map_or(String::new(), |rate| format!("  {}/s", size(rate)));
    let left = job.left_ms().map_or(String::new(), |left| format!("  {} left", duration(left)));
    match p.bytes_total {
        Some(total) => {
            let share = percent(p.bytes_done, total).map_or(String::new(), |share| format!(" {share:>3}%"));
            let text = format!("{share}  {} of {}{rate}{left}", size(p.bytes_done), size(total));
            let room = columns.saturating_sub(agent::name::width(&text)).clamp(6, 30);
            format!("{}{text}", bar(p.bytes_done, total, room))
        }
        None => {
            let step = u64::try_from(shared.mono_ms / 125).unwrap_or(0);
            format!("{}  {}{rate}", moving(step, 20.min(columns)), size(p.bytes_done))
        }
    }
}
