//! Completion, one for our shell and for those of others: what a line may go on with, by the table of verbs.
//!
//! * [`spot`]: where in a command line one is, and what may stand there
//! * [`offer`]: what there is to choose from
//! * [`scripts`]: the files for bash, zsh and fish; they ask the hidden verb `__complete`

pub mod offer;
pub mod scripts;
pub mod spot;

use clap::{Arg, ValueHint};

/// What may stand at some place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A path in a version.
    Remote,
    /// A directory in a version.
    RemoteDir,
    /// A path of this machine.
    Local,
    /// A directory of this machine.
    LocalDir,
    /// A version, as `--at` takes it.
    Version,
    /// An account that this machine has the key of.
    Account,
    /// An account of the vault, for who looks after it.
    AnyAccount,
    /// A group of accounts.
    Group,
    /// An error code.
    Code,
    /// A key of the configuration.
    Setting,
    /// A verb, or a word of the shell.
    Verb,
    /// One of these words, each with what it means.
    Words(Vec<(String, String)>),
    /// Nothing that we could know.
    Nothing,
}

/// What an argument takes. An argument says so by its hint (a path of this machine), its words, or the name of its value: a
/// `PATH` is one in a version, as [`Desk::paths`](crate::cli::Desk::paths) reads it.
#[must_use]
pub fn takes(arg: &Arg) -> Takes {
    let words = arg.get_possible_values();
    if !arg.get_action().takes_values() {
        return Takes::Nothing;
    }
    if !words.is_empty() {
        let word = |value: &clap::builder::PossibleValue| {
            (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
        };
        return Takes::Words(words.iter().map(word).collect());
    }
    match arg.get_value_hint() {
        ValueHint::AnyPath | ValueHint::FilePath => return Takes::Local,
        ValueHint::DirPath => return Takes::LocalDir,
        _ => {}
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    match (name, arg.get_id().as_str()) {
        ("PATH", "remote-program") | ("FILE", _) => Takes::Local,
        ("PATH", _) => Takes::Remote,
        ("DIR" | "VAULT" | "LOCAL", _) => Takes::LocalDir,
        ("WHEN", "at") | ("A" | "B" | "VERSION", _) => Takes::Version,
        ("ACCOUNT", "name" | "accounts") => Takes::AnyAccount,
        ("NAME", "account") | ("ACCOUNT", _) => Takes::Account,
        ("GROUP", _) => Takes::Group,
        ("CODE", _) => Takes::Code,
        ("KEY", _) => Takes::Setting,
        ("VERB", _) => Takes::Verb,
        _ => Takes::Nothing,
    }
}
