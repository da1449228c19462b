//! Lists as lines of one's own: `--format TEMPLATE`, `--format csv` and `-0`. Fields are those of the JSON records.

use serde_json::Value;

use super::plain::Plain;
use crate::fault::{Code, Fault, Result};
use crate::schema;

/// How a row becomes bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// By a template.
    Template(Vec<Piece>),
    /// Its name as it is, and a zero byte.
    Null,
    /// All fields, as RFC 4180 has it, below a line with their names.
    Csv,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The value of a field.
    Field(String),
}

/// Rows of a run, and who is told everything else.
pub struct Rows {
    /// How a row becomes bytes.
    pub shape: Shape,
    /// Tells people what is no row.
    pub aside: Plain,
}

impl Shape {
    /// Reads what `--format` was given: `csv` or a template.
    pub fn read(text: &str) -> Result<Self> {
        if text == "csv" { Ok(Self::Csv) } else { Self::template(text) }
    }

    /// The line that stands above rows of this kind, when there is one.
    pub fn heading(&self, kind: &str) -> Option<Vec<u8>> {
        let record = schema::record(kind).filter(|_| *self == Self::Csv)?;
        Some(csv_line(record.names().map(str::to_owned)))
    }

    /// Reads a template: `{field}`, `{{`, `}}`, and `\n \t \r \0 \\`.
    pub fn template(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Fault::new(Code::Usage, format!("the template cannot be read: {why}"))
                .hint(r"write it as in --format '{path}\t{bytes}\n'")
        };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' if chars.next_if_eq(&'{').is_some() => plain.push('{'),
                '}' if chars.next_if_eq(&'}').is_some() => plain.push('}'),
                '}' => return Err(wrong("a } without its {; a lone one is }}")),
                '{' => {
                    let mut name = String::new();
                    while let Some(c) = chars.next_if(|c| *c != '}') {
                        name.push(c);
                    }
                    if chars.next().is_none() || name.is_empty() {
                        return Err(wrong("a { without a field and its }; a lone one is {{"));
                    }
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Field(name));
                }
                '\\' => plain.push(match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('0') => '\0',
                    Some('\\') => '\\',
                    _ => return Err(wrong(r"after \ comes n, t, r, 0 or \")),
                }),
                c => plain.push(c),
            }
        }
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Ok(Self::Template(pieces))
    }

    /// Whether rows of a verb have the fields that are asked for.
    pub fn check(&self, verb: &str) -> Result<()> {
        let kinds: Vec<&schema::Record> = schema::rows_of(verb).collect();
        if kinds.is_empty() {
            return Err(Fault::new(Code::Usage, format!("`{verb}` makes no list that --format or -0 could shape"))
                .hint(format!("see what it tells: tuckbox {verb} --json")));
        }
        let Self::Template(pieces) = self else { return Ok(()) };
        for piece in pieces {
            let Piece::Field(name) = piece else { continue };
            if !kinds.iter().any(|kind| kind.has(name)) {
                let fields: Vec<&str> = kinds.iter().flat_map(|kind| kind.names()).collect();
                let shown = crate::name::harmless_line(name);
                return Err(Fault::new(Code::Usage, format!("rows of `{verb}` have no field \"{shown}\""))
                    .hint(format!("they have {}", fields.join(", "))));
            }
        }
        Ok(())
    }

    /// A row as bytes; `None` when this record is none.
    pub fn render(&self, kind: &str, row: &Value) -> Option<Vec<u8>> {
        let record = schema::record(kind).filter(|record| record.row)?;
        match self {
            Self::Template(pieces) => {
                let text = pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Field(name) => row.get(name).map(text).unwrap_or_default(),
                });
                Some(text.collect::<String>().into_bytes())
            }
            Self::Csv => Some(csv_line(record.names().map(|name| row.get(name).map(text).unwrap_or_default()))),
            Self::Null => {
                let name = record.names().next().and_then(|first| row.get(first)).map(text).unwrap_or_default();
                let exact = row
                    .get("path_b64")
                    .and_then(Value::as_str)
                    .and_then(|text| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).ok());
                let path = row.get("path").and_then(Value::as_str).map(|path| path.as_bytes().to_vec());
                let mut bytes = exact.or(path).unwrap_or(name.into_bytes());
                bytes.push(0);
                Some(bytes)
            }
        }
    }
}

/// One line: values with commas, quotes or ends of lines in quotes, quotes in them twice.
fn csv_line(values: impl Iterator<Item = String>) -> Vec<u8> {
    let quoted = values.map(|value| match value.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value,
    });
    let mut line = quoted.collect::<Vec<String>>().join(",");
    line.push_str("\r\n");
    line.into_bytes()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) if !values.iter().any(|value| value.is_object() || value.is_array()) => {
            values.iter().map(text).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read_and_filled() {
        let row = serde_json::json!({"path": "/a\\x1b", "path_b64": "L2Eb", "bytes": 7, "kind": "file"});
        let made = |text: &str| Shape::template(text).unwrap().render("entry", &row).unwrap();
        assert_eq!(made(r"{path}\t{bytes}\n"), b"/a\\x1b\t7\n");
        assert_eq!(made(r"{{{kind}}}\0{target}"), b"{file}\0");
        assert_eq!(Shape::Null.render("entry", &row).unwrap(), b"/a\x1b\0");
        assert_eq!(Shape::Null.render("note", &row), None);
        for wrong in ["{", "{}", "}", "{path", r"\q", r"x\"] {
            assert_eq!(Shape::template(wrong).unwrap_err().code, Code::Usage, "{wrong}");
        }
    }

    #[test]
    fn sheets_have_a_line_of_names_and_quotes_where_they_must() {
        let shape = Shape::read("csv").unwrap();
        let head = String::from_utf8(shape.heading("account").unwrap()).unwrap();
        assert!(head.starts_with("account,number,id,state,") && head.ends_with("\r\n"), "{head}");
        let row = serde_json::json!({"account": "a \"b\", c", "number": "0x7", "groups": ["x", "y"]});
        let line = String::from_utf8(shape.render("account", &row).unwrap()).unwrap();
        assert!(line.starts_with("\"a \"\"b\"\", c\",0x7,,") && line.contains(",\"x,y\","), "{line}");
        assert_eq!(line.matches("\r\n").count(), 1);
        assert_eq!((shape.heading("nothing"), Shape::Null.heading("account")), (None, None));
        assert!(matches!(Shape::read("{path}").unwrap(), Shape::Template(_)));
    }

    #[test]
    fn a_field_that_is_not_there_is_told_with_those_that_are() {
        let fault = Shape::template("{size}").unwrap().check("ls").unwrap_err();
        assert!(fault.message.contains("no field \"size\"") && fault.hint.unwrap().contains("path, "));
        assert!(Shape::template("{path}").unwrap().check("ls").is_ok());
        assert!(Shape::Null.check("init").is_err());
    }
}
