//! What a name must be like to be found.

use regex::bytes::{Regex, RegexBuilder};
use store::tree::{Entry, Kind, What};

use crate::engine::job::Sought;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::source::Pattern;

/// Memory that a regular expression may take when it is compiled, and again when it runs.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A compiled [`Sought`].
pub(super) struct Filter {
    name: Name,
    whole_path: bool,
    kinds: Vec<Kind>,
    bytes: (u64, u64),
    sizes: bool,
    /// Modified after and not after, milliseconds since 1970.
    modified: (i64, i64),
}

enum Name {
    /// `*`
    Any,
    Like(Box<Pattern>),
    Regex(Box<Regex>),
}

impl Filter {
    /// Compiles it; what is not understood is a usage fault.
    pub(super) fn new(sought: &Sought) -> Result<Self> {
        let text = sought.pattern.as_str();
        let wrong = |why: &dyn std::fmt::Display| {
            Fault::new(Code::Usage, format!("the pattern `{}` is not understood", for_terminal(text.as_bytes())))
                .because(why)
        };
        let name = if sought.regex {
            let built = RegexBuilder::new(text)
                .case_insensitive(sought.ignore_case)
                .size_limit(REGEX_BYTES_MAX)
                .dfa_size_limit(REGEX_BYTES_MAX)
                .build();
            Name::Regex(Box::new(built.map_err(|error| wrong(&one_line(&error.to_string())))?))
        } else if text == "*" {
            Name::Any
        } else {
            Name::Like(Box::new(Pattern::new(text.as_bytes(), sought.ignore_case).map_err(|error| wrong(&error))?))
        };
        Ok(Self {
            name,
            // A glob with a slash can only be meant so.
            whole_path: sought.whole_path || (!sought.regex && text.contains('/')),
            kinds: sought.kinds.clone(),
            bytes: (sought.bytes_least.unwrap_or(0), sought.bytes_most.unwrap_or(u64::MAX)),
            sizes: sought.bytes_least.is_some() || sought.bytes_most.is_some(),
            modified: (sought.newer_ms.unwrap_or(i64::MIN), sought.older_ms.unwrap_or(i64::MAX)),
        })
    }

    /// Whether it is only about the last component and what the entry says: it fits wherever the entry stands.
    pub(super) fn ignores_place(&self) -> bool {
        !self.whole_path
    }

    /// Whether an entry that stands at this absolute path fits.
    pub(super) fn fits(&self, path: &[u8], entry: &Entry) -> bool {
        self.fits_name(path) && self.fits_entry(entry)
    }

    fn fits_name(&self, path: &[u8]) -> bool {
        let last = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let tail = path.get(last..).unwrap_or_default();
        match &self.name {
            Name::Any => true,
            Name::Like(pattern) if self.whole_path => pattern.matches_here(path),
            Name::Like(pattern) => pattern.matches_here(tail),
            Name::Regex(regex) if self.whole_path => regex.is_match(path),
            Name::Regex(regex) => regex.is_match(tail.strip_prefix(b"/").unwrap_or(tail)),
        }
    }

    fn fits_entry(&self, entry: &Entry) -> bool {
        if !self.kinds.is_empty() && !self.kinds.contains(&entry.what.kind()) {
            return false;
        }
        if self.sizes {
            let What::File { size, .. } = entry.what else { return false };
            if size < self.bytes.0 || size > self.bytes.1 {
                return false;
            }
        }
        let modified = entry.mtime.secs.saturating_mul(1000).saturating_add(i64::from(entry.mtime.nanos / 1_000_000));
        modified > self.modified.0 && modified <= self.modified.1
    }
}

/// The last line of what the compiler of expressions says: those before it draw the place.
fn one_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use store::tree::{Child, Time, Totals};

    use super::*;
    use crate::engine::overlay::tests::{entry, file};

    fn fits(sought: Sought, path: &str) -> bool {
        Filter::new(&sought).unwrap().fits(path.as_bytes(), &file(b"12345"))
    }

    #[test]
    fn names() {
        let glob = |pattern: &str| Sought { pattern: pattern.into(), ..Sought::default() };
        assert!(fits(glob("*.txt"), "/a/b.txt"));
        assert!(fits(glob("*"), "/a/b.txt"));
        assert!(!fits(glob("*.txt"), "/a.txt/b"), "only the last component counts");
        assert!(!fits(glob("B.txt"), "/a/b.txt"));
        assert!(fits(Sought { ignore_case: true, ..glob("B.TXT") }, "/a/b.txt"));
        assert!(fits(glob("/a/*.txt"), "/a/b.txt"), "a slash means the whole path");
        assert!(fits(glob("a/*.txt"), "/x/a/b.txt"));
        assert!(!fits(glob("/a/*.txt"), "/x/a/b.txt"));
        let regex = |pattern: &str| Sought { regex: true, ..glob(pattern) };
        assert!(fits(regex(r"^b\.t.t$"), "/a/b.txt"));
        assert!(!fits(regex("^a"), "/a/b.txt"));
        assert!(fits(Sought { whole_path: true, ..regex("^/a/") }, "/a/b.txt"));
        assert!(fits(Sought { ignore_case: true, ..regex("^B") }, "/a/b.txt"));
    }

    #[test]
    fn what_is_not_understood() {
        for (pattern, regex) in [("[a", false), ("", false), ("(", true), ("a{1000}{1000}", true)] {
            let sought = Sought { pattern: pattern.into(), regex, ..Sought::default() };
            assert_eq!(Filter::new(&sought).err().map(|fault| fault.code), Some(Code::Usage), "{pattern}");
        }
    }

    #[test]
    fn sizes_kinds_and_times() {
        let any = || Sought { pattern: "*".into(), ..Sought::default() };
        let dir = entry(What::Dir(Child {
            node: store::id::NodeId::ZERO,
            content: store::id::ContentId::ZERO,
            totals: Totals::none(),
        }));
        let check = |sought: &Sought, entry: &Entry| Filter::new(sought).unwrap().fits(b"/x", entry);
        let least = Sought { bytes_least: Some(5), ..any() };
        assert!(check(&least, &file(b"12345")) && !check(&least, &file(b"1234")) && !check(&least, &dir));
        let most = Sought { bytes_most: Some(4), ..any() };
        assert!(!check(&most, &file(b"12345")) && check(&most, &file(b"1234")));
        let dirs = Sought { kinds: vec![Kind::Dir], ..any() };
        assert!(check(&dirs, &dir) && !check(&dirs, &file(b"1")));
        let at = |secs, nanos| Entry { mtime: Time { secs, nanos }, ..file(b"1") };
        let newer = Sought { newer_ms: Some(1_500), ..any() };
        assert!(check(&newer, &at(1, 501_000_000)) && !check(&newer, &at(1, 500_000_000)) && check(&newer, &at(2, 0)));
        let older = Sought { older_ms: Some(1_500), ..any() };
        assert!(check(&older, &at(1, 500_000_000)) && !check(&older, &at(1, 501_000_000)) && check(&older, &at(-9, 0)));
    }
}
