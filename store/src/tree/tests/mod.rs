//! Tests of trees. Here: what they share.

mod golden;
mod hostile;
mod look;
mod pages;
mod round_trip;

use std::collections::HashMap;

use super::*;
use crate::error::{Error, Result};
use crate::id::{ChunkId, ContentId, NodeId};
use crate::record::Refs;
use crate::seal::TreeKeys;

fn keys() -> TreeKeys {
    TreeKeys::new([1; 32], [2; 32], [3; 32])
}

fn chunk(number: u64) -> ChunkId {
    ChunkId::new(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// An ordinary file of one chunk.
fn file(name: &str, number: u64) -> Entry {
    Entry {
        name: name.as_bytes().into(),
        what: What::File {
            size: 1_000 + number % 50_000,
            content: Content::Chunk(chunk(number)),
            cut: CutClass::Whole,
        },
        mode: 0o644,
        owner: std::sync::Arc::default(),
        mtime: Time { secs: 1_700_000_000 + i64::try_from(number % 977).unwrap(), nanos: 5 },
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts { inode: 100 + number, ..Facts::default() },
    }
}

/// Nodes in memory.
#[derive(Default)]
struct Store {
    nodes: HashMap<NodeId, (Refs, Vec<u8>)>,
    made: Vec<Built>,
}

impl Store {
    fn take(&mut self, built: Built) -> Result<()> {
        for below in &built.refs.nodes {
            // Only what was made in full may be referred to; children of entries are made up by the tests.
            if !matches!(decode(&built.refs, &built.plain)?, Node::Page(_) | Node::Root(_)) {
                assert!(self.nodes.contains_key(below), "a node was made before one that it refers to");
            }
        }
        self.nodes.insert(built.id, (built.refs.clone(), built.plain.clone()));
        self.made.push(built);
        Ok(())
    }

    fn directory(&mut self, entries: impl IntoIterator<Item = Entry>) -> Child {
        let mut builder = DirBuilder::new(&keys());
        for entry in entries {
            builder.push(entry, &mut |built| self.take(built)).unwrap();
        }
        builder.finish(&mut |built| self.take(built)).unwrap()
    }

    fn content(&mut self, cut: CutClass, pieces: &[Piece]) -> (Content, u64) {
        let mut builder = ListBuilder::new(&keys(), cut);
        for piece in pieces {
            builder.push(*piece, &mut |built| self.take(built)).unwrap();
        }
        let size = builder.size();
        (builder.finish(&mut |built| self.take(built)).unwrap(), size)
    }
}

impl NodeSource for Store {
    fn node(&self, id: &NodeId) -> Result<Node> {
        let (refs, plain) = self.nodes.get(id).ok_or_else(|| Error::NotFound { what: "node", name: id.to_string() })?;
        assert_eq!(keys().node_id(refs, plain), *id);
        decode(refs, plain)
    }

    fn look(&self, id: &NodeId, looks: &mut Looks) -> Result<Option<Node>> {
        let (refs, plain) = self.nodes.get(id).ok_or_else(|| Error::NotFound { what: "node", name: id.to_string() })?;
        decode_looks(refs, plain, looks)
    }
}
