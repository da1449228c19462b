//! What decides whether a path is backed up: every rule is asked as a backup asks it, from the source down to the path.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use store::chain::SourceRoot;

use super::filter_command::FilterCommand;
use super::job::{RuledSource, WhyJob, WhyRow};
use super::overlay::components;
use crate::fault::Result;
use crate::source::{Dir, Selection, Stat};

/// A row for each path and each source that it lies in; one that says so where it lies in none.
pub fn why(job: &WhyJob) -> Result<Vec<WhyRow>> {
    let mut rows = Vec::new();
    for path in &job.paths {
        let before = rows.len();
        for source in job.sources.iter().filter(|source| holds(&source.path, path)) {
            rows.push(in_source(source, path)?);
        }
        if rows.len() == before {
            let there = stat(path).is_some();
            rows.push(WhyRow {
                path: path.clone(),
                source: None,
                included: false,
                rule: None,
                decided_at: path.clone(),
                there,
            });
        }
    }
    Ok(rows)
}

/// Whether a path is that of a source or lies in it.
pub fn holds(source: &[u8], path: &[u8]) -> bool {
    let mut names = components(path);
    components(source).all(|name| names.next() == Some(name))
}

/// Whether a path lies in that of a source, and is not itself.
#[must_use]
pub fn is_below(path: &[u8], source: &[u8]) -> bool {
    holds(source, path) && components(source).count() < components(path).count()
}

/// The sources of a version with their rules: those that were given for it, or those of what it lies in.
#[must_use]
pub fn with_rules(given: &[RuledSource], sources: &[SourceRoot]) -> Vec<RuledSource> {
    let mut all = given.to_vec();
    for source in sources.iter().filter(|source| given.iter().all(|given| given.path != source.path)) {
        let of = innermost(given, &source.path, |given| &given.path);
        all.extend(of.map(|of| RuledSource { path: source.path.clone(), ..of.clone() }));
    }
    all
}

/// Of things that have a path, the one that a path lies in deepest.
pub fn innermost<'t, T>(all: &'t [T], path: &[u8], at: impl Fn(&T) -> &[u8]) -> Option<&'t T> {
    all.iter().filter(|one| holds(at(one), path)).max_by_key(|one| components(at(one)).count())
}

fn in_source(source: &RuledSource, path: &[u8]) -> Result<WhyRow> {
    let rules = Selection::new(&source.rules)?.below(&source.path);
    let top = stat(&source.path);
    let there = stat(path).is_some();
    let row = |included, rule, decided_at: Vec<u8>| WhyRow {
        path: path.to_vec(),
        source: Some(source.path.clone()),
        included,
        rule,
        decided_at,
        there,
    };
    let mut at = if source.path == b"/" { Vec::new() } else { source.path.clone() };
    let mut said = None;
    let filter = source.filter.clone().map(|filter| FilterCommand::new(filter, source.path.clone()));
    for name in components(path).skip(components(&source.path).count()) {
        if let Some(rule) = leaves_content(&rules, top.as_ref(), &at, name) {
            return Ok(row(false, Some(rule), or_root(at)));
        }
        at.push(b'/');
        at.extend_from_slice(name);
        // What is not there could be anything: it is taken for what the path says, a file at its end and directories above.
        let stat = stat(&at);
        let is_dir = stat.as_ref().map_or(at.len() < path.len(), |stat| stat.kind == store::tree::Kind::Dir);
        let decision = rules.explain(&at, is_dir, stat.as_ref().map_or(0, |stat| stat.size));
        if decision.left_out {
            return Ok(row(false, decision.rule, or_root(at)));
        }
        if let Some(rule) = stat.as_ref().and_then(|stat| rules.left_out_by_age(stat)) {
            return Ok(row(false, Some(rule.told()), or_root(at)));
        }
        if let (Some(filter), Some(stat)) = (&filter, &stat) {
            let mut asked = at.clone();
            asked.extend((stat.kind == store::tree::Kind::Dir).then_some(b'/'));
            if filter.leaves_out(&[asked], &|| false)? == [true] {
                return Ok(row(false, Some(filter.told()), or_root(at)));
            }
        }
        said = decision.rule.map(|rule| (rule, at.clone())).or(said);
    }
    Ok(match said {
        Some((rule, decided_at)) => row(true, Some(rule), decided_at),
        None => row(true, None, or_root(at)),
    })
}

