//! Timetables of rates, as people write them: lines that say how fast bytes may go, and when.
//!
//! ```text
//! limit = 200k; limit mon-fri 08:00-18:00 = 50k; up sat,sun = none
//! ```
//!
//! A line is `limit`, `up` or `down` (from the client, to the client; `limit` is both and may be left out), then days, then a time
//! of the day, then a rate or `none`. Lines are separated by `;` or ends of lines. A line with days or a time counts before one
//! without; of those that hold at a moment, the last. Where none does, there is no limit.

use std::fmt;
use std::sync::Arc;

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use store::door::Millis;
use transport::Rates;

use crate::name::harmless_line;
use crate::units::{parse_size, size};

/// Most lines: as many as anybody can still read.
const LINES_MAX: usize = 32;
/// Longest text, in characters; as long as an account keeps.
pub const CHARS_MAX: usize = 255;
/// The lowest rate, in bytes a second: with less, the largest message would take longer than a call may be silent.
const RATE_MIN: u64 = 8 << 10;
/// The highest: above any line.
const RATE_MAX: u64 = 1 << 40;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_OF_DAY: u16 = 24 * 60;

/// A timetable. Its text is kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    text: String,
    lines: Vec<Line>,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Both,
    Up,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    way: Way,
    /// A bit for each day, Monday the lowest; the day on which its time begins. `None`: nothing was said.
    days: Option<u8>,
    /// Minutes of the day, the end not in it; an end at or before the start is on the next day.
    time: Option<(u16, u16)>,
    /// Bytes a second; `None` is no limit.
    rate: Option<u64>,
}

impl Timetable {
    /// Reads one.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let chars = text.chars().count();
        if chars > CHARS_MAX {
            return Err(format!("a timetable has at most {CHARS_MAX} characters, and this one has {chars}"));
        }
        let given = text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty());
        let lines = given.map(line).collect::<Result<Vec<_>, _>>()?;
        if lines.is_empty() {
            return Err("a timetable without a line: write a rate, as in 200k, or none".to_owned());
        }
        if lines.len() > LINES_MAX {
            return Err(format!("a timetable has at most {LINES_MAX} lines, and this one has {}", lines.len()));
        }
        if let Some(dead) = dead_line(&lines) {
            return Err(format!(
                "line {} of the timetable never counts: a later one says the same moments anew",
                dead + 1
            ));
        }
        Ok(Self { text: text.to_owned(), lines })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rates at a moment of the clock on the wall, as a client sees them: up is what it sends.
    #[must_use]
    pub fn rates(&self, at: DateTime) -> Rates {
        let rate = |way| {
            let holds = |line: &&Line| line.way != opposite(way) && line.holds(at);
            let held = || self.lines.iter().filter(holds);
            let line = held().rfind(|line| line.is_timed()).or_else(|| held().next_back());
            line.and_then(|line| line.rate)
        };
        Rates { up: rate(Way::Up), down: rate(Way::Down) }
    }

    /// The rates at a moment, by the clocks of a zone. A moment that no calendar has counts as that of 1970.
    #[must_use]
    pub fn rates_at(&self, now_ms: Millis, zone: &TimeZone) -> Rates {
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        self.rates(zone.to_datetime(now))
    }
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&harmless_line(&self.text))
    }
}

/// A timetable and the zone that its times are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it says.
    pub timetable: Timetable,
    /// Whose clocks.
    pub zone: TimeZone,
}

impl Limit {
    /// A limit by the clocks of this zone.
    #[must_use]
    pub fn new(timetable: Timetable, zone: TimeZone) -> Arc<Self> {
        Arc::new(Self { timetable, zone })
    }

    /// The rates now.
    #[must_use]
    pub fn rates_at(&self, now_ms: Millis) -> Rates {
        self.timetable.rates_at(now_ms, &self.zone)
    }
}

/// Rates for people: `50 KiB/s up, no limit down`; `None` when there is no limit either way.
#[must_use]
pub fn words(rates: Rates) -> Option<String> {
    let word = |rate: Option<u64>| rate.map_or_else(|| "no limit".to_owned(), |rate| format!("{}/s", size(rate)));
    match (rates.up, rates.down) {
        (None, None) => None,
        (up, down) if up == down => Some(format!("{} each way", word(up))),
        (up, down) => Some(format!("{} up, {} down", word(up), word(down))),
    }
}

