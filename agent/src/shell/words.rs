//! A line, cut into words: quotes, escapes and their places. The reading is that of common shells, so that what is pasted
//! from one means the same here; `$'…'` writes any byte. Nothing is expanded but a `~` in front.

use crate::name::is_clean;

/// Longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// How the text at some place is quoted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quote {
    /// Not at all.
    #[default]
    Bare,
    /// `'…'`: everything as it stands.
    Single,
    /// `"…"`: `\` before `"`, `\`, `$` and a backquote.
    Double,
    /// `$'…'`: escapes as in C.
    Dollar,
}

/// One word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// What it means.
    pub bytes: Vec<u8>,
    /// Where it begins in the line, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The quotes that are open at its end.
    pub open: Quote,
    /// It ends in a backslash that waits for its character.
    pub dangling: bool,
    /// It begins with a `~` that is not quoted, alone or before a `/`.
    pub tilde: bool,
    /// Some of it is quoted or escaped.
    pub quoted: bool,
}

impl Word {
    /// Its text, when it is one.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

/// One command of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its words.
    pub words: Vec<Word>,
    /// It ends with `&`.
    pub background: bool,
    /// Everything after a `!` in front, as it stands.
    pub outside: Option<String>,
}

/// Why a line cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A quote is open, or the line ends in a backslash: more must follow.
    More,
    /// A character that other shells have a use for and this one has not.
    Foreign(char),
    /// It is longer than [`LINE_BYTES_MAX`].
    Long,
}

/// Cuts a line into commands. Whatever is left open is closed.
#[must_use]
pub fn lex(line: &str) -> Vec<Part> {
    Lexer::new(line).run().0
}

/// Cuts a line that is to be run.
pub fn parse(line: &str) -> Result<Vec<Part>, Unfinished> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Unfinished::Long);
    }
    let (parts, foreign) = Lexer::new(line).run();
    let open = |word: &Word| word.open != Quote::Bare || word.dangling;
    if parts.iter().flat_map(|part| &part.words).any(open) {
        return Err(Unfinished::More);
    }
    match foreign {
        Some(foreign) => Err(Unfinished::Foreign(foreign)),
        None => Ok(parts.into_iter().filter(|part| !part.words.is_empty() || part.outside.is_some()).collect()),
    }
}

struct Lexer<'l> {
    line: &'l str,
    chars: std::iter::Peekable<std::str::CharIndices<'l>>,
    parts: Vec<Part>,
    word: Option<Word>,
    foreign: Option<char>,
}

impl<'l> Lexer<'l> {
    fn new(line: &'l str) -> Self {
        Self { line, chars: line.char_indices().peekable(), parts: vec![Part::default()], word: None, foreign: None }
    }

    fn run(mut self) -> (Vec<Part>, Option<char>) {
        while let Some((at, c)) = self.chars.next() {
            let begins = self.word.is_none();
            match c {
                ' ' | '\t' | '\n' | '\r' => self.end(at),
                '#' if begins && !self.names_a_version(at) => self.comment(),
                '!' if begins && self.part().words.is_empty() => {
                    let rest = self.line.get(at + 1..).unwrap_or_default();
                    self.part().outside = Some(rest.trim().to_owned());
                    break;
                }
                ';' | '&' => {
                    self.end(at);
                    self.part().background = c == '&';
                    self.parts.push(Part::default());
                }
                '|' | '<' | '>' => {
                    self.end(at);
                    self.foreign.get_or_insert(c);
                }
                '\'' => self.quoted(at, Quote::Single),
                '"' => self.quoted(at, Quote::Double),
                '$' if self.chars.next_if(|(_, c)| *c == '\'').is_some() => self.quoted(at, Quote::Dollar),
                '\\' => {
                    let next = self.chars.next();
                    let word = self.word(at);
                    word.quoted = true;
                    match next {
                        Some((_, '\n')) => {}
                        Some((_, c)) => push(&mut word.bytes, c),
                        None => word.dangling = true,
                    }
                }
                '~' if begins && matches!(self.chars.peek(), None | Some((_, '/' | ' ' | '\t' | '\n' | ';' | '&'))) => {
                    let word = self.word(at);
                    (word.tilde, word.bytes) = (true, b"~".to_vec());
                }
                c => push(&mut self.word(at).bytes, c),
            }
        }
        self.end(self.line.len());
        (self.parts, self.foreign)
    }

