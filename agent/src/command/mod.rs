//! The verbs: one table, one file each. Parser, help, and (later) completions and shell come from the table.

mod backup;
mod check;
mod config;
mod diff;
mod doctor;
mod dump;
mod explain;
mod init;
mod key;
mod ls;
mod repair;
mod restore;
mod serve;
mod version;
mod versions;

use clap::{Arg, ArgMatches, Command};

use crate::cli::Desk;
use crate::fault::{Exit, Result};

/// One verb.
pub struct Verb {
    /// Its word.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Command lines that work, without the program's name; shown in its help.
    pub examples: &'static [&'static str],
    /// Adds its arguments.
    pub build: fn(Command) -> Command,
    /// Does it.
    pub run: fn(&ArgMatches, &Desk<'_>) -> Result<Exit>,
    /// Whether a configuration file that cannot be read is an error.
    pub needs_config: bool,
}

impl Verb {
    /// As clap knows it.
    #[must_use]
    pub fn command(&self) -> Command {
        let examples: String = self.examples.iter().map(|line| format!("\n  tuckbox {line}")).collect();
        let heading = if self.examples.len() == 1 { "Example" } else { "Examples" };
        (self.build)(Command::new(self.name).about(self.about)).after_help(format!("{heading}:{examples}"))
    }
}

/// All verbs, in the order of the help.
pub static VERBS: &[Verb] = &[
    init::VERB,
    backup::VERB,
    versions::VERB,
    ls::VERB,
    restore::VERB,
    dump::VERB,
    diff::VERB,
    check::VERB,
    repair::VERB,
    key::VERB,
    config::VERB,
    doctor::VERB,
    explain::VERB,
    serve::VERB,
    version::VERB,
];

/// Words of restic, borg and others, and what to type here.
pub static FOREIGN: &[(&str, &str)] = &[
    ("snapshots", "`tuckbox versions`"),
    ("list", "`tuckbox versions` lists versions, `tuckbox ls` what is in one"),
    ("mount", "nothing is mounted: look with `tuckbox ls`, fetch with `tuckbox restore` or `tuckbox dump`"),
    ("umount", "nothing is mounted: look with `tuckbox ls`, fetch with `tuckbox restore` or `tuckbox dump`"),
    ("prune", "nothing to do: the vault looks after its space itself"),
    ("compact", "nothing to do: the vault looks after its space itself"),
    ("gc", "nothing to do: the vault looks after its space itself"),
    ("forget", "no version is removed by hand yet; `tuckbox versions` lists them"),
    ("delete", "no version is removed by hand yet; `tuckbox versions` lists them"),
    ("create", "`tuckbox backup PATH`"),
    ("save", "`tuckbox backup PATH`"),
    ("put", "`tuckbox backup PATH`"),
    ("extract", "`tuckbox restore PATH`"),
    ("get", "`tuckbox restore PATH`, or `tuckbox dump PATH` for standard output"),
    ("cat", "`tuckbox dump PATH`"),
    ("verify", "`tuckbox check`"),
    ("passwd", "`tuckbox key passwd`"),
    ("recover", "`tuckbox key recover`"),
    ("unlock", "nothing to do: there are no locks that outlive their owner"),
    ("break-lock", "nothing to do: there are no locks that outlive their owner"),
    ("info", "`tuckbox versions` for figures, `tuckbox doctor` for health"),
    ("stats", "`tuckbox versions` for figures, `tuckbox doctor` for health"),
];

/// `--at`, for verbs that read a version.
fn at() -> Arg {
    Arg::new("at").long("at").value_name("WHEN").allow_hyphen_values(true).help(
        "Which version: latest (default), latest~N, previous, a time (`2 days ago`, `yesterday 18:00`, 2026-11-18: \
         the newest received by then), or the first 6 or more digits of an id",
    )
}

/// A path of at least one byte: an empty one is a variable that a script forgot to set, and would mean this directory.
fn some_path() -> impl clap::builder::TypedValueParser<Value = std::ffi::OsString> {
    use clap::builder::TypedValueParser as _;
    clap::builder::OsStringValueParser::new()
        .try_map(|path| if path.is_empty() { Err("it is empty; `.` is this directory") } else { Ok(path) })
}

/// Path arguments.
fn paths(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name("PATH").num_args(0..).value_parser(some_path()).help(help)
}

/// An option that takes a path.
fn file(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).value_parser(some_path()).help(help)
}

/// A switch.
fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(clap::ArgAction::SetTrue).help(help)
}

/// An option that may come several times.
fn many(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).action(clap::ArgAction::Append).help(help)
}

/// Values of [`many`].
fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
}

/// An id as people see it.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