fn opposite(way: Way) -> Way {
    match way {
        Way::Both => Way::Both,
        Way::Up => Way::Down,
        Way::Down => Way::Up,
    }
}

impl Line {
    fn is_timed(&self) -> bool {
        self.days.is_some() || self.time.is_some()
    }

    fn holds(&self, at: DateTime) -> bool {
        let minute = minute_of(at.time());
        match self.time {
            None => self.is_on(at.date().weekday()),
            Some((from, until)) if from < until => (from..until).contains(&minute) && self.is_on(at.date().weekday()),
            // Over midnight: the part after it belongs to the day before.
            Some((from, _)) if minute >= from => self.is_on(at.date().weekday()),
            Some((_, until)) => {
                let before = at.date().checked_sub(1.day()).map_or(at.date().weekday(), |day| day.weekday());
                minute < until && self.is_on(before)
            }
        }
    }

    fn is_on(&self, day: Weekday) -> bool {
        self.days.is_none_or(|days| days >> day.to_monday_zero_offset() & 1 == 1)
    }
}

fn minute_of(time: Time) -> u16 {
    let part = |value: i8| u16::try_from(value).unwrap_or(0);
    part(time.hour()) * 60 + part(time.minute())
}

/// The first line that a later one of its kind hides: same way or both, same days, same time.
fn dead_line(lines: &[Line]) -> Option<usize> {
    let hides = |later: &Line, line: &Line| {
        (later.way == line.way || later.way == Way::Both) && (later.days, later.time) == (line.days, line.time)
    };
    lines.iter().enumerate().position(|(at, line)| lines.iter().skip(at + 1).any(|later| hides(later, line)))
}

/// One line.
fn line(text: &str) -> Result<Line, String> {
    let shown = || harmless_line(text);
    let bad = |why: &str| format!("\"{}\": {why}; write lines as in `limit mon-fri 08:00-18:00 = 50k`", shown());
    let (when, rate) = match text.split_once('=') {
        Some((when, rate)) => (when.trim(), rate.trim()),
        // A bare rate, or one behind words.
        None => text.rsplit_once(char::is_whitespace).unwrap_or(("", text)),
    };
    let mut words = when.split_whitespace().peekable();
    let way = match words.peek().map(|word| word.to_ascii_lowercase()).as_deref() {
        Some("limit") => Some(Way::Both),
        Some("up") => Some(Way::Up),
        Some("down") => Some(Way::Down),
        _ => None,
    };
    if way.is_some() {
        words.next();
    }
    let mut line = Line {
        way: way.unwrap_or(Way::Both),
        days: None,
        time: None,
        rate: parse_rate(rate).map_err(|why| bad(&why))?,
    };
    for word in words {
        let word = word.to_ascii_lowercase();
        if line.days.is_none() && line.time.is_none() && word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            line.days = Some(parse_days(&word).map_err(|why| bad(&why))?);
        } else if line.time.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) {
            line.time = Some(parse_time(&word).map_err(|why| bad(&why))?);
        } else {
            return Err(bad(&format!("\"{}\" does not belong here", harmless_line(&word))));
        }
    }
    Ok(line)
}

fn parse_rate(text: &str) -> Result<Option<u64>, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let text = text.strip_suffix("/s").unwrap_or(text);
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("\"{}\" is not a rate (bytes a second, as in 50k, or none)", harmless_line(text)));
    }
    let rate = parse_size(text)?;
    if rate < RATE_MIN {
        return Err(format!(
            "{} a second is too little to keep a connection alive: at least {} are needed",
            size(rate),
            size(RATE_MIN)
        ));
    }
    if rate > RATE_MAX {
        return Err(format!("{} a second is more than any line carries: write none", size(rate)));
    }
    Ok(Some(rate))
}

/// `mon-fri`, `sat,sun`, `fri-mon,wed`.
fn parse_days(text: &str) -> Result<u8, String> {
    let day = |name: &str| {
        let found = DAYS.iter().position(|day| *day == name);
        found.ok_or_else(|| format!("\"{}\" is not a day (mon, tue, wed, thu, fri, sat, sun)", harmless_line(name)))
    };
    let mut days = 0;
    for part in text.split(',') {
        let (from, until) = match part.split_once('-') {
            Some((from, until)) => (day(from)?, day(until)?),
            None => (day(part)?, day(part)?),
        };
        let count = (until + 7 - from) % 7;
        for nth in 0..=count {
            days |= 1 << ((from + nth) % 7);
        }
    }
    Ok(days)
}

