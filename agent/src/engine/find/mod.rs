//! Names that fit, in one version or in all of them.
//!
//! Nothing is looked at twice. Through all versions (newest first), a directory is known by its path and its content id, and
//! so is each page of a large one: what is unchanged in an older version costs nothing there. In one version a directory
//! whose content was met elsewhere and had nothing that fits is passed over. Every row is told when it is found.

mod filter;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use store::chain::SourceRoot;
use store::id::{ContentId, SourceId};
use store::tree::{Content, Entry, Pages, Piece, What};

use super::job::{FindJob, FindRow, FindSummary, Run, Stop, VersionMark};
use super::list::row_of;
use super::overlay::{Children, Found, Overlay, not_there};
use super::queue::lock;
use super::versions::mark;
use super::view::{Reading, View, concerns};
use crate::fault::{Code, Fault, Result};
use filter::Filter;

/// Hands each name that fits to `row`.
pub fn find(run: &Run, job: &FindJob, row: &mut dyn FnMut(FindRow) -> Result<()>) -> Result<FindSummary> {
    let filter = Filter::new(&job.sought)?;
    let reading = Reading::open(run)?;
    let summary = {
        let all = job.all_versions || job.deleted;
        let views = if all { reading.all(Some(&job.at))? } else { vec![reading.view(&job.at)?] };
        let Some(newest) = views.last() else { return Err(no_version()) };
        let below: Vec<Vec<u8>> =
            if job.below.is_empty() { vec![b"/".to_vec()] } else { job.below.iter().map(|p| newest.path(p)).collect() };
        let now = newest.overlay();
        let seen = Seen::default();
        let mut finder = Finder::new(&filter, &seen, row);
        finder.only_deleted = job.deleted;
        finder.stop = run.stop.clone();
        let mut places = vec![None; below.len()];
        for view in views.iter().rev() {
            finder.get(view, &below)?;
            let overlay = view.overlay();
            let is_newest = std::ptr::eq(view, newest);
            finder.version(&overlay, (!is_newest).then_some(&now), all, mark(&view.link), &below, &mut places)?;
        }
        if let Some((path, depth)) = below.iter().zip(&places).find_map(|(path, depth)| Some((path, (*depth)?))) {
            return Err(not_there(path, depth));
        }
        // What the next backup needs stays longest.
        reading.nodes.prefer(&newest.sources.iter().map(|source| source.root).collect::<Vec<_>>());
        finder.summary
    };
    reading.close()?;
    Ok(summary)
}

fn no_version() -> Fault {
    Fault::new(Code::VersionNone, "there is no version yet").hint("tuckbox backup DIR")
}

/// What was looked at: hash of a path, and what stood there.
#[derive(Default)]
struct Seen(Mutex<HashSet<(u64, ContentId)>>);

impl Seen {
    /// Whether this is the first time.
    fn first(&self, path: u64, content: &ContentId) -> bool {
        lock(&self.0).insert((path, *content))
    }
}

impl Pages for Seen {
    fn is_known(&self, dir: u64, page: &ContentId) -> bool {
        !self.first(dir, page)
    }
}

/// A directory that the search is in.
struct Level<'o> {
    children: Children<'o>,
    path: usize,
    /// What it is with all below it, where nothing else is mounted in it.
    content: Option<ContentId>,
    /// Rows before it.
    found: u64,
}

/// One search.
struct Finder<'f> {
    filter: &'f Filter,
    seen: &'f Seen,
    row: &'f mut dyn FnMut(FindRow) -> Result<()>,
    only_deleted: bool,
    stop: Stop,
    /// Directories without anything that fits.
    barren: HashSet<ContentId>,
    /// Sources of versions that were looked at.
    versions: HashSet<Vec<(SourceId, ContentId)>>,
    sources: HashSet<(SourceId, ContentId)>,
    /// Rows: hash of the path, and of what stood there.
    told: HashSet<(u64, u64)>,
    summary: FindSummary,
}

