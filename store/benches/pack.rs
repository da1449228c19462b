//! Writing a data pack to the disk and reading it again, from the page cache.

#![expect(clippy::expect_used, reason = "a benchmark may stop where it is")]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use store::door::{Chance, ConstantChance, RealDisk};
use store::id::{AccountId, DomainId, PackId, SessionId};
use store::pack::{FinishedPack, PackHeader, PackKind, PackReader, PackWriter};
use store::record::{Codec, Header, Record, RecordKind};

const DOMAIN: DomainId = DomainId::new([1; 16]);
const ACCOUNT: AccountId = AccountId::new([2; 16]);
const PACK_BYTES: u32 = 48 << 20;

/// A box as it comes over the line: in order in everything that can be seen without a key.
fn record(sealed_len: u32, items: u32) -> Record {
    let chance = ConstantChance::new(sealed_len.into());
    let mut clear = vec![0; items as usize * 32];
    let mut sealed = vec![0; sealed_len as usize];
    chance.fill(&mut clear);
    chance.fill(&mut sealed);
    let header = Header {
        kind: RecordKind::Box,
        codec: Codec::Zstd,
        padded: true,
        key_id: 1,
        domain: DOMAIN,
        account: ACCOUNT,
        items,
        clear_len: items * 32,
        sealed_len,
        clear_hash: *blake3::hash(&clear).as_bytes(),
        nonce: [3; 24],
    };
    Record { header, clear, sealed }
}

fn write(dir: &Path, record: &Record, count: u32) -> FinishedPack {
    let header = PackHeader {
        kind: PackKind::Data,
        features: [0; 3],
        domain: DOMAIN,
        account: ACCOUNT,
        session: SessionId::new([3; 16]),
        pack: PackId::new([4; 16]),
        session_number: 1,
    };
    let mut writer = PackWriter::create(&RealDisk, dir, header).expect("a pack begins");
    for _ in 0..count {
        writer.append(record).expect("a record goes in");
    }
    writer.finish().expect("the pack is on the disk")
}

fn pack(c: &mut Criterion) {
    let mut group = c.benchmark_group("pack");
    group.sample_size(10).throughput(Throughput::Bytes(PACK_BYTES.into()));
    for (name, sealed_len, items) in [("1 MiB", 1 << 20, 4), ("256 KiB", 256 << 10, 64), ("16 KiB", 16 << 10, 4)] {
        let (record, count) = (record(sealed_len, items), PACK_BYTES / sealed_len);
        group.bench_function(format!("write records of {name}"), |b| {
            let folder = || tempfile::tempdir().expect("there is a temporary folder");
            // The folder is given back, so that removing it is not measured.
            let write = |dir: tempfile::TempDir| (write(dir.path(), &record, count), dir);
            b.iter_batched(folder, write, criterion::BatchSize::PerIteration);
        });

        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let path = write(dir.path(), &record, count).path;
        group.bench_function(format!("open and read records of {name}"), |b| {
            b.iter(|| {
                let reader = PackReader::open(&RealDisk, &path).expect("the pack opens");
                for line in reader.lines() {
                    black_box(reader.read(line).expect("the record is whole"));
                }
            });
        });
    }
}

criterion_group!(benches, pack);
criterion_main!(benches);
