//! Options that every verb takes, and where their values come from: flag over environment over file over default.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::ask::PassphraseSource;
use crate::config::{Config, Key, Spot, keys};
use crate::engine::job::SshChoice;
use crate::fault::{Code, Fault, Result};
use crate::timetable::Timetable;
use crate::units::parse_duration;
use crate::world::{Environment, World};

/// Adds them to the top command.
#[must_use]
pub fn add(command: Command) -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).global(true).help_heading(HEADING)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help).global(true).help_heading(HEADING)
    };
    command
        .arg(value("vault", "VAULT", "The vault: /path, ssh://[user@]host[:port]/path, user@host:path, cmd:COMMAND"))
        .arg(value("account", "NAME", "The account in the vault"))
        .arg(value("key", "FILE", "Use this key file and no other"))
        .arg(value("password-file", "FILE", "Read the passphrase from a file (fd:N for a descriptor)"))
        .arg(value("password-command", "COMMAND", "Read the passphrase from a command").conflicts_with("password-file"))
        .arg(value("ssh", "HOW", "How to reach a vault over SSH").value_parser(["auto", "embedded", "system"]))
        .arg(value("remote-program", "PATH", "The program to run on the server"))
        .arg(value("limit", "TIMETABLE", "Rates as in 200k, or 'up mon-fri 08:00-18:00 = 50k; 1M'"))
        .arg(switch("json", "Print JSON lines; implies --no-input"))
        .arg(
            value("format", "TEMPLATE", "Print each row of a list so: {field} as in --json, \\n, \\t, \\0; or csv: all fields, for spreadsheets")
                .conflicts_with("json"),
        )
        .arg(
            switch("null", "Print the names of a list, each with a zero byte after it")
                .short('0')
                .conflicts_with_all(["json", "format"]),
        )
        .arg(switch("no-input", "Never ask (implied without a terminal)"))
        .arg(switch("yes", "Answer yes to confirmations (never to host keys)"))
        .arg(switch("quiet", "Print nothing on success but what was asked for").short('q').conflicts_with("verbose"))
        .arg(switch("verbose", "Print each file and what the server says").short('v').action(ArgAction::Count))
        .arg(value("color", "WHEN", "Colours").value_parser(["auto", "always", "never"]))
        .arg(switch("utc", "Show and read times in UTC"))
        .arg(
            value("profile", "FILE", "Write where the time went to this file, as JSON")
                .value_parser(clap::value_parser!(std::ffi::OsString)),
        )
}

/// Under which they stand in the help.
const HEADING: &str = "Global options";

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An option.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// A line of a file.
    File(Spot),
    /// Nobody.
    Default,
}

/// The value of a key at the top, by precedence, and who said it.
pub fn lookup(
    key: &'static Key,
    matches: &ArgMatches,
    env: &Environment,
    config: &Config,
) -> Result<Option<(String, Origin)>> {
    if let Some(flag) = key.flag
        && let Some(value) = flag_value(matches, flag)
    {
        return Ok(Some((value, Origin::Flag(flag))));
    }
    if let Some(variable) = key.env
        && let Some(value) = env.text(variable)?
    {
        return Ok(Some((value, Origin::Environment(variable))));
    }
    Ok(config.top.get(key).map(|(value, spot)| (value.to_string(), Origin::File(spot))))
}

/// A global option's value as text; switches that are off count as not given.
fn flag_value(matches: &ArgMatches, flag: &str) -> Option<String> {
    match matches.try_get_one::<String>(flag) {
        Ok(value) => value.cloned(),
        Err(_) => matches.get_flag(flag).then(|| "true".to_owned()),
    }
}

