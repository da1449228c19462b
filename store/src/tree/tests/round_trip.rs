//! Everything that an entry can be goes there and back, in one form only.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

fn names() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'.'), Just(0xff), Just(0x80)], 1..6),
        2 => vec(any::<u8>(), 1..30),
        1 => vec(any::<u8>(), 250..256),
    ]
    .prop_filter("single components", |name| check_name(name).is_ok())
}

fn chunk_ids() -> impl Strategy<Value = ChunkId> {
    prop_oneof![(0u64..6).prop_map(chunk), any::<[u8; 32]>().prop_map(ChunkId::new)]
}

fn node_ids() -> impl Strategy<Value = NodeId> {
    prop_oneof![(0u8..6).prop_map(|n| NodeId::new([n; 32])), any::<[u8; 32]>().prop_map(NodeId::new)]
}

fn pieces(most: usize) -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        (chunk_ids(), 1u32..=4 << 20).prop_map(|(id, len)| Piece::Data { id, len }),
        (1u64..1 << 40).prop_map(Piece::Hole),
        (1u64..1 << 40).prop_map(Piece::Zeros),
    ];
    vec(piece, 1..=most)
}

fn files() -> impl Strategy<Value = What> {
    let cut = || {
        use CutClass::{Cdc, CdcLarge, Fixed16, Fixed32, Fixed64, Whole};
        proptest::sample::select(vec![Whole, Cdc, CdcLarge, Fixed16, Fixed32, Fixed64])
    };
    let content = prop_oneof![
        Just((0, Content::Empty)),
        vec(any::<u8>(), 1..=48).prop_map(|bytes| (bytes.len() as u64, Content::Inline(bytes.into()))),
        (chunk_ids(), 1u64..=4 << 20).prop_map(|(id, size)| (size, Content::Chunk(id))),
        pieces(64).prop_map(|pieces| match pieces[..] {
            [Piece::Data { id, len }] => (len.into(), Content::Chunk(id)),
            _ => (pieces.iter().map(Piece::len).sum(), Content::Pieces(pieces)),
        }),
        (node_ids(), any::<[u8; 32]>(), 0..=u64::MAX >> 1)
            .prop_map(|(node, content, size)| (size, Content::List { node, content: ContentId::new(content) })),
    ];
    (content, cut()).prop_map(|((size, content), cut)| What::File { size, content, cut })
}

fn totals() -> impl Strategy<Value = Totals> {
    let small = || prop_oneof![Just(0), 0..=u64::MAX >> 1];
    (small(), small(), small(), any::<i64>()).prop_map(|(files, dirs, bytes, newest)| {
        let newest = if files == 0 && dirs == 0 { i64::MIN } else { newest };
        Totals { files, dirs, bytes, newest }
    })
}

fn whats() -> impl Strategy<Value = What> {
    prop_oneof![
        6 => files(),
        3 => (node_ids(), any::<[u8; 32]>(), totals()).prop_map(|(node, content, totals)| {
            What::Dir(Child { node, content: ContentId::new(content), totals })
        }),
        1 => vec(any::<u8>(), 0..40).prop_map(|target| What::Symlink(target.into())),
        1 => Just(What::Fifo),
        1 => Just(What::Socket),
        1 => any::<(u32, u32)>().prop_map(|(major, minor)| What::Char(major, minor)),
        1 => Just(What::Block(0, 0)),
    ]
}

fn times() -> impl Strategy<Value = Time> {
    prop_oneof![
        Just(Time::default()),
        (prop_oneof![any::<i64>(), 0..2_000_000_000i64], 0..1_000_000_000u32)
            .prop_map(|(secs, nanos)| Time { secs, nanos })
    ]
}

fn owners() -> impl Strategy<Value = Arc<Owner>> {
    (0u32..3, prop_oneof![Just(0), any::<u32>()], vec(any::<u8>(), 0..3))
        .prop_map(|(uid, gid, user)| Arc::new(Owner { uid, gid, user: user.into(), group: Box::default() }))
}

fn xattrs() -> impl Strategy<Value = Vec<Xattr>> {
    let map = btree_map(vec(any::<u8>(), 1..10), vec(any::<u8>(), 0..40), 0..3);
    prop_oneof![
        4 => Just(Vec::new()),
        1 => map.prop_map(|map| map.into_iter().map(|(name, value)| (name.into(), value.into())).collect()),
    ]
}

fn facts() -> impl Strategy<Value = Facts> {
    (times(), any::<u64>(), option::weighted(0.2, any::<(u64, u32)>()), any::<bool>(), option::of(times()))
        .prop_map(|(ctime, inode, link, racy, birth)| Facts { ctime, inode, link, racy, birth })
}

