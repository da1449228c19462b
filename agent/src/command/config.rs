//! `config`: what can be set, what is set, and units for systemd.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, switch};
use crate::cli::globals::{Origin, lookup};
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::config::template::{path_of, template};
use crate::config::{Section, keys, units};
use crate::fault::{Exit, Result};
use crate::name::{for_terminal, harmless_line};

pub(super) const VERB: Verb = Verb {
    name: "config",
    about: "Show what can be set and what is set; print systemd units",
    examples: &["config template", "config show --origin", "config systemd service"],
    build,
    run,
    needs_config: false,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_value_name("WHAT")
        .subcommand_help_heading("What")
        .disable_help_subcommand(true)
        .subcommand(Command::new("template").about("Print a file with every key, its meaning, unit and default"))
        .subcommand(
            Command::new("show")
                .about("Print the settings in force")
                .arg(switch("origin", "Say where each comes from")),
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
    origin: String,
}

#[derive(Serialize)]
struct TextRecord<'a> {
    text: &'a str,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    match matches.subcommand() {
        Some(("template", _)) => text(desk, &template())?,
        Some(("systemd", below)) => text(desk, &systemd(below.get_one::<String>("unit").map(String::as_str)))?,
        Some((_, below)) => show(below, desk)?,
        None => {}
    }
    Ok(Exit::Ok)
}

fn text(desk: &Desk<'_>, text: &str) -> Result<()> {
    match &desk.face {
        Face::Json(stream) => stream.record("text", &TextRecord { text }),
        Face::Plain(_) => desk.world.stdout.write(text.as_bytes()),
    }
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

fn show(matches: &ArgMatches, desk: &Desk<'_>) -> Result<()> {
    // Read again, because here a file that cannot be read is an error.
    let file = desk.world.folders()?.config.join("config.toml");
    let config = crate::config::Config::load(&file, desk.world.home.as_deref())?;
    let mut rows = Vec::new();
    for key in keys::ALL.iter().filter(|key| key.section == Section::Top) {
        let (value, origin) = match lookup(key, matches, &desk.world.env, &config)? {
            Some(found) => found,
            None => (key.default.to_owned(), Origin::Default),
        };
        rows.push(SettingRecord { key: path_of(key), value: harmless_line(&value), origin: origin_text(&origin) });
    }
    for source in &config.sources {
        for key in keys::ALL {
            if let Some((value, line)) = source.get(key) {
                let origin = origin_text(&Origin::File(line));
                rows.push(SettingRecord { key: path_of(key), value: harmless_line(&value.to_string()), origin });
            }
        }
    }
    match &desk.face {
        Face::Json(stream) => rows.iter().try_for_each(|row| stream.row("setting", row)),
        Face::Plain(plain) => {
            let with_origin = matches.get_flag("origin");
            let mut columns = vec![("KEY", Side::Left), ("VALUE", Side::Left), ("FROM", Side::Left)];
            columns.truncate(if with_origin { 3 } else { 2 });
            let mut table = Table::new(&columns);
            rows.into_iter().for_each(|row| table.row(vec![row.key, row.value, row.origin]));
            table.lines().iter().try_for_each(|line| plain.line(line))?;
            let name = for_terminal(std::os::unix::ffi::OsStrExt::as_bytes(file.as_os_str()));
            let there = if config.file.is_some() { "" } else { " (does not exist)" };
            plain.note(&format!("File: {name}{there}"))
        }
    }
}

fn origin_text(origin: &Origin) -> String {
    match origin {
        Origin::Flag(flag) => format!("--{flag}"),
        Origin::Environment(variable) => (*variable).to_owned(),
        Origin::File(line) => format!("config.toml:{line}"),
        Origin::Default => "default".to_owned(),
    }
}
