//! `housekeep`: frees what is not kept any more; `housekeep policy`: what is kept; `housekeep log`: what it did.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;
use store::chain::{Period, Policy};

use super::{Changes, Verb, many, switch, texts};
use crate::cli::json::rfc3339;
use crate::cli::{Desk, Face};
use crate::engine::job::{HousekeepJob, HousekeepSummary, KeptRow, LoggedPass, PolicyJob, PolicyRow};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::harmless_line;
use crate::time::show;
use crate::units::{counted, duration, parse_duration, parse_size, size};

pub(super) const VERB: Verb = Verb {
    name: "housekeep",
    about: "Free the space of what is not kept any more, or say what is kept",
    examples: &[
        "housekeep",
        "housekeep --dry-run",
        "housekeep --budget 10min --budget-bytes 20G",
        "housekeep policy",
        "housekeep policy --keep-daily 60 --keep-monthly all --keep-tag release",
        "housekeep policy --preset time-machine",
        "housekeep policy --keep-daily 60 --min-free 20G",
        "housekeep log",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    let mut policy = Command::new("policy")
        .about("Show what is kept, or set it: the options say all of it, beginning with nothing or a preset")
        .arg(
            Arg::new("preset")
                .long("preset")
                .value_name("NAME")
                .value_parser(clap::builder::PossibleValuesParser::new(Policy::PRESETS))
                .help("Start from this one"),
        )
        .arg(
            Arg::new("keep-within")
                .long("keep-within")
                .value_name("DURATION")
                .value_parser(parse_duration)
                .help("Everything of this age"),
        )
        .arg(many("keep-tag", "TAG", "Everything with this tag"))
        .arg(
            Arg::new("min-free")
                .long("min-free")
                .value_name("SIZE")
                .value_parser(parse_size)
                .help("While the vault's disk has less free, the oldest versions of 30 days and more go, but for those with a tag, a pin or an age that is kept"),
        );
    for (period, what) in Period::ALL.into_iter().zip([
        "All versions of the newest N days that have one",
        "The newest version of each of N hours that have one",
        "The same for days",
        "The same for weeks, from Monday",
        "The same for months",
        "The same for years",
    ]) {
        let name = keep_name(period);
        policy = policy.arg(
            Arg::new(name)
                .long(name)
                .value_name("N")
                .value_parser(parse_count)
                .help(format!("{what}; `all` for no bound")),
        );
    }
    command
        .arg(switch("dry-run", "Change nothing: say what becomes of each version, and why, and what would be freed"))
        .arg(
            Arg::new("budget")
                .long("budget")
                .value_name("DURATION")
                .value_parser(parse_duration)
                .help("End after this time; the next run goes on"),
        )
        .arg(
            Arg::new("budget-bytes")
                .long("budget-bytes")
                .value_name("SIZE")
                .value_parser(parse_size)
                .help("Copy at most this much when packs are folded"),
        )
        .disable_help_subcommand(true)
        .subcommand(policy)
        .subcommand(Command::new("log").about("Show what housekeeping did: when, what went, and why"))
        .subcommand_value_name("WHAT")
        .subcommand_help_heading("What")
}

fn keep_name(period: Period) -> &'static str {
    match period {
        Period::Last => "keep-last",
        Period::Hour => "keep-hourly",
        Period::Day => "keep-daily",
        Period::Week => "keep-weekly",
        Period::Month => "keep-monthly",
        Period::Year => "keep-yearly",
    }
}

fn parse_count(text: &str) -> std::result::Result<u32, String> {
    match text {
        "all" => Ok(Policy::ALL),
        _ => match text.parse::<u32>() {
            Ok(count) if count != Policy::ALL => Ok(count),
            _ => Err(format!("\"{text}\" is not a count: write a number or `all`")),
        },
    }
}

#[derive(Serialize)]
struct FateRecord<'a> {
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<String>,
    fate: &'a str,
    why: &'a [String],
}

#[derive(Serialize)]
struct StepRecord<'a> {
    what: &'a str,
    count: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct PolicyRecord<'a> {
    preset: &'a str,
    keep: BTreeMap<&'static str, u32>,
    within_ms: u64,
    tags: &'a [String],
    soft_limit: bool,
    min_free_bytes: u64,
    sequence: u64,
}