/// Why what is in a directory is left out, but for the name that says so.
fn leaves_content(rules: &Selection, top: Option<&Stat>, dir: &[u8], name: &[u8]) -> Option<String> {
    let opened = Dir::open(Path::new(OsStr::from_bytes(if dir.is_empty() { b"/" } else { dir }))).ok()?;
    if let (Some(top), Ok(here)) = (top, opened.stat_self())
        && let Some(rule) = rules.leaves_other_file_system(top, &here)
    {
        return Some(rule);
    }
    let names = opened.list().ok()?;
    rules.leaves_dir_content(&opened, &names).filter(|_| !rules.is_tag(name))
}

fn or_root(path: Vec<u8>) -> Vec<u8> {
    if path.is_empty() { b"/".to_vec() } else { path }
}

/// What stands at an absolute path.
fn stat(path: &[u8]) -> Option<Stat> {
    let whole = Path::new(OsStr::from_bytes(path));
    let Some(name) = whole.file_name() else { return Dir::open(whole).ok()?.stat_self().ok() };
    Dir::open_following(whole.parent()?).ok()?.stat(name.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Given, Patterns, SelectionOptions};

    #[test]
    fn below_is_strictly_below() {
        for (path, above, below) in [
            ("/a/b", "/a", true),
            ("/a/b", "/a/", true),
            ("/a", "/", true),
            ("/a", "/a", false),
            ("/ab", "/a", false),
            ("/", "/", false),
            ("/a", "/a/b", false),
        ] {
            assert_eq!(is_below(path.as_bytes(), above.as_bytes()), below, "{path} {above}");
        }
    }

    #[test]
    fn the_rule_that_decides_is_named() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().join("src");
        for dir in ["a/cache", "a/keep"] {
            std::fs::create_dir_all(top.join(dir)).unwrap();
        }
        std::fs::write(top.join("a/cache/CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55").unwrap();
        std::fs::write(top.join("a/x.log"), b"long").unwrap();
        let given = |text: &str, line| Patterns::One(Given::new(text, format!("config.toml:{line}")));
        let rules = SelectionOptions {
            patterns: vec![given("*.log", 3), given("!keep.log", 4), given("/*/none", 5)],
            exclude_caches: Some("config.toml:6".into()),
            larger_than: Some((3, "config.toml:7".into())),
            ..SelectionOptions::default()
        };
        let source = RuledSource { path: top.as_os_str().as_bytes().to_vec(), rules, filter: None };
        let ask = |name: &str| {
            let path = top.join(name).as_os_str().as_bytes().to_vec();
            why(&WhyJob { paths: vec![path], sources: vec![source.clone()] }).unwrap().remove(0)
        };
        let told = |name: &str| {
            let row = ask(name);
            let at = String::from_utf8(row.decided_at.clone()).unwrap();
            let at = at.strip_prefix(top.to_str().unwrap()).unwrap().trim_start_matches('/').to_owned();
            (row.included, row.rule, at)
        };
        let rule = |text: &str| Some(text.to_owned());
        assert_eq!(told("a/x.log"), (false, rule("`*.log` (config.toml:3)"), "a/x.log".into()));
        assert_eq!(told("y.log/below/it"), (false, rule("`*.log` (config.toml:3)"), "y.log".into()));
        assert_eq!(told("a/keep.log"), (true, rule("`!keep.log` (config.toml:4)"), "a/keep.log".into()));
        assert_eq!(told("a/keep"), (true, None, "a/keep".into()));
        let cache = rule("its directory has a CACHEDIR.TAG (config.toml:6)");
        assert_eq!(told("a/cache/x"), (false, cache, "a/cache".into()));
        assert!(ask("a/cache/CACHEDIR.TAG").rule.unwrap().contains("larger than 3"));
        assert_eq!(told(""), (true, None, "".into()));
        assert!(!ask("a/nothing").there && ask("a").there);
        let elsewhere = WhyJob { paths: vec![b"/elsewhere".to_vec()], sources: vec![source.clone()] };
        assert_eq!(why(&elsewhere).unwrap()[0].source, None);
    }
}
