//! One tree made of all sources of a version: each stands where its absolute path says, below its host label when the
//! account has several hosts.
//!
//! What leads to a source and is not itself in the version is *made up*: a directory without metadata. Where a source lies
//! inside of another one, it hides what the outer one has at its path: it has its own rules. A [`walk`](super::walk) goes
//! through it.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::Peekable;
use std::sync::Arc;

use store::chain::SourceRoot;
use store::id::{ContentId, NodeId};
use store::tree::{
    Child, DirReader, Entry, Facts, Kind, Node, NodeSource, Owner, Pages, Time, Totals, What, check_name, find,
};

use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, quoted};

/// Where sources stand.
#[derive(Debug, Default)]
struct Mount {
    below: BTreeMap<Box<[u8]>, Mount>,
    source: Option<usize>,
}

/// See the module.
pub struct Overlay<'n> {
    nodes: &'n dyn NodeSource,
    sources: &'n [SourceRoot],
    top: Mount,
    hosts: bool,
}

/// Whether sources are of several hosts.
pub fn several_hosts(sources: &[SourceRoot]) -> bool {
    sources.iter().any(|source| sources.first().is_some_and(|first| first.host != source.host))
}

/// One name in the overlay.
#[derive(Clone, Debug)]
pub struct Found<'o> {
    /// Its entry, by the name that it has in the overlay (empty at the top).
    pub entry: Entry,
    /// A directory that only leads to sources: it has no metadata.
    pub made_up: bool,
    /// The source that it belongs to, by its place in the version's list.
    pub source: Option<usize>,
    mount: Option<&'o Mount>,
}

impl Found<'_> {
    /// Whether it can be entered.
    pub fn is_dir(&self) -> bool {
        self.entry.what.kind() == Kind::Dir
    }

    /// Whether it is a source itself and not something in one.
    pub fn is_source_top(&self) -> bool {
        self.source.is_some() && self.mount.is_some_and(|mount| mount.source == self.source)
    }
}

impl<'n> Overlay<'n> {
    /// The overlay of these sources. Host labels stand in front of paths when `hosts`, as they must where there are
    /// [several](several_hosts).
    pub fn new(nodes: &'n dyn NodeSource, sources: &'n [SourceRoot], hosts: bool) -> Self {
        let mut top = Mount::default();
        for (index, source) in sources.iter().enumerate() {
            let label = hosts.then(|| host_name(&source.host));
            let mut mount = &mut top;
            for name in label.as_deref().into_iter().chain(components(&source.path)) {
                mount = mount.below.entry(name.into()).or_default();
            }
            mount.source = Some(index);
        }
        Self { nodes, sources, top, hosts }
    }

    /// Whether host labels stand in front of paths.
    pub fn has_hosts(&self) -> bool {
        self.hosts
    }

