//! What is left out of a backup, and by which rule.
//!
//! Rules are asked in order and the last that matches decides; `!` before a pattern takes back what earlier ones left out.
//! Nothing below a directory that is left out can be taken back, as nobody looks there. A rule says of what lies
//! [below](Selection::below) a source: its own name and what is above it were asked for.

use std::path::{Path, PathBuf};

use store::tree::{Kind, check_name};

use super::age::AgeRule;
use super::dir::Dir;
use super::file::SourceFile;
use super::list_file::read_limited;
use super::names::Names;
use super::pattern::components;
use super::rule::{Given, Rule};
use super::stat::Stat;
use crate::fault::{Code, Fault, Result};

/// Where patterns stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patterns {
    /// Here.
    One(Given),
    /// In a file, one a line; `#` begins a comment line. `fold`: capitals and small letters are the same.
    File {
        /// Which.
        path: PathBuf,
        /// Whether they are.
        fold: bool,
    },
}

/// Everything that a person may say about what is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectionOptions {
    /// Patterns, in the order in which they are asked; the last that matches decides.
    pub patterns: Vec<Patterns>,
    /// Leave out what is in directories with a `CACHEDIR.TAG` of the right signature; says where that stands.
    pub exclude_caches: Option<String>,
    /// Leave out what is in directories with a file of this name; `NAME:HEADER` asks for its first bytes, too.
    pub exclude_if_present: Vec<Given>,
    /// Leave out regular files of more bytes; says where that stands.
    pub larger_than: Option<(u64, String)>,
    /// Leave out what is on other file systems than the source itself; says where that stands.
    pub one_file_system: Option<String>,
    /// Leave out by age.
    pub ages: Vec<AgeRule>,
}

/// What decided about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is left out.
    pub left_out: bool,
    /// The rule, as people are told: pattern and where it stands. `None` when no rule matches.
    pub rule: Option<String>,
}

#[derive(Debug)]
struct Tag {
    name: Vec<u8>,
    header: Vec<u8>,
    from: String,
}

/// The rules, compiled once. Shared by all threads of a run.
#[derive(Debug, Default)]
pub struct Selection {
    rules: Vec<Rule>,
    /// Components of the source's path.
    above: usize,
    /// Whether any rule takes back: then what decided above matters below.
    takes_back: bool,
    tags: Vec<Tag>,
    larger_than: Option<(u64, String)>,
    one_file_system: Option<String>,
    ages: Vec<AgeRule>,
}

const CACHE_TAG: &[u8] = b"CACHEDIR.TAG";
const CACHE_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Longest list of patterns that is read, and longest header of a tag.
const PATTERN_FILE_BYTES_MAX: u64 = 16 << 20;
const HEADER_BYTES_MAX: usize = 4096;
/// Most regular expressions: each may take a few MiB.
const REGEXES_MAX: usize = 256;

impl Selection {
    /// Compiles the rules; pattern files are read now. Usage faults name the flag or line.
    pub fn new(options: &SelectionOptions) -> Result<Self> {
        let mut selection = Self {
            larger_than: options.larger_than.clone(),
            one_file_system: options.one_file_system.clone(),
            ages: options.ages.clone(),
            ..Self::default()
        };
        for patterns in &options.patterns {
            match patterns {
                Patterns::One(given) => selection.add(given.clone())?,
                Patterns::File { path, fold } => {
                    for given in pattern_file(path)? {
                        selection.add(if *fold { given.folded() } else { given })?;
                    }
                }
            }
        }
        if let Some(from) = &options.exclude_caches {
            let (name, header) = (CACHE_TAG.to_vec(), CACHE_SIGNATURE.to_vec());
            selection.tags.push(Tag { name, header, from: from.clone() });
        }
        for spec in &options.exclude_if_present {
            selection.tags.push(tag(spec)?);
        }
        Ok(selection)
    }

    /// The same for the source at this path.
    #[must_use]
    pub fn below(mut self, source: &[u8]) -> Self {
        self.above = components(source).count();
        self
    }

    fn add(&mut self, given: Given) -> Result<()> {
        let rule = Rule::new(given)?;
        self.takes_back |= rule.takes_back();
        self.rules.push(rule);
        if self.rules.iter().filter(|rule| rule.is_regex()).count() > REGEXES_MAX {
            let told = format!("there are more than {REGEXES_MAX} regular expressions (re:)");
            return Err(Fault::new(Code::Usage, told).hint("join them with |, or write globs"));
        }
        Ok(())
    }

