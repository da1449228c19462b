//! Bytes that never change. When a test here fails, the program writes another format than it did: that is a
//! mistake, or a decision that FORMAT.md must tell of.

use std::sync::Arc;

use super::*;
use crate::id::{hex, unhex};

fn bytes(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
}

/// One of each: kinds, forms of content, marks, facts.
fn entries() -> Vec<Entry> {
    let root: Arc<Owner> = Arc::default();
    let ada = Arc::new(Owner { uid: 1000, gid: 100, user: bytes("ada"), group: bytes("users") });
    let plain = |name: &[u8], what| Entry {
        name: name.into(),
        what,
        mode: 0o644,
        owner: Arc::clone(&ada),
        mtime: Time { secs: 1_700_000_000, nanos: 250_000_000 },
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts { ctime: Time { secs: 1_700_000_001, nanos: 1 }, inode: 1_000, ..Facts::default() },
    };
    let file = |size, content, cut| What::File { size, content, cut };
    let id = |byte| ChunkId::new([byte; 32]);
    let child = Child {
        node: NodeId::new([0xD1; 32]),
        content: ContentId::new([0xC1; 32]),
        totals: Totals { files: 300, dirs: 2, bytes: 70_000, newest: 1_700_000_500 },
    };
    let pieces = vec![
        Piece::Data { id: id(2), len: 16_384 },
        Piece::Hole(1 << 20),
        Piece::Data { id: id(1), len: 16_384 },
        Piece::Zeros(32_768),
    ];
    let list = Content::List { node: NodeId::new([0xD2; 32]), content: ContentId::new([0xC2; 32]) };
    let mut all = vec![
        plain(b"dev-block", What::Block(8, 300)),
        plain(b"dev-char", What::Char(1, 3)),
        plain(b"dir", What::Dir(child)),
        plain(b"empty", file(0, Content::Empty, CutClass::Whole)),
        plain(b"fifo", What::Fifo),
        plain(b"in-line", file(5, Content::Inline(bytes("hello")), CutClass::Whole)),
        plain(b"link", What::Symlink(bytes("../target"))),
        plain(b"list", file(1 << 33, list, CutClass::Fixed32)),
        plain(b"one", file(4_000, Content::Chunk(id(1)), CutClass::Whole)),
        plain(b"one-more", file(4_000, Content::Chunk(id(1)), CutClass::Whole)),
        plain(b"pieces", file(1_114_112, Content::Pieces(pieces), CutClass::Fixed16)),
        plain(b"socket", What::Socket),
        plain(b"\xff\xfe", file(9, Content::Inline(bytes("not UTF-8")), CutClass::Whole)),
    ];
    all[0].owner = Arc::clone(&root);
    all[2].mode = 0o2755;
    all[2].mtime = Time { secs: -5, nanos: 0 };
    all[3].mark = Some(Mark::Unreadable(1_700_000_009));
    all[5].facts.racy = true;
    all[8].facts.link = Some((2_049, 2));
    all[9].facts.link = Some((2_049, 2));
    all[9].facts.birth = Some(Time { secs: 1_600_000_000, nanos: 7 });
    all[10].facts.inode = 3;
    all[12].mark = Some(Mark::Changed);
    all[12].flags = 0x10;
    all[12].xattrs = vec![(bytes("user.a"), bytes("1")), (bytes("user.b"), Box::default())];
    all
}

fn built(built: &Built, plain: &str, id: &str, content: &str) {
    assert_eq!(hex(&built.plain), plain.replace([' ', '\n'], ""));
    assert_eq!((&*built.id.hex(), &*built.content.hex()), (id, content));
    assert_eq!(encode(&decode(&built.refs, &unhex(&hex(&built.plain)).unwrap()).unwrap()).1, built.plain);
}

#[test]
fn a_page_of_everything() {
    let mut store = Store::default();
    let top = store.directory(entries());
    let page = &store.made[0];
    assert_eq!(top, page.child());
    assert_eq!(page.refs.chunks, [ChunkId::new([1; 32]), ChunkId::new([2; 32])]);
    assert_eq!(page.refs.nodes, [NodeId::new([0xD2; 32]), NodeId::new([0xD1; 32])]);
    built(page, PAGE, PAGE_ID, PAGE_CONTENT);
    assert_eq!(decode(&page.refs, &page.plain).unwrap(), Node::Page(entries()));
    assert_eq!(top.totals, Totals { files: 312, dirs: 3, bytes: 70_000 + 8_591_056_718, newest: 1_700_000_500 });
}

#[test]
fn a_root() {
    let mut entry = entries().swap_remove(2);
    entry.name = Box::default();
    built(&build_root(&keys(), &entry).unwrap(), ROOT, ROOT_ID, ROOT_CONTENT);
}

#[test]
fn pages_and_an_index() {
    let mut store = Store::default();
    let top = store.directory((0..1_500).map(|number| file(&format!("{number:04}"), number)));
    let index = store.made.last().unwrap();
    assert_eq!(top, index.child());
    built(index, INDEX, INDEX_ID, INDEX_CONTENT);
}

