//! The records of the batch contract as one table (`table`): the JSON Schema that `tuckbox schema` prints and the fields
//! of `--format` come from it, and a test holds the output of every verb against it.

/// `name: Kind, "what it means";`; `[if_known]` after the name = only when it is known.
macro_rules! fields {
    ($($name:ident $([$maybe:ident])? : $kind:expr, $about:literal;)*) => {
        &[$($crate::schema::Field { name: stringify!($name), kind: $kind, always: fields!(@always $($maybe)?), about: $about },)*]
    };
    (@always) => { true };
    (@always if_known) => { false };
}

mod fields;
mod table;

use serde_json::{Map, Value, json};

pub use table::records;

use crate::cli::json::CONTRACT;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A path as text; bytes that are not clean text stand in the field of the same name with `_b64`.
    Path,
    /// Bytes in base 64.
    Base64,
    /// An id: lower-case hex digits.
    Id,
    /// A whole number, never negative.
    Count,
    /// A size or amount in bytes.
    Bytes,
    /// A whole number, also below zero.
    Change,
    /// A duration in milliseconds.
    Millis,
    /// A moment: RFC 3339, UTC, milliseconds.
    Moment,
    /// Yes or no.
    Switch,
    /// One of these words; more may come.
    Word(&'static [&'static str]),
    /// Texts.
    Texts,
    /// Whole numbers, never negative.
    Numbers,
    /// Lower-case words to numbers; more may come.
    Counts(&'static [Field]),
    /// Objects of these fields.
    Objects(&'static [Field]),
    /// An object of these fields.
    Object(&'static [Field]),
}

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// It is always there; otherwise only when it is known.
    pub always: bool,
    /// What it means.
    pub about: &'static str,
}

/// One kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its `type`.
    pub kind: &'static str,
    /// Verbs whose result it is; none = it may come in every stream. A summary names the verb in its field `command`.
    pub verbs: &'static [&'static str],
    /// It is a row of a list: `--format` and `-0` shape it.
    pub row: bool,
    /// What it tells.
    pub about: &'static str,
    /// Its fields, without those of the envelope.
    pub fields: &'static [Field],
}

impl Record {
    /// Whether it has a field.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|field| field == name)
    }

    /// Names of its fields.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let fields: &'static [Field] = self.fields;
        fields.iter().map(|field| field.name)
    }
}

/// The record of this kind (of summaries, the first).
#[must_use]
pub fn record(kind: &str) -> Option<&'static Record> {
    records().find(|record| record.kind == kind)
}

/// Kinds of rows that a verb lists.
pub fn rows_of(verb: &str) -> impl Iterator<Item = &'static Record> {
    records().filter(move |record| record.row && record.verbs.contains(&verb))
}

/// The JSON Schema of one line of a stream.
#[must_use]
pub fn schema() -> Value {
    let names: Vec<String> = records().enumerate().map(|(at, record)| definition_name(at, record)).collect();
    let definitions: Map<String, Value> =
        records().zip(&names).map(|(record, name)| (name.clone(), definition(record))).collect();
    let any: Vec<Value> = names.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of what tuckbox prints with --json",
        "description": "The first line is start, the last end. Within one v, fields and types are only added: \
                        ignore what you do not know. What is not known is absent.",
        "anyOf": any,
        "$defs": definitions,
    })
}

/// The same as a text, as it is printed and committed.
#[must_use]
pub fn text() -> String {
    let pretty = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    format!("{pretty}\n")
}

fn definition_name(at: usize, record: &Record) -> String {
    match (record.kind, record.verbs) {
        ("summary", [verb]) => {
            let before = records().take(at).filter(|other| other.kind == "summary" && other.verbs == record.verbs);
            match before.count() {
                0 => format!("summary_{verb}"),
                n => format!("summary_{verb}_{}", n + 1),
            }
        }
        (kind, _) => kind.to_owned(),
    }
}

