//! Large directories and huge files as trees of pages.

use std::sync::atomic::{AtomicU32, Ordering};

use std::collections::HashSet;

use super::*;

fn name(number: u64) -> String {
    format!("file-{number:07}.dat")
}

pub(super) fn many(count: u64) -> impl Iterator<Item = Entry> {
    (0..count).map(|number| file(&name(number), number))
}

#[test]
fn a_directory_of_512_is_one_page_and_of_513_is_not() {
    for (count, paged) in [(0, false), (1, false), (512, false), (513, true)] {
        let mut store = Store::default();
        let top = store.directory(many(count));
        assert_eq!(store.made.len() > 1, paged);
        assert_eq!(top.totals.files, count);
        assert_eq!(DirReader::new(&store, top.node).count() as u64, count);
    }
}

#[test]
fn a_single_page_has_no_index() {
    // No hash of these names happens to end a page.
    let mut store = Store::default();
    let top = store.directory((0..600).map(|number| file(&format!("{number:03}"), number)));
    assert_eq!(store.made.len(), 1);
    assert_eq!(top, store.made[0].child());
}

#[test]
fn one_new_name_among_many_rewrites_about_one_page_a_level() {
    let count = 100_000;
    let mut store = Store::default();
    let top = store.directory(many(count));
    let pages = store.made.iter().filter(|built| !built.refs.chunks.is_empty()).count();
    assert!((250..500).contains(&pages), "{pages} pages");
    assert_eq!((top.totals.files, top.totals.dirs), (count, 0));

    let before: HashSet<NodeId> = store.nodes.keys().copied().collect();
    let mut rewritten = Vec::new();
    for at in [0, 17, 33_333, 50_000, 99_999] {
        let mut after = Store::default();
        let entries = many(count).flat_map(|entry| {
            let new = (*entry.name == *name(at).as_bytes()).then(|| file(&format!("{}-new", name(at)), 1 << 40));
            [Some(entry), new].into_iter().flatten()
        });
        after.directory(entries);
        let new: Vec<&Built> = after.made.iter().filter(|built| !before.contains(&built.id)).collect();
        let bytes: usize = new.iter().map(|built| built.plain.len() + 32 * built.refs.chunks.len()).sum();
        rewritten.push((new.len(), bytes));
    }
    let (nodes, bytes) = rewritten.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    assert!(rewritten.iter().all(|(nodes, _)| *nodes <= 6), "{rewritten:?}");
    assert!(nodes <= 5 * 4 && bytes <= 5 * 80_000, "{rewritten:?}");
}

#[test]
fn every_name_is_found_and_no_other() {
    let mut store = Store::default();
    let top = store.directory(many(20_000)).node;
    let reader = DirReader::new(&store, top);
    for number in (0..20_000).step_by(37).chain([0, 19_999]) {
        assert_eq!(reader.find(name(number).as_bytes()).unwrap().unwrap(), file(&name(number), number));
    }
    for absent in ["", "a", "file-0000000", "file-0010000.dat-", "z"] {
        assert_eq!(find(&store, top, absent.as_bytes()).unwrap(), None);
    }
}

#[test]
fn memory_follows_the_page_and_not_the_directory() {
    let mut builder = DirBuilder::new(&keys());
    let mut made = 0u64;
    for entry in many(200_000) {
        builder
            .push(entry, &mut |_| {
                made += 1;
                Ok(())
            })
            .unwrap();
        assert!(builder.held() <= 1_024 * 3);
    }
    assert!(made > 400);
}

#[test]
fn large_attributes_end_a_page() {
    let mut store = Store::default();
    let entries: Vec<Entry> = (0..300u64)
        .map(|number| {
            let value = vec![7; if number % 3 == 0 { 1 << 20 } else { 100 }];
            Entry { xattrs: vec![(b"user.x".as_slice().into(), value.into())], ..file(&name(number), number) }
        })
        .collect();
    let top = store.directory(entries.clone());
    assert!(store.made.len() > 20);
    assert!(store.made.iter().all(|built| built.plain.len() < crate::limits::GROUP_BYTES_MAX / 2 + (1 << 20)));
    assert_eq!(DirReader::new(&store, top.node).collect::<Result<Vec<_>>>().unwrap(), entries);
}

