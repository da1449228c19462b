//! Groups: runs of nodes in depth-first order, compressed once and sealed once.

use crate::error::{Error, Result};
use crate::id::NodeId;
use crate::limits::{GROUP_BYTES_MAX, ITEMS_MAX};
use crate::record::{Record, RecordKind, Refs};

use super::compress::{Level, Scratch};
use super::sealer::{Sealer, bounded, open_record, seal_record};
use super::solid::Form;

const FORM: Form = Form { what: "group", body_max: GROUP_BYTES_MAX, item_max: GROUP_BYTES_MAX };

impl Sealer {
    /// A group of at least one node: id, references and plain encoding of each. At most 16 MiB of plain encodings
    /// and 16 MiB of references.
    pub fn seal_group(&self, scratch: &mut Scratch, nodes: &[(NodeId, Refs, Vec<u8>)], padded: bool) -> Result<Record> {
        if nodes.is_empty() {
            return Err(Error::damaged("group", "it has no nodes"));
        }
        let (number, keys) = self.in_use()?;
        let mut header = self.draft(RecordKind::Group, number);
        header.items = bounded("nodes of a group", nodes.len(), ITEMS_MAX)?;
        header.padded = padded;
        let mut joined = std::mem::take(&mut scratch.joined);
        joined.clear();
        let mut clear = Vec::new();
        for (id, refs, plain) in nodes {
            Record::put_node(&mut clear, *id, refs);
            joined.extend_from_slice(plain);
        }
        let lengths = nodes.iter().map(|(_, _, plain)| plain.len());
        let solid = FORM.close(scratch, lengths, &joined, Level::Auto, padded);
        scratch.joined = joined;
        scratch.trim();
        let (codec, body) = solid?;
        header.codec = codec;
        seal_record(&keys.nodes, header, clear, body, self.chance())
    }

    /// Opens a group of this domain and computes every node's id again.
    pub fn open_group(&self, scratch: &mut Scratch, record: &Record) -> Result<Vec<(NodeId, Refs, Vec<u8>)>> {
        let keys = self.keys_for(record, RecordKind::Group, "group")?;
        let solid = open_record(&keys.nodes, record, &mut scratch.opened)?;
        let (codec, padded) = (record.header.codec, record.header.padded);
        let nodes = record.nodes()?;
        let (lengths, plain) = FORM.open(&mut scratch.decoder, codec, padded, nodes.len(), solid)?;
        scratch.trim();
        let mut rest = plain.as_slice();
        let mut out = Vec::with_capacity(nodes.len());
        for ((id, refs), len) in nodes.into_iter().zip(lengths) {
            // The lengths add up to the whole.
            let (node, tail) = rest.split_at_checked(len as usize).unwrap_or((rest, &[]));
            rest = tail;
            if self.tree().node_id(&refs, node) != id {
                return Err(Error::damaged("group", "a node is not the one that its id names"));
            }
            out.push((id, refs, node.to_vec()));
        }
        Ok(out)
    }
}
