//! From TOML to values. Every key is looked up in [`super::keys`]; what is not there is an error with its line.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::keys::{self, Key, Kind, Section};
use super::variables::Variables;
use crate::cli::nearest;
use crate::fault::{Code, Fault, Result};
use crate::name::harmless_line;
use crate::timetable::Timetable;
use crate::units::{parse_duration, parse_share, parse_size};

/// A configuration file, or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The file, when there is one.
    pub file: Option<PathBuf>,
    /// It and those that it includes, as [`Spot`] counts them.
    pub files: Vec<PathBuf>,
    /// Keys at the top.
    pub top: Table,
    /// Each `[[source]]`.
    pub sources: Vec<Table>,
}

/// Keys of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Line of its head; 1 for the top.
    pub line: usize,
    values: Vec<(&'static Key, Value, Spot)>,
    /// Where each of the texts of a list stands.
    lines: Vec<(&'static Key, Vec<Spot>)>,
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Texts, paths (made absolute) and words.
    Text(String),
    /// Switches.
    Switch(bool),
    /// Sizes in bytes, counts, shares in thousandths.
    Number(u64),
    /// Lists of texts.
    Texts(Vec<String>),
}

impl Table {
    /// The text of a key.
    #[must_use]
    pub fn text(&self, key: &Key) -> Option<&str> {
        match self.get(key)?.0 {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The switch of a key; off when absent.
    #[must_use]
    pub fn switch(&self, key: &Key) -> bool {
        matches!(self.get(key), Some((Value::Switch(true), _)))
    }

    /// The number of a key: bytes, a count or thousandths.
    #[must_use]
    pub fn number(&self, key: &Key) -> Option<u64> {
        match self.get(key)?.0 {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The texts of a key; none when absent.
    #[must_use]
    pub fn texts(&self, key: &Key) -> Vec<String> {
        match self.get(key) {
            Some((Value::Texts(texts), _)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    /// The same, each with its place.
    #[must_use]
    pub fn texts_at(&self, key: &Key) -> Vec<(String, Spot)> {
        let spots = self.lines.iter().find(|(of, _)| std::ptr::eq(*of, key)).map(|(_, spots)| spots.clone());
        self.texts(key).into_iter().zip(spots.unwrap_or_default()).collect()
    }

    /// Value and place of a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<(&Value, Spot)> {
        self.values.iter().find(|(of, _, _)| std::ptr::eq(*of, key)).map(|(_, value, spot)| (value, *spot))
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Switch(on) => on.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Texts(texts) => f.write_str(&texts.join(", ")),
        }
    }
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Which of [`Config::files`].
    pub file: usize,
    /// Its line, from 1.
    pub line: usize,
}

impl Config {
    /// Reads a text; an error comes with its line. Other files that it names are not read.
    pub fn parse(text: &str, home: Option<&Path>) -> Result<Self, (usize, Fault)> {
        Self::read(text, 0, home, &mut |_, _| Ok(Variables::default()))
    }

    /// Reads the text of a file with this number. `outside` gets the files that it includes and its own variables, and
    /// gives all variables that count in it.
    pub(super) fn read(
        text: &str,
        file: usize,
        home: Option<&Path>,
        outside: &mut Outside<'_>,
    ) -> Result<Self, (usize, Fault)> {
        let line_of = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        let top = DeTable::parse(text).map_err(|e| {
            let line = line_of(e.span().map_or(0, |span| span.start));
            (line, Fault::new(Code::Config, harmless_line(e.message())))
        })?;
        let mut reader = Reader { line_of: &line_of, file, home, variables: None };
        let top = top.get_ref();
        let own = top.get("vars").map(|vars| reader.variables(vars)).transpose()?.unwrap_or_default();
        let named = top.iter().find(|(name, _)| name.get_ref() == "include");
        let included = named.map(|(name, value)| reader.entry(Section::Top, name, value)).transpose()?;
        let (files, line) = match included {
            Some((_, Value::Texts(files), spot)) => (files, spot.line),
            _ => (Vec::new(), 1),
        };
        reader.variables = Some(outside(&files, own).map_err(|fault| (line, fault))?);
        let mut config = Self { top: Table { line: 1, ..Table::default() }, ..Self::default() };
        for (name, value) in top {
            let line = line_of(name.span().start);
            match name.get_ref().as_ref() {
                "vars" => {}
                "source" => {
                    let tables = value.get_ref().as_array();
                    let single = || (line, Fault::new(Code::Config, "write [[source]] with two brackets"));
                    for table in tables.ok_or_else(single)?.iter() {
                        config.sources.push(reader.source(table)?);
                    }
                }
                _ => reader.put(&mut config.top, Section::Top, name, value)?,
            }
        }
        Ok(config)
    }

    /// Takes over what another file says and this one does not.
    pub(super) fn add(&mut self, other: Self) {
        for (key, value, spot) in other.top.values {
            if self.top.get(key).is_none() {
                self.top.values.push((key, value, spot));
                self.top.lines.extend(other.top.lines.iter().find(|(of, _)| std::ptr::eq(*of, key)).cloned());
            }
        }
        self.sources.extend(other.sources);
    }
}

/// See [`Config::read`].
pub(super) type Outside<'o> = dyn FnMut(&[String], Variables) -> Result<Variables> + 'o;

struct Reader<'a> {
    line_of: &'a dyn Fn(usize) -> usize,
    file: usize,
    home: Option<&'a Path>,
    /// Nothing is filled in before they are known.
    variables: Option<Variables>,
}

type Spanned<T> = toml::Spanned<T>;

impl Reader<'_> {
    fn source(&self, table: &Spanned<DeValue<'_>>) -> Result<Table, (usize, Fault)> {
        let line = (self.line_of)(table.span().start);
        let wrong = |message: &str| (line, Fault::new(Code::Config, message));
        let entries = table.get_ref().as_table().ok_or_else(|| wrong("a [[source]] is a table"))?;
        let mut out = Table { line, ..Table::default() };
        for (name, value) in entries {
            self.put(&mut out, Section::Source, name, value)?;
        }
        match out.get(&keys::SOURCE_PATH) {
            Some(_) => Ok(out),
            None => Err(wrong("this [[source]] has no path")),
        }
    }

    /// Puts a key into a table, with the place of each text of a list.
    fn put(
        &self,
        table: &mut Table,
        section: Section,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), (usize, Fault)> {
        let (key, checked, spot) = self.entry(section, name, value)?;
        if let Value::Texts(_) = checked {
            table.lines.push((key, self.spots(value, spot)));
        }
        table.values.push((key, checked, spot));
        Ok(())
    }

    /// Where the texts of a list stand: those that a variable stands for, where that was set.
    fn spots(&self, value: &Spanned<DeValue<'_>>, of_key: Spot) -> Vec<Spot> {
        let list = |value: &DeValue<'_>| self.variables.as_ref()?.list(value.as_str()?);
        let of = |value: &Spanned<DeValue<'_>>, here: Spot| match list(value.get_ref()) {
            Some(texts) => texts.iter().map(|(_, spot)| *spot).collect(),
            None => vec![here],
        };
        match value.get_ref().as_array() {
            Some(texts) => {
                let line = |text: &Spanned<DeValue<'_>>| (self.line_of)(text.span().start);
                texts.iter().flat_map(|text| of(text, Spot { file: self.file, line: line(text) })).collect()
            }
            None => of(value, of_key),
        }
    }

    fn entry(
        &self,
        section: Section,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(&'static Key, Value, Spot), (usize, Fault)> {
        let line = (self.line_of)(name.span().start);
        let spot = Spot { file: self.file, line };
        let Some(key) = keys::named(section, name.get_ref()) else {
            return Err((line, unknown(section, name.get_ref())));
        };
        match self.value(key.kind, value.get_ref()) {
            Ok(value) => Ok((key, value, spot)),
            Err(why) => Err((
                line,
                Fault::new(Code::Config, format!("{}: {why}", key.name))
                    .hint(format!("as in {} = {}", key.name, key.example)),
            )),
        }
    }

    fn value(&self, kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
        let text = || match value.as_str() {
            Some("") => Err("it is empty".to_owned()),
            Some(text) if text.contains('\0') => Err("it holds a zero byte".to_owned()),
            Some(text) => self.variables.as_ref().map_or_else(|| Ok(text.to_owned()), |variables| variables.fill(text)),
            None => Err(format!("it must be a text in quotes, not {} {}", article(value.type_str()), value.type_str())),
        };
        match kind {
            Kind::Text => text().map(Value::Text),
            Kind::Path => self.path(&text()?).map(Value::Text),
            Kind::Switch => value.as_bool().map(Value::Switch).ok_or_else(|| "it must be true or false".to_owned()),
            Kind::Size => match number(value) {
                Some(number) => Ok(Value::Number(number)),
                None => parse_size(&text()?).map(Value::Number),
            },
            Kind::Duration => {
                let written = number(value).map_or_else(text, |seconds| Ok(seconds.to_string()))?;
                parse_duration(&written).map(|_| Value::Text(written))
            }
            Kind::Timetable => {
                let written = text()?;
                Timetable::parse(&written).map(|_| Value::Text(written))
            }
            Kind::Count => number(value).map(Value::Number).ok_or_else(|| "it must be a whole number".to_owned()),
            Kind::Share => {
                let written = number(value).map_or_else(text, |number| Ok(number.to_string()))?;
                parse_share(&written).map(|permille| Value::Number(u64::from(permille)))
            }
            Kind::Texts | Kind::Paths => self.texts(kind, value),
            Kind::OneOf(words) => match text()? {
                word if words.contains(&word.as_str()) => Ok(Value::Text(word)),
                word => Err(format!("\"{}\" is not one of {}", harmless_line(&word), words.join(", "))),
            },
        }
    }

    /// `[vars]`: each a text.
    fn variables(&self, vars: &Spanned<DeValue<'_>>) -> Result<Variables, (usize, Fault)> {
        let line = (self.line_of)(vars.span().start);
        let wrong = |line, why: String| (line, Fault::new(Code::Config, why).hint("as in disk = \"/media/disk\""));
        let table = vars.get_ref().as_table().ok_or_else(|| wrong(line, "[vars] is a table of texts".into()))?;
        let mut own = Variables::default();
        for (name, value) in table {
            let line = (self.line_of)(name.span().start);
            let shown = harmless_line(name.get_ref());
            let neither = |line| wrong(line, format!("{shown}: it must be a text in quotes, or a list of texts"));
            let set = match (value.get_ref().as_str(), value.get_ref().as_array()) {
                (Some(text), _) => own.set(name.get_ref(), text),
                (None, Some(texts)) => {
                    let mut list = Vec::new();
                    for text in texts.iter() {
                        let line = (self.line_of)(text.span().start);
                        let written = text.get_ref().as_str().ok_or_else(|| neither(line))?;
                        list.push((written.to_owned(), Spot { file: self.file, line }));
                    }
                    own.set_list(name.get_ref(), list)
                }
                (None, None) => return Err(neither(line)),
            };
            set.map_err(|why| wrong(line, format!("{shown}: {why}")))?;
        }
        Ok(own)
    }

    fn texts(&self, kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
        let one = if kind == Kind::Paths { Kind::Path } else { Kind::Text };
        let single = |value: &DeValue<'_>| match self.value(one, value)? {
            Value::Text(text) => Ok(text),
            _ => Err("it must be a text".to_owned()),
        };
        // A variable that is a list stands for its texts.
        let some = |value: &DeValue<'_>| {
            let list = self.variables.as_ref().and_then(|variables| variables.list(value.as_str()?));
            match list {
                Some(texts) if kind == Kind::Texts => Ok(texts.iter().map(|(text, _)| text.clone()).collect()),
                Some(texts) => texts.iter().map(|(text, _)| self.path(text)).collect(),
                None => Ok(vec![single(value)?]),
            }
        };
        let texts: Result<Vec<Vec<String>>, String> = match value.as_array() {
            Some(list) => list.iter().map(|item| some(item.get_ref())).collect(),
            None => some(value).map(|texts| vec![texts]),
        };
        Ok(Value::Texts(texts?.concat()))
    }

    fn path(&self, text: &str) -> Result<String, String> {
        if text.starts_with('/') {
            return Ok(text.to_owned());
        }
        let below = if text == "~" { Some("") } else { text.strip_prefix("~/") };
        match (below, self.home.and_then(Path::to_str)) {
            (Some(below), Some(home)) => Ok(format!("{}/{below}", home.trim_end_matches('/'))),
            (Some(_), None) => Err("there is no home directory for ~".to_owned()),
            (None, _) => Err("it must be absolute, or begin with ~/".to_owned()),
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn unknown(section: Section, name: &str) -> Fault {
    let shown = harmless_line(name);
    let place = if section == Section::Top { "" } else { " of [[source]]" };
    let fault = Fault::new(Code::Config, format!("there is no key \"{shown}\"{place}"));
    let other = if section == Section::Top { Section::Source } else { Section::Top };
    if keys::named(other, name).is_some() {
        let right = if other == Section::Top { "above the first [[source]]" } else { "in a [[source]]" };
        return fault.hint(format!("{shown} stands {right}"));
    }
    match nearest(name, keys::names(section)) {
        Some(near) => fault.hint(format!("did you mean {near}? `tuckbox config template` shows every key")),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOME: &str = "/home/ana";

    fn parse(text: &str) -> Result<Config, (usize, String, Option<String>)> {
        Config::parse(text, Some(Path::new(HOME))).map_err(|(line, fault)| (line, fault.message, fault.hint))
    }

    #[test]
    fn a_file_is_read() {
        let config = parse(
            "vault = 'me@host:vault'\nguard_share = '30%'\nguard_min = 1_000\nutc = true\n\n[[source]]\npath = '~/docs'\n\
             exclude = ['*.o', 'tmp']\nexclude_larger_than = '4M'\none_file_system = true\ntag = 'daily'\n\n\
             [[source]]\npath = '/srv/'\n",
        )
        .unwrap();
        assert_eq!(config.top.text(&keys::VAULT), Some("me@host:vault"));
        assert_eq!(config.top.number(&keys::GUARD_SHARE), Some(300));
        assert_eq!(config.top.number(&keys::GUARD_MIN), Some(1000));
        assert_eq!(config.top.get(&keys::UTC), Some((&Value::Switch(true), Spot { file: 0, line: 4 })));
        let [docs, srv] = config.sources.as_slice() else { panic!("two sources") };
        assert_eq!(docs.text(&keys::SOURCE_PATH), Some("/home/ana/docs"));
        assert_eq!(docs.texts(&keys::SOURCE_EXCLUDE), ["*.o", "tmp"]);
        assert_eq!(docs.texts(&keys::SOURCE_TAG), ["daily"]);
        assert_eq!(docs.number(&keys::SOURCE_EXCLUDE_LARGER_THAN), Some(4 << 20));
        assert!(docs.switch(&keys::SOURCE_ONE_FILE_SYSTEM) && !docs.switch(&keys::SOURCE_EXCLUDE_CACHES));
        assert_eq!((srv.text(&keys::SOURCE_PATH), srv.line), (Some("/srv/"), 13));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, message, hint) in [
            (
                "\nvualt = 'x'",
                2,
                "there is no key \"vualt\"",
                Some("did you mean vault? `tuckbox config template` shows every key"),
            ),
            ("min_age = '1d'", 1, "there is no key \"min_age\"", Some("min_age stands in a [[source]]")),
            (
                "[[source]]\npath='/x'\nexlude='y'",
                3,
                "there is no key \"exlude\" of [[source]]",
                Some("did you mean exclude? `tuckbox config template` shows every key"),
            ),
            (
                "[[source]]\npath='/x'\nvault='y'",
                3,
                "there is no key \"vault\" of [[source]]",
                Some("vault stands above the first [[source]]"),
            ),
            (
                "vault = 3",
                1,
                "vault: it must be a text in quotes, not an integer",
                Some("as in vault = \"ssh://backup@example.org/srv/vault\""),
            ),
            ("ssh = 'x'", 1, "ssh: \"x\" is not one of auto, embedded, system", Some("as in ssh = \"system\"")),
            ("key = 'rel'", 1, "key: it must be absolute, or begin with ~/", Some("as in key = \"~/keys/laptop.key\"")),
            (
                "retry = '10x'",
                1,
                "retry: \"10x\" is not a duration: write it as in 30s, 10min, 1.5h or 1d",
                Some("as in retry = \"1h\""),
            ),
            ("guard_min = -1", 1, "guard_min: it must be a whole number", Some("as in guard_min = 1000")),
            ("utc = 'yes'", 1, "utc: it must be true or false", Some("as in utc = true")),
            ("[source]\npath = '/x'", 1, "write [[source]] with two brackets", None),
            ("vault='x'\n\n[[source]]\nexclude='x'", 3, "this [[source]] has no path", None),
        ] {
            let expected = (line, message.to_owned(), hint.map(str::to_owned));
            assert_eq!(parse(text), Err(expected), "{text}");
        }
        assert_eq!(parse("vault = 'x'\nvault = 'y'").unwrap_err().0, 2);
        assert_eq!(parse("a = 1\n\u{7}").unwrap_err().0, 2);
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(text in "(vault|\\[\\[source\\]\\]|path|[a-z=\"'\n\\[\\]{}0-9.~/-]){0,12}") {
            drop(parse(&text));
        }
    }
}
