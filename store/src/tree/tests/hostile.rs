//! Nodes that nobody should have made.

use proptest::collection::vec;
use proptest::prelude::*;

use super::round_trip::nodes;
use super::*;
use crate::codec::{Reader, put_string, put_varint};

/// The columns of an encoding, with the bytes before them.
fn columns(plain: &[u8]) -> (Vec<u8>, Vec<(u8, Vec<u8>)>) {
    let mut r = Reader::new("test", &plain[2..]);
    let mut head = plain[..2].to_vec();
    put_varint(&mut head, r.varint().unwrap());
    let mut columns = Vec::new();
    while r.remaining() > 0 {
        columns.push((r.u8().unwrap(), r.string(usize::MAX).unwrap().to_vec()));
    }
    (head, columns)
}

fn join(mut head: Vec<u8>, columns: &[(u8, Vec<u8>)]) -> Vec<u8> {
    for (tag, bytes) in columns {
        head.push(*tag);
        put_string(&mut head, bytes);
    }
    head
}

proptest! {
    #[test]
    fn rubbish_never_panics(kind in 0u8..7, bytes in vec(any::<u8>(), 0..200), chunks in 0u64..4) {
        let refs = Refs { chunks: (0..chunks).map(chunk).collect(), nodes: vec![NodeId::ZERO] };
        let mut plain = vec![1, kind];
        plain.extend_from_slice(&bytes);
        if let Ok(node) = decode(&refs, &plain) {
            prop_assert_eq!(decode(&encode(&node).0, &encode(&node).1).unwrap(), node);
        }
    }

    /// Altered nodes are refused, or are the one encoding of something else.
    #[test]
    fn there_is_one_encoding(node in nodes(), alter in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..4)) {
        let (refs, plain) = encode(&node);
        let (head, mut columns) = columns(&plain);
        for (at, byte, how) in alter {
            if columns.is_empty() {
                break;
            }
            let which = at.index(columns.len());
            let (_, bytes) = &mut columns[which];
            if bytes.is_empty() {
                continue;
            }
            let place = at.index(bytes.len());
            match how {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte & 3),
                2 => drop(bytes.remove(place)),
                _ => bytes[place] ^= 1 << (byte % 8),
            }
        }
        let altered = join(head, &columns);
        if let Ok(read) = decode(&refs, &altered) {
            prop_assert_eq!(encode(&read), (refs, altered));
        }
    }
}

fn page() -> (Refs, Vec<u8>) {
    let mut store = Store::default();
    store.directory([file("a", 1), file("ab", 2), file("b", 1)]);
    let built = store.made.pop().unwrap();
    (built.refs, built.plain)
}

#[test]
fn unknown_columns_are_skipped_unless_they_must_be_understood() {
    let (refs, plain) = page();
    let (head, columns) = columns(&plain);
    for tag in [0x0C, 0x50, 0x70] {
        let with = |tag: u8| {
            let mut more = columns.clone();
            more.push((tag, b"new".to_vec()));
            more.sort_by_key(|(tag, _)| tag & 0x7f);
            join(head.clone(), &more)
        };
        assert_eq!(decode(&refs, &with(tag)).unwrap(), decode(&refs, &plain).unwrap());
        assert!(matches!(decode(&refs, &with(tag | 0x80)), Err(Error::Newer { .. })));
        // What it says counts for the content id, unless it is a scan fact.
        let same = content_id(&keys(), &refs, &with(tag)).unwrap() == content_id(&keys(), &refs, &plain).unwrap();
        assert_eq!(same, tag >= 0x60);
    }
}

#[test]
fn newer_versions_kinds_and_values_are_refused_as_such() {
    let (refs, plain) = page();
    for (at, byte) in [(0, 2), (1, 6)] {
        let mut newer = plain.clone();
        newer[at] = byte;
        assert!(matches!(decode(&refs, &newer), Err(Error::Newer { .. })));
    }
    let (head, columns) = columns(&plain);
    let mut kinds = columns.clone();
    kinds.insert(1, (0x82, vec![0, 7, 0]));
    assert!(matches!(decode(&refs, &join(head.clone(), &kinds)), Err(Error::Newer { .. })));
    // A known column that lacks its bit, or stands there twice, or holds only defaults.
    for bad in [(0x02, vec![0, 1, 0]), (0x81, b"x".to_vec()), (0x82, vec![0, 0, 0]), (0x82, vec![])] {
        let mut columns = columns.clone();
        columns.insert(1, bad);
        assert!(matches!(decode(&refs, &join(head.clone(), &columns)), Err(Error::Damaged { .. })));
    }
}