fn definition(record: &Record) -> Value {
    let mut properties = Map::new();
    properties.insert("v".into(), json!({ "const": CONTRACT }));
    properties.insert("seq".into(), json!({ "type": "integer", "minimum": 0 }));
    properties.insert("time".into(), of_kind(Kind::Moment));
    properties.insert("type".into(), json!({ "const": record.kind }));
    let mut required = vec!["v", "seq", "time", "type"];
    if let ("summary", [verb]) = (record.kind, record.verbs) {
        properties.insert("command".into(), json!({ "const": verb }));
        required.push("command");
    }
    add(&mut properties, &mut required, record.fields);
    json!({ "description": record.about, "type": "object", "properties": properties, "required": required })
}

fn add(properties: &mut Map<String, Value>, required: &mut Vec<&'static str>, fields: &'static [Field]) {
    for field in fields {
        let mut value = of_kind(field.kind);
        if let Value::Object(object) = &mut value {
            object.insert("description".into(), field.about.into());
        }
        properties.insert(field.name.into(), value);
        if field.kind == Kind::Path {
            let about = format!("The bytes of {}, when they are not exactly its text.", field.name);
            let mut value = of_kind(Kind::Base64);
            if let Value::Object(object) = &mut value {
                object.insert("description".into(), about.into());
            }
            properties.insert(format!("{}_b64", field.name), value);
        }
        if field.always {
            required.push(field.name);
        }
    }
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Path => json!({ "type": "string" }),
        Kind::Base64 => json!({ "type": "string", "contentEncoding": "base64" }),
        Kind::Id => json!({ "type": "string", "pattern": "^[0-9a-f]*$" }),
        Kind::Count | Kind::Bytes | Kind::Millis => json!({ "type": "integer", "minimum": 0 }),
        Kind::Change => json!({ "type": "integer" }),
        Kind::Moment => {
            json!({ "type": "string", "pattern": "^-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z$" })
        }
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Word(words) => json!({ "type": "string", "examples": words }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Numbers => json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } }),
        Kind::Objects(fields) => json!({ "type": "array", "items": object(fields) }),
        Kind::Object(fields) | Kind::Counts(fields) => object(fields),
    }
}

fn object(fields: &'static [Field]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    add(&mut properties, &mut required, fields);
    json!({ "type": "object", "properties": properties, "required": required })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::VERBS;

    #[test]
    fn names_tell_types_and_verbs_exist() {
        for record in records() {
            for verb in record.verbs {
                assert!(VERBS.iter().any(|known| known.name == *verb), "{}: there is no verb {verb}", record.kind);
            }
            let mut names: Vec<&str> = record.names().collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|two| two[0] != two[1]), "{}: {names:?}", record.kind);
            for field in record.fields {
                let kind = field.kind;
                assert!(!field.name.ends_with("_bytes") || kind == Kind::Bytes, "{}.{}", record.kind, field.name);
                assert!(!field.name.ends_with("_ms") || kind == Kind::Millis, "{}.{}", record.kind, field.name);
                assert!(!field.name.ends_with("_at") || kind == Kind::Moment, "{}.{}", record.kind, field.name);
                assert!(field.about.ends_with('.'), "{}.{}", record.kind, field.name);
            }
        }
    }

    /// A record is found by its kind alone; summaries have the verb, too.
    #[test]
    fn a_kind_is_one_record() {
        let mut kinds: Vec<&str> = records().map(|record| record.kind).filter(|kind| *kind != "summary").collect();
        kinds.sort_unstable();
        assert!(kinds.windows(2).all(|two| two[0] != two[1]), "{kinds:?}");
    }

    #[test]
    fn the_committed_schema_is_this_one() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/records.json");
        if std::env::var_os("TUCKBOX_PIN").is_some() {
            std::fs::write(file, text()).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap();
        assert!(
            committed == text(),
            "the schema changed; when that is meant: tuckbox schema > agent/schema/records.json"
        );
    }
}