#[test]
fn a_list_and_its_index() {
    let mut store = Store::default();
    let pieces: Vec<Piece> = (0..1_100u64)
        .map(|number| {
            if number % 100 == 99 { Piece::Zeros(16_384) } else { Piece::Data { id: chunk(number % 50), len: 16_384 } }
        })
        .collect();
    let (content, size) = store.content(CutClass::Fixed16, &pieces);
    assert_eq!((store.made.len(), size), (3, 1_100 * 16_384));
    let index = &store.made[2];
    assert_eq!(content, Content::List { node: index.id, content: index.content });
    built(index, LIST_INDEX, LIST_INDEX_ID, LIST_INDEX_CONTENT);
}

const PAGE: &str = "
    01010d815500096465762d626c6f636b040463686172010269720005656d70747900046669666f0007696e2d6c696e6500046c696e6b0202
    737400036f6e6503052d6d6f726500067069656365730006736f636b65740002fffe820d06050100030002000000000400031aa403a403ed
    0ba403a403a403a403a403a403a403a403a403a403041f0200000000e8076403616461057573657273000101010101010101010101010519
    80c49fd50c0089c49fd50c8ac49fd50c000000000000000000063180e59a7780e59a770080e59a7780e59a7780e59a7780e59a7780e59a77
    80e59a7780e59a7780e59a7780e59a7780e59a77870f00058080808020a01fa01f80804409882a00010568656c6c6f040002000201030480
    800400818080028080040382800801096e6f74205554462d38890a092e2e2f7461726765748a0508ac0201030b14010d0206757365722e61
    013106757365722e62000d03010d100e07000004000003000f0bac0202f0a204e8cb9fd50c9020c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1
    c1c1c1c1c1c1c1c1c1c1c1c1c1c1c19220c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2130b02040289e2
    cfaa06090100601182c49fd50c000000000000000000000000610d010101010101010101010101016210d00f000000000000000000c90fca
    0f00630902098110020181100264020106651100000000000000000080c0f0f50b000000663d808080800480808080048080808004808080
    80048080808004808080800480808080048080808004808080800407808080800480808080048080808004
";
const PAGE_ID: &str = "97652bb42e0601e829add886f3d53bb12352e61f98c49f7d2642eec3665b00b3";
const PAGE_CONTENT: &str = "f84750f7fe27d5fb4dd8bfbc439633ec5f746a7ab605a3cc6c52fb69f1196ceb";
const ROOT: &str = "
    010501810200008201010302ed0b040f01e8076403616461057573657273000501090f0bac0202f0a204e8cb9fd50c9020c1c1c1c1c1c1c1
    c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1600582c49fd50c6101016202d00f
";
const ROOT_ID: &str = "3aa8987b7471c8fbba9d8b6ec1c4c3c31efe1defab95869427feb0d87a4b202a";
const ROOT_CONTENT: &str = "cf86de5edc846ee0c97372e4bb1ec7e03f1127c336e27d65f35fbaae00e76169";
const INDEX: &str = "
    010206812000043030303001033233390103333237010334373601033836380004313136350f41ef0100b1a910dcc79fd50c5800dcf1068c
    c99fd50c950100edde0cb6cb9fd50c880300fcfe27c6d19fd50ca90200e0c524a0d39fd50ccf0200a4d72f94cc9fd50c90c0015e7a515fa7
    65888983a5bcfd4d370dad2ae7327a8825a8192d25e77919cc6b34c27de952686f6d2dea5894d050c8222eb75b5357c96085b0e9ed7b1dfc
    5fbbd92231405be49ab565e33c86e98f4620149d4d3f2abcceb8743fe3e98c34253820179002ae6454116e08c71856737feb5cf8496af8a2
    bfa9fecef6c964fe5526c639c5c58855e19eb057a8bd0910edabeb6f1f69498ea840a6226d67f9fefd80165d3e6f3fed3330d655c6488dee
    7e63b048584b2096c5f1dad6130ce48d228d99140bef015895018803a902cf02
";
const INDEX_ID: &str = "def0bd00ef34e14bd8c0e2bfa0b1399d024bd156a1aad440648597966049534b";
const INDEX_CONTENT: &str = "bf0c0d762e84e2b12e53460222fc1bc1bd57c234b1ea491b98734819e9b408fd";
const LIST_INDEX: &str = "
    01040290405e966d22b989aaf4deea71a492619c795d3b0045a015d135d193421a150e00b3b65c7699ccd3b6ca64d2ddb14dae2e6c85fb1f
    a43db86ea97ff7f557f61121d996078080800880804c
";
const LIST_INDEX_ID: &str = "350bbb65ceae86decad3e370209aed756dc25038c2f1b391edecedcadb8d5f17";
const LIST_INDEX_CONTENT: &str = "2c41655ad80ef5098254155c99cc7ef7dbc9d39b18edd326b71bfdf85822010f";