#[test]
fn references_are_used_and_stand_there_once() {
    let (refs, plain) = page();
    assert_eq!(refs.chunks.len(), 2);
    assert!(decode(&refs, &plain).is_ok());
    let mut more = refs.clone();
    more.chunks.push(chunk(9));
    let mut fewer = refs.clone();
    fewer.chunks.pop();
    let mut twice = refs.clone();
    twice.chunks[1] = twice.chunks[0];
    let mut node = refs.clone();
    node.nodes.push(NodeId::ZERO);
    for bad in [more, fewer, twice, node] {
        assert!(matches!(decode(&bad, &plain), Err(Error::Damaged { .. })));
    }
}

/// A page with one column put in the place of its own.
fn with_column(tag: u8, bytes: &[u8]) -> Result<Node> {
    let (refs, plain) = page();
    let (head, mut columns) = columns(&plain);
    columns.retain(|(old, _)| *old != tag);
    columns.push((tag, bytes.to_vec()));
    columns.sort_by_key(|(tag, _)| tag & 0x7f);
    decode(&refs, &join(head, &columns))
}

#[test]
fn each_value_has_one_form() {
    let owner = |table: &[&[u8]], places: [u8; 3]| {
        let mut bytes = vec![u8::try_from(table.len()).unwrap()];
        table.iter().for_each(|owner| bytes.extend_from_slice(owner));
        bytes.extend_from_slice(&places);
        bytes
    };
    let (ada, bob): (&[u8], &[u8]) = (&[1, 1, 1, b'a', 0], &[2, 1, 0, 0]);
    // As a writer would put it.
    for (tag, good) in [
        (0x81, vec![0, 1, b'a', 1, 1, b'b', 0, 1, b'b']),
        (0x04, owner(&[ada, bob], [0, 1, 0])),
        (0x0D, vec![1, 3, 16]),
        (0x13, vec![2, 1, 1, 0, 2, 2, 7]),
        (0x65, vec![4, 0, 1]),
        (0x66, vec![4, 0, 4]),
    ] {
        match (tag, with_column(tag, &good)) {
            (0x65, result) => assert!(result.is_err(), "an unknown birth time has seconds"),
            (_, result) => assert!(result.is_ok(), "{tag:x}: {result:?}"),
        }
    }
    for (tag, bad) in [
        // Names: shared bytes written again, equal, falling, more shared than there is, none, a bad component.
        (0x81, vec![0, 1, b'a', 0, 2, b'a', b'b', 0, 1, b'b']),
        (0x81, vec![0, 1, b'a', 1, 0, 0, 1, b'b']),
        (0x81, vec![0, 1, b'b', 0, 1, b'a', 0, 1, b'b']),
        (0x81, vec![0, 1, b'a', 2, 1, b'b', 0, 1, b'b']),
        (0x81, vec![0, 0, 0, 1, b'a', 0, 1, b'b']),
        (0x81, vec![0, 1, b'.', 0, 1, b'a', 0, 1, b'b']),
        // Owners: not in order of first use, one not used, twice the same, one that is not there, only the default.
        (0x04, owner(&[bob, ada], [1, 0, 0])),
        (0x04, owner(&[bob, ada], [1, 0, 1])),
        (0x04, owner(&[ada, bob], [0, 0, 0])),
        (0x04, owner(&[ada, ada], [0, 1, 0])),
        (0x04, owner(&[ada], [0, 0, 1])),
        (0x04, owner(&[&[0, 0, 0, 0]], [0, 0, 0])),
        (0x04, owner(&[], [0, 0, 0])),
        // Sparse: no pair, a position twice, behind the end, a default.
        (0x0D, vec![0]),
        (0x0D, vec![2, 1, 16, 0, 16]),
        (0x0D, vec![1, 4, 16]),
        (0x0D, vec![1, 1, 0]),
        (0x13, vec![1, 1, 1, 7]),
        // Numbers: beyond their bounds, or followed by something.
        (0x03, vec![0, 0x80, 0x20, 0]),
        (0x06, vec![0x80, 0x94, 0xeb, 0xdc, 0x03, 0, 0]),
        (0x06, vec![1, 1, 1, 1]),
        // Ordinals: one left out, one before the first.
        (0x88, vec![2, 0, 2, 2, 2, 0]),
        (0x88, vec![2, 1, 2, 0, 2, 0]),
        // Content that is not as long as its file, or in a form that another should have.
        (0x88, vec![2, 0, 2, 0, 0]),
        (0x87, vec![1, 1, 0]),
        (0x88, vec![2, 0, 2, 0, 3, 1, 1 << 2, 3]),
    ] {
        let result = with_column(tag, &bad);
        assert!(matches!(result, Err(Error::Damaged { .. })), "{tag:x} {bad:?}: {result:?}");
    }
    for (tag, newer) in
        [(0x88, vec![5, 0, 0]), (0x88, vec![3, 1, 7, 0, 0]), (0x0E, vec![6, 0, 0]), (0x13, vec![1, 1, 4, 0])]
    {
        assert!(matches!(with_column(tag, &newer), Err(Error::Newer { .. })), "{tag:x} {newer:?}");
    }
}