    /// Whether no rule can leave out a name: paths need not be put together then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.larger_than.is_none()
    }

    /// Why the absolute path is left out; `None`: it is taken. Looks at everything between it and the source as well.
    #[must_use]
    pub fn decide(&self, path: &[u8], is_dir: bool, size: u64) -> Option<String> {
        let decision = self.explain(path, is_dir, size);
        decision.rule.filter(|_| decision.left_out)
    }

    /// The same in a walk, where the directory above was decided and is taken: cheaper, and nothing at all without rules.
    #[must_use]
    pub fn decide_here(&self, path: &[u8], is_dir: bool, size: u64) -> Option<String> {
        if self.takes_back {
            return self.decide(path, is_dir, size);
        }
        match self.rules.iter().find(|rule| rule.matches_here(path, is_dir)) {
            Some(rule) => Some(rule.told()),
            None => self.too_large(is_dir, size),
        }
    }

    /// What decides about a path, also when it is taken because a rule takes it back. Names the directory's own rules only
    /// for `path` itself: whoever explains a path asks for each directory above it first.
    #[must_use]
    pub fn explain(&self, path: &[u8], is_dir: bool, size: u64) -> Decision {
        let rule = self.rules.iter().rev().find(|rule| rule.matches_below(path, is_dir, self.above));
        match (rule, self.too_large(is_dir, size)) {
            (Some(rule), _) if !rule.takes_back() => Decision { left_out: true, rule: Some(rule.told()) },
            (_, Some(reason)) => Decision { left_out: true, rule: Some(reason) },
            (rule, None) => Decision { left_out: false, rule: rule.map(Rule::told) },
        }
    }

    fn too_large(&self, is_dir: bool, size: u64) -> Option<String> {
        let (most, from) = self.larger_than.as_ref().filter(|(most, _)| !is_dir && size > *most)?;
        Some(format!("larger than {most} bytes ({from})"))
    }

    /// The rule that leaves out something by its age. Asked after the others, which look at the path.
    #[must_use]
    pub fn left_out_by_age(&self, stat: &Stat) -> Option<&AgeRule> {
        self.ages.iter().find(|rule| stat.kind != Kind::Dir && rule.leaves_out(stat.mtime))
    }

    /// Why everything in a directory (whose sorted names these are) is left out, but for names that [`Selection::is_tag`]
    /// knows: those stay, so that the directory says the same after a restore.
    #[must_use]
    pub fn leaves_dir_content(&self, dir: &Dir, names: &Names) -> Option<String> {
        let tag = self.tags.iter().find(|tag| names.contains(&tag.name) && tag.fits(dir))?;
        Some(format!("its directory has a {} ({})", String::from_utf8_lossy(&tag.name), tag.from))
    }

    /// Whether any name can mark a directory whose content is left out.
    #[must_use]
    pub fn has_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    /// Whether this name can mark a directory whose content is left out.
    #[must_use]
    pub fn is_tag(&self, name: &[u8]) -> bool {
        self.tags.iter().any(|tag| tag.name == name)
    }

    /// Why what is in a directory is left out because of where it lies; the directory itself, a mount point, is taken.
    #[must_use]
    pub fn leaves_other_file_system(&self, source: &Stat, dir: &Stat) -> Option<String> {
        let from = self.one_file_system.as_ref().filter(|_| source.device != dir.device)?;
        Some(format!("another file system ({from})"))
    }
}

impl Tag {
    fn fits(&self, dir: &Dir) -> bool {
        if self.header.is_empty() {
            return true;
        }
        // A tag that cannot be read marks nothing: better too much than too little.
        let Ok(stat) = dir.stat(&self.name) else { return false };
        if stat.kind != Kind::File {
            return false;
        }
        let mut head = vec![0; self.header.len()];
        let read = SourceFile::open(dir, &self.name, &stat).ok().and_then(|file| file.read_at(&mut head, 0).ok());
        read == Some(head.len()) && head == self.header
    }
}