#[test]
fn pages_that_do_not_fit_their_index_are_refused() {
    let mut store = Store::default();
    let top = store.directory(many(2_000)).node;
    let Node::Index(children) = store.node(&top).unwrap() else { panic!("not paged") };
    let last = children.len() - 1;
    type Change<'a> = &'a dyn Fn(&mut [IndexChild]);
    let changes: [Change<'_>; 4] = [
        // Two pages change places.
        &|c| {
            let node = c[0].node;
            c[0].node = c[1].node;
            c[1].node = node;
        },
        // A page begins with another name than the index says.
        &|c| c[last].first = [&*c[last].first, b"-"].concat().into(),
        // A page has names of the next.
        &|c| {
            c[1].node = c[0].node;
            c[1].first = [&*c[0].first, b"-"].concat().into();
        },
        // A page is the index itself, as far as that can be made.
        &|c| c[0].node = NodeId::ZERO,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut children = children.clone();
        change(&mut children);
        let (refs, plain) = encode(&Node::Index(children));
        let id = keys().node_id(&refs, &plain);
        store.nodes.insert(id, (refs, plain));
        let items: Vec<_> = DirReader::new(&store, id).collect();
        assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1, "change {number}");
        assert!(items.last().unwrap().is_err(), "change {number}");
        let mut looks = LookReader::new(&store, id);
        let mut errors = 0;
        loop {
            match looks.peek().map(|name| name.is_some()) {
                Ok(true) => looks.pass(),
                Ok(false) => break,
                Err(_) => errors += 1,
            }
        }
        assert_eq!(errors, 1, "change {number}");
    }
}

#[test]
fn a_page_with_names_of_the_next_is_refused() {
    let mut store = Store::default();
    let mut page = |names: std::ops::Range<u64>| {
        let first = name(names.start).into_bytes().into();
        let top = store.directory(names.map(|number| file(&name(number), number)));
        IndexChild { first, node: top.node, content: top.content, totals: top.totals, entries: 100 }
    };
    let index = [page(0..100), page(99..200)].to_vec();
    let (refs, plain) = encode(&Node::Index(index));
    let id = keys().node_id(&refs, &plain);
    store.nodes.insert(id, (refs, plain));
    assert!(DirReader::new(&store, id).next().unwrap().is_err());
    assert!(LookReader::new(&store, id).peek().is_err());
    assert!(find(&store, id, name(5).as_bytes()).is_err());
}

/// Gives the same index whatever is asked, but not for long.
struct Mirror(Node, AtomicU32);

impl NodeSource for Mirror {
    fn node(&self, _: &NodeId) -> Result<Node> {
        let opened = self.1.fetch_add(1, Ordering::Relaxed);
        assert!(opened < 50, "no end");
        Ok(self.0.clone())
    }
}

#[test]
fn depth_is_bounded() {
    let child = IndexChild {
        first: b"a".as_slice().into(),
        node: NodeId::ZERO,
        content: ContentId::ZERO,
        totals: Totals::none(),
        entries: 0,
    };
    let mirror = Mirror(Node::Index(vec![child]), Default::default());
    assert!(find(&mirror, NodeId::ZERO, b"b").is_err());
    assert_eq!(DirReader::new(&mirror, NodeId::ZERO).filter(Result::is_err).count(), 1);
    let mirror = Mirror(mirror.0, Default::default());
    assert!(LookReader::new(&mirror, NodeId::ZERO).peek().is_err());
    let list = ListChild { node: NodeId::ZERO, content: ContentId::ZERO, bytes: 7 };
    let mirror = Mirror(Node::ListIndex(vec![list]), Default::default());
    let content = Content::List { node: NodeId::ZERO, content: ContentId::ZERO };
    assert_eq!(PieceReader::new(&mirror, &content, 7).filter(Result::is_err).count(), 1);
}

fn data(number: u64, len: u32) -> Piece {
    Piece::Data { id: chunk(number), len }
}

