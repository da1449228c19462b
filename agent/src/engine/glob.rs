//! Paths with `*`, `?`, `[…]` and `**` in the overlay of a version.
//!
//! A path that is there as it is written is meant as it is written, whatever characters it has. Components without wildcards
//! are looked up and not listed, so a pattern costs as many directories as it really needs.

use std::vec;

use super::overlay::{Children, Found, Overlay, components, not_there};
use crate::fault::Result;
use crate::source::Pattern;

/// One component of a pattern.
enum Part {
    /// Any number of components, also none.
    Deep,
    /// The name itself.
    Name(Box<[u8]>),
    /// What a name must look like.
    Like(Box<Pattern>),
}

impl Part {
    fn new(component: &[u8]) -> Self {
        if component == b"**" {
            return Self::Deep;
        }
        let wild = component.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        match Pattern::new(component, false) {
            Ok(pattern) if wild => Self::Like(Box::new(pattern)),
            _ => Self::Name(component.into()),
        }
    }

    fn fits(&self, name: &[u8]) -> bool {
        match self {
            Self::Deep => true,
            Self::Name(wanted) => **wanted == *name,
            Self::Like(pattern) => pattern.matches(&[b"/", name].concat()),
        }
    }
}

/// Which parts of the pattern may come next, ascending.
type States = Vec<usize>;

/// A pattern over paths.
struct Glob {
    parts: Vec<Part>,
}

impl Glob {
    fn new(path: &[u8]) -> Self {
        Self { parts: components(path).map(Part::new).collect() }
    }

    /// `**` may also stand for nothing.
    fn closed(&self, mut states: States) -> States {
        let mut at = 0;
        while let Some(state) = states.get(at).copied() {
            if matches!(self.parts.get(state), Some(Part::Deep)) {
                states.push(state + 1);
            }
            at += 1;
        }
        states.sort_unstable();
        states.dedup();
        states
    }

    fn step(&self, states: &States, name: &[u8]) -> States {
        let next = states.iter().filter_map(|state| {
            let part = self.parts.get(*state).filter(|part| part.fits(name))?;
            Some(if matches!(part, Part::Deep) { *state } else { state + 1 })
        });
        self.closed(next.collect())
    }

    fn accepts(&self, states: &States) -> bool {
        states.last() == Some(&self.parts.len())
    }

    /// The names that alone may come next; `None` when any may.
    fn names(&self, states: &States) -> Option<Vec<&[u8]>> {
        let name = |state: &usize| match self.parts.get(*state) {
            Some(Part::Name(name)) => Some(Some(&**name)),
            None => Some(None),
            _ => None,
        };
        let mut names: Vec<&[u8]> =
            states.iter().map(name).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
        names.sort_unstable();
        names.dedup();
        Some(names)
    }
}

/// What is left of a directory.
enum Rest<'o> {
    All(Box<Children<'o>>),
    Some(vec::IntoIter<Found<'o>>),
}

impl<'o> Rest<'o> {
    fn of(overlay: &'o Overlay<'o>, glob: &Glob, states: &States, dir: &Found<'o>) -> Result<Self> {
        let Some(names) = glob.names(states) else { return Ok(Self::All(Box::new(overlay.children(dir)))) };
        let found = names.into_iter().map(|name| overlay.child(dir, name)).collect::<Result<Vec<_>>>()?;
        Ok(Self::Some(found.into_iter().flatten().collect::<Vec<_>>().into_iter()))
    }

    fn next(&mut self) -> Result<Option<Found<'o>>> {
        match self {
            Self::All(children) => children.next(),
            Self::Some(found) => Ok(found.next()),
        }
    }
}