fn tag(given: &Given) -> Result<Tag> {
    let (spec, from) = (&given.pattern[..], &given.from);
    let colon = spec.iter().position(|byte| *byte == b':').unwrap_or(spec.len());
    let (name, rest) = spec.split_at(colon);
    let header = rest.get(1..).unwrap_or_default();
    if check_name(name).is_err() || header.len() > HEADER_BYTES_MAX {
        let shown = String::from_utf8_lossy(spec);
        let sentence = format!("`{shown}` ({from}) is not a file name, or a name, a colon and its first bytes");
        return Err(Fault::new(Code::Usage, sentence));
    }
    Ok(Tag { name: name.into(), header: header.into(), from: from.clone() })
}

/// The patterns of a file: one a line, without the blanks around it; empty lines and lines with `#` first say nothing.
fn pattern_file(file: &Path) -> Result<Vec<Given>> {
    let text = read_limited(file, PATTERN_FILE_BYTES_MAX).map_err(|error| {
        Fault::new(Code::Usage, format!("cannot read the patterns in {}", file.display())).because(error)
    })?;
    let lines = text.split(|byte| *byte == b'\n').zip(1_u64..);
    let patterns = lines.map(|(line, number)| (line.trim_ascii(), number));
    Ok(patterns
        .filter(|(line, _)| !line.is_empty() && !line.starts_with(b"#"))
        .map(|(line, number)| Given::new(line, format!("{}:{number}", file.display())))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(patterns: &[&str]) -> Selection {
        let patterns = patterns.iter().map(|pattern| Patterns::One(Given::new(*pattern, "--exclude"))).collect();
        Selection::new(&SelectionOptions { patterns, ..SelectionOptions::default() }).unwrap()
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let rules = selection(&["*.log", "!keep.log", "/tmp/*"]);
        assert_eq!(rules.decide(b"/a/x.log", false, 1).unwrap(), "`*.log` (--exclude)");
        assert_eq!(rules.decide(b"/a/keep.log", false, 1), None);
        assert_eq!(rules.decide(b"/tmp/keep.log", false, 1).unwrap(), "`/tmp/*` (--exclude)");
        let why = rules.explain(b"/a/keep.log", false, 1);
        assert_eq!(why, Decision { left_out: false, rule: Some("`!keep.log` (--exclude)".into()) });
        assert_eq!(rules.explain(b"/a/b", false, 1), Decision { left_out: false, rule: None });
        // What was taken back above stays so below, whatever an earlier rule says about the name.
        let rules = selection(&["x", "/home/*", "!/home/me"]);
        assert_eq!(rules.decide_here(b"/home/me/x", false, 1), None);
        assert!(rules.decide_here(b"/home/you", true, 0).is_some());
    }

    #[test]
    fn a_walk_hears_the_same_as_one_who_asks() {
        let rules = selection(&["*.o", "target", "/a/b/c"]);
        for (path, out) in [
            (&b"/a/x.o"[..], true),
            (b"/a/target", true),
            (b"/a/b/c", true),
            (b"/a/b/cc", false),
            (b"/x/a/b/c", false),
            (b"/a/b", false),
        ] {
            assert_eq!(rules.decide_here(path, false, 0).is_some(), out, "{}", path.escape_ascii());
            assert_eq!(rules.decide(path, false, 0), rules.decide_here(path, false, 0));
        }
        // Below what is left out only the one who asks knows.
        assert!(rules.decide(b"/a/target/x", false, 0).is_some());
        assert!(Selection::default().decide_here(b"/a", false, u64::MAX).is_none());
    }

    #[test]
    fn a_source_and_what_is_above_it_are_not_meant() {
        for (patterns, path, out) in [
            (["a", "!none"], "/a/s/f", false),
            (["s", "!none"], "/a/s/f", false),
            (["s", "!none"], "/a/s/s", true),
            (["a/s", "!none"], "/a/s/d/f", false),
            (["s/d", "!none"], "/a/s/d/f", true),
            (["/a", "!none"], "/a/s/f", false),
            (["/a/s/d", "!none"], "/a/s/d/f", true),
            (["re:^/a", "!none"], "/a/s/f", true),
            (["dir:s", "!none"], "/a/s/f", false),
            (["dir:d", "!none"], "/a/s/d/f", true),
            (["**/a/**", "!none"], "/a/s/f", true),
            (["*", "!s"], "/a/s/f", true),
        ] {
            let rules = selection(&patterns).below(b"/a/s");
            assert_eq!(rules.decide(path.as_bytes(), false, 0).is_some(), out, "{patterns:?} {path}");
            assert_eq!(rules.decide_here(path.as_bytes(), false, 0), rules.decide(path.as_bytes(), false, 0));
            assert_eq!(rules.decide(b"/a/s", true, 0), None);
            // The same as without a rule that takes back, as a walk asks.
            let plain = selection(&patterns[..1]).below(b"/a/s");
            let walked =
                [&b"/a/s/d"[..], b"/a/s/s", path.as_bytes()].into_iter().filter(|at| path.as_bytes().starts_with(at));
            let walked = walked.map(|at| plain.decide_here(at, at.len() < path.len(), 0)).any(|rule| rule.is_some());
            assert_eq!(walked, out, "{patterns:?} {path}");
        }
    }

    #[test]
    fn size_counts_for_files_only() {
        let rules = Selection::new(&SelectionOptions {
            larger_than: Some((100, "here".into())),
            ..SelectionOptions::default()
        })
        .unwrap();
        assert_eq!(rules.decide_here(b"/f", false, 100), None);
        assert!(rules.decide_here(b"/f", false, 101).unwrap().contains("larger than 100"));
        assert_eq!(rules.decide_here(b"/d", true, 4096), None);
    }

    #[test]
    fn rules_of_files_name_their_line() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("rules");
        std::fs::write(&file, b"# comment\n\n  *.bak  \r\n!good.bak\n*\xff\n").unwrap();
        let options = SelectionOptions {
            patterns: vec![
                Patterns::File { path: file.clone(), fold: false },
                Patterns::One(Given::new("*.TMP", "config.toml:7").folded()),
            ],
            ..SelectionOptions::default()
        };
        let rules = Selection::new(&options).unwrap();
        assert_eq!(rules.decide(b"/x.bak", false, 0).unwrap(), format!("`*.bak` ({}:3)", file.display()));
        assert_eq!(rules.decide(b"/good.bak", false, 0), None);
        assert!(rules.decide(b"/x\xff", false, 0).is_some());
        assert_eq!(rules.decide(b"/X.tmp", false, 0).unwrap(), "`*.TMP` (config.toml:7)");
        assert!(rules.decide(b"/x.BAK", false, 0).is_none());

        std::fs::write(&file, b"fine\n[broken\n").unwrap();
        let fault = Selection::new(&options).unwrap_err();
        assert_eq!(fault.code, Code::Usage);
        assert!(fault.message.contains(&format!("{}:2", file.display())), "{fault}");
        let patterns = vec![Patterns::File { path: place.path().join("none"), fold: true }];
        let missing = SelectionOptions { patterns, ..options };
        assert_eq!(Selection::new(&missing).unwrap_err().code, Code::Usage);
    }

    #[test]
    fn tagged_directories() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, file: &str, text: &[u8]| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(file), text).unwrap();
            std::fs::write(path.join("zz"), b"content").unwrap();
            Dir::open(&path).unwrap()
        };
        let options = SelectionOptions {
            exclude_caches: Some("--exclude-caches".into()),
            exclude_if_present: [".nobackup", "mark:no: backup"].map(|name| Given::new(name, "here")).to_vec(),
            ..SelectionOptions::default()
        };
        let rules = Selection::new(&options).unwrap();
        let left = |dir: &Dir| rules.leaves_dir_content(dir, &dir.list().unwrap());
        let reason = left(&make("cache", "CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55\n# by x\n"));
        assert!(reason.unwrap().contains("CACHEDIR.TAG (--exclude-caches)"));
        assert!(left(&make("false cache", "CACHEDIR.TAG", b"Signature: nonsense")).is_none());
        assert!(left(&make("short cache", "CACHEDIR.TAG", b"Sig")).is_none());
        assert!(left(&make("present", ".nobackup", b"")).unwrap().contains(".nobackup"));
        assert!(left(&make("header", "mark", b"no: backup, please")).is_some());
        assert!(left(&make("no header", "mark", b"yes")).is_none());
        assert!(left(&make("plain", "file", b"")).is_none());
        assert!(rules.is_tag(b"CACHEDIR.TAG") && rules.is_tag(b"mark") && !rules.is_tag(b"zz"));
        for bad in [&b""[..], b"a/b", b":x", b".."] {
            let options =
                SelectionOptions { exclude_if_present: vec![Given::new(bad, "here")], ..SelectionOptions::default() };
            assert_eq!(Selection::new(&options).unwrap_err().code, Code::Usage);
        }
    }
}