    fn part(&mut self) -> &mut Part {
        if self.parts.is_empty() {
            self.parts.push(Part::default());
        }
        let last = self.parts.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "there is a last one")]
        &mut self.parts[last]
    }

    fn word(&mut self, at: usize) -> &mut Word {
        self.word.get_or_insert_with(|| Word { start: at, ..Word::default() })
    }

    fn end(&mut self, at: usize) {
        if let Some(mut word) = self.word.take() {
            word.end = at;
            self.part().words.push(word);
        }
    }

    /// `#6` behind a verb is a number of a version; every other `#` in front of a word begins a comment.
    fn names_a_version(&mut self, at: usize) -> bool {
        let rest = self.line.get(at + 1..).unwrap_or_default();
        let word = rest.split([' ', '\t', '\n', '\r', ';', '&']).next().unwrap_or_default();
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) && !self.part().words.is_empty()
    }

    fn comment(&mut self) {
        while self.chars.next_if(|(_, c)| *c != '\n').is_some() {}
    }

    fn quoted(&mut self, at: usize, quote: Quote) {
        let mut word = self.word.take().unwrap_or(Word { start: at, ..Word::default() });
        (word.open, word.quoted) = (quote, true);
        while let Some((_, c)) = self.chars.next() {
            match (quote, c) {
                (Quote::Single | Quote::Dollar, '\'') | (Quote::Double, '"') => {
                    word.open = Quote::Bare;
                    break;
                }
                (Quote::Double, '\\') => match self.chars.peek().copied() {
                    Some((_, c @ ('"' | '\\' | '$' | '`'))) => {
                        self.chars.next();
                        push(&mut word.bytes, c);
                    }
                    Some((_, '\n')) => drop(self.chars.next()),
                    _ => word.bytes.push(b'\\'),
                },
                (Quote::Dollar, '\\') => self.escape(&mut word.bytes),
                (_, c) => push(&mut word.bytes, c),
            }
        }
        self.word = Some(word);
    }

    /// After a backslash in `$'…'`.
    fn escape(&mut self, out: &mut Vec<u8>) {
        let Some((_, c)) = self.chars.next() else { return };
        match c {
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'v' => out.push(11),
            'e' | 'E' => out.push(0x1b),
            'x' => {
                let digits = self.digits(2, 16);
                out.extend(u8::from_str_radix(&digits, 16).ok());
            }
            '0'..='7' => {
                let digits = format!("{c}{}", self.digits(2, 8));
                out.extend(u8::from_str_radix(&digits, 8).ok());
            }
            'u' | 'U' => {
                let digits = self.digits(if c == 'u' { 4 } else { 8 }, 16);
                if let Some(c) = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32) {
                    push(out, c);
                }
            }
            '\\' | '\'' | '"' | '?' => push(out, c),
            c => {
                out.push(b'\\');
                push(out, c);
            }
        }
    }

    fn digits(&mut self, most: usize, radix: u32) -> String {
        let mut digits = String::new();
        while digits.len() < most
            && let Some((_, c)) = self.chars.next_if(|(_, c)| c.is_digit(radix))
        {
            digits.push(c);
        }
        digits
    }
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Whether a character means itself outside quotes, wherever it stands.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "/._-+,:@%=^".contains(c)
}

/// A word that means these bytes: as it is where that can be, otherwise in the given quotes, otherwise in those that can
/// hold it. With `finished` the quotes are closed.
#[must_use]
pub fn quote(bytes: &[u8], style: Quote, finished: bool) -> String {
    let close = |text: String, mark: char| if finished { format!("{text}{mark}") } else { text };
    match std::str::from_utf8(bytes).ok().filter(|_| is_clean(bytes)) {
        Some(text) if style == Quote::Single && !text.contains('\'') => close(format!("'{text}"), '\''),
        Some(text) if style == Quote::Double => {
            let mut out = String::from("\"");
            for c in text.chars() {
                if matches!(c, '"' | '\\' | '$' | '`') {
                    out.push('\\');
                }
                out.push(c);
            }
            close(out, '"')
        }
        Some(text) if style != Quote::Dollar => {
            let mut out = String::new();
            for (at, c) in text.char_indices() {
                if !is_plain(c) || (at == 0 && c == '@') {
                    out.push('\\');
                }
                out.push(c);
            }
            if out.is_empty() { "''".to_owned() } else { out }
        }
        _ => close(dollar(bytes), '\''),
    }
}

