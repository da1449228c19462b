//! What is known of the row under the cursor: what it is, its versions, the beginning of what is in it. It is asked for when
//! the cursor has stayed for a moment, and given up when it goes on.

use std::sync::Arc;

use agent::engine::job::{At, HistoryJob, Kind, Peek, PeekJob, StateRow, VersionMark};
use agent::name::{for_terminal, harmless_line, width};
use agent::units::{count, counted, size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::files::{change, kind, modified_ms, moment};
use super::{PEEK, STATES};
use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Effects};
use crate::console::look::{Look, Looked};
use crate::console::pane::Pane;
use crate::console::shared::Shared;
use crate::widgets::panel::{panel, stand_in};
use crate::widgets::text::{Align, fit, put};

/// So long the cursor must stay before anything is asked, milliseconds.
const STAY_MS: i64 = 80;
/// Bytes of a file that are looked at.
const PEEK_BYTES: u64 = 64 << 10;
/// Columns of a tab.
const TAB: usize = 4;
/// Bytes in a row of what is no text.
const HEX_ROW: usize = 8;
/// Columns beside which there is room for more bytes in a row.
const HEX_WIDE: usize = 76;
/// States that are shown above the text.
const STATES_SHOWN: usize = 5;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The version that it is looked at in.
    pub version: VersionMark,
    /// Its path.
    pub path: Vec<u8>,
    /// What the list says of it.
    pub row: agent::engine::job::FolderRow,
}

/// See the module.
#[derive(Debug)]
pub struct Preview {
    subject: Option<Subject>,
    /// When to ask, on the forward clock.
    due_ms: Option<i64>,
    peek: Pane<Arc<Peek>>,
    lines: Vec<String>,
    states: Pane<Arc<Vec<StateRow>>>,
    /// Lines that were scrolled past.
    scrolled: usize,
}

impl Default for Preview {
    fn default() -> Self {
        Self {
            subject: None,
            due_ms: None,
            peek: Pane::new(PEEK),
            lines: Vec::new(),
            states: Pane::new(STATES),
            scrolled: 0,
        }
    }
}

impl Preview {
    /// The cursor is here now.
    pub fn look(&mut self, shared: &Shared, subject: Option<Subject>, out: &mut Effects) {
        if self.subject == subject {
            return;
        }
        if self.peek.is_waiting() {
            out.push(Effect::Forget(PEEK));
        }
        if self.states.is_waiting() {
            out.push(Effect::Forget(STATES));
        }
        // Another version of the same path has the same past.
        let same = self.subject.as_ref().zip(subject.as_ref()).is_some_and(|(a, b)| a.path == b.path);
        if !same || self.states.value().is_none() {
            self.states.clear();
        }
        self.peek.clear();
        self.lines.clear();
        self.scrolled = 0;
        self.due_ms = subject.is_some().then(|| shared.mono_ms.saturating_add(STAY_MS));
        self.subject = subject;
    }

    /// Milliseconds until it is asked.
    #[must_use]
    pub fn due_in_ms(&self, shared: &Shared) -> Option<i64> {
        self.due_ms.map(|due| due.saturating_sub(shared.mono_ms).max(0))
    }

