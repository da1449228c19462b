//! Tells who looks after a vault when an account changes how it is.
//!
//! There is no daemon, and a server runs no command: whoever wants to hear runs `status --all --notify` as often as they
//! want to know, and their own configuration names the command. What was told is remembered in their state directory, so
//! that each change is told once; when that is lost, what is not as it should be is told once more.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::hooks;
use super::job::{
    AccountStatus, EventReason, EventRecord, NotifyJob, NotifySummary, Run, Standing, StatusJob, Statuses, Whose,
};
use super::state::StateDir;
use crate::cli::json::{CONTRACT, rfc3339};
use crate::event::Event;
use crate::fault::{Code, Fault, Result};

/// So long the command may run for one change.
const LIMIT_MS: u64 = 60_000;
/// After so many failures in a pass the rest waits for the next one: a command that hangs would hold everything up.
const FAILURES_MAX: u64 = 3;
/// After so many changes what was told is kept, so that a pass that is killed tells little twice.
const KEEP_AFTER: u64 = 100;

/// See the module.
pub fn notify(
    run: &Run,
    job: &NotifyJob,
    row: &mut dyn FnMut(&EventRecord) -> Result<()>,
) -> Result<(Statuses, NotifySummary)> {
    let statuses = super::status::status(run, &StatusJob { whose: Whose::All, hours: false })?;
    let mut told = StateDir::new(run.folders.state.clone()).told(&statuses.vault)?;
    let here: BTreeSet<String> = statuses.accounts.iter().map(|status| status.facts.id.hex()).collect();
    told.accounts.retain(|id, _| here.contains(id));
    let mut summary = NotifySummary::default();
    for (status, from) in changes(&statuses.accounts, &told.accounts) {
        if summary.failed == FAILURES_MAX || run.stop.asked() {
            summary.left += 1;
            continue;
        }
        let event = event(&statuses, status, from, &job.contacts);
        match hooks::tell(run, "on_event", &job.command, LIMIT_MS, line(&event, statuses.now_ms)?) {
            Ok(()) => {
                summary.told += 1;
                told.accounts.insert(event.id.clone(), event.to.word().to_owned());
                if summary.told.is_multiple_of(KEEP_AFTER) {
                    told.keep()?;
                }
                row(&event)?;
            }
            Err(fault) => {
                summary.failed += 1;
                run.watcher.event(&Event::Warning(&fault));
            }
        }
    }
    // Those that are as nobody needs to be told are remembered, too: their next change is one.
    for status in &statuses.accounts {
        if !is_news(None, status.standing) {
            told.accounts.entry(status.facts.id.hex()).or_insert_with(|| status.standing.word().to_owned());
        }
    }
    told.keep()?;
    if run.stop.asked() {
        return Err(Fault::new(Code::Interrupted, "it was interrupted").hint("the next pass tells the rest"));
    }
    Ok((statuses, summary))
}

/// Accounts that are not as they were when they were told last.
fn changes<'a>(
    accounts: &'a [AccountStatus],
    told: &BTreeMap<String, String>,
) -> Vec<(&'a AccountStatus, Option<String>)> {
    let change = |status: &'a AccountStatus| {
        let from = told.get(&status.facts.id.hex());
        is_news(from.map(String::as_str), status.standing).then(|| (status, from.cloned()))
    };
    accounts.iter().filter_map(change).collect()
}

/// Whether a standing is worth telling after another one, or when nothing is remembered.
fn is_news(from: Option<&str>, to: Standing) -> bool {
    match from {
        Some(from) => from != to.word(),
        // That an account was made is no event, nor that one is as it should be.
        None => !matches!(to, Standing::Ok | Standing::Never | Standing::Disabled),
    }
}

fn event(statuses: &Statuses, status: &AccountStatus, from: Option<String>, all: &[String]) -> EventRecord {
    let facts = &status.facts;
    let groups = facts.groups.iter().flat_map(|group| group.contacts.iter());
    let contacts: BTreeSet<&String> = all.iter().chain(&facts.terms.contacts).chain(groups).collect();
    EventRecord {
        vault_id: statuses.vault.clone(),
        account: facts.name.clone(),
        number: format!("{:#x}", facts.number),
        id: facts.id.hex(),
        from,
        to: status.standing,
        level: status.level,
        reasons: status
            .reasons
            .iter()
            .map(|reason| EventReason {
                level: reason.level,
                check: reason.check,
                text: reason.text.clone(),
                code: reason.code.clone(),
            })
            .collect(),
        newest_at: facts.newest_at,
        expected_at: status.expected_at,
        groups: facts.groups.iter().map(|group| group.name.clone()).collect(),
        contacts: contacts.into_iter().cloned().collect(),
    }
}

/// What the command reads: the record as a line of its own. `time` is the vault's.
fn line(event: &EventRecord, now_ms: i64) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Line<'a> {
        v: u32,
        time: String,
        r#type: &'static str,
        #[serde(flatten)]
        event: &'a EventRecord,
    }
    let line = Line { v: CONTRACT, time: rfc3339(now_ms), r#type: "event", event };
    let mut text = serde_json::to_vec(&line)
        .map_err(|error| Fault::new(Code::System, "an event cannot be written").because(error))?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_and_what_stays_is_not() {
        use Standing::{Disabled, Failing, Frozen, Late, Never, Ok, OverQuota};
        for (from, to, news) in [
            (Option::None, Ok, false),
            (Option::None, Never, false),
            (Option::None, Disabled, false),
            (Option::None, Late, true),
            (Option::None, Failing, true),
            (Option::None, OverQuota, true),
            (Option::None, Frozen, true),
            (Some("ok"), Ok, false),
            (Some("ok"), Late, true),
            (Some("late"), Late, false),
            (Some("late"), Failing, true),
            (Some("failing"), Ok, true),
            (Some("never"), Ok, true),
            (Some("a word of a newer program"), Ok, true),
        ] {
            assert_eq!(is_news(from, to), news, "{from:?} {to:?}");
        }
    }
}
