//! `traffic`: what moved on the wire, by account and time, as the server remembers it.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Command};
use jiff::tz::TimeZone;
use serde::Serialize;
use store::activity;

use super::traffic_local as local;
use super::{Changes, Verb, switch};
use crate::cli::json::rfc3339;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{At, Grain, SessionEnd, SessionRow, SessionsJob, TrafficJob, TrafficOf, TrafficRow};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::time::show;
use crate::units::{count, counted, duration, size};

pub(super) const VERB: Verb = Verb {
    name: "traffic",
    about: "Show the bytes that went over the wire: by hour, day or month, or by connection",
    examples: &["traffic", "traffic --by hour --since yesterday", "traffic --all --by month --sum", "traffic --log"],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

const DAY_MS: i64 = 24 * 3_600_000;

fn build(command: Command) -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(
            value("by", "PERIOD", "Hours, days or months, by the clock here; in JSON of universal time")
                .value_parser(["hour", "day", "month"])
                .default_value("day"),
        )
        .arg(value("since", "TIME", "From then on [default: two days of hours, 30 days, 24 months]"))
        .arg(value("until", "TIME", "Up to then [default: now]"))
        .arg(switch("all", "All accounts of the vault, for who looks after it"))
        .arg(value("group", "GROUP", "The members of a group, likewise").conflicts_with("all"))
        .arg(switch("sum", "All accounts of a period added up"))
        .arg(switch("log", "Each connection, with its rates in kB/s").conflicts_with_all(["sum", "by"]))
}

#[derive(Serialize)]
struct TrafficRecord<'a> {
    /// Absent in a sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    in_bytes: u64,
    out_bytes: u64,
    from_at: String,
    to_at: String,
    /// Whose hours, days and months these are.
    zone: &'static str,
    sessions: u64,
    busy_ms: u64,
    in_bytes_per_s: u64,
    out_bytes_per_s: u64,
}

#[derive(Serialize)]
struct SessionRecord<'a> {
    account: &'a str,
    vault_id: String,
    began_at: String,
    seen_at: String,
    state: &'static str,
    stripe: bool,
    role: &'a str,
    program: &'a str,
    in_bytes: u64,
    out_bytes: u64,
    waited_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verb: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    line: String,
}

#[derive(Serialize)]
struct Totals {
    in_bytes: u64,
    out_bytes: u64,
    rows: u64,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let of = match matches.get_one::<String>("group") {
        Some(group) => TrafficOf::Group(group.clone()),
        None if matches.get_flag("all") => TrafficOf::All,
        None => TrafficOf::Opened,
    };
    let by = match matches.get_one::<String>("by").map(String::as_str) {
        Some("hour") => Grain::Hour,
        Some("month") => Grain::Month,
        _ => Grain::Day,
    };
    let now = desk.world.clock.now_ms();
    let given = |name: &str| matches.get_one::<String>(name).map(|text| moment(text, desk)).transpose();
    let (since, until) = (given("since")?, given("until")?);
    let until_ms = until.unwrap_or(i64::MAX);
    if since.is_some_and(|since| since >= until_ms) {
        return Err(Fault::new(Code::Usage, "--since is not before --until").hint("nothing lies between the two"));
    }
    if matches.get_flag("log") {
        let from_ms = since.unwrap_or_else(|| now.saturating_sub(30 * DAY_MS));
        return log(of, from_ms, until_ms, desk);
    }
    let days = match by {
        Grain::Hour => 2,
        Grain::Day => 30,
        Grain::Month => 730,
    };
    let from_ms = since.unwrap_or_else(|| now.saturating_sub(days * DAY_MS));
    let job = TrafficJob { of, by, from_ms, until_ms };
    history(job, matches.get_flag("sum"), desk)
}

/// A time that was given: a day stands for its beginning.
fn moment(text: &str, desk: &Desk<'_>) -> Result<i64> {
    if let Ok(date) = text.trim().parse::<jiff::civil::Date>()
        && let Ok(begin) = date.to_zoned(desk.zone())
    {
        return Ok(begin.timestamp().as_millisecond());
    }
    match desk.version(text)?.at {
        At::Moment { ms } => Ok(ms),
        _ => Err(Fault::new(Code::UsageTime, format!("\"{}\" is not a time", harmless_line(text)))
            .hint("as in `2 days ago`, yesterday, 2026-11-18 or `2026-11-18 09:00`")),
    }
}

