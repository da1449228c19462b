//! What reports over a period have in common: their arguments, and how their rows are told.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{ReportAsk, ReportKind, ReportRow, ReportSheet};
use crate::fault::{Exit, Result};
use crate::units::parse_duration;

/// A day, in milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;

/// Adds the options.
pub(super) fn args(command: Command) -> Command {
    command
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("DURATION")
                .value_parser(parse_duration)
                .default_value("30d")
                .help("From so long ago until now"),
        )
        .arg(
            Arg::new("of")
                .long("of")
                .value_name("NAME")
                .help("Of this account alone, by name or number [default: all]"),
        )
}

/// Makes a report and tells its rows: people a table, programs a record each. `cells` and `record` pass over rows that are
/// not of this report.
pub(super) fn tell<R: Serialize>(
    (matches, desk): (&ArgMatches, &Desk<'_>),
    (kind, record_kind): (ReportKind, &str),
    columns: &[(&str, Side)],
    record: impl Fn(&ReportRow, &ReportSheet) -> Option<R>,
    cells: impl Fn(&R, &Desk<'_>) -> Vec<String>,
) -> Result<Exit> {
    let back = matches.get_one::<u64>("since").and_then(|ms| i64::try_from(*ms).ok()).unwrap_or(i64::MAX);
    let since = desk.world.clock.now_ms().saturating_sub(back);
    let ask = ReportAsk { kind, since, account: matches.get_one::<String>("of").cloned() };
    let sheet = desk.engine().report(&desk.run()?, ask)?;
    let records: Vec<R> = sheet.rows.iter().filter_map(|row| record(row, &sheet)).collect();
    match &desk.face {
        Face::Json(stream) => records.iter().try_for_each(|record| stream.row(record_kind, record))?,
        Face::Plain(plain) if records.is_empty() => plain.note("There is nothing to tell of this time.")?,
        Face::Plain(plain) => {
            let mut table = Table::new(columns);
            records.iter().for_each(|record| table.row(cells(record, desk)));
            table.lines().iter().try_for_each(|line| plain.line(line))?;
        }
    }
    Ok(Exit::Ok)
}
