//! Trees of a pretend source, and the records in which they travel. What is sealed is made of what is clear, so that
//! whoever reads a record knows whether it is the one that was sent, to the last byte.

use store::door::sim::Dice;
use store::id::{AccountId, ChunkId, DomainId, NodeId};
use store::record::{Codec, Header, Record, RecordKind, Refs};

/// What a record holds, with what it is: here an id alone does not say. A directory with nothing in it and chunk 0 have
/// the same one, since both are the hash of eight zero bytes. With real keys that cannot be; the vault must keep them
/// apart all the same, and so must a judge, who would else take the chunk for the directory that is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A chunk, in a box.
    Chunk(ChunkId),
    /// A node, in a group.
    Node(NodeId),
}

impl Item {
    /// How the row of a catalog begins that speaks of it.
    #[must_use]
    pub fn row(&self) -> String {
        match self {
            Self::Chunk(id) => format!("chunk {}", id.hex()),
            Self::Node(id) => format!("node {}", id.hex()),
        }
    }
}

/// A directory: its chunks by number, and the directories in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dir {
    chunks: Vec<u64>,
    dirs: Vec<Dir>,
}

/// How many different chunks there are: few, so that clients have some in common.
const CHUNKS: usize = 120;

impl Dir {
    /// Any small tree.
    pub fn random(dice: &mut Dice, depth: usize) -> Self {
        let chunks = (0..dice.below(5)).map(|_| dice.below(CHUNKS) as u64).collect();
        let dirs = if depth == 0 { 0 } else { dice.below(4) };
        Self { chunks, dirs: (0..dirs).map(|_| Self::random(dice, depth - 1)).collect() }
    }

    /// Changes something somewhere.
    pub fn change(&mut self, dice: &mut Dice) {
        if !self.dirs.is_empty() && dice.one_in(2) {
            let at = dice.below(self.dirs.len());
            return self.dirs[at].change(dice);
        }
        match dice.below(4) {
            0 if !self.chunks.is_empty() => {
                self.chunks.remove(dice.below(self.chunks.len()));
            }
            1 if !self.dirs.is_empty() => {
                self.dirs.remove(dice.below(self.dirs.len()));
            }
            2 => self.dirs.push(Self::random(dice, 1)),
            _ => self.chunks.push(dice.below(CHUNKS) as u64),
        }
    }

    /// Its id, and every node below it with its references, leaves first.
    pub fn nodes(&self, out: &mut Vec<(NodeId, Refs)>) -> NodeId {
        let nodes: Vec<NodeId> = self.dirs.iter().map(|dir| dir.nodes(out)).collect();
        let mut refs = Refs { chunks: self.chunks.iter().map(|no| chunk_id(*no)).collect(), nodes };
        let mut seen = std::collections::BTreeSet::new();
        refs.chunks.retain(|id| seen.insert(*id));
        let id = node_id(&refs);
        out.push((id, refs));
        id
    }
}

/// The id of a chunk.
#[must_use]
pub fn chunk_id(no: u64) -> ChunkId {
    ChunkId::new(*blake3::hash(&no.to_le_bytes()).as_bytes())
}

/// The id of a node with these references.
#[must_use]
pub fn node_id(refs: &Refs) -> NodeId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(refs.chunks.len() as u64).to_le_bytes());
    for id in refs.chunks.iter().map(ChunkId::bytes).chain(refs.nodes.iter().map(NodeId::bytes)) {
        hasher.update(id);
    }
    NodeId::new(*hasher.finalize().as_bytes())
}

/// Who makes records.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    /// Of which domain.
    pub domain: DomainId,
    /// Of which account.
    pub account: AccountId,
}

impl Maker {
    /// A record with this clear part and so many sealed bytes.
    pub fn record(&self, dice: &mut Dice, kind: RecordKind, items: usize, clear: Vec<u8>, len: usize) -> Record {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&dice.number().to_le_bytes());
        let header = Header {
            kind,
            codec: Codec::Raw,
            padded: false,
            key_id: 1,
            domain: self.domain,
            account: self.account,
            items: u32::try_from(items).unwrap(),
            clear_len: u32::try_from(clear.len()).unwrap(),
            sealed_len: u32::try_from(len).unwrap(),
            clear_hash: *blake3::hash(&clear).as_bytes(),
            nonce,
        };
        Record { sealed: sealed(&header), header, clear }
    }

    /// Boxes with these chunks, a few in each.
    pub fn boxes(&self, dice: &mut Dice, chunks: &[ChunkId], large: bool) -> Vec<Record> {
        let mut out = Vec::new();
        let mut rest = chunks;
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + dice.below(5)).min(rest.len()));
            rest = later;
            let clear = now.iter().flat_map(|id| *id.bytes()).collect();
            let len = 16 + if large { 200_000 + dice.below(300_000) } else { dice.below(700) };
            out.push(self.record(dice, RecordKind::Box, now.len(), clear, len));
        }
        out
    }

    /// Groups with these nodes, a few in each.
    pub fn groups(&self, dice: &mut Dice, nodes: &[(NodeId, Refs)]) -> Vec<Record> {
        let mut out = Vec::new();
        let mut rest = nodes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + dice.below(4)).min(rest.len()));
            rest = later;
            let mut clear = Vec::new();
            for (id, refs) in now {
                Record::put_node(&mut clear, *id, refs);
            }
            let len = 16 + dice.below(200);
            out.push(self.record(dice, RecordKind::Group, now.len(), clear, len));
        }
        out
    }
}

fn sealed(header: &Header) -> Vec<u8> {
    let mut out = vec![0; header.sealed_len as usize];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header.nonce).update(&header.clear_hash);
    hasher.finalize_xof().fill(&mut out);
    out
}

/// Whether this is a record that some client made, and none of its bits is another.
#[must_use]
pub fn is_genuine(record: &Record) -> bool {
    *blake3::hash(&record.clear).as_bytes() == record.header.clear_hash && sealed(&record.header) == record.sealed
}