fn history(job: TrafficJob, sum: bool, desk: &Desk<'_>) -> Result<Exit> {
    let (by, several, zone) = (job.by, job.of != TrafficOf::Opened, desk.zone());
    let mut rows = Vec::new();
    let mut sums: BTreeMap<i64, TrafficRow> = BTreeMap::new();
    let (mut totals, mut sessions, mut busy_ms) = (Totals { in_bytes: 0, out_bytes: 0, rows: 0 }, 0_u64, 0_u64);
    let mut take = |row: TrafficRow| {
        totals.in_bytes = totals.in_bytes.saturating_add(row.in_bytes);
        totals.out_bytes = totals.out_bytes.saturating_add(row.out_bytes);
        sessions = sessions.saturating_add(row.sessions);
        busy_ms = busy_ms.saturating_add(row.busy_ms);
        if sum {
            let of_period =
                sums.entry(row.start).or_insert_with(|| TrafficRow { start: row.start, ..Default::default() });
            add(of_period, &row);
            return Ok(());
        }
        totals.rows += 1;
        if desk.face.is_json() {
            return desk.face.row("traffic", &record(&row, by, false));
        }
        rows.push(row);
        Ok(())
    };
    if desk.face.is_json() || zone == TimeZone::UTC {
        desk.engine().traffic(&desk.run()?, job, &mut take)?;
    } else {
        let here = local::periods(&job, &zone, &mut |job| {
            let mut found = Vec::new();
            desk.engine().traffic(&desk.run()?, job, &mut |row| {
                found.push(row);
                Ok(())
            })?;
            Ok(found)
        })?;
        here.into_iter().try_for_each(take)?;
    }
    if sum {
        totals.rows = sums.len() as u64;
        for row in sums.values() {
            desk.face.row("traffic", &record(row, by, true))?;
        }
        rows.extend(sums.into_values());
    }
    match &desk.face {
        Face::Json(stream) => stream.summary("traffic", &totals)?,
        Face::Plain(plain) if rows.is_empty() => {
            plain.note("Nothing moved in that time, as far as the server remembers.")?
        }
        Face::Plain(plain) => {
            let all = TrafficRow {
                sessions,
                busy_ms,
                in_bytes: totals.in_bytes,
                out_bytes: totals.out_bytes,
                ..Default::default()
            };
            let table = table(&rows, &all, (by, &zone), several && !sum);
            table.lines().iter().try_for_each(|line| plain.line(line))?;
        }
    }
    Ok(Exit::Ok)
}

pub(super) fn add(sum: &mut TrafficRow, row: &TrafficRow) {
    sum.in_bytes = sum.in_bytes.saturating_add(row.in_bytes);
    sum.out_bytes = sum.out_bytes.saturating_add(row.out_bytes);
    sum.busy_ms = sum.busy_ms.saturating_add(row.busy_ms);
    sum.sessions = sum.sessions.saturating_add(row.sessions);
}

fn table(rows: &[TrafficRow], all: &TrafficRow, (by, zone): (Grain, &TimeZone), names: bool) -> Table {
    let heading = period_name(by, zone);
    let mut columns = vec![(heading.as_str(), Side::Left)];
    if names {
        columns.push(("ACCOUNT", Side::Left));
    }
    columns.extend([("CONNECTIONS", Side::Right), ("OPEN", Side::Right), ("IN", Side::Right), ("IN/S", Side::Right)]);
    columns.extend([("OUT", Side::Right), ("OUT/S", Side::Right)]);
    let mut table = Table::new(&columns);
    let mut line = |period: String, row: &TrafficRow| {
        let mut cells = vec![period];
        if names {
            cells.push(for_terminal(row.account.as_bytes()));
        }
        cells.extend([count(row.sessions), duration(row.busy_ms)]);
        cells.extend([size(row.in_bytes), size(per_second(row.in_bytes, row.busy_ms))]);
        cells.extend([size(row.out_bytes), size(per_second(row.out_bytes, row.busy_ms))]);
        table.row(cells);
    };
    for row in rows {
        line(local::name(row.start, by, zone), row);
    }
    line("all".to_owned(), all);
    table
}

fn period_name(by: Grain, zone: &TimeZone) -> String {
    let word = match by {
        Grain::Hour => "HOUR",
        Grain::Day => "DAY",
        Grain::Month => "MONTH",
    };
    format!("{word} ({})", local::zone_name(zone))
}

fn record(row: &TrafficRow, by: Grain, sum: bool) -> TrafficRecord<'_> {
    let grain = match by {
        Grain::Hour => activity::Grain::Hour,
        Grain::Day => activity::Grain::Day,
        Grain::Month => activity::Grain::Month,
    };
    TrafficRecord {
        account: (!sum).then_some(row.account.as_str()),
        in_bytes: row.in_bytes,
        out_bytes: row.out_bytes,
        from_at: rfc3339(row.start),
        to_at: rfc3339(grain.end(row.start)),
        zone: "UTC",
        sessions: row.sessions,
        busy_ms: row.busy_ms,
        in_bytes_per_s: per_second(row.in_bytes, row.busy_ms),
        out_bytes_per_s: per_second(row.out_bytes, row.busy_ms),
    }
}