fn bodies() -> impl Strategy<Value = Entry> {
    let mark = option::weighted(
        0.3,
        prop_oneof![Just(Mark::Changed), any::<u64>().prop_map(Mark::Unreadable), any::<u64>().prop_map(Mark::Missing)],
    );
    let flags = prop_oneof![2 => Just(0u32), 1 => any::<u32>()];
    (whats(), 0u16..=0o7777, owners(), times(), xattrs(), flags, mark, facts()).prop_map(
        |(what, mode, owner, mtime, xattrs, flags, mark, facts)| Entry {
            name: Box::default(),
            what,
            mode,
            owner,
            mtime,
            xattrs,
            flags,
            mark,
            facts,
        },
    )
}

pub(super) fn entries(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    btree_map(names(), bodies(), 0..=most).prop_map(|map: BTreeMap<_, _>| {
        map.into_iter().map(|(name, entry)| Entry { name: name.into(), ..entry }).collect()
    })
}

pub(super) fn nodes() -> impl Strategy<Value = Node> {
    let index_child = || {
        (node_ids(), any::<[u8; 32]>(), totals(), any::<u64>()).prop_map(|(node, content, totals, entries)| {
            IndexChild { first: Box::default(), node, content: ContentId::new(content), totals, entries }
        })
    };
    let index = btree_map(names(), index_child(), 1..20).prop_map(|map: BTreeMap<_, _>| {
        map.into_iter().map(|(first, child)| IndexChild { first: first.into(), ..child }).collect()
    });
    let list_child = (node_ids(), any::<[u8; 32]>(), any::<u64>()).prop_map(|(node, content, bytes)| ListChild {
        node,
        content: ContentId::new(content),
        bytes,
    });
    prop_oneof![
        5 => entries(20).prop_map(Node::Page),
        1 => index.prop_map(Node::Index),
        1 => pieces(200).prop_map(Node::Pieces),
        1 => vec(list_child, 1..20).prop_map(Node::ListIndex),
        1 => (option::of(names()), bodies()).prop_map(|(name, entry)| {
            Node::Root(Entry { name: name.unwrap_or_default().into(), ..entry })
        }),
    ]
}

proptest! {
    #[test]
    fn nodes_go_there_and_back(node in nodes()) {
        let (refs, plain) = encode(&node);
        let read = decode(&refs, &plain).unwrap();
        prop_assert_eq!(&read, &node);
        prop_assert_eq!(encode(&read), (refs, plain));
    }

    #[test]
    fn directories_go_there_and_back(entries in entries(40)) {
        let mut store = Store::default();
        let top = store.directory(entries.clone());
        let read = DirReader::new(&store, top.node).collect::<Result<Vec<_>>>().unwrap();
        let mut sums = Totals::none();
        entries.iter().for_each(|entry| sums.add(&entry.totals()));
        prop_assert_eq!(top.totals, sums);
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn what_the_scan_saw_and_where_children_lie_is_not_what_a_tree_is(entries in entries(20), other in facts()) {
        let mut store = Store::default();
        let before = store.directory(entries.clone());
        let moved = entries.iter().cloned().map(|mut entry| {
            entry.facts = other;
            if let What::Dir(child) = &mut entry.what {
                child.node = NodeId::new(*blake3::hash(child.node.bytes()).as_bytes());
            }
            entry
        });
        let after = store.directory(moved);
        prop_assert_eq!(before.content, after.content);
        // Whatever else is touched is seen.
        for at in 0..entries.len() {
            let mut changed = entries.clone();
            changed[at].mode ^= 1;
            prop_assert_ne!(store.directory(changed).content, before.content);
        }
    }

    #[test]
    fn contents_go_there_and_back(pieces in pieces(300), fixed: bool) {
        let cut = if fixed { CutClass::Fixed16 } else { CutClass::Cdc };
        let mut store = Store::default();
        let (content, size) = store.content(cut, &pieces);
        prop_assert_eq!(size, pieces.iter().map(Piece::len).sum::<u64>());
        let read = PieceReader::new(&store, &content, size).collect::<Result<Vec<_>>>().unwrap();
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (Some(Piece::Hole(len)), Piece::Hole(more)) | (Some(Piece::Zeros(len)), Piece::Zeros(more)) => *len += more,
                _ => joined.push(piece),
            }
        }
        prop_assert_eq!(read, joined);
// The length of one chunk is the file's size; all other content has lengths of its own.
        if !matches!(content, Content::Chunk(_)) {
            prop_assert_eq!(PieceReader::new(&store, &content, size + 1).filter(Result::is_err).count(), 1);
        }
    }
}

#[test]
fn chunks_count_for_what_a_tree_is() {
    let mut store = Store::default();
    let one = store.directory([file("a", 1)]);
    let mut other = file("a", 1);
    other.what = What::File { size: 1_001, content: Content::Chunk(chunk(2)), cut: CutClass::Whole };
    assert_ne!(store.directory([other]).content, one.content);
}
