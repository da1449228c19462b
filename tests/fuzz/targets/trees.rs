//! Nodes, and the trees that they make.

use std::sync::Arc;

use store::id::{ChunkId, ContentId, NodeId};
use store::record::Refs;
use store::tree::{
    Child, Content, CutClass, DirReader, Entry, Facts, IndexChild, ListChild, Mark, Node, NodeSource, Owner, Piece,
    PieceReader, Time, Totals, What, decode, encode, find,
};

use super::{NO_WORDS, Target, joined, two};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "node", run: node, seeds: nodes, words: NO_WORDS },
    Target { name: "tree", run: tree, seeds: trees, words: NO_WORDS },
];

/// Most nodes of a tree here.
const NODES: usize = 6;

/// The n-th id: whatever a node refers to by it is the n-th node of the input.
fn id(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

fn entry(name: &[u8], what: What) -> Entry {
    Entry {
        name: name.into(),
        what,
        mode: 0o644,
        owner: Arc::default(),
        mtime: Time { secs: 1_700_000_000, nanos: 5 },
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts::default(),
    }
}

fn file(size: u64, content: Content) -> What {
    What::File { size, content, cut: CutClass::Whole }
}

fn page() -> Vec<Entry> {
    let chunk = ChunkId::new([7; 32]);
    let child = Child { node: id(1), content: ContentId::new([1; 32]), totals: Totals::none() };
    let pieces = vec![Piece::Data { id: chunk, len: 200_000 }, Piece::Hole(9_000), Piece::Zeros(4_096)];
    let mut full = entry(b"full", file(1_000, Content::Chunk(chunk)));
    full.owner = Arc::new(Owner { uid: 1, gid: 2, user: b"ana".as_slice().into(), group: b"staff".as_slice().into() });
    full.xattrs = vec![(b"user.a".as_slice().into(), b"b".as_slice().into())];
    full.flags = 16;
    full.mark = Some(Mark::Unreadable(3));
    full.facts = Facts {
        ctime: Time { secs: 1, nanos: 2 },
        inode: 3,
        link: Some((4, 5)),
        racy: true,
        birth: Some(Time { secs: 6, nanos: 7 }),
    };
    vec![
        entry(b"a", file(0, Content::Empty)),
        entry(b"ab", file(5, Content::Inline(b"hello".as_slice().into()))),
        entry(b"char", What::Char(1, 3)),
        entry(b"dir", What::Dir(child)),
        full,
        entry(b"list", file(1 << 30, Content::List { node: id(4), content: ContentId::new([4; 32]) })),
        entry(b"pieces", file(213_096, Content::Pieces(pieces))),
        entry(b"zlink", What::Symlink(b"../elsewhere".as_slice().into())),
    ]
}

/// One node of each kind.
pub(super) fn samples() -> Vec<Node> {
    let index = |first: &[u8], n| IndexChild {
        first: first.into(),
        node: id(n),
        content: ContentId::new([n; 32]),
        totals: Totals::none(),
        entries: 300,
    };
    let chunk = ChunkId::new([7; 32]);
    let child = Child { node: id(1), content: ContentId::new([1; 32]), totals: Totals::none() };
    vec![
        Node::Root(entry(b"docs", What::Dir(child))),
        Node::Index(vec![index(b"a", 2), index(b"m", 3)]),
        Node::Page(page()),
        Node::Page(vec![entry(b"m", What::Fifo), entry(b"z", What::Socket)]),
        Node::ListIndex(vec![ListChild { node: id(5), content: ContentId::new([5; 32]), bytes: 1 << 30 }]),
        Node::Pieces(
            (0..4)
                .map(|_| Piece::Data { id: chunk, len: 1 << 20 })
                .chain([Piece::Hole((1 << 30) - (4 << 20))])
                .collect(),
        ),
    ]
}

/// [chunks, nodes, plain encoding]: so many references of each kind.
fn bytes_of(node: &Node) -> Vec<u8> {
    let (refs, plain) = encode(node);
    // References by number: the n-th id.
    let mut out = vec![refs.chunks.len() as u8, refs.nodes.len() as u8];
    out.extend(refs.nodes.iter().map(|id| id.bytes()[0]));
    out.extend_from_slice(&plain);
    out
}

fn nodes() -> Vec<Vec<u8>> {
    samples().iter().map(bytes_of).collect()
}

fn parts(bytes: &[u8]) -> (Refs, &[u8]) {
    let Some(([chunks, below], rest)) = bytes.split_first_chunk::<2>() else { return (Refs::default(), &[]) };
    let (ids, plain) = rest.split_at(usize::from(*below).min(rest.len()));
    let refs = Refs {
        chunks: (0..*chunks).map(|n| ChunkId::new([n.wrapping_add(7); 32])).collect(),
        nodes: ids.iter().map(|n| id(*n)).collect(),
    };
    (refs, plain)
}

fn node(bytes: &[u8]) {
    let (refs, plain) = parts(bytes);
    let Ok(node) = decode(&refs, plain) else { return };
    drop(node.children());
    if let Node::Page(entries) = &node {
        let mut all = Totals::none();
        entries.iter().for_each(|entry| all.add(&entry.totals()));
    }
    let (refs, plain) = encode(&node);
    assert_eq!(decode(&refs, &plain).expect("what was read can be written"), node);
}

struct Given(Vec<Vec<u8>>);

impl NodeSource for Given {
    fn node(&self, id: &NodeId) -> store::Result<Node> {
        let n = usize::from(id.bytes()[0]);
        let bytes = self.0.get(n).ok_or(store::Error::NotFound { what: "node", name: n.to_string() })?;
        let (refs, plain) = parts(bytes);
        decode(&refs, plain)
    }
}

fn trees() -> Vec<Vec<u8>> {
    let all = nodes();
    let mut out = Vec::new();
    // Each as the top one, with the others below it.
    for first in 0..all.len() {
        let turned = [&all[first..first + 1], &all[..]].concat();
        out.push(turned.iter().rev().fold(Vec::new(), |rest, node| joined(node, &rest)));
    }
    out.push(all.iter().rev().fold(Vec::new(), |rest, node| joined(node, &rest)));
    out
}

/// What is read of a directory whose nodes are given, in whatever way they refer to each other.
fn tree(bytes: &[u8]) {
    let mut nodes = Vec::new();
    let mut rest = bytes;
    while nodes.len() < NODES && !rest.is_empty() {
        let (node, tail) = two(rest);
        nodes.push(node.to_vec());
        rest = tail;
    }
    let given = Given(nodes);
    let mut last: Option<Box<[u8]>> = None;
    for entry in DirReader::new(&given, id(0)).take(3_000) {
        let Ok(entry) = entry else { break };
        assert!(store::tree::check_name(&entry.name).is_ok());
        assert!(last.as_ref().is_none_or(|last| *last < entry.name), "names ascend over all pages");
        if let What::File { size, content, .. } = &entry.what {
            let pieces: store::Result<Vec<Piece>> = PieceReader::new(&given, content, *size).take(3_000).collect();
            if let Ok(pieces) = pieces
                && pieces.len() < 3_000
                && !matches!(content, Content::Empty | Content::Inline(_))
            {
                let bytes = pieces.iter().map(Piece::len).sum::<u64>();
                assert_eq!(bytes, *size, "pieces are as long as the file");
            }
        }
        last = Some(entry.name);
    }
    for name in [b"a".as_slice(), b"dir", b"m", b"zz"] {
        if let Ok(Some(entry)) = find(&given, id(0), name) {
            assert_eq!(&*entry.name, name);
        }
    }
}
