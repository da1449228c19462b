//! `account log`: what clients of an account told of their runs; and what `account info` shows of it.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use crate::cli::Desk;
use crate::cli::json::{moment, moment_if_known};
use crate::command::status::{RunRecord, run_record};
use crate::engine::job::{AccountStatus, LogAsk, LogLevel, LogTold, RunFacts, Standing, StatusJob, Whose};
use crate::fault::{Exit, Result};
use crate::name::harmless_line;
use crate::time::show;
use crate::units::{count, counted, duration, parse_duration, size};

/// Lines that are shown when nobody says how many.
const LINES: &str = "200";

pub(super) fn args(command: Command) -> Command {
    command
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("DURATION")
                .value_parser(parse_duration)
                .help("Only what came in so long, as in 7d"),
        )
        .arg(
            Arg::new("level")
                .long("level")
                .value_name("LEVEL")
                .value_parser(LEVELS.map(word))
                .default_value(word(LogLevel::Note))
                .help("Only what is as grave as this, or graver"),
        )
        .arg(
            Arg::new("most")
                .long("most")
                .value_name("N")
                .value_parser(clap::value_parser!(u64))
                .default_value(LINES)
                .help("So many of the newest lines"),
        )
}

const LEVELS: [LogLevel; 3] = [LogLevel::Note, LogLevel::Warning, LogLevel::Error];

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Note => "note",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
    }
}

#[derive(Serialize)]
struct LogRecord {
    #[serde(serialize_with = "moment")]
    at: i64,
    level: &'static str,
    code: String,
    text: String,
}

pub(super) fn log(matches: &ArgMatches, which: String, desk: &Desk<'_>) -> Result<Exit> {
    let level = matches.get_one::<String>("level").map(String::as_str).unwrap_or_default();
    let since = matches.get_one::<u64>("since").and_then(|ms| i64::try_from(*ms).ok());
    let ask = LogAsk {
        account: Some(which),
        since: since.map_or(i64::MIN, |ms| desk.world.clock.now_ms().saturating_sub(ms)),
        least: LEVELS.into_iter().find(|least| word(*least) == level).unwrap_or_default(),
        most: matches.get_one::<u64>("most").copied().unwrap_or_default(),
    };
    let mut lines = 0;
    desk.engine().account_log(&desk.run()?, ask, &mut |line| {
        lines += 1;
        desk.face.line(&text(&line, desk))?;
        let (code, text) = (harmless_line(&line.code), harmless_line(&line.text));
        desk.face.row("log", &LogRecord { at: line.at, level: word(line.level), code, text })
    })?;
    if lines == 0 {
        desk.face.say("Nothing was told yet.")?;
    }
    Ok(Exit::Ok)
}

fn text(line: &LogTold, desk: &Desk<'_>) -> String {
    let (code, text) = (harmless_line(&line.code), harmless_line(&line.text));
    format!("{}  {:<7}  {code}  {text}", show(line.at, &desk.zone()), word(line.level))
}

/// How the account is, for `info`.
pub(super) fn status(which: &str, desk: &Desk<'_>) -> Result<Option<AccountStatus>> {
    let job = StatusJob { whose: Whose::One(which.to_owned()), hours: false };
    Ok(desk.engine().status(&desk.run()?, job)?.accounts.pop())
}

/// Fields of `info` about it.
#[derive(Serialize)]
pub(super) struct StatusFields<'a> {
    status: Standing,
    #[serde(serialize_with = "moment_if_known", skip_serializing_if = "Option::is_none")]
    expected_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunRecord<'a>>,
}

pub(super) fn record(status: &AccountStatus) -> StatusFields<'_> {
    StatusFields {
        status: status.standing,
        expected_at: status.expected_at,
        took_ms: status.last_success_ms(),
        last_run: status.facts.last_run.as_ref().map(run_record),
    }
}

/// The lines of `info` about it.
pub(super) fn lines(status: &AccountStatus, desk: &Desk<'_>) -> Vec<(&'static str, String)> {
    let time = |at: i64| show(at, &desk.zone());
    let reasons: Vec<String> = status.reasons.iter().map(|reason| harmless_line(&reason.text)).collect();
    let mut rows = vec![("status", format!("{}: {}", status.standing.word(), reasons.join("; ")))];
    rows.extend(status.expected_at.map(|at| ("next expected", time(at))));
    if let Some(run) = &status.facts.last_run {
        let client = format!("tuckbox {} on {}", harmless_line(&run.run.client), harmless_line(&run.run.host));
        rows.push(("last run", format!("{}, {}", time(run.told_at), ran(run))));
        rows.push(("client", client));
    }
    if let Some(run) = &status.facts.last_success {
        rows.push(("last success", format!("took {}", duration(run.run.took_ms))));
    }
    rows
}

fn ran(run: &RunFacts) -> String {
    let (f, verb, took) = (&run.run.figures, harmless_line(&run.run.verb), duration(run.run.took_ms));
    // A partial run may have a code, too: its figures say more.
    match run.run.code.as_ref().filter(|_| run.run.exit != Exit::Partial as u8) {
        Some(code) => format!("{verb} ended with {} (exit {}) after {took}", harmless_line(code), run.run.exit),
        None => format!(
            "{verb}: {} of {}, {} new, {} changed, {} sent in {took}, {} (exit {})",
            counted(f.files, "file", "files"),
            size(f.source_bytes),
            count(f.files_new),
            count(f.files_changed),
            size(f.sent_bytes),
            counted(f.errors, "error", "errors"),
            run.run.exit,
        ),
    }
}
