//! Cutting and naming: what every byte that is read goes through.

#![expect(clippy::expect_used, reason = "a benchmark may stop where it is")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use store::chunk::{Cutter, is_zero};
use store::door::{Chance, ConstantChance};
use store::seal::Keyring;
use store::tree::CutClass;

const MIB: u64 = 1 << 20;

fn noise(len: u64) -> Vec<u8> {
    let mut out = vec![0; usize::try_from(len).expect("it fits in memory")];
    ConstantChance::new(1).fill(&mut out);
    out
}

fn cut(c: &mut Criterion) {
    let gear = Keyring::generate(&ConstantChance::new(2)).gear();
    let content = noise(64 * MIB);
    let mut group = c.benchmark_group("cut");
    group.sample_size(10).throughput(Throughput::Bytes(64 * MIB));
    for (name, class) in
        [("256 KiB", CutClass::Cdc), ("1 MiB", CutClass::CdcLarge), ("fixed 16 KiB", CutClass::Fixed16)]
    {
        let cutter = Cutter::new(&gear, class);
        group.bench_function(name, |b| {
            b.iter(|| {
                let (mut rest, mut cuts) = (black_box(&content[..]), 0u32);
                while let Some(len) = cutter.next_cut(rest, true) {
                    rest = rest.get(len..).unwrap_or_default();
                    cuts += 1;
                }
                cuts
            });
        });
    }
}

fn hash(c: &mut Criterion) {
    let keyring = Keyring::generate(&ConstantChance::new(2));
    let mut group = c.benchmark_group("hash");
    for kib in [1, 4, 16, 64, 256, 1_024] {
        let chunk = noise(kib << 10);
        group.throughput(Throughput::Bytes(kib << 10));
        group.bench_function(BenchmarkId::new("chunk id", format!("{kib} KiB")), |b| {
            b.iter(|| keyring.chunk_id(black_box(&chunk)));
        });
    }
    let zeros = vec![0; 1 << 20];
    group.throughput(Throughput::Bytes(MIB));
    group.bench_function("is it zeros, 1 MiB", |b| b.iter(|| is_zero(black_box(&zeros))));
}

criterion_group!(benches, cut, hash);
criterion_main!(benches);
