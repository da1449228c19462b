//! Patterns over paths, on bytes.
//!
//! A pattern is a path of components, each with `*` (any run), `?` (one character), `[a-z]`, `[^a-z]` (one of them, none of
//! them; `!` for `^` as in a shell) and `\` before a character that shall mean itself. `**` as a whole component stands for
//! any number of components, also none. With a leading `/` a pattern starts at the root, without one at any component. What
//! it matches, it matches with everything below. Characters are UTF-8; a byte that is no UTF-8 is a character of its own.

use std::fmt;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    parts: Vec<Part>,
    anchored: bool,
    fold: bool,
    deep: bool,
    /// `/a/b` of an anchored pattern `/a/b/*/c`: what cannot match is refused by one comparison.
    head: Box<[u8]>,
}

/// Why a pattern is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// Nothing is left of it: empty, or only `/`, `.`.
    Empty,
    /// `..` above its beginning.
    Above,
    /// `[` without `]`, or nothing between them.
    Class,
    /// `[z-a]`.
    Range,
    /// `\` at the end.
    Escape,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it names nothing",
            Self::Above => "`..` leads above its beginning",
            Self::Class => "`[` has no `]`, or nothing stands between them",
            Self::Range => "a range in `[…]` runs backwards",
            Self::Escape => "it ends in `\\`",
        })
    }
}

