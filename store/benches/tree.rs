//! Nodes, and walking two directories of a million entries side by side, as a scan does it with the version before.

#![expect(clippy::expect_used, reason = "a benchmark may stop where it is")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use store::error::{Error, Result};
use store::id::{ChunkId, NodeId};
use store::record::Refs;
use store::seal::TreeKeys;
use store::tree::{
    Built, Child, Content, CutClass, DirBuilder, DirReader, Entry, Facts, Node, NodeSource, Owner, Time, What, decode,
    encode,
};

const PAGE: u64 = 256;

fn keys() -> TreeKeys {
    TreeKeys::new([1; 32], [2; 32], [3; 32])
}

/// An ordinary file of one chunk, its facts as scattered as those of a home directory.
fn file(owner: &Arc<Owner>, number: u64) -> Entry {
    let id = *blake3::hash(&number.to_le_bytes()).as_bytes();
    let (scatter, _) = id.split_first_chunk().expect("an id has eight bytes");
    let scatter = u64::from_le_bytes(*scatter);
    let secs = 1_700_000_000 + i64::try_from(scatter % 30_000_000).unwrap_or_default();
    let time = Time { secs, nanos: u32::try_from(scatter % 1_000_000_000).unwrap_or_default() };
    Entry {
        name: format!("IMG_{number:08}.jpeg").into_bytes().into(),
        what: What::File {
            size: 100 + scatter % 100_000,
            content: Content::Chunk(ChunkId::new(id)),
            cut: CutClass::Whole,
        },
        mode: 0o644,
        owner: Arc::clone(owner),
        mtime: time,
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts { ctime: time, inode: 1_000_000 + number, ..Facts::default() },
    }
}

fn files(count: u64) -> impl Iterator<Item = Entry> {
    let owner = Arc::new(Owner { uid: 1_000, gid: 1_000, user: (*b"ann").into(), group: (*b"ann").into() });
    (0..count).map(move |number| file(&owner, number))
}

/// Nodes in memory, encoded as a cache has them.
#[derive(Default)]
struct Nodes(HashMap<NodeId, (Refs, Vec<u8>)>);

impl NodeSource for Nodes {
    fn node(&self, id: &NodeId) -> Result<Node> {
        let (refs, plain) = self.0.get(id).ok_or_else(|| Error::NotFound { what: "node", name: id.to_string() })?;
        decode(refs, plain)
    }
}

fn build(entries: impl Iterator<Item = Entry>, sink: &mut dyn FnMut(Built) -> Result<()>) -> Child {
    let mut builder = DirBuilder::new(&keys());
    for entry in entries {
        builder.push(entry, sink).expect("the entry can stand in a node");
    }
    builder.finish(sink).expect("the directory is built")
}

fn nodes(c: &mut Criterion) {
    let page = Node::Page(files(PAGE).collect());
    let (refs, plain) = encode(&page);
    let mut group = c.benchmark_group("node");
    group.throughput(Throughput::Elements(PAGE));
    group.bench_function("encode", |b| b.iter(|| encode(black_box(&page))));
    group.bench_function("decode", |b| b.iter(|| decode(black_box(&refs), &plain).expect("it is a node")));
    group.bench_function("id", |b| b.iter(|| keys().node_id(black_box(&refs), &plain)));
}

fn million(c: &mut Criterion) {
    let real = std::env::args().any(|arg| arg == "--bench");
    let count = if real { 1_000_000 } else { 10_000 };
    let mut store = Nodes::default();
    let mut keep = |built: Built| {
        store.0.insert(built.id, (built.refs, built.plain));
        Ok(())
    };
    let before = build(files(count), &mut keep);
    // One name in a hundred is new, and one in a hundred has changed.
    let changed = files(count + count / 100).map(|mut entry| {
        if entry.facts.inode.is_multiple_of(100) {
            entry.mtime.secs += 1;
        }
        entry
    });
    let after = build(changed, &mut keep);

    let mut group = c.benchmark_group("a million entries");
    group.sample_size(10).throughput(Throughput::Elements(count));
    group.bench_function("read", |b| b.iter(|| DirReader::new(&store, before.node).count()));
    group.bench_function("merge-join", |b| b.iter(|| merge_join(&store, before, after)));
    let entries: Vec<_> = files(count).collect();
    group.bench_function("build", |b| {
        b.iter_batched(
            || entries.clone(),
            |entries| {
                build(entries.into_iter(), &mut |built| {
                    black_box(built);
                    Ok(())
                })
            },
            criterion::BatchSize::PerIteration,
        );
    });
}

/// Counts what is equal in both, by name and by everything else.
fn merge_join(store: &Nodes, before: Child, after: Child) -> (u64, u64) {
    let next = |reader: &mut DirReader<'_>| reader.next().map(|entry| entry.expect("the directory can be read"));
    let (mut old, mut new) = (DirReader::new(store, before.node), DirReader::new(store, after.node));
    let (mut left, mut right) = (next(&mut old), next(&mut new));
    let (mut same, mut other) = (0, 0);
    while let (Some(a), Some(b)) = (&left, &right) {
        let order = a.name.cmp(&b.name);
        if order.is_eq() && a == b {
            same += 1;
        } else {
            other += 1;
        }
        if order.is_le() {
            left = next(&mut old);
        }
        if order.is_ge() {
            right = next(&mut new);
        }
    }
    (same, other)
}

criterion_group!(benches, nodes, million);
criterion_main!(benches);
