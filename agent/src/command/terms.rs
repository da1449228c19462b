//! What is settled for an account or a group, as options, records and lines.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::{many, texts};
use crate::engine::job::{Settle, Terms, To};
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::timetable::Timetable;
use crate::units::{duration, parse_duration, parse_size, size};

/// Adds the options.
pub(super) fn args(command: Command) -> Command {
    command
        .arg(
            Arg::new("soft")
                .long("soft")
                .value_name("SIZE")
                .help("Above this the oldest versions go first (`none` takes it away); as in 150G"),
        )
        .arg(
            Arg::new("hard")
                .long("hard")
                .value_name("SIZE")
                .help("Above this nothing is added (`none` takes it away); as in 200G"),
        )
        .arg(
            Arg::new("rate").long("rate").value_name("TIMETABLE").action(ArgAction::Append).help(
                "How fast bytes may go, by lines (`none` takes it away); as in 'limit mon-fri 08:00-18:00 = 50k'",
            ),
        )
        .arg(
            Arg::new("late-after")
                .long("late-after")
                .value_name("DURATION")
                .help("It is late when its newest version is older (`none` takes it away); as in 26h"),
        )
        .arg(many(
            "contact",
            "WHO",
            "Who is told when something is wrong, in place of who was told before (`none` for nobody); may come several times",
        ))
}

/// What the options say.
pub(super) fn settle(matches: &ArgMatches, which: String) -> Result<Settle> {
    let settle = Settle {
        which,
        soft_bytes: value(matches, "soft", parse_size)?,
        hard_bytes: value(matches, "hard", parse_size)?,
        rate: rate(matches)?,
        late_after_ms: value(matches, "late-after", parse_duration)?,
        contacts: contacts(matches)?,
    };
    if settle == (Settle { which: settle.which.clone(), ..Settle::default() }) {
        return Err(Fault::new(Code::Usage, "say what to settle").hint("as in --hard 200G --late-after 26h"));
    }
    Ok(settle)
}

fn contacts(matches: &ArgMatches) -> Result<Option<To<Vec<String>>>> {
    let named = texts(matches, "contact");
    match named.as_slice() {
        [] => Ok(None),
        [none] if none == "none" => Ok(Some(To::None)),
        all if all.iter().any(|name| name == "none") => {
            Err(Fault::new(Code::Usage, "`none` is nobody, and stands alone").hint("as in --contact none"))
        }
        _ => Ok(Some(To::Set(named))),
    }
}

/// The timetable, its lines in one text. A single `none` takes it away.
fn rate(matches: &ArgMatches) -> Result<Option<To<String>>> {
    let lines = texts(matches, "rate");
    match lines.as_slice() {
        [] => Ok(None),
        [none] if none == "none" => Ok(Some(To::None)),
        lines => {
            match Timetable::parse(&lines.join("; ")) {
                Ok(timetable) => Ok(Some(To::Set(timetable.text().to_owned()))),
                Err(why) => Err(Fault::new(Code::Usage, format!("{why}; nothing was changed"))
                    .hint("see `tuckbox help account set`")),
            }
        }
    }
}

fn value(
    matches: &ArgMatches,
    name: &str,
    parse: impl Fn(&str) -> std::result::Result<u64, String>,
) -> Result<Option<To<u64>>> {
    // Not every verb has every option.
    match matches.try_get_one::<String>(name).ok().flatten().map(String::as_str) {
        None => Ok(None),
        Some("none") => Ok(Some(To::None)),
        Some(text) => parse(text).map(|value| Some(To::Set(value))).map_err(|why| Fault::new(Code::Usage, why)),
    }
}

/// As in records.
#[derive(Serialize)]
pub(super) struct TermsRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<String>,
}

/// The record of terms.
pub(super) fn record(terms: &Terms) -> TermsRecord {
    TermsRecord {
        soft_bytes: terms.soft_bytes,
        hard_bytes: terms.hard_bytes,
        rate: terms.rate.clone(),
        late_after_ms: terms.late_after_ms,
        contacts: terms.contacts.clone(),
    }
}

/// The lines of terms.
pub(super) fn lines(terms: &Terms) -> Vec<(&'static str, String)> {
    let soft = terms.soft_bytes.map(|bytes| ("soft limit", size(bytes)));
    let hard = terms.hard_bytes.map(|bytes| ("hard limit", size(bytes)));
    let rate = terms.rate.as_ref().map(|rate| ("rate", harmless_line(rate)));
    let late = terms.late_after_ms.map(|ms| ("late after", duration(ms)));
    let contacts: Vec<String> = terms.contacts.iter().map(|name| for_terminal(name.as_bytes())).collect();
    let contacts = (!contacts.is_empty()).then(|| ("contacts", contacts.join(", ")));
    soft.into_iter().chain(hard).chain(rate).chain(late).chain(contacts).collect()
}