/// `08:00-18:00`, `22:00-06:00`, `18:00-24:00`.
fn parse_time(text: &str) -> Result<(u16, u16), String> {
    let bad = || format!("\"{}\" is not a time of the day (as in 08:00-18:00)", harmless_line(text));
    let minute = |text: &str| -> Option<u16> {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str, digits: std::ops::RangeInclusive<usize>| -> Option<u16> {
            let good = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            good.then(|| text.parse().ok()).flatten()
        };
        let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
        (minute < 60 && hour * 60 + minute <= MINUTES_OF_DAY).then_some(hour * 60 + minute)
    };
    let (from, until) = text.split_once('-').ok_or_else(bad)?;
    let (from, until) = (minute(from).ok_or_else(bad)?, minute(until).ok_or_else(bad)?);
    if from == MINUTES_OF_DAY {
        return Err(bad());
    }
    if from == until {
        return Err(format!("{} ends where it begins: leave the time out for the whole day", harmless_line(text)));
    }
    Ok((from, until))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const K: u64 = 1 << 10;

    fn table(text: &str) -> Timetable {
        Timetable::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    /// Friday 20 November 2026, so many days later.
    fn at(days: i32, hour: i8, minute: i8) -> DateTime {
        date(2026, 11, 20).at(hour, minute, 0, 0).checked_add(days.days()).unwrap()
    }

    fn up(text: &str, at: DateTime) -> Option<u64> {
        let rates = table(text).rates(at);
        assert_eq!(rates.up, rates.down, "{text}");
        rates.up
    }

    #[test]
    fn lines_hold_when_they_say() {
        let office = "limit = 200k; limit 08:00-18:00 = 50k";
        for (hour, minute, rate) in [(7, 59, 200), (8, 0, 50), (17, 59, 50), (18, 0, 200), (0, 0, 200), (23, 59, 200)] {
            assert_eq!(up(office, at(0, hour, minute)), Some(rate * K), "{hour}:{minute}");
        }
        // The order of the two does not matter, as the one is the rule and the other the exception.
        assert_eq!(up("08:00-18:00 = 50k; 200k", at(0, 9, 0)), Some(50 * K));
        // Of two exceptions the later one counts, also when it lifts the limit.
        let lunch = "limit 08:00-18:00 = 50k\nlimit 12:00-13:00 = none";
        assert_eq!(up(lunch, at(0, 11, 59)), Some(50 * K));
        assert_eq!(up(lunch, at(0, 12, 0)), None);
        assert_eq!(up(lunch, at(0, 13, 0)), Some(50 * K));
        assert_eq!(up(lunch, at(0, 20, 0)), None);
    }

    #[test]
    fn days_and_midnight() {
        let week = "limit mon-fri 22:00-06:00 = 1M";
        assert_eq!(up(week, at(0, 22, 0)), Some(1 << 20));
        // Saturday early still belongs to Friday; Sunday early to Saturday, which is no day of it.
        assert_eq!(up(week, at(1, 5, 59)), Some(1 << 20));
        assert_eq!(up(week, at(1, 6, 0)), None);
        assert_eq!(up(week, at(1, 22, 0)), None);
        assert_eq!(up(week, at(2, 5, 0)), None);
        assert_eq!(up(week, at(3, 5, 0)), None);
        assert_eq!(up(week, at(3, 23, 0)), Some(1 << 20));
        assert_eq!(up("sat,sun = 64k", at(1, 0, 0)), Some(64 * K));
        assert_eq!(up("sat,sun = 64k", at(0, 23, 59)), None);
        // Over the end of the week.
        for (day, holds) in [(0, true), (1, true), (2, true), (3, true), (4, false), (5, true), (6, false)] {
            assert_eq!(up("fri-mon,wed 00:00-24:00 = 64k", at(day, 12, 0)).is_some(), holds, "{day}");
        }
    }

    #[test]
    fn each_way_has_its_own() {
        let rates = table("limit = 1M; up 08:00-18:00 = 50k; down = none").rates(at(0, 9, 0));
        assert_eq!(rates, Rates { up: Some(50 * K), down: None });
        let rates = table("limit = 1M; up 08:00-18:00 = 50k; down = none").rates(at(0, 19, 0));
        assert_eq!(rates, Rates { up: Some(1 << 20), down: None });
        assert_eq!(table("UP 100k").rates(at(0, 0, 0)), Rates { up: Some(100 * K), down: None });
        assert_eq!(table("none").rates(at(0, 0, 0)), Rates::default());
    }

    #[test]
    fn the_lower_of_two_counts_each_way() {
        let (one, other) = (Rates { up: Some(5), down: None }, Rates { up: Some(7), down: Some(9) });
        assert_eq!(one.lower(other), Rates { up: Some(5), down: Some(9) });
        assert_eq!(Rates::default().lower(Rates::default()), Rates::default());
        assert_eq!(words(Rates { up: Some(50 * K), down: None }).unwrap(), "50.0 KiB/s up, no limit down");
        assert_eq!(words(Rates { up: Some(50 * K), down: Some(50 * K) }).unwrap(), "50.0 KiB/s each way");
        assert_eq!(words(Rates::default()), None);
    }

    #[test]
    fn days_of_23_and_25_hours() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let night = table("limit 02:00-03:00 = 50k");
        let rate = |moment: &str| {
            let moment: Timestamp = moment.parse().unwrap();
            night.rates_at(moment.as_millisecond(), &zone).up
        };
        // 29 March 2026: the clocks go from 02:00 to 03:00 at 01:00 UTC, and the line never holds.
        for moment in ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"] {
            assert_eq!(rate(moment), None, "{moment}");
        }
        // 25 October 2026: they show 02:00 to 03:00 twice, and it holds for two hours.
        for (moment, holds) in [
            ("2026-10-24T23:59:59Z", false),
            ("2026-10-25T00:00:00Z", true),
            ("2026-10-25T01:59:59Z", true),
            ("2026-10-25T02:00:00Z", false),
        ] {
            assert_eq!(rate(moment).is_some(), holds, "{moment}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "without a line"),
            (" ; \n", "without a line"),
            ("fast", "is not a rate"),
            ("limit", "is not a rate"),
            ("limit =", "is not a rate"),
            ("limit = -1", "is not a rate"),
            ("limit = 50x", "is not a size"),
            ("limit = 0", "too little"),
            ("limit = 8191", "too little"),
            ("limit = 2T", "more than any line"),
            ("limit = 99999999999P", "too large"),
            ("limit 08:00-18:00", "is not a size"),
            ("limit 8-18 = 50k", "not a time of the day"),
            ("limit 08:00 = 50k", "not a time of the day"),
            ("limit 25:00-26:00 = 50k", "not a time of the day"),
            ("limit 24:00-06:00 = 50k", "not a time of the day"),
            ("limit 08:60-09:00 = 50k", "not a time of the day"),
            ("limit 08:00-24:01 = 50k", "not a time of the day"),
            ("limit 08:00-08:00 = 50k", "ends where it begins"),
            ("limit mon-foo = 50k", "is not a day"),
            ("limit monday = 50k", "is not a day"),
            ("limit mon, = 50k", "is not a day"),
            ("limit mon tue = 50k", "does not belong here"),
            ("limit 08:00-18:00 mon = 50k", "does not belong here"),
            ("limit 08:00-09:00 10:00-11:00 = 50k", "does not belong here"),
            ("limit ? = 50k", "does not belong here"),
            ("50k; 60k", "line 1 of the timetable never counts"),
            ("up 08:00-09:00 = 50k; 08:00-09:00 = 60k", "line 1 of the timetable never counts"),
        ] {
            let found = Timetable::parse(text).unwrap_err();
            assert!(found.contains(why), "{text:?}: {found}");
        }
        let long = "limit 08:00-18:00 = 50k;".repeat(20);
        assert!(Timetable::parse(&long).unwrap_err().contains("at most 255 characters"));
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(text in ".*") {
            if let Ok(table) = Timetable::parse(&text) {
                prop_assert_eq!(table.rates(at(0, 0, 0)), table.rates(at(7, 0, 0)));
                prop_assert_eq!(Timetable::parse(table.text()), Ok(table));
            }
        }

        #[test]
        fn every_minute_is_in_one_of_two_halves(from in 0u16..1440, len in 1u16..1440, minute in 0u16..1440) {
            let until = (from + len) % 1440;
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let text = format!("{0}-{1} = 50k; {1}-{0} = 60k", clock(from), clock(until));
            let inside = (minute + 1440 - from) % 1440 < len;
            let now = at(0, (minute / 60).try_into().unwrap(), (minute % 60).try_into().unwrap());
            prop_assert_eq!(up(&text, now), Some(if inside { 50 * K } else { 60 * K }));
        }
    }
}