/// One version that is searched.
struct At<'v, 'o> {
    overlay: &'o Overlay<'o>,
    /// The newest version, when this is an older one.
    now: Option<&'v Overlay<'v>>,
    all: bool,
    version: VersionMark,
}

impl<'f> Finder<'f> {
    fn new(filter: &'f Filter, seen: &'f Seen, row: &'f mut dyn FnMut(FindRow) -> Result<()>) -> Self {
        Self {
            filter,
            seen,
            row,
            only_deleted: false,
            stop: Stop::default(),
            barren: HashSet::new(),
            versions: HashSet::new(),
            sources: HashSet::new(),
            told: HashSet::new(),
            summary: FindSummary::default(),
        }
    }

    /// Makes sure that the nodes of a version are here, each source in one flight; of those that are known nothing.
    fn get(&mut self, view: &View<'_>, below: &[Vec<u8>]) -> Result<()> {
        let near = |source: &&SourceRoot| below.iter().any(|path| concerns(path, &source.path, view.hosts));
        for source in view.sources.iter().filter(near) {
            if self.sources.insert((source.id, source.content)) {
                view.nodes.fill(source.root)?;
            }
        }
        Ok(())
    }

    /// Searches one version. `places`: how much of each path there is in the best version so far; `None` = all.
    fn version<'o>(
        &mut self,
        overlay: &'o Overlay<'o>,
        now: Option<&Overlay<'_>>,
        all: bool,
        version: VersionMark,
        below: &[Vec<u8>],
        places: &mut [Option<usize>],
    ) -> Result<()>
    where
        'f: 'o,
    {
        self.summary.versions += 1;
        let sources = overlay.sources().iter().map(|source| (source.id, source.content)).collect();
        if !self.versions.insert(sources) {
            return Ok(());
        }
        let at = At { overlay, now, all, version };
        for (path, place) in below.iter().zip(places) {
            match overlay.lookup(path)? {
                Ok(found) => {
                    *place = None;
                    self.below(&at, &super::glob::clean(path), found)?;
                }
                Err(depth) if now.is_none() => *place = Some(depth),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// A name and everything below it.
    fn below<'o>(&mut self, at: &At<'_, 'o>, top: &[u8], found: Found<'o>) -> Result<()>
    where
        'f: 'o,
    {
        if top != b"/" {
            self.look(at, top, &found)?;
        }
        let mut path = if top == b"/" { Vec::new() } else { top.to_vec() };
        let mut levels: Vec<Level<'o>> = self.enter(at, &path, &found).into_iter().collect();
        while let Some(level) = levels.last_mut() {
            if self.stop.asked() {
                return Err(Fault::new(Code::Interrupted, "the search was interrupted"));
            }
            path.truncate(level.path);
            let Some(found) = level.children.next()? else {
                if let (Some(content), true) = (level.content, level.found == self.summary.found && !at.all) {
                    self.barren.insert(content);
                }
                levels.pop();
                continue;
            };
            path.push(b'/');
            path.extend_from_slice(&found.entry.name);
            self.look(at, &path, &found)?;
            if found.is_dir() {
                levels.extend(self.enter(at, &path, &found));
            }
        }
        Ok(())
    }

    /// Goes into a directory, unless it is known.
    fn enter<'o>(&mut self, at: &At<'_, 'o>, path: &[u8], found: &Found<'o>) -> Option<Level<'o>>
    where
        'f: 'o,
    {
        let content = match &found.entry.what {
            What::Dir(child) if !found.made_up && !at.overlay.has_sources_in(found) => Some(child.content),
            What::Dir(_) => None,
            _ => return None,
        };
        let mut pages: Option<(&'o dyn Pages, u64)> = None;
        if let Some(content) = content {
            let known = if at.all {
                let here = hash(&path);
                pages = Some((self.seen, here));
                !self.seen.first(here, &content)
            } else {
                self.filter.ignores_place() && self.barren.contains(&content)
            };
            if known {
                return None;
            }
        }
        let children = at.overlay.children_but(found, pages);
        Some(Level { children, path: path.len(), content, found: self.summary.found })
    }

    /// Tells a name that fits.
    fn look(&mut self, at: &At<'_, '_>, path: &[u8], found: &Found<'_>) -> Result<()> {
        self.summary.entries += 1;
        if found.made_up || !self.filter.fits(path, &found.entry) {
            return Ok(());
        }
        if at.all && !self.told.insert((hash(&path), state(&found.entry))) {
            return Ok(());
        }
        let deleted = match at.now {
            Some(now) => now.lookup(path)?.is_err(),
            None => false,
        };
        if self.only_deleted && !deleted {
            return Ok(());
        }
        self.summary.found += 1;
        (self.row)(FindRow { entry: row_of(at.overlay, path, found)?, version: at.version.clone(), deleted })
    }
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Of everything that a reader of an entry sees; of a directory without what is in it.
fn state(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    (entry.what.kind(), entry.mode, entry.mtime, &entry.xattrs, entry.flags).hash(&mut hasher);
    entry.owner.hash(&mut hasher);
    match &entry.what {
        What::File { size, content, .. } => {
            size.hash(&mut hasher);
            match content {
                Content::Empty => {}
                Content::Inline(bytes) => bytes.hash(&mut hasher),
                Content::Chunk(id) => id.hash(&mut hasher),
                Content::List { content, .. } => content.hash(&mut hasher),
                Content::Pieces(pieces) => pieces.iter().for_each(|piece| match piece {
                    Piece::Data { id, .. } => id.hash(&mut hasher),
                    Piece::Hole(len) => (0, len).hash(&mut hasher),
                    Piece::Zeros(len) => (1, len).hash(&mut hasher),
                }),
            }
        }
        What::Symlink(target) => target.hash(&mut hasher),
        What::Char(major, minor) | What::Block(major, minor) => (major, minor).hash(&mut hasher),
        What::Dir(_) | What::Fifo | What::Socket => {}
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::Sought;
    use crate::engine::overlay::tests::{Forest, file, with_mode};

    struct Done {
        rows: Vec<(String, u64, bool)>,
        reads: Vec<usize>,
        summary: FindSummary,
    }

    /// Searches versions, newest first.
    fn search(versions: &[&Forest], all: bool, below: &str, sought: Sought) -> Done {
        let filter = Filter::new(&sought).unwrap();
        let seen = Seen::default();
        let (mut rows, mut reads) = (Vec::new(), Vec::new());
        let mut row = |row: FindRow| {
            rows.push((String::from_utf8(row.entry.path).unwrap(), row.version.sequence, row.deleted));
            Ok(())
        };
        let overlays: Vec<Overlay<'_>> = versions.iter().map(|forest| forest.overlay()).collect();
        let mut finder = Finder::new(&filter, &seen, &mut row);
        for (n, overlay) in overlays.iter().enumerate() {
            versions[n].nodes.forget_reads();
            let mark = VersionMark { sequence: (versions.len() - n) as u64, ..VersionMark::default() };
            let now = (n > 0).then(|| &overlays[0]);
            finder.version(overlay, now, all, mark, &[below.as_bytes().to_vec()], &mut [None]).unwrap();
            reads.push(versions[n].nodes.reads());
        }
        let summary = finder.summary;
        Done { rows, reads, summary }
    }

    fn glob(pattern: &str) -> Sought {
        Sought { pattern: pattern.into(), ..Sought::default() }
    }

    fn row(path: &str, sequence: u64, deleted: bool) -> (String, u64, bool) {
        (path.to_owned(), sequence, deleted)
    }

    #[test]
    fn in_one_version() {
        let forest = Forest::sample();
        let found = |below, sought| search(&[&forest], false, below, sought).rows;
        let (a, b) = (row("/home/ana/pics/a.jpg", 1, false), row("/home/ana/pics/b.jpg", 1, false));
        assert_eq!(found("/", glob("*.jpg")), [a.clone(), b]);
        assert_eq!(found("/home/ana/pics", glob("a*")), std::slice::from_ref(&a));
        assert_eq!(found("/home/ana/pics/a.jpg", glob("a*")), [a]);
        assert_eq!(found("/", glob("nothing")), []);
    }

    #[test]
    fn through_all_versions_each_state_comes_once() {
        let one = Forest::new(&[("h", "/s", vec![("a/x", file(b"1")), ("b", file(b"b")), ("gone", file(b"g"))])]);
        let two = Forest::new(&[("h", "/s", vec![("a/x", file(b"2")), ("b", file(b"b")), ("gone", file(b"g"))])]);
        let three = Forest::new(&[("h", "/s", vec![("a/x", file(b"1")), ("b", with_mode(file(b"b"), 0o600))])]);
        let done = search(&[&three, &two, &one, &one], true, "/", glob("[a-z]*"));
        let files: Vec<_> = done.rows.iter().filter(|(path, ..)| !path.ends_with("/a") && path != "/s").collect();
        assert_eq!(
            files,
            [
                &row("/s/a/x", 4, false),
                &row("/s/b", 4, false),
                &row("/s/a/x", 3, false),
                &row("/s/b", 3, false),
                &row("/s/gone", 3, true),
            ],
            "the first version has nothing that was not met"
        );
        assert_eq!(done.summary.versions, 4);
        assert_eq!(done.reads[3], 0, "a version like another is not read");
    }

    #[test]
    fn what_is_unchanged_is_not_read_again() {
        let big = |changed: usize| {
            let many =
                (0..20_000).map(|n| (format!("d{:02}/f{n:05}", n % 40), file(if n == changed { b"!" } else { b"1" })));
            let many: Vec<_> = many.chain((0..5_000).map(|n| (format!("wide/{n:05}"), file(b"w")))).collect();
            Forest::new(&[("h", "/s", many)])
        };
        let (old, new) = (big(7), big(20_001));
        let done = search(&[&new, &old], true, "/", glob("f00007"));
        assert_eq!(done.rows, [row("/s/d07/f00007", 2, false), row("/s/d07/f00007", 1, false)]);
        assert!(done.reads[1] < 15, "{} nodes were read for one change", done.reads[1]);
        assert!(done.summary.entries < 27_000, "{} names were looked at", done.summary.entries);
        // A page of a wide directory is passed over like a directory.
        let wider: Vec<_> = (0..5_001).map(|n| (format!("wide/{n:05}"), file(b"w"))).collect();
        let wide: Vec<_> = (0..5_000).map(|n| (format!("wide/{n:05}"), file(b"w"))).collect();
        let (old, new) = (Forest::new(&[("h", "/s", wide)]), Forest::new(&[("h", "/s", wider)]));
        let done = search(&[&new, &old], true, "/", glob("04999"));
        assert_eq!(done.rows.len(), 1);
        assert!(done.summary.entries < 5_001 + 1_100, "{} names were looked at", done.summary.entries);
    }

    #[test]
    fn copies_without_anything_are_read_once() {
        let copies: Vec<_> =
            (0..50).flat_map(|c| (0..100).map(move |n| (format!("copy{c}/in/{n}"), file(b"1")))).collect();
        let forest = Forest::new(&[("h", "/s", copies)]);
        let done = search(&[&forest], false, "/", glob("none"));
        assert!(done.reads[0] < 10, "{} nodes were read", done.reads[0]);
        for all in [false, true] {
            let done = search(&[&forest], all, "/", glob("42"));
            assert_eq!(done.rows.len(), 50, "each place is told");
        }
    }
}