/// `$'…'` without its end.
fn dollar(bytes: &[u8]) -> String {
    let mut out = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let encoded = c.encode_utf8(&mut buffer).as_bytes();
            match c {
                '\\' | '\'' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if is_clean(encoded) => out.push(c),
                _ => encoded.iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}"))),
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        let parts = parse(line).unwrap();
        let words = parts.into_iter().flat_map(|part| part.words);
        words.map(|word| String::from_utf8(word.bytes).unwrap()).collect()
    }

    #[test]
    fn words_are_cut_as_shells_do() {
        for (line, expected) in [
            ("ls  -l\tdocs", &["ls", "-l", "docs"][..]),
            ("ls 'my docs' \"a \\\"b\\\" $c\" d\\ e", &["ls", "my docs", "a \"b\" $c", "d e"]),
            ("ls a'b'\"c\"$'\\x64\\n'", &["ls", "abcd\n"]),
            ("ls '' # nothing", &["ls", ""]),
            ("at #6; ls #6th", &["at", "#6", "ls"]),
            ("#6", &[]),
            ("ls a#b", &["ls", "a#b"]),
            ("ls *.txt db/[ab]?", &["ls", "*.txt", "db/[ab]?"]),
            ("cd a; ls", &["cd", "a", "ls"]),
            ("ls \"two\nlines\"", &["ls", "two\nlines"]),
            ("ls a\\\nb", &["ls", "ab"]),
            ("", &[]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_open_wants_more() {
        for line in ["ls 'a", "ls \"a\nb", "ls $'a", "ls a\\"] {
            assert_eq!(parse(line), Err(Unfinished::More), "{line}");
        }
        assert_eq!(parse("ls | head"), Err(Unfinished::Foreign('|')));
        assert_eq!(parse("ls > x"), Err(Unfinished::Foreign('>')));
        assert!(parse("ls a\\|b '>'").is_ok());
        assert_eq!(parse(&"x".repeat(LINE_BYTES_MAX + 1)), Err(Unfinished::Long));
    }

    #[test]
    fn parts_and_marks() {
        let parts = parse("restore a & ls; !grep 'x | y").unwrap();
        assert_eq!(parts.iter().map(|part| part.background).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(parts[2].outside.as_deref(), Some("grep 'x | y"));
        let tilde = |line: &str| parse(line).unwrap()[0].words[1].tilde;
        assert!(tilde("ls ~/x") && tilde("ls ~") && !tilde("ls '~/x'") && !tilde("ls ~x") && !tilde("ls a~"));
    }

    proptest! {
        #[test]
        fn a_quoted_word_means_its_bytes(bytes: Vec<u8>, style in 0_usize..4) {
            let style = [Quote::Bare, Quote::Single, Quote::Double, Quote::Dollar][style];
            let line = format!("ls {} x", quote(&bytes, style, true));
            let parts = parse(&line).unwrap();
            prop_assert_eq!(&parts[0].words[1].bytes, &bytes);
            prop_assert!(!parts[0].words[1].tilde && parts.len() == 1 && parts[0].words.len() == 3);
        }

        #[test]
        fn an_open_word_means_its_bytes(name: String, style in 0_usize..4) {
            let style = [Quote::Bare, Quote::Single, Quote::Double, Quote::Dollar][style];
            let line = format!("ls {}", quote(name.as_bytes(), style, false));
            prop_assert_eq!(&lex(&line)[0].words[1].bytes, name.as_bytes());
        }

        #[test]
        fn rubbish_never_panics(line: String) {
            drop(parse(&line));
            drop(lex(&line));
        }
    }
}
