//! The only way names and remote texts reach a terminal. A name is bytes that somebody else chose: it may hold
//! escape sequences, invisible characters, or letters that turn the direction of the line.

use base64::Engine as _;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A name as text that is safe to print: what is not plain text becomes a visible escape (`\n`, `\x1b`, `\xff`,
/// `\u{202e}`), a backslash is doubled. Two different names never look the same.
#[must_use]
pub fn for_terminal(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c => push_visible(&mut out, c),
            }
        }
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    out
}

/// A sentence that may hold foreign words: as [`for_terminal`], but backslashes stay (names in it were made safe before)
/// and so do line ends.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' { out.push(c) } else { push_visible(&mut out, c) }
    }
    out
}

/// As [`harmless`], in one line.
#[must_use]
pub fn harmless_line(text: &str) -> String {
    harmless(text).replace('\n', "\\n")
}

/// Whether a name is valid UTF-8 that [`for_terminal`] would print as it is (but for backslashes).
#[must_use]
pub fn is_clean(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(is_deceptive))
}

/// A name in a JSON record: text, and the bytes in base 64 when the text is not exactly them.
#[must_use]
pub fn for_json(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_clean(bytes) => (text.to_owned(), None),
        _ => (for_terminal(bytes), Some(base64::engine::general_purpose::STANDARD.encode(bytes))),
    }
}

/// Columns that a safe text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `columns` columns; what is too much goes from the middle, where an ellipsis stands.
#[must_use]
pub fn cut_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let take = |chars: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let mut taken = Vec::new();
        for c in chars {
            used += c.width().unwrap_or(0);
            if used > room {
                break;
            }
            taken.push(c);
        }
        taken
    };
    let head = take(&mut text.chars(), room / 2);
    let mut tail = take(&mut text.chars().rev(), room - room / 2);
    tail.reverse();
    head.into_iter().chain(['…']).chain(tail).take(if columns == 0 { 0 } else { usize::MAX }).collect()
}

/// `text` in at most `columns` columns; what is too much goes from the end, where an ellipsis stands.
#[must_use]
pub fn cut_end(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    let kept: String = text.chars().take_while(fits).collect();
    if columns == 0 { String::new() } else { format!("{kept}…") }
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if u32::from(c) < 0x20 || c == '\x7f' => push_byte(out, u8::try_from(c).unwrap_or(b'?')),
        c if is_deceptive(c) => {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
        c => out.push(c),
    }
}

fn push_byte(out: &mut String, byte: u8) {
    out.push_str(&format!("\\x{byte:02x}"));
}

/// Controls, and what changes a line without being seen: direction marks, zero widths, fillers, tags.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A path for a command that is shown.
#[must_use]
pub fn quoted(path: &[u8]) -> String {
    let text = for_terminal(path);
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/.-_+,:@".contains(&b));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_visible() {
        for (name, text) in [
            (&b"letter.txt"[..], "letter.txt"),
            ("grüße 日本".as_bytes(), "grüße 日本"),
            (b"a\nb\tc", "a\\nb\\tc"),
            (b"\x1b[31mred", "\\x1b[31mred"),
            (b"caf\xe9", "caf\\xe9"),
            ("x\u{202e}gpj.exe".as_bytes(), "x\\u{202e}gpj.exe"),
            ("\u{85}\u{200b}".as_bytes(), "\\u{85}\\u{200b}"),
            (b"back\\slash", "back\\\\slash"),
            (b"\x7f", "\\x7f"),
        ] {
            assert_eq!(for_terminal(name), text);
        }
        assert_eq!(harmless("a\\b\x1b[2J\nc"), "a\\b\\x1b[2J\nc");
    }

    #[test]
    fn json_has_the_bytes_when_the_text_is_not_them() {
        assert_eq!(for_json(b"a\\b"), ("a\\b".to_owned(), None));
        assert_eq!(for_json(b"\xff"), ("\\xff".to_owned(), Some("/w==".to_owned())));
        assert_eq!(for_json(b"a\nb"), ("a\\nb".to_owned(), Some("YQpi".to_owned())));
    }

    #[test]
    fn the_middle_goes() {
        assert_eq!(cut_middle("docs/tax/budget.ods", 9), "docs….ods");
        assert_eq!(cut_middle("short", 9), "short");
        assert_eq!(cut_middle("日本語日本語", 5), "日…語");
        assert_eq!(cut_middle("abc", 0), "");
    }

    /// Turns the text back into the bytes, which shows that no two names share a text.
    fn read_back(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut chars = text.chars();
        let plain = |out: &mut Vec<u8>, c: char| out.extend_from_slice(c.to_string().as_bytes());
        while let Some(c) = chars.next() {
            if c != '\\' {
                plain(&mut out, c);
                continue;
            }
            match chars.next().unwrap() {
                '\\' => out.push(b'\\'),
                'n' => out.push(b'\n'),
                'r' => out.push(b'\r'),
                't' => out.push(b'\t'),
                'x' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    out.push(u8::from_str_radix(&digits, 16).unwrap());
                }
                'u' => {
                    let digits: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    plain(&mut out, char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                }
                other => panic!("unknown escape {other}"),
            }
        }
        out
    }

    /// Written apart from the code that it tests.
    fn is_dangerous(c: char) -> bool {
        c < ' '
            || ('\u{7f}'..='\u{9f}').contains(&c)
            || "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{2028}\u{2029}".contains(c)
    }

    #[test]
    fn every_dangerous_character_becomes_visible() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| is_dangerous(*c)) {
            let text = for_terminal(c.to_string().as_bytes());
            assert!(text.starts_with('\\') && text.is_ascii(), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_become_safe_and_stay_distinct(bytes: Vec<u8>) {
            let text = for_terminal(&bytes);
            prop_assert!(!text.chars().any(is_dangerous));
            prop_assert_eq!(read_back(&text), bytes);
        }

        #[test]
        fn any_text_becomes_safe_and_stays_distinct(name: String) {
            let text = for_terminal(name.as_bytes());
            prop_assert!(!text.chars().any(is_dangerous));
            prop_assert_eq!(read_back(&text), name.as_bytes());
            prop_assert!(!harmless_line(&name).chars().any(is_dangerous));
        }

        #[test]
        fn a_cut_text_fits(text: String, columns in 0_usize..40) {
            let text = for_terminal(text.as_bytes());
            prop_assert!(width(&cut_middle(&text, columns)) <= columns && width(&cut_end(&text, columns)) <= columns);
        }
    }
}