/// Hears of each name: its path, what stands there, whether a pattern found it.
pub type Visit<'v, 'o> = dyn FnMut(&[u8], Found<'o>, bool) -> Result<()> + 'v;

/// Calls `visit` with everything that a path or pattern means, each once and in order, and whether it was a pattern.
/// Nothing at all is a fault.
pub fn expand<'o>(overlay: &'o Overlay<'o>, path: &[u8], visit: &mut Visit<'_, 'o>) -> Result<()> {
    let depth = match overlay.lookup(path)? {
        Ok(found) => return visit(&clean(path), found, false),
        Err(depth) => depth,
    };
    let glob = Glob::new(path);
    if glob.parts.iter().all(|part| matches!(part, Part::Name(_))) {
        return Err(not_there(path, depth));
    }
    let mut at = Vec::new();
    let mut any = false;
    let top = overlay.top()?;
    let states = glob.closed(vec![0]);
    let mut levels = vec![(Rest::of(overlay, &glob, &states, &top)?, states, 0)];
    while let Some((rest, states, len)) = levels.last_mut() {
        at.truncate(*len);
        let Some(found) = rest.next()? else {
            levels.pop();
            continue;
        };
        let states = glob.step(states, &found.entry.name);
        at.push(b'/');
        at.extend_from_slice(&found.entry.name);
        let below = found.is_dir() && states.iter().any(|state| *state < glob.parts.len());
        let rest = if below { Some(Rest::of(overlay, &glob, &states, &found)?) } else { None };
        if glob.accepts(&states) {
            any = true;
            visit(&at, found, true)?;
        }
        levels.extend(rest.map(|rest| (rest, states, at.len())));
    }
    if any { Ok(()) } else { Err(not_there(path, 0)) }
}

/// A path without empty components.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> = components(path).collect();
    [b"/", names.join(&b'/').as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::overlay::tests::{Forest, file};

    fn found(forest: &Forest, path: &str) -> Vec<String> {
        let overlay = forest.overlay();
        let mut all = Vec::new();
        let outcome = expand(&overlay, path.as_bytes(), &mut |path, _, _| {
            all.push(String::from_utf8(path.to_vec()).unwrap());
            Ok(())
        });
        assert_eq!(outcome.is_err(), all.is_empty());
        all
    }

    #[test]
    fn patterns_find_each_once_and_in_order() {
        let forest = Forest::sample();
        for (pattern, paths) in [
            ("/home/ana/note", &["/home/ana/note"][..]),
            ("/home/*/n?te", &["/home/ana/note"]),
            ("/*", &["/home", "/srv"]),
            ("/**/*.jpg", &["/home/ana/pics/a.jpg", "/home/ana/pics/b.jpg"]),
            ("/**/tax/**", &["/home/ana/docs/tax", "/home/ana/docs/tax/2019"]),
            ("/**/ana/**/[ab].jpg", &["/home/ana/pics/a.jpg", "/home/ana/pics/b.jpg"]),
            ("/home/*/nothing", &[]),
            ("/srv/www/index/*", &[]),
        ] {
            assert_eq!(found(&forest, pattern), paths, "{pattern}");
        }
    }

    #[test]
    fn what_is_there_as_written_is_meant() {
        let forest = Forest::new(&[("h", "/s", vec![("a*", file(b"1")), ("ab", file(b"2")), ("c[1]", file(b"3"))])]);
        assert_eq!(found(&forest, "/s/a*"), ["/s/a*"]);
        assert_eq!(found(&forest, "/s/c[1]"), ["/s/c[1]"]);
        assert_eq!(found(&forest, "/s/?b"), ["/s/ab"]);
    }

    #[test]
    fn names_without_wildcards_are_not_listed() {
        let many: Vec<(String, _)> = (0..3000).map(|n| (format!("{n:05}/x"), file(b"1"))).collect();
        let forest = Forest::new(&[("h", "/s", many)]);
        forest.nodes.forget_reads();
        assert_eq!(found(&forest, "/s/00042/*"), ["/s/00042/x"]);
        assert!(forest.nodes.reads() < 20, "{} nodes were read", forest.nodes.reads());
    }
}