fn log(of: TrafficOf, from_ms: i64, until_ms: i64, desk: &Desk<'_>) -> Result<Exit> {
    let mut totals = Totals { in_bytes: 0, out_bytes: 0, rows: 0 };
    let job = SessionsJob { of, from_ms, most: u64::MAX };
    desk.engine().sessions(&desk.run()?, job, &mut |row| {
        if row.began_at >= until_ms {
            return Ok(());
        }
        totals.rows += 1;
        totals.in_bytes = totals.in_bytes.saturating_add(row.in_bytes);
        totals.out_bytes = totals.out_bytes.saturating_add(row.out_bytes);
        match &desk.face {
            Face::Json(stream) => stream.row("session", &session_record(&row)),
            Face::Plain(plain) => plain.line(&session_line(&row, desk)),
        }
    })?;
    match &desk.face {
        Face::Json(stream) => stream.summary("traffic", &totals)?,
        Face::Plain(plain) if totals.rows == 0 => {
            plain.note("No connection began in that time, as far as the server remembers.")?
        }
        Face::Plain(plain) => plain.say(&format!("{}.", counted(totals.rows, "connection", "connections")))?,
    }
    Ok(Exit::Ok)
}

fn state(row: &SessionRow) -> &'static str {
    match row.end {
        SessionEnd::Open => "open",
        SessionEnd::Ended => "ended",
        SessionEnd::Lost => "lost",
    }
}

fn session_record(row: &SessionRow) -> SessionRecord<'_> {
    SessionRecord {
        account: &row.account,
        vault_id: row.vault.hex(),
        began_at: rfc3339(row.began_at),
        seen_at: rfc3339(row.seen_at),
        state: state(row),
        stripe: row.stripe,
        role: &row.role,
        program: &row.program,
        in_bytes: row.in_bytes,
        out_bytes: row.out_bytes,
        waited_ms: row.waited_ms,
        verb: row.verb.as_deref(),
        result: row.result.as_deref(),
        line: traffic_line(row.in_bytes, row.out_bytes, lasted(row)),
    }
}

fn session_line(row: &SessionRow, desk: &Desk<'_>) -> String {
    let mut line = format!(
        "{}  account={}  {}  time={}  state={}",
        show(row.began_at, &desk.zone()),
        for_terminal(row.account.as_bytes()),
        traffic_line(row.in_bytes, row.out_bytes, lasted(row)),
        short_time(lasted(row)),
        state(row),
    );
    if row.waited_ms > 0 {
        line.push_str(&format!("  limited={}", short_time(row.waited_ms)));
    }
    for (what, word) in [("verb", &row.verb), ("result", &row.result)] {
        if let Some(word) = word {
            line.push_str(&format!("  {what}={}", for_terminal(word.replace(' ', "_").as_bytes())));
        }
    }
    if row.stripe {
        line.push_str("  stripe");
    }
    line
}

/// Seconds for a line that is cut at its blanks.
fn short_time(ms: u64) -> String {
    format!("{}s", ms / 1_000)
}

fn lasted(row: &SessionRow) -> u64 {
    u64::try_from(row.seen_at.saturating_sub(row.began_at)).unwrap_or(0)
}

/// Bytes each way and in all, with rates in kB/s of 1,000 bytes, rounded: `IN=55898(2) OUT=335383(12) TOTAL=391281`. What
/// lasted less than a second counts as one.
fn traffic_line(in_bytes: u64, out_bytes: u64, ms: u64) -> String {
    let ms = ms.max(1_000);
    // Bytes a millisecond are kB a second.
    let rate = |bytes: u64| bytes.saturating_add(ms / 2) / ms;
    let total = in_bytes.saturating_add(out_bytes);
    format!("IN={in_bytes}({}) OUT={out_bytes}({}) TOTAL={total}", rate(in_bytes), rate(out_bytes))
}

/// Bytes a second while connections were open; what lasted less than a second counts as one.
fn per_second(bytes: u64, busy_ms: u64) -> u64 {
    let per_second = u128::from(bytes) * 1_000 / u128::from(busy_ms.max(1_000));
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_as_it_was_asked_for() {
        assert_eq!(traffic_line(55_898, 335_383, 29_000), "IN=55898(2) OUT=335383(12) TOTAL=391281");
        assert_eq!(traffic_line(0, 0, 0), "IN=0(0) OUT=0(0) TOTAL=0");
        // Half a kB a second and more is one.
        assert_eq!(traffic_line(499, 500, 20), "IN=499(0) OUT=500(1) TOTAL=999");
        assert_eq!(traffic_line(u64::MAX, u64::MAX, u64::MAX).matches("(1)").count(), 2);
    }

    #[test]
    fn rates_are_those_of_the_time_that_connections_were_open() {
        assert_eq!(per_second(10_000, 2_000), 5_000);
        assert_eq!(per_second(10_000, 5), 10_000);
        assert_eq!(per_second(u64::MAX, 1_000), u64::MAX);
    }
}
