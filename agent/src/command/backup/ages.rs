//! What a source leaves out by age: its keys of the configuration, or instead the options of the command line.

use clap::ArgMatches;

use super::{place, same_path};
use crate::cli::Desk;
use crate::config::{Key, keys};
use crate::engine::job::At;
use crate::fault::{Code, Fault, Result};
use crate::name::harmless_line;
use crate::source::{Age, AgeRule, Given};
use crate::units::parse_duration;

/// Each with its key and its option.
static ALL: [(Age, &Key, &str); 3] = [
    (Age::Min, &keys::SOURCE_MIN_AGE, "min-age"),
    (Age::Max, &keys::SOURCE_MAX_AGE, "max-age"),
    (Age::NewerThan, &keys::SOURCE_NEWER_THAN, "newer-than"),
];

/// The rules of a source. Errors when one is not understood, with its place.
pub(super) fn of(path: &[u8], matches: Option<&ArgMatches>, desk: &Desk<'_>) -> Result<Vec<AgeRule>> {
    let same = |known: &str| same_path(path, known.as_bytes());
    let table = desk.config.sources.iter().find(|table| table.text(&keys::SOURCE_PATH).is_some_and(same));
    let rule = |(age, key, flag): &(Age, &'static Key, &str)| {
        let own = || table.and_then(|table| Some((table.text(key)?, place(desk, table.get(key)?.1), Code::Config)));
        let given = matches
            .and_then(|matches| matches.get_one::<String>(flag))
            .map(|text| (text.as_str(), format!("--{flag}"), Code::Usage));
        given.or_else(own).map(|(text, from, code)| {
            let wrong = |why: String| Fault::new(code, format!("{from}: {why}"));
            let moment_ms = moment(*age, text, desk).map_err(wrong)?;
            Ok(AgeRule { age: *age, moment_ms, given: Given::new(text, from.clone()) })
        })
    };
    ALL.iter().filter_map(rule).collect()
}

/// The moment that a rule means, milliseconds since 1970.
fn moment(age: Age, text: &str, desk: &Desk<'_>) -> Result<i64, String> {
    if age == Age::NewerThan {
        return match desk.version(text).map_err(|fault| fault.message)?.at {
            At::Moment { ms } => Ok(ms),
            _ => Err(format!("\"{}\" is not a time", harmless_line(text))),
        };
    }
    let ms = i64::try_from(parse_duration(text)?).unwrap_or(i64::MAX);
    Ok(desk.world.clock.now_ms().saturating_sub(ms))
}
