//! The calendar: a column a week, a row a weekday, a letter for how many versions a day has.

use std::collections::BTreeMap;

use agent::engine::job::VersionRow;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::console::shared::Shared;
use crate::widgets::text::put;

/// Columns before the first week.
const NAMES: u16 = 5;

/// Which rows a day has. Made once an answer, so that drawing looks at the days that are seen alone.
#[derive(Debug, Default)]
pub(super) struct Days {
    days: BTreeMap<Date, Vec<usize>>,
    of: Vec<Date>,
}

fn date(ms: i64, zone: &TimeZone) -> Date {
    Timestamp::from_millisecond(ms).map_or(Date::default(), |moment| moment.to_zoned(zone.clone()).date())
}

impl Days {
    /// Of rows, newest first.
    #[must_use]
    pub(super) fn new(rows: &[VersionRow], zone: &TimeZone) -> Self {
        let of: Vec<Date> = rows.iter().map(|row| date(row.received_at_ms, zone)).collect();
        let mut days: BTreeMap<Date, Vec<usize>> = BTreeMap::new();
        for (row, day) in of.iter().enumerate() {
            days.entry(*day).or_default().push(row);
        }
        Self { days, of }
    }

    /// The rows of the day of a row.
    #[must_use]
    pub(super) fn of(&self, row: usize) -> &[usize] {
        let day = self.of.get(row).and_then(|day| self.days.get(day));
        day.map(Vec::as_slice).unwrap_or_default()
    }

    /// The newest row of the day before (or after) that of a row.
    #[must_use]
    pub(super) fn next(&self, row: usize, back: bool) -> Option<usize> {
        let day = *self.of.get(row)?;
        let next = if back { self.days.range(..day).next_back() } else { self.days.range(day..).nth(1) };
        next.and_then(|(_, rows)| rows.first().copied())
    }

    fn count(&self, day: Date) -> usize {
        self.days.get(&day).map_or(0, Vec::len)
    }
}

/// The letter for so many versions.
fn letter(count: usize, ascii: bool) -> &'static str {
    match count {
        0 if ascii => ".",
        0 => "·",
        1 => "-",
        2..=9 => "=",
        _ => "#",
    }
}

/// The weeks that are seen, as their Mondays: the last one has the day of the cursor, if that is not among the newest.
fn weeks(last: Date, columns: u16, today: Date) -> Vec<Date> {
    let monday = |day: Date| day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).unwrap_or(day);
    let newest = monday(today);
    let wanted = monday(last);
    let fits = i64::from(columns);
    let first = newest.checked_sub((fits - 1).weeks()).unwrap_or(newest);
    // Far back, the day stands in the middle.
    let first = if wanted < first { wanted.checked_sub((fits / 2).weeks()).unwrap_or(wanted) } else { first };
    (0..fits).filter_map(|week| first.checked_add(week.weeks()).ok()).collect()
}

/// Draws it, the day of `here` between brackets.
pub(super) fn draw(days: &Days, here: Option<usize>, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let today = date(shared.now_ms, &shared.zone);
    let chosen = here.and_then(|row| days.of.get(row)).copied();
    let legend: &[&str] = &["none", "1", "2-9", "10+"];
    let room = if area.width >= 70 { area.width.saturating_sub(NAMES + 8) } else { area.width.saturating_sub(NAMES) };
    let weeks = weeks(chosen.unwrap_or(today), (room / 2).max(1), today);
    months(&weeks, area, buf, shared);
    for (weekday, name) in ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].into_iter().enumerate() {
        let row = weekday + 1;
        put(buf, area, row, Line::styled(format!(" {name}"), shared.theme.dim()));
        for (week, monday) in weeks.iter().enumerate() {
            let Ok(day) = monday.checked_add(i64::try_from(weekday).unwrap_or(0).days()) else { continue };
            if day > today {
                continue;
            }
            let Ok(column) = u16::try_from(week * 2) else { continue };
            let x = area.x + NAMES + column;
            let cell = Rect { x, width: 1, ..area };
            let number = days.count(day);
            let style = if number == 0 { shared.theme.dim() } else { Style::new() };
            if Some(day) == chosen {
                put(
                    buf,
                    Rect { x: x - 1, width: 3, ..area },
                    row,
                    Line::styled(format!("[{}]", letter(number, shared.theme.ascii)), shared.theme.mark()),
                );
            } else if buf.cell((x, area.y + u16::try_from(row).unwrap_or(0))).is_some_and(|cell| cell.symbol() == " ") {
                put(buf, cell, row, Line::styled(letter(number, shared.theme.ascii), style));
            }
        }
    }
    if area.width >= 70 {
        for (number, text) in legend.iter().enumerate() {
            let example = [0, 1, 2, 10].get(number).copied().unwrap_or(0);
            let text = format!("{} {text}", letter(example, shared.theme.ascii));
            let right = Rect { x: area.x + area.width - 7, width: 7, ..area };
            put(buf, right, number + 2, Line::styled(text, shared.theme.dim()));
        }
    }
}

/// The names of months above the first week of each.
fn months(weeks: &[Date], area: Rect, buf: &mut Buffer, shared: &Shared) {
    let mut free = 0;
    let mut shown = None;
    for (week, monday) in weeks.iter().enumerate() {
        let month = (monday.year(), monday.month());
        let Ok(column) = u16::try_from(week * 2) else { continue };
        if shown == Some(month) || column < free {
            continue;
        }
        shown = Some(month);
        let name = monday.strftime("%b").to_string();
        put(buf, Rect { x: area.x + NAMES + column, width: 3, ..area }, 0, Line::styled(name, shared.theme.dim()));
        free = column + 4;
    }
}
