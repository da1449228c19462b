//! Frames from and to bytes, and questions from and to messages.

#![expect(clippy::expect_used, reason = "a benchmark may stop where it is")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use transport::frame::{Assembler, Header, Kind};
use transport::limits::DATA_BYTES_MAX;
use transport::message::{AskBatch, IDS_MAX, Request, decode, encode, split_ids};

/// What one read of a pipe gives at most.
const READ_BYTES: usize = 64 << 10;

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    let header = Header { kind: Kind::Data, flags: 0, stream: 3 };
    for len in [64, 4 << 10, DATA_BYTES_MAX] {
        let payload = vec![0x5a; len];
        let count = (4 << 20) / len;
        group.throughput(Throughput::Bytes((count * len) as u64));

        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new("encode", len), |b| {
            b.iter(|| {
                out.clear();
                for _ in 0..count {
                    header.encode(black_box(&payload), &mut out);
                }
            });
        });
        group.bench_function(BenchmarkId::new("assemble", len), |b| {
            b.iter(|| {
                let mut assembler = Assembler::default();
                let mut found = 0;
                for mut read in out.chunks(READ_BYTES) {
                    while let Some(frame) = assembler.next(&mut read).expect("frames are in order") {
                        black_box(frame);
                        found += 1;
                    }
                }
                assert_eq!(found, count);
            });
        });
    }
}

fn questions(c: &mut Criterion) {
    let mut group = c.benchmark_group("question");
    let ask = Request::Ask(AskBatch { chunks: vec![7; IDS_MAX * 32], nodes: Vec::new() });
    let message = encode(&ask);
    group.throughput(Throughput::Elements(IDS_MAX as u64));
    group.bench_function("encode", |b| b.iter(|| encode(black_box(&ask))));
    group.bench_function("decode", |b| {
        b.iter(|| match decode(black_box(&message)).expect("it is a request") {
            Request::Ask(ask) => split_ids(&ask.chunks, |id| id),
            _ => None,
        });
    });
}

criterion_group!(benches, frames, questions);
criterion_main!(benches);