fn policy_record(row: &PolicyRow) -> PolicyRecord<'_> {
    let counts = Period::ALL.into_iter().zip(row.keep);
    PolicyRecord {
        preset: &row.preset,
        keep: counts.filter_map(|(period, keep)| keep.map(|keep| (period.word(), keep))).collect(),
        within_ms: u64::try_from(row.within_ms).unwrap_or(0),
        tags: &row.tags,
        soft_limit: row.soft_limit,
        min_free_bytes: row.min_free_bytes,
        sequence: row.sequence,
    }
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    if let Some(("policy", below)) = matches.subcommand() {
        return policy(below, desk);
    }
    if matches.subcommand_name() == Some("log") {
        return log(desk);
    }
    let job = HousekeepJob {
        dry_run: matches.get_flag("dry-run"),
        confirmed: desk.settings.yes,
        most_ms: matches.get_one::<u64>("budget").copied(),
        most_bytes: matches.get_one::<u64>("budget-bytes").copied(),
    };
    let summary = desk.engine().housekeep(&desk.run()?, job, &mut |row| match &desk.face {
        Face::Json(stream) => match &row {
            KeptRow::Version { sequence, received_at_ms, fate, why } => {
                let received_at = received_at_ms.map(rfc3339);
                stream.row("fate", &FateRecord { sequence: *sequence, received_at, fate, why })
            }
            KeptRow::Step { what, count, bytes } => {
                stream.record("step", &StepRecord { what, count: *count, bytes: *bytes })
            }
        },
        Face::Plain(plain) => match line(&row, desk) {
            Some(line) => plain.line(&line),
            None => Ok(()),
        },
    })?;
    told(&summary).iter().try_for_each(|line| desk.face.say(line))?;
    desk.face.summary("housekeep", &summary)?;
    if summary.waiting > 0 && !job.dry_run {
        let these = counted(summary.waiting, "version", "versions");
        return Err(Fault::new(
            Code::PolicyConfirm,
            format!(
                "{these} would go at once, more than 30 % under a new policy or limit or within a day, or too few to make room: none went"
            ),
        )
        .hint("look with `tuckbox housekeep --dry-run`; if it is meant: tuckbox housekeep --yes"));
    }
    Ok(if summary.holes > 0 { Exit::Damaged } else { Exit::Ok })
}

fn line(row: &KeptRow, desk: &Desk<'_>) -> Option<String> {
    match row {
        KeptRow::Version { sequence, received_at_ms, fate, why } => {
            let received = received_at_ms.map(|ms| format!("  {}", show(ms, &desk.zone()))).unwrap_or_default();
            let (fate, why) = (harmless_line(fate), harmless_line(&why.join(", ")));
            Some(format!("version {sequence}{received}  {fate}: {why}"))
        }
        KeptRow::Step { what, bytes, .. } if what == "let_go" => {
            Some(format!("  {} that runs had left which found no room were let go", size(*bytes)))
        }
        // Sums are told at the end.
        KeptRow::Step { .. } => None,
    }
}

