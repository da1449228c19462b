//! What a source leaves out: the rules for all sources, then its own, then those of the command line; of several that
//! match, the last decides. Each says where it stands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;

use super::{ages, place};
use crate::cli::Desk;
use crate::command::texts;
use crate::config::{Key, Table, keys};
use crate::engine::filter_command::FilterJob;
use crate::fault::Result;
use crate::source::{Given, Patterns, SelectionOptions};

/// The keys of one level.
struct Keys {
    exclude: &'static Key,
    exclude_file: &'static Key,
    iexclude: &'static Key,
    caches: &'static Key,
    if_present: &'static Key,
    larger_than: &'static Key,
    one_file_system: Option<&'static Key>,
}

static FOR_ALL: Keys = Keys {
    exclude: &keys::EXCLUDE,
    exclude_file: &keys::EXCLUDE_FILE,
    iexclude: &keys::IEXCLUDE,
    caches: &keys::EXCLUDE_CACHES,
    if_present: &keys::EXCLUDE_IF_PRESENT,
    larger_than: &keys::EXCLUDE_LARGER_THAN,
    one_file_system: None,
};

static OWN: Keys = Keys {
    exclude: &keys::SOURCE_EXCLUDE,
    exclude_file: &keys::SOURCE_EXCLUDE_FILE,
    iexclude: &keys::SOURCE_IEXCLUDE,
    caches: &keys::SOURCE_EXCLUDE_CACHES,
    if_present: &keys::SOURCE_EXCLUDE_IF_PRESENT,
    larger_than: &keys::SOURCE_EXCLUDE_LARGER_THAN,
    one_file_system: Some(&keys::SOURCE_ONE_FILE_SYSTEM),
};

/// The rules of the source at a path, whose table this is. Errors when an age is not understood, with its place.
pub(super) fn of(
    path: &[u8],
    table: &Table,
    matches: Option<&ArgMatches>,
    desk: &Desk<'_>,
) -> Result<SelectionOptions> {
    let mut rules = SelectionOptions { ages: ages::of(path, matches, desk)?, ..SelectionOptions::default() };
    add_level(&mut rules, &desk.config.top, &FOR_ALL, desk);
    add_level(&mut rules, table, &OWN, desk);
    if let Some(matches) = matches {
        add_options(&mut rules, matches, desk);
    }
    Ok(rules)
}

/// The texts of a key, as rules that say where they stand.
pub(super) fn given(table: &Table, key: &Key, desk: &Desk<'_>) -> Vec<Given> {
    table.texts_at(key).into_iter().map(|(text, spot)| Given::new(text, place(desk, spot))).collect()
}

/// The command that decides file by file.
pub(super) fn filter(table: &Table, desk: &Desk<'_>) -> Option<FilterJob> {
    let command = table.text(&keys::SOURCE_FILTER)?.to_owned();
    let (_, spot) = table.get(&keys::SOURCE_FILTER)?;
    Some(FilterJob { command, from: place(desk, spot) })
}

fn add_level(rules: &mut SelectionOptions, table: &Table, keys: &Keys, desk: &Desk<'_>) {
    let from = |key: &Key| table.get(key).map_or_else(String::new, |(_, spot)| place(desk, spot));
    rules.patterns.extend(given(table, keys.exclude, desk).into_iter().map(Patterns::One));
    let files = table.texts(keys.exclude_file).into_iter();
    rules.patterns.extend(files.map(|path| Patterns::File { path: PathBuf::from(path), fold: false }));
    rules.patterns.extend(given(table, keys.iexclude, desk).into_iter().map(Given::folded).map(Patterns::One));
    if table.switch(keys.caches) {
        rules.exclude_caches = Some(from(keys.caches));
    } else if table.get(keys.caches).is_some() {
        // A source may do without what counts for all.
        rules.exclude_caches = None;
    }
    rules.exclude_if_present.extend(given(table, keys.if_present, desk));
    if let Some(bytes) = table.number(keys.larger_than) {
        rules.larger_than = Some((bytes, from(keys.larger_than)));
    }
    if let Some(key) = keys.one_file_system.filter(|key| table.switch(key)) {
        rules.one_file_system = Some(from(key));
    }
}

fn add_options(rules: &mut SelectionOptions, matches: &ArgMatches, desk: &Desk<'_>) {
    let option = |name: &str| format!("--{name}");
    let given = |name: &'static str| {
        let texts = texts(matches, name).into_iter();
        texts.map(move |text| Given::new(text, option(name))).collect::<Vec<_>>()
    };
    rules.patterns.extend(given("exclude").into_iter().map(Patterns::One));
    let files = matches.get_many::<OsString>("exclude-file").into_iter().flatten();
    let path = |file: &OsString| desk.world.working.join(file);
    rules.patterns.extend(files.map(|file| Patterns::File { path: path(file), fold: false }));
    rules.patterns.extend(given("iexclude").into_iter().map(Given::folded).map(Patterns::One));
    rules.exclude_if_present.extend(given("exclude-if-present"));
    if matches.get_flag("exclude-caches") {
        rules.exclude_caches = Some(option("exclude-caches"));
    }
    if matches.get_flag("one-file-system") {
        rules.one_file_system = Some(option("one-file-system"));
    }
    if let Some(bytes) = matches.get_one::<u64>("exclude-larger-than") {
        rules.larger_than = Some((*bytes, option("exclude-larger-than")));
    }
}
