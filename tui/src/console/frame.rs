//! The drawing: the title line, the screen, the status line, the footer, and what stands above.

use agent::name::width;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::keys::{HINTS, Hint, of_hint};
use super::overlay::Overlay;
use super::shared::Shared;
use super::theme::Health;
use crate::screens::{self, ScreenId, Screens};
use crate::widgets::text::{Align, ends, fit, put};

/// Below this there is no room for anything.
const LEAST: (u16, u16) = (40, 10);

/// Draws everything. A pure function of the state.
pub fn draw(buf: &mut Buffer, shared: &Shared, screens: &Screens, screen: ScreenId, overlays: &[Overlay]) {
    let area = buf.area;
    buf.reset();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("tuckbox needs {}x{}; this is {}x{}", LEAST.0, LEAST.1, area.width, area.height);
        put(buf, area, 0, fit(&text, usize::from(area.width), Align::Left));
        return;
    }
    title(buf, area, shared, screens, screen);
    let body = Rect { y: area.y + 1, height: area.height - 3, ..area };
    screens::draw(screen, screens, shared, body, buf);
    status(buf, Rect { y: area.y + area.height - 2, height: 1, ..area }, shared);
    footer(buf, Rect { y: area.y + area.height - 1, height: 1, ..area }, shared, screen);
    for overlay in overlays {
        overlay.draw(buf, body, shared);
    }
    if shared.theme.ascii {
        let cut = buf.content.iter_mut().filter(|cell| cell.symbol() == "…");
        for cell in cut {
            cell.set_char('~');
        }
    }
}

fn title(buf: &mut Buffer, area: Rect, shared: &Shared, screens: &Screens, screen: ScreenId) {
    let columns = usize::from(area.width);
    let clock = shared.moment(shared.now_ms, if shared.compact() { "%H:%M" } else { "%H:%M %Z" });
    let running = shared.jobs.running().count();
    let mut right = if shared.compact() { String::new() } else { screens::right(screen, screens, shared) };
    if running > 0 {
        right = format!("{right}  {running} running");
    }
    let right = format!("{}  {clock} ", right.trim_start());
    let left = format!(" tuckbox  {}", screens::title(screen, screens, shared));
    put(buf, area, 0, Line::styled(ends(&left, &right, columns), shared.theme.title()));
}

fn status(buf: &mut Buffer, area: Rect, shared: &Shared) {
    let theme = shared.theme;
    if let Some(lost) = shared.lost {
        let since = shared.mono_ms.saturating_sub(lost.since_ms) / 1_000;
        let what = if lost.away { "vault is not there" } else { "server does not answer" };
        let text = match lost.next_ms.saturating_sub(shared.mono_ms) {
            ..=0 => format!(" ! the {what} since {since} s; asking again"),
            left => format!(" ! the {what} since {since} s; asked again in {} s, C-r asks now", (left + 999) / 1_000),
        };
        let style = theme.health(Health::Bad).patch(theme.selected());
        put(buf, area, 0, Line::styled(fit(&text, usize::from(area.width), Align::Left), style));
        return;
    }
    let Some(message) = shared.message() else { return };
    let style = if message.health == Health::Good { Style::new() } else { theme.health(message.health) };
    let text = format!(" {} {}", theme.sign(message.health), message.text);
    put(buf, area, 0, Line::styled(fit(&text, usize::from(area.width), Align::Left), style));
}

/// The keys that matter here, as many as there is room for.
fn footer(buf: &mut Buffer, area: Rect, shared: &Shared, screen: ScreenId) {
    let columns = |(on, word): &Hint| width(on) + width(word) + 3;
    let mut room = usize::from(area.width).saturating_sub(1 + HINTS.iter().map(columns).sum::<usize>());
    let mut spans = vec![Span::raw(" ")];
    let mut show = |(on, word): &Hint| {
        spans.push(Span::styled(*on, shared.theme.key()));
        spans.push(Span::raw(format!(" {word}  ")));
    };
    let ours = |(on, _): &&Hint| of_hint(on).iter().all(|on| shared.keymap.leaves(screen, on));
    for hint in screens::hints(screen).iter().filter(ours) {
        let Some(left) = room.checked_sub(columns(hint)) else { break };
        room = left;
        show(hint);
    }
    HINTS.iter().for_each(show);
    put(buf, area, 0, Line::from(spans));
}
