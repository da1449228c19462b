//! Changes one value of the configuration file. Everything else in it, comments too, stays as it is.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::keys::{self, Key, Kind, Section};
use super::load::text_of;
use super::parse::Config;
use crate::cli::nearest;
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, harmless_line};

/// Which value: of the top, or of the n-th `[[source]]` (from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// The key.
    pub key: &'static Key,
    /// The source.
    pub source: Option<usize>,
}

impl Which {
    /// Reads `vault`, or `source.2.exclude`.
    pub fn parse(text: &str) -> Result<Self> {
        let shown = harmless_line(text);
        let (section, name, source) = match text.strip_prefix("source.") {
            None => (Section::Top, text, None),
            Some(rest) => {
                let (number, name) = rest.split_once('.').unwrap_or((rest, ""));
                let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                    Fault::new(Code::Usage, format!("\"{shown}\" names no source"))
                        .hint("write it as in source.1.exclude; `tuckbox config show` numbers them")
                })?;
                (Section::Source, name, Some(number))
            }
        };
        let Some(key) = keys::named(section, name) else {
            let fault = Fault::new(Code::Usage, format!("there is no key \"{shown}\""));
            return Err(match nearest(name, keys::names(section)) {
                Some(near) => fault.hint(format!("did you mean {near}?")),
                None => fault.hint("`tuckbox config template` shows every key"),
            });
        };
        Ok(Self { key, source })
    }
}

/// A text with a value set (or taken away), everything else as it was. A source after the last is added.
pub fn changed(text: &str, which: Which, values: Option<&[String]>) -> Result<String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| Fault::new(Code::Config, harmless_line(error.message())))?;
    let table: &mut Table = match which.source {
        None => document.as_table_mut(),
        Some(number) => {
            let tables = document.entry("source").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
            let tables = tables
                .as_array_of_tables_mut()
                .ok_or_else(|| Fault::new(Code::Config, "the sources are not written as [[source]]"))?;
            if number == tables.len() + 1 && values.is_some() {
                tables.push(Table::new());
            }
            let there = tables.len();
            tables.get_mut(number - 1).ok_or_else(|| {
                Fault::new(Code::Usage, format!("there is no source {number}, only {there}"))
                    .hint(format!("a new one begins with its path: tuckbox config set source.{}.path DIR", there + 1))
            })?
        }
    };
    match values {
        Some(values) => put(table, which.key.name, item(which.key, values)?),
        None => drop(table.remove(which.key.name)),
    }
    Ok(document.to_string())
}

