//! Time expressions: what `--at` takes, and how moments are shown. All in the local zone; see the table in the tests.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{Span, Timestamp, ToSpan, Zoned};

use crate::engine::job::At;
use crate::fault::{Code, Fault, Result};
use crate::name::harmless_line;

/// An expression and what it was understood to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    /// For the engine.
    pub at: At,
    /// For a person: "the newest version received by 2026-11-18 23:59:59".
    pub sentence: String,
}

/// Fewest digits of an id that are taken for one.
const ID_DIGITS_MIN: usize = 6;
/// All digits of an id.
const ID_DIGITS_MAX: usize = 64;

/// Understands a version expression, in this order: `latest`, `latest~N`, `previous`, `no. N` (`#N`), a time, the
/// beginning of an id; `id:…` forces the last.
///
/// A time stands for its last moment: a date for the end of its day, a minute for its last second. A time that the
/// clocks showed twice is the later one, a time that they skipped is as far behind the change as it says.
pub fn parse_at(text: &str, now_ms: i64, zone: &TimeZone) -> Result<Understood> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("id:") {
        return id(digits).ok_or_else(|| {
            Fault::new(Code::UsageTime, format!("\"{}\" is not the beginning of a version id", harmless_line(digits)))
                .hint("an id has 6 to 64 digits 0-9 and a-f; `tuckbox versions` shows them")
        });
    }
    if let Some(back) = latest(text) {
        return Ok(back);
    }
    if let Some(sequence) = number(text) {
        return Ok(Understood { at: At::Number { sequence }, sentence: format!("version no. {sequence}") });
    }
    let now = Timestamp::from_millisecond(now_ms)
        .map_err(|e| Fault::new(Code::System, "the clock shows no usable time").because(e))?
        .to_zoned(zone.clone());
    match moment(text, &now) {
        Some(Ok(until)) => Ok(by(&until)),
        Some(Err(why)) => Err(Fault::new(Code::UsageTime, format!("\"{}\": {why}", harmless_line(text)))
            .hint("a time in the past, as in `2 days ago` or `2026-11-18 09:00`")),
        None => id(text).ok_or_else(|| {
            Fault::new(Code::UsageTime, format!("\"{}\" is neither a time nor a version", harmless_line(text)))
                .hint("latest, latest~2, previous, yesterday, `2 days ago`, -3h, `mon 9am`, 2026-11-18, no.12, or the first 6 or more digits of an id")
        }),
    }
}

