//! The catalog at 1, 5 and 10 million chunks: opening it, asking it, adding to it.
//!
//! Each catalog is made once, in a temporary folder of about 60 bytes a chunk, and then asked batches of as many ids
//! as one question of a client has; half of them are there. When benchmarks are only tried, it is small.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may stop where it is")]

use std::cell::LazyCell;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use store::catalog::{Catalog, Journal, NewPack};
use store::door::{Chance, ConstantChance};
use store::id::{AccountId, ChunkId, CipherHash, DomainId, PackId, SessionId};
use store::pack::{Line, PackHeader, PackKind};
use store::record::RecordKind;

/// Chunks of a full catalog.
const SIZES: [u64; 3] = [1_000_000, 5_000_000, 10_000_000];
/// Ids of one question, and of a small insertion.
const BATCH: u64 = 4_096;
/// Chunks that a checkpoint of a gigabyte of small files adds.
const CHECKPOINT: u64 = 65_536;
/// Chunks in a box, as files of 16 KiB give them.
const BOX_CHUNKS: u64 = 64;
const BOX_BYTES: u32 = 300_000;
const DOMAIN: DomainId = DomainId::new([1; 16]);

/// The id of the chunk of this number.
fn id(number: u64) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

/// Chunks of these numbers, in boxes in packs.
struct Packs(Vec<(PackHeader, Vec<Line>)>);

impl Packs {
    fn new(chance: &dyn Chance, numbers: std::ops::Range<u64>) -> Self {
        let ids: Vec<[u8; 32]> = numbers.map(id).collect();
        let boxes: Vec<_> = ids.chunks(usize::try_from(BOX_CHUNKS).unwrap()).collect();
        let pack = |boxes: &[&[[u8; 32]]]| {
            let header = PackHeader {
                kind: PackKind::Data,
                features: [0; 3],
                domain: DOMAIN,
                account: AccountId::new([2; 16]),
                session: SessionId::new([3; 16]),
                pack: PackId::new(chance.bytes()),
                session_number: 1,
            };
            let line = |(at, ids): (u64, &&[[u8; 32]])| Line {
                offset: 128 + at * u64::from(BOX_BYTES),
                length: BOX_BYTES,
                kind: RecordKind::Box,
                hash: CipherHash::new(chance.bytes()),
                ids: ids.to_vec(),
            };
            (header, (0..).zip(boxes).map(line).collect())
        };
        Self(boxes.chunks(200).map(pack).collect())
    }

    fn insert(&self, catalog: &Catalog) {
        let packs: Vec<_> = self.0.iter().map(|(header, lines)| NewPack { header, bytes: 64 << 20, lines }).collect();
        let write = catalog.write().expect("a change begins");
        write.rows().insert_packs(&packs).expect("rows go in");
        write.commit().expect("the change is made");
    }
}

fn open(path: &Path) -> Catalog {
    Catalog::open(path, Journal::Ahead, DOMAIN).expect("the catalog opens")
}

/// Ids in no order, every other of which is in a catalog of so many chunks; others each time.
struct Questions {
    chance: ConstantChance,
    chunks: u64,
}

impl Questions {
    fn next(&self) -> Vec<ChunkId> {
        let number = |n: u64| {
            let there = u64::from_le_bytes((&self.chance as &dyn Chance).bytes()) % self.chunks;
            if n.is_multiple_of(2) { there } else { there + (1 << 40) }
        };
        (0..BATCH).map(|n| ChunkId::new(id(number(n)))).collect()
    }
}

fn filled(dir: &Path, chunks: u64) -> PathBuf {
    let path = dir.join(format!("{chunks}.db"));
    std::fs::write(&path, b"").expect("the file can be made");
    Packs::new(&ConstantChance::new(chunks), 0..chunks).insert(&open(&path));
    path
}

fn catalog(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let real = std::env::args().any(|arg| arg == "--bench");
    let sizes = if real { &SIZES[..] } else { &[10_000] };
    let mut group = c.benchmark_group("catalog");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    for chunks in sizes.iter().copied() {
        // Made when the first benchmark of this size is chosen.
        let path = LazyCell::new(|| filled(dir.path(), chunks));
        let catalog = LazyCell::new(|| open(&path));
        let name = |what: &str| BenchmarkId::new(what, format!("{} million", chunks / 1_000_000));

        group.throughput(Throughput::Elements(1));
        group.bench_function(name("open"), |b| {
            let path = LazyCell::force(&path);
            b.iter(|| black_box(open(path)));
        });

        let questions = Questions { chance: ConstantChance::new(7), chunks };
        group.throughput(Throughput::Elements(BATCH));
        group.bench_function(name("lacking"), |b| {
            let catalog = LazyCell::force(&catalog);
            let ask = |ids: Vec<ChunkId>| catalog.read(|rows| rows.lacking_chunks(&ids)).expect("it answers");
            b.iter_batched(|| questions.next(), ask, BatchSize::SmallInput);
        });
        group.bench_function(name("places"), |b| {
            let catalog = LazyCell::force(&catalog);
            let ask = |ids: Vec<ChunkId>| catalog.read(|rows| rows.places_of_chunks(&ids)).expect("it answers");
            b.iter_batched(|| questions.next(), ask, BatchSize::SmallInput);
        });

        let chance = ConstantChance::new(8);
        let mut next = 1 << 50;
        for count in [BATCH, CHECKPOINT] {
            group.throughput(Throughput::Elements(count));
            group.bench_function(name(&format!("insert {count}")), |b| {
                let packs = || {
                    next += count;
                    Packs::new(&chance, next - count..next)
                };
                let catalog = LazyCell::force(&catalog);
                b.iter_batched(packs, |packs| packs.insert(catalog), BatchSize::PerIteration);
            });
        }
    }
}

criterion_group!(benches, catalog);
criterion_main!(benches);
