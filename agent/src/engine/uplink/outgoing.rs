//! A record on its way.

use bytes::Bytes;
use store::record::Record;
use transport::Call;

use crate::profile::{Wait, waiting};

/// A record in its travelling form, in two pieces: what was sealed is the larger one, and is not copied. Clones are cheap.
#[derive(Clone)]
pub(super) struct Outgoing([Bytes; 2]);

impl Outgoing {
    pub(super) fn new(record: Record) -> Self {
        Self(record.into_pieces().map(Bytes::from))
    }

    /// Bytes on the way.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Sends it; nobody else may send on this call meanwhile. Waits for room.
    pub(super) fn send(&self, call: &Call) -> transport::Result<()> {
        self.0.iter().try_for_each(|piece| waiting(Wait::Room, || call.send_data(piece.clone())))
    }
}
