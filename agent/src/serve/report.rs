//! What clients tell of their runs, taken with a bound on everything: a client may be broken, or lie.

use store::activity::{BACKUP, CHECK, Level, LogLine, NewLine, Run, RunFigures, ToldRun};
use store::vault::{Access, AccountInfo, Vault};
use transport::Call;
use transport::message::admin::CheckedAccount;
use transport::message::health::{
    CODE_CHARS_MAX, EVENTS_MAX, EventLevel, Figures, LogAsk, LogEvent, LogLevel, LogTold, RUNS_MAX, Report, RunFacts,
    RunReport, TEXT_CHARS_MAX,
};

use super::Server;
use super::accounts::rows;
use super::refuse::Refused;
use crate::fault::Exit;
use crate::name::for_terminal;
use crate::units::{count, counted, duration, size};

/// Code of the line that stands for a run as a whole.
const RUN_CODE: &str = "run";
/// Code of the line that says how much was dropped.
const DROPPED_CODE: &str = "log.dropped";

impl Server {
    /// Takes what became of runs of the opened account.
    pub(super) fn report(&self, report: Report) -> Result<(), Refused> {
        let backups = report.runs.iter().any(is_backup);
        // Whoever may only read has no backup to tell of, and what else they did is for people: nothing of the truth is
        // changed by it.
        let (vault, account, domain) = self.account(if backups { Access::Write } else { Access::Read })?;
        let now = self.clock.now_ms();
        let (stored_bytes, session) = (domain.stored()?.pack_bytes, self.keeper.session());
        let mut runs = Vec::new();
        for run in report.runs.iter().take(RUNS_MAX) {
            let (mut told, lines) = taken(run, now);
            told.stored_bytes = stored_bytes;
            self.keeper.told(told_of_session(&told));
            runs.push((is_backup(run) || run.verb == CHECK, told, lines));
        }
        if runs.is_empty() {
            return Ok(());
        }
        // Opened once for all of it: the client waits at its end.
        vault.activity(&account, |activity| {
            for (is_kept, told, lines) in &runs {
                if *is_kept {
                    activity.add_run(account.number, told)?;
                }
                activity.add_log(account.number, now, session.as_ref(), lines)?;
            }
            if vault.access() == Access::Write {
                // Nobody stops because that fails.
                vault.renew_pulse_by(&account, activity).unwrap_or(());
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl Server {
    /// Tells what clients of an account logged, oldest first, and at the end how much of it was dropped.
    pub(super) fn log(&self, call: &Call, ask: &LogAsk) -> Result<(), Refused> {
        let vault = self.vault(Access::Read)?;
        let account = match &ask.account {
            Some(name) => self.meant(&vault, name)?,
            None => self.account(Access::Read)?.1,
        };
        let most = usize::try_from(ask.most).unwrap_or(usize::MAX);
        let (lines, dropped) = vault.activity(&account, |activity| {
            let lines = activity.log(account.number, ask.since, level(ask.least), most)?;
            Ok((lines, activity.log_dropped(account.number, ask.since)?))
        })?;
        let told = lines.into_iter().map(|LogLine { at, line, .. }| LogTold {
            at,
            level: match line.level {
                Level::Note => LogLevel::Note,
                Level::Warning => LogLevel::Warning,
                Level::Error => LogLevel::Error,
            },
            code: line.code,
            text: line.text,
        });
        let missing = (dropped > 0).then(|| LogTold {
            at: self.clock.now_ms(),
            level: LogLevel::Note,
            code: DROPPED_CODE.to_owned(),
            text: format!("{} not kept: too many in an hour", counted(dropped, "line was", "lines were")),
        });
        rows(call, told.chain(missing).map(Ok))
    }
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Note => Level::Note,
        LogLevel::Warning => Level::Warning,
        LogLevel::Error => Level::Error,
    }
}

/// Remembers a check that was made without a client's key, as if its client had told of it.
pub(super) fn checked(vault: &Vault, account: &AccountInfo, now: i64, told: &CheckedAccount) {
    let exit = if told.damages > 0 { Exit::Damaged } else { Exit::Ok };
    let run = ToldRun {
        told_at: now,
        began_at: now,
        verb: CHECK.to_owned(),
        client: env!("CARGO_PKG_VERSION").to_owned(),
        host: "the vault".to_owned(),
        exit: exit as u8,
        code: told.code.clone().filter(|_| told.damages > 0).unwrap_or_default(),
        figures: RunFigures { errors: told.damages, ..RunFigures::default() },
        ..ToldRun::default()
    };
    // What was found stands in the answer; that it is remembered is for whoever asks later.
    vault.activity(account, |activity| activity.add_run(account.number, &run)).unwrap_or(());
    renew_pulse(vault, account);
}

/// Takes the pulse of an account after something changed. Nobody stops because that fails.
pub(super) fn renew_pulse(vault: &Vault, account: &AccountInfo) {
    if vault.access() == Access::Write {
        vault.renew_pulse(account).unwrap_or(());
    }
}

/// A text of a client as it is kept: at most so many characters, what is not plain made visible.
fn cut(text: &str, chars_max: usize) -> String {
    let short: String = text.chars().take(chars_max).collect();
    for_terminal(short.as_bytes()).chars().take(chars_max).collect()
}

/// What is kept of a run, and the lines of the log that it makes.
fn taken(run: &RunReport, now: i64) -> (ToldRun, Vec<NewLine>) {
    let f = run.figures;
    let told = ToldRun {
        told_at: now,
        began_at: run.began_at,
        took_ms: run.took_ms,
        verb: cut(&run.verb, CODE_CHARS_MAX),
        client: cut(&run.client, CODE_CHARS_MAX),
        host: cut(&run.host, TEXT_CHARS_MAX),
        exit: run.exit,
        code: cut(run.code.as_deref().unwrap_or_default(), CODE_CHARS_MAX),
        sequence: run.sequence,
        stored_bytes: 0,
        figures: RunFigures {
            files: f.files,
            files_new: f.files_new,
            files_changed: f.files_changed,
            files_removed: f.files_removed,
            source_bytes: f.source_bytes,
            read_bytes: f.read_bytes,
            new_bytes: f.new_bytes,
            sent_bytes: f.sent_bytes,
            received_bytes: f.received_bytes,
            errors: f.errors,
        },
    };
    let mut lines = vec![summary(&told)];
    lines.extend(run.events.iter().take(EVENTS_MAX).map(line));
    let more = run.more_events.saturating_add(run.events.len().saturating_sub(EVENTS_MAX) as u64);
    if more > 0 {
        let text = format!("{} of events were not told", counted(more, "more kind", "more kinds"));
        lines.push(NewLine { level: Level::Note, code: RUN_CODE.to_owned(), text });
    }
    (told, lines)
}

/// Runs by which one can tell how an account is.
fn is_backup(run: &RunReport) -> bool {
    run.verb == BACKUP
}

/// What stands with the connection on which a run told of itself.
fn told_of_session(run: &ToldRun) -> Run {
    let result = match run.exit {
        0 => "ok".to_owned(),
        _ if run.code.is_empty() => format!("exit {}", run.exit),
        _ => run.code.clone(),
    };
    let (files, bytes) = (run.figures.files, run.figures.source_bytes);
    Run { host: run.host.clone(), verb: run.verb.clone(), result, files, bytes }
}

/// The line that stands for a run that is no backup.
fn errand(run: &ToldRun) -> NewLine {
    let took = duration(run.took_ms);
    let f = &run.figures;
    let (level, result) = match (run.exit, run.code.as_str()) {
        (0, _) => (Level::Note, "ok".to_owned()),
        (exit @ (3 | 4), "") => (Level::Warning, format!("exit {exit}")),
        (exit, "") => (Level::Error, format!("exit {exit}")),
        (exit, code) => (Level::Error, format!("failed with {code} (exit {exit})")),
    };
    let mut parts = vec![result];
    parts.extend(run.sequence.map(|sequence| format!("link {sequence}")));
    let what = if matches!(run.verb.as_str(), "forget" | "pin") {
        counted(f.files, "version", "versions")
    } else {
        counted(f.files, "file", "files")
    };
    parts.extend((f.files > 0).then_some(what));
    parts.extend((f.source_bytes > 0).then(|| size(f.source_bytes)));
    parts.extend((f.errors > 0).then(|| counted(f.errors, "error", "errors")));
    let text = format!("{} from {}: {} in {took}", run.verb, run.host, parts.join(", "));
    NewLine { level, code: RUN_CODE.to_owned(), text }
}

/// The line that stands for a run as a whole.
fn summary(run: &ToldRun) -> NewLine {
    if run.verb != "backup" {
        return errand(run);
    }
    let took = duration(run.took_ms);
    let (level, text) = if run.succeeded() {
        let f = &run.figures;
        let left = if f.errors > 0 { format!(", {} left out or doubtful", count(f.errors)) } else { String::new() };
        let version = run.sequence.map(|sequence| format!("version {sequence}, ")).unwrap_or_default();
        let files = counted(f.files, "file", "files");
        let told = format!(
            "{} from {}: {version}{files}, {} new, {} changed, {} gone, {} sent in {took}{left}",
            run.verb,
            run.host,
            count(f.files_new),
            count(f.files_changed),
            count(f.files_removed),
            size(f.sent_bytes),
        );
        (if f.errors > 0 { Level::Warning } else { Level::Note }, told)
    } else {
        let with = if run.code.is_empty() { String::new() } else { format!(" with {}", run.code) };
        (Level::Error, format!("{} from {} failed{with} after {took} (exit {})", run.verb, run.host, run.exit))
    };
    NewLine { level, code: RUN_CODE.to_owned(), text }
}

fn line(event: &LogEvent) -> NewLine {
    let level = match event.level {
        EventLevel::Warning => Level::Warning,
        EventLevel::Error => Level::Error,
    };
    let times = if event.count > 1 { format!(" ({} times)", count(event.count)) } else { String::new() };
    let text = format!("{}{times}", cut(&event.text, TEXT_CHARS_MAX));
    NewLine { level, code: cut(&event.code, CODE_CHARS_MAX), text }
}

/// A run as it travels to who asks.
pub(super) fn told(run: ToldRun) -> RunFacts {
    let f = run.figures;
    RunFacts {
        told_at: run.told_at,
        run: RunReport {
            verb: run.verb,
            client: run.client,
            host: run.host,
            began_at: run.began_at,
            took_ms: run.took_ms,
            exit: run.exit,
            code: Some(run.code).filter(|code| !code.is_empty()),
            sequence: run.sequence,
            figures: Figures {
                files: f.files,
                files_new: f.files_new,
                files_changed: f.files_changed,
                files_removed: f.files_removed,
                source_bytes: f.source_bytes,
                read_bytes: f.read_bytes,
                new_bytes: f.new_bytes,
                sent_bytes: f.sent_bytes,
                received_bytes: f.received_bytes,
                errors: f.errors,
            },
            events: Vec::new(),
            more_events: 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;

    #[test]
    fn whatever_a_client_says_is_short_and_harmless() {
        let long = "\u{1b}[2J\u{202e}".repeat(10_000);
        let event = LogEvent { level: EventLevel::Error, code: long.clone(), text: long.clone(), count: u64::MAX };
        let run = RunReport {
            verb: long.clone(),
            client: long.clone(),
            host: long.clone(),
            code: Some(long),
            events: vec![event; 1_000],
            more_events: u64::MAX,
            ..RunReport::default()
        };
        let (told, lines) = taken(&run, 7);
        assert_eq!((lines.len(), told.told_at), (EVENTS_MAX + 2, 7));
        let texts = [told.verb, told.client, told.host, told.code].into_iter();
        for text in texts.chain(lines.into_iter().flat_map(|line| [line.code, line.text])) {
            assert!(
                text.chars().count() < 3 * TEXT_CHARS_MAX && !text.chars().any(|c| c.is_control() || c == '\u{202e}'),
                "{text}"
            );
        }
    }

    #[test]
    fn a_run_is_one_line_and_its_events_one_each() {
        let event = |level, code: Code, count| LogEvent {
            level,
            code: code.name().into(),
            text: crate::cli::explain::meaning(code).into(),
            count,
        };
        let run = RunReport {
            verb: "backup".into(),
            host: "ana".into(),
            took_ms: 41_000,
            exit: 3,
            sequence: Some(17),
            figures: Figures { files: 1_204, files_new: 12, sent_bytes: 4_096, errors: 2, ..Figures::default() },
            events: vec![event(EventLevel::Warning, Code::SourceUnreadable, 2)],
            ..RunReport::default()
        };
        let texts = |run: &RunReport| -> Vec<String> {
            taken(run, 0).1.into_iter().map(|l| format!("{:?} {} {}", l.level, l.code, l.text)).collect()
        };
        assert_eq!(
            texts(&run),
            [
                "Warning run backup from ana: version 17, 1,204 files, 12 new, 0 changed, 0 gone, 4.0 KiB sent in 41 s, 2 \
                 left out or doubtful",
                "Warning source.unreadable A file or directory of a source could not be read. (2 times)",
            ]
        );
        let failed = RunReport { exit: 9, code: Some("quota.hard".into()), events: Vec::new(), ..run };
        assert_eq!(texts(&failed), ["Error run backup from ana failed with quota.hard after 41 s (exit 9)"]);
    }

    #[test]
    fn a_run_that_is_no_backup_is_one_line_with_verb_result_and_figures() {
        let run = |verb: &str, exit, code: Option<&str>| RunReport {
            verb: verb.into(),
            host: "ana".into(),
            took_ms: 2_000,
            exit,
            code: code.map(str::to_owned),
            figures: Figures { files: 12, source_bytes: 4_096, errors: u64::from(exit), ..Figures::default() },
            ..RunReport::default()
        };
        let told = |run: &RunReport| {
            let (told, lines) = taken(run, 0);
            let lines: Vec<String> =
                lines.into_iter().map(|l| format!("{:?} {} {}", l.level, l.code, l.text)).collect();
            (lines, told_of_session(&told).result)
        };
        let (lines, result) = told(&run("restore", 0, None));
        assert_eq!(
            (lines, result.as_str()),
            (vec!["Note run restore from ana: ok, 12 files, 4.0 KiB in 2.0 s".into()], "ok")
        );
        let (lines, result) = told(&run("restore", 3, None));
        assert_eq!(result, "exit 3");
        assert_eq!(lines, ["Warning run restore from ana: exit 3, 12 files, 4.0 KiB, 3 errors in 2.0 s"]);
        let (lines, result) = told(&run("forget", 7, Some("key.passphrase")));
        assert_eq!(result, "key.passphrase");
        let line =
            "Error run forget from ana: failed with key.passphrase (exit 7), 12 versions, 4.0 KiB, 7 errors in 2.0 s";
        assert_eq!(lines, [line]);
    }

    #[test]
    fn what_codes_mean_fits_into_an_event() {
        for code in Code::ALL {
            let meaning = crate::cli::explain::meaning(*code);
            assert!(!meaning.is_empty() && meaning.chars().count() <= TEXT_CHARS_MAX, "{}: {meaning}", code.name());
        }
    }
}