/// A moment in the local zone, to the second.
#[must_use]
pub fn show(ms: i64, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| "?".to_owned(),
        |moment| moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// A moment as RFC 3339 in UTC, to the second.
#[must_use]
pub fn utc(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .map_or_else(|_| "?".to_owned(), |moment| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A file's time in the local zone, to the minute.
#[must_use]
pub fn show_file(secs: i64, zone: &TimeZone) -> String {
    Timestamp::from_second(secs)
        .map_or_else(|_| "?".to_owned(), |moment| moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
}

fn latest(text: &str) -> Option<Understood> {
    let back = match text {
        "latest" => 0,
        "previous" => 1,
        other => other.strip_prefix("latest~")?.parse().ok()?,
    };
    let sentence = match back {
        0 => "the newest version".to_owned(),
        1 => "the version before the newest".to_owned(),
        n => format!("the version {n} before the newest"),
    };
    Some(Understood { at: At::Latest { back }, sentence })
}

/// As lists and messages show it: `no. 6`.
fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("no").map(|rest| rest.strip_prefix('.').unwrap_or(rest).trim_start());
    let digits = digits.or_else(|| text.strip_prefix('#'))?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn id(text: &str) -> Option<Understood> {
    let prefix = text.to_ascii_lowercase();
    let good = (ID_DIGITS_MIN..=ID_DIGITS_MAX).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_hexdigit());
    good.then(|| Understood { sentence: format!("the version whose id begins with {prefix}"), at: At::Id { prefix } })
}

fn by(until: &Zoned) -> Understood {
    Understood {
        at: At::Moment { ms: until.timestamp().as_millisecond() },
        sentence: format!("the newest version received by {}", until.strftime("%Y-%m-%d %H:%M:%S")),
    }
}

/// `None`: not a time at all. `Some(Err)`: a time that cannot be meant.
fn moment(text: &str, now: &Zoned) -> Option<Result<Zoned, String>> {
    let lower = text.to_ascii_lowercase();
    if lower == "now" {
        return Some(Ok(now.clone()));
    }
    if lower.starts_with('+') || lower.starts_with("in ") {
        return Some(Err("it lies in the future".to_owned()));
    }
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Some(Ok(last_of(exact.to_zoned(now.time_zone().clone()), has_seconds(text))));
    }
    if let Some((rest, zone)) = zone_at_end(text) {
        // What is said in another zone is understood there and told here.
        let there = day_and_time(&rest.to_ascii_lowercase(), &now.with_time_zone(zone))?;
        return Some(there.map(|moment| moment.with_time_zone(now.time_zone().clone())));
    }
    if let Some(until) = span(&lower) {
        return Some(until.and_then(|span| now.checked_sub(span).map_err(|e| e.to_string())));
    }
    day_and_time(&lower, now)
}

/// A zone after a time: `UTC`, `Z`, `+02:00`, `Europe/Berlin`, and what stands before it.
fn zone_at_end(text: &str) -> Option<(&str, TimeZone)> {
    if let Some((rest, name)) = text.rsplit_once(' ') {
        let known = match name.to_ascii_lowercase().as_str() {
            "z" | "utc" | "gmt" => Some(TimeZone::UTC),
            _ if name.contains('/') => TimeZone::get(name).ok(),
            _ => offset(name),
        };
        if let Some(zone) = known {
            return Some((rest.trim_end(), zone));
        }
    }
    // Right behind a time of day; a date has the same sign in it, and ends in no time.
    let time = text.rfind(':')?;
    let behind = text.get(time..)?;
    if let Some(digits) = behind.strip_suffix(['Z', 'z']) {
        return Some((text.get(..time + digits.len())?, TimeZone::UTC));
    }
    // `09:00+02:00` has a colon in its zone, too.
    let signs = |from: usize| text.get(from..)?.rfind(['+', '-']).map(|at| from + at);
    let first = text.find(':')?;
    let at = signs(first)?;
    Some((text.get(..at)?, offset(text.get(at..)?)?))
}

/// `+02:00`, `-0330`, `+2`.
fn offset(text: &str) -> Option<TimeZone> {
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 4) => digits.split_at_checked(2)?,
        (None, _) => (digits, "0"),
    };
    let number = |text: &str| {
        let good = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = sign * (hours * 3600 + minutes * 60);
    let good = hours <= 25 && minutes < 60;
    good.then(|| jiff::tz::Offset::from_seconds(seconds).ok()).flatten().map(TimeZone::fixed)
}

/// `2 days ago`, `-3h`, `3h`, `1w`: always backwards, so the sign is only looked at to refuse nothing.
fn span(text: &str) -> Option<Result<Span, String>> {
    // "123456d" is more likely the beginning of an id than a time three centuries ago.
    if id(text).is_some() {
        return None;
    }
    let span: Span = text.parse().ok()?;
    // jiff reads `2 days ago` and `-3h` as negative and `3h` as positive; here all mean the past.
    Some(Ok(span.abs()))
}

/// `yesterday 18:00`, `mon 9am`, `2026-11-18T09:00:30`, `2026-11`, `18:00`.
fn day_and_time(text: &str, now: &Zoned) -> Option<Result<Zoned, String>> {
    let (first, rest) = match text.split_once([' ', 't']) {
        // A `t` parts a date from its time only where a date stands before it ("today" has one too).
        Some((first, rest)) if text.contains(' ') || first.parse::<Date>().is_ok() => {
            let (first, rest) = text.split_once(' ').unwrap_or((first, rest));
            (first, Some(rest.trim()))
        }
        _ => (text, None),
    };
    let first = first.trim_end_matches(',');
    let Some(day) = day(first, now) else {
        let (time, seconds) = clock_time(text)?;
        return Some(last_time_of_day(time, seconds, now));
    };
    let until = match rest {
        None => day.end(now.time_zone()),
        Some(rest) => {
            let (time, seconds) = clock_time(rest)?;
            let date = day.date()?;
            let until = at(date, time, seconds, now.time_zone());
            match (&until, day) {
                // "mon 9am" on a Monday at 8 is the Monday before.
                (Ok(moment), Day::Weekday(_)) if moment > now => date
                    .checked_sub(7.days())
                    .map_err(|e| e.to_string())
                    .and_then(|date| at(date, time, seconds, now.time_zone())),
                _ => until,
            }
        }
    };
    Some(until)
}

/// A day, or a month.
#[derive(Clone, Copy)]
enum Day {
    Date(Date),
    Weekday(Date),
    Month(Date),
}

impl Day {
    fn date(self) -> Option<Date> {
        match self {
            Self::Date(date) | Self::Weekday(date) => Some(date),
            Self::Month(_) => None,
        }
    }

    /// The last millisecond before the next day or month begins; days that the clocks make longer or shorter end right.
    fn end(self, zone: &TimeZone) -> Result<Zoned, String> {
        let last = match self {
            Self::Date(date) | Self::Weekday(date) => date,
            Self::Month(date) => date.last_of_month(),
        };
        let next = last.tomorrow().map_err(|e| e.to_string())?;
        let begins = next.to_zoned(zone.clone()).map_err(|e| e.to_string())?;
        begins.checked_sub(1.millisecond()).map_err(|e| e.to_string())
    }
}

fn day(text: &str, now: &Zoned) -> Option<Day> {
    let today = now.date();
    match text {
        "today" => return Some(Day::Date(today)),
        "yesterday" => return today.yesterday().ok().map(Day::Date),
        _ => {}
    }
    if let Some(weekday) = weekday(text) {
        let back = today.weekday().since(weekday);
        return today.checked_sub(i64::from(back).days()).ok().map(Day::Weekday);
    }
    let bytes = text.as_bytes();
    if bytes.get(4) != Some(&b'-') {
        return None;
    }
    match text.len() {
        7 => format!("{text}-01").parse().ok().map(Day::Month),
        10 => text.parse().ok().map(Day::Date),
        _ => None,
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let fits = |name: &str| text.len() >= 3 && name.starts_with(text);
    NAMES.iter().find(|(name, _)| fits(name)).map(|(_, weekday)| *weekday)
}

/// `18:00`, `18:00:30`, `9am`, `9:30 pm`, `noon`, `midnight`, and whether it says the seconds.
fn clock_time(text: &str) -> Option<(Time, bool)> {
    let (digits, half) = match text {
        "noon" => ("12:00", None),
        "midnight" => ("00:00", None),
        _ => match (text.strip_suffix("am"), text.strip_suffix("pm")) {
            (Some(digits), _) => (digits.trim_end(), Some(0)),
            (_, Some(digits)) => (digits.trim_end(), Some(12)),
            _ => (text, None),
        },
    };
    let mut parts = digits.split(':').map(|part| {
        let good = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        good.then(|| part.parse::<i8>().ok()).flatten()
    });
    let hour = parts.next()??;
    let minute = parts.next();
    let second = parts.next();
    if parts.next().is_some() || (minute.is_none() && half.is_none()) {
        return None;
    }
    let hour = match half {
        Some(offset) if (1..=12).contains(&hour) => hour % 12 + offset,
        Some(_) => return None,
        None => hour,
    };
    let minute = minute.map_or(Some(0), |value| value)?;
    let seconds = second.is_some();
    let second = second.map_or(Some(0), |value| value)?;
    Some((Time::new(hour, minute, second, 0).ok()?, seconds))
}

/// A time of day alone: the last one that has been.
fn last_time_of_day(time: Time, seconds: bool, now: &Zoned) -> Result<Zoned, String> {
    let today = at(now.date(), time, seconds, now.time_zone())?;
    if today <= *now {
        return Ok(today);
    }
    let yesterday = now.date().yesterday().map_err(|e| e.to_string())?;
    at(yesterday, time, seconds, now.time_zone())
}

fn at(date: Date, time: Time, seconds: bool, zone: &TimeZone) -> Result<Zoned, String> {
    let moment = zone
        .to_ambiguous_zoned(date.to_datetime(time))
        .disambiguate(Disambiguation::Later)
        .map_err(|e| e.to_string())?;
    Ok(last_of(moment, seconds))
}

/// The last millisecond of the second, or of the minute, that begins there.
fn last_of(begins: Zoned, seconds: bool) -> Zoned {
    if begins.subsec_nanosecond() != 0 {
        return begins;
    }
    let length = if seconds { 999 } else { 59_999 };
    begins.checked_add(length.milliseconds()).unwrap_or(begins)
}

fn has_seconds(text: &str) -> bool {
    let time = text.split(['T', 't', ' ']).nth(1).unwrap_or_default();
    let end = time.find(['Z', 'z', '+', '-', '[']).unwrap_or(time.len());
    time.get(..end).unwrap_or_default().matches(':').count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Friday, 2026-11-20 22:02:00 in Berlin (UTC+1).
    const NOW: &str = "2026-11-20T21:02:00Z";

    fn berlin() -> TimeZone {
        // Written out, so that the test does not depend on the zones of the machine.
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn understand(text: &str, now: &str) -> Result<String> {
        let now: Timestamp = now.parse().unwrap();
        parse_at(text, now.as_millisecond(), &berlin()).map(|understood| match understood.at {
            At::Moment { ms } => crate::cli::json::rfc3339(ms),
            At::Latest { back } => format!("latest~{back}"),
            At::Number { sequence } => format!("#{sequence}"),
            At::Id { prefix } => prefix,
        })
    }

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("latest", "latest~0"),
            ("latest~3", "latest~3"),
            ("previous", "latest~1"),
            ("no. 6", "#6"),
            ("no.123456", "#123456"),
            ("#1", "#1"),
            ("now", "2026-11-20T21:02:00.000Z"),
            ("2 days ago", "2026-11-18T21:02:00.000Z"),
            ("-3h", "2026-11-20T18:02:00.000Z"),
            ("3h", "2026-11-20T18:02:00.000Z"),
            ("3h 10m ago", "2026-11-20T17:52:00.000Z"),
            ("1w", "2026-11-13T21:02:00.000Z"),
            ("1 month ago", "2026-10-20T20:02:00.000Z"),
            ("today", "2026-11-20T22:59:59.999Z"),
            ("yesterday", "2026-11-19T22:59:59.999Z"),
            ("yesterday 18:00", "2026-11-19T17:00:59.999Z"),
            ("Yesterday noon", "2026-11-19T11:00:59.999Z"),
            ("mon 9am", "2026-11-16T08:00:59.999Z"),
            ("monday", "2026-11-16T22:59:59.999Z"),
            ("fri 21:00", "2026-11-20T20:00:59.999Z"),
            ("fri 11:30 pm", "2026-11-13T22:30:59.999Z"),
            ("18:00", "2026-11-20T17:00:59.999Z"),
            ("23:00", "2026-11-19T22:00:59.999Z"),
            ("12am", "2026-11-19T23:00:59.999Z"),
            ("2026-11-18", "2026-11-18T22:59:59.999Z"),
            ("2026-10", "2026-10-31T22:59:59.999Z"),
            ("2026-11-18 09:00", "2026-11-18T08:00:59.999Z"),
            ("2026-11-18 09:00:30", "2026-11-18T08:00:30.999Z"),
            ("2026-11-18T09:00", "2026-11-18T08:00:59.999Z"),
            ("2026-11-18T09:00:30Z", "2026-11-18T09:00:30.999Z"),
            ("2026-11-18T09:00:30.250Z", "2026-11-18T09:00:30.250Z"),
            ("2026-11-18T09:00:30+02:00", "2026-11-18T07:00:30.999Z"),
            ("2026-11-18T09:00Z", "2026-11-18T09:00:59.999Z"),
            ("2026-11-18 09:00Z", "2026-11-18T09:00:59.999Z"),
            ("2026-11-18 09:00 UTC", "2026-11-18T09:00:59.999Z"),
            ("2026-11-18 09:00+02:00", "2026-11-18T07:00:59.999Z"),
            ("2026-11-18 09:00:30 -0330", "2026-11-18T12:30:30.999Z"),
            ("2026-11-18 09:00 +2", "2026-11-18T07:00:59.999Z"),
            ("2026-11-18 utc", "2026-11-18T23:59:59.999Z"),
            ("yesterday 18:00 UTC", "2026-11-19T18:00:59.999Z"),
            ("mon 9am utc", "2026-11-16T09:00:59.999Z"),
            // Already the next day there.
            ("today +05:00", "2026-11-21T18:59:59.999Z"),
            ("3f9c02", "3f9c02"),
            ("3F9C02AB", "3f9c02ab"),
            ("20261118", "20261118"),
            ("123456d", "123456d"),
            ("id:20261118", "20261118"),
        ] {
            assert_eq!(understand(text, NOW).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn daylight_saving() {
        for (text, now, expected) in [
            // 2026-03-29, the clocks skip 02:00 to 03:00: the day has 23 hours.
            ("2026-03-29", NOW, "2026-03-29T21:59:59.999Z"),
            ("2026-03-29 02:30", NOW, "2026-03-29T01:30:59.999Z"),
            // 2026-10-25, they show 02:00 to 03:00 twice: the later one is meant.
            ("2026-10-25", NOW, "2026-10-25T22:59:59.999Z"),
            ("2026-10-25 02:30", NOW, "2026-10-25T01:30:59.999Z"),
            // Days keep the time of day, hours do not.
            ("1 day ago", "2026-10-25T20:00:00Z", "2026-10-24T19:00:00.000Z"),
            ("24h ago", "2026-10-25T20:00:00Z", "2026-10-24T20:00:00.000Z"),
            ("yesterday 21:00", "2026-03-29T20:00:00Z", "2026-03-28T20:00:59.999Z"),
            // The hour that comes twice, seen from its first and from its second turn.
            ("-1h", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00.000Z"),
            ("02:30", "2026-10-25T00:40:00Z", "2026-10-24T00:30:59.999Z"),
            ("02:30", "2026-10-25T01:40:00Z", "2026-10-25T01:30:59.999Z"),
            ("sun 02:15", "2026-10-25T12:00:00Z", "2026-10-25T01:15:59.999Z"),
            ("yesterday 02:30", "2026-03-30T10:00:00Z", "2026-03-29T01:30:59.999Z"),
            ("1 day ago", "2026-03-30T00:30:00Z", "2026-03-29T01:30:00.000Z"),
            ("2026-10-25 02:30+02:00", NOW, "2026-10-25T00:30:59.999Z"),
            ("2026-10-25 02:30+01:00", NOW, "2026-10-25T01:30:59.999Z"),
        ] {
            assert_eq!(understand(text, now).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "latest~",
            "no.",
            "no. six",
            "#",
            "#-1",
            "no.99999999999999999999",
            "latest~-1",
            "in 3h",
            "+3h",
            "3f9c0",
            "zzz",
            "2026-13-01",
            "2026-11-31",
            "25:00",
            "13pm",
            "9",
            "mo",
            "yesterday foo",
            "id:",
            "id:xyzxyz",
            "2026-11 09:00",
            "yesterday9am",
            "999999 years ago",
            "2026-11-18 09:00 Nowhere/Here",
            "2026-11-18 09:00+99:00",
            "2026-11-18 +",
            "UTC",
        ] {
            assert_eq!(understand(text, NOW).map_err(|e| e.code), Err(Code::UsageTime), "{text}");
        }
    }

    #[test]
    fn what_was_understood_is_said() {
        let now: Timestamp = NOW.parse().unwrap();
        let said = |text| parse_at(text, now.as_millisecond(), &berlin()).unwrap().sentence;
        assert_eq!(said("yesterday"), "the newest version received by 2026-11-19 23:59:59");
        assert_eq!(said("latest~2"), "the version 2 before the newest");
        assert_eq!(said("3F9C02"), "the version whose id begins with 3f9c02");
        assert_eq!(show(now.as_millisecond(), &berlin()), "2026-11-20 22:02:00");
        assert_eq!(show(i64::MAX, &berlin()), "?");
    }

    proptest! {
        /// Around a change of the clocks, and anywhere else: hours are hours, days keep the time of day, and nobody is
        /// taken into the future.
        #[test]
        fn spans_go_back_right(at in 1_774_000_000_i64..1_793_500_000, n in 1_i64..400) {
            let now = Timestamp::from_second(at).unwrap().to_zoned(berlin());
            let ago = |text: &str| match parse_at(text, at * 1000, &berlin()).unwrap().at {
                At::Moment { ms } => Timestamp::from_millisecond(ms).unwrap().to_zoned(berlin()),
                other => panic!("{other:?}"),
            };
            for text in [format!("{n}h"), format!("-{n}h"), format!("{n} hours ago"), format!("{n}h ago")] {
                prop_assert_eq!(ago(&text).timestamp().as_second(), at - n * 3600, "{}", text);
            }
            for text in [format!("{n}d"), format!("-{n}d"), format!("{n} days ago")] {
                let then = ago(&text);
                prop_assert_eq!(then.date(), now.date().checked_sub(n.days()).unwrap());
                // The hour that was skipped does not exist: then it is as far behind the change.
                let skipped = then.time() != now.time();
                prop_assert!(!skipped || then.time().hour() == 3, "{}: {} {}", text, now, then);
            }
            for text in ["mon 9am", "02:30", "today", "yesterday 02:30", "sun"] {
                let then = ago(text);
                prop_assert!(then <= now || then.date() == now.date(), "{}: {}", text, then);
            }
        }

        #[test]
        fn rubbish_never_panics(text in ".*") {
            drop(understand(&text, NOW));
        }

        #[test]
        fn near_misses_never_panic(text in "(latest|yesterday|mon|2026-|[0-9:. -]|ago|days|h|am|pm|T|Z){0,8}") {
            drop(understand(&text, NOW));
        }
    }
}