fn told(s: &HousekeepSummary) -> Vec<String> {
    if s.unchanged && s.waiting > 0 {
        return vec![format!("Unchanged; {} wait to be confirmed.", counted(s.waiting, "version", "versions"))];
    }
    if s.unchanged {
        return vec!["Unchanged, skipped: nothing has come since, and nothing is due.".to_owned()];
    }
    let mut lines = Vec::new();
    let would = |did: &str, would: &str| if s.dry_run { would.to_owned() } else { did.to_owned() };
    let going = s.expired + s.forgotten + s.pressed;
    if going + s.superseded > 0 {
        let checkpoints = match s.superseded {
            0 => String::new(),
            number => format!(" and {}", counted(number, "checkpoint", "checkpoints")),
        };
        lines.push(format!("  {}{checkpoints} {}", counted(going, "version", "versions"), would("went", "would go")));
    }
    for (bytes, what) in [
        (s.condemned_bytes, would("are needed by nothing any more and wait a day", "would begin to wait a day")),
        (s.freed_bytes, would("were freed", "would be freed")),
        (s.copied_bytes, "were copied into fuller packs".to_owned()),
        (s.unlinked_bytes, would("came back to the disk", "would come back to the disk")),
    ] {
        if bytes > 0 {
            lines.push(format!("  {} {what}", size(bytes)));
        }
    }
    lines.push(format!(
        "  {} kept, {} of data, looked at in {}",
        counted(s.versions, "version", "versions"),
        size(s.kept_bytes),
        duration(s.elapsed_ms)
    ));
    lines.push(match (s.holes, s.unfinished) {
        (0, false) if s.waiting > 0 => format!(
            "{} wait to be confirmed: so many at once under a new policy or limit or within a day, or too few to make room.",
            counted(s.waiting, "version", "versions")
        ),
        (0, false) => "All is in order.".to_owned(),
        (0, true) => "Not finished; the next run goes on.".to_owned(),
        (holes, _) => format!(
            "Nothing is freed: {}, or links that name them, cannot be read, and what lies below is not known. Next:  tuckbox check",
            counted(holes, "needed node or body", "needed nodes or bodies")
        ),
    });
    lines
}

fn policy(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let row = desk.engine().policy(&desk.run()?, PolicyJob { set: wanted(matches)? })?;
    if let Face::Plain(plain) = &desk.face {
        policy_lines(&row).iter().try_for_each(|line| plain.line(line))?;
    }
    desk.face.row("policy", &policy_record(&row))?;
    Ok(Exit::Ok)
}

