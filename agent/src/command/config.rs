//! `config`: what can be set, what is set, and units for systemd.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, switch, with_verbs_below};
use crate::cli::globals::{Origin, lookup};
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::config::edit::{self, Which};
use crate::config::template::template;
use crate::config::{Config, Section, Value, keys, units};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};

pub(super) const VERB: Verb = Verb {
    name: "config",
    about: "Show and change settings; print systemd units",
    examples: &["config template", "config show --origin", "config set retry 1h", "config systemd service"],
    build,
    run,
    needs_config: false,
    changes: Changes::Own,
};

fn build(command: Command) -> Command {
    with_verbs_below(command)
        .subcommand(Command::new("template").about("Print a file with every key, its meaning, unit and default"))
        .subcommand(
            Command::new("show")
                .about("Print the settings in force")
                .arg(switch("origin", "Say where each comes from")),
        )
        .subcommand(
            Command::new("get")
                .about("Print one setting in force")
                .arg(Arg::new("key").value_name("KEY").required(true).help("As in vault, or source.1.exclude")),
        )
        .subcommand(
            Command::new("set")
                .about("Change one setting of the file; everything else in it, comments too, stays")
                .arg(Arg::new("key").value_name("KEY").required(true).help("As in vault, or source.1.exclude"))
                .arg(
                    Arg::new("value")
                        .value_name("VALUE")
                        .num_args(1..)
                        .required_unless_present("remove")
                        .help("Its value; several make a list (after -- it may begin with -)"),
                )
                .arg(switch("remove", "Take the setting out of the file").conflicts_with("value")),
        )
        .subcommand(
            Command::new("systemd").about("Print units that back up every hour").arg(
                Arg::new("unit")
                    .value_name("UNIT")
                    .value_parser(["service", "timer"])
                    .help("Only this one, as a file [default: both, with their places]"),
            ),
        )
}

#[derive(Serialize)]
struct SettingRecord {
    key: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<String>>,
    origin: String,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    match matches.subcommand() {
        Some(("template", _)) => desk.face.text(&template())?,
        Some(("systemd", below)) => desk.face.text(&systemd(below.get_one::<String>("unit").map(String::as_str)))?,
        Some(("get", below)) => get(below, desk)?,
        Some(("set", below)) => set(below, desk)?,
        Some((_, below)) => show(below, desk)?,
        None => {}
    }
    Ok(Exit::Ok)
}

fn systemd(unit: Option<&str>) -> String {
    match unit {
        Some("service") => units::SERVICE.text.to_owned(),
        Some(_) => units::TIMER.text.to_owned(),
        None => {
            let both = [units::SERVICE, units::TIMER]
                .map(|unit| format!("# ~/.config/systemd/user/{}\n{}\n", unit.name, unit.text));
            format!("{}# then: systemctl --user enable --now tuckbox.timer\n", both.concat())
        }
    }
}

/// Every setting in force, by the order of the keys.
fn settings(matches: &ArgMatches, desk: &Desk<'_>) -> Result<(Config, Vec<SettingRecord>)> {
    // Read again, because here a file that cannot be read is an error.
    let config = crate::cli::config(desk.world)?;
    let mut rows = Vec::new();
    for key in keys::ALL.iter().filter(|key| key.section == Section::Top) {
        let (value, origin) = match lookup(key, matches, &desk.world.env, &config)? {
            Some(found) => found,
            None => (key.default.to_owned(), Origin::Default),
        };
        let origin = origin_text(&origin, &config);
        rows.push(SettingRecord { key: key.name.to_owned(), value: harmless_line(&value), values: None, origin });
    }
    for (number, source) in (1..).zip(&config.sources) {
        for key in keys::ALL {
            if let Some((value, spot)) = source.get(key) {
                let origin = origin_text(&Origin::File(spot), &config);
                let key = format!("source.{number}.{}", key.name);
                rows.push(SettingRecord { key, value: harmless_line(&value.to_string()), values: None, origin });
            }
        }
    }
    Ok((config, rows))
}

fn show(matches: &ArgMatches, desk: &Desk<'_>) -> Result<()> {
    let (config, rows) = settings(matches, desk)?;
    match &desk.face {
        Face::Json(stream) => rows.iter().try_for_each(|row| stream.row("setting", row)),
        Face::Plain(plain) => {
            let with_origin = matches.get_flag("origin");
            let mut columns = vec![("KEY", Side::Left), ("VALUE", Side::Left), ("FROM", Side::Left)];
            columns.truncate(if with_origin { 3 } else { 2 });
            let mut table = Table::new(&columns);
            rows.into_iter().for_each(|row| table.row(vec![row.key, row.value, row.origin]));
            table.lines().iter().try_for_each(|line| plain.line(line))?;
            let there = if config.file.is_some() { "" } else { " (does not exist)" };
            plain.note(&format!("File: {}{there}", shown(&file(desk)?)))
        }
    }
}

fn get(matches: &ArgMatches, desk: &Desk<'_>) -> Result<()> {
    let name = matches.get_one::<String>("key").map_or("", String::as_str);
    let which = Which::parse(name)?;
    let (config, rows) = settings(matches, desk)?;
    let row = rows.into_iter().find(|row| row.key == name);
    let mut row = row.ok_or_else(|| {
        Fault::new(Code::Usage, format!("{} is not set", harmless_line(name))).hint("tuckbox config show")
    })?;
    let table = match which.source {
        None => Some(&config.top),
        Some(number) => number.checked_sub(1).and_then(|at| config.sources.get(at)),
    };
    // No list is an option or a variable: what the file has is in force, and can be given to `config set`.
    if let Some((Value::Texts(texts), _)) = table.and_then(|table| table.get(which.key)) {
        row.values = Some(texts.clone());
    }
    match &desk.face {
        Face::Json(stream) => stream.row("setting", &row),
        // As `config set` takes it.
        Face::Plain(plain) => plain.line(&row.values.as_deref().map_or(row.value, edit::list_text)),
    }
}

fn set(matches: &ArgMatches, desk: &Desk<'_>) -> Result<()> {
    let name = matches.get_one::<String>("key").map_or("", String::as_str);
    let values: Vec<String> = matches.get_many::<String>("value").into_iter().flatten().cloned().collect();
    let values = (!matches.get_flag("remove")).then_some(values.as_slice());
    let file = file(desk)?;
    edit::change(&file, desk.world.home.as_deref(), Which::parse(name)?, values)?;
    let what = if values.is_some() { "Set" } else { "Removed" };
    desk.face.say(&format!("{what} {name} in {}.", shown(&file)))
}

fn file(desk: &Desk<'_>) -> Result<PathBuf> {
    Ok(desk.world.folders()?.config.join("config.toml"))
}

fn shown(file: &Path) -> String {
    for_terminal(std::os::unix::ffi::OsStrExt::as_bytes(file.as_os_str()))
}

fn origin_text(origin: &Origin, config: &Config) -> String {
    match origin {
        Origin::Flag(flag) => format!("--{flag}"),
        Origin::Environment(variable) => (*variable).to_owned(),
        Origin::File(spot) => {
            let name = config.files.get(spot.file).and_then(|file| file.file_name()).unwrap_or_default();
            format!("{}:{}", for_terminal(name.as_encoded_bytes()), spot.line)
        }
        Origin::Default => "default".to_owned(),
    }
}