    /// Whether an answer is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.peek.is_waiting() || self.states.is_waiting()
    }

    /// Time went by.
    pub fn tick(&mut self, shared: &Shared, out: &mut Effects) {
        if self.due_ms.is_none_or(|due| shared.mono_ms < due) {
            return;
        }
        self.due_ms = None;
        let Some(subject) = &self.subject else { return };
        let at = At::Id { prefix: subject.version.id.clone() };
        if subject.row.kind == Kind::File {
            let job = PeekJob { at, path: subject.path.clone(), bytes_most: PEEK_BYTES };
            self.peek.ask(shared, Ask::Look(Look::Peek(job)), out);
        }
        if subject.row.kind != Kind::Dir && self.states.value().is_none() {
            let job = HistoryJob { path: subject.path.clone(), ..HistoryJob::default() };
            self.states.ask(shared, Ask::Look(Look::States(job)), out);
        }
    }

    /// An answer; whether it was for this.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        let peek = self.peek.hear(heard, |answer| match answer {
            Answer::Looked(Looked::Peek(peek)) => Some(Arc::clone(peek)),
            _ => None,
        });
        if peek && let Some(peek) = self.peek.value() {
            self.lines = lines(peek);
        }
        peek || self.states.hear(heard, |answer| match answer {
            Answer::Looked(Looked::States(states)) => Some(Arc::clone(states)),
            _ => None,
        })
    }

    /// Goes through the text.
    pub fn scroll(&mut self, by: isize) {
        let last = self.lines.len().saturating_sub(1);
        self.scrolled = self.scrolled.saturating_add_signed(by).min(last);
    }

    /// Draws it; `past`: with the states that a file had, as far as there is room.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared, focused: bool, past: bool) {
        let Some(subject) = &self.subject else {
            panel(buf, area, shared, "", "", focused);
            return;
        };
        let name = subject.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let inner = panel(buf, area, shared, &for_terminal(name), "", focused);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let mut at = 0;
        for line in self.facts(subject, shared) {
            put(buf, inner, at, line);
            at += 1;
        }
        if past {
            at += self.draw_states(buf, below(inner, at), shared, subject, STATES_SHOWN);
        }
        self.draw_content(buf, below(inner, at), shared, subject);
    }

    fn facts(&self, subject: &Subject, shared: &Shared) -> Vec<Line<'static>> {
        let row = &subject.row;
        let when = shared.moment(modified_ms(row), "%Y-%m-%d %H:%M");
        let first = match row.kind {
            Kind::Dir => match row.files {
                Some(files) => format!("{}, {}", counted(files, "file", "files"), size(row.size)),
                None => "directory".to_owned(),
            },
            Kind::File => format!("{}  {when}", size(row.size)),
            other => format!("{}  {when}", kind(other)),
        };
        let mut facts = vec![Line::raw(first)];
        let second = match &row.gone {
            Some(last) => format!("deleted; last in {}", moment(last.received_at_ms, shared)),
            None => change(row).to_owned(),
        };
        facts.push(Line::styled(second, shared.theme.dim()));
        facts
    }

    /// The states of a file in a pane of their own; false when there is no file under the cursor whose past is known.
    pub fn draw_past(&self, buf: &mut Buffer, area: Rect, shared: &Shared) -> bool {
        let Some(subject) = self.subject.as_ref().filter(|subject| subject.row.kind != Kind::Dir) else { return false };
        if self.states.value().is_none() {
            return false;
        }
        let name = subject.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let inner = panel(buf, area, shared, &format!("past of {}", for_terminal(name)), "", false);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        self.draw_states(buf, inner, shared, subject, usize::from(inner.height));
        true
    }

    /// The versions of a file, so many at most; rows that were taken.
    fn draw_states(&self, buf: &mut Buffer, area: Rect, shared: &Shared, subject: &Subject, most: usize) -> usize {
        if subject.row.kind == Kind::Dir || area.height < 6 {
            return 0;
        }
        let Some(states) = self.states.value() else { return 0 };
        let columns = usize::from(area.width);
        let title = match states.len() {
            1 => "the only state of it:".to_owned(),
            many => format!("{} states of it ([ and ]):", count(many as u64)),
        };
        put(buf, area, 1, Line::styled(fit(&title, columns, Align::Left), shared.theme.strong()));
        let holds = |state: &StateRow| (state.came.sequence..=state.last.sequence).contains(&subject.version.sequence);
        // The one that is looked at stays in sight.
        let here = states.iter().position(holds).unwrap_or(0);
        let shown = most.min(usize::from(area.height.saturating_sub(4)));
        let top = here.saturating_sub(shown / 2).min(states.len().saturating_sub(shown));
        let mut row = 2;
        for (at, state) in states.iter().enumerate().skip(top).take(shown) {
            let sign = if at == here && holds(state) { ">" } else { " " };
            let came = moment(state.came.received_at_ms, shared);
            let left = format!("{sign} {came:<10} {:>9}", size(state.entry.size));
            let end = match &state.went {
                None => "now",
                Some(_) => "",
            };
            let style = if sign == ">" { shared.theme.strong() } else { Style::new() };
            put(buf, area, row, Line::styled(fit(&format!("{left}  {end}"), columns, Align::Left), style));
            row += 1;
        }
        row
    }

    fn draw_content(&self, buf: &mut Buffer, area: Rect, shared: &Shared, subject: &Subject) {
        let rows = usize::from(area.height);
        if rows < 2 {
            return;
        }
        let area = below(area, 1);
        let columns = usize::from(area.width);
        match subject.row.kind {
            Kind::Dir if subject.row.gone.is_some() => {
                put(buf, area, 0, Line::styled("Enter goes to where it was last", shared.theme.dim()));
                return;
            }
            Kind::Dir => {
                put(buf, area, 0, Line::styled("Enter opens it", shared.theme.dim()));
                return;
            }
            Kind::File => {}
            _ => return,
        }
        let empty = self.peek.value().is_some_and(|peek| peek.size == 0);
        if stand_in(buf, area, shared, &self.peek, empty, "The file is empty.") {
            return;
        }
        let hex = self.peek.value().filter(|peek| !peek.text);
        if let Some(peek) = hex {
            let each = if columns >= HEX_WIDE { 2 * HEX_ROW } else { HEX_ROW };
            let rows = peek.bytes.chunks(each).zip((0..).step_by(each)).skip(self.scrolled);
            put(buf, area, 0, Line::styled("not text", shared.theme.dim()));
            for (row, (bytes, offset)) in rows.take(usize::from(area.height)).enumerate() {
                put(buf, area, row + 1, hex_row(offset, bytes, each));
            }
            return;
        }
        for (row, line) in self.lines.iter().skip(self.scrolled).take(usize::from(area.height)).enumerate() {
            put(buf, area, row, fit(line, columns, Align::Left));
        }
    }
}