#[test]
fn counts_are_bounded() {
    let mut plain = vec![1, 1];
    put_varint(&mut plain, 1_025);
    plain.extend_from_slice(&[0; 2_000]);
    assert!(matches!(decode(&Refs::default(), &plain), Err(Error::Limit { .. })));
    let mut plain = vec![1, 3];
    put_varint(&mut plain, u64::MAX);
    assert!(matches!(decode(&Refs::default(), &plain), Err(Error::Damaged { .. })));
    for empty in [2, 3, 4, 5] {
        assert!(decode(&Refs::default(), &[1, empty, 0]).is_err());
    }
    assert_eq!(decode(&Refs::default(), &[1, 1, 0]).unwrap(), Node::Page(Vec::new()));
}

#[test]
fn builders_refuse_what_cannot_be_read_again() {
    type Change = fn(&mut Entry);
    let changes: [Change; 13] = [
        |e| e.name = b"..".as_slice().into(),
        |e| e.name = b"a/b".as_slice().into(),
        |e| e.name = Box::default(),
        |e| e.name = b"A".as_slice().into(),
        |e| e.mode = 0o10000,
        |e| e.mtime.nanos = 1_000_000_000,
        |e| e.what = What::Symlink(vec![b'a'; 4_097].into()),
        |e| e.what = What::File { size: 3, content: Content::Empty, cut: CutClass::Whole },
        |e| e.what = What::File { size: 49, content: Content::Inline([0; 49].into()), cut: CutClass::Whole },
        |e| e.what = What::File { size: 5 << 20, content: Content::Chunk(chunk(1)), cut: CutClass::Whole },
        |e| e.what = What::File { size: 9, content: Content::Pieces(vec![Piece::Hole(8)]), cut: CutClass::Cdc },
        |e| e.xattrs = vec![(b"b".as_slice().into(), Box::default()), (b"a".as_slice().into(), Box::default())],
        |e| e.xattrs = vec![(b"b".as_slice().into(), vec![0; XATTR_BYTES_MAX].into())],
    ];
    let mut builder = DirBuilder::new(&keys());
    let mut store = Store::default();
    let mut sink = |built| store.take(built);
    builder.push(file("a", 1), &mut sink).unwrap();
    assert!(builder.push(file("a", 1), &mut sink).is_err(), "the same name twice");
    for (number, change) in changes.into_iter().enumerate() {
        let mut entry = file("b", 1);
        change(&mut entry);
        assert!(builder.push(entry.clone(), &mut sink).is_err(), "change {number}");
        if number > 3 {
            assert!(build_root(&keys(), &entry).is_err(), "change {number}");
        }
    }
    builder.push(file("b", 1), &mut sink).unwrap();
    builder.finish(&mut sink).unwrap();
}
