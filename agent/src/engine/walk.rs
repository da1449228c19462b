//! A walk through the overlay, depth first.
//!
//! It keeps one page of one directory a level in memory and a path of any length; nothing recurses. A walk in the order of
//! a backup keeps the directories of a slice of names besides.

use std::collections::VecDeque;

use super::backup::scan::SLICE;
use super::overlay::{Children, Found, Overlay};
use crate::fault::Result;

/// In which order the names of a directory come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As they are called.
    Names,
    /// As a scan meets them, and boxes were filled: of each slice of names the directories last.
    Scan,
}

/// See the module.
pub struct Walk<'o> {
    overlay: &'o Overlay<'o>,
    order: Order,
    levels: Vec<Level<'o>>,
    path: Vec<u8>,
}

/// A directory that the walk is in.
struct Level<'o> {
    children: Children<'o>,
    /// Length of its path.
    len: usize,
    /// Names of the slice that were met.
    met: usize,
    /// Directories among them, which come when the slice is at its end.
    dirs: VecDeque<Found<'o>>,
}

/// What a walk meets.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are names, and none is kept")]
pub enum Step<'o> {
    /// A name; [`Walk::enter`] goes into it.
    Name(Found<'o>),
    /// The innermost directory is at its end, and left.
    Leave,
}

impl<'o> Walk<'o> {
    /// A walk of what is in `top`, which stands at `path`, in order of names.
    pub fn new(overlay: &'o Overlay<'o>, path: &[u8], top: &Found<'o>) -> Self {
        Self::ordered(overlay, path, top, Order::Names)
    }

    /// The same in the order in which a backup meets them: what lies in one box comes together.
    pub fn as_scanned(overlay: &'o Overlay<'o>, path: &[u8], top: &Found<'o>) -> Self {
        Self::ordered(overlay, path, top, Order::Scan)
    }

    fn ordered(overlay: &'o Overlay<'o>, path: &[u8], top: &Found<'o>, order: Order) -> Self {
        let path = if path == b"/" { Vec::new() } else { path.to_vec() };
        let level = Level::new(overlay.children(top), path.len());
        Self { overlay, order, levels: vec![level], path }
    }

    /// The path of the name that was met last, or of the directory that was left.
    pub fn path(&self) -> &[u8] {
        if self.path.is_empty() { b"/" } else { &self.path }
    }

    /// Directories that the walk is in.
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// What comes next; `None` at the end, after the last `Leave`. After an error no more names of the directory are read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would hide that an error ends a directory"
    )]
    pub fn next(&mut self) -> Result<Option<Step<'o>>> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        self.path.truncate(level.len);
        match level.next(self.order)? {
            Some(found) => {
                self.path.push(b'/');
                self.path.extend_from_slice(&found.entry.name);
                Ok(Some(Step::Name(found)))
            }
            None => {
                self.levels.pop();
                Ok(Some(Step::Leave))
            }
        }
    }

    /// Goes into the directory that was met last.
    pub fn enter(&mut self, found: &Found<'o>) {
        self.levels.push(Level::new(self.overlay.children(found), self.path.len()));
    }
}

impl<'o> Level<'o> {
    fn new(children: Children<'o>, len: usize) -> Self {
        Self { children, len, met: 0, dirs: VecDeque::new() }
    }

    fn next(&mut self, order: Order) -> Result<Option<Found<'o>>> {
        if order == Order::Names {
            return self.children.next();
        }
        loop {
            if self.met == SLICE {
                if let Some(dir) = self.dirs.pop_front() {
                    return Ok(Some(dir));
                }
                self.met = 0;
            }
            match self.children.next()? {
                Some(found) => {
                    self.met += 1;
                    if !found.is_dir() {
                        return Ok(Some(found));
                    }
                    self.dirs.push_back(found);
                }
                None if self.dirs.is_empty() => return Ok(None),
                None => self.met = SLICE,
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::overlay::tests::{Forest, file};

    /// All paths of a walk that goes into everything.
    pub(in crate::engine) fn paths_of(mut walk: Walk<'_>) -> Vec<String> {
        let mut paths = Vec::new();
        while let Some(step) = walk.next().unwrap() {
            if let Step::Name(found) = step {
                paths.push(String::from_utf8(walk.path().to_vec()).unwrap());
                if found.is_dir() {
                    walk.enter(&found);
                }
            }
        }
        paths
    }

    #[test]
    fn a_walk_is_in_order() {
        let forest = Forest::sample();
        let overlay = forest.overlay();
        assert_eq!(
            paths_of(Walk::new(&overlay, b"/", &overlay.top().unwrap())),
            [
                "/home",
                "/home/ana",
                "/home/ana/docs",
                "/home/ana/docs/letter",
                "/home/ana/docs/tax",
                "/home/ana/docs/tax/2019",
                "/home/ana/note",
                "/home/ana/pics",
                "/home/ana/pics/a.jpg",
                "/home/ana/pics/b.jpg",
                "/srv",
                "/srv/www",
                "/srv/www/index",
            ]
        );
    }

    #[test]
    fn a_walk_as_scanned_has_directories_last() {
        let forest = Forest::sample();
        let overlay = forest.overlay();
        let paths = paths_of(Walk::as_scanned(&overlay, b"/", &overlay.top().unwrap()));
        let ana = paths.iter().filter_map(|path| path.strip_prefix("/home/ana/")).collect::<Vec<_>>();
        assert_eq!(
            ana,
            ["note", "docs", "docs/letter", "docs/tax", "docs/tax/2019", "pics", "pics/a.jpg", "pics/b.jpg"]
        );
        let mut sorted = paths.clone();
        sorted.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        assert_eq!(sorted, paths_of(Walk::new(&overlay, b"/", &overlay.top().unwrap())), "all, and each once");
    }

    /// What is kept of a directory is bounded, whatever is in it.
    #[test]
    fn directories_come_after_their_slice() {
        let names: Vec<String> = (0..SLICE + 2).map(|n| format!("{n:05}/x")).chain(["~".into()]).collect();
        let files = names.iter().map(|name| (name.as_str(), file(b"x"))).collect();
        let forest = Forest::new(&[("h", "/top", files)]);
        let overlay = forest.overlay();
        let top = overlay.need(b"/top").unwrap();
        let mut walk = Walk::as_scanned(&overlay, b"/top", &top);
        let mut met = Vec::new();
        while let Some(step) = walk.next().unwrap() {
            assert!(walk.levels.iter().all(|level| level.dirs.len() <= SLICE));
            if let Step::Name(found) = step {
                met.push(found.entry.name);
            }
        }
        assert_eq!(met.len(), SLICE + 3);
        assert_eq!(&*met[SLICE], b"~", "the first of the second slice that is no directory");
        assert!(met[..SLICE].is_sorted());
    }
}
