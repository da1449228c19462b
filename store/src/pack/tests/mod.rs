//! What a pack promises: what went in comes out, and nothing else ever does.

mod adoption;
mod damage;
mod hostile;
mod layout;
mod round_trip;

use std::path::Path;

use super::{PackHeader, PackKind, PackReader, PackWriter};
use crate::door::{DiskFile, RealDisk};
use crate::error::{Error, Result};
use crate::id::{AccountId, ChunkId, DomainId, NodeId, PackId, SessionId};
use crate::record::{Codec, Header, Record, RecordKind, Refs};

const DOMAIN: DomainId = DomainId::new([0xd0; 16]);

fn pack_header(kind: PackKind) -> PackHeader {
    PackHeader {
        kind,
        features: [7, 0, 0],
        domain: DOMAIN,
        account: AccountId::new([0xac; 16]),
        session: SessionId::new([0x5e; 16]),
        pack: PackId::new([0x9a; 16]),
        session_number: 0x0102_0304_0506_0708,
    }
}

/// A record in order in everything that can be seen without a key.
fn record(kind: RecordKind, items: u32, clear: Vec<u8>, sealed: Vec<u8>) -> Record {
    let header = Header {
        kind,
        codec: Codec::Zstd,
        padded: true,
        key_id: 1,
        domain: DOMAIN,
        account: AccountId::new([0xac; 16]),
        items,
        clear_len: u32::try_from(clear.len()).unwrap(),
        sealed_len: u32::try_from(sealed.len()).unwrap(),
        clear_hash: *blake3::hash(&clear).as_bytes(),
        nonce: [0x42; 24],
    };
    Record { header, clear, sealed }
}

fn box_of(ids: &[[u8; 32]], sealed: &[u8]) -> Record {
    record(RecordKind::Box, u32::try_from(ids.len()).unwrap(), ids.concat(), sealed.to_vec())
}

fn group_of(nodes: &[(NodeId, Refs)], sealed: &[u8]) -> Record {
    let mut clear = Vec::new();
    for (id, refs) in nodes {
        Record::put_node(&mut clear, *id, refs);
    }
    record(RecordKind::Group, u32::try_from(nodes.len()).unwrap(), clear, sealed.to_vec())
}

/// One record of each kind that a pack may meet, the last from the future.
fn one_of_each() -> Vec<Record> {
    let refs = Refs { chunks: vec![ChunkId::new([1; 32]), ChunkId::new([2; 32])], nodes: vec![NodeId::new([3; 32])] };
    vec![
        box_of(&[[1; 32], [2; 32]], b"two chunks, compressed and sealed"),
        group_of(&[(NodeId::new([4; 32]), refs), (NodeId::new([3; 32]), Refs::default())], b"two nodes"),
        record(RecordKind::VersionBody, 0, b"sources".to_vec(), b"sealed body".to_vec()),
        record(RecordKind::Unknown(33), 0, b"?".to_vec(), b"a delta box of a later program".to_vec()),
    ]
}

/// The bytes of a finished pack of these records.
fn pack_bytes(kind: PackKind, records: &[Record]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = PackWriter::create(&RealDisk, dir.path(), pack_header(kind)).unwrap();
    for record in records {
        writer.append(record).unwrap();
    }
    let finished = writer.finish().unwrap();
    let bytes = std::fs::read(&finished.path).unwrap();
    assert_eq!(bytes.len() as u64, finished.bytes);
    bytes
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

/// A pack in memory.
fn open(bytes: &[u8]) -> Result<PackReader> {
    PackReader::open_file(Box::new(Bytes(bytes.to_vec())))
}

struct Bytes(Vec<u8>);

impl DiskFile for Bytes {
    fn append(&mut self, _: &[u8]) -> Result<()> {
        unreachable!("readers do not write")
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        let begin = usize::try_from(offset).unwrap();
        match begin.checked_add(out.len()).and_then(|end| self.0.get(begin..end)) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return Err(Error::disk("read", "bytes", std::io::Error::from(std::io::ErrorKind::UnexpectedEof))),
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn write_back(&self) {}

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }
}