/// All global settings, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The vault's address, when chosen.
    pub vault: Option<String>,
    /// The account, when chosen.
    pub account: Option<String>,
    /// A key file instead of ours.
    pub key: Option<String>,
    /// Where the passphrase comes from, when a person need not be asked.
    pub passphrase: Option<PassphraseSource>,
    /// How to reach a vault over SSH.
    pub ssh: SshChoice,
    /// The program on the server.
    pub remote_program: Option<String>,
    /// So many channels carry bulk over SSH; as many as help when not chosen.
    pub stripes: Option<usize>,
    /// So long a lost connection is tried again, milliseconds; some minutes when not chosen.
    pub retry_ms: Option<u64>,
    /// A second place for the pin.
    pub pin_file: Option<String>,
    /// How fast bytes may go.
    pub limit: Option<Timetable>,
    /// The host label.
    pub host: String,
    /// May people be asked.
    pub may_ask: bool,
    /// Confirmations are given.
    pub yes: bool,
    /// Little is told.
    pub quiet: bool,
    /// Much is told.
    pub verbose: u8,
    /// Times are in UTC.
    pub utc: bool,
}

impl Settings {
    /// These inside a command line with `outer`: what that one says counts where this one says nothing.
    #[must_use]
    pub fn under(self, outer: &Self, matches: &ArgMatches) -> Self {
        let given = |name: &str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
        let passphrase = given("password-file") || given("password-command");
        Self {
            vault: if given("vault") { self.vault } else { outer.vault.clone() },
            account: if given("account") { self.account } else { outer.account.clone() },
            key: if given("key") { self.key } else { outer.key.clone() },
            passphrase: if passphrase { self.passphrase } else { outer.passphrase.clone() },
            ssh: if given("ssh") { self.ssh } else { outer.ssh },
            remote_program: if given("remote-program") { self.remote_program } else { outer.remote_program.clone() },
            limit: if given("limit") { self.limit } else { outer.limit.clone() },
            may_ask: self.may_ask && outer.may_ask,
            yes: self.yes || outer.yes,
            quiet: self.quiet || (outer.quiet && self.verbose == 0),
            verbose: if self.quiet { 0 } else { self.verbose.max(outer.verbose) },
            utc: self.utc || outer.utc,
            ..self
        }
    }

    /// Resolves everything.
    pub fn resolve(matches: &ArgMatches, world: &World, config: &Config) -> Result<Self> {
        let text = |key: &'static Key| -> Result<Option<String>> {
            Ok(lookup(key, matches, &world.env, config)?.map(|(value, _)| value))
        };
        let vault = match lookup(&keys::VAULT, matches, &world.env, config)? {
            // The shell expands ~ on a command line and nobody does so in a file.
            Some((vault, Origin::File(_))) => Some(below_home(vault, world)),
            other => other.map(|(vault, _)| vault),
        };
        Ok(Self {
            vault,
            account: text(&keys::ACCOUNT)?,
            key: text(&keys::KEY)?,
            passphrase: passphrase(matches, world, config)?,
            ssh: ssh(text(&keys::SSH)?.as_deref())?,
            remote_program: text(&keys::REMOTE_PROGRAM)?,
            stripes: stripes(text(&keys::STRIPES)?.as_deref())?,
            retry_ms: retry(text(&keys::RETRY)?.as_deref())?,
            pin_file: text(&keys::PIN_FILE)?,
            limit: limit(lookup(&keys::LIMIT, matches, &world.env, config)?)?,
            host: text(&keys::HOST)?.unwrap_or_else(|| world.host.clone()),
            may_ask: may_ask(matches, world),
            yes: matches.get_flag("yes"),
            quiet: matches.get_flag("quiet"),
            verbose: matches.get_count("verbose"),
            utc: text(&keys::UTC)?.as_deref() == Some("true"),
        })
    }
}

/// Questions go to a terminal that is both read and seen, and to nobody else.
fn may_ask(matches: &ArgMatches, world: &World) -> bool {
    let forbidden = matches.get_flag("no-input") || matches.get_flag("json");
    !forbidden && world.terminal.stdin && world.terminal.stderr
}

fn below_home(vault: String, world: &World) -> String {
    match (vault.strip_prefix("~/"), world.home.as_deref().and_then(std::path::Path::to_str)) {
        (Some(below), Some(home)) => format!("{home}/{below}"),
        _ => vault,
    }
}

