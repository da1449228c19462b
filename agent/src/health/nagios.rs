//! For Nagios, Icinga and what speaks like them: one line, figures behind a bar, and 0 to 3.

use std::fmt::Write;

use super::{AccountStatus, Level, Standing};
use crate::fault::Exit;
use crate::name::for_terminal;

/// Accounts that are named in the line; of others only the number is told.
const NAMED_MAX: usize = 5;

/// What a plugin ends with. These are Nagios' numbers and not our exit classes: `status --format nagios` alone uses them.
#[must_use]
pub fn exit(level: Level) -> Exit {
    match level {
        Level::Ok => Exit::Ok,
        Level::Warn => Exit::Failed,
        Level::Err => Exit::Usage,
    }
}

/// What a plugin ends with that could not find out.
pub const UNKNOWN: Exit = Exit::Partial;

/// The line when nothing could be found out.
#[must_use]
pub fn unknown(why: &str) -> String {
    format!("TUCKBOX UNKNOWN: {}", safe(why))
}

/// The line about these accounts, and how grave the gravest is. `now` is the vault's clock.
#[must_use]
pub fn line(accounts: &[AccountStatus], now: i64) -> (String, Level) {
    let level = accounts.iter().map(|status| status.level).max().unwrap_or_default();
    let word = match level {
        Level::Ok => "OK",
        Level::Warn => "WARNING",
        Level::Err => "CRITICAL",
    };
    let (text, figures) = match accounts {
        [one] => (about(one), figures_of(one, now)),
        many => (summary(many), totals(many)),
    };
    (format!("TUCKBOX {word}: {text} | {figures}"), level)
}

fn about(status: &AccountStatus) -> String {
    let reasons: Vec<&str> = status.reasons.iter().map(|reason| reason.text.as_str()).collect();
    format!("{} {}: {}", safe(&status.facts.name), status.standing.word(), safe(&reasons.join("; ")))
}

fn summary(accounts: &[AccountStatus]) -> String {
    let mut bad: Vec<&AccountStatus> = accounts.iter().filter(|status| status.needs_somebody()).collect();
    if bad.is_empty() {
        return format!("{} accounts, none needs anybody", accounts.len());
    }
    bad.sort_by_key(|status| std::cmp::Reverse(status.level));
    let named: Vec<String> = bad
        .iter()
        .take(NAMED_MAX)
        .map(|status| format!("{} {}", safe(&status.facts.name), status.standing.word()))
        .collect();
    let more = bad.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} of {} accounts need somebody: {}{more}", bad.len(), accounts.len(), named.join(", "))
}

/// `label=value[unit];warn;critical;least;most`, as the plugin guidelines have it.
fn figures_of(status: &AccountStatus, now: i64) -> String {
    let facts = &status.facts;
    let mut figures = Vec::new();
    if let Some(newest) = facts.newest_at {
        let after = facts.terms.late_after_ms.map(|ms| ms / 1000);
        let (warn, critical) = (text(after), text(after.map(|after| after.saturating_mul(2))));
        figures.push(format!("age={}s;{warn};{critical};0;", now.saturating_sub(newest).max(0) / 1000));
    }
    figures.extend(status.last_success_ms().map(|took| format!("took={}.{:03}s;;;0;", took / 1000, took % 1000)));
    if let Some(stored) = facts.stored_bytes {
        let (soft, hard) = (text(facts.terms.soft_bytes), text(facts.terms.hard_bytes));
        figures.push(format!("stored={stored}B;{soft};{hard};0;{hard}"));
    }
    figures.join(" ")
}

fn totals(accounts: &[AccountStatus]) -> String {
    let mut figures = format!("accounts={};;;0;", accounts.len());
    for standing in Standing::ALL {
        let count = accounts.iter().filter(|status| status.standing == standing).count();
        // Writing to a string never fails.
        write!(figures, " {}={count};;;0;", standing.word()).unwrap_or(());
    }
    let stored: u64 = accounts.iter().filter_map(|status| status.facts.stored_bytes).fold(0, u64::saturating_add);
    write!(figures, " stored={stored}B;;;0;").unwrap_or(());
    figures
}

fn text(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// On one line, safe to print, and without the bar that begins the figures.
fn safe(text: &str) -> String {
    for_terminal(text.as_bytes()).replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use super::super::judge::tests::{MINUTE, facts, ran};
    use super::*;

    #[test]
    fn one_account_has_its_figures() {
        let mut facts = facts();
        let newest = facts.newest_at.unwrap();
        facts.last_success = Some(ran(newest, Exit::Ok, None));
        (facts.terms.soft_bytes, facts.terms.hard_bytes) = (Some(2 << 30), Some(4 << 30));
        let now = newest + 27 * 60 * MINUTE;
        let (told, level) = line(&[judge(facts.clone(), now)], now);
        assert_eq!(
            told,
            "TUCKBOX WARNING: laptop-ana late: no version for 1 d 3 h; one was expected within 1 d 2 h | \
             age=97200s;93600;187200;0; took=41.000s;;;0; stored=1073741824B;2147483648;4294967296;0;4294967296"
        );
        assert_eq!((level, exit(level) as u8), (Level::Warn, 1));
        facts.name = "a|b\nc".to_owned();
        let (told, level) = line(&[judge(facts, newest)], newest);
        assert!(told.starts_with("TUCKBOX OK: a/b\\nc ok: last version 0.0 s ago | age=0s;"), "{told}");
        assert_eq!((told.matches('|').count(), exit(level) as u8), (1, 0));
    }

    #[test]
    fn many_are_counted_and_the_gravest_named() {
        let now = facts().newest_at.unwrap();
        let mut all: Vec<AccountStatus> = (0..7)
            .map(|number| judge(transport::message::health::HealthFacts { number, newest_at: None, ..facts() }, now))
            .collect();
        let mut failing = facts();
        failing.name = "mail".to_owned();
        failing.last_run = Some(ran(now, Exit::Failed, None));
        all.push(judge(failing, now));
        let (told, level) = line(&all, now);
        assert!(told.starts_with("TUCKBOX CRITICAL: 8 of 8 accounts need somebody: mail failing, "), "{told}");
        assert!(told.contains(" and 3 more | accounts=8;;;0; ok=0;;;0; late=0;;;0; failing=1;;;0; "), "{told}");
        assert_eq!(exit(level) as u8, 2);
        assert_eq!(
            line(&[], now).0,
            "TUCKBOX OK: 0 accounts, none needs anybody | accounts=0;;;0; ok=0;;;0; late=0;;;0; \
             failing=0;;;0; over_quota=0;;;0; frozen=0;;;0; never=0;;;0; disabled=0;;;0; damaged=0;;;0; \
             stored=0B;;;0;"
        );
        assert_eq!((unknown("no\nroute | here").as_str(), UNKNOWN as u8), ("TUCKBOX UNKNOWN: no\\nroute / here", 3));
    }
}
