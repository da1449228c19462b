//! Records: header, clear part, sealed part (FORMAT.md, chapter 3).
//!
//! A [`Record`] is what travels and what packs hold. Making and opening one needs keys and stands in
//! [`crate::seal`]; everything here works without any.

mod header;

pub use header::{Codec, HEADER_BYTES, Header, KEY_ID_ACCOUNT, KEY_ID_KEK, RecordKind};

use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::{ChunkId, CipherHash, NodeId};
use crate::limits::ITEMS_MAX;

/// One record, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Says what it is; bound by the seal.
    pub header: Header,
    /// What the server may read: ids and references.
    pub clear: Vec<u8>,
    /// What only the key opens.
    pub sealed: Vec<u8>,
}

/// Ids that a node needs, as they stand in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// Chunks, in order of first use.
    pub chunks: Vec<ChunkId>,
    /// Nodes: lists first, then children.
    pub nodes: Vec<NodeId>,
}

impl Record {
    /// A record read from its travelling form: header, clear part, sealed part, all checked as far as that
    /// goes without a key.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new("record", bytes);
        let header = Header::decode(r.bytes(HEADER_BYTES)?)?;
        let clear = r.bytes(header.clear_len as usize)?.to_vec();
        let sealed = r.bytes(header.sealed_len as usize)?.to_vec();
        r.end()?;
        let record = Self { header, clear, sealed };
        record.check()?;
        Ok(record)
    }

    /// Lengths, clear hash and the form of the clear part.
    pub fn check(&self) -> Result<()> {
        if self.clear.len() != self.header.clear_len as usize || self.sealed.len() != self.header.sealed_len as usize {
            return Err(Error::damaged("record", "its parts have other lengths than its header says"));
        }
        if blake3::hash(&self.clear).as_bytes() != &self.header.clear_hash {
            return Err(Error::damaged("record", "its clear part is not the one that was sealed"));
        }
        match self.header.kind {
            RecordKind::Box => {
                self.chunk_ids()?;
            }
            RecordKind::Group => {
                self.nodes()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Travelling form: all parts in line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header.encode());
        out.extend_from_slice(&self.clear);
        out.extend_from_slice(&self.sealed);
    }

    /// Travelling form in two pieces, the sealed part as it is.
    #[must_use]
    pub fn into_pieces(self) -> [Vec<u8>; 2] {
        let mut head = Vec::with_capacity(HEADER_BYTES + self.clear.len());
        head.extend_from_slice(&self.header.encode());
        head.extend_from_slice(&self.clear);
        [head, self.sealed]
    }

    /// Bytes of the travelling form.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        HEADER_BYTES + self.clear.len() + self.sealed.len()
    }

    /// The clear part as it is stored in line: empty for boxes, whose ids stand in the footer.
    #[must_use]
    pub fn inline_clear(&self) -> &[u8] {
        if self.header.kind.clear_is_inline() { &self.clear } else { &[] }
    }

    /// Bytes that it takes in a pack, without its line in the footer.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        HEADER_BYTES + self.inline_clear().len() + self.sealed.len()
    }

    /// BLAKE3 of the stored form.
    #[must_use]
    pub fn cipher_hash(&self) -> CipherHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.header.encode());
        hasher.update(self.inline_clear());
        hasher.update(&self.sealed);
        CipherHash::new(*hasher.finalize().as_bytes())
    }

    /// The ids of a box's chunks.
    pub fn chunk_ids(&self) -> Result<Vec<ChunkId>> {
        let (ids, rest) = self.clear.as_chunks::<32>();
        if self.header.kind != RecordKind::Box || !rest.is_empty() || ids.len() != self.header.items as usize {
            return Err(Error::damaged("record", "its list of chunk ids has the wrong length"));
        }
        Ok(ids.iter().map(|id| ChunkId::new(*id)).collect())
    }

    /// A group's nodes with their references.
    pub fn nodes(&self) -> Result<Vec<(NodeId, Refs)>> {
        let mut r = Reader::new("group's clear part", &self.clear);
        let items = self.header.items as usize;
        if self.header.kind != RecordKind::Group || items > ITEMS_MAX {
            return Err(r.damaged("it is not a group"));
        }
        let mut nodes = Vec::new();
        for _ in 0..items {
            let id = NodeId::new(r.array()?);
            let (chunks, below) = (r.u32()? as usize, r.u32()? as usize);
            // Room for no more than can follow.
            let room = |count: usize| count.min(r.remaining() / 32);
            let mut refs = Refs { chunks: Vec::with_capacity(room(chunks)), nodes: Vec::with_capacity(room(below)) };
            for _ in 0..chunks {
                refs.chunks.push(ChunkId::new(r.array()?));
            }
            for _ in 0..below {
                refs.nodes.push(NodeId::new(r.array()?));
            }
            nodes.push((id, refs));
        }
        r.end()?;
        Ok(nodes)
    }

    /// Appends one node's part of a group's clear part.
    pub fn put_node(clear: &mut Vec<u8>, id: NodeId, refs: &Refs) {
        clear.extend_from_slice(id.bytes());
        for count in [refs.chunks.len(), refs.nodes.len()] {
            // A count above u32 would need a clear part above CLEAR_BYTES_MAX, which nobody accepts.
            clear.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for chunk in &refs.chunks {
            clear.extend_from_slice(chunk.bytes());
        }
        for node in &refs.nodes {
            clear.extend_from_slice(node.bytes());
        }
    }
}