    /// Where nodes come from.
    pub fn nodes(&self) -> &'n dyn NodeSource {
        self.nodes
    }

    /// The sources.
    pub fn sources(&self) -> &'n [SourceRoot] {
        self.sources
    }

    /// The top: `/`.
    pub fn top(&self) -> Result<Found<'_>> {
        self.mounted(&self.top, b"")
    }

    fn mounted<'o>(&'o self, mount: &'o Mount, name: &[u8]) -> Result<Found<'o>> {
        let Some(source) = mount.source.and_then(|index| self.sources.get(index)) else {
            return Ok(Found { entry: made_up(name), made_up: true, source: None, mount: Some(mount) });
        };
        let Node::Root(mut entry) = self.nodes.node(&source.root)? else {
            return Err(store::Error::damaged("source root", "a node of another kind stands in its place").into());
        };
        entry.name = name.into();
        if entry.what.kind() != Kind::Dir && !mount.below.is_empty() {
            entry = made_up(name);
            return Ok(Found { entry, made_up: true, source: None, mount: Some(mount) });
        }
        Ok(Found { entry, made_up: false, source: mount.source, mount: Some(mount) })
    }

    /// What stands where a tree has `real` and sources are below `mount`, or one of the two.
    fn joined<'o>(
        &'o self,
        source: Option<usize>,
        real: Option<Entry>,
        mount: Option<(&[u8], &'o Mount)>,
    ) -> Result<Option<Found<'o>>> {
        match (real, mount) {
            (Some(entry), Some((_, mount))) if mount.source.is_none() && entry.what.kind() == Kind::Dir => {
                Ok(Some(Found { entry, made_up: false, source, mount: Some(mount) }))
            }
            (_, Some((name, mount))) => self.mounted(mount, name).map(Some),
            (Some(entry), None) => Ok(Some(Found { entry, made_up: false, source, mount: None })),
            (None, None) => Ok(None),
        }
    }

    /// What is in a directory, in order of name. Nothing, when it is none.
    pub fn children<'o>(&'o self, of: &Found<'o>) -> Children<'o> {
        self.children_but(of, None)
    }

    /// The same without the entries of pages that are known in the directory of this number.
    pub fn children_but<'o>(&'o self, of: &Found<'o>, known: Option<(&'o dyn Pages, u64)>) -> Children<'o> {
        let real = match (&of.entry.what, known) {
            (What::Dir(child), None) if !of.made_up => Some(DirReader::new(self.nodes, child.node)),
            (What::Dir(child), Some((known, dir))) if !of.made_up => {
                Some(DirReader::without(self.nodes, child.node, known, dir))
            }
            _ => None,
        };
        let mounts = of.mount.map(|mount| mount.below.iter().peekable());
        Children { overlay: self, source: of.source, real, ahead: None, mounts }
    }

    /// One name in a directory: reads one page of it.
    pub fn child<'o>(&'o self, of: &Found<'o>, name: &[u8]) -> Result<Option<Found<'o>>> {
        let real = match &of.entry.what {
            What::Dir(child) if !of.made_up => find(self.nodes, child.node, name)?,
            _ => None,
        };
        let mount = of.mount.and_then(|mount| mount.below.get_key_value(name)).map(|(name, mount)| (&**name, mount));
        self.joined(of.source, real, mount)
    }

    /// What stands at an absolute path. `Err(n)` inside: only its first `n` components are there.
    pub fn lookup(&self, path: &[u8]) -> Result<Result<Found<'_>, usize>> {
        let mut at = self.top()?;
        for (depth, name) in components(path).enumerate() {
            match self.child(&at, name)? {
                Some(found) => at = found,
                None => return Ok(Err(depth)),
            }
        }
        Ok(Ok(at))
    }

    /// The same; that there is nothing is a fault that says where to look.
    pub fn need(&self, path: &[u8]) -> Result<Found<'_>> {
        self.lookup(path)?.map_err(|depth| not_there(path, depth))
    }

    /// Sums over what is below a name and itself, where they can be told without a walk: nothing is hidden by another source.
    pub fn quick_totals(&self, of: &Found<'_>) -> Result<Option<Totals>> {
        let Some(top) = of.mount.filter(|mount| !mount.below.is_empty()) else { return Ok(Some(of.entry.totals())) };
        let mut sums = Totals::none();
        let mut waiting = vec![top];
        while let Some(mount) = waiting.pop() {
            match mount.source {
                Some(_) if mount.below.is_empty() => sums.add(&self.mounted(mount, b"")?.entry.totals()),
                Some(_) => return Ok(None),
                None => waiting.extend(mount.below.values()),
            }
        }
        Ok((of.made_up && of.source.is_none()).then_some(sums))
    }

    /// Whether other sources stand below a name, so that its own nodes do not say all.
    pub fn has_sources_in(&self, of: &Found<'_>) -> bool {
        of.mount.is_some_and(|mount| !mount.below.is_empty())
    }

    /// The sources at or below a name, by their place in the version's list; with the one that it lies in.
    pub fn sources_of(&self, of: &Found<'_>) -> Vec<usize> {
        let mut all: Vec<usize> = of.source.into_iter().collect();
        let mut waiting: Vec<&Mount> = of.mount.into_iter().collect();
        while let Some(mount) = waiting.pop() {
            all.extend(mount.source);
            waiting.extend(mount.below.values());
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// That there is nothing at a path, of which only so many components are there.
pub fn not_there(path: &[u8], depth: usize) -> Fault {
    let there: Vec<&[u8]> = components(path).take(depth).collect();
    let above = [b"/", there.join(&b'/').as_slice()].concat();
    Fault::new(Code::PathNone, format!("there is no {} in this version", for_terminal(path)))
        .hint(format!("look at what is there: tuckbox ls {}", quoted(&above)))
        .path(path)
}

/// The components of a path; empty ones do not count.
pub fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

/// A host label as one component.
pub fn host_name(host: &str) -> Vec<u8> {
    let name: Vec<u8> = host.bytes().map(|byte| if matches!(byte, b'/' | 0) { b'_' } else { byte }).collect();
    if check_name(&name).is_ok() { name } else { b"_".to_vec() }
}

/// A directory without metadata.
fn made_up(name: &[u8]) -> Entry {
    Entry {
        name: name.into(),
        what: What::Dir(Child { node: NodeId::ZERO, content: ContentId::ZERO, totals: Totals::none() }),
        mode: 0o755,
        owner: Arc::new(Owner::default()),
        mtime: Time::default(),
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts::default(),
    }
}

/// What is in one directory, in order.
pub struct Children<'o> {
    overlay: &'o Overlay<'o>,
    source: Option<usize>,
    real: Option<DirReader<'o>>,
    /// An entry that was read and not given out yet.
    ahead: Option<Entry>,
    mounts: Option<Peekable<btree_map::Iter<'o, Box<[u8]>, Mount>>>,
}

impl<'o> Children<'o> {
    /// The next name. Errors are of the directory's own nodes: what follows is lost.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results would hide that an error ends it")]
    pub fn next(&mut self) -> Result<Option<Found<'o>>> {
        if self.ahead.is_none() {
            self.ahead = self.real.as_mut().and_then(DirReader::next).transpose().inspect_err(|_| self.real = None)?;
        }
        let mount = self.mounts.as_mut().and_then(|mounts| {
            let ahead = self.ahead.as_ref();
            mounts.next_if(|(name, _)| ahead.is_none_or(|entry| **name <= entry.name))
        });
        let real = match mount {
            Some((name, _)) => self.ahead.take_if(|entry| entry.name == *name),
            None => self.ahead.take(),
        };
        self.overlay.joined(self.source, real, mount.map(|(name, mount)| (&**name, mount)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use store::id::SourceId;
    use store::record::Refs;
    use store::seal::TreeKeys;
    use store::tree::{Built, Content, CutClass, DirBuilder, build_root, decode};

    use super::*;
    use crate::engine::walk::{Walk, tests::paths_of};

    /// Nodes in memory, which counts how often they are read.
    #[derive(Default)]
    pub(crate) struct Nodes {
        nodes: HashMap<NodeId, (Refs, Vec<u8>)>,
        reads: AtomicUsize,
    }

    impl Nodes {
        pub(crate) fn add(&mut self, built: Built) {
            self.nodes.insert(built.id, (built.refs, built.plain));
        }

        pub(crate) fn remove(&mut self, id: &NodeId) {
            self.nodes.remove(id);
        }

        pub(crate) fn forget_reads(&self) {
            self.reads.store(0, Ordering::Relaxed);
        }

        pub(crate) fn reads(&self) -> usize {
            self.reads.load(Ordering::Relaxed)
        }
    }

    impl NodeSource for Nodes {
        fn node(&self, id: &NodeId) -> store::Result<Node> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let (refs, plain) = self.nodes.get(id).ok_or(store::Error::NotFound { what: "node", name: id.hex() })?;
            decode(refs, plain)
        }
    }

    /// Sources in memory.
    pub(crate) struct Forest {
        pub(crate) nodes: Nodes,
        pub(crate) sources: Vec<SourceRoot>,
    }

    pub(crate) fn keys() -> TreeKeys {
        TreeKeys::new([1; 32], [2; 32], [3; 32])
    }

    /// An entry without a name.
    pub(crate) fn entry(what: What) -> Entry {
        let mode = if what.kind() == Kind::Dir { 0o755 } else { 0o644 };
        let mtime = Time { secs: 1_700_000_000, nanos: 123_456_789 };
        Entry { what, mode, mtime, ..made_up(b"") }
    }

    pub(crate) fn file(bytes: &[u8]) -> Entry {
        let content = if bytes.is_empty() { Content::Empty } else { Content::Inline(bytes.into()) };
        entry(What::File { size: bytes.len() as u64, content, cut: CutClass::Whole })
    }

    pub(crate) fn with_mode(entry: Entry, mode: u16) -> Entry {
        Entry { mode, ..entry }
    }

    #[expect(clippy::large_enum_variant, reason = "a test makes few")]
    enum Plant {
        Leaf(Entry),
        Dir(BTreeMap<Vec<u8>, Plant>),
    }

    /// The nodes of a directory, made from the leaves up.
    fn build(nodes: &mut Nodes, plants: BTreeMap<Vec<u8>, Plant>) -> Child {
        let mut builder = DirBuilder::new(&keys());
        for (name, plant) in plants {
            let found = match plant {
                Plant::Leaf(leaf) => leaf,
                Plant::Dir(below) => entry(What::Dir(build(nodes, below))),
            };
            let found = Entry { name: name.into(), ..found };
            builder
                .push(found, &mut |built| {
                    nodes.add(built);
                    Ok(())
                })
                .unwrap();
        }
        builder
            .finish(&mut |built| {
                nodes.add(built);
                Ok(())
            })
            .unwrap()
    }

    /// Host, path and files of a source.
    type Planting<'p, P> = (&'p str, &'p str, Vec<(P, Entry)>);

    impl Forest {
        /// Sources: host, path, and the files by their paths in it (a path of no components: the source is that file).
        pub(crate) fn new<P: AsRef<[u8]>>(sources: &[Planting<'_, P>]) -> Self {
            let mut forest = Self { nodes: Nodes::default(), sources: Vec::new() };
            for (host, path, files) in sources {
                forest.plant(host, path, files);
            }
            forest
        }

        fn plant<P: AsRef<[u8]>>(&mut self, host: &str, path: &str, files: &[(P, Entry)]) {
            let mut top = BTreeMap::new();
            let mut root = None;
            for (path, leaf) in files {
                let names: Vec<&[u8]> = components(path.as_ref()).collect();
                let Some((last, above)) = names.split_last() else {
                    root = Some(leaf.clone());
                    continue;
                };
                let mut at = &mut top;
                for name in above {
                    let below = at.entry(name.to_vec()).or_insert_with(|| Plant::Dir(BTreeMap::new()));
                    let Plant::Dir(below) = below else { panic!("a file is no directory") };
                    at = below;
                }
                let mut leaf = leaf.clone();
                if let What::Dir(child) = &mut leaf.what {
                    *child = build(&mut self.nodes, BTreeMap::new());
                }
                at.insert(last.to_vec(), Plant::Leaf(leaf));
            }
            let root = root.unwrap_or_else(|| entry(What::Dir(build(&mut self.nodes, top))));
            let name = components(path.as_bytes()).last().unwrap_or_default();
            let built = build_root(&keys(), &Entry { name: name.into(), ..root }).unwrap();
            self.sources.push(SourceRoot {
                id: SourceId::new([u8::try_from(self.sources.len()).unwrap(); 16]),
                root: built.id,
                introduced: 1,
                host: host.into(),
                path: path.into(),
                fs_type: String::new(),
                device: 0,
                mount_point: Vec::new(),
                files: built.totals.files,
                dirs: built.totals.dirs,
                bytes: built.totals.bytes,
                missing_since: None,
                content: built.content,
            });
            self.nodes.add(built);
        }

        pub(crate) fn overlay(&self) -> Overlay<'_> {
            Overlay::new(&self.nodes, &self.sources, several_hosts(&self.sources))
        }

        /// Two sources of one host.
        pub(crate) fn sample() -> Self {
            let ana = vec![
                ("docs/letter", file(b"dear")),
                ("docs/tax/2019", file(b"much")),
                ("note", file(b"x")),
                ("pics/a.jpg", file(b"aa")),
                ("pics/b.jpg", file(b"bb")),
            ];
            Self::new(&[("host", "/home/ana", ana), ("host", "/srv", vec![("www/index", file(b"<p>"))])])
        }
    }

    fn paths(overlay: &Overlay<'_>) -> Vec<String> {
        let top = overlay.top().unwrap();
        paths_of(Walk::new(overlay, b"/", &top))
    }

    #[test]
    fn hosts_stand_in_front_when_there_are_several() {
        let one = vec![("x", file(b"1"))];
        let forest = Forest::new(&[("alpha", "/etc", one.clone()), ("beta", "/etc", one)]);
        let overlay = forest.overlay();
        assert!(overlay.has_hosts());
        assert_eq!(paths(&overlay), ["/alpha", "/alpha/etc", "/alpha/etc/x", "/beta", "/beta/etc", "/beta/etc/x"]);
    }

    #[test]
    fn an_inner_source_hides_what_the_outer_has_there() {
        let outer = vec![("a/in/old", file(b"o")), ("a/z", file(b"z")), ("f", file(b"f"))];
        let inner = vec![("new", file(b"n"))];
        let below_file = vec![("g", file(b"g"))];
        let forest = Forest::new(&[("h", "/top", outer), ("h", "/top/a/in", inner), ("h", "/top/f/deep", below_file)]);
        let overlay = forest.overlay();
        assert_eq!(
            paths(&overlay),
            ["/top", "/top/a", "/top/a/in", "/top/a/in/new", "/top/a/z", "/top/f", "/top/f/deep", "/top/f/deep/g"]
        );
        assert!(overlay.lookup(b"/top/a/in/old").unwrap().is_err());
        assert!(overlay.lookup(b"/top/f").unwrap().unwrap().made_up);
        assert_eq!(overlay.quick_totals(&overlay.top().unwrap()).unwrap(), None);
        assert_eq!(overlay.sources_of(&overlay.lookup(b"/top/a").unwrap().unwrap()), [0, 1]);
    }

    #[test]
    fn looking_up() {
        let forest = Forest::sample();
        let overlay = forest.overlay();
        let found = overlay.need(b"//home/ana//docs/letter").unwrap();
        assert_eq!(&*found.entry.name, b"letter");
        assert_eq!(found.source, Some(0));
        let fault = overlay.need(b"/home/ana/docs/tax/2020").unwrap_err();
        assert_eq!(fault.code, Code::PathNone);
        assert_eq!(fault.hint.as_deref(), Some("look at what is there: tuckbox ls /home/ana/docs/tax"));
        let totals = overlay.quick_totals(&overlay.top().unwrap()).unwrap().unwrap();
        assert_eq!((totals.files, totals.bytes), (6, 4 + 4 + 1 + 2 + 2 + 3));
    }

    #[test]
    fn a_source_may_be_a_file_or_everything() {
        let forest = Forest::new(&[("h", "/etc/passwd", vec![("", file(b"root"))])]);
        assert_eq!(paths(&forest.overlay()), ["/etc", "/etc/passwd"]);
        let forest = Forest::new(&[("h", "/", vec![("etc/passwd", file(b"root"))])]);
        let overlay = forest.overlay();
        assert_eq!(paths(&overlay), ["/etc", "/etc/passwd"]);
        assert!(!overlay.top().unwrap().made_up);
    }
}
