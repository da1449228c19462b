//! A framed area with its title, or its title alone where there is little room; and what stands in it while nothing is known.

use agent::cli::plain::fault_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Widget};

use super::text::{Align, fit, put, wrap};
use crate::console::pane::Pane;
use crate::console::shared::Shared;

/// Draws the frame; the area inside. In the compact layout there is no frame but a line with the title.
pub fn panel(buf: &mut Buffer, area: Rect, shared: &Shared, title: &str, right: &str, focused: bool) -> Rect {
    let theme = shared.theme;
    let style = if focused { theme.focus() } else { theme.line() };
    if shared.compact() {
        let text = if right.is_empty() { title.to_owned() } else { format!("{title}  {right}") };
        put(buf, area, 0, Line::styled(fit(&text, usize::from(area.width), Align::Left), theme.strong()));
        return Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    }
    let block = Block::bordered().border_set(theme.border()).border_style(style);
    let inner = block.inner(area);
    block.render(area, buf);
    let room = usize::from(area.width.saturating_sub(4));
    let title_style = if focused { theme.title() } else { Style::new() };
    let edge = Rect { x: area.x + 2, width: area.width.saturating_sub(4), height: 1, ..area };
    if !title.is_empty() {
        put(buf, edge, 0, Line::styled(agent::name::cut_middle(title, room), title_style));
    }
    let columns = agent::name::width(right);
    if columns > 0 && agent::name::width(title) + columns + 2 <= room {
        let at = edge.x + u16::try_from(room - columns).unwrap_or(0);
        put(buf, Rect { x: at, width: edge.width, ..edge }, 0, Line::styled(right.to_owned(), style));
    }
    inner
}

/// What stands in a pane that has nothing to show: that it waits, why it failed, or `empty`. Whether there was something
/// like that; then the caller has nothing to draw.
pub fn stand_in<T>(buf: &mut Buffer, area: Rect, shared: &Shared, pane: &Pane<T>, is_empty: bool, empty: &str) -> bool {
    let columns = usize::from(area.width.saturating_sub(2));
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if let Some(fault) = pane.fault().filter(|_| pane.value().is_none()) {
        let text =
            format!("{}\nC-r asks again.", fault_text(fault, agent::cli::json::exit_number(fault.exit()), false));
        for (row, line) in wrap(&text, columns).into_iter().enumerate() {
            let style = if row == 0 { shared.theme.health(crate::console::theme::Health::Bad) } else { Style::new() };
            put(buf, inner, row, Line::styled(line, style));
        }
        return true;
    }
    if pane.value().is_none() {
        if let Some(text) = pane.waiting(shared) {
            put(buf, inner, 0, Line::styled(text, shared.theme.dim()));
        }
        return true;
    }
    if is_empty {
        for (row, line) in wrap(empty, columns).into_iter().enumerate() {
            put(buf, inner, row, Line::styled(line, shared.theme.dim()));
        }
    }
    is_empty
}
