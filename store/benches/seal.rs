//! Boxes from filling to opening, and groups.
//!
//! *Text* is this workspace's own source code, a MiB of it; *noise* cannot be compressed.

#![expect(clippy::expect_used, reason = "a benchmark may stop where it is")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use store::door::{Chance, ConstantChance, SystemChance};
use store::id::{AccountId, ChunkId, DomainId, NodeId};
use store::record::Refs;
use store::seal::{AccountKeys, Keyring, Level, RootSecret, Scratch, Sealer};

const BOX_BYTES: usize = 1 << 20;
const CHUNK_BYTES: usize = 16 << 10;

fn sealer() -> Sealer {
    let chance = ConstantChance::new(1);
    let keys = AccountKeys::derive(&RootSecret::generate(&chance));
    let (domain, account) = (DomainId::new([1; 16]), AccountId::new([2; 16]));
    Sealer::new(domain, account, &keys, &Keyring::generate(&chance), Arc::new(SystemChance))
}

fn noise() -> Vec<u8> {
    let mut out = vec![0; BOX_BYTES];
    ConstantChance::new(3).fill(&mut out);
    out
}

/// Source files one after the other, in order of name; from the start again when there are too few.
fn text() -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut open = ["store/src", "transport/src", "agent/src"].map(|dir| workspace.join(dir)).to_vec();
    let mut files = Vec::new();
    while let Some(dir) = open.pop() {
        // Not all are there when the package stands alone.
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let entry = entry.expect("a folder can be read");
            let to = if entry.file_type().expect("it has a type").is_dir() { &mut open } else { &mut files };
            to.push(entry.path());
        }
    }
    files.sort();
    let all: Vec<u8> = files.iter().flat_map(|file| fs::read(file).expect("a source file can be read")).collect();
    all.into_iter().cycle().take(BOX_BYTES).collect()
}

/// Chunks of a box: ids, lengths, bytes.
type Chunks = (Vec<ChunkId>, Vec<u32>, Vec<u8>);

/// What a backup does with the bytes of small files that the server lacks.
fn fill(sealer: &Sealer, content: &[u8]) -> Chunks {
    let (mut ids, mut lengths, mut plain) = (Vec::new(), Vec::new(), Vec::with_capacity(BOX_BYTES));
    for chunk in content.chunks(CHUNK_BYTES) {
        ids.push(sealer.chunk_id(chunk));
        lengths.push(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        plain.extend_from_slice(chunk);
    }
    (ids, lengths, plain)
}

fn boxes(c: &mut Criterion) {
    let (sealer, text, noise) = (sealer(), text(), noise());
    let mut scratch = Scratch::new();
    let mut group = c.benchmark_group("box");
    group.throughput(Throughput::Bytes(BOX_BYTES as u64));
    group.bench_function("fill", |b| b.iter(|| fill(&sealer, black_box(&text))));
    for (name, content, level) in [
        ("text, level 3", &text, Level::Auto),
        ("text, level 1", &text, Level::Zstd(1)),
        ("noise", &noise, Level::Auto),
        ("raw", &noise, Level::Raw),
    ] {
        let (ids, lengths, plain) = fill(&sealer, content);
        group.bench_function(format!("seal {name}"), |b| {
            b.iter(|| sealer.seal_box(&mut scratch, &ids, &lengths, black_box(&plain), level, true).expect("it seals"));
        });
        let record = sealer.seal_box(&mut scratch, &ids, &lengths, &plain, level, true).expect("it seals");
        group.bench_function(format!("open {name}"), |b| {
            b.iter(|| sealer.open_box(&mut scratch, black_box(&record)).expect("it opens"));
        });
    }
}

fn groups(c: &mut Criterion) {
    let (sealer, text) = (sealer(), text());
    let mut scratch = Scratch::new();
    // About 256 KiB of plain encodings, the size that a backup aims at.
    let nodes: Vec<(NodeId, Refs, Vec<u8>)> = text
        .chunks(4_096)
        .take(64)
        .map(|plain| {
            let refs = Refs { chunks: vec![ChunkId::new([7; 32]); 60], nodes: Vec::new() };
            (sealer.tree().node_id(&refs, plain), refs, plain.to_vec())
        })
        .collect();
    let mut group = c.benchmark_group("group");
    group.throughput(Throughput::Bytes(nodes.iter().map(|(_, _, plain)| plain.len() as u64).sum()));
    group.bench_function("seal", |b| {
        b.iter(|| sealer.seal_group(&mut scratch, black_box(&nodes), true).expect("it seals"));
    });
    let record = sealer.seal_group(&mut scratch, &nodes, true).expect("it seals");
    group.bench_function("open", |b| {
        b.iter(|| sealer.open_group(&mut scratch, black_box(&record)).expect("it opens"));
    });
}

criterion_group!(benches, boxes, groups);
criterion_main!(benches);