/// The policy that the options ask for; `None` when they only ask to see it.
fn wanted(matches: &ArgMatches) -> Result<Option<PolicyRow>> {
    let preset = matches.get_one::<String>("preset");
    let counts = Period::ALL.map(|period| matches.get_one::<u32>(keep_name(period)).copied());
    let within = matches.get_one::<u64>("keep-within").copied();
    let tags = texts(matches, "keep-tag");
    let min_free = matches.get_one::<u64>("min-free").copied();
    let bare = counts.iter().all(Option::is_none) && within.is_none() && tags.is_empty() && min_free.is_none();
    if preset.is_none() && bare {
        return Ok(None);
    }
    let start = preset.and_then(|name| Policy::preset(name));
    let start = start.unwrap_or_else(|| Policy { counts: [0; 6], ..Policy::default() });
    let mut keep = start.counts;
    for (keep, count) in keep.iter_mut().zip(counts) {
        *keep = count.unwrap_or(*keep);
    }
    let within_ms = within.map_or(0, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
    if keep == [0; 6] && within_ms == 0 {
        return Err(Fault::new(
            Code::Usage,
            "such a policy would keep nothing but the newest version and the last day",
        )
        .hint("add at least one --keep-…, as in --keep-daily 30"));
    }
    let keep = keep.map(|count| Some(count).filter(|count| *count != Policy::ALL));
    let preset = preset.filter(|_| bare).cloned().unwrap_or_default();
    let min_free_bytes = min_free.unwrap_or(start.min_free_bytes);
    Ok(Some(PolicyRow { preset, keep, within_ms, tags, soft_limit: start.soft_limit, min_free_bytes, sequence: 0 }))
}

fn policy_lines(row: &PolicyRow) -> Vec<String> {
    let name = if row.preset.is_empty() { String::new() } else { format!(" ({})", harmless_line(&row.preset)) };
    let mut lines = vec![format!("Kept{name}: everything of the last 24 hours and the newest version, and")];
    for (period, keep) in Period::ALL.into_iter().zip(row.keep) {
        match keep {
            Some(0) => {}
            Some(count) => lines.push(format!("  {:<8} {count}", period.word())),
            None => lines.push(format!("  {:<8} all", period.word())),
        }
    }
    if row.within_ms > 0 {
        lines.push(format!("  {:<8} {}", "within", duration(u64::try_from(row.within_ms).unwrap_or(0))));
    }
    lines.extend(row.tags.iter().map(|tag| format!("  {:<8} {}", "tag", harmless_line(tag))));
    lines.push("  and what is pinned.".to_owned());
    if row.soft_limit {
        lines.push(
            "Of what is kept by its count alone, the oldest goes while the account is above its soft limit.".to_owned(),
        );
    }
    if row.min_free_bytes > 0 {
        let bytes = size(row.min_free_bytes);
        lines.push(format!("Likewise from 30 days on, while the vault's disk has less than {bytes} free."));
    }
    lines
}

#[derive(Serialize)]
struct GoneRecord {
    sequence: u64,
    why: String,
}

#[derive(Serialize)]
struct PassRecord {
    at: String,
    took_ms: u64,
    failed: bool,
    unfinished: bool,
    holes: u64,
    waiting: u64,
    gone: Vec<GoneRecord>,
    more: u64,
    condemned_bytes: u64,
    freed_bytes: u64,
    copied_bytes: u64,
    unlinked_bytes: u64,
}

fn log(desk: &Desk<'_>) -> Result<Exit> {
    let mut passes = 0;
    desk.engine().housekeep_log(&desk.run()?, &mut |pass| {
        passes += 1;
        match &desk.face {
            Face::Json(stream) => stream.row("pass", &pass_record(pass)),
            Face::Plain(plain) => plain.line(&pass_line(&pass, desk)),
        }
    })?;
    if passes == 0 {
        desk.face.say("Nothing was done yet.")?;
    }
    Ok(Exit::Ok)
}

fn pass_record(pass: LoggedPass) -> PassRecord {
    PassRecord {
        at: rfc3339(pass.at_ms),
        took_ms: pass.took_ms,
        failed: pass.failed,
        unfinished: pass.unfinished,
        holes: pass.holes,
        waiting: pass.waiting,
        gone: pass.gone.into_iter().map(|(sequence, why)| GoneRecord { sequence, why }).collect(),
        more: pass.more,
        condemned_bytes: pass.condemned_bytes,
        freed_bytes: pass.freed_bytes,
        copied_bytes: pass.copied_bytes,
        unlinked_bytes: pass.unlinked_bytes,
    }
}

fn pass_line(pass: &LoggedPass, desk: &Desk<'_>) -> String {
    let mut parts: Vec<String> =
        pass.gone.iter().map(|(version, why)| format!("version {version} went: {}", harmless_line(why))).collect();
    if pass.more > 0 {
        parts.push(format!("{} more went", counted(pass.more, "version", "versions")));
    }
    for (bytes, what) in [
        (pass.condemned_bytes, "condemned"),
        (pass.freed_bytes, "freed"),
        (pass.copied_bytes, "copied"),
        (pass.unlinked_bytes, "back on the disk"),
    ] {
        if bytes > 0 {
            parts.push(format!("{} {what}", size(bytes)));
        }
    }
    if pass.waiting > 0 {
        parts.push(format!("{} waited to be confirmed", counted(pass.waiting, "version", "versions")));
    }
    if pass.holes > 0 {
        parts.push("something needed could not be read".to_owned());
    }
    for (so, what) in [(pass.failed, "ended with an error"), (pass.unfinished, "not finished")] {
        if so {
            parts.push(what.to_owned());
        }
    }
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    format!("{}  {}  {}", show(pass.at_ms, &desk.zone()), duration(pass.took_ms), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_numbers_or_all() {
        assert_eq!(parse_count("all"), Ok(u32::MAX));
        assert_eq!(parse_count("30"), Ok(30));
        assert!(parse_count("-1").is_err() && parse_count("4294967295").is_err() && parse_count("").is_err());
    }

    #[test]
    fn the_last_line_is_the_answer() {
        let last = |summary: &HousekeepSummary| told(summary).pop().unwrap();
        assert_eq!(last(&HousekeepSummary::default()), "All is in order.");
        assert!(last(&HousekeepSummary { unchanged: true, ..Default::default() }).starts_with("Unchanged, skipped"));
        assert!(last(&HousekeepSummary { holes: 2, ..Default::default() }).contains("2 needed nodes or bodies"));
    }
}