/// Sets a value and keeps what stands behind the old one.
fn put(table: &mut Table, name: &str, mut new: Item) {
    if let (Some(old), Some(new)) = (table.get(name).and_then(Item::as_value), new.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    match table.get_mut(name) {
        // In its place: what stands above it stays there.
        Some(old) => *old = new,
        None => drop(table.insert(name, new)),
    }
}

fn item(key: &Key, values: &[String]) -> Result<Item> {
    let wrong = |why: String| {
        Fault::new(Code::Usage, format!("{}: {why}", key.name)).hint(format!("as in {} = {}", key.name, key.example))
    };
    match (key.kind, values) {
        (Kind::Texts | Kind::Paths, [one]) if one.trim_start().starts_with('[') => list(key, one),
        (Kind::Texts | Kind::Paths, [one]) => Ok(value(one.as_str())),
        (Kind::Texts | Kind::Paths, many) => Ok(value(many.iter().map(String::as_str).collect::<Array>())),
        (Kind::Switch, [one]) => match one.as_str() {
            "true" | "yes" | "on" => Ok(value(true)),
            "false" | "no" | "off" => Ok(value(false)),
            _ => Err(wrong("it must be true or false".into())),
        },
        (Kind::Count, [one]) => one.parse::<i64>().map(value).map_err(|_| wrong("it must be a whole number".into())),
        (_, [one]) => Ok(value(one.as_str())),
        _ => Err(wrong("it takes one value".into())),
    }
}

/// A list as the file has it. A glob that begins with a bracket stands in one, too.
fn list(key: &Key, text: &str) -> Result<Item> {
    let array = text.trim().parse::<Value>().ok().and_then(|value| value.as_array().cloned());
    let array = array.filter(|array| array.iter().all(Value::is_str)).ok_or_else(|| {
        Fault::new(Code::Usage, format!("{}: what begins with [ must be a list of texts in quotes", key.name)).hint(
            format!(
                "as in '[\"one\", \"two\"]', or each as a word of its own: tuckbox config set {} one two",
                key.name
            ),
        )
    })?;
    Ok(value(array.iter().filter_map(Value::as_str).collect::<Array>()))
}

/// A list as `config set` takes it, in one line that a terminal may show: one value as it is, where that cannot be read as a
/// list.
#[must_use]
pub fn list_text(texts: &[String]) -> String {
    match texts {
        [one] if !one.is_empty() && !one.trim_start().starts_with('[') && harmless_line(one) == *one => one.clone(),
        many => format!("[{}]", many.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
    }
}

/// A text as TOML has it in one line.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if harmless_line(c.encode_utf8(&mut [0; 4])) != c.to_string() => {
                out.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Changes the file. What would not be a good file is not written.
pub fn change(file: &Path, home: Option<&Path>, which: Which, values: Option<&[String]>) -> Result<()> {
    let name = for_terminal(file.as_os_str().as_bytes());
    let text = text_of(file)?.unwrap_or_default();
    let new = changed(&text, which, values)?;
    // Variables may come from files that this one includes: only what is written here is looked at.
    if !new.contains("${") {
        Config::parse(&new, home)
            .map_err(|(line, fault)| Fault { message: format!("{name}:{line}: {}", fault.message), ..fault })?;
    }
    let failed = |error: std::io::Error| Fault::new(Code::of(&error), format!("cannot write {name}")).because(error);
    if let Some(dir) = file.parent() {
        crate::engine::state::private_dir(dir)?;
    }
    // A link to the file stays one.
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let mode = std::fs::metadata(&real).map(|meta| meta.permissions());
    let beside = real.with_extension("toml.new");
    std::fs::write(&beside, new).map_err(failed)?;
    if let Ok(mode) = mode {
        std::fs::set_permissions(&beside, mode).map_err(failed)?;
    }
    std::fs::File::open(&beside).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&beside, &real).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str =
        "# mine\nvault = '/v'  # the disk\n\n[[source]]\n# documents\npath = '/a'\nexclude = ['x', 'y']\n";

    fn set(text: &str, key: &str, values: &[&str]) -> Result<String> {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        changed(text, Which::parse(key)?, Some(&values))
    }

    #[test]
    fn one_line_changes_and_comments_stay() {
        let made = set(FILE, "vault", &["/w"]).unwrap();
        assert_eq!(made, FILE.replace("'/v'  #", "\"/w\"  #"));
        let made = set(FILE, "source.1.exclude", &["z"]).unwrap();
        assert_eq!(made, FILE.replace("['x', 'y']", "\"z\""));
        let made = set(FILE, "utc", &["yes"]).unwrap();
        assert_eq!(Config::parse(&made, None).unwrap().sources.len(), 1, "{made}");
        assert!(made.contains("utc = true") && made.contains("# documents"));
        let made = set(FILE, "source.2.path", &["/b"]).unwrap();
        assert_eq!(Config::parse(&made, None).unwrap().sources.len(), 2);
        assert_eq!(
            changed(FILE, Which::parse("vault").unwrap(), None).unwrap().lines().count(),
            FILE.lines().count() - 2
        );
    }

    #[test]
    fn one_value_may_be_a_list() {
        let made = set(FILE, "source.1.exclude", &[r#" ["*.o", 'tmp'] "#]).unwrap();
        assert_eq!(made, FILE.replace("['x', 'y']", r#"["*.o", "tmp"]"#));
        for wrong in ["[ab]*.txt", "[1, 2]", "[\"a\""] {
            let fault = set(FILE, "exclude", &[wrong]).unwrap_err();
            assert!(fault.message.contains("must be a list") && fault.hint.unwrap().contains("\"one\""), "{wrong}");
        }
        // What takes one text may begin so.
        assert!(set(FILE, "password_command", &["[ -f x ]"]).is_ok());
    }

    #[test]
    fn what_is_no_key_is_told() {
        assert_eq!(Which::parse("vualt").unwrap_err().hint.as_deref(), Some("did you mean vault?"));
        assert_eq!(Which::parse("source.1.exlude").unwrap_err().hint.as_deref(), Some("did you mean exclude?"));
        assert!(Which::parse("source.exclude").is_err() && Which::parse("source.0.path").is_err());
        assert!(set(FILE, "source.3.path", &["/c"]).is_err());
        assert!(set(FILE, "guard_min", &["many"]).is_err());
    }

    proptest! {
        #[test]
        fn a_list_that_was_got_can_be_set(texts in proptest::collection::vec("[^\0]*", 0..4)) {
            let texts: Vec<String> = texts.iter().map(|text| text.replace("${", "")).collect();
            let shown = list_text(&texts);
            prop_assert_eq!(&harmless_line(&shown), &shown);
            let made = item(&keys::EXCLUDE, &[shown]).unwrap();
            let value = made.as_value().unwrap();
            let back: Vec<String> = match value.as_array() {
                Some(many) => many.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
                None => vec![value.as_str().unwrap().to_owned()],
            };
            prop_assert_eq!(back, texts);
        }

        #[test]
        fn any_text_comes_back(text in "[^\0]+") {
            let text = text.replace("${", "");
            prop_assume!(!text.is_empty());
            let config = Config::parse(&set(FILE, "password_command", &[&text]).unwrap(), None).unwrap();
            prop_assert_eq!(config.top.text(&keys::PASSWORD_COMMAND), Some(text.as_str()));
        }
    }
}