fn ssh(word: Option<&str>) -> Result<SshChoice> {
    match word {
        None | Some("auto") => Ok(SshChoice::Auto),
        Some("embedded") => Ok(SshChoice::Embedded),
        Some("system") => Ok(SshChoice::System),
        Some(other) => Err(Fault::new(Code::Usage, format!("ssh: \"{other}\" is not one of auto, embedded, system"))
            .hint("correct TUCKBOX_SSH")),
    }
}

fn stripes(word: Option<&str>) -> Result<Option<usize>> {
    match word {
        None | Some("auto") => Ok(None),
        Some(word) => match word.parse() {
            Ok(count @ 1..=8) => Ok(Some(count)),
            _ => Err(Fault::new(Code::Usage, format!("stripes: \"{word}\" is neither auto nor a number from 1 to 8"))
                .hint("correct TUCKBOX_STRIPES")),
        },
    }
}

fn retry(word: Option<&str>) -> Result<Option<u64>> {
    let wrong = |why| Fault::new(Code::Usage, format!("retry: {why}")).hint("correct TUCKBOX_RETRY");
    word.map(parse_duration).transpose().map_err(wrong)
}

fn limit(said: Option<(String, Origin)>) -> Result<Option<Timetable>> {
    let Some((text, origin)) = said else { return Ok(None) };
    Timetable::parse(&text).map(Some).map_err(|why| {
        let fault = Fault::new(Code::Usage, format!("limit: {why}"));
        match origin {
            Origin::Environment(variable) => fault.hint(format!("correct {variable}")),
            // What a file says was read with the file.
            Origin::Flag(_) | Origin::File(_) | Origin::Default => {
                fault.hint("as in --limit 'up mon-fri 08:00-18:00 = 50k; 1M'")
            }
        }
    })
}

/// A file or a command, at the highest level that names one; then the credential that systemd passes.
fn passphrase(matches: &ArgMatches, world: &World, config: &Config) -> Result<Option<PassphraseSource>> {
    let file = lookup(&keys::PASSWORD_FILE, matches, &world.env, config)?;
    let command = lookup(&keys::PASSWORD_COMMAND, matches, &world.env, config)?;
    let level = |origin: &Origin| match origin {
        Origin::Flag(_) => 3,
        Origin::Environment(_) => 2,
        Origin::File(_) => 1,
        Origin::Default => 0,
    };
    let file_level = file.as_ref().map_or(0, |(_, origin)| level(origin));
    let command_level = command.as_ref().map_or(0, |(_, origin)| level(origin));
    match (file, command) {
        (Some(_), Some(_)) if file_level == command_level => {
            Err(Fault::new(Code::Usage, "both a passphrase file and a passphrase command are given")
                .hint("keep one of password_file and password_command"))
        }
        (Some((file, _)), _) if file_level > command_level => Ok(Some(PassphraseSource::File(file))),
        (_, Some((command, _))) => Ok(Some(PassphraseSource::Command(command))),
        _ => {
            let credential = world.env.path("CREDENTIALS_DIRECTORY").map(|folder| folder.join("tuckbox.passphrase"));
            Ok(credential.filter(|path| path.exists()).map(PassphraseSource::Credential))
        }
    }
}

/// Whether to colour stderr.
pub fn colour(matches: &ArgMatches, world: &World, config: &Config) -> Result<bool> {
    let word = lookup(&keys::COLOR, matches, &world.env, config)?.map(|(word, _)| word);
    Ok(match word.as_deref() {
        Some("always") => true,
        Some("never") => false,
        _ => colour_by_world(world),
    })
}

/// The same when no option can be read.
#[must_use]
pub fn colour_by_world(world: &World) -> bool {
    if world.env.get("NO_COLOR").is_some() {
        return false;
    }
    if world.env.get("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    world.terminal.stderr && world.env.get("TERM").is_none_or(|term| term != "dumb")
}
