//! `status`: how accounts are; one's own, one, or all.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, switch};
use crate::cli::json::{moment, moment_if_known};
use crate::cli::{Desk, Face};
use crate::config::keys;
use crate::engine::job::{AccountStatus, Level, NotifyJob, Reason, RunFacts, Standing, StatusJob, Statuses, Whose};
use crate::fault::{Code, Exit, Fault, Result};
use crate::health::{line, nagios, prometheus};
use crate::name::{for_terminal, harmless_line};
use crate::units::counted;

pub(super) const VERB: Verb = Verb {
    name: "status",
    about: "Tell how accounts are: ok, late, failing, over quota, frozen, never",
    examples: &[
        "status",
        "status --all",
        "status laptop-ana",
        "status --all --notify --quiet",
        "status --all --format nagios",
        "status --all --format prometheus",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

/// What `--format` takes here besides a template.
const NAGIOS: &str = "nagios";
/// All of them.
pub(crate) const FORMATS: &[&str] = &[NAGIOS, PROMETHEUS];
const PROMETHEUS: &str = "prometheus";

/// Whether a text after `--format` is a format of this verb, and no template.
pub(crate) fn is_format(verb: &str, text: &str) -> bool {
    verb == VERB.name && matches!(text, NAGIOS | PROMETHEUS)
}

fn build(command: Command) -> Command {
    command
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .help("An account's name or number, for who looks after the vault [default: this machine's]"),
        )
        .arg(switch("all", "All accounts of the vault, for who looks after it").conflicts_with("name"))
        .arg(
            switch("notify", "Hand each change since the last time to the command `on_event` of the configuration")
                .requires("all"),
        )
}

#[derive(Serialize)]
struct StatusRecord<'a> {
    account: &'a str,
    number: String,
    id: String,
    status: Standing,
    level: Level,
    reasons: Vec<ReasonRecord<'a>>,
    #[serde(serialize_with = "moment")]
    created_at: i64,
    #[serde(serialize_with = "moment_if_known", skip_serializing_if = "Option::is_none")]
    newest_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    #[serde(serialize_with = "moment_if_known", skip_serializing_if = "Option::is_none")]
    expected_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunRecord<'a>>,
}

#[derive(Serialize)]
struct ReasonRecord<'a> {
    level: Level,
    check: Standing,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

/// A run, as in records.
#[derive(Serialize)]
pub(super) struct RunRecord<'a> {
    verb: &'a str,
    #[serde(serialize_with = "moment")]
    told_at: i64,
    #[serde(serialize_with = "moment")]
    began_at: i64,
    took_ms: u64,
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    client: &'a str,
    host: &'a str,
    files: u64,
    source_bytes: u64,
    sent_bytes: u64,
    errors: u64,
}

#[derive(Serialize)]
struct Counted {
    accounts: u64,
    level: Level,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let format = matches.get_one::<String>("format").map(String::as_str).filter(|text| is_format(VERB.name, text));
    if format.is_some() && desk.face.is_json() {
        return Err(Fault::new(Code::Usage, "--json and a format of a monitor are two outputs at once"));
    }
    let whose = match matches.get_one::<String>("name") {
        Some(name) => Whose::One(name.clone()),
        None if matches.get_flag("all") => Whose::All,
        None => Whose::Own,
    };
    if matches.get_flag("notify") {
        return notify(desk, format);
    }
    let asked = desk.engine().status(&desk.run()?, StatusJob { whose, hours: false });
    let Face::Plain(plain) = &desk.face else { return records(&asked?, desk) };
    match (format, asked) {
        // Whatever the reason, a monitor is to hear that nothing is known.
        (Some(NAGIOS), Err(fault)) => {
            plain.line(&nagios::unknown(&fault.to_string()))?;
            Ok(nagios::UNKNOWN)
        }
        (Some(NAGIOS), Ok(told)) => {
            let (line, level) = nagios::line(&told.accounts, told.now_ms);
            plain.line(&line)?;
            Ok(nagios::exit(level))
        }
        (_, Err(fault)) => Err(fault),
        // What needs a person stands in the text: whoever collects it throws away what ends with an error.
        (Some(_), Ok(told)) => plain.text(&prometheus::text(&told.accounts)).map(|()| Exit::Ok),
        (None, Ok(told)) => {
            for status in &told.accounts {
                line::lines(status).iter().try_for_each(|line| plain.line(line))?;
            }
            if told.accounts.is_empty() {
                plain.note("There are no accounts yet. Next:  tuckbox account create NAME")?;
            }
            if told.words_never_shown {
                plain.note("The recovery words were never shown. Next:  tuckbox key words")?;
            }
            Ok(exit(&told))
        }
    }
}

