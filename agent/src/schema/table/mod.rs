//! The table, one file a family of verbs. A verb that tells something new adds its record there.

use super::Record;

mod key;
mod past;
mod run;
mod shell;
mod stream;
mod tool;
mod traffic;
mod upkeep;
mod vault;

/// The families, in the order of the schema.
const FAMILIES: &[&[Record]] = &[
    stream::RECORDS,
    run::RECORDS,
    past::RECORDS,
    upkeep::RECORDS,
    vault::RECORDS,
    traffic::RECORDS,
    key::RECORDS,
    tool::RECORDS,
    shell::RECORDS,
];

/// Every record, in the order of the schema.
pub fn records() -> impl Iterator<Item = &'static Record> + Clone {
    FAMILIES.iter().copied().flatten()
}
