//! What the version before holds of a file near the place that is being read: chunks that the vault has, so that
//! nobody has to ask about them. A change in a large file then costs what changed, and not an id for every chunk.
//!
//! The old pieces are read beside the file, a window of them at a time, however long the file is. What was moved
//! further than the window is asked about as if it were new.

use std::collections::{HashSet, VecDeque};

use store::id::ChunkId;
use store::tree::{Entry, Piece, PieceReader, What};

use super::flow::Flow;
use crate::engine::wanted::Wanted;

/// Bytes of the old file around the place that is being read whose chunks are known: before it, and after it.
const BEHIND_BYTES: u64 = 32 << 20;
const AHEAD_BYTES: u64 = 128 << 20;

/// See the module.
pub struct Known<'a> {
    pieces: Option<PieceReader<'a>>,
    /// What the vault has lost is not known to be there.
    wanted: &'a Wanted,
    /// Where in the old file the window ends.
    end: u64,
    /// Chunks in the window, and where each ends.
    window: VecDeque<(ChunkId, u64)>,
    ids: HashSet<ChunkId>,
}

impl<'a> Known<'a> {
    /// What is known of a file that was so in the version before; nothing when that is not to be believed.
    pub fn new(flow: &Flow<'a>, before: Option<&Entry>) -> Self {
        let pieces = match before.map(|entry| &entry.what) {
            Some(What::File { size, content, .. }) if !flow.nothing_known => {
                Some(PieceReader::new(flow.nodes, content, *size))
            }
            _ => None,
        };
        Self { pieces, wanted: flow.wanted, end: 0, window: VecDeque::new(), ids: HashSet::new() }
    }

    /// Whether the vault has this chunk, which stands at this place of the file now.
    pub fn has(&mut self, id: &ChunkId, at: u64) -> bool {
        self.go_on(at);
        self.ids.contains(id)
    }

    fn go_on(&mut self, at: u64) {
        while self.end < at.saturating_add(AHEAD_BYTES) {
            // What cannot be read of it is asked about.
            let Some(Ok(piece)) = self.pieces.as_mut().and_then(Iterator::next) else {
                self.pieces = None;
                break;
            };
            self.end = self.end.saturating_add(piece.len());
            if let Piece::Data { id, .. } = piece
                && !self.wanted.chunks.contains(&id)
                && self.ids.insert(id)
            {
                self.window.push_back((id, self.end));
            }
        }
        while let Some((id, end)) = self.window.front()
            && end.saturating_add(BEHIND_BYTES) < at
        {
            self.ids.remove(id);
            self.window.pop_front();
        }
    }
}