/// Tells changes, and nothing else: it is made for a line of cron.
fn notify(desk: &Desk<'_>, format: Option<&str>) -> Result<Exit> {
    let config = &desk.config.top;
    let Some(command) = config.text(&keys::ON_EVENT) else {
        return Err(Fault::new(Code::Usage, "nothing says who is to hear of changes")
            .hint("name a command: tuckbox config set on_event /usr/local/bin/tell-us"));
    };
    if format.is_some() {
        return Err(Fault::new(Code::Usage, "--notify tells its command, not a monitor").hint("run both, one by one"));
    }
    let job = NotifyJob { command: command.to_owned(), contacts: config.texts(&keys::CONTACTS) };
    let (statuses, told) = desk.engine().notify(&desk.run()?, job, &mut |event| {
        let (name, from) = (for_terminal(event.account.as_bytes()), event.from.as_deref().unwrap_or("not known"));
        desk.face.say(&format!("told: {name} was {} and is {}", harmless_line(from), event.to.word()))?;
        desk.face.row("event", event)
    })?;
    let level = statuses.accounts.iter().map(|status| status.level).max().unwrap_or_default();
    desk.face.summary("status", &Counted { accounts: statuses.accounts.len() as u64, level })?;
    if told.left > 0 {
        let left = counted(told.left, "change was", "changes were");
        desk.face.note(&format!("{left} not told, because the command kept failing; the next pass tries again"))?;
    }
    Ok(if told.failed > 0 { Exit::Failed } else { exit(&statuses) })
}

fn exit(told: &Statuses) -> Exit {
    if told.need_somebody() { Exit::Differs } else { Exit::Ok }
}

fn records(told: &Statuses, desk: &Desk<'_>) -> Result<Exit> {
    told.accounts.iter().try_for_each(|status| desk.face.row("status", &record(status)))?;
    let level = told.accounts.iter().map(|status| status.level).max().unwrap_or_default();
    if told.words_never_shown {
        desk.face.note("the recovery words were never shown: tuckbox key words")?;
    }
    desk.face.summary("status", &Counted { accounts: told.accounts.len() as u64, level })?;
    Ok(exit(told))
}

fn record(status: &AccountStatus) -> StatusRecord<'_> {
    let facts = &status.facts;
    StatusRecord {
        account: &facts.name,
        number: format!("{:#x}", facts.number),
        id: facts.id.hex(),
        status: status.standing,
        level: status.level,
        reasons: status.reasons.iter().map(reason_record).collect(),
        created_at: facts.created_at,
        newest_at: facts.newest_at,
        took_ms: status.last_success_ms(),
        expected_at: status.expected_at,
        stored_bytes: facts.stored_bytes,
        soft_bytes: facts.terms.soft_bytes,
        hard_bytes: facts.terms.hard_bytes,
        last_run: facts.last_run.as_ref().map(run_record),
    }
}

fn reason_record(reason: &Reason) -> ReasonRecord<'_> {
    let Reason { level, check, text, code } = reason;
    ReasonRecord { level: *level, check: *check, text, code: code.as_deref() }
}

pub(super) fn run_record(told: &RunFacts) -> RunRecord<'_> {
    let run = &told.run;
    RunRecord {
        verb: &run.verb,
        told_at: told.told_at,
        began_at: run.began_at,
        took_ms: run.took_ms,
        exit: run.exit,
        code: run.code.as_deref(),
        client: &run.client,
        host: &run.host,
        files: run.figures.files,
        source_bytes: run.figures.source_bytes,
        sent_bytes: run.figures.sent_bytes,
        errors: run.figures.errors,
    }
}
