//! The verbs: one table, one file each. Parser, help, shell, completions and manual come from the table.

mod account;
mod account_archive;
mod account_check;
mod backup;
mod check;
mod compare;
mod complete;
mod completions;
mod config;
mod console;
mod delete;
mod diff;
mod doctor;
mod dump;
mod explain;
mod find;
mod forget;
mod group;
mod history;
mod housekeep;
mod init;
mod key;
mod ls;
mod man;
mod pin;
mod query;
mod repair;
mod report;
mod restore;
mod rollback;
mod schema;
mod serve;
mod shell;
pub(crate) mod status;
mod terms;
mod traffic;
mod traffic_local;
mod undelete;
mod usage;
mod version;
mod versions;
mod volume;
mod which;
mod why;

use clap::{Arg, ArgMatches, Command};

use crate::cli::inside::Inside;
use crate::cli::json::rfc3339;
use crate::cli::{Desk, globals};
use crate::engine::job::VersionMark;
use crate::fault::{Code, Exit, Fault, Result};

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
    /// What it changes. A verb that changes anything has recipes in `tests/sweep/recipes.rs`, by which it is killed and
    /// failed at each of its system calls.
    pub changes: Changes,
}

/// The most lasting of what a verb changes. Caches do not count, nor the memory of what was seen of a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Nothing: it looks.
    Nothing,
    /// Files of the person's, where they asked for it.
    Files,
    /// What tuckbox itself keeps on this machine: keys and state.
    Own,
    /// The vault.
    Vault,
}

impl Verb {
    /// Whether it is for programs of ours alone.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.name.starts_with('_')
    }

    /// As clap knows it.
    #[must_use]
    pub fn command(&self) -> Command {
        (self.build)(self.bare())
    }

    /// The same for a parser, which makes the arguments of the one verb that it meets: all of them take it milliseconds.
    #[must_use]
    pub fn deferred(&self) -> Command {
        self.bare().defer(self.build)
    }

    fn bare(&self) -> Command {
        let examples: String = self.examples.iter().map(|line| format!("\n  tuckbox {line}")).collect();
        let heading = if self.examples.len() == 1 { "Example" } else { "Examples" };
        Command::new(self.name).about(self.about).hide(self.is_hidden()).after_help(format!("{heading}:{examples}"))
    }
}

/// A verb below a verb.
fn below(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about)
}

/// For verbs that do nothing without one below them.
fn with_verbs_below(command: Command) -> Command {
    command
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_value_name("WHAT")
        .subcommand_help_heading("What")
        .disable_help_subcommand(true)
}

/// All verbs, in the order of the help.
pub static VERBS: &[Verb] = &[
    init::VERB,
    backup::VERB,
    versions::VERB,
    ls::VERB,
    find::VERB,
    history::VERB,
    restore::VERB,
    dump::VERB,
    diff::VERB,
    compare::VERB,
    undelete::VERB,
    rollback::VERB,
    delete::VERB,
    check::VERB,
    repair::VERB,
    forget::VERB,
    pin::VERB,
    housekeep::VERB,
    usage::VERB,
    key::VERB,
    account::VERB,
    group::VERB,
    volume::VERB,
    report::VERB,
    traffic::VERB,
    config::VERB,
    status::VERB,
    doctor::VERB,
    explain::VERB,
    which::VERB,
    why::VERB,
    shell::VERB,
    query::VERB,
    console::VERB,
    schema::VERB,
    completions::VERB,
    man::VERB,
    serve::VERB,
    version::VERB,
    complete::VERB,
];