#[test]
fn contents_take_the_smallest_form() {
    let mut store = Store::default();
    assert_eq!(store.content(CutClass::Cdc, &[]), (Content::Empty, 0));
    assert_eq!(store.content(CutClass::Cdc, &[data(1, 9)]), (Content::Chunk(chunk(1)), 9));
    let runs = [Piece::Hole(1), Piece::Hole(2), Piece::Zeros(3), Piece::Zeros(4), Piece::Hole(5)];
    let joined = vec![Piece::Hole(3), Piece::Zeros(7), Piece::Hole(5)];
    assert_eq!(store.content(CutClass::Cdc, &runs), (Content::Pieces(joined), 15));
    // The longest hole that a file can be is two pieces.
    let most = u64::MAX >> 2;
    let (content, size) = store.content(CutClass::Fixed16, &[Piece::Hole(most), Piece::Hole(most), Piece::Hole(1)]);
    assert_eq!(size, u64::MAX >> 1);
    assert_eq!(content, Content::Pieces(vec![Piece::Hole(most), Piece::Hole(most), Piece::Hole(1)]));
    assert!(store.made.is_empty());

    let pieces: Vec<Piece> = (0..65).map(|number| data(number, 100)).collect();
    assert!(matches!(store.content(CutClass::Cdc, &pieces[..64]).0, Content::Pieces(_)));
    let (content, size) = store.content(CutClass::Cdc, &pieces);
    assert!(matches!(content, Content::List { .. }));
    assert_eq!(PieceReader::new(&store, &content, size).collect::<Result<Vec<_>>>().unwrap(), pieces);

    let mut builder = ListBuilder::new(&keys(), CutClass::Cdc);
    assert!(builder.push(Piece::Hole(0), &mut |_| Ok(())).is_err());
    assert!(builder.push(Piece::Hole(most + 1), &mut |_| Ok(())).is_err());
    assert!(builder.push(data(1, (4 << 20) + 1), &mut |_| Ok(())).is_err());
    assert_eq!(builder.size(), 0);
}

/// One piece in the middle changes; what is made anew is a page and the indexes above it.
fn changed_nodes(cut: CutClass, before: &[Piece], after: &[Piece]) -> (usize, usize) {
    let mut store = Store::default();
    store.content(cut, before);
    let made = store.made.len();
    store.content(cut, after);
    let ids: HashSet<NodeId> = store.made[..made].iter().map(|built| built.id).collect();
    (made, store.made[made..].iter().filter(|built| !ids.contains(&built.id)).count())
}

#[test]
fn a_change_in_a_huge_file_stays_in_its_page() {
    // By chunk ids, with a piece more in the middle.
    let before: Vec<Piece> = (0..60_000).map(|number| data(number, 300_000)).collect();
    let mut after = before.clone();
    after.insert(30_000, data(1 << 40, 5_000));
    let (made, new) = changed_nodes(CutClass::Cdc, &before, &after);
    assert!(made > 60 && new <= 5, "{new} of {made}");

    // By windows: rows become zeros and zeros rows, so that runs split and join and the number of pieces changes.
    let before: Vec<Piece> =
        (0..60_000u64).map(|number| if number % 7 < 3 { Piece::Zeros(16_384) } else { data(number, 16_384) }).collect();
    let mut after = before.clone();
    after[30_001] = Piece::Zeros(16_384);
    after[30_009] = data(1 << 40, 16_384);
    after[30_010] = data(1 << 41, 16_384);
    let (made, new) = changed_nodes(CutClass::Fixed16, &before, &after);
    assert!(made > 55 && new <= 3, "{new} of {made}");
}

#[test]
fn a_huge_sparse_file_is_few_nodes() {
    // 64 rows, far apart, in a file of 2^60 bytes.
    let pieces: Vec<Piece> =
        (0..64).flat_map(|number| [data(number, 65_536), Piece::Hole((1 << 54) - 65_536)]).collect();
    let mut store = Store::default();
    let (content, size) = store.content(CutClass::Fixed64, &pieces);
    assert_eq!(size, 1 << 60);
    assert!(store.made.len() <= 64 * 5, "{}", store.made.len());
    assert_eq!(PieceReader::new(&store, &content, size).collect::<Result<Vec<_>>>().unwrap(), pieces);
}