fn below(area: Rect, rows: usize) -> Rect {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// The lines of a text, harmless.
#[must_use]
pub fn lines(peek: &Peek) -> Vec<String> {
    if !peek.text {
        // So many rows can be scrolled.
        return vec![String::new(); peek.bytes.len().div_ceil(HEX_ROW)];
    }
    let text = String::from_utf8_lossy(&peek.bytes);
    let mut lines: Vec<String> = text.lines().map(plain_line).collect();
    if peek.size > peek.bytes.len() as u64 {
        lines.push(format!("... the first {} of {}", size(peek.bytes.len() as u64), size(peek.size)));
    }
    lines
}

/// A line with blanks for tabs, and nothing that a terminal would obey.
#[must_use]
pub fn plain_line(line: &str) -> String {
    let mut out = String::new();
    for (at, cell) in line.split('\t').enumerate() {
        if at > 0 {
            let used = width(&out);
            out.push_str(&" ".repeat(TAB - used % TAB));
        }
        out.push_str(&harmless_line(cell));
    }
    out
}

fn hex_row(offset: usize, bytes: &[u8], each: usize) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let text: String = bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
    format!("{offset:05x} {:<width$} {text}", hex.join(" "), width = each * 3 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_harmless() {
        assert_eq!(plain_line("a\tb\x1b[2J\u{202e}"), "a   b\\x1b[2J\\u{202e}");
        let peek = Peek { bytes: b"one\ntwo\n".to_vec(), size: 4096, text: true };
        assert_eq!(lines(&peek), ["one", "two", "... the first 8 B of 4.0 KiB"]);
        assert_eq!(hex_row(16, b"\x7fELF\0", 8), "00010 7f 45 4c 46 00          .ELF.");
    }
}