/// Words of restic, borg and others, and what to type here.
pub static FOREIGN: &[(&str, &str)] = &[
    ("snapshots", "`tuckbox versions`"),
    ("list", "`tuckbox versions` lists versions, `tuckbox ls` what is in one"),
    ("mount", "nothing is mounted: look with `tuckbox ls`, fetch with `tuckbox restore` or `tuckbox dump`"),
    ("umount", "nothing is mounted: look with `tuckbox ls`, fetch with `tuckbox restore` or `tuckbox dump`"),
    ("prune", "`tuckbox housekeep`; what is kept: `tuckbox housekeep policy`"),
    ("compact", "`tuckbox housekeep`"),
    ("gc", "`tuckbox housekeep`"),
    ("unpin", "`tuckbox pin --undo VERSION`"),
    ("policy", "`tuckbox housekeep policy`"),
    ("rewrite", "`tuckbox delete PATH` appends a version without a path; earlier versions keep it"),
    ("recreate", "`tuckbox delete PATH` appends a version without a path; earlier versions keep it"),
    ("rm", "`tuckbox delete PATH` appends a version without a path; earlier versions keep it"),
    ("revert", "`tuckbox rollback --to TIME` appends a version like an earlier one"),
    ("du", "`tuckbox usage`; `tuckbox ls` shows the size of each directory"),
    ("log", "`tuckbox history PATH` for the states of a path, `tuckbox versions` for the versions"),
    ("search", "`tuckbox find PATTERN`"),
    ("locate", "`tuckbox find PATTERN`"),
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
    ("info", "`tuckbox versions` and `tuckbox usage` for figures, `tuckbox doctor` for health"),
    ("stats", "`tuckbox versions` and `tuckbox usage` for figures, `tuckbox doctor` for health"),
];

/// `--at`, for verbs that read a version.
fn at() -> Arg {
    Arg::new("at").long("at").value_name("WHEN").allow_hyphen_values(true).help(
        "Which version: latest (default), latest~N, previous, a time (`2 days ago`, `yesterday 18:00`, 2026-11-18: \
         the newest received by then), a number of the list (no.12), or the first 6 or more digits of an id",
    )
}

/// What a person looks around in: as the words of `shell` and `tui` say. `what` they asked for is nothing for programs.
fn inside(matches: &ArgMatches, desk: &Desk<'_>, what: &str) -> Result<Inside> {
    if desk.face.is_json() {
        return Err(Fault::new(Code::Usage, format!("{what} is for people")).hint("for programs: tuckbox query --json"));
    }
    let at = matches.get_one::<String>("at").cloned();
    if let Some(at) = &at {
        desk.version(at)?;
    }
    let colour = globals::colour(matches, desk.world, &desk.config)?;
    let mut inside = crate::shell::inside(desk, at, colour);
    inside.outer.account = matches.get_one::<String>("in").cloned().or(inside.outer.account);
    Ok(inside)
}

/// A path of at least one byte: an empty one is a variable that a script forgot to set, and would mean this directory.
fn some_path() -> impl clap::builder::TypedValueParser<Value = std::ffi::OsString> {
    use clap::builder::TypedValueParser as _;
    clap::builder::OsStringValueParser::new()
        .try_map(|path| if path.is_empty() { Err("it is empty; `.` is this directory") } else { Ok(path) })
}

/// An argument that takes a path of this machine, not one in a version.
fn local(arg: Arg) -> Arg {
    arg.value_hint(clap::ValueHint::AnyPath)
}

/// Path arguments; of paths in versions when not said otherwise (see [`local`]).
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

/// A record of a version in records about what is in it.
#[derive(serde::Serialize)]
struct VersionOf {
    version_id: String,
    sequence: u64,
    received_at: String,
}

impl From<&VersionMark> for VersionOf {
    fn from(mark: &VersionMark) -> Self {
        Self { version_id: mark.id.clone(), sequence: mark.sequence, received_at: rfc3339(mark.received_at_ms) }
    }
}

/// Refuses before anything is reached what nobody will be able to say yes to.
fn needs_yes(desk: &Desk<'_>, what: &str) -> Result<()> {
    if desk.settings.yes || desk.settings.may_ask {
        return Ok(());
    }
    let fault = Fault::new(Code::PolicyConfirm, format!("{what} needs a confirmation"));
    Err(fault.hint("add `--yes`; `-n` only tells what would be done"))
}

/// An id as people see it.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
