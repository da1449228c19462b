//! `doctor`: looks at everything that a backup depends on.

use std::io::ErrorKind;

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb};
use crate::cli::{Desk, Face};
use crate::config::keys;
use crate::engine::job::{DoctorRow, Health};
use crate::fault::{Exit, Result};
use crate::name::{for_terminal, harmless_line};
use crate::units::counted;

pub(super) const VERB: Verb = Verb {
    name: "doctor",
    about: "Look at everything that a backup depends on",
    examples: &["doctor", "doctor --vault ssh://me@backup.example.org/srv/vault"],
    build: |command: Command| command,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

#[derive(Serialize)]
struct DoctorRecord<'a> {
    health: &'static str,
    name: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct Summary {
    health: &'static str,
}

fn run(_: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let mut worst = Health::Ok;
    let mut show = |row: DoctorRow| {
        worst = worst.max(row.health);
        match &desk.face {
            Face::Json(stream) => stream.record("doctor", &record(&row)),
            Face::Plain(plain) => plain.line(&line(&row)),
        }
    };
    show(config(desk))?;
    sources(desk).into_iter().try_for_each(&mut show)?;
    desk.engine().doctor(&desk.run()?, &mut show)?;
    desk.face.summary("doctor", &Summary { health: word(worst) })?;
    Ok(if worst == Health::Fail { Exit::Differs } else { Exit::Ok })
}

fn config(desk: &Desk<'_>) -> DoctorRow {
    let name = "config".to_owned();
    match &desk.config.file {
        None => DoctorRow { health: Health::Ok, name, text: "no file; defaults are used".to_owned(), hint: None },
        Some(file) => {
            let file = for_terminal(std::os::unix::ffi::OsStrExt::as_bytes(file.as_os_str()));
            let sources = u64::try_from(desk.config.sources.len()).unwrap_or(u64::MAX);
            let text = format!("{file}, {}", counted(sources, "source", "sources"));
            DoctorRow { health: Health::Ok, name, text, hint: None }
        }
    }
}

/// Sources of the configuration that are not there: a typing error in one would never be backed up.
fn sources(desk: &Desk<'_>) -> Vec<DoctorRow> {
    let paths = desk.config.sources.iter().filter_map(|source| source.text(&keys::SOURCE_PATH));
    let gone = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    let missing = paths.filter(|path| std::fs::symlink_metadata(path).is_err_and(|e| gone(e.kind())));
    let row = |path: &str| DoctorRow {
        health: Health::Warn,
        name: "source".to_owned(),
        text: format!("{} of the configuration is not there", for_terminal(path.as_bytes())),
        hint: Some("mount or make it, or take it out of the configuration: tuckbox config show".to_owned()),
    };
    missing.map(row).collect()
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::Warn => "warn",
        Health::Fail => "fail",
    }
}

fn record(row: &DoctorRow) -> DoctorRecord<'_> {
    DoctorRecord { health: word(row.health), name: &row.name, text: &row.text, hint: row.hint.as_deref() }
}

fn line(row: &DoctorRow) -> String {
    let health = match row.health {
        Health::Ok => "ok  ",
        Health::Warn => "warn",
        Health::Fail => "FAIL",
    };
    let hint = row.hint.as_deref().map(|hint| format!("  try: {}", harmless_line(hint))).unwrap_or_default();
    format!("{health}  {:<12}  {}{hint}", harmless_line(&row.name), harmless_line(&row.text))
}
