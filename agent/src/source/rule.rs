//! One rule: a pattern with what is said before it.
//!
//! ```text
//! [!] [file: | dir:] PATTERN       a glob, as in `*.o`, `/home/ana/scratch`, `**/build/`
//!                    re:REGEX      a regular expression, found anywhere in the absolute path
//!                    exact:PATH    the path or name itself; no character of it means anything else
//! ```
//!
//! `!` takes back what earlier rules left out; `file:` means all but directories, `dir:` or a glob that ends in `/` only
//! directories. A glob that shall begin with one of these words begins with `\`.

use regex::bytes::{Regex, RegexBuilder};

use super::pattern::{Pattern, components};
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, harmless_line};

/// Memory that a regular expression may take when it is compiled, and again when it runs.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A pattern as it was given, and where: a flag, or `FILE:LINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The pattern, with what is said before it.
    pub pattern: Vec<u8>,
    /// Where it stands, as people are told.
    pub from: String,
    /// Capitals and small letters are the same.
    pub fold: bool,
}

impl Given {
    /// A pattern and where it stands.
    pub fn new(pattern: impl Into<Vec<u8>>, from: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), from: from.into(), fold: false }
    }

    /// The same, capitals and small letters being the same.
    #[must_use]
    pub fn folded(mut self) -> Self {
        self.fold = true;
        self
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    All,
    Files,
    Dirs,
}

#[derive(Debug)]
enum Matcher {
    Glob(Pattern),
    Regex(Box<Regex>),
}

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    matcher: Matcher,
    only: Only,
    takes_back: bool,
    given: Given,
}

impl Rule {
    /// Compiles a rule; what is not understood is a usage fault that names where it stands.
    pub fn new(given: Given) -> Result<Self> {
        let (takes_back, text) = strip(&given.pattern, b"!");
        let (only, text) = match (text.strip_prefix(b"file:"), text.strip_prefix(b"dir:")) {
            (Some(rest), _) => (Only::Files, rest),
            (_, Some(rest)) => (Only::Dirs, rest),
            _ => (Only::All, text),
        };
        let wrong = |why: &dyn std::fmt::Display| {
            let shown = for_terminal(&given.pattern);
            Fault::new(Code::Usage, format!("the pattern `{shown}` ({}) is not understood", given.from))
                .because(harmless_line(&why.to_string()))
        };
        let glob = |text: &[u8]| Pattern::new(text, given.fold).map(Matcher::Glob).map_err(|why| wrong(&why));
        let (matcher, only) = if let Some(text) = text.strip_prefix(b"re:") {
            (Matcher::Regex(Box::new(regex(text, given.fold).map_err(|why| wrong(&why))?)), only)
        } else if let Some(text) = text.strip_prefix(b"exact:") {
            (glob(&escaped(text))?, only)
        } else if only == Only::All && text.ends_with(b"/") {
            (glob(text)?, Only::Dirs)
        } else {
            (glob(text)?, only)
        };
        Ok(Self { matcher, only, takes_back, given })
    }

    /// Whether it takes back what earlier ones left out.
    #[must_use]
    pub fn takes_back(&self) -> bool {
        self.takes_back
    }

    /// Whether it is a regular expression.
    #[must_use]
    pub fn is_regex(&self) -> bool {
        matches!(self.matcher, Matcher::Regex(_))
    }

    /// Whether it matches the absolute path itself, whatever of what is above.
    #[must_use]
    pub fn matches_here(&self, path: &[u8], is_dir: bool) -> bool {
        let about = match self.only {
            Only::All => true,
            Only::Files => !is_dir,
            Only::Dirs => is_dir,
        };
        about
            && match &self.matcher {
                Matcher::Glob(pattern) => pattern.matches_here(path),
                Matcher::Regex(regex) => regex.is_match(path),
            }
    }

    /// Whether it matches the absolute path or any directory above it: what a rule matches, it matches with all below.
    #[must_use]
    pub fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        self.matches_below(path, is_dir, 0)
    }

    /// The same of what has more than so many components: a rule says nothing of a source and of what is above it.
    #[must_use]
    pub fn matches_below(&self, path: &[u8], is_dir: bool, above: usize) -> bool {
        if let (Only::All, Matcher::Glob(pattern)) = (self.only, &self.matcher) {
            return pattern.matches_below(path, above);
        }
        let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut dirs = ends.filter_map(|end| path.get(..end)).skip(above);
        dirs.any(|dir| self.matches_here(dir, true))
            || components(path).nth(above).is_some() && self.matches_here(path, is_dir)
    }

    /// The rule, and where it stands.
    #[must_use]
    pub fn told(&self) -> String {
        format!("`{}` ({})", String::from_utf8_lossy(&self.given.pattern), self.given.from)
    }
}

fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> (bool, &'a [u8]) {
    text.strip_prefix(prefix).map_or((false, text), |rest| (true, rest))
}

/// A regular expression over bytes, of bounded size.
fn regex(text: &[u8], fold: bool) -> std::result::Result<Regex, String> {
    let text = std::str::from_utf8(text).map_err(|_| "a regular expression is UTF-8; write other bytes as \\xff")?;
    if text.is_empty() {
        return Err("it would match everything".to_owned());
    }
    let built = RegexBuilder::new(text)
        .case_insensitive(fold)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build();
    // The last line says what is wrong; those before it draw where.
    built.map_err(|error| error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

/// A glob that means the text itself.
fn escaped(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|byte| b"*?[\\".contains(byte).then_some(b'\\').into_iter().chain([*byte])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        Rule::new(Given::new(text, "here")).unwrap()
    }

    #[test]
    fn what_rules_mean() {
        // The rule; a path, whether that is a directory; whether it matches it in a walk, and by what is above.
        for (text, path, is_dir, here, all) in [
            ("re:\\.(o|a)$", "/x/y.o", false, true, true),
            ("re:\\.(o|a)$", "/x/y.oo", false, false, false),
            ("re:^/home/[^/]+/tmp$", "/home/ana/tmp", true, true, true),
            ("re:^/home/[^/]+/tmp$", "/home/ana/tmp/x", false, false, true),
            ("re:^/home/[^/]+/tmp$", "/home/ana/b/tmp", true, false, false),
            ("file:re:^/a/b$", "/a/b", false, true, true),
            ("file:re:^/a/b$", "/a/b", true, false, false),
            ("file:re:^/a/b$", "/a/b/c", false, false, false),
            ("dir:re:^/a/b$", "/a/b/c", false, false, true),
            ("dir:re:^/a/b$", "/a/b", false, false, false),
            ("build/", "/a/build", true, true, true),
            ("build/", "/a/build", false, false, false),
            ("build/", "/a/build/x", false, false, true),
            ("dir:build", "/a/build/x", false, false, true),
            ("file:build", "/a/build", false, true, true),
            ("file:build", "/a/build/x", false, false, false),
            ("file:*", "/a", false, true, true),
            ("file:*", "/a", true, false, false),
            ("file:/a/**/x", "/a/b/c/x", false, true, true),
            ("file:/a/**/x", "/a/x/y", false, false, false),
            ("dir:/a/**", "/a/x", true, true, true),
            ("exact:/a/[x]*", "/a/[x]*", false, true, true),
            ("exact:/a/[x]*", "/a/xx", false, false, false),
            ("exact:/a/[x]*", "/a/[x]*/b", false, false, true),
            ("exact:b?", "/a/b?", false, true, true),
            (r"\re:x", "/a/re:x", false, true, true),
            (r"\file:x", "/a/file:x", false, true, true),
        ] {
            let rule = rule(text);
            assert_eq!(rule.matches_here(path.as_bytes(), is_dir), here, "{text} here {path}");
            assert_eq!(rule.matches(path.as_bytes(), is_dir), all, "{text} {path}");
        }
        assert!(rule("!re:x").takes_back() && rule("!re:x").is_regex() && !rule("re:x").takes_back());
        let folded = |text: &str| Rule::new(Given::new(text, "here").folded()).unwrap();
        assert!(folded("re:\\.jpe?g$").matches_here(b"/A.JPG", false));
        assert!(folded("exact:/a/B").matches_here(b"/A/b", false));
    }

    #[test]
    fn what_is_no_rule_is_told_with_its_place() {
        for (text, why) in [
            ("re:(", "unclosed group"),
            ("re:", "everything"),
            ("re:\\pL{1000}{1000}", "limit"),
            ("[", "`[`"),
            ("exact:", "names nothing"),
            ("file:", "names nothing"),
        ] {
            let fault = Rule::new(Given::new(text, "config.toml:7")).unwrap_err();
            assert_eq!(fault.code, Code::Usage);
            assert!(fault.message.contains("(config.toml:7)"), "{fault}");
            assert!(fault.causes[0].contains(why), "{text}: {fault}");
        }
        assert!(Rule::new(Given::new(&b"re:\xff"[..], "x")).is_err());
        assert!(rule("re:(?-u)\\xff$").matches_here(b"/a\xff", false));
    }
}