impl std::error::Error for PatternError {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`
    Deep,
    /// The component itself.
    Literal(Box<[u8]>),
    /// `*`
    Any,
    /// `*.o`
    Ending(Box<[u8]>),
    /// Everything else.
    Glob(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(u32),
    One,
    Star,
    Class { not: bool, ranges: Vec<(u32, u32)> },
}

/// What stands above all characters: bytes that are no UTF-8.
const RAW: u32 = 0x11_0000;

/// The first character of `bytes` and its length.
fn first_char(bytes: &[u8]) -> Option<(u32, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((first.into(), 1));
    }
    let len = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let text = bytes.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let found = text.and_then(|text| text.chars().next()).map(|character| (character.into(), len));
    Some(found.unwrap_or((RAW + u32::from(first), 1)))
}

/// The small form of a character, where that is one character.
fn lower(character: u32) -> u32 {
    let Some(known) = char::from_u32(character) else { return character };
    let mut small = known.to_lowercase();
    match (small.next(), small.next()) {
        (Some(one), None) => one.into(),
        _ => character,
    }
}

impl Pattern {
    /// Compiles a pattern; with `fold`, capitals and small letters are the same.
    pub fn new(text: &[u8], fold: bool) -> Result<Self, PatternError> {
        let anchored = text.first() == Some(&b'/');
        let mut parts: Vec<Part> = Vec::new();
        for component in text.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => match parts.pop() {
                    Some(_) => {}
                    None if anchored => {}
                    None => return Err(PatternError::Above),
                },
                b"**" if parts.last() == Some(&Part::Deep) => {}
                b"**" => parts.push(Part::Deep),
                _ => parts.push(Part::new(component, fold)?),
            }
        }
        if parts.is_empty() {
            return Err(PatternError::Empty);
        }
        let mut head = Vec::new();
        if anchored {
            for part in &parts {
                let Part::Literal(name) = part else { break };
                head.push(b'/');
                head.extend_from_slice(name);
            }
        }
        Ok(Self { deep: parts.contains(&Part::Deep), parts, anchored, fold, head: head.into() })
    }

    /// Whether it matches the absolute path `path` or something above it.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        if !path.starts_with(&self.head) {
            return false;
        }
        let components: Vec<&[u8]> = components(path).collect();
        self.matches_components(&components, false)
    }

    /// Whether it matches the absolute path or something above it that has more than so many components.
    #[must_use]
    pub fn matches_below(&self, path: &[u8], above: usize) -> bool {
        if above == 0 {
            return self.matches(path);
        }
        if !path.starts_with(&self.head) {
            return false;
        }
        let names: Vec<&[u8]> = components(path).collect();
        // What matches nothing of the path matches nothing of its end: most often one question is enough.
        self.matches_components(&names, false)
            && (above.saturating_add(1)..=names.len())
                .any(|end| names.get(..end).is_some_and(|names| self.matches_components(names, true)))
    }

    /// Whether it begins at the root.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Whether it matches `path` itself, whatever of what is above: the usual question of a walk, and cheaper.
    #[must_use]
    pub fn matches_here(&self, path: &[u8]) -> bool {
        if !path.starts_with(&self.head) {
            return false;
        }
        if self.deep {
            let components: Vec<&[u8]> = components(path).collect();
            return self.matches_components(&components, true);
        }
        let mut backwards = path.rsplit(|byte| *byte == b'/').filter(|name| !name.is_empty());
        let fits =
            self.parts.iter().rev().all(|part| backwards.next().is_some_and(|name| part.matches(name, self.fold)));
        fits && (!self.anchored || backwards.next().is_none())
    }

    /// `**` is to components what `*` is to characters: go on greedily, and after a mismatch let the last `**` take one
    /// component more. An earlier `**` never has to be asked again, so the time is bounded by the product of the lengths.
    /// `whole`: nothing may be left of the names.
    fn matches_components(&self, names: &[&[u8]], whole: bool) -> bool {
        let (mut part, mut name) = (0, 0);
        // Where to go on after a mismatch. A pattern that is not anchored begins with an unwritten `**`.
        let mut retry = (!self.anchored).then_some((0, 0));
        loop {
            let wanted = match self.parts.get(part) {
                // What is left of the path is below what was matched.
                None if !whole || name == names.len() => return true,
                Some(Part::Deep) => {
                    part += 1;
                    retry = Some((part, name));
                    continue;
                }
                wanted => wanted,
            };
            if let Some(wanted) = wanted
                && names.get(name).is_some_and(|name| wanted.matches(name, self.fold))
            {
                part += 1;
                name += 1;
                continue;
            }
            let Some((after, taken)) = retry.filter(|(_, taken)| *taken < names.len()) else { return false };
            retry = Some((after, taken + 1));
            (part, name) = (after, taken + 1);
        }
    }
}

/// The components of a path.
pub(super) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

impl Part {
    fn new(component: &[u8], fold: bool) -> Result<Self, PatternError> {
        let tokens = tokens(component, fold)?;
        let literal = |tokens: &[Token]| {
            let mut bytes = Vec::new();
            for token in tokens {
                let Token::Char(character) = token else { return None };
                push_char(&mut bytes, *character);
            }
            Some(bytes.into_boxed_slice())
        };
        // Comparing bytes is comparing characters when the bytes do not begin inside of one.
        let whole = |bytes: &[u8]| !fold && std::str::from_utf8(bytes).is_ok();
        if let [Token::Star] = tokens.as_slice() {
            return Ok(Self::Any);
        }
        if let Some(bytes) = literal(&tokens).filter(|_| !fold) {
            return Ok(Self::Literal(bytes));
        }
        if let [Token::Star, rest @ ..] = tokens.as_slice()
            && let Some(bytes) = literal(rest).filter(|bytes| whole(bytes))
        {
            return Ok(Self::Ending(bytes));
        }
        Ok(Self::Glob(tokens))
    }

    fn matches(&self, name: &[u8], fold: bool) -> bool {
        match self {
            Self::Deep | Self::Any => true,
            Self::Literal(bytes) => name == &bytes[..],
            Self::Ending(bytes) => name.ends_with(bytes),
            Self::Glob(tokens) => glob(tokens, name, fold),
        }
    }
}

fn push_char(out: &mut Vec<u8>, character: u32) {
    match char::from_u32(character) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend(u8::try_from(character.saturating_sub(RAW))),
    }
}

/// One component as tokens; runs of `*` become one.
fn tokens(mut text: &[u8], fold: bool) -> Result<Vec<Token>, PatternError> {
    let mut out = Vec::new();
    while let Some(character) = take(&mut text) {
        match u8::try_from(character) {
            Ok(b'*') if out.last() == Some(&Token::Star) => {}
            Ok(b'*') => out.push(Token::Star),
            Ok(b'?') => out.push(Token::One),
            Ok(b'[') => out.push(class(&mut text, fold)?),
            Ok(b'\\') => out.push(Token::Char(folded(take(&mut text).ok_or(PatternError::Escape)?, fold))),
            _ => out.push(Token::Char(folded(character, fold))),
        }
    }
    Ok(out)
}

fn take(text: &mut &[u8]) -> Option<u32> {
    let (character, len) = first_char(text)?;
    *text = text.get(len..).unwrap_or_default();
    Some(character)
}

fn folded(character: u32, fold: bool) -> u32 {
    if fold { lower(character) } else { character }
}

/// What follows a `[`.
fn class(text: &mut &[u8], fold: bool) -> Result<Token, PatternError> {
    let not = matches!(text.first(), Some(b'^' | b'!'));
    if not {
        take(text);
    }
    let mut ranges = Vec::new();
    loop {
        let low = match take(text).ok_or(PatternError::Class)? {
            0x5d if ranges.is_empty() => return Err(PatternError::Class),
            0x5d => return Ok(Token::Class { not, ranges }),
            0x5c => take(text).ok_or(PatternError::Class)?,
            character => character,
        };
        let mut high = low;
        if text.first() == Some(&b'-') && text.get(1) != Some(&b']') {
            take(text);
            high = match take(text).ok_or(PatternError::Class)? {
                0x5c => take(text).ok_or(PatternError::Class)?,
                character => character,
            };
        }
        if high < low {
            return Err(PatternError::Range);
        }
        ranges.push((low, high));
        if fold {
            // `[A-Z]` folded is `[a-z]`; a mixed range keeps its own letters as well.
            let (low, high) = (lower(low), lower(high));
            ranges.extend((low <= high).then_some((low, high)));
        }
    }
}

/// Greedy, with one place to go back to: time at most the product of the lengths.
fn glob(tokens: &[Token], name: &[u8], fold: bool) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let next = first_char(name.get(at..).unwrap_or_default());
        match (tokens.get(token), next) {
            (Some(Token::Star), _) => {
                token += 1;
                retry = Some((token, at));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some((character, len))) if wanted.matches(character, fold) => {
                token += 1;
                at += len;
                continue;
            }
            _ => {}
        }
        let Some((after, taken)) = retry else { return false };
        let Some((_, len)) = first_char(name.get(taken..).unwrap_or_default()) else { return false };
        retry = Some((after, taken + len));
        (token, at) = (after, taken + len);
    }
}

impl Token {
    fn matches(&self, character: u32, fold: bool) -> bool {
        match self {
            Self::Star => false,
            Self::One => true,
            Self::Char(wanted) => *wanted == folded(character, fold),
            Self::Class { not, ranges } => {
                let within = |c: u32| ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                *not != (within(character) || fold && within(lower(character)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::new(pattern.as_bytes(), false).unwrap().matches(path.as_bytes())
    }

    #[test]
    fn what_patterns_mean() {
        let cases = [
            // A pattern without `/` is any component, with all below.
            ("*.go", "/a/b/test.go", true),
            ("*.c", "/a/b/test.go", false),
            ("*", "/a", true),
            ("foo", "/x/foo", true),
            ("foo", "/x/foo/y/z", true),
            ("foo", "/x/foobar", false),
            ("foo*", "/x/foobar", true),
            ("*foo*", "/x/a/barfoobaz/y", true),
            ("fo?", "/foo", true),
            ("fo?", "/fo", false),
            // Several components, anywhere.
            ("foo/bar", "/x/foo/bar/y", true),
            ("foo/bar", "/x/foo/z/bar", false),
            ("sub/*.o", "/a/sub/b.o", true),
            ("sub/*.o", "/a/sub/b/c.o", false),
            // Anchored.
            ("/home", "/home", true),
            ("/home", "/home/user/x", true),
            ("/home", "/srv/home", false),
            ("/home/us", "/home/user", false),
            ("/home/*/x", "/home/u/x", true),
            ("/home/*/x", "/home/u/y/x", false),
            ("/home/*/x", "/homes/u/x", false),
            ("/*", "/home", true),
            // `**`
            ("foo/**/bar", "/x/foo/bar", true),
            ("foo/**/bar", "/x/foo/1/2/3/bar/y", true),
            ("foo/**/bar", "/x/bar/foo", false),
            ("/**/bar", "/bar", true),
            ("/**/bar", "/a/b/bar", true),
            ("**/bar/*", "/a/bar/x", true),
            ("**/bar/*", "/a/bar", false),
            ("foo/**", "/foo", true),
            ("foo/**", "/foo/x", true),
            ("/a/**/b/**/c", "/a/x/b/b/y/c", true),
            ("/a/**/b/**/c", "/a/x/c/b", false),
            ("/a/**/b/c", "/a/b/x/b/c", true),
            ("**", "/anything", true),
            ("a**b", "/axxb", true),
            ("a**b", "/ax/xb", false),
            // Cleaned.
            ("foo/", "/x/foo", true),
            ("/x//foo/.", "/x/foo", true),
            ("/x/y/../foo", "/x/foo", true),
            ("/../x", "/x", true),
            // Classes and escapes.
            ("[abc]x", "/bx", true),
            ("[a-c]x", "/dx", false),
            ("[^a-c]x", "/dx", true),
            ("[!a-c]x", "/bx", false),
            ("[a-c0-9_-]", "/-", true),
            (r"[\]]", "/]", true),
            (r"\*.o", "/a.o", false),
            (r"\*.o", "/*.o", true),
            (r"\!x", "/!x", true),
            (r"a\\b", r"/a\b", true),
            // Characters.
            ("?", "/é", true),
            ("??", "/é", false),
            ("[à-ü]", "/é", true),
            ("*é", "/né", true),
            // Backtracking.
            ("*a*b*c", "/xaxbxbxc", true),
            ("*a*b*c", "/xaxcxb", false),
            ("*.tar.*", "/x.tar.tar.gz", true),
            // Hidden files are files.
            ("*", "/.hidden", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
            assert!(!expected || matches(pattern, &format!("{path}/below/it")), "{pattern} below {path}");
        }
    }

    #[test]
    fn capitals_and_small_letters() {
        let cases = [
            ("*.JPG", "/a/b.jpg", true),
            ("*.jpg", "/a/b.JPG", true),
            ("/HOME/*", "/home/X", true),
            ("ÄB", "/äb", true),
            ("[A-C]", "/b", true),
            ("[a-c]", "/B", true),
            ("[^a-c]", "/B", false),
            ("x", "/y", false),
        ];
        for (pattern, path, expected) in cases {
            let pattern = Pattern::new(pattern.as_bytes(), true).unwrap();
            assert_eq!(pattern.matches(path.as_bytes()), expected, "{pattern:?} on {path}");
        }
        assert!(!matches("*.JPG", "/b.jpg"));
    }

    #[test]
    fn bytes_that_are_no_text() {
        let pattern = Pattern::new(b"*\xff?.x", false).unwrap();
        assert!(pattern.matches(b"/a\xff\xfe.x"));
        assert!(!pattern.matches(b"/a\xfe\xfe.x"));
        // Half a character is no ending of a whole one.
        assert!(!Pattern::new(b"*\xa9", false).unwrap().matches("/é".as_bytes()));
        assert!(Pattern::new(b"new\nline", false).unwrap().matches(b"/new\nline"));
    }

    #[test]
    fn what_is_no_pattern() {
        let cases = [
            ("", PatternError::Empty),
            ("/", PatternError::Empty),
            ("./.", PatternError::Empty),
            ("../x", PatternError::Above),
            ("a[", PatternError::Class),
            ("[]", PatternError::Class),
            ("[^]", PatternError::Class),
            ("[a", PatternError::Class),
            ("[a-", PatternError::Class),
            ("[a/b]", PatternError::Class),
            ("[z-a]", PatternError::Range),
            ("a\\", PatternError::Escape),
        ];
        for (text, error) in cases {
            assert_eq!(Pattern::new(text.as_bytes(), false).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let text = format!("/{}b", "**/*a*a*a*a*a*a*a*a/".repeat(40));
        let path = format!("/{}", format!("{}/", "a".repeat(250)).repeat(200));
        assert!(!Pattern::new(text.as_bytes(), false).unwrap().matches(path.as_bytes()));
    }

    /// The meaning, written down without regard to speed.
    fn slow(tokens: &[u8], name: &[u8]) -> bool {
        match (tokens, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=name.len()).any(|taken| slow(rest, &name[taken..])),
            ([b'?', rest @ ..], [_, below @ ..]) => slow(rest, below),
            ([wanted, rest @ ..], [found, below @ ..]) => wanted == found && slow(rest, below),
            _ => false,
        }
    }

    /// The same for components.
    fn slow_path(parts: &[&str], names: &[&str]) -> bool {
        match (parts, names) {
            ([], _) => true,
            (["**", rest @ ..], _) => (0..=names.len()).any(|taken| slow_path(rest, &names[taken..])),
            ([part, rest @ ..], [name, below @ ..]) => slow(part.as_bytes(), name.as_bytes()) && slow_path(rest, below),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(text: Vec<u8>, path: Vec<u8>, fold: bool) {
            if let Ok(pattern) = Pattern::new(&text, fold) {
                let here = pattern.matches_here(&path);
                prop_assert!(!here || pattern.matches(&path));
            }
        }

        #[test]
        fn odd_letters_never_panic(text in "[\\[\\]\\\\^!*?a/é-]{0,12}", path in "[\\[\\]\\\\^!*?aA/éÉ-]{0,12}", fold: bool) {
            if let Ok(pattern) = Pattern::new(text.as_bytes(), fold) {
                let here = pattern.matches_here(path.as_bytes());
                prop_assert!(!here || pattern.matches(path.as_bytes()));
            }
        }

        #[test]
        fn a_component_means_what_it_means(text in "[ab*?]{1,8}", name in "[ab]{1,10}") {
            prop_assume!(text != "**");
            let expected = slow(text.as_bytes(), name.as_bytes());
            prop_assert_eq!(matches(&text, &format!("/{name}")), expected);
            prop_assert_eq!(matches(&format!("/{text}"), &format!("/{name}")), expected);
            let folding = Pattern::new(text.to_uppercase().as_bytes(), true).unwrap();
            prop_assert_eq!(folding.matches(format!("/{name}").as_bytes()), expected);
        }

        #[test]
        fn a_path_means_what_it_means(
            parts in prop::collection::vec(prop::sample::select(vec!["**", "*", "a", "b", "a*"]), 1..6),
            names in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 1..7),
        ) {
            let path = format!("/{}", names.join("/"));
            let text = parts.join("/");
            prop_assert_eq!(matches(&format!("/{text}"), &path), slow_path(&parts, &names));
            let nested = (0..=names.len()).any(|from| slow_path(&parts, &names[from..]));
            prop_assert_eq!(matches(&text, &path), nested);
        }

        #[test]
        fn more_stars_change_nothing(name in "[ab.]{0,8}", path in "[ab.]{1,10}") {
            prop_assume!(name != "." && name != ".." && path != "." && path != "..");
            let text = format!("*{name}*");
            prop_assert_eq!(matches(&text, &format!("/{path}")), path.contains(&name));
            prop_assert_eq!(matches(&format!("**{name}***"), &format!("/{path}")), path.contains(&name));
        }

        #[test]
        fn here_is_what_is_new(
            parts in prop::collection::vec(prop::sample::select(vec!["**", "*b", "a", "b", "?"]), 1..4),
            names in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 1..6),
            anchored: bool,
        ) {
            let text = format!("{}{}", if anchored { "/" } else { "" }, parts.join("/"));
            let pattern = Pattern::new(text.as_bytes(), false).unwrap();
            let above = format!("/{}", names[..names.len() - 1].join("/"));
            let path = format!("/{}", names.join("/"));
            if !pattern.matches(above.as_bytes()) {
                prop_assert_eq!(pattern.matches_here(path.as_bytes()), pattern.matches(path.as_bytes()));
            }
        }
    }
}
